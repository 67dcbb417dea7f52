"""The metrics are those of scikit-learn, with ties, weights and classes that do not occur."""

import numpy as np
import pytest

from fastnet.results import metrics
from fastnet.results.labels import of_labels
from fastnet.results.metrics import best_thresholds, of_classes, of_numbers
from fastnet.results.rules import Rule, predicted_classes

sklearn = pytest.importorskip("sklearn.metrics")
SAME = 1e-12  # relative: sums in another order
LABELS = ["a", "b", "c", "d"]


def sample(rng, k, n=60, ties=False, weighted=False):
    """One-hot targets, logits and weights of n rows, every class among them."""
    truth = rng.permutation(np.arange(n) % k)
    Z2 = rng.normal(size=(n, k)) + 1.5 * np.eye(k)[truth]
    weight = rng.integers(1, 4, n) * 0.5 if weighted else np.ones(n)
    return np.eye(k)[truth], Z2.round() if ties else Z2, weight


def theirs(Y, Z2, weight):
    """What scikit-learn says of all rows."""
    k, truth, P = Y.shape[1], Y.argmax(axis=1), metrics.softmax(Z2)
    guess, given = Z2.argmax(axis=1), {"sample_weight": weight}
    macro = {"average": "macro", "zero_division": 0, **given}
    scores = (truth, P[:, 1]) if k == 2 else (truth, P)
    ranked = (truth, P[:, 1]) if k == 2 else (Y, P)
    return {
        "accuracy": sklearn.accuracy_score(truth, guess, **given),
        "balanced_accuracy": sklearn.balanced_accuracy_score(truth, guess, **given),
        "precision": sklearn.precision_score(truth, guess, **macro),
        "recall": sklearn.recall_score(truth, guess, **macro),
        "f1": sklearn.f1_score(truth, guess, **macro),
        "roc_auc": sklearn.roc_auc_score(*scores, multi_class="ovr", **given),
        "average_precision": sklearn.average_precision_score(*ranked, **given),
        "brier": sklearn.brier_score_loss(*scores, labels=range(k), **given),
        "log_loss": sklearn.log_loss(truth, P, **given),
    }


def of_all(found):
    """The metrics of all classes together."""
    return {name: value for name, value in found.items() if name not in ("classes", "baseline")}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_classes(rng, k, ties, weighted):
    Y, Z2, weight = sample(rng, k, ties=ties, weighted=weighted)
    found = of_classes(Y, Z2, weight, LABELS[:k])
    assert of_all(found) == pytest.approx(theirs(Y, Z2, weight), rel=SAME)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 4])
def test_each_class(rng, k, weighted):
    Y, Z2, weight = sample(rng, k, ties=True, weighted=weighted)
    found = of_classes(Y, Z2, weight, LABELS[:k])["classes"]
    truth, P, guess = Y.argmax(axis=1), metrics.softmax(Z2), Z2.argmax(axis=1)
    parts = sklearn.precision_recall_fscore_support(truth, guess, sample_weight=weight)
    for c, label in enumerate(LABELS[:k]):
        given = (Y[:, c], P[:, c])
        assert found[label] == pytest.approx(
            {
                "rows": (truth == c).sum(),
                "predicted": (guess == c).sum(),
                **dict(zip(("precision", "recall", "f1"), (part[c] for part in parts))),
                "roc_auc": sklearn.roc_auc_score(*given, sample_weight=weight),
                "average_precision": sklearn.average_precision_score(*given, sample_weight=weight),
            },
            rel=SAME,
        )


def test_the_baseline_is_a_dummy_classifier(rng):
    dummy = pytest.importorskip("sklearn.dummy").DummyClassifier(strategy="prior")
    Y, Z2, weight = sample(rng, 3, weighted=True)
    train = rng.permutation([0] * 20 + [1] * 50 + [2] * 30)
    dummy.fit(np.zeros((100, 1)), train)
    shares = np.bincount(train) / 100
    found = of_classes(Y, Z2, weight, LABELS[:3], shares)["baseline"]
    P = dummy.predict_proba(np.zeros((len(Y), 1)))
    assert "classes" not in found
    assert found == pytest.approx(theirs(Y, np.log(P), weight), rel=SAME)


