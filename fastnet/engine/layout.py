"""The flat, ragged layout: where each member's numbers lie, their first values, and views.

A member's parameters are one run of a flat array: W1 (N1, d), b1 (N1,), W2 transposed
(N1, k), b2 (k,), filled with zeros up to a multiple of LANES. No padding between widths, no
masks: member m's run starts at offsets[m].
"""

from typing import NamedTuple

import numpy as np

from fastnet.engine import lbfgs, network
from fastnet.engine import levenberg as second_order
from fastnet.engine.network import (
    LANES,
    WIDE,
    Parts,
    Rows,
    Scratch,
    Solver,
    padded,
    parameter_length,
)
from fastnet.errors import UsageError
from fastnet.options.methods import ACTIVATIONS

CACHE_LINE = 64  # bytes


class Weights(NamedTuple):
    """A member's weights in the shapes people use: W1 (N1, d), b1 (N1,), W2 (k, N1), b2 (k,)."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def offsets(n1, d, k, runs=1):
    """Start of each member's run, and the length of all: (M + 1,); or of as many runs a member."""
    lengths = parameter_length(np.asarray(n1, np.int64), d, k) * runs
    return np.concatenate([[0], np.cumsum(lengths)])


def views(flat, offset, n1, d, k):
    """A member's Weights as views into the flat array."""
    run = flat[offset : offset + n1 * (d + 1 + k) + k]
    W1, b1, W2, b2 = np.split(run, np.cumsum([n1 * d, n1, n1 * k]))
    return Weights(W1.reshape(n1, d), b1, W2.reshape(n1, k).T, b2)


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
    """That many zeros, the first at the start of a cache line: NumPy's lie 16 bytes behind one, and
    every other vector would be read and written in two halves."""
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


def side_by_side(values, dtype):
    """Rows (n, c) as (padded c / LANES, padded n, LANES), flat; one element unless c >= WIDE."""
    n, c = values.shape
    if c < WIDE:
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


def no_rows(d, k, dtype):
    """An empty set, where there is no validation set."""
    return rows(np.empty((0, d)), np.empty((0, k)), dtype)


def parts(length, dtype):
    """Room for the sums of a huge network's parts, each of so many numbers at most."""
    count = network.MOST_PARTS
    return Parts(np.zeros(1, np.int64), np.zeros(count), zeros(count * length, dtype))


def solver(matrix_n1, n1, d, k):
    """What second-order methods work with, up to width n1; up to matrix_n1 those with a matrix."""
    width, samples = second_order.table_width(matrix_n1, d, k), second_order.TABLE_PANELS * LANES
    rows, size = second_order.features(matrix_n1, d) + k, parameter_length(matrix_n1, d, k)
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
        pairs=np.zeros(lbfgs.PAIRS),
    )


def scratch(problem, n1, batch_size, dtype, shared=None, keeps_z=True, matrix_n1=0):
    """Working memory for one thread, for members up to width n1 and that mini-batch size.

    `shared` are the Parts of all threads; left out, there is no huge network.
    keeps_z: whether an activation among the members' needs it. Methods that hold a matrix have
    members up to width matrix_n1.
    """
    d, k = problem.d, problem.k
    # A narrow member has more panels in a block than a wide one: room for either.
    block = network.BLOCK_PANELS * LANES
    unit = max(n1 * network.block_stride(n1), network.BLOCK_VALUES + n1 * LANES)
    batch, slack = padded(batch_size), LANES * LANES  # where the last of LANES vectors may end
    return Scratch(
        hidden=zeros(unit * (1 + keeps_z), dtype),
        delta=zeros(unit, dtype),
        output=zeros(block * k + slack, dtype),
        error_rows=zeros(block * padded(k) if k >= WIDE else 1, dtype),
        sums=zeros(network.sums_length(n1, d, k) + slack, dtype),
        gradient=zeros(parameter_length(n1, d, k) + LANES, dtype),
        order=np.zeros(problem.train.count, np.int64),
        batch=Rows(
            x=zeros(batch * d + slack, dtype),
            x_rows=zeros(batch * padded(d) if d >= WIDE else 1, dtype),
            y=zeros(batch * k + slack, dtype),
            y_rows=zeros(batch * padded(k) if k >= WIDE else 1, dtype),
            weight=zeros(batch, dtype),
            totals=np.zeros(1),
            count=0,
            fold=0,
        ),
        parts=parts(0, dtype) if shared is None else shared,
        solver=solver(matrix_n1, n1, d, k),
    )


# ---------------------------------------------------------------- initial weights


def glorot_uniform(z1, z2):
    """Glorot & Bengio 2010, eq. 16: uniform in +-sqrt(6 / (fan_in + fan_out)), biases 0."""
    first, second = (np.sqrt(6 / (z.shape[-2] + z.shape[-1])) for z in (z1, z2))
    return z1 * first, np.zeros(z1.shape[:-1]), z2 * second


def he_normal(z1, z2):
    """He et al. 2015, eq. 10: normal with variance 2 / fan_in, biases 0."""
    first, second = (np.sqrt(2 / z.shape[-1]) for z in (z1, z2))
    return z1 * first, np.zeros(z1.shape[:-1]), z2 * second


