"""Figures of one network: its fit, its decision regions, what each hidden unit contributes."""

import numpy as np

from fastnet import reference
from fastnet.data.sources import run_samples
from fastnet.figures import base, networks, style
from fastnet.figures.networks import OUTPUTS, output_names, outputs_of
from fastnet.figures.style import CLASSES, HEIGHT, RAMP, WIDTH, alt, chart_data, text_title
from fastnet.results.words import number

UNITS = 24  # at most this many hidden units are drawn, those that contribute most


# ---------------------------------------------------------------- one input


def fit_table(result, member=None, data=None):
    """The fit over the data: part ("sample", "fit"), frame, epoch, output, x, value.

    Samples (at most 500 per output) are in frame -1; the frames of the fit are the snapshots,
    the last one the kept weights.
    """
    samples = run_samples(result, data)
    names = output_names(result, samples.Y.shape[1])[:OUTPUTS]
    kept = base.evenly(np.argsort(samples.X[:, 0], kind="stable"), 500 // len(names))
    shown = networks.snapshots(result, member)
    grid = fit_grid(samples.X, len(shown) * len(names))
    curves = [("sample", -1, -1, samples.X[kept, 0], samples.Y[kept])]
    curves += [("fit", i, e, grid, outputs_of(m, grid)) for i, (e, m) in enumerate(shown)]
    parts = [
        (part, number, epoch, name, x, values[:, j].astype(float))
        for part, number, epoch, x, values in curves
        for j, name in enumerate(names)
    ]
    return base.stacked(("part", "frame", "epoch", "output", "x", "value"), parts)


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
    """The network's output over the samples; with snapshots a slider plays the training."""
    is_fit = table["part"] == "fit"
    epochs = np.unique(table["frame"][is_fit])
    names = list(dict.fromkeys(table["output"]))
    x = input_axis(result, table)
    title = ", ".join(names) if networks.predicts_numbers(result) else "probability"
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False), axis=style.number_axis())
    dot_colour = line_colour = alt.Color("output:N", sort=names, scale=class_scale())
    if len(names) == 1:
        dot_colour, line_colour = alt.value(RAMP[0]), alt.value(RAMP[-1])
    dots = alt.Chart(chart_data(base.where(table, ~is_fit)))
    dots = dots.mark_circle(size=14, fillOpacity=0.45, opacity=1).encode(x=x, y=y, color=dot_colour)
    curve = alt.Chart(chart_data(base.where(table, is_fit)))
    if len(epochs) > 1:
        curve = curve.transform_filter("datum.frame == snapshot")
    layers = [dots, curve.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=line_colour)]
    layers += [epoch_text(curve)] if len(epochs) > 1 else []
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return networks.with_slider(chart, result, epochs)


def input_axis(result, table):
    """The horizontal axis of the only input."""
    return alt.X("x:Q", **style.linear_axis(table["x"].min(), table["x"].max(), result.features[0]))


def class_scale():
    """The colours of classes, outputs and units."""
    return alt.Scale(range=list(CLASSES))


def epoch_text(curve):
    """The epoch of the shown snapshot, in the corner."""
    epoch = curve.transform_aggregate(epoch="max(epoch)")
    epoch = epoch.transform_calculate(text="'epoch ' + datum.epoch")
    text = epoch.mark_text(style="ink", align="right", baseline="top", dx=-6, dy=6)
    return text.encode(x=alt.value("width"), y=alt.value(0), text="text:N")


# ---------------------------------------------------------------- two inputs


def regions_table(result, member=None, data=None):
    """The network's output over the plane of two inputs: frame, epoch, x, y, x2, y2 (a cell's
    corners), value (the most probable class, or the first output) and sure (its probability).

    Samples (at most 400) are in frame -1, with their true values and without x2 and y2.
    """
    samples = run_samples(result, data)
    shown = networks.snapshots(result, member)
    count = 42 if len(shown) == 1 else 30  # divisors of the 420 pixels: no seams between cells
    low, high = cells(samples.X, count)
    kept = base.evenly(np.arange(len(samples.X)), 400)
    true, _ = said(result, samples.Y[kept])
    x, y = samples.X[kept].T.astype(float)
    parts = [(-1, -1, x, y, np.nan, np.nan, true, 1.0)]
    for i, (epoch, model) in enumerate(shown):
        value, sure = said(result, outputs_of(model, (low + high) / 2))
        parts.append((i, epoch, *low.T, *high.T, value, sure))
    return base.stacked(("frame", "epoch", "x", "y", "x2", "y2", "value", "sure"), parts)


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
    room = 0.05 * (values.max() - values.min() or 1)
    edges = np.linspace(values.min() - room, values.max() + room, count + 1)
    # Rounded: 17 digits per corner would be most of a page's bytes.
    return np.array([float(f"{edge:.7g}") for edge in edges])


