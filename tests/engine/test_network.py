"""Products, forward pass, loss and gradient of one network against the reference."""

import itertools

import numpy as np
import pytest
from nets import (
    DTYPES,
    EPS,
    INTERPRETED,
    SAMPLES,
    SETTING,
    SOME_ACTIVATIONS,
    SOME_LOSSES,
    START,
    SUM_TOLERANCE,
    assert_close,
    flatten,
    in_float64,
    make_member,
    panels_of,
    random_member,
    random_net,
)

from fastnet import reference
from fastnet.engine import layers, layout, losses, network
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES

# ---------------------------------------------------------------- products


@compile_for_python
def run_product(rows, columns, depth, a, b, c, overwrite):
    """a is (depth, rows), b (columns, depth, L), c (rows, columns + 1, L): its last is not used."""
    c_row, b_col = (columns + 1) * LANES, depth * LANES
    layers.product(
        rows, columns, a, 0, 1, rows, depth, b, 0, LANES, b_col, c, 0, c_row, LANES, overwrite
    )  # fmt: skip


@compile_for_python
def run_lane_products(a, panels, b, count, sums, overwrite):
    layers.lane_products(a, 0, panels, b, 0, count, sums, 0, overwrite)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("rows", [1, 3, 4, 7, 8, 12, 13, 30])
def test_product_adds_a_matrix_product(rng, dtype, rows, columns):
    """Whole numbers, so that each sum is exact."""
    depth = 5
    shapes = (depth, rows), (columns, depth, LANES), (rows, columns + 1, LANES)
    a, b, c = (rng.integers(-9, 9, shape).astype(dtype) for shape in shapes)
    wanted, found = c.copy(), np.einsum("jr,cjl->rcl", a, b)
    wanted[:, :columns] += found
    run_product(rows, columns, depth, a.ravel(), b.ravel(), c.reshape(-1), False)
    np.testing.assert_array_equal(c, wanted)
    c[0, 0], wanted[:, :columns] = np.nan, found  # NaN as what an earlier member may have left
    run_product(rows, columns, depth, a.ravel(), b.ravel(), c.reshape(-1), True)
    np.testing.assert_array_equal(c, wanted)


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


run_loss_and_gradient = compile_for_python(network.loss_and_gradient)
run_mean_loss = compile_for_python(network.mean_loss)
run_mean_gradient = compile_for_python(network.mean_gradient)
run_gradient_norm = compile_for_python(network.gradient_norm)


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
        reference.kernels.own_loss(member.problem._replace(loss=twin), SETTING),
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


OUTPUTS = {"squared": (1, 2, 3, 8, 10), "cross_entropy": (2, 3, 8, 10)}
WIDTHS = (1, 5, 16, 33)
# Many panels; many panels and inputs and outputs; so wide that 12 panels are a block.
SEVERAL_BLOCKS = ((1, 3, 2, 530), (9, 10, 3, 530), (2, 3, 650, 250))


@pytest.mark.parametrize(
    "dtype, loss, d",
    [
        *(("float64", "squared", d) for d in (1, 8, 9, 64)),
        *(("float64", "cross_entropy", d) for d in (2, 64)),
        ("float32", "squared", 1),
        *(pytest.param("float64", "squared", d, marks=pytest.mark.slow) for d in (2, 7)),
        pytest.param("float32", "squared", 64, marks=pytest.mark.slow),
        pytest.param("float32", "cross_entropy", 64, marks=pytest.mark.slow),
    ],
)
def test_loss_and_gradient_are_the_reference(rng, dtype, loss, d):
    """One compilation a dtype, a loss and one, few or many inputs and outputs."""
    widths = WIDTHS[:2] if INTERPRETED else WIDTHS
    for k, n1 in itertools.product(OUTPUTS[loss], widths):
        assert_equals_reference(random_member(rng, dtype, loss, d, k, n1, SAMPLES), "sigmoid")


@pytest.mark.slow
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
    end = layout.parameter_length(n1, d, k) + LANES
    assert not member.scratch.gradient[n1 * (d + 1 + k) + k : end].any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradient_norm_is_summed_in_float64(rng, dtype):
    gradient = random_net(rng, dtype, 3, 2, 5)
    flat = flatten(gradient)[START:-LANES]
    # float64 sums of the same squares in another order.
    assert run_gradient_norm(flat, flat.size) == pytest.approx(
        reference.network.gradient_norm(gradient), rel=SUM_TOLERANCE["float64"]
    )
    huge = np.full(LANES, 1e30, dtype)  # its square is beyond float32
    assert run_gradient_norm(huge, LANES) == pytest.approx(4e30, rel=EPS["float32"])
    for poison in (np.nan, np.inf):
        huge[3] = poison
        assert not np.isfinite(run_gradient_norm(huge, LANES))


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
