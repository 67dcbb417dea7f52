"""The report of a run: one HTML file with the answer, tables, figures and how to repeat it."""

import re
import shlex
from importlib.resources import files
from pathlib import Path

from fastnet import figures
from fastnet.errors import UsageError
from fastnet.figures import style
from fastnet.figures.base import finding
from fastnet.figures.html import chart_tag, page, table_tag, text
from fastnet.figures.style import INK, LINE, PAPER, SOFT
from fastnet.files import write_bytes
from fastnet.options.table import OPTIONS
from fastnet.results import answer, variance, verdict, words
from fastnet.results import explained as words_of
from fastnet.results.again import refit_command, repeat_command
from fastnet.results.ensemble import interval_of_run

MOST_ROWS = 200  # most rows of the table by N1


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
        If the extra [plot] is not installed.

    Examples
    --------
    >>> import fastnet
    >>> from fastnet.report import report
    >>> result = fastnet.sweep(task=1, n1=[2, 4], seeds=2, max_epochs=20)
    >>> report(result)[:15]
    b'<!DOCTYPE html>'
    """
    title = finding(result)
    parts = [head(result, title), scores(result), tables(result)]
    parts += [explained(result), all_figures(result), how_to_repeat(result)]
    if derivation:
        parts.append(derivation_section())
    return page(f"{title} - fastnet", STYLE, "\n".join(parts))


def save(result, path, derivation=False):
    """Write the report to a file, whole or not at all."""
    write_bytes(path, report(result, derivation))


# ---------------------------------------------------------------- parts


def head(result, title):
    """The title, the run in one line, and the answer."""
    lines = [f"<h1>{text(title)}</h1>", f'<p class="soft">{text(run_line(result))}</p>']
    if result.command != "train":
        sentence = answer.sentence(result.members, result.options)
        lines.append(f'<p class="answer">{text(sentence)}</p>')
    lines.append(f"<p>{text(words.best_line(result))} {text(words.answer_line(result))}</p>")
    if result.folds:
        lines.append(f"<p>{text(words.folds_line(result))}</p>")
    return "\n".join([*lines, *(f"<p>{text(notice)}</p>" for notice in result.notices)])


def run_line(result):
    """The run's name, command, data, size and time."""
    data = result.options["data"] or "own data"
    facts = [
        Path(result.run).name if result.run else "a run in memory",
        f"fastnet {result.command}",
        f"task {result.task}" if result.task else data,
        words.counted(len(result.members), "member"),
        f"{words.seconds(result.seconds['train'])} of training",
    ]
    if result.status != "done":
        facts.append(result.status)
    return " · ".join(facts)


def scores(result):
    """The metrics of the best member in the units of the data, beside those of the baseline."""
    if not result.metrics:
        return ""
    judging = verdict.judge(result.metrics)
    found, rows = result.metrics[judging], f"{verdict.JUDGES[judging]} rows"
    parts = [
        "<h2>How good it is</h2>",
        table_tag(*words.metric_cells(result.metrics, result.targets)),
        f'<p class="soft">{text(words.baseline_line(found))}</p>',
    ]
    title, each = words.parts_of(found)
    if each:
        parts += [f"<p>Each {title}, on the {rows}:</p>", table_tag(*words.class_cells(found))]
    if result.thresholds is not None:
        parts.append(f"<p>{text(words.threshold_line(result))}</p>")
    held = interval_of_run(result)
    if held:
        told = words.interval_sentences(held, result.targets, result.classes)
        parts.append(f"<p>{text(told)}</p>")
    return "\n".join(parts)


def tables(result):
    """The table by N1 and the best members."""
    header, rows = words.by_n1_cells(result)
    parts = ["<h2>By N1</h2>", table_tag(header, rows[:MOST_ROWS])]
    if len(rows) > MOST_ROWS:
        parts.append(f'<p class="soft">The first {MOST_ROWS} of {len(rows)} widths.</p>')
    if by_setting := result.by_setting():
        title = "<h2>By setting</h2>"
        parts += [title, table_tag(*words.by_setting_cells(result, by_setting[:MOST_ROWS]))]
        parts.append(f"<p>{text(variance.sentence(result.members, result.options))}</p>")
    parts += ["<h2>The best members</h2>", table_tag(*words.best_cells(result, 10))]
    return "\n".join(parts)


