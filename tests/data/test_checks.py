"""Numbers beyond the dtype, masked arrays, and what is no array at all."""

import re

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.data.samples import make_data
from fastnet.errors import DataError, UsageError

X = np.linspace(-1, 1, 20)
SMALL = {"n1": 2, "max_epochs": 3, "learning_rate": 0.1}


def with_value(value, place=3):
    values = X.copy()
    values[place] = value
    return values


def refused(words, error=DataError):
    return pytest.raises(error, match=f"^{re.escape(words)}")


# ---------------------------------------------------------------- beyond the dtype

CURE = "; use dtype float64, scale standard, or remove it."
IN_ROW_3 = "in row 3 (counted from 0 over all sets), beyond float32"


@pytest.mark.parametrize("value", [1e39, -1e300, 3.5e38])
def test_numbers_beyond_the_dtype_are_refused(value):
    large = with_value(value)
    with refused(f"column 'x0' has {value:g} {IN_ROW_3} (at most 3.4e+38){CURE}"):
        fastnet.train(large, X, **SMALL)
    with refused(f"target 'y' has {value:g} {IN_ROW_3} (at most 9.2e+18, for squares){CURE}"):
        fastnet.train(X, large, **SMALL)
    with refused(f"target 'y' has {value:g} {IN_ROW_3} (at most 3.4e+38){CURE}"):
        fastnet.train(X, large, loss="absolute", **SMALL)
    frame = pandas.DataFrame({"a": X, "b": large})
    with refused(f"column 'b' has {value:g} {IN_ROW_3}"):
        fastnet.train(frame, X, **SMALL)


def test_numbers_that_fit_after_scaling_or_in_float64_are_trained_on():
    large = with_value(1e39)
    for given in ({"dtype": "float64"}, {"scale": "standard"}, {"scale": "minmax"}):
        assert np.isfinite(fastnet.train(large, X, **SMALL, **given).best["train_loss"])


@pytest.mark.parametrize("name, place", [("column 'x0'", 0), ("target 'y'", 1)])
def test_numbers_beyond_the_dtype_after_scaling_are_refused(name, place):
    pair = [X, X]
    pair[place] = with_value(1e300)
    with refused(f"{name} has 1e+300 in row 23 (counted from 0 over all sets), beyond float32 "):
        fastnet.train(X, X, validation=tuple(pair), scale="standard", **SMALL)


def test_a_target_whose_squares_are_infinite_is_refused():
    with refused("target 'y' has -1e+20 in row 0 "):
        fastnet.train(X, X * 1e20, **SMALL)
    with refused("target 'y' has -1e+160 in row 0 "):
        fastnet.train(X, X * 1e160, dtype="float64", **SMALL)
    assert np.isfinite(fastnet.train(X, X * 1e18, **SMALL).best["train_loss"])


def test_noise_beyond_the_dtype_is_refused():
    with refused("target 'y' has "):
        fastnet.train(task=1, noise=1e40)


def test_initial_weights_beyond_the_dtype_are_refused():
    given = [(np.full((2, 1), -1e39), np.zeros(2), np.zeros((1, 2)), np.zeros(1))]
    words = "initial_weights[0]: W1 has 1e+39, beyond float32 (at most 3.4e+38); use dtype float64"
    with refused(words, UsageError):
        fastnet.train(X, X, initial_weights=given, **SMALL)
    assert fastnet.train(X, X, initial_weights=given, dtype="float64", **SMALL)


@pytest.mark.parametrize("size", [1e308, 1e40, 1e-40, 5e-324])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_weights_only_their_ratios_count(size, dtype):
    weights = np.where(X > 0, size, size / 2 if size > 1e-300 else 0)
    extreme = fastnet.train(X, X, sample_weight=weights, dtype=dtype, **SMALL)
    usual = fastnet.train(X, X, sample_weight=weights / size, dtype=dtype, **SMALL)
    assert extreme.best["train_loss"] == pytest.approx(usual.best["train_loss"], rel=1e-5)
    classes = fastnet.train(X, X > 0, class_weight={True: size}, dtype=dtype, **SMALL)
    assert np.isfinite(classes.best["train_loss"])


def test_a_set_whose_weights_vanish_beside_others_is_refused():
    weights = np.where(np.arange(20) < 10, 1.0, 1e-300)
    folds = [(np.arange(10), np.arange(10, 20))]
    with refused("all weights of the validation rows of fold 1 are 0; one must be more than 0."):
        fastnet.train(X, X, sample_weight=weights, folds=folds, **SMALL)


# ---------------------------------------------------------------- masked arrays

MASKED = np.ma.array(X, mask=X > 0.9)
WORDS = " has a masked value in row 19 (counted from 0; 1 such value in all); remove or replace"


