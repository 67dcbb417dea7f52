"""The training loop in plain NumPy, one member at a time: written to be read.

Every kernel of network.py and kernels.py has its twin of the same name here, and the tests
hold the two equal to rounding. Nobody optimises this file. Activations, losses, optimisers and
schedules are formulas.py's. docs/derivation.md derives each formula and points at its line.

Letters: n samples, d inputs, N1 hidden units, k outputs. X (n, d), Y (n, k) targets (one-hot
for classes), W1 (N1, d), b1 (N1,), W2 (k, N1), b2 (k,), H (n, N1), Z2 and dZ2 (n, k).
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from fastnet.reference import second_order
from fastnet.reference.formulas import (
    ACTIVATIONS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    Step,
    learning_rate,
)

PLATEAU = list(SCHEDULES).index("plateau")
RUNNING, TARGET, PATIENCE, MAX_EPOCHS, DIVERGED, CONVERGED = range(6)
DENSE_EPOCHS = 1024


class Net(NamedTuple):
    """One member's weights (arrays or gradients of the same shapes)."""

    W1: np.ndarray
    b1: np.ndarray
    W2: np.ndarray
    b2: np.ndarray


class Rows(NamedTuple):
    """A set of samples and their weights; with folds a row of weights each."""

    X: np.ndarray
    Y: np.ndarray
    weight: np.ndarray

    @property
    def count(self):
        return len(self.X)

    @property
    def total(self):
        """Sum of the weights, float64."""
        return float(self.weight.sum(dtype=np.float64))


def rows(X, Y, dtype, weights=None):
    """Samples as this backend reads them; weights (n,) or (folds, n), by default all 1."""
    weights = np.ones(len(X)) if weights is None else weights
    return Rows(X.astype(dtype), Y.astype(dtype), weights.astype(dtype))


def of_fold(rows, fold):
    """The samples that have a weight in a fold; a set without folds has one row of weights."""
    weights = np.atleast_2d(rows.weight)
    weight = weights[min(fold, len(weights) - 1)]
    used = weight != 0
    return Rows(rows.X[used], rows.Y[used], weight[used])


# ---------------------------------------------------------------- forward


def first_layer(net, X):
    """Z1 = X W1^T + b1."""
    return X @ net.W1.T + net.b1


def forward(net, activation, X):
    """H = s(X W1^T + b1) and Z2 = H W2^T + b2."""
    H = activation.value(first_layer(net, X))
    Z2 = H @ net.W2.T + net.b2
    return H, Z2


# ---------------------------------------------------------------- losses
# `loss` is a row of LOSSES with its setting bound: losses and dL/dz2 = loss(Z2, Y).


def mean(values, rows):
    """Mean of a value of each sample, weighted, in float64."""
    return float((values * rows.weight.astype(np.float64)).sum() / rows.total)


def mean_loss(net, activation, loss, rows):
    """Mean loss over the rows."""
    _, Z2 = forward(net, activation, rows.X)
    losses, _ = loss(Z2, rows.Y)
    return mean(losses, rows)


# ---------------------------------------------------------------- backward


def backward(net, activation, X, H, dZ2):
    """Gradients of the summed loss.

    dW2 = dz2 h^T, db2 = dz2, dz1 = (W2^T dz2) * s'(z1), dW1 = dz1 x^T, db1 = dz1, each summed
    over the samples.
    """
    dW2 = dZ2.T @ H
    db2 = dZ2.sum(axis=0)
    dZ1 = (dZ2 @ net.W2) * activation.slope(first_layer(net, X), H)
    dW1 = dZ1.T @ X
    db1 = dZ1.sum(axis=0)
    return Net(dW1, db1, dW2, db2)


def mean_gradient(net, summed, l2, total):
    """The sums as a mean, weights `total`; an L2 penalty acts on weights, not on biases."""
    W1, b1, W2, b2 = (g / summed.W1.dtype.type(total) for g in summed)
    return Net(W1 + l2 * net.W1, b1, W2 + l2 * net.W2, b2)


def loss_and_gradient(net, activation, loss, l2, rows):
    """Mean loss over the rows, its gradient, and the gradient's norm."""
    H, Z2 = forward(net, activation, rows.X)
    losses, dZ2 = loss(Z2, rows.Y)
    dZ2 = dZ2 * rows.weight[:, None]
    gradient = mean_gradient(net, backward(net, activation, rows.X, H, dZ2), l2, rows.total)
    return mean(losses, rows), gradient, gradient_norm(gradient)


