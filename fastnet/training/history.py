"""The history of a run: entries of every member, and snapshots of weights."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fastnet.engine.records import (
    CLIPPED,
    DENSE_EPOCHS,
    GRADIENT_NORM,
    LEARNING_RATE,
    TRAIN_LOSS,
    VAL_LOSS,
)

# The names of an entry's columns.
FIELDS = {
    "train_loss": TRAIN_LOSS,
    "val_loss": VAL_LOSS,
    "learning_rate": LEARNING_RATE,
    "gradient_norm": GRADIENT_NORM,
    "clipped": CLIPPED,
}


def history_names(options: Mapping[str, Any], validates: int) -> list[str]:
    """The values that a history holds for every entry."""
    asked = [name for name in options["record"] if name in FIELDS]
    return ["train_loss", "learning_rate", *asked, *["val_loss"] * bool(validates)]


def kept_epochs(end: int, start: int = 0) -> np.ndarray:
    """The epochs from start to end (exclusive) that a history keeps, in order."""
    parts, step, first = [], 1, 0
    while first < end:
        last = min(end, DENSE_EPOCHS * step + 1)
        parts.append(np.arange(-(-first // step) * step, last, step))
        first, step = last, 2 * step
    epochs = np.concatenate([np.empty(0, np.int64), *parts])
    return epochs[epochs >= start]


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers of ranges, one after another.

    Examples
    --------
    >>> ranges(np.array([10, 0]), np.array([2, 3])).tolist()
    [10, 11, 0, 1, 2]
    """
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


class History:
    """Entries of all members in the order of the rounds, joined when they are needed.

    A member's entries cover the kept epochs from 0 on without a gap, so the place of each is
    known and nothing has to be sorted.
    """

    def __init__(self, members: int, names: Iterable[str]):
        self.names = tuple(names)
        self.counts = np.zeros(members, np.int64)  # entries of each member so far
        self.pieces = []  # (members, entries of each, values (fields, N)) of each round

    def add(self, ids: np.ndarray, buffer: np.ndarray, counts: np.ndarray) -> None:
        """The first counts[i] rows of buffer[i] are the next entries of member ids[i]."""
        used = np.arange(buffer.shape[1]) < counts[:, None]
        values = np.array([buffer[:, :, FIELDS[name]][used] for name in self.names])
        self.pieces.append((ids, counts, values))
        self.counts[ids] += counts

    def table(self) -> np.ndarray:
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

    def adopt(self, ids: np.ndarray, piece: Mapping[str, np.ndarray]) -> None:
        """Take over all entries of members from a piece, where they are in the order of ids."""
        self.counts[ids] = piece["history_counts"]
        self.pieces.append((ids, piece["history_counts"], piece["history_values"]))

    def restore(self, saved: Mapping[str, np.ndarray]) -> None:
        """Continue from a checkpoint."""
        self.counts[...] = saved["history_counts"]
        everyone = np.arange(self.counts.size)
        self.pieces = [(everyone, saved["history_counts"], saved["history_values"])]

    def flat(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays of history.npz: every kept entry, and each member's best and last one."""
        values, counts = self.table(), self.counts
        starts = np.cumsum(counts) - counts
        epochs = kept_epochs(int(counts.max(initial=0)) and int(states["last_epoch"].max()) + 1)
        epoch = epochs[np.arange(values.shape[1]) - np.repeat(starts, counts)]
        ids, places, at, entries = self.entries_beside(states, epochs, starts)
        if ids.size:
            epoch = np.insert(epoch, places, at)
            values = [np.insert(v, places, e) for v, e in zip(values, entries.T)]
        arrays = {"epoch": epoch, **dict(zip(self.names, values))}
        arrays.setdefault("val_loss", np.full(epoch.size, np.nan))
        ends = np.cumsum(counts + np.bincount(ids, minlength=counts.size))
        return {**arrays, "offsets": np.concatenate([[0], ends])}

    def entries_beside(self, states, epochs, starts):
        """Best and last entries of epochs that are not kept: member, place among the kept ones,
        epoch and values of each."""
        found = []
        for name in ("best", "last"):
            at = states[f"{name}_epoch"]
            rank = np.searchsorted(epochs, at)
            thinned = (at >= 0) & (np.append(epochs, -1)[rank] != at)
            if name == "best":
                thinned &= at != states["last_epoch"]
            ids = np.flatnonzero(thinned)
            places = starts[ids] + np.minimum(rank, self.counts)[ids]
            entries = states[f"{name}_entry"][ids][:, [FIELDS[n] for n in self.names]]
            found.append((ids, places, at[ids], entries))
        return [np.concatenate(parts) for parts in zip(*found)]


class Snapshots:
    """Weights of the live members after 0, 1, 2, 4, 8, ... epochs, to show how a fit develops."""

    ARRAYS = ("W1", "b1", "W2", "b2", "n1", "member", "epoch")

    def __init__(self):
        self.pieces = []

    @staticmethod
    def due(start: int) -> int:
        """The first epoch of a snapshot after `start`."""
        return 1 << start.bit_length()

    def add(self, epoch: int, members: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        n1 = np.diff(arrays["offsets"])
        facts = {"n1": n1, "member": members, "epoch": np.full(len(members), epoch)}
        self.pieces.append([{**arrays, **facts}[name] for name in self.ARRAYS])

    def table(self) -> dict[str, np.ndarray]:
        """All snapshots as arrays, in the layout of weights.npz with member and epoch of each, in
        the order of epochs and then of members."""
        joined = [np.concatenate(parts) for parts in zip(*self.pieces)]
        joined = in_order(joined) if joined else []
        self.pieces = [joined] if joined else []
        return dict(zip(self.ARRAYS, joined))


def in_order(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The arrays of snapshots by epoch and member; those of members that were trained elsewhere
    come in pieces."""
    *weights, b2, n1, member, epoch = arrays
    order = np.lexsort((member, epoch))
    if (np.diff(order) == 1).all():
        return arrays
    rows = ranges((np.cumsum(n1) - n1)[order], n1[order])
    return [*(array[rows] for array in weights), *(a[order] for a in (b2, n1, member, epoch))]
