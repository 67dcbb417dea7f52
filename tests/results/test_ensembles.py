"""Ensembles: which members they have, what they predict, their spread, what they refuse."""

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.data.sources import run_samples
from fastnet.errors import DataError, UsageError
from fastnet.results import ensemble, metrics

SMALL = {"n1": [2, 5], "seeds": 3, "max_epochs": 30, "learning_rate": 0.3, "optimizer": "adam"}
# A mean of predictions goes through its link and back, which rounds.
SAME = {"rtol": 1e-12, "atol": 1e-14}


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (150, 2))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] ** 2 + rng.normal(0, 0.1, 150)


@pytest.fixture(scope="module")
def numbers(samples):
    return fastnet.sweep(*samples, validation_fraction=0.3, scale="standard", **SMALL)


def targets(kind, y):
    """Targets of each kind of prediction, and the loss to train with."""
    several = np.stack([y > 0, y > 0.7], axis=1)
    return {
        "numbers": (np.stack([y, y**2], axis=1), "squared"),
        "counts": (np.round(np.exp(y)), "poisson"),
        "classes": (np.select([y > 0.7, y > 0], ["high", "mid"], "low"), "cross_entropy"),
        "two classes": (y > 0.3, "binary_cross_entropy"),
        "labels": (several, "binary_cross_entropy"),
    }[kind]


def responses(model, X):
    """What a model tells: numbers, or probabilities."""
    numeric = model.classes is None and not model.labels
    found = model.predict(X) if numeric else model.predict_proba(X)
    return found.reshape(len(X), -1)


# ---------------------------------------------------------------- predictions


@pytest.mark.parametrize("kind", ["numbers", "counts", "classes", "two classes", "labels"])
def test_an_ensemble_predicts_the_mean(samples, kind):
    X, y = samples
    y, loss = targets(kind, y)
    result = fastnet.sweep(X, y, loss=loss, **SMALL)
    found = result.ensemble("top:4")
    each = np.stack([responses(result.model(m), X) for m in found.members])
    spread = found.spread(X, [0.25, 1])
    np.testing.assert_allclose(responses(found, X), each.mean(axis=0), **SAME)
    np.testing.assert_allclose(spread.mean, each.mean(axis=0), **SAME)
    np.testing.assert_allclose(spread.std, each.std(axis=0), **SAME)
    np.testing.assert_allclose(spread.quantiles, np.quantile(each, [0.25, 1], axis=0), **SAME)
    if kind == "classes":
        expected = found.classes[each.mean(axis=0).argmax(axis=1)]
        np.testing.assert_array_equal(found.predict(X), expected)
    if kind == "labels":
        np.testing.assert_array_equal(found.predict(X), each.mean(axis=0) > 0.5)


def test_blocks_of_rows_change_nothing(numbers, samples, monkeypatch):
    found = numbers.ensemble("all")
    whole = found.spread(samples[0], [0.1])
    monkeypatch.setattr(ensemble, "BLOCK_VALUES", 100)
    for array, again in zip(whole, found.spread(samples[0], [0.1])):
        np.testing.assert_allclose(again, array, rtol=1e-13)
    linear = fastnet.sweep(*samples, n1=2, activation="identity", max_epochs=5).ensemble("all")
    X = samples[0].copy()
    X[77] = 1.7e308
    W = linear.models[0].weights
    models = (linear.models[0]._replace(weights=W._replace(W1=W.W1 + 9)),)
    with pytest.raises(DataError, match=r"output for row 77 \(counted from 0; 1 such in all\)"):
        linear._replace(models=models).predict(X)


def test_predictions_of_no_rows(numbers):
    assert numbers.ensemble("all").spread(np.empty((0, 2)), [0.5]).quantiles.shape == (1, 0, 1)


# ---------------------------------------------------------------- which members


def test_top_takes_the_lowest_monitored_losses(numbers):
    order = np.argsort(numbers.members["val_loss"], kind="stable")
    assert numbers.ensemble("top:3").members == tuple(order[:3])
    assert set(numbers.ensemble("all").members) == set(range(6))
    assert numbers.ensemble("top:1").members == (numbers.best_member,)


