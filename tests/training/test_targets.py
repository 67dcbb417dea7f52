"""Targets in people's units: the loss that they stand for, refusals, and what the answer says."""

import numpy as np
import pytest

import fastnet
from fastnet.errors import UsageError
from fastnet.results import answer, words
from fastnet.results.again import repeat_command

LM = {"optimizer": "lm", "activation": "tanh", "max_epochs": 60}


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    return X, np.sin(X[:, 0]) + 0.2 * X[:, 1] + 1


@pytest.mark.parametrize("fraction", [0.0, 0.25])
@pytest.mark.parametrize("scale", ["none", "standard", "minmax"])
@pytest.mark.parametrize("target", [{"target_rmse": 0.12}, {"target_r2": 0.97}])
def test_a_member_stops_when_the_metric_reaches_the_target(samples, target, scale, fraction):
    ((option, value),) = target.items()
    result = fastnet.sweep(
        *samples, n1=6, validation_fraction=fraction, scale=scale, dtype="float64", **LM, **target
    )
    metric = option.removeprefix("target_")
    reached = result.metrics["val" if fraction else "train"][metric]
    assert result.best["stop_reason"] == "target"
    assert reached == pytest.approx(result.by_n1()[0][f"best_{metric}"], rel=1e-9)
    history = result.history()
    losses = history.val_loss if fraction else history.train_loss
    factor = (losses[-2] / losses[-1]) ** 0.5
    before = reached * factor if metric == "rmse" else 1 - (1 - reached) * factor**2
    if metric == "rmse":
        assert reached <= value < before
    else:
        assert before < value <= reached


def test_weights_count_in_r2(samples):
    X, y = samples
    weight = np.where(np.arange(len(y)) % 2, 1.0, 3.0)
    result = fastnet.sweep(X, y, sample_weight=weight, n1=6, scale="standard", target_r2=0.97, **LM)
    assert result.by_n1()[0]["best_r2"] == pytest.approx(result.metrics["train"]["r2"], rel=1e-6)


def test_log_loss_is_the_cross_entropy():
    result = fastnet.sweep(task=2, n1=16, max_epochs=30, target_log_loss=0.2)
    assert result.best["stop_reason"] == "target"
    found = result.metrics["val"]["log_loss"]
    assert 0.1 < found <= 0.2
    assert result.by_n1()[0]["best_log_loss"] == pytest.approx(found, rel=1e-5)


def test_log_loss_of_several_labels_is_their_mean():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2))
    Y = X > 0
    result = fastnet.sweep(
        X, Y, loss="binary_cross_entropy", n1=4, optimizer="lbfgs", target_log_loss=0.2
    )
    assert result.best["stop_reason"] == "target"
    found = result.metrics["train"]["log_loss"]
    assert found <= 0.2 and result.by_n1()[0]["best_log_loss"] == pytest.approx(found, rel=1e-5)


DIGITS = {"task": 2, "n1": [4, 16], "seeds": 3, "max_epochs": 12, "target_accuracy": 0.92}


def test_accuracy_is_that_of_the_best_weights_of_members_that_ended(tmp_path):
    result = fastnet.sweep(**DIGITS, out=tmp_path / "run")
    members = result.members
    enough = members["val_accuracy"] >= 0.92
    assert 0 < enough.sum() < 6
    np.testing.assert_array_equal(members["stop_reason"] == "target", enough)
    assert (members["epochs"] == 12).all()  # none stops early at it
    best = [members["val_accuracy"][members["n1"] == n1].max() for n1 in (4, 16)]
    assert [row["best_accuracy"] for row in result.by_n1()] == best
    plain = fastnet.sweep(**{**DIGITS, "target_accuracy": None})
    np.testing.assert_array_equal(plain.packed["W1"], result.packed["W1"])
    said = answer.sentence(members, result.options)
    assert said.startswith("N1 = 16 is the smallest that reaches a validation accuracy of 0.92 in")
    again = fastnet.load(tmp_path / "run")
    assert answer.sentence(again.members, again.options) == said


def test_accuracy_goes_on_after_an_interruption(tmp_path, monkeypatch):
    def stop(where):
        return where.stage == "train" and where.epoch >= 3

    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)  # rounds of one epoch
    cut = fastnet.sweep(**DIGITS, out=tmp_path / "run", progress=stop)
    assert cut.status == "interrupted"
    resumed, whole = fastnet.resume(tmp_path / "run"), fastnet.sweep(**DIGITS)
    np.testing.assert_array_equal(resumed.members["stop_reason"], whole.members["stop_reason"])


def test_the_smallest_n1_of_an_accuracy_is_decided():
    result = fastnet.smallest(
        task=2, n1=[2, 32], max_epochs=8, target_accuracy=0.8, success_rate=0.7, confidence=0.8
    )
    assert [row["verdict"] for row in result.by_n1()] == ["insufficient", "sufficient"]
    said = answer.sentence(result.members, result.options)
    assert said.startswith("N1 = 32 reaches a validation accuracy of 0.8 in at least 70 % of")


