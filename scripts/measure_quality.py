"""Compare fastnet's estimators with scikit-learn's MLP, default and tuned, on a folder of sets.

    python scripts/measure_quality.py --data FOLDER [SET ...]   all sets, or some of them
    python scripts/measure_quality.py --search                  FastNetSearchCV, GridSearchCV

Results go into docs/scores.json, from which scripts/make_docs.py writes the tables of
docs/notes/scores.md. A set whose seeds are all there is not measured again, so that an interrupted
run goes on where it was; delete its entry to measure it anew. Smaller sets come first. A set is
FOLDER/NAME.npz with X, y and, if the test rows are published, n_train (the training rows come
first) or X_test and y_test; otherwise a quarter is held out, by the seed. The seconds are CPU
seconds of one thread, the smaller of two fits of fastnet and of others of less than a second.
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
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV

STORED = Path(__file__).resolve().parents[1] / "docs" / "scores.json"
CLASSES = (
    *("iris", "wine", "diabetes_p1", "two_spirals", "breast_cancer", "vowel", "digits"),
    *("thyroid", "satimage", "mnist10k"),
)
NUMBERS = ("autompg", "concrete", "friedman1", "abalone", "bank32fm", "deliveries")
SETS = (*CLASSES[:7], *NUMBERS[:5], *CLASSES[7:9], "deliveries", "mnist10k")
SEEDS = {"mnist10k": 1, "deliveries": 1, "satimage": 2, "thyroid": 2}  # 3 for the rest
WHO = ("fastnet", "MLP", "MLP, tuned")
# What is tuned, by the mean score of 3 folds of the training rows: 12 settings, as a user would.
ALPHA, WIDTH, RATE = (1e-4, 1e-2, 1.0), ((50,), (200,)), (0.001, 0.01)
# Settings of the search, as of a user in a hurry. Rates are crossed with them.
SEARCHED = {"patience": 15, "lr_patience": 5, "max_epochs": 200, "scale": "none"}


def parts(folder, name, seed):
    """X_train, X_test, y_train, y_test."""
    with np.load(Path(folder) / f"{name}.npz", allow_pickle=False) as arrays:
        X, y, known = arrays["X"].astype(np.float64), arrays["y"], dict(arrays)
    if "X_test" in known:
        return X, known["X_test"], y, known["y_test"]
    if "n_train" in known:
        n = int(known["n_train"])
        return X[:n], X[n:], y[:n], y[n:]
    strata = y if name in CLASSES else None
    return train_test_split(X, y, test_size=0.25, random_state=seed, stratify=strata)


def contenders(name, seed):
    """The unfitted estimators to compare, by name; MLP with scaled inputs and targets."""
    if name in CLASSES:
        fastnet, before = FastNetClassifier, "mlpclassifier"
        mlp = make_pipeline(StandardScaler(), MLPClassifier(random_state=seed))
    else:
        fastnet, before = FastNetRegressor, "regressor__mlpregressor"
        mlp = TransformedTargetRegressor(
            make_pipeline(StandardScaler(), MLPRegressor(random_state=seed)),
            transformer=StandardScaler(),
        )
    grid = {"alpha": ALPHA, "hidden_layer_sizes": WIDTH, "learning_rate_init": RATE}
    named = {f"{before}__{parameter}": values for parameter, values in grid.items()}
    tuned = GridSearchCV(mlp, named, cv=3)
    return dict(zip(WHO, (fastnet(random_state=seed), mlp, tuned)))


def fit(estimator, X, y):
    """The fitted estimator and its CPU seconds, without those of compiling kernels."""
    seconds, ours = [], isinstance(estimator, (FastNetClassifier, FastNetRegressor))
    while not seconds or (len(seconds) < 2 and (ours or seconds[0] < 1)):
        began, fitted = time.process_time(), clone(estimator)
        fitted.fit(X, y)
        seconds.append(time.process_time() - began)
    return fitted, min(seconds)


def measure(folder, name):
    """Mean and standard deviation of the test score over seeds, median CPU seconds of a fit."""
    seeds = SEEDS.get(name, 3)
    results = {who: [] for who in WHO}
    for seed in range(seeds):
        X, X_test, y, y_test = parts(folder, name, seed)
        for who, estimator in contenders(name, seed).items():
            fitted, took = fit(estimator, X, y)
            results[who].append((fitted.score(X_test, y_test), took))
    row = {"rows": len(X), "inputs": X.shape[1], "seeds": seeds}
    for who, found in results.items():
        scores, seconds = np.array(found).T
        row[who] = {"score": scores.mean(), "spread": scores.std(), "seconds": np.median(seconds)}
    return row


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


def main(arguments):
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {}
    warnings.simplefilter("ignore")  # MLP's 200 epochs often end before it has converged
    if arguments[0] == "--search":
        stored["search"] = measure_search()
        STORED.write_text(json.dumps(stored, indent=1) + "\n")
        return
    quality = stored.setdefault("quality", {"contenders": WHO, "sets": {}})["sets"]
    for name in arguments[2:] or SETS:
        if quality.get(name, {}).get("seeds") == SEEDS.get(name, 3):
            continue
        quality[name] = row = measure(arguments[1], name)
        shown = (f"{who} {row[who]['score']:.4f} {row[who]['seconds']:.2f} s" for who in WHO)
        print(name, *shown, sep="; ", flush=True)
        stored["quality"]["sets"] = {name: quality[name] for name in SETS if name in quality}
        STORED.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["--search"] and (len(sys.argv) < 3 or sys.argv[1] != "--data"):
        sys.exit("usage: measure_quality.py --data FOLDER [SET ...], or --search")
    main(sys.argv[1:])
