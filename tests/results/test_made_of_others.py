"""Runs that are made of others, on the command line."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_reuse import contents

import fastnet

DOCS = Path(fastnet.__file__).parents[1] / "docs"
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
    assert "reuse does not go with stop first: " in out.err and "; give stop all, or" in out.err
    out = command("sweep --task 1 --reuse absent")
    assert out.code == 1 and "reuse: no run folder at absent" in out.err
    out = command("sweep --resume a --reuse a")
    assert out.code == 2 and "a resumed run keeps its options; reuse cannot change" in out.err


def test_a_dry_run_of_a_cluster_says_whose_seconds_it_tells(command):
    line = f"sweep {TINY} --seeds 2 --dry-run"
    assert "for this machine alone" in command(f"{line} --cluster tcp://127.0.0.1:1").out
    assert "for this machine alone" not in command(line).out


def test_a_resumed_run_takes_its_own_options_again(command, monkeypatch):
    command(f"sweep {TINY} --seeds 2 --l2 0.01 --out a")
    assert command("sweep --resume a --l2 0.01 --n1 2:3 --quiet").code == 0
    out = command("sweep --resume a --l2 0.02")
    assert out.code == 2 and "l2 cannot change, only threads, time_limit and cluster can" in out.err
    out = command("sweep --resume a --memory 1GB")
    assert out.code == 2 and "; it has decided whether the run is in parts: start anew" in out.err
    monkeypatch.setenv("FASTNET_SWEEP_L2", "0.02")
    monkeypatch.setenv("FASTNET_SWEEP_OUT", "runs/all")
    monkeypatch.setenv("FASTNET_SWEEP_THREADS", "1")
    out = command("sweep --resume a")
    assert out.code == 0
    said = "is for new runs: a resumed run keeps its options."
    assert f"FASTNET_SWEEP_L2 {said}\n" in out.err and f"FASTNET_SWEEP_OUT {said}\n" in out.err
    assert "THREADS" not in out.err


# ---------------------------------------------------------------- shards


def test_the_loop_of_the_docs_makes_the_run_of_one_machine(tmp_path):
    """Shards by a shell loop, one of which is lost."""
    loop = re.findall(r"```bash\n(sweep=.*?)```", (DOCS / "scaling.md").read_text(), re.S)[0]
    program = tmp_path / "fastnet"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m fastnet "$@"\n')
    program.chmod(0o755)
    path = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(DOCS.parent),
    }
    script = f"set -e\n{loop}$sweep --out one\n"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "shards" / "3").exists()
    assert contents(tmp_path / "all") == contents(tmp_path / "one")
    parts = [fastnet.load(tmp_path / "shards" / part) for part in "124"]
    assert [len(part.members) for part in parts] == [55, 55, 55]
    summary = json.loads((tmp_path / "all" / "summary.json").read_text())
    assert [n for n in summary["notices"] if n.startswith("Reused")] == [
        f"Reused 55 of 220 members from shards/{part}." for part in "124"
    ]


def test_a_shard_says_that_it_is_one(command):
    out = command(f"sweep {TINY} --seeds 4 --shard 2/3 --out p")
    notice = "This is shard 2/3: its results are about its own members only."
    assert out.code == 0 and notice in out.err and notice in command("show p").out
    again = command("sweep --resume p")
    assert again.code == 0
    plan = command(f"sweep {TINY} --seeds 4 --shard 2/3 --dry-run")
    assert "\n3 members: N1 2,3;" in plan.out and notice in plan.out


@pytest.mark.parametrize(
    "more, message",
    [
        ("--shard 0/3", "--shard must be I/N, from 1/N to N/N or none, got '0/3'."),
        ("--shard 4/3", "--shard must be I/N, from 1/N to N/N or none, got '4/3'."),
        ("--shard half", "--shard must be I/N, from 1/N to N/N or none, got 'half'."),
        ("--shard 1/2 --time-limit 9", "shard does not go with time_limit 9.0: when it ends"),
        ("--shard 5/9", "shard 5/9 has no members: the run has 4, and some of them have to"),
    ],
)
def test_shards_that_cannot_be(command, more, message):
    out = command(f"sweep {TINY} --seeds 2 {more}")
    assert out.code == 2 and message in out.err and not Path("runs").exists()
