"""The command line as a person or a script meets it: exit codes, what is printed where, files."""

import io
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
from output import Output
from rich.console import Console

import fastnet
from fastnet import api, doctor, gradcheck
from fastnet.cli import terminal as show
from fastnet.cli.examples import SWEEP_EXAMPLES, TRAIN_EXAMPLES
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.native import cache
from fastnet.options.methods import LOSSES
from fastnet.options.table import TABLE
from fastnet.results import environment
from fastnet.results.reading import read_json

# One small network that trains in a moment; {} stands for more options.
TINY = "--task 1 --optimizer sgd --samples 20 --n1 2 --max-epochs 5"

DIVERGED = (
    "Error: all members diverged: try a lower --learning-rate, --clip-norm 1 or another "
    "--optimizer.\n"
)


def written():
    """Every file below the current folder."""
    return sorted(str(path) for path in Path().rglob("*") if path.is_file())


# ---------------------------------------------------------------- bad command lines

N1 = "--n1 must be an integer >= 1 and <= 65536, got "
NOTHING = (
    "nothing to train on: give --task 1, --task 2, or --data FILE --target COLUMN (or "
    "--resume DIR)."
)
BAD = [
    # command line, exit code, the whole message
    ("frobnicate", 2, "No such command 'frobnicate'."),
    ("train", 2, NOTHING),
    ("sweep --n1 4", 2, NOTHING),
    ("train --task 3", 2, "Invalid value for '--task': '3' is not one of '1', '2'."),
    ("train --task 1 --n1", 2, "Option '--n1' requires an argument."),
    ("train --task 1 more", 2, "Got unexpected extra argument (more)"),
    ("train --task 1 --zip=3", 2, "Option '--zip' does not take a value."),
    (
        "train --task 1 --success-rate 0.5",
        2,
        "No such option '--success-rate' of train; it belongs to sweep, smallest.",
    ),
    (
        "smallest --task 1 --folds 5",
        2,
        "No such option '--folds' of smallest; it belongs to train, sweep, inspect.",
    ),
    ("train --task 1 --n1 0", 2, N1 + "'0'."),
    ("train --task 1 --n1 4.5", 2, N1 + "'4.5'."),
    ("train --task 1 --n1 ''", 2, "--n1 has an empty value in ''; write for example 4,8,16."),
    ("sweep --task 1 --n1 4,4", 2, "--n1 names 4 twice; give each value once."),
    (
        "sweep --task 1 --n1 8:4",
        2,
        "--n1: the range '8:4' is empty; write the smaller end first.",
    ),
    (
        "sweep --task 1 --seeds 0",
        2,
        "--seeds must be a number of seeds from 1 to 2000000 or a list of seeds, got 0.",
    ),
    (
        "sweep --task 1 --learning-rate nan",
        2,
        "--learning-rate must be a number > 0 or none, got 'nan'.",
    ),
    (
        "sweep --task 1 --learning-rate 1..2",
        2,
        "--learning-rate: '1..2' is not a range; write first..last@count.",
    ),
    ("train --task 1 --clip-norm 0", 2, "--clip-norm must be a number > 0 or none, got '0'."),
    ("train --task 1 --init xavier", 2, None),
    ("train --task 1 --keep some", 2, "--keep must be one of all, best, none, state, got 'some'."),
    (
        "train --task 1 --max-epochs none",
        2,
        "--max-epochs must be an integer >= 1 and <= 1000000000, got 'none'.",
    ),
    (
        "train --task 1 --init nguyen_widrow --activation relu",
        2,
        "init nguyen_widrow needs activation sigmoid or tanh, got relu; "
        "use he_normal or glorot_uniform.",
    ),
    (
        "train --task 1 --learning-rate 0.1 --min-learning-rate 1",
        2,
        "min_learning_rate 1 is above the learning rate 0.1.",
    ),
    ("train --task 1 --function sin", 2, None),
    (
        "train --task 1 --validation-fraction 0.6 --test-fraction 0.6",
        2,
        "validation_fraction 0.6 and test_fraction 0.6 leave none of 1000 rows to train on; "
        "lower one of them.",
    ),
    (
        "train --task 1 --samples 4 --validation-fraction 0.1",
        2,
        "validation_fraction 0.1 of 4 rows is less than one row; use at least 0.25, or 0.",
    ),
    (
        "sweep --task 1 --zip --n1 2,4 --seeds 3",
        2,
        "zip needs lists of equal length, got n1 2, seeds 3 values; give each as many.",
    ),
    (
        "sweep --task 1 --n1 1:1000 --seeds 1000000",
        2,
        "the axes give 1,000,000,000 members, at most 2,000,000 are allowed; "
        "shorten n1, seeds or another list.",
    ),
    (
        "sweep --resume there --task 1",
        2,
        "--resume takes task and folder from the run; drop --task and --out.",
    ),
    (
        "train --resume there --dry-run",
        2,
        "--dry-run says what a new run would train; drop it or --resume.",
    ),
    ("train --resume none", 1, "no run folder at none; `fastnet ls` lists the runs there are."),
    ("train --resume .", 3, ". is not a run folder of fastnet: it has no config.json."),
    ("show", 1, "there is no run in runs; name one, or make one: fastnet train --task 1"),
    ("show none", 1, "no run folder at none; `fastnet ls` lists the runs there are."),
    ("show .", 3, ". is not a run folder of fastnet: it has no config.json."),
    (
        "ls --runs none",
        1,
        "--runs: there is no folder none; `fastnet train --task 1` makes one.",
    ),
    ("train --task 1 --config none.toml", 2, None),
    ("doctor --frob", 2, None),
]


@pytest.mark.parametrize("line, code, message", BAD, ids=[line for line, _, _ in BAD])
def test_bad_command_lines(command, line, code, message):
    got = command(line)
    assert got.code == code
    assert got.out == ""
    assert got.err.count("\n") == 1 and got.err.startswith("Error: ")
    assert message is None or got.err == f"Error: {message}\n"
    assert not list(Path().iterdir())


