"""The list of runs on the page: searched, noted, deleted, compared, opened by its address."""

import os
import shutil

import pytest
from views import checked, errors, table

import fastnet
from fastnet.page import processes
from fastnet.results import listing

pytest.importorskip("streamlit", reason="the page needs the extra [ui]")
PATIENCE = 120  # seconds


def names(app):
    """The runs in the list."""
    return app.dataframe[0].value["run"].tolist()


# ---------------------------------------------------------------- the list


def test_no_runs_yet(page, tmp_path):
    app = page(tmp_path / "none", view="runs")
    assert "No runs in" in app.info[0].value


def test_the_list_shows_every_run_the_newest_first(page, runs):
    app = page(runs, view="runs")
    shown = app.dataframe[0].value
    assert names(app) == ["cut", "diverged", "two-rates", "other", "sine"]
    assert shown["status"].tolist() == ["interrupted", *["done"] * 4]
    assert set(shown["data"]) == {"sine (task 1)"} and shown["started"].str.len().min() == 16
    assert shown["result"].iloc[-1].startswith("R2 ") and shown["members"].iloc[-1] == 4


def test_a_validation_loss_of_zero_is_a_result(page, mine, monkeypatch):
    folder = mine("sine")
    found = listing.facts(folder / "sine") | {"result": "", "loss": 0.0}
    monkeypatch.setattr(listing, "facts", lambda run: found)
    assert page(folder, view="runs").dataframe[0].value["result"].tolist() == ["loss 0"]


def test_a_broken_run_and_one_that_could_not_start_are_listed(page, mine):
    folder = mine("sine")
    (folder / "sine" / "summary.json").write_text("{")
    processes.note_file(folder, "bad").parent.mkdir()
    processes.note_file(folder, "bad").write_text("Error: no.")
    processes.note_file(folder, "gone").write_text("Interrupted; state saved.")
    shown = page(folder, view="runs").dataframe[0].value
    assert dict(zip(shown["run"], shown["status"])) == {"sine": "broken", "bad": "failed"}


@pytest.mark.parametrize(
    "text, found",
    [("OTHER", ["other"]), ("sine interrupted", ["cut"]), ("nothing-like-it", None), ("", 5)],
)
def test_the_list_is_searched_by_the_address(page, runs, text, found):
    app = page(runs, view="runs", find=text)
    assert app.text_input(key="find").value == text
    if found is None:
        assert "None of 5 runs has 'nothing-like-it' in it" in app.info[0].value
    else:
        assert names(app) == found or len(names(app)) == found


def test_the_address_keeps_what_is_searched(page, runs):
    app = page(runs, view="runs")
    checked(app.text_input(key="find").set_value("other").run())
    assert app.query_params["find"] == "other" and names(app) == ["other"]
    checked(app.text_input(key="find").set_value("").run())
    assert "find" not in app.query_params


# ---------------------------------------------------------------- notes and deleting


def test_a_note_is_written_and_searched(page, mine):
    folder = mine("sine")
    app = page(folder, view="runs", run="sine")
    app.text_area(key="note").set_value("from the lecture")
    checked(app.button(key="save-note").click().run())
    assert listing.read_note(folder / "sine") == "from the lecture"
    app = page(folder, view="runs", find="lecture")
    assert app.dataframe[0].value["note"].tolist() == ["from the lecture"]


def test_a_run_is_deleted_when_that_is_confirmed(page, mine, tmp_path):
    folder = mine("sine")
    (folder / "sine" / "mine.h").write_text("")
    app = page(folder, view="runs", run="sine")
    checked(app.button(key="delete").click().run())
    assert "'mine.h'; move them elsewhere" in errors(app)[0]
    (folder / "sine" / "mine.h").unlink()
    checked(app.button(key="delete").click().run())
    assert app.title[0].value == "Runs" and not os.listdir(folder)


def test_what_could_not_start_is_deleted(page, tmp_path):
    note = processes.note_file(tmp_path, "bad")
    note.parent.mkdir()
    note.write_text("Error: no.")
    processes.form_file(tmp_path, "bad").write_text("{}")
    app = page(tmp_path, view="runs", run="bad")
    checked(app.button(key="delete").click().run())
    assert not list(note.parent.iterdir())


