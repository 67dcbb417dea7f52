"""Runs that have not ended, on the page: one state at a time, stop and resume."""

import contextlib
import fcntl

import pytest
from views import checked, errors, interrupt, table

import fastnet
from fastnet.page import live, processes
from fastnet.page import processes as watch
from fastnet.results.collect import peek

pytest.importorskip("streamlit", reason="the page needs the extra [ui]")


@contextlib.contextmanager
def locked(folder):
    """The lock of a run, held as the process that trains does."""
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("0")
        lock.flush()
        yield


class Process:
    """A process that trains, or has ended."""

    def __init__(self, code=None):
        self.code = code

    def poll(self):
        """The exit code, or None."""
        return self.code


@pytest.fixture
def asked():
    """What this server asked for, forgotten after the test."""
    yield
    processes.RESUMED.clear()
    processes.STOPPED.clear()


def test_numbers_curves_and_table_are_of_one_moment(page, mine):
    folder = mine("cut")
    with open(folder / "cut" / "events.jsonl", "a") as file:  # later than the checkpoint
        file.write('{"epoch": 987654, "running": 1, "members": 4, "reached": 3, "best_loss": 1e-9,')
        file.write('"seconds": 99.0, "remaining": 1.0}\n{"epoch": 12')
    with locked(folder / "cut"):
        app = page(folder, view="runs", run="cut")
    result = peek(folder / "cut")
    assert app.title[0].value == f"Training, as of epoch {result.members['epochs'].max():,}"
    loss = live.words.number(float(result.best["train_loss"]))
    shown = {metric.label: metric.value for metric in app.metric}
    assert shown["best loss so far"] == loss != "-"
    assert shown["members in training"] == "4 of 4"
    assert loss in [row["best loss"] for row in table(app)]
    assert app.button(key="stop") and not app.error


def test_what_is_left_is_known_from_the_last_event_before_the_checkpoint():
    found = [{"seconds": 1.0, "remaining": 9.0}, {"seconds": 5.0, "remaining": 2.0}]
    assert watch.seconds_left(found, 3.0) == 7.0
    assert watch.seconds_left(found, 8.0) == 0.0
    assert watch.seconds_left(found, 0.5) is None
    assert watch.seconds_left([{"seconds": 1.0, "remaining": None}], 3.0) is None


def test_an_interrupted_run_can_be_resumed(page, mine, monkeypatch):
    app = page(mine("cut"), view="runs", run="cut")
    assert app.title[0].value.startswith("Interrupted, as of epoch ") and len(app.metric) == 5
    resumed = []
    monkeypatch.setattr(watch, "resume", lambda runs, name: resumed.append(name))
    checked(app.button(key="resume").click().run())
    assert resumed == ["cut"] and not app.error


def test_resuming_is_shown_at_once_until_the_lock_is_taken(page, mine, monkeypatch, asked):
    """The process takes a second until it has the lock; the page must not offer to resume again."""
    folder, process = mine("cut"), Process()
    monkeypatch.setattr(watch, "launch", lambda *given: process)
    app = page(folder, view="runs", run="cut")
    checked(app.button(key="resume").click().run())
    assert app.title[0].value.startswith("Resuming, as of epoch ")
    assert "resume" not in [button.key for button in app.button]
    with locked(folder / "cut"):
        checked(app.run())
        assert app.title[0].value.startswith("Training, as of epoch ")
    checked(app.run())
    assert app.title[0].value.startswith("Interrupted")


def test_a_resume_that_fails_says_why(page, mine, monkeypatch, asked):
    folder = mine("cut")
    monkeypatch.setattr(watch, "launch", lambda *given: Process(1))
    watch.note_file(folder, "cut").parent.mkdir()
    watch.note_file(folder, "cut").write_text("Error: the data are others.\n")
    app = page(folder, view="runs", run="cut")
    checked(app.button(key="resume").click().run())
    assert errors(app) == ["the data are others."] and app.button(key="resume")


def test_a_run_that_was_asked_to_stop_is_stopping_until_it_has_ended(mine, monkeypatch, asked):
    folder = mine("cut")
    monkeypatch.setattr(watch.os, "kill", lambda *given: None)
    with locked(folder / "cut"):
        (folder / "cut" / "lock").write_text("12345")
        assert watch.status(folder, "cut") == "running"
        assert watch.stop(folder, "cut") and watch.status(folder, "cut") == "stopping"
    assert watch.status(folder, "cut") == "interrupted"


