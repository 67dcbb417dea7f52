"""One line for each thing that is wrong with a result: no better than a guess, a class ignored."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnet.results.words import counted, number

JUDGES = {"test": "test", "val": "validation", "train": "training"}  # the first there is judges
GAIN = 0.01  # a share of the baseline's squared error or loss that is worth telling
MOST = 5  # classes in one line


def judge(metrics: Mapping[str, Any]) -> str:
    """The set whose metrics judge: test, else val, else train.

    Examples
    --------
    >>> judge({"train": {"rmse": 1.0}, "val": {"rmse": 2.0}, "test": None})
    'val'
    """
    return next(name for name in JUDGES if metrics[name] is not None)


def verdict(
    metrics: Mapping[str, Any], targets: Sequence[str], folds: bool = False
) -> tuple[str, ...]:
    """What is wrong with a result, one line each.

    Parameters
    ----------
    metrics : dict
        By set, as in a Result.
    targets : sequence of str
    folds : bool
        Whether the best member validates on the rows of its fold.

    Examples
    --------
    >>> bad = {"rmse": 9.99, "baseline": {"rmse": 10.0}}
    >>> for line in verdict({"train": bad, "val": None, "test": None}, ["price"]):
    ...     print(line)
    price: no better than the mean; the RMSE on the training rows is 9.99, that of the mean 10.
    """
    name = judge(metrics)
    found, rows = metrics[name], f"{JUDGES[name]} rows"
    rows += " of its fold" * (folds and name == "val")
    if "classes" in found:
        return (*no_better_than_shares(found, rows), *never_predicted(found, rows))
    if "subset_accuracy" in found:
        return tuple(no_better_than_shares_of_labels(found, rows, targets))
    return tuple(no_better_than_the_mean(found, rows, targets))


def remarks_on_training(
    best: Mapping[str, Any], strengths: Sequence[float], rows: int
) -> Iterator[str]:
    """What was chosen and what failed in training, one line each.

    Parameters
    ----------
    best : dict
        The record of the best member.
    strengths : sequence of float
        The values of l2 that were compared, if they were pruned.
    rows : int
        Rows to train on.

    Examples
    --------
    >>> best = {"l2": 0.01, "best_epoch": 3, "epochs": 9, "val_loss": 0.2}
    >>> print(*remarks_on_training(best, (0.002, 0.01), 500))
    l2 0.01 (5 / n with n = 500 training rows) has the lowest held-out loss of 2 strengths.
    """
    if len(strengths) > 1:
        yield (
            f"l2 {best['l2']:.3g} ({best['l2'] * rows:.3g} / n with n = {rows:,} training rows) "
            f"has the lowest held-out loss of {len(strengths)} strengths."
        )
    if best["best_epoch"] == 0 and best["epochs"] > 0:
        tips = "Try a larger --batch-size, a lower --learning-rate or more rows."
        yield f"{untrained(best)} {tips}"


def untrained(best: Mapping[str, Any] | np.void) -> str:
    """What it means for the best member that the weights of epoch 0 are its best."""
    name = "training" if np.isnan(best["val_loss"]) else "validation"
    given = best["init_kind"] == "given"
    kept = "that of the initial_weights" if given else "the untrained one"
    return f"No epoch lowered the {name} loss, so the network that is kept is {kept}."


def no_better_than_the_mean(found: Mapping, rows: str, targets: Sequence[str]) -> Iterator[str]:
    """A line for each target whose RMSE is about that of the mean, or worse.

    Few held-out rows can have another mean than the training rows, and a constant may be nearer to
    it by chance; so their own mean counts as well: it has R2 0.
    """
    each = found.get("targets") or {targets[0]: found}
    baselines = found["baseline"].get("targets") or {targets[0]: found["baseline"]}
    for target, one in each.items():
        rmse, mean = one["rmse"], baselines[target]["rmse"]
        if rmse is None or not mean:
            continue
        r2 = one.get("r2")
        if rmse**2 > (1 - GAIN) * mean**2 or (r2 is not None and r2 < GAIN):
            yield (
                f"{target}: no better than the mean; the RMSE on the {rows} is {number(rmse)}, "
                f"that of the mean {number(mean)}."
            )


def no_better_than_shares(found: Mapping, rows: str) -> Iterator[str]:
    """A line if neither labels nor probabilities are better than those of the class shares."""
    right, often, loss = found["accuracy"], found["baseline"]["accuracy"], found["log_loss"]
    worse = loss is None or loss > (1 - GAIN) * found["baseline"]["log_loss"]
    if right <= often and worse:
        yield (
            f"No better than the most frequent class; the accuracy on the {rows} is "
            f"{number(right)}, that of always predicting this class {number(often)}."
        )


def no_better_than_shares_of_labels(
    found: Mapping, rows: str, targets: Sequence[str]
) -> Iterator[str]:
    """A line for each target whose labels and probabilities are no better than its shares."""
    for target in targets:
        one, guess = found["targets"][target], found["baseline"]["targets"][target]
        worse = one["log_loss"] is None or one["log_loss"] > (1 - GAIN) * guess["log_loss"]
        if one["accuracy"] <= guess["accuracy"] and worse:
            yield (
                f"{target}: no better than its more frequent label; the accuracy on the {rows} is "
                f"{number(one['accuracy'])}, that of always predicting this label "
                f"{number(guess['accuracy'])}."
            )


def never_predicted(found: Mapping, rows: str) -> Iterator[str]:
    """A line that names the classes that occur and are never predicted."""
    never = {
        label: one["rows"]
        for label, one in found["classes"].items()
        if one["rows"] and not one["predicted"]
    }
    if not never:
        return
    named = ", ".join(f"{n} ({counted(never[n], 'row')})" for n in list(never)[:MOST])
    more = f" and {len(never) - MOST} more" if len(never) > MOST else ""
    yield (
        f"Never predicted on the {rows}: {named}{more}; try --class-weight balanced, more "
        "epochs or a larger N1."
    )
