"""Exports: each is run by its own means and gives the numbers of Model.predict."""

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet import export, files, reference
from fastnet.cli import commands as cli
from fastnet.data.checks import unnamed_features
from fastnet.data.scaling import Limits, Ranges, Scaling
from fastnet.data.schema import Column, Schema
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.export import facts, forms, onnx, proof, python
from fastnet.export.files import ENDINGS
from fastnet.export.text import identifier
from fastnet.options import methods
from fastnet.options import table as options
from fastnet.results.ensemble import Ensemble
from fastnet.results.model import Model

needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
STRICT = (
    "-pedantic -Wall -Wextra -Werror -Wconversion -Wshadow -Wundef -Wcast-qual -Wmissing-prototypes"
).split()
CC = ["cc", "-std=c99", "-O2", *STRICT]

# Times max(1, |value|), all of them. C computes float32 models in double and rounds once.
C_TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
# ONNX computes them in float32: sums of 64 terms lose some units of 6e-8, times y_scale.
ONNX_TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
C_FLOAT_TOLERANCE = 1e-5  # the same with NAME_FLOAT
NUMPY_TOLERANCE = 1e-13  # tanh in place of exp
ERF_TOLERANCE = 1e-6  # onnxruntime has Erf in float32 only

COLUMNS = (
    Column("size */ of it", "number", (), None),
    Column("colour", "category", ("red", 'gr"een', "bl\\ue"), None),
    Column("year", "number", (), None),
)


def network(d, n1, k, dtype="float32", activation="sigmoid", classes=None, **more):
    """A model with random weights; inputs like years, so that scaling in float32 would show."""
    rng = np.random.default_rng([d, n1, k])
    shapes = (n1, d), (n1,), (k, n1), (k,)
    weights = Weights(*(rng.normal(size=shape).astype(dtype) for shape in shapes))
    schema = Schema(
        loss="squared" if classes is None else "cross_entropy",
        classes=None if classes is None else np.array(classes),
        features=unnamed_features(d),
        columns=(),
        scaling=Scaling(
            x_shift=2000 + 10 * rng.normal(size=d),
            x_scale=5 * rng.uniform(0.5, 2, size=d),
            y_shift=np.zeros(k),
            y_scale=np.ones(k),
        ),
        targets=(),
        ranges=Ranges(np.full(d, 1970.0), np.full(d, 2030.0), np.zeros(k)),
        examples=rng.uniform(1990, 2010, size=(3, d)),
    )
    return changed(Model(weights, activation, schema), **more)


def changed(model, **facts):
    """The model with other facts: its own, those of its schema or of its scaling."""
    of_scaling = {name: facts.pop(name) for name in Scaling._fields if name in facts}
    of_schema = {name: facts.pop(name) for name in Schema._fields if name in facts}
    scaling = model.scaling._replace(**of_scaling)
    schema = model.schema._replace(scaling=scaling, **of_schema)
    return model._replace(schema=schema, **facts)


def scaled_outputs(k):
    return {"y_shift": np.linspace(-3, 40, k), "y_scale": np.linspace(0.01, 20, k)}


def plain_inputs(d):
    return {"x_shift": np.zeros(d), "x_scale": np.ones(d)}


def cut_inputs(d, least, most):
    return {"limits": Limits(np.full(d, least, float), np.full(d, most, float))}


