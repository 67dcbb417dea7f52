"""l2 auto: strengths in units of 1 / n as members, the worse of which are pruned."""

import json
import re

import numpy as np
import pytest

import fastnet
from fastnet.engine.layout import unpack
from fastnet.errors import UsageError
from fastnet.job import prepare
from fastnet.results.verdict import remarks_on_training
from fastnet.training.loop import train
from fastnet.training.plan import LARGER, MANY_VALUES, even_batch
from fastnet.training.strengths import (
    MOST_ALONE,
    PRUNE_AFTER,
    PRUNE_MANY_AFTER,
    STRENGTHS,
    STRENGTHS_OF_MANY,
    worse,
)
from fastnet.training.training import Training


@pytest.fixture
def noisy(rng):
    X = rng.normal(size=(120, 5))
    return X, X[:, 0] + rng.normal(size=120)


def sweep(X, y, **given):
    usual = {"n1": 16, "validation_fraction": 0.25, "optimizer": "adam", "batch_size": 32}
    usual |= {"patience": 15, "max_epochs": 60, "threads": 1, "l2": "auto"}
    return fastnet.sweep(X, y, **{**usual, **given})


def test_auto_is_four_strengths_of_which_the_better_half_goes_on(noisy):
    result = sweep(*noisy, seeds=2)
    m = result.members
    assert sorted(set(m["l2"])) == [s / 90 for s in STRENGTHS] and len(m) == 8
    pruned = m["stop_reason"] == "pruned"
    assert pruned.sum() == 4 and (m["epochs"][pruned] == PRUNE_AFTER).all()
    assert len(set(m["l2"][pruned])) == 2  # a strength is judged by the mean over its seeds
    assert result.best["val_loss"] == m["val_loss"].min()
    assert any(re.match(r"l2 .* / n with n = 90 training rows\)", n) for n in result.notices)


def test_members_that_go_on_have_the_bytes_of_a_run_without_pruning(noisy):
    result = sweep(*noisy)
    whole = sweep(*noisy, l2=[s / 90 for s in STRENGTHS])
    assert whole.options["prune_l2"] is None
    for i, reason in enumerate(result.members["stop_reason"]):
        one, other = result.history(i), whole.history(i)
        count = len(one.epoch)
        assert one.val_loss.tobytes() == other.val_loss[:count].tobytes()
        if reason != "pruned":
            assert result.weights(i).W1.tobytes() == whole.weights(i).W1.tobytes()


@pytest.mark.parametrize("epochs", [1, 3, 50])
def test_rounds_of_any_length_prune_alike(noisy, epochs):
    given = {"n1": 8, "validation_fraction": 0.25, "l2": "auto", "max_epochs": 40, "threads": 1}
    options, data, plan = prepare("sweep", *noisy, None, {**given, "optimizer": "adam"})
    trained = []
    for length in (7, epochs):
        training = Training(plan, data, options)
        training.epochs, training.next_epochs = length, lambda took, done, n=length: n
        assert train(training) == "done"
        trained.append(training)
    assert (trained[0].pack.states == trained[1].pack.states).all()
    flat = [unpack(t.pack.best, plan.settings, plan.d, plan.k)["W1"].tobytes() for t in trained]
    assert flat[0] == flat[1]


def test_a_pruned_run_is_saved_loaded_and_resumed(noisy, tmp_path):
    X, y = noisy
    seen = []

    def stop_late(progress):
        seen.append(progress.epoch)
        return progress.stage == "train" and progress.epoch >= PRUNE_AFTER

    given = {"max_epochs": 5000, "patience": None, "out": tmp_path / "r"}
    first = sweep(X, y, progress=stop_late, **given)
    assert first.status == "interrupted"
    config = json.loads((tmp_path / "r" / "config.json").read_text())
    assert config["options"]["prune_l2"] == PRUNE_AFTER and len(config["options"]["l2"]) == 4
    assert (first.members["stop_reason"] == "pruned").sum() == 2
    result = fastnet.resume(tmp_path / "r", X, y)
    again = fastnet.load(tmp_path / "r")
    assert result.members["stop_reason"].tolist().count("pruned") == 2
    assert (again.members["stop_reason"] == result.members["stop_reason"]).all()
    assert result.weights().W1.tobytes() == again.weights().W1.tobytes()


