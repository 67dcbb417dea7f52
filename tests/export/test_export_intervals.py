"""Intervals in every export: the ends are those of Model.predict_interval."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from exported import (
    C_TOLERANCE,
    CC,
    NUMPY_TOLERANCE,
    ONNX_TOLERANCE,
    assert_close,
    ensemble_of,
    imported,
    needs_cc,
    network,
    samples,
    scaled_outputs,
)

import fastnet
from fastnet import export
from fastnet.errors import UsageError
from fastnet.results.intervals import Calibration

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
MAIN_C = """
#include <stdio.h>
#include "net.h"
int main(void)
{
    net_number x[NET_INPUTS], ends[2][NET_OUTPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        net_interval(x, ends[0], ends[1]);
        fwrite(ends, sizeof ends, 1, stdout);
    }
    return 0;
}
"""
MAIN_JS = """
import { predictInterval } from "./net.mjs";
import fs from "node:fs";
const rows = JSON.parse(fs.readFileSync(0));
const ends = rows.map(predictInterval);
console.log(JSON.stringify(ends.map((end) => [end.lower, end.upper])));
"""


def calibrated(k, dtype, **more):
    """A model of k numbers with errors on 20 validation rows, those of counts are large."""
    errors = np.sort(np.random.default_rng(k).uniform(1, 9, (20, k)), axis=0)
    return network(3, 5, k, dtype, **more)._replace(calibration=Calibration(errors))


MODELS = {
    "one": calibrated(1, "float32", **scaled_outputs(1)),
    "two": calibrated(2, "float64", **scaled_outputs(2)),
    "counts": calibrated(1, "float32", loss="poisson"),
}
every_model = pytest.mark.parametrize("name", MODELS)


def expected(model, X):
    """Lower and upper ends, shape (2, n, k)."""
    ends = np.array(model.predict_interval(X, 0.9))
    return ends.reshape(2, len(X), -1)


def test_some_ends_of_counts_are_cut():
    model = MODELS["counts"]
    assert expected(model, samples(model))[0].min() == 0


@every_model
def test_intervals_of_the_python_file(name, tmp_path):
    model, X = MODELS[name], samples(MODELS[name])
    export.write(model, "numpy", tmp_path / "net.py", interval=0.9)
    found = imported(tmp_path / "net.py").predict_interval(X)
    assert_close(np.array(found).reshape(2, len(X), -1), expected(model, X), NUMPY_TOLERANCE)


@needs_cc
@every_model
def test_intervals_of_the_header(name, tmp_path):
    model, X = MODELS[name], samples(MODELS[name])
    export.write(model, "c", tmp_path / "net.h", interval=0.9)
    (tmp_path / "main.c").write_text(MAIN_C)
    program = tmp_path / "program"
    subprocess.run([*CC, tmp_path / "main.c", "-lm", "-o", program], check=True)
    ran = subprocess.run([program], input=X.tobytes(), capture_output=True, check=True)
    found = np.frombuffer(ran.stdout, X.dtype).reshape(len(X), 2, -1).swapaxes(0, 1)
    assert_close(found, expected(model, X), C_TOLERANCE[str(X.dtype)])
    assert "90 %" in (tmp_path / "net.h").read_text()


@needs_node
@every_model
def test_intervals_of_the_module(name, tmp_path):
    model, X = MODELS[name], samples(MODELS[name])
    export.write(model, "js", tmp_path / "net.mjs", interval=0.9)
    (tmp_path / "run.mjs").write_text(MAIN_JS)
    given = {"input": json.dumps(X.tolist()), "capture_output": True, "text": True, "check": True}
    ran = subprocess.run(["node", "run.mjs"], cwd=tmp_path, **given)
    found = np.array(json.loads(ran.stdout)).swapaxes(0, 1)
    assert_close(found, expected(model, X), C_TOLERANCE[str(X.dtype)])


@every_model
def test_intervals_in_onnx(name, tmp_path):
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    model, X = MODELS[name], samples(MODELS[name])
    export.write(model, "onnx", tmp_path / "net.onnx", interval=0.9)
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    assert [out.name for out in session.get_outputs()] == ["variable", "lower", "upper"]
    found = session.run(["lower", "upper"], {"X": X})
    tolerance = 20 * ONNX_TOLERANCE[str(X.dtype)]  # y_scale is 20
    assert_close(np.array(found), expected(model, X), tolerance)


def test_npy_has_half_the_widths(tmp_path):
    model = MODELS["two"]
    export.write(model, "npy", tmp_path / "net", interval=0.8, fold=True)
    told = json.loads((tmp_path / "net" / "model.json").read_text())["interval"]
    assert told == {"level": 0.8, "half_width": model.calibration.quantile(0.8).tolist()}
    export.write(model, "npy", tmp_path / "plain")
    assert "interval" not in json.loads((tmp_path / "plain" / "model.json").read_text())


def test_intervals_of_an_ensemble_have_one_width(tmp_path):
    found, X = ensemble_of()
    rng = np.random.default_rng(0)
    errors, spread = rng.uniform(1, 2, (20, 2)), rng.uniform(1, 2, (20, 2))
    found = found._replace(calibration=Calibration(errors, spread, np.ones(2)))
    export.write(found, "numpy", tmp_path / "net.py", interval=0.9)
    lower, upper = imported(tmp_path / "net.py").predict_interval(X)
    half = Calibration(errors).quantile(0.9)
    np.testing.assert_allclose(upper - lower, np.broadcast_to(2 * half, lower.shape), rtol=1e-9)


@pytest.mark.parametrize("to", ["c", "numpy", "js", "npy"])
def test_what_has_no_interval_is_refused(to, tmp_path):
    classes = network(3, 4, 2, classes=["a", "b"])
    held = classes._replace(calibration=Calibration(np.full((20, 1), 0.1)))
    for model, level, message in (
        (held, 0.9, r"interval 0\.9: classes have sets in place of intervals, which are not"),
        (network(3, 4, 1), 0.9, "an interval needs the errors on validation rows, and this model"),
        (
            MODELS["one"],
            0.99,
            r"interval 0\.99 needs at least 99 validation rows, and there are 20",
        ),
        (MODELS["one"], 1, "interval must be between 0 and 1"),
    ):
        with pytest.raises(UsageError, match=message):
            export.write(model, to, tmp_path / "net.py", interval=level)
    assert not list(tmp_path.iterdir())


def test_the_command_writes_them(command):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    fastnet.sweep(X, X[:, 0], n1=2, max_epochs=5, validation_fraction=0.25, out="run")
    assert command("export run --to numpy --interval 0.9").code == 0
    found = imported(Path("run.py").absolute()).predict_interval(X)
    wanted = fastnet.load("run").model().predict_interval(X, 0.9)
    assert_close(np.array(found), np.array(wanted), NUMPY_TOLERANCE)
    got = command("export run --to c --interval 0.99 -o n.h")
    assert got.code == 2 and "needs at least 99 validation rows" in got.err
