"""The two built-in tasks' data: functions of one variable, and handwritten digits.

Every function is defined on [-1, 1], whatever interval its source uses; `t` in a formula is
the source's own variable. Functions whose published values spread widely are divided by a
factor that the formula states, so that one target loss means much the same for all of them:
the standard deviation of y lies between 0.2 and 1.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from fastnet.errors import UsageError, did_you_mean, quoted


class Function(NamedTuple):
    """A function of one variable that task 1 can learn.

    Attributes
    ----------
    name : str
    formula : str
        Plain text; a space between two operands multiplies them.
    source : str
        Where the function was published.
    low, high : float
        Ends of the interval on which it is defined.
    f : callable
        Takes an ndarray of any shape and returns one of the same shape.

    Examples
    --------
    >>> sine = FUNCTIONS["sine"]
    >>> sine.formula
    'y = sin(2 pi x)'
    >>> sine.f(np.array([0.0, 0.25]))
    array([0., 1.])
    """

    name: str
    formula: str
    source: str
    low: float
    high: float
    f: Callable[[np.ndarray], np.ndarray]


_DJ = "Donoho & Johnstone 1994, Biometrika 81, pp. 425-455, Table 1"
_DJ_PLACES = (0.1, 0.13, 0.15, 0.23, 0.25, 0.4, 0.44, 0.65, 0.76, 0.78, 0.81)
_DJ_JUMPS = (4, -5, 3, -4, 5, -4.2, 2.1, 4.3, -3.1, 2.1, -4.2)
_DJ_PEAKS = (4, 5, 3, 4, 5, 4.2, 2.1, 4.3, 3.1, 5.1, 4.2)
_DJ_WIDTHS = (0.005, 0.005, 0.006, 0.01, 0.01, 0.03, 0.01, 0.01, 0.005, 0.008, 0.005)


def _humps(x):
    t = x + 1
    return (1 / ((t - 0.3) ** 2 + 0.01) + 1 / ((t - 0.9) ** 2 + 0.04) - 6) / 50


def _doppler(x):
    t = (x + 1) / 2
    return np.sqrt(t * (1 - t)) * np.sin(2 * np.pi * 1.05 / (t + 0.05))


def _heavisine(x):
    t = (x + 1) / 2
    return (4 * np.sin(4 * np.pi * t) - np.sign(t - 0.3) - np.sign(0.72 - t)) / 4


def _bumps(x):
    t = (x + 1) / 2
    peaks = zip(_DJ_PLACES, _DJ_PEAKS, _DJ_WIDTHS, strict=True)
    return sum(h * (1 + np.abs(t - place) / w) ** -4 for place, h, w in peaks) / 2


def _blocks(x):
    t = (x + 1) / 2
    jumps = zip(_DJ_PLACES, _DJ_JUMPS, strict=True)
    return sum(h * (1 + np.sign(t - place)) / 2 for place, h in jumps) / 4


def _chirp(x):
    t = (x + 1) / 2
    return np.sin(2 * np.pi * (t + 2 * t**2))


def _triangle(x):
    t = (x + 1) / 2
    for _ in range(3):
        t = 1 - np.abs(1 - 2 * t)
    return t


def _narendra(x):
    return sum(a * np.sin(k * np.pi * x) for a, k in ((0.6, 1), (0.3, 3), (0.1, 5)))


def _piecewise(x):
    t = 10 * x
    wave = 10 * np.exp(-0.05 * t - 0.5) * np.sin((0.03 * t + 0.7) * t)
    return np.select([t < -2, t < 0], [-2.186 * t - 12.864, 4.246 * t], wave) / 10


def _neal(x):
    t = 3 * x
    return 0.3 + 0.4 * t + 0.5 * np.sin(2.7 * t) + 1.1 / (1 + t**2)


def _forrester(x):
    t = (x + 1) / 2
    return (6 * t - 2) ** 2 * np.sin(12 * t - 4) / 10


_TABLE = (
    (
        "sine",
        "y = sin(2 pi x)",
        "Bishop 1995, Neural Networks for Pattern Recognition, Fig. 4.12",
        lambda x: np.sin(2 * np.pi * x),
    ),
    (
        "square",
        "y = x^2",
        "Bishop 1995, Fig. 4.12; Bishop 2006, Pattern Recognition and Machine Learning, Fig. 5.3",
        np.square,
    ),
    ("abs", "y = abs(x)", "Bishop 1995, Fig. 4.12; Bishop 2006, Fig. 5.3", np.abs),
    (
        "step",
        "y = sgn(x)",
        "Bishop 1995, Fig. 4.12; Bishop 2006, Fig. 5.3 (there 0 and 1)",
        np.sign,
    ),
    (
        "gaussian",
        "y = exp(-t^2), t = 2 x",
        "Gabor 1946, J. IEE 93 (III), pp. 429-457: the 'probability pulse' around gabor",
        lambda x: np.exp(-4 * x**2),
    ),
    (
        "gabor",
        "y = exp(-t^2) cos(8 t), t = 2 x",
        "Gabor 1946: real part of an elementary signal",
        lambda x: np.exp(-4 * x**2) * np.cos(16 * x),
    ),
    (
        "sinc",
        "y = sin(t) / t, t = 10 x, y = 1 at x = 0",
        "Huang, Zhu & Siew 2006, Neurocomputing 70, pp. 489-501, the SinC problem",
        lambda x: np.sinc(10 * x / np.pi),
    ),
    (
        "runge",
        "y = 1 / (1 + t^2), t = 5 x",
        "Runge 1901, Z. Math. Phys. 46, pp. 224-243",
        lambda x: 1 / (1 + 25 * x**2),
    ),
    (
        "humps",
        "y = (1 / ((t - 0.3)^2 + 0.01) + 1 / ((t - 0.9)^2 + 0.04) - 6) / 50, t = x + 1",
        "MATLAB's function humps, divided by 50",
        _humps,
    ),
    (
        "doppler",
        "y = sqrt(t (1 - t)) sin(2 pi 1.05 / (t + 0.05)), t = (x + 1) / 2",
        _DJ,
        _doppler,
    ),
    (
        "heavisine",
        "y = (4 sin(4 pi t) - sgn(t - 0.3) - sgn(0.72 - t)) / 4, t = (x + 1) / 2",
        _DJ + ", divided by 4",
        _heavisine,
    ),
    (
        "bumps",
        "y = sum_j h_j (1 + abs(t - t_j) / w_j)^-4 / 2, t = (x + 1) / 2, 11 published peaks j",
        _DJ + ", divided by 2",
        _bumps,
    ),
    (
        "blocks",
        "y = sum_j h_j (1 + sgn(t - t_j)) / 2 / 4, t = (x + 1) / 2, 11 published jumps j",
        _DJ + ", divided by 4",
        _blocks,
    ),
    (
        "chirp",
        "y = sin(2 pi (t + 2 t^2)), t = (x + 1) / 2",
        "Linear chirp of frequency 1 to 5 in t; a textbook signal without a single source",
        _chirp,
    ),
    (
        "triangle",
        "y = m(m(m(t))), m(t) = 1 - abs(1 - 2 t), t = (x + 1) / 2",
        "Telgarsky 2015, arXiv:1509.08101: the mirror map, three times",
        _triangle,
    ),
    (
        "narendra",
        "y = 0.6 sin(pi x) + 0.3 sin(3 pi x) + 0.1 sin(5 pi x)",
        "Narendra & Parthasarathy 1990, IEEE Trans. Neural Networks 1, pp. 4-27, Example 1",
        _narendra,
    ),
    (
        "piecewise",
        "y = p / 10, t = 10 x, p = -2.186 t - 12.864 if t < -2, 4.246 t if -2 <= t < 0, else "
        + "10 exp(-0.05 t - 0.5) sin((0.03 t + 0.7) t)",
        "Zhang & Benveniste 1992, IEEE Trans. Neural Networks 3, pp. 889-898, divided by 10",
        _piecewise,
    ),
    (
        "neal",
        "y = 0.3 + 0.4 t + 0.5 sin(2.7 t) + 1.1 / (1 + t^2), t = 3 x",
        "R. M. Neal, Software for Flexible Bayesian Modeling, simple regression example",
        _neal,
    ),
    (
        "forrester",
        "y = (6 t - 2)^2 sin(12 t - 4) / 10, t = (x + 1) / 2",
        "Forrester et al. 2008, Engineering Design via Surrogate Modelling, divided by 10",
        _forrester,
    ),
)
FUNCTIONS: dict[str, Function] = {
    name: Function(name, formula, source, -1.0, 1.0, f) for name, formula, source, f in _TABLE
}


def function_data(
    function: str = "sine", samples: int = 1000, noise: float = 0.0, data_seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Task 1: evenly spaced points of a function.

    Parameters
    ----------
    function : str
        A key of FUNCTIONS.
    samples : int
        Number of points, including both ends of the interval.
    noise : float
        Standard deviation of the Gaussian noise added to y.
    data_seed : int
        Seed of the noise.

    Returns
    -------
    X : ndarray of shape (samples, 1)
        The points, float64.
    y : ndarray of shape (samples, 1)
        The function's values there, float64.

    Raises
    ------
    UsageError
        If the function is unknown or the noise negative.

    Examples
    --------
    >>> X, y = function_data("abs", samples=5)
    >>> X.shape, y.shape
    ((5, 1), (5, 1))
    >>> X.ravel()
    array([-1. , -0.5,  0. ,  0.5,  1. ])
    >>> y.ravel()
    array([1. , 0.5, 0. , 0.5, 1. ])
    """
    if function not in FUNCTIONS:
        wanted, hint = ", ".join(FUNCTIONS), did_you_mean(function, FUNCTIONS)
        raise UsageError(f"function must be one of {wanted}, got {quoted(function)}.{hint}")
    _, _, _, low, high, f = FUNCTIONS[function]
    X = np.linspace(low, high, samples)[:, None]
    return X, f(X) + np.random.default_rng(data_seed).normal(0.0, noise, X.shape)


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Task 2: the 1,797 handwritten digits of 8 x 8 pixels that come with fastnet.

    Returns
    -------
    X : ndarray of shape (1797, 64)
        Pixels row by row, float64 from 0 (paper) to 1 (ink).
    labels : ndarray of shape (1797,)
        The digits, int64 from 0 to 9.

    References
    ----------
    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998, doi 10.24432/C50P49, CC BY 4.0; the part called test there.

    Examples
    --------
    >>> X, labels = digits()
    >>> X.shape
    (1797, 64)
    >>> labels[:5]
    array([0, 1, 2, 3, 4])
    """
    packaged = files("fastnet.data") / "datasets" / "digits.npz"
    with packaged.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        return stored["pixels"] / 16.0, stored["labels"].astype(np.int64)
