"""A bad result is told in one line, on the terminal, in the JSON document and by show."""

from pathlib import Path

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.results.verdict import verdict


@pytest.fixture
def noise(rng, tmp_path, monkeypatch):
    """Inputs that say nothing about any target."""
    monkeypatch.chdir(tmp_path)
    frame = pandas.DataFrame(rng.normal(size=(1000, 3)), columns=["a", "b", "price"])
    frame["rent"] = frame["price"] + 2 * frame["a"]
    frame["kind"] = np.where(rng.random(1000) < 0.05, "rare", "usual")
    frame.to_csv("t.csv", index=False)
    return frame


def test_no_better_than_the_mean(command, noise):
    line = "train --data t.csv --features a,b --n1 2 --max-epochs 100 --l2 0 --target"
    got = command(f"{line} price,rent --out run --test-fraction 0.5")
    told = [text for text in got.out.splitlines() if "no better than the mean" in text]
    assert len(told) == 1 and told[0].startswith("price: no better than the mean; the RMSE on the ")
    assert "on the test rows is" in told[0]
    assert fastnet.load("run").notices == (told[0],)
    assert told[0] in command("show run").out
    assert command("show run --json").json["notices"] == told


def test_a_class_that_is_never_predicted(command, noise):
    line = "train --data t.csv --features a,b --n1 2 --max-epochs 20 --target kind --out run"
    got = command(line)
    result = fastnet.load("run")
    rare = result.metrics["val"]["classes"]["rare"]
    assert rare["rows"] > 0 and rare["predicted"] == 0
    told = f"Never predicted on the validation rows: rare ({rare['rows']} rows); try "
    assert told in got.out and sum(told in text for text in result.notices) == 1
    assert any(text.startswith("No better than the most frequent class") for text in result.notices)


def test_a_good_result_has_no_remarks(command, noise):
    noise["price"] = noise["a"] + noise["b"]
    noise["kind"] = np.where(noise["a"] > 0.1, "up", "down")
    noise.to_csv("t.csv", index=False)
    for target in ("price", "kind"):
        line = f"train --data t.csv --features a,b --target {target} --out {target}"
        assert command(f"{line} --max-epochs 200 --l2 0.001").code == 0
        assert fastnet.load(target).notices == ()


def test_what_diverged_has_no_remarks(noise):
    given = {"optimizer": "sgd", "learning_rate": 1e30, "max_epochs": 5}
    result = fastnet.train(noise[["a", "b"]], noise["price"], n1=2, **given)
    assert result.best["stop_reason"] == "diverged" and result.notices == ()


def test_many_classes_are_told_in_one_line():
    classes = {str(c): {"rows": 1, "predicted": 0} for c in range(9)}
    classes["0"]["predicted"] = 9
    found = {"accuracy": 0.5, "log_loss": 1.0, "classes": classes}
    found["baseline"] = {"accuracy": 0.1, "log_loss": 2.0}
    (line,) = verdict({"train": found, "val": None, "test": None}, ["y"])
    assert "1 (1 row), 2 (1 row), 3 (1 row), 4 (1 row), 5 (1 row) and 3 more; try" in line


def test_the_run_folder_keeps_what_was_left_out(command):
    rows = [f"{i},5,{i % 7}.5" for i in range(40)]
    Path("t.csv").write_text("\n".join(["a,b,y", *rows]))
    got = command("train --data t.csv --target y --n1 2 --max-epochs 5 --out run")
    told = "Left out because it has one value in all rows: column b."
    assert got.code == 0 and told in got.err and told not in got.out  # once
    assert told in command("show run").out
    assert told in command("show run --json").json["notices"]


def test_the_rows_of_a_fold_are_named():
    bad = {"rmse": 9.99, "baseline": {"rmse": 10.0}}
    (line,) = verdict({"train": bad, "val": bad, "test": None}, ["price"], folds=True)
    assert "the RMSE on the validation rows of its fold is 9.99" in line


def test_a_constant_that_is_near_the_mean_of_few_rows_is_no_better_than_the_mean():
    found = {"rmse": 146.8, "r2": -1e-6, "baseline": {"rmse": 150.0}}
    (told,) = verdict({"train": found, "val": found, "test": None}, ["price"])
    assert told.startswith(
        "price: no better than the mean; the RMSE on the validation rows is 146.8"
    )
    useful = {**found, "r2": 0.05}
    assert not verdict({"train": useful, "val": useful, "test": None}, ["price"])
