"""The exceptions of fastnet, each with its exit code on the command line; values in messages."""

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
