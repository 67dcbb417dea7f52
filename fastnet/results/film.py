"""Which snapshots of a run are kept for playback: those of the best member of each N1."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from fastnet.results import answer
from fastnet.training.history import Snapshots, of_members

if TYPE_CHECKING:
    from fastnet.results.result import Result

MOST_WIDTHS = 12  # N1 whose best member's snapshots are kept
MOST_BYTES = 1 << 23  # and about the bytes that they may take, beyond those of the answer


def chosen_snapshots(
    result: "Result", snapshots: Mapping[str, np.ndarray]
) -> Mapping[str, np.ndarray]:
    """The snapshots of the best member of at most a dozen N1, the answer's first.

    Parameters
    ----------
    result : Result
    snapshots : dict of ndarray
        Those that there are; the arrays of snapshots.npz.
    """
    kept: list[int] = []
    room, members = MOST_BYTES, best_members(result)
    snapshots = of_members(snapshots, members)
    for member in members:
        size = sum(array.nbytes for array in of_members(snapshots, [member]).values())
        if size and (not kept or size <= room):
            kept.append(member)
            room -= size
    return of_members(snapshots, kept) if kept else {}


def best_members(result: "Result") -> list[int]:
    """The best member, that of the N1 which the answer names, then those of other N1."""
    best = result.best_member
    if result.options["keep"] == "best":
        return [best]
    widths = np.unique(result.members["n1"])
    named = answer.answered_n1(result.members, result.options)
    first = [named] if named is not None else []
    places = np.linspace(0, len(widths) - 1, min(len(widths), MOST_WIDTHS)).round()
    others = [int(widths[int(place)]) for place in places]
    of_widths = [result.best_of(n1) for n1 in (*first, *others) if n1 != result.best["n1"]]
    return list(dict.fromkeys([best, *of_widths]))[:MOST_WIDTHS]


def missing(result: "Result", snapshots: Snapshots | None) -> list[str]:
    """A notice if the best member's snapshots had to be left out while the run trained."""
    if snapshots is None or result.best_member in snapshots.held:
        return []
    if not result.best["epochs"] or result.environment.get("reused"):
        return []
    return [
        "There is no playback of the best member: the snapshots of all members together would "
        "have taken too much memory. Train it alone, or with fewer members, to see it learn."
    ]
