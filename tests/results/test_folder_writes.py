"""How run folders are written: what is there is guarded, and a kill at any write harms nothing."""

import fcntl
import itertools
import os
from pathlib import Path

import pytest
from folders import (
    FILES,
    SMALL,
    assert_same_results,
    contents,
    files_of,
    saying,
)

import fastnet
from fastnet import files
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.job import starting
from fastnet.results import folder, writing
from fastnet.results.folder import Folder
from fastnet.results.lock import in_use

# ---------------------------------------------------------------- out, force


def exists(path):
    return saying(
        f"--out: {path} exists; name another folder, continue it with --resume {path}, "
        "or replace it with --force.",
        FastnetError,
    )


def test_what_exists_is_not_touched(run, tmp_path):
    before = contents(run)
    with exists(run):
        fastnet.train(out=run, **SMALL)
    with exists(run):
        fastnet.load(run).save(run)
    assert contents(run) == before
    (tmp_path / "file").write_text("mine")
    with exists(tmp_path / "file"):
        fastnet.train(out=tmp_path / "file", **SMALL)


@pytest.mark.parametrize("path", ["file/run", "file/deeper/run"])
def test_a_folder_that_cannot_be_made(tmp_path, path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FastnetError, match=r"^--out: .*run cannot be made \(.*file.*: .* .*\)\.$"):
        fastnet.train(out=tmp_path / path, **SMALL)
    assert files_of(tmp_path) == {"file"}


def test_folders_above_are_made(tmp_path):
    fastnet.train(out=tmp_path / "a" / "b", **SMALL)
    assert files_of(tmp_path / "a" / "b") == FILES


def test_force_replaces_a_run(run):
    result = fastnet.sweep(out=run, force=True, **{**SMALL, "n1": [7]})
    assert_same_results(fastnet.load(run), result)
    assert [p.name for p in run.parent.iterdir()] == ["run"] and files_of(run) == FILES


