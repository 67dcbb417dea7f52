"""What a run may be resumed from, and what resuming may remove."""

import json
import shutil

import numpy as np
import pytest

import fastnet
from fastnet import files
from fastnet.errors import DataError
from fastnet.results import lock
from fastnet.results.folder import Folder
from fastnet.training import training as trainings

X = np.linspace(-1, 1, 30)
GIVEN = {"n1": 3, "max_epochs": 30, "learning_rate": 0.1, "optimizer": "sgd"}
WEIGHTS = [(np.full((3, 1), 0.3), np.zeros(3), np.full((1, 3), 0.2), np.zeros(1))]


class Killed(BaseException):
    """Ends a run as kill -9 would: nothing after it is done."""


def killed_at(monkeypatch, name, out, **given):
    """A run that is killed after it wrote the file `name`; False if it never does."""
    whole = files.write_whole

    def write(path, content):
        whole(path, content)
        if path.name == name:
            raise Killed

    monkeypatch.setattr(files, "write_whole", write)
    monkeypatch.setattr(Folder, "abandon", lambda folder: folder.unlock())
    try:
        fastnet.sweep(X, X**2, out=out, **GIVEN, **given)
    except Killed:
        return True
    finally:
        monkeypatch.undo()
    return False


@pytest.mark.parametrize("name", ["split.npz", "environment.json", "checkpoint.npz", "config.json"])
def test_given_weights_are_those_that_a_killed_run_goes_on_from(monkeypatch, tmp_path, name):
    whole = fastnet.sweep(X, X**2, initial_weights=WEIGHTS, **GIVEN)
    assert killed_at(monkeypatch, name, tmp_path / "run", initial_weights=WEIGHTS)
    if name == "config.json":
        again = fastnet.resume(tmp_path / "run", X, X**2)
        assert again.weights().W1.tobytes() == whole.weights().W1.tobytes()
    else:
        with pytest.raises(DataError, match=r"it ended before its config\.json was written"):
            fastnet.resume(tmp_path / "run", X, X**2)


def test_a_run_without_its_given_weights_is_not_resumed(monkeypatch, tmp_path):
    assert killed_at(monkeypatch, "config.json", tmp_path / "run", initial_weights=WEIGHTS)
    (tmp_path / "run" / "checkpoint.npz").unlink()
    with pytest.raises(DataError, match=r"began with initial_weights.* train again with them\.$"):
        fastnet.resume(tmp_path / "run", X, X**2)


def test_resuming_removes_what_was_set_aside_and_nothing_like_it(monkeypatch, tmp_path):
    """A folder that only looks like one set aside may be somebody's backup."""
    run = tmp_path / "run"
    fastnet.sweep(X, X, out=run, **GIVEN)
    shutil.copytree(run, tmp_path / "run.old-backup")
    assert killed_at(monkeypatch, "config.json", run, force=True)
    (aside,) = {path.name for path in tmp_path.iterdir()} - {"run", "run.old-backup"}
    assert json.loads((run / "config.json").read_text())["replaces"] == aside
    assert fastnet.resume(run, X, X**2).status == "done"
    assert {path.name for path in tmp_path.iterdir()} == {"run", "run.old-backup"}


@pytest.mark.parametrize("name", ["../backup", "backup", "run.old-none", 7, None])
def test_a_name_that_force_did_not_write_is_not_removed(monkeypatch, tmp_path, name):
    run = tmp_path / "folder" / "run"
    (tmp_path / "backup").mkdir()
    (tmp_path / "folder" / "backup").mkdir(parents=True)
    assert killed_at(monkeypatch, "config.json", run)
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "replaces": name}))
    assert fastnet.resume(run, X, X**2).status == "done"
    assert (tmp_path / "backup").is_dir() and (tmp_path / "folder" / "backup").is_dir()


def test_a_run_that_another_process_has_just_finished_is_loaded(monkeypatch, tmp_path):
    """The folder is locked first, then looked at: the second to come trains nothing."""
    run = tmp_path / "run"
    assert killed_at(monkeypatch, "config.json", run)
    acquire = lock.acquire

    def late(folder):
        monkeypatch.undo()
        fastnet.resume(run, X, X**2)  # the other process
        return acquire(folder)

    monkeypatch.setattr(lock, "acquire", late)
    monkeypatch.setattr(trainings, "train", lambda *_: pytest.fail("trained once more"))
    assert fastnet.resume(run, X, X**2).status == "done"


def test_a_lock_file_that_was_just_removed_is_not_the_lock(monkeypatch, tmp_path):
    first, opened = lock.acquire(tmp_path), []

    def remove_and_open(path, mode):
        file = open(path, mode)
        if not opened:
            opened.append(file)
            (tmp_path / "lock").unlink()
            first.close()
        return file

    monkeypatch.setattr(lock, "open", remove_and_open, raising=False)
    second = lock.acquire(tmp_path)
    assert (tmp_path / "lock").exists() and lock.in_use(tmp_path)
    second.close()


def test_force_goes_where_a_link_leads_and_past_a_name_that_is_taken(tmp_path, monkeypatch):
    real = tmp_path / "real"
    fastnet.sweep(X, X, out=real, **GIVEN)
    (tmp_path / "link").symlink_to(real, target_is_directory=True)
    taken = Folder(real).free_name()
    taken.mkdir()
    fastnet.sweep(X, X**2, out=tmp_path / "link", force=True, **GIVEN)
    assert (tmp_path / "link").is_symlink() and (real / "summary.json").is_file()
    monkeypatch.chdir(real)
    fastnet.sweep(X, X**2, out=".", force=True, **GIVEN)
    assert {p.name for p in tmp_path.iterdir()} == {"real", "link", taken.name}
