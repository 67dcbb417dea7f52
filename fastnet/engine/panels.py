"""Few inputs and outputs with the samples in the lanes, for a net whose weights are rows of units.

units.py uses this where there are many samples: for the exact loss, and for large mini-batches.
Nothing is summed over the lanes before the gradient, and no unit is filled up. The forward pass
takes four panels at a time: one alone would wait for its own long chain of operations, while the
processor works on four at once. Inputs are panels of `size` vectors, of which the first d count;
hidden is (N1, stride), as in network.py, and sums are (d + 1 + k, P, L).
"""

from fastnet.engine.layout import block_stride
from fastnet.engine.network import loss_and_error
from fastnet.native.entry import inner
from fastnet.native.vector import (
    LANES,
    add_each,
    always_inline,
    dot_each,
    fma_each,
    fma_loads,
    load,
    load_each,
    never_inline,
    splat,
    store,
    store_each,
    sum_lanes_each,
    unchecked,
    zeros_each,
)

AT_ONCE = 4  # panels


@inner
def unit_forward(net, u, inputs, hidden, at, below, keep):
    """h of unit u of a panel, whose inputs are a tuple of vectors; with `keep` also at hidden[at],
    and z `below` it if the activation needs z."""
    always_inline()
    z = dot_each(inputs, net.w, u, net.n1) + unchecked(net.w, net.d * net.n1 + u)
    h = net.activation.value(z)
    if keep:
        store(hidden, at, h)
        if net.activation.needs_z:
            store(hidden, at + below, z)
    return h


@inner
def forward(net, x, x0, size, panels, hidden, output, keep):
    """z2 = W2 h + b2 of a block of panels; `keep` says whether h is needed afterwards."""
    never_inline()
    w, n1, k, count = net.w, net.n1, net.k, net.outputs.count
    second, step, stride = n1 * (net.d + 1), size * LANES, block_stride(net.hidden)
    below = net.hidden * stride
    b2 = fma_each(splat(w, 1.0), w, second + n1 * k, 1, zeros_each(w, count))
    for p in range(0, panels, AT_ONCE):
        # Beyond the last panel, the last is computed once more.
        p_1, p_2, p_3 = min(p + 1, panels - 1), min(p + 2, panels - 1), min(p + 3, panels - 1)
        x_0 = load_each(x, x0 + p * step, LANES, net.inputs.count)
        x_1 = load_each(x, x0 + p_1 * step, LANES, net.inputs.count)
        x_2 = load_each(x, x0 + p_2 * step, LANES, net.inputs.count)
        x_3 = load_each(x, x0 + p_3 * step, LANES, net.inputs.count)
        z_0 = z_1 = z_2 = z_3 = b2
        for u in range(net.hidden):
            row = u * stride
            h_0 = unit_forward(net, u, x_0, hidden, row + p * LANES, below, keep)
            h_1 = unit_forward(net, u, x_1, hidden, row + p_1 * LANES, below, keep)
            h_2 = unit_forward(net, u, x_2, hidden, row + p_2 * LANES, below, keep)
            h_3 = unit_forward(net, u, x_3, hidden, row + p_3 * LANES, below, keep)
            z_0, z_1 = fma_each(h_0, w, second + u, n1, z_0), fma_each(h_1, w, second + u, n1, z_1)
            z_2, z_3 = fma_each(h_2, w, second + u, n1, z_2), fma_each(h_3, w, second + u, n1, z_3)
        store_each(output, p * k * LANES, LANES, z_0)
        store_each(output, p_1 * k * LANES, LANES, z_1)
        store_each(output, p_2 * k * LANES, LANES, z_2)
        store_each(output, p_3 * k * LANES, LANES, z_3)


@inner
def unit_backward(net, u, x, x0, size, panels, stride, scratch, overwrite):
    """Sums of the gradient of unit u, lane by lane: dW1, db1 and dW2."""
    w, n1, d, k = net.w, net.n1, net.d, net.k
    hidden, output, second = scratch.hidden, scratch.output, n1 * (d + 1)
    row, below = u * stride, net.hidden * stride
    dw1, dw2 = zeros_each(w, net.inputs.first), zeros_each(w, net.outputs.count)
    for p in range(panels):
        h = load(hidden, row + p * LANES)
        z = h
        if net.activation.needs_z:
            z = load(hidden, row + below + p * LANES)
        errors = load_each(output, p * k * LANES, LANES, net.outputs.count)
        dz = dot_each(errors, w, second + u, n1) * net.activation.slope(z, h)
        dw1 = fma_loads(dz, x, x0 + p * size * LANES, LANES, dw1)
        dw2 = fma_loads(h, output, p * k * LANES, LANES, dw2)
    add_each(scratch.sums, u * LANES, n1 * LANES, dw1, overwrite)
    add_each(scratch.sums, (second + u) * LANES, n1 * LANES, dw2, overwrite)


@inner
def backward(net, x, x0, size, panels, scratch, overwrite):
    """Gradient sums of a block of records, lane by lane, from dL/dz2 in scratch.output."""
    never_inline()
    sums, b2 = scratch.sums, net.n1 * (net.d + 1 + net.k) * LANES
    stride = block_stride(net.hidden)
    for u in range(net.hidden):
        unit_backward(net, u, x, x0, size, panels, stride, scratch, overwrite)
    for u in range(net.hidden, net.n1):
        for j in range(net.d + 1 + net.k):
            store(sums, (j * net.n1 + u) * LANES, splat(sums, 0.0))
    for j in range(net.k):
        summed = load(scratch.output, j * LANES)
        for p in range(1, panels):
            summed = summed + load(scratch.output, (p * net.k + j) * LANES)
        if not overwrite:
            summed = load(sums, b2 + j * LANES) + summed
        store(sums, b2 + j * LANES, summed)


@inner
def block_sums(net, loss, rows, first, panels, scratch):
    """The summed loss of a block of records; their gradient sums, lane by lane, in scratch.sums."""
    size = net.d + 1 + net.k
    x0 = first * size * LANES
    forward(net, rows.x, x0, size, panels, scratch.hidden, scratch.output, True)
    summed = loss_and_error(loss, scratch.output, rows, first, panels, net.k)
    backward(net, rows.x, x0, size, panels, scratch, first == 0)
    return summed


@inner
def add_lanes(net, scratch):
    """The sums over all lanes, as rows of units, in scratch.gradient."""
    never_inline()
    for i in range(0, net.n1 * (net.d + 1 + net.k) + net.k, LANES):
        store(scratch.gradient, i, sum_lanes_each(scratch.sums, i * LANES))
