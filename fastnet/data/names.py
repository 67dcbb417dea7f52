"""Names of the columns of a text file, and what becomes of columns that have none."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnet.data.checks import refuse_same_names
from fastnet.data.dialect import BLANKS, Dialect, blank_cells, is_number, records
from fastnet.data.frames import kind_of_chunk
from fastnet.errors import DataError

UNNAMED = "\0"  # begins the names of columns that have none
PANDAS_NAME = re.compile(r"Unnamed: \d+")  # what pandas calls them, and so writes


def names_of_cells(
    names: list[str], lines: list[str], separator: str, name: str, quote: str | None
) -> list[str]:
    """A name for each cell of a row: R gives none to the names of rows, which it quotes."""
    if separator == BLANKS:
        rows = [blank_cells(line, quote) for line in lines if line.strip()][1:]
    else:
        rows = records(lines, separator, quote)[1:]
    width = max(map(len, rows), default=len(names))
    if width == len(names) + 1 and quote and all(line.startswith(quote) for line in lines):
        return ["", *names]
    if width < len(names) and all(names[width:]):
        raise DataError(
            f"{name}: the first line names {len(names)} columns, the rows have {width} cells; if "
            "names have commas, put them in quotes, which --quote says."
        )
    return names


def check_names(names: list[str], name: str, dialect: Dialect) -> None:
    """Refuse a header without names, with numbers as names, or with one name twice."""
    if not any(names):
        raise DataError(f"{name} is empty; its first line must name the columns.")
    refuse_same_names([n for n in names if n], name)
    if not dialect.no_header and all(is_number(n) for n in names):
        raise DataError(
            f"{name}: the first line must name the columns, got {', '.join(names[:5])}; if it is "
            "a row, use --no-header, which names the columns 1, 2, 3, and so on."
        )


def marked(names: Sequence[str]) -> tuple[str, ...]:
    """Names, different ones also for columns that have none."""
    return tuple(n or f"{UNNAMED}{j}" for j, n in enumerate(names))


# ---------------------------------------------------------------- columns that are left out


def without_index(
    columns: dict[str, Any], name: str, known: bool
) -> tuple[dict[str, Any], list[str]]:
    """The columns without those that have no name and no meaning, and notices about these.

    An empty column is made by separators at the ends of lines, an index by pandas and R. What a
    model does not know it does not use either.
    """
    kept, notices = {}, []
    for place, (own, values) in enumerate(columns.items(), 1):
        unnamed, odd = own.startswith(UNNAMED), PANDAS_NAME.fullmatch(own) and not known
        if unnamed and (known or kind_of_chunk(values) == "empty"):
            notices.append(f"Left out because it has no name and no value: column {place}.")
        elif (unnamed or odd) and not kept and names_rows(values):
            why = "it has no name and another value in each row"
            notices.append(f"Left out because {why}: column {place}.")
        elif unnamed:
            raise DataError(
                f"{name}: column {place} has no name in the first line; name it there, or "
                "remove it."
            )
        else:
            kept[own] = values
    return kept, [] if known else notices


def names_rows(values: Any) -> bool:
    """Whether a column has another whole number or text in each row, as an index has."""
    import pandas

    is_measured = isinstance(values, np.ndarray) and values.dtype.kind not in "iu"
    return not is_measured and pandas.Series(values).is_unique
