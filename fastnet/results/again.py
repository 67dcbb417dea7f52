"""The command lines that repeat a run, and that train its best setting on the rows of all folds."""

import shlex
from collections.abc import Mapping
from typing import Any

from fastnet.options.defaults import defaults, defaults_beside
from fastnet.options.table import AXES, OPTIONS
from fastnet.options.targets import UNITS, asked_unit
from fastnet.results import answer
from fastnet.results.result import Result
from fastnet.training.automatic import as_asked
from fastnet.training.plan import shown

STEPPED = ("step", "exponential")  # schedules whose pace depends on max_epochs, if none is given


def repeat_command(result: Result) -> str:
    """The command line that repeats this run, or the Python call if its data were arrays."""
    return command_of(result, result.command, result.options)


def refit_command(result: Result) -> str:
    """The command line, or Python call, that trains the best setting of a run with folds once more.

    It trains on the rows of all folds. No row is left to say when to stop, so it takes as many
    epochs as the members of the setting needed for their best weights, in the mean over the folds.
    """
    members = result.members[answer.of_setting(result.members, result.best_member)]
    epochs = max(1, round(float(members["best_epoch"].mean())))
    options = dict(result.options)
    for name in AXES:
        value = shown(name, result.best["seed" if name == "seeds" else name])
        if len(options[name]) > 1:
            options[name] = (value,)
    if set(options["schedule"]) & {*STEPPED}:
        options["decay_epochs"] = (int(result.best["decay_epochs"]),)
    usual = defaults("train", result.task)
    of_many = ("folds", "fold_repeats", "zip", "stop", "halving", "prune_l2", "optimizer_margin")
    options.update({name: usual[name] for name in of_many})
    options.update(
        dict.fromkeys(UNITS),
        max_epochs=epochs,
        patience=(None,),
        target_loss=(None,),
        validation_fraction=0.0,
    )
    if not options["test_fraction"]:
        options.update(undivided(options))
    return command_of(result, "train", options)


def undivided(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a run that divides no rows: columns that divided them are still no inputs."""
    keys = [options[name] for name in ("group", "order") if options[name] is not None]
    exclude = () if options["features"] else tuple(keys)
    return {"group": None, "order": None, "exclude": (*options["exclude"], *exclude)}


def chosen(task: int | None, command: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are not at their defaults, which depend on the others as well."""
    usual = defaults(command, task)
    own = {n: v for n, v in as_asked(options).items() if command in OPTIONS[n].commands}
    if asked_unit(options):  # the loss follows from it
        own.pop("target_loss", None)
    changed = {n: value for n, value in own.items() if value != usual[n]}
    usual = defaults_beside(changed, command, task)
    return {n: value for n, value in own.items() if value != usual[n]}


def command_of(result: Result, command: str, options: Mapping[str, Any]) -> str:
    """A command line with these options, or the Python call if the run's data were arrays."""
    given = chosen(result.task, command, options)
    if result.task is None and result.options["data"] is None:
        lists = {n: list(v) if isinstance(v, tuple) else v for n, v in given.items()}
        arguments = ["X", "y", *(f"{name}={value!r}" for name, value in lists.items())]
        return f"fastnet.{command}({', '.join(arguments)})"
    words = ["fastnet", command]
    words += ["--task", str(result.task)] if result.task else []
    for name, value in given.items():
        if value is True:
            words.append(OPTIONS[name].flag)
        else:
            words += [OPTIONS[name].flag, OPTIONS[name].typed(value)]
    return shlex.join(words)
