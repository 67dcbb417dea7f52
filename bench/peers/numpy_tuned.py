"""NumPy as an expert would write it: no allocation, blocks that stay in the cache, few passes.

The sigmoid is s(z) = 1/2 + tanh(z / 2) / 2: NumPy's float32 tanh is 3 times as fast as 1 / (1 +
exp(-z)). The halves go into the small weight arrays, so that only T = tanh(z / 2) is computed for
every sample and unit: z2 = (W2 / 2) T + (b2 + W2 1 / 2), s'(z) = (1 - T^2) / 4.
"""

import numpy as np

from bench.peers.common import Loop, Plateau

BLOCK = 1 << 16  # values of a block of T: 256 KB in float32, half an L2 cache


class Member:
    """Weights of one member in one array, views into it, and room for a block."""

    def __init__(self, weights, d, k, n, dtype):
        n1 = len(weights[1])
        self.n1, self.d, self.k = n1, d, k
        self.start = np.concatenate([a.ravel() for a in joined(*weights)]).astype(dtype)
        self.flat, self.gradient = self.start.copy(), np.empty_like(self.start)
        self.best, self.step = self.start.copy(), np.empty_like(self.start)
        self.A, self.B, self.b2 = self.views(self.flat)
        self.dA, self.dB, self.db2 = self.views(self.gradient)
        self.block = min(n, max(64, BLOCK // n1))
        self.room = [np.empty(c * self.block, dtype) for c in (n1, n1, k, k)]
        self.halfA, self.halfB = np.empty_like(self.A), np.empty_like(self.B)
        self.partA, self.partB = np.empty_like(self.A), np.empty_like(self.B)

    def views(self, flat):
        """W1 with b1 as its last column (N1, d + 1), W2 (k, N1), b2 (k, 1)."""
        A, B, b2 = np.split(flat, np.cumsum([self.n1 * (self.d + 1), self.n1 * self.k]))
        return A.reshape(self.n1, -1), B.reshape(self.k, -1), b2.reshape(-1, 1)

    def buffers(self, n):
        """Contiguous T, D (N1, n), Z, E (k, n) for n samples."""
        rows = (self.n1, self.n1, self.k, self.k)
        return [room[: r * n].reshape(r, n) for room, r in zip(self.room, rows)]


def joined(W1, b1, W2, b2):
    return np.column_stack([W1, b1]), W2, b2


class NumPy(Loop):
    def __init__(self, work):
        super().__init__(work)
        self.columns = np.column_stack([work.X, np.ones(len(work.X), work.dtype)])  # (n, d + 1)
        self.X, self.Y = (np.ascontiguousarray(a.T) for a in (self.columns, work.Y))
        d, k, n = work.X.shape[1], work.Y.shape[1], work.batch_size or len(work.X)
        self.members = [Member(w, d, k, n, work.dtype) for w in self.weights]
        self.labels = work.Y.argmax(axis=1)

    def member(self, m, n):
        member, plateau = self.members[m], Plateau(self.work)
        member.flat[:] = member.start
        for epoch in range(n):
            if self.work.batch_size:
                loss = self.loss(member) if self.work.monitored else np.inf
            else:
                loss = self.gradient(member, self.X, self.Y)
            if plateau.entry(loss):
                member.best[:] = member.flat
            if self.work.batch_size:
                self.batches(member, epoch, plateau.rate)
            else:
                self.update(member, len(self.work.X), plateau.rate)
        return self.loss(member)

    def batches(self, member, epoch, rate):
        """One epoch of mini-batches: the samples are put in order once, batches are slices."""
        order, size = self.work.order[epoch], self.work.batch_size
        X, Y = self.columns[order].T, np.ascontiguousarray(self.work.Y[order].T)
        for first in range(0, len(order), size):
            batch = slice(first, min(first + size, len(order)))
            self.gradient(member, X[:, batch], Y[:, batch])
            self.update(member, batch.stop - first, rate)

    def loss(self, member):
        return self.gradient(member, self.X, self.Y, backward=False)

    def gradient(self, member, X, Y, backward=True):
        """Mean loss; the summed gradient in the member."""
        np.multiply(member.A, 0.5, out=member.halfA)
        np.multiply(member.B, 0.5, out=member.halfB)
        shift = member.halfB.sum(axis=1, keepdims=True) + member.b2
        total, n = 0.0, X.shape[1]
        if backward:
            member.gradient[:] = 0
        for first in range(0, n, member.block):
            last = min(first + member.block, n)
            x, y = X[:, first:last], Y[:, first:last]
            T, D, Z, E = member.buffers(last - first)
            np.matmul(member.halfA, x, out=T)
            np.tanh(T, out=T)
            np.matmul(member.halfB, T, out=Z)
            Z += shift
            total += self.error(Z, y, E)
            if backward:
                self.backward(member, x, T, D, Z)
        return total / n

    def error(self, Z, y, E):
        """Summed loss; Z becomes yhat - y."""
        if self.work.loss == "squared":
            Z -= y
            return float(np.vdot(Z, Z)) / 2
        Z -= Z.max(axis=0)
        np.multiply(Z, y, out=E)
        loss = -float(E.sum())
        np.exp(Z, out=Z)
        sums = Z.sum(axis=0)
        Z /= sums
        Z -= y
        return loss + float(np.log(sums).sum())

    def backward(self, member, x, T, D, E):
        """Add a block's gradients: E (k, n) is dz2."""
        sums = E.sum(axis=1, keepdims=True)
        np.matmul(E, T.T, out=member.partB)
        member.partB += sums
        member.partB *= 0.5
        member.dB += member.partB
        member.db2 += sums
        np.multiply(T, T, out=T)
        np.subtract(1, T, out=T)
        if member.k == 1:  # W2 is applied after the sum over samples
            np.multiply(T, E, out=T)
            np.matmul(T, x.T, out=member.partA)
            member.partA *= 0.25 * member.B.T
        else:
            np.matmul(member.B.T, E, out=D)
            np.multiply(T, D, out=T)
            np.matmul(T, x.T, out=member.partA)
            member.partA *= 0.25
        member.dA += member.partA

    def update(self, member, count, rate):
        """Clip the mean gradient and step."""
        scale = 1 / count
        norm = float(np.dot(member.gradient, member.gradient)) ** 0.5 * scale
        if norm > self.work.clip_norm:
            scale *= self.work.clip_norm / norm
        np.multiply(member.gradient, rate * scale, out=member.step)
        member.flat -= member.step


def prepare(work, threads):
    return NumPy(work)
