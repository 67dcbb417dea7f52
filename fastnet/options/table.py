"""The one table of options. Command line, Python, configuration files and docs read it.

No numpy and no numba here: `fastnet --help` imports this file.
"""

import math
import os
import re
from typing import NamedTuple

from fastnet.errors import UsageError
from fastnet.options.methods import (
    ACTIVATIONS,
    DAMPINGS,
    FIRST_ORDER,
    INITS,
    LOSSES,
    OPTIMIZERS,
    SCHEDULES,
    WITH_MATRIX,
)

EXPORTS = ("npy", "onnx", "c", "numpy")

MAX_N1 = 65536
MAX_MEMBERS = 2_000_000


class Option(NamedTuple):
    """One row: `axis` options take lists; `none` allows None; low and high are inclusive."""

    name: str
    kind: str  # int, float, choice, choices, flag, text, names (of columns), path
    default: object
    help: str
    axis: bool = False
    none: bool = False
    low: float = -math.inf
    high: float = math.inf
    above: bool = False  # low itself is excluded
    below: bool = False  # so is high
    choices: tuple = ()
    commands: tuple = ("train", "sweep")
    users: tuple = ()  # an option and its values that make use of this one; () where all do
    setting: bool = False  # of every member's record, though it is no axis; axes always are
    off: float = 0  # what stands for None in a record

    @property
    def field(self):
        """Its name in the members' records."""
        return "seed" if self.name == "seeds" else self.name

    @property
    def dtype(self):
        """Its type in the kernels' records, where a name stands as its code."""
        return "f8" if self.kind == "float" else "i8"

    @property
    def flag(self):
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")


def axis(name, kind, default, help, **limits):
    return Option(name, kind, default, help, axis=True, **limits)


