"""A lock on a run folder, held while a process works on it and released when it ends."""

import contextlib
import errno
import os
import random
import time
from pathlib import Path
from typing import IO, NamedTuple

from fastnet.errors import FastnetError
from fastnet.files import WriteError, open_regular

try:
    import fcntl
except ImportError:  # on Windows folders are not locked
    fcntl = None

BUSY = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)  # all else: there are no locks here
PATIENCE = 2.0  # seconds to wait for those that only look, each for microseconds


class Lock(NamedTuple):
    """What acquire() returns.

    Attributes
    ----------
    file : file or None
        The lock file, which holds the lock until it is closed; None where nothing can be locked.
    notice : str
        Why nothing is locked, for people.
    """

    file: IO[str] | None = None
    notice: str = ""


def acquire(folder: Path) -> Lock:
    """Lock a folder; the lock file names this process.

    Raises
    ------
    FastnetError
        when another process holds the lock, or the folder cannot be written.
    """
    while fcntl is not None:
        try:
            file = open_regular(folder / "lock", "a+")
        except OSError as error:
            raise WriteError(folder / "lock", error) from None
        try:
            take(file, folder)
            if is_still_there(file, folder):
                name_process(file, folder)
                return Lock(file)
        except BaseException as error:
            close_and_remove(file, folder, isinstance(error, (OSError, WriteError)))
            if isinstance(error, OSError):
                return Lock(None, reason_unlocked(folder, error))
            raise
        file.close()
    return Lock()


def take(file: IO[str], folder: Path) -> None:
    """Lock the open file; where the file system has no locks, the OSError goes on.

    in_use() shares the lock for a moment. Who can share it, too, knows that no run holds it.
    """
    until = time.monotonic() + PATIENCE
    while not try_flock(file, fcntl.LOCK_EX):
        if not try_flock(file, fcntl.LOCK_SH) or time.monotonic() > until:
            raise FastnetError(
                f"{folder} is in use by another fastnet process; wait for it or stop it."
            )
        fcntl.flock(file, fcntl.LOCK_UN)
        time.sleep(random.uniform(0, 0.01))  # others may be taking it in the same way


def try_flock(file: IO[str], kind: int) -> bool:
    """Lock the open file without waiting; False if others stand in the way."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in BUSY:
            return False
        raise
    return True


def is_still_there(file: IO[str], folder: Path) -> bool:
    """Whether the open file is the folder's lock file; its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(folder / "lock"))
    except FileNotFoundError:
        return False


def name_process(file: IO[str], folder: Path) -> None:
    """Write into the lock file which process to ask to stop."""
    try:
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
    except OSError as error:
        raise WriteError(folder / "lock", error) from None


def close_and_remove(file: IO[str], folder: Path, remove: bool) -> None:
    """Close a lock file that is of no use; remove it if it is nobody else's."""
    if remove:
        with contextlib.suppress(OSError):
            (folder / "lock").unlink()
    with contextlib.suppress(OSError):  # it may try again to write
        file.close()


def reason_unlocked(folder: Path, error: OSError) -> str:
    """The notice for a folder that cannot be locked."""
    return (
        f"{folder} is not locked, as its file system has no locks ({error.strerror}); "
        "do not resume it while it runs."
    )


def in_use(folder: Path) -> bool:
    """Whether a living process holds the folder's lock; False if that cannot be known."""
    if fcntl is None:
        return False
    try:
        with open_regular(folder / "lock", "r") as file:
            return not try_flock(file, fcntl.LOCK_SH)
    except OSError:
        return False
