"""Arguments of other types than those of the documentation end in one line that names them."""

import itertools

import numpy as np
import pandas as pd
import pytest

import fastnet
from fastnet.errors import DataError, UsageError

X = np.linspace(-1, 1, 20)[:, None]
Y = X[:, 0] ** 2
WEIGHTS = (np.ones((2, 1)), np.ones(2), np.ones((1, 2)), np.ones(1))


def refused(match, kind=UsageError, y=Y, **given):
    with pytest.raises(kind, match=match) as raised:
        fastnet.sweep(X, y, max_epochs=1, **{"n1": 2, **given})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "given",
    [
        np.ones(20),
        pd.Series(np.ones(20)),
        pd.DataFrame(np.ones((20, 2))),
        pd.NA,
        [1, 2],
        3.5,
        "even",
    ],
    ids=["array", "series", "frame", "NA", "list", "number", "text"],
)
def test_class_weights_are_balanced_or_a_dict(given):
    refused('^class_weight must be None, "balanced" or a dict of the labels', y=Y > 0.5,
            class_weight=given)  # fmt: skip
    refused("^class_weight .* needs classes; the targets are numbers", class_weight=given)


@pytest.mark.parametrize("value", ["heavy", None, np.nan, -1, np.inf, [1], 1j])
def test_class_weights_are_numbers(value):
    refused("class_weight must hold numbers >= 0, got", y=Y > 0.5, class_weight={True: value})


@pytest.mark.parametrize("folds", [np.array(1), 1, 0.5, object(), {"a": 1}, {1, 2}])
def test_folds_are_a_number_or_a_list(folds):
    refused("^folds must be ", folds=folds)


@pytest.mark.parametrize(
    "fold", [np.arange(20), [[0]], ([0, 1], "ab"), ([0], [20]), ([0.5], [1]), ([0], [[1], [1, 2]])]
)
def test_a_fold_is_a_pair_of_row_numbers(fold):
    refused("fold", (UsageError, DataError), folds=[fold])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"W1": 1}, r"^initial_weights must be a list of \(W1, b1, W2, b2\), got \{"),
        (np.array(3.0), r"^initial_weights must be a list of .*, got 3\.0"),
        (3, "^initial_weights must be a list of .*, got 3"),
        ([{}], r"^initial_weights\[0\] must be \(W1, b1, W2, b2\), got \{\}"),
        ([WEIGHTS[:3]], r"^initial_weights\[0\] must be \(W1, b1, W2, b2\), got "),
        ([(*WEIGHTS[:3], "b")], r"^initial_weights\[0\] must hold numbers"),
        ([WEIGHTS, WEIGHTS], "initial_weights must have one .* for each of the 1 members, got 2"),
        ([(np.full((2, 1), 1e39), *WEIGHTS[1:])], r"^initial_weights\[0\]: W1 has 1e\+39, beyond"),
    ],
)
def test_initial_weights_that_are_none(given, message):
    refused(message, initial_weights=given)


def test_initial_weights_that_are_ragged():
    refused(r"initial_weights\[0\] is ragged", DataError,
            initial_weights=[([[1], [1, 2]], *WEIGHTS[1:])])  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [{0.1: "a"}, {0.1}, np.ones((1, 1)), [[0.1]], itertools.count(1), object(), 1j, pd.NA],
)
def test_a_learning_rate_that_is_none(value):
    refused("^learning_rate ", learning_rate=value)


def test_a_value_named_twice_late_in_a_long_list_is_found_at_once():
    refused("^n1 names 7 twice", n1=[*range(1, 60_000), 7])


def test_paired_lists_of_what_is_unused_are_unused():
    """None three times over is the default, as None is."""
    result = fastnet.sweep(X, Y, n1=[2, 3, 4], learning_rate=[None] * 3, zip=True,
                           optimizer="lbfgs", max_epochs=2)  # fmt: skip
    assert len(result.members) == 3


@pytest.mark.parametrize("path", ["a\0b", b"data.csv", 7, ["a"]])
def test_a_path_that_is_none(path):
    with pytest.raises(UsageError, match=r"^data must be a file or none, got .+\.$"):
        fastnet.train(data=path, target="y")


@pytest.mark.parametrize("source", [X, [[1.0]], 3, None, np.array(5)])
def test_predictions_are_for_tables(source):
    model = fastnet.train(X, Y, n1=2, max_epochs=1).model()
    for ask in (fastnet.predict, fastnet.evaluate):
        with pytest.raises(UsageError, match=r"^data must be a path, an open file or a DataFrame"):
            ask(model, source)


@pytest.mark.parametrize("value", [np.zeros(3, "V4"), [np.array([1, 2])], 3, {"clipped"}, [None]])
def test_what_to_record_is_named(value):
    allowed = "gradient_norm, clipped, snapshots, best, none"
    refused(f"^record must be one of {allowed}, got ", record=value)
