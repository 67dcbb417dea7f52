"""Networks in integers: the C code gives the very integers of its twin, and is nearly as good."""

import shutil
import subprocess

import numpy as np
import pytest

import fastnet
from fastnet import export
from fastnet.data.sources import run_samples
from fastnet.errors import UsageError
from fastnet.export import facts, fixed

STRICT = (
    "-pedantic -Wall -Wextra -Werror -Wconversion -Wshadow -Wundef -Wcast-qual -DNET_SELFTEST -O1"
).split()
MAIN = """
#include <stdio.h>
#include "net.h"
int main(void)
{
    net_number x[NET_INPUTS];
    while (fread(x, sizeof x, 1, stdin) == 1) {
        int16_t q[NET_INPUTS];
        int32_t y[NET_OUTPUTS];
        net_quantize(x, q);
        net_integers(q, y);
        fwrite(q, sizeof q, 1, stdout);
        fwrite(y, sizeof y, 1, stdout);
    }
    return net_selftest();
}
"""
BARE = """
#include "net.h"
volatile int16_t given[NET_INPUTS];
volatile int32_t got[NET_OUTPUTS];
int main(void)
{
    int16_t q[NET_INPUTS];
    int32_t y[NET_OUTPUTS];
    for (int j = 0; j < NET_INPUTS; j++)
        q[j] = given[j];
    net_integers(q, y);
    got[0] = y[0];
    return 0;
}
"""
ROWS = np.random.default_rng(7).normal([20, 3, 1e3], [5, 1, 200], size=(1000, 3))
HEAT = ROWS[:, 0] * ROWS[:, 1] + ROWS[:, 2] / 50
needs_cc = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
LANGUAGES = {
    "c99": ["cc", "-std=c99", "-Wmissing-prototypes"],
    "c++17": ["c++", "-std=c++17", "-Wold-style-cast", "-x", "c++"],
}


def model_of(y, X=ROWS, **given):
    given = {"n1": 8, "max_epochs": 200, "optimizer": "lbfgs", "scale": "standard", **given}
    return fastnet.train(X, y, test_fraction=0.2, **given).model()


KINDS = np.array(["cold", "warm", "hot"])[np.digitize(HEAT, [60, 90])]
FAR = np.c_[ROWS[:, :2], 1.7e9 + 5e3 * ROWS[:, 2]]
MODELS = {
    **{
        name: lambda name=name: model_of(HEAT, activation=name)
        for name in (*fixed.SATURATES, *fixed.SLOPES)
    },
    "two numbers": lambda: model_of(np.c_[HEAT, ROWS[:, 1]], scale="clipped"),
    "three classes": lambda: model_of(KINDS, l2=1e-3),
    "two classes": lambda: model_of(HEAT > 75, loss="binary_cross_entropy", l2=1e-3),
    "double": lambda: model_of(HEAT, dtype="float64"),
    "far": lambda: model_of(HEAT, FAR),
}


