"""Levels of categories: rare, new and missing ones."""

import io

import numpy as np
import pytest

import fastnet
from fastnet.data import columns, tables
from fastnet.data.columns import encode_inputs
from fastnet.data.levels import ColumnRules
from fastnet.data.schema import Column
from fastnet.errors import DataError

TOWNS = ["Ulm"] * 5 + ["Bonn"] * 4 + ["Kiel", "Jena", "Jena"]
TEXT = "town,size\n" + "".join(f"{town},{i}\n" for i, town in enumerate(TOWNS))


def table_of(content):
    return tables.read_table(io.BytesIO(content.encode()), "t.csv")


def described(content, **rules):
    """The Column town of a text, and the notices."""
    found, notices = columns.describe_inputs(table_of(content), ["town"], ColumnRules(**rules))
    return found[0], notices


def encoded(content, column):
    """The inputs that the column becomes, as lists of whole numbers."""
    table = table_of(content)
    out = np.empty((table.rows, len(column.inputs())))
    encode_inputs(table, [column], out, "model")
    return out.astype(int).tolist()


@pytest.mark.parametrize(
    "rules, levels, shares",
    [
        ({}, ("Bonn", "Jena", "Kiel", "Ulm"), False),
        ({"unknown": "other"}, ("Bonn", "Jena", "Kiel", "Ulm"), True),
        ({"min_count": 2}, ("Bonn", "Jena", "Ulm", "other"), True),
        ({"min_count": 3, "unknown": "other"}, ("Bonn", "Ulm", "other"), True),
        ({"min_count": 5}, ("Ulm", "other"), True),
    ],
)
def test_levels_with_few_rows_share_one(rules, levels, shares):
    column, notices = described(TEXT, **rules)
    assert (column.categories, column.shares) == (levels, shares)
    assert len(notices) == ("other" in levels)


def test_the_notice_names_the_rare_levels():
    _, (notice,) = described(TEXT, min_count=3)
    assert notice == (
        "Levels of column 'town' with fewer than 3 rows share one input, town=other: Jena, Kiel."
    )


def test_a_level_called_other_takes_the_rare_ones_in():
    column, _ = described(TEXT.replace("Bonn", "other"), min_count=2)
    assert column.categories == ("Jena", "Ulm", "other")


def test_no_level_with_enough_rows():
    with pytest.raises(
        DataError, match="'town' has no level with 6 rows; lower --min-level-count,"
    ):
        described(TEXT, min_count=6)


def test_many_levels_may_share_one():
    content = "town\n" + "".join(f"t{i % 300}\n" for i in range(301)) + "Ulm\n" * 3
    with pytest.raises(DataError, match=r"at most 100 are .* share one with --min-level-count, or"):
        described(content)
    assert described(content, min_count=2)[0].categories == ("Ulm", "other", "t0")


def test_new_levels():
    new = "town\nUlm\nKiel\nRom\n"
    strict, _ = described(TEXT)
    with pytest.raises(DataError, match=r"unknown category 'Rom' in line 4; .*--unknown other"):
        encoded(new, strict)
    none, _ = described(TEXT, unknown="other")
    assert encoded(new, none) == [[0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]
    other, _ = described(TEXT, min_count=2)
    assert encoded(new, other) == [[0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1]]


# ---------------------------------------------------------------- missing texts


def test_missing_texts_have_a_level_of_their_own():
    gap = "town,size\nUlm,1\n,2\nBonn,3\nUlm,4\n"
    column, _ = described(gap, impute="median")
    assert column == Column("town", "category", ("Bonn", "Ulm", "missing"), "missing")
    assert encoded(gap, column) == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_missing_texts_that_training_had_none_of_become_the_most_frequent_level():
    column, _ = described(TEXT, impute="median")
    assert column.fill == "Ulm" and "missing" not in column.categories
    assert encoded("town,size\n,1\nUlm,1\n", column) == [[0, 0, 0, 1]] * 2


def test_missing_texts_are_refused_by_themselves():
    column, _ = described(TEXT)
    cure = "write a text there, such as unknown, or train with --impute median"
    with pytest.raises(DataError, match=f"'town' has no value in line 2; {cure}.$"):
        encoded("town,size\n,1\n", column)
    with pytest.raises(DataError, match=f"has 'NA', a missing value, in line 2; {cure}; --na-val"):
        encoded("town,size\nNA,1\n", column)


def test_a_run_with_all_of_it(tmp_path):
    rows = [f"{['Ulm', 'Bonn', ''][i % 3]},{['', 1, 2, 3][i % 4]},t{i % 40},{i}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["town,size,code,y", *rows]))
    small = {"n1": 2, "max_epochs": 3, "out": tmp_path / "run"}
    levels = {"impute": "median", "unknown": "other", "min_level_count": 2}
    result = fastnet.train(data=tmp_path / "t.csv", target="y", **small, **levels)
    assert result.features[:4] == ("town=Bonn", "town=Ulm", "town=missing", "size")
    model = fastnet.load_model(tmp_path / "run")
    assert model.columns == result.columns == fastnet.load(tmp_path / "run").columns
    file = io.BytesIO(b"town,size,code\n,,t1\nRom,1,zz\nUlm,2,t39\n")
    file.name = "new.csv"
    found = fastnet.predict(model, file)["y"]
    assert len(found) == 3 and np.isfinite(found).all()


@pytest.mark.parametrize("kind, most", [("number", "{}"), ("date", "2026-01-{:02d}")])
def test_a_text_among_numbers_or_dates_is_a_mistake_unless_told(kind, most):
    content = "town,size\n" + "".join(f"{most.format(i % 9 + 1)},{i}\n" for i in range(18))
    content += "soon,1\n"
    with pytest.raises(DataError, match=f"'soon' among {kind}s in line 20; write a {kind}, or use"):
        described(content)
    column, _ = described(content, categorical=["town"])
    assert len(column.categories) == 10 and "soon" in column.categories
