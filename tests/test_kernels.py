"""Every kernel against its plain twin in reference.py, alone and in whole trainings.

With NUMBA_DISABLE_JIT=1 the same tests run in the interpreter, with fewer and smaller cases,
and show that they reach every line of network.py, kernels.py and reference.py.

A compiled kernel that only kernels call cannot be called from Python: the functions marked
`whole` below call it for the tests, on whole arrays.
"""

import itertools
from typing import NamedTuple

import numba
import numpy as np
import pytest

from fastnet import engine, reference
from fastnet.data import samples as data
from fastnet.data import tasks
from fastnet.engine import (
    batches,
    decisions,
    elementary,
    init,
    kernels,
    layout,
    losses,
    network,
    optimizers,
    records,
)
from fastnet.engine.activations import ACTIVATIONS
from fastnet.engine.losses import LOSSES
from fastnet.native import compile as compiler
from fastnet.native import intrinsics as simd
from fastnet.native.choice import table
from fastnet.native.compile import compile_for_python
from fastnet.native.entry import inner
from fastnet.native.vector import LANES, load, store, sum_lanes_each, transpose
from fastnet.options import methods
from fastnet.options import table as options
from fastnet.training import training as trainer
from fastnet.training.plan import make_plan

INTERPRETED = bool(numba.config.DISABLE_JIT)
DTYPES = ("float32", "float64")
EPS = {name: float(np.finfo(name).eps) for name in DTYPES}

# float32: the polynomial is off by 0.8 at most, with the roundings 2.0 are measured, 2.25 in the
# interpreter, which rounds a * b + c twice. float64: 0.88 and 1.15.
EXP_ULPS = {"float32": 2.5, "float64": 1.25}
# fdlibm promises 1 ulp; its last steps are taken in another order here.
LOG1P_ULPS = 2.0
# Times eps, relative: half a unit each for a, b, a + b and the quotient; 1.42 is measured. And z
# is rounded once more, as z log2(e), by half a unit, log2(e) itself by another 0.11 (float64
# 0.09): an error of z, which the slope of the function carries on.
SIGMOID_EPS, ARGUMENT_EPS = 2.0, 0.625
# (a - b) / (a + b), times eps, absolute: 1.21 is measured.
TANH_EPS = 1.5
# Two orders of the same sum. float64: hundreds of terms of 1e-16, and four digits to spare.
# float32: sums of a hundred terms with 6e-8 each, which cancel in part; 5e-7 measured.
SUM_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
# Whole trainings: each step passes on the rounding of those before, and a float32 reference has
# roundings of its own; 7e-7 and 4e-15 measured. Unstable learning rates would amplify them.
TRAINING_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
# What docs/reproducibility.md and the README promise of a reported loss: relative, absolute.
HONEST = {"float32": (1e-6, 1e-7), "float64": (1e-12, 0.0)}
# A float32 loss made of up to ten exponentials, each with an error of two units or less.
CONFIDENT_RTOL = 4 * EPS["float32"]
# The length of a clipped step, the square root of a sum of rounded squares.
STEP_RTOL = 1e-5
# What ten steps of length 1e-12 change in a loss, with two digits to spare.
STILL_RTOL = 1e-9


@pytest.fixture(autouse=True)
def silent_in_the_interpreter():
    """Compiled code overflows without a word; NumPy, where it stands in for it, warns."""
    with np.errstate(all="ignore" if INTERPRETED else None):
        yield


# ---------------------------------------------------------------- helpers


class Member(NamedTuple):
    """One network and its samples, as the reference and as the kernels take them."""

    net: reference.network.Net
    samples: reference.network.Rows
    problem: layout.Problem
    flat: np.ndarray  # the net from START on; NaN before and behind
    scratch: layout.Scratch  # full of NaN: nothing in it may matter

    @property
    def shape(self):
        """d, k, N1."""
        return self.problem.d, self.problem.k, len(self.net.b1)

    def kernel_net(self, activation):
        """The network as kernels take it."""
        d, k, n1 = self.shape
        layers = network.layers(d, k)
        return layout.Net(self.flat, START, n1, d, k, ACTIVATIONS[activation], *layers)


# Those of the two tasks, and of either a few more: test_methods.py has all of them.
SOME_ACTIVATIONS = ("sigmoid", "tanh", "relu", "identity")
SOME_LOSSES = ("squared", "cross_entropy")
SIGMOID = ACTIVATIONS["sigmoid"]
LAYERS = network.layers(3, 2)
SETTING = {"huber_delta": 1.0, "quantile": 0.5}  # of losses that have none of it
START = 2 * LANES  # where the tests put a member's parameters


def shapes_of(d, k, n1):
    return (n1, d), (n1,), (k, n1), (k,)


def random_net(rng, dtype, d, k, n1):
    """Weights of the size that keeps activations and logits near 1."""
    W1, b1, W2, b2 = (rng.normal(size=shape) for shape in shapes_of(d, k, n1))
    net = W1 / np.sqrt(d), b1, W2 / np.sqrt(n1), b2
    return reference.network.Net(*(array.astype(dtype) for array in net))


def random_samples(rng, dtype, loss, d, k, n):
    X = rng.uniform(-1, 1, (n, d))
    Y = rng.normal(size=(n, k)) if loss == "squared" else np.eye(k)[rng.integers(0, k, n)]
    return reference.network.rows(X, Y, dtype, rng.uniform(0.1, 2, n))


def flatten(net):
    """The net as kernels hold it, in an array that is NaN outside its run."""
    n1, d = net.W1.shape
    k = len(net.b2)
    length = layout.parameter_length(n1, d, k)
    flat = np.full(length + START + LANES, np.nan, net.W1.dtype)
    flat[START : START + length] = 0
    for run, array in zip(layout.views(flat, START, n1, d, k), net):
        run[...] = array
    return flat


def dirty_scratch(problem, n1, batch_size, dtype):
    """Scratch as a diverged member leaves it."""
    scratch = layout.scratch(problem, n1, batch_size, dtype)
    for array in (*scratch[:6], *scratch.batch[:5]):
        array[...] = np.nan
    return scratch


def make_problem(loss, samples):
    d, k, dtype = samples.X.shape[1], samples.Y.shape[1], samples.X.dtype
    rows = layout.rows(samples.X, samples.Y, dtype, samples.weight[None])
    none = layout.no_rows(d, k, dtype)
    return layout.Problem(d, k, LOSSES[loss], rows, none, *network.layers(d, k))


def make_member(net, samples, loss):
    problem = make_problem(loss, samples)
    scratch = dirty_scratch(problem, len(net.b1), 0, net.W1.dtype)
    return Member(net, samples, problem, flatten(net), scratch)


def random_member(rng, dtype, loss, d, k, n1, n):
    net = random_net(rng, dtype, d, k, n1)
    return make_member(net, random_samples(rng, dtype, loss, d, k, n), loss)


def in_float64(arrays):
    """A Net or Rows in float64: the reference then adds no rounding of its own."""
    return type(arrays)(*(array.astype(np.float64) for array in arrays))


def assert_close(actual, expected, tolerance, what=""):
    """Equal to `tolerance` of the largest element: terms of either sign cancel in a sum."""
    largest = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * largest, err_msg=what)


def ulps(actual, exact):
    """The largest error in units of the last place of `actual`'s dtype."""
    unit = np.spacing(np.abs(exact).astype(actual.dtype))
    return float((np.abs(actual - exact) / unit).max())


