"""Write files whole or not at all; read arrays without executing code from a file."""

import contextlib
import errno
import itertools
import json
import math
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastnet.errors import DataError, FastnetError, UsageError, quoted

# ---------------------------------------------------------------- paths and files


def checked_path(path: Any, label: str) -> Path:
    """The Path of a text or path-like object; anything else, and a NUL in it, is refused."""
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise UsageError(f"{label} must be a path, got {quoted(path)}.")
    if "\0" in os.fspath(path):
        raise UsageError(
            f"{label} must be a path without NUL characters, got {quoted(os.fspath(path))}."
        )
    return Path(path)


def free_path(path: Path, middle: str) -> Path:
    """A path beside another that does not exist: its name, `middle` and a number."""
    start = f"{path.name}{middle}{os.getpid()}"
    names = itertools.chain([start], (f"{start}-{count}" for count in itertools.count(1)))
    return next(p for p in map(path.with_name, names) if not os.path.lexists(p))


def open_regular(path: str | os.PathLike, mode: str, links: bool = False, **more: Any) -> IO[Any]:
    """Open a regular file. A FIFO, which could wait for ever, or a device is an OSError.

    So is a link, unless `links` are followed: what is written in a run folder that came from
    somebody else must not land in another file.
    """
    return open(path, mode, opener=follow if links else stay, **more)


def follow(name: str, flags: int) -> int:
    """An opener of regular files alone."""
    descriptor = os.open(name, flags | getattr(os, "O_NONBLOCK", 0), 0o666)  # a FIFO never waits
    kind = os.fstat(descriptor).st_mode
    if stat.S_ISREG(kind):
        return descriptor
    os.close(descriptor)
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(name))
    raise OSError(errno.EINVAL, "not a regular file", os.fspath(name))


def stay(name: str, flags: int) -> int:
    """An opener of regular files alone that does not follow a link."""
    return follow(name, flags | getattr(os, "O_NOFOLLOW", 0))


# ---------------------------------------------------------------- writing

CURES = {
    errno.ENOSPC: "free space on its disk",
    errno.EDQUOT: "free space in your quota",
    errno.EFBIG: "raise the limit of the size of files (ulimit -f)",
    errno.EROFS: "make its file system writable",
    errno.EACCES: "allow this user to write there",
    errno.EPERM: "allow this user to write there",
    errno.ENOENT: "make its folder",
    errno.ENOTDIR: "name a place whose folders are no files",
    errno.EISDIR: "move the folder of that name away",
    errno.ELOOP: "remove the link of that name",
    errno.EINVAL: "remove what has that name",
    errno.ENAMETOOLONG: "shorten its name",
}


class WriteError(FastnetError):
    """A file that cannot be written: which one, why, and what helps."""

    def __init__(self, path: str | os.PathLike, error: OSError) -> None:
        cure = CURES.get(error.errno or 0, "see that its disk can be written")
        self.error = error
        super().__init__(f"{path} cannot be written ({error.strerror or error}); {cure}.")


