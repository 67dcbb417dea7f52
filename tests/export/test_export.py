"""Exports: what is written, refused and replaced; npy and Python files; ensembles; dtypes."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exported import (
    C_TOLERANCE,
    COLUMNS,
    MODELS,
    NUMPY_TOLERANCE,
    ONNX_TOLERANCE,
    assert_close,
    below,
    changed,
    columns_of,
    ensemble_of,
    every_model,
    imported,
    needs_cc,
    network,
    run_c,
    run_onnx,
    samples,
    seconds_since_1970,
)

from fastnet import export, files, reference
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.export import facts, forms, python
from fastnet.export.files import ENDINGS
from fastnet.options import methods
from fastnet.options import table as options

MODELS |= {
    f"{name}_{dtype}": network(2, 5, 1, dtype, name)
    for dtype in C_TOLERANCE
    for name in methods.ACTIVATIONS
}


# Logits far apart: exp of them would overflow.
for name in ("sure_float32", "sure_float64"):
    model = MODELS[name]
    MODELS[name] = model._replace(weights=model.weights._replace(W2=1000 * model.weights.W2))


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


# ---------------------------------------------------------------- one Python file


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
