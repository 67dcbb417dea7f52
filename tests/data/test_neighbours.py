"""Three neighbours of each small table of test_cases.py: of its kind, but written by others."""

import gzip
import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import fastnet
from fastnet.errors import DataError

RNG = np.random.default_rng(0)
SIZES = RNG.integers(20, 90, 60)


class Meets(NamedTuple):
    """A table and what becomes of it.

    Attributes
    ----------
    content : str or bytes
    target : str
    given : dict
        Options.
    features : tuple of str
        The inputs.
    classes : sequence or None
    said : str
        A part of the notices.
    error : str
        A pattern of the message with which training refuses the table.
    new : tuple of str
        Tables of new rows; the others hold the first rows of the first one, written otherwise.
    file : str
        The name of the file.
    """

    content: str | bytes
    target: str
    given: Mapping[str, str] = {}
    features: tuple = ()
    classes: Sequence | None = None
    said: str = ""
    error: str = ""
    new: tuple = ()
    file: str = "t.csv"


def table(header, rows, end="\n"):
    return end.join([header, *rows]) + end


def rows(form, *levels, start=0):
    """60 rows: s is a size, p three times as much, i a number of the row, t, u, ... some levels."""
    several = [np.resize(texts, 60) for texts in levels]
    return [
        form.format(
            s=s, p=3 * s, i=i, m=s % 7, **dict(zip("tuv", (one[i - start] for one in several)))
        )
        for i, s in enumerate(SIZES, start)
    ]


