"""The text form of a run: numbers, times, settings, sentences and table cells."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnet.data.dialect import listed
from fastnet.options.ranges import typed
from fastnet.options.targets import UNITS, asked_unit, has_target, in_unit, text_of_target
from fastnet.results import answer
from fastnet.results.result import SCORES, Result
from fastnet.training import grouping
from fastnet.training.plan import shown
from fastnet.training.search import is_searched

# Further columns of the table by N1, if a run has them.
MEDIANS = ("median_test_loss", "median_val_accuracy", "median_test_accuracy")
OVER_FOLDS = ("fold_mean_loss", "fold_sd_loss", "fold_mean_accuracy", "fold_sd_accuracy")
METRICS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
    "mape": "MAPE",
    "mean_cost": "mean cost",
    "subset_accuracy": "all labels right",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "PR AUC",
    "brier": "Brier score",
    "log_loss": "log loss",
}
BASELINE = {
    "costs": "baseline: always the class of least expected cost by the shares of the training rows",
    "numbers": "baseline: always the mean of the training rows",
    "classes": "baseline: always the most frequent class of the training rows, with their shares",
    "labels": "baseline: always the more frequent label of each target, with their shares",
}
MACRO = ("precision", "recall", "f1")  # means over the classes, unless of one class
MOST_CLASSES = 20  # classes in a table
MOST_SETTINGS = 20  # settings in a table
LARGEST = 1e15  # numbers below are written without an exponent


def number(value: Any, digits: int = 4) -> str:
    """A number for people, or -.

    Examples
    --------
    >>> number(31684.2), number(0.00012345), number(1e20), number(None)
    ('31,680', '0.0001234', '1e+20', '-')
    """
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return "-"
    if not isinstance(value, float):
        return str(value)
    rounded = f"{value:.{digits}g}"
    return f"{float(rounded):,.15g}" if abs(value) < LARGEST else rounded


def counted(count: int, thing: str) -> str:
    """A number of things: 2 inputs, 1 input."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def setting_text(name: str, value: Any) -> str:
    """A setting for people, of a member's record or an option: none if it is off."""
    return typed(shown(name, value), digits=6)


def settings_text(settings: Mapping[str, Any]) -> str:
    """Some settings for people: clip_norm 1, init he_normal."""
    return ", ".join(f"{name} {setting_text(name, value)}" for name, value in settings.items())


def seconds(value: float | None) -> str:
    """A time for people."""
    if value is None:
        return "-"
    if value < 1:
        return f"{1000 * value:.3g} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


def size(count: float) -> str:
    """A number of bytes for people.

    Examples
    --------
    >>> size(7312), size(2.5e6)
    ('7.3 kB', '2.5 MB')
    """
    return f"{count / 1e3:,.1f} kB" if count < 1e5 else f"{count / 1e6:,.1f} MB"


def progress_line(where: Any) -> str:
    """The progress of a run in one line; `where` is a Progress."""
    best = ""
    if where.best_loss is not None:
        best = (
            f", lowest loss {number(where.best_loss)} (N1 {where.best_n1}, seed {where.best_seed})"
        )
    rate = where.member_epochs / where.seconds if where.seconds else 0.0
    known = where.running and where.remaining is not None
    left = f", at most {seconds(where.remaining)} left" if known else ""
    done = where.members - where.running
    return (
        f"epoch {where.epoch}: {where.running} running, {done} done, {where.reached} reached, "
        f"{where.diverged} diverged{best}; {rate:,.0f} member-epochs/s, "
        f"{seconds(where.seconds)}{left}"
    )


def plan_text(plan: Mapping[str, Any]) -> str:
    """The announcement of a run before it trains; `plan` is the dict of a dry run."""
    n1 = plan["n1"]
    widths = ",".join(map(str, n1)) if len(n1) <= 12 else f"{n1[0]} to {n1[-1]} ({len(n1)} widths)"
    members = counted(plan["members"], "member")
    if "max_members" in plan:
        members = f"First {members}, at most {plan['max_members']:,}"
    text = (
        f"{plan['description']}; {counted(plan['samples'], 'training sample')}, "
        f"{counted(plan['inputs'], 'input')}, {counted(plan['outputs'], 'output')}\n"
        f"{members}: N1 {widths}; {plan['parameters']:,} parameters, at "
        f"most {size(plan['memory_bytes'])} of memory, {size(plan['disk_bytes'])} on disk"
    )
    for notice in plan["notices"]:
        text += f"\n{notice}"
    if plan.get("seconds") is not None:
        text += f"\nat most {seconds(plan['seconds'])} on {counted(plan['threads'], 'thread')}"
        text += " for the first members" if "max_members" in plan else ""
    return text


