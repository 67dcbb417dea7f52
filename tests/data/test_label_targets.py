"""Several targets of two labels each: their labels, 0 and 1, and what is refused."""

import io

import numpy as np
import pandas
import pytest

from fastnet.data.columns import indicators, label_pairs, target_values
from fastnet.data.samples import make_data
from fastnet.data.schema import Schema
from fastnet.data.tables import read_table, table_of_frame
from fastnet.errors import DataError, UsageError

BINARY = "binary_cross_entropy"
TEXT = b"x,spam,long,ok,rest\n1,no,0,true,1.5\n2,yes,7,false,2.5\n3,yes,0,false,3.5\n"
PAIRS = (("no", "yes"), (0, 7), (False, True))


@pytest.fixture
def table():
    return read_table(io.BytesIO(TEXT), "t.csv")


def test_labels_are_sorted_and_the_second_is_1(table):
    names = ["spam", "long", "ok"]
    assert label_pairs(table, names) == PAIRS
    y, loss = target_values(table, names, BINARY)
    assert loss == BINARY and y.tolist() == [[0, 0, 1], [1, 1, 0], [1, 0, 0]]


def test_known_labels_decide_in_other_tables():
    """Also where only one of them occurs."""
    table = table_of_frame(pandas.DataFrame({"spam": ["yes"], "long": [0], "ok": [True]}), "u")
    assert indicators(table, ["spam", "long", "ok"], PAIRS).tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (
            {"spam": ["maybe"]},
            "u: column 'spam' has the label 'maybe' in .*; known: 'no' and 'yes'",
        ),
        ({"spam": [1]}, "u: column 'spam' has the label 1 in .*; known: 'no' and 'yes'"),
        ({"long": [3]}, "u: column 'long' has the label 3 in .*; known: 0 and 7"),
        ({"long": ["x"]}, "u: column 'long' has the label 'x' in .*; known: 0 and 7"),
    ],
)
def test_other_labels_are_refused(column, message):
    frame = pandas.DataFrame({"spam": ["yes"], "long": [0], "ok": [True], **column})
    with pytest.raises(DataError, match=message):
        indicators(table_of_frame(frame, "u"), ["spam", "long", "ok"], PAIRS)


def test_a_target_of_one_or_three_labels_is_refused(table):
    with pytest.raises(DataError, match=r"'x' must .*, got 3: 1, 2, 3; .* alone: --target x\.$"):
        label_pairs(table, ["spam", "x"])
    with pytest.raises(DataError, match=r"'rest' is not a class label"):
        label_pairs(table, ["spam", "rest"])


def test_without_the_loss_the_message_names_it(table):
    for loss in (None, "cross_entropy"):
        with pytest.raises(UsageError, match="or have two labels each with --loss binary_cross_en"):
            target_values(table, ["spam", "long"], loss)


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        ([[0, 1], [1, 1], [0, 0]], ((0, 1), (0, 1))),
        ([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], ((0, 1), (0, 1))),
        ([[False, True], [True, True], [False, False]], ((False, True), (False, True))),
    ],
)
def test_arrays_of_0_and_1_or_booleans(y, labels):
    data = make_data([[1.0], [2.0], [3.0]], y, BINARY)
    assert data.labels == labels and data.classes is None and data.targets == ("y0", "y1")
    assert data.Y.tolist() == np.array(y, float).tolist()
    assert data.ranges.y_mean.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert all(type(label) is type(labels[0][0]) for pair in data.labels for label in pair)


@pytest.mark.parametrize(
    ("y", "loss", "message"),
    [
        ([[0, 2], [1, 0]], BINARY, "y, whose targets must all be 0 or 1, has 2.0 in row 0, colu"),
        ([["a", "b"], ["b", "a"]], BINARY, "y must hold 0 and 1 in several targets, got dtype <U"),
        ([[0, np.nan], [1, 0]], BINARY, "y has nan in row 0, column 1"),
        ([[True, False], [False, True]], None, "use loss binary_cross_entropy for several targets"),
    ],
)
def test_other_arrays_are_refused(y, loss, message):
    with pytest.raises(DataError, match=message):
        make_data([[1.0], [2.0]], y, loss)


def test_class_weights_need_one_target_of_classes():
    with pytest.raises(
        UsageError, match="class_weight 'balanced' needs one target of classes, not 2"
    ):
        make_data([[1.0], [2.0]], [[0, 1], [1, 0]], BINARY, class_weight="balanced")


def test_a_further_set_has_as_many_targets_of_0_and_1():
    given = [[1.0], [2.0]], [[0, 1], [1, 0]], BINARY
    with pytest.raises(DataError, match="val y must have 2 columns like y, got 1"):
        make_data(*given, validation=([[1.0]], [1]))
    with pytest.raises(DataError, match=r"val y, whose targets must all be 0 or 1, has 3\.0"):
        make_data(*given, validation=([[1.0]], [[1, 3]]))
    assert make_data(*given, validation=([[1.0]], [[1, 1]])).Y[2].tolist() == [1, 1]


def test_a_schema_keeps_the_labels():
    schema = make_data(np.ones((2, 1)), [[0, 1, 1], [1, 0, 0]], BINARY, labels=PAIRS).schema
    assert Schema.from_arrays(schema.to_arrays()).labels == PAIRS
    again = Schema.from_config(schema.to_config())
    assert again.labels == PAIRS and type(again.labels[2][0]) is bool
    assert not list(again.misfits())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "squared"}, "it has classes, and loss squared has none"),
        ({"loss": "cross_entropy"}, "labels of several targets beside classes or loss cross_ent"),
        ({"classes": np.arange(3)}, "it has labels of several targets beside classes"),
        ({"labels": PAIRS[:2]}, "it has labels of 2 targets, and 3 outputs"),
        ({"labels": (*PAIRS[:2], (1, 1))}, r"it has a target with the labels \[1, 1\], not two"),
        ({"labels": (*PAIRS[:2], (0, 1, 2))}, r"it has a target with the labels \[0, 1, 2\], not"),
        ({"labels": ()}, "it has no classes, and loss binary_cross_entropy needs them"),
    ],
)
def test_contradictions_in_a_schema_are_found(change, message):
    schema = make_data(np.ones((2, 1)), [[0, 1, 1], [1, 0, 0]], BINARY, labels=PAIRS).schema
    found = next(schema._replace(**change).misfits())
    with pytest.raises(DataError, match=message):
        raise DataError(found)
