"""The report of a run: one HTML file with the answer, tables, figures and how to repeat it."""

import re
import shlex
from importlib.resources import files
from pathlib import Path

from fastnet import figures
from fastnet.figures.base import INK, LINE, PAPER, SOFT, finding, write
from fastnet.figures.html import chart_tag, page, table_tag, text
from fastnet.options.defaults import defaults, defaults_beside
from fastnet.options.table import OPTIONS
from fastnet.results import answer, words

ROWS = 200  # at most so many lines of a table


def variables(theme):
    """The colours of a theme as CSS variables; figures in theme css use them."""
    names = {"ink": INK, "soft": SOFT, "line": LINE, "paper": PAPER}
    return " ".join(f"--{name}: {colours[theme]};" for name, colours in names.items())


STYLE = f"""
:root {{ color-scheme: light dark; {variables("light")} }}
@media (prefers-color-scheme: dark) {{ :root {{ {variables("dark")} }} }}
@media print {{ :root {{ {variables("light")} }} details, figure {{ break-inside: avoid; }} }}
body {{ max-width: 60rem; margin: 2rem auto; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.7rem; line-height: 1.25; }}
h2 {{ margin-top: 2.5rem; border-bottom: 1px solid var(--line); }}
.answer {{ font-size: 1.15rem; }}
.soft, figcaption {{ color: var(--soft); }}
figure {{ margin: 1.5rem 0; overflow-x: auto; }}
figure .vega-embed {{ padding-right: 38px; }}
figure svg.marks {{ max-width: 100%; min-width: 30rem; height: auto; }}
.vega-embed .vega-bind {{ color: var(--soft); }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .15rem .6rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }}
th {{ color: var(--soft); font-weight: normal; }}
table.left td, table.left th {{ text-align: left; white-space: normal; word-break: break-word; }}
table.left td:first-child {{ white-space: nowrap; vertical-align: top; }}
pre {{ background: color-mix(in srgb, var(--line) 45%, transparent); padding: .7rem;
  overflow-x: auto; white-space: pre-wrap; word-break: break-word; font-size: .85rem; }}
"""


def report(result, derivation=False):
    """The report of a Result as the bytes of an HTML page.

    Parameters
    ----------
    result : Result
    derivation : bool
        Append the derivation of the gradients, for teaching.

    Returns
    -------
    bytes
        One page that needs no network: the answer, tables, the figures that apply, and the
        command and environment to repeat the run.

    Raises
    ------
    FastnetError
        when the extra [plot] is not installed.

    Examples
    --------
    >>> import fastnet
    >>> from fastnet.report import report
    >>> result = fastnet.sweep(task=1, n1=[2, 4], seeds=2, max_epochs=20)
    >>> report(result)[:15]
    b'<!DOCTYPE html>'
    """
    title = finding(result)
    parts = [head(result, title), tables(result), drawn(result), repeat(result)]
    if derivation:
        parts.append(derived())
    return page(f"{title} - fastnet", STYLE, "\n".join(parts))


def save(result, path, derivation=False):
    """Write the report to a file, whole or not at all."""
    write(path, report(result, derivation))


# ---------------------------------------------------------------- parts


def head(result, title):
    """What came out, first."""
    members = result.members
    name = Path(result.run).name if result.run else "a run in memory"
    task = f"task {result.task}" if result.task else result.options["data"] or "own data"
    facts = [name, f"fastnet {result.command}", task, words.counted(len(members), "member")]
    facts.append(f"{words.seconds(result.seconds['train'])} of training")
    if result.status != "done":
        facts.append(result.status)
    lines = [f"<h1>{text(title)}</h1>", f'<p class="soft">{text(" · ".join(facts))}</p>']
    if result.command == "sweep":
        lines.append(f'<p class="answer">{text(answer.sentence(members, result.options))}</p>')
    return "\n".join([*lines, f"<p>{text(words.best_line(result))}</p>"])


def tables(result):
    """The table by N1 and the best members."""
    header, rows = words.by_n1_cells(result)
    parts = ["<h2>By N1</h2>", table_tag(header, rows[:ROWS])]
    if len(rows) > ROWS:
        parts.append(f'<p class="soft">The first {ROWS} of {len(rows)} widths.</p>')
    parts += ["<h2>The best members</h2>", table_tag(*words.best_cells(result, 10))]
    return "\n".join(parts)


