"""The Streamlit page: start runs, watch them, look at finished ones, learn backpropagation.

`fastnet ui` serves it. It is a thin layer: widgets become options of the command line, which trains
in a separate process; run folders become records, tables and figures. The URL holds the state of
the page, so it can be reloaded, shared and reopened.
"""

import os

import streamlit as st

from fastnet.page import form, learn, look, runs, train
from fastnet.page.parts import go_to, theme, unknown_in_url, url_value

VIEWS = {"train": train.view, "runs": runs.view, "learn": learn.view}
TITLES = {"train": "Train", "runs": "Runs", "learn": "Learn"}


def main():
    """Show the view that the URL names."""
    asked = url_value("view", "train")
    name = asked if asked in VIEWS else "train"
    st.set_page_config(page_title=tab_title(name), page_icon=ICON, layout="wide")
    st.html(look.css(theme()))
    form.keep()
    navigation(name)
    if asked != name:
        unknown_in_url("view", asked, VIEWS)
    VIEWS[name](os.environ.get("FASTNET_UI_RUNS", "runs"))


ICON = "data:image/svg+xml," + (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
    "<path d='M2 8L8 3L14 8L8 13Z' fill='none' stroke='%232c66b8' stroke-width='1.5'/>"
    "<g fill='%232c66b8'><circle cx='2.5' cy='8' r='2'/><circle cx='13.5' cy='8' r='2'/></g>"
    "<g fill='%23d97706'><circle cx='8' cy='3' r='2'/><circle cx='8' cy='13' r='2'/></g></svg>"
)


def tab_title(view):
    """The title of the browser's tab: what is open."""
    return f"{url_value('run') or TITLES[view]} · fastnet"


def navigation(current):
    """The name of the page and its views, in one line."""
    with st.container(horizontal=True, vertical_alignment="center", key="nav"):
        st.html('<span class="brand">fastnet</span>', width="content")
        for name, title in TITLES.items():
            kind = "primary" if name == current else "tertiary"
            if st.button(title, type=kind, key=f"view-{name}"):
                go_to(view=name)


if __name__ == "__main__":
    main()
