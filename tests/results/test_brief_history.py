"""Runs with record best: of each history the first, the best and the last entry alone."""

import signal

import numpy as np
import pytest
from test_reuse import X, Y, contents

import fastnet
from fastnet import UsageError, figures
from fastnet.training.history import kept_epochs

SHORT = {"n1": [2, 4], "seeds": 3, "max_epochs": 40, "threads": 1}
RUNS = {
    "sgd": {"optimizer": "sgd", "record": ["gradient_norm"]},
    "batches": {"optimizer": "adam", "batch_size": 8, "validation_fraction": 0.2},
    "second order": {"optimizer": ["lm", "lbfgs"], "learning_rate": None},
    "folds": {"folds": 3, "optimizer": "adam"},
    "own stops": {"patience": 4, "min_delta": 0.01, "learning_rate": [0.05, 1e30]},
}


def swept(out=None, **given):
    return fastnet.sweep(X, Y, out=out, **{**SHORT, **given})


def brief(out=None, **given):
    return swept(out, **{**given, "record": [*given.get("record", ()), "best"]})


@pytest.mark.parametrize("case", RUNS)
def test_a_brief_history_is_the_first_best_and_last_entry_of_the_whole_one(case):
    whole, short = swept(**RUNS[case]), brief(**RUNS[case])
    assert whole.packed["W1"].tobytes() == short.packed["W1"].tobytes()
    for member, record in enumerate(whole.members):
        history = whole.history(member)
        kept = np.isin(history.epoch, [0, record["best_epoch"], record["epochs"]])
        for there, here in zip(short.history(member), history):
            np.testing.assert_array_equal(there, here[kept])


def test_a_brief_history_keeps_the_first_epoch_of_its_first_round():
    assert kept_epochs(5, brief=True).tolist() == [0]
    assert kept_epochs(9, 5, brief=True).tolist() == kept_epochs(0, brief=True).tolist() == []


def test_shards_parts_and_reused_members_have_the_same_brief_histories(tmp_path):
    brief(tmp_path / "one")
    swept(tmp_path / "whole")
    brief(tmp_path / "p1", shard="1/2")
    brief(tmp_path / "p2", shard="2/2")
    brief(tmp_path / "together", reuse=[tmp_path / "p1", tmp_path / "p2"])
    reused = brief(tmp_path / "reused", reuse=tmp_path / "whole")
    assert reused.notices[0].startswith("Reused 6 of 6 members")
    assert contents(tmp_path / "together") == contents(tmp_path / "one")
    assert contents(tmp_path / "reused") == contents(tmp_path / "one")


def test_more_epochs_go_on_with_brief_histories(tmp_path):
    brief(tmp_path / "old", keep="state")
    brief(tmp_path / "scratch", keep="state", max_epochs=60)
    result = brief(tmp_path / "longer", keep="state", max_epochs=60, reuse=tmp_path / "old")
    assert result.notices[0].endswith(" go on from epoch 40.")
    assert contents(tmp_path / "longer") == contents(tmp_path / "scratch")


def test_a_brief_run_is_resumed_to_the_same_files(tmp_path):
    def interrupt(progress):
        if progress.stage == "train":
            signal.raise_signal(signal.SIGINT)

    long = {"max_epochs": 3000, "optimizer": "sgd"}
    brief(tmp_path / "one", **long)
    cut = brief(tmp_path / "cut", **long, progress=interrupt)
    assert cut.status == "interrupted" and np.diff(cut.entries["offsets"]).max() <= 3
    fastnet.resume(tmp_path / "cut", X, Y)
    assert contents(tmp_path / "cut") == contents(tmp_path / "one")


def test_whole_histories_do_not_come_from_a_brief_run(tmp_path):
    brief(tmp_path / "old")
    result = swept(reuse=tmp_path / "old")
    why = "it kept the first, best and last entry of each history alone (record best)"
    assert any(why in line for line in result.notices)


def test_figures_of_curves_say_what_a_brief_run_lacks(tmp_path):
    short, whole = brief(), swept()
    assert "loss-curves" not in [figure.name for figure in figures.applying(short)]
    assert "loss-curves" in [figure.name for figure in figures.applying(whole)]
    with pytest.raises(UsageError, match="record best kept the first, best and last entry"):
        figures.FIGURES["loss-curves"].chart(short)
    table = figures.compare_curves.table({"short": short, "whole": whole})
    assert set(table["run"]) == {"whole"}
    assert figures.compare_curves.table({"short": short})["epoch"].size == 0


def test_the_disk_of_brief_histories_is_counted():
    given = {"n1": [2], "seeds": 1000, "max_epochs": 1000}
    plans = [fastnet.dry_run("sweep", X, Y, **given, record=r) for r in ((), ("best",))]
    assert plans[1]["disk_bytes"] < plans[0]["disk_bytes"] / 20
    assert brief(record=["snapshots"], seeds=1).recorded["snapshots"]
    assert "best" in brief(record=["none"], seeds=1).options["record"]