def write_whole(path: str | os.PathLike, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file so that it holds either the old or the new content, never a part.

    Parameters
    ----------
    path : path
    write : callable
        Called with a new binary file beside `path`, NAME.part, which then takes the name.

    Raises
    ------
    WriteError
        when it cannot be written; else whatever `write` raises. Neither leaves a .part behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(folder + "/a.txt", lambda file: file.write(b"whole"))
    ...     os.listdir(folder)
    ['a.txt']
    """
    write_together({path: write})


def write_together(writers: Mapping[Any, Callable[[IO[bytes]], Any]]) -> None:
    """Write several files as write_whole() does: all are complete before one takes its name."""
    parts = {path: Path(f"{Path(path)}.part") for path in writers}
    path = None
    try:
        for path, part in parts.items():
            write_part(part, writers[path])
        for path, part in parts.items():
            os.replace(part, path)
    except BaseException as error:
        for part in parts.values():
            with contextlib.suppress(OSError):  # the first error is the one to show
                part.unlink()
        if isinstance(error, OSError):
            raise WriteError(path, error) from None
        raise


def write_part(part: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a new file to the disk; what a kill left under its name goes, a link included."""
    part.unlink(missing_ok=True)
    # "x+b": with "xb" NumPy writes through C, whose errors do not say that a disk is full.
    with open_regular(part, "x+b") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write a file of these bytes, whole or not at all."""
    write_whole(path, lambda file: file.write(content))


def write_json(path: str | os.PathLike, value: Any) -> None:
    """The value as one JSON document; a NaN raises a ValueError and is never written."""
    write_bytes(path, json.dumps(value, indent=1, allow_nan=False).encode())


def write_npz(path: str | os.PathLike, arrays: Mapping[str, np.ndarray]) -> None:
    """Arrays as an uncompressed npz: the same arrays give the same bytes."""
    write_whole(path, lambda file: np.savez(file, **arrays))


def write_npy(path: str | os.PathLike, array: np.ndarray) -> None:
    """An array as an npy file."""
    write_whole(path, lambda file: np.save(file, array))


def json_value(value: Any) -> Any:
    """A number, text or None for JSON: NumPy's types as Python's; NaN, infinities, "" as None."""
    value = value.item() if hasattr(value, "item") else value
    missing = value == "" or (isinstance(value, float) and not math.isfinite(value))
    return None if missing else value


# ---------------------------------------------------------------- files that a user named with -o

# What a run writes into its folder, each file whole; events.jsonl grows.
BEFORE_CONFIG = ("split.npz", "environment.json", "checkpoint.npz")  # written before config.json
AT_END = (
    *("members.csv", "history.npz", "record.npz", "snapshots.npz"),
    *("weights.npz", "state.npz", "model.npz"),
)
BEST = tuple(f"best/{name}.npy" for name in ("W1", "b1", "W2", "b2"))
RUN_FILES = (*BEFORE_CONFIG, "config.json", *AT_END, *BEST, "summary.json")


def refuse_existing(path: str | os.PathLike, force: bool, what: str = "file") -> None:
    """Raise a FastnetError for a path that exists, unless what is there may be replaced.

    The files of a run may never: without them, or with others, the run cannot be read.
    """
    run = run_of(path)
    if run is not None:
        raise FastnetError(f"-o: {path} is a file of the run in {run}; name another {what}.")
    if os.path.exists(path) and not force:
        raise FastnetError(f"-o: {path} exists; name another {what}, or replace it with --force.")


def run_of(path: str | os.PathLike) -> Path | None:
    """The run folder that has a file or folder of this name of its own; None if there is none."""
    path = Path(os.path.realpath(path))
    for run in list(path.parents)[:2]:
        own = path.relative_to(run).as_posix() in (*RUN_FILES, "best", "events.jsonl", "lock")
        if own and all((run / name).is_file() for name in ("config.json", "split.npz")):
            return run
    return None


def write_output(path: str | os.PathLike, write: Callable[[IO[bytes]], Any]) -> None:
    """Call write_whole(); a failure becomes one line that names the option -o."""
    try:
        write_whole(path, write)
    except WriteError as error:
        raise FastnetError(f"-o: {error}") from None


# ---------------------------------------------------------------- reading


def load_arrays(file: IO[bytes], name: Any, kind: str = "NumPy file") -> Any:
    """The content of an open npy or npz file: an array, or a dict of arrays.

    Raises
    ------
    DataError
        for a broken file, and for pickled objects: they could execute any code. `name` says which
        file, `kind` what it should have been.
    """
    try:
        loaded = np.load(file, allow_pickle=False)
        return dict(loaded) if hasattr(loaded, "files") else loaded
    except Exception as error:  # numpy and zipfile raise many kinds for a broken file
        unsafe = f"it is no {kind}, or holds pickled objects"  # NumPy tells how to load them
        reason = unsafe if "pickle" in str(error) else str(error).rstrip(".")
        raise DataError(f"{name} cannot be read: {reason}.") from None


def read_npz(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """All arrays of an npz by name.

    Raises
    ------
    DataError
        when it is missing, broken, not an npz, or holds pickled objects.
    """
    try:
        # NumPy does not close a file that it opened itself if it is not a complete npz.
        with open_regular(path, "rb", links=True) as file:
            arrays = load_arrays(file, path, "npz")
    except FileNotFoundError:
        raise DataError(f"{path} is missing.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    if not isinstance(arrays, dict):
        raise DataError(f"{path} cannot be read: it is an npy, not an npz.")
    return arrays
