"""Columns of dates as numbers: seconds, or parts such as the month."""

import re
from typing import Any

import numpy as np

from fastnet.data.schema import Column
from fastnet.data.tables import Table

# ISO 8601, perhaps with a time and its distance from UTC.
CLOCK = r"\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d(:?\d\d)?)?"
ISO_DATE = re.compile(rf"\d{{4}}-\d\d(-\d\d([T ]{CLOCK})?)?Z?")
TYPES = ("datetime64", "datetime", "date")  # as pandas infers them; times of day are no dates
WRITE = "write dates as 2020-01-31 or 2020-01-31 14:05"


def holds_dates(table: Table, name: str) -> bool:
    """Whether all values of a column are dates: of a type for them, or ISO texts."""
    values = table.columns[name]
    if isinstance(values, np.ndarray):
        return False
    if is_typed(values):
        return True
    texts = values.dropna().unique()
    return all(isinstance(text, str) and ISO_DATE.fullmatch(text) for text in texts)


def is_typed(values: Any) -> bool:
    """Whether a Series has a type for dates."""
    from pandas.api.types import infer_dtype

    return infer_dtype(values, skipna=True) in TYPES


def date_of(table: Table, name: str, way: str) -> Column:
    """A column of dates as a Column: one input of seconds, or one for each part that varies."""
    parts = parts_of(table, name)
    if way == "seconds":
        return Column(name, "date", ("seconds",))
    varying = [p for p, v in parts.items() if p != "seconds" and (v != v[0]).any()]
    return Column(name, "date", tuple(varying) or ("seconds",))


def parts_of(table: Table, name: str) -> dict[str, np.ndarray]:
    """The numbers that stand for the dates of a column, by DATE_PARTS, each of shape (n,)."""
    import pandas

    table.refuse_missing(name, table.series(name).isna().to_numpy(bool), "write a date there")
    values = table.series(name)
    if is_typed(values):
        when = pandas.to_datetime(values, utc=True)
    else:
        texts = values.astype(str)
        when = pandas.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
        bad = when.isna().to_numpy() | ~texts.str.fullmatch(ISO_DATE).to_numpy(bool)
        table.refuse(name, bad, f"must hold dates, got {texts.iloc[bad.argmax()]!r}", WRITE)
    since = when - pandas.Timestamp(0, tz="UTC")
    at = when.dt
    parts = {
        "seconds": since.dt.total_seconds(),
        "year": at.year,
        "month": at.month,
        "day_of_year": at.day_of_year,
        "weekday": at.day_of_week,
        "hour": at.hour + at.minute / 60 + at.second / 3600,
    }
    return {part: numbers.to_numpy(np.float64) for part, numbers in parts.items()}


def encode_date(table: Table, column: Column, out: np.ndarray, impute: str) -> None:
    """A column of dates as one input for each of its parts; missing dates are always refused."""
    parts = parts_of(table, column.name)
    for j, part in enumerate(column.categories):
        out[:, j] = parts[part]