def test_messages_name_the_choices(command):
    assert command("train --task 1 --init xavier").err == (
        "Error: --init must be one of auto, glorot_uniform, he_normal, nguyen_widrow, "
        "adapted, got 'xavier'.\n"
    )
    assert re.fullmatch(
        r"Error: function must be one of sine, square, .*, got 'sin'\. Did you mean 'sine'\?\n",
        command("train --task 1 --function sin").err,
    )


def test_an_existing_folder_is_refused_and_kept(command):
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("all of it")
    for more, message in [
        ("", "--out: mine exists; name another folder, continue it with --resume mine, or"),
        ("--force", "--force replaces only run folders: mine is not a run folder of fastnet: "),
    ]:
        got = command(f"train {TINY} --out mine {more}")
        assert (got.code, got.out) == (1, "") and got.err.startswith(f"Error: {message}")
        assert got.err.count("\n") == 1
    assert written() == ["mine/thesis.txt"]


@pytest.mark.parametrize("line", ["train --task 1 --n1 0", "train --task 1 --out . --quiet"])
def test_debug_shows_the_traceback_before_the_line(command, line):
    got = command(f"{line} --debug")
    assert got.out == "" and got.err.startswith("Traceback (most recent call last):\n")
    assert got.err.splitlines()[-1] == command(line).err.rstrip("\n")


@pytest.mark.parametrize(
    "error, message, code",
    [
        (FastnetError("it is locked."), "it is locked.", 1),
        (UsageError("no."), "no.", 2),
        (DataError("broken."), "broken.", 3),
        (
            KeyboardInterrupt(),
            "interrupted at once; a run folder keeps its last checkpoint for --resume.",
            130,
        ),
        (
            MemoryError(),
            "out of memory; train fewer members (--n1, --seeds) or use --keep best.",
            1,
        ),
        (
            OSError(28, "No space left"),
            "the output cannot be written (No space left); see where it goes.",
            1,
        ),
        (
            OSError(28, "No space left", "a.txt"),
            "OSError: [Errno 28] No space left: 'a.txt' (--debug shows where).",
            1,
        ),
    ],
)
def test_every_error_becomes_a_line_and_an_exit_code(command, monkeypatch, error, message, code):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(api, "train", fail)
    got = command(f"train {TINY} --quiet")
    # Click ends the line of a ^C first.
    assert got._replace(err=got.err.lstrip("\n")) == Output(code, "", f"Error: {message}\n")


@pytest.mark.parametrize("line", ["gradcheck", "doctor"])
def test_ctrl_c_in_a_command_without_resume_speaks_of_none(command, monkeypatch, line):
    def fail(*arguments, **options):
        raise KeyboardInterrupt

    for place, name in ((gradcheck, "check_all"), (doctor, "examine")):
        monkeypatch.setattr(place, name, fail)
    got = command(line)
    assert (got.code, got.err.lstrip("\n")) == (130, "Error: interrupted at once.\n")


@pytest.mark.parametrize(
    "line",
    [
        "export run --to c -o run/summary.json",
        "export run --to npy -o run/best",
        "export run --to onnx -o run/best/W1.npy",
        "report run -o run/config.json",
        "plot run --figure loss-curves -o run/members.csv",
        "predict run --data x.csv -o run/members.csv",
    ],
)
def test_force_replaces_no_file_of_a_run(command, line):
    command(f"train {TINY} --quiet --out run")
    Path("x.csv").write_text("x\n0\n")
    before = {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    got = command(f"{line} --force")
    assert got.code == 1 and " is a file of the run in " in got.err
    assert before == {path: path.read_bytes() for path in Path("run").rglob("*") if path.is_file()}
    assert command("report run -o run/report.html").code == 0  # no file of its own
    assert command("report run -o run/report.html --force").code == 0


def test_an_unfinished_and_a_broken_run(command):
    command(f"train {TINY} --quiet --out run")
    os.truncate("run/history.npz", 100)
    got = command("show run")
    assert (got.code, got.out) == (3, "") and got.err.startswith("Error: run/history.npz cannot be")
    Path("run/summary.json").unlink()
    assert command("show run") == Output(
        3, "", "Error: run is unfinished (no summary.json); continue it with --resume run.\n"
    )


# ---------------------------------------------------------------- exit codes of runs


@pytest.mark.parametrize(
    "more, code, message",
    [
        ("--target-loss 10", 0, ""),
        ("--target-loss 0", 0, ""),
        ("--target-loss 10 --require-target", 0, ""),
        (
            "--target-loss 0 --require-target",
            4,
            "Error: no member reached its target (--require-target).\n",
        ),
        (
            "--learning-rate 1e30 --clip-norm none",
            5,
            DIVERGED,
        ),
        (
            "--learning-rate 1e30 --clip-norm none --require-target",  # 5 before 4
            5,
            DIVERGED,
        ),
        ("--learning-rate 0.1,1e30 --clip-norm none", 0, ""),  # one of two diverges
    ],
)
@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_exit_codes(command, verb, more, code, message):
    got = command(f"{verb} {TINY} --quiet --json --out run {more}")
    assert (got.code, got.err) == (code, message)
    assert got.json["status"] == "done"  # the document is there whatever the code
    assert got.json == json.loads(Path("run/summary.json").read_text())


def interrupt(self, where):
    """In place of the display: Ctrl-C after the first round."""
    if where.stage == "train":
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_saves_prints_the_document_and_resume_ends_with_the_same_bytes(command, monkeypatch):
    line = "sweep --task 1 --samples 20 --n1 2,3 --seeds 2 --optimizer sgd --target-loss none"
    line += " --max-epochs 500"
    whole = command(f"{line} --out whole --quiet")
    with monkeypatch.context() as patch:
        patch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)  # rounds of one epoch
        patch.setattr(show.Display, "__call__", interrupt)
        got = command(f"{line} --out cut --json --require-target")
    assert got.code == 130
    assert got.err.endswith(
        "Interrupted; state saved. Continue with:\n  fastnet sweep --resume cut\n"
    )
    assert got.json["status"] == "interrupted" and got.json["stop_reasons"] == {"interrupted": 4}
    assert Path("cut/checkpoint.npz").exists() and not Path("cut/summary.json").exists()
    assert command("show cut").code == 3
    assert [run["status"] for run in command("ls --runs . --json").json["runs"]] == [
        "done",
        "interrupted",
    ]

    assert command("sweep --resume cut --n1 4").err == (
        "Error: a resumed run keeps its options; n1 cannot change, only threads, time_limit "
        "and cluster can.\n"
    )
    assert command("sweep --resume cut --quiet --threads 1").code == whole.code == 0
    for name in ("weights.npz", "history.npz", "model.npz", "split.npz"):
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes()
    # Once more: a finished run is shown again.
    before = Path("cut/summary.json").read_bytes()
    again = command("sweep --resume cut --json")
    assert again.code == 0 and again.json == json.loads(before)
    assert Path("cut/summary.json").read_bytes() == before


