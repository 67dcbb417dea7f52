"""Scaling of inputs and of targets that are numbers, learnt on training rows; missing numbers.

Everything is computed in float64 and rounded once, both here and in a model that predicts, so the
losses of a run and of its saved model agree.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnet.errors import DataError

BLOCK_ROWS = 1 << 15  # rows that are held in float64 at a time
BLOCK_VALUES = 1 << 21  # values of columns that are held in float64 at a time
CUT = 5  # standard deviations from the mean at which --scale clipped cuts; docs/data.md says why


class Scaling(NamedTuple):
    """The relation between a network's numbers and the units of the data.

    Attributes
    ----------
    x_shift, x_scale : ndarray of shape (d,)
        The network's input is (x - x_shift) / x_scale.
    y_shift, y_scale : ndarray of shape (k,)
        A prediction is z2 * y_scale + y_shift.
    """

    x_shift: np.ndarray
    x_scale: np.ndarray
    y_shift: np.ndarray
    y_scale: np.ndarray


class Ranges(NamedTuple):
    """What the training rows held, in the units of the data.

    Attributes
    ----------
    x_low, x_high : ndarray of shape (d,)
        Least and largest value of each input.
    y_mean : ndarray of shape (k,) or (n_classes,)
        Mean of each target, or share of each class, or of the second of a target's two labels: the
        best prediction that looks at no input.
    """

    x_low: np.ndarray
    x_high: np.ndarray
    y_mean: np.ndarray

    def outside(self, X: np.ndarray) -> np.ndarray:
        """Where X (n, d), not scaled, lies outside the ranges by more than float32 rounds."""
        slack = np.finfo(np.float32).eps * np.maximum(np.abs(self.x_low), np.abs(self.x_high))
        return (X < self.x_low - slack) | (X > self.x_high + slack)


class Limits(NamedTuple):
    """Where inputs are cut before they are scaled, in the units of the data.

    Attributes
    ----------
    x_least, x_most : ndarray of shape (d,)
        A smaller input becomes x_least, a larger one x_most.
    """

    x_least: np.ndarray
    x_most: np.ndarray


def ranges_of(X: np.ndarray, Y: np.ndarray, weight: np.ndarray, rows: np.ndarray) -> Ranges:
    """The Ranges of some rows of X and Y, which are not scaled yet.

    Rows of weight 0 have no influence.

    Examples
    --------
    >>> X, Y = np.array([[1.0], [4.0], [9.0]]), np.array([[2.0], [8.0], [9.0]])
    >>> [array.tolist() for array in ranges_of(X, Y, np.ones(3), np.arange(2))]
    [[1.0], [4.0], [5.0]]
    """
    rows = rows[weight[rows] > 0]
    low, high = np.full(X.shape[1], np.inf), np.full(X.shape[1], -np.inf)
    for first in range(0, len(rows), BLOCK_ROWS):
        block = X[rows[first : first + BLOCK_ROWS]]
        low = np.fmin(low, np.fmin.reduce(block))  # fmin: missing values are left out
        high = np.fmax(high, np.fmax.reduce(block))
    share = weight[rows] / max(weight[rows].sum(), np.finfo(float).tiny)
    return Ranges(low, high, share @ Y[rows])


def no_scaling(d: int, k: int) -> Scaling:
    """The Scaling of d inputs and k outputs that changes nothing."""
    return Scaling(np.zeros(d), np.ones(d), np.zeros(k), np.ones(k))


def standard(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of columns, which are rows here: shape (c, n)."""
    return values.mean(axis=1), values.std(axis=1)


