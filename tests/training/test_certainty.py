"""The evidence for and against a success rate, and the bounds made of it."""

import math

import numpy as np
import pytest

from fastnet.training.certainty import bounds, evidence_above, evidence_below


def mean_ratio(successes, n, rate, low, high):
    """The log of the mean likelihood ratio over q in (low, high), by the midpoint rule."""
    q = low + (np.arange(200_000) + 0.5) / 200_000 * (high - low)
    logs = successes * np.log(q / rate) + (n - successes) * np.log((1 - q) / (1 - rate))
    return math.log(np.exp(logs).mean())


@pytest.mark.parametrize("rate", [0.3, 0.9])
@pytest.mark.parametrize(("successes", "n"), [(0, 7), (9, 10), (10, 10), (60, 80), (79, 80)])
def test_evidence_is_the_mean_likelihood_ratio(successes, n, rate):
    above = mean_ratio(successes, n, rate, rate, 1.0)
    below = mean_ratio(successes, n, rate, 0.0, rate)
    # the midpoint rule with 200,000 points is that exact for these smooth functions
    assert evidence_above(successes, n, rate) == pytest.approx(above, abs=1e-6)
    assert evidence_below(successes, n, rate) == pytest.approx(below, abs=1e-6)


def test_long_runs_neither_overflow_nor_vanish():
    # the mean of ((1 - q) / 0.1)^n over q from 0.9 to 1 is 1 / (n + 1)
    assert evidence_above(0, 100_000, 0.9) == pytest.approx(-math.log(100_001), abs=1e-6)
    assert evidence_below(0, 100_000, 0.9) > 1e5
    low, high = bounds(90_000, 100_000, 0.01)
    assert 0.89 < low < 0.9 < high < 0.91


def test_a_true_rate_is_excluded_in_few_of_many_sequences_however_often_one_looks():
    rng, error, n, excluded = np.random.default_rng(5), 0.1, 300, 0
    for _ in range(400):
        sums = np.cumsum(rng.random(n) < 0.8)
        looks = range(4, n, 5)
        excluded += any(evidence_above(int(sums[i]), i + 1, 0.8) >= -math.log(error) for i in looks)
    # Ville: at most 10 %; the binomial standard deviation of 400 sequences is 1.5 %.
    assert excluded / 400 < 0.1 + 3 * 0.015


@pytest.mark.parametrize(("successes", "n"), [(1, 2), (5, 5), (0, 5), (437, 500)])
def test_bounds_are_where_the_evidence_suffices(successes, n):
    low, high = bounds(successes, n, 0.05)
    share = successes / n
    assert low <= share <= high
    limit = -math.log(0.05)
    if successes:
        assert evidence_above(successes, n, low - 1e-6) >= limit
        assert evidence_above(successes, n, low + 1e-6) < limit
    if successes < n:
        assert evidence_below(successes, n, high + 1e-6) >= limit
        assert evidence_below(successes, n, high - 1e-6) < limit


def test_nothing_is_known_before_the_first_throw():
    assert bounds(0, 0, 0.05) == (0.0, 1.0)
    assert bounds(0, 5, 0.05)[0] == 0.0
    assert bounds(5, 5, 0.05)[1] == 1.0
