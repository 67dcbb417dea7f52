"""Figures: their tables on runs made for it, that every chart is drawn, what is refused, files."""

import inspect
import itertools
import json

import numpy as np
import pytest
from click.testing import CliRunner

import fastnet
from fastnet import figures
from fastnet.cli import commands as cli
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.figures import base, style
from fastnet.figures.curves import at_epochs
from fastnet.figures.networks import snapshots
from fastnet.figures.units import unit_of
from fastnet.results.words import number
from fastnet.training import grouping

pytest.importorskip("altair", reason="charts need the extra [plot]")


def names(result):
    return {figure.name for figure in figures.applying(result)}


def columns_fit(table):
    """Whether a table is a dict of arrays of one length, above 0."""
    lengths = {len(column) for column in table.values()}
    return len(lengths) == 1 and lengths.pop() > 0


# ---------------------------------------------------------------- every figure of every run


RUNS = ("few", "many", "digits", "diverged")


@pytest.mark.parametrize("run", RUNS)
def test_every_figure_that_applies_is_a_valid_chart_with_a_title_and_few_points(run, request):
    result = request.getfixturevalue(run)
    for figure in figures.applying(result):
        assert columns_fit(figure.table(result)), figure.name
        spec = figure.chart(result).to_dict()  # altair checks it against the schema
        assert spec["title"]["text"], figure.name
        json.dumps(spec, allow_nan=False)
        rows = max(len(rows) for rows in spec["datasets"].values())
        assert rows <= 3 * base.POINTS, figure.name


def test_which_figures_apply(few, many, digits, diverged, spirals, two_outputs):
    everywhere = {"loss-curves", "stop-reasons"}
    assert [figure.name for figure in figures.applying(BENCH)] == ["speedup"]
    assert names(few) == everywhere | {
        *("gradient", "fit", "hidden-units", "predicted-true", "errors"),
        *("loss-by-n1", "success-by-n1", "cost-by-n1"),
    }
    assert {"settings", "heat-map", "methods", "loss-by-n1"} <= names(many)
    assert "cost-by-n1" not in names(many)
    assert {"confusion", "reliability", "wrong-digits", "hidden-units"} <= names(digits)
    assert {"fit", "errors"}.isdisjoint(names(digits))
    assert names(spirals[0]) == {"loss-curves", "hidden-units"}
    assert names(two_outputs[0]) == {"loss-curves", "hidden-units"}
    assert "loss-by-n1" in names(diverged) and "loss-curves" not in names(diverged)
    with pytest.raises(UsageError, match="loss-curves: every member diverged in its first epoch"):
        figures.loss_curves(diverged)


def test_rates_are_drawn_of_the_methods_that_have_one_beside_others():
    both = dict(optimizer=["adam", "lm"], lr_patience=1, min_delta=0.5, l2=[0.0, 0.1])
    result = fastnet.sweep(task=1, samples=20, n1=[2, 3], seeds=10, max_epochs=20, **both)
    table = figures.learning_rate.table(result)
    assert len(result.members) >= figures.base.MANY and (table["low"] > 0).all()
    assert set(table["n1"][table["epoch"] > 0]) == {2, 3}


def test_the_norm_of_a_gradient_begins_with_the_first_batches():
    result = fastnet.train(
        task=1, samples=20, n1=2, max_epochs=3, optimizer="sgd", batch_size=8, learning_rate=0.1,
        record=["gradient_norm"], target_loss=None,
    )  # fmt: skip
    first, last = result.history().gradient_norm[[1, -1]]
    title = figures.FIGURES["gradient"].chart(result).to_dict()["title"]
    text = title if isinstance(title, str) else title["text"]
    assert text == f"The norm of the best member's gradient goes from {first:.3g} to {last:.3g}"


def test_a_method_without_learning_rate_has_no_such_figure(few):
    with pytest.raises(UsageError, match="learning-rate: its method has no learning rate; for"):
        figures.learning_rate(few)


def test_figures_of_data_of_ones_own_take_the_data(spirals, two_outputs):
    result, data = spirals
    for name in ("regions", "confusion", "reliability"):
        assert columns_fit(getattr(figures, name).table(result, data=data))
        assert getattr(figures, name)(result, data=data).to_dict()["title"]["text"]
    result, data = two_outputs
    for name in ("predicted_true", "errors"):
        assert columns_fit(getattr(figures, name).table(result, data=data))
        assert getattr(figures, name)(result, data=data).to_dict()["title"]["text"]


