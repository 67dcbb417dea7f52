"""Run the fuzzers of tests/fuzz for some minutes, and print what the cases ended in.

    python scripts/fuzz.py --minutes 10 [--seed 0] [--target options ...]

Rounds of cases run in processes of their own, one after another: a crash or a hang ends a round and
is a fault, told with the case. Each fault is told once, shrunk to its smallest case by hypothesis.
Exit code 1 if there was any.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "fuzz")]
CASES = 60  # of a round
SECONDS = 300  # of a round, shrinking included


def main():
    given = arguments()
    if given.child:
        print(json.dumps(round_of_cases(*given.child)))
        return
    outcomes, faults, end = {}, {}, time.monotonic() + 60 * given.minutes
    names, seed = given.target or targets(), given.seed
    while time.monotonic() < end:
        for name in names:
            found = in_a_process(name, seed)
            outcomes.setdefault(name, Counter()).update(found["outcomes"])
            if found["fault"] and found["fault"] not in faults:
                faults[found["fault"]] = found["case"]
                print(f"FAULT {name}, seed {seed}: {found['fault']}\n  {found['case']}", flush=True)
            if time.monotonic() > end:
                break
        seed += 1
    tell(outcomes, faults)
    sys.exit(1 if faults else 0)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", help="a target of tests/fuzz/cases.py [all]")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def targets():
    """The names of all targets."""
    from cases import TARGETS

    return list(TARGETS)


def in_a_process(name, seed):
    """The outcomes of a round, its first fault and that fault's case."""
    with tempfile.TemporaryDirectory(prefix="fuzz-round-") as folder:
        environment = {**os.environ, "FUZZ_CASE": f"{folder}/case", "TMPDIR": folder}
        line = [sys.executable, "-W", "ignore", __file__, "--child", name, str(seed)]
        try:
            done = subprocess.run(
                line, env=environment, capture_output=True, text=True, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            return lost(folder, f"no end after {SECONDS} s")
        if done.returncode:
            return lost(folder, f"exit {done.returncode}: {done.stderr[-300:]}")
        return json.loads(done.stdout.splitlines()[-1])


def lost(folder, reason):
    """A round whose process ended with the case that it was at."""
    path = Path(folder) / "case"
    case = path.read_text(errors="replace") if path.exists() else "before the first case"
    return {"outcomes": {"lost": 1}, "fault": reason, "case": case[:2000]}


def round_of_cases(name, seed):
    """Run some cases of a target in this process."""
    import hypothesis
    from cases import TARGETS

    target, seen, note = TARGETS[name], Counter(), os.environ["FUZZ_CASE"]

    @hypothesis.seed(int(seed))
    @hypothesis.settings(
        max_examples=CASES,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        print_blob=False,
    )
    @hypothesis.given(target.strategy)
    def run(case):
        Path(note).write_text(repr(case), errors="replace")
        seen["tried"] += 1
        seen[target.run(case)] += 1

    try:
        run()
    except Exception as error:  # the last case written is the smallest that fails
        case = Path(note).read_text(errors="replace")[:2000]
        text = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
        return {"outcomes": seen, "fault": text, "case": case}
    return {"outcomes": seen, "fault": None, "case": None}


def tell(outcomes, faults):
    """The figures of all rounds."""
    for name, found in outcomes.items():
        kinds = ", ".join(f"{kind} {n:,}" for kind, n in found.most_common() if kind != "tried")
        print(f"{name}: {found['tried']:,} cases: {kinds}")
    total = sum(found["tried"] for found in outcomes.values())
    print(f"{total:,} cases, {len(faults)} faults")


if __name__ == "__main__":
    main()
