"""Run folders: what is in them, that they come back as they were, what breaks or guards them."""

import csv
import fcntl
import itertools
import json
import math
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet import files
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.job import starting
from fastnet.results import folder, writing
from fastnet.results.folder import Folder, default_folder
from fastnet.results.lock import in_use
from fastnet.results.reading import list_runs, read_model
from fastnet.results.result import MEMBERS
from fastnet.results.writing import write_model

SMALL = {"task": 1, "samples": 20, "n1": [2, 3], "seeds": 2, "max_epochs": 15, "threads": 1}
FILES = {
    *("config.json", "environment.json", "split.npz", "members.csv", "history.npz", "weights.npz"),
    *("best/W1.npy", "best/b1.npy", "best/W2.npy", "best/b2.npy"),
    *("model.npz", "events.jsonl", "snapshots.npz", "summary.json"),
}

WITH_WEIGHTS = ("weights", "best", "model", "snapshots")


def saying(text, kind=DataError):
    """pytest.raises for an error with exactly this text."""
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


def files_of(folder):
    return {str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file()}


def contents(folder):
    return {name: (Path(folder) / name).read_bytes() for name in files_of(folder)}


def classified(**more):
    """A result with everything: classes, all three sets, an axis that can be off, records."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = np.array(["low", "middle", "high"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    given = {
        "n1": [2, 5],
        "seeds": 2,
        "clip_norm": [1, None],
        "max_epochs": 12,
        "target_loss": 0.5,
        "validation_fraction": 0.2,
        "test_fraction": 0.1,
        "record": ["clipped"],
        "threads": 1,
        **more,
    }
    return fastnet.sweep(X, y, **given)


def assert_same_members(one, other, but=()):
    assert one.members.dtype == other.members.dtype == MEMBERS
    for name in set(MEMBERS.names) - set(but):
        np.testing.assert_array_equal(one.members[name], other.members[name])


def assert_same_results(one, other):
    """Members, histories and weights are the same bytes; times are not looked at."""
    assert_same_members(one, other, but=["seconds"])
    for member in range(len(one.members)):
        for a, b in zip(one.history(member), other.history(member), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(one.weights(member), other.weights(member), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of task 1, and its Result as it was returned."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    return folder, fastnet.sweep(out=folder, **SMALL)


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the run, to be broken."""
    return Path(shutil.copytree(finished[0], tmp_path / "run"))


# ---------------------------------------------------------------- what is in a folder


def test_a_finished_folder_has_the_files_of_the_design(finished):
    assert files_of(finished[0]) == FILES


@pytest.mark.parametrize(
    "given, gone, more",
    [
        ({"keep": "best"}, {"weights.npz"}, set()),
        ({"keep": "none"}, {n for n in FILES if n.startswith(WITH_WEIGHTS)}, set()),
        ({"keep": "state"}, set(), {"state.npz"}),
        ({"record": "none"}, {"snapshots.npz"}, set()),
        ({"record": ["clipped", "gradient_norm"]}, set(), {"record.npz"}),
    ],
)
def test_options_that_change_which_files_there_are(tmp_path, given, gone, more):
    fastnet.sweep(out=tmp_path / "run", **SMALL, **given)
    assert files_of(tmp_path / "run") == FILES - gone | more


def test_config_has_every_option_as_resolved(finished):
    config = json.loads((finished[0] / "config.json").read_text())
    assert config["schema_version"] == 1
    assert (config["command"], config["task"], config["loss"]) == ("sweep", 1, "squared")
    assert config["features"] == ["x0"] and config["classes"] is None
    resolved = finished[1].options
    assert {n: tuple(v) if isinstance(v, list) else v for n, v in config["options"].items()} == (
        resolved
    )


def test_environment_tells_what_decides_the_bytes(finished):
    found = json.loads((finished[0] / "environment.json").read_text())
    assert set(found["versions"]) == {"fastnet", "python", "numpy", "numba", "llvmlite"}
    assert found["cpu"]["name"] and found["threads"] == 1 and "core" in found["blas"]
    assert re.fullmatch("[0-9a-f]{64}", found["data_sha256"])
    assert isinstance(found["command_line"], list)


def test_summary_is_the_json_document(finished):
    folder, result = finished
    saved = json.loads((folder / "summary.json").read_text())
    assert saved == result.summary() and saved["run"] == str(folder)