def samples(model, n=1000):
    """Inputs that the exports and predict read as the same numbers."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, len(model.features))) * 1.5 * model.x_scale + model.x_shift
    return X.astype(model.weights.W1.dtype)


def one_logit(dtype):
    """Two classes from one output, the logit of the second."""
    return network(3, 4, 1, dtype, classes=["no", "yes"], loss="binary_cross_entropy")


def several_labels(dtype):
    """Three targets of two labels each, of three kinds."""
    pairs = (("no", 'y"*/e@s'), (0, 1), (False, True))
    facts = {"loss": "binary_cross_entropy", "labels": pairs, "targets": ("a", "b\\", "net_c")}
    return network(4, 5, 3, dtype, **facts)


def numbers_of(model, X):
    """What exports without classes give: the predicted numbers, or probabilities of labels."""
    return model.predict_proba(X) if model.labels else columns_of(model.predict(X))


def cases(dtype):
    """One of each kind, odd sizes among them."""
    return {
        "one_of_all": network(1, 1, 1, dtype, **plain_inputs(1)),
        "scaled": network(3, 5, 1, dtype, **scaled_outputs(1)),
        "wide": network(9, 65, 1, dtype, **scaled_outputs(1)),
        "outputs_3": network(2, 7, 3, dtype, **scaled_outputs(3)),
        "binary": network(4, 3, 2, dtype, classes=[-1, 7]),
        "truth": network(1, 2, 2, dtype, classes=[False, True]),
        "labels": network(5, 6, 3, dtype, classes=['a"b', "\\c??/", "größer 1"], columns=COLUMNS),
        "counts": network(2, 7, 2, dtype, loss="poisson"),
        "scaled_counts": network(2, 3, 1, dtype, loss="poisson", **scaled_outputs(1)),
        "one_logit": one_logit(dtype),
        "several_labels": several_labels(dtype),
        "cut": network(3, 5, 2, dtype, **scaled_outputs(2), **cut_inputs(3, 1995, 2005)),
        "only_cut": network(
            2, 4, 3, dtype, classes=["a", "b", "c"], **plain_inputs(2), **cut_inputs(2, -1, 1)
        ),
        "sure": network(2, 9, 4, dtype, classes=range(4), **plain_inputs(2)),
    }


MODELS = {f"{name}_{dtype}": m for dtype in C_TOLERANCE for name, m in cases(dtype).items()}
MODELS |= {
    f"{name}_{dtype}": network(2, 5, 1, dtype, name)
    for dtype in C_TOLERANCE
    for name in methods.ACTIVATIONS
}
# Logits far apart: exp of them would overflow.
for name in ("sure_float32", "sure_float64"):
    model = MODELS[name]
    MODELS[name] = model._replace(weights=model.weights._replace(W2=1000 * model.weights.W2))

every_model = pytest.mark.parametrize("name", MODELS)


def assert_close(got, expected, tolerance):
    bound = tolerance * np.maximum(1, np.abs(expected))
    assert got.shape == expected.shape
    assert (np.abs(got - expected) <= bound).all(), np.abs(got - expected).max()


def columns_of(values):
    """predict's (n,) as the (n, 1) of C and ONNX."""
    return values[:, None] if values.ndim == 1 else values


def dtype_of(model):
    return str(model.weights.W1.dtype)


# ---------------------------------------------------------------- folded


@pytest.mark.parametrize("name", [n for n in MODELS if not n.startswith("scaled_counts")])
def test_folded_weights_act_on_unscaled_inputs(name):
    model = MODELS[name]
    X, folded = samples(model), model.folded()
    assert not folded.is_scaled
    # float32 weights of inputs up to 100 scales from 0 lose 100 units of 6e-8, per input
    tolerance = 1e-4 if folded.weights.W1.dtype == np.float32 else 1e-9
    assert_close(folded.outputs(X), outputs_in_units(model, X), tolerance)


def test_folded_inputs_are_cut_where_they_were():
    model = MODELS["cut_float64"]
    far, most = np.full((1, 3), 1e6), model.limits.x_most[None]
    for one in (model, model.folded()):
        assert one.predict(far).tolist() == one.predict(most).tolist()
    assert model.folded().limits is model.limits


def outputs_in_units(model, X):
    """z2 in the units of the targets; with loss poisson its log."""
    Z2 = model.outputs(X)
    if methods.LOSSES[model.loss].link == methods.EXP:
        return Z2 + np.log(model.y_scale)
    return Z2 if model.classes is not None else Z2 * model.y_scale + model.y_shift


def test_folding_takes_double_for_inputs_far_from_0():
    near, far = np.array([0.0, 99.0]), np.array([0.0, 101.0])
    one = np.ones(2)
    assert network(2, 3, 1, x_shift=near, x_scale=one).folded().weights.b1.dtype == np.float32
    assert network(2, 3, 1, x_shift=far, x_scale=one).folded().weights.b1.dtype == np.float64


def test_shifted_means_cannot_be_folded():
    model = network(2, 3, 1, loss="poisson", y_shift=np.ones(1))
    with pytest.raises(UsageError, match="loss poisson with a shift cannot be folded"):
        model.folded()


