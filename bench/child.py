"""A peer's own process: reads requests as lines of JSON, answers each with one.

    {"do": "prepare", "work": path, "threads": n}   ->  {}
    {"do": "epochs", "epochs": n}                   ->  {"start", "end", "losses", "memory"}

Times are of CLOCK_MONOTONIC, which all processes of a machine share.
"""

import importlib
import json
import os
import resource
import sys
import time


def peak_memory():
    """Peak resident bytes of this process and of those it started.

    VmHWM if the system has it, because getrusage also counts the parent's memory at the fork.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    try:
        with open("/proc/self/status") as file:
            found = next(line for line in file if line.startswith("VmHWM"))
        return int(found.split()[1]) * 1024 + children
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + children


class Server:
    """The state that the requests act on."""

    def __init__(self, module):
        self.module, self.peer = module, None

    def prepare(self, work, threads):
        from bench import work as storage

        self.peer = None
        self.peer = self.module.prepare(storage.load(work), threads)
        return {}

    def epochs(self, epochs):
        start = time.monotonic()
        losses = self.peer.epochs(epochs)
        end = time.monotonic()
        return {"start": start, "end": end, "losses": losses, "memory": peak_memory()}


def serve(module, lines, answers):
    """Answer every line."""
    server = Server(importlib.import_module(module))
    for line in lines:
        request = json.loads(line)
        try:
            answer = getattr(server, request.pop("do"))(**request)
        except Exception as error:  # the peer's fault, reported in its row
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    if len(sys.argv) > 2:  # a core of its own, before a library counts cores
        os.sched_setaffinity(0, {int(sys.argv[2])})
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries must not come between answers
    serve(sys.argv[1], sys.stdin, channel)
