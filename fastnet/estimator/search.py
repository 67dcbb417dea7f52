"""FastNetSearchCV: a grid, its folds and its restarts trained as one sweep."""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet import api
from fastnet.data.split import split_rows
from fastnet.errors import UsageError, quoted
from fastnet.estimator.estimators import (  # imported first: it says which library is missing
    _FastNet,
    checked,
    given_of,
    is_auto,
    options,
    seeds,
    value_errors,
    weights_of,
)
from fastnet.options.defaults import COMPARED
from fastnet.options.table import AXES
from fastnet.options.targets import UNITS
from fastnet.results.answer import best_member
from fastnet.training.automatic import MARGIN, Known, why_alone
from fastnet.training.strengths import AUTO, strengths

# isort: split
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

if TYPE_CHECKING:
    from distributed import Client
    from numpy.typing import ArrayLike

__all__ = ["FastNetSearchCV"]


def candidates(estimator, grid):
    """The grid's settings, one dict each; only axes of a sweep can differ between them."""
    searchable = [name for name in AXES if name in estimator.get_params(deep=False)]
    settings = list(ParameterGrid(grid))
    for name in {name: None for setting in settings for name in setting}:
        if name not in searchable:
            raise UsageError(
                f"FastNetSearchCV cannot search {name!r}, only {', '.join(searchable)}; set "
                "it on the estimator or use GridSearchCV."
            )
    return settings


def as_axes(chosen):
    """The options of one sweep, its lists paired: every setting with every seed.

    `chosen` has the options of every setting; what an optimizer has as its default may differ.
    """
    base = chosen[0]
    restarts, axes = base["seeds"], {}
    for name in base:
        values = [options[name] for options in chosen]
        if all(value == values[0] for value in values):
            continue
        if name not in AXES:
            raise UsageError(
                f"the settings have different defaults of {name}, {quoted(values[0])} and "
                f"{quoted(next(v for v in values if v != values[0]))}; set it on the estimator."
            )
        axes[name] = [value for value in values for _ in restarts]
    return {**base, **axes, "seeds": restarts * len(chosen), "zip": True}


def with_method(estimator, name):
    """A copy of the estimator with this optimizer, if its own is auto."""
    method = {"optimizer": name} if is_auto(estimator.optimizer) else {}
    return copy.copy(estimator).set_params(**method)


def of_methods(estimator, known, halving):
    """The options of an estimator, once for each method that its optimizer stands for."""
    first, other = (options(with_method(estimator, name)) for name in COMPARED)
    one = {**first, **dict.fromkeys(UNITS), "target_loss": (first["target_loss"],)}
    alone = why_alone({**one, "halving": halving}, given_of(estimator), (other["n1"],), known)
    same = {name: first[name] for name in ("validation_fraction", "max_epochs")}
    return [first] if alone or not is_auto(estimator.optimizer) else [first, {**other, **same}]


def with_strengths(chosen, rows):
    """The options of every setting with each strength that its l2 stands for, and the setting's
    number; every fold chooses among its members by its own held-out loss."""
    found = []
    for i, one in chosen:
        named = {"optimizer": (one["optimizer"],), "stop": "all"}
        auto, held_out = one["l2"] == AUTO, one["validation_fraction"] > 0
        several = strengths(named, rows, held_out) if auto else (one["l2"],)
        found += [(i, {**one, "l2": strength}) for strength in several]
    owner, trained = zip(*found)
    return np.array(owner), trained


def fold_rows(train, strata, weights, chosen):
    """The rows to train on and those to monitor, split as fit splits its rows."""
    train = train[weights[train] > 0]
    fraction = chosen["validation_fraction"]
    if not fraction:
        return train, train
    own = None if strata is None else strata[train]
    split = split_rows(len(train), fraction, 0.0, chosen["data_seed"], own)
    return train[split["train"]], train[split["val"]]


def statistics(name, values, results):
    """Put mean and standard deviation over the folds of values (settings, folds) into results."""
    results[f"mean_{name}"] = values.mean(axis=1)
    results[f"std_{name}"] = values.std(axis=1)


def masked_column(name, settings):
    """A parameter's values, masked where a setting does not name it."""
    column = np.ma.masked_all(len(settings), dtype=object)
    for place, setting in enumerate(settings):
        if name in setting:
            column[place] = setting[name]
    return column


def ranks(scores, pruned):
    """The rank of each mean score, 1 the best; pruned settings rank below all others."""
    found = np.empty(len(scores), np.int32)
    for some, ahead in ((~pruned, 0), (pruned, (~pruned).sum())):
        found[some] = ahead + rankdata(-scores[some], method="min")
    return found


