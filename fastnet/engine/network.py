"""One network: its forward pass, loss and gradient over a set of samples.

layout.py explains the letters and where the numbers lie. A block is `panels` panels of its rows,
from `first` on; its inputs begin at x0. hidden and delta are (N1, stride), output is
(panels, k, L), sums begin with dW1 and db1: see Scratch. With `overwrite`, the old value of a sum
is ignored.
"""

import math

from fastnet.engine.layers import add, lane_products, mean_lanes
from fastnet.engine.layout import (
    GROUP,
    block_panels,
    block_stride,
    blocks_of,
    columns,
    first_block,
    padded,
    parameter_length,
    parts_of,
    second_layer,
    sums_length,
)
from fastnet.native.entry import inner
from fastnet.native.vector import (
    LANES,
    always_inline,
    atomic_add,
    fma,
    load,
    never_inline,
    splat,
    store,
    sum_lanes,
    to_float64,
    unchecked,
)

# ---------------------------------------------------------------- one block of samples


@inner
def unit_forward(net, u, x, x0, panels, hidden, output):
    """One hidden unit: h = s(W1 x + b1), and its contribution to a single output."""
    w, n1, d, row = net.w, net.n1, net.d, u * block_stride(net.n1)
    w1, b1, w2 = net.o + u * d, net.o + n1 * d + u, net.o + n1 * (d + 1) + u
    weight, bias = splat(w, unchecked(w, w1)), splat(w, unchecked(w, b1))
    second = splat(w, unchecked(w, w2))
    for p in range(panels):
        if net.inputs.many:
            z = load(hidden, row + p * LANES)
        elif net.inputs.one:
            z = fma(weight, load(x, x0 + p * LANES), bias)
        else:
            z = bias
            for j in range(d):
                z = fma(unchecked(w, w1 + j), load(x, x0 + (p * d + j) * LANES), z)
        if net.activation.needs_z:
            store(hidden, row + n1 * block_stride(n1) + p * LANES, z)
        h = net.activation.value(z)
        store(hidden, row + p * LANES, h)
        if net.outputs.one:
            store(output, p * LANES, fma(second, h, load(output, p * LANES)))


@inner
def forward(net, x, x0, panels, hidden, output):
    """h = s(W1 x + b1) and z2 = W2 h + b2 for a block of panels."""
    never_inline()
    b2 = net.o + net.n1 * (net.d + 1 + net.k)
    for p in range(panels):
        for j in range(net.k):
            store(output, (p * net.k + j) * LANES, splat(net.w, unchecked(net.w, b2 + j)))
    net.inputs.forward(net, x, x0, panels, hidden)
    for u in range(net.n1):
        unit_forward(net, u, x, x0, panels, hidden, output)
    net.outputs.forward(net, panels, hidden, output)


@inner
def loss_and_error(loss, output, rows, first, panels, k):
    """Weighted sum of the losses of a block, in float64; output (z2) becomes dL/dz2."""
    never_inline()
    losses = to_float64(splat(output, 0.0))
    weights = rows.fold * padded(rows.count) + first * LANES
    for p in range(panels):
        weight = load(rows.weight, weights + p * LANES)
        z0, y0 = p * k * LANES, (first + p) * k * LANES
        each = loss.kind.error(output, z0, rows.y, y0, weight, k, loss)
        losses = fma(each, to_float64(weight), losses)
    return sum_lanes(losses)


@inner
def error_of_unit(net, u, p, scratch):
    """W2^T dL/dz2 of one hidden unit and panel."""
    w2, error = net.o + net.n1 * (net.d + 1) + u * net.k, p * net.k * LANES
    back = load(scratch.output, error) * unchecked(net.w, w2)
    for j in range(1, net.k):
        back = fma(load(scratch.output, error + j * LANES), unchecked(net.w, w2 + j), back)
    return back


