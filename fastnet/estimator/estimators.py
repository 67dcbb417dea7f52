"""scikit-learn's estimators over fastnet.sweep: FastNetRegressor and FastNetClassifier.

Only this module and search.py need scikit-learn, and nothing else of fastnet imports them.
"""

from __future__ import annotations

import contextlib
import warnings
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from fastnet import api
from fastnet.data.split import FEW_ROWS
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, UsageError
from fastnet.estimator import frames
from fastnet.estimator.parameters import AUTO, ClassifierParameters, Parameters, documented
from fastnet.extras import missing_extra
from fastnet.options.defaults import defaults_beside
from fastnet.options.methods import OPTIMIZERS
from fastnet.options.table import AXES, OPTIONS
from fastnet.options.targets import UNITS
from fastnet.results.ensemble import Ensemble, candidates
from fastnet.results.verdict import untrained
from fastnet.training.cores import granted
from fastnet.training.grouping import monitored
from fastnet.training.plan import even_batch, shown

try:
    from joblib import effective_n_jobs
    from sklearn.base import (
        BaseEstimator,
        ClassifierMixin,
        MultiOutputMixin,
        RegressorMixin,
        is_classifier,
    )
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_consistent_length, check_random_state
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import (
        _check_sample_weight,
        check_is_fitted,
        check_X_y,
        column_or_1d,
        validate_data,
    )
except ImportError as error:
    need = f"fastnet.estimator needs scikit-learn 1.6 or later ({error})"
    raise missing_extra(need, "sklearn") from None

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["FastNetClassifier", "FastNetRegressor"]

Self = TypeVar("Self", bound="_FastNet")

FLOATS = (np.float64, np.float32)  # unchanged; anything else becomes float64
SEEDS = 2**32  # seeds are counted modulo this
FEWEST = 3  # rows at which fit warns
# Share of the best epoch before which a second training ended by chance: see docs/notes/scores.md.
EARLY = 0.7
# Options of fastnet that the estimators set themselves, and the parameters to use instead.
OWN = {"seeds": "random_state", "data_seed": "random_state", "threads": "n_jobs"}
RESTARTS = OPTIONS["n1"]._replace(name="n_restarts")
TOGETHER = OPTIONS["n1"]._replace(name="ensemble")


ATTRIBUTES = """Attributes
    ----------
    model_ : fastnet.results.result.Model or fastnet.results.ensemble.Ensemble
        The network that predicts, with its scaling; or several of them.
    result_ : fastnet.Result
        All restarts: members, histories, weights.
    retrained_ : fastnet.Result
        The training on all rows, or None; the attributes below are of `result_`.
    n_epochs_, best_epoch_ : int
        Epochs trained; the one whose weights were kept.
    best_loss_ : float
        Its monitored loss.
    l2_ : float
        Its strength of the penalty, which l2="auto" chooses.
    optimizer_, activation_ : str
        Its method, which optimizer="auto" chooses, and its activation.
    loss_curve_, validation_loss_curve_ : ndarray of shape (n_entries,)
        Training and validation loss after 0, 1, 2, ... epochs; the latter None where no rows were
        held out.
    n_features_in_, n_outputs_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has names that are all strings.
    columns_ : tuple
        Name, kind and levels of the columns of a data frame that holds texts; else empty.
"""


@contextlib.contextmanager
def value_errors():
    """fastnet's refusals as the ValueError that scikit-learn's users expect."""
    try:
        yield
    except (UsageError, DataError) as error:
        raise ValueError(str(error)) from None


def seeds(estimator):
    """The seed of each restart: random_state, if it is an integer, and the integers after it."""
    first = estimator.random_state
    if not isinstance(first, (int, np.integer)):
        first = check_random_state(first).randint(2**31 - 1)
    first = OPTIONS["seeds"].check_one(first, "random_state")
    asked = RESTARTS.check_one(estimator.n_restarts), TOGETHER.check_one(estimator.ensemble)
    count = max(asked)
    return [(first + i) % SEEDS for i in range(count)]


