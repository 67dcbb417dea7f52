"""From a user's arrays to the Data of a run: checked, split, filled in and scaled."""

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.data import scaling
from fastnet.data.checks import (
    as_array,
    as_one_hot,
    checked_class_weights,
    checked_folds,
    checked_inputs,
    checked_keys,
    checked_sample_weights,
    checked_targets,
    encoded_targets,
    refuse_beyond,
    unnamed_features,
)
from fastnet.data.dialect import NOTHING_KNOWN, Reading, listed
from fastnet.data.folds import division, make_folds, overlap
from fastnet.data.scaling import no_scaling, ranges_of
from fastnet.data.schema import NUMERIC, Column, Described, Schema, examples_of
from fastnet.data.split import SETS, first_of_groups, rows_outside, split_rows
from fastnet.errors import DataError, UsageError, quoted
from fastnet.options.methods import CLASSIFIERS, LOSSES, NUMBER
from fastnet.options.rules import refuse_two_sets

ROWS = {"train": "training", "val": "validation", "test": "test"}


class DataFields(NamedTuple):
    """The fields of Data."""

    X: np.ndarray
    Y: np.ndarray
    schema: Schema
    split: Mapping[str, np.ndarray]
    weight: np.ndarray
    class_weight: np.ndarray | None
    folds: tuple
    notices: tuple = ()


