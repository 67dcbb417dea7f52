"""Read and validate the files of a run folder; no code in them is executed."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data.schema import Schema
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.files import read_npz
from fastnet.options.methods import ACTIVATIONS, CLASSIFIERS, LOSSES, SIGMOID
from fastnet.options.table import OPTIONS, check
from fastnet.results.lock import in_use
from fastnet.results.metrics import GOALS
from fastnet.results.model import Model
from fastnet.results.result import MEMBERS, SCHEMA_VERSION, Entries, Result
from fastnet.training.plan import OFF

# ---------------------------------------------------------------- JSON


def read_json(path: Path, name: str) -> dict[str, Any]:
    """A JSON file of a run folder.

    Parameters
    ----------
    path : Path
        The folder.
    name : str
        The file; config.json is refused if another program or another version of fastnet wrote it.

    Raises
    ------
    FastnetError
        when the folder does not exist.
    DataError
        when the file cannot be read.
    """
    if not path.is_dir():
        raise FastnetError(f"no run folder at {path}; `fastnet ls` lists the runs there are.")
    try:
        value = json.loads((path / name).read_text())
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        raise DataError(reason_file_missing(path, name)) from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path / name} cannot be read ({error}).") from None
    return checked_config(path, value) if name == "config.json" else value


def reason_file_missing(path: Path, name: str) -> str:
    """Why a folder lacks a file, by how far the run came."""
    if name == "summary.json" and (path / "config.json").is_file():
        return f"{path} is unfinished (no summary.json); continue it with --resume {path}."
    if name == "config.json" and (path / "lock").exists():
        return f"{path} is unfinished: it ended before its config.json was written; remove it."
    return f"{path} is not a run folder of fastnet: it has no {name}."


def checked_config(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """A config.json, refused if another program or another version of fastnet wrote it."""
    if not {"schema_version", "command", "options"} <= set(config):
        raise DataError(f"{path} is not a run folder of fastnet: its config.json is not fastnet's.")
    require_version(path, config["schema_version"])
    return config


def require_version(path: Path, version: Any) -> None:
    """Raise a DataError for a file of another schema version."""
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {version}; this fastnet reads {SCHEMA_VERSION}."
        )


def read_options(config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a config.json, checked again; options that it lacks have their default."""
    try:
        given = {name: config["options"].get(name, OPTIONS[name].default) for name in OPTIONS}
        paired = given["zip"] is True
        return {name: check(name, value, paired=paired) for name, value in given.items()}
    except (UsageError, KeyError, AttributeError) as error:
        raise DataError(f"config.json has no options that can be used: {error}.") from None


# ---------------------------------------------------------------- members and arrays


def read_members(path: Path) -> np.ndarray:
    """The structured array in a members.csv."""
    try:
        with open(path, newline="") as file:
            header, *lines = csv.reader(file)
        if tuple(header) != MEMBERS.names:
            odd = sorted(set(header) ^ set(MEMBERS.names))
            raise ValueError(f"columns missing, unknown or in another order: {', '.join(odd)}")
        members = np.zeros(len(lines), MEMBERS)
        for name, values in zip(header, zip(*lines, strict=True), strict=True):
            off = OFF.get(name, "" if MEMBERS[name].kind == "U" else np.nan)
            members[name] = [off if value == "" else value for value in values]
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}).") from None
    return members


