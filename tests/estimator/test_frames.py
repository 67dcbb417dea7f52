"""Data frames with columns of texts and categories, nullable types, and other libraries' frames."""

import numpy as np
import pandas
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV

SHORT = {"n1": 4, "max_epochs": 20, "retrain": False, "random_state": 0}
RNG = np.random.default_rng(0)
SIZE, TOWN, OLD = RNG.normal(size=80), RNG.choice(["Bonn", "Jena", "Ulm"], 80), RNG.random(80) > 0.5
PRICE = 2 * SIZE + (TOWN == "Ulm") + OLD
INPUTS = np.stack([SIZE, *(TOWN == town for town in ("Bonn", "Jena", "Ulm")), OLD], axis=1)


def frame(**types):
    return pandas.DataFrame({"size": SIZE, "town": TOWN, "old": OLD}).astype(types)


@pytest.mark.parametrize(
    "X",
    [
        frame(),
        frame(town=object),
        frame(town="category"),
        frame(town="string", size="Float64", old="boolean"),
    ],
    ids=["text", "object", "category", "nullable"],
)
def test_texts_become_an_input_per_level(X):
    expected = FastNetRegressor(**SHORT).fit(INPUTS, PRICE).predict(INPUTS)
    net = FastNetRegressor(**SHORT).fit(X, PRICE)
    assert net.predict(X).tolist() == expected.tolist()
    assert net.predict(X[70:]).tolist() == pytest.approx(expected[70:].tolist(), rel=1e-12)
    assert net.feature_names_in_.tolist() == ["size", "town", "old"] and net.n_features_in_ == 3
    assert [column.kind for column in net.columns_] == ["number", "category", "number"]
    kind = "category" if X["town"].dtype == "category" else X["town"].dtype
    labels = pandas.Series(np.where(PRICE > 0.5, "dear", "cheap")).astype(kind)
    assert set(FastNetClassifier(**SHORT).fit(X, labels).predict(X)) <= {"cheap", "dear"}


def test_nullable_numbers_are_numbers_and_missing_ones_are_refused():
    X = pandas.DataFrame({"a": SIZE, "b": np.arange(80)}).astype({"a": "Float64", "b": "Int64"})
    plain = FastNetRegressor(**SHORT).fit(X.to_numpy(float), PRICE)
    net = FastNetRegressor(**SHORT).fit(X, pandas.Series(PRICE, dtype="Float64"))
    assert net.predict(X).tolist() == plain.predict(X.to_numpy(float)).tolist()
    X.loc[3, "b"] = pandas.NA
    with pytest.raises(ValueError, match="contains NaN"):
        net.fit(X, PRICE)


@pytest.mark.parametrize("what", ["texts", "numbers"])
def test_frames_of_polars(what):
    polars = pytest.importorskip("polars")
    names = ["size", "town", "old"] if what == "texts" else ["size"]
    X = polars.DataFrame({"size": SIZE, "town": TOWN.tolist(), "old": OLD})[names]
    if what == "texts":
        X = X.with_columns(polars.col("town").cast(polars.Categorical))
    net = FastNetRegressor(**SHORT).fit(X, polars.Series(PRICE))
    same = FastNetRegressor(**SHORT).fit(frame()[names], PRICE)
    assert net.predict(X).tolist() == same.predict(frame()[names]).tolist()
    assert net.feature_names_in_.tolist() == names


def test_validation_rows_searches_and_pipelines_take_the_frame():
    X = frame()
    net = FastNetRegressor(**SHORT).fit(X[:60], PRICE[:60], X_val=X[60:], y_val=PRICE[60:])
    assert len(net.result_.split["val"]) == 20
    given = {"cv": KFold(3), "refit": True}
    net = FastNetRegressor(**SHORT, scale="none")
    search = FastNetSearchCV(net, {"n1": [2, 4]}, **given).fit(X, PRICE)
    other = GridSearchCV(net, {"n1": [2, 4]}, **given).fit(X, PRICE)
    scores = [found.cv_results_["mean_test_score"] for found in (search, other)]
    np.testing.assert_allclose(*scores, rtol=1e-9)
    assert search.predict(X).shape == (80,)
    scaled = ColumnTransformer([("scale", StandardScaler(), ["size"])], remainder="passthrough")
    pipeline = make_pipeline(scaled.set_output(transform="pandas"), FastNetRegressor(**SHORT))
    assert pipeline.fit(X, PRICE).predict(X).shape == (80,)
    assert pipeline[-1].feature_names_in_.tolist() == [
        "scale__size",
        "remainder__town",
        "remainder__old",
    ]


def test_an_estimator_forgets_the_columns_of_an_earlier_fit():
    net = FastNetRegressor(**SHORT).fit(frame(), PRICE)
    assert net.fit(INPUTS, PRICE).columns_ == () and net.predict(INPUTS).shape == (80,)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"town": "Mainz"}, "X: column 'town' has the unknown category 'Mainz' in row 0"),
        ({"town": None}, r"X: column 'town' has no value in row 0 \(counted from 0\); write a"),
        (
            {"size": np.nan},
            r"X: column 'size' has no value in row 0 \(counted from 0\); fill it in\.$",
        ),
    ],
)
def test_new_rows_that_do_not_fit(change, message):
    X = frame()
    net = FastNetRegressor(**SHORT).fit(X, PRICE)
    (name, value), *_ = change.items()
    other = X.astype({"town": object})
    other.loc[0, name] = value
    with pytest.raises(ValueError, match=message):
        net.predict(other)
    with pytest.raises(ValueError, match="feature names should match"):
        net.predict(X.rename(columns={"town": "place"}))
    with pytest.raises(
        ValueError, match="X must be a data frame; the estimator was fitted to size, town"
    ):
        net.predict(INPUTS[:, :3])


def test_columns_that_cannot_be_inputs():
    X = frame().assign(note=[f"note {i}" for i in range(80)])
    with pytest.raises(ValueError, match=r"X: column 'note' has 80 different.*or leave it out\.$"):
        FastNetRegressor(**SHORT).fit(X, PRICE)
