"""Explanations: Jacobian, importance, partial dependence and sensitivity against definitions."""

import json
from pathlib import Path

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, UsageError
from fastnet.options.methods import ACTIVATIONS
from fastnet.results import explain, explained, jacobian

ROUNDING = {"rel": 1e-9, "abs": 1e-9}  # the same sums, of inputs scaled before or after
STEP = 1e-5  # of an input, in the central differences
DIFFERENCES = {"rtol": 2e-6, "atol": 2e-8}  # of central differences with it, in float64


@pytest.fixture(scope="module")
def houses():
    """150 houses: numbers far from 0, a text, an ordered text; targets of every kind."""
    rng = np.random.default_rng(0)
    n = 150
    frame = pandas.DataFrame(
        {
            "size": rng.uniform(10, 90, n),
            "year": rng.integers(1900, 2020, n),
            "town": rng.choice(["Ulm", "Bonn", "Kiel"], n),
            "state": rng.choice(["poor", "fair", "good"], n),
            "noise": rng.normal(size=n),
        }
    )
    frame["price"] = frame["size"] * 30 + (frame["town"] == "Bonn") * 900 + rng.normal(0, 5, n)
    frame["rent"] = frame["price"] * 0.1 + (frame["state"] == "good") * 80
    frame["count"] = rng.poisson(frame["size"] / 20)
    frame["kind"] = np.select([frame["price"] > 2000, frame["price"] > 1000], ["dear", "fair"], "a")
    frame["sold"] = frame["price"] < 1500
    frame["left"] = frame["size"] > 50
    return frame


INPUTS = ["size", "year", "town", "state", "noise"]
CASES = {
    "squared": ["price", "rent"],
    "poisson": ["count"],
    "cross_entropy": ["kind"],
    "binary_cross_entropy": ["sold"],
    "labels": ["sold", "left"],
}


@pytest.fixture(scope="module")
def models(houses, tmp_path_factory):
    """A model of the houses for every link, trained for a moment."""
    path = tmp_path_factory.mktemp("houses") / "houses.csv"
    houses.to_csv(path, index=False)
    found = {}
    for case, targets in CASES.items():
        loss = "binary_cross_entropy" if case == "labels" else case
        others = [name for name in houses.columns if name not in (*INPUTS, *targets)]
        found[case] = fastnet.train(
            data=str(path), target=targets, exclude=others, loss=loss, n1=5, max_epochs=60,
            seeds=[1], test_fraction=0.3, ordinal="state=poor<fair<good", dtype="float64",
            backend="reference",
        )  # fmt: skip
    return found


# ---------------------------------------------------------------- the Jacobian


def probabilities(model, X):
    """What the Jacobian is of."""
    numbers = model.classes is None and not model.labels
    return model.predict(X).reshape(len(X), -1) if numbers else model.predict_proba(X)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("case", CASES)
def test_the_jacobian_is_that_of_central_differences(models, case, activation, rng):
    model = models[case].model()
    d, k = len(model.features), len(model.weights.b2)
    shapes = (6, d), (6,), (k, 6), (k,)
    weights = Weights(*(rng.normal(size=shape) for shape in shapes))
    model = model._replace(weights=weights, activation=activation)
    X = explain.held_out(models[case], None).X[:12].copy()
    found = model.jacobian(X)
    assert found.shape == (12, len(explain.output_names(model)), d)
    for j in range(d):
        step = STEP * model.x_scale[j]
        up, down = X.copy(), X.copy()
        up[:, j] += step
        down[:, j] -= step
        wanted = (probabilities(model, up) - probabilities(model, down)) / (2 * step)
        scale = np.abs(found).max()
        np.testing.assert_allclose(found[:, :, j] / scale, wanted / scale, **DIFFERENCES)


