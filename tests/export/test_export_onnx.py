"""ONNX graphs: onnxruntime gives the numbers of Model.predict."""

import json
import sys

import numpy as np
import pytest
from exported import (
    ERF_TOLERANCE,
    MODELS,
    ONNX_TOLERANCE,
    assert_close,
    columns_of,
    dtype_of,
    every_model,
    numbers_of,
    run_onnx,
    samples,
    seconds_since_1970,
)

from fastnet import export
from fastnet.errors import FastnetError
from fastnet.export import onnx

# ---------------------------------------------------------------- C


def test_onnx_takes_double_for_inputs_far_from_0(tmp_path):
    pytest.importorskip("onnxruntime")
    model = seconds_since_1970()
    X = 1.7e9 + np.arange(0.0, 10_000.0, 61.0)[:, None]
    found, _ = run_onnx(model, X, tmp_path)
    assert_close(found["variable"], columns_of(model.predict(X)), ONNX_TOLERANCE["float32"])


# ---------------------------------------------------------------- ONNX


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
