"""Successive halving: who is pruned when, and that nothing else changes."""

import numpy as np
import pytest

import fastnet
from fastnet import job
from fastnet.data.samples import make_data
from fastnet.engine.records import PRUNED
from fastnet.errors import UsageError
from fastnet.options.defaults import resolve
from fastnet.results.answer import sentence
from fastnet.training.halving import Halving, epochs_left, halving_of
from fastnet.training.plan import make_plan
from fastnet.training.training import Training

X = np.linspace(-1, 1, 40)[:, None]
Y = np.sin(3 * X[:, 0])
# 12 settings in 24 members: rungs at epochs 6 and 18, 4 and 2 settings go on.
RUN = {
    "n1": [2, 4, 8],
    "seeds": 2,
    "learning_rate": [0.003, 0.03, 0.3, 1e30],
    "max_epochs": 54,
    "halving": 3,
    "threads": 1,
    "optimizer": "sgd",
    "patience": 10,
    "min_delta": 1e-4,
}


def training(**given):
    options = resolve({**RUN, **given}, "sweep")
    data = make_data(X, Y, validation_fraction=0.2)
    return Training(make_plan(options, data), data, options)


def trained(epochs, **given):
    """A whole training in rounds of so many epochs."""
    run = training(**given)
    while run.live.size:
        run.epochs = epochs
        run.round()
    return run


def bytes_of(run):
    """Everything that training leaves behind, apart from times."""
    arrays = run.pack.states, run.pack.best, run.history.table()
    return [array.tobytes() for array in arrays]


# ---------------------------------------------------------------- who goes on


def test_the_rungs_and_how_many_settings_go_on():
    found = training().halving
    assert (found.rungs, found.keeps) == ((6, 18), (4, 2))
    assert found.settings.tolist() == [i for n1 in range(3) for _ in range(2) for i in
                                       range(4 * n1, 4 * n1 + 4)]  # fmt: skip
    assert training(halving=2).halving.rungs == (6, 13, 27)
    assert training(halving=12, max_epochs=12).halving.keeps == (1,)
    assert training(max_epochs=4).halving.rungs == (1,)  # no rung at epoch 4 // 9
    assert training(halving=None).halving is None


def test_the_settings_with_the_lowest_mean_loss_go_on():
    found = Halving((5,), (2,), np.array([0, 0, 1, 1, 2, 2, 3]))
    losses = np.array([1.0, 9.0, 4.0, 4.0, 0.1, np.inf, 4.0])
    assert found.behind(5, losses).tolist() == [True, True, False, False, True, True, False]
    assert not found.behind(4, losses).any()
    ties = np.full(7, 2.0)
    assert found.behind(5, ties).tolist() == [False] * 4 + [True] * 3
    assert (found.due(0), found.due(5), found.due(6)) == (6, 6, np.iinfo(np.int64).max)


def test_at_each_rung_the_members_behind_stop():
    run = trained(1000)
    states, halving = run.pack.states, run.halving
    pruned = states["stop"] == PRUNED
    assert set(states["last_epoch"][pruned]) == {6, 18}
    ended = ~pruned & (states["last_epoch"] > 18)
    assert len(set(halving.settings[ended])) <= 2
    for rung, keep in zip(halving.rungs, halving.keeps):
        on = states["last_epoch"] > rung
        assert len(set(halving.settings[on])) <= keep
        # Every setting that stopped here was behind those that went on, with the losses of then.
        best = np.array([min(history_until(run, m, rung)) for m in range(len(states))])
        means = np.bincount(halving.settings, best) / np.bincount(halving.settings)
        out = np.unique(halving.settings[pruned & (states["last_epoch"] == rung)])
        for setting in np.unique(halving.settings[on]):
            assert (means[setting] <= means[out]).all()


def history_until(run, member, epoch):
    """The monitored losses of a member up to an epoch, those that are finite."""
    entries = run.history.flat(run.pack.states)
    offsets = entries["offsets"]
    first, last = offsets[member : member + 2]
    kept = entries["epoch"][first:last] <= epoch
    losses = entries["val_loss"][first:last][kept]
    losses = losses[np.isfinite(losses)]
    return losses if losses.size else [np.inf]


def test_a_member_that_stopped_by_itself_keeps_its_place_and_its_reason():
    result = fastnet.sweep(
        X, Y, **{**RUN, "learning_rate": [0.3, 1e30], "target_loss": 0.1, "backend": "reference"}
    )
    reasons = set(result.members["stop_reason"])
    assert {"pruned", "diverged"} <= reasons
    diverged = result.members[result.members["learning_rate"] == 1e30]
    assert set(diverged["stop_reason"]) == {"diverged"}


# ---------------------------------------------------------------- bytes


def test_members_that_are_not_pruned_have_the_bytes_that_they_have_without_halving():
    halved, whole = trained(7), trained(1000, halving=None)
    kept = np.flatnonzero(halved.pack.states["stop"] != PRUNED)
    assert 4 <= len(kept) < 24
    assert halved.pack.states[kept].tobytes() == whole.pack.states[kept].tobytes()
    one, other = (run.history.flat(run.pack.states) for run in (halved, whole))
    weights = [run.unpacked(run.pack.best, kept) for run in (halved, whole)]
    assert all(weights[0][name].tobytes() == weights[1][name].tobytes() for name in weights[0])
    for member in kept:
        for name in ("epoch", "train_loss", "val_loss", "learning_rate"):
            parts = [e[name][slice(*e["offsets"][member : member + 2])] for e in (one, other)]
            assert parts[0].tobytes() == parts[1].tobytes()
    # What a pruned member did before is the beginning of what it does without halving.
    for member in np.flatnonzero(halved.pack.states["stop"] == PRUNED):
        parts = [e["val_loss"][slice(*e["offsets"][member : member + 2])] for e in (one, other)]
        assert parts[0].tobytes() == parts[1][: len(parts[0])].tobytes()


