"""Disks that are full, read-only or gone, and what a run folder from elsewhere may hold."""

import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest

import fastnet
from fastnet import export, report
from fastnet.data import writing
from fastnet.errors import FastnetError
from fastnet.figures import base
from fastnet.results import folder
from fastnet.results.folder import Folder

ROOT = Path(fastnet.__file__).parents[1]
X = np.linspace(-1, 1, 30)
GIVEN = {"n1": [2, 3], "max_epochs": 4, "learning_rate": 0.1, "optimizer": "sgd", "threads": 1}
FULL = "No space left on device"


def load_script(name):
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


try_kills = load_script("try_kills")


class Failing(try_kills.Countdown):
    """The n-th operation is an OSError, and with `forever` all after it."""

    def __init__(self, root, last, number, forever=False):
        super().__init__(root, last, self.fail)
        self.number, self.forever, self.failed = number, forever, 0

    def fail(self):
        self.failed += 1
        self.left = int(self.forever)
        raise OSError(self.number, os.strerror(self.number), "it")


@pytest.fixture
def rounds(monkeypatch):
    """Rounds of one epoch, each with a checkpoint and an event."""
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)
    for name in ("CHECKPOINT_SECONDS", "CHECKPOINT_COSTS", "EVENT_SECONDS"):
        monkeypatch.setattr(f"fastnet.job.running.{name}", 0.0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    run = tmp_path_factory.mktemp("runs") / "run"
    fastnet.sweep(X, X**2, **GIVEN, out=run)
    return run


def below(folder):
    """All files and folders below a folder, with their bytes."""
    paths = sorted(folder.rglob("*"))
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in paths}


# ---------------------------------------------------------------- full, read-only or gone


