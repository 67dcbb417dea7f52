"""From a person's arrays to samples: checks, one-hot targets, the split, the scaling."""

import hashlib
from typing import NamedTuple

import numpy as np

from fastnet.data import scaling
from fastnet.data.scaling import Scaling, no_scaling
from fastnet.errors import DataError, UsageError
from fastnet.options.methods import CLASSIFIERS, COUNT, LOSSES, NUMBER, SIGMOID

SETS = ("train", "val", "test")
FRACTIONS = {"val": "validation_fraction", "test": "test_fraction"}


class Column(NamedTuple):
    """A column of a table that a model was trained on.

    Attributes
    ----------
    name : str
    kind : {"number", "category"}
    categories : tuple of str
        Of a category, in the order of its one-hot inputs.
    fill : float or None
        What stands in for a missing number; None where a missing one is refused.
    """

    name: str
    kind: str
    categories: tuple = ()
    fill: float | None = None

    def inputs(self):
        """Names of the inputs that it becomes: of a category, one each."""
        return tuple(f"{self.name}={c}" for c in self.categories) or (self.name,)


class Data(NamedTuple):
    """Checked samples, their weights and their split.

    X (n, d) and Y (n, k) hold all rows, scaled; `split` names those of each set; Y is one-hot
    where there are `classes`. `weight` (n,) is in every mean, `class_weight` (k,), where there is
    one, multiplies it in training. `folds` are pairs of row numbers, to train on and to validate:
    with folds all rows are of the training set, and every member belongs to one fold. `targets`
    names the columns of y, `notices` tell what was left out of a table.
    """

    X: np.ndarray
    Y: np.ndarray
    loss: str
    classes: np.ndarray | None
    features: tuple
    split: dict
    weight: np.ndarray
    class_weight: np.ndarray | None
    folds: tuple
    columns: tuple
    scaling: Scaling
    targets: tuple = ()
    notices: tuple = ()

    def subset(self, name):
        """X, Y and weights (folds, rows) of the set train, val or test."""
        rows = self.rows(name)
        if len(rows) == len(self.X):  # all of them, in order: no copy
            return self.X, self.Y, self.weights(name)
        return self.X[rows], self.Y[rows], self.weights(name)

    def rows(self, name):
        """The numbers of the rows of a set; with folds train and val share theirs."""
        return self.split["train" if self.folds and name == "val" else name]

    def weights(self, name):
        """The weights of a set's rows in each fold: (folds, rows)."""
        rows = self.rows(name)
        weights = self.weight[None, rows]
        if name == "train" and self.class_weight is not None:
            weights = weights * (whole(self.Y[rows]) @ self.class_weight)
        if self.folds and name != "test":
            weights = weights * self.masks(name, len(rows))
        return weights

    def masks(self, name, n):
        """1 where a row is in a fold's set train or val, else 0: (folds, n)."""
        masks = np.zeros((len(self.folds), n))
        for mask, (train, val) in zip(masks, self.folds):
            mask[train if name == "train" else val] = 1
        return masks

    def train_counts(self):
        """Rows with a weight to train on, of each fold."""
        return (self.weights("train") != 0).sum(axis=1)

    def digest(self):
        """SHA-256 of the samples, their scaling, their weights and the split."""
        summed = hashlib.sha256()
        sets = [self.split[name] for name in SETS]
        weights = () if self.class_weight is None else (self.class_weight,)
        facts = (*sets, self.weight, *weights, *sum(self.folds, ()), *self.scaling)
        for array in (self.X, self.Y, *facts):
            summed.update(str((array.shape, array.dtype.str)).encode())
            summed.update(np.ascontiguousarray(array).data)
        return summed.hexdigest()


def refuse(values, bad, name):
    """An error for the values where the mask `bad` is true, if there are any."""
    places = np.argwhere(bad)
    if len(places):
        first = places[0]
        where = f"row {first[0]}" + (f", column {first[1]}" if values.ndim > 1 else "")
        raise DataError(
            f"{name} has {values[tuple(first)]} in {where} (counted from 0; {len(places)} such "
            f"value{'s' * (len(places) > 1)} in all); remove or replace them."
        )


def finite(values, name):
    """The array, refused where it holds a NaN or an infinity."""
    refuse(values, ~np.isfinite(values), name)
    return values


def plain(values, name):
    """Anything like an array as an array of numbers, booleans or texts where it can be one."""
    try:
        values = np.asarray(values)
        if values.dtype.kind != "O":
            return values
        import pandas

        refuse(values, pandas.isna(values), name)
        return np.array(values.tolist())
    except ValueError:
        raise DataError(f"{name} is ragged; all its rows must have the same length.") from None


