"""Rounds of epochs over threads: the loop around the kernels, and what it decides.

Every live member gets the same end epoch in a round, whoever computes it; between rounds
Python sees the whole state: progress, stops, checkpoints, the time limit, Ctrl-C. How many
epochs a round has changes nothing in the results.
"""

import contextlib
import os
import queue
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from fastnet import packing
from fastnet.kernels import (
    CLIPPED,
    COLUMNS,
    DIVERGED,
    GRADIENT_NORM,
    LEARNING_RATE,
    MAX_EPOCHS,
    PATIENCE,
    RUNNING,
    STATE,
    TARGET,
    TRAIN_LOSS,
    VAL_LOSS,
    Pack,
    Problem,
    kept,
)

# Stops that the trainer decides; the kernels decide those of kernels.py.
TIME_LIMIT, INTERRUPTED, STOPPED = range(5, 8)
STOP_NAMES = {
    RUNNING: "running",
    TARGET: "target",
    PATIENCE: "patience",
    MAX_EPOCHS: "max_epochs",
    DIVERGED: "diverged",
    TIME_LIMIT: "time_limit",
    INTERRUPTED: "interrupted",
    STOPPED: "stopped",
}
ROUND_SECONDS = 0.25  # what a round aims at
ROUND_BYTES = 1 << 26  # of the buffer for its history
CHUNKS_PER_THREAD = 8  # enough to balance threads, few enough to cost nothing
HISTORY = np.dtype([("train_loss", "f8"), ("val_loss", "f8"), ("learning_rate", "f8")])


def load_backend(name):
    """The module with advance() and evaluate(), and its function that prepares samples."""
    if name == "reference":
        from fastnet import reference

        return reference, reference.rows
    from fastnet import kernels

    return kernels, packing.rows


def default_threads():
    """The cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class History:
    """Entries of all members as the rounds brought them, joined when they are asked for."""

    def __init__(self, members, extra=()):
        self.members = members
        self.extra = tuple(extra)
        self.fields = [
            ("train_loss", TRAIN_LOSS),
            ("val_loss", VAL_LOSS),
            ("learning_rate", LEARNING_RATE),
            *[(n, {"gradient_norm": GRADIENT_NORM, "clipped": CLIPPED}[n]) for n in self.extra],
        ]
        self.pieces = []  # (member, epoch, values) of each round

    def add(self, ids, epochs, buffer, counts):
        """The first counts[i] rows of buffer[i] are entries of member ids[i] at `epochs`."""
        used = np.arange(buffer.shape[1]) < counts[:, None]
        slots, positions = np.nonzero(used)
        values = buffer[slots, positions][:, [column for _, column in self.fields]]
        self.pieces.append((ids[slots].astype(np.int32), epochs[positions], values))

    def join(self):
        """All entries, by member and epoch: members, epochs, values (N, fields)."""
        empty = (np.empty(0, np.int32), np.empty(0, np.int64), np.empty((0, len(self.fields))))
        members, epochs, values = (
            np.concatenate(parts) for parts in zip(empty, *self.pieces, strict=True)
        )
        order = np.lexsort((epochs, members))
        self.pieces = [(members[order], epochs[order], values[order])]
        return self.pieces[0]

    def flat(self, states):
        """Arrays of history.npz: every kept entry, and each member's best and last one."""
        members, epochs, values = self.join()
        columns = [column for _, column in self.fields]
        best, last = states["best_epoch"], states["last_epoch"]
        for entry, at, present in (
            ("best_entry", best, best >= 0),
            ("last_entry", last, (last >= 0) & (last != best)),
        ):
            thinned = present & ~np.array([kept(int(e)) for e in np.maximum(at, 0)], bool)
            ids = np.flatnonzero(thinned)
            members = np.concatenate([members, ids.astype(np.int32)])
            epochs = np.concatenate([epochs, at[ids]])
            values = np.concatenate([values, states[entry][ids][:, columns]])
        order = np.lexsort((epochs, members))
        counts = np.bincount(members, minlength=self.members)
        arrays = {name: values[order, i] for i, (name, _) in enumerate(self.fields)}
        return {
            "epoch": epochs[order],
            **arrays,
            "offsets": np.concatenate([[0], np.cumsum(counts)]),
        }


