"""The look of all charts: sizes, colours for light and dark, axes, titles, panels."""

import numpy as np

from fastnet.errors import UsageError, quoted
from fastnet.extras import missing_extra

try:
    import altair as alt
except ImportError:  # the tables of the figures do not need it
    alt = None

WIDTH, HEIGHT = 560, 300

# One meaning for each colour; docs/figures.md has the list. All are of medium lightness, legible on
# white and on black, and no figure tells two things apart by red against green alone.
SETS = {"train": "#3b7dd8", "val": "#d97706", "test": "#a05fb4"}  # the rows of a set
RAMP = ("#d9b310", "#6fa84f", "#2a8f8f", "#45569c")  # N1, and other values in an order
CLASSES = (  # names without an order: classes, outputs, units, settings, runs, stop reasons
    *("#2a9d8f", "#c9a227", "#6b6fc0", "#9c7a4d", "#57a7d9", "#7f9a2e", "#c67fae", "#8a8f98"),
    *("#4f6d7a", "#b9c24a"),
)
PLAIN = "#5b7ea6"  # counts, sizes and members, where colour says nothing
MARK = "#d1495b"  # what the title speaks of: the N1 that suffices; what is wrong, diverged, slower
LOSS_RAMP = ("#fbf3e4", "#e6bd82", "#b0702a", "#5f330c")  # losses of cells: darker is worse
WEIGHTS = ("#d97706", "#f3f3f3", "#3b7dd8")  # below 0, 0, above 0
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


def n1_colour(table, smallest=None):
    """Colour by N1, along RAMP; red for the smallest that suffices; no legend for one N1."""
    widths = np.unique(table["n1"])
    colours = ramp(len(widths))
    if len(widths) == 1:
        colours = [PLAIN]
    if smallest in widths:
        colours[int(np.searchsorted(widths, smallest))] = MARK
    legend = None
    if len(widths) > 1:
        legend = alt.Legend(title="N1", columns=1 + len(widths) // 16)
    scale = alt.Scale(range=colours, domain=widths.tolist())
    return alt.Color("n1:O", scale=scale, legend=legend)


def ramp(count, stops=RAMP):
    """`count` colours along some stops."""
    last = len(stops) - 1
    stops = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in stops])
    places = np.linspace(0, last, max(count, 2))[:count]
    mixed = [np.interp(places, range(last + 1), stops[:, j]).round().astype(int) for j in range(3)]
    return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in zip(*mixed)]


def set_colour(names, **more):
    """The colour of train, val and test, with a legend if there are several."""
    there = [name for name in SETS if name in set(names)]
    scale = alt.Scale(domain=there, range=[SETS[name] for name in there])
    more = {"legend": None} if len(there) == 1 else more
    return alt.Color("set:N", title=None, scale=scale, **more)


def tint(colour, share, paper="#ffffff"):
    """A colour mixed with paper: nothing of it at share 0, all of it at 1."""
    ends = [[int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in (paper, colour)]
    mixed = np.round(np.add(ends[0], share * np.subtract(ends[1], ends[0]))).astype(int)
    return f"#{mixed[0]:02x}{mixed[1]:02x}{mixed[2]:02x}"


def class_colours(count):
    """Colours of `count` classes."""
    return [CLASSES[i % len(CLASSES)] for i in range(count)]


# ---------------------------------------------------------------- axes, titles, panels


def positive(values):
    """The values that a logarithmic axis can show."""
    return np.isfinite(values) & (values > 0)


# 100k, but 1930 and 0.05: SI prefixes for large numbers alone ("m" for thousandths misleads).
NUMBERS = "abs(datum.value) >= 1e4 ? format(datum.value, '.10~s') : format(datum.value, '.10~g')"
FEWEST, MOST = 3, 10  # numbers on an axis


def number_axis(values=None, **more):
    """An axis of numbers for people, with ticks at some values or where Vega puts them."""
    if values is not None:
        more |= {"values": values, "labelOverlap": False}
    return alt.Axis(labelExpr=NUMBERS, **more)


def number_legend(values, **more):
    """A legend of numbers for people."""
    return alt.Legend(labelExpr=NUMBERS, values=values, **more)


def linear_axis(low, high, title, most=7):
    """title, axis and scale of a linear channel from low to high, with the same few round numbers
    wherever it is used."""
    scale = alt.Scale(domain=[float(low), float(high)], nice=False, zero=False)
    return {"title": title, "axis": number_axis(linear_ticks(low, high, most)), "scale": scale}


def room_around(values, share=0.02):
    """The ends of an axis that holds all values, with a little room."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    room = share * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def log_axis(values, title):
    """title, axis and scale of a channel that is really logarithmic: 0.001, 0.01, 0.1, ..."""
    values = np.asarray(values, float)
    values = values[positive(values)] if positive(values).any() else np.ones(1)
    if values.max() < 1.01 * values.min():  # one value: room above and below
        values = values.mean() * np.array([0.9, 1.1])
    ends = [float(values.min()), float(values.max())]  # the same in all panels of a figure
    scale = alt.Scale(type="log", nice=False, padding=6, domain=ends)
    return {"title": title, "axis": number_axis(log_ticks(values)), "scale": scale}


def log_ticks(values):
    """Powers of ten over the positive values; if these are few, also 2 and 5 times them, or all
    multiples; over less than that, round numbers in even steps. At least three."""
    values = np.asarray(values, float)
    values = values[positive(values)]
    if not len(values):
        return []
    low, high = values.min(), values.max()
    step = 1 + int(np.log10(high / low)) // 8
    for factors in ((1,), (1, 2, 5), (1, 2, 3, 5), range(1, 10)):
        ticks = multiples(low, high, factors, step)
        if FEWEST <= len(ticks) <= MOST:
            return ticks
    return linear_ticks(low, high)


def multiples(low, high, factors, step):
    """The factors times every step-th power of ten, from low to high."""
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1, step)
    ticks = [float(f"{factor}e{power}") for power in powers for factor in factors]
    return [tick for tick in ticks if 0.999 <= tick / low and tick / high <= 1.001]


def linear_ticks(low, high, most=7):
    """Three to `most` round numbers in even steps from low to high."""
    if not high > low:
        return [float(low)]
    power = 10.0 ** (np.floor(np.log10(high - low)) - 1)
    for step in (power * factor for factor in (1, 2, 2.5, 5, 10, 20, 25)):
        first, last = np.ceil(low / step - 1e-9), np.floor(high / step + 1e-9)
        if last - first < most:
            return [float(f"{i * step:.10g}") + 0.0 for i in np.arange(first, last + 1)]
    raise AssertionError("a step of the whole range leaves at most two numbers")


def text_title(text, *subtitle):
    """A title that says the finding, and the lines under it."""
    return alt.TitleParams(text, subtitle=[line for line in subtitle if line])


def panels(chart, count, **facets):
    """The chart in panels by `facets`; a single panel stays a plain chart."""
    return chart.facet(**facets) if count > 1 else chart


def side_header(**more):
    """The header of panels that stand below each other, in the direction of reading."""
    return alt.Header(labelAngle=0, labelAlign="left", **more)


def images(table, colour):
    """Small square images of the columns x, y and what `colour` encodes, to be put in panels."""
    no_axis = {"axis": None}
    image = alt.Chart(chart_data(table)).mark_rect()
    image = image.encode(x=alt.X("x:O", **no_axis), y=alt.Y("y:O", **no_axis), color=colour)
    return image.properties(width=72, height=72)
