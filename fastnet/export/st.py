"""A model as a function block in Structured Text (IEC 61131-3), for programmable controllers."""

import re
import textwrap

import numpy as np

from fastnet.errors import UsageError
from fastnet.export import facts, proof
from fastnet.export.text import digits, fill, identifier

# Numbers are LREAL, doubles. Arrays have one dimension, which every controller knows.
BLOCK = """\
(* @title.@about
   x[j], as in the training data (scaling is done here):
@columns
   y[o]:
@meanings
   For example, for x = @example *)
FUNCTION_BLOCK @name
VAR_INPUT
    x : ARRAY[0..@last_input] OF LREAL;
END_VAR
VAR_OUTPUT
    y : ARRAY[0..@last_output] OF LREAL;@outputs
END_VAR
VAR
    i, j, o : INT;
    z : LREAL;
    u : ARRAY[0..@last_input] OF LREAL;@variables
END_VAR
VAR CONSTANT
@arrays
END_VAR

FOR j := 0 TO @last_input DO
    u[j] := @scaled;
END_FOR;
FOR o := 0 TO @last_output DO
    y[o] := b2[o];
END_FOR;
FOR i := 0 TO @last_unit DO
    z := b1[i];
    FOR j := 0 TO @last_input DO
        z := z + W1[i * @inputs + j] * u[j];
    END_FOR;
@activation
    FOR o := 0 TO @last_output DO
        y[o] := y[o] + W2[o * @n1 + i] * z;
    END_FOR;
END_FOR;
@rest
END_FUNCTION_BLOCK
"""

LINKS = {
    "": "y[o]",
    "exp": "EXP(y[o])",
    "sigmoid": "1.0 / (1.0 + EXP(-y[o]))",
}
EACH = """\
FOR o := 0 TO @last_output DO
    y[o] := @value;
END_FOR;"""
CLASSES = """\
largest := y[0];
best := 0;
FOR o := 1 TO @last_output DO
    IF y[o] > largest THEN
        largest := y[o];
        best := o;
    END_IF;
END_FOR;
total := 0.0;
FOR o := 0 TO @last_output DO
    y[o] := EXP(y[o] - largest);
    total := total + y[o];
END_FOR;
FOR o := 0 TO @last_output DO
    y[o] := y[o] / total;
END_FOR;"""
# z := s(z). EXP must not overflow: a controller may stop.
STEPS = {
    "sigmoid": "z := 1.0 / (1.0 + EXP(MIN(-z, 700.0)));",
    "tanh": "z := 1.0 - 2.0 / (1.0 + EXP(MIN(2.0 * z, 700.0)));",
    "relu": "z := MAX(z, 0.0);",
    "identity": "",
    "leaky_relu": "z := MAX(z, 0.01 * z);",
    "elu": "z := MAX(z, 0.0) + EXP(MIN(z, 0.0)) - 1.0;",
    "softplus": "z := MAX(z, 0.0) + LN(1.0 + EXP(-ABS(z)));",
    "silu": "z := z / (1.0 + EXP(MIN(-z, 700.0)));",
    "sin": "z := SIN(z);",
}


def contents(model, path, told):
    """The one file; the block has the name of the file."""
    if model.activation not in STEPS:
        raise UsageError(
            f"activation {model.activation} cannot be written in Structured Text; "
            f"{', '.join(STEPS)} can."
        )
    return {path.name: block_of(model, identifier(path.stem), told).encode()}


def block_of(model, name, told):
    """The function block of that name."""
    arrays, tests = facts.constants(model), proof.tests(model, np.float64)
    (n1, d), k = model.weights.W1.shape, len(model.weights.b2)
    classes = model.classes is not None
    texts = {
        "title": facts.title(model),
        "about": "".join(f"\n   {comment(line)}." for line in told.about),
        "columns": lines_of(facts.input_lines(model, "x[{}]")),
        "meanings": lines_of([*meanings(model), *facts.interval_lines(model, told.interval)]),
        "example": comment(example(tests)),
        "name": name,
        "last_input": d - 1,
        "last_output": k - 1,
        "last_unit": n1 - 1,
        "inputs": d,
        "n1": n1,
        "outputs": "\n    best : INT;" if classes else "",
        "variables": "\n    largest, total : LREAL;" if classes else "",
        "arrays": "\n".join(array_code(*item) for item in arrays.items()),
        "scaled": facts.scaled_code(arrays, "x[j]", "MIN(MAX({}, x_least[j]), x_most[j])"),
        "activation": textwrap.indent(STEPS[model.activation], "    "),
        "value": unscaled_code(model, arrays),
    }
    texts["rest"] = fill(CLASSES if classes else EACH, texts)
    return re.sub(r"\n\n+", "\n\n", fill(BLOCK, texts))


def comment(text):
    """The text in ASCII without what begins or ends a comment of Structured Text."""
    return facts.harmless(text).replace("*)", "* )").replace("(*", "( *")


def lines_of(texts):
    """Lines of a comment."""
    return "\n".join(f"     {comment(text)}" for text in texts)


def meanings(model):
    """One line per output."""
    if model.classes is not None:
        labels = model.classes.tolist()
        each = [f"y[{o}] the probability of {facts.quoted(t)}" for o, t in enumerate(labels)]
        return [*each, "best: the number of the most probable class"]
    if model.labels:
        return facts.output_lines(model, "y[{}] the probability of")
    return [f"y[{o}] {facts.quoted(name)}" for o, name in enumerate(model.targets or ("y",))]


def example(tests):
    """The first test in words, if it has few numbers."""
    if len(tests.X) == 0 or tests.X.shape[1] > 8:
        return "0, 0, ..., see the other exports."
    x, y = (", ".join(f"{v:.9g}" for v in values) for values in (tests.X[0], tests.Y[0]))
    return f"{x} y is {y}."


def array_code(key, array):
    """W1 : ARRAY[0..5] OF LREAL := [...];"""
    numbers = textwrap.fill(
        ", ".join(digits(array.reshape(-1).astype(np.float64))),
        96,
        initial_indent="        ",
        subsequent_indent="        ",
    )
    return f"    {key} : ARRAY[0..{array.size - 1}] OF LREAL := [\n{numbers}];"


def unscaled_code(model, arrays):
    """The predicted number from y[o], which is z2."""
    code = LINKS[facts.link(model)]
    return f"{code} * y_scale[o] + y_shift[o]" if "y_shift" in arrays else code
