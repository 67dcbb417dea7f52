"""Write run folders such that a kill at any moment leaves a readable folder.

Every file is written beside its name and renamed; summary.json comes last, so a folder
without it is unfinished. A lock guards a folder while a process works on it.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Any

import numpy as np

from fastnet.errors import DataError, FastnetError
from fastnet.files import (
    RUN_FILES,
    WriteError,
    checked_path,
    open_regular,
    write_json,
    write_npz,
)
from fastnet.results import aside, lock
from fastnet.results.reading import PARTS, is_only_begun, read_json
from fastnet.results.result import Result
from fastnet.results.writing import make_folder, run_config, write_result

CHECKPOINT = "checkpoint.npz"
PIECES = "pieces"  # a folder of what workers handed over since the last checkpoint


def default_folder(name: str, runs: str | os.PathLike = "runs") -> Path:
    """A folder that does not exist yet: runs/NAME-UTC time, with -2, -3, ... if that exists.

    Examples
    --------
    >>> default_folder("task1").as_posix()
    'runs/task1-2...-...'
    """
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    folder, count = Path(runs) / f"{name}-{stamp}", 1
    while os.path.lexists(folder):
        count += 1
        folder = Path(runs) / f"{name}-{stamp}-{count}"
    return folder


# ---------------------------------------------------------------- the folder


class Folder:
    """A run folder that this process writes.

    create() refuses a folder that exists. With force, a folder with a config.json of fastnet is
    moved aside, and removed when the new run is finished.

    Attributes
    ----------
    path : Path
    aside : Path or None
        The old run that this process set aside.
    replaces : list of str
        Names of the runs that are removed when this one is finished: the one that was set aside,
        and those of earlier runs that were killed.
    lock : Lock
        Held until close(), if the file system has locks.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.aside = None
        self.replaces = []
        self.lock = lock.Lock()

    @classmethod
    def create(cls, out: Any, force: bool = False) -> "Folder":
        """A new folder, locked.

        Parameters
        ----------
        out : path or function
            A function returns a path that does not exist, and is called again if another process
            has made it meanwhile.
        force : bool

        Raises
        ------
        FastnetError
            when it exists (with force: and is not a run folder), is in use, or cannot be made.
        """
        while True:
            folder = cls(out() if callable(out) else out)
            try:
                folder.make(force)
                return folder
            except OSError as error:
                taken = isinstance(error, FileExistsError) and os.path.lexists(folder.path)
                if not taken:
                    raise FastnetError(
                        f"--out: {folder.path} cannot be made ({error.filename}: {error.strerror})."
                    ) from None
                if not callable(out):
                    raise FastnetError(
                        f"--out: {out} exists; name another folder, continue it with --resume "
                        f"{out}, or replace it with --force."
                    ) from None

    def make(self, force: bool) -> None:
        """Make the folder and lock it, or leave everything as it was."""
        if force and (os.path.islink(self.path) or self.path.name in ("", "..")):
            self.path = self.path.resolve()  # a link and "." cannot be renamed in its place
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if force and os.path.lexists(self.path):
            self.make_way()
        try:
            self.path.mkdir()
        except OSError:
            with contextlib.suppress(OSError):
                self.restore()
            raise
        try:
            self.lock = lock.acquire(self.path)
            self.replaces = [path.name for path in aside.beside(self.path)] if force else []
        except BaseException:
            self.abandon()
            raise

    @classmethod
    def reopen(cls, path: str | os.PathLike) -> "Folder":
        """The folder of a run that has begun, locked."""
        folder = cls(path)
        folder.replaces = names_replaced(read_json(folder.path, "config.json"))
        folder.lock = lock.acquire(folder.path)
        try:
            folder.refuse_strange_files()
        except BaseException:
            folder.close()
            raise
        return folder

    def refuse_strange_files(self) -> None:
        """Refuse a folder or link where this run will write, now rather than after training."""
        for name in (*RUN_FILES, *(f"{name}.part" for name in RUN_FILES)):
            if (self.path / name).is_dir():
                raise DataError(f"{self.path / name} is a folder in place of a file; remove it.")
        events = self.path / "events.jsonl"
        if os.path.lexists(events) and (events.is_symlink() or not events.is_file()):
            raise DataError(f"{events} is a link or no file; remove it.")

    # ------------------------------------------------------------ --force

    def make_way(self) -> None:
        """Move what has the folder's name out of the way: a run, or what a killed start left."""
        old = Folder(self.path)
        if not is_only_begun(self.path):
            try:
                read_json(self.path, "config.json")
            except FastnetError as error:
                raise FastnetError(
                    f"--force replaces only run folders: {error} Name another folder."
                ) from None
        old.lock = lock.acquire(self.path)
        try:
            if is_only_begun(self.path):
                shutil.rmtree(self.path)
                old.unlock()
            else:
                self.aside = old.path = aside.set_aside(self.path)
        finally:
            old.close()

    def restore(self) -> None:
        """Give the old run that was set aside its name again."""
        if self.aside is not None:
            aside.restore(self.aside, self.path)

    # ------------------------------------------------------------ a run's files

    def start(
        self, config: Mapping, environment: Mapping, split: Mapping, given: Mapping | None = None
    ) -> None:
        """Write the files that are known before training; with config.json a run can be resumed.

        `given` is the checkpoint of a run that begins with weights, or members, that no other file
        of it has, so it is written before config.json.
        """
        write_npz(self.path / "split.npz", split)
        write_json(self.path / "environment.json", environment)
        if given is not None:
            self.checkpoint(given)
        if self.replaces:
            config = {**config, "replaces": self.replaces}
        write_json(self.path / "config.json", config)

    def note(self, environment: Mapping) -> None:
        """Write the environment of a run that goes on with other workers."""
        write_json(self.path / "environment.json", environment)

    def event(self, **fields: Any) -> None:
        """Append one line to events.jsonl; a kill or a full disk in it spoils no other line."""
        line = json.dumps({"time": round(time.time(), 3), **fields}, allow_nan=False).encode()
        path = self.path / "events.jsonl"
        try:
            with open_regular(path, "a+b", buffering=0) as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(end - 1, 0))
                start = b"" if file.read(1) in (b"", b"\n") else b"\n"  # torn by a kill
                append(file, start + line + b"\n", end)
        except OSError as error:
            raise WriteError(path, error) from None

    def checkpoint(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the whole state of a training; the pieces that it had are in it."""
        write_npz(self.path / CHECKPOINT, arrays)
        for path in self.pieces():
            with contextlib.suppress(OSError):  # it is read once more, and is known
                path.unlink()

    def keep_piece(self, members: np.ndarray, piece: Mapping[str, np.ndarray]) -> None:
        """Write what a worker handed over, until the next checkpoint holds it."""
        make_folder(self.path / PIECES)
        write_npz(self.path / PIECES / f"{members[0]}.npz", {**piece, "members": members})

    def pieces(self) -> list[Path]:
        """The files of pieces that may not be in the checkpoint."""
        return sorted((self.path / PIECES).glob("*.npz"))

    def finish(self, result: Result) -> None:
        """Write all files of a finished run, summary.json last; tidy up."""
        write_result(self.path, result)
        write_json(self.path / "summary.json", result.summary())
        try:
            self.tidy()
        except OSError as error:
            raise FastnetError(
                f"{self.path} is finished, but {error.filename} cannot be removed "
                f"({error.strerror}); remove it."
            ) from None

    def tidy(self) -> None:
        """Remove what a finished run does not need: leftovers(), and the runs it replaces."""
        for path in self.leftovers():
            shutil.rmtree(path) if path.name in (PIECES, PARTS) else path.unlink()
        for path in self.replaced():
            aside.remove(path)

    def leftovers(self) -> list[Path]:
        """The checkpoint, pieces, parts, and files that a kill left half-written."""
        names = (
            CHECKPOINT,
            PIECES,
            PARTS,
            aside.NOTE,
            *(f"{name}.part" for name in (*RUN_FILES, aside.NOTE)),
        )
        return [self.path / name for name in names if os.path.lexists(self.path / name)]

    def replaced(self) -> list[Path]:
        """The runs that this one replaces, as far as they are there."""
        return [path for path in aside.beside(self.path) if path.name in self.replaces]

    # ------------------------------------------------------------ the end

    def close(self) -> None:
        """Release the folder: remove the lock file and unlock."""
        if self.lock.file is not None:  # otherwise it may belong to another process by now
            with contextlib.suppress(OSError):  # the folder may be gone, or read-only
                (self.path / "lock").unlink()
            self.unlock()

    def unlock(self) -> None:
        """Release the lock, if this process holds it."""
        if self.lock.file is not None:
            with contextlib.suppress(OSError):
                self.lock.file.close()
            self.lock = lock.Lock()

    def abandon(self) -> None:
        """Undo create(): remove the unfinished folder, and restore the one that was moved aside."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.unlock()
        with contextlib.suppress(OSError):  # the error before this one is the one to show
            self.restore()


def tidy_finished(path: Path, config: Mapping[str, Any]) -> None:
    """Remove what a kill at the end of a finished run left, as far as that is possible now."""
    with contextlib.suppress(FastnetError, OSError):
        folder = Folder(path)
        folder.replaces = names_replaced(config)
        if folder.leftovers() or folder.replaced() or os.path.lexists(path / "lock"):
            folder.lock = lock.acquire(path)
            try:
                folder.tidy()
            finally:
                folder.close()


def names_replaced(config: Mapping[str, Any]) -> list[str]:
    """The names in config.json of the runs that a run replaces."""
    names = config.get("replaces")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def append(file: IO[bytes], line: bytes, end: int) -> None:
    """Append a line to a file of `end` bytes; if that fails, cut off what was written of it."""
    try:
        while line:
            line = line[file.write(line) :]
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(end)
        raise


def save_result(result: Result, path: str | os.PathLike) -> None:
    """Write the run folder of a result that has none yet."""
    folder = Folder.create(checked_path(path, "folder"))
    try:
        config = run_config(result.command, result.task, result.schema, result.options)
        folder.start(config, result.environment, result.split)
        folder.finish(result._replace(run=str(path)))
    except BaseException:
        folder.abandon()
        raise
    folder.close()
