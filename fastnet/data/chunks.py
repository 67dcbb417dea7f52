"""The rows of a table part by part, so that a file may be larger than memory."""

import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO, Any

from fastnet.data.tables import (
    Table,
    read_header,
    read_table,
    refuse_empty,
    relative_path,
    table_of_frame,
    text_errors,
    text_reader,
)
from fastnet.errors import DataError

HEAD_BYTES = 1 << 20  # of standard input that are read for the column names
MARK = "'"  # before verbatim cells: pandas takes NA for a missing value even after a converter


def table_chunks(
    source: Any, texts: Sequence[str] = (), verbatim: Sequence[str] = ()
) -> Iterator[Table]:
    """The Tables of some rows each, in their order; one Table unless the source is a text file.

    Parameters
    ----------
    source : path, binary file or DataFrame
        As `read_table` takes it.
    texts : sequence of str
        Columns of a text file that hold texts, whatever they look like.
    verbatim : sequence of str
        Columns of a text file whose cells are texts even if they look like missing values.

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
        yield table_of_frame(source, "data")
    elif str(source) == "-":
        yield from text_tables(*standard_input(), None, "standard input", texts, verbatim)
    elif hasattr(source, "read"):
        name = str(getattr(source, "name", "the file"))
        yield from tables_of_file(source, source, name, texts, verbatim)
    else:
        yield from tables_of_path(source, texts, verbatim)


def tables_of_path(path: Any, texts: Sequence[str], verbatim: Sequence[str]) -> Iterator[Table]:
    """The Tables of a file by its path."""
    name = relative_path(path)
    try:
        with open(path, "rb") as file:
            yield from tables_of_file(file, path, name, texts, verbatim)
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror or error}).") from None


def tables_of_file(
    file: IO[bytes], source: Any, name: str, texts: Sequence[str], verbatim: Sequence[str]
) -> Iterator[Table]:
    """The Tables of an open file; `source` is what to open for line numbers."""
    if os.path.splitext(name)[1].lower() not in (".csv", ".tsv"):
        yield read_table(source, name)
        return
    yield from text_tables(file, file, source, name, texts, verbatim)


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
    texts: Sequence[str],
    verbatim: Sequence[str],
) -> Iterator[Table]:
    """The Tables of a text file; `head` is its beginning, or the file itself."""
    with text_errors(name):
        separator, names = read_header(head, name, os.path.splitext(name)[1].lower())
    if head is file:
        file.seek(0)
    types = {n: "str" for n in texts if n in names and n not in verbatim}
    marked = {n: MARK.__add__ for n in verbatim if n in names}
    first = 0
    with text_errors(name, len(names)):
        reader = text_reader(file, names, separator, types, marked)
    with reader:
        while True:
            with text_errors(name, len(names)):
                frame = next(reader, None)
            if frame is None or len(frame) == 0:
                break
            frame = frame.assign(**{n: frame[n].str[len(MARK) :] for n in marked})
            yield table_of_frame(frame, name, file=source, separator=separator, first=first)
            first += len(frame)
    refuse_empty(first, name)
