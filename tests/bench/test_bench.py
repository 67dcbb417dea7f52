"""The benchmark at tiny sizes: losses first, who is missing, what is reported."""

import json
import math
import os
from typing import NamedTuple

import numpy as np
import pytest
from click.testing import CliRunner

import bench
import fastnet
from bench import answer, command, limits, report, runner, scale, session, work, workloads
from bench.peers import PEERS, Peer, fastnet_kernels
from fastnet.cli import commands as cli
from fastnet.errors import FastnetError, UsageError

WRONG = """
from bench.peers.numpy_tuned import NumPy

class Wrong(NumPy):
    def epochs(self, n):
        return [1.01 * loss for loss in super().epochs(n)]

def prepare(work, threads):
    print("not an answer")  # must not come between the answers
    return Wrong(work)
"""
RAISES = "def prepare(work, threads):\n    raise ValueError('cannot train this')\n"
DIES = "raise SystemExit('could not be loaded')\n"
QUICK = ("numpy-tuned", "sklearn-joblib")  # both with two processes
LIMITS = {
    name: dict(threads=n, blas_gflops=100.0, fma_gflops=120.0, sigmoid_ns=0.2, numpy_tanh_ns=0.2)
    for name, n in (("one", 1), ("all", 2))
}


class Output(NamedTuple):
    code: int
    out: str
    err: str


def call(*arguments):
    """`fastnet bench` in this process; errors as main() explains them."""
    runs = () if "--runs" in arguments else ("--runs", "2")
    result = CliRunner().invoke(cli.cli, ["bench", "--smoke", *runs, *arguments])
    error = result.exception
    if error is None or isinstance(error, SystemExit):
        return Output(result.exit_code, result.stdout, result.stderr)
    message, code = cli.explain(error)
    return Output(code, result.stdout, message)


@pytest.fixture(autouse=True)
def known_limits(monkeypatch):
    """The machine's limits are measured by a test of their own."""
    monkeypatch.setattr(command, "measured_limits", lambda threads, dtype: LIMITS)


@pytest.fixture
def strange_peers(tmp_path, monkeypatch):
    """Peers that are wrong, cannot train, die and are not installed."""
    for name, text in (("wrong", WRONG), ("raises", RAISES), ("dies", DIES)):
        (tmp_path / f"{name}_peer.py").write_text(text)
        monkeypatch.setitem(PEERS, name, Peer(name, f"{name}_peer", ways=("1 thread",)))
    monkeypatch.setitem(PEERS, "absent", Peer("absent", "nowhere", needs=("no_such_library",)))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def rows_of(document, workload):
    part = next(p for p in document["workloads"] if p["name"] == workload)
    return {row["peer"]: row for row in part["rows"]}


# ---------------------------------------------------------------- losses first


def test_a_peer_with_a_wrong_loss_gives_exit_code_6(strange_peers, tmp_path):
    out = tmp_path / "bench.json"
    peers = "wrong,fastnet,raises,dies,absent"
    given = ("--workload", "task1-sweep", "--threads", "1", "--json", "--out", str(out))
    found = call(*given, "--peers", peers)
    document = json.loads(found.out)
    assert found.code == 6
    assert json.loads(out.read_text()) == document
    rows = rows_of(document, "task1-sweep")
    assert list(rows) == ["fastnet", "wrong", "raises", "dies", "absent"]
    assert [row["status"] for row in rows.values()] == [
        "ok", "losses differ", "failed", "failed", "not installed",
    ]  # fmt: skip
    assert rows["wrong"]["loss_difference"] == pytest.approx(0.01, rel=1e-2)
    assert "cannot train this" in rows["raises"]["note"]
    assert "could not be loaded" in rows["dies"]["note"]
    assert rows["absent"]["note"] == "needs no_such_library"
    assert {f["peer"] for f in document["failures"]} == {"wrong", "raises", "dies"}
    table = report.tables([document])
    assert "| wrong | losses differ |" in table
    assert "| absent | not installed |" in table


def test_the_quick_peers_agree_and_are_reported():
    given = ("--workload", "minibatch,estimator", "--threads", "2", "--json")
    found = call(*given, "--peers", ",".join(QUICK))
    document = json.loads(found.out)
    assert found.code == 0, document["failures"]
    assert document["schema_version"] == 1
    assert {"machine", "versions", "limits", "command_line", "runs", "threads"} <= set(document)
    names = [part["name"] for part in document["workloads"]]
    assert names == ["minibatch", "estimator/fit", "estimator/search"]
    for part in document["workloads"]:
        assert part["bound_seconds_per_epoch"] > 0
        for row in part["rows"]:
            assert row["loss_difference"] <= runner.TOLERANCE
            assert len(row["seconds_per_epoch"]) == 2
            middle = np.median(row["seconds_per_epoch"])
            assert row["member_epochs_per_second"] == pytest.approx(part["members"] / middle)
            assert row["memory_bytes"] > 1e6 and row["start_seconds"] > 0
        own = next(row for row in part["rows"] if row["peer"] == "fastnet")
        assert own["fastnet_is_faster_by"] == 1


