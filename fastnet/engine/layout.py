"""Where the numbers lie: the letters, the flat and ragged arrays, samples in panels.

The reference has no such file: its arrays have the shapes that people use.

Letters: M members, n samples, d inputs, N1 hidden units, k outputs, L = LANES = 16; for methods
with a matrix P parameters and Q features of a sample.

Kernels take an array and the place where their part begins: `x, x0` are a flat array and the index
of the first element, `u` is the number of a hidden unit, `p` of a panel within a block. If a shape
is given, as in hidden (N1, stride), the last index is the fastest and elements are contiguous.

Samples lie side by side in the lanes of a vector. A *panel* is L samples: inputs (d, L),
targets (k, L), weights (L,), each one contiguous run; a last panel that is not full is
filled with rows of weight 0. A *block* has as many panels as let the hidden layer stay in
the cache: the loss and the gradient of a set of samples are sums over its blocks, in order.
The member's shape alone decides the number of panels in a block, and so the order of every
sum and every byte of a result.

A member's parameters are one run of a flat array: W1 (N1, d), b1 (N1,), W2 transposed
(N1, k), b2 (k,), then zeros up to a multiple of L. Gradients, best weights and the optimisers'
memory have the same layout. No padding between widths, no masks: member m's run starts at
offsets[m].

Mini-batches of some shapes (in_units()) have the hidden units in the lanes: units.py explains it.
"""

from typing import NamedTuple

import numpy as np

from fastnet.native.choice import Choice
from fastnet.native.entry import inner
from fastnet.native.vector import LANES

WIDE = 8  # at least this many inputs (outputs) lie in the lanes of their gradient
BLOCK_VALUES = 32768  # hidden values of a block at most: 128 KiB of float32, and as many of dL/dz1
BLOCK_PANELS = 16  # panels of a block at most: 16 KiB of a vector of inputs, in the L1 cache
# The full batch of a huge network is summed in parts, which threads divide. Up to FEW_PARTS are
# alike and have at least this many multiply-adds of W1 and W2 each, about 2 ms. A larger batch has
# parts of half as many on average; they shrink to the end, so that any number of threads ends at
# about the same time. Up to 64 threads have work, and the numbers of all parts fit PART_NUMBERS.
PART_WORK = 1 << 24
FEW_PARTS = 8
MOST_PARTS = 128
PART_NUMBERS = 1 << 26
GROUP = 8  # parts are added up in groups, by the thread that finishes a group's last part
CACHE_LINE = 64  # bytes
TABLE_PANELS = 4  # panels in the table of levenberg.py: 2 and 8 are 5 to 30 % slower
PAIRS = 10  # number of steps that lbfgs remembers


# ---------------------------------------------------------------- the arguments of kernels


class Rows(NamedTuple):
    """A set of samples; made by rows(), or gathered as a mini-batch."""

    x: np.ndarray  # panels of inputs, (panels, d, L) flat
    x_rows: np.ndarray  # the same inputs, L of a sample side by side: (padded d / L, padded n, L)
    #                     flat; unused unless d >= WIDE; the records of units.py in its problem
    y: np.ndarray  # panels of targets (one-hot for classes), (panels, k, L) flat
    y_rows: np.ndarray  # the same targets laid out as x_rows; unused unless k >= WIDE
    weight: np.ndarray  # (folds, panels, L) flat: a sample's weight; 0 if it is not in the fold
    totals: np.ndarray  # (folds,) float64: the sum of each fold's weights
    count: int  # samples
    fold: int  # the row of weights in use; as packed, the last row


class Parts(NamedTuple):
    """Sums over the parts of one huge network's full batch; all threads share them."""

    ready: np.ndarray  # (1,) 1 once the sums belong to the network that comes next
    taken: np.ndarray  # (1,) the parts, then blocks of the validation set, that threads have taken
    finished: np.ndarray  # (groups,) the parts of each group that are finished
    losses: np.ndarray  # (parts,)
    sums: np.ndarray  # (parts, length of Scratch.sums) flat
    val_losses: np.ndarray  # (blocks of the validation set,)


