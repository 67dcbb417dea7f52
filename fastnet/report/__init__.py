"""The report of a run: one HTML file with the answer, tables, figures and how to repeat it."""

from fastnet.figures.html import page, text
from fastnet.files import write_bytes
from fastnet.report import about, sections
from fastnet.report.derivation import section as derivation_section
from fastnet.report.explained import explained, explanation, refuse_ending
from fastnet.report.style import STYLE
from fastnet.results.headline import headline

__all__ = ["explanation", "refuse_ending", "report", "save"]

# The parts below the answer: an id, a title, and the function that writes its HTML, "" for none.
PARTS = (
    ("score", "How good it is", sections.scores),
    ("learning", "How it learned", sections.played),
    ("data", "The data", about.data),
    ("n1", "By N1", sections.by_n1),
    ("settings", "By setting", sections.by_setting),
    ("members", "The best members", sections.best_members),
    ("columns", "What it looks at", explained),
    ("figures", "Figures", sections.all_figures),
    ("use", "Use it", about.use),
    ("repeat", "Repeat it", about.repeat),
)


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
        One page that needs no network: the answer in the units of the data, the metrics beside
        those of a guess, the data, tables, the figures that apply, and how to use and repeat it.

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
    title = headline(result)
    parts = [(name, heading, write(result)) for name, heading, write in PARTS]
    parts = [part for part in parts if part[2]]
    if derivation:
        parts.append(("derivation", "The derivation", derivation_section()))
    links = " ".join(f'<a href="#{name}">{text(heading)}</a>' for name, heading, _ in parts)
    body = [sections.head(result, title), f'<nav class="soft">{links}</nav>']
    body += [f'<h2 id="{name}">{text(heading)}</h2>\n{content}' for name, heading, content in parts]
    return page(f"{title} - fastnet", STYLE, "\n".join(body))


def save(result, path, derivation=False):
    """Write the report to a file, whole or not at all."""
    write_bytes(path, report(result, derivation))
