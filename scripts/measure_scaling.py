"""How training scales with threads, against as many independent processes.

    python scripts/measure_scaling.py                  # 1, 2, 4, ... threads, and all cores
    python scripts/measure_scaling.py --threads 1,2 --runs 9 --workloads minibatch,huge

Independent processes share nothing, so what they lose is the machine's own: cores that clock lower
or are two threads of one core, memory, other work. `of possible` is the threads' speedup divided by
theirs. Each figure is the least of several runs, in turn; a table is worth reading if the machine
had nothing else to do.
"""

import argparse
import subprocess
import sys
from typing import NamedTuple

import numpy as np

import fastnet
from fastnet.data import tasks
from fastnet.training.cores import granted

WORKLOADS = ("task1-sweep", "minibatch", "huge", "ragged")


def workload(name, short):
    """Inputs, targets and arguments of a workload of about a second."""
    steps = {"learning_rate": 0.01, "optimizer": "sgd", "clip_norm": 1.0}
    if name == "task1-sweep":
        X, y = tasks.function_data(samples=1000)
        widths = (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320)
        return X, y, {"n1": widths, "seeds": 4, "max_epochs": 5 if short else 1500, **steps}
    if name == "minibatch":
        X, labels = tasks.digits()
        given = {"n1": (4, 8, 16, 32, 48, 64, 96, 128), "seeds": 4, "batch_size": 32}
        return X, labels.astype(str), {**given, "max_epochs": 1 if short else 30, **steps}
    rng = np.random.default_rng(0)
    if name == "huge":
        X = rng.uniform(-1, 1, (2_000 if short else 100_000, 64))
        return X, np.tanh(X.sum(axis=1)), {"n1": 512, "max_epochs": 1 if short else 8, **steps}
    X = rng.uniform(-1, 1, (500, 5))
    given = {"n1": tuple(range(1, 101)), "seeds": 2, "optimizer": ("sgd", "adam")}
    given |= {"batch_size": (None, 32), "learning_rate": 0.003}
    return X, np.sin(X.sum(axis=1)), {**given, "max_epochs": 1 if short else 40}


def train(name, threads, short):
    """Seconds of training."""
    X, y, given = workload(name, short)
    return fastnet.sweep(X, y, threads=threads, keep="none", **given).seconds["train"]


def serve(name, short):
    """Train with one thread whenever a line comes from standard input; print the seconds."""
    train(name, 1, True)
    print("ready", flush=True)
    for _ in sys.stdin:
        print(train(name, 1, short), flush=True)


class Processes:
    """Independent processes that train the same at once."""

    def __init__(self, name, count, short):
        command = [sys.executable, __file__, "--serve", name, *["--short"] * short]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.children = [subprocess.Popen(command, **pipes) for _ in range(count)]
        for child in self.children:
            child.stdout.readline()

    def seconds(self):
        """Of the slowest."""
        for child in self.children:
            child.stdin.write("go\n")
            child.stdin.flush()
        return max(float(child.stdout.readline()) for child in self.children)

    def close(self):
        for child in self.children:
            child.communicate()


class Row(NamedTuple):
    """One line of the table."""

    name: str
    threads: int
    seconds: float
    speedup: float
    processes: float  # speedup of as many independent processes, by their throughput


def measure(name, counts, runs, short):
    """The rows of a workload."""
    train(name, max(counts), True)  # compiles
    groups = {count: Processes(name, count, short) for count in counts}
    threads, apart = ({count: [] for count in counts} for _ in range(2))
    for _ in range(runs):
        for count in counts:
            threads[count].append(train(name, count, short))
            apart[count].append(groups[count].seconds())
    for group in groups.values():
        group.close()
    one = min(min(threads[1]), min(apart[1]))
    for count in counts:
        own = min(threads[count])
        yield Row(name, count, own, one / own, count * one / min(apart[count]))


def counts_of(text):
    """Numbers of threads: those given, with 1, or 1, 2, 4, ... and all cores."""
    if text:
        return sorted({1, *map(int, text.split(","))})
    cores = granted().count
    return sorted({*(2**i for i in range(cores.bit_length())), cores})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", help="numbers of threads, as 1,2,4")
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="a moment of each, to try the script")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(given.serve, given.short)
        return
    print(f"{granted()}; least of {given.runs} runs")
    print("workload     threads  seconds speedup processes of possible")
    for name in given.workloads.split(","):
        for row in measure(name, counts_of(given.threads), given.runs, given.short):
            print(
                f"{row.name:12} {row.threads:7} {row.seconds:8.3f} {row.speedup:7.2f} "
                f"{row.processes:9.2f} {row.speedup / row.processes:11.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()
