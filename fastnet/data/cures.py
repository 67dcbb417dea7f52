"""What can be done about a column: options that solve its problem, or follow a remark.

Each option is tried out: it is named only where training then takes the column.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.joining import Joined, joined_in_numbers
from fastnet.data.looks import Look, look_at_input, looks_at_targets
from fastnet.data.remarks import KINDS, Remark
from fastnet.errors import FastnetError

# Tried in this order; without a value the option names the column.
CANDIDATES: tuple[tuple[str, Any], ...] = (
    ("dates", "parts"),
    ("impute", "median"),
    ("strip_units", None),
    ("numeric", None),
    ("categorical", None),
    *(("min_level_count", count) for count in (2, 5, 10, 20)),
)
OF_NUMBERS = ("impute",)  # those of them that may solve the problem of a column of numbers
LOSSES = ("cross_entropy", "squared")  # tried for a target
LOSSES_OF_SEVERAL = ("squared", "binary_cross_entropy")
FEWEST_LEVELS = 3  # that rare levels, joined, leave a column: with fewer it says little
AFTER_REMARKS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("counter", "identifier", "copy", "constant", "date"), ("exclude", None)),
    "group": ("group", None),
    "rare": ("min_level_count", 2),
}


class Cure(NamedTuple):
    """An option and its value, in which lists of columns have the column's name."""

    option: str
    value: Any


def of_problem(joined: Joined, name: str, look: Look) -> list[Cure]:
    """The options that solve the problem of a column, the best first; none without a problem."""
    if look.problem is None:
        return []
    if name in joined.options["target"]:
        losses = LOSSES if len(joined.options["target"]) == 1 else LOSSES_OF_SEVERAL
        return [Cure("loss", loss) for loss in losses if is_target(joined, loss)]
    if name not in joined.names:
        return []
    ways = list(candidates(joined, name))
    found = [cure for cure in ways if solves(joined, name, cure)]
    filled = joined._replace(options={**joined.options, "impute": "median"})
    found = found or [cure for cure in ways if solves(filled, name, cure)]
    shares = [cure for cure in found if cure.option == "min_level_count"]
    return [cure for cure in found if cure not in shares[1:]] + [Cure("exclude", name)]


def of_remarks(remarks: Iterable[Remark]) -> dict[str, tuple[list[str], list[Cure]]]:
    """What was remarked about each column, and the options that follow from it.

    Examples
    --------
    >>> of_remarks([Remark("counter", "id"), Remark("far", "size", "900, 23 sd")])["size"]
    (['Far out (900, 23 sd)'], [])
    """
    found: dict[str, tuple[list[str], list[Cure]]] = {}
    for kind, column, what in remarks:
        texts, cures = found.setdefault(column, ([], []))
        texts.append(KINDS[kind][0] + f" ({what})" * bool(what))
        if kind in AFTER_REMARKS:
            option, value = AFTER_REMARKS[kind]
            cures.append(Cure(option, column if value is None else value))
    return found


def candidates(joined: Joined, name: str) -> Iterator[Cure]:
    """Options that may solve the problem of a column."""
    are_numbers = isinstance(joined.main.columns[name], np.ndarray)
    for option, value in CANDIDATES:
        if option in OF_NUMBERS or not are_numbers:
            yield Cure(option, name if value is None else value)


def solves(joined: Joined, name: str, cure: Cure) -> bool:
    """Whether training takes the column with this option."""
    value, before = cure.value, joined.options[cure.option]
    options = {**joined.options, cure.option: (*before, value) if value == name else value}
    again = joined_in_numbers(joined.main, options, joined.names, [name])
    look = look_at_input(again, name)
    fewest = FEWEST_LEVELS if cure.option == "min_level_count" else 1
    return look.problem is None and look.inputs >= fewest


def is_target(joined: Joined, loss: str) -> bool:
    """Whether the targets can be learned with this loss."""
    options = {**joined.options, "loss": loss}
    try:
        looks = looks_at_targets(joined._replace(options=options))
    except FastnetError:
        return False
    return all(look.problem is None for look in looks.values())
