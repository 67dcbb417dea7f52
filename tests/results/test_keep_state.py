"""Members that max_epochs ended go on from their states: the same files as from scratch."""

import numpy as np
import pytest
from test_reuse import X, Y, contents

import fastnet
from fastnet import DataError, UsageError
from fastnet.job import prepare, running
from fastnet.options.methods import FIRST_ORDER, OPTIMIZERS
from fastnet.results import reuse
from fastnet.results.environment import describe
from fastnet.training.training import Training

SHORT = {"n1": [2, 4], "seeds": 2, "max_epochs": 20, "threads": 1, "keep": "state"}
STEPPED = {"optimizer": list(FIRST_ORDER), "n1": [3], "seeds": 1, "learning_rate": None}
IN_BATCHES = [name for name in FIRST_ORDER if OPTIMIZERS[name].in_batches]
# What both runs have in common; the second one has 33 epochs.
RUNS = {
    "full batch": {**STEPPED, "record": ["snapshots", "clipped"]},
    "batches": {**STEPPED, "optimizer": IN_BATCHES, "batch_size": 8, "record": ["snapshots"]},
    "validated": {**STEPPED, "optimizer": IN_BATCHES, "batch_size": 8, "validation_fraction": 0.2},
    "second order": {"optimizer": ["lm", "br", "lbfgs"], "seeds": 3, "learning_rate": None},
    "units": {"n1": [24], "batch_size": 8, "optimizer": "adam"},
    "folds": {"folds": 3, "optimizer": "adam", "seeds": 1},
    "weights": {"sample_weight": np.linspace(1, 2, 40), "dtype": "float64", "test_fraction": 0.2},
    "own stops": {"patience": 4, "min_delta": 0.01, "lr_patience": 2, "seeds": 4, "clip_norm": 1.0},
    "diverging": {"learning_rate": [0.1, 1e30], "optimizer": "momentum"},
    "schedules": {"schedule": ["step", "exponential"], "decay_epochs": 7, "warmup_epochs": 25},
    "rivals": {"l2": [0.1, 0.01, 0.001], "prune_l2": 10, "validation_fraction": 0.2},
    "late rivals": {"l2": [0.1, 0.01, 0.001], "prune_l2": 25, "validation_fraction": 0.2},
    "classes": {"loss": "cross_entropy", "target_accuracy": 0.95, "optimizer": "adam"},
    "reference": {"backend": "reference", "optimizer": ["adam", "lm"], "seeds": 1},
}


def swept(out=None, **given):
    given = {**SHORT, **given}
    y = Y > 0 if given.get("loss") == "cross_entropy" else Y
    return fastnet.sweep(X, y, out=out, **given)


def told(result):
    return [line for line in result.notices if line.startswith("Reused") or "are trained" in line]


@pytest.mark.parametrize(
    "case, more",
    [
        ({"record": ["snapshots"], "optimizer": "adam"}, {"seeds": 3}),
        ({**RUNS["rivals"], "n1": [2, 3]}, {"n1": [2, 3, 4]}),
        ({"max_epochs": 21}, {"seeds": 3}),  # no round ends there for a snapshot
    ],
    ids=["snapshots", "rivals", "rounds"],
)
def test_members_that_wait_are_left_alone_by_those_that_begin(case, more, tmp_path):
    swept(tmp_path / "old", **case)
    new = {**case, **more, "max_epochs": 40}
    swept(tmp_path / "scratch", **new)
    result = swept(tmp_path / "longer", **new, reuse=tmp_path / "old")
    assert contents(tmp_path / "longer") == contents(tmp_path / "scratch")
    assert " to go on from epoch 2" in told(result)[0] and len(told(result)) == 2


@pytest.mark.parametrize("case", RUNS)
def test_a_run_that_goes_on_is_that_from_scratch(case, tmp_path):
    given = RUNS[case]
    swept(tmp_path / "old", **given)
    swept(tmp_path / "scratch", **given, max_epochs=33)
    result = swept(tmp_path / "longer", **given, max_epochs=33, reuse=tmp_path / "old")
    assert contents(tmp_path / "longer") == contents(tmp_path / "scratch")
    count = len(result.members)
    if case == "classes":  # whether one ended before or at the last epoch is not known
        assert " go on from epoch 20" in told(result)[0]
    else:
        assert told(result)[0].startswith(f"Reused {count} of {count} members from ")
        assert told(result)[0].endswith(" go on from epoch 20.")