@pytest.mark.parametrize("epochs, threads", [(1, 1), (5, 2), (1000, 4)])
def test_rounds_and_threads_change_nothing(epochs, threads):
    assert bytes_of(trained(epochs, threads=threads)) == bytes_of(trained(3))


def test_a_run_goes_on_from_every_checkpoint_with_the_same_bytes():
    whole = bytes_of(trained(4))
    run = training()
    while run.live.size:
        run.epochs = 3
        run.round()
        again = training()
        again.restore({name: array.copy() for name, array in run.checkpoint().items()})
        while again.live.size:
            again.epochs = 5
            again.round()
        assert bytes_of(again) == whole


def test_a_run_that_is_interrupted_and_resumed_is_the_same(tmp_path, monkeypatch):
    given = {**RUN, "validation_fraction": 0.2, "max_epochs": 600}
    whole = fastnet.sweep(X, Y, **given)
    monkeypatch.setattr("fastnet.training.training.Training.first_epochs", lambda self: 1)
    cut = fastnet.sweep(X, Y, **given, out=tmp_path / "run", progress=lambda where: True)
    assert cut.status == "interrupted"
    ended = fastnet.resume(tmp_path / "run", X, Y)
    for name in set(whole.members.dtype.names) - {"seconds"}:
        assert ended.members[name].tobytes() == whole.members[name].tobytes(), name
    assert "pruned" in ended.members["stop_reason"]


# ---------------------------------------------------------------- the answer and estimates


def test_success_rates_are_not_known_where_pruning_decided():
    given = {**RUN, "learning_rate": 0.3, "target_loss": 1e-9, "n1": [1, 2, 16], "patience": None}
    result = fastnet.sweep(X, Y, **given, backend="reference")
    rows = {row["n1"]: row for row in result.by_n1()}
    pruned = {int(m["n1"]) for m in result.members if m["stop_reason"] == "pruned"}
    assert len(pruned) == 2
    for n1, row in rows.items():
        assert (row["success_rate"] is None) == (n1 in pruned)
    assert result.summary()["smallest_n1"] is None
    said = sentence(result.members, result.options)
    assert said.startswith("--halving pruned 4 of 6 members before their own stop, so no N1")


def test_without_a_target_an_n1_of_pruned_members_alone_is_named():
    given = {**RUN, "learning_rate": 0.3, "n1": [1, 2, 16], "patience": None}
    result = fastnet.sweep(X, Y, **given, backend="reference")
    left = set(result.members["n1"][result.members["stop_reason"] != "pruned"].tolist())
    gone = ", ".join(str(n1) for n1 in (1, 2, 16) if n1 not in left)
    assert sentence(result.members, result.options).startswith(
        f"--halving pruned every member of N1 = {gone} before its own stop, so no N1 is known to "
    )


def test_the_best_member_is_of_a_setting_that_went_on(tmp_path):
    """With folds: the mean over them decides, as at the rungs."""
    result = fastnet.sweep(X, Y, **{**RUN, "seeds": 1}, folds=3, backend="reference")
    assert result.best["stop_reason"] != "pruned"


def test_an_estimate_counts_the_epochs_of_the_settings_that_go_on():
    found = training().halving
    assert epochs_left(None, 4, 54) == 50
    assert epochs_left(found, 0, 54) == pytest.approx(6 + 12 * 4 / 12 + 36 * 2 / 12)
    assert epochs_left(found, 7, 54) == pytest.approx(11 + 36 * 2 / 4)
    assert epochs_left(found, 19, 54) == 35


def test_what_is_trained_says_how_many_settings_go_on():
    found = fastnet.dry_run("sweep", X, Y, **{**RUN, "backend": "reference"})
    said = "The best of 12 settings go on: 4 after epoch 6, 2 after epoch 18."
    assert found["notices"] == [said]
    whole = fastnet.dry_run("sweep", X, Y, **{**RUN, "backend": "reference", "halving": None})
    assert whole["notices"] == [] and whole["members"] == found["members"] == 24


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "given, message",
    [
        ({"stop": "first"}, "halving compares members that run to their own stop, got stop first"),
        ({"n1": 2, "learning_rate": 0.1, "seeds": 9}, "needs at least 3 settings .* got 1; give"),
        ({"n1": [2, 3], "learning_rate": 0.1}, "halving 3 needs at least 3 settings .* got 2"),
        ({"max_epochs": 2}, "halving 3 needs max_epochs of at least 3, got 2"),
        ({"halving": 1}, "halving must be an integer >= 2 .*got 1"),
    ],
)
def test_what_cannot_be_halved_is_refused_before_anything_is_written(given, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        fastnet.sweep(X, Y, **{**RUN, **given}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_smallest_has_no_halving():
    with pytest.raises(UsageError, match="halving compares members"):
        job.start("smallest", X, Y, halving=3, target_loss=0.1)


def test_halving_of_no_option_is_none():
    assert halving_of(training().plan, {"halving": None, "max_epochs": 5}) is None
