"""What an export is tested with: rows that the model keeps, and its predictions for them."""

from typing import NamedTuple

import numpy as np

from fastnet.errors import DataError
from fastnet.export import facts

PROMISE = 1e-5  # the largest error of an export, in units of what the network adds up
FAR = 1e4  # scales from 0 up to which an input may be float32: there are 6e-4 of its scale left
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


def tests(model, dtype):
    """The Tests of a model, for an export with inputs of that dtype; no rows if it keeps none."""
    X = facts.examples(model).astype(dtype)
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


def rounding_error(model, dtype):
    """The largest error if the inputs are rounded to that dtype, in units of what PROMISE allows:
    on the rows that the model keeps, and on the bounds of the training rows."""
    X = np.vstack([facts.examples(model), *model.ranges[:2]])
    exact = predicted(model, X)
    off = np.abs(predicted(model, X.astype(dtype)) - exact) / bound(model, exact)
    return float(off.max(initial=0))


def input_dtype(model, asked="auto"):
    """The dtype of an export's inputs: that of the weights, or float64 where float32 is too coarse.

    Seconds since 1970 in float32 are multiples of 128: rows that differ would be equal before they
    are scaled.

    Raises
    ------
    DataError
        If float32 was asked for and an error would be larger than PROMISE allows.
    """
    own = model.weights.W1.dtype
    if asked == "auto":
        far = (np.abs(model.x_shift) / model.x_scale).max(initial=0) > FAR
        coarse = far or rounding_error(model, own) > 1
        return np.dtype(np.float64) if coarse else own
    error = rounding_error(model, asked)
    if not error <= 1:
        raise DataError(
            f"--input-dtype {asked}: predictions for rows of the data would be off by "
            f"{PROMISE * error:.2g} of their size, and {PROMISE:g} is promised; take float64."
        )
    return np.dtype(asked)
