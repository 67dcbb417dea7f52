"""Figures of predictions: predicted against true, errors, confusion, reliability, wrong digits."""

import numpy as np

from fastnet.data.sources import run_samples
from fastnet.figures.base import (
    POINTS,
    RAMP,
    WIDTH,
    alt,
    evenly,
    figure,
    frame,
    of_set,
    text_title,
)
from fastnet.figures.fit import (
    OUTPUTS,
    first_reason,
    network,
    only,
    output_names,
    outputs_of,
    who,
)
from fastnet.results import answer
from fastnet.results.metrics import confusion_matrix

IMAGES = 24  # at most so many wrong digits
BINS = 10  # of the reliability curve
IN_WORDS = {"train": "training", "val": "validation", "test": "test"}


def regression(result):
    """The need of numbers as targets."""
    return None if result.classes is None else "it predicts classes, not numbers"


def classification(result):
    """The need of classes as targets."""
    return "it predicts numbers, not classes" if result.classes is None else None


def judged(result):
    """The set that judges: test, else validation, else training."""
    return next(name for name in ("test", "val", "train") if len(result.split[name]))


def predicted(result, member, given, name):
    """Samples, true and predicted outputs (n, k) of a set."""
    X, Y = run_samples(result, given).subset(name)
    return X, Y, outputs_of(result.model(member), X)


# ---------------------------------------------------------------- numbers


def r_squared(true, guess):
    """1 - squared error / squared distance from the mean; NaN where the truth is constant."""
    spread = ((true - true.mean()) ** 2).sum()
    return 1 - ((guess - true) ** 2).sum() / spread if spread > 0 else np.nan