def test_members_csv_has_a_row_a_member(finished):
    folder, result = finished
    with open(folder / "members.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == MEMBERS.names and len(rows) == 4
    for row, record in zip(rows, result.members):
        assert [int(row[n]) for n in ("member", "n1", "seed")] == [
            record[n] for n in ("member", "n1", "seed")
        ]
        assert float(row["train_loss"]) == record["train_loss"]  # to the last bit
        assert row["val_loss"] == row["patience"] == row["batch_size"] == ""  # missing, or off
        assert row["stop_reason"] == "max_epochs" and row["init"] == "adapted"


def test_arrays_are_those_of_the_result(finished):
    folder, result = finished
    with np.load(folder / "history.npz", allow_pickle=False) as history:
        assert set(history) == {"epoch", "train_loss", "val_loss", "learning_rate", "offsets"}
        assert history["offsets"].shape == (5,)
        for member in range(4):
            rows = slice(*history["offsets"][member : member + 2])
            for name, values in result.history(member)._asdict().items():
                there = history[name][rows] if name in history else np.nan
                np.testing.assert_array_equal(there, values)
    with np.load(folder / "weights.npz", allow_pickle=False) as packed:
        assert {n: packed[n].shape for n in packed} == {
            "W1": (10, 1),
            "b1": (10,),
            "W2": (10, 1),
            "b2": (4, 1),
            "offsets": (5,),
        }
        for member in range(4):
            rows = slice(*packed["offsets"][member : member + 2])
            weights = result.weights(member)
            np.testing.assert_array_equal(packed["W1"][rows], weights.W1)
            np.testing.assert_array_equal(packed["b1"][rows], weights.b1)
            np.testing.assert_array_equal(packed["W2"][rows].T, weights.W2)
            np.testing.assert_array_equal(packed["b2"][member], weights.b2)
    with np.load(folder / "split.npz", allow_pickle=False) as split:
        assert {n: split[n].tolist() for n in split} == {
            "train": list(range(20)),
            "val": [],
            "test": [],
        }


def test_best_and_model_are_the_winners(finished):
    folder, result = finished
    n1 = result.best["n1"]
    shapes = {"W1": (n1, 1), "b1": (n1,), "W2": (1, n1), "b2": (1,)}
    model = read_model(folder)
    for name, shape in shapes.items():
        array = np.load(folder / "best" / f"{name}.npy", allow_pickle=False)
        assert array.shape == shape and array.flags.c_contiguous
        np.testing.assert_array_equal(array, getattr(result.weights(), name))
        np.testing.assert_array_equal(array, getattr(model.weights, name))
    x = np.linspace(-1, 1, 7)
    np.testing.assert_array_equal(model.predict(x), result.model().predict(x))
    assert (model.activation, model.loss, model.features) == ("sigmoid", "squared", ("x0",))


def test_events_are_a_json_object_a_line(finished):
    lines = [json.loads(line) for line in (finished[0] / "events.jsonl").read_text().splitlines()]
    assert lines[-1]["status"] == "done" and lines[-1]["running"] == 0
    assert lines[-1]["best_loss"] == pytest.approx(finished[1].best["train_loss"])


def test_the_default_folder_is_named_by_the_time_and_never_exists(tmp_path):
    first = default_folder("task1", tmp_path)
    assert re.fullmatch(r"task1-\d{8}-\d{6}", first.name)
    first.mkdir()
    seen = {first}
    for _ in range(2):  # -2 and -3, unless the clock moves on in between
        again = default_folder("task1", tmp_path)
        assert again not in seen
        assert re.fullmatch(r"task1-\d{8}-\d{6}(-[23])?", again.name)
        again.mkdir()
        seen.add(again)


# ---------------------------------------------------------------- there and back


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saved_and_loaded_is_the_same_result(tmp_path, dtype):
    result = classified(dtype=dtype)
    result.save(tmp_path / "run")
    loaded = fastnet.load(tmp_path / "run")
    assert_same_results(result, loaded)
    assert_same_members(loaded, result)
    for name in ("command", "task", "options", "status", "seconds", "best_member", "loss"):
        assert getattr(loaded, name) == getattr(result, name)
    assert loaded.features == result.features and loaded.environment == result.environment
    assert loaded.classes.tolist() == ["high", "low", "middle"]
    for name, rows in result.split.items():
        np.testing.assert_array_equal(loaded.split[name], rows)
    np.testing.assert_array_equal(
        loaded.recorded["record"]["clipped"], result.recorded["record"]["clipped"]
    )
    assert loaded.run == str(tmp_path / "run") and result.run is None
    assert {**loaded.summary(), "run": None} == result.summary()
    X = np.random.default_rng(1).normal(size=(9, 2))
    for member in (None, 0, 5):
        np.testing.assert_array_equal(
            loaded.model(member).predict_proba(X), result.model(member).predict_proba(X)
        )


def test_a_run_folder_is_what_save_writes(finished, tmp_path):
    finished[1]._replace(run=None).save(tmp_path / "saved")
    before, after = contents(finished[0]), contents(tmp_path / "saved")
    before.pop("events.jsonl")
    assert set(before) == set(after)
    for name in set(before) - {"summary.json"}:  # it holds the folder's own name
        assert before[name] == after[name], name


@pytest.mark.parametrize("labels", [[True, False], [3, 7], [b"no", b"yes"]])
def test_classes_come_back(tmp_path, labels):
    X = np.linspace(-1, 1, 20)
    y = np.array(labels)[(X > 0).astype(int)]
    result = fastnet.train(X, y, loss="cross_entropy", n1=2, max_epochs=3)
    result.save(tmp_path / "run")
    loaded = fastnet.load(tmp_path / "run")
    assert loaded.classes.tolist() == result.classes.tolist()
    assert loaded.model().predict(X).tolist() == result.model().predict(X).tolist()
    assert read_model(tmp_path / "run").predict(X).tolist() == loaded.model().predict(X).tolist()


def test_keep_best_has_the_winners_weights_alone(tmp_path):
    result = classified(keep="best")
    result.save(tmp_path / "run")
    loaded, best = fastnet.load(tmp_path / "run"), result.best_member
    for a, b in zip(loaded.weights(), classified().weights(best), strict=True):
        np.testing.assert_array_equal(a, b)
    other = (best + 1) % len(result.members)
    for one in (result, loaded):
        with saying(f"the weights of member {other} were not kept (keep=best).", UsageError):
            one.weights(other)
        assert len(one.history(other).epoch)


def test_keep_none_has_members_and_histories(tmp_path):
    result = classified(keep="none")
    result.save(tmp_path / "run")
    loaded = fastnet.load(tmp_path / "run")
    assert_same_members(loaded, result)
    with pytest.raises(
        UsageError, match=r"^the weights of member \d were not kept \(keep=none\).$"
    ):
        loaded.weights()


def test_members_that_diverged_or_have_no_scores_come_back(tmp_path):
    result = fastnet.sweep(
        **{**SMALL, "learning_rate": [0.1, 1e30], "clip_norm": None, "target_loss": None}
    )
    assert "diverged" in result.members["stop_reason"]
    result.save(tmp_path / "run")
    assert_same_members(fastnet.load(tmp_path / "run"), result)


def test_paired_lists_come_back(tmp_path):
    given = {**SMALL, "n1": [2, 2, 3], "seeds": [0, 1, 0], "zip": True}
    result = fastnet.sweep(out=tmp_path / "run", **given)
    loaded = fastnet.load(tmp_path / "run")
    assert loaded.options == result.options and loaded.members["n1"].tolist() == [2, 2, 3]


def test_an_option_newer_than_the_run_has_its_default(run):
    config = json.loads((run / "config.json").read_text())
    del config["options"]["l2"]
    (run / "config.json").write_text(json.dumps(config))
    assert fastnet.load(run).options["l2"] == (0.0,)


# ---------------------------------------------------------------- what cannot be read


def test_no_folder(tmp_path):
    for path in (tmp_path / "none", Path(__file__)):
        with saying(
            f"no run folder at {path}; `fastnet ls` lists the runs there are.", FastnetError
        ):
            fastnet.load(path)


def test_a_folder_of_something_else(tmp_path):
    with saying(f"{tmp_path} is not a run folder of fastnet: it has no config.json."):
        fastnet.load(tmp_path)
    (tmp_path / "config.json").write_text('{"architectures": ["BertModel"]}')
    with saying(f"{tmp_path} is not a run folder of fastnet: its config.json is not fastnet's."):
        fastnet.load(tmp_path)


def test_a_run_of_another_schema(run):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "schema_version": 2}))
    with saying(f"{run} has schema version 2; this fastnet reads 1."):
        fastnet.load(run)


