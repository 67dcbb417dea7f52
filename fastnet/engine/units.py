"""Mini-batches with the hidden units in the lanes: a second layout of one member's numbers.

With samples in the lanes (layout.py), a mini-batch pays for its few samples: they are gathered
lane by lane, and each gradient is a sum over the lanes. Here a vector is L hidden units of one
sample. With P = N1 filled up to whole vectors, a member's weights are rows of P units,

    row j < d     W1[:, j]        row d    b1        row d + 1 + j    W2[j, :]

then b2 (k,). A sample is a *record* (x_1 ... x_d, 1, y_1 ... y_k). Then, for the units of a vector,

    z1 = sum over j of x_j (row j), x_(d+1) = 1     each x_j is one number for all lanes
    dL/dh = sum over j of dL/dz2_j W2[j, :]         so is each dL/dz2_j
    dW1[:, j] = sum over samples of x_j dL/dz1      a sum stays in its register for all samples;
    dW2[j, :] = sum over samples of dL/dz2_j h      db1 is the one of x_(d+1)

and only z2_j = sum over units of W2[j, :] h is a sum over lanes: L samples have theirs together.
Records are gathered as they lie in memory, and L of them are transposed to a panel (d + 1 + k, L).
N1, d, k and the batch decide the order of every sum, as in the other layout.

Rows of units are the matrices of a net of width P, transposed: W1, b1, W2 and b2 begin where
layout.py says. So optimisers and norms serve both layouts. Filling has weights 0, so its
gradients of W1 and b1 are 0; those of W2 are set to 0. Gradients and the optimiser's memory always
have this layout. A member's weights are arranged for a call, and then put back as layout.py packs
them.

layout.in_units() decides which members' mini-batches come here. The full batch has enough samples
for the lanes. So have the exact loss and large mini-batches of few inputs: panels.py takes these.
In a block, hidden is (panels, P / L, L samples, L) and output (panels, k, L).
"""

import math

import numpy as np

from fastnet.engine import panels as across
from fastnet.engine.layout import (
    WIDE,
    Net,
    Rows,
    block_panels,
    padded,
    parameter_length,
    side_by_side,
)
from fastnet.engine.network import loss_and_error
from fastnet.native.choice import table
from fastnet.native.entry import inner
from fastnet.native.vector import (
    LANES,
    add_each,
    dot_each,
    fma,
    fma_each,
    load,
    load_each,
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
    zeros_each,
)

PANELS = 2  # whose h lies in the L1 cache until z2 is computed
LARGE = 192  # samples of a mini-batch from which on panels.py is faster (docs/notes/kernels.md)
CHUNK = 8  # inputs whose sums are in registers at once: they fill two pipes of 4 cycles

# ---------------------------------------------------------------- weights and samples


@inner
def arrange(net, units):
    """The net with its weights as rows of units, in `units`; a mask of the last vector follows."""
    w, o, n1, d, k, width = net.w, net.o, net.n1, net.d, net.k, padded(net.n1)
    w2, length = o + n1 * (d + 1), parameter_length(width, d, k)
    for i in range(0, length, LANES):
        store(units, i, splat(units, 0.0))
    for u in range(n1):
        for j in range(d):
            units[j * width + u] = unchecked(w, o + u * d + j)
        units[d * width + u] = unchecked(w, o + n1 * d + u)
        for j in range(k):
            units[(d + 1 + j) * width + u] = unchecked(w, w2 + u * k + j)
    for j in range(k):
        units[width * (d + 1 + k) + j] = unchecked(w, w2 + n1 * k + j)
    for lane in range(LANES):
        units[length + lane] = 1.0 if width - LANES + lane < n1 else 0.0
    return Net(units, 0, width, d, k, net.activation, net.inputs, net.outputs, n1)


@inner
def put_back(own, net):
    """Copy the weights of an arranged net back to where they came from."""
    w, o, n1, d, k, width = net.w, net.o, net.n1, net.d, net.k, own.n1
    w2 = o + n1 * (d + 1)
    for u in range(n1):
        for j in range(d):
            w[o + u * d + j] = unchecked(own.w, j * width + u)
        w[o + n1 * d + u] = unchecked(own.w, d * width + u)
        for j in range(k):
            w[w2 + u * k + j] = unchecked(own.w, (d + 1 + j) * width + u)
    for j in range(k):
        w[w2 + n1 * k + j] = unchecked(own.w, width * (d + 1 + k) + j)


