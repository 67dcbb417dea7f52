"""Conformal intervals and sets: their coverage, their files, their columns, what they refuse."""

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.data.sources import run_samples
from fastnet.errors import DataError, UsageError
from fastnet.files import read_npz, write_npz
from fastnet.results.intervals import Calibration, calibrated, calibration_error, errors_of

FIT = {"n1": 6, "max_epochs": 60, "learning_rate": 0.03, "optimizer": "adam", "scale": "standard"}
SWEEP = {**FIT, "seeds": 4}


def draw(rng, n):
    """Rows whose noise grows with the input."""
    X = rng.uniform(-1, 1, (n, 2))
    return X, np.sin(3 * X[:, 0]) + X[:, 1] + rng.standard_t(4, n) * (0.1 + (X[:, 0] > 0) * 0.3)


@pytest.fixture(scope="module")
def result():
    return fastnet.sweep(*draw(np.random.default_rng(0), 240), validation_fraction=0.25, **SWEEP)


@pytest.fixture(scope="module")
def data():
    return draw(np.random.default_rng(0), 240)


@pytest.fixture(scope="module")
def classes(data):
    X, y = data
    names = np.select([y > 0.7, y > -0.2], ["high", "mid"], "low")
    return fastnet.sweep(X, names, validation_fraction=0.25, **SWEEP), (X, names)


# ---------------------------------------------------------------- the quantile


@pytest.mark.parametrize(
    "level, m, rank", [(0.9, 9, 9), (0.9, 10, 10), (0.9, 99, 90), (0.55, 19, 11), (0.5, 1, 1)]
)
def test_the_quantile_is_that_of_finite_samples(level, m, rank):
    errors = np.random.default_rng(m).permutation(np.arange(1.0, m + 1))[:, None]
    assert Calibration(errors).quantile(level) == [rank]


@pytest.mark.parametrize("level, m, least", [(0.9, 8, 9), (0.95, 18, 19), (0.99, 60, 99)])
def test_too_few_rows_are_refused_with_the_least_number(level, m, least):
    message = f"interval {level} needs at least {least} validation rows, and there are {m}; hold"
    with pytest.raises(UsageError, match=message):
        Calibration(np.ones((m, 1))).quantile(level)
    assert Calibration(np.ones((least, 1))).quantile(level) == [1]


@pytest.mark.parametrize("level", [0, 1, 90, -0.1, np.nan, "0.9", True, None])
def test_a_level_is_a_share(level, result):
    with pytest.raises(UsageError, match=r"interval must be between 0 and 1, such as 0\.9, got"):
        result.model().predict_interval([[0.0, 0.0]], level)


# ---------------------------------------------------------------- coverage


def coverages(predictor, samples, encoded, draws=1500, m=50, new=20, level=0.9):
    """The shares of new rows that are held, for many draws of validation rows of a fixed model."""
    rng, found = np.random.default_rng(1), []
    X, Y = samples(rng, draws * (m + new))
    Z2, std = predictor.outputs_and_spread(X)
    errors = errors_of(predictor, Z2, encoded(Y)).reshape(draws, m + new, -1)
    floor = None if std is None else predictor.calibration.floor
    std = None if std is None else std.reshape(draws, m + new, -1)
    for i in range(draws):
        spread = None if std is None else std[i, :m]
        half = Calibration(errors[i, :m], spread, floor).half_width(
            level, None if std is None else std[i, m:]
        )
        found.append((errors[i, m:] <= half).mean())
    return np.mean(found)


# Of 50 rows the 46th error of 51 is taken: a new row is held with probability 46/51. The mean of
# 1,500 draws of 20 new rows has a standard deviation of 0.002: 5 of them.
EXACT, CHANCE = 46 / 51, 0.01


def test_marginal_coverage_of_one_network(result):
    model = result.model()
    found = coverages(model, draw, lambda y: (y[:, None] - model.y_shift) / model.y_scale)
    assert found == pytest.approx(EXACT, abs=CHANCE)


def test_marginal_coverage_with_the_spread_of_an_ensemble(result, data):
    found = result.ensemble("all", data=data, calibrate=True)
    assert found.calibration.spread is not None
    share = coverages(found, draw, lambda y: (y[:, None] - found.y_shift) / found.y_scale)
    assert share == pytest.approx(EXACT, abs=CHANCE)


def test_marginal_coverage_of_sets_of_classes(classes):
    model = classes[0].model()

    def encoded(y):
        names = np.select([y > 0.7, y > -0.2], ["high", "mid"], "low")
        return (names[:, None] == model.classes).astype(float)

    # Each set beyond the likeliest class is decided by the quantile alone.
    assert coverages(model, draw, encoded) == pytest.approx(EXACT, abs=CHANCE)