def parity_table(result, member=None, data=None):
    """A row a sample and output, thinned: set, output, true, predicted, and r2 of all samples of
    the set and output."""
    columns = {name: [] for name in ("set", "output", "true", "predicted", "r2")}
    sets = [name for name in ("train", "val", "test") if len(result.split[name])]
    for name in sets:
        _, Y, Z = predicted(result, member, data, name)
        outputs = output_names(result, Y.shape[1])[:OUTPUTS]
        for j, output in enumerate(outputs):
            kept = evenly(np.argsort(Y[:, j], kind="stable"), POINTS // len(sets) // len(outputs))
            r2 = r_squared(Y[:, j], Z[:, j])
            row = (name, output, Y[kept, j], Z[kept, j].astype(float), r2)
            for column, value in zip(columns.values(), row):
                column.append(value if np.ndim(value) else np.full(len(kept), value))
    return {name: np.concatenate(column) for name, column in columns.items()}


@figure(
    "predicted against true, with R2, for each set",
    parity_table,
    first_reason(regression, network),
    samples=True,
)
def predicted_true(table, result):
    """Predicted against true values; on the dashed line they are equal."""
    name = judged(result)
    scores = np.unique(table["r2"][table["set"] == name])
    low = min(table["true"].min(), table["predicted"].min())
    high = max(table["true"].max(), table["predicted"].max())
    outputs = list(dict.fromkeys(table["output"]))
    scale = alt.Scale(domain=[float(low), float(high)], nice=False, padding=8)
    dots = alt.Chart().mark_circle(size=18, fillOpacity=0.5, opacity=1)
    dots = dots.encode(
        x=alt.X("true:Q", title="true", scale=scale),
        y=alt.Y("predicted:Q", title="predicted", scale=scale),
        color=of_set(table["set"]),
        tooltip=["set", "output", "true", "predicted"],
    )
    ends = alt.Chart().mark_line(style="ink", strokeDash=[5, 4], strokeWidth=1)
    ends = ends.transform_aggregate(groupby=["output"]).transform_calculate(e=f"[{low}, {high}]")
    ends = ends.transform_flatten(["e"]).encode(x="e:Q", y="e:Q")
    side = 360 if len(outputs) == 1 else 200
    chart = alt.layer(dots, ends, data=frame(table)).properties(width=side, height=side)
    if len(outputs) > 1:
        chart = chart.facet(alt.Facet("output:N", title=None, sort=outputs), columns=3)
    lowest = "" if len(outputs) == 1 else "at least "
    title = f"R2 is {lowest}{scores.min():.4g} on the {IN_WORDS[name]} set"
    return chart.properties(title=text_title(title, f"{who(result)}; dashed: predicted = true"))


def error_table(result, member=None, data=None, bins=31):
    """A row a set and bin: set, low, high (ends of the bin), count, share of the set."""
    sets = [name for name in ("train", "val", "test") if len(result.split[name])]
    errors = {}
    for name in sets:
        _, Y, Z = predicted(result, member, data, name)
        errors[name] = (Z - Y).ravel()
    largest = max(np.abs(error).max() for error in errors.values()) or 1.0
    edges = np.linspace(-largest, largest, bins + 1)
    counts = np.array([np.histogram(error, edges)[0] for error in errors.values()])
    return {
        "set": np.repeat(sets, bins),
        "low": np.tile(edges[:-1], len(sets)),
        "high": np.tile(edges[1:], len(sets)),
        "count": counts.ravel(),
        "share": (counts / counts.sum(axis=1, keepdims=True)).ravel(),
    }


@figure(
    "histogram of the errors of each set",
    error_table,
    first_reason(regression, network),
    samples=True,
)
def errors(table, result):
    """Predicted minus true: how often which error, for each set."""
    sets = list(dict.fromkeys(table["set"]))
    name = judged(result)
    some = only(table, table["set"] == name)
    middle = (some["low"] + some["high"]) / 2
    spread = float(np.sqrt((some["share"] * middle**2).sum()))
    base = alt.Chart(frame(table)).mark_bar(binSpacing=1)
    bars = base.encode(
        x=alt.X("low:Q", bin="binned", title="predicted - true", axis=alt.Axis(format="~g")),
        x2="high:Q",
        y=alt.Y("share:Q", title="share", axis=alt.Axis(format="%")),
        color=of_set(table["set"], legend=None),
        tooltip=["set", "low", "high", "count"],
    )
    chart = bars.properties(width=WIDTH, height=240 if len(sets) == 1 else 110)
    if len(sets) > 1:
        row = alt.Row(
            "set:N", title=None, sort=sets, header=alt.Header(labelAngle=0, labelAlign="left")
        )
        chart = chart.facet(row=row)
    title = f"Errors of the {IN_WORDS[name]} set: {spread:.3g} (root mean square)"
    return chart.properties(title=text_title(title, who(result)))


# ---------------------------------------------------------------- classes


def confusion_table(result, member=None, data=None):
    """A row a pair of classes: true, predicted (names), count, share of the true class."""
    _, Y, P = predicted(result, member, data, judged(result))
    k = len(result.classes)
    pairs = confusion_matrix(Y, P)
    names = np.array([str(name) for name in result.classes])
    total = np.maximum(pairs.sum(axis=1, keepdims=True), 1)
    return {
        "true": np.repeat(names, k),
        "predicted": np.tile(names, k),
        "count": pairs.ravel(),
        "share": (pairs / total).ravel(),
    }


def few_classes(result):
    """The need of classes that a matrix can show."""
    k = len(result.classes)
    return None if k <= 40 else f"{k} classes are too many for a matrix"


@figure(
    "confusion matrix: true against predicted classes",
    confusion_table,
    first_reason(classification, few_classes, network),
    samples=True,
)
def confusion(table, result):
    """Confusion matrix of the set that judges."""
    names = [str(name) for name in result.classes]
    right = table["true"] == table["predicted"]
    share = table["count"][right].sum() / table["count"].sum()
    wrong = np.where(right, 0, table["count"])
    most = wrong.argmax()
    title = f"{100 * share:.3g} % of the {IN_WORDS[judged(result)]} set right"
    worst = (
        f"; {table['true'][most]} taken for {table['predicted'][most]} most often ({wrong[most]})"
        if wrong[most]
        else ""
    )
    base = alt.Chart(frame(table)).encode(
        x=alt.X("predicted:N", sort=names, title="predicted"),
        y=alt.Y("true:N", sort=names, title="true"),
    )
    cells = base.mark_rect().encode(
        color=alt.Color(
            "share:Q", title="of the true class", scale=alt.Scale(scheme="viridis", domain=[0, 1])
        ),
        tooltip=["true", "predicted", "count", "share"],
    )
    shade = alt.condition("datum.share > 0.5", alt.value("black"), alt.value("white"))
    texts = base.transform_filter("datum.count > 0").mark_text(fontSize=11)
    side = max(160, min(520, 34 * len(names)))
    return alt.layer(cells, texts.encode(text="count:Q", color=shade)).properties(
        width=side, height=side, title=text_title(title + worst, who(result))
    )


def reliability_table(result, member=None, data=None):
    """A row a bin of the predicted class's probability: sure (mean), right (share), its 95 %
    interval low to high, count."""
    _, Y, P = predicted(result, member, data, judged(result))
    sure, right = P.max(axis=1), P.argmax(axis=1) == Y.argmax(axis=1)
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    rows = []
    for i in np.unique(bins):
        some = bins == i
        n, hits = int(some.sum()), int(right[some].sum())
        rows.append((sure[some].mean(), hits / n, *answer.success_interval(hits, n), n))
    return {n: np.array(c) for n, c in zip(("sure", "right", "low", "high", "count"), zip(*rows))}


@figure(
    "reliability: how sure the network is against how often it is right",
    reliability_table,
    first_reason(classification, network),
    samples=True,
)
def reliability(table, result):
    """Reliability curve; on the dashed line probabilities mean what they say."""
    weight = table["count"] / table["count"].sum()
    sure, right = (weight * table["sure"]).sum(), (weight * table["right"]).sum()
    title = (
        f"{100 * sure:.3g} % sure, {100 * right:.3g} % right on the {IN_WORDS[judged(result)]} set"
    )
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart(frame(table)).encode(
        x=alt.X("sure:Q", title="probability of the predicted class", scale=scale),
        tooltip=["sure", "right", "low", "high", "count"],
        color=alt.value(RAMP[0]),
    )
    bars = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title="share that is right", scale=scale), y2="high:Q"
    )
    dots = base.mark_point(filled=True, opacity=1).encode(
        y=alt.Y("right:Q", title="share that is right", scale=scale),
        size=alt.Size(
            "count:Q",
            title="samples",
            scale=alt.Scale(range=[30, 300]),
            legend=alt.Legend(tickCount=3),
        ),
    )
    ends = alt.Chart(frame({"e": [0.0, 1.0]})).mark_line(
        style="ink", strokeDash=[5, 4], strokeWidth=1
    )
    under = f"{who(result)}; bars: 95 % interval (Clopper-Pearson); dashed: as sure as right"
    return alt.layer(ends.encode(x="e:Q", y="e:Q"), bars, dots).properties(
        width=360, height=360, title=text_title(title, under)
    )


