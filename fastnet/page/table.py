"""The part of the form that looks at a table: its rows, its target, each column with its cures."""

import re
from pathlib import Path

import streamlit as st

from fastnet import files
from fastnet.api import inspect
from fastnet.data import tables
from fastnet.data.dialect import PACKED, Reading, dialect_of, is_number, listed
from fastnet.data.examples import EXAMPLES, content_of
from fastnet.data.remarks import KINDS
from fastnet.options.table import OF_TEXT, OPTIONS, parse
from fastnet.page import form
from fastnet.page.fields import USES, plain
from fastnet.page.parts import escape_markdown
from fastnet.results.words import counted

# What the form says before the target is chosen that decides how a table is read.
OF_READING = (*OF_TEXT, "impute", "dates", "unknown", "min_level_count", "loss", "class_weight")
MOST_PILLS = 40  # names to click at; more are chosen from a list
MOST_ROWS = 40  # columns that are shown at once
ENOUGH_ROWS = 100  # from so many rows a fifth is suggested as a test set
KINDS_OF_USE = {  # what a column of a kind can be used for, beside what is found
    "number": ("exclude", "categorical", "group", "order", "weights"),
    "yes/no": ("exclude", "categorical", "group", "order"),
    "text": ("exclude", *form.LISTS[1:], "group", "order", "split_column"),
}
CURES = {
    "exclude": "Leave it out",
    "dates": "Use month, day of the year, ...",
    "impute": "Fill the gaps",
    "strip_units": "Take the unit away",
    "numeric": "Read numbers",
    "categorical": "Take it as categories",
    "min_level_count": "Join levels with fewer than {value} rows",
    "group": "Keep the rows of one group together",
    "loss": "Predict {value}",
    "no_header": "The first line is a row",
}
LOSSES = {"cross_entropy": "classes", "binary_cross_entropy": "two labels each"}
OBVIOUS = tuple(KINDS[kind][0] for kind in ("counter", "identifier"))  # left out without a doubt


# ---------------------------------------------------------------- the file


def uploaded(runs):
    """The path of an uploaded table, kept beside the runs under its own name; None before."""
    endings = [ending[1:] for ending in (*tables.FORMATS, *PACKED)]
    file = st.file_uploader("Drop a table: CSV, TSV, Excel, Parquet, ...", endings, key="upload")
    if file is not None and st.session_state.get("upload-id") != file.file_id:
        st.session_state["uploaded"] = str(kept_upload(runs, file.name, file.getvalue()))
        st.session_state["upload-id"] = file.file_id
    path = st.session_state.get("uploaded")
    if path and file is None:
        st.caption(escape_markdown(f"{Path(path).name} is chosen. Drop another to replace it."))
    elif not path:
        offer_examples(runs)
    return path


