"""scripts/fastnet in a checkout whose pip is a stand-in, and measure_scaling.py for a moment."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnet

ROOT = Path(fastnet.__file__).parents[1]
PIP = """#!/bin/sh
echo "$*" >> "$(dirname "$0")/../pip.log"
case "$*" in *--editable*) exit 0 ;; esac
test ! -e "$(dirname "$0")/../offline" || { echo "ERROR: not found"; exit 1; }
"""
COMMAND = '#!/bin/sh\necho "$(pwd): $*"\n'


@pytest.fixture
def checkout(tmp_path):
    """A folder with the scripts and setup.cfg, and a .venv of stand-ins."""
    root = tmp_path / "check out"
    (root / "scripts").mkdir(parents=True)
    (root / ".venv" / "bin").mkdir(parents=True)
    for name in ("setup.cfg", "scripts/fastnet", "scripts/setup-venv"):
        shutil.copy(ROOT / name, root / name)
    for name, text in (("python", PIP), ("fastnet", COMMAND)):
        path = root / ".venv" / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
    return root


TIME = "(half a minute or so) ..."


def call(checkout, *words):
    """Run scripts/fastnet from the folder above; what it said, and what pip was asked for."""
    log = checkout / ".venv" / "pip.log"
    log.write_text("")
    line = [checkout / "scripts" / "fastnet", *words]
    done = subprocess.run(line, cwd=checkout.parent, capture_output=True, text=True, check=True)
    assert done.stdout == f"{checkout.parent}: {' '.join(words)}\n"
    return done.stderr.splitlines(), [line.split()[-1] for line in log.read_text().splitlines()]


def test_the_package_is_installed_once(checkout):
    assert call(checkout, "ls") == ([f"Installing fastnet into .venv {TIME}"], ["."])
    assert call(checkout, "ls") == ([], [])
    with open(checkout / "setup.cfg", "a") as file:
        file.write("\n")
    assert call(checkout, "ls")[1] == ["."]


@pytest.mark.parametrize("line, extras", [
    ("plot r", "plot"), ("report r -o a.html", "plot"), ("ui", "ui"), ("plot --help", ""),
    ("bench", "bench"), ("bench --chart a.svg", "bench plot"), ("export r --to onnx", "export"),
    ("sweep --task 1 --cluster tcp://host:8786", "cluster"),
    ("export r --to=c", ""), ("train --data a.parquet --target y", "parquet"),
    ("predict r --data b.csv -o a.parquet", "parquet"), ("train --task 1", ""), ("", ""),
])  # fmt: skip
def test_a_command_brings_its_extras(checkout, line, extras):
    call(checkout)
    said, asked = call(checkout, *line.split())
    assert asked == [f"fastnet-mlp[{extra}]" for extra in extras.split()]
    assert [text.split("extra '")[1].split("'")[0] for text in said] == extras.split()
    assert call(checkout, *line.split()) == ([], [])


def test_what_is_installed_is_named(checkout):
    call(checkout)
    (said,), _ = call(checkout, "plot", "r")
    libraries = "altair, latex2mathml, markdown-it-py, mdit-py-plugins, vl-convert-python"
    assert said == f"Installing fastnet's extra 'plot' ({libraries}) into .venv {TIME}"


def test_without_a_network_the_command_runs_all_the_same(checkout):
    call(checkout)
    (checkout / ".venv" / "offline").touch()
    said, _ = call(checkout, "ui")
    assert said[1:] == ["It cannot be installed (ERROR: not found); going on without it."]
    (checkout / ".venv" / "offline").unlink()
    assert call(checkout, "ui")[1] == ["fastnet-mlp[ui]"]


@pytest.mark.slow
def test_a_table_of_scaling():
    """Every workload, for a moment."""
    line = [sys.executable, ROOT / "scripts" / "measure_scaling.py", "--short", "--runs", "1"]
    paths = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*line, "--threads", "2"], env=paths, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [row.split() for row in done.stdout.splitlines()[2:]]
    names = ("task1-sweep", "minibatch", "huge", "ragged")
    assert [row[:2] for row in rows] == [[name, t] for name in names for t in ("1", "2")]
    for _, _, seconds, speedup, processes, share in rows:
        assert float(seconds) >= 0 and float(speedup) > 0 and float(processes) > 0
        assert share.endswith("%")
