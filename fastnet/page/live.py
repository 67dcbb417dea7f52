"""The page's view of a run that has not ended: in training or interrupted."""

import streamlit as st

from fastnet import figures
from fastnet.page import processes
from fastnet.page.loading import peek
from fastnet.page.parts import errors_in_page, show_figure, show_table
from fastnet.results import words

LIVE_FIGURES = ("loss-curves", "fit", "loss-by-n1")  # while a run trains: the first two that apply
LIVE_SECONDS = "2s"  # how often the numbers of a run in training are read


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
            show_table(*words.by_n1_cells(result))


def live_figures(result):
    """The curves and, for one input, the fit."""
    applying = [figure for figure in figures.applying(result) if figure.name in LIVE_FIGURES]
    applying.sort(key=lambda figure: LIVE_FIGURES.index(figure.name))
    for column, figure in zip(st.columns(2), applying):
        with column:
            show_figure(figure.chart, result, key=f"live-{figure.name}")
