"""What people read on a terminal: progress, tables, summaries."""

import sys
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fastnet import answer
from fastnet.errors import UsageError
from fastnet.plan import SETTING_COLUMNS, shown

METRICS = {
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R2",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "log_loss": "log loss",
}


def console(stderr=False):
    """A console for tables; off a terminal it wraps nothing."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 1000)


def grid(*headers):
    """A plain table, numbers to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, justify="right", no_wrap=True)
    return table


def number(value, digits=4):
    """A number for people; - where there is none."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return "-"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def counted(count, thing):
    """2 inputs, 1 input."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def setting(name, value):
    """A setting for people: none where it is off."""
    value = shown(name, value)
    return "none" if value is None else number(value, 6)


def seconds(value):
    """A time for people."""
    if value is None:
        return "-"
    if value < 1:
        return f"{1000 * value:.3g} ms"
    return f"{value:.1f} s" if value < 120 else f"{value / 60:.1f} min"


# ---------------------------------------------------------------- progress


class Display:
    """Progress on stderr: one live line on a terminal; else lines at 1, 2, 4, ... seconds."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.console = console(stderr=True)
        self.live = None
        self.due = 1.0

    def say(self, text):
        if text and not self.quiet:
            click.echo(text, err=True)

    def __call__(self, where):
        if self.quiet:
            return
        if where.plan is not None:
            self.say(plan_text(where.plan))
        if where.stage == "compile":
            self.say("Compiling the kernels (first run; later runs take them from a cache) ...")
        if where.stage == "ready":
            self.say(f"Kernels ready in {seconds(where.seconds)}.")
        if where.stage != "train":
            return
        line = progress_line(where)
        if self.console.is_terminal:
            if self.live is None:
                self.live = Live(console=self.console, refresh_per_second=4, transient=True)
                self.live.start()
            self.live.update(Text(line))
        elif where.seconds >= self.due or where.running == 0:
            self.say(line)
            while self.due <= where.seconds:
                self.due *= 2

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.live is not None:  # also after an error: it hides the cursor
            self.live.stop()


def progress_line(where):
    """One line on where a run stands."""
    best = ""
    if where.best_loss is not None:
        best = f", best {where.best_loss:.4g} (N1 {where.best_n1}, seed {where.best_seed})"
    rate = where.member_epochs / where.seconds if where.seconds else 0.0
    left = f", at most {seconds(where.remaining)} left" if where.running else ""
    done = where.members - where.running
    return (
        f"epoch {where.epoch}: {where.running} running, {done} done, {where.reached} reached, "
        f"{where.diverged} diverged{best}; {rate:,.0f} member-epochs/s, "
        f"{seconds(where.seconds)}{left}"
    )


def plan_text(plan):
    """What is going to be trained, before it is."""
    n1 = plan["n1"]
    widths = ",".join(map(str, n1)) if len(n1) <= 12 else f"{n1[0]} to {n1[-1]} ({len(n1)} widths)"
    text = (
        f"{plan['description']}; {counted(plan['samples'], 'training sample')}, "
        f"{counted(plan['inputs'], 'input')}, {counted(plan['outputs'], 'output')}\n"
        f"{counted(plan['members'], 'member')}: N1 {widths}; {plan['parameters']:,} parameters, at "
        f"most {plan['memory_bytes'] / 1e6:,.1f} MB of memory, {plan['disk_bytes'] / 1e6:,.1f} MB "
        "on disk"
    )
    for notice in plan["notices"]:
        text += f"\n{notice}"
    if plan.get("seconds") is not None:
        text += f"\nat most {seconds(plan['seconds'])} on {counted(plan['threads'], 'thread')}"
    return text


# ---------------------------------------------------------------- results


def scores(members):
    """The scores that a run has, losses first."""
    names = [
        f"{part}_{score}" for score in ("loss", "accuracy") for part in ("train", "val", "test")
    ]
    return [name for name in names if np.isfinite(members[name]).any()]


def best_line(result):
    """The best member in one sentence."""
    best = result.best
    values = ", ".join(f"{s.replace('_', ' ')} {best[s]:.4g}" for s in scores(result.members))
    verb = {
        "target": f"reached the target loss {best['target_loss']:g}",
        "diverged": "diverged",
    }.get(str(best["stop_reason"]), "is the best member")
    return (
        f"N1 = {best['n1']} (seed {best['seed']}, member {best['member']}) {verb}: {values}; "
        f"{best['epochs']} epochs, {seconds(float(best['seconds']))}."
    )


def print_result(result):
    """A run for people: the answer, tables, files, what to do next."""
    out = console()
    if result.command == "sweep":
        print_table(out, *by_n1_cells(result))
        click.echo("\n" + answer.sentence(result.members, result.options) + "\n")
    click.echo(best_line(result))
    if result.task is None and result.metrics:
        print_metrics(out, result)
    if result.command == "sweep":
        print_table(out, *best_cells(result))
    targets = np.isfinite(result.members["target_loss"]).any()
    reached = (result.members["stop_reason"] == "target").any()
    if result.command == "train" and targets and not reached:
        click.echo(f"No member reached its target. {answer.advice(result.members)}")
    reasons, counts = np.unique(result.members["stop_reason"], return_counts=True)
    stops = ", ".join(f"{reason} {count}" for reason, count in zip(reasons, counts, strict=True))
    times = result.seconds
    click.echo(
        f"Stop reasons: {stops}. Compile {seconds(times['compile'])}, "
        f"train {seconds(times['train'])}, in all {seconds(times['total'])}."
    )
    print_files(result)


def print_metrics(out, result):
    """The metrics of the best member on each set, in the units of the targets."""
    sets = {name: found for name, found in result.metrics.items() if found is not None}
    names = list(metric_rows(sets["train"], result.targets)[0][1])
    table = grid("set", "target", *(METRICS[name] for name in names))
    for part, found in sets.items():
        for target, values in metric_rows(found, result.targets):
            table.add_row(part, target, *(number(values[name]) for name in names))
    out.print(table)


def metric_rows(found, targets):
    """The metrics of each target, those of the whole first."""
    whole = {name: value for name, value in found.items() if name != "targets"}
    return [(", ".join(targets), whole), *found.get("targets", {}).items()]


def print_evaluation(found):
    """The metrics of an evaluation and, for classes, the confusion matrix."""
    out = console()
    click.echo(f"{counted(found['rows'], 'row')}, loss {number(found['loss'])}")
    for target, values in metric_rows(found["metrics"], ["all"]):
        scores = ", ".join(f"{METRICS[name]} {number(value)}" for name, value in values.items())
        click.echo(f"{scores}" if target == "all" else f"{target}: {scores}")
    if "confusion" not in found:
        return
    labels = [str(label) for label in found["classes"]]
    click.echo("\nConfusion: a row for the true class, a column for the predicted one.")
    table = grid("", *labels)
    for label, counts in zip(labels, found["confusion"]):
        table.add_row(label, *(str(count) for count in counts))
    out.print(table)


def print_table(out, header, rows):
    """A table on a console."""
    table = grid(*header)
    for row in rows:
        table.add_row(*row)
    out.print(table)


def by_n1_cells(result):
    """Header and rows of the table by N1."""
    rows = result.by_n1()
    extra = [
        n
        for n in ("median_test_loss", "median_val_accuracy", "median_test_accuracy")
        if any(row[n] is not None for row in rows)
    ]
    header = "N1,members,reached,success,95 %,best loss,median loss,epochs,seconds".split(",")
    header += [n.replace("median_", "").replace("_", " ") for n in extra]
    settings = any(row["setting"] for row in rows)
    table = []
    for row in rows:
        rate = row["success_rate"]
        interval = "-" if rate is None else f"{row['success_low']:.2f} to {row['success_high']:.2f}"
        cells = [
            number(row["n1"]),
            number(row["members"]),
            number(row["reached"]),
            "-" if rate is None else f"{rate:.2f}",
            interval,
            number(row["best_loss"]),
            number(row["median_loss"]),
            number(row["median_epochs"]),
            number(row["median_seconds"], 3),
            *(number(row[n]) for n in extra),
        ]
        if settings:
            cells.append(", ".join(f"{k} {setting(k, v)}" for k, v in row["setting"].items()))
        table.append(cells)
    return [*header, *(["setting"] if settings else [])], table


def best_cells(result, most=5):
    """Header and rows of the best members: the lowest monitored loss first."""
    members = result.members
    order = np.argsort(np.nan_to_num(answer.monitored(members), nan=np.inf), kind="stable")[:most]
    settings = ["member", "n1", "seed", *answer.varying(members)]
    outcomes = ["stop_reason", "epochs", *scores(members)]
    rows = [
        [setting(name, record[name]) for name in settings]
        + [number(record[name].item()) for name in outcomes]
        for record in members[order]
    ]
    return [name.replace("_", " ") for name in settings + outcomes], rows


def print_files(result):
    """Where the files are and what to do next."""
    if result.run is None:
        return
    run = Path(result.run)
    if (run / "best").is_dir():
        shapes = [f"{n}.npy {a.shape}" for n, a in result.weights()._asdict().items()]
        click.echo(f"Weights and biases of the best member in {run / 'best'}: {', '.join(shapes)}")
    if result.status == "done":
        click.echo(f"Look again: fastnet show {run}")
        if result.command == "train" and result.task:
            task = f"--task {result.task}"
            click.echo(f"How small a network suffices, and how sure: fastnet sweep {task}")


def print_member(result, member):
    """One member: settings, course and weights."""
    record = result.members[member]
    for name in record.dtype.names:
        show = setting if name in SETTING_COLUMNS else lambda _, value: number(value.item(), 6)
        click.echo(f"{name:20} {show(name, record[name]) or '-'}")
    entries = result.history(member)
    click.echo(f"\n{len(entries.epoch)} entries of the history:")
    table = grid(*(name.replace("_", " ") for name in entries._fields))
    last = len(entries.epoch) - 1
    for i in sorted({0, *(2**p for p in range(30)), last} & set(range(last + 1))):
        table.add_row(*(number(column[i].item(), 6) for column in entries))
    console().print(table)
    try:
        weights = result.weights(member)
    except UsageError:
        click.echo(f"\nIts weights were not kept (--keep {result.options['keep']}).")
        return
    with np.printoptions(precision=4, threshold=40):
        for name, array in weights._asdict().items():
            click.echo(f"\n{name} {array.shape}\n{array}")


def print_runs(found):
    """A line a run."""
    if not found:
        click.echo("No runs yet; fastnet train --task 1 makes one.")
        return
    table = grid("run", "command", "members", "status", "best N1", "seed", "loss", "smallest N1")
    table.columns[0].justify = "left"
    for facts in found:
        best = facts["best"] or {}
        loss = best.get("val_loss") if best.get("val_loss") is not None else best.get("train_loss")
        cells = (
            facts["command"],
            facts["members"],
            facts["status"],
            best.get("n1"),
            best.get("seed"),
            loss,
            facts.get("smallest_n1"),
        )
        table.add_row(facts["run"], *(number(cell) for cell in cells))
    console().print(table)


def print_figures(rows):
    """The figures that apply to a run."""
    table = grid("figure", "what it shows")
    for column in table.columns:
        column.justify = "left"
    for row in rows:
        table.add_row(row["figure"], row["help"])
    console().print(table)


def print_doctor(facts):
    """The facts of fastnet doctor, then the advice."""
    for name, value in facts.items():
        if name != "advice":
            click.echo(f"{name:18} {value}")
    click.echo("")
    for line in facts["advice"] or ["Nothing to mend."]:
        click.echo(line)


def print_gradcheck(rows):
    """A row per network: the relative difference of each array."""
    arrays = ("W1", "b1", "W2", "b2")
    table = grid("loss", "activation", "d", "N1", "k", *arrays, "")
    for row in rows:
        cells = [row["loss"], row["activation"], *(str(row[n]) for n in ("d", "n1", "k"))]
        cells += [f"{row[name]:.1e}" for name in arrays]
        table.add_row(*cells, "ok" if row["passed"] else "FAILED")
    console().print(table)
    failed = sum(not row["passed"] for row in rows)
    click.echo(
        f"{len(rows) - failed} of {len(rows)} within the tolerance {rows[0]['tolerance']:g}: "
        "norm(analytic - numeric) / norm(numeric)"
    )


# ---------------------------------------------------------------- exports


def print_export(done):
    """The files of an export, and what the network takes."""
    for path, size in done["files"].items():
        click.echo(f"{path}  {size:,} bytes")
    click.echo(
        f"{counted(done['parameters'], 'parameter')} ({done['dtype']}), "
        f"{done['constant_bytes']:,} bytes with scaling; a prediction takes "
        f"{counted(done['multiply_adds'], 'multiply-add')} and "
        f"{done['working_bytes']:,} bytes of memory."
    )
