"""Kill workers and clients of sweeps on a cluster at random moments, resume, and compare the bytes.

    python scripts/try_cluster_kills.py                 # 20 kills
    python scripts/try_cluster_kills.py --kills 100 --seed 1

A scheduler and two workers run on this machine. Each trial is a sweep in a process of its own. At
random moments it gets kill -9, or one of the workers does, until the run is finished; a killed
client is resumed. In the end the folder must hold the bytes of a run on one machine, without its
seconds.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from distributed import Client

import fastnet

X = np.linspace(-1, 1, 60)
Y = np.sin(3 * X)
GIVEN = {"n1": [2, 5, 9], "seeds": 40, "max_epochs": 4000, "optimizer": "sgd"}
FILES = ("history.npz", "weights.npz", "model.npz", "snapshots.npz", "split.npz")
START = Path(__file__).with_name("start_cluster.py")
MOST = 8.0  # seconds from one kill to the next, at most


def run(address, folder):
    """What a client does: begin the run, or go on with it, in many short shards."""
    from fastnet.cluster import running

    running.LEAST_SECONDS, running.SHARDS_PER_THREAD, running.ALONE_SECONDS = 1e-6, 30, 20.0
    if (folder / "config.json").exists():
        fastnet.resume(folder, X, Y, cluster=address)
    else:
        fastnet.sweep(X, Y, cluster=address, out=folder, force=True, **GIVEN)


def contents(folder):
    """The bytes of a run, without its seconds."""
    found = {name: (folder / name).read_bytes() for name in FILES}
    lines = (folder / "members.csv").read_bytes().splitlines()
    found["members.csv"] = [line.rpartition(b",")[0] for line in lines]
    found["names"] = sorted(path.name for path in folder.iterdir())
    return found


class Cluster:
    """A scheduler and two workers in processes of their own."""

    def __init__(self):
        command = [sys.executable, START, "2", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.address = self.process.stdout.readline().split()[-1]
        self.client = Client(self.address, set_as_default=False)

    def kill_worker(self):
        """Kill one worker, if there is one; how many were killed."""
        pids = list(self.client.run(os.getpid, on_error="ignore").values())
        for pid in pids[:1]:
            os.kill(pid, signal.SIGKILL)
        return len(pids[:1])

    def close(self):
        self.client.close()
        self.process.terminate()
        self.process.wait()


def with_workers(cluster):
    """The cluster if it has workers, else another: one killed as it starts may not come back."""
    try:
        cluster.client.wait_for_workers(1, timeout=60)
        return cluster
    except TimeoutError:
        cluster.close()
        return Cluster()


def watched(process, cluster, rng, left, killed):
    """Kill a client, or workers below it, until it ends or nothing is left to kill."""
    while process.poll() is None:
        until = time.monotonic() + rng.uniform(0.2, MOST)
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        if process.poll() is not None or sum(killed.values()) >= left:
            process.wait()
        elif rng.random() < 0.5:
            process.kill()
            process.wait()
            killed["client"] += 1
        else:
            killed["worker"] += cluster.kill_worker()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="in all [20]")
    parser.add_argument("--seed", type=int, default=0, help="of the moments [0]")
    parser.add_argument("--run", nargs=2, metavar=("ADDRESS", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(given.run[0], Path(given.run[1]))
        return
    with tempfile.TemporaryDirectory() as root:
        try_all(Path(root), given.kills, np.random.default_rng(given.seed))


def try_all(root, kills, rng):
    """Runs until so many kills were done."""
    fastnet.sweep(X, Y, out=root / "here", **GIVEN)
    expected, cluster = contents(root / "here"), Cluster()
    killed, runs = {"client": 0, "worker": 0}, 0
    while sum(killed.values()) < kills:
        runs += 1
        folder = root / f"run-{runs}"
        while not (folder / "summary.json").exists():
            cluster = with_workers(cluster)
            line = [sys.executable, __file__, "--run", cluster.address, folder]
            watched(subprocess.Popen(line), cluster, rng, kills, killed)
        found = contents(folder)
        differ = [name for name in expected if found[name] != expected[name]]
        assert not differ, f"{differ} of {folder.name} differ"
        print(f"{runs} runs, kills so far: {killed}; the same bytes", flush=True)
    cluster.close()


if __name__ == "__main__":
    main()
