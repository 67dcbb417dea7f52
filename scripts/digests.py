"""Compare the bytes of some thirty small runs before and after a change of the code.

    python scripts/digests.py before.json       # before: write SHA-256 of weights and histories
    python scripts/digests.py before.json       # later: compare; exit 1 names the runs that differ

The runs cover every method, loss, activation, dtype, kind of batch, weights, folds, and one network
large enough for its full batch to be divided among the threads. Bytes belong to one machine and one
installation, so the file is made where it is used and never committed.
"""

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

import fastnet

X = np.random.default_rng(0).uniform(-1, 1, (200, 3))
NUMBERS = np.sin(3 * X[:, 0]) + X[:, 1] * X[:, 2]
COUNTS = np.floor(3 + 2 * X[:, 0] - X[:, 1])
TWO = np.where(X[:, 0] + X[:, 1] ** 2 > 0.2, "yes", "no")
THREE = np.array(["a", "b", "c"])[np.searchsorted([-0.3, 0.4], X[:, 0])]
WIDE = np.random.default_rng(1).normal(size=(150, 20))
TWELVE = np.array(list("abcdefghijkl"))[np.arange(150) % 12]
FIVE = np.array(list("abcde"))[np.arange(150) % 5]
WEIGHTS = np.random.default_rng(2).uniform(0, 2, 200)
FOLDS = [(np.flatnonzero(np.arange(200) % 4 != f), np.arange(f, 200, 4)) for f in range(4)]
HUGE = np.random.default_rng(3).uniform(-1, 1, (4000, 70))
SMALL = {"n1": [1, 3, 17], "seeds": 2, "max_epochs": 12}
STEPS = {"learning_rate": 0.05, "clip_norm": 1.0, "lr_patience": 3}
FIRST = ("sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw")
PINNED = {"relu": {"init": "glorot_uniform"}}  # auto has come to mean another one
SOME = ("tanh", "relu", "identity", "leaky_relu", "elu", "softplus", "gelu", "silu", "sin")


def runs():
    """Name, inputs, targets and arguments of every run."""
    for name in FIRST:
        batches = {"batch_size": [None, 32]}
        yield f"optimizer {name}", X, NUMBERS, {"optimizer": name, **batches, **STEPS}
    yield "optimizer rprop", X, NUMBERS, {"optimizer": "rprop"}
    for name in ("lm", "br", "lbfgs"):
        yield f"optimizer {name}", X, NUMBERS, {"optimizer": name, "n1": [2, 5]}
    yield "lm marquardt", X, NUMBERS, {"optimizer": "lm", "damping": "marquardt", "n1": 4}
    yield "lbfgs classes", X, THREE, {"optimizer": "lbfgs", "n1": 4}
    for name in SOME:
        given = {"activation": name, **STEPS, **PINNED.get(name, {})}
        yield f"activation {name}", X, NUMBERS, given
    for name in ("absolute", "huber", "log_cosh", "quantile"):
        yield f"loss {name}", X, NUMBERS, {"loss": name, **STEPS}
    yield "loss poisson", X, COUNTS, {"loss": "poisson", **STEPS}
    yield "loss cross_entropy", X, THREE, {"batch_size": [None, 16], **STEPS}
    yield "loss binary_cross_entropy", X, TWO, {"loss": "binary_cross_entropy", **STEPS}
    yield "float64", X, NUMBERS, {"dtype": "float64", "batch_size": [None, 32], **STEPS}
    wide = {"optimizer": "adam", "l2": 1e-3, "batch_size": [None, 32], "scale": "standard"}
    yield "many inputs and outputs", WIDE, TWELVE, {**wide, "validation_fraction": 0.2}
    yield "schedules", X, NUMBERS, {"schedule": ["cosine", "step", "one_cycle"], "warmup_epochs": 2}
    yield "weights", X, NUMBERS, {"sample_weight": WEIGHTS, "batch_size": [None, 32], **STEPS}
    yield "folds", X, NUMBERS, {"folds": FOLDS, "batch_size": [None, 32], **STEPS}
    units = {"n1": [13, 30], "optimizer": "adam", "batch_size": 32, **STEPS}
    yield "units in the lanes", X, NUMBERS, {**units, "sample_weight": WEIGHTS, "l2": 1e-3}
    nine = {"n1": [16, 40], "batch_size": 48, "dtype": "float64", "activation": "silu", **STEPS}
    yield "units in the lanes, classes", WIDE[:, :9], FIVE, {**nine, "validation_fraction": 0.2}
    huge = {"n1": 128, "seeds": 1, "max_epochs": 4, "clip_norm": 0.5, "optimizer": "sgd"}
    yield "huge", HUGE, np.tanh(HUGE.sum(axis=1)), {**huge, "learning_rate": 0.1}
    yield "task 1", None, None, {"task": 1, "n1": [2, 5], "record": ["gradient_norm", "clipped"]}
    yield "task 2", None, None, {"task": 2, "n1": [4], "max_epochs": 3}


def digest(result):
    """SHA-256 of all weights, histories and stops of a run."""
    found = hashlib.sha256()
    for arrays in (result.packed, result.entries, *result.recorded.values()):
        for name in sorted(arrays):
            found.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    for name in ("stop_reason", "best_epoch", "train_loss", "val_loss"):
        found.update(repr(result.members[name].tolist()).encode())
    return found.hexdigest()


def measure(backend):
    """The digest of every run, by its name."""
    found = {}
    for name, x, y, arguments in runs():
        given = {**SMALL, **arguments, "backend": backend}
        found[name] = digest(fastnet.sweep(x, y, **given))
        print(f"{found[name][:12]}  {name}", file=sys.stderr)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--backend", default="kernels", choices=("kernels", "reference"))
    given = parser.parse_args()
    found = measure(given.backend)
    if not given.file.exists():
        given.file.write_text(json.dumps(found, indent=1) + "\n")
        return
    before = json.loads(given.file.read_text())
    differ = [name for name in {**before, **found} if before.get(name) != found.get(name)]
    print(f"{len(found) - len(differ)} of {len(found)} runs are the same bytes")
    if differ:
        sys.exit(f"other bytes: {', '.join(differ)}")


if __name__ == "__main__":
    main()
