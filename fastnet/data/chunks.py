"""The rows of a table part by part, so that a file may be larger than memory."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any

from fastnet.data.dialect import NOTHING_KNOWN, Reading, unpacked, unpacked_name
from fastnet.data.frames import arrays_of_frame
from fastnet.data.names import without_index
from fastnet.data.numerals import with_numbers
from fastnet.data.tables import (
    Table,
    file_errors,
    library_errors,
    plainly_named,
    read_file,
    refuse_empty,
    relative_path,
    require_source,
    table_of_frame,
    text_ending,
)
from fastnet.data.text import CHUNK_ROWS, CHUNK_VALUES, frames_of, look_at, stripped, text_errors

HEAD_BYTES = 1 << 20  # of standard input that are read for the column names
MARK = "'"  # before verbatim cells: pandas takes NA for a missing value even after a converter


def table_chunks(
    source: Any, reading: Reading = NOTHING_KNOWN, verbatim: Sequence[str] = ()
) -> Iterator[Table]:
    """The Tables of some rows each, in their order; one unless the source is a text or Parquet.

    Parameters
    ----------
    source : path, binary file or DataFrame
        As `read_table` takes it.
    reading : Reading
        How a text file is written, and its columns of texts.
    verbatim : sequence of str
        Columns that are kept as they are: of a text file the cells are texts even if they look
        like missing values, of a Parquet file whole numbers stay so beside missing values.

    Raises
    ------
    DataError
        when it cannot be read or is not a table with named columns; perhaps after some Tables.

    Examples
    --------
    >>> file = io.BytesIO(b"id,size\\n007,1.5\\n008,2\\n")
    >>> file.name = "shop.csv"
    >>> [table.columns["id"].tolist() for table in table_chunks(file, verbatim=["id"])]
    [['007', '008']]
    """
    if hasattr(source, "columns"):
        yield with_numbers(table_of_frame(source, "data"), reading.writings)
        return
    require_source(source)
    if str(source) == "-":
        yield from text_tables(*standard_input(), None, "standard input", reading, verbatim)
    else:
        own = getattr(source, "name", "the file") if hasattr(source, "read") else None
        name = relative_path(source) if own is None else str(own)
        with file_errors(name), unpacked(source, name) as file:
            if text_ending(name):
                yield from text_tables(file, file, source, name, reading, verbatim)
            elif os.path.splitext(unpacked_name(name))[1].lower() == ".parquet":
                yield from parquet_tables(file, name, reading, verbatim)
            else:
                yield with_numbers(read_file(file, source, name, reading), reading.writings)


def standard_input() -> tuple[IO[bytes], IO[bytes]]:
    """The beginning of standard input, and all of it; each is read once."""
    head = sys.stdin.buffer.read(HEAD_BYTES)
    return io.BytesIO(head), io.BufferedReader(Rewound(head, sys.stdin.buffer))


class Rewound(io.RawIOBase):
    """A stream whose beginning was read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self.head, self.rest = io.BytesIO(head), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer, first with the beginning; 0 at the end."""
        count = self.head.readinto(buffer)
        if count == 0:
            part = self.rest.read(len(buffer))
            buffer[: len(part)] = part
            count = len(part)
        return count


def text_tables(
    head: IO[bytes],
    file: IO[bytes],
    source: Any,
    name: str,
    reading: Reading,
    verbatim: Sequence[str],
) -> Iterator[Table]:
    """The Tables of a text file; `head` is its beginning, or the file itself."""
    text = look_at(head, source, name, text_ending(name) == ".tsv", reading.dialect)
    if head is file:
        file.seek(0)
    texts = {*reading.texts, *reading.writings}
    types = {n: "str" for n in text.names if n in texts and n not in verbatim}
    marked = {n: MARK.__add__ for n in verbatim if n in text.names}
    first = 0
    with text_errors(name, reading.dialect, len(text.names)):
        reader = frames_of(file, text, dtype=types or None, converters=marked or None)
    with reader:
        while True:
            with text_errors(name, reading.dialect, len(text.names)):
                frame = next(reader, None)
            if frame is None or len(frame) == 0:
                break
            columns = dict(zip(text.names, arrays_of_frame(frame)))
            for n, values in columns.items():
                columns[n] = values.str[len(MARK) :] if n in marked else stripped(values, text)
            columns, notices = without_index(columns, name, known=True)
            own = None if source is None else text
            table = Table(columns, name, own, tuple(notices), first)
            yield with_numbers(table, reading.writings)
            first += len(frame)
    refuse_empty(first, name)


# ---------------------------------------------------------------- Parquet


def parquet_tables(
    file: IO[bytes], name: str, reading: Reading, verbatim: Sequence[str]
) -> Iterator[Table]:
    """The Tables of a Parquet file."""
    first, frames = 0, parquet_frames(file, verbatim)
    while True:
        with library_errors(name, ".parquet"):
            frame = next(frames, None)
        if frame is None:
            break
        yield with_numbers(table_of_frame(frame, name, first=first), reading.writings)
        first += len(frame)
    refuse_empty(first, name)


def parquet_frames(file: IO[bytes], verbatim: Sequence[str]) -> Iterator[Any]:
    """The data frames of a Parquet file; verbatim whole numbers never become floats."""
    import pandas
    import pyarrow
    from pyarrow import parquet

    names = [f"{kind}{bits}" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)]
    whole = {getattr(pyarrow, n.lower())(): pandas.api.types.pandas_dtype(n) for n in names}
    with parquet.ParquetFile(file) as source:
        columns = max(1, len(source.schema_arrow))
        for batch in source.iter_batches(max(1, min(CHUNK_ROWS, CHUNK_VALUES // columns))):
            frame = plainly_named(batch.to_pandas())
            for field, values in zip(batch.schema, batch.columns):
                if field.name.strip() in verbatim and field.type in whole:
                    frame[field.name.strip()] = values.to_pandas(types_mapper=whole.get)
            yield frame
