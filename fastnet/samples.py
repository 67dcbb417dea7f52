"""The samples of a run, found again: figures judge a network by them."""

from typing import NamedTuple

import numpy as np

from fastnet import api, data
from fastnet.errors import DataError, UsageError


class Samples(NamedTuple):
    """What a run trained on, in the units of the data: X (n, d), Y (n, k), one-hot for classes."""

    X: np.ndarray
    Y: np.ndarray
    split: dict

    def subset(self, name):
        """X and Y of the set train, val or test."""
        rows = self.split[name]
        return self.X[rows], self.Y[rows]


def find(result, given=None):
    """The Samples of a run: made again for a task, else `given` as (X, y)."""
    if given is None and why_none(result):
        raise UsageError(f"{why_none(result)}; give data=(X, y).")
    X, y = api.task_data(result.task, result.options)[:2] if given is None else given
    X, _ = data.inputs(X)
    rows = max(int(rows.max(initial=-1)) for rows in result.split.values())
    if rows >= len(X) or X.shape[1] != len(result.features):
        raise DataError(
            f"data has shape {X.shape}; the run had at least {rows + 1} rows of "
            f"{len(result.features)} columns."
        )
    y = data.plain(y, "y")
    Y = data.numbers(y) if result.classes is None else data.one_hot(data.labels(y), result.classes)
    return Samples(X, Y, result.split)


def why_none(result):
    """Why there are no samples to draw, or None."""
    return None if result.task else "the run folder does not hold the samples of your own data"