def results_table(settings, fit_seconds, scores, score_seconds, pruned=None):
    """cv_results_, as GridSearchCV lays it out; `pruned` says which settings were."""
    results = {}
    statistics("fit_time", fit_seconds, results)
    statistics("score_time", score_seconds, results)
    for name in sorted({name for setting in settings for name in setting}):
        results[f"param_{name}"] = masked_column(name, settings)
    results["params"] = settings
    for fold, column in enumerate(scores.T):
        results[f"split{fold}_test_score"] = column
    statistics("test_score", scores, results)
    ranked = np.nan_to_num(results["mean_test_score"], nan=-np.inf)
    out = np.zeros(len(settings), bool) if pruned is None else pruned
    results["rank_test_score"] = ranks(ranked, out)
    if pruned is not None:
        results["pruned"] = pruned
    return results


def takes_weights(scorer):
    """Whether the scorer, an object of scikit-learn or a function, takes sample_weight."""
    asked = getattr(scorer, "_accept_sample_weight", None)
    return asked() if asked else "sample_weight" in inspect.signature(scorer).parameters


def refitted(name):
    """For available_if: whether the best estimator, or before fit the estimator, has `name`."""

    def check(search):
        if not search.refit:
            raise AttributeError(f"{name} needs refit=True: there is no best estimator.")
        return hasattr(getattr(search, "best_estimator_", search.estimator), name)

    return check


