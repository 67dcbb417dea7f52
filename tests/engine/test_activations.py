"""The activations of the two tasks over the whole range of their argument, and their slopes.

test_methods.py has all activations against their formulas.
"""

import numpy as np
import pytest
from nets import DTYPES, EPS, LIMIT, SOME_ACTIVATIONS, applied, longer, spread_values

from fastnet import reference
from fastnet.engine.activations import ACTIVATIONS
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES, load, store

# Times eps, relative: half a unit each for a, b, a + b and the quotient; 1.42 is measured. And z
# is rounded once more, as z log2(e), by half a unit, log2(e) itself by another 0.11 (float64
# 0.09): an error of z, which the slope of the function carries on.
SIGMOID_EPS, ARGUMENT_EPS = 2.0, 0.625
# (a - b) / (a + b), times eps, absolute: 1.21 is measured.
TANH_EPS = 1.5


@compile_for_python
def activate_all(activation, z, out):
    for i in range(0, z.size, LANES):
        store(out, i, activation.value(load(z, i)))


@compile_for_python
def slope_all(activation, h, out):
    for i in range(0, h.size, LANES):
        store(out, i, activation.slope(load(h, i), load(h, i)))


def values_of_all_exponents(rng, dtype, largest):
    """Of either sign, from 1e-36 to `largest`, eight to a doubling, and at random."""
    powers = 2.0 ** np.arange(-120, np.log2(largest), 0.125)
    return np.concatenate([powers, -powers, spread_values(rng, dtype, -80, 80)]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_over_all_exponents(rng, dtype):
    """Relative to its value, in the tail too."""
    z = values_of_all_exponents(rng, dtype, LIMIT[dtype] - 1)
    wide = longer(z)
    exact, carried = 1 / (1 + np.exp(-wide)), np.abs(wide) / (1 + np.exp(wide))
    bound = (SIGMOID_EPS + ARGUMENT_EPS * carried) * EPS[dtype]
    result = applied(activate_all, z, ACTIVATIONS["sigmoid"])
    assert (np.abs(result - exact) <= bound * exact).all()
    np.testing.assert_allclose(reference.activations.sigmoid(z), exact, rtol=4 * EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_over_all_exponents(rng, dtype):
    z = values_of_all_exponents(rng, dtype, LIMIT[dtype])
    exact, bound = np.tanh(longer(z)), TANH_EPS * EPS[dtype]
    for result in applied(activate_all, z, ACTIVATIONS["tanh"]), reference.activations.tanh(z):
        np.testing.assert_allclose(result, exact, rtol=0, atol=bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["relu", "identity"])
def test_relu_and_identity_do_not_round(rng, dtype, name):
    z = spread_values(rng, dtype, -30, 30)
    expected = np.maximum(z, 0) if name == "relu" else z
    np.testing.assert_array_equal(applied(activate_all, z, ACTIVATIONS[name]), expected)
    np.testing.assert_array_equal(reference.activations.ACTIVATIONS[name].value(z), expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", SOME_ACTIVATIONS)
def test_slope_is_the_reference_to_the_bit(rng, dtype, activation):
    twin = reference.activations.ACTIVATIONS[activation]
    h = twin.value(spread_values(rng, dtype, -30, 30))
    result = applied(slope_all, h, ACTIVATIONS[activation])
    np.testing.assert_array_equal(result, twin.slope(h, h))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", SOME_ACTIVATIONS)
def test_nan_and_infinity_come_through_every_activation(dtype, activation):
    row, z = ACTIVATIONS[activation], np.array([np.nan, np.inf, -np.inf], dtype)
    with np.errstate(all="ignore"):
        limits = reference.activations.ACTIVATIONS[activation].value(z)
    result = applied(activate_all, z, row)
    # The ends of exp stand for infinity: sigmoid's lower limit is 1e-38, not 0.
    np.testing.assert_allclose(result, limits, rtol=EPS[dtype], atol=1e-37)
    assert np.isnan(result[0])
    assert np.isnan(applied(slope_all, z[:1], row)).all()
