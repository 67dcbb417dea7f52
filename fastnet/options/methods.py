"""The methods by name, with the facts about each; everything else is derived from these tables.

No numpy here: `fastnet --help` imports this file. Each name is also a row of a table in engine/,
with the compiled functions, and of one in reference/. The position of a name is its code in the
members' records.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Activation(NamedTuple):
    """s(z) of the hidden units."""

    gain: float = 0.0  # factor of Nguyen and Widrow's weights; 0 if s is not bounded on both sides


# A name's position is part of the key of a member's initial weights: new ones go last.
ACTIVATIONS = {
    "sigmoid": Activation(gain=2.0),
    "tanh": Activation(gain=1.0),
    "relu": Activation(),
    "identity": Activation(),
    "leaky_relu": Activation(),
    "elu": Activation(),
    "softplus": Activation(),
    "gelu": Activation(),
    "silu": Activation(),
    "sin": Activation(),
}

# Kinds of targets: any numbers, numbers >= 0, classes.
NUMBER, COUNT, CLASS = "number", "count", "class"
# The prediction that a loss makes from z2: z2, e^z2, softmax, or sigmoid of the only logit.
IDENTITY, EXP, SOFTMAX, SIGMOID = "identity", "exp", "softmax", "sigmoid"


class Loss(NamedTuple):
    """A loss of a network's outputs z2 and the targets."""

    link: str = IDENTITY
    target: str = NUMBER


LOSSES = {
    "squared": Loss(),
    "cross_entropy": Loss(SOFTMAX, CLASS),
    "absolute": Loss(),
    "huber": Loss(),
    "log_cosh": Loss(),
    "poisson": Loss(EXP, COUNT),
    "quantile": Loss(),
    "binary_cross_entropy": Loss(SIGMOID, CLASS),
}
CLASSIFIERS = tuple(name for name, row in LOSSES.items() if row.target == CLASS)

# Families of optimizers: steps of a given rate along the gradient; methods with a matrix of all
# parameters by all; searches along a line.
STEPS, MATRIX, LINE = "steps", "matrix", "line"


class Optimizer(NamedTuple):
    """How gradients move the weights."""

    family: str
    learning_rate: float | None = None  # if none is given; docs/methods.md, section 4
    in_batches: bool = True
    own_l2: bool = False  # finds its own penalty on the weights


OPTIMIZERS = {
    "sgd": Optimizer(STEPS, 0.1),
    "momentum": Optimizer(STEPS, 0.02),
    "nesterov": Optimizer(STEPS, 0.02),
    "rmsprop": Optimizer(STEPS, 0.01),
    "adam": Optimizer(STEPS, 0.01),
    "adamw": Optimizer(STEPS, 0.01),
    "rprop": Optimizer(STEPS, 0.01, in_batches=False),
    "lm": Optimizer(MATRIX),
    "br": Optimizer(MATRIX, own_l2=True),
    "lbfgs": Optimizer(LINE),
}
FIRST_ORDER = tuple(name for name, row in OPTIMIZERS.items() if row.family == STEPS)
WITH_MATRIX = tuple(name for name, row in OPTIMIZERS.items() if row.family == MATRIX)

DAMPINGS = ("marquardt", "nielsen")
SCHEDULES = ("plateau", "constant", "cosine", "step", "exponential", "one_cycle")
INITS = ("auto", "glorot_uniform", "he_normal", "nguyen_widrow", "adapted", "at_rows")
# What a member began with: "" while an unfinished run does not tell, "given" by the caller.
INIT_KINDS = ("", "given", *INITS[1:])


class Stop(NamedTuple):
    """Why a member stopped."""

    did: str  # what the members did
    tip: str = ""  # the same and what to try, if they did not reach the target


# The kernels decide the first six, the training loop the others.
STOPS = {
    "running": Stop("still training"),
    "target": Stop("reached the target"),
    "patience": Stop(
        "stopped by patience",
        "stopped gaining: try another --init, more seeds, or a larger N1",
    ),
    "max_epochs": Stop(
        "ran all epochs",
        "were still training at the last epoch: try more --max-epochs or a larger N1",
    ),
    "diverged": Stop(
        "diverged",
        "diverged: try a lower --learning-rate, --clip-norm 1 or another --optimizer",
    ),
    "converged": Stop(
        "converged", "converged elsewhere: try more seeds, another --init, or a larger N1"
    ),
    "time_limit": Stop("ran out of time", "ran out of time: raise --time-limit"),
    "interrupted": Stop("interrupted", "were interrupted: --resume the run"),
    "stopped": Stop("stopped because another reached the target"),
    "pruned": Stop(
        "were pruned", "were pruned: train without --halving and --prune-l2 to let all of them end"
    ),
}
# The rules by which a second-order member converges; "" for the others.
CONVERGED_BY = ("", "min_grad", "mu_max", "line_search", "evidence")


def code(names: Iterable[str], name: str) -> int:
    """The code of a name in the members' records: its position."""
    return list(names).index(name)


def longest(names: Iterable[str]) -> str:
    """The dtype of a column of these names, wide enough for each."""
    return f"U{max(map(len, names))}"
