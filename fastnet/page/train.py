"""The page's view that starts a run: a form whose fields come from the option table."""

import math
import re
import shlex
import time
from pathlib import Path

import streamlit as st

from fastnet.errors import UsageError
from fastnet.options.defaults import COMPARED, is_auto, resolve
from fastnet.options.table import AXES, OPTIONS, parse
from fastnet.page import address, form, processes, table
from fastnet.page.fields import chosen_options, errors_in_form, plain
from fastnet.page.parts import escape_markdown, go_to
from fastnet.results.folder import default_folder
from fastnet.results.words import counted, seconds, size
from fastnet.training.strengths import AUTO, STRENGTHS

STARTING = 10  # seconds to wait for a run to begin, or to say what is wrong


def view(runs):
    """Choose data and options, see the resulting command, start it."""
    st.title("Train")
    address.read(runs)
    command = chosen("Find", form.COMMANDS, "command")
    source = chosen("Data", form.SOURCES, "source")
    path, found = chosen_path(source, runs), None
    if path:
        with errors_in_form():
            found = table.view(path)
    with errors_in_form():
        task = {"task1": 1, "task2": 2}.get(source, "data")
        loss, columns = (
            loss_of(task, found),
            [c["column"] for c in (found or {}).get("columns", ())],
        )
        given = chosen_options(command, task, loss, columns)
        address.write(given, path)
        if task == "data" and not usable(found):
            return
        arguments = [command, *data_arguments(source, path), *option_arguments(given)]
        st.markdown(f"**{members_in_words(command, task, given)}**")
        st.caption("What will be run")
        st.code("fastnet " + shlex.join(arguments), language=None, wrap_lines=True)
        start_or_estimate(arguments, path or source, runs)


def chosen(label, choices, key):
    """One of a few choices, side by side."""
    st.session_state.setdefault(key, next(iter(choices)))
    return st.radio(label, choices, format_func=choices.get, horizontal=True, key=key)


# ---------------------------------------------------------------- the data


def chosen_path(source, runs):
    """The path of the table; None before it is chosen, and for a task."""
    if source == "upload":
        return table.uploaded(runs)
    if source == "file":
        path = st.text_input("Path of a table: CSV, TSV, Excel, Parquet, npz, ...", key="path")
        return form.absolute(path) if path else None
    return None


def usable(found):
    """Whether a run can start with the table."""
    return found is not None and bool(found["target"]) and not found["problems"]


def loss_of(task, found):
    """The loss that will be minimised, if it is known."""
    if task != "data":
        return {1: "squared", 2: "cross_entropy"}[task]
    return found and found["loss"]


def data_arguments(source, path):
    """The arguments that name the data."""
    if path is None:
        return ["--task", source[-1]]
    target = ",".join(map(form.quoted, st.session_state["target"]))
    return ["--data", path, "--target", target]


# ---------------------------------------------------------------- the options


def option_arguments(given):
    """The options as arguments of the command line."""
    arguments = []
    for name, text in given.items():
        arguments += OPTIONS[name].arguments(text)
    return arguments


def members_in_words(command, task, given):
    """How many members the options give, as far as it is known before."""
    paired = "zip" in given
    values = {
        name: True if text == "on" else parse(name, text, paired=paired)
        for name, text in given.items()
    }
    resolved = resolve(values, command, task)
    if command == "smallest":
        n1 = resolved["n1"]
        return f"N1 from {n1[0]:,} to {n1[-1]:,}, with as many seeds as the decision takes"
    count = counted(member_count(resolved, paired), "member")
    if is_auto(resolved["optimizer"]):
        return f"{count}, and some of {COMPARED[-1]} where methods are compared"
    return count


def member_count(resolved, paired):
    """The number of members of a run whose options are known."""
    lengths = [len(resolved[name]) for name in AXES]
    if AUTO in resolved["l2"] and resolved["validation_fraction"]:
        lengths.append(len(STRENGTHS))
    folds = (resolved["folds"] or 1) * resolved["fold_repeats"]
    if not paired:
        return math.prod(lengths) * folds
    if len({length for length in lengths if length > 1}) > 1:
        raise UsageError("zip needs lists of equal length.")
    return max(lengths) * folds


# ---------------------------------------------------------------- start


def start_or_estimate(arguments, source, runs):
    """The name of the run, and the buttons under it."""
    name = st.text_input("Name of the run", key=name_key(source, runs))
    left, right = st.columns(2)
    if left.button("Start", type="primary", width="stretch", key="start"):
        start(arguments, runs, name)
    if right.button("Estimate the time", width="stretch", key="estimate"):
        with st.spinner("Training a few members for a moment ..."):
            plan = processes.estimate(arguments)
        st.info(estimate_in_words(plan))


def name_key(source, runs):
    """The key of the run's name, which is that of its data until somebody changes it."""
    base = re.sub(r"[^\w.+-]+", "-", Path(source).name.partition(".")[0]).strip("-.+_") or "table"
    name, suggested = st.session_state.get("name"), st.session_state.get("suggested")
    if not name or (name == suggested[1] and base != suggested[0]):
        name = default_folder(base, runs).name
        st.session_state["name"], st.session_state["suggested"] = name, (base, name)
    return "name"


def start(arguments, runs, name):
    """Start a run and go to it, or say here why it cannot start: the form stays as it is."""
    if not has_started(arguments, runs, name):
        processes.start(arguments, runs, name)
        st.session_state["started"] = (name, arguments)
        form.remember(runs, name)
    end = time.monotonic() + STARTING
    with st.spinner("Starting ..."):
        while processes.status(runs, name) == "starting" and time.monotonic() < end:
            time.sleep(0.1)
    if processes.status(runs, name) == "failed":
        message = processes.said(runs, name).removeprefix("Error: ")
        st.error(escape_markdown(plain(message)))
        return
    del st.session_state["name"]
    go_to(view="runs", run=name)


def has_started(arguments, runs, name):
    """Whether this very run was just started: a double click must not be told that it exists."""
    same = st.session_state.get("started") == (name, arguments)
    return same and processes.status(runs, name) not in ("missing", "failed")


def estimate_in_words(plan):
    """The size of a run, and why its time is a limit."""
    return (
        f"{plan['members']:,} members with {plan['parameters']:,} parameters take at most "
        f"{seconds(plan['seconds'])} of training, {size(plan['memory_bytes'])} of memory and "
        f"{size(plan['disk_bytes'])} on disk. It is at most so long, because every member is "
        "counted with all its epochs: members that reach the target, or no longer gain, stop "
        "earlier. Compiling new kernels is not counted."
    )
