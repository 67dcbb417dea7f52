"""The command line: parse, call the library, print. No numpy here until a command runs."""

import contextlib
import sys
import traceback

import click

from fastnet.cli import look, signals, tools, train, use  # each adds its commands to the group
from fastnet.cli.decorators import explain
from fastnet.cli.echo import echo
from fastnet.cli.group import cli

__all__ = ["cli", "look", "main", "tools", "train", "use"]


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
