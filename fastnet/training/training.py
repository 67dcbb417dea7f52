"""A run's state, and its rounds of epochs over threads, with the decisions between them.

Every live member gets the same end epoch in a round, whoever computes it; between rounds
Python sees the whole state: progress, stops, checkpoints, the time limit, Ctrl-C. The number
of epochs in a round does not change the results.
"""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet import reference
from fastnet.data.samples import Data
from fastnet.engine import kernels, layout, methods, units
from fastnet.engine.layers import layers_of
from fastnet.engine.layout import Problem
from fastnet.engine.records import (
    COLUMNS,
    DIVERGED,
    PRUNED,
    RUNNING,
    STOPPED,
    TARGET,
)
from fastnet.errors import DataError
from fastnet.native.processes import compile_apart
from fastnet.options.methods import CLASSIFIERS, FIRST_ORDER, OPTIMIZERS, WITH_MATRIX
from fastnet.training.checkpoint import Run, misfit, run_of
from fastnet.training.cores import granted, idle_cores
from fastnet.training.halving import halving_of
from fastnet.training.history import History, Snapshots, history_names, is_brief, kept_epochs
from fastnet.training.plan import Plan, has_optimizer
from fastnet.training.start import start_pack
from fastnet.training.states import in_checkpoint, joined, kept_by, states_in, states_of
from fastnet.training.strengths import worse
from fastnet.training.threads import Threads, chunks, worthwhile

ROUND_SECONDS = 0.4  # seconds that a round aims at
FIRST_ROUND = 1 / 80  # the part of them that the first round aims at: its speed is a guess
ROUND_BYTES = 1 << 26  # bytes of the buffer for its history
FILM_BYTES = 1 << 26  # bytes that the snapshots for playback may take while a run trains
UNIT_SECONDS = 1e-9  # of a hidden unit, sample and epoch, until members have been timed


def load_backend(name):
    """The kernels of a backend, the choices that they are called with, and its rows()."""
    if name == "reference":
        return reference.kernels, reference.methods.CHOICES, reference.network.rows
    return kernels, methods.CHOICES, layout.rows


def kinds(settings, units):
    """A number for each member: equal where the same kernels train them."""
    chosen = settings["activation"] * len(OPTIMIZERS) + settings["optimizer"]
    return 3 * chosen + (settings["batch_size"] > 0) + units


