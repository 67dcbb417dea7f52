"""Time to answer the whole question from a cold process: which N1 is the smallest that suffices?

fastnet runs as its users run it, with its default method for task 1, Levenberg-Marquardt, first
with an empty kernel cache and then with a warm one. Peers have only gradient descent, so fastnet
also runs with that. A peer's loop would take hours. Instead its seconds per epoch are measured at
a few widths and multiplied by the epochs that fastnet's members really took by gradient descent,
because the same training stops at the same epoch.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.peers import PEERS
from bench.runner import missing
from bench.session import ROOT, PeerError, Session, environment
from bench.workloads import make_work
from fastnet.data import tasks

# The N1 and seeds of the question, and the widths at which peers are measured.
QUESTION = {"smoke": ("1:2", 2, 300), "default": ("1:20", 20, None), "full": ("1:20", 20, None)}
WIDTHS = {"smoke": (1, 2), "default": (1, 10, 20), "full": (1, 5, 10, 15, 20)}
EPOCHS = {"smoke": 2, "default": 100, "full": 1000}
LOOPS = ("numpy-reference", "numpy-tuned", "sklearn", "torch-loop")


def command(size, folder, dtype, threads, method):
    """The command line that answers the question; no method: the default."""
    widths, seeds, epochs = QUESTION[size]
    arguments = ["sweep", "--task", "1", "--n1", widths, "--seeds", str(seeds), "--dtype", dtype]
    if epochs:
        arguments += ["--max-epochs", str(epochs)]
    arguments += ["--optimizer", method] if method else []
    arguments += ["--threads", str(threads), "--out", folder, "--json", "--quiet"]
    return [sys.executable, "-m", "fastnet", *arguments]


def whole_process(size, cache, dtype, threads, method=None):
    """Seconds of one cold process, its answer and the members it trained."""
    from fastnet import load

    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "run")
        began = time.monotonic()
        done = subprocess.run(
            command(size, out, dtype, threads, method),
            cwd=ROOT,
            env=environment(threads, {"NUMBA_CACHE_DIR": cache} if cache else {}),
            capture_output=True,
            text=True,
        )
        seconds = time.monotonic() - began
        if done.returncode:
            raise PeerError(done.stderr.strip().splitlines()[-1])
        return seconds, json.loads(done.stdout)["smallest_n1"], load(out).members


def loop_row(peer, members, settings, dtype, folder):
    """Seconds of the double loop in a peer, from its speed at some widths."""
    widths, rates = WIDTHS[settings.size], []
    X, Y = tasks.function_data()
    began = None
    with Session(peer, "1 thread", settings.threads, folder) as session:
        for width in widths:
            work = make_work(X, Y, "squared", [width], 1, dtype, learning_rate=0.4, epochs=1)
            took = session.prepare(work if peer.extras else work.plain())
            began = took if began is None else began
            session.epochs(1)
            epochs = EPOCHS[settings.size]
            times = [session.epochs(epochs)[0] for _ in range(settings.runs)]
            rates.append(float(np.median(times)) / epochs)
        memory = session.memory
    train = float((np.interp(members["n1"], widths, rates) * (members["epochs"] + 1)).sum())
    one_process = began + train
    note = (
        f"scaled up from {EPOCHS[settings.size]} epochs at N1 {', '.join(map(str, widths))} to the "
        f"{int(members['epochs'].sum()):,} epochs of fastnet's members; its training time divided "
        f"by {settings.threads}, as if processes cost nothing (one process: {one_process:.0f} s)"
    )
    return {
        "peer": peer.name,
        "status": "ok",
        "note": note,
        "seconds": [began + train / settings.threads],
        "one_process_seconds": one_process,
        "start_seconds": began,
        "memory_bytes": memory,
    }


def fastnet_rows(settings, dtype):
    """Run with an empty cache, a warm one, and by gradient descent; the members of the last."""

    def whole(cache, method=None):
        return whole_process(settings.size, cache, dtype, settings.threads, method)

    with tempfile.TemporaryDirectory() as folder:
        cold, cache = [], None
        for i in range(0 if settings.size == "smoke" else min(settings.runs, 3)):
            cache = os.path.join(folder, str(i))
            settings.say(f"answer: fastnet, empty cache, run {i + 1}")
            cold.append(whole(cache)[0])
        settings.say("answer: fastnet, warm cache")
        warm = [whole(cache) for _ in range(settings.runs)]
        settings.say("answer: fastnet, gradient descent")
        same = [whole(cache, "sgd") for _ in range(settings.runs)]
    found = {
        "fastnet": ([run[0] for run in warm], f"N1 = {warm[-1][1]}; kernels in the cache"),
        "fastnet, empty cache": (cold, "compiles its kernels"),
        "fastnet, gradient descent": ([run[0] for run in same], f"N1 = {same[-1][1]}; warm, too"),
    }
    rows = [
        {"peer": name, "status": "ok", "seconds": seconds, "note": note}
        for name, (seconds, note) in found.items()
        if seconds
    ]
    return rows, warm[-1][1], same[-1][2]


def run(settings, dtype):
    """The document's part on the answer."""
    rows, answer, members = fastnet_rows(settings, dtype)
    medians = {row["peer"]: float(np.median(row["seconds"])) for row in rows}
    ours, same = medians["fastnet"], medians["fastnet, gradient descent"]
    with tempfile.TemporaryDirectory() as folder:
        for name in (name for name in LOOPS if name in settings.peers):
            peer = PEERS[name]
            settings.say(f"answer: {name}")
            if missing(peer):
                rows.append(
                    {"peer": name, "status": "not installed", "note": f"needs {missing(peer)}"}
                )
                continue
            try:
                rows.append(loop_row(peer, members, settings, dtype, folder))
            except PeerError as error:
                rows.append({"peer": name, "status": "failed", "note": str(error)})
    for row in rows:
        if "seconds" in row:
            row["median_seconds"] = float(np.median(row["seconds"]))
            row["fastnet_is_faster_by"] = row["median_seconds"] / ours
            row["by_the_same_method"] = row["median_seconds"] / same
    return {
        "name": "answer",
        "description": f"from a cold process to the smallest sufficient N1; {len(members)} members",
        "dtype": dtype,
        "members": len(members),
        "answer": answer,
        "rows": rows,
    }