@inner
def gather_records(records, n, order, first, count, size, room, x):
    """Copy the records order[first : first + count], of `size` numbers, to x as panels; the last
    panel is filled with zeros."""
    for p in range(0, count, LANES):
        for g in range(0, size, LANES):
            for i in range(LANES):
                record = splat(records, 0.0)
                if p + i < count:
                    record = load(records, g * n + unchecked(order, first + p + i) * LANES)
                store(room, i * LANES, record)
            # What is beyond `size` lies in the next panel, which overwrites it.
            transpose(room, 0, LANES, x, p * size + g * LANES, LANES)


@inner
def gather(net, rows, order, first, count, batch):
    """Copy samples order[first : first + count] of the Rows to the arrays of `batch`."""
    never_inline()
    k, size, n = net.k, net.d + 1 + net.k, padded(rows.count)
    gather_records(rows.x_rows, n, order, first, count, size, batch.x_rows, batch.x)
    weights, total = rows.fold * n, to_float64(splat(batch.weight, 0.0))
    for p in range(0, count, LANES):
        for j in range(k):
            store(batch.y, p * k + j * LANES, load(batch.x, p * size + (size - k + j) * LANES))
        for i in range(p, p + LANES):
            batch.weight[i] = (
                unchecked(rows.weight, weights + unchecked(order, first + i)) if i < count else 0.0
            )
        total = total + to_float64(load(batch.weight, p))
    batch.totals[0] = sum_lanes(total)
    return Rows(batch.x, batch.x_rows, batch.y, batch.y_rows, batch.weight, batch.totals, count, 0)


@inner
def copy_inputs(net, x, first, panels, to):
    """Copy panels of inputs (d, L), from `first` on, to panels of records, without targets."""
    size = net.d + 1 + net.k
    for p in range(panels):
        for j in range(net.d):
            store(to, (p * size + j) * LANES, load(x, ((first + p) * net.d + j) * LANES))
        store(to, (p * size + net.d) * LANES, splat(to, 1.0))


# ---------------------------------------------------------------- forward


@inner
def height(array):
    """Samples of a tile: a divisor of L. It changes no byte, since each sum belongs to a sample."""
    most = most_rows(array)
    return 8 if most >= 8 else 4 if most >= 4 else 2


@inner
def few_inputs(net, x, x0, first, last, panels, hidden):
    """h of some panels of a block. Apart from forward(), LLVM keeps all constants in registers."""
    never_inline()
    for c in range(0, net.n1, LANES):
        weights = load_each(net.w, c, net.n1, net.inputs.first)
        for p in range(first, last):
            inputs, h0 = x0 + p * (net.d + 1 + net.k) * LANES, (p * net.n1 + c) * LANES
            for s in range(LANES):
                z = dot_each(weights, x, inputs + s, LANES)
                if net.activation.needs_z:
                    store(hidden, h0 + s * LANES + panels * LANES * net.n1, z)
                store(hidden, h0 + s * LANES, net.activation.value(z))


@inner
def more_inputs(net, x, x0, first, last, panels, hidden):
    """h of some panels of a block, with tiles of samples."""
    w, width, depth, rows = net.w, net.n1, net.d + 1, height(net.w)
    for p in range(first, last):
        for c in range(0, width, LANES):
            inputs, h0 = x0 + p * (depth + net.k) * LANES, (p * width + c) * LANES
            for s in range(0, LANES, rows):
                h, a = h0 + s * LANES, inputs + s
                tile(rows, 1, x, a, 1, LANES, depth, w, c, width, 0, hidden, h, LANES, 0, True)
            for i in range(h0, h0 + LANES * LANES, LANES):
                z = load(hidden, i)
                if net.activation.needs_z:
                    store(hidden, i + panels * LANES * width, z)
                store(hidden, i, net.activation.value(z))


@inner
def forward(net, x, x0, panels, scratch):
    """h = s(W1 x + b1) and z2 = W2 h + b2 for a block of panels."""
    never_inline()
    for first in range(0, panels, PANELS):
        last = min(first + PANELS, panels)
        if net.inputs.more:
            more_inputs(net, x, x0, first, last, panels, scratch.hidden)
        else:
            few_inputs(net, x, x0, first, last, panels, scratch.hidden)
        for p in range(first, last):
            outputs(net, p, scratch)


