"""Text files as people and programs write them: what pandas is told, and what is left out."""

import bz2
import gzip
import io
import lzma
import re
import zipfile

import numpy as np
import pytest

import fastnet
from fastnet.data import tables
from fastnet.data import text as text_files
from fastnet.data.columns import is_missing
from fastnet.data.dialect import Dialect, Reading
from fastnet.errors import DataError, UsageError

TABLE = {"size": [10, 20, 30], "town": ["Ulm", "Bonn", "Ulm"], "price": [1.5, 2.5, 4.5]}
GOOD = "size,town,price\n10,Ulm,1.5\n20,Bonn,2.5\n30,Ulm,4.5\n"


def table_of(content, name="t.csv", **dialect):
    """The Table in a text, read with this dialect."""
    content = content if isinstance(content, bytes) else content.encode()
    return tables.read_table(io.BytesIO(content), name, Reading(Dialect(**dialect)))


def columns_of(content, name="t.csv", **dialect):
    """The columns of a text as lists."""
    return {n: list(values) for n, values in table_of(content, name, **dialect).columns.items()}


# ---------------------------------------------------------------- one table, written in many ways


@pytest.mark.parametrize(
    "content, dialect",
    [
        (GOOD.replace(",", " ; ").replace("\n", " \n"), {}),
        (GOOD.replace("\n", "\r"), {}),
        (GOOD.replace("\n", ",\n"), {}),  # a separator ends every line
        (GOOD.replace("0,U", "0,  U").replace("Ulm", "Ulm "), {}),
        ("sep=;\n" + GOOD.replace(",", ";"), {}),
        ("SEP=|\r\n" + GOOD.replace(",", "|").replace("\n", "\r\n"), {}),
        ('"sep=,"\n' + GOOD, {}),
        (GOOD.replace(",", "|"), {}),
        (GOOD.replace(",", "   ").replace("\n", "  \n  "), {}),
        (GOOD.replace(",", " "), {"separator": "space"}),
        (GOOD.replace(",", "\t"), {"separator": "tab"}),
        (GOOD.replace(",", ":"), {"separator": ":"}),
        ("# made by hand\n\n" + GOOD.replace("20,", "#x\n20,"), {"comment": "#"}),
        ("Prices of towns\nin 2026\n" + GOOD, {"skip_lines": 2}),
        (GOOD.replace("Ulm", "'Ulm'"), {"quote": "'"}),
        (GOOD.encode("utf-16"), {}),
        (b"\xff\xfe" + GOOD.encode("utf-16-le"), {}),
        (GOOD.encode("utf-32"), {}),
        (b"\xef\xbb\xbf" + GOOD.encode(), {"encoding": "utf-8"}),
        (GOOD.encode("latin-1"), {"encoding": "latin-1"}),
    ],
)
def test_texts_that_are_the_same_table(content, dialect):
    assert columns_of(content, **dialect) == TABLE


def test_without_a_header_columns_are_numbered():
    rows = "5.2,3.1,a\n7.8,2.0,b\n"
    assert columns_of(rows, no_header=True) == {"1": [5.2, 7.8], "2": [3.1, 2.0], "3": ["a", "b"]}
    table = table_of("x\n5.2,3.1\n,2.0\n", no_header=True, skip_lines=1)
    assert table.places(is_missing(table.columns["1"])) == "line 3"
    with pytest.raises(DataError, match=r"got 5\.2, 3\.1; if it is a row, use --no-header"):
        table_of("5.2,3.1\n7.8,2.0\n")


@pytest.mark.parametrize(
    "pack, ending", [(gzip.compress, "gz"), (bz2.compress, "bz2"), (lzma.compress, "xz")]
)
def test_compressed_files(tmp_path, pack, ending):
    path = tmp_path / f"t.csv.{ending}"
    path.write_bytes(pack(GOOD.replace("20,", ",").encode()))
    table = tables.read_table(path)
    assert list(table.columns["town"]) == TABLE["town"]
    assert table.places(is_missing(table.columns["size"])) == "line 3"
    path.write_bytes(pack(GOOD.encode())[:-9])
    with pytest.raises(DataError, match=rf"t\.csv\.{ending} cannot be read"):
        tables.read_table(path)
    path.write_bytes(b"no such thing")
    with pytest.raises(DataError, match=rf"t\.csv\.{ending} cannot be read"):
        tables.read_table(path)
    assert columns_of(pack(GOOD.encode()), f"t.csv.{ending}") == TABLE


