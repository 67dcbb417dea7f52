"""The rows that a network is judged on, its predictions for them, and their metrics."""

from typing import NamedTuple

import numpy as np

from fastnet.data.sources import run_samples
from fastnet.figures import networks
from fastnet.figures.networks import output_names, outputs_of
from fastnet.results import metrics
from fastnet.results.verdict import JUDGES
from fastnet.results.words import counted, number


class Judged(NamedTuple):
    """The rows of a set that count.

    Attributes
    ----------
    X : ndarray of shape (n, d)
    Y, P : ndarray of shape (n, k)
        Targets and predictions in the targets' own units, or one-hot classes and probabilities.
    weight : ndarray of shape (n,)
    """

    X: np.ndarray
    Y: np.ndarray
    P: np.ndarray
    weight: np.ndarray


def sets_of(result):
    """The sets that have rows, of train, val and test; with folds val is of the member's fold."""
    return [name for name in ("train", "val", "test") if len(rows_of(result, name))]


def rows_of(result, name, member=None):
    """The numbers of the rows of a set; with folds, those of the member's fold."""
    masks = result.split.get(f"folds_{name}")
    if masks is None:
        return result.split[name]
    member = result.best_member if member is None else member
    return result.split["train"][masks[result.members["fold"][member]]]


def judging_set(result):
    """The set that judges: test, else validation, else training."""
    return sets_of(result)[-1]


def judging_rows(result):
    """The rows that judge, in words: 240 test rows."""
    name = judging_set(result)
    return counted(len(rows_of(result, name)), f"{JUDGES[name]} row")


def judged(result, member, data, name):
    """The Judged rows of a set; rows of weight 0 do not count."""
    samples = run_samples(result, data)
    rows = rows_of(result, name, member)
    rows = rows[samples.weight[rows] > 0]
    X, Y = samples.X[rows], samples.Y[rows]
    return Judged(X, Y, outputs_of(result.model(member), X), samples.weight[rows])


def metrics_of_outputs(result, found):
    """The metrics of numbers, by the name of their output: those of the command line."""
    names = output_names(result, found.Y.shape[1])
    each = metrics.errors_of_targets(found.Y.astype(float), found.P, found.weight)
    return dict(zip(names, each))


def score(result, found):
    """One number for the Judged rows of a set: the RMSE of the first output, or the share that is
    right; NaN if there is none."""
    if networks.predicts_numbers(result):
        rmse = next(iter(metrics_of_outputs(result, found).values()))["rmse"]
        return np.nan if rmse is None else rmse
    if result.classes is None:
        right = ((found.P > 0.5) == (found.Y > 0.5)).mean(axis=1)
    else:
        right = found.P.argmax(axis=1) == found.Y.argmax(axis=1)
    return float(found.weight @ right / found.weight.sum())


def score_text(result, found):
    """A score in words, for a title."""
    if not networks.predicts_numbers(result):
        return f"{100 * found:.4g} % of the {judging_rows(result)} right"
    name = output_names(result, len(result.scaling.y_scale))[0]
    return f"RMSE of {name} {value(found)} on the {judging_rows(result)}"


def not_regression(result):
    """Obstacle: the targets are classes or labels."""
    what = "labels" if result.labels else "classes"
    return None if networks.predicts_numbers(result) else f"it predicts {what}, not numbers"


def not_classification(result):
    """Obstacle: the targets are numbers, or several of two labels."""
    what = "several labels" if result.labels else "numbers"
    return f"it predicts {what}, not classes" if result.classes is None else None


def value(x):
    """A number of a title: three digits."""
    return number(float(x), 3)
