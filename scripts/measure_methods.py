"""Measure how fast each method reaches a loss on task 1's functions; write docs/methods.json.

    python scripts/measure_methods.py [METHOD ...] [--seeds 20]

It measures the named methods (all by default; `members` is the table of many at once) and adds them
to the file, from which scripts/make_docs.py writes the tables of docs/notes/second-order.md. Every
method starts from the same Nguyen-Widrow weights, in float64, with one thread; its loss is the half
mean squared error. The peers are scikit-learn, SciPy and PyTorch. A run of a peer gets at most
SECONDS and ends at the lowest of the losses; the times of the others follow from its losses.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

import fastnet
from fastnet import reference
from fastnet.data import tasks
from fastnet.engine.init import initial_weights
from fastnet.reference.levenberg import jacobian

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "docs" / "methods.json"
FUNCTIONS = ("sine", "gabor", "humps", "chirp", "doppler", "step")
WIDTHS = (4, 8, 16, 32)
LOSSES = (1e-3, 1e-5, 1e-8)
SECONDS = 5.0  # the most that a peer's run may take
PEER_SEEDS = 3
FASTNET = {
    "lm": {"optimizer": "lm", "max_epochs": 500},
    "lm, Marquardt": {"optimizer": "lm", "damping": "marquardt", "max_epochs": 500},
    "br": {"optimizer": "br", "max_epochs": 500},
    "lbfgs": {"optimizer": "lbfgs", "max_epochs": 2000},
    "sgd": {"optimizer": "sgd"},
    "adam": {"optimizer": "adam", "max_epochs": 5000},
    "rprop": {"optimizer": "rprop", "max_epochs": 2000},
}


def start(seed, n1):
    """The first weights of a member."""
    return reference.network.Net(*initial_weights(seed, n1, 1, 1, "nguyen_widrow", "sigmoid"))


def data(function):
    X, y = tasks.function_data(function, 1000, 0.0, 0)
    return np.reshape(X, (-1, 1)), np.reshape(y, (-1, 1))


def crossings(losses, seconds):
    """The first entry at or below each of LOSSES, and its time; None if there is none."""
    losses, seconds, found = np.asarray(losses), np.asarray(seconds), []
    for loss in LOSSES:
        below = np.flatnonzero(losses <= loss)
        found.append((int(below[0]), float(seconds[below[0]])) if below.size else None)
    return found


def fastnet_runs(options, function, n1, seeds):
    """The crossings of a method of fastnet, a list for every seed."""
    result = fastnet.sweep(
        task=1, function=function, n1=n1, seeds=seeds, target_loss=LOSSES[-1], dtype="float64",
        threads=1, init="nguyen_widrow", **options,
    )  # fmt: skip
    for member, record in enumerate(result.members):
        entries = result.history(member)
        share = entries.epoch / max(entries.epoch[-1], 1)
        yield crossings(entries.train_loss, share * record["seconds"])


# ---------------------------------------------------------------- peers: losses and their times


class Clock:
    """Losses and their times in seconds; stops at the lowest loss or the limit."""

    def __init__(self):
        self.began, self.losses, self.seconds = time.perf_counter(), [], []

    def note(self, loss):
        self.losses.append(float(loss))
        self.seconds.append(time.perf_counter() - self.began)
        return loss <= LOSSES[-1] or self.seconds[-1] > SECONDS


class Over(Exception):
    """The end of the run."""


def flat(net):
    return np.concatenate([net.W1.ravel(), net.b1, net.W2.T.ravel(), net.b2])


def unflat(w, n1):
    W1, b1, W2, b2 = np.split(w, np.cumsum([n1, n1, n1]))
    return reference.network.Net(W1[:, None], b1, W2[None, :], b2)


def scipy_lm(net, X, Y, clock):
    """MINPACK's lmder with the analytic Jacobian; scaled by it (x_scale="jac") it is worse here."""
    from scipy.optimize import least_squares

    n1 = len(net.b1)
    sigmoid = reference.activations.ACTIVATIONS["sigmoid"]

    def residuals(w):
        _, Z2 = reference.network.forward(unflat(w, n1), sigmoid, X)
        return (Z2 - Y)[:, 0]

    def derivatives(w):
        net = unflat(w, n1)
        H, Z2 = reference.network.forward(net, sigmoid, X)
        if clock.note(((Z2 - Y) ** 2).mean() / 2):
            raise Over
        return jacobian(X, H, H * (1 - H), net.W2)[:, 0]

    options = dict.fromkeys(("ftol", "xtol", "gtol"), 1e-15)  # it stops at the loss, not earlier
    options |= {"x_scale": 1.0, "max_nfev": 2000}
    least_squares(residuals, flat(net), derivatives, method="lm", **options)


