"""What a run may be resumed from, and what resuming may remove."""

import copy
import errno
import io
import json
import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest

import fastnet
from fastnet import files
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.files import free_path
from fastnet.results import aside, lock
from fastnet.results.folder import Folder
from fastnet.results.reading import list_runs
from fastnet.training import loop

X = np.linspace(-1, 1, 30)
GIVEN = {"n1": 3, "max_epochs": 30, "learning_rate": 0.1, "optimizer": "sgd"}
WEIGHTS = [(np.full((3, 1), 0.3), np.zeros(3), np.full((1, 3), 0.2), np.zeros(1))]


class Killed(BaseException):
    """Ends a run as kill -9 would: nothing after it is done."""


def killed_at(monkeypatch, name, out, **given):
    """A run that is killed after it wrote the file `name`; False if it never does."""
    whole = files.write_whole

    def write(path, content):
        whole(path, content)
        if path.name == name:
            raise Killed

    monkeypatch.setattr(files, "write_whole", write)
    monkeypatch.setattr(Folder, "abandon", lambda folder: folder.unlock())
    monkeypatch.setattr("fastnet.training.training.FIRST_ROUND", 0)  # then it is not over at once
    try:
        fastnet.sweep(X, X**2, out=out, **GIVEN, **given)
    except Killed:
        return True
    finally:
        monkeypatch.undo()
    return False


@pytest.mark.parametrize("name", ["split.npz", "environment.json", "checkpoint.npz", "config.json"])
def test_given_weights_are_those_that_a_killed_run_goes_on_from(monkeypatch, tmp_path, name):
    whole = fastnet.sweep(X, X**2, initial_weights=WEIGHTS, **GIVEN)
    assert killed_at(monkeypatch, name, tmp_path / "run", initial_weights=WEIGHTS)
    if name == "config.json":
        again = fastnet.resume(tmp_path / "run", X, X**2)
        assert again.weights().W1.tobytes() == whole.weights().W1.tobytes()
    else:
        with pytest.raises(
            DataError, match=r"it ended before its config\.json was written; start it again with"
        ):
            fastnet.resume(tmp_path / "run", X, X**2)


def test_a_run_without_its_given_weights_is_not_resumed(monkeypatch, tmp_path):
    assert killed_at(monkeypatch, "config.json", tmp_path / "run", initial_weights=WEIGHTS)
    (tmp_path / "run" / "checkpoint.npz").unlink()
    with pytest.raises(DataError, match=r"began with initial_weights.* train again with them\.$"):
        fastnet.resume(tmp_path / "run", X, X**2)


def test_resuming_removes_what_was_set_aside_and_nothing_like_it(monkeypatch, tmp_path):
    """A folder that only looks like one set aside may be somebody's backup."""
    run = tmp_path / "run"
    fastnet.sweep(X, X, out=run, **GIVEN)
    shutil.copytree(run, tmp_path / "run.old-backup")
    assert killed_at(monkeypatch, "config.json", run, force=True)
    (aside,) = {path.name for path in tmp_path.iterdir()} - {"run", "run.old-backup"}
    assert json.loads((run / "config.json").read_text())["replaces"] == [aside]
    assert fastnet.resume(run, X, X**2).status == "done"
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run.old-backup"}


@pytest.mark.parametrize("name", ["../backup", "backup", "run.old-backup", "run.old-1", 7, None])
def test_what_force_did_not_set_aside_is_not_removed(monkeypatch, tmp_path, name):
    """Neither the name nor the word of a config.json is enough: the folder says it, too."""
    run = tmp_path / "folder" / "run"
    backups = [tmp_path / "backup", *(run.with_name(n) for n in ("run.old-backup", "run.old-1"))]
    for path in backups:
        path.mkdir(parents=True)
        (path / "set-aside").write_text("run.old-2")  # as in a copy of a run that was set aside
    assert killed_at(monkeypatch, "config.json", run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "replaces": [name]}))
    assert fastnet.resume(run, X, X**2).status == "done"
    assert all(path.is_dir() for path in backups)


