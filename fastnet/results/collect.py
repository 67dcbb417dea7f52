"""Make the Result of a run from a Training, a run folder or a checkpoint."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data.checks import as_one_hot
from fastnet.data.samples import Data
from fastnet.data.split import SETS
from fastnet.engine.init import INITS, init_kinds
from fastnet.engine.layout import unpack
from fastnet.engine.records import RUNNING, TRAIN_LOSS, VAL_LOSS
from fastnet.errors import DataError
from fastnet.files import json_value, read_npz
from fastnet.options.methods import CONVERGED_BY, OPTIMIZERS, STOPS
from fastnet.results import answer, film
from fastnet.results.fitting import misfits_of_members, misfits_of_split, refuse, require_fit
from fastnet.results.intervals import Calibration, of_model
from fastnet.results.labels import thresholds_of_labels
from fastnet.results.lock import in_use
from fastnet.results.members import read_members
from fastnet.results.metrics import best_thresholds
from fastnet.results.model import Model
from fastnet.results.reading import (
    read_arrays,
    read_json,
    read_model,
    read_options,
    read_schema,
    refuse_part,
)
from fastnet.results.result import HISTORY, MEMBERS, RECORDED, SCORES, Result, packed_alone
from fastnet.results.rules import softmax
from fastnet.results.verdict import remarks_on_training, verdict
from fastnet.training.checkpoint import misfit, run_of
from fastnet.training.history import History, Snapshots, history_names, is_brief
from fastnet.training.plan import COLUMNS, Plan, has_optimizer, plan_of_blocks, plan_of_shape
from fastnet.training.search import is_searched, replayed
from fastnet.training.shards import shard_of
from fastnet.training.states import kept_by, states_in
from fastnet.training.training import Training

# ---------------------------------------------------------------- of a Training


def from_training(
    training: Training,
    data: Data,
    *,
    command: str,
    task: int | None,
    status: str,
    seconds: Mapping[str, float],
    environment: Mapping[str, Any],
    notices: Iterable[str] = (),
) -> Result:
    """The Result of a Training so far.

    Parameters
    ----------
    training : Training
    data : Data
        What it trains on.
    command, task, status, seconds, environment
        The fields of a Result.
    notices : iterable of str
        What is to be said about the run, beside the notices of the data.
    """
    members, options = members_table(training), training.options
    given = environment.get("initial_weights", False)
    members["init_kind"] = init_kinds(training.plan, given, data.training_rows)
    entries, record = entries_and_record(training.history.flat(training.pack.states))
    result = Result(
        command=command,
        task=task,
        options=options,
        schema=data.schema,
        members=members,
        status=status,
        seconds=seconds,
        best_member=answer.winner(members, options),
        packed={},
        entries=entries,
        recorded={"record": record, "snapshots": training.recorded()},
        split=data.divided(),
        environment=environment,
        notices=(*data.notices, *notices),
        states=training.states() if kept_by(options) else {},
    )
    result = judged(result, data, partial(packed_of, training))
    missing = film.missing(result, training.snapshots)
    return result._replace(notices=(*result.notices, *missing))


def judged(
    result: Result, data: Data, packed: Callable[[np.ndarray], Mapping[str, np.ndarray]]
) -> Result:
    """A Result with all that its best member's network is needed for, and the arrays it keeps.

    Parameters
    ----------
    result : Result
        Without weights, and with all snapshots that there are.
    data : Data
    packed : callable
        Gives the arrays of weights.npz for the numbers of some members.
    """
    best, options = result.best_member, result.options
    result = result._replace(packed=packed(np.array([best])))
    with np.errstate(all="ignore"):  # a member that diverged
        model, fold = result.model(), int(result.best["fold"])
        metrics, thresholds = metrics_by_set(model, data, fold), thresholds_of(model, data, fold)
        calibration = calibration_of(model, data, fold)
        folds = fold_scores(result, data, packed) if len(data.folds) > 1 else None
    found: tuple[str, ...] = ()
    if result.best["stop_reason"] != "diverged":
        same = result.members["optimizer"] == result.best["optimizer"]
        strengths = np.unique(result.members["l2"][same]).tolist()
        compared = strengths if options["prune_l2"] is not None else ()
        chosen = remarks_on_training(result.best, compared, int(data.train_counts()[fold]))
        method = answer.remarks_on_methods(result.members, best, options["optimizer_margin"])
        found = *method, *chosen, *verdict(metrics, data.targets, bool(data.folds))
    shots = result.recorded["snapshots"]
    if shots and "snapshots" not in options["record"]:
        shots = film.chosen_snapshots(result, shots)
    everyone = np.arange(len(result.members))
    kept = {"none": None, "best": np.array([best])}.get(options["keep"], everyone)
    return result._replace(
        packed={} if kept is None else packed(kept),
        recorded={**result.recorded, "snapshots": shots},
        metrics=metrics,
        thresholds=thresholds,
        calibration=calibration,
        folds=folds,
        notices=(*result.notices, *found),
    )


def fold_scores(
    result: Result, data: Data, packed: Callable[[np.ndarray], Mapping[str, np.ndarray]]
) -> dict[str, Any]:
    """Mean and standard deviation over the folds of the best member's setting.

    A fold's value is the mean over the seeds of the loss and the metrics on its validation rows.
    """
    members = answer.of_setting(result.members, result.best_member)
    result = result._replace(packed=packed(members))
    folds, rows = result.members["fold"][members], []
    for member, fold in zip(members.tolist(), folds.tolist()):
        model = result.model(member)
        found = model.metrics(*outputs_on(model, data, fold, "val"))
        rows.append({"loss": float(result.members["val_loss"][member]), **found})
    mean, sd = {}, {}
    for name in (name for name, value in rows[0].items() if not isinstance(value, dict)):
        values = np.array([row[name] for row in rows], float)
        means = [values[folds == fold].mean() for fold in np.unique(folds)]
        mean[name], sd[name] = json_value(np.mean(means)), json_value(np.std(means, ddof=1))
    return {"count": len(data.folds), "mean": mean, "sd": sd}


def packed_of(training: Training, members: np.ndarray) -> dict[str, np.ndarray]:
    """The best weights of some members, and the members' numbers."""
    return {**training.unpacked(training.pack.best, members), "members": members}


