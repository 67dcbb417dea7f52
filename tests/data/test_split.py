"""Groups, orders and folds: nothing leaks, sizes are as asked for, compared with scikit-learn."""

import re

import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

import fastnet
from fastnet.data.folds import make_folds
from fastnet.data.samples import make_data
from fastnet.data.split import SETS, split_rows
from fastnet.errors import DataError, UsageError

FRACTIONS = {"validation_fraction": 0.2, "test_fraction": 0.2}


def saying(text, kind=UsageError):
    """pytest.raises for an error with exactly this text."""
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


@pytest.fixture(params=range(8))
def grouped(request):
    """Groups of 1 to 30 rows and the classes of the rows; some classes are rare in most groups."""
    rng = np.random.default_rng(request.param)
    groups = rng.permutation(np.repeat(np.arange(40), rng.integers(1, 31, 40)))
    return groups, (groups % 7 == 0) * 1 + (rng.random(len(groups)) < 0.2)


def without_leak(parts, groups):
    """Whether no group has rows in two of the parts."""
    names = [set(groups[rows].tolist()) for rows in parts]
    return sum(map(len, names)) == len(set().union(*names))


# ---------------------------------------------------------------- groups


def test_groups_stay_whole_and_shares_are_right_within_half_a_group(grouped):
    groups, _ = grouped
    split = split_rows(len(groups), 0.25, 0.1, 3, groups=groups)
    assert without_leak(split.values(), groups)
    assert np.array_equal(np.sort(np.concatenate(list(split.values()))), np.arange(len(groups)))
    largest = np.bincount(groups).max()
    for name, fraction in (("val", 0.25), ("test", 0.1)):
        assert abs(len(split[name]) - fraction * len(groups)) <= largest / 2


def test_whole_groups_share_out_the_classes(grouped):
    groups, strata = grouped
    alike = {True: 0.0, False: 0.0}
    for stratified in alike:
        for seed in range(20):
            known = {"strata": strata} if stratified else {}
            val = split_rows(len(groups), 0.3, 0, seed, groups=groups, **known)["val"]
            share = np.bincount(strata[val], minlength=3) / np.bincount(strata)
            alike[stratified] += np.abs(share - 0.3).sum()
    assert alike[True] < alike[False]


def test_the_groups_of_a_split_depend_on_its_seed(grouped):
    groups, _ = grouped
    first, again, other = (
        split_rows(len(groups), 0.2, 0.2, s, groups=groups)["test"] for s in (1, 1, 2)
    )
    assert first.tolist() == again.tolist() != other.tolist()


def test_a_group_larger_than_the_share_is_not_held_out():
    groups = np.array([0] * 60 + [1, 2, 3, 4] * 10)
    for seed in range(10):
        val = split_rows(100, 0.2, 0, seed, groups=groups)["val"]
        assert len(val) == 20 and val.min() >= 60


def test_every_set_gets_a_group():
    for seed in range(20):
        split = split_rows(30, 0.3, 0.6, seed, groups=np.arange(30) % 3)
        assert [len(split[name]) for name in SETS] == [10, 10, 10]


def test_too_few_groups_for_the_sets():
    for groups, values in ((np.zeros(30), "1 different value"), (np.arange(30) % 2, "2 different")):
        with pytest.raises(UsageError, match=f"group has {values}.* 3 sets; it needs at least 3"):
            split_rows(30, 0.2, 0.2, 0, groups=groups)


# ---------------------------------------------------------------- orders


@pytest.mark.parametrize("seed", range(5))
def test_the_last_rows_are_held_out_and_ties_stay_together(seed):
    order = np.random.default_rng(seed).integers(0, 40, 300)
    split = split_rows(300, 0.2, 0.1, seed, order=order)
    train, val, test = (order[split[name]] for name in SETS)
    assert train.max() < val.min() and val.max() < test.min()
    assert abs(len(val) - 60) <= np.bincount(order).max()
    assert abs(len(test) - 30) <= np.bincount(order).max() / 2


def test_an_order_of_dates_and_of_texts():
    days = np.datetime64("2020-02-25") + np.arange(10)[::-1]
    for order in (days, days.astype(str)):
        split = split_rows(10, 0.2, 0.2, 0, order=order)
        assert split["test"].tolist() == [0, 1] and split["val"].tolist() == [2, 3]


