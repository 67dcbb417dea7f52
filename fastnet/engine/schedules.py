"""The course of a member's learning rate over the epochs.

All schedules are compiled into every kernel. They cost nothing compared with an epoch, and a sweep
over schedules needs no further kernels. reference/schedules.py names the source of each.
"""

import math

from fastnet.native.entry import inner
from fastnet.native.vector import never_inline
from fastnet.options.methods import SCHEDULES, code

PLATEAU = code(SCHEDULES, "plateau")
COSINE = code(SCHEDULES, "cosine")
STEP = code(SCHEDULES, "step")
EXPONENTIAL = code(SCHEDULES, "exponential")
ONE_CYCLE = code(SCHEDULES, "one_cycle")
RISE, START, END = 0.3, 1 / 25, 1 / 25 / 1e4  # of one_cycle


@inner
def cosine(rate, setting, epoch, epochs):
    low = setting["min_learning_rate"]
    return low + (rate - low) * (1.0 + math.cos(math.pi * epoch / epochs)) / 2.0


@inner
def step(rate, setting, epoch, epochs):
    return rate * setting["lr_factor"] ** float(epoch // setting["decay_epochs"])


@inner
def exponential(rate, setting, epoch, epochs):
    return rate * setting["lr_factor"] ** (epoch / setting["decay_epochs"])


@inner
def one_cycle(rate, setting, epoch, epochs):
    top = RISE * epochs
    if epoch < top:
        share, first, last = epoch / top, START, 1.0
    else:
        share, first, last = (epoch - top) / (epochs - top), 1.0, END
    return rate * (last + (first - last) * (1.0 + math.cos(math.pi * share)) / 2.0)


@inner
def scheduled(rate, setting, epoch, epochs):
    """The rate after `epoch` of `epochs` epochs."""
    if setting["schedule"] == COSINE:
        return cosine(rate, setting, epoch, epochs)
    if setting["schedule"] == STEP:
        return step(rate, setting, epoch, epochs)
    if setting["schedule"] == EXPONENTIAL:
        return exponential(rate, setting, epoch, epochs)
    if setting["schedule"] == ONE_CYCLE:
        return one_cycle(rate, setting, epoch, epochs)
    return rate


@inner
def learning_rate(rate, setting, epoch):
    """The rate of epoch + 1: the schedule's, at least min_learning_rate, with warm-up applied."""
    never_inline()
    warm = setting["warmup_epochs"]
    rate = scheduled(rate, setting, max(epoch - warm, 0), max(setting["max_epochs"] - warm, 1))
    rate = max(rate, setting["min_learning_rate"])
    return rate * (epoch + 1) / (warm + 1) if epoch < warm else rate