@pytest.mark.parametrize("force", [False, True], ids=["new", "force"])
@pytest.mark.parametrize("forever", [False, True], ids=["once", "forever"])
def test_a_run_whose_disk_fails_says_so_and_goes_on_later(
    rounds, finished, tmp_path, force, forever
):
    """Whatever fails is one line; afterwards the same command, or --resume, works."""
    whole = {**below(finished), "lock": None}
    for last in range(1, 300, 2):
        number = (errno.ENOSPC, errno.EROFS)[last // 2 % 2]
        run = tmp_path / str(last) / "run"
        run.parent.mkdir()
        if force:
            shutil.copytree(finished, run)
        before = below(run)
        with Failing(tmp_path, last, number, forever) as disk:
            try:
                fastnet.sweep(X, X**2, **GIVEN, out=run, force=force)
            except FastnetError as error:
                assert_helps(str(error), run, number)
        if not disk.failed:
            break
        resumable = (run / "config.json").exists() and below(run) != before
        if resumable:
            fastnet.resume(run, X, X**2)
        else:  # what a disk that stays full keeps from being removed needs --force
            assert forever or not run.exists() or below(run) == before
            fastnet.sweep(X, X**2, **GIVEN, out=run, force=force or forever)
        fastnet.resume(run, X, X**2)
        found = below(run)
        assert set(found) == set(whole) - {"lock"} and os.listdir(run.parent) == ["run"]
        for name in ("weights.npz", "history.npz", "model.npz", "split.npz", "best/W1.npy"):
            assert found[name] == whole[name]
    assert 60 < last < 200


def assert_helps(text, run, number):
    """One line that names the file, why, and what to do; once it is training, how to go on."""
    assert "\n" not in text and str(run) in text
    assert os.strerror(number) in text or "cannot be made" in text
    if "checkpoint.npz" in text or "events.jsonl" in text or "members.csv" in text:
        assert text.endswith(f", then continue: fastnet.resume('{run}', X, y)")
        assert ("free space on its disk" in text) == (number == errno.ENOSPC)


class HalfFull:
    """A file on a disk that has room for three more bytes."""

    def __init__(self, file):
        self.file, self.truncate, self.full = file, file.truncate, False

    def write(self, line):
        if self.full:
            raise OSError(errno.ENOSPC, FULL)
        self.full = True
        return self.file.write(line[:3])


def test_a_half_written_line_of_events_is_cut_off_when_the_disk_is_full(monkeypatch, tmp_path):
    run = Folder.create(tmp_path / "run")
    run.event(epoch=1)
    before, append = below(run.path)["events.jsonl"], folder.append
    monkeypatch.setattr(folder, "append", lambda file, *rest: append(HalfFull(file), *rest))
    with pytest.raises(FastnetError, match=rf"events\.jsonl cannot be written \({FULL}\); free"):
        run.event(epoch=2)
    assert below(run.path)["events.jsonl"] == before
    run.close()


def test_a_line_of_events_that_a_kill_tore_spoils_no_other(tmp_path):
    run = Folder.create(tmp_path / "run")
    run.event(epoch=1)
    with open(run.path / "events.jsonl", "a") as file:
        file.write('{"epo')
    run.event(epoch=2)
    run.event(epoch=3)
    lines = (run.path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines if line != '{"epo'] == [1, 2, 3]
    run.close()


@pytest.mark.parametrize("limit", [1, 4])
def test_a_limit_of_the_size_of_files_is_told_and_cured(tmp_path, limit):
    """A real disk that is full, as far as a test can have one: writes end in the middle."""
    line = [sys.executable, "-m", "fastnet", "sweep", "--task", "1", "--n1", "8,30", "--quiet"]
    line += ["--optimizer", "sgd", "--max-epochs", "100"]
    small = ["sh", "-c", f'ulimit -f {limit}; exec "$@"', "sh", *line, "--out", "run"]
    done = subprocess.run(small, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert "cannot be written (File too large); raise the limit" in done.stderr
    assert not list(tmp_path.rglob("*.part")) and not list(tmp_path.rglob("lock"))
    if (tmp_path / "run").exists():
        assert done.stderr.endswith(", then continue: python -m fastnet sweep --resume run\n")
        again = [*line[:4], "--resume", "run", "--quiet"]
    else:
        again = [*line, "--out", "run"]
    assert subprocess.run(again, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("gone", ["removed", "renamed"])
def test_a_folder_that_goes_while_its_run_trains(rounds, tmp_path, gone):
    run, whole = tmp_path / "run", fastnet.sweep(X, X**2, **GIVEN)

    def take_away(where):
        if where.epoch == 2 and run.exists():
            shutil.rmtree(run) if gone == "removed" else run.rename(tmp_path / "renamed")

    text = r"run was removed or renamed while its run .*: fastnet\.resume\('NEW_NAME', X, y\)$"
    with pytest.raises(FastnetError, match=text):
        fastnet.sweep(X, X**2, **GIVEN, out=run, progress=take_away)
    if gone == "renamed":
        again = fastnet.resume(tmp_path / "renamed", X, X**2)
        assert again.weights().W1.tobytes() == whole.weights().W1.tobytes()


def save_plot(run, path):
    base.save(base.chart("loss-curves", fastnet.load(run)), path)


def save_predictions(run, path):
    frame = pandas.DataFrame({"y": [1.0]})
    writing.write_frames([frame], writing.checked_output(str(path), force=True))


# A name, and what writes a file or folder of that name.
OUTPUTS = {
    "report": ("a.html", lambda run, path: report.save(run, path)),
    "plot": ("a.html", save_plot),
    "npy": ("net", lambda run, path: export.write(fastnet.load_model(run), "npy", path, True)),
    "numpy": ("a.py", lambda run, path: export.write(fastnet.load_model(run), "numpy", path, True)),
    "predictions": ("a.csv", save_predictions),
}


@pytest.mark.parametrize("what", OUTPUTS)
def test_outputs_are_old_and_whole_when_the_disk_fails(finished, tmp_path, monkeypatch, what):
    monkeypatch.setattr(report, "report", lambda run, derivation: b"a report")
    name, write = OUTPUTS[what]
    write(finished, tmp_path / name)
    before = below(tmp_path)
    for last in range(1, 60):
        with Failing(tmp_path, last, errno.ENOSPC) as disk:
            try:
                write(finished, tmp_path / name)
            except FastnetError as error:
                assert f"{tmp_path / name} cannot be written ({FULL}); free space" in str(error)
        if not disk.failed:
            break
        found = below(tmp_path)  # only what was set aside may be left, where removing it fails
        assert {n: found[n] for n in found if ".old-" not in n} == before
    assert 3 < last < 59
