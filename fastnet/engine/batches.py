"""Mini-batches: the order of samples in an epoch, how a batch is gathered, an epoch of steps."""

import math

from fastnet.engine import units
from fastnet.engine.layout import Rows, padded
from fastnet.engine.network import loss_and_gradient
from fastnet.engine.optimizers import descend
from fastnet.native.entry import inner
from fastnet.native.vector import LANES, load, never_inline, splat, store, transpose, unchecked


@inner
def hash32(x):
    """A 32-bit mixing function (lowbias32 by Chris Wellons, public domain), in 64-bit integers."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


@inner
def shuffle(seed, epoch, order, n):
    """Shuffle the n sample numbers in `order`; depends only on (seed, epoch, n) (Fisher-Yates).

    Behind them is room for n draws: computed in a loop of their own, they become vectors.
    """
    never_inline()
    key = hash32(seed ^ hash32((epoch & 0xFFFFFFFF) ^ 0x5BF03635))
    for i in range(n):
        order[n + i] = (hash32(key ^ hash32(i)) * (i + 1)) >> 32
    for i in range(n - 1, 0, -1):
        j = unchecked(order, n + i)
        order[i], order[j] = order[j], order[i]


@inner
def used_rows(rows, order):
    """Write the numbers of the samples with a weight to `order`, ascending; return their count."""
    weights, used = rows.fold * padded(rows.count), 0
    for i in range(rows.count):
        if rows.weight[weights + i] != 0.0:
            order[used] = i
            used += 1
    return used


@inner
def place_in_panels(i, width):
    """Index of sample i's first value in panels of `width` values; the next is LANES further."""
    lane = i & (LANES - 1)
    return (i - lane) * width + lane


@inner
def gather_few(values, order, first, count, width, to):
    """Copy samples order[first : first + count] of panels (panels, width, L) to `to`, as panels."""
    for i in range(count):
        place = place_in_panels(i, width)
        start = place_in_panels(unchecked(order, first + i), width)
        for j in range(width):
            to[place + j * LANES] = unchecked(values, start + j * LANES)
    for i in range(count, padded(count)):
        place = place_in_panels(i, width)
        for j in range(width):
            to[place + j * LANES] = 0.0


@inner
def gather_rows(side, n, order, first, count, width, to_side, to):
    """Copy samples order[first : first + count] of rows side by side (padded width / L, n, L) to
    `to_side`, side by side, and to `to`, as panels."""
    for g in range(padded(width) // LANES):
        for i in range(padded(count)):
            row = splat(side, 0.0)
            if i < count:
                row = load(side, (g * n + unchecked(order, first + i)) * LANES)
            store(to_side, (g * padded(count) + i) * LANES, row)
    for p in range(padded(count) // LANES):
        for g in range(padded(width) // LANES):
            start = (g * padded(count) + p * LANES) * LANES
            transpose(to_side, start, LANES, to, (p * width + g * LANES) * LANES, LANES)


@inner
def gather(net, rows, order, first, count, batch):
    """Copy samples order[first : first + count] of the Rows to the arrays of `batch`."""
    never_inline()
    weights, total_weight = rows.fold * padded(rows.count), 0.0
    for i in range(padded(count)):
        batch.weight[i] = (
            unchecked(rows.weight, weights + unchecked(order, first + i)) if i < count else 0.0
        )
        total_weight += float(batch.weight[i])
    n = padded(rows.count)
    if net.inputs.many:
        gather_rows(rows.x_rows, n, order, first, count, net.d, batch.x_rows, batch.x)
    else:
        gather_few(rows.x, order, first, count, net.d, batch.x)
    if net.outputs.many:
        gather_rows(rows.y_rows, n, order, first, count, net.k, batch.y_rows, batch.y)
    else:
        gather_few(rows.y, order, first, count, net.k, batch.y)
    batch.totals[0] = total_weight
    return Rows(batch.x, batch.x_rows, batch.y, batch.y_rows, batch.weight, batch.totals, count, 0)


@inner
def batch_epoch(optimizer, net, loss, setting, state, memory, train, scratch):
    """Train one epoch of mini-batches; mean loss, largest norm, clipped share go to the state."""
    size = setting["batch_size"]
    order, n = scratch.order, used_rows(train, scratch.order)
    shuffle(int(setting["seed"]), int(state["epoch"]) + 1, order, n)
    summed, largest, clipped, steps = 0.0, 0.0, 0, 0
    for first in range(0, n, size):
        count = min(size, n - first)
        if net.inputs.units:
            rows = units.gather(net, train, order, first, count, scratch.batch)
            mean, norm = units.loss_and_gradient(net, loss, float(setting["l2"]), rows, scratch)
        else:
            rows = gather(net, train, order, first, count, scratch.batch)
            mean, norm = loss_and_gradient(net, loss, float(setting["l2"]), rows, scratch)
        summed += mean * rows.totals[0]
        largest = max(largest, norm)
        if not math.isfinite(norm):
            largest = norm
            break
        clipped += descend(optimizer, net, setting, state, memory, mean, norm, scratch)
        steps += 1
    state["mean_loss"] = summed / train.totals[train.fold]
    state["gradient_norm"] = largest
    state["clipped"] = clipped / max(steps, 1)
