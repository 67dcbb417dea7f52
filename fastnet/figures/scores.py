"""Figures of predictions: predicted against true, errors, confusion, reliability, wrong digits."""

import numpy as np

from fastnet.data.sources import run_samples
from fastnet.figures import base, networks, style
from fastnet.figures.networks import OUTPUTS, member_label, output_names, outputs_of
from fastnet.figures.style import RAMP, WIDTH, alt, chart_data, text_title
from fastnet.results import answer, metrics

IMAGES = 24  # at most this many wrong digits are drawn
BINS = 10  # bins of the reliability curve
SET_NAMES = {"train": "training", "val": "validation", "test": "test"}


# ---------------------------------------------------------------- sets and obstacles


def not_regression(result):
    """Obstacle: the targets are classes or labels."""
    what = "labels" if result.labels else "classes"
    return None if networks.predicts_numbers(result) else f"it predicts {what}, not numbers"


def not_classification(result):
    """Obstacle: the targets are numbers, or several of two labels."""
    what = "several labels" if result.labels else "numbers"
    return f"it predicts {what}, not classes" if result.classes is None else None


def sets_of(result):
    """The sets that have samples, of train, val and test."""
    return [name for name in SET_NAMES if len(result.split[name])]


def judging_set(result):
    """The set that judges: test, else validation, else training."""
    return sets_of(result)[-1]


def judging_name(result):
    """The set that judges, in words."""
    return SET_NAMES[judging_set(result)]


def predictions(result, member, data, name):
    """Inputs (n, d), true and predicted outputs (n, k) of a set."""
    X, Y = run_samples(result, data).subset(name)
    return X, Y, outputs_of(result.model(member), X)


# ---------------------------------------------------------------- numbers


def r_squared(true, predicted):
    """1 - squared error / squared distance from the mean; NaN if the truth is constant."""
    total = ((true - true.mean()) ** 2).sum()
    return 1 - ((predicted - true) ** 2).sum() / total if total > 0 else np.nan


def parity_table(result, member=None, data=None):
    """One row per sample and output, thinned: set, output, true, predicted, and r2 of all samples
    of the set and output."""
    parts = []
    for name in sets_of(result):
        _, Y, predicted = predictions(result, member, data, name)
        outputs = output_names(result, Y.shape[1])[:OUTPUTS]
        most = base.POINTS // len(sets_of(result)) // len(outputs)
        for j, output in enumerate(outputs):
            kept = base.evenly(np.argsort(Y[:, j], kind="stable"), most)
            r2 = r_squared(Y[:, j], predicted[:, j])
            parts.append((name, output, Y[kept, j], predicted[kept, j].astype(float), r2))
    return base.stacked(("set", "output", "true", "predicted", "r2"), parts)


@base.figure(
    "predicted against true, with R2, for each set",
    parity_table,
    base.first_obstacle(not_regression, networks.no_weights),
    samples=True,
)
def predicted_true(table, result):
    """Predicted against true values; on the dashed line they are equal."""
    outputs = list(dict.fromkeys(table["output"]))
    low = min(table["true"].min(), table["predicted"].min())
    high = max(table["true"].max(), table["predicted"].max())
    side = 360 if len(outputs) == 1 else 200
    layers = parity_dots(table, low, high), parity_line(low, high)
    chart = alt.layer(*layers, data=chart_data(table)).properties(width=side, height=side)
    facet = alt.Facet("output:N", title=None, sort=outputs)
    chart = style.panels(chart, len(outputs), facet=facet, columns=3)
    scores = table["r2"][table["set"] == judging_set(result)]
    lowest = "" if len(outputs) == 1 else "at least "
    title = f"R2 is {lowest}{scores.min():.4g} on the {judging_name(result)} set"
    under = f"{member_label(result)}; dashed: predicted = true"
    return chart.properties(title=text_title(title, under))


def parity_dots(table, low, high):
    """One dot per sample and output."""
    scale = alt.Scale(domain=[float(low), float(high)], nice=False, padding=8)
    dots = alt.Chart().mark_circle(size=18, fillOpacity=0.5, opacity=1)
    return dots.encode(
        x=alt.X("true:Q", title="true", scale=scale),
        y=alt.Y("predicted:Q", title="predicted", scale=scale),
        color=style.set_colour(table["set"]),
        tooltip=["set", "output", "true", "predicted"],
    )


def parity_line(low, high):
    """The diagonal of every panel."""
    ends = alt.Chart().mark_line(style="ink", strokeDash=[5, 4], strokeWidth=1)
    ends = ends.transform_aggregate(groupby=["output"]).transform_calculate(e=f"[{low}, {high}]")
    return ends.transform_flatten(["e"]).encode(x="e:Q", y="e:Q")


