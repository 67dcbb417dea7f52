"""Write data frames, one after another, as one table: CSV, TSV, JSON lines or Parquet."""

import csv
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable
from typing import IO, Any, NamedTuple

from fastnet.data.frames import is_text
from fastnet.data.tables import no_pyarrow
from fastnet.errors import UsageError
from fastnet.files import refuse_existing, write_output

ENDINGS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "json-lines", ".parquet": "parquet"}
PIPED = ("csv", "json-lines")  # what can be written to standard output
SEPARATORS = {"csv": ",", "tsv": "\t"}
FORMULA = "^[=+\\-@\t\r]"  # texts that spreadsheet programs take for a formula


class Output(NamedTuple):
    """Where a table goes, checked before anything is read.

    Attributes
    ----------
    path : str or None
        None is standard output.
    form : {"csv", "tsv", "json-lines", "parquet"}
    safe : bool
        Write an apostrophe before texts that a spreadsheet program would take for a formula.
    """

    path: str | None
    form: str
    safe: bool = False


def checked_output(
    path: str | None, form: str | None = None, force: bool = False, safe: bool = False
) -> Output:
    """The Output that the options -o, --format, --force and --safe-csv ask for.

    Raises
    ------
    UsageError
        for an unknown ending, and for options that contradict each other.
    FastnetError
        for a file that exists, without force.

    Examples
    --------
    >>> checked_output("prices.tsv").form
    'tsv'
    """
    if path is None:
        form = form or PIPED[0]
    elif form is not None:
        raise UsageError(f"--format is for standard output; -o {path} has its format by its name.")
    else:
        ending = os.path.splitext(path)[1].lower()
        if ending not in ENDINGS:
            raise UsageError(f"-o: the name must end in {', '.join(ENDINGS)}, got {path!r}.")
        refuse_existing(path, force)
        form = ENDINGS[ending]
    if safe and form not in SEPARATORS:
        raise UsageError(f"--safe-csv is for CSV and TSV, not for {form}.")
    return Output(path, form, safe)


def write_frames(frames: Iterable[Any], output: Output, stream: IO[str] | None = None) -> int:
    """Write data frames with the same columns one after another; the number of rows.

    Parameters
    ----------
    frames : iterable of DataFrame
    output : Output
    stream : text stream, optional
        Instead of standard output.

    Examples
    --------
    >>> import pandas
    >>> frame = pandas.DataFrame({"price": [1.5, 2.5]})
    >>> write_frames([frame, frame[:1]], Output(None, "json-lines"))
    {"price": 1.5}
    {"price": 2.5}
    {"price": 1.5}
    3
    """
    counted = Counted(frames)
    if output.path is None:
        write_text(counted, stream or sys.stdout, output)
    elif output.form == "parquet":
        write_parquet(counted, output.path)
    else:
        write_output(output.path, lambda file: write_encoded(counted, file, output))
    return counted.rows


class Counted:
    """Data frames, and the number of rows that went by."""

    def __init__(self, frames: Iterable[Any]) -> None:
        self.frames, self.rows = frames, 0

    def __iter__(self):
        for frame in self.frames:
            self.rows += len(frame)
            yield frame


def write_encoded(frames: Iterable[Any], file: IO[bytes], output: Output) -> None:
    """Write text into an open binary file, in UTF-8."""
    text = io.TextIOWrapper(file, "utf-8", newline="")
    try:
        write_text(frames, text, output)
    finally:
        text.detach()  # which flushes it


def write_text(frames: Iterable[Any], stream: IO[str], output: Output) -> None:
    """Write data frames to a text stream."""
    if output.form == "json-lines":
        for frame in frames:
            stream.writelines(json_lines(frame))
        return
    form = {"sep": SEPARATORS[output.form], "index": False, "lineterminator": "\n"}
    for number, frame in enumerate(frames):
        frame = without_formulas(frame) if output.safe else frame
        frame.to_csv(stream, header=number == 0, quoting=quoting(frame), **form)


def quoting(frame: Any) -> int:
    """Quote as little as needed; all texts if a cell has a carriage return, which csv forgets."""
    texts = [values.astype(str) for _, values in frame.items() if is_text(values)]
    found = any(column.str.contains("\r", regex=False).any() for column in texts)
    return csv.QUOTE_NONNUMERIC if found or "\r" in "".join(frame) else csv.QUOTE_MINIMAL


def json_lines(frame: Any) -> Iterable[str]:
    """One JSON object per row; missing values and numbers that are not finite are null."""
    import pandas

    plain = pandas.DataFrame({name: json_column(values) for name, values in frame.items()})
    for record in plain.to_dict("records"):
        yield json.dumps(record, default=str, allow_nan=False) + "\n"


def json_column(values: Any) -> Any:
    """A column as Python's own values; None for what JSON has no word for."""
    from pandas.api.types import is_float_dtype

    there = values.notna()
    if is_float_dtype(values):
        there &= values.abs() < float("inf")
    return values.astype(object).where(there, None)


def without_formulas(frame: Any) -> Any:
    """The frame with an apostrophe before texts, also names, that begin like a formula."""
    import pandas

    def quoted(texts: Any) -> Any:
        plain = texts.astype(str)
        return texts.astype(object).where(~plain.str.match(FORMULA), "'" + plain)

    frame = frame.assign(**{n: quoted(c) for n, c in frame.items() if is_text(c)})
    return frame.set_axis(quoted(pandas.Series(frame.columns)).tolist(), axis=1)


def write_parquet(frames: Iterable[Any], path: str) -> None:
    """Write a Parquet file.

    Its types are known at the last frame only, since a column may have whole numbers before it has
    others. So each frame waits in a file of its own.
    """
    try:
        import pyarrow
        from pyarrow import feather, ipc, parquet
    except ImportError:
        raise no_pyarrow(path) from None
    with tempfile.TemporaryDirectory() as folder:
        schemas = []
        for number, frame in enumerate(frames):
            table = pyarrow.Table.from_pandas(frame, preserve_index=False)
            feather.write_feather(table, f"{folder}/{number}")
            schemas.append(table.schema)
        schema = pyarrow.unify_schemas(schemas, promote_options="permissive")
        same = all(schema.equals(one) for one in schemas)
        schema = schema if same else schema.remove_metadata()  # which tells the types for pandas

        def write(file: IO[bytes]) -> None:
            with parquet.ParquetWriter(file, schema) as writer:
                for number in range(len(schemas)):
                    with ipc.open_file(f"{folder}/{number}") as part:
                        writer.write_table(part.read_all().cast(schema))

        write_output(path, write)