def all_figures(result):
    """The figures that apply, in the page's own colours."""
    parts = ["<h2>Figures</h2><noscript><p>The figures need JavaScript.</p></noscript>"]
    for figure in figures.applying(result):
        spec = figure.chart(result, theme="css").to_dict(validate=False)
        caption = f"<figcaption>{text(figure.name)}: {text(figure.help)}</figcaption>"
        parts.append(f"<figure>{chart_tag(spec)}{caption}</figure>")
    return "\n".join(parts)


def how_to_repeat(result):
    """The command, the environment and all options."""
    options = [(name, OPTIONS[name].typed(value)) for name, value in result.options.items()]
    folds_again = []
    if result.folds:
        command = f"<pre>{text(refit_command(result))}</pre>"
        folds_again = [f"<p>{text(words.refit_line(result))}</p>", command]
    return "\n".join(
        [
            "<h2>Repeat it</h2>",
            f"<pre>{text(repeat_command(result))}</pre>",
            "<p>In the environment below it gives the same bytes.</p>",
            *folds_again,
            text_table(("environment", ""), environment_rows(result.environment)),
            "<details><summary>All options, as resolved</summary>",
            text_table(("option", "value"), options),
            "</details>",
        ]
    )


def text_table(header, rows):
    """A table of texts: aligned to the left, wrapped."""
    return table_tag(header, rows).replace("<table>", '<table class="left">')


def environment_rows(facts):
    """Names and values of the facts that decide the bytes of a run."""
    cpu, blas = facts["cpu"], facts["blas"]
    return [
        *((f"{name} version", version) for name, version in facts["versions"].items()),
        ("processor", f"{cpu['name']} ({cpu['machine']})"),
        ("processor features", " ".join(cpu["features"])),
        ("BLAS", f"{blas['name']} {blas['version']}, core {blas['core']}"),
        ("threads", facts["threads"]),
        ("variables", " ".join(f"{n}={v}" for n, v in facts["variables"].items()) or "none set"),
        ("SHA-256 of the data", facts["data_sha256"]),
        ("as it was called", shlex.join(facts["command_line"])),
    ]


# ---------------------------------------------------------------- an explanation


def explained(result):
    """The tables of what the best network looks at, if the rows of the run are there."""
    if figures.FIGURES["importance"].obstacle(result):
        return ""
    found = figures.explain.explained(result)
    return f"<h2>What it looks at</h2>\n{explained_tables(found)}"


def explained_tables(found):
    """The sentences, tables and notices of a document of fastnet.explain."""
    rest = words_of.rest_line(found, "fastnet explain --json has all")
    notes = [*found["notices"], *([rest] if rest else [])]
    return "\n".join(
        [
            f"<p>{text(words_of.importance_line(found))}</p>",
            table_tag(*words_of.importance_cells(found)),
            f"<p>{text(words_of.sensitivity_line(found))}</p>",
            table_tag(*words_of.sensitivity_cells(found)),
            *(f'<p class="soft">{text(note)}</p>' for note in notes),
        ]
    )


def explanation(found):
    """A document of fastnet.explain as the bytes of an HTML page with its figures."""
    style.require_altair()
    charts = [figures.explain.importance_bars(figures.explain.importance_of(found))]
    if found["dependence"]:
        charts.append(figures.explain.dependence_panels(figures.explain.dependence_of(found)))
    specs = [style.themed(chart, "css").to_dict(validate=False) for chart in charts]
    title = f"What {found.get('model', 'the network')} looks at"
    parts = [f"<h1>{text(title)}</h1>", *(f"<figure>{chart_tag(spec)}</figure>" for spec in specs)]
    return page(title, STYLE, "\n".join([*parts, explained_tables(found)]))


def refuse_ending(path):
    """Raise a UsageError unless a path ends as a page or a document of an explanation."""
    if not str(path).endswith((".html", ".json")):
        raise UsageError(f"-o: the file must end in .html or .json, got {str(path)!r}.")


# ---------------------------------------------------------------- the derivation


def derivation_section():
    """docs/derivation.md as HTML."""
    source = (files("fastnet.data") / "datasets" / "derivation.txt").read_text(encoding="utf-8")
    return f"<section>{markdown(source)}</section>"


def markdown(source):
    """Markdown as HTML with an id for every heading; links to other files become plain text."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(source)
    made = re.sub(r'<a href="(?!#|https?:)[^"]*">(.*?)</a>', r"\1", made)
    return re.sub(r"<h([1-5])>(.*?)</h\1>", heading, made)


def heading(match):
    """The heading one level lower, with the id that the page's own links use."""
    level, name = int(match[1]) + 1, re.sub(r"<.*?>", "", match[2])
    place = re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")
    return f'<h{level} id="{place}">{match[2]}</h{level}>'
