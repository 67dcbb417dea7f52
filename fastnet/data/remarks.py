"""What is remarkable about a table: nothing that stops a training, much that can spoil it.

Every remark is of one kind and about one column, or about the rows. `sentences` joins those of one
kind, with the cure. The statistics are of all rows of the table, in blocks of columns.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.columns import numbers_of
from fastnet.data.dates import parts_of
from fastnet.data.samples import Data
from fastnet.data.schema import NUMERIC, Column
from fastnet.data.tables import Table, listed
from fastnet.options.methods import CLASSIFIERS, OPTIMIZERS

BLOCK = 1 << 21  # values of a block of columns
FEW = 10  # with fewer rows a correlation or a deviation says nothing
COPY = 0.999  # from this |r| an input is nearly the target
CONSTANT = 0.99  # from this share of the rows with one value a column is nearly constant
FAR = 10.0  # standard deviations from the mean
DRIFT = 0.5  # standard deviations between the means of the halves, and 5 standard errors
MOST_CLASSES = 50  # correlations with more classes are not looked at
MOST_NAMES = 5  # named in a sentence
IDENTIFIER = re.compile(r"(.*[ _.-])?(id|nr|no|number|index|row|key|uuid)", re.IGNORECASE)
GROUP = re.compile(
    r"(patient|subject|person|participant|customer|client|user|household|animal|student|machine|"
    r"device|batch|site|hospital)s?([ _.-]?(id|nr|no|number|name|code))?",
    re.IGNORECASE,
)


class Remark(NamedTuple):
    """One remark: its kind, a key of KINDS, the column (or "") and what was found."""

    kind: str
    column: str
    found: str = ""


# The beginning of a kind's sentence, and its cure.
KINDS = {
    "same": ("Constant target", "There is nothing to learn: check the column."),
    "counter": ("Row counter", "New rows have other numbers: leave it out with --exclude."),
    "identifier": ("Identifier", "Nothing can be learnt from it: leave it out."),
    "copy": ("Nearly the target", "Leave out what is not known before the target is."),
    "group": ("Groups", "Keep them whole with --group, to test on groups that are new."),
    "constant": (
        "Nearly constant",
        "The few other rows count too much: check them, or leave it out.",
    ),
    "date": (
        "Dates as numbers",
        "Their steps are uneven (0131, 0201): make days or months of them.",
    ),
    "far": ("Far out", "Check them: a few such values decide the scaling and the loss."),
    "rare": ("Levels with one row", "Let them share one input with --min-level-count."),
    "single": ("Classes with one row", "One row cannot both train and test: merge or remove them."),
    "repeated": (
        "Repeated rows",
        "If they are copies, remove them: in two sets they make losses look too low.",
    ),
    "weights": (
        "More weights than rows",
        "The network can learn the rows by heart: use fewer inputs, a smaller --n1 or --l2.",
    ),
    "drift": ("Drift between the halves", "If the rows are in the order of time, use --order."),
}


def sentences(remarks: Iterable[Remark]) -> tuple[str, ...]:
    """One sentence for each kind, in the order of KINDS.

    Examples
    --------
    >>> sentences([Remark("far", "size", "23 sd"), Remark("counter", "id"), Remark("far", "x")])[1]
    'Far out: size (23 sd), x. Check them: a few such values decide the scaling and the loss.'
    """
    return tuple(sentence for sentence, _ in by_kind(remarks).values())


def by_kind(remarks: Iterable[Remark]) -> dict[str, tuple[str, list[str]]]:
    """The sentence and the columns of each kind."""
    kinds: dict[str, list[Remark]] = {}
    for remark in remarks:
        kinds.setdefault(remark.kind, []).append(remark)
    found = {}
    for kind, (title, cure) in KINDS.items():
        some = kinds.get(kind, [])
        if some:
            columns = [remark.column for remark in some if remark.column]
            found[kind] = f"{title}: {listed(list(map(item, some)), MOST_NAMES)}. {cure}", columns
    return found


def item(remark: Remark) -> str:
    """A remark in the list of a sentence."""
    if not remark.column:
        return remark.found
    return f"{remark.column} ({remark.found})" if remark.found else remark.column


def of_size(data: Data, options: Mapping[str, Any]) -> list[Remark]:
    """A remark on more weights than there are targets to learn from.

    Of one hidden unit always; of the smallest N1 if nothing tells when enough is learnt: no rows
    are held out, and no method finds a penalty.
    """
    d, k, rows = data.X.shape[1], data.Y.shape[1], len(data.split["train"])
    own = all(OPTIMIZERS[name].own_l2 for name in options["optimizer"])
    guarded = bool(len(data.split["val"]) or data.folds or own)
    n1 = 1 if guarded else min(options["n1"])
    weights = n1 * (d + 1 + k) + k
    if weights <= rows * k:
        return []
    found = f"{weights:,} with N1 = {n1} for {rows:,} rows" + ", none held out" * (not guarded)
    return [Remark("weights", "", found)]


# ---------------------------------------------------------------- the target and the rows


class Goal:
    """The targets: numbers as they are, classes one-hot, several targets of labels as 0 and 1.

    Attributes
    ----------
    codes : ndarray of shape (k, n)
        Numbers, or the number of the class.
    Z : ndarray of shape (k, n)
        What inputs are compared with, of mean 0 and standard deviation 1 (0 if constant).
    classes, counts : ndarray of shape (n_classes,) or None
    is_sorted : bool
        Whether the rows are in the order of the target: then every input drifts.
    """

    def __init__(self, y: np.ndarray, loss: str) -> None:
        self.classes = self.counts = None
        self.are_labels = loss in CLASSIFIERS
        if loss in CLASSIFIERS and y.ndim == 1:
            self.classes, codes, self.counts = np.unique(y, return_inverse=True, return_counts=True)
            self.codes = codes.reshape(1, -1).astype(float)
            few = len(self.classes) <= MOST_CLASSES
            Y = np.eye(len(self.classes))[:, codes.ravel()] if few else np.empty((0, len(y)))
        else:
            self.codes = Y = y.reshape(len(y), -1).T.astype(float)
        centred, _, sd = moments(Y)
        self.Z = centred / np.where(sd > 0, sd, 1)[:, None]
        steps = np.diff(self.codes[0])
        if self.classes is None:
            self.is_sorted = bool((steps >= 0).all() or (steps <= 0).all())
        else:
            self.is_sorted = np.count_nonzero(steps) == len(self.classes) - 1

    def remarks(self, names: Sequence[str]) -> Iterator[Remark]:
        """What is remarkable about the targets themselves."""
        if self.counts is not None and self.classes is not None:
            alone = self.classes[self.counts == 1]
            if len(alone):
                texts = listed([str(label) for label in alone], MOST_NAMES)
                yield Remark("single", names[0], texts)
            return
        block = Block(list(names), self.codes, True)
        for j in block.where(block.low == block.high):
            yield Remark("same", names[j], f"{block.low[j]:.6g} in all rows")
        if not self.are_labels:
            yield from block.far()
        if not self.is_sorted:
            yield from block.drift()


class Rows:
    """Counts rows that repeat another, by a hash of their values."""

    def __init__(self, n: int) -> None:
        self.hashes = np.full(n, 0x9E3779B97F4A7C15, np.uint64)

    def add(self, values: np.ndarray) -> None:
        """Take in columns, shape (b, n) float64."""
        for column in values:
            bits = (column + 0.0).view(np.uint64)  # -0.0 becomes 0.0
            self.hashes = (self.hashes ^ bits) * np.uint64(0xD6E8FEB86659FD93)
            self.hashes ^= self.hashes >> np.uint64(32)

    def repeated(self) -> int:
        """How many rows are like one before them."""
        ordered = np.sort(self.hashes)
        return int((ordered[1:] == ordered[:-1]).sum())


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values less their mean (missing ones 0), means and standard deviations of the rows (b, n)."""
    mean = values.mean(axis=1)
    count = np.full(len(values), max(values.shape[1], 1))
    missing = np.isnan(values) if np.isnan(mean).any() else None
    if missing is not None:
        count = np.maximum((~missing).sum(axis=1), 1)
        mean = np.where(missing, 0, values).sum(axis=1) / count
    centred = values - mean[:, None]
    if missing is not None:
        centred[missing] = 0
    return centred, mean, np.sqrt(np.einsum("bn,bn->b", centred, centred) / count)