def test_classes_that_neither_occur_nor_are_predicted_are_left_out(rng):
    """The same as without them, as scikit-learn has it; their own metrics are None."""
    Y, Z2, weight = sample(rng, 3)
    more = np.hstack([Z2, np.full((len(Z2), 1), -60.0)])  # a probability of nearly 0
    Y4 = np.hstack([Y, np.zeros((len(Y), 1))])
    found = of_classes(Y4, more, weight, LABELS)
    assert of_all(found) == pytest.approx(theirs(Y, Z2, weight), rel=SAME)
    assert found["classes"]["d"] == {
        "rows": 0,
        "predicted": 0,
        **dict.fromkeys(("precision", "recall", "f1", "roc_auc", "average_precision")),
    }


def test_a_class_that_is_predicted_and_does_not_occur_has_recall_0(rng):
    Y, Z2, weight = sample(rng, 3)
    rows = Y[:, 2] == 0
    Y, Z2, weight = Y[rows], Z2[rows], weight[rows]
    found = of_classes(Y, Z2, weight, LABELS[:3])
    truth, guess, P = Y.argmax(axis=1), Z2.argmax(axis=1), metrics.softmax(Z2)
    assert 2 in guess
    for name, function in (
        ("precision", sklearn.precision_score),
        ("recall", sklearn.recall_score),
        ("f1", sklearn.f1_score),
    ):
        expected = function(truth, guess, average="macro", zero_division=0)
        assert found[name] == pytest.approx(expected, rel=SAME)
    both = [sklearn.roc_auc_score(Y[:, c], P[:, c]) for c in (0, 1)]
    assert found["roc_auc"] == pytest.approx(np.mean(both), rel=SAME)
    recall = sklearn.recall_score(truth, guess, average=None, labels=[0, 1])
    assert found["balanced_accuracy"] == pytest.approx(recall.mean(), rel=SAME)
    assert found["classes"]["c"]["recall"] == 0 and found["classes"]["c"]["roc_auc"] is None


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_alone_has_no_roc(rng, only):
    Y, Z2, weight = sample(rng, 2)
    rows = Y[:, only] == 1
    found = of_classes(Y[rows], Z2[rows], weight[rows], LABELS[:2], np.array([0.5, 0.5]))
    assert found["roc_auc"] is None and found["baseline"]["roc_auc"] is None
    assert found["average_precision"] == (1.0 if only == 1 else None)
    assert found["accuracy"] == found["balanced_accuracy"]


def test_rows_of_weight_0_have_no_influence(rng):
    Y, Z2, weight = sample(rng, 3, weighted=True)
    weight[Y[:, 1] == 1] = 0
    rows = weight > 0
    shares = np.array([0.5, 0.25, 0.25])
    found = of_classes(Y, Z2, weight, LABELS[:3], shares)
    assert found == of_classes(Y[rows], Z2[rows], weight[rows], LABELS[:3], shares)
    assert found["classes"]["b"]["rows"] == 0


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_a_threshold_moves_labels_and_no_probabilities(rng, threshold):
    Y, Z2, weight = sample(rng, 2)
    found = of_classes(Y, Z2, weight, LABELS[:2], rule=Rule((threshold,)))
    truth, guess = Y.argmax(axis=1), metrics.softmax(Z2)[:, 1] >= threshold
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(truth, guess))
    expected = sklearn.f1_score(truth, guess, average="macro", zero_division=0)
    assert found["f1"] == pytest.approx(expected)
    assert found["roc_auc"] == of_classes(Y, Z2, weight, LABELS[:2])["roc_auc"]
    assert metrics.confusion_matrix(Y, guess.astype(int)).tolist() == (
        sklearn.confusion_matrix(truth, guess).tolist()
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_no_threshold_is_better_than_the_best(rng, ties, weighted):
    Y, Z2, weight = sample(rng, 2, n=101, ties=ties, weighted=weighted)
    truth, p = Y.argmax(axis=1), metrics.softmax(Z2)[:, 1]
    found = best_thresholds(truth == 1, p, weight)
    for name, function in (
        ("f1", sklearn.f1_score),
        ("balanced_accuracy", sklearn.balanced_accuracy_score),
    ):
        values = [function(truth, p >= t, sample_weight=weight) for t in (found[name], *p)]
        assert values[0] == pytest.approx(max(values), rel=SAME)
    half = [np.abs(t - 0.5) for t in best_thresholds(truth == 1, Y[:, 1], weight).values()]
    assert max(half) < 1e-6  # of all that are right, the one between


def test_no_threshold_without_two_classes(rng):
    Y, Z2, weight = sample(rng, 2)
    truth, p = Y[:, 1] == 1, metrics.softmax(Z2)[:, 1]
    assert best_thresholds(truth, p, weight * Y[:, 0]) is None
    assert best_thresholds(truth, p * np.nan, weight) is None


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_costs_decide_for_the_least_expected_cost(rng, k, weighted):
    Y, Z2, weight = sample(rng, k, weighted=weighted)
    costs = rng.uniform(0.1, 9, k)
    found = of_classes(Y, Z2, weight, LABELS[:k], np.full(k, 1 / k), Rule(costs=tuple(costs)))
    truth, P = Y.argmax(axis=1), metrics.softmax(Z2)
    expected = P * costs @ (1 - np.eye(k))  # of predicting each class
    guess = expected.argmin(axis=1)
    assert found["mean_cost"] == pytest.approx(
        np.average(costs[truth] * (guess != truth), weights=weight), rel=SAME
    )
    given = {"sample_weight": weight}
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(truth, guess, **given))
    dearest = costs[truth] * (truth != costs.argmax())  # the shares of all classes are alike
    assert found["baseline"]["mean_cost"] == pytest.approx(np.average(dearest, weights=weight))
    assert found["log_loss"] == of_classes(Y, Z2, weight, LABELS[:k])["log_loss"]


