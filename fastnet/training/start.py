"""What members begin with: their initial weights and the state of epoch 0."""

from collections.abc import Callable
from typing import Any

import numpy as np

from fastnet.data.checks import as_array
from fastnet.engine import init, layout
from fastnet.engine.records import STATE, Pack
from fastnet.errors import UsageError, quoted
from fastnet.options.kinds import is_list
from fastnet.training.plan import Plan


def start_pack(
    plan: Plan,
    dtype: np.dtype,
    samples: Callable[[int], tuple[np.ndarray, np.ndarray]],
    initial_weights: Any = None,
) -> Pack:
    """The members at epoch 0; `samples` gives the training rows of a fold."""
    parameters = init.initialise(plan, dtype, weights_of_members(initial_weights), samples)
    states = np.zeros(plan.settings.size, STATE)
    states["learning_rate"] = states["plateau_rate"] = plan.settings["learning_rate"]
    states["best_loss"] = states["step_loss"] = np.inf
    states["best_epoch"] = states["last_epoch"] = -1
    memory = layout.zeros(plan.memory, dtype)
    best = layout.zeros(parameters.size, dtype)
    best[:] = parameters
    return Pack(plan.settings, states, parameters, best, memory)


def weights_of_members(given: Any) -> list[tuple[np.ndarray, ...]] | None:
    """The initial weights that a caller gave, as arrays; a UsageError for anything else."""
    if given is None:
        return None
    if not is_list(given):
        raise UsageError(
            f"initial_weights must be a list of (W1, b1, W2, b2), got {quoted(given)}."
        )
    found = []
    for member, weights in enumerate(given):
        name = f"initial_weights[{member}]"
        if not is_list(weights) or len(weights := [*weights]) != 4:
            raise UsageError(f"{name} must be (W1, b1, W2, b2), got {quoted(weights)}.")
        arrays = tuple(as_array(array, name) for array in weights)
        if not all(array.dtype.kind in "fiu" for array in arrays):
            raise UsageError(f"{name} must hold numbers, got {quoted(weights)}.")
        found.append(arrays)
    return found
