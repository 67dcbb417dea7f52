"""Write files whole or not at all; read arrays without executing code from a file."""

import contextlib
import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastnet.errors import DataError, FastnetError

# ---------------------------------------------------------------- writing


def write_whole(path: str | os.PathLike, write: Callable[[IO[bytes]], Any]) -> None:
    """Write a file so that it holds either the old or the new content, never a part.

    Parameters
    ----------
    path : path
    write : callable
        Called with a new binary file beside `path`, NAME.part, which then takes the name.

    Raises
    ------
    OSError
        when it cannot be written; whatever `write` raises. Neither leaves a .part behind.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(folder + "/a.txt", lambda file: file.write(b"whole"))
    ...     os.listdir(folder)
    ['a.txt']
    """
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to show
            part.unlink()
        raise


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


def refuse_existing(path: str | os.PathLike, force: bool, what: str = "file") -> None:
    """Raise a FastnetError for a path that exists, unless what is there may be replaced."""
    if Path(path).exists() and not force:
        raise FastnetError(f"-o: {path} exists; name another {what}, or replace it with --force.")


def write_output(path: str | os.PathLike, write: Callable[[IO[bytes]], Any]) -> None:
    """Call write_whole(); a failure becomes one line that names the option -o."""
    try:
        write_whole(path, write)
    except OSError as error:
        raise FastnetError(f"-o: {path} cannot be written ({error.strerror}).") from None


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
        with open(path, "rb") as file:
            arrays = load_arrays(file, path, "npz")
    except FileNotFoundError:
        raise DataError(f"{path} is missing.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from None
    if not isinstance(arrays, dict):
        raise DataError(f"{path} cannot be read: it is an npy, not an npz.")
    return arrays
