"""Figures of one network: its fit, its decision regions, what each hidden unit contributes."""

import numpy as np

from fastnet import reference
from fastnet.data.sources import run_samples
from fastnet.engine.layout import Weights
from fastnet.figures.base import (
    CLASSES,
    HEIGHT,
    POINTS,
    RAMP,
    WIDTH,
    alt,
    evenly,
    figure,
    frame,
    text_title,
)

UNITS = 24  # at most so many hidden units are drawn, those that count most
OUTPUTS = 6  # at most so many outputs


# ---------------------------------------------------------------- networks


def inputs(result, count):
    """A figure's need of `count` inputs."""
    d = len(result.features)
    return None if d == count else f"the run has {d} inputs, not {count}"


def network(result):
    """A figure's need of weights."""
    if not result.packed:
        return "the weights were not kept (--keep none)"
    if result.best["stop_reason"] == "diverged" and not np.isfinite(result.weights().W1).all():
        return "the best member diverged"
    return None


def first_reason(*reasons):
    """The first reason that is not None, each a function of the result."""

    def needs(result):
        return next((text for text in (reason(result) for reason in reasons) if text), None)

    return needs


def frames(result, member=None, most=12):
    """Epochs and models of a member, as training went on; the kept weights come last.

    Only these where the run recorded no snapshots.
    """
    model = result.model(member)
    member = result.best_member if member is None else member
    shots = result.recorded["snapshots"]
    found = []
    if len(shots):
        starts = offsets_of(shots["n1"])
        last = result.members["best_epoch"][member]
        mine = np.flatnonzero((shots["member"] == member) & (shots["epoch"] < last))
        for i in evenly(mine, most):
            rows = slice(starts[i], starts[i + 1])
            net = Weights(shots["W1"][rows], shots["b1"][rows], shots["W2"][rows].T, shots["b2"][i])
            found.append((int(shots["epoch"][i]), model._replace(weights=net)))
    return [*found, (int(result.members["best_epoch"][member]), model)]


def offsets_of(n1):
    """Where the rows of each width begin, and the end."""
    return np.concatenate([[0], np.cumsum(n1)])


def outputs_of(model, X):
    """Predictions (n, k): numbers, or probabilities of the classes."""
    return model.predict(X).reshape(len(X), -1) if model.classes is None else model.predict_proba(X)


def output_names(result, k):
    """What to call the outputs."""
    if result.classes is not None:
        return [str(name) for name in result.classes]
    return list(result.targets) or ["y"] * (k == 1) or [f"y{i}" for i in range(k)]


def who(result, member=None):
    """A member in a few words."""
    record = result.members[result.best_member if member is None else member]
    return f"N1 = {record['n1']}, seed {record['seed']}"


def slider(epochs):
    """A chart's parameter: which snapshot is shown. The last, the kept weights, at first."""
    return alt.param(
        name="snapshot",
        value=len(epochs) - 1,
        bind=alt.binding_range(min=0, max=len(epochs) - 1, step=1, name="snapshot "),
    )


def playing(base, epochs):
    """The rows of the chosen snapshot."""
    return base.transform_filter("datum.frame == snapshot") if len(epochs) > 1 else base


# ---------------------------------------------------------------- one input


