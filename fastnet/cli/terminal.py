"""What commands print: tables and summaries."""

import sys
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from fastnet.cli.echo import cell, echo
from fastnet.errors import UsageError
from fastnet.options.table import OPTIONS
from fastnet.options.targets import UNITS, has_target
from fastnet.results import answer, explained, variance
from fastnet.results.again import refit_command
from fastnet.results.verdict import JUDGES, judge
from fastnet.results.words import (
    METRICS,
    MOST_CLASSES,
    MOST_SETTINGS,
    answer_line,
    baseline_line,
    best_cells,
    best_line,
    by_n1_cells,
    by_setting_cells,
    class_cells,
    counted,
    folds_line,
    interval_line,
    metric_cells,
    number,
    parts_of,
    refit_line,
    seconds,
    setting_text,
    threshold_line,
)
from fastnet.training.plan import SETTING_COLUMNS


def console(stderr=False):
    """A console for tables: off a terminal it wraps nothing, and it reads no markup in texts."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 1000
    return Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


WIDTH = 80  # columns of a terminal that tables by N1 fit
# The columns of a table by N1 that are left out of a narrow terminal, in this order.
FIRST_TO_GO = (
    "test loss",
    "test accuracy",
    "fold sd accuracy",
    "fold mean accuracy",
    *(f"best {unit}" for unit in ("loss", *(row.words for row in UNITS.values()))),
    "seconds",
    "epochs",
    "val accuracy",
    "median loss",
)


class Grid(Table):
    """A plain table with numbers aligned to the right; a user's text in it stays one cell."""

    def __init__(self, *headers):
        super().__init__(box=None, pad_edge=False, header_style="bold")
        for header in headers:
            self.add_column(cell(header), justify="right", no_wrap=True)

    def add_row(self, *values):
        super().add_row(*map(cell, values))


# ---------------------------------------------------------------- results


def print_result(result, told=(), again=True):
    """A run for people: the answer, tables, notices not yet told, files, what to do next.

    `again` says whether to name the command that shows it again.
    """
    out = console()
    if result.command != "train":
        print_table(out, *fitted(*by_n1_cells(result), max(WIDTH, out.width * out.is_terminal)))
        echo("\n" + answer.sentence(result.members, result.options) + "\n")
        print_settings(out, result)
    echo(best_line(result))
    if line := answer_line(result):
        echo(line)
    if result.folds:
        echo(f"{folds_line(result)}\n{refit_line(result)}\n  {refit_command(result)}")
    if result.task is None and result.metrics:
        print_metrics(out, result)
    if result.command != "train":
        print_table(out, *best_cells(result))
    targets = has_target(result.options)
    reached = (result.members["stop_reason"] == "target").any()
    if result.command == "train" and targets and not reached:
        echo(f"No member reached its target. {answer.advice(result.members, result.options)}")
    reasons, counts = np.unique(result.members["stop_reason"], return_counts=True)
    stops = ", ".join(f"{reason} {count}" for reason, count in zip(reasons, counts, strict=True))
    times = result.seconds
    echo(
        f"Stop reasons: {stops}. Compile {seconds(times['compile'])}, "
        f"train {seconds(times['train'])}, in all {seconds(times['total'])}."
    )
    for notice in result.notices:
        if notice not in told:
            echo(notice)
    print_files(result, again)


def fitted(header, rows, width):
    """Header and rows of a table without its least important columns, so that it fits."""
    header, columns = list(header), [list(column) for column in zip(*rows)]

    def needed():
        widths = [max(map(len, (title, *cells))) for title, cells in zip(header, columns)]
        return sum(widths) + 2 * (len(widths) - 1)

    for title in FIRST_TO_GO:
        if title in header and needed() > width:
            columns.pop(header.index(title))
            header.remove(title)
    return header, list(zip(*columns))


def print_settings(out, result):
    """The settings side by side, if axes besides N1 and seed have several values."""
    rows = result.by_setting()
    if rows:
        print_table(out, *by_setting_cells(result, rows[:MOST_SETTINGS]))
    if len(rows) > MOST_SETTINGS:
        echo(f"The first {MOST_SETTINGS} of {len(rows):,} settings; all: --json.")
    if told := variance.sentence(result.members, result.options):
        echo(f"\n{told}")
    if rows or told:
        echo("")


def print_metrics(out, result):
    """The metrics of the best member on each set, in the units of the targets."""
    print_table(out, *metric_cells(result.metrics, result.targets), names=True)
    judging = result.metrics[judge(result.metrics)]
    echo(baseline_line(judging))
    if parts_of(judging)[1]:
        echo(f"\nOn the {JUDGES[judge(result.metrics)]} rows:")
        print_table(out, *class_cells(judging), names=True)
    if result.thresholds is not None:
        echo(threshold_line(result))


