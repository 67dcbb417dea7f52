"""Members of finished runs in place of training: the same files, and what is said."""

import csv
import json
import shutil

import numpy as np
import pytest

import fastnet
from fastnet import DataError, FastnetError, UsageError
from fastnet.job import running

X = np.linspace(-1, 1, 40)
Y = np.sin(3 * X)
BASE = {"n1": [2, 4], "seeds": 3, "max_epochs": 40, "threads": 1, "optimizer": "adam"}
# The run, and what differs in the one that it is reused for.
GROWING = {
    "seeds": ({}, {"seeds": 5}),
    "widths": ({"n1": [4]}, {}),
    "first order": (
        {"optimizer": ["sgd", "adam"], "batch_size": [8, None], "learning_rate": [0.03, 1e30]},
        {"n1": [3, 4, 2]},
    ),
    "matrix": ({"optimizer": ["lm", "br", "lbfgs"], "learning_rate": None}, {"seeds": 4}),
    "folds": ({"folds": 3}, {"learning_rate": [0.1, 0.01]}),
    "weights": ({"sample_weight": np.linspace(1, 2, 40), "test_fraction": 0.2}, {"seeds": 4}),
    "float64": ({"dtype": "float64", "validation_fraction": 0.2}, {"keep": "best", "seeds": 4}),
    "record": ({"record": ["snapshots", "gradient_norm"], "patience": 3}, {"seeds": 4}),
    "thinned": ({"max_epochs": 2500, "n1": [2]}, {"record": [], "seeds": 4}),
    "rivals": (
        {"l2": [0.1, 0.01, 0.001], "prune_l2": 10, "validation_fraction": 0.2, "n1": [2, 3]},
        {"n1": [2, 3, 4]},
    ),
    "accuracy": (
        {"loss": "cross_entropy", "target_accuracy": 0.9, "learning_rate": 0.1},
        {"seeds": 4},
    ),
    "reference": ({"backend": "reference", "seeds": 1}, {"seeds": 2}),
}


def swept(out=None, **given):
    given = {**BASE, **given}
    y = Y > 0 if given.get("loss") == "cross_entropy" else Y
    return fastnet.sweep(X, y, out=out, **given)


def told(result):
    return [notice for notice in result.notices if notice.startswith("Reused")]


def contents(folder):
    """The bytes of a run's files, without times, what was reused, and the snapshots for playback,
    of which there are only those that the other run has."""
    found = {}
    asked = json.loads((folder / "config.json").read_text())["options"]["record"]
    left_out = {"environment.json", "events.jsonl", *["snapshots.npz"] * ("snapshots" not in asked)}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or name in left_out:
            continue
        found[name] = path.read_bytes()
    rows = list(csv.reader(found.pop("members.csv").decode().splitlines()))
    found["members"] = [row[:-1] for row in rows]  # the last column is seconds
    summary = json.loads(found.pop("summary.json"))
    found["best"] = {k: v for k, v in summary["best"].items() if k != "seconds"}
    found["answer"] = summary["smallest_n1"], summary["stop_reasons"], summary["folds"]
    return found


@pytest.mark.parametrize("case", GROWING)
@pytest.mark.parametrize("kind", ["folder", "Result"])
def test_a_run_that_reuses_another_is_that_from_scratch(case, kind, tmp_path):
    old, more = GROWING[case]
    before = swept(out=tmp_path / "old" if kind == "folder" else None, **old)
    new = {**old, **more}
    source = tmp_path / "old" if kind == "folder" else before
    scratch = swept(out=tmp_path / "scratch", **new)
    reused = swept(out=tmp_path / "reused", reuse=source, **new)
    assert contents(tmp_path / "reused") == contents(tmp_path / "scratch")
    both = len(before.members), len(scratch.members)
    if set(new.get("n1", [2, 4])) >= set(old.get("n1", [2, 4])):
        assert told(reused)[0].startswith(f"Reused {both[0]} of {both[1]} members from ")


