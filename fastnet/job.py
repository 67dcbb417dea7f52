"""One run: check its arguments, estimate its size, train it with folder and progress."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnet.data import inspection, tasks
from fastnet.data.samples import Data
from fastnet.data.sources import checked_data, checked_task
from fastnet.data.tables import table_of_frame
from fastnet.engine.records import DIVERGED, TARGET
from fastnet.errors import DataError, FastnetError, UsageError, quoted
from fastnet.files import WriteError, checked_path, read_npz
from fastnet.options.arguments import SAMPLE_NAMES
from fastnet.options.defaults import resolve
from fastnet.options.kinds import is_list
from fastnet.options.rules import (
    refuse_of_halving,
    refuse_of_search,
    refuse_of_task_1,
    refuse_two_targets,
    refuse_within,
)
from fastnet.options.table import OPTIONS
from fastnet.results import environment
from fastnet.results.collect import from_training, load, stops_in, stops_of
from fastnet.results.folder import CHECKPOINT, Folder, tidy_finished
from fastnet.results.reading import read_json, read_options
from fastnet.results.result import Result
from fastnet.results.words import how_to_resume
from fastnet.results.writing import run_config
from fastnet.training import training as trainings
from fastnet.training.cores import granted
from fastnet.training.halving import epochs_left, halving_of
from fastnet.training.history import kept_epochs
from fastnet.training.plan import Plan, even_batch, make_plan, pick_members, plan_of_blocks
from fastnet.training.search import CUT_SHORT, first_blocks, is_searched, replayed
from fastnet.training.strengths import with_strengths
from fastnet.training.targets import with_target_loss
from fastnet.training.training import Training, grown

CHECKPOINT_SECONDS = 3.0  # between checkpoints at least
CHECKPOINT_COSTS = 50  # and at least this many times the time that the last one took
EVENT_SECONDS = 1.0  # between events at least


class Progress(NamedTuple):
    """The progress of a run, as a progress callback gets it.

    Attributes
    ----------
    stage : {"compile", "load", "ready", "train"}
        First "compile", or "load" if the kernels come from the cache. Then "ready" with the
        seconds that this took, then "train" after every round.
    members, running, reached, diverged : int
        Counts of members: all, still training, at their target, diverged.
    epoch, member_epochs : int
        The last epoch, and the epochs of all members together.
    best_member, best_loss, best_n1, best_seed : int, float, int, int or None
        The member with the lowest monitored loss so far.
    seconds : float
    remaining : float or None
        An estimate in seconds, as if no member stopped early; None where more may be added.
    plan : dict or None
        What is trained, as `dry_run` returns it; only with the first stage.
    compiling : tuple of str
        What kernels are compiled for, as "adam with relu"; only with the stage "compile".
    """

    stage: str
    members: int = 0
    running: int = 0
    reached: int = 0
    diverged: int = 0
    epoch: int = 0
    member_epochs: int = 0
    best_member: int | None = None
    best_loss: float | None = None
    best_n1: int | None = None
    best_seed: int | None = None
    seconds: float = 0.0
    remaining: float | None = None
    plan: dict[str, Any] | None = None
    compiling: tuple[str, ...] = ()


# ---------------------------------------------------------------- preparing a run


def prepare(
    command: str, X: Any, y: Any, task: int | None, given: Mapping[str, Any]
) -> tuple[dict[str, Any], Data, Plan]:
    """Options, Data and Plan, all checked before anything is allocated or written."""
    chosen = {name: value for name, value in given.items() if is_option(name, value)}
    samples = {name: value for name, value in given.items() if name not in chosen}
    options = resolve(chosen, command, task)
    samples.setdefault("class_weight", options["class_weight"])
    refuse_of_search(command, options, samples.get("folds"))
    refuse_of_halving(options)
    assumed = options.keys() - chosen.keys()
    data = checked_data(X, y, task, options, samples, assumed)
    if "validation_fraction" in assumed and not len(data.split["val"]):
        options["validation_fraction"] = 0.0
    refuse_within(options)
    options = with_target_loss(options, data)
    rows, held_out = int(data.train_counts().min()), len(data.split["val"]) or len(data.folds)
    options = with_strengths(options, assumed, rows, bool(held_out))
    if "batch_size" in assumed:
        weights = data.weights("train")[0]
        options["batch_size"] = tuple(even_batch(s, weights) for s in options["batch_size"])
    return options, data, make_plan(options, data)


def inspect(data: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The document of fastnet.inspect: of a file, or of a data frame."""
    given = {name: value for name, value in given.items() if value is not None}
    if not hasattr(data, "columns"):
        options, table = resolve({**given, "data": data}, "train"), None
    else:
        options, table = resolve({**given, "data": "-"}, "train"), table_of_frame(data, "the frame")
        if table.rows == 0:
            raise DataError(f"the frame has no rows, shape {data.shape}; there is nothing to see.")
    return inspection.inspect(options, options.keys() - given.keys(), table)


