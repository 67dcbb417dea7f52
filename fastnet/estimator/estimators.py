"""scikit-learn's estimators over fastnet.sweep: FastNetRegressor and FastNetClassifier.

Only this module and search.py need scikit-learn, and nothing else of fastnet imports them.
"""

import contextlib
import warnings

import numpy as np

from fastnet import api
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, UsageError
from fastnet.extras import missing_extra
from fastnet.options.table import OPTIONS, check_one
from fastnet.results.answer import monitored

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
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_sample_weight
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    need = f"fastnet.estimator needs scikit-learn 1.6 or later ({error})"
    raise missing_extra(need, "sklearn") from None

__all__ = ["FastNetClassifier", "FastNetRegressor"]

FLOATS = (np.float64, np.float32)  # kept as they are; anything else becomes float64
SEEDS = 2**32  # seeds are counted modulo this
# Options of fastnet that the estimators set by themselves, and parameters that say it.
OWN = {"seeds": "random_state", "data_seed": "random_state", "threads": "n_jobs"}
RESTARTS = OPTIONS["n1"]._replace(name="n_restarts")


# What both classes say of their parameters; class_weight is the classifier's alone.
PARAMETERS = """Parameters
    ----------
    n1 : int, default=128
        Hidden width N1.
    learning_rate : float, default=0.003
        The first rate, always a number; lr_patience and lr_factor let it fall.
    max_epochs : int, default=300
        Most epochs, passes over the training rows.
    batch_size : int or None, default=32
        Rows of a step; None takes all (full batch).
    patience : int or None, default=40
        Epochs in a row without gain before training stops; None: never.
    lr_patience : int or None, default=12
        Epochs without gain before the learning rate falls; None: never.
    lr_factor : float, default=0.5
        What the rate is multiplied by then, in (0, 1].
    min_learning_rate : float, default=0.0
        The rate never falls below this.
    min_delta : float, default=0.0
        Least decrease of the monitored loss that counts as a gain.
    clip_norm : float or None, default=1.0
        Largest L2 norm of the gradient over all weights; None: no clipping.
    l2 : float, default=0.001
        L2 penalty on the weights, not on the biases.
    init : {"auto", "glorot_uniform", "he_normal", "nguyen_widrow"}, default="auto"
        Initial weights.
    activation : {"sigmoid", "tanh", "relu", "identity"}, default="relu"
        Activation of the hidden units.
    optimizer : str, default="adam"
        How gradients move the weights.
    target_loss : float or None, default=None
        Stop at this monitored loss; None: no target.
    time_limit : float or None, default=None
        Stop after so many seconds; the result then depends on the machine.
    scale : {"standard", "minmax", "none"}, default="standard"
        Scaling of the inputs and of a regression's targets, learnt on the training rows and part
        of the model; losses are those of scaled targets.
    validation_fraction : float, default=0.2
        Share of the rows, of each class alike, that is held out to be monitored: its loss tells
        when to stop and which weights are the best. 0 monitors the training loss instead.
    retrain : bool, default=True
        Where rows were held out, train the best restart once more on all rows, until its training
        loss is what it was at the best epoch (after Goodfellow, Bengio & Courville 2016, Deep
        Learning, Algorithm 7.3).
    n_restarts : int, default=1
        Networks to train at once from different initial weights; the one with the lowest
        monitored loss is kept.%s
    dtype : {"float32", "float64"}, default="float32"
        Precision of training.
    random_state : int, RandomState or None, default=None
        Restart i starts from seed random_state + i, as `seeds` of `fastnet.sweep`; the rows held
        out hang on random_state, too.
    n_jobs : int or None, default=None
        Threads, which share the restarts; None means 1 and -1 all cores, as in scikit-learn. The
        result does not depend on it.
    options : dict or None, default=None
        Further options of fastnet, by their names.
"""
CLASS_WEIGHT = """
    class_weight : dict, "balanced" or None, default=None
        Factors of the rows' weights by class, in the loss that is minimised and in the one that
        is monitored; "balanced" gives every class the same sum."""
ATTRIBUTES = """Attributes
    ----------
    model_ : fastnet.records.Model
        The network that predicts, with its scaling.
    result_ : fastnet.Result
        All restarts: members, histories, weights.
    retrained_ : fastnet.Result
        The training on all rows, or None; the attributes below are of `result_`.
    n_epochs_, best_epoch_ : int
        Epochs trained; the one whose weights were kept.
    best_loss_ : float
        Its monitored loss.
    loss_curve_, validation_loss_curve_ : ndarray of shape (n_entries,)
        Training and validation loss after 0, 1, 2, ... epochs; the latter None where no rows were
        held out.
    n_features_in_, n_outputs_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X has names that are all strings.
"""


@contextlib.contextmanager
def value_errors():
    """fastnet's refusals as the ValueError that scikit-learn's users expect."""
    try:
        yield
    except (UsageError, DataError) as error:
        raise ValueError(str(error)) from None


