"""Figures over the epochs: losses, learning rates, gradients."""

import numpy as np

from fastnet.figures.base import (
    HEIGHT,
    MANY,
    POINTS,
    WIDTH,
    alt,
    evenly,
    figure,
    finding,
    frame,
    log_axis,
    n1_colour,
    target_rules,
    text_title,
)

QUARTILES = (25, 50, 75)
MOST_N1 = 30  # so many widths at most become curves of their own


def series(result, column, members):
    """Epochs and values of a column of the history or of the record, for each member."""
    values = result.entries.get(column)
    values = result.recorded["record"][column] if values is None else values
    for member in members:
        first, last = result.entries["offsets"][member : member + 2]
        yield result.entries["epoch"][first:last], values[first:last]


def epoch_grid(last, most):
    """At most about `most` epochs from 0 to `last`, evenly spaced in logarithm."""
    return np.unique(np.round(np.geomspace(1, last + 1, most) - 1).astype(np.int64))


def lines(result, columns):
    """A row an epoch of every member, thinned to POINTS rows; the best epoch is always there."""
    members, parts = result.members, []
    room = max(POINTS // (len(members) * len(columns)), 20)
    for column in columns:
        for member, (epoch, value) in enumerate(series(result, column, range(len(members)))):
            best = members["best_epoch"][member]
            grid = epoch_grid(epoch[-1] if len(epoch) else 0, room)
            kept = np.union1d(np.searchsorted(epoch, grid), np.flatnonzero(epoch == best))
            kept = kept[kept < len(epoch)]
            kept = kept[np.isfinite(value[kept])]
            parts.append((member, column, epoch[kept], value[kept], epoch[kept] == best))
    sizes = [len(epoch) for _, _, epoch, _, _ in parts]
    value = np.concatenate([part[3] for part in parts])
    number = np.repeat([part[0] for part in parts], sizes)
    return {
        "member": number,
        "n1": members["n1"][number],
        "series": np.repeat([part[1] for part in parts], sizes),
        "epoch": np.concatenate([part[2] for part in parts]),
        "value": value,
        "low": value,
        "high": value,
        "best": np.concatenate([part[4] for part in parts]),
    }


def at_epochs(result, column, grid):
    """(members, epochs): each member's last entry at or before each epoch of the grid.

    So a member that has stopped keeps its last value: otherwise a median over the members would
    follow, late, only those that found it hardest.
    """
    values = result.entries.get(column)
    values = result.recorded["record"][column] if values is None else values
    offsets, epoch = result.entries["offsets"], result.entries["epoch"]
    span = int(max(epoch.max(initial=0), grid[-1])) + 1
    owner = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    wanted = np.arange(len(offsets) - 1)[:, None] * span + grid
    place = np.searchsorted(owner * span + epoch, wanted, side="right") - 1
    empty = np.diff(offsets) == 0
    table = values[np.minimum(place, len(values) - 1)].astype(float)
    table[empty] = np.nan
    return table


def bands(result, columns):
    """For each N1 the quartiles over its members, at epochs evenly spaced in logarithm."""
    widths = evenly(np.unique(result.members["n1"]), MOST_N1)
    most = max(POINTS // (len(widths) * len(columns)), 20)
    grid = epoch_grid(int(result.entries["epoch"].max(initial=0)), min(most, 80))
    rows = []
    for column in columns:
        values = at_epochs(result, column, grid)
        values[~np.isfinite(values)] = np.nan
        for n1 in widths:
            some = values[result.members["n1"] == n1]
            there = np.isfinite(some).any(axis=0)
            if there.any():
                quartiles = np.nanpercentile(some[:, there], QUARTILES, axis=0)
                rows.append((n1, column, grid[there], *quartiles))
    sizes = [len(row[2]) for row in rows]

    def joined(place):
        return np.concatenate([row[place] for row in rows]) if rows else np.empty(0)

    return {
        "member": np.full(sum(sizes), -1),
        "n1": np.repeat([row[0] for row in rows], sizes),
        "series": np.repeat([row[1] for row in rows], sizes),
        "epoch": joined(2),
        "value": joined(4),
        "low": joined(3),
        "high": joined(5),
        "best": np.zeros(sum(sizes), bool),
    }


def curves(result, columns):
    """Lines of few members, quartile bands of many."""
    return (lines if len(result.members) < MANY else bands)(result, columns)


def on_log(table, *names):
    """The rows that logarithmic axes can show."""
    keep = np.ones(len(table["epoch"]), bool)
    for name in names:
        keep &= np.isfinite(table[name]) & (table[name] > 0)
    return {name: column[keep] for name, column in table.items()}


def curve_chart(table, y_title, y_log=True, dash=None, width=WIDTH, height=HEIGHT):
    """Lines or bands over epochs on a logarithmic axis."""
    table = on_log(table, "epoch", *(("value", "low", "high") if y_log else ()))
    data = frame(table)
    many = (table["member"] < 0).any()
    y_more = {"title": y_title}
    if y_log:
        y_more = log_axis(np.concatenate([table["low"], table["high"]]), y_title)
    base = alt.Chart(data).encode(
        x=alt.X("epoch:Q", **log_axis(table["epoch"], "epoch")),
        color=n1_colour(table),
        tooltip=["n1:O", "series:N", "epoch:Q", "value:Q"],
    )
    encoded = {"y": alt.Y("value:Q", **y_more), "detail": "member:N"}
    if dash is not None:
        encoded["strokeDash"] = dash
    line = base.mark_line(
        interpolate="step-after" if not dash and not many else "linear",
        strokeWidth=1.8 if many or len(set(table["member"])) < 6 else 1,
        strokeOpacity=1 if many or len(set(table["member"])) < 6 else 0.6,
    ).encode(**encoded)
    layers = [line]
    if many:
        faint = min(0.14, 0.8 / len(np.unique(table["n1"])))
        band = base.mark_area(fillOpacity=faint, opacity=1).encode(
            y=alt.Y("low:Q", **y_more), y2="high:Q", detail="series:N"
        )
        layers.insert(0, band)
    return alt.layer(*layers).properties(width=width, height=height)


def trained(result):
    """The need of an entry beyond the initial weights."""
    some = (result.entries["epoch"] > 0).any()
    return None if some else "no member trained beyond its initial weights"


# ---------------------------------------------------------------- loss


def loss_columns(result):
    """The losses that were recorded."""
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


@figure("loss against epoch, on logarithmic axes", loss_table, trained)
def loss_curves(table, result):
    """Loss against epoch: a line a member, from 50 members on medians with quartile bands."""
    both = len(set(table["series"])) > 1
    dash = alt.StrokeDash(
        "series:N",
        title=None,
        scale=alt.Scale(domain=["train", "val"], range=[[1, 0], [4, 3]]),
        legend=alt.Legend() if both else None,
    )
    layers = [curve_chart(table, "loss", dash=dash)]
    monitored = "val" if both else "train"
    best = on_log(table, "epoch", "value")
    best = {n: c[best["best"] & (best["series"] == monitored)] for n, c in best.items()}
    if len(best["epoch"]):
        points = alt.Chart(frame(best)).mark_point(filled=True, size=36, opacity=1)
        layers.append(points.encode(x="epoch:Q", y="value:Q", color=n1_colour(table)))
    layers += target_rules(result)
    many = len(result.members) >= MANY
    under = (
        "median and quartiles of the members of each N1; who has stopped keeps its last loss"
        if many
        else "dots: each member's best epoch"
    )
    return alt.layer(*layers).properties(title=text_title(finding(result), under))


# ---------------------------------------------------------------- rates and gradients


def stepped(result):
    """The need of a learning rate: lm and the like have none."""
    if not (result.entries["learning_rate"] > 0).any():
        return "its method has no learning rate"
    return trained(result)


def rate_table(result):
    """Learning rate against epoch, columns as of the losses' table."""
    return curves(result, ("learning_rate",))


@figure("learning rate against epoch: where plateaus lowered it", rate_table, stepped)
def learning_rate(table, result):
    """The learning rate of every member as it fell on plateaus."""
    offsets, rate = result.entries["offsets"], result.entries["learning_rate"]
    used = np.diff(offsets) > 0
    first, last = rate[offsets[:-1][used]], rate[offsets[1:][used] - 1]
    fell = int((last < first).sum())
    title = f"The rate fell in {fell:,} of {len(result.members):,} members"
    if len(result.members) == 1:
        title = (
            f"The rate fell from {first[0]:g} to {last[0]:.2g}" if fell else "The rate never fell"
        )
    return curve_chart(table, "learning rate").properties(title=text_title(title))


def recorded(*names):
    """A figure's need of what --record keeps."""

    def needs(result):
        missing = [name for name in names if name not in result.recorded["record"]]
        if len(missing) < len(names):
            return trained(result)
        return f"the run did not record it (--record {','.join(missing)})"

    return needs


def gradient_table(result):
    """Gradient norm and clipped share against epoch, columns as of the losses' table."""
    names = [n for n in ("gradient_norm", "clipped") if n in result.recorded["record"]]
    return curves(result, names)


@figure(
    "gradient norm and share of clipped steps against epoch",
    gradient_table,
    recorded("gradient_norm", "clipped"),
)
def gradient(table, result):
    """The gradient's norm and the share of steps that were clipped, over the epochs."""
    parts, titles = [], {"gradient_norm": "L2 norm of the gradient", "clipped": "clipped share"}
    for name, title in titles.items():
        some = {n: c[table["series"] == name] for n, c in table.items()}
        if len(some["epoch"]):
            log = name == "gradient_norm"
            parts.append(curve_chart(some, title, log, width=WIDTH, height=HEIGHT // 2))
    shares = result.recorded["record"].get("clipped", np.empty(0))
    shares = shares[np.isfinite(shares)]
    title = (
        f"{100 * shares.mean():.3g} % of all steps were clipped" if shares.size else "Gradient norm"
    )
    return alt.vconcat(*parts).properties(title=text_title(title))