@inner
def outputs(net, p, scratch):
    """z2 = W2 h + b2 of a panel."""
    b2, room = net.n1 * (net.d + 1 + net.k), scratch.delta
    for j in range(net.k):
        row = (net.d + 1 + j) * net.n1
        for s in range(0, LANES, 4):
            unit_products(net, row, (p * net.n1 + s) * LANES, scratch.hidden, room, s * LANES)
        z = sum_lanes_each(room, 0) + unchecked(net.w, b2 + j)
        store(scratch.output, (p * net.k + j) * LANES, z)


@inner
def unit_products(net, row, h0, hidden, room, to):
    """Lane by lane, a row of W2 times h of four samples."""
    zero = splat(net.w, 0.0)
    a_0, a_1, a_2, a_3 = zero, zero, zero, zero
    for c in range(0, net.n1, LANES):
        weight, h = load(net.w, row + c), h0 + c * LANES
        a_0 = fma(weight, load(hidden, h), a_0)
        a_1 = fma(weight, load(hidden, h + LANES), a_1)
        a_2 = fma(weight, load(hidden, h + 2 * LANES), a_2)
        a_3 = fma(weight, load(hidden, h + 3 * LANES), a_3)
    store(room, to, a_0)
    store(room, to + LANES, a_1)
    store(room, to + 2 * LANES, a_2)
    store(room, to + 3 * LANES, a_3)


# ---------------------------------------------------------------- backward


@inner
def first_sums(net, c, x, x0, panels, scratch, overwrite):
    """dL/dz1 of a vector of units, from c on, and its sums of dW2 and of the first inputs' dW1."""
    w, width, gradient, hidden = net.w, net.n1, scratch.gradient, scratch.hidden
    second, output = (net.d + 1) * width + c, scratch.output
    w2 = load_each(w, second, width, net.outputs.count)
    dw1, dw2 = zeros_each(w, net.inputs.first), zeros_each(w, net.outputs.count)
    for p in range(panels):
        inputs, errors = x0 + p * (net.d + 1 + net.k) * LANES, p * net.k * LANES
        for s in range(LANES):
            at = (p * width + c + s) * LANES
            h = load(hidden, at)
            z = load(hidden, at + panels * LANES * width) if net.activation.needs_z else h
            dz = dot_each(w2, output, errors + s, LANES) * net.activation.slope(z, h)
            dw1 = fma_each(dz, x, inputs + s, LANES, dw1)
            dw2 = fma_each(h, output, errors + s, LANES, dw2)
            if net.inputs.more:
                store(scratch.delta, (p * LANES + s) * LANES, dz)
    add_each(gradient, c, width, dw1, overwrite)
    add_each(gradient, second, width, dw2, overwrite)


@inner
def more_sums(net, c, j, x, x0, panels, scratch, overwrite):
    """The sums of dW1 of CHUNK further inputs, from j on."""
    sums = zeros_each(net.w, CHUNK)
    for p in range(panels):
        inputs = x0 + (p * (net.d + 1 + net.k) + j) * LANES
        for s in range(LANES):
            dz = load(scratch.delta, (p * LANES + s) * LANES)
            sums = fma_each(dz, x, inputs + s, LANES, sums)
    add_each(scratch.gradient, c + j * net.n1, net.n1, sums, overwrite)


@inner
def backward(net, x, x0, panels, scratch, overwrite):
    """Gradient sums of a block, from dL/dz2 in scratch.output."""
    never_inline()
    for c in range(0, net.n1, LANES):
        first_sums(net, c, x, x0, panels, scratch, overwrite)
        if net.inputs.more:
            for j in range(net.inputs.first, net.d + 1, CHUNK):
                more_sums(net, c, j, x, x0, panels, scratch, overwrite)
    b2, gradient = net.n1 * (net.d + 1 + net.k), scratch.gradient
    for j in range(net.k):
        summed = splat(net.w, 0.0)
        for p in range(panels):
            summed = summed + load(scratch.output, (p * net.k + j) * LANES)
        before = 0.0 if overwrite else gradient[b2 + j]
        gradient[b2 + j] = before + sum_lanes(summed)


# ---------------------------------------------------------------- one set of samples


@inner
def mean_part(w, first, last, scale, l2, gradient, squares):
    """Turn sums into means, with the slope of the penalty; add their squares to `squares`."""
    for i in range(first, last, LANES):
        mean = fma(load(w, i), l2, load(gradient, i) * scale)
        store(gradient, i, mean)
        wide = to_float64(mean)
        squares = fma(wide, wide, squares)
    return squares


