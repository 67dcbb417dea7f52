"""The command line: parse, call the library, print. No numpy here until a command runs."""

import os
import sys
import traceback
from json import dumps

import click
from click.core import ParameterSource

import fastnet
from fastnet.errors import FastnetError, UsageError
from fastnet.extras import missing_extra
from fastnet.options import table

TRAIN_EXAMPLES = """\b
Find one network that reaches the target loss, and save its weights.

\b
Examples:
  fastnet train --task 1
  fastnet train --task 1 --n1 6 --seeds 10 --learning-rate 0.4
  fastnet train --task 1 --function humps --n1 8:24:4 --max-epochs 20000
  fastnet train --task 2 --out runs/digits --json
  fastnet train --data houses.csv --target price --test-fraction 0.2
"""
SWEEP_EXAMPLES = """\b
Train every combination of widths, seeds and settings; answer how small N1 can be.

\b
Examples:
  fastnet sweep --task 1
  fastnet sweep --task 1 --n1 1:20 --seeds 50 --target-loss 1e-3
  fastnet sweep --task 1 --n1 4,8 --learning-rate 0.1..1@5 --clip-norm 1,none
  fastnet sweep --task 2 --n1 8,16,32 --dry-run
  fastnet sweep --data flowers.csv --target species --validation-fraction 0.2 --n1 2,4,8
"""
PREDICT_EXAMPLES = """\b
Predict the targets of a table; its columns go by name, in any order.

\b
Examples:
  fastnet predict runs/houses-20260101-120000 --data new.csv -o prices.csv
  fastnet predict runs/flowers/model.npz --data new.parquet --proba
  fastnet predict runs/houses --data - < new.csv
"""
EVALUATE_EXAMPLES = """\b
Say how good the predictions for a table with known targets are.

\b
Examples:
  fastnet evaluate runs/houses-20260101-120000 --data test.csv
  fastnet evaluate runs/flowers/model.npz --data test.csv --json
"""
EXPORT_EXAMPLES = """\b
Write a trained model for another program: scaling, forward pass and class labels.

\b
npy    a folder of W1.npy b1.npy W2.npy b2.npy and model.json
onnx   an ONNX graph
c      one C99 header, without dependencies or allocation
numpy  one Python file that needs NumPy alone

\b
Examples:
  fastnet export runs/task1-20260101-120000 --to c -o sine.h
  fastnet export runs/digits --to onnx --member 3
  fastnet export runs/digits/model.npz --to numpy --json
"""


EPILOG = "In brackets the default; the tasks have some of their own, see docs/options.md."


# ---------------------------------------------------------------- options from the table


class Value(click.ParamType):
    """A value of a row of the options table, from its text."""

    def __init__(self, option):
        self.option = option
        self.name = {"int": "integer", "float": "number"}.get(option.kind, option.kind)

    def convert(self, value, param, ctx):
        label = label_of(self.option, param, ctx)
        if isinstance(value, list):  # from a configuration file
            value = ",".join(str(v) for v in value) + ("," if len(value) == 1 else "")
            value = value if self.option.name == "seeds" else value.rstrip(",")
        paired = bool(ctx.params.get("zip"))
        return table.parse(self.option.name, str(value), label, paired)

    def get_metavar(self, param, ctx=None):
        if self.option.choices:
            return "|".join(self.option.choices)
        kinds = {"int": "INT", "float": "NUM", "path": "FILE", "names": "COL,..."}
        return kinds.get(self.option.kind, "TEXT") + (",..." if self.option.axis else "")


def label_of(option, param, ctx):
    """What messages call an option: where its value comes from."""
    source = ctx.get_parameter_source(param.name)
    if source is ParameterSource.ENVIRONMENT:
        return f"{ctx.auto_envvar_prefix}_{param.name.upper()}"
    return f"--config: {option.name}" if source is ParameterSource.DEFAULT_MAP else option.flag