def seeds(estimator):
    """The seed of each restart: random_state, if it is an integer, and those after it."""
    first = estimator.random_state
    if not isinstance(first, (int, np.integer)):
        first = check_random_state(first).randint(2**31 - 1)
    first = check_one(OPTIONS["seeds"], first, "random_state")
    count = check_one(RESTARTS, estimator.n_restarts)
    return [(first + i) % SEEDS for i in range(count)]


def options(estimator):
    """The estimator's parameters as options of fastnet, each one checked value."""
    parameters, more = estimator.get_params(deep=False), dict(estimator.options or {})
    parameters.pop("class_weight", None)  # weights_of takes it
    given = {name: value for name, value in parameters.items() if name in OPTIONS}
    with value_errors():
        for name in more:
            if name in parameters or name not in OPTIONS or name in OWN:
                cure = f"set the parameter {OWN.get(name, name)}"
                cure = cure if name in OPTIONS else "it is no option of fastnet"
                raise UsageError(f"options cannot have {name!r}; {cure}.")
        chosen = {name: check_one(OPTIONS[name], v) for name, v in {**given, **more}.items()}
        restarts = seeds(estimator)
    loss = "cross_entropy" if is_classifier(estimator) else "squared"
    own = {"seeds": restarts, "data_seed": restarts[0]}
    return {"loss": loss, **chosen, **own, "threads": effective_n_jobs(estimator.n_jobs)}


def checked(estimator, X, y):
    """X and y as checked arrays; the estimator (or search) notes the features' number and names."""
    numbers = {} if is_classifier(estimator) else {"multi_output": True, "y_numeric": True}
    X, y = validate_data(estimator, X, y, dtype=FLOATS, ensure_min_samples=2, **numbers)
    if is_classifier(estimator):
        check_classification_targets(y)
    return X, y


def weights_of(estimator, sample_weight, X, y):
    """The weight of every row, sample_weight times that of its class."""
    if sample_weight is not None and not np.any(np.asarray(sample_weight)):
        raise ValueError("sample_weight is zero for all rows; at least one must be positive.")
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if getattr(estimator, "class_weight", None) is not None:
        used = weights > 0
        weights[used] *= compute_sample_weight(estimator.class_weight, y[used])
    return weights


