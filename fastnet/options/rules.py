"""Options that exclude each other: every refusal that needs only options and sources, not data.

Rules that need the data's shape are in training/plan.py, those that need its rows in data/.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fastnet.errors import UsageError, quoted
from fastnet.options.kinds import is_list
from fastnet.options.table import AXES, OF_DATA, OF_TASK_1, OPTIONS, USERS, check
from fastnet.options.targets import UNITS, has_target

# Options that may change when a run is resumed: they change no byte.
RESUMABLE = ("threads", "time_limit", "cluster")
# What to do instead of changing others.
RATHER = {
    "max_epochs": "for more epochs, start a run with --reuse",
    "memory": "it has decided whether the run is in parts: start anew with --force for other parts",
}
# The options of a table that replace arguments of X and y.
IN_TABLES = {
    "validation": "validation_data or a split_column",
    "test": "test_data or a split_column",
    "sample_weight": "a column of weights",
    "group": "a column named by group",
    "order": "a column named by order",
}
# Words that options of marks take in place of a character.
WORDS_FOR_MARKS = {
    "separator": ("tab", "space", "comma", "semicolon"),
    "thousands": ("space",),
    "decimal": ("comma", "point"),
    "quote": ("none",),
}
# Runs whose members decide about each other: an option, its value (None = any), and the reason.
TOGETHER = (
    ("stop", "first", "its members advance in lock step"),
    ("halving", None, "its members are compared with each other while they are trained"),
)
# Runs whose members cannot be trained in parts.
UNCUT = (
    *TOGETHER,
    ("stop", "decided", "its members are not known before training"),
    ("time_limit", None, "when it ends a member depends on who trains it"),
)
# The options that name one column beside the target and the features.
COLUMNS = ("weights", "split_column", "group", "order")
# Sets that a table can have in a separate file: the option, and the share it replaces.
FILES = {"validation_data": "validation_fraction", "test_data": "test_fraction"}


def refuse_unused(options: Mapping[str, Any], loss: str) -> None:
    """Refuse an option that no chosen method uses, unless it is at its default."""
    for name, (choice, users) in USERS.items():
        chosen = (loss,) if choice == "loss" else options[choice]
        values, default = options[name], OPTIONS[name].default
        usual = set(values) == set(default) if is_list(values) else values == default
        if not usual and not set(chosen) & set(users):
            first = values[0] if is_list(values) else values
            raise UsageError(
                f"{name} {quoted(first)} has no effect with {choice} "
                f"{', '.join(chosen)}; it belongs to {' and '.join(users)}."
            )


def refuse_change(given: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse options that a resumed run cannot change; `own` are those that it has."""
    for name, value in given.items():
        paired = bool(own.get("zip"))
        same = name in own and check(name, value, paired=paired) == own[name]
        if name not in RESUMABLE and not same:
            cure = f"; {RATHER[name]}" if name in RATHER else ""
            raise UsageError(
                f"a resumed run keeps its options; {name} cannot change, "
                f"only {', '.join(RESUMABLE[:-1])} and {RESUMABLE[-1]} can{cure}."
            )


# ---------------------------------------------------------------- where the samples come from


def named_source(X: Any, y: Any, task: int | None, options: Mapping[str, Any]) -> str:
    """Where the samples come from: "X and y", "a task" or "data"; exactly one must be named."""
    sources = {
        "X and y": X is not None or y is not None,
        "a task": task is not None,
        "data": options["data"] is not None,
    }
    named = [name for name, there in sources.items() if there]
    if not named or (named == ["X and y"] and (X is None or y is None)):
        raise UsageError("nothing to train on: give X and y, task=1 or task=2, or data.")
    if len(named) > 1:
        raise UsageError(f"give {named[0]} or {named[1]}, not both.")
    return named[0]


def refuse_of_task_1(given: Mapping[str, Any], task: int | None) -> None:
    """Refuse options of task 1 that are given beside any other source of samples."""
    for name in OF_TASK_1 if task != 1 else ():
        if name in given:
            raise UsageError(f"{name} belongs to task 1; drop {name} {quoted(given[name])}.")