def inputs(X, name="X", missing=False):
    """X as a checked array (n, d), float32 or float64, and the names of its columns.

    With `missing` it may hold NaN.
    """
    names = tuple(str(c) for c in X.columns) if hasattr(X, "columns") else ()
    X = plain(X, name)
    if X.ndim == 1:
        X = X[:, None]
    if X.ndim != 2 or X.shape[1] == 0:
        raise DataError(f"{name} must have shape (n, d), got shape {X.shape}.")
    if X.dtype.kind not in "fiub":
        raise DataError(f"{name} must hold numbers, got dtype {X.dtype}; encode texts first.")
    X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    refuse(X, np.isinf(X) if missing else ~np.isfinite(X), name)
    return X, names or unnamed(X.shape[1])


def unnamed(count):
    """The names of columns that have none."""
    return tuple(f"x{j}" for j in range(count))


def kind_of_targets(y, loss):
    """The loss: as given, else cross_entropy for texts and booleans, else squared."""
    if loss is not None:
        return loss
    return "cross_entropy" if y.dtype.kind in "USb" else "squared"


def numbers(y, loss, name="y"):
    """Regression targets as a checked array (n, k) of float64."""
    if y.dtype.kind not in "fiub":
        raise DataError(f"{name} must hold numbers for loss {loss}, got dtype {y.dtype}.")
    y = y[:, None] if y.ndim == 1 else y
    if y.shape[1] == 0:
        raise DataError(f"{name} must have at least one column, got shape {y.shape}.")
    y = finite(y.astype(np.float64), name)
    if LOSSES[loss].target == COUNT and (y < 0).any():
        raise DataError(
            f"{name} must hold counts >= 0 for loss {loss}, got {y[y < 0][0]:g}; "
            "use loss squared for measurements."
        )
    return y


