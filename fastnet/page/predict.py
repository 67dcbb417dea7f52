"""The page's view that uses a model: a prediction for one row, and for a table of new rows."""

import io
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from fastnet.data import tables
from fastnet.data.dialect import PACKED
from fastnet.data.levels import MISSING, OTHER
from fastnet.data.schema import NUMERIC, Column
from fastnet.errors import UsageError
from fastnet.page.fields import plain
from fastnet.page.parts import errors_in_page, escape_markdown, in_rows, show_table
from fastnet.results import words
from fastnet.results.predictions import Predictions, evaluate, has_probabilities

MOST_FIELDS = 40  # of a form for one row
LEVELS = (0.9, 0.8, 0.5)  # of an interval: the first for which there are enough held-out rows
SHOWN = 200  # predicted rows that are shown


def predict_view(result):
    """Predict one row from its values, or the rows of a table."""
    with errors_in_page():
        model = result.model()
        st.header("One row", anchor=False)
        one_row(model, result.run)
        st.header("A table of new rows", anchor=False)
        new_rows(model, result.run)


# ---------------------------------------------------------------- one row


class Field(NamedTuple):
    """A value of a row: its column, and what is known of it from training."""

    column: Column
    low: float = 0.0
    high: float = 0.0
    example: object = None


def one_row(model, run):
    """Fields for the values of one row, and its prediction beside them."""
    found = fields_of(model)
    if len(found) > MOST_FIELDS:
        st.caption(f"A row has {len(found)} values; give them as a table.")
        return
    left, right = st.columns([3, 2], gap="large")
    with left:
        values = {}
        for one, place in in_rows(found, 2):
            with place:
                values[one.column.name] = field(one, f"row-{run}-{one.column.name}")
    with right, st.container(border=True), errors_in_page():
        show_prediction(model, pd.DataFrame([values]))


def fields_of(model):
    """The fields of a row, with values of a row that the model knows."""
    columns = model.columns or tuple(Column(name, "number") for name in model.features)
    found, at = [], 0
    for column in columns:
        width = len(column.inputs())
        known = model.examples[:1, at : at + width].ravel()
        low, high = (ends[at] for ends in (model.ranges.x_low, model.ranges.x_high))
        found.append(Field(column, float(low), float(high), example_of(column, known)))
        at += width
    return found


def example_of(column, known):
    """The value of a column in a row of which the inputs are known; None if it is not there."""
    if column.kind == "date":
        return date.today().isoformat()
    if column.kind == "category":
        return column.categories[int(known.argmax())] if known.any() else None
    if not known.size:
        return None
    if column.kind == "ordinal":
        return column.categories[round(known[0])]
    return bool(known[0]) if column.kind == "boolean" else float(known[0])


def field(one, key):
    """The field of one value; the value, None if it is missing."""
    column = one.column
    if column.kind in NUMERIC and column.kind != "boolean":
        return number_field(one, key)
    if column.kind == "date":
        return st.text_input(column.name, one.example, key=key, help="Such as 2020-01-31.") or None
    choices = [True, False] if column.kind == "boolean" else list(column.categories)
    choices = [level for level in choices if level not in (OTHER, MISSING)]
    choices += [OTHER] * (column.shares and column.kind == "category")
    index = choices.index(one.example) if one.example in choices else None
    missing = "missing" if column.fill is not None else "choose"
    return st.selectbox(column.name, choices, index=index, placeholder=missing, key=key)


def number_field(one, key):
    """The field of a number, with the range of the training rows."""
    example = one.low if one.example is None else one.example
    told = f"In training: {words.number(one.low)} to {words.number(one.high)}."
    span = (one.high - one.low) or 1.0
    step = float(10.0 ** np.floor(np.log10(span / 20)))
    st.session_state.setdefault(key, float(example))  # with a `value` it could not be emptied
    value = st.number_input(one.column.name, value=None, step=step, format="%g", help=told, key=key)
    return np.nan if value is None else value


