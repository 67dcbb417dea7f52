"""Losses of a vector of samples, and their slopes by the network's outputs.

Each function gets z2 in `output` from z0 on (k, L), targets in y from y0 on, the samples' weights
and the Loss, which holds its parameters. It returns the loss of each sample in float64,
without its weight, and leaves weight * dL/dz2 in `output`. A NaN stays NaN.
"""

from typing import NamedTuple

from fastnet.engine.activations import sigmoid
from fastnet.engine.elementary import exp, expm1, log, log1p, magnitude, sign
from fastnet.engine.layout import padded
from fastnet.native.choice import Choice, table
from fastnet.native.entry import inner
from fastnet.native.vector import LANES, fma, load, splat, store, to_float64, where_greater

LOG_2 = 0.6931471805599453


class Loss(NamedTuple):
    """A member's loss."""

    kind: Choice  # a row of LOSSES
    huber_delta: float
    quantile: float


@inner
def own_loss(problem, setting):
    """The problem's loss with the member's parameters."""
    return Loss(problem.loss, float(setting["huber_delta"]), float(setting["quantile"]))


@inner
def squared_error(output, z0, y, y0, weight, k, loss):
    """1/2 sum (z2 - y)**2."""
    squares = splat(output, 0.0)
    for j in range(k):
        error = load(output, z0 + j * LANES) - load(y, y0 + j * LANES)
        squares = fma(error, error, squares)
        store(output, z0 + j * LANES, error * weight)
    return to_float64(squares) * 0.5


@inner
def absolute_error(output, z0, y, y0, weight, k, loss):
    """sum |z2 - y|."""
    losses = to_float64(splat(output, 0.0))
    for j in range(k):
        error = load(output, z0 + j * LANES) - load(y, y0 + j * LANES)
        losses = losses + to_float64(magnitude(error))
        store(output, z0 + j * LANES, sign(error) * weight)
    return losses


@inner
def huber_error(output, z0, y, y0, weight, k, loss):
    """sum of e**2 / 2 up to huber_delta, beyond it huber_delta (|e| - huber_delta / 2)."""
    losses, delta = to_float64(splat(output, 0.0)), loss.huber_delta
    for j in range(k):
        error = load(output, z0 + j * LANES) - load(y, y0 + j * LANES)
        slope = where_greater(error, delta, delta, error)
        slope = where_greater(-delta, slope, -delta, slope)
        losses = losses + to_float64(magnitude(slope) * (magnitude(error) - 0.5 * magnitude(slope)))
        store(output, z0 + j * LANES, slope * weight)
    return losses


@inner
def log_cosh_error(output, z0, y, y0, weight, k, loss):
    """sum of log cosh e: |e| + log1p(e**-2|e|) - log 2, but log1p(cosh e - 1) if |e| < 1."""
    losses = to_float64(splat(output, 0.0))
    for j in range(k):
        error = load(output, z0 + j * LANES) - load(y, y0 + j * LANES)
        e = magnitude(to_float64(error))
        m = expm1(where_greater(e, 1.0, 1.0, e))
        small = m * m / (2.0 + 2.0 * m)  # cosh e - 1
        logs = log1p(where_greater(1.0, e, small, exp(e, -2.0)))
        losses = losses + logs + where_greater(1.0, e, 0.0, e - LOG_2)
        t = expm1(magnitude(error) * -2.0)
        t = t / (t + 2.0)  # -tanh |e|, accurate also where it is small
        store(output, z0 + j * LANES, where_greater(0.0, error, t, 0.0 - t) * weight)
    return losses


@inner
def poisson_error(output, z0, y, y0, weight, k, loss):
    """Half the deviance: sum of e**z2 - y - y (z2 - log y), 0 log 0 = 0; in float64."""
    losses = to_float64(splat(output, 0.0))
    for j in range(k):
        z, count = load(output, z0 + j * LANES), load(y, y0 + j * LANES)
        wide_z, wide_y = to_float64(z), to_float64(count)
        logs = log(where_greater(wide_y, 0.0, wide_y, 1.0))
        losses = losses + ((exp(wide_z, 1.0) - wide_y) - wide_y * (wide_z - logs))
        store(output, z0 + j * LANES, (exp(z, 1.0) - count) * weight)
    return losses


