"""The state of the form that starts a run: it outlives other views, and a run can fill it.

All of it stands in the session under the keys of its widgets.
"""

from pathlib import Path

import streamlit as st

from fastnet import files
from fastnet.errors import UsageError
from fastnet.options.kinds import CHOICES, FLAG
from fastnet.options.table import OPTIONS
from fastnet.page import processes
from fastnet.page.parts import errors_in_page, go_to
from fastnet.results import again
from fastnet.results.reading import read_json, read_options
from fastnet.shapes import Leaf, one_of
from fastnet.training.strengths import PRUNE_AFTER, STRENGTHS

SOURCES = {
    "task1": "A function",
    "task2": "Handwritten digits",
    "upload": "Your table",
    "file": "A table on this machine",
}
COMMANDS = {
    "train": "One network that reaches the target",
    "sweep": "How small N1 can be",
    "smallest": "The smallest N1, decided",
}
UPLOADS = ".uploads"  # folder beside the runs
KEPT = ("command", "source", "path", "uploaded", "target", "name")
PREFIXES = ("option-", "use-", "levels-")
# What a column can be used for beside an input as found, each an option that names columns.
LISTS = ("exclude", "categorical", "numeric", "strip_units", "ordinal")
ROLES = ("group", "order", "weights", "split_column")
# The file of a form: its choices, and the values of its fields by their keys.
FIELD = Leaf(
    "a text, true, false, null or a list of texts",
    lambda value: (
        value is None
        or isinstance(value, (str, bool))
        or (isinstance(value, list) and all(isinstance(one, str) for one in value))
    ),
)
FORM = {"command": one_of(COMMANDS), "source": one_of(SOURCES), str: FIELD}


def keep():
    """Keep the form while another view is shown: Streamlit forgets widgets that are not drawn."""
    for key, value in contents().items():
        st.session_state[key] = value


def contents():
    """The form's values by key."""
    return {key: st.session_state[key] for key in st.session_state if is_kept(key)}


def is_kept(key):
    """Whether a key of the session belongs to the form."""
    return key in KEPT or key.startswith(PREFIXES)


def replace(values):
    """Put other values into the form."""
    for key in contents():
        del st.session_state[key]
    for key, value in values.items():
        st.session_state[key] = value
    path = values.get("uploaded" if values["source"] == "upload" else "path")
    st.session_state["table"] = path and absolute(path)
    st.session_state["offered"] = {"": []}  # nothing is suggested


def absolute(path):
    """A path as people type it, in full."""
    return str(Path(path).expanduser().absolute())


def forget_columns():
    """Drop what was said about the columns of another table."""
    for key in contents():
        if key == "target" or key.startswith(("use-", "levels-")):
            del st.session_state[key]
    for name in ("features", "test_fraction"):
        st.session_state.pop(f"option-{name}", None)
    st.session_state["offered"] = {}


# ---------------------------------------------------------------- values


def value(name):
    """What the form says about an option: a text, a list or a truth; empty if nothing."""
    return st.session_state.get(f"option-{name}")


def set_value(name, text):
    """Put an option into the form as its text on the command line; an empty text removes it."""
    option, key = OPTIONS[name], f"option-{name}"
    if not text:
        st.session_state.pop(key, None)
    elif option.kind is FLAG:
        st.session_state[key] = True
    elif is_multiple(option):
        st.session_state[key] = text.split(",")
    else:
        st.session_state[key] = text


def text_of(name):
    """What the form says about an option, as its text on the command line."""
    found = value(name)
    if isinstance(found, (list, tuple)):
        return ",".join(map(quoted, found))
    return "on" if found is True else (found or "").strip()


def is_multiple(option):
    """Whether several of its choices can be picked; paired lists may repeat them, and are typed."""
    paired = option.axis and st.session_state.get("option-zip")
    return option.kind is CHOICES or bool(option.choices and option.axis and not paired)


