"""Write the generated blocks of the documentation, or with --check say which are stale.

A block stands between <!-- NAME: begin --> and <!-- NAME: end -->. To add one, put the two
markers into a file and the name, the file and a function that returns the text into BLOCKS.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # document this checkout, not an installed fastnet


def table(header, rows):
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([cell.replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def functions():
    from fastnet.tasks import FUNCTIONS

    rows = [(f"`{f.name}`", f"`{f.formula}`", f.source) for f in FUNCTIONS.values()]
    return table(("name", "formula", "source"), rows)


BLOCKS = {
    "functions": ("docs/tasks.md", functions),
}


def replace_block(text, name, content):
    """The text with what stands between the markers of `name` replaced by content."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"expected {begin} and {end} once each")
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n{content}\n{end}{after}"


def main(check):
    stale = []
    for name, (file, generate) in BLOCKS.items():
        path = ROOT / file
        old = path.read_text(encoding="utf-8")
        new = replace_block(old, name, generate())
        if new != old:
            stale.append(f"{file}: {name}")
            if not check:
                path.write_text(new, encoding="utf-8")
    for block in stale:
        print(block, "is stale; run scripts/make_docs.py" if check else "written")
    return int(check and bool(stale))


if __name__ == "__main__":
    unknown = set(sys.argv[1:]) - {"--check"}
    sys.exit(f"unknown argument {unknown.pop()}" if unknown else main("--check" in sys.argv))
