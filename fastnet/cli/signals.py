"""SIGTERM and SIGHUP: a run is saved as at Ctrl-C, everything else ends at once.

Schedulers and service managers send SIGTERM before they kill; a terminal that closes sends SIGHUP.
"""

import contextlib
import os
import signal
import sys
import threading


class Ended(KeyboardInterrupt):
    """A signal that ends this process at once."""


class Received:
    """The first signal that asked this process to end.

    Attributes
    ----------
    number : int or None
        None before one came.
    can_save : bool
        While a run trains, the signal is only noted: Display asks the run to save itself.
    """

    def __init__(self):
        self.number, self.can_save = None, False

    def note(self, number, frame):
        """The handler. A signal is often sent twice, to the process and to its group."""
        self.number = self.number or number
        if not self.can_save:
            raise Ended


received = Received()


@contextlib.contextmanager
def handled():
    """Handle SIGTERM and SIGHUP, unless they are ignored, as SIGHUP is under nohup."""
    received.__init__()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (None, signal.SIG_IGN):
                before[number] = signal.signal(number, received.note)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def exit_code():
    """128 and the number of the signal; 130 for Ctrl-C."""
    return 128 + (received.number or signal.SIGINT)


@contextlib.contextmanager
def without_terminal():
    """Go on without output where a closed terminal takes none; the run is saved all the same."""
    try:
        yield
    except OSError:
        if received.number is None:
            raise
        quiet = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):  # or Python complains as it flushes them at the end
            with contextlib.suppress(OSError, ValueError):
                os.dup2(quiet, stream.fileno())
