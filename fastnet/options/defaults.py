"""Defaults of the options: for a command, a task, a table, an optimizer."""

from typing import Any

from fastnet.options.methods import FIRST_ORDER, WITH_MATRIX
from fastnet.options.table import AUTO, AXES, OPTIONS, STEPPED, check, find

# What optimizer auto compares; the first is the one where there is nothing to compare.
COMPARED = ("adam", "br")

# Defaults of the built-in tasks and tables (--data) that differ from the table, then of commands;
# docs/notes/defaults.md and docs/notes/scores.md explain how these values were found.
TASKS: dict[Any, dict[str, Any]] = {
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
        "l2": ("auto",),
        "activation": ("relu",),
        "max_epochs": 300,
        "scale": "clipped",
        "validation_fraction": 0.2,
    },
}
# Their defaults for first-order methods; each has its own learning rate, except for these.
FIRST_ORDER_TASKS = {1: {"clip_norm": (1.0,), "lr_patience": (10,), "max_epochs": 5000}}
LEARNING_RATES_OF_TASKS = {(1, "sgd"): (0.3,), (2, "sgd"): (2.0,), ("data", "adam"): (0.003,)}
# What a table takes in place of adam's defaults for methods that choose the length of their steps:
# a smooth activation, few units with a matrix, neither penalty nor hold-out for br.
METHODS_ON_TABLES: dict[str, dict[str, Any]] = {
    "lm": {"activation": ("tanh",), "l2": (0.0,)},
    "br": {
        "activation": ("tanh",),
        "l2": (0.0,),
        "patience": (None,),
        "validation_fraction": 0.0,
    },
    "lbfgs": {"activation": ("tanh",)},
}
N1_WITH_MATRIX: dict[str, dict[str, Any]] = {
    "train": {"n1": (10,)},
    "sweep": {"n1": (2, 4, 8, 16)},
    "smallest": {"n1": tuple(range(1, 65))},
}
COMMANDS: dict[str, dict[str, Any]] = {
    "train": {"stop": "first"},
    "smallest": {"stop": "decided", "n1": tuple(range(1, 257))},
}
# How a table of numbers is asked for the smallest network, unless another method or steps of a
# given rate are asked for: with 2 to 16 units the test losses are lower than adam's with relu for
# 22 of 28 pairs of table and N1; for classes they are not (docs/notes/scores.md).
SMALL_ON_TABLES: dict[str, Any] = {
    **{name: OPTIONS[name].default for name in STEPPED},
    **METHODS_ON_TABLES["lbfgs"],
    "optimizer": ("lbfgs",),
}
TASK_COMMANDS: dict[Any, dict[str, Any]] = {
    (1, "train"): {"n1": (2, 4, 6, 8), "seeds": tuple(range(8))},
    (1, "sweep"): {"n1": tuple(range(1, 13)), "seeds": tuple(range(20))},
    (1, "smallest"): {"n1": tuple(range(1, 65))},
    (2, "train"): {"n1": (32, 64), "seeds": tuple(range(4))},
    (2, "sweep"): {"n1": (2, 4, 8, 16, 32, 64), "seeds": tuple(range(8))},
    ("data", "train"): {"n1": (128,)},
    ("data", "sweep"): {**SMALL_ON_TABLES, "n1": (1, 2, 4, 8, 16, 32), "seeds": tuple(range(5))},
    ("data", "smallest"): SMALL_ON_TABLES,
}


def defaults(command: str, task: Any = None) -> dict[str, Any]:
    """The value of every option that is not given."""
    values = {option.name: option.default for option in OPTIONS.values()}
    values.update(COMMANDS.get(command, {}))
    values.update(TASKS.get(task, {}))
    values.update(TASK_COMMANDS.get((task, command), {}))
    return values


