"""SIGTERM, SIGHUP and Ctrl-C: what is saved, said and returned, and what is left alone."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet.cli import display as show
from fastnet.cli import signals
from fastnet.training import loop
from fastnet.training import training as trainings

LINE = "sweep --task 1 --samples 20 --n1 2,3 --seeds 2 --optimizer sgd --target-loss none"
LONG = [sys.executable, "-m", "fastnet", *LINE.split(), "--max-epochs", "1000000000"]
X = np.linspace(-1, 1, 30)
CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def wait_for(there, seconds=100):
    until = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def started(folder, *more, ignored=()):
    """A run in a process that trains already, and ignores some signals as its parent did."""

    def before():
        for number in CODES:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    line = [*LONG, "--out", "run", *more]
    process = subprocess.Popen(line, cwd=folder, preexec_fn=before, **pipes)
    wait_for(lambda: (folder / "run" / "events.jsonl").exists())
    return process


@pytest.mark.parametrize("number", CODES, ids=lambda number: number.name)
def test_a_signal_saves_says_how_to_go_on_and_prints_the_document(tmp_path, number):
    process = started(tmp_path, "--json")
    process.send_signal(number)
    if number != signal.SIGINT:
        process.send_signal(number)  # as `timeout` does: to the process, then to its group
    out, err = process.communicate(timeout=100)
    assert process.returncode == CODES[number]
    again = "python -m fastnet sweep --resume run"
    assert err.endswith(f"Interrupted; state saved. Continue with:\n  {again}\n")
    assert json.loads(out)["status"] == "interrupted"
    assert {p.name for p in (tmp_path / "run").iterdir()} == {
        *("config.json", "environment.json", "split.npz", "events.jsonl", "checkpoint.npz")
    }


def test_what_is_ignored_stays_ignored(tmp_path):
    """Under nohup, and in the background of a script."""
    process = started(tmp_path, "--quiet", ignored=(signal.SIGHUP, signal.SIGINT))
    lines = len((tmp_path / "run" / "events.jsonl").read_text().splitlines())
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    wait_for(lambda: len((tmp_path / "run" / "events.jsonl").read_text().splitlines()) > lines)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=100)[1].startswith("Interrupted; state saved.")
    assert process.returncode == 143


def test_a_terminal_that_closes_loses_nothing(tmp_path):
    """SIGHUP, and then nothing can be printed any more."""
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(tmp_path)
        os.execv(LONG[0], [*LONG, "--out", "run"])
    text = b""
    while b"member-epochs/s" not in text:
        text += os.read(screen, 10000)
    os.close(screen)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 129
    assert (tmp_path / "run" / "checkpoint.npz").exists()
    assert not (tmp_path / "run" / "lock").exists()


def test_before_training_a_signal_ends_at_once(tmp_path):
    line = [sys.executable, "-m", "fastnet", "train", "--data", "-", "--target", "y"]
    pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
    process = subprocess.Popen(line, cwd=tmp_path, text=True, **pipes)
    process.stdin.write("x,y\n" + "1,2\n" * 100_000)  # more than a pipe holds: it is being read
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 143 and out == ""
    assert "Error: interrupted at once; a run folder keeps its last checkpoint" in err
    assert os.listdir(tmp_path) == []


def test_interrupted_runs_of_all_signals_end_with_the_same_bytes(command, monkeypatch):
    whole = command(f"{LINE} --max-epochs 400 --out whole --quiet")
    numbers = iter([signal.SIGTERM, signal.SIGHUP, signal.SIGTERM])

    def ask(self, where):
        if where.stage == "train":
            signal.raise_signal(next(numbers))

    line = f"{LINE} --max-epochs 400 --out cut"
    for code in (143, 129, 143):
        with monkeypatch.context() as patch:
            patch.setattr(trainings, "ROUND_SECONDS", 1e-9)  # rounds of one epoch
            patch.setattr(show.Display, "show", ask)
            assert command(line).code == code
        line = "sweep --resume cut"
    assert command("sweep --resume cut --quiet").code == whole.code == 0
    for name in ("weights.npz", "history.npz", "model.npz"):
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes()


# ---------------------------------------------------------------- handlers


def test_handlers_are_restored(command):
    before = [signal.getsignal(number) for number in CODES]
    assert command(f"{LINE} --max-epochs 5 --quiet").code == 0
    assert command("show none").code == 1
    assert [signal.getsignal(number) for number in CODES] == before


def test_in_another_thread_nothing_is_handled(command):
    before, codes = [signal.getsignal(number) for number in CODES], []

    def look():
        codes.append(command(f"{LINE} --max-epochs 5 --quiet").code)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert codes == [0] and [signal.getsignal(number) for number in CODES] == before


@pytest.mark.parametrize("handler", [None, signal.SIG_IGN], ids=["not Python's", "ignored"])
def test_ctrl_c_that_is_ignored_or_not_pythons_is_left_alone(monkeypatch, handler):
    """None is what getsignal() says of a handler of a program that embeds Python."""
    monkeypatch.setattr(signal, "getsignal", lambda number: handler)
    monkeypatch.setattr(signal, "signal", lambda *given: pytest.fail(f"signal{given}"))
    with loop.interruptible() as event, signals.handled():
        assert not event.is_set()
    assert fastnet.sweep(X, X**2, n1=2, max_epochs=5).status == "done"


# ---------------------------------------------------------------- progress that interrupts


def test_progress_that_returns_true_interrupts(tmp_path, monkeypatch):
    given = {"n1": [2, 3], "max_epochs": 500, "optimizer": "sgd", "learning_rate": 0.1}
    whole = fastnet.sweep(X, X**2, **given)
    monkeypatch.setattr(trainings, "ROUND_SECONDS", 1e-9)  # rounds of one epoch
    stop = fastnet.sweep(X, X**2, **given, progress=lambda where: where.stage == "train")
    assert stop.status == "interrupted" and (stop.members["stop_reason"] == "interrupted").all()
    run = tmp_path / "run"
    fastnet.sweep(X, X**2, **given, out=run, progress=lambda where: True)
    again = fastnet.resume(run, X, X**2, progress=lambda where: "not True")
    assert again.status == "done"
    np.testing.assert_array_equal(again.packed["W1"], whole.packed["W1"])


@pytest.mark.parametrize("by", ["Ctrl-C", "progress"])
def test_a_search_is_interrupted_between_its_blocks_of_members(tmp_path, by):
    """Each block is trained in one round here: none is running when the round is over."""
    given = {"task": 1, "samples": 50, "n1": [1, 2], "max_epochs": 8}

    def press(where):
        if by == "Ctrl-C" and where.stage == "train":
            signal.raise_signal(signal.SIGINT)
        return True

    whole = fastnet.smallest(**given)
    cut = fastnet.smallest(**given, out=tmp_path / "run", progress=press)
    assert cut.status == "interrupted" and len(cut.members) < len(whole.members)
    again = fastnet.resume(tmp_path / "run")
    assert again.status == "done"
    np.testing.assert_array_equal(again.packed["W1"], whole.packed["W1"])


# ---------------------------------------------------------------- a stderr that is closed


def test_progress_that_cannot_be_printed_ends_no_run(tmp_path):
    with open("/dev/full", "w") as full:
        line = [*LONG[:-1], "200", "--out", "run"]
        done = subprocess.run(line, cwd=tmp_path, stderr=full, stdout=subprocess.PIPE)
    assert done.returncode == 0 and (tmp_path / "run" / "summary.json").exists()


# ---------------------------------------------------------------- together


def test_runs_that_start_together_each_get_a_folder(tmp_path):
    """Without --out their folders are named by the second."""
    line = [*LONG[:-1], "5", "--quiet"]
    together = [subprocess.Popen(line, cwd=tmp_path) for _ in range(4)]
    assert [process.wait(100) for process in together] == [0] * 4
    assert len([run for run in (tmp_path / "runs").iterdir() if fastnet.load(run)]) == 4


@pytest.mark.parametrize("more", [["--json"], []])
def test_a_result_that_cannot_be_printed_is_one_line(tmp_path, more):
    with open("/dev/full", "w") as full:
        line = [*LONG[:-1], "20", "--out", "run", *more]
        done = subprocess.run(line, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True)
    text = "Error: the output cannot be written (No space left on device); see where it goes."
    assert done.returncode == 1 and done.stderr.splitlines()[-1] == text
    assert (tmp_path / "run" / "summary.json").exists()
