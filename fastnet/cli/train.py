"""The commands that train: train, sweep, smallest."""

import os
import sys
from functools import partial

import click
from click.core import ParameterSource

from fastnet.cli import signals
from fastnet.cli.decorators import run_options, table_options
from fastnet.cli.echo import echo
from fastnet.cli.examples import EPILOG, SMALLEST_EXAMPLES, SWEEP_EXAMPLES, TRAIN_EXAMPLES
from fastnet.cli.group import cli, document, told
from fastnet.errors import UsageError
from fastnet.options.methods import STOPS
from fastnet.options.rules import RESUMABLE


@cli.command(short_help="Find one network, save its weights.", help=TRAIN_EXAMPLES, epilog=EPILOG)
@run_options
@table_options("train")
def train(**arguments):
    run("train", **arguments)


@cli.command(
    short_help="Train many settings; say how small N1 can be.", help=SWEEP_EXAMPLES, epilog=EPILOG
)
@run_options
@table_options("sweep")
def sweep(**arguments):
    run("sweep", **arguments)


@cli.command(
    short_help="Decide the smallest N1, with as many seeds as it takes.",
    help=SMALLEST_EXAMPLES,
    epilog=EPILOG,
)
@run_options
@table_options("smallest")
def smallest(**arguments):
    run("smallest", **arguments)


def run(command, dry_run, require_target, json, quiet, reuse, **arguments):
    """train, sweep, smallest: call the library, print, choose the exit code."""
    arguments = told({**arguments, "reuse": reuse or None})
    if "resume" in arguments:
        arguments = without_environment(arguments, quiet)
    check_source(arguments, dry_run)
    from fastnet import api
    from fastnet.cli import terminal
    from fastnet.cli.display import Display
    from fastnet.results import words

    if "task" in arguments:
        arguments["task"] = int(arguments["task"])
    if dry_run:
        given = {name: value for name, value in arguments.items() if name not in ("out", "force")}
        plan = api.dry_run(command, **given)
        echo(document(plan) if json else words.plan_text(plan))
        return
    with Display(quiet) as display:
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


def without_environment(arguments, quiet):
    """The arguments of a resumed run without those of environment variables that are meant for new
    runs: it has its own, and they would keep every run with others from going on."""
    ctx = click.get_current_context()
    mine = {"resume", "force", *RESUMABLE}
    for name in [*arguments]:
        of_environment = ctx.get_parameter_source(name) is ParameterSource.ENVIRONMENT
        if of_environment and name not in mine:
            del arguments[name]
            if not quiet:
                variable = f"{ctx.auto_envvar_prefix}_{name.upper()}"
                echo(f"{variable} is for new runs: a resumed run keeps its options.", err=True)
    return arguments


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