# ---------------------------------------------------------------- the JSON document

MEMBER = {
    *("member", "n1", "seed", "learning_rate", "clip_norm", "batch_size", "lr_patience"),
    *("lr_factor", "min_delta", "patience", "target_loss", "l2", "init", "activation", "optimizer"),
    *("train_loss", "val_loss", "test_loss", "train_accuracy", "val_accuracy", "test_accuracy"),
    *("epochs", "best_epoch", "stop_reason", "seconds"),
}
ROW = {
    *("n1", "members", "reached", "success_rate", "success_low", "success_high", "best_loss"),
    *("median_loss", "median_epochs", "median_seconds", "setting"),
}


def test_the_document_of_a_sweep(command):
    got = command(
        "sweep --task 1 --samples 50 --n1 1,6 --seeds 3 --target-loss 0.2 --max-epochs 300 "
        "--learning-rate 0.1,0.3 --json --out run"
    ).json
    assert got["schema_version"] == 1 and got["command"] == "sweep" and got["run"] == "run"
    assert got["members"] == 12 and got["status"] == "done"
    assert set(got["best"]) >= MEMBER
    best = got["best"]
    assert best["n1"] == 6 and best["stop_reason"] == "target" and best["train_loss"] <= 0.2
    assert best["val_loss"] is best["test_loss"] is best["test_accuracy"] is None
    assert best["patience"] is best["batch_size"] is None  # off
    assert sum(got["stop_reasons"].values()) == 12 and got["stop_reasons"]["target"] >= 3
    assert set(got["seconds"]) == {"compile", "train", "total"}
    one, six = got["by_n1"]
    assert set(one) >= ROW and (one["n1"], six["n1"]) == (1, 6)
    assert six["members"] == six["reached"] == 3  # of the best setting, which it names
    assert six["success_rate"] == six["success_high"] == 1.0
    assert six["success_low"] == pytest.approx(0.025 ** (1 / 3))
    assert set(six["setting"]) == {"learning_rate"}
    assert got["smallest_n1"] == 6


def test_the_document_of_a_classification(command):
    got = command("train --task 2 --n1 4 --max-epochs 2 --batch-size none --json --quiet").json
    best = got["best"]
    assert all(0 <= best[f"{part}_accuracy"] <= 1 for part in ("train", "val", "test"))
    assert all(best[f"{part}_loss"] > 0 for part in ("train", "val", "test"))
    assert re.fullmatch(r"runs/task2-\d{8}-\d{6}", got["run"]) and Path(got["run"]).is_dir()
    assert got["by_n1"][0]["success_rate"] is None and got["smallest_n1"] is None  # no target


def test_with_stop_first_there_are_no_rates_of_members_cut_short(command):
    got = command(
        "train --task 1 --samples 50 --n1 2,6 --seeds 3 --target-loss 0.2 --json --quiet"
    ).json
    assert got["stop_reasons"] == {"stopped": 5, "target": 1}
    assert got["best"]["stop_reason"] == "target"
    assert [row["success_rate"] for row in got["by_n1"]] == [None, None]
    assert got["smallest_n1"] is None


def test_with_stop_first_one_member_is_no_answer(command):
    got = command(f"train {TINY} --target-loss 10 --json --quiet").json
    assert got["smallest_n1"] is None


@pytest.mark.parametrize("line", ["doctor", "gradcheck", "ls --runs ."])
def test_other_documents(command, line):
    got = command(f"{line} --json")
    assert got.code == 0 and got.err == "" and got.json["schema_version"] == 1


# ---------------------------------------------------------------- what goes where


def test_train_prints_the_answer_on_stdout_and_progress_on_stderr(command):
    got = command(f"train {TINY} --target-loss 10 --out run")
    assert got.code == 0
    lines = got.out.splitlines()
    assert re.fullmatch(
        r"N1 = 2 \(seed 0, member 0\) reached the target loss 10: train loss 0\.\d+; 0 epochs, .*",
        lines[0],
    )
    assert lines[1].startswith("Stop reasons: target 1. Compile ")
    assert re.fullmatch(
        r"y: no better than the mean; the RMSE on the training rows is [.\d]+, that of the mean "
        r"[.\d]+\.",
        lines[2],
    )
    assert lines[3] == (
        "Weights and biases of the network in run/best: W1.npy (2, 1), b1.npy (2,), "
        "W2.npy (1, 2), b2.npy (1,)"
    )
    assert lines[4:] == [
        "Show it again: fastnet show run",
        "How small a network suffices, and how sure: fastnet smallest --task 1",
    ]
    plan, members, *progress = got.err.splitlines()
    assert plan == ("Task 1: y = sin(2 pi x), loss squared; 20 training samples, 1 input, 1 output")
    assert re.fullmatch(
        r"1 member: N1 2; 7 parameters, at most .* kB of memory, .* kB on disk", members
    )
    assert re.fullmatch(
        r"epoch 0: 0 running, 1 done, 1 reached, 0 diverged, lowest loss 0\.\d+ \(N1 2, seed 0\); "
        r"[\d,]+ member-epochs/s, .* m?s",
        progress[-1],
    )


