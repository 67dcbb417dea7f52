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
    rules.refuse_of_task_1({"samples": 5}, 1)
    with saying("samples belongs to task 1; drop samples 5."):
        rules.refuse_of_task_1({"samples": 5}, None)
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
    rules.refuse_change({"threads": 3, "n1": 4}, {"threads": None, "n1": (4,)})
    with saying(
        "a resumed run keeps its options; n1 cannot change, only threads, time_limit and cluster "
        "can."
    ):
        rules.refuse_change({"threads": 3, "n1": 4}, {"n1": (5,)})


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ((1, None, 0.2, 0.0, None), "give validation or validation_fraction 0.2, not both."),
        ((None, 1, 0.0, 0.1, None), "give test or test_fraction 0.1, not both."),
        (
            (None, None, 0.1, 0.0, [1]),
            "folds hold out validation rows of their own; drop validation and validation_fraction.",
        ),
        (
            (1, None, 0.0, 0.0, 5),
            "folds hold out validation rows of their own; drop validation and validation_fraction.",
        ),
        (
            (None, None, 0.0, 0.1, [1]),
            "folds name their own rows; drop test_fraction, or give test.",
        ),
    ],
)
def test_a_set_that_is_given_twice(sets, message):
    rules.refuse_two_sets(None, None, 0.2, 0.1, None)
    rules.refuse_two_sets(None, None, 0.0, 0.1, 5)
    with saying(message):
        rules.refuse_two_sets(*sets)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"weights": "price"},
            "the column 'price' is named twice among --target, --features, --exclude, --weights, "
            "--split-column, --group and --order; it can serve once.",
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
    for refuse in (rules.refuse_files, rules.refuse_columns):
        refuse(resolve(TABLE, "train"))
    options = {**resolve({**TABLE, **given}, "train"), **given}
    with saying(message):
        rules.refuse_files(options)
        rules.refuse_columns(options)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"decimal": ",,"}, "decimal must be one character, comma, point, got ',,'."),
        ({"thousands": ""}, "thousands must be one character, space, got ''."),
        ({"separator": "blank"}, "separator must be one character, tab, space, comma, semicolon, "),
        ({"comment": "//"}, "comment must be one character, got '//'."),
        ({"quote": "''"}, "quote must be one character, none, got \"''\"."),
        (
            {"decimal": ".", "thousands": "."},
            "decimal and thousands are both '.'; they must differ",
        ),
        ({"thousands": "."}, "thousands '.' leaves no decimal mark; give decimal ',' as well."),
    ],
)
def test_marks_of_numbers_and_cells(given, message):
    usual = {"decimal": ",", "thousands": "space", "separator": "tab", "quote": "none"}
    rules.refuse_marks(resolve(usual, "train"))
    with pytest.raises(UsageError, match=f"^{re.escape(message)}"):
        rules.refuse_marks(resolve(given, "train"))


def test_a_table_without_a_target():
    rules.refuse_no_target(resolve(TABLE, "train"))
    with saying("data needs a target; name the column to predict with --target."):
        rules.refuse_no_target(resolve({**TABLE, "target": ()}, "train"))


@pytest.mark.parametrize("option", ["group", "weights", "split_column"])
def test_the_order_alone_may_be_an_input_too(option):
    features = {**TABLE, "features": ("day",)}
    rules.refuse_columns(resolve({**features, "order": "day"}, "train"))
    with saying(
        "the column 'day' is named twice among --target, --features, --exclude, --weights, "
        "--split-column, --group and --order; it can serve once."
    ):
        rules.refuse_columns(resolve({**features, option: "day"}, "train"))


@pytest.mark.parametrize(
    ("given", "arrays", "message"),
    [
        (
            {"group": "patient", "validation_fraction": 0.0},
            {},
            "group has no effect without rows to divide; give validation_fraction, test_fraction "
            "or folds (a number), or drop it.",
        ),
        (
            {"validation_fraction": 0.0},
            {"order": [1], "folds": [([0], [1])]},
            "order has no effect without rows to divide; give validation_fraction, test_fraction "
            "or folds (a number), or drop it.",
        ),
        (
            {"fold_repeats": 3},
            {},
            "fold_repeats 3 needs a number of folds; give folds 5, or drop it.",
        ),
        (
            {"folds": 5, "fold_repeats": 3, "order": "day"},
            {},
            "folds forward in an order are always the same; drop fold_repeats.",
        ),
        (
            {"folds": 5, "stop": "first"},
            {},
            "folds compare members that run to their own stop; use stop all.",
        ),
        (
            {"folds": 5, "validation_data": "/b.csv"},
            {},
            "folds hold out validation rows of their own; drop validation_data.",
        ),
    ],
)
def test_divisions_that_contradict_or_divide_nothing(given, arrays, message):
    rules.refuse_splits(resolve({**TABLE, "group": "patient"}, "train"), {})
    rules.refuse_splits(resolve({**TABLE, "folds": 5, "order": "day"}, "train"), {})
    with saying(message):
        rules.refuse_splits(resolve({**TABLE, **given}, "train"), arrays)
