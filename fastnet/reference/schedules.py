"""The course of the learning rate over the epochs."""

import math

from fastnet.options.methods import SCHEDULES as NAMES


def constant(rate, setting, epoch, epochs):
    return rate


def cosine(rate, setting, epoch, epochs):
    """Down to min_learning_rate along half a cosine (Loshchilov & Hutter 2017, eq. 5)."""
    low = setting["min_learning_rate"]
    return low + (rate - low) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def step(rate, setting, epoch, epochs):
    """Multiplied by lr_factor after every decay_epochs."""
    return rate * setting["lr_factor"] ** (epoch // setting["decay_epochs"])


def exponential(rate, setting, epoch, epochs):
    """Like step, as a smooth curve."""
    return rate * setting["lr_factor"] ** (epoch / setting["decay_epochs"])


RISE, START, END = 0.3, 1 / 25, 1 / 25 / 1e4


def one_cycle(rate, setting, epoch, epochs):
    """Up from START times the rate in the first RISE of the epochs, then down to END times it, both
    along half a cosine (Smith & Topin 2018, section 3; numbers of PyTorch's OneCycleLR)."""
    top = RISE * epochs
    if epoch < top:
        share, first, last = epoch / top, START, 1.0
    else:
        share, first, last = (epoch - top) / (epochs - top), 1.0, END
    return rate * (last + (first - last) * (1 + math.cos(math.pi * share)) / 2)


# The plateau rule itself is in decide().
SCHEDULES = {
    "plateau": constant,
    "constant": constant,
    "cosine": cosine,
    "step": step,
    "exponential": exponential,
    "one_cycle": one_cycle,
}


def learning_rate(rate, setting, epoch):
    """The rate of epoch + 1: the schedule's, at least min_learning_rate, with warm-up applied.

    In warm-up, the first epochs have 1, 2, ... of warmup_epochs + 1 equal parts of the rate
    (Goyal et al. 2017, section 2.2).
    """
    warm, schedule = setting["warmup_epochs"], SCHEDULES[NAMES[setting["schedule"]]]
    rate = schedule(rate, setting, max(epoch - warm, 0), max(setting["max_epochs"] - warm, 1))
    rate = max(rate, setting["min_learning_rate"])
    return rate * (epoch + 1) / (warm + 1) if epoch < warm else rate
