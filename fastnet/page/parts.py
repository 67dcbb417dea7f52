"""The common parts of the page's views: the URL, the theme, charts, tables, errors in one line."""

import contextlib
import html
import inspect
import operator
import re

import streamlit as st

from fastnet.errors import FastnetError
from fastnet.figures.style import alt

LOSS_FORMATS = {  # 4 digits in tables: some losses are tiny
    name: st.column_config.NumberColumn(format="%.4g")
    for name in ("train loss", "val loss", "test loss")
}

IN_PLACE = {"-", "diverged", "not finite"}  # what stands in the place of a number in a table

# ---------------------------------------------------------------- the URL


def url_value(name, default=None):
    """A value of the URL's state."""
    return st.query_params.get(name, default)


def go_to(**state):
    """Put the state into the URL, and show the page again."""
    st.query_params.from_dict({name: str(value) for name, value in state.items()})
    st.rerun()


def to_url(name):
    """Put a widget's value into the URL; its callback: the widget has the name as its key."""
    value = st.session_state[name]
    if value:
        st.query_params[name] = str(value)
    elif name in st.query_params:
        del st.query_params[name]


def from_url(name, values=None):
    """Give the widget of this key the value in the URL, before it is shown.

    Parameters
    ----------
    name : str
    values : sequence of str, optional
        What the URL may say. Another value is told to the user.
    """
    asked = url_value(name)
    if asked is not None and (values is None or asked in values):
        st.session_state[name] = asked
    elif asked is not None:
        unknown_in_url(name, asked, values)


def follow(look, seen, every, is_due=operator.ne, meanwhile=None):
    """Draw the page again when it shows an older state of things.

    Parameters
    ----------
    look : callable
        Returns the state now.
    seen : object
        The state that the page shows: read once, before anything was drawn by it.
    every : float
        Seconds between two looks.
    is_due : callable
        Tells from the state now and the one seen whether to draw; by default when they differ.
    meanwhile : callable, optional
        Called after each look that draws nothing: what it shows is shown in the place of follow().
    """

    @st.fragment(run_every=every)
    def watch():
        if is_due(look(), seen):
            st.rerun()
        if meanwhile is not None:
            meanwhile()

    watch()


def unknown_in_url(name, asked, values):
    """Say that the URL asks for something that is not there."""
    names = ", ".join(values)
    st.warning(escape_markdown(f"The address asks for {name} {asked!r}; there are {names}."))


# ---------------------------------------------------------------- text and tables


def theme():
    """The theme that the page is shown in: light or dark."""
    return getattr(st.context.theme, "type", None) or "light"


@contextlib.contextmanager
def errors_in_page():
    """Show an error of fastnet in the page, as one line, in place of the failed part."""
    try:
        yield
    except (FastnetError, OSError) as error:
        st.error(escape_markdown(str(error)))


def escape_markdown(text):
    """The text with every character of Markdown escaped."""
    return re.sub(r"([\\`*_\[\]<>~$])", r"\\\1", text)


def in_rows(items, count):
    """Each of the items with its place, `count` in a row; a narrow screen keeps their order."""
    for first in range(0, len(items), count):
        yield from zip(items[first : first + count], st.columns(count))


def show_table(header, rows, caption=None):
    """A small table; on a narrow screen each row becomes a block of name and value.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequence of str
    caption : str, optional
    """
    sides = [side(column) for column in zip(*rows)] or [""] * len(header)
    header = [html.escape(title) for title in header]
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    head = "".join(f'<th scope="col"{at}>{name}</th>' for name, at in zip(header, sides))
    body = "".join(f"<tr>{row_cells(header, sides, row)}</tr>" for row in rows)
    st.html(
        f'<table class="plain">{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    )


def side(cells):
    """The attribute of a column's cells: numbers stand at the right, texts at the left."""
    numbers = [bool(re.match("[-+\N{MINUS SIGN}]?\\d", text)) for text in cells]
    others = {text for text, is_number in zip(cells, numbers) if not is_number}
    numbers = others <= IN_PLACE and (any(numbers) or others == {"-"})
    return ' class="number"' if numbers else ""


def row_cells(header, sides, row):
    """The cells of one row of show_table(); `header` is escaped."""
    return "".join(
        f'<td data-label="{name}"{at}>{html.escape(text)}</td>'
        for name, at, text in zip(header, sides, row)
    )


def without_none():
    """The argument of st.dataframe() that leaves missing values empty, where Streamlit has it."""
    there = "placeholder" in inspect.signature(st.dataframe).parameters
    return {"placeholder": ""} if there else {}


# ---------------------------------------------------------------- charts


def show_figure(chart, result, key=None, **choices):
    """Show a figure of a result."""
    show_chart(chart(result, theme=theme(), **choices), key)


def show_chart(chart, key=None, untitled=""):
    """Show a chart, its title as text of the page: a chart would cut it off, the page wraps it.

    The title is also what a screen reader says of the chart. It is left out if it is `untitled`:
    what stands above the chart already.
    """
    text, under = chart.title.text, "; ".join(chart.title.subtitle or [])
    if text != untitled:
        st.markdown(f"**{escape_markdown(text)}**")
    if under:
        st.caption(escape_markdown(under))
    chart = chart.copy(deep=False)
    chart.description = f"{text}. {under}" if under else text
    chart.title, chart.background = alt.Undefined, "transparent"
    st.altair_chart(chart, theme=None, key=key)
