"""PyTorch as in its tutorials, but without waste: one module per member, full tensors."""

import torch

from bench.peers.common import Loop, Plateau


def network(W1, b1, W2, b2):
    """Linear, sigmoid, linear."""
    n1, d = W1.shape
    module = torch.nn.Sequential(
        torch.nn.Linear(d, n1), torch.nn.Sigmoid(), torch.nn.Linear(n1, len(W2))
    )
    return module.to(torch.from_numpy(W1).dtype)


class Torch(Loop):
    def __init__(self, work):
        super().__init__(work)
        self.X, Y = torch.from_numpy(work.X), torch.from_numpy(work.Y)
        if work.loss == "squared":
            self.Y = Y
            self.criterion = lambda z, y: (z - y).square().sum() / (2 * len(y))
        else:
            self.Y, self.criterion = Y.argmax(1), torch.nn.functional.cross_entropy
        self.order = torch.from_numpy(work.order)
        self.modules = [network(*w) for w in self.weights]

    def member(self, m, n):
        module, plateau = self.modules[m], Plateau(self.work)
        parameters = list(module.parameters())
        with torch.no_grad():
            for p, w in zip(parameters, self.weights[m]):
                p.copy_(torch.from_numpy(w))
        best = [p.detach().clone() for p in parameters]
        optimizer = torch.optim.SGD(parameters, lr=self.work.learning_rate)
        for epoch in range(n):
            loss = self.monitored(module)
            if loss is not None and plateau.entry(float(loss.detach())):
                torch._foreach_copy_(best, [p.detach() for p in parameters])
            optimizer.param_groups[0]["lr"] = plateau.rate
            if self.work.batch_size:
                for rows in self.order[epoch].split(self.work.batch_size):
                    loss = self.criterion(module(self.X[rows]), self.Y[rows])
                    self.step(loss, optimizer, parameters)
            else:
                self.step(loss, optimizer, parameters)
        with torch.no_grad():
            return float(self.criterion(module(self.X), self.Y))

    def monitored(self, module):
        """The loss over all samples, if it is needed; for full batches with its graph."""
        if not self.work.batch_size:
            return self.criterion(module(self.X), self.Y)
        if not self.work.monitored:
            return None
        with torch.no_grad():
            return self.criterion(module(self.X), self.Y)

    def step(self, loss, optimizer, parameters):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.work.clip_norm < float("inf"):
            torch.nn.utils.clip_grad_norm_(parameters, self.work.clip_norm)
        optimizer.step()


def prepare(work, threads):
    torch.set_num_threads(threads)
    return Torch(work)
