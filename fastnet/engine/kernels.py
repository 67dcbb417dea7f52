"""The compiled training loop: many epochs of many members, all state in and out.

The entry points are advance(), add_part() and evaluate(); network.py beneath has one network's
forward pass, loss and gradient, and explains the letters and the layout. Best weights and
optimiser state are laid out as the parameters.

Every kernel here has its plain twin of the same name in reference.py.
"""

import math
from typing import NamedTuple

import numpy as np

from fastnet.engine import lbfgs
from fastnet.engine import levenberg as second_order
from fastnet.engine.activations import ACTIVATIONS
from fastnet.engine.losses import LOSSES, Loss, hits
from fastnet.engine.network import (
    Net,
    Rows,
    block_panels,
    forward,
    loss_and_error,
    loss_and_gradient,
    mean_loss,
    padded,
    parameter_length,
    part_sums,
    parts_of,
    sums_length,
)
from fastnet.engine.optimizers import OPTIMIZERS, Step
from fastnet.engine.schedules import PLATEAU, learning_rate
from fastnet.native.choice import Choice, table
from fastnet.native.entry import Entry, inner
from fastnet.native.vector import (
    LANES,
    fma,
    load,
    never_inline,
    splat,
    store,
    sum_lanes,
    transpose,
    unchecked,
)
from fastnet.native.wire import Bound

# Codes of a member's stop; the names stand in options.py in this order.
RUNNING, TARGET, PATIENCE, MAX_EPOCHS, DIVERGED, CONVERGED = range(6)
# Columns of what a round records.
TRAIN_LOSS, VAL_LOSS, LEARNING_RATE, GRADIENT_NORM, CLIPPED = range(5)
COLUMNS = 5

# Every epoch up to DENSE_EPOCHS is kept in a history, beyond it DENSE_EPOCHS / 2 of each doubling.
DENSE_EPOCHS = 1024

SETTINGS = np.dtype(
    [(name, np.int64) for name in ("n1", "seed", "activation", "optimizer", "batch_size")]
    + [(name, np.int64) for name in ("lr_patience", "patience", "max_epochs", "offset", "fold")]
    + [(name, np.float64) for name in ("learning_rate", "clip_norm", "lr_factor", "min_delta")]
    + [(name, np.float64) for name in ("min_learning_rate", "target_loss", "l2")]
    + [(name, np.int64) for name in ("schedule", "warmup_epochs", "decay_epochs", "memory")]
    + [(name, np.float64) for name in ("momentum", "rho", "beta_1", "beta_2", "epsilon")]
    + [(name, np.float64) for name in ("weight_decay", "huber_delta", "quantile")]
    + [("damping", np.int64)]
)
STATE = np.dtype(
    [
        (name, np.int64)
        for name in ("epoch", "stop", "best_epoch", "last_epoch", "waited", "stalled", "steps")
    ]
    + [(name, np.int64) for name in ("rule", "stored")]
    + [(name, np.float64) for name in ("mu", "mu_up", "decay", "effective")]
    + [(name, np.float64) for name in ("learning_rate", "plateau_rate", "best_loss", "reference")]
    + [(name, np.float64) for name in ("gradient_norm", "clipped", "mean_loss", "step_loss")]
    + [(name, np.float64, (COLUMNS,)) for name in ("best_entry", "last_entry")]
)


class Problem(NamedTuple):
    """What all members of a run share."""

    d: int
    k: int
    loss: Choice  # a row of LOSSES; a member's own is a Loss
    train: Rows
    val: Rows  # count 0 when there is none
    inputs: Choice  # a row of INPUTS, by d
    outputs: Choice  # a row of OUTPUTS, by k


class Pack(NamedTuple):
    """The members: a record of settings and of state each, and their packed numbers."""

    settings: np.ndarray  # (M,) SETTINGS
    states: np.ndarray  # (M,) STATE
    parameters: np.ndarray  # flat
    best: np.ndarray  # flat, the weights of the best entry so far
    memory: np.ndarray  # flat, what the optimisers keep between steps


@inner
def is_kept(epoch):
    """Whether a history keeps this epoch."""
    step = 1
    while epoch > DENSE_EPOCHS * step:
        step *= 2
    return epoch % step == 0


# ---------------------------------------------------------------- one step


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


# ---------------------------------------------------------------- mini-batches


