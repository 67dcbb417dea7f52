"""Whether the files of a run folder fit each other.

The npz files have a checksum of every array; config.json, members.csv and summary.json have none.
A changed digit in them is found where another file says the same.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data.split import SETS
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, UsageError
from fastnet.options.table import AXES
from fastnet.results.model import Model
from fastnet.results.result import Result, member_dict
from fastnet.results.rules import GOALS
from fastnet.shapes import NUMBER, Maybe, misfit, shape_like
from fastnet.training.plan import COLUMNS, columns_of_members, options_of_block, plan_of_shape
from fastnet.training.search import is_searched, replayed
from fastnet.training.shards import shard_of
from fastnet.training.states import misfits_of_states

Arrays = Mapping[str, np.ndarray]
# Values of options that stand for what fastnet chooses: another version may have chosen otherwise.
CHOSEN = {"learning_rate": None, "decay_epochs": None, "init": "auto"}


def require_fit(result: Result, saved: Mapping[str, Any]) -> None:
    """Raise a DataError for the first file that contradicts another.

    Parameters
    ----------
    result : Result
        As read from the files.
    saved : dict
        summary.json.
    """
    members = result.members
    checks = (
        ("members.csv", misfits_of_settings(result)),
        ("split.npz", misfits_of_split(result.split)),
        ("history.npz", misfits_of_history(result.entries, members)),
        (file_of_weights(result), misfits_of_weights(result.packed, members)),
        ("snapshots.npz", misfits_of_snapshots(result.recorded["snapshots"], members)),
        ("state.npz", misfits_of_states(result.states, members)),
        ("summary.json", misfits_of_summary(result, saved)),
    )
    for name, found in checks:
        refuse(Path(result.run) / name, found)


def refuse(path: Path, found: Iterator[str]) -> None:
    """Raise a DataError for the first contradiction that was found in a file."""
    wrong = next(found, None)
    if wrong:
        raise DataError(f"{path} does not fit the other files: {wrong}.")


def misfits_of_members(members: np.ndarray, count: int) -> Iterator[str]:
    """Rows that are missing, out of order, or have numbers that cannot be."""
    if len(members) != count or count == 0:
        yield f"it has {len(members)} members, summary.json {count}"
    elif (members["member"] != np.arange(count)).any():
        yield "its members are not numbered 0, 1, 2, ..."
    elif members["fold"].min() < 0:
        yield f"fold has {members['fold'].min()}"
    elif (members["best_epoch"] < 0).any() or (members["best_epoch"] > members["epochs"]).any():
        yield "best_epoch is not between 0 and epochs"
    elif not (np.isfinite(members["seconds"]) & (members["seconds"] >= 0)).all():
        yield "seconds has values that are no times"


def misfits_of_settings(result: Result) -> Iterator[str]:
    """Settings that the options of config.json do not make."""
    count, sweeps = len(result.members), sweeps_of(result)
    made = len(folds_of(result)) * sum(members_of_options(options) for options in sweeps)
    if made != count and result.options["shard"] is None:
        yield f"the options make {made} members, it has {count}"
        return
    try:
        columns, folds = made_by_options(result, sweeps)
    except UsageError as error:
        path = Path(result.run) / "config.json"
        raise DataError(f"{path} has options that do not go together: {error}") from None
    if len(columns) != count:
        yield f"the options make {len(columns)} members, it has {count}"
        return
    if (result.members["fold"] != folds).any():
        yield "fold is not the one that the options make"
    chosen = {n for n, value in CHOSEN.items() if any(value in options[n] for options in sweeps)}
    for name in COLUMNS.names:
        if name in chosen:
            continue
        wrong = np.flatnonzero(result.members[name] != columns[name])
        if wrong.size:
            yield f"{name} of member {wrong[0]} is not the one that the options make"


def made_by_options(
    result: Result, sweeps: list[Mapping[str, Any]]
) -> tuple[np.ndarray, np.ndarray]:
    """The settings of the members that the options make, and their folds."""
    shape, options = result.schema.sizes().values(), result.options
    if options["shard"] is not None:
        plan = shard_of(plan_of_shape(options, result.loss, *shape, folds_of(result)), options)
        return plan.columns, plan.settings["fold"]
    parts = [columns_of_members(options, result.loss, *shape) for options in sweeps]
    columns, folds = np.concatenate(parts), len(folds_of(result))
    columns = columns if folds == 1 else np.repeat(columns, folds)
    return columns, np.arange(len(columns)) % folds


def folds_of(result: Result) -> np.ndarray:
    """The rows to train on in each fold."""
    rows = len(result.split["train"])
    return result.split.get("folds_train", np.ones((1, rows), bool)).sum(axis=1)


def sweeps_of(result: Result) -> list[Mapping[str, Any]]:
    """The options of the sweeps whose members a run has: one, or one for each block of a search."""
    options = result.options
    if not is_searched(options):
        return [options]
    _, blocks = replayed(options, result.members["stop_reason"].tolist())
    return [options_of_block(options, block) for block in blocks]


def members_of_options(options: Mapping[str, Any]) -> int:
    """The number of members of a fold, without making them."""
    lengths = [len(options[name]) for name in AXES]
    return max(lengths) if options["zip"] else math.prod(lengths)


def misfits_of_split(split: Arrays) -> Iterator[str]:
    """Rows that are in several sets, or that there cannot be."""
    rows = np.sort(np.concatenate([split[name] for name in SETS]))
    if (rows[:1] < 0).any() or (np.diff(rows) == 0).any():
        yield "it has a row below 0 or a row twice"
    folds = [split[name] for name in ("folds_train", "folds_val") if name in split]
    if len(folds) == 1 or any(len(masks) == 0 for masks in folds):
        yield "it has folds that are none"


def misfits_of_history(entries: Arrays, members: np.ndarray) -> Iterator[str]:
    """Entries that are not those of the members, or without their last and best epochs."""
    offsets, epoch = entries["offsets"], entries["epoch"]
    if not are_runs(offsets, len(epoch)):
        yield "its offsets are not those of its entries"
        return
    lengths, there = np.diff(offsets), np.diff(offsets) > 0
    inside = np.ones(len(epoch), bool)
    inside[offsets[:-1][there]] = False
    if (np.diff(epoch, prepend=0)[inside] <= 0).any() or (epoch < 0).any():
        yield "its epochs do not rise"
    elif (epoch[offsets[1:][there] - 1] != members["epochs"][there]).any():
        yield "its last epochs are not those of members.csv"
    else:
        owner = np.repeat(np.arange(len(members)), lengths)
        best = np.bincount(owner, epoch == members["best_epoch"][owner], len(members))
        if (best[there] != 1).any():
            yield "it lacks the best epoch of members.csv"


def are_runs(offsets: np.ndarray, length: int) -> bool:
    """Whether offsets cut an array of this length into runs, one after another."""
    return offsets[0] == 0 and offsets[-1] == length and bool((np.diff(offsets) >= 0).all())


def file_of_weights(result: Result) -> str:
    """The file that the weights of a Result come from."""
    return "model.npz" if "members" in result.packed else "weights.npz"


def misfits_of_weights(packed: Arrays, members: np.ndarray) -> Iterator[str]:
    """Weights of other widths than the members', or that are not finite."""
    if not packed:
        return
    offsets = packed["offsets"]
    n1 = members["n1"][packed.get("members", slice(None))]
    if not are_runs(offsets, len(packed["b1"])) or (np.diff(offsets) != n1).any():
        yield "its offsets are not those of the members' n1"
    for name in ("W1", "b1", "W2", "b2"):
        if not np.isfinite(packed[name]).all():
            yield f"{name} has values that are not finite"