READ = ("config.json", "environment.json", "split.npz", "members.csv", "history.npz", "weights.npz")


@pytest.mark.parametrize("name", READ)
def test_a_file_is_missing(run, name):
    (run / name).unlink()
    with pytest.raises(
        DataError, match=f"it has no {name}|{name} is missing|{name} cannot be read"
    ):
        fastnet.load(run)


@pytest.mark.parametrize("name", [*READ, "summary.json"])
@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "folder"])
def test_a_file_is_broken(run, name, damage):
    path, old = run / name, (run / name).read_bytes()
    half = old[: len(old) // 2]
    half = half[: half.rindex(b",")] if path.suffix == ".csv" else half  # inside a row, always
    path.unlink()
    if damage == "folder":
        path.mkdir()
    else:
        path.write_bytes({"cut": half, "empty": b"", "noise": b"\xff\x00" * 50}[damage])
    with pytest.raises(DataError, match=re.escape(f"{path} cannot be read")):
        fastnet.load(run)


@pytest.mark.parametrize("name", ["history.npz", "weights.npz", "split.npz"])
def test_a_pickle_is_refused(run, name):
    np.savez(run / name, epoch=np.array([print], object))
    with saying(f"{run / name} cannot be read: it is no npz, or holds pickled objects."):
        fastnet.load(run)


def edit_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def edit_npz(path, change):
    with np.load(path) as file:
        arrays = dict(file)
    change(arrays)
    np.savez(path, **arrays)


def deep(value, depth=100_000):
    """A value inside lists inside lists, as JSON text."""
    return "[" * depth + json.dumps(value) + "]" * depth


MISFITS = [
    ("config.json", lambda c: c.update(options=[]), "options must be an object, got []"),
    (
        "config.json",
        lambda c: c["options"].update(n1=[0]),
        "has an option of a wrong value: n1 must be an integer >= 1 and <= 65536, got 0.",
    ),
    ("config.json", lambda c: c["options"].update(n1={"a": 1}), "n1 must be an integer >= 1"),
    ("config.json", lambda c: c["options"].update(n1=[2, 4]), "n1 of member 2 is not the one"),
    (
        "config.json",
        lambda c: c["options"].update(optimizer=["lbfgs"], learning_rate=[0.5]),
        "config.json has options that do not go together: learning_rate 0.5 has no effect",
    ),
    (
        "config.json",
        lambda c: c.update(command=[[]]),
        "command must be one of train, sweep, smallest, got",
    ),
    ("config.json", lambda c: c.update(task=True), "task must be one of 1, 2, null, got True."),
    (
        "config.json",
        lambda c: c.pop("features"),
        "broken or of another version: it has no features.",
    ),
    ("config.json", lambda c: c.update(features=["a", 3]), "features[1] must be a text, got 3."),
    ("config.json", lambda c: c.update(features=["a", "b"]), "x_shift has shape (1,), not (2,)."),
    ("config.json", lambda c: c.update(targets=["a", "b"]), "it names 2 targets, not 1."),
    ("config.json", lambda c: c.update(loss="mse"), "loss must be one of squared, cross_entropy, "),
    (
        "config.json",
        lambda c: c.update(classes=[1, "a"]),
        "classes must be a list of texts, of int",
    ),
    (
        "config.json",
        lambda c: c.update(classes=[1, 2]),
        "it has classes, and loss squared has none.",
    ),
    (
        "config.json",
        lambda c: c.update(columns=[["a", "number", []]]),
        "columns[0] must be a list of 5",
    ),
    (
        "config.json",
        lambda c: c["scaling"].update(x_scale=[0.0]),
        "x_scale has values that cannot be",
    ),
    (
        "config.json",
        lambda c: c["scaling"].update(x_shift=[math.nan]),
        "x_shift[0] must be a number, got",
    ),
    ("environment.json", lambda e: e.clear(), "it has no versions."),
    ("environment.json", lambda e: e.update(versions=[]), "versions must be an object, got []."),
    ("environment.json", lambda e: e.update(cpu=-1), "cpu must be an object, got -1."),
    (
        "environment.json",
        lambda e: e.update(command_line=[math.nan]),
        "command_line[0] must be a text, got nan.",
    ),
    ("summary.json", lambda s: s.update(best=None), "best must be an object, got null."),
    ("summary.json", lambda s: s.pop("seconds"), "it has no seconds."),
    (
        "summary.json",
        lambda s: s.update(status=3),
        "status must be one of done, interrupted, got 3.",
    ),
    (
        "summary.json",
        lambda s: s["seconds"].update(train=math.nan),
        "seconds.train must be a number >= 0, got nan.",
    ),
    (
        "summary.json",
        lambda s: s["seconds"].update(train=10**400),
        "seconds.train must be a number >= 0, got 1000",
    ),
    ("summary.json", lambda s: s["best"].update(member=4), "best.member is 4, which there is not."),
    ("summary.json", lambda s: s["best"].update(n1=7), "best.n1 is 7, in members.csv "),
    (
        "summary.json",
        lambda s: s["best"].update(metrics=[]),
        "best.metrics must be an object, got []",
    ),
    (
        "summary.json",
        lambda s: s["best"]["metrics"]["train"].pop("rmse"),
        "best.metrics.train has no rmse.",
    ),
    (
        "summary.json",
        lambda s: s["best"]["metrics"]["train"]["baseline"].update(mae="low"),
        "best.metrics.train.baseline.mae must be a number, got 'low'.",
    ),
    (
        "summary.json",
        lambda s: s.update(folds={"count": 2, "mean": {"loss": 1}, "sd": {"loss": 1}}),
        "folds are not those of split.npz, or differ in their names.",
    ),
    (
        "summary.json",
        lambda s: s["best"].update(thresholds={"f1": 0.5}),
        "best.thresholds has no bal",
    ),
    ("summary.json", lambda s: s.update(members=5), "it has 4 members, summary.json 5."),
    (
        "summary.json",
        lambda s: s.update(stop_reasons={}),
        "stop_reasons are not those of members.csv.",
    ),
    (
        "summary.json",
        lambda s: s.update(command="train"),
        "command is train, in config.json sweep.",
    ),
    ("history.npz", lambda h: h.pop("val_loss"), "it has no 'val_loss'."),
    ("history.npz", lambda h: h.update(more=h["epoch"]), "it has the unknown array 'more'."),
    ("history.npz", lambda h: h.update(epoch=h["epoch"][:-1]), "train_loss has shape "),
    (
        "history.npz",
        lambda h: h.update(epoch=h["epoch"].astype(str)),
        "epoch has dtype <U21, not int",
    ),
    (
        "history.npz",
        lambda h: h.update(val_loss=h["val_loss"] + 0j),
        "val_loss has dtype complex128",
    ),
    ("history.npz", lambda h: h.update(epoch=h["epoch"][:, None]), "epoch has shape (64, 1), not"),
    ("history.npz", lambda h: h.update(epoch=h["epoch"][::-1]), "its epochs do not rise."),
    ("history.npz", lambda h: h.update(epoch=h["epoch"] - 1), "its epochs do not rise."),
    (
        "history.npz",
        lambda h: h.update(epoch=h["epoch"] * 2),
        "its last epochs are not those of mem",
    ),
    (
        "history.npz",
        lambda h: h.update(offsets=h["offsets"][::-1]),
        "its offsets are not those of its",
    ),
    ("weights.npz", lambda w: w.pop("b2"), "it has no 'b2'."),
    ("weights.npz", lambda w: w.update(W1=w["W1"] * np.nan), "W1 has values that are not finite."),
    ("weights.npz", lambda w: w.update(W1=w["W1"][..., None]), "W1 has shape ("),
    (
        "weights.npz",
        lambda w: w.update(offsets=np.array([0, 3, 5, 7, 10])),
        "its offsets are not those of the members' n1.",
    ),
    ("split.npz", lambda s: s.update(val=s["train"][:1]), "it has a row below 0 or a row twice."),
    ("split.npz", lambda s: s.update(val=np.array([-1])), "it has a row below 0 or a row twice."),
    (
        "split.npz",
        lambda s: s.update(train=s["train"][0]),
        "train has shape (), not (train = any).",
    ),
]


@pytest.mark.parametrize("name, change, message", MISFITS)
def test_files_that_do_not_fit_together(run, name, change, message):
    (edit_json if name.endswith(".json") else edit_npz)(run / name, change)
    with pytest.raises(DataError, match=re.escape(message)) as raised:
        fastnet.load(run)
    assert {name, "members.csv"} & set(re.findall(r"[\w.]+", str(raised.value)))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["config.json", "environment.json", "summary.json"])