class Training:
    """A run's state between rounds, and the means to advance it."""

    def __init__(self, plan, data, options, initial_weights=None):
        self.plan, self.options = plan, options
        self.dtype = np.dtype(options["dtype"])
        self.threads = options["threads"] or default_threads()
        self.backend, self.rows = load_backend(options["backend"])
        self.sets = {}
        for name in ("train", "val", "test"):
            X, Y = data.subset(name)
            self.sets[name] = self.rows(X, Y, self.dtype)
        loss = 0 if plan.loss == "squared" else 1
        self.problem = Problem(plan.d, plan.k, loss, self.sets["train"], self.sets["val"])
        self.pack = start_pack(plan, self.dtype, initial_weights)
        self.seconds = np.zeros(plan.settings.size)
        self.history = History(plan.settings.size, options["record"])
        self.start, self.epochs, self.elapsed = 0, 1, 0.0
        self.scratches = [self.make_scratch() for _ in range(self.threads)]

    def make_scratch(self):
        """Working memory for one thread, enough for the widest member."""
        if self.options["backend"] == "reference":
            return None
        settings = self.plan.settings
        return packing.scratch(
            self.problem, int(settings["n1"].max()), int(settings["batch_size"].max()), self.dtype
        )

    def warm_up(self):
        """Compile, or load from the cache, what the run needs; the seconds it took."""
        before = time.perf_counter()
        nobody = np.empty(0, np.int64)
        buffer = np.empty((0, 1, COLUMNS))
        self.backend.advance(self.problem, self.pack, nobody, 0, buffer, nobody, self.scratches[0])
        rows, numbers = self.sets["train"], np.empty(0)
        self.backend.evaluate(
            self.problem, rows, self.pack, nobody, numbers, numbers, self.scratches[0]
        )
        return time.perf_counter() - before

    @property
    def live(self):
        """Numbers of the members that are still training."""
        return np.flatnonzero(self.pack.states["stop"] == RUNNING)

    def chunks(self, ids):
        """ids, the widest first, and the ends of chunks of about equal cost."""
        cost = self.plan.settings["n1"][ids]
        order = np.argsort(-cost, kind="stable")
        summed = np.cumsum(cost[order])
        count = 1 if self.threads == 1 else CHUNKS_PER_THREAD * self.threads
        ends = np.searchsorted(summed, summed[-1] * np.arange(1, count + 1) / count, "left") + 1
        return ids[order], np.unique(np.minimum(ends, ids.size))

    def spread(self, ids, work):
        """Call work(ids of a chunk, its slice, scratch) for all members, on all threads."""
        ids, ends = self.chunks(ids)
        chunks = queue.SimpleQueue()
        for first, last in zip([0, *ends[:-1]], ends):
            chunks.put(slice(first, last))

        def worker(scratch):
            with contextlib.suppress(queue.Empty):
                while True:
                    part = chunks.get_nowait()
                    work(ids[part], part, scratch)

        if self.threads == 1 or len(ends) == 1:
            worker(self.scratches[0])
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                for done in [pool.submit(worker, scratch) for scratch in self.scratches]:
                    done.result()
        return ids

    def advance(self, end):
        """Advance the live members to epoch `end`; the order and counts of what was recorded."""
        ids = self.live
        states = self.pack.states
        epochs = np.array([e for e in range(self.start, end) if kept(e)], np.int64)
        buffer = np.empty((ids.size, len(epochs), COLUMNS))
        counts = np.zeros(ids.size, np.int64)

        def work(chunk, part, scratch):
            began, first = time.perf_counter(), states["epoch"][chunk]
            self.backend.advance(
                self.problem, self.pack, chunk, end, buffer[part], counts[part], scratch
            )
            cost = (states["epoch"][chunk] - first + 1) * (self.plan.settings["n1"][chunk] + 4)
            self.seconds[chunk] += (time.perf_counter() - began) * cost / cost.sum()

        ids = self.spread(ids, work)
        return ids, epochs, buffer, counts

    def round(self):
        """One round, its length aimed at ROUND_SECONDS."""
        began = time.perf_counter()
        live = self.live
        limit = int(self.plan.settings["max_epochs"].max()) + 1
        width = max(1, ROUND_BYTES // (8 * COLUMNS * live.size))
        end = min(self.start + min(self.epochs, width), limit)
        first_only = self.options["stop"] == "first"
        before = self.snapshot(live) if first_only else None
        ids, epochs, buffer, counts = self.advance(end)
        reached = live[self.pack.states["stop"][live] == TARGET]
        if first_only and reached.size:
            last = int(self.pack.states["epoch"][reached].min())
            self.restore_members(live, before)
            ids, epochs, buffer, counts = self.advance(last + 1)
            self.pack.states["stop"][self.live] = STOPPED
            end = last + 1
        self.history.add(ids, epochs, buffer, counts)
        self.mark_last(live, end)
        self.start = end
        took = time.perf_counter() - began
        self.elapsed += took
        self.epochs = max(1, min(4 * self.epochs, int(self.epochs * ROUND_SECONDS / took)))

    def mark_last(self, ids, end):
        """The last epoch each member has an entry of: its stop, or the one before the next."""
        states = self.pack.states
        ongoing = np.isin(states["stop"][ids], (RUNNING, STOPPED))
        states["last_epoch"][ids] = np.where(
            ongoing, states["epoch"][ids] - 1, states["epoch"][ids]
        )

    def snapshot(self, ids):
        """What a round changes: enough to run it again."""
        arrays = (self.pack.states, self.pack.parameters, self.pack.best, self.seconds)
        return [array.copy() for array in arrays]

    def restore_members(self, ids, before):
        """Undo a round."""
        arrays = (self.pack.states, self.pack.parameters, self.pack.best, self.seconds)
        for array, old in zip(arrays, before):
            array[...] = old

    def evaluate(self, name):
        """Loss and accuracy of every member's best weights on a set; NaN where it is empty."""
        losses, accuracies = np.full((2, self.plan.settings.size), np.nan)
        rows = self.sets[name]
        if rows.count:

            def work(chunk, part, scratch):
                some = np.empty((2, chunk.size))
                self.backend.evaluate(
                    self.problem, rows, self.pack, chunk, some[0], some[1], scratch
                )
                losses[chunk], accuracies[chunk] = some

            self.spread(np.arange(self.plan.settings.size), work)
        if self.plan.loss == "squared":
            accuracies[:] = np.nan
        losses[~np.isfinite(self.pack.states["best_loss"])] = np.nan
        return losses, accuracies

    def checkpoint(self):
        """Arrays from which restore() continues with the same bytes."""
        members, epochs, values = self.history.join()
        return {
            "states": self.pack.states,
            "parameters": self.pack.parameters,
            "best": self.pack.best,
            "seconds": self.seconds,
            "progress": np.array([self.start, self.epochs, self.elapsed]),
            "history_member": members,
            "history_epoch": epochs,
            "history_values": values,
        }

    def restore(self, saved):
        """Continue from a checkpoint."""
        self.pack.states[...] = saved["states"]
        self.pack.parameters[...] = saved["parameters"]
        self.pack.best[...] = saved["best"]
        self.seconds[...] = saved["seconds"]
        start, epochs, self.elapsed = saved["progress"]
        self.start, self.epochs = int(start), int(epochs)
        parts = (saved["history_member"], saved["history_epoch"], saved["history_values"])
        self.history.pieces = [parts]


def start_pack(plan, dtype, initial_weights):
    """The members at epoch 0."""
    parameters = packing.initialise(plan, dtype, initial_weights)
    states = np.zeros(plan.settings.size, STATE)
    states["learning_rate"] = plan.settings["learning_rate"]
    states["best_loss"] = np.inf
    states["best_epoch"] = states["last_epoch"] = -1
    return Pack(plan.settings, states, parameters, parameters.copy())


@contextlib.contextmanager
def interruptible():
    """An event that Ctrl-C sets; a second Ctrl-C raises KeyboardInterrupt at once.

    Only the main thread can take signals: elsewhere the event is never set.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def note(signum, frame):
        event.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def train(training, after_round=None):
    """Advance round by round until no member is live; what ended the run.

    after_round(training) is called after each round; when it returns True, or at Ctrl-C, the
    run is interrupted: its live members keep the stop 0 and can be resumed.

    Returns
    -------
    str
        "done" or "interrupted".
    """
    limit = training.options["time_limit"]
    began = training.elapsed
    with interruptible() as interrupted:
        while training.live.size:
            training.round()
            asked = after_round(training) if after_round else False
            if training.live.size and (asked or interrupted.is_set()):
                return "interrupted"
            if limit is not None and training.elapsed - began >= limit:
                training.pack.states["stop"][training.live] = TIME_LIMIT
    return "done"