class Solver(NamedTuple):
    """Working memory of second-order methods, float64; made by solver(). P is padded."""

    hidden: np.ndarray  # (N1, L) activations of a panel
    table: np.ndarray  # (samples, width) features and residuals of a few panels: levenberg.py
    products: np.ndarray  # (Q + k, width) the table's products, upper triangle
    matrix: np.ndarray  # (P, P) of the equations, upper triangle
    factor: np.ndarray  # (P, P) of a Cholesky factorisation
    gradient: np.ndarray  # (P,) of the penalised loss
    decay: np.ndarray  # (P,) the loss is penalised with 1/2 sum decay w^2
    step: np.ndarray  # (P,)
    start: np.ndarray  # (P,) the weights before the step
    pairs: np.ndarray  # (PAIRS,) a number for each pair that lbfgs remembers


class Scratch(NamedTuple):
    """One thread's working memory; made by scratch()."""

    hidden: np.ndarray  # (N1, stride) activations of a block; if it needs z, z1 follows them
    delta: np.ndarray  # (N1, stride) dL/dz1 of a block
    output: np.ndarray  # (panels, k, L) z2, then dL/dz2 of a block
    error_rows: np.ndarray  # dL/dz2 of a block, laid out as x_rows
    sums: np.ndarray  # gradient sums of W1, b1 (N1, L), W2, b2 (k, L): see columns()
    gradient: np.ndarray  # the mean gradient, laid out as the parameters
    order: np.ndarray  # (2 n,) shuffled sample numbers, then room for shuffle()
    batch: Rows  # room for a mini-batch
    parts: Parts
    solver: Solver  # of second-order methods
    units: np.ndarray  # a member's weights as units.py arranges them
    best_units: np.ndarray  # and its best weights


class Net(NamedTuple):
    """One member's network: w[o:] holds its parameters."""

    w: np.ndarray
    o: int
    n1: int
    d: int
    k: int
    activation: Choice  # a row of ACTIVATIONS
    inputs: Choice  # a row of INPUTS
    outputs: Choice  # a row of OUTPUTS
    hidden: int  # hidden units, which n1 exceeds where units.py fills up vectors


class Problem(NamedTuple):
    """What all members of a run share."""

    d: int
    k: int
    loss: Choice  # a row of LOSSES; a member's own is a Loss
    train: Rows
    val: Rows  # count 0 when there is none
    inputs: Choice  # a row of INPUTS, by d
    outputs: Choice  # a row of OUTPUTS, by k


# ---------------------------------------------------------------- sizes determined by the shape


@inner
def padded(count):
    """`count` rounded up to whole vectors."""
    return (count + LANES - 1) // LANES * LANES


@inner
def columns(count):
    """Length of a unit's gradient sums over `count` inputs or outputs: many are lanes of a
    padded row; few have one vector each, with sums over the samples in its lanes."""
    return padded(count) if count >= WIDE else count * LANES


