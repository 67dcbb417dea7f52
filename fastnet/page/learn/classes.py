"""The chapter on softmax and cross-entropy: two inputs, three classes."""

import numpy as np
import streamlit as st

from fastnet.page.learn import course, film, lab, steps
from fastnet.page.learn.numbers import factor, pass_of, tex, text
from fastnet.page.parts import show_table

PER_CLASS = 12
CENTRES = np.array([[-0.5, -0.4], [0.5, -0.4], [0.0, 0.55]])
SPREAD = 0.28
EPOCHS = 500


def softmax():
    """From three outputs to probabilities, to the loss, and back."""
    left, middle, right = st.columns(3)
    n1 = left.slider("Hidden units (N1)", 1, 6, 2, key="learn-soft-n1")
    seed = middle.number_input("Seed of the weights", 0, lab.MOST_SEED, 0, key="learn-soft-seed")
    rate = right.select_slider("Learning rate", (0.1, 0.3, 1.0, 3.0), 1.0, key="learn-soft-rate")
    X, Y = points()
    one = trained(n1, int(seed), rate)
    left, middle, right = st.columns(3)
    moment = left.radio(
        "Network", ["at first", "after training"], horizontal=True, key="learn-soft-moment"
    )
    net = one.frames[0][1] if moment == "at first" else one.best
    at = middle.selectbox(
        "Sample", range(len(X)), key="learn-soft-sample",
        format_func=lambda i: f"{i + 1}: x1 = {X[i, 0]:.2f}, x2 = {X[i, 1]:.2f}, class "
        f"{Y[i].argmax() + 1}",
    )  # fmt: skip
    p = pass_of(net, "tanh", X[at : at + 1], Y[at : at + 1], "cross_entropy")
    way = right.radio("Pass", ["forward", "backward"], horizontal=True, key="learn-soft-way")
    forward = way == "forward"
    found = steps.forward_steps(p) if forward else steps.backward_steps(p)
    lab.show_steps(f"soft-{way}", (n1, int(seed)), p, found, forward)
    st.subheader("From outputs to probabilities", anchor=False)
    probability_table(p)
    lab.show_formulas(probability_formulas(p))
    st.subheader("The training", anchor=False)
    show_training(one, X, Y)


def points():
    """36 points of three classes: X (36, 2), one-hot Y (36, 3)."""
    rng = np.random.default_rng(0)
    X = np.concatenate([c + SPREAD * rng.normal(size=(PER_CLASS, 2)) for c in CENTRES])
    return X.clip(-0.97, 0.97), np.repeat(np.eye(3), PER_CLASS, axis=0)


@st.cache_data(max_entries=32, show_spinner="Training in plain NumPy ...")
def trained(n1, seed, rate):
    """The course of a tanh network that learns the three classes."""
    net = course.new_network(n1, seed, "tanh", 2, 3)
    problem = course.problem_of(*points(), "cross_entropy")
    return course.train(net, "tanh", problem, learning_rate=rate, max_epochs=EPOCHS)


def probability_table(p):
    """Show one row per class: logit, power, probability, target, error."""
    powers = np.exp(p.Z2[0] - p.Z2[0].max())
    rows = [
        {"class": f"{i + 1}", "z2": text(p.Z2[0, i]), "e^(z2 - largest)": text(powers[i]),
         "probability ŷ": text(p.outputs[0, i]), "target y": text(p.Y[0, i], 0),
         "dz2 = ŷ - y": text(p.dZ2[0, i])}
        for i in range(3)
    ]  # fmt: skip
    show_table(list(rows[0]), [list(row.values()) for row in rows])


def probability_formulas(p):
    """Softmax and its loss, for the sample's own class."""
    right = int(p.Y[0].argmax())
    top = int(p.Z2[0].argmax())
    powers = np.exp(p.Z2[0] - p.Z2[0].max())
    terms = " + ".join(factor(power) for power in powers)
    return [
        r"\hat y_i = \dfrac{e^{z2_i}}{\sum_j e^{z2_j}} = "
        r"\dfrac{e^{z2_i - m}}{\sum_j e^{z2_j - m}}, \qquad m = "
        rf"\max_j z2_j = {tex(p.Z2[0, top])}",
        rf"\hat y_{{{right + 1}}} = \dfrac{{{tex(powers[right])}}}{{{terms}}} "
        rf"= {tex(p.outputs[0, right])}",
        rf"L = -\ln \hat y_{{{right + 1}}} = {tex(p.losses[0], 6)}, \qquad dz2 = \hat y - y",
    ]


def show_training(one, X, Y):
    """The film of the classes, and how many samples are right."""
    shown = film.film_of({"network": one})
    shown["legend"] = [{"name": f"class {i + 1}", "dash": "", "colour": colour}
                       for i, colour in enumerate(film.CLASSES[:3])]  # fmt: skip
    film.region_panel(shown, "tanh", X, Y.argmax(axis=1))
    values = [entry.train_loss for entry in one.entries]
    film.course_panel(shown, "The loss", "loss", [(values, film.styles(1)[0])])
    film.show(shown, "film-soft")
    p = pass_of(one.best, "tanh", X, Y, "cross_entropy")
    right = int((p.outputs.argmax(axis=1) == Y.argmax(axis=1)).sum())
    st.markdown(
        f"In {one.entries[-1].epoch} epochs the loss went from **{text(values[0], 6)}** to "
        f"**{text(values[-1], 6)}**; the best weights put {right} of {len(X)} samples into their "
        "class."
    )
