"""Print text that may hold a user's names and labels: nothing in it controls the terminal."""

import os
import re
import shlex
import shutil
import sys

import click

from fastnet.cli.names import COMMANDS

# Control characters, among them ESC; line and paragraph separators, changes of the direction of
# writing, and halves of surrogate pairs, which cannot be encoded.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text, keep="\n\t"):
    """The text with control characters as escapes, such as \\x1b, except those to keep.

    Examples
    --------
    >>> printable("red\\x1b[31m")
    'red\\\\x1b[31m'
    """
    return CONTROL.sub(lambda match: escaped(match[0], keep), text)


def escaped(character, keep):
    """A control character as an escape, or itself if it is to be kept."""
    return character if character in keep else character.encode("unicode_escape").decode()


def cell(value):
    """A value as one cell of a table: line breaks are escapes, too."""
    return printable(str(value), keep="")


def program():
    """The words that call this program again, as somebody called it.

    scripts/fastnet says in FASTNET_PROGRAM how it was called itself.
    """
    called = sys.argv[0]
    if told := os.environ.get("FASTNET_PROGRAM"):
        return told
    if called.endswith(os.path.join("fastnet", "__main__.py")):
        return "python -m fastnet"
    if os.path.basename(called) != "fastnet" or shutil.which("fastnet") == shutil.which(called):
        return "fastnet"
    return shlex.quote(called)


def as_called(text):
    """The text with the program in its command lines as somebody called it."""
    if "fastnet " not in text or (name := program()) == "fastnet":
        return text
    return re.sub(rf"(?<![\w/.-])fastnet(?= ({COMMANDS})\b)", lambda match: name, text)


def echo(text, err=False):
    """Print a text and a line break to stdout or stderr."""
    click.echo(printable(as_called(text)), err=err)


class Printed:
    """A text stream to a terminal that what is written cannot control."""

    def __init__(self, stream):
        self.stream = stream

    @classmethod
    def of(cls, stream):
        """The stream itself, if it is no terminal: what reads it wants the data as they are."""
        return cls(stream) if stream.isatty() else stream

    def write(self, text):
        return self.stream.write(printable(text))

    def flush(self):
        self.stream.flush()
