"""From options to members: their order, limits, initial weights and places in the packed array."""

import math
import re

import numpy as np
import pytest

from fastnet.data.samples import make_data
from fastnet.engine.init import initial_weights, initialise
from fastnet.engine.layout import Weights, offsets, views
from fastnet.engine.records import SETTINGS
from fastnet.errors import UsageError
from fastnet.options import methods
from fastnet.options.defaults import resolve
from fastnet.options.ranges import MAX_MEMBERS
from fastnet.options.table import AXES, OPTIONS
from fastnet.training.plan import (
    FEW_FOR_RELU,
    FEW_INPUTS,
    make_plan,
    named_init,
    pick_members,
    positions_on_axes,
    shown,
)

X = np.random.default_rng(0).uniform(-1, 1, (50, 2))
REGRESSION = make_data(X, X @ [1.0, 2.0])
CLASSES = make_data(X, X.argmax(axis=1).astype(str))


ONE_INPUT = make_data(np.arange(5.0)[:, None], np.arange(5.0))


def make(checked=REGRESSION, **given):
    return make_plan(resolve(given, "sweep"), checked)


def saying(text):
    """pytest.raises for a UsageError with exactly this text."""
    return pytest.raises(UsageError, match=f"^{re.escape(text)}$")


# ---------------------------------------------------------------- the product of the axes


def test_the_last_axis_runs_fastest_and_values_stand_as_given():
    made = make(n1=[8, 4], seeds=[1, 0], learning_rate=[0.3, 0.1], clip_norm=[None, 1])
    names = ["n1", "seed", "learning_rate", "clip_norm"]
    assert made.columns[names].tolist() == [
        (n1, seed, rate, clip)
        for n1 in (8, 4)
        for seed in (1, 0)
        for rate in (0.3, 0.1)
        for clip in (np.inf, 1.0)
    ]


def test_the_axes_follow_each_other_in_the_order_of_the_table():
    two = {
        "n1": [2, 3],
        "seeds": [0, 1],
        "learning_rate": [0.1, 0.2],
        "clip_norm": [1, 2],
        "batch_size": [8, 16],
        "lr_patience": [3, 4],
        "lr_factor": [0.5, 0.7],
        "min_delta": [0, 1e-3],
        "patience": [5, 6],
        "target_loss": [0.1, 0.2],
        "l2": [0, 1e-4],
        "init": ["glorot_uniform", "he_normal"],
        "activation": ["sigmoid", "tanh"],
    }
    assert (*two, "optimizer") == AXES[: len(two) + 1]
    columns = make(**two).columns
    assert len(columns) == 2 ** len(two)
    for place, name in enumerate(reversed(two)):
        column = columns["seed" if name == "seeds" else name]
        positions = [two[name].index(value) for value in column.tolist()]
        np.testing.assert_array_equal(positions, np.arange(len(columns)) >> place & 1)


def test_zip_pairs_the_lists_and_repeats_single_values():
    made = make(n1=[2, 4, 8], seeds=[5, 6, 7], learning_rate=0.3, clip_norm=[1, None, 2], zip=True)
    assert made.columns[["n1", "seed", "learning_rate", "clip_norm"]].tolist() == [
        (2, 5, 0.3, 1.0),
        (4, 6, 0.3, np.inf),
        (8, 7, 0.3, 2.0),
    ]
    assert len(make(n1=4, seeds=[3], zip=True).columns) == 1
    repeated = make(n1=[2, 2, 4], seeds=[5, 6, 5], zip=True)
    assert repeated.columns[["n1", "seed"]].tolist() == [(2, 5), (2, 6), (4, 5)]


def test_zip_refuses_lists_of_different_lengths():
    with saying(
        "zip needs lists of equal length, got n1 2, seeds 3, clip_norm 2 values; give each as many."
    ):
        make(n1=[2, 4], seeds=3, learning_rate=0.1, clip_norm=[1, 2], zip=True)


def test_a_billion_members_are_refused_before_any_is_made(monkeypatch):
    monkeypatch.setattr(np, "unravel_index", None)  # nothing of that length is made
    with saying(
        "the axes give 1,000,000,000 members, at most 2,000,000 are allowed; shorten n1, seeds "
        "or another list."
    ):
        make(n1=range(1, 1001), seeds=1000, learning_rate=np.linspace(0.001, 1, 1000))