def test_greedy_takes_what_lowers_the_validation_loss_most(numbers, samples):
    found = numbers.ensemble("greedy:6", data=samples)
    val = run_samples(numbers, samples)
    X, Y = val.subset("val")
    each = [numbers.model(i).predict(X)[:, None] for i in range(6)]
    picks = []
    for _ in range(6):
        losses = [
            np.mean((np.mean([each[p] for p in [*picks, i]], axis=0) - Y) ** 2) for i in range(6)
        ]
        picks.append(int(np.argmin(losses)))
    assert dict(zip(found.members, found.counts)) == {p: picks.count(p) for p in picks}
    assert sum(found.counts) == 6 and picks[0] == numbers.best_member
    # The shares are the counts.
    mean = np.mean([each[p] for p in picks], axis=0)
    np.testing.assert_allclose(found.predict(X), mean[:, 0], **SAME)


def test_the_greedy_loss_is_that_of_training(samples):
    X, y = samples
    for kind, more in (
        ("classes", {}),
        ("two classes", {}),
        ("labels", {}),
        ("counts", {}),
        ("numbers", {"huber_delta": 0.3}),
        ("numbers", {"quantile": 0.8}),
    ):
        Y, loss = targets(kind, y)
        loss = {"huber_delta": "huber", "quantile": "quantile"}.get(next(iter(more), ""), loss)
        result = fastnet.sweep(X, Y, loss=loss, validation_fraction=0.3, **SMALL, **more)
        rows = run_samples(result, (X, Y))
        Xv, Yv, weight = rows.weighted("val")
        for member in (0, result.best_member):
            model = result.model(member)
            lost = ensemble.Loss(model, result.members[member], Yv, weight)
            found = lost.of(model.response(model.outputs(Xv)))
            # Float32 inputs and weights in training.
            assert found == pytest.approx(result.members["val_loss"][member], rel=1e-5, abs=1e-7)
        assert sum(result.ensemble("greedy:3", data=(X, Y)).counts) == 3


def test_greedy_weighs_classes_as_the_training_does(samples, monkeypatch):
    X, y = samples
    y = np.where(y > 1.2, "rare", "usual")
    given = {**SMALL, "validation_fraction": 0.4, "class_weight": "balanced", "data_seed": 3}
    result, told = fastnet.sweep(X, y, **given), []

    class Spy(ensemble.Loss):
        def of(self, response):
            told.append(super().of(response))
            return told[-1]

    monkeypatch.setattr(ensemble, "Loss", Spy)
    result.ensemble("greedy:1", data=(X, y))
    np.testing.assert_allclose(told, np.sort(result.members["val_loss"]), rtol=1e-5)


def test_diverged_members_are_left_out_and_counted(samples):
    given = {**SMALL, "optimizer": "sgd", "learning_rate": [0.1, 1e30]}
    result = fastnet.sweep(*samples, **given, activation="identity")
    gone = result.members["stop_reason"] == "diverged"
    assert 0 < gone.sum() < len(gone)
    found = result.ensemble("all")
    assert set(found.members) == set(np.flatnonzero(~gone))
    assert found.left_out == {"diverged": gone.sum()}
    assert found.words().endswith(f"Left out: {gone.sum()} diverged.")
    alone = fastnet.sweep(*samples, **{**given, "learning_rate": 1e30}, activation="identity")
    with pytest.raises(UsageError, match="no member can be taken for an ensemble: all diverged"):
        alone.ensemble("all")


def test_pruned_members_are_left_out_and_counted(samples):
    result = fastnet.sweep(*samples, **{**SMALL, "n1": [2, 3, 4, 5]}, halving=2)
    gone = result.members["stop_reason"] == "pruned"
    assert 0 < gone.sum() < len(gone)
    found = result.ensemble("all")
    assert set(found.members) == set(np.flatnonzero(~gone))
    assert found.left_out == {"pruned": gone.sum()}


def test_words_name_members_and_how_often():
    found = ensemble.Ensemble((), tuple(range(20)), (3, *[1] * 19), None, {})
    assert found.words() == (
        "Ensemble of 20 members: 0 (3 times), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 8 more."
    )
    assert found._replace(members=(4,), counts=(1,)).words() == "Ensemble of 1 member: 4."