class FastNetSearchCV(MetaEstimatorMixin, BaseEstimator):
    """GridSearchCV over one of the estimators, trained as one sweep.

    Every setting of the grid is trained once per fold and restart, all in one call. Folds are
    weights of rows, so X is not copied. The networks of the folds are not retrained; scaling is
    learnt once, on all rows.

    Parameters
    ----------
    estimator : FastNetRegressor or FastNetClassifier
        Its parameters hold for every setting that does not name them.
    param_grid : dict or list of dict
        Lists of values by parameter: n1, learning_rate and the other axes of a sweep.
    scoring : str, callable or None, default=None
        One score; None takes the estimator's own.
    cv : int, splitter or None, default=None
        As in GridSearchCV; None is 5 folds.
    refit : bool, default=True
        Fit the best setting on all data.
    n_jobs : int or None, default=None
        Threads; None takes the estimator's.
    halving : int or None, default=None
        Of the settings, only the best 1 in `halving` go on at each rung (docs/pruning.md), by the
        mean monitored loss over folds and restarts. None trains all to their own stop.
    cluster : str or None, default=None
        Dask cluster that trains the settings (docs/scaling.md): tcp://host:8786, or a scheduler
        file. The best one is trained again on this machine.

    Attributes
    ----------
    cv_results_ : dict of arrays
        As GridSearchCV lays it out; fit times are the thread times of a setting's members. With
        halving also `pruned`: whether a setting was; these rank below all others.
    best_params_, best_score_, best_index_, best_estimator_, n_splits_, scorer_, refit_time_
        As in GridSearchCV.
    result_ : fastnet.Result
        The sweep: one member per setting, restart and fold; folds vary fastest.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastnet.estimator import FastNetClassifier, FastNetSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> net = FastNetClassifier(max_epochs=20, random_state=0)
    >>> search = FastNetSearchCV(net, {"n1": [2, 8]}, cv=3).fit(X, y)
    >>> search.best_params_
    {'n1': 8}
    """

    def __init__(
        self,
        estimator: _FastNet,
        param_grid: Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Iterable[Any]]],
        *,
        scoring: str | Callable[..., float] | None = None,
        cv: Any = None,
        refit: bool = True,
        n_jobs: int | None = None,
        halving: int | None = None,
        cluster: str | None = None,
    ) -> None:
        self.estimator = estimator
        self.param_grid = param_grid
        self.scoring = scoring
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.halving = halving
        self.cluster = cluster

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        client: Client | None = None,
    ) -> FastNetSearchCV:
        """Train every setting on every fold, and the best one on all data if `refit`.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
        y : array of shape (n,) or (n, k)
        sample_weight : array of shape (n,), optional
            Weights >= 0 in every loss; a row of weight 0 counts as absent.
        groups : array of shape (n,), optional
            Groups of rows for the splitter.
        client : distributed.Client, optional
            The Dask cluster that trains the settings, in place of `cluster`; it is not closed.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            for data, a grid or a score that cannot be used.
        """
        estimator = clone(self.estimator)
        if self.n_jobs is not None:
            estimator.set_params(n_jobs=self.n_jobs)
        given = X, y
        X, y = checked(self, X, y)
        estimator.several_labels_ = getattr(self, "several_labels_", False)
        with value_errors():
            self._search(estimator, X, y, sample_weight, groups, client)
        self.best_index_ = int(self.cv_results_["rank_test_score"].argmin())
        self.best_params_ = self.cv_results_["params"][self.best_index_]
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        if self.refit:
            began = time.perf_counter()
            self.best_estimator_ = clone(estimator).set_params(**self.best_params_)
            self.best_estimator_.fit(*given, sample_weight=sample_weight)
            self.refit_time_ = time.perf_counter() - began
        return self

    def _search(self, estimator, X, y, sample_weight, groups, client):
        """Train everything in one sweep and score it: result_, cv_results_ and n_splits_."""
        settings = candidates(estimator, self.param_grid)
        if estimator.ensemble != 1:
            raise UsageError(
                "ensemble must be 1 in a search, which scores single networks, got "
                f"{quoted(estimator.ensemble)}; fit an ensemble with best_params_ afterwards."
            )
        one = {"random_state": seeds(estimator)[0]}
        each = [copy.copy(estimator).set_params(**{**one, **s}) for s in settings]
        usual = options(with_method(each[0], COMPARED[0]))
        if isinstance(self.scoring, (list, tuple, set, dict)):
            raise UsageError(
                f"scoring must be one score, got {quoted(self.scoring)}; use GridSearchCV."
            )
        self.scorer_ = check_scoring(estimator, scoring=self.scoring)
        folds = list(check_cv(self.cv, y, classifier=is_classifier(estimator)).split(X, y, groups))
        weights, strata = weights_of(estimator, sample_weight, X, y), None
        if is_classifier(estimator):
            estimator.classes_ = np.arange(y.shape[-1])
            if y.ndim == 1:
                estimator.classes_, strata = np.unique(y, return_inverse=True)
        rows = [fold_rows(train, strata, weights, usual) for train, _ in folds]
        fewest, held_out = min(len(train) for train, _ in rows), usual["validation_fraction"] > 0
        k = y.shape[1] if y.ndim > 1 else 1  # of classes the loss decides
        known = Known(usual["loss"], X.shape[1], k, fewest, held_out)
        methods = [of_methods(one, known, self.halving) for one in each]
        variants = [(i, found) for i, several in enumerate(methods) for found in several]
        owner, trained = with_strengths(variants, fewest)
        swept = as_axes(trained)
        swept["validation_fraction"] = 0.0
        swept |= {"halving": self.halving, "cluster": self.cluster, "client": client}
        self.result_ = api.sweep(X, y, folds=rows, sample_weight=weights, **swept)
        estimator.n_features_in_, self.n_splits_ = X.shape[1], len(folds)
        estimator.columns_ = ()  # the scorer gets X as an array
        every = self.result_.members.reshape(len(trained), -1, len(folds))
        members = [every[owner == i].reshape(-1, len(folds)) for i in range(len(settings))]
        scored = self._scores(estimator, settings, members, X, y, sample_weight, folds)
        times = np.array([each["seconds"].sum(axis=0) for each in members])
        pruned = None
        if self.halving is not None:
            out = (every["stop_reason"] == "pruned").any(axis=(1, 2))
            pruned = np.array([out[owner == i].all() for i in range(len(settings))])
        self.cv_results_ = results_table(settings, times, *scored, pruned)

    def _scores(self, estimator, settings, members, X, y, sample_weight, folds):
        """Score and seconds of the best restart of every setting in every fold."""
        weigh = sample_weight is not None and takes_weights(self.scorer_)
        scores, seconds = np.empty((2, len(settings), len(folds)))
        for i, fold in np.ndindex(scores.shape):
            began, (_, test) = time.perf_counter(), folds[fold]
            restarts = members[i][:, fold]
            fitted = copy.copy(estimator).set_params(**settings[i])
            fitted._take(
                self.result_, int(restarts["member"][best_member(restarts, margin=MARGIN)])
            )
            more = {"sample_weight": np.asarray(sample_weight)[test]} if weigh else {}
            scores[i, fold] = self.scorer_(fitted, X[test], y[test], **more)
            seconds[i, fold] = time.perf_counter() - began
        return scores, seconds

    def _best(self):
        """The estimator that predicts."""
        check_is_fitted(self, "best_estimator_")
        return self.best_estimator_

    @property
    def classes_(self) -> np.ndarray:
        """The labels of the best estimator."""
        return self._best().classes_

    @available_if(refitted("predict"))
    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predictions of the best estimator.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)

        Returns
        -------
        ndarray of shape (n,) or (n, k)
        """
        return self._best().predict(X)

    @available_if(refitted("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of every class by the best estimator.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)

        Returns
        -------
        ndarray of shape (n, k)
        """
        return self._best().predict_proba(X)

    @available_if(refitted("score"))
    def score(self, X: ArrayLike, y: ArrayLike) -> float:
        """The score of the best estimator, by `scoring`.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
        y : array of shape (n,) or (n, k)

        Returns
        -------
        float
        """
        return self.scorer_(self._best(), X, y)

    def __sklearn_tags__(self):
        tags, own = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.estimator_type = own.estimator_type
        tags.classifier_tags = copy.deepcopy(own.classifier_tags)
        tags.regressor_tags = copy.deepcopy(own.regressor_tags)
        tags.target_tags = copy.deepcopy(own.target_tags)
        return tags
