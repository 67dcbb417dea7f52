"""The example tables that come with fastnet, to try the commands on."""

import os
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from fastnet.errors import FastnetError, UsageError, did_you_mean, quoted
from fastnet.files import write_bytes


class Example(NamedTuple):
    """Some tables, what they are about, and what is predicted."""

    tables: tuple[str, ...]
    target: str
    help: str


EXAMPLES = {
    "houses": Example(
        ("houses.csv", "houses-new.csv"),
        "price",
        "600 made-up houses with their prices, and 12 without",
    ),
    "flowers": Example(("flowers.csv",), "species", "Fisher's 150 irises of three species (1936)"),
    "sensor": Example(("sensor.csv",), "ppm", "300 readings of a made-up gas sensor"),
}


def example(name: str, folder: str | os.PathLike[str] = ".", force: bool = False) -> list[Path]:
    """Copy an example's tables into a folder.

    Parameters
    ----------
    name : {"houses", "flowers", "sensor"}
    folder : path
        Where to write; it must exist.
    force : bool
        Replace files of the same names; else they must not exist, or have the same content.

    Returns
    -------
    list of Path
        The files, the one to train on first.

    Raises
    ------
    UsageError
        for a name that is not an example's.
    FastnetError
        for a file that exists with other content, or cannot be written.

    Examples
    --------
    >>> import tempfile, fastnet
    >>> folder = tempfile.mkdtemp()
    >>> [path.name for path in fastnet.example("houses", folder)]
    ['houses.csv', 'houses-new.csv']
    """
    if not isinstance(name, str) or name not in EXAMPLES:
        hint = did_you_mean(str(name), EXAMPLES)
        names = ", ".join(EXAMPLES)
        raise UsageError(f"example must be one of {names}, got {quoted(name)}.{hint}")
    contents = {Path(folder) / table: content_of(table) for table in EXAMPLES[name].tables}
    for path, content in contents.items():
        if path.exists() and not force and not (path.is_file() and path.read_bytes() == content):
            raise FastnetError(f"{path} exists and is another file; use --force to replace it.")
    for path, content in contents.items():
        write_bytes(path, content)
    return [*contents]


def content_of(table: str) -> bytes:
    """The bytes of a table that comes with fastnet."""
    return (files("fastnet.data") / "datasets" / table).read_bytes()


def rows_of(examples: dict[str, Example]) -> list[dict[str, str]]:
    """The examples as rows of a table."""
    return [
        {"example": name, "files": ", ".join(one.tables), "target": one.target, "help": one.help}
        for name, one in examples.items()
    ]