def test_train_that_misses_the_target_says_what_to_try(command):
    got = command(f"train {TINY} --target-loss 0")
    assert "N1 = 2 (seed 0, member 0) is the only member: train loss 0." in got.out
    assert (
        "No member reached its target. All members were still training at the last epoch: try "
        "--optimizer lm, more --max-epochs or a larger N1." in got.out
    )
    assert "No member" not in command(f"train {TINY} --target-loss none").out


def test_one_target_of_several_reached_is_not_missed(command):
    got = command(f"train {TINY} --target-loss 10,0 --stop all")
    assert "Stop reasons: max_epochs 1, target 1." in got.out and "No member" not in got.out


def test_sweep_prints_the_table_the_sentence_and_the_best(command):
    got = command(
        "sweep --task 1 --samples 50 --n1 1,6 --seeds 3 --target-loss 0.2 --max-epochs 300 "
        "--clip-norm 1,none --batch-size 16,none --out run"
    )
    lines = got.out.splitlines()
    assert lines[0].split() == (
        "N1 reached success 95 % median loss epochs clip norm batch size".split()
    )
    assert lines[1].split()[:6] == ["1", "0", "of", "3", "0.00", "0.00"]
    assert lines[2].split()[:5] == ["6", "3", "of", "3", "1.00"]
    assert re.search(r" (1|none) +(16|none)$", lines[2])
    assert max(map(len, lines[:3])) <= 80
    assert lines[4].startswith(
        "N1 = 6 is the smallest that reaches the target loss 0.2 in at least "
    )
    assert "the true share lies between 0.29 and 1.00 with 95 % confidence." in lines[4]
    settings, mattered, after = lines[6:11], lines[12], lines[14:]
    assert settings[0].split() == (
        "clip norm batch size smallest N1 success epochs ms best loss".split()
    )
    assert all(re.match(r" +(1|none) +(16|none) +6 +3 of 3 ", line) for line in settings[1:])
    assert mattered.startswith("What mattered, in shares of the variance of the log loss: N1 ")
    assert after[0].startswith("N1 = 6 (seed ")
    assert " is the one with the lowest training loss of all 24: train loss" in after[0]
    assert after[1].split() == (
        "member n1 seed clip norm batch size stop reason epochs train loss".split()
    )
    assert len([line for line in after[2:7] if " target " in line]) == 5
    assert "train loss" not in got.err and "member-epochs/s" not in got.out


def test_a_wide_table_is_not_cut(command):
    axes = "--learning-rate 0.123456,0.2 --l2 0,1e-4 --lr-patience 3,none --lr-factor 0.123,0.4"
    got = command(f"sweep {TINY} --seeds 1 {axes} --patience 2,none --min-delta 0,1e-5")
    assert "…" not in got.out and "..." not in got.out
    header = got.out.splitlines()[0]
    for name in ("learning rate", "l2", "lr patience", "lr factor", "patience", "min delta"):
        assert f" {name}" in header


SHORT = "sweep --task 1 --samples 50 --n1 1,6 --seeds 3 --optimizer lm --max-epochs 100 --out run"


def test_the_network_of_an_n1_is_chosen_and_named(command, tmp_path):
    command(f"{SHORT} --target-loss 0.25 --quiet")
    result = fastnet.load("run")
    one, best = result.best_of(1), result.best
    told = (
        f"The best of N1 = 1 is member {one} (seed {one}): loss "
        f"{float(result.members['train_loss'][one]):.4g}; export, predict, evaluate, show and plot "
        "take it with --n1 1."
    )
    assert best["n1"] == 6 and told in command("show run").out
    pandas.DataFrame({"x0": [0.1, 0.2], "y": [0.5, 0.9]}).to_csv("new.csv", index=False)
    whole = (
        f"Member {best['member']} (N1 = 6, seed {best['seed']}): the one with the lowest training "
        "loss of all 6. The answer of the run was N1 = 1: --n1 1 takes its best.\n"
    )
    of_one = f"Member {one} (N1 = 1, seed {one}): the one with the lowest loss of N1 = 1.\n"
    assert command("predict run --data new.csv").err.startswith(whole)
    got = command("predict run --data new.csv --n1 1")
    assert got.err.startswith(of_one)
    assert got.out == command(f"predict run --data new.csv --member {one}").out
    assert got.out != command("predict run/model.npz --data new.csv").out
    assert command("evaluate run --data new.csv --n1 1").out.startswith(of_one)
    assert command("evaluate run --data new.csv --n1 1 --json").json["member"] == one
    assert command("evaluate run --data new.csv --json").json["member"] == best["member"]
    assert command("evaluate run/model.npz --data new.csv --json").json["member"] is None
    assert command("export run --to npy --n1 1 -o one").out.startswith(of_one)
    assert np.load("one/W1.npy").shape == (1, 1)
    assert command("show run --n1 1").out == command(f"show run --member {one}").out
    one_svg, best_svg = (
        command(f"plot run --figure hidden-units -o {name}.svg {chosen}").out.strip()
        for name, chosen in (("one", "--n1 1"), ("best", ""))
    )
    assert Path(one_svg).read_text() != Path(best_svg).read_text()


def test_a_network_is_named_by_the_settings_of_which_there_are_several(command):
    rows = "".join(f"{i},{i % 7 + 0.5}\n" for i in range(40))
    Path("t.csv").write_text(f"x,y\n{rows}")
    command("sweep --data t.csv --target y --n1 2,3 --clip-norm 1,none --max-epochs 3 --out run")
    result = fastnet.load("run")
    for more, record in (("", result.best), ("--n1 2 ", result.members[result.best_of(2)])):
        clip = "none" if np.isinf(record["clip_norm"]) else "1"
        who = f"Member {record['member']} (N1 = {record['n1']}, seed {record['seed']}, "
        told = command(f"predict run --data t.csv {more}").err
        assert told.startswith(f"{who}clip_norm {clip}, l2 {record['l2']:.6g}): the one with")