@needs_cc
@pytest.mark.parametrize("kind", fixed.BITS)
@pytest.mark.parametrize("name", MODELS)
def test_c_gives_the_integers_of_the_twin(name, kind, tmp_path):
    """Also for rows outside the training range, which saturate."""
    model = MODELS[name]()
    done = export.write(model, "c", tmp_path / "net.h", quantize=kind)
    wide = model.x_shift + 3 * (ROWS - ROWS.mean(axis=0)) / ROWS.std(axis=0) * model.x_scale
    X = wide.astype(done["input_dtype"])
    network = fixed.fixed_of(facts.with_all_logits(model), kind)
    (tmp_path / "main.c").write_text(MAIN)
    command = [*LANGUAGES["c99"], *STRICT, "main.c", "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    ran = subprocess.run([tmp_path / "program"], input=X.tobytes(), capture_output=True, check=True)
    k = network.b2.size
    found = np.frombuffer(ran.stdout, np.dtype([("q", np.int16, 3), ("y", np.int32, k)], False))
    q = network.inputs(X)
    np.testing.assert_array_equal(found["q"], q)
    np.testing.assert_array_equal(found["y"].reshape(-1, k), network.outputs(q))
    assert np.abs(q).max() == fixed.TOP


@needs_cc
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", ["sigmoid", "leaky_relu", "three classes"])
def test_the_header_is_strict_and_tests_itself(name, language, tmp_path):
    for kind in fixed.BITS:
        export.write(MODELS[name](), "c", tmp_path / "net.h", True, quantize=kind)
        (tmp_path / "main.c").write_text(MAIN)
        command = [*LANGUAGES[language], *STRICT, "main.c", "-o", "program"]
        subprocess.run(command, cwd=tmp_path, check=True)
        ran = subprocess.run([tmp_path / "program"], input=b"", capture_output=True)
        assert ran.returncode == 0


@pytest.mark.parametrize("name", MODELS)
def test_integers_are_nearly_as_good_as_float(name):
    """In units of the predictions' spread: 16 bits to 0.2 %, 8 bits, 7 of each weight, to 5 %."""
    model, X = MODELS[name](), FAR if name == "far" else ROWS
    full = facts.with_all_logits(model)
    exact = full.outputs(X) if model.classes is not None else model.predict(X).reshape(1000, -1)
    for kind, share in (("int16", 2e-3), ("int8", 0.05)):
        network = fixed.fixed_of(full, kind)
        inside = np.abs(network.inputs(X)).max(axis=1) < fixed.TOP
        off = (network.predicted(X) - exact)[inside]
        assert np.sqrt((off**2).mean()) <= share * exact.std()


def test_a_table_tells_size_and_accuracy_before_you_choose(tmp_path):
    model, y = MODELS["three classes"](), KINDS
    done = export.write(model, "c", tmp_path / "net.h", quantize="int8", rows=(ROWS, y))
    table = {row["kind"]: row for row in done["quantized"]}
    assert list(table) == ["float32", "int8", "int16"]
    assert table["float32"]["accuracy"] == pytest.approx((model.predict(ROWS) == y).mean())
    assert table["float32"]["accuracy"] - table["int8"]["accuracy"] <= 0.01
    assert export.write(model, "c", tmp_path / "net.h", True)["quantized"] is None
    done = export.write(MODELS["relu"](), "c", tmp_path / "net.h", True, quantize="int16")
    assert done["quantized"][0]["rmse"] == pytest.approx(0, abs=1e-9)  # its own predictions


@pytest.mark.parametrize(
    "given, kind, message",
    [
        (
            {"activation": "gelu"},
            "int8",
            "--quantize: activation gelu cannot be computed in integers",
        ),
        (
            {"n1": 300, "max_epochs": 2},
            "int8",
            "--quantize int8 takes at most 256 inputs and hidden",
        ),
        ({}, "int4", "quantize must be one of int8, int16, got 'int4'"),
    ],
)
def test_what_has_no_form_in_integers_is_refused(given, kind, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        export.write(model_of(HEAT, **given), "c", tmp_path / "net.h", quantize=kind)
    assert not (tmp_path / "net.h").exists()


def test_losses_that_need_exp_are_refused(tmp_path):
    counts = model_of(np.round(np.abs(ROWS[:, 1])), loss="poisson")
    labels = model_of(np.c_[HEAT > 75, ROWS[:, 1] > 3], loss="binary_cross_entropy")
    for model, what in ((counts, "loss poisson"), (labels, "several labels")):
        with pytest.raises(UsageError, match=f"--quantize: {what} needs exp after the network"):
            export.write(model, "c", tmp_path / "net.h", quantize="int8")


def test_a_bias_that_is_large_beside_its_weights_fits():
    """So do those of a unit whose weights are all 0."""
    model = MODELS["relu"]()
    W1, b1 = model.weights.W1.copy(), model.weights.b1.copy()
    W1[0], b1[0], W1[1], b1[1] = 1e-9, 2.0, 0.0, 3.0
    model = model._replace(weights=model.weights._replace(W1=W1, b1=b1))
    exact = model.predict(ROWS)
    for kind, share in (("int16", 2e-3), ("int8", 0.05)):
        network = fixed.fixed_of(model, kind)
        assert np.abs(network.b1).max() <= fixed.MOST_BIAS[kind]
        inside = np.abs(network.inputs(ROWS)).max(axis=1) < fixed.TOP
        off = (network.predicted(ROWS)[:, 0] - exact)[inside]
        assert np.sqrt((off**2).mean()) <= share * exact.std()


def test_integers_are_for_c_alone(tmp_path):
    with pytest.raises(UsageError, match="--quantize int8 is for --to c alone, not for onnx"):
        export.write(MODELS["relu"](), "onnx", tmp_path / "net", quantize="int8")
    model = fastnet.train(ROWS, HEAT, n1=3, max_epochs=9, validation_fraction=0.3).model()
    with pytest.raises(UsageError, match="--quantize int8 is for --to c alone, not for --interval"):
        export.write(model, "c", tmp_path / "net", quantize="int8", interval=0.9)


@pytest.mark.skipif(shutil.which("avr-gcc") is None, reason="avr-gcc is not installed")
@pytest.mark.parametrize("kind", fixed.BITS)
def test_an_avr_takes_it_without_floating_point(kind, tmp_path):
    done = export.write(MODELS["sigmoid"](), "c", tmp_path / "net.h", quantize=kind)
    (tmp_path / "main.c").write_text(BARE)
    flags = [flag for flag in STRICT if flag not in ("-O1", "-DNET_SELFTEST")]
    command = ["avr-gcc", "-mmcu=atmega328p", "-Os", "-std=c99", "-DNET_NO_FLOAT", *flags]
    subprocess.run([*command, "main.c", "-o", "program"], cwd=tmp_path, check=True)
    told = subprocess.run(["avr-size", "program"], cwd=tmp_path, capture_output=True, text=True)
    text, data, bss = map(int, told.stdout.splitlines()[1].split()[:3])
    symbols = subprocess.run(["avr-nm", "program"], cwd=tmp_path, capture_output=True, text=True)
    assert "__addsf3" not in symbols.stdout and data + bss < 40
    constants = next(row for row in done["quantized"] if row["kind"] == kind)["constant_bytes"]
    assert text < constants + 4000


def test_digits_lose_at_most_one_percent():
    result = fastnet.train(task=2)
    model = result.model()
    X, Y, _ = run_samples(result).weighted("test")
    rows = X, model.classes[Y.argmax(axis=1)]
    table = {row["kind"]: row for row in fixed.compare(facts.with_all_logits(model), rows)}
    assert table["float32"]["accuracy"] - table["int8"]["accuracy"] <= 0.01
    assert abs(table["float32"]["accuracy"] - table["int16"]["accuracy"]) <= 0.005


@needs_cc
def test_labels_come_out_as_they_are(tmp_path):
    """Neither an @ nor the prefix of the template's names is special in a label."""
    labels = np.array(["net_cold", "a@top", "NET_HOT"])[np.digitize(HEAT, [60, 90])]
    export.write(model_of(labels, l2=1e-3), "c", tmp_path / "oven.h", quantize="int8")
    text = (tmp_path / "oven.h").read_text()
    assert all(f'"{label}"' in text for label in labels) and "net_integers" not in text
    (tmp_path / "main.c").write_text(MAIN.replace("net", "oven").replace("NET", "OVEN"))
    command = [*LANGUAGES["c99"], *STRICT, "-DOVEN_SELFTEST", "main.c", "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert subprocess.run([tmp_path / "program"], input=b"").returncode == 0