def test_a_chain_of_runs_gives_all_members(tmp_path):
    runs = [swept(n1=n1) for n1 in ([2], [4], [4, 6])]
    result = swept(n1=[2, 4, 6, 8], reuse=runs)
    assert [line.split(" from")[0] for line in told(result)] == [
        "Reused 3 of 12 members" for _ in range(3)
    ]
    whole = swept(n1=[2, 4, 6], reuse=runs)
    assert whole.seconds["train"] == 0.0
    nothing = swept(n1=[2, 4, 6], reuse=[*runs, runs[0]])
    assert told(nothing)[-1].endswith(": others gave its members.")


def test_more_epochs_reuse_the_members_that_stopped_before(tmp_path):
    short = swept(target_loss=0.1, max_epochs=60, learning_rate=0.1)
    stopped = int((short.members["stop_reason"] == "target").sum())
    assert 0 < stopped < 6
    longer = {"target_loss": 0.1, "max_epochs": 300, "learning_rate": 0.1}
    scratch = swept(out=tmp_path / "scratch", **longer)
    reused = swept(out=tmp_path / "reused", reuse=short, **longer)
    assert contents(tmp_path / "reused") == contents(tmp_path / "scratch")
    assert told(reused) == [
        f"Reused {stopped} of 6 members from the given Result; {6 - stopped} more: max_epochs was "
        "60, not 300."
    ]
    shorter = swept(target_loss=0.1, max_epochs=60, learning_rate=0.1, reuse=scratch)
    assert shorter.members["epochs"].tolist() == short.members["epochs"].tolist()
    cosine = {"schedule": "cosine", "target_loss": 0.1, "learning_rate": 0.1}
    part = swept(max_epochs=300, reuse=swept(max_epochs=60, **cosine), **cosine)
    assert told(part)[0].endswith(": max_epochs was 60, not 300.")


def test_rivals_are_reused_together_or_not_at_all():
    rivals = {"l2": [0.1, 0.01], "prune_l2": 10, "validation_fraction": 0.2}
    old = swept(**rivals)
    assert "pruned" in old.members["stop_reason"]
    more = {**rivals, "seeds": 4}
    assert told(swept(reuse=old, **more))[0].endswith(": prune_l2 compares other members.")
    free = swept(reuse=old, **{**rivals, "prune_l2": None})
    pruned = int((old.members["stop_reason"] == "pruned").sum())
    assert told(free)[0].endswith(f"; {pruned} more: they did not end by themselves (pruned).")


def test_smallest_takes_members_as_it_adds_them(tmp_path):
    asked = {"target_loss": 1e-3, "max_epochs": 200, "optimizer": "lm", "threads": 1}
    fastnet.smallest(X, Y, out=tmp_path / "scratch", **asked)
    sweep = fastnet.sweep(X, Y, n1=[2, 3], seeds=20, **asked)
    reused = fastnet.smallest(X, Y, out=tmp_path / "reused", reuse=sweep, **asked)
    assert contents(tmp_path / "reused") == contents(tmp_path / "scratch")
    assert told(reused)[0].startswith("Reused 40 of")
    again = fastnet.smallest(X, Y, reuse=tmp_path / "reused", **asked)
    assert again.seconds["train"] == 0.0


# ---------------------------------------------------------------- what cannot be reused


