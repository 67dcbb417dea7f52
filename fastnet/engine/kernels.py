"""The compiled training loop: many epochs of many members; all state comes in and goes out.

The entry points are advance(), share_parts() and evaluate(). layout.py explains the letters and
where the numbers lie. Functions called from other files have a namesake in fastnet.reference
(tests/engine/test_twins.py).
"""

import math

import numpy as np

from fastnet.engine import network, units
from fastnet.engine.decisions import all_finite, copy, decide, is_kept, record_entry
from fastnet.engine.layout import (
    Net,
    Problem,
    Rows,
    block_panels,
    padded,
    parameter_length,
)
from fastnet.engine.losses import hits, own_loss
from fastnet.engine.network import loss_and_error, sum_parts
from fastnet.engine.records import COLUMNS, CONVERGED, DIVERGED, RUNNING
from fastnet.native.entry import Entry, inner
from fastnet.native.vector import LANES
from fastnet.native.wire import Bound

bind = Bound  # for an argument that is passed in many calls


@inner
def net_of(flat, setting, problem, activation):
    """A member's network, its weights in `flat`."""
    d, k, layers = problem.d, problem.k, (problem.inputs, problem.outputs)
    n1 = int(setting["n1"])
    return Net(flat, int(setting["offset"]), n1, d, k, activation, *layers, n1)


@inner
def of_fold(rows, fold):
    """The samples with the weights of a fold; a set without folds has one row of weights."""
    x, y = (rows.x, rows.x_rows), (rows.y, rows.y_rows)
    return Rows(*x, *y, rows.weight, rows.totals, rows.count, min(fold, rows.fold))


@inner
def problem_of(problem, setting):
    """The problem with the member's fold and loss."""
    fold, layers = int(setting["fold"]), (problem.inputs, problem.outputs)
    train, val = of_fold(problem.train, fold), of_fold(problem.val, fold)
    return Problem(problem.d, problem.k, own_loss(problem, setting), train, val, *layers)


@inner
def train_member(method, problem, net, setting, state, best, memory, end, history, scratch):
    """Advance one member to epoch `end`, or to its stop; return how many entries were recorded."""
    length = parameter_length(net.n1, net.d, net.k)
    recorded, ready = 0, False  # whether scratch is as the previous epoch left it
    while state["stop"] == RUNNING and state["epoch"] < end:
        val_loss = np.nan
        if problem.val.count:
            val_loss = method.mean_loss(net, problem.loss, problem.val, scratch)
        train_loss = method.loss_at_entry(method, net, problem, setting, state, ready, scratch)
        monitored = val_loss if problem.val.count else train_loss
        finite = math.isfinite(train_loss) and math.isfinite(monitored)
        if finite and math.isfinite(state["gradient_norm"]) and all_finite(net.w, net.o, length):
            better = decide(setting, state, monitored)
        else:
            state["stop"], better = DIVERGED, False
        record_entry(state, train_loss, val_loss, better)
        if better:
            copy(net.w, best, net.o, length)
        if is_kept(state["epoch"]):
            last = state["last_entry"]
            for column in range(COLUMNS):
                history[recorded, column] = last[column]
            recorded += 1
        if state["stop"] != RUNNING:
            break
        method.epoch(method, net, problem, setting, state, memory, train_loss, scratch)
        if state["rule"] != 0:
            state["stop"] = CONVERGED
            break
        state["epoch"] += 1
        ready = True
    return recorded


@inner
def in_own_layout(net, room):
    """The net with its weights in the layout of its mini-batches, if need be in `room`."""
    if net.inputs.units:
        return units.arrange(net, room)
    return net


@inner
def advance_member(method, problem, net, best, setting, state, memory, end, history, scratch):
    """train_member() with net and best in the layout of the mini-batches."""
    own, kept = in_own_layout(net, scratch.units), in_own_layout(best, scratch.best_units)
    recorded = train_member(
        method, problem, own, setting, state, kept.w, memory, end, history, scratch
    )
    if net.inputs.units:
        units.put_back(own, net)
        units.put_back(kept, best)
    return recorded


@Entry
def advance(activation, method, problem, pack, ids, end, histories, counts, scratch):
    """Advance the members `ids` to epoch `end`: their entries below it into histories[m's slot].

    All of them have this activation (a row of ACTIVATIONS) and this method (a row of METHODS).
    Writes histories (len(ids), kept epochs of the round, COLUMNS) and counts (len(ids),).
    """
    for i in range(ids.size):
        setting, state = pack.settings[ids[i]], pack.states[ids[i]]
        net = net_of(pack.parameters, setting, problem, activation)
        best = net_of(pack.best, setting, problem, activation)
        own = problem_of(problem, setting)
        counts[i] = advance_member(
            method, own, net, best, setting, state, pack.memory, end, histories[i], scratch
        )


@Entry
def share_parts(activation, problem, pack, ids, scratch):
    """Write loss and gradient, summed over the parts of the full batch of a huge member, the only
    one of `ids`, to scratch.parts, and the losses of its validation set. Threads that call this at
    once divide the parts; advance() starts from these sums.
    """
    for i in range(ids.size):
        setting = pack.settings[ids[i]]
        net = net_of(pack.parameters, setting, problem, activation)
        sum_parts(net, problem_of(problem, setting), scratch)


@inner
def loss_and_hits(net, loss, rows, scratch):
    """Summed losses of the rows, and the weight of the right answers; the sums of mean_loss()."""
    panels, step, summed, right = padded(rows.count) // LANES, block_panels(net.n1), 0.0, 0.0
    for first in range(0, panels, step):
        count = min(step, panels - first)
        if net.inputs.units:
            units.block_forward(net, rows, first, count, scratch)
        else:
            x0 = first * net.d * LANES
            network.forward(net, rows.x, x0, count, scratch.hidden, scratch.output)
        if loss.kind.right:
            right += hits(loss, scratch.output, rows, first, count, net.k)
        summed += loss_and_error(loss, scratch.output, rows, first, count, net.k)
    return summed, right


@Entry
def evaluate(activation, problem, rows, pack, ids, losses, accuracies, scratch):
    """Mean loss and accuracy of the best weights of the members `ids` over the rows, in the layout
    of their mini-batches: a loss that training has recorded is found again, bit for bit.

    Writes losses (len(ids),) and accuracies (len(ids),).
    """
    for i in range(ids.size):
        setting = pack.settings[ids[i]]
        net = in_own_layout(net_of(pack.best, setting, problem, activation), scratch.units)
        own, loss = of_fold(rows, int(setting["fold"])), own_loss(problem, setting)
        summed, right = loss_and_hits(net, loss, own, scratch)
        losses[i] = summed / own.totals[own.fold]
        accuracies[i] = right / own.totals[own.fold]
