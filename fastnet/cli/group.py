"""The group of all commands: help in sections, and the one document of --json."""

from json import dumps

import click

import fastnet
from fastnet.cli.decorators import CONTEXT
from fastnet.cli.echo import echo
from fastnet.cli.help import Command
from fastnet.cli.names import SECTIONS


class Sections(click.Group):
    """A group whose help lists the commands by what they are for."""

    command_class = Command

    def list_commands(self, ctx):
        """The names of the commands, in the order of the sections."""
        return [name for names in SECTIONS.values() for name in names]

    def format_commands(self, ctx, formatter):
        """A list of commands for each section."""
        for title, names in SECTIONS.items():
            with formatter.section(title):
                rows = [(name, self.commands[name].get_short_help_str(60)) for name in names]
                formatter.write_dl(rows)


@click.group(cls=Sections, context_settings=CONTEXT, invoke_without_command=True)
@click.version_option(fastnet.__version__, prog_name="fastnet")
@click.pass_context
def cli(ctx):
    """\b
    Train thousands of one-hidden-layer networks at once on a CPU.

    \b
    Examples:
      fastnet train --task 1
      fastnet sweep --task 1 --n1 1:20 --seeds 20
      fastnet show
    """
    if ctx.invoked_subcommand is None:
        echo(ctx.get_help())


def told(arguments):
    """The options that somebody gave."""
    return {name: value for name, value in arguments.items() if value is not None}


def document(value):
    """The one JSON document of --json."""
    return dumps({"schema_version": 1, **value}, indent=1, allow_nan=False)
