"""The page's downloads: what a run's folder holds, and what can be made of it."""

import io
import shlex
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from fastnet import export, report
from fastnet.page.parts import told
from fastnet.results.reading import read_json, read_model

WHOLE = ("model.npz", "members.csv", "weights.npz", "history.npz", "config.json", "summary.json")
EXPORTS = (("C header", "c", "h"), ("Python file, NumPy alone", "numpy", "py"))
EXPORTS += (("ONNX", "onnx", "onnx"),)


def downloads(result):
    """Buttons for files as they are and for exports, which are made when asked for."""
    folder = Path(result.run)
    kinds = st.columns(3)
    with kinds[0]:
        st.markdown("**To read and to use**")
        button("Report (one HTML file)", lambda: report.report(result), "report.html")
        button("Best weights and biases (npy in a zip)", lambda: best_npy(folder), "best.zip")
    with kinds[1]:
        st.markdown("**As they lie in the run's folder**")
        for path in (folder / name for name in WHOLE):
            if path.is_file():
                button(path.name, path.read_bytes, path.name)
    with kinds[2]:
        st.markdown("**The best network elsewhere**")
        for label, to, ending in EXPORTS:
            button(label, lambda to=to, e=ending: exported(folder, to, e), f"model.{ending}")
    with st.expander("The command and environment of this run"):
        st.code(shlex.join(result.environment["command_line"]), language="sh")
        with told():
            st.json(read_json(folder, "environment.json"), expanded=False)


def button(label, content, name):
    """A download that is made when it is asked for."""
    st.download_button(label, content, name, key=f"file-{name}", width="stretch", on_click="ignore")


def best_npy(folder):
    """The best member's arrays as a zip of npy files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted((folder / "best").glob("*.npy")):
            archive.write(path, path.name)
    return packed.getvalue()


def exported(folder, to, ending):
    """The best member as another format's file."""
    with TemporaryDirectory() as place:
        path = Path(place) / f"model.{ending}"
        export.write(read_model(folder), to, path)
        return path.read_bytes()
