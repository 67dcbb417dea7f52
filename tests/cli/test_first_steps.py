"""What newcomers meet: example tables, help in sections, runs by short names, hints as called."""

import json
import os
import shutil
import socket
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

import fastnet
from fastnet.cli import echo as echoes
from fastnet.cli import help as helps
from fastnet.cli.commands import cli
from fastnet.cli.names import SECTIONS
from fastnet.data.examples import EXAMPLES
from fastnet.errors import FastnetError, UsageError
from fastnet.options.table import OPTIONS
from fastnet.results.finding import find_run

TINY = "--task 1 --optimizer sgd --samples 20 --n1 2 --max-epochs 5"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_a_table_that_has_its_target(tmp_path, name):
    paths = fastnet.example(name, tmp_path)
    assert [path.name for path in paths] == list(EXAMPLES[name].tables)
    assert EXAMPLES[name].target in pd.read_csv(paths[0]).columns
    assert not fastnet.inspect(paths[0], target=EXAMPLES[name].target)["problems"]
    assert fastnet.example(name, tmp_path) == paths  # the same files may stay


def test_the_example_that_is_printed_next_can_be_called(command):
    got = command("example houses")
    assert "-> houses.csv, houses-new.csv" in got.out
    line = got.out.splitlines()[-1].split("fastnet ")[1]
    assert command(f"{line} --n1 2 --max-epochs 3 --quiet --out runs/houses").code == 0
    predicted = command("predict --data houses-new.csv --keep address -o prices.csv")
    assert "Run: runs/houses" in predicted.err and "12 rows -> prices.csv" in predicted.err
    assert list(pd.read_csv("prices.csv").columns) == ["address", "price"]


def test_examples_are_listed(command):
    assert "flowers" in command("example").out
    found = json.loads(command("example --json").out)["examples"]
    assert [row["example"] for row in found] == list(EXAMPLES)
    done = json.loads(command("example sensor --json").out)
    assert (done["files"], done["target"]) == (["sensor.csv"], "ppm")


def test_examples_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(UsageError, match="of houses, flowers, sensor, got 'house'"):
        fastnet.example("house", tmp_path)
    with pytest.raises(UsageError, match="got 3"):
        fastnet.example(3, tmp_path)
    (tmp_path / "houses-new.csv").write_text("mine")
    with pytest.raises(FastnetError, match=r"houses-new.csv exists and is another file; use --fo"):
        fastnet.example("houses", tmp_path)
    assert os.listdir(tmp_path) == ["houses-new.csv"]  # nothing is half-written
    assert len(fastnet.example("houses", tmp_path, force=True)) == 2


def test_a_run_is_found_by_the_beginning_of_its_name(command):
    for name in ("apple", "apricot", "plum"):
        assert command(f"train {TINY} --quiet --out runs/{name}").code == 0
    assert find_run("plum") == find_run("pl") == find_run("runs/pl") == os.path.join("runs", "plum")
    assert command("show ap").code == 2
    assert "ap is the beginning of 2 runs: apple, apricot; give more" in command("show ap").err
    assert "no run folder at pear" in command("show pear").err
    os.utime("runs/apple/config.json", (2**31, 2**31))
    newest = command("show")
    assert newest.err == f"Run: {find_run('apple')}\n"
    assert newest.out == command("show runs/apple").out


def test_a_name_that_is_complete_is_no_beginning(command):
    for name in ("one", "one-more"):
        command(f"train {TINY} --quiet --out runs/{name}")
    assert find_run("one") == os.path.join("runs", "one")


def test_without_runs_there_is_no_newest(command):
    got = command("show")
    assert got.code == 1 and "there is no run in runs; name one, or make one" in got.err


def test_show_does_not_propose_itself(command):
    trained = command(f"train {TINY} --out runs/a")
    assert "Show it again: fastnet show runs/a" in trained.out
    assert "Show it again" not in command("show a").out


