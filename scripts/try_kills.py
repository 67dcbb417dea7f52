"""Kill runs at every operation on their files, resume them, and compare the bytes.

    python scripts/try_kills.py                 # all kinds of runs at all operations; 100 kill -9
    python scripts/try_kills.py --every 20      # at each 20th operation

Each run is a process of its own. It ends at once before its n-th operation: before it opens a file
to write, renames or removes one, makes a folder or takes the lock, or when half of a file is
written. Then it is resumed, in half of the trials by a process that is killed as well. In the end
the folder must hold the bytes of a run that nobody killed, without its seconds, and nothing else.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import fastnet
from fastnet import job
from fastnet.job import running
from fastnet.job.preparing import members_so_far
from fastnet.results import folder
from fastnet.training import training

X = np.linspace(-1, 1, 40)
Y = np.sin(3 * X)
SMALL = {"n1": [2, 3], "seeds": 2, "max_epochs": 5, "threads": 1}
FOLDS = [(np.arange(0, 40, 2), np.arange(1, 40, 2)), (np.arange(1, 40, 2), np.arange(0, 40, 2))]
WEIGHTS = [(np.full((3, 1), 0.3), np.zeros(3), np.full((1, 3), 0.2), np.zeros(1))] * 2
BATCHES = {**SMALL, "n1": [2, 5], "batch_size": 8, "optimizer": "adam", "validation_fraction": 0.2}
GIVEN = {"n1": 3, "seeds": 2, "max_epochs": 5, "initial_weights": WEIGHTS}
# Kinds of runs: the command, its samples, its other arguments, and whether --force replaces a run.
KINDS = {
    "sweep": ("sweep", (X, Y), SMALL, False),
    "initial weights": ("sweep", (X, Y), GIVEN, False),
    "force": ("sweep", (X, Y), SMALL, True),
    "folds": ("sweep", (X, Y), {**SMALL, "folds": FOLDS}, False),
    "batches": ("sweep", (X, Y), {**BATCHES, "record": ["clipped", "snapshots"]}, False),
    "task 1": ("train", (), {"task": 1, "samples": 50, "n1": [2, 4], "max_epochs": 8}, False),
    "force, weights": ("train", (X, Y), GIVEN, True),
    "smallest": ("smallest", (), {"task": 1, "samples": 50, "n1": [1, 2], "max_epochs": 8}, False),
}
OPERATIONS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "fcntl.flock")
KILLED = 99  # exit status of a process that ended itself


# ---------------------------------------------------------------- ending at an operation


class Countdown:
    """Calls end() before the n-th operation on files below a folder; 0 is never.

    By default it kills this process.
    """

    current = None  # Python calls a hook for ever, so there is one for all

    def __init__(self, root, n, end=lambda: os._exit(KILLED)):
        self.root, self.left, self.end = str(root), n, end
        self.fsync, self.append = os.fsync, folder.append

    def __enter__(self):
        Countdown.current = self
        os.fsync, folder.append = self.half_on_disk, self.half_appended
        return self

    def __exit__(self, *error):
        Countdown.current = None
        os.fsync, folder.append = self.fsync, self.append

    def hook(self, event, arguments):
        """One operation, if it is one that changes files."""
        name, mode, flags = arguments if event == "open" else (None, "", 0)
        opens = mode is None and flags & (os.O_WRONLY | os.O_RDWR)  # os.open() has no mode
        if event in OPERATIONS or (opens and str(name).startswith(self.root)):
            self.count()

    def count(self, before_end=lambda: None):
        if self.left > 0:
            self.left -= 1
            if self.left == 0:
                before_end()
                self.end()

    def half_on_disk(self, descriptor):
        size = os.fstat(descriptor).st_size
        self.count(lambda: os.ftruncate(descriptor, size // 2))
        self.fsync(descriptor)

    def half_appended(self, file, line, end):
        self.count(lambda: file.write(line[: len(line) // 2]))
        self.append(file, line, end)


def in_a_process(work, root, last=None):
    """Call work() in a process that ends before its operation of that number; its exit status."""
    process = os.fork()
    if process == 0:
        try:
            with Countdown(root, last or 0):
                work()
            os._exit(0)
        except BaseException as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def hook(event, arguments):
    if Countdown.current is not None:
        Countdown.current.hook(event, arguments)


sys.addaudithook(hook)


# ---------------------------------------------------------------- one run


def begin(kind, run, force=False):
    """Start the run."""
    command, samples, given, replaces = KINDS[kind]
    getattr(fastnet, command)(*samples, **given, out=run, force=force or replaces)


def go_on(kind, run):
    """Resume the run; begin again if it was killed before it could be resumed."""
    if not (run / "config.json").exists() or is_old(run):
        begin(kind, run, force=True)
        return
    _, samples, given, _ = KINDS[kind]
    fastnet.resume(run, *samples, **{n: given[n] for n in ("folds",) if n in given})


def is_old(run):
    """Whether the folder is the run that --force should have replaced."""
    return json.loads((run / "config.json").read_text())["options"]["max_epochs"] == 2


def new_place(kind, root):
    """Where the run will be; for --force, an older run is there."""
    run = Path(tempfile.mkdtemp(dir=root)) / "run"
    if KINDS[kind][3]:
        shutil.copytree(root / "old", run)
    return run


def contents(run):
    """All files of the run's folder and beside it; without what differs from run to run."""
    found = {}
    for path in sorted(run.parent.rglob("*")):
        name = str(path.relative_to(run.parent))
        found[name] = path.read_bytes() if path.is_file() else None
        if path.name in ("summary.json", "events.jsonl", "environment.json"):
            found[name] = None
        if path.name == "members.csv":
            found[name] = [line.rpartition(b",")[0] for line in found[name].splitlines()]
        if path.name == "config.json":
            found[name] = {**json.loads(found[name]), "replaces": None}
    return found


