"""Losses L of each sample, and their slopes dL/dz2."""

import math
from functools import partial

import numpy as np

from fastnet.reference.activations import sigmoid


def summed(each):
    """Each sample's loss: the sum over its outputs, in float64."""
    return each.astype(np.float64).sum(axis=1)


def squared_error(Z2, Y, setting=None):
    """L = 1/2 sum_k (yhat - y)^2, yhat = z2."""
    dZ2 = Z2 - Y
    return summed(dZ2 * dZ2) / 2, dZ2


def absolute_error(Z2, Y, setting=None):
    """L = sum_k |yhat - y|; the slope at the kink is 0."""
    error = Z2 - Y
    return summed(np.abs(error)), np.sign(error)


def huber_error(Z2, Y, setting):
    """For the error e: e^2 / 2 up to delta, then delta (|e| - delta / 2) (Huber 1964, p. 74)."""
    error, delta = Z2 - Y, float(setting["huber_delta"])
    inner = np.clip(error, -delta, delta)  # e, or delta with e's sign: also the slope
    return summed(np.abs(inner) * (np.abs(error) - np.abs(inner) / 2)), inner


def log_cosh_error(Z2, Y, setting=None):
    """L = sum_k log cosh(yhat - y): e^2 / 2 near 0, |e| - log 2 far off."""
    error = Z2 - Y
    e = np.abs(error.astype(np.float64))
    # cosh e - 1 = (e^e - 1)^2 / (2 e^e) keeps the digits of a small loss.
    near = np.minimum(e, 1)
    small = np.log1p(np.expm1(near) ** 2 / (2 * np.exp(near)))
    large = e + np.log1p(np.exp(-2 * e)) - math.log(2)
    return np.where(e < 1, small, large).sum(axis=1), np.tanh(error)


def poisson_error(Z2, Y, setting=None):
    """Half the deviance of counts y with mean e^z2: sum_k e^z2 - y - y (z2 - log y), 0 log 0 = 0
    (McCullagh & Nelder 1989, section 2.3)."""
    z, y = Z2.astype(np.float64), Y.astype(np.float64)
    logs = np.log(np.where(y > 0, y, 1))
    return (np.exp(z) - y - y * (z - logs)).sum(axis=1), np.exp(Z2) - Y


def quantile_error(Z2, Y, setting):
    """q (y - yhat) if yhat is too low, (1 - q) (yhat - y) if it is too high, q in (0, 1)
    (Koenker & Bassett 1978, eq. 3.1)."""
    error, q = Z2 - Y, float(setting["quantile"])
    slopes = np.where(error > 0, 1 - q, np.where(error < 0, -q, 0 * error)).astype(error.dtype)
    return summed(slopes * error), slopes


def cross_entropy_error(Z2, Y, setting=None):
    """L = -log softmax(z2)_y of each sample, and dL/dz2 = softmax(z2) - y.

    (m - z_y) + log1p(others): m the largest logit, others the sum of the exponentials except
    the largest. Of equal largest logits all but the first are among the others.
    """
    n = np.arange(len(Z2))
    largest = Z2.argmax(axis=1)
    m = Z2[n, largest][:, None]
    powers = np.exp(Z2 - m)
    others = powers.copy()
    others[n, largest] = 0
    others = others.sum(axis=1)
    losses = ((m - Z2) * Y).sum(axis=1).astype(np.float64) + np.log1p(others.astype(np.float64))
    return losses, powers / powers.sum(axis=1, keepdims=True) - Y


def binary_cross_entropy_error(Z2, Y, setting=None):
    """L = sum_k log(1 + e^z2) - y z2 for y = 0 or 1, and dL/dz2 = sigmoid(z2) - y.

    As max(z2, 0) - y z2 + log1p(e^-|z2|) no digits are lost when the network is sure.
    """
    far = np.maximum(Z2, 0) - Y * Z2
    powers = np.exp(-np.abs(Z2))
    losses = summed(far) + np.log1p(powers.astype(np.float64)).sum(axis=1)
    return losses, sigmoid(Z2) - Y


def hits(loss, Z2, rows):
    """Weight of the samples that are right: the largest logit (the first of equals) is that of the
    class; with binary cross-entropy each logit is above 0 where its target is 1, and no other."""
    if loss.func is binary_cross_entropy_error:
        right = ((Z2 > 0) == (rows.Y == 1)).all(axis=1)
    else:
        right = Z2.argmax(axis=1) == rows.Y.argmax(axis=1)
    return float((right * rows.weight.astype(np.float64)).sum())


def own_loss(problem, setting):
    """The problem's loss with the member's parameters: losses and dL/dz2 = own_loss(Z2, Y)."""
    return partial(problem.loss, setting=setting)


LOSSES = {
    "squared": squared_error,
    "cross_entropy": cross_entropy_error,
    "absolute": absolute_error,
    "huber": huber_error,
    "log_cosh": log_cosh_error,
    "poisson": poisson_error,
    "quantile": quantile_error,
    "binary_cross_entropy": binary_cross_entropy_error,
}