def test_force_makes_what_does_not_exist(tmp_path):
    fastnet.sweep(out=tmp_path / "new", force=True, **SMALL)
    assert files_of(tmp_path / "new") == FILES


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("thesis.txt", "all of it", "is not a run folder of fastnet: it has no config.json."),
        (
            "config.json",
            '{"a": 1}',
            "is not a run folder of fastnet: its config.json is not fastnet's.",
        ),
        ("config.json", "{", "config.json cannot be read ("),
        ("config.json", "[]", "config.json cannot be read (not an object)."),
    ],
)
def test_force_replaces_nothing_else(tmp_path, name, text, message):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / name).write_text(text)
    before = contents(folder)
    with pytest.raises(FastnetError, match=r"^--force replaces only run folders: ") as raised:
        fastnet.sweep(out=folder, force=True, **SMALL)
    assert message in str(raised.value) and str(raised.value).endswith(" Name another folder.")
    assert contents(folder) == before and [p.name for p in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("failing", [(starting, "run_config"), (folder, "write_npz")])
def test_the_old_run_comes_back_when_the_new_one_fails_before_training(run, monkeypatch, failing):
    def fail(*arguments):
        raise OSError("no space left on device")

    before = contents(run)
    monkeypatch.setattr(*failing, fail)
    with pytest.raises(OSError, match="no space left on device"):
        fastnet.sweep(out=run, force=True, **SMALL)
    assert contents(run) == before and [p.name for p in run.parent.iterdir()] == ["run"]


def test_bad_options_leave_the_old_run_alone(run):
    before = contents(run)
    with pytest.raises(UsageError, match=r"^n1 must be an integer >= 1"):
        fastnet.sweep(out=run, force=True, **{**SMALL, "n1": 0})
    assert contents(run) == before and [p.name for p in run.parent.iterdir()] == ["run"]


def test_until_the_new_run_is_finished_the_old_one_stands_aside(run):
    before = contents(run)

    def fail(where):
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        fastnet.sweep(out=run, force=True, progress=fail, **SMALL)
    (aside,) = (p for p in run.parent.iterdir() if p != run)
    name = f"run.old-{os.getpid()}"
    assert aside.name == name and contents(aside) == {**before, "set-aside": name.encode()}


# ---------------------------------------------------------------- the lock


@pytest.fixture
def locked(run):
    """The run while another has its lock: a file of its own, as in another process."""
    (run / "summary.json").unlink()
    with open(run / "lock", "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield run


def test_a_folder_in_use_is_refused(locked):
    before = contents(locked)
    busy = saying(
        f"{locked} is in use by another fastnet process; wait for it or stop it.", FastnetError
    )
    with busy:
        fastnet.sweep(out=locked, force=True, **SMALL)
    with busy:
        fastnet.resume(locked)
    assert contents(locked) == before and [p.name for p in locked.parent.iterdir()] == ["run"]


def test_a_lock_that_cannot_be_written(run):
    (run / "summary.json").unlink()
    (run / "lock").mkdir()
    full = f"{run}/lock cannot be written (Is a directory); move the folder of that name away."
    with saying(full, FastnetError):
        fastnet.resume(run)


def test_the_lock_is_held_while_training(tmp_path):
    seen = []
    fastnet.sweep(
        out=tmp_path / "run",
        progress=lambda where: seen.append(in_use(tmp_path / "run")),
        **SMALL,
    )
    assert seen and all(seen) and not in_use(tmp_path / "run")


def test_a_finished_run_gives_a_free_lock_no_second_time(tmp_path):
    folder = Folder.create(tmp_path / "run")
    folder.close()
    (tmp_path / "run" / "lock").write_text("another's")
    folder.close()
    assert (tmp_path / "run" / "lock").exists()


# ---------------------------------------------------------------- killed


class Killed(BaseException):
    """What happens to a process at kill -9, as far as a test can."""


def kill_at_write(monkeypatch, number, halfway):
    """At the write of that number the process ends: halfway (a .part is left), or just after it."""
    count, whole = itertools.count(1), files.write_whole

    def replace(path, write):
        last = next(count) == number
        if last and halfway:
            with open(f"{path}.part", "wb") as file:
                write(file)
                file.truncate(file.tell() // 2)
        else:
            whole(path, write)
        if last:
            raise Killed

    monkeypatch.setattr(files, "write_whole", replace)
    # Nobody tidies up, but the system gives the lock free.
    for name in ("close", "abandon"):
        monkeypatch.setattr(Folder, name, Folder.unlock)


def run_with_checkpoints(monkeypatch, out):
    monkeypatch.setattr("fastnet.job.running.CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr("fastnet.training.training.FIRST_ROUND", 0)  # one epoch, then 4, ...
    return fastnet.sweep(out=out, **SMALL)


@pytest.fixture(scope="module")
def writes(tmp_path_factory):
    """The files that a run writes, in their order."""
    with pytest.MonkeyPatch.context() as patch:
        names, whole = [], files.write_whole
        patch.setattr(files, "write_whole", lambda p, w: (names.append(p.name), whole(p, w)))
        run_with_checkpoints(patch, tmp_path_factory.mktemp("writes") / "run")
    return names


def test_the_order_of_the_files(writes):
    assert writes.index("config.json") == 2  # with it a run can be resumed
    assert "checkpoint.npz" in writes and writes[-1] == "summary.json"
    assert set(writes) == {Path(n).name for n in FILES} - {"events.jsonl"} | {"checkpoint.npz"}


@pytest.mark.parametrize("halfway", [True, False], ids=["halfway", "after"])
@pytest.mark.parametrize("number", range(1, 14))
def test_killed_at_any_write(finished, writes, monkeypatch, tmp_path, number, halfway):
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        kill_at_write(patch, number, halfway)
        with pytest.raises(Killed):
            run_with_checkpoints(patch, run)
    left = files_of(run)
    assert "lock" in left and not in_use(run)
    if "config.json" not in left:
        with saying(
            f"{run} is unfinished: it ended before its config.json was written; start it again "
            f"with --out {run} --force."
        ):
            fastnet.load(run)
        return
    if "summary.json" not in left:
        with saying(f"{run} is unfinished (no summary.json); continue it with --resume {run}."):
            fastnet.load(run)
    assert_same_results(fastnet.resume(run), finished[1])
    assert_same_results(fastnet.load(run), finished[1])
    if "summary.json" not in left:
        assert files_of(run) == FILES


def test_all_writes_were_among_those(writes):
    assert len(writes) >= 13  # else raise the range above; the number of checkpoints may vary


def test_a_saved_result_killed_at_any_write(finished, monkeypatch, tmp_path):
    saved = finished[1]._replace(run=None)
    for number in itertools.count(1):
        run = tmp_path / str(number)
        with monkeypatch.context() as patch:
            kill_at_write(patch, number, False)
            try:
                saved.save(run)
                break  # all writes are behind us
            except Killed:
                pass
        if (run / "summary.json").exists():
            assert_same_results(fastnet.load(run), saved)
        else:
            with pytest.raises(DataError, match=" is unfinished"):
                fastnet.load(run)
    assert number - 1 == len(FILES - {"events.jsonl"}) == 13


def test_save_that_fails_leaves_nothing(finished, monkeypatch, tmp_path):
    def fail(*arguments):
        raise OSError("no space left on device")

    monkeypatch.setattr(writing, "write_model", fail)
    with pytest.raises(OSError, match="no space left"):
        finished[1].save(tmp_path / "run")
    assert not (tmp_path / "run").exists()
