"""Read and validate the files of a run folder; no code in them is executed.

Each file has a shape, beside the code that writes it: SHAPE in data/schema.py, environment.py and
result.py for JSON, MEMBERS for members.csv, ARRAYS here for npz. Whether the files fit each other
is in fitting.py.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data import schema
from fastnet.data.schema import Schema
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, FastnetError, UsageError, quoted
from fastnet.files import BEFORE_CONFIG, json_value, open_regular, read_npz
from fastnet.options.methods import ACTIVATIONS
from fastnet.options.option import COMMANDS
from fastnet.options.table import OPTIONS, check
from fastnet.results import environment, result
from fastnet.results.finding import runs_in
from fastnet.results.intervals import Calibration
from fastnet.results.lock import in_use
from fastnet.results.model import Model
from fastnet.results.result import SCHEMA_VERSION
from fastnet.results.rules import GOALS
from fastnet.shapes import ANYTHING, COUNT, FLAG, Absent, is_number, misfit, one_of
from fastnet.training import states

PARTS = "parts"  # the folder of the parts of a run that is too large for the memory
CONFIG = {
    "schema_version": COUNT,
    "command": one_of(COMMANDS),
    "task": one_of((1, 2, None)),
    **schema.SHAPE,
    "options": {str: ANYTHING},  # read_options() checks each
    "initial_weights": Absent(FLAG),
    "parts": Absent(COUNT),
}
SHAPES = {
    "config.json": CONFIG,
    "environment.json": environment.SHAPE,
    "summary.json": result.SHAPE,
}
# The arrays of each npz: kind of dtype, and the shape in letters. M members, M1 = M + 1, T the sum
# of their N1, E entries, F folds, S snapshots, U the sum of the snapshots' N1.
ARRAYS = {
    "split.npz": {
        "train": ("i", "train"),
        "val": ("i", "val"),
        "test": ("i", "test"),
        "folds_train": ("b", "F", "train"),
        "folds_val": ("b", "F", "train"),
    },
    "history.npz": {
        "epoch": ("i", "E"),
        "train_loss": ("f", "E"),
        "val_loss": ("f", "E"),
        "learning_rate": ("f", "E"),
        "offsets": ("i", "M1"),
    },
    "weights.npz": {
        "W1": ("f", "T", "d"),
        "b1": ("f", "T"),
        "W2": ("f", "T", "k"),
        "b2": ("f", "M", "k"),
        "offsets": ("i", "M1"),
    },
    "record.npz": {"gradient_norm": ("f", "E"), "clipped": ("f", "E")},
    "snapshots.npz": {
        "W1": ("f", "U", "d"),
        "b1": ("f", "U"),
        "W2": ("f", "U", "k"),
        "b2": ("f", "S", "k"),
        "n1": ("i", "S"),
        "member": ("i", "S"),
        "epoch": ("i", "S"),
    },
    "state.npz": states.ARRAYS,
}
# Arrays of runs with folds, or that --record named.
OPTIONAL = {"folds_train", "folds_val", "gradient_norm", "clipped"}
KINDS = {"i": "integers", "f": "floats", "b": "booleans", "V": "records"}

# ---------------------------------------------------------------- JSON


def read_json(path: Path, name: str, shape: Any = None) -> dict[str, Any]:
    """A JSON file of a run folder, checked against its shape.

    Parameters
    ----------
    path : Path
        The folder.
    name : str
        The file; config.json is refused if another program or another version of fastnet wrote it.
    shape : shape, optional
        Of a file that is not in a run folder.

    Raises
    ------
    FastnetError
        when the folder does not exist.
    DataError
        when the file cannot be read, or a value in it is not what it must be.
    """
    if not os.path.isdir(path):
        raise FastnetError(f"no run folder at {path}; `fastnet ls` lists the runs there are.")
    try:
        with open_regular(path / name, "r", links=True, encoding="utf-8") as file:
            value = json.load(file)
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except FileNotFoundError:
        raise DataError(reason_file_missing(path, name)) from None
    except RecursionError:
        raise DataError(f"{path / name} cannot be read (its values are nested too deep).") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path / name} cannot be read ({error}).") from None
    if name == "config.json":
        require_own_config(path, value)
    wrong = misfit(value, SHAPES.get(name, ANYTHING) if shape is None else shape)
    if wrong:
        raise DataError(f"{path / name} is broken or of another version: {wrong}.")
    return value


def reason_file_missing(path: Path, name: str) -> str:
    """Why a folder lacks a file, by how far the run came."""
    if name == "summary.json" and (path / "config.json").is_file():
        return f"{path} is unfinished (no summary.json); continue it with --resume {path}."
    if name == "config.json" and is_only_begun(path) and any(path.iterdir()):
        return (
            f"{path} is unfinished: it ended before its config.json was written; start it again "
            f"with --out {path} --force."
        )
    return f"{path} is not a run folder of fastnet: it has no {name}."


def is_only_begun(path: Path) -> bool:
    """Whether a folder holds nothing but what a run writes before its config.json."""
    own = {"lock", "config.json.part", *BEFORE_CONFIG, *(f"{name}.part" for name in BEFORE_CONFIG)}
    return path.is_dir() and {entry.name for entry in path.iterdir()} <= own


def require_own_config(path: Path, config: dict[str, Any]) -> None:
    """Raise a DataError for a config.json that another program or another version wrote."""
    if not {"schema_version", "command", "options"} <= set(config):
        raise DataError(f"{path} is not a run folder of fastnet: its config.json is not fastnet's.")
    require_version(path, config["schema_version"])


def require_version(path: Path, version: Any) -> None:
    """Raise a DataError for a file of another schema version."""
    if version != SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {version}; this fastnet reads {SCHEMA_VERSION}."
        )


def refuse_part(path: Path) -> None:
    """Raise a FastnetError for the folder of a part of a run: its options are those of the run, its
    members are not."""
    path = Path(os.path.abspath(path))
    run = path.parents[1] if path.parent.name == PARTS else None
    if run is not None and (run / "config.json").is_file() and (path / "config.json").is_file():
        raise FastnetError(
            f"{path} is a part of the run {run}, which is trained in parts and is not finished; "
            f"continue it with --resume {run}, and then name that run."
        )


def read_options(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a config.json, checked again; options that it lacks have their default."""
    given = {name: config["options"].get(name, OPTIONS[name].default) for name in OPTIONS}
    try:
        paired = given["zip"] is True
        return {name: check(name, value, paired=paired) for name, value in given.items()}
    except UsageError as error:
        raise DataError(f"{path / 'config.json'} has an option of a wrong value: {error}") from None


