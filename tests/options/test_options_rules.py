"""What does not go together, as far as options alone tell."""

import re

import pytest

from fastnet.errors import UsageError
from fastnet.options import rules
from fastnet.options.defaults import resolve

TABLE = {"data": "/a.csv", "target": "price"}


def saying(text):
    """pytest.raises for a UsageError with exactly this text."""
    return pytest.raises(UsageError, match=f"^{re.escape(text)}$")


@pytest.mark.parametrize(
    ("given", "loss", "message"),
    [
        (
            {"momentum": 0.5},
            "squared",
            "momentum 0.5 has no effect with optimizer sgd; it belongs to momentum and nesterov.",
        ),
        (
            {"huber_delta": 2.0},
            "squared",
            "huber_delta 2.0 has no effect with loss squared; it belongs to huber.",
        ),
        (
            {"damping": "marquardt"},
            "squared",
            "damping 'marquardt' has no effect with optimizer sgd; it belongs to lm and br.",
        ),
    ],
)
def test_an_option_that_nothing_uses(given, loss, message):
    rules.refuse_unused(resolve({}, "sweep"), loss)
    with saying(message):
        rules.refuse_unused(resolve(given, "sweep"), loss)


NOTHING = "nothing to train on: give X and y, task=1 or task=2, or data."


@pytest.mark.parametrize(
    ("X", "y", "task", "given", "source"),
    [
        ([1], [1], None, {}, "X and y"),
        (None, None, 1, {}, "a task"),
        (None, None, None, TABLE, "data"),
    ],
)
def test_the_source_of_samples(X, y, task, given, source):
    assert rules.named_source(X, y, task, resolve(given, "train")) == source


@pytest.mark.parametrize(
    ("X", "y", "task", "given", "message"),
    [
        (None, None, None, {}, NOTHING),
        ([1], None, None, {}, NOTHING),
        ([1], [1], 1, {}, "give X and y or a task, not both."),
        (None, None, 2, TABLE, "give a task or data, not both."),
    ],
)
def test_no_source_of_samples_or_two(X, y, task, given, message):
    with saying(message):
        rules.named_source(X, y, task, resolve(given, "train"))


def test_options_of_another_source():
    rules.refuse_of_task_1(resolve({"samples": 5}, "train"), 1)
    with saying("samples belongs to task 1; drop samples 5."):
        rules.refuse_of_task_1(resolve({"samples": 5}, "train"), None)
    rules.refuse_of_tables(resolve(TABLE, "train"), "data")
    with saying("target belongs to data, the file of a table; drop it."):
        rules.refuse_of_tables(resolve({"target": "price"}, "train"), "a task")
    rules.refuse_beside_table({"test": None})
    with saying("test goes with X and y; a table has test_data or a split_column."):
        rules.refuse_beside_table({"test": ([1], [1])})
    rules.refuse_task_loss(1, "squared", None)
    with saying("task 1 has loss squared, got huber."):
        rules.refuse_task_loss(1, "squared", "huber")


def test_a_resumed_run_keeps_its_options():
    rules.refuse_change(["threads"])
    with saying(
        "a resumed run keeps its options; n1 cannot change, only threads and time_limit can."
    ):
        rules.refuse_change(["threads", "n1"])


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ((1, None, 0.2, 0.0, None), "give validation or validation_fraction 0.2, not both."),
        ((None, 1, 0.0, 0.1, None), "give test or test_fraction 0.1, not both."),
        (
            (None, None, 0.1, 0.0, [1]),
            "folds name their own rows; drop validation and the fractions.",
        ),
    ],
)
def test_a_set_that_is_given_twice(sets, message):
    rules.refuse_two_sets(None, None, 0.2, 0.1, None)
    with saying(message):
        rules.refuse_two_sets(*sets)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"target": ()}, "data needs a target; name the column to predict with --target."),
        (
            {"weights": "price"},
            "the column 'price' is named twice among --target, --features, --weights and "
            "--split-column; it can serve once.",
        ),
        (
            {"validation_data": "/b.csv", "validation_fraction": 0.3},
            "give validation_data or validation_fraction 0.3, not both.",
        ),
        (
            {"test_data": "/b.csv", "split_column": "part"},
            "give test_data or split_column part, not both.",
        ),
        (
            {"split_column": "part", "test_fraction": 0.3},
            "give split_column or test_fraction, not both.",
        ),
    ],
)
def test_columns_and_files_that_contradict(given, message):
    rules.refuse_columns(resolve(TABLE, "train"))
    with saying(message):
        rules.refuse_columns({**resolve({**TABLE, **given}, "train"), **given})
