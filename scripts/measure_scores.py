"""Compare the scores of fastnet's estimators and scikit-learn's MLP on a folder of data sets.

    python scripts/measure_scores.py FOLDER [SET ...]     all sets, or some of them
    python scripts/measure_scores.py --search             FastNetSearchCV against GridSearchCV

Results go into docs/scores.json, from which scripts/make_docs.py writes the tables of
docs/scores.md. A set is FOLDER/NAME.npz with X, y and, if the test rows are published, n_train
(the training rows come first) or X_test and y_test; otherwise a quarter is held out, by the seed.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV

STORED = Path(__file__).resolve().parents[1] / "docs" / "scores.json"
CLASSES = ("iris", "wine", "breast_cancer", "satimage", "vowel", "thyroid", "mnist10k")
NUMBERS = ("abalone", "autompg", "concrete", "bank32fm", "deliveries", "friedman1")
SEEDS = dict.fromkeys(("iris", "wine", "breast_cancer", "vowel", "autompg", "concrete"), 10)
SEEDS |= {"mnist10k": 1, "deliveries": 1}  # the slow ones; 3 for the rest
WHO = ("fastnet", "MLP, scaled", "MLP")
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
    """The unfitted estimators to compare, by name."""
    if name in CLASSES:
        fastnet, mlp = FastNetClassifier, MLPClassifier
        scaled = make_pipeline(StandardScaler(), mlp(random_state=seed))
    else:
        fastnet, mlp = FastNetRegressor, MLPRegressor
        scaled = TransformedTargetRegressor(
            make_pipeline(StandardScaler(), mlp(random_state=seed)), transformer=StandardScaler()
        )
    return dict(zip(WHO, (fastnet(random_state=seed), scaled, mlp(random_state=seed))))


def measure(folder, name):
    """Mean and standard deviation of the test score over seeds, median seconds of a fit."""
    seeds = SEEDS.get(name, 3)
    results = {who: [] for who in WHO}
    for seed in range(seeds):
        X, X_test, y, y_test = parts(folder, name, seed)
        for who, estimator in contenders(name, seed).items():
            began = time.perf_counter()
            estimator.fit(X, y)
            took = time.perf_counter() - began
            results[who].append((estimator.score(X_test, y_test), took))
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


def main(folder, names):
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {"sets": {}}
    stored["contenders"] = WHO
    warnings.simplefilter("ignore")  # MLP's 200 epochs often end before it has converged
    FastNetClassifier(max_epochs=1).fit([[0.0], [1.0]] * 10, [0, 1] * 10)  # compile
    if folder == "--search":
        stored["search"] = measure_search()
    for name in names if folder != "--search" else ():
        stored["sets"][name] = row = measure(folder, name)
        shown = (f"{who} {row[who]['score']:.4f} {row[who]['seconds']:.2f} s" for who in WHO)
        print(name, *shown, sep="; ", flush=True)
    sets = stored["sets"]
    stored["sets"] = {name: sets[name] for name in (*CLASSES, *NUMBERS) if name in sets}
    STORED.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: measure_scores.py FOLDER [SET ...], or --search")
    main(sys.argv[1], sys.argv[2:] or (*CLASSES, *NUMBERS))
