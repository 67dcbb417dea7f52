"""The figure of fastnet bench: how many times as fast as each peer."""

import numpy as np

from fastnet.figures.base import MARK, RAMP, alt, figure, frame, log_axis, text_title


def speedup_table(document):
    """A row a workload and peer that was measured: workload, peer, times (fastnet is so many
    times as fast)."""
    rows = [
        (part["name"], row["peer"], float(row["fastnet_is_faster_by"]))
        for part in document.get("workloads", ())
        for row in part.get("rows", ())
        if "fastnet_is_faster_by" in row and row["status"] == "ok" and row["peer"] != "fastnet"
    ]
    columns = zip(*rows) if rows else ([], [], [])
    return {n: np.array(c) for n, c in zip(("workload", "peer", "times"), columns)}


def compared(document):
    """The need of a peer that was measured."""
    some = len(speedup_table(document)["times"])
    return None if some else "the document compares no peer with fastnet"


@figure("how many times as fast as each peer, from fastnet bench", speedup_table, compared, "bench")
def speedup(table, document):
    """Bars from 1 (as fast as fastnet) on a logarithmic axis, a panel a workload."""
    data = frame(
        table,
        text=[f"{value:.3g} x" for value in table["times"]],
        one=1.0,
        end=np.maximum(table["times"], 1.0),
    )
    more = log_axis(np.append(table["times"], 1.0), "times as fast as the peer")
    base = alt.Chart(data).encode(y=alt.Y("peer:N", title=None, sort="-x"))
    slower = alt.condition("datum.times < 1", alt.value(MARK), alt.value(RAMP[0]))
    bars = base.mark_bar().encode(x=alt.X("times:Q", **more), x2="one:Q", color=slower)
    texts = base.mark_text(style="ink", align="left", dx=5).encode(x="end:Q", text="text:N")
    names = list(dict.fromkeys(table["workload"]))
    chart = alt.layer(bars, texts).properties(width=420, height={"step": 22})
    header = alt.Header(labelAngle=0, labelAlign="left", labelAnchor="start", labelOrient="top")
    chart = chart.facet(row=alt.Row("workload:N", title=None, sort=names, header=header))
    best = int(np.argmin(table["times"]))
    title = (
        f"At least {table['times'][best]:.3g} times as fast: {table['peer'][best]} comes closest, "
        f"on {table['workload'][best]}"
        if table["times"][best] >= 1
        else f"{table['peer'][best]} is faster on {table['workload'][best]}"
    )
    return chart.resolve_scale(y="independent").properties(title=text_title(title))
