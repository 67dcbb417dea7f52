"""Run folders that cannot be read: what is missing, damaged, or does not fit together."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from folders import SMALL, saying

import fastnet
from fastnet.errors import DataError, FastnetError
from fastnet.results.reading import read_model
from fastnet.results.writing import write_model


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