def default_text(option):
    """The default as help shows it."""
    value = option.default[0] if option.axis else option.default
    unsaid = ("stop", "loss", "threads", "record", "features")
    if option.kind in ("flag", "path") or option.name in unsaid:
        return ""
    if option.kind == "names":
        value = None
    value = {"seeds": "0,"}.get(option.name, "none" if value is None else value)
    return f" [{value:g}]" if isinstance(value, float) else f" [{value}]"


def table_options(command):
    """A decorator that gives a command its rows of the options table."""

    def add(function):
        for option in reversed(table.TABLE):
            if command not in option.commands:
                continue
            text = option.help + default_text(option)
            if option.kind == "flag":
                # Eager: whether lists are paired is known before they are read.
                extra = {"is_flag": True, "default": None, "is_eager": True}
            else:
                extra = {"type": Value(option), "default": None}
            function = click.option(option.flag, option.name, help=text, **extra)(function)
        return function

    return add


def read_config(ctx, param, path):
    """--config: a TOML file of option names; the command line and the environment win."""
    if path is None:
        return
    try:
        import tomllib
    except ModuleNotFoundError:  # Python 3.10
        import tomli as tomllib
    try:
        with open(path, "rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise UsageError(f"--config: {path} cannot be read ({error.strerror}).") from None
    except ValueError as error:  # not TOML, or not UTF-8
        raise UsageError(f"--config: {path} is not TOML: {error}.") from None
    values = {name.replace("-", "_"): value for name, value in values.items()}
    known = {p.name for p in ctx.command.params}
    for name in values:
        if name not in known:
            raise UsageError(f"--config: {path} names the option {name!r}, which there is not.")
    ctx.default_map = values


def run_options(function):
    """The options of train and sweep that are not in the table."""
    for option in reversed(
        (
            click.option("--task", type=click.Choice(["1", "2"]), help="Built-in task."),
            click.option("--out", type=click.Path(), help="Run folder [runs/<task>-<time>]."),
            click.option("--force", is_flag=True, help="Replace the run folder at --out."),
            click.option("--resume", type=click.Path(), help="Continue the run in this folder."),
            click.option(
                "--config",
                type=click.Path(),
                is_eager=True,
                callback=read_config,
                expose_value=False,
                help="TOML file of options.",
            ),
            click.option("--dry-run", is_flag=True, help="Say what would be trained, and end."),
            click.option(
                "--require-target",
                is_flag=True,
                help="Exit code 4 when no member reaches its target.",
            ),
            json_option,
            click.option("--quiet", is_flag=True, help="No progress, no summary."),
            debug_option,
        )
    ):
        function = option(function)
    return function


json_option = click.option("--json", is_flag=True, help="One JSON document on stdout.")
force_option = click.option("--force", is_flag=True, help="Replace the file that is there.")
debug_option = click.option(
    "--debug",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, param, value: ctx.ensure_object(dict).update(debug=value),
    help="Show the traceback of an error.",
)


# ---------------------------------------------------------------- commands


@click.group(
    context_settings={
        "auto_envvar_prefix": "FASTNET",
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
    },
    invoke_without_command=True,
)
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
        click.echo(ctx.get_help())


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


def run(command, task, out, force, resume, dry_run, require_target, json, quiet, **given):
    """train and sweep: call the library, print, choose the exit code."""
    given = {name: value for name, value in given.items() if value is not None}
    if resume is None and task is None and "data" not in given:
        raise UsageError(
            "nothing to train on: give --task 1, --task 2, or --data FILE --target COLUMN (or "
            "--resume DIR)."
        )
    from fastnet import api
    from fastnet.cli import terminal as show
    from fastnet.results import words

    display = show.Display(quiet)
    if resume is not None:
        if task is not None or out is not None:
            raise UsageError("--resume takes task and folder from the run; drop --task and --out.")
        if dry_run:
            raise UsageError("--dry-run says what a new run would train; drop it or --resume.")
        with display:
            result = api.resume(resume, force=force, progress=display, **given)
    else:
        task = None if task is None else int(task)
        if dry_run:
            plan = api.dry_run(command, task=task, **given)
            click.echo(document(plan) if json else words.plan_text(plan))
            return
        folder = out or api.default_folder(f"task{task}" if task else stem(given["data"]))
        with display:
            result = api.run(command, task=task, out=folder, force=force, progress=display, **given)
    if json:
        click.echo(document(result.summary()))
    elif not quiet:
        show.print_result(result)
    sys.exit(exit_code(result, require_target))


def stem(path):
    """The name of a run on a file."""
    return "data" if path == "-" else os.path.splitext(os.path.basename(path))[0]


def document(value):
    """The one JSON document of --json."""
    return dumps({"schema_version": 1, **value}, indent=1, allow_nan=False)


def exit_code(result, require_target):
    """130 interrupted, 5 all diverged, 4 target required and not reached, else 0."""
    reasons = result.members["stop_reason"]
    if result.status == "interrupted":
        click.echo(
            f"Interrupted; state saved. Continue with:\n"
            f"  fastnet {result.command} --resume {result.run}",
            err=True,
        )
        return 130
    if (reasons == "diverged").all():
        click.echo(
            "Error: all members diverged; try a lower --learning-rate or --clip-norm 1.", err=True
        )
        return 5
    if require_target and not (reasons == "target").any():
        click.echo("Error: no member reached its target loss (--require-target).", err=True)
        return 4
    return 0


@cli.command()
@click.option("--runs", default="runs", show_default=True, help="The folder of runs.")
@json_option
@debug_option
def ls(runs, json):
    """List the runs in a folder, the newest last."""
    from fastnet.cli import terminal as show
    from fastnet.results import folder as store

    if not os.path.isdir(runs):
        raise FastnetError(
            f"--runs: there is no folder {runs}; `fastnet train --task 1` makes one."
        )
    found = store.runs(runs)
    click.echo(document({"runs": found})) if json else show.print_runs(found)


@cli.command("show")
@click.argument("run", type=click.Path())
@click.option("--member", type=int, help="Show this member's settings, history and weights.")
@json_option
@debug_option
def show_command(run, member, json):
    """Show a finished run: the answer, the best members, the files."""
    from fastnet import api
    from fastnet.cli import terminal as show
    from fastnet.results import result as records

    result = api.load(run)
    if member is None:
        value = result.summary()
    else:
        result.history(member)  # refuses a number there is not
        value = records.member_dict(result.members[member])
    if json:
        click.echo(document(value))
    elif member is None:
        show.print_result(result)
    else:
        show.print_member(result, member)


@cli.command(
    short_help="Draw a figure of a run, or list those that apply.",
    help="""\b
Draw a figure of a run as PNG, SVG or HTML; without --figure list those that apply.

\b
Examples:
  fastnet plot runs/task1-20260101-120000
  fastnet plot runs/task1-20260101-120000 --figure loss-curves
  fastnet plot runs/task1-20260101-120000 --figure fit -o fit.html --theme dark
""",
)
@click.argument("run", type=click.Path())
@click.option("--figure", help="The figure's name.")
@click.option("-o", "--out", type=click.Path(), help="The file: .png, .svg or .html [FIGURE.png].")
@click.option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@force_option
@json_option
@debug_option
def plot(run, figure, out, theme, force, json):
    from fastnet import figures, files
    from fastnet.cli import terminal as show

    subject = figures.subject(run)
    if figure is None:
        rows = [{"figure": f.name, "help": f.help} for f in figures.applying(subject)]
        click.echo(document({"run": run, "figures": rows})) if json else show.print_figures(rows)
        return
    out = out or f"{figure}.png"
    files.refuse_existing(out, force)
    chart = figures.chart(figure, subject, theme=theme)
    figures.save(chart, out)
    click.echo(document({"run": run, "figure": figure, "file": out}) if json else out)


@cli.command(help=EXPORT_EXAMPLES)
@click.argument("model", type=click.Path(), metavar="RUN_OR_MODEL")
@click.option("--to", type=click.Choice(table.EXPORTS), required=True, help="What to write.")
@click.option("-o", "--out", type=click.Path(), help="Where [a name from the run, here].")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option("--member", type=int, help="This member of the run, not its best.")
@json_option
@debug_option
def export(model, to, out, force, member, json):
    from fastnet.cli import terminal as show
    from fastnet.export import files as exports
    from fastnet.results import folder as store

    found = store.open_model(model, member)
    done = exports.write(found, to, out or exports.default_path(model, to), force)
    click.echo(document(done)) if json else show.print_export(done)


def model_options(function):
    """What the commands that use a model on a table have in common."""
    for option in reversed(
        (
            click.argument("model", type=click.Path(), metavar="RUN_OR_MODEL"),
            click.option(
                "--data",
                required=True,
                type=click.Path(),
                help="A table: .csv, .tsv, .parquet, .npz, .npy or -.",
            ),
            click.option("--member", type=int, help="This member of the run, not its best."),
        )
    ):
        function = option(function)
    return function


@cli.command(help=PREDICT_EXAMPLES)
@model_options
@click.option("-o", "--out", type=click.Path(), help="A .csv, .tsv or .parquet file [stdout].")
@force_option
@click.option("--proba", is_flag=True, help="Also the probability of each class.")
@debug_option
def predict(model, data, member, out, force, proba):
    from fastnet import api
    from fastnet.data import tables
    from fastnet.results import folder as store

    write = tables.writer(out, force)
    write(api.predict(store.open_model(model, member), data, proba), out)


@cli.command(help=EVALUATE_EXAMPLES)
@model_options
@click.option("--weights", help="Column of sample weights.")
@json_option
@debug_option
def evaluate(model, data, member, weights, json):
    from fastnet import api
    from fastnet.cli import terminal as show
    from fastnet.results import folder as store

    found = api.evaluate(store.open_model(model, member), data, weights)
    found = {"model": model, "data": data, **found}
    click.echo(document(found)) if json else show.print_evaluation(found)


@cli.command(
    "report",
    short_help="Write a run's report: one HTML file.",
    help="""\b
Write a run's report: one HTML file with the answer, tables, figures and how to repeat it.

\b
Examples:
  fastnet report runs/task1-20260101-120000
  fastnet report runs/task1-20260101-120000 -o lesson.html --derivation
""",
)
@click.argument("run", type=click.Path())
@click.option("-o", "--out", type=click.Path(), default="report.html", show_default=True)
@click.option("--derivation", is_flag=True, help="Append the derivation of the gradients.")
@force_option
@json_option
@debug_option
def report_command(run, out, derivation, force, json):
    from fastnet import api, files, report

    files.refuse_existing(out, force)
    report.save(api.load(run), out, derivation)
    click.echo(document({"run": run, "file": out}) if json else out)


@cli.command()
@json_option
@debug_option
def doctor(json):
    """Tell versions, threads, SIMD, BLAS and the kernel cache, with advice."""
    from fastnet import doctor as examine
    from fastnet.cli import terminal as show

    facts = examine.examine()
    click.echo(document(facts)) if json else show.print_doctor(facts)


@cli.command()
@json_option
@debug_option
def gradcheck(json):
    """Compare backpropagation with central differences, float64, for both losses."""
    from fastnet import gradcheck as checks
    from fastnet.cli import terminal as show

    rows = checks.check_all()
    click.echo(document({"networks": rows})) if json else show.print_gradcheck(rows)
    sys.exit(0 if all(row["passed"] for row in rows) else 1)


BENCH_EXAMPLES = """\b
Measure fastnet against the NumPy reference and its peers, losses compared first.

\b
Examples:
  fastnet bench
  fastnet bench --workload tiny --peers numpy-reference,sklearn
  fastnet bench --workload minibatch --full --out minibatch.json --chart minibatch.svg
"""


@cli.command(help=BENCH_EXAMPLES, epilog="Needs a checkout; see docs/benchmark.md.")
@click.option(
    "--workload",
    "workloads",
    multiple=True,
    help="task1-sweep, task2-sweep, minibatch, tiny, grid10000, answer, scale [all].",
)
@click.option("--peers", multiple=True, help="Names, with commas between them [all].")
@click.option("--runs", type=click.IntRange(1), default=5, help="Runs of each, in turn [5].")
@click.option(
    "--dtype", type=click.Choice(["float32", "float64"]), default="float32", help="[float32]"
)
@click.option("--threads", type=click.IntRange(1), help="Cores to use [all].")
@click.option("--full", "size", flag_value="full", help="Whole workloads: takes hours.")
@click.option("--smoke", "size", flag_value="smoke", help="Tiny sizes: tries the bench itself.")
@click.option("--out", type=click.Path(), help="Write the JSON document there, too.")
@click.option("--chart", type=click.Path(), help="Draw the speeds, .svg or .png.")
@json_option
@click.option("--quiet", is_flag=True, help="No progress.")
@debug_option
def bench(out, chart, json, quiet, size, **given):
    command, report = bench_modules()
    report.check_files(out, chart)
    say = (lambda text: None) if quiet else (lambda text: click.echo(text, err=True))
    found = command.finite(command.run(**given, size=size or "default", say=say))
    text = document(found)
    if out:
        with open(out, "w") as file:
            file.write(text + "\n")
    if chart:
        report.save_chart(found, chart)
    click.echo(text) if json else report.print_document(found)
    sys.exit(6 if found["failures"] else 0)


def bench_modules():
    """bench.command and bench.report of the checkout that this package lies in."""
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
@click.option("--runs", default="runs", show_default=True, help="The folder of runs.")
@click.option("--port", default=8501, show_default=True, help="Port to listen on.")
@click.option("--address", default="localhost", show_default=True, help="Address to listen on.")
@click.option(
    "--max-upload",
    default=200,
    show_default=True,
    type=click.IntRange(1),
    help="Largest table to upload, in MB.",
)
@click.option("--no-browser", is_flag=True, help="Open no browser.")
@debug_option
def ui(runs, port, address, max_upload, no_browser):
    """Serve the page: start runs and watch them, look back, learn backpropagation."""
    from importlib.util import find_spec

    if find_spec("streamlit") is None or find_spec("altair") is None:
        raise missing_extra("the page needs streamlit", "ui")
    settings = {
        "server.address": address,
        "server.port": port,
        "server.maxUploadSize": max_upload,
        "server.headless": "true" if no_browser else "false",
        "server.showEmailPrompt": "false",  # it would wait for an answer before it serves
        "server.fileWatcherType": "none",  # that of developers: it looks at all sources
        "runner.postScriptGC": "false",  # a full collection every 2 s took 8 % of a core
        "browser.gatherUsageStats": "false",
        "client.toolbarMode": "viewer",
    }
    script = os.path.join(os.path.dirname(fastnet.__file__), "page", "app.py")
    line = [sys.executable, "-m", "streamlit", "run", script]
    line += [part for name, value in settings.items() for part in (f"--{name}", str(value))]
    os.execve(sys.executable, line, {**os.environ, "FASTNET_UI_RUNS": runs})


def main():
    """The entry point: every error becomes one line and its exit code."""
    settings = {}
    try:
        cli.main(standalone_mode=False, obj=settings)
    except (FastnetError, click.ClickException, click.Abort, KeyboardInterrupt, Exception) as error:
        if settings.get("debug"):
            traceback.print_exc()
        message, code = explain(error)
        click.echo(f"Error: {message}", err=True)
        sys.exit(code)


def explain(error):
    """One line and the exit code for an exception."""
    if isinstance(error, FastnetError):
        return str(error), error.exit_code
    if isinstance(error, click.ClickException):
        return " ".join(error.format_message().split()), error.exit_code
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return "interrupted at once; a run folder keeps its last checkpoint for --resume.", 130
    if isinstance(error, MemoryError):
        return "out of memory; train fewer members (--n1, --seeds) or use --keep best.", 1
    return f"{type(error).__name__}: {error} (--debug shows where).", 1
