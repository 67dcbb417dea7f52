"""What all figures share: the registry, colours for light and dark, thinning, files."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastnet.data.sources import why_none
from fastnet.errors import FastnetError, UsageError
from fastnet.extras import missing_extra
from fastnet.figures.html import chart_tag, page, vl_convert
from fastnet.results import answer

try:
    import altair as alt
except ImportError:  # the tables of the figures do without it
    alt = None

POINTS = 2000  # at most about so many rows reach a chart: browsers and eyes slow down beyond
MANY = 50  # from so many members on, curves become medians with quantile bands
WIDTH, HEIGHT = 560, 300

# Told apart by colour-blind eyes, and of middling lightness: legible on white and on black.
SETS = {"train": "#3b7dd8", "val": "#d97706", "test": "#a05fb4"}
# For N1 and other ordered values: blue to orange, which no common colour blindness confuses.
RAMP = ("#3b6fd4", "#4f9bb5", "#b29a4d", "#d8691a")
CLASSES = (
    *("#3b7dd8", "#d97706", "#2a9d8f", "#c2487d", "#8a8f98", "#a05fb4", "#7f9a2e", "#b5523b"),
    *("#57a7d9", "#9c7a4d"),
)
MARK = "#d1495b"  # what a title speaks of
INK = {"light": "#1f2430", "dark": "#e6e9ef", "css": "var(--ink)"}
SOFT = {"light": "#5d6675", "dark": "#a4acb9", "css": "var(--soft)"}
LINE = {"light": "#dfe3e8", "dark": "#343a46", "css": "var(--line)"}
PAPER = {"light": "#ffffff", "dark": "#12151c", "css": "transparent"}
THEMES = tuple(INK)  # css takes its colours from the page around it

FIGURES = {}


class Figure(NamedTuple):
    """A row of the registry.

    Attributes
    ----------
    name : str
        As on the command line.
    chart : callable
        chart(result, theme="light", **choices): the Altair chart.
    table : callable
        table(result, **choices): its data, a dict of arrays of one length.
    needs : callable
        needs(result, data=None): None, or why the figure does not apply.
    help : str
        One line.
    """

    name: str
    chart: Callable
    table: Callable
    needs: Callable
    help: str


def figure(help, table, needs=lambda result: None, of="run", samples=False):
    """A decorator: build(table, result) becomes chart(result, theme, **choices), registered.

    `chart.table` is the companion that makes the chart's data; `of` says what it draws, a "run"
    (a Result) or a "bench" (the JSON document of fastnet bench, a dict); `samples`, whether it
    needs the samples that a run trained on, may be a function of the Result.
    """

    def why_not(subject, data=None):
        given = "bench" if isinstance(subject, dict) else "run"
        if given != of:
            return f"it draws a {of}, not a {given}"
        wanted = samples(subject) if callable(samples) else samples
        missing = why_none(subject) if wanted and data is None else None
        return needs(subject) or missing

    def register(build):
        name = build.__name__.replace("_", "-")

        @functools.wraps(build)
        def chart(result, theme="light", **choices):
            require_altair()
            refuse(name, result, choices.get("data"))
            return themed(build(table(result, **choices), result), theme)

        chart.table = table
        FIGURES[name] = Figure(name, chart, table, why_not, help)
        return chart

    return register


def require_altair():
    if alt is None:
        raise missing_extra("figures need altair", "plot")


def applying(result):
    """The figures that apply to a result."""
    return [f for f in FIGURES.values() if f.needs(result) is None]


def chart(name, result, theme="light", **choices):
    """The chart of a figure by its name; the error for a wrong name lists those that apply."""
    refuse(name, result, choices.get("data"))
    return FIGURES[name].chart(result, theme=theme, **choices)


def refuse(name, result, data=None):
    """An error for a figure that there is not, or that does not apply to the result."""
    reason = FIGURES[name].needs(result, data) if name in FIGURES else "there is no such figure"
    if reason is not None:
        names = ", ".join(f.name for f in applying(result))
        raise UsageError(f"figure {name}: {reason}; for this run there are {names}.")


def subject(path):
    """What figures draw: the Result in a run folder, or the document in a file of fastnet bench."""
    from fastnet.results import folder as store

    path = Path(path)
    if path.suffix == ".json" and path.is_file():
        return store.read_json(path.parent, path.name)
    return store.load(path)


# ---------------------------------------------------------------- looks


def themed(chart, theme):
    """The chart with the colours of a theme."""
    if theme not in THEMES:
        raise UsageError(f"theme must be one of {', '.join(THEMES)}, got {theme!r}.")
    ink, soft, line = INK[theme], SOFT[theme], LINE[theme]
    text = {"labelColor": soft, "titleColor": ink, "titleFontWeight": "normal"}
    return chart.configure(
        background=PAPER[theme],
        font="system-ui, 'DejaVu Sans', sans-serif",
        padding=12,
        title=alt.TitleConfig(
            anchor="start", color=ink, fontSize=15, subtitleColor=soft, subtitleFontSize=12
        ),
        axis=alt.AxisConfig(
            gridColor=line, domainColor=soft, tickColor=soft, labelOverlap="greedy", **text
        ),
        axisX=alt.AxisConfig(labelAngle=0, grid=False),
        legend=alt.LegendConfig(symbolOpacity=1, **text),
        header=alt.HeaderConfig(labelColor=soft, titleColor=ink, titleFontWeight="normal"),
        view=alt.ViewConfig(stroke=None),
        style={
            "ink": {"color": ink},
            "soft": {"color": soft},
            "target": {"color": MARK, "strokeDash": [6, 4]},
        },
    )


def frame(table, **columns):
    """A table as Altair takes it: a data frame, numbers in 6 digits: half the bytes of a page."""
    import pandas

    return pandas.DataFrame(
        {name: short(np.asarray(c)) for name, c in {**table, **columns}.items()}
    )


def short(values):
    """Floats in 6 digits."""
    if values.dtype.kind != "f":
        return values
    return np.reshape([float(f"{value:.6g}") for value in values.ravel().tolist()], values.shape)


def n1_colour(table):
    """Colour by N1, from blue to orange; no legend for one N1."""
    widths = np.unique(table["n1"])
    title = "N1" if len(widths) > 1 else None
    legend = alt.Legend(title=title, columns=1 + len(widths) // 16) if len(widths) > 1 else None
    return alt.Color(
        "n1:O", scale=alt.Scale(range=ramp(len(widths)), domain=widths.tolist()), legend=legend
    )


def ramp(count):
    """`count` colours along RAMP."""
    stops = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in RAMP])
    places = np.linspace(0, len(RAMP) - 1, max(count, 2))[:count]
    mixed = [np.interp(places, range(len(RAMP)), stops[:, j]).round().astype(int) for j in range(3)]
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in zip(*mixed)]


def of_set(names, **more):
    """The colour of train, val and test, with a legend of those there are."""
    there = [name for name in SETS if name in set(names)]
    scale = alt.Scale(domain=there, range=[SETS[name] for name in there])
    more = {"legend": None} if len(there) == 1 else more
    return alt.Color("set:N", title=None, scale=scale, **more)


def log_axis(values, title):
    """title, axis and scale of a channel that is really logarithmic: 0.001, 0.01, 0.1, ..."""
    axis = alt.Axis(format="~g", values=log_ticks(values))
    return {"title": title, "axis": axis, "scale": alt.Scale(type="log", nice=False, padding=6)}


def log_ticks(values):
    """Powers of ten over the positive values; 2 and 5 times them, too, where those are few."""
    values = values[positive(values)]
    if not len(values):
        return []
    low, high = np.log10(values.min()), np.log10(values.max())
    step = 1 + int(high - low) // 12
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1, step)
    factors = (1,) if high - low > 2.5 else (1, 2, 5) if high - low > 0.5 else range(1, 10)
    ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    return [tick for tick in ticks if 0.999 <= tick / values.min() and tick / values.max() <= 1.001]


def text_title(text, *under):
    """A title that says the finding, and lines under it."""
    return alt.TitleParams(text, subtitle=[line for line in under if line])


# ---------------------------------------------------------------- findings


def finding(result):
    """What a run found, as a title."""
    members, options = result.members, result.options
    count = len(members)
    if (members["stop_reason"] == "diverged").all():
        return "The member diverged" if count == 1 else f"All {count:,} members diverged"
    best = result.best
    loss = answer.monitored(members)[result.best_member]
    if count == 1 or options["stop"] == "first":
        end = "reached" if best["stop_reason"] == "target" else "comes to"
        return f"N1 = {best['n1']} {end} loss {loss:.3g} in {best['epochs']:,} epochs"
    table = result.by_n1()
    smallest = answer.smallest_n1(table, options)
    if smallest is not None:
        line = next(line for line in table if line["n1"] == smallest)
        return f"N1 = {smallest} suffices: {line['reached']} of {line['members']} seeds"
    if np.isfinite(members["target_loss"]).any() and table[0]["success_rate"] is not None:
        most = max(table, key=lambda line: line["success_rate"])
        if most["reached"] == 0:
            return "No N1 suffices: no member reaches the target"
        return f"No N1 suffices: at most {most['reached']} of {most['members']} seeds reach it"
    return f"Lowest loss {loss:.3g}, with N1 = {best['n1']}"


def targets(members, most=3):
    """The target losses, where a logarithmic axis can show them and they are few."""
    values = np.unique(members["target_loss"])
    values = values[np.isfinite(values) & (values > 0)]
    return values if len(values) <= most else values[:0]


def target_rules(result):
    """A dashed line for each target loss."""
    values = targets(result.members)
    if not len(values):
        return []
    data = frame({"target": values, "text": [f"target {value:g}" for value in values]})
    rule = alt.Chart(data).mark_rule(style="target").encode(y="target:Q")
    text = alt.Chart(data).mark_text(style="ink", align="left", dy=-6, dx=4)
    return [rule, text.encode(y="target:Q", x=alt.value(0), text="text:N")]


def positive(values):
    """Whether a logarithmic axis can show the values."""
    return np.isfinite(values) & (values > 0)


def evenly(values, most):
    """At most `most` of the values, evenly taken, both ends among them."""
    if len(values) <= most:
        return values
    return values[np.unique(np.linspace(0, len(values) - 1, most).round().astype(np.int64))]


# ---------------------------------------------------------------- files


def save(chart, path):
    """Write a chart as .png, .svg or .html; the html needs no network either.

    Raises
    ------
    UsageError
        for another ending.
    FastnetError
        when vl-convert-python is missing, or the file cannot be written.
    """
    path, spec = Path(path), chart.to_dict(validate=False)  # tests validate; it takes a while
    if path.suffix not in (".png", ".svg", ".html"):
        raise UsageError(f"a figure's file must end in .png, .svg or .html, got {path.name!r}.")
    if path.suffix == ".png":
        content = vl_convert().vegalite_to_png(spec, scale=2)
    elif path.suffix == ".svg":
        content = vl_convert().vegalite_to_svg(spec).encode()
    else:
        style = f"body {{ background: {spec['config']['background']}; }}"
        content = page(path.stem, style, chart_tag(spec))
    write(path, content)


def write(path, content):
    """Bytes into a file, whole or not at all."""
    from fastnet import files

    try:
        files.replace(Path(path), lambda file: file.write(content))
    except OSError as error:
        raise FastnetError(f"{path} cannot be written ({error.strerror}).") from None