def test_too_few_values_of_an_order():
    with saying(
        "order has 2 different values in the rows to divide into 3 sets; it needs at least 3."
    ):
        split_rows(10, 0.2, 0.2, 0, order=np.arange(10) // 5)


# ---------------------------------------------------------------- folds


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [2, 5, 9])
def test_folds_have_the_properties_of_scikit_learns(seed, count):
    strata = np.random.default_rng(seed).choice(3, 157, p=[0.6, 0.25, 0.15])
    ours = make_folds(np.arange(157), count, 1, seed, strata)
    theirs = list(StratifiedKFold(count, shuffle=True, random_state=0).split(strata, strata))
    assert len(ours) == len(theirs) == count
    for folds in (ours, theirs):
        validated = np.sort(np.concatenate([val for _, val in folds]))
        assert np.array_equal(validated, np.arange(157))
        for train, val in folds:
            assert np.array_equal(np.union1d(train, val), np.arange(157))
            assert len(train) + len(val) == 157
        counts = np.array([np.bincount(strata[val], minlength=3) for _, val in folds])
        assert (np.ptp(counts, axis=0) <= 1).all()
    assert np.ptp([len(val) for _, val in ours]) <= 1  # theirs may differ by more


def test_group_folds_have_the_properties_of_scikit_learns(grouped):
    groups, _ = grouped
    ours = make_folds(np.arange(len(groups)), 5, 1, 0, groups=groups)
    theirs = list(GroupKFold(5).split(groups, groups=groups))
    largest = np.bincount(groups).max()
    for folds in (ours, theirs):
        validated = np.concatenate([val for _, val in folds])
        assert np.array_equal(np.sort(validated), np.arange(len(groups)))
        assert without_leak([val for _, val in folds], groups)
        assert all(without_leak(pair, groups) for pair in folds)
        assert np.ptp([len(val) for _, val in folds]) <= largest
    # The largest group comes first in both, so without ties the sizes are the same.
    assert sorted(len(val) for _, val in ours) == sorted(len(val) for _, val in theirs)


def test_group_folds_share_out_the_classes(grouped):
    groups, strata = grouped
    spread = []
    for known in ({"strata": strata}, {}):
        folds = make_folds(np.arange(len(groups)), 4, 5, 0, groups=groups, **known)
        counts = np.array([np.bincount(strata[val], minlength=3) for _, val in folds])
        spread.append((counts.std(axis=0) / counts.mean(axis=0)).sum())
    assert spread[0] < spread[1]


def test_as_many_folds_as_groups_leave_each_out_once(grouped):
    groups, strata = grouped
    folds = make_folds(np.arange(len(groups)), 40, 1, 0, strata, groups)
    assert sorted(set(groups[val].tolist()).pop() for _, val in folds) == list(range(40))
    assert all(len(np.unique(groups[val])) == 1 for _, val in folds)


def test_folds_forward_are_those_of_scikit_learn():
    order = np.random.default_rng(0).permutation(60)
    rows = np.argsort(order)
    ours = make_folds(np.arange(60), 5, 1, 0, order=order)
    for (train, val), (first, second) in zip(ours, TimeSeriesSplit(5).split(order), strict=True):
        assert np.array_equal(train, np.sort(rows[first]))
        assert np.array_equal(val, np.sort(rows[second]))


@pytest.mark.parametrize("seed", range(5))
def test_folds_forward_keep_ties_together(seed):
    order = np.random.default_rng(seed).choice(
        8, 100, p=[0.6, 0.1, 0.1, 0.08, 0.05, 0.03, 0.02, 0.02]
    )
    folds = make_folds(np.arange(100), 4, 1, 0, order=order)
    for train, val in folds:
        assert order[train].max() < order[val].min()
    assert len(folds[-1][0]) + len(folds[-1][1]) == 100


def test_repeats_add_folds_and_change_none():
    rows = np.arange(30)
    one, three = make_folds(rows, 3, 1, 7), make_folds(rows, 3, 3, 7)
    assert len(three) == 9
    for (train, val), (first, second) in zip(one, three):
        assert np.array_equal(train, first) and np.array_equal(val, second)
    assert len({tuple(val) for _, val in three}) == 9


def test_too_few_rows_groups_or_places_for_the_folds():
    with saying("folds 5 needs at least 5 rows, got 4."):
        make_folds(np.arange(4), 5, 1, 0)
    with saying(
        "group has 2 different values in the rows to divide into 3 folds; it needs at least 3."
    ):
        make_folds(np.arange(9), 3, 1, 0, groups=np.arange(9) % 2)
    with saying(
        "order has 3 different values in the rows to divide into 4 parts; it needs at least 4."
    ):
        make_folds(np.arange(9), 3, 1, 0, order=np.arange(9) % 3)


