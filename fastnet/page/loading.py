"""Results of runs, each read once for all viewers."""

import streamlit as st

from fastnet import api
from fastnet.results import collect


def load(folder):
    """The Result of a finished run; read once for each version of its summary."""
    return _load(str(folder), (folder / "summary.json").stat().st_mtime_ns)


@st.cache_resource(max_entries=8, show_spinner="Reading the run ...")
def _load(folder, version):
    return api.load(folder)


def checkpoint_version(folder):
    """A number that changes with each checkpoint of a run; None before the first."""
    try:
        return (folder / "checkpoint.npz").stat().st_mtime_ns
    except FileNotFoundError:  # none yet, or the run has just ended
        return None


def peek(folder):
    """The Result of a run as of its last checkpoint, or None; read once for each checkpoint."""
    version = checkpoint_version(folder)
    return None if version is None else _peek(str(folder), version)


@st.cache_resource(max_entries=4, show_spinner=False)
def _peek(folder, version):
    return collect.peek(folder)
