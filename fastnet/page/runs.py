"""The page's view of all runs: a table to search; a run is opened, noted, deleted or compared."""

from datetime import datetime
from pathlib import Path

import pandas as pd
import streamlit as st

from fastnet.page import processes
from fastnet.page.compare import compare_view
from fastnet.page.parts import (
    errors_in_page,
    escape_markdown,
    follow,
    from_url,
    go_to,
    to_url,
    url_value,
    without_none,
)
from fastnet.page.run import delete_button, run_view
from fastnet.results import listing, words

LOOK_SECONDS = 2  # how often the list looks whether a run began, ended or was noted


def view(runs):
    """The run that the URL names, or the runs that it compares, else the list."""
    with errors_in_page():
        if url_value("run") is not None:
            run_view(runs, processes.checked_name(url_value("run")))
        elif url_value("compare") is not None:
            names = [name for name in url_value("compare").split(",") if name]
            compare_view(runs, [processes.checked_name(name) for name in names])
        else:
            list_view(runs)


def list_view(runs):
    """One row per run, the newest first."""
    st.title("Runs", anchor=False)
    seen = state(runs)
    follow(lambda: state(runs), seen, LOOK_SECONDS)
    rows = [run_row(runs, *each) for each in seen]
    if not rows:
        st.info(f"No runs in {runs} yet. Start one under Train.")
        return
    from_url("find")
    text = st.text_input(
        "Search",
        key="find",
        placeholder="Search in names, data, targets, results and notes",
        label_visibility="collapsed",
        on_change=to_url,
        args=("find",),
    )
    found = [row for row in rows if matches(row, text)]
    if not found:
        st.info(escape_markdown(f"None of {words.counted(len(rows), 'run')} has {text!r} in it."))
        return
    actions(runs, choose(found))
    st.caption(
        f"{len(found):,} of {words.counted(len(rows), 'run')} in {runs}. A click on a row opens "
        "its run; ticks choose runs to compare or delete; a click on a title sorts."
    )


def matches(row, text):
    """Whether each word of the text is in some cell of a row."""
    cells = " ".join(str(cell) for cell in row.values()).lower()
    return all(word in cells for word in text.lower().split())


# ---------------------------------------------------------------- what is new


def state(runs):
    """What decides the list: the runs, their status, and when files beside them changed."""
    names = processes.names(runs) if Path(runs).is_dir() else []
    return [(name, processes.status(runs, name), version(runs, name)) for name in names]


def version(runs, name):
    """What changes with a run's end and with its note."""
    folder = processes.folder_of(runs, name)
    return [changed(folder / file) for file in ("summary.json", listing.NOTE)]


def changed(path):
    """When a file was changed; 0 if there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


# ---------------------------------------------------------------- the table


def run_row(runs, name, status, version):
    """One run's row of the list."""
    folder = processes.folder_of(runs, name)
    known = facts(str(folder), [changed(folder / "config.json"), *version])
    if status == "done" and known["members"] is None:
        status = "broken"
    began = known["started"] and datetime.fromtimestamp(known["started"])
    result = known["result"] or ""
    if not result and known["loss"] is not None:
        result = f"loss {words.number(known['loss'])}"
    return {
        "run": name,
        "status": status,
        "started": began.strftime("%Y-%m-%d %H:%M") if began else "",
        "data": known["data"] or "",
        "target": known["target"] or "",
        "result": result,
        "smallest N1": known["smallest_n1"],
        "members": known["members"],
        "duration": known["seconds"],
        "note": known["note"],
    }


@st.cache_data(max_entries=5000, show_spinner=False)
def facts(folder, version):
    """The facts of a run; read once for each version of its files."""
    return listing.facts(Path(folder))


def choose(rows):
    """Show the table; open the run whose row is clicked, return the names of those ticked."""
    frame = pd.DataFrame(rows)
    for name in ("note", "target"):
        if not frame[name].any():
            del frame[name]
    counts = ["smallest N1", "members"]
    frame = frame.astype(dict.fromkeys([*counts, "duration"], float))
    shown = frame.style.format("{:,.0f}", counts, na_rep="")
    event = st.dataframe(
        shown.format(words.seconds, ["duration"], na_rep=""),
        hide_index=True,
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        height="content" if len(frame) < 20 else 740,
        key=f"runs-{hash(tuple(frame['run']))}",  # ticks are of rows: other rows have none
        **without_none(),
    )
    if event.selection.cells:
        go_to(view="runs", run=rows[event.selection.cells[0][0]]["run"])
    return [rows[place]["run"] for place in event.selection.rows]


def actions(runs, chosen):
    """The buttons for the runs that are ticked."""
    if not chosen:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(chosen) > 1 and st.button(f"Compare {len(chosen)} runs", key="compare-chosen"):
            go_to(view="runs", compare=",".join(chosen))
        if len(chosen) == 1 and st.button(f"Open {chosen[0]}", key="open"):
            go_to(view="runs", run=chosen[0])
        delete_button(runs, chosen)
