"""One network: its forward pass, loss and gradient over a set of samples.

layout.py has the letters and says where the numbers lie. A block is `panels` panels, of its rows
those from `first` on; its inputs begin at x0. hidden and delta are (N1, stride), output is
(panels, k, L), sums begin with dW1 and db1: see Scratch. Where `overwrite`, what stands in a sum
does not count.
"""

import math

from fastnet.engine.layout import (
    WIDE,
    block_panels,
    block_stride,
    columns,
    padded,
    parameter_length,
    parts_of,
    second_layer,
    sums_length,
)
from fastnet.native.choice import table
from fastnet.native.entry import inner
from fastnet.native.vector import (
    LANES,
    always_inline,
    fma,
    load,
    most_rows,
    never_inline,
    splat,
    store,
    sum_lanes,
    sum_lanes_each,
    tile,
    to_float64,
    transpose,
    unchecked,
)

# ---------------------------------------------------------------- products


@inner
def product(rows, a, a0, a_row, a_col, depth, b, b0, b_row, c, c0, c_row, overwrite):
    """c (rows, L) += a (rows, depth) @ b (depth, L), in tiles of about equal height.

    a_row, a_col, b_row and c_row are the steps between rows and columns: see vector.tile.

    The height does not enter the bytes: each element is summed over the depth in order.
    """
    never_inline()
    tiles, first = (rows + most_rows(c) - 1) // most_rows(c), 0
    for t in range(1, tiles + 1):
        last = rows * t // tiles
        start, place = a0 + first * a_row, c0 + first * c_row
        tile(last - first, a, start, a_row, a_col, depth, b, b0, b_row, c, place, c_row, overwrite)
        first = last


@inner
def add(sums, i, v, overwrite):
    """sums[i : i + LANES] += v; where `overwrite`, they begin with v."""
    if overwrite:
        store(sums, i, v)
    else:
        store(sums, i, load(sums, i) + v)


@inner
def lane_products(a, a0, panels, b, b0, count, sums, place, overwrite):
    """sums (count, L) += a of a unit (panels, L) times b (panels, count, L), lane by lane.

    As many panels as registers hold go through all of b: four, then two, then one.
    """
    always_inline()
    step, rest = count * LANES, panels // 4 * 4
    for p in range(0, rest, 4):
        a_0, a_1 = load(a, a0 + p * LANES), load(a, a0 + (p + 1) * LANES)
        a_2, a_3 = load(a, a0 + (p + 2) * LANES), load(a, a0 + (p + 3) * LANES)
        for j in range(count):
            i = b0 + p * step + j * LANES
            v = fma(a_1, load(b, i + step), a_0 * load(b, i))
            w = fma(a_3, load(b, i + 3 * step), a_2 * load(b, i + 2 * step))
            add(sums, place + j * LANES, v + w, overwrite and p == 0)
    if panels & 2:
        a_0, a_1 = load(a, a0 + rest * LANES), load(a, a0 + (rest + 1) * LANES)
        for j in range(count):
            i = b0 + rest * step + j * LANES
            v = fma(a_1, load(b, i + step), a_0 * load(b, i))
            add(sums, place + j * LANES, v, overwrite and rest == 0)
    if panels & 1:
        last = load(a, a0 + (panels - 1) * LANES)
        for j in range(count):
            v = last * load(b, b0 + (panels - 1) * step + j * LANES)
            add(sums, place + j * LANES, v, overwrite and panels == 1)


# ---------------------------------------------------------------- one block of samples


@inner
def many_inputs(net, x, x0, panels, hidden):
    """W1 x + b1 of a block into hidden."""
    w, o, n1, d, stride = net.w, net.o, net.n1, net.d, block_stride(net.n1)
    for p in range(panels):
        column, inputs = p * LANES, x0 + p * d * LANES
        for u in range(n1):
            store(hidden, u * stride + column, splat(w, unchecked(w, o + n1 * d + u)))
        product(n1, w, o, d, 1, d, x, inputs, LANES, hidden, column, stride, False)


