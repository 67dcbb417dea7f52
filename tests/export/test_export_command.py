"""`fastnet export` as a command: what it writes, prints and refuses."""

import json
import os
import sys

import numpy as np
import pytest
from exported import C_TOLERANCE, assert_close, below, imported

import fastnet
from fastnet.cli import commands as cli
from fastnet.export import facts, proof


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a finished run, one without weights, and an empty folder."""
    folder = tmp_path_factory.mktemp("runs")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 2)), np.array(["no", "yes"])[rng.integers(0, 2, 40)]
    given = {"n1": [2, 3], "seeds": 2, "max_epochs": 5, "threads": 1}
    fastnet.sweep(X, y, out=folder / "good-1", **given)
    fastnet.sweep(X, y, out=folder / "bare", keep="none", **given)
    fastnet.sweep(X, X[:, 0], out=folder / "numbers", **given)
    (folder / "empty").mkdir()
    return folder


@pytest.fixture
def command(monkeypatch, capsys, runs):
    """Run `fastnet export` beside the runs; exit code, stdout, stderr."""
    monkeypatch.chdir(runs)

    def run(line):
        monkeypatch.setattr(sys, "argv", ["fastnet", "export", *line.split()])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return code, *capsys.readouterr()

    return run


def test_export_writes_beside_you_and_tells_the_sizes(command, runs):
    n1 = int(fastnet.load(runs / "good-1").best["n1"])
    code, out, err = command("good-1 --to c")
    first, rest = out.split("\n", 1)
    assert first.startswith("Member ") and "the lowest training loss of all 4" in first
    model = facts.with_all_logits(fastnet.load(runs / "good-1").model())
    error = proof.PROMISE * proof.rounding_error(model, np.float32)
    assert (code, rest, err) == (
        0,
        f"good_1.h  {os.path.getsize(runs / 'good_1.h'):,} bytes\n"
        f"{5 * n1 + 2} parameters (float32), {20 * n1 + 8} bytes with scaling; a prediction takes "
        f"{4 * n1} multiply-adds and {8 * (2 + 2)} bytes of memory.\n"
        f"Inputs are float32, which changes predictions for rows of the data by "
        f"{error:.1g} of their size at most.\n",
        "",
    )
    assert "good_1_classify" in (runs / "good_1.h").read_text()


def test_export_json_is_one_document(command, runs):
    code, out, _ = command("good-1/model.npz --to numpy --json --force")
    done = json.loads(out)
    assert code == 0 and done["schema_version"] == 1 and done["to"] == "numpy"
    assert list(done["files"]) == ["good_1.py"]


def test_export_of_a_member_is_that_member(command, runs):
    result = fastnet.load(runs / "good-1")
    for member in range(4):
        assert command(f"good-1 --to npy -o member{member} --member {member}")[0] == 0
        W1 = np.load(runs / f"member{member}" / "W1.npy")
        np.testing.assert_array_equal(W1, result.weights(member).W1)


def test_export_of_an_ensemble_says_so(command, runs):
    code, out, _ = command("numbers --to numpy --members top:3")
    found = fastnet.load(runs / "numbers").ensemble("top:3")
    assert code == 0 and out.startswith(f"{found.words()} It is written as one network.\n")
    got = imported(runs / "numbers.py").predict([[0.5, 1.0]])
    assert_close(got, found.predict([[0.5, 1.0]]), C_TOLERANCE["float32"])


@pytest.mark.parametrize(
    "line, code, message",
    [
        ("good-1 --to c --members all", 2, "an ensemble of loss cross_entropy is not one network"),
        ("bare --to c --members all", 2, "an ensemble needs the weights of all members"),
        ("numbers --to c --members all --member 1", 2, "--member 1 is one network, --members all"),
        ("good-1", 2, "Missing option '--to'. Choose from: npy, onnx, c, numpy"),
        ("good-1 --to keras", 2, "Invalid value for '--to': 'keras' is not one of"),
        (
            "nothing --to c",
            1,
            "no run folder and no model at nothing; `fastnet ls` lists the runs.",
        ),
        ("empty --to c", 3, "empty is not a run folder of fastnet: it has no config.json."),
        (
            "good-1/split.npz --to c",
            3,
            "good-1/split.npz is not a model of this version of fastnet: ",
        ),
        ("good-1/config.json --to c", 3, "good-1/config.json cannot be read: "),
        ("bare --to c", 2, "the weights of member"),
        ("good-1 --to c --member 4", 2, "member must be an integer from 0 to 3, got 4."),
        (
            "good-1/model.npz --to c --member 1",
            2,
            "--member chooses one of a run; good-1/model.npz",
        ),
        ("good-1 --to c -o bare", 1, "-o: bare is a folder; name a file."),
        ("good-1 --to c -o bare/config.json/x.h", 1, "bare/config.json/x.h cannot be written"),
    ],
)
def test_export_errors_are_one_line(command, runs, line, code, message):
    before = below(runs)
    found, out, err = command(line)
    assert (found, out) == (code, "") and err.startswith(f"Error: {message}"), err
    assert err.count("\n") == 1
    assert below(runs) == before
