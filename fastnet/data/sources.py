"""From a task, arrays or the files that options name to the Data of a run, now and later.

Figures draw a network over the samples of its run: `run_samples` makes or reads them again.
"""

import functools
import operator
import os
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.data import tasks
from fastnet.data.checks import as_array, as_one_hot, checked_sample_weights, encoded_targets
from fastnet.data.joining import join_files, samples_of
from fastnet.data.looks import all_problems
from fastnet.data.remarks import of_size, sentences
from fastnet.data.samples import Data, make_data
from fastnet.data.split import FEW_ROWS, SETS
from fastnet.errors import DataError, FastnetError, UsageError, quoted
from fastnet.options.rules import (
    named_source,
    refuse_beside_table,
    refuse_no_target,
    refuse_of_tables,
    refuse_splits,
    refuse_task_loss,
)

# Options of every kind of data.
PREPARATION = (
    "validation_fraction",
    "test_fraction",
    "data_seed",
    "folds",
    "fold_repeats",
    "impute",
    "scale",
    "dtype",
)


# ---------------------------------------------------------------- the Data of a run


def checked_data(
    X: Any,
    y: Any,
    task: int | None,
    options: Mapping[str, Any],
    given: Mapping[str, Any],
    assumed: Collection[str] = (),
) -> Data:
    """The Data of a run.

    Parameters
    ----------
    X, y : array or None
        The user's own samples.
    task : int or None
        A built-in task instead of X and y.
    options : dict
        Every option as resolved; `data` names a table instead of both.
    given : dict
        validation, test, sample_weight, class_weight, group, order and folds, as far as given.
    assumed : collection of str
        Options that nobody gave. A share of the rows that nobody asked for is not held out of a
        small table.

    Raises
    ------
    UsageError
        for no source of samples or several, and for options of another source.
    DataError
        for samples that cannot be used.
    """
    source = named_source(X, y, task, options)
    refuse_of_tables(options, source)
    refuse_splits(options, given)
    if source == "data":
        samples = table_samples(options, given)
    elif source == "a task":
        samples = task_samples(task, options)
    else:
        samples = {"X": X, "y": y, "loss": options["loss"]}
    if source == "data":
        data = data_of_table(samples, options, given, assumed)
        return data._replace(notices=(*data.notices, *sentences(of_size(data, options))))
    data = make_data(**{**samples, **prepared(options), **given})
    if X is not None and options["impute"] == options["scale"] == "none":
        # X may be the caller's array, who may change it while the run trains, before the metrics
        # of the result are computed. All else is a copy already.
        data = data._replace(X=np.array(data.X, order="K"))
    return data


