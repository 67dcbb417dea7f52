"""The compiled training loop: every @njit of fastnet, and the constants it reads.

Letters: M members, n samples, d inputs, N1 hidden units, k outputs, L = LANES = 16.

Samples lie side by side in the lanes of a vector. A *panel* is L samples: inputs (d, L),
targets (k, L), weights (L,), each one contiguous run; a last panel that is not full is
filled with rows of weight 0. A *block* is as many panels as let the hidden layer stay in
the cache: the loss and the gradient of a set of samples are sums over its blocks, in order.
How many panels a block has follows from the member's shape alone, so does the order of
every sum and with it every byte of a result.

A member's parameters are one run of the flat array `parameters`: W1 (N1, d), b1 (N1,),
W2 transposed (N1, k), b2 (k,), then zeros up to a multiple of L. Gradient, best weights and
optimiser state have the same layout.

Every function here has its plain twin of the same name in reference.py.
"""

import math
from typing import NamedTuple

import numpy as np

from fastnet.cache import entry, inner, merged, shared
from fastnet.vector import (
    LANES,
    ROUND_DOUBLE,
    ROUND_SINGLE,
    add_exponent,
    exponent,
    fma,
    keep_apart,
    load,
    single,
    spread,
    store,
    tile,
    to_float64,
    total,
    where_greater,
)

WIDE = 8  # from so many inputs or outputs on, they lie in the lanes of their gradient
BLOCK_VALUES = 131072  # hidden values of a block at most: 512 KiB of float32, in the L2 cache
BLOCK_PANELS = 32  # panels of a block at most

# Codes of what a member can choose; the names stand in options.py in this order.
SIGMOID, TANH, RELU, IDENTITY = range(4)
SQUARED, CROSS_ENTROPY = range(2)
SGD = 0
RUNNING, TARGET, PATIENCE, MAX_EPOCHS, DIVERGED = range(5)
# Columns of what a round records.
TRAIN_LOSS, VAL_LOSS, LEARNING_RATE, GRADIENT_NORM, CLIPPED = range(5)
COLUMNS = 5

# Every epoch up to DENSE_EPOCHS is kept in a history, beyond it DENSE_EPOCHS / 2 of each doubling.
DENSE_EPOCHS = 1024

SETTINGS = np.dtype(
    [(name, np.int64) for name in ("n1", "seed", "activation", "optimizer", "batch_size")]
    + [(name, np.int64) for name in ("lr_patience", "patience", "max_epochs", "offset")]
    + [(name, np.float64) for name in ("learning_rate", "clip_norm", "lr_factor", "min_delta")]
    + [(name, np.float64) for name in ("min_learning_rate", "target_loss", "l2")]
)
STATE = np.dtype(
    [
        (name, np.int64)
        for name in ("epoch", "stop", "best_epoch", "last_epoch", "waited", "stalled")
    ]
    + [(name, np.float64) for name in ("learning_rate", "best_loss", "reference")]
    + [(name, np.float64) for name in ("gradient_norm", "clipped", "mean_loss")]
    + [(name, np.float64, (COLUMNS,)) for name in ("best_entry", "last_entry")]
)


class Rows(NamedTuple):
    """A set of samples; made by packing.rows(), or gathered as a mini-batch."""

    x: np.ndarray  # panels of inputs, (panels, d, L) flat
    x_rows: np.ndarray  # the same inputs row by row, (n, padded d) flat; unused unless d >= WIDE
    y: np.ndarray  # panels of targets (one-hot for classes), (panels, k, L) flat
    weight: np.ndarray  # (panels, L) flat: 1 for a sample, 0 for filling
    count: int  # samples


class Problem(NamedTuple):
    """What all members of a run share."""

    d: int
    k: int
    loss: int
    train: Rows
    val: Rows  # count 0 when there is none


class Pack(NamedTuple):
    """The members: a record of settings and of state each, and their packed numbers."""

    settings: np.ndarray  # (M,) SETTINGS
    states: np.ndarray  # (M,) STATE
    parameters: np.ndarray  # flat
    best: np.ndarray  # flat, the weights of the best entry so far


