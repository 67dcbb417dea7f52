"""Runs of several targets of two labels each: metrics as in scikit-learn, predictions, figures."""

import json
import re

import numpy as np
import pandas
import pytest
from click.testing import CliRunner

import fastnet
from fastnet import figures
from fastnet.cli import commands as cli
from fastnet.errors import DataError, UsageError
from fastnet.figures import sets
from fastnet.report import report
from fastnet.results import words
from fastnet.results.labels import of_labels
from fastnet.results.verdict import verdict

sklearn = pytest.importorskip("sklearn.metrics")
SAME = 1e-12  # relative: sums in another order
NAMES = ["a", "b", "c"]
GIVEN = {"loss": "binary_cross_entropy", "n1": 4, "optimizer": "adam", "learning_rate": 0.05}
GIVEN |= {"max_epochs": 60, "backend": "reference"}


def theirs(y, z, weight):
    """What scikit-learn says of one target."""
    p, guess, given = 1 / (1 + np.exp(-z)), z > 0, {"sample_weight": weight}
    counted = {"zero_division": 0, **given}
    return {
        "rows": y[weight > 0].sum(),
        "predicted": guess[weight > 0].sum(),
        "accuracy": sklearn.accuracy_score(y, guess, **given),
        "precision": sklearn.precision_score(y, guess, **counted),
        "recall": sklearn.recall_score(y, guess, **counted),
        "f1": sklearn.f1_score(y, guess, **counted),
        "roc_auc": sklearn.roc_auc_score(y, p, **given),
        "average_precision": sklearn.average_precision_score(y, p, **given),
        "brier": sklearn.brier_score_loss(y, p, **given),
        "log_loss": sklearn.log_loss(y, p, **given),
    }


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3])
def test_the_metrics_are_those_of_scikit_learn(rng, k, weighted):
    Y = (rng.random((60, k)) < 0.4).astype(float)
    Z2 = (rng.normal(size=Y.shape) + 2 * Y - 1).round(1)  # with ties
    weight = rng.integers(0, 4, 60) * 0.5 if weighted else np.ones(60)
    names = NAMES[:k]
    found = of_labels(Y, Z2, weight, names, Y.mean(axis=0))
    for j, name in enumerate(names):
        expected = theirs(Y[:, j], Z2[:, j], weight)
        assert found["targets"][name] == pytest.approx(expected, rel=SAME)
    guess, given = Z2 > 0, {"sample_weight": weight}
    together = {
        "subset_accuracy": sklearn.accuracy_score(Y, guess, **given),
        "accuracy": 1 - sklearn.hamming_loss(Y, guess, **given),
        "f1": sklearn.f1_score(Y, guess, average="macro", **given),
        "precision": sklearn.precision_score(Y, guess, average="macro", **given),
        "recall": sklearn.recall_score(Y, guess, average="macro", **given),
        "roc_auc": sklearn.roc_auc_score(Y, Z2, average="macro", **given),
        "average_precision": sklearn.average_precision_score(Y, Z2, average="macro", **given),
    }
    assert {name: found[name] for name in together} == pytest.approx(together, rel=SAME)
    baseline = found["baseline"]["targets"]["a"]
    share = np.full(60, Y[:, 0].mean())
    logs = sklearn.log_loss(Y[:, 0], share, sample_weight=weight)
    assert baseline["log_loss"] == pytest.approx(logs, rel=SAME) and baseline["roc_auc"] == 0.5


def test_a_label_that_does_not_occur_has_no_curve_and_no_recall():
    Y, Z2 = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[-1.0, 2.0], [-1.0, -2.0]])
    found = of_labels(Y, Z2, np.ones(2), ["a", "b"], np.array([0.0, 0.5]))
    one = found["targets"]["a"]
    assert (one["roc_auc"], one["recall"], one["f1"], one["accuracy"]) == (None, 0.0, 0.0, 1.0)
    assert found["roc_auc"] is None and found["subset_accuracy"] == 1
    assert np.isfinite(found["baseline"]["log_loss"])


def test_a_target_no_better_than_its_shares_is_told():
    Y, Z2 = (
        np.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]),
        np.array([[-9.0, 9], [-9, -9], [-9, -9]]),
    )
    found = of_labels(Y, Z2, np.ones(3), ["a", "b"], Y.mean(axis=0))
    (line,) = verdict({"train": found, "val": None, "test": None}, ["a", "b"])
    assert line.startswith("a: no better than its more frequent label; the accuracy on the train")


# ---------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def frame():
    X = np.random.default_rng(0).normal(size=(120, 2)).round(3)
    frame = pandas.DataFrame(X, columns=["x", "y"])
    frame["spam"] = np.where(frame.x > 0, "yes", "no")
    return frame.assign(long=(frame.x + frame.y > 0.5).astype(int), ok=frame.y > 0)


@pytest.fixture(scope="module")
def table(frame, tmp_path_factory):
    path = tmp_path_factory.mktemp("labels") / "t.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def run(table):
    out = table.parent / "run"
    target = ["spam", "long", "ok"]
    return fastnet.train(data=table, target=target, test_fraction=0.2, out=out, **GIVEN)


