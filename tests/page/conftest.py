"""Folders of runs, and the page on them, without a browser and in headless Chromium."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest
from views import checked

import fastnet

APP = Path(fastnet.__file__).parent / "page" / "app.py"
SINE = dict(task=1, n1=[2, 4], seeds=2, samples=40, optimizer="sgd")
SOON = 20  # epochs: these tests are about the page
WHY = "needs playwright (pip install playwright) and Debian's chromium (apt-get install chromium)"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
FLAGS += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
PATIENCE = 120  # seconds: the kernels may have to be compiled first


def interrupt(where):
    """Progress that ends a run as Ctrl-C does, after the first round."""
    if where.stage == "train":
        signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """A folder with a run for each way to end."""
    folder = tmp_path_factory.mktemp("page")
    record = ("snapshots", "gradient_norm")
    fastnet.sweep(**SINE, max_epochs=SOON, record=record, out=folder / "sine")
    fastnet.sweep(**SINE, max_epochs=SOON, learning_rate=0.2, out=folder / "other")
    rates = {"learning_rate": [0.01, 0.2]}
    fastnet.sweep(**SINE, max_epochs=SOON, **rates, out=folder / "two-rates")
    fastnet.sweep(
        **SINE, max_epochs=SOON, learning_rate=1e300, dtype="float64", clip_norm=None,
        lr_patience=None, out=folder / "diverged",
    )  # fmt: skip
    fastnet.sweep(**SINE, max_epochs=10**6, progress=interrupt, out=folder / "cut")
    return folder


@pytest.fixture(scope="session")
def many(tmp_path_factory):
    """A folder with a run of 10,000 members."""
    folder = tmp_path_factory.mktemp("many")
    options = dict(n1=range(1, 11), seeds=1000, samples=10, max_epochs=2)
    fastnet.sweep(task=1, **options, out=folder / "many")
    return folder


@pytest.fixture
def mine(runs, tmp_path):
    """mine(name): a folder of runs of its own, with a copy of one."""

    def copied(name):
        shutil.copytree(runs / name, tmp_path / name)
        return tmp_path

    return copied


@pytest.fixture
def page(monkeypatch):
    """page(folder, **address): the page as the URL's state asks for it."""

    def opened(folder, **address):
        monkeypatch.setenv("FASTNET_UI_RUNS", str(folder))
        testing = pytest.importorskip("streamlit.testing.v1", reason="the page needs [ui]")
        app = testing.AppTest.from_file(str(APP), default_timeout=120)
        for name, value in address.items():
            app.query_params[name] = value
        return checked(app.run())

    return opened


# ---------------------------------------------------------------- in a browser


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The page's address and the folder of its runs."""
    runs = tmp_path_factory.mktemp("served")
    with serving(runs) as address:
        yield address, runs


@contextlib.contextmanager
def serving(runs, *more):
    """Serve the page for a folder of runs; its address."""
    pytest.importorskip("streamlit", reason="the page needs fastnet[ui]")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "fastnet", "ui", "--no-browser"]
    line += ["--runs", str(runs), "--port", str(port), *more]
    path = os.pathsep.join(
        [str(Path(fastnet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    server = subprocess.Popen(line, env={**os.environ, "PYTHONPATH": path})
    try:
        wait_for(f"http://localhost:{port}{base(more)}/_stcore/health")
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        server.wait(PATIENCE)


def base(more):
    """The path under which the page is served."""
    return more[more.index("--base-path") + 1] if "--base-path" in more else ""


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
    playwright = pytest.importorskip("playwright.sync_api", reason=f"the browser test {WHY}")
    if CHROMIUM is None:
        pytest.skip(f"the browser test {WHY}")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1000 * PATIENCE)
        said = []
        page.on("console", lambda it: said.append(it.text) if it.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        browser.close()
        assert not said, said
