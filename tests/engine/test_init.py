"""How initial weights are drawn, and which given ones are refused; test_plan.py has the rest."""

import numpy as np
import pytest

import fastnet
from fastnet.engine.init import INITS, initial_weights
from fastnet.errors import UsageError


@pytest.mark.parametrize(("init", "variances"), [("he_normal", (2 / 50, 2 / 40))])
def test_normal_weights_have_their_variance(init, variances):
    assert INITS[init].draw == "normal"
    W1, b1, W2, b2 = initial_weights(0, 40, 50, 30, init, "relu")
    for weights, variance in zip((W1, W2), variances):
        np.testing.assert_allclose(weights.var(), variance, rtol=0.15)  # 2 % to 4 % deviation
    assert not b1.any() and not b2.any()


def test_uniform_weights_fill_their_range():
    W1, b1, W2, b2 = initial_weights(0, 40, 50, 30, "glorot_uniform", "tanh")
    for weights in (W1, W2):
        largest = np.sqrt(6 / sum(weights.shape))
        assert 0.99 * largest < np.abs(weights).max() <= largest
    assert not b1.any() and not b2.any()


GOOD = np.zeros((2, 1)), np.zeros(2), np.zeros((1, 2)), np.zeros(1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([GOOD, GOOD], "must have one .* for each of the 1 members, got 2"),
        ([GOOD[:3]], r"initial_weights\[0\] must be \(W1, b1, W2, b2\), got"),
        ([(*GOOD[:3], "x")], r"initial_weights\[0\] must hold numbers, got"),
        ([(*GOOD[:3], np.array([1e39]))], r"b2 has 1e\+39, beyond float32"),
        ([(*GOOD[:3], np.zeros(2))], r"b2 must have shape \(1,\), got \(2,\)"),
    ],
)
def test_given_weights_of_another_kind_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        fastnet.train([[0.0], [1.0]], [0.0, 1.0], n1=2, initial_weights=given, backend="reference")


def test_given_weights_are_where_training_begins():
    given = tuple(np.full_like(array, 0.5) for array in GOOD)
    result = fastnet.train(
        [[0.0], [1.0]], [0.0, 1.0], n1=2, max_epochs=1, initial_weights=[given],
        learning_rate=1e-12, backend="reference",
    )  # fmt: skip
    for array, wanted in zip(result.weights(), given):
        np.testing.assert_allclose(array, wanted, rtol=1e-6)