def test_a_run_that_another_process_has_just_finished_is_loaded(monkeypatch, tmp_path):
    """The folder is locked first, then looked at: the second to come trains nothing."""
    run = tmp_path / "run"
    assert killed_at(monkeypatch, "config.json", run)
    acquire = lock.acquire

    def late(folder):
        monkeypatch.undo()
        fastnet.resume(run, X, X**2)  # the other process
        return acquire(folder)

    monkeypatch.setattr(lock, "acquire", late)
    monkeypatch.setattr(loop, "train", lambda *_: pytest.fail("trained once more"))
    assert fastnet.resume(run, X, X**2).status == "done"


def test_a_lock_file_that_was_just_removed_is_not_the_lock(monkeypatch, tmp_path):
    first, opened = lock.acquire(tmp_path).file, []

    def remove_and_open(path, mode):
        file = open(path, mode)
        if not opened:
            opened.append(file)
            (tmp_path / "lock").unlink()
            first.close()
        return file

    monkeypatch.setattr(lock, "open_regular", remove_and_open)
    second = lock.acquire(tmp_path).file
    monkeypatch.undo()
    assert (tmp_path / "lock").exists() and lock.in_use(tmp_path)
    second.close()


def test_force_goes_where_a_link_leads_and_past_a_name_that_is_taken(tmp_path, monkeypatch):
    real = tmp_path / "real"
    fastnet.sweep(X, X, out=real, **GIVEN)
    (tmp_path / "link").symlink_to(real, target_is_directory=True)
    taken = free_path(real, aside.BETWEEN)
    taken.mkdir()
    (taken / "thesis.txt").write_text("all of it")
    fastnet.sweep(X, X**2, out=tmp_path / "link", force=True, **GIVEN)
    assert (tmp_path / "link").is_symlink() and (real / "summary.json").is_file()
    monkeypatch.chdir(real)
    fastnet.sweep(X, X**2, out=".", force=True, **GIVEN)
    assert {p.name for p in tmp_path.iterdir()} == {"real", "link", taken.name}


# ---------------------------------------------------------------- after the end


def test_what_a_kill_at_the_end_left_is_removed(tmp_path):
    run = tmp_path / "run"
    fastnet.sweep(X, X**2, out=run, **GIVEN)
    before = sorted(path.name for path in run.iterdir())
    shutil.copytree(run, tmp_path / "run.old-7")
    (tmp_path / "run.old-7" / "set-aside").write_text("run.old-7")
    (tmp_path / "run.old-8").mkdir()  # a kill while it was removed
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "replaces": ["run.old-7", "run.old-8"]}))
    for name in ("checkpoint.npz", "lock", "summary.json.part", "best/W1.npy.part", "mine.part"):
        (run / name).write_text("")
    assert fastnet.resume(run, X, X**2).status == "done"
    assert sorted(path.name for path in run.iterdir()) == sorted([*before, "mine.part"])
    assert os.listdir(tmp_path) == ["run"]


def test_a_finished_run_that_cannot_be_tidied_is_loaded(monkeypatch, tmp_path):
    run = tmp_path / "run"
    fastnet.sweep(X, X**2, out=run, **GIVEN)
    (run / "checkpoint.npz").write_text("")

    def read_only(self, **options):
        raise OSError(errno.EROFS, "Read-only file system", str(self))

    monkeypatch.setattr(Path, "unlink", read_only)
    assert fastnet.resume(run, X, X**2).status == "done"


def test_an_end_that_cannot_be_tidied_says_so(monkeypatch, tmp_path):
    def read_only(path):
        raise OSError(errno.EACCES, "Permission denied", str(path))

    run = tmp_path / "run"
    fastnet.sweep(X, X, out=run, **GIVEN)
    monkeypatch.setattr(aside, "remove", read_only)
    with pytest.raises(FastnetError, match=r"run is finished, but .*run\.old-\d+ cannot be remo"):
        fastnet.sweep(X, X**2, out=run, force=True, **GIVEN)
    assert fastnet.load(run).best["train_loss"] > 0
    monkeypatch.undo()
    fastnet.resume(run, X, X**2)
    assert os.listdir(tmp_path) == ["run"]