def test_json_nested_too_deep(run, name):
    (run / name).write_text('{"versions": ' + deep(1) + "}")
    with saying(f"{run / name} cannot be read (its values are nested too deep)."):
        fastnet.load(run)


def test_what_another_version_chose_by_itself_may_differ(run):
    """A learning rate that was not given was this version's own when the run was made."""
    header, *rows = [line.split(",") for line in (run / "members.csv").read_text().splitlines()]
    assert json.loads((run / "config.json").read_text())["options"]["decay_epochs"] == [None]
    for row in rows:
        row[header.index("decay_epochs")] = "3"
    lines = [",".join(cells) for cells in (header, *rows)]
    (run / "members.csv").write_text("\n".join(lines) + "\n")
    edit_json(run / "summary.json", lambda s: s["best"].update(decay_epochs=3))
    assert fastnet.load(run).members["decay_epochs"].tolist() == [3] * 4


CELLS = [
    ("n1", "9" * 30, f"(n1 has '{'9' * 30}', not an integer)"),
    ("n1", "", "(n1 has '', not an integer)"),
    ("train_loss", "1,5", "cells, the header has "),
    ("train_loss", "low", "(train_loss has 'low', not a number)"),
    ("stop_reason", "tired", "(stop_reason has 'tired', not one of running, target, "),
    ("n1", "3", "n1 of member 1 is not the one that the options make."),
    ("member", "2", "its members are not numbered 0, 1, 2, ..."),
    ("fold", "9", "fold is not the one that the options make."),
    ("fold", "1", "fold is not the one that the options make."),
    ("best_epoch", "99", "best_epoch is not between 0 and epochs."),
    ("best_epoch", "-1", "best_epoch is not between 0 and epochs."),
    ("seconds", "nan", "seconds has values that are no times."),
    ("epochs", "999", "its last epochs are not those of members.csv."),
]