def is_option(name: str, value: Any) -> bool:
    """Whether an argument is an option; some names are those of arrays or lists as well."""
    if name == "class_weight":
        return value is None or (isinstance(value, str) and value == "balanced")
    return name not in SAMPLE_NAMES or (name in OPTIONS and not is_list(value))


def members_so_far(
    plan: Plan, data: Data, options: Mapping[str, Any], stops: Sequence[str]
) -> Plan:
    """The members of a run that adds them until the smallest N1 is decided; else `plan` itself.

    `stops` says why each member stopped so far. There is at least one block of members.
    """
    if not is_searched(options):
        return plan
    _, blocks = replayed(options, stops)
    blocks = blocks or [first_blocks(options)[0]]
    return plan_of_blocks(options, plan, data.train_counts(), blocks)


def first_members(plan: Plan, data: Data, options: Mapping[str, Any]) -> Plan:
    """The first block of each width that a run tries if none is sufficient; else `plan` itself."""
    if not is_searched(options):
        return plan
    return plan_of_blocks(options, plan, data.train_counts(), first_blocks(options))


def describe(task: int | None, options: Mapping[str, Any], data: Data) -> str:
    """The task of a run, in a few words."""
    if task == 1:
        return f"Task 1: {tasks.FUNCTIONS[options['function']].formula}, loss squared"
    if task == 2:
        return "Task 2: handwritten digits, loss cross_entropy"
    if options["data"] is not None:
        return f"{Path(options['data']).name}: {', '.join(data.targets)}, loss {data.loss}"
    return f"Loss {data.loss}"


