"""The contents of an export: a model's arrays, their sizes, its output, the model in words."""

import json
from typing import NamedTuple

import numpy as np

import fastnet
from fastnet.data.checks import unnamed_features
from fastnet.errors import UsageError
from fastnet.options.methods import EXP, LOSSES
from fastnet.results.intervals import calibration_of

WITH_LEVELS = ("category", "ordinal")  # kinds of columns that hold texts


# ---------------------------------------------------------------- arrays


def scaling(model):
    """x_shift, x_scale, y_shift and y_scale by name, without the pairs that change nothing."""
    arrays = {}
    for side in ("x", "y"):
        shift, scale = getattr(model, f"{side}_shift"), getattr(model, f"{side}_scale")
        if (shift != 0).any() or (scale != 1).any():
            arrays |= {f"{side}_shift": shift, f"{side}_scale": scale}
    return arrays


def has_levels(model):
    """Whether a column of the model has texts."""
    return any(column.kind in WITH_LEVELS for column in model.columns)


def examples(model):
    """Inputs (n, d) of the rows that the model keeps, perhaps none."""
    return model.examples.reshape(-1, len(model.features))


def scaled_code(arrays, x, cut):
    """The scaled input j in JavaScript or Structured Text, from code for x and its cut."""
    x = cut.format(x) if "x_least" in arrays else x
    return f"({x} - x_shift[j]) / x_scale[j]" if "x_shift" in arrays else x


def limits(model):
    """x_least and x_most by name, where inputs are cut; empty if they are not."""
    return {} if model.limits is None else model.limits._asdict()


def constants(model):
    """Every array of numbers of the model by name."""
    return model.weights._asdict() | limits(model) | scaling(model)


def sizes(model):
    """Counts, bytes and multiply-adds: the size of the model and the work of one prediction."""
    (n1, d), k = model.weights.W1.shape, len(model.weights.b2)
    return {
        "inputs": d,
        "n1": n1,
        "outputs": k,
        "dtype": str(model.weights.W1.dtype),
        "parameters": sum(array.size for array in model.weights),
        "constant_bytes": sum(array.nbytes for array in constants(model).values()),
        "working_bytes": 8 * (d + k),
        "multiply_adds": n1 * d + k * n1,
    }


# ---------------------------------------------------------------- the loss's output


def link(model):
    """How a predicted number comes from z2: "exp", "sigmoid" (probabilities of labels) or ""."""
    if model.labels:
        return "sigmoid"
    return "exp" if LOSSES[model.loss].link == EXP else ""


def with_all_logits(model):
    """The model with one logit per class; if a single logit is learned, the other is 0."""
    if not model.has_one_logit:
        return model
    W2, b2 = model.weights.W2, model.weights.b2
    zeros = np.zeros_like(W2)
    weights = model.weights._replace(W2=np.vstack([zeros, W2]), b2=np.append(zeros[0, :1], b2))
    scaling = model.scaling._replace(y_shift=np.zeros(2), y_scale=np.ones(2))
    schema = model.schema._replace(loss="cross_entropy", scaling=scaling)
    return model._replace(weights=weights, schema=schema)


class Interval(NamedTuple):
    """An interval around each predicted number: its level, half its width (k,), its least end."""

    level: float
    half_width: np.ndarray
    least: float | None

    def percent(self):
        """The level as people write it."""
        return f"{100 * self.level:g} %"


def interval_lines(model, interval):
    """One line per target on its interval, for exports that have no function of it."""
    if not interval:
        return []
    names = [quoted(name) for name in model.targets or ("y",)]
    chance = f"holds it with a probability of {interval.percent()}"
    return [
        f"{name}: the prediction plus or minus {half:.6g} {chance}"
        for name, half in zip(names, interval.half_width.tolist())
    ]


def interval(model, level):
    """The Interval of a model that predicts numbers; None without a level."""
    if level is None:
        return None
    calibration = calibration_of(model)
    if model.classes is not None:
        raise UsageError(
            f"interval {level:g}: classes have sets in place of intervals, which are not exported; "
            "the exports have the probabilities."
        )
    return Interval(level, calibration.half_width(level), 0.0 if model.predicts_counts else None)


# ---------------------------------------------------------------- in words


def title(model):
    """The network in one line."""
    size = sizes(model)
    outputs = f"outputs {size['outputs']}"
    if model.classes is not None:
        outputs = f"classes {size['outputs']} (softmax)"
    if model.labels:
        outputs = f"labels {size['outputs']} (sigmoid)"
    return (
        f"Inputs {size['inputs']}, hidden units {size['n1']} ({model.activation}), "
        f"{outputs}, {size['dtype']}; made by fastnet {fastnet.__version__}"
    )


def input_lines(model, place):
    """One line per input: `place` with its number, then its meaning, one-hot for a category."""
    if not model.columns and model.features == unnamed_features(len(model.features)):
        return ["in the order of the training data"]
    if not model.columns:
        return [f"{place.format(j)} {quoted(name)}" for j, name in enumerate(model.features)]
    meanings = [line for column in model.columns for line in column_meanings(column)]
    return [f"{place.format(j)} {meaning}" for j, meaning in enumerate(meanings)]


def output_lines(model, place):
    """One line per label: `place` with its number, then the target and label it is of."""
    return [f"{place.format(o)} {quoted(name)}" for o, name in enumerate(model.probability_names())]


def column_meanings(column):
    """The meaning of each input that comes from a column of a table."""
    name = quoted(column.name)
    if column.kind == "number":
        return [name]
    if column.kind == "boolean":
        return [f"{name}: 1 if true, else 0"]
    if column.kind == "ordinal":
        levels = (f"{j} = {quoted(level)}" for j, level in enumerate(column.categories))
        return [f"{name}: {', '.join(levels)}"]
    if column.kind == "date":
        return [f"{name}: {part} in UTC" for part in column.categories]
    return [f"{name}: 1 if {quoted(category)}, else 0" for category in column.categories]


def quoted(text):
    """A name or category in ASCII between quotes, safe in any comment."""
    return harmless(json.dumps(str(text)))


def harmless(text):
    """The text in ASCII without what begins or ends a comment."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return plain.replace("*/", "* /").replace("/*", "/ *")
