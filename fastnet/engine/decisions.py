"""The decisions and records made at an entry: best, target, patience, plateau, epoch limit."""

from fastnet.engine.records import (
    CLIPPED,
    COLUMNS,
    DENSE_EPOCHS,
    GRADIENT_NORM,
    LEARNING_RATE,
    MAX_EPOCHS,
    PATIENCE,
    RUNNING,
    TARGET,
    TRAIN_LOSS,
    VAL_LOSS,
)
from fastnet.engine.schedules import PLATEAU, learning_rate
from fastnet.native.entry import inner
from fastnet.native.vector import LANES, fma, load, never_inline, splat, store, sum_lanes


@inner
def is_kept(epoch):
    """Whether a history keeps this epoch: all up to DENSE_EPOCHS, then fewer and fewer."""
    step = 1
    while epoch > DENSE_EPOCHS * step:
        step *= 2
    return epoch % step == 0


@inner
def all_finite(w, o, length):
    """Whether every parameter of the member, w[o : o + length], is finite."""
    zeros = splat(w, 0.0)
    for i in range(0, length, LANES):
        zeros = fma(load(w, o + i), 0.0, zeros)
    return sum_lanes(zeros) == 0.0


@inner
def copy(source, target, o, length):
    """Copy a member's `length` numbers, from o on, from one flat array to another."""
    for i in range(o, o + length, LANES):
        store(target, i, load(source, i))


@inner
def decide(setting, state, monitored):
    """Decide best, target, patience, plateau, epoch limit at an entry; whether it is the best."""
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
    """Record the entry's numbers as the member's last and, if it is the best, as its best."""
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