def more_precise(z):
    """z in a type whose own rounding does not show in ulps of z's."""
    return z.astype(np.float64 if z.dtype == np.float32 else np.longdouble)


def panels_of(flat, n, count):
    """(n, count) from panels (panels, count, L)."""
    return flat.reshape(-1, count, LANES).transpose(0, 2, 1).reshape(-1, count)[:n]


# ---------------------------------------------------------------- elementary functions


@compile_for_python
def exp_all(factor, z, out):
    for i in range(0, z.size, LANES):
        store(out, i, elementary.exp(load(z, i), factor))


@compile_for_python
def log1p_all(x, out):
    for i in range(0, x.size, LANES):
        store(out, i, elementary.log1p(load(x, i)))


@compile_for_python
def activate_all(activation, z, out):
    for i in range(0, z.size, LANES):
        store(out, i, activation.value(load(z, i)))


@compile_for_python
def slope_all(activation, h, out):
    for i in range(0, h.size, LANES):
        store(out, i, activation.slope(load(h, i), load(h, i)))


def applied(function, values, *before):
    """function(*before, values, out), the values filled up to whole vectors; returns out."""
    filled = np.zeros(layout.padded(values.size), values.dtype)
    filled[: values.size] = values
    out = np.empty_like(filled)
    function(*before, filled, out)
    return out[: values.size]


def spread_values(rng, dtype, low, high, count=4000):
    """Values over the whole range, many near 0, its ends and 0 itself."""
    wide, near = rng.uniform(low, high, count), rng.normal(size=count)
    tiny = 10.0 ** rng.uniform(-30, 0, count)
    return np.concatenate([wide, near, tiny, -tiny, [low, high, 0.0, -0.0]]).astype(dtype)


LIMIT = {"float32": 87.0, "float64": 708.0}


def values_of_all_exponents(rng, dtype, largest):
    """Of either sign, from 1e-36 to `largest`, eight to a doubling, and at random."""
    powers = 2.0 ** np.arange(-120, np.log2(largest), 0.125)
    return np.concatenate([powers, -powers, spread_values(rng, dtype, -80, 80)]).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_is_exact_to_the_last_place(rng, dtype):
    for factor in (1.0, -1.0, -2.0):
        limit = LIMIT[dtype] / abs(factor)
        z = spread_values(rng, dtype, -limit, limit)
        exact = np.exp(factor * more_precise(z))
        assert ulps(applied(exp_all, z, factor), exact) <= EXP_ULPS[dtype]
        assert applied(exp_all, np.zeros(1, dtype), factor)[0] == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_exp_beyond_its_range_is_its_ends_and_nan_is_nan(dtype):
    limit = LIMIT[dtype]
    z = np.array([-limit, -1e30, -np.inf, limit, 1e30, np.inf, np.nan], dtype)
    result = applied(exp_all, z, 1.0)
    assert (result[:3] == result[0]).all() and 0 < result[0] < 1e-37
    assert (result[3:6] == result[3]).all() and 1e37 < result[3] < np.inf
    assert np.isnan(result[6])


def test_log1p_is_exact_to_two_places(rng):
    x = np.concatenate([10.0 ** rng.uniform(-300, 300, 4000), rng.uniform(0, 10, 4000), [0.0]])
    result = applied(log1p_all, x)
    assert ulps(result, np.log1p(more_precise(x))) <= LOG1P_ULPS
    assert result[-1] == 0
    assert np.isnan(applied(log1p_all, np.array([np.nan]))).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_sigmoid_over_all_exponents(rng, dtype):
    """Relative to its value, in the tail too."""
    z = values_of_all_exponents(rng, dtype, LIMIT[dtype] - 1)
    wide = more_precise(z)
    exact, carried = 1 / (1 + np.exp(-wide)), np.abs(wide) / (1 + np.exp(wide))
    bound = (SIGMOID_EPS + ARGUMENT_EPS * carried) * EPS[dtype]
    result = applied(activate_all, z, ACTIVATIONS["sigmoid"])
    assert (np.abs(result - exact) <= bound * exact).all()
    np.testing.assert_allclose(reference.activations.sigmoid(z), exact, rtol=4 * EPS[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_over_all_exponents(rng, dtype):
    z = values_of_all_exponents(rng, dtype, LIMIT[dtype])
    exact, bound = np.tanh(more_precise(z)), TANH_EPS * EPS[dtype]
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


# ---------------------------------------------------------------- sizes


def test_sizes_are_whole_vectors():
    counts = np.arange(1, 200)
    padded = np.array([layout.padded(int(c)) for c in counts])
    assert (padded % LANES == 0).all() and (padded >= counts).all()
    assert (padded - counts < LANES).all()
    narrow, wide = layout.WIDE - 1, layout.WIDE
    assert layout.columns(narrow) == narrow * LANES
    assert layout.columns(wide) == LANES
    assert layout.parameter_length(3, 2, 4) == 32  # 3 * (2 + 1 + 4) + 4 = 25


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 20])
def test_vectors_lie_on_cache_lines(rng, dtype, d):
    """All but what has one number; NumPy's own arrays lie 16 bytes behind one."""
    member = random_member(rng, dtype, "cross_entropy", d, 10, 5, 40)
    for place in (
        member.scratch,
        member.scratch.batch,
        member.scratch.solver,
        member.problem.train,
    ):
        for name, array in place._asdict().items():
            if isinstance(array, np.ndarray) and array.size >= LANES and name != "order":
                assert array.ctypes.data % 64 == 0, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "c"), [(1, 8), (17, 20), (32, 64)])
def test_rows_side_by_side(rng, dtype, n, c):
    values = rng.normal(size=(n, c))
    filled = np.zeros((layout.padded(n), layout.padded(c)), dtype)
    filled[:n, :c] = values
    found = layout.side_by_side(values, dtype).reshape(-1, layout.padded(n), LANES)
    np.testing.assert_array_equal(np.concatenate(list(found), axis=1), filled)


def test_a_block_fits_the_cache_and_rows_do_not_collide():
    for n1 in (1, 16, 255, 256, 257, 600, 8192, 65536):
        panels, stride = layout.block_panels(n1), layout.block_stride(n1)
        assert 1 <= panels <= layout.BLOCK_PANELS
        assert panels == 1 or panels * n1 * LANES <= layout.BLOCK_VALUES
        assert stride >= panels * LANES and stride // LANES % 2 == 1


@compile_for_python
def kept_all(epochs, out):
    for i in range(epochs.size):
        out[i] = decisions.is_kept(epochs[i])


def test_kept_thins_histories_as_the_reference_does():
    epochs = np.concatenate([np.arange(9000), [10**6, 10**6 + 1, 2**30]])
    result = np.empty(epochs.size, bool)
    kept_all(epochs, result)
    expected = [reference.decisions.is_kept(int(e)) for e in epochs]
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal([decisions.is_kept(int(e)) for e in epochs], expected)
    dense = records.DENSE_EPOCHS
    assert dense == reference.records.DENSE_EPOCHS and result[: dense + 1].all()
    assert result[dense + 1 : 2 * dense + 1].sum() == dense // 2


