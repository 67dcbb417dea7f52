"""A small model as a formula: of Python, of a spreadsheet, of JavaScript, or for a paper."""

import keyword
import re

import numpy as np

from fastnet.errors import UsageError, quoted
from fastnet.export import facts
from fastnet.export.text import identifier
from fastnet.options.table import FORMULAS as LANGUAGES

MOST_UNITS = 16
EXCEL_LIMIT = 8192  # characters of a formula, by Microsoft's "Excel specifications and limits"
# s(z) with the functions of NAMES; none of them overflows for large z.
ACTIVATIONS = {
    "sigmoid": "(1 + tanh(z / 2)) / 2",
    "tanh": "tanh(z)",
    "relu": "max(z, 0)",
    "identity": "z",
    "leaky_relu": "max(z, 0.01 * z)",
    "elu": "(max(z, 0) + exp(min(z, 0)) - 1)",
    "softplus": "(max(z, 0) + log(1 + exp(-abs(z))))",
    "gelu": "z * normal(z)",
    "silu": "z * (1 + tanh(z / 2)) / 2",
    "sin": "sin(z)",
}
FUNCTIONS = ("tanh", "max", "min", "exp", "abs", "log", "sin", "normal")
# What the functions are called where that is not their own name.
NAMES = {
    "python": {name: f"math.{name}" for name in ("tanh", "exp", "log", "sin")},
    "js": {name: f"Math.{name}" for name in FUNCTIONS},
    "excel": {name: name.upper() for name in FUNCTIONS} | {"log": "LN"},
    "latex": {},
}
# The normal distribution's probability below z.
NORMAL = {"python": "math.erfc(-({z}) / math.sqrt(2)) / 2", "excel": "NORM.S.DIST({z},TRUE)"}
WORDS = {*keyword.kwlist} | set(
    """arguments await case catch const debugger default delete do enum eval export extends function
    implements instanceof interface let new package private protected public static super switch
    this throw typeof var void yield null true false""".split()
)
LATEX = {
    "sigmoid": r"s(z) = \frac{1}{1 + e^{-z}}",
    "tanh": r"s(z) = \tanh z",
    "relu": r"s(z) = \max(z, 0)",
    "identity": "s(z) = z",
    "leaky_relu": r"s(z) = \max(z, 0.01 z)",
    "elu": r"s(z) = \max(z, 0) + e^{\min(z, 0)} - 1",
    "softplus": r"s(z) = \ln(1 + e^z)",
    "gelu": r"s(z) = z \Phi(z)",
    "silu": r"s(z) = \frac{z}{1 + e^{-z}}",
    "sin": r"s(z) = \sin z",
}
ENDINGS = {"python": ".py", "excel": ".txt", "latex": ".tex", "js": ".mjs"}
COMMENTS = {"python": "# ", "excel": "", "latex": "% ", "js": "// "}


def contents(model, path, told):
    """The one file."""
    refuse(model, told.language)
    lines = [facts.title(model), *told.about, *meanings(model, told.language)]
    lines += facts.interval_lines(model, told.interval)
    head = "\n".join(COMMENTS[told.language] + facts.harmless(line) for line in lines)
    body = WRITERS[told.language](folded(model))
    return {path.name: f"{head}\n\n{body}\n".encode()}


def folded(model):
    """The model with its scaling in the weights, in float64."""
    weights = type(model.weights)(*(array.astype(np.float64) for array in model.weights))
    model = model._replace(weights=weights)
    return model.folded() if model.can_be_folded() else model


def refuse(model, language):
    """Refuse models that are no formula."""
    if language not in LANGUAGES:
        raise UsageError(f"language must be one of {', '.join(LANGUAGES)}, got {quoted(language)}.")
    n1 = len(model.weights.b1)
    if n1 > MOST_UNITS:
        raise UsageError(
            f"--to formula is for at most {MOST_UNITS} hidden units, and this network has {n1}; "
            "choose a smaller one with --n1 or --member, or --to numpy."
        )
    if model.means_are_shifted():
        raise UsageError(
            "loss poisson with a shift cannot be written as a formula; use --to numpy."
        )
    if language == "js" and model.activation == "gelu":
        raise UsageError("JavaScript has no normal distribution for gelu; take --to js.")