# ---------------------------------------------------------------- one step


def gradient_norm(gradient):
    """L2 norm over all gradients of the member, in float64."""
    return float(np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradient)))


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


# ---------------------------------------------------------------- mini-batches


def hash32(x):
    """A 32-bit mixing function (lowbias32 by Chris Wellons, public domain)."""
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def shuffle(seed, epoch, n):
    """The order of n samples in an epoch, of (seed, epoch, n) alone (Fisher-Yates)."""
    key = hash32(seed ^ hash32((epoch & 0xFFFFFFFF) ^ 0x5BF03635))
    order = list(range(n))
    for i in range(n - 1, 0, -1):
        draw = hash32(key ^ hash32(i))
        j = (draw * (i + 1)) >> 32
        order[i], order[j] = order[j], order[i]
    return order


def batch_epoch(activation, optimizer, net, loss, setting, state, memory, train):
    """One epoch of mini-batches; its mean loss, largest norm and clipped share in the state."""
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


# ---------------------------------------------------------------- at an entry and between entries
# A method's loss_at_entry() gives the loss at an entry and what epoch() takes over from there.


def loss_at_entry(net, activation, problem, setting, state):
    """Training loss of the weights as they are; full batch: and its gradient.

    With mini-batches and a validation set, it is the mean of the epoch past.
    """
    if setting["batch_size"] == 0:
        train_loss, gradient, norm = loss_and_gradient(
            net, activation, problem.loss, setting["l2"], problem.train
        )
        state["gradient_norm"] = norm
        state["clipped"] = norm > setting["clip_norm"]
        return train_loss, gradient
    if problem.val.count and state["epoch"] > 0:
        return float(state["mean_loss"]), None
    return mean_loss(net, activation, problem.loss, problem.train), None


def step_epoch(method, net, activation, problem, setting, state, memory, train_loss, gradient):
    """An epoch of steps along gradients; that of a full batch is there from loss_at_entry()."""
    if setting["batch_size"] == 0:
        norm = state["gradient_norm"]
        descend(method, net, setting, state, memory, train_loss, gradient, norm)
    else:
        loss, train = problem.loss, problem.train
        batch_epoch(activation, method, net, loss, setting, state, memory, train)


def flatten(net):
    """All weights as one array, in the order of second_order.py."""
    return np.concatenate([net.W1.ravel(), net.b1, net.W2.T.ravel(), net.b2])


def write(w, net):
    """Write such an array into the net."""
    n1, d = net.W1.shape
    W1, b1, W2, b2 = np.split(w, np.cumsum([n1 * d, n1, net.W2.size]))
    for array, values in zip(net, (W1.reshape(n1, d), b1, W2.reshape(n1, -1).T, b2)):
        array[...] = values


def in_float64(net, rows):
    """Weights and samples in float64."""
    return Net(*(w.astype(np.float64) for w in net)), Rows(*(a.astype(np.float64) for a in rows))


def lm_mean_loss(net, activation, loss, rows):
    """Mean loss over the rows, in float64."""
    net, rows = in_float64(net, rows)
    return mean_loss(net, activation, loss, rows)


def residuals(net, activation, rows):
    """What lm sees of the network, in float64: inputs, H, s'(z1), W2, yhat - y, weights."""
    net, rows = in_float64(net, rows)
    H, Z2 = forward(net, activation, rows.X)
    S = activation.slope(first_layer(net, rows.X), H)
    return rows.X, H, S, net.W2, Z2 - rows.Y, rows.weight


def l2_decay(net, l2):
    """The penalty of each weight: none of biases."""
    numbers = (l2, 0.0, l2, 0.0)
    return flatten(Net(*(np.full(w.shape, number) for w, number in zip(net, numbers))))


def lm_loss_at_entry(net, activation, problem, setting, state):
    """Mean loss; matrix and gradient of the loss with its L2 penalty, and that."""
    mean = lm_mean_loss(net, activation, problem.loss, problem.train)
    equations = second_order.normal_equations(*residuals(net, activation, problem.train))
    return mean, penalised(net, *equations, l2_decay(net, float(setting["l2"])), state)


def br_loss_at_entry(net, activation, problem, setting, state):
    """Mean loss; matrix and gradient of the loss with the penalty of Bayesian regularisation."""
    mean, w = lm_mean_loss(net, activation, problem.loss, problem.train), flatten(net)
    equations = second_order.normal_equations(*residuals(net, activation, problem.train))
    second_order.reestimate(w, mean, equations[0], problem.train.total, len(net.b2), state)
    return mean, penalised(net, *equations, np.full(w.size, state["decay"]), state)


