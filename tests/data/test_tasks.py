"""The data of tasks 1 and 2: known values, spacing, noise, and formulas that say what f does."""

import re

import numpy as np
import pytest

from fastnet.data.tasks import FUNCTIONS, digits, function_data
from fastnet.errors import UsageError

RTOL = 1e-12  # the same formula with its operations in another order
# Their formulas name tables or cases; known values and shapes are tested below.
NOT_EVALUATED = {"bumps", "blocks", "triangle", "piecewise"}

KNOWN = [
    ("sine", 0.25, 1.0),  # a quarter period
    ("sine", -0.25, -1.0),
    ("square", -0.5, 0.25),
    ("abs", -0.3, 0.3),
    ("step", -1e-9, -1.0),
    ("step", 0.0, 0.0),
    ("step", 1e-9, 1.0),
    ("gaussian", 0.5, np.exp(-1)),
    ("gabor", 0.0, 1.0),
    ("gabor", np.pi / 32, 0.0),  # cos(pi / 2)
    ("sinc", 0.0, 1.0),  # the limit
    ("sinc", np.pi / 10, 0.0),  # sin(pi)
    ("runge", 0.2, 0.5),
    ("humps", 0.0, 16 / 50),  # the docs of MATLAB: humps(1) is 16.0
    ("humps", 1.2995 - 1, 0.0),  # root given with the function in R's pracma, 4 digits
    ("doppler", -1.0, 0.0),  # t (1 - t) is 0 at both ends
    ("doppler", 1.0, 0.0),
    ("heavisine", 0.0, -0.5),  # t = 1/2: the sine is 0, both jumps count -1
    ("heavisine", -1.0, 0.0),  # t = 0: +1 before the first jump, -1 before the second
    ("blocks", -1.0, 0.0),  # before the first jump
    ("blocks", -0.79, 1.0),  # after the first, of 4
    ("blocks", -0.73, -0.25),  # after the second, of -5
    ("blocks", 1.0, 0.0),  # the jumps add up to 0
    ("chirp", 0.0, 0.0),  # t = 1/2: one whole turn
    ("chirp", -0.5, np.sqrt(0.5)),  # t = 1/4: 3/8 of a turn
    ("triangle", -1.0, 0.0),
    ("triangle", -0.75, 1.0),  # the first of four peaks, t = 1/8
    ("triangle", -0.5, 0.0),
    ("narendra", 0.5, 0.4),  # 0.6 - 0.3 + 0.1
    ("piecewise", -1.0, 0.8996),  # 21.86 - 12.864
    ("piecewise", -0.1, -0.4246),
    ("piecewise", 0.0, 0.0),
    ("piecewise", 1.0, np.exp(-1) * np.sin(10)),
    ("neal", 0.0, 1.4),  # 0.3 + 1.1
    ("forrester", 0.757249 * 2 - 1, -0.602074),  # the published minimum, -6.02074
]


@pytest.mark.parametrize("name, x, y", KNOWN)
def test_known_values(name, x, y):
    assert FUNCTIONS[name].f(np.array([x]))[0] == pytest.approx(y, abs=1e-4, rel=0)


def python(formula):
    """A formula's text as a Python expression: ^ is a power, a space between operands *."""
    return re.sub(r"(?<=[\w)]) (?=[\w(])", "*", formula).replace("^", "**")


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - NOT_EVALUATED))
def test_formula_is_what_f_computes(name):
    x = np.linspace(-1, 1, 1000)  # an even number leaves out 0, where sinc is a limit
    known = {"x": x, "pi": np.pi, "sgn": np.sign, "abs": np.abs}
    known |= {word: getattr(np, word) for word in ("sin", "cos", "exp", "sqrt")}
    y, *t = FUNCTIONS[name].formula.removeprefix("y = ").split(", ")
    if t:
        known["t"] = eval(python(t[0].removeprefix("t = ")), known)
    expected = eval(python(y), known)
    np.testing.assert_allclose(FUNCTIONS[name].f(x), expected, rtol=RTOL, atol=RTOL)


def test_bumps_have_eleven_peaks_of_at_least_the_published_heights():
    places = np.array([0.1, 0.13, 0.15, 0.23, 0.25, 0.4, 0.44, 0.65, 0.76, 0.78, 0.81])
    heights = np.array([4, 5, 3, 4, 5, 4.2, 2.1, 4.3, 3.1, 5.1, 4.2])
    at, left, right = (2 * FUNCTIONS["bumps"].f(2 * (places + d) - 1) for d in (0, -1e-4, 1e-4))
    assert np.all(at > heights) and np.all(at < heights + 0.2)  # the neighbours' tails add
    assert np.all(at > left) and np.all(at > right)