def test_coverage_where_the_validation_rows_stopped_the_training():
    held, rng = [], np.random.default_rng(2)
    for _ in range(30):
        X, y = draw(rng, 150)
        given = {**FIT, "patience": 10, "max_epochs": 200}
        model = fastnet.train(X, y, validation_fraction=1 / 3, **given).model()
        X, y = draw(rng, 300)
        lower, upper = model.predict_interval(X, 0.9)
        held.append(((lower <= y) & (y <= upper)).mean())
    # The weights are the best on these rows, so their errors are a little too small. The standard
    # deviation of the mean is 0.008.
    assert 0.86 < np.mean(held) < 0.94


# ---------------------------------------------------------------- what they are


def test_intervals_of_a_network_have_one_width(result, data):
    model = result.model()
    X, y = (array[result.split["val"]] for array in data)
    lower, upper = model.predict_interval(X, 0.8)
    errors = np.sort(np.abs(y - model.predict(X)))
    half = errors[int(np.ceil(0.8 * (len(y) + 1))) - 1]
    np.testing.assert_allclose(upper - lower, 2 * half, rtol=1e-5)  # float32 inputs in training
    np.testing.assert_allclose((upper + lower) / 2, model.predict(X), rtol=1e-12, atol=1e-12)


def test_intervals_of_an_ensemble_follow_its_spread(result, data):
    found = result.ensemble("all", data=data, calibrate=True)
    lower, upper = found.predict_interval(data[0])
    scale = np.maximum(found.spread(data[0]).std, found.calibration.floor)[:, 0]
    assert scale.max() > 2 * scale.min()
    np.testing.assert_allclose((upper - lower) / (upper - lower)[0], scale / scale[0], rtol=1e-9)
    near = [[0.0, 0.0]]
    same = result.ensemble("top:1", data=data, calibrate=True)
    expected = result.model().predict_interval(near)
    np.testing.assert_allclose(same.predict_interval(near), expected, rtol=1e-5)


def test_several_targets_have_intervals_of_their_own(data):
    X, y = data
    model = fastnet.train(X, np.stack([y, 100 * y], 1), validation_fraction=0.25, **FIT).model()
    lower, upper = model.predict_interval(X)
    width = upper - lower
    assert width.shape == (240, 2) and (width[:, 1] > 50 * width[:, 0]).all()


def test_counts_are_never_below_zero(data):
    X, y = data
    counts = np.round(np.exp(y))
    model = fastnet.train(X, counts, loss="poisson", validation_fraction=0.25, **FIT).model()
    lower, upper = model.predict_interval(X, 0.95)
    assert lower.min() == 0 < upper.min()


def test_sets_have_the_likeliest_class(classes):
    result, (X, _) = classes
    model = result.model()
    low, high = model.predict_set(X, 0.1), model.predict_set(X, 0.95)
    P = model.predict_proba(X)
    np.testing.assert_array_equal(low.argmax(axis=1), P.argmax(axis=1))
    assert (low.sum(axis=1) == 1).all() and (low <= high).all() and high.sum() > low.sum()


def test_what_has_no_intervals_says_why(result, classes, data):
    X, y = data
    with pytest.raises(
        UsageError, match="predict_interval needs a model of numbers; use predict_s"
    ):
        classes[0].model().predict_interval(X)
    with pytest.raises(UsageError, match="predict_set needs a model of classes; use predict_inter"):
        result.model().predict_set(X)
    none = r"this model has none: train with --validation-fraction 0\.2; only the best member"
    other = (result.best_member + 1) % 4
    for model in (result.model(other), fastnet.train(X, y, **FIT).model(), result.ensemble("all")):
        with pytest.raises(UsageError, match=none):
            model.predict_interval(X)
    blind = fastnet.train(X, y, **FIT)
    with pytest.raises(UsageError, match="an interval is made from errors on validation rows, and"):
        blind.ensemble("all", data=data, calibrate=True)
    labels = fastnet.train(
        X, np.stack([y > 0, y > 1], 1), loss="binary_cross_entropy", validation_fraction=0.2, **FIT
    )
    assert labels.calibration is None
    with pytest.raises(UsageError, match="intervals are for numbers and classes, not for several"):
        labels.model().predict_interval(X)


# ---------------------------------------------------------------- scores


def test_sureness_is_what_it_says(result, data):
    model, frame = result.model(), pandas.DataFrame(data[0], columns=["x0", "x1"])
    found = fastnet.evaluate(model, frame.assign(y=data[1]), interval=0.8)["interval"]
    lower, upper = model.predict_interval(data[0], 0.8)
    y, variance = data[1], (model.calibration.errors**2).mean()
    assert found["level"] == 0.8
    assert found["coverage"] == pytest.approx(((lower <= y) & (y <= upper)).mean())
    assert found["mean_width"] == pytest.approx((upper - lower).mean())
    logs = -((y - model.predict(data[0])) ** 2) / variance / 2 - np.log(2 * np.pi * variance) / 2
    assert found["log_likelihood"] == pytest.approx(logs.mean())


