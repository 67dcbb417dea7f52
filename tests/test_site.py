"""The documentation as a site: it builds without a warning and asks the network for nothing."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import fastnet

ROOT = Path(fastnet.__file__).parents[1]
NEVER_LOADED = {"canonical", "next", "prev", "search", "edit"}  # links of a head, never fetched


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    line = [sys.executable, "-m", "mkdocs", "--quiet", "build", "--strict", "--site-dir", folder]
    done = subprocess.run(line, cwd=ROOT, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Loads(HTMLParser):
    """The addresses that a page loads when it is opened, and what it draws."""

    def __init__(self):
        super().__init__()
        self.found, self.tags = [], set()

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.add(tag)
        if tag != "link" or not set((given.get("rel") or "").split()) & NEVER_LOADED:
            names = ("src", "srcset", "poster", "data", *(["href"] if tag == "link" else []))
            self.found += [given[name] for name in names if given.get(name)]


def loads(path):
    parser = Loads()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser


def test_no_page_asks_the_network(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        outside = [url for url in loads(page).found if re.match(r"(\w+:)?//", url)]
        assert not outside, (page.name, outside)
    for sheet in site.rglob("*.css"):
        urls = re.findall(r"(?:@import|url\()\s*[\"']?((?:\w+:)?//[^\"')]+)", sheet.read_text())
        assert not urls, (sheet.name, urls)


def test_quoted_code_and_docstrings_are_there(site):
    assert "fastnet/reference/network.py" in (site / "derivation.html").read_text(encoding="utf-8")
    text = (site / "api.html").read_text(encoding="utf-8")
    assert "{options}" not in text and "{arguments}" not in text
    assert 'id="fastnet.api.sweep"' in text and "learning_rate" in text


def test_formulas_are_mathml(site):
    text = (site / "derivation.html").read_text(encoding="utf-8")
    assert text.count("<math") > 50 and "arithmatex" not in text
    for page in site.rglob("*.html"):
        outside = re.sub(
            r"<(pre|code)\b.*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL
        )
        assert not re.search(r"\$[^$<\n]*\\[a-z]+|<mi>(&amp;|&)</mi>", outside), page.name


def test_the_search_works_from_the_disk(site):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto((site / "start.html").as_uri())
        page.get_by_role("textbox", name="Search").fill("halving")
        page.get_by_text(re.compile(r"\d+ matching documents")).wait_for()
        page.locator(".md-search-result__link", has_text="Searching many settings").first.click()
        page.wait_for_url(re.compile(r"/pruning\.html"))
        browser.close()