def options(estimator):
    """The estimator's parameters as options of fastnet, each with one checked value."""
    parameters, more = estimator.get_params(deep=False), dict(estimator.options or {})
    for name in ("class_weight", *frames.RULES):  # weights_of and checked take them
        parameters.pop(name, None)
    given = {n: value for n, value in parameters.items() if n in OPTIONS and not is_auto(value)}
    with value_errors():
        for name in more:
            if name in {*parameters, *frames.RULES, *OWN} or name not in OPTIONS:
                cure = f"set the parameter {OWN.get(name, name)}"
                cure = cure if name in OPTIONS else "it is not an option of fastnet"
                raise UsageError(f"options cannot have {name!r}; {cure}.")
        chosen = {name: OPTIONS[name].check_one(v) for name, v in {**given, **more}.items()}
        restarts = seeds(estimator)
        if is_auto(estimator.optimizer):
            chosen["optimizer"] = AUTO
        usual = defaults_beside(chosen, "train", "data")
    for name in parameters.keys() - chosen.keys():
        of_data = is_auto(estimator.optimizer) and name in AXES  # known with the rows
        if name in OPTIONS and not of_data:
            chosen[name] = usual[name][0] if OPTIONS[name].axis else usual[name]
    loss = "squared"
    if is_classifier(estimator):
        loss = "binary_cross_entropy" if estimator.several_labels_ else "cross_entropy"
    own = {"seeds": restarts, "data_seed": restarts[0]}
    return {"loss": loss, **chosen, **own, "threads": threads(estimator.n_jobs)}


def given_of(estimator):
    """The options that an estimator was given, as they are: those that are not left to others."""
    given = {**estimator.get_params(deep=False), **(estimator.options or {})}
    return {name: value for name, value in given.items() if name in OPTIONS and not is_auto(value)}


def of_best(result):
    """The axes of the best member as options, but for its seed, strength of l2 and target."""
    names = [name for name in AXES if name not in ("seeds", "l2", "target_loss")]
    several = [name for name in names if len(result.options[name]) > 1]
    one = {name: result.options[name][0] for name in names}
    return {**one, **{name: shown(name, result.best[name]) for name in several}}


def is_auto(value):
    """Whether a parameter is left to the optimizer."""
    return isinstance(value, str) and value == AUTO


def threads(n_jobs):
    """The threads that n_jobs asks for: those of joblib's context, at most the cores granted."""
    asked, cores = effective_n_jobs(n_jobs), granted().count
    if n_jobs is None:
        return min(asked, cores)
    return asked if n_jobs > 0 else max(1, min(asked, cores + 1 + n_jobs))


def checked(estimator, X, y):
    """X and y as checked arrays; the estimator (or search) stores the features' names, and the
    columns of a data frame that are not all numbers."""
    numbers = {"multi_output": True, "y_numeric": not is_classifier(estimator)}
    estimator.columns_ = ()
    rules = frames.rules_of(estimator, X)
    if frames.is_mixed(X, rules):
        validate_data(estimator, X, skip_check_array=True)
        estimator.columns_ = frames.described(X, rules)
        X = frames.encoded(X, estimator.columns_)
        X, y = check_X_y(X, y, dtype=FLOATS, ensure_min_samples=2, **numbers)
    else:
        X, y = validate_data(estimator, X, y, dtype=FLOATS, ensure_min_samples=2, **numbers)
    if is_classifier(estimator):
        y = checked_labels(estimator, y)
    return X, y


def checked_labels(estimator, y):
    """Labels (n,), or a 0/1 indicator matrix (n, k) of several, which the estimator remembers."""
    check_classification_targets(y)
    kind = type_of_target(y)
    if kind == "multiclass-multioutput":
        raise ValueError(
            f"y must be labels (n,) or a matrix of 0 and 1, got shape {y.shape}; for several "
            "targets of classes put sklearn.multioutput.MultiOutputClassifier around this one."
        )
    estimator.several_labels_ = kind == "multilabel-indicator"
    if not estimator.several_labels_:
        return column_or_1d(y, warn=True)
    return y.toarray() if hasattr(y, "toarray") else y


