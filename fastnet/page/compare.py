"""The page's view of several finished runs, side by side."""

import streamlit as st

from fastnet import figures
from fastnet.options.ranges import typed
from fastnet.options.table import OPTIONS
from fastnet.page import processes
from fastnet.page.loading import load
from fastnet.page.parts import (
    errors_in_page,
    escape_markdown,
    follow,
    go_to,
    show_chart,
    show_table,
    theme,
)
from fastnet.results import listing, words

LOOK_SECONDS = 2  # how often the page looks whether a run has ended
NOT_OF_THE_RESULT = ("out", "threads", "data")  # options that change no number, and one shown above


def compare_view(runs, names):
    """What several runs have found, where their options differ, and their curves."""
    if st.button("All runs", type="tertiary", icon=":material/arrow_back:", key="back"):
        go_to(view="runs")
    seen = states(runs, names)
    follow(lambda: states(runs, names), seen, LOOK_SECONDS)
    results = {}
    for name, status in seen.items():
        with errors_in_page():
            results[name] = finished(runs, name, status)
    results = {name: result for name, result in results.items() if result is not None}
    st.title(f"{words.counted(len(results), 'run')} compared", anchor=False)
    if len(results) < 2:
        st.info("Choose at least two finished runs in the list of all runs.")
        return
    show_table(*answer_cells(runs, results))
    st.header("Options that differ", anchor=False)
    header, rows = option_cells(results)
    if rows:
        show_table(header, rows)
    else:
        st.write("All options are the same.")
    curves(results)


def states(runs, names):
    """The status of each run by name."""
    return {name: processes.status(runs, name) for name in names}


def finished(runs, name, status):
    """The Result of a run; None, and a line that says why, if it has none."""
    if status == "done":
        return load(processes.folder_of(runs, name))
    why = "there is no such run" if status == "missing" else f"it is {status}"
    st.warning(escape_markdown(f"{name} is not compared: {why}."))
    return None


def answer_cells(runs, results):
    """Header and rows of the table of what the runs have found."""
    rows = []
    for name, result in results.items():
        known = listing.facts(processes.folder_of(runs, name))
        rows.append(
            [
                *(name, known["data"] or "", known["result"] or ""),
                *(words.number(known["smallest_n1"]), words.number(result.best["n1"].item())),
                *(words.number(known["loss"]), words.seconds(known["seconds"])),
            ]
        )
    return ["run", "data", "result", "smallest N1", "N1 of the best", "loss", "duration"], rows


def option_cells(results):
    """Header and rows of the options that are not the same in all runs."""
    rows = []
    for name in OPTIONS:
        texts = [option_text(name, result.options[name]) for result in results.values()]
        if name not in NOT_OF_THE_RESULT and len(set(texts)) > 1:
            rows.append([name.replace("_", " "), *texts])
    return ["option", *results], rows


def option_text(name, value):
    """An option for people: long numbers in 6 digits."""
    if isinstance(value, tuple) and any(isinstance(one, float) for one in value):
        return ", ".join(typed(one, digits=6) for one in value)
    return OPTIONS[name].typed(value)


# ---------------------------------------------------------------- curves


def curves(results):
    """The figures of runs with the same loss on the same data: other losses share no axis."""
    groups = {}
    for name, result in results.items():
        groups.setdefault(loss_of(result), {})[name] = result
    if len(groups) > 1:
        st.info(
            "These runs have different data or losses. A loss on one of them says nothing about a "
            "loss on another, so each has axes of its own."
        )
    for place, (_, group) in enumerate(groups.items()):
        if len(groups) > 1:
            st.header(escape_markdown(", ".join(group)), anchor=False)
        left, right = st.columns(2)
        with left, errors_in_page():
            show_chart(figures.compare(group, theme=theme()), f"compare-{place}")
        with right, errors_in_page():
            show_chart(figures.compare_curves(group, theme=theme()), f"curves-{place}")


def loss_of(result):
    """What a run's loss is measured on; equal for runs whose losses can be compared."""
    validates = len(result.split["val"]) > 0 or "folds_val" in result.split
    return result.environment["data_sha256"], result.schema.loss, validates
