"""The page's downloads: the files of a run folder, and exports made from it."""

import io
import shlex
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from fastnet import export, report
from fastnet.page.parts import errors_in_page
from fastnet.results.reading import read_json, read_model

RUN_FILES = (
    *("model.npz", "members.csv", "weights.npz"),
    *("history.npz", "config.json", "summary.json"),
)
EXPORTS = (
    ("C header", "c"),
    ("Python file, NumPy alone", "numpy"),
    ("JavaScript module", "js"),
    ("Structured Text of a controller", "st"),
    ("ONNX", "onnx"),
)


def files_view(result):
    """Buttons for existing files, and for exports, which are made on request."""
    folder = Path(result.run)
    stem = export.stem_of(folder)
    left, middle, right = st.columns(3)
    with left:
        st.markdown("**To read and to use**")
        made("Report (one HTML file)", lambda: report.report(result), f"{stem}-report.html", folder)
        button("Best weights and biases (npy in a zip)", best_npy(folder), f"{stem}-best.zip")
    with middle:
        st.markdown("**Files of the run folder**")
        for path in (folder / name for name in RUN_FILES):
            if path.is_file():
                button(path.name, path.read_bytes, f"{stem}-{path.name}")
    with right:
        st.markdown("**The best network for other programs**")
        for label, to in EXPORTS:
            name = export.default_path(folder, to).name
            made(label, lambda to=to: exported(folder, to), name, folder)
    show_environment(result, folder)


def show_environment(result, folder):
    """The command and the environment of the run."""
    with st.expander("The command and environment of this run"):
        st.code(shlex.join(result.environment["command_line"]), language="sh")
        with errors_in_page():
            st.json(read_json(folder, "environment.json"), expanded=False)


def button(label, content, name, place=st):
    """A download of a file."""
    key = f"file-{name}"
    place.download_button(label, content, name, key=key, width="stretch", on_click="ignore")


def made(label, content, name, folder):
    """A file that is made when it is asked for: while it is made, a sign says so."""
    place, key = st.empty(), f"made-{folder}-{name}"
    if key not in st.session_state:
        if not place.button(label, key=f"make-{name}", width="stretch"):
            return
        with place, errors_in_page(), st.spinner(f"Making {name} ..."):
            st.session_state[key] = content()
    if key in st.session_state:
        button(f"Download {name}", st.session_state[key], name, place)


def best_npy(folder):
    """The best member's arrays as a zip of npy files, those of raw inputs among them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((folder / "best").rglob("*.*")):
            archive.write(path, path.relative_to(folder / "best"))
    return packed.getvalue()


def exported(folder, to):
    """The best member as a file of another format."""
    with TemporaryDirectory() as place:
        path = Path(place) / export.default_path(folder, to)
        export.write(read_model(folder), to, path, about=export.about(folder))
        return path.read_bytes()
