"""The page's views of runs: the list, a run in training, a finished one, several compared."""

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from fastnet import api, figures
from fastnet.page import processes
from fastnet.page.files import files_view
from fastnet.page.member import member_view
from fastnet.page.parts import (
    LOSS_FORMATS,
    errors_in_page,
    escape_markdown,
    go_to,
    show_chart,
    show_figure,
    theme,
    url_value,
)
from fastnet.results import answer, collect, variance, words
from fastnet.results.reading import list_runs
from fastnet.training import grouping

STATUS_COLOURS = {"done": "green", "running": "blue", "starting": "blue", "interrupted": "orange"}
LIVE_FIGURES = ("loss-curves", "fit", "loss-by-n1")  # while a run trains: the first two that apply
LIVE_SECONDS = "2s"  # how often the numbers of a run in training are read


def view(runs):
    """The run that the URL names, else the list."""
    name = url_value("run")
    if name is None:
        list_view(runs)
        return
    with errors_in_page():
        run_view(runs, processes.checked_name(name))


# ---------------------------------------------------------------- all runs


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


def compare(runs, names):
    """The answers of several finished runs, side by side."""
    results = {}
    for name in names:
        with errors_in_page():
            results[name] = load(processes.folder_of(runs, name))
    if len(results) > 1:
        show_chart(figures.compare(results, theme=theme()))
        table = pd.DataFrame(figures.compare.table(results))
        st.dataframe(table, hide_index=True, column_config=LOSS_FORMATS)


# ---------------------------------------------------------------- results, read once


def load(folder):
    """The Result of a finished run; read once for each version of its summary."""
    return _load(str(folder), (folder / "summary.json").stat().st_mtime_ns)


@st.cache_resource(max_entries=8, show_spinner="Reading the run ...")
def _load(folder, version):
    return api.load(folder)


def peek(folder):
    """The Result of a run as of its last checkpoint; read once for each checkpoint."""
    try:
        return _peek(str(folder), (folder / "checkpoint.npz").stat().st_mtime_ns)
    except FileNotFoundError:  # none yet, or the run has just ended
        return None


@st.cache_resource(max_entries=4, show_spinner=False)
def _peek(folder, version):
    return collect.peek(folder)


# ---------------------------------------------------------------- one run


def run_view(runs, name):
    """A run in any state: in training, interrupted, failed or done."""
    status = processes.status(runs, name)
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    left.title(name)
    left.badge(status, color=STATUS_COLOURS.get(status, "red"))
    if right.button("All runs", key="back"):
        go_to(view="runs")
    if status == "done":
        done_view(load(processes.folder_of(runs, name)))
    elif status in ("running", "starting"):
        live_view(runs, name, right)
    elif status == "interrupted":
        interrupted_view(runs, name, right)
    else:
        message = processes.said(runs, name).removeprefix("Error: ")
        st.error(escape_markdown(message or f"There is no run {name}."))


