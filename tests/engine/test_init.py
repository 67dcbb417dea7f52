"""How initial weights are drawn, and which given ones are refused; test_plan.py has the rest."""

import numpy as np
import pytest

import fastnet
from fastnet.data.samples import make_data
from fastnet.data.tasks import function_data
from fastnet.engine.init import INITS, SPREAD, Variation, initial_weights, variation
from fastnet.errors import UsageError
from fastnet.results.collect import peek


@pytest.mark.parametrize(("init", "variances"), [("he_normal", (2 / 50, 2 / 40))])
def test_normal_weights_have_their_variance(init, variances):
    assert INITS[init].draw == "normal"
    W1, b1, W2, b2 = initial_weights(0, 40, 50, 30, init, "relu")
    for weights, variance in zip((W1, W2), variances):
        np.testing.assert_allclose(weights.var(), variance, rtol=0.15)  # 2 % to 4 % deviation
    assert not b1.any() and not b2.any()


def test_uniform_weights_fill_their_range():
    W1, b1, W2, b2 = initial_weights(0, 40, 50, 30, "glorot_uniform", "tanh")
    for weights in (W1, W2):
        largest = np.sqrt(6 / sum(weights.shape))
        assert 0.99 * largest < np.abs(weights).max() <= largest
    assert not b1.any() and not b2.any()


GOOD = np.zeros((2, 1)), np.zeros(2), np.zeros((1, 2)), np.zeros(1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([GOOD, GOOD], "must have one .* for each of the 1 members, got 2"),
        ([GOOD[:3]], r"initial_weights\[0\] must be \(W1, b1, W2, b2\), got"),
        ([(*GOOD[:3], "x")], r"initial_weights\[0\] must hold numbers, got"),
        ([(*GOOD[:3], np.array([1e39]))], r"b2 has 1e\+39, beyond float32"),
        ([(*GOOD[:3], np.zeros(2))], r"b2 must have shape \(1,\), got \(2,\)"),
    ],
)
def test_given_weights_of_another_kind_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        fastnet.train([[0.0], [1.0]], [0.0, 1.0], n1=2, initial_weights=given, backend="reference")


def test_given_weights_are_where_training_begins():
    given = tuple(np.full_like(array, 0.5) for array in GOOD)
    result = fastnet.train(
        [[0.0], [1.0]], [0.0, 1.0], n1=2, max_epochs=1, initial_weights=[given],
        learning_rate=1e-12, backend="reference",
    )  # fmt: skip
    for array, wanted in zip(result.weights(), given):
        np.testing.assert_allclose(array, wanted, rtol=1e-6)


# ---------------------------------------------------------------- adapted to the targets


X = np.linspace(-1, 1, 401)[:, None]
STEEP = np.tanh(40 * (X - 0.5))  # varies near 0.5 alone


def centres(weights):
    return -weights.b1 / weights.W1[:, 0]


@pytest.mark.parametrize("name", ["sine", "square", "abs", "gaussian", "triangle", "neal"])
def test_an_even_variation_starts_as_nguyen_widrow_byte_for_byte(name):
    assert variation(*function_data(name)) is None
    for a, b in zip(
        initial_weights(3, 9, 1, 1, "adapted", "sigmoid"),
        initial_weights(3, 9, 1, 1, "nguyen_widrow", "sigmoid"),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["step", "humps", "doppler", "bumps", "blocks"])
def test_an_uneven_variation_is_found(name):
    found = variation(*function_data(name))
    assert found.share[0] == 0 and found.share[-1] == 1 and (np.diff(found.share) > 0).all()
    assert found.x[0] == -1 and found.x[-1] == 1


def test_the_share_is_a_cube_root_of_the_rise_and_the_run():
    x, y = np.array([[0.0], [1], [4], [2]]), np.array([[0.0], [1], [1], [1]])
    found = variation(x, y)  # sorted 0, 1, 2, 4: all varies in the first quarter
    assert found.x.tolist() == [0, 1, 2, 4]
    first = SPREAD / 4 + 1 - SPREAD
    np.testing.assert_allclose(found.share, [0, first, first + SPREAD / 4, 1])


@pytest.mark.parametrize("Y", [np.ones((401, 1)), np.zeros((401, 2))])
def test_targets_that_do_not_vary_call_for_nguyen_widrow(Y):
    assert variation(X, Y) is None
    assert variation(np.ones((3, 1)), np.arange(3.0)[:, None]) is None


def test_the_variation_sums_over_the_outputs():
    both = variation(X, np.hstack([STEEP, STEEP]))
    np.testing.assert_allclose(both.share, variation(X, STEEP).share)
    mirrored = variation(X, np.hstack([STEEP, STEEP[::-1]]))
    np.testing.assert_allclose(mirrored.share + mirrored.share[::-1], 1, atol=1e-9)


