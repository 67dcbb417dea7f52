"""The playback of a training: what it shows; in Chromium, that it draws what a Model predicts."""

import base64
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

import fastnet
from fastnet.cli import cli
from fastnet.errors import UsageError
from fastnet.figures import networks, playback, subject
from fastnet.options.methods import ACTIVATIONS
from fastnet.results.collect import peek

WHY = "needs playwright (pip install playwright) and Debian's chromium (apt-get install chromium)"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason=f"the browser test {WHY}")

X = np.linspace(-1, 1, 60)
PLANE = np.random.default_rng(0).uniform(-1, 1, (60, 2))
WIDE = np.random.default_rng(1).normal(size=(60, 17))
LEFT = np.where(PLANE[:, 0] < 0, "left", "right")
# The reference needs no kernels, which would have to be compiled for each case.
GIVEN = {"n1": [3, 5], "seeds": 2, "max_epochs": 40, "learning_rate": 0.05}
GIVEN["backend"] = "reference"
# What is trained on, and the fit that is shown of it.
CASES = {
    "one input": (X, np.sin(3 * X), {"activation": "tanh"}, "curve"),
    "several targets": (X, np.c_[X, X**2], {}, "curve"),
    "classes of one input": (X, np.where(X < 0, "no", "yes"), {}, "curve"),
    "two classes": (PLANE, LEFT, {"loss": "binary_cross_entropy"}, "field"),
    "two inputs": (PLANE, PLANE.prod(axis=1), {"scale": "standard"}, "field"),
    "counts": (WIDE, np.arange(60) % 4, {"loss": "poisson", "scale": "clipped"}, "parity"),
    "float64": (WIDE, WIDE @ np.arange(17), {"dtype": "float64", "scale": "standard"}, "parity"),
    "three classes": (WIDE, np.array(["a", "b", "c"])[np.arange(60) % 3], {}, "strips"),
    "images": (WIDE[:, :16], np.array(["a", "b"])[np.arange(60) % 2], {}, "strips"),
    "folds": (WIDE, WIDE[:, 0], {"folds": 3}, "parity"),
}


@pytest.fixture(scope="module", params=CASES)
def case(request, tmp_path_factory):
    """A run, its data, and the fit that is shown."""
    x, y, more, kind = CASES[request.param]
    run = tmp_path_factory.mktemp("played") / "run"
    return fastnet.sweep(x, y, **{**GIVEN, **more}, out=run), (x, y), kind


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason=f"the browser test {WHY}")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def tab(browser):
    """A tab in which no error was written to the console."""
    page, told = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    yield page
    page.close()
    assert told == []


def numbers(packed):
    return np.frombuffer(base64.b64decode(packed["bytes"]), packed["dtype"])


# ---------------------------------------------------------------- the data


def test_the_panel_has_a_film_of_each_n1(case):
    result, data, kind = case
    shown = playback.playback_data(result, data)
    json.dumps(shown, allow_nan=False)
    assert [film["n1"] for film in shown["films"]] == [3, 5] and shown["fit"]["kind"] == kind
    for film in shown["films"]:
        member = result.best_of(film["n1"])
        size = film["n1"] * (film["d"] + 1 + film["k"]) + film["k"]
        frames = numbers(film["weights"]).reshape(len(film["epochs"]), size)
        kept = result.weights(member)
        np.testing.assert_array_equal(frames[film["kept"]], playback.flat(kept))
        assert film["epochs"][film["kept"]] == result.members["best_epoch"][member]
        assert film["epochs"] == sorted(set(film["epochs"])) and film["epochs"][0] == 0
        assert film["last"] == result.members["epochs"][member]
        assert 0 in film["history"]["epoch"] and film["loss_range"][0] < film["loss_range"][1]


def test_without_its_samples_the_fit_is_left_out():
    shown = fastnet.sweep(X, X**2, **GIVEN, record="snapshots")
    assert playback.playback_data(shown)["fit"]["kind"] == "none"


