"""Numbers written another way: read where there is one reading, else asked about."""

import io
import re

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.data import numerals, tables
from fastnet.data.dialect import Dialect, Reading, Writing
from fastnet.errors import DataError


def read(cells, units=(), numeric=(), more=None, **dialect):
    """The column x of these cells as a list, its Writing, and the notices."""
    more = range(len(cells)) if more is None else more
    lines = [f"{cell};{other}" for cell, other in zip(cells, more, strict=True)]
    content = "\n".join(["x;z", *lines]).encode()
    told = Dialect(**dialect)
    table = tables.read_table(io.BytesIO(content), "t.csv", Reading(told))
    found, notices, doubts = numerals.find_writings(table, ["x", "z"], told, units, numeric)
    for doubt in doubts.values():
        raise doubt
    return list(numerals.with_numbers(table, found).columns["x"]), found.get("x"), notices


@pytest.mark.parametrize(
    "cells, numbers, writing",
    [
        (["800,5", "1200", "3,25"], [800.5, 1200, 3.25], Writing(",")),
        (["1.299,00", "950,00", "2.450,50"], [1299, 950, 2450.5], Writing(",", ".")),
        (["1,234", "12,345,678"], [1234, 12345678], Writing(".", ",")),
        (["1,234.5", "3"], [1234.5, 3], Writing(".", ",")),
        (["1 234", "950"], [1234, 950], Writing(".", " ")),
        (["1\u00a0234,5", "950"], [1234.5, 950], Writing(",", " ")),
        (["1\u202f234,5", "950"], [1234.5, 950], Writing(",", " ")),
        (["1'234.50", "3"], [1234.5, 3], Writing(".", "'")),
        (["1\u2019234", "3"], [1234, 3], Writing(".", "'")),
        (["\u22121,5", "2", "+3,5"], [-1.5, 2, 3.5], Writing(",")),
        (["-,5", "1,", "1,5e3"], [-0.5, 1, 1500], Writing(",")),
    ],
)
def test_one_reading_is_taken_with_a_notice(cells, numbers, writing):
    values, found, notices = read(cells)
    assert values == numbers and found == writing
    assert len(notices) == 1
    assert notices[0].startswith(f"Read as numbers ({numerals.described(writing)}), such as ")


@pytest.mark.parametrize(
    "cells, dialect, numbers",
    [
        (["1,234", "950"], {"decimal": ","}, [1.234, 950]),
        (["1,234", "950"], {"decimal": "comma"}, [1.234, 950]),
        (["1,234", "950"], {"thousands": ","}, [1234, 950]),
        (["1,234", "950"], {"decimal": "."}, [1234, 950]),
        (["1.234", "3.100"], {"decimal": ",", "thousands": "."}, [1234, 3100]),
        (["1 234", "950"], {"thousands": "space"}, [1234, 950]),
    ],
)
def test_options_say_which_of_two_readings(cells, dialect, numbers):
    assert read(cells, **dialect)[0] == numbers