def packed(content, name):
    """A zip with one file, and the folder that macOS adds."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
        archive.writestr(f"__MACOSX/._{name}", "x")
    return file.getvalue()


SMALL = {"n1": 3, "max_epochs": 4, "out": "run", "force": True}
GROUPS = np.repeat([f"P-{i}" for i in range(10)], 6)
INDEX = "it has no name and another value in each row: column 1"
SIZE_PRICE = table("size,price", rows("{s},{p}.5"))

NEIGHBOURS = {
    "blanks": [
        Meets(
            table("size ;town;price ", rows("{s},5 ;{t}; {p},5 ", ["Ulm", "Ulm ", " Bonn"])),
            "price",
            features=("size", "town=Bonn", "town=Ulm"),
            new=("size;town\n50,5;Ulm\n", " town ; size\nUlm ; 50,5 \n"),
        ),
        Meets(table("size,ok", rows("{s},{t}", ["yes", "no ", "no"])), "ok", classes=["no", "yes"]),
        Meets(
            table('"size "\t"town"\tprice', rows("{s} \t{t:8}\t {p}.5", ["Ulm", "Bonn"])),
            "price",
            features=("size", "town=Bonn", "town=Ulm"),
            file="t.tsv",
        ),
    ],
    "carriers": [
        Meets(
            table("store,a,y", rows("{t},{s},{p}.5", [1, 2, 3])),
            "y",
            {"categorical": "store", "unknown": "other"},
            features=("store=1", "store=2", "store=3", "a"),
            new=("store,a\n99,50\n1,50\n", "store,a\n98,50\n"),
        ),
        Meets(
            table("Ort;a;y", rows("{t};{s};{p},5", ["Zürich", "Genève", "Uri"])),
            "y",
            {"min_level_count": 20, "unknown": "other"},
            features=("Ort=Genève", "Ort=Uri", "Ort=Zürich", "a"),
            new=("Ort;a\nBâle;50\n", "Ort;a\nBerne;50\n"),
        ),
        Meets(
            table("place,a,y", rows("D{i},{s},{p}.5")),
            "y",
            error="'place' has 60 different texts .*--min-level-count",
        ),
    ],
    "codes": [
        Meets(
            table("icd,a,y", rows("{t},{s},{p}.5", ["010", "E11.9", "250", "250.0"])),
            "y",
            features=("icd=010", "icd=250", "icd=250.0", "icd=E11.9", "a"),
            new=("icd,a\n250,50\n010,50\nE11.9,50\n", "icd,a\n250,50\n010,50\n", "icd,a\n250,50\n"),
        ),
        Meets(
            table("lot,a,y", rows("{t},{s},{p}.5", ["1e5", "2e5", "A7", "inf"])),
            "y",
            features=("lot=1e5", "lot=2e5", "lot=A7", "lot=inf", "a"),
            new=("lot,a\n1e5,50\ninf,50\nA7,50\n", "lot,a\n1e5,50\ninf,50\n"),
        ),
        Meets(
            table("département;a;y", rows("{t};{s};{p},5", ["01", "2A", "75"])),
            "y",
            features=("département=01", "département=2A", "département=75", "a"),
            new=("département;a\n01;50\n2A;50\n", "département;a\n01;50\n"),
        ),
    ],
    "flags": [
        Meets(
            table("a,ok", rows("{s},{t}", ["TRUE", "FALSE", "unknown"])),
            "ok",
            classes=["FALSE", "TRUE", "unknown"],
        ),
        Meets(
            table("member;a;y", rows("{t};{s};{p}", ["0", "1", "U"])),
            "y",
            features=("member=0", "member=1", "member=U", "a"),
            new=("member;a\n0;50\n1;50\nU;50\n", "member;a\n0;50\n1;50\n"),
        ),
        Meets(
            table("member,a,y", rows("{t},{s},{p}", ["yes", "no", ""])),
            "y",
            {"impute": "median"},
            features=("member=missing", "member=no", "member=yes", "a"),
            new=("member,a\nyes,50\n,50\n", "member,a\nyes,50\n"),
        ),
    ],
    "gap": [
        Meets(
            table(
                "town;size;y", rows("{t};{u};{p},5", ["Ulm", "", "Bonn"], ["7,5", "8,5", "", ""])
            ),
            "y",
            {"impute": "median"},
            features=("town=Bonn", "town=Ulm", "town=missing", "size"),
            said="decimal ','",
            new=("town;size\n;7,5\nUlm;\n", "size;town\n7,5;\n"),
        ),
        Meets(
            table("town,size,y", rows("{t},{s},{p}.5", ["Ulm", "-", "Bonn"])),
            "y",
            {"impute": "median", "na_values": "auto,-"},
            features=("town=Bonn", "town=Ulm", "town=missing", "size"),
            new=("town,size\n-,50\n", "town,size\n,50\n", "town,size\nn/a,50\n"),
        ),
        Meets(
            table("ok,size,y", rows("{t},{s},{p}.5", ["TRUE", "", "FALSE", "TRUE"])),
            "y",
            {"impute": "median"},
            features=("ok", "size"),
            new=("ok,size\nTRUE,50\n,50\n", "ok,size\nTRUE,50\n"),
        ),
    ],
    "german": [
        Meets(
            table("income,y", rows("{m}'0{s}.50,{p}")),
            "y",
            features=("income",),
            said='thousands "\'"',
            new=("income\n2'450.00\n", "income\n2450.00\n"),
        ),
        Meets(
            table("revenu;y", rows("{m}\u202f0{s},50;{p},5")),
            "y",
            features=("revenu",),
            said="decimal ',', thousands ' '",
            new=("revenu;x\n2\u202f450,00;1\n", "revenu;x\n2 450,00;1\n", "revenu\n2450,00\n"),
        ),
        Meets(
            table("balance;y", rows("{t};{s}", ["1.250,00-", "1.300,00", "950,00", "(80,50)"])),
            "y",
            features=("balance",),
            said="such as '1.250,00-' = -1250",
            new=("balance;x\n1.250,00-;1\n", "balance;x\n-1250;1\n", "balance;x\n(1.250);1\n"),
        ),
        Meets(
            table("rupees;y", rows("{m},10,0{s}.00;{p}")),
            "y",
            features=("rupees",),
            said="thousands ','",
            new=("rupees;x\n2,10,000;1\n", "rupees;x\n210000;1\n"),
        ),
    ],
    "groups": [
        Meets(
            table("person,a,y", rows("{t},{s},{u}", GROUPS, ["no", "yes"])),
            "y",
            {"group": "person", "test_fraction": 0.2},
            features=("a",),
            classes=["no", "yes"],
            said="Groups stay whole: 6 train, 2 validate, 2 test.",
        ),
        Meets(
            table("Tag;a;y", rows("{t};{s},5;{p},5", np.repeat(np.arange(45000, 45010), 6))),
            "y",
            {"group": "Tag", "folds": 5},
            features=("a",),
            said="Groups stay whole: 10 train.",
        ),
        Meets(
            table("person,day,a,y", rows("{t},2026-01-{i:02d},{s},{p}", GROUPS[:30], start=1)[:30]),
            "y",
            {"group": "person", "order": "day"},
            features=("a",),
            said="Rows in their order: 24 train, then 6 validate.",
        ),
        Meets(
            table("person,a,y", rows("{t},{s},{p}", ["Jo", ""])),
            "y",
            {"group": "person"},
            error="'person' has no value in lines .*; name a group in every row",
        ),
    ],
    "header_comma": [
        Meets(
            table("T, in C\tQ, in kW", rows("{s}.5\t{p}.5")),
            "Q, in kW",
            features=("T, in C",),
            file="t.txt",
        ),
        Meets(
            table('"T,\nin C"|"Q,\nin kW"', rows("{s}.5|{p}.5")),
            "Q,\nin kW",
            features=("T,\nin C",),
        ),
        Meets(
            table("'T, in C','Q, in kW'", rows("{s}.5,{p}.5")),
            "Q, in kW",
            error="the first line names 4 columns, the rows have 2 cells; .*--quote",
        ),
        Meets(
            table("'T, in C','Q, in kW'", rows("{s}.5,{p}.5")),
            "Q, in kW",
            {"quote": "'"},
            features=("T, in C",),
        ),
    ],
    "index": [
        Meets(
            table('"","size","price"', rows('"{i}",{s},{p}.5', start=1)),
            "price",
            features=("size",),
            said=INDEX,
            new=('"","size"\n"61",50\n', "size\n50\n"),
        ),
        Meets(
            table(";size;price", rows("{t};{s};{p},5", RNG.permutation(99)[:60])),
            "price",
            features=("size",),
            said=INDEX,
        ),
        Meets(
            table('"size" "price"', rows('"car {i}" {s} {p}.5')),
            "price",
            features=("size",),
            said=INDEX,
            new=('"size" "mass"\n"car x" 50 7\n', "size\n50\n"),
            file="t.txt",
        ),
        Meets(
            table('"size","price"', rows('"{i}",{s},{p}.5')),
            "price",
            features=("size",),
            said=INDEX,
        ),
        Meets(
            table(",size,price", rows("{m}.5,{s},{p}")),
            "price",
            error="column 1 has no name in the first line; name it there, or remove it",
        ),
    ],
    "namibia": [
        Meets(
            table("degree;a;y", rows("{t};{s};{p}", ["None", "BSc", "MSc"])),
            "y",
            error=r"'degree' has 'None', a missing value, in lines .*--na-values",
        ),
        Meets(
            table("degree;a;y", rows("{t};{s};{p}", ["None", "BSc", "MSc"])),
            "y",
            {"na_values": "none"},
            features=("degree=BSc", "degree=MSc", "degree=None", "a"),
            new=("degree;a\nNone;50\nBSc;50\n", "degree;a\nNone;50\n"),
        ),
        Meets(
            table("a,y", rows("{t},{p}", [20, 30, -999, 40])),
            "y",
            {"na_values": "auto,-999", "impute": "median"},
            features=("a",),
            new=("a,b\n-999,1\n20,1\n", "a,b\n,1\n", "a\nNA\n"),
        ),
    ],
    "no_header": [
        Meets(
            "\n".join(rows("{s}.5\t{m}\t{t}", ["a", "b"])),
            "3",
            {"no_header": True},
            features=("1", "2"),
            classes=["a", "b"],
            new=("20.5\t3\n21.5\t4\n", "20.5\t3\n"),
            file="t.tsv",
        ),
        Meets(
            "\n".join(rows("{s},5;{m};{t}", ["a", "b"])),
            "3",
            {"no_header": True},
            error=r"separator ',' \(2 columns: .* and with ';' \(3 columns: .*--separator",
        ),
        Meets(
            "\n".join(rows("{s},5;{m};{t}", ["a", "b"])),
            "3",
            {"no_header": True, "separator": "semicolon"},
            features=("1", "2"),
            classes=["a", "b"],
            new=("20,5;3\n21,5;4\n", "20,5;3\n"),
        ),
        Meets(
            "\n".join(rows("{t} {s}.5  {m}", ["a", "b"])),
            "1",
            {"no_header": True},
            features=("2", "3"),
            classes=["a", "b"],
            file="t.dat",
        ),
    ],
    "percent": [
        Meets(
            table("fee,y", rows("${s}.50,{p}")), "y", error="the unit '\\$', such as .*--strip-u"
        ),
        Meets(
            table("fee;y", rows("{s},50 €;{p}")),
            "y",
            {"strip_units": "fee"},
            features=("fee",),
            said="decimal ',', unit '€'",
            new=("fee;x\n5,50 €;1\n", "fee;x\n5,50;1\n", "fee\n5,50 €\n"),
        ),
        Meets(
            table("trace,y", rows("{t},{p}", ["0.01", "<0.01", "0.12", "0.4", "0.7", "0.9"])),
            "y",
            error="'trace' has '<0.01' among numbers in lines",
        ),
    ],
    "sep_line": [
        Meets(table("sep=,\nsize,price", rows("{s},{p}.5"), "\r\n"), "price", features=("size",)),
        Meets(table('"sep=\t"\nsize\tprice', rows("{s}\t{p}")), "price", features=("size",)),
        Meets(
            table("\ufeffSEP=;\nsize;price", rows("{s};{p},5")).encode("utf-16-le"),
            "price",
            features=("size",),
        ),
    ],
    "spaces": [
        Meets(
            table(" a   b   y", rows("  {s}.5  -{m}   {p}.5")),
            "y",
            features=("a", "b"),
            file="t.txt",
        ),
        Meets(table("a b y ", rows("{s}e-2 {m} {p} ")), "y", features=("a", "b"), file="t.dat"),
        Meets(
            table("name a y", rows("{t}\t{s}   {p}", ["Ulm", "Bonn"])),
            "y",
            {"separator": "space"},
            features=("name=Bonn", "name=Ulm", "a"),
            file="t.txt",
        ),
    ],
    "stamps": [
        Meets(
            table("ms,y", [f"{1700000000000 + 7 * i},{s}" for i, s in enumerate(SIZES)]),
            "y",
            features=("ms",),
        ),
        Meets(
            table("day;y", [f"{2020 + i / 36525:.7f};{s}" for i, s in enumerate(SIZES)]),
            "y",
            features=("day",),
        ),
        Meets(
            table("at,y", [f"2026-01-01T10:00:{i:02d}+01:00,{s}" for i, s in enumerate(SIZES)]),
            "y",
            {"dates": "seconds"},
            features=("at.seconds",),
            new=("at,b\n2026-01-01T10:00:07+01:00,1\n", "at,b\n2026-01-01 09:00:07,1\n"),
        ),
        Meets(
            table("at,y", [f"2026-01-01T10:00:{i:02d}+01:00,{s}" for i, s in enumerate(SIZES)]),
            "y",
            error=r"'at' holds dates such as 2026-01-01T10:00:00\+01:00; .* with --dates",
        ),
    ],
    "strength": [
        Meets(
            table('pull,"Festigkeit [N/mm², 28 d]" ', rows("{s},{p}.5")).encode("latin-1"),
            "Festigkeit [N/mm², 28 d]",
            {"encoding": "latin-1"},
            features=("pull",),
        ),
        Meets(
            table('age,"2"" pipe, in m"', rows("{s},{p}.5")),
            '2" pipe, in m',
            features=("age",),
        ),
        Meets(
            table('age,"x, 1","x, 2 "', rows("{s},{p}.5,{m}")),
            '"x, 1","x, 2"',
            features=("age",),
        ),
    ],
    "three": [
        Meets("x,y\n1,2.5\n2,3.5\n", "y", features=("x",), said="None of 2 rows are held out"),
        Meets("x;y\n1;2,5\n2;3,5\n4;9,5\n", "y", features=("x",), said="None of 3 rows"),
        Meets(
            "x,y\n1,2.5\n2,3.5\n3,5.5\n",
            "y",
            {"test_fraction": 0.3},
            features=("x",),
            said="None of 3 rows are held out for validation",
        ),
        Meets("x,y\n1,2.5\n", "y", error="no column to learn from. .* one value in all rows"),
    ],
    "trailing": [
        Meets(
            table("size;price;;;", rows("{s};{p};;;")),
            "price",
            features=("size",),
            said="no name and no value: column 5",
            new=("size;;\n50;;\n", "size\n50\n"),
        ),
        Meets(
            table("size\tprice\t", rows("{s}\t{p}\t")),
            "price",
            features=("size",),
            said="no name and no value: column 3",
            file="t.tsv",
        ),
        Meets(
            table("size,note,price,more", rows("{s},,{p},")),
            "price",
            features=("size",),
            said="they have no value: columns note, more",
            new=("size,note\n50,\n", "size\n50\n"),
        ),
    ],
    "xor": [
        Meets("a;b;y\n-1;-1;n\n-1;1;j\n1;-1;j\n1;1;n\n", "y", classes=["j", "n"], said="None of 4"),
        Meets("a\tb\ty\n0\t0\tF\n0\t1\tT\n1\t0\tT\n", "y", classes=["F", "T"], said="None of 3"),
        Meets("a,b,y\n0,0,FALSE\n1,1,TRUE\n", "y", classes=[False, True], said="None of 2"),
    ],
    "zipped": [
        Meets(packed(SIZE_PRICE, "t.csv"), "price", features=("size",), file="t.csv.zip"),
        Meets(
            gzip.compress(SIZE_PRICE.replace(",", "\t").encode("utf-16")),
            "price",
            features=("size",),
            file="t.TSV.GZ",
        ),
        Meets(b"\x1f\x8b\x08broken", "price", error=r"t\.csv\.gz cannot be read", file="t.csv.gz"),
    ],
    "zips": [
        Meets(
            table("plz,a,y", rows("{t},{s},{p}.5", ["01067", "", "10115"])),
            "y",
            {"impute": "median"},
            features=("plz=01067", "plz=10115", "plz=missing", "a"),
            said="leading zeros: column plz",
            new=("plz,a\n10115,50\n01067,50\n", "plz,a\n10115,50\n"),
        ),
        Meets(
            table("ean;a;y", rows('"{t}";{s};{p},5', ["0012345678905", "4006381333931"])),
            "y",
            features=("ean=0012345678905", "ean=4006381333931", "a"),
        ),
        Meets(
            table("a#code", rows("{s}#{t}", ["0930", "1015", "2200"])),
            "code",
            {"separator": "#"},
            classes=["0930", "1015", "2200"],
            said="leading zeros: column code",
        ),
    ],
}


def predicted(content, name):
    """The predictions of the run for the rows of a text."""
    file = io.BytesIO(content.encode())
    file.name = name
    return fastnet.predict("run", file).to_numpy().ravel().tolist()


@pytest.mark.parametrize(
    "case, number", [(case, j) for case, some in NEIGHBOURS.items() for j in range(len(some))]
)
def test_neighbours(case, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one = NEIGHBOURS[case][number]
    content = one.content if isinstance(one.content, bytes) else one.content.encode()
    Path(one.file).write_bytes(content)
    if one.error:
        with pytest.raises(DataError, match=one.error):
            fastnet.train(data=one.file, target=one.target, **SMALL, **one.given)
        return
    result = fastnet.train(data=one.file, target=one.target, **SMALL, **one.given)
    assert one.said in " ".join(result.notices)
    assert not one.features or result.features == one.features
    assert one.classes is None or result.classes.tolist() == one.classes
    first = predicted(one.new[0], one.file) if one.new else []
    for other in one.new[1:]:
        again = predicted(other, one.file)
        assert 0 < len(again) <= len(first)
        first = first[: len(again)]
        is_text = isinstance(first[0], str)
        assert again == (first if is_text else pytest.approx(first, rel=1e-12))  # BLAS may differ


def test_each_table_has_three_neighbours():
    assert min(map(len, NEIGHBOURS.values())) == 3 and len(NEIGHBOURS) == 21
