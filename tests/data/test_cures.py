"""What can be done about a column: training takes it with each cure that inspect names."""

import numpy as np
import pandas
import pytest

import fastnet

N = 60
RNG = np.random.default_rng(0)
Y = RNG.normal(size=N).round(4)
DAYS = (np.datetime64("2020-01-15") + RNG.permutation(N)).astype(str)
GAPS = np.where(np.arange(N) % 9, RNG.normal(size=N), np.nan)
# A column x, and the options that solve its problem, the best first.
SOLVED = {
    "dates": (DAYS, ["dates", "exclude"]),
    "unit": ([f"{i % 30} %" for i in range(N)], ["strip_units", "categorical", "exclude"]),
    "gaps": (GAPS, ["impute", "exclude"]),
    "gaps in texts": (
        [None if i % 9 == 0 else "ab"[i % 2] for i in range(N)],
        ["impute", "exclude"],
    ),
    "dates with gaps": (
        [None if i % 9 == 0 else day for i, day in enumerate(DAYS)],
        ["exclude"],
    ),
    "free text": ([f"text {i}" for i in range(150)], ["exclude"]),
    "many levels": (
        [f"level {i % 50 if i < 500 else i}" for i in range(700)],
        ["min_level_count", "exclude"],
    ),
}


def facts_of(x, **given):
    y = np.resize(Y, len(x))
    found = fastnet.inspect(pandas.DataFrame({"x": x, "y": y}), target="y", **given)
    return found["columns"][0]


@pytest.mark.parametrize("name", SOLVED)
def test_the_cures_of_a_problem(name):
    x, options = SOLVED[name]
    facts = facts_of(x)
    assert facts["problem"].startswith("column 'x' ") and facts["treatment"] == "refused"
    assert [cure["option"] for cure in facts["cures"]] == options
    for cure in facts["cures"]:
        given = {} if cure["option"] == "impute" else {"impute": "median"}
        assert facts_of(x, **given, **{cure["option"]: cure["value"]})["problem"] is None


def test_a_column_without_a_problem_has_no_cure():
    facts = facts_of(RNG.normal(size=N))
    assert facts["problem"] is None and facts["cures"] == [] and facts["remarks"] == []


def test_the_losses_of_a_target_that_may_be_classes():
    frame = pandas.DataFrame({"x": Y, "y": np.arange(N) % 3})
    target = fastnet.inspect(frame, target="y")["columns"][1]
    assert [cure["value"] for cure in target["cures"]] == ["cross_entropy", "squared"]
    assert fastnet.inspect(frame, target="y", loss="squared")["columns"][1]["cures"] == []


def test_remarks_of_a_column_with_what_follows_from_them():
    frame = pandas.DataFrame({"id": range(N), "patient": np.arange(N) // 4, "y": Y})
    found = fastnet.inspect(frame, target="y")["columns"]
    assert found[0]["remarks"] == ["Row counter"] and found[1]["remarks"] == [
        "Groups (15 different)"
    ]
    assert found[0]["cures"] == [{"option": "exclude", "value": "id"}]
    assert found[1]["cures"] == [{"option": "group", "value": "patient"}]


def test_remarks_are_made_beside_problems_of_other_columns():
    frame = pandas.DataFrame({"id": range(N), "z": Y**2, "x": GAPS, "y": Y})
    found = fastnet.inspect(frame, target="y")
    assert found["problems"] and found["columns"][0]["remarks"] == ["Row counter"]
    found = fastnet.inspect(frame.assign(y=DAYS), target="y")  # the target has a problem itself
    assert found["columns"][0]["remarks"] == [] and found["columns"][3]["cures"] == []


@pytest.mark.parametrize("far", [np.inf, 1e30])
def test_numbers_that_no_integer_holds_can_be_categories(far):
    facts = facts_of(np.resize([1.0, 2.0, far], N), categorical="x")
    assert facts["problem"] is None and facts["inputs"] == 3