@inner
def hash32(x):
    """A 32-bit mixing function (lowbias32 by Chris Wellons, public domain), in 64-bit integers."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


@inner
def shuffle(seed, epoch, order, n):
    """Shuffle the n sample numbers of an epoch, by (seed, epoch, n) alone (Fisher-Yates)."""
    never_inline()
    key = hash32(seed ^ hash32((epoch & 0xFFFFFFFF) ^ 0x5BF03635))
    for i in range(n - 1, 0, -1):
        draw = hash32(key ^ hash32(i))
        j = (draw * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]


@inner
def used_rows(rows, order):
    """The numbers of the samples with a weight into `order`, ascending; how many they are."""
    weights, used = rows.fold * padded(rows.count), 0
    for i in range(rows.count):
        if rows.weight[weights + i] != 0.0:
            order[used] = i
            used += 1
    return used


@inner
def place_in_panels(i, width):
    """Where sample i of panels of `width` values has its first, LANES before the second."""
    lane = i & (LANES - 1)
    return (i - lane) * width + lane


@inner
def gather_few(values, order, first, count, width, to):
    """Samples order[first : first + count] of panels of `width` values as panels."""
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
    """Samples order[first : first + count] of rows side by side: side by side, and as panels."""
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
    """Samples order[first : first + count] as panels in the arrays of `batch`."""
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
    """One epoch of mini-batches; its mean loss, largest norm and clipped share in the state."""
    size = setting["batch_size"]
    order, n = scratch.order, used_rows(train, scratch.order)
    shuffle(int(setting["seed"]), int(state["epoch"]) + 1, order, n)
    summed, largest, clipped, steps = 0.0, 0.0, 0, 0
    for first in range(0, n, size):
        count = min(size, n - first)
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


# ---------------------------------------------------------------- at an entry and between entries


@inner
def loss_at_entry(method, net, problem, setting, state, ready, scratch):
    """Training loss of the weights as they are; full batch: and its gradient.

    With mini-batches and a validation set, it is the mean of the epoch past.
    """
    if method.full_batch:
        l2 = float(setting["l2"])
        train_loss, norm = loss_and_gradient(net, problem.loss, l2, problem.train, scratch)
        state["gradient_norm"] = norm
        state["clipped"] = 1.0 if norm > setting["clip_norm"] else 0.0
    elif problem.val.count and state["epoch"] > 0:
        train_loss = float(state["mean_loss"])
    else:
        train_loss = mean_loss(net, problem.loss, problem.train, scratch)
    return train_loss


@inner
def step_epoch(method, net, problem, setting, state, memory, train_loss, scratch):
    """An epoch of steps along gradients; that of a full batch is there from loss_at_entry()."""
    if method.full_batch:
        norm = float(state["gradient_norm"])
        descend(method, net, setting, state, memory, train_loss, norm, scratch)
    else:
        loss, train = problem.loss, problem.train
        batch_epoch(method, net, loss, setting, state, memory, train, scratch)


bind = Bound  # for arguments of many calls

# A member's method: what it does at an entry (mean_loss of a set, loss_at_entry) and between
# two (epoch).
STEPS = {"mean_loss": mean_loss, "loss_at_entry": loss_at_entry, "epoch": step_epoch}
STEPPED = {n: {**STEPS, "update": o.update, "memory": o.memory} for n, o in OPTIMIZERS.items()}
METHODS = table(
    "method",
    **{name: {**row, "full_batch": True} for name, row in STEPPED.items()},
    **second_order.METHODS,
    **lbfgs.METHODS,
)
IN_BATCHES = table(
    "method in batches", **{name: {**row, "full_batch": False} for name, row in STEPPED.items()}
)
CHOICES = {
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "optimizer": METHODS,
    "optimizer in batches": IN_BATCHES,
}

# ---------------------------------------------------------------- what is decided at an entry


@inner
def all_finite(w, o, length):
    """Whether every parameter of the member is finite."""
    zeros = splat(w, 0.0)
    for i in range(0, length, LANES):
        zeros = fma(load(w, o + i), 0.0, zeros)
    return sum_lanes(zeros) == 0.0


@inner
def copy(source, target, o, length):
    """A member's run of numbers from one flat array into another."""
    for i in range(o, o + length, LANES):
        store(target, i, load(source, i))


@inner
def decide(setting, state, monitored):
    """Best, target, patience, plateau and epoch limit at an entry; whether it is the best."""
    never_inline()
    epoch, better = state["epoch"], monitored < state["best_loss"]
    if better:
        state["best_loss"] = monitored
        state["best_epoch"] = epoch
    if epoch == 0 or monitored < state["reference"] - setting["min_delta"]:
        state["reference"] = monitored
        state["waited"] = 0
        state["stalled"] = 0
    else:
        state["waited"] += 1
        state["stalled"] += 1
    if monitored <= setting["target_loss"]:
        state["stop"] = TARGET
    elif 0 < setting["patience"] <= state["waited"]:
        state["stop"] = PATIENCE
    elif setting["schedule"] == PLATEAU and 0 < setting["lr_patience"] <= state["stalled"]:
        lowered = state["plateau_rate"] * setting["lr_factor"]
        state["plateau_rate"] = max(lowered, setting["min_learning_rate"])
        state["stalled"] = 0
    state["learning_rate"] = learning_rate(float(state["plateau_rate"]), setting, epoch)
    if state["stop"] == RUNNING and epoch >= setting["max_epochs"]:
        state["stop"] = MAX_EPOCHS
    return better


