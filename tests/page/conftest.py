"""Folders of runs, and the page on them, without a browser and in headless Chromium."""

import shutil
from pathlib import Path

import pytest
from serving import PATIENCE, serving
from views import checked, interrupt

import fastnet

APP = Path(fastnet.__file__).parent / "page" / "app.py"
SINE = dict(task=1, n1=[2, 4], seeds=2, samples=40, optimizer="sgd")
SOON = 20  # epochs: these tests are about the page
WHY = "needs playwright (pip install playwright) and Debian's chromium (apt-get install chromium)"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")
FLAGS += ("--disable-background-networking", "--disable-component-update", "--disable-sync")
FLAGS += ("--host-resolver-rules=MAP lab.test 127.0.0.1",)  # a name that a proxy may have


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
