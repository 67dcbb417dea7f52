"""The figure of fastnet bench: how many times as fast as each peer fastnet is."""

import numpy as np

from fastnet.figures import base, style
from fastnet.figures.style import MARK, PLAIN, alt, chart_data, log_axis, text_title


def speedup_table(document):
    """One row per workload and measured peer: workload, peer, times (as fast as the peer)."""
    rows = [
        (part["name"], row["peer"], float(row["fastnet_is_faster_by"]))
        for part in document.get("workloads", ())
        for row in part.get("rows", ())
        if row.get("fastnet_is_faster_by") and row["status"] == "ok" and row["peer"] != "fastnet"
    ]
    columns = zip(*rows) if rows else ([], [], [])
    return {n: np.array(c) for n, c in zip(("workload", "peer", "times"), columns)}


def no_peer(document):
    """Obstacle: no peer was measured."""
    count = len(speedup_table(document)["times"])
    return None if count else "the document compares no peer with fastnet"


@base.figure(
    "how many times as fast as each peer, from fastnet bench", speedup_table, no_peer, "bench"
)
def speedup(table, document):
    """Bars from 1 (as fast as fastnet) on a logarithmic axis, one panel per workload."""
    names = list(dict.fromkeys(table["workload"]))
    header = style.side_header(labelAnchor="start", labelOrient="top")
    chart = alt.layer(*speedup_bars(table)).properties(width=420, height={"step": 22})
    chart = chart.facet(row=alt.Row("workload:N", title=None, sort=names, header=header))
    title = text_title(speedup_title(table))
    return chart.resolve_scale(y="independent").properties(title=title)


def speedup_bars(table):
    """A bar per peer, red if the peer is faster, and its number."""
    texts = [f"{value:.3g} x" for value in table["times"]]
    data = chart_data(table, text=texts, one=1.0, end=np.maximum(table["times"], 1.0))
    x = log_axis(np.append(table["times"], 1.0), "times as fast as the peer")
    rows = alt.Chart(data).encode(y=alt.Y("peer:N", title=None, sort="-x"))
    colour = alt.condition("datum.times < 1", alt.value(MARK), alt.value(PLAIN))
    bars = rows.mark_bar().encode(x=alt.X("times:Q", **x), x2="one:Q", color=colour)
    numbers = rows.mark_text(style="ink", align="left", dx=5).encode(x="end:Q", text="text:N")
    return bars, numbers


def speedup_title(table):
    """The peer that comes closest, or is faster."""
    closest = int(np.argmin(table["times"]))
    times, peer, workload = (table[name][closest] for name in ("times", "peer", "workload"))
    if times < 1:
        return f"{peer} is faster on {workload}"
    return f"At least {times:.3g} times as fast: {peer} comes closest, on {workload}"
