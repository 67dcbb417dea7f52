"""The page's downloads: what a run's folder holds, and what can be made of it."""

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import streamlit as st

from fastnet import export, store
from fastnet.app_parts import told

WHOLE = ("model.npz", "members.csv", "weights.npz", "history.npz", "config.json", "summary.json")


def downloads(result):
    """Buttons for files as they are and for exports, which are made when asked for."""
    folder = Path(result.run)
    st.download_button("Best weights as npy (zip)", lambda: best_npy(folder), "best.zip", key="npy")
    for name in WHOLE:
        path = folder / name
        if path.is_file():
            st.download_button(name, path.read_bytes, name, key=f"file-{name}")
    if not result.packed:
        return
    for to, ending in (("c", "h"), ("numpy", "py"), ("onnx", "onnx")):
        st.download_button(
            f"Export: {to}",
            lambda to=to, e=ending: exported(folder, to, e),
            f"model.{ending}",
            key=to,
        )
    with st.expander("The command and environment of this run"):
        st.code(result.environment.get("command_line", ""), language="sh")
        with told():
            st.json(store.read_json(folder, "environment.json"), expanded=False)


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
        export.write(store.read_model(folder), to, path)
        return path.read_bytes()
