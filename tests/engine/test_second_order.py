"""The numerics of lm, br and lbfgs: engine against reference, reference against other ways."""

import math

import numpy as np
import pytest

from fastnet import reference
from fastnet.engine import activations, layout, lbfgs, levenberg, records
from fastnet.engine.layers import layers_of
from fastnet.engine.layout import Net, padded
from fastnet.engine.lbfgs import Point
from fastnet.native.compile import compile_for_python

# Two orders of the same sums of some hundred terms, float64.
SUM_RTOL = 1e-10
# Solutions of equations whose condition number is below 1e6.
SOLVE_RTOL = 1e-9
# Central differences with step 1e-5: rounding 1e-11, truncation 1e-10, and a digit to spare.
DIFFERENCES = 1e-8
SHAPES = [(1, 1, 1, 5), (1, 8, 1, 100), (3, 5, 2, 77), (9, 7, 12, 50), (2, 17, 1, 33)]  # d N1 k n


normal_equations = compile_for_python(levenberg.normal_equations)
mean_squares = compile_for_python(levenberg.mean_squares)
damped_step = compile_for_python(levenberg.damped_step)
damped_factor = compile_for_python(levenberg.damped_factor)
inverse_trace = compile_for_python(levenberg.inverse_trace)
direction = compile_for_python(lbfgs.direction)
between = compile_for_python(lbfgs.between)


@compile_for_python
def weigh_evidence(size, squares, mean, states, solver):
    levenberg.weigh_evidence(size, squares, 30.0, mean, 2, states[0], solver)


@compile_for_python
def remember(net, memory, length, states, scratch):
    lbfgs.remember(net, memory, 0, length, states[0], scratch)


def dirty_solver(n1, d, k):
    """A solver as a diverged member leaves it."""
    solver = layout.solver(n1, n1, d, k)
    for array in solver:
        array[...] = np.nan
    return solver


def random_weights(rng, d, n1, k):
    return reference.network.Net(*(rng.normal(size=s) for s in ((n1, d), (n1,), (k, n1), (k,))))


def flat(net):
    return np.concatenate([net.W1.ravel(), net.b1, net.W2.T.ravel(), net.b2])


def unflat(w, d, n1, k):
    W1, b1, W2, b2 = np.split(w, np.cumsum([n1 * d, n1, n1 * k]))
    return reference.network.Net(W1.reshape(n1, d), b1, W2.reshape(n1, k).T, b2)


def equations(net, samples, activation, dtype=np.float64):
    """Mean loss, J'J / W and J'r / W as the kernel has them, and as its twin."""
    n1, d, k = *net.W1.shape, len(net.b2)
    size = n1 * (d + 1 + k) + k
    w = np.zeros(padded(size), dtype)
    w[:size] = flat(net)
    rows = layout.rows(samples.X, samples.Y, dtype, samples.weight)
    solver = dirty_solver(n1, d, k)
    layers = layers_of(d, k)
    compiled_net = Net(w, 0, n1, d, k, activations.ACTIVATIONS[activation], *layers, n1)
    mean = normal_equations(compiled_net, rows, solver)
    assert mean_squares(compiled_net, rows, solver.hidden) == mean  # to the bit
    matrix = solver.matrix.reshape(-1, padded(size))[:size, :size]
    own = (mean, np.triu(matrix), solver.gradient[:size])
    rounded = reference.network.Net(*(a.astype(dtype).astype(np.float64) for a in net))
    read = reference.kernels.of_fold(
        reference.network.rows(samples.X, samples.Y, dtype, samples.weight), 0
    )
    chosen = reference.activations.ACTIVATIONS[activation]
    mean = reference.levenberg.lm_mean_loss(
        rounded, chosen, reference.losses.LOSSES["squared"], read
    )
    matrix, gradient = reference.levenberg.normal_equations(
        *reference.levenberg.residuals(rounded, chosen, read)
    )
    return own, (mean, np.triu(matrix), gradient)


def random_samples(rng, n, d, k):
    X, Y, weight = rng.uniform(-1, 1, (n, d)), rng.normal(size=(n, k)), rng.uniform(0, 2, (1, n))
    weight[0, ::4] = 0
    return reference.network.Rows(X, Y, weight)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["sigmoid", "relu"])
@pytest.mark.parametrize(("d", "n1", "k", "n"), SHAPES)
def test_equations_are_those_of_the_reference(rng, d, n1, k, n, activation):
    net, samples = random_weights(rng, d, n1, k), random_samples(rng, n, d, k)
    for a, b in zip(*equations(net, samples, activation), strict=True):
        np.testing.assert_allclose(a, b, rtol=SUM_RTOL, atol=SUM_RTOL * np.abs(b).max())


def test_float32_weights_and_samples_are_read_in_float64(rng):
    net, samples = random_weights(rng, 2, 6, 2), random_samples(rng, 40, 2, 2)
    for a, b in zip(*equations(net, samples, "sigmoid", np.float32), strict=True):
        np.testing.assert_allclose(a, b, rtol=SUM_RTOL, atol=SUM_RTOL * np.abs(b).max())


