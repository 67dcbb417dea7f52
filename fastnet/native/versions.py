"""Which compiler path: the versions of Numba that the fast path was tested with, and who chooses.

Nothing here imports Numba.
"""

import functools
import os
import re
from importlib.metadata import version

# The fast path is used from the first of these versions of Numba up to, not including, the
# second; setup.cfg has the same range. Raise the second after SLOW_TESTS=1 scripts/test passed.
TESTED = ("0.62", "0.69")
# "plain" in this variable: the plain path, whatever the version.
VARIABLE = "KERNELS_COMPILER"


@functools.cache
def compiler_versions():
    """Versions of Numba and llvmlite, without importing them."""
    return {name: version(name) for name in ("numba", "llvmlite")}


def number(text):
    """The first two numbers of a version, for comparisons."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def reason_for_plain():
    """Why the fast path is out of the question, in a few words; None where it is to be used."""
    asked = os.environ.get(VARIABLE, "")
    if asked not in ("", "plain"):
        raise ValueError(f"{VARIABLE} must be 'plain' or unset, got {asked!r}")
    if asked:
        return f"{VARIABLE} is set"
    found = compiler_versions()["numba"]
    if number(TESTED[0]) <= number(found) < number(TESTED[1]):
        return None
    return f"Numba {found} is not among the tested versions, {TESTED[0]} up to {TESTED[1]}"


def path():
    """The compiler path that kernels are looked for in the cache by: "fast" or "plain"."""
    return "plain" if reason_for_plain() else "fast"
