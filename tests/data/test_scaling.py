"""Inputs far from the others: where --scale clipped cuts them, and that the model does the same."""

import json

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.data.samples import make_data

SHORT = {"n1": 3, "max_epochs": 5, "activation": "tanh"}


@pytest.fixture
def samples(rng):
    X = rng.normal(size=(200, 2))
    X[7] = 40, 0
    return X, X[:, 1] * 2


def test_training_rows_are_cut_at_five_of_their_deviations(samples):
    X, y = samples
    data = make_data(X, y, scale="clipped", split={"test": np.arange(150, 200)})
    mean, sd = X[:150].mean(axis=0), X[:150].std(axis=0)
    assert data.X[7, 0] == pytest.approx(5) and data.X[7, 1] == pytest.approx(-mean[1] / sd[1])
    np.testing.assert_allclose(data.limits.x_most, mean + 5 * sd)
    np.testing.assert_allclose(data.limits.x_least, mean - 5 * sd)


def test_targets_are_not_cut(samples):
    X, _ = samples
    data = make_data(X, X[:, 0], scale="clipped")
    assert data.Y.max() == pytest.approx((40 - X[:, 0].mean()) / X[:, 0].std())


def test_held_out_rows_are_cut_by_the_training_rows(samples):
    X, y = samples
    given = {"split": {"val": np.array([7])}, "scale": "clipped"}
    data = make_data(X, y, **given)
    assert data.X[7, 0] == pytest.approx(5)
    assert data.limits.x_most[0] < 6  # the row itself does not widen its limit


def test_a_pixel_that_is_hardly_ever_on_stays_within_the_limits():
    """Its deviation is so small that standard scaling makes 31 of the 1."""
    X = np.zeros((1000, 1))
    X[3] = 1
    y = np.arange(1000.0)
    assert make_data(X, y, scale="standard").X.max() > 31
    assert make_data(X, y, scale="clipped").X.max() == pytest.approx(5)


def test_without_far_values_clipped_is_standard_byte_for_byte(samples):
    X, y = samples
    X[7] = 0
    results = [
        fastnet.train(X, y, scale=scale, **SHORT, backend="reference")
        for scale in ("clipped", "standard")
    ]
    for a, b in zip(*(result.weights() for result in results), strict=True):
        np.testing.assert_array_equal(a, b)
    assert results[1].schema.limits is None


def test_a_loaded_model_cuts_as_it_was_trained(samples, tmp_path):
    X, y = samples
    result = fastnet.train(X, y, scale="clipped", **SHORT, out=tmp_path / "run")
    model = fastnet.load_model(tmp_path / "run")
    most = model.limits.x_most[None]
    assert model.predict(np.full((1, 2), 1e300)) == model.predict(most)
    np.testing.assert_array_equal(model.predict(X), result.model().predict(X))
    loss = np.mean(((model.predict(X) - y) / model.y_scale) ** 2) / 2
    assert result.best["train_loss"] == pytest.approx(loss, rel=1e-6)
    assert fastnet.load(tmp_path / "run").schema.limits.x_most.tolist() == most[0].tolist()


def test_a_table_is_cut_by_default_and_its_categories_are_not(tmp_path, samples):
    X, y = samples
    table = pandas.DataFrame(X, columns=["a", "b"]).assign(town=["Ulm", "Bonn"] * 100, y=y)
    table.to_csv(tmp_path / "t.csv", index=False)
    given = {"data": str(tmp_path / "t.csv"), "target": "y", "out": tmp_path / "run"}
    result = fastnet.train(**given, n1=2, max_epochs=2)
    assert result.options["scale"] == "clipped"
    model = result.model()
    town = model.features.index("town=Bonn")
    assert (model.limits.x_least[town], model.limits.x_most[town]) == (-5, 5)


def test_export_says_that_inputs_are_cut(command, tmp_path, samples):
    X, y = samples
    for scale in ("clipped", "standard"):
        fastnet.train(X, y, scale=scale, **SHORT, out=tmp_path / scale)
        told = command(f"export {scale} --to npy --fold -o {scale}-npy")
        assert told.code == 0 and ("Inputs are cut at x_least" in told.out) == (scale == "clipped")
    document = json.loads((tmp_path / "clipped-npy" / "model.json").read_text())
    assert len(document["x_least"]) == len(document["x_most"]) == 2


def test_slopes_are_zero_where_an_input_is_cut(samples):
    X, y = samples
    model = fastnet.train(X, y, scale="clipped", **SHORT).model()
    slopes = model.jacobian(X[[7, 8]])[:, 0]
    assert slopes[0, 0] == 0 and slopes[0, 1] != 0 and (slopes[1] != 0).all()


def test_the_readme_beside_the_weights_says_that_inputs_are_cut(samples, tmp_path):
    X, y = samples
    for scale in ("clipped", "standard"):
        fastnet.train(X, y, scale=scale, **SHORT, out=tmp_path / scale)
        told = (tmp_path / scale / "best" / "README.txt").read_text()
        assert ("x_most of ../model.npz" in told) == (scale == "clipped")
