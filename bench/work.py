"""The work of a peer as arrays. It needs only NumPy, because every peer's process imports it."""

import json
from typing import NamedTuple

import numpy as np

ADAM = (0.9, 0.999, 1e-8)  # beta_1, beta_2, epsilon of Kingma & Ba 2015, Algorithm 1


class Work(NamedTuple):
    """Members, data and training settings: everything that a peer needs to start.

    Letters as in fastnet: M members, n samples, d inputs, N1 hidden units, k outputs; v samples are
    held out, and may be none.
    """

    loss: str  # squared or cross_entropy
    X: np.ndarray  # (n, d)
    Y: np.ndarray  # (n, k), one-hot for classes
    Xv: np.ndarray  # (v, d)
    Yv: np.ndarray  # (v, k)
    n1: np.ndarray  # (M,)
    flat: np.ndarray  # initial weights: W1 (N1, d), b1 (N1,), W2 (k, N1), b2 (k,) of each member
    order: np.ndarray  # (epochs, n) rows of each epoch's mini-batches; (0, 0) for full batch
    batch_size: int  # 0: full batch
    learning_rate: float
    clip_norm: float  # inf: off
    lr_patience: int  # 0: off
    lr_factor: float
    keep_best: bool
    activation: str = "sigmoid"  # or relu
    optimizer: str = "sgd"  # or adam, with ADAM
    l2: float = 0.0  # of the weights, not the biases; its gradient is added before clipping

    @property
    def dtype(self):
        return self.X.dtype

    @property
    def monitored(self):
        """Whether the exact loss decides something after every epoch."""
        return self.keep_best or self.lr_patience > 0

    @property
    def adapts(self):
        """Whether gradients are clipped or the rate follows the loss, which scikit-learn cannot."""
        return self.clip_norm < np.inf or self.lr_patience > 0

    @property
    def watched(self):
        """The samples whose exact loss is monitored: those held out, or all."""
        return (self.Xv, self.Yv) if len(self.Xv) else (self.X, self.Y)

    @property
    def lengths(self):
        """(M,) parameters of each member."""
        d, k = self.X.shape[1], self.Y.shape[1]
        return self.n1 * (d + 1 + k) + k

    def weights(self):
        """Initial W1, b1, W2, b2 of every member, as views."""
        d, k = self.X.shape[1], self.Y.shape[1]
        ends = np.cumsum(self.lengths)
        for n1, end, length in zip(self.n1, ends, self.lengths):
            run = self.flat[end - length : end]
            W1, b1, W2, b2 = np.split(run, np.cumsum([n1 * d, n1, n1 * k]))
            yield W1.reshape(n1, d), b1, W2.reshape(k, n1), b2

    def batches(self, epoch):
        """Rows of each mini-batch of an epoch."""
        order = self.order[epoch]
        return [order[i : i + self.batch_size] for i in range(0, len(order), self.batch_size)]

    def pick(self, members):
        """The same work with some of the members, in the order given."""
        ends = np.cumsum(self.lengths)
        runs = [self.flat[ends[m] - self.lengths[m] : ends[m]] for m in members]
        return self._replace(n1=self.n1[members], flat=np.concatenate(runs))

    def plain(self):
        """Without clipping and schedule."""
        return self._replace(clip_norm=np.inf, lr_patience=0)


ARRAYS = ("X", "Y", "Xv", "Yv", "n1", "flat", "order")


def save(path, work):
    """Write a Work as npz."""
    fields = work._asdict()
    arrays = {name: fields.pop(name) for name in ARRAYS}
    np.savez(path, settings=json.dumps(fields), **arrays)


def load(path):
    """Read a Work."""
    with np.load(path, allow_pickle=False) as stored:
        settings = json.loads(str(stored["settings"]))
        return Work(**{name: stored[name] for name in ARRAYS}, **settings)
