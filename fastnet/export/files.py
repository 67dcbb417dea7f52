"""Write a model for another program: check it, choose file names, write whole files or none."""

import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastnet import files
from fastnet.errors import DataError, FastnetError, UsageError, quoted
from fastnet.export import (
    c,
    facts,
    fixed,
    formula,
    js,
    npy,
    onnx,
    proof,
    python,
    quantized,
    st,
)
from fastnet.export.forms import ACTIVATIONS
from fastnet.export.text import identifier
from fastnet.options.methods import LOSSES
from fastnet.options.table import EXPORTS
from fastnet.results.ensemble import Ensemble

ENDINGS = {
    "npy": "",
    "onnx": ".onnx",
    "c": ".h",
    "numpy": ".py",
    "js": ".mjs",
    "st": ".st",
    "formula": ".py",
}
FORMATS = {
    "npy": npy,
    "onnx": onnx,
    "c": c,
    "numpy": python,
    "js": js,
    "st": st,
    "formula": formula,
}


INPUTS = ("columns", "matrix")
INPUT_DTYPES = ("auto", "float32", "float64")


class Told(NamedTuple):
    """What an export is told beside the model: where it is from, the dtype of its inputs, its
    intervals, the language of a formula, how an ONNX graph takes its inputs, the integers of C."""

    about: tuple[str, ...]
    dtype: np.dtype
    interval: facts.Interval | None = None
    language: str = "python"
    inputs: str = "matrix"
    quantize: str | None = None


def write(
    model,
    to,
    path,
    force=False,
    fold=False,
    about=(),
    input_dtype="auto",
    interval=None,
    language=None,
    inputs=None,
    quantize=None,
    rows=None,
):
    """Write a model for another program.

    Parameters
    ----------
    model : Model or Ensemble
        `result.model()`, `fastnet.load_model(path)`, or `result.ensemble("top:5")`, which is
        written as one network, see `Ensemble.merged`.
    to : {"npy", "onnx", "c", "numpy", "js", "st", "formula"}
    path : path
        The file to write; with npy a folder. The names in a C header begin with its stem.
    force : bool, default False
        Replace an existing export.
    fold : bool, default False
        Write the scaling into the weights, see `Model.folded`.
    about : sequence of str
        Lines on where the model is from, for the comment at the top of the file.
    input_dtype : {"auto", "float32", "float64"}
        Of the inputs in C and ONNX; auto is float32 for a float32 model, unless that is too coarse.
    interval : float, optional
        Also write the intervals that hold the target with this probability.
    language : {"python", "excel", "latex", "js"}, optional
        Of a formula; by default python.
    inputs : {"columns", "matrix"}, optional
        Of an ONNX graph: one input per column, texts for categories, or one matrix X of numbers,
        which has an input per category. By default columns if there are columns of categories
        and the scaling is not folded.
    quantize : {"int8", "int16"}, optional
        Write C in integers alone, with weights of so many bits.
    rows : (X, y), optional
        Rows on which the accuracy in integers is measured.

    Returns
    -------
    dict
        The files with their bytes, parameters, constant_bytes (weights and scaling),
        working_bytes and multiply_adds of one prediction; input_dtype, and rounding_error, the
        largest error by it on rows of the data, relative; inputs_are_cut, whether the model has
        `limits`.

    Raises
    ------
    UsageError
        If `to` is unknown, or the model's activation or loss has no export, for an ensemble that
        is not one network, and for an interval of classes or without enough validation rows.
    DataError
        If the weights are not finite, and if float32 is too coarse for the inputs.
    FastnetError
        If the path exists or cannot be written, or a package is not installed.

    Examples
    --------
    >>> import tempfile, numpy as np, fastnet
    >>> from fastnet import export
    >>> X = np.linspace(-1, 1, 50)
    >>> result = fastnet.train(X, X**2, n1=3, max_epochs=10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     done = export.write(result.model(), "c", folder + "/parabola.h")
    >>> done["parameters"], done["multiply_adds"]
    (10, 6)
    """
    model = model.merged() if isinstance(model, Ensemble) else model
    check(model, to)
    model = model.folded() if fold else model
    path = files.checked_path(path, "path")
    model = model if to == "npy" else facts.with_all_logits(model)
    if to == "numpy" and path.suffix != ".py":
        raise UsageError(f"-o: --to numpy writes a .py file, got {path}.")
    if language is not None and to != "formula":
        raise UsageError(f"--language {language} is for --to formula, not for {to}.")
    dtype = input_dtype_of(model, to, input_dtype)
    inputs = inputs_of(model, to, inputs, fold)
    if quantize and (to != "c" or interval):
        other = "--interval" if to == "c" else to
        raise UsageError(f"--quantize {quantize} is for --to c alone, not for {other}.")
    bounds = facts.interval(model, interval)
    told = Told(tuple(about), dtype, bounds, language or "python", inputs, quantize)
    form = quantized if quantize else FORMATS[to]
    contents = form.contents(model, path, told)
    folder = path if to == "npy" else path.parent
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        (write_folder if to == "npy" else write_files)(path, contents, force)
    except files.WriteError as error:  # perhaps of a file beside `path`
        raise files.WriteError(path, error.error) from None
    except OSError as error:
        raise files.WriteError(path, error) from None
    written = {str(folder / name): len(data) for name, data in contents.items()}
    return {
        "to": to,
        "files": written,
        **facts.sizes(model),
        "input_dtype": str(told.dtype),
        "rounding_error": proof.PROMISE * proof.rounding_error(model, told.dtype),
        "inputs_are_cut": model.limits is not None,
        "quantized": fixed.compare(model, rows) if quantize else None,
    }