@pytest.fixture
def table_run(tmp_path, monkeypatch):
    """A run on a CSV, scaled, with a validation set; and the path of the file."""
    monkeypatch.chdir(tmp_path)
    x = np.linspace(10, 20, 40)
    lines = [f"{a:.3f},{1000 + 50 * np.sin(a):.3f}" for a in x]
    (tmp_path / "t.csv").write_text("\n".join(["depth,load", *lines]))
    options = {"data": "t.csv", "target": ["load"], "validation_fraction": 0.25}
    result = fastnet.sweep(**options, scale="standard", n1=[4], seeds=2, max_epochs=100)
    return result, tmp_path / "t.csv"


def test_a_table_is_read_again_in_its_own_units(table_run):
    result, path = table_run
    assert {"fit", "predicted-true", "errors", "hidden-units"} <= names(result)
    table = figures.predicted_true.table(result)
    assert set(table["set"]) == {"train", "val"}
    true = np.loadtxt(path, delimiter=",", skiprows=1)[:, 1]
    np.testing.assert_allclose(np.sort(table["true"]), np.sort(true), rtol=1e-6)
    axes = json.dumps(figures.fit(result).to_dict()["vconcat"])
    assert '"title": "depth"' in axes and '"title": "load"' in axes


def test_a_split_that_is_not_that_of_the_table_is_refused(table_run):
    result, _ = table_run
    forged = result._replace(split={**result.split, "val": np.array([10**12])})
    with pytest.raises(DataError, match=r"split\.npz of the run is not the split of its data"):
        figures.predicted_true.table(forged)


def test_a_table_that_has_changed_or_gone_is_refused(table_run):
    result, path = table_run
    path.write_text(path.read_text().replace("10.000", "10.500"))
    with pytest.raises(UsageError, match=r"figure fit: .*t.csv is no longer what .*SHA-256"):
        figures.fit(result)
    path.unlink()
    with pytest.raises(UsageError, match=r"data cannot be read again .*t.csv"):
        figures.fit(result)
    assert "fit" not in names(result) and "loss-curves" in names(result)


def test_every_chart_is_documented_and_under_its_own_name():
    for name, figure in figures.FIGURES.items():
        assert getattr(figures, name.replace("-", "_")) is figure.chart
        assert inspect.getdoc(figure.chart) and inspect.getdoc(figure.table)


# ---------------------------------------------------------------- tables


def test_loss_curves_of_few_members_hold_their_histories(few):
    table = figures.loss_curves.table(few)
    for member in range(6):
        entries = few.history(member)
        for name, losses in (("train", entries.train_loss), ("val", entries.val_loss)):
            mine = (table["member"] == member) & (table["series"] == name)
            assert set(table["epoch"][mine]) <= set(entries.epoch)
            np.testing.assert_array_equal(table["value"][mine], losses[table["epoch"][mine]])
            best = mine & table["best"]
            assert table["epoch"][best] == few.members["best_epoch"][member]


def test_loss_curves_of_many_members_are_medians_and_quartiles(many):
    table = figures.loss_curves.table(many)
    last = (table["n1"] == 3) & (table["epoch"] == 30) & (table["setting"] == "learning rate 0.1")
    mine = (many.members["n1"] == 3) & (many.members["learning_rate"] == 0.1)
    losses = [many.history(m).train_loss[30] for m in np.flatnonzero(mine)]
    low, median, high = np.percentile(losses, (25, 50, 75))
    assert table["value"][last] == median
    assert (table["low"][last], table["high"][last]) == (low, high)


def test_a_member_that_has_stopped_keeps_its_last_loss(few):
    grid = np.array([0, 1, 900])
    values = at_epochs(few, "train_loss", grid)
    for member in range(6):
        losses = few.history(member).train_loss
        np.testing.assert_array_equal(values[member], [losses[0], losses[1], losses[-1]])