def test_the_order_of_the_rows_and_the_units_of_the_targets_do_not_matter(rng):
    order = rng.permutation(len(X))
    shuffled = variation(X[order], 1e6 * STEEP[order] + 3)
    np.testing.assert_allclose(shuffled.share, variation(X, STEEP).share, rtol=1e-9)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
@pytest.mark.parametrize("n1", [1, 2, 12, 300])
def test_units_gather_and_steepen_where_the_targets_vary(activation, n1):
    found = variation(X, STEEP)
    weights = initial_weights(0, n1, 1, 1, "adapted", activation, found)
    assert [w.shape for w in weights] == [(n1, 1), (n1,), (1, n1), (1,)]
    assert all(np.isfinite(w).all() for w in weights)
    c, steep = centres(weights), np.abs(weights.W1[:, 0])
    assert (c >= -1).all() and (c <= 1).all()
    if n1 > 2:
        near = np.abs(c - 0.5) < 0.1
        assert near.mean() > 0.75 and np.median(steep[near]) > 3 * np.median(steep[~near])


def test_for_an_even_share_they_are_nguyen_widrows_but_for_small_moves():
    even = Variation(np.array([0.0, 1.0]), np.array([-1.0, 1.0]))
    one = initial_weights(5, 12, 1, 1, "adapted", "tanh", even)
    other = initial_weights(5, 12, 1, 1, "nguyen_widrow", "tanh")
    np.testing.assert_allclose(one.W1, other.W1)
    np.testing.assert_array_equal(one.W2, other.W2)
    moved = np.abs(np.abs(one.b1) - np.abs(other.b1))
    assert 0 < moved.max() <= 0.05 * 2 / 11 * np.abs(one.W1).max() + 1e-12


def test_seeds_differ_in_centres_and_signs():
    found = variation(X, STEEP)
    drawn = [initial_weights(s, 8, 1, 1, "adapted", "tanh", found) for s in range(20)]
    signs = {tuple(np.sign(w.W1[:, 0])) for w in drawn}
    assert len(signs) > 15 and len({tuple(centres(w)) for w in drawn}) == 20


DOPPLER = function_data("doppler", samples=200)


def test_kernels_and_reference_start_alike_and_alone_as_in_any_sweep():
    given = {"n1": [6, 9], "seeds": 3, "optimizer": "lm", "max_epochs": 1, "dtype": "float64"}
    together = fastnet.sweep(*DOPPLER, **given)
    assert set(together.members["init"]) == {"adapted"}
    twin = fastnet.sweep(*DOPPLER, **given, backend="reference")
    alone = fastnet.train(*DOPPLER, **(given | {"n1": 9, "seeds": [2]}), init="adapted")
    for member in range(6):
        assert together.history(member).train_loss[0] == pytest.approx(
            twin.history(member).train_loss[0], rel=1e-12
        )
    for a, b in zip(alone.weights(), together.weights(5), strict=True):
        np.testing.assert_array_equal(a, b)


def test_every_fold_adapts_to_its_own_training_rows():
    x, y = DOPPLER
    rows = np.arange(200)
    folds = [(rows[50:], rows[:50]), (rows[:150], rows[150:])]
    data = make_data(x, y, folds=folds)
    for fold, (train, _) in enumerate(folds):
        np.testing.assert_array_equal(data.training_rows(fold)[0], x[train])
    given = {"n1": 5, "max_epochs": 1, "optimizer": "lm", "dtype": "float64"}
    both = fastnet.sweep(x, y, folds=folds, **given)
    for fold, (train, held) in enumerate(folds):
        one = fastnet.sweep(x[train], y[train], validation=(x[held], y[held]), **given)
        assert both.history(fold).train_loss[0] == pytest.approx(
            one.history(0).train_loss[0], rel=1e-12
        )


def test_rows_without_a_weight_do_not_count():
    x, y = DOPPLER
    weight = (np.arange(200) >= 60) * 1.0
    data = make_data(x, y, sample_weight=weight)
    np.testing.assert_array_equal(data.training_rows(0)[0], x[60:])


def test_classes_of_one_input_gather_units_where_they_change():
    labels = np.where(X[:, 0] > 0.5, "b", "a")
    given = {"init": "adapted", "n1": 8, "activation": "tanh", "seeds": 20, "target_loss": 0.01}
    result = fastnet.sweep(X, labels, **given, optimizer="lbfgs", max_epochs=1)
    other = fastnet.sweep(
        X, labels, **{**given, "init": "nguyen_widrow"}, optimizer="lbfgs", max_epochs=1
    )
    assert result.members["train_loss"].mean() < other.members["train_loss"].mean()


# ---------------------------------------------------------------- what a member began with