def test_rounds_and_thinned_histories_leave_no_trace(tmp_path, monkeypatch):
    given = {"n1": [2], "seeds": 1, "optimizer": "adam"}
    swept(tmp_path / "scratch", **given, max_epochs=2103)
    monkeypatch.setattr("fastnet.training.training.ROUND_BYTES", 8 * 5 * 7)  # 7 epochs a round
    swept(tmp_path / "old", **given, max_epochs=1501)
    swept(tmp_path / "longer", **given, max_epochs=2103, reuse=tmp_path / "old")
    assert contents(tmp_path / "longer") == contents(tmp_path / "scratch")


def test_some_go_on_some_have_ended_and_some_are_new(tmp_path):
    asked = {"target_loss": 0.1, "learning_rate": 0.1, "optimizer": "adam", "max_epochs": 60}
    old = swept(**asked)
    ended = int((old.members["stop_reason"] == "target").sum())
    assert 0 < ended < 4
    more = {**asked, "max_epochs": 90, "seeds": 5}
    swept(tmp_path / "scratch", **more)
    result = swept(tmp_path / "longer", **more, reuse=old)
    assert contents(tmp_path / "longer") == contents(tmp_path / "scratch")
    assert told(result) == [
        f"Reused 4 of 10 members from the given Result: {ended} as they ended, {4 - ended} to go "
        "on from epoch 60.",
        "6 of 10 members are trained from the first epoch.",
    ]
    # The states of members that were reused go on once more; those of other epochs do not.
    twice = swept(tmp_path / "twice", **{**more, "max_epochs": 90}, reuse=[old, result])
    assert twice.states["members"].tolist() == result.states["members"].tolist()
    swept(tmp_path / "far", **{**more, "max_epochs": 120})
    swept(tmp_path / "on", **{**more, "max_epochs": 120}, reuse=result)
    assert contents(tmp_path / "on") == contents(tmp_path / "far")


def test_shards_and_stop_first_keep_states(tmp_path):
    shards = [swept(tmp_path / f"{i}", shard=f"{i}/2") for i in (1, 2)]
    swept(tmp_path / "scratch", max_epochs=33)
    swept(tmp_path / "longer", max_epochs=33, reuse=[result.run for result in shards])
    assert contents(tmp_path / "longer") == contents(tmp_path / "scratch")
    together = swept(max_epochs=20, reuse=shards)
    assert together.states["members"].tolist() == [0, 1, 2, 3]
    first = swept(stop="first", target_loss=1e-9)
    assert "4 of 4" in told(swept(max_epochs=33, reuse=first, target_loss=1e-9))[0]


def test_smallest_goes_on(tmp_path):
    asked = {"target_loss": 1e-4, "optimizer": "lm", "threads": 1, "keep": "state"}
    old = fastnet.sweep(X, Y, n1=[2, 3], seeds=20, max_epochs=8, **asked)
    fastnet.smallest(X, Y, out=tmp_path / "scratch", max_epochs=30, **asked)
    result = fastnet.smallest(X, Y, out=tmp_path / "longer", max_epochs=30, reuse=old, **asked)
    assert contents(tmp_path / "longer") == contents(tmp_path / "scratch")
    assert "to go on from epoch 8" in told(result)[0]


@pytest.mark.parametrize("begun", [20, 0])
def test_runs_that_go_on_or_keep_states_are_resumed(begun, tmp_path, monkeypatch):
    monkeypatch.setattr("fastnet.training.training.FIRST_ROUND", 0.0)
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)
    old = swept(optimizer="adam") if begun else None
    new = {"optimizer": "adam", "seeds": 2 + (not begun), "max_epochs": 33}
    swept(tmp_path / "scratch", **new)
    for last in (begun + 1, 31, 32):
        run = tmp_path / str(last)
        result = swept(run, **new, reuse=old, progress=lambda p, last=last: p.epoch >= last)
        assert result.status == "interrupted"
        fastnet.resume(run, X, Y)
        assert contents(run) == contents(tmp_path / "scratch")


def test_a_run_killed_before_its_files_are_written_has_its_states(tmp_path, monkeypatch):
    def die(job, training):
        job.folder.checkpoint(training.checkpoint())
        if not training.live.size:
            raise RuntimeError("killed")
        return False

    swept(tmp_path / "scratch")
    with monkeypatch.context() as patch:
        patch.setattr(running.Job, "after_round", die)
        with pytest.raises(RuntimeError, match="killed"):
            swept(tmp_path / "run")
    swept(tmp_path / "further", max_epochs=33)
    longer = swept(tmp_path / "longer", max_epochs=33, reuse=tmp_path / "run")
    assert told(longer)[0].endswith(": all to go on from epoch 20.")
    assert contents(tmp_path / "longer") == contents(tmp_path / "further")
    fastnet.resume(tmp_path / "run", X, Y)
    assert contents(tmp_path / "run") == contents(tmp_path / "scratch")