# Axes first, in the order in which the product of their values is taken, the last fastest.
TABLE = (
    axis("n1", "int", (16,), "Hidden widths N1: 4,8,16 or 1:20 or 4:64:4.", low=1, high=MAX_N1),
    axis(
        "seeds",
        "int",
        (0,),
        "Seeds: a number of them (8 = 0 to 7) or a list (3,5 or 8,).",
        low=0,
        high=2**32 - 1,
    ),
    axis(
        "learning_rate",
        "float",
        (None,),
        "Learning rates; a..b@count is spaced in logarithm; none = the optimizer's own.",
        low=0,
        above=True,
        none=True,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "clip_norm",
        "float",
        (None,),
        "Largest L2 norm of a member's gradient; none = off.",
        low=0,
        above=True,
        none=True,
        off=math.inf,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "batch_size",
        "int",
        (None,),
        "Samples of a step; none = all (full batch).",
        low=1,
        none=True,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "lr_patience",
        "int",
        (None,),
        "Epochs without gain before the rate falls; none = never.",
        low=1,
        none=True,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "lr_factor",
        "float",
        (0.5,),
        "What the rate is multiplied by then.",
        low=0,
        high=1,
        above=True,
    ),
    axis("min_delta", "float", (0.0,), "Least decrease of the loss that counts as a gain.", low=0),
    axis(
        "patience",
        "int",
        (None,),
        "Epochs without gain before a member stops; none = never.",
        low=1,
        none=True,
    ),
    axis(
        "target_loss",
        "float",
        (None,),
        "Stop a member at this monitored loss; none = no target.",
        low=0,
        none=True,
        off=-math.inf,
    ),
    axis("l2", "float", (0.0,), "L2 penalty on the weights (not the biases).", low=0),
    axis("init", "choice", ("auto",), "Initial weights.", choices=INITS),
    axis(
        "activation",
        "choice",
        ("sigmoid",),
        "Activation of the hidden units.",
        choices=tuple(ACTIVATIONS),
    ),
    axis(
        "optimizer",
        "choice",
        ("sgd",),
        "How gradients move the weights.",
        choices=tuple(OPTIMIZERS),
    ),
    axis(
        "momentum",
        "float",
        (0.9,),
        "Of momentum and nesterov.",
        low=0,
        high=1,
        below=True,
        users=("optimizer", ("momentum", "nesterov")),
    ),
    axis(
        "rho",
        "float",
        (0.9,),
        "Decay of rmsprop's mean square.",
        low=0,
        high=1,
        below=True,
        users=("optimizer", ("rmsprop",)),
    ),
    axis(
        "beta_1",
        "float",
        (0.9,),
        "Decay of adam's mean gradient.",
        low=0,
        high=1,
        below=True,
        users=("optimizer", ("adam", "adamw")),
    ),
    axis(
        "beta_2",
        "float",
        (0.999,),
        "Decay of adam's mean square.",
        low=0,
        high=1,
        below=True,
        users=("optimizer", ("adam", "adamw")),
    ),
    axis(
        "epsilon",
        "float",
        (1e-8,),
        "What rmsprop and adam add to the root.",
        low=0,
        above=True,
        users=("optimizer", ("rmsprop", "adam", "adamw")),
    ),
    axis(
        "weight_decay",
        "float",
        (0.01,),
        "Decay of the weights with adamw.",
        low=0,
        users=("optimizer", ("adamw",)),
    ),
    axis(
        "schedule",
        "choice",
        ("plateau",),
        "Course of the learning rate; plateau: by lr_patience.",
        choices=SCHEDULES,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "warmup_epochs",
        "int",
        (0,),
        "Epochs in which the rate rises to its start.",
        low=0,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "decay_epochs",
        "int",
        (None,),
        "Epochs between falls of step and exponential; none = max_epochs / 10.",
        low=1,
        none=True,
        users=("schedule", ("step", "exponential")),
    ),
    axis(
        "huber_delta",
        "float",
        (1.0,),
        "Where loss huber turns linear.",
        low=0,
        above=True,
        users=("loss", ("huber",)),
    ),
    axis(
        "quantile",
        "float",
        (0.5,),
        "Which quantile loss quantile learns.",
        low=0,
        high=1,
        above=True,
        below=True,
        users=("loss", ("quantile",)),
    ),
    Option(
        "loss",
        "choice",
        None,
        "Loss; by default from the task or the targets.",
        none=True,
        choices=tuple(LOSSES),
    ),
    Option("max_epochs", "int", 1000, "Most epochs of a member.", low=1, high=10**9, setting=True),
    Option(
        "damping",
        "choice",
        "nielsen",
        "How lm and br adapt the length of their steps.",
        choices=DAMPINGS,
        setting=True,
        users=("optimizer", WITH_MATRIX),
    ),
    Option(
        "min_learning_rate",
        "float",
        0.0,
        "The rate never falls below this.",
        low=0,
        setting=True,
        users=("optimizer", FIRST_ORDER),
    ),
    Option(
        "time_limit",
        "float",
        None,
        "Stop all members after so many seconds.",
        none=True,
        low=0,
        above=True,
    ),
    Option(
        "dtype",
        "choice",
        "float32",
        "Precision of weights and data.",
        choices=("float32", "float64"),
    ),
    Option(
        "stop",
        "choice",
        "all",
        "first: end when any member reaches its target.",
        choices=("first", "all"),
    ),
    Option(
        "success_rate",
        "float",
        0.9,
        "Share of seeds that makes an N1 sufficient.",
        low=0,
        high=1,
        above=True,
        commands=("sweep",),
    ),
    Option("zip", "flag", False, "Pair the lists of values instead of crossing them."),
    Option("threads", "int", None, "Threads; by default all cores.", none=True, low=1, high=1024),
    Option(
        "backend",
        "choice",
        "kernels",
        "Compiled kernels or the NumPy reference.",
        choices=("kernels", "reference"),
    ),
    Option(
        "keep",
        "choice",
        "all",
        "Weights to keep: of all members, the best, or none.",
        choices=("all", "best", "none"),
    ),
    Option(
        "record",
        "choices",
        (),
        "Also keep gradient_norm, clipped (every epoch) or snapshots (weights at 0, 1, 2, 4, ...).",
        choices=("gradient_norm", "clipped", "snapshots"),
    ),
    Option("data", "path", None, "A table: .csv, .tsv, .parquet, .npz, .npy or -.", none=True),
    Option("target", "names", (), "Columns to predict: COL or COL,COL."),
    Option("features", "names", (), "Columns to predict from; by default all others."),
    Option("weights", "text", None, "Column of sample weights.", none=True),
    Option(
        "class_weight",
        "choice",
        None,
        "balanced: classes count alike, however many samples they have.",
        none=True,
        choices=("balanced",),
    ),
    Option(
        "impute",
        "choice",
        "none",
        "What stands in for missing numbers: none refuses them.",
        choices=("none", "median"),
    ),
    Option(
        "scale",
        "choice",
        "none",
        "Scaling of inputs and of targets that are numbers, learnt on the training rows.",
        choices=("standard", "minmax", "none"),
    ),
    Option("split_column", "text", None, "Column that says train, val or test.", none=True),
    Option("validation_data", "path", None, "A table of validation samples.", none=True),
    Option("test_data", "path", None, "A table of test samples.", none=True),
    Option("function", "text", "sine", "Task 1: the function to approximate."),
    Option("samples", "int", 1000, "Task 1: points.", low=2, high=10**8),
    Option("noise", "float", 0.0, "Task 1: standard deviation of noise added to y.", low=0),
    Option("data_seed", "int", 0, "Seed of noise and of the split.", low=0, high=2**32 - 1),
    Option(
        "validation_fraction",
        "float",
        0.0,
        "Share of the samples held out for validation.",
        low=0,
        high=0.9,
    ),
    Option(
        "test_fraction",
        "float",
        0.0,
        "Share of the samples held out for the test.",
        low=0,
        high=0.9,
    ),
)
OPTIONS = {option.name: option for option in TABLE}
# Options that name columns or files beside those of --data.
OF_DATA = ("target", "features", "weights", "split_column", "validation_data", "test_data")
AXES = tuple(option.name for option in TABLE if option.axis)
# Of each member: the axes as columns that people read, and all that kernels read.
COLUMNS = {option.field: option for option in TABLE if option.axis}
SETTINGS = {option.field: option for option in TABLE if option.axis or option.setting}
# What makes use of an option; there is no row for those that always count.
USERS = {option.name: option.users for option in TABLE if option.users}
# Options of the methods that take steps of a given rate: the others find the length of their steps
# themselves, from all samples at once.
STEPPED = tuple(name for name, users in USERS.items() if users == ("optimizer", FIRST_ORDER))


