"""Intervals and sets that hold the target with a given probability: split-conformal prediction.

Numbers: half the width is a quantile of the errors on held-out rows (Papadopoulos et al. 2002,
"Inductive confidence machines for regression", ECML; Lei et al. 2018, JASA 113). With an ensemble
an error is divided by the spread of the members there, so that intervals are wide where they
differ. Classes: the set has all whose probability is high enough (LAC: Sadinle, Lei & Wasserman
2019, JASA 114).
"""

import math
import numbers
from typing import Any, NamedTuple

import numpy as np

from fastnet.errors import UsageError, quoted

BINS = 15  # of the calibration error, as in Guo et al. 2017
LEAST_VARIANCE = 0.01  # share of the mean squared error that noise has at least beside a spread


class Calibration(NamedTuple):
    """Errors on rows that did not train, from which intervals are made.

    Attributes
    ----------
    errors : ndarray of shape (m, k)
        |error| in the units of the targets; for classes 1 - probability of the true class (m, 1).
    spread : ndarray of shape (m, k), optional
        Standard deviation of an ensemble's members on these rows.
    floor : ndarray of shape (k,), optional
        The least spread that errors are divided by.

    Examples
    --------
    >>> Calibration(np.arange(1.0, 20.0)[:, None]).quantile(0.9)
    array([18.])
    """

    errors: np.ndarray
    spread: np.ndarray | None = None
    floor: np.ndarray | None = None

    def quantile(self, level: float) -> np.ndarray:
        """The error (k,), as a multiple of the spread if there is one, that a new row has at most.

        It is the ceil((m + 1) level)-th smallest of m: a new row has at most as much with
        probability `level` or more, if it comes from where these rows come from.

        Raises
        ------
        UsageError
            for a level that is no share, or that needs more rows.
        """
        level, m = checked_level(level), len(self.errors)
        rank = math.ceil(round((m + 1) * level, 9))
        if rank > m:
            least = math.ceil(round(level / (1 - level), 9))
            raise UsageError(
                f"interval {level:g} needs at least {least:,} validation rows, and there are "
                f"{m:,}; hold out more rows, or ask for a lower level."
            )
        scores = self.errors if self.spread is None else self.errors / self.scale(self.spread)
        return np.partition(scores, rank - 1, axis=0)[rank - 1]

    def scale(self, std: np.ndarray) -> np.ndarray:
        """The spread that errors are divided by."""
        return np.maximum(std, self.floor)

    def half_width(self, level: float, std: np.ndarray | None = None) -> np.ndarray:
        """Half the width of the intervals: (k,), or (n, k) if the spread of rows decides."""
        width = self.quantile(level)
        return width if self.spread is None else width * self.scale(std)

    def variance(self) -> np.ndarray:
        """The variance (k,) of errors that the spread does not explain."""
        squares = (self.errors**2).mean(axis=0)
        if self.spread is None:
            return squares
        rest = squares - (self.spread**2).mean(axis=0)
        return np.maximum(rest, LEAST_VARIANCE * squares)


def checked_level(level: Any) -> float:
    """A level as a float between 0 and 1."""
    if not isinstance(level, numbers.Real) or isinstance(level, bool) or not 0 < level < 1:
        raise UsageError(f"interval must be between 0 and 1, such as 0.9, got {quoted(level)}.")
    return float(level)


# ---------------------------------------------------------------- making a Calibration


def errors_of(predictor: Any, Z2: np.ndarray, Y: np.ndarray) -> np.ndarray | None:
    """The errors of a Calibration from z2 and targets as in training; None if there are none."""
    if predictor.labels or len(Z2) == 0:
        return None
    with np.errstate(all="ignore"):
        if predictor.classes is not None:
            found = 1 - (predictor.probabilities(Z2) * Y).sum(axis=1, keepdims=True)
        else:
            found = np.abs(predictor.decoded(Z2) - (Y * predictor.y_scale + predictor.y_shift))
    return found if np.isfinite(found).all() else None


def of_model(model: Any, Z2: np.ndarray, Y: np.ndarray) -> Calibration | None:
    """The Calibration of one network; its errors rise, so that they do not tell the rows."""
    errors = errors_of(model, Z2, Y)
    return None if errors is None else Calibration(np.sort(errors, axis=0))


def calibrated(predictor: Any, samples: Any) -> Any:
    """A Model or Ensemble with the Calibration that the validation rows of its run give.

    Parameters
    ----------
    predictor : Model or Ensemble
    samples : Samples
        Of the run, with validation rows.
    """
    X, Y, _ = samples.weighted("val")
    Z2, std = predictor.outputs_and_spread(X)
    found = of_model(predictor, Z2, predictor.encoded(Y))
    if found is not None and std is not None and predictor.classes is None:
        floor = np.median(predictor.outputs_and_spread(samples.weighted("train")[0])[1], axis=0)
        if (floor > 0).all():
            errors = errors_of(predictor, Z2, predictor.encoded(Y))
            found = Calibration(errors, std, floor)
    return predictor._replace(calibration=found)


