"""The report: self-contained, escaped, complete, and a command that gives the run again."""

import json
import re
import shlex
import shutil
from html.parser import HTMLParser

import numpy as np
import pandas
import pytest
from click.testing import CliRunner

import fastnet
from fastnet import figures, report
from fastnet.cli import commands as cli
from fastnet.errors import FastnetError
from fastnet.figures.html import chart_tag
from fastnet.report import sections
from fastnet.results import again
from fastnet.results.words import number

pytest.importorskip("altair", reason="charts need the extra [plot]")
pytest.importorskip("vl_convert", reason="the scripts in the file come from the extra [plot]")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def sweep():
    return fastnet.sweep(
        task=1, samples=30, n1=[2, 3], seeds=[4], max_epochs=30, clip_norm=[1.0, None]
    )


class Reader(HTMLParser):
    """Text outside scripts, tags that load something, and the charts of a page."""

    def __init__(self, page):
        super().__init__()
        self.loads, self.charts, self.words, self.open = [], [], [], []
        self.feed(page.decode())

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.loads += [found[name] for name in ("src", "href") if name in found]
        if tag in ("script", "style"):
            self.open.append(found.get("class", tag))

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self.open.pop()

    def handle_data(self, data):
        if self.open == ["chart"]:
            self.charts.append(json.loads(data))
        elif not self.open:
            self.words.append(data)


def test_the_report_has_answer_tables_every_figure_and_loads_nothing(sweep):
    page = report.report(sweep)
    read = Reader(page)
    words = " ".join(read.words)
    assert sweep.environment["data_sha256"] in words
    assert "By N1" in words and "The best members" in words
    assert "No N1 reaches the target loss 0.001" in words
    titles = re.findall(r"<figure.*?><h3>(.+?)</h3>", page.decode())
    assert len(titles) == len(read.charts) == len(figures.applying(sweep))
    assert all("title" not in spec for spec in read.charts)  # the page wraps them as text
    places = set(re.findall(r'<h2 id="([^"]*)"', page.decode()))
    assert {link.removeprefix("#") for link in read.loads} == places  # the list of contents
    assert len(page) < 5e6


def test_the_report_can_be_read_without_a_mouse(sweep):
    """axe-core asks for these: one main part, named columns, tables that the keyboard scrolls."""
    page = report.report(sweep).decode()
    assert page.count("<main>") == page.count("</main>") == 1
    assert "<th></th>" not in page and not re.search('<th scope="col"></th>', page)
    assert page.count('<div class="wide"') == page.count('<div class="wide" tabindex="0">') > 0
    assert '"aria-label","Save the figure"' in page.replace("`", '"')


def test_the_report_says_how_good_the_result_is(rng):
    X = rng.normal(size=(60, 2))
    y = np.where(X[:, 0] > 0, "<b>up</b>", "down")
    result = fastnet.train(X, y, n1=2, max_epochs=40, learning_rate=1.0, validation_fraction=0.5)
    found = " ".join(Reader(report.report(result)).words)
    score = result.metrics["val"]
    for value in (score["f1"], score["baseline"]["accuracy"], score["classes"]["down"]["recall"]):
        assert f" {number(value)} " in found
    assert "<b>up</b>" in found and "chosen on the validation rows" in found
    bad = fastnet.train(X, rng.normal(size=60), n1=2, max_epochs=1)
    assert bad.notices and bad.notices[0] in " ".join(Reader(report.report(bad)).words)