def print_evaluation(found, chosen):
    """The metrics of an evaluation and, for classes, those of each and the confusion matrix."""
    out, metrics, targets = console(), found["metrics"], chosen.model.targets
    if chosen.line:
        echo(chosen.line)
    echo(f"{counted(found['rows'], 'row')}, loss {number(found['loss'])}")
    beside = {"best member": found["best"]["metrics"]} if "best" in found else {}
    who = "ensemble" if beside else "model"
    print_table(out, *metric_cells({who: metrics, **beside}, targets), names=True)
    echo(baseline_line(metrics))
    if "interval" in found:
        echo(interval_line(found["interval"]))
        if beside:
            echo(f"Best member: {interval_line(found['best']['interval'])}")
    kind, each = parts_of(metrics)
    if each:
        echo("")
        print_table(out, *class_cells(metrics), names=True)
    if len(each) > MOST_CLASSES:
        kinds = "classes" if kind == "class" else "labels"
        echo(f"The {MOST_CLASSES} most frequent of {len(each)} {kinds}; all: --json.")
    if "confusion" not in found or len(each) > MOST_CLASSES:
        return
    echo("\nConfusion: one row per true class, one column per predicted class.")
    labels = found["classes"]
    rows = [[label, *counts] for label, counts in zip(labels, found["confusion"])]
    print_table(out, ["", *labels], rows, names=True)


def print_sets(sets, chosen):
    """The metrics on each set of a run's rows; beside an ensemble those of the best member."""
    out, targets = console(), chosen.model.targets
    if chosen.line:
        echo(chosen.line)
    both = "best" in next(iter(sets.values()))
    names = {"model": "Ensemble", "best": "Best member"} if both else {"model": ""}
    for who, title in names.items():
        echo(f"\n{title}:" if title else "")
        print_table(
            out, *metric_cells({n: s[who]["metrics"] for n, s in sets.items()}, targets), True
        )
        for name, found in sets.items():
            if "interval" in found[who]:
                echo(f"{name}: {interval_line(found[who]['interval'])}")
    last = list(sets.values())[-1]
    echo(baseline_line(last["model"]["metrics"]))


def print_explanation(found, written=None):
    """The tables of an explanation, and what is remarkable about it."""
    out = console()
    for notice in found["notices"]:
        echo(notice)
    echo(explained.importance_line(found))
    print_table(out, *explained.importance_cells(found), names=True)
    echo(f"\n{explained.sensitivity_line(found)}")
    print_table(out, *explained.sensitivity_cells(found), names=True)
    rest = explained.rest_line(found)
    if rest:
        echo(rest)
    if written:
        echo(f"\n{written}")


def print_table(out, header, rows, names=False):
    """A table on a console; `names` says that its first column has names, not numbers."""
    table = Grid(*header)
    if names:
        table.columns[0].justify = "left"
    for row in rows:
        table.add_row(*row)
    out.print(table)


def print_files(result, again=True):
    """Where the files are and what to do next."""
    if result.run is None:
        return
    run = Path(result.run)
    if (run / "best").is_dir():
        shapes = [f"{n}.npy {a.shape}" for n, a in result.weights()._asdict().items()]
        whose = f"member {result.best_member}" if len(result.members) > 1 else "the network"
        echo(f"Weights and biases of {whose} in {run / 'best'}: {', '.join(shapes)}")
    if result.status == "done":
        if again:
            echo(f"Show it again: fastnet show {run}")
        if result.command == "train" and result.task:
            command = "smallest --task 1" if result.task == 1 else f"sweep --task {result.task}"
            echo(f"How small a network suffices, and how sure: fastnet {command}")


def print_member(result, member):
    """One member: settings, course and weights."""
    record = result.members[member]
    for name in filter(partial(matters, record), record.dtype.names):
        show = setting_text if name in SETTING_COLUMNS else lambda _, value: number(value.item(), 6)
        echo(f"{name:20} {show(name, record[name]) or '-'}")
    entries = result.history(member)._asdict()
    shown = {name: column for name, column in entries.items() if not np.isnan(column).all()}
    last = len(shown["epoch"]) - 1
    echo(f"\nHistory, {last + 1} entries:")
    table = Grid(*(name.replace("_", " ") for name in shown))
    for i in sorted({0, *(2**p for p in range(30)), last} & set(range(last + 1))):
        table.add_row(*(number(column[i].item(), 6) for column in shown.values()))
    console().print(table)
    try:
        weights = result.weights(member)
    except UsageError:
        echo(f"\nIts weights were not kept (--keep {result.options['keep']}).")
        return
    with np.printoptions(precision=4, threshold=40):
        for name, array in weights._asdict().items():
            echo(f"\n{name} {array.shape}\n{array}")


