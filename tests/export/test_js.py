"""The JavaScript module, run by node, and the tests of themselves of the other exports."""

import importlib.util
import json
import shutil
import subprocess

import numpy as np
import pytest

import fastnet
from fastnet import export
from fastnet.data.columns import Column
from fastnet.export import proof
from fastnet.options import methods

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
# float32 weights are read exactly and sums are in double, as predict's: only the order of sums and
# the digits of functions differ. erfc is a formula of 1.2e-7.
TOLERANCE = {"gelu": 1e-6}
RUN = """
import * as net from "./net.mjs";
import fs from "node:fs";
const X = JSON.parse(fs.readFileSync(0));
const names = ["outputs", "predict", "predictProba"].filter((name) => name in net);
const found = Object.fromEntries(names.map((name) => [name, X.map((x) => net[name](x))]));
console.log(JSON.stringify({...found, failed: net.selftest ? net.selftest() : null}));
"""
X = np.random.default_rng(7).normal([20, 3, 1e3], [5, 1, 200], size=(150, 3))
HEAT = X[:, 0] * X[:, 1] + X[:, 2] / 50
KINDS = np.array(["cold", "warm", "hot"])[np.digitize(HEAT, [60, 90])]


def model_of(y, **given):
    given = {"n1": 6, "max_epochs": 100, "optimizer": "lbfgs", "scale": "standard", **given}
    return fastnet.train(X, y, test_fraction=0.2, **given).model()


MODELS = {
    **{
        name: lambda name=name: model_of(HEAT, activation=name, dtype="float64")
        for name in methods.ACTIVATIONS
    },
    "float32": lambda: model_of(HEAT),
    "two numbers": lambda: model_of(np.c_[HEAT, X[:, 1]], scale="clipped"),
    "counts": lambda: model_of(np.round(np.abs(X[:, 1])), loss="poisson"),
    "huber": lambda: model_of(HEAT, loss="huber", optimizer="adam"),
    "classes": lambda: model_of(KINDS),
    "texts": lambda: model_of(np.where(HEAT > 75, 'a"b', "*/")),
    "truth": lambda: model_of(HEAT > 75, loss="binary_cross_entropy"),
    "labels": lambda: model_of(np.c_[HEAT > 75, X[:, 1] > 3], loss="binary_cross_entropy"),
}


def run_node(model, rows, folder):
    export.write(model, "js", folder / "net.mjs")
    (folder / "run.mjs").write_text(RUN)
    text = json.dumps(rows.tolist())
    ran = subprocess.run(
        ["node", "run.mjs"], cwd=folder, input=text, capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout)


@needs_node
@pytest.mark.parametrize("name", MODELS)
def test_the_module_gives_what_predict_gives(name, tmp_path):
    model = MODELS[name]()
    found = run_node(model, X, tmp_path)
    tolerance = TOLERANCE.get(name, 1e-11)
    if model.classes is None and not model.labels:
        wanted = model.predict(X).reshape(len(X), -1)
        scale = np.abs(model.y_shift) + model.y_scale * np.abs(model.weights.W2).max()
        assert (np.abs(np.array(found["predict"]) - wanted) <= tolerance * scale).all()
    else:
        np.testing.assert_allclose(found["predictProba"], model.predict_proba(X), atol=1e-10)
        assert found["predict"] == model.predict(X).tolist()
    assert found["failed"] == 0


@needs_node
def test_the_module_refuses_another_number_of_inputs(tmp_path):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_node(MODELS["float32"](), X[:, :2], tmp_path)
    assert "RangeError: x must have 3 numbers, got 2" in caught.value.stderr