def test_train_with_an_accuracy_trains_all_members_to_their_end():
    result = fastnet.train(**{**DIGITS, "n1": 16, "seeds": 2})
    assert result.options["stop"] == "all" and (result.members["epochs"] == 12).all()


def test_a_resumed_run_has_the_same_target(tmp_path, samples, monkeypatch):
    given = {"n1": [2, 6], "target_rmse": 0.12, "scale": "standard", **LM}
    whole = fastnet.sweep(*samples, **given)
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)  # rounds of one epoch
    stop = {"out": tmp_path / "r", "progress": lambda where: where.stage == "train"}
    assert fastnet.sweep(*samples, **given, **stop).status == "interrupted"
    resumed = fastnet.resume(tmp_path / "r", *samples)
    assert resumed.options["target_loss"] == whole.options["target_loss"]
    np.testing.assert_array_equal(resumed.packed["W1"], whole.packed["W1"])


def test_the_answer_is_in_the_unit_of_the_target():
    result = fastnet.sweep(
        task=1, samples=100, n1=[2, 5], seeds=2, optimizer="lm", max_epochs=40, target_rmse=0.05
    )
    header, rows = words.by_n1_cells(result)
    assert "best RMSE" in header and "best loss" not in header
    assert float(rows[1][header.index("best RMSE")]) <= 0.05
    assert "reaches a training RMSE of 0.05 in" in answer.sentence(result.members, result.options)
    assert f": RMSE {result.metrics['train']['rmse']:.4g}, train" in words.best_line(result)
    command = repeat_command(result)
    assert "--target-rmse 0.05" in command and "target-loss" not in command


def test_one_network_that_reached_it_says_so_in_its_unit(samples):
    result = fastnet.train(*samples, n1=6, scale="standard", target_rmse=0.12, **LM)
    assert "reached a training RMSE of 0.12: RMSE " in words.best_line(result)


def test_the_estimator_takes_targets_among_its_options(samples):
    pytest.importorskip("sklearn")
    from fastnet.estimator import FastNetRegressor

    net = FastNetRegressor(
        n1=6, optimizer="lm", activation="tanh", learning_rate=None, batch_size=None,
        clip_norm=None, lr_patience=None, options={"target_rmse": 0.15}, random_state=0,
    )  # fmt: skip
    net.fit(*samples)
    assert net.result_.best["stop_reason"] == "target"
    assert net.result_.metrics["val"]["rmse"] <= 0.15 * (1 + 1e-5)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"target_rmse": 1, "target_loss": 1e-3}, "^give target_loss or target_rmse, not both"),
        ({"target_rmse": 1, "target_r2": 0.5}, "^give target_rmse or target_r2, not both"),
        ({"target_rmse": 0}, "^target_rmse must be a number > 0 or none, got 0"),
        ({"target_r2": 1}, "^target_r2 must be a number < 1 or none, got 1"),
        ({"target_accuracy": 1.1}, "^target_accuracy must be a number > 0 and <= 1 or none, got"),
        ({"target_accuracy": 0.9}, "^target_accuracy needs classes, got loss squared; give"),
        ({"target_log_loss": 0.9}, "^target_log_loss needs classes, got loss squared; give"),
        (
            {"target_rmse": 1, "loss": "huber"},
            "^target_rmse follows from loss squared alone, got",
        ),
        ({"target_r2": 0.5, "folds": 3}, "^target_r2 is another loss in each fold"),
    ],
)
def test_targets_that_do_not_follow_from_the_loss_are_refused(samples, given, message):
    for run in (fastnet.sweep, lambda *a, **k: fastnet.dry_run("sweep", *a, **k)):
        with pytest.raises(UsageError, match=message):
            run(*samples, **given)


def test_rmse_of_several_targets_is_refused(samples):
    X, y = samples
    with pytest.raises(
        UsageError, match=r"^target_rmse belongs to one target, got 2; the loss is a"
    ):
        fastnet.sweep(X, np.stack([y, y], axis=1), target_rmse=1)


def test_r2_of_a_constant_is_refused(samples):
    X, _ = samples
    with pytest.raises(UsageError, match=r"^target_r2 needs a target that varies in the monitored"):
        fastnet.sweep(X, np.ones(len(X)), target_r2=0.5)


def test_rmse_of_classes_and_stop_first_of_accuracy_are_refused():
    with pytest.raises(UsageError, match=r"got cross_entropy; give target_loss or target_log_loss"):
        fastnet.sweep(task=2, target_rmse=1)
    with pytest.raises(UsageError, match=r"^target_accuracy is known only when a member has ended"):
        fastnet.train(task=2, target_accuracy=0.9, stop="first")


def test_smallest_needs_a_target(samples):
    with pytest.raises(UsageError, match=r"^smallest needs a target to reach; give target_loss, "):
        fastnet.smallest(*samples)
