"""What a network looks at: a part of the report, and a page of its own."""

from fastnet import figures
from fastnet.errors import UsageError
from fastnet.figures import style
from fastnet.figures.html import chart_tag, page, table_tag, text
from fastnet.report.style import STYLE
from fastnet.results import explained as words_of


def explained(result):
    """The tables of what the best network looks at, if the rows of the run are there."""
    if figures.FIGURES["importance"].obstacle(result):
        return ""
    found = figures.explain.explained(result)
    return explained_tables(found)


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
