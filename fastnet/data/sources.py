"""From a task, arrays or the files that options name to the Data of a run, now and again later.

Figures judge a network by the samples of its run: `find` makes or reads them again.
"""

import functools
import operator
import os
from typing import NamedTuple

import numpy as np

from fastnet.data import columns, tasks
from fastnet.data import samples as data
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.options.rules import (
    named_source,
    refuse_beside_table,
    refuse_of_tables,
    refuse_task_loss,
)


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
    """The Samples of a run: made again for a task, read again from its file, or `given` as (X, y).

    Raises
    ------
    UsageError
        when they cannot be had; why_none says why.
    DataError
        when those given are not the run's.
    """
    if given is None and why_none(result):
        raise UsageError(f"{why_none(result)}; give data=(X, y).")
    if given is None and result.task is None:
        made, scaling = read_again(*key(result)), result.scaling
        X = made.X.astype(float) * scaling.x_scale + scaling.x_shift
        Y = made.Y if made.classes is None else data.whole(made.Y)
        return Samples(X, Y * scaling.y_scale + scaling.y_shift, result.split)
    if given is None:
        given = task_data(result.task, result.options)[:2]
    X, y = result.model().inputs(given[0]), data.plain(given[1], "y")
    last = max(int(rows.max(initial=-1)) for rows in result.split.values())
    if not last < len(X) == len(y):
        raise DataError(
            f"data has {len(X)} rows of X and {len(y)} of y; the run had at least {last + 1}."
        )
    Y = data.encoded(y, result.loss, result.classes)
    return Samples(X, Y if result.classes is None else data.whole(Y), result.split)


def why_none(result):
    """Why the samples of a run cannot be had again, or None."""
    if result.task is not None:
        return None
    if result.options["data"] is None:
        return "the run folder does not hold the samples of your own data"
    try:
        made = read_again(*key(result))
    except FastnetError as error:
        return f"the run's data cannot be read again ({str(error).rstrip('.')})"
    if made.digest() != result.environment["data_sha256"]:
        return f"{result.options['data']} is no longer what the run was trained on (SHA-256)"
    return None


def key(result):
    """The options of a run as something that can be looked up, and when its files changed."""
    options = result.options
    names = [options[name] for name in ("data", "validation_data", "test_data")]
    times = tuple(os.stat(n).st_mtime_ns if n and os.path.exists(n) else None for n in names)
    return tuple(options.items()), times


@functools.lru_cache(maxsize=4)
def read_again(items, times):
    """The Data of the files that the options name; `times` only tells old files from new ones."""
    options = dict(items)
    given = {"class_weight": options["class_weight"]}
    return checked_data(None, None, None, options, given)


def task_data(task, options):
    """X, y and loss of a built-in task."""
    if task == 1:
        names = ("function", "samples", "noise", "data_seed")
        return *tasks.function_data(*(options[name] for name in names)), "squared"
    return *tasks.digits(), "cross_entropy"


def checked_task(task):
    """The task as an int, or None."""
    try:
        number = None if task is None else operator.index(task)
    except TypeError:
        number = 0
    if isinstance(task, bool) or number not in (None, 1, 2):
        raise UsageError(f"task must be 1 or 2, got {task!r}.")
    return number


def checked_data(X, y, task, options, given):
    """The Data of a run; `given` are those of SAMPLES."""
    source = named_source(X, y, task, options)
    refuse_of_tables(options, source)
    samples = {"X": X, "y": y, "loss": options["loss"]}
    if source == "a task":
        X, y, own = task_data(task, options)
        refuse_task_loss(task, own, options["loss"])
        samples = {"X": X, "y": y, "loss": own}
    elif source == "data":
        refuse_beside_table(given)
        samples = columns.load(options)
    names = ("validation_fraction", "test_fraction", "data_seed", "impute", "scale", "dtype")
    return data.make(**samples, **{name: options[name] for name in names}, **given)