def test_the_log_likelihood_of_an_ensemble_has_its_spread(result, data):
    found = result.ensemble("all", data=data, calibrate=True)
    frame = pandas.DataFrame(data[0], columns=["x0", "x1"]).assign(y=data[1])
    told = fastnet.evaluate(found, frame, interval=0.9)["interval"]["log_likelihood"]
    held = found.calibration
    variance = (
        (held.errors**2).mean() - (held.spread**2).mean() + found.spread(data[0]).std[:, 0] ** 2
    )
    logs = (
        -((data[1] - found.predict(data[0])) ** 2) / variance / 2 - np.log(2 * np.pi * variance) / 2
    )
    assert told == pytest.approx(logs.mean())


def test_the_calibration_error_by_hand():
    P = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.45, 0.55]])
    Y = np.array([[1, 0], [0, 1], [0, 1], [0, 1]])
    # Bins of 0.9 twice (half right), of 0.7 and of 0.55 (all right).
    expected = (2 * 0.4 + 0.3 + 0.45) / 4
    assert calibration_error(P, Y, np.ones(4)) == pytest.approx(expected)
    assert calibration_error(P, Y, np.array([1, 0, 0, 0])) == pytest.approx(0.1)


# ---------------------------------------------------------------- files and commands


@pytest.fixture
def run(data, tmp_path, monkeypatch):
    """Run folders `run` and `kinds` on rows.csv, with test rows."""
    monkeypatch.chdir(tmp_path)
    X, y = data
    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y})
    frame["kind"] = np.where(y > 0, "high", "low")
    frame.to_csv("rows.csv", index=False)
    given = {"data": "rows.csv", "features": ["a", "b"], "test_fraction": 0.2, **SWEEP}
    result = fastnet.sweep(target="y", out="run", **given)
    fastnet.sweep(target="kind", out="kinds", **given)
    return frame, result


def test_the_errors_are_in_the_model_file(run, tmp_path):
    frame, result = run
    expected = result.model().predict_interval(frame)
    for again in (fastnet.load("run").model(), fastnet.load_model("run/model.npz")):
        np.testing.assert_array_equal(again.predict_interval(frame), expected)
    arrays = read_npz("run/model.npz")
    errors = arrays["calibration"]
    assert errors.shape == (len(result.split["val"]), 1) and (np.diff(errors[:, 0]) >= 0).all()
    for odd in (errors[:, 0], -errors, errors[:0], np.full_like(errors, np.nan), errors > 0):
        write_npz(tmp_path / "odd.npz", {**arrays, "calibration": odd})
        with pytest.raises(DataError, match=r"odd\.npz is broken: calibration has"):
            fastnet.load_model(tmp_path / "odd.npz")


def test_another_member_is_calibrated_from_the_data_of_the_run(run, command):
    frame, result = run
    other = (result.best_member + 1) % 4
    assert (
        command(f"predict run --data rows.csv --interval 0.9 --member {other} -o p.csv").code == 0
    )
    found = calibrated(result.model(other), run_samples(result)).predict_interval(frame)
    table = pandas.read_csv("p.csv")
    np.testing.assert_allclose(table[["lower", "upper"]].to_numpy().T, found, rtol=1e-6, atol=1e-9)


def test_columns_of_intervals_and_sets(run, command):
    frame, _ = run
    assert (
        command("predict run --data rows.csv --interval 0.9 --members all --std -o a.csv").code == 0
    )
    found = fastnet.load("run").ensemble("all", calibrate=True)
    table = pandas.read_csv("a.csv")
    assert list(table) == ["y", "std", "lower", "upper"]
    np.testing.assert_allclose(table["upper"], found.predict_interval(frame)[1], rtol=1e-9)
    assert command("predict kinds --data rows.csv --interval 0.95 -o k.csv").code == 0
    table = pandas.read_csv("k.csv")
    sets = fastnet.load_model("kinds").predict_set(frame, 0.95)
    assert table["set"].tolist() == ["|".join(np.array(["high", "low"])[row]) for row in sets]
    with pytest.raises(UsageError, match="the result would have two columns 'lower'"):
        fastnet.predict(found, frame.assign(lower=1), interval=0.9, keep="lower")


def test_evaluate_tells_coverage_of_ensemble_and_best(run, command):
    got = command("evaluate run --data rows.csv --members all --interval 0.9 --json").json
    assert got["interval"]["level"] == got["best"]["interval"]["level"] == 0.9
    shown = command("evaluate kinds --data rows.csv --interval 0.9").out
    assert "90 % sets hold " in shown and "calibration error (ECE)" in shown


@pytest.mark.parametrize(
    "line, message",
    [
        ("--interval 0.99", "interval 0.99 needs at least 99 validation rows, and there are 48;"),
        ("--interval 90", "interval must be between 0 and 1, such as 0.9, got 90.0."),
        ("--interval x", "Invalid value for '--interval': 'x' is not a valid float."),
    ],
)
def test_bad_intervals_write_nothing(run, command, tmp_path, line, message):
    got = command(f"predict run --data rows.csv -o p.csv {line}")
    assert got.code == 2 and got.err.startswith(f"Error: {message}")
    assert got.err.count("\n") == 1 and not (tmp_path / "p.csv").exists()
    assert command(f"evaluate run --data rows.csv {line}").err == got.err
