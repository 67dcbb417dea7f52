"""Optimisers: one step of a member's weights along its gradient, which is clipped already.

Each moves net.w, `length` numbers from net.o on. Its own memory lies in `memory` from Step.memory
on: as many runs of `length` numbers as its row says, all 0 before the first step. The twins are in
formulas.py.
"""

from typing import NamedTuple

from fastnet.engine.elementary import sign
from fastnet.engine.layout import parameter_length
from fastnet.native.choice import table
from fastnet.native.entry import inner
from fastnet.native.vector import LANES, fma, load, splat, sqrt, store, where_greater

RPROP_UP, RPROP_DOWN, RPROP_LARGEST, RPROP_SMALLEST = 1.2, 0.5, 50.0, 1e-6


class Step(NamedTuple):
    """The numbers of one step."""

    memory: int  # where the member's begins
    learning_rate: float
    count: int  # of this step, from 1
    momentum: float
    beta_1: float
    beta_2: float
    epsilon: float
    rho: float
    weight_decay: float
    worse: bool  # the training loss is above that of the step before


@inner
def sgd(net, length, gradient, memory, step):
    """w -= learning_rate g."""
    w, o = net.w, net.o
    for i in range(0, length, LANES):
        store(w, o + i, fma(load(gradient, i), -step.learning_rate, load(w, o + i)))


@inner
def momentum(net, length, gradient, memory, step):
    """v = momentum v + g, w -= learning_rate v."""
    w, o, at = net.w, net.o, step.memory
    for i in range(0, length, LANES):
        v = fma(load(memory, at + i), step.momentum, load(gradient, i))
        store(memory, at + i, v)
        store(w, o + i, fma(v, -step.learning_rate, load(w, o + i)))


@inner
def nesterov(net, length, gradient, memory, step):
    """v = momentum v + g, w -= learning_rate (g + momentum v)."""
    w, o, at = net.w, net.o, step.memory
    for i in range(0, length, LANES):
        g = load(gradient, i)
        v = fma(load(memory, at + i), step.momentum, g)
        store(memory, at + i, v)
        store(w, o + i, fma(fma(v, step.momentum, g), -step.learning_rate, load(w, o + i)))


@inner
def rmsprop(net, length, gradient, memory, step):
    """v = rho v + (1 - rho) g**2, w -= learning_rate g / (sqrt v + epsilon)."""
    w, o, at = net.w, net.o, step.memory
    for i in range(0, length, LANES):
        g = load(gradient, i)
        v = fma(load(memory, at + i), step.rho, (1.0 - step.rho) * (g * g))
        store(memory, at + i, v)
        moved = step.learning_rate * g / (sqrt(v) + step.epsilon)
        store(w, o + i, load(w, o + i) - moved)


@inner
def adam(net, length, gradient, memory, step):
    """m and v, running means of g and g**2, each divided by 1 - beta**count:
    w -= learning_rate m / (sqrt v + epsilon)."""
    w, o, at = net.w, net.o, step.memory
    whole_1 = 1.0 - step.beta_1**step.count
    whole_2 = 1.0 - step.beta_2**step.count
    for i in range(0, length, LANES):
        g = load(gradient, i)
        m = fma(load(memory, at + i), step.beta_1, (1.0 - step.beta_1) * g)
        v = fma(load(memory, at + length + i), step.beta_2, (1.0 - step.beta_2) * (g * g))
        store(memory, at + i, m)
        store(memory, at + length + i, v)
        moved = step.learning_rate * (m / whole_1) / (sqrt(v / whole_2) + step.epsilon)
        store(w, o + i, load(w, o + i) - moved)


@inner
def adamw(net, length, gradient, memory, step):
    """W1 and W2 shrink by learning_rate * weight_decay of themselves, then adam."""
    w, o, n1, d, k = net.w, net.o, net.n1, net.d, net.k
    keep = 1.0 - step.learning_rate * step.weight_decay
    for i in range(n1 * d):
        w[o + i] *= keep
    for i in range(n1 * (d + 1), n1 * (d + 1 + k)):
        w[o + i] *= keep
    adam(net, length, gradient, memory, step)


@inner
def rprop(net, length, gradient, memory, step):
    """iRprop+: a step length of its own for each weight; memory: the gradient before, lengths."""
    w, o, at = net.w, net.o, step.memory
    for i in range(0, length, LANES):
        g, before = load(gradient, i), load(memory, at + i)
        size = load(memory, at + length + i)
        if step.count == 1:
            size = splat(w, step.learning_rate)
        agreement = sign(before) * sign(g)
        if step.worse:
            back = where_greater(0.0, agreement, sign(before) * size, 0.0)
            store(w, o + i, load(w, o + i) + back)
        size = size * where_greater(
            agreement, 0.0, RPROP_UP, where_greater(0.0, agreement, RPROP_DOWN, agreement + 1.0)
        )
        size = where_greater(size, RPROP_LARGEST, RPROP_LARGEST, size)
        size = where_greater(RPROP_SMALLEST, size, RPROP_SMALLEST, size)
        before = where_greater(0.0, agreement, 0.0, g)
        store(memory, at + i, before)
        store(memory, at + length + i, size)
        store(w, o + i, fma(sign(before), 0.0 - size, load(w, o + i)))


OPTIMIZERS = table(
    "optimizer",
    sgd={"update": sgd, "memory": 0},
    momentum={"update": momentum, "memory": 1},
    nesterov={"update": nesterov, "memory": 1},
    rmsprop={"update": rmsprop, "memory": 1},
    adam={"update": adam, "memory": 2},
    adamw={"update": adamw, "memory": 2},
    rprop={"update": rprop, "memory": 2},
)


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
def descend(optimizer, net, setting, state, memory, loss, norm, scratch):
    """Clip the gradient in scratch and move the weights along it; whether it was clipped.

    `loss` is that of the samples of the step, before it.
    """
    length = parameter_length(net.n1, net.d, net.k)
    clipped = clip(scratch.gradient, length, norm, float(setting["clip_norm"]))
    state["steps"] += 1
    step = Step(
        int(setting["memory"]),
        float(state["learning_rate"]),
        int(state["steps"]),
        float(setting["momentum"]),
        float(setting["beta_1"]),
        float(setting["beta_2"]),
        float(setting["epsilon"]),
        float(setting["rho"]),
        float(setting["weight_decay"]),
        loss > state["step_loss"],
    )
    optimizer.update(net, length, scratch.gradient, memory, step)
    state["step_loss"] = loss
    return clipped
