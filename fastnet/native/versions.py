"""The choice of the compiler path, by the versions of Numba that the fast path was tested with.

Nothing here imports Numba.
"""

import contextlib
import functools
import os
import re
from importlib.metadata import version

from fastnet.errors import FastnetError, UsageError

# The fast path is used from the first of these versions of Numba up to, not including, the
# second; setup.cfg has the same range. Raise the second after SLOW_TESTS=1 scripts/test passed.
TESTED = ("0.62", "0.69")
# "plain" in this variable selects the plain path for every version.
VARIABLE = "KERNELS_COMPILER"


@functools.cache
def compiler_versions():
    """Versions of Numba and llvmlite, without importing them."""
    return {name: version(name) for name in ("numba", "llvmlite")}


def number(text):
    """The first two numbers of a version, for comparisons."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


def is_tested():
    """Whether the installed Numba is among the versions that fastnet was tested with."""
    return number(TESTED[0]) <= number(compiler_versions()["numba"]) < number(TESTED[1])


@contextlib.contextmanager
def suspected():
    """If an error may come from a version of Numba that was not tested, name it."""
    try:
        yield
    except FastnetError:
        raise
    except Exception as error:
        if is_tested():
            raise
        found, (first, end) = compiler_versions()["numba"], TESTED
        raise FastnetError(
            f"Numba {found} cannot compile the kernels ({type(error).__name__}: {error}); fastnet "
            f"was tested with others: pip install 'numba>={first},<{end}'."
        ) from error


def reason_for_plain():
    """Why the fast path is not used, in a few words; None if it is."""
    asked = os.environ.get(VARIABLE, "")
    if asked not in ("", "plain"):
        raise UsageError(f"{VARIABLE} must be 'plain' or unset, got {asked!r}.")
    if asked:
        return f"{VARIABLE} is set"
    if is_tested():
        return None
    found, (first, end) = compiler_versions()["numba"], TESTED
    return f"Numba {found} is not among the tested versions, {first} up to {end}"


def path():
    """The compiler path whose kernels are looked up in the cache: "fast" or "plain"."""
    return "plain" if reason_for_plain() else "fast"