def minmax(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Middle and half width of the ranges of columns (c, n): scaled values lie in [-1, 1]."""
    low, high = values.min(axis=1), values.max(axis=1)
    return low + (high - low) / 2, (high - low) / 2


METHODS = {"clipped": standard, "standard": standard, "minmax": minmax}


def limits_of(method: str, shift: np.ndarray, scale: np.ndarray) -> Limits | None:
    """The Limits of inputs with this shift and scale (d,); None for a method that cuts none.

    Examples
    --------
    >>> limits_of("clipped", np.array([10.0]), np.array([2.0]))
    Limits(x_least=array([0.]), x_most=array([20.]))
    """
    return Limits(shift - CUT * scale, shift + CUT * scale) if method == "clipped" else None


def learn(
    method: str, values: np.ndarray, rows: np.ndarray, names: Sequence[str | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale of columns, learnt from some rows.

    Parameters
    ----------
    method : {"none", "clipped", "standard", "minmax"}
    values : ndarray of shape (n, c)
        Missing values (NaN) are left out.
    rows : ndarray of int
        The rows to learn from; a column that is constant there is only shifted.
    names : sequence of c str or None
        Names of the columns in messages; a column named None stays unchanged.

    Returns
    -------
    shift, scale : ndarray of shape (c,)

    Raises
    ------
    DataError
        for values so large that their mean or deviation is not finite.

    Examples
    --------
    >>> shift, scale = learn("minmax", np.array([[0.0], [4.0]]), np.arange(2), ["size"])
    >>> shift.tolist(), scale.tolist()
    ([2.0], [2.0])
    """
    shift, scale = np.zeros(len(names)), np.ones(len(names))
    scalable = [j for j, name in enumerate(names) if name is not None and method != "none"]
    for some in parts(scalable, max(1, BLOCK_VALUES // max(len(rows), 1))):
        block = values[rows[:, None], some].T.astype(np.float64, order="C")
        whole = ~np.isnan(block).any(axis=1)
        shift[some], scale[some] = learn_block(method, block, whole)
        bad = ~np.isfinite(shift[some]) | ~np.isfinite(scale[some])
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            largest = np.nanmax(np.abs(block[first]))
            raise DataError(
                f"{names[some[first]]} has values too large to scale, up to {largest:g}."
            )
    return shift, scale


def learn_block(method: str, block: np.ndarray, whole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale of columns (c, n); those that are not `whole` have missing values."""
    shift, scale = np.zeros(len(block)), np.ones(len(block))
    groups = [np.flatnonzero(whole), *([j] for j in np.flatnonzero(~whole))]
    for some in groups:
        columns = block[some]
        if not whole[some].all():
            columns = columns[:, ~np.isnan(columns[0])]
        if columns.size == 0:
            continue
        with np.errstate(over="ignore", invalid="ignore"):
            shift[some], width = METHODS[method](columns)
        # The deviation of equal values may be rounding alone.
        constant = (width <= 0) | (columns.min(axis=1) == columns.max(axis=1))
        scale[some] = np.where(constant & np.isfinite(width), 1, width)
    return shift, scale


def parts(values: list[int], size: int) -> list[list[int]]:
    """A list in pieces of at most `size` values."""
    return [values[first : first + size] for first in range(0, len(values), size)]


def medians(
    values: np.ndarray, rows: np.ndarray, names: Sequence[str | None]
) -> list[float | None]:
    """The median of each column in the given rows; None if its name is None."""
    found = []
    for j, name in enumerate(names):
        column = values[rows, j].astype(np.float64)
        column = column[~np.isnan(column)]
        if name is not None and column.size == 0:
            raise DataError(f"{name} has no value in the training rows; leave it out.")
        found.append(None if name is None else float(np.median(column)))
    return found


def scaled(
    values: np.ndarray,
    shift: np.ndarray,
    scale: np.ndarray,
    dtype: Any,
    fills: Sequence[float | None] = (),
    limits: Limits | None = None,
) -> np.ndarray:
    """(values - shift) / scale as a new array; fills replace NaN, and limits cut, if given."""
    result = np.empty(values.shape, dtype)
    filled = [(j, fill) for j, fill in enumerate(fills) if fill is not None]
    for first in range(0, len(values), BLOCK_ROWS):
        block = values[first : first + BLOCK_ROWS].astype(np.float64)
        for j, fill in filled:
            block[np.isnan(block[:, j]), j] = fill
        if limits is not None:
            np.clip(block, *limits, out=block)
        with np.errstate(over="ignore"):
            result[first : first + BLOCK_ROWS] = (block - shift) / scale
    return result
