"""A model as one ES module that needs nothing else, for browsers and node."""

import json
import re

import numpy as np

from fastnet.export import facts, proof
from fastnet.export.forms import ACTIVATIONS
from fastnet.export.text import block, fill

# In JavaScript numbers are doubles: float32 weights are read as such, and sums are in double.
MODULE = """\
// @title.@about
// x: @inputs numbers, as in the training data (scaling is done here):
@columns
//
// import { @names } from "./@file";

@arrays
@erfc
const activation = (z) => @activation;

/** z2 of the inputs x. */
export function outputs(x) {
  if (x.length !== @inputs) throw new RangeError(`x must have @inputs numbers, got ${x.length}`);
  const u = Array.from(x, (value, j) => @scaled);
  const h = W1.map((row, i) => activation(row.reduce((sum, w, j) => sum + w * u[j], b1[i])));
  return W2.map((row, o) => row.reduce((sum, w, i) => sum + w * h[i], b2[o]));
}
"""

NUMBERS = """
/** The predicted numbers, @count. */
export function predict(x) {
  return outputs(x).map((z2, o) => @unscaled);
}
"""

INTERVAL = """
const halfWidth = @half_width;

/** Lower and upper ends of intervals that hold the target with a probability of @percent. */
export function predictInterval(x) {
  const y = predict(x);
  const lower = y.map((value, o) => @lower);
  return { lower, upper: y.map((value, o) => value + halfWidth[o]) };
}
"""

LABELS = """
export const labels = @labels;

/** The label of each target: the second where its probability is above 1/2. */
export function predict(x) {
  return outputs(x).map((z2, o) => labels[o][z2 > 0 ? 1 : 0]);
}

/** The probability of the second label of each target. */
export function predictProba(x) {
  return outputs(x).map((z2) => 1 / (1 + Math.exp(-z2)));
}
"""

CLASSES = """
export const classes = @classes;

/** The most probable class. */
export function predict(x) {
  const z2 = outputs(x);
  return classes[z2.indexOf(Math.max(...z2))];
}

/** The probability of each class, in the order of `classes`: softmax of the outputs. */
export function predictProba(x) {
  const z2 = outputs(x);
  const largest = Math.max(...z2);
  const powers = z2.map((z) => Math.exp(z - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
"""

# Press et al., Numerical Recipes in C, 2nd edition, section 6.2: to 1.2e-7 of the value.
ERFC = """
function erfc(x) {
  const t = 1 / (1 + Math.abs(x) / 2);
  const terms = [
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418,
    0.37409196, 1.00002368, -1.26551223,
  ];
  const value = t * Math.exp(-x * x + terms.reduce((sum, term) => sum * t + term, 0));
  return x < 0 ? 2 - value : value;
}
"""

TESTS = """
const tests = {
  x: @x,
  y: @y,
  bound: @bound,
};

/** How many of @rows rows of the data do not come out as in fastnet: 0 if all is right. */
export function selftest() {
  const wrong = (y, t) =>
    !y.every((value, o) => Math.abs(value - tests.y[t][o]) <= tests.bound[t][o]);
  return tests.x.filter((x, t) => wrong(@tested(x), t)).length;
}
"""


def contents(model, path, told):
    """The one file."""
    return {path.name: module(model, path.name, told.about, told.interval).encode()}


def module(model, name, about=(), interval=None):
    """The module as text."""
    arrays, tests = facts.constants(model), proof.tests(model, np.float64)
    activation = in_javascript(ACTIVATIONS[model.activation].c)
    probabilities = model.classes is not None or bool(model.labels)
    texts = {
        "title": facts.title(model),
        "about": "".join(f"\n// {facts.harmless(line)}" for line in about),
        "inputs": len(model.features),
        "columns": "\n".join(f"//     {line}" for line in facts.input_lines(model, "x[{}]")),
        "names": "predict, predictProba" if probabilities else "predict",
        "file": name,
        "arrays": "\n".join(array_code(*item) for item in arrays.items()),
        "erfc": ERFC if "erfc" in activation else "",
        "activation": activation,
        "scaled": facts.scaled_code(
            arrays, "value", "Math.min(Math.max({}, x_least[j]), x_most[j])"
        ),
        "unscaled": unscaled_code(model, arrays),
        "count": len(model.targets) or 1,
        "classes": json.dumps(None if model.classes is None else model.classes.tolist()),
        "labels": json.dumps([list(pair) for pair in model.labels]),
        "rows": len(tests.X),
        "tested": "predictProba" if probabilities else "predict",
        **{name: json.dumps(array.tolist()) for name, array in zip(("x", "y", "bound"), tests)},
    }
    predict = NUMBERS if model.classes is None else CLASSES
    predict = LABELS if model.labels else predict
    if interval:
        predict += INTERVAL
        texts["names"] += ", predictInterval"
        texts |= interval_texts(interval)
    return fill(MODULE + predict + TESTS * bool(len(tests.X)), texts)


def interval_texts(interval):
    """The texts of the function of intervals."""
    lower = "value - halfWidth[o]"
    return {
        "percent": interval.percent(),
        "half_width": block(interval.half_width, "[", "]"),
        "lower": lower if interval.least is None else f"Math.max({lower}, 0)",
    }


def in_javascript(code):
    """An expression of C in JavaScript; erfc is defined in the module."""
    names = {"fabs": "Math.abs", "erfc": "erfc"}
    return re.sub(r"\b([a-z]\w*)(?=\()", lambda f: names.get(f[1], f"Math.{f[1]}"), code)


def array_code(key, array):
    """const W1 = [...], rows of the weights' dtype."""
    kind = f"Float{8 * array.itemsize}Array"
    if array.ndim == 1:
        return f"const {key} = {kind}.from({block(array, '[', ']')});"
    return f"const {key} = {block(array, '[', ']')}.map((row) => {kind}.from(row));"


def unscaled_code(model, arrays):
    """The predicted number from z2."""
    code = "Math.exp(z2)" if facts.link(model) == "exp" else "z2"
    return f"{code} * y_scale[o] + y_shift[o]" if "y_shift" in arrays else code
