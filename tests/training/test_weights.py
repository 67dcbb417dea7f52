"""Sample weights, class weights and folds: what they mean for a member's losses and weights."""

import numpy as np
import pytest

import fastnet
from fastnet.data.samples import make_data
from fastnet.errors import DataError, UsageError

# float64 sums of the same terms in another order, over 20 epochs.
SAME_SUMS = 1e-10
OPTIONS = dict(n1=[3, 6], seeds=2, learning_rate=0.3, max_epochs=20, dtype="float64")


@pytest.fixture
def samples(rng):
    X = rng.uniform(-1, 1, (90, 3))
    return X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]


@pytest.fixture
def labelled(samples):
    X, y = samples
    return X, np.where(y > 0.6, "high", np.where(y > -0.2, "middle", "low"))


def weights_of(result, member):
    return np.concatenate([array.ravel() for array in result.weights(member)])


def assert_same_training(one, other, tolerance=SAME_SUMS):
    for member in range(len(one.members)):
        np.testing.assert_allclose(
            weights_of(one, member), weights_of(other, member), rtol=tolerance, atol=tolerance
        )
    for name in ("train_loss", "val_loss"):
        np.testing.assert_allclose(one.members[name], other.members[name], rtol=tolerance)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_a_whole_weight_is_so_many_copies_of_the_sample(samples, rng, backend):
    X, y = samples
    times = rng.integers(0, 4, len(X))
    weighted = fastnet.sweep(X, y, sample_weight=times, backend=backend, **OPTIONS)
    copied = fastnet.sweep(X.repeat(times, axis=0), y.repeat(times), backend=backend, **OPTIONS)
    assert_same_training(weighted, copied)


@pytest.mark.parametrize("batch_size", [None, 16])
def test_kernels_and_reference_weigh_alike(labelled, rng, batch_size):
    X, y = labelled
    weight = rng.uniform(0, 2, len(X)) * (rng.random(len(X)) > 0.2)
    given = dict(sample_weight=weight, batch_size=batch_size, validation_fraction=0.2)
    kernels = fastnet.sweep(X, y, **given, **OPTIONS)
    reference = fastnet.sweep(X, y, backend="reference", **given, **OPTIONS)
    assert_same_training(kernels, reference)
    np.testing.assert_allclose(kernels.members["val_accuracy"], reference.members["val_accuracy"])


def test_a_sample_of_weight_0_is_as_if_removed_byte_for_byte(samples, rng):
    """With mini-batches the steps are the same; a full batch adds in another order."""
    X, y = samples
    used = rng.random(len(X)) > 0.3
    given = dict(batch_size=16, **OPTIONS)
    weighted = fastnet.sweep(X, y, sample_weight=used, **given)
    removed = fastnet.sweep(X[used], y[used], **given)
    last = [history.train_loss[-1] for history in (weighted.history(0), removed.history(0))]
    assert last[0] == pytest.approx(last[1], rel=SAME_SUMS)
    assert weights_of(weighted, 0).tobytes() == weights_of(removed, 0).tobytes()


def test_a_weighted_loss_is_what_the_model_gives(samples, rng):
    X, y = samples
    weight = rng.uniform(0, 2, len(X))
    test = X[:20], y[:20], weight[:20]
    result = fastnet.train(X, y, sample_weight=weight, test=test, n1=4, dtype="float64")
    losses = (result.model().predict(X) - y) ** 2 / 2
    assert result.best["train_loss"] == pytest.approx(np.average(losses, weights=weight), rel=1e-12)
    expected = np.average(losses[:20], weights=weight[:20])
    assert result.best["test_loss"] == pytest.approx(expected, rel=1e-12)


def test_balanced_classes_have_the_same_sum_of_weights(labelled):
    X, y = labelled
    names, counts = np.unique(y, return_counts=True)
    factors = dict(zip(names.tolist(), (len(y) / (3 * counts)).tolist()))
    balanced = fastnet.sweep(X, y, class_weight="balanced", **OPTIONS)
    named = fastnet.sweep(X, y, class_weight=factors, **OPTIONS)
    by_sample = fastnet.sweep(X, y, sample_weight=[factors[label] for label in y], **OPTIONS)
    assert_same_training(balanced, named)
    assert_same_training(balanced, by_sample)


def test_class_weights_are_for_training_and_validation_not_for_the_test(labelled):
    """Unweighted validation rows would choose the epoch at which the rare classes count least."""
    X, y = labelled
    weight = np.where(y == "high", 9.0, 1.0)
    given = dict(test=(X, y), max_epochs=1, n1=3, dtype="float64")
    plain = fastnet.train(X, y, validation=(X, y), **given)
    weighted = fastnet.train(X, y, validation=(X, y), class_weight={"high": 9.0}, **given)
    by_row = fastnet.train(X, y, sample_weight=weight, validation=(X, y, weight), **given)
    assert weighted.history().val_loss[0] == weighted.history().train_loss[0]
    assert weighted.history().val_loss[0] != plain.history().val_loss[0]
    assert_same_training(weighted, by_row)
    shares = weighted.model().predict_proba(X)[np.arange(len(y)), np.searchsorted(np.unique(y), y)]
    assert weighted.best["test_loss"] == pytest.approx(-np.log(shares).mean(), rel=1e-12)


def test_class_weights_of_folds_weigh_their_validation_rows(labelled):
    X, y = labelled
    weight, given = np.where(y == "high", 9.0, 1.0), dict(folds=thirds(len(X)), **OPTIONS)
    by_class = fastnet.sweep(X, y, class_weight={"high": 9.0}, **given)
    assert_same_training(by_class, fastnet.sweep(X, y, sample_weight=weight, **given))


# ---------------------------------------------------------------- folds


