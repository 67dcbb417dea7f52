"""The command line."""

from fastnet.cli.commands import cli, main

__all__ = ["cli", "main"]
