"""The table of options, read by command line, Python, configuration files and docs.

No numpy and no numba in this folder: `fastnet --help` imports it.
"""

import math
from typing import Any

from fastnet.errors import UsageError, did_you_mean
from fastnet.options.kinds import (
    CHOICE,
    CHOICES,
    FILE,
    FLAG,
    FLOAT,
    FLOAT_OR_AUTO,
    INTEGER,
    NAMES,
    SEEDS,
    SHARD,
    SIZE,
    TEXT,
    Kind,
)
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
from fastnet.options.option import Option
from fastnet.options.ranges import MAX_MEMBERS

EXPORTS = ("npy", "onnx", "c", "numpy", "js", "st", "formula")
QUANTIZED = ("int8", "int16")  # weights of export --to c --quantize
FORMULAS = ("python", "excel", "latex", "js")  # languages of export --to formula
MAX_N1 = 65536
MAX_COUNT = 10**9  # epochs, or samples of a batch
AUTO = "auto"  # the value that stands for a choice by the data
CHOSEN_MEMBERS = ("train", "sweep")  # the commands whose members are known before training
# Groups of options with their titles, in the order of the docs.
GROUPS = {
    "network": "Network",
    "steps": "Steps",
    "methods": "Settings of single methods",
    "stopping": "Stopping",
    "data": "Data",
    "run": "The run and what is kept of it",
}


def axis(
    name: str, group: str, kind: Kind, default: tuple[Any, ...], help: str, **limits: Any
) -> Option:
    """A row for an option that takes lists."""
    return Option(name, group, kind, default, help, axis=True, **limits)