@pytest.mark.parametrize("column, text, message", CELLS)
def test_a_cell_of_members_csv_that_cannot_be(run, column, text, message):
    header, *rows = [line.split(",") for line in (run / "members.csv").read_text().splitlines()]
    rows[1][header.index(column)] = text
    lines = [",".join(cells) for cells in (header, *rows)]
    (run / "members.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match=re.escape(message)) as raised:
        fastnet.load(run)
    assert "members.csv" in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: [lines[0].replace(",n1,", ",width,"), *lines[1:]],
        lambda lines: [line.rpartition(",")[0] for line in lines],
        lambda lines: [*lines[:-1], lines[-1].rpartition(",")[0]],
        lambda lines: [*lines[:-1], lines[-1] + ",1"],
        lambda lines: [*lines[:-1], lines[-1].replace("3,", "three,", 1)],
        lambda lines: [],
    ],
    ids=["other column", "no last column", "short row", "long row", "no number", "empty"],
)
def test_members_csv_that_is_none(run, change):
    lines = (run / "members.csv").read_text().splitlines()
    (run / "members.csv").write_text("\n".join(change(lines)) + "\n")
    with pytest.raises(DataError, match=r"members.csv cannot be read \("):
        fastnet.load(run)


def test_members_csv_without_a_column_names_it(run):
    lines = (run / "members.csv").read_text().splitlines()
    (run / "members.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")
    with pytest.raises(DataError, match="missing, unknown or in another order: seconds"):
        fastnet.load(run)


