"""Fixtures of tests of run folders."""

import shutil
from pathlib import Path

import pytest
from folders import SMALL

import fastnet


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run of task 1, and its Result as it was returned."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    return folder, fastnet.sweep(out=folder, **SMALL)


@pytest.fixture
def run(finished, tmp_path):
    """A copy of the run, to be broken."""
    return Path(shutil.copytree(finished[0], tmp_path / "run"))
