"""The parts of a layer with one, few or many inputs or outputs: the rows of INPUTS and OUTPUTS.

A kernel is compiled for one row of each. With many (WIDE or more) inputs or outputs, these are the
lanes of their gradient, which is computed in tiles. A single one keeps its sums in registers. Few
have one sum each, over the samples in its lanes. The reference needs no such file because NumPy
multiplies matrices of any size.

A block is `panels` panels of its rows, from `first` on; its inputs begin at x0. hidden and delta
are (N1, stride), output is (panels, k, L), sums begin with dW1 and db1: see Scratch. With
`overwrite`, the old value of a sum is ignored.
"""

from fastnet.engine.layout import WIDE, block_stride, padded, second_layer
from fastnet.native.choice import table
from fastnet.native.entry import inner
from fastnet.native.vector import (
    LANES,
    always_inline,
    fma,
    load,
    most_columns,
    most_rows,
    never_inline,
    splat,
    store,
    sum_lanes_each,
    tile,
    transpose,
    unchecked,
)

# ---------------------------------------------------------------- products


@inner
def product(
    rows, columns, a, a0, a_row, a_col, depth, b, b0, b_row, b_col, c, c0, c_row, c_col, overwrite
):
    """c (rows, columns, L) += a (rows, depth) @ b (depth, columns, L), in tiles of about equal
    shape. a_row, ..., c_col are the steps between rows and columns: see vector.tile.

    The shape does not change the bytes: each element is summed over the depth in order.
    """
    never_inline()
    across, left = (columns + most_columns(c) - 1) // most_columns(c), 0
    down = (rows + most_rows(c) - 1) // most_rows(c)
    for s in range(1, across + 1):
        right, top = columns * s // across, 0
        for t in range(1, down + 1):
            bottom = rows * t // down
            start, place = a0 + top * a_row, c0 + top * c_row + left * c_col
            tile(
                bottom - top, right - left, a, start, a_row, a_col, depth,
                b, b0 + left * b_col, b_row, b_col, c, place, c_row, c_col, overwrite,
            )  # fmt: skip
            top = bottom
        left = right


@inner
def add(sums, i, v, overwrite):
    """sums[i : i + LANES] += v, or = v with `overwrite`."""
    if overwrite:
        store(sums, i, v)
    else:
        store(sums, i, load(sums, i) + v)