@inner
def quantile_error(output, z0, y, y0, weight, k, loss):
    """sum of quantile (y - z2) if z2 is too low, else (1 - quantile) (z2 - y)."""
    losses, q = to_float64(splat(output, 0.0)), loss.quantile
    for j in range(k):
        error = load(output, z0 + j * LANES) - load(y, y0 + j * LANES)
        slope = where_greater(error, 0.0, 1.0 - q, where_greater(0.0, error, -q, error * 0.0))
        losses = losses + to_float64(slope * error)
        store(output, z0 + j * LANES, slope * weight)
    return losses


@inner
def cross_entropy_error(output, z0, y, y0, weight, k, loss):
    """-log softmax(z2)_y, and dL/dz2 = softmax(z2) - y.

    The loss is (m - z_y) + log1p(sum of the exponentials except the largest), m the largest
    logit: no digits are lost when the network is sure. Of equal largest logits all but one are
    among the others. A NaN is neither greater nor less, so it stays NaN.
    """
    top = load(output, z0)
    for j in range(1, k):
        z = load(output, z0 + j * LANES)
        top = where_greater(z, top, z, top)
    others, label, ties = splat(output, 0.0), splat(output, 0.0), splat(output, -1.0)
    for j in range(k):
        z = load(output, z0 + j * LANES)
        label = fma(load(y, y0 + j * LANES), top - z, label)
        power = exp(z - top, 1.0)
        others = others + where_greater(top, z, power, power - 1.0)
        ties = ties + where_greater(top, z, 0.0, 1.0)
        store(output, z0 + j * LANES, power)
    others = others + ties
    inverse = 1.0 / (1.0 + others)
    for j in range(k):
        error = fma(load(output, z0 + j * LANES), inverse, 0.0 - load(y, y0 + j * LANES))
        store(output, z0 + j * LANES, error * weight)
    return to_float64(label) + log1p(to_float64(others))


@inner
def binary_cross_entropy_error(output, z0, y, y0, weight, k, loss):
    """sum of log(1 + e**z2) - y z2, y 0 or 1, as max(z2, 0) - y z2 + log1p(e**-|z2|)."""
    losses = to_float64(splat(output, 0.0))
    for j in range(k):
        z, label = load(output, z0 + j * LANES), load(y, y0 + j * LANES)
        far = fma(0.0 - label, z, where_greater(0.0, z, 0.0, z))
        losses = losses + (to_float64(far) + log1p(to_float64(exp(magnitude(z), -1.0))))
        store(output, z0 + j * LANES, (sigmoid(z) - label) * weight)
    return losses


# ---------------------------------------------------------------- right answers
# Numbers are neither right nor wrong: `right` is False in the rows of their losses.


@inner
def largest_is_right(output, z0, y, y0, k):
    """Whether the sample's largest logit, the first of equals, is its class; output[z0] is its
    first logit, LANES before the second."""
    top = 0
    for j in range(1, k):
        if output[z0 + j * LANES] > output[z0 + top * LANES]:
            top = j
    return y[y0 + top * LANES] == 1.0


@inner
def sign_is_right(output, z0, y, y0, k):
    """Whether each logit is above 0 where its target is 1, and no other."""
    for j in range(k):
        if (output[z0 + j * LANES] > 0.0) != (y[y0 + j * LANES] == 1.0):
            return False
    return True


@inner
def hits(loss, output, rows, first, panels, k):
    """Weight of the samples of a block whose class the network predicts correctly."""
    right, weights = 0.0, rows.fold * padded(rows.count) + first * LANES
    for p in range(panels):
        z0, y0 = p * k * LANES, (first + p) * k * LANES
        for lane in range(min(LANES, rows.count - (first + p) * LANES)):
            if loss.kind.right(output, z0 + lane, rows.y, y0 + lane, k):
                right += float(rows.weight[weights + p * LANES + lane])
    return right


LOSSES = table(
    "loss",
    squared={"error": squared_error, "right": False},
    cross_entropy={"error": cross_entropy_error, "right": largest_is_right},
    absolute={"error": absolute_error, "right": False},
    huber={"error": huber_error, "right": False},
    log_cosh={"error": log_cosh_error, "right": False},
    poisson={"error": poisson_error, "right": False},
    quantile={"error": quantile_error, "right": False},
    binary_cross_entropy={"error": binary_cross_entropy_error, "right": sign_is_right},
)
