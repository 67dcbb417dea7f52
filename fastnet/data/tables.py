"""A user's file as a table: text, Parquet, Excel, npz or npy, with a name for every column.

pandas is imported when a table is read, not before.
"""

import contextlib
import io
import json
import lzma
import os
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Any, NamedTuple

import numpy as np

from fastnet.data.checks import refuse_same_names
from fastnet.data.dialect import (
    NOTHING_KNOWN,
    PACKED,
    Reading,
    encoding_of,
    listed,
    unpacked,
    unpacked_name,
)
from fastnet.data.frames import arrays_of_frame, is_plain
from fastnet.data.text import TextFile, read_text, text_errors
from fastnet.errors import DataError, FastnetError, UsageError, quoted
from fastnet.extras import missing_extra
from fastnet.files import checked_path, load_arrays
from fastnet.options.table import OF_TEXT, OPTIONS

TEXTS = (".csv", ".tsv", ".txt", ".data", ".dat")
SHEETS = (".xlsx", ".xls", ".ods")
FORMATS = (*TEXTS, ".parquet", ".feather", ".jsonl", *SHEETS, ".arff", ".npz", ".npy")
# For each ending pandas' function, its arguments, the extra that it needs, and why.
FRAMES: dict[str, tuple[str, dict[str, Any], str, str]] = {
    ".parquet": ("read_parquet", {}, "parquet", "Parquet files need pyarrow"),
    ".feather": ("read_feather", {}, "parquet", "Feather files need pyarrow"),
    ".jsonl": ("DataFrame", {}, "", ""),
    ".xlsx": ("read_excel", {"engine": "openpyxl"}, "excel", "Excel files need openpyxl"),
    ".xls": ("read_excel", {"engine": "xlrd"}, "excel", "Old Excel files need xlrd"),
    ".ods": ("read_excel", {"engine": "odf"}, "excel", "OpenDocument files need odfpy"),
    ".arff": ("DataFrame", {}, "arff", "ARFF files need liac-arff"),
}
# What a broken compressed file raises.
BROKEN = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)


class Table(NamedTuple):
    """The columns of a table and where they come from.

    Attributes
    ----------
    columns : dict
        For each name an array of numbers or booleans, or a Series of anything else. Thousands of
        columns cost thousands of times one: a frame would be searched for each.
    name : str
        Its name in messages.
    text : TextFile or None
        The text file, which is read again for line numbers; None if there is none.
    notices : tuple of str
        What was left out.
    first : int
        The number of its first row in the file.
    """

    columns: dict[str, Any]
    name: str
    text: TextFile | None = None
    notices: tuple = ()
    first: int = 0

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(next(iter(self.columns.values()), ()))

    @property
    def frame(self) -> Any:
        """The table as a data frame."""
        import pandas

        return pandas.DataFrame(self.columns, copy=False)

    def series(self, name: str) -> Any:
        """A column as a Series."""
        import pandas

        return pandas.Series(self.columns[name], copy=False)

    def places(self, bad: np.ndarray) -> str:
        """The rows where the mask is true, in words; for a text file, line numbers."""
        rows = np.flatnonzero(bad) + self.first
        first, word, note = rows[:5], "row", " (counted from 0)"
        if self.text is not None:
            first, word, note = self.text.lines(first), "line", ""
        more = f", ... ({len(rows)} in all)" if len(rows) > 5 else ""
        return f"{word}{'s' * (len(rows) > 1)} {', '.join(map(str, first))}{more}{note}"

    def refuse(self, column: str, bad: np.ndarray, what: str, cure: str) -> None:
        """An error for the rows of a column where the mask is true, if there are any."""
        if bad.any():
            raise DataError(f"{self.name}: column {column!r} {what} in {self.places(bad)}; {cure}.")

    def refuse_missing(self, column: str, missing: np.ndarray, cure: str) -> None:
        """An error for the rows without a value; it quotes a text that stands for none."""
        if missing.any() and self.text is not None:
            row = int(missing.argmax()) + self.first
            cell = self.text.cell(row, column)
            if cell:
                what = f"has {cell!r}, a missing value,"
                self.refuse(column, missing, what, f"{cure}; --na-values says what is missing")
        self.refuse(column, missing, "has no value", cure)


def table_of_frame(frame: Any, name: str, **facts: Any) -> Table:
    """The Table of a data frame, whose columns must have different names."""
    names = [str(column) for column in frame.columns]
    refuse_same_names(names, name)
    return Table(dict(zip(names, arrays_of_frame(frame))), name, **facts)


# ---------------------------------------------------------------- reading


