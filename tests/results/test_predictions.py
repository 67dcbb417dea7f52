"""Predictions part by part: order, ids, types, rows outside, errors, pipes."""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from output import Output

import fastnet
from fastnet.data import text
from fastnet.data.chunks import table_chunks
from fastnet.data.dialect import Reading
from fastnet.errors import DataError, UsageError
from fastnet.results.predictions import Predictions

ROWS = 60


@pytest.fixture
def parts(rng, tmp_path, monkeypatch):
    """A frame of parts in parts.csv, here; ids and codes look like numbers, files are in chunks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(text, "CHUNK_ROWS", 7)
    frame = pandas.DataFrame(
        {
            "id": [f"{i:03d}" for i in range(ROWS)],
            "size": rng.uniform(1, 9, ROWS).round(2),
            "code": rng.choice(["01", "02", "W1"], ROWS),
            "note": ["NA", "", "?", " x", "1.0", "a,b"] * (ROWS // 6),
        }
    )
    frame["price"] = frame["size"] * 3 + (frame["code"] == "01")
    frame["kind"] = np.where(frame["price"] > 15, "=dear", "fair")
    frame.to_csv("parts.csv", index=False)
    return frame


def run(target="price", **given):
    """A run folder `run` on parts.csv."""
    kept = {"features": ["size", "code"], "l2": 0, "out": "run"}
    given = {"n1": 3, "max_epochs": 30, **kept, **given}
    return fastnet.train(data="parts.csv", target=target, **given)


def test_chunks_change_nothing(parts):
    model = run().model()
    whole = model.predict(parts)
    found = Predictions(model, "parts.csv")
    sizes = [len(frame) for frame in found]
    assert sizes == [7] * 8 + [4] and found.rows == ROWS
    frame = fastnet.predict("run", "parts.csv", keep=["id", "note"])
    assert list(frame) == ["id", "note", "price"]
    np.testing.assert_allclose(frame["price"], whole, rtol=1e-12)
    assert frame["id"].tolist() == parts["id"].tolist()


def test_kept_cells_are_what_the_file_has(parts):
    run()
    frame = fastnet.predict("run", "parts.csv", keep=["note", "id", "price", "size"])
    assert list(frame) == ["note", "id", "price", "size", "predicted_price"]
    # Blanks after a separator are no part of a cell.
    assert frame["note"].tolist() == [text.lstrip() for text in parts["note"]]
    assert frame["price"].tolist() == [str(value) for value in parts["price"]]
    assert frame["size"].tolist() == parts["size"].tolist()


def test_codes_of_the_model_stay_texts_in_a_file_of_numbers_alone(parts):
    model = run().model()
    some = parts[parts["code"] != "W1"]
    some.to_csv("new.csv", index=False)
    expected = model.predict(some)
    np.testing.assert_allclose(fastnet.predict("run", "new.csv")["price"], expected, rtol=1e-12)


def test_an_error_in_a_later_chunk_names_its_line(parts, command):
    run()
    parts["size"] = parts["size"].astype(object)
    parts.loc[40, "size"] = "small"
    parts.to_csv("bad.csv", index=False)
    message = "column 'size' must hold numbers, got 'small' in"
    got = command(f"predict {Path('run').absolute()} --data bad.csv")
    with pytest.raises(DataError, match=rf"^bad\.csv: {message} line 42; write a number"):
        fastnet.predict("run", "bad.csv")
    with open("bad.csv", "rb") as file, pytest.raises(DataError, match=f"{message} line 42;"):
        fastnet.predict("run", file)
    assert got.code == 3 and got.err == f"Error: bad.csv: {message} line 42; write a number.\n"
    assert command("predict run --data bad.csv -o p.csv").code == 3
    assert not list(Path().glob("p.csv*"))


@pytest.mark.parametrize(
    "content, message",
    [
        ("", r"n\.csv is empty; its first line must name the columns"),
        ("size,code\n", r"n\.csv has no rows below its column names"),
        ("size,size\n1,2\n", r"n\.csv names the column 'size' twice"),
        ("size,code\n1,01,3\n", r"n\.csv has rows with more cells than its 2 column names"),
        ("size,code\n" + "1,01\n" * 20 + '1,"01\n', r"n\.csv cannot be read: EOF inside string"),
        ("size,code\n" + "1,01\n" * 20 + "1,01,2\n", "Expected 2 fields in line 22, saw 3"),
        ("size\n1\n", r"n\.csv has no column 'code'; the model was trained on size, code"),
    ],
)
def test_broken_files_are_refused_as_in_training(parts, content, message):
    run()
    Path("n.csv").write_text(content)
    with pytest.raises(DataError, match=message):
        fastnet.predict("run", "n.csv")
    Path("n.csv").write_bytes(b"size,code\n1,\xff\n")
    with pytest.raises(DataError, match="is not UTF-8 text"):
        fastnet.predict("run", "n.csv")


def test_missing_numbers_are_filled_by_the_model_or_the_message_says_how(parts, command):
    line = "predict run --data gap.csv"
    parts["size"] = parts["size"].mask(np.arange(ROWS) == 30)
    parts.to_csv("gap.csv", index=False)
    run()
    got = command(f"{line.replace('run', str(Path('run').absolute()))}")
    assert got.code == 3 and "--impute" in got.err
    assert got.err.endswith("in line 32; fill it in, or train the model with --impute median.\n")
    result = run(impute="median", out="filled")
    filled = parts.assign(size=parts["size"].fillna(result.model().columns[0].fill))
    expected = result.model().predict(filled)
    np.testing.assert_allclose(fastnet.predict("filled", "gap.csv")["price"], expected, rtol=1e-12)


# ---------------------------------------------------------------- rows outside


def test_rows_outside_the_training_rows_are_counted(parts, command):
    run()
    new = parts.assign(size=np.where(np.arange(ROWS) % 10 == 0, 99.0, parts["size"]))
    new.loc[3, "size"] = -5.0
    new.to_csv("new.csv", index=False)
    found = Predictions("run", "new.csv")
    list(found)
    assert found.outside == {"size": 7} and found.outside_rows == 7
    told = (
        "7 of 60 rows lie outside the ranges of the training rows, so their predictions are "
        "extrapolated: size (7).\n"
    )
    assert command("predict run --data new.csv -o p.csv") == Output(
        0, "", told + "60 rows -> p.csv\n"
    )
    assert command("predict run --data new.csv --quiet -o p.csv --force") == Output(0, "", "")


@pytest.mark.parametrize("scale", ["none", "standard"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_training_rows_lie_inside(parts, scale, dtype):
    """Also where they were rounded to float32: 1.7e9 seconds are rounded by a minute."""
    parts["size"] = 1.7e9 + parts["size"] * 1000.1
    parts.to_csv("parts.csv", index=False)
    run(validation_fraction=0, scale=scale, dtype=dtype, max_epochs=1)
    found = Predictions("run", "parts.csv")
    list(found)
    assert found.outside_rows == 0


# ---------------------------------------------------------------- files and pipes


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "npz"])
def test_tables_of_every_kind(parts, ending):
    model = run(features=["size"]).model()
    if ending == "parquet":
        pytest.importorskip("pyarrow", reason="the extra [parquet]")
        parts.to_parquet("t.parquet")
    elif ending == "npz":
        np.savez("t.npz", size=parts["size"], id=parts["id"].to_numpy(str))
    else:
        parts.to_csv(f"t.{ending}", sep="\t" if ending == "tsv" else ",", index=False)
    frame = fastnet.predict("run", f"t.{ending}", keep=["id"])
    np.testing.assert_allclose(frame["price"], model.predict(parts[["size"]]), rtol=1e-12)
    assert frame["id"].tolist() == parts["id"].tolist()


def test_parquet_is_read_part_by_part(parts, monkeypatch):
    pytest.importorskip("pyarrow", reason="the extra [parquet]")
    model = run(features=["size"]).model()
    monkeypatch.setattr("fastnet.data.chunks.CHUNK_ROWS", 7)
    frame = parts.assign(number=pandas.array([None, *range(59)], "Int64"), size=parts["size"])
    frame.to_parquet("t.parquet", row_group_size=25)
    found = list(Predictions(model, "t.parquet", keep=["number"]))
    assert len(found) > 60 // 7 and max(map(len, found)) == 7
    whole = pandas.concat(found, ignore_index=True)
    np.testing.assert_allclose(whole["price"], model.predict(parts[["size"]]), rtol=1e-12)
    assert whole["number"].dtype == "Int64" and whole["number"][59] == 58
    frame.assign(size=frame["size"].mask(frame.index == 40)).to_parquet("t.parquet")
    with pytest.raises(DataError, match=r"'size' has no value in row 40 \(counted from 0\)"):
        fastnet.predict(model, "t.parquet")
    frame[:0].to_parquet("t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet has no rows"):
        fastnet.predict(model, "t.parquet")
    Path("t.parquet").write_bytes(Path("t.parquet").read_bytes()[:200])
    with pytest.raises(DataError, match=r"t\.parquet cannot be read: "):
        fastnet.predict(model, "t.parquet")


@pytest.mark.parametrize("form", ["csv", "json-lines"])
def test_a_pipe_is_read_once_and_written_as_it_goes(parts, form):
    run("kind")
    line = [sys.executable, "-m", "fastnet", "predict", "run", "--data", "-", "--keep", "id"]
    with open("parts.csv", "rb") as file:
        pipe = subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE)
        done = subprocess.run(
            [*line, "--format", form, "--proba"], stdin=pipe.stdout, capture_output=True, text=True
        )
    pipe.stdout.close()
    assert pipe.wait() == 0
    assert (done.returncode, done.stderr) == (0, "60 rows -> standard output\n")
    if form == "csv":
        frame = pandas.read_csv(io.StringIO(done.stdout), dtype={"id": "str"})
    else:
        frame = pandas.DataFrame([json.loads(text) for text in done.stdout.splitlines()])
    expected = fastnet.predict("run", "parts.csv", proba=True, keep=["id"])
    assert frame.to_dict("list") == expected.to_dict("list")


def test_standard_input_may_be_longer_than_its_head(parts, monkeypatch):
    model = run().model()
    monkeypatch.setattr("fastnet.data.chunks.HEAD_BYTES", 50)
    text = io.TextIOWrapper(io.BytesIO(Path("parts.csv").read_bytes()))
    monkeypatch.setattr("sys.stdin", text)
    found = pandas.concat(list(Predictions(model, "-", keep=["id"])), ignore_index=True)
    assert found["id"].tolist() == parts["id"].tolist()
    np.testing.assert_allclose(found["price"], model.predict(parts), rtol=1e-12)


def test_rows_of_standard_input_are_counted_in_errors(parts, monkeypatch):
    model = run().model()
    text = io.TextIOWrapper(io.BytesIO(b"size,code\n" + b"1,01\n" * 20 + b"1,03\n"))
    monkeypatch.setattr("sys.stdin", text)
    message = r"standard input: column 'code' has the unknown category '03' in row 20 \(counted"
    with pytest.raises(DataError, match=message):
        list(Predictions(model, "-"))


def test_only_some_rows_are_in_memory(parts):
    """The first Table comes before the rest of the file is read."""

    class Counting(io.BytesIO):
        name, taken = "long.csv", 0

        def read(self, size=-1):
            content = super().read(size)
            Counting.taken += len(content)
            return content

    file = Counting(b"size,code\n" + b"1.25,01\n" * 400_000)
    first = next(table_chunks(file, Reading(texts=frozenset({"code"}))))
    assert first.rows == 7 and Counting.taken < 1_000_000


def test_a_reader_that_ends_early_is_no_error(parts):
    run()
    long = pandas.concat([parts] * 400, ignore_index=True)
    long.to_csv("long.csv", index=False)
    line = f"{sys.executable} -m fastnet predict run --data long.csv | head -2; "
    done = subprocess.run(
        ["bash", "-c", line + "exit ${PIPESTATUS[0]}"], capture_output=True, text=True
    )
    assert done.returncode == 141 and done.stderr == ""
    assert done.stdout.startswith("price\n")


def test_safe_csv_quotes_labels_and_kept_texts(parts, command):
    run("kind")
    got = command("predict run --data parts.csv --safe-csv --keep note")
    assert "'=dear\n" in got.out and "\n=dear" not in got.out and ",=dear" not in got.out


@pytest.mark.parametrize(
    "line, code, message",
    [
        ("--keep idd", 3, "keep: parts.csv has no column 'idd'; it has id, size, code, note,"),
        ("--keep id,id", 2, "keep: the result would have two columns 'id'; leave one out."),
        ("--keep id,", 2, "--keep must be column names, COL,COL, got 'id,'."),
        ("--format csv -o p.csv", 2, "--format is for standard output; -o p.csv has its format"),
        ("--safe-csv -o p.jsonl", 2, "--safe-csv is for CSV and TSV, not for json-lines."),
    ],
)
def test_bad_lines(parts, command, line, code, message):
    run()
    got = command(f"predict run --data parts.csv {line}")
    assert got.code == code and got.err.startswith(f"Error: {message}") and got.out == ""
    assert not list(Path().glob("p.*"))


def test_a_name_with_a_comma_is_kept_in_quotes(parts, command):
    run()
    parts.rename(columns={"note": "note, long"}).to_csv("new.csv", index=False)
    out = command("""predict run --data new.csv --keep '"note, long",id'""").out
    assert list(pandas.read_csv(io.StringIO(out))) == ["note, long", "id", "price"]


def test_a_name_with_a_comma_is_kept_as_it_is_written(parts, command):
    run()
    names = {"note": "note, long", "id": "id, in all"}
    parts.rename(columns=names).to_csv("new.csv", index=False)
    out = command("predict run --data new.csv --keep 'note, long,id, in all'").out
    frame = pandas.read_csv(io.StringIO(out), dtype=str)
    assert list(frame) == ["note, long", "id, in all", "price"]
    assert frame["id, in all"].tolist() == parts["id"].tolist()
    got = command("predict run --data new.csv --keep 'note, short'")
    assert got.code == 3 and "it has 'id, in all'" in got.err


def test_a_frame_can_be_kept_from_as_well(parts):
    model = run().model()
    frame = fastnet.predict(model, parts, keep=["id", "price"])
    assert list(frame) == ["id", "price", "predicted_price"]
    assert list(fastnet.predict(model, parts, keep="id")) == ["id", "price"]
    with pytest.raises(UsageError, match="two columns 'predicted_price'"):
        fastnet.predict(model, parts, keep=["price", "predicted_price"])
