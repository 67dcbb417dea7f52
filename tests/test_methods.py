"""The compiled activations, losses, optimisers and schedules against their twins in formulas.py,
alone and in whole trainings."""

import json
import math
from pathlib import Path

import numba
import numpy as np
import pytest

import fastnet
from fastnet import activations, formulas, losses, network, optimizers, options, schedules
from fastnet.kernels import SETTINGS
from fastnet.vector import LANES, load, store

INTERPRETED = bool(numba.config.DISABLE_JIT)
DTYPES = ("float32", "float64")
EPS = {name: float(np.finfo(name).eps) for name in DTYPES}
# Of values near 1, in eps: elementary functions with up to 7 units, and a product or two.
VALUE_EPS = 10
# A loss of several outputs near 1, each made of an exponential or a logarithm.
LOSS_EPS = 30
# Forty steps, each with a root and a quotient.
STEPS_EPS = 100
STORED = json.loads(Path(__file__).with_name("outside_methods.json").read_text())
# Two libraries in float64 that differ in the order of sums, over 50 epochs.
OUTSIDE_RTOL = 1e-10

compiled = numba.njit(error_model="numpy", _nrt=False)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def silent_in_the_interpreter():
    """Compiled code overflows without a word; NumPy, where it stands in for it, warns."""
    with np.errstate(all="ignore" if INTERPRETED else None):
        yield


def test_every_table_has_the_names_of_options():
    for names, *tables in (
        (options.ACTIVATIONS, activations.ACTIVATIONS, formulas.ACTIVATIONS),
        (options.LOSSES, losses.LOSSES, formulas.LOSSES),
        (options.OPTIMIZERS, optimizers.OPTIMIZERS, formulas.OPTIMIZERS),
        (options.SCHEDULES, formulas.SCHEDULES),
    ):
        assert all(set(table) == set(names) for table in tables)
    assert set(options.LEARNING_RATES) == set(options.OPTIMIZERS)
    # The position of a schedule is its code.
    assert tuple(formulas.SCHEDULES) == options.SCHEDULES
    for code, name in enumerate(options.SCHEDULES):
        assert getattr(schedules, name.upper()) == code
    for name, row in optimizers.OPTIMIZERS.items():
        assert row.memory == formulas.OPTIMIZERS[name].memory


# ---------------------------------------------------------------- activations