@inner
def unit_forward(net, u, x, x0, panels, hidden, output):
    """One hidden unit: h = s(W1 x + b1), and what it adds to a single output."""
    w, n1, d, row = net.w, net.n1, net.d, u * block_stride(net.n1)
    w1, b1, w2 = net.o + u * d, net.o + n1 * d + u, net.o + n1 * (d + 1) + u
    weight, bias, second = (
        splat(w, unchecked(w, w1)),
        splat(w, unchecked(w, b1)),
        splat(w, unchecked(w, w2)),
    )
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
def several_outputs(net, panels, hidden, output):
    """W2 h of a block added to output."""
    k, w2, stride = net.k, net.o + net.n1 * (net.d + 1), block_stride(net.n1)
    for p in range(panels):
        h, to = p * LANES, p * k * LANES
        product(k, net.w, w2, 1, k, net.n1, hidden, h, stride, output, to, LANES, False)


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
def transpose_errors(output, panels, k, error_rows):
    """dL/dz2 (panels, k, L) laid out as x_rows; what stands in the filling is never used."""
    for p in range(panels):
        for g in range(padded(k) // LANES):
            first = (p * k + g * LANES) * LANES
            transpose(output, first, LANES, error_rows, (g * panels + p) * LANES * LANES, LANES)


@inner
def hidden_error(net, panels, scratch):
    """W2^T dL/dz2 of a block into delta; for many outputs."""
    w2, k, n1, stride = net.o + net.n1 * (net.d + 1), net.k, net.n1, block_stride(net.n1)
    output, delta, w = scratch.output, scratch.delta, net.w
    for p in range(panels):
        z2, to = p * k * LANES, p * LANES
        product(n1, w, w2, k, 1, k, output, z2, LANES, delta, to, stride, True)


@inner
def rows_product(n1, a, samples, b, b0, sums, place, width, overwrite):
    """sums += a b over the samples: a (N1, stride) of a block, b rows of L side by side."""
    row = block_stride(n1)
    product(n1, a, 0, row, 1, samples, b, b0, LANES, sums, place, width, overwrite)


@inner
def many_outputs_backward(net, panels, scratch, overwrite):
    """W2^T dL/dz2 into delta; dW2 = dL/dz2 h, the outputs in the lanes."""
    hidden_error(net, panels, scratch)
    errors, width, samples = scratch.error_rows, padded(net.k), panels * LANES
    transpose_errors(scratch.output, panels, net.k, errors)
    start, hidden, sums = second_layer(net.n1, net.d), scratch.hidden, scratch.sums
    for c in range(0, width, LANES):
        rows_product(
            net.n1, hidden, samples, errors, c * samples, sums, start + c, width, overwrite
        )


@inner
def many_inputs_backward(net, rows, first, panels, scratch, overwrite):
    """dW1 = dL/dz1 x, the inputs in the lanes."""
    width, samples, delta = padded(net.d), panels * LANES, scratch.delta
    for c in range(0, width, LANES):
        start = c * padded(rows.count) + first * LANES * LANES
        rows_product(net.n1, delta, samples, rows.x_rows, start, scratch.sums, c, width, overwrite)


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
    """Add the gradient of a block to scratch.sums, which begin with it where `overwrite`;
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


@inner
def mean_rows(net, place, count, sums, start, scale, l2, gradient):
    """Gradient sums of N1 x count parameters, a unit's in a padded row, as means with the slope of
    the penalty; from `place` on. A vector may reach beyond its row: what comes next overwrites it.
    """
    w, o, width = net.w, net.o + place, padded(count)
    for u in range(net.n1):
        for c in range(0, count, LANES):
            mean = load(sums, start + u * width + c) * scale
            store(gradient, place + u * count + c, fma(load(w, o + u * count + c), l2, mean))


@inner
def mean_lanes(net, place, count, sums, start, scale, l2, gradient):
    """The same for parameters of which each has a vector of sums."""
    for i in range(0, net.n1 * count, LANES):
        mean = sum_lanes_each(sums, start + i * LANES) * scale
        store(gradient, place + i, fma(load(net.w, net.o + place + i), l2, mean))


@inner
def nothing(*_):
    """What a layer does not need."""


INPUTS = table(
    "inputs",
    one={"one": True, "many": False, "forward": nothing, "backward": nothing, "mean": mean_lanes},
    few={"one": False, "many": False, "forward": nothing, "backward": nothing, "mean": mean_lanes},
    many={
        "one": False,
        "many": True,
        "forward": many_inputs,
        "backward": many_inputs_backward,
        "mean": mean_rows,
    },
)
OUTPUTS = table(
    "outputs",
    one={"one": True, "many": False, "forward": nothing, "backward": nothing, "mean": mean_lanes},
    few={
        "one": False,
        "many": False,
        "forward": several_outputs,
        "backward": nothing,
        "mean": mean_lanes,
    },
    many={
        "one": False,
        "many": True,
        "forward": several_outputs,
        "backward": many_outputs_backward,
        "mean": mean_rows,
    },
)


def layers(d, k):
    """The rows of INPUTS and OUTPUTS for d inputs and k outputs."""
    names = ("one" if count == 1 else "many" if count >= WIDE else "few" for count in (d, k))
    return INPUTS[next(names)], OUTPUTS[next(names)]


# ---------------------------------------------------------------- one set of samples


@inner
def mean_loss(net, loss, rows, scratch):
    """Mean loss over the rows."""
    panels, step, summed = padded(rows.count) // LANES, block_panels(net.n1), 0.0
    for first in range(0, panels, step):
        count = min(step, panels - first)
        forward(net, rows.x, first * net.d * LANES, count, scratch.hidden, scratch.output)
        summed += loss_and_error(loss, scratch.output, rows, first, count, net.k)
    return summed / rows.totals[rows.fold]


@inner
def part_sums(net, loss, rows, part, parts, scratch):
    """The summed loss of one of the parts of the rows; their summed gradients in scratch.sums."""
    d, k = net.d, net.k
    panels, step, summed = padded(rows.count) // LANES, block_panels(net.n1), 0.0
    blocks = (panels + step - 1) // step
    last = min(panels, blocks * (part + 1) // parts * step)
    start = blocks * part // parts * step
    for first in range(start, last, step):
        count = min(step, last - first)
        forward(net, rows.x, first * d * LANES, count, scratch.hidden, scratch.output)
        summed += loss_and_error(loss, scratch.output, rows, first, count, k)
        backward(net, rows, first, count, scratch, first == start)
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


@inner
def loss_and_sums(net, loss, rows, scratch):
    """Mean loss over the rows; the sum of their gradients in scratch.sums."""
    n1, d, k = net.n1, net.d, net.k
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
