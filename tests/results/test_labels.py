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
from fastnet.figures import scores
from fastnet.report import report
from fastnet.results import words
from fastnet.results.labels import of_labels
from fastnet.results.remarks import remarks

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
    (line,) = remarks({"train": found, "val": None, "test": None}, ["a", "b"])
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


def test_a_threshold_is_refused(run, table):
    with pytest.raises(UsageError, match="needs a model of two classes, not of 3 targets of label"):
        fastnet.predict(run.run, table, threshold=0.3)


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
    assert scores.not_regression(run) == "it predicts labels, not numbers"
    assert scores.not_classification(run) == "it predicts several labels, not classes"
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
