"""One network in compiled code: its forward pass, loss and gradient over a set of samples.

Letters: M members, n samples, d inputs, N1 hidden units, k outputs, L = LANES = 16.

Samples lie side by side in the lanes of a vector. A *panel* is L samples: inputs (d, L),
targets (k, L), weights (L,), each one contiguous run; a last panel that is not full is
filled with rows of weight 0. A *block* is as many panels as let the hidden layer stay in
the cache: the loss and the gradient of a set of samples are sums over its blocks, in order.
How many panels a block has follows from the member's shape alone, so does the order of
every sum and with it every byte of a result.

A member's parameters are one run of a flat array: W1 (N1, d), b1 (N1,), W2 transposed
(N1, k), b2 (k,), then zeros up to a multiple of L. A gradient has the same layout.

Every kernel here has its plain twin of the same name in reference.py.
"""

import math
from typing import NamedTuple

import numpy as np

from fastnet.cache import inner, merged, shared
from fastnet.choice import Choice, table
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
# Of one huge network's full batch threads add up parts: so many multiply-adds of W1 and W2 at
# least, about 2 ms, against 0.1 ms to share a part out and add it.
PART_WORK = 1 << 24
MOST_PARTS = 8


class Rows(NamedTuple):
    """A set of samples; made by packing.rows(), or gathered as a mini-batch."""

    x: np.ndarray  # panels of inputs, (panels, d, L) flat
    x_rows: np.ndarray  # the same inputs row by row, (n, padded d) flat; unused unless d >= WIDE
    y: np.ndarray  # panels of targets (one-hot for classes), (panels, k, L) flat
    weight: np.ndarray  # (folds, panels, L) flat: a sample's weight; 0 where it is not of the fold
    totals: np.ndarray  # (folds,) float64: the sum of a fold's weights
    count: int  # samples
    fold: int  # the row of weights that counts


class Parts(NamedTuple):
    """Sums over the parts of one huge network's full batch; all threads share them."""

    ready: np.ndarray  # (1,) 1 once they are those of the network that comes next
    losses: np.ndarray  # (MOST_PARTS,)
    sums: np.ndarray  # (MOST_PARTS, length of Scratch.sums) flat


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
    parts: Parts


class Net(NamedTuple):
    """One member's network: w[o:] holds its parameters."""

    w: np.ndarray
    o: int
    n1: int
    d: int
    k: int
    activation: Choice  # a row of ACTIVATIONS


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


# ---------------------------------------------------------------- activations: s(z), s'(z) of h
# A NaN stays NaN.


@inner
def sigmoid(z):
    return 1.0 / (1.0 + exp(z, -1.0))


@inner
def sigmoid_slope(h):
    return h * (1.0 - h)


@inner
def tanh(z):
    return 2.0 / (1.0 + exp(z, -2.0)) - 1.0


@inner
def tanh_slope(h):
    return 1.0 - h * h


@inner
def relu(z):
    return where_greater(0.0, z, 0.0, z)


@inner
def relu_slope(h):
    return where_greater(h, 0.0, 1.0, h * 0.0)


@inner
def identity(z):
    return z


@inner
def identity_slope(h):
    return h * 0.0 + 1.0


