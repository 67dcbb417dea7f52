"""Sweeps on a Dask cluster, with real schedulers and workers: the bytes of one machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet.cluster import connecting, running, worker
from fastnet.engine.records import RUNNING
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.estimator import FastNetRegressor, FastNetSearchCV
from fastnet.files import read_npz
from fastnet.options.methods import OPTIMIZERS
from fastnet.options.table import USERS
from fastnet.results import environment

distributed = pytest.importorskip("distributed")

SCRIPTS = Path(__file__).parents[2] / "scripts"
PATIENCE = 120  # seconds for what takes one on an idle machine
X = np.linspace(-1, 1, 60)
Y = np.sin(3 * X)
LABELS = np.where(X > 0.3, "up", "down")
SMALL = {"n1": [2, 3, 5], "seeds": 3, "max_epochs": 30}


class Started:
    """A scheduler and workers in processes of their own group, which end with it."""

    def __init__(self, workers):
        command = [sys.executable, SCRIPTS / "start_cluster.py", str(workers), "--port", "0"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.address = self.process.stdout.readline().decode().split()[-1]
        self.client = distributed.Client(self.address, set_as_default=False)

    def pids(self):
        """The processes of the workers."""
        return list(self.client.run(os.getpid).values())

    def close(self):
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        finally:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.stdout.close()


@pytest.fixture(scope="module")
def started():
    found = Started(2)
    yield found
    found.close()


@pytest.fixture
def client(started):
    started.client.wait_for_workers(2, timeout=PATIENCE)
    return started.client


@pytest.fixture(autouse=True)
def many_shards(monkeypatch):
    """Short runs are cut into as many shards as long ones."""
    monkeypatch.setattr(running, "LEAST_SECONDS", 1e-6)


def require_equal(result, other):
    """Equal bytes in all but seconds."""
    for name in result.members.dtype.names:
        if name != "seconds":
            np.testing.assert_array_equal(result.members[name], other.members[name], err_msg=name)
    for part in ("packed", "entries", *(("recorded", name) for name in result.recorded)):
        ours, theirs = (
            r.recorded[part[1]] if isinstance(part, tuple) else getattr(r, part)
            for r in (result, other)
        )
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():
            assert array.tobytes() == theirs[name].tobytes(), (part, name)
    mine, others = result.summary(), other.summary()
    for summary in (mine, others):
        del summary["seconds"], summary["run"], summary["best"]["seconds"]
        for row in summary["by_n1"]:
            del row["median_seconds"]
        for row in summary["by_setting"]:
            row.pop("median_seconds", None)
    assert mine == others


# ---------------------------------------------------------------- the bytes of one machine

WEIGHTS = [
    tuple(np.full(shape, 0.1 * (i + 1)) for shape in ((3, 1), (3,), (1, 3), (1,))) for i in range(4)
]
FOLDS = [(np.arange(0, 60, 2), np.arange(1, 60, 2)), (np.arange(1, 60, 2), np.arange(0, 60, 2))]
RUNS = {
    "targets": {"target_loss": 0.05, "optimizer": "adam", "validation_fraction": 0.2},
    "folds": {"folds": FOLDS, "optimizer": "adam"},
    "weights": {"sample_weight": 1 + X**2, "optimizer": ["lm", "adam"]},
    "records": {"record": ["clipped", "snapshots"], "optimizer": "adam", "keep": "best"},
    "batches": {"batch_size": [8, 16], "optimizer": "adam", "dtype": "float64"},
    "strengths": {"l2": [1e-5, 1e-3, 1e-1], "prune_l2": 5, "validation_fraction": 0.2},
    "given": {"n1": 3, "seeds": 4, "initial_weights": WEIGHTS, "optimizer": "adam"},
    "reference": {"backend": "reference", "n1": 2, "max_epochs": 5},
    "diverged": {"optimizer": "sgd", "learning_rate": [0.1, 1e30], "clip_norm": None},
}


@pytest.mark.parametrize("kind", RUNS)
def test_the_bytes_are_those_of_one_machine(client, kind):
    given = {**SMALL, **RUNS[kind]}
    there = fastnet.sweep(X, Y, client=client, **given)
    require_equal(there, fastnet.sweep(X, Y, **given))
    assert there.environment["workers"]["count"] == 2
    assert there.environment["workers"]["threads"] == 2


def test_classes_are_those_of_one_machine(client):
    given = {**SMALL, "class_weight": "balanced", "test_fraction": 0.2, "optimizer": "adam"}
    there = fastnet.sweep(X, LABELS, client=client, **given)
    require_equal(there, fastnet.sweep(X, LABELS, **given))


@pytest.mark.slow
@pytest.mark.parametrize("method", OPTIMIZERS)
def test_every_method_is_that_of_one_machine(client, method):
    given = {**SMALL, "optimizer": method}
    if OPTIMIZERS[method].in_batches and method in USERS["batch_size"][1]:
        given["batch_size"] = [None, 16]
    require_equal(fastnet.sweep(X, Y, client=client, **given), fastnet.sweep(X, Y, **given))


@pytest.mark.slow
def test_four_workers_give_the_bytes_of_one_machine():
    four = Started(4)
    try:
        four.client.wait_for_workers(4, timeout=PATIENCE)
        given = {"n1": [2, 4, 8, 16], "seeds": 20, "max_epochs": 100}
        there = fastnet.sweep(X, Y, client=four.client, **given)
        assert there.environment["workers"]["count"] == 4
        require_equal(there, fastnet.sweep(X, Y, **given))
    finally:
        four.close()


def test_a_search_is_that_of_one_machine(client):
    search = FastNetSearchCV(FastNetRegressor(max_epochs=20, random_state=0), {"n1": [2, 4]}, cv=3)
    there = search.fit(X[:, None], Y, client=client).cv_results_
    here = search.fit(X[:, None], Y).cv_results_
    for name in ("split0_test_score", "mean_test_score", "rank_test_score"):
        np.testing.assert_array_equal(there[name], here[name])


def test_a_search_takes_an_address(started):
    net = FastNetRegressor(max_epochs=20, random_state=0)
    search = FastNetSearchCV(net, {"n1": [2, 4]}, cv=3, cluster=started.address)
    assert search.fit(X[:, None], Y).result_.environment["workers"]["count"] == 2


def test_members_of_other_runs_are_not_trained_again(client):
    begun = fastnet.sweep(X, Y, **{**SMALL, "seeds": 2})
    sizes = []
    there = fastnet.sweep(
        X, Y, client=client, reuse=begun, progress=lambda p: sizes.append(p.running), **SMALL
    )
    require_equal(there._replace(notices=()), fastnet.sweep(X, Y, **SMALL)._replace(notices=()))
    assert max(sizes[2:]) <= 3


# ---------------------------------------------------------------- from the command line


def test_a_command_trains_on_the_cluster(started, command):
    line = "sweep --task 1 --samples 50 --n1 2,3 --seeds 4 --max-epochs 20 --json"
    done = command(f"{line} --out there --cluster {started.address}")
    assert done.code == 0
    command(f"{line} --out here")
    require_equal(fastnet.load("there"), fastnet.load("here"))
    assert not (Path("there") / "pieces").exists()


def test_a_scheduler_file_names_the_cluster(started, tmp_path):
    (tmp_path / "scheduler.json").write_text(json.dumps({"address": started.address}))
    result = fastnet.sweep(X, Y, cluster=str(tmp_path / "scheduler.json"), **SMALL)
    assert result.environment["workers"]["scheduler"] == started.address


# ---------------------------------------------------------------- interruptions and kills

LONG = {"n1": [2, 5, 9], "seeds": 30, "max_epochs": 4000, "optimizer": "sgd"}


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    return fastnet.sweep(X, Y, out=tmp_path_factory.mktemp("long") / "run", **LONG)


def after_pieces(count, act):
    """A progress that acts once, when members have come back."""
    acted = []

    def progress(standing):
        if standing.stage == "train" and standing.running <= standing.members - count:
            if not acted:
                acted.append(True)
                return act()
        return None

    return progress


@pytest.mark.parametrize("there", [True, False], ids=["on the cluster", "on this machine"])
def test_an_interrupted_run_goes_on(client, tmp_path, long_run, there):
    out = tmp_path / "run"
    begun = fastnet.sweep(
        X, Y, client=client, out=out, progress=after_pieces(1, lambda: True), **LONG
    )
    assert begun.status == "interrupted"
    live = (begun.members["status"] == "live").sum()
    assert 0 < live < len(begun.members)
    require_equal(fastnet.resume(out, X, Y, client=client if there else None), long_run)
    assert not (out / "pieces").exists()


def test_a_killed_worker_costs_its_shards_only(started, client, tmp_path, long_run):
    kill = after_pieces(1, lambda: os.kill(started.pids()[0], signal.SIGKILL))
    out = tmp_path / "run"
    require_equal(fastnet.sweep(X, Y, client=client, out=out, progress=kill, **LONG), long_run)


CLIENT = """
import sys, numpy as np, fastnet
from fastnet.cluster import running
running.LEAST_SECONDS = 1e-6
X = np.linspace(-1, 1, 60)
if __name__ == "__main__":
    fastnet.sweep(X, np.sin(3 * X), cluster=sys.argv[1], out=sys.argv[2], **{LONG})
