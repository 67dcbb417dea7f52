"""The worked example of docs/extending.md does what the page says."""

import re
from pathlib import Path

import numba
import numpy as np
import pytest

import fastnet
from fastnet import gradcheck, reference
from fastnet.engine import activations
from fastnet.native import choice
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES, load, store
from fastnet.options import methods
from fastnet.options import table as options
from fastnet.training import plan

PAGE = Path(__file__).resolve().parents[1] / "docs" / "extending.md"
# One activation in two ways, over a few epochs in float64.
RTOL = 1e-10


@pytest.fixture
def softsign(monkeypatch):
    """The page's two pieces of code in the modules that they are for, and the rows."""
    plain, compiled = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    spaces = {}
    for module, code in ((reference.activations, plain), (activations, compiled)):
        spaces[module] = dict(vars(module))
        exec(code, spaces[module])
    functions = [[space[n] for n in ("softsign", "softsign_slope")] for space in spaces.values()]
    row = {"value": functions[1][0], "slope": functions[1][1], "needs_z": False}
    made = choice.table("activation", softsign=row)
    monkeypatch.setitem(
        reference.activations.ACTIVATIONS,
        "softsign",
        reference.activations.Activation(*functions[0]),
    )
    monkeypatch.setitem(activations.ACTIVATIONS, "softsign", made["softsign"])
    names = (*methods.ACTIVATIONS, "softsign")
    for module in ("options.table", "training.training", "engine.init", "gradcheck"):
        monkeypatch.setattr(f"fastnet.{module}.ACTIVATIONS", names)
    monkeypatch.setitem(plan.CODES, "activation", names)
    wider = options.OPTIONS["activation"]._replace(choices=names)
    monkeypatch.setitem(options.OPTIONS, "activation", wider)
    yield "softsign"
    del choice.KNOWN["activation", "softsign"]


@compile_for_python
def run_activation(activation, z, h, slopes):
    for i in range(0, z.size, LANES):
        store(h, i, activation.value(load(z, i)))
        store(slopes, i, activation.slope(load(z, i), load(h, i)))


def test_the_compiled_example_is_its_formula(softsign):
    z = np.linspace(-9, 9, 4 * LANES)
    h, slopes = np.empty_like(z), np.empty_like(z)
    run_activation(activations.ACTIVATIONS[softsign], z, h, slopes)
    value, slope = reference.activations.ACTIVATIONS[softsign]
    np.testing.assert_allclose(h, value(z), rtol=RTOL)
    np.testing.assert_allclose(slopes, slope(z, h), rtol=RTOL)


@pytest.mark.skipif(
    not numba.config.DISABLE_JIT, reason="the kernels' cache cannot see an edit of the page"
)
def test_the_example_trains_as_its_formula_does(softsign):
    x = np.linspace(-1, 1, 50)
    given = {"activation": ["tanh", softsign], "n1": 4, "max_epochs": 8, "dtype": "float64"}
    runs = [fastnet.sweep(x, x**2, backend=b, **given) for b in ("kernels", "reference")]
    losses = [run.history(1).train_loss for run in runs]
    np.testing.assert_allclose(*losses, rtol=RTOL)
    assert losses[0][-1] < losses[0][0] and losses[0][-1] != runs[0].history(0).train_loss[-1]


def test_the_examples_gradients_are_right(softsign):
    assert gradcheck.check("squared", softsign, d=2, n1=5, k=1)["passed"]
