"""The command line: parse, call the library, print. No numpy here until a command runs."""

import contextlib
import os
import sys
import traceback
from functools import partial
from json import dumps

import click

import fastnet
from fastnet.cli import signals
from fastnet.cli.decorators import (
    CONTEXT,
    Names,
    Shares,
    debug_option,
    explain,
    force_option,
    interval_option,
    json_option,
    member_options,
    members_option,
    model_argument,
    model_options,
    option,
    own_data_option,
    rule_options,
    run_options,
    runs_option,
    table_options,
)
from fastnet.cli.echo import Printed, echo
from fastnet.cli.examples import (
    BENCH_EXAMPLES,
    EPILOG,
    EVALUATE_EXAMPLES,
    EXPLAIN_EXAMPLES,
    EXPORT_EXAMPLES,
    INSPECT_EXAMPLES,
    PLOT_EXAMPLES,
    PREDICT_EXAMPLES,
    REPORT_EXAMPLES,
    SMALLEST_EXAMPLES,
    SWEEP_EXAMPLES,
    TRAIN_EXAMPLES,
)
from fastnet.errors import FastnetError, UsageError
from fastnet.extras import require_module
from fastnet.options.methods import STOPS
from fastnet.options.table import EXPORTS, FORMULAS, QUANTIZED

# ---------------------------------------------------------------- commands


@click.group(context_settings=CONTEXT, invoke_without_command=True)
@click.version_option(fastnet.__version__, prog_name="fastnet")
@click.pass_context
def cli(ctx):
    """\b
    Train thousands of one-hidden-layer networks at once on a CPU.

    \b
    Examples:
      fastnet train --task 1
      fastnet sweep --task 1 --n1 1:20 --seeds 20
      fastnet show runs/task1-20260101-120000
    """
    if ctx.invoked_subcommand is None:
        echo(ctx.get_help())


@cli.command(help=TRAIN_EXAMPLES, epilog=EPILOG)
@run_options
@table_options("train")
def train(**arguments):
    run("train", **arguments)


@cli.command(help=SWEEP_EXAMPLES, epilog=EPILOG)
@run_options
@table_options("sweep")
def sweep(**arguments):
    run("sweep", **arguments)


@cli.command(help=SMALLEST_EXAMPLES, epilog=EPILOG)
@run_options
@table_options("smallest")
def smallest(**arguments):
    run("smallest", **arguments)


def run(command, dry_run, require_target, json, quiet, **arguments):
    """train, sweep, smallest: call the library, print, choose the exit code."""
    arguments = told(arguments)
    check_source(arguments, dry_run)
    from fastnet import api
    from fastnet.cli import terminal
    from fastnet.results import words

    if "task" in arguments:
        arguments["task"] = int(arguments["task"])
    if dry_run:
        given = {name: value for name, value in arguments.items() if name not in ("out", "force")}
        plan = api.dry_run(command, **given)
        echo(document(plan) if json else words.plan_text(plan))
        return
    with terminal.Display(quiet) as display:
        result = trained(command, progress=display, **arguments)
    code, last_line = ending(result, require_target)
    with signals.without_terminal():
        if json:
            echo(document(result.summary()))
        elif not quiet:
            terminal.print_result(result, display.told)
        if last_line:
            echo(last_line, err=True)
    sys.exit(code)


def told(arguments):
    """The options that somebody gave."""
    return {name: value for name, value in arguments.items() if value is not None}


def check_source(arguments, dry_run):
    """Refuse a run without data, and options that contradict --resume."""
    if not {"resume", "task", "data"} & set(arguments):
        raise UsageError(
            "nothing to train on: give --task 1, --task 2, or --data FILE --target COLUMN (or "
            "--resume DIR)."
        )
    if "resume" in arguments:
        if "task" in arguments or "out" in arguments:
            raise UsageError("--resume takes task and folder from the run; drop --task and --out.")
        if dry_run:
            raise UsageError("--dry-run says what a new run would train; drop it or --resume.")


