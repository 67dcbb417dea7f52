"""Figures of a sweep: the cost and benefit of N1, all axes at once, why members stopped."""

import numpy as np

from fastnet.errors import UsageError
from fastnet.figures import base, style
from fastnet.figures.style import (
    CLASSES,
    HEIGHT,
    MARK,
    RAMP,
    WIDTH,
    alt,
    chart_data,
    log_axis,
    log_ticks,
    text_title,
)
from fastnet.options.methods import STOPS
from fastnet.options.targets import has_target
from fastnet.results import answer, words
from fastnet.training import grouping

LINES = 300  # at most this many members in the parallel coordinates
COLOURS = {  # of what members did
    "target": CLASSES[0],
    "patience": CLASSES[1],
    "max_epochs": CLASSES[6],
    "time_limit": CLASSES[9],
    "interrupted": CLASSES[5],
    "stopped": CLASSES[4],
    "pruned": CLASSES[2],
    "diverged": MARK,
}
OTHER = CLASSES[7]


def only_one_n1(result):
    """Obstacle: all members have the same N1."""
    widths = np.unique(result.members["n1"])
    return None if len(widths) > 1 else f"the run has only one N1 ({widths[0]})"


def chart_width(n1, most=WIDTH):
    """Pixels for a chart with one column per N1."""
    return int(np.clip(60 * len(np.unique(n1)), 240, most))


def n1_axis():
    """The horizontal axis of all N1."""
    return alt.X("n1:O", title="N1, hidden units")


def smallest_colour():
    """Red for the smallest N1 that suffices, blue for the others."""
    return alt.condition("datum.smallest", alt.value(MARK), alt.value(RAMP[0]))


# ---------------------------------------------------------------- against N1

QUARTILE_COLUMNS = ("n1", "member", "seed", "value", "low", "median", "high", "count")