def test_a_saved_result_has_its_states(tmp_path):
    old = swept(optimizer="adam")
    old.save(tmp_path / "saved")
    again = fastnet.load(tmp_path / "saved")
    for name, array in old.states.items():
        assert again.states[name].tobytes() == array.tobytes()
    assert "states" not in again.summary()
    assert len(again.ensemble("all").members) == 4


@pytest.mark.parametrize(
    "old, new, why",
    [
        ({}, {"learning_rate": 0.3}, "its learning_rate is "),
        ({}, {"clip_norm": 1.0}, "its clip_norm is None, not 1.0"),
        ({}, {"validation_fraction": 0.2}, "its data differ"),
        ({"schedule": "cosine"}, {}, "max_epochs was 20, not 33"),
        ({"schedule": "one_cycle"}, {}, "max_epochs was 20, not 33"),
        ({"schedule": "step"}, {}, "its decay_epochs is 2, not 3"),
        ({"keep": "all"}, {"keep": "all"}, "max_epochs was 20, not 33"),
        ({}, {"max_epochs": 10}, "max_epochs was 20, not 10"),
        ({"keep": "all"}, {"max_epochs": 20, "keep": "state"}, "it kept no states (keep all)"),
    ],
)
def test_what_differs_is_trained_anew(old, new, why):
    result = swept(**{**old, "max_epochs": 33, **new}, reuse=swept(**old))
    assert len(told(result)) == 1
    assert told(result)[0].startswith(f"Reused nothing of the given Result: {why}")
    fresh = swept(**{**old, "max_epochs": 33, **new})
    np.testing.assert_array_equal(result.entries["train_loss"], fresh.entries["train_loss"])


def test_a_cluster_trains_from_the_first_epoch():
    old = swept()
    given = {**SHORT, "max_epochs": 33}
    options, data, plan = prepare("sweep", X, Y, None, given)
    facts = {**describe(1, data.digest()), "workers": {}}
    training = Training(plan, data, options)
    found = reuse.reuse_into(training, reuse.sources_of(old), facts)
    assert found.notices(4) == [
        "Reused nothing of the given Result: max_epochs was 20, not 33, and a cluster trains from "
        "the first epoch."
    ]


def test_states_of_a_run_in_parts_are_refused(tmp_path):
    message = "memory is less than the run takes, and keep state holds the states of all members"
    with pytest.raises(UsageError, match=message):
        swept(tmp_path / "run", seeds=2000, memory="270MB")
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_names_the_way_to_more_epochs(tmp_path):
    swept(tmp_path / "run")
    with pytest.raises(UsageError, match=r"max_epochs cannot change, .*start a run with --reuse"):
        fastnet.resume(tmp_path / "run", X, Y, max_epochs=50)


DAMAGE = [
    (lambda s: s.update(members=s["members"] + 1), "it names members that there are not"),
    (lambda s: s.update(states=s["states"][["epoch"]]), "its states have other fields"),
    (lambda s: s.update(offsets=s["offsets"] + 1), "offsets does not cut parameters into those"),
    (lambda s: s.update(memory=s["memory"][1:]), "memory_offsets does not cut memory into those"),
    (lambda s: s.update(best=s["best"][1:]), "best has "),
    (lambda s: s["states"]["stop"].fill(3), "it has states of members that had ended"),
    (lambda s: s.pop("memory"), "it has no 'memory'"),
    (lambda s: s["states"]["epoch"].fill(7), "the state of member 0 has epoch 7"),
    (lambda s: s["states"]["waited"].fill(-1), "the state of member 0 has waited -1"),
    (lambda s: s["best"].fill(np.nan), "best has values that are not finite"),
]


@pytest.mark.parametrize("damage, message", DAMAGE)
def test_damaged_states_are_refused(damage, message, tmp_path):
    swept(tmp_path / "run", optimizer="adam")
    with np.load(tmp_path / "run" / "state.npz") as file:
        states = dict(file)
    damage(states)
    np.savez(tmp_path / "run" / "state.npz", **states)
    with pytest.raises(DataError, match=message):
        swept(max_epochs=33, optimizer="adam", reuse=tmp_path / "run")
