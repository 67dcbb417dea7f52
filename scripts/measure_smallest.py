"""Compare `fastnet smallest` with 1,000 seeds of every width around its answer; write JSON.

    python scripts/measure_smallest.py [FUNCTION ...] [--again]

For each function of task 1 and each target it searches once, and trains SEEDS other seeds of the
widths around the answer. Each pair is added to docs/smallest.json as soon as it is done; pairs that
are there are skipped, unless --again is given or their defaults or first weights changed. From
the file scripts/make_docs.py writes the table of docs/how-sure.md.
"""

import argparse
import json
import time
from pathlib import Path

import fastnet
from fastnet.files import write_bytes
from fastnet.options.defaults import defaults

FILE = Path(__file__).resolve().parents[1] / "docs" / "smallest.json"
FUNCTIONS = (
    *("sine", "gabor", "sinc", "humps", "heavisine", "chirp", "triangle", "piecewise", "neal"),
    "forrester",
)
TARGETS = (1e-3, 1e-4)
TARGETS_OF = {"heavisine": (3e-3, 1e-3), "triangle": (3e-3, 1e-3)}  # 1e-4 takes far wider networks
PAIRS = [
    (function, target) for function in FUNCTIONS for target in TARGETS_OF.get(function, TARGETS)
]
SEEDS = range(1_000_000, 1_001_000)  # none of them is one of a search
AROUND = (-1, 0, 1)


def settings(function):
    """What decides the rates: defaults of the search, and the loss of a member's first weights."""
    values = defaults("smallest", 1)
    names = "optimizer", "activation", "max_epochs", "success_rate", "confidence", "max_members"
    start = fastnet.train(task=1, function=function, n1=3, max_epochs=1, target_loss=None)
    first = float(f"{start.history().train_loss[0]:.6g}")
    return json.loads(json.dumps({**{name: values[name] for name in names}, "first_loss": first}))


def measure(function, target):
    """A search, and the rates of many other seeds of the widths around its answer."""
    given = {"task": 1, "function": function, "target_loss": target}
    began = time.process_time()
    result = fastnet.smallest(**given)
    seconds = time.process_time() - began
    answer = result.summary()["smallest_n1"]
    verdicts = {row["n1"]: row["verdict"] for row in result.by_n1()}
    rates = {}
    for n1 in (answer + step for step in AROUND if answer is not None and answer + step > 0):
        found = fastnet.sweep(**given, n1=n1, seeds=SEEDS, keep="none")
        rates[n1] = found.by_n1()[0]["success_rate"]
    return {
        "function": function,
        "target": target,
        "settings": settings(function),
        "answer": answer,
        "members": len(result.members),
        "cpu_seconds": round(seconds, 2),
        "verdicts": {str(n1): verdict for n1, verdict in verdicts.items()},
        "rates": {str(n1): rate for n1, rate in rates.items()},
    }


def wrong(row, rate=0.9):
    """The widths whose verdict and rate contradict each other."""
    sides = {n1: "sufficient" if r >= rate else "insufficient" for n1, r in row["rates"].items()}
    told = row["verdicts"]
    return [n1 for n1, side in sides.items() if told.get(n1, "open") not in ("open", side)]


def save(rows):
    """Write the file, a row a line, in the order of FUNCTIONS and TARGETS."""
    order = {(function, target): i for i, (function, target) in enumerate(PAIRS)}
    rows = sorted(rows, key=lambda row: order[row["function"], row["target"]])
    lines = ",\n".join(json.dumps(row) for row in rows)
    write_bytes(FILE, f'{{"rows": [\n{lines}\n]}}\n'.encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("functions", nargs="*", metavar="FUNCTION")
    parser.add_argument("--again", action="store_true")
    arguments = parser.parse_args()
    rows = json.loads(FILE.read_text())["rows"] if FILE.exists() else []
    for function, target in PAIRS:
        if function not in (arguments.functions or FUNCTIONS):
            continue
        old = [row for row in rows if (row["function"], row["target"]) == (function, target)]
        if old and old[0]["settings"] == settings(function) and not arguments.again:
            continue
        found = measure(function, target)
        rows = [row for row in rows if row not in old] + [found]
        save(rows)
        print(function, target, found["answer"], wrong(found), found["cpu_seconds"], flush=True)


if __name__ == "__main__":
    main()
