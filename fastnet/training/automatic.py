"""optimizer auto: adam, or adam and br in one run, of which the held-out loss takes one, or lm.

br with tanh and ten units is the best method for many small tables of numbers, at a third of the
time of adam with relu and 128 units. On others it learns too much of the noise, and neither rows
nor inputs tell which (docs/notes/defaults.md). So both are trained; br has to be clearly better.
Two or three rows are fitted exactly, by lm: 300 epochs of adam are as many steps there, too few.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from fastnet.data.samples import Data
from fastnet.errors import UsageError
from fastnet.options.defaults import COMPARED, asks_for_steps, is_auto, of_method
from fastnet.options.table import AUTO, AXES, check
from fastnet.options.targets import has_target

FIRST, OTHER = COMPARED
EXACT, EXACT_ROWS = "lm", 3  # the method of few rows; of 5 to 18 rows adam generalises better
# br costs the square of its parameters for each row and epoch: with 300 about as much as adam does.
MOST_PARAMETERS = 300
FEWEST_ROWS, MOST_ROWS = 40, 5000  # to train on; others were not measured
# The loss of some hundred held-out rows is uncertain by some percent: with 0, br was taken wrongly
# on autompg and concrete, with 0.05 on no set.
MARGIN = 0.05


def refuse_auto(options: Mapping[str, Any], command: str, task: int | None) -> None:
    """Refuse optimizer auto beside other optimizers, and where no methods are compared."""
    if not is_auto(options["optimizer"]):
        return
    if len(options["optimizer"]) > 1:
        raise UsageError("optimizer auto stands for several methods; give it alone, or name them.")
    if task is not None:
        raise UsageError(
            f"optimizer auto belongs to tables and to X and y; task {task} has a method of its "
            "own: drop optimizer."
        )
    if command == "smallest":
        raise UsageError(
            "smallest answers for one method, got optimizer auto; name one, or drop optimizer."
        )


class Known(NamedTuple):
    """What the choice depends on besides options: loss, inputs, outputs, the rows to train on, and
    whether others are held out."""

    loss: str
    d: int
    k: int
    rows: int
    held_out: bool


def known_of(data: Data) -> Known:
    """What is known of the data of a run."""
    held_out = bool(len(data.split["val"]) or len(data.folds))
    return Known(
        data.loss, data.X.shape[1], data.Y.shape[1], int(data.train_counts().min()), held_out
    )


def with_methods(
    options: Mapping[str, Any], given: Mapping[str, Any], command: str, task: Any, data: Data
) -> dict[str, Any]:
    """The options with the methods that optimizer auto stands for.

    Parameters
    ----------
    options : dict
        The options as resolved for the first method, with numbers for l2.
    given : dict
        The options that were given.
    command, task, data
        Of the run.
    """
    known = known_of(data)
    if is_exact(given, known):
        return of_other(options, given, command, task, EXACT)
    others = of_other(options, given, command, task)
    if why_alone(options, given, others["n1"], known):
        return dict(options)
    margin = options["optimizer_margin"] if "optimizer_margin" in given else MARGIN
    return {**side_by_side([options, others]), "optimizer_margin": margin}


def remarks_on_auto(
    options: Mapping[str, Any], given: Mapping[str, Any], command: str, task: Any, data: Data
) -> list[str]:
    """Why optimizer auto is one method alone, if it was asked for and is; a line or none."""
    if not is_auto(given.get("optimizer")) or len(options["optimizer"]) > 1:
        return []
    if is_exact(given, known_of(data)):
        return [f"Optimizer auto is {EXACT} here: at most {EXACT_ROWS} rows are fitted exactly."]
    others = of_other(options, given, command, task)
    why = why_alone(options, given, others["n1"], known_of(data))
    return [f"Optimizer auto is {FIRST} here: {why}."]


def of_other(
    options: Mapping[str, Any],
    given: Mapping[str, Any],
    command: str,
    task: Any,
    name: str = OTHER,
) -> dict[str, Any]:
    """The options of the members of another method: its defaults beside the options given."""
    own = of_method(dict(given), name, command, task)
    axes = {n: own[n] for n in AXES if n not in given and n not in ("seeds", "target_loss")}
    return {**options, **axes, "optimizer": (name,), "l2": (0.0,)}


def not_used(given: Mapping[str, Any]) -> list[str]:
    """The options given that only the first method uses."""
    used = [name for name in given if asks_for_steps({name: given[name]})]
    if "l2" in given and check("l2", given["l2"], paired=True) != (AUTO,):
        used.append("l2")
    return used


def is_exact(given: Mapping[str, Any], known: Known) -> bool:
    """Whether there are so few rows that a network goes through all of them."""
    few = known.rows <= EXACT_ROWS and not known.held_out
    return few and known.loss == "squared" and not not_used(given)


def why_alone(
    options: Mapping[str, Any], given: Mapping[str, Any], n1: Sequence[int], known: Known
) -> str:
    """Why optimizer auto is its first method alone, in words; "" if both are compared.

    Parameters
    ----------
    options, given : dict
        The options as resolved for the first method; those that were given.
    n1 : sequence of int
        The widths of the other method.
    known : Known
    """
    parameters = max(n1) * (known.d + 1 + known.k) + known.k
    used = not_used(given)
    if known.loss != "squared":
        return f"{OTHER} needs loss squared, which is {known.loss} here"
    if used:
        return f"{used[0]} is given, which {OTHER} does not use"
    if has_target(options):
        return "members stop at a target, so that their losses do not compare"
    if options["halving"] is not None:
        return "halving compares members after few epochs, where methods differ"
    if not known.held_out:
        return "no rows are held out, whose loss could choose"
    if known.rows < FEWEST_ROWS:
        return f"there are {known.rows} rows to train on, fewer than {FEWEST_ROWS}"
    if known.rows > MOST_ROWS:
        return f"there are {known.rows:,} rows to train on, more than {MOST_ROWS:,}"
    if parameters > MOST_PARAMETERS:
        return (
            f"{OTHER} has {parameters:,} parameters with N1 = {max(n1)}, more than "
            f"{MOST_PARAMETERS}"
        )
    return ""


def side_by_side(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The options of a run that has the members of several, one after another, as paired lists.

    What is no axis is that of the first.

    Examples
    --------
    >>> usual = {**dict.fromkeys(AXES, (None,)), "zip": False}
    >>> one, two = {**usual, "n1": (8,), "l2": (0.1, 0.2)}, {**usual, "n1": (2,), "l2": (0.0,)}
    >>> both = side_by_side([one, two])
    >>> both["n1"], both["l2"], both["seeds"], both["zip"]
    ((8, 8, 2), (0.1, 0.2, 0.0), (None,), True)
    """
    columns = zip(*(member for options in each for member in members_of(options)))
    lists = {n: values if len({*values}) > 1 else values[:1] for n, values in zip(AXES, columns)}
    return {**each[0], **lists, "zip": True}


def members_of(options: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The values on all axes of every member that the options give."""
    axes = [options[name] for name in AXES]
    if not options["zip"]:
        return list(itertools.product(*axes))
    count = max(map(len, axes))
    return [tuple(v[i] if len(v) > 1 else v[0] for v in axes) for i in range(count)]


def as_asked(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run that compared methods as they were asked for, without its defaults.

    What was given holds for both methods; where they differ, each has its default.
    """
    mine = [name == FIRST for name in options["optimizer"]]
    if not options["optimizer_margin"] or {*options["optimizer"]} != {*COMPARED}:
        return dict(options)
    asked = {n: v for n, v in options.items() if n not in (*AXES, "zip", "prune_l2")}
    for name in AXES:
        values = options[name] if len(options[name]) > 1 else options[name] * len(mine)
        first, other = (
            {v: None for v, m in zip(values, mine) if m is who} for who in (True, False)
        )
        if list(first) == list(other):
            asked[name] = tuple(first)
    asked["optimizer"] = (AUTO,)
    if asked["optimizer_margin"] == MARGIN:
        del asked["optimizer_margin"]
    return {name: asked[name] for name in options if name in asked}
