"""Every command line in a console block of README or docs runs, and prints what is shown."""

import doctest
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import fastnet

ROOT = Path(fastnet.__file__).parents[1]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^```\w+ title=\"(\S+)\"\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))]
PAGES = [path for path in PAGES if BLOCK.search(path.read_text(encoding="utf-8"))]
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def steps(text):
    """The command lines of the console blocks of a page, each with the output that it shows."""
    for block in BLOCK.findall(text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, shown = re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n(.*)", part, re.DOTALL).groups()
            yield line.replace("\\\n", " "), shown


def told(command, line, folder):
    """What a command printed: fastnet in this process, others, if there are such, in a shell."""
    if line.startswith("fastnet "):
        output = command(line.removeprefix("fastnet "))
        assert output.code == 0, (line, output.err)
        return output.out
    if not shutil.which(line.split()[0]):
        return None
    done = subprocess.run(line, shell=True, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (line, done.stderr)
    return done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_commands_of_a_page_run_as_shown(page, command, tmp_path):
    text = page.read_text(encoding="utf-8")
    for name, content in FILE.findall(text):
        if "/" not in name:
            (tmp_path / name).write_text(content, encoding="utf-8")
    for line, shown in steps(text):
        printed = told(command, line, tmp_path)
        if printed is not None and shown:
            same = doctest.OutputChecker().check_output(shown, printed, SAME)
            assert same, f"$ {line}\n{printed}\n--- but {page.name} shows\n{shown}"
