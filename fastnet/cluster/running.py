"""One training on a cluster: shards are handed out as threads become free, pieces are taken in."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnet.cluster.connecting import Cluster
from fastnet.cluster.worker import Work, itself, train_shard
from fastnet.data.samples import Data
from fastnet.errors import FastnetError, UsageError
from fastnet.training.plan import pick_members
from fastnet.training.shards import adopt, parts
from fastnet.training.states import places_of
from fastnet.training.training import Training

if TYPE_CHECKING:
    from distributed import Future

Piece = Mapping[str, np.ndarray]

# Estimated seconds of a shard. Less, and what is around the training (some 20 ms) counts; more, and
# a lost worker costs much, and the last shards are waited for.
LEAST_SECONDS, MOST_SECONDS = 5.0, 60.0
SHARDS_PER_THREAD = 8  # where the run is short: enough that all threads end at about the same time
AHEAD = 2  # shards per thread that the cluster holds at once
LEAST_FILM = 1 << 20  # bytes of a shard's snapshots for playback
FAILURES = 3  # of one shard, which end the run
POLL_SECONDS = 0.2  # between looks at Ctrl-C
LOOK_SECONDS = 2.0  # between looks at the workers
ALONE_SECONDS = 60.0  # without any worker, which end the run
# A shard is late, and its worker hangs, after this multiple of the longest that one took, or may
# take by the estimate; and this many seconds, in which kernels are compiled.
LATE, LATE_SECONDS = 10.0, 300.0


class ClusterError(FastnetError):
    """A cluster that cannot finish a run; what came back is kept."""


class Shard:
    """Some members that a worker trains together."""

    def __init__(self, members: np.ndarray) -> None:
        self.members = members
        self.lateness = 0  # how often its worker was restarted because it was late
        self.sent_at = 0.0


class Run:
    """The training of a run's live members on a cluster: what waits, is out, and came back.

    Parameters
    ----------
    cluster : Cluster
    training : Training
        Its live members have not begun.
    data : Data
    seconds : float
        An estimate of the seconds that one thread takes for all live members.
    keep : callable
        Called with the members and the piece of each shard, once they are in `training`.
    given : bool
        Whether the members begin with the caller's weights.
    """

    def __init__(
        self,
        cluster: Cluster,
        training: Training,
        data: Data,
        seconds: float,
        keep: Callable[[np.ndarray, Piece], object],
        given: bool = False,
    ) -> None:
        refuse_begun(training)
        self.cluster, self.client, self.training = cluster, cluster.client, training
        self.keep, self.given = keep, given
        self.threads = sum(cluster.threads().values())
        shards = shards_of(training, shard_count(seconds, self.threads))
        self.film = film_of(training, len(shards))
        self.waiting = deque(map(Shard, shards))
        self.longest = seconds / max(len(shards), 1)
        self.out: dict[str, tuple[Future, Shard]] = {}
        self.back: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self.looked_at = self.seen_at = time.monotonic()
        self.keys = map(f"fastnet-{os.urandom(6).hex()}-{{}}".format, itertools.count())
        self.data = self.sent_data(data)

    def sent_data(self, data: Data) -> Future:
        """The data on their way to the scheduler, once; workers get them from it and each other."""
        return self.submit(itself, data, key=next(self.keys))

    def submit(self, *arguments: Any, **more: Any) -> Future:
        """Client.submit() of what may be large: the default of 10 MB in a task warns."""
        import dask

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1PB"}):
            return self.client.submit(*arguments, pure=False, **more)

    def train(self, after: Callable[[Training], object], interrupted: threading.Event) -> str:
        """Hand out and take in until nothing is left.

        Parameters
        ----------
        after : callable
            Called after each piece, and in between; True interrupts the run.
        interrupted : Event
            Interrupts the run, too.

        Returns
        -------
        str
            "done" or "interrupted".

        Raises
        ------
        ClusterError
            for a shard that failed three times, and when no worker, or no scheduler, is left.
        """
        began, before = time.perf_counter(), self.training.elapsed
        try:
            while self.waiting or self.out:
                self.hand_out()
                with contextlib.suppress(queue.Empty):
                    self.take_in(self.back.get(timeout=POLL_SECONDS))
                self.training.elapsed = before + time.perf_counter() - began
                asked = after(self.training) is True or interrupted.is_set()
                if asked and self.training.live.size:
                    return "interrupted"
                self.look()
            return "done"
        finally:
            self.cancel()

    def hand_out(self) -> None:
        """Send shards until the cluster holds enough of them."""
        while self.waiting and len(self.out) < AHEAD * max(self.threads, 1):
            self.send(self.waiting.popleft())

    def send(self, shard: Shard) -> None:
        """Send one shard; its future goes to the queue when it is done."""
        key, work = next(self.keys), self.work_of(shard)
        shard.sent_at = time.monotonic()
        future = self.submit(train_shard, self.data, work, key=key, retries=FAILURES - 1)
        self.out[key] = future, shard
        future.add_done_callback(self.back.put)

    def work_of(self, shard: Shard) -> Work:
        """What the worker of a shard gets."""
        plan = self.training.plan
        given = None
        if self.given:
            given = self.training.pack.parameters[places_of(plan, shard.members)]
        some = pick_members(plan, shard.members)
        return Work(some, self.training.options, given, self.cluster.own["versions"], self.film)

    def take_in(self, future: Future) -> None:
        """Let the training adopt a piece; an error of the last try ends the run."""
        _, shard = self.out.pop(future.key, (None, None))
        if shard is None:  # it was given up
            return
        if future.status == "finished":
            piece = future.result()
            self.longest = max(self.longest, time.monotonic() - shard.sent_at)
            adopt(self.training, shard.members, piece)
            if self.film is not None:
                limit(self.training)
            self.keep(shard.members, piece)
        elif future.status == "error":
            raise ClusterError(
                f"a shard of {shard.members.size:,} members failed {FAILURES} times: "
                f"{reason_of(future.exception())}"
            )
        else:  # cancelled or lost with the scheduler
            raise ClusterError(f"the scheduler at {self.cluster.address} was lost")

    def look(self) -> None:
        """From time to time, look whether there are workers, and whether shards are late."""
        now = time.monotonic()
        if now - self.looked_at < LOOK_SECONDS:
            return
        self.looked_at = now
        try:
            self.threads = sum(self.cluster.threads().values())
        except (OSError, ValueError) as error:
            raise ClusterError(f"the scheduler at {self.cluster.address} was lost") from error
        if self.threads:
            self.seen_at = now
        elif now - self.seen_at > ALONE_SECONDS:
            raise ClusterError(f"the cluster at {self.cluster.address} has no workers any more")
        late = [
            (future, shard)
            for future, shard in self.out.values()
            if now - shard.sent_at > LATE_SECONDS + LATE * self.longest
        ]
        if late and self.threads:
            self.restart(late)

    def restart(self, late: list[tuple[Future, Shard]]) -> None:
        """Restart the workers of late shards: Dask gives what they held to others."""
        holders = self.client.processing()
        keys = {future.key for future, _ in late}
        hang = [name for name, held in holders.items() if keys & {*map(str, held)}]
        for _, shard in late:
            shard.lateness += 1
            if shard.lateness == FAILURES:
                raise ClusterError(
                    f"a shard of {shard.members.size:,} members did not come back {FAILURES} "
                    f"times, the last time from {', '.join(hang) or 'no worker'}"
                )
        for _, shard in self.out.values():
            shard.sent_at = time.monotonic()
        with contextlib.suppress(ValueError, OSError):  # a worker without a nanny
            self.client.restart_workers(hang, timeout=30, raise_for_error=False)

    def cancel(self) -> None:
        """Cancel what is out. A shard that a worker has begun is trained to its end for nothing."""
        futures = [future for future, _ in self.out.values()]
        self.out.clear()
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self.client.cancel([*futures, self.data], force=True)


def refuse_begun(training: Training) -> None:
    """Refuse live members that this machine has begun: no worker could go on with them."""
    begun = training.pack.states["last_epoch"][training.live] >= 0
    if begun.any():
        raise UsageError(
            f"{begun.sum():,} members have begun on one machine, and go on there alone; drop "
            "cluster (--cluster none)."
        )


def shard_count(seconds: float, threads: int) -> int:
    """The shards of a run that takes one thread so many seconds."""
    each = min(max(seconds / max(threads * SHARDS_PER_THREAD, 1), LEAST_SECONDS), MOST_SECONDS)
    return max(math.ceil(seconds / each), threads, 1)


def shards_of(training: Training, count: int) -> list[np.ndarray]:
    """The numbers of the live members of a Training in at most so many shards."""
    live = training.live
    if not live.size:
        return []
    plan = pick_members(training.plan, live)
    found = parts(plan, training.options, min(count, live.size))
    return [live[part] for part in found if part.size]


def film_of(training: Training, shards: int) -> int | None:
    """The bytes that a shard's snapshots for playback may take; None if there are none."""
    if training.snapshots is None or training.snapshots.most is None:
        return None
    return max(training.snapshots.most // max(shards, 1), LEAST_FILM)


def limit(training: Training) -> None:
    """Leave out snapshots for playback until the rest fits."""
    training.snapshots.limit(training.plan.settings["n1"], training.pack.states["best_loss"])


def reason_of(error: BaseException | None) -> str:
    """Why a shard failed, in a line."""
    if type(error).__name__ == "KilledWorker":
        return "its workers died while they trained it, perhaps for lack of memory; see their logs"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