@inner
def unit_backward(net, u, x, x0, panels, scratch, overwrite):
    """One hidden unit: dL/dz1 and its sum; dW1 of one or few inputs, dW2 of one or few outputs."""
    always_inline()
    w, n1, d, k, sums = net.w, net.n1, net.d, net.k, scratch.sums
    hidden, delta, output, row = scratch.hidden, scratch.delta, scratch.output, u * block_stride(n1)
    second = splat(w, unchecked(w, net.o + n1 * (d + 1) + u))
    sum_b1, sum_w1, sum_w2 = splat(w, 0.0), splat(w, 0.0), splat(w, 0.0)
    for p in range(panels):
        h = load(hidden, row + p * LANES)
        if net.outputs.one:
            error = load(output, p * LANES)
            sum_w2 = fma(h, error, sum_w2)
            back = second * error
        elif net.outputs.many:
            back = load(delta, row + p * LANES)
        else:
            back = error_of_unit(net, u, p, scratch)
        z = h
        if net.activation.needs_z:
            z = load(hidden, row + n1 * block_stride(n1) + p * LANES)
        dz = back * net.activation.slope(z, h)
        sum_b1 = sum_b1 + dz
        if net.inputs.one:
            sum_w1 = fma(dz, load(x, x0 + p * LANES), sum_w1)
        else:
            store(delta, row + p * LANES, dz)
    add(sums, n1 * columns(d) + u * LANES, sum_b1, overwrite)
    if net.inputs.one:
        add(sums, u * LANES, sum_w1, overwrite)
    elif not net.inputs.many:
        lane_products(delta, row, panels, x, x0, d, sums, u * d * LANES, overwrite)
    place = second_layer(n1, d) + u * k * LANES
    if net.outputs.one:
        add(sums, place, sum_w2, overwrite)
    elif not net.outputs.many:
        lane_products(hidden, row, panels, output, 0, k, sums, place, overwrite)


@inner
def backward(net, rows, first, panels, scratch, overwrite):
    """Add the gradient of a block to scratch.sums, or store it there with `overwrite`;
    scratch.output holds its dL/dz2."""
    never_inline()
    net.outputs.backward(net, panels, scratch, overwrite)
    for u in range(net.n1):
        unit_backward(net, u, rows.x, first * net.d * LANES, panels, scratch, overwrite)
    net.inputs.backward(net, rows, first, panels, scratch, overwrite)
    b2 = second_layer(net.n1, net.d) + net.n1 * columns(net.k)
    for j in range(net.k):
        summed = load(scratch.output, j * LANES)
        if not overwrite:
            summed = load(scratch.sums, b2 + j * LANES) + summed
        for p in range(1, panels):
            summed = summed + load(scratch.output, (p * net.k + j) * LANES)
        store(scratch.sums, b2 + j * LANES, summed)


# ---------------------------------------------------------------- one set of samples


@inner
def block_loss(net, loss, rows, block, scratch):
    """The summed loss of a block of the rows."""
    panels, step = padded(rows.count) // LANES, block_panels(net.n1)
    first = block * step
    count = min(step, panels - first)
    forward(net, rows.x, first * net.d * LANES, count, scratch.hidden, scratch.output)
    return loss_and_error(loss, scratch.output, rows, first, count, net.k)


@inner
def mean_loss(net, loss, rows, scratch):
    """Mean loss over the rows; of a huge network, threads have left the losses of the blocks."""
    summed, ready = 0.0, scratch.parts.ready[0]
    for block in range(blocks_of(rows.count, net.n1)):
        if ready:
            summed += scratch.parts.val_losses[block]
        else:
            summed += block_loss(net, loss, rows, block, scratch)
    return summed / rows.totals[rows.fold]


@inner
def part_sums(net, loss, rows, part, parts, scratch):
    """The summed loss of one of the parts of the rows; their summed gradients in scratch.sums."""
    d, k = net.d, net.k
    panels, step, summed = padded(rows.count) // LANES, block_panels(net.n1), 0.0
    blocks = (panels + step - 1) // step
    last = min(panels, first_block(part + 1, parts, blocks) * step)
    start = first_block(part, parts, blocks) * step
    for first in range(start, last, step):
        count = min(step, last - first)
        forward(net, rows.x, first * d * LANES, count, scratch.hidden, scratch.output)
        summed += loss_and_error(loss, scratch.output, rows, first, count, k)
        backward(net, rows, first, count, scratch, first == start)
    return summed


