"""The common part of the peers that loop over members."""

import numpy as np


class Plateau:
    """Learning rate and best loss of one member, entry by entry."""

    def __init__(self, work):
        self.work, self.rate = work, work.learning_rate
        self.best = self.reference = np.inf
        self.stalled = 0

    def entry(self, loss):
        """Decide at an epoch's loss; return whether it is the best so far."""
        better = loss < self.best
        self.best = min(self.best, loss)
        if loss < self.reference:
            self.reference, self.stalled = loss, 0
        else:
            self.stalled += 1
            if 0 < self.work.lr_patience <= self.stalled:
                self.rate, self.stalled = self.rate * self.work.lr_factor, 0
        return better and self.work.keep_best


class Loop:
    """A peer that trains one member after another."""

    def __init__(self, work):
        self.work = work
        self.weights = list(work.weights())

    def epochs(self, n):
        return [self.member(m, n) for m in range(len(self.weights))]


def by_width(n1):
    """Members of equal width: (N1, their numbers)."""
    return [(int(width), np.flatnonzero(n1 == width)) for width in np.unique(n1)]


def stacked(work, members):
    """Initial weights of members of one width: W1 (s, N1, d), b1 (s, N1), W2 (s, k, N1), b2."""
    weights = list(work.weights())
    return [np.stack(arrays) for arrays in zip(*(weights[m] for m in members))]


def padded(work):
    """Initial weights of all members filled up to the widest, and the mask (M, N1)."""
    widest = int(work.n1.max())
    mask = (np.arange(widest) < work.n1[:, None]).astype(work.dtype)
    d, k = work.X.shape[1], work.Y.shape[1]
    W1, b1 = np.zeros((len(mask), widest, d)), np.zeros((len(mask), widest))
    W2, b2 = np.zeros((len(mask), k, widest)), np.zeros((len(mask), k))
    for m, (w1, c1, w2, c2) in enumerate(work.weights()):
        n1 = len(c1)
        W1[m, :n1], b1[m, :n1], W2[m, :, :n1], b2[m] = w1, c1, w2, c2
    return [a.astype(work.dtype) for a in (W1, b1, W2, b2)], mask
