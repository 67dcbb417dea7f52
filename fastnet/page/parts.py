"""The common parts of the page's views: the URL, the theme, charts, errors in one line."""

import contextlib
import re

import streamlit as st

from fastnet.errors import FastnetError
from fastnet.figures.style import alt

# A figure of fixed width scrolls on a narrow screen; its slider stands below it.
STYLE = """<style>
.vega-embed { display: block !important; overflow-x: auto; }
.vega-embed .vega-bindings { width: 100%; }
h1, h2, h3 { overflow-wrap: anywhere; }
</style>"""

LOSS_FORMATS = {  # 4 digits in tables: some losses are tiny
    name: st.column_config.NumberColumn(format="%.4g")
    for name in ("best loss", "best_loss", "median_loss", "train_loss", "val_loss", "test_loss")
}


def url_value(name, default=None):
    """A value of the URL's state."""
    return st.query_params.get(name, default)


def go_to(**state):
    """Put the state into the URL, and show the page again."""
    st.query_params.from_dict({name: str(value) for name, value in state.items()})
    st.rerun()


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


def show_figure(chart, result, key=None, **choices):
    """Show a figure of a result."""
    show_chart(chart(result, theme=theme(), **choices), key)


def show_chart(chart, key=None):
    """Show a chart, its title as text of the page: a chart would cut it off, the page wraps it."""
    st.markdown(f"**{escape_markdown(chart.title.text)}**")
    if chart.title.subtitle:
        st.caption(escape_markdown("; ".join(chart.title.subtitle)))
    chart = chart.copy(deep=False)
    chart.title, chart.background = alt.Undefined, "transparent"
    st.altair_chart(chart, theme=None, key=key)
