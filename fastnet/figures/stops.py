"""The figure of why members stopped."""

import numpy as np

from fastnet.figures import base, style
from fastnet.figures.style import CLASSES, HEIGHT, MARK, alt, chart_data, text_title
from fastnet.figures.sweep import chart_width, n1_axis
from fastnet.options.methods import STOPS

# The frequent ones first, in colours that are easy to tell apart; red for what failed.
ORDER = ("target", "max_epochs", "converged", "patience", "pruned", "stopped", "time_limit")
REST = tuple(name for name in STOPS if name not in (*ORDER, "diverged"))
COLOURS = {**dict(zip((*ORDER, *REST), CLASSES)), "diverged": MARK}


def stop_table(result):
    """Members of each N1 and stop reason: n1, reason, count."""
    members = result.members
    pairs = np.stack([members["n1"].astype(str), members["stop_reason"].astype(str)])
    (n1, reason), count = np.unique(pairs, axis=1, return_counts=True)
    order = np.lexsort((reason, n1.astype(int)))
    return {"n1": n1.astype(int)[order], "reason": reason[order], "count": count[order]}


def one_reason(result):
    """Obstacle: all members stopped for the same reason."""
    reasons = np.unique(result.members["stop_reason"])
    return None if len(reasons) > 1 else f"all members {STOPS[str(reasons[0])].did}"


@base.figure("why members stopped, for each N1", stop_table, one_reason)
def stop_reasons(table, result):
    """Stop reasons of the members of each N1."""
    there = [name for name in COLOURS if name in set(table["reason"])]
    did = [STOPS[name].did for name in there]
    told = [STOPS[str(name)].did for name in table["reason"]]
    scale = alt.Scale(domain=did, range=[COLOURS[name] for name in there])
    place = [there.index(name) for name in table["reason"]]
    most = max(table["count"][table["n1"] == n1].sum() for n1 in set(table["n1"]))
    y = alt.Y("count:Q", title="members", axis=style.number_axis(count_ticks(most)))
    bars = (
        alt.Chart(chart_data(table, did=told, place=place))
        .mark_bar()
        .encode(
            x=n1_axis(),
            y=y,
            color=alt.Color("did:N", title=None, scale=scale),
            order="place:Q",
            tooltip=["n1", "did", "count"],
        )
    )
    title = text_title(stop_title(table, len(result.members)))
    width = chart_width(len(set(table["n1"])))
    return bars.properties(width=width, height=HEIGHT, title=title)


def count_ticks(most):
    """Whole numbers from 0 to the largest count."""
    return [tick for tick in style.linear_ticks(0, max(int(most), 2)) if tick == int(tick)]


def stop_title(table, count):
    """The most frequent stop in words, and how many diverged."""
    reasons = sorted(set(table["reason"].tolist()))
    totals = {name: int(table["count"][table["reason"] == name].sum()) for name in reasons}
    most = max(totals, key=totals.get)
    title = f"{totals[most]:,} of {count:,} members {STOPS[most].did}"
    diverged = totals.get("diverged", 0)
    return f"{title}; {diverged:,} diverged" if diverged and most != "diverged" else title
