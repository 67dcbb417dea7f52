"""The Streamlit page in headless Chromium: train task 1 as a person would."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest

import fastnet

WHY = "needs playwright (pip install playwright) and Debian's chromium (apt-get install chromium)"
playwright = pytest.importorskip("playwright.sync_api", reason=f"the browser test {WHY}")
pytest.importorskip("streamlit", reason="the page needs fastnet[ui]")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
FLAGS += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
PATIENCE = 120  # seconds: the kernels may have to be compiled first
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"the browser test {WHY}")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The page's address and the folder of its runs."""
    runs = tmp_path_factory.mktemp("served")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "fastnet", "ui", "--no-browser"]
    line += ["--runs", str(runs), "--port", str(port)]
    path = os.pathsep.join(
        [str(Path(fastnet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    server = subprocess.Popen(line, env={**os.environ, "PYTHONPATH": path})
    try:
        wait_for(f"http://localhost:{port}/_stcore/health")
        yield f"http://localhost:{port}", runs
    finally:
        server.terminate()
        server.wait(PATIENCE)


def wait_for(address):
    """Wait until something answers there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            return urlopen(address).close()
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers at {address}")


@pytest.fixture
def tab():
    """An empty tab of a browser that knows nothing from before."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1000 * PATIENCE)
        yield page
        browser.close()


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
    tab.get_by_text("1 run in").wait_for()


def check_weights(archive, run):
    """The downloaded arrays are those of the run, and reach the target by themselves."""
    arrays = {n: np.load(io.BytesIO(archive.read(n))) for n in archive.namelist()}
    W1, b1, W2, b2 = (arrays[f"{name}.npy"] for name in ("W1", "b1", "W2", "b2"))
    for name, array in zip(("W1", "b1", "W2", "b2"), (W1, b1, W2, b2)):
        np.testing.assert_array_equal(array, np.load(run / "best" / f"{name}.npy"))
    x = np.linspace(-1, 1, 1000)[:, None]
    yhat = (1 / (1 + np.exp(-(x @ W1.T + b1)))) @ W2.T + b2
    assert (0.5 * (yhat - np.sin(2 * np.pi * x)) ** 2).mean() <= 1e-3