class Scratch(NamedTuple):
    """One thread's working memory; made by packing.scratch()."""

    hidden: np.ndarray  # (N1, stride) activations of a block
    delta: np.ndarray  # (N1, stride) dL/dz1 of a block
    output: np.ndarray  # (panels, k, L) z2, then dL/dz2 of a block
    error_rows: np.ndarray  # (samples, padded k) dL/dz2 row by row
    sums: np.ndarray  # gradient sums: W1 (N1, padded d), b1 (N1,), W2 (N1, padded k), b2 (k,)
    gradient: np.ndarray  # the mean gradient, laid out as the parameters
    order: np.ndarray  # (n,) shuffled sample numbers
    batch: Rows  # room for a mini-batch


class Net(NamedTuple):
    """One member's network: w[o:] holds its parameters."""

    w: np.ndarray
    o: int
    n1: int
    d: int
    k: int
    activation: int


# ---------------------------------------------------------------- elementary functions


@inner
def exp(z, factor):
    """e**(factor z) per lane to 2.1 ulp (float64: 1), factor a power of two or its negative;
    beyond +-87 (708) its value there; NaN gives NaN.

    factor z = n ln 2 + factor r with |factor r| <= ln 2 / 2, ln 2 in two parts of which n times
    the first is exact. e**(factor r) by a polynomial with p(0) = 1 and a relative error of
    9.1e-8 (float32, degree 5, least maximum) or 8.5e-18 (float64, degree 11, interpolation at
    Chebyshev nodes). n is added to the exponent.
    """
    if single(z):
        limit, shift = 87.0, ROUND_SINGLE
        ln2_high, ln2_low = 0.693359375, -2.12194440e-4
    else:
        limit, shift = 708.0, ROUND_DOUBLE
        ln2_high, ln2_low = 0.693145751953125, 1.42860682030941723212e-6
    limit = limit / abs(factor)
    z = where_greater(z, limit, limit, z)
    z = where_greater(-limit, z, -limit, z)
    shifted = fma(z, factor * 1.4426950408889634, shift)
    n = shifted - shift
    r = fma(n, -ln2_low / factor, fma(n, -ln2_high / factor, z))
    if single(z):
        p = fma(r, factor**5 * 0.008290314669417603, factor**4 * 0.041897929319205045)
        p = fma(p, r, factor**3 * 0.16667636195537658)
        p = fma(p, r, factor**2 * 0.4999914953047238)
        p = fma(p, r, factor * 0.9999997071892411)
    else:
        p = fma(r, factor**11 * 2.510520637395701e-08, factor**10 * 2.7626357241447223e-07)
        p = fma(p, r, factor**9 * 2.7557255425746435e-06)
        p = fma(p, r, factor**8 * 2.4801504346997686e-05)
        p = fma(p, r, factor**7 * 0.00019841269874800493)
        p = fma(p, r, factor**6 * 0.0013888888932488599)
        p = fma(p, r, factor**5 * 0.008333333333326141)
        p = fma(p, r, factor**4 * 0.04166666666657314)
        p = fma(p, r, factor**3 * 0.1666666666666667)
        p = fma(p, r, factor**2 * 0.5000000000000006)
        p = fma(p, r, factor * 1.0)
    return add_exponent(fma(p, r, 1.0), shifted)


@inner
def log1p(x):
    """log(1 + x) per lane for x >= 0, float64, 2 ulp; as fdlibm's s_log1p.c.

    1 + x = 2**e (1 + f); the part of x that 1 + x rounds away comes back as x_lost / (1 + x).
    """
    u = x + 1.0
    lost = (x - (u - 1.0)) / u
    e = exponent(u)
    f = add_exponent(u, ROUND_DOUBLE - e) - 1.0
    s = f / (f + 2.0)
    w = s * s
    series = fma(w, 1.479819860511658591e-01, 1.531383769920937332e-01)
    series = fma(series, w, 1.818357216161805012e-01)
    series = fma(series, w, 2.222219843214978396e-01)
    series = fma(series, w, 2.857142874366239149e-01)
    series = fma(series, w, 3.999999999940941908e-01)
    series = fma(series, w, 6.666666666666735130e-01)
    half = 0.5 * (f * f)
    small = fma(s, fma(series, w, half), fma(e, 1.90821492927058770002e-10, lost))
    return fma(e, 6.93147180369123816490e-01, f - (half - small))


