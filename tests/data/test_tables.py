"""Tables: what is read from a file, what becomes of its columns, and how both are refused."""

import io
import re
import zipfile

import numpy as np
import pandas
import pytest

from fastnet.data import columns, tables
from fastnet.data import text as text_files
from fastnet.data.joining import join_files, samples_of
from fastnet.data.samples import make_data
from fastnet.data.schema import Column
from fastnet.errors import DataError, UsageError
from fastnet.options.defaults import resolve

GOOD = "size,town,price\n10,Ulm,1.5\n20,Bonn,2.5\n30,Ulm,4.5\n"


def text(content, name="t.csv"):
    """The Table in a text."""
    return tables.read_table(
        io.BytesIO(content.encode() if isinstance(content, str) else content), name
    )


@pytest.fixture
def load(tmp_path):
    """samples_of() of the text of a file t.csv with the options given."""

    def run(content, **given):
        path = tmp_path / "t.csv"
        path.write_text(content)
        given = {"target": ("y",), **given}
        return samples_of(join_files(resolve({"data": str(path), **given}, "train")))[0]

    return run


# ---------------------------------------------------------------- reading

CLASSES = {"loss": "cross_entropy"}
SAME = {"size": [10, 20, 30], "town": ["Ulm", "Bonn", "Ulm"], "price": [1.5, 2.5, 4.5]}


@pytest.mark.parametrize(
    "content, name",
    [
        (GOOD, "t.csv"),
        (GOOD.replace(",", ";"), "t.csv"),
        (GOOD.replace(",", "\t"), "T.TSV"),
        (GOOD.replace(",", ", "), "t.csv"),
        (GOOD.replace("\n", "\r\n"), "t.csv"),
        ("\n" + GOOD.replace("\n", "\n\n"), "t.csv"),
        (GOOD.replace("Ulm", '"Ulm"'), "t.csv"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "t.csv"),
    ],
)
def test_texts_that_are_the_same_table(content, name):
    assert text(content, name).frame.to_dict("list") == SAME


def test_standard_input_is_a_csv(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    table = tables.read_table("-")
    assert table.frame.to_dict("list") == SAME and table.name == "standard input"


def test_numpy_files_are_tables(tmp_path):
    X = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(tmp_path / "t.npz", X=X, y=np.array(["a", "b", "a"]), n_train=2, X_test=X[:1])
    assert tables.read_table(tmp_path / "t.npz").frame.to_dict("list") == {
        "x0": [0, 2, 4],
        "x1": [1, 3, 5],
        "y": ["a", "b", "a"],
    }
    notices = tables.read_table(tmp_path / "t.npz").notices
    assert notices == (
        f"Left out of {tmp_path}/t.npz because they do not have its 3 rows: n_train, X_test.",
    )
    np.savez(tmp_path / "u.npz", weather=X, rain=np.arange(3))
    assert list(tables.read_table(tmp_path / "u.npz").frame) == ["weather0", "weather1", "rain"]
    np.save(tmp_path / "t.npy", X)
    frame = tables.read_table(tmp_path / "t.npy").frame
    assert list(frame) == ["x0", "x1"] and frame["x1"].dtype == np.float32
    fields = np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])
    np.save(tmp_path / "t.npy", fields)
    assert tables.read_table(tmp_path / "t.npy").frame.to_dict("list") == {"a": [1], "b": [2.5]}


def test_parquet_files_are_tables(tmp_path):
    pytest.importorskip("pyarrow", reason="the extra [parquet]")
    pandas.DataFrame(SAME).to_parquet(tmp_path / "t.parquet")
    assert tables.read_table(tmp_path / "t.parquet").frame.to_dict("list") == SAME
    (tmp_path / "t.parquet").write_bytes(b"no parquet at all")
    with pytest.raises(DataError, match=r"^.*t\.parquet cannot be read: .*[Pp]arquet"):
        tables.read_table(tmp_path / "t.parquet")


def test_parquet_without_pyarrow_names_the_extra(monkeypatch):
    def refuse(*_, **__):
        raise ImportError("Unable to find a usable engine")

    monkeypatch.setattr(pandas, "read_parquet", refuse)
    message = r"t\.parquet: Parquet files need pyarrow; install it with: .*\[parquet\]'$"
    with pytest.raises(DataError, match=message):
        tables.read_table(io.BytesIO(b""), "t.parquet")


