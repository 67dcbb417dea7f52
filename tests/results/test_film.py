"""Snapshots for playback: which are taken, kept, limited and resumed."""

import json

import numpy as np
import pytest

import fastnet
from fastnet.errors import UsageError
from fastnet.files import read_npz
from fastnet.results import film
from fastnet.results.collect import peek
from fastnet.training import training as trainings
from fastnet.training.history import Snapshots, of_members

X = np.linspace(-1, 1, 40)
Y = np.sin(3 * X)
SWEEP = {"n1": [2, 3, 4], "seeds": 3, "max_epochs": 50}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    return fastnet.sweep(X, Y, **SWEEP, out=tmp_path_factory.mktemp("film") / "run")


def test_the_epochs_are_all_up_to_16_then_four_for_each_doubling():
    epochs = [e for e in range(70) if Snapshots().is_due(e)]
    assert epochs == [*range(17), 20, 24, 28, 32, 40, 48, 56, 64]
    epoch, count = 0, 1
    while epoch < 30_000:
        epoch, count = Snapshots.due(epoch), count + 1
    assert count == 61


def test_a_run_with_a_folder_keeps_the_best_member_of_each_n1(sweep):
    shots = sweep.recorded["snapshots"]
    best = [sweep.best_of(n1) for n1 in (2, 3, 4)]
    assert sorted(set(shots["member"].tolist())) == sorted(best)
    mine = shots["epoch"][shots["member"] == best[0]]
    assert mine.tolist() == [*range(17), 20, 24, 28, 32, 40, 48]
    again = fastnet.load(sweep.run)
    for name, array in shots.items():
        np.testing.assert_array_equal(again.recorded["snapshots"][name], array)


def test_the_snapshots_are_those_of_all_members(sweep):
    everyone = fastnet.sweep(X, Y, **SWEEP, record="snapshots").recorded["snapshots"]
    assert set(everyone["member"].tolist()) == set(range(9))
    best = [sweep.best_of(n1) for n1 in (2, 3, 4)]
    for name, array in of_members(everyone, best).items():
        np.testing.assert_array_equal(array, sweep.recorded["snapshots"][name])


def test_the_bytes_of_a_run_do_not_depend_on_snapshots(sweep):
    without = fastnet.sweep(X, Y, **SWEEP)
    assert without.recorded["snapshots"] == {}
    for name in ("W1", "b1", "W2", "b2"):
        np.testing.assert_array_equal(without.packed[name], sweep.packed[name])
    for name, array in without.entries.items():
        np.testing.assert_array_equal(sweep.entries[name], array)


def test_record_none_and_keep(tmp_path):
    given = {**SWEEP, "seeds": 1, "max_epochs": 5}
    fastnet.sweep(X, Y, **given, record="none", out=tmp_path / "none")
    fastnet.sweep(X, Y, **given, keep="none", out=tmp_path / "nothing")
    best = fastnet.sweep(X, Y, **given, keep="best", out=tmp_path / "best")
    for name in ("none", "nothing"):
        assert not (tmp_path / name / "snapshots.npz").exists()
        assert fastnet.load(tmp_path / name).recorded["snapshots"] == {}
    kept = read_npz(tmp_path / "best" / "snapshots.npz")
    assert set(kept["member"].tolist()) == {best.best_member}
    with pytest.raises(UsageError, match=r"^record none stands alone; drop it, or clipped\.$"):
        fastnet.sweep(X, Y, **given, record="clipped,none")


def test_an_interrupted_run_has_the_same_snapshots_after_it_was_resumed(sweep, tmp_path):
    calls = iter(range(100))
    folder = tmp_path / "run"
    stopped = fastnet.sweep(
        X, Y, **SWEEP, out=folder, progress=lambda p: p.stage == "train" and next(calls) == 7
    )
    assert stopped.status == "interrupted"
    shots = peek(folder).recorded["snapshots"]
    assert set(shots["member"].tolist()) == set(range(9)) and shots["epoch"].max() == 7
    resumed = fastnet.resume(folder, X, Y)
    for name, array in sweep.recorded["snapshots"].items():
        np.testing.assert_array_equal(resumed.recorded["snapshots"][name], array)


def test_a_search_for_the_smallest_n1_resumes_with_its_snapshots(tmp_path):
    given = {"n1": [1, 8], "max_epochs": 60, "target_loss": 1e-3, "optimizer": "lm"}
    whole = fastnet.smallest(X, Y, **given, out=tmp_path / "whole")
    calls = iter(range(1000))
    stopped = fastnet.smallest(
        X, Y, **given, out=tmp_path / "run",
        progress=lambda p: p.stage == "train" and p.members > 8 and next(calls) == 2,
    )  # fmt: skip
    assert stopped.status == "interrupted"
    resumed = fastnet.resume(tmp_path / "run", X, Y)
    assert set(whole.recorded["snapshots"]["n1"].tolist()) == {1, 8}
    for name, array in whole.recorded["snapshots"].items():
        np.testing.assert_array_equal(resumed.recorded["snapshots"][name], array)


def test_beyond_the_limit_the_better_half_is_held(monkeypatch, tmp_path):
    monkeypatch.setattr(trainings, "FILM_BYTES", 20_000)
    given = {**SWEEP, "n1": [3], "seeds": 16}
    result = fastnet.sweep(X, Y, **given, out=tmp_path / "run")
    shots = result.recorded["snapshots"]
    assert set(shots["member"].tolist()) == {result.best_member}
    assert not any("playback" in notice for notice in result.notices)


def test_a_notice_says_that_the_best_member_was_left_out(monkeypatch, tmp_path):
    monkeypatch.setattr(trainings, "FILM_BYTES", 1000)
    result = fastnet.sweep(X, Y, **SWEEP, out=tmp_path / "run")
    assert result.recorded["snapshots"] == {}
    assert result.notices[-1].startswith("There is no playback of the best member")
    saved = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert saved["notices"] == list(result.notices)


def test_at_most_so_many_widths_and_bytes(monkeypatch, sweep):
    monkeypatch.setattr(film, "MOST_WIDTHS", 2)
    members = film.best_members(sweep)
    assert len(members) == 2 and members[0] == sweep.best_member
    monkeypatch.setattr(film, "MOST_BYTES", 10)
    kept = film.chosen_snapshots(sweep, sweep.recorded["snapshots"])
    assert set(kept["member"].tolist()) == {sweep.best_member}


def test_reused_members_bring_the_snapshots_that_their_run_has(sweep, tmp_path):
    out = tmp_path / "more"
    more = fastnet.sweep(X, Y, **{**SWEEP, "n1": [2, 3, 4, 5]}, reuse=sweep.run, out=out)
    assert set(more.recorded["snapshots"]["n1"].tolist()) == {2, 3, 4, 5}
    for name, array in of_members(more.recorded["snapshots"], range(9)).items():
        np.testing.assert_array_equal(array, sweep.recorded["snapshots"][name])
    alone = {**SWEEP, "n1": [2], "record": "none"}
    fastnet.sweep(X, Y, **alone, out=tmp_path / "none")
    again = fastnet.sweep(X, Y, **SWEEP, reuse=tmp_path / "none", out=tmp_path / "again")
    assert set(again.recorded["snapshots"]["n1"].tolist()) == {3, 4}
    assert not any("playback" in notice for notice in again.notices)
