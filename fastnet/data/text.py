"""Text files as columns: pandas reads them; here is what it must be told, and what it leaves out.

pandas is imported when a table is read, not before.
"""

import contextlib
import csv
import io
import itertools
import re
import warnings
from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

import numpy as np

from fastnet.data.dialect import (
    AUTO,
    BLANKS,
    MARK_WORDS,
    SEPARATORS,
    Dialect,
    Reading,
    blank_cells,
    csv_form,
    encoding_of,
    find_separator,
    head_of,
    listed,
    long_cells,
    plain_name,
    separator_line,
    unpacked,
)
from fastnet.data.frames import arrays_of_frame, joined, kind_of_chunk
from fastnet.data.names import check_names, marked, names_of_cells, without_index
from fastnet.errors import DataError, UsageError

CHUNK_ROWS = 1 << 16  # of a CSV at a time: 10 bytes per value at most, all at once 25
CHUNK_VALUES = 1 << 21  # of a CSV with many columns at a time
# Texts that pandas takes for missing values.
USUAL_MISSING = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null", "?"),
)
LEADING_ZERO = re.compile(rb"(?:^|[^0-9A-Za-z.:/+-])[-+]?0[0-9]")
ZERO_LED = r"[-+]?0[0-9]"
TRUE, FALSE = ("True", "TRUE", "true"), ("False", "FALSE", "false")  # as pandas reads them


