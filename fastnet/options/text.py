"""Values of options as text, as a person types them and options.parse reads them back."""

from typing import Any


def value_text(value: Any, digits: int | None = None, off: str = "none") -> str:
    """One value as text.

    Parameters
    ----------
    value : str, int, float, bool or None
    digits : int, optional
        Significant digits of a float; by default all, so that it is read back exactly.
    off : str
        What None is called.

    Examples
    --------
    >>> value_text(0.1), value_text(1 / 3, digits=6), value_text(None)
    ('0.1', '0.333333', 'none')
    """
    if value is None:
        return off
    if isinstance(value, float) and digits is not None:
        return f"{value:.{digits}g}"
    return str(value)


def values_text(value: Any, digits: int | None = None) -> str:
    """One value, or the values of an axis: whole numbers in a row as a range.

    Examples
    --------
    >>> values_text((1, 2, 3, 4)), values_text((0.1, None))
    ('1:4', '0.1,none')
    """
    if not isinstance(value, tuple):
        return value_text(value, digits)
    several = len(value) > 2 and all(type(v) is int for v in value)
    if several and value == tuple(range(value[0], value[-1] + 1)):
        return f"{value[0]}:{value[-1]}"
    return ",".join(value_text(v, digits) for v in value)


def option_text(name: str, value: Any, digits: int | None = None) -> str:
    """The value of an option, or the values of an axis, as typed after the option's flag.

    Seeds from 0 on are a count, all others a list; a single one needs its comma.

    Examples
    --------
    >>> option_text("seeds", (0, 1, 2)), option_text("seeds", (3, 4, 5)), option_text("seeds", (7,))
    ('3', '3,4,5', '7,')
    """
    if name != "seeds":
        return values_text(value, digits)
    if value == tuple(range(len(value))):
        return str(len(value))
    return ",".join(map(str, value)) + "," * (len(value) == 1)
