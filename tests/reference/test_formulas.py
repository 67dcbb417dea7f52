"""Activations, losses, optimisers and schedules against their derivatives and against PyTorch.

The stored numbers are of scripts/make_outside_methods.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from fastnet import reference
from fastnet.options import methods
from fastnet.options.methods import code
from fastnet.options.table import SETTINGS
from fastnet.reference.activations import ACTIVATIONS
from fastnet.reference.losses import LOSSES
from fastnet.reference.optimizers import OPTIMIZERS
from fastnet.reference.schedules import SCHEDULES

STORED = json.loads(Path(__file__).parents[1].joinpath("outside_methods.json").read_text())
# Two libraries in float64: a few units of 1e-16 a step, over 50 steps, and three digits to spare.
RTOL = 1e-12
# Central differences with a step of 1e-5 keep about 1e-10 of values near 1.
STEP, SLOPE_ATOL = 1e-5, 1e-8
SETTING = {"huber_delta": STORED["huber_delta"], "quantile": STORED["quantile"]}


# ---------------------------------------------------------------- activations


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_and_its_slope_are_those_of_torch(name):
    value, slope = ACTIVATIONS[name]
    z = np.array(STORED["activations"]["z"])
    h = value(z)
    # Where a unit is saturated 1 - h has lost its digits, as has PyTorch's gelu for z << 0.
    expected, tolerance = STORED["activations"][name], {"rtol": RTOL, "atol": 1e-15}
    np.testing.assert_allclose(h, expected["h"], **tolerance)
    np.testing.assert_allclose(slope(z, h), expected["slope"], **tolerance)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_slope_is_the_difference_quotient(rng, name):
    value, slope = ACTIVATIONS[name]
    z = rng.normal(0, 3, 200)
    z = z[np.abs(z) > STEP]  # kinks are at 0
    quotient = (value(z + STEP) - value(z - STEP)) / (2 * STEP)
    np.testing.assert_allclose(slope(z, value(z)), quotient, atol=SLOPE_ATOL)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activation_keeps_dtype_and_nan(name, dtype):
    value, slope = ACTIVATIONS[name]
    z = np.array([[-2, 0, np.nan, 50, -50]], dtype)
    h = value(z)
    assert h.dtype == dtype and slope(z, h).dtype == dtype
    assert np.isnan(h[0, 2]) and np.isfinite(h[0, [0, 1, 3, 4]]).all()
    assert np.isfinite(slope(z, h)[0, [0, 1, 3, 4]]).all()


# ---------------------------------------------------------------- losses


def stored_loss(name):
    case = STORED["losses"][name]
    return (np.array(case[part]) for part in ("z", "y", "loss", "slope"))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_and_its_slope_are_those_of_torch(name):
    z, y, expected, slope = stored_loss(name)
    losses, dz = LOSSES[name](z, y, SETTING)
    np.testing.assert_allclose(losses, expected, rtol=RTOL)
    np.testing.assert_allclose(dz, slope, rtol=RTOL, atol=1e-15)


@pytest.mark.parametrize("name", LOSSES)
def test_the_slope_of_a_loss_is_the_difference_quotient(name):
    z, y, _, _ = stored_loss(name)
    _, dz = LOSSES[name](z, y, SETTING)
    for j in range(z.shape[1]):
        above, below = z.copy(), z.copy()
        above[:, j] += STEP
        below[:, j] -= STEP
        quotient = LOSSES[name](above, y, SETTING)[0] - LOSSES[name](below, y, SETTING)[0]
        np.testing.assert_allclose(dz[:, j], quotient / (2 * STEP), atol=SLOPE_ATOL)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_float64_and_its_slope_of_the_dtype(name):
    z, y, expected, _ = stored_loss(name)
    losses, dz = LOSSES[name](z.astype("float32"), y.astype("float32"), SETTING)
    assert losses.dtype == "float64" and dz.dtype == "float32"
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["squared", "absolute", "huber", "log_cosh", "quantile"])
def test_no_error_is_no_loss_and_no_slope(name):
    losses, dz = LOSSES[name](np.ones((2, 3)), np.ones((2, 3)), SETTING)
    assert not losses.any() and not dz.any()


def test_log_cosh_keeps_the_digits_of_small_and_of_large_errors():
    e = np.array([[1e-8], [1e-3], [0.999999], [1.000001], [800.0]])
    losses, _ = LOSSES["log_cosh"](e, 0 * e, SETTING)
    exact = np.array([0.5e-16, 5e-7 - 1e-12 / 12, 0.43378006, 0.43378159, 800 - np.log(2)])
    np.testing.assert_allclose(losses, exact, rtol=1e-7)


def test_a_sure_binary_network_keeps_its_digits():
    z = np.array([[40.0], [-40.0], [800.0], [-800.0]])
    losses, _ = LOSSES["binary_cross_entropy"](z, np.array([[1.0], [0.0], [0.0], [1.0]]), SETTING)
    np.testing.assert_allclose(losses, [np.exp(-40), np.exp(-40), 800, 800], rtol=RTOL)


def test_counts_of_zero_have_a_poisson_loss():
    losses, dz = LOSSES["poisson"](np.zeros((1, 1)), np.zeros((1, 1)), SETTING)
    assert losses[0] == 1 and dz[0, 0] == 1
    losses, _ = LOSSES["poisson"](np.log([[3.0]]), np.array([[3.0]]), SETTING)
    np.testing.assert_allclose(losses, 0, atol=1e-15)


# ---------------------------------------------------------------- optimisers


def one_step(steps, worse=False, **numbers):
    """Setting, state and loss of a step; the numbers that are not given at their defaults."""
    setting = {name: option.default for name, option in SETTINGS.items()}
    setting = {name: value[0] if type(value) is tuple else value for name, value in setting.items()}
    setting |= numbers
    state = {"steps": steps, "step_loss": 1.0, "learning_rate": setting["learning_rate"]}
    return setting, state, 2.0 if worse else 0.5


def run_steps(name, gradients, start, **numbers):
    """The arrays after a step along each gradient."""
    update, count = OPTIMIZERS[name]
    ends = []
    for w, all_g in zip(start, gradients, strict=True):
        w = np.array(w)
        memory = [np.zeros_like(w) for _ in range(count)]
        for t, g in enumerate(all_g, 1):
            update(w, np.array(g), memory, *one_step(t, **numbers))
        ends.append(w)
    return ends


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fifty_steps_are_those_of_torch(name):
    case = dict(STORED["steps"][name])
    expected = case.pop("end")
    ends = run_steps(name, STORED["steps"]["gradients"], STORED["steps"]["start"], **case)
    for actual, wanted in zip(ends, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=RTOL)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_keep_float32(name):
    w, g = np.ones((2, 3), "float32"), np.ones((2, 3), "float32")
    update, count = OPTIMIZERS[name]
    memory = [np.zeros_like(w) for _ in range(count)]
    update(w, g, memory, *one_step(1, learning_rate=0.5))
    assert (w < 1).all() and all(m.dtype == "float32" for m in memory)


def test_rprop_takes_a_step_back_where_sign_and_loss_say_so():
    w, memory = np.zeros(2), [np.zeros(2), np.zeros(2)]
    rprop = OPTIMIZERS["rprop"].update
    rprop(w, np.array([1.0, 1.0]), memory, *one_step(1, learning_rate=0.1))
    np.testing.assert_allclose(w, [-0.1, -0.1])
    rprop(w, np.array([-1.0, 1.0]), memory, *one_step(2, True, learning_rate=0.1))
    np.testing.assert_allclose(w, [0.0, -0.22])  # back; and 1.2 times as far
    rprop(w, np.array([-1.0, 1.0]), memory, *one_step(3, True, learning_rate=0.1))
    np.testing.assert_allclose(w, [0.05, -0.364])  # a sign of 0 has not changed; half as far


# ---------------------------------------------------------------- schedules


@pytest.mark.parametrize("name", ["cosine", "step", "exponential"])
def test_a_schedule_is_that_of_torch(name):
    rate = STORED["schedules"]["learning_rate"]
    rates = [SCHEDULES[name](rate, STORED["schedules"], epoch, 40) for epoch in range(40)]
    np.testing.assert_allclose(rates, STORED["schedules"][name], rtol=RTOL)


def test_one_cycle_rises_and_falls():
    rates = np.array([reference.schedules.one_cycle(0.5, {}, epoch, 100) for epoch in range(101)])
    assert rates[0] == pytest.approx(0.5 * reference.schedules.START)
    assert rates.argmax() == 30 and rates.max() == 0.5
    assert (np.diff(rates[:31]) > 0).all() and (np.diff(rates[30:]) < 0).all()
    assert rates[100] == pytest.approx(0.5 * reference.schedules.END)


def course(name, **given):
    """The learning rates of ten epochs."""
    setting = {"min_learning_rate": 0.0, "warmup_epochs": 0, "max_epochs": 10, **given}
    setting["schedule"] = code(methods.SCHEDULES, name)
    return [reference.schedules.learning_rate(0.5, setting, epoch) for epoch in range(10)]


@pytest.mark.parametrize("name", ["plateau", "constant"])
def test_a_constant_rate_stays(name):
    assert course(name) == [0.5] * 10


def test_warm_up_comes_before_the_schedule():
    np.testing.assert_allclose(
        course("constant", warmup_epochs=3)[:5], [0.125, 0.25, 0.375, 0.5, 0.5]
    )
    later, whole = course("cosine", warmup_epochs=4), course("cosine", max_epochs=6)
    assert later[4:] == whole[:6]
    np.testing.assert_allclose(later[:4], [0.1, 0.2, 0.3, 0.4])


def test_the_rate_never_falls_below_the_least():
    rates = course("exponential", min_learning_rate=0.2, lr_factor=0.5, decay_epochs=2)
    assert rates[0] == 0.5 and rates[2] == 0.25 and set(rates[3:]) == {0.2}