class TextFile(NamedTuple):
    """A text file, and how it is written.

    Attributes
    ----------
    source : path or binary file
        What to open.
    name : str
        Its name in messages, whose ending tells the compression.
    names : tuple of str
        Its columns.
    separator, encoding : str
    skip : int
        Lines before the names, or before the rows if there are no names.
    dialect : Dialect
    """

    source: Any
    name: str
    names: tuple[str, ...]
    separator: str
    encoding: str
    skip: int
    dialect: Dialect

    @property
    def chunk_rows(self) -> int:
        """The number of rows to read at a time."""
        return max(1, min(CHUNK_ROWS, CHUNK_VALUES // len(self.names)))

    def missing(self) -> tuple[str, ...]:
        """Texts that are missing values."""
        own = self.dialect.na_values or ()
        usual = USUAL_MISSING if AUTO in own else ("",)
        return (*usual, *(text for text in own if text != AUTO))

    def arguments(self) -> dict[str, Any]:
        """The arguments of pandas.read_csv."""
        given = self.dialect
        return {
            "sep": self.separator,
            "names": list(self.names),
            "header": None if given.no_header else 0,
            "skiprows": self.skip,
            "skip_blank_lines": len(self.names) > 1,
            "index_col": False,
            "decimal": "."
            if given.decimal == AUTO
            else MARK_WORDS.get(given.decimal, given.decimal),
            "keep_default_na": False,
            "na_values": list(self.missing()),
            "comment": given.comment,
            "quotechar": given.quote or '"',
            "quoting": csv.QUOTE_NONE if given.quote is None else csv.QUOTE_MINIMAL,
            "skipinitialspace": True,
            "low_memory": False,
            "encoding": self.encoding,
        }

    def lines(self, rows: np.ndarray) -> list[int]:
        """Lines of the file (the first is 1) on which the given data rows begin."""
        return [line for line, _ in self.found(rows)]

    def cell(self, row: int, name: str) -> str:
        """The text of a cell, as it is in the file."""
        place = self.names.index(name)
        cells = self.found([row])[0][1]
        return cells[place].strip() if place < len(cells) else ""

    def found(self, rows: Iterable[int]) -> list[tuple[int, list[str]]]:
        """Line and cells of the given data rows."""
        with unpacked(self.source, self.name) as file:
            file.seek(0)
            text = io.TextIOWrapper(file, self.encoding, newline="")
            try:
                with long_cells():
                    wanted = {int(row) for row in rows}
                    return [
                        place for row, place in enumerate(self.records(text), -1) if row in wanted
                    ]
            finally:
                text.detach()

    def records(self, text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
        """Line and cells of each row; the names have the first place if there are some."""
        lines = itertools.islice(text, self.skip, None)
        if self.separator == BLANKS:
            quote, numbered_lines = self.dialect.quote, enumerate(lines, self.skip + 1)
            found = ((number, blank_cells(line, quote)) for number, line in numbered_lines)
        else:
            found = numbered(csv.reader(lines, **csv_form(self.separator, self.dialect.quote)))
            found = ((number + self.skip, cells) for number, cells in found)
        yield from itertools.repeat((0, []), self.dialect.no_header)
        for number, cells in found:
            comment = self.dialect.comment and "".join(cells).startswith(self.dialect.comment)
            if not comment and (len(self.names) == 1 or "".join(cells).strip() or len(cells) > 1):
                yield number, cells


def numbered(records: Any) -> Iterator[tuple[int, list[str]]]:
    """The records of a csv.reader with the line on which each begins; cells may span lines."""
    line = 1
    for cells in records:
        yield line, cells
        line = records.line_num + 1


# ---------------------------------------------------------------- reading


def read_text(
    file: IO[bytes], source: Any, name: str, tabs: bool, reading: Reading
) -> tuple[dict[str, Any], TextFile, list[str]]:
    """The columns of a text file, how it is written, and notices on what was understood."""
    text = look_at(file, source, name, tabs, reading.dialect)
    with text_errors(name, reading.dialect, len(text.names)):
        columns, codes = text_columns(file, text, reading)
    columns, notices = without_index(columns, name, reading.known)
    if codes:
        notices.append(
            f"Read as texts because of leading zeros: column{'s' * (len(codes) > 1)} "
            f"{listed(sorted(codes))}; --numeric reads numbers."
        )
    return columns, text, notices


@contextlib.contextmanager
def text_errors(name: str, dialect: Dialect, count: int = 0) -> Iterator[None]:
    """Turn the errors of reading a text file with `count` columns into DataErrors."""
    import pandas

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            yield
    except UnicodeError as error:
        byte, encoding = "", dialect.encoding
        if isinstance(error, UnicodeDecodeError):
            byte, encoding = f" (byte {error.object[error.start]:#04x})", error.encoding.upper()
        cure = "use --encoding, such as latin-1, or save it as CSV in UTF-8"
        raise DataError(f"{name} is not {encoding} text{byte}; {cure}.") from None
    except LookupError:
        raise UsageError(
            f"encoding {dialect.encoding!r} is unknown; utf-8, latin-1 or utf-16, say."
        ) from None
    except pandas.errors.ParserWarning:
        raise DataError(
            f"{name} has rows with more cells than its {count} column names; name every column in "
            "the first line."
        ) from None
    except (pandas.errors.ParserError, csv.Error) as error:
        reason = str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
        if "inside string" in reason:
            reason += ", whose quote never ends; if quotes are letters, use --quote none"
        raise DataError(f"{name} cannot be read: {reason}.") from None


def look_at(file: IO[bytes], source: Any, name: str, tabs: bool, dialect: Dialect) -> TextFile:
    """How a text file is written, by the dialect and its first lines."""
    with text_errors(name, dialect):
        return described(file, source, name, tabs, dialect, encoding_of(file, dialect.encoding))


def described(
    file: IO[bytes], source: Any, name: str, tabs: bool, dialect: Dialect, encoding: str
) -> TextFile:
    """look_at() of a file in this encoding."""
    head = head_of(file, encoding)[dialect.skip_lines :]
    skip, told = dialect.skip_lines, None
    while head and not head[0].strip():
        head, skip = head[1:], skip + 1
    if head:
        told = separator_line(head[0])
        head, skip = head[told is not None :], skip + (told is not None)
    lines = [ln for ln in head if not (dialect.comment and ln.startswith(dialect.comment))]
    separator = SEPARATORS.get(dialect.separator, dialect.separator)
    whole = lines if len(lines) < 3 else lines[:-1]  # the last one may be cut
    if separator == AUTO:
        separator = told or ("\t" if tabs else find_separator(whole, dialect, name))
    names = first_record(file, TextFile(source, name, (), separator, encoding, skip, dialect))
    if dialect.no_header:
        names = [str(j + 1) for j in range(len(names))]
    else:
        ended = [line for line in lines if line.endswith(("\n", "\r"))]
        names = names_of_cells(names, ended, separator, name, dialect.quote)
    check_names(names, name, dialect)
    return TextFile(source, name, marked(names), separator, encoding, skip, dialect)


def first_record(file: IO[bytes], text: TextFile) -> list[str]:
    """The cells of the first record, without the blanks around them."""
    file.seek(0)
    wrapped = io.TextIOWrapper(file, text.encoding, newline="")
    try:
        with long_cells():
            header = text._replace(dialect=text.dialect._replace(no_header=False))
            _, cells = next(header.records(wrapped), (0, []))
    finally:
        wrapped.detach()
    return [plain_name(cell) for cell in cells]


# ---------------------------------------------------------------- chunks


def text_columns(
    file: IO[bytes], text: TextFile, reading: Reading
) -> tuple[dict[str, Any], set[str]]:
    """The columns of a text file, and the names of those that are codes.

    A column of whole numbers with leading zeros holds codes. They are read again as texts, as is
    a column that has numbers in one chunk and texts in another.
    """
    texts, codes = {*reading.texts, *reading.writings} & {*text.names}, set()
    while True:
        chunks = text_chunks(file, text, texts)
        kinds = zip(*([kind_of_chunk(chunk[n]) for n in text.names] for chunk in chunks))
        again = {n for n, kind in zip(text.names, kinds) if len({*kind} - {"empty"}) > 1}
        if not again and not reading.known:
            whole = [n for n in text.names if n not in reading.numbers and is_whole(chunks, n)]
            codes |= zero_led(file, text, whole)
        if not again | codes - texts:
            columns = {n: joined([chunk.pop(n) for chunk in chunks]) for n in text.names}
            return {n: stripped(values, text) for n, values in columns.items()}, codes
        texts |= again | codes


def text_chunks(file: IO[bytes], text: TextFile, texts: set[str]) -> list[dict[str, Any]]:
    """The columns of each chunk of a text file, by name; a chunk's frame is not kept."""
    # An empty dict costs 20,000 columns two seconds.
    types = dict.fromkeys(texts, "str") or None
    chunks = []
    file.seek(0)
    for frame in frames_of(file, text, dtype=types):
        columns = arrays_of_frame(frame)
        if len(frame) == text.chunk_rows:  # one of many: each of its columns is freed alone
            columns = [column.copy() for column in columns]
        chunks.append(dict(zip(text.names, columns)))
    return chunks


def frames_of(file: IO[bytes], text: TextFile, **more: Any) -> Any:
    """The chunks of a text file as pandas reads them."""
    import pandas

    return pandas.read_csv(file, chunksize=text.chunk_rows, **{**text.arguments(), **more})


def is_whole(chunks: list[dict[str, Any]], name: str) -> bool:
    """Whether a column holds whole numbers, which are floats if some are missing."""
    parts = [chunk[name] for chunk in chunks]
    kinds = {getattr(part.dtype, "kind", "O") for part in parts}
    if kinds <= set("iu"):
        return True
    if not kinds <= set("iuf") or not any(np.isnan(part).any() for part in parts):
        return False
    return all((np.isnan(part) | (part == np.floor(part))).all() for part in parts)


def zero_led(file: IO[bytes], text: TextFile, names: list[str]) -> set[str]:
    """Those of the columns of whole numbers that have a cell such as 01."""
    found: set[str] = set()
    if not names or not has_zero_led(file, text.encoding):
        return found
    file.seek(0)
    for frame in frames_of(file, text, dtype="str", usecols=names):
        rest = [n for n in names if n not in found]
        found |= {n for n in rest if frame[n].str.match(ZERO_LED).any()}
    return found


def has_zero_led(file: IO[bytes], encoding: str) -> bool:
    """Whether a 0 with another digit begins a word anywhere: much faster than to look at cells."""
    file.seek(0)
    if encoding.startswith(("utf-16", "utf-32")):
        return True
    last = b""
    for block in iter(lambda: file.read(1 << 20), b""):
        if LEADING_ZERO.search(last + block):
            return True
        last = block[-3:]
    return False


def stripped(values: Any, text: TextFile) -> Any:
    """A column of texts without the blanks around them."""
    if isinstance(values, np.ndarray) or kind_of_chunk(values) != "text":
        return values
    bare = values.str.strip()
    if (bare.str.len() == values.str.len())[values.notna()].all():
        return values
    bare = bare.mask(bare.isin(text.missing()))
    if bare.isin((*TRUE, *FALSE)).all():
        return bare.isin(TRUE).to_numpy(bool)
    return bare
