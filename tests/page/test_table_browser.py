"""A table of one's own on the page in headless Chromium, from its problems to the C header."""

import pandas as pd
import pytest
from test_form import MESSY

playwright = pytest.importorskip("playwright.sync_api")


@pytest.mark.slow
def test_from_a_messy_table_to_an_answer_predictions_and_c(served, tab, tmp_path):
    address, _ = served
    pd.DataFrame(MESSY).to_csv(tmp_path / "my shop.csv", index=False)
    tab.goto(address)
    tab.get_by_text("Your table", exact=True).click()
    tab.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(tmp_path / "my shop.csv")
    tab.get_by_text("120 rows, 8 columns").wait_for()
    tab.get_by_role("button", name="price", exact=True).click()
    tab.get_by_text("has 120 different texts in 120 rows").wait_for()
    playwright.expect(tab.get_by_role("button", name="Start")).to_have_count(0)
    tab.get_by_role("button", name="Tick all suggestions (5)").click()
    tab.get_by_text("4 members").wait_for()
    field = tab.get_by_label("Name of the run")
    name = field.input_value()
    assert name.startswith("my-shop-2")
    tab.get_by_label("Most epochs", exact=True).fill("40")
    tab.keyboard.press("Enter")
    tab.get_by_text("--max-epochs 40").wait_for()
    go_to_runs_and_back(tab, name)
    tab.get_by_role("button", name="Start").click()
    tab.get_by_text("RMSE").first.wait_for()
    tab.get_by_text("test baseline").first.wait_for()
    predict(tab, tmp_path)
    tab.get_by_role("tab", name="Files").click()
    tab.get_by_role("button", name="C header").click()
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download my_shop.h").click()
    assert download.value.suggested_filename == "my_shop.h"
    assert "my_shop" in download.value.path().read_text()
    tab.get_by_role("button", name="Change and run again").click()
    line = tab.get_by_text("fastnet train --data")
    line.wait_for()
    for part in ("my-shop.csv", "--exclude id,note", "--max-epochs 40", "--test-fraction 0.2"):
        playwright.expect(line).to_contain_text(part)


def go_to_runs_and_back(tab, name):
    """Visit the list of runs; the form is as it was."""
    tab.get_by_role("button", name="Runs", exact=True).click()
    playwright.expect(tab.get_by_label("Name of the run")).to_have_count(0)
    tab.get_by_role("button", name="Train", exact=True).click()
    tab.get_by_text("--max-epochs 40").wait_for()
    playwright.expect(tab.get_by_label("Name of the run")).to_have_value(name)


def predict(tab, folder):
    """Predict one row, then the rows of a file."""
    tab.get_by_role("tab", name="Predict").click()
    tab.get_by_test_id("stMetricValue").wait_for()
    before = tab.get_by_test_id("stMetricValue").inner_text()
    tab.get_by_label("size", exact=True).fill("100")
    tab.keyboard.press("Enter")
    playwright.expect(tab.get_by_test_id("stMetricValue")).not_to_have_text(before)
    new = pd.DataFrame(MESSY).drop(columns="price").head(7)
    new.to_csv(folder / "new.csv", index=False)
    tab.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(folder / "new.csv")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Download 7 predictions").click()
    assert download.value.suggested_filename == "new-predicted.csv"
    predicted = pd.read_csv(download.value.path())
    assert list(predicted)[: len(new.columns)] == list(new) and len(predicted) == 7
    assert list(predicted)[-3:] == ["price", "lower", "upper"]


def test_a_table_that_cannot_be_used_says_so_beside_the_form(served, tab, tmp_path):
    address, _ = served
    tab.goto(address)
    tab.get_by_text("Your table", exact=True).click()
    for name, content, why in (
        ("empty.csv", b"", "empty.csv is empty"),
        ("binary.csv", bytes(range(256)) * 40, "binary.csv"),
        ("one.csv", b"a\n1.5\n2\n", "no column to learn from"),
    ):
        (tmp_path / name).write_bytes(content)
        tab.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(tmp_path / name)
        if name == "one.csv":
            tab.get_by_role("button", name="a", exact=True).click()
        tab.get_by_role("alert").filter(has_text=why).wait_for()
        tab.get_by_text("More options").wait_for()
        playwright.expect(tab.get_by_role("button", name="Start")).to_have_count(0)
