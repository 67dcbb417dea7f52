"""Where a model is from, in words: for the comment at the top of an export."""

import os
from pathlib import Path

from fastnet.data.sources import reason_samples_missing, run_samples
from fastnet.results.collect import load
from fastnet.results.reading import read_json
from fastnet.results.verdict import JUDGES, judge
from fastnet.results.words import METRICS, number

TOLD = ("rmse", "r2", "accuracy", "log_loss")  # metrics, those of them that there are


def about(path, member=None):
    """Lines on the run that a model is from: its name, its data, the metrics of its best member.

    Parameters
    ----------
    path : path
        A run folder, or its model.npz; nothing is known of another file.
    member : int, optional
        The member that is exported; by default the best.

    Returns
    -------
    list of str
    """
    run = Path(os.path.abspath(path))
    run = run if run.is_dir() else run.parent
    if not (run / "summary.json").is_file():
        return []
    best = read_json(run, "summary.json")["best"]
    lines = [
        f"Run {run.name}; SHA-256 of its data: {read_json(run, 'environment.json')['data_sha256']}"
    ]
    if best["metrics"] and member in (None, best["member"]):
        lines.append(scores(best["metrics"]))
    return lines


def rows_of(path):
    """Rows (X, y) of a run to measure an export on: its test, else validation, else training rows.

    None if they cannot be read again, and for a model.npz.
    """
    if not Path(path).is_dir():
        return None
    result = load(path)
    if reason_samples_missing(result):
        return None
    samples, model = run_samples(result), result.model()
    judging = judge({name: rows.size or None for name, rows in samples.split.items()})
    X, Y, _ = samples.weighted(judging)
    return X, Y if model.classes is None else model.classes[Y.argmax(axis=1)]


def scores(metrics):
    """The scores on the set that judges, with those of the baseline."""
    name = judge(metrics)
    found, baseline = metrics[name], metrics[name]["baseline"]
    parts = [
        f"{METRICS[key]} {number(found[key])} (baseline {number(baseline[key])})"
        for key in TOLD
        if key in found
    ]
    return f"On the {JUDGES[name]} rows: {', '.join(parts)}"
