"""Metrics of predictions, defined as in scikit-learn, as weighted means over samples.

Each is told with its baseline: the same metric of the best prediction that looks at no input, the
training rows' mean or, for classes, their most frequent class and their shares as probabilities.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnet import reference
from fastnet.files import json_value
from fastnet.results.rules import GOALS, Rule, predicted_classes, softmax

ZERO = 1e-12  # share of the largest target that is 0 but for the rounding of undone scaling

# ---------------------------------------------------------------- numbers


def of_numbers(
    Y: np.ndarray,
    P: np.ndarray,
    weight: np.ndarray,
    names: Sequence[str],
    mean: np.ndarray | None = None,
) -> dict[str, Any]:
    """RMSE, MAE, R2 and MAPE of numbers.

    Parameters
    ----------
    Y, P : ndarray of shape (n, k)
        Targets and predictions in the targets' own units.
    weight : ndarray of shape (n,)
    names : sequence of str
        Names of the k targets.
    mean : ndarray of shape (k,), optional
        The mean of each target in the training rows: the baseline.

    Returns
    -------
    dict
        rmse, mae, r2 and mape; for several targets their means, and under "targets" those of each.
        R2 is None if the target is constant, MAPE (a share, not percent) if a target is 0. Under
        "baseline" the same of the mean.

    Examples
    --------
    >>> Y, P = np.array([[1.0], [4.0]]), np.array([[1.0], [2.0]])
    >>> found = of_numbers(Y, P, np.ones(2), ["y"], mean=np.array([2.0]))
    >>> found["mae"], found["mape"], found["baseline"]["mae"]
    (1.0, 0.25, 1.5)
    """
    found = averaged(errors_of_targets(Y, P, weight), names)
    if mean is not None:
        constant = np.broadcast_to(mean, Y.shape)
        found["baseline"] = averaged(errors_of_targets(Y, constant, weight), names)
    return found


def errors_of_targets(
    Y: np.ndarray, P: np.ndarray, weight: np.ndarray
) -> list[dict[str, float | None]]:
    """The metrics of each target."""
    share = weight / weight.sum()
    errors = P - Y
    size = np.abs(Y)
    spread = share @ (Y - share @ Y) ** 2
    spread[(Y == Y[0]).all(axis=0)] = 0  # not only the rounding of a mean
    mse, mae = share @ errors**2, share @ np.abs(errors)
    nonzero = (size > ZERO * size.max(axis=0)).all(axis=0)
    relative = share @ (np.abs(errors) / np.where(nonzero, size, 1))
    return [
        {
            "rmse": json_value(mse[j] ** 0.5),
            "mae": json_value(mae[j]),
            "r2": json_value(1 - mse[j] / spread[j]) if spread[j] > 0 else None,
            "mape": json_value(relative[j]) if nonzero[j] else None,
        }
        for j in range(Y.shape[1])
    ]


def averaged(each: list[dict[str, float | None]], names: Sequence[str]) -> dict[str, Any]:
    """The metrics of the only target; those of several as means, and by name."""
    if len(each) == 1:
        return each[0]
    means = {name: mean_or_none([one[name] for one in each]) for name in each[0]}
    return {**means, "targets": dict(zip(names, each))}


def mean_or_none(values: Sequence[float | None]) -> float | None:
    """The mean; None if one of the values is missing."""
    return None if None in values else float(np.mean(values))


# ---------------------------------------------------------------- classes


def of_classes(
    Y: np.ndarray,
    Z2: np.ndarray,
    weight: np.ndarray,
    labels: Sequence[Any],
    shares: np.ndarray | None = None,
    rule: Rule | None = None,
) -> dict[str, Any]:
    """Metrics of classes, and of each of them.

    Parameters
    ----------
    Y : ndarray of shape (n, k)
        One-hot targets.
    Z2 : ndarray of shape (n, k)
        Logits.
    weight : ndarray of shape (n,)
        Rows of weight 0 have no influence.
    labels : sequence of k labels
    shares : ndarray of shape (k,), optional
        The share of each class in the training rows: the baseline.
    rule : Rule, optional
        How classes are predicted, if not the likeliest.

    Returns
    -------
    dict
        accuracy, balanced_accuracy, precision, recall, f1, roc_auc, average_precision, brier and
        log_loss. Precision, recall and F1 are means over the classes that occur or are predicted.
        Of two classes, roc_auc and average_precision are those of the second; of more, the mean
        over the classes that occur, each against the rest. With costs, mean_cost is the mean over
        the rows. Under "classes" those of each class, under "baseline" those of always predicting
        the shares and the class that follows from them.
    """
    there = weight > 0
    if not there.all():
        Y, Z2, weight = Y[there], Z2[there], weight[there]
    P = softmax(Z2)
    guess = predicted_classes(Z2, rule)
    truth, total = Y.argmax(axis=1), weight.sum()
    each = scores_of_classes(truth, P, guess, weight)
    found = means_of_classes(each)
    right = weight * (guess == truth)  # sums of weights: exactly 1 if all are right
    squares = (P[:, 1] - Y[:, 1]) ** 2 if Y.shape[1] == 2 else ((P - Y) ** 2).sum(axis=1)
    losses, _ = reference.losses.cross_entropy_error(Z2, Y)
    found = {
        "accuracy": json_value(right.sum() / total),
        **mean_cost(truth, guess, weight, rule),
        **found,
        "brier": json_value(weight / total @ squares),
        "log_loss": json_value(weight / total @ losses),
        "classes": {str(label): one for label, one in zip(labels, each)},
    }
    if shares is not None:
        of_class = np.bincount(truth, weight, len(labels))
        costs = rule if rule is not None and rule.costs else None
        found["baseline"] = of_shares(shares, of_class, labels, costs)
    return found


def mean_cost(
    truth: np.ndarray, guess: np.ndarray, weight: np.ndarray, rule: Rule | None
) -> dict[str, float]:
    """The mean cost of the predicted classes; nothing without costs."""
    if rule is None or not rule.costs:
        return {}
    missed = np.where(guess == truth, 0.0, np.array(rule.costs)[truth])
    return {"mean_cost": json_value(weight @ missed / weight.sum())}


def of_shares(
    shares: np.ndarray, of_class: np.ndarray, labels: Sequence[Any], rule: Rule | None
) -> dict[str, Any]:
    """The metrics of always predicting the shares, by the weight of each true class."""
    k = len(labels)
    logits = np.log(np.maximum(shares, np.finfo(np.float64).tiny))
    found = of_classes(np.eye(k), np.tile(logits, (k, 1)), of_class, labels, rule=rule)
    del found["classes"]
    return found


def scores_of_classes(
    truth: np.ndarray, P: np.ndarray, guess: np.ndarray, weight: np.ndarray
) -> list[dict[str, Any]]:
    """Rows, rows predicted, precision, recall, F1, ROC AUC and average precision of each class.

    All but the counts are None for a class that neither occurs nor is predicted.
    """
    k, columns = P.shape[1], np.ascontiguousarray(P.T)
    of_class, called = np.bincount(truth, weight, k), np.bincount(guess, weight, k)
    hits = np.bincount(truth, weight * (guess == truth), k)
    rows, predicted = np.bincount(truth, minlength=k), np.bincount(guess, minlength=k)
    ranked = np.isfinite(P).all()
    found = []
    for c in range(k):
        one: dict[str, Any] = {"rows": int(rows[c]), "predicted": int(predicted[c])}
        there = rows[c] + predicted[c] > 0
        one["precision"] = ratio(hits[c], called[c]) if there else None
        one["recall"] = ratio(hits[c], of_class[c]) if there else None
        one["f1"] = ratio(2 * hits[c], of_class[c] + called[c]) if there else None
        one["roc_auc"] = one["average_precision"] = None
        if ranked and rows[c]:
            one.update(Ranking.of(truth == c, columns[c], weight).areas())
        found.append(one)
    return found


def ratio(part: float, whole: float) -> float | None:
    """part / whole as a number for JSON; 0 for nothing of nothing, as in scikit-learn."""
    return json_value(part / whole) if whole > 0 else 0.0


def means_of_classes(each: list[dict[str, Any]]) -> dict[str, Any]:
    """The metrics of all classes together that are means of those of each."""
    occur = [one for one in each if one["rows"]]
    found = {"balanced_accuracy": mean_or_none([one["recall"] for one in occur])}
    seen = [one for one in each if one["f1"] is not None]
    for name in ("precision", "recall", "f1"):
        found[name] = mean_or_none([one[name] for one in seen])
    for name in ("roc_auc", "average_precision"):
        mean = mean_or_none([one[name] for one in occur])
        found[name] = each[1][name] if len(each) == 2 else mean
    return found


# ---------------------------------------------------------------- thresholds


class Ranking(NamedTuple):
    """Rows of one class against the rest, from the highest score down, equal scores together.

    Attributes
    ----------
    score : ndarray of shape (scores,)
        The distinct scores, falling.
    hits, misses : ndarray of shape (scores,)
        Weight of the rows of the class, and of the rest, with at least this score.
    """

    score: np.ndarray
    hits: np.ndarray
    misses: np.ndarray

    @classmethod
    def of(cls, truth: np.ndarray, score: np.ndarray, weight: np.ndarray) -> "Ranking":
        """The Ranking of rows; truth is true for rows of the class."""
        order = np.argsort(score)[::-1]
        score, own = score[order], (weight * truth)[order]
        last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
        return cls(score[last], np.cumsum(own)[last], np.cumsum(weight[order] - own)[last])

    def areas(self) -> dict[str, float | None]:
        """roc_auc, None without rows of the rest, and average_precision."""
        recall, precision = self.hits / self.hits[-1], self.hits / (self.hits + self.misses)
        area = None
        if self.misses[-1] > 0:
            width = np.diff(self.misses / self.misses[-1], prepend=0.0)
            area = float(width @ (recall + np.append(0.0, recall[:-1])) / 2)
        return {
            "roc_auc": area,
            "average_precision": float(np.diff(recall, prepend=0.0) @ precision),
        }

    def f1(self) -> np.ndarray:
        """F1 of the class if it is predicted from each score up."""
        return 2 * self.hits / (self.hits[-1] + self.hits + self.misses)

    def balanced_accuracy(self) -> np.ndarray:
        """Balanced accuracy if the class is predicted from each score up."""
        return (self.hits / self.hits[-1] + 1 - self.misses / self.misses[-1]) / 2


def best_thresholds(
    truth: np.ndarray, share: np.ndarray, weight: np.ndarray
) -> dict[str, float] | None:
    """The probability from which to predict the second of two labels, for each of GOALS.

    Parameters
    ----------
    truth : ndarray of bool, shape (n,)
        Whether a row has the second label.
    share : ndarray of shape (n,)
        Its predicted probability.
    weight : ndarray of shape (n,)

    Returns
    -------
    dict or None
        The threshold of the highest F1 of the second label, and of the highest balanced accuracy.
        It lies midway between two probabilities that occur; of several it is the one nearest to
        one half. None unless there are rows of both labels.

    Examples
    --------
    >>> truth, share = np.array([False, True, True]), np.array([0.1, 0.3, 0.5])
    >>> found = best_thresholds(truth, share, np.ones(3))
    >>> {name: round(value, 6) for name, value in found.items()}
    {'f1': 0.2, 'balanced_accuracy': 0.2}
    """
    there = weight > 0
    if truth[there].all() or not truth[there].any() or not np.isfinite(share).all():
        return None
    ranking = Ranking.of(truth, share, weight)
    between = (ranking.score + np.append(ranking.score[1:], 0.0)) / 2
    found = {}
    for name in GOALS:
        values = getattr(ranking, name)()
        best = np.flatnonzero(values >= values.max() * (1 - 1e-12))  # but for rounding
        found[name] = float(between[best[np.abs(between[best] - 0.5).argmin()]])
    return found


def confusion_matrix(Y: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Counts of samples: one row per true class, one column per predicted class.

    Parameters
    ----------
    Y : ndarray of shape (n, k)
        One-hot targets.
    guess : ndarray of shape (n,) or (n, k)
        Numbers of the predicted classes; or probabilities or logits, the largest of a row is the
        prediction.

    Examples
    --------
    >>> confusion_matrix(np.eye(2)[[0, 0, 1]], np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]))
    array([[1, 1],
           [0, 1]])
    """
    k = Y.shape[1]
    guess = guess.argmax(axis=1) if guess.ndim == 2 else guess
    return np.bincount(Y.argmax(axis=1) * k + guess, minlength=k * k).reshape(k, k)