def test_a_run_of_a_table_predicts_each_columns_own_labels(run, table, frame):
    found = fastnet.predict(run.run, table, proba=True)
    shares = ["p_spam=yes", "p_long=1", "p_ok=True"]
    assert found.columns.tolist() == ["spam", "long", "ok", *shares]
    assert [found[name].dtype.kind for name in ("long", "ok")] == ["i", "b"]
    for name, share in zip(("spam", "long", "ok"), shares):
        assert (found[name] == frame[name]).mean() > 0.9
        second = found[name] == run.labels[found.columns.get_loc(name)][1]
        assert ((found[share] > 0.5) == second).all()


def test_evaluate_gives_the_metrics_of_each_target(run, table, frame):
    found = fastnet.evaluate(run.run, table)
    predicted = fastnet.predict(run.run, table)
    assert list(found["metrics"]["targets"]) == ["spam", "long", "ok"]
    assert found["labels"] == {"spam": ["no", "yes"], "long": [0, 1], "ok": [False, True]}
    right = (predicted == frame[predicted.columns]).all(axis=1).mean()
    assert found["metrics"]["subset_accuracy"] == pytest.approx(right)
    losses = [one["log_loss"] for one in found["metrics"]["targets"].values()]
    assert found["loss"] == pytest.approx(sum(losses))
    with pytest.raises(
        DataError, match=r"column 'spam' has the label 'maybe' in .*; known: 'no' and"
    ):
        fastnet.evaluate(run.run, frame.assign(spam="maybe"))


def test_the_accuracy_of_members_is_that_of_all_labels(run):
    for name in ("train", "val", "test"):
        share = run.metrics[name]["subset_accuracy"]
        assert run.best[f"{name}_accuracy"] == pytest.approx(share)


def test_a_run_folder_keeps_the_labels(run):
    again = fastnet.load(run.run)
    assert again.labels == run.labels == (("no", "yes"), (0, 1), (False, True))
    assert fastnet.load_model(run.run).labels == run.labels


def test_a_broken_model_is_refused(run, tmp_path):
    with np.load(f"{run.run}/model.npz") as file:
        arrays = dict(file)
    for labels, message in (
        ('[["no", "yes"]]', "it has labels of 1 targets, and 3 outputs"),
        ('[["no", 1], [0, 1], [0, 1]]', r"labels\[0\] must be a list of texts, of integers or of"),
        ("[[", "is broken"),
    ):
        np.savez(tmp_path / "m.npz", **{**arrays, "labels": np.array(labels)})
        with pytest.raises(DataError, match=message):
            fastnet.load_model(tmp_path / "m.npz")


@pytest.mark.parametrize("goal", ["f1", "balanced_accuracy"])
def test_the_thresholds_of_each_target_are_the_best_of_the_validation_rows(run, frame, goal):
    model = fastnet.load_model(run.run)
    assert model.thresholds == run.thresholds == fastnet.load(run.run).thresholds
    assert run.summary()["best"]["thresholds"] == run.thresholds
    rows = frame.iloc[run.split["val"]]
    score = {"f1": sklearn.f1_score, "balanced_accuracy": sklearn.balanced_accuracy_score}[goal]
    shares = model.predict_proba(rows)
    for j, (name, pair) in enumerate(zip(run.targets, run.labels)):
        truth, limit = rows[name] == pair[1], model.thresholds[goal][name]
        own = score(truth, shares[:, j] >= limit)
        assert own == pytest.approx(max(score(truth, shares[:, j] >= t) for t in shares[:, j]))


@pytest.mark.parametrize(
    ("given", "typed"),
    [
        (0.3, "0.3"),
        ("f1", "f1"),
        ({"spam": 0.2, "ok": "f1"}, "spam=0.2,ok=f1"),
        ({"long": 1.0}, '"long=1"'),
    ],
)
def test_thresholds_decide_about_each_target(run, table, frame, given, typed):
    model = fastnet.load_model(run.run)
    each = given if isinstance(given, dict) else dict.fromkeys(run.targets, given)
    limits = [each.get(name, 0.5) for name in run.targets]
    limits = [model.thresholds["f1"][n] if t == "f1" else t for n, t in zip(run.targets, limits)]
    second = model.predict_proba(frame) >= limits
    found = fastnet.predict(run.run, table, threshold=given)
    assert fastnet.predict(run.run, table, threshold=typed).equals(found)
    assert (model.predict(frame, threshold=given) == found.to_numpy(object)).all()
    for j, (name, pair) in enumerate(zip(run.targets, run.labels)):
        assert found[name].tolist() == [pair[int(one)] for one in second[:, j]]
    line = ["evaluate", str(run.run), "--data", str(table), "--threshold", typed, "--json"]
    scores = json.loads(CliRunner().invoke(cli.cli, line).stdout)
    right = (found == frame[found.columns]).all(axis=1).mean()
    assert scores["metrics"]["subset_accuracy"] == pytest.approx(right)
    assert scores["threshold"] == dict(zip(run.targets, limits))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sapm": 0.3}, r"^threshold: the model has no target 'sapm', only spam, long, ok\. Did y"),
        ("spam=0.3,spam=0.4", "^threshold must be NAME=NUM,NAME=NUM, each once, got 'spam=0.3,s"),
        ("=0.3", "^threshold must be NAME=NUM,NAME=NUM, each once, got '=0.3'"),
        ("spam=2", "^threshold of target 'spam' must be from 0 to 1, f1 or balanced.*, got '2'"),
        ({"ok": None}, "^threshold of target 'ok' must be from 0 to 1, f1 or bala.*, got None"),
    ],
)
def test_thresholds_that_are_refused(run, table, given, message):
    with pytest.raises(UsageError, match=message):
        fastnet.predict(run.run, table, threshold=given)
    with pytest.raises(UsageError, match=r"^costs need a model of classes, not of 3 targets"):
        fastnet.evaluate(run.run, table, costs="yes=5,no=1")


