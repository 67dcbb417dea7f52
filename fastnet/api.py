"""What the command line, the page and the estimators call: train, sweep, resume, load."""

import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastnet.data import tasks
from fastnet.data.sources import checked_data, checked_task
from fastnet.engine.records import DIVERGED, TARGET
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.options.table import OPTIONS, resolve
from fastnet.results import environment
from fastnet.results import folder as store
from fastnet.results import result as records
from fastnet.results.folder import default_folder
from fastnet.results.predictions import evaluate, load_model, predict
from fastnet.results.result import Result
from fastnet.training import training as trainer
from fastnet.training.history import kept_epochs
from fastnet.training.plan import make_plan, pick_members
from fastnet.training.threads import default_threads

__all__ = [
    "Progress",
    "Result",
    "default_folder",
    "dry_run",
    "evaluate",
    "load",
    "load_model",
    "predict",
    "resume",
    "sweep",
    "train",
]

CHECKPOINT_SECONDS = 3.0  # between checkpoints at least; and 50 times what the last one took
# Options that --resume may change: they change no byte.
RESUMABLE = ("threads", "time_limit")
# Arguments that go with X and y.
SAMPLES = ("validation", "test", "sample_weight", "class_weight", "folds")


class Progress(NamedTuple):
    """Where a run stands; what a progress callback gets.

    stage is first "compile", or "load" where the kernels come from the cache, then "ready" with
    the seconds that took, then "train" after every round. Losses are the monitored ones;
    remaining is a guess in seconds, as if no member stopped early; plan comes with the first
    stage and says what is trained, as dry_run does.
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
    plan: dict | None = None


def train(X=None, y=None, **arguments):
    """Find one network: train all members, with stop="first" until one reaches the target.

    Parameters
    ----------
    X : array or DataFrame of shape (n, d)
        Inputs; leave out with `task` and with `data`, the path of a table (docs/data.md).
    y : array of shape (n,) or (n, k)
        Numbers, or class labels (texts and booleans classify by themselves, integers with
        loss="cross_entropy").
    task : {1, 2}, optional
        A built-in task in place of X and y.
    validation, test : (X, y) or (X, y, sample_weight), optional
        Sets of their own; or give validation_fraction, test_fraction.
    sample_weight : array of shape (n,), optional
        Weights >= 0 of the samples in the loss and in every mean; 0 leaves a sample out.
    class_weight : "balanced" or dict, optional
        Factors of the classes' weights in training; "balanced" gives each class the same sum.
    folds : list of (training rows, validation rows), optional
        Train every member once per fold on rows of X, without copying them.
    initial_weights : list of (W1, b1, W2, b2), optional
        One per member, shapes (N1, d), (N1,), (k, N1), (k,); copied.
    out : path, optional
        Write a run folder there.
    progress : callable, optional
        Called with a Progress after each round.
    **options
        Every option of the command line, under the same name: n1, seeds, learning_rate,
        clip_norm, batch_size, max_epochs, target_loss, ... (docs/options.md). Axes take one
        value or a list; seeds=8 means 0 to 7, seeds=[8] only 8.

    Returns
    -------
    Result

    Raises
    ------
    UsageError
        for an option or shape that cannot be used.
    DataError
        for NaN, wrong labels, or nothing to train on.
    FastnetError
        for an `out` that exists or cannot be written.

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> x = np.linspace(-1, 1, 200)
    >>> result = fastnet.train(x, np.sin(np.pi * x), n1=[4, 8], learning_rate=0.3,
    ...                        max_epochs=3000, target_loss=1e-3, stop="first")
    >>> bool(result.best["train_loss"] <= 1e-3)
    True
    """
    return run("train", X, y, **arguments)


def sweep(X=None, y=None, **arguments):
    """Train every member of the product of the axes to its own stop.

    Parameters, Returns, Raises
        as in `train`.

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> x = np.linspace(-1, 1, 100)
    >>> result = fastnet.sweep(x, x**2, n1=[2, 4], seeds=3, learning_rate=0.3, max_epochs=50)
    >>> len(result.members)
    6
    >>> [row["n1"] for row in result.by_n1()]
    [2, 4]
    """
    return run("sweep", X, y, **arguments)


def load(folder):
    """The Result in a finished run folder.

    Raises
    ------
    FastnetError
        when there is no such folder.
    DataError
        when it is unfinished or broken.
    """
    return store.load(folder)


# ---------------------------------------------------------------- from arguments to a Training


def prepare(command, X, y, task, given):
    """Options, Data and Plan, all checked: nothing is allocated or written before."""
    samples = {name: given.pop(name) for name in SAMPLES if name in given}
    if samples.get("class_weight", "") in (None, "balanced"):
        given["class_weight"] = samples.pop("class_weight")  # an option
    options = resolve(given, command, task)
    samples.setdefault("class_weight", options["class_weight"])
    for name in ("function", "samples", "noise") if task != 1 else ():
        if options[name] != OPTIONS[name].default:
            raise UsageError(f"{name} belongs to task 1; drop {name} {options[name]}.")
    checked = checked_data(X, y, task, options, samples)
    return options, checked, make_plan(options, checked)


def run(
    command,
    X=None,
    y=None,
    *,
    task=None,
    initial_weights=None,
    out=None,
    force=False,
    progress=None,
    **given,
):
    """train and sweep."""
    began, task = time.perf_counter(), checked_task(task)
    options, checked, members = prepare(command, X, y, task, given)
    training = trainer.Training(members, checked, options, initial_weights)
    facts = environment.describe(training.threads, checked.digest())
    job = Job(command, task, training, checked, facts, progress, began)
    if out is None:
        return job.run()
    job.folder = store.Folder.create(out, force)
    try:
        config = store.config(command, task, checked, options)
        job.folder.start(config, facts, checked.split)
        if initial_weights is not None:  # they are nowhere else
            job.folder.checkpoint(training.checkpoint())
    except BaseException:
        job.folder.abandon()
        raise
    return job.run()


def describe(task, options, checked):
    """What is learnt, in a few words."""
    if task == 1:
        return f"Task 1: {tasks.FUNCTIONS[options['function']].formula}, loss squared"
    if task == 2:
        return "Task 2: handwritten digits, loss cross_entropy"
    if options["data"] is not None:
        return f"{Path(options['data']).name}: {', '.join(checked.targets)}, loss {checked.loss}"
    return f"Loss {checked.loss}"


def dry_run(command, X=None, y=None, *, task=None, **given):
    """What a run would train: members, parameters, bytes of memory and disk, seconds.

    Memory counts weights, best weights, histories of max_epochs and the samples; disk what the
    run folder holds at most. Seconds follow from training a few members for a moment, as if no
    member stopped before max_epochs; compiling is not in it.
    """
    task = checked_task(task)
    options, checked, members = prepare(command, X, y, task, given)
    seconds = estimated_seconds(members, checked, options)
    return {**extent(task, options, checked, members), "seconds": seconds}


def extent(task, options, checked, members):
    """How much a run trains and holds, as a dict for JSON."""
    size, count = np.dtype(options["dtype"]).itemsize, len(members.columns)
    entries = count * len(kept_epochs(options["max_epochs"] + 1))
    history = entries * 8 * (3 + len(options["record"]))
    samples = checked.X.nbytes + checked.Y.nbytes
    held = {"all": members.length, "best": members.length // max(count, 1), "none": 0}
    return {
        "description": describe(task, options, checked),
        "notices": list(checked.notices),
        "samples": len(checked.split["train"]),
        "inputs": members.d,
        "outputs": members.k,
        "members": count,
        "n1": sorted(set(members.columns["n1"].tolist())),
        "parameters": int((members.columns["n1"] * (members.d + 1 + members.k) + members.k).sum()),
        "memory_bytes": (2 * members.length + members.memory) * size
        + count * 1000
        + 2 * history
        + 4 * samples,
        "disk_bytes": held[options["keep"]] * size + history + entries * 8 + count * 200,
        "threads": options["threads"] or default_threads(),
    }


def estimated_seconds(members, checked, options, most=64, moment=0.3):
    """Seconds that all epochs of all members take, from `most` of them trained for a moment."""
    count = len(members.columns)
    some = np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
    sample = trainer.Training(pick_members(members, some), checked, {**options, "stop": "all"})
    sample.warm_up()
    while sample.live.size and sample.elapsed < moment:
        sample.round()
    cost = trainer.unit_cost(members)
    spent = ((sample.pack.states["last_epoch"] + 1) * cost[some]).sum()
    return float(sample.elapsed * cost.sum() / spent * (options["max_epochs"] + 1))


def resume(folder, X=None, y=None, *, force=False, progress=None, **changed):
    """Continue an interrupted run to the bytes it would have had; load a finished one.

    Only threads and time_limit can change. X and y (and validation, test, sample_weight,
    class_weight, folds) are needed again unless it trains a task.

    Raises
    ------
    FastnetError
        when data, versions or processor are other than they were; force=True accepts that.
    """
    began = time.perf_counter()
    path = Path(folder)
    wrong = [name for name in changed if name not in (*RESUMABLE, *SAMPLES)]
    if wrong:
        raise UsageError(
            f"a resumed run keeps its options; {wrong[0]} cannot change, "
            f"only {' and '.join(RESUMABLE)} can."
        )
    config = store.read_json(path, "config.json")
    if (path / "summary.json").is_file():
        return load(path)
    given = {**store.read_options(config), **changed}
    options, checked, members = prepare(config["command"], X, y, config["task"], given)
    training = trainer.Training(members, checked, options)
    facts = environment.describe(training.threads, checked.digest())
    differ = environment.differences(store.read_json(path, "environment.json"), facts)
    if differ and not force:
        raise FastnetError(
            f"{path} cannot be resumed to the same bytes: {'; '.join(differ)}. "
            "Use --force to accept this."
        )
    job = Job(config["command"], config["task"], training, checked, facts, progress, began)
    job.folder = store.Folder.reopen(path)
    return job.run(path / "checkpoint.npz")


# ---------------------------------------------------------------- one run


class Job:
    """A Training with its folder, its progress and its clock."""

    def __init__(self, command, task, training, checked, facts, progress, began):
        self.command, self.task, self.training = command, task, training
        self.data, self.facts, self.progress, self.began = checked, facts, progress, began
        self.folder = None
        self.resumed_at = 0.0  # seconds that the run had trained before this process
        self.saved_at, self.save_cost, self.event_at = time.perf_counter(), 0.0, 0.0

    def run(self, checkpoint=None):
        """Train to the end, from a checkpoint if there is one; in any case free the folder."""
        try:
            if checkpoint is not None and checkpoint.is_file():
                self.restore(checkpoint)
            return self.train()
        finally:
            if self.folder is not None:
                self.folder.close()

    def restore(self, checkpoint):
        """Continue from the checkpoint."""
        saved = store.read_npz(checkpoint)
        try:
            self.training.restore(saved)
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"{checkpoint} is not of this run: {error}.") from None
        self.resumed_at = self.training.elapsed

    def train(self):
        """Compile, train, collect, save."""
        if self.progress:
            stage = "load" if self.training.is_ready() else "compile"
            members = self.training.plan
            plan = extent(self.task, self.training.options, self.data, members)
            self.progress(Progress(stage, len(members.columns), plan=plan))
        compiled = self.training.warm_up()
        if self.progress:
            self.progress(Progress("ready", len(self.training.plan.columns), seconds=compiled))
        self.saved_at = time.perf_counter()
        status = trainer.train(self.training, self.after_round)
        result = self.collect(status, compiled)
        if self.folder is not None:
            if status == "done":
                self.folder.event(**event_fields(self.where()), status=status)
                self.folder.finish(result)
            else:
                self.folder.checkpoint(self.training.checkpoint())
        return result

    def collect(self, status, compiled):
        seconds = {
            "compile": compiled,
            "train": self.training.elapsed,
            "total": time.perf_counter() - self.began + self.resumed_at,
        }
        result = records.collect(
            self.training, self.data, self.command, self.task, status, seconds, self.facts
        )
        return result if self.folder is None else result._replace(run=str(self.folder.path))

    def after_round(self, training):
        """Tell progress; an event a second; a checkpoint when it is due."""
        now = time.perf_counter()
        if self.progress or (self.folder and now - self.event_at >= 1):
            where = self.where()
            if self.progress:
                self.progress(where)
            if self.folder and now - self.event_at >= 1:
                self.folder.event(**event_fields(where), status="running")
                self.event_at = now
        if self.folder and now - self.saved_at >= max(CHECKPOINT_SECONDS, 50 * self.save_cost):
            self.folder.checkpoint(training.checkpoint())
            self.save_cost = time.perf_counter() - now
            self.saved_at = time.perf_counter()

    def where(self):
        """The run's Progress."""
        training, states = self.training, self.training.pack.states
        stops, columns = states["stop"], training.plan.columns
        best = int(np.argmin(states["best_loss"]))
        known = np.isfinite(states["best_loss"][best])
        done = int((states["last_epoch"] + 1).sum())
        live = training.live
        cost = training.cost
        spent = float(((states["last_epoch"] + 1) * cost).sum())
        left = (training.plan.settings["max_epochs"][live] - states["epoch"][live]) * cost[live]
        return Progress(
            "train",
            len(columns),
            live.size,
            int((stops == TARGET).sum()),
            int((stops == DIVERGED).sum()),
            training.start,
            done,
            best if known else None,
            float(states["best_loss"][best]) if known else None,
            int(columns["n1"][best]) if known else None,
            int(columns["seed"][best]) if known else None,
            training.elapsed,
            training.elapsed * float(left.sum()) / spent if spent else None,
        )


def event_fields(where):
    """A Progress as the fields of an event."""
    return {
        name: round(value, 3) if name in ("seconds", "remaining") and value is not None else value
        for name, value in where._asdict().items()
        if name not in ("stage", "plan")
    }