def test_a_run_in_training_has_no_button_that_deletes_it(page, mine, monkeypatch):
    monkeypatch.setattr(processes, "in_use", lambda folder: True)
    app = page(mine("cut"), view="runs", run="cut")
    assert "delete" not in [button.key for button in app.button] and app.button(key="stop")


def test_a_deleted_run_is_gone_where_it_is_open(page, mine, monkeypatch):
    """Another tab may delete it: its status is read once for what is shown, and again later."""
    folder, read, real = mine("sine"), [], processes.status

    def status(runs, name):
        read.append(name)
        if len(read) == 1:
            shutil.rmtree(folder / "sine")
            return "done"
        return real(runs, name)

    monkeypatch.setattr(processes, "status", status)
    assert page(folder, view="runs", run="sine").title[0].value == "No such run"


def test_ticks_belong_to_runs_not_to_places(page, mine):
    """A run that begins shifts the rows: a tick must not go over to another run."""
    folder = mine("sine")
    app = page(folder, view="runs")
    first = app.dataframe[0].proto.id
    shutil.copytree(folder / "sine", folder / "new")
    assert checked(app.run()).dataframe[0].proto.id != first


# ---------------------------------------------------------------- comparing


def test_runs_compare_by_their_address(page, runs):
    app = page(runs, view="runs", compare="sine,two-rates,sine,cut,nope")
    assert app.title[0].value == "2 runs compared" and not app.error
    told = [text.value for text in app.warning]
    assert told == [
        "cut is not compared: it is interrupted.",
        "nope is not compared: there is no such run.",
    ]
    assert [row["run"] for row in table(app)] == ["sine", "two-rates"]
    differ = {row["option"]: (row["sine"], row["two-rates"]) for row in table(app, 1)}
    assert differ.pop("learning rate")[1] == "0.01, 0.2" and set(differ) == {"record"}
    assert len(app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")) == 2


def test_runs_of_other_data_share_no_axis(page, runs, tmp_path):
    shutil.copytree(runs / "sine", tmp_path / "sine")
    shutil.copytree(runs / "sine", tmp_path / "twin")
    given = {"n1": 2, "seeds": 1, "max_epochs": 2, "optimizer": "sgd"}
    fastnet.train(task=1, samples=41, **given, out=tmp_path / "more")
    app = page(tmp_path, view="runs", compare="sine,more,twin")
    assert "each has axes of its own" in app.info[0].value
    assert [text.value for text in app.header] == ["Options that differ", "sine, twin", "more"]


def test_one_run_alone_is_not_compared(page, runs):
    assert "at least two" in page(runs, view="runs", compare="sine").info[0].value
    assert "a run's name has letters" in errors(page(runs, view="runs", compare="sine,../x"))[0]


def test_runs_without_different_options(page, runs, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(runs / "sine", tmp_path / name)
    app = page(tmp_path, view="runs", compare="one,two")
    assert "All options are the same." in [text.value for text in app.markdown]


# ---------------------------------------------------------------- in a browser


def test_a_click_opens_a_run_and_the_title_names_it(served, tab, runs):
    address, folder = served
    shutil.copytree(runs / "sine", folder / "clicked", dirs_exist_ok=True)
    tab.goto(f"{address}/?view=runs&find=clicked")
    grid = tab.get_by_test_id("stDataFrame")
    grid.wait_for()
    tab.wait_for_function("document.title === 'Runs · fastnet'")
    tab.wait_for_timeout(500)  # the grid is a canvas: it has no cell to wait for
    grid.click(position={"x": 80, "y": 52})
    tab.get_by_role("tab", name="Figures").wait_for()
    tab.wait_for_function("document.title === 'clicked · fastnet'")
    assert "run=clicked" in tab.url
    tab.get_by_role("tab", name="Figures").click()
    tab.wait_for_function("location.search.includes('tab=Figures')")
    tab.reload()
    tab.get_by_role("combobox", name="Figure").wait_for()
