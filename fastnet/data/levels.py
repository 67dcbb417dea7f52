"""Levels of categories: which there are, which share one input, and what new ones become."""

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.checks import LARGEST_WHOLE
from fastnet.data.dates import ISO_DATE
from fastnet.data.dialect import is_number, listed, plain_name
from fastnet.data.frames import is_text
from fastnet.data.schema import Column
from fastnet.data.tables import Table
from fastnet.errors import DataError, UsageError, quoted

MAX_CATEGORIES = 100  # most categories of a column; more distinct texts are names, numbers or prose
SHARE = 0.8  # from this share of numbers or dates among the distinct texts, the others are mistakes
DATE = re.compile(r"(\d{4}([-/.])\d\d?\2\d\d?|\d\d?([-/.])\d\d?\3(\d{4}|\d\d))(?!\d).*")
TIME = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?")
FEW_TIMES = 10  # up to so many different times of day are categories, such as shifts
LEAVE_OUT = "or leave it out with --exclude"
OTHER, MISSING = "other", "missing"  # the levels of rare and new texts, and of missing ones


class ColumnRules(NamedTuple):
    """What is said about categories and dates.

    Attributes
    ----------
    categorical : collection of str
        Columns that are categories whatever they hold.
    impute : str
        "none" refuses missing texts; else they have a level of their own.
    unknown : {"error", "other"}
        What a level becomes that no training row has.
    min_count : int
        A level with fewer rows shares the level "other" with its like.
    dates : {"refuse", "seconds", "parts"}
        What becomes of dates.
    ordinal : dict
        Columns whose levels have an order: their levels, the lowest first, by name.
    """

    categorical: Collection[str] = ()
    impute: str = "none"
    unknown: str = "error"
    min_count: int = 1
    dates: str = "refuse"
    ordinal: Mapping[str, tuple[str, ...]] = {}  # never changed


NO_RULES = ColumnRules()


def rules_of(options: Mapping[str, Any]) -> ColumnRules:
    """The ColumnRules in the options of a run."""
    names = ("categorical", "impute", "unknown", "min_level_count", "dates")
    return ColumnRules(*(options[name] for name in names), orders_of(options["ordinal"]))


