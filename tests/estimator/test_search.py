"""FastNetSearchCV is GridSearchCV over the estimators, in one sweep."""

import re

import numpy as np
import pandas
import pytest

from fastnet import api

pytest.importorskip("sklearn", minversion="1.6", reason="the extra [sklearn]")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV

SHORT = {"n1": 4, "optimizer": "sgd", "learning_rate": 0.2, "max_epochs": 15, "random_state": 3}
SHORT |= {"retrain": False, "l2": 0.001}
UNSCALED = {**SHORT, "scale": "none"}  # under folds scaling is learnt once, not in each of them
GRID = {"n1": [2, 5], "learning_rate": [0.1, 0.3, 1.0]}
TIMES = ("mean_fit_time", "std_fit_time", "mean_score_time", "std_score_time")


@pytest.fixture(scope="module")
def flowers():
    return load_iris(return_X_y=True)


def assert_same(search, other):
    """The results of two searches, times aside, are equal."""
    assert search.cv_results_.keys() == other.cv_results_.keys()
    for name in search.cv_results_.keys() - set(TIMES):
        np.testing.assert_array_equal(search.cv_results_[name], other.cv_results_[name], name)
    assert search.best_params_ == other.best_params_ and search.best_score_ == other.best_score_
    assert search.best_index_ == other.best_index_ and search.n_splits_ == other.n_splits_


@pytest.mark.filterwarnings("ignore:No epoch lowered")
@pytest.mark.parametrize("parameters", [{"n_restarts": 2}, {"validation_fraction": 0}])
def test_it_finds_the_very_numbers_of_grid_search(parameters, flowers):
    net = FastNetClassifier(**{**UNSCALED, **parameters})
    search = FastNetSearchCV(net, GRID).fit(*flowers)
    other = GridSearchCV(net, GRID).fit(*flowers)
    assert_same(search, other)
    assert (search.predict_proba(flowers[0]) == other.predict_proba(flowers[0])).all()
    assert search.score(*flowers) == other.score(*flowers)
    assert len(search.result_.members) == 6 * net.n_restarts * 5  # settings, restarts, folds


@pytest.mark.filterwarnings("ignore:No epoch lowered")
def test_regression_weights_splitters_and_several_grids(flowers):
    X, y = load_diabetes(return_X_y=True)
    weights = np.arange(len(y)) % 3
    net = FastNetRegressor(**UNSCALED)
    grids = [{"n1": [3]}, {"l2": [0.0, 0.1], "activation": ["tanh"]}]
    for scoring in (None, "neg_mean_squared_error"):
        given = {"scoring": scoring, "cv": KFold(2, shuffle=True, random_state=0)}
        search = FastNetSearchCV(net, grids, **given).fit(X, y, sample_weight=weights)
        assert_same(search, GridSearchCV(net, grids, **given).fit(X, y, sample_weight=weights))


@pytest.mark.filterwarnings("ignore:No epoch lowered")
def test_any_score_and_groups(flowers):
    net, groups = FastNetClassifier(**UNSCALED), np.arange(150) % 7
    for scoring in ("neg_log_loss", make_scorer(f1_score, average="macro"), lambda e, X, y: len(X)):
        given = {"scoring": scoring, "cv": GroupKFold(3)}
        search = FastNetSearchCV(net, {"n1": [2, 3]}, **given).fit(*flowers, groups=groups)
        assert_same(search, GridSearchCV(net, {"n1": [2, 3]}, **given).fit(*flowers, groups=groups))


def test_it_is_one_sweep_over_one_copy_of_the_data(monkeypatch, flowers):
    calls, sweep = [], api.sweep

    def noting(X, y, **given):
        calls.append((X, given["folds"]))
        return sweep(X, y, **given)

    monkeypatch.setattr(api, "sweep", noting)
    FastNetSearchCV(FastNetClassifier(**SHORT), GRID, cv=3, refit=False).fit(*flowers)
    (X, folds) = calls.pop()
    assert not calls and len(folds) == 3 and np.shares_memory(X, flowers[0])