# Axes first, in the order in which the product of their values is taken, the last fastest.
ROWS = (
    axis(
        "n1",
        "network",
        INTEGER,
        (16,),
        "Number of hidden units, N1.",
        syntax="For example 4,8,16 or 1:20 or 4:64:4.",
        low=1,
        high=MAX_N1,
    ),
    axis(
        "seeds",
        "network",
        SEEDS,
        (0,),
        "Seeds of the initial weights and of the order of mini-batches.",
        syntax="8 means 0 to 7; 3,5 or 8, lists them.",
        low=0,
        high=2**32 - 1,
        commands=CHOSEN_MEMBERS,
    ),
    axis(
        "learning_rate",
        "steps",
        FLOAT,
        (None,),
        "Learning rate at the start; none = the optimizer's default.",
        syntax="1e-3..1e-1@5 is 5 rates, each the same factor apart.",
        none=True,
        low=0,
        above=True,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "clip_norm",
        "steps",
        FLOAT,
        (None,),
        "Largest L2 norm of a member's gradient; none = no clipping.",
        none=True,
        low=0,
        above=True,
        off=math.inf,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "batch_size",
        "steps",
        INTEGER,
        (None,),
        "Samples per step; none = all (full batch).",
        none=True,
        low=1,
        high=MAX_COUNT,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "lr_patience",
        "steps",
        INTEGER,
        (None,),
        "Epochs without improvement before the learning rate is reduced; none = never.",
        none=True,
        low=1,
        high=MAX_COUNT,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "lr_factor",
        "steps",
        FLOAT,
        (0.5,),
        "Factor applied to the learning rate when it is reduced (plateau, step, exponential).",
        low=0,
        high=1,
        above=True,
    ),
    axis(
        "min_delta",
        "stopping",
        FLOAT,
        (0.0,),
        "Smallest decrease of the monitored loss that counts as an improvement.",
        low=0,
    ),
    axis(
        "patience",
        "stopping",
        INTEGER,
        (None,),
        "Epochs without improvement before a member stops; none = never.",
        none=True,
        low=1,
        high=MAX_COUNT,
    ),
    axis(
        "target_loss",
        "stopping",
        FLOAT,
        (None,),
        "Monitored loss at which a member stops; none = no target.",
        none=True,
        low=0,
        off=-math.inf,
    ),
    axis(
        "l2",
        "network",
        FLOAT_OR_AUTO,
        (0.0,),
        "L2 penalty on the weights (not on the biases); auto = the best of four strengths.",
        low=0,
    ),
    axis("init", "network", CHOICE, ("auto",), "How the initial weights are drawn.", choices=INITS),
    axis(
        "activation",
        "network",
        CHOICE,
        ("sigmoid",),
        "Activation function of the hidden units.",
        choices=tuple(ACTIVATIONS),
    ),
    axis(
        "optimizer",
        "steps",
        CHOICE,
        ("sgd",),
        "Training method: how gradients change the weights; auto = adam, or br if it is better.",
        choices=(*OPTIMIZERS, AUTO),
    ),
    axis(
        "momentum",
        "methods",
        FLOAT,
        (0.9,),
        "Momentum coefficient (momentum, nesterov).",
        low=0,
        high=1,
        below=True,
        users=("optimizer", ("momentum", "nesterov")),
    ),
    axis(
        "rho",
        "methods",
        FLOAT,
        (0.9,),
        "Decay rate of the mean squared gradient (rmsprop).",
        low=0,
        high=1,
        below=True,
        users=("optimizer", ("rmsprop",)),
    ),
    axis(
        "beta_1",
        "methods",
        FLOAT,
        (0.9,),
        "Decay rate of the mean gradient (adam, adamw).",
        low=0,
        high=1,
        below=True,
        users=("optimizer", ("adam", "adamw")),
    ),
    axis(
        "beta_2",
        "methods",
        FLOAT,
        (0.999,),
        "Decay rate of the mean squared gradient (adam, adamw).",
        low=0,
        high=1,
        below=True,
        users=("optimizer", ("adam", "adamw")),
    ),
    axis(
        "epsilon",
        "methods",
        FLOAT,
        (1e-08,),
        "Number added to the root of the mean squared gradient (rmsprop, adam, adamw).",
        low=0,
        above=True,
        users=("optimizer", ("rmsprop", "adam", "adamw")),
    ),
    axis(
        "weight_decay",
        "methods",
        FLOAT,
        (0.01,),
        "Share of the learning rate by which each step shrinks the weights (adamw).",
        low=0,
        users=("optimizer", ("adamw",)),
    ),
    axis(
        "schedule",
        "steps",
        CHOICE,
        ("plateau",),
        "Course of the learning rate; plateau reduces it when the loss no longer improves.",
        choices=SCHEDULES,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "warmup_epochs",
        "steps",
        INTEGER,
        (0,),
        "First epochs, over which the learning rate rises linearly to its full value.",
        low=0,
        high=MAX_COUNT,
        users=("optimizer", FIRST_ORDER),
    ),
    axis(
        "decay_epochs",
        "steps",
        INTEGER,
        (None,),
        "Epochs per reduction of the learning rate (step, exponential); none = max_epochs / 10.",
        none=True,
        low=1,
        high=MAX_COUNT,
        users=("schedule", ("step", "exponential")),
    ),
    axis(
        "huber_delta",
        "methods",
        FLOAT,
        (1.0,),
        "Error at which the loss turns from quadratic to linear (huber).",
        low=0,
        above=True,
        users=("loss", ("huber",)),
    ),
    axis(
        "quantile",
        "methods",
        FLOAT,
        (0.5,),
        "Quantile of the target that is learned (quantile).",
        low=0,
        high=1,
        above=True,
        below=True,
        users=("loss", ("quantile",)),
    ),
    Option(
        "loss",
        "network",
        CHOICE,
        None,
        "Loss function; none = chosen by the task or the type of the targets.",
        none=True,
        choices=tuple(LOSSES),
    ),
    Option(
        "max_epochs",
        "stopping",
        INTEGER,
        1000,
        "Largest number of epochs of a member.",
        low=1,
        high=MAX_COUNT,
        setting=True,
    ),
    Option(
        "target_rmse",
        "stopping",
        FLOAT,
        None,
        "Monitored root mean squared error, in the units of the target, at which a member stops.",
        none=True,
        low=0,
        above=True,
    ),
    Option(
        "target_r2",
        "stopping",
        FLOAT,
        None,
        "Monitored R2 at which a member stops.",
        none=True,
        high=1,
        below=True,
    ),
    Option(
        "target_accuracy",
        "stopping",
        FLOAT,
        None,
        "Monitored accuracy that the best weights must have when a member has stopped by itself.",
        none=True,
        low=0,
        high=1,
        above=True,
    ),
    Option(
        "target_log_loss",
        "stopping",
        FLOAT,
        None,
        "Monitored log loss of classes at which a member stops.",
        none=True,
        low=0,
        above=True,
    ),
    Option(
        "damping",
        "methods",
        CHOICE,
        "nielsen",
        "Rule by which the damping of the steps is adapted (lm, br).",
        choices=DAMPINGS,
        setting=True,
        users=("optimizer", WITH_MATRIX),
    ),
    Option(
        "min_learning_rate",
        "steps",
        FLOAT,
        0.0,
        "Lowest value to which the learning rate is reduced.",
        low=0,
        setting=True,
        users=("optimizer", FIRST_ORDER),
    ),
    Option(
        "time_limit",
        "stopping",
        FLOAT,
        None,
        "Seconds of training after which all members stop; none = no limit.",
        none=True,
        low=0,
        above=True,
    ),
    Option(
        "dtype",
        "network",
        CHOICE,
        "float32",
        "Floating-point type of weights and data.",
        choices=("float32", "float64"),
    ),
    Option(
        "stop",
        "stopping",
        CHOICE,
        "all",
        "End of the run: first = when one member reaches its target, all = when all have stopped.",
        syntax="decided belongs to fastnet smallest.",
        choices=("first", "all", "decided"),
        commands=CHOSEN_MEMBERS,
    ),
    Option(
        "halving",
        "stopping",
        INTEGER,
        None,
        "Keep only the best 1 in ETA of the settings at each rung (docs/pruning.md).",
        syntax="For example 3.",
        none=True,
        low=2,
        high=1000,
        commands=("sweep",),
    ),
    Option(
        "prune_l2",
        "stopping",
        INTEGER,
        None,
        "Epoch after which only the better half of the l2 values goes on, by held-out loss.",
        syntax="none = all do; 20 with l2 auto.",
        none=True,
        low=1,
        high=MAX_COUNT,
        commands=CHOSEN_MEMBERS,
    ),
    Option(
        "optimizer_margin",
        "stopping",
        FLOAT,
        0.0,
        "Share by which another optimizer than the first must lower the loss to be taken.",
        syntax="0.05 with optimizer auto.",
        low=0,
        commands=CHOSEN_MEMBERS,
    ),
    Option(
        "success_rate",
        "run",
        FLOAT,
        0.9,
        "Share of seeds that must reach the target for an N1 to be sufficient.",
        low=0,
        high=1,
        above=True,
        commands=("sweep", "smallest"),
    ),
    Option(
        "within",
        "run",
        FLOAT,
        0.05,
        "Share by which a loss may exceed the best for an N1 to count as close, without a target.",
        low=0,
        commands=("sweep",),
    ),
    Option(
        "confidence",
        "run",
        FLOAT,
        0.95,
        "Probability that all verdicts on the success rates are right.",
        low=0.5,
        high=1,
        below=True,
        commands=("smallest",),
    ),
    Option(
        "max_members",
        "run",
        INTEGER,
        20_000,
        "Largest number of members to train until the smallest N1 is decided.",
        low=1,
        high=MAX_MEMBERS,
        commands=("smallest",),
    ),
    Option(
        "zip",
        "run",
        FLAG,
        False,
        "Pair the lists of values instead of crossing them.",
        commands=CHOSEN_MEMBERS,
    ),
    Option(
        "shard",
        "run",
        SHARD,
        None,
        "Part of the members to train, such as 1/4; --reuse puts the parts together.",
        none=True,
        commands=("sweep",),
    ),
    Option(
        "memory",
        "run",
        SIZE,
        None,
        "Memory to use: a larger sweep is trained in parts; none = half of what there is.",
        none=True,
        commands=("sweep",),
    ),
    Option(
        "threads",
        "run",
        INTEGER,
        None,
        "Number of threads; none = one per core that the process may use.",
        none=True,
        low=1,
        high=1024,
    ),
    Option(
        "cluster",
        "run",
        TEXT,
        None,
        "Dask cluster that trains: tcp://host:8786, or a scheduler file (docs/scaling.md).",
        none=True,
        commands=("sweep",),
    ),
    Option(
        "backend",
        "run",
        CHOICE,
        "kernels",
        "What trains: the compiled kernels or the plain NumPy reference.",
        choices=("kernels", "reference"),
    ),
    Option(
        "keep",
        "run",
        CHOICE,
        "all",
        "Members whose weights are kept: all, only the best, or none.",
        syntax="state = all, and what more epochs need (--reuse).",
        choices=("all", "best", "none", "state"),
    ),
    Option(
        "record",
        "run",
        CHOICES,
        (),
        "Also record gradient_norm, clipped (per epoch), snapshots (weights of all members).",
        choices=("gradient_norm", "clipped", "snapshots", "best", "none"),
        syntax="best: of each history the first, best and last entry alone. none: no snapshots for "
        "playback.",
    ),
    Option(
        "data",
        "data",
        FILE,
        None,
        "Table to train on: CSV, TSV, Parquet, Excel, npz, ... (docs/data.md), or - for stdin.",
        none=True,
    ),
    Option("target", "data", NAMES, (), "Columns to predict.", syntax="COL or COL,COL."),
    Option("features", "data", NAMES, (), "Columns to predict from; by default all others."),
    Option("weights", "data", TEXT, None, "Column of sample weights.", none=True),
    Option(
        "class_weight",
        "data",
        CHOICE,
        None,
        "balanced = all classes count equally, however many samples each has.",
        none=True,
        choices=("balanced",),
    ),
    Option(
        "impute",
        "data",
        CHOICE,
        "none",
        "Missing values: median of the column, for texts a level of its own; none = refused.",
        choices=("none", "median"),
    ),
    Option(
        "scale",
        "data",
        CHOICE,
        "none",
        "Scaling of inputs and numeric targets; clipped = standard, and inputs are cut at 5 sd.",
        choices=("clipped", "standard", "minmax", "none"),
    ),
    Option(
        "split_column",
        "data",
        TEXT,
        None,
        "Column that assigns each row to train, val or test.",
        none=True,
    ),
    Option(
        "group",
        "data",
        TEXT,
        None,
        "Column of groups, such as patients: rows of one group stay together. Not an input.",
        none=True,
    ),
    Option(
        "order",
        "data",
        TEXT,
        None,
        "Column that orders the rows, such as a date: the last are held out. Not an input.",
        none=True,
    ),
    Option("categorical", "data", NAMES, (), "Columns of categories that look like numbers."),
    Option("numeric", "data", NAMES, (), "Columns of numbers, even where some begin with zeros."),
    Option(
        "strip_units", "data", NAMES, (), "Columns of numbers with a unit to remove, such as 12 %."
    ),
    Option(
        "unknown",
        "data",
        CHOICE,
        "error",
        "What a category that was not in training becomes: an error, or other.",
        choices=("error", "other"),
    ),
    Option(
        "min_level_count",
        "data",
        INTEGER,
        1,
        "Categories with fewer rows share one input, other.",
        low=1,
        high=10**9,
    ),
    Option(
        "dates",
        "data",
        CHOICE,
        "refuse",
        "What dates become: seconds since 1970, or parts: year, month, day of the year, ...",
        choices=("refuse", "seconds", "parts"),
    ),
    Option(
        "ordinal",
        "data",
        NAMES,
        (),
        "Columns whose levels have an order, which become the numbers 0, 1, 2, ...",
        syntax="For example 'size=S<M<L'.",
    ),
    Option("exclude", "data", NAMES, (), "Columns to leave out."),
    Option(
        "separator",
        "data",
        TEXT,
        "auto",
        "Separator of the cells: one character, tab, space (any number of blanks) or auto.",
    ),
    Option("decimal", "data", TEXT, "auto", "Decimal mark of the numbers: a character or auto."),
    Option(
        "thousands",
        "data",
        TEXT,
        "auto",
        "Mark between groups of three digits: a character, space or auto.",
    ),
    Option(
        "encoding",
        "data",
        TEXT,
        "auto",
        "Encoding of text files, such as latin-1; auto = by the byte order mark, else UTF-8.",
    ),
    Option(
        "na_values",
        "data",
        NAMES,
        ("auto",),
        "Texts that are missing values; auto = NA, NaN, null, ?, ...; none = empty cells only.",
        syntax="For example auto,-999.",
    ),
    Option(
        "no_header", "data", FLAG, False, "The first line is a row; columns are named 1, 2, ..."
    ),
    Option("skip_lines", "data", INTEGER, 0, "Lines before the table.", low=0, high=10**6),
    Option("comment", "data", TEXT, None, "Character that begins a comment.", none=True),
    Option("quote", "data", TEXT, '"', "Character around cells; none = no quotes."),
    Option("validation_data", "data", FILE, None, "Table of validation samples.", none=True),
    Option("test_data", "data", FILE, None, "Table of test samples.", none=True),
    Option("function", "data", TEXT, "sine", "Task 1: name of the function to approximate."),
    Option("samples", "data", INTEGER, 1000, "Task 1: number of samples.", low=2, high=10**8),
    Option(
        "noise", "data", FLOAT, 0.0, "Task 1: standard deviation of the noise added to y.", low=0
    ),
    Option(
        "data_seed",
        "data",
        INTEGER,
        0,
        "Seed of the noise and of the split into sets.",
        low=0,
        high=2**32 - 1,
    ),
    Option(
        "validation_fraction",
        "data",
        FLOAT,
        0.0,
        "Share of the samples held out for validation.",
        low=0,
        high=0.9,
    ),
    Option(
        "test_fraction",
        "data",
        FLOAT,
        0.0,
        "Share of the samples held out for testing.",
        low=0,
        high=0.9,
    ),
    Option(
        "folds",
        "data",
        INTEGER,
        None,
        "Folds of cross-validation: every member is trained once per fold; none = no folds.",
        none=True,
        low=2,
        high=10000,
        commands=CHOSEN_MEMBERS,
    ),
    Option(
        "fold_repeats",
        "data",
        INTEGER,
        1,
        "Number of times that the folds are drawn.",
        low=1,
        high=10000,
        commands=CHOSEN_MEMBERS,
    ),
)
# Options of task 1 alone.
OF_TASK_1 = ("function", "samples", "noise")
# Options that say how text files are written.
OF_TEXT = (
    *("separator", "decimal", "thousands", "encoding", "na_values"),
    *("no_header", "skip_lines", "comment", "quote"),
)


