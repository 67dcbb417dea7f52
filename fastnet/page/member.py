"""The page's view of the members of a run: a table, and one of them in detail."""

import numpy as np
import pandas as pd
import streamlit as st

from fastnet import figures
from fastnet.page.parts import LOSS_FORMATS, errors_in_page, show_figure, url_value
from fastnet.results import words
from fastnet.training.plan import SETTING_COLUMNS

MEMBER_FIGURES = ("loss-curves", "fit", "regions", "hidden-units", "learning-rate", "gradient")


def alone(result, member):
    """The Result that has this member alone, so that every figure can show it."""
    first, last = result.entries["offsets"][member : member + 2]
    some = {"offsets": np.array([0, last - first])}
    entries = {n: a[first:last] for n, a in result.entries.items() if n != "offsets"} | some
    record = {n: a[first:last] for n, a in result.recorded["record"].items()}
    W1, b1, W2, b2 = result.weights(member)
    packed = {"W1": W1, "b1": b1, "W2": W2.T, "b2": b2[None], "offsets": np.array([0, len(b1)])}
    shots = result.recorded["snapshots"]
    return result._replace(
        members=result.members[member : member + 1],
        best_member=0,
        entries=entries,
        packed=packed,
        recorded={"record": record, "snapshots": shots_of(shots, member)},
    )


def shots_of(shots, member):
    """The snapshots of one member, under the number 0."""
    if not len(shots):
        return {}
    mine = shots["member"] == member
    rows = np.repeat(mine, shots["n1"])
    cut = {n: a[rows if n in ("W1", "b1", "W2") else mine] for n, a in shots.items()}
    return {**cut, "member": np.zeros(mine.sum(), np.int64)}


def member_view(result):
    """Members to sort and filter; the chosen one's settings, curves, fit and weights."""
    frame = result.to_frame()
    constant = [n for n in frame.columns if n != "member" and frame[n].nunique(dropna=False) < 2]
    reasons = st.multiselect("Stop reason", sorted(set(frame["stop_reason"])), key="reasons")
    if reasons:
        frame = frame[frame["stop_reason"].isin(reasons)]
    event = st.dataframe(
        frame.drop(columns=constant),
        hide_index=True,
        column_config=LOSS_FORMATS,
        on_select="rerun",
        selection_mode="single-row",
        key="members",
    )
    rows = event.selection.rows
    member = int(frame["member"].iloc[rows[0]]) if rows else member_of_url(result)
    with errors_in_page():
        detail(result, member)


def member_of_url(result):
    """The member that the URL names, the best if it names none."""
    text = url_value("member", str(result.best_member))
    return min(int(text) if text.isdecimal() else 0, len(result.members) - 1)


def detail(result, member):
    """One member: its settings, figures and weights."""
    st.query_params["member"] = str(member)
    record = result.members[member]
    st.subheader(f"Member {member}")
    settings = {n: words.setting(n, record[n]) for n in SETTING_COLUMNS}
    st.dataframe(pd.DataFrame([settings]), hide_index=True)
    one = alone(result, member)
    applying = [figure for figure in figures.applying(one) if figure.name in MEMBER_FIGURES]
    for place, (column, figure) in enumerate(zip(st.columns(2) * len(applying), applying)):
        with column, errors_in_page():
            show_figure(figure.chart, one, key=f"member-{place}")
    with st.expander("Weights and biases"):
        show_weights(one.weights())


def show_weights(weights):
    """The arrays of a network as tables."""
    for name, array in weights._asdict().items():
        st.markdown(f"**{name}** {array.shape}")
        height = "content" if array.size < 200 else 240
        st.dataframe(pd.DataFrame(np.atleast_2d(array)), height=height)
