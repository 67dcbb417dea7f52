"""Checks of a user's arrays: inputs, targets, weights and folds; errors name the place.

The rest of the package relies on what these checks ensure: finite float arrays of two dimensions,
one-hot targets, weights that are not negative.
"""

import numbers
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnet.errors import DataError, UsageError, quoted
from fastnet.options.methods import CLASSIFIERS, COUNT, LOSSES, SIGMOID

USUAL_EXPONENT = 40  # weights up to 2**40 and down to its inverse stay as they are
LARGEST_WHOLE = 2.0**53  # beyond it float64 leaves out whole numbers


def refuse_where(values: np.ndarray, bad: np.ndarray, name: str) -> None:
    """Raise a DataError that names the first value where the mask `bad` is true, if any is."""
    if not np.ndim(bad):
        if bad:
            raise DataError(f"{name} must be an array, got {values}.")
        return
    places = np.argwhere(bad)
    if len(places):
        first = places[0]
        where = f"row {first[0]}" + (f", column {first[1]}" if values.ndim > 1 else "")
        raise DataError(
            f"{name} has {values[tuple(first)]} in {where} (counted from 0; {len(places)} such "
            f"value{'s' * (len(places) > 1)} in all); remove or replace them."
        )


def require_finite(values: np.ndarray, name: str) -> np.ndarray:
    """The array itself; NaN and infinities are refused."""
    refuse_where(values, ~np.isfinite(values), name)
    return values


def as_array(values: Any, name: str, missing: bool = False) -> np.ndarray:
    """Anything array-like as an array of numbers, booleans or texts, if possible.

    Parameters
    ----------
    values : array-like
    name : str
        What messages call it.
    missing : bool
        Whether missing values among objects and masked values may become NaN.

    Raises
    ------
    DataError
        for rows of different lengths, and for missing and masked values unless they may be NaN.
    """
    if type(values) is np.ndarray and values.dtype.kind != "O":
        return values  # four arrays for each of many members may be given
    try:
        if is_masked(values):
            return unmasked(values, name, missing)
        values = np.asarray(values)
        if values.dtype.kind != "O":
            return values
        import pandas

        lost = pandas.isna(values)
        if missing and values.ndim and lost.any():
            values = np.where(lost, np.nan, values)
        else:
            refuse_where(values, lost, name)
        return np.array(values.tolist())
    except ValueError:
        raise DataError(f"{name} is ragged; all its rows must have the same length.") from None


def is_masked(values: Any) -> bool:
    """Whether it is a masked array, or a list that holds some."""
    parts = values if isinstance(values, (list, tuple)) else (values,)
    return any(isinstance(part, np.ma.MaskedArray) for part in parts)


def unmasked(values: Any, name: str, missing: bool) -> np.ndarray:
    """A masked array as a plain one: its masked values become NaN or are refused."""
    values = np.ma.asarray(values) if hasattr(values, "dtype") else np.ma.stack(values)
    mask = np.ma.getmaskarray(values)
    if not mask.any():
        return values.data
    if not missing:
        refuse_where(np.full(mask.shape, "a masked value"), mask, name)
    return values.astype(np.float64).filled(np.nan)


def refuse_beyond(
    values: np.ndarray, most: float, names: Sequence[str], given: np.ndarray, cure: str
) -> None:
    """Refuse numbers that are too large for the dtype of a run.

    Parameters
    ----------
    values : ndarray of shape (n, c)
        Finite numbers, scaled if they are scaled.
    most : float
        The largest number allowed.
    names : sequence of c str
        Names of the columns.
    given : ndarray of shape (n, c)
        The numbers in their own units.
    cure : str
        What to do.
    """
    if values.size and not max(values.max(), -values.min()) <= most:
        row, column = np.argwhere(~(np.abs(values) <= most))[0]
        raise DataError(
            f"{names[column]} has {given[row, column]:g} in row {row} (counted from 0 over all "
            f"sets), {cure}"
        )


