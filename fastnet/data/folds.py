"""Folds of cross-validation: which rows train and which validate, and how to say it."""

from collections.abc import Mapping

import numpy as np

from fastnet.data.split import counts_by_group, name_of_order, refuse_few
from fastnet.errors import UsageError


def make_folds(
    rows: np.ndarray,
    count: int,
    repeats: int,
    data_seed: int,
    strata: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Pairs (training rows, validation rows), `count` for each repeat.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Row numbers to divide, rising.
    count : int
        Number of folds.
    repeats : int
        Times that they are drawn; with an order there is nothing to draw.
    data_seed : int
        Seed of the random choice.
    strata : ndarray of int, shape (n,), optional
        The class of each row: every fold gets its share of each.
    groups : ndarray of shape (n,), optional
        The group of each row: each group is in one fold.
    order : ndarray of shape (n,), optional
        Folds go forward: fold i validates the rows that follow those it trains on. The first of
        count + 1 equal parts of the rows only trains.

    Raises
    ------
    UsageError
        for fewer rows, groups or different values of the order than needed.

    Examples
    --------
    >>> for train, val in make_folds(np.arange(5), 2, 1, data_seed=0):
    ...     print(train, val)
    [2 4] [0 1 3]
    [0 1 3] [2 4]
    >>> for train, val in make_folds(np.arange(6), 2, 1, data_seed=0, order=np.arange(6)):
    ...     print(train, val)
    [0 1] [2 3]
    [0 1 2 3] [4 5]
    """
    if len(rows) < count:
        raise UsageError(f"folds {count} needs at least {count} rows, got {len(rows)}.")
    refuse_few("group", groups, count, "folds")
    refuse_few(name_of_order(groups), order, count + 1, "parts")
    if order is not None:
        part = parts_in_order(order, count + 1)
        return tuple((rows[part < i], rows[part == i]) for i in range(1, count + 1))
    strata = np.zeros(len(rows), int) if strata is None else strata
    pairs = []
    for repeat in range(repeats):
        rng = np.random.default_rng([data_seed, repeat])
        if groups is None:
            fold = dealt(strata, count, rng)
        else:
            fold = dealt_groups(groups, strata, count, rng)
        pairs += [(rows[fold != i], rows[fold == i]) for i in range(count)]
    return tuple(pairs)


def dealt(strata: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The fold of each row: shuffled within its class, and dealt in turn like cards.

    The classes follow one another, so folds differ by at most one row, in all and in each class.
    """
    n = len(strata)
    fold = np.empty(n, np.int64)
    fold[np.lexsort((rng.permutation(n), strata))] = np.arange(n) % count
    return fold


def dealt_groups(
    groups: np.ndarray, strata: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """The fold of each row, the same for all rows of a group.

    The largest group comes first, each to the fold that has least of what the group consists of.
    Without classes that is the fold with the fewest rows.
    """
    codes, counts = counts_by_group(groups, strata)
    share = counts / np.maximum(counts.sum(axis=0), 1)
    held, fold = np.zeros((count, counts.shape[1])), np.empty(len(counts), np.int64)
    shuffled = rng.permutation(len(counts))
    for group in shuffled[np.argsort(-counts[shuffled].sum(axis=1), kind="stable")]:
        # An empty fold comes first: none may stay without a group.
        fold[group] = np.lexsort((held.sum(axis=1), held @ share[group], held.any(axis=1)))[0]
        held[fold[group]] += counts[group]
    return fold[codes]


def parts_in_order(order: np.ndarray, parts: int) -> np.ndarray:
    """The part of each row, 0 to parts - 1: about equal numbers of rows, equal values together."""
    _, codes, counts = np.unique(order, return_inverse=True, return_counts=True)
    before = np.cumsum(counts) - counts  # rows before each value
    first, starts = 0, []
    for part in range(1, parts):
        # Each part has at least one value, and so have those after it.
        first, last = first + 1, len(counts) - (parts - part)
        wanted = part * len(order) / parts
        first += int(np.abs(before[first : last + 1] - wanted).argmin())
        starts.append(first)
    return np.searchsorted(np.array(starts), codes, side="right")


# ---------------------------------------------------------------- in words


def division(
    sets: Mapping[str, np.ndarray], folds: tuple, known: Mapping[str, np.ndarray | None]
) -> list[str]:
    """Notices on how groups, an order or folds divide the rows."""
    lines, verbs = [], {"train": "train", "val": "validate", "test": "test"}
    there = {verb: sets[name] for name, verb in verbs.items() if len(sets[name])}
    if known["groups"] is not None:
        counts = {verb: len(np.unique(known["groups"][rows])) for verb, rows in there.items()}
        lines.append(f"Groups stay whole: {', '.join(f'{n:,} {v}' for v, n in counts.items())}.")
    if known["order"] is not None and len(there) > 1:
        counts = [f"then {len(rows):,} {verb}" for verb, rows in there.items()]
        lines.append(f"Rows in their order: {', '.join(counts).removeprefix('then ')}.")
    if folds:
        n = len(sets["train"])
        spans = [sorted({len(pair[part]) for pair in folds}) for part in (0, 1)]
        train, val = (f"{s[0]:,}" + f" to {s[-1]:,}" * (len(s) > 1) for s in spans)
        lines.append(
            f"{len(folds)} folds: a member trains on {train} and validates on {val} of {n:,} rows."
        )
    return lines


def overlap(
    sets: Mapping[str, np.ndarray],
    folds: tuple,
    groups: np.ndarray | None,
    order: np.ndarray | None,
) -> list[str]:
    """A notice on training rows that come after rows held out, since groups overlap in time."""
    if groups is None or order is None:
        return []
    _, places = np.unique(order, return_inverse=True)
    pairs = folds or ((sets["train"], np.concatenate([sets["val"], sets["test"]])),)
    later = [(places[train] > places[held].min(initial=len(places))).sum() for train, held in pairs]
    which = "the first row held out" if not folds else "the first row that validates in their fold"
    return [
        f"Groups overlap in their order: {max(later):,} training rows come after {which}."
    ] * bool(max(later))