def test_chunks_of_a_text_are_joined(monkeypatch):
    whole = "a,b,c\n" + "".join(f"{i},{i}.5,{'word' if i == 7 else i}\n" for i in range(10))
    expected = text(whole).frame
    monkeypatch.setattr(text_files, "CHUNK_ROWS", 3)
    frame = text(whole).frame
    pandas.testing.assert_frame_equal(frame, expected)
    assert frame["c"].tolist() == [*"0123456", "word", "8", "9"]  # all of it texts
    assert len(text(whole.replace("word", "8")).frame) == 10


def test_thousands_of_columns_are_read_encoded_and_scaled(tmp_path):
    """Any step that is quadratic in the columns would take hours."""
    names = [f"gene {j}" for j in range(12_000)]
    rows = np.random.default_rng(0).normal(size=(4, 12_000)).round(2)
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    made = text("\n".join([",".join(names), *lines]))
    assert made.frame.to_numpy().tolist() == rows.tolist()
    path = tmp_path / "genes.csv"
    path.write_text("\n".join([",".join([*names, "y"]), *(f"{line},{line[:3]}" for line in lines)]))
    options = resolve({"data": path, "target": "y", "scale": "minmax"}, "train")
    data = make_data(**samples_of(join_files(options))[0], scale="minmax")
    assert data.X.shape == (4, 12_000)
    assert data.X.min() == pytest.approx(-1) and data.X.max() == pytest.approx(1)


def test_a_column_keeps_its_meaning_over_chunks(monkeypatch):
    monkeypatch.setattr(text_files, "CHUNK_ROWS", 2)
    frame = text(
        "flag,gap,large,late,mixed\nTRUE,TRUE,1,,TRUE\nFALSE,,2,,FALSE\n"
        "TRUE,FALSE,18446744073709551615,,1\nFALSE,TRUE,3,x,0\nTRUE,,4,y,1\n"
    ).frame
    assert frame["flag"].tolist() == [True, False, True, False, True]
    assert frame["gap"].dropna().tolist() == [True, False, True]
    assert frame["large"].tolist() == [1, 2, 18446744073709551615, 3, 4]
    assert frame["late"].dropna().tolist() == ["x", "y"]
    assert frame["mixed"].tolist() == ["TRUE", "FALSE", "1", "0", "1"]


@pytest.mark.parametrize(
    "content, names",
    [
        ('"size\n(m)",y\n1,2\n', ["size\n(m)", "y"]),
        ('a,"size\r\nin m",y\n1,2,3\n', ["a", "size\r\nin m", "y"]),
        ('"size;\n(m)";y\n1;2\n', ["size;\n(m)", "y"]),
    ],
)
def test_a_quoted_name_may_span_lines(content, names):
    assert list(text(content).columns) == names


def test_cells_of_any_length(load):
    long = "x" * 200_000
    table = text(f"a,b\n1,{long}\n,u\n")
    assert table.places(columns.is_missing(table.columns["a"])) == "line 3"
    assert list(text(f"a,{long}\n1,2\n").columns) == ["a", long]


@pytest.mark.parametrize(
    "array, kind",
    [
        (np.zeros((2, 2), "V8"), "values of the kind bytes"),
        (np.zeros((2, 2), "M8[s]"), "dates such as 1970-01-01"),
        (np.zeros((2, 2), "m8[s]"), "dates such as 0 days"),
        (np.zeros((2, 2), complex), "values of the kind complex"),
        (np.zeros((2, 2), [("a", "i4")]), "values of the kind mixed"),
    ],
)
def test_arrays_of_other_types_are_refused_where_they_are_used(tmp_path, array, kind):
    np.save(tmp_path / "t.npy", array)
    np.savez(tmp_path / "t.npz", odd=array, y=[1, 2])
    for name, column in {"t.npy": "x0", "t.npz": "odd0"}.items():
        table = tables.read_table(tmp_path / name)
        with pytest.raises(DataError, match=rf"{name}: column '{column}' holds {kind}"):
            columns.describe_inputs(table, [column])
    assert columns.describe_inputs(tables.read_table(tmp_path / "t.npz"), ["y"])[0]


