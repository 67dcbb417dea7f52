"""How a text file is written: what a person or a model says about it, and what its head shows."""

import bz2
import codecs
import contextlib
import csv
import gzip
import io
import lzma
import os
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from fastnet.errors import DataError

AUTO = "auto"
BLANKS = r"\s+"  # pandas' separator for runs of blanks
GROUPED = re.compile(r"[+-]?\d{1,3}( \d{3})+([.,]\d*)?")  # digits in groups of three
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": BLANKS}
MARK_WORDS = {"comma": ",", "point": ".", "space": " "}
MARKS_IN_WORDS = (AUTO, *SEPARATORS, *MARK_WORDS)
HEAD = 1 << 16  # characters after the first line that show how a file is written
PACKED = (".gz", ".bz2", ".xz", ".zip")
UNPACK = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# Byte order marks, the longer ones first; pandas takes them away with these encodings.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Dialect(NamedTuple):
    """How text files are written, by the options of the same names.

    Attributes
    ----------
    separator, decimal, thousands, encoding : str
        "auto" is found anew in each file.
    na_values : tuple of str or None
        Texts of missing values; "auto" stands for the usual ones, None is none but the empty cell.
    no_header : bool
        Whether the first line is a row; then the columns are named 1, 2, ...
    skip_lines : int
        Lines before the table.
    comment, quote : str or None
        The characters that begin a comment and surround cells.

    Examples
    --------
    >>> Dialect(decimal=",").separator
    'auto'
    """

    separator: str = AUTO
    decimal: str = AUTO
    thousands: str = AUTO
    encoding: str = AUTO
    na_values: tuple[str, ...] | None = (AUTO,)
    no_header: bool = False
    skip_lines: int = 0
    comment: str | None = None
    quote: str | None = '"'


class Writing(NamedTuple):
    """How the numbers of a column are written.

    Attributes
    ----------
    decimal : str
    thousands : str
        The mark between groups of three digits; "" if there is none.
    unit : str
        What stands before or after each number; "" if nothing does.
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""


class Reading(NamedTuple):
    """What is known before a table is read.

    Attributes
    ----------
    dialect : Dialect
    texts : frozenset of str
        Columns whose cells stay texts, whatever they look like.
    numbers : frozenset of str
        Columns of numbers, also where they have leading zeros.
    known : bool
        Whether a model knows all types: then nothing is taken for text because of its looks.
    writings : dict
        How the numbers of columns are written that pandas would take for texts.
    """

    dialect: Dialect = Dialect()
    texts: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    known: bool = False
    writings: Mapping[str, Writing] = {}  # never changed; a read-only one could not be pickled

    def writing(self, name: str) -> Writing:
        """How the numbers of a column are written; the dialect's own marks come first."""
        own = self.writings.get(name, Writing())
        given = [MARK_WORDS.get(m, m) for m in (self.dialect.decimal, self.dialect.thousands)]
        decimal, thousands = (own[j] if m == AUTO else m for j, m in enumerate(given))
        return own._replace(decimal=decimal, thousands=thousands * (thousands != decimal))


NOTHING_KNOWN = Reading()


def dialect_of(options: Mapping[str, Any]) -> Dialect:
    """The Dialect in the options of a run."""
    told = {name: options[name] for name in Dialect._fields}
    nothing = {"na_values": ("none",), "quote": "none"}
    return Dialect(**{n: None if value == nothing.get(n) else value for n, value in told.items()})


def options_of(dialect: Dialect) -> dict[str, Any]:
    """The options that say a Dialect."""
    told = dialect._asdict()
    told["na_values"] = ("none",) if dialect.na_values is None else dialect.na_values
    return {**told, "quote": dialect.quote or "none"}


# ---------------------------------------------------------------- compressed files


def unpacked_name(name: str) -> str:
    """The name of a file without the ending of its compression."""
    stem, ending = os.path.splitext(name)
    return stem if ending.lower() in PACKED else name


@contextlib.contextmanager
def unpacked(source: Any, name: str) -> Iterator[IO[bytes]]:
    """A path or binary file as an open file of what is in it, decompressed."""
    ending = os.path.splitext(name)[1].lower()
    with contextlib.ExitStack() as stack:
        file = source if hasattr(source, "read") else stack.enter_context(open(source, "rb"))
        if ending == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(file))
            file = stack.enter_context(archive.open(only_member(archive, name)))
        elif ending in UNPACK:
            file = stack.enter_context(UNPACK[ending](file))
        yield file


def only_member(archive: zipfile.ZipFile, name: str) -> str:
    """The one file in a zip archive."""
    members = [n for n in archive.namelist() if not n.endswith("/") and "__MACOSX" not in n]
    if len(members) != 1:
        raise DataError(f"{name} holds {len(members)} files; a zip must hold one table.")
    return members[0]


# ---------------------------------------------------------------- encoding


