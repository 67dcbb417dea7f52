"""The cores that this process may use: by its affinity, and by the CPU quota of its cgroups."""

import contextlib
import functools
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PROCESS = Path("/proc/self")


class Cores(NamedTuple):
    """The cores that a process may use.

    Attributes
    ----------
    count : int
        Of them; a quota of 1.5 cores counts as 2.
    machine : int
        Of the whole machine.
    limit : {"affinity", "quota", None}
        What keeps the process from the others.
    """

    count: int
    machine: int
    limit: str | None

    def __str__(self) -> str:
        if self.limit is None:
            return f"{self.count} of {self.machine} cores"
        return f"{self.count} of {self.machine} cores ({self.limit})"


def granted(process: Path = PROCESS) -> Cores:
    """The cores that this process may use; `process` is its folder in /proc.

    Examples
    --------
    >>> 1 <= granted().count <= granted().machine
    True
    """
    allowed, paid = affinity(), quota(process)
    machine = max(os.cpu_count() or 1, allowed)
    if paid <= allowed - 1:
        return Cores(math.ceil(paid), machine, "quota")
    return Cores(allowed, machine, "affinity" if allowed < machine else None)


def idle_cores() -> int:
    """The cores that nobody else keeps busy, at least 1: by the load of the last minute."""
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # not every system tells
        load = 0.0
    cores = granted()
    return max(1, min(cores.count, round(cores.machine - load)))


def affinity() -> int:
    """The cores that the scheduler may put this process on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


# ---------------------------------------------------------------- control groups


@functools.cache  # reading the files takes 0.3 ms, and every run asks
def quota(process: Path = PROCESS) -> float:
    """The smallest CPU quota, in cores, of the process's cgroups and of those that they are in;
    infinity without one."""
    found = [q for folder in folders(process, "cpu") for q in (quota_2(folder), quota_1(folder))]
    return min(found, default=math.inf)


def quota_2(folder: Path) -> float:
    """The quota that a folder of version 2 sets: cpu.max is "150000 100000", or "max 100000"."""
    limit, period = (*numbers(folder / "cpu.max"), 0, 0)[:2]
    return limit / period if limit > 0 and period > 0 else math.inf


def quota_1(folder: Path) -> float:
    """The quota that a folder of version 1 sets; -1 microseconds mean none."""
    (limit,) = numbers(folder / "cpu.cfs_quota_us") or (-1,)
    (period,) = numbers(folder / "cpu.cfs_period_us") or (0,)
    return limit / period if limit > 0 and period > 0 else math.inf


def numbers(path: Path) -> tuple[int, ...]:
    """The whole numbers in a file; none if it is missing or says anything else."""
    with contextlib.suppress(OSError, ValueError):
        return tuple(int(text) for text in path.read_text().split())
    return ()


def folders(process: Path, controller: str) -> Iterator[Path]:
    """Folders of the process's cgroups with a controller, each with those above it."""
    own = own_cgroups(process, controller)
    for version, root, mounted in cgroup_mounts(process, controller):
        if version not in own:
            continue
        # Seen from within a container, a cgroup may lie outside of what is mounted.
        inside = os.path.relpath(own[version], root)
        inside = "." if inside.startswith("..") else inside
        folder = Path(mounted) / inside
        yield folder
        yield from folder.parents[: len(Path(inside).parts)]


def own_cgroups(process: Path, controller: str) -> dict[int, str]:
    """The process's cgroup in version 2, and in version 1 the one of a controller."""
    found = {}
    for number, controllers, path in split_lines(process / "cgroup", ":", 3):
        if number == "0" and not controllers:
            found[2] = path
        elif controller in controllers.split(","):
            found[1] = path
    return found


def cgroup_mounts(process: Path, controller: str) -> Iterator[tuple[int, str, str]]:
    """Version, the cgroup that is mounted, and where, of each mount with a controller."""
    for fields in split_lines(process / "mountinfo", " ", 0):
        kind, _, options = fields[-3:]
        root, mounted = map(unescaped, fields[3:5])
        if kind == "cgroup2":
            yield 2, root, mounted
        elif kind == "cgroup" and controller in options.split(","):
            yield 1, root, mounted


def split_lines(path: Path, separator: str, parts: int) -> Iterator[list[str]]:
    """The fields of each line of a file, at most `parts` (0: any number); none if it is missing."""
    with contextlib.suppress(OSError):
        for line in path.read_text(errors="surrogateescape").splitlines():
            yield line.split(separator, parts - 1)


def unescaped(path: str) -> str:
    r"""A path of mountinfo, which writes a blank as \040."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), path)
