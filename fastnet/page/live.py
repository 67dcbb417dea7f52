"""The page's view of a run that has not ended: it starts, trains, stops, rests or is resumed.

All that is shown of its training, numbers, curves and table, is read from one checkpoint.
"""

import time

import numpy as np
import streamlit as st

from fastnet import figures
from fastnet.data.dialect import listed
from fastnet.errors import FastnetError
from fastnet.page import processes
from fastnet.page.loading import checkpoint_version, peek
from fastnet.page.parts import errors_in_page, escape_markdown, follow, show_figure, show_table
from fastnet.page.playback import playback_view
from fastnet.results import words
from fastnet.results.reading import read_json
from fastnet.training import grouping

LIVE_FIGURES = ("loss-curves", "fit", "loss-by-n1")  # while a run trains: the first two that apply
LOOK_SECONDS = 0.5  # how often the page looks whether there is something new
REST = 10  # times the processor time of a drawing are between two drawings at least
TITLES = {
    "starting": "Starting",
    "running": "Training",
    "stopping": "Stopping",
    "resuming": "Resuming",
    "interrupted": "Interrupted",
}
NEXT = {
    "stopping": "The run saves its state and ends.",
    "resuming": "A process reads the data and the saved state, then it goes on.",
    "interrupted": "Its state is saved: it can be resumed to the same result.",
}


def live_view(runs, name, status, corner):
    """A run that has not ended, drawn again when there is something new."""
    buttons(runs, name, status, corner)
    # The status that is shown: read anew it could be a later one, and nothing would draw that one.
    seen, began = (status, checkpoint_version(processes.folder_of(runs, name))), time.thread_time()
    with errors_in_page():
        result = peek(processes.folder_of(runs, name))
        st.title(title(status, result), anchor=False)
        if status in NEXT:
            st.write(NEXT[status])
        if status == "interrupted" and processes.trouble(runs, name):
            st.error(escape_markdown(processes.trouble(runs, name)))
        if result is not None:
            so_far(result, processes.events(processes.folder_of(runs, name)))
    st.session_state["rested"] = time.monotonic() + REST * (time.thread_time() - began)
    waits = seen[1] is None and status in ("starting", "running")
    meanwhile = (lambda: st.write(preparing(runs, name))) if waits else None
    follow(lambda: state(runs, name), seen, LOOK_SECONDS, is_due, meanwhile)


def title(status, result):
    """What the run does, and as of which epoch the page shows it."""
    if result is None:
        return TITLES[status]
    return f"{TITLES[status]}, as of epoch {result.members['epochs'].max():,}"


def buttons(runs, name, status, corner):
    """The button that stops a run, or resumes it."""
    if status == "running":
        if corner.button("Stop", key="stop", help="Save its state and end; it can be resumed."):
            processes.stop(runs, name)
            st.rerun()
    elif status == "interrupted" and corner.button("Resume", type="primary", key="resume"):
        with errors_in_page():
            processes.resume(runs, name)
            st.rerun()


# ---------------------------------------------------------------- what is new


def state(runs, name):
    """What decides all that the page shows of a run: its status and its checkpoint."""
    return processes.status(runs, name), checkpoint_version(processes.folder_of(runs, name))


def is_due(now, seen):
    """Whether to draw the page again: at once for another status, for a new checkpoint after a
    rest."""
    rested = time.monotonic() >= st.session_state.get("rested", 0.0)
    return now[0] != seen[0] or (now != seen and rested)


def preparing(runs, name):
    """What a run does before its first checkpoint, and for how long."""
    passed = f"{max(time.time() - processes.begun(runs, name), 0):.0f} s"
    try:
        options = read_json(processes.folder_of(runs, name), "config.json")["options"]
    except FastnetError:  # not written yet
        return f"The run reads its data: {passed}."
    pairs = " and ".join(listed(options[axis]) for axis in ("optimizer", "activation"))
    return (
        f"Kernels for {pairs} are loaded, or compiled if they are new: {passed}. Compiling takes "
        "some 5 to 25 s, once for each new combination of methods."
    )


# ---------------------------------------------------------------- the training so far


def so_far(result, events):
    """Numbers, figures and table of a run as of its last checkpoint."""
    elapsed = result.seconds["train"]
    left = processes.seconds_left(events, elapsed)
    if result.status == "running" and left is not None:
        share = elapsed / max(elapsed + left, 1e-9)
        st.progress(min(share, 1.0), f"{share:.0%} of the work, at most {words.seconds(left)} left")
    with st.container(horizontal=True, key="numbers"):
        for label, value in numbers(result).items():
            st.metric(label, value, width="content")
    playback_view(result)
    applying = [figure for figure in figures.applying(result) if figure.name in LIVE_FIGURES]
    applying.sort(key=lambda figure: LIVE_FIGURES.index(figure.name))
    for column, figure in zip(st.columns(2), applying):
        with column:
            show_figure(figure.chart, result, key=f"live-{figure.name}")
    show_table(*words.by_n1_cells(result))


def numbers(result):
    """The numbers of a run that has not ended, as texts by what they are."""
    members = result.members
    live = np.isin(members["stop_reason"], ("running", "interrupted")).sum()
    best, loss = result.best, float(grouping.monitored(members)[result.best_member])
    return {
        "best loss so far": words.number(loss),
        "by": f"N1 {best['n1']}, seed {best['seed']}",
        "members in training": f"{live:,} of {len(members):,}",
        "at the target": f"{(members['stop_reason'] == 'target').sum():,}",
        "trained for": words.seconds(result.seconds["train"]),
    }
