"""Which rows train, validate and test: random shares, equal in every class."""

import numpy as np

from fastnet.errors import DataError, UsageError

SETS = ("train", "val", "test")
FRACTIONS = {"val": "validation_fraction", "test": "test_fraction"}


def split_rows(
    n: int,
    validation_fraction: float,
    test_fraction: float,
    data_seed: int,
    strata: np.ndarray | None = None,
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

    Raises
    ------
    UsageError
        for fractions that leave a set or the training rows empty.

    Examples
    --------
    >>> split = split_rows(10, 0.2, 0.1, data_seed=0)
    >>> {name: len(rows) for name, rows in split.items()}
    {'test': 1, 'val': 2, 'train': 7}
    """
    rng = np.random.default_rng(data_seed)
    strata = np.zeros(n, int) if strata is None else strata
    rest, split = np.arange(n), {}
    # The test rows are drawn first, so that they do not depend on the validation share.
    for name, fraction in (("test", test_fraction), ("val", validation_fraction)):
        of_rest = fraction * n / max(len(rest), 1)
        if fraction and round(fraction * n) == 0:
            raise UsageError(
                f"{FRACTIONS[name]} {fraction:g} of {n} rows is less than one row; raise it."
            )
        if round(of_rest * len(rest)) >= len(rest):
            raise UsageError(
                f"validation_fraction {validation_fraction:g} and test_fraction "
                f"{test_fraction:g} leave none of {n} rows to train on; lower one of them."
            )
        chosen = stratified_share(len(rest), of_rest, rng, strata[rest])
        split[name], rest = rest[chosen], np.delete(rest, chosen)
    split["train"] = rest
    return split


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


def rows_outside(n: int, split: dict[str, np.ndarray]) -> np.ndarray:
    """The rows in no set of `split`: they train, or shares of them are held out."""
    free = np.ones(n, bool)
    for rows in split.values():
        free[rows] = False
    if not free.any():
        raise DataError("no rows are left to train on; the split names all of them val or test.")
    return np.flatnonzero(free)