def test_loss_by_n1_has_the_quartiles_of_all_members_of_a_setting(many):
    table = figures.loss_by_n1.table(many)
    losses, members = grouping.monitored(many.members), many.members
    for n1, rate in itertools.product((2, 3), (0.1, 0.3)):
        mine = (table["n1"] == n1) & (table["setting"] == f"learning rate {rate}")
        assert table["count"][mine][0] == 20
        of_setting = (members["n1"] == n1) & (members["learning_rate"] == rate)
        expected = np.percentile(losses[of_setting], (25, 50, 75))
        shown = [table[name][mine][0] for name in ("low", "median", "high")]
        np.testing.assert_array_equal(shown, expected)


def test_success_by_n1_is_the_answer(few):
    table = figures.success_by_n1.table(few)
    rows = few.by_n1()
    assert table["n1"].tolist() == [2, 6]
    assert table["rate"].tolist() == [row["success_rate"] for row in rows]
    assert table["low"].tolist() == [row["success_low"] for row in rows]


def test_cost_by_n1_counts_only_those_that_reached_the_target(few):
    table = figures.cost_by_n1.table(few)
    epochs = table["measure"] == "epochs"
    reached = few.members[few.members["stop_reason"] == "target"]
    assert 0 < len(reached) < 6
    assert sorted(table["value"][epochs]) == sorted(reached["epochs"])


def test_stop_reasons_count_every_member(few):
    table = figures.stop_reasons.table(few)
    assert table["count"].sum() == 6
    for n1, reason, count in zip(table["n1"], table["reason"], table["count"]):
        mine = (few.members["n1"] == n1) & (few.members["stop_reason"] == reason)
        assert mine.sum() == count


def test_the_fit_is_the_models_and_its_frames_the_snapshots(few):
    table = figures.fit.table(few)
    last = table["frame"] == table["frame"].max()
    np.testing.assert_array_equal(table["value"][last], few.model().predict(table["x"][last]))
    epochs = [epoch for epoch, _ in snapshots(few)]
    assert epochs[:3] == [0, 1, 2] and epochs[-1] == few.best["best_epoch"]
    first = table["frame"] == 0
    assert not np.array_equal(table["value"][first], table["value"][last])


def test_hidden_units_add_up_to_the_network(few):
    table = figures.hidden_units.table(few)
    total = table["unit"] == -1
    model = few.model()
    x = table["x"][total]
    np.testing.assert_allclose(table["value"][total], model.predict(x), rtol=1e-5, atol=1e-5)
    parts = table["value"][~total].reshape(-1, len(x)).sum(axis=0) + model.weights.b2[0]
    np.testing.assert_allclose(parts, table["value"][total], rtol=1e-5, atol=1e-5)


def test_hidden_units_of_digits_are_rows_of_w1(digits):
    table = figures.hidden_units.table(digits)
    unit = table["unit"] == 2
    W1 = digits.weights().W1
    np.testing.assert_array_equal(table["value"][unit], W1[2])
    assert table["x"][unit][9] == 1 and table["y"][unit][9] == 1


def test_regions_name_the_most_probable_class(spirals):
    result, data = spirals
    table = figures.regions.table(result, data=data)
    last = table["frame"] == table["frame"].max()
    middle = np.c_[(table["x"] + table["x2"]) / 2, (table["y"] + table["y2"]) / 2][last]
    assert (table["value"][last] == result.model().predict(middle)).all()


def test_r2_is_that_of_scikit_learn(two_outputs):
    metrics = pytest.importorskip("sklearn.metrics", reason="the outside judge")
    result, (X, Y) = two_outputs
    table = figures.predicted_true.table(result, data=(X, Y))
    rows = result.split["val"]
    for j, output in enumerate(("y0", "y1")):
        mine = (table["set"] == "val") & (table["output"] == output)
        expected = metrics.r2_score(Y[rows, j], result.model().predict(X[rows])[:, j])
        np.testing.assert_allclose(table["r2"][mine], expected, rtol=1e-9)


def test_the_rmse_of_a_title_is_that_of_the_command_line(table, few, folds):
    for result in (table, few):
        found = figures.errors.table(result)
        for name in ("train", "val", "test"):
            mine = found["set"] == name
            np.testing.assert_allclose(found["rmse"][mine], result.metrics[name]["rmse"], rtol=1e-6)
        parity = figures.predicted_true.table(result)
        mine = parity["set"] == "test"
        np.testing.assert_allclose(parity["r2"][mine], result.metrics["test"]["r2"], rtol=1e-5)
    rmse = number(table.metrics["test"]["rmse"], 3)
    title = figures.errors(table).to_dict()["title"]["text"]
    assert title == f"RMSE of price {rmse} on the 32 test rows"
    r2 = number(table.metrics["test"]["r2"], 4)
    title = figures.predicted_true(table).to_dict()["title"]["text"]
    assert title == f"price: R2 {r2} on the 32 test rows"