ACTIVATIONS = table(
    "activation",
    sigmoid={"value": sigmoid, "slope": sigmoid_slope},
    tanh={"value": tanh, "slope": tanh_slope},
    relu={"value": relu, "slope": relu_slope},
    identity={"value": identity, "slope": identity_slope},
)


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
def parts_of(count, n1, d, k):
    """Parts of the sum over a full batch of `count` samples: of the shape alone, as every sum."""
    step = block_panels(n1) * LANES
    blocks = (count + step - 1) // step
    return max(1, min(MOST_PARTS, blocks, count * n1 * (d + k) // PART_WORK))


@shared
def sums_length(n1, d, k):
    """Length of a member's gradient sums."""
    return n1 * (columns(d) + 1 + columns(k)) + k


@shared
def parameter_length(n1, d, k):
    """Length of a member's run of parameters, filling included."""
    return padded(n1 * (d + 1 + k) + k)


@shared
def variable(count):
    """The same number, its value hidden from the compiler: `product` is then compiled once, and
    not anew for every constant among its arguments (1.2 s of 9 in a cold start)."""
    return count


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
            h = activation.value(z)
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
def hits(output, rows, first, panels, k):
    """Weight of the samples of a block whose largest logit (the first of equals) is their class."""
    right, weights = 0.0, rows.fold * padded(rows.count) + first * LANES
    for p in range(panels):
        z0, y0 = p * k * LANES, (first + p) * k * LANES
        for lane in range(min(LANES, rows.count - (first + p) * LANES)):
            top = 0
            for j in range(1, k):
                if output[z0 + j * LANES + lane] > output[z0 + top * LANES + lane]:
                    top = j
            if rows.y[y0 + top * LANES + lane] == 1.0:
                right += float(rows.weight[weights + p * LANES + lane])
    return right


@inner
def no_hits(output, rows, first, panels, k):
    """Numbers are not right or wrong."""
    return 0.0


LOSSES = table(
    "loss",
    squared={"error": squared_error, "hits": no_hits},
    cross_entropy={"error": cross_entropy_error, "hits": hits},
)


@inner
def loss_and_error(loss, output, rows, first, panels, k):
    """Weighted sum of the losses of a block, in float64; output (z2) becomes dL/dz2."""
    keep_apart()
    losses = to_float64(spread(output, 0.0))
    weights = rows.fold * padded(rows.count) + first * LANES
    for p in range(panels):
        weight = load(rows.weight, weights + p * LANES)
        z0, y0 = p * k * LANES, (first + p) * k * LANES
        each = loss.error(output, z0, rows.y, y0, weight, k)
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
        dz = back * activation.slope(h)
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
    return summed / rows.totals[rows.fold]


@merged
def part_sums(net, loss, rows, part, parts, scratch):
    """The summed loss of one of the parts of the rows; their summed gradients in scratch.sums."""
    _, _, n1, d, k, _ = net
    for i in range(sums_length(n1, d, k)):
        scratch.sums[i] = 0.0
    panels, step, summed = padded(rows.count) // LANES, block_panels(n1), 0.0
    blocks = (panels + step - 1) // step
    last = min(panels, blocks * (part + 1) // parts * step)
    for first in range(blocks * part // parts * step, last, step):
        count = min(step, last - first)
        forward(net, rows.x, first * d * LANES, count, scratch.hidden, scratch.output)
        summed += loss_and_error(loss, scratch.output, rows, first, count, k)
        backward(net, rows, first, count, scratch)
    return summed


@inner
def add_parts(parts, count, length, sums):
    """The sums over all parts, in their order, in `sums`; the summed loss."""
    for i in range(length):
        sums[i] = parts.sums[i]
    summed = parts.losses[0]
    for part in range(1, count):
        summed += parts.losses[part]
        for i in range(length):
            sums[i] += parts.sums[part * length + i]
    return summed


@merged
def loss_and_sums(net, loss, rows, scratch):
    """Mean loss over the rows; the sum of their gradients in scratch.sums."""
    _, _, n1, d, k, _ = net
    if scratch.parts.ready[0]:
        scratch.parts.ready[0] = 0
        count, length = parts_of(rows.count, n1, d, k), sums_length(n1, d, k)
        summed = add_parts(scratch.parts, count, length, scratch.sums)
    else:
        summed = part_sums(net, loss, rows, 0, 1, scratch)
    return summed / rows.totals[rows.fold]


@inner
def mean_gradient(net, l2, weights, scratch):
    """The sums as a mean, `weights` in all, L2 penalty added, in parameter layout."""
    w, o, n1, d, k, _ = net
    sums, gradient = scratch.sums, scratch.gradient
    scale, wide_d, wide_k = 1.0 / weights, columns(d), columns(k)
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


@inner
def gradient_norm(gradient, length):
    """L2 norm over all gradients of the member, in float64."""
    squares = to_float64(spread(gradient, 0.0))
    for i in range(0, length, LANES):
        g = to_float64(load(gradient, i))
        squares = fma(g, g, squares)
    return math.sqrt(total(squares))


@merged
def loss_and_gradient(net, loss, l2, rows, scratch):
    """Mean loss over the rows and the norm of its gradient, left in scratch.gradient."""
    mean = loss_and_sums(net, loss, rows, scratch)
    mean_gradient(net, l2, rows.totals[rows.fold], scratch)
    return mean, gradient_norm(scratch.gradient, parameter_length(net.n1, net.d, net.k))
