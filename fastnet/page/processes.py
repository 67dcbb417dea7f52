"""Runs from outside: start one in a process of its own, watch it, stop it.

Nothing here holds a run: all is read from its folder, so whoever watches can come and go.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from fastnet.engine import layout
from fastnet.engine.records import RUNNING, TRAIN_LOSS, VAL_LOSS
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.results import answer
from fastnet.results import folder as store
from fastnet.results import result as records
from fastnet.training.history import History, history_names
from fastnet.training.plan import plan_of_shape

NAME = re.compile(r"\w[\w.+-]{0,99}")  # of a run: no separators, so it stays in its folder
NOTES = ".notes"  # folder beside the runs for what their processes say


def checked_name(name):
    """A run's name, refused where it could lead out of the folder of runs."""
    if not NAME.fullmatch(name) or ".." in name:
        raise UsageError(
            f"a run's name has letters, digits, '.', '_', '+' and '-' and begins with a letter or "
            f"digit, got {name!r}."
        )
    return name


def folder_of(runs, name):
    """The folder of a run."""
    return Path(runs) / checked_name(name)


# ---------------------------------------------------------------- start and stop


def start(arguments, runs, name):
    """Begin `fastnet ARGUMENTS` in a process that outlives this one.

    Parameters
    ----------
    arguments : list of str
        A command and its options, without --out.
    runs, name : path, str
        The run folder is made at runs/name.
    """
    folder = folder_of(runs, name)
    if folder.exists():
        raise FastnetError(f"{folder} exists; choose another name.")
    return launch([*arguments, "--out", str(folder)], runs, name)


def resume(runs, name):
    """Continue a run in a process of its own."""
    config = store.read_json(folder_of(runs, name), "config.json")
    folder = str(folder_of(runs, name))
    return launch([config["command"], "--resume", folder], runs, name)


def launch(arguments, runs, name):
    """Start the command line; what it says goes into a file beside the runs."""
    notes = note_file(runs, name)
    notes.parent.mkdir(parents=True, exist_ok=True)
    with open(notes, "wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "fastnet", *arguments, "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # Ctrl-C ends the page, not the run
        )


def note_file(runs, name):
    """Where the process of a run writes its messages."""
    return Path(runs) / NOTES / f"{checked_name(name)}.txt"


def said(runs, name):
    """The messages of a run's process; empty when there are none."""
    try:
        return note_file(runs, name).read_text(errors="replace").strip()
    except OSError:
        return ""


def stop(runs, name):
    """Ask a run to save its state and end, as Ctrl-C does; whether it was running."""
    folder = folder_of(runs, name)
    if not store.in_use(folder):
        return False
    try:
        os.kill(int((folder / "lock").read_text()), signal.SIGINT)
    except (OSError, ValueError):
        return False
    return True


def estimate(arguments):
    """What `fastnet ARGUMENTS` would train, as its --dry-run says: a dict.

    Raises
    ------
    UsageError
        with what the command line says is wrong.
    """
    line = [sys.executable, "-m", "fastnet", *arguments, "--dry-run", "--json"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise UsageError(done.stderr.strip().removeprefix("Error: "))
    return json.loads(done.stdout)


# ---------------------------------------------------------------- where a run stands


def status(runs, name):
    """done, running, starting, interrupted (can be resumed), failed or missing."""
    folder = folder_of(runs, name)
    if (folder / "summary.json").is_file():
        return "done"
    if store.in_use(folder):
        return "running"
    if (folder / "config.json").is_file():
        return "interrupted"
    if said(runs, name):
        return "failed"
    return "starting" if note_file(runs, name).exists() else "missing"


def events(folder):
    """The lines of events.jsonl so far; a last one that is half-written is left out."""
    try:
        lines = (Path(folder) / "events.jsonl").read_bytes().split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines[:-1]:  # what is behind the last newline is not whole yet
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def peek(folder):
    """The Result of an unfinished run as of its last checkpoint, or None before the first.

    Its losses are those of the history; accuracies and test losses are not known yet.
    """
    folder = Path(folder)
    if not (folder / "checkpoint.npz").is_file():
        return None
    config, saved = (
        store.read_json(folder, "config.json"),
        store.read_npz(folder / "checkpoint.npz"),
    )
    try:
        return result_of(folder, config, saved)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise DataError(f"{folder} has a checkpoint that cannot be used ({error}).") from None


def result_of(folder, config, saved):
    """The Result that a checkpoint holds."""
    options = store.read_options(config)
    split = store.read_npz(folder / "split.npz")
    scaling = store.read_scaling(config["scaling"])
    shape = len(scaling.x_shift), len(scaling.y_shift)
    members = plan_of_shape(options, config["loss"], *shape, np.array([len(split["train"])]))
    history = History(members.settings.size, history_names(options, len(split["val"])))
    history.restore(saved)
    flat = history.flat(saved["states"])
    entries = {name: flat.pop(name) for name in (*records.Entries._fields, "offsets")}
    table = members_so_far(members, saved, len(split["val"]) > 0)
    classes = config["classes"]
    elapsed = float(saved["progress"][2])
    return records.Result(
        command=config["command"],
        task=config["task"],
        options=options,
        members=table,
        status="running" if store.in_use(folder) else "interrupted",
        seconds={"compile": 0.0, "train": elapsed, "total": elapsed},
        best_member=answer.best_member(table, options["stop"] == "first"),
        packed=layout.unpack(saved["best"], members.settings, *shape),
        entries=entries,
        recorded={"record": flat, "snapshots": {}},
        loss=config["loss"],
        classes=None if classes is None else np.array(classes),
        features=tuple(config["features"]),
        columns=store.read_columns(config["columns"]),
        scaling=scaling,
        split=split,
        environment=store.read_json(folder, "environment.json"),
        run=str(folder),
    )


def members_so_far(members, saved, validates):
    """The members' records as far as a checkpoint knows them."""
    states = saved["states"]
    table = records.settings_table(members, states)
    table["seconds"] = saved["seconds"]
    entry = states["best_entry"]
    table["train_loss"] = np.where(states["best_epoch"] >= 0, entry[:, TRAIN_LOSS], np.nan)
    table["val_loss"] = np.where(states["best_epoch"] >= 0, entry[:, VAL_LOSS], np.nan)
    table["stop_reason"][states["stop"] == RUNNING] = "running"
    if not validates:
        table["val_loss"] = np.nan
    for name in records.SCORES:
        if name not in ("train_loss", "val_loss"):
            table[name] = np.nan
    return table
