"""What a command line is refused for, and the exit codes of runs."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from lines import N1, TINY, written
from output import Output

import fastnet
from fastnet import api, doctor, gradcheck
from fastnet.cli import display as show
from fastnet.errors import DataError, FastnetError, UsageError

DIVERGED = (
    "Error: all members diverged: try a lower --learning-rate, --clip-norm 1 or another "
    "--optimizer.\n"
)


# ---------------------------------------------------------------- bad command lines


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
        "adapted, at_rows, got 'xavier'.\n"
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
