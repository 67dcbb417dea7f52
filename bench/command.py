"""The command `fastnet bench`: choose, measure, collect, write."""

import json
import math
import os
import platform
import subprocess
import sys
from datetime import datetime, timezone
from importlib import metadata

from bench import NAMES, answer, runner, scale
from bench.peers import PEERS
from bench.session import ROOT, PeerError, environment
from bench.workloads import WORKLOADS
from fastnet.errors import FastnetError, UsageError
from fastnet.results import environment as facts
from fastnet.results.words import counted
from fastnet.training.cores import granted

LIBRARIES = ("scipy", "scikit-learn", "joblib", "torch", "jax", "jaxlib")


def chosen(given, allowed, what):
    """Names from a list with commas, each checked; all names if nothing is given."""
    names = [name for text in given for name in text.split(",") if name]
    for name in names:
        if name not in allowed:
            raise UsageError(f"--{what} must be of {', '.join(allowed)}, got {name!r}.")
    return tuple(dict.fromkeys(names)) or tuple(allowed)


def measured_limits(threads, dtype):
    """The machine's limits, from a separate process."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.limits", str(threads), dtype],
        cwd=ROOT,
        env=environment(threads, {}),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise FastnetError(
            f"the limits cannot be measured: {done.stderr.strip().splitlines()[-1]}."
        )
    return json.loads(done.stdout)


def versions():
    """Versions of fastnet, its libraries and the peers' libraries; None if not installed."""
    found = facts.versions()
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def processor():
    """The processor's name for people."""
    try:
        with open("/proc/cpuinfo") as file:
            line = next(line for line in file if line.startswith("model name"))
        return line.split(":")[1].strip()
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def load():
    """Mean number of busy processes over a minute, if the system says so."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def machine():
    cpu = facts.cpu()
    bits = facts.simd_bits(cpu["features"])
    return {
        "processor": processor(),
        "core": cpu["name"],
        "simd_bits": bits,
        "cores": granted().count,
        "system": f"{platform.system()} {platform.machine()}",
        "load_before": load(),
    }


def part(name, settings, dtype, limit):
    """The document's parts for one name on the command line."""
    if name in WORKLOADS:
        made = WORKLOADS[name](settings.size, dtype)
        return [runner.run(workload, settings, limit) for workload in made]
    try:
        return [{"answer": answer, "scale": scale}[name].run(settings, dtype)]
    except PeerError as error:  # keeps the other workloads, which took an hour to measure
        row = {"peer": "fastnet", "status": "failed", "note": str(error)}
        return [{"name": name, "description": "failed", "dtype": dtype, "rows": [row]}]


def failures(parts):
    """What went wrong in these parts."""
    return [
        {"workload": p["name"], "peer": row["peer"], "status": row["status"]}
        for p in parts
        for row in p.get("rows", ())
        if row["status"] not in ("ok", "not installed")
    ]


def run(workloads, peers, runs, dtype, threads, size, say, finished=lambda name, document: None):
    """The whole document; finished() gets that of each workload alone as soon as it ends."""
    names = chosen(workloads, NAMES, "workload")
    peers = chosen(peers, PEERS, "peers")
    peers = ("fastnet", *(name for name in peers if name != "fastnet"))
    settings = runner.Settings(peers, runs, threads or granted().count, size, say)
    head = {
        "schema_version": 1,
        "command": "bench",
        "command_line": ["fastnet", *sys.argv[1:]],
        "machine": machine(),
        "versions": versions(),
        "size": size,
        "threads": settings.threads,
        "runs": runs,
        "tolerance": runner.TOLERANCE,
    }
    warn_if_busy(head["machine"], say)
    say("limits of the machine")
    head["limits"] = measured_limits(settings.threads, dtype)
    parts = []
    for name in names:
        found = part(name, settings, dtype, head["limits"])
        finished(name, document(head, found))
        parts += found
    return document(head, parts)


def warn_if_busy(machine, say):
    """Say that other work will blur the figures."""
    busy = machine["load_before"]
    if busy is not None and busy > machine["cores"] / 2:
        say(
            f"The machine is busy (load {busy:.1f} on {counted(machine['cores'], 'core')}): "
            "seconds will be too long; the ratios of runs in turn suffer less."
        )


def document(head, parts):
    """The document of some parts, as of now."""
    about = {**head["machine"], "load_after": load()}
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    found = {**head, "machine": about, "date": now, "workloads": parts}
    return finite({**found, "failures": failures(parts)})


def finite(value):
    """The document with null for values that JSON does not have."""
    if isinstance(value, dict):
        return {name: finite(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
