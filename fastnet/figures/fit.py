"""The figure of a network of one input: its fit."""

import numpy as np

from fastnet.figures import base, networks, style
from fastnet.figures.networks import (
    OUTPUTS,
    class_scale,
    epoch_text,
    input_axis,
    output_names,
    outputs_of,
)
from fastnet.figures.sets import judged, judging_set, score, score_text, sets_of, value
from fastnet.figures.style import HEIGHT, WIDTH, alt, chart_data


def fit_table(result, member=None, data=None):
    """The fit over the data: part ("train", "val", "test" or "fit"), frame, epoch, output, x,
    value, error (of samples: the network less the value), and the score of the rows that judge.

    Samples (at most 500 per output) are in frame -1; the frames of the fit are the snapshots,
    the last one the kept weights.
    """
    shown = networks.snapshots(result, member)
    found = {name: judged(result, member, data, name) for name in sets_of(result)}
    inputs = np.concatenate([part.X for part in found.values()])
    names = output_names(result, next(iter(found.values())).Y.shape[1])[:OUTPUTS]
    grid = fit_grid(inputs, len(shown) * len(names))
    curves = []
    for name, part in found.items():
        most = max(500 * len(part.X) // len(inputs) // len(names), 1)
        kept = base.evenly(np.argsort(part.X[:, 0], kind="stable"), most)
        Y, P = part.Y[kept], part.P[kept]
        curves.append((name, -1, -1, part.X[kept, 0], Y, P - Y))
    for i, (epoch, model) in enumerate(shown):
        values = outputs_of(model, grid)
        curves.append(("fit", i, epoch, grid, values, np.full(values.shape, np.nan)))
    judges = score(result, found[judging_set(result)])
    parts = [
        (*facts, name, x, values[:, j].astype(float), errors[:, j].astype(float), judges)
        for *facts, x, values, errors in curves
        for j, name in enumerate(names)
    ]
    names = ("part", "frame", "epoch", "output", "x", "value", "error", "score")
    return base.stacked(names, parts)


def fit_grid(X, curves):
    """Inputs at which curves are drawn; fewer if there are more curves."""
    return np.linspace(X.min(), X.max(), max(60, min(400, 2 * base.POINTS // curves)))


@base.figure(
    "the fit over the data (one input), as training went on",
    fit_table,
    base.first_obstacle(networks.no_weights, networks.other_inputs_than(1)),
    samples=True,
)
def fit(table, result):
    """The network's output over the samples, and its errors; a slider plays the snapshots."""
    epochs = np.unique(table["frame"][table["part"] == "fit"])
    names = list(dict.fromkeys(table["output"]))
    x = input_axis(result, table)
    title = ", ".join(names) if networks.predicts_numbers(result) else "probability"
    values = table["value"][np.isfinite(table["value"])]
    y = style.linear_axis(*style.room_around(values), title)
    samples = base.where(table, table["part"] != "fit")
    curve = alt.Chart(chart_data(base.where(table, table["part"] == "fit")))
    if len(epochs) > 1:
        curve = curve.transform_filter("datum.frame == snapshot")
    if len(names) == 1:  # the line is the network's, dots have the colours of their sets
        line = curve.mark_line(strokeWidth=2.5, style="ink")
    else:
        line = curve.mark_line(strokeWidth=2.5)
        line = line.encode(color=alt.Color("output:N", sort=names, scale=class_scale()))
    line = line.encode(x=x, y=alt.Y("value:Q", **y))
    dots = alt.Chart(chart_data(samples)).mark_circle(size=16, opacity=1, fillOpacity=0.6)
    dots = dots.encode(x=x, y=alt.Y("value:Q", **y), color=fit_colour(samples, names))
    layers = [line, dots, *([epoch_text(curve)] if len(epochs) > 1 else [])]
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    if len(names) == 1 and networks.predicts_numbers(result):
        chart = alt.vconcat(chart, error_strip(samples, x, names[0]), spacing=8)
    return networks.with_slider(chart, result, epochs, fit_title(table, result))


def fit_colour(samples, names):
    """The colours of the samples: of their sets, or of their outputs."""
    if len(names) > 1:
        return alt.Color("output:N", sort=names, scale=class_scale())
    sets = [name for name in style.SETS if name in set(samples["part"])]
    scale = alt.Scale(domain=sets, range=[style.SETS[name] for name in sets])
    return alt.Color("part:N", title="rows (line: network)", scale=scale)


def error_strip(samples, x, name):
    """The errors of the samples, below the fit."""
    largest = float(np.abs(samples["error"]).max()) or 1.0
    y = style.linear_axis(-1.05 * largest, 1.05 * largest, "error", most=4)
    dots = alt.Chart(chart_data(samples)).mark_circle(size=10, opacity=1, fillOpacity=0.6)
    dots = dots.encode(x=x, y=alt.Y("error:Q", **y), color=fit_colour(samples, [name]))
    zero = alt.Chart(chart_data({"zero": [0.0]})).mark_rule(style="ink")
    zero = zero.encode(y=alt.Y("zero:Q", **y))
    return (zero + dots).properties(width=WIDTH, height=90)


def fit_title(table, result):
    """How good it is on the rows that judge, and the largest error there."""
    title = score_text(result, table["score"][0])
    if not networks.predicts_numbers(result):
        return title
    errors = table["error"][table["part"] == judging_set(result)]
    return f"{title}; largest error {value(np.nanmax(np.abs(errors)))}"