def test_the_limit_itself_is_allowed():
    lists = {"n1": range(1000), "seeds": range(MAX_MEMBERS // 1000)}
    assert len(positions_on_axes(lists, False)[0]) == MAX_MEMBERS


# ---------------------------------------------------------------- settings


def test_settings_that_are_off():
    made = make(n1=4)
    off = {"clip_norm": math.inf, "batch_size": 0, "lr_patience": 0, "patience": 0}
    off["target_loss"] = -math.inf
    assert {name: made.columns[name][0] for name in off} == off
    assert {name: made.settings[name][0] for name in off} == off
    assert [shown(name, made.columns[name][0]) for name in off] == [None] * len(off)
    assert shown("learning_rate", made.columns["learning_rate"][0]) == 0.1
    assert shown("l2", np.float64(0)) == 0.0  # off, but a number all the same


def test_names_become_codes_and_the_rest_is_copied():
    made = make(
        n1=4, activation=["relu", "sigmoid"], init="he_normal", max_epochs=7, min_learning_rate=0.01
    )
    assert made.settings["activation"].tolist() == [2, 0]
    assert made.settings["optimizer"].tolist() == [0, 0]
    assert made.settings["max_epochs"].tolist() == [7, 7]
    assert made.settings["min_learning_rate"].tolist() == [0.01, 0.01]


def test_a_record_has_a_field_for_every_option_that_a_member_has():
    internal = {"offset", "memory", "fold"}
    axes = {"seed" if name == "seeds" else name for name in AXES}
    assert set(SETTINGS.names) == axes | {"max_epochs", "damping", "min_learning_rate"} | internal
    for name, option in OPTIONS.items():
        if name in SETTINGS.names:
            assert SETTINGS[name] == np.dtype(option.dtype) and SETTINGS[name].itemsize == 8


def test_every_name_has_its_own_code():
    lists = {"schedule": methods.SCHEDULES, "optimizer": methods.FIRST_ORDER}
    made = make(n1=4, activation=list(methods.ACTIVATIONS), **lists)
    for name in ("activation", "schedule", "optimizer", "init"):
        known = list(OPTIONS[name].choices)
        names = [known[code] for code in made.settings[name]]
        assert names == made.columns[name].tolist()
    for damping in methods.DAMPINGS:
        code = make(n1=4, optimizer="lm", damping=damping).settings["damping"][0]
        assert methods.DAMPINGS[code] == damping


def test_a_batch_of_all_rows_is_the_full_batch():
    made = make(n1=4, batch_size=[16, 49, 50, 1000, None])
    assert made.settings["batch_size"].tolist() == [16, 49, 0, 0, 0]
    assert made.columns["batch_size"].tolist() == [16, 49, 50, 1000, 0]


def test_the_least_rate_must_not_be_above_the_rate():
    with saying("min_learning_rate 0.2 is above the learning rate 0.05."):
        make(n1=4, learning_rate=[0.3, 0.05], min_learning_rate=0.2)
    assert len(make(n1=4, learning_rate=0.2, min_learning_rate=0.2).columns) == 1


# ---------------------------------------------------------------- init


@pytest.mark.parametrize(
    "init, loss, d, activation, name",
    [
        ("auto", "squared", 1, "sigmoid", "adapted"),
        ("auto", "squared", 2, "sigmoid", "nguyen_widrow"),
        ("auto", "squared", FEW_INPUTS, "tanh", "nguyen_widrow"),
        ("auto", "squared", FEW_INPUTS + 1, "sigmoid", "glorot_uniform"),
        ("auto", "squared", 1, "relu", "at_rows"),
        ("auto", "cross_entropy", FEW_FOR_RELU, "relu", "at_rows"),
        ("auto", "cross_entropy", FEW_FOR_RELU + 1, "relu", "glorot_uniform"),
        ("at_rows", "squared", 9, "tanh", "at_rows"),
        ("auto", "squared", 1, "identity", "glorot_uniform"),
        ("auto", "cross_entropy", 1, "sigmoid", "glorot_uniform"),
        ("nguyen_widrow", "cross_entropy", 64, "tanh", "nguyen_widrow"),
        ("glorot_uniform", "squared", 1, "sigmoid", "glorot_uniform"),
        ("he_normal", "squared", 1, "relu", "he_normal"),
        ("adapted", "cross_entropy", 1, "tanh", "adapted"),
    ],
)
def test_auto_is_resolved_by_loss_inputs_and_activation(init, loss, d, activation, name):
    assert named_init(init, loss, d, activation) == name


def test_auto_is_resolved_for_each_activation():
    made = make(n1=4, activation=["sigmoid", "relu"])
    assert made.columns["init"].tolist() == ["nguyen_widrow", "at_rows"]
    assert make(CLASSES, n1=4).columns["init"].tolist() == ["glorot_uniform"]


@pytest.mark.parametrize("activation", ["relu", "identity"])
@pytest.mark.parametrize("init", ["nguyen_widrow", "adapted"])
def test_some_inits_need_a_bounded_activation(init, activation):
    with saying(
        f"init {init} needs activation sigmoid or tanh, got {activation}; "
        "use he_normal or glorot_uniform."
    ):
        make(ONE_INPUT, n1=4, activation=["sigmoid", activation], init=init)


def test_adapted_needs_one_input():
    with saying("init adapted needs one input, got 2; use nguyen_widrow or auto."):
        make(n1=4, init="adapted")


def test_auto_beside_what_it_means_is_refused():
    with saying("init auto means nguyen_widrow here, which is also given; drop one."):
        make(n1=4, init=["auto", "nguyen_widrow"])
    with saying("init auto means glorot_uniform here, which is also given; drop one."):
        make(CLASSES, n1=4, init=["glorot_uniform", "auto"])
    assert len(make(n1=4, init=["auto", "he_normal"]).columns) == 2
    paired = make(n1=[4, 8], init=["auto", "nguyen_widrow"], zip=True)  # no member twice
    assert paired.columns["init"].tolist() == ["nguyen_widrow"] * 2


# ---------------------------------------------------------------- packed


def test_members_lie_one_after_another_without_overlap():
    made = make(CLASSES, n1=[3, 1, 8], seeds=2)
    d, k = 2, 2
    starts = offsets(made.columns["n1"], d, k)
    np.testing.assert_array_equal(made.settings["offset"], starts[:-1])
    assert made.length == starts[-1]
    owner = np.full(made.length, -1)
    for member, setting in enumerate(made.settings):
        n1 = int(setting["n1"])
        run = views(owner, setting["offset"], n1, d, k)
        assert [array.shape for array in run] == [(n1, d), (n1,), (k, n1), (k,)]
        for array in run:
            assert (array == -1).all() and array.base is not None  # free so far, and a view
            array[...] = member
    for member, n1 in enumerate(made.columns["n1"]):
        assert (owner == member).sum() == n1 * (d + 1 + k) + k


def test_picked_members_keep_their_settings_and_lie_anew():
    made = make(n1=[3, 1, 8], seeds=2)
    some = pick_members(made, [5, 0])
    assert some.columns.tolist() == made.columns[[5, 0]].tolist()
    np.testing.assert_array_equal(some.settings["offset"], offsets([8, 3], 2, 1)[:-1])
    assert some.length == offsets([8, 3], 2, 1)[-1]


def weights_of(made, flat, member):
    setting = made.settings[member]
    return views(flat, setting["offset"], int(setting["n1"]), made.d, made.k)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "init, activation", [("auto", "tanh"), ("auto", "sigmoid"), ("he_normal", "relu")]
)
def test_initial_weights_are_a_function_of_the_members_own_settings(init, activation, dtype):
    own = {"init": init, "activation": activation}
    whole = make(n1=[3, 1, 8], seeds=[0, 7], learning_rate=[0.1, 0.3], clip_norm=[1, None], **own)
    other = make(n1=[8, 2, 3], seeds=[7, 5], l2=[0, 1], max_epochs=3, **own)
    whole_flat, other_flat = (initialise(made, np.dtype(dtype)) for made in (whole, other))
    compared = 0
    for i, one in enumerate(whole.columns):
        expected = initial_weights(
            int(one["seed"]), int(one["n1"]), 2, 1, str(one["init"]), activation
        )
        got = weights_of(whole, whole_flat, i)
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_array_equal(a, b.astype(dtype))
        for j, another in enumerate(other.columns):
            if (one["n1"], one["seed"]) == (another["n1"], another["seed"]):
                compared += 1
                for a, b in zip(got, weights_of(other, other_flat, j), strict=True):
                    np.testing.assert_array_equal(a, b)
    assert compared == 2 * 4 * 2  # N1 8 and 3 with seed 7: 4 members here, 2 there


@pytest.mark.parametrize(
    "changed",
    [
        {"seed": 1},
        {"seed": 2**32 - 1},
        {"n1": 5},
        {"d": 3},
        {"k": 2},
        {"init": "nguyen_widrow"},
        {"activation": "tanh"},
    ],
    ids=str,
)
def test_another_key_draws_other_weights(changed):
    key = {"seed": 0, "n1": 4, "d": 2, "k": 1, "init": "glorot_uniform", "activation": "sigmoid"}
    first, other = initial_weights(**key).W1[0], initial_weights(**{**key, **changed}).W1[0]
    assert not np.isclose(first[1] / first[0], other[1] / other[0])  # whatever their scales


def drawn(init, activation="tanh", n1=30, d=20, k=10, seeds=20):
    """The weights of many seeds, each array stacked: they are enough to tell a distribution."""
    every = [initial_weights(seed, n1, d, k, init, activation) for seed in range(seeds)]
    return Weights(*map(np.stack, zip(*every)))


def test_glorot_uniform_is_uniform_between_its_bounds():
    W1, b1, W2, b2 = drawn("glorot_uniform")
    for values, bound in ((W1, np.sqrt(6 / 50)), (W2, np.sqrt(6 / 40))):
        assert -bound <= values.min() < -0.99 * bound and 0.99 * bound < values.max() <= bound
        # Standard errors for n values: bound / sqrt(3 n) of the mean, less of the deviation.
        error = 4 * bound / np.sqrt(3 * values.size)
        assert abs(values.mean()) < error and abs(values.std() - bound / np.sqrt(3)) < error
    assert not b1.any() and not b2.any()


def test_he_normal_is_normal_with_variance_2_over_fan_in():
    W1, b1, W2, b2 = drawn("he_normal")
    for values, fan_in in ((W1, 20), (W2, 30)):
        z = values / np.sqrt(2 / fan_in)
        error = 4 / np.sqrt(z.size)
        assert abs(z.mean()) < error and abs(z.std() - 1) < error
        assert abs((np.abs(z) > 1.959964).mean() - 0.05) < error
    assert not b1.any() and not b2.any()


@pytest.mark.parametrize("activation, factor", [("tanh", 1), ("sigmoid", 2)])
@pytest.mark.parametrize("n1, d", [(1, 1), (6, 1), (9, 2), (30, 3)])
def test_nguyen_widrow_shares_out_the_range(activation, factor, n1, d):
    W1, b1, W2, b2 = drawn("nguyen_widrow", activation, n1, d)
    length = factor * 0.7 * n1 ** (1 / d)
    np.testing.assert_allclose(np.linalg.norm(W1, axis=2), length)
    places = np.linspace(-length, length, n1) if n1 > 1 else np.zeros(1)
    np.testing.assert_allclose(np.abs(b1), np.broadcast_to(np.abs(places), b1.shape), atol=1e-12)
    assert 0.2 < (W1 > 0).mean() < 0.8 and np.abs(W2).max() <= np.sqrt(6 / (n1 + 10))
    assert not b2.any()


def test_filling_between_members_is_zero():
    made = make(n1=[3, 5], seeds=2)
    flat = initialise(made, np.float32)
    for member in range(len(made.columns)):
        for array in weights_of(made, flat, member):
            array[...] = 0
    assert not flat.any()


# ---------------------------------------------------------------- weights that are given


def given_weights(made):
    """Weights without a pattern, one of each member's shapes."""
    rng = np.random.default_rng(1)
    return [
        Weights(*(rng.normal(size=s) for s in ((n1, 2), (n1,), (1, n1), (1,))))
        for n1 in made.columns["n1"].tolist()
    ]


def test_given_weights_are_copied():
    made = make(n1=[3, 1])
    given = given_weights(made)
    flat = initialise(made, np.float64, given)
    for member, weights in enumerate(given):
        for a, b in zip(weights_of(made, flat, member), weights, strict=True):
            np.testing.assert_array_equal(a, b)
    flat[:] = 0
    assert all(array.any() for array in given[0])


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda w: w[:1],
            "initial_weights must have one (W1, b1, W2, b2) for each of the 2 members, got 1.",
        ),
        (
            lambda w: [w[0]._replace(W1=w[0].W1.T), w[1]],
            "initial_weights[0]: W1 must have shape (3, 2), got (2, 3).",
        ),
        (
            lambda w: [w[0], w[1]._replace(b1=np.zeros(2))],
            "initial_weights[1]: b1 must have shape (1,), got (2,).",
        ),
        (
            lambda w: [w[0]._replace(W2=w[0].W2.T), w[1]],
            "initial_weights[0]: W2 must have shape (1, 3), got (3, 1).",
        ),
        (
            lambda w: [w[0], w[1]._replace(b2=0.0)],
            "initial_weights[1]: b2 must have shape (1,), got ().",
        ),
        (lambda w: w[::-1], "initial_weights[0]: W1 must have shape (3, 2), got (1, 2)."),
    ],
)
def test_given_weights_of_other_shapes_are_refused(change, message):
    made = make(n1=[3, 1])
    with pytest.raises(UsageError, match=f"^{re.escape(message[:-1])}"):
        initialise(made, np.float32, change(given_weights(made)))