def meanings(model, language):
    """What the inputs and the outputs are."""
    place = {"python": "x{}", "js": "x{}", "latex": "x_{{{}}}", "excel": "{}"}[language]
    lines = facts.input_lines(model, place)
    if language == "excel":
        lines = (
            [f"{cell(int(number))} {rest}" for number, rest in (t.split(" ", 1) for t in lines)]
            if lines[0].startswith("0 ")
            else ["inputs in A2, B2, ..., " + lines[0]]
        )
    return [*lines, *(f"{name}: {what}" for name, what in zip(names(model), outputs_of(model)))]


def outputs_of(model):
    """What each formula gives."""
    if model.labels:
        return [f"the probability of {facts.quoted(t)}" for t in model.probability_names()]
    if model.classes is None:
        return [f"the predicted {facts.quoted(name)}" for name in model.targets or ("y",)]
    labels = [facts.quoted(label) for label in model.classes.tolist()]
    if len(labels) == 2:
        return [f"the probability of {labels[1]}; {labels[0]} has the rest"]
    return [f"the score of {label}; the largest score is the prediction" for label in labels]


def names(model):
    """A name for each formula."""
    if model.labels:
        return unique(model.targets)
    if model.classes is None:
        return unique(model.targets or ("y",))
    labels = model.classes.tolist()
    return ["p"] if len(labels) == 2 else [f"score_{o}" for o in range(len(labels))]


def unique(targets):
    """Names that are none twice, no inputs' and no words of Python or JavaScript."""
    found = [identifier(str(name)) for name in targets]
    used = [n for n in found if re.fullmatch(r"x\d+|math|Math|z", n) or n in WORDS]
    clash = used or len({*found}) < len(found)
    return [f"y{o}" for o in range(len(found))] if clash else found


# ---------------------------------------------------------------- formulas


def formulas(model, language, inputs):
    """One formula per output, of inputs with these names."""
    W1, b1, W2, b2 = (array.astype(np.float64) for array in model.weights)
    W2, b2, probability = as_one_logit(model, W2, b2)
    inputs = [cut(model, j, name) for j, name in enumerate(inputs)]
    hidden = [unit(model.activation, linear(b, row, inputs)) for b, row in zip(b1, W1)]
    for b, row in zip(b2, W2):
        text = linear(b, row, hidden)
        if probability:
            text = ACTIVATIONS["sigmoid"].replace("z", f"({text})")
        elif facts.link(model) == "exp":
            text = f"exp({text})"
        yield translated(text, language)


def as_one_logit(model, W2, b2):
    """W2, b2 and whether the outputs are probabilities: two classes are one logit."""
    if model.classes is None or len(model.classes) > 2:
        return W2, b2, bool(model.labels)
    if len(b2) == 2:
        W2, b2 = W2[1:] - W2[:1], b2[1:] - b2[:1]
    return W2, b2, True


def cut(model, j, name):
    """An input, between the limits if there are any."""
    if model.limits is None:
        return name
    least, most = (repr(float(bound[j])) for bound in model.limits)
    return f"min(max({name}, {least}), {most})"


def linear(constant, weights, terms):
    """constant + w1 * t1 + ..."""
    parts = [f"{float(w)!r} * {t}" for w, t in zip(weights, terms)]
    return " + ".join([repr(float(constant)), *parts]).replace("+ -", "- ")


def unit(activation, z):
    """A hidden unit: s(z)."""
    return re.sub(r"\bz\b", lambda _: f"({z})", ACTIVATIONS[activation])


def translated(text, language):
    """The formula with the names that functions have in that language."""
    while found := re.search(r"normal\(", text):
        end = closing(text, found.end() - 1)
        z = text[found.end() : end]
        text = text[: found.start()] + NORMAL[language].format(z=z) + text[end + 1 :]
    table = NAMES[language]
    return re.sub(r"\b([a-z]+)(?=\()", lambda found: table.get(found[1], found[1]), text)


