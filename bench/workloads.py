"""The workloads that are trained, by name, in three sizes."""

from typing import NamedTuple

import numpy as np

from bench.work import Work
from fastnet import reference
from fastnet.data import tasks
from fastnet.engine.init import initial_weights
from fastnet.training.plan import FEW_INPUTS

CHECK_EPOCHS = 20  # after which losses are compared
# Adam with relu multiplies rounding: after 20 epochs of 50 steps float32 losses differ by 5e-3 from
# float64. And scikit-learn's Adam adds epsilon at another place, which is 3e-4 after 2 epochs.
ADAM_CHECK_EPOCHS = 2
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
    check_epochs: int = CHECK_EPOCHS  # after which they are compared

    @property
    def unit_samples(self):
        """Samples x hidden units of one epoch of all members."""
        return int(self.work.n1.sum()) * len(self.work.X)


def make_work(X, Y, loss, widths, seeds, dtype, held_out=0, **settings):
    """A Work of all widths and seeds, its last samples held out; settings are fields of Work."""
    d, k = X.shape[1], Y.shape[1]
    init = "nguyen_widrow" if loss == "squared" and d <= FEW_INPUTS else "glorot_uniform"
    activation = settings.get("activation", "sigmoid")
    n1 = np.repeat(widths, seeds)
    drawn = [initial_weights(s, w, d, k, init, activation) for w in widths for s in range(seeds)]
    flat = np.concatenate([a.ravel() for weights in drawn for a in weights])
    size, epochs = settings.get("batch_size", 0), settings.pop("epochs")
    order, n = np.zeros((0, 0), np.int64), len(X) - held_out
    if size:  # fastnet's order for seed 0; the same for all, as ParallelMLPs needs
        order = np.array([reference.batches.shuffle(0, e + 1, n) for e in range(epochs)])
    return Work(
        loss=loss,
        X=np.ascontiguousarray(X[:n], dtype),
        Y=np.ascontiguousarray(Y[:n], dtype),
        Xv=np.ascontiguousarray(X[n:], dtype),
        Yv=np.ascontiguousarray(Y[n:], dtype),
        n1=n1,
        flat=flat.astype(dtype),
        order=order,
        **{**EXTRAS, "batch_size": 0, **settings},
    )


EXTRAS = {"clip_norm": 1.0, "lr_patience": 50, "lr_factor": 0.5, "keep_best": True}
NO_EXTRAS = {"clip_norm": np.inf, "lr_patience": 0, "lr_factor": 0.5}
# The estimators' defaults; batches and widths stand in the workload.
ESTIMATOR = {
    **EXTRAS, "lr_patience": 12, "learning_rate": 0.003, "batch_size": 32,
    "activation": "relu", "optimizer": "adam", "l2": 0.001,
}  # fmt: skip


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
    for batch_size, keep_best in ((32, True), (256, True), (32, False), (256, False)):
        work = make_work(
            X, one_hot(labels, 3), "cross_entropy", widths, seeds, dtype,
            learning_rate=0.1, batch_size=batch_size, epochs=CHECK_EPOCHS, keep_best=keep_best,
            **NO_EXTRAS,
        )  # fmt: skip
        name = f"grid10000/{batch_size}" + ("" if keep_best else "/unmonitored")
        text = f"the ParallelMLPs grid: {samples:,} samples of 5 inputs, batches of {batch_size}"
        text += ", the exact loss after every epoch" if keep_best else ", no loss until the end"
        yield Workload(name, text, work, epochs, check_members=100)


def classes(samples):
    """20 standard inputs, 3 classes."""
    X = np.random.default_rng(0).standard_normal((samples, 20))
    return X, one_hot(np.digitize(np.sin(X[:, :5].sum(axis=1)), (-0.5, 0.5)), 3)


def numbers(samples):
    """Friedman 1991, eq. 61: 10 inputs, of which 5 count; both scaled as the estimators do."""
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(samples, 10))
    y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2
    y += 10 * X[:, 3] + 5 * X[:, 4] + rng.standard_normal(samples)
    return (X - X.mean(axis=0)) / X.std(axis=0), ((y - y.mean()) / y.std())[:, None]


def estimator(size, dtype):
    """What the estimators train by default: a fifth held out, 50 steps of 32 samples an epoch."""
    n1, samples, epochs = (128, 2000, 100) if size != "smoke" else (5, 80, CHECK_EPOCHS)
    cases = (
        ("fit", "a classifier: one network, 20 inputs, 3 classes", "cross_entropy", classes, 1),
        ("search", "a regressor: 20 networks, 10 inputs", "squared", numbers, 20),
    )
    for name, text, loss, data, members in cases:
        work = make_work(
            *data(samples), loss, [n1], members if size != "smoke" else 2, dtype,
            held_out=samples // 5, epochs=epochs, **ESTIMATOR,
        )  # fmt: skip
        text = f"the estimators' defaults: {text}, N1 = {n1}, adam, relu, batches of 32"
        yield Workload(f"estimator/{name}", text, work, epochs, check_epochs=ADAM_CHECK_EPOCHS)


WORKLOADS = {
    "task1-sweep": task1_sweep,
    "task2-sweep": task2_sweep,
    "minibatch": minibatch,
    "tiny": tiny,
    "grid10000": grid10000,
    "estimator": estimator,
}


def spread(count, most):
    """Numbers of at most this many of `count` members, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
