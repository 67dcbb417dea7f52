"""Find the smallest N1 for task 1's functions by initial weights; write docs/functions.json.

    python scripts/measure_functions.py [--targets 1e-3,1e-5,1e-8] [--seeds 200] [--again]

Of the widths in WIDTHS it takes the first of which at least 90 % of the seeds reach the target with
the defaults of task 1, one thread, in float64. A width gets FEW seeds first, and the others only if
most of these reach it. What is in the file is not measured again without --again, so the script can
be stopped at any time. scripts/make_docs.py writes a table of docs/notes/defaults.md from it.
"""

import argparse
import json
import time
from pathlib import Path

import fastnet
from fastnet.data.tasks import FUNCTIONS, function_data
from fastnet.engine.init import variation

FILE = Path(__file__).resolve().parents[1] / "docs" / "functions.json"
WIDTHS = (*range(1, 13), 14, 16, 18, 20, 24, 28, 32, 40)
INITS = ("nguyen_widrow", "adapted")
SHARE, FEW, MOST_OF_FEW = 0.9, 20, 0.75


def reached(function, n1, target, init, seeds):
    """How many of the seeds reach the target, and the seconds of processor time."""
    given = {"function": function, "n1": n1, "seeds": seeds, "target_loss": target, "init": init}
    before = time.process_time()
    result = fastnet.sweep(task=1, threads=1, dtype="float64", **given)
    return int((result.members["stop_reason"] == "target").sum()), time.process_time() - before


def smallest(function, target, init, seeds):
    """[N1 or None, how many seeds reached the target with it, seeds, seconds of all widths]."""
    spent = 0.0
    for n1 in WIDTHS:
        few = min(FEW, seeds)
        count, seconds = reached(function, n1, target, init, few)
        spent += seconds
        if count < MOST_OF_FEW * few:
            continue
        more, seconds = reached(function, n1, target, init, list(range(few, seeds)))
        spent += seconds
        if count + more >= SHARE * seeds:
            return [n1, count + more, seeds, float(f"{spent:.3g}")]
    return [None, 0, seeds, float(f"{spent:.3g}")]


def save(found):
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(row)}" for key, row in found.items())
    FILE.write_text("{\n" + lines + "\n}\n")


def main():
    reached("sine", 1, 1e-3, "adapted", 1)  # compiles
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", default="1e-3,1e-5,1e-8")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    for target in arguments.targets.split(","):
        for function in FUNCTIONS:
            even = variation(*function_data(function)) is None  # the same weights by both inits
            for init in INITS[:1] if even else INITS:
                key = f"{function} {target} {init}"
                if key not in found or arguments.again:
                    found[key] = smallest(function, float(target), init, arguments.seeds)
                    save(found)
                    print(key, *found[key], flush=True)


if __name__ == "__main__":
    main()
