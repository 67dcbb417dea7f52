"""The figures that compare runs."""

import numpy as np
import pytest

import fastnet
from fastnet import figures
from fastnet.figures.compare import n1_axis

alt = pytest.importorskip("altair", reason="figures need the extra [plot]")


@pytest.fixture(scope="module")
def results():
    """Two runs of the same data."""
    given = {"task": 1, "samples": 20, "max_epochs": 5, "optimizer": "sgd", "seeds": 1}
    return {name: fastnet.sweep(n1=n1, **given) for name, n1 in (("a", [2, 4]), ("b", [2, 64]))}


def test_curves_are_the_losses_of_the_best_members(results):
    table = figures.compare_curves.table(results)
    best = results["b"]
    history = best.history(best.best_member)
    np.testing.assert_array_equal(table["loss"][table["run"] == "b"], history.train_loss[1:])
    assert table["epoch"].min() == 1
    spec = figures.compare_curves(results).to_dict()
    assert spec["encoding"]["color"]["scale"]["domain"] == ["a", "b"]


def test_a_wide_range_of_n1_has_a_logarithmic_axis(results):
    spec = figures.compare(results).to_dict()
    x = spec["layer"][0]["encoding"]["x"]
    assert x["scale"]["type"] == "log" and x["axis"]["values"] == [2, 4, 64]
    assert n1_axis(np.arange(1.0, 7.0))["scale"].type == "linear"
    ticks = n1_axis(np.arange(1.0, 200.0))["axis"].values
    assert ticks[:3] == [1, 2, 4] and len(ticks) <= 13