def also_of(option: Option) -> tuple[str, ...]:
    """The commands beside those of its row that take an option.

    fastnet inspect takes those that decide what becomes of a table; its file is an argument.
    """
    if option.name in OF_TEXT:
        return "inspect", "predict", "evaluate"
    of_tables = option.group == "data" and option.name not in ("data", *OF_TASK_1)
    return ("inspect",) * (of_tables or option.name == "loss")


TABLE: tuple[Option, ...] = tuple(
    option._replace(commands=(*option.commands, *also_of(option))) for option in ROWS
)
OPTIONS = {option.name: option for option in TABLE}
# Options that name columns or files beside those of --data, or say how to read them.
OF_DATA = (
    "target",
    "features",
    "weights",
    "split_column",
    "group",
    "order",
    "validation_data",
    "test_data",
    *("categorical", "numeric", "strip_units", "ordinal", "dates"),
    *("unknown", "min_level_count", "exclude"),
    *OF_TEXT,
)
AXES = tuple(option.name for option in TABLE if option.axis)
# Settings of each member: the axes, as columns for people, and everything that kernels read.
COLUMNS = {option.field: option for option in TABLE if option.axis}
SETTINGS = {option.field: option for option in TABLE if option.axis or option.setting}
# The choices that use an option; options that always count have no row.
USERS = {option.name: option.users for option in TABLE if option.users}
# Options of the methods that take steps of a given rate: the others determine the length of
# their steps from all samples at once.
STEPPED = tuple(name for name, users in USERS.items() if users == ("optimizer", FIRST_ORDER))


def own_options(choice: str, name: str) -> tuple[str, ...]:
    """Options used by the method `name`, a value of the option `choice`, but not by all values."""
    return tuple(own for own, (of, users) in USERS.items() if of == choice and name in users)


def find(name: str) -> Option:
    """The option of that name."""
    if name not in OPTIONS:
        hint = did_you_mean(name, OPTIONS)
        raise UsageError(f"unknown option {name!r}; the options are {', '.join(OPTIONS)}.{hint}")
    return OPTIONS[name]


def check(name: str, value: Any, label: str | None = None, paired: bool = False) -> Any:
    """The value of the option `name`, in its type; with `paired` an axis may repeat values.

    Raises
    ------
    UsageError
        naming the option (or `label`), the value and what is allowed.
    """
    return find(name).check(value, label, paired)


def parse(name: str, text: Any, label: str | None = None, paired: bool = False) -> Any:
    """The value of the option `name` from its text on the command line or in a file."""
    return find(name).parse(text, label, paired)
