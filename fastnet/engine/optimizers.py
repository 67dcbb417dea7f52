"""Optimisers: one step of a member's weights along its gradient, which is already clipped.

Each moves net.w, `length` numbers from net.o on. Its own memory lies in `memory` from
setting["memory"] on. It is as many runs of `length` numbers as its row says, all 0 before the first
step. Its parameters come from the member's setting and state and become floats before the loop.
state["steps"] counts from 1, `loss` is the loss of the samples of this step, state["step_loss"]
that of the step before.
"""

from fastnet.engine.elementary import quotient, sign
from fastnet.engine.layout import parameter_length
from fastnet.native.choice import table
from fastnet.native.entry import inner
from fastnet.native.vector import LANES, fma, load, splat, sqrt, store, where_greater

RPROP_UP, RPROP_DOWN, RPROP_LARGEST, RPROP_SMALLEST = 1.2, 0.5, 50.0, 1e-6


@inner
def sgd(net, length, gradient, memory, setting, state, loss):
    """w -= learning_rate g."""
    w, o, rate = net.w, net.o, float(state["learning_rate"])
    for i in range(0, length, LANES):
        store(w, o + i, fma(load(gradient, i), -rate, load(w, o + i)))


@inner
def momentum(net, length, gradient, memory, setting, state, loss):
    """v = momentum v + g, w -= learning_rate v."""
    w, o, at, rate = net.w, net.o, int(setting["memory"]), float(state["learning_rate"])
    mu = float(setting["momentum"])
    for i in range(0, length, LANES):
        v = fma(load(memory, at + i), mu, load(gradient, i))
        store(memory, at + i, v)
        store(w, o + i, fma(v, -rate, load(w, o + i)))


@inner
def nesterov(net, length, gradient, memory, setting, state, loss):
    """v = momentum v + g, w -= learning_rate (g + momentum v)."""
    w, o, at, rate = net.w, net.o, int(setting["memory"]), float(state["learning_rate"])
    mu = float(setting["momentum"])
    for i in range(0, length, LANES):
        g = load(gradient, i)
        v = fma(load(memory, at + i), mu, g)
        store(memory, at + i, v)
        store(w, o + i, fma(fma(v, mu, g), -rate, load(w, o + i)))


@inner
def rmsprop(net, length, gradient, memory, setting, state, loss):
    """v = rho v + (1 - rho) g**2, w -= learning_rate g / (sqrt v + epsilon)."""
    w, o, at, rate = net.w, net.o, int(setting["memory"]), float(state["learning_rate"])
    rho, epsilon = float(setting["rho"]), float(setting["epsilon"])
    for i in range(0, length, LANES):
        g = load(gradient, i)
        v = fma(load(memory, at + i), rho, (1.0 - rho) * (g * g))
        store(memory, at + i, v)
        store(w, o + i, load(w, o + i) - rate * g / (sqrt(v) + epsilon))


@inner
def adam(net, length, gradient, memory, setting, state, loss):
    """m and v, running means of g and g**2, each divided by 1 - beta**steps:
    w -= learning_rate m / (sqrt v + epsilon)."""
    w, o, at = net.w, net.o, int(setting["memory"])
    rate, epsilon = float(state["learning_rate"]), float(setting["epsilon"])
    beta_1, beta_2 = float(setting["beta_1"]), float(setting["beta_2"])
    whole_1 = splat(w, 1.0 - beta_1 ** int(state["steps"]))
    whole_2 = splat(w, 1.0 - beta_2 ** int(state["steps"]))
    inverse_1, inverse_2 = 1.0 / whole_1, 1.0 / whole_2
    for i in range(0, length, LANES):
        g = load(gradient, i)
        m = fma(load(memory, at + i), beta_1, (1.0 - beta_1) * g)
        v = fma(load(memory, at + length + i), beta_2, (1.0 - beta_2) * (g * g))
        store(memory, at + i, m)
        store(memory, at + length + i, v)
        mean, square = quotient(m, whole_1, inverse_1), quotient(v, whole_2, inverse_2)
        store(w, o + i, load(w, o + i) - rate * mean / (sqrt(square) + epsilon))


@inner
def adamw(net, length, gradient, memory, setting, state, loss):
    """W1 and W2 shrink by learning_rate * weight_decay of themselves, then adam."""
    w, o, n1, d, k = net.w, net.o, net.n1, net.d, net.k
    keep = 1.0 - float(state["learning_rate"]) * float(setting["weight_decay"])
    for i in range(n1 * d):
        w[o + i] *= keep
    for i in range(n1 * (d + 1), n1 * (d + 1 + k)):
        w[o + i] *= keep
    adam(net, length, gradient, memory, setting, state, loss)


@inner
def rprop(net, length, gradient, memory, setting, state, loss):
    """iRprop+: each weight has its own step length; memory: previous gradient, lengths."""
    w, o, at = net.w, net.o, int(setting["memory"])
    first, worse = state["steps"] == 1, loss > state["step_loss"]
    for i in range(0, length, LANES):
        g, before = load(gradient, i), load(memory, at + i)
        size = load(memory, at + length + i)
        if first:
            size = splat(w, float(state["learning_rate"]))
        agreement = sign(before) * sign(g)
        if worse:
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
    """Scale the gradient to clip_norm if its norm is larger; return whether it was."""
    if not norm > clip_norm:
        return False
    scale = clip_norm / norm
    for i in range(0, length, LANES):
        store(gradient, i, load(gradient, i) * scale)
    return True


@inner
def descend(optimizer, net, setting, state, memory, loss, norm, scratch):
    """Clip the gradient in scratch, move the weights along it; return whether it was clipped.

    `loss` is the loss of the step's samples before the step.
    """
    length = parameter_length(net.n1, net.d, net.k)
    clipped = clip(scratch.gradient, length, norm, float(setting["clip_norm"]))
    state["steps"] += 1
    optimizer.update(net, length, scratch.gradient, memory, setting, state, loss)
    state["step_loss"] = loss
    return clipped
