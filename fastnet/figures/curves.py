"""Figures over the epochs: losses, learning rates, gradients."""

import numpy as np

from fastnet.figures import base, style
from fastnet.figures.apart import apart
from fastnet.figures.base import MANY, POINTS
from fastnet.figures.style import HEIGHT, WIDTH, alt, chart_data, log_axis, n1_colour, text_title
from fastnet.figures.sweep import smallest_row
from fastnet.figures.units import drawn_targets, target_rules, target_text, unit_of
from fastnet.results.words import counted, number
from fastnet.training import grouping
from fastnet.training.history import is_brief

QUARTILES = (25, 50, 75)
MOST_N1 = 6  # at most this many N1 have curves of their own: more colours are not told apart
COLUMNS = ("member", "n1", "setting", "series", "epoch", "value", "low", "high", "best")


# ---------------------------------------------------------------- tables


def history_column(result, column):
    """A column of the history or of the recorded values, of all members.

    NaN stands for the learning rate of methods that have none, such as lm.
    """
    values = result.entries.get(column)
    if column == "learning_rate":
        return np.where(values > 0, values, np.nan)
    return result.recorded["record"][column] if values is None else values


def epoch_grid(last, most):
    """About `most` epochs at most from 0 to `last`, evenly spaced in logarithm."""
    return np.unique(np.round(np.geomspace(1, last + 1, most) - 1).astype(np.int64))


def drawn_n1(result):
    """The N1 that have curves: at most MOST_N1, evenly chosen, with the smallest that suffices."""
    widths, row = np.unique(result.members["n1"]), smallest_row(result)
    drawn = base.evenly(widths, MOST_N1)
    if row is not None and row["n1"] not in drawn:
        drawn[1 + np.abs(drawn[1:-1] - row["n1"]).argmin()] = row["n1"]
    return drawn


