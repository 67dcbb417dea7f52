"""What commands print and where: documents, answers, progress; the commands that show things."""

import json
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
from lines import TINY, written
from output import Output

import fastnet
from fastnet import doctor, gradcheck
from fastnet.cli import terminal as show
from fastnet.native import cache
from fastnet.options.methods import LOSSES
from fastnet.results import environment

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
