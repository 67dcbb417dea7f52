"""The page's view for learning, with a network's weights and one step of gradient descent.

The numbers beside the formulas are computed by fastnet.reference.
"""

import numpy as np
import pandas as pd
import streamlit as st

from fastnet import reference
from fastnet.data import tasks
from fastnet.engine.init import initial_weights
from fastnet.figures.style import INK, SETS, SOFT
from fastnet.page.parts import theme

SIGMOID = reference.activations.ACTIVATIONS["sigmoid"]
FORMULAS = (
    ("z1 = W1 x + b1", "z1", "what each hidden unit is fed"),
    ("h = s(z1)", "h", "what it gives, s the sigmoid"),
    ("yhat = W2 h + b2", "yhat", "the output"),
    ("dz2 = yhat - y", "dz2", "the error; the loss is its square / 2"),
    ("dW2 = dz2 h^T", "dW2", "each output weight: error times what came through it"),
    ("db2 = dz2", "db2", "the output bias"),
    ("dz1 = (W2^T dz2) * s'(z1)", "dz1", "the error sent back, times the slope s' = h (1 - h)"),
    ("dW1 = dz1 x^T", "dW1", "each input weight"),
    ("db1 = dz1", "db1", "each hidden bias"),
)


def view(runs):
    """Choose a sample, see one step, take it."""
    st.title("One step of gradient descent")
    st.write(
        "A network with one input, N1 hidden units and one output learns y = sin(2 pi x) from one "
        "sample at a time. docs/derivation.md derives the formulas; the numbers are those of "
        "fastnet's reference code."
    )
    n1, rate, x = choices()
    net = network(n1)
    y = float(tasks.FUNCTIONS["sine"].f(np.array(x)))
    numbers = step_numbers(net, x, y)
    st.image(drawing(net, numbers))
    st.markdown(f"x = {x:g}, y = {y:.4f}, **loss = {numbers['loss']:.5f}**")
    st.dataframe(formula_table(numbers), hide_index=True, height="content")
    after = after_step(net, numbers, rate)
    st.markdown(
        f"A step w - {rate:g} dw brings the loss of this sample from {numbers['loss']:.5f} to "
        f"**{step_numbers(after, x, y)['loss']:.5f}**."
    )
    buttons(after)


def choices():
    """Hidden units, learning rate and sample, by sliders."""
    left, middle, right = st.columns(3)
    n1 = left.slider("Hidden units N1", 1, 8, 3, key="learn-n1")
    rate = middle.slider("Learning rate", 0.05, 2.0, 0.5, key="learn-rate")
    return n1, rate, right.slider("Sample x", -1.0, 1.0, 0.25, key="learn-x")


def buttons(after):
    """Take the step to the network `after`, or begin again; show how many steps were taken."""
    left, right = st.columns(2)
    steps = st.session_state.get("learn-steps", 0)
    if left.button("Take the step", type="primary", width="stretch", key="take"):
        st.session_state["learn-net"] = after
        st.session_state["learn-steps"] = steps + 1
        st.rerun()
    if right.button("Begin again", width="stretch", key="again"):
        del st.session_state["learn-net"]
        st.session_state["learn-steps"] = 0
        st.rerun()
    st.caption(f"Steps taken: {steps}")


def network(n1):
    """The network after the steps so far; a new one for another N1."""
    net = st.session_state.get("learn-net")
    if net is None or len(net.b1) != n1:
        drawn = initial_weights(0, n1, 1, 1, "nguyen_widrow", "sigmoid")
        net = reference.network.Net(*(array.copy() for array in drawn))
        st.session_state["learn-net"] = net
    return net


# ---------------------------------------------------------------- numbers


def step_numbers(net, x, y):
    """All values that one step computes, by the names of the formulas."""
    X, Y = np.array([[x]]), np.array([[y]])
    H, Z2 = reference.network.forward(net, SIGMOID, X)
    losses, dZ2 = reference.losses.squared_error(Z2, Y)
    gradient = reference.network.backward(net, SIGMOID, X, H, dZ2)
    return {
        "z1": (X @ net.W1.T + net.b1)[0],
        "h": H[0],
        "yhat": Z2[0],
        "loss": float(losses[0]),
        "dz2": dZ2[0],
        "dW2": gradient.W2[0],
        "db2": gradient.b2,
        "dz1": gradient.b1,
        "dW1": gradient.W1[:, 0],
        "db1": gradient.b1,
        "gradient": gradient,
    }


def formula_table(numbers):
    """One row per formula: the formula, its numbers, its meaning."""
    rows = [
        (text, ", ".join(f"{value:.4f}" for value in numbers[name]), meaning)
        for text, name, meaning in FORMULAS
    ]
    return pd.DataFrame(rows, columns=["formula", "numbers", "meaning"])


def after_step(net, numbers, rate):
    """The network after the step, the old one unchanged."""
    after = reference.network.Net(*(array.copy() for array in net))
    for w, g in zip(after, numbers["gradient"]):
        reference.optimizers.sgd(w, g, [], {}, {"learning_rate": rate}, None)
    return after


# ---------------------------------------------------------------- drawing


def drawing(net, numbers):
    """The network as SVG: lines as thick as their weights, blue above 0 and orange below."""
    n1, colours = len(net.b1), theme()
    height = max(180, 56 * n1)
    middle, rows = height / 2, [height * (u + 0.5) / n1 for u in range(n1)]
    parts = [line(60, middle, 320, y, w) for y, w in zip(rows, net.W1[:, 0])]
    parts += [line(320, y, 580, middle, w) for y, w in zip(rows, net.W2[0])]
    parts.append(node(60, middle, "x", "", colours))
    for u, y in enumerate(rows):
        parts.append(node(320, y, f"{numbers['h'][u]:.2f}", f"h{u + 1}", colours))
    parts.append(node(580, middle, f"{numbers['yhat'][0]:.2f}", "yhat", colours))
    label = f"A network of 1 input, {n1} hidden units and 1 output"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" width="640" '
        f'font-family="sans-serif" role="img" aria-label="{label}">{"".join(parts)}</svg>'
    )


def line(x1, y1, x2, y2, weight):
    """A connection; its weight appears when the mouse points at it."""
    colour = SETS["train"] if weight >= 0 else SETS["val"]
    thick = min(8.0, 0.8 + abs(float(weight)))
    return (
        f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" '
        f'stroke-width="{thick:.1f}" stroke-opacity="0.75"><title>{weight:.4f}</title></line>'
    )


def node(x, y, value, name, colours):
    """A unit with its value inside and its name above."""
    ink, soft = INK[colours], SOFT[colours]
    paper = "#ffffff" if colours == "light" else "#262730"
    return (
        f'<circle cx="{x}" cy="{y}" r="21" fill="{paper}" stroke="{ink}"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle" font-size="13" fill="{ink}">{value}</text>'
        f'<text x="{x}" y="{y - 25}" text-anchor="middle" font-size="11" fill="{soft}">'
        f"{name}</text>"
    )