class Data(Described, DataFields):
    """Checked samples, their weights and their split.

    Attributes
    ----------
    X : ndarray of shape (n, d)
        Inputs of all rows, scaled.
    Y : ndarray of shape (n, k)
        Targets of all rows: scaled numbers, one-hot classes, or several targets of 0 and 1.
    schema : Schema
        The meaning of inputs and outputs; its facts are attributes of the Data, too.
    split : dict of ndarray
        Row numbers of "train", "val" and "test".
    weight : ndarray of shape (n,)
        The weight of each sample in every mean.
    class_weight : ndarray of shape (n_classes,) or None
        Multiplies the weights of the training and validation rows.
    folds : tuple of (training rows, validation rows)
        With folds their rows belong to the training set, and every member belongs to one fold.
    notices : tuple of str
        What was left out of a table, and how its rows were divided.
    """

    __slots__ = ()

    def subset(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """X, Y and weights (folds, rows) of the set train, val or test."""
        rows = self.rows(name)
        if len(rows) == len(self.X):  # all rows in order: no copy
            return self.X, self.Y, self.weights(name)
        return self.X[rows], self.Y[rows], self.weights(name)

    def rows(self, name: str) -> np.ndarray:
        """The numbers of the rows of a set; with folds train and val share theirs."""
        return self.split["train" if self.folds and name == "val" else name]

    def weights(self, name: str) -> np.ndarray:
        """The weights of a set's rows in each fold, shape (folds, rows)."""
        rows = self.rows(name)
        weights = self.weight[None, rows]
        if name != "test" and self.class_weight is not None:
            weights = weights * (as_one_hot(self.Y[rows]) @ self.class_weight)
        if self.folds and name != "test":
            weights = weights * self.masks(name, len(rows))
        return weights

    def masks(self, name: str, n: int) -> np.ndarray:
        """1 where a row is in a fold's set train or val, else 0, shape (folds, n)."""
        masks, rows = np.zeros((len(self.folds), n)), self.rows(name)
        for mask, (train, val) in zip(masks, self.folds):
            mask[np.searchsorted(rows, train if name == "train" else val)] = 1
        return masks

    def divided(self) -> dict[str, np.ndarray]:
        """The split as it is saved: with folds, also which training rows each of them takes."""
        if not self.folds:
            return dict(self.split)
        n = len(self.split["train"])
        masks = {f"folds_{name}": self.masks(name, n) > 0 for name in ("train", "val")}
        return {**self.split, **masks}

    def training_rows(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """X and Y of the rows that a fold's members train on, those with a weight."""
        rows = self.rows("train")[self.weights("train")[fold] != 0]
        return self.X[rows], self.Y[rows]

    def train_counts(self) -> np.ndarray:
        """The number of rows with a weight to train on, for each fold."""
        return (self.weights("train") != 0).sum(axis=1)

    def digest(self) -> str:
        """SHA-256 of the samples, their scaling, their weights and the split."""
        summed = hashlib.sha256()
        sets = [self.split[name] for name in SETS]
        weights = () if self.class_weight is None else (self.class_weight,)
        facts = (*sets, self.weight, *weights, *sum(self.folds, ()), *self.scaling)
        for array in (self.X, self.Y, *facts):
            summed.update(str((array.shape, array.dtype.str)).encode())
            summed.update(np.ascontiguousarray(array).data)
        return summed.hexdigest()


def make_data(
    X: Any,
    y: Any,
    loss: str | None = None,
    validation: tuple | None = None,
    test: tuple | None = None,
    *,
    validation_fraction: float = 0.0,
    test_fraction: float = 0.0,
    data_seed: int = 0,
    sample_weight: Any = None,
    class_weight: Any = None,
    group: Any = None,
    order: Any = None,
    folds: Any = None,
    fold_repeats: int = 1,
    impute: str = "none",
    scale: str = "none",
    dtype: str | None = None,
    columns: tuple[Column, ...] = (),
    split: Mapping[str, np.ndarray] | None = None,
    target_names: tuple[str, ...] = (),
    notices: tuple[str, ...] = (),
    reading: Reading = NOTHING_KNOWN,
    labels: tuple[tuple[Any, Any], ...] = (),
) -> Data:
    """Check, split, fill in and scale: the Data of a run.

    Parameters
    ----------
    X : array or DataFrame of shape (n, d)
    y : array of shape (n,) or (n, k)
    loss : str, optional
        None takes cross_entropy for texts and booleans, else squared.
    validation, test : (X, y) or (X, y, sample_weight), optional
        Separate sets; their rows come after those of X.
    validation_fraction, test_fraction : float
        Shares of X's rows to hold out.
    data_seed : int
        Seed of the split.
    sample_weight : array of shape (n,), optional
        A sample of weight 0 counts for nothing.
    class_weight : "balanced" or dict, optional
    group : array of shape (n,), optional
        Rows of one group stay in one set, or in one fold.
    order : array of shape (n,), optional
        The last rows in this order are held out; folds go forward in it. With groups, those that
        begin last are held out.
    folds : int or list of (training rows, validation rows), optional
        A number of folds to draw from the rows that are not held out, or the folds themselves.
    fold_repeats : int
        Times that folds are drawn.
    impute : {"none", "median"}
    scale : {"none", "clipped", "standard", "minmax"}
    dtype : str, optional
        The dtype of scaled or filled-in inputs; by default X's own.
    columns : tuple of Column
        Columns of the table that X was made of.
    split : dict, optional
        Numbers of X's rows that are "val" and "test".
    target_names : tuple of str
    notices : tuple of str
        What was left out of the table.
    reading : Reading
        How the table was written.
    labels : tuple of pairs
        The labels of each of several targets of 0 and 1; by default False and True for booleans,
        else 0 and 1.

    Raises
    ------
    DataError
        for NaN, wrong shapes or labels.
    UsageError
        for fractions that leave nothing to train on, or nothing in a set.

    Examples
    --------
    >>> data = make_data([[1.0], [2.0], [3.0], [4.0]], ["a", "b", "a", "b"], test_fraction=0.5)
    >>> data.loss, data.classes.tolist(), len(data.rows("test"))
    ('cross_entropy', ['a', 'b'], 2)
    """
    missing = impute != "none"
    X, features = checked_inputs(X, missing=missing)
    if len(X) == 0:
        raise DataError(f"X has no rows, shape {X.shape}; there is nothing to train on.")
    named, rest = dict(split or {}), rows_outside(len(X), split or {})
    y_name = f"target {target_names[0]!r}" if target_names else "y"
    y = as_array(y, y_name)
    Y, loss, classes = checked_targets(y, loss, X, y_name, rest)
    if loss in CLASSIFIERS and classes is None and not labels:
        labels = ((False, True) if y.dtype.kind == "b" else (0, 1),) * Y.shape[1]
    if labels and class_weight is not None:
        raise UsageError(
            f"class_weight {quoted(class_weight)} needs one target of classes, not {len(labels)}; "
            "weigh rows."
        )
    refuse_two_sets(validation, test, validation_fraction, test_fraction, folds)
    weight = checked_sample_weights(sample_weight, len(X))
    groups, order = checked_keys(group, len(X), "group"), checked_keys(order, len(X), "order")
    known = {
        "strata": None if classes is None else as_one_hot(Y).argmax(axis=1),
        "groups": groups,
        "order": order,
    }
    if groups is not None and order is not None:
        known["order"] = first_of_groups(groups, order)
    fractions = validation_fraction, test_fraction
    shares = split_rows(len(rest), *fractions, data_seed, **of_rows(known, rest))
    sets = {name: rest[rows] for name, rows in shares.items()} | named
    if isinstance(folds, int):
        refuse_validation_rows(sets["val"])
        rows = sets["train"]
        folds = make_folds(rows, folds, fold_repeats, data_seed, **of_rows(known, rows))
    else:
        folds = checked_folds(folds, len(X))
    schema = Schema(
        loss=loss,
        classes=classes,
        features=tuple(n for column in columns for n in column.inputs()) or features,
        columns=columns,
        scaling=no_scaling(X.shape[1], Y.shape[1]),
        targets=target_names or unnamed_targets(classes, Y.shape[1]),
        ranges=ranges_of(X, Y if classes is None else as_one_hot(Y), weight, sets["train"]),
        dialect=reading.dialect,
        writings=reading.writings,
        labels=labels,
        examples=examples_of(X, sets),
    )
    class_factors = checked_class_weights(class_weight, Y[sets["train"]], classes)
    notices = (*notices, *division(sets, folds, known), *overlap(sets, folds, groups, order))
    data = Data(X, Y, schema, sets, weight, class_factors, folds, notices)
    for name, given in (("val", validation), ("test", test)):
        data = data if given is None else with_set(data, name, given, missing)
    refuse_weightless_sets(data, dtype or np.float64)
    return refuse_beyond_dtype(filled_and_scaled(data, impute, scale, dtype), data, scale, dtype)


def of_rows(known: Mapping[str, np.ndarray | None], rows: np.ndarray) -> dict[str, Any]:
    """What is known of some rows."""
    return {name: None if values is None else values[rows] for name, values in known.items()}


def unnamed_targets(classes: np.ndarray | None, k: int) -> tuple[str, ...]:
    """The names of targets that have none: y, or y0, y1, ... for several numbers."""
    return tuple(f"y{j}" for j in range(k)) if classes is None and k > 1 else ("y",)


def with_set(data: Data, name: str, given: Any, missing: bool = False) -> Data:
    """The Data with the rows of another set, (X, y) or (X, y, sample_weight), after its own."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise DataError(f"the {name} set must be a pair (X, y), got {type(given).__name__}.")
    X, features = checked_inputs(given[0], f"{name} X", missing)
    y = as_array(given[1], f"{name} y")
    refuse_other_columns(data, name, X.shape[1], features)
    if y.ndim not in (1, 2) or len(y) != len(X) or len(X) == 0:
        raise DataError(f"{name} y must have a row for each of its X's, got shape {y.shape}.")
    Y = encoded_targets(y, data.loss, data.classes, f"{name} y")
    k = data.Y.shape[1]
    if Y.shape[1] != k:
        raise DataError(f"{name} y must have {k} columns like y, got {Y.shape[1]}.")
    weight = checked_sample_weights(
        given[2] if len(given) == 3 else None, len(X), f"{name} weights"
    )
    return data._replace(
        X=np.concatenate([data.X, X]),
        Y=np.concatenate([data.Y, Y]),
        weight=np.concatenate([data.weight, weight]),
        split={**data.split, name: np.arange(len(data.X), len(data.X) + len(X))},
    )


def refuse_other_columns(data: Data, name: str, d: int, features: tuple[str, ...]) -> None:
    """Raise a DataError if a further set has other inputs than the Data."""
    own = data.X.shape[1]
    if d != own:
        raise DataError(f"{name} X must have {own} columns like X, got {d}.")
    if features != data.features and unnamed_features(own) not in (data.features, features):
        raise DataError(
            f"{name} X has the columns {listed(features)}; X has {listed(data.features)}."
        )


def refuse_validation_rows(rows: np.ndarray) -> None:
    """Refuse rows that a split column names val beside folds."""
    if len(rows):
        raise UsageError(
            f"folds hold out validation rows of their own, and the split column names {len(rows)} "
            "val; name them train."
        )


def refuse_weightless_sets(data: Data, dtype: Any) -> None:
    """Raise a DataError if all weights of a set are 0, in the dtype of the run, in any fold."""
    for name in SETS:
        there = data.weights(name) >= np.finfo(dtype).tiny
        empty = ~there.any(axis=1)
        if len(data.rows(name)) and empty.any():
            fold = f" of fold {empty.argmax() + 1}" * bool(data.folds and name != "test")
            raise DataError(
                f"all weights of the {ROWS[name]} rows{fold} are 0; one must be more than 0."
            )


def refuse_beyond_dtype(data: Data, given: Data, scale: str, dtype: Any) -> Data:
    """The Data itself; inputs and targets that are too large for its dtype are refused."""
    if dtype is None:
        return data
    most, after = np.finfo(dtype).max, "" if scale == "none" else " after scaling"
    cure = "use dtype float64, " + ("scale standard, " if scale == "none" else "") + "or remove it."
    beyond = f"beyond {np.dtype(dtype).name}{after} (at most {{:.2g}}{{}}); {cure}"
    inputs = [f"column {name!r}" for name in data.features]
    refuse_beyond(data.X, most, inputs, given.X, beyond.format(most, ""))
    if data.classes is None:
        squares = data.loss == "squared"
        most = np.sqrt(most / data.Y.shape[1]) / 2 if squares else most
        text = beyond.format(most, ", for squares" if squares else "")
        refuse_beyond(data.Y, most, [f"target {t!r}" for t in data.targets], given.Y, text)
    return data


# ---------------------------------------------------------------- missing numbers and scaling


def filled_and_scaled(data: Data, impute: str, scale: str, dtype: str | None) -> Data:
    """The Data filled in and scaled, by what is learnt from the training rows.

    Inputs that stand for categories stay unchanged.
    """
    if impute == scale == "none":
        return data
    rows = data.split["train"]
    rows = rows[data.weight[rows] > 0]
    data = with_scaled_inputs(data, rows, impute, scale, dtype)
    if LOSSES[data.loss].target != NUMBER:  # counts stay counts
        return data
    names = [f"target {name!r}" for name in data.targets]
    shift, width = scaling.learn(scale, data.Y, rows, names)
    Y = scaling.scaled(data.Y, shift, width, np.float64)
    learnt = data.scaling._replace(y_shift=shift, y_scale=width)
    return data._replace(Y=Y, schema=data.schema._replace(scaling=learnt))


def with_scaled_inputs(
    data: Data, rows: np.ndarray, impute: str, scale: str, dtype: str | None
) -> Data:
    """The Data with X filled in and scaled as the given rows say."""
    columns = data.columns or tuple(Column(name, "number") for name in data.features)
    names = [
        None if c.kind == "category" else f"column {c.name!r}" for c in columns for _ in c.inputs()
    ]
    fills = scaling.medians(data.X, rows, names) if impute == "median" else ()
    shift, width = scaling.learn(scale, data.X, rows, names)
    limits = scaling.limits_of(scale, shift, width)
    X = scaling.scaled(data.X, shift, width, dtype or data.X.dtype, fills, limits)
    schema = data.schema._replace(limits=limits)
    if fills:
        fill = dict(zip(names, fills))
        numbers = {f"column {c.name!r}" for c in columns if c.kind in NUMERIC}
        fill = {name: fill[name] for name in numbers}
        filled = tuple(c._replace(fill=fill.get(f"column {c.name!r}", c.fill)) for c in columns)
        schema = schema._replace(columns=filled)
    learnt = schema.scaling._replace(x_shift=shift, x_scale=width)
    return data._replace(X=X, schema=schema._replace(scaling=learnt))