def refuse_of_search(command: str, options: Mapping[str, Any], folds: Any) -> None:
    """Refuse what does not go with the search for the smallest N1."""
    chosen = [name for name in ("seeds", "zip", "folds") if options[name] != OPTIONS[name].default]
    chosen += ["folds"] * (folds is not None)
    if command == "smallest" and chosen:
        raise UsageError(f"smallest adds seeds by itself and takes no {chosen[0]}; drop it.")
    if (command == "smallest") != (options["stop"] == "decided"):
        raise UsageError(
            f"stop decided and the command smallest belong together; {command} has stop "
            f"{options['stop']}."
        )
    if command != "smallest":
        return
    for name in AXES:
        if name != "n1" and len(options[name]) > 1:
            raise UsageError(
                f"smallest answers for one setting, got {len(options[name])} values of {name}; "
                "give one, or compare settings with sweep."
            )
    if options["success_rate"] == 1:
        raise UsageError(
            "success_rate 1 of all possible seeds cannot be decided by trying some; give less."
        )
    if not has_target(options):
        raise UsageError(
            "smallest needs a target to reach; give target_loss, target_rmse, target_r2, "
            "target_accuracy or target_log_loss."
        )


def refuse_within(options: Mapping[str, Any]) -> None:
    """Refuse a share of closeness where a target answers."""
    if has_target(options) and options["within"] != OPTIONS["within"].default:
        raise UsageError(
            f"within {options['within']:g} answers without a target; drop it, or the target "
            "(target_loss none)."
        )


def refuse_two_targets(given: Mapping[str, Any]) -> None:
    """Refuse more than one target."""
    targets = [
        name
        for name in ("target_loss", *UNITS)
        if name in given and OPTIONS[name].check(given[name], paired=True) not in (None, (None,))
    ]
    if len(targets) > 1:
        raise UsageError(f"give {targets[0]} or {targets[1]}, not both.")


def refuse_of_halving(options: Mapping[str, Any]) -> None:
    """Refuse halving where members do not run to their own stop."""
    if options["halving"] is not None and options["stop"] != "all":
        raise UsageError(
            f"halving compares members that run to their own stop, got stop {options['stop']}; "
            "use stop all (fastnet sweep)."
        )


def refuse_cut(options: Mapping[str, Any], why: str) -> None:
    """Refuse a run whose members cannot be trained in parts; `why` is the option that asks for
    it."""
    refuse_beside(options, why, UNCUT)


def refuse_of_reuse(options: Mapping[str, Any], initial_weights: Any) -> None:
    """Refuse members of other runs where members depend on each other, or on given weights."""
    refuse_beside(options, "reuse", TOGETHER)
    if initial_weights is not None:
        raise UsageError(
            "reuse takes members that began with the weights of their seed; drop initial_weights, "
            "or reuse."
        )


def refuse_beside(
    options: Mapping[str, Any], why: str, rows: Iterable[tuple[str, Any, str]]
) -> None:
    """Refuse an option beside any of the others that the rows name."""
    for name, value, reason in rows:
        if options[name] is not None and value in (None, options[name]):
            # A command's own stop cannot be dropped.
            cures = {"first": "give stop all", "decided": "use sweep"}
            cure = cures.get(str(options[name]), f"drop {name}")
            raise UsageError(
                f"{why} does not go with {name} {options[name]}: {reason}; {cure}, or drop {why}."
            )


def refuse_of_record(options: Mapping[str, Any]) -> None:
    """Refuse to record something more and none; best is something less."""
    others = [name for name in options["record"] if name not in ("none", "best")]
    if others and "none" in options["record"]:
        raise UsageError(f"record none stands alone; drop it, or {', '.join(others)}.")


def refuse_of_tables(options: Mapping[str, Any], source: str) -> None:
    """Refuse options of a table beside any other source of samples."""
    for name in OF_DATA if source != "data" else ():
        if options[name] != OPTIONS[name].default:
            raise UsageError(f"{name} belongs to data, the file of a table; drop it.")


def refuse_beside_table(given: Mapping[str, Any]) -> None:
    """Refuse arguments that go with X and y, not with a table."""
    for name, instead in IN_TABLES.items():
        if given.get(name) is not None:
            raise UsageError(f"{name} goes with X and y; a table has {instead}.")


def refuse_task_loss(task: int | None, own: str, loss: str | None) -> None:
    """Refuse another loss than the task's own."""
    if loss not in (None, own):
        raise UsageError(f"task {task} has loss {own}, got {loss}.")


