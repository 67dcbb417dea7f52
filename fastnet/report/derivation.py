"""The derivation of the gradients as a part of the report, its formulas as MathML."""

import re
from importlib.resources import files


def section():
    """docs/derivation.md as HTML."""
    source = (files("fastnet.data") / "datasets" / "derivation.txt").read_text(encoding="utf-8")
    return f"<section>{markdown(source)}</section>"


def markdown(source):
    """Markdown as HTML with an id for every heading; links to other files become plain text."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    made = reader.use(dollarmath_plugin, renderer=formula).render(source)
    made = re.sub(r'<a href="(?!#|https?:)[^"]*">(.*?)</a>', r"\1", made)
    return re.sub(r"<h([1-5])>(.*?)</h\1>", heading, made)


def formula(latex, options):
    """A formula as MathML."""
    from latex2mathml.converter import convert

    return convert(latex, display="block" if options.get("display_mode") else "inline")


def heading(match):
    """The heading one level lower, with the id that the page's own links use."""
    level, name = int(match[1]) + 1, re.sub(r"<.*?>", "", match[2])
    place = re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")
    return f'<h{level} id="{place}">{match[2]}</h{level}>'
