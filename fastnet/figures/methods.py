"""The figure that compares whole methods: every combination of the settings besides N1."""

import numpy as np

from fastnet.figures import base, style
from fastnet.figures.apart import setting_names
from fastnet.figures.sets import value
from fastnet.figures.style import MARK, PLAIN, alt, chart_data, log_axis, text_title
from fastnet.figures.sweep import no_finite_loss
from fastnet.figures.units import unit_of
from fastnet.options.targets import has_target
from fastnet.training import grouping

MOST_METHODS = 20
MEASURES = {  # and the titles of their axes
    "smallest_n1": "smallest N1 that suffices",
    "success": "seeds that reach the target",
    "loss": "lowest {unit}",
    "n1": "its N1",
    "epochs": "median epochs",
    "ms": "median ms",
}


def one_method(result):
    """Obstacle: there is one setting."""
    count = len(result.by_setting())
    return None if count > 1 else "all members have the same settings but N1 and seed"


def of_targets(result):
    """Whether methods are compared by how they reach the target; else by their losses."""
    return (result.members["stop_reason"] == "target").any()


def methods_table(result):
    """One row per method and measure, the best method first: method, measure, value (NaN where a
    method has none) and text.

    The measures are smallest_n1, success, epochs and ms (milliseconds); where no member reaches a
    target the lowest loss, in the unit of the run, and n1, that of its member.
    """
    names = grouping.given_axes(result.members, result.options)
    rows = sorted_rows(result)[:MOST_METHODS]
    parts = []
    for method, row in zip(setting_names([row["setting"] for row in rows], names), rows):
        for measure, number in measures_of(row, result).items():
            known = number is not None and np.isfinite(number)
            text = method_text(measure, number, row) if known else "none"
            parts.append((method, measure, np.array([number if known else np.nan], float), text))
    return base.stacked(("method", "measure", "value", "text"), parts)


def sorted_rows(result):
    """The rows by setting, the best first."""
    rows = result.by_setting()
    if of_targets(result):
        return rows
    return sorted(rows, key=lambda r: np.inf if r["best_loss"] is None else r["best_loss"])


def measures_of(row, result):
    """The measures of a row of by_setting()."""
    if not of_targets(result):
        loss = row["best_loss"]
        loss = None if loss is None else float(unit_of(result).of(loss))
        several = (result.members["n1"] != row["n1"]).any()
        return {"loss": loss, **({"n1": row["n1"]} if several else {})}
    seconds = row["median_seconds"]
    return {
        "smallest_n1": row["smallest_n1"],
        "success": row["success_rate"],
        "epochs": row["median_epochs"],
        "ms": None if seconds is None else 1000 * seconds,
    }


def method_text(measure, number, row):
    """The number beside a dot."""
    if measure == "success":
        return f"{row['reached']} of {row['members']}, N1 = {row['n1']}"
    return value(number)


@base.figure(
    "the methods side by side: smallest N1, success, epochs and time",
    methods_table,
    base.first_obstacle(one_method, no_finite_loss),
)
def methods(table, result):
    """A row per method: the smallest N1 that suffices, its success, epochs and time."""
    order = list(dict.fromkeys(table["method"]))
    shown = [name for name in MEASURES if name in set(table["measure"])]
    unit = unit_of(result).words
    panels = [method_panel(table, name, order, unit, name == shown[0]) for name in shown]
    count = len(result.by_setting())
    some = f"the best {len(order)} of {count} settings; " if count > len(order) else ""
    under = "success, epochs and time: at the smallest N1 that suffices, else where most succeed"
    under = some + (under if of_targets(result) else "the best member of each")
    title = text_title(methods_title(table, order, result), under)
    return alt.hconcat(*panels, spacing=12).properties(title=title)


def method_panel(table, measure, order, unit, is_first):
    """One measure of all methods: dots, and their numbers on the right."""
    table = base.where(table, table["measure"] == measure)
    labels = alt.Axis(labelLimit=260, labelOverlap=False, labels=is_first, ticks=is_first)
    known = base.where(table, np.isfinite(table["value"]))
    x = method_axis(measure, known["value"], MEASURES[measure].format(unit=unit))
    y = alt.Y("method:N", sort=order, title=None, axis=labels)
    best = table["method"] == order[0]
    colour = alt.condition("datum.best", alt.value(MARK), alt.value(PLAIN))
    rows = alt.Chart(chart_data(table, best=best)).encode(y=y)
    dots = alt.Chart(chart_data(known, best=known["method"] == order[0])).mark_point(
        filled=True, size=70, opacity=1
    )
    dots = dots.encode(y=y, x=alt.X("value:Q", **x), color=colour, tooltip=["method", "text"])
    width = 130
    texts = rows.mark_text(style="soft", align="left", dx=6)
    texts = texts.encode(x=alt.value(width), text="text:N")
    return alt.layer(dots, texts).properties(width=width, height=max(90, 26 * len(order)))


def method_axis(measure, values, title):
    """The horizontal axis of a measure; that of times and losses is logarithmic."""
    if measure == "success":
        axis = alt.Axis(format="%", values=[0, 0.5, 1], grid=True)
        return {"title": title, "axis": axis, "scale": alt.Scale(domain=[0, 1])}
    if measure in ("smallest_n1", "n1"):
        most = float(max(values, default=4))
        ticks = [tick for tick in style.linear_ticks(0, max(most, 2), most=4) if tick % 1 == 0]
        found = style.linear_axis(0, max(most, 2), title)
        return {**found, "axis": style.number_axis(ticks, grid=True)}
    found = log_axis(values, title)
    ticks = found["axis"].values
    some = [ticks[0], ticks[len(ticks) // 2], ticks[-1]] if len(ticks) > 2 else ticks
    return {**found, "axis": style.number_axis(some, grid=True)}


def methods_title(table, order, result):
    """The best method, and how it compares with the next."""

    def of(measure, method):
        mine = (table["measure"] == measure) & (table["method"] == method)
        return float(table["value"][mine][0])

    first, second = order[:2]
    if not of_targets(result):
        numbers = [f"{value(of('loss', name))} with {name}" for name in order[:2]]
        none = "No setting reaches the target; l" if has_target(result.options) else "L"
        return f"{none}owest {unit_of(result).words}: {numbers[0]}, {numbers[1]}"
    widths = [of("smallest_n1", name) for name in (first, second)]
    if np.isnan(widths[0]):
        return "No N1 suffices with any setting"
    title = f"N1 = {widths[0]:.0f} suffices with {first}"
    if np.isnan(widths[1]):
        return f"{title}; no N1 suffices with any other"
    if widths[1] > widths[0]:
        return f"{title}; {second} needs {widths[1]:.0f}"
    epochs = [value(of("epochs", name)) for name in (first, second)]
    return f"{title}, in {epochs[0]} epochs; {second} takes {epochs[1]}"