@compiled
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
@pytest.mark.parametrize("name", options.ACTIVATIONS)
def test_an_activation_is_its_formula(rng, dtype, name):
    edges = [0.0, -0.0, 1e-20, -1e-20, 30, -30, 700, -700]
    z = np.concatenate([rng.normal(0, 3, 504), edges]).astype(dtype)
    h, slopes = activated(name, z)
    value, slope = formulas.ACTIVATIONS[name]
    exact = value(z.astype(np.float64))
    atol = VALUE_EPS * EPS[dtype]
    np.testing.assert_allclose(h, exact, rtol=VALUE_EPS * EPS[dtype], atol=atol)
    # From the rounded h, as the kernel has it.
    np.testing.assert_allclose(slopes, slope(z.astype(float), exact), rtol=0, atol=3 * atol)
    np.testing.assert_allclose(slopes, slope(z, h), rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", options.ACTIVATIONS)
def test_a_nan_comes_through_an_activation(dtype, name):
    h, slopes = activated(name, np.full(LANES, np.nan, dtype))
    assert np.isnan(h).all() and np.isnan(slopes).all()


# ---------------------------------------------------------------- losses

SETTING = {"huber_delta": 0.8, "quantile": 0.3}


@compiled
def run_loss(loss, output, y, weight, k, each):
    store(each, 0, loss.kind.error(output, 0, y, 0, load(weight, 0), k, loss))


def targets_for(name, rng, k):
    if name == "poisson":
        return rng.poisson(2.0, (LANES, k))
    if name == "binary_cross_entropy":
        return rng.integers(0, 2, (LANES, 1))
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
@pytest.mark.parametrize("name", options.LOSSES)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 20.0])
def test_a_loss_is_its_formula(rng, dtype, name, scale):
    Y = targets_for(name, rng, 3).astype(dtype)
    Z2 = (scale * rng.normal(size=Y.shape)).astype(dtype)
    if name not in ("poisson", *options.CLASSIFIERS):
        Z2 += Y  # small errors, too
    weight = rng.uniform(0, 2, LANES).astype(dtype)
    each, slopes = loss_of(name, Z2, Y, weight)
    expected, dZ2 = formulas.LOSSES[name](Z2.astype(float), Y.astype(float), SETTING)
    size = np.abs(expected).max()
    np.testing.assert_allclose(each, expected, rtol=LOSS_EPS * EPS[dtype], atol=EPS[dtype] * size)
    tolerance = LOSS_EPS * EPS[dtype] * np.abs(dZ2).max()
    np.testing.assert_allclose(slopes, dZ2 * weight[:, None], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", options.LOSSES)
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


@compiled
def run_step(optimizer, w, o, n1, d, k, length, gradient, memory, step):
    optimizer.update(network.Net(w, o, n1, d, k, 0), length, gradient, memory, step)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", options.OPTIMIZERS)
def test_an_optimizer_is_its_formula(rng, dtype, name):
    d, k, n1, behind = 3, 2, 5, LANES
    shapes = ((n1, d), (n1,), (n1, k), (k,))
    length = network.parameter_length(n1, d, k)
    used = n1 * (d + 1 + k) + k
    flat, row = np.full(length + 2 * behind, np.nan, dtype), optimizers.OPTIMIZERS[name]
    flat[behind : behind + length] = 0
    flat[behind : behind + used] = rng.normal(size=used)
    ends = np.cumsum([math.prod(shape) for shape in shapes])[:-1]

    def arrays(run):
        return [part.reshape(s) for part, s in zip(np.split(run[:used], ends), shapes)]

    twins = [a.astype(np.float64) for a in arrays(flat[behind:])]
    update, count = formulas.OPTIMIZERS[name]
    kept = [[np.zeros_like(w) for _ in range(count)] for w in twins]
    memory = np.zeros(behind + max(count, 1) * length, dtype)
    for t in range(1, 41):
        gradient = np.zeros(length, dtype)
        gradient[:used] = np.round(rng.normal(0.1, 1, used), 3)
        worse = bool(t % 3 == 0)
        step = optimizers.Step(behind, 0.05, t, *(NUMBERS[n] for n in ORDER), worse)
        run_step(row, flat, behind, n1, d, k, length, gradient, memory, step)
        numbers = formulas.Step(0.05, t, **NUMBERS, worse=worse)
        for w, g, own in zip(twins, arrays(gradient), kept):
            update(w, g.astype(np.float64), own, numbers)
    tolerance = STEPS_EPS * EPS[dtype]
    for actual, wanted in zip(arrays(flat[behind:]), twins):
        np.testing.assert_allclose(actual, wanted, rtol=tolerance, atol=tolerance)
    assert np.isnan(flat[:behind]).all() and np.isnan(flat[behind + length :]).all()
    assert not flat[behind + used : behind + length].any() and not memory[:behind].any()


ORDER = ("momentum", "beta_1", "beta_2", "epsilon", "rho", "weight_decay")
assert optimizers.Step._fields == ("memory", "learning_rate", "count", *ORDER, "worse")


# ---------------------------------------------------------------- schedules


@compiled
def run_schedule(settings, rates):
    for epoch in range(rates.size):
        rates[epoch] = schedules.learning_rate(0.4, settings[0], epoch)


@pytest.mark.parametrize("warmup_epochs", [0, 7, 50])
@pytest.mark.parametrize("name", options.SCHEDULES)
def test_a_schedule_is_its_formula(name, warmup_epochs):
    settings = np.zeros(1, SETTINGS)
    settings["schedule"] = options.SCHEDULES.index(name)
    settings["lr_factor"], settings["decay_epochs"] = 0.6, 6
    settings["min_learning_rate"], settings["max_epochs"] = 0.01, 40
    settings["warmup_epochs"] = warmup_epochs
    rates = np.empty(41)
    run_schedule(settings, rates)
    expected = [formulas.learning_rate(0.4, settings[0], epoch) for epoch in range(41)]
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
        return X, signal[:, 0] > 0.3, rng.uniform(0.5, 2, n)
    if loss == "poisson":
        return X, rng.poisson(2 + signal), rng.uniform(0.5, 2, n)
    return X, signal + rng.normal(0, 0.1, signal.shape), rng.uniform(0.5, 2, n)


def swept(method, d=1, k=1, n=70, **given):
    X, y, weight = samples(method["loss"], n, d, k)
    size = {"n1": [1, 5], "max_epochs": 12, "learning_rate": 0.02, "warmup_epochs": 2}
    size |= {"clip_norm": 2.0, "l2": 1e-3, "init": "glorot_uniform", "dtype": "float64"}
    size |= {"lr_patience": 2, "min_delta": 1e-2, "threads": 1}
    return fastnet.sweep(X, y, sample_weight=weight, **{**size, **method, **given})


@pytest.mark.parametrize("method", METHODS, ids=NAMES)
def test_a_training_is_the_reference(method):
    shapes = [{"d": 1}, {"d": 9, "k": 10}, {"d": 3, "batch_size": 16, "validation_fraction": 0.3}]
    for shape in shapes:
        if method["optimizer"] == "rprop":
            shape.pop("batch_size", None)
        if method["loss"] == "binary_cross_entropy":
            shape.pop("k", None)
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


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("name", [n for n in options.OPTIMIZERS if n != "rprop"])
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
