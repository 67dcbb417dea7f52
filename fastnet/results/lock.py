"""A lock on a run folder, held while a process works on it and released when it ends."""

import os
from pathlib import Path
from typing import IO

from fastnet.errors import FastnetError

try:
    import fcntl
except ImportError:  # on Windows folders are not locked
    fcntl = None


def acquire(folder: Path) -> IO[str] | None:
    """The folder's lock file, held until it is closed; it names this process.

    Raises
    ------
    FastnetError
        when another process holds it, or the folder cannot be written.
    """
    if fcntl is None:
        return None
    file = None
    while file is None:
        file = try_to_lock(folder)
    file.truncate(0)
    file.write(str(os.getpid()))  # the process to ask to stop
    file.flush()
    return file


def try_to_lock(folder: Path) -> IO[str] | None:
    """The lock file, locked; None if its last holder has just removed it."""
    try:
        file = open(folder / "lock", "a")
    except OSError as error:
        raise FastnetError(f"{folder} cannot be written ({error.strerror}).") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file.fileno()), os.stat(folder / "lock")):
            return file
    except FileNotFoundError:
        pass
    except OSError:
        file.close()
        raise FastnetError(
            f"{folder} is in use by another fastnet process; wait for it or stop it."
        ) from None
    file.close()
    return None


def in_use(folder: Path) -> bool:
    """Whether a living process holds the folder's lock."""
    if fcntl is None or not (folder / "lock").exists():
        return False
    with open(folder / "lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False
