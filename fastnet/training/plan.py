"""From options to members: the product of the axes, one record of settings a member."""

import math
from typing import NamedTuple

import numpy as np

from fastnet.engine.layout import offsets
from fastnet.engine.methods import METHODS
from fastnet.engine.records import SETTINGS
from fastnet.errors import UsageError
from fastnet.options.methods import (
    ACTIVATIONS,
    CLASSIFIERS,
    DAMPINGS,
    FIRST_ORDER,
    LEARNING_RATES,
    OPTIMIZERS,
    SCHEDULES,
    STEPPED,
)
from fastnet.options.ranges import MAX_MEMBERS
from fastnet.options.rules import refuse_unused
from fastnet.options.table import AXES

# How a setting that is None stands in a member's record.
OFF = {
    "clip_norm": np.inf,
    "batch_size": 0,
    "lr_patience": 0,
    "patience": 0,
    "target_loss": -np.inf,
    "learning_rate": 0.0,
}
# How one stands that gets its value here: it is none of a member's values.
OPEN = {"learning_rate": 0.0, "decay_epochs": 0}
# Methods that hold a matrix of P x P numbers in every thread, two of 128 MiB for the largest P.
WITH_MATRIX, MOST_PARAMETERS = ("lm", "br"), 4096
COLUMNS = np.dtype(
    [
        ("n1", "i8"),
        ("seed", "i8"),
        ("learning_rate", "f8"),
        ("clip_norm", "f8"),
        ("batch_size", "i8"),
        ("lr_patience", "i8"),
        ("lr_factor", "f8"),
        ("min_delta", "f8"),
        ("patience", "i8"),
        ("target_loss", "f8"),
        ("l2", "f8"),
        ("init", "U14"),
        ("activation", "U10"),
        ("optimizer", "U8"),
        ("momentum", "f8"),
        ("rho", "f8"),
        ("beta_1", "f8"),
        ("beta_2", "f8"),
        ("epsilon", "f8"),
        ("weight_decay", "f8"),
        ("schedule", "U11"),
        ("warmup_epochs", "i8"),
        ("decay_epochs", "i8"),
        ("huber_delta", "f8"),
        ("quantile", "f8"),
    ]
)
# The axes as columns, in their order.
SETTING_COLUMNS = COLUMNS.names
# Up to so many inputs Nguyen-Widrow is the default for regression: see docs/tasks.md.
FEW_INPUTS = 6


class Plan(NamedTuple):
    """What is to be trained.

    `columns` (M,) has a member's settings as people read them, `settings` (M,) as kernels do.
    """

    columns: np.ndarray
    settings: np.ndarray
    length: int  # of the packed parameters
    memory: int  # numbers that the optimisers keep
    d: int
    k: int
    loss: str


def indices(lists, paired):
    """For each member the position of its value on each axis."""
    if paired:
        lengths = {name: len(values) for name, values in lists.items() if len(values) > 1}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"{name} {count}" for name, count in lengths.items())
            raise UsageError(
                f"zip needs lists of equal length, got {shown} values; give each as many."
            )
        count = max([1, *lengths.values()])
        return [np.arange(count) if len(v) > 1 else np.zeros(count, int) for v in lists.values()]
    sizes = [len(values) for values in lists.values()]
    count = math.prod(sizes)
    if count > MAX_MEMBERS:
        raise UsageError(
            f"the axes give {count:,} members, at most {MAX_MEMBERS:,} are allowed; "
            "shorten n1, seeds or another list."
        )
    return np.unravel_index(np.arange(count), sizes)


def resolved_init(init, loss, d, activation):
    """The name behind "auto", and a refusal of what does not go together."""
    bounded = activation in ("sigmoid", "tanh")
    if init == "auto":
        return (
            "nguyen_widrow"
            if loss not in CLASSIFIERS and d <= FEW_INPUTS and bounded
            else "glorot_uniform"
        )
    if init == "nguyen_widrow" and not bounded:
        raise UsageError(
            f"init nguyen_widrow needs activation sigmoid or tanh, got {activation}; "
            "use he_normal or glorot_uniform."
        )
    return init


def resolved_inits(options, table, loss, d):
    """The init column without "auto"."""
    named = table["init"].copy()
    for init in options["init"]:
        for activation in options["activation"]:
            chosen = (table["init"] == init) & (table["activation"] == activation)
            if chosen.any():
                named[chosen] = resolved_init(init, loss, d, activation)
                both = init == "auto" and named[chosen][0] in options["init"]
                if both and not options["zip"]:
                    raise UsageError(
                        f"init auto means {named[chosen][0]} here, which is named, too; drop one."
                    )
    return named