def inputs_of(estimator, X):
    """X as a checked array with the inputs that the estimator was fitted to."""
    if not estimator.columns_:
        return validate_data(estimator, X, reset=False, dtype=FLOATS)
    frames.require_frame(X, estimator.columns_)
    validate_data(estimator, X, reset=False, skip_check_array=True)
    return frames.encoded(X, estimator.columns_)


def weights_of(estimator, sample_weight, X, y):
    """The weight of every row, sample_weight times that of its class."""
    if sample_weight is not None and not np.any(np.asarray(sample_weight)):
        raise ValueError("sample_weight is zero for all rows; at least one must be positive.")
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if getattr(estimator, "class_weight", None) is not None:
        if y.ndim > 1:
            raise ValueError("class_weight needs one label per row; use sample_weight.")
        used = weights > 0
        weights[used] *= compute_sample_weight(estimator.class_weight, y[used])
    return weights


class _FastNet(BaseEstimator, Parameters):
    """The common part of both estimators; their __init__ comes from the dataclass of parameters."""

    def __init_subclass__(cls, **more: Any) -> None:
        """Give the class an __init__ of its own name: Python's errors name it."""
        super().__init_subclass__(**more)
        old: Any = cls.__init__
        made = FunctionType(old.__code__, old.__globals__, "__init__", None, old.__closure__)
        made.__defaults__, made.__kwdefaults__ = old.__defaults__, old.__kwdefaults__
        made.__annotations__, made.__qualname__ = old.__annotations__, f"{cls.__name__}.__init__"
        setattr(cls, "__init__", made)  # noqa: B010 - for mypy

    def fit(
        self: Self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Train all restarts in one sweep and keep the best.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            A data frame of pandas or polars may have columns of texts and categories, each level
            of which becomes an input, of ordered categories, which become the numbers 0, 1, 2, ...
            in their order, and of dates, see the parameter `dates`.
        y : array of shape (n,) or (n, k)
            Numbers, (n, k) for several targets; for a classifier, labels (n,), or a matrix of 0
            and 1 for several labels per row.
        sample_weight : array of shape (n,), optional
            Weights >= 0 in every loss; a row of weight 0 counts as absent.
        groups : array of shape (n,), optional
            Group of each row, such as a patient: no group is held out in part.
        X_val, y_val : arrays of shapes (m, d) and (m,) or (m, k), optional
            A validation set to monitor, in place of validation_fraction.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            for data or a parameter that cannot be used.
        """
        inputs, targets = checked(self, X, y)
        weights = weights_of(self, sample_weight, inputs, targets)
        rows = weights > 0  # a row of weight zero counts as absent
        if not rows.all():
            inputs, targets, weights = inputs[rows], targets[rows], weights[rows]
        if is_classifier(self):
            several = self.several_labels_
            self.classes_ = np.arange(targets.shape[1]) if several else np.unique(targets)
        given = {**options(self), "sample_weight": weights, **self._validation(X_val, y_val)}
        given |= self._division(given["validation_fraction"], groups, rows)
        if is_auto(self.batch_size) and "batch_size" in given:
            given["batch_size"] = even_batch(given["batch_size"], weights, inputs.shape[1])
        with value_errors():
            result = api.sweep(inputs, targets, **given)
        if len(inputs) <= FEWEST:
            warnings.warn(
                f"{len(inputs)} rows to learn from are too few to tell how well the network "
                "predicts others; give fit more rows.",
                stacklevel=2,
            )
        if result.best["stop_reason"] == "diverged":
            warnings.warn(
                f"training diverged in epoch {result.best['epochs']}; lower learning_rate "
                f"(now {self.learning_rate}), or set clip_norm.",
                ConvergenceWarning,
                stacklevel=2,
            )
        elif result.best["best_epoch"] == 0:
            warnings.warn(
                f"{untrained(result.best)} Give a larger batch_size, a lower "
                "learning_rate or more rows.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self._take(result, result.best_member)
        if is_auto(self.optimizer):
            given |= of_best(result)
        self.retrained_ = None
        if self.retrain and given["validation_fraction"] and result.best["train_loss"] >= 0:
            self._retrain(inputs, targets, given)
        elif self.ensemble > 1:
            self._combine(inputs, targets, given.get("validation"))
        return self

    def _together(self):
        """The records of the restarts that predict: the best ones, without those that diverged."""
        if self.ensemble == 1:
            return self.result_.members[[self.result_.best_member]]
        several = candidates(self.result_)[0]
        same = self.result_.members["optimizer"][several] == self.optimizer_
        return self.result_.members[several[same][: self.ensemble]]

    def _retrain(self, X, y, given):
        """Train on all rows to the training loss of the best epoch, and take that network.

        A penalised network may pass that loss in an early epoch, before the penalty has had its
        effect. Then training goes on from the best weights instead.
        """
        some = self._together()
        given.update(dict.fromkeys(UNITS), seeds=some["seed"].tolist())
        given.update(target_loss=some["train_loss"].tolist(), l2=some["l2"].tolist())
        most = max(int(some["epochs"].max()), 1)
        given.update(validation_fraction=0.0, group=None, patience=None, max_epochs=most)
        alone = is_auto(self.optimizer) and OPTIMIZERS[self.optimizer_].own_l2
        if alone:  # it stops by itself
            given.update(target_loss=None, max_epochs=self.max_epochs)
        given.pop("prune_l2", None)  # one strength is left
        given["zip"] = len(some) > 1
        result = api.sweep(X, y, **given)
        if not alone and (result.members["best_epoch"] < EARLY * some["best_epoch"]).any():
            weights = [self.result_.weights(int(member)) for member in some["member"]]
            result = api.sweep(X, y, **given, initial_weights=weights)
        self.retrained_ = result
        self.model_ = result.model() if self.ensemble == 1 else result.ensemble("all")

    def _combine(self, X, y, validation):
        """Take the mean of the best restarts, with their errors on the held-out rows."""
        if self.result_.best["stop_reason"] == "diverged":
            return  # all have; the warning has said so
        if validation is not None:
            X, y = (np.concatenate(pair) for pair in zip((X, y), validation[:2]))
        held = len(self.result_.split["val"]) > 0 and not getattr(self, "several_labels_", False)
        members = f"top:{len(self._together())}"
        self.model_ = self.result_.ensemble(members, data=(X, y), calibrate=held)

    def _validation(self, X_val, y_val):
        """The validation set as an option; without one, a share of the rows is held out."""
        if X_val is None and y_val is None:
            return {}
        if X_val is None or y_val is None:
            raise ValueError("give both X_val and y_val, or neither.")
        X_val = inputs_of(self, X_val)
        y_val = np.asarray(y_val)
        weights = weights_of(self, None, X_val, y_val)
        return {"validation": (X_val, y_val, weights), "validation_fraction": 0.0}

    def _division(self, fraction, groups, rows):
        """The options by which rows are held out: by groups, and none of a few rows by default."""
        few = rows.sum() < FEW_ROWS and is_auto(self.validation_fraction)
        if groups is None:
            return {"validation_fraction": 0.0} if few else {}
        groups = np.asarray(groups)
        check_consistent_length(groups, rows)
        return {"group": groups[rows]} if fraction else {}

    def _take(self, result, member):
        """Become the fitted estimator of a member."""
        record, history = result.members[member], result.history(member)
        self.result_, self.model_ = result, result.model(member)
        self.loss_curve_ = history.train_loss
        self.validation_loss_curve_ = None if np.isnan(record["val_loss"]) else history.val_loss
        self.best_loss_ = float(monitored(result.members)[member])
        self.l2_ = float(record["l2"])
        self.optimizer_, self.activation_ = str(record["optimizer"]), str(record["activation"])
        self.best_epoch_, self.n_epochs_ = int(record["best_epoch"]), int(record["epochs"])
        self.n_outputs_ = len(self.model_.weights.b2)
        return self

    def _predictor(self):
        """The model in float64, so that each prediction depends only on its own row (to 1e-15)."""
        check_is_fitted(self)
        if isinstance(self.model_, Ensemble):
            return self.model_._replace(models=tuple(map(in_double, self.model_.models)))
        return in_double(self.model_)

    def _calibrated(self):
        """The predictor with its errors on rows that did not train; refused if it has none."""
        predictor = self._predictor()
        if self.retrained_ is not None:
            raise ValueError("intervals need rows that did not train: fit with retrain=False.")
        if predictor.calibration is None:
            raise ValueError(
                "intervals need held-out rows of numbers or single labels: set validation_fraction "
                "above 0, or give X_val and y_val to fit."
            )
        return predictor


def in_double(model):
    """The model with weights in float64."""
    return model._replace(weights=Weights(*(array.astype(np.float64) for array in model.weights)))


class FastNetRegressor(MultiOutputMixin, RegressorMixin, _FastNet):
    __doc__ = f"""A regressor: one hidden layer, trained on half the squared error.

    {documented(Parameters)}
    {ATTRIBUTES}
    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from fastnet.estimator import FastNetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = FastNetRegressor(n1=16, n_restarts=3, random_state=0).fit(X[:300], y[:300])
    >>> net.predict(X[300:]).shape, net.optimizer_
    ((142,), 'adam')
    """

    def predict(
        self, X: ArrayLike, return_std: bool = False
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predicted numbers.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
        return_std : bool, default=False
            Also the standard deviation of the predictions of the ensemble's networks.

        Returns
        -------
        ndarray of shape (n,) or (n, k), or two of them

        Raises
        ------
        ValueError
            for return_std without an ensemble.
        """
        model, inputs = self._predictor(), inputs_of(self, X)
        if not return_std:
            return model.predict(inputs)
        if not isinstance(model, Ensemble):
            raise ValueError("return_std needs several networks: fit with ensemble=5, say.")
        found = model.spread(inputs)
        mean, std = (array if array.shape[1] > 1 else array[:, 0] for array in found[:2])
        return mean, std

    def predict_interval(
        self, X: ArrayLike, coverage: float = 0.9
    ) -> tuple[np.ndarray, np.ndarray]:
        """Intervals that hold the target with a given probability, by split-conformal prediction.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
        coverage : float, default=0.9
            The probability, on average over rows like the held-out ones.

        Returns
        -------
        lower, upper : ndarray of shape (n,) or (n, k)

        Raises
        ------
        ValueError
            for an estimator that was retrained on all rows, and for too few held-out rows.
        """
        model = self._calibrated()
        with value_errors():
            return model.predict_interval(inputs_of(self, X), coverage)


class FastNetClassifier(ClassifierMixin, ClassifierParameters, _FastNet):
    __doc__ = f"""A classifier: one hidden layer, softmax, trained on the cross-entropy.

    A matrix of 0 and 1 as y asks for several labels per row: a sigmoid for each, trained on the
    binary cross-entropy.

    {documented(ClassifierParameters)}
    {ATTRIBUTES}    classes_ : ndarray of shape (n_outputs_,)
        The labels, sorted: the columns of predict_proba. The columns of y where it is a matrix.
    several_labels_ : bool
        Whether y was a matrix of 0 and 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastnet.estimator import FastNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = FastNetClassifier(random_state=0).fit(X, y)
    >>> net.predict(X[:3]), net.predict_proba(X[:3]).shape
    (array([0, 0, 0]), (3, 3))
    """

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The most probable label of every row, or whether each label is more probable than not.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)

        Returns
        -------
        ndarray of shape (n,) or (n, k)
        """
        probabilities = self.predict_proba(X)
        if self.several_labels_:
            return (probabilities > 0.5).astype(type(self.model_.labels[0][1]))
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of every class.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)

        Returns
        -------
        ndarray of shape (n, k)
            Columns in the order of classes_; for several labels the probability of each.
        """
        model = self._predictor()
        return model.predict_proba(inputs_of(self, X))

    def predict_set(self, X: ArrayLike, coverage: float = 0.9) -> np.ndarray:
        """Sets of labels that hold the true one with a given probability.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
        coverage : float, default=0.9
            The probability, on average over rows like the held-out ones.

        Returns
        -------
        ndarray of bool, shape (n, k)
            Which labels of classes_ the set of a row has: at least the likeliest.

        Raises
        ------
        ValueError
            for an estimator that was retrained on all rows, and for too few held-out rows.
        """
        model = self._calibrated()
        with value_errors():
            return model.predict_set(inputs_of(self, X), coverage)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
