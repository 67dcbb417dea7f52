"""Optimisers: each moves w in place along the gradient g, which is already clipped.

`memory` has the optimiser's own arrays, of w's shape and 0 before the first step. The member's
setting and state hold its parameters: state["steps"] counts from 1, `loss` is the loss of the
samples of this step, state["step_loss"] that of the step before.
"""

from typing import NamedTuple

import numpy as np

from fastnet.reference.network import Net


def sgd(w, g, memory, setting, state, loss):
    """w -= learning_rate g."""
    w -= state["learning_rate"] * g


def momentum(w, g, memory, setting, state, loss):
    """Polyak 1964, eq. 9: v = momentum v + g, w -= learning_rate v."""
    (v,) = memory
    v[...] = setting["momentum"] * v + g
    w -= state["learning_rate"] * v


def nesterov(w, g, memory, setting, state, loss):
    """Nesterov 1983 as Sutskever et al. 2013, section 2: the gradient after momentum's step."""
    (v,) = memory
    v[...] = setting["momentum"] * v + g
    w -= state["learning_rate"] * (g + setting["momentum"] * v)


def rmsprop(w, g, memory, setting, state, loss):
    """Tieleman & Hinton 2012, lecture 6e: g over the root of its running mean square."""
    (v,) = memory
    v[...] = setting["rho"] * v + (1 - setting["rho"]) * (g * g)
    w -= state["learning_rate"] * g / (np.sqrt(v) + setting["epsilon"])


def adam(w, g, memory, setting, state, loss):
    """Kingma & Ba 2015, Algorithm 1."""
    m, v = memory
    m[...] = setting["beta_1"] * m + (1 - setting["beta_1"]) * g
    v[...] = setting["beta_2"] * v + (1 - setting["beta_2"]) * (g * g)
    m_hat = m / (1 - setting["beta_1"] ** state["steps"])
    v_hat = v / (1 - setting["beta_2"] ** state["steps"])
    w -= state["learning_rate"] * m_hat / (np.sqrt(v_hat) + setting["epsilon"])


def adamw(w, g, memory, setting, state, loss):
    """Loshchilov & Hutter 2019, Algorithm 2: Adam, with a separate shrinking of the weights.

    Biases, which have one dimension, do not shrink.
    """
    if w.ndim == 2:
        w *= 1 - state["learning_rate"] * setting["weight_decay"]
    adam(w, g, memory, setting, state, loss)


RPROP_UP, RPROP_DOWN, RPROP_LARGEST, RPROP_SMALLEST = 1.2, 0.5, 50.0, 1e-6


def rprop(w, g, memory, setting, state, loss):
    """iRprop+ (Igel & Huesken 2003, section 2.4): each weight has its own step length.

    It grows while the gradient's sign stays and halves where it changes; then the last step
    is undone if the loss has risen, and the next step takes the gradient as 0.
    """
    before, length = memory
    if state["steps"] == 1:
        length[...] = state["learning_rate"]
    agreement = np.sign(before) * np.sign(g)
    changed = agreement < 0
    if loss > state["step_loss"]:
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
    """The gradient, scaled to clip_norm if its norm is larger, and whether it was."""
    if not norm > clip_norm:
        return gradient, False
    return Net(*(g * g.dtype.type(clip_norm / norm) for g in gradient)), True


def numbers(record):
    """A record as a dict of Python's numbers: NumPy's would make float32 arrays float64."""
    return dict(zip(record.dtype.names, record.item()))


def descend(optimizer, net, setting, state, memory, loss, gradient, norm):
    """Clip the gradient and move the weights along it; return whether it was clipped.

    memory has the optimiser's arrays, each as a Net.
    """
    gradient, clipped = clip(gradient, norm, setting["clip_norm"])
    state["steps"] += 1
    now = numbers(setting), numbers(state)
    for w, g, *own in zip(net, gradient, *memory):
        optimizer.update(w, g, own, *now, loss)
    state["step_loss"] = loss
    return clipped