def test_costs_of_two_classes_are_a_threshold(rng):
    _, Z2, _ = sample(rng, 2)
    costs, threshold = Rule(costs=(2.0, 5.0)), Rule((2 / 7,))
    assert (predicted_classes(Z2, costs) == predicted_classes(Z2, threshold)).all()


@pytest.mark.parametrize("ties", [False, True])
def test_equal_costs_are_none_and_a_class_that_costs_nothing_is_never_predicted(rng, ties):
    _, Z2, _ = sample(rng, 3, ties=ties)
    assert (predicted_classes(Z2, Rule(costs=(1.0, 1.0, 1.0))) == Z2.argmax(axis=1)).all()
    assert set(predicted_classes(Z2, Rule(costs=(1.0, 0.0, 1.0)))) == {0, 2}


# ---------------------------------------------------------------- one row, one class


@pytest.mark.parametrize("only", [0, 1, 2])
@pytest.mark.parametrize("rule", [None, Rule(costs=(1.0, 4.0, 2.0))])
def test_one_row(rng, only, rule):
    Y, Z2 = np.eye(3)[[only]], rng.normal(size=(1, 3))
    found = of_classes(Y, Z2, np.ones(1), LABELS[:3], np.full(3, 1 / 3), rule)
    guess = predicted_classes(Z2, rule)
    given = {"average": "macro", "zero_division": 0}
    for name in ("precision", "recall", "f1"):
        score = getattr(sklearn, f"{name}_score")([only], guess, **given)
        assert found[name] == pytest.approx(score)
    assert found["roc_auc"] is None and found["average_precision"] == 1
    if rule:
        assert found["mean_cost"] == (0 if guess == only else rule.costs[only])


# ---------------------------------------------------------------- small samples of any kind


def random_rule(rng, k):
    """No rule, thresholds or costs."""
    kind = rng.integers(3 if k == 2 else 2)
    rules = (None, Rule(costs=tuple(rng.integers(0, 4, k) + 0.5)), Rule((rng.random(),)))
    return rules[kind]


