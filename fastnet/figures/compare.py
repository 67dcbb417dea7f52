"""The figure that compares several runs: the best loss of each against N1."""

import numpy as np

from fastnet.figures.style import (
    CLASSES,
    alt,
    chart_data,
    log_axis,
    require_altair,
    text_title,
    themed,
)
from fastnet.results import answer


def compare_table(results):
    """One row per run and N1: run, n1, members, reached, success_rate, best_loss, median_loss.

    Parameters
    ----------
    results : dict of Result by name
    """
    names = ("n1", "members", "reached", "success_rate", "best_loss", "median_loss")
    rows = [(run, row) for run, result in results.items() for row in result.by_n1()]
    table = {"run": np.array([run for run, _ in rows])}
    for name in names:
        values = [np.nan if row[name] is None else row[name] for _, row in rows]
        table[name] = np.array(values, float)
    return table


def compare(results, theme="light"):
    """Median loss of several runs against N1, one line per run, best loss as dots."""
    require_altair()
    table = compare_table(results)
    rows = alt.Chart(chart_data(table)).encode(
        x=alt.X("n1:Q", title="N1", scale=alt.Scale(nice=False, padding=10)),
        color=alt.Color("run:N", title=None, scale=alt.Scale(range=list(CLASSES))),
        tooltip=list(table),
    )
    y = log_axis(table["median_loss"], "loss")
    lines = rows.mark_line(point=True).encode(y=alt.Y("median_loss:Q", **y))
    dots = rows.mark_point(shape="diamond").encode(y=alt.Y("best_loss:Q", **y))
    under = "; ".join(smallest_of_each(results))
    title = text_title("Median loss (line) and best loss (diamonds) by N1", under)
    return themed((lines + dots).properties(title=title, width="container", height=300), theme)


def smallest_of_each(results):
    """The smallest N1 that suffices in each run that has one."""
    for run, result in results.items():
        n1 = answer.smallest_n1(result.by_n1(), result.options)
        if n1 is not None:
            yield f"{run}: N1 = {n1}"


compare.table = compare_table