def offer_examples(runs):
    """Buttons for the tables that come with fastnet."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("Or try an example:", width="content")
        for name, one in EXAMPLES.items():
            if st.button(name, help=one.help, key=f"example-{name}"):
                path = str(kept_upload(runs, one.tables[0], content_of(one.tables[0])))
                form.forget_columns()
                for key, value in {"uploaded": path, "table": path, "target": [one.target]}.items():
                    st.session_state[key] = value
                st.rerun()


def kept_upload(runs, name, content):
    """Write an upload under its name; another content of that name gets a number.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as runs:
    ...     [kept_upload(runs, "../a b.csv", c).name for c in (b"x", b"y", b"x")]
    ['a-b.csv', 'a-b-2.csv', 'a-b.csv']
    """
    name = re.sub(r"[^\w.+-]+", "-", Path(name.replace("\\", "/")).name).lstrip(".-") or "table"
    stem, dot, ending = name.partition(".")
    folder, count = (Path(runs) / form.UPLOADS).absolute(), 1
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    while path.exists() and path.read_bytes() != content:
        count += 1
        path = folder / f"{stem}-{count}{dot}{ending}"
    if not path.exists():
        files.write_bytes(path, content)
    return path


# ---------------------------------------------------------------- the look


def view(path):
    """Show the table and what is to be said about it; the look at it."""
    if st.session_state.get("table") != path:
        form.forget_columns()
        st.session_state["table"] = path
    version, told = Path(path).stat().st_mtime_ns, told_of_reading()
    head, rows = first_rows(path, version, told)
    names = list(head.columns)
    show_rows(path, head, rows)
    ask_about_header(names)
    target = choose_target(names)
    found = look(path, version, tuple(target), (*told, *told_of_columns()))
    if not target:
        st.info("Choose what to predict: one column, or several columns of numbers.")
    suggest(rows)
    show_look(found)
    return found


def told_of_reading():
    """What the form says about reading a table: names and values, as far as given."""
    texts = {name: form.text_of(name) for name in OF_READING}
    values = {name: "on" == text or parse(name, text) for name, text in texts.items() if text}
    return tuple(values.items())


def told_of_columns():
    """What the form says about columns: names of options and values."""
    texts = {**form.of_columns(), "features": form.text_of("features")}
    return tuple((name, parse(name, text)) for name, text in texts.items() if text)


@st.cache_data(max_entries=8, show_spinner="Reading the table ...")
def first_rows(path, version, told):
    """The first rows of a table, and how many it has; read once for each version of the file."""
    values = {name: OPTIONS[name].default for name in OF_TEXT}
    values |= {name: value for name, value in told if name in OF_TEXT}
    table = tables.read_table(path, reading=Reading(dialect_of(values)))
    return table.frame.head(100), table.rows


@st.cache_data(max_entries=32, show_spinner="Looking at the table ...")
def look(path, version, target, told):
    """The document of fastnet inspect; made once for each version of the file."""
    return inspect(path, target=target, **dict(told))


def show_rows(path, head, rows):
    """The name, the size and the first rows of a table."""
    size = f"{counted(rows, 'row')}, {counted(len(head.columns), 'column')}"
    st.markdown(f"**{escape_markdown(Path(path).name)}** · {size}")
    st.dataframe(head, height=180, hide_index=True, key="preview")


def ask_about_header(names):
    """Ask whether the first line is a row, if a name of a column is a number."""
    cure = {"option": "no_header", "value": "on"}
    if is_set(cure, "") or any(map(is_number, names)):
        st.markdown(f"Some names look like values: {escape_markdown(listed(names, 5))}.")
        tick(cure, "")


def choose_target(names):
    """The columns to predict, clicked at."""
    st.session_state["target"] = [
        name for name in st.session_state.get("target") or () if name in names
    ]
    label = "What should be predicted?"
    if len(names) > MOST_PILLS:
        return st.multiselect(label, names, key="target")
    return st.pills(label, names, selection_mode="multi", key="target") or []


def suggest(rows):
    """Suggest a test set, once for each table that is large enough."""
    offered = st.session_state["offered"]
    if "" not in offered:
        offered[""] = []
        if rows >= ENOUGH_ROWS and not form.value("test_data"):
            form.set_value("test_fraction", "0.2")


# ---------------------------------------------------------------- columns


def show_look(found):
    """Each column with what is to be said about it, then the rest of the table."""
    columns, own = found["columns"], {c["problem"] for c in found["columns"]}
    for text in found["problems"]:
        if text not in own:
            st.error(escape_markdown(plain(text)))
    todo = suggestions(columns)
    remarked = [c for c in columns if is_remarkable(c)]
    if remarked:
        left, right = st.columns([3, 1], vertical_alignment="bottom")
        left.markdown("**Columns to decide about**")
        count = len(todo)
        label = f"Tick all suggestions ({count})"
        if count and right.button(label, key="tick-all", width="stretch"):
            for cure, name in todo:
                set_cure(cure, name, True)
            st.rerun()
    for facts in remarked[:MOST_ROWS]:
        show_column(facts)
    show_others([c for c in columns if c not in remarked])
    of_rows = [r["message"] for r in found["remarks"] if not r["columns"]]
    for text in (*of_rows, *found["notices"]):
        st.caption(escape_markdown(plain(text)))


def show_others(columns):
    """The columns about which nothing is to be said."""
    if not columns:
        return
    with st.expander(f"{counted(len(columns), 'column')} without remarks"):
        shown = columns[:MOST_ROWS]
        if len(columns) > MOST_ROWS:
            names = {c["column"]: c for c in columns}
            shown = [names[n] for n in st.multiselect("Columns", names, key="other-columns")]
        for facts in shown:
            show_column(facts)


def is_remarkable(facts):
    """Whether something is, or was, to be said about a column."""
    offered = st.session_state["offered"].setdefault(facts["column"], [])
    offered += [cure for cure in facts["cures"] if cure not in offered]
    return bool(offered or facts["problem"] or facts["remarks"])


def suggestions(columns):
    """The first cure of each column with a problem, and to leave out what only counts rows."""
    found = []
    for facts in columns:
        obvious = any(text.startswith(OBVIOUS) for text in facts["remarks"])
        if facts["cures"] and (facts["problem"] or obvious):
            found.append((facts["cures"][0], facts["column"]))
    return found


def show_column(facts):
    """A column: its content, what training makes of it, its problem or remarks, its cures."""
    name = facts["column"]
    with st.container(border=True, gap="small"):
        left, right = st.columns([3, 2], vertical_alignment="center")
        kind = f":gray-badge[{facts['kind']}]"
        left.markdown(f"**{escape_markdown(name)}** {kind}")
        left.caption(escape_markdown(content(facts)))
        with right:
            choose_use(facts)
        if facts["problem"]:
            text = reason(facts["problem"], name)
            st.markdown(
                f":red-badge[refused] {escape_markdown(text)}", help=plain(facts["problem"])
            )
        for text in facts["remarks"]:
            st.markdown(f":orange-badge[remark] {escape_markdown(text)}", help=cure_of_remark(text))
        with st.container(horizontal=True):
            for cure in st.session_state["offered"].get(name, ()):
                tick(cure, name)


def content(facts):
    """What a column holds, in words."""
    gaps = f"; {facts['missing']:,} missing" if facts["missing"] else ""
    if facts["low"] is not None:
        return f"{facts['low']:.6g} to {facts['high']:.6g}, mean {facts['mean']:.3g}{gaps}"
    levels = ", ".join(f"{level} ({count:,})" for level, count in (facts["levels"] or {}).items())
    more = ", ..." if facts["levels"] and facts["distinct"] > len(facts["levels"]) else ""
    return f"{counted(facts['distinct'], 'value')}: {levels}{more}{gaps}"


def choose_use(facts):
    """What a column is used for."""
    name = facts["column"]
    key = f"use-{name}"
    if facts["treatment"].startswith("target"):
        st.markdown(f":blue-badge[{facts['treatment']}]")
        st.session_state.pop(key, None)
        return
    now = st.session_state.get(key, "auto")
    uses = ["auto", *KINDS_OF_USE.get(facts["kind"], ("exclude", "order"))]
    uses += [now] * (now not in uses)
    words = {"auto": f"As found: {facts['treatment']}" if now == "auto" else "As found", **USES}
    st.session_state[key] = now
    st.selectbox(
        f"Use of {name}", uses, format_func=words.get, label_visibility="collapsed", key=key
    )
    if st.session_state[key] == "ordinal":
        levels = "<".join(facts["levels"] or ())
        st.session_state.setdefault(f"levels-{name}", f"{name}={levels}")
        st.text_input("From the lowest level to the highest", key=f"levels-{name}")


# ---------------------------------------------------------------- cures


def tick(cure, name):
    """A box that applies a cure, ticked where the form has it."""
    key = f"cure-{cure['option']}-{cure['value']}-{name}"
    st.session_state[key] = is_set(cure, name)
    st.checkbox(label_of_cure(cure), key=key, on_change=ticked, args=(cure, name, key))


def ticked(cure, name, key):
    """Apply or take back a cure."""
    set_cure(cure, name, st.session_state[key])


def is_set(cure, name):
    """Whether the form has a cure."""
    if cure["option"] in USES:
        return st.session_state.get(f"use-{name}") == cure["option"]
    return form.text_of(cure["option"]) == str(cure["value"])


def set_cure(cure, name, on):
    """Put a cure into the form, or take it out."""
    if cure["option"] in USES:
        st.session_state[f"use-{name}"] = cure["option"] if on else "auto"
    else:
        form.set_value(cure["option"], str(cure["value"]) if on else "")


def label_of_cure(cure):
    """What a cure does, in words."""
    value = LOSSES.get(cure["value"], "numbers") if cure["option"] == "loss" else cure["value"]
    return CURES[cure["option"]].format(value=value)


def reason(problem, name):
    """A problem without the name of its column and without its cures, which are boxes."""
    text = plain(re.split("; |: use ", problem)[0]).rstrip(".")
    return text.removeprefix(f"column {name!r} ").removeprefix(f"target {name!r} ") + "."


def cure_of_remark(text):
    """What is to be done after a remark."""
    return next(plain(cure) for title, cure in KINDS.values() if text.startswith(title))
