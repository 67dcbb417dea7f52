"""The loop of a run: round after round, until all members have stopped or it is interrupted."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

from fastnet.engine.records import TIME_LIMIT
from fastnet.training.training import Training


@contextlib.contextmanager
def interruptible() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; a second Ctrl-C raises KeyboardInterrupt at once.

    Only the main thread can handle signals; in other threads the event is never set. Nor is it
    where Ctrl-C is ignored, as in a shell's background, or has a handler that is not Python's.
    """
    event, before = threading.Event(), signal.getsignal(signal.SIGINT)
    main = threading.current_thread() is threading.main_thread()
    if not main or before in (None, signal.SIG_IGN):
        yield event
        return

    def note(signum, frame):
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def train(
    training: Training,
    after_round: Callable[[Training], Any] | None = None,
    began: float | None = None,
    interrupted: threading.Event | None = None,
) -> str:
    """Advance round by round until no member is live; return what ended the run.

    after_round(training) is called after each round; when it returns True, or the event
    `interrupted` is set, the run is interrupted; its live members keep the stop 0 and can be
    resumed. The time limit counts from `began`, in seconds of training; by default from now.

    Returns
    -------
    str
        "done" or "interrupted".
    """
    limit = training.options["time_limit"]
    began = training.elapsed if began is None else began
    while training.live.size:
        training.round()
        asked = after_round(training) if after_round else False
        asked = asked or (interrupted is not None and interrupted.is_set())
        if training.live.size and asked:
            return "interrupted"
        if limit is not None and training.elapsed - began >= limit:
            training.pack.states["stop"][training.live] = TIME_LIMIT
    return "done"