def extent(task: int | None, options: Mapping[str, Any], data: Data, plan: Plan) -> dict[str, Any]:
    """The size of a run, as a dict for JSON."""
    size, count, n1 = np.dtype(options["dtype"]).itemsize, len(plan.columns), plan.columns["n1"]
    entries = count * len(kept_epochs(options["max_epochs"] + 1))
    history = entries * 8 * (3 + len(options["record"]))
    samples = data.X.nbytes + data.Y.nbytes
    held = {"all": plan.length, "best": plan.length // max(count, 1), "none": 0}
    most = {"max_members": options["max_members"]} if is_searched(options) else {}
    halving = halving_of(plan, options)
    return {
        "description": describe(task, options, data),
        "notices": [*data.notices, *([halving.words()] if halving else [])],
        "samples": len(data.split["train"]),
        "inputs": plan.d,
        "outputs": plan.k,
        "members": count,
        **most,
        "n1": sorted(set(n1.tolist())),
        "parameters": int((n1 * (plan.d + 1 + plan.k) + plan.k).sum()),
        "memory_bytes": (2 * plan.length + plan.memory) * size
        + count * 1000
        + 2 * history
        + 4 * samples,
        "disk_bytes": held[options["keep"]] * size + history + entries * 8 + count * 200,
        "threads": options["threads"] or granted().count,
    }


def estimated_seconds(
    plan: Plan, data: Data, options: Mapping[str, Any], most: int = 64, moment: float = 0.3
) -> float:
    """Seconds for all epochs of all members, estimated by training `most` of them for a moment.

    With halving the settings that go on count as being of average cost.
    """
    count = len(plan.columns)
    some = np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
    sample = Training(pick_members(plan, some), data, {**options, "stop": "all", "halving": None})
    sample.warm_up()
    while sample.live.size and sample.elapsed < moment:
        sample.round()
    cost = trainings.unit_cost(plan)
    spent = ((sample.pack.states["last_epoch"] + 1) * cost[some]).sum()
    epochs = epochs_left(halving_of(plan, options), 0, options["max_epochs"]) + 1
    return float(sample.elapsed * cost.sum() / spent * epochs)


def dry_run(
    command: str, X: Any, y: Any, *, task: int | None = None, **given: Any
) -> dict[str, Any]:
    """The size of a run and the seconds that it would take."""
    task = checked_task(task)
    refuse_of_task_1(given, task)
    refuse_two_targets(given)
    options, data, plan = prepare(command, X, y, task, given)
    plan = first_members(plan, data, options)
    seconds = estimated_seconds(plan, data, options)
    return {**extent(task, options, data, plan), "seconds": seconds}


# ---------------------------------------------------------------- starting and resuming


def start(
    command: str,
    X: Any,
    y: Any,
    *,
    task: int | None = None,
    initial_weights: Any = None,
    out: str | os.PathLike[str] | Callable[[], Path] | None = None,
    force: bool = False,
    progress: Callable[[Progress], object] | None = None,
    **given: Any,
) -> Result:
    """A new run: check everything, train, and write the folder if one is asked for.

    `out` may be a function that returns a path which does not exist: see Folder.create().
    """
    began, task = time.perf_counter(), checked_task(task)
    refuse_of_task_1(given, task)
    refuse_two_targets(given)
    if not (out is None or callable(out)):
        out = checked_path(out, "out")
    refuse_uncallable(progress)
    options, data, plan = prepare(command, X, y, task, given)
    if is_searched(options) and initial_weights is not None:
        raise UsageError("smallest adds members by itself and takes no initial_weights; drop them.")
    plan = members_so_far(plan, data, options, ())
    training = Training(plan, data, options, initial_weights)
    facts = environment.describe(training.threads, data.digest())
    job = Job(command, task, training, data, facts, progress, began)
    if out is None:
        return job.run()
    job.folder = Folder.create(out, force)
    try:
        config = run_config(command, task, data.schema, options)
        first = None if initial_weights is None else training.checkpoint()
        job.folder.start(config, facts, data.divided(), first)
    except BaseException:
        job.folder.abandon()
        raise
    return job.run()


def go_on(
    path: Path,
    config: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    force: bool = False,
    progress: Callable[[Progress], object] | None = None,
    **changed: Any,
) -> Result:
    """Continue the run in a folder, whose config.json is `config`; load it if it is finished.

    The folder is locked before it is looked at: another process may be finishing the run.
    """
    refuse_uncallable(progress)
    if (path / "summary.json").is_file():
        tidy_finished(path, config)
        return load(path)
    folder = Folder.reopen(path)
    try:
        if (path / "summary.json").is_file():
            with contextlib.suppress(OSError):
                folder.tidy()
            return load(path)
        if config.get("initial_weights") and not (path / CHECKPOINT).is_file():
            raise DataError(
                f"{path} cannot be resumed: it began with initial_weights, and checkpoint.npz, "
                "which alone has them, is missing; train again with them."
            )
        return go_on_locked(folder, config, X, y, force=force, progress=progress, **changed)
    finally:
        folder.close()


def go_on_locked(
    folder: Folder,
    config: Mapping[str, Any],
    X: Any,
    y: Any,
    *,
    force: bool,
    progress: Callable[[Progress], object] | None,
    **changed: Any,
) -> Result:
    """go_on() with the folder's lock held."""
    began, path = time.perf_counter(), folder.path
    given = {**read_options(path, config), **changed}
    refuse_lost_input(given["data"], path)
    options, data, plan = prepare(config["command"], X, y, config["task"], given)
    checkpoint = path / CHECKPOINT
    saved = read_npz(checkpoint) if checkpoint.is_file() else None
    stops = () if saved is None else stops_in(checkpoint, saved)
    plan = members_so_far(plan, data, options, stops)
    training = Training(plan, data, options)
    facts = environment.describe(training.threads, data.digest())
    differ = environment.differences(read_json(path, "environment.json"), facts)
    if differ and not force:
        raise FastnetError(
            f"{path} cannot be resumed to the same bytes: {'; '.join(differ)}. "
            "Use --force to accept this."
        )
    job = Job(config["command"], config["task"], training, data, facts, progress, began)
    job.folder = folder
    if saved is not None:
        job.restore(checkpoint, saved)
    return job.run()


def refuse_uncallable(progress: Any) -> None:
    """Raise a UsageError for a progress that cannot be called, before anything is written."""
    if progress is not None and not callable(progress):
        raise UsageError(f"progress must be a function of a Progress, got {quoted(progress)}.")


def refuse_lost_input(data: str | None, path: Path) -> None:
    """Raise a FastnetError if a run read standard input and nothing is piped into it now."""
    if data == "-" and (sys.stdin is None or sys.stdin.isatty() or is_empty(sys.stdin)):
        raise FastnetError(
            f"{path} was trained on a table from standard input, which is not kept; pipe the same "
            "data again."
        )


def is_empty(stream: Any) -> bool:
    """Whether nothing comes from a stream that can be looked into."""
    return hasattr(stream.buffer, "peek") and not stream.buffer.peek(1)


# ---------------------------------------------------------------- one run


class Job:
    """A Training with its folder, its progress and its clock."""

    def __init__(
        self,
        command: str,
        task: int | None,
        training: Training,
        data: Data,
        facts: dict[str, Any],
        progress: Callable[[Progress], object] | None,
        began: float,
    ) -> None:
        self.command, self.task, self.training = command, task, training
        self.data, self.facts, self.progress = data, facts, progress
        self.began = began
        self.folder: Folder | None = None
        self.resumed_at = 0.0  # seconds trained before this process started
        self.asked = False  # whether progress asked for an end
        self.saved_at, self.save_cost, self.event_at = time.perf_counter(), 0.0, 0.0

    def run(self) -> Result:
        """Train to the end; always release the folder."""
        try:
            return self.train()
        except WriteError as error:
            if self.folder is None:
                raise
            raise self.with_cure(error, self.folder.path) from None
        finally:
            if self.folder is not None:
                self.folder.close()

    def with_cure(self, error: WriteError, path: Path) -> FastnetError:
        """The error of a run that cannot write its folder, with what to do next."""
        data = self.training.options["data"]
        if path.is_dir():
            command = how_to_resume(self.command, self.task, data, str(path))
            return FastnetError(f"{str(error)[:-1]}, then continue: {command}")
        command = how_to_resume(self.command, self.task, data, "NEW_NAME")
        return FastnetError(
            f"{path} was removed or renamed while its run went on; if it was renamed, continue: "
            f"{command}"
        )

    def restore(self, checkpoint: Path, saved: Mapping[str, np.ndarray]) -> None:
        """Continue from a checkpoint, whose arrays are `saved`."""
        try:
            self.training.restore(saved)
        except DataError as error:
            raise DataError(f"{checkpoint} is not of this run: {error}.") from None
        self.resumed_at = self.training.elapsed

    def train(self) -> Result:
        """Compile, train, collect, save."""
        compiled = self.warm_up()
        self.saved_at = time.perf_counter()
        status = self.advance()
        result = self.collect(status, compiled)
        if self.folder is not None and status == "done":
            self.folder.event(**event_fields(self.standing()), status=status)
            self.folder.finish(result)
        elif self.folder is not None:
            self.folder.checkpoint(self.training.checkpoint())
        return result

    def advance(self) -> str:
        """Train all members, and those that are added to decide the smallest N1; how it ended."""
        began = self.training.elapsed
        with trainings.interruptible() as interrupted:
            while True:
                status = trainings.train(self.training, self.after_round, began, interrupted)
                longer = self.longer_plan() if status == "done" else None
                if longer is None:
                    return status
                if self.asked or interrupted.is_set():
                    return "interrupted"
                self.training = grown(self.training, longer, self.data)

    def longer_plan(self) -> Plan | None:
        """The plan with the next members of a search for the smallest N1, or None if it is over."""
        training, stops = self.training, stops_of(self.training.pack.states).tolist()
        if not is_searched(training.options) or set(stops) & set(CUT_SHORT):
            return None
        search, blocks = replayed(training.options, stops)
        block = search.next_block()
        if block is None:
            return None
        counts = self.data.train_counts()
        return plan_of_blocks(training.options, training.plan, counts, [*blocks, block])

    def warm_up(self) -> float:
        """Load or compile the kernels between the first two calls of progress; their seconds."""
        plan = self.training.plan
        if self.progress:
            missing = tuple(self.training.missing())
            stage = "compile" if missing else "load"
            facts = extent(self.task, self.training.options, self.data, plan)
            if self.folder is not None and self.folder.lock.notice:
                facts["notices"].append(self.folder.lock.notice)
            self.progress(Progress(stage, len(plan.columns), plan=facts, compiling=missing))
        compiled = self.training.warm_up()
        if self.progress:
            self.progress(Progress("ready", len(plan.columns), seconds=compiled))
        return compiled

    def collect(self, status: str, compiled: float) -> Result:
        """The Result of the training so far."""
        seconds = {
            "compile": compiled,
            "train": self.training.elapsed,
            "total": time.perf_counter() - self.began + self.resumed_at,
        }
        result = from_training(
            self.training,
            self.data,
            command=self.command,
            task=self.task,
            status=status,
            seconds=seconds,
            environment=self.facts,
        )
        return result if self.folder is None else result._replace(run=str(self.folder.path))

    def after_round(self, training: Training) -> bool:
        """Call progress; write an event and a checkpoint when they are due.

        Whether progress returned True, which interrupts the run.
        """
        now = time.perf_counter()
        event = self.folder is not None and now - self.event_at >= EVENT_SECONDS
        if self.progress or event:
            standing = self.standing()
            if self.progress:
                self.asked = self.progress(standing) is True
            if self.folder is not None and event:
                self.folder.event(**event_fields(standing), status="running")
                self.event_at = now
        due = now - self.saved_at >= max(CHECKPOINT_SECONDS, CHECKPOINT_COSTS * self.save_cost)
        if self.folder is not None and due:
            self.folder.checkpoint(training.checkpoint())
            self.save_cost = time.perf_counter() - now
            self.saved_at = time.perf_counter()
        return self.asked

    def standing(self) -> Progress:
        """The run's Progress."""
        training, states = self.training, self.training.pack.states
        best = int(np.argmin(states["best_loss"]))
        found = np.isfinite(states["best_loss"][best])
        columns, live, cost = training.plan.columns, training.live, training.cost
        spent = float(((states["last_epoch"] + 1) * cost).sum())
        known = spent and not is_searched(training.options)
        epochs = epochs_left(training.halving, training.start, training.options["max_epochs"])
        left = epochs * cost[live]
        return Progress(
            stage="train",
            members=len(columns),
            running=live.size,
            reached=int((states["stop"] == TARGET).sum()),
            diverged=int((states["stop"] == DIVERGED).sum()),
            epoch=max(training.start - 1, 0),
            member_epochs=int((states["last_epoch"] + 1).sum()),
            best_member=best if found else None,
            best_loss=float(states["best_loss"][best]) if found else None,
            best_n1=int(columns["n1"][best]) if found else None,
            best_seed=int(columns["seed"][best]) if found else None,
            seconds=training.elapsed,
            remaining=training.elapsed * float(left.sum()) / spent if known else None,
        )


def event_fields(standing: Progress) -> dict[str, Any]:
    """A Progress as the fields of an event."""
    return {
        name: round(value, 3) if name in ("seconds", "remaining") and value is not None else value
        for name, value in standing._asdict().items()
        if name not in ("stage", "plan", "compiling")
    }