def entries_and_record(flat: dict[str, np.ndarray]) -> tuple[dict, dict]:
    """The arrays of a History as those of history.npz and those of record.npz."""
    names = (*HISTORY, "offsets")
    record = {name: array for name, array in flat.items() if name not in names}
    return {name: flat[name] for name in names}, record


def metrics_by_set(model: Model, data: Data, fold: int) -> dict[str, Any]:
    """The metrics of a model on each set of a Data; None if a set is empty."""
    parts = {name: outputs_on(model, data, fold, name) for name in SETS}
    return {name: None if part is None else model.metrics(*part) for name, part in parts.items()}


def thresholds_of(model: Model, data: Data, fold: int) -> dict[str, Any] | None:
    """A model's thresholds of two classes, or of several targets of two labels, chosen on the
    validation rows; None without them."""
    two = data.classes is not None and len(data.classes) == 2
    part = outputs_on(model, data, fold, "val") if two or data.labels else None
    if part is None:
        return None
    Z2, Y, weight = part
    if data.labels:
        return thresholds_of_labels(Y, Z2, weight, data.targets)
    return best_thresholds(as_one_hot(Y)[:, 1] == 1, softmax(Z2)[:, 1], weight)


def calibration_of(model: Model, data: Data, fold: int) -> Calibration | None:
    """A model's errors on the validation rows, which intervals are made from; None without them."""
    part = outputs_on(model, data, fold, "val")
    if part is None:
        return None
    Z2, Y, _ = part
    return of_model(model, Z2, Y if model.classes is None else as_one_hot(Y))


