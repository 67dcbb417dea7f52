"""docs/derivation.md inside the page, section by section; it ships with the package."""

import re
from functools import cache
from importlib.resources import files


@cache
def sections():
    """The text of each numbered section by its heading."""
    source = (files("fastnet.data") / "datasets" / "derivation.txt").read_text(encoding="utf-8")
    parts = re.split(r"^## (\d+\. .*)$", source, flags=re.MULTILINE)
    return {heading: readable(text) for heading, text in zip(parts[1::2], parts[2::2])}


def readable(text):
    """The text without links to other files, which the page cannot open; quotes name their file."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"^```python \((.*)\)$", r"`fastnet/\1`\n\n```text", text, flags=re.MULTILINE)
