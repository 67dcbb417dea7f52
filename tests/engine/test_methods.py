"""Every activation, loss, optimiser and schedule of the engine against the reference, alone and in
whole trainings."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from nets import DTYPES, EPS, INTERPRETED

import fastnet
from fastnet import errors, reference
from fastnet.data.samples import make_data
from fastnet.engine import activations, layout, losses, optimizers, schedules
from fastnet.engine.records import SETTINGS, STATE
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES, load, store
from fastnet.options import methods
from fastnet.options.defaults import resolve
from fastnet.training import loop
from fastnet.training.plan import make_plan, pick_members

# Of values near 1, in eps: elementary functions with up to 7 units, and a product or two.
VALUE_EPS = 10
# A loss of several outputs near 1, each made of an exponential or a logarithm.
LOSS_EPS = 30
# Forty steps, each with a root and a quotient.
STEPS_EPS = 100
STORED = json.loads(Path(__file__).parents[1].joinpath("outside_methods.json").read_text())
# Two libraries in float64 that differ in the order of sums, over 50 epochs.
OUTSIDE_RTOL = 1e-10


def test_every_table_has_the_names_of_options():
    for names, *tables in (
        (methods.ACTIVATIONS, activations.ACTIVATIONS, reference.activations.ACTIVATIONS),
        (methods.LOSSES, losses.LOSSES, reference.losses.LOSSES),
        (methods.FIRST_ORDER, optimizers.OPTIMIZERS, reference.optimizers.OPTIMIZERS),
        (methods.SCHEDULES, reference.schedules.SCHEDULES),
    ):
        assert all(set(table) == set(names) for table in tables)
    for name, row in optimizers.OPTIMIZERS.items():
        assert row.memory == reference.optimizers.OPTIMIZERS[name].memory


# ---------------------------------------------------------------- activations


@compile_for_python
def run_activation(activation, z, h, slopes):
    for i in range(0, z.size, LANES):
        store(h, i, activation.value(load(z, i)))
        store(slopes, i, activation.slope(load(z, i), load(h, i)))


def activated(name, z):
    """h and slopes by the compiled functions; z of a length of whole vectors."""
    h, slopes = np.empty_like(z), np.empty_like(z)
    run_activation(activations.ACTIVATIONS[name], z, h, slopes)
    return h, slopes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", methods.ACTIVATIONS)
def test_an_activation_is_its_formula(rng, dtype, name):
    edges = [0.0, -0.0, 1e-20, -1e-20, 30, -30, 700, -700]
    z = np.concatenate([rng.normal(0, 3, 504), edges]).astype(dtype)
    h, slopes = activated(name, z)
    value, slope = reference.activations.ACTIVATIONS[name]
    exact = value(z.astype(np.float64))
    atol = VALUE_EPS * EPS[dtype]
    np.testing.assert_allclose(h, exact, rtol=VALUE_EPS * EPS[dtype], atol=atol)
    # From the rounded h, as the kernel has it.
    np.testing.assert_allclose(slopes, slope(z.astype(float), exact), rtol=0, atol=3 * atol)
    np.testing.assert_allclose(slopes, slope(z, h), rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", methods.ACTIVATIONS)
def test_a_nan_comes_through_an_activation(dtype, name):
    h, slopes = activated(name, np.full(LANES, np.nan, dtype))
    assert np.isnan(h).all() and np.isnan(slopes).all()


# ---------------------------------------------------------------- losses

SETTING = {"huber_delta": 0.8, "quantile": 0.3}


@compile_for_python
def run_loss(loss, output, y, weight, k, each):
    store(each, 0, loss.kind.error(output, 0, y, 0, load(weight, 0), k, loss))


def targets_for(name, rng, k):
    if name == "poisson":
        return rng.poisson(2.0, (LANES, k))
    if name == "binary_cross_entropy":
        return rng.integers(0, 2, (LANES, k))
    if name == "cross_entropy":
        return np.eye(k)[rng.integers(0, k, LANES)]
    return rng.normal(size=(LANES, k))


def loss_of(name, Z2, Y, weight):
    """Losses and slopes of LANES samples by the compiled function."""
    k, each = Z2.shape[1], np.empty(LANES)
    output, y = (array.T.copy().reshape(-1) for array in (Z2, Y))
    loss = losses.Loss(losses.LOSSES[name], **SETTING)
    run_loss(loss, output, y, weight, k, each)
    return each, output.reshape(k, LANES).T


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", methods.LOSSES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 20.0])
def test_a_loss_is_its_formula(rng, dtype, name, scale):
    Y = targets_for(name, rng, 3).astype(dtype)
    Z2 = (scale * rng.normal(size=Y.shape)).astype(dtype)
    if name not in ("poisson", *methods.CLASSIFIERS):
        Z2 += Y  # small errors, too
    weight = rng.uniform(0, 2, LANES).astype(dtype)
    each, slopes = loss_of(name, Z2, Y, weight)
    expected, dZ2 = reference.losses.LOSSES[name](Z2.astype(float), Y.astype(float), SETTING)
    size = np.abs(expected).max()
    np.testing.assert_allclose(each, expected, rtol=LOSS_EPS * EPS[dtype], atol=EPS[dtype] * size)
    tolerance = LOSS_EPS * EPS[dtype] * np.abs(dZ2).max()
    np.testing.assert_allclose(slopes, dZ2 * weight[:, None], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", methods.LOSSES)
def test_a_nan_comes_through_a_loss(rng, name):
    Y = targets_for(name, rng, 3).astype(float)
    Z2 = rng.normal(size=Y.shape)
    Z2[5, 0] = np.nan
    each, slopes = loss_of(name, Z2, Y, np.ones(LANES))
    assert np.isnan(each[5]) and np.isnan(slopes[5, 0])
    assert np.isfinite(np.delete(each, 5)).all()


# ---------------------------------------------------------------- optimisers

# Values away from the defaults, and of every number another one.
NUMBERS = {"momentum": 0.8, "beta_1": 0.85, "beta_2": 0.99, "epsilon": 1e-6, "rho": 0.95}
NUMBERS |= {"weight_decay": 0.3}


@compile_for_python
def run_step(optimizer, w, o, n1, d, k, length, gradient, memory, settings, states, loss):
    net = layout.Net(w, o, n1, d, k, 0, 0, 0, n1)
    optimizer.update(net, length, gradient, memory, settings[0], states[0], loss)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", methods.FIRST_ORDER)
def test_an_optimizer_is_its_formula(rng, dtype, name):
    d, k, n1, behind = 3, 2, 5, LANES
    shapes = ((n1, d), (n1,), (n1, k), (k,))
    length = layout.parameter_length(n1, d, k)
    used = n1 * (d + 1 + k) + k
    flat, row = np.full(length + 2 * behind, np.nan, dtype), optimizers.OPTIMIZERS[name]
    flat[behind : behind + length] = 0
    flat[behind : behind + used] = rng.normal(size=used)
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]

    def arrays(run):
        return [part.reshape(s) for part, s in zip(np.split(run[:used], ends), shapes)]

    twins = [a.astype(np.float64) for a in arrays(flat[behind:])]
    update, count = reference.optimizers.OPTIMIZERS[name]
    kept = [[np.zeros_like(w) for _ in range(count)] for w in twins]
    memory = np.zeros(behind + max(count, 1) * length, dtype)
    settings, states = np.zeros(1, SETTINGS), np.zeros(1, STATE)
    settings["memory"], states["learning_rate"], states["step_loss"] = behind, 0.05, 1.0
    for number, value in NUMBERS.items():
        settings[number] = value
    for t in range(1, 41):
        gradient = np.zeros(length, dtype)
        gradient[:used] = np.round(rng.normal(0.1, 1, used), 3)
        states["steps"], loss = t, 1.5 if t % 3 == 0 else 0.5  # above that of the step before
        rows = gradient, memory, settings, states
        run_step(row, flat, behind, n1, d, k, length, *rows, loss)
        for w, g, own in zip(twins, arrays(gradient), kept):
            update(w, g.astype(np.float64), own, settings[0], states[0], loss)
    tolerance = STEPS_EPS * EPS[dtype]
    for actual, wanted in zip(arrays(flat[behind:]), twins):
        np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)
    assert np.isnan(flat[:behind]).all() and np.isnan(flat[behind + length :]).all()
    assert not flat[behind + used : behind + length].any() and not memory[:behind].any()


# ---------------------------------------------------------------- schedules


@compile_for_python
def run_schedule(settings, rates):
    for epoch in range(rates.size):
        rates[epoch] = schedules.learning_rate(0.4, settings[0], epoch)


@pytest.mark.parametrize("warmup_epochs", [0, 7, 50])
@pytest.mark.parametrize("name", methods.SCHEDULES)
def test_a_schedule_is_its_formula(name, warmup_epochs):
    settings = np.zeros(1, SETTINGS)
    settings["schedule"] = methods.SCHEDULES.index(name)
    settings["lr_factor"], settings["decay_epochs"] = 0.6, 6
    settings["min_learning_rate"], settings["max_epochs"] = 0.01, 40
    settings["warmup_epochs"] = warmup_epochs
    rates = np.empty(41)
    run_schedule(settings, rates)
    expected = [reference.schedules.learning_rate(0.4, settings[0], epoch) for epoch in range(41)]
    np.testing.assert_allclose(rates, expected, rtol=4 * EPS["float64"])


# ---------------------------------------------------------------- whole trainings

# Every name is in one of them. Compiling one takes ten seconds: compiled, three of them must do,
# beside the tests of every function above; the interpreter takes them all.
METHODS = (
    {"activation": "silu", "loss": "quantile", "optimizer": "nesterov", "schedule": "step"},
    {"activation": "sin", "loss": "poisson", "optimizer": "rmsprop", "schedule": "exponential"},
    {"activation": "softplus", "loss": "log_cosh", "optimizer": "adamw", "schedule": "one_cycle"},
    {"activation": "gelu", "loss": "huber", "optimizer": "adam", "schedule": "cosine"},
    {"activation": "elu", "loss": "absolute", "optimizer": "rprop", "schedule": "constant"},
    {
        "activation": "leaky_relu",
        "loss": "binary_cross_entropy",
        "optimizer": "momentum",
        "schedule": "plateau",
    },
)
METHODS = METHODS if INTERPRETED else METHODS[3:]
NAMES = [" ".join(method.values()) for method in METHODS]
# Each step passes on the rounding of those before: 2e-13 measured.
TRAINING_RTOL = 1e-10


def samples(loss, n, d, k):
    """Samples with targets of the kind that the loss takes, and their weights."""
    rng = np.random.default_rng([n, d, k])
    X = rng.uniform(-1, 1, (n, d))
    signal = np.sin(2 * X[:, :1] + np.arange(k))
    if loss == "binary_cross_entropy":
        return X, (signal > 0.3).astype(int), rng.uniform(0.5, 2, n)
    if loss == "poisson":
        return X, rng.poisson(2 + signal), rng.uniform(0.5, 2, n)
    return X, signal + rng.normal(0, 0.1, signal.shape), rng.uniform(0.5, 2, n)


def swept(method, d=1, k=1, n=70, **given):
    X, y, weight = samples(method["loss"], n, d, k)
    size = {"n1": [1, 5], "max_epochs": 12, "learning_rate": 0.02, "warmup_epochs": 2}
    size |= {"clip_norm": 2.0, "l2": 1e-3, "init": "glorot_uniform", "dtype": "float64"}
    size |= {"lr_patience": 2, "min_delta": 1e-2, "threads": 1}
    return fastnet.sweep(X, y, sample_weight=weight, **{**size, **method, **given})


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_training_is_the_reference(method):
    shapes = [{"d": 1}, {"d": 9, "k": 10}, {"d": 3, "batch_size": 16, "validation_fraction": 0.3}]
    for shape in shapes:
        if method["optimizer"] == "rprop":
            shape.pop("batch_size", None)
        run, twin = (swept(method, **shape, backend=b) for b in ("kernels", "reference"))
        for name in ("train_loss", "val_loss", "learning_rate"):
            np.testing.assert_allclose(
                run.entries[name], twin.entries[name], rtol=TRAINING_RTOL, err_msg=f"{name} {shape}"
            )
        for name in ("W1", "b1", "W2", "b2"):
            largest = np.abs(twin.packed[name]).max()
            np.testing.assert_allclose(
                run.packed[name], twin.packed[name], rtol=0, atol=TRAINING_RTOL * largest
            )
        accuracies = (table.members["train_accuracy"] for table in (run, twin))
        np.testing.assert_allclose(*accuracies, rtol=TRAINING_RTOL)
        assert run.members["best_epoch"].min() > 0


@pytest.mark.parametrize("backend", [pytest.param("kernels", marks=pytest.mark.slow), "reference"])
@pytest.mark.parametrize("name", [n for n in methods.FIRST_ORDER if n != "rprop"])
def test_losses_of_fifty_epochs_are_those_of_torch(name, backend):
    """With PyTorch's optimiser of that name on the same network, from the same weights."""
    case, weights = dict(STORED["trainings"][name]), STORED["trainings"]["weights"]
    expected = case.pop("losses")
    x = np.linspace(-1, 1, STORED["trainings"]["samples"])
    result = fastnet.train(
        x,
        np.sin(2 * np.pi * x),
        n1=7,
        optimizer=name,
        max_epochs=len(expected) - 1,
        initial_weights=[weights],
        dtype="float64",
        backend=backend,
        **case,
    )
    np.testing.assert_allclose(result.history().train_loss, expected, rtol=OUTSIDE_RTOL)