def test_why_there_is_no_playback():
    without = fastnet.sweep(X, X**2, **GIVEN)
    assert playback.obstacle(without).startswith("it has no snapshots of the network")
    with pytest.raises(UsageError, match=r"^figure playback: it has no snapshots of the network"):
        playback.playback_data(without)
    nothing = fastnet.sweep(X, X**2, **GIVEN, keep="none", record="snapshots")
    assert playback.obstacle(nothing) == "the weights were not kept (--keep none)"


def test_a_running_run_has_the_film_so_far(tmp_path):
    calls = iter(range(100))
    fastnet.sweep(
        task=1, n1=[3, 5], optimizer="sgd", target_loss=None, out=tmp_path / "run",
        progress=lambda p: p.stage == "train" and next(calls) == 20,
    )  # fmt: skip
    shown = playback.playback_data(peek(tmp_path / "run"))
    assert shown["fit"]["kind"] == "curve" and len(shown["fit"]["target"]) == playback.POINTS
    assert [len(film["epochs"]) for film in shown["films"]] == [22, 22]


def test_large_films_are_thinned_and_left_out(tmp_path, monkeypatch):
    result = fastnet.sweep(X, X**2, **GIVEN, out=tmp_path / "run")
    monkeypatch.setattr(playback, "MOST_BYTES", 400)
    (film,) = playback.films_of(result)
    assert film["n1"] == result.best["n1"] and 8 <= len(film["epochs"]) <= 9
    best = film["weights"][film["kept"]]
    np.testing.assert_array_equal(best, playback.flat(result.weights()))


def test_frames_that_are_not_finite_are_left_out(tmp_path):
    result = fastnet.sweep(
        X, X**2, n1=[3], learning_rate=1e30, activation="identity", max_epochs=30,
        backend="reference", out=tmp_path / "run",
    )  # fmt: skip
    assert result.best["stop_reason"] == "diverged"
    for film in playback.films_of(result):
        assert np.isfinite(film["weights"]).all()


def test_texts_of_the_data_cannot_end_the_script(tmp_path):
    label = np.where(X < 0, "</script><script>alert(1)</script>", "b")
    result = fastnet.sweep(X, label, **GIVEN, out=tmp_path / "run")
    held = playback.fragment(result, (X, label))
    assert "alert(1)" in held and "<script>alert" not in held


def test_plot_writes_the_film_as_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fastnet.sweep(task=1, **GIVEN, optimizer="sgd", target_loss=None, out="run")

    def plot(*words):
        return CliRunner().invoke(cli, ["plot", "run", *words])

    assert "playback" in plot().output
    assert plot("--figure", "playback", "--theme", "dark").output == "playback.html\n"
    assert b'data-theme="dark"' in (tmp_path / "playback.html").read_bytes()
    refused = plot("--figure", "playback", "-o", "film.png")
    assert isinstance(refused.exception, UsageError)
    assert "its file must end in .html, got 'film.png'" in str(refused.exception)
    shown = playback.playback_data(subject("run", n1=3))
    assert shown["films"][shown["first"]]["n1"] == 3
    fastnet.sweep(task=1, **GIVEN, record="none", out="none")
    without = CliRunner().invoke(cli, ["plot", "none", "--figure", "playback", "-o", "n.html"])
    assert "it has no snapshots of the network" in str(without.exception)
    assert "playback" not in CliRunner().invoke(cli, ["plot", "none"]).output


# ---------------------------------------------------------------- in Chromium


def opened(tab, result, data, tmp_path):
    """The panel as a page in a tab."""
    (tmp_path / "playback.html").write_bytes(playback.document(result, data))
    tab.goto((tmp_path / "playback.html").as_uri())
    tab.locator(".fastnet-playback canvas").first.wait_for()


def predicted(tab):
    return np.array(
        tab.evaluate("[...document.querySelector('.fastnet-playback').player.predictions()]")
    )