@pytest.mark.parametrize(
    "line, message",
    [
        ("show run --n1 3", "n1 must be a width of the run, 1, 6, got 3."),
        ("show run --n1 1 --member 2", "give member 2 or n1 1, not both."),
        ("export run --to npy --n1 3", "n1 must be a width of the run, 1, 6, got 3."),
        (
            "evaluate run/model.npz --data x.csv --n1 1",
            "--n1 chooses one of a run; run/model.npz is a single model.",
        ),
    ],
)
def test_a_choice_that_a_run_does_not_have_is_refused(command, line, message):
    command(f"{SHORT} --quiet")
    assert command(line) == Output(2, "", f"Error: {message}\n")


def test_a_run_without_its_summary_still_predicts(command):
    command(f"{SHORT} --quiet")
    pandas.DataFrame({"x0": [0.1]}).to_csv("new.csv", index=False)
    Path("run/summary.json").unlink()
    assert command("predict run --data new.csv").err == "1 row -> standard output\n"


def test_tables_by_n1_drop_their_least_columns_first():
    header = ["N1", "best loss", "test loss", "rest"]
    rows = [("1", "2", "3", "4" * 20), ("5", "6", "7", "8" * 20)]
    assert show.fitted(header, rows, 100) == (header, rows)
    assert show.fitted(header, rows, 36) == (
        ["N1", "best loss", "rest"],
        [("1", "2", "4" * 20), ("5", "6", "8" * 20)],
    )
    assert show.fitted(header, rows, 1)[0] == ["N1", "rest"]


def test_quiet_is_silent(command):
    assert command(f"train {TINY} --quiet --out one") == Output(0, "", "")
    assert command(f"sweep {TINY} --quiet --seeds 2 --out two") == Output(0, "", "")
    assert Path("one/summary.json").exists() and Path("two/summary.json").exists()


def test_json_has_progress_on_stderr_alone(command):
    got = command(f"sweep {TINY} --seeds 2 --json")
    assert got.json["members"] == 2
    assert "member-epochs/s" in got.err and "2 members: N1 2; 14 parameters" in got.err
    assert "schema_version" not in got.err


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_dry_run_says_what_would_be_trained_and_writes_nothing(command, verb):
    line = (
        f"{verb} --task 1 --n1 1:20 --seeds 50 --learning-rate 0.1,0.3 --max-epochs 100 --dry-run"
    )
    got = command(line)
    first, second, *_ = got.out.splitlines()
    assert first.startswith(
        "Task 1: y = sin(2 pi x), loss squared; 1,000 training samples, 1 input"
    )
    assert second.startswith("2,000 members: N1 1 to 20 (20 widths); 65,000 parameters, at most ")
    assert got.code == 0 and got.err == ""
    plan = command(f"{line} --json").json
    assert plan["members"] == 2000 and plan["n1"] == list(range(1, 21))
    assert plan["parameters"] == 65_000  # 100 (3 N1 + 1), summed over N1 = 1 to 20
    assert plan["memory_bytes"] > 8 * 65_000 and plan["disk_bytes"] > 4 * 65_000
    assert written() == []


def test_dry_run_of_task_2(command):
    plan = command("sweep --task 2 --n1 8,16 --seeds 2 --dry-run --json").json
    assert (plan["samples"], plan["inputs"], plan["outputs"]) == (1258, 64, 10)
    assert plan["parameters"] == 2 * sum(n1 * 75 + 10 for n1 in (8, 16))


# ---------------------------------------------------------------- on a terminal


@pytest.fixture
def terminal(monkeypatch):
    """What a person sees who has a terminal."""
    screen = io.StringIO()
    monkeypatch.setattr(
        show, "console", lambda stderr=False: Console(file=screen, force_terminal=True, width=200)
    )
    return screen


HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


def progress(**more):
    return api.Progress("train", members=8, running=3, epoch=41, seconds=2.0, **more)


def test_a_live_line_on_a_terminal(terminal):
    with show.Display(quiet=False) as display:
        display(
            progress(best_loss=0.25, best_n1=4, best_seed=7, member_epochs=1000, remaining=90.0)
        )
    text = terminal.getvalue()
    assert (
        "epoch 41: 3 running, 5 done, 0 reached, 0 diverged, lowest loss 0.25 (N1 4, seed 7); "
        in text
    )
    assert "500 member-epochs/s, 2.0 s, at most 90.0 s left" in text
    assert text.count(HIDE) == text.count(SHOW) == 1


def test_the_cursor_is_back_after_an_error(terminal):
    with pytest.raises(ZeroDivisionError), show.Display(quiet=False) as display:
        display(progress())
        raise ZeroDivisionError
    assert terminal.getvalue().count(SHOW) == 1


def test_lines_come_ever_more_rarely_without_a_terminal(capsys):
    with show.Display(quiet=False) as display:
        for tenths in range(100):
            display(progress(remaining=9.0)._replace(seconds=tenths / 10))
        display(progress()._replace(seconds=9.9, running=0))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[-2] for line in lines[:-1]] == ["1.0 s", "2.0 s", "4.0 s", "8.0 s"]
    assert "0 running, 8 done" in lines[-1]


def test_compiling_is_told_once_and_loading_is_not(capsys, monkeypatch):
    monkeypatch.setattr(show, "reason_for_plain", lambda: None)
    with show.Display(quiet=False) as display:
        display(api.Progress("compile", members=8, compiling=("lm with tanh",)))
        display(api.Progress("ready", members=8, seconds=12.3))
    assert capsys.readouterr().err == (
        "Compiling the kernels for lm with tanh (once for each choice of methods; later runs take "
        "them from a cache) "
        "...\n"
        "Kernels ready in 12.3 s.\n"
    )
    with show.Display(quiet=False) as display:
        display(api.Progress("load", members=8))
    assert capsys.readouterr().err == ""


def test_a_clock_runs_while_kernels_are_compiled(terminal, monkeypatch):
    monkeypatch.setattr(show, "reason_for_plain", lambda: None)
    clock = itertools.chain([10.0], itertools.repeat(12.5))
    monkeypatch.setattr(show.time, "perf_counter", lambda: next(clock))
    with show.Display(quiet=False) as display:
        display(api.Progress("compile", compiling=("lm with tanh",)))
        display(api.Progress("ready", seconds=12.3))
        assert display.live is None
    text = terminal.getvalue()
    assert (
        "Compiling the kernels for lm with tanh (once for each choice of methods; " in text
        and " ... 2.5 s" in text
    )
    assert text.count(HIDE) == text.count(SHOW) == 1


