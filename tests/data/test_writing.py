"""Frames written as CSV, TSV, JSON lines and Parquet."""

import io
import json

import numpy as np
import pandas
import pytest

from fastnet.data.writing import Output, checked_output, write_frames
from fastnet.errors import FastnetError, UsageError

ODD = ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\tx", "\rx", "plain", "a=b", "", None, "'x"]


def written(frame, **options):
    """What write_frames() prints."""
    stream = io.StringIO()
    assert write_frames([frame], checked_output(None, **options), stream) == len(frame)
    return stream.getvalue()


def test_texts_are_written_as_they_are():
    frame = pandas.DataFrame({"=name": ODD, "n": np.arange(len(ODD)) - 3.5})
    again = pandas.read_csv(io.StringIO(written(frame, form="csv"), newline=""))
    assert again["=name"].fillna("").tolist() == [text or "" for text in ODD]
    assert again["n"].tolist() == frame["n"].tolist()


def test_safe_csv_quotes_what_a_spreadsheet_takes_for_a_formula():
    frame = pandas.DataFrame({"=name": ODD, "n": np.arange(len(ODD)) - 3.5})
    again = pandas.read_csv(io.StringIO(written(frame, safe=True), newline=""))
    expected = ["'" + text for text in ODD[:6]] + ["plain", "a=b", "", "", "'x"]
    assert again["'=name"].fillna("").tolist() == expected
    assert again["n"].tolist() == frame["n"].tolist()  # numbers, negative ones too, are no texts


@pytest.mark.parametrize("dtype", ["category", "string", object])
def test_safe_csv_knows_texts_of_every_dtype(dtype):
    frame = pandas.DataFrame({"t": pandas.Series(["=1", "b"], dtype=dtype)})
    assert written(frame, safe=True) == "t\n'=1\nb\n"


def test_json_lines_are_exact_and_null_where_json_has_no_word():
    frame = pandas.DataFrame(
        {
            "x": [0.1 + 0.2, np.nan, np.inf],
            "n": pandas.array([1, None, 2**60], "Int64"),
            "t": ["a\n", None, "ü"],
            "b": [True, False, True],
        }
    )
    lines = written(frame, form="json-lines").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"x": 0.1 + 0.2, "n": 1, "t": "a\n", "b": True},
        {"x": None, "n": None, "t": None, "b": False},
        {"x": None, "n": 2**60, "t": "ü", "b": True},
    ]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet"])
def test_frames_become_one_table(tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="the extra [parquet]")
    frame = pandas.DataFrame({"x": [0.5, 1.5, 2.5], "t": ["ü", "b,\tc", "d"]})
    path = str(tmp_path / name)
    assert write_frames(iter([frame[:2], frame[2:]]), checked_output(path)) == 3
    readers = {
        "csv": pandas.read_csv,
        "tsv": lambda p: pandas.read_csv(p, sep="\t"),
        "jsonl": lambda p: pandas.read_json(p, lines=True),
        "parquet": pandas.read_parquet,
    }
    again = readers[name.split(".")[1]](path)
    assert again.to_dict("list") == frame.to_dict("list")


def test_an_error_between_two_frames_leaves_no_file(tmp_path):
    def frames():
        yield pandas.DataFrame({"x": [1]})
        raise ValueError("row 2")

    with pytest.raises(ValueError, match="row 2"):
        write_frames(frames(), checked_output(str(tmp_path / "a.csv")))
    assert list(tmp_path.iterdir()) == []


def test_what_contradicts_is_refused(tmp_path):
    (tmp_path / "a.csv").touch()
    for arguments, error, message in (
        (
            ("a.txt",),
            UsageError,
            r"^-o: the name must end in \.csv, \.tsv, \.jsonl, \.parquet, got",
        ),
        (("a.csv", "csv"), UsageError, "^--format is for standard output; -o a.csv has its format"),
        ((str(tmp_path / "a.csv"),), FastnetError, r"^-o: .*a\.csv exists; name another file"),
        ((None, "json-lines", False, True), UsageError, "^--safe-csv is for CSV and TSV, not for"),
        (("a.parquet", None, False, True), UsageError, "^--safe-csv is for CSV and TSV, not for p"),
    ):
        with pytest.raises(error, match=message):
            checked_output(*arguments)


def test_parquet_files_are_written_part_by_part(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra [parquet]")
    whole = pandas.DataFrame({"id": [1, 2], "label": ["a", "b"], "y": [1.5, 2.5]})
    other = pandas.DataFrame({"id": [3.5, np.nan], "label": ["c", None], "y": [1.5, 2.5]})
    path = str(tmp_path / "a.parquet")
    assert write_frames(iter([whole, whole]), Output(path, "parquet")) == 4
    found = pandas.read_parquet(path)
    pandas.testing.assert_frame_equal(found, pandas.concat([whole, whole], ignore_index=True))
    write_frames(iter([whole, other]), Output(path, "parquet"))
    found = pandas.read_parquet(path)
    assert found["id"].tolist()[:3] == [1.0, 2.0, 3.5] and found["id"].isna().sum() == 1
    assert found["label"].tolist()[:3] == ["a", "b", "c"]