def test_masked_values_are_refused():
    with refused(f"X{WORDS}"):
        fastnet.train(MASKED, X, **SMALL)
    with refused(f"y{WORDS}"):
        fastnet.train(X, MASKED, **SMALL)
    with refused(f"y{WORDS}"):
        fastnet.train(X, np.ma.array(X > 0, mask=MASKED.mask), **SMALL)
    with refused(f"sample_weight{WORDS}"):
        fastnet.train(X, X, sample_weight=MASKED, **SMALL)
    for place, name in enumerate(["val X", "val y", "val weights"]):
        given = [X, X, np.ones(20)]
        given[place] = MASKED
        with refused(f"{name}{WORDS}"):
            fastnet.train(X, X, validation=tuple(given), **SMALL)
    with refused(f"X{WORDS}"):
        fastnet.train(X, X, **SMALL).model().predict(MASKED)
    with refused("X has a masked value in row 1, column 4 "):
        fastnet.train([MASKED[:5], MASKED[-5:]], [1, 2], **SMALL)


def test_masked_inputs_are_missing_numbers():
    filled = fastnet.train(MASKED, X, impute="median", **SMALL)
    missing = fastnet.train(MASKED.filled(np.nan), X, impute="median", **SMALL)
    assert (filled.weights(0).W1 == missing.weights(0).W1).all()
    whole = fastnet.train(np.ma.array(X), X, **SMALL)
    assert (whole.weights(0).W1 == fastnet.train(X, X, **SMALL).weights(0).W1).all()


# ---------------------------------------------------------------- no arrays, ragged, twice named


@pytest.mark.parametrize("nothing", [None, pandas.NA])
def test_a_missing_value_is_no_array(nothing):
    with refused(f"val X must be an array, got {nothing}."):
        fastnet.train(X, X, validation=[nothing, nothing], **SMALL)
    with refused(f"test y must be an array, got {nothing}."):
        fastnet.train(X, X, test=(X, nothing), **SMALL)
    if nothing is not None:
        with refused("sample_weight must be an array, got <NA>."):
            fastnet.train(X, X, sample_weight=nothing, **SMALL)


def test_ragged_rows_and_names_given_twice_are_refused():
    with refused("X is ragged; all its rows must have the same length."):
        fastnet.train(X, X, **SMALL).model().predict([[1], [2, 3]])
    twice = pandas.DataFrame(np.stack([X, X], axis=1), columns=["a", "a"])
    with refused("X names the column 'a' twice; give each its own name."):
        fastnet.train(twice, X, **SMALL)
    model = fastnet.train(twice.set_axis(["a", "b"], axis=1), X, **SMALL).model()
    with refused("X names the column 'a' twice"):
        model.predict(twice)
    for function in (fastnet.predict, fastnet.evaluate):
        with refused("data names the column 'a' twice"):
            function(model, twice)


def test_objects_with_missing_values_are_imputed():
    frame = pandas.DataFrame({"a": pandas.array([1, None, 3, 4], "Int64")})
    assert make_data(frame, [1, 2, 3, 4], impute="median").X.ravel().tolist() == [1, 3, 3, 4]
    with refused("X has nan in row 1, column 0 "):
        make_data(frame, [1, 2, 3, 4])


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize(
    "labels", [np.array([2**63 + 1, 5, 7], np.uint64), np.array([3, 5, 7], np.uint8)]
)
def test_labels_keep_their_type(tmp_path, labels):
    y = np.resize(labels, 20)
    result = fastnet.train(X, y, loss="cross_entropy", out=tmp_path / "run", **SMALL)
    for holder in (result, fastnet.load(tmp_path / "run"), fastnet.load_model(tmp_path / "run")):
        assert holder.classes.dtype == labels.dtype
        assert holder.classes.tolist() == sorted(labels.tolist())


def test_labels_of_another_type_are_compared_exactly():
    labels = np.array([2**63 + 1, 2**63 + 3] * 10, np.uint64)
    given = {"loss": "cross_entropy", **SMALL}
    model = fastnet.train(X, labels, **given).model()
    frame = pandas.DataFrame({"x0": X, "y": np.full(20, 5)})
    with refused("target 'y' has the label 5, which is not among the training labels 9223372036"):
        fastnet.evaluate(model, frame)
    signed = np.array([5, 7] * 10)
    model = fastnet.train(X, np.resize([5, 7, 2**63 + 1], 20).astype(np.uint64), **given).model()
    assert fastnet.evaluate(model, frame.assign(y=signed))["rows"] == 20
    with refused("val y has the label -5, which is not among"):
        fastnet.train(X, labels, validation=(X, -signed), **given)


@pytest.mark.parametrize("label", [1e20, 2.0**53 + 2])
def test_float_labels_beyond_exact_whole_numbers_are_refused(label):
    y = np.resize([5.0, label], 20)
    with refused(f"y, whose labels are beyond 2**53 as floats, has {label} in row 1 "):
        fastnet.train(X, y, loss="cross_entropy", **SMALL)
