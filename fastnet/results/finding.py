"""Find a run by its path, by the beginning of its name, or as the newest one."""

import os
from pathlib import Path

from fastnet.errors import FastnetError, UsageError

RUNS = "runs"  # the folder of runs
MOST_NAMED = 5  # runs that a message names


def find_run(name: str | None = None, runs: str | os.PathLike[str] = RUNS) -> str:
    """The path of a run, or of what a command shall refuse because there is no such run.

    Parameters
    ----------
    name : str or None
        A path; a run's name in the folder of runs, or its beginning, if no other begins so. None
        is the run that was started last.
    runs : path
        The folder of runs.

    Raises
    ------
    UsageError
        if several runs begin with the name.
    FastnetError
        if there is no run at all and none was named.

    Examples
    --------
    >>> find_run("model.npz")
    'model.npz'
    """
    if name is None:
        return str(newest(Path(runs)))
    if os.path.exists(name) or not name:
        return name
    folder, begin = os.path.split(name)
    found = [run for run in runs_in(Path(folder or runs)) if run.name.startswith(begin)]
    exact = [run for run in found if run.name == begin]
    if len(exact or found) > 1:
        named = ", ".join(run.name for run in found[:MOST_NAMED])
        more = ", ..." if len(found) > MOST_NAMED else ""
        raise UsageError(
            f"{name} is the beginning of {len(found)} runs: {named}{more}; give more of its name."
        )
    return str((exact or found)[0]) if found else name


def runs_in(folder: Path) -> list[Path]:
    """The run folders in a folder, the one that was started last at the end."""
    found = folder.glob("*/config.json")
    by_start = sorted(found, key=lambda path: (path.stat().st_mtime_ns, path.parent.name))
    return [path.parent for path in by_start]


def newest(runs: Path) -> Path:
    """The run that was started last."""
    found = runs_in(runs)
    if not found:
        raise FastnetError(
            f"there is no run in {runs}; name one, or make one: fastnet train --task 1"
        )
    return found[-1]