def test_a_table_for_people_and_a_sample_of_a_grid(monkeypatch):
    for name, made in (("SAMPLE_MEMBERS", 2), ("RUN_SECONDS", {"smoke": 0.001})):
        monkeypatch.setattr(runner, name, made)
    grid = workloads.grid10000

    def few(size, dtype):
        yield next(iter(grid(size, dtype)))._replace(check_members=3)

    monkeypatch.setitem(workloads.WORKLOADS, "grid10000", few)
    found = call("--workload", "grid10000", "--peers", "sklearn", "--threads", "1")
    assert found.code == 0
    assert "grid10000/32: sklearn" in found.err
    assert "measured on 2 members, evenly spread, and scaled up" in found.out
    assert "member-epochs/s" in found.out


def smoke_works(*names, dtype="float64"):
    """The works of these workloads in their smallest size."""
    found = [workloads.WORKLOADS[name]("smoke", dtype) for name in names]
    return [made.work for parts in found for made in parts]


def test_without_a_monitored_loss_fastnet_trains_the_same():
    """The bench then gives fastnet one held-out row; its exact losses come from another call."""
    made = smoke_works("grid10000")[2]
    assert not made.monitored
    blind = fastnet_kernels.prepare(made, 1)
    X, y = blind.options["validation"]
    assert len(X) == len(y) == 1
    seeing = fastnet_kernels.prepare(made._replace(keep_best=True), 1)
    whole = {**blind.options, "validation": blind.data}
    found = [fastnet.sweep(*blind.data, max_epochs=3, **o) for o in (blind.options, whole)]
    for m, loss in enumerate(seeing.epochs(3)):
        batches, same = (result.history(m).train_loss for result in found)
        np.testing.assert_array_equal(batches, same)
        assert found[1].history(m).val_loss[-1] == pytest.approx(loss, rel=1e-12)


def test_the_reference_agrees_where_no_loss_is_monitored(tmp_path):
    parts = workloads.WORKLOADS["grid10000"]("smoke", "float64")
    blind = next(part for part in parts if not part.work.monitored)
    settings = runner.Settings(("fastnet", "numpy-reference"), 1, 1, "smoke", lambda text: None)
    truth = runner.Truth(blind, 1, tmp_path)
    entrant = runner.Entrant(PEERS["numpy-reference"], blind, settings, tmp_path)
    entrant.prepare(truth)
    entrant.close()
    assert entrant.error is None and entrant.difference < 1e-12


OUTSIDE = [n for n, p in PEERS.items() if {"torch", "jax"} & set(p.needs) and "compiled" not in n]


@pytest.mark.parametrize("name", OUTSIDE)
def test_peers_outside_the_test_extra_agree(name, tmp_path):
    peer = PEERS[name]
    pytest.importorskip(peer.needs[0], reason="of the extra [bench], not of [test]")
    with session.Session(peer, "processes", 1, tmp_path) as asked:
        for made in smoke_works("task1-sweep", "minibatch", "grid10000", "estimator"):
            asked.prepare(made)
            expected = fastnet_kernels.prepare(made._replace(keep_best=True), 1).epochs(7)
            # clip_grad_norm_ divides by the norm + 1e-6
            np.testing.assert_allclose(asked.epochs(7)[1], expected, rtol=1e-5)


# ---------------------------------------------------------------- answer and scale


class Steady(NamedTuple):
    """A session by a clock of its own: a run takes 5 s and each of its epochs another 0.25 s."""

    peer: object
    way: str
    threads: int
    folder: str

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def prepare(self, work):
        pass

    def epochs(self, n):
        return 5 + 0.25 * n, None


def test_scale_leaves_out_what_every_run_takes(monkeypatch):
    monkeypatch.setattr(scale, "Session", Steady)
    settings = runner.Settings(("fastnet",), 3, 1, "smoke", print)
    found = scale.measure(scale.MIDDLE, 1, settings, "float32", "")
    units = 32 * 32 * 1000
    assert found == {"seconds_per_epoch": 0.25, "ns_per_unit_sample": 0.25e9 / units}


