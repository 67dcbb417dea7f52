"""The threads of a run, and chunks of work of about equal cost for them."""

import contextlib
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np

CHUNKS_PER_THREAD = 8  # enough to balance threads, few enough to cost nothing


def chunks(
    ids: np.ndarray, cost: np.ndarray, kind: np.ndarray, threads: int
) -> tuple[np.ndarray, list[slice]]:
    """The members `ids` sorted by kind, the widest first, and chunks of them. A chunk has one kind;
    all have about equal cost."""
    order = np.lexsort((-cost[ids], kind[ids]))
    ids = ids[order]
    summed = np.cumsum(cost[ids])
    count = 1 if threads == 1 else CHUNKS_PER_THREAD * threads
    ends = np.searchsorted(summed, summed[-1] * np.arange(1, count + 1) / count, "left") + 1
    borders = np.flatnonzero(np.diff(kind[ids])) + 1
    ends = np.union1d(np.minimum(ends, ids.size), borders)
    return ids, [slice(first, last) for first, last in zip([0, *ends[:-1]], ends)]


class Threads:
    """The threads of a run, each with working memory of its own.

    They are started once: a huge network calls share() in every epoch.
    """

    def __init__(self, scratches: Sequence[Any]):
        self.scratches = scratches
        self.pool = ThreadPoolExecutor(len(scratches))

    def share(self, items: Sequence[Any], work: Callable[[Any, Any], None]) -> None:
        """Call work(item, scratch) for every item."""
        waiting = queue.SimpleQueue()
        for item in items:
            waiting.put(item)

        def worker(scratch):
            with contextlib.suppress(queue.Empty):
                while True:
                    work(waiting.get_nowait(), scratch)

        if len(self.scratches) == 1 or len(items) == 1:
            worker(self.scratches[0])
            return
        calls = [self.pool.submit(worker, scratch) for scratch in self.scratches]
        try:
            for call in calls:
                call.result()
        finally:
            wait(calls)  # also after an interruption: no thread may write after the return