def test_outputs_of_different_size_have_axes_of_their_own_and_folds_their_rows(folds):
    result, data = folds
    found = figures.errors.table(result, data=data)
    for j, name in enumerate(("y0", "y1")):
        mine = (found["set"] == "val") & (found["output"] == name)
        expected = result.metrics["val"]["targets"][f"y{j}"]["rmse"]
        np.testing.assert_allclose(found["rmse"][mine], expected, rtol=1e-5)
        assert found["count"][mine].sum() == 30
        assert found["high"][mine].max() < (5e6 if j == 0 else 50)
    spec = figures.predicted_true(result, data=data).to_dict()
    assert spec["title"]["text"].startswith("y1 is predicted worst: R2 ")


def test_errors_are_counted_once_each(few):
    table = figures.errors.table(few)
    for name in ("train", "val", "test"):
        mine = table["set"] == name
        assert table["count"][mine].sum() == len(few.split[name])
        np.testing.assert_allclose(table["share"][mine].sum(), 1)


def test_confusion_reliability_and_wrong_digits_agree_with_the_accuracy(digits):
    rows = len(digits.split["test"])
    wrong = rows - round(digits.best["test_accuracy"] * rows)
    table = figures.confusion.table(digits)
    assert table["count"].sum() == rows
    assert table["count"][table["true"] != table["predicted"]].sum() == wrong
    table = figures.reliability.table(digits)
    assert round((table["right"] * table["count"]).sum()) == rows - wrong
    assert (table["low"] <= table["right"]).all() and (table["right"] <= table["high"]).all()
    table = figures.wrong_digits.table(digits)
    assert len(set(table["place"])) == min(wrong, 24)


def test_every_input_and_output_of_the_hidden_units_has_its_name(table):
    vl_convert = pytest.importorskip("vl_convert", reason="charts need the extra [plot]")
    chart = figures.hidden_units(table)
    assert chart.height >= 180  # a page counts the axis in: 72 pixels would leave a line
    svg = vl_convert.vegalite_to_svg(chart.to_dict())
    for name in table.features:
        assert f">W1 {name}<" in svg
    assert ">W2 price<" in svg
    assert "the largest weight is W" in chart.to_dict()["title"]["text"]


def test_the_bins_of_reliability_have_enough_rows(digits):
    counts = figures.reliability.table(digits)["count"]
    assert counts.min() >= 30 and counts.max() - counts.min() <= 1


def test_wrong_cells_of_the_confusion_are_red_and_right_ones_blue(digits):
    chart = figures.confusion(digits)
    for row in next(iter(chart.to_dict()["datasets"].values())):
        red, blue = int(row["fill"][1:3], 16), int(row["fill"][5:7], 16)
        assert row["count"] == 0 or (blue > red) == (row["true"] == row["predicted"])
        assert row["count"] or row["fill"] == "#ffffff"
    assert " wrong (" in chart.to_dict()["title"]["text"]


def test_the_heat_map_has_medians_of_two_axes(many):
    table = figures.heat_map.table(many)
    assert (table["x_axis"][0], table["y_axis"][0]) == ("n1", "learning_rate")
    cell = (table["x"] == "3") & (table["y"] == "0.3")
    members = many.members
    mine = (members["n1"] == 3) & (members["learning_rate"] == 0.3)
    assert table["loss"][cell] == np.median(members["train_loss"][mine])
    other = figures.heat_map.table(many, axes=("seed", "n1"))
    assert len(other["loss"]) == 40
    with pytest.raises(UsageError, match="axes must be two of n1, seed, learning_rate, got l2, n1"):
        figures.heat_map.table(many, axes=("l2", "n1"))


def test_settings_have_a_panel_for_each_axis_but_the_seed(many, table):
    found = figures.settings.table(many)
    assert list(dict.fromkeys(found["axis"])) == ["N1", "learning rate"]
    cell = (found["axis"] == "learning rate") & (found["level"] == "0.1")
    mine = many.members["learning_rate"] == 0.1
    assert found["median"][cell][0] == np.median(many.members["train_loss"][mine])
    title = figures.settings(table).to_dict()["title"]
    shares = {name: found["share"][found["axis"] == name][0] for name in ("N1", "learning rate")}
    assert 0 <= min(shares.values()) and sum(shares.values()) <= 1
    assert "matters most: median validation RMSE of price " in title["text"]