def misfits_of_snapshots(snapshots: Arrays, members: np.ndarray) -> Iterator[str]:
    """Snapshots of members, widths or epochs that there are not."""
    if not snapshots:
        return
    member, n1 = snapshots["member"], snapshots["n1"]
    if ((member < 0) | (member >= len(members))).any():
        yield "it names members that there are not"
    elif (members["n1"][member] != n1).any() or n1.sum() != len(snapshots["b1"]):
        yield "n1 is not the members' n1"
    elif ((snapshots["epoch"] < 0) | (snapshots["epoch"] > members["epochs"][member])).any():
        yield "epoch is beyond the members' epochs"


def misfits_of_summary(result: Result, saved: Mapping[str, Any]) -> Iterator[str]:
    """Numbers of the best member, or of the stops, that are not those of members.csv."""
    best = saved["best"]["member"]
    if best is None or best >= len(result.members):
        yield f"best.member is {best}, which there is not"
        return
    for name, value in member_dict(result.members[best]).items():
        if saved["best"][name] != value:
            yield f"best.{name} is {saved['best'][name]}, in members.csv {value}"
    reasons, counts = np.unique(result.members["stop_reason"], return_counts=True)
    if saved["stop_reasons"] != dict(zip(reasons.tolist(), counts.tolist())):
        yield "stop_reasons are not those of members.csv"
    if saved["command"] != result.command:
        yield f"command is {saved['command']}, in config.json {result.command}"
    wrong = misfit(saved["best"]["metrics"], Maybe(shape_of_metrics(result)), "best.metrics")
    if wrong:
        yield wrong
    wrong = misfit(saved["best"]["thresholds"], shape_of_thresholds(result), "best.thresholds")
    if wrong:
        yield wrong
    folds = saved["folds"]
    if folds and ("folds_train" not in result.split or set(folds["mean"]) != set(folds["sd"])):
        yield "folds are not those of split.npz, or differ in their names"


def shape_of_thresholds(result: Result) -> Any:
    """The shape of the thresholds of the best member."""
    if not result.labels:
        return Maybe(dict.fromkeys(GOALS, NUMBER))
    return Maybe(dict.fromkeys(GOALS, dict.fromkeys(result.targets, Maybe(NUMBER))))


def shape_of_metrics(result: Result) -> dict[str, Any]:
    """The shape of the metrics of the best member, from those of a row that is made up."""
    k, classes = len(result.scaling.y_shift), result.classes
    width = k if classes is None else len(classes)
    model = Model(Weights(*[np.zeros(0)] * 4), "identity", result.schema)
    found = shape_like(model.metrics(np.zeros((1, width)), np.eye(1, k), np.ones(1)))
    return {"train": found, "val": Maybe(found), "test": Maybe(found)}