@inner
def keep_part(parts, part, count, length, sums):
    """Keep a part's sums; the last part of a group to be kept adds up the group in its order."""
    for i in range(length):
        parts.sums[part * length + i] = sums[i]
    first = part // GROUP * GROUP
    size = min(GROUP, count - first)
    if atomic_add(parts.finished, part // GROUP, 1) < size - 1:
        return
    parts.finished[part // GROUP] = 0
    for other in range(first + 1, first + size):
        parts.losses[first] += parts.losses[other]
        for i in range(length):
            parts.sums[first * length + i] += parts.sums[other * length + i]


@inner
def sum_parts(net, problem, scratch):
    """Sum what is left of a huge network's parts and of the blocks of its validation set."""
    parts, loss, train, val = scratch.parts, problem.loss, problem.train, problem.val
    n1, d, k = net.n1, net.d, net.k
    count, length = parts_of(train.count, n1, d, k), sums_length(n1, d, k)
    item = atomic_add(parts.taken, 0, 1)
    while item < count + blocks_of(val.count, n1):
        if item < count:
            parts.losses[item] = part_sums(net, loss, train, item, count, scratch)
            keep_part(parts, item, count, length, scratch.sums)
        else:
            parts.val_losses[item - count] = block_loss(net, loss, val, item - count, scratch)
        item = atomic_add(parts.taken, 0, 1)


@inner
def add_parts(parts, count, length, sums):
    """Add up all groups of parts, in their order, in `sums`; return the summed loss."""
    for i in range(length):
        sums[i] = parts.sums[i]
    summed = parts.losses[0]
    for part in range(GROUP, count, GROUP):
        summed += parts.losses[part]
        for i in range(length):
            sums[i] += parts.sums[part * length + i]
    return summed


@inner
def loss_and_sums(net, loss, rows, scratch):
    """Mean loss over the rows; the sum of their gradients in scratch.sums."""
    n1, d, k = net.n1, net.d, net.k
    if scratch.parts.ready[0]:
        scratch.parts.ready[0] = 0
        scratch.parts.taken[0] = 0
        count, length = parts_of(rows.count, n1, d, k), sums_length(n1, d, k)
        summed = add_parts(scratch.parts, count, length, scratch.sums)
    else:
        summed = part_sums(net, loss, rows, 0, 1, scratch)
    return summed / rows.totals[rows.fold]


@inner
def mean_gradient(net, l2, weights, scratch):
    """The sums as a mean, `weights` in all, L2 penalty added, in parameter layout."""
    n1, d, k, sums, gradient = net.n1, net.d, net.k, scratch.sums, scratch.gradient
    scale, b1, w2, b2 = 1.0 / weights, n1 * d, n1 * (d + 1), n1 * (d + 1 + k)
    second = second_layer(n1, d)
    net.inputs.mean(net, 0, d, sums, 0, scale, l2, gradient)
    mean_lanes(net, b1, 1, sums, n1 * columns(d), scale, 0.0, gradient)
    net.outputs.mean(net, w2, k, sums, second, scale, l2, gradient)
    for j in range(k):
        gradient[b2 + j] = sum_lanes(load(sums, second + n1 * columns(k) + j * LANES)) * scale
    for i in range(b2 + k, padded(b2 + k) + LANES):
        gradient[i] = 0.0


@inner
def gradient_norm(gradient, length):
    """L2 norm over all gradients of the member, in float64."""
    squares = to_float64(splat(gradient, 0.0))
    for i in range(0, length, LANES):
        g = to_float64(load(gradient, i))
        squares = fma(g, g, squares)
    return math.sqrt(sum_lanes(squares))


@inner
def loss_and_gradient(net, loss, l2, rows, scratch):
    """Mean loss over the rows and the norm of its gradient, left in scratch.gradient."""
    mean = loss_and_sums(net, loss, rows, scratch)
    mean_gradient(net, l2, rows.totals[rows.fold], scratch)
    return mean, gradient_norm(scratch.gradient, parameter_length(net.n1, net.d, net.k))
