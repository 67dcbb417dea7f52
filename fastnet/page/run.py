"""The page's view of one run; of a finished one the answer, figures, members and files."""

import numpy as np
import pandas as pd
import streamlit as st

from fastnet import figures
from fastnet.page import processes
from fastnet.page.fields import plain
from fastnet.page.files import files_view
from fastnet.page.form import again_button
from fastnet.page.live import TITLES, live_view
from fastnet.page.loading import load
from fastnet.page.member import member_view
from fastnet.page.parts import (
    errors_in_page,
    escape_markdown,
    follow,
    from_url,
    go_to,
    show_chart,
    show_figure,
    show_table,
    theme,
    to_url,
    url_value,
)
from fastnet.page.playback import playback_view
from fastnet.page.predict import predict_view
from fastnet.results import answer, listing, variance, words
from fastnet.results.headline import headline
from fastnet.results.verdict import untrained, verdict

COLOURS = {"done": "green", "interrupted": "orange", "failed": "red", "missing": "red"}  # else blue
LOOK_SECONDS = 2  # how often the page looks whether a run that has ended goes on, or is deleted
SHOWN_FIRST = ("loss-by-n1", "success-by-n1")  # the figures of the answer
SHOWN_OF_DATA = ("predicted-true", "confusion")  # and before them, for the user's own data


def run_view(runs, name):
    """A run in any state: in training, interrupted, failed or done."""
    status = processes.status(runs, name)
    if status not in TITLES:  # live_view() looks more often
        follow(lambda: processes.status(runs, name), status, LOOK_SECONDS)
    corner = run_line(runs, name, status)
    if status not in ("starting", "missing"):
        with corner:
            again_button(runs, name)
    if status == "done":
        done_view(load(processes.folder_of(runs, name)))
    elif status in TITLES:
        live_view(runs, name, status, corner)
    else:
        message = processes.said(runs, name).removeprefix("Error: ")
        st.title("This run failed" if message else "No such run", anchor=False)
        st.error(escape_markdown(message or f"There is no run {name}."))


def run_line(runs, name, status):
    """The line that says which run is shown; returns the place of its buttons."""
    line = st.container(horizontal=True, vertical_alignment="center", key="run-line")
    if line.button("All runs", type="tertiary", icon=":material/arrow_back:", key="back"):
        go_to(view="runs")
    line.markdown(f":small[{escape_markdown(name)}]", width="content")
    line.badge(status, color=COLOURS.get(status, "blue"))
    if status in ("done", "interrupted", "running"):
        with line:
            note_button(processes.folder_of(runs, name))
    if status in ("done", "interrupted", "failed"):
        with line:
            delete_button(runs, [name])
    return line


def note_button(folder):
    """A place to write a note about a run; its text stands beside the run's name."""
    note = listing.read_note(folder)
    with st.popover(note.split("\n")[0][:60] or "Add a note", type="tertiary"):
        text = st.text_area("Note", note, key="note", max_chars=listing.MOST_NOTE)
        if st.button("Save", key="save-note"):
            with errors_in_page():
                listing.write_note(folder, text)
                st.rerun()


def delete_button(runs, names):
    """A button that asks before it removes some runs."""
    with st.popover("Delete", type="tertiary"):
        st.write(escape_markdown(f"{', '.join(names)}: all files of it are removed for good."))
        if st.button("Delete for good", type="primary", key="delete"):
            with errors_in_page():
                for name in names:
                    processes.delete(runs, name)
                go_to(view="runs")


# ---------------------------------------------------------------- a finished run


def done_view(result):
    """The answer, figures, members and files of a finished run."""
    st.title(escape_markdown(headline(result)), anchor=False)
    if result.command != "train":
        st.write(escape_markdown(answer.sentence(result.members, result.options)))
    st.caption(escape_markdown(f"{words.best_line(result)} {words.answer_line(result)}"))
    show_notices(result)
    tab_from_url()
    tabs = st.tabs(list(TABS), on_change=lambda: to_url("tab"), key="tab")
    for tab, tab_view in zip(tabs, TABS.values()):
        if tab.open:
            with tab:
                tab_view(result)


def show_notices(result):
    """What is wrong with a result as warnings, and what else is to be said as a small list."""
    wrong = ()
    if result.metrics:
        wrong = verdict(result.metrics, result.targets, bool(result.options["folds"]))
    unlearnt = untrained(result.best)
    others = []
    for notice in result.notices:
        if notice in wrong or notice.startswith(unlearnt):
            st.warning(escape_markdown(plain(notice)))
        else:
            others.append(f"- {escape_markdown(plain(notice))}")
    if others:
        st.caption("\n".join(others))


def tab_from_url():
    """Open the tab that the URL names, or that has the figure or member which it names."""
    if url_value("tab") is not None:
        from_url("tab", TABS)
    elif "tab" not in st.session_state:
        for name, tab in (("figure", "Figures"), ("member", "Members")):
            if url_value(name) is not None:
                st.session_state["tab"] = tab


def answer_view(result):
    """The metrics, the table by N1 and the two figures that say most."""
    if result.task is None and result.metrics:
        show_table(*metric_table(result))
        st.caption(escape_markdown(words.baseline_line(result.metrics["train"])))
    playback_view(result)
    applying = {figure.name: figure for figure in figures.applying(result)}
    names = (*SHOWN_OF_DATA, *SHOWN_FIRST) if result.task is None else SHOWN_FIRST
    chosen = [applying[name] for name in names if name in applying][:2]
    chosen = chosen or [f for f in applying.values() if f.name == "loss-curves"]
    for column, figure in zip(st.columns(len(chosen) or 1), chosen):
        with column:
            chart = figure.chart(result, theme=theme())
            show_chart(chart, f"answer-{figure.name}", untitled=headline(result))
    show_table(*words.by_n1_cells(result))
    if rows := result.by_setting():
        st.header("The settings side by side", anchor=False)
        show_table(*words.by_setting_cells(result, rows[: words.MOST_SETTINGS]))
        st.caption(escape_markdown(variance.sentence(result.members, result.options)))
    reasons, counts = np.unique(result.members["stop_reason"], return_counts=True)
    st.caption("Stop reasons: " + ", ".join(f"{r} {c:,}" for r, c in zip(reasons, counts)))


def metric_table(result):
    """Header and rows of the metrics of the best member on each set, and those of the baseline."""
    (_, *names), rows = words.metric_cells(result.metrics, result.targets)
    sets = [f"{of} {name}" if name == "baseline" else name for of, name in zip(["", *names], names)]
    return ["metric", *sets], rows


def figure_view(result):
    """One figure, chosen by name; the URL keeps it."""
    by_name = {figure.name: figure for figure in figures.applying(result)}
    if not by_name:
        st.info("No figure says anything about this run.")
        return
    from_url("figure", by_name)
    name = st.selectbox(
        "Figure",
        by_name,
        format_func=lambda name: by_name[name].help,
        key="figure",
        on_change=to_url,
        args=("figure",),
    )
    with errors_in_page():
        show_figure(by_name[name].chart, result, key=f"figure-{name}")
    with st.expander("The figure's data"), errors_in_page():
        st.dataframe(pd.DataFrame(by_name[name].table(result)), hide_index=True)


# The tabs of a finished run, in their order: each shows a Result.
TABS = {
    "Answer": answer_view,
    "Predict": predict_view,
    "Figures": figure_view,
    "Members": member_view,
    "Files": files_view,
}
