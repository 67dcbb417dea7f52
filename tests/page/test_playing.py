"""The playback of a run on the page, in headless Chromium: plays, and survives a rerun."""

import pytest

import fastnet

playwright = pytest.importorskip("playwright.sync_api")
GIVEN = {"task": 1, "n1": [2, 4], "samples": 40, "optimizer": "sgd", "max_epochs": 30}


def test_a_finished_run_is_played_back(served, tab):
    address, runs = served
    fastnet.sweep(**GIVEN, target_loss=None, out=runs / "played")
    told = []
    tab.on("pageerror", lambda error: told.append(str(error)))
    tab.on("console", lambda line: told.append(line.text) if line.type == "error" else None)
    tab.goto(f"{address}/?view=runs&run=played")
    film = tab.get_by_role("group", name="Playback of the training")
    film.get_by_label("Hidden units").select_option("2")
    film.get_by_label("Speed").select_option("0.25")
    film.get_by_role("button", name="Play", exact=True).click()
    film.get_by_role("button", name="Pause").wait_for()
    tab.get_by_role("tab", name="Figures").click()
    tab.get_by_role("tab", name="Answer").click()
    film.get_by_label("Step back").click()
    assert film.locator(".p-said").inner_text().startswith("Epoch ")
    assert film.evaluate("element => element.player.frames") > 0
    assert told == []


def test_a_run_without_snapshots_has_no_playback(runs, page, tmp_path):
    fastnet.sweep(**GIVEN, record="none", out=tmp_path / "none")
    app = page(tmp_path, view="runs", run="none")
    assert len(app.get("bidi_component")) == 0 and not app.exception
    assert len(page(runs, view="runs", run="other").get("bidi_component")) == 1