def test_where_no_rows_are_held_out_it_is_one_strength(noisy):
    X, y = noisy
    assert sweep(X, y, validation_fraction=0).members["l2"].tolist() == [MOST_ALONE]
    many = np.zeros((4000, 1))
    options, *_ = prepare("sweep", many, many[:, 0], None, {"l2": "auto"})
    assert options["l2"] == (1 / 4000,)


def test_with_a_target_every_strength_runs_to_its_own_stop(noisy):
    result = sweep(*noisy, target_loss=0.1)
    assert result.options["prune_l2"] is None
    assert len(result.members) == 4 and "pruned" not in result.members["stop_reason"]


def test_bayesian_regularisation_finds_its_own(noisy):
    assert sweep(*noisy, optimizer="br", batch_size=None).members["l2"].tolist() == [0.0]


def test_paired_lists_are_crossed_with_the_strengths(noisy):
    m = sweep(*noisy, n1=[4, 8], seeds=[3, 5], zip=True, max_epochs=3).members
    assert m["n1"].tolist() == [4] * 4 + [8] * 4 and m["seed"].tolist() == [3] * 4 + [5] * 4
    assert m["l2"][:4].tolist() == m["l2"][4:].tolist() == [s / 90 for s in STRENGTHS]


def test_numbers_mean_what_they_mean(noisy):
    assert sweep(*noisy, l2=0.001).members["l2"].tolist() == [0.001]
    assert sweep(*noisy, l2=[0.0, 0.1], prune_l2=5).members["stop_reason"].tolist().count(
        "pruned"
    ) == 1  # fmt: skip


