"""The lock of a run folder: who holds it, who only looks, and disks that have no locks."""

import errno
import fcntl
import os
import threading

import numpy as np
import pytest

import fastnet
from fastnet.errors import FastnetError
from fastnet.results import lock
from fastnet.results.folder import Folder
from fastnet.results.reading import list_runs

X = np.linspace(-1, 1, 30)
GIVEN = {"n1": 2, "max_epochs": 5, "learning_rate": 0.1, "optimizer": "sgd"}
USED = "is in use by another fastnet process; wait for it or stop it\\.$"


def without_locks(monkeypatch, number):
    """flock() as on a file system that has none."""

    def flock(file, kind):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_a_file_system_without_locks_is_told_once_and_used(monkeypatch, tmp_path, number):
    run, seen = tmp_path / "run", []
    without_locks(monkeypatch, number)

    def look(where):
        seen.extend(where.plan["notices"] if where.plan else ())
        assert not (run / "lock").exists() and not lock.in_use(run)

    result = fastnet.sweep(X, X**2, **GIVEN, out=run, progress=look)
    assert result.status == "done" and not (run / "lock").exists()
    reason = f"its file system has no locks ({os.strerror(number)})"
    assert seen == [f"{run} is not locked, as {reason}; do not resume it while it runs."]
    (run / "summary.json").unlink()
    assert fastnet.resume(run, X, X**2).status == "done"
    fastnet.sweep(X, X**2, **GIVEN, out=run, force=True)
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize("number", [errno.EWOULDBLOCK, errno.EACCES])
def test_only_a_lock_that_another_holds_is_in_use(monkeypatch, tmp_path, number):
    monkeypatch.setattr(lock, "PATIENCE", 0.0)
    without_locks(monkeypatch, number)
    with pytest.raises(FastnetError, match=USED):
        fastnet.sweep(X, X**2, **GIVEN, out=tmp_path / "run")
    assert os.listdir(tmp_path) == []  # what was made for it is gone
    (tmp_path / "lock").touch()
    assert lock.in_use(tmp_path)


def test_a_disk_too_full_for_a_lock_leaves_nothing(monkeypatch, tmp_path):
    class Full:
        def __init__(self, file):
            self.fileno, self.truncate, self.close = file.fileno, file.truncate, file.close

        def write(self, text):
            raise OSError(errno.ENOSPC, "No space left on device")

    opened = lock.open_regular
    monkeypatch.setattr(lock, "open_regular", lambda *given: Full(opened(*given)))
    text = r"run/lock cannot be written \(No space left on device\); free space on its disk\.$"
    with pytest.raises(FastnetError, match=text):
        fastnet.sweep(X, X**2, **GIVEN, out=tmp_path / "run")
    assert os.listdir(tmp_path) == []
    monkeypatch.undo()
    assert fastnet.sweep(X, X**2, **GIVEN, out=tmp_path / "run").status == "done"


def test_looking_disturbs_no_start(tmp_path):
    """Others look without a pause, each holding the shared lock for a moment."""
    (tmp_path / "lock").touch()
    ended, looked = threading.Event(), []

    def look():
        while not ended.is_set():
            looked.append(lock.in_use(tmp_path))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            lock.acquire(tmp_path).file.close()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert looked


def test_who_looks_for_ever_is_told_as_a_user(monkeypatch, tmp_path):
    """Only a lock that is shared for long, by another program, keeps a run from starting."""
    monkeypatch.setattr(lock, "PATIENCE", 0.05)
    with open(tmp_path / "lock", "a+") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        with pytest.raises(FastnetError, match=USED):
            lock.acquire(tmp_path)
        assert not lock.in_use(tmp_path)


def test_one_of_many_that_start_together_has_the_lock(tmp_path):
    got, together = [], threading.Barrier(8)

    def start():
        together.wait()
        try:
            got.append(lock.acquire(tmp_path))
        except FastnetError:
            got.append(None)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (held,) = [one for one in got if one is not None]
    held.file.close()


def test_a_list_of_runs_opens_no_lock_to_write(monkeypatch, tmp_path):
    fastnet.sweep(X, X**2, **GIVEN, out=tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    (tmp_path / "run" / "lock").touch(mode=0o444)
    opened, real = [], os.open
    monkeypatch.setattr(os, "open", lambda n, f, *m: opened.append(f & 3) or real(n, f, *m))
    assert [facts["status"] for facts in list_runs(tmp_path)] == ["interrupted"]
    assert opened and set(opened) == {os.O_RDONLY}


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_lock_file_is_no_lock(tmp_path, kind):
    path = tmp_path / "lock"
    if kind == "link":
        path.symlink_to(tmp_path / "victim")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    assert not lock.in_use(tmp_path)
    cure = {"link": "remove the link", "fifo": "remove what has", "folder": "move the folder of"}
    with pytest.raises(FastnetError, match=rf"lock cannot be written \(.*\); {cure[kind]}"):
        lock.acquire(tmp_path)
    assert not (tmp_path / "victim").exists()


def test_close_of_a_folder_that_is_gone(tmp_path):
    folder = Folder.create(tmp_path / "run")
    (tmp_path / "run").rename(tmp_path / "away")
    folder.close()
    assert not lock.in_use(tmp_path / "away")
