"""The page's views of runs: all of them, one that trains, one that is done, several beside."""

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from fastnet import api, figures
from fastnet.page import processes as watch
from fastnet.page.files import downloads
from fastnet.page.member import member_view
from fastnet.page.parts import LOSSES, address, draw, go, plain, show_chart, theme, told
from fastnet.results import answer, collect, words
from fastnet.results.reading import list_runs

NEWS = {"done": "green", "running": "blue", "starting": "blue", "interrupted": "orange"}
WHILE_IT_TRAINS = ("loss-curves", "fit", "loss-by-n1")  # the first two that apply
LIVE = "2s"  # how often the numbers of a run that trains are read


def show_view(runs):
    """The run that the URL names, else the list."""
    name = address("run")
    if name is None:
        list_view(runs)
        return
    with told():
        one_run(runs, watch.checked_name(name))


# ---------------------------------------------------------------- all runs


def list_view(runs):
    """A row a run, the newest first; one opens, several compare."""
    st.title("Runs")
    found = list_runs(runs)[::-1] if Path(runs).is_dir() else []
    if not found:
        st.info(f"No runs in {runs} yet. Start one under Train.")
        return
    names = [Path(facts["run"]).name for facts in found]
    event = st.dataframe(
        run_table(found, names),
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        column_config={"run": st.column_config.TextColumn(width="medium"), **LOSSES},
        key="runs",
    )
    chosen = [names[i] for i in event.selection.rows]
    count = words.counted(len(names), "run")
    st.caption(f"{count} in {runs}. Choose one to open it, several to compare them.")
    if len(chosen) == 1 and st.button(f"Open {chosen[0]}", type="primary", key="open"):
        go(view="runs", run=chosen[0])
    if len(chosen) > 1:
        compare(runs, chosen)


def run_table(found, names):
    """What the list shows of every run."""
    best = [facts["best"] or {} for facts in found]
    return pd.DataFrame(
        {
            "run": names,
            "command": [facts["command"] for facts in found],
            "status": [facts["status"] for facts in found],
            "members": [facts["members"] for facts in found],
            "smallest N1": [facts["smallest_n1"] for facts in found],
            "best N1": [b.get("n1") for b in best],
            "best loss": [answer.monitored_of(b) for b in best],
        }
    )


def compare(runs, names):
    """The answers of several finished runs, side by side."""
    results = {}
    for name in names:
        with told():
            results[name] = load(str(watch.folder_of(runs, name)))
    if len(results) > 1:
        show_chart(figures.compare(results, theme=theme()))
        table = pd.DataFrame(figures.compare.table(results))
        st.dataframe(table, hide_index=True, column_config=LOSSES)


# ---------------------------------------------------------------- one run


def load(folder):
    """The Result of a finished run; read once for each version of its summary."""
    return _load(folder, (Path(folder) / "summary.json").stat().st_mtime_ns)


@st.cache_resource(max_entries=8, show_spinner="Reading the run ...")
def _load(folder, version):
    return api.load(folder)


@st.cache_resource(max_entries=4, show_spinner=False)
def _peek(folder, version):
    return collect.peek(folder)


def peek(folder):
    """The Result of a run as of its last checkpoint; read once for each checkpoint."""
    try:
        return _peek(str(folder), (folder / "checkpoint.npz").stat().st_mtime_ns)
    except FileNotFoundError:  # none yet, or the run has just ended
        return None


def one_run(runs, name):
    """A run as it is: while it trains, interrupted, failed or done."""
    status = watch.status(runs, name)
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    left.title(name)
    left.badge(status, color=NEWS.get(status, "red"))
    if right.button("All runs", key="back"):
        go(view="runs")
    if status == "done":
        done(load(str(watch.folder_of(runs, name))))
    elif status in ("running", "starting"):
        if right.button("Stop", key="stop", help="Save its state and end; it can be resumed."):
            watch.stop(runs, name)
        live(runs, name, stage(runs, name))
        live_figures(watch.folder_of(runs, name))
    elif status == "interrupted":
        if right.button("Resume", type="primary", key="resume"):
            watch.resume(runs, name)
            st.rerun()
        st.warning("This run has not ended; its state is saved.")
        numbers_so_far(watch.folder_of(runs, name))
        figures_so_far(watch.folder_of(runs, name))
    else:
        st.error(
            plain(watch.said(runs, name).removeprefix("Error: ") or f"There is no run {name}.")
        )