def test_a_zip_holds_one_table(tmp_path):
    path = tmp_path / "t.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("folder/t.csv", GOOD)
        archive.writestr("__MACOSX/t.csv", "")
    assert tables.read_table(path).frame.to_dict("list") == TABLE
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.csv", GOOD)
    with pytest.raises(DataError, match="holds 2 files; a zip must hold one table"):
        tables.read_table(path)


@pytest.mark.parametrize(
    "content, dialect, message",
    [
        ("a,b\n1,\xfc".encode("latin-1"), {}, "t.csv is not UTF-8 text (byte 0xfc); use --encod"),
        (b"\xff\xfea", {}, "t.csv is not UTF-16-LE text (byte 0x61)"),
        (
            "ä,b\n1,2\n",
            {"encoding": "ascii"},
            "t.csv is not ASCII text (byte 0xc3); use --encoding",
        ),
        (" , \n1,2\n", {}, "t.csv is empty; its first line must name the columns."),
        ("", {"skip_lines": 3}, "t.csv is empty; its first line must name the columns."),
        ("a,b\n", {"skip_lines": 1}, "t.csv is empty; its first line must name the columns."),
        ("a, a \n1,2\n", {}, "t.csv names the column 'a' twice; give each its own name."),
    ],
)
def test_texts_that_cannot_be_read(content, dialect, message):
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        table_of(content, **dialect)


def test_an_unknown_encoding():
    with pytest.raises(UsageError, match="encoding 'utf-9' is unknown; utf-8, latin-1 or utf-16,"):
        table_of(GOOD, encoding="utf-9")


# ---------------------------------------------------------------- separators


@pytest.mark.parametrize(
    "content, names",
    [
        ('"T, in C";"p, in bar"\n18.0;3.14\n', ["T, in C", "p, in bar"]),
        ('"a;b",c\n"1;2",3\n', ["a;b", "c"]),
        ('"T, in C";"y, in %"\n1,5;2%\n', ["T, in C", "y, in %"]),
        ('a,b\n"x\ny",' + "1\n" * 3, ["a", "b"]),
        ("a b,c d\n1,2\n", ["a b", "c d"]),
        ("my price\n3\n", ["my price"]),
        ("a;b\n1,5;2,5\n", ["a", "b"]),
        ("a;b,c\n1;2\n3;4\n", ["a", "b,c"]),
        ("a\tb\n1,5\t2,5\n", ["a", "b"]),
        ("name note\nred dark\n", ["name note"]),  # texts with blanks are no columns
    ],
)
def test_the_separator_is_found_outside_quotes_and_in_all_lines(content, names):
    assert list(table_of(content).columns) == names


