"""Kills at some of the operations of runs of all kinds; scripts/try_kills.py tries them all."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnet

SCRIPT = Path(fastnet.__file__).parents[1] / "scripts" / "try_kills.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the script forks")
def test_a_run_that_is_killed_anywhere_ends_with_the_same_bytes():
    line = [sys.executable, str(SCRIPT), "--every", "29", "--random", "2"]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    operations = int(re.search(r"^(\d+) operations in", done.stdout, re.MULTILINE)[1])
    assert operations >= 25 and re.search(r"^\d+ kill -9 at random", done.stdout, re.MULTILINE)