def live_view(runs, name, corner):
    """A run in training, and the button that stops it."""
    if corner.button("Stop", key="stop", help="Save its state and end; it can be resumed."):
        processes.stop(runs, name)
    folder = processes.folder_of(runs, name)
    live_numbers(runs, name, stage(runs, name))
    # Every 5 seconds, less often with many members.
    members = next((event["members"] for event in processes.events(folder)[-1:]), 1)
    st.fragment(figures_so_far, run_every=min(60, 5 + members // 50))(folder)


def interrupted_view(runs, name, corner):
    """A run that has not ended, and the button that resumes it."""
    if corner.button("Resume", type="primary", key="resume"):
        processes.resume(runs, name)
        st.rerun()
    st.warning("This run has not ended; its state is saved.")
    numbers_so_far(processes.folder_of(runs, name))
    figures_so_far(processes.folder_of(runs, name))


@st.fragment(run_every=LIVE_SECONDS)
def live_numbers(runs, name, before):
    """The numbers of a run in training; the whole page is drawn again when its stage changes."""
    if stage(runs, name) != before:
        st.rerun()
    numbers_so_far(processes.folder_of(runs, name))


def stage(runs, name):
    """The state that decides the page's layout: a run's status and whether it has a checkpoint."""
    has_checkpoint = (processes.folder_of(runs, name) / "checkpoint.npz").is_file()
    return processes.status(runs, name), has_checkpoint


def numbers_so_far(folder):
    """The numbers of a running run, from its last event."""
    events = processes.events(folder)
    if not events:
        st.info("Preparing: a first run compiles its kernels, which takes some seconds.")
        return
    last = events[-1]
    numbers = {
        "epoch": f"{last['epoch']:,}",
        "members running": f"{last['running']:,} of {last['members']:,}",
        "reached the target": f"{last['reached']:,}",
        "best loss": words.number(last["best_loss"]),
        "trained": words.seconds(last["seconds"]),
        "left at most": words.seconds(last["remaining"]),
    }
    with st.container(horizontal=True):
        for label, value in numbers.items():
            st.metric(label, value, width="content")
    st.progress(1 - last["running"] / max(last["members"], 1))


def figures_so_far(folder):
    """Figures and table of a run that has not ended, as of its last checkpoint."""
    with errors_in_page():
        result = peek(folder)
        if result is not None:
            live_figures(result)
            table = by_n1_frame(result)
            st.dataframe(table, hide_index=True, column_config=LOSS_FORMATS, key="live-table")


def live_figures(result):
    """The curves and, for one input, the fit."""
    applying = [figure for figure in figures.applying(result) if figure.name in LIVE_FIGURES]
    applying.sort(key=lambda figure: LIVE_FIGURES.index(figure.name))
    for column, figure in zip(st.columns(2), applying):
        with column:
            show_figure(figure.chart, result, key=f"live-{figure.name}")


# ---------------------------------------------------------------- a finished run


def done_view(result):
    """The answer, figures, members and files of a finished run."""
    st.subheader(escape_markdown(figures.finding(result)))
    if result.command != "train":
        st.write(escape_markdown(answer.sentence(result.members, result.options)))
    st.write(escape_markdown(f"{words.best_line(result)} {words.answer_line(result)}"))
    for notice in result.notices:
        st.warning(escape_markdown(notice))
    views = {
        "Answer": answer_view,
        "Figures": figure_view,
        "Members": member_view,
        "Files": files_view,
    }
    for tab, tab_view in zip(st.tabs(list(views), on_change="rerun", key="tab"), views.values()):
        if tab.open:
            with tab:
                tab_view(result)


def by_n1_frame(result):
    """The table by N1 as a data frame, with a column for each further axis."""
    return rows_frame(result, result.by_n1())


def rows_frame(result, rows):
    """Rows of an answer as a data frame; the settings that were given become columns."""
    axes = grouping.given_axes(result.members, result.options)
    table = []
    for row in rows:
        setting = row.pop("setting")
        table.append({**{a: words.setting_text(a, setting[a]) for a in axes}, **row})
    return pd.DataFrame(table).dropna(axis="columns", how="all")


def metrics_frame(result):
    """The metrics of the best member on each set, and those of the baseline, as texts."""
    (_, *names), rows = words.metric_cells(result.metrics, result.targets)
    sets = [f"{of} {name}" if name == "baseline" else name for of, name in zip(["", *names], names)]
    return pd.DataFrame(rows, columns=["metric", *sets])


def answer_view(result):
    """The metrics, the table by N1 and the two figures that say most."""
    if result.task is None and result.metrics:
        st.dataframe(metrics_frame(result), hide_index=True)
        st.caption(escape_markdown(words.baseline_line(result.metrics["train"])))
    st.dataframe(by_n1_frame(result), hide_index=True, column_config=LOSS_FORMATS)
    if rows := result.by_setting():
        st.caption("The settings side by side: the smallest sufficient N1 of each.")
        st.dataframe(rows_frame(result, rows), hide_index=True, column_config=LOSS_FORMATS)
        st.caption(escape_markdown(variance.sentence(result.members, result.options)))
    chosen = [f for f in figures.applying(result) if f.name in ("loss-by-n1", "success-by-n1")]
    chosen = chosen or [figures.FIGURES["loss-curves"]]
    for column, figure in zip(st.columns(len(chosen)), chosen):
        with column:
            show_figure(figure.chart, result, key=f"answer-{figure.name}")
    reasons, counts = np.unique(result.members["stop_reason"], return_counts=True)
    st.caption("Stop reasons: " + ", ".join(f"{r} {c:,}" for r, c in zip(reasons, counts)))


def figure_view(result):
    """One figure, chosen by name; the URL keeps it."""
    by_name = {figure.name: figure for figure in figures.applying(result)}
    asked = url_value("figure")
    place = list(by_name).index(asked) if asked in by_name else 0
    name = st.selectbox(
        "Figure", by_name, place, format_func=lambda name: by_name[name].help, key="figure"
    )
    st.query_params["figure"] = name
    with errors_in_page():
        show_figure(by_name[name].chart, result, key=f"figure-{name}")
    with st.expander("The figure's data"), errors_in_page():
        st.dataframe(pd.DataFrame(by_name[name].table(result)), hide_index=True)
