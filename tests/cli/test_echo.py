"""A user's texts reach the terminal as texts, never as commands to it."""

import io
import sys
from pathlib import Path

import pandas
import pytest

from fastnet.cli.echo import printable

ESCAPE = "\x1b[31m\x1b]0;owned\x07"
SHOWN = "\\x1b[31m\\x1b]0;owned\\x07"
ODD = f"a{ESCAPE}"  # a label
COLUMN = f"size{ESCAPE}"
CONTROLS = {chr(code) for code in (*range(32), *range(127, 160))} - {"\n", "\t"}


@pytest.fixture
def run(command):
    """A run whose labels and column names hold terminal escapes and Rich's markup."""
    rows = [f"{i},{i % 7},{[ODD, '[red]b[/red]', '[/]', ':smile:'][i % 4]}" for i in range(40)]
    Path("t.csv").write_text("\n".join([f"{COLUMN},x,kind", *rows]))
    line = "train --data t.csv --target kind --n1 2 --max-epochs 2 --out run"
    got = command(line)
    assert got.code == 0 and not CONTROLS & set(got.out + got.err)
    return Path("run")


@pytest.mark.parametrize("line", ["evaluate run --data t.csv", "show run"])
def test_no_label_controls_the_terminal(command, run, line):
    got = command(line)
    assert got.code == 0 and not CONTROLS & set(got.out)


def test_labels_are_told_letter_by_letter(command, run):
    out = command("evaluate run --data t.csv").out
    for text in (f"a{SHOWN}", "[red]b[/red]", "[/]", ":smile:"):
        assert text in out


def test_errors_name_columns_without_their_escapes(command, run):
    Path("short.csv").write_text("x\n1\n")
    got = command("predict run --data short.csv")
    assert got.code == 3 and f"size{SHOWN}" in got.err and not CONTROLS & set(got.err)


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def test_predictions_are_data_for_a_pipe_and_text_on_a_terminal(command, run, monkeypatch):
    raw = command("predict run --data t.csv").out
    labels = set(pandas.read_csv(io.StringIO(raw))["kind"])
    assert labels <= {ODD, "[red]b[/red]", "[/]", ":smile:"}
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    assert command("predict run --data t.csv --proba").code == 0
    shown = stream.getvalue()
    assert f"p_a{SHOWN}" in shown and not CONTROLS & set(shown)


@pytest.mark.parametrize(
    "text, shown",
    [
        ("caf\u00e9 \u65e5\u672c \U0001f600\n\t", "caf\u00e9 \u65e5\u672c \U0001f600\n\t"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("name\udcff", "name\\udcff"),
        ("a\rb\x00", "a\\rb\\x00"),
    ],
)
def test_what_is_printable(text, shown):
    assert printable(text) == shown
