"""Initial weights: how they are drawn and packed into the flat arrays.

Both backends start from these weights, so the reference needs no file of this name.
"""

from typing import NamedTuple

import numpy as np

from fastnet.engine.layout import Weights, views, zeros
from fastnet.errors import UsageError
from fastnet.native.vector import LANES
from fastnet.options.methods import ACTIVATIONS, code


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
    units share the range of the inputs; the output layer is drawn as Glorot's.

    initnw also doubles W1 and b1, for tanh's active region of [-2, 2]. We do not: on task 1
    no seed of N1 = 6, 7, 10 and 12 then reaches 1e-3 in 6,000 epochs, and without it 18 to 20
    of 20 do (docs/notes/defaults.md).
    """
    n1, d = z1.shape[-2:]
    length = 0.7 * n1 ** (1 / d)
    W1 = z1 * (length / np.linalg.norm(z1, axis=-1, keepdims=True))
    places = np.linspace(-length, length, n1) if n1 > 1 else np.zeros(1)
    return W1, places * np.sign(W1[..., 0]), glorot_uniform(z1, z2)[2]


# Of the units of "adapted": the share that is spread evenly over the input; the width in which a
# centre is drawn around its place, in distances between places; and how even a variation is that
# calls for nguyen_widrow. docs/notes/defaults.md has the figures.
SPREAD, JITTER, EVEN = 0.1, 0.1, 0.5


class Variation(NamedTuple):
    """How the targets vary along the one input.

    `share` (n,) rises from 0 to 1: the share of the units whose centres lie below `x` (n,).
    """

    share: np.ndarray
    x: np.ndarray


def variation(X, Y):
    """The Variation of samples X (n, 1) and Y (n, k); None if they vary evenly, or not at all.

    A step function of N1 pieces has the least squared error if its pieces lie as densely as
    |dy/dx|^(2/3) (docs/notes/defaults.md): between neighbours that is (dy^2 dx)^(1/3). It is
    even if its mean squared is not much less than the mean of its squares.
    """
    order = np.argsort(X[:, 0], kind="stable")
    x, y = X[order, 0].astype(np.float64), Y[order].astype(np.float64)
    dx, dy = np.diff(x), np.abs(np.diff(y, axis=0)).sum(axis=1)
    if not (np.ptp(x) > 0 and (dy * dx > 0).any()):
        return None
    dx, dy = dx / dx.sum(), dy / dy.sum()
    rises = np.cbrt(dy * dy * dx)
    rises /= rises.sum()
    there = dx > 0
    if (rises[there] ** 2 / dx[there]).sum() <= 1 / EVEN:
        return None
    share = np.append(0.0, np.cumsum(SPREAD * dx + (1 - SPREAD) * rises))
    return Variation(share / share[-1], x)


def adapted(z1, z2, found):
    """Nguyen-Widrow's weights, laid out along the Variation of the targets: the centres of the
    units are evenly spaced in its share rather than in the input, and a unit is the steeper the
    nearer the next centres are. A seed moves the centres by a little, and draws signs.

    Where the targets vary evenly, `found` is None, and these are Nguyen-Widrow's weights.
    """
    n1 = z1.shape[-2]
    if found is None:
        return nguyen_widrow(z1, z2)
    move = JITTER * (np.abs(z1[..., 0]) - 0.5)
    places = np.clip((np.arange(n1) + move) / (n1 - 1), 0, 1) if n1 > 1 else move + 0.5
    low, high = np.clip(places - 0.5 / n1, 0, 1), np.clip(places + 0.5 / n1, 0, 1)
    width = (np.interp(high, *found) - np.interp(low, *found)) / (high - low)
    W1 = np.where(z1[..., 0] < 0, -1.4, 1.4) * n1 / width
    return W1[..., None], -W1 * np.interp(places, *found), glorot_uniform(z1, z2)[2]


def at_rows(z1, z2, X):
    """Slopes of He's variance, 2 / d, uniform; each unit is zero at a training row of X (n, d), as
    ReLU's corner, so that the units share the data. With biases of 0 all corners lie at x = 0.
    """
    slopes, rows = z1[..., :-1], z1[..., -1]
    W1 = slopes * np.sqrt(6 / slopes.shape[-1])
    places = X[((rows + 1) / 2 * len(X)).astype(np.int64)]
    return W1, -(W1 * places).sum(axis=-1), glorot_uniform(slopes, z2)[2]


def inputs_of(X, Y):
    """The inputs X (n, d) of samples, in float64."""
    return X.astype(np.float64)


class Init(NamedTuple):
    """How weights are made: random numbers, then a function of them for W1 and one for W2."""

    draw: str  # uniform: in [-1, 1); normal: of variance 1
    make: object
    for_tanh: bool = False  # W1 and b1 are tanh's; other activations multiply them by their gain
    of_data: object = None  # what the function takes of the training rows X and Y, too
    draws_rows: bool = False  # a further random number per unit, for one of the rows
    key: str = ""  # the init whose random numbers it takes; its own if empty


INITS = {
    "glorot_uniform": Init("uniform", glorot_uniform),
    "he_normal": Init("normal", he_normal),
    "nguyen_widrow": Init("uniform", nguyen_widrow, for_tanh=True),
    "adapted": Init("uniform", adapted, for_tanh=True, of_data=variation, key="nguyen_widrow"),
    "at_rows": Init("uniform", at_rows, of_data=inputs_of, draws_rows=True),
}
CHUNK_VALUES = 1 << 22  # bytes of initial weights made at once: 32 MB


def draws(seeds, shape, init, activation):
    """Random numbers (len(seeds), N1 (d + k)), N1 more if each unit draws a row of the data.

    A row of them depends only on its seed, N1, d, k, init and activation: they are the key of
    NumPy's counter-based generator Philox.

    Setting the key of one generator takes 1.3 us, a new generator 9, one from a list 14.
    """
    n1, d, k = shape
    codes = (list(INITS).index(INITS[init].key or init) << 8) + code(ACTIVATIONS, activation)
    philox = np.random.Philox(key=[n1, (d << 40) + (k << 16) + codes])
    generator, state = np.random.Generator(philox), philox.state
    key, count = state["state"]["key"], n1 * (d + k + INITS[init].draws_rows)
    rows = np.empty((len(seeds), count))
    normal = INITS[init].draw == "normal"
    for row, seed in zip(rows, seeds):
        key[0] = (seed << 20) + n1
        philox.state = state
        generator.standard_normal(out=row) if normal else generator.random(out=row)
    return rows if normal else 2 * rows - 1


def draw_weights(seeds, shape, init, activation, found=None):
    """Initial weights of members that differ only in their seed: arrays (len(seeds), ...).

    `found` is what the init takes of their training rows, if it takes anything.
    """
    n1, d, k = shape
    z, per_unit = draws(seeds, shape, init, activation), d + INITS[init].draws_rows
    z1 = z[:, : n1 * per_unit].reshape(-1, n1, per_unit)
    z2 = z[:, n1 * per_unit :].reshape(-1, k, n1)
    W1, b1, W2 = INITS[init].make(z1, z2, *([found] if INITS[init].of_data else []))
    if INITS[init].for_tanh:
        W1, b1 = ACTIVATIONS[activation].gain * W1, ACTIVATIONS[activation].gain * b1
    return Weights(W1, b1, W2, np.zeros((len(seeds), k)))


def initial_weights(seed, n1, d, k, init, activation, found=None):
    """Initial Weights of a member, float64: a function of only these arguments."""
    drawn = draw_weights([seed], (n1, d, k), init, activation, found)
    return Weights(*(array[0] for array in drawn))


def groups(plan):
    """Members by N1, init, activation and, if the init takes the data, fold: (n1, init,
    activation, fold or None, their numbers)."""
    for n1, init, activation, members in groups_of_columns(plan.columns):
        if not INITS[init].of_data:
            yield n1, init, activation, None, members
            continue
        folds = plan.settings["fold"][members]
        for fold in np.unique(folds).tolist():
            yield n1, init, activation, fold, members[folds == fold]


def groups_of_columns(columns):
    """Members by N1, init and activation: (n1, init, activation, their numbers)."""
    keys = columns[["n1", "init", "activation"]]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    found = {}
    for first, last in zip(starts, [*starts[1:], len(keys)]):
        found.setdefault(keys[first].item(), []).append(np.arange(first, last))
    for (n1, init, activation), parts in found.items():
        yield n1, init, activation, np.concatenate(parts)


def initialise(plan, dtype, given=None, samples=None):
    """The packed parameters at epoch 0: drawn, or copied from `given` (one Weights per member).

    `samples(fold)` gives X (n, d) and Y (n, k) of the training rows of a fold.
    """
    flat = zeros(plan.length + LANES, dtype)  # a vector may begin at any parameter
    if given is not None:
        copy_weights(flat, plan, given)
        return flat
    found = {}
    for n1, init, activation, fold, members in groups(plan):
        of_data = INITS[init].of_data
        if (init, fold) not in found:
            found[init, fold] = of_data(*samples(fold)) if of_data else None
        count = n1 * (plan.d + 1 + plan.k) + plan.k
        step = max(1, CHUNK_VALUES // count)
        for some in np.split(members, range(step, len(members), step)):
            seeds, place = np.unique(plan.columns["seed"][some], return_inverse=True)
            shape = n1, plan.d, plan.k
            drawn = draw_weights(seeds.tolist(), shape, init, activation, found[init, fold])
            W1, b1, W2, b2 = drawn._replace(W2=drawn.W2.transpose(0, 2, 1))
            run = np.concatenate([a.reshape(len(seeds), -1) for a in (W1, b1, W2, b2)], axis=1)
            starts = plan.settings["offset"][some]
            flat[starts[:, None] + np.arange(count)] = run[place]
    return flat


def init_kinds(plan, given, samples):
    """What each member really began with, a name of INIT_KINDS per member.

    That is its init, but "nguyen_widrow" where "adapted" found targets that vary evenly, and
    "given" for weights that the caller gave. `samples` is as in initialise().
    """
    if given:
        return np.full(plan.settings.size, "given")
    kinds, even = plan.columns["init"].copy(), {}
    for _, init, _, fold, members in groups(plan):
        if init != "adapted":
            continue
        if fold not in even:
            even[fold] = variation(*samples(fold)) is None
        if even[fold]:
            kinds[members] = "nguyen_widrow"
    return kinds


def copy_weights(flat, plan, given):
    """Copy each member's weights into its run."""
    count = len(given) if hasattr(given, "__len__") else given
    if count != plan.settings.size or not hasattr(given, "__getitem__"):
        raise UsageError(
            f"initial_weights must have one (W1, b1, W2, b2) for each of the "
            f"{plan.settings.size} members, got {count}."
        )
    places = plan.settings["n1"].tolist(), plan.settings["offset"].tolist()
    for member, (n1, offset) in enumerate(zip(*places)):
        weights = checked_weights(given[member], n1, plan.d, plan.k, member, flat.dtype)
        for target, source in zip(views(flat, offset, n1, plan.d, plan.k), weights):
            target[...] = source


def checked_weights(given, n1, d, k, member, dtype):
    """The four arrays of one member's initial weights, refused if a shape or a number is wrong."""
    shapes = Weights((n1, d), (n1,), (k, n1), (k,))
    arrays = [np.asarray(array) for array in given]
    for name, array, shape in zip(Weights._fields, arrays, shapes):
        if array.shape != shape:
            raise UsageError(
                f"initial_weights[{member}]: {name} must have shape {shape}, got {array.shape}."
            )
        if np.can_cast(array.dtype, dtype):
            continue
        largest = np.abs(array.astype(np.float64)).max()
        if np.finfo(dtype).max < largest < np.inf:
            raise UsageError(
                f"initial_weights[{member}]: {name} has {largest:g}, beyond {dtype.name} (at most "
                f"{np.finfo(dtype).max:.2g}); use dtype float64 or smaller weights."
            )
    return arrays