def labels(y, loss, name="y"):
    """Class labels as a checked array (n,)."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(f"{name} must hold one label a row for loss {loss}, got shape {y.shape}.")
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8", "backslashreplace")
    if y.dtype.kind == "f":
        y = finite(y, name)
        bad = y != np.floor(y)
    else:
        bad = np.full(y.shape, y.dtype.kind not in "iubU")
    if bad.any():
        raise DataError(
            f"{name} must hold class labels (whole numbers, texts or booleans) for loss "
            f"{loss}, got {y[bad][0]}; use loss squared for measurements."
        )
    return y.astype(np.int64) if y.dtype.kind == "f" else y


def encoded(y, loss, classes, name="y"):
    """Targets as the loss takes them (n, k): numbers; one-hot; for binary_cross_entropy a column,
    1 for the second class."""
    if loss not in CLASSIFIERS:
        return numbers(y, loss, name)
    Y = one_hot(labels(y, loss, name), classes, name)
    return Y[:, 1:] if LOSSES[loss].link == SIGMOID else Y


def whole(Y):
    """Targets of classes as one-hot rows, also where they are one column."""
    return np.hstack([1 - Y, Y]) if Y.shape[1] == 1 else Y


def one_hot(y, classes, name="y"):
    """Labels as rows with a single 1."""
    place = np.searchsorted(classes, y)
    unknown = (place == len(classes)) | (classes[np.minimum(place, len(classes) - 1)] != y)
    if unknown.any():
        raise DataError(
            f"{name} has the label {y[unknown][0]!s}, which is not among the training labels "
            f"{', '.join(str(c) for c in classes[:10])}."
        )
    return np.eye(len(classes))[place]


def targets(y, loss, X, name="y", rows=slice(None)):
    """Y (n, k), the loss and the classes (None for numbers), which are those of the given rows."""
    y = plain(y, name)
    if y.ndim not in (1, 2) or len(y) != len(X):
        raise DataError(f"{name} must have a row for each of X's {len(X)}, got shape {y.shape}.")
    loss, classes = kind_of_targets(y, loss), None
    if loss in CLASSIFIERS:
        classes = np.unique(labels(y, loss, name)[rows])
        if len(classes) < 2:
            raise DataError(f"{name} has one class only ({classes[0]}); at least two are needed.")
        if LOSSES[loss].link == SIGMOID and len(classes) > 2:
            raise DataError(
                f"{name} must have two classes for loss {loss}, got {len(classes)}; "
                "use loss cross_entropy."
            )
    return encoded(y, loss, classes, name), loss, classes


def sample_weights(given, n, name="sample_weight"):
    """Weights of n samples as a checked float64 array."""
    if given is None:
        return np.ones(n)
    weight = plain(given, name)
    if weight.shape != (n,) or weight.dtype.kind not in "fiub":
        raise DataError(
            f"{name} must hold one number for each of the {n} rows, got shape {weight.shape} "
            f"of {weight.dtype}."
        )
    weight = finite(weight.astype(np.float64), name)
    refuse(weight, weight < 0, name)
    return weight


def class_weights(given, Y, classes):
    """The factor (k,) of each class in training: None, "balanced" or a dict by label.

    "balanced" gives every class the same sum of weights: n / (k * rows of the class).
    """
    if given is None:
        return None
    if classes is None:
        raise UsageError(f"class_weight {given!r} needs classes; the targets are numbers.")
    if isinstance(given, str) and given == "balanced":
        counts = whole(Y).sum(axis=0)
        return len(Y) / (len(classes) * np.maximum(counts, 1))
    labels = classes.tolist()
    if not isinstance(given, dict) or set(given) - set(labels):
        raise UsageError(
            f'class_weight must be None, "balanced" or a dict of the labels '
            f"{', '.join(str(label) for label in labels[:10])}, got {given!r}."
        )
    factors = np.array([given.get(label, 1.0) for label in labels], np.float64)
    if not (np.isfinite(factors).all() and (factors >= 0).all()):
        raise UsageError(f"class_weight must hold numbers >= 0, got {given!r}.")
    return factors


def checked_folds(folds, n):
    """Folds as a tuple of (training rows, validation rows)."""
    checked = []
    for fold in () if folds is None else folds:
        if not isinstance(fold, (tuple, list)) or len(fold) != 2:
            raise UsageError(f"folds must be pairs (training rows, validation rows), got {fold!r}.")
        pair = tuple(np.asarray(rows) for rows in fold)
        for rows in pair:
            if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.size == 0:
                raise UsageError(f"folds must hold row numbers, got {rows!r}.")
            if rows.min() < 0 or rows.max() >= n:
                raise UsageError(f"folds must hold row numbers from 0 to {n - 1}, got {rows!r}.")
        checked.append(tuple(rows.astype(np.int64) for rows in pair))
    return tuple(checked)


def share(n, fraction, rng, strata):
    """Choose round(fraction * n) of the rows; of each class its share (largest remainders)."""
    chosen = []
    counts = np.bincount(strata)
    exact = counts * fraction
    take = np.floor(exact).astype(int)
    missing = round(fraction * n) - take.sum()
    take[np.argsort(take - exact, kind="stable")[:missing]] += 1
    for stratum, count in enumerate(take):
        rows = np.flatnonzero(strata == stratum)
        chosen.append(rng.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))


def split_rows(n, validation_fraction, test_fraction, data_seed, strata=None):
    """Row numbers of train, val and test; stratified where strata (classes) are given."""
    rng = np.random.default_rng(data_seed)
    strata = np.zeros(n, int) if strata is None else strata
    rest, split = np.arange(n), {}
    for name, fraction in (("test", test_fraction), ("val", validation_fraction)):
        of_rest = fraction * n / max(len(rest), 1)
        if fraction and round(fraction * n) == 0:
            raise UsageError(
                f"{FRACTIONS[name]} {fraction:g} of {n} rows is less than one row; raise it."
            )
        if round(of_rest * len(rest)) >= len(rest):
            raise UsageError(
                f"validation_fraction {validation_fraction:g} and test_fraction "
                f"{test_fraction:g} leave none of {n} rows to train on; lower one of them."
            )
        chosen = share(len(rest), of_rest, rng, strata[rest])
        split[name], rest = rest[chosen], np.delete(rest, chosen)
    split["train"] = rest
    return split


def scale_all(made, impute, scale, dtype):
    """The Data with missing numbers filled in, inputs and targets scaled; learnt in training.

    Inputs that stand for categories stay as they are. With neither, X is the caller's own.
    """
    if impute == scale == "none":
        return made
    rows = made.split["train"]
    rows = rows[made.weight[rows] > 0]
    columns = made.columns or tuple(Column(name, "number") for name in made.features)
    names = [None if c.categories else f"column {c.name!r}" for c in columns for _ in c.inputs()]
    fills = scaling.medians(made.X, rows, names) if impute == "median" else ()
    shift, width = scaling.learn(scale, made.X, rows, names)
    X = scaling.scaled(made.X, shift, width, dtype or made.X.dtype, fills)
    if fills:
        fill = {name: value for name, value in zip(names, fills)}
        columns = tuple(c._replace(fill=fill.get(f"column {c.name!r}")) for c in columns)
        made = made._replace(columns=columns)
    learnt = made.scaling._replace(x_shift=shift, x_scale=width)
    if LOSSES[made.loss].target != NUMBER:  # counts stay counts
        return made._replace(X=X, scaling=learnt)
    names = [f"target {name!r}" for name in made.targets]
    shift, width = scaling.learn(scale, made.Y, rows, names)
    Y = scaling.scaled(made.Y, shift, width, np.float64)
    return made._replace(X=X, Y=Y, scaling=learnt._replace(y_shift=shift, y_scale=width))


def make(
    X,
    y,
    loss=None,
    validation=None,
    test=None,
    validation_fraction=0.0,
    test_fraction=0.0,
    data_seed=0,
    sample_weight=None,
    class_weight=None,
    folds=None,
    impute="none",
    scale="none",
    dtype=None,
    columns=(),
    split=None,
    target_names=(),
    notices=(),
):
    """Check, split and scale: the Data of a run.

    validation and test are (X, y) or (X, y, sample_weight); or `split` has the numbers of X's
    rows that are "val" and "test". A sample of weight 0 counts for nothing. `columns` are those
    of the table that X was made of. What is scaled or filled in is of `dtype`.

    Raises
    ------
    DataError
        for NaN, wrong shapes or labels.
    UsageError
        for fractions that leave nothing to train on, or nothing in a set.
    """
    X, features = inputs(X, missing=impute != "none")
    if len(X) == 0:
        raise DataError(f"X has no rows, shape {X.shape}; there is nothing to train on.")
    features = tuple(n for column in columns for n in column.inputs()) or features
    rest = unnamed_rows(len(X), split or {})
    y_name = f"target {target_names[0]!r}" if target_names else "y"
    Y, loss, classes = targets(y, loss, X, y_name, rest)
    folds = checked_folds(folds, len(X))
    check_sets(validation, test, validation_fraction, test_fraction, folds)
    weight = sample_weights(sample_weight, len(X))
    strata = whole(Y[rest]).argmax(axis=1) if classes is not None else None
    shares = split_rows(len(rest), validation_fraction, test_fraction, data_seed, strata)
    split = {**{name: rest[rows] for name, rows in shares.items()}, **(split or {})}
    factors = class_weights(class_weight, Y[split["train"]], classes)
    for name, given in (("val", validation), ("test", test)):
        if given is not None:
            more = given, loss, classes, features, name, impute != "none"
            X, Y, weight, split[name] = append(X, Y, weight, *more)
    kept = no_scaling(X.shape[1], Y.shape[1])
    facts = columns, kept, target_names or unnamed_targets(classes, Y), notices
    made = Data(X, Y, loss, classes, features, split, weight, factors, folds, *facts)
    for name in SETS:
        if len(split[name]) and not made.weights(name).any(axis=1).all():
            raise DataError(f"all weights of the {name} set are 0; it must have one that is not.")
    return scale_all(made, impute, scale, dtype)


def unnamed_rows(n, split):
    """The rows that the split does not name: to train on, or to hold shares of out."""
    free = np.ones(n, bool)
    for rows in split.values():
        free[rows] = False
    if not free.any():
        raise DataError("no rows are left to train on; the split names all of them val or test.")
    return np.flatnonzero(free)


def unnamed_targets(classes, Y):
    """The names of targets that have none."""
    several = classes is None and Y.shape[1] > 1
    return tuple(f"y{j}" for j in range(Y.shape[1])) if several else ("y",)


def check_sets(validation, test, validation_fraction, test_fraction, folds):
    """Refuse a set that is given twice."""
    for given, fraction, name in (
        (validation, validation_fraction, "validation"),
        (test, test_fraction, "test"),
    ):
        if given is not None and fraction:
            raise UsageError(f"give {name} or {name}_fraction {fraction:g}, not both.")
    if folds and (validation is not None or validation_fraction or test_fraction):
        raise UsageError("folds name their own rows; drop validation and the fractions.")


def append(X, Y, weight, given, loss, classes, features, name, missing=False):
    """X, Y and weights with the rows of another set, and the numbers of those rows."""
    if not isinstance(given, (tuple, list)) or len(given) not in (2, 3):
        raise DataError(f"the {name} set must be a pair (X, y), got {type(given).__name__}.")
    X2, features2 = inputs(given[0], f"{name} X", missing)
    y2 = plain(given[1], f"{name} y")
    if X2.shape[1] != X.shape[1]:
        raise DataError(f"{name} X must have {X.shape[1]} columns like X, got {X2.shape[1]}.")
    if features2 != features and unnamed(X.shape[1]) not in (features, features2):
        raise DataError(
            f"{name} X has the columns {', '.join(features2)}; X has {', '.join(features)}."
        )
    if y2.ndim not in (1, 2) or len(y2) != len(X2) or len(X2) == 0:
        raise DataError(f"{name} y must have a row for each of its X's, got shape {y2.shape}.")
    name_y = f"{name} y"
    Y2 = encoded(y2, loss, classes, name_y)
    if Y2.shape[1] != Y.shape[1]:
        raise DataError(f"{name_y} must have {Y.shape[1]} columns like y, got {Y2.shape[1]}.")
    rows = np.arange(len(X), len(X) + len(X2))
    weight2 = sample_weights(given[2] if len(given) == 3 else None, len(X2), f"{name} weights")
    return *(np.concatenate(pair) for pair in ((X, X2), (Y, Y2), (weight, weight2))), rows
