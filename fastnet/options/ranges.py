"""Values as text and back: lists, and ranges such as 1:20 and 1e-3..1e-1@5."""

import math
import re
from typing import Any

from fastnet.errors import UsageError, quoted

MOST_DIGITS = 30  # of an integer; Python refuses to read thousands
MAX_MEMBERS = 2_000_000  # also the most values that a list can have


def pieces(text: str, label: str) -> list[str]:
    """The values between the commas of a text."""
    found = [part.strip() for part in text.split(",")]
    if "" in found:
        raise UsageError(f"{label} has an empty value in {quoted(text)}; write for example 4,8,16.")
    return found


def integer_range(text: str, label: str) -> list[int]:
    """The integers of a:b or a:b:step, b included."""
    match = re.fullmatch(r"(\d+):(\d+)(?::(\d+))?", text)
    if not match or len(text) > 3 * MOST_DIGITS:
        raise UsageError(
            f"{label}: {quoted(text)} is not a range; write first:last or first:last:step."
        )
    first, last, step = (int(g) if g else 1 for g in match.groups())
    if step < 1:
        raise UsageError(f"{label}: the step of the range {quoted(text)} must be 1 or more.")
    if last < first:
        raise UsageError(
            f"{label}: the range {quoted(text)} is empty; write the smaller end first."
        )
    if (last - first) // step >= MAX_MEMBERS:
        raise UsageError(f"{label}: the range {quoted(text)} has over {MAX_MEMBERS} values.")
    return list(range(first, last + 1, step))


def logarithmic_range(text: str, label: str) -> list[float]:
    """The numbers of a..b@count, evenly spaced in logarithm, both ends included."""
    match = re.fullmatch(r"(.+?)\.\.([^@]+)@(\d+)", text)
    ends = match.groups() if match else ("", "", "")
    try:
        first, last, count = float(ends[0]), float(ends[1]), int(ends[2])
    except ValueError:
        raise UsageError(
            f"{label}: {quoted(text)} is not a range; write first..last@count."
        ) from None
    if not (0 < first < last < math.inf and 2 <= count <= MAX_MEMBERS):
        raise UsageError(
            f"{label}: in {quoted(text)} the ends must be positive and rising, the count from 2 to "
            f"{MAX_MEMBERS}."
        )
    ratio = math.log(last / first) / (count - 1)
    # 12 digits: 1e-3..1e-1@3 gives 0.01, not 0.010000000000000002.
    return [float(f"{first * math.exp(ratio * i):.12g}") for i in range(count)]


def is_run(values: tuple[Any, ...]) -> bool:
    """Whether the values are three or more consecutive integers, so that a range is shorter."""
    return len(values) > 2 and values == tuple(range(values[0], values[0] + len(values)))


def typed(value: Any, digits: int | None = None) -> str:
    """One value as it is typed; a number has `digits`, else the fewest that give it back.

    Examples
    --------
    >>> typed(0.1), typed(1 / 3, digits=6), typed(None)
    ('0.1', '0.333333', 'none')
    """
    if value is None:
        return "none"
    if isinstance(value, float):
        brief = f"{value:.{digits or 6}g}"
        return brief if digits or float(brief) == value else repr(value)
    return str(value)
