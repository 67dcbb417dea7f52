"""The page's predictions, without a browser: one row, a table, an evaluation; and the files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from views import checked

import fastnet
from fastnet.results import words

testing = pytest.importorskip("streamlit.testing.v1", reason="the page needs the extra [ui]")
APP = Path(fastnet.__file__).parent / "page" / "app.py"
N = 120
RNG = np.random.default_rng(0)
SIZE = RNG.uniform(40, 160, N).round(1)
TOWN = np.array(["Ulm", "Bonn", "Kiel"])[np.arange(N) % 3]
SHOP = pd.DataFrame(
    {
        "size": np.where(np.arange(N) % 10, SIZE, np.nan),
        "town": TOWN,
        "sold": (np.datetime64("2020-01-15") + np.arange(N)).astype(str),
        "new": np.arange(N) % 2 == 0,
        "price": 2000 * SIZE + 9000 * (TOWN == "Ulm") + 0.5,
    }
)
FEW = {"n1": 2, "max_epochs": 5}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a run for each kind of model."""
    folder = tmp_path_factory.mktemp("models")
    SHOP.to_csv(folder / "shop.csv", index=False)
    shop = {"data": folder / "shop.csv", **FEW}
    read = {"impute": "median", "dates": "parts"}
    fastnet.train(**shop, **read, target="price", out=folder / "shop-20261126-150000")
    fastnet.train(**shop, exclude="size,sold", target="town", out=folder / "towns")
    X = RNG.normal(size=(30, 2))
    fastnet.train(X, X.sum(axis=1), n1=2, max_epochs=5, out=folder / "arrays")
    fastnet.train(task=2, n1=2, seeds=1, max_epochs=1, out=folder / "digits")
    return folder


@pytest.fixture
def opened(monkeypatch, runs):
    """opened(run, tab): a tab of a run's page."""

    def at(run, tab="Predict"):
        monkeypatch.setenv("FASTNET_UI_RUNS", str(runs))
        app = testing.AppTest.from_file(str(APP), default_timeout=120)
        for name, value in {"view": "runs", "run": run, "tab": tab}.items():
            app.query_params[name] = value
        return checked(app.run())

    return at


def field(app, kind, name):
    """The field of a column."""
    return next(one for one in getattr(app, kind) if one.label == name)


def uploaded(app, frame, name="new.csv"):
    """The page after the upload of a table."""
    content = frame.to_csv(index=False).encode()
    return checked(app.file_uploader(key="new-rows").set_value((name, content, "text/csv")).run())


def said(elements):
    """What elements of the page say."""
    return [element.value.replace("\\", "") for element in elements]


def test_one_row_is_predicted_with_its_interval(opened, runs):
    app = opened("shop-20261126-150000")
    field(app, "number_input", "size").set_value(100.0).run()
    field(app, "text_input", "sold").set_value("2020-02-01").run()
    field(app, "selectbox", "town").set_value("Ulm").run()
    field(app, "selectbox", "new").set_value(True).run()
    row = pd.DataFrame([{"size": 100.0, "town": "Ulm", "sold": "2020-02-01", "new": True}])
    wanted = fastnet.predict(runs / "shop-20261126-150000", row, interval=0.9)
    assert app.metric[0].label == "price, predicted"
    assert float(app.metric[0].value.replace(",", "")) == pytest.approx(
        wanted["price"][0], rel=1e-3
    )
    assert any("with a probability of 90 %" in text.value for text in checked(app).markdown)
    assert not app.error and not any("outside" in text for text in said(app.warning))


def test_a_row_outside_the_training_rows_is_told(opened):
    app = opened("shop-20261126-150000")
    field(app, "number_input", "size").set_value(9000.0).run()
    assert "1 of 1 rows lie outside the ranges" in said(app.warning)[-1]


def test_a_missing_value_is_filled_or_asked_for(opened):
    app = opened("shop-20261126-150000")
    field(app, "number_input", "size").set_value(None).run()
    assert checked(app).metric and not app.error
    app = opened("towns")
    field(app, "number_input", "price").set_value(None).run()
    assert said(checked(app).info) == ["Give a value for price."] and not app.metric


def test_a_date_that_is_none_is_one_line(opened):
    app = opened("shop-20261126-150000")
    field(app, "text_input", "sold").set_value("tomorrow").run()
    assert "must hold dates" in said(checked(app).error)[0]


def test_a_class_has_probabilities(opened):
    app = opened("towns")
    assert app.metric[0].value in ("Ulm", "Bonn", "Kiel")
    tables = [str(one.proto.body) for one in app.get("html") if "probability" in one.proto.body]
    assert len(tables) == 1 and tables[0].count("<tr>") == 4


def test_a_model_of_arrays_and_one_with_many_inputs(opened):
    app = opened("arrays")
    assert field(app, "number_input", "x1") and app.metric
    app = opened("digits")
    assert any("A row has 64 values" in text.value for text in app.caption) and not app.metric


def test_new_rows_are_predicted_beside_their_columns(opened, runs):
    rows = SHOP.drop(columns="price").assign(id=range(N))
    app = uploaded(opened("shop-20261126-150000"), rows)
    frame = next(one.value for one in app.dataframe if "id" in one.value)
    wanted = fastnet.predict(runs / "shop-20261126-150000", rows, interval=0.9)
    assert list(frame) == [*rows, "price", "lower", "upper"]
    np.testing.assert_allclose(frame["price"], wanted["price"])
    assert app.get("download_button")[0].label == f"Download {N} predictions" and not app.error
    assert "Evaluation" not in said(app.subheader)


def test_rows_with_known_targets_are_evaluated(opened, runs):
    app = uploaded(opened("shop-20261126-150000"), SHOP)
    assert "Evaluation" in said(app.subheader)
    known = fastnet.evaluate(runs / "shop-20261126-150000", SHOP)["metrics"]
    table = next(one.proto.body for one in app.get("html") if "new rows" in one.proto.body)
    assert words.number(known["rmse"]) in table and "baseline" in table


@pytest.mark.parametrize(
    "rows, why",
    [
        (SHOP[["size"]], "has no column 'town'"),
        (SHOP.assign(town="Rom"), "Rom"),
        (SHOP.head(0), "new.csv"),
    ],
)
def test_a_table_that_cannot_be_predicted_is_one_line(opened, rows, why):
    app = uploaded(opened("shop-20261126-150000"), rows)
    assert len(app.error) == 1 and why in said(app.error)[0]


# ---------------------------------------------------------------- files


def test_files_are_named_after_the_run(opened):
    app = opened("shop-20261126-150000", "Files")
    app.button(key="make-shop-report.html").click().run()
    app.button(key="make-shop.h").click().run()
    labels = [button.label for button in checked(app).get("download_button")]
    assert "Download shop-report.html" in labels and "Download shop.h" in labels
    assert "model.npz" in labels and not app.error


def test_an_export_that_cannot_be_made_says_why(opened, monkeypatch):
    from fastnet import export
    from fastnet.errors import FastnetError

    def refuse(*given, **more):
        raise FastnetError("the disk is full.")

    monkeypatch.setattr(export, "write", refuse)
    app = opened("arrays", "Files")
    app.button(key="make-arrays.h").click().run()
    assert said(checked(app).error) == ["the disk is full."]
