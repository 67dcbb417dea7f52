"""Runs in separate processes: start, watch and stop them.

No run is held in memory here: everything is read from its folder, so a viewer can come and go.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from fastnet.errors import FastnetError, UsageError
from fastnet.files import WriteError
from fastnet.results import listing
from fastnet.results.lock import in_use
from fastnet.results.reading import read_json
from fastnet.shapes import COUNT, NUMBER, Maybe, misfit

NAME = re.compile(r"\w[\w.+-]{0,99}")  # a run's name: no separators, so it stays in its folder
NOTES = ".notes"  # folder beside the runs for the messages of their processes, and forms

# What this server asked for and what has not happened yet, by the run's folder.
STARTED: dict[Path, subprocess.Popen] = {}  # until the process has locked the folder, or ended
RESUMED: dict[Path, subprocess.Popen] = {}  # likewise
STOPPED: set[Path] = set()  # until the run has released the lock


def checked_name(name):
    """A run's name, refused if it could lead out of the folder of runs."""
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
    STARTED[folder] = launch([*arguments, "--out", str(folder)], runs, name)
    return STARTED[folder]


def resume(runs, name):
    """Continue a run in a separate process."""
    config = read_json(folder_of(runs, name), "config.json")
    folder = folder_of(runs, name)
    RESUMED[folder] = launch([config["command"], "--resume", str(folder)], runs, name)
    return RESUMED[folder]


def launch(arguments, runs, name):
    """Start the command line; its messages go into a file beside the runs."""
    notes = note_file(runs, name)
    try:
        notes.parent.mkdir(parents=True, exist_ok=True)
        said = open(notes, "wb")
    except OSError as error:
        raise WriteError(notes, error) from None
    with said:
        return subprocess.Popen(
            [sys.executable, "-m", "fastnet", *arguments, "--quiet"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,  # Ctrl-C ends the page, not the run
        )


def note_file(runs, name):
    """The file for the messages of a run's process."""
    return Path(runs) / NOTES / f"{checked_name(name)}.txt"


def form_file(runs, name):
    """The file for the form that started a run: a run that fails at once has no options."""
    return Path(runs) / NOTES / f"{checked_name(name)}.json"


def said(runs, name):
    """The messages of a run's process; empty when there are none."""
    try:
        return note_file(runs, name).read_text(errors="replace").strip()
    except OSError:
        return ""


def trouble(runs, name):
    """Why the last process of a run failed; empty if it did not."""
    text = said(runs, name)
    return text.removeprefix("Error: ") if text.startswith("Error: ") else ""


def stop(runs, name):
    """Ask a run to save its state and end, as Ctrl-C does; return whether it was running.

    Not by Ctrl-C's own signal, which a page in a shell's background ignores, and so do its runs.
    """
    folder = folder_of(runs, name)
    if not in_use(folder):
        return False
    try:
        process = int((folder / "lock").read_text())
        if process < 2:  # 0 and negative numbers are groups of processes
            return False
        os.kill(process, signal.SIGTERM)
    except (OSError, ValueError, OverflowError):
        return False
    STOPPED.add(folder)
    return True


def estimate(arguments):
    """What `fastnet ARGUMENTS` would train: the dict of its --dry-run.

    Raises
    ------
    UsageError
        with the error of the command line.
    """
    line = [sys.executable, "-m", "fastnet", *arguments, "--dry-run", "--json"]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise UsageError(done.stderr.strip().removeprefix("Error: "))
    return json.loads(done.stdout)


# ---------------------------------------------------------------- all runs


def names(runs):
    """The names of all runs, and of those that could not start, the newest first."""
    found = {}
    for path in (*Path(runs).glob("*/config.json"), *Path(runs).glob(f"{NOTES}/*.txt")):
        name = path.stem if path.parent.name == NOTES else path.parent.name
        with contextlib.suppress(OSError, UsageError):
            found.setdefault(checked_name(name), path.stat().st_mtime)
    return sorted(
        (name for name in found if status(runs, name) != "missing"), key=found.get, reverse=True
    )


def delete(runs, name):
    """Remove a run that does not train, or what is left of one that could not start."""
    folder = folder_of(runs, name)
    if folder.exists() or folder.is_symlink():
        listing.delete(folder)
    for file in (note_file(runs, name), form_file(runs, name)):
        file.unlink(missing_ok=True)


# ---------------------------------------------------------------- the status of a run


def status(runs, name):
    """The status of a run, in one word.

    done, running, starting, stopping, interrupted (can be resumed), resuming, failed or missing.
    """
    folder = folder_of(runs, name)
    locked = in_use(folder)  # first: what a run writes before it lets go of the lock is then seen
    if (folder / "summary.json").is_file():
        STOPPED.discard(folder)
        return "done"
    if locked:
        forget(folder)
        return "stopping" if folder in STOPPED else "running"
    STOPPED.discard(folder)
    if is_alive(RESUMED, folder):
        return "resuming"
    if (folder / "config.json").is_file():
        return "running" if in_use(folder) else "interrupted"  # it may have begun meanwhile
    if is_alive(STARTED, folder):
        return "starting"
    text = said(runs, name)
    return "failed" if text and not text.startswith("Interrupted") else "missing"


def is_alive(launched, folder):
    """Whether a process that this server launched for a run has not ended."""
    process = launched.get(folder)
    if process is not None and process.poll() is not None:
        launched.pop(folder, None)  # another viewer may have done it
        return False
    return process is not None


def forget(folder):
    """A run has its lock: nothing is waited for any more."""
    STARTED.pop(folder, None)
    RESUMED.pop(folder, None)


def begun(runs, name):
    """When the process of a run began, as a number of seconds; now if that is not known."""
    for path in (folder_of(runs, name) / "lock", note_file(runs, name)):
        with contextlib.suppress(OSError):
            return path.stat().st_mtime
    return time.time()


# The numbers of an event that the page shows.
EVENT = {
    **dict.fromkeys(("epoch", "running", "members", "reached"), COUNT),
    **dict.fromkeys(("best_loss", "remaining"), Maybe(NUMBER)),
    "seconds": NUMBER,
}


def events(folder):
    """The lines of events.jsonl so far; what is no event, or half-written, is left out."""
    try:
        lines = (Path(folder) / "events.jsonl").read_bytes().split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines[:-1]:  # the text after the last newline is not complete yet
        with contextlib.suppress(ValueError, RecursionError):
            event = json.loads(line)
            if misfit(event, EVENT) is None:
                found.append(event)
    return found


def seconds_left(found, elapsed):
    """An estimate of the seconds that are left after `elapsed` of training, from a run's events.

    None if it is not known. Events are written at other moments than checkpoints.
    """
    before = [event for event in found if event["seconds"] <= elapsed + 0.001]
    if not before or before[-1]["remaining"] is None:
        return None
    return max(before[-1]["remaining"] - (elapsed - before[-1]["seconds"]), 0.0)