def test_a_quiet_display_shows_nothing(capsys, terminal):
    with show.Display(quiet=True) as display:
        display(api.Progress("compile"))
        display(progress())
        display.say("hello")
    assert terminal.getvalue() == "" and capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "value, text",
    [(None, "-"), (0.00123, "1.23 ms"), (1.0, "1.0 s"), (119, "119.0 s"), (150, "2.5 min")],
)
def test_times(value, text):
    assert show.seconds(value) == text


# ---------------------------------------------------------------- environment and files


@pytest.mark.parametrize("line", ["--n1 2,2 --seeds 0,1 --zip", "--zip --n1 2,2 --seeds 0,1"])
def test_zip_pairs_lists_wherever_it_stands(command, line):
    assert command(f"sweep --task 1 {line} --dry-run --json").json["members"] == 2


def n1_of(command, more=""):
    return command(f"train --task 1 --samples 20 --max-epochs 1 --dry-run --json {more}").json["n1"]


def test_command_line_before_environment_before_file_before_default(command, monkeypatch):
    Path("fastnet.toml").write_text("n1 = [5]\n")
    default = n1_of(command)
    assert default not in ([3], [4], [5])
    assert n1_of(command, "--config fastnet.toml") == [5]
    monkeypatch.setenv("FASTNET_TRAIN_N1", "4")
    assert n1_of(command, "--config fastnet.toml") == [4]
    assert n1_of(command, "--config fastnet.toml --n1 3") == [3]
    assert n1_of(command) == [4]
    monkeypatch.setenv("FASTNET_TRAIN_N1", "")
    assert n1_of(command) == default


def test_options_from_the_environment(command, monkeypatch):
    for name, value in {
        "TASK": "1",
        "N1": "2,3",
        "SEEDS": "5,7",
        "ZIP": "true",
        "CLIP_NORM": "none",
        "MAX_EPOCHS": "3",
        "SAMPLES": "20",
        "OUT": "mine",
        "JSON": "1",
        "QUIET": "1",
    }.items():
        monkeypatch.setenv(f"FASTNET_SWEEP_{name}", value)
    got = command("sweep")
    assert (got.code, got.err) == (0, "")
    assert got.json["members"] == 2 and got.json["run"] == "mine"
    assert got.json["best"]["clip_norm"] is None and got.json["best"]["epochs"] == 3
    monkeypatch.setenv("FASTNET_LS_RUNS", ".")
    assert "mine" in command("ls").out
    monkeypatch.setenv("FASTNET_SHOW_MEMBER", "1")
    monkeypatch.setenv("FASTNET_SHOW_JSON", "1")
    assert command("show mine").json["seed"] == 7
    assert command("train").code == 2  # another command has its own


def test_a_bad_value_is_told_with_the_variable_it_came_from(command, monkeypatch):
    monkeypatch.setenv("FASTNET_TRAIN_LEARNING_RATE", "fast")
    got = command("train --task 1")
    assert got == Output(
        2, "", "Error: FASTNET_TRAIN_LEARNING_RATE must be a number > 0 or none, got 'fast'.\n"
    )
    monkeypatch.setenv("FASTNET_TRAIN_DEBUG", "1")
    assert command("train --task 1").err.startswith("Traceback")


def test_options_from_a_file(command):
    Path("run.toml").write_text(
        """
        task = 1
        n1 = "2:3"
        seeds = [8]
        clip-norm = [1.0, "none"]
        learning_rate = 0.2
        max_epochs = 3
        samples = 20
        zip = false
        record = ["clipped"]
        out = "mine"
        quiet = true
        json = true
        """
    )
    got = command("sweep --config run.toml")
    assert (got.code, got.err) == (0, "") and got.json["members"] == 4
    options = json.loads(Path("mine/config.json").read_text())["options"]
    assert options["n1"] == [2, 3] and options["seeds"] == [8]
    assert options["clip_norm"] == [1.0, None] and options["learning_rate"] == [0.2]
    assert options["record"] == ["clipped"] and options["zip"] is False


def test_a_number_of_seeds_in_a_file(command):
    Path("run.toml").write_text("seeds = 3\nn1 = [2, 4]")
    assert command("train --task 1 --config run.toml --dry-run --json").json["members"] == 6


