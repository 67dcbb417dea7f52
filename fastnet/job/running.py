"""One run: a Training with its folder, its progress and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnet.cluster import Cluster, ClusterError, Run
from fastnet.data.samples import Data
from fastnet.engine.records import DIVERGED, TARGET
from fastnet.errors import DataError, FastnetError
from fastnet.files import WriteError, read_npz
from fastnet.job.sizing import estimated_seconds, extent
from fastnet.results.collect import from_training, stops_of
from fastnet.results.folder import Folder
from fastnet.results.result import Result
from fastnet.results.reuse import Reuse
from fastnet.results.words import how_to_resume
from fastnet.training import loop
from fastnet.training.halving import epochs_left
from fastnet.training.plan import Plan, pick_members, plan_of_blocks
from fastnet.training.search import CUT_SHORT, is_searched, replayed
from fastnet.training.shards import adopt, shard_words
from fastnet.training.training import Training, grown

CHECKPOINT_SECONDS = 3.0  # between checkpoints at least, but for
FIRST_CHECKPOINT = 0.5  # seconds of training before the first: who watches wants to see something
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
        The last epoch, and the epochs of all members that were trained together.
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
        reuse: Reuse | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        self.command, self.task, self.training = command, task, training
        self.data, self.facts, self.progress = data, facts, progress
        self.began, self.reuse, self.cluster = began, reuse, cluster
        self.folder: Folder | None = None
        self.resumed_at = 0.0  # seconds trained before this process started
        self.spent_before, self.adopted = self.spent(), self.epochs()  # of members of other runs
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
        except ClusterError as error:
            raise self.with_standing(error) from None
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
            f"{path} was removed or renamed while its run trained; if it was renamed, continue: "
            f"{command}"
        )

    def with_standing(self, error: ClusterError) -> FastnetError:
        """The error of a run that its cluster did not finish, with what is saved and what to do."""
        count, live = self.training.plan.columns.size, self.training.live.size
        if self.folder is None:
            return FastnetError(f"{error}; {live:,} of {count:,} members are not trained.")
        data = self.training.options["data"]
        command = how_to_resume(self.command, self.task, data, str(self.folder.path))
        return FastnetError(
            f"{error}; {count - live:,} of {count:,} members are saved. Continue: {command}"
        )

    def restore(self, checkpoint: Path, saved: Mapping[str, np.ndarray]) -> None:
        """Continue from a checkpoint, whose arrays are `saved`."""
        try:
            self.training.restore(saved)
        except DataError as error:
            raise DataError(f"{checkpoint} is not of this run: {error}.") from None
        self.resumed_at = self.training.elapsed
        self.spent_before = self.spent()

    def adopt_pieces(self, paths: Iterable[Path]) -> None:
        """Take over what workers handed over and no checkpoint has."""
        for path in paths:
            piece = read_npz(path)
            try:
                members = piece.pop("members")
                if self.training.pack.states[members].tobytes() == piece["states"].tobytes():
                    continue  # a kill left it beside the checkpoint that has it
                if not np.isin(members, self.training.live).all():
                    raise DataError("its members have ended, and otherwise than here")
                adopt(self.training, members, piece)
            except (DataError, KeyError, IndexError, TypeError) as error:
                raise DataError(f"{path} is not of this run: {error}; remove it.") from None
        self.spent_before = self.spent()

    def epochs(self) -> int:
        """The epochs of all members together."""
        return int((self.training.pack.states["last_epoch"] + 1).sum())

    def spent(self) -> float:
        """The cost of all epochs of all members so far."""
        training = self.training
        return float(((training.pack.states["last_epoch"] + 1) * training.cost).sum())

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
        if self.cluster is not None:
            return self.advance_on(self.cluster)
        began = self.training.elapsed
        with loop.interruptible() as interrupted:
            while True:
                status = loop.train(self.training, self.after_round, began, interrupted)
                longer = self.longer_plan() if status == "done" else None
                if longer is None:
                    return status
                if self.asked or interrupted.is_set():
                    return "interrupted"
                begun = self.training.plan.columns.size
                self.training = grown(self.training, longer, self.data)
                if self.reuse is not None:
                    self.reuse.into(self.training, begun)

    def advance_on(self, cluster: Cluster) -> str:
        """Let the workers of a cluster train the members; how it ended."""
        training = self.training
        plan, options = (
            pick_members(training.plan, training.live),
            {**training.options, "threads": 1},
        )
        if not plan.columns.size:
            return "done"
        given = self.facts.get("initial_weights", False)
        seconds = estimated_seconds(plan, self.data, options)
        with loop.interruptible() as interrupted:
            run = Run(cluster, training, self.data, seconds, self.keep_piece, given)
            return run.train(self.after_round, interrupted)

    def keep_piece(self, members: np.ndarray, piece: Mapping[str, np.ndarray]) -> None:
        """Write what a worker handed over."""
        if self.folder is not None:
            self.folder.keep_piece(members, piece)

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
            facts["notices"] += self.notices()
            if self.folder is not None and self.folder.lock.notice:
                facts["notices"].append(self.folder.lock.notice)
            self.progress(Progress(stage, len(plan.columns), plan=facts, compiling=missing))
        compiled = self.training.warm_up()
        if self.progress:
            self.progress(Progress("ready", len(plan.columns), seconds=compiled))
        return compiled

    def notices(self) -> list[str]:
        """What this run took from others, and whose workers trained it, in words."""
        others = self.facts.get("workers", {}).get("notices", ()), self.facts.get("remarks", ())
        workers = [notice for notices in others for notice in notices]
        if self.reuse is None:
            return [*self.facts.get("reused", ()), *workers]
        return [*self.reuse.notices(self.training.plan.columns.size), *workers]

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
            notices=[*shard_words(self.training.options), *self.notices()],
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
        apart = min(CHECKPOINT_SECONDS, FIRST_CHECKPOINT + training.elapsed / 3)
        due = now - self.saved_at >= max(apart, CHECKPOINT_COSTS * self.save_cost)
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
        spent = self.spent() - self.spent_before
        known = spent and not is_searched(training.options)
        epochs = epochs_left(training.halving, training.start, training.options["max_epochs"])
        left, took = epochs * cost[live], training.elapsed - self.resumed_at
        epoch = training.start - 1 if self.cluster is None else int(states["last_epoch"].max())
        return Progress(
            stage="train",
            members=len(columns),
            running=live.size,
            reached=int((states["stop"] == TARGET).sum()),
            diverged=int((states["stop"] == DIVERGED).sum()),
            epoch=max(epoch, 0),
            member_epochs=self.epochs() - self.adopted,
            best_member=best if found else None,
            best_loss=float(states["best_loss"][best]) if found else None,
            best_n1=int(columns["n1"][best]) if found else None,
            best_seed=int(columns["seed"][best]) if found else None,
            seconds=training.elapsed,
            remaining=took * float(left.sum()) / spent if known else None,
        )


def event_fields(standing: Progress) -> dict[str, Any]:
    """A Progress as the fields of an event."""
    return {
        name: round(value, 3) if name in ("seconds", "remaining") and value is not None else value
        for name, value in standing._asdict().items()
        if name not in ("stage", "plan", "compiling")
    }
