"""Mini-batches with the units in the lanes: kernels against the reference, and the promises."""

import numpy as np
import pytest
from nets import (
    DTYPES,
    INTERPRETED,
    SETTING,
    SUM_TOLERANCE,
    assert_close,
    in_float64,
    make_member,
    random_member,
    random_net,
    random_samples,
)
from test_honest_losses import HONEST
from trainings import TRAINING_TOLERANCE, assert_same_training, member_bytes

from fastnet import reference
from fastnet.data.samples import make_data
from fastnet.engine import layout, losses, records, units
from fastnet.engine.activations import ACTIVATIONS
from fastnet.engine.losses import LOSSES
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES
from fastnet.options.defaults import resolve
from fastnet.training import loop
from fastnet.training import training as trainer
from fastnet.training.plan import make_plan, pick_members

# ---------------------------------------------------------------- one mini-batch


@compile_for_python
def run_arrange(net, scratch):
    return units.arrange(net, scratch.units).n1


@compile_for_python
def run_put_back(net, scratch):
    own = units.arrange(net, scratch.units)
    for i in range(net.n1 * (net.d + 1 + net.k) + net.k):
        net.w[net.o + i] = 0.0
    units.put_back(own, net)


@compile_for_python
def run_batch(net, loss, l2, rows, order, first, count, scratch):
    own = units.arrange(net, scratch.units)
    batch = units.gather(own, rows, order, first, count, scratch.batch)
    return units.loss_and_gradient(own, loss, l2, batch, scratch)


@compile_for_python
def run_mean_loss(net, loss, rows, scratch):
    return units.mean_loss(units.arrange(net, scratch.units), loss, rows, scratch)


def in_units(member, batch_size=33):
    """The member's problem and working memory for this layout, the latter full of NaN."""
    X, Y = member.samples.X, member.samples.Y
    problem = units.problem_in_units(member.problem, X, Y)
    scratch = layout.scratch(problem, len(member.net.b1), batch_size, X.dtype)
    for array in (*scratch[:6], *scratch.batch[:5], scratch.units, scratch.best_units):
        array[...] = np.nan
    return problem, scratch


def net_in_units(member, problem, activation):
    rows = problem.inputs, problem.outputs
    return member.kernel_net(activation)._replace(inputs=rows[0], outputs=rows[1])


def twin_of(member, activation):
    """The reference's arguments: the net in float64, the activation, the loss."""
    twin = member.problem._replace(loss=reference.losses.LOSSES[member.problem.loss.name])
    own = reference.kernels.own_loss(twin, SETTING)
    return in_float64(member.net), reference.activations.ACTIVATIONS[activation], own


def unpacked(rows, n1, d, k):
    """W1, b1, W2, b2 from rows of units, whose filling has to be 0."""
    width = layout.padded(n1)
    table = rows[: width * (d + 1 + k)].reshape(-1, width)
    assert not table[:, n1:].any()
    b2 = rows[table.size : table.size + k]
    assert not rows[table.size + k : layout.padded(table.size + k)].any()
    return table[:d, :n1].T, table[d, :n1], table[d + 1 :, :n1], b2


def assert_batch_equals_reference(member, activation, first, count, l2=0.0):
    """Loss, gradient and norm of a mini-batch are the reference's, which computes in float64."""
    problem, scratch = in_units(member, max(count, 33))
    net, loss = net_in_units(member, problem, activation), losses.Loss(problem.loss, **SETTING)
    order = np.random.default_rng(1).permutation(member.samples.count)
    before = member.flat.copy()
    mean, norm = run_batch(net, loss, l2, problem.train, order, first, count, scratch)
    chosen = order[first : first + count]
    samples = in_float64(type(member.samples)(*(array[chosen] for array in member.samples)))
    twin = twin_of(member, activation)
    wanted, gradient, wanted_norm = reference.network.loss_and_gradient(*twin, l2, samples)
    tolerance, (d, k, n1) = SUM_TOLERANCE[str(member.flat.dtype)], member.shape
    what = f"d, k, N1 = {member.shape}, {count} samples"
    assert mean == pytest.approx(wanted, rel=tolerance), what
    assert norm == pytest.approx(wanted_norm, rel=tolerance), what
    for actual, array in zip(unpacked(scratch.gradient, n1, d, k), gradient):
        np.testing.assert_allclose(
            actual, array, rtol=0, atol=tolerance * wanted_norm, err_msg=what
        )
    np.testing.assert_array_equal(member.flat, before)