def show_prediction(model, row):
    """The prediction for a row: large, with its interval or its probabilities below."""
    missing = [name for name in row if row[name].isna().any() and needs(model, name)]
    if missing:
        st.info(f"Give a value for {', '.join(map(escape_markdown, missing))}.")
        return
    level = level_of(model)
    found = Predictions(model, row, proba=has_probabilities(model), interval=level)
    (frame,) = found
    for target in model.targets:
        st.metric(f"{target}, predicted", text_of(frame[target].iloc[0]))
        interval = interval_of(model, frame, target)
        if interval:
            share = f"{100 * level:g} %"
            st.markdown(f"{escape_markdown(interval)}, with a probability of {share}")
    if model.classes is not None:
        shares = zip(model.probability_names(), frame.filter(regex="^p_").iloc[0])
        rows = [[str(name), f"{100 * share:.1f} %"] for name, share in shares]
        show_table(["class", "probability"], rows)
    for notice in found.notices():
        st.warning(escape_markdown(notice))


def needs(model, name):
    """Whether a column must have a value."""
    fills = {column.name: column.fill for column in model.columns}
    return fills.get(name) is None


def level_of(model):
    """The level of intervals that the held-out rows allow; None without such rows."""
    for level in LEVELS if model.calibration is not None and not model.labels else ():
        try:
            model.calibration.quantile(level)
            return level
        except UsageError:
            continue
    return None


def interval_of(model, frame, target):
    """The interval of a prediction, or its set of classes, in words; empty without one."""
    if "set" in frame:
        names = frame["set"].iloc[0].replace("|", " or ")
        return f"{names or 'none of the classes'}"
    of = f"{target}_" if len(model.targets) > 1 else ""
    if f"{of}lower" not in frame:
        return ""
    low, high = (words.number(float(frame[f"{of}{end}"].iloc[0])) for end in ("lower", "upper"))
    return f"{low} to {high}"


def text_of(value):
    """A predicted number or label for people."""
    return words.number(float(value)) if isinstance(value, (float, np.floating)) else str(value)


# ---------------------------------------------------------------- a table


def new_rows(model, run):
    """Predict, and if the targets are known evaluate, the rows of an uploaded table."""
    targets = ", ".join(model.targets)
    st.caption(
        escape_markdown(
            f"The columns are found by their names. If the table has {targets}, too, the page says "
            "how good the predictions are."
        )
    )
    endings = [ending[1:] for ending in (*tables.FORMATS, *PACKED)]
    file = st.file_uploader("New rows: CSV, TSV, Excel, Parquet, ...", endings, key="new-rows")
    if file is None:
        return
    version = (Path(run) / "summary.json").stat().st_mtime_ns if run else 0
    frame, notices, known = predicted(model, run, version, file.name, file.getvalue())
    stem = file.name.partition(".")[0]
    st.download_button(
        f"Download {words.counted(len(frame), 'prediction')}",
        frame.to_csv(index=False).encode(),
        f"{stem}-predicted.csv",
        type="primary",
        key="predictions",
        on_click="ignore",
    )
    for notice in notices:
        st.warning(escape_markdown(plain(notice)))
    st.dataframe(frame.head(SHOWN), hide_index=True)
    if known is not None:
        st.subheader("Evaluation", anchor=False)
        header, rows = words.metric_cells({"new rows": known["metrics"]}, model.targets)
        show_table(["metric", *header[1:]], rows)
        st.caption(escape_markdown(words.baseline_line(known["metrics"])))
        if "level" in known:
            st.caption(escape_markdown(words.interval_line(known)))


@st.cache_data(max_entries=4, show_spinner="Predicting ...")
def predicted(_model, run, version, name, content):
    """The predictions of a table's rows beside its columns, notices, and how good they are."""
    columns = list(tables.read_table(named(name, content), reading=_model.schema.reading).columns)
    level, labelled = level_of(_model), {*_model.targets} <= {*columns}
    proba = has_probabilities(_model)
    found = Predictions(_model, named(name, content), proba=proba, keep=columns, interval=level)
    frame = pd.concat(list(found), ignore_index=True)
    known = evaluate(_model, named(name, content), interval=level) if labelled else None
    return frame, found.notices(), known


def named(name, content):
    """An uploaded file as one that is open."""
    file = io.BytesIO(content)
    file.name = name
    return file