@inner
def lane_products(a, a0, panels, b, b0, count, sums, place, overwrite):
    """sums (count, L) += a of a unit (panels, L) times b (panels, count, L), lane by lane.

    Each pass over b uses as many panels as registers hold: four, then two, then one.
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


# ---------------------------------------------------------------- forward


@inner
def many_inputs(net, x, x0, panels, hidden):
    """Write W1 x + b1 of a block to hidden."""
    w, o, n1, d, stride = net.w, net.o, net.n1, net.d, block_stride(net.n1)
    for u in range(n1):
        bias = splat(w, unchecked(w, o + n1 * d + u))
        for p in range(panels):
            store(hidden, u * stride + p * LANES, bias)
    panel = d * LANES
    product(n1, panels, w, o, d, 1, d, x, x0, LANES, panel, hidden, 0, stride, LANES, False)


@inner
def several_outputs(net, panels, hidden, output):
    """Add W2 h of a block to output."""
    k, w2, stride = net.k, net.o + net.n1 * (net.d + 1), block_stride(net.n1)
    panel = k * LANES
    product(
        k, panels, net.w, w2, 1, k, net.n1, hidden, 0, stride, LANES, output, 0, LANES, panel, False
    )


# ---------------------------------------------------------------- backward


@inner
def hidden_error(net, panels, scratch):
    """Write W2^T dL/dz2 of a block to delta; for many outputs."""
    w2, k, n1, stride = net.o + net.n1 * (net.d + 1), net.k, net.n1, block_stride(net.n1)
    output, delta, panel = scratch.output, scratch.delta, k * LANES
    product(n1, panels, net.w, w2, k, 1, k, output, 0, LANES, panel, delta, 0, stride, LANES, True)


@inner
def transpose_errors(output, panels, k, error_rows):
    """Lay dL/dz2 (panels, k, L) out as x_rows; the values of the filling are never used."""
    for p in range(panels):
        for g in range(padded(k) // LANES):
            first = (p * k + g * LANES) * LANES
            transpose(output, first, LANES, error_rows, (g * panels + p) * LANES * LANES, LANES)


@inner
def rows_product(n1, a, samples, b, b0, b_col, sums, place, width, overwrite):
    """sums (N1, width) += a b over the samples: a (N1, stride) of a block, b rows of L side by
    side, b_col apart."""
    row, groups = block_stride(n1), width // LANES
    product(
        n1, groups, a, 0, row, 1, samples, b, b0, LANES, b_col, sums, place, width, LANES, overwrite
    )


@inner
def many_outputs_backward(net, panels, scratch, overwrite):
    """Write W2^T dL/dz2 to delta, and dW2 = dL/dz2 h with the outputs in the lanes."""
    hidden_error(net, panels, scratch)
    errors, width, samples = scratch.error_rows, padded(net.k), panels * LANES
    transpose_errors(scratch.output, panels, net.k, errors)
    start, hidden, sums = second_layer(net.n1, net.d), scratch.hidden, scratch.sums
    rows_product(net.n1, hidden, samples, errors, 0, samples * LANES, sums, start, width, overwrite)


@inner
def many_inputs_backward(net, rows, first, panels, scratch, overwrite):
    """Write dW1 = dL/dz1 x with the inputs in the lanes."""
    n1, samples, delta, sums = net.n1, panels * LANES, scratch.delta, scratch.sums
    start, group = first * LANES * LANES, padded(rows.count) * LANES
    rows_product(n1, delta, samples, rows.x_rows, start, group, sums, 0, padded(net.d), overwrite)


# ---------------------------------------------------------------- the mean gradient


@inner
def mean_rows(net, place, count, sums, start, scale, l2, gradient):
    """Write means, with the slope of the penalty, of gradient sums of N1 x count parameters, one
    padded row per unit, from `place` on. A vector may reach beyond its row; the next overwrites it.
    """
    w, o, width = net.w, net.o + place, padded(count)
    for u in range(net.n1):
        for c in range(0, count, LANES):
            mean = load(sums, start + u * width + c) * scale
            store(gradient, place + u * count + c, fma(load(w, o + u * count + c), l2, mean))


@inner
def mean_lanes(net, place, count, sums, start, scale, l2, gradient):
    """Write means with the slope of the penalty for parameters that each have a vector of sums."""
    for i in range(0, net.n1 * count, LANES):
        mean = sum_lanes_each(sums, start + i * LANES) * scale
        store(gradient, place + i, fma(load(net.w, net.o + place + i), l2, mean))


# ---------------------------------------------------------------- the tables


@inner
def nothing(*_):
    """A row's function for work that its layer does not need."""


# forward: z1 or z2 of a block. backward: the work for all units before (outputs) or after
# (inputs) the loop over units. mean: the layer's gradient from its sums.
INPUTS = table(
    "inputs",
    one={
        "units": False,
        "one": True,
        "many": False,
        "forward": nothing,
        "backward": nothing,
        "mean": mean_lanes,
    },
    few={
        "units": False,
        "one": False,
        "many": False,
        "forward": nothing,
        "backward": nothing,
        "mean": mean_lanes,
    },
    many={
        "units": False,
        "one": False,
        "many": True,
        "forward": many_inputs,
        "backward": many_inputs_backward,
        "mean": mean_rows,
    },
)
OUTPUTS = table(
    "outputs",
    one={
        "one": True,
        "many": False,
        "forward": nothing,
        "backward": nothing,
        "mean": mean_lanes,
    },
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


def layers_of(d, k):
    """The rows of INPUTS and OUTPUTS for d inputs and k outputs."""
    names = ("one" if count == 1 else "many" if count >= WIDE else "few" for count in (d, k))
    return INPUTS[next(names)], OUTPUTS[next(names)]
