"""The exceptions of fastnet, each with its exit code on the command line; values in messages."""

from collections.abc import Iterable
from typing import Any

MOST_LETTERS = 63  # of a value in a message


class FastnetError(Exception):
    """Anything that a user can correct: a folder that exists, is locked or is missing."""

    exit_code = 1


class UsageError(FastnetError):
    """An option or argument that is unknown, out of range or contradicts another."""

    exit_code = 2


class DataError(FastnetError):
    """Data, a run folder or a model that cannot be read or used."""

    exit_code = 3


def quoted(value: Any) -> str:
    """A value in a message: texts are quoted; one line, and of a long value its beginning.

    Examples
    --------
    >>> quoted("none"), quoted(0.5), quoted("a" * 100)[-6:]
    ("'none'", '0.5', 'aaa...')
    """
    try:
        text = " ".join((repr if isinstance(value, str) else str)(value).split())
    except Exception:  # str() of an object, or of an integer of over 4,300 digits
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 3]}..."


def did_you_mean(name: Any, names: Iterable[str]) -> str:
    """A question that ends a message: the name that is nearest to a wrong one; "" if none is near.

    Examples
    --------
    >>> did_you_mean("Learning-Rat", ["n1", "learning_rate"])
    " Did you mean 'learning_rate'?"
    """
    import difflib  # here: only an error needs it

    if not isinstance(name, str):
        return ""
    folded = {own.casefold(): own for own in names}
    near = difflib.get_close_matches(name[:MOST_LETTERS].casefold(), folded, 1)
    return f" Did you mean {folded[near[0]]!r}?" if near else ""