def encoding_of(file: IO[bytes], given: str) -> str:
    """The encoding of a file: as given, else by its byte order mark, else UTF-8."""
    file.seek(0)
    start = file.read(4)
    found = next((name for mark, name in MARKS.items() if start.startswith(mark)), "utf-8")
    if given == AUTO or (codecs.lookup(given).name, found) == ("utf-8", "utf-8-sig"):
        return found
    return given


def head_of(file: IO[bytes], encoding: str) -> list[str]:
    """The first lines of a file, at least one; the last may be half of one."""
    file.seek(0)
    text = io.TextIOWrapper(file, encoding, newline="")
    try:
        first = text.readline()
        return [first, *text.read(HEAD).splitlines(keepends=True)]
    finally:
        text.detach()


# ---------------------------------------------------------------- separator


def separator_line(line: str) -> str | None:
    """The separator that a first line such as sep=; names."""
    text = line.strip("\r\n\"' ")
    return text[4:] if text.lower().startswith("sep=") and len(text) == 5 else None


def find_separator(lines: list[str], dialect: Dialect, name: str) -> str:
    """The separator of the cells, by the names and the rows that follow them.

    Raises
    ------
    DataError
        where two separators make a table of all lines.
    """
    rows = {c: records(lines, c, dialect.quote) for c in ",;\t|"}
    widths = {c: len(found[0]) for c, found in rows.items() if found and len(found[0]) > 1}
    whole = [c for c in widths if all(len(r) in (0, widths[c]) for r in rows[c])]
    if whole == ["\t"] and has_runs_of_numbers(rows["\t"]):
        rows[" "] = [blank_cells(line, dialect.quote) for line in lines if line.strip()]
        widths[" "] = len(rows[" "][0])
        whole += [" "] * all(len(r) == widths[" "] for r in rows[" "])
    if len(whole) > 1 and len(rows[whole[0]]) > 1:
        one, two = (f"{c!r} ({widths[c]} columns: {rows[c][0]})" for c in whole[:2])
        raise DataError(
            f"{name} is a table with the separator {one} and with {two}; say which with "
            "--separator."
        )
    if whole or widths:
        return max(whole or widths, key=widths.__getitem__)
    cells = [blank_cells(line, dialect.quote) for line in lines if line.strip()]
    numbers = all(any(map(is_number, row)) for row in cells[1:]) and len(cells) > 1
    if numbers and len(cells[0]) > 1:
        named = dialect.quote and all(line.startswith(dialect.quote) for line in lines)
        own = len(cells[0]) + bool(named and len(cells[1]) > len(cells[0]))  # R names the rows
        if all(len(row) == own for row in cells[1:]):
            return BLANKS
    # One column, perhaps of numbers with decimal commas.
    return next((c for c in rows if rows[","] and not any(c in line for line in lines)), ",")


def records(lines: list[str], separator: str, quote: str | None) -> list[list[str]]:
    """The cells of some lines, empty lines left out; none where quotes end inside of cells."""
    found = []
    with long_cells():
        reader = csv.reader(lines, strict=True, **csv_form(separator, quote))
        try:
            found += reader
        except csv.Error as error:
            if "end of data" not in str(error):  # the last cell may be cut
                return []
    return [cells for cells in found if cells]


def blank_cells(line: str, quote: str | None) -> list[str]:
    """The cells of a line between runs of blanks, of which cells in quotes can contain some."""
    if quote is None or quote not in line:
        return line.split()
    q = re.escape(quote)
    found = re.findall(rf"{q}(?:[^{q}]|{q}{q})*{q}\S*|\S+", line)
    return [cell.strip(quote) if cell.startswith(quote) else cell for cell in found]


def has_runs_of_numbers(rows: list[list[str]]) -> bool:
    """Whether every row has a cell of several numbers between blanks, other than 1 299 000."""

    def is_run(cell: str) -> bool:
        words = cell.split()
        return sum(map(is_number, words)) > 1 and not GROUPED.fullmatch(" ".join(words))

    return len(rows) > 1 and all(any(map(is_run, row)) for row in rows[1:])


def csv_form(separator: str, quote: str | None) -> dict[str, Any]:
    """The arguments of csv.reader for what pandas reads with the same separator and quote."""
    quoting = csv.QUOTE_NONE if quote is None else csv.QUOTE_MINIMAL
    form = {"delimiter": separator, "skipinitialspace": True, "quoting": quoting}
    return form if quote is None else {**form, "quotechar": quote}


@contextlib.contextmanager
def long_cells() -> Iterator[None]:
    """Let csv read cells of any length, as pandas does."""
    before = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def plain_name(name: str) -> str:
    """A column's name without the blanks around it, its letters composed (Unicode's NFC)."""
    return unicodedata.normalize("NFC", name.strip())


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def listed(names: Sequence, most: int = 10) -> str:
    """Names for a message, at most `most` of them, and how many there are."""
    more = f", ... ({len(names):,} in all)" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