def test_the_jacobian_in_blocks_is_that_of_each_row(models, monkeypatch):
    model, X = models["squared"].model(), explain.held_out(models["squared"], None).X
    whole = model.jacobian(X)
    monkeypatch.setattr(jacobian, "BLOCK_VALUES", 40)
    np.testing.assert_allclose(model.jacobian(X), whole, rtol=1e-12)
    assert model.jacobian(X[:0]).shape == (0, 2, X.shape[1])


def test_the_jacobian_at_a_missing_number_is_that_at_its_fill():
    x = np.linspace(-1, 1, 60)
    frame = pandas.DataFrame({"x": x, "z": x**2, "y": x**3})
    frame.loc[3, "x"] = np.nan
    result = fastnet.train(
        frame[["x", "z"]], frame["y"], n1=3, max_epochs=20, impute="median", backend="reference"
    )
    model = result.model()
    filled = frame[["x", "z"]].fillna(model.columns[0].fill)
    np.testing.assert_array_equal(model.jacobian(frame[["x", "z"]])[3], model.jacobian(filled)[3])


# ---------------------------------------------------------------- importance


def error(model, frame):
    """The metric that importance is of, from evaluate()."""
    metrics = fastnet.evaluate(model, frame)["metrics"]
    if "targets" in metrics and "rmse" in metrics:
        each = metrics["targets"]
        return np.mean([each[name]["rmse"] / frame[name].std(ddof=0) for name in each])
    return metrics["rmse" if "rmse" in metrics else "log_loss"]


@pytest.mark.parametrize("case", CASES)
def test_importance_is_the_rise_of_the_metric_when_a_column_is_shuffled(models, houses, case):
    result = models[case]
    test = houses.iloc[result.split["test"]].reset_index(drop=True)
    found = result.explain(repeats=3, seed=5)
    assert (found["set"], found["rows"], found["notices"]) == ("test", len(test), [])
    assert found["value"] == pytest.approx(error(result.model(), test), **ROUNDING)
    for row in found["importance"]:
        place = [column.name for column in result.columns].index(row["column"])
        rises = []
        for repeat in range(3):
            order = np.random.default_rng([5, place, repeat]).permutation(len(test))
            shuffled = test.assign(**{row["column"]: test[row["column"]].to_numpy()[order]})
            rises.append(error(result.model(), shuffled) - found["value"])
        assert row["mean"] == pytest.approx(np.mean(rises), **ROUNDING)
        assert row["std"] == pytest.approx(np.std(rises), **ROUNDING)
    means = [row["mean"] for row in found["importance"]]
    assert means == sorted(means, reverse=True)
    assert {row["column"] for row in found["importance"]} == {*INPUTS}  # a category is one column