def read_table(source: Any, name: str | None = None, reading: Reading = NOTHING_KNOWN) -> Table:
    """The Table in a file.

    Parameters
    ----------
    source : path or binary file
        A path whose ending is one of FORMATS, perhaps with .gz, .bz2, .xz or .zip after it, "-"
        for a CSV on standard input, or an open binary file whose `name` (or the argument) gives
        the type.
    name : str, optional
        Its name in messages.
    reading : Reading
        How the text is written, and which columns are texts.

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
    require_source(source)
    if str(source) == "-":
        source, name = io.BytesIO(sys.stdin.buffer.read()), name or "standard input"
    if hasattr(source, "read"):
        name = name or str(getattr(source, "name", "the file"))
    name = name or relative_path(source)
    with file_errors(name), unpacked(source, name) as file:
        return read_file(file, source, name, reading)


def require_source(source: Any) -> None:
    """Raise a UsageError for what is neither a path nor an open file."""
    if hasattr(source, "read"):
        return
    if not isinstance(source, (str, os.PathLike)):
        raise UsageError(
            "data must be a path, an open file or a DataFrame, whose columns have names, got "
            f"{type(source).__name__}; predict for an array with model.predict(X)."
        )
    checked_path(source, "data")
    if not os.fspath(source):
        raise UsageError("data must be a path, got an empty text.")


@contextlib.contextmanager
def file_errors(name: str) -> Iterator[None]:
    """Turn the errors of opening and unpacking a file into DataErrors."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror or error}).") from None
    except BROKEN as error:
        raise DataError(f"{name} cannot be read: {str(error).rstrip('.') or 'broken'}.") from None


def text_ending(name: str) -> str | None:
    """The ending of a text file without that of its compression; None for other files."""
    inner = "standard input.csv" if name == "standard input" else unpacked_name(name)
    ending = os.path.splitext(inner)[1].lower()
    return ending if ending in TEXTS else None


def refuse_of_text(options: Mapping[str, Any], source: Any) -> None:
    """Refuse options of text files beside a source of another kind.

    Decimal and thousands are for texts in any file, the encoding is for ARFF, too.
    """
    own = str(getattr(source, "name", source))
    if str(source) == "-" or (not hasattr(source, "columns") and text_ending(own)):
        return
    what = "a data frame" if hasattr(source, "columns") else relative_path(own)
    arff = os.path.splitext(unpacked_name(what))[1].lower() == ".arff"
    for name in (n for n in OF_TEXT if n in options and n not in ("decimal", "thousands")):
        if options[name] != OPTIONS[name].default and not (arff and name == "encoding"):
            raise UsageError(
                f"{name} {quoted(options[name])} is for text files, such as .csv, and {what} is "
                "none; drop it."
            )


def relative_path(path: str | os.PathLike) -> str:
    """A path for messages, relative to the current folder if it lies below it."""
    inside = os.path.relpath(path)
    return str(path) if inside.startswith("..") else inside


def read_file(file: IO[bytes], source: Any, name: str, reading: Reading) -> Table:
    """The Table in an open file; `source` is what to open for line numbers."""
    ending = text_ending(name) or os.path.splitext(unpacked_name(name))[1].lower()
    if ending in TEXTS:
        columns, text, notices = read_text(file, source, name, ending == ".tsv", reading)
        table = Table(columns, name, text, tuple(notices))
    elif ending in FRAMES:
        table = table_of_frame(pandas_frame(file, name, ending, reading), name)
    elif ending in (".npz", ".npy"):
        table = (npz_table if ending == ".npz" else npy_table)(file, name)
    else:
        raise DataError(
            f"{name}: data must be a file {', '.join(FORMATS)}, one of them with "
            f"{', '.join(PACKED)}, or - for a CSV."
        )
    refuse_empty(table.rows, name)
    return table


def refuse_empty(rows: int, name: str) -> None:
    """Raise a DataError for a table without rows."""
    if rows == 0:
        raise DataError(f"{name} has no rows below its column names.")


def pandas_frame(file: IO[bytes], name: str, ending: str, reading: Reading) -> Any:
    """The data frame in a file of another library's format, as pandas reads it."""
    import pandas

    verb, given = FRAMES[ending][:2]
    if ending in SHEETS:
        given = {**given, "dtype": dict.fromkeys(reading.texts, "str") or None}
    with library_errors(name, ending):
        content = file
        if ending == ".jsonl":
            # pandas.read_json makes dates of numbers in columns with certain names.
            content = [json.loads(line) for line in file if line.strip()]
        elif ending == ".arff":
            content, given = arff_content(file, name, reading)
        return plainly_named(getattr(pandas, verb)(content, **given))


