"""The Streamlit page: start runs, watch them, look at finished ones, learn backpropagation.

`fastnet ui` serves it. It is a thin layer: widgets become options of the command line, which trains
in a separate process; run folders become records, tables and figures. The URL holds the state of
the page, so it can be reloaded, shared and reopened.
"""

import os

import streamlit as st

from fastnet.page import learn, runs, train
from fastnet.page.parts import STYLE, go_to, url_value

VIEWS = {"train": train.view, "runs": runs.view, "learn": learn.view}
TITLES = {"train": "Train", "runs": "Runs", "learn": "Learn"}


def main():
    """Show the view that the URL names."""
    st.set_page_config(page_title="fastnet", layout="wide")
    name = url_value("view", "train")
    name = name if name in VIEWS else "train"
    st.html(STYLE)
    st.sidebar.title("fastnet")
    for other, title in TITLES.items():
        kind = "primary" if other == name else "secondary"
        if st.sidebar.button(title, type=kind, width="stretch", key=f"view-{other}"):
            go_to(view=other)
    VIEWS[name](os.environ.get("FASTNET_UI_RUNS", "runs"))


if __name__ == "__main__":
    main()
