"""The common parts of a network's figures: predictions, names, snapshots and their slider."""

import numpy as np

from fastnet.engine.layout import Weights
from fastnet.figures import base, style
from fastnet.figures.style import CLASSES, alt, text_title

OUTPUTS = 6  # at most this many outputs are drawn


# ---------------------------------------------------------------- obstacles


def no_weights(result):
    """Obstacle: there are no weights to draw."""
    if not result.packed:
        return "the weights were not kept (--keep none)"
    if result.best["stop_reason"] == "diverged" and not np.isfinite(result.weights().W1).all():
        return "the best member diverged"
    return None


def other_inputs_than(count):
    """Obstacle: the run does not have `count` inputs."""

    def obstacle(result):
        d = len(result.features)
        return None if d == count else f"the run has {d} inputs, not {count}"

    return obstacle


# ---------------------------------------------------------------- predictions and names


def outputs_of(model, X):
    """Predictions (n, k): numbers, or probabilities of the classes or labels."""
    if predicts_numbers(model):
        return model.predict(X).reshape(len(X), -1)
    return model.predict_proba(X)


def predicts_numbers(described):
    """Whether a model or result predicts numbers, not classes or labels."""
    return described.classes is None and not described.labels


def output_names(result, k):
    """Names of the k outputs."""
    if result.classes is not None:
        return [str(name) for name in result.classes]
    return list(result.targets) or ["y"] * (k == 1) or [f"y{i}" for i in range(k)]


def member_label(result, member=None):
    """A member in a few words."""
    record = result.members[result.best_member if member is None else member]
    return f"N1 = {record['n1']}, seed {record['seed']}"


# ---------------------------------------------------------------- snapshots


def snapshots(result, member=None, most=12):
    """Epochs and models of a member during training; the kept weights come last.

    Only the kept weights unless the option record asks for snapshots.
    """
    model = result.model(member)
    member = result.best_member if member is None else member
    best_epoch = int(result.members["best_epoch"][member])
    found, recorded = [], result.recorded["snapshots"]
    if "snapshots" in result.options["record"]:
        earlier = (recorded["member"] == member) & (recorded["epoch"] < best_epoch)
        chosen = base.evenly(np.flatnonzero(earlier), most)
        epochs = [int(epoch) for epoch in recorded["epoch"][chosen]]
        models = [model._replace(weights=snapshot_weights(recorded, i)) for i in chosen]
        found = list(zip(epochs, models))
    return [*found, (best_epoch, model)]


def snapshot_weights(recorded, i):
    """The weights of the snapshot at place i."""
    ends = np.cumsum(recorded["n1"])
    rows = slice(ends[i] - recorded["n1"][i], ends[i])
    W1, b1, W2 = (recorded[name][rows] for name in ("W1", "b1", "W2"))
    return Weights(W1, b1, W2.T, recorded["b2"][i])


def with_slider(chart, result, epochs, title, *under):
    """The chart with its title and, if there are several snapshots, a slider over them."""
    title = text_title(title, member_label(result), *under)
    if len(epochs) > 1:
        chart = chart.add_params(slider(len(epochs)))
    return chart.properties(title=title)


def slider(count):
    """The parameter `snapshot` of a chart: which is shown, at first the last, the kept weights."""
    last = count - 1
    bind = alt.binding_range(min=0, max=last, step=1, name="training, snapshot ")
    return alt.param(name="snapshot", value=last, bind=bind)


# ---------------------------------------------------------------- axes and colours


def input_axis(result, table):
    """The horizontal axis of the only input."""
    low, high = table["x"].min(), table["x"].max()
    return alt.X("x:Q", **style.linear_axis(low, high, result.features[0]))


def class_scale():
    """The colours of classes, outputs and units."""
    return alt.Scale(range=list(CLASSES))


def epoch_text(curve):
    """The epoch of the shown snapshot, in the corner."""
    epoch = curve.transform_aggregate(epoch="max(epoch)")
    epoch = epoch.transform_calculate(text="'epoch ' + datum.epoch")
    text = epoch.mark_text(style="ink", align="right", baseline="top", dx=-6, dy=6)
    return text.encode(x=alt.value("width"), y=alt.value(0), text="text:N")
