"""The other commands: example, doctor, gradcheck, bench, ui."""

import errno
import os
import re
import shlex
import socket
import sys

import click

import fastnet
from fastnet.cli.decorators import debug_option, force_option, json_option, option, runs_option
from fastnet.cli.echo import echo, program
from fastnet.cli.examples import BENCH_EXAMPLES, EXAMPLE_EXAMPLES
from fastnet.cli.group import cli, document
from fastnet.errors import FastnetError, UsageError
from fastnet.extras import require_module


@cli.command(short_help="Write an example table, or list them.", help=EXAMPLE_EXAMPLES)
@click.argument("name", required=False)
@option("-o", "--out", type=click.Path(), default=".", help="Folder to write to [here].")
@force_option
@json_option
@debug_option
def example(name, out, force, json):
    from fastnet.cli import terminal
    from fastnet.data.examples import EXAMPLES, rows_of

    if name is None:
        rows = rows_of(EXAMPLES)
        echo(document({"examples": rows})) if json else terminal.print_examples(rows)
        return
    paths = [str(path) for path in fastnet.example(name, out, force)]
    target = EXAMPLES[name].target
    if json:
        echo(document({"example": name, "files": paths, "target": target}))
        return
    echo(f"{EXAMPLES[name].help} -> {', '.join(paths)}")
    echo(f"Train on it: fastnet train --data {shlex.quote(paths[0])} --target {target}")


@cli.command()
@json_option
@debug_option
def doctor(json):
    """Show versions, threads, processor and cache, with advice."""
    from fastnet import doctor as examine
    from fastnet.cli import terminal

    facts = examine.examine()
    echo(document(facts)) if json else terminal.print_doctor(facts)


@cli.command()
@option("-v", "--verbose", is_flag=True, help="Show every network, not only those that fail.")
@json_option
@debug_option
def gradcheck(verbose, json):
    """Compare backpropagation with central differences."""
    from fastnet import gradcheck as checks
    from fastnet.cli import terminal

    rows = checks.check_all()
    echo(document({"networks": rows})) if json else terminal.print_gradcheck(rows, verbose)
    sys.exit(0 if all(row["passed"] for row in rows) else 1)


@cli.command(
    short_help="Measure the speed beside other libraries.",
    help=BENCH_EXAMPLES,
    epilog="Needs a checkout; see docs/benchmark.md.",
)
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
@option("--base-path", default="", help="Path under which a proxy serves the page, as /fastnet.")
@debug_option
def ui(runs, port, address, max_upload, no_browser, base_path):
    """Serve the page: train, watch, look back, learn."""
    base_path = base_path.strip("/")
    if not re.fullmatch(r"([\w~-][\w.~-]*(/[\w~-][\w.~-]*)*)?", base_path):
        raise UsageError(f"--base-path must be like /fastnet or /lab/fastnet, got {base_path!r}.")
    for name in ("streamlit", "altair"):
        require_module(name, "the page", "ui")
    refuse_taken(address, port)
    from fastnet.page.look import theme_settings

    settings = {
        "server.address": address,
        "server.port": port,
        "server.maxUploadSize": max_upload,
        "server.baseUrlPath": base_path,
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
    told = {"FASTNET_UI_RUNS": runs, "FASTNET_PROGRAM": program()}
    os.execve(sys.executable, line, {**os.environ, **told})


def refuse_taken(address, port):
    """Refuse a port on which another program listens, such as a page that is still open."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        socket.create_server((address, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise FastnetError(
                f"--port {port} is in use, perhaps by a page that is still open; name another one."
            ) from None
