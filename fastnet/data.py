"""From a person's arrays to samples: checks, one-hot targets, the split."""

import hashlib
from typing import NamedTuple

import numpy as np

from fastnet.errors import DataError, UsageError

SETS = ("train", "val", "test")
FRACTIONS = {"val": "validation_fraction", "test": "test_fraction"}


class Data(NamedTuple):
    """Checked samples and their split.

    X (n, d) and Y (n, k) hold all rows; `split` names those of each set; Y is one-hot where
    there are `classes`.
    """

    X: np.ndarray
    Y: np.ndarray
    loss: str
    classes: np.ndarray | None
    features: tuple
    split: dict

    def subset(self, name):
        """X and Y of the set train, val or test."""
        rows = self.split[name]
        return self.X[rows], self.Y[rows]

    def digest(self):
        """SHA-256 of the samples and the split."""
        summed = hashlib.sha256()
        for array in (self.X, self.Y, *(self.split[name] for name in SETS)):
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


def inputs(X, name="X"):
    """X as a checked array (n, d), float32 or float64, and the names of its columns."""
    names = tuple(str(c) for c in X.columns) if hasattr(X, "columns") else ()
    X = plain(X, name)
    if X.ndim == 1:
        X = X[:, None]
    if X.ndim != 2 or X.shape[1] == 0:
        raise DataError(f"{name} must have shape (n, d), got shape {X.shape}.")
    if X.dtype.kind not in "fiub":
        raise DataError(f"{name} must hold numbers, got dtype {X.dtype}; encode texts first.")
    X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    return finite(X, name), names or unnamed(X.shape[1])


def unnamed(count):
    """The names of columns that have none."""
    return tuple(f"x{j}" for j in range(count))


def kind_of_targets(y, loss):
    """The loss: as given, else cross_entropy for texts and booleans, else squared."""
    if loss is not None:
        return loss
    return "cross_entropy" if y.dtype.kind in "USb" else "squared"


def numbers(y, name="y"):
    """Regression targets as a checked array (n, k) of float64."""
    if y.dtype.kind not in "fiub":
        raise DataError(f"{name} must hold numbers for loss squared, got dtype {y.dtype}.")
    y = y[:, None] if y.ndim == 1 else y
    if y.shape[1] == 0:
        raise DataError(f"{name} must have at least one column, got shape {y.shape}.")
    return finite(y.astype(np.float64), name)


def labels(y, name="y"):
    """Class labels as a checked array (n,)."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        raise DataError(
            f"{name} must hold one label a row for loss cross_entropy, got shape {y.shape}."
        )
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
            f"cross_entropy, got {y[bad][0]}; use loss squared for measurements."
        )
    return y.astype(np.int64) if y.dtype.kind == "f" else y


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


def targets(y, loss, X, name="y"):
    """Y (n, k), the loss and the classes (None for numbers)."""
    y = plain(y, name)
    if y.ndim not in (1, 2) or len(y) != len(X):
        raise DataError(f"{name} must have a row for each of X's {len(X)}, got shape {y.shape}.")
    loss = kind_of_targets(y, loss)
    if loss == "squared":
        return numbers(y, name), loss, None
    y = labels(y, name)
    classes = np.unique(y)
    if len(classes) < 2:
        raise DataError(f"{name} has one class only ({classes[0]}); at least two are needed.")
    return one_hot(y, classes), loss, classes


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
        split[name] = rest[share(len(rest), of_rest, rng, strata[rest])]
        rest = np.setdiff1d(rest, split[name])
    split["train"] = rest
    return split


def make(
    X,
    y,
    loss=None,
    validation=None,
    test=None,
    validation_fraction=0.0,
    test_fraction=0.0,
    data_seed=0,
):
    """Check and split: the Data of a run.

    Raises
    ------
    DataError
        for NaN, wrong shapes or labels.
    UsageError
        for fractions that leave nothing to train on, or nothing in a set.
    """
    X, features = inputs(X)
    if len(X) == 0:
        raise DataError(f"X has no rows, shape {X.shape}; there is nothing to train on.")
    Y, loss, classes = targets(y, loss, X)
    strata = Y.argmax(axis=1) if classes is not None else None
    for given, fraction, name in (
        (validation, validation_fraction, "validation"),
        (test, test_fraction, "test"),
    ):
        if given is not None and fraction:
            raise UsageError(f"give {name} or {name}_fraction {fraction:g}, not both.")
    split = split_rows(len(X), validation_fraction, test_fraction, data_seed, strata)
    for name, given in (("val", validation), ("test", test)):
        if given is not None:
            X, Y, split[name] = append(X, Y, given, classes, features, name)
    return Data(X, Y, loss, classes, features, split)


def append(X, Y, given, classes, features, name):
    """X and Y with the rows of another set, and the numbers of those rows."""
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise DataError(f"the {name} set must be a pair (X, y), got {type(given).__name__}.")
    X2, features2 = inputs(given[0], f"{name} X")
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
    Y2 = numbers(y2, name_y) if classes is None else one_hot(labels(y2, name_y), classes, name_y)
    if Y2.shape[1] != Y.shape[1]:
        raise DataError(f"{name_y} must have {Y.shape[1]} columns like y, got {Y2.shape[1]}.")
    rows = np.arange(len(X), len(X) + len(X2))
    return np.concatenate([X, X2]), np.concatenate([Y, Y2]), rows
