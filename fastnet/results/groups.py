"""The members of a run by N1 and setting, and the facts of all groups at once."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet.training.grouping import has_folds, setting_codes


class Groups:
    """The members by N1 and setting: each group's facts at once, for all groups.

    Attributes
    ----------
    codes : ndarray of int, shape (M,)
        The group of each member.
    parts : list of ndarray
        The numbers of the members of each group.
    """

    def __init__(self, members: np.ndarray, apart: list[str]) -> None:
        self.codes = setting_codes(members, apart)
        order, self.sizes = np.argsort(self.codes, kind="stable"), np.bincount(self.codes)
        self.parts = np.split(order, np.cumsum(self.sizes)[:-1])

    def count(self, some: np.ndarray) -> list[int]:
        """How many of each group are among some members, given as a mask."""
        return np.bincount(self.codes[some], minlength=self.sizes.size).tolist()

    def quantiles(self, values: np.ndarray, some: np.ndarray | None = None) -> list[list]:
        """The least, median and largest finite value of each group, None if there is none;
        of some members alone, if they are given as a mask."""
        counted = np.isfinite(values) if some is None else np.isfinite(values) & some
        counts = np.bincount(self.codes[counted], minlength=self.sizes.size)
        found = values[counted][np.lexsort((values[counted], self.codes[counted]))]
        starts, there = np.cumsum(counts) - counts, counts > 0

        def at(places: np.ndarray) -> np.ndarray:
            return found[np.where(there, places, 0)] if found.size else np.zeros(counts.size)

        last = starts + counts - 1
        middle = (at(starts + (counts - 1) // 2) + at(starts + counts // 2)) / 2
        rows = (at(starts), middle, at(last))
        return [[v if t else None for v, t in zip(row.tolist(), there)] for row in rows]


def facts_of_groups(members: np.ndarray, losses: np.ndarray, groups: Groups) -> dict[str, list]:
    """What a row of the answer says of its members, a list over the groups for each name."""
    reached = members["stop_reason"] == "target"
    best, median, _ = groups.quantiles(losses)
    facts = {
        "n1": members["n1"][[part[0] for part in groups.parts]].tolist(),
        "members": groups.sizes.tolist(),
        "reached": groups.count(reached),
        "best_loss": best,
        "median_loss": median,
        "median_epochs": groups.quantiles(members["epochs"].astype(float), reached)[1],
        "median_seconds": groups.quantiles(members["seconds"], reached)[1],
    }
    for name in ("test_loss", "train_accuracy", "val_accuracy", "test_accuracy"):
        facts[f"median_{name}"] = groups.quantiles(members[name])[1]
    return facts


def over_folds(members: np.ndarray, losses: np.ndarray) -> Callable[[np.ndarray], dict[str, Any]]:
    """A function that gives, for the numbers of a setting's members, the mean and the standard
    deviation over the folds of their loss and accuracy.

    A fold's value is the mean over the seeds. Without folds, and where a loss is missing: None.
    """
    values = {"loss": losses, "accuracy": members["val_accuracy"]}
    unknown = {f"fold_{of}_{name}": None for name in values for of in ("mean", "sd")}

    def of_part(part: np.ndarray) -> dict[str, Any]:
        found: dict[str, Any] = dict(unknown)
        own = members["fold"][part]
        folds = np.unique(own)
        for name, each in values.items():
            means = np.array([each[part][own == fold].mean() for fold in folds])
            if len(folds) > 1 and np.isfinite(means).all():
                found[f"fold_mean_{name}"] = float(means.mean())
                found[f"fold_sd_{name}"] = float(means.std(ddof=1))
        return found

    return of_part if has_folds(members) else lambda part: unknown
