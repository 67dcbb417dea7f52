"""Write run folders such that a kill at any moment leaves a readable folder.

Every file is written beside its name and renamed; summary.json comes last, so a folder
without it is unfinished. A lock guards a folder while a process works on it.
"""

import itertools
import json
import os
import shutil
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data.schema import Schema
from fastnet.errors import FastnetError
from fastnet.files import write_bytes, write_json, write_npy, write_npz
from fastnet.results import lock
from fastnet.results.metrics import GOALS
from fastnet.results.model import Model
from fastnet.results.reading import read_json
from fastnet.results.result import MEMBERS, SCHEMA_VERSION, Result
from fastnet.training.plan import OFF, shown

ASIDE = ".old-"  # between the name of a folder that --force set aside, and a number


def default_folder(name: str, runs: str | os.PathLike = "runs") -> Path:
    """A folder that does not exist yet: runs/NAME-UTC time, with -2, -3, ... if that exists.

    Examples
    --------
    >>> default_folder("task1").as_posix()
    'runs/task1-2...-...'
    """
    stamp = datetime.now(timezone.utc).strftime("%Y%m%d-%H%M%S")
    folder, count = Path(runs) / f"{name}-{stamp}", 1
    while folder.exists():
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
        The old run that was moved aside.
    lock_file : file or None
        Open as long as this process holds the lock.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        self.aside = None
        self.lock_file = None

    @classmethod
    def create(cls, path: str | os.PathLike, force: bool = False) -> "Folder":
        """A new folder, locked.

        Raises
        ------
        FastnetError
            when it exists (with force: and is not a run folder), is in use, or cannot be made.
        """
        folder = cls(path)
        if force and (folder.path.is_symlink() or folder.path.name in ("", "..")):
            folder.path = folder.path.resolve()  # a link and "." cannot be renamed in its place
        try:
            folder.path.parent.mkdir(parents=True, exist_ok=True)
            if force and folder.path.exists():
                folder.set_aside()
            folder.path.mkdir()
        except OSError as error:
            if folder.path.exists():
                raise FastnetError(
                    f"--out: {path} exists; name another folder, continue it with --resume {path}, "
                    "or replace it with --force."
                ) from None
            raise FastnetError(
                f"--out: {path} cannot be made ({error.filename}: {error.strerror})."
            ) from None
        folder.lock()
        return folder

    @classmethod
    def reopen(cls, path: str | os.PathLike) -> "Folder":
        """The folder of a run that has begun, locked."""
        folder = cls(path)
        config = read_json(folder.path, "config.json")
        folder.lock()
        folder.aside = folder.replaced(config.get("replaces"))
        return folder

    def replaced(self, name: Any) -> Path | None:
        """The run that --force had set aside, by its name in config.json; None if it is gone."""
        if not isinstance(name, str) or Path(name).name != name:
            return None
        path = self.path.absolute()
        own = name.startswith(path.name + ASIDE) and path.with_name(name).is_dir()
        return path.with_name(name) if own else None

    def set_aside(self) -> None:
        """Rename the old run; only a run of fastnet is ever replaced."""
        try:
            read_json(self.path, "config.json")
        except FastnetError as error:
            raise FastnetError(
                f"--force replaces only run folders: {error} Name another folder."
            ) from None
        old = Folder(self.path)
        old.lock()
        self.aside = self.free_name()
        os.replace(self.path, self.aside)
        old.path = self.aside
        old.close()

    def free_name(self) -> Path:
        """A name beside the folder for what is set aside."""
        for count in itertools.count():
            end = f"{os.getpid()}-{count}" if count else str(os.getpid())
            path = self.path.with_name(f"{self.path.name}{ASIDE}{end}")
            if not path.exists():
                return path

    def lock(self) -> None:
        """Lock the folder; refuse one that another process is working on."""
        self.lock_file = lock.acquire(self.path)

    def unlock(self) -> None:
        """Release the lock, if this process holds it."""
        if self.lock_file is not None:
            self.lock_file.close()
            self.lock_file = None

    def start(
        self, config: Mapping, environment: Mapping, split: Mapping, given: Mapping | None = None
    ) -> None:
        """Write the files that are known before training; with config.json a run can be resumed.

        `given` is the checkpoint of a run with the caller's own initial weights. No other file has
        them, so it is written before config.json, which says that there must be one.
        """
        write_npz(self.path / "split.npz", split)
        write_json(self.path / "environment.json", environment)
        facts = {}
        if given is not None:
            self.checkpoint(given)
            facts["initial_weights"] = True
        if self.aside is not None:
            facts["replaces"] = self.aside.name
        write_json(self.path / "config.json", {**config, **facts})

    def event(self, **fields: Any) -> None:
        """Append one line to events.jsonl."""
        line = json.dumps({"time": round(time.time(), 3), **fields}, allow_nan=False)
        with open(self.path / "events.jsonl", "a") as file:
            file.write(line + "\n")

    def checkpoint(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the whole state of a training."""
        write_npz(self.path / "checkpoint.npz", arrays)

    def finish(self, result: Result) -> None:
        """Write all files of a finished run, summary.json last."""
        write_result(self.path, result)
        write_json(self.path / "summary.json", result.summary())
        (self.path / "checkpoint.npz").unlink(missing_ok=True)
        if self.aside is not None:
            shutil.rmtree(self.aside)

    def close(self) -> None:
        """Release the folder: remove the lock file and unlock."""
        if self.lock_file is not None:  # otherwise it may belong to another process by now
            (self.path / "lock").unlink(missing_ok=True)
            self.unlock()

    def abandon(self) -> None:
        """Undo create(): remove the unfinished folder, and restore the one that was moved aside."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.unlock()
        if self.aside is not None:
            os.replace(self.aside, self.path)


def save_result(result: Result, path: str | os.PathLike) -> None:
    """Write the run folder of a result that has none yet."""
    folder = Folder.create(path)
    try:
        config = run_config(result.command, result.task, result.schema, result.options)
        folder.start(config, result.environment, result.split)
        folder.finish(result._replace(run=str(path)))
    except BaseException:
        folder.abandon()
        raise
    folder.close()


# ---------------------------------------------------------------- the files in it


def run_config(
    command: str, task: int | None, schema: Schema, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of config.json; tuples become lists."""
    lists = {name: list(v) if isinstance(v, tuple) else v for name, v in options.items()}
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "task": task,
        **schema.to_config(),
        "options": lists,
    }


def write_result(path: Path, result: Result) -> None:
    """Write members.csv, history.npz, weights.npz, best/ and model.npz."""
    write_members(path / "members.csv", result.members)
    write_npz(path / "history.npz", result.entries)
    for name, arrays in result.recorded.items():
        if arrays:
            write_npz(path / f"{name}.npz", arrays)
    if not result.packed:
        return
    if result.options["keep"] == "all":
        arrays = {name: a for name, a in result.packed.items() if name != "members"}
        write_npz(path / "weights.npz", arrays)
    (path / "best").mkdir(exist_ok=True)
    for name, array in result.weights()._asdict().items():
        write_npy(path / "best" / f"{name}.npy", array)
    write_model(path / "model.npz", result.model())


def write_model(path: str | os.PathLike, model: Model) -> None:
    """Write everything that predicting needs into one npz without pickles."""
    facts = model.schema.to_arrays()
    loss = facts.pop("loss")  # the last array, as it has been since schema version 1
    if model.thresholds is not None:
        facts["thresholds"] = np.array([model.thresholds[name] for name in GOALS])
    write_npz(
        path,
        {
            **model.weights._asdict(),
            **facts,
            "schema_version": np.array(SCHEMA_VERSION),
            "activation": np.array(model.activation),
            "loss": loss,
        },
    )


def write_members(path: Path, members: np.ndarray) -> None:
    """Write members.csv, one row per member."""
    columns = [csv_cells(name, members[name]) for name in MEMBERS.names]
    lines = [",".join(MEMBERS.names), *map(",".join, zip(*columns))]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def csv_cells(name: str, values: np.ndarray) -> list[str]:
    """A column of members.csv as texts: off or missing is empty, numbers read back."""
    if (values == values[0]).all():  # most columns
        return [csv_cell(name, values[0].item())] * len(values)
    if name in OFF:
        return [csv_cell(name, value) for value in values.tolist()]
    return ["" if value != value else str(value) for value in values.tolist()]


def csv_cell(name: str, value: Any) -> str:
    """A value of members.csv as exact text; empty if it is off or missing."""
    value = shown(name, value)
    return "" if value is None or value != value else str(value)