def matters(record, name):
    """Whether a member's method uses a column of its record; all use those that are no option."""
    row = OPTIONS.get(name)
    if row is None or not row.users:
        return True
    chooser, values = row.users
    return chooser not in record.dtype.names or record[chooser] in values


def print_runs(found):
    """One line per run."""
    if not found:
        echo("No runs yet; fastnet train --task 1 makes one.")
        return
    table = Grid("run", "command", "members", "status", "best N1", "seed", "loss", "smallest N1")
    table.columns[0].justify = "left"
    for facts in found:
        best = facts["best"] or {}
        cells = (
            facts["command"],
            facts["members"],
            facts["status"],
            best.get("n1"),
            best.get("seed"),
            answer.monitored_of(best),
            smallest_text(facts),
        )
        table.add_row(facts["run"], *(number(value) for value in cells))
    console().print(table)


def smallest_text(facts):
    """The smallest N1 of a run in a list, with its share of the best where no target decided."""
    if facts["within"]:
        return f"{facts['within']['n1']}, within {100 * facts['within']['within']:g} %"
    return facts["smallest_n1"]


def print_figures(rows):
    """The figures that apply to a run."""
    table = Grid("figure", "what it shows")
    for column in table.columns:
        column.justify = "left"
    for row in rows:
        table.add_row(row["figure"], row["help"])
    console().print(table)


def print_examples(rows):
    """The example tables."""
    table = Grid("example", "target", "what it is")
    for column in table.columns:
        column.justify = "left"
    for row in rows:
        table.add_row(row["example"], row["target"], row["help"])
    console().print(table)


def print_doctor(facts):
    """The facts of fastnet doctor, then the advice."""
    for name, value in facts.items():
        if name != "advice":
            echo(f"{name:18} {value}")
    echo("")
    for line in facts["advice"] or ["No problems found."]:
        echo(line)


def print_gradcheck(rows, verbose=False):
    """One row per network, of those that failed or of all, then how many are right."""
    arrays = ("W1", "b1", "W2", "b2")
    table = Grid("loss", "activation", "d", "N1", "k", *arrays, "")
    for row in (row for row in rows if verbose or not row["passed"]):
        cells = [row["loss"], row["activation"], *(str(row[n]) for n in ("d", "n1", "k"))]
        cells += [f"{row[name]:.1e}" for name in arrays]
        table.add_row(*cells, "ok" if row["passed"] else "FAILED")
    if table.row_count:
        console().print(table)
    failed = sum(not row["passed"] for row in rows)
    echo(
        f"{len(rows) - failed} of {len(rows)} within the tolerance {rows[0]['tolerance']:g}: "
        "norm(analytic - numeric) / norm(numeric)"
    )


# ---------------------------------------------------------------- exports


def print_export(done, line):
    """The files of an export, which network it is, and what it takes."""
    if line:
        echo(line)
    for path, size in done["files"].items():
        echo(f"{path}  {size:,} bytes")
    echo(
        f"{counted(done['parameters'], 'parameter')} ({done['dtype']}), "
        f"{done['constant_bytes']:,} bytes with scaling; a prediction takes "
        f"{counted(done['multiply_adds'], 'multiply-add')} and "
        f"{done['working_bytes']:,} bytes of memory."
    )
    if done["to"] in ("c", "onnx"):
        echo(rounding_line(done["input_dtype"], done["rounding_error"]))
    if done["inputs_are_cut"]:
        echo("Inputs are cut at x_least and x_most, which are part of the export.")
    if done["quantized"]:
        print_table(console(), *quantized_cells(done["quantized"]), names=True)


def rounding_line(dtype, error):
    """What the type of the inputs does to predictions for rows of the data."""
    if not error:
        return f"Inputs are {dtype}, which holds the rows of the data exactly."
    size = f"{error:.1g} of their size at most"
    return f"Inputs are {dtype}, which changes predictions for rows of the data by {size}."


def quantized_cells(rows):
    """Header and rows of the table of size and accuracy in floating point and in integers."""
    measure = next((name for name in ("accuracy", "rmse") if name in rows[0]), None)
    header = ["weights", "bytes in flash", "bytes on stack", "multiply-adds"]
    names = ["constant_bytes", "working_bytes", "multiply_adds"]
    cells = [[row["kind"], *(f"{row[name]:,}" for name in names)] for row in rows]
    if measure:
        header.append(METRICS[measure])
        cells = [[*line, number(row[measure])] for line, row in zip(cells, rows)]
    return header, cells