# ---------------------------------------------------------------- digits


def wrong_table(result, member=None, data=None):
    """A row a pixel of a wrong digit: place (0 for the surest), text ("8, not 3 (0.98)"), x, y,
    ink."""
    X, Y, P = predicted(result, member, data, judged(result))
    guess, true = P.argmax(axis=1), Y.argmax(axis=1)
    wrong = np.flatnonzero(guess != true)
    wrong = wrong[np.argsort(-P[wrong, guess[wrong]], kind="stable")][:IMAGES]
    side = int(X.shape[1] ** 0.5)
    texts = [
        f"{result.classes[guess[i]]}, not {result.classes[true[i]]} ({P[i, guess[i]]:.2f})"
        for i in wrong
    ]
    y, x = np.divmod(np.arange(side * side), side)
    return {
        "place": np.repeat(np.arange(len(wrong)), side * side),
        "text": np.repeat(np.array(texts, dtype=str), side * side),
        "x": np.tile(x, len(wrong)),
        "y": np.tile(y, len(wrong)),
        "ink": X[wrong].ravel(),
    }


def some_wrong(result):
    """The need of digits, and of a wrong one among them."""
    if result.task != 2:
        return "the samples are not the digits of task 2"
    name = judged(result)
    right = result.best[f"{name}_accuracy"]
    return f"no {IN_WORDS[name]} digit is wrong" if right == 1 else None


@figure("the digits that the network gets wrong", wrong_table, first_reason(some_wrong, network))
def wrong_digits(table, result):
    """The wrong digits of the set that judges, those first of which the network was surest."""
    name = judged(result)
    n = len(result.split[name])
    count = round((1 - result.best[f"{name}_accuracy"]) * n)
    title = f"{count} of {n} {IN_WORDS[name]} digits wrong"
    axis = {"axis": None}
    image = (
        alt.Chart(frame(table))
        .mark_rect()
        .encode(
            x=alt.X("x:O", **axis),
            y=alt.Y("y:O", **axis),
            color=alt.Color("ink:Q", scale=alt.Scale(scheme="greys", domain=[0, 1]), legend=None),
        )
    )
    order = alt.EncodingSortField("place", op="min")
    chart = image.properties(width=72, height=72).facet(
        alt.Facet("text:N", title=None, sort=order), columns=6
    )
    under = f"{who(result)}; predicted, not true (its probability), the surest first"
    return chart.properties(title=text_title(title, under))
