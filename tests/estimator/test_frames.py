"""Data frames with columns of texts and categories, nullable types, and other libraries' frames."""

import numpy as np
import pandas
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, KFold
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

import fastnet
from fastnet.estimator import FastNetClassifier, FastNetRegressor, FastNetSearchCV
from fastnet.estimator.frames import encoded

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
    assert [column.kind for column in net.columns_] == ["number", "category", "boolean"]
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
    net = FastNetRegressor(**SHORT, scale="none", l2=0.001)
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
        (
            {"town": "Mainz"},
            r"X: column 'town' has the unknown category 'Mainz' in row 0 .*; known: Bonn, Jena, "
            r"Ulm; the parameter unknown='other' allows others\.$",
        ),
        (
            {"town": None},
            r"X: column 'town' has no value in row 0 \(counted from 0\); write a text there, such "
            r"as unknown\.$",
        ),
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
    with pytest.raises(
        ValueError, match=r"'note' has 80 .* Let rare ones share one, or leave it out\.$"
    ):
        FastNetRegressor(**SHORT).fit(X, PRICE)


# ---------------------------------------------------------------- orders and dates

LEVELS = ["S", "M", "L", "XL"]
PLACE = RNG.integers(0, 3, 80)
DAY = pandas.to_datetime("2024-01-31") + pandas.to_timedelta(PLACE * 40 + np.arange(80), unit="D")
SINCE = (DAY - pandas.Timestamp(0)).total_seconds()


def ordered(**more):
    cut = pandas.Categorical([LEVELS[i] for i in PLACE], LEVELS, ordered=True)
    return pandas.DataFrame({"size": SIZE, "cut": cut, **more})


def test_ordered_categories_are_numbers_in_their_order():
    X, numbers = ordered(), np.stack([SIZE, PLACE], axis=1)
    net = FastNetRegressor(**SHORT).fit(X, PRICE)
    expected = FastNetRegressor(**SHORT).fit(numbers, PRICE).predict(numbers)
    assert net.predict(X).tolist() == expected.tolist()
    assert net.columns_[1].kind == "ordinal" and net.columns_[1].categories == tuple(LEVELS)
    other = X.assign(cut=X["cut"].astype(str))  # the same texts, and other orders of categories
    assert net.predict(other).tolist() == expected.tolist()
    again = pandas.Categorical(other["cut"], sorted(LEVELS), ordered=True)
    assert net.predict(X.assign(cut=again)).tolist() == expected.tolist()
    for order in ({"cut": LEVELS}, "cut=S<M<L<XL", ["cut=S<M<L<XL"]):
        told = FastNetRegressor(**SHORT, ordinal=order).fit(other, PRICE)
        assert told.predict(X).tolist() == expected.tolist()
        assert clone(told).ordinal == order
    assert len(FastNetRegressor(**SHORT).fit(other, PRICE).columns_[1].categories) == 3  # one-hot


@pytest.mark.parametrize("kind", ["datetime64[ns]", "datetime64[us]", "text"])
def test_dates_become_seconds_or_parts_where_that_is_asked(kind):
    X = pandas.DataFrame({"size": SIZE, "day": DAY.strftime("%Y-%m-%d")})
    X = X if kind == "text" else X.astype({"day": kind})
    message = r"holds dates such as .* with the parameter dates='parts' or 'seconds', for .*out\.$"
    with pytest.raises(ValueError, match=message):
        FastNetRegressor(**SHORT).fit(X, PRICE)
    numbers = np.stack([SIZE, SINCE], axis=1)
    expected = FastNetRegressor(**SHORT).fit(numbers, PRICE).predict(numbers)
    net = FastNetRegressor(**SHORT, dates="seconds").fit(X, PRICE)
    assert net.predict(X).tolist() == pytest.approx(expected.tolist(), rel=1e-9)
    parts = FastNetRegressor(**SHORT, dates="parts").fit(X, PRICE)
    assert parts.columns_[1].categories == ("month", "day_of_year", "weekday")
    search = FastNetSearchCV(FastNetRegressor(**SHORT, dates="parts"), {"n1": [2]}, cv=2)
    assert search.fit(X, PRICE).predict(X).shape == (80,)


def test_dates_of_polars():
    polars = pytest.importorskip("polars")
    X = pandas.DataFrame({"size": SIZE, "day": DAY.as_unit("us")})
    same = FastNetRegressor(**SHORT, dates="parts").fit(X, PRICE).predict(X)
    X = polars.DataFrame({"size": SIZE, "day": DAY.as_unit("us").to_numpy()})
    assert (
        FastNetRegressor(**SHORT, dates="parts").fit(X, PRICE).predict(X).tolist() == same.tolist()
    )


