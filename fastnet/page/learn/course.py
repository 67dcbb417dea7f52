"""A training from its first entry to its stop, by fastnet.reference, with all its decisions."""

from functools import partial
from typing import NamedTuple

import numpy as np

from fastnet import reference
from fastnet.engine.init import initial_weights
from fastnet.engine.records import RUNNING, SETTINGS, STATE
from fastnet.options.methods import ACTIVATIONS, STOPS
from fastnet.options.table import SETTINGS as OPTIONS
from fastnet.reference.network import Net, Rows

FRAMES = 160  # at most this many networks of a course are kept, most of them from its beginning


class Problem(NamedTuple):
    """What a training learns: as much of the engine's Problem as the reference reads."""

    d: int
    k: int
    loss: object
    train: Rows
    val: Rows  # count 0 when there is none


class Entry(NamedTuple):
    """An entry of the history, and the state after its decisions."""

    epoch: int
    train_loss: float
    val_loss: float
    rate: float  # of the next epoch
    norm: float  # of the gradient before clipping
    better: bool
    waited: int
    stalled: int


class Course(NamedTuple):
    """A training: its entries, the networks of some of them, the best network."""

    entries: list  # of Entry
    frames: list  # (epoch, Net)
    best: Net
    best_epoch: int
    stop: str


def new_network(n1, seed, activation, d=1, k=1):
    """A network with fastnet's initial weights, in float64.

    They are Nguyen-Widrow's for one input, which spread the units over it; Glorot's for several
    inputs, and for activations that Nguyen-Widrow's are not made for.
    """
    suits = d == 1 and ACTIVATIONS[activation].gain
    init = "nguyen_widrow" if suits else "glorot_uniform"
    drawn = initial_weights(seed, n1, d, k, init, activation)
    return copied(Net(*drawn))


def copied(net):
    """The network with arrays of its own."""
    return Net(*(np.array(array, dtype=np.float64) for array in net))


def problem_of(X, Y, loss="squared", val=None):
    """The problem of samples X (n, d) and Y (n, k); `val` is a pair of the same kind."""
    val = (X[:0], Y[:0]) if val is None else val
    rows = [reference.network.rows(x, y, np.float64) for x, y in ((X, Y), val)]
    return Problem(X.shape[1], Y.shape[1], reference.losses.LOSSES[loss], *rows)


def setting_of(**options):
    """A member's record of settings: what is not given has the default, or is off."""
    setting = np.zeros((), SETTINGS)
    for name, option in OPTIONS.items():
        default = option.default[0] if option.axis else option.default
        value = options.get(name, default)
        if option.choices:
            names = list(option.choices)
            setting[name] = names.index(value) if value in names else 0
        else:
            setting[name] = option.off if value is None else value
    return setting


def train(net, activation, problem, optimizer="sgd", **options):
    """The course of a training that begins with the network, which stays as it is.

    `options` are those of fastnet.train; what is not given has its default, and the settings that
    can be off are off.
    """
    setting, state = setting_of(optimizer=optimizer, **options), np.zeros((), STATE)
    state["learning_rate"] = state["plateau_rate"] = setting["learning_rate"]
    state["best_loss"] = state["step_loss"] = np.inf
    state["best_epoch"] = state["last_epoch"] = -1
    net, best = copied(net), copied(net)
    in_batches = setting["batch_size"] > 0
    methods = reference.methods.IN_BATCHES if in_batches else reference.methods.METHODS
    method = methods[optimizer]
    memory = [copied(Net(*(0 * w for w in net))) for _ in range(method.memory)]
    own = problem._replace(loss=partial(problem.loss, setting=setting))
    kept = set(frame_epochs(int(setting["max_epochs"])))
    entries, frames = [], []
    with np.errstate(all="ignore"):
        while state["stop"] == RUNNING:
            epoch, before = int(state["epoch"]), copied(net)
            history = np.zeros((1, 5))
            reference.kernels.train_member(
                reference.activations.ACTIVATIONS[activation],
                method, own, net, setting, state, best, memory, epoch + 1, history,
            )  # fmt: skip
            entries.append(entry_of(epoch, state))
            if epoch in kept or state["stop"] != RUNNING:
                frames.append((epoch, before))
    stop = list(STOPS)[int(state["stop"])]
    return Course(entries, frames, best, int(state["best_epoch"]), stop)


def entry_of(epoch, state):
    """The entry that was just made."""
    train_loss, val_loss, rate, norm, _ = state["last_entry"].tolist()
    better = int(state["best_epoch"]) == epoch
    waited, stalled = int(state["waited"]), int(state["stalled"])
    return Entry(epoch, train_loss, val_loss, rate, norm, better, waited, stalled)


def frame_epochs(most):
    """Epochs whose networks are kept: each at first, then ever fewer."""
    spaced = np.geomspace(1, max(most, 1), FRAMES).round().astype(int)
    return [0, *np.unique(spaced).tolist()]