@needs_node
def test_the_module_says_where_it_is_from_and_what_x_is(tmp_path):
    model = MODELS["float32"]()
    columns = tuple(Column(name, "number") for name in ("heat", "*/ //", "wind"))
    model = model._replace(schema=model.schema._replace(columns=columns))
    export.write(model, "js", tmp_path / "net.mjs", about=["Run one", "test: 1"])
    head = (tmp_path / "net.mjs").read_text().split("const")[0]
    assert "// Run one\n// test: 1\n" in head and '//     x[1] "* / //"' in head
    assert 'import { predict } from "./net.mjs"' in head


def test_a_changed_weight_fails_the_test_of_the_module(tmp_path):
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    model = MODELS["float32"]()
    other = model._replace(weights=model.weights._replace(b2=model.weights.b2 + np.float32(0.01)))
    own, wrong = (export.js.module(m, "net.mjs") for m in (model, other))
    text = wrong.split("const tests")[0] + "const tests" + own.split("const tests")[1]
    (tmp_path / "net.mjs").write_text(text)
    (tmp_path / "run.mjs").write_text(RUN)
    ran = subprocess.run(
        ["node", "run.mjs"], cwd=tmp_path, input="[]", capture_output=True, text=True
    )
    assert json.loads(ran.stdout)["failed"] == 8


@pytest.mark.parametrize("name", ["float32", "two numbers", "classes", "labels", "counts"])
def test_the_python_file_tests_itself(name, tmp_path):
    export.write(MODELS[name](), "numpy", tmp_path / "net.py", about=["Run one"])
    spec = importlib.util.spec_from_file_location("net", tmp_path / "net.py")
    net = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(net)
    assert net.selftest() == 0 and "# Run one\n" in (tmp_path / "net.py").read_text()
    net.W2, net.b2 = -net.W2, -net.b2
    assert net.selftest() > 0


def test_the_other_exports_hold_test_vectors_as_well(tmp_path):
    onnx = pytest.importorskip("onnx", reason="fastnet[export] is not installed")
    model = MODELS["float32"]()
    tests = proof.tests(model, np.float32)
    export.write(model, "npy", tmp_path / "net", about=["Run one"])
    np.testing.assert_array_equal(
        np.load(tmp_path / "net" / "test_Y.npy"),
        model.predict(np.load(tmp_path / "net" / "test_X.npy"))[:, None],
    )
    assert json.loads((tmp_path / "net" / "model.json").read_text())["about"] == ["Run one"]
    export.write(model, "onnx", tmp_path / "net.onnx", about=["Run one"])
    told = {p.key: p.value for p in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert json.loads(told["test_X"]) == tests.X.tolist() and told["about"] == "Run one"
    assert json.loads(told["test_Y"]) == tests.Y.tolist()


def test_an_export_says_which_run_and_data_it_is_from(tmp_path):
    run = tmp_path / "heat-20261126-150000"
    result = fastnet.train(X, HEAT, n1=3, max_epochs=5, test_fraction=0.2, out=run)
    lines = export.about(run)
    assert lines[0] == (
        f"Run heat-20261126-150000; SHA-256 of its data: {result.environment['data_sha256']}"
    )
    assert lines[1].startswith("On the test rows: RMSE ") and "(baseline " in lines[1]
    assert export.about(run / "model.npz", result.best_member) == lines
    assert export.about(run, 5) == lines[:1] and export.about(tmp_path / "other.npz") == []
    assert str(export.default_path(run, "js")) == "heat.mjs"
    fastnet.train(X, HEAT, n1=3, max_epochs=5, validation_fraction=0.2, out=tmp_path / "val")
    assert export.about(tmp_path / "val")[1].startswith("On the validation rows: ")


def test_models_and_ensembles_export_themselves(tmp_path):
    result = fastnet.sweep(X, HEAT, n1=3, seeds=2, max_epochs=5)
    for name, model in (("one", result.model()), ("two", result.ensemble("all"))):
        done = model.export("js", tmp_path / f"{name}.mjs")
        assert done["n1"] == 3 * len(getattr(model, "models", [0]))
        assert (tmp_path / f"{name}.mjs").is_file()
