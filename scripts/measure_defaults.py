"""Print the tables of docs/notes/defaults.md, on which the defaults rest. Takes a few minutes."""

import numpy as np

import fastnet
from fastnet.data.tasks import FUNCTIONS
from fastnet.engine.init import initial_weights

SEEDS = 20


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    print("\n".join(f"| {' | '.join(map(str, line))} |" for line in lines), end="\n\n")


def reached(members):
    """How many of the members reached their target, and their median epoch."""
    epochs = members["epochs"][members["stop_reason"] == "target"]
    return f"{len(epochs)}, {np.median(epochs):.0f}" if len(epochs) else "0"


def learning_rates():
    """Task 1: learning rate against N1."""
    widths, rates = [5, 6, 7, 8, 10, 12, 16], [0.3, 0.4, 0.6]
    result = fastnet.sweep(
        task=1, n1=widths, seeds=SEEDS, learning_rate=rates, lr_patience=10, max_epochs=4000
    )
    m = result.members
    rows = [
        [r, *(reached(m[(m["learning_rate"] == r) & (m["n1"] == n)]) for n in widths)]
        for r in rates
    ]
    table(["learning rate", *widths], rows)


def methods():
    """Task 1: optimizer against N1."""
    widths, rows = [2, 3, 4, 5, 6, 8, 10, 12], []
    for optimizer, epochs in (("lm", 200), ("lbfgs", 2000), ("sgd", 5000)):
        result = fastnet.sweep(
            task=1, n1=widths, seeds=SEEDS, optimizer=optimizer, max_epochs=epochs
        )
        m = result.members
        rows.append([optimizer, *(reached(m[m["n1"] == n]) for n in widths)])
    table(["optimizer", *widths], rows)


def starts():
    """Task 1: the N1 that train starts, and the networks it finds for the 19 functions."""
    rows = []
    for n1 in ((2, 4, 6, 8), (2, 4, 6, 8, 16), (2, 4, 8, 16, 32, 64)):
        runs = [fastnet.train(task=1, function=f, n1=n1, seeds=8).best for f in FUNCTIONS]
        found = [best["n1"] for best in runs if best["stop_reason"] == "target"]
        rows.append([", ".join(map(str, n1)), len(found), f"{np.mean(found):.1f}"])
    table(["N1", f"functions of {len(FUNCTIONS)}", "mean N1 found"], rows)


def weight_lengths():
    """Task 1: Nguyen-Widrow's length times a factor."""
    widths, factors = [5, 6, 7, 8, 10, 12, 16], [0.5, 1, 2]
    rows = []
    for factor in factors:
        cells = []
        for n1 in widths:
            drawn = [initial_weights(s, n1, 1, 1, "nguyen_widrow", "sigmoid") for s in range(SEEDS)]
            scaled = [w._replace(W1=factor * w.W1, b1=factor * w.b1) for w in drawn]
            result = fastnet.sweep(
                task=1, n1=n1, seeds=SEEDS, optimizer="sgd", max_epochs=6000,
                initial_weights=scaled,
            )  # fmt: skip
            cells.append(reached(result.members))
        rows.append([factor, *cells])
    table(["length times", *widths], rows)


def few_inputs():
    """Glorot against Nguyen-Widrow weights for a growing number of inputs."""
    rng = np.random.default_rng(0)
    functions = {
        "sin(2 (x_1 + ... + x_d))": lambda X: np.sin(2 * X.sum(axis=1)),
        "sum of sin(pi x_j) / sqrt(d)": lambda X: np.sin(np.pi * X).sum(axis=1) / X.shape[1] ** 0.5,
        "2 exp(-2 x'x / d)": lambda X: 2 * np.exp(-2 * (X**2).mean(axis=1)),
    }
    rows = []
    for d in (1, 2, 3, 4, 6, 8):
        X = rng.uniform(-1, 1, (1000, d))
        cells = []
        for f in functions.values():
            result = fastnet.sweep(
                X, f(X), n1=[16, 32], seeds=5, learning_rate=[0.1, 0.3], clip_norm=1.0,
                lr_patience=10, max_epochs=2000, init=["glorot_uniform", "nguyen_widrow"],
                validation_fraction=0.3,
            )  # fmt: skip
            cells.append(" / ".join(f"{best_median(result.members, i):.2g}" for i in (0, 1)))
        rows.append([d, *cells])
    table(["d", *functions], rows)


def best_median(members, init):
    """The lowest median over seeds of the validation loss, for one init."""
    name = ("glorot_uniform", "nguyen_widrow")[init]
    groups = members[members["init"] == name].reshape(2, 5, 2)  # N1, seeds, learning rates
    return np.median(groups["val_loss"], axis=1).min()


def digits():
    """Task 2: mean test accuracy of the member with the lowest validation loss of 4 seeds."""
    widths, settings = [32, 64], [(1, 16), (1, 32), (2, 8), (2, 16), (2, 32), (3, 16), (3, 32)]
    found = {(n1, *s): [] for n1 in widths for s in settings}
    for data_seed in range(10):
        result = fastnet.sweep(
            task=2, n1=widths, seeds=4, learning_rate=[1, 2, 3], batch_size=[8, 16, 32],
            data_seed=data_seed,
        )  # fmt: skip
        for (n1, rate, size), accuracies in found.items():
            m = result.members
            m = m[(m["n1"] == n1) & (m["learning_rate"] == rate) & (m["batch_size"] == size)]
            accuracies.append(m["test_accuracy"][m["val_loss"].argmin()])
    table(
        ["N1", *(f"rate {rate}, batch {size}" for rate, size in settings)],
        [[n1, *(f"{np.mean(found[(n1, *s)]):.2%}" for s in settings)] for n1 in widths],
    )
    best = [fastnet.train(task=2, data_seed=seed).best["test_accuracy"] for seed in range(10)]
    print(f"fastnet train --task 2: {np.mean(best):.2%} on average over data seeds 0 to 9")


def optimizers():
    """Task 2: mean test accuracy, and epochs of the members, by optimizer and schedule."""
    settings = [
        ("sgd", 2.0, 16, "plateau"),
        ("sgd", 2.0, 16, "cosine"),
        ("sgd", 2.0, 16, "one_cycle"),
    ]
    settings += [("adam", rate, 32, "plateau") for rate in (0.003, 0.01, 0.03)]
    settings += [("adam", 0.01, 32, "cosine"), ("adam", 0.01, 32, "one_cycle")]
    names, rows = ("optimizer", "learning_rate", "batch_size", "schedule"), []
    for setting in settings:
        best, epochs = [], []
        for data_seed in range(4):
            given = dict(zip(names, setting), data_seed=data_seed)
            m = fastnet.sweep(task=2, n1=[32, 64], seeds=4, **given).members
            best.append(m["test_accuracy"][m["val_loss"].argmin()])
            epochs.append(m["epochs"].mean())
        rows.append([*setting, f"{np.mean(best):.2%}", f"{np.mean(epochs):.0f}"])
    table([*(name.replace("_", " ") for name in names), "test accuracy", "epochs"], rows)


MEASURES = methods, starts, learning_rates, weight_lengths, few_inputs, digits, optimizers

if __name__ == "__main__":
    for measure in MEASURES:
        print(measure.__doc__.strip())
        measure()