def unit_cost(plan: Plan) -> np.ndarray:
    """The approximate cost of an epoch of each member: its units, and 4 more for the rest of a
    sample. With a matrix, five times that, in float64, and the products of P parameters."""
    n1 = plan.settings["n1"]
    parameters = n1 * (plan.d + 1 + plan.k) + plan.k
    held = has_optimizer(plan.columns, WITH_MATRIX)
    return np.where(held, 5 * (n1 + 4) + parameters**2 // 9, n1 + 4)


class Training:
    """A run's state between rounds, and the means to advance it."""

    def __init__(
        self, plan: Plan, data: Data, options: Mapping[str, Any], initial_weights: Any = None
    ):
        self.plan, self.options = plan, options
        self.dtype = np.dtype(options["dtype"])
        self.threads = options["threads"] or granted().count
        self.backend, self.tables, self.rows = load_backend(options["backend"])
        self.sets = {}
        for name in ("train", "val", "test"):
            X, Y, weights = data.subset(name)
            self.sets[name] = self.rows(X, Y, self.dtype, weights)
        loss = self.tables["loss"][plan.loss]
        sets = self.sets["train"], self.sets["val"]
        self.problem = Problem(plan.d, plan.k, loss, *sets, *layers_of(plan.d, plan.k))
        self.pack = start_pack(plan, self.dtype, data.training_rows, initial_weights)
        self.cost = unit_cost(plan)
        self.units = self.members_in_units()
        self.kind = kinds(plan.settings, self.units)
        self.seconds = np.zeros(plan.settings.size)
        names = history_names(options, self.sets["val"].count)
        self.history = History(plan.settings.size, names, is_brief(options))
        self.snapshots = Snapshots() if "snapshots" in options["record"] else None
        self.halving = halving_of(plan, options)
        self.kept = []  # states of members that were live at max_epochs: those of each round
        self.start, self.epochs, self.elapsed = 0, self.first_epochs(), 0.0
        self.parts = self.parts_of_members()
        self.shared = self.room_for_parts()
        # The common arguments of calls of the backend.
        self.common = [self.backend.bind(value) for value in (self.problem, self.pack)]
        self.common_in_units = self.common
        if self.units.any():
            problem = units.problem_in_units(self.problem, *data.subset("train")[:2])
            self.common_in_units = [self.backend.bind(problem), self.common[1]]
        self.workers = Threads(self.threads, lambda: self.backend.bind(self.make_scratch()))

    def members_in_units(self):
        """Which members' mini-batches have the units in the lanes."""
        settings = self.plan.settings
        if self.options["backend"] == "reference":
            return np.zeros(settings.size, bool)
        return layout.in_units(settings["n1"], settings["batch_size"], self.plan.d, self.plan.k)

    def parts_of_members(self):
        """Parts that each member's full batch is cut into; more than 1 for huge networks."""
        settings = self.plan.settings
        parts = np.ones(settings.size, np.int64)
        stepped = has_optimizer(self.plan.columns, FIRST_ORDER)
        if self.options["backend"] == "kernels":
            count, shape = self.sets["train"].count, (self.plan.d, self.plan.k)
            for n1 in np.unique(settings["n1"]):
                some = (settings["n1"] == n1) & (settings["batch_size"] == 0) & stepped
                parts[some] = layout.parts_of(count, int(n1), *shape)
        return parts

    def room_for_parts(self):
        """The memory for the sums of a huge network's parts, or None."""
        shapes = {*zip(self.plan.settings["n1"].tolist(), self.parts.tolist())}
        huge = [(n1, count) for n1, count in shapes if count > 1]
        if not huge:
            return None
        d, k = self.plan.d, self.plan.k
        numbers = max(count * layout.sums_length(n1, d, k) for n1, count in huge)
        blocks = max(layout.blocks_of(self.sets["val"].count, n1) for n1, _ in huge)
        return layout.parts(numbers, blocks, self.dtype)

    def make_scratch(self):
        """Working memory for one thread, enough for the widest member."""
        if self.options["backend"] == "reference":
            return None
        settings = self.plan.settings
        widest, batch = int(settings["n1"].max()), int(settings["batch_size"].max())
        chosen = [self.choices(member)[0] for member in self.one_of_each_kind()]
        keeps_z = any(activation.needs_z for activation in chosen)
        held = has_optimizer(self.plan.columns, WITH_MATRIX)
        matrix_n1 = int(settings["n1"][held].max(initial=0))
        return layout.scratch(
            self.problem, widest, batch, self.dtype, self.shared, keeps_z, matrix_n1
        )

    def choices(self, member):
        """The choices that the kernels of a member are compiled for: activation and optimizer."""
        names, batches = self.plan.columns[member], self.plan.settings["batch_size"][member] > 0
        optimizers = self.tables["optimizer in batches" if batches else "optimizer"]
        return self.tables["activation"][names["activation"]], optimizers[names["optimizer"]]

    def common_of(self, member):
        """The common arguments of the kernels that advance a member."""
        return self.common_in_units if self.units[member] else self.common

    def one_of_each_kind(self):
        """One member for each group that shares its kernels."""
        return np.unique(self.kind, return_index=True)[1]

    def first_calls(self, kinds):
        """Entry points that members of these kinds need, and arguments for each without a member.

        `kinds` is one member of each kind.
        """
        nobody, numbers = np.empty(0, np.int64), np.empty(0)
        buffer, scratch = np.empty((0, 1, COLUMNS)), self.workers.scratches(1)[0]
        problem, pack = self.common
        for member in kinds:
            activation, optimizer = self.choices(member)
            common = self.common_of(member)
            advance = activation, optimizer, *common, nobody, 0, buffer, nobody
            yield self.backend.advance, (*advance, scratch)
            rest = self.sets["train"], pack, nobody, numbers, numbers
            yield self.backend.evaluate, (activation, common[0], *rest, scratch)
            if self.shared is not None:
                yield self.backend.share_parts, (activation, problem, pack, nobody, scratch)

    def not_ready(self, calls):
        """Those of the calls that have to be compiled for."""
        if self.options["backend"] == "reference":
            return []
        return [(entry, arguments) for entry, arguments in calls if not entry.is_ready(*arguments)]

    def missing(self) -> list[str]:
        """What warm_up() compiles kernels for, each as "adam with relu"."""
        found = []
        for member in self.one_of_each_kind():
            if self.not_ready(self.first_calls([member])):
                activation, optimizer = self.choices(member)
                found.append(f"{optimizer.name} with {activation.name}")
        return list(dict.fromkeys(found))

    def warm_up(self) -> float:
        """Compile, or load from the cache, what the run needs; the seconds it took."""
        before, calls = time.perf_counter(), list(self.first_calls(self.one_of_each_kind()))
        if self.options["backend"] == "kernels":
            calls = [call for call in calls if not call[0].is_loaded(*call[1])]
        compile_apart(self.not_ready(calls), min(self.threads, idle_cores()))
        for function, arguments in calls:
            function(*arguments)
        return time.perf_counter() - before

    @property
    def live(self) -> np.ndarray:
        """Numbers of the members that are still training."""
        return np.flatnonzero(self.pack.states["stop"] == RUNNING)

    def seconds_of_epoch(self):
        """About the seconds that an epoch of each member takes one thread: by its cost, and by what
        members of its kind took so far."""
        trained = (self.pack.states["last_epoch"] + 1) * self.cost
        trained, seconds = (np.bincount(self.kind, each) for each in (trained, self.seconds))
        if (trained[self.kind] == 0).any():
            return self.cost * self.sets["train"].count * UNIT_SECONDS
        return self.cost * (seconds / np.maximum(trained, 1))[self.kind]

    def spread(self, ids, work, epochs=1):
        """Call work(ids of a chunk, its slice, scratch) for all members, on the threads that some
        epochs of them are worth."""
        if ids.size == 0:
            return ids
        cost = self.seconds_of_epoch() * epochs
        threads = worthwhile(cost[ids].sum(), self.threads)
        ids, slices = chunks(ids, cost, self.kind, threads)
        self.workers.share(slices, lambda part, scratch: work(ids[part], part, scratch), threads)
        return ids

    def advance(self, end):
        """Advance the live members to epoch `end`; return their order, records and counts.

        Those that go on from an epoch at or beyond `end` (catch_up()) wait.
        """
        live = self.live
        live = live[self.pack.states["epoch"][live] < end]
        buffer = np.empty((live.size, len(kept_epochs(end, self.start)), COLUMNS))
        counts = np.zeros(live.size, np.int64)
        huge = live[self.parts[live] > 1]
        for i, member in enumerate(huge):
            counts[i] = self.advance_together(member, end, buffer[i])
        others = live[self.parts[live] == 1]
        others = self.advance_apart(others, end, buffer[huge.size :], counts[huge.size :])
        return np.concatenate([huge, others]), buffer, counts

    def advance_together(self, member, end, entries):
        """Advance one huge network with all threads; return how many entries were recorded."""
        began, state = time.perf_counter(), self.pack.states[member]
        choices, scratches = self.choices(member), self.workers.scratches(self.threads)
        ids, entry, count = np.array([member]), np.empty((1, 1, COLUMNS)), np.zeros(1, np.int64)
        recorded, stretch = 0, (ids, 0, entry, count)
        one = *choices, *self.common, *stretch, scratches[0]
        advance, share = self.backend.advance.repeated(*one), self.backend.share_parts.repeated
        calls = [share(choices[0], *self.common, ids, scratch) for scratch in scratches]
        while state["stop"] == RUNNING and state["epoch"] < end:
            self.workers.run(calls)
            self.shared.ready[0] = 1
            advance(int(state["epoch"]) + 1)
            entries[recorded : recorded + count[0]] = entry[0, : count[0]]
            recorded += int(count[0])
        self.seconds[member] += time.perf_counter() - began
        return recorded

    def advance_apart(self, ids, end, buffer, counts):
        """Advance members on all threads; return them in the order of buffer and counts."""
        states, epochs = self.pack.states, end - self.start

        def work(chunk, part, scratch):
            began, first = time.perf_counter(), states["epoch"][chunk]
            choices, stretch = self.choices(chunk[0]), (chunk, end, buffer[part], counts[part])
            self.backend.advance(*choices, *self.common_of(chunk[0]), *stretch, scratch)
            cost = (states["epoch"][chunk] - first + 1) * self.cost[chunk]
            self.seconds[chunk] += (time.perf_counter() - began) * cost / cost.sum()

        return self.spread(ids, work, epochs)

    def round(self) -> None:
        """Train one round of about ROUND_SECONDS."""
        began = time.perf_counter()
        live = self.live
        limit = self.limit()
        width = max(1, ROUND_BYTES // (8 * COLUMNS * live.size))
        end = min(self.start + min(self.epochs, width), limit)
        if self.snapshots is not None:
            self.take_snapshot(live)
            end = min(end, self.snapshots.due(self.start))
        if self.halving is not None:
            end = min(end, self.halving.due(self.start))
        prune = self.options["prune_l2"]
        if prune is not None and self.start <= prune:
            end = min(end, prune + 1)
        if kept_by(self.options):
            end = self.keep_states(live, end)
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
        if self.halving is not None:
            self.prune(end - 1)
        if prune is not None and end == prune + 1:
            self.prune_strengths(end)
        self.history.add(*recorded)
        self.mark_last(live)
        if self.options["target_accuracy"] is not None:
            self.mark_accurate(live)
        took, done = time.perf_counter() - began, end - self.start
        self.start = end
        self.elapsed += took
        self.epochs = self.next_epochs(took, done)

    def prune(self, epoch):
        """Stop the live members of the settings that do not go on after this epoch."""
        behind = self.halving.behind(epoch, self.pack.states["best_loss"])
        live = self.live
        self.pack.states["stop"][live[behind[live]]] = PRUNED

    def keep_states(self, live, end):
        """The end of a round at most where states are kept; there, keep those of its members."""
        last = self.limit() - 1
        if self.start < last:
            return min(end, last)
        self.kept.append(states_of(self.plan, self.pack, live))
        return end

    def catch_up(self) -> None:
        """Begin where the first live member is: members may go on from states of other runs."""
        live = self.live
        if live.size:
            self.start = max(self.start, int(self.pack.states["epoch"][live].min()))

    def prune_strengths(self, end):
        """Stop the members at epoch `end` whose strength of l2 is in the worse half."""
        states = self.pack.states
        here = (states["stop"] == RUNNING) & (states["epoch"] == end)
        out = worse(self.plan.columns, states["best_loss"]) & here
        states["stop"][out] = PRUNED

    def film(self) -> None:
        """Take snapshots for playback, unless the options say which to take."""
        options = self.options
        if self.snapshots is None and "none" not in options["record"] and options["keep"] != "none":
            self.snapshots = Snapshots(FILM_BYTES)

    def take_snapshot(self, live):
        """Keep the weights of the live members if a snapshot is due where the round starts."""
        if not self.snapshots.is_due(self.start):
            return
        live = live[self.pack.states["epoch"][live] == self.start]
        live = self.snapshots.wanted(self.start, live)
        if live.size:
            self.snapshots.add(self.start, live, self.unpacked(self.pack.parameters, live))
            self.snapshots.limit(self.plan.settings["n1"], self.pack.states["best_loss"])

    def unpacked(self, flat: np.ndarray, members: np.ndarray) -> dict[str, np.ndarray]:
        """Some members' runs of a flat array in the layout of weights.npz."""
        return layout.unpack(flat, self.plan.settings[members], self.plan.d, self.plan.k)

    def first_epochs(self) -> int:
        """Epochs of the first round: a tiny network's whole training takes less time than rounds
        of 1, 4, 16, ... epochs, each of 0.2 ms."""
        seconds = self.seconds_of_epoch().sum()
        return max(1, min(int(FIRST_ROUND * ROUND_SECONDS / seconds), self.limit()))

    def next_epochs(self, took, done):
        """Epochs of the next round, after one that took this many seconds for `done` epochs."""
        return max(1, min(4 * done, int(done * ROUND_SECONDS / took), self.limit()))

    def limit(self) -> int:
        """The epoch at which no member trains any more."""
        return int(self.plan.settings["max_epochs"].max()) + 1

    def mark_last(self, ids):
        """The epoch of each member's last entry: its stop, or the one before the next."""
        states = self.pack.states
        stop = states["stop"][ids]
        ongoing = (stop == RUNNING) | (stop == STOPPED) | (stop == PRUNED)
        states["last_epoch"][ids] = np.where(
            ongoing, states["epoch"][ids] - 1, states["epoch"][ids]
        )

    def mark_accurate(self, ids):
        """Mark members that have ended with the accuracy asked for as having reached the target."""
        stops = self.pack.states["stop"]
        ended = ids[~np.isin(stops[ids], (RUNNING, DIVERGED, PRUNED))]
        _, accuracy = self.evaluate("val" if self.sets["val"].count else "train", ended)
        stops[ended[accuracy[ended] >= self.options["target_accuracy"]]] = TARGET

    def changing(self):
        """The arrays that a round changes; with their old values, the round can be run again."""
        return *self.pack[1:], self.seconds

    def evaluate(
        self, name: str, members: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Loss and accuracy of every member's best weights on a set; NaN if it is empty, and for
        all but some members, if they are given."""
        losses, accuracies = np.full((2, self.plan.settings.size), np.nan)
        rows = self.sets[name]
        if rows.count:

            def work(chunk, part, scratch):
                some = np.empty((2, chunk.size))
                activation, _ = self.choices(chunk[0])
                problem, pack = self.common_of(chunk[0])
                self.backend.evaluate(
                    activation, problem, rows, pack, chunk, some[0], some[1], scratch
                )
                losses[chunk], accuracies[chunk] = some

            self.spread(np.arange(self.plan.settings.size) if members is None else members, work)
        if self.plan.loss not in CLASSIFIERS:
            accuracies[:] = np.nan
        losses[~np.isfinite(self.pack.states["best_loss"])] = np.nan
        return losses, accuracies

    def checkpoint(self) -> dict[str, np.ndarray]:
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
            **in_checkpoint(self.states()),
        }

    def states(self) -> dict[str, np.ndarray]:
        """The arrays of state.npz so far."""
        self.kept = [joined(self.kept, self.dtype)]
        return self.kept[0]

    def recorded(self) -> dict[str, np.ndarray]:
        """The arrays of snapshots.npz; empty when none were asked for."""
        return self.snapshots.table() if self.snapshots is not None else {}

    def run_of(self, plan: Plan, whole: bool = True) -> Run:
        """What a checkpoint, or a piece with the members of a plan, has to fit."""
        return run_of(plan, self.options, self.history, self.sets["train"].count, whole)

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """Continue from a checkpoint; a DataError for one that is not of this run."""
        wrong = misfit(saved, self.run_of(self.plan))
        if wrong:
            raise DataError(wrong)
        self.pack.states[...] = saved["states"]
        self.pack.parameters[...] = saved["parameters"]
        self.pack.best[...] = saved["best"]
        self.pack.memory[...] = saved["memory"]
        self.seconds[...] = saved["seconds"]
        start, epochs, self.elapsed = saved["progress"]
        self.start, self.epochs = int(start), min(int(epochs), self.limit())
        self.history.restore(saved)
        if self.snapshots is not None and "snapshot_W1" in saved:
            self.snapshots.restore({name: saved[f"snapshot_{name}"] for name in Snapshots.ARRAYS})
        kept = states_in(saved)
        self.kept = [kept] if kept else []


def grown(old: Training, plan: Plan, data: Data) -> Training:
    """A Training of more members, the first of which are those of `old`, as far as they are.

    `plan` is the old plan with further members at its end: the places of the old ones are the same.
    """
    new = Training(plan, data, old.options)
    count = old.plan.settings.size
    new.pack.states[:count] = old.pack.states
    held = old.plan.length, old.plan.length, old.plan.memory  # the arrays are longer: see layout
    for name, size in zip(("parameters", "best", "memory"), held):
        getattr(new.pack, name)[:size] = getattr(old.pack, name)[:size]
    new.seconds[:count] = old.seconds
    new.history.counts[:count] = old.history.counts
    new.history.pieces = [(np.arange(count), old.history.counts, old.history.table())]
    new.snapshots, new.kept = old.snapshots, old.kept
    new.elapsed, new.epochs = old.elapsed, old.epochs
    return new