def test_members_csv_with_a_row_less(run):
    lines = (run / "members.csv").read_text().splitlines()
    (run / "members.csv").write_text("\n".join(lines[:-1]) + "\n")
    with saying(
        f"{run / 'members.csv'} does not fit the other files: it has 3 members, summary.json 4."
    ):
        fastnet.load(run)


def test_keep_best_of_another_width(tmp_path):
    run = tmp_path / "run"
    fastnet.sweep(out=run, **SMALL, keep="best")
    other = fastnet.train(np.zeros((4, 1)), np.zeros(4), n1=7, max_epochs=1)
    write_model(run / "model.npz", other.model())
    text = "its offsets are not those of the members' n1."
    with saying(f"{run / 'model.npz'} does not fit the other files: {text}"):
        fastnet.load(run)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda m: m.pop("schema_version"),
            "is not a model of this version of fastnet: it has no 'schema_version'; train it ",
        ),
        (
            lambda m: m.update(schema_version=np.array(2)),
            "has schema version 2; this fastnet reads",
        ),
        (
            lambda m: m.pop("W2"),
            "is not a model of this version of fastnet: it has no 'W2'; train it again.",
        ),
        (
            lambda m: m.pop("features"),
            "is not a model of this version of fastnet: it has no 'features'; train it again.",
        ),
        (lambda m: m.update(b1=m["b1"][1:]), "is broken: W1 has shape ("),
        (lambda m: m.update(W2=m["W2"].T), "is broken: W2 has shape ("),
        (
            lambda m: m.update(features=np.array(["a", "b"])),
            "is broken: W1 has shape (",
        ),
        (
            lambda m: m.update(classes=np.array(["a", "b"])),
            "is broken: it has classes, and loss squared has none.",
        ),
        (
            lambda m: m.update(x_high=np.ones(2)),
            "is broken: x_high has shape (2,), not (1,)",
        ),
        (
            lambda m: m.update(activation=np.array("step")),
            "is broken: it has the unknown activation 'step'.",
        ),
    ],
)
def test_a_model_that_is_none(run, change, message):
    edit_npz(run / "model.npz", change)
    for path in (run, run / "model.npz"):
        with pytest.raises(DataError, match=re.escape(message)):
            read_model(path)


def test_a_model_that_is_not_there_or_a_pickle(run, tmp_path):
    with saying(f"{tmp_path / 'model.npz'} is missing."):
        read_model(tmp_path)
    np.savez(run / "model.npz", W1=np.array([print], object))
    with saying(f"{run / 'model.npz'} cannot be read: it is no npz, or holds pickled objects."):
        read_model(run)
    np.save(run / "best" / "x.npy", np.zeros(3))
    with pytest.raises(DataError, match=r"x\.npy cannot be read"):
        read_model(run / "best" / "x.npy")


# ---------------------------------------------------------------- out, force


def exists(path):
    return saying(
        f"--out: {path} exists; name another folder, continue it with --resume {path}, "
        "or replace it with --force.",
        FastnetError,
    )


def test_what_exists_is_not_touched(run, tmp_path):
    before = contents(run)
    with exists(run):
        fastnet.train(out=run, **SMALL)
    with exists(run):
        fastnet.load(run).save(run)
    assert contents(run) == before
    (tmp_path / "file").write_text("mine")
    with exists(tmp_path / "file"):
        fastnet.train(out=tmp_path / "file", **SMALL)


@pytest.mark.parametrize("path", ["file/run", "file/deeper/run"])
def test_a_folder_that_cannot_be_made(tmp_path, path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FastnetError, match=r"^--out: .*run cannot be made \(.*file.*: .* .*\)\.$"):
        fastnet.train(out=tmp_path / path, **SMALL)
    assert files_of(tmp_path) == {"file"}


def test_folders_above_are_made(tmp_path):
    fastnet.train(out=tmp_path / "a" / "b", **SMALL)
    assert files_of(tmp_path / "a" / "b") == FILES


def test_force_replaces_a_run(run):
    result = fastnet.sweep(out=run, force=True, **{**SMALL, "n1": [7]})
    assert_same_results(fastnet.load(run), result)
    assert [p.name for p in run.parent.iterdir()] == ["run"] and files_of(run) == FILES


