"""The exact Jacobian of a network: the slope of each prediction in each input, row by row.

With h = s(W1 x' + b1) and z2 = W2 h + b2 of the scaled inputs x' = (x - x_shift) / x_scale,

    dz2/dx = W2 diag(s'(z1)) W1 / x_scale

and the chain rule goes on through the loss's link: y_scale for numbers, y_scale e^z2 for
Poisson means, diag(p) - p p^T for softmax, p (1 - p) for a sigmoid. Where an input is cut, it is 0.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from fastnet import reference
from fastnet.options.methods import EXP, LOSSES, SIGMOID, SOFTMAX
from fastnet.results.metrics import softmax

if TYPE_CHECKING:
    from fastnet.results.model import Model

BLOCK_VALUES = 1 << 21  # slopes, and values of hidden units, that are held beside the result


def blocks(model: "Model", X: np.ndarray) -> Iterator[np.ndarray]:
    """The Jacobians (rows, outputs, d) of some rows of X (n, d) after another."""
    W1, b1, W2, _ = model.weights
    step = max(1, BLOCK_VALUES // max(len(b1), len(W2) * W1.shape[1]))
    for first in range(0, len(X), step):
        yield of_rows(model, X[first : first + step])


def of_rows(model: "Model", X: np.ndarray) -> np.ndarray:
    """The Jacobians of a few rows."""
    net = reference.network.Net(*(array.astype(np.float64) for array in model.weights))
    activation = reference.activations.ACTIVATIONS[model.activation]
    inputs = model.scaled(X)
    with np.errstate(over="ignore", invalid="ignore"):
        H, Z2 = reference.network.forward(net, activation, inputs)
        slopes = activation.slope(reference.network.first_layer(net, inputs), H)
        W1 = net.W1 / model.x_scale
        J = np.stack([(slopes * row) @ W1 for row in net.W2], axis=1)
        return through_link(model, Z2, np.where(model.is_cut(X)[:, None], 0.0, J))


def through_link(model: "Model", Z2: np.ndarray, J: np.ndarray) -> np.ndarray:
    """The slopes of the predictions or probabilities, from those of z2."""
    link = LOSSES[model.loss].link
    if link == SOFTMAX:
        P = softmax(Z2)[:, :, None]
        return P * (J - (P * J).sum(axis=1, keepdims=True))
    if link == SIGMOID:
        P = reference.activations.sigmoid(Z2)[:, :, None]
        J = P * (1 - P) * J
        return np.concatenate([-J, J], axis=1) if model.has_one_logit else J
    J = J * model.y_scale[:, None]
    return J * np.exp(Z2)[:, :, None] if link == EXP else J