@pytest.mark.parametrize(
    "given, message",
    [
        ({"l2": ["auto", 0.1]}, "l2 auto stands for several strengths; give it alone, or"),
        ({"l2": "none"}, "l2 must be a number >= 0 or auto, got 'none'"),
        ({"prune_l2": 5, "validation_fraction": 0}, "prune_l2 5 compares losses on held-out"),
        (
            {"prune_l2": 5, "l2": 0.1},
            "prune_l2 5 compares several values of l2 and there is one, 0.1",
        ),
        ({"prune_l2": 5, "halving": 2}, "halving prunes by itself; drop prune_l2 5."),
        ({"prune_l2": 5, "target_loss": 0.1}, "prune_l2 5 ends members that might reach"),
    ],
)
def test_what_cannot_be_compared_is_refused(noisy, given, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        sweep(*noisy, **given)


def test_the_worse_half_is_told_by_the_mean_over_seeds_of_rivals():
    columns = np.array(
        [(2, 0.1, 0), (2, 0.2, 0), (2, 0.1, 1), (2, 0.2, 1), (4, 0.1, 0), (4, 0.2, 0)],
        [("n1", "i8"), ("l2", "f8"), ("seed", "i8")],
    )
    losses = np.array([1.0, 3.0, 9.0, 3.0, 1.0, 1.0])
    assert worse(columns, losses).tolist() == [True, False, True, False, True, False]
    assert not worse(columns[:1], losses[:1]).any()


# ---------------------------------------------------------------- uneven weights, no training


@pytest.mark.parametrize("share, size", [(0.5, 32), (0.3, 32), (0.1, 96), (0.01, 808)])
def test_batches_grow_with_uneven_weights(share, size):
    weights = np.where(np.arange(1000) < 1000 * share, 0.5 / share, 0.5 / (1 - share))
    assert even_batch(32, weights) / size == pytest.approx(1, rel=0.42)  # a power of two near it
    assert even_batch(None, weights) is None


def test_one_class_in_a_hundred_trains_with_balanced_weights(rng):
    for seed in range(3):
        X, y = rng.normal(size=(1000, 6)), np.arange(1000) % 100 == 0
        X[y] += 0.7
        given = {"loss": "cross_entropy", "class_weight": "balanced", "seeds": [seed]}
        given |= {"validation_fraction": 0.2, "data_seed": seed, "scale": "standard"}
        batch = even_batch(32, np.where(y, 50, 50 / 99))
        best = sweep(X, y, **given, batch_size=batch, learning_rate=0.003).best
        assert best["best_epoch"] > 0


def test_an_untrained_network_is_told(rng):
    X, y = rng.normal(size=(60, 4)), rng.normal(size=60)
    wild = {"optimizer": "sgd", "learning_rate": 3.0, "max_epochs": 5, "l2": 0.0}
    result = sweep(X, y, activation="tanh", **wild)
    assert result.best["best_epoch"] == 0
    assert any("network that is kept is the untrained one" in n for n in result.notices)
    best = {"l2": 0.0, "best_epoch": 0, "epochs": 9, "val_loss": np.nan, "init_kind": "adapted"}
    (said,) = remarks_on_training(best, (), 10)
    assert said.startswith("No epoch lowered the training loss, so the network that is kept is")
    assert list(remarks_on_training({**best, "epochs": 0}, (0.0,), 10)) == []
    (said,) = remarks_on_training({**best, "init_kind": "given"}, (), 10)
    assert "the network that is kept is that of the initial_weights. Try" in said


def test_a_sweep_of_numbers_takes_lbfgs_and_one_of_classes_adam(tmp_path):
    houses, _ = fastnet.example("houses", tmp_path)
    given = {"n1": 2, "max_epochs": 3}
    numbers = fastnet.sweep(data=houses, target="price", **given).options
    assert (numbers["optimizer"], numbers["activation"]) == (("lbfgs",), ("tanh",))
    classes = fastnet.sweep(data=houses, target="town", **given).options
    assert (classes["optimizer"], classes["activation"]) == (("adam",), ("relu",))
    assert classes["learning_rate"] == (0.003,)


def test_the_weakest_penalty_lets_a_small_target_be_reached(tmp_path):
    (sensor,) = fastnet.example("sensor", tmp_path)
    given = {"data": sensor, "target": "ppm", "target_rmse": 3.0, "n1": [4]}
    found = fastnet.smallest(**given)
    (l2,) = found.options["l2"]
    assert l2 == 0.1 * found.options["target_loss"][0]
    assert found.summary()["smallest_n1"] == 4  # with l2 1 / n no member gets there
    assert min(fastnet.sweep(**given, seeds=1).options["l2"]) == l2


# ---------------------------------------------------------------- very many values


@pytest.mark.parametrize("rows, many", [(1600, True), (1200, False)])
def test_very_many_values_have_fewer_strengths_and_larger_batches(rng, rows, many):
    assert (0.8 * rows * 800 > MANY_VALUES) == many
    X = rng.normal(size=(rows, 800)).astype("float32")
    given = {"optimizer": "adam", "l2": "auto", "validation_fraction": 0.2, "n1": 2}
    options, _, plan = prepare("sweep", X, X[:, 0], None, given)
    assert len(plan.columns) == len(STRENGTHS_OF_MANY if many else STRENGTHS)
    assert options["prune_l2"] == (PRUNE_MANY_AFTER if many else PRUNE_AFTER)
    small = prepare("sweep", X[:99], X[:99, 0], None, given)[0]
    size = (small["batch_size"][0] or 0) * (LARGER if many else 1)
    assert (options["batch_size"][0] or 0) == size
    assert prepare("sweep", X, X[:, 0], None, {**given, "batch_size": 8})[0]["batch_size"] == (8,)


def test_few_strengths_of_many_values_leave_one(rng, monkeypatch):
    monkeypatch.setattr("fastnet.training.strengths.MANY_VALUES", 500)
    X = rng.normal(size=(120, 10))
    members = sweep(X, X[:, 0]).members
    assert sorted(members["l2"]) == [strength / 90 for strength in STRENGTHS_OF_MANY]
    assert sorted(members["stop_reason"] == "pruned") == [False, True]
    assert members["epochs"].min() == PRUNE_MANY_AFTER
