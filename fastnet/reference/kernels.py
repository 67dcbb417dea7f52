"""The training loop in plain NumPy, one member at a time: written to be read.

Every kernel of network.py and kernels.py has its twin of the same name here, and the tests
hold the two equal to rounding. Nobody optimises this file. Activations, losses, optimisers and
schedules are formulas.py's. docs/derivation.md derives each formula and points at its line.

Letters: n samples, d inputs, N1 hidden units, k outputs. X (n, d), Y (n, k) targets (one-hot
for classes), W1 (N1, d), b1 (N1,), W2 (k, N1), b2 (k,), H (n, N1), Z2 and dZ2 (n, k).
"""

import numpy as np

from fastnet.reference.decisions import all_finite, decide, is_kept, record_entry
from fastnet.reference.losses import own_loss
from fastnet.reference.network import Net, forward, mean, of_fold
from fastnet.reference.records import CONVERGED, DIVERGED, RUNNING

# ---------------------------------------------------------------- forward


# ---------------------------------------------------------------- losses
# `loss` is a row of LOSSES with its setting bound: losses and dL/dz2 = loss(Z2, Y).


# ---------------------------------------------------------------- backward


# ---------------------------------------------------------------- one step


# ---------------------------------------------------------------- mini-batches


# ---------------------------------------------------------------- at an entry and between entries
# A method's loss_at_entry() gives the loss at an entry and what epoch() takes over from there.


def bind(value):
    """Nothing has to be known of arguments here."""
    return value


# ---------------------------------------------------------------- decisions


# ---------------------------------------------------------------- one member, many epochs


def train_member(activation, method, problem, net, setting, state, best, memory, end, history):
    """Advance one member to epoch `end`, or to its stop; how many entries were recorded."""
    recorded = 0
    while state["stop"] == RUNNING and state["epoch"] < end:
        val_loss = np.nan
        if problem.val.count:
            val_loss = method.mean_loss(net, activation, problem.loss, problem.val)
        train_loss, found = method.loss_at_entry(net, activation, problem, setting, state)
        monitored = val_loss if problem.val.count else train_loss
        numbers = (train_loss, monitored, state["gradient_norm"])
        if np.isfinite(numbers).all() and all_finite(net):
            better = decide(setting, state, monitored)
        else:
            state["stop"], better = DIVERGED, False
        record_entry(state, train_loss, val_loss, better)
        if better:
            for kept_weights, w in zip(best, net):
                kept_weights[...] = w
        if is_kept(state["epoch"]):
            history[recorded] = state["last_entry"]
            recorded += 1
        if state["stop"] != RUNNING:
            break
        method.epoch(method, net, activation, problem, setting, state, memory, train_loss, found)
        if state["rule"]:
            state["stop"] = CONVERGED
            break
        state["epoch"] += 1
    return recorded


def net_of(flat, start, n1, d, k):
    """A member's weights as views into a flat array: W1, b1, W2 transposed, b2."""
    W1, b1, W2, b2, _ = np.split(flat[start:], np.cumsum([n1 * d, n1, n1 * k, k]))
    return Net(W1.reshape(n1, d), b1, W2.reshape(n1, k).T, b2)


def nets_of(flat, setting, problem, start="offset", count=1):
    """Nets of a member that lie one after another, each filled to a multiple of 16 numbers."""
    n1, d, k = int(setting["n1"]), problem.d, problem.k
    length = -(-(n1 * (d + 1 + k) + k) // 16) * 16
    return [net_of(flat, int(setting[start]) + i * length, n1, d, k) for i in range(count)]


def advance(activation, method, problem, pack, ids, end, histories, counts, scratch=None):
    """Advance the members `ids` to epoch `end`, their entries below it into `histories`."""
    with np.errstate(all="ignore"):
        for i, member in enumerate(ids):
            setting, state = pack.settings[member], pack.states[member]
            train, val = (of_fold(rows, setting["fold"]) for rows in (problem.train, problem.val))
            own = problem._replace(train=train, val=val, loss=own_loss(problem, setting))
            (net,) = nets_of(pack.parameters, setting, problem)
            (best,) = nets_of(pack.best, setting, problem)
            memory = nets_of(pack.memory, setting, problem, "memory", method.memory)
            counts[i] = train_member(
                activation, method, own, net, setting, state, best, memory, end, histories[i]
            )


def right(Z2, Y):
    """Whether the largest logit of each sample, or the sign of a single one, tells its class."""
    if Z2.shape[1] == 1:
        return (Z2[:, 0] > 0) == (Y[:, 0] == 1)
    return Z2.argmax(axis=1) == Y.argmax(axis=1)


def evaluate(activation, problem, rows, pack, ids, losses, accuracies, scratch=None):
    """Mean loss and accuracy of the best weights of the members `ids` over the rows."""
    with np.errstate(all="ignore"):
        for i, member in enumerate(ids):
            setting = pack.settings[member]
            (net,) = nets_of(pack.best, setting, problem)
            own = of_fold(rows, setting["fold"])
            _, Z2 = forward(net, activation, own.X)
            each, _ = own_loss(problem, setting)(Z2, own.Y)
            losses[i] = mean(each, own)
            accuracies[i] = mean(right(Z2, own.Y), own)