def test_importance_agrees_with_scikit_learn():
    inspection = pytest.importorskip("sklearn.inspection")
    base = pytest.importorskip("sklearn.base")
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 3))
    y = X[:, 0] + 0.3 * X[:, 1] ** 2
    result = fastnet.train(X, y, n1=5, max_epochs=300, backend="reference")

    class Fitted(base.RegressorMixin, base.BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            return result.model().predict(X)

    other = inspection.permutation_importance(
        Fitted(), X, y, scoring="neg_root_mean_squared_error", n_repeats=200, random_state=0
    )
    found = {r["column"]: r for r in result.explain((X, y), repeats=200)["importance"]}
    for j in range(3):
        spread = other.importances_std[j] * (2 / 200) ** 0.5
        assert abs(found[f"x{j}"]["mean"] - other.importances_mean[j]) < 5 * spread + 1e-9


# ---------------------------------------------------------------- dependence and sensitivity


@pytest.mark.parametrize("case", CASES)
def test_dependence_is_the_mean_prediction_with_one_value_in_all_rows(models, houses, case):
    result = models[case]
    model, test = result.model(), houses.iloc[result.split["test"]].reset_index(drop=True)
    curves = {c["column"]: c for c in result.explain(repeats=1, curves=9)["dependence"]}
    assert [*curves["town"]["values"]] == ["Bonn", "Kiel", "Ulm"]
    assert [*curves["state"]["values"]] == ["poor", "fair", "good"]
    assert len(curves["size"]["values"]) == explain.GRID
    low, high = np.quantile(test["size"], (0.05, 0.95))
    assert curves["size"]["values"][0] == pytest.approx(low)
    assert curves["size"]["values"][-1] == pytest.approx(high)
    for name, curve in curves.items():
        for value, prediction in list(zip(curve["values"], curve["prediction"]))[::6]:
            wanted = probabilities(model, test.assign(**{name: value})).mean(axis=0)
            np.testing.assert_allclose(prediction, wanted, rtol=1e-9)


def test_few_values_of_a_number_are_its_grid():
    x = np.tile([0.0, 1.0, 5.0], 20)
    result = fastnet.train(x, x**2, n1=2, max_epochs=5, backend="reference")
    assert result.explain((x, x**2))["dependence"][0]["values"] == [0, 1, 5]


@pytest.mark.parametrize("case", CASES)
def test_sensitivity_is_the_mean_size_of_the_slope_times_the_sd(models, case):
    result = models[case]
    model, X = result.model(), explain.held_out(result, None).X
    J = model.jacobian(X)
    found = result.explain(repeats=1)
    assert len(found["sensitivity"]) == len(model.features)
    for row in found["sensitivity"]:
        i = model.features.index(row["input"])
        assert row["sd"] == pytest.approx(X[:, i].std())
        for j, name in enumerate(found["outputs"]):
            assert row["slope"][name] == pytest.approx(J[:, j, i].mean(), **ROUNDING)
            size = np.abs(J[:, j, i]).mean()
            assert row["mean_abs"][name] == pytest.approx(size, **ROUNDING)
            assert row["sensitivity"][name] == pytest.approx(size * X[:, i].std(), **ROUNDING)


def test_a_date_is_one_column_without_a_curve(tmp_path):
    days = pandas.date_range("2020-01-01", periods=90)
    x = np.sin(np.arange(90) / 5)
    frame = pandas.DataFrame({"day": days, "x": x, "y": np.arange(90) + x})
    frame.to_csv(tmp_path / "days.csv", index=False)
    result = fastnet.train(
        data=str(tmp_path / "days.csv"), target="y", dates="parts", n1=3, max_epochs=200,
        test_fraction=0.2, backend="reference",
    )  # fmt: skip
    found = result.explain()
    assert {row["column"] for row in found["importance"]} == {"day", "x"}
    assert [curve["column"] for curve in found["dependence"]] == ["x"]
    assert found["notices"] == ["Partial dependence is not computed for dates: day."]


# ---------------------------------------------------------------- which rows judge


def small(**more):
    return fastnet.train(task=1, samples=60, n1=2, max_epochs=5, backend="reference", **more)


def test_validation_rows_judge_without_test_rows_and_training_rows_with_a_notice():
    assert small(validation_fraction=0.2).explain()["set"] == "val"
    found = small().explain()
    assert (found["set"], found["rows"]) == ("train", 60)
    assert "the training rows judge" in found["notices"][0]


def test_with_folds_the_rows_of_the_members_fold_judge():
    result = fastnet.sweep(task=1, samples=60, n1=2, seeds=2, max_epochs=5, folds=3)
    for member in (0, 2):
        rows = explain.held_out(result, member)
        fold = result.members["fold"][member]
        train = result.split["train"]
        np.testing.assert_array_equal(
            rows.X[:, 0], np.linspace(-1, 1, 60)[train[result.split["folds_val"][fold]]]
        )


def test_a_notice_says_that_weights_of_rows_are_not_used(tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y,w\n" + "".join(f"{i},{i * i},{1 + i % 3}\n" for i in range(40)))
    given = {"n1": 2, "max_epochs": 5, "l2": 0, "backend": "reference", "weights": "w"}
    found = fastnet.train(data=table, target="y", **given).explain()
    assert found["notices"] == ["All rows count equally here; their weights are not used."]


def test_of_many_rows_some_are_drawn(monkeypatch):
    monkeypatch.setattr(explain, "MOST_ROWS", 10)
    result = small(test_fraction=0.5)
    rows = explain.held_out(result, None)
    some = explain.drawn(rows, 0, 10)
    assert len(some.X) == 10 and set(some.X[:, 0]) < set(rows.X[:, 0])
    assert some.notices == ("10 of the 30 test rows were drawn to judge.",)
    assert small(test_fraction=0.1).explain()["notices"] == []


def test_the_seed_decides_the_shuffles(models):
    first, again = (models["squared"].explain(repeats=2) for _ in range(2))
    assert first == again != models["squared"].explain(repeats=2, seed=1)


def test_data_of_ones_own_judge_instead(models, houses, tmp_path):
    result = models["cross_entropy"]
    frame = houses.head(40)
    frame.to_csv(tmp_path / "new.csv", index=False)
    result.save(tmp_path / "run")
    found = fastnet.explain(tmp_path / "run", frame)
    assert (found["set"], found["rows"]) == ("data", 40)
    for model in (result, result.model(), tmp_path / "run" / "model.npz"):
        assert fastnet.explain(model, frame) == found
    assert fastnet.explain(str(tmp_path / "run"), str(tmp_path / "new.csv")) == found
    assert fastnet.explain(result, (frame[INPUTS], frame["kind"])) == found


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"repeats": 0}, "repeats must be an integer >= 1, got 0"),
        ({"repeats": 2.5}, "repeats must be an integer >= 1, got 2.5"),
        ({"seed": -1}, "seed must be an integer >= 0, got -1"),
        ({"curves": True}, "curves must be an integer >= 0, got True"),
        ({"member": 7}, "member must be an integer from 0 to 3, got 7"),
        ({"data": (1, 2, 3)}, r"data must be a table or \(X, y\), got 3 values"),
    ],
)
def test_arguments_are_refused(models, arguments, message):
    with pytest.raises(UsageError, match=message):
        models["squared"].explain(**arguments)