def side_by_side(table, epochs):
    """One row per cell with value0, sure0, value1, ... of the frames: a tenth of the bytes."""
    first = table["frame"] == 0
    columns = {name: table[name][first] for name in ("x", "y", "x2", "y2")}
    for i in range(len(epochs)):
        frame = table["frame"] == i
        columns |= {f"{name}{i}": table[name][frame] for name in ("value", "sure")}
    return chart_data(columns)


@base.figure(
    "decision regions (two inputs), as training went on",
    regions_table,
    base.first_obstacle(networks.no_weights, networks.other_inputs_than(2)),
    samples=True,
)
def regions(table, result):
    """Decision regions, or the surface of a regression, with a slider over the snapshots."""
    epochs = np.unique(table["frame"][table["frame"] >= 0])
    colour = region_colour(result)
    dots = alt.Chart(chart_data(base.where(table, table["frame"] == -1)))
    dots = dots.mark_circle(size=26, opacity=1, stroke="white", strokeWidth=0.8)
    dots = dots.encode(x="x:Q", y="y:Q", color=colour, tooltip=["x", "y", "value"])
    chart = alt.layer(region_cells(table, result, epochs, colour), dots)
    return networks.with_slider(chart.properties(width=420, height=420), result, epochs)


def region_colour(result):
    """The colour of a class, or of the value of the first output."""
    names = output_names(result, len(result.weights().b2))
    if result.classes is None:
        return alt.Color("value:Q", title=names[0], scale=alt.Scale(scheme="viridis"))
    scale = alt.Scale(domain=names, range=style.class_colours(len(names)))
    return alt.Color("value:N", title="class", scale=scale)


def region_cells(table, result, epochs, colour):
    """The cells of the shown snapshot, fainter where the network is less sure."""
    shown = "snapshot" if len(epochs) > 1 else "0"
    rectangles = alt.Chart(side_by_side(table, epochs)).mark_rect()
    rectangles = rectangles.transform_calculate(
        value=f"datum['value' + {shown}]", sure=f"datum['sure' + {shown}]"
    )
    more = {"scale": alt.Scale(nice=False, zero=False), "axis": style.number_axis(grid=False)}
    is_class = result.classes is not None
    return rectangles.encode(
        x=alt.X("x:Q", title=result.features[0], **more),
        y=alt.Y("y:Q", title=result.features[1], **more),
        x2="x2:Q",
        y2="y2:Q",
        color=colour,
        opacity=alt.Opacity("sure:Q", scale=None) if is_class else alt.value(1),
    )


# ---------------------------------------------------------------- hidden units


def hidden_table(result, member=None, data=None):
    """What each hidden unit contributes: unit, x, y, value.

    One input: value = W2[0, unit] h_unit(x) over x, and unit -1 their sum with b2. Digits: the
    weights W1 as an image, x and y its pixels. Else: x is "W1 <input>" or "W2 <output>", value
    the weight. At most 24 units, those that contribute most to the outputs.
    """
    model = result.model(member)
    if len(result.features) == 1:
        X = run_samples(result, data).X
        return unit_curves(model, X.min(), X.max())
    W1, _, W2, _ = model.weights
    units = leading_units(np.abs(W2).sum(axis=0) * np.linalg.norm(W1, axis=1))
    return unit_images(W1, units) if result.task == 2 else unit_weights(result, W1, W2, units)


def leading_units(weight):
    """At most UNITS units, those with the largest weights, in their order."""
    return np.sort(np.argsort(-weight, kind="stable")[:UNITS])


def unit_images(W1, units):
    """The weights of the units as square images."""
    side = int(W1.shape[1] ** 0.5)
    y, x = np.divmod(np.arange(side * side), side)
    parts = [(unit, x, y, W1[unit].astype(float)) for unit in units]
    return base.stacked(("unit", "x", "y", "value"), parts)


def unit_weights(result, W1, W2, units):
    """The weights of the units by the names of inputs and outputs: the first 40 and 20."""
    names = [f"W1 {name}" for name in result.features[:40]]
    names += [f"W2 {name}" for name in output_names(result, len(W2))[:20]]
    values = np.hstack([W1[units, :40], W2[:20, units].T]).astype(float)
    parts = [(unit, np.array(names), unit, row) for unit, row in zip(units, values)]
    return base.stacked(("unit", "x", "y", "value"), parts)


