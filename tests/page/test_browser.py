"""The Streamlit page in headless Chromium: train task 1 as a person would."""

import io
import zipfile

import numpy as np
import pytest

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