# ---------------------------------------------------------------- sets and columns


def refuse_two_sets(
    validation: Any, test: Any, validation_fraction: float, test_fraction: float, folds: Any
) -> None:
    """Refuse a set that is given twice."""
    for given, fraction, name in (
        (validation, validation_fraction, "validation"),
        (test, test_fraction, "test"),
    ):
        if given is not None and fraction:
            raise UsageError(f"give {name} or {name}_fraction {fraction:g}, not both.")
    if folds is None:
        return
    if validation is not None or validation_fraction:
        raise UsageError(
            "folds hold out validation rows of their own; drop validation and validation_fraction."
        )
    if test_fraction and not isinstance(folds, int):
        raise UsageError("folds name their own rows; drop test_fraction, or give test.")


def refuse_splits(options: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Refuse groups, orders and folds that divide nothing.

    Parameters
    ----------
    options : dict
        Every option as resolved.
    given : dict
        Arguments beside X and y: arrays group and order, and folds as lists of rows.
    """
    named = {name: given.get(name, options[name]) is not None for name in ("group", "order")}
    drawn = options["folds"] is not None
    divided = drawn or options["validation_fraction"] or options["test_fraction"]
    for name, there in named.items():
        if there and not divided:
            raise UsageError(
                f"{name} has no effect without rows to divide; give validation_fraction, "
                "test_fraction or folds (a number), or drop it."
            )
    if options["fold_repeats"] > 1:
        if not drawn:
            raise UsageError(
                f"fold_repeats {options['fold_repeats']} needs a number of folds; give folds 5, "
                "or drop it."
            )
        if named["order"]:
            raise UsageError("folds forward in an order are always the same; drop fold_repeats.")
    if drawn and options["stop"] == "first":
        raise UsageError("folds compare members that run to their own stop; use stop all.")
    if drawn and options["validation_data"]:
        raise UsageError("folds hold out validation rows of their own; drop validation_data.")


def refuse_no_target(options: Mapping[str, Any]) -> None:
    """Refuse a table without a column to predict."""
    if not options["target"]:
        raise UsageError("data needs a target; name the column to predict with --target.")


def refuse_files(options: Mapping[str, Any]) -> None:
    """Refuse files of sets that contradict each other."""
    for file, share in FILES.items():
        for other in (share, "split_column") if options[file] else ():
            if options[other]:
                raise UsageError(f"give {file} or {other} {options[other]}, not both.")
        if options["split_column"] and options[share]:
            raise UsageError(f"give split_column or {share}, not both.")


def refuse_columns(options: Mapping[str, Any]) -> None:
    """Refuse columns of a table that are named for two purposes."""
    lists = ("target", "features", "exclude")
    named = [name for option in lists for name in options[option]]
    named += [options[name] for name in COLUMNS if options[name] is not None]
    if options["order"] in options["features"]:  # the order alone may be an input, too
        named.remove(options["order"])
    flags = [OPTIONS[name].flag for name in (*lists, *COLUMNS)]
    both = [*options["categorical"], *options["numeric"]]
    for names, given in ((named, flags), (both, ["--categorical", "--numeric"])):
        twice = [name for name, count in Counter(names).items() if count > 1]
        if twice:
            raise UsageError(
                f"the column {twice[0]!r} is named twice among {', '.join(given[:-1])} and "
                f"{given[-1]}; it can serve once."
            )


def refuse_marks(options: Mapping[str, Any]) -> None:
    """Refuse marks in numbers and around cells that are not one character, or that are the same."""
    for name in ("decimal", "thousands", "comment", "quote", "separator"):
        value = options[name]
        if value not in (None, "auto", *WORDS_FOR_MARKS.get(name, ())) and len(value) != 1:
            allowed = ", ".join(("one character", *WORDS_FOR_MARKS.get(name, ())))
            raise UsageError(f"{name} must be {allowed}, got {quoted(value)}.")
    marks = [options[n] for n in ("decimal", "thousands") if options[n] not in ("auto", None)]
    if len(set(marks)) < len(marks):
        raise UsageError(f"decimal and thousands are both {quoted(marks[0])}; they must differ.")
    if options["thousands"] == "." and options["decimal"] == "auto":
        raise UsageError("thousands '.' leaves no decimal mark; give decimal ',' as well.")
