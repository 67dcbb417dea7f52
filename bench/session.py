"""A peer's processes: started with a clean environment, kept alive, asked in turn."""

import functools
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import work as storage
from fastnet.results.environment import cpu, simd_bits

ROOT = Path(__file__).resolve().parents[1]
ANSWER_SECONDS = 1800  # longer than any compilation seen
THREAD_VARIABLES = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")
# Variables of a test machine that slow a peer down, change what it computes, or spare it compiling.
DROPPED = (
    "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "XLA_FLAGS", "JAX_ENABLE_X64", "JAX_DISABLE_JIT",
    "NUMBA_DISABLE_JIT", "NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT",
    "TORCH_COMPILE_DISABLE", "OMP_WAIT_POLICY", "OMP_PROC_BIND", "KMP_AFFINITY",
    "JAX_COMPILATION_CACHE_DIR",
)  # fmt: skip


class PeerError(Exception):
    """A peer that raised, died or took too long; the text goes into its row."""


def environment(threads, extra):
    """The environment of a child: this process's, without variables that would disturb it."""
    kept = {name: value for name, value in os.environ.items() if name not in DROPPED}
    limits = {f"{name}_NUM_THREADS": str(threads) for name in THREAD_VARIABLES}
    return {**kept, **limits, **jax_variables(), **extra}


@functools.cache
def jax_variables():
    """Flags for XLA, which by default uses vectors of 256 bits on AVX-512."""
    wide = simd_bits(cpu()["features"]) == 512
    flags = {"XLA_FLAGS": "--xla_cpu_prefer_vector_width=512"} if wide else {}
    return {"JAX_PLATFORMS": "cpu", **flags}


class Child:
    """One process of bench.child."""

    def __init__(self, module, threads, extra, core=None):
        self.began = time.monotonic()
        self.errors = tempfile.TemporaryFile("w+")
        command = [sys.executable, "-m", "bench.child", module]
        self.process = subprocess.Popen(
            command + ([] if core is None else [str(core)]),
            cwd=ROOT,
            env=environment(threads, extra),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def send(self, **request):
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise PeerError(self.last_words()) from None

    def answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_SECONDS)
        line = self.process.stdout.readline() if ready else None
        if line is None:
            raise PeerError(f"no answer in {ANSWER_SECONDS} s")
        if not line:
            raise PeerError(self.last_words())
        answer = json.loads(line)
        if "error" in answer:
            raise PeerError(answer["error"])
        return answer

    def last_words(self):
        """The last line a dead process wrote to stderr."""
        code = self.process.wait()
        self.errors.seek(0)
        lines = self.errors.read().strip().splitlines()
        return lines[-1] if lines else f"process ended with code {code}"

    def close(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            try:
                stream.close()
            except BrokenPipeError:  # a request that nobody read
                pass


def shares(work, count):
    """Members of each of `count` processes, about equal in cost, equal widths together."""
    widths, parts, loads = np.unique(work.n1)[::-1], [[] for _ in range(count)], np.zeros(count)
    if len(widths) < count:  # too few groups, so the members are divided
        return [np.arange(i, len(work.n1), count) for i in range(count)]
    for width in widths:
        members = np.flatnonzero(work.n1 == width)
        lightest = int(loads.argmin())
        parts[lightest].extend(members.tolist())
        loads[lightest] += (width + 4) * len(members)
    return [np.array(part) for part in parts]


class Session:
    """A peer in one way of running: one process with threads, or several with one each."""

    def __init__(self, peer, way, threads, folder):
        self.peer, self.way, self.folder = peer, way, folder
        count = threads if way == "processes" else 1
        self.threads = threads if way == "threads" else 1
        pin = peer.pinned and self.threads == 1 and hasattr(os, "sched_getaffinity")
        cores = sorted(os.sched_getaffinity(0)) if pin else [None]
        self.children = []
        for i in range(count):
            core = cores[i % len(cores)]
            self.children.append(Child(peer.module, self.threads, peer.environment, core))
        self.memory = 0

    def prepare(self, work):
        """Give every process its members; seconds since the processes were started."""
        self.parts = shares(work, len(self.children)) if len(self.children) > 1 else None
        for i, child in enumerate(self.children):
            path = Path(self.folder) / f"work-{i}.npz"
            storage.save(path, work if self.parts is None else work.pick(self.parts[i]))
            child.send(do="prepare", work=str(path), threads=self.threads)
        for child in self.children:
            child.answer()
        return time.monotonic() - self.children[0].began

    def epochs(self, n):
        """Seconds of n epochs of all members, and the losses after them."""
        for child in self.children:
            child.send(do="epochs", epochs=n)
        answers = [child.answer() for child in self.children]
        self.memory = sum(a["memory"] for a in answers)
        seconds = max(a["end"] for a in answers) - min(a["start"] for a in answers)
        losses = np.concatenate([a["losses"] for a in answers])
        if self.parts is not None:
            losses[np.concatenate(self.parts)] = losses.copy()
        return seconds, losses

    def close(self):
        for child in self.children:
            child.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
