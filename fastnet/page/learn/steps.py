"""The forward and the backward pass in steps: what is lit, what is known, the formulas."""

from typing import NamedTuple

from fastnet.page.learn.numbers import factor, tex

# s'(z1) as the derivation has it, where it can be had from h alone.
SLOPES = {
    "sigmoid": lambda h: (r"h_{u}\,(1 - h_{u})", rf"{factor(h)} \cdot (1 - {factor(h)})"),
    "tanh": lambda h: (r"1 - h_{u}^2", rf"1 - {factor(h)}^2"),
}
VALUES = {
    "sigmoid": r"\dfrac{1}{1 + e^{-z}}",
    "tanh": r"\tanh z",
    "relu": r"\max(z, 0)",
    "sin": r"\sin z",
}
MEAN = r"\tfrac{1}{n}\textstyle\sum_{\text{samples}}"


class Step(NamedTuple):
    """A step of a pass.

    Keys of `lit` and `known`: ("x", j), ("h", u) and ("y", i) for units, ("W1", u, j), ("b1", u),
    ("W2", i, u) and ("b2", i) for parameters. `lit` are drawn strongly; the values of the known
    units, or the gradients of the known parameters, are written into the drawing.
    """

    title: str
    words: str
    formulas: list
    lit: frozenset
    known: frozenset


def accumulated(parts):
    """Steps whose known keys include those of all steps before them."""
    known, steps = frozenset(), []
    for title, words, formulas, lit, new in parts:
        known |= frozenset(new)
        steps.append(Step(title, words, formulas, frozenset(lit), known))
    return steps


def indexed(name, count, *places):
    """A symbol with its indices from 1; without those of a layer that has one unit."""
    kept = [str(place + 1) for place, size in zip(places, count) if size > 1]
    return f"{name}_{{{','.join(kept)}}}" if kept else name


# ---------------------------------------------------------------- forward


def forward_steps(p):
    """The steps of a forward pass of one sample."""
    return accumulated([sample_step(p), *hidden_steps(p), *output_steps(p), loss_step(p)])


def sample_step(p):
    d = p.X.shape[1]
    formulas = [f"{indexed('x', [d], j)} = {tex(p.X[0, j])}" for j in range(d)]
    inputs = [("x", j) for j in range(d)]
    return "The sample", "The inputs of the sample enter the network.", formulas, inputs, inputs


def hidden_steps(p):
    """Per hidden unit: weigh the inputs, add the bias, bend the sum."""
    n1, d = p.net.W1.shape
    for u in range(n1):
        z, h = rf"z1_{{{u + 1}}}", rf"h_{{{u + 1}}}"
        symbols = [rf"{indexed('W1', [2, d], u, j)}\,{indexed('x', [d], j)}" for j in range(d)]
        products = [rf"{factor(p.net.W1[u, j])} \cdot {factor(p.X[0, j])}" for j in range(d)]
        formulas = [
            rf"{z} = {' + '.join(symbols)} + b1_{{{u + 1}}} = {' + '.join(products)} "
            rf"+ {factor(p.net.b1[u])} = {tex(p.Z1[0, u])}",
            rf"{h} = s({z}) = s({tex(p.Z1[0, u])}) = {tex(p.H[0, u])}",
        ]
        words = (
            "The unit multiplies what comes in by the weight of its connection, adds its bias, and "
            "the activation s makes its output of the sum."
        )
        edges = [("W1", u, j) for j in range(d)]
        yield f"Hidden unit {u + 1}", words, formulas, [*edges, ("b1", u), ("h", u)], [("h", u)]


def output_steps(p):
    """Per output: the weighted sum of what the hidden units give; of one output edge by edge."""
    k, n1 = p.net.W2.shape
    if k == 1:
        yield from one_output(p)
        return
    for i in range(k):
        z = rf"z2_{{{i + 1}}}"
        symbols = " + ".join(rf"W2_{{{i + 1},{u + 1}}}\,h_{{{u + 1}}}" for u in range(n1))
        products = " + ".join(
            rf"{factor(p.net.W2[i, u])} \cdot {factor(p.H[0, u])}" for u in range(n1)
        )
        formulas = [
            rf"{z} = {symbols} + b2_{{{i + 1}}}",
            rf"{z} = {products} + {factor(p.net.b2[i])} = {tex(p.Z2[0, i])}",
        ]
        words = "The output adds up what all hidden units give, each times its weight."
        lit = [*(("W2", i, u) for u in range(n1)), ("b2", i), ("y", i)]
        yield f"Output {i + 1}", words, formulas, lit, [("y", i)]


def one_output(p):
    """The output's sum, connection by connection."""
    n1, total = p.net.W2.shape[1], float(p.net.b2[0])
    for u in range(n1):
        begun, part = total, float(p.net.W2[0, u] * p.H[0, u])
        total += part
        formulas = [
            rf"W2_{{{u + 1}}}\,h_{{{u + 1}}} = {factor(p.net.W2[0, u])} \cdot "
            rf"{factor(p.H[0, u])} = {tex(part)}",
            rf"\text{{sum so far}} = {tex(begun)} + {factor(part)} = {tex(total)}",
        ]
        words = (
            "The output begins with its bias b2 and adds what comes through each connection. After "
            "the last one the sum is the network's output."
        )
        known = [("y", 0)] if u == n1 - 1 else []
        if known:
            formulas.append(rf"\hat y = {tex(p.outputs[0, 0])}")
        lit = [("W2", 0, u), ("h", u), *known, ("b2", 0)]
        yield f"From hidden unit {u + 1} to the output", words, formulas, lit, known


