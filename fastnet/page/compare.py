"""The page's view of several finished runs, side by side."""

import pandas as pd
import streamlit as st

from fastnet import figures
from fastnet.page import processes
from fastnet.page.loading import load
from fastnet.page.parts import LOSS_FORMATS, errors_in_page, show_chart, theme


def compare(runs, names):
    """The answers of several finished runs, side by side."""
    results = {}
    for name in names:
        with errors_in_page():
            results[name] = load(processes.folder_of(runs, name))
    if len(results) > 1:
        show_chart(figures.compare(results, theme=theme()))
        table = pd.DataFrame(figures.compare.table(results))
        st.dataframe(table, hide_index=True, column_config=LOSS_FORMATS)
