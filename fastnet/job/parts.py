"""A sweep that is larger than the memory it may use: one part after another.

Each part is a shard of the members with a run folder of its own, in parts/ of the run's folder. A
part that is finished is safe; a run that is continued goes on with the others.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data.samples import Data
from fastnet.errors import FastnetError
from fastnet.files import WriteError, read_npz
from fastnet.job.running import EVENT_SECONDS, Job, Progress, event_fields
from fastnet.job.sizing import extent, parts_words
from fastnet.results.folder import CHECKPOINT, Folder
from fastnet.results.parts import put_together
from fastnet.results.reading import PARTS, read_json
from fastnet.results.result import Result
from fastnet.results.reuse import Reuse
from fastnet.results.writing import run_config
from fastnet.training import loop
from fastnet.training.plan import Plan, pick_members
from fastnet.training.shards import parts, shard_words
from fastnet.training.training import Training


class PartJob(Job):
    """The training of one part; its errors name the run, `whole`."""

    whole: Path

    def with_cure(self, error: WriteError, path: Path) -> FastnetError:
        return super().with_cure(error, self.whole)


class Parts:
    """A run in parts, with its folder, its progress and its clock.

    Attributes
    ----------
    folder : Folder
        Of the run.
    part : int
        The part in training, from 0 on.
    ended : dict
        Counts of the parts that are finished, as in a Progress.
    """

    def __init__(
        self,
        command: str,
        task: int | None,
        plan: Plan,
        data: Data,
        options: Mapping[str, Any],
        facts: dict[str, Any],
        progress: Callable[[Progress], object] | None,
        began: float,
        folder: Folder,
        count: int,
        reuse: Reuse | None = None,
    ) -> None:
        self.command, self.task, self.plan, self.data = command, task, plan, data
        self.options, self.facts, self.progress = options, facts, progress
        self.began, self.folder, self.reuse = began, folder, reuse
        self.before = 0.0  # seconds of the parts that an earlier process finished
        self.members = parts(plan, options, count)
        self.total, self.part, self.asked, self.event_at = plan.columns.size, 0, False, 0.0
        self.ended = dict.fromkeys(("reached", "diverged", "member_epochs"), 0)
        self.seconds, self.best, self.said = 0.0, Progress("train"), False
        self.job: PartJob | None = None

    def run(self) -> Result:
        """Train all parts and put them together; always release the folder."""
        try:
            return self.train()
        except WriteError as error:
            raise (self.job.with_cure(error, self.folder.path) if self.job else error) from None
        finally:
            self.folder.close()

    def train(self) -> Result:
        """The Result of all parts, or of the one in which the run was interrupted."""
        with loop.interruptible() as interrupted:
            for part, members in enumerate(self.members):
                self.part = part
                path = self.folder.path / PARTS / str(part + 1)
                if not (path / "summary.json").is_file():
                    result = self.train_part(members, Folder(path))
                    if result.status == "interrupted" or self.asked or interrupted.is_set():
                        return self.cut_short(result)
                    del result
                    self.job = None
                    gc.collect()  # a Training refers to itself; two at once would be too large
                else:
                    self.before += read_json(path, "summary.json")["seconds"]["total"]
                self.count(read_json(path, "summary.json"), epochs_of(path))
        del self.plan  # its memory is needed for the records of all members
        self.job = None
        facts = {"command": self.command, "task": self.task, "options": self.options}
        facts["environment"] = self.facts
        notices = [*shard_words(self.options), *self.notices()]
        result = put_together(self.folder.path, self.members, self.data, facts, notices)
        total = time.perf_counter() - self.began + self.before
        result = result._replace(seconds={**result.seconds, "total": total})
        self.write_event(self.standing(Progress("train")), "done")
        self.folder.finish(result)
        return result

    def train_part(self, members: np.ndarray, folder: Folder) -> Result:
        """Train the members of a part, from its checkpoint on if there is one."""
        options = {**self.options, "keep": "all"}  # the best member is known when all are trained
        training = Training(pick_members(self.plan, members), self.data, options)
        training.film()
        checkpoint = folder.path / CHECKPOINT
        begun = (folder.path / "config.json").is_file()
        saved = read_npz(checkpoint) if begun and checkpoint.is_file() else None
        if saved is None and self.reuse is not None:
            self.reuse.into(training)
        began = time.perf_counter()
        job = PartJob(self.command, self.task, training, self.data, self.facts, self.shown, began)
        job.whole, self.job = self.folder.path, job
        job.folder = Folder.reopen(folder.path) if begun else Folder.create(folder.path, True)
        if not begun:
            config = run_config(self.command, self.task, self.data.schema, options)
            job.folder.start(config, self.facts, self.data.divided())
        if saved is not None:
            job.restore(checkpoint, saved)
        return job.run()

    def cut_short(self, result: Result) -> Result:
        """The Result of an interrupted run: that of the part in which it was interrupted."""
        notice = (
            f"Interrupted in part {self.part + 1} of {len(self.members)}: this is about the "
            "members of that part."
        )
        return result._replace(
            status="interrupted", run=str(self.folder.path), notices=(*result.notices, notice)
        )

    def notices(self) -> list[str]:
        """What was taken from other runs, and that the run is in parts."""
        remarks = self.facts.get("remarks", ())
        if self.reuse is not None and self.reuse.found:
            return [*remarks, *self.reuse.notices(self.total)]
        return [*remarks, *self.facts.get("reused", ())]

    # ------------------------------------------------------------ progress

    def count(self, summary: Mapping[str, Any], epochs: int) -> None:
        """Add a finished part to the counts; its members had so many epochs together."""
        self.ended["member_epochs"] += epochs
        stops, best = summary["stop_reasons"], summary["best"]
        self.ended["reached"] += stops.get("target", 0)
        self.ended["diverged"] += stops.get("diverged", 0)
        self.seconds += summary["seconds"]["train"]
        loss = best["train_loss"] if best["val_loss"] is None else best["val_loss"]
        number = int(self.members[self.part][best["member"]])
        self.best = self.better(
            Progress("train", best_member=number, best_loss=loss, best_n1=best["n1"],
                     best_seed=best["seed"])
        )  # fmt: skip

    def better(self, other: Progress) -> Progress:
        """The Progress with the better best member: that so far, or another."""
        losses = [math.inf if p.best_loss is None else p.best_loss for p in (self.best, other)]
        return other if losses[1] < losses[0] else self.best

    def shown(self, where: Progress) -> bool:
        """Show the progress of a part as that of the run."""
        if where.stage == "train":
            where = self.standing(where)
            if time.perf_counter() - self.event_at >= EVENT_SECONDS:
                self.write_event(where, "running")
        elif self.said:
            return self.asked
        elif where.plan is not None:
            facts = extent(self.task, self.options, self.data, self.plan)
            facts["notices"] += [*self.notices(), parts_words(len(self.members), facts)]
            where = where._replace(plan=facts, members=self.total)
        self.said |= where.stage == "ready"
        if self.progress is not None:
            self.asked = self.progress(where) is True
        return self.asked

    def standing(self, where: Progress) -> Progress:
        """The Progress of the run, from that of the part in training."""
        trained = sum(map(len, self.members[: self.part]))
        member = where.best_member
        if member is not None:
            where = where._replace(best_member=int(self.members[self.part][member]))
        best = self.better(where)
        own = len(self.members[self.part])
        left = (self.total - trained - own) * (where.stage == "train")
        remaining = None
        if where.remaining is not None:
            whole = where.seconds + where.remaining
            remaining = where.remaining + whole * left / own
        return where._replace(
            members=self.total,
            running=where.running + left,
            reached=where.reached + self.ended["reached"],
            diverged=where.diverged + self.ended["diverged"],
            member_epochs=where.member_epochs + self.ended["member_epochs"],
            seconds=where.seconds + self.seconds,
            remaining=remaining,
            **{n: getattr(best, n) for n in ("best_member", "best_loss", "best_n1", "best_seed")},
        )

    def write_event(self, standing: Progress, status: str) -> None:
        """Append a line to the run's events."""
        self.folder.event(**event_fields(standing), status=status)
        self.event_at = time.perf_counter()


def epochs_of(path: Path) -> int:
    """The epochs of all members of a finished part, as its last event says; 0 without it."""
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        line = (path / "events.jsonl").read_bytes().splitlines()[-1]
        return int(json.loads(line)["member_epochs"])
    return 0
