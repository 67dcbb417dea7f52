"""Levels with an order become one number, which the model keeps."""

import io

import numpy as np
import pandas
import pytest

import fastnet
from fastnet.data.levels import orders_of
from fastnet.data.schema import Column
from fastnet.errors import DataError, UsageError

SIZES = ["S", "M", "L", "M"] * 15
ROWS = [f"{size},{j % 3 + 1:02},{2 * j}" for j, size in enumerate(SIZES)]


def trained(folder, ordinal, rows=ROWS, **options):
    """A run on a table with the columns size, code and y."""
    (folder / "t.csv").write_text("\n".join(["size,code,y", *rows]))
    given = {"target": "y", "n1": 2, "max_epochs": 3, "data_seed": 1, "scale": "none"}
    given |= {"dtype": "float64", "out": folder / "run", "force": True}
    return fastnet.train(data=folder / "t.csv", ordinal=ordinal, **{**given, **options})


def test_levels_become_their_places_in_the_order(tmp_path):
    result = trained(tmp_path, "size=S<M<L,code=03<02<01")
    assert result.columns == (
        Column("size", "ordinal", ("S", "M", "L")),
        Column("code", "ordinal", ("03", "02", "01")),
    )
    assert result.features == ("size", "code")
    model = fastnet.load_model(tmp_path / "run")
    assert model.columns == fastnet.load(tmp_path / "run").columns == result.columns
    table = pandas.DataFrame({"code": ["01", "02", "03"], "size": ["S", "L", "M"]})
    np.testing.assert_array_equal(model.inputs(table), [[0, 2], [2, 1], [1, 0]])
    file = io.BytesIO(b"code,size\n01,S\n02,L\n")
    file.name = "new.csv"
    wanted = model.predict(np.array([[0, 2], [2, 1.0]]))
    np.testing.assert_array_equal(fastnet.predict(model, file)["y"], wanted)


def test_numbers_may_have_an_order_and_levels_are_scaled(tmp_path):
    rows = [f"{size},{j % 3 + 1},{j}" for j, size in enumerate(SIZES)]
    result = trained(tmp_path, ["code=3<1<2"], rows, categorical="size", scale="standard")
    assert result.columns[1] == Column("code", "ordinal", ("3", "1", "2"))
    assert result.scaling.x_shift[-1] == pytest.approx(1, abs=0.3)
    table = pandas.DataFrame({"code": [1.0, 2.0, 3.0], "size": ["S"] * 3})
    assert result.model().inputs(table)[:, -1].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    "cell, message",
    [
        (
            "XL",
            r"new\.csv: column 'size' has the unknown level 'XL' in line 3; write one of S < M < L",
        ),
        ("", r"new\.csv: column 'size' has no value in line 3; write one of S < M < L\."),
        ("NA", r"column 'size' has 'NA', a missing value, in line 3; write one of S < M < L; --na"),
    ],
)
def test_other_levels_are_refused(tmp_path, cell, message):
    result = trained(tmp_path, "size=S<M<L", impute="median", unknown="other")
    file = io.BytesIO(f"size,code\nS,01\n{cell},01\n".encode())
    file.name = "new.csv"
    with pytest.raises(DataError, match=message):
        fastnet.predict(result.model(), file)
    with pytest.raises(DataError, match=message.replace("new", "t").replace("line 3", "line 62")):
        trained(tmp_path, "size=S<M<L", [*ROWS, f"{cell},01,9"])


@pytest.mark.parametrize(
    "text", ["size", "size=", "size=S", "size=S<S", "size=S<<L", "=S<M", "size=S<M,size=M<S"]
)
def test_what_is_no_order(tmp_path, text):
    with pytest.raises(UsageError, match=r"^ordinal must name each column once .*, got '.*'\.$"):
        trained(tmp_path, text)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"ordinal": "y=1<2"}, "^ordinal names the column 'y', which is not an input.$"),
        ({"exclude": "size"}, "^ordinal names the column 'size', which is not an input.$"),
        ({"categorical": "size"}, "^ordinal and categorical name the column 'size'; one "),
        ({"strip_units": "size"}, "^ordinal and strip_units name the column 'size'; one "),
    ],
)
def test_an_order_of_a_column_with_another_purpose(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        trained(tmp_path, **{"ordinal": "size=S<M<L", **options})


def test_a_name_that_is_not_in_the_table(tmp_path):
    with pytest.raises(DataError, match=r"ordinal: .*no column 'sise'; .* Did you mean 'size'"):
        trained(tmp_path, "sise=S<M")


def test_commas_in_quotes():
    assert orders_of(("a, b=x<y, z",)) == {"a, b": ("x", "y, z")}
