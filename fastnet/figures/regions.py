"""The figure of a network of two inputs: its decision regions, or its surface."""

import numpy as np

from fastnet.data.sources import run_samples
from fastnet.figures import base, networks, style
from fastnet.figures.networks import output_names, outputs_of
from fastnet.figures.sets import judged, judging_set, score, score_text
from fastnet.figures.style import MARK, RAMP, alt, chart_data

SIDE, CELLS, CELLS_OF_FRAME = 420, 60, 42  # pixels; cells along a side, and those of a snapshot
DEEPEST = 0.6  # of a class's colour in its region: the samples have all of it


def regions_table(result, member=None, data=None):
    """The network's output over the plane of two inputs: frame, epoch, x, y, x2, y2 (a cell's
    corners), value (the most probable class, or the first output), sure (its probability), wrong
    (of a sample) and the score of the rows that judge.

    Samples (at most 400) are in frame -1, with their true values and without x2 and y2.
    """
    samples = run_samples(result, data)
    shown = networks.snapshots(result, member)
    low, high = cells(samples.X, CELLS if len(shown) == 1 else CELLS_OF_FRAME)
    kept = base.evenly(np.arange(len(samples.X)), 400)
    true, _ = said(result, samples.Y[kept])
    guess, _ = said(result, outputs_of(shown[-1][1], samples.X[kept]))
    wrong = guess != true if result.classes is not None else False
    judges = score(result, judged(result, member, data, judging_set(result)))
    x, y = samples.X[kept].T.astype(float)
    parts = [(-1, -1, x, y, np.nan, np.nan, true, 1.0, wrong, judges)]
    for i, (epoch, model) in enumerate(shown):
        value, sure = said(result, outputs_of(model, (low + high) / 2))
        parts.append((i, epoch, *low.T, *high.T, value, sure, False, judges))
    names = ("frame", "epoch", "x", "y", "x2", "y2", "value", "sure", "wrong", "score")
    return base.stacked(names, parts)


def said(result, outputs):
    """The most probable classes and their probabilities, or the first outputs and 1."""
    if result.classes is None:
        return outputs[:, 0].astype(float), 1.0
    names = np.array([str(name) for name in result.classes])
    return names[outputs.argmax(axis=1)], np.round(outputs.max(axis=1), 3)


def cells(X, count):
    """Lower and upper corners (count * count, 2) of the cells of a grid over the samples."""
    edges = [padded_edges(X[:, j], count) for j in (0, 1)]
    low = np.meshgrid(edges[0][:-1], edges[1][:-1])
    high = np.meshgrid(edges[0][1:], edges[1][1:])
    return (np.stack(corner, axis=-1).reshape(-1, 2) for corner in (low, high))


def padded_edges(values, count):
    """count + 1 edges of cells over the values and a little more."""
    low, high = style.room_around(values, share=0.05)
    # Rounded: 17 digits per corner would be most of a page's bytes.
    return np.array([float(f"{edge:.7g}") for edge in np.linspace(low, high, count + 1)])


@base.figure(
    "decision regions (two inputs), as training went on",
    regions_table,
    base.first_obstacle(networks.no_weights, networks.other_inputs_than(2)),
    samples=True,
)
def regions(table, result):
    """Decision regions, or the surface of a regression, with a slider over the snapshots."""
    epochs = np.unique(table["frame"][table["frame"] >= 0])
    is_sample = table["frame"] == -1
    x, y = (region_axis(table, name, result.features[j]) for j, name in enumerate("xy"))
    fills = cell_colours(table, result)
    tiles = alt.Chart(side_by_side(table, fills, epochs)).mark_rect(clip=True)
    shown = "snapshot" if len(epochs) > 1 else "0"
    tiles = tiles.transform_calculate(fill=f"datum['fill' + {shown}]")
    colour = alt.Color("fill:N", scale=None, legend=None)
    places = {"x": alt.X("x:Q", **x), "y": alt.Y("y:Q", **y)}
    tiles = tiles.encode(**places, x2="x2:Q", y2="y2:Q", color=colour)
    dots = alt.Chart(chart_data(base.where(table, is_sample))).mark_circle(size=44, opacity=1)
    ring = alt.condition("datum.wrong", alt.value(MARK), alt.value("white"))
    dots = dots.encode(
        **places,
        fill=sample_colour(table, result),
        stroke=ring,
        strokeWidth=alt.condition("datum.wrong", alt.value(2), alt.value(0.8)),
        tooltip=["x", "y", "value"],
    )
    under = "dots: samples, wrong ones ringed in red; paler: less sure"
    if result.classes is None:
        under = "dots: samples, in the colour of their true value"
    chart = alt.layer(tiles, dots).properties(width=SIDE, height=SIDE)
    chart = chart.resolve_scale(color="independent")
    title = score_text(result, table["score"][0])
    return networks.with_slider(chart, result, epochs, title, under)


def region_axis(table, name, title):
    """The axis of an input, over all cells."""
    ends = [np.nanmin(table[name]), np.nanmax(table[f"{name}2"])]
    found = style.linear_axis(*ends, title)
    found["axis"].grid = False
    return found


def cell_colours(table, result):
    """The colour of each cell, opaque: pale where the network is less sure, or by its output."""
    if result.classes is None:
        low, high = value_range(table)
        ramp = style.ramp(101, RAMP)
        shares = np.clip((table["value"].astype(float) - low) / ((high - low) or 1.0), 0, 1)
        return np.array([ramp[round(100 * share)] for share in shares])
    names = output_names(result, len(result.classes))
    colours = dict(zip(names, style.class_colours(len(names))))
    chance = 1 / len(names)
    shares = DEEPEST * np.clip((table["sure"] - chance) / (1 - chance), 0.1, 1)
    pairs = list(zip(table["value"], np.round(40 * shares) / 40))
    tints = {pair: style.tint(colours[pair[0]], pair[1]) for pair in set(pairs)}
    return np.array([tints[pair] for pair in pairs])


def value_range(table):
    """The lowest and highest value of the samples and of the kept weights' cells."""
    values = table["value"][np.isin(table["frame"], (-1, table["frame"].max()))].astype(float)
    return float(np.nanmin(values)), float(np.nanmax(values))


def sample_colour(table, result):
    """The colour of a sample: of its class, or of its value; with the legend."""
    if result.classes is None:
        low, high = value_range(table)
        name = output_names(result, len(result.weights().b2))[0]
        scale = alt.Scale(range=list(RAMP), domain=[low, high])
        legend = style.number_legend(style.linear_ticks(low, high, most=5))
        return alt.Fill("value:Q", title=name, scale=scale, legend=legend)
    names = output_names(result, len(result.classes))
    scale = alt.Scale(domain=names, range=style.class_colours(len(names)))
    return alt.Fill("value:N", title=result.targets[0] if result.targets else "class", scale=scale)


def side_by_side(table, fills, epochs):
    """One row per cell with fill0, fill1, ... of the frames: a tenth of the bytes.

    A cell reaches half over the next ones, which are drawn later: no background shows between.
    """
    first = table["frame"] == 0
    columns = {name: table[name][first] for name in ("x", "y", "x2", "y2")}
    for name in "xy":
        columns[f"{name}2"] = columns[f"{name}2"] + (columns[f"{name}2"] - columns[name]) / 2
    for i in range(len(epochs)):
        columns[f"fill{i}"] = fills[table["frame"] == i]
    return chart_data(columns)
