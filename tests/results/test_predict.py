"""From a table to a model and back: train, save, load, predict, evaluate."""

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas
import pytest
from output import Output

import fastnet
from fastnet.data.schema import Column
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.files import read_npz
from fastnet.job import Job
from fastnet.results import metrics
from fastnet.training import training as trainings

# Losses are summed in other orders, from float32 weights and, in training, float32 inputs.
SAME_LOSS = {"rel": 1e-6, "abs": 1e-7}
METRICS = {"rel": 1e-5}


@pytest.fixture
def houses():
    """120 houses: numbers, a text, a boolean; targets of three kinds."""
    rng = np.random.default_rng(0)
    n = 120
    frame = pandas.DataFrame(
        {
            "size": rng.uniform(10, 90, n).round(2),
            "year": rng.integers(1900, 2020, n),
            "town": rng.choice(["Ulm", "Bonn", "Kiel"], n),
            "garden": rng.random(n) > 0.5,
        }
    )
    frame["price"] = (frame["size"] * 3000 + frame["garden"] * 15000 + frame["year"]).round(0)
    frame["rent"] = (frame["price"] * 0.004 + rng.normal(0, 5, n)).round(1)
    frame["kind"] = np.where(frame["price"] > 1.8e5, "dear", "fair")
    frame.loc[frame["price"] < 9e4, "kind"] = "cheap"
    frame["sold"] = frame["price"] < 1.5e5
    return frame


@pytest.fixture
def table(houses, tmp_path):
    path = tmp_path / "houses.csv"
    houses.to_csv(path, index=False)
    return path


FEATURES = ["town", "size", "garden", "year"]
TARGETS = {
    "regression": ["price"],
    "multi-output": ["price", "rent"],
    "binary": ["sold"],
    "multi-class": ["kind"],
}


def train(table, kind, **given):
    small = {"n1": 4, "max_epochs": 60, "learning_rate": 1.0, "features": FEATURES}
    off = ("batch_size", "clip_norm", "lr_patience", "patience")
    small |= {"validation_fraction": 0, "activation": "sigmoid", "l2": 0, **dict.fromkeys(off)}
    small["optimizer"] = "sgd"
    return fastnet.train(data=table, target=TARGETS[kind], **{**small, **given})


# ---------------------------------------------------------------- round trips


