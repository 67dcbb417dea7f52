"""Figures of a sweep against N1: the loss, the success, the cost."""

import numpy as np

from fastnet.figures import base, style
from fastnet.figures.apart import apart
from fastnet.figures.findings import finding
from fastnet.figures.sets import value
from fastnet.figures.style import HEIGHT, MARK, PLAIN, WIDTH, alt, chart_data, log_axis, text_title
from fastnet.figures.units import drawn_targets, target_rules, target_text, unit_of
from fastnet.options.targets import has_target
from fastnet.results import answer
from fastnet.results.words import counted
from fastnet.training import grouping


def only_one_n1(result):
    """Obstacle: all members have the same N1."""
    widths = np.unique(result.members["n1"])
    return None if len(widths) > 1 else f"the run has only one N1 ({widths[0]})"


def chart_width(columns, most=WIDTH):
    """Pixels for a chart with so many columns."""
    return int(np.clip(80 * columns, 320, most))


def n1_axis():
    """The horizontal axis of all N1."""
    return alt.X("n1:O", title="N1, hidden units")


def smallest_row(result):
    """The row by N1 of the smallest N1 that suffices, or None."""
    rows = result.by_n1()
    smallest = answer.smallest_n1(rows, result.options)
    return next((row for row in rows if row["n1"] == smallest), None)


def smallest_members(result, groups):
    """Which members are of the smallest N1 that suffices, and of its group of settings."""
    row = smallest_row(result)
    if row is None:
        return np.zeros(len(result.members), bool)
    return groups.is_of(result.members, row["n1"], row["setting"])


# ---------------------------------------------------------------- dots and quartiles

QUARTILE_COLUMNS = (
    *("n1", "setting", "place", "smallest", "member", "seed", "value"),
    *("low", "median", "high", "count"),
)


