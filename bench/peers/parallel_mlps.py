"""The ParallelMLPs method (Farias, Ludermir, Bastos-Filho 2022, arXiv 2206.08369), tuned.

All hidden units of all members are one layer of T units, without padding: H = s(W1 X + b1) is one
product, and each member's output is the sum of W2 * H over its own units (their scatter_add,
here index_add_ on rows, which are contiguous). Tuned: gradients by hand, buffers allocated once,
samples in blocks so that the (T, n) temporaries stay small.
"""

import numpy as np
import torch

from bench.work import ADAM

BLOCK = 1 << 22  # values of a temporary (T, n): 16 MB in float32


class Fused:
    def __init__(self, work):
        self.work, self.M = work, len(work.n1)
        weights = list(work.weights())
        self.start = [
            torch.from_numpy(a)
            for a in (
                np.concatenate([w[0] for w in weights]),  # (T, d)
                np.concatenate([w[1] for w in weights])[:, None],  # (T, 1)
                np.concatenate([w[2].T for w in weights]),  # (T, k)
                np.stack([w[3] for w in weights]),  # (M, k)
            )
        ]
        self.unit = torch.from_numpy(np.repeat(np.arange(self.M), work.n1))  # member of each unit
        self.X, self.Y = (torch.from_numpy(a).T.contiguous() for a in (work.X, work.Y))
        self.watched = [torch.from_numpy(a).T.contiguous() for a in work.watched]
        self.order = torch.from_numpy(work.order)
        T, self.k = len(self.unit), work.Y.shape[1]
        self.block = max(1, min(work.batch_size or len(work.X), max(32, BLOCK // T)))
        dtype = self.X.dtype
        self.room = [torch.empty(T * self.block, dtype=dtype) for _ in range(3)]
        self.Z2 = torch.empty(self.k * self.M * self.block, dtype=dtype)

    @torch.no_grad()
    def epochs(self, n):
        self.parameters = [a.clone() for a in self.start]
        self.best = [a.clone() for a in self.start]
        self.rate = torch.full((self.M,), self.work.learning_rate, dtype=self.X.dtype)
        self.best_loss = torch.full_like(self.rate, torch.inf)
        self.reference, self.stalled = self.best_loss.clone(), torch.zeros(self.M)
        self.moments = [[torch.zeros_like(a) for a in self.start] for _ in range(2)]
        self.steps = 0
        for epoch in range(n):
            if not self.work.batch_size:
                self.entry(self.pass_over(self.X, self.Y))
                self.step(self.X.shape[1])
                continue
            if self.work.monitored:
                self.entry(self.pass_over(*self.watched, backward=False))
            X, Y = self.X[:, self.order[epoch]], self.Y[:, self.order[epoch]]
            size = self.work.batch_size
            for x, y in zip(X.split(size, 1), Y.split(size, 1)):
                self.pass_over(x, y)
                self.step(x.shape[1])
        return self.pass_over(*self.watched, backward=False).tolist()

    def pass_over(self, X, Y, backward=True):
        """Mean loss of each member; the summed gradients in self.gradients."""
        self.gradients = [torch.zeros_like(p) for p in self.parameters]
        total = torch.zeros_like(self.rate)
        for x, y in zip(X.split(self.block, 1), Y.split(self.block, 1)):
            H, A, B = (r[: len(self.unit) * x.shape[1]].view(-1, x.shape[1]) for r in self.room)
            self.forward(x, H, A)
            total += self.error(y)
            if backward:
                self.backward(x, H, A, B)
        return total / X.shape[1]

    def forward(self, x, H, A):
        """H (T, n), and logits self.Z (k, M, n) as segmented sums."""
        W1, b1, W2, b2 = self.parameters
        torch.addmm(b1, W1, x, out=H)
        H.relu_() if self.work.activation == "relu" else H.sigmoid_()
        size = self.k * self.M * x.shape[1]
        self.Z = self.Z2[:size].view(self.k, self.M, x.shape[1])
        for j in range(self.k):
            torch.mul(H, W2[:, j, None], out=A)
            self.Z[j].copy_(b2[:, j, None].expand(-1, x.shape[1]))
            self.Z[j].index_add_(0, self.unit, A)

    def error(self, y):
        """Summed loss of each member; Z becomes dz2."""
        Z, Y = self.Z, y[:, None]
        if self.work.loss == "squared":
            Z.sub_(Y)
            return Z.square().sum((0, 2)) / 2
        logs = torch.log_softmax(Z, 0)
        losses = -(logs * Y).sum((0, 2))
        torch.exp(logs, out=Z)
        Z.sub_(Y)
        return losses

    def backward(self, x, H, A, B):
        dW1, db1, dW2, db2 = self.gradients
        W2 = self.parameters[2]
        db2 += self.Z.sum(2).T
        for j in range(self.k):
            torch.index_select(self.Z[j], 0, self.unit, out=A)  # each unit's dz2_j
            dW2[:, j] += torch.linalg.vecdot(A, H)
            if j == 0:
                torch.mul(A, W2[:, j, None], out=B)
            else:
                B.addcmul_(A, W2[:, j, None])
        if self.work.activation == "relu":
            B.masked_fill_(H == 0, 0)
        else:
            B.mul_(H)
            B.addcmul_(B, H, value=-1)  # dh h (1 - h)
        dW1.addmm_(B, x.T)
        db1 += B.sum(1, keepdim=True)

    def norms(self):
        """Each member's gradient norm."""
        dW1, db1, dW2, db2 = self.gradients
        rows = dW1.square().sum(1) + db1[:, 0].square() + dW2.square().sum(1)
        return db2.square().sum(1).index_add_(0, self.unit, rows).sqrt()

    def step(self, count):
        for i in (0, 2) if self.work.l2 else ():
            self.gradients[i].add_(self.parameters[i], alpha=self.work.l2 * count)
        scale = torch.full_like(self.rate, 1 / count)
        if self.work.clip_norm < float("inf"):
            scale *= (self.work.clip_norm * count / self.norms()).clamp(max=1)
        if self.work.optimizer == "adam":
            self.adam(self.columns(scale))
            return
        for p, g, rate in zip(self.parameters, self.gradients, self.columns(self.rate * scale)):
            p.addcmul_(rate, g, value=-1)

    def columns(self, values):
        """A number of each member (M,), for W1, b1, W2 and b2."""
        units = values[self.unit][:, None]
        return units, units, units, values[:, None]

    def adam(self, scales):
        beta_1, beta_2, epsilon = ADAM
        self.steps += 1
        root = (1 - beta_2**self.steps) ** 0.5
        rates = self.columns(self.rate * (root / (1 - beta_1**self.steps)))
        found = zip(self.parameters, self.gradients, *self.moments, scales, rates)
        for p, g, m, v, scale, rate in found:
            g.mul_(scale)
            m.mul_(beta_1).add_(g, alpha=1 - beta_1)
            v.mul_(beta_2).addcmul_(g, g, value=1 - beta_2)
            p.addcdiv_(rate * m, v.sqrt().add_(epsilon * root), value=-1)

    def entry(self, losses):
        if self.work.keep_best:
            better = losses < self.best_loss
            self.best_loss = torch.minimum(self.best_loss, losses)
            wanted = (better[self.unit][:, None],) * 3 + (better[:, None],)
            self.best = [
                torch.where(w, p, b) for w, p, b in zip(wanted, self.parameters, self.best)
            ]
        if self.work.lr_patience:
            moved = losses < self.reference
            self.reference = torch.minimum(self.reference, losses)
            self.stalled = torch.where(moved, 0, self.stalled + 1)
            lower = self.stalled >= self.work.lr_patience
            self.rate = torch.where(lower, self.rate * self.work.lr_factor, self.rate)
            self.stalled = torch.where(lower, 0, self.stalled)


def prepare(work, threads):
    torch.set_num_threads(threads)
    return Fused(work)
