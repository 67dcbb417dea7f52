"""Numbers that are written another way: decimal commas, marks between thousands, units.

A column of texts becomes numbers without a question only where all its cells allow one reading.
"""

import functools
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np

from fastnet.data.dialect import AUTO, MARK_WORDS, Dialect, Writing, is_number, listed, unpacked
from fastnet.data.tables import Table
from fastnet.data.text import ZERO_LED, frames_of
from fastnet.errors import DataError

SAMPLE = 5000  # distinct cells of a column, or rows, that show how its numbers are written
SHARE = 0.8  # from this share of numbers among the cells, the others are mistakes
MOST_UNITS = 3  # of a column of numbers with units
FEW_LEVELS = 10  # up to so many different numbers with a unit may be categories
# Marks between thousands, and decimal marks.
MARKS = (("", "."), ("", ","), (",", "."), (".", ","), (" ", "."), (" ", ","), ("'", "."))
MARKS += (("'", ","),)
# Negative amounts of accountants: (12.50) and 12.50-.
NEGATIVE = re.compile(r"\((?P<inner>[^()-]+)\)|(?P<before>[^()-]+)-")
# Blanks that are no break, and the minus sign of typesetters, as typed on a keyboard.
TYPED = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'", "\u2212": "-"})
CODES = "USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|KRW|RUB|TRY"
BEFORE = rf"[-+]?(?P<before>[<>\u2264\u2265~$\u20ac\u00a3\u00a5\u20b9\u20bd\u20a9]|{CODES})?\s?"
AFTER = r"\s?(?P<after>[%\u2030\u00b0$\u20ac\u00a3\u00a5\u20b9]\w?|[^\W\d_][\w/\u00b2\u00b3.^-]*)?"
WITH_UNIT = re.compile(rf"{BEFORE}[-+]?\d[\d.,' ]*{AFTER}")
GROUPED = re.compile(r"[-+]?[1-9]\d{0,2}(\.\d{3})+")  # 9.212: perhaps 9212; not 0.212, not 9.21


@functools.lru_cache(maxsize=64)
def pattern(decimal: str, thousands: str) -> re.Pattern:
    """What a number with these marks looks like."""
    point, mark = re.escape(decimal), re.escape(thousands)
    groups = rf"\d{{1,3}}(?:{mark}\d{{3}})+|" if mark else ""
    groups += r"\d{1,2}(?:,\d\d)+,\d{3}|" * (mark == ",")  # lakhs: 1,29,900
    return re.compile(rf"[-+]?(?:(?:{groups}\d+)(?:{point}\d*)?|{point}\d+)(?:[eE][-+]?\d+)?")


def number(text: str, writing: Writing) -> float | None:
    """The number in a cell, or None if it is not written so.

    Examples
    --------
    >>> number("1.299,50", Writing(",", ".")), number("12 %", Writing(unit="%"))
    (1299.5, 12.0)
    >>> number("4.23", Writing(",", "."))
    """
    text = text.translate(TYPED)
    negative = NEGATIVE.fullmatch(text)
    if negative:
        text = "-" + (negative["inner"] or negative["before"]).strip()
    if writing.unit:
        sign = "-" * text.startswith("-")
        text = text.removeprefix("-").removeprefix(writing.unit).removesuffix(writing.unit)
        text = sign + text.strip()
    if not pattern(writing.decimal, writing.thousands).fullmatch(text):
        return None
    if writing.thousands:
        text = text.replace(writing.thousands, "")
    return float(text.replace(writing.decimal, "."))


def described(writing: Writing) -> str:
    """How numbers are written, in words."""
    words = [f"decimal {writing.decimal!r}"] * (writing.decimal != ".")
    words += [f"thousands {writing.thousands!r}"] * bool(writing.thousands)
    words += [f"unit {writing.unit!r}"] * bool(writing.unit)
    return ", ".join(words) or "plain"


# ---------------------------------------------------------------- texts to numbers


def with_numbers(table: Table, writings: Mapping[str, Writing]) -> Table:
    """The table with numbers in place of the texts of the columns that are written so.

    Raises
    ------
    DataError
        for a cell that is written another way.
    """
    columns = dict(table.columns)
    for name, writing in writings.items():
        if name in columns and not isinstance(columns[name], np.ndarray):
            columns[name] = numbers_of_texts(table, name, writing)
    return table._replace(columns=columns)