@pytest.mark.parametrize(
    "text, message",
    [
        ("n1 = ", "--config: run.toml is not TOML: "),
        (b"\xff\xfe", "--config: run.toml is not TOML: 'utf-8' codec can't decode byte 0xff"),
        ("lr = 0.1", "--config: run.toml sets the unknown option 'lr'."),
        (
            "max-epoch = 5",
            "--config: run.toml sets the unknown option 'max_epoch'. Did you mean 'max_epochs'?",
        ),
        ("[train]\nn1 = 4", "--config: run.toml sets the unknown option 'train'."),
        ("n1 = 0", "--config: n1 must be an integer >= 1 and <= 65536, got '0'."),
        ("n1 = [4, 0]", "--config: n1 must be an integer >= 1 and <= 65536, got '0'."),
        ("n1 = []", "--config: n1 has an empty value in ''; write for example 4,8,16."),
        ("n1 = true", "--config: n1 must be a number, a text or a list of them, got True."),
        ("l2 = {a = 4}", "--config: l2 must be a number, a text or a list of them, got {'a': 4}."),
        (
            "max-epochs = [5, 6]",
            "--config: max_epochs must be an integer >= 1 and <= 1000000000, got '5,6'.",
        ),
        ("zip = 'perhaps'", "--config: zip must be true or false, got 'perhaps'."),
        ("task = 3", "Invalid value for '--task': 3 is not one of '1', '2'."),
    ],
)
def test_bad_files(command, text, message):
    Path("run.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    task = "" if "task" in str(text) else "--task 1"
    got = command(f"train {task} --config run.toml")
    assert (got.code, got.out) == (2, "") and got.err.startswith(f"Error: {message}")
    assert got.err.count("\n") == 1 and written() == ["run.toml"]


@pytest.mark.parametrize(
    "path, why", [("none.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read(command, path, why):
    assert command(f"train --task 1 --config {path}") == Output(
        2, "", f"Error: --config: {path} cannot be read ({why}).\n"
    )


# ---------------------------------------------------------------- ls, show


def test_ls(command):
    Path("runs").mkdir()
    assert command("ls").out == "No runs yet; fastnet train --task 1 makes one.\n"
    command(f"train {TINY} --quiet")
    command(f"sweep {TINY} --seeds 2 --quiet --out runs/mine")
    lines = command("ls").out.splitlines()
    assert lines[0].split() == "run command members status best N1 seed loss smallest N1".split()
    assert re.match(r"runs/task1-\S+ +train +1 +done +2 +0 +0\.\d+", lines[1])
    assert re.match(r"runs/mine +sweep +2 +done +2 +\d +0\.\d+ +-$", lines[2])
    found = command("ls --json").json["runs"]
    assert [run["command"] for run in found] == ["train", "sweep"] and found[1]["members"] == 2
    assert [run["within"] for run in found] == [None, None]


def test_ls_shows_the_smallest_n1_that_is_close_to_the_best(command):
    line = TINY.replace("--n1 2", "--n1 1,2 --target-loss none --within 0.5")
    assert command(f"sweep {line} --quiet --out runs/close").code == 0
    close = fastnet.load("runs/close").summary()["within"]["n1"]
    assert command("ls").out.splitlines()[1].endswith(f" {close}, within 50 %")
    assert command("ls --json").json["runs"][0]["within"] == {"n1": close, "within": 0.5}


def test_show_prints_what_the_run_printed(command):
    first = command(f"sweep {TINY} --seeds 3 --clip-norm 1,none --out run")
    again = command("show run")
    shown = [line for line in first.out.splitlines(True) if not line.startswith("Show it again")]
    assert again == Output(0, "".join(shown), "")
    assert command("show run --json").json == json.loads(Path("run/summary.json").read_text())


def test_show_member_has_settings_history_and_weights(command):
    line = TINY.replace("--max-epochs 5", "--max-epochs 40")
    command(f"sweep {line} --seeds 3, --clip-norm 1,none --quiet --out run")
    out = command("show run --member 1").out
    facts = dict(line.split(maxsplit=1) for line in out.split("\n\n")[0].splitlines())
    assert facts["member"] == "1" and facts["seed"] == "3" and facts["n1"] == "2"
    assert facts["clip_norm"] == facts["batch_size"] == "none" and facts["val_loss"] == "-"
    assert facts["learning_rate"] == "0.3" and facts["stop_reason"] == "max_epochs"
    result = fastnet.load("run")
    assert facts["train_loss"] == f"{result.members['train_loss'][1]:.6g}"
    history = out.split("History, 41 entries:\n")[1].split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in history[1:]] == "0 1 2 4 8 16 32 40".split()
    assert float(history[-1].split()[1]) == pytest.approx(
        result.history(1).train_loss[-1], rel=1e-5
    )
    for name, array in result.weights(1)._asdict().items():
        assert f"\n{name} {array.shape}\n" in out
    assert command("show run --member 1 --json").json["clip_norm"] is None


@pytest.mark.parametrize("keep", ["best", "none"])
def test_show_member_whose_weights_were_not_kept(command, keep):
    command(f"sweep {TINY} --seeds 2 --keep {keep} --quiet --out run")
    other = 1 - fastnet.load("run").best_member
    got = command(f"show run --member {other}")
    assert got.code == 0 and got.out.endswith(f"\nIts weights were not kept (--keep {keep}).\n")
    assert command(f"show run --member {other} --json").json["member"] == other
    assert command("show run").code == 0


@pytest.mark.parametrize(
    "member, message",
    [
        ("2", "member must be an integer from 0 to 1, got 2."),
        ("-1", "member must be an integer from 0 to 1, got -1."),
        ("x", "Invalid value for '--member': 'x' is not a valid integer."),
    ],
)
def test_show_refuses_a_member_there_is_not(command, member, message):
    command(f"sweep {TINY} --seeds 2 --quiet --out run")
    for more in ("", " --json"):
        assert command(f"show run --member {member}{more}") == Output(2, "", f"Error: {message}\n")


def test_a_result_without_a_folder_is_shown_without_files(capsys):
    result = fastnet.sweep(task=1, samples=20, n1=2, seeds=2, max_epochs=3)
    show.print_result(result)
    out = capsys.readouterr().out
    assert "N1 = 2 (seed " in out and "Weights and biases" not in out and "Show it again" not in out


def test_show_a_run_without_a_task(command):
    X = np.linspace(-1, 1, 20)
    fastnet.train(X, X > 0, n1=2, max_epochs=3, out="run")
    out = command("show run").out
    assert "train accuracy" in out and "Show it again" not in out
    assert "fastnet sweep" not in out  # of what, it could not say


# ---------------------------------------------------------------- doctor, gradcheck


def test_doctor_tells_versions_processor_and_cache(command):
    facts = command("doctor --json").json
    assert facts["fastnet"] == fastnet.__version__ and facts["numpy"] == np.__version__
    assert facts["threads"] >= 1 and facts["cache_folder"] and facts["cache_bytes"] >= 0
    assert re.fullmatch(r"\d+ bits: \d+ float32 or \d+ float64 at once", facts["simd"])
    out = command("doctor").out
    for name in facts:
        assert name in ("advice", "schema_version") or re.search(f"^{name} ", out, re.MULTILINE)


def test_doctor_finds_no_problems_where_nothing_is_wrong(command, monkeypatch):
    for name in doctor.CURES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environment, "simd_bits", lambda features: 512)
    first = next(iter(cache.candidates()))
    monkeypatch.setattr(cache, "folder", lambda: first)
    monkeypatch.setattr(doctor, "why_plain", lambda: None)
    assert command("doctor").out.endswith("\n\nNo problems found.\n")


@pytest.mark.parametrize("name", doctor.CURES)
def test_doctor_advises_on_variables(command, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    got = command("doctor")
    assert f"\n{name} is set: " in got.out and "unset it" in got.out and got.code == 0


def test_doctor_advises_on_the_cache_and_the_processor(command, monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "folder", lambda: None)
    monkeypatch.setattr(cache, "folders", lambda: [])
    facts = command("doctor --json").json
    assert facts["cache_writable"] is False and facts["cache_bytes"] == 0
    assert any("set NUMBA_CACHE_DIR to a folder of yours." in line for line in facts["advice"])
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    assert f" New kernels go to {tmp_path}." in command("doctor").out
    monkeypatch.setattr(
        environment, "cpu", lambda: {"machine": "x86_64", "name": "old", "features": ["sse2"]}
    )
    assert "neither AVX2 nor AVX-512: expect a quarter of the speed." in command("doctor").out


def test_gradcheck_says_what_it_compared(command, monkeypatch):
    rows = gradcheck.check_all()
    monkeypatch.setattr(gradcheck, "check_all", lambda: rows)
    got = command("gradcheck -v")
    assert (got.code, got.err) == (0, "")
    assert got.out.splitlines()[0].split() == "loss activation d N1 k W1 b1 W2 b2".split()
    assert f"{len(rows)} of {len(rows)} within the tolerance 1e-06: norm(" in got.out
    assert {row["loss"] for row in command("gradcheck --json").json["networks"]} == set(LOSSES)
    rows[0] = {**rows[0], "passed": False}
    got = command("gradcheck")
    assert got.code == 1 and "FAILED" in got.out
    assert f"{len(rows) - 1} of {len(rows)} within the tolerance" in got.out


# ---------------------------------------------------------------- help


def test_without_a_command_there_is_help(command):
    got = command("")
    assert got.code == 0 and got.out == command("--help").out
    assert got.out.index("Examples:") < got.out.index("Look at runs:")


def test_version(command):
    assert command("--version") == Output(0, f"fastnet, version {fastnet.__version__}\n", "")


@pytest.mark.parametrize("verb", ["train", "sweep"])
def test_help_has_examples_first_and_every_option_of_the_table(command, verb):
    got = command(f"{verb} --help-all")
    assert got.code == 0 and got.err == ""
    assert got.out.index("Examples:") < got.out.index("Options:")
    text = " ".join(got.out.split())
    for option in TABLE:
        assert (f" {option.flag} " in text) == (verb in option.commands)
        if verb in option.commands:
            assert " ".join(option.help_line.split()) in text
    for flag in ("--task", "--out", "--force", "--resume", "--config", "--dry-run", "--json"):
        assert f" {flag} " in text
    assert "[sigmoid]" in text and "[0.9]" in text and "[float32]" in text


@pytest.mark.parametrize(
    "line", re.findall(r"^  fastnet (.+)$", TRAIN_EXAMPLES + SWEEP_EXAMPLES, re.M)
)
def test_the_examples_of_help_run(command, line):
    Path("houses.csv").write_text("size,price\n" + "".join(f"{i},{i / 2}\n" for i in range(30)))
    Path("flowers.csv").write_text("width,species\n1,a\n2,b\n3,a\n4,b\n5,a\n")
    got = command(f"{line} --dry-run")
    assert (got.code, got.err) == (0, "") and got.out


# ---------------------------------------------------------------- as a process


def process(*arguments, cwd):
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("line", ["--help", "train --help"])
def test_help_needs_neither_numpy_nor_numba(tmp_path, line):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted(m for m in sys.modules if '.' not in m)))\n"
        f"sys.argv = ['fastnet', *{line.split()!r}]\n"
        "from fastnet.cli import main\n"
        "main()\n"
    )
    got = process("-c", code, cwd=tmp_path)
    assert got.returncode == 0 and "Usage:" in got.stdout
    modules = got.stdout.splitlines()[-1]
    assert "'click'" in modules
    for heavy in ("numpy", "numba", "pandas", "rich", "llvmlite"):
        assert f"'{heavy}'" not in modules


