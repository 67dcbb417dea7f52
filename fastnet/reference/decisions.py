"""The decisions and records made at an entry: best, target, patience, plateau, epoch limit."""

import numpy as np

from fastnet.options.methods import SCHEDULES, code
from fastnet.reference.records import DENSE_EPOCHS, MAX_EPOCHS, PATIENCE, RUNNING, TARGET
from fastnet.reference.schedules import learning_rate

PLATEAU = code(SCHEDULES, "plateau")


def is_kept(epoch):
    """Whether a history keeps this epoch: all up to DENSE_EPOCHS, then fewer and fewer."""
    step = 1
    while epoch > DENSE_EPOCHS * step:
        step *= 2
    return epoch % step == 0


def all_finite(net):
    """Whether every parameter is finite."""
    return all(np.isfinite(w).all() for w in net)


def copy(source, target):
    """Copy a member's weights to other arrays."""
    for values, array in zip(source, target):
        array[...] = values


def decide(setting, state, monitored):
    """Decide best, target, patience, plateau, epoch limit at an entry; whether it is the best."""
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
    """Record the entry's numbers as the member's last and, if it is the best, as its best."""
    names = ("learning_rate", "gradient_norm", "clipped")
    state["last_entry"] = (train_loss, val_loss, *(state[name] for name in names))
    if better:
        state["best_entry"] = state["last_entry"]