@pytest.mark.parametrize("seed", range(60))
def test_random_samples(seed):
    """From one row up: ties, classes that are missing, weights of 0, and rules."""
    rng = np.random.default_rng(seed)
    k, n = rng.integers(2, 5), rng.integers(1, 9)
    truth, Z2 = rng.integers(0, k, n), rng.normal(size=(n, k)).round(rng.integers(0, 3))
    weight = np.append(rng.integers(0, 3, n - 1) * 0.5, 1.0)
    rule, rows = random_rule(rng, k), weight > 0
    found = of_classes(np.eye(k)[truth], Z2, weight, LABELS[:k], rule=rule)
    P, guess, given = metrics.softmax(Z2), predicted_classes(Z2, rule), {"sample_weight": weight}
    seen = np.union1d(truth[rows], guess[rows])
    macro = {"average": "macro", "zero_division": 0, "labels": seen, **given}
    assert found["accuracy"] == pytest.approx(sklearn.accuracy_score(truth, guess, **given))
    for name in ("precision", "recall", "f1"):
        expected = getattr(sklearn, f"{name}_score")(truth, guess, **macro)
        assert found[name] == pytest.approx(expected, rel=SAME, abs=SAME)
    own = {**macro, "labels": np.unique(truth[rows])}
    recall = sklearn.recall_score(truth, guess, **own)
    assert found["balanced_accuracy"] == pytest.approx(recall, rel=SAME, abs=SAME)
    logs = sklearn.log_loss(truth, P, labels=range(k), **given)
    assert found["log_loss"] == pytest.approx(logs, rel=1e-9)
    for c, label in enumerate(LABELS[:k]):
        one, there = found["classes"][label], truth[rows] == c
        if there.any():
            score = sklearn.average_precision_score(truth == c, P[:, c], **given)
            assert one["average_precision"] == pytest.approx(score, rel=SAME)
        else:
            assert one["average_precision"] is None
        if there.any() and not there.all():
            score = sklearn.roc_auc_score(truth == c, P[:, c], **given)
            assert one["roc_auc"] == pytest.approx(score, rel=SAME, abs=SAME)
        else:
            assert one["roc_auc"] is None


@pytest.mark.parametrize("seed", range(40))
def test_random_samples_of_several_labels(seed):
    rng = np.random.default_rng(seed)
    k, n = rng.integers(2, 4), rng.integers(1, 9)
    Y, Z2 = (rng.random((n, k)) < 0.5).astype(float), rng.normal(size=(n, k)).round(1)
    weight = np.append(rng.integers(0, 3, n - 1) * 0.5, 1.0)
    limits = rng.random(k).round(1)
    rule = Rule(tuple(limits)) if seed % 2 else None
    found = of_labels(Y, Z2, weight, LABELS[:k], rule=rule)
    P = 1 / (1 + np.exp(-Z2))
    guess, given = (P >= limits if rule else P > 0.5).astype(int), {"sample_weight": weight}
    expected = {"subset_accuracy": sklearn.accuracy_score(Y, guess, **given)}
    counted = {"average": "macro", "zero_division": 0, **given}
    for name in ("precision", "recall", "f1"):
        expected[name] = getattr(sklearn, f"{name}_score")(Y, guess, **counted)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=SAME, abs=SAME)
    for j, label in enumerate(LABELS[:k]):
        one, there = found["targets"][label], Y[weight > 0, j] == 1
        if there.any() and not there.all():
            for name in ("roc_auc", "average_precision"):
                score = getattr(sklearn, f"{name}_score")(Y[:, j], P[:, j], **given)
                assert one[name] == pytest.approx(score, rel=SAME, abs=SAME)
        else:
            assert one["roc_auc"] is None


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("k", [1, 3])
def test_numbers(rng, k, weighted):
    Y = rng.normal(5, 1, (50, k))
    P, mean = Y + rng.normal(size=Y.shape), np.full(k, 4.5)
    weight = rng.uniform(0.1, 2, 50) if weighted else np.ones(50)
    found = of_numbers(Y, P, weight, LABELS[:k], mean)
    for told, predicted in ((found, P), (found["baseline"], np.broadcast_to(mean, Y.shape))):
        for name, function in (
            ("rmse", sklearn.root_mean_squared_error),
            ("mae", sklearn.mean_absolute_error),
            ("r2", sklearn.r2_score),
            ("mape", sklearn.mean_absolute_percentage_error),
        ):
            expected = function(Y, predicted, sample_weight=weight, multioutput="raw_values")
            assert told[name] == pytest.approx(expected.mean(), rel=SAME, abs=SAME)
            if k > 1:
                each = [told["targets"][label][name] for label in LABELS[:k]]
                assert each == pytest.approx(expected.tolist(), rel=SAME, abs=SAME)


def test_a_target_of_0_has_no_mape():
    """Also if the 0 comes back from scaling with rounding."""
    Y, P = np.array([[0.0], [3.0]]), np.ones((2, 1))
    assert of_numbers(Y, P, np.ones(2), "y")["mape"] is None
    assert of_numbers(Y + 4e-16, P, np.ones(2), "y")["mape"] is None
    assert of_numbers(Y - 1, P, np.ones(2), "y")["mape"] == pytest.approx((2 / 1 + 1 / 2) / 2)
