"""Dates as numbers: what they become, what is refused, and that a model keeps the way."""

import datetime
import io

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.data.columns import describe_inputs, encode_inputs
from fastnet.data.dates import holds_dates
from fastnet.data.levels import ColumnRules
from fastnet.data.schema import Column
from fastnet.data.tables import read_table, table_of_frame
from fastnet.errors import DataError
from fastnet.estimator import FastNetRegressor

UTC = datetime.timezone.utc
DAYS = [datetime.datetime(2019, 11, 5, 6, 30) + i * datetime.timedelta(37.25) for i in range(60)]


def inputs_of(values, dates="parts", **rules):
    """The Column and the inputs that a column of values becomes."""
    table = table_of_frame(pandas.DataFrame({"day": values}), "t.csv")
    (column,), _ = describe_inputs(table, ["day"], ColumnRules(dates=dates, **rules))
    inputs = np.empty((table.rows, len(column.inputs())))
    encode_inputs(table, [column], inputs)
    return column, inputs


def test_parts_and_seconds_are_those_of_pythons_own_dates():
    column, inputs = inputs_of([f"{day:%Y-%m-%d %H:%M}" for day in DAYS])
    wanted = ("day.year", "day.month", "day.day_of_year", "day.weekday", "day.hour")
    assert column.inputs() == wanted
    parts = [
        (d.year, d.month, d.timetuple().tm_yday, d.weekday(), d.hour + d.minute / 60) for d in DAYS
    ]
    np.testing.assert_array_equal(inputs, parts)
    column, inputs = inputs_of([f"{day:%Y-%m-%d %H:%M}" for day in DAYS], "seconds")
    assert column == Column("day", "date", ("seconds",)) and column.inputs() == ("day.seconds",)
    assert inputs[:, 0].tolist() == [d.replace(tzinfo=UTC).timestamp() for d in DAYS]


@pytest.mark.parametrize("dates", ["parts", "seconds"])
@pytest.mark.parametrize(
    "values",
    [
        pandas.Series(DAYS),
        pandas.Series(DAYS).dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"),
        [d.isoformat() for d in DAYS],
        [d.isoformat() + "Z" for d in DAYS],
        pandas.Series(DAYS, dtype=object),
    ],
    ids=["datetimes", "zone", "T", "Z", "objects"],
)
def test_every_way_to_write_a_date_is_the_same_number(values, dates):
    column, inputs = inputs_of([str(day) for day in DAYS], dates)
    other, others = inputs_of(values, dates)
    assert column == other
    np.testing.assert_array_equal(inputs, others)


def test_parts_with_one_value_are_left_out():
    assert inputs_of(["2020-01-31", "2020-02-01"])[0].categories == (
        *("month", "day_of_year", "weekday"),
    )
    days = ["2020-01-31 00:00:00.25", "2020-01-31 00:00:00.5"]
    column, inputs = inputs_of(days)  # nothing but the seconds varies
    assert column.categories == ("seconds",) and np.ptp(inputs) == 0.25
    assert inputs_of([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)])[0].categories == (
        *("year", "weekday"),
    )


def test_categories_stay_categories():
    column, _ = inputs_of(["2020-01", "2020-02"] * 3, "refuse")
    assert column.kind == "category"
    assert inputs_of(["2020-01", "2020-02"] * 3, "seconds")[0].kind == "date"
    assert inputs_of(["2020-01", "x"] * 3, "seconds")[0].kind == "category"
    assert inputs_of([1.5, 2.5], "seconds")[0].kind == "number"
    column, _ = inputs_of(["2020-01", "2020-02"] * 3, "seconds", categorical=["day"])
    assert column.kind == "category"


@pytest.mark.parametrize(
    "values, dates, message",
    [
        (["2020-01-31", "2020-12-01"], "refuse", r"make numbers of them with --dates, for ex"),
        (DAYS, "refuse", r"dates such as 2019-11-05 06:30:00; make numbers of them with --dates,"),
        (["31.1.2020", "1.2.2020"], "parts", r"with --dates once they are written as 2020-01-31,"),
        (["2020-01-31", "2020-02-31"], "parts", r"must hold dates, got '2020-02-31' in row 1 .*;"),
        (["2020-01-31", None, "2020-02-01"], "seconds", r"has no value in row 1 .*; write a date"),
        ([f"{i:02}:15" for i in range(24)], "parts", r"such as 00:15; make numbers of them, for"),
        ([datetime.time(i) for i in range(9)], "seconds", r"holds dates such as 00:00:00; make "),
    ],
)
def test_what_is_refused(values, dates, message):
    with pytest.raises(DataError, match=rf"^t\.csv: column 'day' .*{message}"):
        inputs_of(values, dates)


@pytest.mark.parametrize("text", ["1.2.2020", "2020", "7", "2020-01-01 25:00", "tomorrow"])
def test_other_texts_are_no_dates_for_a_model(text):
    table = read_table(io.BytesIO(f"day\n{text}\n".encode()), "new.csv")
    with pytest.raises(DataError, match=r"new\.csv: column 'day' must hold dates, got .* line 2; "):
        encode_inputs(table, [Column("day", "date", ("year",))], np.empty((1, 1)))
    assert holds_dates(read_table(io.BytesIO(b"d\n2020-01-01\n"), "t.csv"), "d")


@pytest.mark.parametrize("dates", ["parts", "seconds"])
def test_a_model_keeps_the_way(tmp_path, dates):
    rows = [f"{day:%Y-%m-%d %H:%M},{i % 7},{i}" for i, day in enumerate(DAYS)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["day,size,y", *rows]))
    result = fastnet.train(
        data=path, target="y", dates=dates, impute="median", n1=2, max_epochs=3, out=tmp_path / "r"
    )
    column = result.columns[0]
    assert column.kind == "date" and column.fill is None
    assert result.scaling.x_shift[0] > 2000  # scaled as numbers are
    model = fastnet.load_model(tmp_path / "r")
    assert model.columns == result.columns == fastnet.load(tmp_path / "r").columns
    frame = pandas.read_csv(path)
    found = model.predict(frame)
    np.testing.assert_array_equal(found, model.predict(frame.assign(day=DAYS)))
    one = io.BytesIO(b"size,day\n0,2019-11-05T06:30Z\n")
    one.name = "one.csv"
    np.testing.assert_allclose(fastnet.predict(model, one)["y"][0], found[0], rtol=1e-12)


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%d.%m.%Y"])
def test_the_estimators_name_their_parameter(form):
    X = pandas.DataFrame({"day": [f"{day:{form}}" for day in DAYS], "size": range(60)})
    message = r"numbers of them with the parameter dates='parts' or 'seconds'.* or leave it out\.$"
    with pytest.raises(ValueError, match=message):
        FastNetRegressor().fit(X, np.arange(60.0))


def test_unknown_parts_in_a_schema_are_told(tmp_path):
    rows = [f"{day:%Y-%m-%d},{i}" for i, day in enumerate(DAYS)]
    (tmp_path / "t.csv").write_text("\n".join(["day,y", *rows]))
    result = fastnet.train(
        data=tmp_path / "t.csv", target="y", dates="seconds", n1=1, max_epochs=1, out=tmp_path / "r"
    )
    forged = (Column("day", "date", ("century",)),)
    wrong = list(result.schema._replace(columns=forged).misfits())
    assert wrong == ["column 'day' has the unknown parts century"]