def test_an_ensemble_is_refused():
    result = fastnet.sweep(task=1, samples=20, n1=2, seeds=2, max_epochs=2, backend="reference")
    with pytest.raises(UsageError, match=r"an ensemble\. Explain its members one at a time: give"):
        fastnet.explain(result.ensemble("all"))


def test_a_single_model_needs_data_and_has_no_members(models, tmp_path):
    model = models["squared"].model()
    with pytest.raises(UsageError, match="a model does not hold its rows; give data"):
        fastnet.explain(model)
    with pytest.raises(UsageError, match="member and n1 choose one of a run; this is a single"):
        fastnet.explain(model, "new.csv", member=0)
    models["squared"].save(tmp_path / "run")
    with pytest.raises(UsageError, match="is a single model without its rows; give data"):
        fastnet.explain(tmp_path / "run" / "model.npz")


def test_a_run_on_arrays_needs_its_rows_again():
    x = np.linspace(-1, 1, 30)
    result = fastnet.train(x, x, n1=2, max_epochs=2, backend="reference")
    with pytest.raises(UsageError, match=r"does not hold the samples .* give data=\(X, y\)"):
        result.explain()


def test_rows_that_cannot_judge_are_refused(models, houses):
    model, frame = models["squared"].model(), houses[INPUTS]
    with pytest.raises(DataError, match="data has 150 rows of X and 2 of y"):
        fastnet.explain(model, (frame, houses[["price", "rent"]].head(2)))
    with pytest.raises(DataError, match="data has 1 rows; to shuffle a column takes at least 2"):
        fastnet.explain(model, houses.head(1))
    with pytest.raises(DataError, match="target: data has no column 'price'"):
        fastnet.explain(model, frame)
    with pytest.raises(UsageError, match="the run has 1 test row; to shuffle"):
        small(test_fraction=0.02).explain()