def fit_table(result, member=None, data=None):
    """The fit over the data: part ("sample", "fit"), frame, epoch, output, x, value.

    Samples (at most 500 an output) are in frame -1; the frames of the fit are the snapshots,
    the last one the kept weights.
    """
    checked = run_samples(result, data)
    X, Y = checked.X, checked.Y
    names = output_names(result, Y.shape[1])[:OUTPUTS]
    shown = frames(result, member)
    grid = np.linspace(X.min(), X.max(), max(60, min(400, 2 * POINTS // len(shown) // len(names))))
    kept = evenly(np.argsort(X[:, 0], kind="stable"), 500 // len(names))
    parts = [("sample", -1, -1, X[kept, 0], Y[kept])]
    parts += [("fit", i, e, grid, outputs_of(m, grid)) for i, (e, m) in enumerate(shown)]
    columns = {name: [] for name in ("part", "frame", "epoch", "output", "x", "value")}
    for part, number, epoch, x, values in parts:
        for j, name in enumerate(names):
            add(columns, len(x), part, number, epoch, name, x, values[:, j].astype(float))
    return {name: np.concatenate(column) for name, column in columns.items()}


def add(columns, count, *row):
    """Append `count` rows to lists of columns; a single value stands in each of them."""
    for column, value in zip(columns.values(), row):
        column.append(value if np.ndim(value) else np.full(count, value))


def only(table, mask):
    """The rows of a table where the mask is true."""
    return {name: column[mask] for name, column in table.items()}


@figure(
    "the fit over the data (one input), as training went on",
    fit_table,
    first_reason(network, lambda result: inputs(result, 1)),
    samples=True,
)
def fit(table, result):
    """The network's output over the samples; with snapshots a slider plays the training."""
    is_fit = table["part"] == "fit"
    epochs = np.unique(table["frame"][is_fit])
    names = list(dict.fromkeys(table["output"]))
    one = len(names) == 1
    colour = alt.value(RAMP[-1])
    if not one:
        colour = alt.Color("output:N", sort=names, scale=alt.Scale(range=list(CLASSES)))
    x = alt.X("x:Q", title=result.features[0], scale=alt.Scale(nice=False))
    title = "probability" if result.classes is not None else ", ".join(names)
    y = alt.Y("value:Q", title=title, scale=alt.Scale(zero=False))
    dots = alt.Chart(frame(only(table, ~is_fit))).mark_circle(size=14, fillOpacity=0.45, opacity=1)
    dots = dots.encode(x=x, y=y, color=alt.value(RAMP[0]) if one else colour)
    base = playing(alt.Chart(frame(only(table, is_fit))), epochs)
    line = base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour)
    layers = [dots, line]
    if len(epochs) > 1:
        text = base.transform_aggregate(epoch="max(epoch)").transform_calculate(
            text="'epoch ' + datum.epoch"
        )
        text = text.mark_text(style="ink", align="right", baseline="top", dx=-6, dy=6)
        layers.append(text.encode(x=alt.value("width"), y=alt.value(0), text="text:N"))
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    chart = chart.add_params(slider(epochs)) if len(epochs) > 1 else chart
    return chart.properties(
        title=text_title(f"{who(result)}: loss {loss_of(result):.3g}", under(epochs))
    )


def loss_of(result, member=None):
    """The monitored loss of a member."""
    record = result.members[result.best_member if member is None else member]
    return record["train_loss"] if np.isnan(record["val_loss"]) else record["val_loss"]


def under(epochs):
    return "move the slider to see the training" if len(epochs) > 1 else ""


# ---------------------------------------------------------------- two inputs


def regions_table(result, member=None, data=None):
    """What the network says over the plane of two inputs: frame, epoch, x, y, x2, y2 (a cell's
    corners), value (the most probable class, or the first output) and sure (its probability).

    Samples (at most 400) are in frame -1, with their true values and without x2 and y2.
    """
    checked = run_samples(result, data)
    shown = frames(result, member)
    count = 42 if len(shown) == 1 else 30  # divisors of the 420 pixels: no seams between cells
    edges = [padded(checked.X[:, j], count) for j in (0, 1)]
    low = np.stack(np.meshgrid(edges[0][:-1], edges[1][:-1]), axis=-1).reshape(-1, 2)
    high = np.stack(np.meshgrid(edges[0][1:], edges[1][1:]), axis=-1).reshape(-1, 2)
    columns = {n: [] for n in ("frame", "epoch", "x", "y", "x2", "y2", "value", "sure")}
    names = None if result.classes is None else np.array([str(c) for c in result.classes])
    kept = evenly(np.arange(len(checked.X)), 400)
    true = checked.Y[kept, 0] if names is None else names[checked.Y[kept].argmax(axis=1)]
    add(columns, len(kept), -1, -1, *checked.X[kept].T.astype(float), np.nan, np.nan, true, 1.0)
    for i, (epoch, model) in enumerate(shown):
        values = outputs_of(model, (low + high) / 2)
        sure = 1.0 if names is None else np.round(values.max(axis=1), 3)
        value = values[:, 0].astype(float) if names is None else names[values.argmax(axis=1)]
        add(columns, len(low), i, epoch, *low.T, *high.T, value, sure)
    return {name: np.concatenate(column) for name, column in columns.items()}


def wide(table, epochs):
    """A row a cell, value0, sure0, value1, ... of the frames: a tenth of the bytes."""
    first = table["frame"] == 0
    cells = {name: table[name][first] for name in ("x", "y", "x2", "y2")}
    for i in range(len(epochs)):
        some = table["frame"] == i
        cells |= {f"{name}{i}": table[name][some] for name in ("value", "sure")}
    return frame(cells)


def padded(values, count):
    """count + 1 edges of cells over the values and a little more."""
    room = 0.05 * (values.max() - values.min() or 1)
    # Rounded: 17 digits a corner would be most of a page's bytes.
    return np.array(
        [
            float(f"{v:.7g}")
            for v in np.linspace(values.min() - room, values.max() + room, count + 1)
        ]
    )


@figure(
    "decision regions (two inputs), as training went on",
    regions_table,
    first_reason(network, lambda result: inputs(result, 2)),
    samples=True,
)
def regions(table, result):
    """Decision regions, or the surface of a regression, with a slider over the snapshots."""
    epochs = np.unique(table["frame"][table["frame"] >= 0])
    classes = result.classes is not None
    if classes:
        names = [str(name) for name in result.classes]
        colour = alt.Color(
            "value:N", title="class", scale=alt.Scale(domain=names, range=palette(len(names)))
        )
    else:
        title = output_names(result, len(result.weights().b2))[0]
        colour = alt.Color("value:Q", title=title, scale=alt.Scale(scheme="viridis"))
    shown = "snapshot" if len(epochs) > 1 else "0"
    more = {"scale": alt.Scale(nice=False, zero=False), "axis": alt.Axis(grid=False)}
    cells = alt.Chart(wide(table, epochs)).mark_rect()
    cells = cells.transform_calculate(
        value=f"datum['value' + {shown}]", sure=f"datum['sure' + {shown}]"
    )
    cells = cells.encode(
        x=alt.X("x:Q", title=result.features[0], **more),
        y=alt.Y("y:Q", title=result.features[1], **more),
        x2="x2:Q",
        y2="y2:Q",
        color=colour,
        opacity=alt.Opacity("sure:Q", scale=None) if classes else alt.value(1),
    )
    dots = alt.Chart(frame(only(table, table["frame"] == -1))).mark_circle(
        size=26, opacity=1, stroke="white", strokeWidth=0.8
    )
    dots = dots.encode(x="x:Q", y="y:Q", color=colour, tooltip=["x", "y", "value"])
    chart = alt.layer(cells, dots).properties(width=420, height=420)
    chart = chart.add_params(slider(epochs)) if len(epochs) > 1 else chart
    return chart.properties(
        title=text_title(f"{who(result)}: loss {loss_of(result):.3g}", under(epochs))
    )


def palette(count):
    """Colours of `count` classes."""
    return [CLASSES[i % len(CLASSES)] for i in range(count)]


# ---------------------------------------------------------------- hidden units


def hidden_table(result, member=None, data=None):
    """What each hidden unit contributes: unit, x, y, value.

    One input: value = W2[0, unit] h_unit(x) over x, and unit -1 their sum with b2. Digits: the
    weights W1 as an image, x and y its pixels. Else: x is "W1 <input>" or "W2 <output>", value
    the weight. At most 24 units, those of the largest part in the outputs.
    """
    model = result.model(member)
    W1, _, W2, _ = model.weights
    if len(result.features) == 1:
        return unit_curves(model, *ends_of(result, data))
    units = leading(np.abs(W2).sum(axis=0) * np.linalg.norm(W1, axis=1))
    if result.task == 2:
        side = int(len(result.features) ** 0.5)
        y, x = np.divmod(np.arange(side * side), side)
        columns = (np.repeat(units, side * side), np.tile(x, len(units)), np.tile(y, len(units)))
        return dict(zip(("unit", "x", "y", "value"), (*columns, W1[units].ravel().astype(float))))
    names = [f"W1 {name}" for name in result.features[:40]]
    names += [f"W2 {name}" for name in output_names(result, len(W2))[:20]]
    values = np.hstack([W1[units, :40], W2[:20, units].T]).astype(float)
    unit = np.repeat(units, len(names))
    return {"unit": unit, "x": np.tile(names, len(units)), "y": unit, "value": values.ravel()}


def leading(weight):
    """The units of the largest weight, at most UNITS, in their order."""
    return np.sort(np.argsort(-weight, kind="stable")[:UNITS])


def ends_of(result, given):
    """The least and the largest value of the one input."""
    X = run_samples(result, given).X
    return X.min(), X.max()


def unit_curves(model, low, high):
    """The contributions of the units to the first output over one input."""
    net = reference.network.Net(*(array.astype(float) for array in model.weights))
    x = np.linspace(low, high, max(50, POINTS // (min(len(net.b1), UNITS) + 1)))
    X = (x[:, None] - model.x_shift) / model.x_scale
    H, Z2 = reference.network.forward(net, reference.activations.ACTIVATIONS[model.activation], X)
    parts = H * net.W2[0] * model.y_scale[0]
    units = leading(np.ptp(parts, axis=0))
    whole = Z2[:, 0] * model.y_scale[0] + model.y_shift[0]
    values = np.vstack([parts[:, units].T, whole])
    unit = np.repeat([*units, -1], len(x))
    return {"unit": unit, "x": np.tile(x, len(units) + 1), "y": unit, "value": values.ravel()}


def one_input(result):
    """Whether the run has one input."""
    return len(result.features) == 1


@figure("what each hidden unit contributes", hidden_table, network, samples=one_input)
def hidden_units(table, result):
    """Each hidden unit: its curve over one input, its image of a digit, or its weights."""
    units = len(set(table["unit"]) - {-1})
    n1 = result.best["n1"]
    title = f"{units} of the {n1} hidden units" if units < n1 else f"The {n1} hidden units"
    draw = unit_lines if len(result.features) == 1 else unit_maps
    return draw(table, result, title)


def unit_lines(table, result, title):
    """The units' curves and, thicker, their sum."""
    total = table["unit"] == -1
    x = alt.X("x:Q", title=result.features[0], scale=alt.Scale(nice=False))
    y = alt.Y("value:Q", title="W2 h(x)")
    data = frame(only(table, ~total))
    lines = alt.Chart(data).mark_line(strokeWidth=1.3, opacity=0.85)
    colour = alt.Color("unit:N", scale=alt.Scale(range=list(CLASSES)))
    lines = lines.encode(x=x, y=y, color=colour, detail="unit:N", tooltip=["unit", "x", "value"])
    whole = alt.Chart(frame(only(table, total))).mark_line(strokeWidth=3, style="ink")
    output = output_names(result, len(result.weights().b2))[0]
    under = f"thick: their sum with the bias, the output {output}"
    if result.classes is not None:
        under = f"thick: their sum with the bias, z2 of class {output} (before softmax)"
    return alt.layer(lines, whole.encode(x=x, y=y)).properties(
        width=WIDTH, height=HEIGHT, title=text_title(title + " add up to the fit", under)
    )


def unit_maps(table, result, title):
    """Weights in colours: an image a unit for the digits, else a row a unit."""
    largest = float(np.abs(table["value"]).max())
    scale = alt.Scale(scheme="blueorange", domain=[-largest, largest])
    colour = alt.Color("value:Q", title="weight", scale=scale)
    base = alt.Chart(frame(table)).mark_rect()
    if result.task == 2:
        axis = {"axis": None}
        image = base.encode(x=alt.X("x:O", **axis), y=alt.Y("y:O", **axis), color=colour)
        image = image.properties(width=72, height=72)
        chart = image.facet(alt.Facet("unit:O", title=None), columns=8)
        return chart.properties(title=text_title(title, "the weights W1 of each, as an image"))
    names = list(dict.fromkeys(table["x"]))
    chart = base.encode(
        x=alt.X("x:N", title=None, sort=names, axis=alt.Axis(labelAngle=-45)),
        y=alt.Y("unit:O", title="hidden unit"),
        color=colour,
        tooltip=["unit", "x", "value"],
    )
    height = 18 * len(set(table["unit"]))
    return chart.properties(
        width=max(200, min(WIDTH, 26 * len(names))), height=height, title=text_title(title)
    )
