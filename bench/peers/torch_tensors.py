"""The common part of PyTorch peers with many members in one tensor: rates, clipping, best."""

import torch


class Members:
    """State of s members: parameters with the member as first axis, rates, best weights."""

    def __init__(self, work, arrays):
        self.work = work
        self.start = [torch.from_numpy(a.copy()) for a in arrays]
        self.parameters = [a.clone() for a in self.start]
        self.best = [a.clone() for a in self.start]
        count, dtype = len(arrays[0]), self.start[0].dtype
        self.rate, self.best_loss, self.reference = torch.empty((3, count), dtype=dtype)
        self.stalled = torch.empty(count, dtype=torch.int64)

    def restart(self):
        for p, s in zip(self.parameters, self.start):
            p.copy_(s)
        self.rate.fill_(self.work.learning_rate)
        self.best_loss.fill_(torch.inf)
        self.reference.fill_(torch.inf)
        self.stalled.zero_()

    def entry(self, loss):
        entry(self.work, self.parameters, self.best, self.state(), loss)

    def state(self):
        return self.rate, self.best_loss, self.reference, self.stalled

    def step(self, gradients):
        step(self.work, self.parameters, self.rate, gradients)


def column(values, like):
    """(s,) values shaped to multiply (s, ...)."""
    return values.reshape(-1, *[1] * (like.dim() - 1))


def entry(work, parameters, best, state, loss):
    """The plateau schedule and the best weights, in place."""
    rate, best_loss, reference, stalled = state
    if work.keep_best:
        better = loss < best_loss
        best_loss.copy_(torch.minimum(best_loss, loss))
        for b, p in zip(best, parameters):
            b.copy_(torch.where(column(better, p), p, b))
    if work.lr_patience:
        moved = loss < reference
        reference.copy_(torch.minimum(reference, loss))
        stalled.copy_(torch.where(moved, 0, stalled + 1))
        lower = stalled >= work.lr_patience
        rate.copy_(torch.where(lower, rate * work.lr_factor, rate))
        stalled.copy_(torch.where(lower, 0, stalled))


def step(work, parameters, rate, gradients):
    """Clip each member's gradient and step, in place."""
    if work.clip_norm < float("inf"):
        squares = sum(g.square().flatten(1).sum(1) for g in gradients)
        rate = rate * (work.clip_norm / squares.sqrt()).clamp(max=1)
    for p, g in zip(parameters, gradients):
        p.sub_(column(rate, g) * g)
