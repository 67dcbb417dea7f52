"""The Streamlit page: start runs and watch them, look back, learn backpropagation.

`fastnet ui` serves it. It is a skin: widgets become options of the command line, which trains in
a process of its own; run folders become records, tables and figures. What is shown stands in the
URL, so a page can be reloaded, shared and reopened.
"""

import os

import streamlit as st

from fastnet.page import learn as app_learn
from fastnet.page import runs as app_runs
from fastnet.page import train as app_train
from fastnet.page.parts import STYLE, address, go

VIEWS = {"train": app_train.show, "runs": app_runs.show_view, "learn": app_learn.show}
TITLES = {"train": "Train", "runs": "Runs", "learn": "Learn"}


def main():
    """Show the view that the URL names."""
    st.set_page_config(page_title="fastnet", layout="wide")
    view = address("view", "train")
    view = view if view in VIEWS else "train"
    st.html(STYLE)
    st.sidebar.title("fastnet")
    for name, title in TITLES.items():
        kind = "primary" if name == view else "secondary"
        if st.sidebar.button(title, type=kind, width="stretch", key=f"view-{name}"):
            go(view=name)
    VIEWS[view](os.environ.get("FASTNET_UI_RUNS", "runs"))


if __name__ == "__main__":
    main()
