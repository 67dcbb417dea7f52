"""Compare what a table is asked with, how small a network can be: adam with relu, lbfgs with tanh.

Prints the table of docs/notes/scores.md: the median test loss over five seeds of the best strength
of l2 for each N1, and the CPU seconds of the sweep without compiling. --data names a folder of npz
files with X and y; the first 4,000 rows of a shuffled set are taken.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import fastnet

SETS = (
    *("abalone", "autompg", "bank32fm", "concrete", "friedman1"),
    *("breast_cancer", "iris", "satimage", "thyroid", "vowel", "wine"),
)
METHODS = {"adam": {"optimizer": "adam"}, "lbfgs": {"optimizer": "lbfgs", "l2": "auto"}}
WIDTHS = (2, 4, 8, 16)


def tables(stored, folder):
    """The name, file and target of each table, numbers before classes."""
    for name, target in (("houses", "price"), ("sensor", "ppm")):
        yield name, fastnet.example(name, folder)[0], target
    for name in SETS:
        with np.load(Path(stored) / f"{name}.npz") as found:
            X, y = found["X"], np.asarray(found["y"])
        chosen = np.random.default_rng(1).permutation(len(X))[:4000]
        y = y.reshape(len(X), -1)[chosen, 0]
        frame = pd.DataFrame(X[chosen], columns=[f"x{i}" for i in range(X.shape[1])])
        classes = name in SETS[5:]
        frame["y"] = [f"class {value}" for value in y] if classes else y
        frame.to_csv(folder / f"{name}.csv", index=False)
        yield name, folder / f"{name}.csv", "y"


def losses(path, target, options):
    """The median test loss of each N1, and the CPU seconds."""
    began = time.process_time()
    given = {"n1": WIDTHS, "seeds": 5, "test_fraction": 0.2, **options}
    rows = fastnet.sweep(data=path, target=target, **given).by_n1()
    return [row["median_test_loss"] for row in rows], time.process_time() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="Folder of npz files with X and y.")
    stored = parser.parse_args().data
    print("| table |", *(f"N1 = {n1} |" for n1 in WIDTHS), "CPU s |")
    print("| --- |", *("--- |" for _ in WIDTHS), "--- |")
    with tempfile.TemporaryDirectory() as folder:
        for name, path, target in tables(stored, Path(folder)):
            found = []
            for options in METHODS.values():
                losses(path, target, {**options, "max_epochs": 2})  # compiles
                found.append(losses(path, target, options))
            (adam, first), (lbfgs, second) = found
            cells = [f"{a:.3g}, {b:.3g}" for a, b in zip(adam, lbfgs)]
            print("|", " | ".join([name, *cells, f"{first:.2f}, {second:.2f}"]), "|", flush=True)


if __name__ == "__main__":
    main()
