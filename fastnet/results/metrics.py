"""What predictions are worth, in the units of the targets: weighted means over samples."""

import numpy as np

from fastnet import reference


def squared(Y, Z2, weight, scale, names):
    """RMSE, MAE and R2 of numbers; of several targets their means, and those of each.

    Y and Z2 (n, k) are scaled by `scale` (k,); what is returned is in the targets' own units. R2
    is None where the target is constant.
    """
    share = weight / weight.sum()
    errors = (Z2.astype(np.float64) - Y) * scale
    own = Y * scale
    spread = share @ (own - share @ own) ** 2
    spread[(own == own[0]).all(axis=0)] = 0  # not the rounding of a mean
    mse, mae = share @ errors**2, share @ np.abs(errors)
    each = [
        {"rmse": known(e**0.5), "mae": known(a), "r2": known(1 - e / s) if s > 0 else None}
        for e, a, s in zip(mse, mae, spread)
    ]
    if len(each) == 1:
        return each[0]
    means = {name: mean([one[name] for one in each]) for name in each[0]}
    return {**means, "targets": dict(zip(names, each))}


def known(value):
    """The number, None where it is none: JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def mean(values):
    """The mean, None where one is missing."""
    return None if None in values else float(np.mean(values))


def cross_entropy(Y, Z2, weight):
    """Accuracy, balanced accuracy (the mean over the classes there are) and log loss."""
    truth, total = Y.argmax(axis=1), weight.sum()
    right = weight * (Z2.argmax(axis=1) == truth)  # sums of weights: all right is exactly 1
    of_class = np.bincount(truth, weight, Y.shape[1])
    hits = np.bincount(truth, right, Y.shape[1])
    there = of_class > 0
    losses, _ = reference.losses.cross_entropy_error(Z2, Y)
    return {
        "accuracy": known(right.sum() / total),
        "balanced_accuracy": known((hits[there] / of_class[there]).mean()),
        "log_loss": known(weight / total @ losses),
    }


def confusion(Y, Z2):
    """Counts (k, k) of samples: a row for the true class, a column for the predicted one."""
    k = Y.shape[1]
    places = Y.argmax(axis=1) * k + Z2.argmax(axis=1)
    return np.bincount(places, minlength=k * k).reshape(k, k)