def test_a_folded_onnx_model_is_gemm_activation_gemm(tmp_path):
    onnx_package = pytest.importorskip("onnx")
    export.write(network(3, 4, 2), "onnx", tmp_path / "net.onnx", fold=True)
    nodes = onnx_package.load(tmp_path / "net.onnx").graph.node
    assert [node.op_type for node in nodes] == ["Gemm", "Sigmoid", "Gemm", "Identity"]


# ---------------------------------------------------------------- C

MAIN = """
#include <stdio.h>
#include "net.h"
#include "net.h"
int main(void)
{
    net_number x[NET_INPUTS], y[NET_OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        net_predict(x, y);
        fwrite(y, sizeof y, 1, stdout);
#ifdef CLASSES
        net_proba(x, y);
        fwrite(y, sizeof y, 1, stdout);
        fprintf(stderr, "%s\\n", net_classes[net_classify(x)]);
#endif
    }
    return 0;
}
"""


def run_c(model, X, folder, *flags):
    """Outputs, probabilities and labels by the compiled header; the last two of classes."""
    export.write(model, "c", folder / "net.h", force=True)
    (folder / "main.c").write_text(MAIN)
    flags = [*flags, "-DCLASSES"] if model.classes is not None else flags
    program = folder / "program"
    subprocess.run([*CC, *flags, folder / "main.c", "-lm", "-o", program], check=True)
    ran = subprocess.run([program], input=X.tobytes(), capture_output=True, check=True)
    numbers = np.frombuffer(ran.stdout, X.dtype)
    numbers = numbers.reshape(len(X), -1, len(facts.with_all_logits(model).weights.b2))
    return numbers, ran.stderr.decode().splitlines()


@needs_cc
@every_model
def test_the_header_gives_what_predict_gives(name, tmp_path):
    model, X = MODELS[name], samples(MODELS[name])
    numbers, labels = run_c(model, X, tmp_path)
    tolerance = C_TOLERANCE[dtype_of(model)]
    if model.classes is None:
        assert_close(numbers[:, 0], numbers_of(model, X), tolerance)
    else:
        assert_close(numbers[:, 0], model.outputs(X), tolerance)
        assert_close(numbers[:, 1], model.predict_proba(X), tolerance)
        assert labels == [str(label) for label in model.predict(X)]


@needs_cc
@pytest.mark.parametrize("name", [n for n in MODELS if not n.endswith("64")])
def test_the_header_in_float_alone(name, tmp_path):
    """Its bound is in units of y_scale, in which the network computes."""
    model, X = MODELS[name], samples(MODELS[name])
    numbers, _ = run_c(model, X, tmp_path, "-DNET_FLOAT", "-Wdouble-promotion")
    mean = numbers_of(model, X) if model.labels else model.means(model.outputs(X))
    got = (numbers[:, 0] - model.y_shift) / model.y_scale
    assert_close(got, mean, C_FLOAT_TOLERANCE * max(1, np.abs(model.weights.W2).max()))


@needs_cc
@pytest.mark.parametrize("activation", methods.ACTIVATIONS)
def test_nan_comes_through_every_activation_of_the_header(activation, tmp_path):
    model = network(2, 3, 1, activation=activation)
    numbers, _ = run_c(model, np.full((1, 2), np.nan, np.float32), tmp_path)
    assert np.isnan(numbers).all()


def seconds_since_1970():
    """A model of an input that float32 cannot hold: neighbours in it are 128 seconds apart."""
    return network(1, 8, 1, x_shift=np.array([1.7e9]), x_scale=np.array([5e3]))


@needs_cc
def test_the_header_takes_double_for_inputs_far_from_0(tmp_path):
    model = seconds_since_1970()
    X = 1.7e9 + np.arange(0.0, 10_000.0, 61.0)[:, None]
    numbers, _ = run_c(model, X, tmp_path)
    assert_close(numbers[:, 0], columns_of(model.predict(X)), C_TOLERANCE["float32"])


def test_onnx_takes_double_for_inputs_far_from_0(tmp_path):
    pytest.importorskip("onnxruntime")
    model = seconds_since_1970()
    X = 1.7e9 + np.arange(0.0, 10_000.0, 61.0)[:, None]
    found, _ = run_onnx(model, X, tmp_path)
    assert_close(found["variable"], columns_of(model.predict(X)), ONNX_TOLERANCE["float32"])


