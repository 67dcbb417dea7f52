"""Progress of a run on stderr, while it trains."""

import contextlib
import time

from rich.live import Live
from rich.text import Text

from fastnet.cli import signals
from fastnet.cli.echo import echo
from fastnet.cli.terminal import console
from fastnet.native import cache
from fastnet.native.versions import reason_for_plain
from fastnet.results.words import plan_text, progress_line, seconds

NAMED = 4  # kernels named in one line, at most


def compiling(kernels):
    """The line that says what kernels are compiled for, and what is unusual about it."""
    named = ", ".join(kernels[:NAMED])
    more = len(kernels) - NAMED
    named += f" and {more} more" if more > 0 else ""
    when = "once for each choice of methods; later runs take them from a cache"
    if cache.folder() is None:
        when = "no cache folder can be written, so every run does it: see fastnet doctor"
    reason = reason_for_plain()
    slower = f"; without shortcuts, three times as long, because {reason}" if reason else ""
    return f"Compiling the kernels for {named} ({when}{slower}) ..."


class Clock:
    """A line with the seconds since it was first shown."""

    def __init__(self, line):
        self.line, self.began = line, time.perf_counter()

    def __rich__(self):
        return Text(f"{self.line} {seconds(time.perf_counter() - self.began)}")


class Display:
    """Progress on stderr: one live line on a terminal; else lines at 1, 2, 4, ... seconds."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.console = console(stderr=True)
        self.live = None
        self.due = 1.0
        self.told = ()  # the notices that were shown

    def say(self, text):
        if text and not self.quiet:
            with contextlib.suppress(OSError):  # a run does not end because stderr is closed
                echo(text, err=True)

    def __call__(self, where):
        """Show where a run is; True if a signal asks it to end."""
        signals.received.can_save = where.stage in ("ready", "train")
        if signals.received.number is None and not self.quiet:
            with contextlib.suppress(OSError):
                self.show(where)
        return signals.received.number is not None

    def show(self, where):
        if where.plan is not None:
            self.say(plan_text(where.plan))
            self.told = where.plan["notices"]
        if where.stage == "compile":
            self.compile(compiling(where.compiling))
        if where.stage == "ready":
            self.stop()
            self.say(f"Kernels ready in {seconds(where.seconds)}.")
        if where.stage != "train":
            return
        line = progress_line(where)
        if self.console.is_terminal:
            self.show_live(Text(line))
        elif where.seconds >= self.due or where.running == 0:
            self.say(line)
            while self.due <= where.seconds:
                self.due *= 2

    def compile(self, line):
        """Say what is compiled; on a terminal a clock runs meanwhile."""
        if self.console.is_terminal:
            self.show_live(Clock(line))
        else:
            self.say(line)

    def show_live(self, text):
        """Show a text in the live line."""
        if self.live is None:
            self.live = Live(console=self.console, refresh_per_second=4, transient=True)
            self.live.start()
        self.live.update(text)

    def stop(self):
        """End the live line, which hides the cursor."""
        if self.live is not None:
            with contextlib.suppress(OSError):
                self.live.stop()
            self.live = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.stop()
