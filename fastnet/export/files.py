"""Models for elsewhere: npy files, an ONNX graph, one C99 header, one Python file."""

import io
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np

import fastnet
from fastnet import files
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.export.source import (
    ACTIVATIONS,
    c_header,
    constants,
    in_file,
    inputs_in_words,
    python_file,
    scaling,
    sizes,
    title,
)
from fastnet.extras import missing_extra
from fastnet.options.methods import CLASSIFIERS
from fastnet.options.table import EXPORTS

# Losses whose predicted numbers the targets have a form for: e^z2 with poisson, z2 with the others.
NUMBERS = ("squared", "absolute", "huber", "log_cosh", "quantile", "poisson")
OPSET, IR_VERSION = 15, 8  # the first opset with CastLike, and its IR version: runtimes since 2021


def write(model, to, path, force=False):
    """Write a model for another program.

    Parameters
    ----------
    model : Model
        `result.model()`, or `store.read_model(path)`.
    to : {"npy", "onnx", "c", "numpy"}
    path : path
        The file to write; with npy a folder. Its stem names what is in a header.
    force : bool, default False
        Replace what is there.

    Returns
    -------
    dict
        The files and their bytes, parameters, constant_bytes (weights and scaling),
        working_bytes and multiply_adds of one prediction.

    Raises
    ------
    UsageError
        for an unknown `to`, an activation that has no row in ACTIVATIONS, or another loss than
        NUMBERS and methods.CLASSIFIERS have.
    DataError
        for weights that are not finite.
    FastnetError
        for a path that exists or cannot be written, or a package that is not installed.

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
    check(model, to)
    path, model = Path(path), model if to == "npy" else with_all_logits(model)
    if to == "numpy" and path.suffix != ".py":
        raise UsageError(f"-o: --to numpy writes a .py file, got {path}.")
    contents = CONTENTS[to](model, path)
    folder = path if to == "npy" else path.parent
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        (write_folder if to == "npy" else write_files)(path, contents, force)
    except OSError as error:
        raise FastnetError(f"{path} cannot be written ({error.strerror}).") from None
    files = {str(folder / name): len(data) for name, data in contents.items()}
    return {"to": to, "files": files, **sizes(model)}


def check(model, to):
    """Refuse what would make an export that does not work."""
    if to not in EXPORTS:
        raise UsageError(f"to must be one of {', '.join(EXPORTS)}, got {to!r}.")
    if model.activation not in ACTIVATIONS:
        raise UsageError(
            f"activation {model.activation} cannot be exported yet; {', '.join(ACTIVATIONS)} can."
        )
    if model.loss not in (*NUMBERS, *CLASSIFIERS):
        known = ", ".join((*NUMBERS, *CLASSIFIERS))
        raise UsageError(f"loss {model.loss} cannot be exported yet; {known} can.")
    if not all(np.isfinite(array).all() for array in constants(model).values()):
        raise DataError("the model has numbers that are not finite; export another member.")


def with_all_logits(model):
    """The model with a logit for each class, where one stands for two: the first is 0."""
    if model.loss != "binary_cross_entropy":
        return model
    W2, b2 = model.weights.W2, model.weights.b2
    zeros = np.zeros_like(W2)
    weights = model.weights._replace(W2=np.vstack([zeros, W2]), b2=np.append(zeros[0, :1], b2))
    sides = {"y_shift": np.zeros(2), "y_scale": np.ones(2)}
    return model._replace(weights=weights, loss="cross_entropy", **sides)


def identifier(text):
    """A name that C and Python take."""
    name = re.sub(r"\W", "_", text, flags=re.ASCII).strip("_")
    return name if name[:1].isalpha() else f"net_{name}".rstrip("_")


# ---------------------------------------------------------------- files


def default_path(model_path, to):
    """A file in the current folder, named like the run or the model."""
    path = Path(os.path.abspath(model_path))
    stem = path.parent.name if path.name == "model.npz" else path.with_suffix("").name
    return Path(identifier(stem) + ENDINGS[to])


def write_files(path, contents, force):
    """Each file beside its name, then renamed; the one at `path` comes last."""
    names = sorted(contents, key=path.name.__eq__)
    for name in names:
        if path.with_name(name).is_dir():
            raise FastnetError(f"-o: {path.with_name(name)} is a folder; name a file.")
        refuse(path.with_name(name), force)
    for name in names:
        files.replace(path.with_name(name), lambda file, name=name: file.write(contents[name]))


def refuse(path, force):
    """An error for a path where something is, unless it may be replaced."""
    if path.exists() and not force:
        raise FastnetError(f"-o: {path} exists; name another path, or replace it with --force.")


def write_folder(path, contents, force):
    """A new folder beside `path`, then renamed; force replaces only what is such an export."""
    refuse(path, force)
    if path.exists() and (path.is_file() or {p.name for p in path.iterdir()} - set(contents)):
        raise FastnetError(f"--force replaces only exported folders; {path} is another thing.")
    beside, aside = (path.with_name(f"{path.name}.{end}-{os.getpid()}") for end in ("part", "old"))
    try:
        beside.mkdir()
        write_files(beside / "model.json", contents, force)
        if path.exists():
            os.replace(path, aside)
        os.replace(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)


# ---------------------------------------------------------------- npy


def npy_contents(model, path):
    """The weights as npy files and the rest as JSON."""
    rest = {
        "schema_version": 1,
        "activation": model.activation,
        "loss": model.loss,
        "classes": None if model.classes is None else model.classes.tolist(),
        "features": list(model.features),
        "columns": [column._asdict() for column in model.columns],
        **{name: getattr(model, name).tolist() for name in ("x_shift", "x_scale")},
        **{name: getattr(model, name).tolist() for name in ("y_shift", "y_scale")},
    }
    contents = {f"{name}.npy": saved(np.save, w) for name, w in model.weights._asdict().items()}
    return contents | {"model.json": json.dumps(rest, indent=1, allow_nan=False).encode()}


def saved(save, *arrays, **named):
    """The bytes that np.save or np.savez writes."""
    file = io.BytesIO()
    save(file, *arrays, **named)
    return file.getvalue()


# ---------------------------------------------------------------- ONNX


def onnx_nodes(model):
    """The graph as text, a node each: operator, inputs and attributes -> output."""
    extra, dtype = scaling(model), 1 if model.weights.W1.dtype == np.float32 else 11
    u, y = "X", "z2"
    if "x_shift" in extra:  # in float64, as fastnet does
        yield "Cast X to=11 -> x"
        yield "Sub x x_shift -> centred"
        yield "Div centred x_scale -> scaled"
        yield f"Cast scaled to={dtype} -> u"
        u = "u"
    yield f"Gemm {u} W1 b1 transB=1 -> z"
    yield from ACTIVATIONS[model.activation].onnx.split("; ")
    yield "Gemm h W2 b2 transB=1 -> z2"
    if model.loss == "poisson":
        yield "Exp z2 -> mean"
        y = "mean"
    if "y_shift" in extra:
        yield f"Cast {y} to=11 -> y"
        yield "Mul y y_scale -> spread"
        yield "Add spread y_shift -> unscaled"
        yield f"Cast unscaled to={dtype} -> cast"
        y = "cast"
    if model.classes is None:
        yield f"Identity {y} -> variable"
    else:
        yield "Softmax z2 axis=1 -> probabilities"
        yield "ArgMax z2 axis=1 keepdims=0 -> place"
        yield "Gather classes place axis=0 -> label"


def onnx_contents(model, path):
    """An ONNX model, checked by onnx itself."""
    try:
        import onnx
    except ImportError:
        raise missing_extra("--to onnx needs onnx", "export") from None
    helper, dtype = onnx.helper, model.weights.W1.dtype
    nodes, arrays = [], constants(model)
    for line in onnx_nodes(model):
        (operator, *inputs), outputs = (part.split() for part in line.split("->"))
        attributes = dict(part.split("=") for part in inputs if "=" in part)
        attributes = {name: int(value) for name, value in attributes.items()}
        inputs = [name for name in inputs if "=" not in name]
        nodes.append(helper.make_node(operator, inputs, outputs, **attributes))
        arrays |= {name: np.array(name, dtype) for name in inputs if name[0].isdigit()}
    held = [onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()]
    held += [] if model.classes is None else [label_tensor(helper, model.classes)]
    built = helper.make_model(
        helper.make_graph(nodes, path.stem, *onnx_ends(helper, model, held), held, title(model)),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fastnet",
        producer_version=fastnet.__version__,
    )
    helper.set_model_props(built, {"inputs": "\n".join(inputs_in_words(model, "X[:, {}]"))})
    onnx.checker.check_model(built, full_check=True)
    return {path.name: built.SerializeToString()}


def onnx_ends(helper, model, held):
    """The graph's inputs and outputs."""
    dtype = helper.np_dtype_to_tensor_dtype(model.weights.W1.dtype)
    X = helper.make_tensor_value_info("X", dtype, ["n", model.weights.W1.shape[1]])
    k = model.weights.b2.size
    if model.classes is None:
        return [X], [helper.make_tensor_value_info("variable", dtype, ["n", k])]
    return [X], [
        helper.make_tensor_value_info("label", held[-1].data_type, ["n"]),
        helper.make_tensor_value_info("probabilities", dtype, ["n", k]),
    ]


def label_tensor(helper, classes):
    """The class labels as a tensor of texts, int64 or booleans."""
    kind = {"U": 8, "b": 9}.get(classes.dtype.kind, 7)
    labels = [label.encode() if kind == 8 else label for label in classes.tolist()]
    return helper.make_tensor("classes", kind, [len(labels)], labels)


# ---------------------------------------------------------------- source


def c_contents(model, path):
    return {path.name: c_header(model, identifier(path.stem)).encode()}


def python_contents(model, path):
    beside = {} if in_file(model) else {f"{path.stem}.npz": saved(np.savez, **constants(model))}
    return {**beside, path.name: python_file(model).encode()}


ENDINGS = {"npy": "", "onnx": ".onnx", "c": ".h", "numpy": ".py"}
CONTENTS = {
    "npy": npy_contents,
    "onnx": onnx_contents,
    "c": c_contents,
    "numpy": python_contents,
}
