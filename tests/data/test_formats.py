"""Tables in the formats that pandas writes come back as the same columns."""

import datetime
import io
import sys

import numpy as np
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastnet.data import tables
from fastnet.data.columns import describe_inputs
from fastnet.data.dialect import Dialect, Reading, is_number, plain_name
from fastnet.data.levels import ColumnRules
from fastnet.errors import DataError, UsageError

FRAME = pandas.DataFrame({"size": [10.5, 20, 30], "code": ["01", "2", "x"], "price": [1, 2, 3]})
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1, max_size=8)
COLUMNS = {
    "numbers": st.floats(-1e9, 1e9, width=32),
    "whole": st.integers(-(2**62), 2**62),
    "booleans": st.booleans(),
    "texts": st.sampled_from(["red", "Ulm", "a,b", 'a "b"', "x;y", "\u00fc", "3+", "k-9"]),
}


@st.composite
def frames(draw):
    """Data frames of numbers, booleans and texts, with any names that differ."""
    names = draw(st.lists(NAMES.map(str.strip).filter(bool), min_size=2, max_size=5, unique=True))
    names = [name for name in names if not is_number(name)] or ["a"]
    kinds = [draw(st.sampled_from(list(COLUMNS))) for _ in names]
    rows = draw(st.integers(2, 12))
    columns = [draw(st.lists(COLUMNS[k], min_size=rows, max_size=rows)) for k in kinds]
    return pandas.DataFrame(dict(zip(names, columns, strict=True)))


@settings(max_examples=60, deadline=None)
@given(frames(), st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-16"]))
def test_a_frame_that_pandas_writes_is_the_same_table(frame, separator, encoding):
    file = io.BytesIO()
    frame.to_csv(file, sep=separator, index=False, encoding=encoding)
    told = Reading()._replace(dialect=Reading().dialect._replace(separator=separator))
    table = tables.read_table(file, "t.csv", told)
    assert [plain_name(str(name)) for name in frame] == list(table.columns)
    for (name, values), found in zip(frame.items(), table.columns.values(), strict=True):
        if values.dtype.kind in "fiu":
            np.testing.assert_allclose(found, values.to_numpy(), rtol=1e-15, err_msg=name)
        else:
            assert list(found) == list(values)


@pytest.mark.filterwarnings("default")  # of odfpy, while it writes
@pytest.mark.parametrize(
    "ending, module, write",
    [
        ("feather", "pyarrow", "to_feather"),
        ("parquet", "pyarrow", "to_parquet"),
        ("xlsx", "openpyxl", "to_excel"),
        ("ods", "odf", "to_excel"),
        ("jsonl", "json", "to_json"),
    ],
)
def test_formats_of_other_libraries(tmp_path, ending, module, write):
    pytest.importorskip(module, reason="an extra")
    path = tmp_path / f"t.{ending}"
    more = {"to_excel": {"index": False}, "to_json": {"orient": "records", "lines": True}}
    getattr(FRAME, write)(str(path), **more.get(write, {}))
    table = tables.read_table(path)
    assert table.frame.to_dict("list") == FRAME.to_dict("list")
    path.write_bytes(b"no such thing")
    with pytest.raises(DataError, match=rf"t\.{ending} cannot be read: "):
        tables.read_table(path)


@pytest.mark.parametrize(
    "ending, reason, extra",
    [
        ("xlsx", "Excel files need openpyxl", "excel"),
        ("xls", "Old Excel files need xlrd", "excel"),
        ("ods", "OpenDocument files need odfpy", "excel"),
        ("feather", "Feather files need pyarrow", "parquet"),
        ("arff", "ARFF files need liac-arff", "arff"),
    ],
)
def test_a_missing_library_names_its_extra(monkeypatch, ending, reason, extra):
    def refuse(*_, **__):
        raise ImportError("no such module")

    for verb in ("read_excel", "read_feather"):
        monkeypatch.setattr(pandas, verb, refuse)
    monkeypatch.setitem(sys.modules, "arff", None)
    message = rf"t\.{ending}: {reason}; install it with: .*\[{extra}\]'$"
    with pytest.raises(DataError, match=message):
        tables.read_table(io.BytesIO(b""), f"t.{ending}")


ARFF = """% three rows
@RELATION shop
@ATTRIBUTE size NUMERIC
@attribute 'net weight' real
@ATTRIBUTE code {1, 01, 'a b'}
@ATTRIBUTE note STRING
@DATA
1.5, ?, 01, "x, y"
2,4.5,'a b',z
3,1,?,'gr\u00f6\u00dfe'
"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_attributes_of_arff_keep_names_and_types(encoding, end):
    pytest.importorskip("arff", reason="an extra")
    table = tables.read_table(io.BytesIO(ARFF.replace("\n", end).encode(encoding)), "t.arff")
    assert list(table.columns) == ["size", "net weight", "code", "note"]
    assert table.columns["size"].tolist() == [1.5, 2, 3]
    assert np.array_equal(table.columns["net weight"], [np.nan, 4.5, 1], equal_nan=True)
    assert table.frame["code"].isna().tolist() == [False, False, True]
    assert table.frame["note"].tolist() == ["x, y", "z", "gr\u00f6\u00dfe"]
    found, _ = describe_inputs(table, ["code", "note"], ColumnRules(impute="median"))
    assert found[0].categories == ("01", "a b", "missing")


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("STRING", "DATE", r"t\.arff cannot be read: Bad @ATTRIBUTE type, at line 6; .* as CSV\."),
        ("?, 01", "?, 2", r"t\.arff cannot be read: Data value 2 not found .*, at line 8\.$"),
        ("1.5", "wide", r"t\.arff cannot be read: Invalid numerical value, at line 8\.$"),
        ("size", "code", r"t\.arff cannot be read: Bad @ATTRIBUTE name code at line 5"),
        (ARFF[ARFF.index("1.5") :], "", r"t\.arff has no rows below its column names"),
        (ARFF, "size,code", r"t\.arff cannot be read: Invalid layout of the ARFF file"),
        ("three", "\u2026", r"t\.arff is not ASCII text .*; use --encoding"),
    ],
)
def test_what_is_wrong_in_an_arff_file(old, new, message):
    pytest.importorskip("arff", reason="an extra")
    ascii_only = Reading(Dialect(encoding="ascii" if new == "\u2026" else "auto"))
    with pytest.raises(DataError, match=message):
        tables.read_table(io.BytesIO(ARFF.replace(old, new).encode()), "t.arff", ascii_only)


def test_an_unknown_encoding_of_an_arff_file():
    pytest.importorskip("arff", reason="an extra")
    with pytest.raises(UsageError, match="encoding 'klingon' is unknown; utf-8, latin-1 or utf-16"):
        tables.read_table(io.BytesIO(ARFF.encode()), "t.arff", Reading(Dialect(encoding="klingon")))


def test_dates_of_spreadsheets_are_refused_where_they_are_used():
    frame = FRAME.assign(day=[datetime.datetime(2020, 1, i) for i in (1, 2, 3)])
    table = tables.table_of_frame(frame, "t.xlsx")
    with pytest.raises(DataError, match="column 'day' holds dates such as 2020-01-01"):
        describe_inputs(table, ["day"])
    assert describe_inputs(table, ["code"], ColumnRules())[0][0].categories == ("01", "2", "x")
