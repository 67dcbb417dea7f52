"""The elementary functions of vectors against NumPy in a longer type, and their edges.

A compiled function that only kernels call cannot be called from Python: over() makes one that
calls it on a whole array.
"""

import math

import numpy as np
import pytest
from nets import DTYPES, INTERPRETED, LIMIT, longer, spread_values, ulps

from fastnet.engine import elementary
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES, load, splat, sqrt, store

# In units of the last place, measured over a million values and rounded up; the interpreter, which
# rounds a * b + c twice, needs about half a unit more.
ULPS = {"log": 1.5, "expm1": 2.5, "log1p_below_one": 3.0}
# float32: the polynomial is off by 0.8 at most, with the roundings 2.0 are measured, 2.25 in the
# interpreter, which rounds a * b + c twice. float64: 0.88 and 1.15.
EXP_ULPS = {"float32": 2.5, "float64": 1.25}
# fdlibm promises 1 ulp; its last steps are taken in another order here.
LOG1P_ULPS = 2.0
# The tail's exponent a a / 2, up to 12.5 here, passes on its own rounding in the interpreter. In
# float64 math.erfc of the rounded a / sqrt(2) does so, too: the expected value is no better.
TAIL_ULPS = {"float32": 14.0 if INTERPRETED else 8.0, "float64": 40.0}
# sin and cos: in units of eps, as their values are up to 1 and cross 0 anywhere.
SIN_EPS = 2.0


def over(function, values, *more):
    """function(values, *more), lane by lane."""

    @compile_for_python
    def run(values, out):
        for i in range(0, values.size, LANES):
            store(out, i, function(load(values, i), *more))

    filled = np.ones(-(-values.size // LANES) * LANES, values.dtype)
    filled[: values.size] = values
    out = np.empty_like(filled)
    run(filled, out)
    return out[: values.size]


def around_zero(rng, low, high, dtype, count=4000):
    """Values over the whole range, and of every smaller size."""
    tiny = 10.0 ** rng.uniform(-30, 0, count)
    values = np.concatenate([rng.uniform(low, high, count), tiny, -tiny, [0.0, low, high]])
    return values[(values >= low) & (values <= high)].astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_is_exact_to_the_last_place(rng, dtype):
    for factor in (1.0, -1.0, -2.0):
        limit = LIMIT[dtype] / abs(factor)
        z = spread_values(rng, dtype, -limit, limit)
        exact = np.exp(factor * longer(z))
        assert ulps(over(elementary.exp, z, factor), exact) <= EXP_ULPS[dtype]
        assert over(elementary.exp, np.zeros(1, dtype), factor)[0] == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_beyond_its_range_is_its_ends_and_nan_is_nan(dtype):
    limit = LIMIT[dtype]
    z = np.array([-limit, -1e30, -np.inf, limit, 1e30, np.inf, np.nan], dtype)
    result = over(elementary.exp, z, 1.0)
    assert (result[:3] == result[0]).all() and 0 < result[0] < 1e-37
    assert (result[3:6] == result[3]).all() and 1e37 < result[3] < np.inf
    assert np.isnan(result[6])


def test_log1p_is_exact_to_two_places(rng):
    x = np.concatenate([10.0 ** rng.uniform(-300, 300, 4000), rng.uniform(0, 10, 4000), [0.0]])
    result = over(elementary.log1p, x)
    assert ulps(result, np.log1p(longer(x))) <= LOG1P_ULPS
    assert result[-1] == 0
    assert np.isnan(over(elementary.log1p, np.array([np.nan]))).all()


def test_log(rng):
    x = np.concatenate([10.0 ** rng.uniform(-300, 300, 4000), rng.uniform(0.5, 2, 4000), [1.0]])
    result = over(elementary.log, x)
    assert ulps(result, np.log(longer(x))) <= ULPS["log"]
    assert result[-1] == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_expm1(rng, dtype):
    z = around_zero(rng, -90.0, 1.0, dtype)
    assert ulps(over(elementary.expm1, z), np.expm1(longer(z))) <= ULPS["expm1"]
    ends = over(elementary.expm1, np.array([-1e30, -np.inf, np.nan], dtype))
    np.testing.assert_array_equal(ends, [-1, -1, np.nan])


@pytest.mark.parametrize("dtype", DTYPES)
def test_log1p_below_one(rng, dtype):
    q = around_zero(rng, 0.0, 1.0, dtype)
    result = over(elementary.log1p_below_one, q)
    assert ulps(result, np.log1p(longer(q))) <= ULPS["log1p_below_one"]
    assert np.isnan(over(elementary.log1p_below_one, np.array([np.nan], dtype))[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_tail(rng, dtype):
    a = around_zero(rng, 0.0, 5.0, dtype)
    exact = np.array([math.erfc(v / math.sqrt(2)) / 2 for v in a.tolist()])
    assert ulps(over(elementary.normal_tail, a), exact) <= TAIL_ULPS[dtype]
    far = over(elementary.normal_tail, np.array([13, 40, 1e30, np.inf, np.nan], dtype))
    assert (far[:4] >= 0).all() and (far[:4] < 1e-36).all() and np.isnan(far[4])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("quarters, exact", [(0.0, np.sin), (0.5, np.cos)])
def test_sin_and_cos(rng, dtype, quarters, exact):
    z = around_zero(rng, -100.0, 100.0, dtype)
    result = over(elementary.sin, z, quarters)
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(result, exact(longer(z)), rtol=0, atol=SIN_EPS * eps)
    near = np.abs(z) < 1.5
    np.testing.assert_allclose(
        over(elementary.sin, z[near], 0.0), np.sin(longer(z[near])), rtol=SIN_EPS * eps
    )
    far = over(elementary.sin, np.array([1e4, 1e30, -np.inf, np.inf, np.nan], dtype), quarters)
    assert (np.abs(far[:4]) <= 1 + eps).all() and np.isnan(far[4])


def test_magnitude_and_sign():
    values = np.array([-2.0, 3.0, 0.0, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(over(elementary.magnitude, values), np.abs(values))
    np.testing.assert_array_equal(over(elementary.sign, values), np.sign(values))


def test_sqrt():
    values = np.array([0.0, 2.0, 1e-300, np.inf, np.nan])
    np.testing.assert_array_equal(over(sqrt, values), np.sqrt(values))


@compile_for_python
def run_quotient(values, by, out):
    whole = splat(values, by)
    inverse = 1.0 / whole
    for i in range(0, values.size, LANES):
        store(out, i, elementary.quotient(load(values, i), whole, inverse))


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotient_is_that_of_a_division(rng, dtype):
    """To the bit where a * b + c rounds once, as in compiled code; what is not finite stays so."""
    for by in (0.1, 1 - 0.999, 1 - 0.9**7, 1 / 3, 1.0):
        size = 16000
        values = (rng.normal(size=size) * 10.0 ** rng.uniform(-12, 6, size)).astype(dtype)
        values[:3] = np.inf, -np.inf, np.nan
        out = np.empty_like(values)
        run_quotient(values, by, out)
        wanted = values / np.dtype(dtype).type(by)
        if INTERPRETED:
            np.testing.assert_array_max_ulp(out[3:], wanted[3:], 1)
        else:
            np.testing.assert_array_equal(out, wanted)
