"""l2 auto: a few strengths in units of 1 / n as more members, of which the worse are pruned.

The penalty belongs to the mean loss, so its best strength falls with the number n of rows: from
0.1 / n for data without noise to 25 / n for noisy data with many inputs (docs/notes/scores.md).
"""

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from fastnet.errors import UsageError
from fastnet.options.methods import OPTIMIZERS
from fastnet.options.table import AXES
from fastnet.options.targets import asked_unit
from fastnet.training.grouping import codes_of
from fastnet.training.plan import MANY_VALUES
from fastnet.training.search import is_searched

AUTO = "auto"
STRENGTHS = (0.1, 1.0, 5.0, 25.0)  # times 1 / n
MOST_ALONE = 1e-3  # the strength where no rows are held out to choose one: 1 / n, but at most this
# A penalty keeps a network from a target loss that is small beside it. On data without noise no N1
# reached 1.7e-4 with l2 1e-4, N1 = 4 did with 1e-5.
SHARE_OF_TARGET = 0.1
# On 22 splits of 13 sets, the two better ones of four after 20 epochs had the best one among them,
# up to 0.1 % of its loss, at 2.4 times the epochs of one network; 40 epochs take 3 times.
PRUNE_AFTER = 20
# Of very many values: half of the member-epochs. On both splits of 7,500 images 5 / n was the best
# of the four, and 1 / n the second.
STRENGTHS_OF_MANY, PRUNE_MANY_AFTER = (1.0, 5.0), 10


def strengths(
    options: Mapping[str, Any], rows: int, held_out: bool, d: int = 1
) -> tuple[float, ...]:
    """The numbers that l2 auto stands for.

    Parameters
    ----------
    options : dict
        The options as resolved; an estimator's have no target_loss.
    rows : int
        Rows to train on.
    held_out : bool
        Whether a held-out loss can choose.
    d : int, default=1
        Inputs.

    Examples
    --------
    >>> options = {"optimizer": ("adam",), "stop": "all", "target_loss": (None,)}
    >>> strengths(options, 1000, True)
    (0.0001, 0.001, 0.005, 0.025)
    >>> strengths({**options, "target_loss": (1e-4,)}, 1000, True)
    (1e-05, 0.001, 0.005, 0.025)
    """
    if any(OPTIMIZERS[name].own_l2 for name in options["optimizer"]):
        return (0.0,)
    targets = [target for target in options.get("target_loss", ()) if target]
    allowed = SHARE_OF_TARGET * min(targets, default=np.inf)
    if not held_out or is_searched(options):
        return (min(MOST_ALONE, 1 / rows, allowed),)
    low, *others = (strength / rows for strength in of_work(rows, d))
    return (min(low, allowed), *others)


def of_work(rows: int, d: int) -> tuple[float, ...]:
    """The strengths to try, in units of 1 / n: fewer where there is very much to train on."""
    return STRENGTHS_OF_MANY if rows * d > MANY_VALUES else STRENGTHS


def with_strengths(
    options: Mapping[str, Any], assumed: Set[str], rows: int, held_out: bool, d: int = 1
) -> dict[str, Any]:
    """The options with numbers for l2 auto; `assumed` are the names of those that nobody gave."""
    chosen = dict(options)
    if AUTO in chosen["l2"]:
        if len(chosen["l2"]) > 1:
            raise UsageError("l2 auto stands for several strengths; give it alone, or numbers.")
        chosen["l2"] = strengths(chosen, rows, held_out, d)
        if chosen["zip"]:
            spread(chosen)
        free = "prune_l2" in assumed and chosen["halving"] is None and not has_target(chosen)
        if len(chosen["l2"]) > 1 and free:
            many = of_work(rows, d) is not STRENGTHS
            chosen["prune_l2"] = PRUNE_MANY_AFTER if many else PRUNE_AFTER
    refuse_pruning(chosen, held_out)
    return chosen


def spread(options: dict[str, Any]) -> None:
    """Cross the strengths with lists that are paired."""
    count, several = max(len(options[n]) for n in AXES if n != "l2"), options["l2"]
    for name in AXES:
        if len(options[name]) > 1 and name != "l2":
            options[name] = tuple(value for value in options[name] for _ in several)
    options["l2"] = several * count


def has_target(options: Mapping[str, Any]) -> bool:
    """Whether members may stop at a target: then each strength runs to its own stop."""
    losses = any(target is not None for target in options["target_loss"])
    return losses or asked_unit(options) is not None


def refuse_pruning(options: Mapping[str, Any], held_out: bool) -> None:
    """Refuse prune_l2 where there is nothing to compare, or a comparison would be wrong."""
    epoch = options["prune_l2"]
    if epoch is not None and not held_out:
        raise UsageError(
            f"prune_l2 {epoch} compares losses on held-out rows and there are none; drop it, or "
            "give validation_fraction."
        )
    if epoch is not None and len({*options["l2"]}) == 1:
        raise UsageError(
            f"prune_l2 {epoch} compares several values of l2 and there is one, "
            f"{options['l2'][0]:g}; drop it, or give l2 several values."
        )
    if epoch is not None and options["halving"] is not None:
        raise UsageError(f"halving prunes by itself; drop prune_l2 {epoch}.")
    if epoch is not None and has_target(options):
        raise UsageError(
            f"prune_l2 {epoch} ends members that might reach target_loss; drop one of them."
        )


# ---------------------------------------------------------------- while they are trained


def rivals(columns: np.ndarray) -> np.ndarray:
    """A number for each member, equal for those that differ in l2, seed and fold alone."""
    return codes_of(columns, [n for n in columns.dtype.names if n not in ("l2", "seed")])


def worse(columns: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Whether a member's strength is in the worse half of its rivals', by their mean loss.

    Examples
    --------
    >>> columns = np.array([(0.1, 0), (0.2, 0), (0.3, 0)], [("l2", "f8"), ("seed", "i8")])
    >>> worse(columns, np.array([3.0, 1.0, 2.0])).tolist()
    [True, False, False]
    """
    found, groups = np.zeros(columns.size, bool), rivals(columns)
    for group in np.unique(groups):
        some = np.flatnonzero(groups == group)
        values, codes = np.unique(columns["l2"][some], return_inverse=True)
        means = np.bincount(codes, losses[some]) / np.bincount(codes)
        order = np.lexsort([-values, means])  # of equal ones, the strongest goes on
        found[some] = np.isin(codes, order[(len(values) + 1) // 2 :])
    return found
