"""Figures of the settings of a sweep: each of them by itself, and two of them."""

import numpy as np

from fastnet.errors import UsageError
from fastnet.figures import base, style
from fastnet.figures.apart import axis_name, effect, level_texts
from fastnet.figures.sets import value
from fastnet.figures.style import LOSS_RAMP, PLAIN, alt, chart_data, log_axis, text_title
from fastnet.figures.sweep import no_finite_loss
from fastnet.figures.units import drawn_targets, target_rules, target_text, unit_of
from fastnet.options.targets import has_target
from fastnet.results import variance
from fastnet.training import grouping

MOST_LEVELS = 20  # values of a setting in a panel, evenly chosen
LITTLE = 0.05  # a setting that explains less of the variance of the losses hardly matters
MOST_CELLS = 40  # values of an axis of the heat map


def axes_of(result):
    """N1 and the settings that were given several values; never the seed."""
    return variance.axes_of(result.members, result.options)


def losses_of(result):
    """The monitored losses in the unit of the run; NaN where there is none."""
    losses = grouping.monitored(result.members)
    return np.where(np.isfinite(losses), unit_of(result).of(losses), np.nan)


def median(values):
    """The median of the finite values; NaN if there are none."""
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else np.nan


# ---------------------------------------------------------------- each setting by itself


def no_axis(result):
    """Obstacle: the members differ in nothing but N1 and seeds, which loss-by-n1 shows."""
    more = set(axes_of(result)) - {"n1"}
    return None if more else "all members have the same settings but N1 and seed"


