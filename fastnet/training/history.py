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

DENSE_SNAPSHOTS = 16  # up to this epoch there is a snapshot of each

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


def kept_epochs(end: int, start: int = 0, brief: bool = False) -> np.ndarray:
    """The epochs from start to end (exclusive) that a history keeps, in order.

    The best and the last epoch of a member are kept in its state. A brief history has no others
    but the first one.
    """
    if brief:
        return np.arange(start, min(end, 1))
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


def is_brief(options: Mapping[str, Any]) -> bool:
    """Whether a history keeps the first, the best and the last entry alone."""
    return "best" in options["record"]


class History:
    """Entries of all members in the order of the rounds, joined when they are needed.

    A member's entries cover the kept epochs from 0 on without a gap, so the place of each is
    known and nothing has to be sorted.
    """

    def __init__(self, members: int, names: Iterable[str], brief: bool = False):
        self.names, self.brief = tuple(names), brief
        self.counts = np.zeros(members, np.int64)  # entries of each member so far
        self.pieces = []  # (members, entries of each, values (fields, N)) of each round

    def add(self, ids: np.ndarray, buffer: np.ndarray, counts: np.ndarray) -> None:
        """The first counts[i] rows of buffer[i] are the next entries of member ids[i]."""
        if self.brief:
            counts = np.minimum(counts, self.counts[ids] == 0)
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
        end = int(counts.max(initial=0)) and int(states["last_epoch"].max()) + 1
        epochs = kept_epochs(end, brief=self.brief)
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
    """Weights of live members after some epochs, to show how a fit develops.

    The epochs are all up to 16 and then four for each doubling: 20, 24, 28, 32, 40, ...: some 60
    up to epoch 30,000. They follow from the number of the epoch alone.

    Parameters
    ----------
    most : int, optional
        The bytes that they may take. Beyond, the better half of the members of each N1 is kept;
        if there is one of each N1, none is. Without it all members are kept.
    """

    ARRAYS = ("W1", "b1", "W2", "b2", "n1", "member", "epoch")

    def __init__(self, most: int | None = None):
        self.most = most
        self.pieces = []
        self.held = np.empty(0, np.int64)  # the members that there are snapshots of

    @staticmethod
    def due(start: int) -> int:
        """The first epoch of a snapshot after `start`."""
        step = max(1, 1 << start.bit_length() >> 3) if start >= DENSE_SNAPSHOTS else 1
        return (start // step + 1) * step

    def is_due(self, epoch: int) -> bool:
        """Whether this is an epoch of a snapshot."""
        return epoch == 0 or self.due(epoch - 1) == epoch

    def wanted(self, epoch: int, live: np.ndarray) -> np.ndarray:
        """The live members whose weights after this epoch are kept."""
        return live if epoch == 0 else live[np.isin(live, self.held)]

    def add(self, epoch: int, members: np.ndarray, arrays: Mapping[str, np.ndarray]) -> None:
        n1 = np.diff(arrays["offsets"])
        facts = {"n1": n1, "member": members, "epoch": np.full(len(members), epoch)}
        self.pieces.append([{**arrays, **facts}[name] for name in self.ARRAYS])
        if epoch == 0:
            self.held = np.union1d(self.held, members)

    def adopt(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Add the snapshots of members that were trained elsewhere."""
        self.pieces.append([arrays[name] for name in self.ARRAYS])
        self.held = np.union1d(self.held, arrays["member"])

    def limit(self, n1: np.ndarray, losses: np.ndarray) -> None:
        """Leave members out until the rest fits; `n1` and the best `losses` are of all members."""
        while self.most is not None and sum(a.nbytes for p in self.pieces for a in p) > self.most:
            held = self.held
            order = held[np.lexsort((held, losses[held], n1[held]))]
            first = np.searchsorted(n1[order], n1[order])
            last = np.searchsorted(n1[order], n1[order], side="right")
            rank, size = np.arange(len(order)) - first, last - first
            better = order[rank < size // 2 + size % 2 * (size > 1)]
            self.restore(of_members(self.table(), better) if len(better) else {})

    def table(self) -> dict[str, np.ndarray]:
        """All snapshots as arrays, in the layout of weights.npz with member and epoch of each, in
        the order of epochs and then of members."""
        joined = [np.concatenate(parts) for parts in zip(*self.pieces)]
        joined = in_order(joined) if joined else []
        self.pieces = [joined] if joined else []
        return dict(zip(self.ARRAYS, joined))

    def restore(self, snapshots: Mapping[str, np.ndarray]) -> None:
        """Continue with these, as table() gives them."""
        self.pieces = [[snapshots[name] for name in self.ARRAYS]] if snapshots else []
        self.held = np.unique(snapshots["member"]) if snapshots else np.empty(0, np.int64)


def in_order(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """The arrays of snapshots by epoch and member; those of members that were trained elsewhere
    come in pieces."""
    *weights, b2, n1, member, epoch = arrays
    order = np.lexsort((member, epoch))
    if (np.diff(order) == 1).all():
        return arrays
    rows = ranges((np.cumsum(n1) - n1)[order], n1[order])
    return [*(array[rows] for array in weights), *(a[order] for a in (b2, n1, member, epoch))]


def of_members(snapshots: Mapping[str, np.ndarray], members: Iterable[int]) -> dict[str, Any]:
    """The snapshots of some members."""
    mine = np.isin(snapshots["member"], list(members))
    rows = np.repeat(mine, snapshots["n1"])
    return {n: a[rows if n in ("W1", "b1", "W2") else mine] for n, a in snapshots.items()}
