"""The figures that compare several runs: the losses of each by N1, and over the epochs."""

import numpy as np

from fastnet.figures.base import POINTS, evenly
from fastnet.figures.style import (
    CLASSES,
    alt,
    chart_data,
    log_axis,
    positive,
    require_altair,
    text_title,
    themed,
)
from fastnet.results import answer
from fastnet.training.history import is_brief

WIDE = 8  # times between the smallest and the largest N1, from which their axis is logarithmic
MOST_TICKS = 12


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
        x=alt.X("n1:Q", **n1_axis(table["n1"])), color=run_colour(results), tooltip=list(table)
    )
    y = log_axis(table["median_loss"], "loss")
    lines = rows.mark_line(point=True).encode(y=alt.Y("median_loss:Q", **y))
    dots = rows.mark_point(shape="diamond").encode(y=alt.Y("best_loss:Q", **y))
    under = "; ".join(smallest_of_each(results))
    title = text_title("Median loss (line) and best loss (diamonds) by N1", under)
    return themed((lines + dots).properties(title=title, width="container", height=300), theme)


def n1_axis(n1):
    """title, axis and scale of N1: logarithmic for a wide range, with ticks at values there are."""
    values, wide = np.unique(n1), n1.max() >= WIDE * n1.min()
    places = np.log(values) if wide else values
    apart = (places[-1] - places[0]) / MOST_TICKS
    ticks = [values[0]]
    for value, place in zip(values[1:], places[1:]):
        last = np.log(ticks[-1]) if wide else ticks[-1]
        if place - last >= apart:
            ticks.append(value)
    scale = alt.Scale(type="log" if wide else "linear", nice=False, zero=False, padding=10)
    axis = alt.Axis(values=[int(tick) for tick in ticks], format="d")
    return {"title": "N1, hidden units", "axis": axis, "scale": scale}


def run_colour(results):
    """Colour by run, with the names below the chart: they may be long."""
    legend = alt.Legend(orient="bottom", columns=1, labelLimit=400)
    scale = alt.Scale(domain=list(results), range=list(CLASSES))
    return alt.Color("run:N", title=None, scale=scale, legend=legend)


def smallest_of_each(results):
    """The smallest N1 that suffices in each run that has one."""
    for run, result in results.items():
        n1 = answer.smallest_n1(result.by_n1(), result.options)
        if n1 is not None:
            yield f"{run}: N1 = {n1}"


# ---------------------------------------------------------------- over the epochs


def curves_table(results):
    """The loss of the best member of each run over the epochs: run, epoch, loss.

    It is the validation loss of a run that has one. The initial weights, epoch 0, are left out: a
    logarithmic axis cannot show them. So are runs with record best, which kept no curve.

    Parameters
    ----------
    results : dict of Result by name
    """
    runs, epochs, losses = [], [np.empty(0, np.int64)], [np.empty(0)]
    for run, result in results.items():
        if is_brief(result.options):
            continue
        history = result.history(result.best_member)
        validated = np.isfinite(history.val_loss).any()
        loss = history.val_loss if validated else history.train_loss
        rows = np.flatnonzero((history.epoch > 0) & positive(loss))
        rows = evenly(rows, POINTS // len(results))
        runs += [run] * len(rows)
        epochs.append(history.epoch[rows])
        losses.append(loss[rows])
    return {"run": np.array(runs), "epoch": np.concatenate(epochs), "loss": np.concatenate(losses)}


def compare_curves(results, theme="light"):
    """The loss of the best member of several runs over the epochs, both axes logarithmic."""
    require_altair()
    table = curves_table(results)
    chart = alt.Chart(chart_data(table)).mark_line(clip=True, strokeWidth=2)
    chart = chart.encode(
        x=alt.X("epoch:Q", **log_axis(table["epoch"], "epoch")),
        y=alt.Y("loss:Q", **log_axis(table["loss"], "loss")),
        color=run_colour(results),
        tooltip=list(table),
    )
    title = text_title("Loss of the best member of each run")
    return themed(chart.properties(title=title, width="container", height=300), theme)


compare.table = compare_table
compare_curves.table = curves_table