def test_blocks_are_the_sums_of_the_published_jumps():
    _, y = function_data("blocks", samples=20001)
    levels = np.cumsum([0, 4, -5, 3, -4, 5, -4.2, 2.1, 4.3, -3.1, 2.1, -4.2])
    values, counts = np.unique((4 * y).round(9), return_counts=True)
    np.testing.assert_allclose(values[counts > 1], np.unique(levels.round(9)), atol=1e-9)


def test_piecewise_is_continuous():
    f = FUNCTIONS["piecewise"].f
    for joint in (-0.2, 0.0):
        below, above = f(np.array([joint - 1e-9, joint + 1e-9]))
        assert below == pytest.approx(above, abs=1e-7)


def test_triangle_has_four_teeth():
    _, y = function_data("triangle", samples=9)
    assert y.ravel().tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_sine_is_the_first_and_the_default():
    assert next(iter(FUNCTIONS)) == "sine"
    X, y = function_data()
    assert X.shape == y.shape == (1000, 1)
    np.testing.assert_array_equal(y, np.sin(2 * np.pi * X))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_ready_for_a_network(name):
    X, y = function_data(name, samples=1001)
    assert X.dtype == y.dtype == np.float64
    assert X.shape == y.shape == (1001, 1)
    assert X[0, 0] == -1 and X[500, 0] == 0 and X[-1, 0] == 1
    np.testing.assert_allclose(np.diff(X, axis=0), 2 / 1000, rtol=1e-12)
    assert np.isfinite(y).all()
    assert 0.2 < y.std() <= 1 and np.abs(y).max() < 3
    assert FUNCTIONS[name].name == name
    assert FUNCTIONS[name].formula.startswith("y = ") and FUNCTIONS[name].source
    assert (FUNCTIONS[name].formula + FUNCTIONS[name].source).isascii()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_value_does_not_depend_on_its_neighbours(name):
    X, y = function_data(name, samples=37)
    np.testing.assert_array_equal(FUNCTIONS[name].f(X[5:6]), y[5:6])
    np.testing.assert_array_equal(FUNCTIONS[name].f(X.ravel()), y.ravel())


def test_noise_is_a_function_of_its_seed():
    X, noisy = function_data("sine", noise=0.1, data_seed=3)
    again = function_data("sine", noise=0.1, data_seed=3)[1]
    other = function_data("sine", noise=0.1, data_seed=4)[1]
    np.testing.assert_array_equal(noisy, again)
    assert not np.any(noisy == other)
    np.testing.assert_array_equal(X, function_data("sine")[0])


def test_the_same_seed_gives_the_same_noise_at_any_scale_and_function():
    small = function_data("sine", noise=0.1)[1] - function_data("sine")[1]
    large = function_data("abs", noise=0.4)[1] - function_data("abs")[1]
    np.testing.assert_allclose(large, 4 * small, atol=1e-12)


def test_noise_has_the_standard_deviation_asked_for():
    n, sigma = 100_000, 0.3
    noise = function_data("runge", n, sigma)[1] - function_data("runge", n)[1]
    # Standard errors: sigma / sqrt(n) of the mean, sigma / sqrt(2 n) of the deviation.
    assert abs(noise.mean()) < 4 * sigma / np.sqrt(n)
    assert abs(noise.std() - sigma) < 4 * sigma / np.sqrt(2 * n)


def test_unknown_function():
    with pytest.raises(UsageError, match=r"function must be one of sine, square, .*, got 'sin'\."):
        function_data("sin")


def test_negative_noise():
    with pytest.raises(ValueError, match="scale < 0"):
        function_data(noise=-0.1)


def test_digits():
    X, labels = digits()
    assert X.shape == (1797, 64) and X.dtype == np.float64
    assert labels.shape == (1797,) and labels.dtype == np.int64
    assert X.min() == 0 and X.max() == 1
    np.testing.assert_array_equal(X * 16, np.round(X * 16))
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_first_digit_is_the_published_zero():
    X, labels = digits()
    assert labels[:10].tolist() == list(range(10))
    # The first line of optdigits.tes.
    first = """0 0 5 13 9 1 0 0   0 0 13 15 10 15 5 0   0 3 15 2 0 11 8 0   0 4 12 0 0 8 8 0
               0 5 8 0 0 9 8 0    0 4 11 0 1 12 7 0     0 2 14 5 10 12 0 0  0 0 6 13 10 0 0 0"""
    assert (X[0] * 16).tolist() == [float(p) for p in first.split()]


def test_digits_equal_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    pixels, labels = datasets.load_digits(return_X_y=True)
    X, ours = digits()
    np.testing.assert_array_equal(X, pixels / 16)
    np.testing.assert_array_equal(ours, labels)
