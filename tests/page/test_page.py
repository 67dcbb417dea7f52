"""The Streamlit page, run without a browser: every view in every state."""

import numpy as np
import pandas as pd
import pytest
from views import checked, errors, opened_tab, table

import fastnet
from fastnet.page import processes as watch
from fastnet.page.fields import plain

testing = pytest.importorskip("streamlit.testing.v1", reason="the page needs the extra [ui]")


# ---------------------------------------------------------------- a run


def test_a_finished_run(page, runs):
    app = page(runs, view="runs", run="sine")
    assert "N1" in app.title[0].value and any("sine" in text.value for text in app.markdown)
    assert [row["N1"] for row in table(app)] == ["2", "4"]
    assert not app.error


def test_own_data_are_answered_in_their_units_beside_the_baseline(page, tmp_path, rng):
    X, y = rng.normal(size=(80, 2)), rng.normal(size=80) * 1e4
    given = {"n1": 2, "max_epochs": 1, "validation_fraction": 0.5}
    result = fastnet.train(X, y, **given, out=tmp_path / "own")
    app = page(tmp_path, view="runs", run="own")
    row = next(row for row in table(app) if row["metric"] == "RMSE")
    assert list(row) == ["metric", "train", "train baseline", "val", "val baseline"]
    found = result.metrics["val"]["baseline"]["rmse"]
    assert row["val baseline"] == f"{float(f'{found:.4g}'):,.15g}"
    assert result.notices
    assert sorted(told(app)) == sorted(map(plain, result.notices))


def told(app):
    """The notices of a run: warnings, and the items of its small list."""
    small = [line for text in app.caption for line in text.value.split("\n")]
    items = [line.removeprefix("- ") for line in small if line.startswith("- ")]
    return [text.replace("\\", "") for text in (*[w.value for w in app.warning], *items)]


def test_notices_are_quiet_and_in_the_words_of_the_page_unless_the_result_is_bad(page, tmp_path):
    i = np.arange(60)
    frame = pd.DataFrame({"number": i, "size": i * 7 % 60 / 3.5, "y": i * i * 37 % 59 / 7})
    frame.to_csv(tmp_path / "t.csv", index=False)
    given = {"data": tmp_path / "t.csv", "target": "y", "n1": 1, "max_epochs": 1}
    result = fastnet.train(**given, out=tmp_path / "own")
    assert any("no better than the mean" in notice for notice in result.notices)
    app = page(tmp_path, view="runs", run="own")
    assert all("mean" in w.value or "untrained" in w.value for w in app.warning) and app.warning
    assert any("Row counter" in text for text in told(app)[len(app.warning) :])
    assert not any("--" in text for text in told(app))


def test_the_table_by_n1_names_the_setting_of_each_row(page, runs):
    app = page(runs, view="runs", run="two-rates")
    assert [row["learning rate"] for row in table(app)] == ["0.2", "0.2"]
    assert sorted(row["learning rate"] for row in table(app, 1)) == ["0.01", "0.2"]


@pytest.mark.parametrize("figure", ["fit", "gradient", "no-such-figure"])
def test_a_figure_of_the_address(page, runs, figure):
    app = opened_tab(page, runs, "sine", "Figures", figure=figure)
    assert not app.error and len(app.dataframe) == 1
    assert app.selectbox(key="figure").value == (figure if "-" not in figure else "loss-by-n1")
    told = [text.value.replace("\\", "") for text in app.warning]
    assert any("no-such-figure'; there are loss-by-n1" in text for text in told) == ("-" in figure)


@pytest.mark.parametrize("member", ["3", "99", "two", "-1"])
def test_the_member_of_the_address(page, runs, member):
    app = page(runs, view="runs", run="sine", member=member)
    best = fastnet.load(runs / "sine").best_member
    assert app.header[-1].value == f"Member {member if member == '3' else best}" and not app.error
    told = [text.value for text in app.warning]
    assert any(f"member '{member}'; there are 0 to 3" in text for text in told) == (member != "3")


@pytest.mark.parametrize("tab, heading", [("Members", "Member"), ("nope", "N1")])
def test_the_tab_of_the_address(page, runs, tab, heading):
    app = page(runs, view="runs", run="sine", tab=tab)
    assert any(heading in text.value for text in [*app.header, *app.title]) and not app.error
    assert any("tab 'nope'; there are" in text.value for text in app.warning) == (tab == "nope")


def test_members_are_filtered_by_their_stop(page, runs):
    app = opened_tab(page, runs, "sine", "Members")
    app.multiselect(key="reasons").set_value(["max_epochs"]).run()
    shown = checked(app).dataframe[0].value
    assert len(shown) == 4 and not any("_" in name for name in shown)
    assert not shown.isna().all().any()  # a column without a value would say None in every row


def test_downloads(page, runs):
    app = opened_tab(page, runs, "sine", "Files")
    labels = [button.label for button in app.get("download_button")]
    made = [button.label for button in app.button]
    assert "Report (one HTML file)" in made and "model.npz" in labels and not app.error


def test_all_members_diverged(page, runs):
    app = page(runs, view="runs", run="diverged")
    assert app.title[0].value == "All 4 members diverged" and not app.error
    for tab in ("Figures", "Members", "Files"):
        assert not opened_tab(page, runs, "diverged", tab).error


def test_10000_members(page, many):
    app = page(many, view="runs", run="many")
    assert len(table(app)) == 10 and not app.error
    app = opened_tab(page, many, "many", "Members", member="9999")
    assert len(app.dataframe[0].value) == 10_000 and app.header[-1].value == "Member 9999"


# ---------------------------------------------------------------- runs that have not ended


def test_a_failed_start_says_why(page, tmp_path):
    note = watch.note_file(tmp_path, "bad")
    note.parent.mkdir()
    note.write_text("Error: --n1 must be an integer >= 1, got 0.\n")
    app = page(tmp_path, view="runs", run="bad")
    assert errors(app) == ["--n1 must be an integer >= 1, got 0."]


@pytest.mark.parametrize(
    "file, content",
    [
        ("summary.json", '{"best": '),
        ("members.csv", "member,n1\n0,two\n"),
        ("config.json", "[]"),
        ("history.npz", "no archive"),
    ],
)
def test_a_corrupt_run_is_one_line(page, mine, file, content):
    folder = mine("sine")
    (folder / "sine" / file).write_text(content)
    assert len(errors(page(folder, view="runs", run="sine"))) == 1
    page(folder, view="runs")


def test_a_broken_checkpoint_is_one_line(page, mine):
    folder = mine("cut")
    (folder / "cut" / "checkpoint.npz").write_text("no archive")
    assert len(errors(page(folder, view="runs", run="cut"))) == 1


@pytest.mark.parametrize(
    "name, why", [("nope", "There is no run nope."), ("../sine", "a run's name has letters")]
)
def test_a_wrong_name_is_one_line(page, runs, name, why):
    assert errors(page(runs, view="runs", run=name))[0].startswith(why)


def test_an_unknown_view_is_told(page, runs):
    app = page(runs, view="nope")
    assert app.title[0].value == "Train"
    assert "view 'nope'; there are train, runs, learn" in app.warning[0].value


@pytest.mark.parametrize("path", ["a b", "../x", "a//b", "?"])
def test_a_base_path_that_is_none_is_refused(command, path):
    found = command(f"ui --base-path '{path}'")
    assert found.code == 2 and "--base-path must be like /fastnet or /lab/fastnet" in found.err
