"""Figures of what a network looks at: permutation importance and partial dependence."""

import numpy as np

from fastnet.figures import base, networks, style
from fastnet.figures.networks import OUTPUTS
from fastnet.figures.style import PLAIN, WIDTH, alt, chart_data, text_title
from fastnet.results import explain
from fastnet.results.words import counted, number

BARS = 20  # at most this many columns are drawn, the most important
SIDE = 3  # numbers side by side, at most
FEW = 10  # so few values of a number are marked on its line
ROWS, REPEATS = 2000, 5  # rows and shuffles: a quick look; fastnet explain takes more


def one_column(result):
    """Obstacle: there is only one column."""
    columns = len(result.columns or result.features)
    return "the run has one input" if columns == 1 else None


def only_dates(result):
    """Obstacle: every column is a date, which has no curve."""
    kinds = {column.kind for column in result.columns}
    return "every column of the run is a date" if kinds == {"date"} else None


def explained(result, member=None, data=None):
    """The document of fastnet.explain for a run, on at most ROWS rows."""
    rows = explain.drawn(explain.held_out(result, member, data), 0, ROWS)
    return explain.document(result.model(member), rows, REPEATS, 0, explain.CURVES)


OBSTACLE = base.first_obstacle(networks.no_weights, one_column)


# ---------------------------------------------------------------- importance


def importance_table(result, member=None, data=None):
    """One row per column, the most important first: column, mean, low and high (one standard
    deviation below and above), and value, metric, set and rows of them all."""
    return importance_of(explained(result, member, data))


def importance_of(found):
    """The table of a document of fastnet.explain."""
    rows = found["importance"][:BARS]
    mean, std = (as_floats([row[name] for row in rows]) for name in ("mean", "std"))
    columns = np.array([row["column"] for row in rows])
    facts = {"value": as_floats([found["value"]]), "metric": explain.METRIC[found["metric"]]}
    where = explain.WHERE[found["set"]]
    part = columns, mean, mean - std, mean + std, *facts.values(), where, found["rows"]
    names = ("column", "mean", "low", "high", "value", "metric", "set", "rows")
    return base.stacked(names, [part])


def as_floats(values):
    """Numbers of JSON as an array; None becomes NaN."""
    return np.array(values, float)


@base.figure("permutation importance of the columns", importance_table, OBSTACLE, samples=True)
def importance(table, result):
    """How much the error rises when a column is shuffled, one bar per column."""
    return importance_bars(table)


def importance_bars(table):
    """The chart of a table of importance."""
    metric, value = table["metric"][0], table["value"][0]
    title = f"rise of the {metric}"
    y = alt.Y("column:N", title=None, sort=list(table["column"]), axis=alt.Axis(labelLimit=220))
    rows = alt.Chart(chart_data(table)).encode(y=y, tooltip=["column", "mean", "low", "high"])
    x = alt.X("mean:Q", title=title, axis=style.number_axis(tickCount=6))
    bars = rows.mark_bar(color=PLAIN, height={"band": 0.7}).encode(x=x)
    spread = rows.mark_rule(style="ink").encode(x="low:Q", x2="high:Q")
    chart = (bars + spread).properties(width=WIDTH, height=22 * len(table["column"]) + 10)
    return chart.properties(title=importance_title(table, metric, value))


def importance_title(table, metric, value):
    """Which column matters most, and what the bars are."""
    first, rise = table["column"][0], table["mean"][0]
    text = f"{first} matters most: shuffled, it raises the {metric} from {number(value, 3)} to "
    text += number(value + rise, 3)
    if not rise > 0:
        text = f"No column matters: shuffled, none raises the {metric} of {number(value, 3)}"
    rows = counted(int(table["rows"][0]), f"{table['set'][0]} row")
    return text_title(text, f"bars: mean rise of the {metric} on {rows}; lines: +- one sd")


# ---------------------------------------------------------------- partial dependence


def dependence_table(result, member=None, data=None):
    """One row per column, value and output, of the four most important columns: column, kind,
    x (a number, or the place of a level), level, output, value, and whether they are shares."""
    return dependence_of(explained(result, member, data))


def dependence_of(found):
    """The table of a document of fastnet.explain."""
    parts, shares = [], found["metric"] == "log_loss"
    for curve in found["dependence"]:
        numbers = curve["kind"] == "number"
        values = curve["values"]
        x = as_floats(values if numbers else range(len(values)))
        levels = np.array([number(v) if numbers else str(v) for v in values])
        predictions = np.array(curve["prediction"], float)
        for j, name in enumerate(found["outputs"][:OUTPUTS]):
            facts = curve["column"], curve["kind"], x, levels, name, predictions[:, j], shares
            parts.append(facts)
    return base.stacked(("column", "kind", "x", "level", "output", "value", "shares"), parts)


@base.figure(
    "partial dependence: the mean prediction along the most important columns",
    dependence_table,
    base.first_obstacle(OBSTACLE, only_dates),
    samples=True,
)
def partial_dependence(table, result):
    """The mean prediction if a column has one value in all rows, a panel per column."""
    return dependence_panels(table)


def dependence_panels(table):
    """The chart of a table of partial dependence."""
    columns = list(dict.fromkeys(table["column"]))
    outputs = list(dict.fromkeys(table["output"]))
    # Probabilities share a panel; numbers have units of their own.
    groups = [outputs] if table["shares"].any() else [[name] for name in outputs[:SIDE]]
    across, panels = max(2, len(groups)), []
    for column in columns:
        for group in groups:
            drawn = np.isin(table["output"], group)
            scale = own_scale(table["value"][drawn])
            part = base.where(table, drawn & (table["column"] == column))
            panels.append(dependence_panel(part, group, scale, WIDTH // across - 30))
    title = "The mean prediction along the most important columns"
    under = "all rows get the same value of a column; the other columns stay as they are"
    chart = alt.concat(*panels, columns=across, spacing=24)
    title = text_title(title, under)
    title.offset = 14  # the axis of the first panel begins at its top
    return chart.properties(title=title)


def own_scale(values):
    """The scale over all panels of an output."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return alt.Scale(domain=[low, high], zero=False, nice=True)


def dependence_panel(table, outputs, scale, width):
    """The panel of one column: a line over numbers, dots over levels."""
    name, levels = table["column"][0], list(dict.fromkeys(table["level"]))
    numbers = style.number_axis(tickCount=5)
    x = alt.X("x:Q", title=name, scale=alt.Scale(nice=False, zero=False), axis=numbers)
    colour = alt.value(PLAIN)
    if len(outputs) > 1:
        colours = alt.Scale(domain=outputs, range=style.class_colours(len(outputs)))
        colour = alt.Color("output:N", title=None, scale=colours)
    if table["kind"][0] != "number":
        x = alt.X("level:N", title=name, sort=levels, axis=alt.Axis(labelLimit=90))
    what = "probability" if table["shares"].any() else outputs[0]
    y = alt.Y("value:Q", title=f"mean {what}", scale=scale, axis=numbers)
    rows = alt.Chart(chart_data(table)).encode(x=x, y=y, color=colour)
    rows = rows.encode(tooltip=["level", "output", "value"])
    marks = rows.mark_line(strokeWidth=2.5, point=len(levels) <= FEW)
    if table["kind"][0] != "number":
        marks = rows.mark_circle(size=70, opacity=1)
    return marks.properties(width=width, height=180)