def drawn(result):
    """The figures that apply, in the page's own colours."""
    parts = ["<h2>Figures</h2><noscript><p>The figures need JavaScript.</p></noscript>"]
    for figure in figures.applying(result):
        spec = figure.chart(result, theme="css").to_dict(validate=False)
        caption = f"<figcaption>{text(figure.name)}: {text(figure.help)}</figcaption>"
        parts.append(f"<figure>{chart_tag(spec)}{caption}</figure>")
    return "\n".join(parts)


def repeat(result):
    """The command, the environment and all options."""
    facts = result.environment
    rows = [(f"{name} version", version) for name, version in facts["versions"].items()]
    cpu, blas = facts["cpu"], facts["blas"]
    rows += [
        ("processor", f"{cpu['name']} ({cpu['machine']})"),
        ("processor features", " ".join(cpu["features"])),
        ("BLAS", f"{blas['name']} {blas['version']}, core {blas['core']}"),
        ("threads", facts["threads"]),
        ("variables", " ".join(f"{n}={v}" for n, v in facts["variables"].items()) or "none set"),
        ("SHA-256 of the data", facts["data_sha256"]),
        ("as it was called", shlex.join(facts["command_line"])),
    ]
    options = [(name, shown(value)) for name, value in result.options.items()]
    left = '<table class="left">'
    return "\n".join(
        [
            "<h2>Repeat it</h2>",
            f"<pre>{text(repeat_command(result))}</pre>",
            "<p>In the environment below it gives the same bytes.</p>",
            table_tag(("environment", ""), rows).replace("<table>", left),
            "<details><summary>All options, as resolved</summary>",
            table_tag(("option", "value"), options).replace("<table>", left),
            "</details>",
        ]
    )


# ---------------------------------------------------------------- the command


def shown(value):
    """An option's value, exactly, as typed: 1:20, 0.1,0.3, none."""
    if isinstance(value, tuple):
        whole = len(value) > 2 and all(type(v) is int for v in value)
        if whole and value == tuple(range(value[0], value[-1] + 1)):
            return f"{value[0]}:{value[-1]}"
        return ",".join(map(shown, value))
    return "none" if value is None else str(value)


def chosen(result):
    """The options that differ from the defaults of the command and task."""
    usual = defaults(result.command, result.task)
    changed = {n: value for n, value in result.options.items() if value != usual[n]}
    usual = defaults_beside(changed, result.command, result.task)
    return {n: value for n, value in result.options.items() if value != usual[n]}


def repeat_command(result):
    """The command line, or for data of one's own the Python call, that gives this run again."""
    given = chosen(result)
    if result.task is None and result.options["data"] is None:
        arguments = ["X", "y", *(f"{name}={plain(value)!r}" for name, value in given.items())]
        return f"fastnet.{result.command}({', '.join(arguments)})"
    words = ["fastnet", result.command]
    words += ["--task", str(result.task)] if result.task else []
    for name, value in given.items():
        if value is True:
            words.append(OPTIONS[name].flag)
        else:
            typed = seeds(value) if name == "seeds" else shown(value)
            words += [OPTIONS[name].flag, typed]
    return shlex.join(words)


def plain(value):
    """A tuple as the list that people write."""
    return list(value) if isinstance(value, tuple) else value


def seeds(values):
    """Seeds as typed: a count of those from 0 on, else a list."""
    if values == tuple(range(len(values))):
        return str(len(values))
    return ",".join(map(str, values)) + "," * (len(values) == 1)


# ---------------------------------------------------------------- the derivation


def derived():
    """docs/derivation.md as HTML."""
    source = (files("fastnet.data") / "datasets" / "derivation.txt").read_text(encoding="utf-8")
    return f"<section>{markdown(source)}</section>"


def markdown(source):
    """Markdown as HTML whose headings can be linked to; links to other files lose their target."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(source)
    made = re.sub(r'<a href="(?!#|https?:)[^"]*">(.*?)</a>', r"\1", made)
    return re.sub(r"<h([1-5])>(.*?)</h\1>", heading, made)


def heading(match):
    """One level lower, with the id by which the page's own links name it."""
    level, name = int(match[1]) + 1, re.sub(r"<.*?>", "", match[2])
    place = re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")
    return f'<h{level} id="{place}">{match[2]}</h{level}>'
