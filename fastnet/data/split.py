"""Which rows train, validate and test: random shares, equal in every class; whole groups; the last.

How the rows to hold out are chosen depends on what is known of them. Without anything it is random
and each class gives its share. Rows of one group stay together. With an order, the last rows are
held out, and rows that are equal in it stay together; with both, the groups that begin last are.
"""

import numpy as np

from fastnet.errors import DataError, UsageError

SETS = ("train", "val", "test")
FRACTIONS = {"val": "validation_fraction", "test": "test_fraction"}
# A table with fewer rows holds none out unless it is asked to: see docs/data.md.
FEW_ROWS = 20


def split_rows(
    n: int,
    validation_fraction: float,
    test_fraction: float,
    data_seed: int,
    strata: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    order: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Row numbers of train, val and test.

    Parameters
    ----------
    n : int
        Number of rows.
    validation_fraction, test_fraction : float
        Shares of n.
    data_seed : int
        Seed of the random choice.
    strata : ndarray of int, shape (n,), optional
        The class of each row; every set gets its share of each.
    groups : ndarray of shape (n,), optional
        The group of each row; each group is in one set as a whole.
    order : ndarray of shape (n,), optional
        The last rows in this order are test, those before them val; equal ones stay together. With
        groups it is one value for each of them: see first_of_groups().

    Raises
    ------
    UsageError
        for fractions that leave a set or the training rows empty, and for too few groups or
        different values of the order.

    Examples
    --------
    >>> split = split_rows(10, 0.2, 0.1, data_seed=0)
    >>> {name: len(rows) for name, rows in split.items()}
    {'test': 1, 'val': 2, 'train': 7}
    >>> split_rows(6, 0.4, 0.0, data_seed=0, order=np.array([1, 3, 3, 3, 2, 1]))["val"]
    array([1, 2, 3])
    """
    rng = np.random.default_rng(data_seed)
    strata = np.zeros(n, int) if strata is None else strata
    rest, split = np.arange(n), {}
    # The test rows are drawn first, so that they do not depend on the validation share.
    shares = {"test": test_fraction, "val": validation_fraction}
    parts = 1 + sum(fraction > 0 for fraction in shares.values())
    refuse_few("group", groups, parts)
    refuse_few(name_of_order(groups), order, parts)
    for name, fraction in shares.items():
        of_rest = fraction * n / max(len(rest), 1)
        if fraction and round(fraction * n) == 0:
            raise UsageError(
                f"{FRACTIONS[name]} {fraction:g} of {n} rows is less than one row; use at least "
                f"{np.ceil(100 / n) / 100:g}, or 0."
            )
        if round(of_rest * len(rest)) >= len(rest):
            raise UsageError(
                f"validation_fraction {validation_fraction:g} and test_fraction "
                f"{test_fraction:g} leave none of {n} rows to train on; lower one of them."
            )
        if order is not None and fraction:
            parts -= 1
            chosen = last_rows(order[rest], of_rest, parts)
        elif groups is not None and fraction:
            parts -= 1
            chosen = whole_groups(groups[rest], of_rest, rng, strata[rest], parts)
        else:
            chosen = stratified_share(len(rest), of_rest, rng, strata[rest])
        split[name], rest = rest[chosen], np.delete(rest, chosen)
    split["train"] = rest
    return split


def name_of_order(groups: np.ndarray | None) -> str:
    """What messages call the values of an order."""
    return "order" if groups is None else "the order in which groups begin"


def refuse_few(name: str, values: np.ndarray | None, parts: int, what: str = "sets") -> None:
    """Refuse fewer different values of a group or an order than parts to divide the rows into."""
    count = parts if values is None else len(np.unique(values))
    if count < parts:
        raise UsageError(
            f"{name} has {count} different value{'s' * (count != 1)} in the rows to divide into "
            f"{parts} {what}; it needs at least {parts}."
        )


def stratified_share(
    n: int, fraction: float, rng: np.random.Generator, strata: np.ndarray
) -> np.ndarray:
    """round(fraction * n) of n rows, sorted: each class gives its share (largest remainders)."""
    chosen = []
    counts = np.bincount(strata)
    exact = counts * fraction
    take = np.floor(exact).astype(int)
    missing = round(fraction * n) - take.sum()
    take[np.argsort(take - exact, kind="stable")[:missing]] += 1
    for stratum, count in enumerate(take):
        rows = np.flatnonzero(strata == stratum)
        chosen.append(rng.permutation(rows)[:count])
    return np.sort(np.concatenate(chosen))


def counts_by_group(groups: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's group, and the rows of each group by class, (groups, classes)."""
    names, codes = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), strata.max(initial=0) + 1))
    np.add.at(counts, (codes, strata), 1)
    return codes, counts


def whole_groups(
    groups: np.ndarray, fraction: float, rng: np.random.Generator, strata: np.ndarray, left: int
) -> np.ndarray:
    """The rows of whole groups, about `fraction` of the rows of every class.

    In random order, a group is taken if that brings the rows nearer to what they should be, so
    their number is wrong by at most half of the largest group. At least `left` groups remain.
    """
    codes, counts = counts_by_group(groups, strata)
    rows = np.maximum(counts.sum(axis=0), 1)
    missing = fraction * counts.sum(axis=0)
    distance = ((missing - counts) ** 2 / rows).sum(axis=1)
    taken: list[int] = []
    for group in rng.permutation(len(counts)):
        after = missing - counts[group]
        nearer = (after**2 / rows).sum() < (missing**2 / rows).sum()
        if nearer and len(taken) < len(counts) - left:
            taken.append(group)
            missing = after
    taken = taken or [int(distance.argmin())]
    return np.flatnonzero(np.isin(codes, taken))


def first_of_groups(groups: np.ndarray, order: np.ndarray) -> np.ndarray:
    """For each row, the place in the order at which its group begins.

    Examples
    --------
    >>> first_of_groups(np.array(["b", "a", "b"]), np.array([5, 3, 4]))
    array([1, 0, 1])
    """
    _, codes = np.unique(groups, return_inverse=True)
    _, places = np.unique(order, return_inverse=True)
    first = np.full(codes.max(initial=-1) + 1, len(places))
    np.minimum.at(first, codes, places)
    return first[codes]


def last_rows(order: np.ndarray, fraction: float, left: int) -> np.ndarray:
    """About `fraction` of the rows, the last in the order; at least `left` values remain."""
    _, codes, counts = np.unique(order, return_inverse=True, return_counts=True)
    behind = np.cumsum(counts[::-1])[::-1]  # rows of a value and of those after it
    first = left + np.abs(behind[left:] - fraction * len(order)).argmin()
    return np.flatnonzero(codes >= first)


def rows_outside(n: int, split: dict[str, np.ndarray]) -> np.ndarray:
    """The rows in no set of `split`: they train, or shares of them are held out."""
    free = np.ones(n, bool)
    for rows in split.values():
        free[rows] = False
    if not free.any():
        raise DataError("no rows are left to train on; the split names all of them val or test.")
    return np.flatnonzero(free)