@pytest.mark.parametrize(("d", "n1", "k", "n"), SHAPES)
def test_jacobian_against_central_differences(rng, d, n1, k, n):
    w = flat(random_weights(rng, d, n1, k))
    X, sigmoid = rng.uniform(-1, 1, (n, d)), reference.activations.ACTIVATIONS["sigmoid"]

    def outputs(w):
        return reference.network.forward(unflat(w, d, n1, k), sigmoid, X)[1]

    net = unflat(w, d, n1, k)
    H, _ = reference.network.forward(net, sigmoid, X)
    J = reference.levenberg.jacobian(X, H, H * (1 - H), net.W2)
    for p in range(w.size):
        step = 1e-5 * (np.arange(w.size) == p)
        numeric = (outputs(w + step) - outputs(w - step)) / 2e-5
        np.testing.assert_allclose(J[..., p], numeric, atol=DIFFERENCES)


# ---------------------------------------------------------------- linear equations


def solver_of(matrix, gradient):
    """A solver that holds these equations; sizes up to those of N1 = 20, d = k = 1."""
    size, solver = len(matrix), dirty_solver(20, 1, 1)
    full = np.zeros((size, padded(size)))
    full[:, :size] = np.triu(matrix)
    solver.matrix[: full.size] = full.ravel()
    solver.gradient[: padded(size)] = 0
    solver.gradient[:size] = gradient
    return solver


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 16, 17, 31, 48, 61])
def test_damped_step_solves_the_equations(rng, size):
    J = rng.normal(size=(size + 3, size))
    matrix, gradient, mu = J.T @ J, rng.normal(size=size), 1e-3
    solver = solver_of(matrix, gradient)
    assert damped_step(size, mu, solver)
    damped = matrix + mu * np.eye(size)
    expected = np.linalg.solve(damped, -gradient)
    np.testing.assert_allclose(
        solver.step[:size], expected, rtol=SOLVE_RTOL, atol=SOLVE_RTOL * np.abs(expected).max()
    )
    np.testing.assert_allclose(
        inverse_trace(size, solver), np.trace(np.linalg.inv(damped)), rtol=SOLVE_RTOL
    )


@pytest.mark.parametrize("size", [1, 5, 20])
def test_what_is_not_positive_definite_has_no_factor(rng, size):
    J = rng.normal(size=(size + 3, size))
    for wrong in (-1e3, np.nan):
        matrix = J.T @ J
        matrix[-1, -1] = wrong
        assert not damped_factor(size, 0.0, solver_of(matrix, np.zeros(size)))
        assert not damped_step(size, 0.0, solver_of(matrix, np.zeros(size)))
        if not np.isnan(wrong):  # NumPy may go on with a NaN
            assert reference.levenberg.damped_factor(matrix, 0.0) is None
            assert reference.levenberg.damped_step(matrix, np.zeros(size), 0.0) is None


@pytest.mark.parametrize(("epoch", "flat"), [(1, 0), (2, 1)])
@pytest.mark.parametrize("decay", [0.3, 0.0, -1e-9])
def test_the_evidence_is_that_of_the_reference_and_needs_a_decay(rng, decay, epoch, flat):
    J = rng.normal(size=(8, 5))
    solver, states = solver_of(J.T @ J, np.zeros(5)), np.zeros(1, records.STATE)
    states["epoch"], states["decay"], states["evidence"] = epoch, decay, 1e3
    twin = {name: states[name][0] for name in states.dtype.names}
    lower = reference.levenberg.damped_factor(J.T @ J, decay)
    assert damped_factor(5, decay, solver)
    weigh_evidence(5, 1.5, 0.25, states, solver)
    reference.levenberg.weigh_evidence(lower, 1.5, 30.0, 0.25, 2, twin)
    assert states["flat"] == twin["flat"] == (flat if decay > 0 else 0)
    assert states["evidence"] == pytest.approx(twin["evidence"], rel=SUM_RTOL)
    assert (states["evidence"] == 1e3) == (epoch == 2 or decay <= 0)


def test_damping_solves_what_has_no_full_rank():
    matrix = np.ones((6, 6))
    solver = solver_of(matrix, np.ones(6))
    assert damped_step(6, 1e-6, solver)
    np.testing.assert_allclose(solver.step[:6], -1 / 6, rtol=1e-5)  # mu / 6 = 1.7e-7 off


# ---------------------------------------------------------------- L-BFGS


def random_pairs(rng, count, length, dtype=np.float64):
    """Steps, and gradient changes as of a convex quadratic."""
    root = rng.normal(size=(length, length))
    curvature = root @ root.T / length + np.eye(length)
    steps = rng.normal(size=(count, length))
    return [(s.astype(dtype), (curvature @ s).astype(dtype)) for s in steps]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stored", [0, 1, 4, 10, 13])