def quartiles_by_n1(members, values):
    """Dots (thinned) of the values of each N1, with the quartiles and the count of all of them."""
    widths = np.unique(members["n1"])
    room = max(base.POINTS // len(widths), 5)
    parts = []
    for n1 in widths:
        finite = np.flatnonzero((members["n1"] == n1) & np.isfinite(values))
        if len(finite):
            kept = base.evenly(finite[np.argsort(values[finite], kind="stable")], room)
            quartiles = np.percentile(values[finite], (25, 50, 75))
            seeds = members["seed"][kept]
            parts.append((n1, kept, seeds, values[kept], *quartiles, len(finite)))
    return base.stacked(QUARTILE_COLUMNS, parts)


def quartile_chart(table, y_title, smallest=None, most=WIDTH, also=()):
    """Dots, median and quartiles of each N1 on a logarithmic axis; `smallest` stands out."""
    table = base.where(table, style.positive(table["value"]))
    jitter = (np.arange(len(table["n1"])) * 0.618) % 1  # the golden ratio spreads them evenly
    data = chart_data(table, jitter=jitter, smallest=table["n1"] == smallest)
    y = log_axis([*table["value"], *also], y_title)
    rows = alt.Chart(data).encode(x=n1_axis(), color=smallest_colour())
    dots = rows.mark_circle(size=22, fillOpacity=0.6, opacity=1).encode(
        y=alt.Y("value:Q", **y),
        xOffset=alt.XOffset("jitter:Q", scale=alt.Scale(domain=[-0.6, 1.6])),
        tooltip=["n1:O", "seed:O", "member:Q", "value:Q"],
    )
    once = rows.transform_aggregate(
        low="min(low)", high="max(high)", value="min(median)", groupby=["n1", "smallest"]
    )
    bar = once.mark_rule(strokeWidth=3).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    tick = once.mark_tick(thickness=3, size=14).encode(y=alt.Y("value:Q", **y))
    chart = alt.layer(dots, bar, tick)
    return chart.properties(width=chart_width(table["n1"], most), height=HEIGHT)


def loss_by_n1_table(result):
    """Best monitored loss of the members of each N1: n1, member, seed, value and the quartiles
    low, median, high of all `count` finite ones."""
    return quartiles_by_n1(result.members, grouping.monitored(result.members))


@base.figure("best loss against N1, with the spread over the seeds", loss_by_n1_table, only_one_n1)
def loss_by_n1(table, result):
    """Best loss against N1: dots are members, bars quartiles; the smallest sufficient N1 in red."""
    smallest = answer.smallest_n1(result.by_n1(), result.options)
    chart = quartile_chart(table, "best loss", smallest, also=style.drawn_targets(result))
    has_val = np.isfinite(result.members["val_loss"]).any()
    dots = f"dots: members ({'validation' if has_val else 'training'} loss)"
    red = "; red: the smallest N1 that suffices" if smallest else ""
    title = text_title(base.finding(result), f"{dots}, bar: quartiles, tick: median{red}")
    return alt.layer(chart, *style.target_rules(result)).properties(title=title)


def success_table(result):
    """The answer by N1: n1, members, reached, rate and its 95 % interval low to high."""
    rows = result.by_n1()
    names = {"rate": "success_rate", "low": "success_low", "high": "success_high"}
    counts = {name: np.array([row[name] for row in rows]) for name in ("n1", "members", "reached")}
    rates = {name: np.array([row[of] for row in rows], float) for name, of in names.items()}
    return {**counts, **rates}


def no_success_rates(result):
    """Obstacle: the success rates are not known."""
    if not has_target(result.options):
        return "no target was set (--target-loss, --target-rmse, ...)"
    if result.options["stop"] == "first" or result.by_n1()[0]["success_rate"] is None:
        return "not every member ran to its own stop (--stop all, no --halving)"
    return None


@base.figure("share of seeds that reach the target against N1", success_table, no_success_rates)
def success_by_n1(table, result):
    """Success rate against N1 with its bounds: of a sweep Clopper and Pearson's, at 95 %."""
    asked = result.options["success_rate"]
    smallest = answer.smallest_n1(result.by_n1(), result.options)
    data = chart_data(table, smallest=table["n1"] == smallest)
    y = {"title": "seeds that reach the target", "scale": alt.Scale(domain=[0, 1])}
    y["axis"] = alt.Axis(format="%", tickCount=5)
    rows = alt.Chart(data).encode(x=n1_axis(), color=smallest_colour())
    bars = rows.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    dots = rows.mark_point(filled=True, size=60, opacity=1).encode(
        y=alt.Y("rate:Q", **y), tooltip=["n1", "reached", "members", "rate", "low", "high"]
    )
    rule = alt.Chart(chart_data({"asked": [asked]})).mark_rule(style="target").encode(y="asked:Q")
    sure = 100 * (result.options.get("confidence") or 0.95)
    under = f"bars: {sure:g} % bounds; dashed: the {100 * asked:g} % asked for"
    chart = alt.layer(bars, dots, rule).properties(title=text_title(base.finding(result), under))
    return chart.properties(width=chart_width(table["n1"]), height=HEIGHT)


def none_reached(result):
    """Obstacle: no member reached the target."""
    has_reached = (result.members["stop_reason"] == "target").any()
    return None if has_reached else "no member reached a target loss"


def cost_table(result):
    """Epochs and seconds to the target of those that reached it: n1, member, measure ("epochs",
    "seconds"), value and the quartiles low, median, high."""
    members = result.members
    has_reached = members["stop_reason"] == "target"
    parts = []
    for measure in ("epochs", "seconds"):
        part = quartiles_by_n1(members, np.where(has_reached, members[measure], np.nan))
        parts.append({"measure": np.full(len(part["n1"]), measure), **part})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@base.figure("epochs and seconds to the target against N1", cost_table, none_reached)
def cost_by_n1(table, result):
    """What reaching the target costs for each N1: epochs, and seconds of one thread."""
    charts = []
    for measure in ("epochs", "seconds"):
        rows = base.where(table, table["measure"] == measure)
        del rows["measure"]
        charts.append(quartile_chart(rows, f"{measure} to the target", most=WIDTH // 2 - 30))
    members = result.members[result.members["stop_reason"] == "target"]
    epochs, time = np.median(members["epochs"]), np.median(members["seconds"])
    title = f"To the target: {epochs:,.0f} epochs, {1000 * time:.3g} ms at the median"
    under = "members that reached it; bar: quartiles, tick: median; a member's share of its thread"
    return alt.hconcat(*charts).properties(title=text_title(title, under))


# ---------------------------------------------------------------- why members stopped


def stop_table(result):
    """Members of each N1 and stop reason: n1, reason, count."""
    members = result.members
    pairs = np.stack([members["n1"].astype(str), members["stop_reason"].astype(str)])
    (n1, reason), count = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort((reason, n1.astype(int)))
    return {"n1": n1.astype(int)[order], "reason": reason[order], "count": count[order]}


@base.figure("why members stopped, for each N1", stop_table)
def stop_reasons(table, result):
    """Stop reasons of the members of each N1."""
    there = [name for name in COLOURS if name in set(table["reason"])]
    there += sorted(set(table["reason"]) - set(there))
    scale = alt.Scale(domain=there, range=[COLOURS.get(name, OTHER) for name in there])
    bars = alt.Chart(chart_data(table)).mark_bar()
    bars = bars.encode(
        x=n1_axis(),
        y=alt.Y("count:Q", title="members", axis=style.number_axis(tickMinStep=1)),
        color=alt.Color("reason:N", title="stopped by", scale=scale),
        tooltip=["n1", "reason", "count"],
    )
    title = text_title(stop_title(table, there, len(result.members)))
    return bars.properties(width=chart_width(table["n1"]), height=HEIGHT, title=title)


def stop_title(table, reasons, count):
    """The most frequent stop, in words."""
    totals = {name: int(table["count"][table["reason"] == name].sum()) for name in reasons}
    most = max(totals, key=totals.get)
    return f"{totals[most]:,} of {count:,} member{'s' * (count > 1)} {STOPS[str(most)].did}"


# ---------------------------------------------------------------- all axes at once


def no_axis(result):
    """Obstacle: the members do not differ."""
    return None if grouping.varying(result.members) else "all members have the same settings"


def axis_title(name):
    """A setting's name on an axis."""
    return "N1" if name == "n1" else str(name).replace("_", " ")


def axis_positions(name, values, few=12):
    """Positions of values on an axis from 0 to 1, and some of its labels: positions and texts.

    Few values are spaced evenly, in order; many logarithmically if positive, else linearly.
    """
    unique = np.unique(values)
    if len(unique) <= few:
        ticks = np.arange(len(unique)) / max(len(unique) - 1, 1)
        position = np.searchsorted(unique, values) / max(len(unique) - 1, 1)
        return position, ticks, [words.setting_text(name, value) for value in unique]
    unique = unique[np.isfinite(unique)]  # None (off) is at the top, like the largest value
    numbers = np.log(unique) if unique[0] > 0 else unique.astype(float)
    low, high = numbers[0], numbers[-1]

    def position(values):
        return (np.interp(values, unique, numbers) - low) / ((high - low) or 1)

    some = np.exp(np.linspace(low, high, 5)) if name == "loss" else base.evenly(unique, 5)
    return position(values), position(some), [f"{value:.3g}" for value in some]


def parallel_axes(result):
    """Members to draw, and the axes: name, position of each of them, ticks and their texts."""
    members, loss = result.members, grouping.monitored(result.members)
    shown = np.flatnonzero(style.positive(loss))
    kept = base.evenly(shown[np.argsort(loss[shown], kind="stable")], LINES)[::-1]
    axes = []
    for name in grouping.varying(members):
        position, *labels = axis_positions(name, members[name])
        axes.append((axis_title(name), position[kept], *labels))
    if len(kept):
        axes.append(("loss", *axis_positions("loss", loss[kept], few=0)))
    return kept, axes


def parallel_table(result):
    """One row per member and axis: member, axis, position (0 to 1), loss; at most 300 members,
    evenly spaced from the best to the worst."""
    kept, axes = parallel_axes(result)
    loss = grouping.monitored(result.members)[kept]
    parts = [(kept, name, position, loss) for name, position, *_ in axes]
    return base.stacked(("member", "axis", "position", "loss"), parts)


@base.figure("all axes of the sweep and the loss: parallel coordinates", parallel_table, no_axis)
def parallel(table, result):
    """Parallel coordinates: one line per member over the axes that vary, coloured by its loss."""
    _, axes = parallel_axes(result)
    names = [name for name, *_ in axes]
    x = parallel_x(names)
    rules = alt.Chart(chart_data({"axis": names})).mark_rule(style="soft").encode(x=x)
    layers = parallel_lines(table, x), rules, parallel_labels(axes, x)
    most = f" ({LINES} of them)" if len(result.members) > LINES else ""
    title = text_title(base.finding(result), f"one line per member{most}")
    width = max(WIDTH, 110 * len(names))
    return alt.layer(*layers).properties(width=width, height=HEIGHT, title=title)


def parallel_x(names):
    """The position of every axis, with its name above."""
    axis = alt.Axis(orient="top", domain=False, ticks=False, labelPadding=12)
    return alt.X("axis:N", sort=names, title=None, axis=axis)


def parallel_y():
    """The position on an axis, which has labels of its own."""
    return alt.Y("position:Q", axis=None)


def parallel_lines(table, x):
    """The members."""
    ticks = log_ticks(table["loss"])
    colour = alt.Color(
        "loss:Q",
        title="loss",
        scale=alt.Scale(type="log", range=list(RAMP)),
        legend=style.number_legend(ticks, gradientOpacity=1),
    )
    # strokeOpacity: with opacity the drawing of 240 lines as PNG took 10 s instead of 0.5.
    lines = alt.Chart(chart_data(table)).mark_line(strokeOpacity=0.5, strokeWidth=1.2)
    return lines.encode(x=x, y=parallel_y(), color=colour, detail="member:N")


def parallel_labels(axes, x):
    """The texts beside the axes."""
    parts = [(name, ticks, texts) for name, _, ticks, texts in axes]
    labels = alt.Chart(chart_data(base.stacked(("axis", "position", "text"), parts)))
    labels = labels.mark_text(style="ink", align="left", dx=5)
    return labels.encode(x=x, y=parallel_y(), text="text:N")


# ---------------------------------------------------------------- two axes


def chosen_axes(members, given):
    """Two axes of a heat map: as given, else N1 and the next that varies, seeds last."""
    axes = grouping.varying(members)
    if given is None:
        return sorted(axes, key=lambda name: name == "seed")[:2]
    wrong = [name for name in given if name not in axes]
    if wrong or len(set(given)) != 2:
        raise UsageError(f"axes must be two of {', '.join(axes)}, got {', '.join(given)}.")
    return list(given)


def not_two_axes(result):
    """Obstacle: fewer than two settings vary."""
    axes = grouping.varying(result.members)
    return None if len(axes) > 1 else f"only one axis varies ({', '.join(axes) or 'none'})"


HEAT_COLUMNS = (
    *("x_axis", "y_axis", "x", "y", "loss", "members", "reached"),
    *("x_order", "y_order"),
)


def heat_table(result, axes=None):
    """One row per cell: the names of both axes, x and y (texts), loss (median), members, reached,
    and the order of x and y. `axes` names two settings."""
    members = result.members
    names = chosen_axes(members, axes)
    (x_values, x_codes), (y_values, y_codes) = (
        np.unique(members[name], return_inverse=True) for name in names
    )
    x_kept, y_kept = (base.evenly(np.arange(len(v)), 40) for v in (x_values, y_values))
    rows = []
    for cell in groups(x_codes * len(y_values) + y_codes):
        i, j = x_codes[cell[0]], y_codes[cell[0]]
        if i in x_kept and j in y_kept:
            x, y = (
                words.setting_text(names[0], x_values[i]),
                words.setting_text(names[1], y_values[j]),
            )
            rows.append((*names, x, y, *cell_numbers(result, cell), i, j))
    return {name: np.array(column) for name, column in zip(HEAT_COLUMNS, zip(*rows))}


def groups(codes):
    """The places of each code, in the order of the codes."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    return np.split(order, starts[1:])


def cell_numbers(result, cell):
    """Median loss, count, and count of those that reached the target, of the members of a cell."""
    losses = grouping.monitored(result.members)[cell]
    losses = losses[np.isfinite(losses)]
    median = np.median(losses) if len(losses) else np.nan
    reached = (result.members["stop_reason"][cell] == "target").sum()
    return median, len(cell), reached


@base.figure("median loss over two axes of the sweep: heat map", heat_table, not_two_axes)
def heat_map(table, result):
    """Median loss over two axes; the figures are the members that reached the target."""
    titles, orders = heat_axes(table)
    texts = [f"{r}/{m}" for r, m in zip(table["reached"], table["members"])]
    cells = alt.Chart(chart_data(table, text=texts)).encode(
        x=alt.X("x:N", title=titles[0], sort=orders[0]),
        y=alt.Y("y:N", title=titles[1], sort=orders[1][::-1]),
        tooltip=["x", "y", "loss", "members", "reached"],
    )
    layers = [cells.mark_rect().encode(color=heat_colour(table))]
    has_figures = heat_has_figures(table, orders)
    layers += [heat_figures(cells, table)] if has_figures else []
    under = "figures: members that reached the target, of all" if has_figures else ""
    return alt.layer(*layers).properties(
        width=min(WIDTH, 60 + 44 * len(orders[0])),
        height=min(600, max(120, 26 * len(orders[1]))),
        title=text_title(heat_title(table, titles), under),
    )


def heat_axes(table):
    """The titles of both axes, and their values in order."""
    titles = [axis_title(table[f"{name}_axis"][0]) for name in "xy"]
    orders = [list(dict.fromkeys(table[n][np.argsort(table[f"{n}_order"])])) for n in "xy"]
    return titles, orders


def heat_colour(table):
    """Colour by median loss, on a logarithmic scale."""
    return alt.Color(
        "loss:Q",
        title="median loss",
        scale=alt.Scale(type="log", scheme="viridis", reverse=True),
        legend=style.number_legend(log_ticks(table["loss"])),
    )


def heat_has_figures(table, orders):
    """Whether the cells say how many members reached the target, and have room for it."""
    has_room = len(orders[0]) <= 14 and len(orders[1]) <= 20
    return (table["reached"] > 0).any() and (table["members"] > 1).any() and has_room


def heat_figures(cells, table):
    """How many members of each cell reached the target, legible on every colour."""
    middle = float(np.sqrt(np.nanmin(table["loss"]) * np.nanmax(table["loss"])))
    shade = alt.condition(f"datum.loss > {middle}", alt.value("white"), alt.value("black"))
    return cells.mark_text().encode(text="text:N", color=shade)


def heat_title(table, titles):
    """The cell of the lowest median loss."""
    best = int(np.nanargmin(table["loss"])) if np.isfinite(table["loss"]).any() else 0
    loss, x, y = (table[name][best] for name in ("loss", "x", "y"))
    return f"Lowest median loss {loss:.3g}: {titles[0]} {x}, {titles[1]} {y}"
