"""The workloads that are trained, by name, in three sizes."""

from typing import NamedTuple

import numpy as np

from bench.work import Work
from fastnet import reference
from fastnet.data import tasks
from fastnet.engine.init import initial_weights
from fastnet.training.plan import FEW_INPUTS

CHECK_EPOCHS = 20  # after which losses are compared
TASK1_WIDTHS = (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320)
TASK2_WIDTHS = (4, 8, 16, 32, 48, 64, 96, 128)
SMOKE_WIDTHS = (2, 5)
SIZES = ("smoke", "default", "full")


class Workload(NamedTuple):
    """A Work with its name and how many epochs a run of it has."""

    name: str
    description: str
    work: Work
    epochs: int
    check_members: int = 1 << 30  # the number of members whose losses are compared, spread evenly

    @property
    def unit_samples(self):
        """Samples x hidden units of one epoch of all members."""
        return int(self.work.n1.sum()) * len(self.work.X)


def make_work(X, Y, loss, widths, seeds, dtype, **settings):
    """A Work of all widths and seeds; settings are fields of Work."""
    d, k = X.shape[1], Y.shape[1]
    init = "nguyen_widrow" if loss == "squared" and d <= FEW_INPUTS else "glorot_uniform"
    n1 = np.repeat(widths, seeds)
    drawn = [initial_weights(s, w, d, k, init, "sigmoid") for w in widths for s in range(seeds)]
    flat = np.concatenate([a.ravel() for weights in drawn for a in weights])
    size, epochs = settings.get("batch_size", 0), settings.pop("epochs")
    order = np.zeros((0, 0), np.int64)
    if size:  # fastnet's order for seed 0; the same for all, as ParallelMLPs needs
        order = np.array([reference.batches.shuffle(0, e + 1, len(X)) for e in range(epochs)])
    return Work(
        loss=loss,
        X=np.ascontiguousarray(X, dtype),
        Y=np.ascontiguousarray(Y, dtype),
        n1=n1,
        flat=flat.astype(dtype),
        order=order,
        **{**EXTRAS, "batch_size": 0, **settings},
    )


EXTRAS = {"clip_norm": 1.0, "lr_patience": 50, "lr_factor": 0.5, "keep_best": True}
NO_EXTRAS = {"clip_norm": np.inf, "lr_patience": 0, "lr_factor": 0.5, "keep_best": False}


def one_hot(labels, k):
    return np.eye(k)[labels]


def task1_sweep(size, dtype):
    widths, seeds, samples = (TASK1_WIDTHS, 4, 1000) if size != "smoke" else (SMOKE_WIDTHS, 2, 60)
    epochs = 500 if size != "smoke" else CHECK_EPOCHS
    X, Y = tasks.function_data(samples=samples)
    work = make_work(X, Y, "squared", widths, seeds, dtype, learning_rate=TASK1_RATE, epochs=epochs)
    yield Workload("task1-sweep", "sin(2 pi x), ragged widths, full batch", work, epochs)


# Gradient descent on W2 is stable up to about 2 / (N1 / 4): at 0.05 the widest members oscillate,
# and after 20 epochs float32 losses differ by 9e-4 of rounding alone. Speed does not depend on it.
TASK1_RATE = 0.01


def digits(size):
    X, labels = tasks.digits()
    some = slice(None, 100) if size == "smoke" else slice(None)
    return X[some], one_hot(labels[some], 10)


def task2_sweep(size, dtype):
    widths, seeds = (TASK2_WIDTHS, 4) if size != "smoke" else (SMOKE_WIDTHS, 2)
    epochs = 200 if size != "smoke" else CHECK_EPOCHS
    work = make_work(
        *digits(size), "cross_entropy", widths, seeds, dtype, learning_rate=0.5, epochs=epochs
    )
    yield Workload("task2-sweep", "8 x 8 digits, ragged widths, full batch", work, epochs)


def minibatch(size, dtype):
    widths, seeds = (TASK2_WIDTHS, 4) if size != "smoke" else (SMOKE_WIDTHS, 2)
    work = make_work(
        *digits(size), "cross_entropy", widths, seeds, dtype,
        learning_rate=0.1, batch_size=32, epochs=CHECK_EPOCHS,
    )  # fmt: skip
    yield Workload("minibatch", "8 x 8 digits, ragged widths, batches of 32", work, CHECK_EPOCHS)


def tiny(size, dtype):
    samples, epochs = (1000, 10_000) if size != "smoke" else (60, CHECK_EPOCHS)
    X, Y = tasks.function_data(samples=samples)
    work = make_work(X, Y, "squared", [16], 1, dtype, learning_rate=0.3, epochs=epochs)
    yield Workload("tiny", "sin(2 pi x), one network of 16 units, full batch", work, epochs)


def grid10000(size, dtype):
    """The CPU grid of the ParallelMLPs paper, its 5 inputs, with labels that can be learnt."""
    widths, seeds, samples, epochs = {
        "smoke": (SMOKE_WIDTHS, 2, 60, 2),
        "default": (range(10, 101, 10), 10, 1000, CHECK_EPOCHS),
        "full": (range(1, 101), 100, 10_000, 3),
    }[size]
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (samples, 5))
    labels = np.digitize(np.sin(2 * X.sum(axis=1)), (-0.5, 0.5))  # 3: for 2, sklearn has one output
    for batch_size in (32, 256):
        work = make_work(
            X, one_hot(labels, 3), "cross_entropy", widths, seeds, dtype,
            learning_rate=0.1, batch_size=batch_size, epochs=CHECK_EPOCHS, **NO_EXTRAS,
        )  # fmt: skip
        text = f"the ParallelMLPs grid: {samples:,} samples of 5 inputs, batches of {batch_size}"
        yield Workload(f"grid10000/{batch_size}", text, work, epochs, check_members=100)


WORKLOADS = {
    "task1-sweep": task1_sweep,
    "task2-sweep": task2_sweep,
    "minibatch": minibatch,
    "tiny": tiny,
    "grid10000": grid10000,
}


def spread(count, most):
    """Numbers of at most this many of `count` members, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
