"""From options to members: the product of the axes, one record of settings per member."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.samples import Data
from fastnet.engine.init import INITS
from fastnet.engine.layout import in_units, offsets, padded
from fastnet.engine.methods import METHODS
from fastnet.engine.records import SETTINGS
from fastnet.errors import UsageError
from fastnet.options.methods import (
    ACTIVATIONS,
    CLASSIFIERS,
    FIRST_ORDER,
    OPTIMIZERS,
    WITH_MATRIX,
    longest,
)
from fastnet.options.ranges import MAX_MEMBERS
from fastnet.options.rules import refuse_unused
from fastnet.options.table import AXES, STEPPED
from fastnet.options.table import COLUMNS as AXIS_OPTIONS
from fastnet.options.table import SETTINGS as SETTING_OPTIONS
from fastnet.training.search import Block

# The value in the records of a setting that is None. Some members need a real value
# (learning_rate with steps of a given rate, decay_epochs); plan_of_shape() sets it.
OFF = {name: option.off for name, option in AXIS_OPTIONS.items() if option.none}
# The most parameters of an optimizer that holds a matrix of P x P numbers in every thread: two of
# 128 MiB for the largest P.
MOST_PARAMETERS = 4096
# The axes as columns, in their order; one of names is as wide as the longest of its choices.
COLUMNS = np.dtype(
    [
        (name, longest(option.choices) if option.choices else option.dtype)
        for name, option in AXIS_OPTIONS.items()
    ]
)
SETTING_COLUMNS = COLUMNS.names
# Up to this many inputs Nguyen-Widrow is the default for regression: see docs/notes/defaults.md.
FEW_INPUTS = 6
# Up to this many, relu starts with its corners at training rows; with 4 and more they do not help.
FEW_FOR_RELU = 3
# Above this many values, rows times inputs, batches are larger and fewer strengths of l2 are tried.
MANY_VALUES, LARGER = 1_000_000, 4


class Plan(NamedTuple):
    """The members to train.

    `columns` (M,) has their settings in the form for people, `settings` (M,) in that for kernels.
    """

    columns: np.ndarray
    settings: np.ndarray
    length: int  # length of the packed parameters
    memory: int  # numbers that the optimisers keep
    d: int
    k: int
    loss: str


def make_plan(options: Mapping[str, Any], data: Data) -> Plan:
    """The Plan for the options of a run and its data."""
    shape = data.X.shape[1], data.Y.shape[1]
    return plan_of_shape(options, data.loss, *shape, data.train_counts())


def plan_of_shape(
    options: Mapping[str, Any], loss: str, d: int, k: int, counts: np.ndarray
) -> Plan:
    """The Plan for the options of a run on data of d inputs and k outputs, with `counts` rows to
    train on in each fold."""
    columns = np.repeat(columns_of_members(options, loss, d, k), len(counts))
    folds = np.arange(columns.size) % len(counts)
    settings = settings_of(options, columns, folds, counts[folds])
    return with_places(Plan(columns, settings, 0, 0, d, k, loss))


def columns_of_members(options: Mapping[str, Any], loss: str, d: int, k: int) -> np.ndarray:
    """The settings of the members of a fold, in the form for people; a UsageError for options that
    do not go together."""
    refuse_unused(options, loss)
    columns = columns_of(options, loss, d)
    refuse_batches(columns)
    refuse_matrix(columns, loss, d, k)
    switch_off(columns, options)
    refuse_rates(columns, options)
    return columns


def options_of_block(options: Mapping[str, Any], block: Block) -> dict[str, Any]:
    """The options of a sweep that has the members of a block."""
    seeds = tuple(range(block.seed, block.seed + block.count))
    return {**options, "n1": (block.n1,), "seeds": seeds}


def plan_of_blocks(
    options: Mapping[str, Any], like: Plan, counts: np.ndarray, blocks: Sequence[Block]
) -> Plan:
    """The Plan for blocks of members, one after another, on the data of the plan `like`."""
    shape = like.loss, like.d, like.k
    plans = [plan_of_shape(options_of_block(options, b), *shape, counts) for b in blocks]
    columns, settings = (np.concatenate([plan[i] for plan in plans]) for i in (0, 1))
    return with_places(like._replace(columns=columns, settings=settings))


def pick_members(plan: Plan, members: Sequence[int] | np.ndarray) -> Plan:
    """The Plan of some members of a plan, in the order given."""
    columns, settings = plan.columns[members], plan.settings[members].copy()
    return with_places(plan._replace(columns=columns, settings=settings))


def shown(name: str, value: Any) -> Any:
    """A setting for people and JSON: None if it is off."""
    value = value.item() if hasattr(value, "item") else value
    return None if name in OFF and value == OFF[name] else value


def even_batch(size: int | None, weights: np.ndarray, d: int = 1) -> int | None:
    """A batch size with which a step's mean has as many effective samples as with even weights.

    With 1 % of one class, weighted as much as the others together, a third of the batches of 32
    would hold nothing of it, and steps by them lead nowhere: 19 of 20 networks stayed untrained.

    Parameters
    ----------
    size : int or None
        Samples per step if all weigh the same.
    weights : ndarray of shape (n,)
        At least one is positive.
    d : int, default=1
        Inputs. Of more than MANY_VALUES values, a step takes LARGER times as many samples: with
        784 inputs and 7,500 rows that saves a third of the time, at the same score.

    Returns
    -------
    int or None
        `size` times a power of two, the nearest to n over the effective number of samples (Kish
        1965, section 11.7).

    Examples
    --------
    >>> even_batch(32, np.array([1.0, 2.0, 1.0]))
    32
    >>> even_batch(32, np.repeat([50.0, 50 / 99], [1, 99]))
    1024
    >>> even_batch(32, np.ones(6000), 784)
    128
    """
    if size is None:
        return None
    size *= LARGER if len(weights) * d > MANY_VALUES else 1
    uneven = len(weights) * (weights**2).sum() / weights.sum() ** 2
    return size * 2 ** max(0, round(math.log2(uneven)))


# ---------------------------------------------------------------- columns


def columns_of(options: Mapping[str, Any], loss: str, d: int) -> np.ndarray:
    """The members' settings by name: the product of the axes, the last fastest."""
    positions = positions_on_axes({name: options[name] for name in AXES}, options["zip"])
    columns = np.zeros(len(positions[0]), COLUMNS)
    for (name, option), position in zip(AXIS_OPTIONS.items(), positions):
        values = options[option.name]
        encoded = [option.off if value is None else value for value in values]
        array = np.array(encoded, COLUMNS[name])
        columns[name] = array[position] if len(array) > 1 else array[0]
    columns["init"] = named_inits(options, columns, loss, d)
    for optimizer in options["optimizer"]:
        own = (columns["optimizer"] == optimizer) & is_off(columns, "learning_rate")
        rate = OPTIMIZERS[optimizer].learning_rate
        columns["learning_rate"][own] = OFF["learning_rate"] if rate is None else rate
    columns["decay_epochs"][is_off(columns, "decay_epochs")] = max(1, options["max_epochs"] // 10)
    return columns


def is_off(columns, name):
    """The members without a value of their own in this column."""
    return columns[name] == OFF[name]


def has_optimizer(columns, names):
    """Whether each member's optimizer is one of these."""
    found = np.zeros(columns.size, bool)
    for name in names:  # np.isin takes ten times as long for a few members
        found |= columns["optimizer"] == name
    return found


def positions_on_axes(lists, paired):
    """For each axis the position of every member's value in its list."""
    if paired:
        lengths = {name: len(values) for name, values in lists.items() if len(values) > 1}
        if len(set(lengths.values())) > 1:
            listed = ", ".join(f"{name} {count}" for name, count in lengths.items())
            raise UsageError(
                f"zip needs lists of equal length, got {listed} values; give each as many."
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


def named_init(init, loss, d, activation):
    """The init that "auto" stands for; an error for an init that does not fit the activation."""
    bounded = ACTIVATIONS[activation].gain > 0
    if init == "auto":
        if activation == "relu" and d <= FEW_FOR_RELU:
            return "at_rows"
        if loss in CLASSIFIERS or d > FEW_INPUTS or not bounded:
            return "glorot_uniform"
        return "adapted" if d == 1 else "nguyen_widrow"
    if INITS[init].for_tanh and not bounded:
        known = " or ".join(name for name, row in ACTIVATIONS.items() if row.gain > 0)
        raise UsageError(
            f"init {init} needs activation {known}, got {activation}; "
            "use he_normal or glorot_uniform."
        )
    if init == "adapted" and d > 1:
        raise UsageError(f"init {init} needs one input, got {d}; use nguyen_widrow or auto.")
    return init


def named_inits(options, columns, loss, d):
    """The init column without "auto"."""
    named = columns["init"].copy()
    for init in options["init"]:
        for activation in options["activation"]:
            chosen = (columns["init"] == init) & (columns["activation"] == activation)
            if chosen.any():
                named[chosen] = named_init(init, loss, d, activation)
                both = init == "auto" and named[chosen][0] in options["init"]
                if both and not options["zip"]:
                    raise UsageError(
                        f"init auto means {named[chosen][0]} here, which is also given; drop one."
                    )
    return named


# ---------------------------------------------------------------- settings that members cannot have


def refuse_batches(columns):
    """An error for mini-batches with an optimizer that takes none."""
    whole = [name for name, row in OPTIMIZERS.items() if not row.in_batches]
    wrong = columns[has_optimizer(columns, whole) & ~is_off(columns, "batch_size")]
    if wrong.size:
        raise UsageError(
            f"optimizer {wrong['optimizer'][0]} needs all samples in a step, got batch_size "
            f"{wrong['batch_size'][0]}; give batch_size none."
        )


def refuse_matrix(columns, loss, d, k):
    """An error for settings that optimizers with a matrix cannot use."""
    held = columns[has_optimizer(columns, WITH_MATRIX)]
    if held.size == 0:
        return
    name = held["optimizer"][0]
    if loss != "squared":
        raise UsageError(f"optimizer {name} needs loss squared, got {loss}; use lbfgs.")
    own = [name for name in WITH_MATRIX if OPTIMIZERS[name].own_l2]
    twice = held["optimizer"][has_optimizer(held, own) & (held["l2"] > 0)]
    if twice.size:
        raise UsageError(
            f"optimizer {twice[0]} finds its own penalty; drop l2, or use optimizer lm."
        )
    count = int(held["n1"].max()) * (d + 1 + k) + k
    if count > MOST_PARAMETERS:
        raise UsageError(
            f"optimizer {name} holds a matrix of all parameters by all, at most "
            f"{MOST_PARAMETERS:,} of them, got {count:,}; use a smaller n1, or lbfgs."
        )


def switch_off(columns, options):
    """Turn off settings that have no meaning for members without steps of a given rate."""
    chosen = ~has_optimizer(columns, FIRST_ORDER)
    if not chosen.any():
        return
    for name in set(STEPPED) & set(OFF):
        if len(options[name]) > 1 and not options["zip"]:
            raise UsageError(
                f"{name} has {len(options[name])} values, which optimizer "
                f"{columns['optimizer'][chosen][0]} does not use: its members would be trained as "
                f"often; give {name} one value."
            )
        columns[name][chosen] = OFF[name]


def refuse_rates(columns, options):
    """An error for a learning rate below the least."""
    rates = columns["learning_rate"][~is_off(columns, "learning_rate")]
    if (rates < options["min_learning_rate"]).any():
        raise UsageError(
            f"min_learning_rate {options['min_learning_rate']:g} is above the learning rate "
            f"{rates.min():g}."
        )


# ---------------------------------------------------------------- records of the kernels


def settings_of(options, columns, folds, counts):
    """The members' settings as numbers; a batch of all rows, `counts`, counts as none."""
    settings = np.zeros(columns.size, SETTINGS)
    for name, option in SETTING_OPTIONS.items():
        values = columns[name] if option.axis else np.array(options[name])
        settings[name] = codes(values, option.choices) if option.choices else values
    settings["batch_size"][columns["batch_size"] >= counts] = OFF["batch_size"]
    settings["fold"] = folds
    return settings


def codes(names, choices):
    """The code of each name."""
    found = np.zeros(names.shape, np.int64)
    for place, name in enumerate(choices):
        found[names == name] = place
    return found


def with_places(plan):
    """The plan with each member's place in the flat arrays, and their lengths."""
    names, n1 = plan.columns["optimizer"], plan.columns["n1"]
    runs = np.zeros(names.size, np.int64)
    for name, optimizer in METHODS.items():
        runs[names == name] = optimizer.memory
    units = in_units(n1, plan.settings["batch_size"], plan.d, plan.k)
    starts = offsets(n1, plan.d, plan.k)
    memory = offsets(np.where(units, padded(n1), n1), plan.d, plan.k, runs)
    plan.settings["offset"], plan.settings["memory"] = starts[:-1], memory[:-1]
    return plan._replace(length=int(starts[-1]), memory=int(memory[-1]))