def test_a_sweep_over_n1_alone_has_no_figures_of_settings(few):
    with pytest.raises(UsageError, match="settings: all members have the same settings but N1 and"):
        figures.settings(few)
    with pytest.raises(UsageError, match="heat-map: only N1 varies besides the seed; for this"):
        figures.heat_map(few)
    with pytest.raises(UsageError, match="methods: all members have the same settings but N1 and"):
        figures.methods(few)


def test_methods_are_the_rows_by_setting(methods):
    table = figures.methods.table(methods)
    rows = methods.by_setting()
    assert list(dict.fromkeys(table["method"])) == [row["setting"]["optimizer"] for row in rows]
    assert table["method"][0] == "lm"
    for measure, name in (("smallest_n1", "smallest_n1"), ("epochs", "median_epochs")):
        expected = [np.nan if row[name] is None else row[name] for row in rows]
        np.testing.assert_array_equal(table["value"][table["measure"] == measure], expected)
    smallest = rows[0]["smallest_n1"]
    title = figures.methods(methods).to_dict()["title"]["text"]
    assert title.startswith(f"N1 = {smallest} suffices with lm")


def test_methods_are_told_apart_and_red_marks_the_answer_alone(methods):
    table, rows = figures.loss_by_n1.table(methods), methods.by_n1()
    smallest = next(r for r in rows if r["success_rate"] >= methods.options["success_rate"])
    red = table["smallest"]
    assert set(table["n1"][red]) == {smallest["n1"]} and set(table["setting"][red]) == {"lm"}
    assert (table["value"][red] <= 0.005).sum() == smallest["reached"]
    assert set(figures.loss_curves.table(methods)["setting"]) == {"lm", "sgd"}
    named = f"N1 = {smallest['n1']} suffices with lm: {smallest['reached']} of 3 seeds"
    assert figures.finding(methods) == named


def test_milliseconds_are_epochs_times_the_median_time_of_an_epoch(methods):
    table, members = figures.cost_by_n1.table(methods), methods.members
    ms = base.where(table, table["measure"] == "ms")
    member = ms["member"][0]
    record = members[member]
    mine = (members["n1"] == record["n1"]) & (members["optimizer"] == record["optimizer"])
    times = 1000 * members["seconds"][mine] / members["epochs"][mine]
    np.testing.assert_allclose(ms["value"][0], record["epochs"] * np.median(times))


def test_losses_are_drawn_in_the_units_of_the_data(table, methods, digits, folds):
    unit = unit_of(table)
    assert unit.words == "validation RMSE of price"
    rmse = unit.of(grouping.monitored(table.members)[table.best_member])
    np.testing.assert_allclose(rmse, table.metrics["val"]["rmse"], rtol=1e-5)
    assert unit_of(methods).words == "training loss"  # its target is a loss
    assert unit_of(digits).words == "validation log loss"
    assert unit_of(folds[0]).words == "validation loss"  # two outputs of different size
    drawn = figures.loss_by_n1.table(table)["value"]
    assert table.metrics["val"]["rmse"] == pytest.approx(drawn.min(), rel=1e-5)


def test_figures_that_say_nothing_do_not_apply(few, many, digits):
    alone = few.of_member(0)
    with pytest.raises(UsageError, match="stop-reasons: all members ran all epochs"):
        figures.stop_reasons(many)
    assert "stop-reasons" not in names(alone)
    flat = many._replace(
        entries={**many.entries, "learning_rate": many.entries["learning_rate"] * 0 + 1}
    )
    with pytest.raises(UsageError, match="every learning rate stays what it is at first"):
        figures.learning_rate(flat)
    rate = flat.entries["learning_rate"].copy()
    rate[many.entries["offsets"][1] - 1] = 0.5
    few_changes = flat._replace(entries={**flat.entries, "learning_rate": rate})
    with pytest.raises(UsageError, match="the learning rate changed in 1 of 80 members alone"):
        figures.learning_rate(few_changes)


