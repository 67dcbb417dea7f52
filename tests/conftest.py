"""Fixtures of all tests."""

import os
import shlex
import sys

import numpy as np
import pytest
from output import Output

from fastnet.cli import commands as cli
from fastnet.native.entry import INTERPRETED


def pytest_collection_modifyitems(config, items):
    """Leave out the tests marked slow unless they are asked for."""
    if os.environ.get("SLOW_TESTS"):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def silent_in_the_interpreter():
    """Compiled code overflows without a word; NumPy, where it stands in for it, warns."""
    with np.errstate(all="ignore" if INTERPRETED else None):
        yield


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """No options from the environment, and none that make rich take any stream for a terminal."""
    for name in os.environ.copy():
        if name.startswith("FASTNET_") or name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
            monkeypatch.delenv(name)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(line):
        monkeypatch.setattr(sys, "argv", ["fastnet", *shlex.split(line)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return Output(code, *capsys.readouterr())

    return run