def test_own_data_begin_with_the_answer_in_their_units_and_are_described(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, new = fastnet.example("houses", tmp_path)
    result = fastnet.train(
        data=path, target="price", n1=4, max_epochs=40, test_fraction=0.2, exclude=["rooms"],
        out=tmp_path / "run",
    )  # fmt: skip
    page = report.report(result)
    words = " ".join(Reader(page).words)
    found = result.metrics["test"]
    assert f"price: off by {number(found['mae'])} on average, R2 {number(found['r2'])}" in words
    for value in (found["rmse"], found["baseline"]["rmse"]):
        assert f" {number(value)} " in words
    assert "600 rows: 360 for training, 120 for validation, 120 for test." in words
    assert "Left out: rooms." in words and "Bonn, Graz, Kiel, Ulm" in words
    assert "size number" in " ".join(words.split()) and "40 to 220" in words
    for line in re.findall(
        r"^fastnet (?:predict|export) [^#\n]*", "\n".join(Reader(page).words), re.M
    ):
        words = shlex.split(line.replace("new.csv", str(new)).replace("predicted", "p"))[1:]
        done = CliRunner().invoke(cli.cli, [*words, *(["-o", "m.h"] if "export" in words else [])])
        assert done.exit_code == 0, done.output


def test_the_data_of_classes_folds_and_arrays_are_described(rng):
    X = rng.normal(size=(40, 2))
    classes = fastnet.train(X, np.where(X[:, 0] > 0, "up", "down"), n1=1, max_epochs=2)
    words = " ".join(Reader(report.report(classes)).words)
    assert "% right on the training rows" in words and "one of 2 classes (training rows" in words
    labels = fastnet.train(X, (X > 0).astype(int), loss="binary_cross_entropy", n1=1, max_epochs=2)
    assert "All 2 labels right in" in " ".join(Reader(report.report(labels)).words)
    several = fastnet.train(X, X, n1=1, max_epochs=2, folds=2)
    words = " ".join(Reader(report.report(several)).words)
    assert ", the mean of 2 targets, on the validation rows" in words
    assert "The training rows are divided into 2 folds." in words
    wide = fastnet.train(rng.normal(size=(20, 120)), X[:20, 0], n1=1, max_epochs=2)
    assert "The first 100 of 120 columns." in " ".join(Reader(report.report(wide)).words)


def test_charts_fit_the_width_of_their_place(sweep):
    specs = {f.name: f.chart(sweep, theme="css").to_dict(validate=False) for f in
             figures.applying(sweep)}  # fmt: skip
    assert sections.laid_out(specs["loss-curves"]) == 0
    assert specs["loss-curves"]["width"] == "container"
    assert sections.laid_out({"hconcat": [{"width": 300, "mark": "bar"}] * 3}) == 900
    assert sections.laid_out({"vconcat": [{"width": 300, "mark": "bar"}] * 3}) == 300
    assert sections.laid_out({"facet": {"row": {}}, "spec": {"width": 200, "mark": "bar"}}) == 200
    small = {"mark": "bar", "width": 200, "encoding": {"color": {"legend": {"columns": 1}}}}
    assert sections.laid_out(small) == 0 and small["width"] == 200
    legend = small["encoding"]["color"]["legend"]
    assert legend == {"columns": sections.LEGEND_COLUMNS, "orient": "bottom"}


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (apt-get install chromium)")
def test_a_narrow_screen_shows_the_whole_report_without_a_complaint(sweep, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    report.save(sweep, tmp_path / "r.html", derivation=True)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 400, "height": 800})
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto((tmp_path / "r.html").as_uri())
        page.locator("svg.marks").last.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 400
        boxes = [mark.bounding_box() for mark in page.locator("svg.marks").all()]
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= 400 for box in boxes)
        assert not said
        browser.close()


def test_the_report_says_how_wide_intervals_are_and_how_often_they_hold(rng, tmp_path):
    X = rng.normal(size=(200, 2))
    frame = pandas.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": X[:, 0] + rng.normal(0, 0.3, 200)})
    frame.assign(kind=np.where(frame["y"] > 0, "up", "down")).to_csv(tmp_path / "t.csv")
    given = {"data": tmp_path / "t.csv", "features": ["a", "b"], "n1": 2, "max_epochs": 30}
    result = fastnet.train(target="y", test_fraction=0.2, **given)
    found = " ".join(Reader(report.report(result)).words)
    half = result.calibration.quantile(0.9)[0]
    assert f"90 % intervals (predict --interval 0.9): y +- {number(half)}. On the test" in found
    told = fastnet.evaluate(result.model(), frame.iloc[result.split["test"]], interval=0.9)
    assert f"hold {100 * told['interval']['coverage']:.3g} % of the targets" in found
    kinds = fastnet.train(target="kind", **given)
    found = " ".join(Reader(report.report(kinds)).words)
    assert "90 % sets (predict --interval 0.9) have the classes of a probability of at" in found
    assert "Test rows would show how often they hold (--test-fraction)." in found
    few = fastnet.train(X, X[:, 0], n1=2, max_epochs=3, validation_fraction=0.04)
    assert "90 %" not in " ".join(Reader(report.report(few)).words)