@needs_browser
def test_the_frame_of_the_best_weights_is_what_the_model_predicts(case, tab, tmp_path):
    result, data, kind = case
    opened(tab, result, data, tmp_path)
    shown = playback.playback_data(result, data)
    member = result.best_of(shown["films"][shown["first"]]["n1"])
    model = result.model(member)
    U = numbers(shown["fit"]["U"]).reshape(-1, len(result.features))
    net_inputs = U * model.x_scale + model.x_shift
    wanted = networks.outputs_of(model, net_inputs).ravel()
    np.testing.assert_allclose(predicted(tab), wanted, rtol=1e-6, atol=1e-6)
    if kind == "curve":
        at = np.linspace(X.min(), X.max(), playback.POINTS)
        np.testing.assert_allclose(
            predicted(tab), networks.outputs_of(model, at).ravel(), atol=1e-6
        )


@needs_browser
def test_every_activation(tab, tmp_path):
    names, at = list(ACTIVATIONS), np.linspace(-1, 1, playback.POINTS)
    widths = {"n1": range(2, 2 + len(names)), "activation": names, "zip": True}
    given = {**widths, "max_epochs": 5, "backend": "reference"}
    result = fastnet.sweep(X, X**2, **given, out=tmp_path / "run")
    opened(tab, result, (X, X**2), tmp_path)
    for member in range(len(names)):
        tab.get_by_label("Hidden units").select_option(str(member + 2))
        wanted = result.model(member).predict(at)
        np.testing.assert_allclose(predicted(tab), wanted, atol=1e-6, err_msg=names[member])


@needs_browser
def test_buttons_keys_and_widths(tab, tmp_path):
    result = fastnet.sweep(task=1, **GIVEN, optimizer="sgd", target_loss=None, out=tmp_path / "run")
    opened(tab, result, None, tmp_path)
    said, play = tab.locator(".p-said"), tab.locator(".p-play")
    assert "the best: its weights are kept" in said.inner_text()
    tab.get_by_label("Step back").click()
    before = said.inner_text()
    assert before.startswith("Epoch 3") and "kept" not in before
    group = tab.get_by_role("group", name="Playback of the training")
    group.focus()
    tab.keyboard.press("ArrowRight")
    assert said.inner_text() != before
    tab.get_by_label("Best epoch").click()
    drawn = tab.evaluate("document.querySelector('.fastnet-playback').player.frames")
    group.focus()
    tab.keyboard.press(" ")
    assert play.inner_text() == "Pause"
    tab.wait_for_function(
        f"document.querySelector('.fastnet-playback').player.frames > {drawn + 5}"
    )
    tab.keyboard.press(" ")
    assert play.inner_text() == "Play"
    tab.get_by_label("Epoch", exact=True).fill("7")
    assert said.inner_text().startswith("Epoch 7 of 40 · training loss ")
    assert (
        tab.get_by_role("img").nth(1).get_attribute("aria-label").startswith("The fit. Epoch 7 of")
    )
    tab.get_by_label("Hidden units").select_option("3")
    assert "N1 = 3, seed" in tab.locator(".p-note").inner_text()


@needs_browser
def test_reduced_motion_shows_snapshots_alone(browser, tmp_path):
    result = fastnet.sweep(task=1, **GIVEN, optimizer="sgd", target_loss=None, out=tmp_path / "run")
    page = browser.new_page(reduced_motion="reduce")
    opened(page, result, None, tmp_path)
    assert "interpolated" not in page.locator(".p-note").inner_text()
    page.get_by_label("Speed").select_option("4")
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("document.querySelector('.fastnet-playback').player.p >= 2")
    assert page.evaluate("Number.isInteger(document.querySelector('.fastnet-playback').player.p)")
    page.close()


@needs_browser
def test_newer_data_take_the_place_of_older_ones(tab, tmp_path):
    result = fastnet.sweep(task=1, **GIVEN, out=tmp_path / "run")
    opened(tab, result, None, tmp_path)
    shown = playback.playback_data(result)
    tab.get_by_label("Hidden units").select_option("3")
    tab.evaluate("data => document.querySelector('.fastnet-playback').player.open(data)", shown)
    assert "N1 = 3, seed" in tab.locator(".p-note").inner_text()
