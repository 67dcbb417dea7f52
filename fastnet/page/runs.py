"""The page's view of all runs: one row per run; one can be opened, several compared."""

from pathlib import Path

import pandas as pd
import streamlit as st

from fastnet.page import processes
from fastnet.page.compare import compare
from fastnet.page.parts import LOSS_FORMATS, errors_in_page, go_to, url_value
from fastnet.page.run import run_view
from fastnet.results import answer, words
from fastnet.results.reading import list_runs


def view(runs):
    """The run that the URL names, else the list."""
    name = url_value("run")
    if name is None:
        list_view(runs)
        return
    with errors_in_page():
        run_view(runs, processes.checked_name(name))


def list_view(runs):
    """One row per run, the newest first; one can be opened, several compared."""
    st.title("Runs")
    found = list_runs(runs)[::-1] if Path(runs).is_dir() else []
    if not found:
        st.info(f"No runs in {runs} yet. Start one under Train.")
        return
    names = [Path(facts["run"]).name for facts in found]
    chosen = choose(run_table(found, names), names)
    count = words.counted(len(names), "run")
    st.caption(f"{count} in {runs}. Choose one to open it, several to compare them.")
    if len(chosen) == 1 and st.button(f"Open {chosen[0]}", type="primary", key="open"):
        go_to(view="runs", run=chosen[0])
    if len(chosen) > 1:
        compare(runs, chosen)


def choose(table, names):
    """Show the table of runs; the names of those that are selected in it."""
    event = st.dataframe(
        table,
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"run": st.column_config.TextColumn(width="medium"), **LOSS_FORMATS},
        key="runs",
    )
    return [names[i] for i in event.selection.rows]


def run_table(found, names):
    """The columns of the list of runs."""
    best = [facts["best"] or {} for facts in found]
    return pd.DataFrame(
        {
            "run": names,
            "command": [facts["command"] for facts in found],
            "status": [facts["status"] for facts in found],
            "members": [facts["members"] for facts in found],
            "smallest N1": [facts["smallest_n1"] for facts in found],
            "best N1": [member.get("n1") for member in best],
            "best loss": [answer.monitored_of(member) for member in best],
        }
    )
