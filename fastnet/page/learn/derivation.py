"""docs/derivation.md inside the page, section by section, where the installation has it."""

import re
from functools import cache
from importlib import metadata
from pathlib import Path

import fastnet

NAME = "derivation.md"


@cache
def sections():
    """The text of each numbered section by its heading; none if the file is not there."""
    file = place()
    if file is None:
        return {}
    parts = re.split(r"^## (\d+\. .*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {heading: readable(text) for heading, text in zip(parts[1::2], parts[2::2])}


def place():
    """The file: in the checkout, or among what was installed with the package."""
    beside = Path(fastnet.__file__).parents[1] / "docs" / NAME
    if beside.is_file():
        return beside
    try:
        files = metadata.files("fastnet-mlp") or []
    except metadata.PackageNotFoundError:
        return None
    found = [Path(str(file.locate())) for file in files if file.name == NAME]
    return found[0] if found and found[0].is_file() else None


def readable(text):
    """The text without links to other files, which the page cannot open, and with its quotes."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"^```python \((.*)\)$", r"`fastnet/\1`\n\n```python", text, flags=re.MULTILINE)
