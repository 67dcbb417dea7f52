"""From probabilities to labels: the likeliest, by thresholds, or by the costs of errors."""

import numbers
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnet import reference
from fastnet.data.dialect import listed
from fastnet.errors import UsageError, did_you_mean, quoted
from fastnet.options.kinds import cells

if TYPE_CHECKING:
    from fastnet.results.model import Predictor

GOALS = ("f1", "balanced_accuracy")  # what a threshold can be chosen by
HALF = 0.5  # the threshold of a target that none is given for


class Rule(NamedTuple):
    """How labels are predicted. Without a rule, the likeliest is.

    Attributes
    ----------
    thresholds : tuple of float
        The probability from which the second of two labels is predicted: one for two classes, or
        one for each of several targets.
    costs : tuple of float
        For each class, the cost of not predicting it where it is true: the class with the least
        expected cost is predicted.
    """

    thresholds: tuple[float, ...] = ()
    costs: tuple[float, ...] = ()


# ---------------------------------------------------------------- labels from z2


def softmax(Z2: np.ndarray) -> np.ndarray:
    """Probabilities of classes from logits, row by row."""
    powers = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def predicted_classes(Z2: np.ndarray, rule: Rule | None = None) -> np.ndarray:
    """The number of the predicted class of each row, shape (n,).

    Examples
    --------
    >>> Z2 = np.log([[0.7, 0.3], [0.9, 0.1]])
    >>> predicted_classes(Z2), predicted_classes(Z2, Rule(costs=(1, 5)))
    (array([0, 0]), array([1, 0]))
    """
    if rule is None:
        return Z2.argmax(axis=1)
    if rule.thresholds:
        return (softmax(Z2)[:, 1] >= rule.thresholds[0]).astype(np.int64)
    with np.errstate(divide="ignore"):  # class j saves p_j cost_j of the cost of all errors
        return (Z2 + np.log(rule.costs)).argmax(axis=1)


def predicted_seconds(Z2: np.ndarray, rule: Rule | None = None) -> np.ndarray:
    """Whether the second label of each of several targets is predicted, shape (n, k)."""
    if rule is None:
        return Z2 > 0
    return reference.activations.sigmoid(Z2) >= np.array(rule.thresholds)


# ---------------------------------------------------------------- rules that a person gives


def rule_of(model: "Predictor", threshold: Any, costs: Any) -> Rule | None:
    """The Rule that a threshold or costs ask for; None without both.

    Raises
    ------
    UsageError
        for both, for a model that they do not suit, for numbers that cannot be, and for a
        threshold that the model does not hold.
    """
    if threshold is not None and costs is not None:
        raise UsageError("threshold and costs both decide which label is predicted; give one.")
    if costs is not None:
        return Rule(costs=costs_of(model, costs))
    return None if threshold is None else Rule(thresholds=thresholds_of(model, threshold))


def thresholds_of(model: "Predictor", given: Any) -> tuple[float, ...]:
    """A threshold for the model's two classes, or one for each of its targets of two labels."""
    if model.labels:
        several = isinstance(given, Mapping) or (isinstance(given, str) and "=" in given)
        pairs = pairs_of(given, "threshold") if several else dict.fromkeys(model.targets, given)
        refuse_unknown(pairs, model.targets, "threshold", "target")
        return tuple(one_threshold(model, pairs.get(name, HALF), name) for name in model.targets)
    if model.classes is None or len(model.classes) != 2:
        what = "numbers" if model.classes is None else f"{len(model.classes)} classes"
        more = "" if model.classes is None else "; costs of classes suit any number of them"
        raise UsageError(
            f"threshold {quoted(given)} needs a model of two classes, or of several targets of "
            f"two labels, not of {what}{more}."
        )
    return (one_threshold(model, given),)


def one_threshold(model: "Predictor", given: Any, target: str | None = None) -> float:
    """A probability as given, or the one that was chosen by a goal, perhaps for a target."""
    if isinstance(given, str) and given in GOALS:
        return chosen(model, given, target)
    value = number_of(given)
    if not 0 <= value <= 1:
        of = "" if target is None else f" of target {target!r}"
        names = " or ".join(GOALS)
        raise UsageError(f"threshold{of} must be from 0 to 1, {names}, got {quoted(given)}.")
    return value


def chosen(model: "Predictor", goal: str, target: str | None) -> float:
    """The threshold of a goal that a model holds."""
    if model.thresholds is None:
        raise UsageError(
            f"threshold {goal} was not chosen for this model: only the best member of a run "
            "with validation rows of both classes has one; give a number from 0 to 1."
        )
    found = model.thresholds[goal]
    found = found if target is None else found[target]
    if found is None:
        raise UsageError(
            f"threshold {goal} was not chosen for target {target!r}: the validation rows have only "
            f"one of its labels; give a number, such as {target}=0.5."
        )
    return found


def costs_of(model: "Predictor", given: Any) -> tuple[float, ...]:
    """The cost of missing each class of a model, in their order."""
    if model.classes is None:
        what = f"{len(model.labels)} targets of labels" if model.labels else "numbers"
        cure = "; give each target a threshold" if model.labels else ""
        raise UsageError(f"costs need a model of classes, not of {what}{cure}.")
    names, pairs = [str(label) for label in model.classes], pairs_of(given, "costs")
    refuse_unknown(pairs, names, "costs", "class")
    missing = [name for name in names if name not in pairs]
    if missing:
        raise UsageError(f"costs must name every class; there is none for {listed(missing, 5)}.")
    costs = tuple(number_of(pairs[name]) for name in names)
    bad = [name for name, cost in zip(names, costs) if not (0 <= cost < np.inf)]
    if bad:
        got = quoted(pairs[bad[0]])
        raise UsageError(f"the cost of class {bad[0]!r} must be a number >= 0, got {got}.")
    if not any(costs):
        raise UsageError("costs must not all be 0: then all predictions cost the same.")
    return costs


def pairs_of(given: Any, option: str) -> dict[str, Any]:
    """Values by name, from a mapping or a text such as a=0.3,b=0.6, quoted as CSV."""
    if isinstance(given, Mapping):
        return {str(name): value for name, value in given.items()}
    parts = [cell.rpartition("=") for cell in cells(given)] if isinstance(given, str) else []
    pairs = {name.strip(): value.strip() for name, _, value in parts}
    if not pairs or "" in pairs or len(pairs) < len(parts):
        raise UsageError(f"{option} must be NAME=NUM,NAME=NUM, each once, got {quoted(given)}.")
    return pairs


def refuse_unknown(pairs: Mapping[str, Any], names: Sequence[str], option: str, what: str) -> None:
    """Refuse names that the model does not have."""
    for name in pairs:
        if name not in names:
            raise UsageError(
                f"{option}: the model has no {what} {name!r}, only {listed(list(names), 10)}."
                f"{did_you_mean(name, names)}"
            )


def number_of(given: Any) -> float:
    """A number, perhaps written as a text; NaN for anything else."""
    if not isinstance(given, (str, numbers.Real)):
        return np.nan
    try:
        return float(given)
    except (ValueError, OverflowError):
        return np.nan
