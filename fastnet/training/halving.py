"""Successive halving: settings that are behind at a rung stop there (Jamieson & Talwalkar 2016).

With ETA = 3 and max_epochs 900 the rungs are at epochs 100 and 300 if there are 9 to 26 settings.
At each rung the best third of the settings goes on; the members of the others stop with reason
"pruned". A setting is all but the seed and the fold: its loss is the mean over its members of the
monitored loss, the best so far. So no setting is lost by one bad seed, and those that remain have
all their seeds.

The decision needs the members' best losses alone, not what was decided before: a setting that is
left behind never comes back, because its loss is final and those ahead of it only fall.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.errors import UsageError
from fastnet.training.grouping import setting_codes
from fastnet.training.plan import Plan


class Halving(NamedTuple):
    """The rungs of a run, and the setting of each member.

    Attributes
    ----------
    rungs : tuple of int
        Epochs, rising, after whose entry settings are compared.
    keeps : tuple of int
        How many settings go on after each.
    settings : ndarray of shape (M,)
        The setting of each member, numbered in the order of their first members.
    """

    rungs: tuple[int, ...]
    keeps: tuple[int, ...]
    settings: np.ndarray

    def words(self) -> str:
        """How many settings there are, and how many go on after which epoch, in a sentence."""
        steps = [f"{keep:,} after epoch {rung:,}" for rung, keep in zip(self.rungs, self.keeps)]
        return f"The best of {int(self.settings.max()) + 1:,} settings go on: {', '.join(steps)}."

    def due(self, start: int) -> int:
        """The latest end of a round from epoch `start`: with the entry of the next rung."""
        return next((rung + 1 for rung in self.rungs if rung >= start), np.iinfo(np.int64).max)

    def behind(self, epoch: int, losses: np.ndarray) -> np.ndarray:
        """Which members (M,) are pruned after an epoch; equal settings go on in their order."""
        if epoch not in self.rungs:
            return np.zeros(len(self.settings), bool)
        keep = self.keeps[self.rungs.index(epoch)]
        means = np.bincount(self.settings, losses) / np.bincount(self.settings)
        places = np.empty(len(means), np.int64)
        places[np.argsort(means, kind="stable")] = np.arange(len(means))
        return places[self.settings] >= keep


def halving_of(plan: Plan, options: Mapping[str, Any]) -> Halving | None:
    """The rungs for the members of a plan; None without the option halving.

    Raises
    ------
    UsageError
        for too few settings, or too few epochs, to have a rung.
    """
    eta, epochs = options["halving"], options["max_epochs"]
    if eta is None:
        return None
    codes = setting_codes(plan.columns)
    _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
    settings = np.argsort(np.argsort(first))[codes]
    count = len(first)
    if count < eta:
        raise UsageError(
            f"halving {eta} needs at least {eta} settings that differ in more than the seed, got "
            f"{count}; give more values of n1, learning_rate or another axis."
        )
    if epochs < eta:
        raise UsageError(f"halving {eta} needs max_epochs of at least {eta}, got {epochs}.")
    most = max(j for j in range(1, 64) if eta**j <= min(count, epochs))
    rungs = tuple(epochs // eta**j for j in range(most, 0, -1))
    keeps = tuple(math.ceil(count / eta ** (j + 1)) for j in range(most))
    return Halving(rungs, keeps, settings)


def epochs_left(halving: Halving | None, epoch: int, max_epochs: int) -> float:
    """Epochs that an average live member trains from `epoch` on, if none stops by itself."""
    if halving is None:
        return float(max_epochs - epoch)
    count = int(halving.settings.max()) + 1
    ends, alive = (*halving.rungs, max_epochs), (count, *halving.keeps)
    now = alive[sum(rung <= epoch for rung in halving.rungs)]
    starts = (0, *halving.rungs)
    spans = (max(0, end - max(start, epoch)) for start, end in zip(starts, ends))
    return sum(span * share / now for span, share in zip(spans, alive))
