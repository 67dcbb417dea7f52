"""The members' records: a run's settings and state of each member, and the codes in them."""

from typing import NamedTuple

import numpy as np

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


class Pack(NamedTuple):
    """The members: a record of settings and of state each, and their packed numbers."""

    settings: np.ndarray  # (M,) SETTINGS
    states: np.ndarray  # (M,) STATE
    parameters: np.ndarray  # flat
    best: np.ndarray  # flat, the weights of the best entry so far
    memory: np.ndarray  # flat, what the optimisers keep between steps
