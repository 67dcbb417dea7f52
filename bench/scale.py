"""Measure how fastnet's cost grows, one factor at a time around a middle case."""

import tempfile

import numpy as np

from bench.peers import PEERS
from bench.session import Session
from bench.workloads import make_work

MIDDLE = {"members": 32, "n1": 32, "samples": 1000, "inputs": 8}
POINTS = {
    "smoke": {"members": (1, 4), "n1": (1, 4), "samples": (100,), "inputs": (1, 3)},
    "default": {
        "members": (1, 10, 100, 1000),
        "n1": (1, 4, 16, 64, 256, 1024),
        "samples": (100, 1000, 10_000, 100_000),
        "inputs": (1, 4, 16, 64, 256),
    },
    "full": {
        "members": (1, 10, 100, 1000, 10_000, 100_000),
        "n1": (1, 4, 16, 64, 256, 1024, 4096),
        "samples": (100, 1000, 10_000, 100_000, 1_000_000),
        "inputs": (1, 4, 16, 64, 256, 784),
    },
}
UNIT_SAMPLES = {"smoke": 1e5, "default": 2e8, "full": 2e9}  # of one run; they decide its epochs
LARGE = {"members": 1, "n1": 512, "samples": 100_000, "inputs": 64}  # one network on all cores


def points(size, threads):
    """(factor, the case, threads) of every point."""
    for factor, values in POINTS[size].items():
        for value in values:
            yield factor, {**MIDDLE, factor: value}, threads
    for count in sorted({*range(1, threads + 1)} if threads <= 4 else {1, threads // 2, threads}):
        yield "threads", MIDDLE, count
        if size != "smoke":
            yield "threads, one large network", LARGE, count


def work_of(case, dtype):
    """A regression of the case's size."""
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (case["samples"], case["inputs"]))
    Y = np.sin(X.sum(axis=1, keepdims=True))
    return make_work(
        X, Y, "squared", [case["n1"]], case["members"], dtype, learning_rate=0.01, epochs=1
    )


def measure(case, threads, settings, dtype, folder):
    """Seconds per epoch, and nanoseconds per sample and hidden unit: median over the runs, each
    less a run of one epoch, which has the same checks, packing and results."""
    units = case["members"] * case["n1"] * case["samples"]
    epochs = int(min(10_000, max(3, UNIT_SAMPLES[settings.size] // units)))
    way = "threads" if threads > 1 else "1 thread"
    with Session(PEERS["fastnet"], way, threads, folder) as session:
        session.prepare(work_of(case, dtype))
        session.epochs(1)  # compiles or loads
        times = [session.epochs(1 + epochs)[0] - session.epochs(1)[0] for _ in range(settings.runs)]
    seconds = float(np.median(times)) / epochs
    return {"seconds_per_epoch": seconds, "ns_per_unit_sample": 1e9 * seconds / units}


def run(settings, dtype):
    """The document's part on how the cost grows."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for factor, case, threads in points(settings.size, settings.threads):
            shown = case.get(factor, threads)
            settings.say(f"scale: {factor} {shown}")
            figures = measure(case, threads, settings, dtype, folder)
            rows.append({"factor": factor, **case, "threads": threads, **figures})
    return {
        "name": "scale",
        "description": "fastnet alone: one factor at a time; squared loss, full batch, extras on",
        "dtype": dtype,
        "growth": rows,
    }
