"""Runs watched from outside: other processes train, this one reads their folders."""

import json
import shutil
import time

import numpy as np
import pytest

from fastnet.data.sources import task_data
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.page import processes as watch
from fastnet.results.collect import peek

SLOW = ["sweep", "--task", "1", "--n1", "30:40", "--seeds", "4", "--max-epochs", "1000000"]
SLOW += ["--target-loss", "none", "--optimizer", "sgd"]
EVENT = {
    **{"epoch": 3, "running": 1, "members": 2, "reached": 0},
    **{"best_loss": None, "seconds": 0.5, "remaining": 1.5},
}
PATIENCE = 90  # seconds: the kernels may have to be compiled first


def wait(until, what):
    """until() once it is true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = until()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"no {what} in {PATIENCE} s")


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A folder of runs with one that was started, watched and stopped; what was seen."""
    runs = tmp_path_factory.mktemp("watched")
    process, seen = watch.start(SLOW, runs, "long"), {}
    try:
        seen["first"] = watch.status(runs, "long")
        wait(lambda: watch.status(runs, "long") == "running", "running process")
        seen["before"] = peek(runs / "long")
        wait(lambda: any(e["epoch"] for e in watch.events(runs / "long")), "event of an epoch")
        wait((runs / "long" / "checkpoint.npz").is_file, "checkpoint")
        seen["live"] = peek(runs / "long")
        seen["stopped"] = watch.stop(runs, "long")
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
    return runs, seen


def copy_of(runs, folder):
    """A folder of runs of its own, with a copy of the run."""
    shutil.copytree(runs / "long", folder / "long")
    return folder


def test_a_run_is_seen_while_it_trains(stopped):
    runs, seen = stopped
    assert seen["first"] in ("starting", "running") and seen["before"] is None
    live = seen["live"]
    assert live.status == "running" and len(live.members) == 44
    assert (live.members["stop_reason"] == "running").all()
    assert np.isfinite(live.members["train_loss"]).all()
    assert live.members["train_loss"].min() == live.best["train_loss"]
    assert live.model().predict([0.25]).shape == (1,)
    last = watch.events(runs / "long")[-1]
    assert last["members"] == 44 and last["epoch"] > 0


def test_it_stops_as_at_ctrl_c(stopped):
    runs, seen = stopped
    assert seen["stopped"] and watch.status(runs, "long") == "interrupted"
    assert "--resume" in watch.said(runs, "long")
    assert not watch.stop(runs, "long")
    assert peek(runs / "long").status == "interrupted"


def test_what_is_peeked_at_is_what_the_folder_holds(stopped):
    """A peeked history is that of the run: the losses of its best weights are in it."""
    runs, _ = stopped
    result = peek(runs / "long")
    for member in (0, 43):
        history, record = result.history(member), result.members[member]
        at = np.flatnonzero(history.epoch == record["best_epoch"])
        assert history.train_loss[at] == record["train_loss"]
    x, y, _ = task_data(1, result.options)
    loss = ((result.model().predict(x) - y.reshape(-1)) ** 2).mean() / 2
    assert loss == pytest.approx(result.best["train_loss"], rel=1e-5)


def test_it_is_resumed_in_a_process_of_its_own(stopped, tmp_path):
    runs = copy_of(stopped[0], tmp_path)
    before = watch.events(runs / "long")
    process = watch.resume(runs, "long")
    try:
        wait(lambda: len(watch.events(runs / "long")) > len(before), "further event")
        assert watch.stop(runs, "long") and process.wait(PATIENCE) == 143
    finally:
        process.kill()
    assert watch.events(runs / "long")[-1]["epoch"] > before[-1]["epoch"]
    assert watch.status(runs, "long") == "interrupted"


@pytest.mark.parametrize("rest", [b"", b'{"epoch": 12, "memb', b"\xff\xfe"])
def test_a_half_written_line_is_left_out(tmp_path, rest):
    lines = b"".join(json.dumps({**EVENT, "epoch": epoch}).encode() + b"\n" for epoch in (1, 2))
    (tmp_path / "events.jsonl").write_bytes(lines + rest)
    assert [event["epoch"] for event in watch.events(tmp_path)] == [1, 2]


@pytest.mark.parametrize(
    "line", ["[" * 100_000, "{}", "7", json.dumps({**EVENT, "epoch": "3"}), '{"seconds": NaN}']
)
def test_lines_that_are_no_events_are_left_out(tmp_path, line):
    (tmp_path / "events.jsonl").write_text(f"{line}\n{json.dumps(EVENT)}\n")
    assert watch.events(tmp_path) == [EVENT]


@pytest.mark.parametrize("text", ["-1", "0", "1", str(10**30), "x"])
def test_a_lock_that_names_no_process_stops_nobody(tmp_path, monkeypatch, text):
    """To signal process -1 is to signal all of them."""
    monkeypatch.setattr(watch, "in_use", lambda folder: True)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "lock").write_text(text)
    assert not watch.stop(tmp_path, "run")


def test_no_events_yet(tmp_path):
    assert watch.events(tmp_path) == []


def test_a_run_that_could_not_start_says_why(tmp_path):
    process = watch.start(["train", "--task", "1", "--n1", "0"], tmp_path, "wrong")
    assert process.wait(PATIENCE) == 2
    assert watch.status(tmp_path, "wrong") == "failed"
    assert "--n1 must be an integer >= 1" in watch.said(tmp_path, "wrong")
    assert watch.status(tmp_path, "other") == "missing" and watch.said(tmp_path, "other") == ""


def test_a_disk_too_full_for_the_messages_of_a_run_is_told(tmp_path):
    (tmp_path / ".notes").write_text("")  # as a disk on which no folder can be made
    with pytest.raises(FastnetError, match=r"\.notes/one\.txt cannot be written \(.*\); "):
        watch.start(["train", "--task", "1"], tmp_path, "one")
    assert not (tmp_path / "one").exists()


def test_an_estimate_is_the_dry_run(tmp_path):
    plan = watch.estimate(["sweep", "--task", "1", "--n1", "2:4", "--seeds", "2"])
    assert plan["members"] == 6 and plan["seconds"] > 0
    with pytest.raises(UsageError, match=r"^--seeds must be"):
        watch.estimate(["sweep", "--task", "1", "--seeds", "0"])


@pytest.mark.parametrize(
    "name", ["", "..", "a/b", "../a", "/etc", ".notes", "-x", "a" * 200, "a..b"]
)
def test_names_cannot_leave_the_folder(tmp_path, name):
    for use in (watch.folder_of, watch.status, watch.said, watch.stop, watch.resume):
        with pytest.raises(UsageError, match="a run's name has letters, digits"):
            use(tmp_path, name)


def test_a_name_is_taken_once(stopped):
    with pytest.raises(FastnetError, match="exists; choose another name"):
        watch.start(SLOW, stopped[0], "long")


def test_a_broken_checkpoint(stopped, tmp_path):
    runs = copy_of(stopped[0], tmp_path)
    (runs / "long" / "checkpoint.npz").write_bytes(b"no npz")
    with pytest.raises(DataError, match=r"checkpoint.npz cannot be read"):
        peek(runs / "long")
    np.savez(runs / "long" / "checkpoint.npz", states=np.zeros(3))
    with pytest.raises(DataError, match=r"checkpoint\.npz is not of this run: states has shape"):
        peek(runs / "long")
