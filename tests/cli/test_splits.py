"""Groups, orders and folds on the command line, in run folders and after a resume."""

import csv
import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet.results import again, collect
from fastnet.training import training as trainings

RUN = "--n1 2,4 --seeds 2 --l2 0.001 --max-epochs 8 --out run"


@pytest.fixture
def patients(command):
    """groups.csv: 40 patients of 10 rows; each has a level of its own."""
    rng = np.random.default_rng(5)
    patient = np.repeat(np.arange(40), 10)
    a, b = rng.normal(rng.normal(size=40)[patient], 0.05), rng.normal(0, 0.05, 400)
    y = rng.normal(size=40)[patient] + rng.normal(0, 0.05, 400)
    rows = zip(patient, a.round(3), b.round(3), y.round(3), strict=True)
    write("groups.csv", ["patient", "a", "b", "y"], rows)
    return patient


def write(name, header, rows):
    with open(name, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def test_a_group_keeps_a_patients_rows_together(command, patients):
    given = "train --data groups.csv --target y --test-fraction 0.2 --max-epochs 3 --out"
    assert command(f"{given} split --group patient").code == 0
    assert command(f"{given} mixed").code == 0
    whole, mixed = fastnet.load("split"), fastnet.load("mixed")
    assert whole.features == ("a", "b") and mixed.features == ("patient", "a", "b")
    names = [set(patients[whole.split[name]].tolist()) for name in ("train", "val", "test")]
    assert [len(part) for part in names] == [24, 8, 8] and len(set().union(*names)) == 40
    assert set(patients[mixed.split["train"]]) & set(patients[mixed.split["test"]])
    assert "Groups stay whole: 24 train, 8 validate, 8 test." in whole.notices


def test_an_order_of_dates_holds_out_the_last(command):
    days = np.datetime64("2021-03-01") + np.arange(60)
    shuffled = np.random.default_rng(0).permutation(60)
    write("t.csv", ["day", "x", "y"], [(days[i], i / 60, (i / 60) ** 2) for i in shuffled])
    given = "train --data t.csv --target y --test-fraction 0.2 --max-epochs 3 --order day --out"
    assert command(f"{given} a").code == 0
    result = fastnet.load("a")
    assert result.features == ("x",)
    assert set(shuffled[result.split["test"]]) == set(range(48, 60))
    assert set(shuffled[result.split["val"]]) == set(range(36, 48))


def test_an_order_is_an_input_if_the_features_name_it(command):
    write("t.csv", ["t", "x", "y"], [(i, i % 7, i) for i in range(40)])
    given = "train --data t.csv --target y --max-epochs 3 --order t --out"
    assert command(f"{given} a").code == command(f"{given} b --features t,x").code == 0
    assert fastnet.load("a").features == ("x",) and fastnet.load("b").features == ("t", "x")


@pytest.mark.parametrize("more", ["", "--group patient --fold-repeats 2", "--order patient"])
def test_folds_are_a_sweep_over_members_and_folds(command, patients, more):
    got = command(f"sweep --data groups.csv --target y {RUN} --folds 5 {more} --json")
    count = 10 if "repeats" in more else 5
    found, result = got.json, fastnet.load("run")
    assert found["members"] == 4 * count and found["folds"]["count"] == count
    assert result.members["fold"].tolist() == list(range(count)) * 4
    for row in found["by_n1"]:
        mine = result.members[result.members["n1"] == row["n1"]]
        means = [mine["val_loss"][mine["fold"] == f].mean() for f in range(count)]
        assert row["fold_mean_loss"] == pytest.approx(np.mean(means))
        assert row["fold_sd_loss"] == pytest.approx(np.std(means, ddof=1))
    best = min(found["by_n1"], key=lambda row: row["fold_mean_loss"])
    assert found["best"]["n1"] == best["n1"]
    assert found["folds"]["mean"]["loss"] == pytest.approx(best["fold_mean_loss"])
    assert result.folds == found["folds"] and list(result.notices) == found["notices"]


def test_the_metrics_of_the_folds_are_those_of_their_members(command, patients):
    command("train --data groups.csv --target y --n1 3 --l2 0 --max-epochs 8 --folds 4 --out run")
    result, table = fastnet.load("run"), np.genfromtxt("groups.csv", delimiter=",", names=True)
    X = np.stack([table[name] for name in ("patient", "a", "b")], axis=1)
    errors = []
    for member in range(4):
        val = result.split["train"][result.split["folds_val"][member]]
        missed = result.model(member).predict(X[val]) - table["y"][val]
        errors.append(np.sqrt((missed**2).mean()))
    assert result.folds["mean"]["rmse"] == pytest.approx(np.mean(errors))
    assert result.folds["sd"]["rmse"] == pytest.approx(np.std(errors, ddof=1))


def test_what_is_printed_says_what_the_best_member_was_trained_on(command, patients):
    got = command(
        "train --data groups.csv --target y --n1 3 --l2 0 --max-epochs 8 --folds 4 --out run"
    )
    assert "4 folds: a member trains on 300 and validates on 100 of 400 rows.\n" in got.err
    fold = fastnet.load("run").best["fold"]
    assert f"N1 = 3 (seed 0, fold {fold}, member {fold}) is of the setting with" in got.out
    assert "Over 4 folds (mean +- standard deviation): validation loss " in got.out
    assert re.search(r"MAPE [\d.]+ % \+- [\d.]+ %\.\n", got.out)
    assert "The best member was trained on 300 of 400 rows, those of its fold" in got.out
    assert command("show run").out.startswith(got.out.splitlines()[0])


@pytest.mark.parametrize(
    "more",
    [
        "",
        "--group patient --test-fraction 0.2",
        "--group patient --target-rmse 0.01",
        "--order patient --features patient,a",
        "--schedule exponential --learning-rate 0.01,0.003 --batch-size 16,none --zip",
    ],
)
def test_the_printed_command_trains_the_best_setting_on_the_rows_of_all_folds(
    command, patients, more
):
    run = RUN if more else RUN.replace("--l2 0.001", "--l2 auto")
    got = command(f"sweep --data groups.csv --target y {run} --folds 4 {more}")
    result = fastnet.load("run")
    line = re.search(r"To train its setting on all of them:\n  fastnet (.*)\n", got.out)[1]
    assert command(f"{line} --out again --quiet").code == 0
    alone, best = fastnet.load("again"), result.best
    assert len(alone.members) == 1 and alone.command == "train" and alone.folds is None
    for name in ("n1", "seed", "learning_rate", "batch_size", "decay_epochs", "l2", "optimizer"):
        if name != "decay_epochs" or "schedule" in more:
            assert alone.best[name] == best[name]
    for name in ("train", "test"):
        assert alone.split[name].tolist() == result.split[name].tolist()
    assert alone.features == result.features and len(alone.split["val"]) == 0
    alike = result.members[result.members["n1"] == best["n1"]]
    for name in ("learning_rate", "l2"):
        alike = alike[alike[name] == best[name]]
    assert alone.best["epochs"] == max(1, round(alike["best_epoch"].mean()))


def test_arrays_are_trained_again_by_a_call_in_python(rng):
    X = rng.normal(size=(60, 2))
    result = fastnet.sweep(X, X[:, 0], n1=[2, 3], seeds=2, max_epochs=9, folds=3)
    line = again.refit_command(result)
    assert line.startswith(f"fastnet.train(X, y, n1=[{result.best['n1']}], ")
    found = eval(line, {"fastnet": fastnet, "X": X, "y": X[:, 0]})
    assert found.best["n1"] == result.best["n1"] and len(found.split["train"]) == 60


def test_every_command_reads_a_run_with_folds(command, patients):
    assert command(f"sweep --data groups.csv --target y {RUN} --folds 3").code == 0
    assert command("predict run --data groups.csv -o p.csv").code == 0
    assert command("evaluate run --data groups.csv").code == 0
    assert command("plot run").code == 0
    assert command("ls --runs .").code == 0


@pytest.mark.parametrize("more", ["--folds 4", "--folds 2 --fold-repeats 2 --group patient"])
def test_an_interrupted_run_with_folds_is_seen_and_ends_with_the_same_bytes(
    command, patients, monkeypatch, more
):
    line = "sweep --data groups.csv --target y --n1 2,4 --seeds 1 --l2 0 --max-epochs 40"
    line += f" {more} --out"
    assert command(f"{line} whole").code == 0

    def short_round(training, whole=trainings.Training.round):
        training.epochs = 5
        whole(training)
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(trainings.Training, "round", short_round)
        assert command(f"{line} cut").code == 130
    seen = collect.peek("cut")
    assert seen.members["fold"].tolist() == [0, 1, 2, 3] * 2
    assert np.isfinite(seen.members["val_loss"]).all()
    assert command("sweep --resume cut").code == 0
    for name in ("weights.npz", "history.npz", "split.npz", "best/W1.npy", "model.npz"):
        assert Path("whole", name).read_bytes() == Path("cut", name).read_bytes()
    whole, cut = fastnet.load("whole"), fastnet.load("cut")
    for name in set(whole.members.dtype.names) - {"seconds"}:
        np.testing.assert_array_equal(whole.members[name], cut.members[name])
    assert (whole.folds, whole.notices) == (cut.folds, cut.notices)


# ---------------------------------------------------------------- few rows


def test_nothing_is_held_out_of_a_few_rows_unless_asked(command):
    Path("xor.csv").write_text("a,b,y\n0,0,no\n0,1,yes\n1,0,yes\n1,1,no\n")
    Path("three.csv").write_text("x,y\n-1,-0.2445\n0,0.1233\n1,0.1714\n")
    for name, rows in (("xor", 4), ("three", 3)):
        got = command(f"train --data {name}.csv --target y --max-epochs 3 --out {name}")
        assert f"None of {rows} rows are held out for validation, since they are fewer" in got.err
        result = fastnet.load(name)
        assert len(result.split["train"]) == rows and result.options["validation_fraction"] == 0
        assert result.notices[0].startswith(f"None of {rows} rows")
    asked = "train --data xor.csv --target y --validation-fraction 0.25 --max-epochs 3 --out asked"
    assert "rows train" not in command(asked).err
    assert len(fastnet.load("asked").split["val"]) == 1


def test_twenty_rows_are_enough_to_hold_some_out(command):
    for rows in (19, 20):
        write(f"{rows}.csv", ["x", "y"], [(i, i / 2) for i in range(rows)])
        command(f"train --data {rows}.csv --target y --max-epochs 3 --out run{rows}")
    assert len(fastnet.load("run19").split["val"]) == 0
    assert len(fastnet.load("run20").split["val"]) == 4


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "given, code, message",
    [
        ("--group p", 3, "group: groups.csv has no column 'p'; it has patient, a, b, y."),
        (
            "--group patient --features patient,a",
            2,
            "the column 'patient' is named twice among --target, --features, --exclude, "
            "--weights, --split-column, --group and --order; it can serve once.",
        ),
        (
            "--order word",
            3,
            "t.csv: column 'word' orders the rows, but has '3.1.2020' in line 3; write numbers, or "
            "dates as 2020-01-31 or 2020-01-31 14:05.",
        ),
        ("--order gap", 3, "t.csv: column 'gap' has no value in line 3; write one in every row."),
        (
            "--group gap",
            3,
            "t.csv: column 'gap' has no value in line 3; name a group in every row.",
        ),
        (
            "--split-column part --folds 2",
            2,
            "folds hold out validation rows of their own, and the split column names 1 val; name "
            "them train.",
        ),
        ("--folds 1", 2, "--folds must be an integer >= 2 and <= 10000 or none, got '1'."),
        ("--folds 500", 2, "folds 500 needs at least 500 rows, got 400."),
        (
            "--folds 50 --group patient",
            2,
            "group has 40 different values in the rows to divide into 50 folds; it needs at least "
            "50.",
        ),
    ],
)
def test_divisions_that_cannot_be_made(command, patients, given, code, message):
    rows = [("2020-01-02", 1, "train", 1, 1), ("3.1.2020", "", "val", 2, 3)]
    rows += [("2020-01-04", 3, "train", i, i * i) for i in range(30)]
    write("t.csv", ["word", "gap", "part", "x", "y"], rows)
    table = "t" if any(word in given for word in ("word", "gap", "part")) else "groups"
    features = "" if "features" in given else "--features x" if table == "t" else ""
    got = command(f"train --data {table}.csv --target y {features} {given}")
    assert (got.code, got.out, got.err) == (code, "", f"Error: {message}\n")
    assert not Path("runs").exists()


def test_groups_belong_to_a_table(command):
    got = command("train --task 1 --group patient")
    assert got.err == "Error: group belongs to data, the file of a table; drop it.\n"
    write("t.csv", ["x", "y"], [(i, i / 2) for i in range(30)])
    with pytest.raises(fastnet.UsageError, match="group goes with X and y; a table has a column"):
        fastnet.train(data="t.csv", target="y", group=np.arange(30))
