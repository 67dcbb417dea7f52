"""A Model, one trained network, and what it has in common with an ensemble: a Predictor."""

import os
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnet import reference
from fastnet.data import scaling
from fastnet.data.checks import as_array, as_one_hot, checked_inputs, one_hot, unnamed_features
from fastnet.data.columns import encode_inputs
from fastnet.data.numerals import with_numbers
from fastnet.data.schema import Column, Described, Schema
from fastnet.data.tables import Table, table_of_frame
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, UsageError
from fastnet.files import json_value
from fastnet.options.methods import EXP, LOSSES, SIGMOID
from fastnet.options.table import own_options
from fastnet.results import intervals, jacobian, metrics
from fastnet.results.intervals import Calibration
from fastnet.results.labels import of_labels
from fastnet.results.rules import Rule, predicted_classes, predicted_seconds, rule_of, softmax

FOLD_LIMIT = 100  # scales from 0 up to which float32 keeps 1e-5: 100 units of 6e-8
BLOCK_ROWS, BLOCK_VALUES = 1 << 15, 1 << 24  # rows, and values of hidden units, predicted at once


class Predictor(Described):
    """What one network and an ensemble have in common: from z2 of new rows to what it means."""

    __slots__ = ()
    thresholds: Mapping[str, Any] | None
    calibration: Calibration | None

    if TYPE_CHECKING:

        def outputs(self, X: Any) -> np.ndarray: ...
        def outputs_and_spread(self, X: Any) -> tuple[np.ndarray, np.ndarray | None]: ...

    @property
    def x_shift(self) -> np.ndarray:
        """The network's input is (x - x_shift) / x_scale; shape (d,)."""
        return self.scaling.x_shift

    @property
    def x_scale(self) -> np.ndarray:
        """The network's input is (x - x_shift) / x_scale; shape (d,)."""
        return self.scaling.x_scale

    @property
    def y_shift(self) -> np.ndarray:
        """A prediction is z2 * y_scale + y_shift; shape (k,)."""
        return self.scaling.y_shift

    @property
    def y_scale(self) -> np.ndarray:
        """A prediction is z2 * y_scale + y_shift; shape (k,)."""
        return self.scaling.y_scale

    @property
    def is_scaled(self) -> bool:
        """Whether inputs or predictions are scaled."""
        shifts, scales = (self.x_shift, self.y_shift), (self.x_scale, self.y_scale)
        return any((a != 0).any() for a in shifts) or any((a != 1).any() for a in scales)

    # ------------------------------------------------------------ predictions

    def predict(self, X: Any, threshold: Any = None, costs: Any = None) -> np.ndarray:
        """Predicted numbers or class labels.

        Parameters
        ----------
        X : array, DataFrame or Table of shape (n, d)
            Columns of a DataFrame or Table are taken by name, in any order.
        threshold : float, "f1", "balanced_accuracy" or dict, optional
            For two classes: the probability from which the second is predicted, or what the model's
            own was chosen by on the validation rows. For several targets of two labels the same
            for all, or such values by target; a target that is not named has 0.5.
        costs : dict, optional
            For classes: the cost of missing each, by label. The class with the least expected cost
            is predicted.

        Returns
        -------
        ndarray of shape (n,) or (n, k)
            Numbers in the units of the targets, (n, k) if there are several targets; with
            loss poisson the mean, with loss quantile the quantile. For classes the labels (n,),
            for several targets of two labels those of each (n, k).

        Raises
        ------
        DataError
            for other columns than the model was trained on, for NaN and texts.
        UsageError
            for a threshold or costs that do not suit the model, and for both.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(x, x**2, n1=3, max_epochs=10)
        >>> result.model().predict(x).shape
        (50,)
        """
        rule = self.rule(threshold, costs)
        predicted = self.decoded(self.outputs(X), rule)
        several = self.classes is None and predicted.shape[1] > 1
        return predicted if several else predicted.reshape(-1)

    def export(self, to: str, path: str | os.PathLike, **options: Any) -> dict[str, Any]:
        """Write it for another program: `fastnet.export.write(self, to, path, ...)`.

        Parameters
        ----------
        to : {"npy", "onnx", "c", "numpy", "js", "st", "formula"}
        path : path
            The file to write; with npy a folder.
        **options
            force, fold, about, input_dtype, interval, language, inputs, quantize, rows.

        Returns
        -------
        dict
            The files with their bytes, and what the network takes.

        Raises
        ------
        UsageError, DataError, FastnetError
            as `fastnet.export.write`.

        Examples
        --------
        >>> import tempfile, numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> model = fastnet.train(x, x**2, n1=3, max_epochs=10).model()
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.export("c", folder + "/parabola.h")["parameters"]
        10
        """
        # The one call of a later room: people look for it here.
        return import_module("fastnet.export").write(self, to, path, **options)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class, or of the second label of each of several targets.

        Parameters
        ----------
        X : array, DataFrame or Table of shape (n, d)

        Returns
        -------
        ndarray of shape (n, n_classes) or (n, k)
            Columns in the order of `classes`; each row sums to 1. For several targets of two
            labels a column per target, in the order of `targets`.

        Raises
        ------
        UsageError
            for a model of numbers.
        DataError
            as `predict`.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(x, x > 0, n1=3, max_epochs=10)
        >>> result.model().predict_proba(x).shape
        (50, 2)
        """
        if self.classes is None and not self.labels:
            raise UsageError(
                f"predict_proba needs a classifier; this model was trained for loss {self.loss}."
            )
        return self.probabilities(self.outputs(X))

    def predict_interval(self, X: Any, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
        """Intervals that hold the target with a given probability, by split-conformal prediction.

        Parameters
        ----------
        X : array, DataFrame or Table of shape (n, d)
        level : float
            The probability, on average over rows like the validation rows.

        Returns
        -------
        lower, upper : ndarray of shape (n,) or (n, k)
            As `predict`; each of several targets has the level by itself.

        Raises
        ------
        UsageError
            for a model of classes, without validation rows, and for too few of them.
        DataError
            as `predict`.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(x, x**2, n1=3, max_epochs=10, validation_fraction=0.2)
        >>> lower, upper = result.model().predict_interval(x, level=0.8)
        >>> lower.shape, bool((lower < upper).all())
        ((50,), True)
        """
        if self.classes is not None:
            raise UsageError("predict_interval needs a model of numbers; use predict_set.")
        ends = intervals.limits(self, *self.outputs_and_spread(X), level)
        lower, upper = (end if end.shape[1] > 1 else end[:, 0] for end in ends)
        return lower, upper

    def predict_set(self, X: Any, level: float = 0.9) -> np.ndarray:
        """Sets of classes that hold the true one with a given probability.

        Parameters
        ----------
        X : array, DataFrame or Table of shape (n, d)
        level : float
            The probability, on average over rows like the validation rows.

        Returns
        -------
        ndarray of bool, shape (n, n_classes)
            Which of `classes` the set of a row has: at least the likeliest.

        Raises
        ------
        UsageError
            for a model of numbers, without validation rows, and for too few of them.
        DataError
            as `predict`.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(x, x > 0, n1=3, max_epochs=10, validation_fraction=0.2)
        >>> result.model().predict_set(x, level=0.8).shape
        (50, 2)
        """
        if self.classes is None:
            raise UsageError("predict_set needs a model of classes; use predict_interval.")
        return intervals.class_sets(self, self.outputs(X), level)

    def inputs(self, X: Any) -> np.ndarray:
        """X as an array of shape (n, d) before scaling.

        A missing number becomes NaN if its column has a fill; otherwise it is refused.

        Parameters
        ----------
        X : array, DataFrame or Table
            The columns of a Table or DataFrame are taken by name, in any order; an array has
            the `features`, so one column for each category.
        """
        named = self.columns or self.features != unnamed_features(len(self.features))
        if isinstance(X, Table) or (named and hasattr(X, "columns")):
            table = X if isinstance(X, Table) else table_of_frame(X, "X")
            table = with_numbers(table, self.schema.writings)
            columns = self.columns or tuple(Column(name, "number") for name in self.features)
            X = np.empty((table.rows, len(self.features)))
            encode_inputs(table, columns, X, impute="model")
            return X
        d, fills = len(self.features), [column.number_fill for column in self.columns]
        missing = bool(fills) and None not in fills
        X = as_array(X, "X", missing)
        shape = X.shape
        X, _ = checked_inputs(X, missing=missing)
        if X.shape[1] != d:
            raise DataError(
                f"X must have {d} columns ({', '.join(self.features[:5])}"
                f"{', ...' * (d > 5)}), got shape {shape}."
            )
        return X

    @property
    def has_one_logit(self) -> bool:
        """Whether it has two classes and the logit of the second alone."""
        return LOSSES[self.loss].link == SIGMOID and not self.labels

    @property
    def predicts_counts(self) -> bool:
        """Whether it predicts the mean of counts, which are not below 0."""
        return LOSSES[self.loss].link == EXP

    def means(self, Z2: np.ndarray) -> np.ndarray:
        """The network's prediction from z2: z2 itself, or e^z2 with loss poisson."""
        return np.exp(Z2) if LOSSES[self.loss].link == EXP else Z2

    def decoded(self, Z2: np.ndarray, rule: Rule | None = None) -> np.ndarray:
        """The numbers (n, k) in their own units, or the class labels (n,), from z2."""
        if self.classes is not None:
            return self.classes[predicted_classes(Z2, rule)]
        if self.labels:
            return self.decoded_labels(Z2, rule)
        with np.errstate(over="ignore"):  # infinite, and written as such
            return self.means(Z2) * self.y_scale + self.y_shift

    def decoded_labels(self, Z2: np.ndarray, rule: Rule | None = None) -> np.ndarray:
        """The predicted label of each target (n, k); as objects if they are of several kinds."""
        kinds = {type(label) for pair in self.labels for label in pair}
        pairs = np.array(self.labels, None if len(kinds) == 1 else object)
        return np.where(predicted_seconds(Z2, rule), pairs[:, 1], pairs[:, 0])

    def probabilities(self, Z2: np.ndarray) -> np.ndarray:
        """softmax of z2, row by row; the sigmoid of each for several targets of labels."""
        return reference.activations.sigmoid(Z2) if self.labels else softmax(Z2)

    def response(self, Z2: np.ndarray) -> np.ndarray:
        """What a person is told of z2: numbers in their own units, or probabilities; (n, k)."""
        numeric = self.classes is None and not self.labels
        return self.decoded(Z2) if numeric else self.probabilities(Z2)

    def linked(self, response: np.ndarray) -> np.ndarray:
        """z2 (n, k) from a response, the inverse of `response`; of classes their logarithms."""
        tiny, small = np.finfo(np.float64).tiny, np.finfo(np.float64).epsneg
        if self.classes is not None:
            return np.log(np.maximum(response, tiny))
        if self.labels:
            inside = np.clip(response, tiny, 1 - small)
            return np.log(inside) - np.log1p(-inside)
        means = (response - self.y_shift) / self.y_scale
        return np.log(np.maximum(means, tiny)) if LOSSES[self.loss].link == EXP else means

    def encoded(self, Y: np.ndarray) -> np.ndarray:
        """Targets (n, k) as in training: numbers are scaled, classes and labels as given."""
        numeric = self.classes is None and not self.labels
        return (Y - self.y_shift) / self.y_scale if numeric else Y

    def probability_names(self) -> list[str]:
        """What the columns of probabilities are of: the class, or target=label of each target."""
        if self.classes is not None:
            return [str(label) for label in self.classes]
        return [f"{name}={pair[1]}" for name, pair in zip(self.targets, self.labels)]

    def rule(self, threshold: Any = None, costs: Any = None) -> Rule | None:
        """How labels are predicted by a threshold or costs, as `predict` takes them."""
        return rule_of(self, threshold, costs)

    # ------------------------------------------------------------ metrics

    def metrics(
        self, Z2: np.ndarray, Y: np.ndarray, weight: np.ndarray, rule: Rule | None = None
    ) -> dict[str, Any]:
        """The metrics of results/metrics.py for targets Y (n, k) as encoded in training."""
        mean = self.ranges.y_mean
        if self.classes is not None:
            labels = self.classes.tolist()
            return metrics.of_classes(as_one_hot(Y), Z2, weight, labels, mean, rule)
        if self.labels:
            return of_labels(Y, Z2, weight, self.targets, mean, rule)
        own = Y * self.y_scale + self.y_shift
        return metrics.of_numbers(own, self.decoded(Z2), weight, self.targets, mean)

    def mean_loss(self, Z2: np.ndarray, Y: np.ndarray, weight: np.ndarray) -> float | None:
        """The mean loss; None if the loss has a parameter, which a model does not keep."""
        if own_options("loss", self.loss):
            return None
        loss = "cross_entropy" if self.has_one_logit else self.loss  # outputs() has two columns
        losses, _ = reference.losses.LOSSES[loss](Z2, Y)
        return json_value(losses @ weight / weight.sum())

    def evaluation(
        self,
        X: Any,
        y: np.ndarray,
        weight: np.ndarray,
        rule: Rule | None = None,
        interval: float | None = None,
    ) -> dict[str, Any]:
        """Loss and metrics of the predictions, for targets in their own units.

        Parameters
        ----------
        X : array, DataFrame or Table of shape (n, d)
        y : ndarray of shape (n,) or (n, k)
            Numbers or class labels; for several targets of two labels 1 for the second, else 0.
        weight : ndarray of shape (n,)
        rule : Rule, optional
            How labels are predicted, if not the likeliest.
        interval : float, optional
            The probability with which intervals or sets of classes hold the target.

        Returns
        -------
        dict
            rows, loss and metrics; for classes also their labels, the threshold, the costs and the
            confusion matrix; for several targets of two labels labels and thresholds of each.
            With an interval what `fastnet.results.intervals.sureness` finds.
        """
        Z2, std = self.outputs_and_spread(X)
        with np.errstate(over="ignore", invalid="ignore"):  # scores that are not finite are None
            if self.classes is not None:
                Y = one_hot(y, self.classes, f"target {self.targets[0]!r}")
            else:
                Y = (y.reshape(len(y), -1) - self.y_shift) / self.y_scale
            found = {
                "rows": len(y),
                "loss": self.mean_loss(Z2, Y, weight),
                "metrics": self.metrics(Z2, Y, weight, rule),
            }
        if interval is not None:
            found["interval"] = intervals.sureness(self, Z2, std, Y, weight, interval)
        if self.labels:
            found["labels"] = {name: list(pair) for name, pair in zip(self.targets, self.labels)}
            found["threshold"] = dict(zip(self.targets, rule.thresholds)) if rule else None
        if self.classes is not None:
            found["classes"] = self.classes.tolist()
            found["threshold"] = rule.thresholds[0] if rule and rule.thresholds else None
            names = [str(label) for label in self.classes]
            found["costs"] = dict(zip(names, rule.costs)) if rule and rule.costs else None
            guess = predicted_classes(Z2, rule)
            found["confusion"] = metrics.confusion_matrix(Y, guess).tolist()
        return found