def test_init_kind_says_what_each_member_began_with(tmp_path):
    given = {"init": ["auto", "glorot_uniform"], "n1": [3, 5], "max_epochs": 1, "optimizer": "lm"}
    for targets, kind in ((STEEP, "adapted"), (X, "nguyen_widrow")):
        out = tmp_path / kind
        result = fastnet.sweep(X, targets, **given, seeds=2, out=out)
        members = result.members
        assert set(members["init"]) == {"adapted", "glorot_uniform"}
        alike = np.where(members["init"] == "adapted", kind, "glorot_uniform")
        assert members["init_kind"].tolist() == alike.tolist()
        np.testing.assert_array_equal(fastnet.load(out).members["init_kind"], alike)
        assert result.summary()["best"]["init_kind"] in (kind, "glorot_uniform")


def test_init_kind_is_of_the_rows_of_the_fold():
    x, rows = X[:, 0], np.arange(401)
    straight, curved = rows[x < 0.2], rows[x >= 0.2]
    folds = [(straight, curved), (curved, straight)]
    y = np.where(x < 0.2, x, 5 * np.tanh(40 * (x - 0.5)))
    result = fastnet.sweep(x, y, n1=4, optimizer="lm", max_epochs=1, folds=folds)
    assert result.members["init_kind"].tolist() == ["nguyen_widrow", "adapted"]


def test_init_kind_of_given_weights_is_given():
    result = fastnet.train(*DOPPLER, n1=2, max_epochs=1, optimizer="lm", initial_weights=[GOOD])
    assert result.best["init_kind"] == "given"


@pytest.mark.parametrize(("init", "kind"), [("auto", ""), ("he_normal", "he_normal")])
def test_init_kind_of_an_unfinished_run_is_told_where_it_is_known(init, kind, tmp_path):
    options = {"n1": 2, "optimizer": "sgd", "max_epochs": 9999, "init": init}
    calls = iter(range(100))
    ended = fastnet.train(
        X, STEEP, **options, out=tmp_path / "run", progress=lambda p: next(calls) == 20
    )
    assert ended.status == "interrupted" and ended.best["init_kind"] == (kind or "adapted")
    assert peek(tmp_path / "run").best["init_kind"] == kind


def test_init_kind_of_given_weights_stays_given_when_the_run_is_resumed(tmp_path):
    options = {"n1": 2, "optimizer": "sgd", "max_epochs": 3000, "initial_weights": [GOOD]}
    calls = iter(range(100))
    fastnet.train(*DOPPLER, **options, out=tmp_path / "run", progress=lambda p: next(calls) == 20)
    assert peek(tmp_path / "run").best["init_kind"] == "given"
    assert fastnet.resume(tmp_path / "run", *DOPPLER).best["init_kind"] == "given"


# ---------------------------------------------------------------- at training rows


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_units_at_rows_are_zero_at_rows_spread_over_the_data(rng, activation):
    rows = rng.normal(3, 2, size=(50, 2))
    weights = initial_weights(0, 200, 2, 3, "at_rows", activation, rows)
    assert [w.shape for w in weights] == [(200, 2), (200,), (3, 200), (3,)]
    np.testing.assert_allclose(weights.W1.var(), 1, rtol=0.15)  # 2 / d
    zero = np.isclose(weights.W1 @ rows.T + weights.b1[:, None], 0, atol=1e-12)
    assert zero.any(axis=1).all() and zero.any(axis=0).mean() > 0.9


def test_the_rows_are_those_that_a_fold_trains_on(rng):
    X = rng.normal(size=(60, 2))
    given = {"folds": 3, "n1": 5, "init": "at_rows", "activation": "relu", "optimizer": "adam"}
    given |= {"learning_rate": 1e-30, "max_epochs": 1, "dtype": "float64", "scale": "none", "l2": 0}
    result = fastnet.sweep(X, X[:, 0], **given, backend="reference")
    assert set(result.members["init_kind"]) == {"at_rows"}
    used = []
    for member in range(3):
        W1, b1, *_ = result.weights(member)
        zero = np.isclose(W1 @ X.T + b1[:, None], 0, atol=1e-9)
        assert zero.any(axis=1).all()
        used.append(b1.tolist())
    assert used[0] != used[1] != used[2]


def test_relu_finds_the_frequent_turns_of_few_inputs():
    x = np.linspace(-1, 1, 300)[:, None]
    given = {"n1": 64, "activation": "relu", "optimizer": "adam", "learning_rate": 0.01, "l2": 0}
    given |= {"max_epochs": 300, "batch_size": 32, "seeds": 3, "threads": 1}
    given |= {"init": ["at_rows", "glorot_uniform"]}
    members = fastnet.sweep(x, np.sin(12 * x[:, 0]), **given).members
    ours = members["init"] == "at_rows"
    assert members["train_loss"][ours].max() < 0.5 * members["train_loss"][~ours].min()