def trained(command, progress, resume=None, out=None, **arguments):
    """The Result of a new run, in its own folder, or of a resumed one."""
    from fastnet import api

    if resume is not None:
        return api.resume(resume, progress=progress, **arguments)
    if out is None:
        task = arguments.get("task")
        name = f"task{task}" if task else stem(arguments["data"])
        out = partial(api.default_folder, name)  # another run may take the same name first
    new_run = {"train": api.train, "sweep": api.sweep, "smallest": api.smallest}[command]
    return new_run(out=out, progress=progress, **arguments)


def stem(path):
    """The name of a run on a file."""
    return "data" if path == "-" else os.path.splitext(os.path.basename(path))[0]


def document(value):
    """The one JSON document of --json."""
    return dumps({"schema_version": 1, **value}, indent=1, allow_nan=False)


def resume_line(result):
    """The command line that continues an interrupted run."""
    from fastnet.results.words import how_to_resume

    return how_to_resume(result.command, result.task, result.options["data"], result.run)


def ending(result, require_target):
    """The exit code, and the last line on stderr or None.

    130 (143, 129) interrupted, 5 all diverged, 4 target required and not reached, else 0.
    """
    reasons = result.members["stop_reason"]
    if result.status == "interrupted":
        line = f"Interrupted; state saved. Continue with:\n  {resume_line(result)}"
        return signals.exit_code(), line
    if (reasons == "diverged").all():
        return 5, f"Error: all members {STOPS['diverged'].tip}."
    if require_target and not (reasons == "target").any():
        return 4, "Error: no member reached its target (--require-target)."
    if require_target and result.command == "smallest" and result.summary()["smallest_n1"] is None:
        return 4, "Error: no N1 is decided to be sufficient (--require-target)."
    return 0, None


@cli.command(
    short_help="Look at a table before training: what is in it, what is wrong.",
    help=INSPECT_EXAMPLES,
)
@click.argument("data", type=click.Path(), metavar="FILE")
@table_options("inspect")
@json_option
@debug_option
def inspect(data, json, **given):
    from fastnet import api
    from fastnet.cli import inspection

    found = api.inspect(data, **given)
    echo(document(found)) if json else inspection.show(found)


@cli.command()
@runs_option
@json_option
@debug_option
def ls(runs, json):
    """List the runs in a folder, the newest last."""
    from fastnet.cli import terminal
    from fastnet.results.reading import list_runs

    if not os.path.isdir(runs):
        raise FastnetError(
            f"--runs: there is no folder {runs}; `fastnet train --task 1` makes one."
        )
    found = list_runs(runs)
    echo(document({"runs": found})) if json else terminal.print_runs(found)


@cli.command("show")
@click.argument("run", type=click.Path())
@member_options
@json_option
@debug_option
def show_command(run, member, n1, json):
    """Show a finished run: the answer, the best members, the files; or one member of it."""
    from fastnet import api
    from fastnet.cli import terminal
    from fastnet.results.result import member_dict

    result = api.load(run)
    if member is None and n1 is None:
        value = result.summary()
    else:
        member = result.chosen(member, n1)
        value = member_dict(result.members[member])
    if json:
        echo(document(value))
    elif member is None:
        terminal.print_result(result)
    else:
        terminal.print_member(result, member)


@cli.command(
    short_help="Draw a figure of a run, or list those that apply.",
    help=PLOT_EXAMPLES,
)
@click.argument("run", type=click.Path())
@option("--figure", help="Name of the figure to draw.")
@option("-o", "--out", type=click.Path(), help="File to write: .png, .svg or .html [FIGURE.png].")
@option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@member_options
@force_option
@json_option
@debug_option
def plot(run, figure, out, theme, member, n1, force, json):
    from fastnet import figures, files
    from fastnet.cli import terminal

    subject = figures.subject(run, member, n1)
    if figure is None:
        rows = [{"figure": f.name, "help": f.help} for f in figures.applying(subject)]
        echo(document({"run": run, "figures": rows})) if json else terminal.print_figures(rows)
        return
    out = out or f"{figure}.png"
    files.refuse_existing(out, force)
    chart = figures.chart(figure, subject, theme=theme)
    figures.save(chart, out)
    echo(document({"run": run, "figure": figure, "file": out}) if json else out)


