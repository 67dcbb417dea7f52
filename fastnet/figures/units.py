"""Losses in the units of the data, so far as the loss says how large an error is."""

from typing import NamedTuple

import numpy as np

from fastnet.figures import style
from fastnet.figures.networks import output_names
from fastnet.figures.style import alt, chart_data
from fastnet.options.methods import CLASSIFIERS
from fastnet.options.targets import UNITS, asked_unit, has_target
from fastnet.results.words import number

MOST_TARGETS = 3


class Unit(NamedTuple):
    """What a figure shows in place of a loss.

    Attributes
    ----------
    name : str
        In words: RMSE of price, log loss, loss.
    which : str
        The rows that it is of: validation or training.
    scale : float or None
        The RMSE of a loss of 1/2; None where the loss itself is shown.
    """

    name: str
    which: str
    scale: float | None = None

    @property
    def words(self):
        """The name with its rows."""
        return f"{self.which} {self.name}"

    def of(self, losses):
        """Losses in this unit."""
        losses = np.asarray(losses, float)
        return losses if self.scale is None else self.scale * np.sqrt(2 * losses)


def unit_of(result):
    """The Unit of a run: the RMSE of its only target if it minimizes the squared error.

    Who has set a target loss thinks in losses, and sees them.
    """
    which = "validation" if np.isfinite(result.members["val_loss"]).any() else "training"
    if has_target(result.options) and asked_unit(result.options) is None:
        return Unit("loss", which)
    if result.loss == "squared" and len(result.scaling.y_scale) == 1:
        return Unit(
            f"RMSE of {output_names(result, 1)[0]}", which, float(result.scaling.y_scale[0])
        )
    return Unit("log loss" if result.loss in CLASSIFIERS else "loss", which)


# ---------------------------------------------------------------- targets


def drawn_targets(result):
    """The targets in the unit of the run, if a logarithmic axis can show them and they are few."""
    targets = np.unique(result.members["target_loss"])
    targets = targets[style.positive(targets)]
    return unit_of(result).of(targets[: MOST_TARGETS * (len(targets) <= MOST_TARGETS)])


def target_rules(result):
    """A dashed line for each target."""
    targets = drawn_targets(result)
    rule = alt.Chart(chart_data({"target": targets})).mark_rule(style="target")
    return [rule.encode(y="target:Q")] if len(targets) else []


def target_text(result):
    """What the dashed lines are; "" without them."""
    targets, asked = drawn_targets(result), asked_unit(result.options)
    if not len(targets):
        return ""
    if asked:
        return f"dashed: the target, {UNITS[asked].words} {number(float(result.options[asked]))}"
    return "dashed: the target, " + ", ".join(number(float(target)) for target in targets)
