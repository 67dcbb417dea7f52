"""A network in integers, for processors without floating point, and its size and accuracy.

Weights have 8 or 16 bits, a scale per unit and output; inputs and hidden units have 16 bits. The
same integers come out of `Fixed.outputs` and of the C code that quantized.py writes.

Inputs. x_j = middle_j + step_j q_j with |q_j| <= 32767 covers the training rows; others saturate.

Unit i. Its weights w_ij on q_j are round(w_ij / s_i), s_i = max_j |w_ij| / Q, where Q is 127 or
32767. So z_i = s_i a_i with the whole number a_i = sum_j W1_ij q_j + b1_i. A factor and a shift
make of a_i the place of z_i in a table of s(z), or h_i if s(z) is a line on each side of 0.

Output o. z2_o = S_o (sum_i W2_oi h_i + b2_o), where h_i has 15 binary places and W2_oi is
round(w_oi / S_o).
"""

from typing import NamedTuple

import numpy as np

from fastnet import reference
from fastnet.errors import UsageError
from fastnet.export import facts, proof

BITS = {"int8": 8, "int16": 16}
TOP = 32767  # the largest input, and the largest value of a hidden unit
# |z| up to which the table goes, with 8 and 16 bits: 1 - |s(z)| is then 3e-4 and 6e-6 or less.
SATURATES = {
    "sigmoid": {"int8": 8.0, "int16": 12.0},
    "tanh": {"int8": 4.5, "int16": 6.5},
}
SLOPES = {"relu": 0.0, "leaky_relu": 0.01, "identity": 1.0}  # for z < 0
NODES = {"int8": 257, "int16": 1025}  # of the table
FRACTION = 9  # bits between two nodes
MOST_TERMS = 256  # of a sum of products of 8 and 16 bits in 31 bits
MOST_BIAS = {"int8": 2.0**29, "int16": 2.0**45}  # it is added to such a sum
LEAK = 328  # 0.01 of 32768


