"""Where a model is from, in words: for the comment at the top of an export."""

import os
from pathlib import Path

from fastnet.results.reading import read_json
from fastnet.results.verdict import judge
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


def scores(metrics):
    """The scores on the set that judges, with those of the baseline."""
    name = judge(metrics)
    found, baseline = metrics[name], metrics[name]["baseline"]
    parts = [
        f"{METRICS[key]} {number(found[key])} (baseline {number(baseline[key])})"
        for key in TOLD
        if key in found
    ]
    return f"On the {dict(val='validation').get(name, name)} rows: {', '.join(parts)}"
