"""Parameters of the estimators, each written once: fields of a dataclass, with their help.

Parameters that are options of fastnet have the help of the options table. "auto" is the default
that tables have on the command line, which depends on the optimizer.
"""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, Field, dataclass, fields
from typing import Any

from fastnet.data.split import FEW_ROWS
from fastnet.options.defaults import METHODS_ON_TABLES, defaults_beside
from fastnet.options.table import OPTIONS

# Help of parameters that are not options, or that say more or less than the option; and the type in
# words, if it differs from the option's.
HELP = {
    "time_limit": "Seconds of training after which it stops, so that the result depends on the "
    "machine; None = no limit.",
    "scale": "Scaling of inputs and numeric targets, learned from the training rows and part of "
    "the model; clipped = standard, and inputs are cut at 5 standard deviations. Losses are those "
    "of scaled targets.",
    "validation_fraction": "Share of the samples, of each class alike, that is held out: their "
    "loss tells when to stop and which weights are the best. 0 monitors the training loss instead, "
    f"as does the default where there are fewer than {FEW_ROWS} rows.",
    "retrain": "Where rows were held out, train the best restart once more on all rows, until its "
    "training loss is what it was at the best epoch (after Goodfellow, Bengio & Courville 2016, "
    "Deep Learning, Algorithm 7.3); from its best weights if it reaches that loss too early.",
    "n_restarts": "Networks to train at once from different initial weights; the one with the "
    "lowest monitored loss is kept.",
    "ensemble": "The mean of this many restarts predicts, those with the lowest monitored loss; "
    "at least as many are trained. retrain trains each of them once more.",
    "class_weight": "Factors of the rows' weights by class, in the loss that is minimised and in "
    'the one that is monitored; "balanced" gives every class the same sum.',
    "random_state": "Restart i starts from seed random_state + i, as `seeds` of `fastnet.sweep`; "
    "the held-out rows depend on random_state as well.",
    "n_jobs": "Threads, which share the restarts; None means 1 and -1 all cores that the "
    "process may use, as in scikit-learn. The result does not depend on it.",
    "ordinal": "Columns of a data frame whose levels have an order, which become the numbers 0, 1, "
    "2, ...: their levels, the lowest first, such as {'size': ['S', 'M', 'L']}. Ordered categories "
    "of pandas have theirs.",
    "dates": "What dates in a data frame become: the seconds since 1970, or their parts, such as "
    "year, month and weekday; refuse asks.",
    "unknown": "What a category becomes in predict that fit has not seen: an error, or other.",
    "options": "Further options of fastnet, by their names.",
}
WORDS = {
    "retrain": "bool",
    "ordinal": "dict, str or None",
    "n_restarts": "int",
    "ensemble": "int",
    "class_weight": 'dict, "balanced" or None',
    "random_state": "int, RandomState or None",
    "n_jobs": "int or None",
    "options": "dict or None",
}


AUTO = "auto"  # a default that depends on the optimizer


@dataclass(eq=False, repr=False)
class Parameters:
    """The parameters of both estimators; fit checks each value."""

    n1: int | str = AUTO
    _: KW_ONLY
    learning_rate: float | str | None = AUTO
    max_epochs: int = 300
    batch_size: int | str | None = AUTO
    patience: int | str | None = AUTO
    lr_patience: int | str | None = AUTO
    lr_factor: float = 0.5
    min_learning_rate: float = 0.0
    min_delta: float = 0.0
    clip_norm: float | str | None = AUTO
    l2: float | str = AUTO
    init: str = "auto"
    activation: str = AUTO
    optimizer: str = AUTO
    target_loss: float | None = None
    time_limit: float | None = None
    scale: str = "clipped"
    validation_fraction: float | str = AUTO
    retrain: bool = True
    n_restarts: int = 1
    ensemble: int = 1
    dtype: str = "float32"
    ordinal: Mapping[str, Iterable[Any]] | str | None = None
    dates: str = "refuse"
    unknown: str = "error"
    random_state: Any = None
    n_jobs: int | None = None
    options: Mapping[str, Any] | None = None


@dataclass(eq=False, repr=False)
class ClassifierParameters(Parameters):
    """The further parameters of the classifier."""

    _: KW_ONLY
    class_weight: Mapping[Any, float] | str | None = None


def entry(field: Field) -> str:
    """A parameter as an entry of a docstring."""
    words, help = WORDS.get(field.name), HELP.get(field.name)
    words = words or OPTIONS[field.name].wanted().replace("or none", "or None")
    help = help or OPTIONS[field.name].help.replace("none =", "None =")
    if field.default == AUTO and AUTO not in getattr(OPTIONS.get(field.name), "choices", ()):
        words, help = with_auto(field.name, words, help)
    body = textwrap.indent(textwrap.fill(help, 91), "        ")
    return f"    {field.name} : {words}, default={field.default!r}\n{body}"


def with_auto(name: str, words: str, help: str) -> tuple[str, str]:
    """Type and help of a parameter that may be "auto", with what this stands for."""
    found: dict[Any, list[str]] = {}
    for optimizer in ("adam", *METHODS_ON_TABLES):
        value = defaults_beside({"optimizer": optimizer}, "train", "data")[name]
        value = value[0] if isinstance(value, tuple) else value
        found.setdefault(value, []).append(optimizer)
    usual, *others = found
    said = [f"{value!r} for {' and '.join(found[value])}" for value in others]
    if usual == AUTO:
        return words, f"{help} For lm and br it is 0."
    return f'{words} or "auto"', f"{help} auto = {', '.join([repr(usual), *said])}."


def documented(cls: type) -> str:
    """The parameters of a class as the section of a docstring."""
    entries = "\n".join(entry(field) for field in fields(cls))
    return f"Parameters\n    ----------\n{entries}\n"