def test_two_readings_are_asked_about():
    message = (
        "t.csv: column 'x' can be read in two ways: '1,234' is 1.234 (decimal ',') or 1234 "
        "(thousands ','); say which with --decimal or --thousands."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read(["950", "1,234", "2,500"])


def test_points_beside_decimal_commas_may_be_between_thousands():
    message = (
        "t.csv: column 'z' can be read in two ways: '9.212' is 9.212 or, as column 'x' has decimal "
        "commas, 9212; --numeric z takes the first, --decimal , the second."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read(["1,5", "2,5"], more=["9.212", "1.000"])
    for plain in (["9.212", "0.212"], ["9.21", "1.000"], ["9.212", "1.0000"], ["9", "1"]):
        assert read(["1,5", "2,5"], more=plain)[0] == [1.5, 2.5]
    assert read(["1,5", "2,5"], more=["9.212", "1.000"], numeric=["z"])[0] == [1.5, 2.5]
    assert read(["1,5", "2,5"], more=["9.212", "1.000"], decimal=",")[0] == [1.5, 2.5]


@pytest.mark.parametrize("cells", [["4.23", "3.1"], ["1.5,3", "2"], ["12.34,5", "2"]])
def test_numbers_that_are_not_written_as_told(cells):
    if "," in cells[0]:
        assert read(cells, decimal=",")[1] is None  # no numbers in any writing
        return
    with pytest.raises(DataError, match=r"column 'x' has '4\.23', no number with the decimal and"):
        read(cells, decimal=",", thousands=".")


def test_a_mistake_among_numbers_is_named():
    cells = [f"{i},5" for i in range(9)] + ["n/k"]
    with pytest.raises(
        DataError, match=r"has 'n/k' among numbers \(decimal ','\) in line 11; write"
    ):
        read(cells)


@pytest.mark.parametrize(
    "cells",
    [
        ["01", "02", "W1A"],
        ["01067", "20095"],
        ["0", "1", "2", "3+"],
        ["A1", "A2"],
        ["<=50K", ">50K"],
        ["1.2.3", "2.0.1"],
        ["192.168.1.1", "10.0.0.1"],
        ["1,2,3", "4,5,6"],
        ["12A", "7B", "33C", "1D"],
        ["10-20", "20-30"],
    ],
)
def test_codes_and_ranges_stay_texts(cells):
    assert read(cells) == (cells, None, [])


# ---------------------------------------------------------------- units


@pytest.mark.parametrize(
    "cells, numbers, unit",
    [
        (["12 %", "13%", "4 %"], [12, 13, 4], "%"),
        (["$1,234.00", "$5.00"], [1234, 5], "$"),
        (["-$1", "$2"], [-1, 2], "$"),
        (["EUR 5", "EUR 7,5"], [5, 7.5], "EUR"),
        (["5,5 \u20ac", "1.234,5 \u20ac"], [5.5, 1234.5], "\u20ac"),
        (["3 kg", "4"] * 2 + [f"{i} kg" for i in range(9)], None, "kg"),
        (["35\u00b0C", "36\u00b0C"], [35, 36], "\u00b0C"),
    ],
)
def test_units_are_taken_away_where_that_is_asked_for(cells, numbers, unit):
    values, writing, _ = read(cells, units=["x"])
    assert writing.unit == unit and (numbers is None or values == numbers)
    values, writing, notices = read(cells[:10])
    assert writing is None and values == cells[:10]
    assert f"holds numbers with the unit {unit!r}" in notices[0] and "--strip-units" in notices[0]


def test_many_numbers_with_a_unit_are_no_categories():
    percents = [f"{i}%" for i in range(20)]
    with pytest.raises(DataError, match="with the unit '%', such as '0%', 20 different ones; use"):
        read(percents)
    mixed = [f"{i} {unit}" for i in range(10) for unit in ("g", "kg")]
    with pytest.raises(DataError, match=r"the units 'g' and 'kg', .* write them in one"):
        read(mixed)
    with pytest.raises(DataError, match=r"hold numbers \(unit 'g'\), got '0 kg' in lines 3"):
        read(mixed, units=["x"])
    with pytest.raises(DataError, match=r"must hold numbers \(plain\), got 'red' in line 2; write"):
        read(["red", "5"], numeric=["x"])


# ---------------------------------------------------------------- the model's writings


@pytest.fixture
def model(tmp_path):
    lines = [f"{1000 + 7 * i:,}".replace(",", ".") + f",50;{i}%;{i},5" for i in range(25)]
    (tmp_path / "t.csv").write_text("\n".join(["income;load;y", *lines]))
    given = {"n1": 2, "max_epochs": 3, "validation_data": tmp_path / "t.csv"}
    fastnet.train(
        data=tmp_path / "t.csv", target="y", strip_units="load", out=tmp_path / "run", **given
    )
    return fastnet.load_model(tmp_path / "run")


def named(content):
    file = io.BytesIO(content.encode())
    file.name = "new.csv"
    return file


def test_new_files_are_read_as_the_model_says(model, tmp_path):
    assert dict(model.writings) == {
        "income": Writing(",", "."),
        "load": Writing(unit="%"),
        "y": Writing(","),
    }
    assert model.writings == fastnet.load(tmp_path / "run").schema.writings
    whole = fastnet.predict(model, named("income;load\n1.500;5%\n1.500,00;5\n1500;5 %\n"))
    assert whole["y"].nunique() == 1
    numbers = pandas.DataFrame({"income": [1500.0], "load": [5.0]})
    assert fastnet.predict(model, numbers)["y"][0] == pytest.approx(whole["y"][0])
    assert fastnet.evaluate(model, named("income;load;y\n1.500;5%;2,5\n"))["rows"] == 1
    for cell in ("15.00", "n/k", "1,5 EUR"):
        message = rf"must hold numbers \(decimal ',', thousands '\.'\), got '{cell}' in line 3"
        with pytest.raises(DataError, match=message):
            fastnet.predict(model, named(f"income;load\n1.500;5%\n{cell};5%\n"))


def test_missing_numbers_stay_missing():
    values, _, _ = read(["1,5", "", "2,5"])
    assert np.isnan(values[1]) and values[2] == 2.5
