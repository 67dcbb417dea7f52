"""NumPy as an expert would write it: no allocation, blocks that stay in the cache, few passes.

The sigmoid is s(z) = 1/2 + tanh(z / 2) / 2: NumPy's float32 tanh is 3 times as fast as 1 / (1 +
exp(-z)). The halves go into the small weight arrays, so that only T = tanh(z / 2) is computed for
every sample and unit: z2 = (W2 / 2) T + (b2 + W2 1 / 2), s'(z) = (1 - T^2) / 4. With relu, T is
max(z, 0) and nothing is halved.
"""

import numpy as np

from bench.peers.common import Loop, Plateau
from bench.work import ADAM

BLOCK = 1 << 16  # values of a block of T: 256 KB in float32, half an L2 cache


class Member:
    """Weights of one member in one array, views into it, and room for a block."""

    def __init__(self, weights, d, k, n, dtype):
        n1 = len(weights[1])
        self.n1, self.d, self.k = n1, d, k
        self.start = np.concatenate([a.ravel() for a in joined(*weights)]).astype(dtype)
        self.flat, self.gradient = self.start.copy(), np.empty_like(self.start)
        self.best, self.step = self.start.copy(), np.empty_like(self.start)
        self.moments, self.steps = np.zeros((2, len(self.start)), dtype), 0
        self.A, self.B, self.b2 = self.views(self.flat)
        self.dA, self.dB, self.db2 = self.views(self.gradient)
        self.weights = np.concatenate(
            [a.ravel() for a in joined(*(np.full_like(w, w.ndim == 2) for w in weights))]
        )  # 1 at weights, 0 at biases
        self.block = min(n, max(64, BLOCK // n1))
        self.room = [np.empty(c * self.block, dtype) for c in (n1, n1, k, k)]
        self.halfA, self.halfB = np.empty_like(self.A), np.empty_like(self.B)
        self.partA, self.partB = np.empty_like(self.A), np.empty_like(self.B)

    def views(self, flat):
        """W1 with b1 as its last column (N1, d + 1), W2 (k, N1), b2 (k, 1)."""
        A, B, b2 = np.split(flat, np.cumsum([self.n1 * (self.d + 1), self.n1 * self.k]))
        return A.reshape(self.n1, -1), B.reshape(self.k, -1), b2.reshape(-1, 1)

    def restart(self):
        self.flat[:], self.moments[:], self.steps = self.start, 0, 0

    def adam(self, rate):
        """Move by Adam along self.step, the mean gradient."""
        beta_1, beta_2, epsilon = ADAM
        (m, v), g, room = self.moments, self.step, self.gradient
        self.steps += 1
        root = (1 - beta_2**self.steps) ** 0.5
        m *= beta_1
        m += np.multiply(g, 1 - beta_1, out=room)
        v *= beta_2
        g *= g
        v += np.multiply(g, 1 - beta_2, out=room)
        np.sqrt(v, out=g)
        g += epsilon * root
        np.divide(m, g, out=g)
        g *= rate * root / (1 - beta_1**self.steps)
        self.flat -= g

    def buffers(self, n):
        """Contiguous T, D (N1, n), Z, E (k, n) for n samples."""
        rows = (self.n1, self.n1, self.k, self.k)
        return [room[: r * n].reshape(r, n) for room, r in zip(self.room, rows)]


def joined(W1, b1, W2, b2):
    return np.column_stack([W1, b1]), W2, b2


class NumPy(Loop):
    def __init__(self, work):
        super().__init__(work)
        self.relu = work.activation == "relu"
        self.columns = np.column_stack([work.X, np.ones(len(work.X), work.dtype)])  # (n, d + 1)
        self.X, self.Y = (np.ascontiguousarray(a.T) for a in (self.columns, work.Y))
        d, k, n = work.X.shape[1], work.Y.shape[1], work.batch_size or len(work.X)
        self.members = [Member(w, d, k, n, work.dtype) for w in self.weights]
        watched = np.column_stack([work.watched[0], np.ones(len(work.watched[0]), work.dtype)])
        self.watched = [np.ascontiguousarray(a.T) for a in (watched, work.watched[1])]

    def member(self, m, n):
        member, plateau = self.members[m], Plateau(self.work)
        member.restart()
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
        return self.gradient(member, *self.watched, backward=False)

    def gradient(self, member, X, Y, backward=True):
        """Mean loss; the summed gradient in the member."""
        A, B, shift = self.scaled(member)
        total, n = 0.0, X.shape[1]
        if backward:
            member.gradient[:] = 0
        for first in range(0, n, member.block):
            last = min(first + member.block, n)
            x, y = X[:, first:last], Y[:, first:last]
            T, D, Z, E = member.buffers(last - first)
            np.matmul(A, x, out=T)
            np.maximum(T, 0, out=T) if self.relu else np.tanh(T, out=T)
            np.matmul(B, T, out=Z)
            Z += shift
            total += self.error(Z, y, E)
            if backward:
                self.backward(member, x, T, D, Z)
        return total / n

    def scaled(self, member):
        """A, B and what is added to z2, for T as it is."""
        if self.relu:
            return member.A, member.B, member.b2
        np.multiply(member.A, 0.5, out=member.halfA)
        np.multiply(member.B, 0.5, out=member.halfB)
        return member.halfA, member.halfB, member.halfB.sum(axis=1, keepdims=True) + member.b2

    def slope(self, T):
        """T becomes the slope of the activation, without its factor."""
        if self.relu:
            return np.sign(T, out=T)
        np.multiply(T, T, out=T)
        return np.subtract(1, T, out=T)

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
        if not self.relu:
            member.partB += sums
            member.partB *= 0.5
        member.dB += member.partB
        member.db2 += sums
        self.slope(T)
        factor = 1 if self.relu else 0.25
        if member.k == 1:  # W2 is applied after the sum over samples
            np.multiply(T, E, out=T)
            np.matmul(T, x.T, out=member.partA)
            member.partA *= factor * member.B.T
        else:
            np.matmul(member.B.T, E, out=D)
            np.multiply(T, D, out=T)
            np.matmul(T, x.T, out=member.partA)
            member.partA *= factor
        member.dA += member.partA

    def update(self, member, count, rate):
        """Add the penalty, clip the mean gradient and step."""
        scale = 1 / count
        if self.work.l2:
            np.multiply(member.flat, member.weights, out=member.step)
            member.step *= self.work.l2 * count
            member.gradient += member.step
        norm = float(np.dot(member.gradient, member.gradient)) ** 0.5 * scale
        if norm > self.work.clip_norm:
            scale *= self.work.clip_norm / norm
        adam = self.work.optimizer == "adam"
        np.multiply(member.gradient, scale if adam else rate * scale, out=member.step)
        if adam:
            member.adam(rate)
        else:
            member.flat -= member.step


def prepare(work, threads):
    return NumPy(work)