@pytest.mark.parametrize("to", ["c", "onnx"])
def test_float32_inputs_are_refused_where_they_are_too_coarse(to, tmp_path):
    examples = 1.7e9 + 5e3 * np.linspace(-2, 2, 7)[:, None]
    model = changed(seconds_since_1970(), examples=examples)
    message = r"--input-dtype float32: predictions for rows of the data would be off by .* promised"
    with pytest.raises(DataError, match=message):
        export.write(model, to, tmp_path / "net", input_dtype="float32")
    assert not (tmp_path / "net").exists()
    done = export.write(network(2, 3, 1), to, tmp_path / "net", input_dtype="float64")
    assert done["input_dtype"] == "float64" and done["rounding_error"] == 0


def test_auto_takes_double_where_a_steep_network_needs_it(tmp_path):
    """Its inputs are only 400 scales from 0, and its weights make much of their last digits."""
    model = network(1, 4, 1, activation="sin")
    steep = model._replace(weights=model.weights._replace(W1=100 * model.weights.W1))
    for of, dtype in ((model, "float32"), (steep, "float64")):
        assert export.write(of, "c", tmp_path / "net.h", True)["input_dtype"] == dtype


@pytest.mark.parametrize(
    "to, asked, message",
    [
        ("c", "float16", "--input-dtype must be one of auto, float32, float64, got 'float16'"),
        ("js", "float32", "--input-dtype float32 is for c and onnx; js takes double"),
    ],
)
def test_other_dtypes_of_inputs_are_refused(to, asked, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        export.write(network(2, 3, 1), to, tmp_path / "net", input_dtype=asked)


@needs_cc
def test_two_headers_live_in_one_program(tmp_path):
    for name in ("sine", "digits"):
        export.write(network(2, 3, 2, classes=[0, 1]), "c", tmp_path / f"{name}.h")
    text = """
#include "sine.h"
#include "digits.h"
int main(void) { float x[SINE_INPUTS] = {0}; return sine_classify(x) - digits_classify(x); }
"""
    (tmp_path / "main.c").write_text(text)
    subprocess.run([*CC, "main.c", "-lm", "-o", "program"], cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "program"], check=True)


def test_the_header_says_what_its_user_must_know(tmp_path):
    export.write(MODELS["labels_float32"], "c", tmp_path / "net.h")
    head = (tmp_path / "net.h").read_text().split("#ifndef")[0]
    assert (
        head
        == """\
/* Inputs 5, hidden units 6 (sigmoid), classes 3 (softmax), float32; made by fastnet VERSION.
 * Parameters 57, constants 308 bytes. A call: multiply-adds 48,
 * arrays on the stack 64 bytes at most.
 *
 * net_classify(x): the most probable class, an index; net_classes[net_classify(x)] is its label
 * net_proba(x, p): p[NET_OUTPUTS], the probability of each class
 * net_predict(x, y): y[NET_OUTPUTS], the outputs before softmax
 *
 * x[NET_INPUTS], as in the training data (scaling is done here):
 *     x[0] "size * / of it"
 *     x[1] "colour": 1 if "red", else 0
 *     x[2] "colour": 1 if "gr\\"een", else 0
 *     x[3] "colour": 1 if "bl\\\\ue", else 0
 *     x[4] "year"
 *
 * Example:
 *     net_number x[NET_INPUTS] = {1997.81055f, 2009.57703f, 1995.36829f, 2005.56494f,
 *     2008.44116f}, y[NET_OUTPUTS];
 *     net_proba(x, y); y[0] is then 0.971916
 */
""".replace("VERSION", fastnet.__version__)
    )


@pytest.mark.parametrize(
    "stem, name",
    [
        ("sine", "sine"),
        ("task1-2026", "task1_2026"),
        ("2nd", "net_2nd"),
        ("größe", "gr__e"),
        ("-", "net"),
    ],
)
def test_the_file_names_the_functions(stem, name):
    assert identifier(stem) == name


# ---------------------------------------------------------------- ONNX


def run_onnx(model, X, folder):
    """What onnxruntime computes, and the model as onnx reads it."""
    onnx = pytest.importorskip("onnx", reason="fastnet[export] is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = folder / "net.onnx"
    export.write(model, "onnx", path, inputs="matrix")
    onnx.checker.check_model(path, full_check=True)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}))), onnx.load(path)


