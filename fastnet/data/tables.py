"""A user's file as a table: CSV, TSV, Parquet, npz or npy, with a name for every column.

pandas is imported when a table is read, not before.
"""

import contextlib
import csv
import io
import itertools
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from fastnet.data.checks import refuse_same_names
from fastnet.errors import DataError
from fastnet.extras import missing_extra
from fastnet.files import load_arrays

FORMATS = (".csv", ".tsv", ".parquet", ".npz", ".npy")
CHUNK_ROWS = 1 << 16  # of a CSV at a time: 10 bytes per value at most, all at once 25
CHUNK_VALUES = 1 << 21  # of a CSV with many columns at a time


class Table(NamedTuple):
    """The columns of a table and where they come from.

    Attributes
    ----------
    columns : dict
        For each name an array of numbers or booleans, or a Series of anything else. Thousands of
        columns cost thousands of times one: a frame would be searched for each.
    name : str
        Its name in messages.
    file : path or binary file or None
        The text file, which is read again for line numbers; None if there is none.
    separator : str
        The separator of the cells in the text file.
    notices : tuple of str
        What was left out.
    first : int
        The number of its first row in the file.
    """

    columns: dict[str, Any]
    name: str
    file: object = None
    separator: str = ","
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
        if self.file is not None:
            first, word, note = line_numbers(self.file, self.separator, first), "line", ""
        more = f", ... ({len(rows)} in all)" if len(rows) > 5 else ""
        return f"{word}{'s' * (len(rows) > 1)} {', '.join(map(str, first))}{more}{note}"

    def refuse(self, column: str, bad: np.ndarray, what: str, cure: str) -> None:
        """An error for the rows of a column where the mask is true, if there are any."""
        if bad.any():
            raise DataError(f"{self.name}: column {column!r} {what} in {self.places(bad)}; {cure}.")


def table_of_frame(frame: Any, name: str, **facts: Any) -> Table:
    """The Table of a data frame, whose columns must have different names."""
    names = [str(column) for column in frame.columns]
    refuse_same_names(names, name)
    return Table(dict(zip(names, arrays_of_frame(frame))), name, **facts)


def arrays_of_frame(frame: Any) -> list[Any]:
    """The columns of a frame: arrays of numbers or booleans, a Series of anything else.

    Columns of one type are taken together: one by one, 20,000 of them cost a second.
    """
    columns, types = [None] * frame.shape[1], list(frame.dtypes)
    for dtype in {dtype for dtype in types if is_plain(dtype)}:
        places = [j for j, other in enumerate(types) if other == dtype]
        some = frame if len(places) == len(types) else frame.iloc[:, places]
        for j, values in zip(places, some.to_numpy().T):
            columns[j] = values
    return [own_series(frame, j) if c is None else c for j, c in enumerate(columns)]


def own_series(frame: Any, place: int) -> Any:
    """A column of a frame as a Series whose rows are counted from 0."""
    return frame.iloc[:, place].reset_index(drop=True)


def is_plain(dtype: Any) -> bool:
    """Whether a type is one of NumPy's for numbers or booleans."""
    return isinstance(dtype, np.dtype) and dtype.kind in "fiub"


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
        columns, separator = text_columns(file, name, ending)
        table = Table(columns, name, source, separator)
    else:
        readers = {".parquet": parquet_table, ".npz": npz_table, ".npy": npy_table}
        table = readers[ending](file, name)
    refuse_empty(table.rows, name)
    return table


def refuse_empty(rows: int, name: str) -> None:
    """Raise a DataError for a table without rows."""
    if rows == 0:
        raise DataError(f"{name} has no rows below its column names.")


def text_columns(file: IO[bytes], name: str, ending: str) -> tuple[dict[str, Any], str]:
    """The columns of a CSV or TSV file and its separator."""
    with text_errors(name):
        separator, names = read_header(file, name, ending)
    file.seek(0)
    with text_errors(name, len(names)):
        return joined_chunks(file, names, separator), separator


