"""The form's fields: one for each row of the option table, in its groups, if it has an effect."""

import contextlib
import re

import numpy as np
import streamlit as st

from fastnet.data import tasks
from fastnet.errors import FastnetError
from fastnet.figures.style import SETS, alt
from fastnet.options.defaults import COMPARED, defaults_beside, is_auto
from fastnet.options.kinds import FLAG, SEEDS
from fastnet.options.methods import CLASSIFIERS, FIRST_ORDER
from fastnet.options.table import GROUPS, OF_DATA, OF_TASK_1, OPTIONS, TABLE, parse
from fastnet.options.targets import has_target
from fastnet.page import form
from fastnet.page.parts import escape_markdown, in_rows

# What a column can be used for.
USES = {
    "exclude": "Left out",
    "categorical": "Categories",
    "numeric": "Numbers",
    "strip_units": "Numbers, without their unit",
    "ordinal": "Levels in an order",
    "group": "Groups whose rows stay together",
    "order": "Order of the rows",
    "weights": "Weights of the rows",
    "split_column": "Names of the sets",
}
LABELS = {
    **USES,
    "n1": "Hidden units N1",
    "l2": "L2 penalty",
    "lr_patience": "Patience of the learning rate",
    "lr_factor": "Factor of the learning rate",
    "target_rmse": "Target RMSE",
    "target_r2": "Target R2",
    "zip": "Pair the lists of values (zip)",
    "na_values": "Texts that are missing values",
    "min_level_count": "Fewest rows of a category",
    "unknown": "Unknown categories",
    "impute": "Missing values",
    "init": "Initial weights",
    "dtype": "Type of numbers",
    "max_epochs": "Most epochs",
    "no_header": "The first line is a row",
}
ALWAYS = ("n1", "seeds", "optimizer", "max_epochs")  # above the others
OF_TABLE = ("data", *OF_DATA)
BESIDE_COLUMNS = ("data", "target", *form.LISTS, *form.ROLES)
CLASS_TARGETS = ("target_accuracy", "target_log_loss")
NUMBER_TARGETS = ("target_rmse", "target_r2")
FACTOR_SCHEDULES = ("plateau", "step", "exponential")


def label_of(name):
    """The name of an option on the page."""
    return LABELS.get(name) or name.replace("_", " ").capitalize()


def plain(text):
    """A message with the page's names of options in place of those of the command line.

    Examples
    --------
    >>> plain("fill it in or use --impute median.")
    'fill it in or use "Missing values" median.'
    """

    def named(match):
        name = match[1].replace("-", "_")
        return f'"{label_of(name)}"' if name in OPTIONS else match[0]

    return re.sub(r"--([a-z][a-z0-9-]*[a-z0-9])", named, text)


@contextlib.contextmanager
def errors_in_form():
    """Show an error beside the form, which stays, in the page's words."""
    try:
        yield
    except (FastnetError, OSError) as error:
        st.error(escape_markdown(plain(str(error))))


def chosen_options(command, task, loss=None, columns=()):
    """Show the fields; the options that were set, as texts by name.

    Parameters
    ----------
    command : str
    task : 1, 2 or "data"
    loss : str, optional
        What is minimised, if it is known; None shows the fields of all losses.
    columns : sequence of str
        Names in the table.
    """
    usual = usual_values(command, task)
    method = COMPARED[:1] if is_auto(usual["optimizer"]) else usual["optimizer"]
    now = {**usual, "optimizer": method}
    offered = [option for option in TABLE if applies(option, command, task, loss, now)]
    first = main_names(task, loss)
    main = [option for option in offered if option.name in first]
    if task == 1:
        show_function(usual)
    show(main, usual, columns, wide=True)
    with st.expander("More options"):
        groups = {group: rows_of(group, offered, first) for group in GROUPS}
        groups = {group: rows for group, rows in groups.items() if rows}
        tabs = st.tabs([GROUPS[group] for group in groups])
        for tab, rows in zip(tabs, groups.values()):
            with tab:
                show(rows, usual, columns)
    texts = {option.name: form.text_of(option.name) for option in offered}
    texts |= form.of_columns() if task == "data" else {}
    return {name: text for name, text in texts.items() if text}


def rows_of(group, offered, first):
    """The rows of a group that are not shown elsewhere."""
    hidden = (*first, "function")
    return [option for option in offered if option.group == group and option.name not in hidden]


def main_names(task, loss):
    """The options that stand above the others."""
    if task != "data":
        return (*ALWAYS, "learning_rate", "target_loss")
    target = "target_accuracy" if loss in CLASSIFIERS else "target_rmse"
    return (*ALWAYS, target, "test_fraction")


def usual_values(command, task):
    """The default of every option beside those that the form has so far."""
    given = {}
    for option in TABLE:
        text = form.text_of(option.name)
        if text and command in option.commands and option.name not in form.LISTS:
            try:
                given[option.name] = True if text == "on" else parse(option.name, text, paired=True)
            except FastnetError:
                continue  # the count of members says so
    return defaults_beside(given, command, task) | given


