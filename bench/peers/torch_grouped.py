"""PyTorch, members of one width in one tensor, gradients written by hand."""

import torch

from bench.peers.common import by_width, stacked
from bench.peers.torch_tensors import Members, entry, step

ACTIVATIONS = {"sigmoid": torch.sigmoid, "relu": torch.relu}


def forward(work, parameters, X):
    """Hidden layer (s, N1, n) and logits (s, k, n) of X (d, n)."""
    W1, b1, W2, b2 = parameters
    s, n1, d = W1.shape
    # One input: a product that the compiler fuses with the activation. More: one large product.
    Z1 = W1 * X if d == 1 else (W1.reshape(-1, d) @ X).reshape(s, n1, -1)
    H = ACTIVATIONS[work.activation](Z1 + b1.unsqueeze(-1))
    return H, torch.baddbmm(b2.unsqueeze(-1), W2, H)


def error(loss, Z2, Y):
    """Mean loss of each member (s,) and dL/dz2 of the mean."""
    n = Y.shape[-1]
    if loss == "squared":
        E = Z2 - Y
        return E.square().sum((1, 2)) / (2 * n), E / n
    logs = torch.log_softmax(Z2, 1)
    return -(logs * Y).sum((1, 2)) / n, (logs.exp() - Y) / n


def gradients(work, parameters, X, Y):
    """Mean loss of each member, and dW1, db1, dW2, db2."""
    W2 = parameters[2]
    H, Z2 = forward(work, parameters, X)
    losses, E = error(work.loss, Z2, Y)
    dH = W2.transpose(1, 2) * E if W2.shape[1] == 1 else W2.transpose(1, 2) @ E
    dZ1 = dH * H * (1 - H) if work.activation == "sigmoid" else dH * (H > 0)
    s, n1, n = dZ1.shape
    dW1 = (dZ1.reshape(-1, n) @ X.T).reshape(s, n1, -1)
    return losses, (dW1, dZ1.sum(-1), E @ H.transpose(1, 2), E.sum(-1))


def losses_of(work, parameters, X, Y):
    return error(work.loss, forward(work, parameters, X)[1], Y)[0]


def full_epoch(work, parameters, best, state, memory, X, Y):
    losses, found = gradients(work, parameters, X, Y)
    entry(work, parameters, best, state, losses)
    step(work, parameters, state[0], found, memory)


def batch_step(work, parameters, rate, memory, X, Y):
    step(work, parameters, rate, gradients(work, parameters, X, Y)[1], memory)


class Grouped:
    def __init__(self, work, compiled=False):
        self.work = work
        self.X, self.Y = (torch.from_numpy(a).T.contiguous() for a in (work.X, work.Y))
        self.watched = [torch.from_numpy(a).T.contiguous() for a in work.watched]
        self.order = torch.from_numpy(work.order)
        groups = by_width(work.n1)
        self.members = [members for _, members in groups]
        self.groups = [Members(work, stacked(work, members)) for members in self.members]
        wrap = compiler() if compiled else lambda f: f
        self.full_epoch, self.batch_step = wrap(full_epoch), wrap(batch_step)
        self.losses_of = wrap(losses_of)

    @torch.no_grad()
    def epochs(self, n):
        losses = torch.empty(len(self.work.n1), dtype=self.X.dtype)
        for members, group in zip(self.members, self.groups):
            group.restart()
            for epoch in range(n):
                self.epoch(group, epoch)
            losses[members] = self.losses_of(self.work, group.parameters, *self.watched)
        return losses.tolist()

    def epoch(self, group, epoch):
        if not self.work.batch_size:
            state = group.state(), group.memory()
            self.full_epoch(self.work, group.parameters, group.best, *state, self.X, self.Y)
            return
        if self.work.monitored:
            group.entry(self.losses_of(self.work, group.parameters, *self.watched))
        X, Y = self.X[:, self.order[epoch]], self.Y[:, self.order[epoch]]
        size = self.work.batch_size
        for x, y in zip(X.split(size, 1), Y.split(size, 1)):
            self.batch_step(self.work, group.parameters, group.rate, group.memory(), x, y)


def compiler():
    """torch.compile for every shape, without a limit on their number."""
    torch._dynamo.config.recompile_limit = 1000
    return lambda f: torch.compile(f, dynamic=False)


def prepare(work, threads):
    torch.set_num_threads(threads)
    return Grouped(work)
