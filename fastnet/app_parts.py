"""What the views of the page share: the URL, the theme, charts, errors in one line."""

import contextlib

import streamlit as st

from fastnet.errors import FastnetError


def address(name, default=None):
    """A part of the URL's state."""
    return st.query_params.get(name, default)


def go(**state):
    """Show what `state` names, and put it into the URL."""
    st.query_params.from_dict({name: str(value) for name, value in state.items()})
    st.rerun()


def theme():
    """The colours the page is shown in: light or dark."""
    return getattr(st.context.theme, "type", None) or "light"


@contextlib.contextmanager
def told():
    """Show an error of fastnet in the page, as one line, in place of what failed."""
    try:
        yield
    except FastnetError as error:
        st.error(str(error))


def draw(chart, result, key=None, **choices):
    """Show a figure of a result."""
    st.altair_chart(chart(result, theme=theme(), **choices), theme=None, key=key)
