"""Start a Dask scheduler and worker processes on this machine, until Ctrl-C.

    python scripts/start_cluster.py 4 --threads 2 --port 8786

Each worker has a nanny, a process that starts it again when it dies.
"""

import argparse
import signal
import threading

import dask
from distributed import LocalCluster


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("workers", type=int, nargs="?", default=2, help="worker processes [2]")
    parser.add_argument("--threads", type=int, default=1, help="threads of each [1]")
    parser.add_argument("--port", type=int, default=8786, help="of the scheduler; 0 = any [8786]")
    parser.add_argument("--memory", default="auto", help="of each worker, as 2GB [its share]")
    given = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    # A worker that died is given up if it is not back in time: 15 s are few on a busy machine.
    dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
    with LocalCluster(
        n_workers=given.workers,
        threads_per_worker=given.threads,
        scheduler_port=given.port,
        memory_limit=given.memory,
        dashboard_address=":0",
    ) as cluster:
        print(f"{given.workers} workers of {given.threads} threads: {cluster.scheduler_address}")
        print(f"fastnet sweep --task 1 --cluster {cluster.scheduler_address}", flush=True)
        ended.wait()


if __name__ == "__main__":
    main()