@every_model
def test_onnx_gives_what_predict_gives(name, tmp_path):
    model, X = MODELS[name], samples(MODELS[name])
    got, _ = run_onnx(model, X, tmp_path)
    tolerance = ONNX_TOLERANCE[dtype_of(model)]
    tolerance = max(tolerance, ERF_TOLERANCE) if model.activation == "gelu" else tolerance
    if model.classes is None:
        assert list(got) == ["variable"]
        bound = tolerance * max(1, model.y_scale.max())
        assert_close(got["variable"], numbers_of(model, X), bound)
    else:
        assert list(got) == ["label", "probabilities"]
        tolerance *= max(1, np.abs(model.weights.W2).max())
        assert_close(got["probabilities"], model.predict_proba(X), tolerance)
        assert got["label"].tolist() == model.predict(X).tolist()


def test_exports_say_which_label_each_probability_is_of(tmp_path):
    model = MODELS["several_labels_float32"]
    export.write(model, "c", tmp_path / "net.h")
    assert ' *     y[2] "net_c=True"\n' in (tmp_path / "net.h").read_text()
    export.write(model, "numpy", tmp_path / "net.py")
    assert '[:, 0] "a=y\\"* /e@s"' in (tmp_path / "net.py").read_text()
    export.write(model, "npy", tmp_path / "net")
    rest = json.loads((tmp_path / "net" / "model.json").read_text())
    assert rest["labels"][1:] == [[0, 1], [False, True]] and rest["targets"] == list(model.targets)
    _, built = run_onnx(model, samples(model), tmp_path)
    outputs = {p.key: p.value for p in built.metadata_props}["outputs"]
    assert outputs.splitlines()[2] == 'variable[:, 2] "net_c=True"'


def test_an_onnx_model_states_its_opset_and_its_inputs(tmp_path):
    model = MODELS["labels_float32"]
    _, built = run_onnx(model, samples(model), tmp_path)
    assert [(o.domain, o.version) for o in built.opset_import] == [("", onnx.OPSET)]
    assert (built.ir_version, built.producer_name) == (onnx.IR_VERSION, "fastnet")
    assert [
        d.dim_param or d.dim_value for d in built.graph.input[0].type.tensor_type.shape.dim
    ] == ["n", 5]
    inputs = {p.key: p.value for p in built.metadata_props}["inputs"]
    assert inputs.splitlines()[1] == 'X[:, 1] "colour": 1 if "red", else 0'


def test_without_onnx_the_error_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    message = r"^--to onnx needs onnx; install it with: .*\[export\]'$"
    with pytest.raises(FastnetError, match=message):
        export.write(MODELS["scaled_float32"], "onnx", tmp_path / "net.onnx")


# ---------------------------------------------------------------- one Python file


