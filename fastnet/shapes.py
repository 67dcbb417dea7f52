"""Shapes of JSON values, and the first place where a value differs from its shape.

A shape looks like the values it describes: a dict of shapes by name, a list with the shape of all
its elements, a tuple with the shape of each element, or a Leaf.
"""

import math
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from fastnet.errors import quoted


class Leaf(NamedTuple):
    """A value that is looked at as a whole: what it must be, in words, and the test of it."""

    words: str
    accepts: Callable[[Any], bool]


def is_whole(value: Any) -> bool:
    """Whether it is an integer of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def is_number(value: Any) -> bool:
    """Whether it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


TEXT = Leaf("a text", lambda value: isinstance(value, str))
FLAG = Leaf("true or false", lambda value: isinstance(value, bool))
WHOLE = Leaf("an integer", is_whole)
COUNT = Leaf("an integer >= 0", lambda value: is_whole(value) and value >= 0)
NUMBER = Leaf("a number", is_number)
TIME = Leaf("a number >= 0", lambda value: is_number(value) and value >= 0)
ANYTHING = Leaf("anything", lambda value: True)


class Maybe(NamedTuple):
    """A value of a shape, or null."""

    shape: Any


class Absent(NamedTuple):
    """A value of a shape, or no value: the name may be missing from its object."""

    shape: Any


def one_of(values: Collection[Any]) -> Leaf:
    """The shape of one of some texts, numbers or nulls."""
    words = ", ".join("null" if value is None else str(value) for value in values)
    return Leaf(f"one of {words}", lambda value: (type(value), value) in typed(values))


def typed(values: Collection[Any]) -> list[tuple[type, Any]]:
    """Values with their types: in Python, 1 equals True."""
    return [(type(value), value) for value in values]


def shape_like(value: Any) -> Any:
    """The shape of values like an example: the same names, and a number or null in its places.

    Examples
    --------
    >>> misfit({"rmse": None}, shape_like({"rmse": 1.5, "r2": 0.5}), "metrics")
    'metrics has no r2'
    """
    if isinstance(value, dict):
        return {name: shape_like(element) for name, element in value.items()}
    return Maybe(NUMBER)


def misfit(value: Any, shape: Any, place: str = "") -> str | None:
    """The first contradiction between a JSON value and its shape, in words; None if it fits.

    Names that the shape lacks are not looked at, unless it has the shape of all others under `str`.

    Examples
    --------
    >>> shape = {"seconds": {str: TIME}, "best": {"n1": WHOLE}, "run": Maybe(TEXT)}
    >>> misfit({"seconds": {"train": -1.5}, "best": {"n1": 3}, "run": None}, shape)
    'seconds.train must be a number >= 0, got -1.5'
    >>> misfit({"seconds": {}, "best": {"n1": 3}}, shape)
    'it has no run'
    """
    if isinstance(shape, Leaf):
        return None if shape.accepts(value) else refusal(value, shape.words, place)
    if isinstance(shape, (Maybe, Absent)):
        absent = value is None and isinstance(shape, Maybe)
        return None if absent else misfit(value, shape.shape, place)
    if isinstance(shape, dict):
        return misfit_of_object(value, shape, place)
    return misfit_of_list(value, shape, place)


def misfit_of_object(value: Any, shape: dict, place: str) -> str | None:
    """misfit() of a value that must be an object."""
    if not isinstance(value, dict):
        return refusal(value, "an object", place)
    above = f"{place}." if place else ""
    for name, inner in shape.items():
        if name is not str and name not in value and not isinstance(inner, Absent):
            return f"{place or 'it'} has no {name}"
    for name, element in value.items():
        inner = shape.get(name, shape.get(str, ANYTHING))
        wrong = misfit(element, inner, above + (name if name.isidentifier() else quoted(name)))
        if wrong:
            return wrong
    return None


def misfit_of_list(value: Any, shape: list | tuple, place: str) -> str | None:
    """misfit() of a value that must be a list."""
    if not isinstance(value, list):
        return refusal(value, "a list", place)
    if isinstance(shape, tuple) and len(value) != len(shape):
        return refusal(value, f"a list of {len(shape)} values", place)
    shapes = shape if isinstance(shape, tuple) else shape * len(value)
    for i, (element, inner) in enumerate(zip(value, shapes)):
        wrong = misfit(element, inner, f"{place}[{i}]")
        if wrong:
            return wrong
    return None


def refusal(value: Any, words: str, place: str) -> str:
    """The text for a value of another shape; of a long value its beginning."""
    shown = "null" if value is None else quoted(value)
    return f"{place or 'it'} must be {words}, got {shown}"