@cli.command(help=EXPORT_EXAMPLES)
@click.argument("model", type=click.Path(), metavar="RUN_OR_MODEL")
@option("--to", type=click.Choice(EXPORTS), required=True, help="Format to write.")
@option(
    "-o", "--out", type=click.Path(), help="File or folder to write [named after the run, here]."
)
@option("--force", is_flag=True, help="Replace an existing file or folder.")
@option("--fold", is_flag=True, help="Write the scaling into the weights.")
@option(
    "--input-dtype",
    type=click.Choice(["auto", "float32", "float64"]),
    default="auto",
    help="Type of the inputs in C and ONNX; auto = float64 where float32 is too coarse.",
)
@option(
    "--inputs",
    type=click.Choice(["columns", "matrix"]),
    help="Inputs of an ONNX graph: one per column, with texts for categories, or a matrix of "
    "numbers [columns, if there are categories].",
)
@option(
    "--quantize",
    type=click.Choice(QUANTIZED),
    help="Write C in integers alone, with weights of so many bits.",
)
@option("--language", type=click.Choice(FORMULAS), help="Language of --to formula [python].")
@member_options
@members_option
@interval_option
@json_option
@debug_option
def export(model, to, out, member, n1, members, json, **asked):
    from fastnet import export as exports
    from fastnet.cli import terminal

    chosen = network_of(model, member, n1, members, asked["interval"] is not None)
    path = out or exports.default_path(model, to, asked["language"])
    lines = [chosen.line.rstrip("."), *exports.about(model, chosen.member)] if chosen.line else []
    rows = exports.rows_of(model) if asked["quantize"] else None
    done = exports.write(chosen.model, to, path, about=lines, rows=rows, **asked)
    done["member"] = chosen.member
    line = f"{chosen.line} It is written as one network." if members else chosen.line
    echo(document(done)) if json else terminal.print_export(done, line)


@cli.command(help=PREDICT_EXAMPLES)
@model_options
@option(
    "-o", "--out", type=click.Path(), help="File to write: .csv, .tsv, .jsonl, .parquet [stdout]."
)
@option(
    "--format",
    "form",
    type=click.Choice(["csv", "json-lines"]),
    help="Format of what goes to stdout [csv].",
)
@option(
    "--safe-csv", is_flag=True, help="Write ' before texts that a spreadsheet takes for a formula."
)
@force_option
@option(
    "--keep",
    type=Names(),
    default=(),
    metavar="COL,...",
    help="Columns to write before the predictions, such as an id.",
)
@option("--proba", is_flag=True, help="Also write the probability of each class.")
@rule_options
@members_option
@option("--std", is_flag=True, help="Also write how far the members of an ensemble differ.")
@option(
    "--quantiles",
    type=Shares(),
    default=(),
    metavar="NUM,...",
    help="Also write these quantiles of the predictions of an ensemble's members.",
)
@interval_option
@option("--quiet", is_flag=True, help="Do not say what was written.")
@table_options("predict")
@debug_option
def predict(model, data, member, n1, members, out, form, safe_csv, force, quiet, **asked):
    from fastnet.data import writing
    from fastnet.results.predictions import Predictions

    output = writing.checked_output(out, form, force, safe_csv)
    chosen = network_of(model, member, n1, members, asked["interval"] is not None)
    found = Predictions(chosen.model, data, **told(asked))
    with unread_pipe():
        rows = writing.write_frames(found, output, Printed.of(sys.stdout))
    if not quiet:
        for notice in filter(None, (chosen.line, *found.notices())):
            echo(notice, err=True)
        echo(f"{rows:,} row{'s' * (rows != 1)} -> {out or 'standard output'}", err=True)


def network_of(model, member=None, n1=None, members=None, calibrate=False):
    """The Choice of one network, or of the ensemble of some members of a run."""
    from fastnet.results.choosing import Choice, choose
    from fastnet.results.ensemble import load_calibrated, load_ensemble

    if members is None:
        chosen = choose(model, member, n1)
        other = calibrate and (member, n1) != (None, None) and chosen.model.calibration is None
        return chosen._replace(model=load_calibrated(model, chosen.member)) if other else chosen
    for name, value in {"member": member, "n1": n1}.items():
        if value is not None:
            raise UsageError(
                f"--{name} {value} is one network, --members {members} are several; drop one."
            )
    ensemble = load_ensemble(model, members, calibrate)
    return Choice(ensemble, line=ensemble.words())