# ---------------------------------------------------------------- one sweep of many optimisers

MIXED = {
    "optimizer": ["sgd", "adam", "rprop"],
    "schedule": ["plateau", "cosine"],
    "activation": ["sigmoid", "silu"],
    "n1": [2, 5],
    "warmup_epochs": 3,
    "max_epochs": 25,
    "dtype": "float32",
}
SINE = np.linspace(-1, 1, 60), np.sin(np.linspace(-3, 3, 60))


def member_bytes(result, member):
    arrays = *result.weights(member), *result.history(member)
    return [array.tobytes() for array in arrays]


@pytest.fixture(scope="module")
def mixed():
    return fastnet.sweep(*SINE, threads=1, **MIXED)


@pytest.mark.slow
def test_members_of_a_mixed_sweep_have_the_bytes_they_have_alone(mixed, monkeypatch):
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)  # rounds of one epoch
    for member in range(0, len(mixed.members), 3):
        row = mixed.members[member]
        own = {name: [row[name].item()] for name in ("optimizer", "schedule", "activation", "n1")}
        alone = fastnet.sweep(*SINE, threads=2, **{**MIXED, **own})
        assert member_bytes(alone, 0) == member_bytes(mixed, member)


@pytest.mark.slow
def test_an_interrupted_mixed_sweep_resumes_to_the_same_bytes(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)
    train, stopped = loop.train, lambda job, *_: job.start >= 9
    monkeypatch.setattr("fastnet.training.loop.train", lambda job, *_: train(job, stopped))
    first = fastnet.sweep(*SINE, out=tmp_path / "run", threads=1, **MIXED)
    assert first.status == "interrupted"
    monkeypatch.setattr("fastnet.training.loop.train", train)
    second = fastnet.api.resume(tmp_path / "run", *SINE, threads=2)
    for member in range(len(mixed.members)):
        assert member_bytes(second, member) == member_bytes(mixed, member)