def plainly_named(frame: Any) -> Any:
    """A frame whose names are texts without blanks around them, its rows counted from 0."""
    return frame.rename(columns=lambda own: str(own).strip()).reset_index(drop=True)


@contextlib.contextmanager
def library_errors(name: str, ending: str) -> Iterator[None]:
    """Turn the errors of another library that reads a file into DataErrors."""
    try:
        yield
    except FastnetError:
        raise
    except ImportError:
        raise missing_library(name, ending) from None
    except Exception as error:  # these libraries raise many kinds for a broken file
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(f"{name} cannot be read: {reason}.") from None


def arff_content(file: IO[bytes], name: str, reading: Reading) -> tuple[list, dict[str, Any]]:
    """The rows of an ARFF file, and the other arguments of pandas.DataFrame.

    Levels of nominal attributes are texts, also where they look like numbers.
    """
    import arff

    try:
        with text_errors(name, reading.dialect):
            encoding = encoding_of(file, reading.dialect.encoding)
            file.seek(0)
            text = io.TextIOWrapper(file, encoding)
            try:
                found = arff.load(text)
            finally:
                text.detach()
    except arff.ArffException as error:
        reason, odd_type = str(error).rstrip("."), isinstance(error, arff.BadAttributeType)
        cure = "; it may be numeric, integer, real, string or levels: save others as CSV"
        raise DataError(f"{name} cannot be read: {reason}{cure * odd_type}.") from None
    return found["data"], {"columns": [own for own, _ in found["attributes"]]}


def no_pyarrow(name: str) -> Exception:
    """The error for a Parquet file if pyarrow is not installed."""
    return missing_library(name, ".parquet")


def missing_library(name: str, ending: str) -> Exception:
    """The error for a file whose library is not installed."""
    _, _, extra, reason = FRAMES[ending]
    return missing_extra(f"{name}: {reason}", extra, DataError)


def npy_table(file: IO[bytes], name: str) -> Table:
    """A 2-D array as a Table with the columns x0, x1, ...; or the fields of a structured one."""
    array = load_arrays(file, name)
    if isinstance(array, dict):
        raise DataError(f"{name} is an npz; name it .npz.")
    if array.dtype.names and array.ndim == 1:
        fields = {n: array[n] for n in array.dtype.names}
        return Table(named_columns(fields, name), name)
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(f"{name} must hold an array of shape (n, columns), got {array.shape}.")
    return Table(named_columns({"X": array}, name), name)


def npz_table(file: IO[bytes], name: str) -> Table:
    """The Table of an npz: its arrays that have as many rows as X (or as the longest).

    A 1-D array is a column of the same name. The 2-D array X gives x0, x1, ..., any other array
    NAME gives NAME0, NAME1, ... Arrays of other lengths are left out.
    """
    arrays = load_arrays(file, name)
    if not isinstance(arrays, dict):
        raise DataError(f"{name} is an npy; name it .npy.")
    tables = {n: a for n, a in arrays.items() if getattr(a, "ndim", 0) in (1, 2)}
    if not tables:
        raise DataError(f"{name} has no arrays of one or two dimensions.")
    rows = len(tables["X"]) if "X" in tables else max(map(len, tables.values()))
    fits = {n: array for n, array in tables.items() if len(array) == rows}
    rest = [n for n in arrays if n not in fits]
    notice = f"Left out of {name} because they do not have its {rows} rows: {listed(rest)}."
    return Table(named_columns(fits, name), name, notices=(notice,) if rest else ())


def named_columns(arrays: Mapping[str, np.ndarray], name: str) -> dict[str, Any]:
    """Columns of arrays: NAME of a 1-D one, NAME0, NAME1, ... of a 2-D one, x0, x1, ... of X."""
    columns = []
    for own, array in arrays.items():
        if array.ndim == 2:
            stem = "x" if own == "X" else own
            columns += [(f"{stem}{j}", values) for j, values in enumerate(array.T)]
        else:
            columns.append(("x" if own == "X" else own, array))
    refuse_same_names([n for n, _ in columns], name)
    return {n: column_of_array(values, n, name) for n, values in columns}


def column_of_array(values: np.ndarray, own: str, name: str) -> Any:
    """An array as a column: numbers and booleans as they are, anything else as a Series."""
    import pandas

    if values.ndim != 1:
        raise DataError(f"{name}: array {own!r} has {values.ndim} dimensions; one column has one.")
    if is_plain(values.dtype):
        return values
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "backslashreplace")
    if values.dtype.kind == "U":
        return pandas.Series(values.tolist(), dtype="str")
    return pandas.Series(values.tolist() if values.dtype.kind == "V" else values)
