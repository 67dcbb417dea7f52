"""The answer without a target: the smallest N1 that comes close to the best, pair by pair."""

import math

import numpy as np
import pytest
from test_answer import members, options

import fastnet
from fastnet.errors import UsageError
from fastnet.results import answer
from fastnet.results.closeness import closeness


def table(losses, **same):
    """Members without a target: losses by N1, one per seed."""
    rows = [(n1, "max_epochs", x, 99) for n1, each in losses.items() for x in each]
    found = members(*rows, target_loss=-math.inf, **same)
    found["seed"] = [seed for each in losses.values() for seed in range(len(each))]
    return found


ASKED = options(n1=[2, 4, 8], target_loss=None)


def test_the_smallest_within_the_share_is_named():
    # N1 = 4 exceeds the best by 4 %, 6 % and 2 %, seed by seed; N1 = 2 is far away.
    run = table({2: [0.5, 0.6, 0.7], 4: [0.104, 0.212, 0.306], 8: [0.1, 0.2, 0.3]})
    found = closeness(run, ASKED)
    assert (found["n1"], found["best_n1"], found["pairs"], found["close_pairs"]) == (4, 8, 3, 2)
    assert found["excess"] == pytest.approx(0.04)
    assert answer.sentence(run, ASKED) == (
        "N1 = 4 is within 5 % of the best (N1 = 8): the median loss is 0.212 against 0.2, "
        "and within 5 % for 2 of 3 seeds. 8 is the largest that was tried. How sure: fastnet "
        "smallest with --target-loss 0.21."
    )
    assert answer.answered_n1(run, ASKED) == 4
    strict = {**ASKED, "within": 0.03}
    assert closeness(run, strict)["n1"] == 8
    assert answer.sentence(run, strict).startswith(
        "No N1 below the best (8) comes within 3 % of its median loss, 0.2. 8 is the largest"
    )


def test_pairs_decide_and_not_the_two_medians():
    # The medians are 0.21 and 0.2, but for two of three seeds N1 = 2 is far worse.
    run = table({2: [0.21, 0.31, 0.12], 4: [0.1, 0.2, 0.3]})
    assert (closeness(run, ASKED)["n1"], closeness(run, ASKED)["excess"]) == (4, 0)


def test_a_diverged_member_is_not_close():
    run = table({2: [0.1, math.nan, math.nan], 4: [0.1, 0.2, 0.3]})
    assert closeness(run, ASKED)["n1"] == 4
    run = table({2: [0.1, 0.2, math.nan], 4: [0.1, 0.2, 0.3]})
    assert (closeness(run, ASKED)["n1"], closeness(run, ASKED)["close_pairs"]) == (2, 2)


def test_losses_below_zero_have_a_share_as_well():
    run = table({2: [-0.97, -1.95], 4: [-1.0, -2.0]})
    assert closeness(run, ASKED)["excess"] == pytest.approx(0.0275)
    assert closeness(run, ASKED)["n1"] == 2
    assert answer.sentence(run, ASKED).endswith("2 seeds. 4 is the largest that was tried.")


def test_settings_are_compared_as_well():
    run = table({2: [0.5, 0.1], 4: [0.1, 0.1]})
    run["learning_rate"], run["seed"] = [0.1, 0.3, 0.1, 0.3], 0
    asked = options(n1=[2, 4], learning_rate=[0.1, 0.3], target_loss=None)
    found = closeness(run, asked)
    assert (found["n1"], found["setting"]) == (2, {"learning_rate": 0.3})
    assert answer.sentence(run, asked).startswith(
        "N1 = 2 with learning_rate 0.3, the smallest that was tried, is the best: its median loss"
    )


def test_settings_that_were_pruned_are_left_out():
    run = table({2: [0.5, 0.102], 4: [0.01, 0.1]})
    run["learning_rate"], run["seed"] = [0.1, 0.3, 0.1, 0.3], 0
    asked = options(n1=[2, 4], learning_rate=[0.1, 0.3], target_loss=None)
    run["stop_reason"][[0, 2]] = "pruned"
    found = closeness(run, asked)
    assert (found["n1"], found["best_n1"], found["best_loss"]) == (2, 4, 0.1)
    run["stop_reason"][1] = "pruned"  # nothing is left of N1 = 2
    assert closeness(run, asked) is None


@pytest.mark.parametrize(
    "run, asked",
    [
        (table({4: [0.1, 0.2]}), ASKED),
        (table({2: [math.nan], 4: [math.nan]}), ASKED),
        (table({2: [0.1], 4: [0.1]}, stop_reason="time_limit"), ASKED),
        (table({2: [0.1], 4: [0.1]}), options(n1=[2, 4])),
    ],
    ids=["one N1", "all diverged", "cut short", "with a target"],
)
def test_where_closeness_is_not_the_question(run, asked):
    assert closeness(run, asked) is None


def test_task_2_has_an_answer_by_default(tmp_path):
    given = {"task": 2, "n1": [8, 16], "seeds": 2, "max_epochs": 3, "within": 3}
    result = fastnet.sweep(**given, out=tmp_path / "run")
    said = answer.sentence(result.members, result.options)
    assert said.startswith("N1 = 8 is within 300 % of the best (N1 = 16): the median loss is ")
    summary = fastnet.load(tmp_path / "run").summary()
    assert summary["within"]["n1"] == 8 and summary["smallest_n1"] is None
    assert summary["within"]["loss"] == float(np.median(result.members["val_loss"][:2]))


def test_within_and_a_target_are_refused():
    with pytest.raises(UsageError, match=r"^within 0\.1 answers without a target; drop it, or the"):
        fastnet.sweep(task=1, within=0.1)
