"""fastnet.smallest and `fastnet smallest`: members are added until the smallest N1 is decided."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import fastnet
from fastnet.cli import cli
from fastnet.job import Progress
from fastnet.results import answer
from fastnet.results.collect import peek
from fastnet.results.words import best_line, progress_line

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def sine(tmp_path_factory):
    """The decided answer for task 1, in a folder."""
    return fastnet.smallest(task=1, samples=200, out=tmp_path_factory.mktemp("runs") / "sine")


def equal_members(result, i, other, j):
    """Whether two members have the same bytes: weights, history and how they stopped."""
    pairs = zip((*result.weights(i), *result.history(i)), (*other.weights(j), *other.history(j)))
    same = result.members[i], other.members[j]
    ends = [(m["epochs"], m["stop_reason"], m["train_loss"]) for m in same]
    return ends[0] == ends[1] and all(a.tobytes() == b.tobytes() for a, b in pairs)


def test_the_answer_is_decided(sine):
    summary = sine.summary()
    rows = {row["n1"]: row for row in summary["by_n1"]}
    smallest = summary["smallest_n1"]
    assert rows[smallest]["verdict"] == "sufficient"
    assert rows[smallest]["success_low"] >= 0.9
    assert rows[smallest - 1]["verdict"] == "insufficient"
    assert rows[smallest - 1]["success_high"] < 0.9
    assert sine.best["n1"] == smallest
    assert sine.best["stop_reason"] == "target"
    assert summary["members"] == sum(row["members"] for row in summary["by_n1"])


def test_an_exhaustive_sweep_agrees(sine):
    smallest = sine.summary()["smallest_n1"]
    sweep = fastnet.sweep(task=1, samples=200, n1=[smallest - 1, smallest], seeds=1000)
    below, at = sweep.by_n1()
    assert below["success_rate"] < 0.9 <= at["success_rate"]


def test_members_have_the_bytes_of_any_sweep(sine):
    widths = [1, 2, 4]
    sweep = fastnet.sweep(task=1, samples=200, n1=widths, seeds=32)
    for j, member in enumerate(sweep.members):
        found = (sine.members["n1"] == member["n1"]) & (sine.members["seed"] == member["seed"])
        assert equal_members(sine, int(np.flatnonzero(found)[0]), sweep, j)


def test_the_folder_loads_to_the_same_answer(sine):
    again = fastnet.load(sine.run)
    assert again.summary() == sine.summary()
    assert answer.sentence(again.members, again.options).startswith(
        f"N1 = {again.summary()['smallest_n1']} reaches the target loss 0.001 in at least 90 %"
    )


@pytest.mark.parametrize("block", [1, 4])
def test_a_killed_search_goes_on_to_the_same_bytes(sine, block, tmp_path, monkeypatch):
    """The process dies when the given block has been trained and saved."""
    from fastnet import job

    class Died(BaseException):
        pass

    extended = []
    original = job.Job.longer_plan

    def longer_plan(self):
        if len(extended) == block:
            self.folder.checkpoint(self.training.checkpoint())
            raise Died
        extended.append(1)
        return original(self)

    monkeypatch.setattr(job.Job, "longer_plan", longer_plan)
    with pytest.raises(Died):
        fastnet.smallest(task=1, samples=200, out=tmp_path / "run")
    seen = peek(tmp_path / "run")
    assert 32 * (block + 1) <= len(seen.members) < len(sine.members)
    monkeypatch.undo()
    resumed = fastnet.resume(tmp_path / "run")
    assert len(resumed.members) == len(sine.members)
    assert all(equal_members(resumed, i, sine, i) for i in range(len(sine.members)))
    assert resumed.summary()["by_n1"][0]["verdict"] == "insufficient"


@pytest.mark.parametrize("arrays", [{}, {"states": np.zeros(3)}, {"states": np.array([99])}])
def test_a_damaged_checkpoint_of_a_search_is_refused(arrays, tmp_path, monkeypatch):
    from fastnet import job

    def die(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(job.Job, "train", die)
    with pytest.raises(KeyboardInterrupt):
        fastnet.smallest(task=1, samples=200, out=tmp_path / "run")
    monkeypatch.undo()
    np.savez(tmp_path / "run" / "checkpoint.npz", **arrays)
    for read in (peek, fastnet.resume):
        with pytest.raises(fastnet.DataError, match=r"checkpoint\.npz is not of this run"):
            read(tmp_path / "run")


def test_a_killed_search_without_checkpoint_begins_again(sine, tmp_path, monkeypatch):
    from fastnet import job

    def die(self):
        raise KeyboardInterrupt

    monkeypatch.setattr(job.Job, "train", die)
    with pytest.raises(KeyboardInterrupt):
        fastnet.smallest(task=1, samples=200, out=tmp_path / "run")
    monkeypatch.undo()
    resumed = fastnet.resume(tmp_path / "run")
    assert len(resumed.members) == len(sine.members)


def test_the_time_limit_ends_with_what_is_known():
    result = fastnet.smallest(task=1, target_loss=1e-12, max_epochs=10**6, time_limit=0.2, n1=[64])
    summary = result.summary()
    assert summary["smallest_n1"] is None
    assert summary["by_n1"][0]["verdict"] == "open"
    said = answer.sentence(result.members, result.options)
    assert said.startswith("No N1 is decided to reach the target loss 1e-12")
    assert "N1 = 64: its first seeds were cut short; raise --max-members or --time-limit." in said


def test_one_epoch_is_no_epochs_and_many_are_grouped():
    result = fastnet.train(task=1, samples=20, n1=2, max_epochs=1200, target_loss=None)
    for epochs, said in ((1, "; 1 epoch, "), (1200, "; 1,200 epochs, ")):
        result.members["epochs"] = epochs
        assert said in best_line(result)


def test_an_interrupted_search_says_how_to_go_on():
    given = {"target_loss": 1e-12, "max_epochs": 10**6, "n1": [64]}
    ended = fastnet.smallest(task=1, progress=lambda where: where.stage == "train", **given)
    said = answer.sentence(ended.members, ended.options)
    assert said.endswith("N1 = 64: its first seeds were cut short; continue the run with --resume.")


def test_max_members_ends_with_what_is_known():
    result = fastnet.smallest(task=1, samples=200, n1=[3], max_members=40, success_rate=0.87)
    assert len(result.members) == 40
    said = answer.sentence(result.members, result.options)
    assert "Not decided: N1 = 3:" in said
    assert "; its rate is too close to 87 % for 40 seeds, the most of one width; raise" in said


def test_widths_for_which_no_members_are_left_are_not_called_tried():
    result = fastnet.smallest(task=1, samples=100, n1=[1, 2], max_epochs=20, max_members=10)
    said = answer.sentence(result.members, result.options)
    assert said.endswith("Only N1 = 1 was tried; raise --max-members or --time-limit.")


def test_no_end_is_foretold_while_members_may_be_added():
    seen = []
    fastnet.smallest(task=1, samples=100, n1=[1], max_epochs=20, progress=seen.append)
    assert {where.remaining for where in seen} == {None}
    assert " left" not in progress_line(Progress("train", members=2, running=2))


def test_all_widths_fail():
    result = fastnet.smallest(task=1, samples=100, n1=[1, 2], max_epochs=20)
    said = answer.sentence(result.members, result.options)
    assert "Candidates up to 2 were tried; raise --n1 or --max-epochs." in said


def test_classes_with_a_validation_set():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    y = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
    result = fastnet.smallest(
        X,
        y,
        target_loss=0.2,
        validation_fraction=0.2,
        optimizer="adam",
        learning_rate=0.05,
        activation="tanh",
        max_epochs=200,
        success_rate=0.5,
        max_members=2000,
    )
    summary = result.summary()
    assert summary["smallest_n1"] == result.best["n1"]
    assert result.best["val_loss"] <= 0.2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seeds": 4}, "smallest adds seeds by itself and takes no seeds; drop it"),
        ({"zip": True}, "takes no zip"),
        ({"folds": 5}, "takes no folds"),
        ({"learning_rate": [0.1, 0.2], "optimizer": "sgd"}, "got 2 values of learning_rate"),
        ({"target_loss": None}, "smallest needs a target to reach; give target_loss"),
        ({"success_rate": 1.0}, "success_rate 1 of all possible seeds cannot be decided"),
        ({"stop": "all"}, "stop decided and the command smallest belong together"),
        ({"confidence": 1.0}, "confidence must be a number >= 0.5 and < 1, got 1.0"),
        ({"max_members": 0}, "max_members must be an integer >= 1"),
        ({"initial_weights": [()]}, "takes no initial_weights"),
    ],
)
def test_what_does_not_go_with_a_search_is_refused(given, said):
    with pytest.raises(fastnet.UsageError, match=said):
        fastnet.smallest(task=1, **given)


def test_other_commands_refuse_to_decide():
    with pytest.raises(fastnet.UsageError, match="belong together; sweep has stop decided"):
        fastnet.sweep(task=1, stop="decided")


def test_a_dry_run_says_the_first_members_and_the_most():
    facts = fastnet.dry_run("smallest", task=1, n1=[1, 2, 3, 4], max_members=500)
    assert (facts["members"], facts["max_members"], facts["n1"]) == (96, 500, [1, 2, 4])


# ---------------------------------------------------------------- the command line


def invoke(*arguments):
    return CliRunner().invoke(cli, ["smallest", *arguments], catch_exceptions=False)


def test_the_command_prints_the_answer_and_writes_the_run(tmp_path):
    out = tmp_path / "run"
    done = invoke("--task", "1", "--samples", "200", "--n1", "1:8", "--out", str(out), "--json")
    assert done.exit_code == 0
    document = json.loads(done.stdout)
    assert document == json.loads((out / "summary.json").read_text()) | {"run": str(out)}
    shown = CliRunner().invoke(cli, ["show", str(out)], catch_exceptions=False).stdout
    assert "verdict" in shown.splitlines()[0]
    assert f"N1 = {document['smallest_n1']} reaches the target loss 0.001" in shown
    for command in (["report", str(out), "-o", str(tmp_path / "r.html")], ["plot", str(out)]):
        assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0


def test_require_target_needs_a_sufficient_width(tmp_path):
    given = ("--task", "1", "--samples", "100", "--n1", "3", "--max-members", "40")
    done = invoke(
        *given, "--success-rate", "0.99", "--require-target", "--out", str(tmp_path / "r")
    )
    assert done.exit_code == 4
    assert "no N1 is decided to be sufficient" in done.stderr


def test_members_that_all_diverge_are_not_told_to_be_wider():
    given = {"optimizer": "sgd", "learning_rate": 1e30, "loss": "squared", "max_epochs": 20}
    result = fastnet.smallest([[0.0], [1.0]], [0.0, 1.0], n1=[1, 2], target_loss=1e-9, **given)
    assert set(result.members["stop_reason"]) == {"diverged"}
    said = answer.sentence(result.members, result.options)
    assert said.endswith(
        "were tried; most members diverged: try a lower --learning-rate, --clip-"
        "norm 1 or another --optimizer."
    )


def test_no_measured_verdict_contradicts_1000_other_seeds():
    found = json.loads((ROOT / "docs" / "smallest.json").read_text(encoding="utf-8"))["rows"]
    assert len({row["function"] for row in found}) == 10
    for row in found:
        for n1, rate in row["rates"].items():
            verdict = row["verdicts"].get(n1, "open")
            assert verdict in ("open", "sufficient" if rate >= 0.9 else "insufficient")
        assert row["verdicts"][str(row["answer"])] == "sufficient"