def test_texts_in_arrays_are_columns(tmp_path):
    np.save(tmp_path / "t.npy", np.array([[b"a", b"1"], [b"b\xff", b"2"]]))
    frame = tables.read_table(tmp_path / "t.npy").frame
    assert frame.to_dict("list") == {"x0": ["a", "b\\xff"], "x1": ["1", "2"]}
    np.save(tmp_path / "t.npy", np.zeros(2, [("a", "i4", (2,)), ("b", "f8")]))
    assert list(tables.read_table(tmp_path / "t.npy").columns) == ["a0", "a1", "b"]
    np.save(tmp_path / "t.npy", np.zeros(2, [("a", "i4", (2, 2))]))
    with pytest.raises(DataError, match="array 'a' has 3 dimensions; one column has one"):
        tables.read_table(tmp_path / "t.npy")


def test_files_in_an_npz_that_are_no_arrays_are_left_out(tmp_path):
    np.savez(tmp_path / "t.npz", X=np.zeros((2, 1)), y=[1, 2])
    with zipfile.ZipFile(tmp_path / "t.npz", "a") as archive:
        archive.writestr("readme.txt", "two rows")
    table = tables.read_table(tmp_path / "t.npz")
    assert list(table.columns) == ["x0", "y"] and "2 rows: readme.txt." in table.notices[0]


# ---------------------------------------------------------------- columns


def test_a_table_becomes_inputs_and_targets(load):
    made = load("size,town,old,y\n1,Ulm,True,1.5\n2,Bonn,False,2.5\n4,Ulm,True,3.5\n")
    assert made["columns"] == (
        Column("size", "number"),
        Column("town", "category", ("Bonn", "Ulm")),
        Column("old", "boolean"),
    )
    assert made["X"].tolist() == [[1, 0, 1, 1], [2, 1, 0, 0], [4, 0, 1, 1]]
    assert made["y"].tolist() == [1.5, 2.5, 3.5] and made["loss"] == "squared"
    assert made["sample_weight"] is None and made["split"] == {} and made["notices"] == ()


@pytest.mark.parametrize("first", [None, 1])
def test_a_nullable_column_that_begins_without_a_value_is_an_input(first):
    frame = pandas.DataFrame(
        {
            "whole": pandas.array([first, 1, 1], "Int64"),
            "text": pandas.array([None, "a", "a"], "string"),
            "flag": pandas.array([None, True, True], "boolean"),
            "float": pandas.array([None, 0.5, 0.5], "Float64"),
        }
    )
    found, notices = columns.describe_inputs(tables.table_of_frame(frame, "X"), list(frame))
    constant = ["whole"] if first else []
    assert [c.name for c in found] == [n for n in frame if n not in constant]
    assert len(notices) == len(constant)


@pytest.mark.parametrize(
    "labels",
    [
        [12345678901234567, 12345678901234568, 5],
        [2**63 + 1, 2**63 + 3, 5],
        [-(2**53) - 1, 2**53 + 1, 2**53],
    ],
)
def test_whole_labels_are_exact(load, labels):
    made = load("x,y\n" + "".join(f"{i},{label}\n" for i, label in enumerate(labels)), **CLASSES)
    assert made["y"].tolist() == labels


@pytest.mark.parametrize("label", ["1e20", "9007199254740994.0", "-1e300"])
def test_labels_that_floats_cannot_tell_apart_are_refused(load, label):
    content = f"x,y\n1,5\n2,{label}\n3,7\n"
    with pytest.raises(
        DataError, match=r"'y' has the label .*above 2\*\*53.* in line 3; write int"
    ):
        load(content, **CLASSES)