def test_labels_names_and_threads(flowers):
    X = pandas.DataFrame(flowers[0], columns=list("abcd"))
    y = np.array(["x", "y", "z"])[flowers[1]]
    net = FastNetClassifier(**SHORT)
    search = FastNetSearchCV(net, {"n1": [3, 4]}, n_jobs=2).fit(X, y)
    assert search.classes_.tolist() == ["x", "y", "z"] and search.predict(X).dtype == y.dtype
    assert search.feature_names_in_.tolist() == list("abcd")
    assert search.best_estimator_.n_jobs == 2 and search.result_.options["threads"] == 2
    assert_same(search, FastNetSearchCV(net, {"n1": [3, 4]}).fit(X, y))


def test_without_refit_there_are_results_only(flowers):
    search = FastNetSearchCV(FastNetClassifier(**SHORT), {"n1": [3]}, cv=2, refit=False)
    assert not hasattr(search.fit(*flowers), "best_estimator_")
    assert search.best_params_ == {"n1": 3}
    with pytest.raises(AttributeError, match="has no attribute 'predict'") as caught:
        search.predict(flowers[0])
    assert "predict needs refit=True" in str(caught.value.__cause__)
    with pytest.raises(NotFittedError, match="is not fitted yet"):
        clone(search).set_params(refit=True).predict(flowers[0])
    assert not hasattr(FastNetSearchCV(FastNetRegressor(), GRID), "predict_proba")


@pytest.mark.parametrize(
    "grid, message",
    [
        ({"max_epochs": [5]}, "FastNetSearchCV cannot search 'max_epochs', only n1, learning_rate"),
        ({"n1": [0]}, "n1 must be an integer >= 1 and <= 65536, got 0."),
        ({"n1": []}, "non-empty"),
    ],
)
def test_a_wrong_grid_is_a_value_error(grid, message, flowers):
    with pytest.raises(ValueError, match=re.escape(message)):
        FastNetSearchCV(FastNetClassifier(**SHORT), grid).fit(*flowers)


def test_one_score_only(flowers):
    search = FastNetSearchCV(FastNetClassifier(**SHORT), GRID, scoring=["accuracy", "f1_macro"])
    with pytest.raises(ValueError, match="scoring must be one score"):
        search.fit(*flowers)


EXACT = {
    "batch_size": None,
    "validation_fraction": 0,
    "scale": "none",
    "dtype": "float64",
    "random_state": 0,
}
SEARCHES = [
    FastNetSearchCV(
        cls(n1=4, max_epochs=60, optimizer="sgd", learning_rate=1.0, **EXACT), {"n1": [6]}, cv=2
    )
    for cls in (FastNetRegressor, FastNetClassifier)
]


@pytest.mark.slow
@parametrize_with_checks(SEARCHES)
def test_checks(estimator, check):
    check(estimator)


# ---------------------------------------------------------------- halving


def test_halving_prunes_settings_and_ranks_them_below_the_others(flowers):
    net = FastNetClassifier(**{**UNSCALED, "max_epochs": 90, "n_restarts": 2})
    search = FastNetSearchCV(net, GRID, cv=3, halving=3).fit(*flowers)
    pruned, rank = search.cv_results_["pruned"], search.cv_results_["rank_test_score"]
    assert pruned.sum() == 4 and rank[~pruned].max() < rank[pruned].min()
    members = search.result_.members.reshape(6, -1)
    for setting, out in zip(members, pruned):
        reasons = set(setting["stop_reason"])
        assert ("pruned" in reasons) == out and len(setting) == 2 * 3
    whole = FastNetSearchCV(net, GRID, cv=3).fit(*flowers)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"][~pruned],
        whole.cv_results_["mean_test_score"][~pruned],
    )
    assert "pruned" not in whole.cv_results_


def test_halving_of_too_few_settings_is_refused(flowers):
    with pytest.raises(ValueError, match="halving 9 needs at least 9 settings"):
        FastNetSearchCV(FastNetClassifier(**SHORT), GRID, halving=9).fit(*flowers)
