"""Which members to train next, until the smallest sufficient N1 is decided.

Widths 1, 2, 4, ... are tried until one is sufficient; the gap below it is bisected; then some
smaller widths and the next larger one are tried, because success need not rise with N1. A width
gets seeds 0, 1, 2, ... in blocks until its success rate is decided (training/certainty.py).

The n-th width that is tried may err with probability (1 - confidence) / (n (n + 1)). These sum to
1 - confidence, so with the confidence asked for *all* decisions of a search are right.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastnet.training.certainty import bounds, evidence_above, evidence_below

FIRST_SEEDS = 32  # seeds of the first block of a width
MOST_SEEDS = 2048  # of any block
SAMPLE = 4  # smaller widths that are tried besides those of the search
CUT_SHORT = ("running", "interrupted", "time_limit")
SHARE = 4  # no width gets more than this part of all members: 1 / SHARE


class Block(NamedTuple):
    """Members to train: `count` seeds of the width `n1`, from `seed` on."""

    n1: int
    seed: int
    count: int


@dataclass
class Width:
    """What is known of one width.

    Attributes
    ----------
    n1 : int
    error : float
        Allowed probability that the verdict is wrong.
    members, reached : int
        Seeds tried, and those that reached the target.
    verdict : {"open", "sufficient", "insufficient"}
    """

    n1: int
    error: float
    members: int = 0
    reached: int = 0
    verdict: str = "open"

    def decide(self, rate: float) -> None:
        """Set the verdict if the members suffice for one."""
        limit = -math.log(self.error)
        if evidence_above(self.reached, self.members, rate) >= limit:
            self.verdict = "sufficient"
        elif evidence_below(self.reached, self.members, rate) >= limit:
            self.verdict = "insufficient"

    def row(self) -> dict[str, Any]:
        """The width for tables and JSON."""
        low, high = bounds(self.reached, self.members, self.error)
        return {
            "n1": self.n1,
            "members": self.members,
            "reached": self.reached,
            "success_rate": self.reached / self.members if self.members else None,
            "success_low": low,
            "success_high": high,
            "verdict": self.verdict,
        }


def is_searched(options: Mapping[str, Any]) -> bool:
    """Whether a run adds members until the smallest N1 is decided."""
    return options["stop"] == "decided"


def replayed(options: Mapping[str, Any], stops: Sequence[str]) -> tuple["Search", list[Block]]:
    """The search of a run so far, and the blocks of its members.

    Parameters
    ----------
    options : mapping
        Of the run: n1, success_rate, confidence, max_members.
    stops : sequence of str
        Why each member stopped, in the order of the members. A block with a member that is still
        training, or that the time limit cut short, decides nothing.
    """
    asked = options["success_rate"], options["confidence"]
    search = Search(*asked, sorted(options["n1"]), options["max_members"])
    blocks, first = [], 0
    while first < len(stops):
        block = search.next_block()
        if block is None:
            break
        blocks.append(block)
        some = list(stops[first : first + block.count])
        first += block.count
        if not set(some) & set(CUT_SHORT):
            search.add(block, some.count("target"))
    return search, blocks


def first_blocks(options: Mapping[str, Any]) -> list[Block]:
    """The first block of every width that a search tries as long as none is sufficient."""
    count = min(FIRST_SEEDS, options["max_members"])
    return [Block(n1, 0, count) for n1 in replayed(options, ())[0].doubled()]


class Search:
    """The search for the smallest width whose success rate is at least `rate`.

    Parameters
    ----------
    rate : float
        Success rate asked for, between 0 and 1.
    confidence : float
        Probability with which all verdicts are right.
    candidates : sequence of int
        Widths among which to search, rising.
    most : int
        Largest number of members in all.

    Examples
    --------
    >>> search = Search(0.9, 0.95, range(1, 65), most=10_000)
    >>> while (block := search.next_block()) is not None:
    ...     search.add(block, block.count if block.n1 >= 5 else 0)
    >>> search.smallest(), search.below().verdict
    (5, 'insufficient')
    """

    def __init__(self, rate: float, confidence: float, candidates: Sequence[int], most: int):
        self.rate, self.error = rate, 1 - confidence
        self.candidates, self.most = candidates, most
        self.widths: dict[int, Width] = {}  # by N1, in the order in which they were first tried

    def next_block(self) -> Block | None:
        """The next members to train; None when nothing is left to decide, or no member."""
        n1 = self.next_width()
        left = self.most - sum(width.members for width in self.widths.values())
        if n1 is None or left <= 0:
            return None
        tried = len(self.widths) + 1
        width = self.widths.setdefault(n1, Width(n1, self.error / (tried * (tried + 1))))
        count = min(max(FIRST_SEEDS, width.members // 2), MOST_SEEDS)
        return Block(n1, width.members, min(count, left, self.share() - width.members))

    def add(self, block: Block, reached: int) -> None:
        """Add the outcome of a block: how many of its members reached the target."""
        width = self.widths[block.n1]
        width.members += block.count
        width.reached += reached
        width.decide(self.rate)

    def share(self) -> int:
        """The most members of one width: one whose rate is the asked one is never decided."""
        return max(FIRST_SEEDS, self.most // min(SHARE, len(self.candidates)))

    def is_settled(self, n1: int) -> bool:
        """Whether no more members of a width are needed, or allowed."""
        width = self.widths.get(n1)
        return width is not None and (width.verdict != "open" or width.members >= self.share())

    def next_width(self) -> int | None:
        """The width to try; None when all is decided."""
        top = self.smallest()
        tries = self.doubled() if top is None else self.refined(top)
        return next((n1 for n1 in tries if not self.is_settled(n1)), None)

    def doubled(self) -> list[int]:
        """The first, second, fourth, eighth, ... and the last candidate."""
        last = len(self.candidates)
        places = {*(1 << i for i in range(last.bit_length())), last}
        return [self.candidates[place - 1] for place in sorted(places)]

    def refined(self, top: int) -> list[int]:
        """The middle of the gap below the sufficient width `top`, or else widths that show whether
        success rises with N1: some smaller ones and the next larger one."""
        place = self.candidates.index(top)
        gap = 0
        while gap < place and not self.is_settled(self.candidates[place - 1 - gap]):
            gap += 1
        if gap:
            return [self.candidates[place - (gap + 1) // 2]]
        spaced = {place * i // (SAMPLE + 1) for i in range(SAMPLE + 1)}
        places = sorted(i for i in {*spaced, place - 2, place + 1} if i >= 0 and i != place)
        return [self.candidates[i] for i in places if i < len(self.candidates)]

    def smallest(self) -> int | None:
        """The smallest width with the verdict sufficient."""
        return min((w.n1 for w in self.widths.values() if w.verdict == "sufficient"), default=None)

    def below(self) -> Width | None:
        """The width before the smallest sufficient one, or None."""
        top = self.smallest()
        place = self.candidates.index(top) if top is not None else 0
        return self.widths.get(self.candidates[place - 1]) if place else None
