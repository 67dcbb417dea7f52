"""Several runs side by side: the best loss of each against N1."""

import numpy as np

from fastnet.figures.base import CLASSES, alt, frame, log_axis, require_altair, text_title, themed
from fastnet.results import answer


def compare_table(results):
    """A row a run and N1: run, n1, members, reached, success_rate, best_loss, median_loss.

    Parameters
    ----------
    results : dict of Result by name
    """
    names = ("n1", "members", "reached", "success_rate", "best_loss", "median_loss")
    rows = [(name, row) for name, result in results.items() for row in result.by_n1()]
    table = {"run": np.array([name for name, _ in rows])}
    for name in names:
        values = [np.nan if row[name] is None else row[name] for _, row in rows]
        table[name] = np.array(values, float)
    return table


def compare(results, theme="light"):
    """Median loss of several runs against N1, a line a run, best loss as dots."""
    require_altair()
    table = compare_table(results)
    smallest = {
        name: answer.smallest_n1(result.by_n1(), result.options) for name, result in results.items()
    }
    found = [f"{name}: N1 = {n1}" for name, n1 in smallest.items() if n1 is not None]
    data = alt.Chart(frame(table)).encode(
        x=alt.X("n1:Q", title="N1", scale=alt.Scale(nice=False, padding=10)),
        color=alt.Color("run:N", title=None, scale=alt.Scale(range=list(CLASSES))),
        tooltip=list(table),
    )
    y = dict(zip(("title", "axis", "scale"), log_axis(table["median_loss"], "loss").values()))
    lines = data.mark_line(point=True).encode(y=alt.Y("median_loss:Q", **y))
    dots = data.mark_point(shape="diamond").encode(y=alt.Y("best_loss:Q", **y))
    title = text_title("Median loss (line) and best loss (diamonds) by N1", "; ".join(found))
    return themed((lines + dots).properties(title=title, width="container", height=300), theme)


compare.table = compare_table
