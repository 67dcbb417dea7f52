"""The page's view that starts a run; its widgets come from the options table."""

import hashlib
import math
import shlex
from pathlib import Path

import streamlit as st

from fastnet import files
from fastnet.api import inspect
from fastnet.data import tables
from fastnet.data.dialect import PACKED, Reading, dialect_of, unpacked_name
from fastnet.errors import UsageError
from fastnet.options.defaults import defaults, resolve
from fastnet.options.kinds import CHOICES, FLAG
from fastnet.options.table import AXES, OF_DATA, OF_TASK_1, OF_TEXT, OPTIONS, TABLE, parse
from fastnet.page import processes
from fastnet.page.parts import errors_in_page, escape_markdown, go_to
from fastnet.results.folder import default_folder
from fastnet.results.words import seconds, size

SOURCES = {
    "task1": "Task 1: a function of one variable",
    "task2": "Task 2: handwritten digits",
    "upload": "Upload a table",
    "file": "A file on this machine",
}
COMMANDS = {"train": "One network that reaches the target", "sweep": "How small N1 can be"}
MAIN_OPTIONS = ("n1", "seeds", "learning_rate", "target_loss", "max_epochs")
CHOSEN_ABOVE = ("data", "target")  # with the data, above the options
OF_TABLE = ("data", *OF_DATA)
OF_LEVELS = (
    "exclude",
    "categorical",
    "numeric",
    "strip_units",
    "unknown",
    "min_level_count",
    "dates",
    "ordinal",
)
OF_READING = (*OF_TEXT, *OF_LEVELS, "impute")  # also before the target is chosen
UPLOADS = ".uploads"  # folder beside the runs


def view(runs):
    """Choose data and options, see the resulting command, start it."""
    st.title("Train")
    command = st.radio("Find", COMMANDS, format_func=COMMANDS.get, horizontal=True, key="command")
    source = st.selectbox("Data", SOURCES, format_func=SOURCES.get, key="source")
    data = chosen_data(source, runs)
    task = {"task1": 1, "task2": 2}.get(source, "data")
    given = chosen_options(command, task)
    if data is None:
        return
    arguments = [command, *data, *option_arguments(given)]
    with errors_in_page():
        st.markdown(f"**{member_count(command, task, given):,} members**")
        st.code("fastnet " + shlex.join(arguments), language="sh")
        start_or_estimate(arguments, source, runs)


def chosen_data(source, runs):
    """The arguments that name the data; None until they are chosen."""
    if source == "upload":
        return uploaded(runs)
    if source != "file":
        return ["--task", source[-1]]
    path = st.text_input("Path of a CSV, TSV, Parquet, npz or npy file", key="path")
    return with_target(str(Path(path).expanduser().absolute())) if path else None


def uploaded(runs):
    """Keep an uploaded table beside the runs, under a name made from its bytes alone."""
    endings = [ending[1:] for ending in (*tables.FORMATS, *PACKED)]
    file = st.file_uploader(f"A table: {', '.join(endings)}", endings, key="upload")
    if file is None:
        return None
    content = file.getvalue()
    inner = unpacked_name(file.name)
    packed = "" if inner == file.name else Path(file.name).suffix
    ending = f"{Path(inner).suffix}{packed}".lower()
    path = Path(runs) / UPLOADS / f"{hashlib.sha256(content).hexdigest()[:16]}{ending}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(path, content)
    return with_target(str(path))


def with_target(path):
    """The arguments for a table, once its target column is chosen."""
    with errors_in_page():
        version, told = Path(path).stat().st_mtime_ns, told_of_reading()
        head = first_rows(path, version, told)
        st.dataframe(head, height=180)
        target = st.multiselect("Target columns", list(head.columns), key="target")
        if target:
            show_look(look(path, version, tuple(target), told))
            return ["--data", path, "--target", ",".join(target)]
        st.info("Choose what to predict: one column, or several columns of numbers.")
    return None


def told_of_reading():
    """What the options below say about reading a table: names and values, as far as given."""
    state = {name: st.session_state.get(f"option-{name}") for name in OF_READING}
    return tuple((name, parse(name, value)) for name, value in state.items() if value)


@st.cache_data(max_entries=8, show_spinner="Reading the table ...")
def first_rows(path, version, told):
    """The first rows of a table; read once for each version of the file."""
    values = {name: OPTIONS[name].default for name in OF_TEXT} | dict(told)
    return tables.read_table(path, reading=Reading(dialect_of(values))).frame.head(100)