# ---------------------------------------------------------------- in the Data of a run


def test_folds_are_drawn_from_the_rows_that_are_not_held_out(grouped):
    groups, strata = grouped
    X = np.random.default_rng(0).normal(size=(len(groups), 2))
    data = make_data(X, np.array(list("abc"))[strata], test_fraction=0.2, group=groups, folds=4)
    assert without_leak([data.split["test"], *(val for _, val in data.folds)], groups)
    for fold, (train, val) in enumerate(data.folds):
        for name, rows in (("train", train), ("val", val)):
            weighed = data.rows(name)[data.weights(name)[fold] > 0]
            assert np.array_equal(weighed, rows)
    assert data.divided()["folds_val"].sum() == len(data.split["train"])


def test_a_run_by_groups_in_python():
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(60, 2)), np.repeat(np.arange(12), 5)
    result = fastnet.train(X, X[:, 0], group=groups, max_epochs=3, n1=2, **FRACTIONS)
    assert without_leak([result.split[name] for name in SETS], groups)
    assert result.notices[0].startswith("Groups stay whole: ")
    forward = fastnet.train(X, X[:, 0], order=np.arange(60), max_epochs=3, n1=2, **FRACTIONS)
    assert forward.split["test"].tolist() == list(range(48, 60))
    assert forward.notices[0] == "Rows in their order: 36 train, then 12 validate, then 12 test."


@pytest.mark.parametrize(
    "given, message",
    [
        ([1, 2], "must hold one number, text or date for each of the 30 rows, got shape (2,) of "),
        (
            np.zeros((30, 1)),
            "must hold one number, text or date for each of the 30 rows, got shape",
        ),
        ([np.nan] * 30, "has nan in row 0 (counted from 0; 30 such values in all); remove or "),
        (
            np.full(30, "NaT", "M8[D]"),
            "has NaT in row 0 (counted from 0; 30 such values in all); remove or replace them.",
        ),
    ],
)
@pytest.mark.parametrize("name", ["group", "order"])
def test_wrong_keys_of_rows(name, given, message):
    X = np.arange(30.0)
    with pytest.raises(DataError, match=f"^{name} {re.escape(message)}"):
        fastnet.train(X, X, n1=2, validation_fraction=0.2, **{name: given})


# ---------------------------------------------------------------- groups in an order


def test_the_groups_that_begin_last_are_held_out_whole():
    groups = np.repeat([3, 1, 2, 0], 5)
    order = np.concatenate([np.arange(5) + start for start in (0, 20, 10, 30)])
    given = {"group": groups, "order": order, "validation_fraction": 0.25}
    data = make_data(np.arange(20.0), np.arange(20.0), **given, test_fraction=0.25)
    held = {name: set(groups[rows].tolist()) for name, rows in data.split.items()}
    assert held == {"test": {0}, "val": {1}, "train": {2, 3}}
    assert data.notices == (
        "Groups stay whole: 2 train, 1 validate, 1 test.",
        "Rows in their order: 10 train, then 5 validate, then 5 test.",
    )


@pytest.mark.parametrize(
    "given, found",
    [
        ({"validation_fraction": 0.25}, "4 training rows come after the first row held out."),
        ({"folds": 3}, "4 training rows come after the first row that validates in their fold."),
    ],
)
def test_groups_that_overlap_in_their_order_are_told(given, found):
    groups = np.repeat(["a", "b", "c", "d"], 5)
    order = np.concatenate([np.arange(5) + start for start in (0, 10, 20, 20.5)])
    data = make_data(np.arange(20.0), np.arange(20.0), group=groups, order=order, **given)
    assert f"Groups overlap in their order: {found}" in data.notices
    for train, val in data.folds:
        assert not {*groups[train]} & {*groups[val]}


def test_groups_that_begin_together_cannot_be_ordered():
    given = {"group": np.repeat([0, 1], 5), "order": np.tile(np.arange(5), 2)}
    with pytest.raises(UsageError, match="the order in which groups begin has 1 different v"):
        make_data(np.arange(10.0), np.arange(10.0), **given, validation_fraction=0.5)


def test_messages_about_folds_name_the_fold():
    folds = [(np.arange(5), np.arange(5, 10)), (np.arange(5, 10), np.arange(5))]
    weight = np.repeat([1.0, 0.0], 5)
    with pytest.raises(DataError, match="all weights of the training rows of fold 2 are 0"):
        make_data(np.arange(10.0), np.arange(10.0), folds=folds, sample_weight=weight)