def test_force_makes_what_does_not_exist(tmp_path):
    fastnet.sweep(out=tmp_path / "new", force=True, **SMALL)
    assert files_of(tmp_path / "new") == FILES


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("thesis.txt", "all of it", "is not a run folder of fastnet: it has no config.json."),
        (
            "config.json",
            '{"a": 1}',
            "is not a run folder of fastnet: its config.json is not fastnet's.",
        ),
        ("config.json", "{", "config.json cannot be read ("),
        ("config.json", "[]", "config.json cannot be read (not an object)."),
    ],
)
def test_force_replaces_nothing_else(tmp_path, name, text, message):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text(text)
    before = contents(folder)
    with pytest.raises(FastnetError, match=r"^--force replaces only run folders: ") as raised:
        fastnet.sweep(out=folder, force=True, **SMALL)
    assert message in str(raised.value) and str(raised.value).endswith(" Name another folder.")
    assert contents(folder) == before and [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("failing", [(starting, "run_config"), (folder, "write_npz")])
def test_the_old_run_comes_back_when_the_new_one_fails_before_training(run, monkeypatch, failing):
    def fail(*arguments):
        raise OSError("no space left on device")

    before = contents(run)
    monkeypatch.setattr(*failing, fail)
    with pytest.raises(OSError, match="no space left on device"):
        fastnet.sweep(out=run, force=True, **SMALL)
    assert contents(run) == before and [p.name for p in run.parent.iterdir()] == ["run"]


def test_bad_options_leave_the_old_run_alone(run):
    before = contents(run)
    with pytest.raises(UsageError, match=r"^n1 must be an integer >= 1"):
        fastnet.sweep(out=run, force=True, **{**SMALL, "n1": 0})
    assert contents(run) == before and [p.name for p in run.parent.iterdir()] == ["run"]


def test_until_the_new_run_is_finished_the_old_one_stands_aside(run):
    before = contents(run)

    def fail(where):
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fastnet.sweep(out=run, force=True, progress=fail, **SMALL)
    (aside,) = (p for p in run.parent.iterdir() if p != run)
    name = f"run.old-{os.getpid()}"
    assert aside.name == name and contents(aside) == {**before, "set-aside": name.encode()}


# ---------------------------------------------------------------- the lock


@pytest.fixture
def locked(run):
    """The run while another has its lock: a file of its own, as in another process."""
    (run / "summary.json").unlink()
    with open(run / "lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield run


def test_a_folder_in_use_is_refused(locked):
    before = contents(locked)
    busy = saying(
        f"{locked} is in use by another fastnet process; wait for it or stop it.", FastnetError
    )
    with busy:
        fastnet.sweep(out=locked, force=True, **SMALL)
    with busy:
        fastnet.resume(locked)
    assert contents(locked) == before and [p.name for p in locked.parent.iterdir()] == ["run"]


def test_a_lock_that_cannot_be_written(run):
    (run / "summary.json").unlink()
    (run / "lock").mkdir()
    full = f"{run}/lock cannot be written (Is a directory); move the folder of that name away."
    with saying(full, FastnetError):
        fastnet.resume(run)


def test_the_lock_is_held_while_training(tmp_path):
    seen = []
    fastnet.sweep(
        out=tmp_path / "run",
        progress=lambda where: seen.append(in_use(tmp_path / "run")),
        **SMALL,
    )
    assert seen and all(seen) and not in_use(tmp_path / "run")


def test_a_finished_run_gives_a_free_lock_no_second_time(tmp_path):
    folder = Folder.create(tmp_path / "run")
    folder.close()
    (tmp_path / "run" / "lock").write_text("another's")
    folder.close()
    assert (tmp_path / "run" / "lock").exists()


# ---------------------------------------------------------------- killed


class Killed(BaseException):
    """What happens to a process at kill -9, as far as a test can."""


def kill_at_write(monkeypatch, number, halfway):
    """At the write of that number the process ends: halfway (a .part is left), or just after it."""
    count, whole = itertools.count(1), files.write_whole

    def replace(path, write):
        last = next(count) == number
        if last and halfway:
            with open(f"{path}.part", "wb") as file:
                write(file)
                file.truncate(file.tell() // 2)
        else:
            whole(path, write)
        if last:
            raise Killed

    monkeypatch.setattr(files, "write_whole", replace)
    # Nobody tidies up, but the system gives the lock free.
    for name in ("close", "abandon"):
        monkeypatch.setattr(Folder, name, Folder.unlock)


def run_with_checkpoints(monkeypatch, out):
    monkeypatch.setattr("fastnet.job.running.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("fastnet.training.training.FIRST_ROUND", 0)  # one epoch, then 4, ...
    return fastnet.sweep(out=out, **SMALL)


@pytest.fixture(scope="module")
def writes(tmp_path_factory):
    """The files that a run writes, in their order."""
    with pytest.MonkeyPatch.context() as patch:
        names, whole = [], files.write_whole
        patch.setattr(files, "write_whole", lambda p, w: (names.append(p.name), whole(p, w)))
        run_with_checkpoints(patch, tmp_path_factory.mktemp("writes") / "run")
    return names


def test_the_order_of_the_files(writes):
    assert writes.index("config.json") == 2  # with it a run can be resumed
    assert "checkpoint.npz" in writes and writes[-1] == "summary.json"
    assert set(writes) == {Path(n).name for n in FILES} - {"events.jsonl"} | {"checkpoint.npz"}


@pytest.mark.parametrize("halfway", [True, False], ids=["halfway", "after"])
@pytest.mark.parametrize("number", range(1, 14))
def test_killed_at_any_write(finished, writes, monkeypatch, tmp_path, number, halfway):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        kill_at_write(patch, number, halfway)
        with pytest.raises(Killed):
            run_with_checkpoints(patch, run)
    left = files_of(run)
    assert "lock" in left and not in_use(run)
    if "config.json" not in left:
        with saying(
            f"{run} is unfinished: it ended before its config.json was written; start it again "
            f"with --out {run} --force."
        ):
            fastnet.load(run)
        return
    if "summary.json" not in left:
        with saying(f"{run} is unfinished (no summary.json); continue it with --resume {run}."):
            fastnet.load(run)
    assert_same_results(fastnet.resume(run), finished[1])
    assert_same_results(fastnet.load(run), finished[1])
    if "summary.json" not in left:
        assert files_of(run) == FILES


def test_all_writes_were_among_those(writes):
    assert len(writes) >= 13  # else raise the range above; the number of checkpoints may vary


def test_a_saved_result_killed_at_any_write(finished, monkeypatch, tmp_path):
    saved = finished[1]._replace(run=None)
    for number in itertools.count(1):
        run = tmp_path / str(number)
        with monkeypatch.context() as patch:
            kill_at_write(patch, number, False)
            try:
                saved.save(run)
                break  # all writes are behind us
            except Killed:
                pass
        if (run / "summary.json").exists():
            assert_same_results(fastnet.load(run), saved)
        else:
            with pytest.raises(DataError, match=" is unfinished"):
                fastnet.load(run)
    assert number - 1 == len(FILES - {"events.jsonl"}) == 13


def test_save_that_fails_leaves_nothing(finished, monkeypatch, tmp_path):
    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(writing, "write_model", fail)
    with pytest.raises(OSError, match="no space left"):
        finished[1].save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


# ---------------------------------------------------------------- the list of runs


def test_runs_tells_done_unfinished_running_and_broken(finished, tmp_path):
    for name in ("done", "unfinished", "running", "cut", "odd"):
        shutil.copytree(finished[0], tmp_path / name)
    (tmp_path / "unfinished" / "summary.json").unlink()
    (tmp_path / "running" / "summary.json").unlink()
    (tmp_path / "cut" / "summary.json").write_text('{"schema')
    (tmp_path / "odd" / "summary.json").write_text(
        '{"command": "sweep", "members": 4, "status": "done", "best": null}'
    )
    (tmp_path / "not a run").mkdir()
    with open(tmp_path / "running" / "lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = {Path(facts["run"]).name: facts for facts in list_runs(tmp_path)}
    assert {name: facts["status"] for name, facts in found.items()} == {
        "done": "done",
        "unfinished": "interrupted",
        "running": "running",
        "cut": "broken",
        "odd": "broken",
    }
    assert found["done"] == {
        "run": str(tmp_path / "done"),
        "command": "sweep",
        "members": 4,
        "status": "done",
        "best": {
            n: finished[1].summary()["best"][n] for n in ("n1", "seed", "train_loss", "val_loss")
        },
        "smallest_n1": None,
        "within": None,
    }
    assert all(set(facts) == set(found["done"]) for facts in found.values())


def test_the_raw_weights_take_inputs_as_they_are_in_the_data(tmp_path):
    x = np.linspace(2000, 2010, 40)
    run = tmp_path / "run"
    result = fastnet.train(x, x**2, n1=3, max_epochs=20, scale="standard", out=run)
    W1, b1, W2, b2 = (np.load(run / "best" / "raw" / f"{n}.npy") for n in ("W1", "b1", "W2", "b2"))
    y = (1 / (1 + np.exp(-(np.outer(x, W1[:, 0]) + b1)))) @ W2.T + b2
    np.testing.assert_allclose(y[:, 0], result.model().predict(x), rtol=1e-9)  # float64: far from 0
    told = (run / "best" / "README.txt").read_text()
    assert "(x - x_shift) / x_scale" in told and "raw/" in told and "cut" not in told
    plain = fastnet.train(x, x**2, n1=3, max_epochs=2, out=tmp_path / "plain")
    assert sorted(p.name for p in (tmp_path / "plain" / "best").iterdir()) == [
        "W1.npy",
        "W2.npy",
        "b1.npy",
        "b2.npy",
    ] and plain.model().schema.examples.shape == (8, 1)
