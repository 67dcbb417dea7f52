"""Run folders: what is in them, that they come back as they were, and their list."""

import csv
import fcntl
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from folders import (
    FILES,
    SMALL,
    assert_same_members,
    assert_same_results,
    contents,
    files_of,
    saying,
)

import fastnet
from fastnet.errors import UsageError
from fastnet.results.folder import default_folder
from fastnet.results.reading import list_runs, read_model
from fastnet.results.result import MEMBERS

WITH_WEIGHTS = ("weights", "best", "model", "snapshots")


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