@st.fragment(run_every=LIVE)
def live(runs, name, before):
    """A run while it trains; the whole page is drawn anew when it has figures, and at its end."""
    if stage(runs, name) != before:
        st.rerun()
    numbers_so_far(watch.folder_of(runs, name))


def stage(runs, name):
    """What the page is laid out for: a run's status, and whether there is something to draw."""
    return watch.status(runs, name), (watch.folder_of(runs, name) / "checkpoint.npz").is_file()


def live_figures(folder):
    """The figures of a run while it trains: every 5 seconds, less often with many members."""
    members = next((event["members"] for event in watch.events(folder)[-1:]), 1)
    st.fragment(figures_so_far, run_every=min(60, 5 + members // 50))(folder)


def numbers_so_far(folder):
    """What the last event says of a run that has not ended."""
    events = watch.events(folder)
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
    """What the last checkpoint of a run that has not ended holds."""
    with told():
        result = peek(folder)
        if result is not None:
            in_figures(result)
            st.dataframe(by_n1(result), hide_index=True, column_config=LOSSES, key="live-table")


def in_figures(result):
    """The curves and, for one input, the fit, as of the last checkpoint."""
    known = [figure for figure in figures.applying(result) if figure.name in WHILE_IT_TRAINS]
    known.sort(key=lambda figure: WHILE_IT_TRAINS.index(figure.name))
    for column, figure in zip(st.columns(2), known):
        with column:
            draw(figure.chart, result, key=f"live-{figure.name}")


# ---------------------------------------------------------------- a run that is done


def done(result):
    """The answer, figures, members and files of a finished run."""
    st.subheader(plain(figures.finding(result)))
    if result.command == "sweep":
        st.write(plain(answer.sentence(result.members, result.options)))
    st.write(plain(words.best_line(result)))
    views = {"Answer": answer_view, "Figures": figure_view, "Members": member_view}
    views["Files"] = downloads
    for tab, show_tab in zip(st.tabs(list(views), on_change="rerun", key="tab"), views.values()):
        if tab.open:
            with tab:
                show_tab(result)


def by_n1(result):
    """The table by N1 as a frame; a varying setting in words."""
    rows = [{**row, "setting": words.settings_text(row["setting"])} for row in result.by_n1()]
    frame = pd.DataFrame(rows).dropna(axis="columns", how="all")
    return frame if frame["setting"].any() else frame.drop(columns="setting")


def answer_view(result):
    """The table by N1 and the two figures that say most."""
    st.dataframe(by_n1(result), hide_index=True, column_config=LOSSES)
    chosen = [f for f in figures.applying(result) if f.name in ("loss-by-n1", "success-by-n1")]
    chosen = chosen or [figures.FIGURES["loss-curves"]]
    for column, figure in zip(st.columns(len(chosen)), chosen):
        with column:
            draw(figure.chart, result, key=f"answer-{figure.name}")
    reasons, counts = np.unique(result.members["stop_reason"], return_counts=True)
    st.caption("Stop reasons: " + ", ".join(f"{r} {c:,}" for r, c in zip(reasons, counts)))


def figure_view(result):
    """One figure, chosen by name; the URL keeps it."""
    names = {figure.name: figure for figure in figures.applying(result)}
    asked = address("figure", next(iter(names)))
    place = list(names).index(asked) if asked in names else 0
    name = st.selectbox("Figure", names, place, format_func=lambda n: names[n].help, key="figure")
    st.query_params["figure"] = name
    with told():
        draw(names[name].chart, result, key=f"figure-{name}")
    with st.expander("The figure's data"), told():
        st.dataframe(pd.DataFrame(names[name].table(result)), hide_index=True)
