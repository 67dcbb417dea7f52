"""The figure of what each hidden unit contributes."""

import numpy as np

from fastnet import reference
from fastnet.data.sources import run_samples
from fastnet.figures import base, networks, style
from fastnet.figures.networks import class_scale, input_axis, output_names
from fastnet.figures.style import HEIGHT, WEIGHTS, WIDTH, alt, chart_data, text_title
from fastnet.results.words import number

UNITS = 24  # at most this many hidden units are drawn, those that contribute most


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
    scale = alt.Scale(range=list(WEIGHTS), domain=[-largest, 0, largest])
    legend = style.number_legend(style.linear_ticks(-largest, largest, most=5))
    return alt.Color("value:Q", title="weight", scale=scale, legend=legend)


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