def read_schema(path: Path, config: Mapping[str, Any]) -> Schema:
    """The Schema in a config.json."""
    try:
        found = Schema.from_config(config)
    except (ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{path / 'config.json'} is broken: {error}.") from None
    wrong = next(found.misfits(), None)
    if wrong:
        raise DataError(f"{path / 'config.json'} is broken: {wrong}.")
    return found


# ---------------------------------------------------------------- arrays


def read_arrays(path: Path, name: str, sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """The arrays of an npz of a run folder, of the shapes in ARRAYS.

    Parameters
    ----------
    path : Path
        The folder.
    name : str
        The file.
    sizes : dict of int by letter
        The sizes that are known; those that the file decides are added.

    Raises
    ------
    DataError
        naming the array that is missing, unknown, or of another dtype or shape.
    """
    arrays, wanted = read_npz(path / name), ARRAYS[name]
    wrong = [f"it has no {quoted(n)}" for n in wanted if n not in arrays and n not in OPTIONAL]
    wrong += [f"it has the unknown array {quoted(n)}" for n in arrays if n not in wanted]
    wrong += misfits_of_shapes({n: arrays[n] for n in wanted if n in arrays}, wanted, sizes)
    if wrong:
        raise DataError(f"{path / name} is broken or of another version: {wrong[0]}.")
    return arrays


def misfits_of_shapes(
    arrays: Mapping[str, np.ndarray], wanted: Mapping[str, tuple[str, ...]], sizes: dict[str, int]
) -> list[str]:
    """The arrays of another dtype or shape, one text each; new sizes are added to `sizes`."""
    found = []
    for name, array in arrays.items():
        kind, *letters = wanted[name]
        if array.dtype.kind != kind:
            found.append(f"{name} has dtype {array.dtype}, not {KINDS[kind]}")
        if len(letters) == array.ndim:
            for letter, size in zip(letters, array.shape):
                sizes.setdefault(letter, size)
        if array.shape != tuple(sizes.get(letter) for letter in letters):
            shape = ", ".join(f"{letter} = {sizes.get(letter, 'any')}" for letter in letters)
            found.append(f"{name} has shape {array.shape}, not ({shape})")
    return found


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
        schema, chosen = Schema.from_arrays(arrays), arrays.get("thresholds")
        thresholds = None if chosen is None else thresholds_from(chosen, schema)
        errors = arrays.get("calibration")
        calibration = None if errors is None else Calibration(errors)
        model = Model(weights, str(arrays["activation"]), schema, thresholds, calibration)
    except KeyError as error:
        raise DataError(
            f"{path} is not a model of this version of fastnet: it has no {error}; train it again."
        ) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is broken: its columns cannot be read ({error}).") from None
    wrong = next(misfits_of_model(model), None)
    if wrong:
        raise DataError(f"{path} is broken: {wrong}.")
    return model


def thresholds_from(rows: np.ndarray, schema: Schema) -> dict[str, Any]:
    """The thresholds of a Model from their array; ValueError or TypeError if it is none."""
    if not schema.labels:
        return dict(zip(GOALS, rows.tolist(), strict=True))
    return {
        goal: dict(zip(schema.targets, map(json_value, row), strict=True))
        for goal, row in zip(GOALS, rows, strict=True)
    }


def misfits_of_model(model: Model) -> Iterator[str]:
    """The contradictions in a model.npz, one text each."""
    yield from model.schema.misfits_of_classes(model.weights.b2.size)
    yield from misfits_of_weights(model)
    yield from model.schema.misfits()
    yield from misfits_of_thresholds(model)
    yield from misfits_of_calibration(model)
    if model.activation not in ACTIVATIONS:
        yield f"it has the unknown activation {quoted(model.activation)}"


def misfits_of_weights(model: Model) -> Iterator[str]:
    """Weights whose shape does not fit the others, or that do not hold finite numbers."""
    weights, d = model.weights, len(model.features)
    k, n1 = weights.b2.size, weights.b1.size
    shapes = {"W1": (n1, d), "b1": (n1,), "W2": (k, n1), "b2": (k,)}
    for name, array in weights._asdict().items():
        if array.shape != shapes[name] or 0 in array.shape:
            sizes = f"d = {d} features, N1 = {n1} of b1, k = {k} of b2"
            yield f"{name} has shape {array.shape}, not {shapes[name]} ({sizes})"
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            yield f"{name} has values that are not finite numbers"
    if k != len(model.scaling.y_shift):
        yield f"b2 has {k} outputs, y_shift {len(model.scaling.y_shift)}"


def misfits_of_thresholds(model: Model) -> Iterator[str]:
    """Thresholds of a model without pairs of labels, or that are no probabilities."""
    two = bool(model.labels) or (model.classes is not None and len(model.classes) == 2)
    for name, found in (model.thresholds or {}).items():
        for value in found.values() if model.labels else [found]:
            missing = bool(model.labels) and value is None
            if not (missing or (two and is_number(value) and 0 <= value <= 1)):
                yield f"it has the threshold {value} for {name}"


def misfits_of_calibration(model: Model) -> Iterator[str]:
    """Errors on validation rows that are none, or not those of the model's outputs."""
    if model.calibration is None:
        return
    errors, k = model.calibration.errors, 1 if model.classes is not None else model.y_shift.size
    if errors.ndim != 2 or errors.shape[1] != k or len(errors) == 0 or model.labels:
        yield f"calibration has shape {errors.shape}, not (rows, {k})"
    elif errors.dtype.kind != "f" or not np.isfinite(errors).all() or (errors < 0).any():
        yield "calibration has values that are no errors"


# ---------------------------------------------------------------- all runs


def list_runs(folder: str | Path) -> list[dict[str, Any]]:
    """One dict of facts per run in a folder of runs, the newest last.

    Returns
    -------
    list of dict
        run, command, members, status, best, smallest_n1 and within (without a target, the smallest
        n1 that comes within a share of the best one); those that an unfinished or broken run does
        not know are None.
    """
    return [facts_of_run(run) for run in runs_in(Path(folder))]


def facts_of_run(run: Path) -> dict[str, Any]:
    """The facts of one run for the list."""
    try:
        summary = read_json(run, "summary.json")
        facts = {"run": str(run), **{k: summary[k] for k in ("command", "members", "status")}}
        facts["best"] = {k: summary["best"][k] for k in ("n1", "seed", "train_loss", "val_loss")}
        close = summary["within"] and {k: summary["within"][k] for k in ("n1", "within")}
        return {**facts, "smallest_n1": summary["smallest_n1"], "within": close}
    except FastnetError:
        facts = dict.fromkeys(("command", "members", "best", "smallest_n1", "within"))
        broken = (run / "summary.json").exists()
        status = "broken" if broken else "running" if in_use(run) else "interrupted"
        return {**facts, "run": str(run), "status": status}
