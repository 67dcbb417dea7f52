"""Sweeps as people run them: killed, resumed, several at once; what they record."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import fastnet
from fastnet import api
from fastnet.errors import FastnetError, UsageError
from fastnet.results.reading import list_runs
from fastnet.training import training as trainer

COMMAND = [sys.executable, "-W", "error", "-m", "fastnet"]
# About 2 seconds of training; members stop at many different epochs.
SWEEP = (
    "sweep --task 1 --n1 2:24:2 --seeds 12 --optimizer sgd --learning-rate 0.1 --max-epochs 6000 "
    "--patience 800 --min-delta 1e-5 --record gradient_norm,snapshots"
).split()
# As the command line, but with checkpoints every 0.05 s.
EAGER = """
import fastnet.job.running
fastnet.job.running.CHECKPOINT_SECONDS = 0.05
from fastnet.cli import main
main()
"""
FILES = ("weights.npz", "history.npz", "record.npz", "snapshots.npz", "model.npz", "split.npz")


def run(*arguments, **more):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300, **more
    )


def without_seconds(path):
    lines = (path / "members.csv").read_text().splitlines()
    return [line.rsplit(",", 1)[0] for line in lines]


def assert_same_run(one, other):
    for name in FILES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert without_seconds(one) == without_seconds(other)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("sweep") / "whole"
    assert run(*SWEEP, "--out", path, "--quiet").returncode == 0
    return path


def test_killed_and_resumed_ends_with_the_same_bytes(uninterrupted, tmp_path):
    """kill -9 at three random moments of training, unless it is done before."""
    path, chance, killed = tmp_path / "killed", random.Random(0), 0
    arguments = [*SWEEP, "--out", str(path), "--quiet"]
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", EAGER, *arguments])
        wait_for((path / "checkpoint.npz").exists)
        time.sleep(chance.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            break
        killed += 1
        if (path / "summary.json").exists():  # it had just been done
            break
        with pytest.raises(fastnet.DataError, match="unfinished"):
            fastnet.load(path)
        arguments = ["sweep", "--resume", str(path), "--quiet"]
    assert killed
    assert run("sweep", "--resume", path, "--quiet").returncode == 0
    assert_same_run(path, uninterrupted)
    assert not (path / "checkpoint.npz").exists()


def wait_for(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def test_ctrl_c_saves_and_prints_how_to_go_on(uninterrupted, tmp_path):
    path = tmp_path / "interrupted"
    process = subprocess.Popen(
        [*COMMAND, *SWEEP, "--out", str(path), "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_for(lambda: (path / "events.jsonl").exists())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"fastnet sweep --resume {path}" in err
    document = json.loads(out)
    assert document["status"] == "interrupted" and document["stop_reasons"]["interrupted"] > 0
    again = run("sweep", "--resume", path, "--json")
    assert again.returncode == 0 and json.loads(again.stdout)["status"] == "done"
    assert_same_run(path, uninterrupted)


def test_a_finished_run_resumes_to_the_same_bytes(uninterrupted):
    before = {name: (uninterrupted / name).read_bytes() for name in os.listdir(uninterrupted)
              if (uninterrupted / name).is_file()}  # fmt: skip
    assert run("sweep", "--resume", uninterrupted, "--quiet").returncode == 0
    assert {name: (uninterrupted / name).read_bytes() for name in before} == before


def test_resume_refuses_other_options_data_and_machines(tmp_path):
    path = tmp_path / "run"
    X, y = np.linspace(-1, 1, 40), np.linspace(-1, 1, 40) ** 2

    def stop(where):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fastnet.sweep(X, y, n1=[2, 3], max_epochs=50, out=path, progress=stop)
    with pytest.raises(
        UsageError, match="max_epochs cannot change, only threads, time_limit and cluster"
    ):
        fastnet.resume(path, X, y, max_epochs=60)
    with pytest.raises(FastnetError, match=r"data: SHA-256 .* then, .* now"):
        fastnet.resume(path, X, y + 1)
    facts = json.loads((path / "environment.json").read_text())
    facts["versions"]["numpy"] = "1.0"
    (path / "environment.json").write_text(json.dumps(facts))
    with pytest.raises(FastnetError, match=r"versions numpy: 1\.0 then"):
        fastnet.resume(path, X, y)
    result = fastnet.resume(path, X, y, force=True, threads=1)
    assert result.status == "done" and (result.members["epochs"] == 50).all()


def test_several_python_threads_train_at_once():
    X = np.linspace(-1, 1, 200)
    alone = [fastnet.sweep(X, np.sin(k * X), n1=[3, 9], seeds=4, max_epochs=60) for k in range(4)]
    results = [None] * 4

    def work(k):
        results[k] = fastnet.sweep(X, np.sin(k * X), n1=[3, 9], seeds=4, max_epochs=60)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for one, other in zip(alone, results, strict=True):
        np.testing.assert_array_equal(one.packed["W1"], other.packed["W1"])
        np.testing.assert_array_equal(one.entries["train_loss"], other.entries["train_loss"])


def test_interrupting_in_a_notebook_leaves_a_result():
    """Ctrl-C during a round: the signal arrives while the main thread waits."""
    X = np.linspace(-1, 1, 2000)

    def press(where):
        if where.stage == "train":
            os.kill(os.getpid(), signal.SIGINT)

    result = fastnet.sweep(X, X**2, n1=[8, 16], seeds=4, max_epochs=10**6, progress=press)
    assert result.status == "interrupted"
    assert (result.members["stop_reason"] == "interrupted").all()
    assert np.isfinite(result.model().predict(X)).all()
    assert [row["success_rate"] for row in result.by_n1()] == [None, None]


def test_zip_pairs_lists():
    X = np.linspace(-1, 1, 30)
    result = fastnet.sweep(
        X,
        X**2,
        n1=[2, 2, 3],
        seeds=[5, 6, 5],
        learning_rate=[0.1, 0.2, 0.1],
        max_epochs=3,
        zip=True,
    )
    assert result.members[["n1", "seed", "learning_rate"]].tolist() == [
        (2, 5, 0.1), (2, 6, 0.2), (3, 5, 0.1),
    ]  # fmt: skip


def test_recorded_norms_and_snapshots(tmp_path):
    X = np.linspace(-1, 1, 64)
    result = fastnet.sweep(
        X, np.sin(5 * X), n1=[2, 5], learning_rate=0.5, clip_norm=0.05, max_epochs=20,
        record=["gradient_norm", "clipped", "snapshots"],
    )  # fmt: skip
    norms, clipped = (
        result.recorded["record"]["gradient_norm"],
        result.recorded["record"]["clipped"],
    )
    assert len(norms) == len(result.entries["epoch"]) and 0 < clipped.mean() < 1
    np.testing.assert_array_equal(clipped == 1, norms > 0.05)
    first, second = result.history(0), result.history(1)
    np.testing.assert_array_equal([*first.gradient_norm, *second.gradient_norm], norms)
    np.testing.assert_array_equal([*first.clipped, *second.clipped], clipped)
    shots = result.recorded["snapshots"]
    assert shots["epoch"].tolist() == np.repeat([*range(17), 20], 2).tolist()
    assert shots["member"].tolist() == [0, 1] * 18 and shots["n1"].tolist() == [2, 5] * 18
    shorter = fastnet.sweep(
        X, np.sin(5 * X), n1=[2, 5], learning_rate=0.5, clip_norm=0.05, max_epochs=16
    )
    assert shorter.best["best_epoch"] == 16
    assert np.isnan(shorter.history().gradient_norm).all()
    rows = {0: slice(112, 114), 1: slice(114, 119)}[shorter.best_member]
    np.testing.assert_array_equal(shots["W1"][rows], shorter.weights().W1)
    result.save(tmp_path / "run")
    again = fastnet.load(tmp_path / "run")
    np.testing.assert_array_equal(again.recorded["snapshots"]["W1"], shots["W1"])
    np.testing.assert_array_equal(again.recorded["record"]["clipped"], clipped)


def test_one_reach_of_the_target_ends_a_member_only():
    result = fastnet.sweep(task=1, n1=[2, 8], seeds=3, max_epochs=3000)
    narrow, wide = result.by_n1()
    assert narrow["reached"] == 0 and narrow["success_rate"] == 0.0
    assert wide["reached"] == 3 and wide["success_high"] == 1.0
    stopped = result.members[result.members["stop_reason"] == "target"]
    assert (stopped["epochs"] < 3000).all() and (stopped["train_loss"] <= 1e-3).all()
    assert result.summary()["smallest_n1"] == 8


def test_time_limit_stops_all_and_is_a_result():
    X = np.linspace(-1, 1, 5000)
    result = fastnet.sweep(X, X**2, n1=[50], seeds=4, max_epochs=10**6, time_limit=0.2)
    assert result.status == "done" and (result.members["stop_reason"] == "time_limit").all()


def test_a_living_run_is_locked_and_listed_as_running(tmp_path):
    seen = []

    def look(where):
        if where.stage == "ready":
            seen.extend(facts["status"] for facts in list_runs(tmp_path))
            with pytest.raises(FastnetError, match="in use by another fastnet process"):
                fastnet.resume(tmp_path / "one", X, X**2)
            raise KeyboardInterrupt

    X = np.linspace(-1, 1, 40)
    with pytest.raises(KeyboardInterrupt):
        fastnet.sweep(X, X**2, n1=2, max_epochs=5, out=tmp_path / "one", progress=look)
    assert seen == ["running"]
    assert [facts["status"] for facts in list_runs(tmp_path)] == ["interrupted"]


def test_estimated_seconds_are_those_of_all_epochs_of_all_members(monkeypatch):
    """With a clock that goes by the work done: an epoch of a member takes its cost in seconds."""
    given = {"task": 1, "n1": [2, 8, 16], "seeds": 40, "max_epochs": 3000, "optimizer": "sgd"}
    round_of = trainer.Training.round
    costs = []

    def counted(training):
        round_of(training)
        cost = trainer.unit_cost(training.plan)
        costs.append(len(cost))
        training.elapsed = ((training.pack.states["last_epoch"] + 1) * cost).sum()

    monkeypatch.setattr(trainer.Training, "round", counted)
    estimated = api.dry_run("sweep", target_loss=None, **given)["seconds"]
    assert set(costs) == {64}  # only some of the members are tried
    assert estimated == pytest.approx(40 * sum(n1 + 4 for n1 in given["n1"]) * 3001)


def test_zip_on_the_command_line_takes_values_twice(tmp_path):
    done = run("sweep", "--task", "1", "--n1", "2,2,3", "--seeds", "1,2,1", "--zip",
               "--max-epochs", 2, "--out", tmp_path / "run", "--json")  # fmt: skip
    assert json.loads(done.stdout)["members"] == 3, done.stderr
