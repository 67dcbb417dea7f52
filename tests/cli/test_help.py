"""The help of the commands, and the command line as a process of its own."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lines import N1, TINY
from output import Output

import fastnet
from fastnet.cli.examples import SWEEP_EXAMPLES, TRAIN_EXAMPLES
from fastnet.options.table import TABLE
from fastnet.results.reading import read_json

# ---------------------------------------------------------------- help


def test_without_a_command_there_is_help(command):
    got = command("")
    assert got.code == 0 and got.out == command("--help").out
    assert got.out.index("Examples:") < got.out.index("Look at runs:")


def test_version(command):
    assert command("--version") == Output(0, f"fastnet, version {fastnet.__version__}\n", "")


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_help_has_examples_first_and_every_option_of_the_table(command, verb):
    got = command(f"{verb} --help-all")
    assert got.code == 0 and got.err == ""
    assert got.out.index("Examples:") < got.out.index("Options:")
    text = " ".join(got.out.split())
    for option in TABLE:
        assert (f" {option.flag} " in text) == (verb in option.commands)
        if verb in option.commands:
            assert " ".join(option.help_line.split()) in text
    for flag in ("--task", "--out", "--force", "--resume", "--config", "--dry-run", "--json"):
        assert f" {flag} " in text
    assert "[sigmoid]" in text and "[0.9]" in text and "[float32]" in text


@pytest.mark.parametrize(
    "line", re.findall(r"^  fastnet (.+)$", TRAIN_EXAMPLES + SWEEP_EXAMPLES, re.M)
)
def test_the_examples_of_help_run(command, line):
    Path("houses.csv").write_text("size,price\n" + "".join(f"{i},{i / 2}\n" for i in range(30)))
    Path("flowers.csv").write_text("width,species\n1,a\n2,b\n3,a\n4,b\n5,a\n")
    got = command(f"{line} --dry-run")
    assert (got.code, got.err) == (0, "") and got.out


# ---------------------------------------------------------------- as a process


def process(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("line", ["--help", "train --help"])
def test_help_needs_neither_numpy_nor_numba(tmp_path, line):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted(m for m in sys.modules if '.' not in m)))\n"
        f"sys.argv = ['fastnet', *{line.split()!r}]\n"
        "from fastnet.cli import main\n"
        "main()\n"
    )
    got = process("-c", code, cwd=tmp_path)
    assert got.returncode == 0 and "Usage:" in got.stdout
    modules = got.stdout.splitlines()[-1]
    assert "'click'" in modules
    for heavy in ("numpy", "numba", "pandas", "rich", "llvmlite"):
        assert f"'{heavy}'" not in modules


def test_exit_code_and_streams_of_a_process(tmp_path):
    good = process("-m", "fastnet", "train", *TINY.split(), "--json", "--out", "run", cwd=tmp_path)
    assert good.returncode == 0 and json.loads(good.stdout)["run"] == "run"
    bad = process("-m", "fastnet", "train", "--task", "1", "--n1", "0", cwd=tmp_path)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == f"Error: {N1}'0'.\n"
    assert read_json(tmp_path / "run", "config.json")["command"] == "train"