def quartiles_by_n1(result, groups, values):
    """Dots (thinned) of the values of each N1 and group, with the quartiles of all of them."""
    members, smallest = result.members, smallest_members(result, groups)
    widths, count = np.unique(members["n1"]), len(groups.order)
    room = max(base.POINTS // (len(widths) * count), 5)
    parts = []
    for n1 in widths:
        for place, label in enumerate(groups.order):
            mine = (members["n1"] == n1) & (groups.labels == label) & np.isfinite(values)
            finite = np.flatnonzero(mine)
            if not len(finite):
                continue
            kept = base.evenly(finite[np.argsort(values[finite], kind="stable")], room)
            quartiles = np.percentile(values[finite], (25, 50, 75))
            facts = n1, label, (place + 0.5) / count, smallest[finite[0]]
            numbers = kept, members["seed"][kept], values[kept], *quartiles, len(finite)
            parts.append((*facts, *numbers))
    return base.stacked(QUARTILE_COLUMNS, parts)


def quartile_chart(table, groups, y_title, most=WIDTH, also=()):
    """Dots, median and quartiles of each N1 and group on a logarithmic axis."""
    table = base.where(table, style.positive(table["value"]))
    count = len(groups.order)
    golden = (np.arange(len(table["n1"])) * 0.618) % 1  # it spreads the dots evenly
    spread = table["place"] + (golden - 0.5) * (0.55 if count == 1 else 0.8) / count
    y = log_axis([*table["value"], *also], y_title)
    rows = alt.Chart(chart_data(table, spread=spread)).encode(
        x=n1_axis(), color=group_colour(groups)
    )
    offset = alt.Scale(domain=[0, 1])
    dots = rows.mark_circle(size=22, fillOpacity=0.55, opacity=1).encode(
        y=alt.Y("value:Q", **y),
        xOffset=alt.XOffset("spread:Q", scale=offset),
        tooltip=["n1:O", "setting:N", "seed:O", "member:Q", "value:Q"],
    )
    once = rows.transform_aggregate(
        low="min(low)",
        high="max(high)",
        value="min(median)",
        groupby=["n1", "setting", "place", "smallest"],
    ).encode(xOffset=alt.XOffset("place:Q", scale=offset))
    bar = once.mark_rule(strokeWidth=3).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    tick = once.mark_tick(thickness=3, size=14).encode(y=alt.Y("value:Q", **y))
    width = chart_width(len(set(table["n1"])) * (1 + count) / 2, most)
    return alt.layer(dots, bar, tick).properties(width=width, height=HEIGHT)


def group_colour(groups):
    """Red for the smallest N1 that suffices; else a colour for each group, or the plain one."""
    other = alt.value(PLAIN)
    if len(groups.order) > 1:
        colours = style.class_colours(len(groups.order))
        scale = alt.Scale(domain=groups.order, range=colours)
        other = alt.Color("setting:N", title=None, scale=scale)
    return alt.condition("datum.smallest", alt.value(MARK), other)


def dots_text(table, count):
    """What the marks of quartile_chart are."""
    drawn = len(table["n1"])
    dots = "dots: members" if drawn >= count else f"dots: {drawn:,} of {count:,} members"
    red = "; red: the smallest N1 that suffices" if table["smallest"].any() else ""
    return f"{dots}, bar: quartiles, tick: median{red}"


# ---------------------------------------------------------------- loss


def loss_by_n1_table(result):
    """Best monitored loss of the members of each N1, in the unit of the run: n1, setting, member,
    seed, value and the quartiles low, median, high of all `count` finite ones."""
    losses = unit_of(result).of(grouping.monitored(result.members))
    return quartiles_by_n1(result, apart(result), losses)


def no_finite_loss(result):
    """Obstacle: no member has a finite loss."""
    has_one = style.positive(grouping.monitored(result.members)).any()
    return None if has_one else "no member has a finite loss above 0"


@base.figure(
    "best loss against N1, with the spread over the seeds",
    loss_by_n1_table,
    base.first_obstacle(only_one_n1, no_finite_loss),
)
def loss_by_n1(table, result):
    """Best loss against N1: dots are members, bars quartiles; the smallest sufficient N1 in red."""
    groups, unit = apart(result), unit_of(result)
    chart = quartile_chart(table, groups, unit.words, also=drawn_targets(result))
    finite = np.isfinite(grouping.monitored(result.members)).sum()
    under = [dots_text(table, finite), target_text(result), groups.text()]
    title = text_title(finding(result), *under)
    return alt.layer(chart, *target_rules(result)).properties(title=title)


# ---------------------------------------------------------------- success


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
    asked, row = result.options["success_rate"], smallest_row(result)
    data = chart_data(table, smallest=table["n1"] == (row["n1"] if row else -1))
    percent = alt.Axis(format="%", values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    y = {"title": "seeds that reach the target", "scale": alt.Scale(domain=[0, 1])}
    y["axis"] = percent
    colour = alt.condition("datum.smallest", alt.value(MARK), alt.value(PLAIN))
    rows = alt.Chart(data).encode(x=n1_axis(), color=colour)
    bars = rows.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    dots = rows.mark_point(filled=True, size=60, opacity=1).encode(
        y=alt.Y("rate:Q", **y), tooltip=["n1", "reached", "members", "rate", "low", "high"]
    )
    rule = alt.Chart(chart_data({"asked": [asked]})).mark_rule(style="target").encode(y="asked:Q")
    sure = f"{100 * (result.options.get('confidence') or 0.95):g} %"
    under = f"bars: {sure} bounds; dashed: the {100 * asked:g} % asked for"
    best = "each N1 with its best setting" if apart(result).names else ""
    title = text_title(success_title(table, row, sure), under, best)
    chart = alt.layer(bars, dots, rule).properties(title=title)
    return chart.properties(width=chart_width(len(table["n1"])), height=HEIGHT)


def success_title(table, row, sure):
    """How sure the smallest N1 is, or the highest rate."""
    if row is not None:
        low, high = (f"{100 * row[name]:.0f}" for name in ("success_low", "success_high"))
        rate = f"{row['reached']} of {row['members']} seeds"
        interval = f"{sure} bounds: {low} to {high} %"
        return f"{rate} of N1 = {row['n1']} reach the target ({interval})"
    most = int(table["rate"].argmax())
    if not table["reached"][most]:
        return "No seed of any N1 reaches the target"
    n1, reached, members = (table[name][most] for name in ("n1", "reached", "members"))
    return f"At most {reached} of {members} seeds reach the target, those of N1 = {n1}"


# ---------------------------------------------------------------- cost


def none_reached(result):
    """Obstacle: no member reached the target."""
    has_reached = (result.members["stop_reason"] == "target").any()
    return None if has_reached else "no member reached a target loss"


def cost_table(result):
    """Epochs and milliseconds to the target of those that reached it: measure ("epochs", "ms"),
    n1, setting, member, value and the quartiles low, median, high.

    Milliseconds are a member's epochs times the median time of an epoch of its N1 and setting: one
    member's own clock also counts the turns of its thread.
    """
    groups, members = apart(result), result.members
    has_reached = members["stop_reason"] == "target"
    epochs = np.where(has_reached, members["epochs"], np.nan)
    parts = []
    for measure, values in (("epochs", epochs), ("ms", epochs * epoch_times(members, groups))):
        part = quartiles_by_n1(result, groups, values)
        parts.append({"measure": np.full(len(part["n1"]), measure), **part})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def epoch_times(members, groups):
    """For each member the median milliseconds of an epoch, over its N1 and group."""
    each = 1000 * members["seconds"] / np.maximum(members["epochs"], 1)
    times = np.empty(len(members))
    for n1 in np.unique(members["n1"]):
        for label in groups.order:
            mine = (members["n1"] == n1) & (groups.labels == label)
            if mine.any():
                times[mine] = np.median(each[mine])
    return times


@base.figure("epochs and time to the target against N1", cost_table, none_reached)
def cost_by_n1(table, result):
    """What reaching the target costs for each N1: epochs, and milliseconds of one thread."""
    groups, charts = apart(result), []
    for measure, title in (("epochs", "epochs to the target"), ("ms", "ms to the target")):
        rows = base.where(table, table["measure"] == measure)
        charts.append(quartile_chart(rows, groups, title, most=WIDTH // 2))
    reached = (result.members["stop_reason"] == "target").sum()
    under = f"{counted(int(reached), 'member')} that reached it; bar: quartiles, tick: median"
    time = "ms: epochs times the median time of an epoch on one thread"
    title = text_title(cost_title(table, groups), under, time, groups.text())
    return alt.hconcat(*charts).properties(title=title)


def cost_title(table, groups):
    """The cost of the smallest N1 that suffices, else of the cheapest."""
    epochs, ms = (base.where(table, table["measure"] == name) for name in ("epochs", "ms"))
    some = np.flatnonzero(ms["smallest"])
    place = some[0] if len(some) else int(ms["median"].argmin())
    who = f"N1 = {ms['n1'][place]}"
    who += f" ({ms['setting'][place]})" if groups.names else ""
    cost = f"{value(epochs['median'][place])} epochs, {value(ms['median'][place])} ms at the median"
    return f"{who} takes {cost}" if len(some) else f"{who} reaches the target soonest: {cost}"