# ---------------------------------------------------------------- the command


def test_the_command_prints_tables_or_one_document(command, models):
    models["cross_entropy"].save("run")
    shown = command("explain run --repeats 2")
    assert shown.code == 0 and shown.err == ""
    assert "Importance: how much the log loss, " in shown.out and "Sensitivity" in shown.out
    assert "town=Bonn" in shown.out
    found = command("explain run --repeats 2 --json")
    assert found.json["importance"] == models["cross_entropy"].explain(repeats=2)["importance"]


def test_the_command_writes_a_page_or_a_document(command, models):
    pytest.importorskip("altair", reason="the page has figures")
    pytest.importorskip("vl_convert", reason="the scripts of the page")
    models["squared"].save("run")
    assert command("explain run --repeats 1 -o found.html").out.endswith("found.html\n")
    page = Path("found.html").read_text()
    assert page.count('<script class="chart"') == 2 and "Sensitivity" in page
    assert command("explain run --repeats 1 --curves 0 -o none.html").code == 0
    assert Path("none.html").read_text().count('<script class="chart"') == 1
    assert command("explain run --repeats 1 -o found.json").code == 0
    assert json.loads(Path("found.json").read_text())["metric"] == "relative_rmse"
    refused = command("explain run -o found.html")
    assert refused.code == 1 and "-o: found.html exists" in refused.err
    assert command("explain run --repeats 1 -o found.html --force").code == 0


@pytest.mark.parametrize(
    "line, code, message",
    [
        ("explain nothing", 1, "no run folder and no model at nothing"),
        ("explain run -o found.txt", 2, "-o: the file must end in .html or .json, got 'found.txt'"),
        ("explain run --repeats 0", 2, "repeats must be an integer >= 1, got 0"),
        ("explain run --member 4", 2, "member must be an integer from 0 to 3, got 4"),
        ("explain run/model.npz", 2, "is a single model without its rows"),
        ("explain run --data none.csv", 3, "none.csv"),
    ],
)
def test_the_command_refuses_with_one_line_and_writes_nothing(command, models, line, code, message):
    models["squared"].save("run")
    found = command(line)
    assert (found.code, found.out) == (code, "") and message in found.err
    assert found.err.count("\n") == 1 and not list(Path().glob("found*"))


def test_tables_of_many_inputs_and_outputs_say_what_they_leave_out():
    result = fastnet.train(task=2, n1=2, max_epochs=1, backend="reference")
    found = result.explain(repeats=1, curves=0)
    line = "The tables show the first 20 of 64 columns and the first 5 of 10 outputs; all: --json."
    assert explained.rest_line(found) == line
    assert len(explained.importance_cells(found)[1]) == 20
    assert len(explained.sensitivity_cells(found)[0]) == 2 + 5


# ---------------------------------------------------------------- the figures


@pytest.mark.parametrize("case", CASES)
def test_the_figures_draw_what_explain_finds(models, case):
    figures = pytest.importorskip("fastnet.figures", reason="figures")
    found = models[case].explain(repeats=5)
    bars = figures.importance.table(models[case])
    assert bars["column"].tolist() == [row["column"] for row in found["importance"]]
    assert bars["mean"].tolist() == [row["mean"] for row in found["importance"]]
    table = figures.partial_dependence.table(models[case])
    curve, output = found["dependence"][1], found["outputs"][-1]
    drawn = (table["column"] == curve["column"]) & (table["output"] == output)
    assert table["value"][drawn].tolist() == [row[-1] for row in curve["prediction"]]


def test_figures_say_why_they_do_not_apply():
    figures = pytest.importorskip("fastnet.figures", reason="figures")
    for name in ("importance", "partial-dependence"):
        assert figures.FIGURES[name].obstacle(small()) == "the run has one input"
