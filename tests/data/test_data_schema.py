"""The one Schema: both of its forms give it back, and data, models and results hold the same."""

import json
import re

import numpy as np
import pytest

import fastnet
from fastnet.data.samples import make_data
from fastnet.data.scaling import Limits, Ranges, Scaling
from fastnet.data.schema import Column, Schema

COLUMNS = (
    Column("size", "number", (), 0.5),
    Column("colour", "category", ("blue", "größer"), "blue", True),
)
SCALING = Scaling(np.array([0.1, 0, 0]), np.array([3, 1, 1.0]), np.zeros(2), np.ones(2))
RANGES = Ranges(np.array([0.1, 0, 0]), np.array([9, 1, 1.0]), np.array([1 / 3, 2 / 3]))
LIMITS = Limits(np.array([-5, -0.1, 0]), np.array([9, 1, 1e9]))
SCHEMAS = {
    "texts": np.array(["a", "b"]),
    "integers": np.array([-1, 7]),
    "booleans": np.array([False, True]),
    "numbers": None,
}


@pytest.fixture(params=SCHEMAS)
def schema(request):
    classes = SCHEMAS[request.param]
    loss = "squared" if classes is None else "cross_entropy"
    features = tuple(name for column in COLUMNS for name in column.inputs())
    examples = np.arange(2.0 * len(features)).reshape(2, -1) / 3
    more = {"examples": examples, "limits": LIMITS if request.param == "texts" else None}
    return Schema(loss, classes, features, COLUMNS, SCALING, ("price",), RANGES, **more)


def assert_same(one, other):
    arrays = dict.fromkeys(("classes", "scaling", "ranges", "limits", "examples"))
    assert one._replace(**arrays) == other._replace(**arrays)
    pairs = zip(*((*of.scaling, *of.ranges, of.examples) for of in (one, other)), strict=True)
    for a, b in pairs:
        assert a.dtype == b.dtype == np.float64 and (a == b).all()
    assert (one.limits is None) == (other.limits is None)
    for a, b in zip(one.limits or (), other.limits or (), strict=True):
        assert a.tolist() == b.tolist()
    if one.classes is None:
        assert other.classes is None
    else:
        assert one.classes.dtype == other.classes.dtype
        assert one.classes.tolist() == other.classes.tolist()


def test_config_gives_the_schema_back(schema):
    text = json.dumps(schema.to_config(), allow_nan=False)
    assert_same(Schema.from_config(json.loads(text)), schema)


def test_arrays_give_the_schema_back(schema, tmp_path):
    np.savez(tmp_path / "a.npz", **schema.to_arrays())
    with np.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert_same(Schema.from_arrays(dict(arrays)), schema)


@pytest.mark.parametrize("name", Schema._fields[:1] + Schema._fields[2:])
def test_a_form_that_lacks_a_fact_says_which(schema, name):
    config = {n: value for n, value in schema.to_config().items() if n != name}
    with pytest.raises(KeyError, match=name):
        Schema.from_config(config)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (LIMITS._replace(x_most=np.ones(2)), r"x_most has shape \(2,\), not \(3,\)"),
        (LIMITS._replace(x_least=np.full(3, 2e9)), "an x_least is above its x_most"),
        (LIMITS._replace(x_least=np.full(3, -np.inf)), "x_least has values that cannot be"),
    ],
)
def test_limits_that_cannot_be(limits, message):
    classes = SCHEMAS["texts"]
    features = tuple(name for column in COLUMNS for name in column.inputs())
    given = "cross_entropy", classes, features, COLUMNS, SCALING, ("price",), RANGES
    assert not [*Schema(*given, limits=LIMITS).misfits()]
    assert re.search(message, " ".join(Schema(*given, limits=limits).misfits()))


def test_data_result_and_model_have_its_facts(tmp_path):
    x = np.linspace(-1, 1, 20)
    data = make_data(x, x > 0)
    assert (data.loss, data.features, data.targets) == ("cross_entropy", ("x0",), ("y",))
    result = fastnet.train(x, x > 0, n1=2, max_epochs=3, out=tmp_path / "run")
    loaded = fastnet.load(tmp_path / "run")
    model = fastnet.load_model(tmp_path / "run" / "model.npz")
    for holder in (result, loaded, result.model(), model):
        assert_same(holder.schema, result.schema)
        assert all(getattr(holder, name) is getattr(holder.schema, name) for name in Schema._fields)
    assert model.x_shift is model.scaling.x_shift and model.y_scale is model.scaling.y_scale


def test_ranges_are_those_of_the_training_rows_that_count():
    X = np.array([[1.0, np.nan], [np.nan, 5], [3, 6], [100, 100], [-100, -100]])
    weight = np.array([1, 3, 1, 0, 1])
    given = {"sample_weight": weight, "split": {"test": np.array([4])}, "impute": "median"}
    ranges = make_data(X, X[:, 0] > 0, scale="standard", **given).schema.ranges
    assert ranges.x_low.tolist() == [1, 5] and ranges.x_high.tolist() == [3, 6]
    assert ranges.y_mean.tolist() == [0.6, 0.4]
    ranges = make_data(X, [1.0, 2, 6, 9, 9], scale="minmax", **given).schema.ranges
    assert ranges.y_mean.tolist() == pytest.approx([13 / 5])