def check_lines(run):
    """All lines of events.jsonl but those torn by a kill are whole, and the last is the end."""
    lines = (run / "events.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines if line.endswith("}")][-1]["status"] == "done"


def carry_on(kind, run, expected, kills=()):
    """Resume until the run ends, killed at these operations first; compare."""
    for last in (*kills, None):
        status = in_a_process(lambda: go_on(kind, run), run.parent, last)
        assert status in (0, KILLED), f"{kind}: resuming ended with {status}"
    in_a_process(lambda: go_on(kind, run), run.parent)  # once more: it is finished
    found = contents(run)
    differ = [n for n in {*found, *expected} if found.get(n, b"") != expected.get(n, b"")]
    assert not differ, f"{kind}: {sorted(differ)} in {run}"
    check_lines(run)


# ---------------------------------------------------------------- all of them


def fast():
    """Rounds of one epoch, and a checkpoint and an event after each; all kernels loaded."""
    training.ROUND_SECONDS = 1e-9
    running.CHECKPOINT_SECONDS = running.CHECKPOINT_COSTS = running.EVENT_SECONDS = 0.0
    for command, samples, given, _ in KINDS.values():
        given = {name: value for name, value in given.items() if name != "initial_weights"}
        arguments = {name: given.pop(name) for name in ("task",) if name in given}
        X, y = samples or (None, None)
        options, data, plan = job.prepare(command, X, y, arguments.get("task"), given)
        plan = members_so_far(plan, data, options, ())
        training.Training(plan, data, options).warm_up()


def uninterrupted(kind, root):
    """The contents of a run that nobody kills."""
    run = new_place(kind, root)
    assert in_a_process(lambda: begin(kind, run), root) == 0
    return contents(run)


def kill_at(kind, root, last, kills=()):
    """One trial; False if the run ended before that operation."""
    run = new_place(kind, root)
    status = in_a_process(lambda: begin(kind, run), root, last)
    assert status in (0, KILLED), f"{kind}: the run ended with {status}"
    if status == KILLED:
        carry_on(kind, run, EXPECTED[kind], kills)
    return status == KILLED


def kill_everywhere(kind, root, every, shift=1):
    """Trials at each `every`-th operation; how many processes were killed."""
    EXPECTED[kind] = uninterrupted(kind, root)
    trials, last = 0, shift
    while True:
        kills = [1 + 7 * last % 40] if last % 2 else []
        if not kill_at(kind, root, last, kills):
            return trials
        trials, last = trials + 1, last + every


EXPECTED = {}


def kill_at_random(kind, root, rng):
    """A longer run that gets kill -9 at a random moment, and so do its first resumes."""
    given = {"n1": [2, 5, 9], "seeds": 20, "max_epochs": 3000, "optimizer": "sgd", "threads": 2}
    KINDS["random"] = ("sweep", (X, Y), given, False)
    if "random" not in EXPECTED:
        EXPECTED["random"] = uninterrupted("random", root)
    run, kills = new_place("random", root), 0
    for moment in rng.uniform(0.05, 1.2, 3):
        process = os.fork()
        if process == 0:
            go_on("random", run) if run.exists() else begin("random", run)
            os._exit(0)
        time.sleep(moment)
        os.kill(process, signal.SIGKILL)
        kills += os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -signal.SIGKILL
    carry_on("random", run, EXPECTED["random"])
    return kills


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="try each n-th operation [1]")
    parser.add_argument("--random", type=int, default=100, help="number of kill -9 [100]")
    given = parser.parse_args()
    fast()
    with tempfile.TemporaryDirectory() as root:
        root, began, trials = Path(root), time.time(), 0
        old = {"n1": 2, "max_epochs": 2, "out": root / "old"}
        in_a_process(lambda: fastnet.sweep(X, Y, **old), root)
        for kind in list(KINDS):
            count = kill_everywhere(kind, root, given.every)
            trials += count
            print(f"{kind}: killed at {count} operations, the same bytes", flush=True)
        print(f"{trials} operations in {time.time() - began:.0f} s")
        training.ROUND_SECONDS, running.CHECKPOINT_SECONDS = 0.02, 0.05
        rng, kills = np.random.default_rng(0), 0
        while kills < given.random:
            kills += kill_at_random("random", root, rng)
        print(f"{kills} kill -9 at random moments, the same bytes")


if __name__ == "__main__":
    main()