def imported(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@every_model
@pytest.mark.parametrize("inside", [True, False], ids=["inside", "beside"])
def test_the_python_file_gives_what_predict_gives(name, inside, tmp_path, monkeypatch):
    monkeypatch.setattr(python, "IN_FILE", 10**6 if inside else 0)
    model, X = MODELS[name], samples(MODELS[name])
    export.write(model, "numpy", tmp_path / "net.py")
    assert (tmp_path / "net.npz").exists() != inside
    module = imported(tmp_path / "net.py")
    for key, array in facts.constants(facts.with_all_logits(model)).items():
        np.testing.assert_array_equal(getattr(module, key), array, strict=True)
    if model.classes is None and not model.labels:
        assert_close(module.predict(X), model.predict(X), NUMPY_TOLERANCE)
    else:
        np.testing.assert_array_equal(module.predict(X), model.predict(X))
        assert_close(module.predict_proba(X), model.predict_proba(X), 1000 * NUMPY_TOLERANCE)


def test_the_python_file_needs_numpy_alone(tmp_path):
    export.write(MODELS["scaled_float32"], "numpy", tmp_path / "net.py")
    found = re.findall(r"^(?:import|from) .*", (tmp_path / "net.py").read_text(), re.MULTILINE)
    assert found == ["import numpy as np"]
    ruff = [sys.executable, "-m", "ruff", "check", "-q", "--isolated", tmp_path / "net.py"]
    subprocess.run(ruff, check=True)


@pytest.mark.parametrize("name", reference.activations.ACTIVATIONS)
def test_the_formulas_in_numpy(name):
    """All that the reference has, also those that no option names yet."""
    z = np.linspace(-800, 800, 4001)
    value = eval(forms.ACTIVATIONS[name].numpy, {"np": np, "math": math, "z": z})
    with np.errstate(over="ignore"):
        assert_close(value, reference.activations.ACTIVATIONS[name].value(z), NUMPY_TOLERANCE)


# ---------------------------------------------------------------- npy


def test_npy_is_a_folder_of_weights_and_the_rest_as_json(tmp_path):
    model = MODELS["labels_float64"]
    export.write(model, "npy", tmp_path / "net")
    for name, array in model.weights._asdict().items():
        found = np.load(tmp_path / "net" / f"{name}.npy", allow_pickle=False)
        np.testing.assert_array_equal(found, array, strict=True)
    rest = json.loads((tmp_path / "net" / "model.json").read_text())
    assert rest["classes"] == list(model.classes) and rest["activation"] == "sigmoid"
    assert [column["name"] for column in rest["columns"]] == [c.name for c in COLUMNS]
    for name in ("x_shift", "x_scale", "y_shift", "y_scale"):
        np.testing.assert_array_equal(rest[name], getattr(model, name))


# ---------------------------------------------------------------- files, sizes, errors


@pytest.mark.parametrize("to", options.EXPORTS)
def test_sizes_are_those_of_the_network(to, tmp_path):
    pytest.importorskip("onnx", reason="fastnet[export] is not installed")
    path = tmp_path / ("net" + ENDINGS[to])
    done = export.write(MODELS["outputs_3_float32"], to, path)
    sizes = {name: done[name] for name in ("parameters", "constant_bytes", "multiply_adds")}
    assert sizes == {
        "parameters": 7 * 2 + 7 + 3 * 7 + 3,
        "constant_bytes": 4 * 45 + 8 * (2 * 2 + 2 * 3),
        "multiply_adds": 7 * 2 + 3 * 7,
    }
    assert {name: Path(name).stat().st_size for name in done["files"]} == done["files"]


def below(folder):
    """Every file with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("to", ["npy", "c", "numpy"])
def test_what_is_there_is_replaced_only_with_force(to, tmp_path, monkeypatch):
    monkeypatch.setattr(python, "IN_FILE", 0)
    path = tmp_path / ("net" + ENDINGS[to])
    export.write(MODELS["scaled_float32"], to, path)
    first = below(tmp_path)
    with pytest.raises(FastnetError, match="exists; name another path, or replace it with --force"):
        export.write(MODELS["wide_float32"], to, path)
    assert below(tmp_path) == first
    export.write(MODELS["wide_float32"], to, path, force=True)
    second = below(tmp_path)
    assert set(second) == set(first) and second != first


def test_force_replaces_no_other_folder(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("")
    for kind in ("thesis", "thesis/chapter1.tex"):
        with pytest.raises(
            FastnetError, match=r"^-o: .* is no exported folder, .*; name another path\.$"
        ):
            export.write(MODELS["scaled_float32"], "npy", tmp_path / kind, force=True)
    with pytest.raises(FastnetError, match=r"^-o: .*thesis is a folder; name a file\.$"):
        export.write(MODELS["scaled_float32"], "c", tmp_path / "thesis", force=True)
    assert below(tmp_path) == {"thesis/chapter1.tex": b""}


def test_a_folder_that_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "net"
    export.write(MODELS["scaled_float32"], "npy", path)
    first = below(tmp_path)

    def fail(path, write):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_part", fail)
    full = r"net cannot be written \(No space left on device\); free space on its disk\.$"
    with pytest.raises(FastnetError, match=full):
        export.write(MODELS["wide_float32"], "npy", path, force=True)
    assert below(tmp_path) == first


@pytest.mark.parametrize(
    "model, to, name, kind, message",
    [
        (
            {},
            "pickle",
            "net",
            UsageError,
            r"to must be one of npy, .*, got 'pickle'\.",
        ),
        (
            {},
            "numpy",
            "net.npz",
            UsageError,
            r"-o: --to numpy writes a \.py file, got .*net\.npz\.",
        ),
        (
            {"activation": "cube"},
            "c",
            "net.h",
            UsageError,
            "activation cube cannot be exported yet; ",
        ),
        ({"loss": "cubed"}, "c", "net.h", UsageError, "loss cubed cannot be exported yet; "),
        (
            {"y_scale": np.array([np.inf])},
            "c",
            "net.h",
            DataError,
            "the model has numbers that are",
        ),
    ],
)
def test_what_cannot_be_exported_is_refused(model, to, name, kind, message, tmp_path):
    with pytest.raises(kind, match=f"^{message}"):
        export.write(changed(MODELS["scaled_float32"], **model), to, tmp_path / name)
    assert below(tmp_path) == {}


# ---------------------------------------------------------------- ensembles


def ensemble_of(counts=(2, 1, 1), **more):
    """Members of several widths, the first picked twice, and inputs for them."""
    models = [network(3, n1, 2, **more, **scaled_outputs(2)) for n1 in (4, 5, 9)]
    models = tuple(model._replace(schema=models[0].schema) for model in models)
    return Ensemble(models, (7, 2, 0), counts, models[0].schema, {}), samples(models[0])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_ensemble_is_one_network_in_every_form(dtype, tmp_path):
    found, X = ensemble_of(dtype=dtype)
    expected = np.average([m.predict(X) for m in found.models], axis=0, weights=[2, 1, 1])
    merged = found.merged()
    assert merged.weights.W1.shape == (18, 3) and merged.weights.W2.dtype == dtype
    # W2 / K and the sum of b2 are rounded to the dtype once more.
    assert_close(merged.predict(X), expected, C_TOLERANCE[dtype])
    export.write(found, "numpy", tmp_path / "net.py")
    assert_close(imported(tmp_path / "net.py").predict(X), expected, C_TOLERANCE[dtype])
    done = export.write(found, "npy", tmp_path / "net", fold=True)
    W1, b1, W2, b2 = (np.load(tmp_path / "net" / f"{name}.npy") for name in Weights._fields)
    h = 1 / (1 + np.exp(-(X.astype(float) @ W1.T.astype(float) + b1)))
    assert_close(h @ W2.T + b2, expected, ONNX_TOLERANCE[dtype] * 10)  # float32: folded
    assert done["n1"] == 18


@needs_cc
def test_an_ensemble_as_a_header(tmp_path):
    found, X = ensemble_of()
    numbers, _ = run_c(found.merged(), X, tmp_path)
    export.write(found, "c", tmp_path / "again" / "net.h")
    assert (tmp_path / "again" / "net.h").read_bytes() == (tmp_path / "net.h").read_bytes()
    assert_close(numbers[:, 0], found.predict(X), C_TOLERANCE["float32"])


def test_an_ensemble_in_onnx(tmp_path):
    found, X = ensemble_of()
    got, _ = run_onnx(found, X, tmp_path)
    tolerance = 20 * ONNX_TOLERANCE["float32"]  # y_scale is 20
    assert_close(columns_of(got["variable"]), found.predict(X), tolerance)


@pytest.mark.parametrize(
    "more, message",
    [
        (
            {"loss": "poisson"},
            "an ensemble of loss poisson is not one network, because it averages "
            "after the exp of the outputs; export its members one by one",
        ),
        ({"classes": ["a", "b"]}, "loss cross_entropy is not one network, .* the softmax of"),
    ],
)
def test_an_ensemble_that_is_not_one_network(more, message, tmp_path):
    found, _ = ensemble_of(**more)
    with pytest.raises(UsageError, match=message):
        export.write(found, "c", tmp_path / "net.h")
    assert not list(tmp_path.iterdir())


def test_members_of_several_activations_are_not_one_network():
    found, _ = ensemble_of()
    models = (*found.models[:2], found.models[2]._replace(activation="tanh"))
    with pytest.raises(UsageError, match="activations sigmoid and tanh do not make one network"):
        found._replace(models=models).merged()


# ---------------------------------------------------------------- command line


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a finished run, one without weights, and an empty folder."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.array(["no", "yes"])[rng.integers(0, 2, 40)]
    given = {"n1": [2, 3], "seeds": 2, "max_epochs": 5, "threads": 1}
    fastnet.sweep(X, y, out=folder / "good-1", **given)
    fastnet.sweep(X, y, out=folder / "bare", keep="none", **given)
    fastnet.sweep(X, X[:, 0], out=folder / "numbers", **given)
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def command(monkeypatch, capsys, runs):
    """Run `fastnet export` beside the runs; exit code, stdout, stderr."""
    monkeypatch.chdir(runs)

    def run(line):
        monkeypatch.setattr(sys, "argv", ["fastnet", "export", *line.split()])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return code, *capsys.readouterr()

    return run


def test_export_writes_beside_you_and_tells_the_sizes(command, runs):
    n1 = int(fastnet.load(runs / "good-1").best["n1"])
    code, out, err = command("good-1 --to c")
    first, rest = out.split("\n", 1)
    assert first.startswith("Member ") and "the lowest training loss of all 4" in first
    model = facts.with_all_logits(fastnet.load(runs / "good-1").model())
    error = proof.PROMISE * proof.rounding_error(model, np.float32)
    assert (code, rest, err) == (
        0,
        f"good_1.h  {os.path.getsize(runs / 'good_1.h'):,} bytes\n"
        f"{5 * n1 + 2} parameters (float32), {20 * n1 + 8} bytes with scaling; a prediction takes "
        f"{4 * n1} multiply-adds and {8 * (2 + 2)} bytes of memory.\n"
        f"Inputs are float32, which changes predictions for rows of the data by "
        f"{error:.1g} of their size at most.\n",
        "",
    )
    assert "good_1_classify" in (runs / "good_1.h").read_text()


def test_export_json_is_one_document(command, runs):
    code, out, _ = command("good-1/model.npz --to numpy --json --force")
    done = json.loads(out)
    assert code == 0 and done["schema_version"] == 1 and done["to"] == "numpy"
    assert list(done["files"]) == ["good_1.py"]


def test_export_of_a_member_is_that_member(command, runs):
    result = fastnet.load(runs / "good-1")
    for member in range(4):
        assert command(f"good-1 --to npy -o member{member} --member {member}")[0] == 0
        W1 = np.load(runs / f"member{member}" / "W1.npy")
        np.testing.assert_array_equal(W1, result.weights(member).W1)


def test_export_of_an_ensemble_says_so(command, runs):
    code, out, _ = command("numbers --to numpy --members top:3")
    found = fastnet.load(runs / "numbers").ensemble("top:3")
    assert code == 0 and out.startswith(f"{found.words()} It is written as one network.\n")
    got = imported(runs / "numbers.py").predict([[0.5, 1.0]])
    assert_close(got, found.predict([[0.5, 1.0]]), C_TOLERANCE["float32"])


@pytest.mark.parametrize(
    "line, code, message",
    [
        ("good-1 --to c --members all", 2, "an ensemble of loss cross_entropy is not one network"),
        ("bare --to c --members all", 2, "an ensemble needs the weights of all members"),
        ("numbers --to c --members all --member 1", 2, "--member 1 is one network, --members all"),
        ("good-1", 2, "Missing option '--to'. Choose from: npy, onnx, c, numpy"),
        ("good-1 --to keras", 2, "Invalid value for '--to': 'keras' is not one of"),
        (
            "nothing --to c",
            1,
            "no run folder and no model at nothing; `fastnet ls` lists the runs.",
        ),
        ("empty --to c", 3, "empty is not a run folder of fastnet: it has no config.json."),
        (
            "good-1/split.npz --to c",
            3,
            "good-1/split.npz is not a model of this version of fastnet: ",
        ),
        ("good-1/config.json --to c", 3, "good-1/config.json cannot be read: "),
        ("bare --to c", 2, "the weights of member"),
        ("good-1 --to c --member 4", 2, "member must be an integer from 0 to 3, got 4."),
        (
            "good-1/model.npz --to c --member 1",
            2,
            "--member chooses one of a run; good-1/model.npz",
        ),
        ("good-1 --to c -o bare", 1, "-o: bare is a folder; name a file."),
        ("good-1 --to c -o bare/config.json/x.h", 1, "bare/config.json/x.h cannot be written"),
    ],
)
def test_export_errors_are_one_line(command, runs, line, code, message):
    before = below(runs)
    found, out, err = command(line)
    assert (found, out) == (code, "") and err.startswith(f"Error: {message}"), err
    assert err.count("\n") == 1
    assert below(runs) == before
