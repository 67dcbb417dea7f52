"""PyTorch as in its tutorials, but without waste: one module per member, full tensors."""

import torch

from bench.peers.common import Loop, Plateau
from bench.work import ADAM


def network(activation, W1, b1, W2, b2):
    """Linear, activation, linear."""
    n1, d = W1.shape
    middle = torch.nn.ReLU() if activation == "relu" else torch.nn.Sigmoid()
    module = torch.nn.Sequential(torch.nn.Linear(d, n1), middle, torch.nn.Linear(n1, len(W2)))
    return module.to(torch.from_numpy(W1).dtype)


def squared(work):
    return work.loss == "squared"


def half_mean_square(z, y):
    return (z - y).square().sum() / (2 * len(y))


class Torch(Loop):
    def __init__(self, work):
        super().__init__(work)
        self.X, self.Y = self.tensors(work.X, work.Y)
        self.watched = self.tensors(*work.watched)
        self.criterion = half_mean_square if squared(work) else torch.nn.functional.cross_entropy
        self.order = torch.from_numpy(work.order)
        self.modules = [network(work.activation, *w) for w in self.weights]

    def tensors(self, X, Y):
        X, Y = torch.from_numpy(X), torch.from_numpy(Y)
        return X, Y if squared(self.work) else Y.argmax(1)

    def optimizer(self, parameters):
        if self.work.optimizer == "sgd":
            return torch.optim.SGD(parameters, lr=self.work.learning_rate)
        beta_1, beta_2, epsilon = ADAM
        kind = dict(betas=(beta_1, beta_2), eps=epsilon, fused=True)
        return torch.optim.Adam(parameters, lr=self.work.learning_rate, **kind)

    def member(self, m, n):
        module, plateau = self.modules[m], Plateau(self.work)
        parameters = list(module.parameters())
        with torch.no_grad():
            for p, w in zip(parameters, self.weights[m]):
                p.copy_(torch.from_numpy(w))
        best = [p.detach().clone() for p in parameters]
        optimizer = self.optimizer(parameters)
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
            return float(self.exact(module))

    def monitored(self, module):
        """The loss over all samples, if it is needed; for full batches with its graph."""
        if not self.work.batch_size:
            return self.criterion(module(self.X), self.Y)
        if not self.work.monitored:
            return None
        with torch.no_grad():
            return self.exact(module)

    def exact(self, module):
        X, Y = self.watched
        return self.criterion(module(X), Y)

    def step(self, loss, optimizer, parameters):
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.work.l2:
            for p in parameters[
                ::2
            ]:  # the weights; an optimiser's weight_decay follows the clipping
                p.grad.add_(p.detach(), alpha=self.work.l2)
        if self.work.clip_norm < float("inf"):
            torch.nn.utils.clip_grad_norm_(parameters, self.work.clip_norm)
        optimizer.step()


def prepare(work, threads):
    torch.set_num_threads(threads)
    return Torch(work)