def test_every_colour_has_one_meaning():
    one_of_each = [*style.SETS.values(), *style.CLASSES, style.PLAIN, style.MARK]
    assert len(set(one_of_each)) == len(one_of_each)
    assert not {*style.RAMP, *style.LOSS_RAMP} & {*one_of_each}


BENCH = {
    "workloads": [
        {
            "name": "digits",
            "rows": [
                {"peer": "fastnet", "status": "ok", "fastnet_is_faster_by": 1.0},
                {"peer": "numpy", "status": "ok", "fastnet_is_faster_by": 4.5},
                {"peer": "torch", "status": "losses differ", "fastnet_is_faster_by": 9.0},
                {"peer": "jax", "status": "not installed"},
            ],
        },
        {"name": "scale", "growth": []},
    ]
}


def test_speedup_shows_only_peers_whose_losses_agree():
    table = figures.speedup.table(BENCH)
    assert (table["workload"].tolist(), table["peer"].tolist()) == (["digits"], ["numpy"])
    assert table["times"].tolist() == [4.5]
    assert "4.5 times" in figures.speedup(BENCH).to_dict()["title"]["text"]
    with pytest.raises(UsageError, match="the document compares no peer with fastnet"):
        figures.speedup({"workloads": []})


# ---------------------------------------------------------------- titles, themes, refusals, files


def test_titles_say_the_finding(few, many, diverged):
    assert figures.finding(few) == "N1 = 6 suffices: 3 of 3 seeds"
    assert figures.finding(many) == "No N1 suffices: no member reaches the target"
    assert figures.finding(diverged) == "All 4 members diverged"


def test_themes_change_colours_alone(few):
    light, dark = (figures.loss_curves(few, theme=theme).to_dict() for theme in ("light", "dark"))
    assert light.pop("config") != dark.pop("config")
    assert str(light["datasets"]) == str(dark["datasets"])
    with pytest.raises(UsageError, match="theme must be one of light, dark, css, got 'blue'"):
        figures.loss_curves(few, theme="blue")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[" * 100_000, "cannot be read \\(its values are nested too deep"),
        ('{"workloads": {}}', "workloads must be a list, got {}"),
        ('{"workloads": [{"name": "a", "rows": [{}]}]}', r"workloads\[0\]\.rows\[0\] has no peer"),
    ],
)
def test_a_file_that_is_no_document_of_bench(tmp_path, content, message):
    (tmp_path / "bench.json").write_text(content)
    with pytest.raises(DataError, match=rf"bench\.json .*{message}"):
        figures.subject(tmp_path / "bench.json")


def test_a_figure_that_does_not_apply_says_why_and_which_do(few, spirals):
    with pytest.raises(
        UsageError, match=r"regions: the run has 1 inputs, not 2; for this run .*fit"
    ):
        figures.regions(few)
    with pytest.raises(
        UsageError, match=r"figure pie: there is no such figure; for this run .*fit"
    ):
        figures.chart("pie", few)
    with pytest.raises(UsageError, match=r"figure curve: .* Did you mean 'loss-curves'\?$"):
        figures.chart("curve", few)
    with pytest.raises(UsageError, match="it draws a run, not a bench"):
        figures.chart("fit", {})
    with pytest.raises(UsageError, match=r"samples of your own data; give data=\(X, y\)"):
        figures.confusion.table(spirals[0])
    with pytest.raises(DataError, match="data has 3 rows of X and 3 of y; the run had at least 80"):
        figures.confusion.table(spirals[0], data=(np.ones((3, 2)), ["in"] * 3))


def test_without_altair_the_error_names_the_command(few, monkeypatch):
    monkeypatch.setattr(style, "alt", None)
    with pytest.raises(FastnetError, match=r"need altair; install it with: .*\[plot\]'$"):
        figures.loss_curves(few)


def test_without_vl_convert_the_error_names_the_command(few, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "vl_convert", None)
    with pytest.raises(FastnetError, match=r"vl-convert-python; install it with: .*\[plot\]'$"):
        figures.save(figures.stop_reasons(few), tmp_path / "a.png")