def error_table(result, member=None, data=None, bins=31):
    """One row per set and bin: set, low, high (ends of the bin), count, share of the set."""
    errors = {}
    for name in sets_of(result):
        _, Y, predicted = predictions(result, member, data, name)
        errors[name] = (predicted - Y).ravel()
    largest = max(np.abs(error).max() for error in errors.values()) or 1.0
    edges = np.linspace(-largest, largest, bins + 1)
    parts = []
    for name, error in errors.items():
        count = np.histogram(error, edges)[0]
        parts.append((name, edges[:-1], edges[1:], count, count / count.sum()))
    return base.stacked(("set", "low", "high", "count", "share"), parts)


@base.figure(
    "histogram of the errors of each set",
    error_table,
    base.first_obstacle(not_regression, networks.no_weights),
    samples=True,
)
def errors(table, result):
    """Predicted minus true: how often which error, for each set."""
    sets = list(dict.fromkeys(table["set"]))
    bars = alt.Chart(chart_data(table)).mark_bar(binSpacing=1)
    bars = bars.encode(
        x=alt.X("low:Q", bin="binned", title="predicted - true", axis=alt.Axis(format="~g")),
        x2="high:Q",
        y=alt.Y("share:Q", title="share", axis=alt.Axis(format="%")),
        color=style.set_colour(table["set"], legend=None),
        tooltip=["set", "low", "high", "count"],
    )
    chart = bars.properties(width=WIDTH, height=240 if len(sets) == 1 else 110)
    row = alt.Row("set:N", title=None, sort=sets, header=style.side_header())
    chart = style.panels(chart, len(sets), row=row)
    rms = root_mean_square(base.where(table, table["set"] == judging_set(result)))
    title = f"Errors of the {judging_name(result)} set: {rms:.3g} (root mean square)"
    return chart.properties(title=text_title(title, member_label(result)))


def root_mean_square(table):
    """The root mean square error of a set, from its histogram."""
    middle = (table["low"] + table["high"]) / 2
    return float(np.sqrt((table["share"] * middle**2).sum()))


# ---------------------------------------------------------------- classes


def confusion_table(result, member=None, data=None):
    """One row per pair of classes: true, predicted (names), count, share of the true class."""
    _, Y, P = predictions(result, member, data, judging_set(result))
    counts = metrics.confusion_matrix(Y, P)
    names = np.array([str(name) for name in result.classes])
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return {
        "true": np.repeat(names, len(names)),
        "predicted": np.tile(names, len(names)),
        "count": counts.ravel(),
        "share": (counts / total).ravel(),
    }


def too_many_classes(result):
    """Obstacle: there are more classes than a matrix can show."""
    k = len(result.classes)
    return None if k <= 40 else f"{k} classes are too many for a matrix"


@base.figure(
    "confusion matrix: true against predicted classes",
    confusion_table,
    base.first_obstacle(not_classification, too_many_classes, networks.no_weights),
    samples=True,
)
def confusion(table, result):
    """Confusion matrix of the set that judges."""
    names = [str(name) for name in result.classes]
    cells = alt.Chart(chart_data(table)).encode(
        x=alt.X("predicted:N", sort=names, title="predicted"),
        y=alt.Y("true:N", sort=names, title="true"),
    )
    scale = alt.Scale(scheme="viridis", domain=[0, 1])
    colour = alt.Color("share:Q", title="of the true class", scale=scale)
    colours = cells.mark_rect().encode(
        color=colour, tooltip=["true", "predicted", "count", "share"]
    )
    shade = alt.condition("datum.share > 0.5", alt.value("black"), alt.value("white"))
    texts = cells.transform_filter("datum.count > 0").mark_text(fontSize=11)
    side = max(160, min(520, 34 * len(names)))
    chart = alt.layer(colours, texts.encode(text="count:Q", color=shade))
    title = text_title(confusion_title(table, result), member_label(result))
    return chart.properties(width=side, height=side, title=title)


def confusion_title(table, result):
    """The share that is right, and the most frequent confusion."""
    is_right = table["true"] == table["predicted"]
    share = table["count"][is_right].sum() / table["count"].sum()
    title = f"{100 * share:.3g} % of the {judging_name(result)} set right"
    wrong = np.where(is_right, 0, table["count"])
    most = wrong.argmax()
    if not wrong[most]:
        return title
    true, predicted = table["true"][most], table["predicted"][most]
    return f"{title}; {true} taken for {predicted} most often ({wrong[most]})"


