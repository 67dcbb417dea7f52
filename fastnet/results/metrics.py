"""Metrics of predictions in the units of the targets, as weighted means over samples."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnet import reference
from fastnet.files import json_value


def of_numbers(
    Y: np.ndarray, P: np.ndarray, weight: np.ndarray, scale: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """RMSE, MAE and R2 of numbers.

    Parameters
    ----------
    Y, P : ndarray of shape (n, k)
        Targets and predictions, both divided by `scale`.
    weight : ndarray of shape (n,)
    scale : ndarray of shape (k,)
    names : sequence of str
        Names of the k targets.

    Returns
    -------
    dict
        rmse, mae and r2 in the targets' own units; for several targets their means, and under
        "targets" those of each. R2 is None if the target is constant.

    Examples
    --------
    >>> Y, P = np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]])
    >>> of_numbers(Y, P, np.ones(2), np.ones(1), ["y"])["mae"]
    0.5
    """
    share = weight / weight.sum()
    errors = (P.astype(np.float64) - Y) * scale
    own = Y * scale
    spread = share @ (own - share @ own) ** 2
    spread[(own == own[0]).all(axis=0)] = 0  # not only the rounding of a mean
    mse, mae = share @ errors**2, share @ np.abs(errors)
    each = [
        {
            "rmse": json_value(e**0.5),
            "mae": json_value(a),
            "r2": json_value(1 - e / s) if s > 0 else None,
        }
        for e, a, s in zip(mse, mae, spread)
    ]
    if len(each) == 1:
        return each[0]
    means = {name: mean_or_none([one[name] for one in each]) for name in each[0]}
    return {**means, "targets": dict(zip(names, each))}


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean; None if one of the values is missing."""
    return None if None in values else float(np.mean(values))


def of_classes(Y: np.ndarray, Z2: np.ndarray, weight: np.ndarray) -> dict[str, float | None]:
    """Accuracy, balanced accuracy (the mean over the classes that occur) and log loss.

    Parameters
    ----------
    Y : ndarray of shape (n, k)
        One-hot targets.
    Z2 : ndarray of shape (n, k)
        Logits.
    weight : ndarray of shape (n,)
    """
    truth, total = Y.argmax(axis=1), weight.sum()
    right = weight * (Z2.argmax(axis=1) == truth)  # sums of weights: exactly 1 if all are right
    of_class = np.bincount(truth, weight, Y.shape[1])
    hits = np.bincount(truth, right, Y.shape[1])
    there = of_class > 0
    losses, _ = reference.losses.cross_entropy_error(Z2, Y)
    return {
        "accuracy": json_value(right.sum() / total),
        "balanced_accuracy": json_value((hits[there] / of_class[there]).mean()),
        "log_loss": json_value(weight / total @ losses),
    }


def confusion_matrix(Y: np.ndarray, P: np.ndarray) -> np.ndarray:
    """Counts of samples: one row per true class, one column per predicted class.

    Parameters
    ----------
    Y : ndarray of shape (n, k)
        One-hot targets.
    P : ndarray of shape (n, k)
        Probabilities or logits; the largest of a row is the prediction.

    Examples
    --------
    >>> confusion_matrix(np.eye(2)[[0, 0, 1]], np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]))
    array([[1, 1],
           [0, 1]])
    """
    k = Y.shape[1]
    places = Y.argmax(axis=1) * k + P.argmax(axis=1)
    return np.bincount(places, minlength=k * k).reshape(k, k)
