"""Write the pictures of page and playback in docs/images: python scripts/make_screenshots.py.

Needs the extras [ui] and [test], and Debian's chromium. Not part of the tests: the pictures change
with every font and every version of Streamlit.
"""

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH = 1100
PROGRAM = [sys.executable, "-m", "fastnet"]
RUNS = {  # each a command line, by the name of its run
    "sine": "sweep --task 1",
    "houses": "sweep --data houses.csv --target price --n1 1,2,4,8 --seeds 4 --test-fraction 0.2",
    "flowers": "train --data flowers.csv --target species --test-fraction 0.2",
}
PICTURES = {"page-run": ("?view=runs&run=sine", 760), "page-runs": ("?view=runs", 360)}


def main():
    """Train the runs, serve the page, and take a picture of each view."""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        train(place)
        browser = driver.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        with serving(place) as address:
            for name, (query, height) in PICTURES.items():
                page = browser.new_page(viewport={"width": WIDTH, "height": height})
                page.goto(address + query)
                page.get_by_role("heading", level=1).wait_for()
                page.wait_for_timeout(5000)  # charts and tables are drawn after the text
                page.screenshot(path=IMAGES / f"{name}.png")
        take_playback(browser, Path(place))
        browser.close()


def take_playback(browser, place):
    """A picture of the film of a sine that is being learnt."""
    line = "plot runs/sine --figure playback -o playback.html"
    subprocess.run([*PROGRAM, *line.split()], cwd=place, check=True)
    page = browser.new_page(viewport={"width": WIDTH, "height": 480})
    page.goto((place / "playback.html").as_uri())
    page.get_by_role("button", name="Best").click()
    page.wait_for_timeout(1000)
    page.screenshot(path=IMAGES / "playback.png", full_page=True)


def train(place):
    """The runs that the pictures show."""
    for name in ("houses", "flowers"):
        subprocess.run([*PROGRAM, "example", name], cwd=place, check=True)
    for name, line in RUNS.items():
        command = [*PROGRAM, *line.split(), "--quiet", "--out", f"runs/{name}"]
        subprocess.run(command, cwd=place, check=True)


@contextlib.contextmanager
def serving(place):
    """The page for the runs in a folder; its address."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*PROGRAM, "ui", "--no-browser", "--port", str(port)], cwd=place)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urlopen(f"http://localhost:{port}/_stcore/health").close()
                break
            time.sleep(0.2)
        yield f"http://localhost:{port}/"
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
