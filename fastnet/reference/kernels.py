"""The training loop in plain NumPy, one member at a time: written to be read.

These files are not optimised. The tests check that they equal the engine up to rounding.
docs/derivation.md derives each formula and refers to its line.
"""

import numpy as np

from fastnet.reference.decisions import all_finite, copy, decide, is_kept, record_entry
from fastnet.reference.losses import hits, own_loss
from fastnet.reference.network import Net, Rows, forward, loss_and_error
from fastnet.reference.records import CONVERGED, DIVERGED, RUNNING


def bind(value):
    """An argument of many calls, unchanged: this backend prepares nothing."""
    return value


def train_member(activation, method, problem, net, setting, state, best, memory, end, history):
    """Advance one member to epoch `end`, or to its stop; return how many entries were recorded."""
    recorded = 0
    while state["stop"] == RUNNING and state["epoch"] < end:
        val_loss = np.nan
        if problem.val.count:
            val_loss = method.mean_loss(net, activation, problem.loss, problem.val)
        train_loss, found = method.loss_at_entry(method, net, activation, problem, setting, state)
        monitored = val_loss if problem.val.count else train_loss
        numbers = (train_loss, monitored, state["gradient_norm"])
        if np.isfinite(numbers).all() and all_finite(net):
            better = decide(setting, state, monitored)
        else:
            state["stop"], better = DIVERGED, False
        record_entry(state, train_loss, val_loss, better)
        if better:
            copy(net, best)
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


def views(flat, n1, d, k):
    """A run of a flat array as a Net: it holds W1, b1, W2 transposed and b2, in this order."""
    W1, b1, W2, b2, _ = np.split(flat, np.cumsum([n1 * d, n1, n1 * k, k]))
    return Net(W1.reshape(n1, d), b1, W2.reshape(n1, k).T, b2)


def nets_of(flat, start, count, setting, problem):
    """A member's `count` Nets from `start` on, each filled to a multiple of 16 numbers."""
    n1, d, k = int(setting["n1"]), problem.d, problem.k
    length = -(-(n1 * (d + 1 + k) + k) // 16) * 16
    return [views(flat[int(start) + i * length :], n1, d, k) for i in range(count)]


def net_of(flat, setting, problem):
    """A member's network, its weights in `flat`."""
    return nets_of(flat, setting["offset"], 1, setting, problem)[0]


def of_fold(rows, fold):
    """The samples that have a weight in a fold; a set without folds has one row of weights."""
    weights = np.atleast_2d(rows.weight)
    weight = weights[min(fold, len(weights) - 1)]
    used = weight != 0
    return Rows(rows.X[used], rows.Y[used], weight[used])


def advance(activation, method, problem, pack, ids, end, histories, counts, scratch=None):
    """Advance the members `ids` to epoch `end`: their entries below it into histories[m's slot].

    Writes histories (len(ids), kept epochs of the round, columns) and counts (len(ids),).
    """
    with np.errstate(all="ignore"):
        for i, member in enumerate(ids):
            setting, state = pack.settings[member], pack.states[member]
            train, val = (of_fold(rows, setting["fold"]) for rows in (problem.train, problem.val))
            own = problem._replace(train=train, val=val, loss=own_loss(problem, setting))
            net, best = (net_of(flat, setting, problem) for flat in (pack.parameters, pack.best))
            memory = nets_of(pack.memory, setting["memory"], method.memory, setting, problem)
            counts[i] = train_member(
                activation, method, own, net, setting, state, best, memory, end, histories[i]
            )


def evaluate(activation, problem, rows, pack, ids, losses, accuracies, scratch=None):
    """Mean loss and accuracy of the best weights of the members `ids` over the rows.

    Writes losses (len(ids),) and accuracies (len(ids),).
    """
    with np.errstate(all="ignore"):
        for i, member in enumerate(ids):
            setting = pack.settings[member]
            net, own = net_of(pack.best, setting, problem), of_fold(rows, setting["fold"])
            _, Z2 = forward(net, activation, own.X)
            loss = own_loss(problem, setting)
            summed, _ = loss_and_error(loss, Z2, own)
            losses[i] = summed / own.total
            accuracies[i] = hits(loss, Z2, own) / own.total