@pytest.mark.parametrize(
    "y, loss, expected, resolved",
    [
        (["a", "b", "a"], None, ["a", "b", "a"], "cross_entropy"),
        (["True", "False", "True"], None, [True, False, True], "cross_entropy"),
        (["1", "2", "1"], "cross_entropy", [1, 2, 1], "cross_entropy"),
        (["1.0", "2.0", "1.0"], "cross_entropy", [1, 2, 1], "cross_entropy"),
        (["1", "2", "1"], "squared", [1, 2, 1], "squared"),
        (["True", "False", "True"], "squared", [1, 0, 1], "squared"),
        (["1.5", "2", "1"], None, [1.5, 2, 1], "squared"),
    ],
)
def test_the_loss_follows_from_the_target(load, y, loss, expected, resolved):
    content = "x,y\n" + "".join(f"{i},{label}\n" for i, label in enumerate(y))
    made = load(content, loss=loss)
    assert made["y"].tolist() == expected and made["loss"] == resolved


def test_many_whole_numbers_are_measurements(load):
    content = "x,y\n" + "".join(f"{i % 7},{i}\n" for i in range(columns.FEW_INTEGERS + 1))
    assert load(content)["loss"] == "squared"
    with pytest.raises(UsageError, match="holds 20 different whole numbers"):
        load(content[: content.rindex("\n", 0, -1) + 1])


def test_constant_columns_are_left_out_with_a_notice(load):
    made = load("a,b,c,y\n1,5,u,0.5\n2,5,u,1.5\n")
    assert made["X"].tolist() == [[1], [2]]
    assert made["notices"] == ("Left out because they have one value in all rows: columns b, c.",)


def test_categories_that_look_like_numbers_stay_categories(load):
    made = load("children,y\n0,0.5\n1,1.5\n2,2.5\n3+,3.5\n")
    assert made["columns"][0].categories == ("0", "1", "2", "3+")


def test_a_split_column_and_weights(load):
    content = "x,w,part,y\n1,1,train,a\n2,0,Validation,b\n3,2.5,test,a\n4,1,val,a\n5,1,train,b\n"
    made = load(content, weights="w", split_column="part")
    assert {name: rows.tolist() for name, rows in made["split"].items()} == {
        "val": [1, 3],
        "test": [2],
    }
    assert made["sample_weight"].tolist() == [1, 0, 2.5, 1, 1]
    assert made["X"].tolist() == [[1], [2], [3], [4], [5]]


def test_sets_from_files_of_their_own(load, tmp_path):
    (tmp_path / "val.csv").write_text("y,town,x\n9.5,Bonn,8\n7.5,Ulm,6\n")
    np.savez(tmp_path / "test.npz", x=[3.0], town=np.array(["Bonn"]), y=[2.0], other=[1])
    made = load(
        "x,town,y\n1,Ulm,1.5\n2,Bonn,2.5\n",
        validation_data=tmp_path / "val.csv",
        test_data=tmp_path / "test.npz",
    )
    assert made["X"].tolist() == [[1, 0, 1], [2, 1, 0], [8, 1, 0], [6, 0, 1], [3, 1, 0]]
    assert made["y"].tolist() == [1.5, 2.5, 9.5, 7.5, 2.0]
    assert {name: rows.tolist() for name, rows in made["split"].items()} == {
        "val": [2, 3],
        "test": [4],
    }


def test_inputs_are_single_only_where_nothing_is_lost(tmp_path):
    def dtype(X, **given):
        np.savez(tmp_path / "t.npz", X=X, y=np.linspace(0, 1, 3))
        options = resolve({"data": tmp_path / "t.npz", "target": "y", **given}, "train")
        return samples_of(join_files(options))[0]["X"].dtype

    X = np.arange(6).reshape(3, 2)
    for small in ("f4", "f2", "u1", "i2"):
        assert dtype(X.astype(small)) == np.float32
    for large in ("f8", "i4", "i8"):
        assert dtype(X.astype(large)) == np.float64
    assert dtype(X.astype("f8"), scale="none") == np.float32  # kernels round it, anyway
    assert dtype(X.astype("f8"), scale="none", dtype="float64") == np.float64