def unit_curves(model, low, high):
    """The contributions of the units to the first output over one input."""
    net = reference.network.Net(*(array.astype(float) for array in model.weights))
    x = np.linspace(low, high, max(50, base.POINTS // (min(len(net.b1), UNITS) + 1)))
    X = model.scaled(x[:, None])
    H, Z2 = reference.network.forward(net, reference.activations.ACTIVATIONS[model.activation], X)
    contributions = H * net.W2[0] * model.y_scale[0]
    units = leading_units(np.ptp(contributions, axis=0))
    output = Z2[:, 0] * model.y_scale[0] + model.y_shift[0]
    parts = [(unit, x, unit, contributions[:, unit]) for unit in units]
    return base.stacked(("unit", "x", "y", "value"), [*parts, (-1, x, -1, output)])


def has_one_input(result):
    """Whether the run has one input."""
    return len(result.features) == 1


@base.figure(
    "what each hidden unit contributes", hidden_table, networks.no_weights, samples=has_one_input
)
def hidden_units(table, result):
    """Each hidden unit: its curve over one input, its image of a digit, or its weights."""
    units = len(set(table["unit"]) - {-1})
    n1 = result.best["n1"]
    title = f"The {n1} hidden units"
    if units < n1:
        title = f"The {units} of {n1} hidden units that contribute most"
    if has_one_input(result):
        return unit_lines(table, result, title)
    return unit_pictures(table, title) if result.task == 2 else unit_cells(table, result, title)


def unit_lines(table, result, title):
    """The units' curves and, thicker, their sum."""
    is_sum = table["unit"] == -1
    x = input_axis(result, table)
    y = alt.Y("value:Q", title="W2 h(x)", axis=style.number_axis())
    colour = alt.Color("unit:N", scale=class_scale())
    lines = alt.Chart(chart_data(base.where(table, ~is_sum)))
    lines = lines.mark_line(strokeWidth=1.3, opacity=0.85)
    lines = lines.encode(x=x, y=y, color=colour, detail="unit:N", tooltip=["unit", "x", "value"])
    total = alt.Chart(chart_data(base.where(table, is_sum))).mark_line(strokeWidth=3, style="ink")
    chart = alt.layer(lines, total.encode(x=x, y=y)).properties(width=WIDTH, height=HEIGHT)
    output = output_names(result, len(result.weights().b2))[0]
    under = f"thick: their sum with the bias, the output {output}"
    if result.classes is not None:
        under = f"thick: their sum with the bias, z2 of class {output} (before softmax)"
    if result.labels:
        under = f"thick: their sum with the bias, z2 of {output} (before the sigmoid)"
    return chart.properties(title=text_title(title + " add up to the fit", under))


def weight_colour(table):
    """Colour by weight, 0 in the middle."""
    largest = float(np.abs(table["value"]).max())
    scale = alt.Scale(scheme="blueorange", domain=[-largest, largest])
    return alt.Color("value:Q", title="weight", scale=scale)


def unit_pictures(table, title):
    """The weights W1 of the digits: one image per unit."""
    chart = style.images(table, weight_colour(table))
    chart = chart.facet(alt.Facet("unit:O", title=None), columns=8)
    return chart.properties(title=text_title(title, "the weights W1 of each, as an image"))


def unit_cells(table, result, title):
    """All weights in colours: a column per unit, a row per input (W1) and output (W2)."""
    names = list(dict.fromkeys(table["x"]))
    units = len(set(table["unit"]))
    cells = (
        alt.Chart(chart_data(table))
        .mark_rect()
        .encode(
            x=alt.X("unit:O", title="hidden unit"),
            y=alt.Y(
                "x:N", title=None, sort=names, axis=alt.Axis(labelLimit=220, labelOverlap=False)
            ),
            color=weight_colour(table),
            tooltip=["unit", "x", "value"],
        )
    )
    largest = np.abs(table["value"]).argmax()
    unit, name, weight = (table[column][largest] for column in ("unit", "x", "value"))
    title += f"; the largest weight is {name} of unit {unit}: {number(float(weight), 3)}"
    under = f"{networks.member_label(result)}; W1: from an input, W2: to an output"
    more = [(len(result.features), 40, "inputs"), (len(result.weights().b2), 20, "outputs")]
    under += "".join(f"; the first {most} of {n:,} {of}" for n, most, of in more if n > most)
    # Never flatter than 180: pages count the axis as part of the height.
    size = {"width": min(WIDTH, max(200, 26 * units)), "height": max(180, 18 * len(names))}
    return cells.properties(**size, title=text_title(title, under))
