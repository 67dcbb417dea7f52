"""The report: self-contained, escaped, complete, and a command that gives the run again."""

import json
import re
import shlex
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
from fastnet.results import again
from fastnet.results.words import number

pytest.importorskip("altair", reason="charts need the extra [plot]")
pytest.importorskip("vl_convert", reason="the scripts in the file come from the extra [plot]")


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
    titles = [spec["title"]["text"] for spec in read.charts]
    assert len(titles) == len(figures.applying(sweep)) and all(titles)
    assert read.loads == []
    assert len(page) < 5e6


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
    context = cli.sweep.make_context("sweep", shlex.split(line)[2:])
    given = {n: v for n, v in context.params.items() if v is not None and n in sweep.options}
    assert given == {n: sweep.options[n] for n in given}
    assert set(again.chosen(sweep, "sweep", sweep.options)) == set(given)


def test_the_report_of_folds_names_the_command_for_all_rows():
    X = np.linspace(-1, 1, 40)
    result = fastnet.sweep(X, X**2, n1=[1, 2], max_epochs=4, folds=4)
    page = report.report(result).decode()
    assert "Over 4 folds (mean +- standard deviation): validation loss" in page
    assert "The best member saw 30 of 40 rows, those of its fold. To train its setting" in page
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