def test_direction_is_that_of_the_reference(rng, stored, dtype):
    length, start = 32, 16
    pairs = random_pairs(rng, stored, length, dtype)
    memory = np.full(start + 2 * layout.PAIRS * length, np.nan, dtype)
    for number, pair in enumerate(pairs):
        place = start + 2 * (number % layout.PAIRS) * length
        memory[place : place + 2 * length] = np.concatenate(pair)
    solver = dirty_solver(10, 1, 1)
    gradient = rng.normal(size=length)
    solver.gradient[:length] = gradient
    direction(memory, start, stored, length, solver)
    kept = [(s.astype(float), y.astype(float)) for s, y in pairs[-layout.PAIRS :]]
    np.testing.assert_allclose(
        solver.step[:length],
        reference.lbfgs.direction(kept, gradient),
        rtol=SOLVE_RTOL,
        atol=SOLVE_RTOL,
    )


def test_direction_is_that_of_the_inverse_hessian(rng):
    """The two loops against the update of H itself, Nocedal & Wright eq. 7.16."""
    length = 12
    pairs, gradient = random_pairs(rng, 5, length), rng.normal(size=length)
    s, y = pairs[-1]
    H = np.eye(length) * (s @ y) / (y @ y)
    for s, y in pairs:
        V = np.eye(length) - np.outer(y, s) / (y @ s)
        H = V.T @ H @ V + np.outer(s, s) / (y @ s)
    np.testing.assert_allclose(
        reference.lbfgs.direction(pairs, gradient), -H @ gradient, rtol=SOLVE_RTOL
    )


def test_between_finds_the_minimum_of_a_cubic():
    def value(a):
        return (a - 1.5) ** 2 * (a + 3)

    def slope(a):
        return 2 * (a - 1.5) * (a + 3) + (a - 1.5) ** 2

    for low, high in ((0.5, 2.5), (2.5, 0.5)):
        ends = [(a, value(a), slope(a)) for a in (low, high)]
        assert math.isclose(between(*(Point(*end) for end in ends)), 1.5, rel_tol=1e-12)
        twins = (reference.lbfgs.Point(*end) for end in ends)
        assert math.isclose(reference.lbfgs.between(*twins), 1.5, rel_tol=1e-12)


@pytest.mark.parametrize("high", [(2.0, math.nan, 1.0), (2.0, math.inf, math.inf), (2.0, 1e9, 1.0)])
def test_between_halves_where_a_cubic_says_nothing(high):
    low = (0.0, 0.0, -1.0)
    assert between(Point(*low), Point(*high)) == 1.0
    twins = reference.lbfgs.Point(*low), reference.lbfgs.Point(*high)
    with np.errstate(all="ignore"):
        assert reference.lbfgs.between(*twins) == 1.0


@pytest.mark.parametrize(("change", "stored"), [(0.5, 3), (-0.5, 0)])
def test_a_pair_is_kept_where_the_loss_curves_upwards(change, stored):
    """s of ones and y of `change`: with s'y <= 0 the member forgets all it has."""
    length = layout.parameter_length(1, 1, 1)
    w, memory = np.zeros(length), np.zeros(2 * layout.PAIRS * length)
    w[:4] = 1.0
    net = Net(w, 0, 1, 1, 1, activations.ACTIVATIONS["tanh"], *layers_of(1, 1), 1)
    scratch = layout.Scratch(*len(layout.Scratch._fields) * [None])._replace(
        solver=dirty_solver(1, 1, 1), gradient=np.where(w == 1, change, 0.0)
    )
    scratch.solver.start[:] = scratch.solver.gradient[:] = 0
    states = np.zeros(1, records.STATE)
    states["stored"] = 2
    twin = states.copy()
    remember(net, memory, length, states, scratch)
    assert states["stored"] == stored
    nets = [random_weights(np.random.default_rng(0), 1, 1, 1) for _ in range(6)]
    reference.lbfgs.remember(nets, twin[0], w[:4], np.full(4, change))
    assert twin.tobytes() == states.tobytes()
    pairs = memory.reshape(-1, length)[4:6, :4]
    np.testing.assert_array_equal([flat(a) for a in nets[4:]], pairs)


def parabola(a):
    return reference.lbfgs.Point(a, (a - 3) ** 2, 2 * (a - 3)), a


@pytest.mark.parametrize("first", [1e-3, 1.0, 3.0, 5.0, 100.0])
def test_search_meets_the_strong_wolfe_conditions(first):
    start, _ = parabola(0.0)
    a, found = reference.lbfgs.search(parabola, start, first)
    here, _ = parabola(a)
    assert found == a > 0
    assert here.value <= start.value + reference.lbfgs.DECREASE * a * start.slope
    assert abs(here.slope) <= reference.lbfgs.CURVATURE * 6


def test_search_that_finds_nothing_gives_length_zero():
    def rising(a):
        return reference.lbfgs.Point(a, 9.0 + a, -6.0), a

    a, _ = reference.lbfgs.search(rising, rising(0.0)[0], 1.0)
    assert a == 0
