"""Measure what a cluster costs: CPU time against one process, time per shard, bytes moved.

    python scripts/measure_cluster.py              # the figures of docs/scaling.md
    python scripts/measure_cluster.py --seeds 200  # a longer sweep

CPU times, because they depend less on what else the machine does. Two workers of one thread train
the sweep that one process trains with two threads; the workers' time includes Dask's.
"""

import argparse
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
from distributed import Client

import fastnet
from fastnet import job
from fastnet.cluster import running
from fastnet.cluster.worker import Work, facts_of_process, train_shard

START = Path(__file__).with_name("start_cluster.py")
X = np.linspace(-1, 1, 500)
Y = np.sin(6 * X)
GIVEN = {"n1": [4, 8, 16, 32], "max_epochs": 1000, "optimizer": "adam", "learning_rate": 0.003}


def cpu_of(process):
    """The CPU seconds of a process and of its children."""
    found = [process, *process.children(recursive=True)]
    return sum(sum(each.cpu_times()[:2]) for each in found)


def spent(processes, call):
    """Wall and CPU seconds of a call, over these processes."""
    wall, before = time.perf_counter(), sum(map(cpu_of, processes))
    call()
    return time.perf_counter() - wall, sum(map(cpu_of, processes)) - before


def bytes_of_members(seeds):
    """Bytes of the data, and of a member on its way to a worker and back."""
    options, data, plan = job.prepare("sweep", X, Y, None, {**GIVEN, "seeds": seeds})
    work = Work(plan, options, None, facts_of_process()["versions"])
    count, piece = len(plan.columns), train_shard(data, work)
    sizes = len(pickle.dumps(work, 5)), sum(array.nbytes for array in piece.values())
    return len(pickle.dumps(data, 5)), *(size / count for size in sizes)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=60, help="of the sweep [60]")
    parser.add_argument("--turns", type=int, default=2, help="of which the least counts [2]")
    given = parser.parse_args()
    command = [sys.executable, START, "2", "--port", "0"]
    cluster = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    address = cluster.stdout.readline().split()[-1]
    here = psutil.Process()  # the cluster is among its children
    try:
        with Client(address, set_as_default=False) as client:
            client.wait_for_workers(2)
            sweep = {**GIVEN, "seeds": given.seeds}
            short = {**GIVEN, "seeds": 2, "max_epochs": 2}
            fastnet.sweep(X, Y, client=client, **short)  # loads the kernels
            fastnet.sweep(X, Y, threads=2, **short)
            one, two = [], []
            for _ in range(given.turns):
                one.append(spent([here], lambda: fastnet.sweep(X, Y, threads=2, **sweep)))
                two.append(spent([here], lambda: fastnet.sweep(X, Y, client=client, **sweep)))
                print(f"one process: {one[-1]}, cluster: {two[-1]} (wall, CPU)", flush=True)
            cpu = [min(cpu for _, cpu in turns) for turns in (one, two)]
            print(f"CPU: one process {cpu[0]:.1f} s, cluster {cpu[1]:.1f} s: {cpu[0] / cpu[1]:.3f}")
            shards_of, many = running.shard_count, {**GIVEN, "seeds": 100, "max_epochs": 1}
            found = {}
            for shards in (2, 100):
                running.shard_count = lambda *_, count=shards: count
                times = [
                    spent([here], lambda: fastnet.sweep(X, Y, client=client, **many))
                    for _ in range(given.turns)
                ]
                found[shards] = np.min(times, axis=0)
            running.shard_count = shards_of
            wall, cpu = (found[100] - found[2]) / 98 * 1000
            print(f"per shard: {cpu:.1f} ms of CPU time, {wall:.1f} ms of wall time")
    finally:
        cluster.terminate()
        cluster.wait()
    data, out, back = bytes_of_members(50)
    print(f"data {data:,} bytes; a member {out:,.0f} bytes there, {back:,.0f} back")


if __name__ == "__main__":
    main()