# ---------------------------------------------------------------- columns of numbers


class Block:
    """Some columns of numbers, shape (b, n), and what is remarkable about each."""

    def __init__(self, names: Sequence[str], values: np.ndarray, among_others: bool) -> None:
        self.names, self.values, self.n = names, values, values.shape[1]
        self.centred, self.mean, self.sd = moments(values)
        self.low, self.high = values.min(axis=1), values.max(axis=1)
        self.is_whole = (values[:, :100] == np.floor(values[:, :100])).all(axis=1)
        for j in self.where(self.is_whole):
            self.is_whole[j] = (values[j] == np.floor(values[j])).all()
        self.among_others = among_others

    def where(self, mask: np.ndarray) -> list[int]:
        """The numbers of the columns where the mask is true."""
        return np.flatnonzero(mask).tolist()

    def counters(self) -> list[int]:
        """Columns that count the rows up or down by 1; not a single input, which may be time."""
        full = self.is_whole & (self.high - self.low == self.n - 1)
        if not self.among_others or self.n < 3:
            return []
        return [j for j in self.where(full) if len(set(np.diff(self.values[j]).tolist())) == 1]

    def identifiers(self) -> list[int]:
        """Columns of whole numbers, each once: all of a range, or called an id."""
        full = self.high - self.low == self.n - 1
        named = np.array([bool(IDENTIFIER.fullmatch(name)) for name in self.names])
        able = self.where(self.is_whole & (full | named)) if self.n >= FEW else []
        return [j for j in able if len(np.unique(self.values[j])) == self.n]

    def groups(self) -> Iterator[Remark]:
        """Columns whose name says that they tell patients or the like apart."""
        for j in self.where(self.is_whole):
            if GROUP.fullmatch(self.names[j]):
                count = len(np.unique(self.values[j]))
                if 2 < count <= self.n / 2:
                    yield Remark("group", self.names[j], f"{count:,} different")

    def constants(self) -> Iterator[Remark]:
        """Columns of which nearly all rows have one value."""
        picked = [self.values[:, row, None] for row in (0, self.n // 2, -1)]
        share = np.max([(self.values == value).mean(axis=1) for value in picked], axis=0)
        for j in self.where((share >= CONSTANT) & (share < 1)):
            yield Remark("constant", self.names[j], f"{100 * share[j]:.4g} %")

    def dates(self) -> Iterator[Remark]:
        """Columns of numbers such as 20200131."""
        for j in self.where(self.is_whole & (self.low >= 19000101) & (self.high <= 21001231)):
            month, day = self.values[j] // 100 % 100, self.values[j] % 100
            if ((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)).all():
                yield Remark("date", self.names[j], f"{self.values[j, 0]:.0f}")

    def far(self) -> Iterator[Remark]:
        """Columns with a value far from their mean, unless they have two values only."""
        distances = np.stack(
            [
                self.mean - np.nanmin(self.values, axis=1, initial=np.inf),
                np.nanmax(self.values, axis=1, initial=-np.inf) - self.mean,
            ]
        )
        for j in self.where(distances.max(axis=0) > FAR * self.sd):
            values, side = self.values[j], distances[:, j].argmax()
            low, high = np.nanmin(values), np.nanmax(values)
            if ((values > low) & (values < high)).any():
                value, distance = (low, high)[side], distances[side, j] / self.sd[j]
                yield Remark("far", self.names[j], f"{value:.6g}, {distance:.0f} sd")

    def drift(self) -> Iterator[Remark]:
        """Columns whose mean is another in the second half of the rows."""
        if self.n < 2 * FEW:
            return
        half = self.n // 2
        first, second = (
            part.mean(axis=1) for part in (self.centred[:, :half], self.centred[:, half:])
        )
        gap = np.abs(second - first) / np.where(self.sd > 0, self.sd, 1)
        for j in self.where((gap > DRIFT) & (gap * np.sqrt(self.n) / 2 > 5)):
            means = first[j] + self.mean[j], second[j] + self.mean[j]
            digits = max(4, 2 + int(np.log10(abs(means[0]) / abs(means[1] - means[0]) + 1)))
            found = f"mean {means[0]:.{digits}g}, then {means[1]:.{digits}g}"
            yield Remark("drift", self.names[j], found)

    def copies(self, goal: Goal) -> Iterator[Remark]:
        """Columns that are the target but for a factor and a shift."""
        if self.n < FEW or not len(goal.Z):
            return
        r = np.abs(self.centred @ goal.Z.T / self.n).max(axis=1) / np.where(self.sd > 0, self.sd, 1)
        for j in self.where(r > COPY):
            yield Remark("copy", self.names[j], f"r = {r[j]:.5f}")


def of_numbers(block: Block, goal: Goal) -> Iterator[Remark]:
    """What is remarkable about inputs that are numbers; of each column the first."""
    known = set()
    for kind, places in (("counter", block.counters()), ("identifier", block.identifiers())):
        for name in (block.names[j] for j in places):
            if name not in known:
                known.add(name)
                yield Remark(kind, name)
    more = [block.groups(), block.constants(), block.dates(), block.copies(goal), block.far()]
    more += [block.drift()] * (not goal.is_sorted)
    for remark in (remark for remarks in more for remark in remarks):
        if remark.column not in known:
            known.add(remark.column)
            yield remark


# ---------------------------------------------------------------- columns of categories


def of_category(column: Column, values: Any, goal: Goal, rows: Rows) -> Iterator[Remark]:
    """What is remarkable about an input of categories; the rows take in its codes."""
    import pandas

    codes, _ = pandas.factorize(values)
    rows.add(codes[None].astype(float))
    counts = np.bincount(codes[codes >= 0])
    n, levels, alone = len(codes), len(counts), int((counts == 1).sum())
    if goal.classes is not None and n >= FEW and levels == len(goal.classes):
        pairs = len(np.unique(codes * len(goal.classes) + goal.codes[0]))
        if pairs == levels:
            yield Remark("copy", column.name, "a level for each class")
            return
    if GROUP.fullmatch(column.name) and 2 < levels <= n / 2:
        yield Remark("group", column.name, f"{levels:,} different")
    if counts.max(initial=0) >= CONSTANT * n:
        yield Remark("constant", column.name, f"{100 * counts.max() / n:.4g} %")
    elif alone >= max(3, levels / 4):
        yield Remark("rare", column.name, f"{alone} of {levels}")


# ---------------------------------------------------------------- all of them


def remarks_of(
    table: Table, columns: Sequence[Column], targets: Sequence[str], y: np.ndarray, loss: str
) -> list[Remark]:
    """Everything remarkable about a table.

    Parameters
    ----------
    table : Table
    columns : sequence of Column
        The inputs.
    targets : sequence of str
    y : ndarray of shape (n,) or (n, k)
        Numbers or labels of the targets.
    loss : str

    Examples
    --------
    >>> import io
    >>> from fastnet.data.tables import read_table
    >>> text = "id,x,y\\n" + "".join(f"{i},{i % 4},{i % 7}\\n" for i in range(40))
    >>> table = read_table(io.BytesIO(text.encode()), "t.csv")
    >>> columns = Column("id", "number"), Column("x", "number")
    >>> remarks_of(table, columns, ["y"], np.arange(40) % 7, "squared")
    [Remark(kind='counter', column='id', found='')]
    """
    with np.errstate(all="ignore"):  # infinities, which are refused later
        return list(all_remarks(table, columns, targets, Goal(y, loss), Rows(len(y))))


def all_remarks(
    table: Table, columns: Sequence[Column], targets: Sequence[str], goal: Goal, rows: Rows
) -> Iterator[Remark]:
    """See remarks_of()."""
    rows.add(goal.codes)
    yield from goal.remarks(targets)
    n = goal.codes.shape[1]
    numbers = [column.name for column in columns if column.kind in NUMERIC]
    width = max(1, BLOCK // max(n, 1))
    for first in range(0, len(numbers), width):
        names = numbers[first : first + width]
        values = np.stack([numbers_of(table.columns[name]) for name in names]).astype(float)
        rows.add(values)
        yield from of_numbers(Block(names, values, len(columns) > 1), goal)
    for column in columns:
        if column.kind == "date":
            rows.add(parts_of(table, column.name)["seconds"][None])
        elif column.kind not in NUMERIC:
            yield from of_category(column, table.series(column.name), goal, rows)
    repeated = rows.repeated()
    if repeated:
        yield Remark("repeated", "", f"{repeated:,} of {n:,}")
