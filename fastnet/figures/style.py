"""The look of all charts: sizes, colours for light and dark, axes, titles, panels."""

import numpy as np

from fastnet.errors import UsageError, quoted
from fastnet.extras import missing_extra
from fastnet.options.targets import UNITS, asked_unit

try:
    import altair as alt
except ImportError:  # the tables of the figures do not need it
    alt = None

WIDTH, HEIGHT = 560, 300

# Distinct for colour-blind eyes, and of medium lightness: legible on white and on black.
SETS = {"train": "#3b7dd8", "val": "#d97706", "test": "#a05fb4"}
# For N1 and other ordered values: blue to orange, which no common colour blindness confuses.
RAMP = ("#3b6fd4", "#4f9bb5", "#b29a4d", "#d8691a")
CLASSES = (
    *("#3b7dd8", "#d97706", "#2a9d8f", "#c2487d", "#8a8f98", "#a05fb4", "#7f9a2e", "#b5523b"),
    *("#57a7d9", "#9c7a4d"),
)
MARK = "#d1495b"  # highlights the subject of a title
INK = {"light": "#1f2430", "dark": "#e6e9ef", "css": "var(--ink)"}
SOFT = {"light": "#5d6675", "dark": "#a4acb9", "css": "var(--soft)"}
LINE = {"light": "#dfe3e8", "dark": "#343a46", "css": "var(--line)"}
PAPER = {"light": "#ffffff", "dark": "#12151c", "css": "transparent"}
THEMES = tuple(INK)  # css takes its colours from the page around the chart


def require_altair():
    """Raise the error that says how to install Altair, if it is missing."""
    if alt is None:
        raise missing_extra("figures need altair", "plot")


def themed(chart, theme):
    """The chart with the colours of a theme."""
    if theme not in THEMES:
        raise UsageError(f"theme must be one of {', '.join(THEMES)}, got {quoted(theme)}.")
    ink, soft = INK[theme], SOFT[theme]
    text = {"labelColor": soft, "titleColor": ink, "titleFontWeight": "normal"}
    return chart.configure(
        background=PAPER[theme],
        font="system-ui, 'DejaVu Sans', sans-serif",
        padding=12,
        title=title_config(ink, soft),
        axis=axis_config(soft, LINE[theme], text),
        axisX=alt.AxisConfig(labelAngle=0, grid=False),
        legend=alt.LegendConfig(symbolOpacity=1, **text),
        header=alt.HeaderConfig(**text),
        view=alt.ViewConfig(stroke=None),
        style={
            "ink": {"color": ink},
            "soft": {"color": soft},
            "target": {"color": MARK, "strokeDash": [6, 4]},
        },
    )


def title_config(ink, soft):
    """The style of titles and of the lines under them."""
    sizes = {"fontSize": 15, "subtitleFontSize": 12}
    return alt.TitleConfig(anchor="start", color=ink, subtitleColor=soft, **sizes)


def axis_config(soft, line, text):
    """The style of axes."""
    colours = {"gridColor": line, "domainColor": soft, "tickColor": soft}
    return alt.AxisConfig(labelOverlap="greedy", **colours, **text)


# ---------------------------------------------------------------- data of a chart


def chart_data(table, **columns):
    """A table as a data frame for Altair; numbers in 6 digits halve the bytes of a page."""
    import pandas

    columns = {name: np.asarray(column) for name, column in {**table, **columns}.items()}
    return pandas.DataFrame({name: in_6_digits(column) for name, column in columns.items()})


def in_6_digits(values):
    """Floats rounded to 6 digits; other values as they are."""
    if values.dtype.kind != "f":
        return values
    return np.reshape([float(f"{value:.6g}") for value in values.ravel().tolist()], values.shape)


# ---------------------------------------------------------------- colours


def n1_colour(table):
    """Colour by N1, from blue to orange; no legend for one N1."""
    widths = np.unique(table["n1"])
    legend = None
    if len(widths) > 1:
        legend = alt.Legend(title="N1", columns=1 + len(widths) // 16)
    scale = alt.Scale(range=ramp(len(widths)), domain=widths.tolist())
    return alt.Color("n1:O", scale=scale, legend=legend)


def ramp(count):
    """`count` colours along RAMP."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in RAMP])
    places = np.linspace(0, len(RAMP) - 1, max(count, 2))[:count]
    mixed = [np.interp(places, range(len(RAMP)), stops[:, j]).round().astype(int) for j in range(3)]
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in zip(*mixed)]


def set_colour(names, **more):
    """The colour of train, val and test, with a legend if there are several."""
    there = [name for name in SETS if name in set(names)]
    scale = alt.Scale(domain=there, range=[SETS[name] for name in there])
    more = {"legend": None} if len(there) == 1 else more
    return alt.Color("set:N", title=None, scale=scale, **more)


def class_colours(count):
    """Colours of `count` classes."""
    return [CLASSES[i % len(CLASSES)] for i in range(count)]


# ---------------------------------------------------------------- axes, titles, panels


def positive(values):
    """The values that a logarithmic axis can show."""
    return np.isfinite(values) & (values > 0)


def log_axis(values, title):
    """title, axis and scale of a channel that is really logarithmic: 0.001, 0.01, 0.1, ..."""
    axis = alt.Axis(format="~g", values=log_ticks(values))
    return {"title": title, "axis": axis, "scale": alt.Scale(type="log", nice=False, padding=6)}


def log_ticks(values):
    """Powers of ten over the positive values; if these are few, also 2 and 5 times them."""
    values = values[positive(values)]
    if not len(values):
        return []
    low, high = np.log10(values.min()), np.log10(values.max())
    step = 1 + int(high - low) // 12
    powers = range(int(np.floor(low)), int(np.ceil(high)) + 1, step)
    factors = (1,) if high - low > 2.5 else (1, 2, 5) if high - low > 0.5 else range(1, 10)
    ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    return [tick for tick in ticks if 0.999 <= tick / values.min() and tick / values.max() <= 1.001]


def text_title(text, *subtitle):
    """A title that says the finding, and the lines under it."""
    return alt.TitleParams(text, subtitle=[line for line in subtitle if line])


def panels(chart, count, **facets):
    """The chart in panels by `facets`; a single panel stays a plain chart."""
    return chart.facet(**facets) if count > 1 else chart


def side_header(**more):
    """The header of panels that stand below each other, in the direction of reading."""
    return alt.Header(labelAngle=0, labelAlign="left", **more)


def target_rules(result, most=3):
    """A dashed line for each target loss, if a logarithmic axis can show them and they are few."""
    targets = np.unique(result.members["target_loss"])
    targets = targets[positive(targets)]
    if not 0 < len(targets) <= most:
        return []
    unit, texts = asked_unit(result.options), [f"target {value:g}" for value in targets]
    if unit:
        texts = [f"{UNITS[unit].words} {result.options[unit]:g}"]
    data = chart_data({"target": targets, "text": texts})
    rule = alt.Chart(data).mark_rule(style="target").encode(y="target:Q")
    text = alt.Chart(data).mark_text(style="ink", align="left", dy=-6, dx=4)
    return [rule, text.encode(y="target:Q", x=alt.value(0), text="text:N")]


def images(table, colour):
    """Small square images of the columns x, y and what `colour` encodes, to be put in panels."""
    no_axis = {"axis": None}
    image = alt.Chart(chart_data(table)).mark_rect()
    image = image.encode(x=alt.X("x:O", **no_axis), y=alt.Y("y:O", **no_axis), color=colour)
    return image.properties(width=72, height=72)