def test_files(few, tmp_path):
    pytest.importorskip("vl_convert", reason="files need the extra [plot]")
    chart = figures.stop_reasons(few)
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<svg"), ("a.html", b"<!DOCTYPE")):
        figures.save(chart, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
    assert b'src="http' not in (tmp_path / "a.html").read_bytes()
    with pytest.raises(UsageError, match=r"must end in .png, .svg or .html, got 'a.gif'"):
        figures.save(chart, tmp_path / "a.gif")
    with pytest.raises(FastnetError, match="cannot be written"):
        figures.save(chart, tmp_path / "nowhere" / "a.png")


# ---------------------------------------------------------------- the command


def plot(*arguments):
    return CliRunner().invoke(cli.cli, ["plot", *map(str, arguments)])


def test_plot_lists_what_applies_and_writes_what_is_named(few, tmp_path, monkeypatch):
    pytest.importorskip("vl_convert", reason="files need the extra [plot]")
    monkeypatch.chdir(tmp_path)
    few.save("run")
    listed = json.loads(plot("run", "--json").stdout)["figures"]
    assert {row["figure"] for row in listed} == {*names(few), "playback"}
    assert "loss-curves" in plot("run").stdout
    assert plot("run", "--figure", "errors").stdout == "errors.png\n"
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")
    (tmp_path / "errors.png").write_text("mine")
    failed = plot("run", "--figure", "errors").exception
    assert isinstance(failed, FastnetError) and "-o: errors.png exists; name another" in str(failed)
    assert (tmp_path / "errors.png").read_text() == "mine"
    assert plot("run", "--figure", "errors", "--force").exit_code == 0
    assert (tmp_path / "errors.png").read_bytes().startswith(b"\x89PNG")
    written = plot("run", "--figure", "fit", "-o", "f.svg", "--theme", "dark", "--json")
    assert json.loads(written.stdout)["file"] == "f.svg"
    assert style.PAPER["dark"] in (tmp_path / "f.svg").read_text()


def test_plot_all_writes_every_figure_into_a_folder(diverged, tmp_path, monkeypatch):
    pytest.importorskip("vl_convert", reason="files need the extra [plot]")
    monkeypatch.chdir(tmp_path)
    diverged.save("run")
    shown = {f.name for f in figures.applying(fastnet.load("run"))}
    files = plot("run", "--all").stdout.splitlines()
    assert files == [f"run-figures/{f.name}.png" for f in figures.applying(fastnet.load("run"))]
    assert {path.stem for path in (tmp_path / "run-figures").iterdir()} == shown
    failed = plot("run", "--all").exception
    assert "-o: run-figures exists; name another folder" in str(failed)
    again = plot("run", "--all", "--force", "--theme", "dark", "--json")
    assert json.loads(again.stdout)["files"] == files
    failed = plot("run", "--all", "--figure", "errors").exception
    assert isinstance(failed, UsageError)
    assert "--all draws every figure; leave out --figure errors or --all" in str(failed)
    (tmp_path / "a.png").write_text("mine")
    failed = plot("run", "--all", "-o", "a.png", "--force").exception
    assert "-o: a.png is a file; --all needs a folder" in str(failed)
    assert (tmp_path / "a.png").read_text() == "mine"


def test_plot_refuses_what_does_not_apply_before_it_writes(few, tmp_path):
    few.save(tmp_path / "run")
    failed = plot(tmp_path / "run", "--figure", "confusion", "-o", tmp_path / "c.png")
    assert isinstance(failed.exception, UsageError)
    assert "it predicts numbers, not classes; for this run there are" in str(failed.exception)
    assert not (tmp_path / "c.png").exists()


# ---------------------------------------------------------------- tables from parts


def test_a_single_value_of_a_part_stands_in_all_its_rows():
    parts = [("a", np.array([1, 2]), 0.5), ("bc", np.array([3]), 1.5)]
    table = base.stacked(("name", "x", "y"), parts)
    assert {name: column.tolist() for name, column in table.items()} == {
        "name": ["a", "a", "bc"],
        "x": [1, 2, 3],
        "y": [0.5, 0.5, 1.5],
    }
    assert [len(column) for column in base.stacked(("x", "y"), []).values()] == [0, 0]


def test_the_ordered_list_of_names_is_the_registry():
    assert all(name == figure.name for name, figure in figures.FIGURES.items())
    assert next(iter(figures.FIGURES)) == "loss-by-n1"


def test_the_first_obstacle_is_the_reason():
    obstacle = base.first_obstacle(lambda result: None, lambda result: "one", lambda result: "two")
    assert obstacle(None) == "one"
    assert base.first_obstacle(lambda result: None)(None) is None