def nguyen_widrow(z1, z2):
    """Nguyen & Widrow 1990, for tanh and inputs in [-1, 1]: rows of W1 of length
    0.7 N1^(1/d), biases spread evenly over +-that length (as MATLAB's initnw does), so that the
    units share out the range of the inputs; the output layer as Glorot's.

    initnw also doubles W1 and b1, for tanh's active region of [-2, 2]. We do not: on task 1
    no seed of N1 = 6, 7, 10 and 12 then reaches 1e-3 in 6,000 epochs, and without it 18 to 20
    of 20 do (docs/tasks.md).
    """
    n1, d = z1.shape[-2:]
    length = 0.7 * n1 ** (1 / d)
    W1 = z1 * (length / np.linalg.norm(z1, axis=-1, keepdims=True))
    places = np.linspace(-length, length, n1) if n1 > 1 else np.zeros(1)
    return W1, places * np.sign(W1[..., 0]), glorot_uniform(z1, z2)[2]


class Init(NamedTuple):
    """How weights are made: numbers drawn, then a function of those for W1 and for W2."""

    draw: str  # uniform: in [-1, 1); normal: of variance 1
    make: object


INITS = {
    "glorot_uniform": Init("uniform", glorot_uniform),
    "he_normal": Init("normal", he_normal),
    "nguyen_widrow": Init("uniform", nguyen_widrow),
}
CHUNK_VALUES = 1 << 22  # initial weights made at once: 32 MB


def draws(seeds, shape, init, activation):
    """Random numbers (len(seeds), N1 (d + k)): a row is a function of its seed, N1, d, k, init
    and activation, which are the key of NumPy's counter-based generator Philox.

    Setting the key of one generator takes 1.3 us, a new generator 9, one from a list 14.
    """
    n1, d, k = shape
    codes = (list(INITS).index(init) << 8) + ACTIVATIONS.index(activation)
    philox = np.random.Philox(key=[n1, (d << 40) + (k << 16) + codes])
    generator, state = np.random.Generator(philox), philox.state
    key, rows = state["state"]["key"], np.empty((len(seeds), n1 * (d + k)))
    normal = INITS[init].draw == "normal"
    for row, seed in zip(rows, seeds):
        key[0] = (seed << 20) + n1
        philox.state = state
        generator.standard_normal(out=row) if normal else generator.random(out=row)
    return rows if normal else 2 * rows - 1


def draw_weights(seeds, shape, init, activation):
    """Initial weights of members that differ in their seed alone: arrays (len(seeds), ...)."""
    n1, d, k = shape
    z = draws(seeds, shape, init, activation)
    z1, z2 = z[:, : n1 * d].reshape(-1, n1, d), z[:, n1 * d :].reshape(-1, k, n1)
    W1, b1, W2 = INITS[init].make(z1, z2)
    if init == "nguyen_widrow" and activation == "sigmoid":
        W1, b1 = 2 * W1, 2 * b1
    return Weights(W1, b1, W2, np.zeros((len(seeds), k)))


def initial_weights(seed, n1, d, k, init, activation):
    """Initial Weights of a member, float64: a function of these arguments alone."""
    return Weights(*(array[0] for array in draw_weights([seed], (n1, d, k), init, activation)))


def groups(columns):
    """Members by N1, init and activation: (n1, init, activation, their numbers)."""
    keys = columns[["n1", "init", "activation"]]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    found = {}
    for first, last in zip(starts, [*starts[1:], len(keys)]):
        found.setdefault(keys[first].item(), []).append(np.arange(first, last))
    for (n1, init, activation), parts in found.items():
        yield n1, init, activation, np.concatenate(parts)


def initialise(plan, dtype, given=None):
    """The packed parameters at epoch 0: drawn, or copied from `given` (one Weights a member)."""
    flat = zeros(plan.length + LANES, dtype)  # a vector may begin at any parameter
    if given is not None:
        copy_weights(flat, plan, given)
        return flat
    for n1, init, activation, members in groups(plan.columns):
        count = n1 * (plan.d + 1 + plan.k) + plan.k
        step = max(1, CHUNK_VALUES // count)
        for some in np.split(members, range(step, len(members), step)):
            seeds, place = np.unique(plan.columns["seed"][some], return_inverse=True)
            drawn = draw_weights(seeds.tolist(), (n1, plan.d, plan.k), init, activation)
            W1, b1, W2, b2 = drawn._replace(W2=drawn.W2.transpose(0, 2, 1))
            run = np.concatenate([a.reshape(len(seeds), -1) for a in (W1, b1, W2, b2)], axis=1)
            starts = plan.settings["offset"][some]
            flat[starts[:, None] + np.arange(count)] = run[place]
    return flat


def copy_weights(flat, plan, given):
    """Copy each member's weights into its run."""
    count = len(given) if hasattr(given, "__len__") else given
    if count != plan.settings.size or not hasattr(given, "__getitem__"):
        raise UsageError(
            f"initial_weights must have one (W1, b1, W2, b2) for each of the "
            f"{plan.settings.size} members, got {count}."
        )
    for member, setting in enumerate(plan.settings):
        n1 = int(setting["n1"])
        weights = checked_weights(given[member], n1, plan.d, plan.k, member)
        for target, source in zip(views(flat, setting["offset"], n1, plan.d, plan.k), weights):
            target[...] = source


def checked_weights(given, n1, d, k, member):
    """The arrays of one member's initial weights, refused when a shape is wrong."""
    shapes = Weights((n1, d), (n1,), (k, n1), (k,))
    if not hasattr(given, "__len__") or len(given) != 4:
        raise UsageError(f"initial_weights[{member}] must be (W1, b1, W2, b2), got {given!r}.")
    arrays = [np.asarray(array) for array in given]
    if not all(array.dtype.kind in "fiu" for array in arrays):
        raise UsageError(f"initial_weights[{member}] must hold numbers, got {given!r}.")
    for name, array, shape in zip(Weights._fields, arrays, shapes):
        if array.shape != shape:
            raise UsageError(
                f"initial_weights[{member}]: {name} must have shape {shape}, got {array.shape}."
            )
    return arrays
