"""The members' records: settings and state of each member of a run, and the codes in them."""

from typing import NamedTuple

import numpy as np

from fastnet.options.methods import STOPS, code
from fastnet.options.table import SETTINGS as OPTIONS

# Codes of a member's stop.
RUNNING = code(STOPS, "running")
TARGET = code(STOPS, "target")
PATIENCE = code(STOPS, "patience")
MAX_EPOCHS = code(STOPS, "max_epochs")
DIVERGED = code(STOPS, "diverged")
CONVERGED = code(STOPS, "converged")
TIME_LIMIT = code(STOPS, "time_limit")
STOPPED = code(STOPS, "stopped")
PRUNED = code(STOPS, "pruned")
# Columns of what a round records.
TRAIN_LOSS, VAL_LOSS, LEARNING_RATE, GRADIENT_NORM, CLIPPED = range(5)
COLUMNS = 5
# Every epoch up to DENSE_EPOCHS is kept in a history, beyond it DENSE_EPOCHS / 2 of each doubling.
DENSE_EPOCHS = 1024
# The options that belong to a member, as numbers; where its parameters begin in the packed array
# (offset) and its optimiser's numbers in theirs (memory); whose weights of the samples it takes.
SETTINGS = np.dtype(
    [(name, option.dtype) for name, option in OPTIONS.items()]
    + [(name, np.int64) for name in ("offset", "memory", "fold")]
)
STATE = np.dtype(
    [
        (name, np.int64)
        for name in ("epoch", "stop", "best_epoch", "last_epoch", "waited", "stalled", "steps")
    ]
    + [(name, np.int64) for name in ("rule", "stored", "flat")]
    + [(name, np.float64) for name in ("mu", "mu_up", "decay", "effective", "evidence")]
    + [(name, np.float64) for name in ("learning_rate", "plateau_rate", "best_loss", "reference")]
    + [(name, np.float64) for name in ("gradient_norm", "clipped", "mean_loss", "step_loss")]
    + [(name, np.float64, (COLUMNS,)) for name in ("best_entry", "last_entry")]
)


class Pack(NamedTuple):
    """The members: a record of settings and of state each, and their packed numbers."""

    settings: np.ndarray  # (M,) SETTINGS
    states: np.ndarray  # (M,) STATE
    parameters: np.ndarray  # flat
    best: np.ndarray  # flat, the weights of the best entry so far
    memory: np.ndarray  # flat, what the optimisers keep between steps