@pytest.mark.parametrize(
    "members", ["best", "top", "top:0", "greedy:-1", "top:1.5", "all:3", 5, None]
)
def test_members_that_are_none(numbers, members):
    with pytest.raises(UsageError, match="members must be all, top:K or greedy:K, such as top:5"):
        numbers.ensemble(members)


def test_refusals_say_what_to_do(numbers, samples):
    with pytest.raises(UsageError, match="top:7: the run has 6 members that can be taken"):
        numbers.ensemble("top:7")
    with pytest.raises(UsageError, match=r"does not hold the samples .* give data=\(X, y\)"):
        numbers.ensemble("greedy:2")
    kept = fastnet.sweep(*samples, **SMALL, keep="best")
    with pytest.raises(UsageError, match=r"\(--keep best\); train it with --keep all"):
        kept.ensemble("all")
    blind = fastnet.sweep(*samples, **SMALL)
    with pytest.raises(UsageError, match="the run has none; train with --validation"):
        blind.ensemble("greedy:2", data=samples)
    folded = fastnet.sweep(*samples, **SMALL, folds=3)
    with pytest.raises(UsageError, match="with folds each member has validation rows of its own"):
        folded.ensemble("greedy:2", data=samples)
    assert len(folded.ensemble("all").members) == 18
    quantiles = fastnet.sweep(*samples, loss="quantile", quantile=[0.1, 0.9], **SMALL)
    with pytest.raises(UsageError, match=r"different losses \(quantile 0\.1, 0\.9\)"):
        quantiles.ensemble("all")


# ---------------------------------------------------------------- tables and commands


@pytest.fixture
def run(samples, tmp_path, monkeypatch):
    """A run folder `run` on houses.csv, and `kinds` on a column of classes."""
    monkeypatch.chdir(tmp_path)
    X, y = samples
    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y})
    frame["kind"] = targets("classes", y)[0]
    frame.to_csv("houses.csv", index=False)
    given = {"data": "houses.csv", "features": ["a", "b"], "l2": 0, **SMALL}
    fastnet.sweep(target="y", out="run", **given)
    fastnet.sweep(target="kind", out="kinds", **given)
    return frame


def test_columns_of_the_spread(run):
    result = fastnet.load("run")
    found = result.ensemble("greedy:3")
    frame = fastnet.predict(found, run, std=True, quantiles=[0.05, 0.95], keep="y")
    assert list(frame) == ["y", "predicted_y", "std", "q0.05", "q0.95"]
    spread = found.spread(run, [0.05, 0.95])
    np.testing.assert_array_equal(frame["std"], spread.std[:, 0])
    np.testing.assert_array_equal(frame["q0.95"], spread.quantiles[1, :, 0])
    np.testing.assert_allclose(frame["predicted_y"], found.predict(run), **SAME)
    kinds = fastnet.load("kinds").ensemble("top:2")
    frame = fastnet.predict(kinds, run, std=True, proba=True)
    names = ["high", "low", "mid"]
    assert list(frame) == ["kind", *(f"p_{n}" for n in names), *(f"p_{n}_std" for n in names)]
    with pytest.raises(UsageError, match="the result would have two columns 'std'"):
        fastnet.predict(found, run.assign(std=1), std=True, keep="std")


def test_predict_and_evaluate_take_members(run, command):
    got = command("predict run --data houses.csv --members greedy:2 --std -o p.csv")
    result = fastnet.load("run")
    found = result.ensemble("greedy:2")
    assert got.code == 0 and got.err.startswith(found.words() + "\n")
    table = pandas.read_csv("p.csv")
    assert list(table) == ["y", "std"]
    np.testing.assert_allclose(table["y"], found.predict(run), rtol=1e-9)
    got = command("evaluate run --data houses.csv --members greedy:2 --json").json
    assert got["metrics"]["rmse"] == pytest.approx(metrics_of(found, run)["rmse"])
    assert got["best"]["metrics"]["rmse"] == pytest.approx(metrics_of(result.model(), run)["rmse"])
    shown = command("evaluate kinds --data houses.csv --members all").out
    assert shown.startswith("Ensemble of 6 members: ") and "best member" in shown


