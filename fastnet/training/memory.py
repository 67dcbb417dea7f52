"""The memory that this process may use: that of the machine, or the limit of its cgroups."""

import functools
import os
from pathlib import Path

from fastnet.training.cores import PROCESS, folders, numbers

# The files with a cgroup's limit in bytes: version 2, then version 1. "max" means none.
LIMITS = ("memory.max", "memory.limit_in_bytes")
UNKNOWN = 1 << 32  # bytes that are assumed where the system does not tell


@functools.cache
def granted_memory(process: Path = PROCESS) -> int:
    """The bytes that this process may use; `process` is its folder in /proc.

    Examples
    --------
    >>> granted_memory() > 2**20
    True
    """
    found = [
        n
        for folder in folders(process, "memory")
        for name in LIMITS
        for n in numbers(folder / name)[:1]
    ]
    return min([machine(), *(limit for limit in found if limit > 0)])


def machine() -> int:
    """The bytes of this machine's memory."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not every system tells
        return UNKNOWN
