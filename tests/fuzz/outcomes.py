"""What a case may end in: a result, or one line and an exit code; anything else is a fault."""

import contextlib
import io
import json
import os
import signal
import sys
import warnings

from fastnet.cli import commands
from fastnet.errors import FastnetError

SECONDS = 30  # of a case; longer is taken for a hang
CODES = {0: "result", 1: "error", 2: "usage", 3: "bad data", 4: "no target", 5: "all diverged"}


class Fault(AssertionError):
    """A case that ends in a puzzle."""


@contextlib.contextmanager
def watched():
    """Python warnings and long cases are faults; nothing reaches the terminal."""

    def hang(signum, frame):
        raise Fault(f"no end after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(SECONDS)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    if caught:
        raise Fault(f"a Python warning: {caught[0].category.__name__}: {caught[0].message}")


def run_command(arguments):
    """Run a command line in this process; exit code, stdout and stderr."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    argv, sys.argv, code = sys.argv, ["fastnet", *arguments], 0
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            commands.main()
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.argv = argv
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8", "surrogateescape"))
    return code, *texts


def outcome_of_command(arguments):
    """The kind of outcome of a command line; a Fault if it is none of CODES, or not explained."""
    with watched():
        code, out, err = run_command(arguments)
    said = f"{' '.join(map(repr, arguments))}: exit {code}: {err[-400:]!r}"
    if code not in CODES or "(--debug" in err or "Traceback" in err:
        raise Fault(said)
    if code in (1, 2, 3):
        if not err.startswith("Error: ") or err.count("\n") != 1 or out:
            raise Fault(f"not one line: {said}, stdout {out[-100:]!r}")
    elif "--json" in arguments:
        json.loads(out)
    return CODES[code]


def outcome_of_call(call):
    """The kind of outcome of a Python call; a Fault for any exception but fastnet's."""
    try:
        with watched(), open(os.devnull, "w") as nowhere:
            with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
                call()
    except FastnetError as error:
        if "\n" in str(error):
            raise Fault(f"not one line: {str(error)!r}") from None
        return CODES[error.exit_code]
    except Fault:
        raise
    except Exception as error:
        raise Fault(f"{type(error).__name__}: {str(error)[:300]!r}") from error
    return "result"
