"""Web pages in one file: charts with all scripts inside; nothing is loaded from a network."""

import functools
import html
import json

from fastnet.extras import missing_extra

# Draws every chart whose specification is in the page. As SVG: sharp in print, and colours that
# are CSS variables follow the page. The menu entry for the editor would send the data to a server.
DRAW = """
for (const element of document.querySelectorAll("script.chart")) {
  const options = {renderer: "svg", mode: "vega-lite",
    actions: {export: true, source: false, compiled: false, editor: false}};
  const place = element.parentElement.querySelector("div");
  vegaEmbed(place, JSON.parse(element.textContent), options).then(
    () => place.querySelector("summary")?.setAttribute("aria-label", "Save the figure"));
}
"""


def text(value):
    """Any text, safe in HTML."""
    return html.escape(str(value))


def chart_tag(spec):
    """A chart's specification, and the place where it is drawn.

    No text in it, such as the name of a column or a class, can end the script element.
    """
    safe = json.dumps(spec, allow_nan=False).replace("<", "\\u003c")
    return f'<div></div><script class="chart" type="application/json">{safe}</script>'


def table_tag(header, rows):
    """A table, which the keyboard can scroll; texts are escaped."""
    heads = (f'<th scope="col">{text(name)}</th>' if name else "<td></td>" for name in header)
    lines = ["<tr>" + "".join(heads) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{text(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return '<div class="wide" tabindex="0"><table>' + "\n".join(lines) + "</table></div>"


def page(title, style, body, charts=True):
    """The whole page as bytes."""
    script = f'<script type="module">{bundle()}</script>' if charts else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n{script}\n</body>\n</html>\n"
    ).encode()


def vl_convert():
    """The library that draws and bundles charts without a browser."""
    try:
        import vl_convert
    except ImportError:
        raise missing_extra("files of figures need vl-convert-python", "plot") from None
    return vl_convert


@functools.cache  # it takes 2 s
def bundle():
    """Vega, Vega-Lite and Vega-Embed with DRAW, as one script (0.9 MB)."""
    return vl_convert().javascript_bundle(snippet=DRAW)
