"""predict and evaluate for files that are written otherwise than the table of the training."""

from pathlib import Path

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.errors import DataError, UsageError

RNG = np.random.default_rng(0)
SIZES = RNG.uniform(900, 2000, 60).round(2)
HEADER = "size,town,ok,price"
ROWS = [
    f"{size},{town},{ok},{round(size * 30, 2)}"
    for size, town, ok in zip(SIZES, np.resize(["Ulm", "Bonn"], 60), np.resize([True, False], 60))
]
GERMAN = "--decimal , --thousands . --encoding latin-1 --comment '#'"


def german(number):
    """1.299,50"""
    text = f"{float(number):,.2f}"
    return text.replace(",", "_").replace(".", ",").replace("_", ".")


@pytest.fixture
def run(tmp_path, monkeypatch, command):
    """A model of a plain CSV, the file new.csv, and its five rows in a German form."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text("\n".join([HEADER, *ROWS]))
    Path("new.csv").write_text("\n".join([HEADER, *ROWS[:5]]))
    cells = [row.split(",") for row in ROWS[:5]]
    lines = [";".join([german(size), town, ok, german(p)]) for size, town, ok, p in cells]
    text = "\n".join(["# Größe", HEADER.replace(",", ";"), *lines])
    Path("german.csv").write_text(text, encoding="latin-1")
    fastnet.train(data="t.csv", target="price", n1=3, max_epochs=5, out="run")
    return "run"


def test_options_of_text_files_hold_for_one_file(run, command):
    plain = command("predict run --data new.csv").out
    told = command(f"predict run --data german.csv {GERMAN}")
    assert (told.code, told.out) == (0, plain)
    assert "is not UTF-8 text" in command("predict run --data german.csv").err
    found = command(f"evaluate run --data german.csv {GERMAN} --json").json
    same = command("evaluate run --data new.csv --json").json
    assert found["metrics"] == same["metrics"]


def test_options_of_text_files_are_arguments(run):
    told = {"decimal": ",", "thousands": ".", "encoding": "latin-1", "skip_lines": 1}
    found = fastnet.predict(run, "german.csv", **told)
    pandas.testing.assert_frame_equal(found, fastnet.predict(run, "new.csv"))
    assert fastnet.evaluate(run, "german.csv", **told)["rows"] == 5


def test_a_model_of_german_numbers_reads_plain_ones_if_told(run):
    given = {"encoding": "latin-1", "comment": "#", "n1": 2, "max_epochs": 3, "out": "german"}
    fastnet.train(data="german.csv", target="price", **given)
    found = fastnet.predict("german", "german.csv")
    told = {"decimal": ".", "comment": "none"}
    pandas.testing.assert_frame_equal(fastnet.predict("german", "new.csv", **told), found)
    with pytest.raises(DataError, match=r"must hold numbers \(decimal ',', thousands '\.'\)"):
        fastnet.predict("german", "new.csv")


@pytest.mark.parametrize(
    "given, error, message",
    [
        ({"decimal": ","}, DataError, r"'size' must hold numbers \(decimal ','\), got '"),
        ({"separator": ";"}, DataError, "new.csv has no column '(size|price)'"),
        ({"decimal": ",,"}, UsageError, "decimal must be one character, comma, point, got ',,'"),
        ({"decimal": ",", "thousands": ","}, UsageError, "decimal and thousands are both ','"),
        ({"skip_lines": -1}, UsageError, "skip_lines must be an integer >= 0"),
        ({"seperator": ";"}, UsageError, "unknown option 'seperator'; .* Did you mean 'separator'"),
    ],
)
def test_options_that_do_not_fit_the_file(run, given, error, message):
    for use in (fastnet.predict, fastnet.evaluate):
        with pytest.raises(error, match=message):
            use(run, "new.csv", **given)


def test_options_of_text_files_are_refused_for_others(run, command):
    frame = pandas.read_csv("new.csv")
    frame.to_parquet("new.parquet")
    with pytest.raises(
        UsageError, match=r"separator ';' is for text files, .* a data frame is none"
    ):
        fastnet.predict(run, frame, separator=";")
    message = (
        "Error: skip_lines 1 is for text files, such as .csv, and new.parquet is none; drop it.\n"
    )
    for line in ("predict run", "evaluate run", "train --target price"):
        got = command(f"{line} --data new.parquet --skip-lines 1")
        assert (got.code, got.out, got.err) == (2, "", message)


@pytest.mark.parametrize(
    "texts, message",
    [
        (("1", "0"), None),
        (("true", "0.0"), None),
        (("maybe", "FALSE"), "'ok' must hold true or false, got 'maybe' in line 2; write one of"),
        (("TRUE", "2"), "'ok' must hold true or false, got '2' in line 3"),
        (("", "FALSE"), "'ok' has no value in line 2; fill it in, or train the model with --imp"),
    ],
)
def test_booleans_are_a_kind_of_their_own(run, texts, message):
    assert fastnet.load(run).columns[2].kind == "boolean"
    rows = [f"1000,Ulm,{text}" for text in texts]
    Path("flags.csv").write_text("\n".join(["size,town,ok", *rows]))
    if message is not None:
        with pytest.raises(DataError, match=message):
            fastnet.predict(run, "flags.csv")
        return
    Path("same.csv").write_text("size,town,ok\n1000,Ulm,TRUE\n1000,Ulm,FALSE")
    same = fastnet.predict(run, "same.csv")
    pandas.testing.assert_frame_equal(fastnet.predict(run, "flags.csv"), same)
