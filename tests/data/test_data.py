"""Checks of a person's arrays, one-hot targets, and the split."""

import re

import numpy as np
import pandas
import pytest

from fastnet.data.checks import checked_inputs, checked_targets, one_hot
from fastnet.data.samples import make_data
from fastnet.data.split import SETS, split_rows
from fastnet.errors import DataError, UsageError

NAN = float("nan")
X3 = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
ABC = ["a", "b", "c"]


def saying(text, kind=DataError):
    """pytest.raises for an error with exactly this text."""
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


@pytest.fixture
def classes_of_three_sizes():
    """200 samples: 100 of class a, 70 of b, 30 of c, shuffled."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat(ABC, (100, 70, 30)))
    return rng.normal(size=(200, 4)), y


# ---------------------------------------------------------------- inputs


@pytest.mark.parametrize(
    "X, dtype, shape",
    [
        ([1, 2, 3], "f8", (3, 1)),
        ([[True, False]], "f8", (1, 2)),
        (np.zeros((5, 3), "f4"), "f4", (5, 3)),
        (np.zeros((5, 3), ">f8"), "f8", (5, 3)),
        (np.zeros((5, 3), "f2"), "f8", (5, 3)),
        (np.zeros((5, 3), "u1"), "f8", (5, 3)),
        (np.array([[1, 2.5]], object), "f8", (1, 2)),
    ],
)
def test_inputs(X, dtype, shape):
    checked, names = checked_inputs(X)
    assert checked.dtype == np.dtype(dtype) and checked.dtype.isnative and checked.shape == shape
    assert names == tuple(f"x{j}" for j in range(shape[1]))


def test_columns_of_a_frame_are_the_names_of_the_inputs():
    frame = pandas.DataFrame({"age": [1, 2], "height": [1.5, 2.5], "member": [True, False]})
    checked, names = checked_inputs(frame)
    assert names == ("age", "height", "member")
    assert checked.tolist() == [[1, 1.5, 1], [2, 2.5, 0]]


def test_nullable_columns_are_numbers_unless_one_is_missing():
    full = pandas.DataFrame({"a": pandas.array([1, 2], "Int64"), "b": [0.5, 1.5]})
    assert checked_inputs(full)[0].tolist() == [[1, 0.5], [2, 1.5]]
    full.loc[1, "a"] = pandas.NA
    with pytest.raises(DataError, match=r"^X has (<NA>|nan) in row 1, column 0 \(counted from 0"):
        checked_inputs(full)


BAD_X = [
    ([[1, NAN], [2, 3]], "X has nan in row 0, column 1 (counted from 0; 1 such value in all); "),
    ([[1, 2], [NAN, NAN]], "X has nan in row 1, column 0 (counted from 0; 2 such values in all); "),
    ([1, 2, np.inf], "X has inf in row 2, column 0 (counted from 0; 1 such value in all); "),
    ([[None, 1]], "X has None in row 0, column 0 (counted from 0; 1 such value in all); "),
]


@pytest.mark.parametrize("X, message", BAD_X)
def test_inputs_refuse_what_is_not_finite(X, message):
    with saying(message + "remove or replace them."):
        checked_inputs(X)


@pytest.mark.parametrize(
    "X, message",
    [
        (5, "X must have shape (n, d), got shape ()."),
        (np.zeros((2, 3, 4)), "X must have shape (n, d), got shape (2, 3, 4)."),
        (np.zeros((2, 0)), "X must have shape (n, d), got shape (2, 0)."),
        ([["1", "2"]], "X must hold numbers, got dtype <U1; encode texts first."),
        ([[1j, 2]], "X must hold numbers, got dtype complex128; encode texts first."),
        ([[1, 2], [3]], "X is ragged; all its rows must have the same length."),
        (
            pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
            "X must hold numbers, got dtype <U21; encode texts first.",
        ),
    ],
)
def test_inputs_refuse_other_shapes_and_types(X, message):
    with saying(message):
        checked_inputs(X)


# ---------------------------------------------------------------- targets


@pytest.mark.parametrize(
    "y, loss, Y, classes",
    [
        ([1, 2, 3], "squared", [[1], [2], [3]], None),  # integers are not guessed to be classes
        ([0.5, 1, 2], "squared", [[0.5], [1], [2]], None),
        ([[1, 2], [3, 4], [5, 6]], "squared", [[1, 2], [3, 4], [5, 6]], None),
        (np.array([1.5, 2, 3], object), "squared", [[1.5], [2], [3]], None),
        (["b", "a", "b"], "cross_entropy", [[0, 1], [1, 0], [0, 1]], ["a", "b"]),
        (np.array(["b", "a", "b"], object), "cross_entropy", [[0, 1], [1, 0], [0, 1]], ["a", "b"]),
        ([b"b", b"a", b"b"], "cross_entropy", [[0, 1], [1, 0], [0, 1]], ["a", "b"]),
        ([True, False, True], "cross_entropy", [[0, 1], [1, 0], [0, 1]], [False, True]),
        (pandas.Series(["b", "a", "b"], dtype="category"), "cross_entropy", None, ["a", "b"]),
    ],
)
def test_targets_by_their_type(y, loss, Y, classes):
    got, got_loss, got_classes = checked_targets(y, None, X3)
    assert got_loss == loss
    assert Y is None or got.tolist() == Y
    assert (None if got_classes is None else got_classes.tolist()) == classes


@pytest.mark.parametrize(
    "y, classes",
    [
        ([7, 3, 7], [3, 7]),
        ([7.0, 3.0, 7.0], [3, 7]),
        ([[7], [3], [7]], [3, 7]),
        (np.array([7, 3, 7], object), [3, 7]),
        (np.array([7, 3, 7], "u1"), [3, 7]),
    ],
)
def test_whole_numbers_are_classes_when_the_loss_says_so(y, classes):
    Y, _, got = checked_targets(y, "cross_entropy", X3)
    assert got.tolist() == classes and Y.tolist() == [[0, 1], [1, 0], [0, 1]]


@pytest.mark.parametrize(
    "y, loss, message",
    [
        ([1, 2], None, "y must have a row for each of X's 3, got shape (2,)."),
        (5, None, "y must have a row for each of X's 3, got shape ()."),
        (np.zeros((3, 1, 1)), None, "y must have a row for each of X's 3, got shape (3, 1, 1)."),
        (np.zeros((3, 0)), None, "y must have at least one column, got shape (3, 0)."),
        ([[1], [2, 3], [4]], None, "y is ragged; all its rows must have the same length."),
        (ABC, "squared", "y must hold numbers for loss squared, got dtype <U1."),
        ([1j, 2, 3], None, "y must hold numbers for loss squared, got dtype complex128."),
        (["a", "a", "a"], None, "y has one class only (a); at least two are needed."),
        ([4, 4, 4], "cross_entropy", "y has one class only (4); at least two are needed."),
        (
            [[1, 0], [0, 1], [1, 0]],
            "cross_entropy",
            "y must hold one label per row for loss cross_entropy, got shape (3, 2); use loss "
            "binary_cross_entropy for several targets of 0 and 1.",
        ),
        (
            [0, 1.5, 1],
            "cross_entropy",
            "y must hold class labels (whole numbers, texts or booleans) for loss cross_entropy, "
            "got 1.5; use loss squared for measurements.",
        ),
        (
            np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]"),
            "cross_entropy",
            "y must hold class labels (whole numbers, texts or booleans) for loss cross_entropy, "
            "got 2020-01-01; use loss squared for measurements.",
        ),
        (
            [[1, 2], [3, NAN], [5, 6]],
            None,
            "y has nan in row 1, column 1 (counted from 0; 1 such value in all); "
            "remove or replace them.",
        ),
        (
            [0, 1, np.inf],
            "cross_entropy",
            "y has inf in row 2 (counted from 0; 1 such value in all); remove or replace them.",
        ),
        (
            np.array(["a", None, NAN], object),
            None,
            "y has None in row 1 (counted from 0; 2 such values in all); remove or replace them.",
        ),
    ],
)
def test_targets_refuse(y, loss, message):
    with saying(message):
        checked_targets(y, loss, X3)


def test_one_hot_refuses_a_label_that_training_has_not():
    with saying("val y has the label d, which is not among the training labels a, b, c."):
        one_hot(np.array(["a", "d"]), np.array(ABC), "val y")
    with saying("y has the label 1, which is not among the training labels a, b, c."):
        one_hot(np.array([1, 2]), np.array(ABC))


# ---------------------------------------------------------------- the split


@pytest.mark.parametrize("validation, test", [(0.1, 0.2), (0.25, 0), (0, 0.5), (0.5, 0.45), (0, 0)])
@pytest.mark.parametrize("n", [20, 137, 1797])
def test_sets_are_disjoint_complete_and_of_the_size_asked_for(n, validation, test):
    split = split_rows(n, validation, test, 0)
    assert sorted(np.concatenate([split[name] for name in SETS])) == list(range(n))
    assert len(split["val"]) == round(validation * n) and len(split["test"]) == round(test * n)
    assert all((np.diff(split[name]) > 0).all() for name in SETS)


def test_each_class_has_its_share_of_each_set(classes_of_three_sizes):
    X, y = classes_of_three_sizes
    made = make_data(X, y, validation_fraction=0.1, test_fraction=0.2)
    counts = {name: [int((y[made.split[name]] == c).sum()) for c in ABC] for name in SETS}
    assert counts == {"test": [20, 14, 6], "val": [10, 7, 3], "train": [70, 49, 21]}


def test_shares_that_are_no_whole_numbers_differ_by_less_than_one(classes_of_three_sizes):
    X, y = classes_of_three_sizes
    made = make_data(X[:173], y[:173], validation_fraction=0.13, test_fraction=0.17)
    for name, fraction in (("val", 0.13), ("test", 0.17)):
        assert len(made.split[name]) == round(fraction * 173)
        for label in ABC:
            count = (y[:173] == label).sum()
            assert abs((y[made.split[name]] == label).sum() - fraction * count) < 1.5


def test_rows_left_over_go_one_each_to_the_classes_with_the_largest_remainders():
    counts = {}
    for sizes in ((10, 10, 10), (10, 11, 5), (1, 2, 9)):
        y = np.repeat(ABC, sizes)
        rows = make_data(np.zeros((len(y), 1)), y, test_fraction=0.25).split["test"]
        counts[sizes] = [int((y[rows] == label).sum()) for label in ABC]
    assert counts == {
        (10, 10, 10): [3, 3, 2],  # 2.5 of each: 8 rows in all
        (10, 11, 5): [2, 3, 1],  # 2.5, 2.75, 1.25: 6 rows in all
        (1, 2, 9): [0, 1, 2],  # 0.25, 0.5, 2.25: 3 rows in all
    }


def test_the_split_is_a_function_of_data_seed(classes_of_three_sizes):
    X, y = classes_of_three_sizes
    first, again, other = (
        make_data(X, y, validation_fraction=0.3, data_seed=seed).split for seed in (3, 3, 4)
    )
    for name in SETS:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["val"], other["val"])


def test_the_test_set_does_not_depend_on_the_validation_fraction(classes_of_three_sizes):
    X, y = classes_of_three_sizes
    with_, without = (
        make_data(X, y, test_fraction=0.2, validation_fraction=v).split["test"] for v in (0.2, 0)
    )
    np.testing.assert_array_equal(with_, without)


def test_without_fractions_all_rows_train():
    made = make_data(X3, [1, 2, 3])
    assert made.split["train"].tolist() == [0, 1, 2]
    assert len(made.split["val"]) == len(made.split["test"]) == 0


@pytest.mark.parametrize(
    "n, validation, test, message",
    [
        (100, 0.6, 0.6, "validation_fraction 0.6 and test_fraction 0.6 leave none of 100 rows"),
        (100, 0.5, 0.5, "validation_fraction 0.5 and test_fraction 0.5 leave none of 100 rows"),
        (2, 0.45, 0.45, "validation_fraction 0.45 and test_fraction 0.45 leave none of 2 rows"),
        (1, 0, 0.9, "validation_fraction 0 and test_fraction 0.9 leave none of 1 rows"),
    ],
)
def test_fractions_that_leave_nothing_to_train_on(n, validation, test, message):
    with saying(message + " to train on; lower one of them.", UsageError):
        split_rows(n, validation, test, 0)


@pytest.mark.parametrize("name", ["validation_fraction", "test_fraction"])
def test_a_fraction_of_less_than_a_row_is_refused_not_dropped(name):
    with saying(f"{name} 0.1 of 3 rows is less than one row; use at least 0.34, or 0.", UsageError):
        make_data(X3, [1, 2, 3], **{name: 0.1})


# ---------------------------------------------------------------- the Data of a run


def test_sets_of_their_own_follow_the_training_rows():
    made = make_data(X3, ABC, validation=([[7, 8]], ["c"]), test=[[[9, 9], [0, 0]], ["a", "b"]])
    assert {name: rows.tolist() for name, rows in made.split.items()} == {
        "train": [0, 1, 2],
        "val": [3],
        "test": [4, 5],
    }
    X, Y, weights = made.subset("test")
    assert weights.tolist() == [[1, 1]]
    assert X.tolist() == [[9, 9], [0, 0]] and Y.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert made.subset("val")[1].tolist() == [[0, 0, 1]]


def test_the_digest_tells_samples_and_splits_apart():
    made = [
        make_data(X3, [1, 2, 3]),
        make_data(X3, [1, 2, 4]),
        make_data(np.array(X3, "f4"), [1, 2, 3]),
        make_data(X3, [1, 2, 3], validation_fraction=0.3),
        make_data(X3, [1, 2, 3], validation=([[7, 8]], [9])),
    ]
    assert len({one.digest() for one in made}) == len(made)
    assert make_data(X3, [1, 2, 3]).digest() == made[0].digest()


FRAME = pandas.DataFrame(X3, columns=["a", "b"])


@pytest.mark.parametrize(
    "X, validation, message",
    [
        (X3, [X3], "the val set must be a pair (X, y), got list."),
        (X3, np.zeros(2), "the val set must be a pair (X, y), got ndarray."),
        (X3, ([[1]], [1]), "val X must have 2 columns like X, got 1."),
        (X3, (X3, [1]), "val y must have a row for each of its X's, got shape (1,)."),
        (X3, (np.zeros((0, 2)), []), "val y must have a row for each of its X's, got shape (0,)."),
        (X3, (X3, [[1, 2]] * 3), "val y must have 1 columns like y, got 2."),
        (X3, (X3, ABC), "val y must hold numbers for loss squared, got dtype <U1."),
        (
            X3,
            ([[1, NAN]], [1]),
            "val X has nan in row 0, column 1 (counted from 0; 1 such value in all); "
            "remove or replace them.",
        ),
        (FRAME, (FRAME[["b", "a"]], [1, 2, 3]), "val X has the columns b, a; X has a, b."),
    ],
)
def test_validation_sets_refused(X, validation, message):
    with saying(message):
        make_data(X, [1, 2, 3], validation=validation)


@pytest.mark.parametrize("X, Xv", [(FRAME, X3), (X3, FRAME), (FRAME, FRAME)])
def test_names_are_compared_only_where_both_have_some(X, Xv):
    assert len(make_data(X, [1, 2, 3], validation=(Xv, [1, 2, 3])).split["val"]) == 3


def test_validation_labels_must_be_known():
    with saying("val y has the label d, which is not among the training labels a, b, c."):
        make_data(X3, ABC, validation=([[1, 2]], ["d"]))
    with pytest.raises(DataError, match=r"^test y must hold class labels .* got 0\.5; use loss"):
        make_data(X3, [0, 1, 2], "cross_entropy", test=([[1, 2]], [0.5]))


@pytest.mark.parametrize("name", ["validation", "test"])
def test_a_set_and_a_fraction_for_it_contradict(name):
    with saying(f"give {name} or {name}_fraction 0.3, not both.", UsageError):
        make_data(X3, [1, 2, 3], **{name: (X3, [1, 2, 3]), f"{name}_fraction": 0.3})


@pytest.mark.parametrize("loss", [None, "cross_entropy"])
def test_no_rows(loss):
    with saying("X has no rows, shape (0, 2); there is nothing to train on."):
        make_data(np.zeros((0, 2)), np.zeros(0), loss)
