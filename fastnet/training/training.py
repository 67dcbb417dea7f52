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

from fastnet import reference
from fastnet.engine import init, kernels, layout, methods
from fastnet.engine.layers import layers_of
from fastnet.engine.layout import Problem
from fastnet.engine.records import (
    CLIPPED,
    COLUMNS,
    CONVERGED,
    DENSE_EPOCHS,
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
)
from fastnet.options.methods import ACTIVATIONS, CLASSIFIERS, FIRST_ORDER, OPTIMIZERS
from fastnet.training.plan import WITH_MATRIX

# Stops that the trainer decides; the kernels decide those of records.py.
TIME_LIMIT, INTERRUPTED, STOPPED = range(6, 9)
STOP_NAMES = {
    RUNNING: "running",
    TARGET: "target",
    PATIENCE: "patience",
    MAX_EPOCHS: "max_epochs",
    DIVERGED: "diverged",
    CONVERGED: "converged",
    TIME_LIMIT: "time_limit",
    INTERRUPTED: "interrupted",
    STOPPED: "stopped",
}
FIELDS = {
    "train_loss": TRAIN_LOSS,
    "val_loss": VAL_LOSS,
    "learning_rate": LEARNING_RATE,
    "gradient_norm": GRADIENT_NORM,
    "clipped": CLIPPED,
}
ROUND_SECONDS = 0.4  # what a round aims at
ROUND_BYTES = 1 << 26  # of the buffer for its history
CHUNKS_PER_THREAD = 8  # enough to balance threads, few enough to cost nothing


def load_backend(name):
    """The kernels of a backend, the choices that they are called with, and its rows()."""
    if name == "reference":
        return reference.kernels, reference.methods.CHOICES, reference.network.rows
    return kernels, methods.CHOICES, layout.rows


def default_threads():
    """The cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class History:
    """Entries of all members as the rounds brought them, put together when they are asked for.

    A member's entries are of the kept epochs from 0 on without a gap, so the place of each in
    the whole is known: nothing is sorted.
    """

    def __init__(self, members, names):
        self.names = tuple(names)
        self.counts = np.zeros(members, np.int64)  # entries of each member so far
        self.pieces = []  # (members, entries of each, values (fields, N)) of each round

    def add(self, ids, buffer, counts):
        """The first counts[i] rows of buffer[i] are the next entries of member ids[i]."""
        used = np.arange(buffer.shape[1]) < counts[:, None]
        values = np.array([buffer[:, :, FIELDS[name]][used] for name in self.names])
        self.pieces.append((ids, counts, values))
        self.counts[ids] += counts

    def table(self):
        """All values by member and epoch (fields, N), held in one piece from now on."""
        cursor = np.cumsum(self.counts) - self.counts
        table = np.empty((len(self.names), int(self.counts.sum())))
        for ids, counts, values in self.pieces:
            shift = cursor[ids] - (np.cumsum(counts) - counts)
            places = np.arange(values.shape[1]) + np.repeat(shift, counts)
            for column, part in zip(table, values):
                column[places] = part
            cursor[ids] += counts
        self.pieces = [(np.arange(self.counts.size), self.counts.copy(), table)]
        return table

    def restore(self, saved):
        """Continue from a checkpoint."""
        self.counts[...] = saved["history_counts"]
        everyone = np.arange(self.counts.size)
        self.pieces = [(everyone, saved["history_counts"], saved["history_values"])]

    def flat(self, states):
        """Arrays of history.npz: every kept entry, and each member's best and last one."""
        values, counts = self.table(), self.counts
        starts = np.cumsum(counts) - counts
        epochs = kept_epochs(int(counts.max(initial=0)) and int(states["last_epoch"].max()) + 1)
        epoch = epochs[np.arange(values.shape[1]) - np.repeat(starts, counts)]
        places, added = [], []
        for name in ("best", "last"):
            at = states[f"{name}_epoch"]
            rank = np.searchsorted(epochs, at)
            thinned = (at >= 0) & (np.append(epochs, -1)[rank] != at)
            if name == "best":
                thinned &= at != states["last_epoch"]
            ids = np.flatnonzero(thinned)
            places.append(starts[ids] + np.minimum(rank, counts)[ids])
            entries = states[f"{name}_entry"][ids][:, [FIELDS[n] for n in self.names]]
            added.append((ids, at[ids], entries))
        ids, at, entries = (np.concatenate(parts) for parts in zip(*added))
        if ids.size:
            places = np.concatenate(places)
            epoch = np.insert(epoch, places, at)
            values = [np.insert(v, places, e) for v, e in zip(values, entries.T)]
        arrays = {"epoch": epoch, **dict(zip(self.names, values))}
        arrays.setdefault("val_loss", np.full(epoch.size, np.nan))
        ends = np.cumsum(counts + np.bincount(ids, minlength=counts.size))
        return {**arrays, "offsets": np.concatenate([[0], ends])}


