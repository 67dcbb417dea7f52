"""Figures of a sweep: what N1 costs and brings, all axes at once, why members stopped."""

import numpy as np

from fastnet.errors import UsageError
from fastnet.figures.base import (
    CLASSES,
    HEIGHT,
    MARK,
    POINTS,
    RAMP,
    WIDTH,
    alt,
    evenly,
    figure,
    finding,
    frame,
    log_axis,
    log_ticks,
    positive,
    target_rules,
    text_title,
)
from fastnet.options.methods import STOPS
from fastnet.results import answer
from fastnet.training.plan import SETTING_COLUMNS, shown

LINES = 300  # at most so many members in the parallel coordinates
COLOURS = {  # of what members did
    "target": CLASSES[0],
    "patience": CLASSES[1],
    "max_epochs": CLASSES[6],
    "time_limit": CLASSES[9],
    "interrupted": CLASSES[5],
    "stopped": CLASSES[4],
    "diverged": MARK,
}
OTHER = CLASSES[7]


def several_n1(result):
    """The need of more than one N1."""
    widths = np.unique(result.members["n1"])
    return None if len(widths) > 1 else f"the run has one N1 only ({widths[0]})"


def wide(n1, most=WIDTH):
    """Pixels for so many widths."""
    return int(np.clip(60 * len(np.unique(n1)), 240, most))


# ---------------------------------------------------------------- against N1


