"""Targets in people's units: what they are of, and how a loss reads in them.

RMSE, R2 and log loss follow from the loss exactly, so a member stops when it reaches them. Accuracy
does not: it is decided when a member has ended, from its best weights.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Unit(NamedTuple):
    """A metric that can be asked for: its name in the results, and in words."""

    metric: str
    words: str


UNITS = {
    "target_rmse": Unit("rmse", "RMSE"),
    "target_r2": Unit("r2", "R2"),
    "target_accuracy": Unit("accuracy", "accuracy"),
    "target_log_loss": Unit("log_loss", "log loss"),
}


def asked_unit(options: Mapping[str, Any]) -> str | None:
    """The option of UNITS that has a value, or None."""
    return next((name for name in UNITS if options[name] is not None), None)


def has_target(options: Mapping[str, Any]) -> bool:
    """Whether any target was set."""
    return options["target_loss"] != (None,) or asked_unit(options) is not None


def in_unit(options: Mapping[str, Any], loss: float | None) -> float | None:
    """A monitored loss in the unit that was asked for, from the loss at the target.

    Examples
    --------
    >>> options = {**dict.fromkeys(UNITS), "target_loss": (0.02,), "target_rmse": 1.5}
    >>> in_unit(options, 0.08)
    3.0
    """
    name, at_target = asked_unit(options), options["target_loss"][0]
    if loss is None or name is None:
        return None
    value, ratio = options[name], loss / at_target
    if name == "target_r2":
        return 1 - (1 - value) * ratio
    return value * (ratio**0.5 if name == "target_rmse" else ratio)


def text_of_target(options: Mapping[str, Any], loss: float | None, validated: bool) -> str:
    """A target in words: that of a run, in its unit, or else a member's target loss."""
    name = asked_unit(options)
    if name is None:
        return f"the target loss {loss:g}"
    return (
        f"a {'validation' if validated else 'training'} {UNITS[name].words} of {options[name]:,g}"
    )