class _FastNet:
    """What both estimators do; each lists its parameters in its own __init__, as clone asks."""

    def _fit(self, X, y, sample_weight, X_val, y_val):
        """Train all restarts in one sweep and take the best."""
        X, y = checked(self, X, y)
        weights = weights_of(self, sample_weight, X, y)
        rows = weights > 0  # a row of weight zero is as good as not there
        X, y, weights = (a if rows.all() else a[rows] for a in (X, y, weights))
        if is_classifier(self):
            self.classes_ = np.unique(y)
        given = {**options(self), "sample_weight": weights, **self._validation(X_val, y_val)}
        with value_errors():
            result = api.sweep(X, y, **given)
        if result.best["stop_reason"] == "diverged":
            warnings.warn(
                f"training diverged in epoch {result.best['epochs']}; lower learning_rate "
                f"(now {self.learning_rate}), or set clip_norm.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self._take(result, result.best_member)
        self.retrained_ = None
        if self.retrain and given["validation_fraction"] and result.best["train_loss"] >= 0:
            self._retrain(X, y, given)
        return self

    def _retrain(self, X, y, given):
        """Take the network that all rows give once its training loss is that of the best epoch."""
        best = self.result_.best
        given.update(seeds=[int(best["seed"])], target_loss=float(best["train_loss"]))
        given.update(validation_fraction=0.0, patience=None, max_epochs=max(self.n_epochs_, 1))
        self.retrained_ = api.sweep(X, y, **given)
        self.model_ = self.retrained_.model()

    def _validation(self, X_val, y_val):
        """The validation set as an option; without one, a share of the rows is held out."""
        if X_val is None and y_val is None:
            return {}
        if X_val is None or y_val is None:
            raise ValueError("give both X_val and y_val, or neither.")
        X_val = validate_data(self, X_val, reset=False, dtype=FLOATS)
        y_val = np.asarray(y_val)
        weights = weights_of(self, None, X_val, y_val)
        return {"validation": (X_val, y_val, weights), "validation_fraction": 0.0}

    def _take(self, result, member):
        """Become the fitted estimator of a member."""
        record, history = result.members[member], result.history(member)
        self.result_, self.model_ = result, result.model(member)
        self.loss_curve_ = history.train_loss
        self.validation_loss_curve_ = None if np.isnan(record["val_loss"]) else history.val_loss
        self.best_loss_ = float(monitored(result.members)[member])
        self.best_epoch_, self.n_epochs_ = int(record["best_epoch"]), int(record["epochs"])
        self.n_outputs_ = len(self.model_.weights.b2)
        return self

    def _predictor(self):
        """The model in float64: what it says of a row then hangs, to 1e-15, on that row alone."""
        check_is_fitted(self)
        weights = Weights(*(array.astype(np.float64) for array in self.model_.weights))
        return self.model_._replace(weights=weights)


class FastNetRegressor(MultiOutputMixin, RegressorMixin, _FastNet, BaseEstimator):
    __doc__ = f"""A regressor: one hidden layer, trained on half the squared error.

    {PARAMETERS % ""}
    {ATTRIBUTES}
    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from fastnet.estimator import FastNetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> net = FastNetRegressor(n1=16, n_restarts=3, random_state=0).fit(X[:300], y[:300])
    >>> net.predict(X[300:]).shape, len(net.result_.members)
    ((142,), 3)
    """

    def __init__(
        self,
        n1=128,
        *,
        learning_rate=0.003,
        max_epochs=300,
        batch_size=32,
        patience=40,
        lr_patience=12,
        lr_factor=0.5,
        min_learning_rate=0.0,
        min_delta=0.0,
        clip_norm=1.0,
        l2=0.001,
        init="auto",
        activation="relu",
        optimizer="adam",
        target_loss=None,
        time_limit=None,
        scale="standard",
        validation_fraction=0.2,
        retrain=True,
        n_restarts=1,
        dtype="float32",
        random_state=None,
        n_jobs=None,
        options=None,
    ):
        self.n1 = n1
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.patience = patience
        self.lr_patience = lr_patience
        self.lr_factor = lr_factor
        self.min_learning_rate = min_learning_rate
        self.min_delta = min_delta
        self.clip_norm = clip_norm
        self.l2 = l2
        self.init = init
        self.activation = activation
        self.optimizer = optimizer
        self.target_loss = target_loss
        self.time_limit = time_limit
        self.scale = scale
        self.validation_fraction = validation_fraction
        self.retrain = retrain
        self.n_restarts = n_restarts
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.options = options

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Train all restarts and keep the best.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
        y : array of shape (n,) or (n, k)
        sample_weight : array of shape (n,), optional
            Weights >= 0 in every loss; a row of weight 0 is as good as not there.
        X_val, y_val : arrays, optional
            A validation set to monitor, in place of validation_fraction.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            for data or a parameter that cannot be used.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def predict(self, X):
        """Predicted numbers, (n,) or (n, k)."""
        model = self._predictor()
        return model.predict(validate_data(self, X, reset=False, dtype=FLOATS))


class FastNetClassifier(ClassifierMixin, _FastNet, BaseEstimator):
    __doc__ = f"""A classifier: one hidden layer, softmax, trained on the cross-entropy.

    {PARAMETERS % CLASS_WEIGHT}
    {ATTRIBUTES}    classes_ : ndarray of shape (n_outputs_,)
        The labels, sorted: the columns of predict_proba.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastnet.estimator import FastNetClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> net = FastNetClassifier(random_state=0).fit(X, y)
    >>> net.predict(X[:3]), net.predict_proba(X[:3]).shape
    (array([0, 0, 0]), (3, 3))
    """

    def __init__(
        self,
        n1=128,
        *,
        learning_rate=0.003,
        max_epochs=300,
        batch_size=32,
        patience=40,
        lr_patience=12,
        lr_factor=0.5,
        min_learning_rate=0.0,
        min_delta=0.0,
        clip_norm=1.0,
        l2=0.001,
        init="auto",
        activation="relu",
        optimizer="adam",
        target_loss=None,
        time_limit=None,
        scale="standard",
        validation_fraction=0.2,
        retrain=True,
        n_restarts=1,
        class_weight=None,
        dtype="float32",
        random_state=None,
        n_jobs=None,
        options=None,
    ):
        self.n1 = n1
        self.learning_rate = learning_rate
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.patience = patience
        self.lr_patience = lr_patience
        self.lr_factor = lr_factor
        self.min_learning_rate = min_learning_rate
        self.min_delta = min_delta
        self.clip_norm = clip_norm
        self.l2 = l2
        self.init = init
        self.activation = activation
        self.optimizer = optimizer
        self.target_loss = target_loss
        self.time_limit = time_limit
        self.scale = scale
        self.validation_fraction = validation_fraction
        self.retrain = retrain
        self.n_restarts = n_restarts
        self.class_weight = class_weight
        self.dtype = dtype
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.options = options

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None):
        """Train all restarts and keep the best.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
        y : array of shape (n,), labels
        sample_weight : array of shape (n,), optional
            Weights >= 0 in every loss; a row of weight 0 is as good as not there.
        X_val, y_val : arrays, optional
            A validation set to monitor, in place of validation_fraction.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            for data or a parameter that cannot be used.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def predict(self, X):
        """The most probable label of every row, (n,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def predict_proba(self, X):
        """Probability of every class, (n, k), columns in the order of classes_."""
        model = self._predictor()
        return model.predict_proba(validate_data(self, X, reset=False, dtype=FLOATS))