def spread(members, values):
    """Dots (thinned) of the values of each N1, and their quartiles: the rows of a spread chart."""
    widths = np.unique(members["n1"])
    room = max(POINTS // len(widths), 5)
    parts = []
    for n1 in widths:
        some = np.flatnonzero((members["n1"] == n1) & np.isfinite(values))
        if len(some):
            kept = evenly(some[np.argsort(values[some], kind="stable")], room)
            parts.append((n1, kept, np.percentile(values[some], (25, 50, 75)), len(some)))
    sizes = [len(kept) for _, kept, _, _ in parts]
    kept = np.concatenate([kept for _, kept, _, _ in parts]) if parts else np.empty(0, int)
    return {
        "n1": members["n1"][kept],
        "member": kept,
        "seed": members["seed"][kept],
        "value": values[kept],
        **{
            name: np.repeat([quartiles[i] for _, _, quartiles, _ in parts], sizes)
            for i, name in enumerate(("low", "median", "high"))
        },
        "count": np.repeat([count for *_, count in parts], sizes),
    }


def spread_chart(table, y_title, smallest=None, most=WIDTH):
    """Dots, median and quartiles of each N1 on a logarithmic axis; `smallest` stands out."""
    table = {n: c[positive(table["value"])] for n, c in table.items()}
    jitter = (np.arange(len(table["n1"])) * 0.618) % 1  # the golden ratio spreads them evenly
    data = frame(table, jitter=jitter, smallest=table["n1"] == smallest)
    more = log_axis(table["value"], y_title)
    colour = alt.condition("datum.smallest", alt.value(MARK), alt.value(RAMP[0]))
    base = alt.Chart(data).encode(x=alt.X("n1:O", title="N1, hidden units"), color=colour)
    dots = base.mark_circle(size=22, fillOpacity=0.6, opacity=1).encode(
        y=alt.Y("value:Q", **more),
        xOffset=alt.XOffset("jitter:Q", scale=alt.Scale(domain=[-0.6, 1.6])),
        tooltip=["n1:O", "seed:O", "member:Q", "value:Q"],
    )
    once = base.transform_aggregate(
        low="min(low)", high="max(high)", value="min(median)", groupby=["n1", "smallest"]
    )
    bar = once.mark_rule(strokeWidth=3).encode(y=alt.Y("low:Q", **more), y2="high:Q")
    tick = once.mark_tick(thickness=3, size=14).encode(y=alt.Y("value:Q", **more))
    return alt.layer(dots, bar, tick).properties(width=wide(table["n1"], most), height=HEIGHT)


def loss_by_n1_table(result):
    """Best monitored loss of the members of each N1: n1, member, seed, value and the quartiles
    low, median, high of all `count` finite ones."""
    return spread(result.members, answer.monitored(result.members))


@figure("best loss against N1, with the spread over the seeds", loss_by_n1_table, several_n1)
def loss_by_n1(table, result):
    """Best loss against N1: dots are members, bars quartiles; the smallest sufficient N1 in red."""
    smallest = answer.smallest_n1(result.by_n1(), result.options)
    chart = spread_chart(table, "best loss", smallest)
    has_val = np.isfinite(result.members["val_loss"]).any()
    under = (
        f"dots: members ({'validation' if has_val else 'training'} loss), bar: quartiles, "
        "tick: median" + ("; red: the smallest N1 that suffices" if smallest else "")
    )
    return alt.layer(chart, *target_rules(result)).properties(
        title=text_title(finding(result), under)
    )


def success_table(result):
    """The answer by N1: n1, members, reached, rate and its 95 % interval low to high."""
    rows = result.by_n1()
    names = {"rate": "success_rate", "low": "success_low", "high": "success_high"}
    table = {name: np.array([row[name] for row in rows]) for name in ("n1", "members", "reached")}
    return table | {
        name: np.array([row[source] for row in rows], float) for name, source in names.items()
    }


def rates_known(result):
    """The need of success rates."""
    if not np.isfinite(result.members["target_loss"]).any():
        return "no target loss was set (--target-loss)"
    if result.options["stop"] == "first" or result.by_n1()[0]["success_rate"] is None:
        return "not every member ran to its own stop (--stop all)"
    return None


@figure("share of seeds that reach the target against N1", success_table, rates_known)
def success_by_n1(table, result):
    """Success rate against N1 with its 95 % Clopper-Pearson interval."""
    asked = result.options["success_rate"]
    smallest = answer.smallest_n1(result.by_n1(), result.options)
    data = frame(table, smallest=table["n1"] == smallest)
    colour = alt.condition("datum.smallest", alt.value(MARK), alt.value(RAMP[0]))
    y = {"title": "seeds that reach the target", "scale": alt.Scale(domain=[0, 1])}
    y["axis"] = alt.Axis(format="%", tickCount=5)
    base = alt.Chart(data).encode(x=alt.X("n1:O", title="N1, hidden units"), color=colour)
    bars = base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(
        y=alt.Y("rate:Q", **y), tooltip=["n1", "reached", "members", "rate", "low", "high"]
    )
    rule = alt.Chart(frame({"asked": [asked]})).mark_rule(style="target").encode(y="asked:Q")
    under = f"bars: 95 % interval (Clopper-Pearson); dashed: the {100 * asked:g} % asked for"
    return alt.layer(bars, dots, rule).properties(
        width=wide(table["n1"]), height=HEIGHT, title=text_title(finding(result), under)
    )


def reached(result):
    """The need of members that reached the target."""
    some = (result.members["stop_reason"] == "target").any()
    return None if some else "no member reached a target loss"


def cost_table(result):
    """Epochs and seconds to the target of those that reached it: n1, member, measure ("epochs",
    "seconds"), value and the quartiles low, median, high."""
    members = result.members
    done = members["stop_reason"] == "target"
    parts = []
    for measure in ("epochs", "seconds"):
        part = spread(members, np.where(done, members[measure], np.nan))
        parts.append({"measure": np.full(len(part["n1"]), measure), **part})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@figure("epochs and seconds to the target against N1", cost_table, reached)
def cost_by_n1(table, result):
    """What reaching the target costs for each N1: epochs, and seconds of one thread."""
    charts = []
    for measure, title in (
        ("epochs", "epochs to the target"),
        ("seconds", "seconds to the target"),
    ):
        some = {n: c[table["measure"] == measure] for n, c in table.items() if n != "measure"}
        charts.append(spread_chart(some, title, most=WIDTH // 2 - 30))
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


@figure("why members stopped, for each N1", stop_table)
def stop_reasons(table, result):
    """Stop reasons of the members of each N1."""
    there = [name for name in COLOURS if name in set(table["reason"])]
    there += sorted(set(table["reason"]) - set(there))
    colours = [COLOURS.get(name, OTHER) for name in there]
    totals = {name: int(table["count"][table["reason"] == name].sum()) for name in there}
    most = max(totals, key=totals.get)
    count = len(result.members)
    title = f"{totals[most]:,} of {count:,} member{'s' * (count > 1)} {STOPS[str(most)].did}"
    bars = (
        alt.Chart(frame(table))
        .mark_bar()
        .encode(
            x=alt.X("n1:O", title="N1, hidden units"),
            y=alt.Y("count:Q", title="members", axis=alt.Axis(format="~s", tickMinStep=1)),
            color=alt.Color(
                "reason:N", title="stopped by", scale=alt.Scale(domain=there, range=colours)
            ),
            tooltip=["n1", "reason", "count"],
        )
    )
    return bars.properties(width=wide(table["n1"]), height=HEIGHT, title=text_title(title))


# ---------------------------------------------------------------- all axes at once


def axes(members):
    """The settings of which the members have more than one value."""
    return [n for n in SETTING_COLUMNS if (members[n] != members[n][0]).any()]


def several_axes(result):
    """The need of members that differ."""
    return None if len(axes(result.members)) > 0 else "all members have the same settings"


def label(name):
    """A setting's name on an axis."""
    return "N1" if name == "n1" else str(name).replace("_", " ")


def as_text(name, value):
    value = shown(name, value)
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def place(name, values, few=12):
    """Where values stand on an axis from 0 to 1, and some of its labels: positions and texts.

    Few values stand evenly, in order; many in logarithm where they are positive, else linearly.
    """
    unique = np.unique(values)
    if len(unique) <= few:
        position = np.searchsorted(unique, values) / max(len(unique) - 1, 1)
        ticks = np.arange(len(unique)) / max(len(unique) - 1, 1)
        return position, ticks, [as_text(name, value) for value in unique]
    unique = unique[np.isfinite(unique)]  # what is off stands at the top, like the largest
    numbers = np.log(unique) if unique[0] > 0 else unique.astype(float)
    ends = numbers[0], numbers[-1]
    position = (np.interp(values, unique, numbers) - ends[0]) / ((ends[1] - ends[0]) or 1)
    some = evenly(unique, 5)
    if name == "loss":
        some = np.exp(np.linspace(*ends, 5))
    ticks = (np.interp(some, unique, numbers) - ends[0]) / ((ends[1] - ends[0]) or 1)
    return position, ticks, [f"{value:.3g}" for value in some]


def parallel_columns(result):
    """Members to draw, and the axes: name, position of each of them, ticks and their texts."""
    members = result.members
    loss = answer.monitored(members)
    finite = np.flatnonzero(positive(loss))
    kept = evenly(finite[np.argsort(loss[finite], kind="stable")], LINES)[::-1]
    columns = [(name, *place(name, members[name])) for name in axes(members)]
    columns = [(label(name), position[kept], *rest) for name, position, *rest in columns]
    if len(kept):
        columns.append(("loss", *place("loss", loss[kept], few=0)))
    return kept, columns


def parallel_table(result):
    """A row a member and axis: member, axis, position (0 to 1), loss; at most 300 members,
    evenly taken from the best to the worst."""
    kept, columns = parallel_columns(result)
    loss = answer.monitored(result.members)[kept]
    return {
        "member": np.tile(kept, len(columns)),
        "axis": np.repeat([name for name, *_ in columns], len(kept)),
        "position": np.concatenate([position for _, position, *_ in columns]),
        "loss": np.tile(loss, len(columns)),
    }


@figure("all axes of the sweep and the loss: parallel coordinates", parallel_table, several_axes)
def parallel(table, result):
    """Parallel coordinates: a line a member over the axes that vary, coloured by its loss."""
    _, columns = parallel_columns(result)
    names = [name for name, *_ in columns]
    labels = frame(
        {
            "axis": np.repeat(names, [len(ticks) for *_, ticks, _ in columns]),
            "position": np.concatenate([ticks for *_, ticks, _ in columns]),
            "text": np.concatenate([texts for *_, texts in columns]),
        }
    )
    x = alt.X(
        "axis:N",
        sort=names,
        title=None,
        axis=alt.Axis(orient="top", domain=False, ticks=False, labelPadding=12),
    )
    y = alt.Y("position:Q", axis=None)
    colour = alt.Color(
        "loss:Q",
        title="loss",
        scale=alt.Scale(type="log", range=list(RAMP)),
        legend=alt.Legend(format="~g", values=log_ticks(table["loss"]), gradientOpacity=1),
    )
    # strokeOpacity: with opacity the drawing of 240 lines as PNG took 10 s instead of 0.5.
    drawn = alt.Chart(frame(table)).mark_line(strokeOpacity=0.5, strokeWidth=1.2)
    drawn = drawn.encode(x=x, y=y, color=colour, detail="member:N")
    rules = alt.Chart(frame({"axis": names})).mark_rule(style="soft").encode(x=x)
    texts = (
        alt.Chart(labels).mark_text(style="ink", align="left", dx=5).encode(x=x, y=y, text="text:N")
    )
    under = f"a line a member{f' ({LINES} of them)' if len(result.members) > LINES else ''}"
    return alt.layer(drawn, rules, texts).properties(
        width=max(WIDTH, 110 * len(names)), height=HEIGHT, title=text_title(finding(result), under)
    )


def chosen_axes(members, given):
    """Two axes of a heat map: as given, else N1 and the next that varies, seeds last."""
    there = axes(members)
    if given is None:
        return sorted(there, key=lambda name: name == "seed")[:2]
    wrong = [name for name in given if name not in there]
    if wrong or len(set(given)) != 2:
        raise UsageError(f"axes must be two of {', '.join(there)}, got {', '.join(given)}.")
    return list(given)


def two_axes(result):
    """The need of two axes."""
    there = axes(result.members)
    return None if len(there) > 1 else f"one axis only varies ({', '.join(there) or 'none'})"


def heat_table(result, axes=None):
    """A row a cell: the names of both axes, x and y (texts), loss (median), members, reached,
    and the order of x and y. `axes` names two settings."""
    members, loss = result.members, answer.monitored(result.members)
    names = chosen_axes(members, axes)
    values, codes = zip(*(np.unique(members[n], return_inverse=True) for n in names))
    keep = [evenly(np.arange(len(v)), 40) for v in values]
    cells = codes[0] * len(values[1]) + codes[1]
    order = np.argsort(cells, kind="stable")
    starts = np.flatnonzero(np.diff(cells[order], prepend=-1))
    rows = []
    for group in np.split(order, starts[1:]):
        i, j = codes[0][group[0]], codes[1][group[0]]
        if i in keep[0] and j in keep[1]:
            done = (members["stop_reason"][group] == "target").sum()
            median = answer.reduced(np.median, loss[group])
            texts = as_text(names[0], values[0][i]), as_text(names[1], values[1][j])
            median = np.nan if median is None else median
            rows.append((*names, *texts, median, len(group), done, i, j))
    columns = ("x_axis", "y_axis", "x", "y", "loss", "members", "reached", "x_order", "y_order")
    return {name: np.array(column) for name, column in zip(columns, zip(*rows))}


@figure("median loss over two axes of the sweep: heat map", heat_table, two_axes)
def heat_map(table, result):
    """Median loss over two axes; the figures are the members that reached the target."""
    names = [label(table[f"{n}_axis"][0]) for n in "xy"]
    orders = {n: list(dict.fromkeys(table[n][np.argsort(table[f"{n}_order"])])) for n in "xy"}
    has_target = (table["reached"] > 0).any()
    texts = [f"{r}/{m}" for r, m in zip(table["reached"], table["members"])]
    data = frame(table, text=texts)
    base = alt.Chart(data).encode(
        x=alt.X("x:N", title=names[0], sort=orders["x"]),
        y=alt.Y("y:N", title=names[1], sort=orders["y"][::-1]),
        tooltip=["x", "y", "loss", "members", "reached"],
    )
    colour = alt.Color(
        "loss:Q",
        title="median loss",
        scale=alt.Scale(type="log", scheme="viridis", reverse=True),
        legend=alt.Legend(format="~g", values=log_ticks(table["loss"])),
    )
    layers = [base.mark_rect().encode(color=colour)]
    few = len(orders["x"]) <= 14 and len(orders["y"]) <= 20 and (table["members"] > 1).any()
    if has_target and few:
        middle = float(np.sqrt(np.nanmin(table["loss"]) * np.nanmax(table["loss"])))
        shade = alt.condition(f"datum.loss > {middle}", alt.value("white"), alt.value("black"))
        layers.append(base.mark_text().encode(text="text:N", color=shade))
    best = int(np.nanargmin(table["loss"])) if np.isfinite(table["loss"]).any() else 0
    title = (
        f"Lowest median loss {table['loss'][best]:.3g}: {names[0]} {table['x'][best]}, "
        f"{names[1]} {table['y'][best]}"
    )
    under = "figures: members that reached the target, of all" if has_target and few else ""
    return alt.layer(*layers).properties(
        width=min(WIDTH, 60 + 44 * len(orders["x"])),
        height=min(600, max(120, 26 * len(orders["y"]))),
        title=text_title(title, under),
    )