def thirds(n):
    """Three folds, of which the last leaves out the first rows altogether."""
    rows = np.arange(n)
    return [(np.setdiff1d(rows, part), part) for part in np.array_split(rows[6:], 3)]


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("batch_size", [None, 16])
def test_a_fold_is_a_training_on_its_rows(labelled, rng, backend, batch_size):
    X, y = labelled
    weight, folds = rng.uniform(0.1, 2, len(X)), thirds(len(X))
    given = dict(batch_size=batch_size, backend=backend, lr_patience=2, **OPTIONS)
    result = fastnet.sweep(X, y, sample_weight=weight, folds=folds, **given)
    assert result.members["fold"].tolist() == [0, 1, 2] * 4
    assert result.members["seed"].tolist() == [0, 0, 0, 1, 1, 1] * 2
    for fold, (train, val) in enumerate(folds):
        validation = X[val], y[val], weight[val]
        alone = fastnet.sweep(
            X[train], y[train], sample_weight=weight[train], validation=validation, **given
        )
        chosen = np.flatnonzero(result.members["fold"] == fold)
        for name in ("train_loss", "val_loss", "val_accuracy", "best_epoch"):
            np.testing.assert_allclose(
                result.members[name][chosen], alone.members[name], rtol=SAME_SUMS
            )
        for member, same in enumerate(chosen):
            np.testing.assert_allclose(
                weights_of(result, same), weights_of(alone, member), rtol=1e-8, atol=SAME_SUMS
            )


def test_a_fold_does_not_depend_on_the_others(samples):
    X, y = samples
    folds = thirds(len(X))
    together = fastnet.sweep(X, y, folds=folds, threads=2, **OPTIONS)
    alone = fastnet.sweep(X, y, folds=folds[1:2], threads=1, **OPTIONS)
    for member in range(4):
        np.testing.assert_array_equal(
            weights_of(together, 3 * member + 1), weights_of(alone, member)
        )


def test_a_batch_larger_than_a_fold_is_the_full_batch(samples):
    X, y = samples
    folds = [(np.arange(10), np.arange(10, 90)), (np.arange(50), np.arange(50, 90))]
    batches = fastnet.sweep(X, y, folds=folds, batch_size=12, **OPTIONS)
    full = fastnet.sweep(X, y, folds=folds, **OPTIONS)
    np.testing.assert_array_equal(weights_of(batches, 0), weights_of(full, 0))
    assert (weights_of(batches, 1) != weights_of(full, 1)).any()


def test_folds_and_weights_are_saved_and_resumed(samples, tmp_path):
    X, y = samples
    given = dict(folds=thirds(len(X)), sample_weight=np.linspace(0, 1, len(X)))
    done = fastnet.sweep(X, y, out=tmp_path / "run", **given, **OPTIONS)
    loaded = fastnet.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.members["fold"], done.members["fold"])
    (tmp_path / "run" / "summary.json").unlink()
    fastnet.resume(tmp_path / "run", X, y, **given)
    again = fastnet.load(tmp_path / "run")
    assert weights_of(again, 5).tobytes() == weights_of(done, 5).tobytes()
    (tmp_path / "run" / "summary.json").unlink()
    with pytest.raises(fastnet.FastnetError, match="data"):
        fastnet.resume(tmp_path / "run", X, y, folds=given["folds"])


def test_memory_does_not_grow_with_the_folds(samples):
    X, y = samples
    one, two = (make_data(X, y, folds=thirds(len(X))[:count]) for count in (1, 2))
    assert one.subset("train")[0].nbytes == two.subset("train")[0].nbytes
    assert two.subset("train")[2].shape == two.subset("val")[2].shape == (2, len(X))


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "weight, message",
    [
        ([1.0, 2.0], r"sample_weight must hold one number for each of the 90 rows, got shape"),
        (["a"] * 90, r"sample_weight must hold one number for each of the 90 rows"),
        ([-1.0] * 90, r"sample_weight has -1.0 in row 0"),
        ([np.nan] * 90, r"sample_weight has nan in row 0"),
        ([0.0] * 90, r"all weights of the training rows are 0"),
    ],
)
def test_wrong_sample_weights(samples, weight, message):
    with pytest.raises(DataError, match=message):
        fastnet.train(*samples, sample_weight=weight)


@pytest.mark.parametrize(
    "given, message",
    [
        ("equal", r'class_weight must be None, "balanced" or a dict of the labels high, low'),
        ({"huge": 2}, r"dict of the labels high, low, middle, got \{'huge': 2\}"),
        ({"high": -2}, r"class_weight must hold numbers >= 0, got"),
    ],
)
def test_wrong_class_weights(labelled, given, message):
    with pytest.raises(UsageError, match=message):
        fastnet.train(*labelled, class_weight=given)


def test_class_weights_need_classes(samples):
    with pytest.raises(UsageError, match=r"class_weight 'balanced' needs classes"):
        fastnet.train(*samples, class_weight="balanced")


@pytest.mark.parametrize(
    "folds, message",
    [
        ([1, 2], r"folds must be pairs \(training rows, validation rows\), got 1"),
        ([([0, 1], [])], r"folds must hold row numbers, got"),
        ([([0, 1], [0.5])], r"folds must hold row numbers, got"),
        ([([0, 1], [90])], r"folds must hold row numbers from 0 to 89, got"),
    ],
)
def test_wrong_folds(samples, folds, message):
    with pytest.raises(UsageError, match=message):
        fastnet.train(*samples, folds=folds)


def test_folds_replace_a_validation_set(samples):
    folds = thirds(90)
    with pytest.raises(
        UsageError, match="folds hold out validation rows of their own; drop validation and"
    ):
        fastnet.train(*samples, folds=folds, validation_fraction=0.1)