@contextlib.contextmanager
def text_errors(name: str, count: int = 0) -> Iterator[None]:
    """Turn the errors of reading a text file with `count` column names into DataErrors."""
    import pandas

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            yield
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 text (byte {error.object[error.start]:#04x}); "
            "save it as CSV in UTF-8."
        ) from None
    except pandas.errors.ParserWarning:
        raise DataError(
            f"{name} has rows with more cells than its {count} column names; name every "
            "column in the first line."
        ) from None
    except (pandas.errors.ParserError, csv.Error) as error:
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
        raise DataError(f"{name} cannot be read: {reason}.") from None


def read_header(file: IO[bytes], name: str, ending: str) -> tuple[str, list[str]]:
    """The separator and the column names in the first record that is not empty."""
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        line = next((line for line in text if line.strip()), "")
        separator = "\t" if ending == ".tsv" else max(",;\t", key=line.count)
        with long_cells():  # a quoted name may span lines
            records = csv.reader(itertools.chain([line], text), **csv_form(separator))
            names = next(records, [])
    finally:
        text.detach()
    check_names(names, name)
    return separator, names


def csv_form(separator: str) -> dict[str, Any]:
    """The arguments of csv.reader for what pandas reads with this separator."""
    return {"delimiter": separator, "skipinitialspace": True}


@contextlib.contextmanager
def long_cells() -> Iterator[None]:
    """Let csv read cells of any length, as pandas does."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def check_names(names: list[str], name: str) -> None:
    """Refuse an empty header, or one in which a column has no name or shares one."""
    if not names:
        raise DataError(f"{name} is empty; its first line must name the columns.")
    if "" in names:
        raise DataError(f"{name}: column {names.index('') + 1} has no name in the first line.")
    refuse_same_names(names, name)
    if all(is_number(n) for n in names):
        raise DataError(
            f"{name}: the first line must name the columns, got {', '.join(names[:5])}."
        )


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def joined_chunks(file: IO[bytes], names: list[str], separator: str) -> dict[str, Any]:
    """The columns of a text file, read in chunks.

    A column that is numbers in one chunk and texts in another is read again as texts.
    """
    texts: dict[str, str] = {}
    while True:
        chunks = text_chunks(file, names, separator, texts)
        kinds = [[kind_of_chunk(chunk[n]) for n in names] for chunk in chunks]
        mixed = [n for n, found in zip(names, zip(*kinds)) if len({*found} - {"empty"}) > 1]
        if not mixed:
            return {n: joined([chunk.pop(n) for chunk in chunks]) for n in names}
        texts = {**texts, **dict.fromkeys(mixed, "str")}
        file.seek(0)


def text_chunks(
    file: IO[bytes], names: list[str], separator: str, texts: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The columns of each chunk of a text file, by name; a chunk's frame is not kept."""
    chunks = []
    for frame in text_reader(file, names, separator, texts):
        columns = arrays_of_frame(frame)
        if len(frame) == chunk_rows(names):  # one of many: each of its columns is freed alone
            columns = [column.copy() for column in columns]
        chunks.append(dict(zip(names, columns)))
    return chunks


def chunk_rows(names: list[str]) -> int:
    """The rows of a text file that are read at a time."""
    return max(1, min(CHUNK_ROWS, CHUNK_VALUES // len(names)))


def text_reader(
    file: IO[bytes],
    names: list[str],
    separator: str,
    texts: Mapping[str, str],
    converters: Mapping[str, Any] | None = None,
) -> Any:
    """The pandas reader that gives a text file as one frame per chunk."""
    import pandas

    return pandas.read_csv(
        file,
        sep=separator,
        names=names,
        header=0,
        index_col=False,
        dtype=texts or None,  # an empty dict costs 20,000 columns two seconds
        converters=converters or None,
        na_values=["?"],
        skipinitialspace=True,
        low_memory=False,
        chunksize=chunk_rows(names),
        encoding="utf-8-sig",
    )


def kind_of_chunk(values: Any) -> str:
    """ "text", "boolean" or "number", or "empty", which goes with each of them."""
    if isinstance(values, np.ndarray):
        if values.dtype == bool:
            return "boolean"
        return "empty" if values.dtype.kind == "f" and np.isnan(values).all() else "number"
    from pandas.api.types import infer_dtype

    return "boolean" if infer_dtype(values, skipna=True) == "boolean" else "text"


def joined(parts: list[Any]) -> Any:
    """The parts of a column as one."""
    import pandas

    if len(parts) == 1:
        return parts[0]
    kinds = {part.dtype.kind for part in parts}
    if kinds == {"i", "u"} and all((part >= 0).all() for part in parts):
        parts = [part.astype(np.uint64) for part in parts]  # float64 would round them
    if kinds <= set("iuf") or kinds == {"b"}:
        return np.concatenate(parts)
    series = [pandas.Series(part) for part in parts]
    if len({part.dtype for part in series}) > 1:  # some chunks have no value
        series = [part.astype(object) for part in series]
    return pandas.concat(series, ignore_index=True)


def is_text(values: Any) -> bool:
    """Whether a column holds texts or objects."""
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
        with long_cells():
            records = csv.reader(text, **csv_form(separator))
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
    return table_of_frame(frame.reset_index(drop=True), name)


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