def own_options(choice: str, name: str) -> tuple:
    """Options that the method `name`, a value of the option `choice`, has beside others of it."""
    return tuple(own for own, (of, users) in USERS.items() if of == choice and name in users)


# What the built-in tasks and tables (--data) set apart from the table, and then the commands;
# docs/tasks.md and docs/scores.md tell how these values were found.
TASKS = {
    1: {
        "optimizer": ("lm",),
        "target_loss": (1e-3,),
        "max_epochs": 200,
    },
    2: {
        "learning_rate": (2.0,),
        "clip_norm": (1.0,),
        "batch_size": (16,),
        "lr_patience": (5,),
        "patience": (20,),
        "max_epochs": 100,
        "validation_fraction": 0.1,
        "test_fraction": 0.2,
    },
    "data": {
        "optimizer": ("adam",),
        "learning_rate": (0.003,),
        "clip_norm": (1.0,),
        "batch_size": (32,),
        "lr_patience": (12,),
        "patience": (40,),
        "l2": (1e-3,),
        "activation": ("relu",),
        "max_epochs": 300,
        "scale": "standard",
        "validation_fraction": 0.2,
    },
}
# And what they set for first-order methods, of which each has its own learning rate but for these.
FIRST_ORDER_TASKS = {1: {"clip_norm": (1.0,), "lr_patience": (10,), "max_epochs": 5000}}
LEARNING_RATES_OF_TASKS = {(1, "sgd"): (0.3,), (2, "sgd"): (2.0,)}
TASK_COMMANDS = {
    (1, "train"): {"n1": (2, 4, 6, 8), "seeds": tuple(range(8))},
    (1, "sweep"): {"n1": tuple(range(1, 13)), "seeds": tuple(range(20))},
    (2, "train"): {"n1": (32, 64), "seeds": tuple(range(4))},
    (2, "sweep"): {"n1": (2, 4, 8, 16, 32, 64), "seeds": tuple(range(8))},
    ("data", "train"): {"n1": (128,)},
    ("data", "sweep"): {"n1": (4, 16, 64, 128), "seeds": tuple(range(4))},
}


