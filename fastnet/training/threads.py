"""The threads of a run, and chunks of work for them that end at about the same time."""

import contextlib
import itertools
import math
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import numpy as np

CHUNKS_PER_THREAD = 8  # enough to balance threads, few enough to cost nothing
# Seconds of work that are worth another thread: to start one takes up to 0.5 ms, to wake it 0.05.
WORTH = 0.5e-3


def worthwhile(seconds: float, threads: int) -> int:
    """How many of the threads are worth their start for work of that many seconds."""
    return max(1, min(threads, int(seconds / WORTH)))


def chunks(
    ids: np.ndarray, cost: np.ndarray, kind: np.ndarray, threads: int
) -> tuple[np.ndarray, list[slice]]:
    """The members `ids` sorted by kind, the widest first, and chunks of them, the costliest first.

    A chunk has one kind. Chunks shrink to the end, so that threads that take one after another end
    at about the same time: with 64 threads and 1,000 ragged members of six kinds, 1 % is idle; with
    chunks of equal cost it was 6 %. One thread gets one chunk of each kind.
    """
    ids = ids[np.lexsort((-cost[ids], kind[ids]))]
    own, whole = cost[ids], cost[ids].sum()
    borders = [0, *(np.flatnonzero(np.diff(kind[ids])) + 1).tolist(), ids.size]
    slices = []
    for start, end in itertools.pairwise(borders):
        summed = np.cumsum(own[start:end])
        count = 1 if threads == 1 else math.ceil(CHUNKS_PER_THREAD * threads * summed[-1] / whole)
        shares = 1 - (1 - np.arange(1, count) / count) ** 2
        ends = start + 1 + np.searchsorted(summed, summed[-1] * shares)
        ends = np.unique([*ends[ends < end], end])
        slices += map(slice, [start, *ends[:-1]], ends)
    return ids, sorted(slices, key=lambda part: -own[part].sum())


class Threads:
    """The threads of a run, the calling one among them, each with working memory of its own.

    A thread is started when there is work that is worth it, and lives as long as the run: a huge
    network calls run() in every epoch.

    Parameters
    ----------
    count : int
        Threads, at most.
    make : callable
        Makes the working memory of a thread.
    """

    def __init__(self, count: int, make: Callable[[], Any]):
        self.count, self.make = count, make
        self.made: list[Any] = []
        self.pool = ThreadPoolExecutor(count - 1) if count > 1 else None

    def scratches(self, count: int) -> list[Any]:
        """The working memory of the first `count` threads."""
        while len(self.made) < count:
            self.made.append(self.make())
        return self.made[:count]

    def run(self, calls: Sequence[Callable[[], object]]) -> None:
        """Make all calls at once, the first in this thread; an error comes out after all ended."""
        waiting = [self.pool.submit(call) for call in calls[1:]] if self.pool else []
        try:
            calls[0]()
            for call in waiting:
                call.result()
        finally:
            wait(waiting)  # also after an interruption: no thread may write after the return

    def share(self, items: Sequence[Any], work: Callable[[Any, Any], None], threads: int) -> None:
        """Call work(item, scratch) for every item, on so many threads, the first items first."""
        waiting = queue.SimpleQueue()
        for item in items:
            waiting.put(item)

        def worker(scratch):
            with contextlib.suppress(queue.Empty):
                while True:
                    work(waiting.get_nowait(), scratch)

        count = min(threads, self.count, len(items))
        self.run([partial(worker, scratch) for scratch in self.scratches(count)])
