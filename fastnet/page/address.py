"""The form's state in the URL: a link gives the form back with all that is not at its default."""

from pathlib import Path

import streamlit as st

from fastnet.data.examples import EXAMPLES, content_of
from fastnet.errors import UsageError
from fastnet.options.kinds import FLAG
from fastnet.options.table import OPTIONS, parse
from fastnet.page import form
from fastnet.page.fields import errors_in_form
from fastnet.page.parts import escape_markdown
from fastnet.page.table import kept_upload

CHOICES = {"command": form.COMMANDS, "source": form.SOURCES}
USUAL = {name: next(iter(choices)) for name, choices in CHOICES.items()}


# ---------------------------------------------------------------- from the URL


def read(runs):
    """Fill the form with what the URL asks for, unless the form wrote that itself.

    What cannot be is told in one line for each value, and left out.
    """
    asked = {name: text for name, text in st.query_params.items() if name != "view"}
    if not asked or asked == st.session_state.get("address"):
        return
    values, taken = dict(USUAL), []
    for name, text in asked.items():
        with errors_in_form():
            values |= values_of(runs, name, text, asked)
            taken.append(name)
    form.replace(values)
    st.session_state["asked"] = taken


def values_of(runs, name, text, asked):
    """The values of the form, by key, that one value of the URL stands for."""
    if name in CHOICES:
        return {name: known(name, text)}
    if name == "data":
        return of_data(runs, asked.get("source"), text)
    if name not in OPTIONS:
        raise UsageError(f"The address asks for {name!r}, which is no option of this form.")
    found = flag(name, text) if OPTIONS[name].kind is FLAG else parse(name, text, "zip" in asked)
    if name == "target":
        return {"target": list(found or ())}
    if name in (*form.LISTS, *form.ROLES):
        return form.of_role(name, found)
    return {f"option-{name}": form.widget_value(OPTIONS[name], found)}


def known(name, text):
    """A choice above the options, refused if there is no such one."""
    if text not in CHOICES[name]:
        raise UsageError(
            f"The address asks for {name} {text!r}; there are {', '.join(CHOICES[name])}."
        )
    return text


def flag(name, text):
    """What a link says about an option that is on or off."""
    if text != "on":
        raise UsageError(f"--{name.replace('_', '-')} is 'on' in an address, got {text!r}.")
    return True


def of_data(runs, source, text):
    """The table that a link names: an example, an upload that is kept here, or a path."""
    if source == "file":
        return {"path": text}
    if source != "upload":
        raise UsageError(
            f"The address asks for data {text!r}, but for no table; add source=upload for an "
            "example or an upload, or source=file for a path."
        )
    if text in EXAMPLES:
        table = EXAMPLES[text].tables[0]
        return {"uploaded": str(kept_upload(runs, table, content_of(table)))}
    path = (Path(runs) / form.UPLOADS / Path(text).name).absolute()
    if Path(text).name != text or not path.is_file():
        raise UsageError(f"There is no upload {text!r} here; drop the table again.")
    return {"uploaded": str(path)}


# ---------------------------------------------------------------- into the URL


def write(given, path):
    """Put the form into the URL, and say what of a link has no effect.

    Parameters
    ----------
    given : dict
        The options that were set, as texts by name.
    path : str or None
        Of the table.
    """
    state = {n: st.session_state[n] for n in CHOICES if st.session_state[n] != USUAL[n]}
    if path:
        state |= {"data": name_of(path, st.session_state["source"])}
        target = ",".join(map(form.quoted, st.session_state.get("target") or ()))
        state |= {"target": target} if target else {}
    state |= given
    for name in st.session_state.pop("asked", ()):
        if name not in (*CHOICES, *state):
            text = f"The address asks for {name}, which has no effect here; it is left out."
            st.warning(escape_markdown(text))
    if {name: text for name, text in st.query_params.items() if name != "view"} != state:
        st.query_params.from_dict({"view": "train", **state})
    st.session_state["address"] = state


def name_of(path, source):
    """The name of a table in the URL: that of an example or upload, or its path."""
    if source == "file":
        return st.session_state["path"]
    name = Path(path).name
    for example, one in EXAMPLES.items():
        if one.tables[0] == name and Path(path).read_bytes() == content_of(name):
            return example
    return name
