"""The decided answer: verdicts on widths by as many seeds as they need, in tables and words."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet.options.methods import STOPS
from fastnet.training.search import Search, Width, replayed


def search_of(members: np.ndarray, options: Mapping[str, Any]) -> Search:
    """The search of a run, with the outcomes of all its members."""
    return replayed(options, members["stop_reason"].tolist())[0]


def with_verdicts(
    rows: list[dict[str, Any]], members: np.ndarray, options: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The rows by N1 with each width's verdict, and bounds that hold whenever the run had ended."""
    widths = search_of(members, options).widths
    known = {n1: width.row() for n1, width in widths.items() if width.members}
    names, cut = ("success_rate", "success_low", "success_high", "verdict"), {"verdict": "open"}
    return [
        {**row, **{name: known.get(row["n1"], cut).get(name) for name in names}} for row in rows
    ]


def sentence(members: np.ndarray, options: Mapping[str, Any], target: str) -> str:
    """The answer in words; `target` names the target loss."""
    search = search_of(members, options)
    top, sure = search.smallest(), f"{100 * options['confidence']:g} % confidence"
    asked = f"{100 * options['success_rate']:g} % of its seeds"
    if top is None:
        return (
            f"No N1 is decided to reach {target} in at least {asked}. {unfinished(search, members)}"
        )
    parts = [
        f"N1 = {top} reaches {target} in at least {asked}: {counts(search.widths[top])}, "
        f"at least {floor(search.widths[top])} with {sure}."
    ]
    below = search.below()
    if below is not None and below.verdict == "insufficient":
        parts.append(f"N1 = {below.n1} does not: {counts(below)}, at most {ceiling(below)}.")
    elif below is not None:
        told = f"N1 = {below.n1} is not decided: {between(below)}"
        parts.append(f"{told}; {close(search, below)}{how_to_go_on(members)}.")
    elif top != search.candidates[0]:
        parts.append(f"Smaller ones are not decided. {unfinished(search, members)}")
    return " ".join(parts + falls(search, top))


def how_to_go_on(members: np.ndarray, more: str = "raise --max-members or --time-limit") -> str:
    """What decides more: the rest of an interrupted run, members that do not diverge, or `more`."""
    if set(members["stop_reason"].tolist()) & {"running", "interrupted"}:
        return "continue the run with --resume"
    diverged = (members["stop_reason"] == "diverged").mean() > 0.5
    return f"most members {STOPS['diverged'].tip}" if diverged else more


def falls(search: Search, top: int) -> list[str]:
    """A remark if wider networks than the smallest sufficient one are insufficient."""
    wider = [w for n1, w in search.widths.items() if n1 > top and w.verdict == "insufficient"]
    if not wider:
        return []
    told = ", ".join(f"N1 = {width.n1}: {counts(width)}" for width in wider)
    return [f"Success does not rise with N1: {told}."]


def unfinished(search: Search, members: np.ndarray) -> str:
    """What is known of the widths without a verdict, and how to decide them."""
    still = [width for width in search.widths.values() if width.verdict == "open"]
    if not still and search.next_width() is not None:
        tried = ", ".join(map(str, sorted(search.widths)))
        return f"Only N1 = {tried} was tried; {how_to_go_on(members)}."
    if not still:
        tried = f"Candidates up to {search.candidates[-1]} were tried"
        return f"{tried}; {how_to_go_on(members, 'raise --n1 or --max-epochs')}."
    told = ", ".join(f"N1 = {width.n1}: {between(width)}" for width in still)
    near = next((text for text in (close(search, width) for width in still) if text), "")
    return f"Not decided: {told}; {near}{how_to_go_on(members)}."


def close(search: Search, width: Width) -> str:
    """Why a width that had all the members that one may have is open; "" if it may have more."""
    if not width.members or width.members < search.share():
        return ""
    return (
        f"its rate is too close to {100 * search.rate:g} % for {width.members:,} seeds, the most "
        "of one width; "
    )


def counts(width: Width) -> str:
    """How many of a width's seeds reached the target."""
    return f"{width.reached:,} of {width.members:,}"


def floor(width: Width) -> str:
    """The lower bound of the success rate, rounded down."""
    return f"{np.floor(1000 * width.row()['success_low']) / 1000:.3f}"


def ceiling(width: Width) -> str:
    """The upper bound of the success rate, rounded up."""
    return f"{np.ceil(1000 * width.row()['success_high']) / 1000:.3f}"


def between(width: Width) -> str:
    """Counts and bounds of a width; a block that was cut short does not count."""
    if not width.members:
        return "its first seeds were cut short"
    return f"{counts(width)}, between {floor(width)} and {ceiling(width)}"
