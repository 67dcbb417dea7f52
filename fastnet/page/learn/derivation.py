"""docs/derivation.md inside the page, section by section; it ships with the package."""

import re
from functools import cache
from importlib.resources import files

DISPLAY = re.compile(r"^\$\$\n(.*?)\n\$\$$", re.MULTILINE | re.DOTALL)
ARRAY = re.compile(r"\\begin\{array\}\{\w+\}\n(.*)\n\\end\{array\}", re.DOTALL)

GAP = " \N{EM SPACE}"


@cache
def sections():
    """The text of each numbered section by its heading."""
    source = (files("fastnet.data") / "datasets" / "derivation.txt").read_text(encoding="utf-8")
    parts = re.split(r"^## (\d+\. .*)$", source, flags=re.MULTILINE)
    return {heading: readable(text) for heading, text in zip(parts[1::2], parts[2::2])}


def readable(text):
    """The text without links to other files, which the page cannot open; quotes name their file."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"^```python \((.*)\)$", r"`fastnet/\1`\n\n```text", text, flags=re.MULTILINE)
    return DISPLAY.sub(wrapping, text)


def wrapping(display):
    """A displayed formula in paragraphs, one for each row; they wrap where the formula has gaps."""
    array = ARRAY.fullmatch(display[1])
    rows = re.split(r"\\\\\n", array[1].replace("&", " ")) if array else [display[1]]
    parts = [[" ".join(part.split()) for part in re.split(r"\\q?quad\b", row)] for row in rows]
    return "\n\n".join(GAP.join(rf"$\displaystyle {part}$" for part in row) for row in parts)