@pytest.mark.parametrize(
    "called, told, wanted",
    [
        ("/some where/fastnet", "scripts/fastnet", "scripts/fastnet show x"),
        ("/some where/fastnet", None, "'/some where/fastnet' show x"),
        (os.path.join("lib", "fastnet", "__main__.py"), None, "python -m fastnet show x"),
        ("pytest", None, "fastnet show x"),
    ],
)
def test_hints_call_the_program_as_it_was_called(monkeypatch, called, told, wanted):
    monkeypatch.setattr(sys, "argv", [called])
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "fastnet" else name)
    monkeypatch.delenv("FASTNET_PROGRAM", raising=False)
    if told:
        monkeypatch.setenv("FASTNET_PROGRAM", told)
    assert echoes.as_called("fastnet show x") == wanted
    for other in ("fastnet shows x", "the folder fastnet", "import fastnet train", "my-fastnet ls"):
        assert echoes.as_called(other) in (other, "import " + wanted.replace("show x", "train"))


@pytest.mark.parametrize(
    "line, message",
    [
        ("train --hidden 3", "No such option '--hidden'; it is called --n1 here."),
        ("train --epochs 3", "it is called --max-epochs here."),
        ("train table.csv", "table.csv stands without an option; a table is given as --data tab"),
        ("train a.csv b.csv", "a.csv stands without an option"),
        ("train nonsense", "Got unexpected extra argument (nonsense)"),
        ("ls a.csv", "Got unexpected extra argument (a.csv)"),
        ("plot runs/a fit", "fit stands without an option; a figure is named by --figure fit."),
    ],
)
def test_slips_are_answered_with_the_option_that_was_meant(command, line, message):
    got = command(line)
    assert got.code == 2 and message in got.err


def test_synonyms_name_options_and_are_none_themselves():
    flags = {opt for one in cli.commands.values() for param in one.params for opt in param.opts}
    from fastnet.cli.decorators import SYNONYMS

    assert set(SYNONYMS) <= flags
    for names in SYNONYMS.values():
        train = {opt for param in cli.commands["train"].params for opt in param.opts}
        assert not train & {f"--{name}" for name in names.split()}


def test_every_command_is_in_one_section_and_has_a_short_summary():
    named = [name for names in SECTIONS.values() for name in names]
    assert sorted(named) == sorted(cli.commands)
    for name in named:
        summary = cli.commands[name].get_short_help_str(200)
        assert len(summary) <= 60 and summary.endswith("."), (name, summary)


def test_help_is_in_sections_short_and_narrow():
    runner = CliRunner()
    for name in cli.commands:
        short = runner.invoke(cli, [name, "--help"], prog_name="fastnet", terminal_width=80).output
        assert max(map(len, short.splitlines())) <= 80, name
    whole = runner.invoke(cli, ["train", "--help-all"], prog_name="fastnet").output
    short = runner.invoke(cli, ["train", "--help"], prog_name="fastnet").output
    assert "more options: fastnet train --help-all" in short and "more options" not in whole
    for row in OPTIONS.values():
        if "train" in row.commands:
            assert f"  {row.flag} " in whole
            assert (f"  {row.flag} " in short) == (row.name in helps.MAIN), row.name
    assert set(helps.MAIN) <= set(OPTIONS)


def test_gradcheck_shows_networks_on_request(command):
    assert len(command("gradcheck").out.splitlines()) == 1
    assert len(command("gradcheck --verbose").out.splitlines()) > 100


def test_a_member_is_shown_with_the_settings_that_its_method_uses(command):
    command("train --task 1 --optimizer sgd --samples 20 --n1 2 --max-epochs 2 --out runs/a")
    shown = command("show a --member 0").out
    assert "learning_rate" in shown and "momentum" not in shown and "beta_1" not in shown


def test_the_page_refuses_a_port_that_is_in_use(command, monkeypatch):
    monkeypatch.setattr(os, "execve", lambda *line: pytest.fail("the page was started"))
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        refused = command(f"ui --no-browser --port {port}")
    line = (
        f"Error: --port {port} is in use, perhaps by a page that is still open; name another one.\n"
    )
    assert (refused.code, refused.err) == (1, line)
