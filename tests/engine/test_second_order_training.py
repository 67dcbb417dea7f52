"""Trainings by lm, br and lbfgs: twins, promises, other libraries, degenerate problems."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from fastnet import api, reference
from fastnet.engine import init
from fastnet.errors import UsageError
from fastnet.job import prepare
from fastnet.options import methods
from fastnet.options.defaults import resolve
from fastnet.options.table import OPTIONS, STEPPED
from fastnet.reference import levenberg
from fastnet.reference.levenberg import flatten, write
from fastnet.training import loop
from fastnet.training import training as trainer
from fastnet.training.plan import pick_members

METHODS = ("lm", "br", "lbfgs")
# Each epoch solves equations and passes on the rounding of those before; 1e-8 measured with lm,
# 1e-6 with lbfgs, whose steps depend on differences of gradients.
TWIN_RTOL = {"lm": 1e-6, "br": 1e-6, "lbfgs": 1e-4}
# Two ways to the same minimum, each within its own tolerance of it.
MINIMUM_RTOL = 1e-4


def wave(n=60):
    x = np.linspace(-1, 1, n)
    return x, np.sin(np.pi * x)


def sweep(X, y, optimizer, **given):
    usual = {"n1": 3, "seeds": [0], "max_epochs": 30, "dtype": "float64", "threads": 1}
    return api.sweep(X, y, optimizer=optimizer, **{**usual, **given})


# ---------------------------------------------------------------- twins


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", METHODS)
def test_trainings_are_those_of_the_reference(optimizer):
    X, y = wave()
    cases = {"lm": ({}, {"damping": "marquardt", "l2": 1e-4})}.get(optimizer, ({},))
    for more in cases:
        given = {"n1": [1, 3], "seeds": 2, "max_epochs": 12, **more}
        kernels = sweep(X, y, optimizer, **given)
        twins = sweep(X, y, optimizer, backend="reference", **given)
        assert list(kernels.members["stop_reason"]) == list(twins.members["stop_reason"])
        for member in range(4):
            one, other = kernels.history(member), twins.history(member)
            np.testing.assert_array_equal(one.epoch, other.epoch)
            np.testing.assert_allclose(one.train_loss, other.train_loss, TWIN_RTOL[optimizer])
        for name in ("effective_parameters", "best_epoch"):
            np.testing.assert_allclose(
                kernels.members[name], twins.members[name], TWIN_RTOL[optimizer], 1e-9
            )


@pytest.mark.slow
def test_several_outputs_weights_and_a_validation_set(rng):
    X, y = rng.uniform(-1, 1, (50, 2)), rng.normal(size=(50, 2))
    given = {
        "sample_weight": rng.uniform(0, 2, 50), "validation_fraction": 0.3, "max_epochs": 8,
    }  # fmt: skip
    kernels, twins = (sweep(X, y, "lm", backend=b, **given) for b in options_of("backend"))
    one, other = kernels.history(), twins.history()
    np.testing.assert_allclose(one.train_loss, other.train_loss, TWIN_RTOL["lm"])
    np.testing.assert_allclose(one.val_loss, other.val_loss, TWIN_RTOL["lm"])


def options_of(name):
    return OPTIONS[name].choices


# ---------------------------------------------------------------- promises


def planned(**given):
    X, y = wave(40)
    usual = {"n1": [2, 5], "seeds": 2, "max_epochs": 25, "optimizer": METHODS, "threads": 1}
    return prepare("sweep", X, y, None, {**usual, **given})


def trained(resolved, checked, members, threads, epochs=None):
    training = trainer.Training(members, checked, {**resolved, "threads": threads})
    if epochs is not None:
        training.next_epochs = lambda took, done: epochs
        training.epochs = epochs
    loop.train(training)
    return training


def assert_same(one, i, other, j):
    runs = []
    for training, member in ((one, i), (other, j)):
        flat = training.unpacked(training.pack.best, [member])
        state = training.pack.states[member]
        runs.append([*flat.values(), *(state[name] for name in state.dtype.names)])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def everyone():
    resolved, checked, members = planned()
    return resolved, checked, members, trained(resolved, checked, members, 1)


def test_members_have_the_same_bytes_alone_in_any_rounds_and_threads(everyone):
    resolved, checked, members, whole = everyone
    for i in range(0, len(members.columns), 5):
        assert_same(trained(resolved, checked, pick_members(members, [i]), 1), 0, whole, i)
    for threads, epochs in ((2, 1), (1, 3)):
        again = trained(resolved, checked, members, threads, epochs)
        for i in range(len(members.columns)):
            assert_same(again, i, whole, i)


def test_interrupted_and_restored_ends_with_the_same_bytes(everyone):
    resolved, checked, members, whole = everyone
    first = trainer.Training(members, checked, {**resolved, "threads": 1})
    first.epochs, first.next_epochs = 1, lambda took, done: 3
    assert loop.train(first, lambda training: training.start >= 4) == "interrupted"
    saved = {name: array.copy() for name, array in first.checkpoint().items()}
    second = trainer.Training(members, checked, {**resolved, "threads": 2})
    second.restore(saved)
    assert loop.train(second) == "done"
    for i in range(len(members.columns)):
        assert_same(second, i, whole, i)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", METHODS)
def test_losses_never_rise_and_the_reported_one_is_that_of_the_weights(optimizer):
    X, y = wave()
    for dtype, rtol, atol in (("float64", 1e-12, 0), ("float32", 1e-6, 1e-7)):
        result = sweep(X, y, optimizer, dtype=dtype, max_epochs=12)
        losses = result.history().train_loss
        if optimizer != "br":  # which lowers loss + penalty
            assert (np.diff(losses) < 0).all()
        fresh = ((result.model().predict(X) - y) ** 2).mean() / 2
        np.testing.assert_allclose(result.best["train_loss"], fresh, rtol, atol)
        np.testing.assert_allclose(losses.min(), fresh, rtol, atol)


def test_target_patience_and_max_epochs_stop_as_with_every_optimizer():
    X, y = wave()
    result = sweep(X, y, "lm", target_loss=1e-3, patience=1, max_epochs=50)
    assert result.best["stop_reason"] == "target" and result.best["train_loss"] <= 1e-3
    assert result.history().train_loss[-2] > 1e-3
    result = sweep(X, y, "lm", min_delta=1.0, patience=3)
    assert result.best["stop_reason"] == "patience" and result.best["epochs"] == 3
    assert sweep(X, y, "lm", max_epochs=2).best["stop_reason"] == "max_epochs"


# ---------------------------------------------------------------- other libraries


def scipy_problem(member, X, y):
    """What SciPy needs: the first weights of a member, its residuals and their Jacobian."""
    weights = init.initial_weights(member, 3, 1, 1, "nguyen_widrow", "sigmoid")
    net, sigmoid = reference.network.Net(*weights), reference.activations.ACTIVATIONS["sigmoid"]

    def residuals(w):
        write(w, net)
        return (reference.network.forward(net, sigmoid, X)[1] - y)[:, 0]

    def jacobian(w):
        write(w, net)
        H, _ = reference.network.forward(net, sigmoid, X)
        return reference.levenberg.jacobian(X, H, H * (1 - H), net.W2)[:, 0]

    return flatten(net), residuals, jacobian


def test_lm_ends_where_scipy_does():
    """sin(pi x) with N1 = 3 has one minimum that both find from these weights, in as few steps."""
    optimize = pytest.importorskip("scipy.optimize")
    X, y = wave()
    ours = sweep(X, y, "lm", seeds=3, max_epochs=2000).members
    for member in range(3):
        start, residuals, jacobian = scipy_problem(member, X[:, None], y[:, None])
        theirs = optimize.least_squares(residuals, start, jacobian, method="lm", xtol=1e-12)
        loss = theirs.cost / len(X)
        assert ours["train_loss"][member] <= loss * (1 + MINIMUM_RTOL) + 1e-9


def test_lbfgs_ends_where_scipy_does(rng):
    """One linear unit feeds the output: every minimum is that of linear regression."""
    optimize = pytest.importorskip("scipy.optimize")
    X = rng.normal(size=(50, 3))
    y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=50)
    given = {"n1": 1, "activation": "identity", "max_epochs": 500}
    ours = sweep(X, y, "lbfgs", **given)
    weights = init.initial_weights(0, 1, 3, 1, "glorot_uniform", "identity")
    net, kind = reference.network.Net(*weights), reference.activations.ACTIVATIONS["identity"]
    rows = reference.network.Rows(X, y[:, None], np.ones(50))
    squared = partial(reference.losses.LOSSES["squared"], setting={})

    def value_and_gradient(w):
        write(w, net)
        loss, gradient, _ = reference.network.loss_and_gradient(net, kind, squared, 0.0, rows)
        return loss, flatten(gradient)

    theirs = optimize.minimize(
        value_and_gradient, flatten(net), jac=True, method="L-BFGS-B",
        options={"ftol": 0, "gtol": 1e-9, "maxiter": 1000},
    )  # fmt: skip
    np.testing.assert_allclose(ours.best["train_loss"], theirs.fun, MINIMUM_RTOL)
    assert ours.best["stop_reason"] == "converged"


def test_lm_fits_a_misra_like_curve():
    """NIST StRD's Misra1a, y = b1 (1 - exp(-b2 x)), has the shape of one saturating unit; its data
    are fitted by N1 = 2 below the certified residual sum of squares, 0.12455."""
    x = np.array([77.6, 114.9, 141.1, 190.8, 239.9, 289.0, 332.8, 378.4, 434.8, 477.3, 536.8])
    x = np.append(x, [593.1, 689.1, 760.0])
    y = np.array([10.07, 14.73, 17.94, 23.93, 29.61, 35.18, 40.02, 44.82, 50.76, 55.05, 61.01])
    y = np.append(y, [66.40, 75.47, 81.78])
    scaled = 2 * (x - x.min()) / (x.max() - x.min()) - 1
    result = sweep(scaled, y, "lm", n1=2, seeds=5, max_epochs=500)
    assert 2 * len(x) * result.best["train_loss"] <= 0.12455


# ---------------------------------------------------------------- Bayesian regularisation


@pytest.mark.slow
def test_br_counts_the_parameters_that_noise_leaves(rng):
    """Against lm, which fits the noise: nearer to the function, and fewer effective parameters."""
    x = np.linspace(-1, 1, 40)
    y = np.sin(np.pi * x) + 0.2 * rng.normal(size=40)
    test = (x + 0.02, np.sin(np.pi * (x + 0.02)))
    losses = {}
    for optimizer in ("lm", "br"):
        result = sweep(x, y, optimizer, n1=12, seeds=3, max_epochs=100, test=test)
        losses[optimizer] = np.median(result.members["test_loss"])
        effective = result.members["effective_parameters"]
        assert np.isnan(effective).all() if optimizer == "lm" else (effective < 15).all()
    assert losses["br"] < 0.8 * losses["lm"]


# ---------------------------------------------------------------- degenerate problems


def ends_well(result):
    assert set(result.members["stop_reason"]) <= {"target", "converged", "max_epochs", "patience"}
    assert np.isfinite(result.members["train_loss"]).all()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", METHODS)
def test_degenerate_problems_end_well(optimizer, rng):
    X, y = wave(30)
    ends_well(sweep(np.repeat(X, 3), np.repeat(y, 3), optimizer))  # duplicate samples
    ends_well(sweep(np.zeros(20), rng.normal(size=20), optimizer))  # one input, all the same
    ends_well(sweep(X[:3], y[:3], optimizer, n1=5))  # fewer samples than parameters
    constant = sweep(X, np.full(30, 0.7), optimizer, max_epochs=200)
    ends_well(constant)
    assert constant.best["train_loss"] < 1e-6
    W1 = np.full((3, 1), 1e3)
    saturated = [(W1, np.full(3, 5e3), np.ones((1, 3)), np.zeros(1))]  # all slopes are 0
    ends_well(sweep(X, y, optimizer, initial_weights=saturated))
    twins = [(np.ones((3, 1)), np.zeros(3), np.ones((1, 3)), np.zeros(1))]  # J'J of rank 4
    ends_well(sweep(X, y, optimizer, initial_weights=twins))
    ends_well(sweep(X, 0 * y, optimizer, initial_weights=[(0 * W1, np.zeros(3), 0 * W1.T, [0.0])]))


@pytest.mark.parametrize("optimizer", METHODS)
def test_nan_ends_as_diverged_and_harms_nobody(optimizer):
    X, y = wave(30)
    good = (np.ones((3, 1)), np.arange(3.0), np.ones((1, 3)), np.zeros(1))
    bad = (np.full((3, 1), np.nan), *good[1:])
    result = sweep(X, y, optimizer, seeds=2, initial_weights=[bad, good])
    alone = sweep(X, y, optimizer, initial_weights=[good])
    assert result.members["stop_reason"][0] == "diverged"
    np.testing.assert_array_equal(result.history(1).train_loss, alone.history().train_loss)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_converged_says_by_which_rule(backend):
    X, y = wave(30)
    for optimizer in ("lm", "lbfgs"):
        best = sweep(X, 0 * y, optimizer, max_epochs=100, backend=backend).best
        assert (best["stop_reason"], best["converged_by"]) == ("converged", "min_grad")
    given = {"n1": 2, "dtype": "float32", "max_epochs": 3000, "backend": backend}
    by_search = sweep(X, y, "lbfgs", **given).best
    assert (by_search["stop_reason"], by_search["converged_by"]) == ("converged", "line_search")
    assert sweep(X, y, "lm", max_epochs=1, backend=backend).best["converged_by"] == ""


def test_mu_max_ends_a_search_that_finds_nothing():
    """Here the loss is 1 whatever the weights are."""
    state = {"epoch": 1, "mu": 1.0, "gradient_norm": 1.0, "rule": 0, "flat": 0}
    net = reference.network.Net(*(np.ones(shape) for shape in ((1, 1), 1, (1, 1), 1)))
    rows = reference.network.rows(np.ones((3, 1)), np.ones((3, 1)), np.float64)
    problem = SimpleNamespace(loss=lambda Z2, Y: (np.ones(3), Z2), train=rows)
    identity = reference.activations.ACTIVATIONS["identity"]
    equations, setting = (np.eye(4), np.ones(4), np.zeros(4)), {"damping": 0}
    reference.levenberg.lm_epoch(None, net, identity, problem, setting, state, None, 1.0, equations)
    assert state["rule"] == reference.levenberg.MU_MAX and (flatten(net) == 1).all()


# ---------------------------------------------------------------- options


def test_second_order_members_show_what_they_do_not_use_as_none():
    X, y = wave(30)
    result = sweep(X, y, ["sgd", "lm"], learning_rate=0.2, batch_size=8, clip_norm=1.0)
    assert list(result.members["learning_rate"]) == [0.2, 0.0]
    assert list(result.members["batch_size"]) == [8, 0]
    best = result.summary()["best"]
    assert best["optimizer"] == "lm" and best["learning_rate"] is None
    assert best["clip_norm"] is None and best["batch_size"] is None


REFUSED = [
    (
        {"optimizer": "lm", "learning_rate": 0.1},
        "learning_rate 0.1 has no effect with optimizer lm",
    ),
    ({"optimizer": "lbfgs", "batch_size": 8}, "batch_size 8 has no effect with optimizer lbfgs"),
    ({"optimizer": "br", "clip_norm": 1.0}, "clip_norm 1.0 has no effect with optimizer br"),
    (
        {"optimizer": ["sgd", "lm"], "learning_rate": [0.1, 0.2]},
        "learning_rate has 2 values, which",
    ),
    ({"optimizer": "br", "l2": 0.1}, "br finds its own penalty; drop l2"),
    ({"optimizer": "sgd", "damping": "marquardt"}, "damping 'marquardt' has no effect"),
    ({"optimizer": "lm", "n1": 1400}, r"at most 4,096 of them, got 4,201; use a smaller n1"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED)
def test_what_does_not_go_together_is_refused(given, message):
    X, y = wave(30)
    with pytest.raises(UsageError, match=message):
        sweep(X, y, **{"optimizer": "lm", **given})


@pytest.mark.parametrize("optimizer", methods.WITH_MATRIX)
def test_a_matrix_needs_squared_loss(optimizer):
    X, _ = wave(30)
    with pytest.raises(UsageError, match=f"optimizer {optimizer} needs loss squared, got cross_en"):
        sweep(X, X > 0, optimizer)


@pytest.mark.slow
def test_lbfgs_learns_classes():
    X, _ = wave(30)
    assert sweep(X, X > 0.3, "lbfgs", max_epochs=60).best["train_accuracy"] == 1.0


@pytest.mark.parametrize("task", [1, 2])
@pytest.mark.parametrize("names", [("sgd",), ("lbfgs",)])
def test_a_named_optimizer_has_defaults_of_its_own(task, names):
    resolved = resolve({"optimizer": names}, "train", task)
    if names == ("lbfgs",):
        assert all(resolved[n] == OPTIONS[n].default for n in STEPPED)
    else:
        assert resolved["learning_rate"] == {1: (0.3,), 2: (2.0,)}[task]
        assert resolved["clip_norm"] == (1.0,)


# ---------------------------------------------------------------- br converges


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_br_stops_when_the_evidence_no_longer_rises(backend, rng):
    x = np.linspace(-1, 1, 80)
    y = np.sin(np.pi * x) + rng.normal(scale=0.3, size=80)
    result = sweep(x, y, "br", n1=6, max_epochs=400, backend=backend, activation="tanh")
    best = result.best
    assert (best["stop_reason"], best["converged_by"]) == ("converged", "evidence")
    assert best["epochs"] < 100 and best["effective_parameters"] < 19


def test_the_evidence_is_that_of_mackay_to_a_constant(rng):
    """MacKay 1992, section 4, written out: log N(y | f, 1 / beta) and the Laplace approximation."""
    X, y = rng.normal(size=(30, 2)), rng.normal(size=(30, 1))
    net = reference.network.Net(*(rng.normal(size=s) for s in ((3, 2), 3, (1, 3), 1)))
    rows = reference.network.Rows(X, y, np.ones(30))
    activation = reference.activations.ACTIVATIONS["tanh"]
    matrix, _ = levenberg.normal_equations(*levenberg.residuals(net, activation, rows))
    mean = levenberg.lm_mean_loss(net, activation, reference.losses.LOSSES["squared"], rows)
    squares, size, found, written = (flatten(net) ** 2).sum(), len(matrix), [], []
    for decay in (1e-4, 1e-2, 1.0):
        state = {"decay": decay, "epoch": 1, "flat": 0, "evidence": 0.0}
        lower = levenberg.damped_factor(matrix, decay)
        levenberg.weigh_evidence(lower, squares, 30.0, mean, 1, state)
        found.append(state["evidence"])
        beta = 30 / (60 * mean + decay * 30 * squares)
        alpha = beta * 30 * decay
        hessian = beta * 30 * matrix + alpha * np.eye(size)
        written.append(
            -beta * 30 * mean - alpha * squares / 2 - np.linalg.slogdet(hessian)[1] / 2
            + size / 2 * np.log(alpha) + 30 / 2 * np.log(beta)
        )  # fmt: skip
    np.testing.assert_allclose(np.diff(found), np.diff(written), 1e-9)