def test_force_takes_up_what_killed_runs_with_force_had_set_aside(monkeypatch, tmp_path):
    """One was killed before it could be resumed, one later: the third removes both old runs."""
    run = tmp_path / "run"
    fastnet.sweep(X, X, out=run, **GIVEN)
    assert killed_at(monkeypatch, "split.npz", run, force=True)
    assert len(os.listdir(tmp_path)) == 2
    assert killed_at(monkeypatch, "config.json", run, force=True)
    assert len(os.listdir(tmp_path)) == 2
    (old,) = set(os.listdir(tmp_path)) - {"run"}
    assert json.loads((run / "config.json").read_text())["replaces"] == [old]
    assert killed_at(monkeypatch, "config.json", run, force=True)
    assert len(os.listdir(tmp_path)) == 3
    fastnet.resume(run, X, X**2)
    assert os.listdir(tmp_path) == ["run"]


def test_a_run_without_force_removes_nothing_beside_it(monkeypatch, tmp_path):
    run = tmp_path / "run"
    fastnet.sweep(X, X, out=run, **GIVEN)
    assert killed_at(monkeypatch, "split.npz", run, force=True)
    shutil.rmtree(run)
    fastnet.sweep(X, X**2, out=run, **GIVEN)
    assert len(os.listdir(tmp_path)) == 2  # the old run is all that is left of it


# ---------------------------------------------------------------- folders from elsewhere


def half_done(monkeypatch, run):
    assert killed_at(monkeypatch, "config.json", run, initial_weights=WEIGHTS)
    (run / "lock").unlink(missing_ok=True)
    return run


PARTS = ("checkpoint.npz.part", "members.csv.part", "summary.json.part", "history.npz.part")


@pytest.mark.parametrize("name", ["lock", "events.jsonl", "best", "history.npz", *PARTS])
def test_links_in_a_run_folder_are_not_written_through(monkeypatch, tmp_path, name):
    run, victim = half_done(monkeypatch, tmp_path / "run"), tmp_path / "victim"
    if name == "best":
        victim.mkdir()
    else:
        victim.write_text("mine")
    (run / name).symlink_to(victim)
    monkeypatch.setattr("fastnet.job.running.CHECKPOINT_SECONDS", 0.0)
    if name in ("lock", "events.jsonl"):
        with pytest.raises(FastnetError, match=rf"{name} .*remove "):
            fastnet.resume(run, X, X**2)
    else:
        assert fastnet.resume(run, X, X**2).status == "done"
        assert not (run / name).is_symlink()
    assert os.listdir(victim) == [] if name == "best" else victim.read_text() == "mine"


@pytest.mark.parametrize("name", ["events.jsonl", "best", "history.npz", *PARTS, "config.json"])
@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_in_place_of_a_file_is_replaced_or_refused(monkeypatch, tmp_path, name, kind):
    """Nothing waits for ever, and nothing fails only after the training."""
    run = half_done(monkeypatch, tmp_path / "run")
    if name == "config.json":
        (run / name).unlink()
    os.mkfifo(run / name) if kind == "fifo" else (run / name).mkdir()
    replaced = name == "best" or (kind == "fifo" and name not in ("events.jsonl", "config.json"))
    if replaced:
        assert fastnet.resume(run, X, X**2).status == "done"
    else:
        monkeypatch.setattr(loop, "train", lambda *_: pytest.fail("it trained"))
        with pytest.raises(DataError, match=rf"{name} (is a|cannot be read)"):
            fastnet.resume(run, X, X**2)


@pytest.mark.parametrize("name", ["summary.json", "members.csv", "history.npz", "split.npz"])
def test_a_fifo_is_not_read(tmp_path, name):
    run = tmp_path / "run"
    fastnet.sweep(X, X**2, out=run, **GIVEN)
    (run / name).unlink()
    os.mkfifo(run / name)
    with pytest.raises(DataError, match=rf"{name} cannot be read.*not a regular file"):
        fastnet.load(run)
    list_runs(tmp_path)


# ---------------------------------------------------------------- what comes from outside


@pytest.mark.parametrize("more", [False, True], ids=["alone", "with more"])
@pytest.mark.parametrize("of", [np.float32, np.float64, pandas.DataFrame])
def test_a_result_is_of_the_samples_that_it_was_trained_on(of, more):
    """The caller, or another thread, may reuse the arrays while the run trains."""
    rng = np.random.default_rng(0)
    given = {"X": of(rng.normal(size=(40, 2))), "y": rng.normal(size=40)}
    if more:
        given["validation"] = rng.normal(size=(10, 2)), rng.normal(size=10)
        given["sample_weight"] = rng.uniform(1, 2, 40)
    expected = fastnet.sweep(**copy.deepcopy(given), **GIVEN)

    def spoil(where):
        for array in (given["X"], given["y"], *given.get("validation", ())):
            array[:] = 7.0
        given.get("sample_weight", given["y"])[:] = 3.0

    result = fastnet.sweep(**given, progress=spoil, **GIVEN)
    assert result.metrics == expected.metrics
    np.testing.assert_array_equal(result.packed["W1"], expected.packed["W1"])


