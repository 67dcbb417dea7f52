"""What tests of exports share: models, how they are run, and how far numbers may be off."""

import importlib.util
import shutil
import subprocess

import numpy as np
import pytest

from fastnet import export
from fastnet.data.checks import unnamed_features
from fastnet.data.scaling import Limits, Ranges, Scaling
from fastnet.data.schema import Column, Schema
from fastnet.engine.layout import Weights
from fastnet.export import facts
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


def seconds_since_1970():
    """A model of an input that float32 cannot hold: neighbours in it are 128 seconds apart."""
    return network(1, 8, 1, x_shift=np.array([1.7e9]), x_scale=np.array([5e3]))


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


def imported(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def below(folder):
    """Every file with its bytes."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def ensemble_of(counts=(2, 1, 1), **more):
    """Members of several widths, the first picked twice, and inputs for them."""
    models = [network(3, n1, 2, **more, **scaled_outputs(2)) for n1 in (4, 5, 9)]
    models = tuple(model._replace(schema=models[0].schema) for model in models)
    return Ensemble(models, (7, 2, 0), counts, models[0].schema, {}), samples(models[0])
