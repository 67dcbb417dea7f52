"""The Streamlit page in headless Chromium: train task 1 as a person would."""

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from proxy import forwarding
from serving import serving

playwright = pytest.importorskip("playwright.sync_api")
PATIENCE = 120  # seconds: the kernels may have to be compiled first


def test_train_task_1_reload_and_download_the_weights(served, tab):
    address, runs = served
    tab.goto(address)
    field = tab.get_by_label("Name of the run")
    playwright.expect(field).not_to_have_value("", timeout=1000 * PATIENCE)
    name = field.input_value()
    tab.get_by_role("button", name="Start").click()
    curve = tab.get_by_test_id("stVegaLiteChart").first
    curve.wait_for()  # while it trains, or when it is done
    tab.get_by_text("the first to reach the target loss 0.001").first.wait_for()
    tab.reload()
    assert f"run={name}" in tab.url
    tab.get_by_text(name, exact=True).wait_for()
    curve.wait_for()
    tab.get_by_role("tab", name="Files").click()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Best weights and biases").click()
    check_weights(zipfile.ZipFile(download.value.path()), runs / name)
    tab.get_by_role("button", name="Runs", exact=True).click()
    tab.get_by_text(re.compile(r"of \d+ runs? in")).wait_for()  # tests of other files add runs


def check_weights(archive, run):
    """The downloaded arrays are those of the run, and reach the target by themselves."""
    arrays = {n: np.load(io.BytesIO(archive.read(n))) for n in archive.namelist()}
    W1, b1, W2, b2 = (arrays[f"{name}.npy"] for name in ("W1", "b1", "W2", "b2"))
    for name, array in zip(("W1", "b1", "W2", "b2"), (W1, b1, W2, b2)):
        np.testing.assert_array_equal(array, np.load(run / "best" / f"{name}.npy"))
    x = np.linspace(-1, 1, 1000)[:, None]
    yhat = (1 / (1 + np.exp(-(x @ W1.T + b1)))) @ W2.T + b2
    assert (0.5 * (yhat - np.sin(2 * np.pi * x)) ** 2).mean() <= 1e-3


def test_learn_steps_through_a_pass_and_plays_a_training(served, tab):
    address, _ = served
    faults = []
    tab.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(f"{address}/?view=learn&chapter=forward")
    drawing = tab.get_by_role("img", name="A network with 1 input, 3 hidden units and 1 output")
    drawing.wait_for()
    lit = tab.locator(".edge.lit")
    playwright.expect(lit).to_have_count(0)
    tab.get_by_role("button", name="Next", exact=True).click()
    playwright.expect(lit).to_have_count(1)
    lit.hover()
    tab.get_by_text("W1, input 1 to hidden unit 1: weight").wait_for()
    tab.get_by_role("button", name="Next chapter").click()
    tab.get_by_role("heading", name="2. Backward pass").wait_for()
    assert "chapter=backward" in tab.url
    tab.get_by_role("button", name="Many samples").click()
    tab.get_by_text("Epoch 0: loss").wait_for()
    curve = tab.get_by_role("img", name="The network's output").locator("path[stroke]")
    first = curve.get_attribute("d")
    tab.get_by_label("Speed").select_option("2")
    tab.get_by_role("button", name="Play").click()
    tab.get_by_text("Epoch 2,000: loss").wait_for()
    tab.get_by_role("button", name="Play").wait_for()  # it ended
    assert curve.get_attribute("d") != first
    tab.get_by_role("button", name="Back", exact=True).click()
    playwright.expect(tab.get_by_text("Epoch 2,000: loss")).to_have_count(0)
    tab.goto(f"{address}/?view=learn&chapter=rate")  # its last epoch, 1,000, has a tick
    tab.get_by_text("Epoch 0: rate").wait_for()
    assert cut_texts(tab, "The loss, on logarithmic axes") == []
    assert not faults


def cut_texts(tab, drawing):
    """The texts of a drawing that its edges cut off."""
    return tab.get_by_role("img", name=drawing).evaluate(
        """drawing => {
          const edge = drawing.getBoundingClientRect();
          const texts = [...drawing.querySelectorAll("text")];
          return texts.filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < edge.left || box.right > edge.right || box.bottom > edge.bottom;
          }).map(text => text.textContent);
        }"""
    )


def test_the_page_behind_a_proxy_under_a_path(tab, runs):
    """The address of the proxy is another one than that of the server."""
    with serving(runs, "--base-path", "/lab/fastnet") as address:
        with forwarding(int(address.rsplit(":", 1)[1])) as port:
            tab.goto(f"http://lab.test:{port}/lab/fastnet/?view=runs&run=sine&tab=Files")
            tab.get_by_role("button", name="model.npz").wait_for()
            with tab.expect_download() as download:
                tab.get_by_role("button", name="members.csv").click()
            content = Path(download.value.path()).read_bytes()
            assert content == (runs / "sine" / "members.csv").read_bytes()
            tab.get_by_role("button", name="All runs").click()
            tab.get_by_role("heading", name="Runs").wait_for()
            assert "/lab/fastnet/" in tab.url
            tab.goto("about:blank")  # before the server ends
