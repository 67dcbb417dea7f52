"""The loss at which a target in people's units is reached."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet.data.samples import Data
from fastnet.errors import UsageError
from fastnet.options.methods import CLASSIFIERS
from fastnet.options.targets import asked_unit


def with_target_loss(options: Mapping[str, Any], data: Data) -> dict[str, Any]:
    """The options with the loss at their target in people's units; unchanged without one.

    Raises
    ------
    UsageError
        for a target that does not follow from the loss of the data.
    """
    name = asked_unit(options)
    if name is None:
        return {**options}
    refuse_unit(name, options, data)
    if name == "target_accuracy":
        return {**options, "target_loss": (None,)}
    return {**options, "target_loss": (loss_at(name, options[name], data),)}


def loss_at(name: str, value: float, data: Data) -> float:
    """The loss of the network's own numbers, which may be scaled, at the target."""
    if name == "target_rmse":
        return float((value / data.scaling.y_scale[0]) ** 2 / 2)
    if name == "target_r2":
        return (1 - value) * variance(data) / 2
    return value * (len(data.labels) or 1)  # the loss is a sum over the targets of labels


def variance(data: Data) -> float:
    """The variance of the target in the monitored rows, in the network's own numbers."""
    rows = data.rows(monitored(data))
    y, weight = data.Y[rows, 0].astype(np.float64), data.weight[rows]
    share = weight / weight.sum()
    found = float(share @ (y - share @ y) ** 2)
    if (y == y[0]).all() or found == 0:
        raise UsageError(
            "target_r2 needs a target that varies in the monitored rows; use target_rmse."
        )
    return found


def monitored(data: Data) -> str:
    """The name of the monitored set."""
    return "val" if len(data.split["val"]) else "train"


def refuse_unit(name: str, options: Mapping[str, Any], data: Data) -> None:
    """An error for a target that the loss, the targets or other options do not go with."""
    if name in ("target_accuracy", "target_log_loss"):
        if data.loss not in CLASSIFIERS:
            raise UsageError(f"{name} needs classes, got loss {data.loss}; give target_rmse.")
        if name == "target_accuracy" and options["stop"] == "first":
            raise UsageError(
                "target_accuracy is known only when a member has ended, so none can be the first "
                "to reach it; use stop all, or target_log_loss."
            )
        return
    if data.loss != "squared":
        raise UsageError(
            f"{name} follows from loss squared alone, got {data.loss}; give target_loss"
            f"{' or target_log_loss' * (data.loss in CLASSIFIERS)}."
        )
    if len(data.targets) > 1:
        raise UsageError(
            f"{name} belongs to one target, got {len(data.targets)}; the loss is a sum over them: "
            "give target_loss."
        )
    if name == "target_r2" and data.folds:
        raise UsageError(
            "target_r2 is another loss in each fold, whose rows vary more or less; use target_rmse."
        )