def orders_of(parts: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The levels of columns, the lowest first, from texts such as size=S<M<L.

    Examples
    --------
    >>> orders_of(["size=S<M<L", "taste=bad<good"])
    {'size': ('S', 'M', 'L'), 'taste': ('bad', 'good')}
    """
    orders: dict[str, tuple[str, ...]] = {}
    for part in parts:
        name, _, text = part.partition("=")
        levels, name = tuple(level.strip() for level in text.split("<")), plain_name(name)
        if not name or name in orders or "" in levels or not 1 < len(levels) == len({*levels}):
            raise UsageError(
                "ordinal must name each column once with two or more different levels, the lowest "
                f"first, such as size=S<M<L, got {quoted(part)}."
            )
        orders[name] = levels
    return orders


def category_of(table: Table, name: str, rules: ColumnRules) -> tuple[Column, list[str]]:
    """A column of texts as a Column, and the notice on levels that share one."""
    texts = texts_of_column(table, name).dropna().astype(str)
    told = name in rules.categorical
    levels = sorted(texts.unique()) if told else levels_of(table, name)
    counts = texts.value_counts()
    rare = {level for level in levels if counts[level] < rules.min_count}
    kept = {*levels} - rare
    refuse_many(table, name, sorted(kept), rules)
    if not kept:
        raise DataError(
            f"{table.name}: column {name!r} has no level with {rules.min_count} rows; lower "
            f"--min-level-count, {LEAVE_OUT}."
        )
    fill = None
    if rules.impute != "none":
        gaps = len(texts) < table.rows
        fill = MISSING if gaps else str(counts.index[0])
        kept |= {fill} if gaps else set()
    kept |= {OTHER} if rare else set()
    shares = rules.unknown == "other" or rules.min_count > 1
    said = f"Levels of column {name!r} with fewer than {rules.min_count} rows share one input"
    said = [f"{said}, {name}={OTHER}: {listed(sorted(rare))}."] * bool(rare)
    return Column(name, "category", tuple(sorted(kept)), fill, shares), said


def refuse_many(table: Table, name: str, levels: list[str], rules: ColumnRules) -> None:
    """Refuse more levels than categories have."""
    most = min(MAX_CATEGORIES, max(table.rows // 2, 10))
    if len(levels) > most:
        raise DataError(
            f"{table.name}: column {name!r} has {len(levels)} different texts in {table.rows} "
            f"rows, such as {levels[0]!r}; at most {most} are taken as categories. Let rare ones "
            f"share one with --min-level-count, {LEAVE_OUT}."
        )


def texts_of_column(table: Table, name: str) -> Any:
    """A column as texts; whole numbers have no decimal point, whatever their type."""
    values = table.series(name)
    if is_text(values):
        return values
    numbers = values.dropna()
    whole = numbers.dtype.kind == "f" and (numbers == np.floor(numbers)).all()
    if whole and (numbers.abs() < LARGEST_WHOLE).all():
        numbers = numbers.astype(np.int64)
    return numbers.astype(str).reindex(values.index)


def levels_of(table: Table, name: str, cure: str = LEAVE_OUT) -> list[str]:
    """The distinct texts of a column, sorted; dates and mistakes among numbers are refused."""
    values = texts_of_column(table, name)
    distinct = sorted(map(str, values.dropna().unique()))
    times = len(distinct) > FEW_TIMES and all(TIME.fullmatch(text) for text in distinct)
    if times or all(DATE.fullmatch(text) for text in distinct):
        other = (text for text in distinct if not ISO_DATE.fullmatch(text))
        raise no_dates(table, name, next(other, distinct[0]), cure)
    for kind, fits in (("number", is_number), ("date", DATE.fullmatch)):
        odd = [text for text in distinct if not fits(text)]
        if odd and len(odd) <= (1 - SHARE) * len(distinct):
            bad = (values.astype(str) == odd[0]).to_numpy()
            told = f", or use --categorical {name}" * (cure == LEAVE_OUT)
            table.refuse(name, bad, f"has {odd[0]!r} among {kind}s", f"write a {kind}{told}")
    return distinct


def no_dates(table: Table, name: str, example: Any, cure: str = LEAVE_OUT) -> DataError:
    """The error for a column of dates."""
    form, day = "", ISO_DATE.fullmatch(str(example))
    if cure == LEAVE_OUT and not TIME.fullmatch(str(example)):
        form = " with --dates" if day else " with --dates once they are written as 2020-01-31"
    return DataError(
        f"{table.name}: column {name!r} holds dates such as {example}; make numbers of them{form}, "
        f"for example the day of the year, {cure}."
    )


def encode_category(table: Table, column: Column, out: np.ndarray, impute: str) -> None:
    """A column of texts as one input per category: 1 for the row's own, else 0.

    A level that is not among the categories is "other" if there is such an input, and none of
    them if there is not.
    """
    import pandas

    values = texts_of_column(table, column.name)
    missing = values.isna().to_numpy(bool)
    if column.fill is None:
        cure = "write a text there, such as unknown, or train with --impute median"
        table.refuse_missing(column.name, missing, cure)
    texts = values.astype(str).where(~missing, column.fill)
    codes = pandas.Index(column.categories).get_indexer(texts)
    unknown = codes < 0
    if unknown.any() and not column.shares:
        known = f"known: {listed(column.categories)}; --unknown other in training allows others"
        first = str(texts[unknown].iloc[0])
        table.refuse(column.name, unknown, f"has the unknown category {first!r}", known)
    if OTHER in column.categories:
        codes[unknown] = column.categories.index(OTHER)
    out[...] = 0
    rows = np.flatnonzero(codes >= 0)
    out[rows, codes[rows]] = 1


def encode_ordinal(table: Table, column: Column, out: np.ndarray, impute: str) -> None:
    """A column of texts as one input: the place of each in the order of the levels."""
    import pandas

    values = texts_of_column(table, column.name)
    known = f"write one of {' < '.join(column.categories)}"
    table.refuse_missing(column.name, values.isna().to_numpy(bool), known)
    places = pandas.Index(column.categories).get_indexer(values.astype(str))
    if (places < 0).any():
        first = str(values[places < 0].iloc[0])
        table.refuse(column.name, places < 0, f"has the unknown level {first!r}", known)
    out[:, 0] = places