def loss_step(p):
    """The loss of the sample."""
    outputs = [("y", i) for i in range(p.Y.shape[1])]
    if p.loss == "squared":
        y, yhat, loss = tex(p.Y[0, 0]), p.outputs[0, 0], p.losses[0]
        formulas = [
            rf"L = \tfrac12 (\hat y - y)^2 = \tfrac12 ({tex(yhat)} - {factor(p.Y[0, 0])})^2 "
            rf"= {tex(loss, 6)}"
        ]
        words = f"The target is y = {y}. The loss is half the square of the error."
        return "The loss", words, formulas, outputs, outputs
    right = int(p.Y[0].argmax())
    formulas = [
        rf"L = -\ln \hat y_{{{right + 1}}} = -\ln {tex(p.outputs[0, right])} "
        rf"= {tex(p.losses[0], 6)}"
    ]
    words = "The loss looks only at the probability of the sample's own class."
    return "The loss", words, formulas, [("y", right)], outputs


# ---------------------------------------------------------------- backward


def backward_steps(p):
    """The steps of a backward pass, of one sample or as the mean over several."""
    return accumulated([error_step(p), bias_step(p), *back_steps(p)])


def mean(p):
    """The sign of a mean over the samples, if there are several."""
    return MEAN + " " if len(p.X) > 1 else ""


def error_step(p):
    """dz2 = yhat - y, the same for both losses."""
    k = p.Y.shape[1]
    outputs = [("y", i) for i in range(k)]
    formulas = [r"dz2 = \dfrac{\partial L}{\partial z2} = \hat y - y"]
    if len(p.X) == 1:
        formulas += [
            rf"{indexed('dz2', [k], i)} = {tex(p.outputs[0, i])} - {factor(p.Y[0, i])} "
            rf"= {tex(p.dZ2[0, i])}"
            for i in range(k)
        ]
    words = (
        "We go back from the loss. The first question: how does the loss change if the output "
        "grows by a little? The answer is the error itself."
    )
    return "The error at the output", words, formulas, outputs, []


def bias_step(p):
    """db2 = dz2."""
    k = p.Y.shape[1]
    formulas = [
        rf"{indexed('db2', [k], i)} = {mean(p)}{indexed('dz2', [k], i)} "
        rf"= {tex(p.gradient.b2[i])}"
        for i in range(k)
    ]
    keys = [("b2", i) for i in range(k)]
    words = "The bias b2 is added to the output as it is, so its gradient is the error."
    return "The output's bias", words, formulas, keys, keys


def back_steps(p):
    """Per hidden unit: its connections to the outputs; then the unit and its inputs."""
    k, n1 = p.net.W2.shape
    for u in range(n1):
        edges = [("W2", i, u) for i in range(k)]
        words = (
            "The gradient of a weight is the error at its end times what came through it. A unit "
            "that gave nothing has no share in the error."
        )
        title = f"From the output back to hidden unit {u + 1}"
        yield title, words, weight_formulas(p, u), [*edges, ("h", u)], edges
    for u in range(n1):
        keys = [("W1", u, j) for j in range(p.X.shape[1])] + [("b1", u)]
        words = (
            "The error that arrives at the unit, times the slope of its activation, is dz1. The "
            "gradients of the unit's bias and weights follow as they did at the output."
        )
        yield (
            f"Hidden unit {u + 1} and its input",
            words,
            unit_formulas(p, u),
            [*keys, ("h", u)],
            keys,
        )


def weight_formulas(p, u):
    """dW2 of the connections of a hidden unit."""
    k, one = p.Y.shape[1], len(p.X) == 1
    found = []
    for i in range(k):
        name, error = indexed("dW2", [k, 2], i, u), indexed("dz2", [k], i)
        numbers = rf"= {factor(p.dZ2[0, i])} \cdot {factor(p.H[0, u])} " if one else ""
        found.append(
            rf"{name} = {mean(p)}{error}\,h_{{{u + 1}}} {numbers}= {tex(p.gradient.W2[i, u])}"
        )
    return found


def unit_formulas(p, u):
    """dh, dz1, db1 and dW1 of a hidden unit."""
    k, d, one, at = p.Y.shape[1], p.X.shape[1], len(p.X) == 1, f"_{{{u + 1}}}"
    terms = [rf"{indexed('W2', [k, 2], i, u)}\,{indexed('dz2', [k], i)}" for i in range(k)]
    back, found = rf"dh{at} = {' + '.join(terms)}", []
    slope, slope_number = r"s'(z1_{u})", ""
    if p.activation in SLOPES:
        slope, slope_number = SLOPES[p.activation](p.H[0, u])
    slope = slope.replace("{u}", f"{{{u + 1}}}")
    inner = rf"dz1{at} = dh{at} \cdot {slope}"
    if one:
        parts = [rf"{factor(p.net.W2[i, u])} \cdot {factor(p.dZ2[0, i])}" for i in range(k)]
        back += rf" = {' + '.join(parts)} = {tex(p.dH[0, u])}"
        inner += rf" = {factor(p.dH[0, u])} \cdot ({slope_number})" if slope_number else ""
        inner += rf" = {tex(p.dZ1[0, u])}"
    found += [back, inner, rf"db1{at} = {mean(p)}dz1{at} = {tex(p.gradient.b1[u])}"]
    for j in range(d):
        name, x = indexed("dW1", [2, d], u, j), indexed("x", [d], j)
        numbers = rf"= {factor(p.dZ1[0, u])} \cdot {factor(p.X[0, j])} " if one else ""
        found.append(rf"{name} = {mean(p)}dz1{at}\,{x} {numbers}= {tex(p.gradient.W1[u, j])}")
    return found