@inner
def record_entry(state, train_loss, val_loss, better):
    """The entry's numbers as the member's last and, if so, as those of its best."""
    last = state["last_entry"]
    last[TRAIN_LOSS] = train_loss
    last[VAL_LOSS] = val_loss
    last[LEARNING_RATE] = state["learning_rate"]
    last[GRADIENT_NORM] = state["gradient_norm"]
    last[CLIPPED] = state["clipped"]
    if better:
        best = state["best_entry"]
        for column in range(COLUMNS):
            best[column] = last[column]


# ---------------------------------------------------------------- one member, many epochs


@inner
def train_member(method, problem, net, setting, state, best, memory, end, history, scratch):
    """Advance one member to epoch `end`, or to its stop; how many entries were recorded."""
    length = parameter_length(net.n1, net.d, net.k)
    recorded, ready = 0, False  # whether scratch is as the epoch before left it
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
def net_of(flat, setting, problem, activation):
    """A member's network, its weights in `flat`."""
    d, k, layers = problem.d, problem.k, (problem.inputs, problem.outputs)
    return Net(flat, int(setting["offset"]), int(setting["n1"]), d, k, activation, *layers)


@inner
def of_fold(rows, fold):
    """The samples with the weights of a fold; a set without folds has one row of weights."""
    x, y = (rows.x, rows.x_rows), (rows.y, rows.y_rows)
    return Rows(*x, *y, rows.weight, rows.totals, rows.count, min(fold, rows.fold))


@inner
def own_loss(problem, setting):
    """The loss with the member's parameters."""
    return Loss(problem.loss, float(setting["huber_delta"]), float(setting["quantile"]))


@Entry
def advance(activation, method, problem, pack, ids, end, histories, counts, scratch):
    """Advance the members `ids` to epoch `end`: their entries below it into histories[m's slot].

    All of them have this activation (a row of ACTIVATIONS) and method (of METHODS). Filled are
    histories (len(ids), kept epochs of the round, COLUMNS) and counts (len(ids),).
    """
    for i in range(ids.size):
        setting, state = pack.settings[ids[i]], pack.states[ids[i]]
        net = net_of(pack.parameters, setting, problem, activation)
        train, val = (
            of_fold(problem.train, int(setting["fold"])),
            of_fold(problem.val, int(setting["fold"])),
        )
        loss = own_loss(problem, setting)
        layers = problem.inputs, problem.outputs
        own = Problem(problem.d, problem.k, loss, train, val, *layers)
        counts[i] = train_member(
            method, own, net, setting, state, pack.best, pack.memory, end, histories[i], scratch
        )


@Entry
def add_part(activation, problem, pack, ids, part, scratch):
    """Loss and gradient summed over one part of the full batch of the members `ids`, all of this
    activation, into scratch.parts: what advance() then begins with. Threads share out the parts.
    """
    for i in range(ids.size):
        setting = pack.settings[ids[i]]
        net = net_of(pack.parameters, setting, problem, activation)
        rows, loss = of_fold(problem.train, int(setting["fold"])), own_loss(problem, setting)
        length = sums_length(net.n1, net.d, net.k)
        count = parts_of(rows.count, net.n1, net.d, net.k)
        scratch.parts.losses[part] = part_sums(net, loss, rows, part, count, scratch)
        for j in range(length):
            scratch.parts.sums[part * length + j] = scratch.sums[j]


@Entry
def evaluate(activation, problem, rows, pack, ids, losses, accuracies, scratch):
    """Mean loss and accuracy of the best weights of the members `ids` over the rows.

    Filled are losses (len(ids),) and accuracies (len(ids),).
    """
    for i in range(ids.size):
        setting = pack.settings[ids[i]]
        net = net_of(pack.best, setting, problem, activation)
        own, loss = of_fold(rows, int(setting["fold"])), own_loss(problem, setting)
        panels, step, summed, right = padded(rows.count) // LANES, block_panels(net.n1), 0.0, 0.0
        for first in range(0, panels, step):
            count = min(step, panels - first)
            forward(net, rows.x, first * net.d * LANES, count, scratch.hidden, scratch.output)
            if problem.loss.right:
                right += hits(loss, scratch.output, own, first, count, net.k)
            summed += loss_and_error(loss, scratch.output, own, first, count, net.k)
        losses[i] = summed / own.totals[own.fold]
        accuracies[i] = right / own.totals[own.fold]
