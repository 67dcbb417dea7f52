"""Several kernels compiled at once, in processes of their own that put them into the cache.

Numba compiles one function at a time in a process. So each process here takes one call after
another, compiles what it needs, and says so; a process that fails is given up, and whatever is not
in the cache in the end is compiled by whoever calls it.

A process is sent pickles: names of modules to import, then for each call the module and the name of
an entry point, and the kind of its arguments.
"""

import contextlib
import importlib
import operator
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor, wait

from fastnet.native import cache
from fastnet.native.entry import INTERPRETED, KERNELS
from fastnet.native.wire import flatten

# The folder in which Python starts must not be searched for modules, which "" at first means.
START = "import sys; sys.path[:] = {path!r}; from fastnet.native.processes import serve; serve()"
# Up to so many calls are compiled faster without: a process takes more than a second to start.
FEW = 2
LOCK = threading.Lock()


def can_compile_apart(count, processes):
    """Whether so many calls are worth processes, and kernels can come back from them."""
    works = not INTERPRETED and cache.folder() is not None and not getattr(sys, "frozen", False)
    return works and count > FEW and processes > 1


def compile_apart(calls, processes):
    """Compile what calls (entry point, arguments) need, in so many processes at once.

    Without a cache, or for one or two calls, nothing happens.
    """
    jobs = [(e.__module__, e.__qualname__, flatten(arguments, [])) for e, arguments in calls]
    pending = list(dict.fromkeys(jobs))
    if not can_compile_apart(len(pending), processes):
        return
    processes = min(processes, len(pending))
    packages = {module.split(".")[0] for module, _, _ in pending}
    found = {kernel.__module__ for kernel in KERNELS}
    modules = sorted(module for module in found if module.split(".")[0] in packages)
    started = []
    with ThreadPoolExecutor(processes) as pool:
        try:
            wait([pool.submit(hand_out, pending, modules, started) for _ in range(processes)])
        except BaseException:  # an interruption
            with LOCK:
                pending.clear()
                for process in started:
                    process.kill()
            raise


def hand_out(pending, modules, started):
    """Start a process and give it one call after another, until none is left."""
    command = [sys.executable, "-c", START.format(path=[path for path in sys.path if path])]
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with contextlib.suppress(OSError), subprocess.Popen(command, **streams) as process:
        with LOCK:
            started.append(process)
            if not pending:  # others have taken all, or an interruption came first
                process.kill()
        pickle.dump(modules, process.stdin)
        job = take_alike(pending, None)
        while job:
            pickle.dump(job, process.stdin)
            process.stdin.flush()
            answered = process.stdout.read(1)
            job = take_alike(pending, job) if answered else None


def take_alike(pending, last):
    """Take the call that has most in common with the last one, so that least is to be compiled;
    None if there is none."""
    with LOCK:
        if not pending:
            return None
        alike = [sum(map(operator.eq, job[2], last[2])) if last else 0 for job in pending]
        return pending.pop(alike.index(max(alike)))


def serve():
    """Compile what comes from standard input, and answer each call with a byte."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        for module in pickle.load(sys.stdin.buffer):
            importlib.import_module(module)
        while True:
            module, name, kind = pickle.load(sys.stdin.buffer)
            getattr(importlib.import_module(module), name).code_of(kind)
            answers.write(b".")