class Snapshots:
    """Weights of the live members after 0, 1, 2, 4, 8, ... epochs: how a fit came about."""

    ARRAYS = ("W1", "b1", "W2", "b2", "n1", "member", "epoch")

    def __init__(self):
        self.pieces = []

    @staticmethod
    def due(start):
        """The first epoch of a snapshot after `start`."""
        return 1 << start.bit_length()

    def add(self, epoch, members, arrays):
        n1 = np.diff(arrays["offsets"])
        facts = {"n1": n1, "member": members, "epoch": np.full(len(members), epoch)}
        self.pieces.append([{**arrays, **facts}[name] for name in self.ARRAYS])

    def table(self):
        """All snapshots as arrays, in the layout of weights.npz with member and epoch of each."""
        joined = [np.concatenate(parts) for parts in zip(*self.pieces)]
        self.pieces = [joined] if joined else []
        return dict(zip(self.ARRAYS, joined))


def kept_epochs(end, start=0):
    """The epochs from start to end (exclusive) that a history keeps, in order."""
    parts, step, first = [], 1, 0
    while first < end:
        last = min(end, DENSE_EPOCHS * step + 1)
        parts.append(np.arange(-(-first // step) * step, last, step))
        first, step = last, 2 * step
    epochs = np.concatenate([np.empty(0, np.int64), *parts])
    return epochs[epochs >= start]


def history_names(options, validates):
    """What a history holds of every entry."""
    asked = [name for name in options["record"] if name in FIELDS]
    return ["train_loss", "learning_rate", *asked, *["val_loss"] * bool(validates)]


def kinds(settings):
    """A number for each member: equal where the same kernels train them."""
    chosen = settings["activation"] * len(OPTIMIZERS) + settings["optimizer"]
    return 2 * chosen + (settings["batch_size"] > 0)


def unit_cost(plan):
    """About what an epoch of each member costs: its units, and 4 more for the rest of a sample;
    where a matrix is held five times that, in float64, and the products of P parameters."""
    n1 = plan.settings["n1"]
    parameters = n1 * (plan.d + 1 + plan.k) + plan.k
    held = np.isin(plan.columns["optimizer"], WITH_MATRIX)
    return np.where(held, 5 * (n1 + 4) + parameters**2 // 9, n1 + 4)


class Training:
    """A run's state between rounds, and the means to advance it."""

    def __init__(self, plan, data, options, initial_weights=None):
        self.plan, self.options = plan, options
        self.dtype = np.dtype(options["dtype"])
        self.threads = options["threads"] or default_threads()
        self.backend, self.tables, self.rows = load_backend(options["backend"])
        self.sets = {}
        for name in ("train", "val", "test"):
            X, Y, weights = data.subset(name)
            self.sets[name] = self.rows(X, Y, self.dtype, weights)
        loss = self.tables["loss"][plan.loss]
        sets = self.sets["train"], self.sets["val"]
        self.problem = Problem(plan.d, plan.k, loss, *sets, *layers_of(plan.d, plan.k))
        self.pack = start_pack(plan, self.dtype, initial_weights)
        self.cost = unit_cost(plan)
        self.kind = kinds(plan.settings)
        self.seconds = np.zeros(plan.settings.size)
        self.history = History(plan.settings.size, history_names(options, self.sets["val"].count))
        self.snapshots = Snapshots() if "snapshots" in options["record"] else None
        self.start, self.epochs, self.elapsed = 0, 1, 0.0
        self.parts = self.parts_of_members()
        self.shared = self.room_for_parts()
        # What calls of the backend have in common.
        self.common = [self.backend.bind(value) for value in (self.problem, self.pack)]
        self.scratches = [self.backend.bind(self.make_scratch()) for _ in range(self.threads)]

    def parts_of_members(self):
        """Parts that each member's full batch is cut into; more than 1 for huge networks."""
        settings = self.plan.settings
        parts = np.ones(settings.size, np.int64)
        stepped = np.isin(self.plan.columns["optimizer"], FIRST_ORDER)
        if self.options["backend"] == "kernels":
            count, shape = self.sets["train"].count, (self.plan.d, self.plan.k)
            for n1 in np.unique(settings["n1"]):
                some = (settings["n1"] == n1) & (settings["batch_size"] == 0) & stepped
                parts[some] = layout.parts_of(count, int(n1), *shape)
        return parts

    def room_for_parts(self):
        """Where threads leave the sums of a huge network's parts; None when there is none."""
        huge = self.plan.settings["n1"][self.parts > 1]
        if huge.size == 0:
            return None
        length = layout.sums_length(int(huge.max()), self.plan.d, self.plan.k)
        return layout.parts(length, self.dtype)

    def make_scratch(self):
        """Working memory for one thread, enough for the widest member."""
        if self.options["backend"] == "reference":
            return None
        settings = self.plan.settings
        widest, batch = int(settings["n1"].max()), int(settings["batch_size"].max())
        chosen = [self.choices(member)[0] for member in self.one_of_each_kind()]
        keeps_z = any(activation.needs_z for activation in chosen)
        held = np.isin(self.plan.columns["optimizer"], WITH_MATRIX)
        matrix_n1 = int(settings["n1"][held].max(initial=0))
        return layout.scratch(
            self.problem, widest, batch, self.dtype, self.shared, keeps_z, matrix_n1
        )

    def choices(self, member):
        """What the kernels of a member are compiled for: its activation and its optimizer."""
        setting, tables = self.plan.settings[member], self.tables
        methods = tables["optimizer in batches" if setting["batch_size"] else "optimizer"]
        return (
            tables["activation"][ACTIVATIONS[setting["activation"]]],
            methods[OPTIMIZERS[setting["optimizer"]]],
        )

    def one_of_each_kind(self):
        """Members of which each stands for all that share its kernels."""
        return np.unique(self.kind, return_index=True)[1]

    def first_calls(self):
        """Entry points that the run needs, and arguments for each without a member."""
        nobody, numbers = np.empty(0, np.int64), np.empty(0)
        buffer, scratch = np.empty((0, 1, COLUMNS)), self.scratches[0]
        problem, pack = self.common
        for member in self.one_of_each_kind():
            activation, optimizer = self.choices(member)
            advance = activation, optimizer, problem, pack, nobody, 0, buffer, nobody
            yield self.backend.advance, (*advance, scratch)
            rest = self.sets["train"], pack, nobody, numbers, numbers
            yield self.backend.evaluate, (activation, problem, *rest, scratch)
            if self.shared is not None:
                yield self.backend.add_part, (activation, problem, pack, nobody, 0, scratch)

    def is_ready(self):
        """Whether warm_up() compiles nothing."""
        return self.options["backend"] == "reference" or all(
            function.is_ready(*arguments) for function, arguments in self.first_calls()
        )

    def warm_up(self):
        """Compile, or load from the cache, what the run needs; the seconds it took."""
        before = time.perf_counter()
        for function, arguments in self.first_calls():
            function(*arguments)
        return time.perf_counter() - before

    @property
    def live(self):
        """Numbers of the members that are still training."""
        return np.flatnonzero(self.pack.states["stop"] == RUNNING)

    def chunks(self, ids):
        """ids by kind, each the widest first; ends of chunks of one kind and about equal cost."""
        cost = self.cost[ids]
        order = np.lexsort((-cost, self.kind[ids]))
        summed = np.cumsum(cost[order])
        count = 1 if self.threads == 1 else CHUNKS_PER_THREAD * self.threads
        ends = np.searchsorted(summed, summed[-1] * np.arange(1, count + 1) / count, "left") + 1
        ends = np.minimum(ends, ids.size)
        borders = np.flatnonzero(np.diff(self.kind[ids[order]])) + 1
        return ids[order], np.union1d(ends, borders)

    def share(self, items, work):
        """Call work(item, scratch) for every item, on all threads."""
        waiting = queue.SimpleQueue()
        for item in items:
            waiting.put(item)

        def worker(scratch):
            with contextlib.suppress(queue.Empty):
                while True:
                    work(waiting.get_nowait(), scratch)

        if self.threads == 1 or len(items) == 1:
            worker(self.scratches[0])
        else:
            with ThreadPoolExecutor(self.threads) as pool:
                for done in [pool.submit(worker, scratch) for scratch in self.scratches]:
                    done.result()

    def spread(self, ids, work):
        """Call work(ids of a chunk, its slice, scratch) for all members, on all threads."""
        if ids.size == 0:
            return ids
        ids, ends = self.chunks(ids)
        slices = [slice(first, last) for first, last in zip([0, *ends[:-1]], ends)]
        self.share(slices, lambda part, scratch: work(ids[part], part, scratch))
        return ids

    def advance(self, end):
        """Advance the live members to epoch `end`: their order, what was recorded, how much."""
        live = self.live
        buffer = np.empty((live.size, len(kept_epochs(end, self.start)), COLUMNS))
        counts = np.zeros(live.size, np.int64)
        huge = live[self.parts[live] > 1]
        for i, member in enumerate(huge):
            counts[i] = self.advance_together(member, end, buffer[i])
        others = live[self.parts[live] == 1]
        others = self.advance_apart(others, end, buffer[huge.size :], counts[huge.size :])
        return np.concatenate([huge, others]), buffer, counts

    def advance_together(self, member, end, entries):
        """All threads advance one huge network; how many of its entries were recorded."""
        began, state = time.perf_counter(), self.pack.states[member]
        activation, optimizer = self.choices(member)
        ids, entry, count, recorded = (
            np.array([member]),
            np.empty((1, 1, COLUMNS)),
            np.zeros(1, int),
            0,
        )

        def work(part, scratch):
            self.backend.add_part(activation, *self.common, ids, part, scratch)

        while state["stop"] == RUNNING and state["epoch"] < end:
            self.share(range(self.parts[member]), work)
            self.shared.ready[0] = 1
            self.backend.advance(
                activation,
                optimizer,
                *self.common,
                ids,
                int(state["epoch"]) + 1,
                entry,
                count,
                self.scratches[0],
            )
            entries[recorded : recorded + count[0]] = entry[0, : count[0]]
            recorded += int(count[0])
        self.seconds[member] += time.perf_counter() - began
        return recorded

    def advance_apart(self, ids, end, buffer, counts):
        """Advance members that threads share out; they in the order of buffer and counts."""
        states = self.pack.states

        def work(chunk, part, scratch):
            began, first = time.perf_counter(), states["epoch"][chunk]
            self.backend.advance(
                *self.choices(chunk[0]),
                *self.common,
                chunk,
                end,
                buffer[part],
                counts[part],
                scratch,
            )
            cost = (states["epoch"][chunk] - first + 1) * self.cost[chunk]
            self.seconds[chunk] += (time.perf_counter() - began) * cost / cost.sum()

        return self.spread(ids, work)

    def round(self):
        """One round, its length aimed at ROUND_SECONDS."""
        began = time.perf_counter()
        live = self.live
        limit = int(self.plan.settings["max_epochs"].max()) + 1
        width = max(1, ROUND_BYTES // (8 * COLUMNS * live.size))
        end = min(self.start + min(self.epochs, width), limit)
        if self.snapshots is not None:
            self.take_snapshot(live)
            end = min(end, self.snapshots.due(self.start))
        first_only = self.options["stop"] == "first"
        before = [array.copy() for array in self.changing()] if first_only else ()
        recorded = self.advance(end)
        reached = live[self.pack.states["stop"][live] == TARGET]
        if first_only and reached.size:
            last = int(self.pack.states["epoch"][reached].min())
            for array, old in zip(self.changing(), before):
                array[...] = old
            recorded = self.advance(last + 1)
            self.pack.states["stop"][self.live] = STOPPED
            end = last + 1
        self.history.add(*recorded)
        self.mark_last(live)
        self.start = end
        took = time.perf_counter() - began
        self.elapsed += took
        self.epochs = self.next_epochs(took)

    def take_snapshot(self, live):
        """Keep the weights of the live members where the round's start is 0, 1, 2, 4, ..."""
        if self.start & (self.start - 1) == 0:
            arrays = self.unpacked(self.pack.parameters, live)
            self.snapshots.add(self.start, live, arrays)

    def unpacked(self, flat, members):
        """Some members' runs of a flat array in the layout of weights.npz."""
        return layout.unpack(flat, self.plan.settings[members], self.plan.d, self.plan.k)

    def next_epochs(self, took):
        """Epochs of the next round, after one that took so many seconds."""
        return max(1, min(4 * self.epochs, int(self.epochs * ROUND_SECONDS / took)))

    def mark_last(self, ids):
        """The last epoch each member has an entry of: its stop, or the one before the next."""
        states = self.pack.states
        ongoing = np.isin(states["stop"][ids], (RUNNING, STOPPED))
        states["last_epoch"][ids] = np.where(
            ongoing, states["epoch"][ids] - 1, states["epoch"][ids]
        )

    def changing(self):
        """The arrays that a round changes: with their values before, it can be run again."""
        return *self.pack[1:], self.seconds

    def evaluate(self, name):
        """Loss and accuracy of every member's best weights on a set; NaN where it is empty."""
        losses, accuracies = np.full((2, self.plan.settings.size), np.nan)
        rows, (problem, pack) = self.sets[name], self.common
        if rows.count:

            def work(chunk, part, scratch):
                some = np.empty((2, chunk.size))
                activation, _ = self.choices(chunk[0])
                self.backend.evaluate(
                    activation, problem, rows, pack, chunk, some[0], some[1], scratch
                )
                losses[chunk], accuracies[chunk] = some

            self.spread(np.arange(self.plan.settings.size), work)
        if self.plan.loss not in CLASSIFIERS:
            accuracies[:] = np.nan
        losses[~np.isfinite(self.pack.states["best_loss"])] = np.nan
        return losses, accuracies

    def checkpoint(self):
        """Arrays from which restore() continues with the same bytes."""
        return {
            "states": self.pack.states,
            "parameters": self.pack.parameters,
            "best": self.pack.best,
            "memory": self.pack.memory,
            "seconds": self.seconds,
            "progress": np.array([self.start, self.epochs, self.elapsed]),
            "history_counts": self.history.counts,
            "history_values": self.history.table(),
            **{f"snapshot_{n}": a for n, a in self.recorded().items()},
        }

    def recorded(self):
        """The arrays of snapshots.npz; empty when none were asked for."""
        return self.snapshots.table() if self.snapshots is not None else {}

    def restore(self, saved):
        """Continue from a checkpoint."""
        self.pack.states[...] = saved["states"]
        self.pack.parameters[...] = saved["parameters"]
        self.pack.best[...] = saved["best"]
        self.pack.memory[...] = saved["memory"]
        self.seconds[...] = saved["seconds"]
        start, epochs, self.elapsed = saved["progress"]
        self.start, self.epochs = int(start), int(epochs)
        self.history.restore(saved)
        if self.snapshots is not None and "snapshot_W1" in saved:
            self.snapshots.pieces = [[saved[f"snapshot_{name}"] for name in Snapshots.ARRAYS]]


def start_pack(plan, dtype, initial_weights):
    """The members at epoch 0."""
    parameters = init.initialise(plan, dtype, initial_weights)
    states = np.zeros(plan.settings.size, STATE)
    states["learning_rate"] = states["plateau_rate"] = plan.settings["learning_rate"]
    states["best_loss"] = states["step_loss"] = np.inf
    states["best_epoch"] = states["last_epoch"] = -1
    memory = layout.zeros(plan.memory, dtype)
    best = layout.zeros(parameters.size, dtype)
    best[:] = parameters
    return Pack(plan.settings, states, parameters, best, memory)


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