@inner
def activate(activation, z):
    """s(z); a NaN stays NaN."""
    if activation == SIGMOID:
        return 1.0 / (1.0 + exp(z, -1.0))
    if activation == TANH:
        return 2.0 / (1.0 + exp(z, -2.0)) - 1.0
    if activation == RELU:
        return where_greater(0.0, z, 0.0, z)
    return z


@inner
def slope(activation, h):
    """s'(z), from h = s(z)."""
    if activation == SIGMOID:
        return h * (1.0 - h)
    if activation == TANH:
        return 1.0 - h * h
    if activation == RELU:
        return where_greater(h, 0.0, 1.0, h * 0.0)
    return h * 0.0 + 1.0


# ---------------------------------------------------------------- sizes that follow from the shape


@shared
def padded(count):
    """`count` rounded up to whole vectors."""
    return (count + LANES - 1) // LANES * LANES


@shared
def columns(count):
    """Length of a gradient row over `count` inputs or outputs: padded when they lie in lanes."""
    return padded(count) if count >= WIDE else count


@shared
def block_panels(n1):
    """Panels of a block, of N1 alone."""
    return max(1, min(BLOCK_PANELS, BLOCK_VALUES // (n1 * LANES)))


@shared
def block_stride(n1):
    """Distance between two units' rows in a block; an odd number of cache lines."""
    return (block_panels(n1) | 1) * LANES


@shared
def parameter_length(n1, d, k):
    """Length of a member's run of parameters, filling included."""
    return padded(n1 * (d + 1 + k) + k)


@shared
def variable(count):
    """The same number, its value hidden from the compiler: `product` is then compiled once, and
    not anew for every constant among its arguments (1.2 s of 9 in a cold start)."""
    return count


@shared
def kept(epoch):
    """Whether a history keeps this epoch."""
    step = 1
    while epoch > DENSE_EPOCHS * step:
        step *= 2
    return epoch % step == 0


# ---------------------------------------------------------------- products


@inner
def product(rows, a, a0, a_row, a_col, depth, b, b0, b_row, c, c0, c_row):
    """c += a @ b for one vector of columns; see vector.tile."""
    keep_apart()
    i = 0
    while i + 8 <= rows:
        tile(8, a, a0 + i * a_row, a_row, a_col, depth, b, b0, b_row, c, c0 + i * c_row, c_row)
        i += 8
    while i + 4 <= rows:
        tile(4, a, a0 + i * a_row, a_row, a_col, depth, b, b0, b_row, c, c0 + i * c_row, c_row)
        i += 4
    while i < rows:
        tile(1, a, a0 + i * a_row, a_row, a_col, depth, b, b0, b_row, c, c0 + i * c_row, c_row)
        i += 1


@inner
def dot(a, a0, a_step, b, b0, b_step, panels):
    """Sum over `panels` vectors of a * b."""
    even, odd = spread(a, 0.0), spread(a, 0.0)
    for p in range(0, panels - 1, 2):
        even = fma(load(a, a0 + p * a_step), load(b, b0 + p * b_step), even)
        odd = fma(load(a, a0 + (p + 1) * a_step), load(b, b0 + (p + 1) * b_step), odd)
    if panels % 2:
        even = fma(load(a, a0 + (panels - 1) * a_step), load(b, b0 + (panels - 1) * b_step), even)
    return total(even + odd)


# ---------------------------------------------------------------- one block of samples


@inner
def forward(net, x, x0, panels, hidden, output):
    """h = s(W1 x + b1) and z2 = W2 h + b2 for a block of panels."""
    keep_apart()
    w, o, n1, d, k, activation = net
    stride = block_stride(n1)
    b1, w2, b2 = o + n1 * d, o + n1 * (d + 1), o + n1 * (d + 1 + k)
    for p in range(panels):
        column, inputs, out = p * LANES, x0 + p * d * LANES, p * k * LANES
        if d >= WIDE:
            for u in range(n1):
                store(hidden, u * stride + column, spread(w, w[b1 + u]))
            product(n1, w, o, d, variable(1), d, x, inputs, variable(LANES), hidden, column, stride)
        single_output = spread(w, w[b2])
        for u in range(n1):
            if d >= WIDE:
                z = load(hidden, u * stride + column)
            else:
                z = spread(w, w[b1 + u])
                for j in range(d):
                    z = fma(w[o + u * d + j], load(x, inputs + j * LANES), z)
            h = activate(activation, z)
            store(hidden, u * stride + column, h)
            if k == 1:
                single_output = fma(w[w2 + u], h, single_output)
        if k == 1:
            store(output, out, single_output)
        else:
            for j in range(k):
                store(output, out + j * LANES, spread(w, w[b2 + j]))
            product(
                k, w, w2, variable(1), k, n1, hidden, column, stride, output, out, variable(LANES)
            )


@inner
def squared_error(output, z0, y, y0, weight, k):
    """1/2 sum (z2 - y)**2 per sample in float64; output becomes dL/dz2."""
    squares = spread(output, 0.0)
    for j in range(k):
        error = load(output, z0 + j * LANES) - load(y, y0 + j * LANES)
        squares = fma(error, error, squares)
        store(output, z0 + j * LANES, error * weight)
    return to_float64(squares) * 0.5


@inner
def cross_entropy_error(output, z0, y, y0, weight, k):
    """-log softmax(z2)_y per sample in float64; output becomes dL/dz2 = softmax(z2) - y.

    The loss is (m - z_y) + log1p(sum of the exponentials but the largest), m the largest
    logit: nothing is lost where the network is sure. Of equal largest logits all but one are
    among the others. A NaN is never greater nor less, so it comes through.
    """
    top = load(output, z0)
    for j in range(1, k):
        z = load(output, z0 + j * LANES)
        top = where_greater(z, top, z, top)
    others, label, ties = spread(output, 0.0), spread(output, 0.0), spread(output, -1.0)
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
def loss_and_error(loss, output, rows, first, panels, k):
    """Sum of the losses of a block, in float64; output (z2) becomes dL/dz2."""
    keep_apart()
    losses = to_float64(spread(output, 0.0))
    for p in range(panels):
        weight = load(rows.weight, (first + p) * LANES)
        z0, y0 = p * k * LANES, (first + p) * k * LANES
        if loss == SQUARED:
            each = squared_error(output, z0, rows.y, y0, weight, k)
        else:
            each = cross_entropy_error(output, z0, rows.y, y0, weight, k)
        losses = fma(each, to_float64(weight), losses)
    return total(losses)


@inner
def transpose_errors(output, panels, k, error_rows):
    """dL/dz2 (panels, k, L) as rows of samples (panels * L, padded k)."""
    width = padded(k)
    for p in range(panels):
        for j in range(k):
            for lane in range(LANES):
                error_rows[(p * LANES + lane) * width + j] = output[(p * k + j) * LANES + lane]


@inner
def hidden_error(net, panels, output, delta):
    """W2^T dL/dz2 of a block into delta; for several outputs."""
    w, o, n1, d, k, _ = net
    stride = block_stride(n1)
    for p in range(panels):
        for u in range(n1):
            store(delta, u * stride + p * LANES, spread(w, 0.0))
        product(
            n1,
            w,
            o + n1 * (d + 1),
            k,
            variable(1),
            k,
            output,
            p * k * LANES,
            variable(LANES),
            delta,
            p * LANES,
            stride,
        )


@inner
def unit_backward(net, u, x, x0, panels, scratch):
    """One hidden unit: dL/dz1 into delta; its sums of db1, of dW2 for few outputs, of dW1 for
    few inputs. A single output and the first input are taken in the loop that makes dL/dz1."""
    w, o, n1, d, k, activation = net
    hidden, delta, output, sums = scratch.hidden, scratch.delta, scratch.output, scratch.sums
    row, w2 = u * block_stride(n1), w[o + n1 * (d + 1) + u * k]
    sum_b, sum_w1, sum_w2 = spread(w, 0.0), spread(w, 0.0), spread(w, 0.0)
    for p in range(panels):
        h = load(hidden, row + p * LANES)
        if k == 1:
            error = load(output, p * LANES)
            sum_w2 = fma(h, error, sum_w2)
            back = w2 * error
        else:
            back = load(delta, row + p * LANES)
        dz = back * slope(activation, h)
        if d > 1:
            store(delta, row + p * LANES, dz)
        sum_b = sum_b + dz
        sum_w1 = fma(dz, load(x, x0 + p * d * LANES), sum_w1)
    bias, second = n1 * columns(d) + u, n1 * (columns(d) + 1) + u * columns(k)
    sums[bias] += total(sum_b)
    if k == 1:
        sums[second] += total(sum_w2)
    elif k < WIDE:
        for j in range(k):
            sums[second + j] += dot(hidden, row, LANES, output, j * LANES, k * LANES, panels)
    if d < WIDE:
        sums[u * d] += total(sum_w1)
        for j in range(1, d):
            sums[u * d + j] += dot(delta, row, LANES, x, x0 + j * LANES, d * LANES, panels)


@inner
def backward(net, rows, first, panels, scratch):
    """Add the gradient of a block to scratch.sums; scratch.output holds its dL/dz2."""
    keep_apart()
    w, _, n1, d, k, _ = net
    output, errors, sums = scratch.output, scratch.error_rows, scratch.sums
    stride, samples = block_stride(n1), panels * LANES
    second = n1 * (columns(d) + 1)
    if k > 1:
        hidden_error(net, panels, output, scratch.delta)
    if k >= WIDE:
        transpose_errors(output, panels, k, errors)
        width = padded(k)
        for c in range(0, width, LANES):
            product(
                n1,
                scratch.hidden,
                variable(0),
                stride,
                variable(1),
                samples,
                errors,
                c,
                width,
                sums,
                second + c,
                width,
            )
    for u in range(n1):
        unit_backward(net, u, rows.x, first * d * LANES, panels, scratch)
    if d >= WIDE:
        width = padded(d)
        r0 = first * LANES * width
        for c in range(0, width, LANES):
            product(
                n1,
                scratch.delta,
                variable(0),
                stride,
                variable(1),
                samples,
                rows.x_rows,
                r0 + c,
                width,
                sums,
                c,
                width,
            )
    for j in range(k):
        summed = spread(w, 0.0)
        for p in range(panels):
            summed = summed + load(output, (p * k + j) * LANES)
        sums[second + n1 * columns(k) + j] += total(summed)


# ---------------------------------------------------------------- one set of samples


@merged
def mean_loss(net, loss, rows, scratch):
    """Mean loss over the rows."""
    panels, step, summed = padded(rows.count) // LANES, block_panels(net.n1), 0.0
    for first in range(0, panels, step):
        count = min(step, panels - first)
        forward(net, rows.x, first * net.d * LANES, count, scratch.hidden, scratch.output)
        summed += loss_and_error(loss, scratch.output, rows, first, count, net.k)
    return summed / rows.count


@merged
def loss_and_sums(net, loss, rows, scratch):
    """Mean loss over the rows; the sum of their gradients in scratch.sums."""
    _, _, n1, d, k, _ = net
    for i in range(n1 * (columns(d) + 1 + columns(k)) + k):
        scratch.sums[i] = 0.0
    panels, step, summed = padded(rows.count) // LANES, block_panels(n1), 0.0
    for first in range(0, panels, step):
        count = min(step, panels - first)
        forward(net, rows.x, first * d * LANES, count, scratch.hidden, scratch.output)
        summed += loss_and_error(loss, scratch.output, rows, first, count, k)
        backward(net, rows, first, count, scratch)
    return summed / rows.count


@inner
def mean_gradient(net, l2, count, scratch):
    """The sums as a mean over `count` samples, L2 penalty added, in parameter layout."""
    w, o, n1, d, k, _ = net
    sums, gradient = scratch.sums, scratch.gradient
    scale, wide_d, wide_k = 1.0 / count, columns(d), columns(k)
    b1, w2, b2 = n1 * d, n1 * (d + 1), n1 * (d + 1 + k)
    sum_b1, sum_w2, sum_b2 = n1 * wide_d, n1 * (wide_d + 1), n1 * (wide_d + 1 + wide_k)
    for u in range(n1):
        for j in range(d):
            gradient[u * d + j] = sums[u * wide_d + j] * scale + l2 * w[o + u * d + j]
        gradient[b1 + u] = sums[sum_b1 + u] * scale
        for j in range(k):
            decay = l2 * w[o + w2 + u * k + j]
            gradient[w2 + u * k + j] = sums[sum_w2 + u * wide_k + j] * scale + decay
    for j in range(k):
        gradient[b2 + j] = sums[sum_b2 + j] * scale
    for i in range(b2 + k, padded(b2 + k)):
        gradient[i] = 0.0


@merged
def loss_and_gradient(net, loss, l2, rows, scratch):
    """Mean loss over the rows and the norm of its gradient, left in scratch.gradient."""
    mean = loss_and_sums(net, loss, rows, scratch)
    mean_gradient(net, l2, rows.count, scratch)
    return mean, gradient_norm(scratch.gradient, parameter_length(net.n1, net.d, net.k))


# ---------------------------------------------------------------- one step


@inner
def gradient_norm(gradient, length):
    """L2 norm over all gradients of the member, in float64."""
    squares = to_float64(spread(gradient, 0.0))
    for i in range(0, length, LANES):
        g = to_float64(load(gradient, i))
        squares = fma(g, g, squares)
    return math.sqrt(total(squares))


@inner
def clip(gradient, length, norm, clip_norm):
    """Scale the gradient to clip_norm where its norm is larger; whether it was."""
    if not norm > clip_norm:
        return False
    scale = clip_norm / norm
    for i in range(0, length, LANES):
        store(gradient, i, load(gradient, i) * scale)
    return True


@inner
def update(optimizer, w, o, length, gradient, learning_rate):
    """One step of the optimiser. SGD: w -= learning_rate * gradient."""
    for i in range(0, length, LANES):
        store(w, o + i, fma(load(gradient, i), -learning_rate, load(w, o + i)))


@merged
def descend(net, setting, state, norm, scratch):
    """Clip the gradient in scratch and move the weights along it; whether it was clipped."""
    length = parameter_length(net.n1, net.d, net.k)
    clipped = clip(scratch.gradient, length, norm, float(setting["clip_norm"]))
    rate = float(state["learning_rate"])
    update(setting["optimizer"], net.w, net.o, length, scratch.gradient, rate)
    return clipped


# ---------------------------------------------------------------- mini-batches


@inner
def hash32(x):
    """A 32-bit mixing function (lowbias32 by Chris Wellons, public domain), in 64-bit integers."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


@inner
def shuffle(seed, epoch, order):
    """The order of the samples in an epoch, of (seed, epoch, n) alone (Fisher-Yates)."""
    keep_apart()
    key = hash32(seed ^ hash32((epoch & 0xFFFFFFFF) ^ 0x5BF03635))
    for i in range(order.size):
        order[i] = i
    for i in range(order.size - 1, 0, -1):
        draw = hash32(key ^ hash32(i))
        j = (draw * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]


@inner
def gather(rows, order, first, count, d, k, batch):
    """Samples order[first : first + count] as panels in the arrays of `batch`."""
    keep_apart()
    width = padded(d) if d >= WIDE else 0
    for i in range(padded(count)):
        used, panel, lane = i < count, i // LANES, i % LANES
        source = order[first + i] if used else 0
        base, at = source // LANES * LANES, source % LANES
        scale = 1.0 if used else 0.0
        batch.weight[i] = scale
        for j in range(d):
            value = rows.x_rows[source * width + j] if width else rows.x[base * d + j * LANES + at]
            batch.x[(panel * d + j) * LANES + lane] = value * scale
        for j in range(k):
            batch.y[(panel * k + j) * LANES + lane] = rows.y[base * k + j * LANES + at] * scale
        for j in range(width):
            batch.x_rows[i * width + j] = rows.x_rows[source * width + j] * scale
    return Rows(batch.x, batch.x_rows, batch.y, batch.weight, count)


@merged
def batch_epoch(net, loss, setting, state, train, scratch):
    """One epoch of mini-batches; its mean loss, largest norm and clipped share in the state."""
    size, order = setting["batch_size"], scratch.order[: train.count]
    shuffle(int(setting["seed"]), int(state["epoch"]) + 1, order)
    summed, largest, clipped, steps = 0.0, 0.0, 0, 0
    for first in range(0, train.count, size):
        count = min(size, train.count - first)
        rows = gather(train, order, first, count, net.d, net.k, scratch.batch)
        mean, norm = loss_and_gradient(net, loss, float(setting["l2"]), rows, scratch)
        summed += mean * count
        largest = max(largest, norm)
        if not math.isfinite(norm):
            largest = norm
            break
        clipped += descend(net, setting, state, norm, scratch)
        steps += 1
    state["mean_loss"] = summed / train.count
    state["gradient_norm"] = largest
    state["clipped"] = clipped / max(steps, 1)


# ---------------------------------------------------------------- what is decided at an entry


@inner
def all_finite(w, o, length):
    """Whether every parameter of the member is finite."""
    zeros = spread(w, 0.0)
    for i in range(0, length, LANES):
        zeros = fma(load(w, o + i), 0.0, zeros)
    return total(zeros) == 0.0


@inner
def copy(source, target, o, length):
    """A member's run of numbers from one flat array into another."""
    for i in range(o, o + length, LANES):
        store(target, i, load(source, i))


@inner
def decide(setting, state, monitored):
    """Best, target, patience, plateau and epoch limit at an entry; whether it is the best."""
    keep_apart()
    epoch, better = state["epoch"], monitored < state["best_loss"]
    if better:
        state["best_loss"] = monitored
        state["best_epoch"] = epoch
    if epoch == 0 or monitored < state["reference"] - setting["min_delta"]:
        state["reference"] = monitored
        state["waited"] = 0
        state["stalled"] = 0
    else:
        state["waited"] += 1
        state["stalled"] += 1
    if monitored <= setting["target_loss"]:
        state["stop"] = TARGET
    elif 0 < setting["patience"] <= state["waited"]:
        state["stop"] = PATIENCE
    elif 0 < setting["lr_patience"] <= state["stalled"]:
        lowered = state["learning_rate"] * setting["lr_factor"]
        state["learning_rate"] = max(lowered, setting["min_learning_rate"])
        state["stalled"] = 0
    if state["stop"] == RUNNING and epoch >= setting["max_epochs"]:
        state["stop"] = MAX_EPOCHS
    return better


@inner
def note(state, train_loss, val_loss, better):
    """The entry's numbers as the member's last and, if so, as those of its best."""
    last = state["last_entry"]
    last[TRAIN_LOSS] = train_loss
    last[VAL_LOSS] = val_loss
    last[LEARNING_RATE] = state["learning_rate"]
    last[GRADIENT_NORM] = state["gradient_norm"]
    last[CLIPPED] = state["clipped"]
    if better:
        best = state["best_entry"]
        for column in range(COLUMNS):
            best[column] = last[column]


# ---------------------------------------------------------------- one member, many epochs


@merged
def losses_at_entry(net, problem, setting, state, scratch):
    """Training and validation loss of the weights as they are (full batch: and the gradient).

    With mini-batches and a validation set, the training loss is the mean of the epoch past.
    """
    val_loss = np.nan
    if problem.val.count:
        val_loss = mean_loss(net, problem.loss, problem.val, scratch)
    if setting["batch_size"] == 0:
        l2 = float(setting["l2"])
        train_loss, norm = loss_and_gradient(net, problem.loss, l2, problem.train, scratch)
        state["gradient_norm"] = norm
        state["clipped"] = 1.0 if norm > setting["clip_norm"] else 0.0
    elif problem.val.count and state["epoch"] > 0:
        train_loss = float(state["mean_loss"])
    else:
        train_loss = mean_loss(net, problem.loss, problem.train, scratch)
    return train_loss, val_loss


@merged
def train_member(problem, net, setting, state, best, end, history, scratch):
    """Advance one member to epoch `end`, or to its stop; how many entries were recorded."""
    length = parameter_length(net.n1, net.d, net.k)
    recorded = 0
    while state["stop"] == RUNNING and state["epoch"] < end:
        train_loss, val_loss = losses_at_entry(net, problem, setting, state, scratch)
        monitored = val_loss if problem.val.count else train_loss
        finite = math.isfinite(train_loss) and math.isfinite(monitored)
        if finite and math.isfinite(state["gradient_norm"]) and all_finite(net.w, net.o, length):
            better = decide(setting, state, monitored)
        else:
            state["stop"], better = DIVERGED, False
        note(state, train_loss, val_loss, better)
        if better:
            copy(net.w, best, net.o, length)
        if kept(state["epoch"]):
            last = state["last_entry"]
            for column in range(COLUMNS):
                history[recorded, column] = last[column]
            recorded += 1
        if state["stop"] != RUNNING:
            break
        if setting["batch_size"] == 0:
            descend(net, setting, state, float(state["gradient_norm"]), scratch)
        else:
            batch_epoch(net, problem.loss, setting, state, problem.train, scratch)
        state["epoch"] += 1
    return recorded


@entry
def advance(problem, pack, ids, end, histories, counts, scratch):
    """Advance the members `ids` to epoch `end`: their entries below it into histories[m's slot].

    histories (len(ids), kept epochs of the round, COLUMNS) and counts (len(ids),) are filled.
    """
    for i in range(ids.size):
        setting, state = pack.settings[ids[i]], pack.states[ids[i]]
        offset, n1, activation = (
            int(setting["offset"]),
            int(setting["n1"]),
            int(setting["activation"]),
        )
        net = Net(pack.parameters, offset, n1, problem.d, problem.k, activation)
        counts[i] = train_member(
            problem, net, setting, state, pack.best, end, histories[i], scratch
        )


@inner
def hits(net, rows, first, panels, output):
    """Samples of a block whose largest logit (the first of equals) is their class."""
    right = 0
    for p in range(panels):
        z0, y0 = p * net.k * LANES, (first + p) * net.k * LANES
        for lane in range(min(LANES, rows.count - (first + p) * LANES)):
            top = 0
            for j in range(1, net.k):
                if output[z0 + j * LANES + lane] > output[z0 + top * LANES + lane]:
                    top = j
            if rows.y[y0 + top * LANES + lane] == 1.0:
                right += 1
    return right


@entry
def evaluate(problem, rows, pack, ids, losses, accuracies, scratch):
    """Mean loss and accuracy of the best weights of the members `ids` over the rows."""
    for i in range(ids.size):
        setting = pack.settings[ids[i]]
        offset, n1, activation = (
            int(setting["offset"]),
            int(setting["n1"]),
            int(setting["activation"]),
        )
        net = Net(pack.best, offset, n1, problem.d, problem.k, activation)
        panels, step, summed, right = padded(rows.count) // LANES, block_panels(n1), 0.0, 0
        for first in range(0, panels, step):
            count = min(step, panels - first)
            forward(net, rows.x, first * net.d * LANES, count, scratch.hidden, scratch.output)
            if problem.loss == CROSS_ENTROPY:
                right += hits(net, rows, first, count, scratch.output)
            summed += loss_and_error(problem.loss, scratch.output, rows, first, count, net.k)
        losses[i] = summed / rows.count
        accuracies[i] = right / rows.count