def assert_mean_loss_equals_reference(member, activation):
    problem, scratch = in_units(member)
    net, loss = net_in_units(member, problem, activation), losses.Loss(problem.loss, **SETTING)
    mean = run_mean_loss(net, loss, problem.train, scratch)
    wanted = reference.network.mean_loss(*twin_of(member, activation), in_float64(member.samples))
    assert mean == pytest.approx(wanted, rel=SUM_TOLERANCE[str(member.flat.dtype)])


@pytest.mark.parametrize("d, k, n1", [(1, 1, 1), (3, 2, 16), (5, 3, 17), (20, 7, 40)])
def test_weights_are_put_back_as_they_were(rng, d, k, n1):
    member = random_member(rng, "float32", "squared", d, k, n1, 3)
    problem, scratch = in_units(member)
    net, before = net_in_units(member, problem, "sigmoid"), member.flat.copy()
    assert run_arrange(net, scratch) == layout.padded(n1)
    for actual, array in zip(unpacked(scratch.units, n1, d, k), member.net):
        np.testing.assert_array_equal(actual, array)
    run_put_back(net, scratch)
    np.testing.assert_array_equal(member.flat, before)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", ["squared", "cross_entropy"])
def test_every_width_and_every_end_of_a_batch(rng, dtype, loss):
    for n1 in range(1, 41):
        member = random_member(rng, dtype, loss, 5, 3, n1, 40)
        assert_batch_equals_reference(member, "sigmoid", 0, 32)
        if n1 in (1, 16, 37):
            assert_mean_loss_equals_reference(member, "sigmoid")
    for count in range(1, 34):
        assert_batch_equals_reference(member, "sigmoid", 40 - count, count)


# Numbers of inputs on both sides of every chunk, each number of outputs.
SHAPES = [
    pytest.param(d, d % (layout.WIDE - 1) + 1, marks=() if d == 9 else pytest.mark.slow)
    for d in range(1, 26)
]


