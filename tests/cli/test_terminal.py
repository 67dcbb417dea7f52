"""What a run shows on a terminal while it trains, and without one."""

import io
import itertools

import pytest
from rich.console import Console

from fastnet import api
from fastnet.cli import display as show


@pytest.fixture
def terminal(monkeypatch):
    """What a person sees who has a terminal."""
    screen = io.StringIO()
    monkeypatch.setattr(
        show, "console", lambda stderr=False: Console(file=screen, force_terminal=True, width=200)
    )
    return screen


HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


def progress(**more):
    return api.Progress("train", members=8, running=3, epoch=41, seconds=2.0, **more)


def test_a_live_line_on_a_terminal(terminal):
    with show.Display(quiet=False) as display:
        display(
            progress(best_loss=0.25, best_n1=4, best_seed=7, member_epochs=1000, remaining=90.0)
        )
    text = terminal.getvalue()
    assert (
        "epoch 41: 3 running, 5 done, 0 reached, 0 diverged, lowest loss 0.25 (N1 4, seed 7); "
        in text
    )
    assert "500 member-epochs/s, 2.0 s, at most 90.0 s left" in text
    assert text.count(HIDE) == text.count(SHOW) == 1


def test_the_cursor_is_back_after_an_error(terminal):
    with pytest.raises(ZeroDivisionError), show.Display(quiet=False) as display:
        display(progress())
        raise ZeroDivisionError
    assert terminal.getvalue().count(SHOW) == 1


def test_lines_come_ever_more_rarely_without_a_terminal(capsys):
    with show.Display(quiet=False) as display:
        for tenths in range(100):
            display(progress(remaining=9.0)._replace(seconds=tenths / 10))
        display(progress()._replace(seconds=9.9, running=0))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[-2] for line in lines[:-1]] == ["1.0 s", "2.0 s", "4.0 s", "8.0 s"]
    assert "0 running, 8 done" in lines[-1]


def test_compiling_is_told_once_and_loading_is_not(capsys, monkeypatch):
    monkeypatch.setattr(show, "reason_for_plain", lambda: None)
    with show.Display(quiet=False) as display:
        display(api.Progress("compile", members=8, compiling=("lm with tanh",)))
        display(api.Progress("ready", members=8, seconds=12.3))
    assert capsys.readouterr().err == (
        "Compiling the kernels for lm with tanh (once for each choice of methods; later runs take "
        "them from a cache) "
        "...\n"
        "Kernels ready in 12.3 s.\n"
    )
    with show.Display(quiet=False) as display:
        display(api.Progress("load", members=8))
    assert capsys.readouterr().err == ""


def test_a_clock_runs_while_kernels_are_compiled(terminal, monkeypatch):
    monkeypatch.setattr(show, "reason_for_plain", lambda: None)
    clock = itertools.chain([10.0], itertools.repeat(12.5))
    monkeypatch.setattr(show.time, "perf_counter", lambda: next(clock))
    with show.Display(quiet=False) as display:
        display(api.Progress("compile", compiling=("lm with tanh",)))
        display(api.Progress("ready", seconds=12.3))
        assert display.live is None
    text = terminal.getvalue()
    assert (
        "Compiling the kernels for lm with tanh (once for each choice of methods; " in text
        and " ... 2.5 s" in text
    )
    assert text.count(HIDE) == text.count(SHOW) == 1


def test_a_quiet_display_shows_nothing(capsys, terminal):
    with show.Display(quiet=True) as display:
        display(api.Progress("compile"))
        display(progress())
        display.say("hello")
    assert terminal.getvalue() == "" and capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "value, text",
    [(None, "-"), (0.00123, "1.23 ms"), (1.0, "1.0 s"), (119, "119.0 s"), (150, "2.5 min")],
)
def test_times(value, text):
    assert show.seconds(value) == text