def penalised(net, matrix, gradient, decay, state):
    """Matrix and gradient with the penalty 1/2 sum decay w^2, and decay."""
    gradient = gradient + decay * flatten(net)
    state["gradient_norm"] = np.linalg.norm(gradient)
    return matrix + np.diag(decay), gradient, decay


def lm_epoch(method, net, activation, problem, setting, state, memory, train_loss, equations):
    """Move the weights to a lower loss, or find none with any mu."""

    def loss_at(w):
        write(w, net)
        return lm_mean_loss(net, activation, problem.loss, problem.train)

    w = flatten(net)
    second_order.lm_step(w, loss_at, train_loss, *equations, setting, state)
    write(w, net)


def lbfgs_epoch(method, net, activation, problem, setting, state, memory, train_loss, gradient):
    """Move the weights to a lower loss, or find none."""
    decay = l2_decay(net, float(setting["l2"]))

    def value_at(w):
        """Penalised loss at w, and its gradient."""
        write(w, net)
        mean, gradient, _ = loss_and_gradient(
            net, activation, problem.loss, setting["l2"], problem.train
        )
        return mean + second_order.penalty(w, decay), flatten(gradient).astype(np.float64)

    w, kept = flatten(net), [flatten(pair).astype(np.float64) for pair in memory]
    value = train_loss + second_order.penalty(w, decay)
    pair = second_order.lbfgs_step(
        w, value_at, value, flatten(gradient).astype(np.float64), kept, state
    )
    write(w, net)
    if pair is not None:
        place = 2 * (state["stored"] % second_order.PAIRS)
        for vector, own in zip(pair, memory[place : place + 2]):
            write(vector, own)
        s, y = (flatten(own).astype(np.float64) for own in memory[place : place + 2])
        state["stored"] = state["stored"] + 1 if s @ y > 0 else 0


def bind(value):
    """Nothing has to be known of arguments here."""
    return value


class Method(NamedTuple):
    """A row of METHODS."""

    update: object  # one step of one array of weights; None with methods of second order
    memory: int  # arrays of its own, each of the weights' shapes
    mean_loss: object = mean_loss
    loss_at_entry: object = loss_at_entry
    epoch: object = step_epoch


METHODS = {
    **{name: Method(*row) for name, row in OPTIMIZERS.items()},
    "lm": Method(None, 0, lm_mean_loss, lm_loss_at_entry, lm_epoch),
    "br": Method(None, 0, lm_mean_loss, br_loss_at_entry, lm_epoch),
    "lbfgs": Method(None, 2 * second_order.PAIRS, epoch=lbfgs_epoch),
}
CHOICES = {
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "optimizer": METHODS,
    "optimizer in batches": {name: METHODS[name] for name in OPTIMIZERS},
}


# ---------------------------------------------------------------- decisions


def is_kept(epoch):
    """Whether a history keeps this epoch: all up to DENSE_EPOCHS, then ever fewer."""
    step = 1
    while epoch > DENSE_EPOCHS * step:
        step *= 2
    return epoch % step == 0


def all_finite(net):
    """Whether every parameter is finite."""
    return all(np.isfinite(w).all() for w in net)


def decide(setting, state, monitored):
    """Best, target, patience, plateau and epoch limit at an entry; whether it is the best."""
    epoch, better = state["epoch"], monitored < state["best_loss"]
    if better:
        state["best_loss"], state["best_epoch"] = monitored, epoch
    if epoch == 0 or monitored < state["reference"] - setting["min_delta"]:
        state["reference"], state["waited"], state["stalled"] = monitored, 0, 0
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
    state["learning_rate"] = learning_rate(state["plateau_rate"], setting, epoch)
    if state["stop"] == RUNNING and epoch >= setting["max_epochs"]:
        state["stop"] = MAX_EPOCHS
    return better


def record_entry(state, train_loss, val_loss, better):
    """The entry's numbers as the member's last and, if so, as those of its best."""
    names = ("learning_rate", "gradient_norm", "clipped")
    state["last_entry"] = (train_loss, val_loss, *(state[name] for name in names))
    if better:
        state["best_entry"] = state["last_entry"]


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


def own_loss(problem, setting):
    """The loss with the member's parameters."""
    return partial(problem.loss, setting=setting)


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