def numbers_of_texts(table: Table, name: str, writing: Writing) -> np.ndarray:
    """The numbers of a column of texts, whole ones as integers; missing ones are NaN."""
    import pandas

    codes, distinct = pandas.factorize(table.series(name))
    values = [number(str(text), writing) for text in distinct]
    bad = np.array([value is None for value in values], bool)
    if bad.any():
        what = f"must hold numbers ({described(writing)}), got {str(distinct[bad.argmax()])!r}"
        table.refuse(name, np.append(bad, False)[codes], what, "write them all alike")
    numbers = np.array([*values, np.nan], float)
    whole = (codes >= 0).all() and all(v == int(v) and abs(v) < 2**53 for v in values)
    return (numbers[:-1].astype(np.int64) if whole else numbers)[codes]


# ---------------------------------------------------------------- how columns are written


def find_writings(
    table: Table,
    names: Iterable[str],
    dialect: Dialect,
    units: Collection[str] = (),
    numeric: Collection[str] = (),
) -> tuple[dict[str, Writing], list[str], dict[str, DataError]]:
    """How the numbers of those columns are written that pandas reads as texts.

    Parameters
    ----------
    table : Table
    names : iterable of str
        Columns that may hold numbers.
    dialect : Dialect
        Its decimal mark and mark between thousands, if they were named.
    units, numeric : collection of str
        Columns whose units are taken away, and columns that must hold numbers.

    Returns
    -------
    writings : dict
        By the names of columns that are to become numbers.
    notices : list of str
        What was understood.
    doubts : dict
        The errors, by the names of columns that can be read in two ways, have many different
        numbers with a unit, or are not written as was said.
    """
    names, doubts = list(names), {}
    found: dict[str, Writing] = {}
    notices = []
    for name in names:
        if isinstance(table.columns[name], np.ndarray):
            continue
        try:
            writing, said = written(table, name, dialect, name in units, name in numeric)
        except DataError as error:
            doubts[name] = error
            continue
        notices += said
        if writing is not None:
            found[name] = writing
    points = [name for name in names if name not in numeric]
    doubts |= doubtful_points(table, points, found, dialect)
    return found, notices + notices_of(table, found), doubts


def written(
    table: Table, name: str, dialect: Dialect, units: bool, numeric: bool
) -> tuple[Writing | None, list[str]]:
    """How the numbers of a column of texts are written, if it holds numbers, and a notice."""
    cells = distinct_texts(table, name)
    shared = common_units(cells)
    if shared and not units:
        return None, units_left(table, name, shared, cells)
    if not cells or not worth_reading(cells, dialect, units or numeric):
        return None, []
    writing = only_writing(table, name, cells, dialect, "".join(shared))
    if writing is None and (units or numeric):
        numbers_of_texts(table, name, Writing(unit="".join(shared[:1])))  # says what is odd
    return writing, []


def notices_of(table: Table, found: Mapping[str, Writing]) -> list[str]:
    """What was understood: one notice for each way of writing."""
    notices = []
    for writing in dict.fromkeys(found.values()):
        columns = [name for name, own in found.items() if own == writing]
        cells = distinct_texts(table, columns[0])
        odd = [cell for cell in cells if not is_number(cell)] or cells
        cell = next((cell for cell in odd if NEGATIVE.fullmatch(cell)), odd[0])
        notices.append(
            f"Read as numbers ({described(writing)}), such as {cell!r} = "
            f"{number(cell, writing):.10g}: column{'s' * (len(columns) > 1)} {listed(columns)}."
        )
    return notices


def distinct_texts(table: Table, name: str) -> list[str]:
    """Some distinct cells of a column of texts; none of other columns."""
    values = table.columns[name]
    if isinstance(values, np.ndarray) or values.dtype.name == "category":
        return []
    from pandas.api.types import infer_dtype

    if infer_dtype(values, skipna=True) != "string":
        return []
    return values.dropna().unique()[:SAMPLE].tolist()


def worth_reading(cells: Sequence[str], dialect: Dialect, numeric: bool) -> bool:
    """Whether texts may be numbers: not codes such as 01, and not digits that are texts."""
    if numeric:
        return True
    if any(re.fullmatch(ZERO_LED + "[0-9]*", cell) for cell in cells):
        return False
    told = dialect.decimal not in (AUTO, ".")
    return told or not all(is_number(cell) for cell in cells)


def common_units(cells: Sequence[str]) -> list[str]:
    """The units of the numbers in the cells; none if there are cells without a number.

    Many units are no units but letters of codes such as 12A, and few numbers with a unit among
    many without are mistakes.
    """
    units = []
    for cell in cells:
        match = WITH_UNIT.fullmatch(cell.translate(TYPED).strip("()").rstrip("-"))
        if match is None or (match["before"] and match["after"]):
            return []
        units.append(match["before"] or match["after"] or "")
    shared = sorted({*units} - {""})
    usual = units.count("") < (1 - SHARE) * len(units)
    return shared if usual and len(shared) <= MOST_UNITS else []


