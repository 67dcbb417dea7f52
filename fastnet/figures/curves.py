"""Figures over the epochs: losses, learning rates, gradients."""

import numpy as np

from fastnet.figures import base, style
from fastnet.figures.base import MANY, POINTS
from fastnet.figures.style import HEIGHT, WIDTH, alt, chart_data, log_axis, n1_colour, text_title

QUARTILES = (25, 50, 75)
MOST_N1 = 30  # at most this many N1 have curves of their own
COLUMNS = ("member", "n1", "series", "epoch", "value", "low", "high", "best")


# ---------------------------------------------------------------- tables


def history_column(result, column):
    """A column of the history or of the recorded values, of all members."""
    values = result.entries.get(column)
    return result.recorded["record"][column] if values is None else values


def epoch_grid(last, most):
    """About `most` epochs at most from 0 to `last`, evenly spaced in logarithm."""
    return np.unique(np.round(np.geomspace(1, last + 1, most) - 1).astype(np.int64))


def member_curves(result, columns):
    """One row per kept epoch of every member, about POINTS in all; the best epoch is kept."""
    room = max(POINTS // (len(result.members) * len(columns)), 20)
    members = range(len(result.members))
    parts = [member_curve(result, column, m, room) for column in columns for m in members]
    return base.stacked(COLUMNS, parts)


def member_curve(result, column, member, room):
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
    return member, record["n1"], column, epoch[kept], *values, is_best[kept]


def n1_bands(result, columns):
    """For each N1 the quartiles over its members, at epochs evenly spaced in logarithm."""
    widths = base.evenly(np.unique(result.members["n1"]), MOST_N1)
    most = max(POINTS // (len(widths) * len(columns)), 20)
    grid = epoch_grid(int(result.entries["epoch"].max(initial=0)), min(most, 80))
    parts = []
    for column in columns:
        values = at_epochs(result, column, grid)
        values[~np.isfinite(values)] = np.nan
        for n1 in widths:
            of_n1 = values[result.members["n1"] == n1]
            there = np.isfinite(of_n1).any(axis=0)
            if there.any():
                low, median, high = np.nanpercentile(of_n1[:, there], QUARTILES, axis=0)
                parts.append((-1, n1, column, grid[there], median, low, high, False))
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


def curve_chart(table, y_title, y_is_log=True, dash=None, height=HEIGHT, also=()):
    """Curves or bands over epochs on a logarithmic axis."""
    table = on_log_axes(table, "epoch", *(("value", "low", "high") if y_is_log else ()))
    y = style.linear_axis(0, max(1e-3, table["high"].max(initial=0)), y_title)
    if y_is_log:
        y = log_axis(np.concatenate([table["low"], table["high"], also]), y_title)
    rows = alt.Chart(chart_data(table)).encode(
        x=alt.X("epoch:Q", **log_axis(table["epoch"], "epoch")),
        color=n1_colour(table),
        tooltip=["n1:O", "series:N", "epoch:Q", "value:Q"],
    )
    layers = [curve_lines(rows, table, y, dash)]
    if has_bands(table):
        layers.insert(0, curve_bands(rows, table, y))
    return alt.layer(*layers).properties(width=WIDTH, height=height)


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


def curve_bands(rows, table, y):
    """A band from the first to the third quartile, fainter if more bands overlap."""
    faint = min(0.14, 0.8 / len(np.unique(table["n1"])))
    areas = rows.mark_area(fillOpacity=faint, opacity=1)
    return areas.encode(y=alt.Y("low:Q", **y), y2="high:Q", detail="series:N")


def untrained(result):
    """Obstacle: there is no finite entry beyond the initial weights."""
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
    """Loss against epoch: member, n1, series (train or val), epoch, value, low, high, best.

    From 50 members on member is -1, value the median over the members of an N1, low and high
    the quartiles.
    """
    table = curves(result, loss_columns(result))
    table["series"] = np.char.replace(table["series"].astype(str), "_loss", "")
    return table


@base.figure("loss against epoch, on logarithmic axes", loss_table, untrained)
def loss_curves(table, result):
    """Loss against epoch: one line per member, from 50 members on medians with quartile bands."""
    targets = style.drawn_targets(result)
    layers = [curve_chart(table, "loss", dash=loss_dash(table), also=targets)]
    layers += best_points(table) + style.target_rules(result)
    under = "dots: each member's best epoch"
    if len(result.members) >= MANY:
        under = (
            "median and quartiles of the members of each N1; who has stopped keeps its last loss"
        )
    return alt.layer(*layers).properties(title=text_title(base.finding(result), under))


def loss_dash(table):
    """Training losses solid, validation losses dashed."""
    legend = alt.Legend() if len(set(table["series"])) > 1 else None
    scale = alt.Scale(domain=["train", "val"], range=[[1, 0], [4, 3]])
    return alt.StrokeDash("series:N", title=None, scale=scale, legend=legend)


def best_points(table):
    """Layers: a dot at the best epoch of each member, on the curve of its monitored loss."""
    monitored = "val" if "val" in table["series"] else "train"
    best = on_log_axes(table, "epoch", "value")
    best = base.where(best, best["best"].astype(bool) & (best["series"] == monitored))
    if not len(best["epoch"]):
        return []
    points = alt.Chart(chart_data(best)).mark_point(filled=True, size=36, opacity=1)
    return [points.encode(x="epoch:Q", y="value:Q", color=n1_colour(table))]


# ---------------------------------------------------------------- rates and gradients


def no_learning_rate(result):
    """Obstacle: the method has no learning rate, as with lm."""
    if not (result.entries["learning_rate"] > 0).any():
        return "its method has no learning rate"
    return untrained(result)


def rate_table(result):
    """Learning rate against epoch, with the columns of the table of losses."""
    return curves(result, ("learning_rate",))


@base.figure("learning rate against epoch: where plateaus lowered it", rate_table, no_learning_rate)
def learning_rate(table, result):
    """The learning rate of every member as it fell on plateaus."""
    chart = curve_chart(table, "learning rate")
    return chart.properties(title=text_title(rate_title(result)))


def rate_title(result):
    """How far the rate of one member, or the rates of how many members, fell."""
    offsets, rate = result.entries["offsets"], result.entries["learning_rate"]
    used = np.diff(offsets) > 0
    first, last = rate[offsets[:-1][used]], rate[offsets[1:][used] - 1]
    fell = int((last < first).sum())
    if len(result.members) > 1:
        return f"The rate fell in {fell:,} of {len(result.members):,} members"
    return f"The rate fell from {first[0]:g} to {last[0]:.2g}" if fell else "The rate never fell"


GRADIENT_TITLES = {"gradient_norm": "L2 norm of the gradient", "clipped": "clipped share"}


def no_gradients(result):
    """Obstacle: nothing of the gradient was recorded."""
    if any(name in result.recorded["record"] for name in GRADIENT_TITLES):
        return untrained(result)
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
            charts.append(curve_chart(rows, y_title, is_log, height=HEIGHT // 2))
    shares = result.recorded["record"].get("clipped", np.empty(0))
    shares = shares[np.isfinite(shares)]
    title = "Gradient norm"
    if shares.size:
        title = f"{100 * shares.mean():.3g} % of all steps were clipped"
    return alt.vconcat(*charts).properties(title=text_title(title))
