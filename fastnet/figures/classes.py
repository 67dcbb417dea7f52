"""Figures of predicted classes: confusion, reliability, wrong digits."""

import numpy as np

from fastnet.figures import base, networks, style
from fastnet.figures.networks import member_label
from fastnet.figures.sets import judged, judging_rows, judging_set, not_classification, rows_of
from fastnet.figures.style import MARK, PLAIN, SETS, alt, chart_data, text_title
from fastnet.results import answer, metrics
from fastnet.results.verdict import JUDGES

IMAGES = 24  # at most this many wrong digits are drawn
BINS, FEWEST = 10, 30  # bins of the reliability curve, and the fewest rows of each


# ---------------------------------------------------------------- classes


def confusion_table(result, member=None, data=None):
    """One row per pair of classes: true, predicted (names), count, share of the true class."""
    found = judged(result, member, data, judging_set(result))
    counts = metrics.confusion_matrix(found.Y, found.P)
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
    """Confusion matrix of the set that judges: right in blue, wrong in red."""
    names = [str(name) for name in result.classes]
    target = result.targets[0] if result.targets else "class"
    is_right = table["true"] == table["predicted"]
    fills = [style.tint(SETS["train"] if r else MARK, s) for r, s in zip(is_right, table["share"])]
    inks = ["#ffffff" if share > 0.6 else "#1f2430" for share in table["share"]]
    cells = alt.Chart(chart_data(table, fill=fills, text_ink=inks)).encode(
        x=alt.X("predicted:N", sort=names, title=f"{target}, predicted", axis=turned(names)),
        y=alt.Y("true:N", sort=names, title=f"{target}, true"),
        tooltip=["true", "predicted", "count", "share"],
    )
    fill = cells.mark_rect().encode(color=alt.Color("fill:N", scale=None))
    texts = cells.mark_text(fontSize=11 if len(names) <= 20 else 8)
    texts = texts.encode(text="count:Q", color=alt.Color("text_ink:N", scale=None))
    side = matrix_side(names)
    under = f"{member_label(result)}; deeper colour: a larger share of the true class"
    title = text_title(confusion_title(table, result), under)
    return (fill + texts).properties(width=side, height=side, title=title)


def matrix_side(names):
    """Pixels of a side of the matrix."""
    return min(520, (60 if len(names) < 7 else 34) * len(names) + 60)


def turned(names):
    """The horizontal axis of classes; long names stand upright, so that each has room."""
    is_long = 7 * max(len(name) for name in names) * len(names) > matrix_side(names)
    return alt.Axis(labelAngle=-90 if is_long else 0, labelOverlap=False)


def confusion_title(table, result):
    """How many are wrong, and the most frequent confusion."""
    is_right = table["true"] == table["predicted"]
    wrong = np.where(is_right, 0, table["count"])
    count, most = wrong.sum(), wrong.argmax()
    title = (
        f"{count:,} of {judging_rows(result)} wrong ({100 * count / table['count'].sum():.3g} %)"
    )
    if not count:
        return f"All of {judging_rows(result)} right"
    true, predicted = table["true"][most], table["predicted"][most]
    return f"{title}; most often {true} is taken for {predicted} ({wrong[most]:,})"


def reliability_table(result, member=None, data=None):
    """One row per bin of rows that are about equally sure: sure (mean probability of the predicted
    class), right (share), its 95 % interval low to high, count.

    The bins have equally many rows, at least 30 if there are so many: the interval of a bin of
    three rows would span the whole figure and say nothing.
    """
    found = judged(result, member, data, judging_set(result))
    sure, is_right = found.P.max(axis=1), found.P.argmax(axis=1) == found.Y.argmax(axis=1)
    bins = int(np.clip(len(sure) // FEWEST, 1, BINS))
    rows = []
    for some in np.array_split(np.argsort(sure, kind="stable"), bins):
        n, hits = len(some), int(is_right[some].sum())
        rows.append((sure[some].mean(), hits / n, *answer.success_interval(hits, n), n))
    names = ("sure", "right", "low", "high", "count")
    return {name: np.array(column) for name, column in zip(names, zip(*rows))}


def too_few_rows(result):
    """Obstacle: too few rows for two bins."""
    count = len(rows_of(result, judging_set(result)))
    needed = 2 * FEWEST
    return None if count >= needed else f"{judging_rows(result)} are fewer than {needed}"


@base.figure(
    "reliability: how sure the network is against how often it is right",
    reliability_table,
    base.first_obstacle(not_classification, networks.no_weights, too_few_rows),
    samples=True,
)
def reliability(table, result):
    """Reliability curve; on the dashed line, probabilities equal frequencies."""
    low = np.floor(10 * min(table["low"].min(), table["sure"].min())) / 10
    x, y = (
        style.linear_axis(low, 1, title)
        for title in ("probability of the predicted class", "share that is right")
    )
    ends = alt.Chart(chart_data({"e": [low, 1.0]}))
    ends = ends.mark_line(style="ink", strokeDash=[5, 4], strokeWidth=1).encode(x="e:Q", y="e:Q")
    bins = alt.Chart(chart_data(table)).encode(
        x=alt.X("sure:Q", **x), tooltip=["sure", "right", "low", "high", "count"]
    )
    bars = bins.mark_rule(strokeWidth=2, color=PLAIN).encode(y=alt.Y("low:Q", **y), y2="high:Q")
    dots = bins.mark_point(filled=True, opacity=1, size=60, color=PLAIN)
    chart = alt.layer(ends, bars, dots.encode(y=alt.Y("right:Q", **y)))
    weight = table["count"] / table["count"].sum()
    sure, right = (weight * table["sure"]).sum(), (weight * table["right"]).sum()
    title = f"{100 * sure:.3g} % sure, {100 * right:.3g} % right on the {judging_rows(result)}"
    each = f"dots: about {round(table['count'].mean())} rows each, with the 95 % interval"
    title = text_title(title, member_label(result), f"{each}; dashed: sure = right")
    return chart.properties(width=360, height=360, title=title)


# ---------------------------------------------------------------- digits


def wrong_table(result, member=None, data=None):
    """One row per pixel of a wrong digit: place (0 for the surest), text ("8, not 3 (0.98)"), x,
    y, ink."""
    X, Y, P, _ = judged(result, member, data, judging_set(result))
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
    name = judging_set(result)
    is_perfect = result.best[f"{name}_accuracy"] == 1
    return f"no {JUDGES[name]} digit is wrong" if is_perfect else None


@base.figure(
    "the digits that the network gets wrong",
    wrong_table,
    base.first_obstacle(no_wrong_digit, networks.no_weights),
)
def wrong_digits(table, result):
    """The wrong digits of the set that judges, those first of which the network was surest."""
    name = judging_set(result)
    n = len(rows_of(result, name))
    count = round((1 - result.best[f"{name}_accuracy"]) * n)
    scale = alt.Scale(scheme="greys", domain=[0, 1])
    image = style.images(table, alt.Color("ink:Q", scale=scale, legend=None))
    order = alt.EncodingSortField("place", op="min")
    chart = image.facet(alt.Facet("text:N", title=None, sort=order), columns=6)
    title = f"{count} of {n} {JUDGES[name]} digits wrong"
    under = "predicted, not true (its probability), the surest first"
    return chart.properties(title=text_title(title, f"{member_label(result)}; {under}"))
