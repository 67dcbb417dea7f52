"""The common part of PyTorch peers with many members in one tensor: rates, clipping, best."""

import torch

from bench.work import ADAM


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
        adam = work.optimizer == "adam"
        self.moments = [[torch.empty_like(a) for a in self.start] for _ in range(2)] if adam else []
        self.steps = torch.zeros((), dtype=torch.float64)

    def restart(self):
        for p, s in zip(self.parameters, self.start):
            p.copy_(s)
        self.rate.fill_(self.work.learning_rate)
        self.best_loss.fill_(torch.inf)
        self.reference.fill_(torch.inf)
        self.stalled.zero_()
        self.steps.zero_()
        for moment in self.moments:
            torch._foreach_zero_(moment)

    def entry(self, loss):
        entry(self.work, self.parameters, self.best, self.state(), loss)

    def state(self):
        return self.rate, self.best_loss, self.reference, self.stalled

    def memory(self):
        return self.moments, self.steps

    def step(self, gradients):
        step(self.work, self.parameters, self.rate, gradients, self.memory())


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


def step(work, parameters, rate, gradients, memory):
    """Add the penalty, clip each member's gradient and step, in place."""
    if work.l2:
        W1, b1, W2, b2 = gradients
        gradients = W1 + work.l2 * parameters[0], b1, W2 + work.l2 * parameters[2], b2
    scale = None
    if work.clip_norm < float("inf"):
        squares = sum(g.square().flatten(1).sum(1) for g in gradients)
        scale = (work.clip_norm / squares.sqrt()).clamp(max=1)
    if work.optimizer == "adam":
        adam(parameters, rate, gradients, scale, memory)
        return
    rate = rate if scale is None else rate * scale
    for p, g in zip(parameters, gradients):
        p.sub_(column(rate, g) * g)


def adam(parameters, rate, gradients, scale, memory):
    beta_1, beta_2, epsilon = ADAM
    moments, steps = memory
    steps.add_(1)
    root = (1 - beta_2**steps).sqrt()
    rate = rate * (root / (1 - beta_1**steps))
    for p, g, m, v in zip(parameters, gradients, *moments):
        g = g if scale is None else column(scale, g) * g
        m.mul_(beta_1).add_(g, alpha=1 - beta_1)
        v.mul_(beta_2).addcmul_(g, g, value=1 - beta_2)
        p.sub_(column(rate, g) * m / (v.sqrt() + epsilon * root))
