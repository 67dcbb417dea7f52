"""Mini-batches: their order in an epoch, and an epoch of steps."""

import numpy as np

from fastnet.reference.network import Rows, loss_and_gradient
from fastnet.reference.optimizers import descend


def hash32(x):
    """A 32-bit mixing function (lowbias32 by Chris Wellons, public domain)."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def shuffle(seed, epoch, n):
    """The order of n samples in an epoch; depends only on (seed, epoch, n) (Fisher-Yates)."""
    key = hash32(seed ^ hash32((epoch & 0xFFFFFFFF) ^ 0x5BF03635))
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        draw = hash32(key ^ hash32(i))
        j = (draw * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]
    return order


def batch_epoch(activation, optimizer, net, loss, setting, state, memory, train):
    """Train one epoch of mini-batches; mean loss, largest norm, clipped share go to the state."""
    order = shuffle(int(setting["seed"]), int(state["epoch"]) + 1, train.count)
    summed, largest, clipped = 0.0, 0.0, []
    for first in range(0, train.count, setting["batch_size"]):
        batch = order[first : first + setting["batch_size"]]
        rows = Rows(train.X[batch], train.Y[batch], train.weight[batch])
        mean, gradient, norm = loss_and_gradient(net, activation, loss, setting["l2"], rows)
        summed += mean * rows.total
        largest = max(largest, norm)
        if not np.isfinite(norm):
            largest = norm
            break
        clipped.append(descend(optimizer, net, setting, state, memory, mean, gradient, norm))
    state["mean_loss"] = summed / train.total
    state["gradient_norm"] = largest
    state["clipped"] = sum(clipped) / max(len(clipped), 1)