def test_a_target_with_one_label_in_the_validation_rows_has_no_threshold(frame, table, tmp_path):
    frame[:30].assign(spam="no").to_csv(tmp_path / "v.csv", index=False)
    given = {**GIVEN, "max_epochs": 2, "validation_data": tmp_path / "v.csv"}
    result = fastnet.train(data=table, target=["spam", "ok"], out=tmp_path / "run", **given)
    assert result.thresholds["f1"]["spam"] is None and 0 < result.thresholds["f1"]["ok"] < 1
    model = fastnet.load_model(tmp_path / "run")
    assert model.thresholds == result.thresholds == fastnet.load(tmp_path / "run").thresholds
    with pytest.raises(UsageError, match="target 'spam': the validation rows have only one of its"):
        model.predict(frame, threshold="f1")
    assert model.predict(frame, threshold={"spam": 0.4, "ok": "f1"}).shape == (120, 2)
    assert "spam -, ok 0." in words.threshold_line(result)


def test_saved_thresholds_are_checked(run, tmp_path):
    with np.load(f"{run.run}/model.npz") as file:
        arrays = dict(file)
    for thresholds, message in (
        ([[0.5, 0.5, 1.5], [0.5, 0.5, 0.5]], "it has the threshold 1.5 for f1"),
        ([[0.5, 0.5], [0.5, 0.5]], "is broken"),
        ([0.5, 0.5], "is broken"),
    ):
        np.savez(tmp_path / "m.npz", **{**arrays, "thresholds": np.array(thresholds)})
        with pytest.raises(DataError, match=message):
            fastnet.load_model(tmp_path / "m.npz")


def test_a_validation_file_has_the_same_labels(table, frame):
    other = table.with_name("v.csv")
    frame[:30].assign(spam="no").to_csv(other, index=False)
    run = {"data": table, "target": ["spam", "ok"], "validation_data": other}
    result = fastnet.train(**run, **{**GIVEN, "max_epochs": 2})
    assert result.labels == (("no", "yes"), (False, True)) and len(result.split["val"]) == 30


def test_the_command_line_shows_a_row_for_each_label(run):
    shown = CliRunner().invoke(cli.cli, ["show", str(run.run)])
    text = shown.output
    assert shown.exit_code == 0
    assert "all labels right" in text and "mean ROC AUC" in text
    assert re.search(r"^label +rows +predicted +accuracy +precision", text, re.MULTILINE)
    assert re.search(r"^spam +\d+ +\d+ ", text, re.MULTILINE)
    assert words.BASELINE["labels"] in text
    shown = CliRunner().invoke(cli.cli, ["show", str(run.run), "--json"])
    best = json.loads(shown.stdout)["best"]
    assert best["metrics"]["val"]["targets"]["ok"]["f1"] > 0.5


def test_figures_show_probabilities_or_say_why_not(run):
    pytest.importorskip("altair")
    assert sets.not_regression(run) == "it predicts labels, not numbers"
    assert sets.not_classification(run) == "it predicts several labels, not classes"
    table = figures.regions.table(run)
    values = table["value"][table["frame"] >= 0].astype(float)
    assert (0 <= values).all() and (values <= 1).all()
    page = report(run)
    assert b"mean ROC AUC" in page and b"Each label, on the test rows" in page


def test_arrays_give_the_labels_of_their_kind(frame):
    X, Y = frame[["x", "y"]], frame[["long", "ok"]].to_numpy(int)
    result = fastnet.sweep(X, Y, seeds=2, **{**GIVEN, "max_epochs": 20}, folds=3)
    model = result.model()
    assert model.predict(X).dtype.kind == "i" and model.predict_proba(X).shape == (120, 2)
    assert set(result.folds["mean"]) >= {"subset_accuracy", "f1", "log_loss"}
    again = fastnet.train(X, Y > 0, **{**GIVEN, "max_epochs": 20}).model()
    assert again.predict(X).dtype == bool and again.labels == ((False, True),) * 2
