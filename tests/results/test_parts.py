"""Sweeps larger than the memory that they may use: in parts, with the files of one run."""

import json
import re

import numpy as np
import pytest
from test_reuse import GROWING, X, Y, contents, swept

import fastnet
from fastnet import DataError, FastnetError, UsageError
from fastnet.job import preparing, sizing
from fastnet.options.table import OPTIONS
from fastnet.training.memory import granted_memory

CASES = [
    *("first order", "matrix", "folds", "weights", "float64", "thinned", "rivals", "accuracy"),
    *("keep best", "keep none", "recorded", "shard"),
]
MORE = {
    "keep best": {"keep": "best"},
    "keep none": {"keep": "none"},
    "recorded": {"record": ["clipped", "gradient_norm"], "clip_norm": 0.1},
    "shard": {"shard": "1/2", "seeds": 6},
}


def given(case):
    return {"n1": [2, 3, 4], **(MORE.get(case) or {**GROWING[case][0], "n1": [2, 3, 4]})}


@pytest.fixture
def parts(monkeypatch):
    """Let a run be trained in so many parts."""

    def choose(count):
        monkeypatch.setattr("fastnet.job.starting.parts_needed", lambda *arguments: count)

    return choose


def files_of(folder):
    """The files of a run, without what says that it was trained in parts."""
    found = contents(folder)
    config = json.loads(found.pop("config.json"))
    return {**found, "config": {n: v for n, v in config.items() if n != "parts"}}


@pytest.mark.parametrize("case", CASES)
def test_parts_make_the_files_of_one_run(case, parts, tmp_path):
    asked = given(case)
    one = swept(out=tmp_path / "one", **asked)
    parts(3)
    cut = swept(out=tmp_path / "cut", **asked)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "one")
    assert not (tmp_path / "cut" / "parts").exists()
    assert cut.notices == one.notices and cut.best_member == one.best_member
    if case != "keep none":
        assert (cut.weights().W1 == one.weights().W1).all()
        assert (cut.history(1).train_loss == one.history(1).train_loss).all()
    assert len(fastnet.load(tmp_path / "cut").members) == len(one.members)


def test_parts_take_members_of_other_runs(parts, tmp_path):
    old = swept(n1=[2, 3])
    swept(out=tmp_path / "one", n1=[2, 3, 4])
    parts(2)
    cut = swept(out=tmp_path / "cut", n1=[2, 3, 4], reuse=old)
    assert cut.notices[0] == "Reused 6 of 9 members from the given Result."
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "one")


# ---------------------------------------------------------------- interruptions


@pytest.mark.parametrize("rounds", [1, 3, 5, 8])
def test_an_interrupted_run_goes_on_in_its_part(rounds, parts, monkeypatch, tmp_path):
    swept(out=tmp_path / "one", n1=[2, 3, 4])
    parts(3)
    seen = []

    def stop(where):
        seen.append(where)
        return sum(w.stage == "train" for w in seen) == rounds

    with monkeypatch.context() as slow:
        slow.setattr("fastnet.training.training.FIRST_ROUND", 0.0)
        slow.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)
        slow.setattr("fastnet.training.training.Training.next_epochs", lambda *_: 15)
        cut = swept(out=tmp_path / "cut", n1=[2, 3, 4], progress=stop)
    assert cut.status == "interrupted" and cut.run == str(tmp_path / "cut")
    assert re.search(r"Interrupted in part [123] of 3: this is about", cut.notices[-1])
    assert seen[-1].members == 9 and seen[-1].running + seen[-1].reached <= 9
    assert fastnet.api.collect.peek(tmp_path / "cut") is None
    of_part = {"load": fastnet.load, "resume": fastnet.resume, "reuse": lambda p: swept(reuse=p)}
    for use in of_part.values():
        with pytest.raises(
            FastnetError, match=r"1 is a part of the run .*cut, which is trained in"
        ):
            use(tmp_path / "cut" / "parts" / "1")
    result = fastnet.resume(tmp_path / "cut", X, Y)
    assert result.status == "done"
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "one")


@pytest.mark.parametrize(
    "failing",
    ["fastnet.job.parts.put_together", "fastnet.results.folder.write_result"],
    ids=["together", "writing"],
)
def test_a_run_that_died_while_it_was_put_together(failing, parts, monkeypatch, tmp_path):
    swept(out=tmp_path / "one", n1=[2, 3, 4])
    parts(3)
    with monkeypatch.context() as broken:
        count = []

        def fail(*arguments):
            count.append(1)
            raise RuntimeError("killed")

        broken.setattr(failing, fail)
        with pytest.raises(RuntimeError, match="killed"):
            swept(out=tmp_path / "cut", n1=[2, 3, 4])
    assert (tmp_path / "cut" / "parts").is_dir()
    fastnet.resume(tmp_path / "cut", X, Y)
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "one")


def test_an_unfinished_run_in_parts_is_not_reused(parts, tmp_path):
    parts(3)
    swept(out=tmp_path / "cut", n1=[2, 3, 4], progress=lambda where: where.stage == "train")
    parts(1)
    (line,) = swept(n1=[2, 3, 4], reuse=tmp_path / "cut").notices
    assert "cut: it is in parts and not finished." in line