KINDS = {
    "int": "an integer",
    "float": "a number",
    "flag": "true or false",
    "names": "column names",
    "path": "a file",
}


def wanted(option):
    """What values the option takes, in words."""
    if option.choices:
        text = "one of " + ", ".join(option.choices)
    else:
        text = KINDS.get(option.kind, "a text")
        if option.low > -math.inf:
            text += f" {'>' if option.above else '>='} {option.low:g}"
        if option.high < math.inf:
            sign = "<" if option.below else "<="
            text += f" and {sign} {option.high:.10g}" if option.low > -math.inf else ""
    return text + (" or none" if option.none else "")


def wrong(option, value, label):
    """The error for a value that the option does not take."""
    return UsageError(f"{label or option.name} must be {wanted(option)}, got {shown(value)}.")


def shown(value):
    """A value in a message: texts in quotes."""
    return repr(value) if isinstance(value, str) else value


def number(option, value):
    """value as an int or float of the option, or None when it is not one."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        result = float(value) if option.kind == "float" else int(value)
        if option.kind == "int" and result != float(value):
            return None
    except (TypeError, ValueError, OverflowError):
        return None
    above = option.low < result if option.above else option.low <= result
    below = result < option.high if option.below else result <= option.high
    return result if above and below and math.isfinite(result) else None


def check_one(option, value, label=None):
    """One value of an option, in its type; raises UsageError otherwise."""
    off = value is None or (isinstance(value, str) and value.lower() == "none")
    if off and option.none:
        return None
    if option.kind in ("int", "float"):
        result = number(option, value)
        if result is None:
            raise wrong(option, value, label)
        return result
    if option.kind == "flag" and isinstance(value, bool):
        return value
    if option.kind == "choices":
        names = [v.strip() for v in value.split(",") if v] if isinstance(value, str) else value
        bad = [n for n in names if n not in option.choices] if many(names) else [value]
        if bad:
            raise wrong(option, bad[0], label)
        return tuple(dict.fromkeys(names))
    if option.kind == "names":
        names = value.split(",") if isinstance(value, str) else value
        if not many(names) or not all(isinstance(n, str) and n for n in names):
            raise wrong(option, value, label)
        return tuple(names)
    if option.kind == "path" and isinstance(value, (str, os.PathLike)):
        # Absolute: a run is resumed from any folder.
        return value if value == "-" else os.path.abspath(value)
    if isinstance(value, str) and option.kind in ("choice", "text"):
        if option.choices and value not in option.choices:
            raise wrong(option, value, label)
        return value
    raise wrong(option, value, label)


def many(values):
    """Whether it is a list of values rather than one."""
    try:
        iter(values)
    except TypeError:
        return False
    return not isinstance(values, (str, bytes))


def seeds_up_to(count, name):
    """The seeds 0 to count - 1."""
    checked = number(OPTIONS["seeds"], count)
    if checked is None or not 1 <= checked <= MAX_MEMBERS:
        raise UsageError(
            f"{name} must be a number of seeds from 1 to {MAX_MEMBERS} or a list of seeds, "
            f"got {shown(count)}."
        )
    return tuple(range(checked))


def check_axis(option, values, label=None, paired=False):
    """The values of an axis as a tuple: none empty; none twice, unless lists are paired (zip)."""
    name = label or option.name
    if option.name == "seeds" and not many(values):
        return seeds_up_to(values, name)
    values = tuple(values) if many(values) else (values,)
    if not values:
        raise UsageError(f"{name} needs at least one value, got an empty list.")
    if len(values) > MAX_MEMBERS:
        raise UsageError(f"{name} has {len(values)} values, at most {MAX_MEMBERS} are allowed.")
    checked = tuple(check_one(option, value, label) for value in values)
    if len(set(checked)) < len(checked) and not paired:
        twice = next(v for i, v in enumerate(checked) if v in checked[:i])
        raise UsageError(f"{name} names {twice} twice; give each value once.")
    return checked


def check(name, value, label=None, paired=False):
    """The value of the option `name`, in its type; with `paired` an axis may repeat values.

    Raises
    ------
    UsageError
        naming the option (or `label`), the value and what is allowed.
    """
    if name not in OPTIONS:
        raise UsageError(f"unknown option {name!r}; the options are {', '.join(OPTIONS)}.")
    option = OPTIONS[name]
    if option.axis:
        return check_axis(option, value, label, paired)
    return check_one(option, value, label)


# ---------------------------------------------------------------- values as text


def parse(name, text, label=None, paired=False):
    """The value of an option from its text on the command line or in a file."""
    option = OPTIONS[name]
    label = label or option.flag
    if option.axis and isinstance(text, str):
        return check_axis(option, parse_axis(option, text, label), label, paired)
    return check(name, text, label, paired)


def parse_axis(option, text, label):
    """Values of an axis: lists, ranges a:b:step (b included), a..b@count, numbers of seeds."""
    parts = [part.strip() for part in text.split(",")]
    if option.name == "seeds" and len(parts) == 1 and re.fullmatch(r"\d+", parts[0]):
        return int(parts[0])
    if option.name == "seeds" and len(parts) == 2 and parts[1] == "":
        parts.pop()
    values = []
    for part in parts:
        if ":" in part and option.kind == "int":
            values += integer_range(part, label)
        elif ".." in part and option.kind == "float":
            values += logarithmic_range(part, label)
        elif part == "":
            raise UsageError(f"{label} has an empty value in {text!r}; write for example 4,8,16.")
        else:
            values.append(part)
    return values


def integer_range(text, label):
    """a:b or a:b:step, b included."""
    match = re.fullmatch(r"(\d+):(\d+)(?::(\d+))?", text)
    if not match:
        raise UsageError(f"{label}: {text!r} is not a range; write first:last or first:last:step.")
    first, last, step = (int(g) if g else 1 for g in match.groups())
    if step < 1:
        raise UsageError(f"{label}: the step of the range {text!r} must be 1 or more.")
    if last < first:
        raise UsageError(f"{label}: the range {text!r} is empty; write the smaller end first.")
    if (last - first) // step >= MAX_MEMBERS:
        raise UsageError(f"{label}: the range {text!r} has over {MAX_MEMBERS} values.")
    return list(range(first, last + 1, step))


def logarithmic_range(text, label):
    """a..b@count, evenly spaced in logarithm, both ends included."""
    match = re.fullmatch(r"(.+?)\.\.([^@]+)@(\d+)", text)
    try:
        first, last, count = float(match[1]), float(match[2]), int(match[3])
    except (TypeError, ValueError):
        raise UsageError(f"{label}: {text!r} is not a range; write first..last@count.") from None
    if not (0 < first < last < math.inf and 2 <= count <= MAX_MEMBERS):
        raise UsageError(
            f"{label}: in {text!r} the ends must be positive and rising, the count from 2 to "
            f"{MAX_MEMBERS}."
        )
    ratio = math.log(last / first) / (count - 1)
    # 12 digits: 1e-3..1e-1@3 gives 0.01, not 0.010000000000000002.
    return [float(f"{first * math.exp(ratio * i):.12g}") for i in range(count)]


def typed(option, value):
    """A value, or the values of an axis, as typed after the option's flag."""
    if isinstance(value, tuple):
        count = len(value)
        if option.kind == "int" and count > 2 and value == tuple(range(value[0], value[0] + count)):
            return str(count) if option.name == "seeds" else f"{value[0]}:{value[-1]}"
        comma = "," if option.name == "seeds" and count == 1 else ""
        return ",".join(typed(option, v) for v in value) + comma
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def defaults(command, task=None):
    """The value of every option that is not given."""
    values = {option.name: option.default for option in TABLE}
    if command == "train":
        values["stop"] = "first"
    values.update(TASKS.get(task, {}))
    values.update(TASK_COMMANDS.get((task, command), {}))
    return values