@inner
def mean_gradient(net, l2, weights, gradient):
    """Turn the sums into the mean gradient, `weights` in all, L2 penalty added; return its norm."""
    never_inline()
    w, width, d, k, scale = net.w, net.n1, net.d, net.k, 1.0 / weights
    b1, w2, b2 = width * d, width * (d + 1), width * (d + 1 + k)
    length = parameter_length(width, d, k)
    for i in range(b2 + k, length):
        gradient[i] = 0.0
    for i in range(w2 + width - LANES, b2, width):
        store(gradient, i, load(gradient, i) * load(w, length))
    squares = to_float64(splat(w, 0.0))
    squares = mean_part(w, 0, b1, scale, l2, gradient, squares)
    squares = mean_part(w, b1, w2, scale, 0.0, gradient, squares)
    squares = mean_part(w, w2, b2, scale, l2, gradient, squares)
    squares = mean_part(w, b2, length, scale, 0.0, gradient, squares)
    return math.sqrt(sum_lanes(squares))


@inner
def block_sums(net, loss, rows, first, panels, scratch):
    """The summed loss of a block of records; their gradient sums in scratch.gradient."""
    x0 = first * (net.d + 1 + net.k) * LANES
    forward(net, rows.x, x0, panels, scratch)
    summed = loss_and_error(loss, scratch.output, rows, first, panels, net.k)
    backward(net, rows.x, x0, panels, scratch, first == 0)
    return summed


@inner
def loss_and_gradient(net, loss, l2, rows, scratch):
    """Mean loss over a gathered mini-batch and the norm of its gradient, left in
    scratch.gradient."""
    panels, step, summed = padded(rows.count) // LANES, block_panels(net.n1), 0.0
    for first in range(0, panels, step):
        count = min(step, panels - first)
        if net.inputs.more or rows.count < LARGE:
            summed += block_sums(net, loss, rows, first, count, scratch)
        else:
            summed += across.block_sums(net, loss, rows, first, count, scratch)
    if not net.inputs.more and rows.count >= LARGE:
        across.add_lanes(net, scratch)
    weights = rows.totals[rows.fold]
    return summed / weights, mean_gradient(net, l2, weights, scratch.gradient)


@inner
def block_forward(net, rows, first, panels, scratch):
    """z2 of a block of rows that lie as layout.py says."""
    if net.inputs.more:
        copy_inputs(net, rows.x, first, panels, scratch.batch.x)
        forward(net, scratch.batch.x, 0, panels, scratch)
    else:
        x0, output = first * net.d * LANES, scratch.output
        across.forward(net, rows.x, x0, net.d, panels, scratch.hidden, output, False)


@inner
def mean_loss(net, loss, rows, scratch):
    """Mean loss over the rows."""
    panels, step, summed = padded(rows.count) // LANES, block_panels(net.n1), 0.0
    for first in range(0, panels, step):
        count = min(step, panels - first)
        block_forward(net, rows, first, count, scratch)
        summed += loss_and_error(loss, scratch.output, rows, first, count, net.k)
    return summed / rows.totals[rows.fold]


# ---------------------------------------------------------------- what a kernel is compiled for

# Of d + 1 inputs, the 1 included, `first` have their sums beside dW2; `more` says whether chunks
# of CHUNK follow. So loops over inputs and outputs are unrolled, and kernels of eight numbers of
# inputs serve all.
INPUTS = table(
    "inputs of units",
    **{
        f"{first}{' and more' * more}": {
            "units": True,
            "first": first,
            "more": more,
            "count": first - 1,  # unless more
        }
        for first in range(1, CHUNK + 1)
        for more in (False, True)
    },
)
OUTPUTS = table("outputs of units", **{str(count): {"count": count} for count in range(1, WIDE)})


def layers_of(d, k):
    """The rows of INPUTS and OUTPUTS for d inputs and k outputs."""
    return INPUTS[f"{d % CHUNK + 1}{' and more' * (d >= CHUNK)}"], OUTPUTS[str(k)]


def problem_in_units(problem, X, Y):
    """The problem as kernels take it for this layout: records (n, d + 1 + k) in place of x_rows."""
    records = np.hstack([X, np.ones((len(X), 1)), Y])
    train = problem.train._replace(x_rows=side_by_side(records, problem.train.x.dtype, 1))
    inputs, outputs = layers_of(problem.d, problem.k)
    return problem._replace(train=train, inputs=inputs, outputs=outputs)