class ModelFields(NamedTuple):
    """The fields of a Model."""

    weights: Weights
    activation: str
    schema: Schema
    thresholds: Mapping[str, Any] | None = None
    calibration: Calibration | None = None


class Model(Predictor, ModelFields):
    """One trained network with everything that predicting needs.

    Attributes
    ----------
    weights : Weights
        W1 of shape (N1, d), b1 (N1,), W2 (k, N1) and b2 (k,).
    activation : str
        The activation of the hidden units.
    schema : Schema
        The meaning of inputs and outputs. Its facts are attributes of the model, too: loss,
        classes, features, columns, targets and the four arrays of its scaling.
    thresholds : dict or None
        For two classes: the probability from which to predict the second, by what it was chosen
        by on the validation rows, "f1" and "balanced_accuracy". For several targets of two labels
        such probabilities by target, None where the rows have one label. None if there were no
        validation rows, and for a member that is not its run's best.
    calibration : Calibration or None
        The errors on the validation rows, which intervals are made from. None if there were none,
        and for a member that is not its run's best.

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> x = np.linspace(-1, 1, 50)
    >>> model = fastnet.train(x, x**2, n1=3, max_epochs=10).model()
    >>> model.activation, model.loss, model.features, model.weights.W1.shape
    ('sigmoid', 'squared', ('x0',), (3, 1))
    """

    __slots__ = ()

    def folded(self) -> "Model":
        """The same network with its scaling inside the weights: they act on unscaled inputs.

        Returns
        -------
        Model
            Predicts the same up to rounding. Inputs are still cut at its `limits`, if it has any.
            Its weights have the dtype of these, or float64 if an input lies further from 0 than
            FOLD_LIMIT of its scales: z1 is then the difference of large numbers.

        Raises
        ------
        UsageError
            with loss poisson, if its predictions are shifted: the exponential cannot hold that.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(100, 102, 50)
        >>> model = fastnet.train(x, x**2, n1=3, max_epochs=10, scale="standard").model()
        >>> W1, b1, W2, b2 = model.folded().weights
        >>> z1 = np.outer(x, W1[:, 0]) + b1
        >>> y = (1 / (1 + np.exp(-z1))) @ W2.T + b2
        >>> bool(np.allclose(y[:, 0], model.predict(x), rtol=1e-5))
        True
        """
        if self.means_are_shifted():
            raise UsageError(
                "predictions of loss poisson with a shift cannot be folded; export without fold."
            )
        W1, b1, W2, b2 = (array.astype(np.float64) for array in self.weights)
        W1 = W1 / self.x_scale
        if LOSSES[self.loss].link == EXP:
            output = W2, b2 + np.log(self.y_scale)
        else:
            output = W2 * self.y_scale[:, None], b2 * self.y_scale + self.y_shift
        far = (np.abs(self.x_shift) / self.x_scale).max(initial=0) > FOLD_LIMIT
        dtype = np.float64 if far else self.weights.W1.dtype
        arrays = (W1, b1 - W1 @ self.x_shift, *output)
        d, k = len(self.x_shift), len(self.y_shift)
        schema = self.schema._replace(scaling=scaling.no_scaling(d, k))
        return self._replace(weights=Weights(*(a.astype(dtype) for a in arrays)), schema=schema)

    def can_be_folded(self) -> bool:
        """Whether it has a scaling that its weights can hold."""
        return self.is_scaled and not self.means_are_shifted()

    def means_are_shifted(self) -> bool:
        """Whether a prediction is e^z2 y_scale + y_shift with a shift."""
        return LOSSES[self.loss].link == EXP and bool((self.y_shift != 0).any())

    def jacobian(self, X: Any) -> np.ndarray:
        """The exact slope of every prediction in every input, in the units of the data.

        Parameters
        ----------
        X : array, DataFrame or Table of shape (n, d)
            As in `predict`.

        Returns
        -------
        ndarray of shape (n, k, d)
            Element [i, j, m] is d prediction j / d input m at row i. Predictions are those of
            `predict`; for classes and labels they are the probabilities of `predict_proba`.
            Inputs are the `features`: each category of a column is one of them. At the kink of
            relu the slope is 0, and where a number is missing it is that at the column's fill.

        Raises
        ------
        DataError
            as `predict`.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> model = fastnet.train(x, x**2, n1=3, max_epochs=10).model()
        >>> slopes = model.jacobian(x)
        >>> difference = (model.predict(x + 1e-6) - model.predict(x - 1e-6)) / 2e-6
        >>> slopes.shape, bool(np.allclose(slopes[:, 0, 0], difference, atol=1e-7))
        ((50, 1, 1), True)
        """
        X = self.inputs(X)
        parts = list(jacobian.blocks(self, X))
        return np.concatenate(parts) if parts else jacobian.of_rows(self, X)

    @property
    def fills(self) -> list[float | None]:
        """For each input the number that replaces a missing one, or None."""
        return [column.number_fill for column in self.columns for _ in column.inputs()]

    def scaled(self, X: np.ndarray) -> np.ndarray:
        """The network's inputs (n, d), filled in, cut and scaled, of X before that."""
        return scaling.scaled(X, self.x_shift, self.x_scale, np.float64, self.fills, self.limits)

    def is_cut(self, X: np.ndarray) -> np.ndarray:
        """Where inputs (n, d) before scaling lie beyond the limits."""
        if self.limits is None:
            return np.zeros(X.shape, bool)
        return (X < self.limits.x_least) | (X > self.limits.x_most)

    def outputs(self, X: Any) -> np.ndarray:
        """z2 of every row, computed in float64 whatever the dtype of the weights.

        Returns
        -------
        ndarray of shape (n, k)
            A network with the single logit of the second class has two columns here, and the
            first class has 0.

        Raises
        ------
        DataError
            for inputs and weights so large that an output is not finite.
        """
        return self.finite_outputs(self.inputs(X))

    def outputs_and_spread(self, X: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """z2 of every row, and None: a single network has no spread."""
        return self.outputs(X), None

    def finite_outputs(self, X: np.ndarray, first: int = 0) -> np.ndarray:
        """z2 of inputs (n, d) before scaling; `first` is the number of their first row."""

        with np.errstate(over="ignore", invalid="ignore"):
            Z2 = self.forward(X, self.scaled)
        bad = np.flatnonzero(~np.isfinite(Z2).all(axis=1))
        if bad.size:
            raise DataError(
                f"the network's output for row {first + bad[0]} (counted from 0; {bad.size} such "
                "in all) is not finite; its inputs, or the weights, are too large."
            )
        return Z2

    def forward(self, X: np.ndarray, scale: Callable, rows: np.ndarray | None = None) -> np.ndarray:
        """z2 (n, k) of X or of some of its rows, in blocks; `scale` makes inputs of a block."""
        net = reference.network.Net(*(array.astype(np.float64) for array in self.weights))
        activation = reference.activations.ACTIVATIONS[self.activation]
        count = len(X if rows is None else rows)
        Z2 = np.empty((count, net.b2.size))
        step = max(1, min(BLOCK_ROWS, BLOCK_VALUES // net.b1.size))
        for first in range(0, count, step):
            part = slice(first, first + step)
            block = scale(X[part if rows is None else rows[part]])
            _, Z2[part] = reference.network.forward(net, activation, block)
        if self.has_one_logit:  # against the first class' 0
            return np.hstack([np.zeros_like(Z2), Z2])
        return Z2
