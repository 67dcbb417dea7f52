"""Compare ensembles with the best member of the same sweep, on a folder of data sets.

    python scripts/measure_ensembles.py FOLDER [SET ...]     all sets, or some of them

Results go into docs/ensembles.json, from which scripts/make_docs.py writes the tables of
docs/ensembles.md. A set is FOLDER/NAME.npz with X, y and, if the test rows are published, n_train
(the training rows come first) or X_test and y_test; otherwise a quarter is held out, by the seed.
"""

import json
import sys
from pathlib import Path

import numpy as np

import fastnet
from fastnet.results.ensemble import scores
from fastnet.results.intervals import sureness

STORED = Path(__file__).resolve().parents[1] / "docs" / "ensembles.json"
CLASSES = ("iris", "wine", "breast_cancer", "diabetes_p1", "vowel", "satimage")
NUMBERS = ("autompg", "concrete", "friedman1", "abalone", "bank32fm")
SEEDS = {"abalone": 3, "bank32fm": 3, "satimage": 2}  # the slow ones; 10 for the rest
RULES = ("top:10", "all", "greedy:10")
LEVEL = 0.9
# Twenty members: two widths, ten seeds. The rest as the estimators have it.
SWEEP = {
    "n1": [32, 64],
    "seeds": 10,
    "learning_rate": 0.003,
    "optimizer": "adam",
    "activation": "relu",
    "l2": 0.001,
    "batch_size": 32,
    "clip_norm": 1.0,
    "max_epochs": 200,
    "patience": 25,
    "lr_patience": 10,
    "lr_factor": 0.5,
    "scale": "standard",
    "validation_fraction": 0.2,
    "threads": 1,
}


def parts(folder, name, seed):
    """X, y, X_test and y_test."""
    with np.load(Path(folder) / f"{name}.npz", allow_pickle=False) as arrays:
        known = dict(arrays)
    X, y = known["X"].astype(np.float64), known["y"]
    y = y if name in CLASSES else y.astype(np.float64)
    if "X_test" in known:
        return X, y, known["X_test"].astype(np.float64), known["y_test"].astype(np.float64)
    order, n = np.arange(len(X)), int(known.get("n_train", 0))
    if not n:
        order, n = np.random.default_rng(seed).permutation(len(X)), len(X) - len(X) // 4
    train, test = order[:n], order[n:]
    return X[train], y[train], X[test], y[test]


def measured(predictor, X, y):
    """Scores of a predictor on the test rows, and of its intervals or sets."""
    Y = y[:, None] if predictor.classes is None else (y[:, None] == predictor.classes) * 1.0
    weight = np.ones(len(y))
    found = scores(predictor, X, Y, weight)["metrics"]
    Z2, std = predictor.outputs_and_spread(X)
    names = ("rmse",) if predictor.classes is None else ("log_loss", "accuracy")
    sure = sureness(predictor, Z2, std, predictor.encoded(Y), weight, LEVEL)
    return {**{name: found[name] for name in names}, **sure}


def measure(folder, name):
    """The means over the seeds of what is measured of the best member and of each ensemble."""
    runs = []
    for seed in range(SEEDS.get(name, 10)):
        X, y, X_test, y_test = parts(folder, name, seed)
        loss = "cross_entropy" if name in CLASSES else "squared"
        result = fastnet.sweep(X, y, loss=loss, data_seed=seed, **SWEEP)
        ensembles = {r: result.ensemble(r, data=(X, y), calibrate=True) for r in RULES}
        found = {"best": measured(result.model(), X_test, y_test)}
        found |= {rule: measured(one, X_test, y_test) for rule, one in ensembles.items()}
        units = {rule: sum(m.weights.b1.size for m in e.models) for rule, e in ensembles.items()}
        for rule, count in {"best": int(result.best["n1"]), **units}.items():
            found[rule]["n1"] = count
        seconds = result.members["seconds"]
        found["best"]["seconds"] = float(seconds[result.best_member])
        found["all"]["seconds"] = float(seconds.sum())
        runs.append(found)
    row = {"rows": len(X), "inputs": X.shape[1], "seeds": len(runs)}
    for who in ("best", *RULES):
        row[who] = {key: float(np.mean([run[who][key] for run in runs])) for key in runs[0][who]}
    measure_of = "rmse" if name in NUMBERS else "log_loss"
    row["wins"] = sum(run["greedy:10"][measure_of] < run["best"][measure_of] for run in runs)
    return row


def main(folder, names):
    stored = json.loads(STORED.read_text()) if STORED.is_file() else {"sets": {}}
    for name in names or (*NUMBERS, *CLASSES):
        stored["sets"][name] = measure(folder, name)
        print(name, json.dumps(stored["sets"][name]), flush=True)
        STORED.write_text(json.dumps(stored, indent=1) + "\n")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