def test_a_run_that_has_only_begun(page, mine):
    folder = mine("cut")
    for name in ("events.jsonl", "checkpoint.npz"):
        (folder / "cut" / name).unlink()
    assert page(folder, view="runs", run="cut").title[0].value == "Interrupted"
    with locked(folder / "cut"):
        app = page(folder, view="runs", run="cut")
        assert app.title[0].value == "Training"
        assert "Kernels for sgd and sigmoid" in app.markdown[-1].value
        (folder / "cut" / "config.json").unlink()
        app = page(folder, view="runs", run="cut")
        assert "The run reads its data" in app.markdown[-1].value


def test_a_run_that_ends_while_it_is_drawn_is_drawn_again(page, mine, monkeypatch):
    """Its status is read for the page's first line; what comes after must not read a later one."""
    read, real = [], watch.status

    def status(runs, name):
        read.append(name)
        return "running" if len(read) == 1 else real(runs, name)

    monkeypatch.setattr(watch, "status", status)
    app = page(mine("sine"), view="runs", run="sine")
    assert not app.title[0].value.startswith("Training") and app.tabs


def test_a_run_that_another_viewer_resumes_is_followed(page, mine, monkeypatch):
    """The page asks again what a run does, also of one that rests."""
    folder, read, real = mine("cut"), [], watch.status

    def status(runs, name):
        read.append(name)
        return "interrupted" if len(read) == 1 else real(runs, name)

    monkeypatch.setattr(watch, "status", status)
    with locked(folder / "cut"):
        app = page(folder, view="runs", run="cut")
    assert app.title[0].value.startswith("Training, as of epoch ")


@pytest.mark.parametrize("summary, found", [(True, "done"), (False, "interrupted")])
def test_a_run_that_ends_between_two_looks_is_not_interrupted(mine, monkeypatch, summary, found):
    """It writes its summary, then lets go of its lock: the lock is looked at first."""
    folder = mine("cut")

    def in_use(run):
        if summary:
            (run / "summary.json").write_text("{}")
        return False

    monkeypatch.setattr(watch, "in_use", in_use)
    assert watch.status(folder, "cut") == found


def test_a_run_that_begins_between_two_looks_is_running(mine, monkeypatch):
    looks = iter([False, True])
    monkeypatch.setattr(watch, "in_use", lambda folder: next(looks))
    assert watch.status(mine("cut"), "cut") == "running"


def test_a_process_that_another_viewer_forgets_is_not_missed(mine, asked):
    """Two tabs look at the same processes from threads of one server."""
    folder = mine("cut")

    class Forgotten(Process):
        def poll(self):
            processes.RESUMED.clear()
            return 1

    processes.RESUMED[folder / "cut"] = Forgotten()
    assert watch.status(folder, "cut") == "interrupted"


# ---------------------------------------------------------------- in a browser


def test_a_run_is_resumed_and_stopped_in_a_browser(served, tab):
    """The page follows by itself: resuming, training with newer epochs, stopping, interrupted."""
    address, folder = served
    long = {"task": 1, "n1": [30, 31], "seeds": 2, "optimizer": "sgd", "target_loss": None}
    fastnet.sweep(**long, max_epochs=10**7, progress=interrupt, out=folder / "long")
    tab.goto(f"{address}/?view=runs&run=long")
    heading = tab.get_by_role("heading", level=1)
    heading.get_by_text("Interrupted, as of epoch").wait_for()
    before = heading.inner_text()
    tab.get_by_role("button", name="Resume").click()
    heading.get_by_text("Training, as of epoch").wait_for()
    tab.wait_for_function(
        "old => !document.querySelector('h1').innerText.endsWith(old)", arg=before.split()[-1]
    )
    tab.get_by_text("of the work, at most").wait_for()
    charts = "[...document.querySelectorAll('[data-testid=stVegaLiteChart]')]"
    tab.wait_for_function(f"{charts}.filter(chart => chart.offsetHeight > 150).length === 2")
    tab.get_by_role("button", name="Stop").click()
    heading.get_by_text("Interrupted, as of epoch").wait_for()
    assert tab.get_by_role("button", name="Resume").is_visible()