class Fixed(NamedTuple):
    """A network in integers.

    Attributes
    ----------
    kind : {"int8", "int16"}
        Of the weights.
    activation : str
    middle, step : ndarray of shape (d,)
        x = middle + step q.
    W1, b1 : ndarray of shapes (N1, d) and (N1,)
    factor, shift : ndarray of shape (N1,)
        A sum of unit i times its factor, shifted right, is its place in the table or its value.
    table : ndarray
        s(z) at evenly spaced z, with 15 binary places; empty for activations of two lines.
    W2, b2 : ndarray of shapes (k, N1) and (k,)
    out_shift : int
        The outputs are shifted right by so many bits.
    offset, out_step : ndarray of shape (k,)
        z2, or the predicted number, is offset + out_step times the output.
    """

    kind: str
    activation: str
    middle: np.ndarray
    step: np.ndarray
    W1: np.ndarray
    b1: np.ndarray
    factor: np.ndarray
    shift: np.ndarray
    table: np.ndarray
    W2: np.ndarray
    b2: np.ndarray
    out_shift: int
    offset: np.ndarray
    out_step: np.ndarray

    def inputs(self, X):
        """q of inputs (n, d) in the units of the data: rounded, half away from 0, and saturated."""
        q = (np.asarray(X, np.float64) - self.middle) / self.step
        q = np.where(q < -TOP, -TOP, np.where(q > TOP, TOP, q))
        return np.trunc(q + np.where(q < 0, -0.5, 0.5)).astype(np.int64)

    def outputs(self, q):
        """The integers that come out, (n, k), of q (n, d)."""
        sums = q @ self.W1.T + self.b1
        hidden = shifted(sums * self.factor, self.shift)
        hidden = self.from_table(hidden) if self.table.size else self.from_lines(hidden)
        return shifted(hidden @ self.W2.T + self.b2, self.out_shift)

    def from_table(self, place):
        """s(z) at places in the table, by straight lines between its nodes."""
        last = (self.table.size - 1) << FRACTION
        place = np.clip(place + last // 2, 0, last - 1)
        node, rest = place >> FRACTION, place & ((1 << FRACTION) - 1)
        low, high = self.table[node], self.table[node + 1]
        return low + (((high - low) * rest) >> FRACTION)

    def from_lines(self, z):
        """s(z) of an activation of two lines, saturated."""
        slope = SLOPES[self.activation]
        if slope == 0:
            z = np.maximum(z, 0)
        elif slope < 1:
            z = np.where(z < 0, shifted(z * LEAK, 15), z)
        return np.clip(z, -TOP, TOP)

    def predicted(self, X):
        """z2 or the predicted numbers (n, k), from inputs in the units of the data."""
        return self.offset + self.out_step * self.outputs(self.inputs(X))

    def constant_bytes(self):
        """Bytes of the arrays that stay in flash."""
        weight = BITS[self.kind] // 8
        whole = 8 if self.kind == "int16" else 4
        return (
            weight * (self.W1.size + self.W2.size)
            + whole * (self.b1.size + self.b2.size)
            + 5 * self.factor.size  # a factor of 4 bytes and a shift of 1
            + 2 * self.table.size
            + 4 * (self.middle.size + self.step.size + 2 * self.offset.size)
        )

    def working_bytes(self):
        """Bytes of the arrays on the stack of a call: the sums of the outputs."""
        return 8 * self.b2.size


def shifted(values, bits):
    """Whole numbers divided by 2^bits, rounded, half away from 0."""
    half = (np.int64(1) << np.asarray(bits, np.int64)) >> 1
    size = (np.abs(values) + half) >> bits
    return np.where(np.asarray(values) < 0, -size, size)


# ---------------------------------------------------------------- from a model


def fixed_of(model, kind):
    """The Fixed of a model.

    Raises
    ------
    UsageError
        for activations and losses that have no integer form, and for too many terms in 8 bits.
    """
    refuse(model, kind)
    top = 2 ** (BITS[kind] - 1) - 1
    middle, step = grid_of(model)
    W1, b1, W2, b2 = (array.astype(np.float64) for array in model.weights)
    b1 = b1 + (W1 / model.x_scale) @ (middle - model.x_shift)
    W1 = W1 / model.x_scale * step
    s1 = scale_of(W1, top, b1 / MOST_BIAS[kind])
    W1_q, b1_q = np.rint(W1 / s1[:, None]), np.rint(b1 / s1)
    gain, h_scale, table = hidden_of(model.activation, kind, s1, W1_q, b1_q)
    factor, shift = as_factor(gain)
    W2 = W2 * h_scale / TOP
    if model.classes is None:
        W2, b2 = W2 * model.y_scale[:, None], b2 * model.y_scale + model.y_shift
        s2, offset = scale_of(W2, top, 0), b2
        b2_q = np.zeros(b2.size)
    else:  # one scale, so that outputs can be compared
        s2 = np.full(
            b2.size, scale_of(W2.reshape(1, -1), top, np.abs(b2).max() / MOST_BIAS[kind])[0]
        )
        offset, b2_q = np.zeros(b2.size), np.rint(b2 / s2)
    out_shift = 15 if kind == "int16" else 0
    arrays = (np.asarray(a, np.int64) for a in (W1_q, b1_q, factor, shift))
    W2_q = np.rint(W2 / s2[:, None]).astype(np.int64)
    last = table, W2_q, b2_q.astype(np.int64), out_shift, offset, s2 * 2.0**out_shift
    return Fixed(kind, model.activation, middle, step, *arrays, *last)


def refuse(model, kind):
    """Refuse what has no form in integers."""
    known = (*SATURATES, *SLOPES)
    if kind not in BITS:
        raise UsageError(f"quantize must be one of {', '.join(BITS)}, got {kind!r}.")
    if model.activation not in known:
        raise UsageError(
            f"--quantize: activation {model.activation} cannot be computed in integers; "
            f"{', '.join(known)} can."
        )
    if model.loss == "poisson" or model.labels:
        what = "loss poisson" if model.loss == "poisson" else "several labels"
        raise UsageError(f"--quantize: {what} needs exp after the network; export without it.")
    n1, d = model.weights.W1.shape
    if kind == "int8" and max(n1, d) > MOST_TERMS:
        raise UsageError(
            f"--quantize int8 takes at most {MOST_TERMS} inputs and hidden units, and the network "
            f"has {d} and {n1}; take int16."
        )


def grid_of(model):
    """Middle and step of each input: the ranges of the training rows, in 65,535 steps; a scale to
    each side of an input that has one value."""
    low, high = model.ranges.x_low, model.ranges.x_high
    if model.limits is not None:
        low, high = np.maximum(low, model.limits.x_least), np.minimum(high, model.limits.x_most)
    width = np.where(high > low, high - low, 2 * model.x_scale)
    grid = (low + high) / 2, width / 2 / TOP * (1 + 1e-6)
    return tuple(array.astype(np.float32).astype(np.float64) for array in grid)


def scale_of(W, top, least):
    """The scale of each row: its largest weight becomes `top`, unless its bias would not fit.

    Weights that are so small beside their bias lose digits that nobody would see.
    """
    largest = np.maximum(np.abs(W).max(axis=1) / top, np.abs(least))
    return np.where(largest > 0, largest, 1.0)


def hidden_of(activation, kind, s1, W1, b1):
    """The gain from a sum to the place in the table or to h, the scale of h, and the table."""
    if activation in SATURATES:
        end, nodes = SATURATES[activation][kind], NODES[kind]
        z = np.linspace(-end, end, nodes)
        table = reference.activations.ACTIVATIONS[activation].value(z)
        per_z = (nodes - 1) / (2 * end) * 2**FRACTION
        return s1 * per_z, np.ones(s1.size), np.rint(TOP * table).astype(np.int64)
    most = (np.abs(W1).sum(axis=1) * TOP + np.abs(b1)) * s1  # of |z|, for any input
    most = np.where(most > 0, most, 1.0)
    return s1 * TOP / most, most, np.empty(0, np.int64)


def as_factor(gain):
    """Whole numbers f < 2^15 and shifts so that gain = f / 2^shift."""
    fraction, exponent = np.frexp(gain)  # fraction from 1/2 to 1
    factor, shift = np.rint(fraction * 2**15), 15 - exponent
    over = factor == 2**15
    factor, shift = np.where(over, 2**14, factor), np.where(over, shift - 1, shift)
    low = shift < 0  # gains of 2^15 and more
    return np.where(low, factor * 2.0**-shift, factor), np.where(low, 0, np.minimum(shift, 46))


# ---------------------------------------------------------------- size and accuracy


def compare(model, rows=None):
    """Size and accuracy of the model in floating point and in integers, one dict each.

    Parameters
    ----------
    model : Model
    rows : (X, y), optional
        By default the rows that the model keeps, with its own predictions.
    """
    if rows is None:
        X = facts.examples(model)
        rows = X, model.predict(X) if len(X) else np.empty(0)
    X, y = rows
    size = facts.sizes(model)
    own = {name: size[name] for name in ("constant_bytes", "working_bytes", "multiply_adds")}
    found = [{"kind": size["dtype"], **own, **score(model, proof.predicted(model, X), y)}]
    for kind in BITS:
        try:
            network = fixed_of(model, kind)
        except UsageError:  # too large for 8 bits
            continue
        sizes = {
            "constant_bytes": network.constant_bytes(),
            "working_bytes": network.working_bytes(),
            "multiply_adds": size["multiply_adds"],
        }
        found.append({"kind": kind, **sizes, **score(model, network.predicted(X), y)})
    return found


def score(model, outputs, y):
    """The accuracy, or the RMSE over all targets, of outputs (n, k)."""
    if len(y) == 0:
        return {}
    if model.classes is not None:
        guess = model.classes[outputs.argmax(axis=1)]
        return {"accuracy": float((guess == np.asarray(y).reshape(-1)).mean())}
    off = outputs - np.asarray(y, np.float64).reshape(outputs.shape)
    return {"rmse": float(np.sqrt((off**2).mean()))}