def read_npz_if_there(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an npz that a run may lack."""
    return read_npz(path) if path.exists() else {}


def first_misfit(result: Result, saved: Mapping[str, Any]) -> str | None:
    """The first file of a run that does not fit the others, or None if all fit.

    Parameters
    ----------
    result : Result
        As read from the files.
    saved : dict
        summary.json.
    """
    count = len(result.members)
    if count != saved["members"] or not 0 <= result.best_member < count:
        return "members.csv"
    if not runs_fit(result.entries, Entries._fields, count):
        return "history.npz"
    packed = result.packed
    if not packed:
        return None
    n1 = result.members["n1"][packed.get("members", slice(None))]
    fits = runs_fit(packed, ("W1", "b1", "W2"), len(n1)) and len(packed["b2"]) == len(n1)
    if fits and (np.diff(packed["offsets"]) == n1).all():
        return None
    return "model.npz" if "members" in packed else "weights.npz"


def runs_fit(arrays: Mapping[str, np.ndarray], names: tuple[str, ...], count: int) -> bool:
    """Whether `count` runs of rows lie one after another in the named arrays."""
    offsets = arrays["offsets"]
    return len(offsets) == count + 1 and all(len(arrays[name]) == offsets[-1] for name in names)


# ---------------------------------------------------------------- models


def read_model(path: str | Path) -> Model:
    """The Model in a model.npz, or the best one of a run folder.

    Parameters
    ----------
    path : path
        A model.npz under any name, or a folder that holds one.

    Raises
    ------
    DataError
        when the file is missing, broken, or not a model of fastnet.
    """
    path = Path(path)
    arrays = read_npz(path / "model.npz" if path.is_dir() else path)
    try:
        require_version(path, arrays["schema_version"])
        weights = Weights(*(arrays[name] for name in Weights._fields))
        chosen = arrays.get("thresholds")
        thresholds = None if chosen is None else dict(zip(GOALS, chosen.tolist(), strict=True))
        activation = str(arrays["activation"])
        model = Model(weights, activation, Schema.from_arrays(arrays), thresholds)
    except KeyError as error:
        raise DataError(f"{path} is not a model of fastnet: it has no {error}.") from None
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is broken: its columns cannot be read ({error}).") from None
    wrong = next(misfits_of_model(model), None)
    if wrong:
        raise DataError(f"{path} is broken: {wrong}.")
    return model


def misfits_of_model(model: Model) -> Iterator[str]:
    """The contradictions in a model.npz, one text each."""
    yield from misfits_of_classes(model)
    yield from misfits_of_arrays(model)
    if model.activation not in ACTIVATIONS:
        yield f"it has the unknown activation {model.activation!r}"
    inputs = sum(len(column.inputs()) for column in model.columns)
    if model.columns and inputs != len(model.features):
        yield f"its columns make {inputs} inputs, its features name {len(model.features)}"


def misfits_of_arrays(model: Model) -> Iterator[str]:
    """Arrays whose shape does not fit the others, or that do not hold numbers."""
    weights, d = model.weights, len(model.features)
    k, n1 = weights.b2.size, weights.b1.size
    shapes = {"W1": (n1, d), "b1": (n1,), "W2": (k, n1), "b2": (k,)}
    shapes |= {"x_shift": (d,), "x_scale": (d,), "y_shift": (k,), "y_scale": (k,)}
    means = k if model.classes is None else len(model.classes)
    shapes |= {"x_low": (d,), "x_high": (d,), "y_mean": (means,)}
    arrays = {**weights._asdict(), **model.scaling._asdict(), **model.ranges._asdict()}
    for name, array in arrays.items():
        if array.shape != shapes[name]:
            sizes = f"d = {d} features, N1 = {n1} of b1, k = {k} of b2"
            yield f"{name} has shape {array.shape}, not {shapes[name]} ({sizes})"
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            yield f"{name} has values that are not finite numbers"


def misfits_of_classes(model: Model) -> Iterator[str]:
    """A loss that is unknown, or that does not fit the classes and outputs."""
    loss, classes, k = model.loss, model.classes, model.weights.b2.size
    if loss not in LOSSES:
        yield f"it has the unknown loss {loss!r}"
    elif loss not in CLASSIFIERS:
        if classes is not None:
            yield f"it has classes, and loss {loss} has none"
    elif classes is None:
        yield f"it has no classes, and loss {loss} needs them"
    elif classes.shape != (max(k, 2),):
        yield f"its classes have shape {classes.shape}, its outputs need {(max(k, 2),)}"
    elif LOSSES[loss].link == SIGMOID and k != 1:
        yield f"loss {loss} has 1 output, not {k}"
    for name, value in (model.thresholds or {}).items():
        if classes is None or len(classes) != 2 or not 0 <= value <= 1:
            yield f"it has the threshold {value} for {name}"


# ---------------------------------------------------------------- all runs


def list_runs(folder: str | Path) -> list[dict[str, Any]]:
    """One dict of facts per run in a folder of runs, the newest last.

    Returns
    -------
    list of dict
        run, command, members, status, best and smallest_n1; those that an unfinished or broken
        run does not know are None.
    """
    paths = sorted(Path(folder).glob("*/config.json"), key=lambda p: p.stat().st_mtime)
    return [facts_of_run(path.parent) for path in paths]


def facts_of_run(run: Path) -> dict[str, Any]:
    """The facts of one run for the list."""
    try:
        summary = read_json(run, "summary.json")
        facts = {"run": str(run), **{k: summary[k] for k in ("command", "members", "status")}}
        facts["best"] = {k: summary["best"][k] for k in ("n1", "seed", "train_loss", "val_loss")}
        return {**facts, "smallest_n1": summary["smallest_n1"]}
    except (FastnetError, KeyError, TypeError):
        facts = dict.fromkeys(("run", "command", "members", "status", "best", "smallest_n1"))
        broken = (run / "summary.json").exists()
        status = "broken" if broken else "running" if in_use(run) else "unfinished"
        return {**facts, "run": str(run), "status": status}
