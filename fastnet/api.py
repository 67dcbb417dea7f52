"""The public functions train, sweep, dry_run, resume and load, which all front ends call."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from fastnet import job
from fastnet.data.examples import example
from fastnet.files import checked_path
from fastnet.job import Progress
from fastnet.options.arguments import (
    CLIENT,
    NEW_RUN,
    PROGRESS,
    REUSE,
    SAMPLE_NAMES,
    SAMPLES,
    TASK,
    XY,
)
from fastnet.options.rules import RESUMABLE, refuse_change
from fastnet.options.signatures import of_command, with_keywords
from fastnet.options.table import OPTIONS
from fastnet.results import collect
from fastnet.results.explain import explain
from fastnet.results.folder import default_folder
from fastnet.results.predictions import evaluate, load_model, predict
from fastnet.results.reading import read_json, read_options, refuse_part
from fastnet.results.result import Result

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from pandas import DataFrame

__all__ = [
    "Progress",
    "Result",
    "default_folder",
    "dry_run",
    "evaluate",
    "example",
    "explain",
    "inspect",
    "load",
    "load_model",
    "predict",
    "resume",
    "smallest",
    "sweep",
    "train",
]


@with_keywords((*XY, TASK, *SAMPLES, *NEW_RUN), of_command("train"), "train")
def train(X: ArrayLike | None = None, y: ArrayLike | None = None, **arguments: Any) -> Result:
    """Find one network: train all members, with stop="first" until one reaches the target.

    Parameters
    ----------
    {arguments}

    Returns
    -------
    Result
        All members with their histories and weights; `Result.best` is the winner's record.

    Raises
    ------
    UsageError
        for an option or shape that cannot be used.
    DataError
        for NaN, wrong labels, or nothing to train on.
    FastnetError
        for an `out` that exists or cannot be written.

    Other Parameters
    ----------------
    {of_options}

    {options}

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> x = np.linspace(-1, 1, 200)
    >>> result = fastnet.train(x, np.sin(np.pi * x), n1=[4, 8], learning_rate=0.3,
    ...                        max_epochs=3000, target_loss=1e-3, stop="first")
    >>> bool(result.best["train_loss"] <= 1e-3)
    True
    """
    return job.start("train", X, y, **arguments)


@with_keywords((*XY, TASK, *SAMPLES, *NEW_RUN), of_command("sweep"), "sweep")
def sweep(X: ArrayLike | None = None, y: ArrayLike | None = None, **arguments: Any) -> Result:
    """Train every member, one per combination of the axes' values, until it stops by itself.

    Parameters
    ----------
    {arguments}

    Returns
    -------
    Result
        All members with their histories and weights; `Result.by_n1` compares the widths.

    Raises
    ------
    UsageError
        for an option or shape that cannot be used.
    DataError
        for NaN, wrong labels, or nothing to train on.
    FastnetError
        for an `out` that exists or cannot be written.

    Other Parameters
    ----------------
    {of_options}

    {options}

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> x = np.linspace(-1, 1, 100)
    >>> result = fastnet.sweep(x, x**2, n1=[2, 4], seeds=3, learning_rate=0.3, max_epochs=50)
    >>> len(result.members)
    6
    >>> [row["n1"] for row in result.by_n1()]
    [2, 4]
    """
    return job.start("sweep", X, y, **arguments)


@with_keywords((*XY, TASK, *SAMPLES, *NEW_RUN), of_command("smallest"), "smallest")
def smallest(X: ArrayLike | None = None, y: ArrayLike | None = None, **arguments: Any) -> Result:
    """Find the smallest N1 that reaches the target in most seeds, with as many seeds as that takes.

    Widths are doubled until one is sufficient, then the gap below it is bisected. Each width gets
    seeds 0, 1, 2, ... in blocks until it is decided whether its success rate is at least
    `success_rate`. With probability `confidence` all decisions of a run are right, whenever it
    ends: the bounds come from a test by betting (Howard et al. 2021, Annals of Statistics 49(2)).

    Parameters
    ----------
    {arguments}

    Returns
    -------
    Result
        All members that were trained. `Result.by_n1` has each width's verdict and bounds,
        `Result.summary` the `smallest_n1`; `Result.best` is the best member of that width.

    Raises
    ------
    UsageError
        for an option or shape that cannot be used, for lists on other axes than n1, and without
        a target.
    DataError
        for NaN, wrong labels, or nothing to train on.
    FastnetError
        for an `out` that exists or cannot be written.

    Other Parameters
    ----------------
    {of_options}

    {options}

    Examples
    --------
    >>> import fastnet
    >>> result = fastnet.smallest(task=1, target_loss=1e-3)
    >>> result.summary()["smallest_n1"]
    4
    """
    return job.start("smallest", X, y, **arguments)


@with_keywords((*XY, TASK, *SAMPLES, REUSE), of_command("sweep"), "sweep")
def dry_run(
    command: str, X: ArrayLike | None = None, y: ArrayLike | None = None, **arguments: Any
) -> dict[str, Any]:
    """What a run would train: members, parameters, bytes of memory and disk, seconds.

    Memory covers weights, best weights, histories of max_epochs and the samples; disk is the
    largest size of the run folder. Seconds are estimated by training a few members for a moment,
    as if no member stopped before max_epochs; they do not include compilation.

    Parameters
    ----------
    command : {"train", "sweep", "smallest"}
        The run to try.
    {arguments}

    Returns
    -------
    dict
        description, notices, samples, inputs, outputs, members, n1, parameters, memory_bytes,
        disk_bytes, threads, seconds.

    Raises
    ------
    UsageError, DataError
        as `train` and `sweep` would.

    Other Parameters
    ----------------
    {of_options}

    {options}

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> x = np.linspace(-1, 1, 100)
    >>> facts = fastnet.dry_run("sweep", x, x**2, n1=[2, 4], seeds=3, max_epochs=50)
    >>> facts["members"], facts["parameters"]
    (6, 60)
    """
    return job.dry_run(command, X, y, **arguments)


@with_keywords((), of_command("inspect"), "train")
def inspect(data: str | os.PathLike[str] | DataFrame, **arguments: Any) -> dict[str, Any]:
    """A look at a table before training: columns, what training does with them, what is wrong.

    Parameters
    ----------
    data : path or DataFrame
        A file as `train` takes it, or a data frame.

    Returns
    -------
    dict
        table, rows, target, loss, inputs and sets (rows of train, val and test); columns, a dict
        of facts for each; problems (training refuses the table until they are solved), notices
        and remarks, in words. What needs a target without problems is None or empty otherwise.

    Raises
    ------
    UsageError
        for options that contradict each other.
    DataError
        for a file that cannot be read, and for columns that are not there.

    Other Parameters
    ----------------
    {of_options}

    {options}

    Examples
    --------
    >>> import pandas, fastnet
    >>> frame = pandas.DataFrame({"id": range(40), "size": [1.5, 2, 4, 9] * 10})
    >>> found = fastnet.inspect(frame.assign(price=frame["size"] ** 2), target="price")
    >>> found["rows"], [column["treatment"] for column in found["columns"]]
    (40, ['input', 'input', 'target (numbers)'])
    >>> found["remarks"][0]["message"]
    'Row counter: id. New rows have other numbers: leave it out with --exclude.'
    """
    return job.inspect(data, arguments)


@with_keywords((*XY, *SAMPLES, CLIENT, PROGRESS), [OPTIONS[name] for name in RESUMABLE], "sweep")
def resume(
    folder: str | os.PathLike[str],
    X: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    force: bool = False,
    **arguments: Any,
) -> Result:
    """Continue an interrupted run, to the bytes of an uninterrupted one; load a finished run.

    A run on arrays needs them again; a run on a task or table makes or reads its samples itself.

    Parameters
    ----------
    folder : path
        The run's folder.
    force : bool, default=False
        Accept different data, versions or processor; the bytes may then differ.
    {arguments}
    {options}

    Returns
    -------
    Result

    Raises
    ------
    UsageError
        for an option that a resumed run cannot change.
    FastnetError
        when data, versions or processor have changed; force=True accepts that.
    DataError
        when the folder is broken.
    """
    path = checked_path(folder, "folder")
    refuse_part(path)
    config = read_json(path, "config.json")
    of_call = (*SAMPLE_NAMES, CLIENT.name, PROGRESS.name)
    given = {name: value for name, value in arguments.items() if name not in of_call}
    refuse_change(given, read_options(path, config))
    changed = {n: value for n, value in arguments.items() if n in (*RESUMABLE, *of_call)}
    return job.go_on(path, config, X, y, force=force, **changed)


def load(folder: str | os.PathLike[str]) -> Result:
    """The Result in a finished run folder.

    Parameters
    ----------
    folder : path

    Returns
    -------
    Result

    Raises
    ------
    FastnetError
        when there is no such folder.
    DataError
        when it is unfinished or broken.
    """
    return collect.load(checked_path(folder, "folder"))
