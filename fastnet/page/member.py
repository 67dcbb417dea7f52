"""The page's view of the members of a run: a table, and one of them in detail."""

import numpy as np
import pandas as pd
import streamlit as st

from fastnet import figures
from fastnet.page.parts import LOSSES, address, draw, told
from fastnet.results import words
from fastnet.training.plan import SETTING_COLUMNS

ALONE = ("loss-curves", "fit", "regions", "hidden-units", "learning-rate", "gradient")


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
        column_config=LOSSES,
        on_select="rerun",
        selection_mode="single-row",
        key="members",
    )
    rows = event.selection.rows
    asked = address("member", str(result.best_member))
    member = int(frame["member"].iloc[rows[0]]) if rows else int(asked) if asked.isdecimal() else 0
    with told():
        detail(result, min(member, len(result.members) - 1))


def detail(result, member):
    """One member."""
    st.query_params["member"] = str(member)
    record = result.members[member]
    st.subheader(f"Member {member}")
    settings = {n: words.setting_text(n, record[n]) for n in SETTING_COLUMNS}
    st.dataframe(pd.DataFrame([settings]), hide_index=True)
    one = result.of_member(member)
    names = [figure for figure in figures.applying(one) if figure.name in ALONE]
    for place, (column, figure) in enumerate(zip(st.columns(2) * len(names), names)):
        with column, told():
            draw(figure.chart, one, key=f"member-{place}")
    with st.expander("Weights and biases"):
        for name, array in one.weights()._asdict().items():
            st.markdown(f"**{name}** {array.shape}")
            st.dataframe(
                pd.DataFrame(np.atleast_2d(array)), height="content" if array.size < 200 else 240
            )
