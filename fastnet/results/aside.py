"""Runs that --force sets aside, until the run that replaces them is finished.

A folder is renamed, and a note in it has its new name. A name alone would prove nothing: it may be
somebody's backup, which must never be removed.
"""

import os
import re
import shutil
from pathlib import Path

from fastnet.files import free_path, open_regular, write_bytes

BETWEEN = ".old-"  # between the name of the run and a number
NOTE = "set-aside"


def set_aside(run: Path) -> Path:
    """Rename a run; its new path."""
    path = free_path(run, BETWEEN)
    write_bytes(run / NOTE, os.fsencode(path.name))
    os.replace(run, path)
    return path


def restore(path: Path, run: Path) -> None:
    """Give a run that was set aside its name again."""
    os.replace(path, run)
    (run / NOTE).unlink(missing_ok=True)


def beside(run: Path) -> list[Path]:
    """The runs that were set aside for the one of this path."""
    run = run.absolute()
    starts = run.name + BETWEEN
    paths = [path for path in run.parent.iterdir() if path.name.startswith(starts)]
    return [path for path in paths if was_set_aside(path, path.name[len(starts) :])]


def was_set_aside(path: Path, end: str) -> bool:
    """Whether set_aside() gave a folder its name, which ends in `end`; a copy has no right note.

    A kill in remove() may leave an empty folder.
    """
    if path.is_symlink() or not path.is_dir():
        return False
    try:
        with open_regular(path / NOTE, "rb") as file:
            return file.read(1000) == os.fsencode(path.name)
    except OSError:
        return re.fullmatch(r"\d+(-\d+)?", end) is not None and not any(path.iterdir())


def remove(path: Path) -> None:
    """Remove a run that was set aside, its note last."""
    for entry in path.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != NOTE:
            entry.unlink()
    (path / NOTE).unlink(missing_ok=True)
    path.rmdir()