@pytest.mark.parametrize("scale", ["standard", "minmax"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", TARGETS)
def test_train_save_load_predict(houses, table, tmp_path, kind, dtype, scale):
    sets = {"validation_fraction": 0.2, "test_fraction": 0.1}
    result = train(table, kind, out=tmp_path / "run", dtype=dtype, scale=scale, **sets)
    expected = result.model().outputs(houses)
    other_order = houses[houses.columns[::-1]]
    for model in (fastnet.load(tmp_path / "run").model(), fastnet.load_model(tmp_path / "run")):
        np.testing.assert_array_equal(model.outputs(houses), expected)
        np.testing.assert_array_equal(model.outputs(other_order), expected)
    assert model.columns == (
        Column("town", "category", ("Bonn", "Kiel", "Ulm")),
        Column("size", "number"),
        Column("garden", "boolean"),
        Column("year", "number"),
    )
    names = ("town=Bonn", "town=Kiel", "town=Ulm", *FEATURES[1:])
    assert model.features == names and model.targets == tuple(TARGETS[kind])
    predicted = fastnet.predict(tmp_path / "run" / "model.npz", table)
    assert list(predicted) == TARGETS[kind] and len(predicted) == len(houses)
    truth = houses[TARGETS[kind]]
    if kind in ("regression", "multi-output"):
        assert 0 < ((predicted - truth) ** 2).mean().iloc[0] ** 0.5 < houses["price"].std()
    else:
        assert (predicted == truth).mean().iloc[0] > 0.7


@pytest.mark.parametrize("kind", TARGETS)
def test_evaluate_gives_the_losses_and_metrics_of_the_run(houses, table, tmp_path, kind):
    result = train(table, kind, out=tmp_path / "run", test_fraction=0.25, seeds=2)
    best, metrics = result.best, result.metrics
    assert metrics["val"] is None
    for part in ("train", "test"):
        rows = result.split[part]
        found = fastnet.evaluate(tmp_path / "run", houses.iloc[rows])
        assert found["rows"] == len(rows)
        assert found["loss"] == pytest.approx(best[f"{part}_loss"], **SAME_LOSS)
        assert flat(found["metrics"]) == pytest.approx(flat(metrics[part]), **METRICS)
        if "accuracy" in metrics[part]:
            assert metrics[part]["accuracy"] == pytest.approx(best[f"{part}_accuracy"])
            assert metrics[part]["log_loss"] == pytest.approx(best[f"{part}_loss"], **SAME_LOSS)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["best"]["metrics"] == metrics == fastnet.load(tmp_path / "run").metrics


def flat(metrics, name=""):
    """Metrics without nesting."""
    found = {}
    for key, value in metrics.items():
        inner = flat(value, f"{name}{key} ") if isinstance(value, dict) else {name + key: value}
        found |= inner
    return found


def test_metrics_of_a_table_are_those_of_its_columns(houses, table):
    """In the units of the table, with its column of weights."""
    sklearn = pytest.importorskip("sklearn.metrics")
    weight = np.linspace(0, 2, len(houses)).round(2)
    houses["w"] = weight
    houses.to_csv(table, index=False)
    given = {"sample_weight": weight}
    model = train(table, "multi-output").model()
    found = fastnet.evaluate(model, table, weights="w")["metrics"]
    truth, predicted = houses[["price", "rent"]], model.predict(houses)
    expected = sklearn.root_mean_squared_error(truth, predicted, **given)
    assert found["rmse"] == pytest.approx(expected)
    mean = truth.mean()  # of the training rows, which are all
    for target in truth:
        expected = sklearn.mean_absolute_error(truth[target], np.full(120, mean[target]), **given)
        assert found["baseline"]["targets"][target]["mae"] == pytest.approx(expected)
    model = train(table, "multi-class").model()
    found = fastnet.evaluate(model, table, weights="w")
    truth, predicted = houses["kind"], model.predict(houses)
    expected = sklearn.f1_score(truth, predicted, average="macro", **given)
    assert found["metrics"]["f1"] == pytest.approx(expected)
    often = np.full(120, truth.mode()[0])
    expected = sklearn.accuracy_score(truth, often, **given)
    assert found["metrics"]["baseline"]["accuracy"] == pytest.approx(expected)
    assert found["confusion"] == sklearn.confusion_matrix(truth, predicted).tolist()
    assert found["classes"] == ["cheap", "dear", "fair"] == list(found["metrics"]["classes"])


def test_a_constant_target_has_no_r2(houses, table):
    model = train(table, "regression").model()
    found = fastnet.evaluate(model, houses.assign(price=5.0))
    assert found["metrics"]["r2"] is None and found["metrics"]["rmse"] > 0
    model = train(table, "multi-output").model()
    found = fastnet.evaluate(model, houses.assign(price=5.0))["metrics"]
    assert found["r2"] is None and found["targets"]["rent"]["r2"] is not None


def test_balanced_accuracy_is_over_the_classes_there_are(houses, table):
    model = train(table, "multi-class").model()
    some = houses[houses["kind"] != "fair"]
    found = fastnet.evaluate(model, some)["metrics"]
    right = model.predict(some) == some["kind"]
    assert found["balanced_accuracy"] == pytest.approx(right.groupby(some["kind"]).mean().mean())


def test_all_right_is_an_accuracy_of_exactly_one():
    weight = np.random.default_rng(0).random(101)
    Y = np.eye(3)[np.arange(101) % 3]
    found = metrics.of_classes(Y, Y, weight, range(3))
    assert (found["accuracy"], found["balanced_accuracy"]) == (1.0, 1.0)


def test_metrics_do_not_need_kept_weights(table):
    kept, lost = (train(table, "regression", keep=keep) for keep in ("all", "none"))
    assert lost.metrics == kept.metrics and lost.packed == {}


def test_metrics_of_a_fold_are_of_its_rows(rng):
    X = rng.normal(size=(40, 2))
    rows = np.arange(40)
    folds = [(rows[rows % 4 != i], rows[rows % 4 == i]) for i in range(4)]
    result = fastnet.sweep(X, X[:, 0] > 0, n1=2, max_epochs=20, learning_rate=1.0, folds=folds)
    for part in ("train", "val"):
        found = result.metrics[part]
        assert found["log_loss"] == pytest.approx(result.best[f"{part}_loss"], **SAME_LOSS)
        assert found["accuracy"] == pytest.approx(result.best[f"{part}_accuracy"])


def test_metrics_of_what_diverged_are_numbers_or_null(table, tmp_path):
    result = train(table, "regression", learning_rate=1e30, out=tmp_path / "run")
    assert result.best["stop_reason"] == "diverged"
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["best"]["metrics"] == result.metrics


# ---------------------------------------------------------------- what is learnt in training


@pytest.mark.parametrize("scale", ["standard", "minmax", "none"])
def test_scaling_is_learnt_on_training_rows(houses, table, scale):
    result = train(table, "regression", test_fraction=0.5, scale=scale)
    model = result.model()
    rows = houses.iloc[result.split["train"]]
    expected = {
        "standard": (rows["size"].mean(), rows["size"].std(ddof=0)),
        "minmax": (
            (rows["size"].max() + rows["size"].min()) / 2,
            (rows["size"].max() - rows["size"].min()) / 2,
        ),
        "none": (0, 1),
    }[scale]
    assert (model.x_shift[3], model.x_scale[3]) == pytest.approx(expected)
    assert (model.x_shift[:3] == 0).all() and (model.x_scale[:3] == 1).all()  # categories
    if scale == "standard":
        prices = rows["price"]
        assert (model.y_shift[0], model.y_scale[0]) == pytest.approx(
            (prices.mean(), prices.std(ddof=0))
        )


def test_samples_of_weight_0_teach_no_scaling(houses, table):
    houses["w"] = (houses["size"] < 50) * 1
    houses.to_csv(table, index=False)
    model = train(table, "regression", weights="w").model()
    assert model.x_shift[3] == pytest.approx(houses["size"][houses["size"] < 50].mean())


def test_medians_of_training_rows_stand_in_for_missing_numbers(houses, table, tmp_path):
    houses["size"] = houses["size"].mask(np.arange(len(houses)) % 7 == 3)
    houses.to_csv(table, index=False)
    given = {"impute": "median", "test_fraction": 0.5, "out": tmp_path / "run"}
    result = train(table, "regression", **given)
    median = houses["size"].iloc[result.split["train"]].median()
    model = fastnet.load_model(tmp_path / "run")
    assert {c.name: c.fill for c in model.columns}["size"] == pytest.approx(median)
    filled = houses.assign(size=houses["size"].fillna(median))
    np.testing.assert_array_equal(model.predict(houses), model.predict(filled))


def test_arrays_take_impute_and_scale_too(rng):
    X = rng.normal(5, 3, (60, 2))
    y = X.sum(axis=1)
    X[::9, 1] = np.nan
    with pytest.raises(DataError, match=r"^X has nan in row 0, column 1"):
        fastnet.train(X, y, n1=2, max_epochs=2)
    result = fastnet.train(X, y, n1=2, max_epochs=2, impute="median", scale="standard")
    model = result.model()
    median = np.nanmedian(X[:, 1])
    assert model.columns[1] == Column("x1", "number", (), median)
    filled = np.where(np.isnan(X), median, X)
    np.testing.assert_array_equal(model.predict(X), model.predict(filled))
    with pytest.raises(DataError, match=r"^X has inf in row 0"):
        fastnet.train(np.where(np.isnan(X), np.inf, X), y, n1=2, max_epochs=2, impute="median")
    untouched = fastnet.train(filled, y, n1=2, max_epochs=2).model()
    assert (untouched.x_scale == 1).all() and (untouched.y_shift == 0).all()


def test_a_set_of_its_own_is_as_good_as_its_rows(houses, table, tmp_path):
    """The same rows train and validate, whether a column or a file says so: the same bytes."""
    parts = np.where(np.arange(120) < 80, "train", np.where(np.arange(120) < 100, "val", "test"))
    houses.assign(part=parts).to_csv(tmp_path / "all.csv", index=False)
    houses[:80].to_csv(tmp_path / "train.csv", index=False)
    houses[80:100].to_csv(tmp_path / "val.csv", index=False)
    houses[100:].to_csv(tmp_path / "test.csv", index=False)
    one = train(tmp_path / "all.csv", "multi-class", split_column="part")
    files = {f"{name}_data": tmp_path / f"{name[:4].rstrip('i')}.csv" for name in ("test",)}
    files["validation_data"] = tmp_path / "val.csv"
    two = train(tmp_path / "train.csv", "multi-class", **files)
    for a, b in zip(one.weights(), two.weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.best["test_loss"] == two.best["test_loss"] and one.metrics == two.metrics


def test_fractions_of_classes_are_stratified(houses, table):
    result = train(table, "multi-class", test_fraction=0.25)
    rows = houses["kind"].iloc[result.split["test"]]
    shares = rows.value_counts(normalize=True) - houses["kind"].value_counts(normalize=True)
    assert shares.abs().max() < 1 / len(rows)


@pytest.mark.parametrize("given", [{"weights": "w"}, {"class_weight": "balanced"}])
def test_weights_of_a_table_are_those_of_arrays(houses, table, given):
    houses["w"] = np.linspace(0.5, 2, len(houses)).round(3)
    houses.to_csv(table, index=False)
    by_table = train(table, "binary", features=["size", "year"], scale="none", **given)
    arrays = {"sample_weight": houses["w"]} if "weights" in given else given
    by_array = fastnet.train(
        houses[["size", "year"]], houses["sold"], n1=4, max_epochs=60, learning_rate=1.0, **arrays
    )
    for a, b in zip(by_table.weights(), by_array.weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["validation", "test", "sample_weight"])
def test_arguments_of_arrays_do_not_go_with_a_table(table, name):
    with pytest.raises(UsageError, match=f"^{name} goes with X and y; a table has "):
        train(table, "regression", **{name: ([[1.0]], [1.0])})


# ---------------------------------------------------------------- models refuse


def test_a_model_takes_frames_or_arrays_of_its_inputs(houses, table):
    model = train(table, "regression").model()
    encoded = pandas.get_dummies(houses["town"]).join(houses[FEATURES[1:]]).to_numpy(float)
    np.testing.assert_array_equal(model.predict(encoded), model.predict(houses))
    with pytest.raises(DataError, match=r"^X must have 6 columns \(town=Bonn, .*got shape \(3, 4"):
        model.predict(np.zeros((3, 4)))
    with pytest.raises(
        DataError, match=r"^X: column 'town' has the unknown category 'Rom' in rows 0"
    ):
        model.predict(houses.assign(town="Rom"))
    with pytest.raises(DataError, match=r"^X has no column 'year'; the model was trained on town,"):
        model.predict(houses.drop(columns="year"))


def test_proba_needs_classes(table):
    model = train(table, "regression").model()
    with pytest.raises(UsageError, match=r"^proba needs a model of classes"):
        fastnet.predict(model, table, proba=True)


def test_an_evaluation_refuses_labels_that_were_not_trained(houses, table):
    model = train(table, "multi-class").model()
    with pytest.raises(DataError, match=r"^target 'kind' has the label huge, which is not among"):
        fastnet.evaluate(model, houses.assign(kind="huge"))
    with pytest.raises(DataError, match=r"^target: data has no column 'kind'"):
        fastnet.evaluate(model, houses.drop(columns="kind"))


# ---------------------------------------------------------------- the command line


@pytest.fixture
def run(command, table):
    """A run folder `run` of classes, beside houses.csv."""
    line = "train --data houses.csv --target kind --features town,size,garden,year --n1 4"
    got = command(f"{line} --max-epochs 30 --test-fraction 0.2 --out run --quiet")
    assert got == Output(0, "", "")
    return Path("run")


def test_predict_prints_csv(command, run, houses):
    got = command("predict run --data houses.csv --proba")
    assert got.code == 0 and got.err.endswith("120 rows -> standard output\n")
    frame = pandas.read_csv(io.StringIO(got.out))
    assert list(frame) == ["kind", "p_cheap", "p_dear", "p_fair"]
    model = fastnet.load_model(run)
    assert (frame["kind"] == model.predict(houses)).all()
    expected = model.predict_proba(houses)
    np.testing.assert_allclose(frame.iloc[:, 1:].to_numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["p.csv", "p.tsv", "p.jsonl", "p.parquet"])
def test_predict_writes_files(command, run, name):
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow", reason="the extra [parquet]")
    line = f"predict run/model.npz --data houses.csv -o {name}"
    assert command(f"{line} --quiet") == Output(0, "", "")
    readers = {".csv": pandas.read_csv, ".tsv": pandas.read_csv, ".parquet": pandas.read_parquet}
    readers[".jsonl"] = lambda path: pandas.read_json(path, lines=True)
    frame = readers[Path(name).suffix](name)
    assert len(frame) == 120 and list(frame) == ["kind"]
    assert command(f"predict run --data houses.csv -o {name}") == Output(
        1,
        "",
        f"Error: -o: {name} exists; name another file, or replace it with --force.\n",
    )
    assert command(f"predict run --data houses.csv -o {name} --force").code == 0
    assert not Path(f"{name}.part").exists()


def test_predict_of_a_member(command, run, houses):
    line = "sweep --data houses.csv --target rent --features size --n1 2,3 --max-epochs 5 --quiet"
    assert command(f"{line} --out two").code == 0
    got = command("predict two --data houses.csv --member 1")
    expected = fastnet.load("two").model(1).predict(houses)
    np.testing.assert_allclose(pandas.read_csv(io.StringIO(got.out))["rent"], expected, rtol=1e-12)


BAD = [
    ("predict nothing --data houses.csv", 1, "no run folder and no model at nothing; `fastnet ls`"),
    ("predict run --data none.csv", 3, "none.csv cannot be read (No such file or directory)."),
    ("predict run", 2, "Missing option '--data'."),
    ("predict run --data bad.csv", 3, "bad.csv: column 'town' has the unknown category 'Rom' in "),
    ("predict run --data short.csv", 3, "short.csv has no column 'town'; the model was trained on"),
    ("predict run --data houses.csv -o p.txt", 2, "-o: the name must end in .csv, .tsv, .jsonl, "),
    ("predict run --data houses.csv -o no/p.csv", 1, "-o: no/p.csv cannot be written (No such"),
    ("predict run --data houses.csv --member 7", 2, "member must be an integer from 0 to 3, got 7"),
    ("predict houses.csv --data houses.csv", 3, "houses.csv cannot be read: it is no npz, or "),
    ("evaluate run --data short.csv", 3, "target: short.csv has no column 'kind'; it has size."),
    ("evaluate run --data houses.csv --weights w", 3, "weights: houses.csv has no column 'w'; it"),
    ("evaluate run --data houses.csv --weights price", 0, ""),
    ("evaluate run --data zero.csv --weights w", 3, "zero.csv: all weights in column 'w' are 0."),
]


@pytest.mark.parametrize("line, code, message", BAD)
def test_bad_lines(command, run, houses, line, code, message):
    houses.assign(town="Rom").to_csv("bad.csv", index=False)
    houses.assign(w=0).to_csv("zero.csv", index=False)
    Path("short.csv").write_text("size\n1\n")
    got = command(line)
    assert got.code == code
    if code:
        assert got.out == "" and got.err.startswith(f"Error: {message}"), got.err
        assert got.err.count("\n") == 1


def test_evaluate_prints_and_gives_json(command, run):
    got = command("evaluate run --data houses.csv --json")
    assert (got.code, got.err) == (0, "")
    found = got.json
    assert found["schema_version"] == 1 and found["model"] == "run" and found["rows"] == 120
    assert np.sum(found["confusion"]) == 120 and found["classes"] == ["cheap", "dear", "fair"]
    text = command("evaluate run --data houses.csv").out
    cells = {tuple(line.split()) for line in text.splitlines()}
    metrics = found["metrics"]
    often = metrics["baseline"]["accuracy"]
    assert ("accuracy", f"{metrics['accuracy']:.4g}", f"{often:.4g}") in cells
    one = metrics["classes"]["dear"]
    assert ("dear", *(f"{value:.4g}" for value in one.values())) in cells
    assert text.splitlines()[-1].split() == ["fair", *map(str, found["confusion"][2])]


def test_evaluate_prints_each_target(command, table):
    line = "train --data houses.csv --target price,rent --features size --l2 0 --max-epochs 3"
    told = command(f"{line} --out run")
    assert told.code == 0 and "\nprice RMSE " in told.out and "\nrent MAPE " in told.out
    lines = command("evaluate run --data houses.csv").out.splitlines()
    assert lines[0].startswith("120 rows, loss ") and lines[1].split() == ["model", "baseline"]
    names = [" ".join(line.split()[:2]) for line in lines[2:-1]]
    each = ("RMSE", "MAE", "R2", "MAPE")
    assert names == [f"{label} {name}" for label in ("mean", "price", "rent") for name in each]
    assert lines[-1] == "baseline: always the mean of the training rows"


def test_of_many_classes_the_most_frequent_are_told(command, rng):
    counts = [*range(2, 27)]
    labels = np.repeat([f"c{i:02d}" for i in range(25)], counts)
    frame = pandas.DataFrame({"x": rng.normal(size=len(labels)), "label": labels})
    frame.to_csv("t.csv", index=False)
    line = "train --data t.csv --target label --n1 2 --max-epochs 2 --out run"
    assert command(line).code == 0
    out = command("evaluate run --data t.csv").out
    assert out.endswith("The 20 most frequent of 25 classes; all: --json.\n")
    told = [line.split()[0] for line in out.splitlines() if line.startswith("c")]
    assert told == ["class", *(f"c{i:02d}" for i in range(5, 25))]
    found = command("evaluate run --data t.csv --json").json
    assert len(found["metrics"]["classes"]) == len(found["confusion"]) == 25


def test_numbers_are_written_for_people(command, table, houses):
    line = "train --data houses.csv --target price --features year --max-epochs 3 --out run"
    out = command(line).out
    rmse = command("evaluate run --data houses.csv --json").json["metrics"]["rmse"]
    assert f" {round(rmse, -1):,.0f} " in command("evaluate run --data houses.csv").out
    assert not re.search(r"\de\+\d", out)


def test_a_dry_run_tells_notices(command, table):
    Path("t.csv").write_text("a,b,y\n1,2,0.5\n2,2,1.5\n")
    got = command("train --data t.csv --target y --validation-fraction 0 --dry-run")
    assert (got.code, got.err) == (0, "")
    assert got.out.startswith("t.csv: y, loss squared; 2 training samples, 1 input, 1 output\n")
    assert "Left out because it has one value in all rows: column b.\n" in got.out
    given = "train --data t.csv --target y --validation-fraction 0 --dry-run --json"
    constant, few, weights = command(given).json["notices"]
    assert constant in got.out and few.startswith("None of 2 rows are held out")
    assert weights.startswith("More weights than rows: 385 with N1 = 128 for 2 rows, none held out")


def test_a_config_file_names_columns(command, table):
    Path("run.toml").write_text(
        'data = "houses.csv"\ntarget = ["price", "rent"]\nfeatures = "size,town"\nn1 = 3\n'
    )
    got = command("train --config run.toml --max-epochs 2 --json")
    assert got.code == 0
    config = json.loads((Path(got.json["run"]) / "config.json").read_text())
    assert config["options"]["target"] == ["price", "rent"] and config["options"]["n1"] == [3]
    assert config["features"] == ["size", "town=Bonn", "town=Kiel", "town=Ulm"]


def test_standard_input_names_its_run(command, monkeypatch):
    text = io.TextIOWrapper(io.BytesIO(b"a,y\n1,0.5\n2,1.5\n"))
    monkeypatch.setattr("sys.stdin", text)
    got = command("train --data - --target y --n1 2 --validation-fraction 0 --max-epochs 2 --json")
    assert got.code == 0 and got.json["run"].startswith("runs/data-")


# ---------------------------------------------------------------- thresholds


@pytest.fixture
def two(command, table):
    """A run folder `two` of two classes with validation rows."""
    line = "train --data houses.csv --target sold --features size,year --n1 3 --max-epochs 40"
    got = command(f"{line} --validation-fraction 0.4 --out two")
    assert got.code == 0 and "Probability from which to predict True, chosen on the" in got.out
    return Path("two")


def test_thresholds_are_chosen_on_the_validation_rows_and_kept(command, two, houses):
    result, model = fastnet.load(two), fastnet.load_model(two)
    assert result.thresholds == model.thresholds == result.model().thresholds
    assert result.summary()["best"]["thresholds"] == model.thresholds
    rows = houses.iloc[result.split["val"]]
    some = [fastnet.evaluate(two, rows, threshold=t / 50)["metrics"] for t in range(51)]
    own = fastnet.evaluate(two, rows, threshold="balanced_accuracy")["metrics"]
    assert own["balanced_accuracy"] >= max(found["balanced_accuracy"] for found in some)
    own = fastnet.evaluate(two, rows, threshold="f1")["metrics"]["classes"]["True"]
    assert own["f1"] >= max(found["classes"]["True"]["f1"] for found in some)
    assert "Probability from which to predict True" in command("show two").out


@pytest.mark.parametrize("threshold", ["0.3", "f1", "balanced_accuracy", "0", "1"])
def test_a_threshold_decides_in_predict_and_evaluate(command, two, houses, threshold):
    model = fastnet.load_model(two)
    limit = model.thresholds.get(threshold) or float(threshold)
    expected = model.predict_proba(houses)[:, 1] >= limit
    out = command(f"predict two --data houses.csv --threshold {threshold}").out
    assert pandas.read_csv(io.StringIO(out))["sold"].tolist() == expected.tolist()
    found = command(f"evaluate two --data houses.csv --threshold {threshold} --json").json
    right = (expected == houses["sold"]).mean()
    assert found["threshold"] == limit and found["metrics"]["accuracy"] == pytest.approx(right)
    assert np.trace(found["confusion"]) == (expected == houses["sold"]).sum()


@pytest.mark.parametrize(
    "given, message",
    [
        (1.5, r"^threshold must be from 0 to 1, f1 or balanced_accuracy, got 1\.5\."),
        (float("nan"), "^threshold must be from 0 to 1, f1 or balanced_accuracy, got nan"),
        ("best", "^threshold must be from 0 to 1, f1 or balanced_accuracy, got 'best'"),
        ("f1", "^threshold f1 was not chosen for this model: only the best member of a run with"),
    ],
)
def test_thresholds_that_are_refused(houses, table, given, message):
    model = train(table, "binary").model()  # without validation rows
    assert model.thresholds is None
    with pytest.raises(UsageError, match=message):
        fastnet.predict(model, houses, threshold=given)
    for kind, what in (("regression", "numbers"), ("multi-class", "3 classes")):
        other = train(table, kind).model()
        with pytest.raises(
            UsageError, match=f"needs a model of two classes, or of .*, not of {what}"
        ):
            fastnet.evaluate(other, houses, threshold=given)


@pytest.mark.parametrize(
    "given, typed", [({True: 5, False: 2}, "True=5,False=2"), ({"True": 0.5, "False": 1}, None)]
)
def test_costs_decide_in_predict_and_evaluate(command, two, houses, given, typed):
    model, costs = fastnet.load_model(two), {str(name): cost for name, cost in given.items()}
    expected = model.predict_proba(houses)[:, 1] * costs["True"] > (
        model.predict_proba(houses)[:, 0] * costs["False"]
    )
    assert model.predict(houses, costs=given).tolist() == expected.tolist()
    assert fastnet.predict(two, houses, costs=given)["sold"].tolist() == expected.tolist()
    found = fastnet.evaluate(two, houses, costs=given)
    paid = np.where(expected == houses["sold"], 0, houses["sold"].astype(str).map(costs))
    assert found["metrics"]["mean_cost"] == pytest.approx(paid.mean())
    assert found["costs"] == {name: costs[name] for name in ("False", "True")}
    assert found["threshold"] is None and fastnet.evaluate(two, houses)["costs"] is None
    if typed:
        out = command(f"predict two --data houses.csv --costs {typed}").out
        assert pandas.read_csv(io.StringIO(out))["sold"].tolist() == expected.tolist()
        shown = command(f"evaluate two --data houses.csv --costs {typed}")
        assert "mean cost" in shown.out and "always the class of least expected cost" in shown.out


def test_costs_beside_balanced_classes_are_told(command, two):
    line = "train --data houses.csv --target sold --features size,year --n1 3 --max-epochs 40"
    assert command(f"{line} --class-weight balanced --out balanced").code == 0
    told = "trained with --class-weight balanced, which already makes rare classes likelier"
    for verb in ("predict", "evaluate"):
        for run in ("balanced", "two", "balanced/model.npz"):
            got = command(f"{verb} {run} --data houses.csv --costs True=5,False=2")
            assert (told in got.err) == (run == "balanced") and got.code == 0
        assert told not in command(f"{verb} balanced --data houses.csv").err
    got = command("predict balanced --data houses.csv --costs True=5,False=2 --quiet")
    assert got.code == 0 and not got.err


def test_costs_of_three_classes(houses, table):
    model = train(table, "multi-class").model()
    dear = str(model.classes[2])
    costs = {str(label): 1e-9 for label in model.classes} | {dear: 1}
    assert set(model.predict(houses, costs=costs).tolist()) == {dear}
    with pytest.raises(
        UsageError, match=r"needs a model of two .*; costs of classes suit any numb"
    ):
        model.predict(houses, threshold=0.3)


@pytest.mark.parametrize(
    "given, message",
    [
        ("True=5", "^costs must name every class; there is none for False"),
        ("True=5,Flase=1", r"^costs: the model has no class 'Flase', only False, True\. Did you m"),
        ("True=-1,False=1", "^the cost of class 'True' must be a number >= 0, got '-1'"),
        ("True=inf,False=1", "^the cost of class 'True' must be a number >= 0, got 'inf'"),
        ({True: None, False: 1}, "^the cost of class 'True' must be a number >= 0, got None"),
        ("True=0,False=0", "^costs must not all be 0"),
        ("5", "^costs must be NAME=NUM,NAME=NUM, each once, got '5'"),
        (5, "^costs must be NAME=NUM,NAME=NUM, each once, got 5"),
    ],
)
def test_costs_that_are_refused(houses, table, given, message):
    model = train(table, "binary").model()
    with pytest.raises(UsageError, match=message):
        fastnet.predict(model, houses, costs=given)
    with pytest.raises(UsageError, match="costs need a model of classes, not of numbers"):
        fastnet.evaluate(train(table, "regression").model(), houses, costs=given)
    with pytest.raises(UsageError, match="threshold and costs both decide which label"):
        fastnet.evaluate(model, houses, costs=given, threshold=0.5)


def test_a_saved_threshold_is_checked(two):
    path = two / "model.npz"
    np.savez(path, **{**read_npz(path), "thresholds": np.array([0.5, 1.5])})
    with pytest.raises(DataError, match=r"has the threshold 1\.5 for balanced_accuracy"):
        fastnet.load_model(path)
    np.savez(path, **{**read_npz(path), "thresholds": np.array([0.5])})
    with pytest.raises(DataError, match="is broken"):
        fastnet.load_model(path)


# ---------------------------------------------------------------- resume


def interrupted(table, folder, monkeypatch):
    """A run on the table, interrupted after its first round, with its checkpoint."""
    monkeypatch.setattr(trainings, "ROUND_SECONDS", 0.0)  # rounds of one epoch
    monkeypatch.setattr(Job, "after_round", lambda job, training: training.start > 5)
    result = train(table, "multi-class", out=folder, max_epochs=40, test_fraction=0.2)
    assert result.status == "interrupted"
    monkeypatch.undo()


def test_a_run_on_a_table_resumes_to_the_same_bytes(table, tmp_path, monkeypatch):
    whole = train(table, "multi-class", max_epochs=40, test_fraction=0.2)
    interrupted(table, tmp_path / "run", monkeypatch)
    monkeypatch.chdir("/")  # the folder remembers where the file is
    result = fastnet.resume(tmp_path / "run")
    for a, b in zip(whole.weights(), result.weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert result.metrics == whole.metrics


def test_a_changed_table_is_refused(houses, table, tmp_path, monkeypatch):
    interrupted(table, tmp_path / "run", monkeypatch)
    # Scaled, both tables are the same.
    houses.assign(price=houses["price"] + 1000).to_csv(table, index=False)
    fastnet.resume(tmp_path / "run", force=True)  # kind, not price, is the target
    interrupted(table, tmp_path / "two", monkeypatch)
    houses.assign(size=houses["size"] + 1000).to_csv(table, index=False)
    with pytest.raises(FastnetError, match="cannot be resumed to the same bytes: data: SHA-256"):
        fastnet.resume(tmp_path / "two")
    table.unlink()
    with pytest.raises(DataError, match=r"houses\.csv cannot be read"):
        fastnet.resume(tmp_path / "two")


# ---------------------------------------------------------------- broken models


@pytest.fixture
def saved(table, tmp_path):
    """The path of a model.npz and its arrays."""
    train(table, "multi-class", out=tmp_path / "run")
    path = tmp_path / "run" / "model.npz"
    return path, read_npz(path)


def test_a_truncated_model_is_refused(saved):
    path, _ = saved
    content = path.read_bytes()
    for end in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        with pytest.raises(DataError, match=r"model\.npz cannot be read: "):
            fastnet.load_model(path)


def test_a_model_with_a_wrong_byte_is_refused_or_the_same(saved, rng):
    """Every array has a checksum (CRC-32); bytes that no array needs may change."""
    path, arrays = saved
    content = path.read_bytes()
    for place in rng.choice(len(content), 60, replace=False):
        changed = bytearray(content)
        changed[place] ^= 0xFF
        path.write_bytes(changed)
        try:
            model = fastnet.load_model(path)
        except DataError:
            continue
        np.testing.assert_array_equal(model.weights.W1, arrays["W1"])
        assert model.features == tuple(arrays["features"])


@pytest.mark.parametrize(
    "change, message",
    [
        ({"schema_version": 2}, "has schema version 2; this fastnet reads 1"),
        ({"W1": None}, "is not a model of this version of fastnet: it has no 'W1'"),
        ({"columns": None}, "is not a model of this version of fastnet: it has no 'columns'"),
        ({"columns": "[["}, "is broken: its columns cannot be read"),
        ({"columns": "[]", "features": ["a"]}, r"is broken: W1 has shape \(4, 6\), not \(4, 1\)"),
        (
            {"columns": '[["a", "number", [], null, false]]'},
            "columns make 1 inputs, its features name 6",
        ),
        ({"b1": np.zeros(9)}, r"is broken: W1 has shape \(4, 6\), not \(9, 6\)"),
        ({"b2": np.array([0, 1, np.nan])}, "b2 has values that are not finite numbers"),
        ({"x_scale": np.zeros(2)}, r"x_scale has shape \(2,\), not \(6,\)"),
        ({"classes": None}, "it has no classes, and loss cross_entropy needs them"),
        ({"classes": np.array(["a", "b"])}, r"classes have shape \(2,\), its outputs need \(3,\)"),
        ({"loss": "squared"}, "it has classes, and loss squared has none"),
        ({"loss": "binary_cross_entropy"}, "loss binary_cross_entropy has 1 output, not 3"),
        ({"loss": "mse"}, "it has the unknown loss 'mse'"),
        ({"activation": "cube"}, "it has the unknown activation 'cube'"),
        ({"b1": np.array([{}] * 4)}, "cannot be read: it is no npz, or holds pickled objects"),
    ],
)
def test_a_foreign_or_broken_model_is_refused(saved, change, message):
    path, arrays = saved
    arrays = {name: a for name, a in {**arrays, **change}.items() if a is not None}
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=f"{message}"):
        fastnet.load_model(path)


def test_a_text_beside_a_missing_number_is_named(tmp_path):
    frame = pandas.DataFrame({"size": [1.0, 2.0, 3.0], "price": [2.0, 4.0, 6.0]})
    model = fastnet.train(frame[["size"]], frame["price"], n1=2, max_epochs=1).model()
    (tmp_path / "new.csv").write_text("size,price\n,1\n:,1\n")
    with pytest.raises(DataError, match=r"new\.csv.*'size' must hold numbers, got ':'"):
        fastnet.predict(model, tmp_path / "new.csv")


def test_weights_and_inputs_so_large_that_nothing_is_finite():
    x = np.linspace(-1, 1, 20)
    model = fastnet.train(x, x**2, n1=2, max_epochs=1, dtype="float64").model()
    large = model._replace(weights=model.weights._replace(W2=np.full((1, 2), 1.7e308)))
    with pytest.raises(DataError, match=r"output for row \d+ .* such in all.* are too large"):
        large.predict(x)
    with pytest.raises(DataError, match=r"output for row \d+ .*weights, are too large\.$"):
        fastnet.evaluate(large, pandas.DataFrame({"x0": x, "y": x}))


def test_scores_that_are_not_finite_are_none():
    x = np.linspace(-1, 1, 20)
    model = fastnet.train(x, x**2, n1=2, max_epochs=1).model()
    found = fastnet.evaluate(model, pandas.DataFrame({"x0": x, "y": np.full(20, 1e200)}))
    assert found["metrics"]["rmse"] is None and found["rows"] == 20
