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
from fastnet.choice import Choice
from fastnet.vector import LANES, fma, keep_apart, load, spread, store, tile, to_float64, total

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


class Solver(NamedTuple):
    """What second-order methods work with, float64; made by packing.solver(). P is padded."""

    hidden: np.ndarray  # (N1, L) activations of a panel
    table: np.ndarray  # (samples, width) features and residuals of a block
    products: np.ndarray  # (Q + k, width) the table's products, upper triangle
    matrix: np.ndarray  # (P, P) of the equations, upper triangle
    factor: np.ndarray  # (P, P) of a Cholesky factorisation
    gradient: np.ndarray  # (P,) of the penalised loss
    decay: np.ndarray  # (P,) the loss is penalised with 1/2 sum decay w^2
    step: np.ndarray  # (P,)
    start: np.ndarray  # (P,) the weights before the step
    pairs: np.ndarray  # a number for each pair that lbfgs remembers


class Scratch(NamedTuple):
    """One thread's working memory; made by packing.scratch()."""

    hidden: np.ndarray  # (N1, stride) activations of a block; where it needs z, z1 behind them
    delta: np.ndarray  # (N1, stride) dL/dz1 of a block
    output: np.ndarray  # (panels, k, L) z2, then dL/dz2 of a block
    error_rows: np.ndarray  # (samples, padded k) dL/dz2 row by row
    sums: np.ndarray  # gradient sums: W1 (N1, padded d), b1 (N1,), W2 (N1, padded k), b2 (k,)
    gradient: np.ndarray  # the mean gradient, laid out as the parameters
    order: np.ndarray  # (n,) shuffled sample numbers
    batch: Rows  # room for a mini-batch
    parts: Parts
    solver: Solver  # of second-order methods


class Net(NamedTuple):
    """One member's network: w[o:] holds its parameters."""

    w: np.ndarray
    o: int
    n1: int
    d: int
    k: int
    activation: Choice  # a row of ACTIVATIONS


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
            if activation.needs_z():
                store(hidden, (n1 + u) * stride + column, z)
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
def loss_and_error(loss, output, rows, first, panels, k):
    """Weighted sum of the losses of a block, in float64; output (z2) becomes dL/dz2."""
    keep_apart()
    losses = to_float64(spread(output, 0.0))
    weights = rows.fold * padded(rows.count) + first * LANES
    for p in range(panels):
        weight = load(rows.weight, weights + p * LANES)
        z0, y0 = p * k * LANES, (first + p) * k * LANES
        each = loss.kind.error(output, z0, rows.y, y0, weight, k, loss)
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
        z = h
        if activation.needs_z():
            z = load(hidden, row + n1 * block_stride(n1) + p * LANES)
        dz = back * activation.slope(z, h)
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
