"""A success rate that is decided from as many seeds as that takes, and not from a fixed number.

The successes of a width are independent throws of a coin with the unknown rate p. An ordinary
interval would not survive a look after every block of seeds and a stop when the result pleases. A
bet does: whoever starts with 1 and bets against a true hypothesis ever has 1 / error or more with a
probability of at most `error`, however often one looks (Ville 1939). The bet here spreads its stake
evenly over all rates that the alternative allows (Robbins 1970, "Statistical methods related to the
law of the iterated logarithm"; Howard, Ramdas, McAuliffe & Sekhon 2021, "Time-uniform,
nonparametric, nonasymptotic confidence sequences", section 4).
With s successes in n throws and the asked rate r,

    against p <= r:   the mean over q in (r, 1] of  q^s (1 - q)^(n - s) / (r^s (1 - r)^(n - s))
                    = P(X <= s) / ((n + 1) (1 - r) P(Y = s))
    against p >= r:   the mean over q in [0, r) of the same ratio
                    = P(X > s) / ((n + 1) r P(Y = s))

where X is binomial (n + 1, r) and Y binomial (n, r): the integrals are incomplete beta functions.
"""

import functools
import math

import numpy as np

STEPS = 40  # of the bisection for a bound: 1e-12


def binomial_logs(n: int, p: float) -> np.ndarray:
    """log P(X = i) for i = 0 ... n, X binomial (n, p)."""
    i = np.arange(n + 1)
    ratios = np.log((n - i[:-1]) / i[1:])
    choose = np.concatenate([[0.0], np.cumsum(ratios)])
    return choose + i * math.log(p) + (n - i) * math.log1p(-p)


def log_sum(logs: np.ndarray) -> float:
    """The log of a sum of numbers that are given by their logs."""
    largest = logs.max()
    return float(largest + math.log(np.exp(logs - largest).sum()))


def evidence_above(successes: int, n: int, rate: float) -> float:
    """The log evidence that the true rate is above `rate`.

    Examples
    --------
    >>> evidence_above(0, 0, 0.9)
    0.0
    >>> evidence_above(100, 100, 0.9) > 3 > evidence_above(95, 100, 0.9)
    True
    """
    tail = log_sum(binomial_logs(n + 1, rate)[: successes + 1])
    return float(tail - math.log((n + 1) * (1 - rate)) - binomial_logs(n, rate)[successes])


def evidence_below(successes: int, n: int, rate: float) -> float:
    """The log evidence that the true rate is below `rate`.

    Examples
    --------
    >>> round(evidence_below(0, 10, 0.9), 1)
    20.7
    """
    tail = log_sum(binomial_logs(n + 1, rate)[successes + 1 :])
    return float(tail - math.log((n + 1) * rate) - binomial_logs(n, rate)[successes])


@functools.lru_cache(maxsize=4096)  # tables and sentences need the same few values several times
def bounds(successes: int, n: int, error: float) -> tuple[float, float]:
    """Bounds of the true rate; each is ever wrong with a probability of at most `error`.

    Parameters
    ----------
    successes, n : int
        Successes, and throws.
    error : float
        Allowed probability that a bound is wrong after any number of throws.

    Examples
    --------
    >>> low, high = bounds(612, 640, 0.05)
    >>> round(low, 2), round(high, 2)
    (0.93, 0.98)
    """
    limit = -math.log(error)

    def solve(excluded, low, high):
        """The border between `low`, where excluded() holds, and `high`, where it does not."""
        for _ in range(STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if excluded(middle) else (low, middle)
        return (low + high) / 2

    share = successes / max(n, 1)
    low, high = 0.0, 1.0
    if successes:
        low = solve(lambda p: evidence_above(successes, n, p) >= limit, 0.0, share)
    if successes < n:
        high = solve(lambda p: evidence_below(successes, n, p) >= limit, 1.0, share)
    return low, high