@pytest.mark.parametrize("d, k", SHAPES)
def test_any_number_of_inputs_and_outputs(rng, d, k):
    for n1, count in ((16, 32), (21, 7)):
        member = random_member(rng, "float64", "squared", d, k, n1, 40)
        assert_batch_equals_reference(member, "tanh", 3, count, l2=0.5)
    assert_mean_loss_equals_reference(member, "tanh")


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
@pytest.mark.parametrize("n1, count", [(650, 50), (33, 300)])
def test_sums_over_several_blocks(rng, dtype, n1, count):
    """So wide that three panels are a block; more samples than the largest block has."""
    assert count > layout.block_panels(layout.padded(n1)) * LANES
    member = random_member(rng, dtype, "squared", 3, 2, n1, count)
    problem, scratch = in_units(member, count)
    assert_mean_loss_equals_reference(member, "sigmoid")
    net, loss = net_in_units(member, problem, "sigmoid"), losses.Loss(problem.loss, **SETTING)
    order = np.arange(count)
    mean, norm = run_batch(net, loss, 0.0, problem.train, order, 0, count, scratch)
    twin = twin_of(member, "sigmoid")
    expected = reference.network.loss_and_gradient(*twin, 0.0, in_float64(member.samples))
    assert (mean, norm) == pytest.approx((expected[0], expected[2]), rel=SUM_TOLERANCE[dtype])
    for actual, wanted in zip(unpacked(scratch.gradient, n1, 3, 2), expected[1]):
        assert_close(actual, wanted, SUM_TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
@pytest.mark.parametrize("activation", ["sigmoid", pytest.param("silu", marks=pytest.mark.slow)])
def test_large_batches_have_the_samples_in_the_lanes(rng, dtype, activation):
    """Every number of panels beyond the last four, a part of a panel, units that fill no vector."""
    member = random_member(rng, dtype, "squared", 4, 2, 21, units.LARGE + 70)
    for more in range(0, 66, 13):
        assert_batch_equals_reference(member, activation, 3, units.LARGE + more, l2=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(rng, activation):
    for n1 in (16, 5):
        member = random_member(rng, "float64", "squared", 3, 2, n1, 40)
        assert_batch_equals_reference(member, activation, 2, 20)
    assert_mean_loss_equals_reference(member, activation)


@pytest.mark.slow
def test_a_slope_of_z_with_more_inputs_than_registers(rng):
    member = random_member(rng, "float64", "squared", 20, 2, 21, 40)
    assert ACTIVATIONS["silu"].needs_z
    assert_batch_equals_reference(member, "silu", 2, 20)


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss(rng, loss):
    k = 1 if loss == "binary_cross_entropy" else 2
    classes = loss if loss == "cross_entropy" else "squared"
    samples = random_samples(rng, "float64", classes, 3, k, 40)
    if loss in ("binary_cross_entropy", "poisson"):
        samples = samples._replace(Y=(samples.Y > 0).astype(float))
    member = make_member(random_net(rng, "float64", 3, k, 16), samples, loss)
    assert_batch_equals_reference(member, "sigmoid", 2, 20)
    assert_mean_loss_equals_reference(member, "sigmoid")


@pytest.mark.parametrize("poison", [np.nan, np.inf])
def test_a_nan_weight_gives_a_nan_loss(rng, poison):
    for name in reference.network.Net._fields if np.isnan(poison) else ("W2", "b2"):
        member = random_member(rng, "float32", "cross_entropy", 5, 3, 13, 40)
        getattr(member.net, name).flat[-1] = poison
        member = make_member(member.net, member.samples, "cross_entropy")
        problem, scratch = in_units(member)
        net = net_in_units(member, problem, "sigmoid")
        loss = losses.Loss(problem.loss, **SETTING)
        found = run_batch(net, loss, 0.0, problem.train, np.arange(40), 0, 32, scratch)
        assert not np.isfinite([*found, run_mean_loss(net, loss, problem.train, scratch)]).any()


# ---------------------------------------------------------------- the choice


def test_the_shape_alone_decides():
    def chosen(n1, batch_size=32, d=5, k=3):
        return bool(layout.in_units(np.array([n1]), np.array([batch_size]), d, k)[0])

    fewest, few, more, many = (
        [n1 for n1 in range(1, 66) if not chosen(n1, **shape)]
        for shape in ({"d": 2, "k": 1}, {"d": 9}, {"d": 32}, {"d": 33})
    )
    assert fewest == few == [*range(1, 9), 17]
    assert more == [*range(1, 13), *range(17, 26), *range(33, 39), 49, 50, 51]
    assert many == [*range(1, 15), *range(17, 29), *range(33, 44), *range(49, 58), 65]
    assert chosen(16, k=7) and chosen(16, batch_size=1000) and chosen(16, d=2, k=1)
    assert not (chosen(16, batch_size=0) or chosen(16, d=1) or chosen(16, k=8))


# ---------------------------------------------------------------- whole trainings

WIDTHS = [2, 13] if INTERPRETED else [2, 13, 16, 30]  # the first has the samples in the lanes
EPOCHS = 5 if INTERPRETED else 20
FEW = pytest.mark.slow  # optimizers whose kernels are compiled for slow tests alone
OPTIMIZERS = [
    "adamw",
    *(pytest.param(name, marks=FEW) for name in ("sgd", "momentum", "nesterov", "rmsprop", "adam")),
]


def samples(classes=False, **more):
    rng = np.random.default_rng(5)
    X = rng.uniform(-1, 1, (75, 3))
    y = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2]
    loss, y = ("cross_entropy", np.digitize(y, (-0.4, 0.4))) if classes else ("squared", y)
    return make_data(X, y, loss, **more)


def make_training(data, **given):
    steps = {"learning_rate": 0.02, "clip_norm": [0.3, None], "lr_patience": 2, "batch_size": 16}
    size = {"n1": WIDTHS, "max_epochs": EPOCHS, "threads": 1}
    chosen = resolve({**size, **steps, **given}, "sweep")
    return trainer.Training(make_plan(chosen, data), data, chosen)


def trained(data, **given):
    training = make_training(data, **given)
    assert loop.train(training) == "done"
    return training


def assert_training_is_the_reference(data, dtype, **given):
    run, twin = (trained(data, backend=b, dtype=dtype, **given) for b in ("kernels", "reference"))
    assert run.units.any() and not run.units.all() and not twin.units.any()
    assert_same_training(run, twin, TRAINING_TOLERANCE[dtype])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_is_the_reference(optimizer):
    own = {"weight_decay": 0.01} if optimizer == "adamw" else {}
    assert_training_is_the_reference(samples(), "float64", optimizer=optimizer, **own)


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_classes_with_penalty_schedule_and_validation(dtype):
    data = samples(classes=True, validation_fraction=0.3)
    more = {"l2": 0.01, "schedule": "cosine", "warmup_epochs": 2, "activation": "tanh"}
    assert_training_is_the_reference(data, dtype, optimizer="sgd", **more)


def test_weights_and_folds():
    weight = np.random.default_rng(2).uniform(0, 2, 75)
    weight[::7] = 0.0
    folds = [(np.flatnonzero(np.arange(75) % 3 != f), np.arange(f, 75, 3)) for f in range(3)]
    data = samples(sample_weight=weight, folds=folds)
    assert_training_is_the_reference(data, "float64", optimizer="sgd")


# ---------------------------------------------------------------- the promises


@pytest.fixture(scope="module", params=DTYPES)
def dtype(request):
    return request.param


def make_sweep(dtype, **more):
    return make_training(samples(), dtype=dtype, optimizer="adamw", **more)


@pytest.fixture(scope="module")
def whole(dtype):
    training = make_sweep(dtype)
    loop.train(training)
    return training


def test_a_member_has_the_same_bytes_alone_and_in_any_sweep(dtype, whole):
    count = len(whole.plan.columns)
    groups = [[m] for m in range(count)] + [np.random.default_rng(1).permutation(count)]
    for chosen in groups:
        training = make_sweep(dtype, threads=2)
        plan = pick_members(training.plan, chosen)
        again = trainer.Training(plan, samples(), training.options)
        loop.train(again)
        for place, member in enumerate(chosen):
            assert member_bytes(again, place) == member_bytes(whole, member)


@pytest.mark.parametrize("epochs", [1, 3])
def test_rounds_and_a_restored_checkpoint_change_nothing(dtype, whole, epochs):
    first, second = make_sweep(dtype), make_sweep(dtype, threads=2)
    first.epochs, first.next_epochs = 1, lambda took, done: epochs
    second.next_epochs = first.next_epochs
    assert loop.train(first, lambda training: training.start >= 3) == "interrupted"
    second.restore({name: array.copy() for name, array in first.checkpoint().items()})
    loop.train(second)
    for member in range(len(whole.plan.columns)):
        assert member_bytes(second, member) == member_bytes(whole, member)


def test_a_diverged_member_changes_no_neighbour(dtype, whole):
    training = make_sweep(dtype, threads=2)
    places = training.plan.settings["offset"]
    training.pack.parameters[places[::2]] = np.nan
    loop.train(training)
    stops = training.pack.states["stop"]
    assert (stops[::2] == records.DIVERGED).all()
    for member in range(1, len(places), 2):
        assert member_bytes(training, member) == member_bytes(whole, member)


def test_reported_losses_are_those_of_the_weights(dtype):
    data = samples(classes=True)
    run = trained(data, dtype=dtype, optimizer="sgd", activation="tanh")
    relative, absolute = HONEST[dtype]
    evaluated, _ = run.evaluate("train")
    X = data.X.astype(dtype).astype(np.float64)
    for member, row in enumerate(run.plan.settings):
        weights = layout.views(run.pack.best, row["offset"], int(row["n1"]), 3, 3)
        W1, b1, W2, b2 = (array.astype(np.float64) for array in weights)
        z = np.tanh(X @ W1.T + b1) @ W2.T + b2
        logs = z - z.max(axis=1, keepdims=True)
        logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
        loss = pytest.approx(-(logs * data.Y).sum(axis=1).mean(), rel=relative, abs=absolute)
        assert run.pack.states["best_loss"][member] == loss
        assert evaluated[member] == loss
    np.testing.assert_array_equal(evaluated, run.pack.states["best_loss"])
