"""What an export is tested with: rows that the model keeps, and its predictions for them."""

from typing import NamedTuple

import numpy as np

from fastnet.errors import DataError
from fastnet.export import facts

PROMISE = 1e-5  # the largest error of an export, in units of what the network adds up
MOST = 1e-3  # of a probability, whatever the network adds up


class Tests(NamedTuple):
    """Test vectors.

    Attributes
    ----------
    X : ndarray of shape (n, d)
        Inputs in the dtype that the export takes.
    Y : ndarray of shape (n, k)
        Predicted numbers, or probabilities of classes or labels, in float64.
    bound : ndarray of shape (n, k)
        How far an export may be off.
    """

    X: np.ndarray
    Y: np.ndarray
    bound: np.ndarray


def tests(model, dtype=None):
    """The Tests of a model, for an export with inputs of that dtype; no rows if it keeps none."""
    dtype = facts.input_dtype(model) if dtype is None else dtype
    X = model.examples.reshape(-1, len(model.features)).astype(dtype)
    Y = predicted(model, X)
    return Tests(X, Y, bound(model, Y))


def predicted(model, X):
    """What exports give for X: numbers (n, k), or the probabilities of classes or labels."""
    Z2 = model.outputs(X)
    if model.classes is not None or model.labels:
        return model.probabilities(Z2)
    return model.means(Z2) * model.y_scale + model.y_shift


def bound(model, Y):
    """The errors that PROMISE allows, in the units of Y: the more, the larger W2."""
    size = np.maximum(1, np.abs(model.weights.W2).max(axis=1))
    if model.classes is not None or model.labels:
        return np.broadcast_to(np.minimum(PROMISE * size, MOST), Y.shape)
    own = size * (np.abs(Y - model.y_shift) + model.y_scale)
    return PROMISE * (own + np.abs(Y) / 10)


def check_inputs(model, dtype):
    """The largest error, as a share of what is allowed, if the inputs are rounded to that dtype.

    Raises
    ------
    DataError
        If the error is larger than allowed.
    """
    X = np.vstack([model.examples.reshape(-1, len(model.features)), *model.ranges[:2]])
    exact = predicted(model, X)
    with np.errstate(over="ignore"):
        rounded = X.astype(dtype)
    off = np.abs(predicted(model, rounded) - exact) / bound(model, exact)
    if not off.max(initial=0) <= 1:
        raise DataError(
            f"--input-dtype {dtype}: predictions for training rows would be off by "
            f"{off.max():.3g} times what is allowed; take float64."
        )
    return float(off.max(initial=0)) * PROMISE
