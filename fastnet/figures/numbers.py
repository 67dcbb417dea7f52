"""Figures of predicted numbers: predicted against true, and the errors."""

import numpy as np

from fastnet.figures import base, networks, style
from fastnet.figures.networks import OUTPUTS, member_label, output_names
from fastnet.figures.sets import (
    judged,
    judging_rows,
    judging_set,
    metrics_of_outputs,
    not_regression,
    sets_of,
    value,
)
from fastnet.figures.style import SETS, WIDTH, alt, chart_data, linear_axis, text_title
from fastnet.results.words import number

OBSTACLE = base.first_obstacle(not_regression, networks.no_weights)


# ---------------------------------------------------------------- predicted against true


def parity_table(result, member=None, data=None):
    """One row per sample and output, thinned: set, output, true, predicted, and r2 of all samples
    of the set and output."""
    parts = []
    for name in sets_of(result):
        found = judged(result, member, data, name)
        outputs = output_names(result, found.Y.shape[1])[:OUTPUTS]
        scores = metrics_of_outputs(result, found)
        most = base.POINTS // len(sets_of(result)) // len(outputs)
        for j, output in enumerate(outputs):
            kept = base.evenly(np.argsort(found.Y[:, j], kind="stable"), most)
            r2 = np.nan if scores[output]["r2"] is None else scores[output]["r2"]
            parts.append((name, output, found.Y[kept, j], found.P[kept, j].astype(float), r2))
    return base.stacked(("set", "output", "true", "predicted", "r2"), parts)


@base.figure("predicted against true, with R2, for each set", parity_table, OBSTACLE, samples=True)
def predicted_true(table, result):
    """Predicted against true values, a panel per output; on the dashed line they are equal."""
    outputs = list(dict.fromkeys(table["output"]))
    side = 360 if len(outputs) == 1 else 200
    panels = [parity_panel(base.where(table, table["output"] == name), side) for name in outputs]
    is_judged = table["set"] == judging_set(result)
    scores = {n: table["r2"][is_judged & (table["output"] == n)][0] for n in outputs}
    lowest = min(scores, key=lambda name: np.nan_to_num(scores[name], nan=np.inf))
    which = f"{lowest}: " if len(outputs) == 1 else f"{lowest} is predicted worst: "
    title = f"{which}R2 {r2_text(scores[lowest])} on the {judging_rows(result)}"
    under = f"{member_label(result)}; dashed: predicted = true"
    chart = panels[0] if len(panels) == 1 else alt.concat(*panels, columns=3)
    return chart.properties(title=text_title(title, under))


def r2_text(r2):
    """R2 in four digits; never 1 unless it is."""
    digits = next((n for n in range(4, 12) if float(f"{r2:.{n}f}") < 1), 4)
    return number(float(f"{r2:.{digits}f}"), digits)


def parity_panel(table, side):
    """The dots of one output, with the diagonal; both axes have the same numbers."""
    name, both = table["output"][0], np.concatenate([table["true"], table["predicted"]])
    low, high = style.room_around(both)
    dots = alt.Chart(chart_data(table)).mark_circle(size=18, fillOpacity=0.5, opacity=1)
    dots = dots.encode(
        x=alt.X("true:Q", **linear_axis(low, high, f"{name}, true")),
        y=alt.Y("predicted:Q", **linear_axis(low, high, f"{name}, predicted")),
        color=style.set_colour(table["set"]),
        tooltip=["set", "output", "true", "predicted"],
    )
    ends = alt.Chart(chart_data({"e": [low, high]}))
    ends = ends.mark_line(style="ink", strokeDash=[5, 4], strokeWidth=1)
    return (dots + ends.encode(x="e:Q", y="e:Q")).properties(width=side, height=side)


# ---------------------------------------------------------------- errors


def error_table(result, member=None, data=None, bins=31):
    """One row per set, output and bin: set, output, low, high (ends of the bin), count, share of
    the set, and rmse of all samples of the set and output."""
    found = {name: judged(result, member, data, name) for name in sets_of(result)}
    parts = []
    for j, output in enumerate(output_names(result, len(result.scaling.y_scale))[:OUTPUTS]):
        errors = {name: part.P[:, j] - part.Y[:, j] for name, part in found.items()}
        largest = max(np.abs(error).max() for error in errors.values()) or 1.0
        edges = np.linspace(-largest, largest, bins + 1)
        for name, error in errors.items():
            count = np.histogram(error, edges)[0]
            rmse = metrics_of_outputs(result, found[name])[output]["rmse"]
            share = count / count.sum()
            parts.append((name, output, edges[:-1], edges[1:], count, share, rmse))
    return base.stacked(("set", "output", "low", "high", "count", "share", "rmse"), parts)


@base.figure("histogram of the errors of each set", error_table, OBSTACLE, samples=True)
def errors(table, result):
    """Predicted minus true: how often which error, for each set, or for each output."""
    judge = judging_set(result)
    outputs = list(dict.fromkeys(table["output"]))
    by, names = "set", list(dict.fromkeys(table["set"]))
    if len(outputs) > 1:
        table, by, names = base.where(table, table["set"] == judge), "output", outputs
    panels = [
        error_panel(base.where(table, table[by] == name), name if len(names) > 1 else "", names)
        for name in names
    ]
    chart = panels[0] if len(panels) == 1 else alt.vconcat(*panels, spacing=8)
    rmse = {n: table["rmse"][(table["set"] == judge) & (table["output"] == n)][0] for n in outputs}
    told = ", ".join(f"{name} {value(error)}" for name, error in rmse.items())
    title = f"RMSE of {told} on the {judging_rows(result)}"
    under = f"{member_label(result)}; share of the rows with an error of this size"
    return chart.properties(title=text_title(title, under))


def error_panel(table, name, names):
    """The histogram of one set and output."""
    low, high = table["low"].min(), table["high"].max()
    is_last = name in ("", names[-1]) or table["output"][0] == name
    title = f"{table['output'][0]}, predicted - true" if is_last else None
    bars = alt.Chart(chart_data(table)).mark_bar(binSpacing=1, color=SETS[table["set"][0]])
    top = max(table["share"].max(), 0.01)
    shares = alt.Axis(format=".3~%", values=style.linear_ticks(0, top, most=5), title=None)
    bars = bars.encode(
        x=alt.X("low:Q", bin="binned", **linear_axis(low, high, title)),
        x2="high:Q",
        y=alt.Y("share:Q", axis=shares, scale=alt.Scale(domain=[0, 1.05 * float(top)])),
        tooltip=["set", "output", "low", "high", "count"],
    )
    chart = bars.properties(width=WIDTH, height=240 if len(names) == 1 else 110)
    return chart.properties(title=alt.TitleParams(name, fontSize=12)) if name else chart
