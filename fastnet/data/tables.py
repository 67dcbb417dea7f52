"""A user's file as a table: CSV, TSV, Parquet, npz or npy, with a name for every column.

pandas is imported when a table is read, not before.
"""

import csv
import io
import os
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from fastnet.errors import DataError
from fastnet.extras import missing_extra
from fastnet.files import load_arrays

FORMATS = (".csv", ".tsv", ".parquet", ".npz", ".npy")
CHUNK_ROWS = 1 << 16  # of a CSV at a time: 10 bytes per value at most, all at once 25


class Table(NamedTuple):
    """A data frame and where it comes from.

    Attributes
    ----------
    frame : DataFrame
    name : str
        Its name in messages.
    file : path or binary file or None
        The text file, which is read again for line numbers; None if there is none.
    separator : str
        The separator of the cells in the text file.
    notices : tuple of str
        What was left out of the frame.
    """

    frame: object
    name: str
    file: object = None
    separator: str = ","
    notices: tuple = ()

    def places(self, bad: np.ndarray) -> str:
        """The rows where the mask is true, in words; for a text file, line numbers."""
        rows = np.flatnonzero(bad)
        first, word, note = rows[:5], "row", " (counted from 0)"
        if self.file is not None:
            first, word, note = line_numbers(self.file, self.separator, first), "line", ""
        more = f", ... ({len(rows)} in all)" if len(rows) > 5 else ""
        return f"{word}{'s' * (len(rows) > 1)} {', '.join(map(str, first))}{more}{note}"

    def refuse(self, column: str, bad: np.ndarray, what: str, cure: str) -> None:
        """An error for the rows of a column where the mask is true, if there are any."""
        if bad.any():
            raise DataError(f"{self.name}: column {column!r} {what} in {self.places(bad)}; {cure}.")


# ---------------------------------------------------------------- reading


def read_table(source: Any, name: str | None = None) -> Table:
    """The Table in a file.

    Parameters
    ----------
    source : path or binary file
        A path that ends in .csv, .tsv, .parquet, .npz or .npy, "-" for a CSV on standard
        input, or an open binary file whose `name` (or the argument) gives the type.
    name : str, optional
        Its name in messages.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        when it cannot be read or is not a table with named columns.

    Examples
    --------
    >>> import io
    >>> table = read_table(io.BytesIO(b"size,colour\\n1.5,red\\n2,blue\\n"), "shop.csv")
    >>> table.frame["colour"].tolist()
    ['red', 'blue']
    """
    if str(source) == "-":
        source, name = io.BytesIO(sys.stdin.buffer.read()), name or "standard input"
    if hasattr(source, "read"):
        name = name or str(getattr(source, "name", "the file"))
        return read_file(source, source, name)
    name = name or relative_path(source)
    try:
        with open(source, "rb") as file:
            return read_file(file, source, name)
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror or error}).") from None


def listed(names: Sequence, most: int = 10) -> str:
    """Names for a message, at most `most` of them."""
    return ", ".join(map(str, names[:most])) + ", ..." * (len(names) > most)


def relative_path(path: str | os.PathLike) -> str:
    """A path for messages, relative to the current folder if it lies below it."""
    inside = os.path.relpath(path)
    return str(path) if inside.startswith("..") else inside


def read_file(file: IO[bytes], source: Any, name: str) -> Table:
    """The Table in an open file; `source` is what to open for line numbers."""
    ending = os.path.splitext(name)[1].lower() if name != "standard input" else ".csv"
    if ending not in FORMATS:
        raise DataError(f"{name}: data must be a file {', '.join(FORMATS)}, or - for a CSV.")
    if ending in (".csv", ".tsv"):
        frame, separator = text_frame(file, name, ending)
        table = Table(frame, name, source, separator)
    else:
        readers = {".parquet": parquet_table, ".npz": npz_table, ".npy": npy_table}
        table = readers[ending](file, name)
    check_twice(table.frame.columns, name)
    if len(table.frame) == 0:
        raise DataError(f"{name} has no rows below its column names.")
    return table