@contextlib.contextmanager
def unread_pipe():
    """End with code 141, without a word, when the program that reads stdout has ended."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        sys.exit(141)


@cli.command(help=EVALUATE_EXAMPLES)
@model_argument
@own_data_option
@member_options
@members_option
@rule_options
@interval_option
@option("--weights", help="Column of sample weights.")
@table_options("evaluate")
@json_option
@debug_option
def evaluate(model, data, member, n1, members, weights, interval, json, **asked):
    from fastnet.cli import terminal
    from fastnet.results.ensemble import evaluate_sets
    from fastnet.results.predictions import compare

    if data is None:
        refuse_without_data(weights=weights, **asked)
    chosen = network_of(model, member, n1, members, interval is not None)
    models = {"model": chosen.model, **({"best": network_of(model).model} if members else {})}
    own = {"model": model, "member": chosen.member, "data": data}
    if data is None:
        found = {**own, "sets": evaluate_sets(model, models, interval)}
        echo(document(found)) if json else terminal.print_sets(found["sets"], chosen)
        return
    found = compare(models, data, weights, **told(asked), interval=interval)
    found = {**own, **found.pop("model"), **found}
    echo(document(found)) if json else terminal.print_evaluation(found, chosen)


def refuse_without_data(**given):
    """Refuse options of a table where the rows are those of the run."""
    for name in told(given):
        raise UsageError(f"--{name.replace('_', '-')} belongs to a table; give --data as well.")


@cli.command(
    "explain",
    short_help="Say which columns a network looks at.",
    help=EXPLAIN_EXAMPLES,
)
@click.argument("model", type=click.Path(), metavar="RUN_OR_MODEL")
@option("--data", type=click.Path(), help="Table with targets [the run's own rows].")
@member_options
@option("--repeats", default=10, show_default=True, help="Shuffles of each column.")
@option("--seed", default=0, show_default=True, help="Seed of the shuffles.")
@option(
    "--curves",
    default=4,
    show_default=True,
    help="Columns whose partial dependence is computed, the most important first.",
)
@option("-o", "--out", type=click.Path(), help="File to write: .html with figures, or .json.")
@force_option
@json_option
@debug_option
def explain_command(model, out, force, json, **given):
    from fastnet import api, files, report
    from fastnet.cli import terminal

    if out is not None:
        report.refuse_ending(out)
        files.refuse_existing(out, force)
    found = {"model": model, "data": given["data"], **api.explain(model, **given)}
    if out is not None and out.endswith(".json"):
        files.write_output(out, lambda file: file.write(f"{document(found)}\n".encode()))
    elif out is not None:
        files.write_bytes(out, report.explanation(found))
    echo(document(found)) if json else terminal.print_explanation(found, out)


@cli.command(
    "report",
    short_help="Write a run's report: one HTML file.",
    help=REPORT_EXAMPLES,
)
@click.argument("run", type=click.Path())
@option("-o", "--out", type=click.Path(), default="report.html", show_default=True)
@option("--derivation", is_flag=True, help="Append the derivation of the gradients.")
@force_option
@json_option
@debug_option
def report_command(run, out, derivation, force, json):
    from fastnet import api, files, report

    files.refuse_existing(out, force)
    report.save(api.load(run), out, derivation)
    echo(document({"run": run, "file": out}) if json else out)


@cli.command()
@json_option
@debug_option
def doctor(json):
    """Show versions, threads, SIMD, BLAS and the kernel cache, with advice."""
    from fastnet import doctor as examine
    from fastnet.cli import terminal

    facts = examine.examine()
    echo(document(facts)) if json else terminal.print_doctor(facts)


@cli.command()
@json_option
@debug_option
def gradcheck(json):
    """Compare backpropagation with central differences, float64, for every loss."""
    from fastnet import gradcheck as checks
    from fastnet.cli import terminal

    rows = checks.check_all()
    echo(document({"networks": rows})) if json else terminal.print_gradcheck(rows)
    sys.exit(0 if all(row["passed"] for row in rows) else 1)


@cli.command(help=BENCH_EXAMPLES, epilog="Needs a checkout; see docs/benchmark.md.")
@option(
    "--workload",
    "workloads",
    multiple=True,
    help="Workloads: task1-sweep, task2-sweep, minibatch, tiny, grid10000, estimator, answer, "
    "scale [all].",
)
@option("--peers", multiple=True, help="Names of peers, separated by commas [all].")
@option(
    "--runs", type=click.IntRange(1), default=5, help="Number of runs of each peer, in turn [5]."
)
@option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    default="float32",
    help="Floating-point type [float32].",
)
@option("--threads", type=click.IntRange(1), help="Number of cores to use [all].")
@option("--full", "size", flag_value="full", help="Run the whole workloads, which takes hours.")
@option("--smoke", "size", flag_value="smoke", help="Run tiny sizes, to try the bench itself.")
@option(
    "--out",
    type=click.Path(),
    help="File to write the JSON document to as well, or a folder: one file per workload.",
)
@option("--chart", type=click.Path(), help="File to draw the speeds in: .svg or .png.")
@json_option
@option("--quiet", is_flag=True, help="Print no progress.")
@debug_option
def bench(out, chart, json, quiet, size, **given):
    from fastnet import files

    command, report = bench_modules()
    report.check_files(out, chart)
    say = (lambda text: None) if quiet else (lambda text: echo(text, err=True))
    folder = bool(out) and os.path.isdir(out)

    def save(found, path):
        files.write_output(path, lambda file: file.write(f"{document(found)}\n".encode()))

    def finished(name, part):
        if folder:  # at once: the other workloads take an hour
            save(part, os.path.join(out, f"{name}.json"))

    found = command.run(**given, size=size or "default", say=say, finished=finished)
    if out and not folder:
        save(found, out)
    if chart:
        report.save_chart(found, chart)
    echo(document(found)) if json else report.print_document(found)
    sys.exit(6 if found["failures"] else 0)


def bench_modules():
    """bench.command and bench.report of the checkout that contains this package."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(fastnet.__file__)))
    if not os.path.isfile(os.path.join(root, "bench", "command.py")):
        raise FastnetError(
            "bench needs a checkout of the source, which this installation is not; "
            "run scripts/fastnet bench there."
        )
    if root not in sys.path:
        sys.path.insert(0, root)
    from bench import command, report

    return command, report