@inner
def block_panels(n1):
    """Number of panels in a block; depends only on N1."""
    return max(1, min(BLOCK_PANELS, BLOCK_VALUES // (n1 * LANES)))


@inner
def blocks_of(count, n1):
    """Number of blocks of `count` samples."""
    step = block_panels(n1) * LANES
    return (count + step - 1) // step


@inner
def block_stride(n1):
    """Distance between two units' rows in a block; an odd number of cache lines."""
    return (block_panels(n1) | 1) * LANES


@inner
def parts_of(count, n1, d, k):
    """Number of parts of the sum over a full batch of `count` samples, by the shape alone."""
    blocks, work = blocks_of(count, n1), count * n1 * (d + k) // PART_WORK
    many = min(MOST_PARTS, 2 * work, blocks, PART_NUMBERS // sums_length(n1, d, k))
    if work <= FEW_PARTS or many < 2 * FEW_PARTS:
        return max(1, min(FEW_PARTS, work, blocks))
    return many


@inner
def first_block(part, parts, blocks):
    """The block that a part begins with; of many parts, the last has a block or two."""
    if parts <= FEW_PARTS:
        return blocks * part // parts
    left, spare = parts - part, blocks - parts
    return part + spare - spare * left * left // (parts * parts)


def in_units(n1, batch_size, d, k):
    """Whether a member's mini-batches have the units in the lanes (units.py), by the shape alone.

    It pays with few outputs, and where units fill most of their lanes: of few inputs and outputs 55
    % are enough, 80 % up to 32 inputs, 90 % beyond. With one input it never does (measured for N1
    of 1 to 320: docs/notes/kernels.md).
    """
    share = 0.55 if d + k <= 12 else 0.8 if d <= 32 else 0.9
    return (batch_size > 0) & (d > 1) & (k < WIDE) & (n1 >= share * padded(n1))


@inner
def second_layer(n1, d):
    """Where dW2 begins among the gradient sums."""
    return n1 * (columns(d) + LANES)


@inner
def sums_length(n1, d, k):
    """Length of a member's gradient sums: dW1 and db1, then dW2 and db2."""
    return second_layer(n1, d) + n1 * columns(k) + k * LANES


@inner
def parameter_length(n1, d, k):
    """Length of a member's run of parameters, filling included."""
    return padded(n1 * (d + 1 + k) + k)


@inner
def features(n1, d):
    """Q, the number of a sample's features."""
    return n1 * (d + 2) + 1


@inner
def table_width(n1, d, k):
    """Length of a sample's row of the table."""
    return padded(features(n1, d) + k)


# ---------------------------------------------------------------- arrays in this layout


class Weights(NamedTuple):
    """A member's weights in the shapes people use: W1 (N1, d), b1 (N1,), W2 (k, N1), b2 (k,)."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def offsets(n1, d, k, runs=1):
    """Start of each member's run, then the total length: (M + 1,); `runs` gives runs per member."""
    lengths = parameter_length(np.asarray(n1, np.int64), d, k) * runs
    return np.concatenate([[0], np.cumsum(lengths)])


def views(flat, offset, n1, d, k):
    """A member's Weights as views into the flat array."""
    run = flat[offset : offset + n1 * (d + 1 + k) + k]
    b1, w2, b2 = n1 * d, n1 * (d + 1), n1 * (d + 1 + k)
    W1, W2 = run[:b1].reshape(n1, d), run[w2:b2].reshape(n1, k).T
    return Weights(W1, run[b1:w2], W2, run[b2:])


def unpack(flat, settings, d, k):
    """The runs of the given members in the layout of weights.npz: W1 (T, d), b1 (T,), W2 (T, k)
    (a member's W2 is its rows transposed), b2 (M, k), offsets (M + 1,); T the sum of N1."""
    n1, starts = settings["n1"], settings["offset"]
    offsets = np.concatenate([[0], np.cumsum(n1)])
    unit = np.arange(offsets[-1]) - np.repeat(offsets[:-1], n1)
    start, width = np.repeat(starts, n1), np.repeat(n1, n1)
    return {
        "W1": flat[(start + unit * d)[:, None] + np.arange(d)],
        "b1": flat[start + width * d + unit],
        "W2": flat[(start + width * (d + 1) + unit * k)[:, None] + np.arange(k)],
        "b2": flat[(starts + n1 * (d + 1 + k))[:, None] + np.arange(k)],
        "offsets": offsets,
    }


def zeros(count, dtype):
    """`count` zeros, the first at the start of a cache line: NumPy's arrays begin 16 bytes
    after one, and every other vector would be read and written in two halves."""
    size = count * np.dtype(dtype).itemsize
    memory = np.zeros(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype)


def panels(values, dtype):
    """Rows (n, c) as panels (panels, c, LANES), flat; filled with zeros. The only copy made."""
    n, c = values.shape
    full, rest = divmod(n, LANES)
    filled = zeros(padded(n) * c, dtype).reshape(-1, c, LANES)
    filled[:full] = values[: n - rest].reshape(full, LANES, c).transpose(0, 2, 1)
    if rest:
        filled[full, :, :rest] = values[n - rest :].T
    return filled.reshape(-1)


def side_by_side(values, dtype, least=WIDE):
    """Rows (n, c) as (padded c / LANES, padded n, LANES), flat; one element unless c >= least."""
    n, c = values.shape
    if c < least:
        return np.zeros(1, dtype)
    flat, groups = zeros(padded(n) * padded(c), dtype), padded(c) // LANES
    filled = flat.reshape(groups, padded(n), LANES)
    for g in range(groups):
        some = values[:, g * LANES : (g + 1) * LANES]
        filled[g, :n, : some.shape[1]] = some
    return flat


def rows(X, Y, dtype, weights=None):
    """Samples as kernels read them: X (n, d), Y (n, k) numbers or one-hot classes, weights
    (folds, n), by default all 1."""
    n = len(X)
    weights = np.ones((1, n)) if weights is None else weights
    filled = zeros(len(weights) * padded(n), dtype).reshape(len(weights), -1)
    filled[:, :n] = weights
    totals = filled.sum(axis=1, dtype=np.float64)
    samples = panels(X, dtype), side_by_side(X, dtype), panels(Y, dtype), side_by_side(Y, dtype)
    return Rows(*samples, filled.reshape(-1), totals, n, len(weights) - 1)


def parts(numbers, blocks, dtype):
    """Room for the parts of huge networks: `numbers` for the sums of all parts, and as many blocks
    of a validation set."""
    groups = -(-MOST_PARTS // GROUP)
    counts = [np.zeros(count, np.int64) for count in (1, 1, groups)]
    return Parts(*counts, np.zeros(MOST_PARTS), zeros(numbers, dtype), np.zeros(blocks))


def solver(matrix_n1, n1, d, k):
    """Working memory of second-order methods for members up to width n1, and up to width
    matrix_n1 for those that need a matrix."""
    width, samples = table_width(matrix_n1, d, k), TABLE_PANELS * LANES
    rows, size = features(matrix_n1, d) + k, parameter_length(matrix_n1, d, k)
    length = parameter_length(max(n1, matrix_n1), d, k)
    return Solver(
        hidden=zeros(max(matrix_n1, 1) * LANES, np.float64),
        table=zeros(samples * width, np.float64),
        products=zeros((rows + 1) * width, np.float64),  # rows are made in pairs
        matrix=zeros(size * size, np.float64),
        factor=zeros((size + 1) * size, np.float64),
        gradient=zeros(length, np.float64),
        decay=zeros(length, np.float64),
        step=zeros(length, np.float64),
        start=zeros(length, np.float64),
        pairs=np.zeros(PAIRS),
    )


def scratch(problem, n1, batch_size, dtype, shared=None, keeps_z=True, matrix_n1=0):
    """Working memory for one thread, for members up to width n1 and that mini-batch size.

    `shared` are the Parts of all threads; without them there is no huge network. `keeps_z` says
    whether the activation of any member needs z. Methods that hold a matrix have members up to
    width matrix_n1.
    """
    d, k = problem.d, problem.k
    # A narrow member has more panels in a block than a wide one: there is room for both.
    block = BLOCK_PANELS * LANES
    unit = max(n1 * block_stride(n1), BLOCK_VALUES + n1 * LANES)
    batch, slack = padded(batch_size), LANES * LANES  # where the last of LANES vectors may end
    return Scratch(
        hidden=zeros(unit * (1 + keeps_z), dtype),
        delta=zeros(unit, dtype),
        output=zeros(block * k + slack, dtype),
        error_rows=zeros(block * padded(k) if k >= WIDE else 1, dtype),
        sums=zeros(sums_length(padded(n1), d, k) + slack, dtype),
        gradient=zeros(parameter_length(padded(n1), d, k) + LANES, dtype),
        order=np.zeros(2 * problem.train.count, np.int64),
        batch=Rows(
            x=zeros(max(batch, block * (batch > 0)) * (d + 1 + k) + slack, dtype),
            x_rows=zeros(max(batch * padded(d) if d >= WIDE else 1, slack), dtype),
            y=zeros(batch * k + slack, dtype),
            y_rows=zeros(batch * padded(k) if k >= WIDE else 1, dtype),
            weight=zeros(batch, dtype),
            totals=np.zeros(1),
            count=0,
            fold=0,
        ),
        parts=parts(0, 0, dtype) if shared is None else shared,
        solver=solver(matrix_n1, n1, d, k),
        units=zeros(parameter_length(padded(n1), d, k) + LANES, dtype),
        best_units=zeros(parameter_length(padded(n1), d, k) + LANES, dtype),
    )