def defaults_beside(given, command, task=None):
    """The defaults of command, task or table, next to the options that are given.

    Training a named N1 takes one seed, 0; named validation rows take no further ones; a named
    optimizer its own learning rate; a named learning rate or the like gradient descent.
    """
    table = given.get("data") is not None
    task = "data" if table else task
    values = defaults(command, task)
    if command == "train" and "n1" in given:
        values["seeds"] = (0,)
    if "optimizer" in given:
        values.update(of_optimizers(check("optimizer", given["optimizer"], paired=True), task))
    elif values["optimizer"][0] not in FIRST_ORDER and asks_for_steps(given):
        values["optimizer"] = OPTIONS["optimizer"].default
        values.update(of_optimizers(values["optimizer"], task))
    if table and any(given.get(name) is not None for name in ("split_column", "validation_data")):
        values["validation_fraction"] = 0.0
    return values


def resolve(given, command, task=None):
    """Every option with its value, checked: as given, else what it is beside those given."""
    unknown = [name for name in given if name not in OPTIONS]
    if unknown:
        check(unknown[0], None)
    values = {**defaults_beside(given, command, task), **given}
    paired = check("zip", values["zip"])
    return {name: check(name, value, paired=paired) for name, value in values.items()}


def asks_for_steps(given):
    """Whether a learning rate or the like is given: that means gradient descent."""
    return any(check(n, given[n], paired=True) != OPTIONS[n].default for n in STEPPED if n in given)


def of_optimizers(names, task):
    """Defaults that follow from the optimizers named, in place of the task's."""
    if not set(names) & set(FIRST_ORDER):
        longer = {"max_epochs": 2000} if task == 1 and "lbfgs" in names else {}
        own_l2 = any(OPTIMIZERS[name].own_l2 for name in names)
        unused = (*STEPPED, "l2") if own_l2 else STEPPED
        return {**longer, **{name: OPTIONS[name].default for name in unused}}
    rate = LEARNING_RATES_OF_TASKS.get((task, *names), OPTIONS["learning_rate"].default)
    return {**FIRST_ORDER_TASKS.get(task, {}), "learning_rate": rate}


def refuse_unused(options, loss):
    """An error for an option that nothing chosen makes use of, unless it is at its default."""
    for name, (choice, users) in USERS.items():
        chosen = (loss,) if choice == "loss" else options[choice]
        if options[name] != OPTIONS[name].default and not set(chosen) & set(users):
            first = options[name][0] if many(options[name]) else options[name]
            raise UsageError(
                f"{name} {shown(first)} has no effect with {choice} "
                f"{', '.join(chosen)}; it belongs to {' and '.join(users)}."
            )