def reliability_table(result, member=None, data=None):
    """One row per bin of the predicted class's probability: sure (mean), right (share), its 95 %
    interval low to high, count."""
    _, Y, P = predictions(result, member, data, judging_set(result))
    sure, is_right = P.max(axis=1), P.argmax(axis=1) == Y.argmax(axis=1)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    rows = []
    for i in np.unique(bins):
        n, hits = int((bins == i).sum()), int(is_right[bins == i].sum())
        interval = answer.success_interval(hits, n)
        rows.append((sure[bins == i].mean(), hits / n, *interval, n))
    names = ("sure", "right", "low", "high", "count")
    return {name: np.array(column) for name, column in zip(names, zip(*rows))}


@base.figure(
    "reliability: how sure the network is against how often it is right",
    reliability_table,
    base.first_obstacle(not_classification, networks.no_weights),
    samples=True,
)
def reliability(table, result):
    """Reliability curve; on the dashed line, probabilities equal frequencies."""
    ends = alt.Chart(chart_data({"e": [0.0, 1.0]}))
    ends = ends.mark_line(style="ink", strokeDash=[5, 4], strokeWidth=1).encode(x="e:Q", y="e:Q")
    chart = alt.layer(ends, *reliability_bins(table)).properties(width=360, height=360)
    weight = table["count"] / table["count"].sum()
    sure, right = (weight * table["sure"]).sum(), (weight * table["right"]).sum()
    where = f"on the {judging_name(result)} set"
    title = f"{100 * sure:.3g} % sure, {100 * right:.3g} % right {where}"
    under = "bars: 95 % interval (Clopper-Pearson); dashed: as sure as right"
    return chart.properties(title=text_title(title, f"{member_label(result)}; {under}"))


def reliability_bins(table):
    """A bar and a dot for each bin, the dot as large as its number of samples."""
    scale = alt.Scale(domain=[0, 1])
    bins = alt.Chart(chart_data(table)).encode(
        x=alt.X("sure:Q", title="probability of the predicted class", scale=scale),
        tooltip=["sure", "right", "low", "high", "count"],
        color=alt.value(RAMP[0]),
    )
    y = {"title": "share that is right", "scale": scale}
    bars = bins.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    size = {"scale": alt.Scale(range=[30, 300]), "legend": alt.Legend(tickCount=3)}
    dots = bins.mark_point(filled=True, opacity=1).encode(
        y=alt.Y("right:Q", **y), size=alt.Size("count:Q", title="samples", **size)
    )
    return bars, dots


# ---------------------------------------------------------------- digits


def wrong_table(result, member=None, data=None):
    """One row per pixel of a wrong digit: place (0 for the surest), text ("8, not 3 (0.98)"), x,
    y, ink."""
    X, Y, P = predictions(result, member, data, judging_set(result))
    said, true = P.argmax(axis=1), Y.argmax(axis=1)
    wrong = np.flatnonzero(said != true)
    wrong = wrong[np.argsort(-P[wrong, said[wrong]], kind="stable")][:IMAGES]
    side = int(X.shape[1] ** 0.5)
    y, x = np.divmod(np.arange(side * side), side)
    parts = []
    for place, i in enumerate(wrong):
        said_class, true_class = result.classes[said[i]], result.classes[true[i]]
        parts.append((place, f"{said_class}, not {true_class} ({P[i, said[i]]:.2f})", x, y, X[i]))
    return base.stacked(("place", "text", "x", "y", "ink"), parts)


def no_wrong_digit(result):
    """Obstacle: the samples are not digits, or all of them are right."""
    if result.task != 2:
        return "the samples are not the digits of task 2"
    is_perfect = result.best[f"{judging_set(result)}_accuracy"] == 1
    return f"no {judging_name(result)} digit is wrong" if is_perfect else None


@base.figure(
    "the digits that the network gets wrong",
    wrong_table,
    base.first_obstacle(no_wrong_digit, networks.no_weights),
)
def wrong_digits(table, result):
    """The wrong digits of the set that judges, those first of which the network was surest."""
    name = judging_set(result)
    n = len(result.split[name])
    count = round((1 - result.best[f"{name}_accuracy"]) * n)
    scale = alt.Scale(scheme="greys", domain=[0, 1])
    image = style.images(table, alt.Color("ink:Q", scale=scale, legend=None))
    order = alt.EncodingSortField("place", op="min")
    chart = image.facet(alt.Facet("text:N", title=None, sort=order), columns=6)
    title = f"{count} of {n} {judging_name(result)} digits wrong"
    under = "predicted, not true (its probability), the surest first"
    return chart.properties(title=text_title(title, f"{member_label(result)}; {under}"))