def test_answer_and_scale():
    found = call(
        "--workload",
        "answer,scale",
        "--runs",
        "1",
        "--threads",
        "1",
        "--peers",
        "numpy-reference",
        "--json",
    )
    assert found.code == 0
    answered, grown = json.loads(found.out)["workloads"]
    assert answered["members"] == 4
    peers = [row["peer"] for row in answered["rows"]]
    assert peers == ["fastnet", "fastnet, gradient descent", "numpy-reference"]
    assert "scaled up from 2 epochs at N1 1, 2" in answered["rows"][2]["note"]
    assert {row["factor"] for row in grown["growth"]} >= {"members", "n1", "samples", "inputs"}
    assert all(math.isfinite(row["ns_per_unit_sample"]) for row in grown["growth"])
    text = report.tables([json.loads(found.out)])
    assert "**answer**" in text and "| factor | members |" in text


def test_a_process_that_fails_is_an_error(monkeypatch):
    monkeypatch.setitem(answer.QUESTION, "smoke", ("0", 2, 3))
    with pytest.raises(session.PeerError, match="--n1 must be"):
        answer.whole_process("smoke", None, "float32", 1)
    found = call("--workload", "answer", "--runs", "1", "--threads", "1", "--json")
    document = json.loads(found.out)
    assert found.code == 6
    assert document["failures"] == [{"workload": "answer", "peer": "fastnet", "status": "failed"}]
    assert "| answer | failed | - | - | - | - |" in report.speed([document])


def test_a_folder_gets_a_document_of_each_workload(tmp_path):
    given = ("--workload", "tiny,task1-sweep", "--peers", "numpy-tuned", "--threads", "1")
    found = call(*given, "--json", "--out", str(tmp_path))
    whole = json.loads(found.out)["workloads"]
    documents = report.stored(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["task1-sweep.json", "tiny.json"]
    assert [d["workloads"] for d in documents] == [[whole[1]], [whole[0]]]
    assert all({"date", "limits", "machine", "failures"} <= set(d) for d in documents)
    assert "load before" in report.setting(documents[0])


def test_fastnet_is_compiled_into_an_empty_cache(monkeypatch, tmp_path):
    asked = []

    class Slow(Steady):
        def __init__(self, peer, *_):
            asked.append(peer)
            self.times = [6.0, 0.5]

        def epochs(self, n):
            return self.times.pop(0), None

    monkeypatch.setattr(runner, "Session", Slow)
    assert runner.cold_compile(PEERS["fastnet"], None, tmp_path) == 5.5
    assert "NUMBA_CACHE_DIR" in asked[0].environment


# ---------------------------------------------------------------- what is refused


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match=r"--workload must be of task1-sweep, .* got 'task3'"):
        command.chosen(("task3",), bench.NAMES, "workload")
    assert command.chosen(("tiny,answer", "tiny"), bench.NAMES, "workload") == ("tiny", "answer")
    assert call("--peers", "tensorflow").code == 2


def test_files_that_cannot_be_written_are_refused_first(tmp_path, monkeypatch):
    with pytest.raises(FastnetError, match=r"--out: there is no folder .*nowhere; make it"):
        report.check_files(tmp_path / "nowhere" / "bench.json", None)
    with pytest.raises(FastnetError, match=r"--out: there is no folder .*nowhere/; make it"):
        report.check_files(f"{tmp_path}/nowhere/", None)
    with pytest.raises(UsageError, match=r"--chart must end in .svg or .png, got .*bench.pdf"):
        report.check_files(None, tmp_path / "bench.pdf")
    monkeypatch.setitem(__import__("sys").modules, "altair", None)
    with pytest.raises(FastnetError, match=r"--chart needs altair; install it with: .*\[plot\]'$"):
        report.check_files(None, tmp_path / "bench.svg")


def test_bench_needs_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(fastnet, "__file__", str(tmp_path / "fastnet" / "__init__.py"))
    found = call("--workload", "tiny")
    assert found.code == 1
    assert found.err.startswith("bench needs a checkout of the source")


def test_a_chart(tmp_path):
    pytest.importorskip("altair", reason="of the extra [plot], not of [test]")
    pytest.importorskip("vl_convert", reason="of the extra [plot], not of [test]")
    rows = [
        {"peer": "fastnet", "status": "ok"},
        {"peer": "b", "status": "ok", "fastnet_is_faster_by": 49.5},
        {"peer": "c", "status": "ok"},  # where fastnet's own run failed
    ]
    document = {"workloads": [{"name": "tiny", "rows": rows}]}
    report.save_chart(document, tmp_path / "a.svg")
    assert "49.5 x" in (tmp_path / "a.svg").read_text()
    with pytest.raises(UsageError, match="compares no peer with fastnet"):
        report.save_chart({"workloads": []}, tmp_path / "b.svg")