@st.cache_data(max_entries=8, show_spinner="Looking at the table ...")
def look(path, version, target, told):
    """The document of fastnet inspect; made once for each version of the file."""
    return inspect(path, target=target, **dict(told))


def show_look(found):
    """Problems and remarks about a table, if there are any, and what training does with columns."""
    remarks = [remark["message"] for remark in found["remarks"]]
    for texts, box in ((found["problems"], st.warning), (remarks, st.info)):
        if texts:
            box("\n".join(f"- {escape_markdown(text)}" for text in texts))
    with st.expander(f"What training does with the {len(found['columns'])} columns"):
        hidden = ("levels", "distinct")
        rows = [{k: v for k, v in row.items() if k not in hidden} for row in found["columns"]]
        st.dataframe(rows, hide_index=True)


# ---------------------------------------------------------------- options


def chosen_options(command, task):
    """The options that were set, as text by name."""
    offered, usual = offered_options(command, task), defaults(command, task)
    main = [option for option in offered if option.name in MAIN_OPTIONS]
    more = [option for option in offered if option.name not in MAIN_OPTIONS]
    texts = widgets(main, st.columns(len(main)), usual)
    with st.expander("More options"):
        texts |= widgets(more, st.columns(3), usual)
    return {name: text for name, text in texts.items() if text}


def offered_options(command, task):
    """The rows of the options table that go with a command and a task, or "data"."""
    hidden = CHOSEN_ABOVE if task == "data" else OF_TABLE
    hidden += () if task == 1 else OF_TASK_1
    rows = (option for option in TABLE if command in option.commands)
    return [option for option in rows if option.name not in hidden]


def widgets(rows, columns, defaults):
    """An input for each row of the options table, spread over the columns; their texts by name."""
    texts = {}
    for place, option in enumerate(rows):
        with columns[place % len(columns)]:
            texts[option.name] = widget(option, defaults[option.name])
    return texts


def widget(option, default):
    """An input for one row of the options table; its text, empty if nothing is set."""
    label, key = option.name.replace("_", " "), f"option-{option.name}"
    shown = option.typed(default)
    if option.kind is FLAG:
        return "on" if st.checkbox(label, help=option.help_line, key=key) else ""
    if option.kind is CHOICES:
        return ",".join(st.multiselect(label, option.choices, help=option.help_line, key=key))
    if option.choices and not option.axis:
        choice = st.selectbox(
            label, option.choices, index=None, placeholder=shown, help=option.help_line, key=key
        )
        return choice or ""
    return st.text_input(label, placeholder=shown, help=option.help_line, key=key).strip()


def option_arguments(given):
    """The options as arguments of the command line."""
    arguments = []
    for name, text in given.items():
        arguments += OPTIONS[name].arguments(text)
    return arguments


def member_count(command, task, given):
    """How many members the options give."""
    paired = "zip" in given
    values = {
        name: True if text == "on" else parse(name, text, paired=paired)
        for name, text in given.items()
    }
    resolved = resolve(values, command, task)
    lengths = [len(resolved[name]) for name in AXES]
    folds = (resolved["folds"] or 1) * resolved["fold_repeats"]
    if not paired:
        return math.prod(lengths) * folds
    if len({length for length in lengths if length > 1}) > 1:
        raise UsageError("zip needs lists of equal length.")
    return max(lengths) * folds


# ---------------------------------------------------------------- start


def start_or_estimate(arguments, source, runs):
    """The buttons under the options."""
    if "name" not in st.session_state:
        base = source if source.startswith("task") else "table"
        st.session_state["name"] = default_folder(base, runs).name
    name = st.text_input("Name of the run", key="name")
    left, right = st.columns(2)
    if left.button("Start", type="primary", width="stretch", key="start"):
        processes.start(arguments, runs, name)
        del st.session_state["name"]
        go_to(view="runs", run=name)
    if right.button("Estimate the time", width="stretch", key="estimate"):
        with st.spinner("Training a few members for a moment ..."):
            plan = processes.estimate(arguments)
        st.info(
            f"{plan['members']:,} members, {plan['parameters']:,} parameters; at most "
            f"{seconds(plan['seconds'])} of training, {size(plan['memory_bytes'])} of memory and "
            f"{size(plan['disk_bytes'])} on disk."
        )
