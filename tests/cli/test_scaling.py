"""Runs that are made of others, on the command line."""

import json

TINY = "--task 1 --optimizer sgd --samples 20 --n1 2,3 --max-epochs 5"


def test_a_sweep_reuses_the_members_of_others(command):
    command(f"sweep {TINY} --seeds 2 --out a")
    command(f"sweep {TINY} --seeds 2,3 --out b")
    out = command(f"sweep {TINY} --seeds 5 --reuse a --reuse b --out all")
    assert out.code == 0
    assert "\nReused 4 of 10 members from a.\nReused 4 of 10 members from b.\n" in out.err
    summary = json.loads(command("show all --json").out)
    assert "Reused 4 of 10 members from b." in summary["notices"]
    plan = command(f"sweep {TINY} --seeds 2 --reuse a --dry-run").out
    assert "Reused 4 of 4 members from a.\nat most 0 " in plan


def test_a_run_without_members_to_reuse_says_why(command):
    command(f"sweep {TINY} --seeds 2 --out a")
    out = command(f"sweep {TINY} --seeds 2 --l2 0.5 --reuse a --out all")
    assert out.code == 0 and "Reused nothing of a: its l2 is 0.0, not 0.5.\n" in out.err


def test_what_cannot_reuse_is_refused(command):
    command(f"sweep {TINY} --seeds 2 --out a")
    out = command("train --task 1 --reuse a")
    assert out.code == 2
    assert "reuse does not go with stop first: its members advance in lock step" in out.err
    out = command("sweep --task 1 --reuse absent")
    assert out.code == 1 and "reuse: no run folder at absent" in out.err
    out = command("sweep --resume a --reuse a")
    assert out.code == 2 and "a resumed run keeps its options; reuse cannot change" in out.err