def test_memory_is_only_there_for_those_that_keep_some():
    given = resolve({"n1": [4, 7], "optimizer": ["sgd", "momentum", "adam"]}, "sweep")
    made = make_plan(given, make_data(*SINE))
    lengths = layout.parameter_length(made.columns["n1"], 1, 1)
    assert made.memory == (lengths * [0, 1, 2, 0, 1, 2]).sum()
    assert pick_members(made, [0, 3]).memory == 0


def test_an_optimizer_has_its_own_learning_rate():
    members = fastnet.sweep(*SINE, optimizer=["sgd", "adam"], max_epochs=1).members
    assert members["learning_rate"].tolist() == [0.1, 0.01]
    assert resolve({"optimizer": "adam"}, "train", 2)["learning_rate"] == (None,)


# ---------------------------------------------------------------- predictions


def test_counts_are_predicted_by_their_mean():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (400, 1))
    y = rng.poisson(np.exp(1 + X[:, 0]))
    given = {"loss": "poisson", "n1": 4, "optimizer": "adam", "learning_rate": 0.05}
    result = fastnet.train(X, y, max_epochs=300, backend="reference", **given)
    predicted = result.model().predict(X)
    assert np.abs(predicted / np.exp(1 + X[:, 0]) - 1).max() < 0.35
    assert result.best["train_loss"] > 0 and np.isnan(result.best["train_accuracy"])


