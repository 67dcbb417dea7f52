"""Compare fastnet's estimators with scikit-learn's MLP, default and tuned, on a folder of sets.

    python scripts/measure_quality.py --data FOLDER [SET ...]         what is not yet measured
    python scripts/measure_quality.py --data FOLDER --again [SET ...] fastnet anew, peers as stored
    python scripts/measure_quality.py --search                        FastNetSearchCV, GridSearchCV

Results go into docs/scores.json, from which scripts/make_docs.py writes the tables of
docs/notes/scores.md: score and CPU seconds of every seed. A seed that is there is not measured
again, so that an interrupted run goes on where it was. Smaller sets come first. A set is
FOLDER/NAME.npz with X, y and, if the test rows are published, n_train (the training rows come
first) or X_test and y_test; otherwise a quarter is held out, by the seed. functions_1d.npz has
several functions of one input and becomes a set for each. The seconds are CPU seconds of one
thread, for fastnet the smaller of two fits.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, ShuffleSplit, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV

STORED = Path(__file__).resolve().parents[1] / "docs" / "scores.json"
CLASSES = (
    *("iris", "wine", "two_spirals", "diabetes_p1", "breast_cancer", "vowel", "digits"),
    *("thyroid", "satimage", "mnist10k"),
)
FUNCTIONS = ("sinc", "humps", "gabor1d", "mackay_step", "doppler", "heavisine", "runge", "chirp")
NUMBERS = (
    *FUNCTIONS,
    *("autompg", "concrete", "friedman1", "abalone", "bank32fm", "deliveries"),
)
SETS = (
    *(
        "iris",
        "wine",
        "two_spirals",
        "diabetes_p1",
        "breast_cancer",
        "vowel",
        "autompg",
        "concrete",
    ),
    *FUNCTIONS,
    *(
        "friedman1",
        "digits",
        "abalone",
        "bank32fm",
        "thyroid",
        "satimage",
        "deliveries",
        "mnist10k",
    ),
)
# Defaults are chosen on these sets alone. The others tell whether the choice holds on new data.
CHOSEN_ON = (
    *("iris", "two_spirals", "breast_cancer", "autompg", "concrete", "sinc", "humps", "doppler"),
    *("friedman1", "digits", "abalone", "bank32fm"),
)
# 3 for the rest. Where contenders are close and a fit is short, more tell more.
SEEDS = {
    "mnist10k": 1,
    **dict.fromkeys(("deliveries", "satimage", "thyroid"), 2),
    **dict.fromkeys(("iris", "wine", "two_spirals", "diabetes_p1", "breast_cancer"), 8),
    **dict.fromkeys(("vowel", "autompg", "concrete", "digits", "bank32fm"), 8),
}
WHO = ("fastnet", "MLP", "MLP, tuned")
# What is tuned, as a user would: 12 settings, by the score on a quarter of the training rows after
# training on the others, at most 2,000; by 3 folds of fewer than 300 rows. The best trains on all.
ALPHA, WIDTH, RATE = (1e-4, 1e-2, 1.0), ((50,), (200,)), (0.001, 0.01)
FEW_ROWS, MOST_ROWS = 300, 2000
# Settings of the search, as of a user in a hurry. Rates are crossed with them.
SEARCHED = {"patience": 15, "lr_patience": 5, "max_epochs": 200, "scale": "none"}


def parts(folder, name, seed):
    """X_train, X_test, y_train, y_test."""
    file = "functions_1d" if name in FUNCTIONS else name
    with np.load(Path(folder) / f"{file}.npz", allow_pickle=False) as arrays:
        known = {key.removeprefix(f"{name}_"): values for key, values in arrays.items()}
    X, y = known["X"].astype(np.float64), known["y"]
    if "X_test" in known:
        return X, known["X_test"], y, known["y_test"]
    if "n_train" in known:
        n = int(known["n_train"])
        return X[:n], X[n:], y[:n], y[n:]
    strata = y if name in CLASSES else None
    return train_test_split(X, y, test_size=0.25, random_state=seed, stratify=strata)


def contender(who, name, rows, seed):
    """An unfitted estimator to compare; MLP with scaled inputs and targets."""
    if who == "fastnet":
        return (FastNetClassifier if name in CLASSES else FastNetRegressor)(random_state=seed)
    if name in CLASSES:
        before = "mlpclassifier"
        mlp = make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))
    else:
        before = "regressor__mlpregressor"
        mlp = TransformedTargetRegressor(
            make_pipeline(StandardScaler(), MLPRegressor(random_state=seed)),
            transformer=StandardScaler(),
        )
    if who == "MLP":
        return mlp
    grid = {"alpha": ALPHA, "hidden_layer_sizes": WIDTH, "learning_rate_init": RATE}
    named = {f"{before}__{parameter}": values for parameter, values in grid.items()}
    held_out = rows // 4
    rest = min(rows - held_out, MOST_ROWS)
    split = ShuffleSplit(1, test_size=held_out, train_size=rest, random_state=seed)
    return GridSearchCV(mlp, named, cv=3 if rows < FEW_ROWS else split)


def fit(estimator, X, y):
    """The fitted estimator and its CPU seconds, without those of compiling kernels."""
    seconds = []
    for _ in range(2 if isinstance(estimator, (FastNetClassifier, FastNetRegressor)) else 1):
        began, fitted = time.process_time(), clone(estimator)
        fitted.fit(X, y)
        seconds.append(time.process_time() - began)
    return fitted, min(seconds)


def measure(folder, name, row, whom):
    """Fill in the row of a set, whoever lacks a seed, yielding what was found after each fit."""
    for who in whom:
        found = row.setdefault(who, {"scores": [], "seconds": []})
        for seed in range(len(found["scores"]), SEEDS.get(name, 3)):
            X, X_test, y, y_test = parts(folder, name, seed)
            row |= {"rows": len(X), "inputs": X.shape[1]}
            fitted, took = fit(contender(who, name, len(X), seed), X, y)
            found["scores"].append(round(fitted.score(X_test, y_test), 5))
            found["seconds"].append(float(f"{took:.3g}"))
            yield f"{name}, seed {seed}: {who} {found['scores'][-1]:.4f} in {took:.2f} s"


def measure_search():
    """The same grid over the digits: FastNetSearchCV, GridSearchCV over MLP, both on 2 cores."""
    X, y = load_digits(return_X_y=True)
    X = X / 16
    widths, rates, penalties = [16, 32, 64, 128], [0.003, 0.01], [0.0, 1e-3]
    ours = {"n1": widths, "learning_rate": rates, "l2": penalties}
    theirs = {
        "hidden_layer_sizes": [(n1,) for n1 in widths],
        "learning_rate_init": rates,
        "alpha": [1e-4, 1.0],
    }
    net = FastNetClassifier(random_state=0, **SEARCHED)
    searches = {
        "FastNetSearchCV": FastNetSearchCV(net, ours, n_jobs=2),
        "GridSearchCV, MLP": GridSearchCV(MLPClassifier(random_state=0), theirs, n_jobs=2),
        "GridSearchCV, MLP, early stopping": GridSearchCV(
            MLPClassifier(random_state=0, early_stopping=True), theirs, n_jobs=2
        ),
    }
    found = {}
    for who, search in searches.items():
        seconds = []
        for _ in range(2 if who == "FastNetSearchCV" else 1):  # the first loads the kernels
            began = time.perf_counter()
            search.fit(X, y)
            seconds.append(time.perf_counter() - began)
        means = search.cv_results_["mean_test_score"]
        found[who] = {
            "seconds": min(seconds),
            "best": means.max(),
            "mean": means.mean(),
            "fits": len(means) * search.n_splits_,
        }
        print(who, found[who], flush=True)
    return found


def measure_sets(folder, names, again):
    """Measure sets and store every score at once."""
    stored = json.loads(STORED.read_text())
    sets = stored["quality"]["sets"]
    for name in names or SETS:
        if name not in SETS:
            sys.exit(f"{name} is none of the sets {', '.join(SETS)}")
        row = sets.setdefault(name, {})
        if again:
            row.pop("fastnet", None)
        for line in measure(folder, name, row, WHO[:1] if again else WHO):
            print(line, flush=True)
            sets = {name: sets[name] for name in SETS if name in sets}
            stored["quality"] = {"contenders": WHO, "chosen_on": CHOSEN_ON, "sets": sets}
            STORED.write_text(json.dumps(stored, indent=1) + "\n")


def main(arguments):
    warnings.simplefilter("ignore")  # MLP's 200 epochs often end before it has converged
    if arguments[0] == "--search":
        stored = json.loads(STORED.read_text())
        stored["search"] = measure_search()
        STORED.write_text(json.dumps(stored, indent=1) + "\n")
        return
    again = "--again" in arguments
    with threadpool_limits(1):
        measure_sets(arguments[1], [a for a in arguments[2:] if a != "--again"], again)


if __name__ == "__main__":
    if sys.argv[1:] != ["--search"] and (len(sys.argv) < 3 or sys.argv[1] != "--data"):
        sys.exit("usage: measure_quality.py --data FOLDER [--again] [SET ...], or --search")
    main(sys.argv[1:])