class Stdin:
    """A standard input: what comes from it, and whether it is a terminal."""

    def __init__(self, content, terminal=False):
        self.buffer, self.isatty = io.BufferedReader(io.BytesIO(content)), lambda: terminal


TABLE = b"x,y\n" + b"".join(b"%d,%d\n" % (n, n * n % 7) for n in range(30))


@pytest.mark.parametrize("stdin", [None, Stdin(b""), Stdin(TABLE, terminal=True)])
def test_a_run_on_standard_input_wants_the_same_data_again(monkeypatch, tmp_path, stdin):
    given = {"data": "-", "target": "y", "n1": 2, "max_epochs": 5, "loss": "squared"}
    monkeypatch.setattr(sys, "stdin", Stdin(TABLE))
    whole = fastnet.sweep(**given, out=tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    monkeypatch.setattr(sys, "stdin", stdin)
    with pytest.raises(
        FastnetError, match=r"table from standard input.*; pipe the same data again"
    ):
        fastnet.resume(tmp_path / "run")
    monkeypatch.setattr(sys, "stdin", Stdin(TABLE.replace(b"29,", b"28,")))
    with pytest.raises(FastnetError, match=r"data: SHA-256 "):
        fastnet.resume(tmp_path / "run")
    monkeypatch.setattr(sys, "stdin", Stdin(TABLE))
    again = fastnet.resume(tmp_path / "run")
    np.testing.assert_array_equal(again.packed["W1"], whole.packed["W1"])


# ---------------------------------------------------------------- names


def test_a_name_that_another_run_takes_meanwhile_is_counted_on(tmp_path):
    """As default_folder() of four runs that start in the same second."""
    names = iter(["run", "run", "run-2"])
    (tmp_path / "run").mkdir()
    result = fastnet.sweep(X, X**2, out=lambda: tmp_path / next(names), **GIVEN)
    assert result.run == str(tmp_path / "run-2")


@pytest.mark.parametrize("out", [["run"], 7, b"run"])
@pytest.mark.parametrize("call", ["sweep", "resume", "load", "save"])
def test_what_is_no_path_is_refused(tmp_path, monkeypatch, call, out):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UsageError, match=rf"^(out|folder) must be a path, got {re.escape(repr(out))}"
    ):
        if call == "sweep":
            fastnet.sweep(X, X**2, out=out, **GIVEN)
        elif call == "save":
            fastnet.sweep(X, X**2, **GIVEN).save(out)
        else:
            getattr(fastnet, call)(out)
    assert os.listdir() == []


def test_a_path_with_a_nul_is_refused():
    with pytest.raises(
        UsageError, match=r"^out must be a path without NUL characters, got 'a\\x00'"
    ):
        fastnet.sweep(X, X**2, out="a\0", **GIVEN)


@pytest.mark.parametrize("force", [False, True])
def test_a_name_that_is_too_long(tmp_path, force):
    with pytest.raises(FastnetError, match=r"^--out: .* cannot be made \(.*: File name too long\)"):
        fastnet.sweep(X, X**2, out=tmp_path / ("a" * 300), force=force, **GIVEN)
    with pytest.raises(FastnetError, match=r"^no run folder at "):
        fastnet.resume(tmp_path / ("a" * 300))


def test_a_progress_that_cannot_be_called_is_refused_first(tmp_path):
    with pytest.raises(UsageError, match=r"^progress must be a function of a Progress, got 3\.$"):
        fastnet.sweep(X, X**2, out=tmp_path / "run", progress=3, **GIVEN)
    assert os.listdir(tmp_path) == []
    fastnet.sweep(X, X**2, out=tmp_path / "run", **GIVEN)
    with pytest.raises(UsageError, match=r"^progress must be a function"):
        fastnet.resume(tmp_path / "run", X, X**2, progress="bar")
