"""Find the smallest N1 for task 1's functions by settings; write docs/functions.json.

    python scripts/measure_functions.py [--settings tanh,lbfgs] [--targets 1e-3,1e-5,1e-8]
                                        [--functions sine,abs] [--again]

A setting is the defaults of task 1 with one change (SETTINGS), with one thread, in float64. Of
WIDTHS it takes the first of which at least 90 % of the seeds reach the target, or one of the widths
left out just before it. A width gets a few seeds first, and more only if most of these reach the
target. What is in the file is not measured again without --again, so the script can be stopped at
any time. scripts/make_docs.py writes two tables of docs/notes/defaults.md from it.
"""

import argparse
import json
import time
from pathlib import Path

import fastnet
from fastnet.data.tasks import FUNCTIONS, function_data
from fastnet.engine.init import variation
from fastnet.files import write_bytes

FILE = Path(__file__).resolve().parents[1] / "docs" / "functions.json"
WIDTHS = (*range(1, 13), 14, 16, 18, 20, 24, 28, 32, 40, 48, 64, 96)
MOST_COMPARED = 40  # the widest of settings that are only compared
STAGES = ((5, 2), (20, 15), (200, 180))  # seeds, and how many of them must reach the target
STAGES_COMPARED = ((5, 2), (20, 18))
# What differs from the defaults of task 1. The first two get all seeds and widths.
SETTINGS = {
    "nguyen_widrow": {"init": "nguyen_widrow"},
    "adapted": {"init": "adapted"},
    "default": {},
    "tanh": {"activation": "tanh"},
    "lbfgs": {"optimizer": "lbfgs"},
    "500 epochs": {"max_epochs": 500},
    "float32": {"dtype": "float32"},
}
MEASURED = ("nguyen_widrow", "adapted")


def reached(given, n1, seeds):
    """How many of the seeds reach the target with this N1."""
    result = fastnet.sweep(task=1, n1=n1, seeds=list(seeds), **given)
    return int((result.members["stop_reason"] == "target").sum())


def successes(given, n1, stages):
    """How many seeds of the last stage reach the target; None if too few of any stage do."""
    count, done = 0, 0
    for seeds, least in stages:
        count, done = count + reached(given, n1, range(done, seeds)), seeds
        if count < least:
            return None
    return count


def search(given, widths, stages):
    """The smallest N1 and how many seeds reach the target with it; None, 0 if none suffices."""
    below = 0
    for n1 in widths:
        count = successes(given, n1, stages)
        if count is None:
            below = n1
            continue
        for between in range(below + 1, n1):
            fewer = successes(given, between, stages)
            if fewer is not None:
                return between, fewer
        return n1, count
    return None, 0


def measure(function, target, setting, unreachable):
    """A row: what is searched, its answer, and the seconds of processor time of the search."""
    all_seeds = setting in MEASURED
    widths = [n1 for n1 in WIDTHS if all_seeds or n1 <= MOST_COMPARED]
    stages = STAGES if all_seeds else STAGES_COMPARED
    given = {"function": function, "target_loss": float(target), "threads": 1, "dtype": "float64"}
    began, n1, count = time.process_time(), None, 0
    if not unreachable:
        n1, count = search({**given, **SETTINGS[setting]}, widths, stages)
    cpu = float(f"{time.process_time() - began:.3g}") if not unreachable else None
    answer = {"n1": n1, "reached": count, "seeds": stages[-1][0], "widest": widths[-1], "cpu": cpu}
    return {"function": function, "target": target, "setting": setting, **answer}


def hopeless(key, rows):
    """Whether no width reaches a higher target: the same members would have to pass it first."""
    return any(
        old[:2] == key[:2] and old[2] < key[2] and row["n1"] is None for old, row in rows.items()
    )


def save(rows):
    lines = ",\n".join(json.dumps(row) for row in rows)
    write_bytes(FILE, f'{{"rows": [\n{lines}\n]}}\n'.encode())


def place(row):
    """What a row answers; rows are in this order."""
    order = list(SETTINGS).index(row["setting"]), list(FUNCTIONS).index(row["function"])
    return (*order, -float(row["target"]))


def same(function, setting):
    """Whether both inits give a function the same weights; then only "adapted" is measured."""
    return setting == "nguyen_widrow" and variation(*function_data(function)) is None


def words(text):
    return text.split(",")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=words, default=list(SETTINGS))
    parser.add_argument("--targets", type=words, default=["1e-3", "1e-5", "1e-8"])
    parser.add_argument("--functions", type=words, default=list(FUNCTIONS))
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    found = json.loads(FILE.read_text())["rows"] if FILE.exists() else []
    rows = {place(row): row for row in found}
    for setting in arguments.settings:
        for dtype in ("float32", "float64"):  # compiles
            fastnet.train(task=1, **{"max_epochs": 2, "dtype": dtype, **SETTINGS[setting]})
        for target in arguments.targets:
            for function in arguments.functions:
                key = place({"function": function, "target": target, "setting": setting})
                if (key in rows and not arguments.again) or same(function, setting):
                    continue
                rows[key] = measure(function, target, setting, hopeless(key, rows))
                save([rows[key] for key in sorted(rows)])
                print(*rows[key].values(), flush=True)


if __name__ == "__main__":
    main()