def how_to_resume(command: str, task: int | None, data: str | None, run: str) -> str:
    """The command line that continues a run, or the Python call if its samples were arrays."""
    if task is None and data is None:
        return f"fastnet.resume({run!r}, X, y)"
    return f"fastnet {command} --resume {shlex.quote(run)}{' < THE_SAME_DATA' * (data == '-')}"


def scores(members: np.ndarray) -> list[str]:
    """The names of the scores that a run has, losses first."""
    return [name for name in SCORES if np.isfinite(members[name]).any()]


def best_line(result: Result) -> str:
    """The best member in one sentence."""
    best = result.best
    fold = f"fold {best['fold']}, " if result.folds else ""
    values = ", ".join(
        f"{s.replace('_', ' ')} {number(best[s].item())}" for s in scores(result.members)
    )
    if asked_unit(result.options) not in (None, "target_accuracy"):
        values = f"{monitored_text(result, result.best_member)}, {values}"
    ended = f"is {why(result)}"
    if len(result.members) == 1 and best["stop_reason"] == "target":
        ended = f"reached {answer.target_of(result.members, result.options)}"
    if best["stop_reason"] == "diverged":
        ended = "diverged"
    who = f"N1 = {best['n1']} (seed {best['seed']}, {fold}member {best['member']})"
    return (
        f"{who} {ended}: {values}; {counted(int(best['epochs']), 'epoch')}, "
        f"{seconds(float(best['seconds']))}."
    )


def why(result: Result) -> str:
    """Why a run's best member is the best one."""
    searched = is_searched(result.options)
    smallest = answer.smallest_n1(result.by_n1(), result.options) if searched else None
    validated = bool(np.isfinite(result.members["val_loss"]).any())
    return reason(
        len(result.members), result.best, result.options, smallest, result.folds, validated
    )


def reason(
    members: int,
    best: Mapping[str, Any],
    options: Mapping[str, Any],
    smallest: int | None,
    folds: Any,
    validated: bool,
) -> str:
    """Why a member is the best of its run, from what summary.json and config.json say."""
    first = options["stop"] == "first" and best["stop_reason"] == "target"
    if members == 1:
        return "the only member"
    if first:
        return f"the first to reach {text_of_target(options, best['target_loss'], validated)}"
    if folds:
        return "of the setting with the lowest loss over the folds"
    lowest = f"the one with the lowest {'validation' if validated else 'training'} loss of"
    if options["optimizer_margin"] and best["optimizer"] == options["optimizer"][0]:
        return f"{lowest} those with {best['optimizer']}"
    if is_searched(options) and smallest is not None:
        return f"{lowest} N1 = {smallest}"
    return f"{lowest} all {members:,}"


def monitored_text(result: Result, member: int) -> str:
    """The number that decides about a member, in the unit of the target."""
    _, unit = unit_of(result.options)
    loss = float(grouping.monitored(result.members)[member])
    value = in_unit(result.options, loss) if unit not in ("loss", "accuracy") else loss
    if unit == "accuracy":
        value = float(answer.monitored_accuracy(result.members)[member])
    return f"{unit} {number(value)}"


def answer_line(result: Result) -> str:
    """The best member of the N1 that the answer names; "" if it is the best of all."""
    smallest = answer.answered_n1(result.members, result.options)
    if smallest is None or smallest == result.best["n1"]:
        return ""
    record = result.members[result.best_of(smallest)]
    given = grouping.given_axes(result.members, result.options)
    axes = f" with {settings_text({name: record[name] for name in given})}" if given else ""
    return (
        f"The best of N1 = {smallest} is member {record['member']} (seed {record['seed']}){axes}: "
        f"{monitored_text(result, record['member'])}; export, predict, evaluate, show and plot "
        f"take it with --n1 {smallest}."
    )


def folds_line(result: Result) -> str:
    """What the folds say about the best setting; "" without folds."""
    folds = result.folds
    if not folds:
        return ""
    values = ", ".join(
        f"{METRICS.get(name, f'validation {name}')} {metric(name, mean)} +- "
        f"{metric(name, folds['sd'][name])}"
        for name, mean in folds["mean"].items()
    )
    return f"Over {folds['count']} folds (mean +- standard deviation): {values}."


def refit_line(result: Result) -> str:
    """What the best member of a run with folds was trained on; refit_command() follows."""
    train = result.split["folds_train"][result.best["fold"]]
    return (
        f"The best member was trained on {train.sum():,} of {len(train):,} rows, those of its "
        "fold. To train its setting on all of them:"
    )