def settings_table(result):
    """Losses along each setting: axis, share (of the variance of the losses that it explains),
    level (text), place (its order), median (of the level), member, value; dots are thinned."""
    members, losses = result.members, losses_of(result)
    axes, parts = axes_of(result), []
    for axis in axes:
        share = effect(members, [axis])
        levels, codes = np.unique(members[axis], return_inverse=True)
        texts = level_texts(axis, levels)
        room = max(base.POINTS // (len(axes) * min(len(levels), MOST_LEVELS)), 5)
        for place in base.evenly(np.arange(len(levels)), MOST_LEVELS):
            mine = np.flatnonzero((codes == place) & style.positive(losses))
            if len(mine):
                kept = base.evenly(mine[np.argsort(losses[mine], kind="stable")], room)
                facts = axis_name(axis), share, texts[place], place, median(losses[mine])
                parts.append((*facts, kept, losses[kept]))
    names = ("axis", "share", "level", "place", "median", "member", "value")
    return base.stacked(names, parts)


@base.figure(
    "loss along each setting of the sweep, a panel each",
    settings_table,
    base.first_obstacle(no_axis, no_finite_loss),
)
def settings(table, result):
    """Losses along each setting: a panel for each, the one that matters most first."""
    names = list(dict.fromkeys(table["axis"][np.argsort(-table["share"], kind="stable")]))
    title = unit_of(result).words
    y = log_axis([*table["value"], *drawn_targets(result)], title)
    panels = [strip(base.where(table, table["axis"] == name), y, result) for name in names]
    chart = panels[0] if len(panels) == 1 else alt.concat(*panels, columns=3, spacing=16)
    drawn, count = len(set(table["member"])), len(result.members)
    dots = "dots: members" if drawn == count else f"dots: {drawn:,} of {count:,} members"
    under = [little_text(table, names), f"{dots}, tick: median", target_text(result)]
    return chart.properties(title=text_title(settings_title(table, names, result), *under))


def strip(table, y, result):
    """The panel of one setting."""
    order = list(dict.fromkeys(table["level"][np.argsort(table["place"], kind="stable")]))
    golden = (np.arange(len(table["level"])) * 0.618) % 1
    rows = alt.Chart(chart_data(table, spread=golden))
    wide = len(order) * max(26, 7 * max(map(len, order)) + 8)
    angle = -60 if wide > 300 else 0
    axis = alt.Axis(labelAngle=angle, labelOverlap=False)
    rows = rows.encode(x=alt.X("level:N", sort=order, title=table["axis"][0], axis=axis))
    dots = rows.mark_circle(size=18, fillOpacity=0.5, opacity=1, color=PLAIN).encode(
        y=alt.Y("value:Q", **y),
        xOffset=alt.XOffset("spread:Q", scale=alt.Scale(domain=[-0.6, 1.6])),
        tooltip=["level:N", "member:Q", "value:Q"],
    )
    once = rows.transform_aggregate(value="min(median)", groupby=["level"])
    tick = once.mark_tick(style="ink", thickness=3, size=18).encode(y=alt.Y("value:Q", **y))
    width = int(np.clip(wide, 120, 300))
    return alt.layer(dots, tick, *target_rules(result)).properties(width=width, height=220)


def settings_title(table, names, result):
    """Which setting matters most and how much; which hardly matter."""
    share = {name: table["share"][table["axis"] == name][0] for name in names}
    mine = base.where(table, table["axis"] == names[0])
    best, worst = mine["median"].argmin(), mine["median"].argmax()
    if share[names[0]] < LITTLE or mine["median"][best] == mine["median"][worst]:
        return f"No setting matters much for the {unit_of(result).words}"
    ends = [f"{value(mine['median'][i])} with {mine['level'][i]}" for i in (best, worst)]
    return f"{names[0]} matters most: median {unit_of(result).words} {ends[0]}, {ends[1]}"


def little_text(table, names):
    """Which settings hardly matter; "" if all do."""
    share = {name: table["share"][table["axis"] == name][0] for name in names}
    little = [name for name in names[1:] if share[name] < LITTLE]
    return f"{' and '.join(little)} hardly matter{'s' * (len(little) == 1)}" if little else ""


# ---------------------------------------------------------------- two settings


def chosen_axes(result, given):
    """Two axes of a heat map: as given, else the two that matter most."""
    if given is None:
        ranked = sorted(axes_of(result), key=lambda axis: -effect(result.members, [axis]))
        return [axis for axis in axes_of(result) if axis in ranked[:2]]
    axes = grouping.varying(result.members)
    wrong = [name for name in given if name not in axes]
    if wrong or len(set(given)) != 2:
        raise UsageError(f"axes must be two of {', '.join(axes)}, got {', '.join(given)}.")
    return list(given)


def not_two_axes(result):
    """Obstacle: fewer than two settings besides the seed vary."""
    names = [axis_name(axis) for axis in axes_of(result)]
    only = f"only {names[0]} varies" if names else "nothing varies"
    return None if len(names) > 1 else f"{only} besides the seed"


HEAT_COLUMNS = (
    *("x_axis", "y_axis", "x", "y", "loss", "members", "reached"),
    *("x_order", "y_order"),
)


def heat_table(result, axes=None):
    """One row per cell: the names of both axes, x and y (texts), loss (the median, in the unit of
    the run), members, reached, and the order of x and y. `axes` names two settings."""
    members, losses = result.members, losses_of(result)
    names = chosen_axes(result, axes)
    (x_values, x_codes), (y_values, y_codes) = (
        np.unique(members[name], return_inverse=True) for name in names
    )
    x_kept, y_kept = (base.evenly(np.arange(len(v)), MOST_CELLS) for v in (x_values, y_values))
    x_texts, y_texts = level_texts(names[0], x_values), level_texts(names[1], y_values)
    reached = members["stop_reason"] == "target"
    rows = []
    for cell in groups(x_codes * len(y_values) + y_codes):
        i, j = x_codes[cell[0]], y_codes[cell[0]]
        if i in x_kept and j in y_kept:
            counts = len(cell), reached[cell].sum()
            rows.append((*names, x_texts[i], y_texts[j], median(losses[cell]), *counts, i, j))
    return {name: np.array(column) for name, column in zip(HEAT_COLUMNS, zip(*rows))}


def groups(codes):
    """The places of each code, in the order of the codes."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    return np.split(order, starts[1:])


@base.figure(
    "median loss over the two settings that matter most: heat map",
    heat_table,
    base.first_obstacle(not_two_axes, no_finite_loss),
)
def heat_map(table, result):
    """Median loss over two settings, with its value and the members that reached the target."""
    orders = [list(dict.fromkeys(table[n][np.argsort(table[f"{n}_order"])])) for n in "xy"]
    titles = [axis_name(table[f"{name}_axis"][0]) for name in "xy"]
    fills, inks = heat_colours(table["loss"])
    has_room = len(orders[0]) <= 12 and len(orders[1]) <= 20
    texts = [value(loss) if np.isfinite(loss) else "none" for loss in table["loss"]]
    has_target_of = has_target(result.options)
    shares = [f"{r}/{m}" for r, m in zip(table["reached"], table["members"])]
    cells = alt.Chart(chart_data(table, fill=fills, ink=inks, text=texts, reach=shares)).encode(
        x=alt.X("x:N", title=titles[0], sort=orders[0], axis=heat_axis(orders[0])),
        y=alt.Y("y:N", title=titles[1], sort=orders[1][::-1], axis=heat_axis(orders[1])),
        tooltip=["x", "y", "loss", "members", "reached"],
    )
    layers = [cells.mark_rect().encode(color=alt.Color("fill:N", scale=None))]
    if has_room:
        up = -7 if has_target_of else 0
        ink = alt.Color("ink:N", scale=None)
        layers.append(cells.mark_text(dy=up, fontSize=12).encode(text="text:N", color=ink))
    if has_room and has_target_of:
        layers.append(cells.mark_text(dy=9, fontSize=10).encode(text="reach:N", color=ink))
    under = f"median {unit_of(result).words} of a cell; darker is worse"
    under += "; below it the members that reached the target" * (has_room and has_target_of)
    size = heat_size(orders, has_room)
    title = text_title(heat_title(table, titles, result), under)
    return alt.layer(*layers).properties(**size, title=title)


def heat_axis(order):
    """An axis of the heat map; many or long values stand upright."""
    return alt.Axis(labelOverlap=len(order) > 20)


def heat_size(orders, has_room):
    """Pixels of the heat map."""
    cell = (64, 34) if has_room else (14, 12)
    width, height = (len(order) * side for order, side in zip(orders, cell))
    return {"width": int(np.clip(width, 160, 720)), "height": int(np.clip(height, 130, 640))}


def heat_colours(losses):
    """Colours of cells, from pale for the lowest loss to dark for the highest, and of texts."""
    logs = np.log(np.where(style.positive(losses), losses, np.nan))
    low, high = np.nanmin(logs), np.nanmax(logs)
    shares = (logs - low) / ((high - low) or 1.0)
    ramp = style.ramp(101, LOSS_RAMP)
    places = [None if np.isnan(share) else round(100 * share) for share in shares]
    fills = ["#8a8f98" if place is None else ramp[place] for place in places]
    return fills, ["#ffffff" if place is None or place > 55 else "#1f2430" for place in places]


def heat_title(table, titles, result):
    """The cell of the lowest median."""
    best = int(np.nanargmin(table["loss"]))
    loss, x, y = (table[name][best] for name in ("loss", "x", "y"))
    unit = unit_of(result).words
    return f"Lowest median {unit}, {value(loss)}, with {titles[0]} {x} and {titles[1]} {y}"
