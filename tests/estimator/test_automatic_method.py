"""optimizer="auto" of the estimators: which method is taken, and what becomes of it."""

import numpy as np
import pytest
from sklearn.base import clone

from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV

SHORT = {"max_epochs": 30, "random_state": 0}


@pytest.fixture(scope="module")
def smooth():
    """A smooth function of two inputs, almost without noise: br fits it far better than adam."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (120, 2))
    return X, np.sin(3 * X[:, 0]) + X[:, 1] ** 2 + 0.01 * rng.normal(size=120)


def test_the_better_method_is_taken_and_trained_on_all_rows(smooth):
    net = FastNetRegressor(**SHORT).fit(*smooth)
    assert net.optimizer == "auto" and (net.optimizer_, net.activation_) == ("br", "tanh")
    assert net.result_.members["optimizer"].tolist() == ["adam"] * 4 + ["br"]
    again = net.retrained_
    assert again.members["optimizer"].tolist() == ["br"] and len(again.split["val"]) == 0
    assert again.best["stop_reason"] in ("converged", "max_epochs")
    assert net.score(*smooth) > FastNetRegressor(**SHORT, optimizer="adam").fit(*smooth).score(
        *smooth
    )
    assert net.result_.notices[0].startswith("Optimizer br with tanh is taken")
    assert (clone(net).fit(*smooth).predict(smooth[0]) == net.predict(smooth[0])).all()


@pytest.mark.parametrize(
    "more",
    [{"l2": 0.001}, {"validation_fraction": 0}, {"learning_rate": 0.01}, {"target_loss": 0.1}],
)
def test_where_methods_are_not_compared_auto_has_the_bytes_of_adam(smooth, more):
    auto, adam = (FastNetRegressor(**SHORT, **more, optimizer=name) for name in ("auto", "adam"))
    assert auto.fit(*smooth).optimizer_ == "adam"
    assert auto.predict(smooth[0]).tobytes() == adam.fit(*smooth).predict(smooth[0]).tobytes()


def test_classes_have_the_bytes_of_adam(smooth):
    X, labels = smooth[0], smooth[1] > 0.5
    for more in ({}, {"class_weight": "balanced"}, {"ensemble": 2}):
        auto = FastNetClassifier(**SHORT, **more).fit(X, labels)
        adam = FastNetClassifier(**SHORT, **more, optimizer="adam").fit(X, labels)
        assert auto.predict_proba(X).tobytes() == adam.predict_proba(X).tobytes()


def test_weights_groups_several_targets_and_validation_sets_are_compared(smooth):
    X, y = smooth
    for given, targets in (
        ({"sample_weight": np.arange(120) % 3}, y),
        ({"groups": np.arange(120) // 4}, y),
        ({"X_val": X[:30], "y_val": y[:30]}, y),
        ({}, np.c_[y, X[:, 0]]),
    ):
        net = FastNetRegressor(**SHORT).fit(X, targets, **given)
        assert {*net.result_.members["optimizer"]} == {"adam", "br"} and net.optimizer_ == "br"
        assert net.predict(X).shape == targets.shape


@pytest.mark.parametrize("retrain", [True, False])
def test_an_ensemble_takes_members_of_the_comparison(smooth, retrain):
    net = FastNetRegressor(**SHORT, ensemble=3, retrain=retrain).fit(*smooth)
    assert net.optimizer_ == "br" and sum(net.model_.counts) == 3
    if retrain:
        assert {*net.retrained_.members["optimizer"]} == {"br"}


def test_a_search_compares_methods_in_every_fold(smooth):
    search = FastNetSearchCV(FastNetRegressor(**SHORT), {"n1": [3, 8]}, cv=2).fit(*smooth)
    assert len(search.result_.members) == 2 * (4 + 1) * 2
    assert search.best_estimator_.optimizer_ == "br"
    adam = FastNetRegressor(**SHORT, optimizer="adam")
    alone = FastNetSearchCV(adam, {"n1": [3, 8]}, cv=2).fit(*smooth)
    assert search.best_score_ > alone.best_score_
    halved = FastNetSearchCV(FastNetRegressor(**SHORT, l2=0.01), {"n1": [3, 8]}, cv=2, halving=2)
    assert {*halved.fit(*smooth).result_.members["optimizer"]} == {"adam"}