def sklearn_mlp(solver, **options):
    """scikit-learn's MLPRegressor; its tolerance for stopping is switched off."""

    def run(net, X, Y, clock):
        from sklearn.neural_network import MLPRegressor

        class Observed(MLPRegressor):
            def _init_coef(self, fan_in, fan_out, dtype):
                first = fan_in == 1 and fan_out == len(net.b1) and not hasattr(self, "second")
                self.second = True
                W, b = (net.W1, net.b1) if first else (net.W2, net.b2)
                return W.T.astype(dtype).copy(), b.astype(dtype).copy()

            def _loss_grad_lbfgs(self, *arguments):
                loss, gradient = super()._loss_grad_lbfgs(*arguments)
                if clock.note(loss):
                    raise Over
                return loss, gradient

            def _update_no_improvement_count(self, *arguments):
                super()._update_no_improvement_count(*arguments)
                if clock.note(self.loss_):
                    raise Over

        model = Observed(
            hidden_layer_sizes=(len(net.b1),), activation="logistic", solver=solver, alpha=0.0,
            tol=0.0, n_iter_no_change=10**6, max_fun=10**6, **options,
        )  # fmt: skip
        model.fit(X, Y[:, 0])

    return run


def torch_adam(net, X, Y, clock):
    """A bare loop of PyTorch with full batches."""
    import torch

    torch.set_num_threads(1)
    X, Y = torch.from_numpy(X), torch.from_numpy(Y)
    weights = [torch.from_numpy(w.copy()).requires_grad_() for w in net]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    for _ in range(5000):
        W1, b1, W2, b2 = weights
        loss = ((torch.sigmoid(X @ W1.T + b1) @ W2.T + b2 - Y) ** 2).mean() / 2
        if clock.note(loss.item()):
            raise Over
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


PEERS = {
    "scipy least_squares lm": scipy_lm,
    "scikit-learn lbfgs": sklearn_mlp("lbfgs", max_iter=2000),
    "scikit-learn adam": sklearn_mlp(
        "adam", max_iter=5000, batch_size=1000, learning_rate_init=0.01
    ),
    "PyTorch Adam": torch_adam,
}


def peer_runs(run, function, n1, seeds):
    """The crossings of a peer, a list for every seed."""
    import warnings

    X, Y = data(function)
    for seed in range(seeds):
        clock = Clock()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warning that max_iter was reached
            try:
                run(start(seed, n1), X, Y, clock)
            except Over:
                pass
        yield crossings(clock.losses, clock.seconds)


# ---------------------------------------------------------------- all of it


def cell(runs, level):
    """How many runs reached a loss, their median epochs and seconds."""
    hits = [run[level] for run in runs if run[level]]
    medians = [float(f"{np.median(v):.3g}") for v in zip(*hits)] if hits else [None, None]
    return [len(runs), len(hits), *medians]


def measure(method, seeds):
    """Rows of one method: function, N1, loss, runs, how many reached it, epochs, seconds."""
    for function in FUNCTIONS:
        for n1 in WIDTHS:
            if method in PEERS:
                runs = list(peer_runs(PEERS[method], function, n1, min(seeds, PEER_SEEDS)))
            else:
                runs = list(fastnet_runs(FASTNET[method], function, n1, seeds))
            for level, loss in enumerate(LOSSES):
                yield [function, n1, loss, *cell(runs, level)]


def members():
    """lm on 1,000 members of a width: N1, seconds, members a second on one thread and on all."""
    for n1 in (2, 4, 8, 16, 32):
        given = {"task": 1, "n1": n1, "seeds": 1000, "optimizer": "lm", "max_epochs": 10}
        seconds = [
            min(
                fastnet.sweep(target_loss=None, threads=threads, **given).seconds["train"]
                for _ in range(2)
            )
            for threads in (1, None)
        ]
        yield [n1, *(float(f"{s:.3g}") for s in seconds)]


def lines(rows):
    """A list of rows as JSON, one row per line."""
    return "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]"


def save(stored):
    """Write the file."""
    methods = ",\n".join(f"{json.dumps(m)}: {lines(r)}" for m, r in stored["methods"].items())
    parts = [
        f'"versions": {json.dumps(stored["versions"])}',
        f'"members": {lines(stored["members"])}',
        f'"methods": {{\n{methods}\n}}',
    ]
    FILE.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def versions():
    import scipy
    import sklearn
    import torch

    return {
        "python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__, "torch": torch.__version__,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", metavar="METHOD")
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    stored = {"methods": {}, "members": []}
    if FILE.exists():
        stored = json.loads(FILE.read_text())
    for method in arguments.methods or ["members", *FASTNET, *PEERS]:
        if method == "members":
            stored["members"] = list(members())
        else:
            stored["methods"][method] = list(measure(method, arguments.seeds))
        stored["versions"] = versions()
        save(stored)
        print(method, flush=True)


if __name__ == "__main__":
    main()