def test_a_broken_part_is_named(parts, monkeypatch, tmp_path):
    parts(3)

    def fail(*arguments):
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr("fastnet.job.parts.put_together", fail)
        with pytest.raises(RuntimeError, match="killed"):
            swept(out=tmp_path / "cut", n1=[2, 3, 4])
    (tmp_path / "cut" / "parts" / "2" / "history.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"parts/2/history.npz cannot be read"):
        fastnet.resume(tmp_path / "cut", X, Y)


# ---------------------------------------------------------------- how many parts


def needed(memory, writes=True, initial_weights=None, **given):
    asked = {"n1": [2, 3, 4], "seeds": 100, "max_epochs": 40, "memory": memory, **given}
    options, data, plan = preparing.prepare("sweep", X, Y, None, asked)
    return sizing.parts_needed(options, plan, data, writes, initial_weights)


def test_how_many_parts_a_run_needs(monkeypatch):
    monkeypatch.setattr(sizing, "PROCESS", 0)
    assert needed("1GB") == needed(None) == 1
    assert [needed(memory) for memory in ("2MB", "1MB", "500kB")] == [2, 4, 20]
    rivals = {"l2": [0.1, 0.2], "prune_l2": 5, "validation_fraction": 0.2}
    assert needed("1MB", **rivals) == 3  # one for each n1
    monkeypatch.setattr(sizing, "granted_memory", lambda: 2_000_000)
    assert needed(None) == 4
    assert needed(None, writes=False) == needed(None, stop="first") == 1


@pytest.mark.parametrize(
    "asked, message",
    [
        ({"stop": "first"}, "memory does not go with stop first"),
        ({"writes": False}, "its parts are kept in a run folder; give out"),
        ({"record": ["snapshots"]}, "memory does not go with record snapshots"),
        ({"initial_weights": []}, "with initial_weights it is not trained in parts"),
        ({"memory": "300kB"}, r"memory 0.3 MB is too little for 300 members, which take 0.4 MB"),
    ],
)
def test_runs_that_cannot_be_in_parts(asked, message, monkeypatch):
    monkeypatch.setattr(sizing, "PROCESS", 0)
    with pytest.raises(UsageError, match=message):
        needed(**{"memory": "1MB", **asked})


@pytest.mark.parametrize(
    "text, size",
    [
        ("500MB", 500_000_000),
        ("4GiB", 1 << 32),
        ("1.5 g", 1_500_000_000),
        ("64k", 64_000),
        ("10b", 10),
        (4096, 4096),
        ("none", None),
    ],
)
def test_sizes(text, size):
    option = OPTIONS["memory"]
    assert option.check(text) == size
    assert option.check(size) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "4 GBit", "1e9", "k", 0, True, 1.5, "9" * 30])
def test_sizes_that_are_none(text):
    with pytest.raises(UsageError, match="memory must be a size such as 500MB or 4GiB or none"):
        OPTIONS["memory"].check(text)


def test_a_dry_run_says_that_it_is_in_parts(monkeypatch):
    monkeypatch.setattr(sizing, "PROCESS", 0)
    facts = fastnet.dry_run("sweep", X, Y, n1=[2, 3], seeds=100, max_epochs=40, memory="1MB")
    assert re.search(r"trained in \d+ parts, one after the other", facts["notices"][-1])


def test_a_dry_run_counts_the_memory_that_decides_about_parts(monkeypatch):
    monkeypatch.setattr(sizing, "PROCESS", 0)
    given = {"n1": [2, 3, 4], "seeds": 100, "max_epochs": 40}
    memory = fastnet.dry_run("sweep", X, Y, **given)["memory_bytes"]
    assert (needed(memory), needed(memory - 1)) == (1, 2)


# ---------------------------------------------------------------- the memory of the machine


@pytest.mark.parametrize(
    "cgroup, files, limit",
    [
        ("0::/job\n", {"v2/job/memory.max": "1000000"}, 1_000_000),
        ("0::/job\n", {"v2/job/memory.max": "max", "v2/memory.max": "2000000"}, 2_000_000),
        ("4:memory:/a\n", {"v1/a/memory.limit_in_bytes": "3000000"}, 3_000_000),
        ("4:memory:/a\n", {"v1/a/memory.limit_in_bytes": "9223372036854771712"}, 1 << 40),
        ("0::/job\n", {}, 1 << 40),
    ],
)
def test_the_memory_that_a_process_may_use(cgroup, files, limit, monkeypatch, tmp_path):
    monkeypatch.setattr("fastnet.training.memory.machine", lambda: 1 << 40)
    process = tmp_path / "self"
    process.mkdir()
    (process / "cgroup").write_text(cgroup)
    line = "30 25 0:1 / {} rw - {} {} rw{}\n"
    text = line.format(tmp_path / "v2", "cgroup2", "cgroup2", "")
    text += line.format(tmp_path / "v1", "cgroup", "cgroup", ",memory")
    (process / "mountinfo").write_text(text)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert granted_memory(process) == limit


def test_a_system_that_does_not_tell_its_memory(monkeypatch):
    def fail(name):
        raise ValueError(name)

    monkeypatch.setattr("os.sysconf", fail)
    assert fastnet.training.memory.machine() == 1 << 32
    assert np.isfinite(granted_memory())