def closing(text, start):
    """The place of the bracket that closes the one at `start`."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise ValueError(text)


# ---------------------------------------------------------------- languages


def in_python(model):
    """A function for each output."""
    arguments = [f"x{j}" for j in range(len(model.features))]
    texts = zip(names(model), formulas(model, "python", arguments))
    lines = [f"def {name}({', '.join(arguments)}):\n    return {text}" for name, text in texts]
    return "import math\n\n\n" + "\n\n\n".join(lines)


def in_javascript(model):
    """An exported function for each output."""
    arguments = [f"x{j}" for j in range(len(model.features))]
    texts = zip(names(model), formulas(model, "js", arguments))
    lines = (f"export const {n} = ({', '.join(arguments)}) =>\n  {text};" for n, text in texts)
    return "\n\n".join(lines)


def in_excel(model):
    """A formula of row 2 for each output, to be filled down."""
    texts = []
    for name, text in zip(
        names(model), formulas(model, "excel", map(cell, range(len(model.features))))
    ):
        text = "=" + re.sub(r"(?<=\d)e([+-]\d+)", r"E\1", text).replace(" ", "")
        if len(text) > EXCEL_LIMIT:
            raise UsageError(
                f"the formula of {name} has {len(text):,} characters, and Excel takes "
                f"{EXCEL_LIMIT:,}; choose a smaller network with --n1 or --member."
            )
        texts.append(text)
    return "\n\n".join(texts)


def cell(column):
    """The cell of row 2 of a column counted from 0.

    Examples
    --------
    >>> cell(0), cell(25), cell(26), cell(701), cell(702)
    ('A2', 'Z2', 'AA2', 'ZZ2', 'AAA2')
    """
    letters, number = "", column + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}2"


def in_latex(model):
    """An equation for each output, and s(z)."""
    W1, b1, W2, b2 = (array.astype(np.float64) for array in model.weights)
    W2, b2, probability = as_one_logit(model, W2, b2)
    inputs = [f"x_{{{j}}}" for j in range(W1.shape[1])]
    if model.limits is not None:
        inputs = [rf"\bar{{{name}}}" for name in inputs]
    hidden = [rf"s\left({sum_in_latex(b, row, inputs)}\right)" for b, row in zip(b1, W1)]
    lines = []
    for name, b, row in zip(names(model), b2, W2):
        text = " \\\\\n  &\\quad ".join(sum_in_latex(b, row, hidden, "\n").split("\n"))
        name = rf"\mathrm{{{name}}}".replace("_", r"\_")
        lines.append(
            f"\\begin{{aligned}}\n  {left_in_latex(model, name, probability)} &= {text}\n"
            "\\end{aligned}"
        )
    return "\n\n".join([*lines, LATEX[model.activation], *limits_in_latex(model)])


def left_in_latex(model, name, probability):
    """The left side of an equation."""
    if probability:
        return rf"\ln\frac{{{name}}}{{1 - {name}}}"
    return rf"\ln {name}" if facts.link(model) == "exp" else name


def sum_in_latex(constant, weights, terms, between=""):
    """constant + w1 t1 + ... with 6 digits."""
    parts = [f"{number_in_latex(w)} {t}" for w, t in zip(weights, terms)]
    return f" {between}+ ".join([number_in_latex(constant), *parts]).replace("+ -", "- ")


def number_in_latex(value):
    """A number with 6 digits.

    Examples
    --------
    >>> number_in_latex(1234567.0), number_in_latex(-0.5)
    ('1.23457 \\\\cdot 10^{6}', '-0.5')
    """
    text = f"{value:.6g}"
    digits, exponent, power = text.partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if exponent else text


def limits_in_latex(model):
    """What the inputs with a bar are."""
    if model.limits is None:
        return []
    return [
        rf"\bar{{x_{{{j}}}}} = \min(\max(x_{{{j}}}, {number_in_latex(a)}), {number_in_latex(b)})"
        for j, (a, b) in enumerate(zip(*model.limits))
    ]


WRITERS = {"python": in_python, "js": in_javascript, "excel": in_excel, "latex": in_latex}