"""


def test_a_killed_client_loses_no_piece(started, client, tmp_path, long_run):
    out, script = tmp_path / "run", tmp_path / "client.py"
    script.write_text(CLIENT.replace("{LONG}", repr(LONG)))
    process = subprocess.Popen([sys.executable, script, started.address, out])
    until = time.monotonic() + PATIENCE
    while not list(out.glob("pieces/*.npz")) and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = sum(np.load(path)["members"].size for path in out.glob("pieces/*.npz"))
    assert kept and not (out / "summary.json").exists()
    counts = []
    again = fastnet.resume(out, X, Y, client=client, progress=lambda p: counts.append(p.running))
    assert max(counts) <= len(long_run.members) - kept
    require_equal(again, long_run)


def test_a_piece_of_another_run_is_refused(client, tmp_path):
    out = tmp_path / "run"
    fastnet.sweep(X, Y, client=client, out=out, progress=after_pieces(1, lambda: True), **LONG)
    (out / "pieces").mkdir(exist_ok=True)
    stops = read_npz(out / "checkpoint.npz")["states"]["stop"]
    left = np.flatnonzero(stops == RUNNING)[:1]
    np.savez(out / "pieces" / "7.npz", members=left, states=np.zeros(3))
    with pytest.raises(DataError, match=r"7.npz is not of this run: .*; remove it"):
        fastnet.resume(out, X, Y)


def test_pieces_of_members_that_have_ended_are_known_or_refused(tmp_path):
    out, line = tmp_path / "run", {"n1": [2, 3], "max_epochs": 50, "learning_rate": [0.1, 1e30]}
    stop = {"progress": lambda p: p.diverged > 0}
    begun = fastnet.sweep(X, Y, out=out, **line, **stop)
    assert begun.status == "interrupted"
    states = read_npz(out / "checkpoint.npz")["states"]
    ended = np.flatnonzero(states["stop"] != RUNNING)[:1]
    (out / "pieces").mkdir()
    np.savez(out / "pieces" / "7.npz", members=ended, states=states[ended])
    states["epoch"] += 1
    np.savez(out / "pieces" / "8.npz", members=ended, states=states[ended])
    with pytest.raises(DataError, match=r"8.npz is not of this run: its members have ended, and"):
        fastnet.resume(out, X, Y)
    (out / "pieces" / "8.npz").unlink()
    assert fastnet.resume(out, X, Y).status == "done"


# ---------------------------------------------------------------- shards that fail


def test_a_shard_that_fails_three_times_ends_the_run(client, tmp_path, monkeypatch):
    def failing(data, work):  # a function within a function is sent whole
        if (work.plan.columns["seed"] == 4).any():
            raise MemoryError("no room")
        return worker.train_shard(data, work)

    monkeypatch.setattr(running, "train_shard", failing)
    given, out = {**SMALL, "seeds": 8}, tmp_path / "run"
    with pytest.raises(FastnetError, match=r"failed 3 times: MemoryError: no room; .* Continue: "):
        fastnet.sweep(X, Y, client=client, out=out, **given)
    monkeypatch.undo()
    here = fastnet.sweep(X, Y, out=tmp_path / "here", **given)
    require_equal(fastnet.resume(out, X, Y), here)


def test_without_a_folder_the_error_says_what_is_missing(client, monkeypatch):
    def failing(data, work):
        raise ValueError("broken")

    monkeypatch.setattr(running, "train_shard", failing)
    with pytest.raises(FastnetError, match=r"ValueError: broken; 9 of 9 members are not trained"):
        fastnet.sweep(X, Y, client=client, **SMALL)


@pytest.mark.slow
def test_a_shard_that_kills_its_workers_ends_the_run(client, monkeypatch):
    def deadly(data, work):
        os._exit(1)

    monkeypatch.setattr(running, "train_shard", deadly)
    with pytest.raises(FastnetError, match=r"its workers died while they trained it"):
        fastnet.sweep(X, Y, client=client, **{**SMALL, "n1": 2, "seeds": 1})


@pytest.mark.slow
def test_a_worker_that_hangs_is_restarted(started, client, tmp_path, monkeypatch, long_run):
    monkeypatch.setattr(running, "LATE_SECONDS", 5.0)
    monkeypatch.setattr(running, "LATE", 0.0)
    stop = after_pieces(1, lambda: os.kill(started.pids()[0], signal.SIGSTOP))
    out = tmp_path / "run"
    require_equal(fastnet.sweep(X, Y, client=client, out=out, progress=stop, **LONG), long_run)


@pytest.mark.slow
def test_a_shard_that_never_comes_back_ends_the_run(client, monkeypatch):
    def sleeping(data, work):
        time.sleep(600)

    monkeypatch.setattr(running, "train_shard", sleeping)
    for name, seconds in (("LATE_SECONDS", 0.5), ("LATE", 0.0), ("LOOK_SECONDS", 0.1)):
        monkeypatch.setattr(running, name, seconds)
    with pytest.raises(FastnetError, match=r"did not come back 3 times, the last time from tcp"):
        fastnet.sweep(X, Y, client=client, **SMALL)


@pytest.mark.slow
def test_a_cluster_that_loses_its_scheduler_ends_the_run(monkeypatch, tmp_path):
    monkeypatch.setattr(running, "LOOK_SECONDS", 0.1)
    own = Started(1)
    try:

        def end():
            os.killpg(own.process.pid, signal.SIGKILL)

        with pytest.raises(FastnetError, match=r"was lost; .* members are saved. Continue: "):
            fastnet.sweep(
                X, Y, client=own.client, out=tmp_path / "run", progress=after_pieces(1, end), **LONG
            )
    finally:
        own.close()


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "given, message",
    [
        ({"stop": "first", "target_loss": 0.1}, "cluster does not go with stop first: .*lock step"),
        ({"halving": 2}, "cluster does not go with halving 2: "),
        ({"time_limit": 5}, "cluster does not go with time_limit 5"),
    ],
)
def test_runs_whose_members_go_together_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        fastnet.sweep(X, Y, cluster="tcp://127.0.0.1:1", **SMALL, **given)


def test_smallest_and_train_are_refused(client):
    with pytest.raises(UsageError, match=r"cluster does not go with stop decided.*; use sweep, or"):
        fastnet.smallest(X, Y, target_loss=0.1, client=client)
    with pytest.raises(UsageError, match=r"cluster does not go with stop first.*; give stop all"):
        fastnet.train(task=1, client=client)


def test_an_address_that_is_none_is_refused(tmp_path):
    with pytest.raises(
        UsageError, match=r"cluster must be the address of a Dask .*, got 'nowhere'"
    ):
        fastnet.sweep(X, Y, cluster="nowhere", **SMALL)


@pytest.mark.parametrize("text", ["no JSON", "[]", "{}"])
def test_a_file_that_is_no_scheduler_file_is_refused(text, tmp_path):
    (tmp_path / "file").write_text(text)
    with pytest.raises(DataError, match=r"cluster: .*file is not a scheduler file of Dask"):
        fastnet.sweep(X, Y, cluster=str(tmp_path / "file"), **SMALL)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(connecting, "CONNECT_SECONDS", 0.5)
    with pytest.raises(FastnetError, match=r"no Dask scheduler answers at tcp://127.0.0.1:1 "):
        fastnet.sweep(X, Y, cluster="tcp://127.0.0.1:1", out=tmp_path / "run", **SMALL)
    assert not (tmp_path / "run").exists()


def test_a_cluster_without_workers_is_refused(monkeypatch):
    empty = Started(0)
    monkeypatch.setattr(connecting, "WORKER_SECONDS", 0.5)
    try:
        with pytest.raises(FastnetError, match=r"has no workers; start some: dask worker tcp"):
            fastnet.sweep(X, Y, client=empty.client, **SMALL)
    finally:
        empty.close()


def test_what_is_no_client_is_refused(client):
    with pytest.raises(UsageError, match=r"client must be a distributed.Client .*, got 3"):
        fastnet.sweep(X, Y, client=3, **SMALL)
    with pytest.raises(UsageError, match=r"give cluster or client, not both"):
        fastnet.sweep(X, Y, client=client, cluster="tcp://127.0.0.1:1", **SMALL)


def test_workers_of_another_version_are_refused(client, monkeypatch):
    own = {**environment.versions(), "numpy": "1.0"}
    monkeypatch.setattr(environment, "versions", lambda: own)
    with pytest.raises(FastnetError, match=r"cannot take part: it has numpy .*, this process 1\.0"):
        fastnet.sweep(X, Y, client=client, **SMALL)


def test_a_worker_that_joins_with_another_version_trains_nothing(client, monkeypatch):
    with pytest.raises(RuntimeError, match=r"it has fastnet .*, this process 9"):
        worker.train_shard(None, worker.Work(None, {}, None, {"fastnet": "9"}))


def test_a_worker_that_cannot_run_fastnet_is_refused(client, monkeypatch):
    own, here = worker.facts_of_process(), os.getpid()

    def without():
        if os.getpid() != here:
            raise ModuleNotFoundError("No module named 'fastnet'")
        return own

    monkeypatch.setattr(connecting, "facts_of_process", without)
    with pytest.raises(FastnetError, match=r"cannot run fastnet .ModuleNotFoundError: No module"):
        fastnet.sweep(X, Y, client=client, **SMALL)


def test_a_run_that_one_machine_has_begun_stays_there(client, tmp_path):
    out = tmp_path / "run"
    begun = fastnet.sweep(X, Y, out=out, progress=lambda p: p.stage == "train", **LONG)
    assert begun.status == "interrupted"
    with pytest.raises(UsageError, match=r"members have begun on one machine, and go on there"):
        fastnet.resume(out, X, Y, client=client)


def test_processors_of_several_kinds_are_said():
    own = worker.facts_of_process()
    other = {**own, "cpu": {**own["cpu"], "name": "abacus"}}
    found = connecting.counted({"a": own, "b": other, "c": other}, own, {"a": 1, "b": 2, "c": 3})
    assert (found["count"], found["threads"]) == (3, 6)
    assert [row["workers"] for row in found["kinds"]] == [1, 2]
    assert "2 kinds" in found["notices"][0] and "abacus (2)" in found["notices"][0]
    assert connecting.counted({"a": own}, own, {"a": 1})["notices"] == []
    assert "this process" in connecting.counted({"b": other}, own, {"b": 1})["notices"][0]


def test_shards_take_seconds(monkeypatch):
    assert running.shard_count(1.0, 2) >= 2
    monkeypatch.setattr(running, "LEAST_SECONDS", 5.0)
    assert running.shard_count(1.0, 2) == 2  # one for each thread
    assert running.shard_count(60.0, 2) == 12  # of 5 s
    assert running.shard_count(36_000.0, 10) == 600  # of 60 s
    assert running.shard_count(1600.0, 10) == 80  # 8 for each thread, of 20 s
