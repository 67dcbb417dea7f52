"""The text of fastnet inspect, in 80 columns."""

import textwrap

from fastnet.cli.echo import echo
from fastnet.results.words import counted

WIDTH = 80
MOST = 24  # columns that are shown, of those without remarks the first
NAME, KIND, CONTENT, TREATMENT = 18, 6, 25, 19  # widths
SETS = {"train": "train", "val": "validate", "test": "test"}


def show(found):
    """Print what was found: facts, columns, problems, remarks."""
    echo(first_line(found))
    remarked = {name for remark in found["remarks"] for name in remark["columns"]}
    shown = chosen(found["columns"], remarked)
    echo("")
    echo(row("column", "kind", "missing", "values", "in training"))
    for facts in shown:
        echo(row(*cells(facts)))
    if len(shown) < len(found["columns"]):
        left = len(found["columns"]) - len(shown)
        echo(f"... and {counted(left, 'column')} without remarks (--json has all)")
    messages = [remark["message"] for remark in found["remarks"]]
    sections = {
        "Problems, with which training refuses the table:": found["problems"],
        "Remarks:": messages,
        "Notices:": found["notices"],
    }
    for title, texts in sections.items():
        if texts:
            echo(f"\n{title}")
            for text in texts:
                echo(textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  "))
    if not found["target"]:
        echo("\nName what to predict with --target to see what training would do.")
    elif not found["problems"] and not messages:
        echo("\nThere are no remarks.")


def first_line(found):
    """Rows, columns, and what training would have."""
    sizes = f"{counted(found['rows'], 'row')}, {counted(len(found['columns']), 'column')}"
    text = f"{found['table']}: {sizes}, {counted(found['inputs'], 'input')}"
    if found["sets"]:
        sets = [
            f"{found['sets'][name]:,} {word}" for name, word in SETS.items() if found["sets"][name]
        ]
        text += f"; loss {found['loss']}; {', '.join(sets)}"
    return textwrap.fill(text, WIDTH, subsequent_indent="  ")


def chosen(columns, remarked):
    """The columns to show: the targets, those with remarks or not taken as they are, the first."""
    if len(columns) <= MOST:
        return columns
    plain = ("input", "not used")
    odd = [c["column"] in remarked or c["treatment"] not in plain for c in columns]
    room = max(MOST - sum(odd), MOST // 2)
    first = [not remarkable for remarkable in odd]
    kept, places = set(), [i for i, is_plain in enumerate(first) if is_plain][:room]
    kept |= {*places, *[i for i, remarkable in enumerate(odd) if remarkable][:MOST]}
    return [columns[i] for i in sorted(kept)]


def row(name, kind, missing, content, treatment):
    """A line of the table."""
    first = f"{cut(name, NAME):{NAME}} {cut(kind, KIND):{KIND}} {missing:>7}"
    return f"{first}  {cut(content, CONTENT):{CONTENT}} {cut(treatment, TREATMENT)}".rstrip()


def cut(text, width):
    """A text of at most so many characters on one line."""
    text = " ".join(str(text).split())
    return text if len(text) <= width else text[: width - 3] + "..."


def cells(facts):
    """The cells of a column's line."""
    missing = f"{facts['missing']:,}" if facts["missing"] else "-"
    return facts["column"], facts["kind"], missing, content(facts), facts["treatment"]


def content(facts):
    """What a column holds, in words."""
    if facts["low"] is not None:
        span = f"{facts['low']:.6g} to {facts['high']:.6g}"
        full = f"{span}, mean {facts['mean']:.3g}"
        return full if len(full) <= CONTENT else span
    levels = ", ".join(f"{level} {count:,}" for level, count in (facts["levels"] or {}).items())
    return f"{facts['distinct']:,}: {levels}"
