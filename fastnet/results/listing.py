"""What a list of runs shows of each, and what a person does to a run there: note and delete it."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastnet.errors import FastnetError, UsageError, quoted
from fastnet.files import RUN_FILES, WriteError, free_path, open_regular, write_bytes
from fastnet.results import answer, lock
from fastnet.results.aside import NOTE as SET_ASIDE
from fastnet.results.reading import is_only_begun, read_json
from fastnet.results.words import METRICS, number

NOTE = "note.txt"  # what a person wrote about the run
MOST_NOTE = 2000  # characters of a note
DELETED = ".deleted-"  # the name of a run while it is removed begins with this
OWN = {*RUN_FILES, "events.jsonl", "lock", NOTE, SET_ASIDE, "best/README.txt"}
JUDGED_BY = ("r2", "accuracy", "subset_accuracy")  # the first that a run has comes first
IN_UNITS = ("rmse", "balanced_accuracy")  # and the first of these second

# ---------------------------------------------------------------- facts


def facts(run: Path) -> dict[str, Any]:
    """What a list shows of a run beside its status; what is not known is None or empty.

    Returns
    -------
    dict
        run (its name), started (seconds since 1970), data, target, result, smallest_n1, n1 (of the
        best member), loss (its monitored one), members, seconds and note.
    """
    found: dict[str, Any] = dict.fromkeys(
        ("started", "data", "target", "result", "smallest_n1", "n1", "loss", "members", "seconds")
    )
    found |= {"run": run.name, "note": read_note(run)}
    with contextlib.suppress(FastnetError, OSError):
        found["started"] = (run / "config.json").stat().st_mtime
        config = read_json(run, "config.json")
        found |= {"data": data_name(config), "target": ", ".join(config["targets"])}
        summary = read_json(run, "summary.json")
        best = summary["best"]
        found |= {"smallest_n1": summary["smallest_n1"], "members": summary["members"]}
        found |= {"n1": best["n1"], "loss": answer.monitored_of(best)}
        found |= {"seconds": summary["seconds"]["total"], "result": result_text(best["metrics"])}
    return found


def data_name(config: Mapping[str, Any]) -> str:
    """What a run was trained on, in a word or two."""
    options = config["options"]
    if config["task"] == 1:
        return f"{options.get('function', 'sine')} (task 1)"
    if config["task"] == 2:
        return "digits (task 2)"
    return Path(options.get("data") or "arrays").name


def result_text(metrics: Any) -> str:
    """How good the best member is on the rows that it was not trained on, if there are any.

    Examples
    --------
    >>> result_text({"train": None, "val": None, "test": {"rmse": 16340.2, "r2": 0.98013}})
    'R2 0.9801, RMSE 16,340 (test)'
    """
    there = [name for name in ("test", "val", "train") if (metrics or {}).get(name)]
    if not there:
        return ""
    values = metrics[there[0]]
    names = [next((n for n in group if n in values), None) for group in (JUDGED_BY, IN_UNITS)]
    texts = [f"{METRICS[name]} {number(values[name])}" for name in names if name]
    return f"{', '.join(texts)} ({there[0]})"


# ---------------------------------------------------------------- notes


def read_note(run: Path) -> str:
    """The note about a run; empty if there is none."""
    try:
        with open_regular(run / NOTE, "rb") as file:
            return file.read(4 * MOST_NOTE).decode(errors="replace").strip()
    except OSError:
        return ""


def write_note(run: Path, text: str) -> None:
    """Keep a note in a run's folder, or remove it if it is empty.

    It is written whole, so it needs no lock: the run may be training.

    Raises
    ------
    UsageError
        for a note that is too long.
    FastnetError
        when this is no run folder, or it cannot be written.
    """
    text = text.strip()
    if len(text) > MOST_NOTE:
        raise UsageError(f"a note has at most {MOST_NOTE:,} characters, got {len(text):,}.")
    require_run(run)
    try:
        if text:
            write_bytes(run / NOTE, text.encode())
        else:
            (run / NOTE).unlink(missing_ok=True)
    except OSError as error:
        raise WriteError(run / NOTE, error) from None


# ---------------------------------------------------------------- deleting


def delete(run: Path) -> None:
    """Remove the folder of a run that is finished or interrupted, and nothing else.

    The folder is renamed first: a kill leaves no half of a run under its name.

    Raises
    ------
    FastnetError
        for a link, for what is no run folder, for a run that is in use, and for a folder with files
        that fastnet did not write.
    """
    require_run(run)
    held = lock.acquire(run)
    try:
        strange = strange_files(run)
        if strange:
            raise FastnetError(
                f"{run} has files that are not of the run: {', '.join(strange[:3])}"
                f"{', ...' * (len(strange) > 3)}; move them elsewhere, then delete it."
            )
        gone = free_path(run.with_name(DELETED + run.name), "-")
        os.replace(run, gone)
        shutil.rmtree(gone)  # does not follow links
    except OSError as error:
        raise FastnetError(
            f"{run} cannot be deleted ({error.strerror or error}); allow this user to write there."
        ) from None
    finally:
        if held.file is not None:
            held.file.close()


def require_run(run: Path) -> None:
    """Raise a FastnetError for what is no run folder of fastnet."""
    if run.is_symlink():
        raise FastnetError(f"{run} is a link; go to the folder that it leads to.")
    if not (is_only_begun(run) and any(run.iterdir())):
        read_json(run, "config.json")


def strange_files(run: Path) -> list[str]:
    """The files, links and folders in a run folder that fastnet does not write."""
    found = []
    for folder, folders, names in os.walk(run):
        inside = Path(folder).relative_to(run)
        links = [name for name in folders if (Path(folder) / name).is_symlink()]
        found += [(inside / name).as_posix() for name in (*names, *links)]
    return sorted(quoted(name) for name in found if not is_own(name))


def is_own(name: str) -> bool:
    """Whether a run writes a file of this name, relative to its folder."""
    name = name.removesuffix(".part")
    return name in OWN or name.replace("best/raw/", "best/") in OWN
