"""The flat, ragged layout: where each member's numbers lie, their first values, and views.

A member's parameters are one run of a flat array: W1 (N1, d), b1 (N1,), W2 transposed
(N1, k), b2 (k,), filled with zeros up to a multiple of LANES. No padding between widths, no
masks: member m's run starts at offsets[m].
"""

from typing import NamedTuple

import numpy as np

from fastnet import kernels
from fastnet.errors import UsageError
from fastnet.kernels import LANES, WIDE, Rows, Scratch, columns, padded, parameter_length
from fastnet.options import ACTIVATIONS


class Weights(NamedTuple):
    """A member's weights in the shapes people use: W1 (N1, d), b1 (N1,), W2 (k, N1), b2 (k,)."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


def offsets(n1, d, k):
    """Start of each member's run, and the length of all: (M + 1,)."""
    return np.concatenate([[0], np.cumsum(parameter_length(np.asarray(n1, np.int64), d, k))])


def views(flat, offset, n1, d, k):
    """A member's Weights as views into the flat array."""
    run = flat[offset : offset + n1 * (d + 1 + k) + k]
    W1, b1, W2, b2 = np.split(run, np.cumsum([n1 * d, n1, n1 * k]))
    return Weights(W1.reshape(n1, d), b1, W2.reshape(n1, k).T, b2)


def panels(values, dtype):
    """Rows (n, c) as panels (panels, c, LANES), flat; filled with zeros."""
    n, c = values.shape
    filled = np.zeros((padded(n), c), dtype)
    filled[:n] = values
    return np.ascontiguousarray(filled.reshape(-1, LANES, c).transpose(0, 2, 1)).reshape(-1)


def rows(X, Y, dtype):
    """Samples as kernels read them: X (n, d), Y (n, k) numbers or one-hot classes."""
    n, d = X.shape
    wide = np.zeros((padded(n), padded(d)) if d >= WIDE else (1, 1), dtype)
    if d >= WIDE:
        wide[:n, :d] = X
    weight = panels(np.ones((n, 1)), dtype)
    return Rows(panels(X, dtype), wide.reshape(-1), panels(Y, dtype), weight, n)


def no_rows(d, k, dtype):
    """An empty set, where there is no validation set."""
    return rows(np.empty((0, d)), np.empty((0, k)), dtype)


def scratch(problem, n1, batch_size, dtype):
    """Working memory for one thread, for members up to width n1 and that mini-batch size."""
    d, k = problem.d, problem.k
    # A narrow member has more panels in a block than a wide one: room for either.
    block = kernels.BLOCK_PANELS * LANES
    unit = max(n1 * kernels.block_stride(n1), kernels.BLOCK_VALUES + n1 * LANES)
    batch = padded(batch_size)
    return Scratch(
        hidden=np.zeros(unit, dtype),
        delta=np.zeros(unit, dtype),
        output=np.zeros(block * k, dtype),
        error_rows=np.zeros(block * padded(k) if k >= WIDE else 1, dtype),
        sums=np.zeros(n1 * (columns(d) + 1 + columns(k)) + k + LANES, dtype),
        gradient=np.zeros(parameter_length(n1, d, k), dtype),
        order=np.zeros(problem.train.count, np.int64),
        batch=Rows(
            x=np.zeros(batch * d, dtype),
            x_rows=np.zeros(batch * padded(d) if d >= WIDE else 1, dtype),
            y=np.zeros(batch * k, dtype),
            weight=np.zeros(batch, dtype),
            count=0,
        ),
    )


# ---------------------------------------------------------------- initial weights


def glorot_uniform(rng, n1, d, k):
    """Glorot & Bengio 2010, eq. 16: uniform in +-sqrt(6 / (fan_in + fan_out)), biases 0."""
    first, second = np.sqrt(6 / (d + n1)), np.sqrt(6 / (n1 + k))
    W1 = rng.uniform(-first, first, (n1, d))
    return Weights(W1, np.zeros(n1), rng.uniform(-second, second, (k, n1)), np.zeros(k))


def he_normal(rng, n1, d, k):
    """He et al. 2015, eq. 10: normal with variance 2 / fan_in, biases 0."""
    W1 = rng.normal(0, np.sqrt(2 / d), (n1, d))
    return Weights(W1, np.zeros(n1), rng.normal(0, np.sqrt(2 / n1), (k, n1)), np.zeros(k))


def nguyen_widrow(rng, n1, d, k):
    """Nguyen & Widrow 1990, for tanh and inputs in [-1, 1]: rows of W1 of length
    0.7 N1^(1/d), biases spread evenly over +-that length (as MATLAB's initnw does), so that the
    units share out the range of the inputs; the output layer as Glorot's.

    initnw also doubles W1 and b1, for tanh's active region of [-2, 2]. We do not: on task 1
    with 20 seeds, N1 = 6, 7, 10 and 12 then never reach 1e-3 in 6,000 epochs, and without it
    16 to 20 of 20 do.
    """
    length = 0.7 * n1 ** (1 / d)
    W1 = rng.uniform(-1, 1, (n1, d))
    W1 *= length / np.linalg.norm(W1, axis=1, keepdims=True)
    b1 = np.zeros(1) if n1 == 1 else length * np.linspace(-1, 1, n1) * np.sign(W1[:, 0])
    second = np.sqrt(6 / (n1 + k))
    return Weights(W1, b1, rng.uniform(-second, second, (k, n1)), np.zeros(k))


INITS = {
    "glorot_uniform": glorot_uniform,
    "he_normal": he_normal,
    "nguyen_widrow": nguyen_widrow,
}


def initial_weights(seed, n1, d, k, init, activation):
    """Initial Weights of a member, float64: a function of these arguments alone."""
    codes = [list(INITS).index(init), ACTIVATIONS.index(activation)]
    rng = np.random.default_rng([seed, n1, d, k, *codes])
    weights = INITS[init](rng, n1, d, k)
    if init == "nguyen_widrow" and activation == "sigmoid":
        return weights._replace(W1=2 * weights.W1, b1=2 * weights.b1)
    return weights


def initialise(plan, dtype, given=None):
    """The packed parameters at epoch 0: drawn, or copied from `given` (one Weights a member)."""
    flat = np.zeros(plan.length, dtype)
    if given is not None and len(given) != plan.settings.size:
        raise UsageError(
            f"initial_weights must have one (W1, b1, W2, b2) for each of the "
            f"{plan.settings.size} members, got {len(given)}."
        )
    for member, row in enumerate(plan.columns):
        n1 = int(row["n1"])
        if given is None:
            weights = initial_weights(
                int(row["seed"]), n1, plan.d, plan.k, str(row["init"]), str(row["activation"])
            )
        else:
            weights = checked_weights(given[member], n1, plan.d, plan.k, member)
        run = views(flat, plan.settings["offset"][member], n1, plan.d, plan.k)
        for target, source in zip(run, weights):
            target[...] = source
    return flat


def checked_weights(given, n1, d, k, member):
    """The arrays of one member's initial weights, refused when a shape is wrong."""
    shapes = Weights((n1, d), (n1,), (k, n1), (k,))
    if len(given) != 4:
        raise UsageError(f"initial_weights[{member}] must be (W1, b1, W2, b2).")
    arrays = [np.asarray(array) for array in given]
    for name, array, shape in zip(Weights._fields, arrays, shapes):
        if array.shape != shape:
            raise UsageError(
                f"initial_weights[{member}]: {name} must have shape {shape}, got {array.shape}."
            )
    return arrays