@pytest.mark.parametrize(
    "given, why",
    [
        ({"learning_rate": 0.2}, "its learning_rate is 0.01, not 0.2"),
        ({"clip_norm": 1.0, "n1": [2, 3]}, "its clip_norm is None, not 1.0"),
        ({"n1": [2], "seeds": [7, 8]}, "its seeds is 0, 1, 2, not 7, 8"),
        ({"n1": [2], "seeds": [2, 3, 4, 5], "l2": [0.1, 0.2, 0.3, 0.4]}, "its l2 is 0.0, not"),
        ({"dtype": "float64"}, "its dtype is float32, not float64"),
        ({"validation_fraction": 0.2}, "its data differ"),
        ({"loss": "huber"}, "its loss is squared, not huber"),
        ({"record": ["clipped"]}, "it did not record clipped"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_what_differs_is_named(given, why):
    old = swept()
    assert why in told(swept(reuse=old, **given))[0]


def test_settings_that_no_member_has_together():
    old = swept(n1=[2, 3], learning_rate=[0.1, 0.2], zip=True, seeds=[0])
    new = swept(n1=[3, 2], learning_rate=[0.1, 0.2], zip=True, seeds=[0], reuse=old)
    assert told(new) == ["Reused nothing of the given Result: no member has the same settings."]


def test_versions_and_initial_weights_are_named(tmp_path):
    old = swept(n1=[2], seeds=[0])
    versions = {**old.environment["versions"], "numba": "0.1"}
    other = old._replace(environment={**old.environment, "versions": versions})
    line = told(swept(n1=[2], seeds=[0], reuse=other))[0]
    assert "its versions numba: 0.1 then, " in line
    start = [tuple(old.weights(0))]
    given = swept(n1=[2], seeds=[0], initial_weights=start)
    assert told(swept(n1=[2], seeds=[0], reuse=given))[0].endswith("began with initial_weights.")
    given.save(tmp_path / "saved")
    saved = swept(n1=[2], seeds=[0], reuse=tmp_path / "saved")
    assert told(saved)[0].endswith("it began with initial_weights.")


def test_only_the_weights_that_a_run_kept_can_be_reused():
    best = swept(keep="best")
    line = told(swept(reuse=best))[0]
    assert line.startswith("Reused 1 of 6 members from the given Result; 5 more: it kept only")
    nothing = told(swept(reuse=swept(keep="none")))[0]
    assert nothing == "Reused nothing of the given Result: it kept no weights (keep none)."


def test_members_that_others_stopped_are_trained():
    first = swept(stop="first", target_loss=0.2)
    line = told(swept(target_loss=0.2, reuse=first))[0]
    assert "did not end by themselves (stopped)" in line


@pytest.mark.parametrize(
    "given, message",
    [
        ({"stop": "first"}, "reuse does not go with stop first: its members advance in lock step"),
        ({"halving": 3, "n1": [1, 2, 3]}, "reuse does not go with halving 3: its members are comp"),
        ({"initial_weights": []}, "reuse takes members that began with the weights of their seed"),
        ({"reuse": 3}, "reuse must be run folders or Results, got 3"),
        ({"reuse": [None]}, "reuse must be run folders or Results, got None"),
        ({"reuse": ""}, "reuse must be run folders or Results, got ''"),
        ({"reuse": ["a\0b"]}, "reuse must be a path without NUL characters"),
    ],
)
def test_what_is_refused(given, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        swept(out=tmp_path / "run", **{"reuse": swept(), **given})
    assert not (tmp_path / "run").exists()


def test_folders_that_are_no_runs_are_refused(tmp_path):
    with pytest.raises(FastnetError, match=r"reuse: no run folder at .*absent"):
        swept(reuse=tmp_path / "absent")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"reuse: .*empty is not a run folder of fastnet"):
        swept(reuse=tmp_path / "empty")


def test_a_run_whose_history_does_not_fit_is_refused():
    old = swept()
    entries = {**old.entries, "epoch": old.entries["epoch"] + 1}
    with pytest.raises(DataError, match="reuse: the given Result is broken: "):
        swept(reuse=old._replace(entries=entries))


# ---------------------------------------------------------------- interrupted runs


def test_resuming_needs_the_old_run_no_more(tmp_path, monkeypatch):
    old, new = {"seeds": 3}, {"seeds": 6, "max_epochs": 40}
    swept(out=tmp_path / "old", **old)
    monkeypatch.setattr("fastnet.training.training.FIRST_ROUND", 0.0)
    begun = swept(
        out=tmp_path / "run",
        reuse=tmp_path / "old",
        progress=lambda where: where.stage == "train",
        **new,
    )
    assert begun.status == "interrupted"
    shutil.rmtree(tmp_path / "old")
    result = fastnet.resume(tmp_path / "run", X, Y)
    assert told(result)[0].startswith("Reused 6 of 12 members from ")
    swept(out=tmp_path / "scratch", **new)
    assert contents(tmp_path / "run") == contents(tmp_path / "scratch")


def test_what_an_unfinished_run_has_finished_is_reused(tmp_path, monkeypatch):
    def die(job, training):
        job.folder.checkpoint(training.checkpoint())
        if training.start > 10:
            raise RuntimeError("killed")
        return False

    asked = {"patience": 5, "learning_rate": [1e30, 0.01], "max_epochs": 400}
    monkeypatch.setattr("fastnet.training.training.FIRST_ROUND", 0.0)
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)
    monkeypatch.setattr(running.Job, "after_round", die)
    with pytest.raises(RuntimeError, match="killed"):
        swept(out=tmp_path / "old", **asked)
    monkeypatch.undo()
    reused = swept(out=tmp_path / "run", reuse=tmp_path / "old", **asked)
    assert told(reused)[0].startswith("Reused 6 of 12 members from ")
    swept(out=tmp_path / "scratch", **asked)
    assert contents(tmp_path / "run") == contents(tmp_path / "scratch")
    (tmp_path / "old" / "checkpoint.npz").unlink()
    again = swept(reuse=tmp_path / "old", **asked)
    assert told(again)[0].endswith(": it has no checkpoint yet.")


def test_a_dry_run_counts_what_is_left():
    old = swept()
    facts = fastnet.dry_run("sweep", X, Y, reuse=old, **{**BASE, "seeds": 5})
    assert facts["members"] == 10 and "Reused 6 of 10 members" in facts["notices"][-1]
    assert facts["seconds"] > 0
    assert fastnet.dry_run("sweep", X, Y, reuse=old, **BASE)["seconds"] == 0.0


# ---------------------------------------------------------------- shards


@pytest.mark.parametrize(
    "case", ["first order", "matrix", "folds", "weights", "float64", "record", "rivals"]
)
def test_shards_together_are_the_run(case, tmp_path):
    asked = {**GROWING[case][0], "n1": [2, 3, 4]}
    for part in (1, 2, 3):
        swept(out=tmp_path / f"p{part}", shard=f"{part}/3", **asked)
    parts = [tmp_path / f"p{part}" for part in (3, 1, 2)]
    merged = swept(out=tmp_path / "all", reuse=parts, **asked)
    swept(out=tmp_path / "one", **asked)
    assert contents(tmp_path / "all") == contents(tmp_path / "one")
    assert merged.seconds["train"] == 0.0
    sizes = [len(fastnet.load(part).members) for part in parts if part.exists()]
    assert sum(sizes) == len(merged.members)


def test_a_shard_is_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr("fastnet.training.training.FIRST_ROUND", 0.0)
    asked = {"shard": "2/3", "seeds": 5}
    swept(out=tmp_path / "p", progress=lambda where: where.stage == "train", **asked)
    assert fastnet.results.collect.peek(tmp_path / "p").members.size == 3
    fastnet.resume(tmp_path / "p", X, Y)
    swept(out=tmp_path / "one", **asked)
    assert contents(tmp_path / "p") == contents(tmp_path / "one")


def test_members_of_a_shard_that_are_not_those_of_its_options(tmp_path):
    swept(out=tmp_path / "p", shard="2/3")
    config = json.loads((tmp_path / "p" / "config.json").read_text())
    for shard, message in (
        ("1/3", "seed of member|n1 of member"),
        ("2/2", "make 3 members, it has 2"),
    ):
        config["options"]["shard"] = shard
        (tmp_path / "p" / "config.json").write_text(json.dumps(config))
        with pytest.raises(DataError, match=message):
            fastnet.load(tmp_path / "p")
