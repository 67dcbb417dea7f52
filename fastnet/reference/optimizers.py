"""Optimisers: each moves w in place along the gradient g, which is clipped already.

`memory` has the optimiser's own arrays, of w's shape and 0 before the first step.
"""

from typing import NamedTuple

import numpy as np

from fastnet.reference.network import Net


class Step(NamedTuple):
    """The numbers of one step, all of them Python's, so that an array's dtype is kept."""

    learning_rate: float
    count: int = 1  # of this step, from 1
    momentum: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    rho: float = 0.9
    weight_decay: float = 0.01
    worse: bool = False  # the training loss is above that of the step before


def sgd(w, g, memory, step):
    """w -= learning_rate g."""
    w -= step.learning_rate * g


def momentum(w, g, memory, step):
    """Polyak 1964, eq. 9: v = momentum v + g, w -= learning_rate v."""
    (v,) = memory
    v[...] = step.momentum * v + g
    w -= step.learning_rate * v


def nesterov(w, g, memory, step):
    """Nesterov 1983 as Sutskever et al. 2013, section 2: the gradient where momentum leads to."""
    (v,) = memory
    v[...] = step.momentum * v + g
    w -= step.learning_rate * (g + step.momentum * v)


def rmsprop(w, g, memory, step):
    """Tieleman & Hinton 2012, lecture 6e: g over the root of its running mean square."""
    (v,) = memory
    v[...] = step.rho * v + (1 - step.rho) * (g * g)
    w -= step.learning_rate * g / (np.sqrt(v) + step.epsilon)


def adam(w, g, memory, step):
    """Kingma & Ba 2015, Algorithm 1."""
    m, v = memory
    m[...] = step.beta_1 * m + (1 - step.beta_1) * g
    v[...] = step.beta_2 * v + (1 - step.beta_2) * (g * g)
    m_hat = m / (1 - step.beta_1**step.count)
    v_hat = v / (1 - step.beta_2**step.count)
    w -= step.learning_rate * m_hat / (np.sqrt(v_hat) + step.epsilon)


def adamw(w, g, memory, step):
    """Loshchilov & Hutter 2019, Algorithm 2: Adam, and the weights shrink apart from it.

    Biases, which have one dimension, do not shrink.
    """
    if w.ndim == 2:
        w *= 1 - step.learning_rate * step.weight_decay
    adam(w, g, memory, step)


RPROP_UP, RPROP_DOWN, RPROP_LARGEST, RPROP_SMALLEST = 1.2, 0.5, 50.0, 1e-6


def rprop(w, g, memory, step):
    """iRprop+ (Igel & Huesken 2003, section 2.4): a step length of its own for each weight.

    It grows while the gradient's sign stays and halves where it changes; there the last step
    is taken back if the loss has risen, and the next step takes the gradient as 0.
    """
    before, length = memory
    if step.count == 1:
        length[...] = step.learning_rate
    agreement = np.sign(before) * np.sign(g)
    changed = agreement < 0
    if step.worse:
        w += np.where(changed, np.sign(before) * length, 0).astype(w.dtype)
    factor = np.where(agreement > 0, RPROP_UP, np.where(changed, RPROP_DOWN, 1)).astype(w.dtype)
    length[...] = np.clip(length * factor, RPROP_SMALLEST, RPROP_LARGEST)
    before[...] = np.where(changed, 0, g)
    w -= np.sign(before) * length


class Optimizer(NamedTuple):
    """A row of OPTIMIZERS."""

    update: object  # one step of one array of weights
    memory: int  # arrays that it keeps between steps


OPTIMIZERS = {
    "sgd": Optimizer(sgd, 0),
    "momentum": Optimizer(momentum, 1),
    "nesterov": Optimizer(nesterov, 1),
    "rmsprop": Optimizer(rmsprop, 1),
    "adam": Optimizer(adam, 2),
    "adamw": Optimizer(adamw, 2),
    "rprop": Optimizer(rprop, 2),
}


def clip(gradient, norm, clip_norm):
    """The gradient, scaled to clip_norm where its norm is larger; whether it was."""
    if not norm > clip_norm:
        return gradient, False
    return Net(*(g * g.dtype.type(clip_norm / norm) for g in gradient)), True


def next_step(setting, state, loss):
    """The numbers of the next step, at which the samples have this loss."""
    state["steps"] += 1
    names = ("momentum", "beta_1", "beta_2", "epsilon", "rho", "weight_decay")
    numbers = (float(setting[name]) for name in names)
    worse = bool(loss > state["step_loss"])
    state["step_loss"] = loss
    return Step(float(state["learning_rate"]), int(state["steps"]), *numbers, worse)


def descend(optimizer, net, setting, state, memory, loss, gradient, norm):
    """Clip the gradient and move the weights along it; whether it was clipped.

    memory has the optimiser's arrays, each as a Net.
    """
    gradient, clipped = clip(gradient, norm, setting["clip_norm"])
    step = next_step(setting, state, loss)
    for w, g, *own in zip(net, gradient, *memory):
        optimizer.update(w, g, own, step)
    return clipped