def test_the_derivation_comes_when_asked_for_with_links_that_lead_somewhere(sweep):
    page = report.report(sweep, derivation=True)
    assert b"The gradients, derived" in page
    assert b"The gradients, derived" not in report.report(sweep)
    loads = Reader(page).loads
    places = set(re.findall(r'<h\d id="([^"]*)"', page.decode()))
    inside = [link[1:] for link in loads if link.startswith("#")]
    assert len(inside) > 5 and set(inside) <= places
    assert all(link.startswith(("#", "https://")) for link in loads)


def test_texts_of_a_run_are_escaped(tmp_path):
    evil = "</script><script>alert(1)</script>"
    X = pandas.DataFrame({evil: np.linspace(-1, 1, 20)})
    result = fastnet.sweep(X, np.repeat([evil, "b"], 10), n1=2, max_epochs=5)
    page = report.report(result._replace(run=f"/{evil}<b>"))
    assert b"<script>alert" not in page and b"<b>" not in page
    assert "<" not in chart_tag({"title": evil}).split(">", 3)[3].split("</script>")[0]


def test_the_command_gives_the_same_run_again(sweep):
    line = again.repeat_command(sweep)
    expected = "--task 1 --n1 2,3 --seeds 4, --clip-norm 1,none --max-epochs 30 --samples 30"
    expected += " --optimizer sgd"
    assert set(shlex.split(line)) == {"fastnet", "sweep", *expected.split()}
    found = {}
    words = shlex.split(line)[2:]
    for flag, value in zip(words[::2], words[1::2]):
        found[flag] = value
    context = cli.cli.commands["sweep"].make_context("sweep", shlex.split(line)[2:])
    given = {n: v for n, v in context.params.items() if v is not None and n in sweep.options}
    assert given == {n: sweep.options[n] for n in given}
    assert set(again.chosen(sweep.task, "sweep", sweep.options)) == set(given)


def test_the_report_of_folds_names_the_command_for_all_rows():
    X = np.linspace(-1, 1, 40)
    result = fastnet.sweep(X, X**2, n1=[1, 2], max_epochs=4, folds=4)
    page = report.report(result).decode()
    assert "Over 4 folds (mean +- standard deviation): validation loss" in page
    assert (
        "The best member was trained on 30 of 40 rows, those of its fold. To train its setting"
        in page
    )
    assert f"<pre>{again.refit_command(result)}</pre>" in page
    assert "its fold" not in report.report(fastnet.train(X, X, n1=1, max_epochs=2)).decode()


def test_the_command_of_own_data_is_the_python_call():
    X = np.linspace(-1, 1, 20)
    result = fastnet.train(X, X, n1=[1, 2], seeds=3, max_epochs=4)
    call = "fastnet.train(X, y, n1=[1, 2], seeds=[0, 1, 2], max_epochs=4)"
    assert again.repeat_command(result) == call


def test_the_command_writes_the_file_or_nothing(sweep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep.save("run")
    done = CliRunner().invoke(cli.cli, ["report", "run"])
    assert done.stdout == "report.html\n"
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!DOCTYPE html>")
    (tmp_path / "report.html").write_text("mine")
    failed = CliRunner().invoke(cli.cli, ["report", "run"])
    assert "report.html exists; name another file" in str(failed.exception)
    assert (tmp_path / "report.html").read_text() == "mine"
    assert CliRunner().invoke(cli.cli, ["report", "run", "--force"]).exit_code == 0
    assert (tmp_path / "report.html").read_bytes().startswith(b"<!DOCTYPE html>")
    failed = CliRunner().invoke(cli.cli, ["report", "run", "-o", "nowhere/a.html"])
    assert isinstance(failed.exception, FastnetError)
    assert "nowhere/a.html cannot be written" in str(failed.exception)
    as_json = CliRunner().invoke(cli.cli, ["report", "run", "-o", "b.html", "--json"])
    assert json.loads(as_json.stdout)["file"] == "b.html"


def test_a_run_with_snapshots_is_played_back(sweep, tmp_path):
    given = {"samples": 30, "n1": [2, 3], "max_epochs": 30, "optimizer": "sgd"}
    result = fastnet.sweep(task=1, **given, out=tmp_path / "run")
    page = report.report(result)
    assert page.count(b">How it learned</h2>") == page.count(b"class Player") == 1
    assert b"How it learned" not in report.report(sweep)
    reader = Reader(page)
    assert all(link.startswith("#") for link in reader.loads)