def metric_cells(
    sets: Mapping[str, Any], targets: Sequence[str]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of metrics: each set's, its baseline's beside it.

    Parameters
    ----------
    sets : dict
        Metrics by the name of their set; None if there is none.
    targets : sequence of str
    """
    found = {name: one for name, one in sets.items() if one is not None}
    header = ["", *(text for name in found for text in (name, "baseline"))]
    rows = []
    for label, parts in metric_parts(found, targets):
        for name in METRICS:
            if name in parts[0]:
                cells = [metric(name, part[name]) for part in parts]
                first = "macro" if name in MACRO and not label else label
                first = "" if name == "subset_accuracy" else first
                rows.append([f"{first} {METRICS[name]}".strip(), *cells])
    return header, rows


def metric_parts(
    found: Mapping[str, Any], targets: Sequence[str]
) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """For each target a label and its metrics, then those of the baseline, of set after set.

    The label is empty if there is one target; several have their means first.
    """
    pairs = [part for one in found.values() for part in (one, one["baseline"])]
    if "targets" not in pairs[0]:
        return [("", pairs)]
    if "subset_accuracy" in pairs[0]:  # class_cells() has those of each
        return [("mean", pairs)]
    each = [(name, [part["targets"][name] for part in pairs]) for name in targets]
    return [("mean", pairs), *each]


def metric(name: str, value: float | None) -> str:
    """A metric for people: MAPE in percent."""
    if name == "mape" and value is not None:
        return f"{number(100 * value, 3)} %"
    return number(value)


def class_cells(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table of the metrics of each class, or of the second label of each
    target; the most frequent of many."""
    title, each = parts_of(found)
    names = [name for name in next(iter(each.values())) if name != "brier"]
    header = [title, *(METRICS.get(name, name) for name in names)]
    most = sorted(each.items(), key=lambda item: -item[1]["rows"])[:MOST_CLASSES]
    chosen = dict(most)
    return header, [
        [label, *(number(one[name]) for name in names)]
        for label, one in each.items()
        if label in chosen
    ]


def parts_of(found: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """What the parts of metrics are, and those of each class or label; none of numbers."""
    if "subset_accuracy" in found:
        return "label", found["targets"]
    return "class", found.get("classes", {})


def baseline_line(found: Mapping[str, Any]) -> str:
    """What the baseline is, for a table of metrics."""
    if "subset_accuracy" in found:
        return BASELINE["labels"]
    classes = "costs" if "mean_cost" in found else "classes"
    return BASELINE[classes if "classes" in found else "numbers"]


def interval_line(found: Mapping[str, Any]) -> str:
    """How often intervals, or sets of classes, hold the target, in one sentence."""
    what = f"{100 * found['level']:g} % {'sets' if 'ece' in found else 'intervals'}"
    hold = f"{what} hold {100 * found['coverage']:.3g} % of the targets"
    if "ece" in found:
        size = f"{found['mean_size']:.3g} classes on average"
        return f"{hold}; {size}; calibration error (ECE) {number(found['ece'])}."
    width = f"mean width {number(found['mean_width'])}"
    return f"{hold}; {width}; log-likelihood {number(found['log_likelihood'])} per row."


def interval_sentences(found: Mapping[str, Any], targets: Sequence[str], classes: Any) -> str:
    """What the intervals of a run are, and how good on the test rows, from interval_of_run()."""
    percent, ask = f"{100 * found['level']:g} %", f"predict --interval {found['level']:g}"
    if classes is not None:
        least = number(1 - found["quantile"][0])
        first = f"{percent} sets ({ask}) have the classes of a probability of at least {least}"
    else:
        each = [f"{name} +- {number(half)}" for name, half in zip(targets, found["quantile"])]
        first = f"{percent} intervals ({ask}): {listed(each)}"
    rest = "Test rows would show how often they hold (--test-fraction)."
    if found["test"]:
        rest = f"On the test rows {interval_line(found['test'])}"
    return f"{first}. {rest}"


def threshold_line(result: Result) -> str:
    """The thresholds of two classes, or of several targets, in one sentence; "" without any."""
    if result.thresholds is None:
        return ""
    label = "the second label of each target"
    if result.classes is not None:
        label = str(result.classes[1])
    chosen = ", ".join(
        f"{numbers_of(t)} for the best {METRICS[name]}" for name, t in result.thresholds.items()
    )
    return (
        f"Probability from which to predict {label}, chosen on the validation rows: {chosen} "
        "(predict --threshold)."
    )


def numbers_of(values: Any) -> str:
    """A number, or the numbers of some names, for people."""
    if not isinstance(values, Mapping):
        return number(values)
    return f"({listed([f'{name} {number(value)}' for name, value in values.items()])})"


def by_n1_cells(result: Result) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the table by N1; columns in which no row has a value are left out."""
    rows, searched = result.by_n1(), is_searched(result.options)
    columns = {"N1": [number(row["n1"]) for row in rows], **counts_cells(result, rows)}
    metric, unit = unit_of(result.options)
    for which in ("best", "median"):
        columns[f"{which} {unit}"] = [number(row[f"{which}_{metric}"]) for row in rows]
    columns["epochs"] = [number(row["median_epochs"]) for row in rows]
    columns["seconds"] = [number(row["median_seconds"], 3) for row in rows]
    for name in (*MEDIANS, *OVER_FOLDS):
        title = name.replace("median_", "").replace("_", " ")
        columns[title] = [number(row[name]) for row in rows]
    if searched:
        columns["verdict"] = [row["verdict"] for row in rows]
    for axis in grouping.given_axes(result.members, result.options):
        columns[axis.replace("_", " ")] = [setting_text(axis, row["setting"][axis]) for row in rows]
    return as_table(columns)


def unit_of(options: Mapping[str, Any]) -> tuple[str, str]:
    """The metric that the tables show, by name and in words: that of the target, or the loss."""
    asked = asked_unit(options)
    return UNITS[asked] if asked else ("loss", "loss")


def as_table(columns: Mapping[str, list[str]]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the columns that have a value."""
    filled = {title: cells for title, cells in columns.items() if set(cells) != {"-"}}
    return list(filled), [list(cells) for cells in zip(*filled.values(), strict=True)]


def counts_cells(result: Result, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The columns of the table by N1 that count members and, with a target, successes."""
    if not has_target(result.options):
        return {"members": [number(row["members"]) for row in rows]}
    known = [row["success_rate"] is not None for row in rows]
    digits = 3 if is_searched(result.options) else 2
    return {
        "reached": [reached_text(row) for row in rows],
        "success": [
            f"{row['success_rate']:.{digits}f}" if there else "-" for row, there in zip(rows, known)
        ],
        "bounds" if is_searched(result.options) else "95 %": [
            bounds_text(row) if there else "-" for row, there in zip(rows, known)
        ],
    }


def reached_text(row: Mapping[str, Any]) -> str:
    """How many members of a row reached the target."""
    return f"{row['reached']:,} of {row['members']:,}"


def bounds_text(row: Mapping[str, Any]) -> str:
    """The bounds of a success rate; those of a verdict with three digits, rounded outwards."""
    low, high = row["success_low"], row["success_high"]
    if "verdict" not in row:
        return f"{low:.2f} to {high:.2f}"
    return f"{np.floor(1000 * low) / 1000:.3f} to {np.ceil(1000 * high) / 1000:.3f}"


def by_setting_cells(
    result: Result, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a table of settings: the smallest N1 of each, and what it takes.

    `rows` are some of result.by_setting().
    """
    columns = {
        axis.replace("_", " "): [setting_text(axis, row["setting"][axis]) for row in rows]
        for axis in grouping.given_axes(result.members, result.options)
    }
    columns["smallest N1"] = [number(row["smallest_n1"]) for row in rows]
    if not has_target(result.options):
        columns["with N1"] = [number(row["n1"]) for row in rows]
    else:
        columns["success"] = [success_text(row) for row in rows]
    columns["epochs"] = [number(row["median_epochs"]) for row in rows]
    columns["ms"] = [milliseconds(row["median_seconds"]) for row in rows]
    metric, unit = unit_of(result.options)
    columns[f"best {unit}"] = [number(row[f"best_{metric}"]) for row in rows]
    return as_table(columns)


def success_text(row: Mapping[str, Any]) -> str:
    """The successes of a setting, and with which N1 if that does not suffice."""
    enough = row["n1"] == row["smallest_n1"]
    return reached_text(row) + ("" if enough else f" with N1 {row['n1']}")


def milliseconds(seconds: float | None) -> str:
    """A time in milliseconds."""
    return number(None if seconds is None else 1000 * seconds, 3)


def best_cells(result: Result, most: int = 5) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the best members, the best first.

    When the smallest N1 was to be decided, they are those of its width.
    """
    members = result.members
    if is_searched(result.options):
        members = members[members["n1"] == result.best["n1"]]
    order = answer.ranking(members, result.options["optimizer_margin"])[:most]
    folds = ["fold"] if grouping.has_folds(members) else []
    settings = ["member", "n1", "seed", *folds, *grouping.varying_apart(members)]
    outcomes = ["stop_reason", "epochs", *scores(members)]
    rows = [
        [setting_text(name, record[name]) for name in settings]
        + [number(record[name].item()) for name in outcomes]
        for record in members[order]
    ]
    return [name.replace("_", " ") for name in settings + outcomes], rows
