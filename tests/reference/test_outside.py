"""Ten epochs against losses from another library: see scripts/make_outside_losses.py."""

import json
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet.data import tasks

STORED = json.loads(Path(__file__).parents[1].joinpath("outside_losses.json").read_text())
CASES = STORED["cases"]
# Both sides are float64 and differ in the order of sums: 1e-16 a step, and six digits to spare.
RTOL = 1e-10


def samples_of(case):
    if case["task"] == 1:
        x = np.linspace(-1, 1, case["samples"])
        return x, np.sin(2 * np.pi * x)
    X, labels = tasks.digits()
    return X[: case["samples"]], labels[: case["samples"]]


def trained(case, backend):
    """The case trained by fastnet, from the same initial weights."""
    X, y = samples_of(case)
    return fastnet.train(
        X,
        y,
        loss="squared" if case["task"] == 1 else "cross_entropy",
        n1=case["n1"],
        seeds=[case["seed"]],
        learning_rate=case["learning_rate"],
        clip_norm=case["clip_norm"],
        batch_size=case["batch_size"],
        max_epochs=len(case["losses"]) - 1,
        initial_weights=[case["initial_weights"]],
        dtype="float64",
        backend=backend,
    )


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("name", CASES)
def test_losses_are_those_of_torch(name, backend):
    case = CASES[name]
    result = trained(case, backend)
    np.testing.assert_allclose(result.history().train_loss, case["losses"], rtol=RTOL)
    assert result.best["train_loss"] == pytest.approx(min(case["losses"]), rel=RTOL)


def test_the_cases_clip_some_steps_and_not_others():
    assert all(0 < case["clipped_steps"] < case["steps"] for case in CASES.values())
    assert {(case["task"], case["batch_size"] is None) for case in CASES.values()} == {
        (1, True),
        (1, False),
        (2, True),
        (2, False),
    }