# ---------------------------------------------------------------- inputs


def checked_inputs(
    X: Any, name: str = "X", missing: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """X as an array of shape (n, d), float32 or float64, and the names of its columns.

    Parameters
    ----------
    X : array or DataFrame of shape (n, d) or (n,)
    name : str
        What messages call it.
    missing : bool
        Whether X may hold NaN.

    Raises
    ------
    DataError
        for another shape, for texts, for NaN and infinities.

    Examples
    --------
    >>> X, names = checked_inputs([1, 2, 3])
    >>> X.shape, X.dtype.name, names
    ((3, 1), 'float64', ('x0',))
    """
    names = tuple(str(c) for c in X.columns) if hasattr(X, "columns") else ()
    refuse_same_names(names, name)
    X = as_array(X, name, missing)
    if X.ndim == 1:
        X = X[:, None]
    if X.ndim != 2 or X.shape[1] == 0:
        raise DataError(f"{name} must have shape (n, d), got shape {X.shape}.")
    if X.dtype.kind not in "fiub":
        raise DataError(f"{name} must hold numbers, got dtype {X.dtype}; encode texts first.")
    X = X if X.dtype in (np.float32, np.float64) else X.astype(np.float64)
    refuse_where(X, np.isinf(X) if missing else ~np.isfinite(X), name)
    return X, names or unnamed_features(X.shape[1])


def refuse_same_names(names: Sequence[str], name: str) -> None:
    """Refuse two columns of the same name."""
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{name} names the column {twice[0]!r} twice; give each its own name.")


def unnamed_features(count: int) -> tuple[str, ...]:
    """The names of inputs that have none: x0, x1, ..."""
    return tuple(f"x{j}" for j in range(count))


# ---------------------------------------------------------------- targets


def loss_of_targets(y: np.ndarray, loss: str | None) -> str:
    """The loss: as given, else cross_entropy for texts and booleans, else squared."""
    if loss is not None:
        return loss
    return "cross_entropy" if y.dtype.kind in "USb" else "squared"


def checked_numbers(y: np.ndarray, loss: str, name: str = "y") -> np.ndarray:
    """Numeric targets as an array of shape (n, k), float64."""
    if y.dtype.kind not in "fiub":
        raise DataError(f"{name} must hold numbers for loss {loss}, got dtype {y.dtype}.")
    y = y[:, None] if y.ndim == 1 else y
    if y.shape[1] == 0:
        raise DataError(f"{name} must have at least one column, got shape {y.shape}.")
    y = require_finite(y.astype(np.float64), name)
    if LOSSES[loss].target == COUNT and (y < 0).any():
        raise DataError(
            f"{name} must hold counts >= 0 for loss {loss}, got {y[y < 0][0]:g}; "
            "use loss squared for measurements."
        )
    return y


def checked_labels(y: np.ndarray, loss: str, name: str = "y") -> np.ndarray:
    """Class labels as an array of shape (n,): integers, booleans or texts."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim != 1:
        several = "; use loss binary_cross_entropy for several targets of 0 and 1" * (y.ndim == 2)
        raise DataError(
            f"{name} must hold one label per row for loss {loss}, got shape {y.shape}{several}."
        )
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8", "backslashreplace")
    if y.dtype.kind == "f":
        y = require_finite(y, name)
        bad = y != np.floor(y)
    else:
        bad = np.full(y.shape, y.dtype.kind not in "iubU")
    if bad.any():
        raise DataError(
            f"{name} must hold class labels (whole numbers, texts or booleans) for loss "
            f"{loss}, got {y[bad][0]}; use loss squared for measurements."
        )
    if y.dtype.kind != "f":
        return y
    refuse_where(y, np.abs(y) > LARGEST_WHOLE, f"{name}, whose labels are beyond 2**53 as floats,")
    return y.astype(np.int64)


def checked_indicators(y: np.ndarray, name: str = "y") -> np.ndarray:
    """Several 0/1 targets as an array of shape (n, k), float64; booleans are 0 and 1."""
    if y.dtype.kind not in "fiub":
        raise DataError(f"{name} must hold 0 and 1 in several targets, got dtype {y.dtype}.")
    y = require_finite(y.astype(np.float64), name)
    refuse_where(y, (y != 0) & (y != 1), f"{name}, whose targets must all be 0 or 1,")
    return y


def has_several_labels(y: np.ndarray, loss: str | None) -> bool:
    """Whether these are several 0/1 targets, and not one column of classes or numbers."""
    return loss in LOSSES and LOSSES[loss].link == SIGMOID and y.ndim == 2 and y.shape[1] > 1


def checked_targets(
    y: Any, loss: str | None, X: np.ndarray, name: str = "y", rows: Any = slice(None)
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Targets as the loss takes them, the loss, and the classes.

    Parameters
    ----------
    y : array of shape (n,) or (n, k)
    loss : str or None
        None chooses it by the values.
    X : ndarray of shape (n, d)
    name : str
        What messages call y.
    rows : index
        The rows whose labels are the classes: those that train or may train.

    Returns
    -------
    Y : ndarray of shape (n, k)
        Float64 numbers, or one-hot rows; 0 or 1 with loss binary_cross_entropy.
    loss : str
    classes : ndarray of shape (n_classes,) or None
        None for numbers, and for several 0/1 targets.

    Raises
    ------
    DataError
        for NaN, wrong shapes, values that cannot be labels, or a single class.
    """
    y = as_array(y, name)
    if y.ndim not in (1, 2) or len(y) != len(X):
        raise DataError(f"{name} must have a row for each of X's {len(X)}, got shape {y.shape}.")
    loss, classes = loss_of_targets(y, loss), None
    if loss in CLASSIFIERS and not has_several_labels(y, loss):
        classes = np.unique(checked_labels(y, loss, name)[rows])
        if len(classes) < 2:
            raise DataError(f"{name} has one class only ({classes[0]}); at least two are needed.")
        if LOSSES[loss].link == SIGMOID and len(classes) > 2:
            raise DataError(
                f"{name} must have two classes for loss {loss}, got {len(classes)}; "
                "use loss cross_entropy."
            )
    return encoded_targets(y, loss, classes, name), loss, classes


def encoded_targets(
    y: np.ndarray, loss: str, classes: np.ndarray | None, name: str = "y"
) -> np.ndarray:
    """Targets as the loss takes them, shape (n, k): numbers or one-hot rows.

    With loss binary_cross_entropy one column, 1 for the second class; without classes all of
    several 0/1 targets.
    """
    if loss not in CLASSIFIERS:
        return checked_numbers(y, loss, name)
    if classes is None:
        return checked_indicators(y if y.ndim == 2 else y[:, None], name)
    Y = one_hot(checked_labels(y, loss, name), classes, name)
    return Y[:, 1:] if LOSSES[loss].link == SIGMOID else Y


def one_hot(y: np.ndarray, classes: np.ndarray, name: str = "y") -> np.ndarray:
    """Labels (n,) as rows (n, n_classes) with a single 1; unknown labels are refused."""
    if {y.dtype.kind, classes.dtype.kind} == {"i", "u"}:  # NumPy compares them as floats
        y, classes = y.astype(object), classes.astype(object)
    place = np.searchsorted(classes, y)
    unknown = (place == len(classes)) | (classes[np.minimum(place, len(classes) - 1)] != y)
    if unknown.any():
        raise DataError(
            f"{name} has the label {y[unknown][0]!s}, which is not among the training labels "
            f"{', '.join(str(c) for c in classes[:10])}."
        )
    return np.eye(len(classes))[place]


def as_one_hot(Y: np.ndarray) -> np.ndarray:
    """Encoded class targets as one-hot rows, also if two classes are encoded in one column."""
    return np.hstack([1 - Y, Y]) if Y.shape[1] == 1 else Y


# ---------------------------------------------------------------- weights and folds


def checked_sample_weights(given: Any, n: int, name: str = "sample_weight") -> np.ndarray:
    """Weights of n samples as an array of shape (n,), float64; None is 1 for each."""
    if given is None:
        return np.ones(n)
    weight = as_array(given, name)
    if weight.shape != (n,) or weight.dtype.kind not in "fiub":
        raise DataError(
            f"{name} must hold one number for each of the {n} rows, got shape {weight.shape} "
            f"of {weight.dtype}."
        )
    weight = require_finite(weight.astype(np.float64), name)
    refuse_where(weight, weight < 0, name)
    return of_usual_size(weight)


def of_usual_size(weight: np.ndarray) -> np.ndarray:
    """Weights, of which only ratios count: extreme ones are multiplied by a power of two.

    Their sums and products would be infinite, or zero in float32.
    """
    _, exponent = np.frexp(weight.max(initial=0))
    return weight if abs(exponent) <= USUAL_EXPONENT else np.ldexp(weight, -exponent)


def checked_class_weights(
    given: Any, Y: np.ndarray, classes: np.ndarray | None
) -> np.ndarray | None:
    """The factor of each class's weights, shape (n_classes,).

    Parameters
    ----------
    given : None, "balanced" or dict
        "balanced" gives every class the same sum of weights, n / (n_classes * rows of the class);
        a dict has factors by label, 1 for labels that it does not name.
    Y : ndarray of shape (n, k)
        Encoded targets of the training rows.
    classes : ndarray of shape (n_classes,) or None

    Raises
    ------
    UsageError
        if there are no classes, for unknown labels and for negative factors.
    """
    if given is None:
        return None
    if classes is None:
        raise UsageError(f"class_weight {quoted(given)} needs classes; the targets are numbers.")
    if isinstance(given, str) and given == "balanced":
        counts = as_one_hot(Y).sum(axis=0)
        return len(Y) / (len(classes) * np.maximum(counts, 1))
    labels = classes.tolist()
    if not isinstance(given, Mapping) or set(given) - set(labels):
        raise UsageError(
            f'class_weight must be None, "balanced" or a dict of the labels '
            f"{', '.join(str(label) for label in labels[:10])}, got {quoted(given)}."
        )
    values = [given.get(label, 1.0) for label in labels]
    if not all(isinstance(v, numbers.Real) and 0 <= v < np.inf for v in values):
        raise UsageError(f"class_weight must hold numbers >= 0, got {quoted(given)}.")
    factors = np.array(values, np.float64)
    return of_usual_size(factors)


def checked_keys(given: Any, n: int, name: str) -> np.ndarray | None:
    """One key per row, a group or a place in an order: array of shape (n,) of sortable values."""
    if given is None:
        return None
    keys = as_array(given, name)
    if keys.shape != (n,) or keys.dtype.kind not in "fiubUSMm":
        raise DataError(
            f"{name} must hold one number, text or date for each of the {n} rows, got shape "
            f"{keys.shape} of {keys.dtype}."
        )
    refuse_where(keys, keys != keys, name)  # NaN, and NaT of dates
    return keys


def checked_folds(folds: Any, n: int) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Folds as pairs of row numbers, to train on and to validate, each below n."""
    checked = []
    for fold in () if folds is None else folds:
        if not isinstance(fold, (tuple, list)) or len(fold) != 2:
            raise UsageError(
                f"folds must be pairs (training rows, validation rows), got {quoted(fold)}."
            )
        pair = tuple(as_array(rows, "a fold") for rows in fold)
        for rows in pair:
            if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.size == 0:
                raise UsageError(f"folds must hold row numbers, got {quoted(rows)}.")
            if rows.min() < 0 or rows.max() >= n:
                raise UsageError(
                    f"folds must hold row numbers from 0 to {n - 1}, got {quoted(rows)}."
                )
        checked.append(tuple(rows.astype(np.int64) for rows in pair))
    return tuple(checked)
