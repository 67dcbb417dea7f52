"""The C header: it is compiled strictly, and gives the numbers of Model.predict."""

import subprocess

import numpy as np
import pytest
from exported import (
    C_FLOAT_TOLERANCE,
    C_TOLERANCE,
    CC,
    MODELS,
    assert_close,
    columns_of,
    dtype_of,
    every_model,
    needs_cc,
    network,
    numbers_of,
    run_c,
    samples,
    seconds_since_1970,
)

import fastnet
from fastnet import export
from fastnet.export.text import identifier
from fastnet.options import methods


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


@needs_cc
def test_the_header_takes_double_for_inputs_far_from_0(tmp_path):
    model = seconds_since_1970()
    X = 1.7e9 + np.arange(0.0, 10_000.0, 61.0)[:, None]
    numbers, _ = run_c(model, X, tmp_path)
    assert_close(numbers[:, 0], columns_of(model.predict(X)), C_TOLERANCE["float32"])


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