def test_two_separators_that_fit_are_asked_about():
    content = "T, in C;p, in bar\n18,0;3,14\n19,5;2,18\n"
    message = (
        "t.csv is a table with the separator ',' (3 columns: ['T', 'in C;p', 'in bar']) and with "
        "';' (2 columns: ['T, in C', 'p, in bar']); say which with --separator."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        table_of(content)
    assert list(table_of(content, separator=";").columns) == ["T, in C", "p, in bar"]
    assert list(table_of(content, separator="comma").columns) == ["T", "in C;p", "in bar"]


# ---------------------------------------------------------------- names and columns without one


def test_a_row_that_is_longer_than_the_head_is_no_short_row():
    names, cells = (",".join(f"{c}{j}" for j in range(20000)) for c in ("a", "1"))
    assert len(table_of(f"{names}\n{cells}\n").columns) == 20000


def test_names_are_stripped_and_composed():
    assert list(table_of(" size , u\u0308ber \n1,2\n").columns) == ["size", "\u00fcber"]


INDEX = "it has no name and another value in each row"


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_counter_without_a_name_is_left_out(first, name):
    content = f"{name},size\n" + "".join(f"{first + i},{i % 3}\n" for i in range(5))
    table = table_of(content)
    assert list(table.columns) == ["size"]
    assert table.notices == (f"Left out because {INDEX}: column 1.",)


def test_what_has_a_name_or_values_is_not_left_out():
    assert list(table_of("Unnamed: 0,size\n5,1\n5,2\n").columns) == ["Unnamed: 0", "size"]
    message = r"t\.csv: column {} has no name in the first line; name it there, or remove it\."
    for number in ("5", "7.5"):
        with pytest.raises(DataError, match=message.format(1)):
            table_of(f",size\n5,1\n{number},2\n")
    with pytest.raises(DataError, match=message.format(2)):
        table_of("size,,price\n1,2,3\n2,4,9\n")
    with pytest.raises(DataError, match="has rows with more cells than its 2 column names"):
        table_of("a,b\n1,2,\n1,2,3\n")
    known = Reading(known=True)
    table = tables.read_table(io.BytesIO(b",Unnamed: 1,size\n5,0,1\n9,1,2\n"), "t.csv", known)
    assert list(table.columns) == ["Unnamed: 1", "size"] and table.notices == ()


@pytest.mark.parametrize("end, count", [(",", 1), ("", 0)])
def test_separators_at_the_ends_of_lines(end, count):
    table = table_of(f"size,price{end}\n86,258,\n53,,\n")
    assert list(table.columns) == ["size", "price"]
    assert table.notices == ("Left out because it has no name and no value: column 3.",) * count
    assert table.places(is_missing(table.columns["price"])) == "line 3"


# ---------------------------------------------------------------- rows and cells


def test_an_empty_line_of_one_column_is_a_row_without_a_value():
    table = table_of("x\n1\n\n3\n")
    assert table.rows == 3 and table.places(is_missing(table.columns["x"])) == "line 3"
    assert table_of("\n\nx\n1\n").rows == 1
    assert table_of("x,y\n1,2\n\n3,4\n").rows == 2


@pytest.mark.parametrize(
    "given, missing",
    [
        (("auto",), [False, True, True, True, False]),
        (None, [False, False, False, True, False]),
        (("DE",), [True, False, False, True, False]),
        (("auto", "DE"), [True, True, True, True, False]),
    ],
)
def test_texts_of_missing_values(given, missing):
    table = table_of("x,y\nDE,1\nNA,2\n?,3\n,4\nFR,5\n", na_values=given)
    assert is_missing(table.columns["x"]).tolist() == missing


def test_blanks_around_cells_do_not_count():
    columns = columns_of('a,b,c,d\n1 ,Ulm ,True , 1.5\n2,"Ulm",False,2.5 \n3,Bonn,True,NA \n')
    assert columns["a"] == [1, 2, 3] and columns["b"] == ["Ulm", "Ulm", "Bonn"]
    assert columns["c"] == [True, False, True]
    assert [str(value) for value in columns["d"]] == ["1.5", "2.5", "nan"]


@pytest.mark.parametrize("start", ["01", "-007", "+02", "00", '"03"'])
@pytest.mark.parametrize("chunk", [2, 100])
def test_leading_zeros_make_texts(monkeypatch, start, chunk):
    monkeypatch.setattr(text_files, "CHUNK_ROWS", chunk)
    content = f"a,zip,x\n0.5,10,0\n1.5,20,10\n2.5,30,0\n3.5,{start},1\n"
    table = table_of(content)
    assert list(table.columns["zip"]) == ["10", "20", "30", start.strip('"')]
    assert table.columns["a"].dtype == float and table.columns["x"].dtype == int
    assert table.notices == (
        "Read as texts because of leading zeros: column zip; --numeric reads numbers.",
    )
    numbers = Reading(numbers=frozenset({"zip"}))
    assert tables.read_table(io.BytesIO(content.encode()), "t.csv", numbers).notices == ()
    assert columns_of(content.encode("utf-16"))["zip"][0] == "10"


def test_numbers_without_leading_zeros_stay_numbers():
    table = table_of("a,b,c,t\n0,0.5,100,00:30\n10,-0.25,0,01:30\n")
    assert [getattr(values.dtype, "kind", "O") for values in table.columns.values()][:3] == [*"ifi"]
    assert table.notices == ()


# ---------------------------------------------------------------- new files, read as the model says


@pytest.fixture
def model_of(tmp_path):
    """A model that was trained on a text."""

    def train(content, target, **given):
        path = tmp_path / "train.csv"
        path.write_text(content)
        small = {
            "n1": 2,
            "force": True,
            "max_epochs": 3,
            "out": tmp_path / "run",
            "validation_fraction": 0,
        }
        fastnet.train(data=path, target=target, **small, **given)
        return fastnet.load_model(tmp_path / "run")

    return train


def predictions(model, content):
    return fastnet.predict(model, named(content)).to_numpy().ravel().tolist()


def named(content):
    file = io.BytesIO(content.encode())
    file.name = "new.csv"
    return file


@pytest.mark.parametrize(
    "levels", [["01", "1", "A"], ["TRUE", "FALSE", "unknown"], ["1", "1.0", "x"]]
)
def test_levels_are_the_texts_of_the_model(model_of, levels):
    rows = [f"{level},{i},{10 * levels.index(level) + i}" for i in range(5) for level in levels]
    model = model_of("\n".join(["zone,area,price", *rows]), "price", loss="squared")
    assert sorted(model.columns[0].categories) == sorted(levels)
    whole = predictions(model, "\n".join(["zone,area", *(f"{level},2" for level in levels)]))
    some = predictions(model, "\n".join(["area,zone", *(f"2,{level}" for level in levels[:2])]))
    alone = [predictions(model, f"zone,area\n{level},2\n")[0] for level in levels]
    assert whole == pytest.approx(alone) and some == pytest.approx(whole[:2])
    assert len(set(whole)) == 3


def test_labels_are_the_texts_of_the_model(model_of):
    rows = [f"{i},{label}" for i in range(6) for label in ("01", "02", "x1")]
    model = model_of("\n".join(["area,kind", *rows]), "kind")
    assert model.classes.tolist() == ["01", "02", "x1"]
    found = fastnet.evaluate(model, named("area,kind\n1,01\n2,02\n"))
    assert found["rows"] == 2
    with pytest.raises(DataError, match="has the label 1, which is not among the training labels"):
        fastnet.evaluate(model, named("area,kind\n1,1\n"))


def test_types_that_are_said(model_of):
    rows = [f"{plz},{i},{i % 2},{i}" for i in range(6) for plz in ("01067", "20095")]
    content = "\n".join(["plz,grade,kind,price", *rows])
    given = {"numeric": "plz", "categorical": "grade,kind"}
    given["loss"] = "squared"
    model = model_of(content, "price", **given)
    assert [c.kind for c in model.columns] == ["number", "category", "category"]
    assert model.columns[1].categories == ("0", "1", "2", "3", "4", "5")
    assert len(predictions(model, "plz,grade,kind\n01067,5,1\n")) == 1
    assert [c.kind for c in model_of(content, "price", loss="squared").columns] == [
        *("category", "number", "number")
    ]
    model = model_of(content, "kind", categorical="kind", exclude="price")
    assert model.classes.tolist() == ["0", "1"] and [c.name for c in model.columns] == [
        *("plz", "grade")
    ]
    model = model_of(content, "kind", numeric="kind,plz")
    assert model.classes is None
    with pytest.raises(UsageError, match=r"'plz' is named twice among --categorical and --numeric"):
        model_of(content, "price", categorical="plz", numeric="plz")
    with pytest.raises(
        DataError, match=r"exclude: .* has no column 'prize'; .* Did you mean 'price'"
    ):
        model_of(content, "kind", exclude="prize")


def test_the_dialect_is_part_of_the_model(model_of, tmp_path):
    rows = [f"{i},5|'U;{i % 2}'|{i}" for i in range(8)]
    content = "\n".join(["a|b|y", *rows])
    dialect = {"separator": "|", "decimal": ",", "quote": "'", "na_values": "none"}
    model = model_of(content, "y", loss="squared", **dialect)
    assert model.dialect == Dialect("|", ",", quote="'", na_values=None)
    assert model.dialect == fastnet.load(tmp_path / "run").schema.dialect
    assert model.columns[0].kind == "number"
    assert len(predictions(model, "a|b\n2,5|'U;1'\n")) == 1
    with pytest.raises(UsageError, match="separator belongs to data, the file of a table; drop it"):
        fastnet.train(np.ones(5), np.ones(5), separator="|")


@pytest.mark.parametrize(
    "target", ["strength(MPa, 28 d)", " strength(MPa, 28 d) ", '"strength(MPa, 28 d)"']
)
def test_names_with_commas(model_of, target):
    rows = [f"{i},{i % 3},{2 * i}" for i in range(20)]
    content = "\n".join(['age,"a,b","strength(MPa, 28 d) "', *rows])
    model = model_of(content, target, loss="squared")
    assert model.targets == ("strength(MPa, 28 d)",)
    assert model.features == ("age", "a,b")
    model = model_of(content, target, loss="squared", features="a,b")
    assert model.features == ("a,b",)
    model = model_of(content, "a,b,age", features=(target.strip(' "'),))
    assert model.targets == ("a,b", "age")