def outputs_on(
    model: Model, data: Data, fold: int, name: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """z2, targets and weights of the rows of a set that count; None if there are none."""
    rows = data.rows(name)
    if data.folds and name != "test":
        rows = data.folds[fold][name == "val"]
    rows = rows[data.weight[rows] > 0]
    if rows.size == 0:
        return None
    return model.forward(data.X, np.asarray, rows), data.Y[rows], data.weight[rows]


# ---------------------------------------------------------------- of a folder


def load(folder: str | os.PathLike) -> Result:
    """The Result in a finished run folder.

    Parameters
    ----------
    folder : path

    Raises
    ------
    FastnetError
        when the folder does not exist.
    DataError
        when it is unfinished, or its files are broken or do not fit together.

    Examples
    --------
    >>> import numpy as np, tempfile, fastnet
    >>> x = np.linspace(-1, 1, 50)
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     result = fastnet.train(x, x**2, n1=3, max_epochs=10, out=runs + "/parabola")
    ...     again = fastnet.load(runs + "/parabola")
    >>> bool((again.weights().W1 == result.weights().W1).all())
    True
    """
    path = Path(folder)
    refuse_part(path)
    config, saved = read_json(path, "config.json"), read_json(path, "summary.json")
    result = from_folder(path, config, saved)
    require_fit(result, saved)
    return result


def from_folder(path: Path, config: Mapping[str, Any], saved: Mapping[str, Any]) -> Result:
    """The Result of a run folder, from its files; `saved` is its summary.json."""
    best, facts = saved["best"]["member"], origin(path, config)
    members = read_members(path / "members.csv")
    refuse(path / "members.csv", misfits_of_members(members, saved["members"]))
    sizes = {"M": len(members), "M1": len(members) + 1, **facts["schema"].sizes()}
    return Result(
        **facts,
        members=members,
        status=saved["status"],
        seconds=saved["seconds"],
        best_member=best,
        packed=read_packed(path, facts["options"]["keep"], best, sizes),
        entries=read_arrays(path, "history.npz", sizes),
        recorded={
            name: read_arrays(path, f"{name}.npz", sizes) if there else {}
            for name, there in recorded_by(path, facts["options"]).items()
        },
        metrics=saved["best"]["metrics"],
        folds=saved["folds"],
        thresholds=saved["best"]["thresholds"],
        calibration=read_model(path).calibration if (path / "model.npz").is_file() else None,
        notices=tuple(saved["notices"]),
        states=read_arrays(path, "state.npz", {}) if kept_by(facts["options"]) else {},
    )


def recorded_by(path: Path, options: Mapping[str, Any]) -> dict[str, bool]:
    """Whether a run has record.npz and snapshots.npz; those for playback it may have."""
    asked = set(options["record"])
    there = "none" not in asked and (path / "snapshots.npz").is_file()
    return {
        "record": bool(asked & set(RECORDED)),
        "snapshots": "snapshots" in asked or there,
    }


def origin(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a Result that its folder holds before training."""
    return {
        "command": config["command"],
        "task": config["task"],
        "options": read_options(path, config),
        "schema": read_schema(path, config),
        "split": read_arrays(path, "split.npz", {}),
        "environment": read_json(path, "environment.json"),
        "run": str(path),
    }


def read_packed(path: Path, keep: str, best: int, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """The weights that a run folder holds: of all members, of the best one, or none."""
    if keep == "none":
        return {}
    if keep == "best":
        return {**packed_alone(read_model(path).weights), "members": np.array([best])}
    return read_arrays(path, "weights.npz", sizes)


# ---------------------------------------------------------------- of a checkpoint


def peek(path: str | Path) -> Result | None:
    """The Result of an unfinished run as of its last checkpoint, or None before the first.

    Its losses are those of the history; accuracies and test losses are not known yet.

    Raises
    ------
    DataError
        for a checkpoint that cannot be used.
    """
    path = Path(path)
    refuse_part(path)
    if not (path / "checkpoint.npz").is_file():
        return None
    config, saved = read_json(path, "config.json"), read_npz(path / "checkpoint.npz")
    return from_checkpoint(path, config, saved)


def from_checkpoint(
    path: Path, config: Mapping[str, Any], saved: Mapping[str, np.ndarray]
) -> Result:
    """The Result that a checkpoint holds; `saved` are its arrays."""
    facts = origin(path, config)
    options, split = facts["options"], facts["split"]
    shape = tuple(facts["schema"].sizes().values())
    refuse(path / "split.npz", misfits_of_split(split))
    masks = split.get("folds_train", np.ones((1, len(split["train"])), bool))
    counts = masks.sum(axis=1)
    plan = shard_of(plan_of_shape(options, facts["schema"].loss, *shape, counts), options)
    if is_searched(options):
        stops = stops_in(path / "checkpoint.npz", saved)
        plan = plan_of_blocks(options, plan, counts, replayed(options, stops)[1])
    validates = len(split["val"]) > 0 or "folds_val" in split
    history = History(plan.settings.size, history_names(options, validates), is_brief(options))
    wrong = misfit(saved, run_of(plan, options, history, len(split["train"])))
    if wrong:
        raise DataError(f"{path / 'checkpoint.npz'} is not of this run: {wrong}.")
    history.restore(saved)
    entries, record = entries_and_record(history.flat(saved["states"]))
    members = members_so_far(plan, saved, validates)
    if config.get("initial_weights"):
        members["init_kind"] = "given"
    elapsed = float(saved["progress"][2])
    snapshots = {n: saved[f"snapshot_{n}"] for n in Snapshots.ARRAYS if f"snapshot_{n}" in saved}
    return Result(
        **facts,
        members=members,
        status="running" if in_use(path) else "interrupted",
        seconds={"compile": 0.0, "train": elapsed, "total": elapsed},
        best_member=answer.winner(members, options),
        packed=unpack(saved["best"], plan.settings, *shape),
        entries=entries,
        recorded={"record": record, "snapshots": snapshots},
        states=states_in(saved),
    )


def stops_in(checkpoint: Path, saved: Mapping[str, np.ndarray]) -> list[str]:
    """Why each member of a checkpoint stopped; `saved` are its arrays, not checked yet.

    Raises
    ------
    DataError
        for arrays without states of members.
    """
    try:
        return stops_of(saved["states"]).tolist()
    except (KeyError, IndexError, ValueError) as error:
        raise DataError(f"{checkpoint} is not of this run: {error}.") from None


# ---------------------------------------------------------------- records of members


def stops_of(states: np.ndarray) -> np.ndarray:
    """Why each member stopped, by name."""
    return np.array(list(STOPS))[states["stop"]]


def settings_table(plan: Plan, states: np.ndarray) -> np.ndarray:
    """The record of every member without its scores and seconds, which are 0 here."""
    table = np.zeros(len(plan.columns), MEMBERS)
    table["member"] = np.arange(len(table))
    for name in COLUMNS.names:
        table[name] = plan.columns[name]
    table["fold"] = plan.settings["fold"]
    known = ~np.isin(table["init"], [name for name, row in INITS.items() if row.of_data])
    table["init_kind"][known] = table["init"][known]
    live = states["stop"] == 0
    table["stop_reason"] = stops_of(states)
    table["stop_reason"][live] = "interrupted"
    table["converged_by"] = np.array(CONVERGED_BY)[states["rule"]]
    counted = has_optimizer(table, [n for n, row in OPTIMIZERS.items() if row.own_l2])
    table["effective_parameters"] = np.where(counted, states["effective"], np.nan)
    table["status"] = np.where(live, "live", "done")
    table["epochs"] = np.maximum(states["last_epoch"], 0)
    table["best_epoch"] = np.maximum(states["best_epoch"], 0)
    return table


def members_table(training: Training) -> np.ndarray:
    """The record of every member of a Training, its best weights evaluated on every set."""
    table = settings_table(training.plan, training.pack.states)
    for name in SETS:
        table[f"{name}_loss"], table[f"{name}_accuracy"] = training.evaluate(name)
    table["seconds"] = training.seconds
    return table


def members_so_far(plan: Plan, saved: Mapping[str, np.ndarray], validates: bool) -> np.ndarray:
    """The records of all members, as far as a checkpoint has them."""
    states = saved["states"]
    table = settings_table(plan, states)
    table["seconds"] = saved["seconds"]
    table["stop_reason"][states["stop"] == RUNNING] = "running"
    for name in SCORES:
        table[name] = np.nan
    there, entry = states["best_epoch"] >= 0, states["best_entry"]
    table["train_loss"][there] = entry[there, TRAIN_LOSS]
    if validates:
        table["val_loss"][there] = entry[there, VAL_LOSS]
    return table
