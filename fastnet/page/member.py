"""The page's view of the members of a run: a table, and one of them in detail."""

import numpy as np
import pandas as pd
import streamlit as st

from fastnet import figures
from fastnet.page.parts import (
    LOSS_FORMATS,
    errors_in_page,
    show_figure,
    unknown_in_url,
    url_value,
    without_none,
)
from fastnet.results import words
from fastnet.training.plan import SETTING_COLUMNS

MEMBER_FIGURES = ("loss-curves", "fit", "regions", "hidden-units", "learning-rate", "gradient")


def member_view(result):
    """Members to sort and filter; the chosen one's settings, curves, fit and weights."""
    frame = result.to_frame()
    constant = [n for n in frame.columns if n != "member" and frame[n].nunique(dropna=False) < 2]
    reasons = st.multiselect("Stop reason", sorted(set(frame["stop_reason"])), key="reasons")
    if reasons:
        frame = frame[frame["stop_reason"].isin(reasons)]
    shown = frame.drop(columns=constant).dropna(axis="columns", how="all")
    event = st.dataframe(
        shown.rename(columns=lambda name: name.replace("_", " ")),
        hide_index=True,
        column_config=LOSS_FORMATS,
        on_select="rerun",
        selection_mode="single-row",
        key=f"members-{','.join(reasons)}",  # a tick is of a row: another filter has none
        **without_none(),
    )
    rows = event.selection.rows
    member = int(frame["member"].iloc[rows[0]]) if rows else member_of_url(result)
    st.query_params["member"] = str(member)
    with errors_in_page():
        detail(result, member)


def member_of_url(result):
    """The member that the URL names, the best if it names none."""
    asked, count = url_value("member"), len(result.members)
    if asked is None:
        return result.best_member
    if asked.isdecimal() and int(asked) < count:
        return int(asked)
    unknown_in_url("member", asked, [f"0 to {count - 1}"] if count > 1 else ["0"])
    return result.best_member


def detail(result, member):
    """One member: its settings, figures and weights."""
    record = result.members[member]
    st.header(f"Member {member}", anchor=False)
    settings = [words.setting_text(name, record[name]) for name in SETTING_COLUMNS]
    st.dataframe(
        pd.DataFrame([settings], columns=[name.replace("_", " ") for name in SETTING_COLUMNS]),
        hide_index=True,
    )
    one = result.of_member(member)
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
