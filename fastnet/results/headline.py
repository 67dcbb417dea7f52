"""What a run found, in one line and in the units of its data: the title of report and page."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastnet.options.targets import has_target
from fastnet.results import answer
from fastnet.results.result import Result
from fastnet.results.verdict import JUDGES, judge
from fastnet.results.words import metric, number
from fastnet.training import grouping


def headline(result: Result) -> str:
    """The finding of a run: which N1 suffices, or how good the best network is.

    Parameters
    ----------
    result : Result

    Returns
    -------
    str
        For own data without a target how good the best network is, in the units of the data.

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> X = np.linspace(-1, 1, 40)
    >>> headline(fastnet.sweep(X, X, n1=2, seeds=2, optimizer="lm", target_loss=1e-3))
    'N1 = 2 suffices: 2 of 2 seeds'
    """
    members = result.members
    if lost := diverged_line(members):
        return lost
    many = result.command != "train"
    if many and (found := n1_line(result)):
        return found
    if result.task is None and result.metrics:
        return score_line(result.metrics, result.targets)
    best, loss = result.best, grouping.monitored(members)[result.best_member]
    if many:
        return f"Lowest loss {loss:.3g}, with N1 = {best['n1']}"
    end = "reached" if best["stop_reason"] == "target" else "comes to"
    return f"N1 = {best['n1']} {end} loss {loss:.3g} in {best['epochs']:,} epochs"


def diverged_line(members: np.ndarray) -> str | None:
    """That all members diverged; None if one did not."""
    if not (members["stop_reason"] == "diverged").all():
        return None
    count = len(members)
    return "The member diverged" if count == 1 else f"All {count:,} members diverged"


def n1_line(
    result: Result, named: Callable[[Mapping[str, Any]], str] = lambda setting: ""
) -> str | None:
    """Which N1 suffices, or None if there is no target to decide it.

    `named` gives the words for the setting of the row, from the axes that were given.
    """
    rows = result.by_n1()
    smallest = answer.smallest_n1(rows, result.options)
    if smallest is not None:
        row = next(row for row in rows if row["n1"] == smallest)
        axes = grouping.given_axes(result.members, result.options)
        words = named({axis: row["setting"][axis] for axis in axes})
        return f"N1 = {smallest} suffices{words}: {row['reached']} of {row['members']} seeds"
    if not has_target(result.options) or any(row["success_rate"] is None for row in rows):
        return None
    most = max(rows, key=lambda row: row["success_rate"])
    if most["reached"] == 0:
        return "No N1 suffices: no member reaches the target"
    return f"No N1 suffices: at most {most['reached']} of {most['members']} seeds reach it"


def score_line(metrics: Mapping[str, Any], targets: Sequence[str]) -> str:
    """How good predictions are on the rows that judge: test, else validation, else training.

    Examples
    --------
    >>> found = {"mae": 17570.9, "r2": 0.9725}
    >>> score_line({"train": found, "val": None, "test": found}, ["price"])
    'price: off by 17,570 on average, R2 0.9725, on the test rows'
    >>> found = {"accuracy": 0.9, "classes": {}}
    >>> score_line({"train": found, "val": None, "test": None}, ["species"])
    'species: 90 % right on the training rows'
    """
    name = judge(metrics)
    found, rows = metrics[name], f"on the {JUDGES[name]} rows"
    if "subset_accuracy" in found:
        share = f"{100 * found['subset_accuracy']:.3g} %"
        return f"All {len(targets)} labels right in {share}, {rows}"
    if "classes" in found:
        return f"{', '.join(targets)}: {100 * found['accuracy']:.3g} % right {rows}"
    if len(targets) > 1:
        return f"R2 {metric('r2', found['r2'])}, the mean of {len(targets)} targets, {rows}"
    return (
        f"{targets[0]}: off by {number(found['mae'])} on average, R2 {number(found['r2'])}, {rows}"
    )