def test_one_logit_tells_two_classes():
    X = np.linspace(-1, 1, 81)
    y = np.where(X > 0.25, "yes", "no")
    given = {"loss": "binary_cross_entropy", "n1": 3, "optimizer": "adam", "learning_rate": 0.05}
    given |= {"validation_fraction": 0.2, "class_weight": "balanced"}
    result = fastnet.train(X, y, max_epochs=400, backend="reference", **given)
    model = result.model()
    assert model.weights.W2.shape == (1, 3) and model.classes.tolist() == ["no", "yes"]
    assert (model.predict(X) == y).mean() > 0.95 and result.best["train_accuracy"] > 0.95
    shares = model.predict_proba(X)
    assert shares.shape == (81, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert ((shares[:, 1] > 0.5) == (model.predict(X) == "yes")).all()


def test_a_quantile_lies_above_its_share_of_the_samples():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (500, 1))
    y = X[:, 0] + rng.normal(size=500)
    given = {"loss": "quantile", "quantile": [0.1, 0.9], "n1": 2, "optimizer": "adam"}
    result = fastnet.sweep(X, y, max_epochs=400, backend="reference", learning_rate=0.05, **given)
    shares = [(y < result.model(member).predict(X)).mean() for member in (0, 1)]
    np.testing.assert_allclose(shares, [0.1, 0.9], atol=0.05)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("y", "given", "message"),
    [
        ([1, -2, 3], {"loss": "poisson"}, "y must hold counts >= 0 for loss poisson, got -2; use"),
        (
            ["a", "b", "c"],
            {"loss": "binary_cross_entropy"},
            "y must have two classes for loss binary_cross_entropy, got 3; use loss cross_entropy",
        ),
        (
            [1, 2, 3],
            {"optimizer": "rprop", "batch_size": 2},
            "optimizer rprop needs all samples in a step, got batch_size 2; give batch_size none",
        ),
        (
            [1, 2, 3],
            {"momentum": 0.8},
            "momentum 0.8 has no effect with optimizer sgd; it belongs to momentum and nesterov",
        ),
        ([1, 2, 3], {"quantile": 0.8}, "quantile 0.8 has no effect with loss squared; it belongs"),
    ],
)
def test_what_does_not_go_together_is_refused(y, given, message):
    with pytest.raises(errors.FastnetError, match=message):
        fastnet.train([[0.0], [1.0], [2.0]], y, **given)
