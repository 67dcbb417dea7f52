"""What training does with each column of a table, and all problems that it has with it.

Training itself stops at the first. Here its functions are asked about one column after another.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.columns import (
    describe_inputs,
    encode_inputs,
    group_values,
    is_constant,
    is_missing,
    order_values,
    target_values,
    weight_values,
)
from fastnet.data.joining import Joined, loss_of, split_of
from fastnet.data.levels import rules_of
from fastnet.data.schema import NUMERIC
from fastnet.errors import DataError, FastnetError
from fastnet.options.methods import CLASSIFIERS
from fastnet.options.rules import COLUMNS

MOST_PROBLEMS = 5  # in the message of a training


class Look(NamedTuple):
    """What is found in one column: its treatment in words, the inputs it becomes, a problem."""

    treatment: str
    inputs: int = 0
    problem: str | None = None


def looks_at(joined: Joined) -> dict[str, Look]:
    """A Look at every column of the first table."""
    looks = {name: look_at(joined, name) for name in joined.main.columns}
    return {**looks, **(looks_at_targets(joined) if joined.options["target"] else {})}


def problems_of(joined: Joined, looks: Mapping[str, Look]) -> list[str]:
    """The problems of a table, each with its cure."""
    name = f"{joined.main.name}: "
    return [look.problem.removeprefix(name) for look in looks.values() if look.problem]


def all_problems(error: DataError, joined: Joined) -> DataError:
    """An error with all problems of a table, where `error` has the first; else `error` itself."""
    problems, name = problems_of(joined, looks_at(joined)), joined.main.name
    if len(problems) < 2 or str(error).removeprefix(f"{name}: ") not in problems:
        return error
    shown = [f"({i}) {text}" for i, text in enumerate(problems[:MOST_PROBLEMS], start=1)]
    left = len(problems) - len(shown)
    more = f" `fastnet inspect` names the other {left}." if left else ""
    return DataError(f"{name} has {len(problems)} problems: {' '.join(shown)}{more}")


def tried(action: Callable[[], Any]) -> str | None:
    """The message of the refusal with which an action ends, or None."""
    try:
        action()
    except FastnetError as error:
        return str(error)
    return None


def look_at(joined: Joined, name: str) -> Look:
    """What training does with a column that is not a target."""
    table, roles = joined.main, {joined.options[role]: role for role in COLUMNS}
    if name in joined.names:
        return look_at_input(joined, name)
    checks: dict[str, tuple[str, Callable[[], Any]]] = {
        "weights": ("weights of the rows", lambda: weight_values(table, name)),
        "split_column": ("names the sets", lambda: split_of(table, name, {})),
        "group": ("groups the rows", lambda: group_values(table, name)),
        "order": ("orders the rows", lambda: order_values(table, name)),
    }
    if name not in roles:
        return Look("not used")
    treatment, check = checks[roles[name]]
    return Look(treatment, 0, tried(check))


def look_at_input(joined: Joined, name: str) -> Look:
    """What training does with an input, as describe_inputs and encode_inputs say."""
    table, options = joined.main, joined.options
    if name in joined.doubts:
        return Look("refused", 0, str(joined.doubts[name]))
    alone = table._replace(notices=())
    missing = is_missing(table.columns[name])
    if missing.all():
        return Look("left out: no value")
    if not missing.any() and is_constant(table.columns[name]):
        return Look("left out: one value")
    try:
        columns, _ = describe_inputs(alone, [name], rules_of(options))
        width = len(columns[0].inputs())
        encode_inputs(alone, columns, np.empty((table.rows, width)), options["impute"])
    except FastnetError as error:
        return Look("refused", 0, str(error))
    way = "median" if columns[0].kind in NUMERIC else "a level of their own"
    filled = f"missing: {way}" if missing.any() else ""
    inputs = f"{width} inputs" if width > 1 or columns[0].kind == "category" else "input"
    return Look(", ".join(filter(None, (inputs, filled))), width)


def looks_at_targets(joined: Joined) -> dict[str, Look]:
    """What training does with the targets."""
    table, names = joined.main, joined.options["target"]
    try:
        for name in joined.doubts.keys() & {*names}:
            raise joined.doubts[name]
        _, loss = target_values(table, names, loss_of(joined.options))
    except FastnetError as error:
        problem = str(error)
        return {name: Look("target", 0, problem if name == names[0] else None) for name in names}
    kind = "classes" if loss in CLASSIFIERS else "numbers"
    kind = "two labels" if kind == "classes" and len(names) > 1 else kind
    return {name: Look(f"target ({kind})") for name in names}
