"""Metrics of several targets of two labels each, defined as in scikit-learn.

The baseline beside them always predicts the labels' shares in the training rows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnet import reference
from fastnet.files import json_value
from fastnet.results.metrics import Ranking, averaged, best_thresholds, ratio
from fastnet.results.rules import GOALS, Rule, predicted_seconds


def of_labels(
    Y: np.ndarray,
    Z2: np.ndarray,
    weight: np.ndarray,
    names: Sequence[str],
    shares: np.ndarray | None = None,
    rule: Rule | None = None,
) -> dict[str, Any]:
    """Metrics of several targets of two labels each.

    Parameters
    ----------
    Y : ndarray of shape (n, k)
        1 for the second label, 0 for the first.
    Z2 : ndarray of shape (n, k)
        Logits of the second label.
    weight : ndarray of shape (n,)
        Rows of weight 0 have no influence.
    names : sequence of str
        Names of the k targets.
    shares : ndarray of shape (k,), optional
        The share of each second label in the training rows: the baseline.
    rule : Rule, optional
        Thresholds of the second labels, which are else predicted where logits are above 0.

    Returns
    -------
    dict
        subset_accuracy, the share of rows all of whose labels are right; and accuracy, precision,
        recall, f1, roc_auc, average_precision, brier and log_loss of each target's second label
        under "targets" beside its rows and the rows for which it is predicted, and their means. A
        precision, recall or F1 that is 0 / 0 is 0; roc_auc and
        average_precision are None if a label does not occur. Under "baseline" those of always
        predicting the shares.

    Examples
    --------
    >>> Y, Z2 = np.array([[1, 0], [0, 0], [1, 1]]), np.array([[2, -1], [-3, -1], [1, -2]])
    >>> found = of_labels(Y, Z2, np.ones(3), ["a", "b"])
    >>> round(found["subset_accuracy"], 3), found["f1"], found["targets"]["a"]["f1"]
    (0.667, 0.5, 1.0)
    """
    there = weight > 0
    Y, Z2, weight = Y[there], Z2[there], weight[there]
    guess = predicted_seconds(Z2, rule)
    right = (guess == (Y == 1)).all(axis=1)
    each = [scores_of_label(Y[:, j], Z2[:, j], guess[:, j], weight) for j in range(len(names))]
    found = {"subset_accuracy": ratio(weight @ right, weight.sum()), **averaged(each, names)}
    del found["rows"], found["predicted"]  # no means of counts
    if shares is not None:
        tiny = np.finfo(np.float64).tiny
        logits = np.log(np.maximum(shares, tiny)) - np.log(np.maximum(1 - shares, tiny))
        found["baseline"] = of_labels(Y, np.broadcast_to(logits, Y.shape), weight, names)
    return found


def thresholds_of_labels(
    Y: np.ndarray, Z2: np.ndarray, weight: np.ndarray, names: Sequence[str]
) -> dict[str, dict[str, float | None]] | None:
    """The thresholds of each target's second label, for each of GOALS.

    Returns
    -------
    dict or None
        By goal and target, as `best_thresholds` finds them; None for a target of which one label
        does not occur. None if that is so for all targets.
    """
    shares = reference.activations.sigmoid(Z2)
    found = [best_thresholds(Y[:, j] == 1, shares[:, j], weight) for j in range(len(names))]
    if not any(found):
        return None
    return {goal: {name: one and one[goal] for name, one in zip(names, found)} for goal in GOALS}


def scores_of_label(
    y: np.ndarray, z: np.ndarray, guess: np.ndarray, weight: np.ndarray
) -> dict[str, float | None]:
    """The metrics of one target of two labels, from the logits of the second and where it is
    predicted."""
    truth, total = y == 1, weight.sum()
    hits, called, there = weight @ (guess & truth), weight @ guess, weight @ truth
    losses, _ = reference.losses.binary_cross_entropy_error(z[:, None], y[:, None])
    shares = reference.activations.sigmoid(z)
    areas: dict[str, float | None] = {"roc_auc": None, "average_precision": None}
    if 0 < there and truth.any() and not truth.all() and np.isfinite(z).all():
        areas = Ranking.of(truth, z, weight).areas()
    return {
        "rows": int(truth.sum()),
        "predicted": int(guess.sum()),
        "accuracy": json_value(weight @ (guess == truth) / total),
        "precision": ratio(hits, called),
        "recall": ratio(hits, there),
        "f1": ratio(2 * hits, called + there),
        **areas,
        "brier": json_value(weight / total @ (shares - y) ** 2),
        "log_loss": json_value(weight / total @ losses),
    }