def text_frame(file: IO[bytes], name: str, ending: str) -> tuple[Any, str]:
    """The frame of a CSV or TSV file and its separator."""
    import pandas

    try:
        separator, names = read_header(file, name, ending)
        file.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            return joined_chunks(file, names, separator), separator
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 text (byte {error.object[error.start]:#04x}); "
            "save it as CSV in UTF-8."
        ) from None
    except pandas.errors.ParserWarning:
        raise DataError(
            f"{name} has rows with more cells than its {len(names)} column names; name every "
            "column in the first line."
        ) from None
    except (pandas.errors.ParserError, csv.Error) as error:
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
        raise DataError(f"{name} cannot be read: {reason}.") from None


def read_header(file: IO[bytes], name: str, ending: str) -> tuple[str, list[str]]:
    """The separator and the column names in the first line that is not empty."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        line = next((line for line in text if line.strip()), "")
    finally:
        text.detach()
    separator = "\t" if ending == ".tsv" else max(",;\t", key=line.count)
    names = next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])
    check_names(names, name)
    return separator, names


def check_names(names: list[str], name: str) -> None:
    """Refuse an empty header, or one in which a column has no name or shares one."""
    if not names:
        raise DataError(f"{name} is empty; its first line must name the columns.")
    if "" in names:
        raise DataError(f"{name}: column {names.index('') + 1} has no name in the first line.")
    check_twice(names, name)
    if all(is_number(n) for n in names):
        raise DataError(
            f"{name}: the first line must name the columns, got {', '.join(names[:5])}."
        )


def check_twice(names: Sequence[str], name: str) -> None:
    """Refuse two columns of the same name."""
    twice = [n for n, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{name} names the column {twice[0]!r} twice; give each its own name.")


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def joined_chunks(file: IO[bytes], names: list[str], separator: str) -> Any:
    """All chunks of a text file as one frame; each column is joined and freed separately.

    A column that is numbers in one chunk and texts in another is read again as texts.
    """
    import pandas

    texts = {}
    while True:
        chunks = list(
            pandas.read_csv(
                file,
                sep=separator,
                names=names,
                header=0,
                index_col=False,
                dtype=texts,
                na_values=["?"],
                skipinitialspace=True,
                low_memory=False,
                chunksize=CHUNK_ROWS,
                encoding="utf-8-sig",
            )
        )
        mixed = [n for n in names if len({is_text(chunk[n]) for chunk in chunks}) > 1]
        if not mixed:
            break
        texts = {**texts, **dict.fromkeys(mixed, "str")}
        file.seek(0)
    columns = {n: pandas.concat([c.pop(n) for c in chunks], ignore_index=True) for n in names}
    return pandas.DataFrame(columns, copy=False)


def is_text(values: Any) -> bool:
    """Whether a column of a chunk holds texts; None if it is empty and fits either."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return not (is_numeric_dtype(values) or is_bool_dtype(values))


def line_numbers(file: Any, separator: str, rows: np.ndarray) -> list[int]:
    """Lines of a text file (the first is 1) on which the given data rows begin."""
    if not hasattr(file, "read"):
        with open(file, "rb") as opened:
            return line_numbers(opened, separator, rows)
    file.seek(0)
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        records = csv.reader(text, delimiter=separator, skipinitialspace=True)
        return lines_of(records, {int(row) for row in rows})
    finally:
        text.detach()


def lines_of(records: Any, rows: set[int]) -> list[int]:
    """Line numbers of the rows; empty lines are not rows, and a quoted cell may span lines."""
    found, row, line = [], -2, 1  # the header is row -1
    for record in records:
        if len(record) > 1 or "".join(record).strip():
            row += 1
            if row in rows:
                found.append(line)
        line = records.line_num + 1
    return found


def no_pyarrow(name: str) -> Exception:
    """The error for a Parquet file if pyarrow is not installed."""
    return missing_extra(f"{name}: Parquet files need pyarrow", "parquet", DataError)


def parquet_table(file: IO[bytes], name: str) -> Table:
    """The Table in a Parquet file."""
    import pandas

    try:
        frame = pandas.read_parquet(file)
    except ImportError:
        raise no_pyarrow(name) from None
    except Exception as error:  # pyarrow raises many kinds for a broken file
        reason = str(error).splitlines()[0].rstrip(".")
        raise DataError(f"{name} cannot be read: {reason}.") from None
    return Table(frame.rename(columns=str).reset_index(drop=True), name)


def npy_table(file: IO[bytes], name: str) -> Table:
    """A 2-D array as a Table with the columns x0, x1, ...; or the fields of a structured one."""
    array = load_arrays(file, name)
    if isinstance(array, dict):
        raise DataError(f"{name} is an npz; name it .npz.")
    import pandas

    if array.dtype.names:
        return Table(pandas.DataFrame({n: array[n] for n in array.dtype.names}), name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(f"{name} must hold an array of shape (n, columns), got {array.shape}.")
    return Table(array_frame("x", array), name)


def npz_table(file: IO[bytes], name: str) -> Table:
    """The Table of an npz: its arrays that have as many rows as X (or as the longest).

    A 1-D array is a column of the same name. The 2-D array X gives x0, x1, ..., any other array
    NAME gives NAME0, NAME1, ... Arrays of other lengths are left out.
    """
    import pandas

    arrays = load_arrays(file, name)
    if not isinstance(arrays, dict):
        raise DataError(f"{name} is an npy; name it .npy.")
    tables = {n: a for n, a in arrays.items() if a.ndim in (1, 2)}
    if not tables:
        raise DataError(f"{name} has no arrays of one or two dimensions.")
    rows = len(tables["X"]) if "X" in tables else max(map(len, tables.values()))
    fits = {n: array for n, array in tables.items() if len(array) == rows}
    parts = [array_frame("x" if n == "X" else n, array) for n, array in fits.items()]
    rest = [n for n in arrays if n not in fits]
    notice = f"Left out of {name} because they do not have its {rows} rows: {listed(rest)}."
    return Table(pandas.concat(parts, axis=1), name, notices=(notice,) if rest else ())


def array_frame(name: str, array: np.ndarray) -> Any:
    """A 1-D array as a frame with one column, a 2-D array with NAME0, NAME1, ...; not copied."""
    import pandas

    names = [name] if array.ndim == 1 else [f"{name}{j}" for j in range(array.shape[1])]
    array = array[:, None] if array.ndim == 1 else array
    return pandas.DataFrame(array, columns=names, copy=False)