def test_types_of_a_frame():
    frame = pandas.DataFrame(
        {
            "whole": pandas.array([1, None, 3], "Int64"),
            "yes": pandas.array([True, None, False], "boolean"),
            "mixed": [True, None, False],
            "kind": pandas.Categorical(["b", "a", "b"]),
        }
    )
    table = tables.table_of_frame(frame, "X")
    found, _ = columns.describe_inputs(table, list(frame))
    assert [c.kind for c in found] == ["number", "boolean", "boolean", "category"]
    out = np.empty((3, 5))
    columns.encode_inputs(table, found, out, impute="median")
    np.testing.assert_array_equal(
        out, [[1, 1, 1, 0, 1], [np.nan, np.nan, np.nan, 1, 0], [3, 0, 0, 0, 1]]
    )
    for name, values in {
        "date": pandas.to_datetime(["2020-01-01", "2021-01-01"]),
        "day": [pandas.Timestamp("2020-01-01").date()] * 2,
        "list": [[1], [2]],
        "complex": [1j, 2],
    }.items():
        kind = "dates such as 2020" if name in ("date", "day") else "values of the kind "
        with pytest.raises(DataError, match=f"^X: column '{name}' holds {kind}"):
            odd = tables.table_of_frame(pandas.DataFrame({name: values}), "X")
            columns.describe_inputs(odd, [name])


# ---------------------------------------------------------------- line numbers


@pytest.mark.parametrize(
    "content, where",
    [
        ("a,b\n1,2\n,3\n", "line 3"),
        ("a,b\r\n1,2\r\n\r\n,3\r\n", "line 4"),
        ("\n\na,b\n1,2\n  \n,3\n4,4\n,5\n", "lines 6, 8"),
        ('a,b\n1,"x\ny\nz"\n,"u"\n', "line 5"),
        ('a;b\n1;"x;\ny"\n;"u"\n', "line 4"),
        ("a,b\n" + ",1\n" * 9 + "1,2\n", "lines 2, 3, 4, 5, 6, ... (9 in all)"),
    ],
)
def test_places_are_lines_of_the_file(content, where):
    table = text(content)
    assert table.places(table.frame["a"].isna().to_numpy()) == where


def test_places_of_a_frame_are_rows():
    table = tables.table_of_frame(pandas.DataFrame({"a": [1, None]}), "X")
    assert table.places(np.array([True, False])) == "row 0 (counted from 0)"


# ---------------------------------------------------------------- encoding later data


@pytest.fixture
def model_columns():
    return (Column("size", "number"), Column("town", "category", ("Bonn", "Ulm")))


def test_encode_takes_columns_by_name(model_columns):
    out = np.empty((2, 3))
    columns.encode_inputs(text("town,more,size\nUlm,x,3\nBonn,y,4\n"), model_columns, out)
    assert out.tolist() == [[3, 0, 1], [4, 1, 0]]


@pytest.mark.parametrize(
    "content, message",
    [
        ("size\n3\n", "t.csv has no column 'town'; the model was trained on size, town."),
        (
            "size,town\n3,Kiel\n",
            "t.csv: column 'town' has the unknown category 'Kiel' in line 2; known: Bonn, Ulm; "
            "--unknown other in training allows others.",
        ),
        (
            "size,town\n3,Ulm\nbig,Ulm\n",
            "t.csv: column 'size' must hold numbers, got 'big' in line 3; write a number.",
        ),
        (
            "size,town\n2020-01-01,Ulm\n",
            "t.csv: column 'size' must hold numbers, got '2020-01-01' in line 2; write a number.",
        ),
        (
            "size,town\n1,Ulm\n,Ulm\n",
            "t.csv: column 'size' has no value in line 3; fill it in or use --impute median.",
        ),
        (
            "size,town\n1,Ulm\n2,\n",
            "t.csv: column 'town' has no value in line 3; write a text there, such as unknown, "
            "or train with --impute median.",
        ),
    ],
)
def test_encode_refuses(model_columns, content, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        columns.encode_inputs(text(content), model_columns, np.empty((content.count("\n") - 1, 3)))


@pytest.mark.parametrize(
    "name, hint",
    [
        ("prize", "it has size, town, Price. Did you mean 'Price'?"),
        ("SIZE", "it has size, town, Price. Did you mean 'size'?"),
        ("weight", "it has size, town, Price."),
    ],
)
def test_a_name_nearby_is_proposed(name, hint):
    table = text(GOOD.replace("price", "Price"))
    message = f"target: t.csv has no column {name!r}; {hint}"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        columns.require_columns(table, [name], "target")