# ---------------------------------------------------------------- using it


def calibration_of(predictor: Any) -> Calibration:
    """The Calibration of a Model or Ensemble; refused if it has none."""
    if predictor.labels:
        raise UsageError("intervals are for numbers and classes, not for several labels per row.")
    if predictor.calibration is None:
        raise UsageError(
            "an interval needs the errors on validation rows, and this model has none: train with "
            "--validation-fraction 0.2; only the best member of a run keeps them."
        )
    return predictor.calibration


def limits(
    predictor: Any, Z2: np.ndarray, std: np.ndarray | None, level: float
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends (n, k) of the intervals of numbers."""
    half, centre = calibration_of(predictor).half_width(level, std), predictor.decoded(Z2)
    lower = centre - half
    if predictor.predicts_counts:
        lower = np.maximum(lower, 0)
    return lower, centre + half


def class_sets(predictor: Any, Z2: np.ndarray, level: float) -> np.ndarray:
    """Which classes (n, n_classes) the sets have; the likeliest is always there."""
    P = predictor.probabilities(Z2)
    most = calibration_of(predictor).quantile(level)
    # 1e-12: a probability that was rounded otherwise in other blocks of rows.
    return (P >= P.max(axis=1, keepdims=True)) | (1 - P <= most + 1e-12)


# ---------------------------------------------------------------- how good it is


def sureness(
    predictor: Any,
    Z2: np.ndarray,
    std: np.ndarray | None,
    Y: np.ndarray,
    weight: np.ndarray,
    level: float,
) -> dict[str, Any]:
    """How often intervals hold the target, how wide they are, and how likely the targets are.

    Parameters
    ----------
    predictor : Model or Ensemble
    Z2 : ndarray of shape (n, k)
    std : ndarray of shape (n, k) or None
        The spread of an ensemble's members.
    Y : ndarray of shape (n, k)
        Targets as in training; one-hot classes.
    weight : ndarray of shape (n,)
    level : float

    Returns
    -------
    dict
        level, coverage, and for numbers mean_width and log_likelihood; for several targets their
        means. The log-likelihood is that of a normal distribution whose variance is the squared
        spread plus the variance of errors on the validation rows. For classes mean_size and ece.
    """
    share, level = weight / weight.sum(), checked_level(level)
    if predictor.classes is not None:
        sets = class_sets(predictor, Z2, level)
        held = (sets & (Y > 0)).any(axis=1)
        found = {"coverage": share @ held, "mean_size": share @ sets.sum(axis=1)}
        found["ece"] = calibration_error(predictor.probabilities(Z2), Y, weight)
    else:
        lower, upper = limits(predictor, Z2, std, level)
        own = Y * predictor.y_scale + predictor.y_shift
        held, width = (lower <= own) & (own <= upper), upper - lower
        found = {"coverage": (share @ held).mean(), "mean_width": (share @ width).mean()}
        variance = predictor.calibration.variance() + (0 if std is None else std**2)
        found["log_likelihood"] = log_likelihood(predictor.decoded(Z2) - own, variance, share)
    return {"level": level, **{name: float(value) for name, value in found.items()}}


def log_likelihood(errors: np.ndarray, variance: np.ndarray, share: np.ndarray) -> float:
    """The mean log-likelihood of normal errors (n, k) with mean 0."""
    tiny = np.finfo(np.float64).tiny
    variance = np.maximum(np.broadcast_to(variance, errors.shape), tiny)
    logs = -(np.log(2 * np.pi * variance) + errors**2 / variance) / 2
    return (share @ logs).mean()


def calibration_error(P: np.ndarray, Y: np.ndarray, weight: np.ndarray) -> float:
    """The expected calibration error (ECE): how far the probability of the predicted class is from
    the share that is right, over 15 bins of that probability (Guo et al. 2017, ICML).

    Examples
    --------
    >>> P, Y = np.array([[0.75, 0.25], [0.75, 0.25]]), np.array([[1, 0], [0, 1]])
    >>> calibration_error(P, Y, np.ones(2))
    0.25
    """
    sure, guess = P.max(axis=1), P.argmax(axis=1)
    right = Y[np.arange(len(Y)), guess]
    bins = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    gaps = np.bincount(bins, weight * (sure - right), BINS)
    return float(np.abs(gaps).sum() / weight.sum())