def applies(option, command, task, loss, usual):
    """Whether an option has an effect with what is chosen."""
    name = option.name
    if command not in option.commands or name in BESIDE_COLUMNS:
        return False
    if name in OF_TASK_1:
        return task == 1
    if name in (*OF_TABLE, "impute", "class_weight", "loss") and task != "data":
        return False
    if name in (*CLASS_TARGETS, "class_weight") and loss and loss not in CLASSIFIERS:
        return False
    if name in NUMBER_TARGETS and loss not in (None, "squared"):
        return False
    if option.users:
        return uses(option, usual, loss)
    return OF_OTHERS.get(name, lambda usual: True)(usual)


# Options that have an effect beside certain values of others.
OF_OTHERS = {
    "lr_factor": lambda usual: bool(
        {*usual["schedule"]} & {*FACTOR_SCHEDULES} and {*usual["optimizer"]} & {*FIRST_ORDER}
    ),
    "shard": lambda usual: False,  # shards are trained by scripts
    "fold_repeats": lambda usual: usual["folds"] is not None,
    "within": lambda usual: not has_target(usual),
    "stop": lambda usual: usual["stop"] != "decided",
}


def uses(option, usual, loss):
    """Whether a chosen method uses an option."""
    choice, users = option.users
    chosen = usual[choice] if choice != "loss" else (usual["loss"] or loss,)
    if choice == "schedule" and not {*usual["optimizer"]} & {*FIRST_ORDER}:
        return False
    return bool({*chosen} & {*users})


# ---------------------------------------------------------------- widgets


def show(rows, usual, columns, wide=False):
    """A field for each row of the option table, in columns."""
    for option, place in in_rows(rows, min(len(rows), 6) if wide else 3):
        with place:
            field(option, usual[option.name], columns)


def field(option, default, columns):
    """The field of one option; an empty one keeps the default, which it shows."""
    key, shown = f"option-{option.name}", shown_default(option, default)
    given = {"key": key, "help": option.help_line}
    label, choices = label_of(option.name), choices_of(option, columns)
    if option.kind is FLAG:
        limit(key, (True, False))
        st.checkbox(label, **given)
    elif choices and (form.is_multiple(option) or option.name == "features"):
        limit(key, choices)
        st.multiselect(label, choices, placeholder=shown, **given)
    elif choices and not option.axis:
        limit(key, choices)
        st.selectbox(label, choices, index=None, placeholder=shown, **given)
    else:
        typed_again(key)
        st.text_input(label, placeholder=shown, **given)


def shown_default(option, default):
    """A default in words."""
    if option.kind is SEEDS and len(default) == 1:
        return f"only {default[0]}"
    if option.name == "loss" and default is None:
        return "by the target"
    return option.typed(default) or "none"


def choices_of(option, columns):
    """What can be picked for an option; empty where it is typed."""
    if option.name == "features":
        return list(columns)
    if option.name == "stop":
        return ["first", "all"]
    extra = ["none"] * (option.none and option.default is not None and bool(option.choices))
    return [*option.choices, *extra]


def limit(key, choices):
    """Drop what a field of other choices had, such as that of another table."""
    found = st.session_state.get(key)
    if isinstance(found, list):
        st.session_state[key] = [one for one in found if one in choices]
    elif found is not None and found not in choices:
        del st.session_state[key]


def typed_again(key):
    """Picked values as a text, where they are typed now."""
    if isinstance(st.session_state.get(key), list):
        st.session_state[key] = ",".join(st.session_state[key])


def show_function(usual):
    """The function of task 1, with its formula and picture."""
    left, right = st.columns([2, 1], vertical_alignment="center")
    key, names = "option-function", list(tasks.FUNCTIONS)
    limit(key, names)
    name = left.selectbox(
        "Function",
        names,
        index=None,
        placeholder=usual["function"],
        format_func=lambda name: f"{name}: {tasks.FUNCTIONS[name].formula}",
        help=OPTIONS["function"].help_line,
        key=key,
    )
    function = tasks.FUNCTIONS[name or OPTIONS["function"].default]
    left.caption(f"{function.formula} on [{function.low:g}, {function.high:g}]")
    with right:
        st.altair_chart(picture(function), theme=None)


def picture(function):
    """A small picture of a function."""
    x = np.linspace(function.low, function.high, 400)
    rows = [{"x": a, "y": b} for a, b in zip(x.tolist(), function.f(x).tolist())]
    line = alt.Chart(alt.Data(values=rows), background="transparent", height=70, width="container")
    ends = {n: [min(row[n] for row in rows), max(row[n] for row in rows)] for n in "xy"}
    x, y = alt.X("x:Q", axis=None), alt.Y("y:Q", axis=None)
    x, y = (axis.scale(domain=ends[n], nice=False) for n, axis in (("x", x), ("y", y)))
    return line.mark_line(color=SETS["train"]).encode(x, y).configure_view(stroke=None)