def test_tables_have_a_row_for_every_name_of_the_options():
    named = {
        "activation": set(methods.ACTIVATIONS),
        "loss": set(methods.LOSSES),
        "optimizer": set(methods.OPTIMIZERS),
        "optimizer in batches": set(methods.FIRST_ORDER),
    }
    for backend in engine.methods, reference.methods:
        assert {title: set(rows) for title, rows in backend.CHOICES.items()} == named
    for backend in engine.records, reference.records:
        reasons = [name for name in methods.STOPS if hasattr(backend, name.upper())]
        assert [getattr(backend, n.upper()) for n in reasons] == list(range(len(reasons)))
        assert "converged" in reasons


# ---------------------------------------------------------------- choices

FRUIT = table("fruit", apple={"weight": lambda: 1.0}, pear={"weight": inner(lambda: 2.0)})


@compile_for_python
def run_choice(fruit):
    return fruit.weight()


def test_a_choice_calls_its_own_function():
    assert run_choice(FRUIT["pear"]) == 2.0
    assert repr(FRUIT["pear"]) == "<fruit pear>"


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_a_choice_is_one_type_by_name():
    pear = numba.typeof(FRUIT["pear"])
    assert pear == numba.typeof(FRUIT["pear"]) != numba.typeof(FRUIT["apple"])
    assert run_choice(FRUIT["pear"]) == 2.0 and len(run_choice.signatures) == 1


@inner
def plus(a, b):
    return a + b


@compile_for_python
def sums_with_constants(a):
    return plus(a, 1) + plus(a, 2)


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_a_kernel_is_not_compiled_anew_for_each_constant():
    assert sums_with_constants(3) == 9
    assert len(compiler.COMPILED[plus].signatures) == 1


# ---------------------------------------------------------------- products


@compile_for_python
def run_product(rows, a, a_row, depth, b, c, overwrite):
    network.product(rows, a, 0, a_row, 1, depth, b, 0, LANES, c, 0, LANES, overwrite)


@compile_for_python
def run_lane_products(a, panels, b, count, sums, overwrite):
    network.lane_products(a, 0, panels, b, 0, count, sums, 0, overwrite)


@compile_for_python
def run_totals(array, out):
    for i in range(0, out.size, LANES):
        store(out, i, sum_lanes_each(array, i * LANES))


@compile_for_python
def run_transpose(array, step, out):
    transpose(array, 0, step, out, 0, LANES)


@pytest.mark.parametrize("dtype", DTYPES)
def test_totals_are_the_totals_of_the_vectors(rng, dtype):
    """To the bit: how many vectors are summed at once must not show."""
    array = rng.normal(size=2 * LANES * LANES).astype(dtype)
    out, halves = np.empty(2 * LANES, dtype), array.reshape(-1, LANES)
    run_totals(array, out)
    while halves.shape[1] > 1:
        halves = halves[:, : halves.shape[1] // 2] + halves[:, halves.shape[1] // 2 :]
    np.testing.assert_array_equal(out, halves[:, 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_transpose_exchanges_rows_and_columns(dtype):
    step = LANES + 3
    array, out = np.arange(LANES * step).astype(dtype), np.empty(LANES * LANES, dtype)
    run_transpose(array, step, out)
    wanted = array.reshape(LANES, step)[:, :LANES].T
    np.testing.assert_array_equal(out.reshape(LANES, LANES), wanted)


def test_tiles_fit_the_registers(monkeypatch):
    """The rule, for AVX-512, AVX2 and NEON; compiled kernels are only right on this processor."""
    shapes = {(32, 1): 12, (16, 2): 6, (16, 4): 2, (32, 4): 6, (32, 8): 2, (16, 8): 2}
    for shape, rows in shapes.items():
        monkeypatch.setattr(simd, "registers", lambda bits, shape=shape: shape)
        assert simd.tile_rows.__wrapped__(32) == rows


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 3, 4, 7, 8, 13, 16])
def test_product_adds_a_matrix_product(rng, dtype, rows):
    depth = 5
    a, b = (rng.normal(size=s).astype(dtype) for s in ((rows, depth), (depth, LANES)))
    c = rng.normal(size=(rows, LANES)).astype(dtype)
    result = c.copy()
    run_product(rows, a.ravel(), depth, depth, b.ravel(), result.reshape(-1), False)
    assert_close(result, c.astype(float) + a.astype(float) @ b, SUM_TOLERANCE[dtype])
    result[0, 0] = np.nan  # as what an earlier member may have left
    run_product(rows, a.ravel(), depth, depth, b.ravel(), result.reshape(-1), True)
    assert_close(result, a.astype(float) @ b, SUM_TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("panels", [1, 2, 3, 4, 5, 10, 15])
def test_lane_products(rng, dtype, panels):
    count = 3
    a, b = rng.normal(size=(panels, 1, LANES)), rng.normal(size=(panels, count, LANES))
    a, b, before = a.astype(dtype), b.astype(dtype), np.ones((count, LANES), dtype)
    sums, wanted = before.copy(), (a.astype(float) * b).sum(axis=0)
    run_lane_products(a.ravel(), panels, b.ravel(), count, sums.reshape(-1), False)
    assert_close(sums, wanted + before, SUM_TOLERANCE[dtype])
    sums[:] = np.nan
    run_lane_products(a.ravel(), panels, b.ravel(), count, sums.reshape(-1), True)
    assert_close(sums, wanted, SUM_TOLERANCE[dtype])


# ---------------------------------------------------------------- forward, loss, gradient


@compile_for_python
def run_forward(net, rows, panels, scratch):
    network.forward(net, rows.x, 0, panels, scratch.hidden, scratch.output)


@compile_for_python
def run_loss_and_gradient(net, loss, l2, rows, scratch):
    return network.loss_and_gradient(net, loss, l2, rows, scratch)


@compile_for_python
def run_mean_loss(net, loss, rows, scratch):
    return network.mean_loss(net, loss, rows, scratch)


def loss_and_gradient(member, activation, l2=0.0):
    """Loss, gradient as a Net, and norm, by the kernel."""
    d, k, n1 = member.shape
    loss, rows = losses.Loss(member.problem.loss, **SETTING), member.problem.train
    net = member.kernel_net(activation)
    mean, norm = run_loss_and_gradient(net, loss, l2, rows, member.scratch)
    return mean, reference.network.Net(*layout.views(member.scratch.gradient, 0, n1, d, k)), norm


def mean_loss(member, activation):
    loss, rows = losses.Loss(member.problem.loss, **SETTING), member.problem.train
    return run_mean_loss(member.kernel_net(activation), loss, rows, member.scratch)


def assert_equals_reference(member, activation, l2=0.0):
    """Loss, gradient and norm of the kernel are the reference's, which computes in float64."""
    tolerance = SUM_TOLERANCE[str(member.flat.dtype)]
    what = f"d, k, N1 = {member.shape}, {member.samples.count} samples"
    before = member.flat.copy()
    mean, gradient, norm = loss_and_gradient(member, activation, l2)
    twin = reference.losses.LOSSES[member.problem.loss.name]
    expected_mean, expected, expected_norm = reference.network.loss_and_gradient(
        in_float64(member.net),
        reference.activations.ACTIVATIONS[activation],
        reference.losses.own_loss(member.problem._replace(loss=twin), SETTING),
        l2,
        in_float64(member.samples),
    )
    assert mean == pytest.approx(expected_mean, rel=tolerance), what
    assert norm == pytest.approx(expected_norm, rel=tolerance), what
    assert mean_loss(member, activation) == mean, what
    # Of the norm: with N1 = 1 all of an array can be what is left after terms cancel.
    for name, actual, wanted in zip(reference.network.Net._fields, gradient, expected):
        np.testing.assert_allclose(
            actual, wanted, rtol=0, atol=tolerance * expected_norm, err_msg=f"{name}, {what}"
        )
    np.testing.assert_array_equal(member.flat, before)


INPUTS = (1, 2, 7, 8, 9, 64)
OUTPUTS = {"squared": (1, 2, 3, 8, 10), "cross_entropy": (2, 3, 8, 10)}
WIDTHS = (1, 5, 16, 33)
SAMPLES = 37  # two panels and five rows
# Many panels; many panels and inputs and outputs; so wide that 12 panels are a block.
SEVERAL_BLOCKS = ((1, 3, 2, 530), (9, 10, 3, 530), (2, 3, 650, 250))


@pytest.mark.parametrize(
    "dtype, loss, d",
    [
        *(("float64", "squared", d) for d in INPUTS),
        *(("float64", "cross_entropy", d) for d in (2, 64)),
        ("float32", "squared", 1),
        ("float32", "squared", 64),
        ("float32", "cross_entropy", 64),
    ],
)
def test_loss_and_gradient_are_the_reference(rng, dtype, loss, d):
    """One compilation a dtype, a loss and one, few or many inputs and outputs."""
    widths = WIDTHS[:2] if INTERPRETED else WIDTHS
    for k, n1 in itertools.product(OUTPUTS[loss], widths):
        assert_equals_reference(random_member(rng, dtype, loss, d, k, n1, SAMPLES), "sigmoid")


@pytest.mark.parametrize("activation", SOME_ACTIVATIONS)
@pytest.mark.parametrize("n1", WIDTHS)
def test_loss_and_gradient_of_every_activation(rng, activation, n1):
    member = random_member(rng, "float64", "squared", 9, 10, n1, SAMPLES)
    assert_equals_reference(member, activation)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 32])