@cli.command()
@runs_option
@option(
    "--port",
    default=8501,
    show_default=True,
    type=click.IntRange(1, 65535),
    help="Port to listen on.",
)
@option("--address", default="localhost", show_default=True, help="Address to listen on.")
@option(
    "--max-upload",
    default=200,
    show_default=True,
    type=click.IntRange(1),
    help="Largest table to upload, in MB.",
)
@option("--no-browser", is_flag=True, help="Do not open a browser.")
@debug_option
def ui(runs, port, address, max_upload, no_browser):
    """Serve the page: start runs and watch them, look back, learn backpropagation."""
    for name in ("streamlit", "altair"):
        require_module(name, "the page", "ui")
    from fastnet.page.look import theme_settings

    settings = {
        "server.address": address,
        "server.port": port,
        "server.maxUploadSize": max_upload,
        "server.headless": "true" if no_browser else "false",
        "server.showEmailPrompt": "false",  # Streamlit would wait for an answer before it serves
        "server.fileWatcherType": "none",  # meant for developers: it watches all sources
        "runner.postScriptGC": "false",  # a full collection every 2 s took 8 % of a core
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
        **theme_settings(),
    }
    script = os.path.join(os.path.dirname(fastnet.__file__), "page", "app.py")
    line = [sys.executable, "-m", "streamlit", "run", script]
    line += [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    os.execve(sys.executable, line, {**os.environ, "FASTNET_UI_RUNS": runs})


def main():
    """The entry point: every error becomes one line and its exit code."""
    settings = {}
    with signals.handled():
        try:
            cli.main(standalone_mode=False, obj=settings)
        except (click.ClickException, click.Abort, KeyboardInterrupt, Exception) as error:
            message, code = explain(error, settings.get("resumes"))
            with contextlib.suppress(OSError), signals.without_terminal():
                if settings.get("debug"):
                    traceback.print_exc()
                echo(f"Error: {message}", err=True)
            sys.exit(code)
