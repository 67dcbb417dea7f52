"""What tests of the page do with runs, and read from a view that ran without a browser."""

import html
import re
import signal


def interrupt(where):
    """Progress that ends a run as Ctrl-C does, after the first round."""
    if where.stage == "train":
        signal.raise_signal(signal.SIGINT)


def checked(app):
    """The page, which shows no traceback."""
    assert not app.exception, app.exception
    return app


def errors(app):
    """What the page says went wrong, one line each."""
    lines = [error.value.replace("\\", "") for error in app.error]
    assert not any("\n" in line for line in lines)
    return lines


def table(app, place=0):
    """A small table of the page: a dict of the texts of each row, by the titles of columns."""
    bodies = [element.proto.body for element in app.get("html")]
    body = [text for text in bodies if "<table" in text][place]
    rows = re.findall(r"<tr>(<td.*?)</tr>", body)
    cells = [re.findall(r'<td data-label="(.*?)"[^>]*>(.*?)</td>', row) for row in rows]
    return [{html.unescape(name): html.unescape(text) for name, text in row} for row in cells]


def opened_tab(page, folder, name, tab, **address):
    """A run's page with one of its tabs open."""
    app = page(folder, view="runs", run=name, **address)
    app.session_state["tab"] = tab
    return checked(app.run())
