"""Shares of the variance of the losses: which setting mattered."""

import math

import numpy as np
import pytest
from test_answer import members, options

import fastnet
from fastnet import report
from fastnet.results.variance import obstacle, sentence, variance_shares

ASKED = options(n1=[2, 4], learning_rate=[0.1, 0.3], seeds=[0, 1])


def grid(log_loss, **same):
    """Members of two N1, two learning rates and two seeds; log_loss(n1, rate, seed) of each."""
    cells = [(n1, rate, seed) for n1 in (2, 4) for rate in (0.1, 0.3) for seed in (0, 1)]
    rows = [(n1, "max_epochs", math.exp(log_loss(n1, rate, s)), 99) for n1, rate, s in cells]
    found = members(*rows)
    found["learning_rate"], found["seed"] = ([cell[i] for cell in cells] for i in (1, 2))
    for name, value in same.items():
        found[name] = value
    return found


def test_shares_by_hand():
    # Effects of 3, 2, 1 and 0.5 on each side: the parts of the sum of squares are their squares.
    def log_loss(n1, rate, seed):
        a, b, c = (1 if high else -1 for high in (n1 == 4, rate == 0.3, seed))
        return -5 + 3 * a + 2 * b + 1 * a * b + 0.5 * c

    found = variance_shares(grid(log_loss), ASKED)
    assert found["of"] == "log loss"
    total = 9 + 4 + 1 + 0.25
    assert found["shares"] == pytest.approx(
        {
            "n1": 9 / total,
            "learning_rate": 4 / total,
            "combinations": 1 / total,
            "seeds": 0.25 / total,
        }
    )
    assert sentence(grid(log_loss), ASKED) == (
        "What mattered, in shares of the variance of the log loss: N1 63 %, learning_rate 28 %, "
        "their combinations 7 %, seeds 2 %."
    )


def test_shares_sum_to_1_whatever_the_losses(rng):
    shares = variance_shares(grid(lambda *cell: rng.normal()), ASKED)["shares"]
    assert sum(shares.values()) == pytest.approx(1) and min(shares.values()) >= 0


def test_ranks_take_the_place_of_losses_that_have_no_logarithm():
    run = grid(lambda n1, rate, seed: n1 + rate + seed / 100)
    run["train_loss"][-2:] = math.nan
    run["stop_reason"][-2:] = "diverged"
    found = variance_shares(run, ASKED)
    assert found["of"] == "rank of the loss"
    # Ranks 1, 2, 3, 4, 5, 6 and twice 7.5 in the order of the members.
    ranks = np.array([1, 2, 3, 4, 5, 6, 7.5, 7.5]) - 4.5
    total, by_n1 = ranks @ ranks, 4 * (ranks[:4].mean() ** 2 + ranks[4:].mean() ** 2)
    assert found["shares"]["n1"] == pytest.approx(by_n1 / total)
    below_zero = grid(lambda n1, rate, seed: n1 + rate + seed / 100)
    below_zero["train_loss"] *= -1
    assert variance_shares(below_zero, ASKED)["of"] == "rank of the loss"


@pytest.mark.parametrize(
    "run, asked, why",
    [
        (
            grid(lambda *cell: cell[0])[:7],
            ASKED,
            "its settings are not all combined with each other",
        ),
        (grid(lambda *cell: 1.0), ASKED, "all losses are equal"),
        (
            grid(lambda *cell: cell[0], stop_reason="time_limit"),
            ASKED,
            "some members ran out of time",
        ),
        (grid(lambda *cell: cell[0])[:2], ASKED, "all members have the same settings"),
    ],
)
def test_where_it_does_not_apply_it_says_why(run, asked, why):
    assert variance_shares(run, asked) is None
    assert obstacle(run, asked).startswith(why)
    expected = "" if "same" in why else f"Which setting mattered is not known: {why}"
    assert sentence(run, asked).startswith(expected)


def test_one_axis_has_shares_but_needs_no_sentence():
    run = grid(lambda n1, rate, seed: n1 + 0.1 * seed)[[0, 1, 4, 5]]
    assert set(variance_shares(run, ASKED)["shares"]) == {"n1", "combinations", "seeds"}
    assert sentence(run, ASKED) == ""


def test_a_sweep_says_which_setting_mattered(tmp_path):
    x = np.linspace(-1, 1, 40)
    given = {"n1": [1, 6], "seeds": 2, "optimizer": ["lm", "lbfgs"], "max_epochs": 20}
    result = fastnet.sweep(x, np.sin(5 * x), **given, out=tmp_path / "run")
    shares = result.variance_shares()["shares"]
    assert set(shares) == {"n1", "optimizer", "combinations", "seeds"}
    assert max(shares, key=shares.get) == "n1"
    summary = fastnet.load(tmp_path / "run").summary()
    assert summary["variance_shares"]["shares"] == shares
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    assert "What mattered, in shares of the variance of the log loss: N1 " in report.report(
        result
    ).decode("utf-8")
