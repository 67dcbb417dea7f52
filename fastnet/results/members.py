"""members.csv, one row per member: written and read by columns.

A run may have a million members. Its file has 180 MB, and takes pandas 3 s where the csv module and
NumPy take 26; for some hundred members they are done before pandas is imported. They also say which
cell is wrong, so a file that pandas does not read is left to them.
"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet.errors import DataError, quoted
from fastnet.files import open_regular, write_bytes
from fastnet.options.methods import CONVERGED_BY, INIT_KINDS, STOPS
from fastnet.options.table import COLUMNS as AXES
from fastnet.results.result import MEMBERS
from fastnet.training.plan import OFF, shown

if TYPE_CHECKING:
    import pandas

LARGE = 1 << 20  # bytes from which pandas is faster
# The texts of members.csv.
NAMES = {
    **{name: option.choices for name, option in AXES.items() if option.choices},
    "init_kind": INIT_KINDS,
    "status": ("live", "done"),
    "stop_reason": tuple(STOPS),
    "converged_by": CONVERGED_BY,
}

# ---------------------------------------------------------------- reading


def read_members(path: Path) -> np.ndarray:
    """The structured array in a members.csv."""
    try:
        with open_regular(path, "rb", links=True) as file:
            content = file.read()
        columns = columns_of_frame(content) if len(content) >= LARGE else None
        columns = columns or columns_of_text(content)
    except (OSError, ValueError, csv.Error) as error:
        raise DataError(f"{path} cannot be read ({error}).") from None
    members = np.zeros(len(columns[0]), MEMBERS)
    for name, values in zip(MEMBERS.names, columns):
        members[name] = values
    return members


def columns_of_frame(content: bytes) -> list[np.ndarray] | None:
    """The columns of a large members.csv; None if something in it is odd."""
    import pandas

    # Cells that are missing at the end of a row would count as empty.
    if content.count(b",") != (len(MEMBERS.names) - 1) * content.count(b"\n"):
        return None
    # Before pandas 3.1 numbers are rounded unless this is given; from then on it is deprecated.
    new = tuple(map(int, pandas.__version__.split(".")[:2])) >= (3, 1)
    precision = {} if new else {"float_precision": "round_trip"}
    few = [name for name in MEMBERS.names if name in OFF or MEMBERS[name].kind == "U"]
    floats = [name for name in MEMBERS.names if MEMBERS[name].kind == "f" and name not in few]
    kinds = {name: "category" if name in few else MEMBERS[name] for name in MEMBERS.names}
    how = {"keep_default_na": False, "na_values": {name: [""] for name in floats}, **precision}
    try:
        frame = pandas.read_csv(io.BytesIO(content), dtype=kinds, skip_blank_lines=False, **how)
        if tuple(frame.columns) != MEMBERS.names or not len(frame):
            return None
        return [column_of_frame(name, frame[name]) for name in MEMBERS.names]
    except (ValueError, OverflowError):
        return None


def column_of_frame(name: str, column: "pandas.Series") -> np.ndarray:
    """A column as an array; one of few values is read value by value."""
    if column.dtype != "category":
        return column.to_numpy()
    values = column_read(name, tuple(column.cat.categories))
    return values[column.cat.codes.to_numpy()]


def columns_of_text(content: bytes) -> list[np.ndarray]:
    """The columns of a members.csv, the header first; a ValueError says what is wrong with it."""
    lines = list(csv.reader(io.StringIO(content.decode(), newline="")))
    names, rows = MEMBERS.names, lines[1:]
    if not rows:
        raise ValueError("it has no members")
    if tuple(lines[0]) != names:
        odd = sorted(set(lines[0]) ^ set(names))
        raise ValueError(f"columns missing, unknown or in another order: {', '.join(odd)}")
    for number, row in enumerate(rows, 2):
        if len(row) != len(names):
            raise ValueError(f"line {number} has {len(row)} cells, the header has {len(names)}")
    return [column_read(name, values) for name, values in zip(names, zip(*rows))]


def column_read(name: str, values: tuple[str, ...]) -> np.ndarray:
    """A column of members.csv from its texts; a ValueError names the first that cannot be."""
    dtype, unset = MEMBERS[name], str(OFF.get(name, np.nan))
    if dtype.kind == "U":
        return named(name, values)
    try:
        return np.array([value or unset for value in values]).astype(dtype)
    except (ValueError, OverflowError):
        odd = next(value for value in values if not is_read(value or unset, dtype))
        wanted = "an integer" if dtype.kind == "i" else "a number"
        raise ValueError(f"{name} has {quoted(odd)}, not {wanted}") from None


def named(name: str, values: tuple[str, ...]) -> np.ndarray:
    """A column of names; a ValueError for one that is none."""
    odd = [value for value in values if value not in NAMES[name]]
    if odd:
        raise ValueError(f"{name} has {quoted(odd[0])}, not one of {', '.join(NAMES[name])}")
    return np.array(values)


def is_read(value: str, dtype: np.dtype) -> bool:
    """Whether a cell of members.csv is a number of this dtype."""
    try:
        np.array(value).astype(dtype)
    except (ValueError, OverflowError):
        return False
    return True


# ---------------------------------------------------------------- writing


def write_members(path: Path, members: np.ndarray) -> None:
    """Write members.csv, one row per member."""
    columns = [csv_cells(name, members[name]) for name in MEMBERS.names]
    lines = [",".join(MEMBERS.names), *map(",".join, zip(*columns))]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def csv_cells(name: str, values: np.ndarray) -> list[str]:
    """A column of members.csv as texts: off or missing is empty, numbers read back."""
    if (values == values[0]).all():  # most columns
        return [csv_cell(name, values[0].item())] * len(values)
    if name in OFF:
        return [csv_cell(name, value) for value in values.tolist()]
    return ["" if value != value else str(value) for value in values.tolist()]


def csv_cell(name: str, value: Any) -> str:
    """A value of members.csv as exact text; empty if it is off or missing."""
    value = shown(name, value)
    return "" if value is None or value != value else str(value)