def inputs_of(model, to, asked, fold):
    """How an ONNX graph takes its inputs; a folded one is plain unless columns are asked for."""
    if asked is None:
        by_column = to == "onnx" and facts.has_levels(model) and not fold
        return "columns" if by_column else "matrix"
    if asked not in INPUTS:
        raise UsageError(f"inputs must be one of {', '.join(INPUTS)}, got {quoted(asked)}.")
    if to != "onnx":
        raise UsageError(f"--inputs {asked} is for --to onnx, not for {to}.")
    if asked == "columns" and not model.columns:
        raise UsageError(
            "--inputs columns needs a model of a table; this one has an array's inputs."
        )
    return asked


def input_dtype_of(model, to, asked):
    """The dtype of the inputs in that format."""
    if asked not in INPUT_DTYPES:
        raise UsageError(f"--input-dtype must be one of {', '.join(INPUT_DTYPES)}, got {asked!r}.")
    if to in ("c", "onnx"):
        return proof.input_dtype(model, asked)
    if asked == "float32":
        raise UsageError(f"--input-dtype float32 is for c and onnx; {to} takes double.")
    return np.dtype(np.float64)


def check(model, to):
    """Refuse models whose export would not work."""
    if to not in EXPORTS:
        raise UsageError(f"to must be one of {', '.join(EXPORTS)}, got {quoted(to)}.")
    if model.activation not in ACTIVATIONS:
        raise UsageError(
            f"activation {model.activation} cannot be exported yet; {', '.join(ACTIVATIONS)} can."
        )
    if model.loss not in LOSSES:
        raise UsageError(f"loss {model.loss} cannot be exported yet; {', '.join(LOSSES)} can.")
    if not all(np.isfinite(array).all() for array in facts.constants(model).values()):
        raise DataError("the model has numbers that are not finite; export another member.")


def default_path(model_path, to, language=None):
    """A path in the current folder, named after the run, without its time, or the model.

    Examples
    --------
    >>> default_path("runs/houses-20261126-150000", "c").name
    'houses.h'
    """
    ending = formula.ENDINGS[language] if to == "formula" and language else ENDINGS[to]
    return Path(identifier(stem_of(model_path)) + ending)


def stem_of(model_path):
    """The name of a run, without its time, or of a model.

    Examples
    --------
    >>> stem_of("runs/my-houses-20261126-150000-2")
    'my-houses'
    """
    path = Path(os.path.abspath(model_path))
    stem = path.parent.name if path.name == "model.npz" else path.with_suffix("").name
    return re.sub(r"-\d{8}-\d{6}(-\d+)?$", "", stem)


# ---------------------------------------------------------------- whole or not at all


def write_files(path, contents, force):
    """Write each file beside its name, then rename all; the one at `path` comes last."""
    names = sorted(contents, key=path.name.__eq__)
    for name in names:
        if path.with_name(name).is_dir():
            raise FastnetError(f"-o: {path.with_name(name)} is a folder; name a file.")
        files.refuse_existing(path.with_name(name), force, "path")
    files.write_together({path.with_name(name): writer_of(contents[name]) for name in names})


def writer_of(content):
    """A function that writes these bytes to an open file."""
    return lambda file: file.write(content)


def write_folder(path, contents, force):
    """Write a new folder beside `path`, then rename it; force replaces only such an export."""
    if path.exists() and (path.is_file() or {p.name for p in path.iterdir()} - set(contents)):
        raise FastnetError(
            f"-o: {path} exists and is no exported folder, which --force could replace; name "
            "another path."
        )
    files.refuse_existing(path, force, "path")
    beside, aside = (files.free_path(path, middle) for middle in (".part-", ".old-"))
    try:
        beside.mkdir()
        write_files(beside / "model.json", contents, force)
        if path.exists():
            os.replace(path, aside)
        os.replace(beside, path)
    except BaseException:
        if aside.exists():
            os.replace(aside, path)
        raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)