def quoted(name):
    """A name as it stands in a list of names."""
    return '"' + name.replace('"', '""') + '"' if '"' in name or name != name.strip() else name


def of_columns():
    """The options that the choices beside the columns make, as texts by name."""
    named = {}
    for key, use in sorted(contents().items(), key=lambda item: item[0]):
        if key.startswith("use-") and use != "auto":
            named.setdefault(use, []).append(key.removeprefix("use-"))
    orders = [st.session_state.get(f"levels-{name}", "") for name in named.pop("ordinal", [])]
    texts = {use: ",".join(map(quoted, names)) for use, names in named.items()}
    return texts | ({"ordinal": ",".join(filter(None, orders))} if any(orders) else {})


# ---------------------------------------------------------------- from a run


def again_button(runs, name):
    """A button that opens the form as it was when a run was started, or as its folder says."""
    if not st.button("Change and run again", key="again"):
        return
    with errors_in_page():
        replace(st.session_state.get("forms", {}).get(name) or of_run(runs, name))
        go_to(view="train")


def remember(runs, name):
    """Keep the form beside the name of the run that it started, also in a file."""
    values = {key: value for key, value in contents().items() if key != "name"}
    st.session_state.setdefault("forms", {})[name] = values
    files.write_json(processes.form_file(runs, name), values)


def remembered(runs, name):
    """The form that started a run which left nothing itself."""
    file = processes.form_file(runs, name)
    if not file.is_file():
        raise UsageError(f"{name} did not begin, so its options are not known; choose them anew.")
    values = read_json(file.parent, file.name, FORM)
    return {key: value for key, value in values.items() if is_kept(key)}


def of_run(runs, name):
    """The form that would start a run, from its config.json, or as it was if there is none."""
    folder = processes.folder_of(runs, name)
    if not (folder / "config.json").is_file():
        return remembered(runs, name)
    config = read_json(folder, "config.json")
    options, task, command = read_options(folder, config), config["task"], config["command"]
    if task is None and options["data"] is None:
        raise UsageError(f"{name} was trained on arrays in Python, which the page does not have.")
    given = without_strengths(again.chosen(task, command, options), task)
    values = {"command": command, **of_data(runs, task, given.pop("data", None))}
    values["target"] = list(given.pop("target", ()))
    for role in (*LISTS, *ROLES):
        values |= of_role(role, given.pop(role, None))
    return {**values, **{f"option-{n}": widget_value(OPTIONS[n], v) for n, v in given.items()}}


def without_strengths(given, task):
    """The options without the strengths of l2 that a table takes by itself."""
    l2 = given.get("l2", ())
    found = task is None and len(l2) == len(STRENGTHS) and STRENGTHS
    if not found or any(abs(a * found[1] / l2[1] - b) > 1e-6 * b for a, b in zip(l2, found)):
        return given
    hidden = ("l2", "prune_l2") if given.get("prune_l2") == PRUNE_AFTER else ("l2",)
    return {name: value for name, value in given.items() if name not in hidden}


def of_data(runs, task, data):
    """Where the samples come from."""
    if task is not None:
        return {"source": f"task{task}"}
    is_upload = Path(data).parent == (Path(runs) / UPLOADS).absolute()
    return {"source": "upload", "uploaded": data} if is_upload else {"source": "file", "path": data}


def of_role(role, names):
    """The choices beside the columns that an option names."""
    if role != "ordinal":
        names = [names] if isinstance(names, str) else names or ()
        return {f"use-{name}": role for name in names}
    pairs = [(text.partition("=")[0], text) for text in names or ()]
    return {f"use-{n}": role for n, _ in pairs} | {f"levels-{n}": text for n, text in pairs}


def widget_value(option, found):
    """The value of an option as its widget holds it."""
    if option.kind is FLAG:
        return found
    repeats = isinstance(found, tuple) and len(set(found)) < len(found)
    if isinstance(found, tuple) and option.choices and not repeats:
        return list(found)
    if option.name == "features":
        return list(found)
    return option.typed(found)
