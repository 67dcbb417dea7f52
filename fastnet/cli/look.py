"""The commands that look at tables and runs: inspect, ls, show, plot, report."""

import os

import click

from fastnet.cli.decorators import (
    debug_option,
    force_option,
    json_option,
    member_options,
    option,
    run_argument,
    runs_option,
    table_options,
)
from fastnet.cli.echo import echo
from fastnet.cli.examples import INSPECT_EXAMPLES, PLOT_EXAMPLES, REPORT_EXAMPLES, SHOW_EXAMPLES
from fastnet.cli.group import cli, document
from fastnet.errors import FastnetError, UsageError


@cli.command(
    short_help="Look at a table: what is in it, what is wrong.",
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


@cli.command("show", short_help="Show a run: answer, best members, files.", help=SHOW_EXAMPLES)
@run_argument
@member_options
@json_option
@debug_option
def show_command(run, member, n1, json):
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
        terminal.print_result(result, again=False)
    else:
        terminal.print_member(result, member)


@cli.command(
    short_help="Draw a figure, or list those that apply.",
    help=PLOT_EXAMPLES,
)
@run_argument
@option("--figure", help="Name of the figure to draw.")
@option("--all", "every", is_flag=True, help="Draw all that apply, as PNG.")
@option(
    "-o",
    "--out",
    type=click.Path(),
    help="File to write: .png, .svg or .html [FIGURE.png]; with --all a folder [RUN-figures].",
)
@option("--theme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@member_options
@force_option
@json_option
@debug_option
def plot(run, figure, every, out, theme, member, n1, force, json):
    from fastnet import figures, files
    from fastnet.cli import terminal

    if every and figure is not None:
        raise UsageError(f"--all draws every figure; leave out --figure {figure} or --all.")
    subject = figures.subject(run, member, n1)
    if every:
        plot_all(run, subject, out, theme, force, json)
        return
    if figure is None:
        rows = [{"figure": f.name, "help": f.help} for f in figures.applying(subject)]
        if not (isinstance(subject, dict) or figures.playback.obstacle(subject)):
            rows.append({"figure": "playback", "help": figures.playback.HELP})
        echo(document({"run": run, "figures": rows})) if json else terminal.print_figures(rows)
        return
    is_film = figure == "playback" and not isinstance(subject, dict)
    out = out or f"{figure}.{'html' if is_film else 'png'}"
    files.refuse_existing(out, force)
    if is_film:
        figures.playback.save(subject, out, theme)
    else:
        figures.save(figures.chart(figure, subject, theme=theme), out)
    echo(document({"run": run, "figure": figure, "file": out}) if json else out)


def plot_all(run, subject, out, theme, force, json):
    """Draw every figure that applies into a folder; name each file as soon as it is there."""
    from fastnet import figures, files

    out = out or f"{os.path.basename(os.path.realpath(run))}-figures"
    files.refuse_existing(out, force, "folder")
    written = []
    for path in figures.save_all(subject, out, theme):
        written.append(str(path))
        if not json:
            echo(written[-1])
    if json:
        echo(document({"run": run, "files": written}))


@cli.command(
    "report",
    short_help="Write a run's report: one HTML file.",
    help=REPORT_EXAMPLES,
)
@run_argument
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
