"""The registry of figures: a figure's name, chart and table, and when it applies to a run."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastnet import files
from fastnet.data.sources import reason_samples_missing
from fastnet.errors import FastnetError, UsageError, did_you_mean
from fastnet.figures import style
from fastnet.figures.html import chart_tag, page, vl_convert
from fastnet.results import collect, reading
from fastnet.shapes import TEXT, Absent, Leaf, Maybe, is_number

# In the order of pages and reports: the most informative first. The decorator `figure` fills it.
FIGURES = dict.fromkeys(
    (
        *("loss-by-n1", "success-by-n1", "methods", "cost-by-n1", "loss-curves", "stop-reasons"),
        *("fit", "regions", "hidden-units", "importance", "partial-dependence"),
        *("predicted-true", "errors"),
        *("confusion", "reliability", "wrong-digits", "learning-rate", "gradient"),
        *("settings", "heat-map", "speedup"),
    )
)


class Figure(NamedTuple):
    """A row of the registry.

    Attributes
    ----------
    name : str
        The name on the command line.
    chart : callable
        chart(result, theme="light", **choices): the Altair chart.
    table : callable
        table(result, **choices): its data, a dict of arrays of equal length.
    obstacle : callable
        obstacle(result, data=None): None, or why the figure does not apply.
    help : str
        One line.
    """

    name: str
    chart: Callable
    table: Callable
    obstacle: Callable
    help: str


def figure(help, table, obstacle=lambda result: None, of="run", samples=False):
    """A decorator: build(table, result) becomes chart(result, theme, **choices), registered.

    Parameters
    ----------
    help : str
        One line.
    table : callable
        Makes the chart's data; also found as `chart.table`.
    obstacle : callable
        obstacle(result): None, or why the figure does not apply.
    of : {"run", "bench"}
        Its subject: a Result, or the JSON document of fastnet bench, a dict.
    samples : bool or callable
        Whether it needs the samples of the run, or a function of the Result that says so.
    """

    def why_not(subject, data=None):
        given = "bench" if isinstance(subject, dict) else "run"
        if given != of:
            return f"it draws a {of}, not a {given}"
        needed = samples(subject) if callable(samples) else samples
        missing = reason_samples_missing(subject) if needed and data is None else None
        return obstacle(subject) or missing

    def register(build):
        name = build.__name__.replace("_", "-")

        @functools.wraps(build)
        def chart(result, theme="light", **choices):
            style.require_altair()
            refuse(name, result, choices.get("data"))
            return style.themed(build(table(result, **choices), result), theme)

        chart.table = table
        FIGURES[name] = Figure(name, chart, table, why_not, help)
        return chart

    return register


def first_obstacle(*obstacles):
    """One obstacle made of several functions of the result: the first reason that is not None."""

    def obstacle(result):
        reasons = (each(result) for each in obstacles)
        return next((reason for reason in reasons if reason), None)

    return obstacle


def applying(result):
    """The figures that apply to a result."""
    return [figure for figure in FIGURES.values() if figure.obstacle(result) is None]


def chart(name, result, theme="light", **choices):
    """The chart of a figure by its name; the error for a wrong name lists those that apply."""
    refuse(name, result, choices.get("data"))
    return FIGURES[name].chart(result, theme=theme, **choices)


def refuse(name, result, data=None):
    """Raise an error for an unknown figure, or one that does not apply to the result."""
    reason = "there is no such figure"
    if name in FIGURES:
        reason = FIGURES[name].obstacle(result, data)
    if reason is not None:
        names = ", ".join(figure.name for figure in applying(result))
        hint = "" if name in FIGURES else did_you_mean(name, names.split(", "))
        raise UsageError(f"figure {name}: {reason}; for this run there are {names}.{hint}")


# The shape of what is drawn of a document of fastnet bench.
TIMES = Leaf("a number > 0", lambda value: is_number(value) and value > 0)
ROW = {"peer": TEXT, "status": TEXT, "fastnet_is_faster_by": Absent(Maybe(TIMES))}
BENCH = {"workloads": Absent([{"name": TEXT, "rows": Absent([ROW])}])}


def subject(path, member=None, n1=None):
    """The Result in a run folder, or the document of fastnet bench in a file, to draw.

    Figures of one network are of this member, or of the best of this N1, in place of the best.
    """
    path = Path(path)
    if path.suffix == ".json" and path.is_file():
        if member is not None or n1 is not None:
            raise UsageError(f"--member and --n1 choose one of a run; {path} is no run.")
        return reading.read_json(path.parent, path.name, BENCH)
    result = collect.load(path)
    return result.about(result.chosen(member, n1))


# ---------------------------------------------------------------- tables

POINTS = 2000  # about the most rows of a chart: beyond, browsers and readers become slow
MANY = 50  # with at least this many members, curves become medians with quantile bands


def stacked(names, parts):
    """A table that stacks the parts.

    A part is a tuple of columns; a single value in it becomes a column of that value.
    """
    if not parts:
        return {name: np.empty(0) for name in names}
    columns = zip(*(np.broadcast_arrays(*part) for part in parts))
    return {name: np.concatenate(column) for name, column in zip(names, columns)}


def where(table, mask):
    """The rows of a table where the mask is true."""
    return {name: column[mask] for name, column in table.items()}


def evenly(values, most):
    """At most `most` of the values, evenly spaced, including both ends."""
    if len(values) <= most:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(np.int64))]


# ---------------------------------------------------------------- files


def save(chart, path, scale=2):
    """Write a chart as .png, .svg or .html; the html needs no network either. A png has `scale`
    pixels for each of the chart's.

    Raises
    ------
    UsageError
        For another ending.
    FastnetError
        If vl-convert-python is missing, or the file cannot be written.
    """
    path, spec = Path(path), chart.to_dict(validate=False)  # the tests validate; it takes a while
    if path.suffix not in (".png", ".svg", ".html"):
        raise UsageError(f"a figure's file must end in .png, .svg or .html, got {path.name!r}.")
    if path.suffix == ".png":
        content = vl_convert().vegalite_to_png(spec, scale=scale)
    elif path.suffix == ".svg":
        content = vl_convert().vegalite_to_svg(spec).encode()
    else:
        background = f"body {{ background: {spec['config']['background']}; }}"
        content = page(path.stem, background, chart_tag(spec))
    files.write_bytes(path, content)


def save_all(result, folder, theme="light"):
    """Write every figure that applies as a PNG file into a folder, one after another.

    Yields
    ------
    Path
        Each file as soon as it is written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise FastnetError(f"-o: {folder} is a file; --all needs a folder.")
    vl_convert()
    folder.mkdir(parents=True, exist_ok=True)
    for figure in applying(result):
        path = folder / f"{figure.name}.png"
        save(figure.chart(result, theme=theme), path)
        yield path
