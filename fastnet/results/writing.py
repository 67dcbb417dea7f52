"""The files of a finished run: its members, arrays and model."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data.schema import Schema
from fastnet.engine.layout import Weights
from fastnet.files import WriteError, write_bytes, write_npy, write_npz
from fastnet.results.members import write_members
from fastnet.results.model import Model
from fastnet.results.result import SCHEMA_VERSION, Result
from fastnet.results.rules import GOALS

# Lines of best/README.txt.
CUT = b"""\
Inputs are cut at x_least and x_most of ../model.npz before anything else.
"""
SCALED = b"""\
The network of these weights was trained on scaled data. Scale the inputs by (x - x_shift) / x_scale
first, and its outputs by z2 * y_scale + y_shift; the four arrays are in ../model.npz.
"""
RAW = b"""\
The weights in raw/ hold the scaling: they take the inputs as they are in the data, and their
outputs have the units of the targets.
"""


def run_config(
    command: str, task: int | None, schema: Schema, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of config.json; tuples become lists."""
    lists = {name: list(v) if isinstance(v, tuple) else v for name, v in options.items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "task": task,
        **schema.to_config(),
        "options": lists,
    }


def write_result(path: Path, result: Result) -> None:
    """Write members.csv, the npz files, best/ and model.npz."""
    write_members(path / "members.csv", result.members)
    write_npz(path / "history.npz", result.entries)
    for name, arrays in result.recorded.items():
        if arrays:
            write_npz(path / f"{name}.npz", arrays)
    if result.states:
        write_npz(path / "state.npz", result.states)
    if not result.packed:
        return
    if result.options["keep"] in ("all", "state"):
        arrays = {name: a for name, a in result.packed.items() if name != "members"}
        write_npz(path / "weights.npz", arrays)
    model = result.model()
    write_best(path / "best", model)
    write_model(path / "model.npz", model)


def write_best(path: Path, model: Model) -> None:
    """Write the weights of the best member; of a scaled network also such as take raw inputs."""
    write_weights(path, model.weights)
    if model.can_be_folded():
        write_weights(path / "raw", model.folded().weights)
    if model.is_scaled:
        cut = CUT * (model.limits is not None)
        write_bytes(path / "README.txt", cut + SCALED + RAW * model.can_be_folded())


def write_weights(path: Path, weights: Weights) -> None:
    """Write a folder of W1.npy, b1.npy, W2.npy and b2.npy."""
    make_folder(path)
    for name, array in weights._asdict().items():
        write_npy(path / f"{name}.npy", array)


def make_folder(path: Path) -> None:
    """Make a folder if there is none; a link or file of its name goes."""
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            path.mkdir()
    except OSError as error:
        raise WriteError(path, error) from None


def write_model(path: str | os.PathLike, model: Model) -> None:
    """Write everything that predicting needs into one npz without pickles."""
    facts = model.schema.to_arrays()
    loss = facts.pop("loss")  # the last array, as it has been since schema version 1
    if model.thresholds is not None:
        rows = [model.thresholds[name] for name in GOALS]
        rows = [list(row.values()) if model.labels else row for row in rows]
        facts["thresholds"] = np.array(rows, np.float64)  # NaN where there is none
    if model.calibration is not None:
        facts["calibration"] = model.calibration.errors
    write_npz(
        path,
        {
            **model.weights._asdict(),
            **facts,
            "schema_version": np.array(SCHEMA_VERSION),
            "activation": np.array(model.activation),
            "loss": loss,
        },
    )