def member_curves(result, columns):
    """One row per kept epoch of every member, about POINTS in all; the best epoch is kept."""
    members = np.flatnonzero(np.isin(result.members["n1"], drawn_n1(result)))
    room = max(POINTS // (len(members) * len(columns)), 20)
    labels = apart(result).labels
    parts = [
        member_curve(result, column, m, labels[m], room) for column in columns for m in members
    ]
    return base.stacked(COLUMNS, parts)


def member_curve(result, column, member, label, room):
    """One member's part of the table of member_curves."""
    record = result.members[member]
    first, last = result.entries["offsets"][member : member + 2]
    epoch = result.entries["epoch"][first:last]
    value = history_column(result, column)[first:last]
    is_best = epoch == record["best_epoch"]
    grid = epoch_grid(epoch[-1] if len(epoch) else 0, room)
    kept = np.union1d(np.searchsorted(epoch, grid), np.flatnonzero(is_best))
    kept = kept[kept < len(epoch)]
    kept = kept[np.isfinite(value[kept])]
    values = (value[kept],) * 3
    return member, record["n1"], label, column, epoch[kept], *values, is_best[kept]


def n1_bands(result, columns):
    """For each N1 and group the quartiles over its members, at epochs evenly spaced in
    logarithm."""
    widths, groups = drawn_n1(result), apart(result)
    most = max(POINTS // (len(widths) * len(groups.order) * len(columns)), 20)
    grid = epoch_grid(int(result.entries["epoch"].max(initial=0)), min(most, 80))
    parts = []
    for column in columns:
        values = at_epochs(result, column, grid)
        values[~np.isfinite(values)] = np.nan
        for label in groups.order:
            for n1 in widths:
                mine = values[(result.members["n1"] == n1) & (groups.labels == label)]
                there = np.isfinite(mine).any(axis=0)
                if there.any():
                    low, median, high = np.nanpercentile(mine[:, there], QUARTILES, axis=0)
                    parts.append((-1, n1, label, column, grid[there], median, low, high, False))
    return base.stacked(COLUMNS, parts)


def at_epochs(result, column, grid):
    """(members, epochs): each member's last entry at or before each epoch of the grid.

    A member that has stopped keeps its last value: otherwise a median over the members would
    finally follow only the slowest ones.
    """
    values = history_column(result, column)
    offsets, epoch = result.entries["offsets"], result.entries["epoch"]
    # Members one after another on one axis of epochs, so that one search finds all.
    span = int(max(epoch.max(initial=0), grid[-1])) + 1
    members = np.arange(len(offsets) - 1)
    places = np.repeat(members, np.diff(offsets)) * span + epoch
    found = np.searchsorted(places, members[:, None] * span + grid, side="right") - 1
    table = values[np.minimum(found, len(values) - 1)].astype(float)
    table[np.diff(offsets) == 0] = np.nan
    return table


def curves(result, columns):
    """Curves of few members, quartile bands of many."""
    return (member_curves if len(result.members) < MANY else n1_bands)(result, columns)


# ---------------------------------------------------------------- charts


def on_log_axes(table, *names):
    """The rows that logarithmic axes can show."""
    mask = np.ones(len(table["epoch"]), bool)
    for name in names:
        mask &= style.positive(table[name])
    return base.where(table, mask)


def curve_chart(table, result, y_title, height=HEIGHT, **choices):
    """Curves or bands over epochs on a logarithmic axis, a panel per group of settings.

    Choices: is_log (of y), dash (by series), band_of (the series with bands), also (values that y
    has room for), rules (layers of every panel).
    """
    is_log = choices.get("is_log", True)
    table = on_log_axes(table, "epoch", *(("value", "low", "high") if is_log else ()))
    y = style.linear_axis(0, table["high"].max(initial=0) or 1, y_title)
    if is_log:
        both = [table["low"], table["high"], choices.get("also", ())]
        y = log_axis(np.concatenate(both), y_title)
    labels = [label for label in apart(result).order if label in set(table["setting"])]
    panels = []
    for label in labels:
        rows = base.where(table, table["setting"] == label)
        layers = curve_layers(rows, result, y, log_axis(table["epoch"], "epoch"), choices)
        size = {"width": WIDTH, "height": height}
        if len(labels) > 1:
            size = {"width": 250, "height": height - 80}
            size["title"] = alt.TitleParams(label, fontSize=12, fontWeight="normal")
        panels.append(alt.layer(*layers, *choices.get("rules", ())).properties(**size))
    return panels[0] if len(panels) == 1 else alt.concat(*panels, columns=2, spacing=14)


def curve_layers(table, result, y, x, choices):
    """The bands, lines and best epochs of one panel."""
    row = smallest_row(result)
    colour = n1_colour({"n1": drawn_n1(result)}, row and row["n1"])
    rows = alt.Chart(chart_data(table)).encode(
        x=alt.X("epoch:Q", **x),
        color=colour,
        tooltip=["n1:O", "series:N", "epoch:Q", "value:Q"],
    )
    layers = [curve_lines(rows, table, y, choices.get("dash"))]
    if has_bands(table):
        layers.insert(0, curve_bands(rows, y, choices.get("band_of")))
    best = on_log_axes(base.where(table, table["best"].astype(bool)), "epoch", "value")
    if choices.get("band_of") and len(best["epoch"]):
        of_best = base.where(best, best["series"] == choices["band_of"])
        points = alt.Chart(chart_data(of_best)).mark_point(filled=True, size=36, opacity=1)
        layers.append(points.encode(x="epoch:Q", y="value:Q", color=colour))
    return layers


def has_bands(table):
    """Whether the rows are of N1, not of members."""
    return (table["member"] < 0).any()


def curve_lines(rows, table, y, dash):
    """A line per member or N1; thin and pale if there are many."""
    is_few = has_bands(table) or len(set(table["member"])) < 6
    channels = {"y": alt.Y("value:Q", **y), "detail": "member:N"}
    if dash is not None:
        channels["strokeDash"] = dash
    lines = rows.mark_line(
        interpolate="step-after" if not dash and not has_bands(table) else "linear",
        strokeWidth=1.8 if is_few else 1,
        strokeOpacity=1 if is_few else 0.6,
    )
    return lines.encode(**channels)


def curve_bands(rows, y, series):
    """A band from the first to the third quartile, of one series alone."""
    if series:
        rows = rows.transform_filter(f"datum.series == '{series}'")
    areas = rows.mark_area(fillOpacity=0.13, opacity=1)
    return areas.encode(y=alt.Y("low:Q", **y), y2="high:Q", detail="series:N")


def curve_text(result, few):
    """What the lines are, and which are left out."""
    widths = len(np.unique(result.members["n1"]))
    lines = few
    if len(result.members) >= MANY:
        lines = (
            "lines: medians; bands: quartiles; a member that has stopped counts with its last value"
        )
    some = f"{MOST_N1} of {widths} N1" if widths > MOST_N1 else ""
    return [text for text in (lines, some, apart(result).text()) if text]


def no_curve(result):
    """Obstacle: there is no finite entry beyond the initial weights, or too few for a curve."""
    if is_brief(result.options):
        return "record best kept the first, best and last entry of each history alone"
    later = result.entries["epoch"] > 0
    if not later.any():
        return "no member trained beyond its initial weights"
    is_finite = np.isfinite(result.entries["train_loss"][later]).any()
    return None if is_finite else "every member diverged in its first epoch"


# ---------------------------------------------------------------- loss


def loss_columns(result):
    """The recorded losses."""
    has_val = np.isfinite(result.entries["val_loss"]).any()
    return ("train_loss", "val_loss") if has_val else ("train_loss",)


def loss_table(result):
    """Loss against epoch, in the unit of the run: member, n1, setting, series (train or val),
    epoch, value, low, high, best.

    From 50 members on member is -1, value the median over the members of an N1 and setting, low and
    high the quartiles.
    """
    table, unit = curves(result, loss_columns(result)), unit_of(result)
    table["series"] = np.char.replace(table["series"].astype(str), "_loss", "")
    return {**table, **{name: unit.of(table[name]) for name in ("value", "low", "high")}}


@base.figure("loss against epoch, on logarithmic axes", loss_table, no_curve)
def loss_curves(table, result):
    """Loss against epoch: one line per member, from 50 members on medians with quartile bands."""
    unit = unit_of(result)
    name = unit.name if "val" in table["series"] else unit.words
    chart = curve_chart(
        table,
        result,
        name,
        dash=loss_dash(table),
        band_of="val" if "val" in table["series"] else "train",
        also=drawn_targets(result),
        rules=target_rules(result),
    )
    under = [*curve_text(result, "dots: each member's best epoch"), target_text(result)]
    return chart.properties(title=text_title(loss_title(result, unit), *under))


def loss_title(result, unit):
    """How soon the target is reached, or when the best member was best."""
    row, members = smallest_row(result), result.members
    if row is not None:
        epochs = number(row["median_epochs"], 3)
        return f"N1 = {row['n1']} reaches the target after {epochs} epochs at the median"
    best = result.best
    loss = number(float(unit.of(grouping.monitored(members)[result.best_member])), 3)
    when = f"after {best['best_epoch']:,} of {counted(int(best['epochs']), 'epoch')}"
    lowest = "Lowest " if len(members) > 1 else ""
    title = f"{lowest}{unit.words} {loss} {when}"
    return f"{title}, with N1 = {best['n1']}" if len(members) > 1 else title[0].upper() + title[1:]


def loss_dash(table):
    """Training losses solid, validation losses dashed."""
    legend = alt.Legend() if len(set(table["series"])) > 1 else None
    scale = alt.Scale(domain=["train", "val"], range=[[1, 0], [4, 3]])
    return alt.StrokeDash("series:N", title=None, scale=scale, legend=legend)


# ---------------------------------------------------------------- rates and gradients


def no_changing_rate(result):
    """Obstacle: the method has no learning rate, as with lm, or no rate ever changes."""
    rate, offsets = result.entries["learning_rate"], result.entries["offsets"]
    if not (rate > 0).any():
        return "its method has no learning rate"
    first = np.repeat(offsets[:-1], np.diff(offsets))
    lasts = np.minimum(offsets[1:], len(rate)) - 1
    changed = int((rate[lasts] != rate[np.minimum(offsets[:-1], len(rate) - 1)]).sum())
    if (rate == rate[first]).all():
        return "every learning rate stays what it is at first"
    if changed < len(result.members) / 4 and len(result.members) >= MANY:
        return f"the learning rate changed in {changed:,} of {len(result.members):,} members alone"
    return no_curve(result)


def rate_table(result):
    """Learning rate against epoch, with the columns of the table of losses."""
    return curves(result, ("learning_rate",))


@base.figure("learning rate against epoch: where plateaus lowered it", rate_table, no_changing_rate)
def learning_rate(table, result):
    """The learning rate of every member as it fell on plateaus."""
    table = on_log_axes(table, "value")
    chart = curve_chart(table, result, "learning rate")
    return chart.properties(title=text_title(rate_title(result), *curve_text(result, "")))


def rate_title(result):
    """How far the rate of one member, or the rates of how many members, fell."""
    offsets, rate = result.entries["offsets"], result.entries["learning_rate"]
    used = np.diff(offsets) > 0
    first, last = rate[offsets[:-1][used]], rate[offsets[1:][used] - 1]
    fell = last < first
    if len(result.members) == 1:
        return f"The learning rate went from {first[0]:g} to {last[0]:.2g}"
    title = f"The learning rate fell in {fell.sum():,} of {len(result.members):,} members"
    if not fell.any():
        return title
    return (
        f"{title}, at the median to {number(float(np.median(last[fell] / first[fell])), 2)} of it"
    )


GRADIENT_TITLES = {"gradient_norm": "L2 norm of the gradient", "clipped": "clipped share"}


def no_gradients(result):
    """Obstacle: nothing of the gradient was recorded."""
    if any(name in result.recorded["record"] for name in GRADIENT_TITLES):
        return no_curve(result)
    return f"the run did not record it (--record {','.join(GRADIENT_TITLES)})"


def gradient_table(result):
    """Gradient norm and clipped share against epoch, with the columns of the table of losses."""
    names = [name for name in GRADIENT_TITLES if name in result.recorded["record"]]
    return curves(result, names)


@base.figure("gradient norm and share of clipped steps against epoch", gradient_table, no_gradients)
def gradient(table, result):
    """The gradient's norm and the share of steps that were clipped, over the epochs."""
    charts = []
    for name, y_title in GRADIENT_TITLES.items():
        rows = base.where(table, table["series"] == name)
        if len(rows["epoch"]):
            is_log = name == "gradient_norm"
            height = HEIGHT // 2 if len(apart(result).order) == 1 else HEIGHT
            charts.append(curve_chart(rows, result, y_title, height, is_log=is_log))
    title = text_title(gradient_title(result), *curve_text(result, ""))
    return alt.vconcat(*charts).properties(title=title)


def gradient_title(result):
    """How much was clipped, or how far the norm fell."""
    shares = result.recorded["record"].get("clipped", np.empty(0))
    shares = shares[np.isfinite(shares)]
    if shares.size:
        return f"{100 * shares.mean():.3g} % of all steps were clipped"
    norms, offsets = result.recorded["record"]["gradient_norm"], result.entries["offsets"]
    member = slice(*offsets[result.best_member : result.best_member + 2])
    norms = norms[member][style.positive(norms[member])]  # with mini-batches epoch 0 has none, 0
    if not norms.size:
        return "The gradient has no finite norm"
    ends = f"{number(float(norms[0]), 3)} to {number(float(norms[-1]), 3)}"
    return f"The norm of the best member's gradient goes from {ends}"