def columns(options, loss, d):
    """The members' settings: the product of the axes, the last fastest."""
    lists = {name: options[name] for name in AXES}
    positions = indices(lists, options["zip"])
    table = np.zeros(len(positions[0]), COLUMNS)
    for (name, values), position in zip(lists.items(), positions):
        column = "seed" if name == "seeds" else name
        encoded = [{**OFF, **OPEN}[name] if value is None else value for value in values]
        table[column] = np.array(encoded, COLUMNS[column])[position]
    table["init"] = resolved_inits(options, table, loss, d)
    for optimizer in options["optimizer"]:
        own = (table["learning_rate"] == OPEN["learning_rate"]) & (table["optimizer"] == optimizer)
        table["learning_rate"][own] = LEARNING_RATES.get(optimizer, OFF["learning_rate"])
    table["decay_epochs"][table["decay_epochs"] == OPEN["decay_epochs"]] = max(
        1, options["max_epochs"] // 10
    )
    return table


def refuse_mismatch(table):
    """An error for settings that do not go together."""
    batched = table[(table["optimizer"] == "rprop") & (table["batch_size"] != OFF["batch_size"])]
    if batched.size:
        raise UsageError(
            f"optimizer rprop needs all samples in a step, got batch_size "
            f"{batched['batch_size'][0]}; give batch_size none."
        )


def refuse_matrix(table, loss, d, k):
    """An error for what lm and br cannot do."""
    held = table[np.isin(table["optimizer"], WITH_MATRIX)]
    if held.size == 0:
        return
    name = held["optimizer"][0]
    if loss != "squared":
        raise UsageError(f"optimizer {name} needs loss squared, got {loss}; use lbfgs.")
    if (held["l2"][held["optimizer"] == "br"] > 0).any():
        raise UsageError("optimizer br finds its own penalty; drop l2, or use optimizer lm.")
    count = int(held["n1"].max()) * (d + 1 + k) + k
    if count > MOST_PARAMETERS:
        raise UsageError(
            f"optimizer {name} holds a matrix of all parameters by all, at most "
            f"{MOST_PARAMETERS:,} of them, got {count:,}; use a smaller n1, or lbfgs."
        )


def switch_off(table, options):
    """Settings that mean nothing to second-order members stand as off."""
    chosen = ~np.isin(table["optimizer"], FIRST_ORDER)
    if not chosen.any():
        return
    for name in set(STEPPED) & set(OFF):
        if len(options[name]) > 1 and not options["zip"]:
            raise UsageError(
                f"{name} has {len(options[name])} values, which optimizer "
                f"{table['optimizer'][chosen][0]} does not use: its members would be trained as "
                f"often; give {name} one value."
            )
        table[name][chosen] = OFF[name]


CODES = {"activation": ACTIVATIONS, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}


def make(options, data):
    """The Plan for the options of a run and its data."""
    shape = data.X.shape[1], data.Y.shape[1]
    return of_shape(options, data.loss, *shape, data.train_counts())


def of_shape(options, loss, d, k, counts):
    """The Plan for the options of a run on data of d inputs and k outputs, of which `counts` rows
    are trained on in each fold."""
    refuse_unused(options, loss)
    table = columns(options, loss, d)
    refuse_mismatch(table)
    refuse_matrix(table, loss, d, k)
    switch_off(table, options)
    rates = table["learning_rate"][table["learning_rate"] != OFF["learning_rate"]]
    if (rates < options["min_learning_rate"]).any():
        raise UsageError(
            f"min_learning_rate {options['min_learning_rate']:g} is above the learning rate "
            f"{rates.min():g}."
        )
    table = np.repeat(table, len(counts))
    settings = np.zeros(table.size, SETTINGS)
    settings["fold"] = np.arange(table.size) % len(counts)
    for name in SETTINGS.names:
        if name in CODES:
            for value in options[name]:
                settings[name][table[name] == value] = CODES[name].index(value)
        elif name in COLUMNS.names:
            settings[name] = table[name]
    settings["batch_size"][table["batch_size"] >= counts[settings["fold"]]] = 0
    settings["max_epochs"] = options["max_epochs"]
    settings["min_learning_rate"] = options["min_learning_rate"]
    settings["damping"] = DAMPINGS.index(options["damping"])
    return placed(Plan(table, settings, 0, 0, d, k, loss))


def placed(plan):
    """The plan with each member's place in the flat arrays, and their lengths."""
    names, n1 = plan.columns["optimizer"], plan.columns["n1"]
    runs = np.zeros(names.size, np.int64)
    for name, optimizer in METHODS.items():
        runs[names == name] = optimizer.memory
    starts, memory = (offsets(n1, plan.d, plan.k, count) for count in (1, runs))
    plan.settings["offset"], plan.settings["memory"] = starts[:-1], memory[:-1]
    return plan._replace(length=int(starts[-1]), memory=int(memory[-1]))


def pick(plan, members):
    """The Plan of some members of a plan, in the order given."""
    columns, settings = plan.columns[members], plan.settings[members].copy()
    return placed(plan._replace(columns=columns, settings=settings))


def shown(name, value):
    """A setting as people and JSON see it: None where it is off."""
    value = value.item() if hasattr(value, "item") else value
    return None if name in OFF and value == OFF[name] else value
