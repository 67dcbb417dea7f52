"""The words and tables of fastnet.explain, for the terminal and the report."""

from collections.abc import Mapping
from typing import Any

from fastnet.results.explain import METRIC, WHERE
from fastnet.results.words import counted, number

MOST_LINES, MOST_OUTPUTS = 20, 5  # lines and outputs of a table


def importance_line(found: Mapping[str, Any]) -> str:
    """What the table of importance says, in a sentence."""
    return (
        f"Importance: how much the {METRIC[found['metric']]}, {number(found['value'], 3)} on the "
        f"{found['rows']:,} {WHERE[found['set']]} rows, rises when a column is shuffled "
        f"({counted(found['repeats'], 'shuffle')})."
    )


def importance_cells(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of importance."""
    header = ["column", f"{METRIC[found['metric']]} rises by", "sd"]
    rows = found["importance"][:MOST_LINES]
    return header, [[row["column"], *(number(row[n], 3) for n in ("mean", "std"))] for row in rows]


def sensitivity_line(found: Mapping[str, Any]) -> str:
    """What the table of sensitivity says, in a sentence."""
    what = "probability" if found["metric"] == "log_loss" else "prediction"
    return (
        f"Sensitivity: how much the {what} changes, on average, when an input changes by one "
        "standard deviation (the mean size of the slope, times sd)."
    )


def sensitivity_cells(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of sensitivity; of one output also its mean slope."""
    names, rows = found["outputs"][:MOST_OUTPUTS], []
    header = ["input", "sd", *(["mean slope", "sensitivity"] if len(names) == 1 else names)]
    for row in found["sensitivity"][:MOST_LINES]:
        slopes = [row["slope"][names[0]]] if len(names) == 1 else []
        values = [row["sd"], *slopes, *(row["sensitivity"][name] for name in names)]
        rows.append([row["input"], *(number(value, 3) for value in values)])
    return header, rows


def rest_line(found: Mapping[str, Any], more: str = "all: --json") -> str | None:
    """What the tables leave out, or None."""
    columns, outputs = len(found["importance"]), len(found["outputs"])
    inputs = len(found["sensitivity"])
    left = [
        f"the first {most} of {count} {things}"
        for count, most, things in (
            (columns, MOST_LINES, "columns"),
            (inputs if inputs > columns else 0, MOST_LINES, "inputs"),
            (outputs, MOST_OUTPUTS, "outputs"),
        )
        if count > most
    ]
    return f"The tables show {' and '.join(left)}; {more}." if left else None
