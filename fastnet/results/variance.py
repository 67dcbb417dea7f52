"""Which setting mattered: shares of the variance of the losses of a sweep.

The sum of squares of a balanced grid falls apart exactly into one part for each axis, one for their
combinations and one for the seeds within a setting (analysis of variance: Fisher 1925, "Statistical
Methods for Research Workers"). The part of an axis is what its levels explain by their means alone.
Losses differ by orders of magnitude, so their logarithms are taken; where a member diverged, the
ranks of all (Conover & Iman 1981, "Rank transformations as a bridge between parametric and
nonparametric statistics", The American Statistician 35(3)). Hutter, Hoos & Leyton-Brown 2014, "An
efficient approach for assessing hyperparameter importance", do the same with a forest for settings
that are no grid.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet.options.methods import STOPS
from fastnet.training.grouping import given_axes, has_folds, monitored

CUT_SHORT = ("running", "time_limit", "interrupted", "stopped", "pruned")


def variance_shares(members: np.ndarray, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Each axis' share of the variance of the losses; None where obstacle() says why not.

    Parameters
    ----------
    members : structured ndarray
    options : mapping
        Of the run.

    Returns
    -------
    dict or None
        of: "log loss", or "rank of the loss" where a member diverged or a loss is not positive; and
        shares, which sum to 1: one for each axis besides the seed, combinations (what they do
        together beyond that) and seeds (all that differs within a setting, folds included).
    """
    if obstacle(members, options):
        return None
    of, values = values_of(members)
    values = values - values.mean()
    total = values @ values
    shares = {
        axis: explained(values, codes_of(members, [axis])) / total
        for axis in axes_of(members, options)
    }
    between = explained(values, codes_of(members, axes_of(members, options))) / total
    shares["combinations"] = max(between - sum(shares.values()), 0.0)
    shares["seeds"] = max(1 - between, 0.0)
    return {"of": of, "shares": {name: float(share) for name, share in shares.items()}}


def obstacle(members: np.ndarray, options: Mapping[str, Any]) -> str:
    """Why the variance of a run has no shares, or ""."""
    axes = axes_of(members, options)
    if not axes:
        return "all members have the same settings"
    cut = [reason for reason in CUT_SHORT if (members["stop_reason"] == reason).any()]
    if cut:
        return (
            f"some members {STOPS[cut[0]].did}"
            if cut[0] in STOPS
            else "some members were cut short"
        )
    levels = [len(np.unique(members[axis])) for axis in axes]
    counts = np.bincount(codes_of(members, axes))
    if len(counts) != np.prod(levels) or (counts != counts[0]).any():
        return "its settings are not all combined with each other equally often"
    values = values_of(members)[1]
    return "all losses are equal" if (values == values[0]).all() else ""


def axes_of(members: np.ndarray, options: Mapping[str, Any]) -> list[str]:
    """The axes besides the seed that have several values."""
    return [
        *["n1"] * bool((members["n1"] != members["n1"][0]).any()),
        *given_axes(members, options),
    ]


def codes_of(members: np.ndarray, axes: list[str]) -> np.ndarray:
    """A number for each member, equal for members with the same values on these axes."""
    codes = np.zeros(len(members), np.int64)
    for axis in axes:
        _, code = np.unique(members[axis], return_inverse=True)
        _, codes = np.unique(codes * (code.max() + 1) + code, return_inverse=True)
    return codes


def values_of(members: np.ndarray) -> tuple[str, np.ndarray]:
    """What is compared, in words, and its values: the log of the loss, or its rank."""
    losses = np.nan_to_num(monitored(members), nan=np.inf)
    if np.isfinite(losses).all() and (losses > 0).all():
        return "log loss", np.log(losses)
    _, places, counts = np.unique(losses, return_inverse=True, return_counts=True)
    return "rank of the loss", (np.cumsum(counts) - (counts - 1) / 2)[places]


def explained(values: np.ndarray, codes: np.ndarray) -> float:
    """The sum of squares that the means of groups explain; `values` have the mean 0."""
    counts = np.bincount(codes)
    return float((np.bincount(codes, values) ** 2 / counts).sum())


# ---------------------------------------------------------------- in words


def sentence(members: np.ndarray, options: Mapping[str, Any]) -> str:
    """Which setting mattered, in words; "" for fewer than two axes besides the seed."""
    if len(axes_of(members, options)) < 2:
        return ""
    found = variance_shares(members, options)
    if found is None:
        return f"Which setting mattered is not known: {obstacle(members, options)}."
    named = {"n1": "N1", "combinations": "their combinations"}
    if has_folds(members):
        named["seeds"] = "seeds and folds"
    ranked = sorted(found["shares"].items(), key=lambda item: -item[1])
    told = ", ".join(f"{named.get(name, name)} {100 * share:.0f} %" for name, share in ranked)
    return f"What mattered, in shares of the variance of the {found['of']}: {told}."