def test_exit_code_and_streams_of_a_process(tmp_path):
    good = process("-m", "fastnet", "train", *TINY.split(), "--json", "--out", "run", cwd=tmp_path)
    assert good.returncode == 0 and json.loads(good.stdout)["run"] == "run"
    bad = process("-m", "fastnet", "train", "--task", "1", "--n1", "0", cwd=tmp_path)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == f"Error: {N1}'0'.\n"
    assert read_json(tmp_path / "run", "config.json")["command"] == "train"


# ---------------------------------------------------------------- options that are given twice


@pytest.mark.parametrize(
    "line, message",
    [
        ("train --task 1 --n1 4 --n1 8", "--n1 is given 2 times, '4' and '8'; give one."),
        ("train --task 1 --out a --out b", "--out is given 2 times, 'a' and 'b'; give one."),
        (
            "predict run --data a -o b.csv --out c.csv",
            "--out is given 2 times, 'b.csv' and 'c.csv'",
        ),
        ("train --task 1 --n1 4 --n1 4 --n1 4", "--n1 is given 3 times, '4'; give one."),
    ],
)
def test_an_option_is_given_once(command, line, message):
    got = command(line)
    assert (got.code, got.out) == (2, "") and got.err.startswith(f"Error: {message}")


def test_lists_of_names_may_be_given_in_parts(command, tmp_path):
    rows = "".join(f"{i},{i % 3},{i % 4},{i * i}\n" for i in range(30))
    (tmp_path / "t.csv").write_text(f'"a, in m",b,c,y\n{rows}')
    given = "train --data t.csv --loss squared --n1 2 --max-epochs 2 --out run"
    parts = "--target y --target c --exclude 'a, in m' --record clipped --record gradient_norm"
    got = command(f"{given} {parts} --quiet --quiet")
    assert (got.code, got.err) == (0, "")
    result = fastnet.load("run")
    assert (result.targets, result.features) == (("y", "c"), ("b",))
    got = command("predict run --data t.csv --keep y --keep b --quiet")
    assert got.out.startswith("y,b,predicted_y,c\n")