def test_evaluate_takes_the_rows_of_the_run(run, command):
    got = command("evaluate run --members greedy:2 --interval 0.8 --json").json
    result, found = fastnet.load("run"), fastnet.load("run").ensemble("greedy:2")
    assert got["data"] is None and list(got["sets"]) == ["train", "val"]
    for name, scored in got["sets"].items():
        rows = run.iloc[result.split[name]]
        assert scored["rows"] == len(rows)
        assert scored["model"]["metrics"]["rmse"] == pytest.approx(metrics_of(found, rows)["rmse"])
        expected = result.metrics[name]["rmse"]
        assert scored["best"]["metrics"]["rmse"] == pytest.approx(expected, rel=1e-5)
        assert 0.7 < scored["model"]["interval"]["coverage"] <= 1
    shown = command("evaluate run --members greedy:2 --interval 0.8").out
    assert "\nEnsemble:\n" in shown and "\nBest member:\n" in shown
    assert shown.count("val: 80 % intervals hold ") == 2
    alone = command("evaluate kinds --member 1").out
    assert "train" in alone and "Best member" not in alone and "baseline: " in alone


def test_rows_of_the_run_that_are_not_there(run, command, samples):
    fastnet.train(*samples, n1=2, max_epochs=5, out="arrays")
    for line, code, message in (
        ("run/model.npz", 2, "run/model.npz is a single model, which has no rows of its own; give"),
        ("arrays", 2, "the run folder does not hold the samples of your own data; give --data."),
        ("run --weights a", 2, "--weights belongs to a table; give --data as well."),
        ("kinds --threshold 0.5", 2, "--threshold belongs to a table; give --data as well."),
        ("run --interval 0.999", 2, "interval 0.999 needs at least 999 validation rows"),
        ("nothing", 1, "no run folder and no model at nothing"),
    ):
        got = command(f"evaluate {line}")
        assert (got.code, got.out) == (code, "") and got.err.startswith(f"Error: {message}")
    run.iloc[:90].to_csv("houses.csv", index=False)
    got = command("evaluate run")
    assert got.code == 2 and "houses.csv is no longer what the run was trained on" in got.err


def metrics_of(model, frame):
    Y = frame["y"].to_numpy()[:, None]
    return metrics.of_numbers(Y, model.predict(frame)[:, None], np.ones(len(Y)), ["y"])


@pytest.mark.parametrize(
    "line, message",
    [
        ("run --members top:9", "members top:9: the run has 6 members"),
        ("run --members few", "members must be all, top:K or greedy:K, such as top:5, got 'few'"),
        (
            "run --members all --member 1",
            "--member 1 is one network, --members all are several; drop one",
        ),
        ("run/model.npz --members all", "--members chooses members of a run; run/model.npz is a"),
        ("run --std", "std tells how far the members of an ensemble differ; choose its members"),
        ("run --quantiles 0.5", "quantiles tells how far the members of an ensemble differ"),
        ("run --members all --quantiles 0.5,x", "--quantiles must be numbers from 0 to 1"),
        ("run --members all --quantiles 2", "quantiles must be different shares from 0 to 1"),
        ("run --members all --quantiles 0.5,0.5", "quantiles must be different shares from 0"),
    ],
)
def test_bad_requests_write_nothing(run, command, tmp_path, line, message):
    got = command(f"predict {line} --data houses.csv -o p.csv")
    assert got.code == 2 and got.err.startswith(f"Error: {message}")
    assert got.err.count("\n") == 1 and not (tmp_path / "p.csv").exists()


def test_the_greedy_search_weighs_rows_as_it_is_told():
    """Rows of weight 0 do not count: the picks are those of a run that lacks them."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 2)), rng.normal(size=80)
    given = {"n1": 4, "seeds": 6, "max_epochs": 20}
    few = fastnet.sweep(X[:40], y[:40], validation=(X[40:60], y[40:60]), **given)
    many = fastnet.sweep(X[:40], y[:40], validation=(X[40:], y[40:]), **given)
    weight = np.where(np.arange(80) < 60, 1.0, 0.0)
    wanted = few.ensemble("greedy:5", data=(X[:60], y[:60])).members
    assert many.ensemble("greedy:5", data=(X, y, weight)).members == wanted
    assert many.ensemble("greedy:5", data=(X, y)).members != wanted
    with pytest.raises(
        DataError, match="sample_weight must hold one number for each of the 80 rows"
    ):
        many.ensemble("greedy:5", data=(X, y, weight[:3]))
