"""Where options come from: the command line, the environment, a file, the default."""

import json
from pathlib import Path

import pytest
from lines import written
from output import Output


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