def defaults_beside(given: dict[str, Any], command: str, task: Any = None) -> dict[str, Any]:
    """The defaults of command, task or table, next to the options that are given.

    If N1 is given, `train` takes one seed, 0. If validation rows or folds are given, no others are
    held out; folds are compared, so none stops the others. A given optimizer takes its own learning
    rate; a given learning rate or similar option selects gradient descent. Those beside optimizer
    auto are those of the first method that it compares.
    """
    if is_auto(given.get("optimizer")):
        return of_method(given, COMPARED[0], command, task)
    table = task == "data" or given.get("data") is not None
    task = "data" if table else task
    values = defaults(command, task)
    if command == "train" and "n1" in given:
        values["seeds"] = (0,)
    if table and ("optimizer" in given or asks_for_steps(given)):
        values.update(TASKS["data"])
    if "optimizer" in given:
        values.update(
            of_optimizers(check("optimizer", given["optimizer"], paired=True), command, task)
        )
    elif values["optimizer"][0] not in FIRST_ORDER and asks_for_steps(given):
        values["optimizer"] = OPTIONS["optimizer"].default
        values.update(of_optimizers(values["optimizer"], command, task))
    if table and any(given.get(name) is not None for name in ("split_column", "validation_data")):
        values["validation_fraction"] = 0.0
    if given.get("target_accuracy") is not None and command == "train":
        values["stop"] = "all"  # it is known when a member has ended
    if given.get("folds") is not None:
        values.update(validation_fraction=0.0, stop="all")
    return values


def is_auto(optimizer: Any) -> bool:
    """Whether the value of the option optimizer stands for a choice by the data."""
    return optimizer == AUTO or (isinstance(optimizer, (tuple, list)) and AUTO in optimizer)


def of_method(given: dict[str, Any], name: str, command: str, task: Any = None) -> dict[str, Any]:
    """The defaults beside the options given if optimizer auto stands for this method.

    X and y take those of a table for all axes but the seeds, and for max_epochs.
    """
    given = {**given, "optimizer": name}
    values = defaults_beside(given, command, task)
    if task is None and given.get("data") is None:
        own = defaults_beside(given, "train", "data")
        taken = [n for n in (*AXES, "max_epochs") if n != "seeds"]
        values.update({n: own[n] for n in taken})
    return values


def for_classes(given: dict[str, Any], command: str, task: Any = None) -> dict[str, Any]:
    """What a table of classes takes in place of SMALL_ON_TABLES, next to the options given."""
    values = resolve({**given, "optimizer": TASKS["data"]["optimizer"]}, command, task)
    return {name: values[name] for name in SMALL_ON_TABLES if name not in given}


def resolve(given: dict[str, Any], command: str, task: Any = None) -> dict[str, Any]:
    """Every option with its value, checked: as given, else the default beside the given ones."""
    for name in given:
        find(name)
    paired = check("zip", given.get("zip", OPTIONS["zip"].default))
    chosen = {name: check(name, value, paired=paired) for name, value in given.items()}
    return {**defaults_beside(given, command, task), **chosen}


def asks_for_steps(given: dict[str, Any]) -> bool:
    """Whether a learning rate or similar option is given, which selects gradient descent."""
    return any(check(n, given[n], paired=True) != OPTIONS[n].default for n in STEPPED if n in given)


def of_optimizers(names: tuple[str, ...], command: str, task: Any) -> dict[str, Any]:
    """Defaults of the given optimizers, in place of the task's."""
    if not set(names) & set(FIRST_ORDER):
        values = {name: OPTIONS[name].default for name in STEPPED}
        if task == 1 and "lbfgs" in names:
            values["max_epochs"] = 2000
        return {**values, **(of_methods(names, command) if task == "data" else {})}
    rate = LEARNING_RATES_OF_TASKS.get((task, *names), OPTIONS["learning_rate"].default)
    return {**FIRST_ORDER_TASKS.get(task, {}), "learning_rate": rate}


def of_methods(names: tuple[str, ...], command: str) -> dict[str, Any]:
    """Defaults of a table for methods without steps of a given rate."""
    values = dict(N1_WITH_MATRIX[command]) if set(names) & set(WITH_MATRIX) else {}
    for name in names:
        values.update(METHODS_ON_TABLES[name])
    return values
