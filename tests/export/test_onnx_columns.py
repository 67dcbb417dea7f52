"""ONNX graphs that take a table's columns, run by onnxruntime."""

import numpy as np
import pandas
import pytest

import fastnet
from fastnet import export
from fastnet.errors import UsageError

RNG = np.random.default_rng(4)
TABLE = pandas.DataFrame(
    {
        "z": RNG.choice(["red", "light blue", "größer"], 200),  # z is a value of the graph
        "size": RNG.choice(["S", "M", "L"], 200),
        "year": RNG.integers(1990, 2020, 200).astype(float),
        "day": pandas.date_range("2020-01-01", periods=200).astype(str),
    }
)
Y = TABLE["year"] - 2000 + (TABLE["z"] == "red") * 3 + (TABLE["size"] == "L") * 2


def trained(folder, table=TABLE, y=Y, **given):
    path = folder / "table.csv"
    table.assign(y=y).to_csv(path, index=False)
    given = {"n1": 3, "max_epochs": 30, "ordinal": ["size=S<M<L"], "dates": "parts", **given}
    return fastnet.train(data=path, target="y", **given).model()


def run(model, table, folder, **given):
    """The outputs of the graph for the rows of a table."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = folder / "net.onnx"
    done = export.write(model, "onnx", path, **given)
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    X = model.inputs(table.fillna({"z": "red", "size": "S", "year": 2000.0}))
    encoded = {name: X[:, [j]] for j, name in enumerate(model.features)}
    feeds = {}
    for given in session.get_inputs():
        column = given.name.rstrip("_")
        if given.type == "tensor(string)":
            feeds[given.name] = table[[column]].fillna("").to_numpy(object)
        elif column in table:
            feeds[given.name] = table[[column]].to_numpy(done["input_dtype"])
        else:
            feeds[given.name] = encoded[column].astype(done["input_dtype"])
    return session.run(None, feeds), [i.name for i in session.get_inputs()]


def test_the_graph_takes_the_columns_of_the_table(tmp_path):
    model = trained(tmp_path)
    (found,), names = run(model, TABLE, tmp_path)
    np.testing.assert_allclose(found[:, 0], model.predict(TABLE), rtol=1e-5, atol=1e-4)
    assert names[:3] == ["z_", "size", "year"] and names[3].startswith("day.")


def test_classes_come_from_columns_as_well(tmp_path):
    model = trained(tmp_path, y=np.where(Y > 0, "late", "early"))
    (labels, probabilities), _ = run(model, TABLE, tmp_path)
    assert labels.tolist() == model.predict(TABLE).tolist()
    np.testing.assert_allclose(probabilities, model.predict_proba(TABLE), atol=1e-5)


def test_unknown_and_missing_texts_give_nan_where_the_model_refuses_them(tmp_path):
    new = TABLE.head(3).copy()
    new.loc[0, "z"], new.loc[1, "z"] = "green", None
    new.loc[2, "size"] = "XL"
    model = trained(tmp_path)
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    export.write(model, "onnx", tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    known = model.inputs(TABLE.head(3))
    feeds = {"z_": new[["z"]].fillna("").to_numpy(object), "size": new[["size"]].to_numpy(object)}
    kinds = {
        i.name: {"tensor(float)": "float32"}.get(i.type, "float64") for i in session.get_inputs()
    }
    for j, name in enumerate(model.features):
        if name in kinds and name not in feeds:
            feeds[name] = known[:, [j]].astype(kinds[name])
    (found,) = session.run(None, feeds)
    assert np.isnan(found[:, 0]).all()


@pytest.mark.parametrize("given", [{}, {"min_level_count": 5}])
def test_unknown_and_missing_values_are_what_the_model_was_told(given, tmp_path):
    table = TABLE.copy()
    table.loc[:9, "z"] = None
    table.loc[20:29, "year"] = np.nan
    table.loc[10:11, "z"] = "rare"
    table = table.drop(columns=["size", "day"])
    given = {"ordinal": [], "unknown": "other", "impute": "median", **given}
    model = trained(tmp_path, table, **given)
    new = pandas.DataFrame({"z": ["green", None, "red"], "year": [2001.0, np.nan, 2003.0]})
    (found,), _ = run(model, new, tmp_path)
    np.testing.assert_allclose(found[:, 0], model.predict(new), rtol=1e-5, atol=1e-4)


def test_a_matrix_is_taken_if_asked_for_or_folded(tmp_path):
    onnx = pytest.importorskip("onnx", reason="fastnet[export] is not installed")
    model = trained(tmp_path, scale="standard")
    for given in ({"inputs": "matrix"}, {"fold": True}):
        export.write(model, "onnx", tmp_path / "net.onnx", True, **given)
        graph = onnx.load(tmp_path / "net.onnx").graph
        assert [i.name for i in graph.input] == ["X"]
    assert graph.node[0].op_type == "Gemm"


@pytest.mark.parametrize(
    "to, inputs, message",
    [
        ("c", "columns", "--inputs columns is for --to onnx, not for c"),
        ("onnx", "rows", "inputs must be one of columns, matrix, got 'rows'"),
        ("onnx", "columns", "--inputs columns needs a model of a table"),
    ],
)
def test_inputs_that_cannot_be_are_refused(to, inputs, message, tmp_path):
    x = np.linspace(-1, 1, 30)
    model = fastnet.train(x, x, n1=2, max_epochs=2).model()
    with pytest.raises(UsageError, match=message):
        export.write(model, to, tmp_path / "net", inputs=inputs)
