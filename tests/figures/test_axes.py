"""Every axis and legend of every figure has numbers that can be read, whatever the run."""

import itertools

import numpy as np
import pytest

from fastnet import figures
from fastnet.figures.style import linear_ticks, log_ticks

vl_convert = pytest.importorskip("vl_convert", reason="charts need the extra [plot]")

RUNS = ("few", "many", "digits", "diverged", "table", "methods", "folds", "spirals", "one")


@pytest.fixture(scope="module")
def one(few):
    return few.of_member(0)


def drawn(run, request):
    """A run, the samples that its figures need, and the figures that apply."""
    found = request.getfixturevalue(run)
    result, data = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    return result, data, [f for f in figures.FIGURES.values() if f.obstacle(result, data) is None]


def specs(run, request):
    """The name and specification of every figure of a run."""
    result, data, chosen = drawn(run, request)
    for figure in chosen:
        takes = data is not None and figure.obstacle(result) is not None
        chart = figure.chart(result, **({"data": data} if takes else {}))
        yield figure.name, chart.to_dict(validate=False)


def items(node, role):
    """The items of a drawn chart with a role: the texts of each axis or legend, those that show."""
    if isinstance(node, dict):
        if node.get("role") == role:
            yield [item for item in node["items"] if item.get("opacity", 1) > 0]
        for value in node.values():
            yield from items(value, role)
    elif isinstance(node, list):
        for value in node:
            yield from items(value, role)


def texts(labels):
    return [str(label["text"]) for label in labels]


def is_number(text):
    text = text.replace("\u2212", "-").rstrip("kMGT%").replace(",", "")
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("run", RUNS)
def test_every_axis_has_three_numbers_or_all_its_names(run, request):
    for name, spec in specs(run, request):
        for labels in items(vl_convert.vegalite_to_scenegraph(spec), "axis-label"):
            shown = texts(labels)
            discrete = not all(map(is_number, shown)) or is_list_of_levels(spec, shown)
            assert len(shown) >= (1 if discrete else 3), (name, shown)
            assert len(set(shown)) == len(shown), (name, shown)


def is_list_of_levels(spec, shown):
    """Whether the texts are all values of a column: an axis of the two N1 of a run has two."""
    for rows in spec["datasets"].values():
        for name in rows[0] if rows else ():
            if {str(row[name]) for row in rows} == set(shown):
                return True
    return False


@pytest.mark.parametrize("run", ("table", "methods", "folds"))
def test_no_label_of_a_horizontal_axis_touches_the_next(run, request):
    for name, spec in specs(run, request):
        for labels in items(vl_convert.vegalite_to_scenegraph(spec), "axis-label"):
            if len({label["y"] for label in labels}) > 1 or labels[0].get("angle"):
                continue
            places = sorted((label["x"], len(str(label["text"]))) for label in labels)
            for (left, a), (right, b) in itertools.pairwise(places):
                assert right - left > 5 * (a + b) / 2, (name, texts(labels))


@pytest.mark.parametrize(
    ("low", "high"),
    [(0.712, 0.736), (3, 3.01), (1e-12, 1e-12 * 1.5), (1, 9), (1, 12), (1e-9, 1e9), (7, 7e4)],
)
def test_logarithmic_axes_have_three_to_ten_numbers_in_range(low, high):
    ticks = log_ticks(np.array([low, high]))
    assert 3 <= len(ticks) <= 10
    assert ticks == sorted(set(ticks)) and 0.999 * low <= ticks[0] and ticks[-1] <= 1.001 * high


def test_linear_axes_have_three_to_seven_round_numbers():
    random = np.random.default_rng(0)
    for low, width in zip(random.normal(size=300), 10 ** random.uniform(-5, 8, 300)):
        ticks = linear_ticks(low, low + width)
        assert 3 <= len(ticks) <= 7
        assert low <= ticks[0] + 1e-9 * width and ticks[-1] <= low + width * (1 + 1e-9)
    assert linear_ticks(0, 830_000) == [0, 200_000, 400_000, 600_000, 800_000]


def test_large_numbers_are_written_in_thousands(table):
    spec = figures.predicted_true(table).to_dict()
    labels = list(items(vl_convert.vegalite_to_scenegraph(spec), "axis-label"))
    assert all("100k" in texts(axis) or "200k" in texts(axis) for axis in labels)
    titles = [
        t for axis in items(vl_convert.vegalite_to_scenegraph(spec), "axis-title") for t in axis
    ]
    assert sorted(texts(titles)) == ["price, predicted", "price, true"]


def test_a_year_keeps_its_digits():
    alt = pytest.importorskip("altair")
    from fastnet.figures.style import linear_axis

    data = alt.Data(values=[{"x": 1920}, {"x": 2020}])
    chart = alt.Chart(data).mark_point().encode(x=alt.X("x:Q", **linear_axis(1920, 2020, "year")))
    (labels,) = items(vl_convert.vegalite_to_scenegraph(chart.to_dict()), "axis-label")
    assert "1940" in texts(labels)