def test_the_readme_compares_with_the_fastest_peer_of_each_library():
    def row(peer, times=1.0, status="ok"):
        return {"peer": peer, "status": status, "fastnet_is_faster_by": times}

    own = {**row("fastnet"), "member_epochs_per_second": 1234.0}
    others = row("numpy-reference", 40.0), row("numpy-tuned", 8.0), row("torch-loop", 20.0)
    wrong = row("torch-vmap", 0.1, "losses differ")
    absent = {"peer": "jax-vmap", "status": "not installed"}
    part = {"name": "tiny", "rows": [own, *others, wrong, absent]}
    machine = {"processor": "P", "core": "c"}
    document = {"machine": machine, "threads": 2, "date": "2026-01-02T03", "workloads": [part]}
    found = report.speed([document])
    assert "| tiny | 1,234 member-epochs/s | 8 x | - | 20 x | not installed |" in found
    assert found.endswith("P (c), 2 threads, 2026-01-02.")
    assert report.speed([]) == report.NOTHING
    shape = {"members": 64, "n1": [2, 4, 320], "inputs": 1, "outputs": 1, "samples": 1000}
    part.update({**shape, "batch_size": None})
    own.update(ns_per_unit_sample=0.4321, gflops=22.0)
    found = report.shapes([document])
    assert "| tiny | 64 | 2 to 320 | 1 | 1 | all 1,000 | 0.43 | 22 |" in found
    assert report.shapes([]) == report.NOTHING


# ---------------------------------------------------------------- parts


def test_a_work_survives_its_file(tmp_path):
    made = next(iter(workloads.WORKLOADS["minibatch"]("smoke", "float32"))).work
    work.save(tmp_path / "work.npz", made)
    again = work.load(tmp_path / "work.npz")
    for name, value in made._asdict().items():
        np.testing.assert_array_equal(getattr(again, name), value)
    picked = list(made.pick([3, 0]).weights())
    for one, other in zip(picked[1], next(made.weights())):
        np.testing.assert_array_equal(one, other)
    assert not made.plain().adapts and made.adapts and made.plain().monitored


def test_members_are_divided_by_cost():
    made = next(iter(workloads.WORKLOADS["task1-sweep"]("default", "float32"))).work
    parts = session.shares(made, 2)
    assert sorted(np.concatenate(parts)) == list(range(len(made.n1)))
    loads = [made.n1[part].sum() for part in parts]
    assert max(loads) < 1.05 * min(loads)
    alike = session.shares(made.pick([0, 1, 2]), 2)
    assert [part.tolist() for part in alike] == [[0, 2], [1]]


def test_children_start_without_what_disturbs(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setattr(session, "simd_bits", lambda features: 512)
    session.jax_variables.cache_clear()
    clean = session.environment(1, {"MALLOC_MMAP_MAX_": "0"})
    session.jax_variables.cache_clear()
    assert "OPENBLAS_CORETYPE" not in clean and clean["OMP_NUM_THREADS"] == "1"
    assert clean["MALLOC_MMAP_MAX_"] == "0"
    assert clean["XLA_FLAGS"] == "--xla_cpu_prefer_vector_width=512"


def test_a_busy_machine_is_said():
    said = []
    command.warn_if_busy({"load_before": 0.9, "cores": 2}, said.append)
    command.warn_if_busy({"load_before": None, "cores": 2}, said.append)
    assert not said
    command.warn_if_busy({"load_before": 3.0, "cores": 2}, said.append)
    assert said[0].startswith("The machine is busy (load 3.0 on 2 cores)")


def test_a_loss_that_is_no_number_differs():
    assert runner.worst(np.array([np.nan]), np.array([1.0])) == np.inf
    assert command.finite({"a": [np.inf, 1.0]}) == {"a": [None, 1.0]}


def test_limits_and_bound(monkeypatch):
    monkeypatch.setattr(limits, "RUNS", 1)
    found = limits.measure(1, "float32")
    assert all(value > 0 for limit in found.values() for value in limit.values())
    made = next(iter(workloads.WORKLOADS["task1-sweep"]("default", "float32")))
    # 4 d + 6 k = 10 operations at 120 GFLOP/s and a sigmoid of 0.2 ns, 6,344 units, 1,000 samples
    expected = 6344 * 1000 * (10 / 120 + 0.2) * 1e-9
    assert limits.bound(made, LIMITS, 2) == pytest.approx(expected)
    fit = next(iter(workloads.estimator("default", "float32")))
    # 98 operations, and 2 (20 + 3) more for a held-out row to every four; relu needs no sigmoid
    expected = 128 * 1600 * (98 + 46 / 4) / 120 * 1e-9
    assert limits.bound(fit, LIMITS, 2) == pytest.approx(expected)


def test_every_workload_and_every_peer_is_there():
    assert (*workloads.WORKLOADS, "answer", "scale") == bench.NAMES
    for peer in PEERS.values():
        assert (session.ROOT / (peer.module.replace(".", os.sep) + ".py")).is_file()