def test_the_command_line_makes_the_same_of_the_same_table(tmp_path):
    X = ordered(day=DAY.strftime("%Y-%m-%d"))
    X.assign(price=PRICE).to_csv(tmp_path / "t.csv", index=False)
    net = FastNetRegressor(n1=4, max_epochs=20, retrain=False, random_state=3, dates="parts")
    net.fit(X, PRICE)
    result = fastnet.train(
        data=tmp_path / "t.csv",
        target="price",
        ordinal="cut=S<M<L<XL",
        dates="parts",
        n1=4,
        optimizer="auto",
        max_epochs=20,
        seeds=[3],
        data_seed=3,
        out=tmp_path / "run",
    )
    assert result.columns == net.columns_
    assert result.best["val_loss"] == net.best_loss_
    found = fastnet.predict(tmp_path / "run", tmp_path / "t.csv")["price"]
    assert net.predict(X).tolist() == pytest.approx(found.tolist(), rel=1e-12)


def test_new_categories_are_others_where_that_is_asked():
    X = frame()
    net = FastNetRegressor(**SHORT, unknown="other").fit(X, PRICE)
    assert net.predict(X.assign(town="Mainz")).shape == (80,)


@pytest.mark.parametrize(
    ("given", "X", "message"),
    [
        (
            {"ordinal": {"kut": LEVELS}},
            ordered(),
            "ordinal: X has no column 'kut'; it has size, cut",
        ),
        ({"ordinal": {"cut": ["S"]}}, ordered(), "must give column 'cut' a list of two or more d"),
        ({"ordinal": {"cut": "S<M"}}, ordered(), "must give column 'cut' a list of two or more d"),
        ({"ordinal": "cut"}, ordered(), "ordinal must name each column once with two or more"),
        ({"ordinal": {"cut": ["S", "M"]}}, ordered(), "'cut' .*'L'.*write one of S < M"),
        (
            {"ordinal": {"a": ["x", "y"]}},
            INPUTS,
            "ordinal names columns of a data frame, and X has",
        ),
        ({"dates": "days"}, ordered(), "dates must be one of refuse, seconds, parts, got 'days'"),
        ({"unknown": "x"}, INPUTS, "unknown must be one of error, other, got 'x'"),
        (
            {"options": {"dates": "parts"}},
            INPUTS,
            "options cannot have 'dates'; set the parameter da",
        ),
        ({}, ordered(day=[None, *DAY[1:]]), "X: column 'day' holds dates such as"),
        (
            {"dates": "parts"},
            ordered(day=[None, *DAY[1:]]),
            "'day' .* row 0 .*; write a date there",
        ),
        ({}, ordered(cut=[None, *["S", "M"] * 39, "S"]), "column 'cut' has no value in row 0"),
    ],
)
def test_rules_that_are_refused(given, X, message):
    with pytest.raises(ValueError, match=message) as caught:
        FastNetRegressor(**SHORT, **given).fit(X, PRICE)
    assert "--" not in str(caught.value)


# ---------------------------------------------------------------- scikit-learn around them


def test_several_targets_of_classes_have_a_network_each():
    X = frame()
    size = np.array(["small", "large", "huge"])[np.digitize(SIZE, [-0.5, 0.5])]
    Y = pandas.DataFrame({"size": size, "town": TOWN})
    for several in (Y, Y.to_numpy(), np.digitize(INPUTS[:, :2], [-0.5, 0.5])):
        with pytest.raises(
            ValueError, match=r"put sklearn\.multioutput\.MultiOutputClassifier aro"
        ):
            FastNetClassifier(**SHORT).fit(X, several)
    many = MultiOutputClassifier(FastNetClassifier(**SHORT)).fit(X, Y)
    found = many.predict(X)
    for j, name in enumerate(Y):
        alone = FastNetClassifier(**SHORT).fit(X, Y[name])
        assert found[:, j].tolist() == alone.predict(X).tolist()
        np.testing.assert_array_equal(many.predict_proba(X)[j], alone.predict_proba(X))


def test_several_targets_of_numbers_with_a_network_each():
    X, Y = frame(), np.stack([PRICE, SIZE], axis=1)
    found = MultiOutputRegressor(FastNetRegressor(**SHORT)).fit(X, Y).predict(X)
    assert found[:, 1].tolist() == FastNetRegressor(**SHORT).fit(X, SIZE).predict(X).tolist()


def test_transformers_give_frames():
    X = ordered(town=TOWN)
    columns = ColumnTransformer(
        [("number", StandardScaler(), ["size"]), ("order", OrdinalEncoder(), ["cut"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    )
    pipeline = make_pipeline(columns, FastNetRegressor(**SHORT)).set_output(transform="pandas")
    assert pipeline.fit(X, PRICE).predict(X).shape == (80,)
    assert pipeline[-1].feature_names_in_.tolist() == ["size", "cut", "town"]
    assert [column.kind for column in pipeline[-1].columns_] == ["number", "number", "category"]


def test_thresholds_of_scikit_learn():
    labels = np.where(PRICE > 0.5, "yes", "no")
    net = FixedThresholdClassifier(FastNetClassifier(**SHORT), threshold=0.2, pos_label="yes")
    found = net.fit(frame(), labels).predict(frame())
    assert (found == "yes").tolist() == (net.predict_proba(frame())[:, 1] >= 0.2).tolist()
    fitted = net.estimator_
    own = fitted.model_.predict(encoded(frame(), fitted.columns_), threshold=0.2)
    assert found.tolist() == own.tolist()