def prepared(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of every kind of data, as arguments of make_data."""
    return {name: options[name] for name in PREPARATION}


def data_of_table(
    samples: Mapping[str, Any],
    options: Mapping[str, Any],
    given: Mapping[str, Any],
    assumed: Collection[str],
) -> Data:
    """The Data of a table's samples; see checked_data."""
    spared = spared_rows(samples, options, assumed)
    return make_data(**{**samples, **prepared(options), **spared, **given})


def spared_rows(
    samples: Mapping[str, Any], options: Mapping[str, Any], assumed: Collection[str]
) -> dict[str, Any]:
    """For a small table, the arguments that hold out no validation rows, with a notice."""
    named, asked = samples["split"], options["group"] or options["order"] or options["folds"]
    n = len(samples["X"]) - sum(len(rows) for rows in named.values())
    if n >= FEW_ROWS or asked or len(named.get("val", ())):
        return {}
    fraction = options["validation_fraction"]
    if fraction and "validation_fraction" not in assumed:
        return {}
    notice = (
        f"None of {n} rows are held out for validation, since they are fewer than {FEW_ROWS}: the "
        "training loss alone decides; --validation-fraction holds some out."
    )
    return {"validation_fraction": 0.0, "notices": (*samples["notices"], notice)}


def checked_task(task: Any) -> int | None:
    """The task as an int, or None; anything but 1 and 2 is refused."""
    try:
        number = None if task is None else operator.index(task)
    except TypeError:
        number = 0
    if isinstance(task, bool) or number not in (None, 1, 2):
        raise UsageError(f"task must be 1 or 2, got {quoted(task)}.")
    return number


def task_data(task: int, options: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, str]:
    """X, y and loss of a built-in task."""
    if task == 1:
        names = ("function", "samples", "noise", "data_seed")
        return *tasks.function_data(*(options[name] for name in names)), "squared"
    return *tasks.digits(), "cross_entropy"


def task_samples(task: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of make_data for a built-in task; another loss than the task's is refused."""
    X, y, loss = task_data(task, options)
    refuse_task_loss(task, loss, options["loss"])
    return {"X": X, "y": y, "loss": loss}


def table_samples(options: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of make_data for the files that the options name."""
    refuse_beside_table(given)
    refuse_no_target(options)
    joined = join_files(options)
    try:
        return samples_of(joined)[0]
    except DataError as error:  # columns that are gone by now have no problem
        raise all_problems(error, joined) from None


# ---------------------------------------------------------------- the same samples again


class Samples(NamedTuple):
    """The samples that a run trained on, in the units of the data.

    Attributes
    ----------
    X : ndarray of shape (n, d)
    Y : ndarray of shape (n, k)
        Numbers, or one-hot classes.
    split : dict of ndarray
        Row numbers of "train", "val" and "test".
    weight : ndarray of shape (n,)
        Weights of the rows, as `--weights` names them; 1 for those of arrays and tasks.
    """

    X: np.ndarray
    Y: np.ndarray
    split: Mapping[str, np.ndarray]
    weight: np.ndarray

    def subset(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """X and Y of the set train, val or test."""
        rows = self.split[name]
        return self.X[rows], self.Y[rows]

    def weighted(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X, Y and weight of the rows of a set that count: those of weight 0 do not."""
        rows = self.split[name]
        rows = rows[self.weight[rows] > 0]
        return self.X[rows], self.Y[rows], self.weight[rows]


def run_samples(result: Any, given: tuple | None = None) -> Samples:
    """The Samples of a run: made again from its task, read again from its file, or `given`.

    Parameters
    ----------
    result : Result
    given : (X, y) or (X, y, sample_weight), optional
        The arrays that the run was given.

    Raises
    ------
    UsageError
        when they are not available; `reason_samples_missing` says why.
    DataError
        when the given arrays are not the run's.
    """
    if given is not None:
        return samples_of_arrays(result, *given)
    reason = reason_samples_missing(result)
    if reason:
        raise UsageError(f"{reason}; give data=(X, y).")
    if result.task is None:
        return samples_of_data(read_again(*key_of_files(result)), result)
    X, y, _ = task_data(result.task, result.options)
    return samples_of_arrays(result, X, y)


def samples_of_data(data: Data, result: Any) -> Samples:
    """The Samples of a Data that was made again, with its scaling undone."""
    if any(not np.array_equal(result.split[name], rows) for name, rows in data.split.items()):
        raise DataError("split.npz of the run is not the split of its data.")
    scaling = result.scaling
    X = data.X.astype(float) * scaling.x_scale + scaling.x_shift
    Y = data.Y if data.classes is None else as_one_hot(data.Y)
    return Samples(X, Y * scaling.y_scale + scaling.y_shift, result.split, data.weight)


def samples_of_arrays(result: Any, X: Any, y: Any, sample_weight: Any = None) -> Samples:
    """The Samples of the arrays that a run was given."""
    X, y = result.model().inputs(X), as_array(y, "y")
    last = max(int(result.split[name].max(initial=-1)) for name in SETS)
    if not last < len(X) == len(y):
        raise DataError(
            f"data has {len(X)} rows of X and {len(y)} of y; the run had at least {last + 1}."
        )
    Y = encoded_targets(y, result.loss, result.classes)
    Y = Y if result.classes is None else as_one_hot(Y)
    return Samples(X, Y, result.split, checked_sample_weights(sample_weight, len(X)))


def reason_samples_missing(result: Any) -> str | None:
    """Why the samples of a run are not available, or None if they are."""
    if result.task is not None:
        return None
    if result.options["data"] is None:
        return "the run folder does not hold the samples of your own data"
    try:
        data = read_again(*key_of_files(result))
    except FastnetError as error:
        return f"the run's data cannot be read again ({str(error).rstrip('.')})"
    if data.digest() != result.environment["data_sha256"]:
        return f"{result.options['data']} is no longer what the run was trained on (SHA-256)"
    return None


def key_of_files(result: Any) -> tuple:
    """The options of a run as something hashable, and when its files changed."""
    options = result.options
    names = [options[name] for name in ("data", "validation_data", "test_data")]
    times = tuple(os.stat(n).st_mtime_ns if n and os.path.exists(n) else None for n in names)
    return tuple(options.items()), times


@functools.lru_cache(maxsize=4)
def read_again(items: tuple, times: tuple) -> Data:
    """The Data of the files that the options name; `times` tells old files from new."""
    options = dict(items)
    given = {"class_weight": options["class_weight"]}
    return checked_data(None, None, None, options, given)
