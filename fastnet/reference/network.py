"""One network: its forward pass, loss and gradient over a set of samples.

`loss` is a function of Z2 and Y, a row of LOSSES with its setting bound: it gives each sample's
loss and dL/dz2.
"""

from typing import NamedTuple

import numpy as np


class Net(NamedTuple):
    """One member's weights, or gradients of the same shapes."""

    W1: np.ndarray  # (N1, d)
    b1: np.ndarray  # (N1,)
    W2: np.ndarray  # (k, N1)
    b2: np.ndarray  # (k,)


class Rows(NamedTuple):
    """A set of samples and their weights."""

    X: np.ndarray  # (n, d)
    Y: np.ndarray  # (n, k), one-hot for classes
    weight: np.ndarray  # (n,), or (folds, n)

    @property
    def count(self):
        return len(self.X)

    @property
    def total(self):
        """Sum of the weights, float64."""
        return float(self.weight.sum(dtype=np.float64))


def rows(X, Y, dtype, weights=None):
    """Samples as this backend reads them; weights (n,) or (folds, n), by default all 1."""
    weights = np.ones(len(X)) if weights is None else weights
    return Rows(X.astype(dtype), Y.astype(dtype), weights.astype(dtype))


def first_layer(net, X):
    """Z1 = X W1^T + b1."""
    return X @ net.W1.T + net.b1


def forward(net, activation, X):
    """H = s(X W1^T + b1) and Z2 = H W2^T + b2."""
    H = activation.value(first_layer(net, X))
    Z2 = H @ net.W2.T + net.b2
    return H, Z2


def loss_and_error(loss, Z2, rows):
    """Weighted sum of the losses, in float64, and dL/dz2 times the weights."""
    losses, dZ2 = loss(Z2, rows.Y)
    return float((losses * rows.weight.astype(np.float64)).sum()), dZ2 * rows.weight[:, None]


def mean_loss(net, activation, loss, rows):
    """Mean loss over the rows."""
    _, Z2 = forward(net, activation, rows.X)
    return loss_and_error(loss, Z2, rows)[0] / rows.total


def backward(net, activation, X, H, dZ2):
    """Gradients of the summed loss.

    dW2 = dz2 h^T, db2 = dz2, dz1 = (W2^T dz2) * s'(z1), dW1 = dz1 x^T, db1 = dz1, each summed
    over the samples.
    """
    dW2 = dZ2.T @ H
    db2 = dZ2.sum(axis=0)
    dZ1 = (dZ2 @ net.W2) * activation.slope(first_layer(net, X), H)
    dW1 = dZ1.T @ X
    db1 = dZ1.sum(axis=0)
    return Net(dW1, db1, dW2, db2)


def mean_gradient(net, summed, l2, total):
    """The sums as a mean, weights `total`; an L2 penalty acts on weights, not on biases."""
    W1, b1, W2, b2 = (g / summed.W1.dtype.type(total) for g in summed)
    return Net(W1 + l2 * net.W1, b1, W2 + l2 * net.W2, b2)


def gradient_norm(gradient):
    """L2 norm over all gradients of the member, in float64."""
    return float(np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradient)))


def loss_and_gradient(net, activation, loss, l2, rows):
    """Mean loss over the rows, its gradient, and the gradient's norm."""
    H, Z2 = forward(net, activation, rows.X)
    summed, dZ2 = loss_and_error(loss, Z2, rows)
    gradient = mean_gradient(net, backward(net, activation, rows.X, H, dZ2), l2, rows.total)
    return summed / rows.total, gradient, gradient_norm(gradient)
