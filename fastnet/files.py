"""Files, written whole or not at all."""

import os
from pathlib import Path

from fastnet.errors import FastnetError


def refuse_existing(path, force):
    """An error for a file that is there, unless it may be replaced."""
    if Path(path).exists() and not force:
        raise FastnetError(f"-o: {path} exists; name another file, or replace it with --force.")


def write_file(path, write):
    """replace() whose failure is one line, and leaves nothing behind."""
    path = Path(path)
    try:
        replace(path, write)
    except OSError as error:
        raise FastnetError(f"-o: {path} cannot be written ({error.strerror}).") from None
    finally:
        beside(path).unlink(missing_ok=True)


def beside(path):
    """The file that replace() writes first."""
    return path.with_name(path.name + ".part")


def replace(path, write):
    """Call write(file) on a new file beside `path`, then put it in its place."""
    with open(beside(path), "wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside(path), path)