def test_any_number_of_samples(rng, n):
    assert_equals_reference(random_member(rng, "float64", "squared", 9, 3, 5, n), "sigmoid")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", SOME_LOSSES)
@pytest.mark.parametrize("d, k, n1, n", SEVERAL_BLOCKS)
def test_sums_over_several_blocks(rng, dtype, loss, d, k, n1, n):
    assert n > layout.block_panels(n1) * LANES
    assert_equals_reference(random_member(rng, dtype, loss, d, k, n1, n), "sigmoid")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", SOME_LOSSES)
@pytest.mark.parametrize("d, k", [(2, 3), (9, 10)])
def test_l2_penalty_acts_on_the_gradient_of_the_weights_alone(rng, dtype, loss, d, k):
    member, l2 = random_member(rng, dtype, loss, d, k, 5, SAMPLES), 0.5
    assert_equals_reference(member, "sigmoid", l2)
    _, gradient, _ = loss_and_gradient(member, "sigmoid")
    plain = [array.copy() for array in gradient]
    _, gradient, _ = loss_and_gradient(member, "sigmoid", l2)
    penalties = [after - before for after, before in zip(gradient, plain)]
    for penalty, wanted in zip(penalties, (l2 * member.net.W1, 0, l2 * member.net.W2, 0)):
        np.testing.assert_allclose(penalty, np.broadcast_to(wanted, penalty.shape), atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d, k", [(1, 1), (9, 10)])
def test_forward_leaves_activations_and_outputs(rng, dtype, d, k):
    n1, n = 5, SAMPLES
    member = random_member(rng, dtype, "squared", d, k, n1, n)
    count = layout.padded(n) // LANES
    run_forward(member.kernel_net("sigmoid"), member.problem.train, count, member.scratch)
    net, X = in_float64(member.net), in_float64(member.samples).X
    H, Z2 = reference.network.forward(net, reference.activations.ACTIVATIONS["sigmoid"], X)
    used = member.scratch.hidden[: n1 * layout.block_stride(n1)].reshape(n1, -1)
    assert_close(used[:, :n].T, H, SUM_TOLERANCE[dtype])
    outputs = member.scratch.output[: count * k * LANES]
    assert_close(panels_of(outputs, n, k), Z2, SUM_TOLERANCE[dtype])


@compile_for_python
def run_mean_gradient(net, l2, count, scratch):
    network.mean_gradient(net, l2, count, scratch)


@pytest.mark.parametrize("d, k", [(3, 2), (9, 10)])
def test_mean_gradient_divides_the_sums(rng, d, k):
    n1, count, l2 = 5, 7, 0.25
    member = random_member(rng, "float64", "squared", d, k, n1, 3)
    sums = random_net(rng, "float64", d, k, n1)
    place = 0
    for array in (sums.W1, sums.b1[:, None], sums.W2.T, sums.b2[:, None]):
        units, columns = array.shape
        length = units * layout.columns(columns)
        to = member.scratch.sums[place : place + length]
        if columns >= layout.WIDE:
            to.reshape(units, -1)[:, :columns] = array
        else:  # any lanes with that total
            lanes = to.reshape(units, columns, LANES)
            lanes[...] = rng.normal(size=lanes.shape)
            lanes[..., 0] += array - lanes.sum(axis=2)
        place += length
    assert place == layout.sums_length(n1, d, k)
    run_mean_gradient(member.kernel_net("sigmoid"), l2, count, member.scratch)
    expected = reference.network.mean_gradient(member.net, sums, l2, count)
    views = layout.views(member.scratch.gradient, 0, n1, d, k)
    for actual, wanted in zip(views, expected):
        assert_close(actual, wanted, SUM_TOLERANCE["float64"])
    assert not member.scratch.gradient[n1 * (d + 1 + k) + k :].any()


@pytest.mark.parametrize("loss", SOME_LOSSES)
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_nan_weight_gives_a_nan_loss(rng, loss, activation, poison):
    """An infinite output weight gives a loss that is not finite; of W1 and b1 see all_finite."""
    dtype = "float32"
    for d, k in ((1, 3), (9, 10)):
        for name in reference.network.Net._fields if np.isnan(poison) else ("W2", "b2"):
            member = random_member(rng, dtype, loss, d, k, 5, SAMPLES)
            getattr(member.net, name).flat[-1] = poison
            member = make_member(member.net, member.samples, loss)
            mean, _, norm = loss_and_gradient(member, activation)
            assert not np.isfinite([mean, norm, mean_loss(member, activation)]).any(), name
            assert np.isnan(mean) or np.isinf(poison), name


# ---------------------------------------------------------------- cross-entropy where it is sure


@compile_for_python
def run_cross_entropy(output, y, weight, k, each):
    store(each, 0, losses.cross_entropy_error(output, 0, y, 0, load(weight, 0), k, None))


def cross_entropy(logits, labels):
    """Losses and dL/dz2 of up to LANES float32 samples, by the kernel."""
    n, k = logits.shape
    output = layout.panels(logits, np.float32)
    weight, each = np.ones(LANES, np.float32), np.empty(LANES)
    run_cross_entropy(output, layout.panels(np.eye(k)[labels], np.float32), weight, k, each)
    return each[:n], panels_of(output, n, k)


def exact_cross_entropy(logits, labels):
    """log of the sum of exponentials of the differences to the label's logit, but its own."""
    z = logits.astype(np.longdouble)
    n = np.arange(len(z))
    others = np.exp(z - z[n, labels][:, None])
    others[n, labels] = 0
    return np.log1p(others.sum(axis=1)).astype(np.float64)


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize("gap", [16, 18, 40])
def test_loss_of_a_confident_network_keeps_its_digits(k, gap):
    """float32 alone would say 0 from a gap of 17 on: 1 + exp(-17) is 1."""
    labels = np.arange(LANES) % k
    logits = np.where(np.eye(k)[labels] == 1, gap + 1.0, 1.0).astype(np.float32)
    losses, errors = cross_entropy(logits, labels)
    expected = exact_cross_entropy(logits, labels)
    assert (expected > 0).all()
    np.testing.assert_allclose(losses, expected, rtol=CONFIDENT_RTOL)
    np.testing.assert_allclose(errors.sum(axis=1), 0, atol=k * EPS["float32"])
    wrong = (labels + 1) % k
    np.testing.assert_allclose(
        cross_entropy(logits, wrong)[0], exact_cross_entropy(logits, wrong), rtol=CONFIDENT_RTOL
    )


@pytest.mark.parametrize("gap", [0, 16, 18, 40])
def test_loss_where_the_largest_logits_tie(gap):
    logits = np.array([[gap, gap, 0], [gap, 0, gap], [0, gap, gap], [gap, gap, gap]], np.float32)
    for label in range(3):
        labels = np.full(4, label)
        losses, _ = cross_entropy(logits, labels)
        np.testing.assert_allclose(losses, exact_cross_entropy(logits, labels), rtol=CONFIDENT_RTOL)


@pytest.mark.parametrize("gap", [0, 16, 18, 40])
def test_the_reference_keeps_them_too(gap):
    logits = np.array([[gap, 0, 0], [gap, gap, 0], [0, gap, 0]], np.float32)
    labels = np.zeros(3, int)
    losses, _ = reference.losses.cross_entropy_error(
        logits, np.eye(3, dtype=np.float32)[labels], {}
    )
    np.testing.assert_allclose(losses, exact_cross_entropy(logits, labels), rtol=CONFIDENT_RTOL)


# ---------------------------------------------------------------- one step


@compile_for_python
def run_gradient_norm(gradient):
    return network.gradient_norm(gradient, gradient.size)


@compile_for_python
def run_clip(gradient, norm, clip_norm):
    return optimizers.clip(gradient, gradient.size, norm, clip_norm)


@compile_for_python
def run_descend(optimizer, w, o, n1, d, k, settings, states, memory, loss, norm, scratch):
    net = layout.Net(w, o, n1, d, k, SIGMOID, *LAYERS)
    setting, state = settings[0], states[0]
    return optimizers.descend(optimizer, net, setting, state, memory, loss, norm, scratch)


@compile_for_python
def run_all_finite(w, o, length):
    return decisions.all_finite(w, o, length)


@compile_for_python
def run_copy(source, target, o, length):
    decisions.copy(source, target, o, length)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_norm_is_summed_in_float64(rng, dtype):
    gradient = random_net(rng, dtype, 3, 2, 5)
    flat = flatten(gradient)[START:-LANES]
    # float64 sums of the same squares in another order.
    assert run_gradient_norm(flat) == pytest.approx(
        reference.network.gradient_norm(gradient), rel=SUM_TOLERANCE["float64"]
    )
    huge = np.full(LANES, 1e30, dtype)  # its square is beyond float32
    assert run_gradient_norm(huge) == pytest.approx(4e30, rel=EPS["float32"])
    for poison in (np.nan, np.inf):
        huge[3] = poison
        assert not np.isfinite(run_gradient_norm(huge))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip_norm", [0.5, 1e9, np.inf])
def test_clip_scales_what_is_longer(rng, dtype, clip_norm):
    gradient = random_net(rng, dtype, 3, 2, 5)
    flat, norm = flatten(gradient)[START:-LANES], reference.network.gradient_norm(gradient)
    before = flat.copy()
    clipped = run_clip(flat, norm, clip_norm)
    expected, expected_clipped = reference.optimizers.clip(gradient, norm, clip_norm)
    np.testing.assert_array_equal(flat, flatten(expected)[START:-LANES])
    assert clipped == expected_clipped == (clip_norm == 0.5)
    if clipped:
        assert run_gradient_norm(flat) == pytest.approx(clip_norm, rel=4 * EPS[dtype])
    else:
        np.testing.assert_array_equal(flat, before)


def test_a_gradient_of_exactly_the_clipping_norm_is_left():
    gradient = np.full(LANES, 0.25)
    assert not run_clip(gradient, 1.0, 1.0) and (gradient == 0.25).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("clip_norm", [0.5, np.inf])
def test_descend_clips_and_moves(rng, dtype, clip_norm):
    d, k, n1 = 3, 2, 5
    member = random_member(rng, dtype, "squared", d, k, n1, 3)
    gradient = random_net(rng, dtype, d, k, n1)
    run = flatten(gradient)[START:-LANES]
    member.scratch.gradient[: run.size] = run
    settings, states = np.zeros(1, records.SETTINGS), np.zeros(1, records.STATE)
    settings["clip_norm"], states["learning_rate"] = clip_norm, 0.3
    norm = reference.network.gradient_norm(gradient)
    sgd, scratch, none = optimizers.OPTIMIZERS["sgd"], member.scratch, np.zeros(0, dtype)
    other, loss = states.copy(), 0.7
    clipped = run_descend(
        sgd, member.flat, START, n1, d, k, settings, states, none, loss, norm, scratch
    )
    assert clipped == (clip_norm < norm)
    twin = reference.optimizers.OPTIMIZERS["sgd"]
    assert clipped == reference.optimizers.descend(
        twin, member.net, settings[0], other[0], [], loss, gradient, norm
    )
    assert states.tobytes() == other.tobytes()
    assert states["steps"] == 1 and states["step_loss"] == loss
    np.testing.assert_allclose(
        member.flat, flatten(member.net), rtol=2 * EPS[dtype], atol=2 * EPS[dtype]
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_finite_sees_every_parameter_and_no_neighbour(rng, dtype):
    net = random_net(rng, dtype, 3, 2, 5)
    flat, count = flatten(net), 5 * 6 + 2
    length = layout.parameter_length(5, 3, 2)
    flat[START] = np.finfo(dtype).max
    assert run_all_finite(flat, START, length) and reference.decisions.all_finite(net)
    for place, poison in itertools.product(range(count), (np.nan, np.inf, -np.inf)):
        poisoned = flat.copy()
        poisoned[START + place] = poison
        assert not run_all_finite(poisoned, START, length)
    net.b2[-1] = np.nan
    assert not reference.decisions.all_finite(net)


def test_copy_takes_a_members_run_alone():
    source, target = np.arange(4.0 * LANES), np.zeros(4 * LANES)
    run_copy(source, target, LANES, 2 * LANES)
    expected = np.where((source >= LANES) & (source < 3 * LANES), source, 0)
    np.testing.assert_array_equal(target, expected)


# ---------------------------------------------------------------- mini-batches


@compile_for_python
def run_hash32(x):
    return batches.hash32(x)


@compile_for_python
def run_shuffle(seed, epoch, order):
    batches.shuffle(seed, epoch, order, order.size)


@compile_for_python
def run_gather(net, rows, order, first, count, batch):
    return batches.gather(net, rows, order, first, count, batch).count


def shuffled(seed, epoch, n):
    order = np.arange(n)
    run_shuffle(seed, epoch, order)
    return order


def test_hash32_is_the_reference(rng):
    values = [0, 1, 2**31, 2**32 - 1, *rng.integers(0, 2**32, 1000).tolist()]
    hashes = [run_hash32(x) for x in values]
    assert hashes == [reference.batches.hash32(x) for x in values]
    assert all(0 <= h < 2**32 for h in hashes) and len(set(hashes)) == len(set(values))


@pytest.mark.parametrize("n", [1, 2, 5, 100, 1797])
@pytest.mark.parametrize("seed, epoch", [(0, 1), (1, 1), (0, 2), (2**32 - 1, 10**9)])
def test_shuffle_is_a_permutation_and_the_reference(n, seed, epoch):
    order = shuffled(seed, epoch, n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, reference.batches.shuffle(seed, epoch, n))
    np.testing.assert_array_equal(order, shuffled(seed, epoch, n))


def test_shuffle_differs_by_seed_and_epoch():
    keys = list(itertools.product(range(5), range(1, 6)))
    orders = {tuple(shuffled(seed, epoch, 50).tolist()) for seed, epoch in keys}
    assert len(orders) == len(keys)


def test_every_place_is_as_likely():
    """Sample 0 over 2,000 epochs: of 10 places each 200 times, standard deviation 13.4."""
    places = [int(np.flatnonzero(shuffled(3, epoch, 10) == 0)[0]) for epoch in range(1, 2001)]
    five_deviations = 67
    assert np.abs(np.bincount(places, minlength=10) - 200).max() < five_deviations


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d, k", [(1, 1), (2, 3), (9, 10)])
@pytest.mark.parametrize("first, count", [(0, 20), (20, 16), (32, 5)])
def test_gather_makes_the_rows_of_a_batch(rng, dtype, d, k, first, count):
    samples = random_samples(rng, dtype, "squared", d, k, SAMPLES)
    problem = make_problem("squared", samples)
    batch = dirty_scratch(problem, 1, 20, dtype).batch
    order = np.array(reference.batches.shuffle(0, 1, SAMPLES))
    activation, layers = ACTIVATIONS["sigmoid"], network.layers(d, k)
    net = layout.Net(np.zeros(1, dtype), 0, 1, d, k, activation, *layers)
    assert run_gather(net, problem.train, order, first, count, batch) == count
    chosen = order[first : first + count]
    expected = layout.rows(
        samples.X[chosen], samples.Y[chosen], dtype, samples.weight[None, chosen]
    )
    for name in ("x", "y", "weight", *(["x_rows"] if d >= layout.WIDE else [])):
        wanted = getattr(expected, name)
        np.testing.assert_array_equal(getattr(batch, name)[: wanted.size], wanted, name)


# ---------------------------------------------------------------- decisions


@compile_for_python
def run_decide(settings, states, monitored):
    return decisions.decide(settings[0], states[0], monitored)


@compile_for_python
def run_note(states, train_loss, val_loss, better):
    decisions.record_entry(states[0], train_loss, val_loss, better)


def a_setting(**given):
    """A member's settings, all decisions off but those given."""
    settings = np.zeros(1, records.SETTINGS)
    values = {"target_loss": -np.inf, "lr_factor": 0.5, "learning_rate": 1.0, "max_epochs": 1000}
    for name, value in {**values, **given}.items():
        settings[name] = value
    return settings


def a_state(settings):
    states = np.zeros(1, records.STATE)
    states["learning_rate"] = states["plateau_rate"] = settings["learning_rate"]
    states["best_loss"] = np.inf
    states["best_epoch"] = states["last_epoch"] = -1
    return states


def decided(course, **given):
    """The states after each entry with these monitored losses, up to the stop.

    Kernel and reference do the same few operations: their states are equal to the bit.
    """
    settings = a_setting(**given)
    states, twin, seen = a_state(settings), a_state(settings), []
    for epoch, monitored in enumerate(course):
        states["epoch"] = twin["epoch"] = epoch
        better = run_decide(settings, states, monitored)
        assert better == reference.decisions.decide(settings[0], twin[0], monitored)
        assert states.tobytes() == twin.tobytes()
        seen.append(states[0].copy())
        if states["stop"][0] != records.RUNNING:
            break
    return np.array(seen)


def test_target_is_met_by_equality():
    seen = decided([1.0, 0.5, 0.1, 0.05], target_loss=0.1)
    assert seen["stop"].tolist() == [records.RUNNING, records.RUNNING, records.TARGET]
    assert decided([0.1], target_loss=0.1)["stop"][0] == records.TARGET


def test_target_comes_before_patience_and_the_epoch_limit():
    losses, given = [1.0, 1.0, 0.9], {"patience": 2, "min_delta": 0.5, "max_epochs": 2}
    assert decided(losses, target_loss=0.9, **given)["stop"][-1] == records.TARGET
    assert decided(losses, **given)["stop"][-1] == records.PATIENCE
    assert decided(losses, **{**given, "patience": 0})["stop"][-1] == records.MAX_EPOCHS


def test_patience_stops_after_so_many_epochs_in_a_row():
    seen = decided([1.0, 0.9, 0.95, 0.8, 0.8, 0.9, 0.1], patience=2)
    assert seen["waited"].tolist() == [0, 0, 1, 0, 1, 2]
    assert seen["stop"][-1] == records.PATIENCE
    assert (seen["stop"][:-1] == records.RUNNING).all()


def test_max_epochs():
    seen = decided([1.0, 0.9, 0.8, 0.7, 0.6], max_epochs=3)
    assert len(seen) == 4 and seen["stop"][-1] == records.MAX_EPOCHS


def test_plateau_lowers_the_rate_to_its_least():
    seen = decided([1.0] * 8, lr_patience=2, min_learning_rate=0.3)
    assert seen["learning_rate"].tolist() == [1, 1, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]
    assert seen["stalled"].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert seen["waited"].tolist() == list(range(8))  # a decay starts only its own counter again


def test_patience_goes_on_counting_through_decays():
    seen = decided([1.0] * 9, lr_patience=2, patience=5)
    assert len(seen) == 6 and seen["stop"][-1] == records.PATIENCE
    assert seen["learning_rate"][-1] == 0.25


def test_min_delta_moves_the_best_but_not_the_reference():
    seen = decided([1.0, 0.95, 0.9, 0.85, 0.5], min_delta=0.2)
    assert seen["best_epoch"].tolist() == [0, 1, 2, 3, 4]
    assert seen["best_loss"].tolist() == [1.0, 0.95, 0.9, 0.85, 0.5]
    assert seen["reference"].tolist() == [1.0, 1.0, 1.0, 1.0, 0.5]
    assert seen["waited"].tolist() == [0, 1, 2, 3, 0]


def test_a_gain_of_exactly_min_delta_does_not_count():
    assert decided([1.0, 0.75], min_delta=0.25)["waited"].tolist() == [0, 1]


def test_the_first_of_equal_losses_is_the_best():
    assert decided([1.0, 0.5, 0.5])["best_epoch"].tolist() == [0, 1, 1]


def test_any_course_is_decided_as_the_reference_does(rng):
    for _ in range(20 if INTERPRETED else 300):
        decided(
            np.round(rng.uniform(0, 1, 40), 2),  # rounded: ties are wanted
            target_loss=rng.choice([-np.inf, 0.02]),
            patience=rng.integers(0, 12),
            lr_patience=rng.integers(0, 4),
            min_delta=rng.choice([0.0, 0.05]),
            min_learning_rate=rng.choice([0.0, 0.2]),
            max_epochs=rng.integers(1, 45),
        )


def test_note_is_the_reference():
    states = a_state(a_setting())
    states["gradient_norm"], states["clipped"] = 3.0, 1.0
    twin = states.copy()
    for train_loss, better in ((2.0, True), (4.0, False)):
        run_note(states, train_loss, np.nan, better)
        reference.decisions.record_entry(twin[0], train_loss, np.nan, better)
        assert states.tobytes() == twin.tobytes()
    assert states["best_entry"][0, records.TRAIN_LOSS] == 2.0
    assert states["last_entry"][0].tolist()[:1] == [4.0]


# ---------------------------------------------------------------- whole trainings


def make_training(X, y, validation=None, initial_weights=None, **given):
    """A Training of all the given members, not yet begun."""
    given = {"threads": 1, "record": ("gradient_norm", "clipped"), **given}
    chosen = options.resolve(given, "sweep")
    samples = data.make(X, y, chosen["loss"], validation)
    return trainer.Training(make_plan(chosen, samples), samples, chosen, initial_weights)


def trained(X, y, **given):
    training = make_training(X, y, **given)
    assert trainer.train(training) == "done"
    return training


def sine(n):
    return tasks.function_data("sine", samples=n)


def some_digits(first, last):
    X, labels = tasks.digits()
    return X[first:last], labels[first:last]


# Each has members that are clipped, rates that fall, and a last batch that is not full.
SINE = {
    "samples": sine(75),
    "validation": sine(41),
    "loss": "squared",
    "learning_rate": 0.3,
    "clip_norm": [0.3, None],
    "min_delta": 0.02,
    "batch_size": 16,
}
DIGITS = {
    "samples": some_digits(0, 120),
    "validation": some_digits(120, 160),
    "loss": "cross_entropy",
    "learning_rate": 1.0,
    "clip_norm": [0.15, None],
    "min_delta": 0.04,
    "batch_size": 32,
}
TRAININGS = {"sine": SINE, "digits": DIGITS}


def task_training(name, dtype, backend, full_batch, validate, **given):
    """The training `name`, run by a backend."""
    task = dict(TRAININGS[name])
    X, y = task.pop("samples")
    validation = task.pop("validation")
    task["batch_size"] = None if full_batch else task["batch_size"]
    schedule = {"lr_patience": 2, "min_learning_rate": 0.01}
    size = {"n1": [1, 5], "max_epochs": 10} if INTERPRETED else {"n1": [1, 5, 17], "max_epochs": 30}
    return trained(
        X,
        y,
        validation=validation if validate else None,
        dtype=dtype,
        backend=backend,
        **{**task, **schedule, **size, **given},
    )


def assert_same_states(actual, expected, tolerance):
    for name in records.STATE.names:
        if records.STATE[name].kind == "i":
            np.testing.assert_array_equal(actual[name], expected[name], name)
        else:
            np.testing.assert_allclose(actual[name], expected[name], rtol=tolerance, err_msg=name)


def assert_same_training(run, twin, tolerance):
    """Histories, states, last and best weights are equal to the tolerance."""
    history = run.history.flat(run.pack.states)
    expected = twin.history.flat(twin.pack.states)
    assert history.keys() == expected.keys()
    for name in history:
        np.testing.assert_allclose(
            history[name], expected[name], rtol=tolerance, err_msg=name, equal_nan=True
        )
    assert_same_states(run.pack.states, twin.pack.states, tolerance)
    assert_close(run.pack.parameters, twin.pack.parameters, tolerance)
    assert_close(run.pack.best, twin.pack.best, tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("full_batch", [True, False], ids=["full batch", "mini-batches"])
@pytest.mark.parametrize("validate", [True, False], ids=["validated", "not validated"])
@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_is_the_reference(name, dtype, full_batch, validate):
    run, twin = (
        task_training(name, dtype, backend, full_batch, validate)
        for backend in ("kernels", "reference")
    )
    assert_same_training(run, twin, TRAINING_TOLERANCE[dtype])
    history = run.history.flat(run.pack.states)
    assert 0 < history["clipped"].sum() < history["clipped"].size
    assert (run.pack.states["learning_rate"] < TRAININGS[name]["learning_rate"]).any()
    assert (run.pack.states["stop"] == records.MAX_EPOCHS).all()


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_the_loss_of_an_epoch_of_batches_is_weighted_by_rows(backend):
    """The weights hardly move: the mean over 75 rows in batches of 16 and 11 stays the same."""
    X, y = sine(75)
    X[64:] = y[64:] = 3.0  # what the short batches hold is unlike the rest
    training = trained(
        X,
        y,
        validation=sine(9),
        n1=3,
        batch_size=16,
        learning_rate=1e-12,
        max_epochs=2,
        dtype="float64",
        backend=backend,
    )
    train_loss = training.history.flat(training.pack.states)["train_loss"]
    np.testing.assert_allclose(train_loss[1:], train_loss[0], rtol=STILL_RTOL)


@pytest.mark.parametrize("activation", SOME_ACTIVATIONS)
def test_a_training_with_a_penalty_is_the_reference(activation):
    given = {"activation": activation, "l2": 0.01, "init": "glorot_uniform", "learning_rate": 0.1}
    run, twin = (
        task_training("digits", "float64", backend, False, True, **given)
        for backend in ("kernels", "reference")
    )
    assert_same_training(run, twin, TRAINING_TOLERANCE["float64"])


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_members_of_several_activations_are_each_as_alone(backend):
    """They are advanced in groups, each by the kernel compiled for it."""
    given = {"dtype": "float64", "backend": backend, "n1": [3, 5], "max_epochs": 4, "l2": 0.01}
    given |= {"init": "glorot_uniform", "learning_rate": 0.1, "threads": 2}
    names = ["relu", "sigmoid", "tanh"]
    run = trained(*some_digits(0, 60), activation=names, **given)
    for name in names:
        alone = trained(*some_digits(0, 60), activation=name, **given)
        same = np.flatnonzero(run.plan.columns["activation"] == name)
        for member, twin in zip(same, range(2), strict=True):
            assert member_bytes(run, member) == member_bytes(alone, twin)


# ---------------------------------------------------------------- honest losses, accuracy


def fresh_loss(training, member, X, y):
    """The loss of the member's best weights by a forward pass written out here, in float64."""
    row = training.plan.settings[member]
    n1, d, k = int(row["n1"]), training.plan.d, training.plan.k
    W1, b1, W2, b2 = (
        array.astype(np.float64)
        for array in layout.views(training.pack.best, row["offset"], n1, d, k)
    )
    x = X.astype(training.dtype).astype(np.float64)
    z = 1 / (1 + np.exp(-(x @ W1.T + b1))) @ W2.T + b2
    if training.plan.loss == "squared":
        return ((z - y.astype(training.dtype)) ** 2).sum(axis=1).mean() / 2
    m = z.max(axis=1, keepdims=True)
    log_sum = m[:, 0] + np.log(np.exp(z - m).sum(axis=1))
    return (log_sum - z[np.arange(len(z)), y]).mean()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("full_batch", [True, False], ids=["full batch", "mini-batches"])
@pytest.mark.parametrize("validate", [True, False], ids=["validated", "not validated"])
@pytest.mark.parametrize("name", TRAININGS)
def test_reported_losses_are_those_of_the_weights(name, dtype, full_batch, validate):
    run = task_training(name, dtype, "kernels", full_batch, validate)
    relative, absolute = HONEST[dtype]
    evaluated, _ = run.evaluate("train")
    monitored = TRAININGS[name]["validation" if validate else "samples"]
    for member, best_loss in enumerate(run.pack.states["best_loss"]):
        overwrite = fresh_loss(run, member, *monitored)
        assert best_loss == pytest.approx(overwrite, rel=relative, abs=absolute)
        overwrite = fresh_loss(run, member, *TRAININGS[name]["samples"])
        assert evaluated[member] == pytest.approx(overwrite, rel=relative, abs=absolute)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("set_name", ["train", "val"])
def test_evaluate_is_the_reference(dtype, set_name):
    run, twin = (
        task_training("digits", dtype, backend, True, True) for backend in ("kernels", "reference")
    )
    losses, accuracies = run.evaluate(set_name)
    expected_losses, expected_accuracies = twin.evaluate(set_name)
    np.testing.assert_allclose(losses, expected_losses, rtol=TRAINING_TOLERANCE[dtype])
    np.testing.assert_array_equal(accuracies, expected_accuracies)
    assert 0 < accuracies.max() < 1


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("logits, chosen", [([1, 1, 0], 0), ([0, 2, 2], 1), ([0, 0, 3], 2)])
def test_of_equal_logits_the_first_is_the_answer(rng, backend, logits, chosen):
    X, y = rng.normal(size=(37, 2)), np.arange(37) % 3
    same_for_all = (np.zeros((4, 2)), np.zeros(4), np.zeros((3, 4)), np.array(logits, float))
    training = make_training(
        X, y, loss="cross_entropy", n1=4, backend=backend, initial_weights=[same_for_all]
    )
    training.pack.states["best_loss"] = 0.0  # as if trained: evaluate() gives NaN else
    _, accuracies = training.evaluate("train")
    assert accuracies[0] == (y == chosen).mean()


# ---------------------------------------------------------------- members that diverge


def member_bytes(training, member):
    """All that is kept of a member."""
    history = training.history.flat(training.pack.states)
    first, last = history["offsets"][member : member + 2]
    row = training.plan.settings[member]
    length = layout.parameter_length(int(row["n1"]), training.plan.d, training.plan.k)
    run = slice(row["offset"], row["offset"] + length)
    arrays = [history[name][first:last] for name in sorted(set(history) - {"offsets"})]
    arrays += [training.pack.parameters[run], training.pack.best[run]]
    return [array.tobytes() for array in arrays] + [training.pack.states[member].tobytes()]


def drawn_weights(n1, seed=0):
    return list(init.initial_weights(seed, n1, 1, 1, "nguyen_widrow", "sigmoid"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_an_enormous_rate_stops_that_member_alone(dtype, batch_size, backend):
    given = {"n1": 5, "dtype": dtype, "batch_size": batch_size, "max_epochs": 30}
    given |= {"backend": backend}
    run = trained(*sine(75), learning_rate=[0.1, 1e30, 0.2], **given)
    assert run.pack.states["stop"].tolist() == [
        records.MAX_EPOCHS,
        records.DIVERGED,
        records.MAX_EPOCHS,
    ]
    alone = trained(*sine(75), learning_rate=[0.1, 0.2], **given)
    for member, same in ((0, 0), (2, 1)):
        assert member_bytes(run, member) == member_bytes(alone, same)
    row = run.plan.settings[1]
    best = layout.views(run.pack.best, row["offset"], 5, 1, 1)
    for array, initial in zip(best, drawn_weights(5)):
        np.testing.assert_array_equal(array, initial.astype(dtype))
    assert run.pack.states["best_epoch"][1] == 0
    assert np.isfinite(run.pack.states["best_loss"]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_an_infinite_weight_stops_that_member_alone(dtype, backend, name):
    """Also where the loss is finite: sigmoid(inf) is 1."""
    good = drawn_weights(5)
    bad = [array.copy() for array in good]
    bad[reference.network.Net._fields.index(name)].flat[0] = np.inf
    given = {"n1": 5, "dtype": dtype, "max_epochs": 5, "backend": backend}
    run = trained(*sine(75), seeds=3, initial_weights=[good, bad, good], **given)
    alone = trained(*sine(75), seeds=1, initial_weights=[good], **given)
    assert run.pack.states["stop"][1] == records.DIVERGED and run.pack.states["epoch"][1] == 0
    assert member_bytes(run, 0) == member_bytes(alone, 0) == member_bytes(run, 2)
    losses, _ = run.evaluate("train")
    assert np.isnan(losses[1]) and np.isfinite(losses[[0, 2]]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_member_that_diverges_later_keeps_its_best(dtype):
    """A linear network at this rate improves for some epochs, then overflows."""
    given = {"n1": 5, "activation": "identity", "learning_rate": 1.3, "dtype": dtype}
    run = trained(*sine(75), max_epochs=200, **given)
    state = run.pack.states[0]
    assert state["stop"] == records.DIVERGED and 0 < state["best_epoch"] < state["epoch"]
    shorter = trained(*sine(75), max_epochs=int(state["best_epoch"]), **given)
    np.testing.assert_array_equal(run.pack.best, shorter.pack.parameters)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("batch_size, stopped_at", [(None, 0), (2, 1)])
def test_a_gradient_beyond_the_range_stops_a_member(backend, batch_size, stopped_at):
    """Loss and weights are finite: 1/2 (1e15)**2, but dL/dW1 is 1e15 * 1e30, not in float32."""
    X, y = np.full((5, 1), 1e30), np.full((5, 1), 1e15)
    flat_start = np.zeros((1, 1)), np.zeros(1), np.ones((1, 1)), np.zeros(1)
    given = {"n1": 1, "activation": "identity", "clip_norm": 1.0, "backend": backend}
    run = trained(X, y, batch_size=batch_size, initial_weights=[flat_start], **given)
    state = run.pack.states[0]
    assert state["stop"] == records.DIVERGED and state["epoch"] == stopped_at
    assert not np.isfinite(state["gradient_norm"])
    for flat in run.pack.best, run.pack.parameters:  # no step was taken along it
        for array, initial in zip(layout.views(flat, 0, 1, 1, 1), flat_start):
            np.testing.assert_array_equal(array, initial)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_a_gradient_of_1e19_is_clipped_and_still_moves_the_weights(backend):
    """Its square is beyond float32, and so would be a float32 norm: the step would be 0."""
    X, y = sine(75)
    rate, clip_norm = 0.1, 2.0
    training = make_training(
        X,
        1e19 * (1 + 0.5 * y),
        n1=5,
        learning_rate=rate,
        clip_norm=clip_norm,
        max_epochs=1,
        backend=backend,
    )
    before = training.pack.parameters.astype(np.float64)
    trainer.train(training)
    state = training.pack.states[0]
    assert state["stop"] == records.MAX_EPOCHS and state["gradient_norm"] > 1e19
    step = np.linalg.norm(training.pack.parameters - before)
    assert step == pytest.approx(rate * clip_norm, rel=STEP_RTOL)


# ---------------------------------------------------------------- what is compiled


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_one_signature_of_advance_per_choice_and_dtype():
    """Each more would cost seconds: all array types a Training makes must be the same."""
    before = len(kernels.advance.codes)
    for name, dtype, full_batch, validate in itertools.product(
        TRAININGS, DTYPES, (True, False), (True, False)
    ):
        task_training(name, dtype, "kernels", full_batch, validate, max_epochs=1)
    assert len(kernels.advance.codes) <= before + 2 * len(DTYPES)