def units_left(table: Table, name: str, units: Sequence[str], cells: Sequence[str]) -> list[str]:
    """The notice on a few numbers with a unit, which become categories; more are refused."""
    named = f"the unit{'s' * (len(units) > 1)} {' and '.join(map(repr, units))}"
    what = f"olumn {name!r} holds numbers with {named}, such as {cells[0]!r}"
    cure = f"use --strip-units {name} for the numbers"
    if len(units) > 1:
        cure = "write them in one unit"
    if len(cells) > FEW_LEVELS:
        raise DataError(
            f"{table.name}: c{what}, {len(cells)} different ones; {cure}, or --categorical {name} "
            "for categories."
        )
    return [f"C{what}, taken as categories; {cure}."] if len(units) == 1 else []


def only_writing(
    table: Table, name: str, cells: Sequence[str], dialect: Dialect, unit: str
) -> Writing | None:
    """The one way in which all cells are numbers; None if there is none."""
    ways = [Writing(decimal, mark, unit) for mark, decimal in MARKS]
    values = {way: [number(cell, way) for cell in cells] for way in ways}
    fits = [way for way in ways if None not in values[way]]
    told = [way for way in fits if is_allowed(way, dialect)]
    if not fits:
        refuse_odd_cells(table, name, cells, values)
        return None
    if not told:
        raise DataError(
            f"{table.name}: column {name!r} has {cells[0]!r}, no number with the decimal and "
            f"thousands that were named ({described(fits[0])} fits); correct --decimal and "
            f"--thousands, or use --categorical {name}."
        )
    for way in told[1:]:
        for cell, one, other in zip(cells, values[told[0]], values[way]):
            if one != other:
                raise DataError(
                    f"{table.name}: column {name!r} can be read in two ways: {cell!r} is "
                    f"{one:.10g} ({described(told[0])}) or {other:.10g} ({described(way)}); say "
                    "which with --decimal or --thousands."
                )
    return told[0]


def is_allowed(way: Writing, dialect: Dialect) -> bool:
    """Whether the numbers may be written so, as far as options say."""
    decimal, mark = (MARK_WORDS.get(m, m) for m in (dialect.decimal, dialect.thousands))
    if decimal not in (AUTO, way.decimal):
        return False
    return mark == AUTO or (way.thousands in ("", mark) and way.decimal != mark)


def refuse_odd_cells(
    table: Table, name: str, cells: Sequence[str], values: Mapping[Writing, list]
) -> None:
    """Refuse a few cells that are no numbers among many that are, however these are written."""
    way = min(values, key=lambda way: values[way].count(None))
    odd = [cell for cell, value in zip(cells, values[way]) if value is None]
    if len(odd) <= (1 - SHARE) * len(cells):
        bad = (table.series(name).astype(str) == odd[0]).to_numpy(bool)
        like = "" if way.decimal == "." and not way.thousands else f" ({described(way)})"
        table.refuse(name, bad, f"has {odd[0]!r} among numbers{like}", "write a number")


def doubtful_points(
    table: Table, names: Sequence[str], found: Mapping[str, Writing], dialect: Dialect
) -> dict[str, DataError]:
    """The errors for 9.212 in a table whose other columns have decimal commas: perhaps 9212."""
    commas = [name for name, way in found.items() if way.decimal == ","]
    floats = [n for n in names if getattr(table.columns[n].dtype, "kind", "O") == "f"]
    if not commas or not floats or dialect.decimal != AUTO or table.text is None:
        return {}
    with unpacked(table.text.source, table.text.name) as file:
        file.seek(0)
        with frames_of(file, table.text, dtype="str", usecols=floats, nrows=SAMPLE) as reader:
            sample = next(reader)
    doubts = {}
    for name in floats:
        cells = [cell for cell in sample[name].dropna().unique() if "." in cell]
        if cells and all(GROUPED.fullmatch(cell) for cell in cells):
            doubts[name] = DataError(
                f"{table.name}: column {name!r} can be read in two ways: {cells[0]!r} is "
                f"{float(cells[0]):.10g} or, as column {commas[0]!r} has decimal commas, "
                f"{cells[0].replace('.', '')}; --numeric {name} takes the first, --decimal , the "
                "second."
            )
    return doubts
