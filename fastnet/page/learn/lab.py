"""What the chapters have in common: the choice of a network, samples, steps, formulas."""

import re
from typing import NamedTuple

import numpy as np
import streamlit as st

from fastnet.data import tasks
from fastnet.page.learn import course, drawing

ACTIVATIONS = ("sigmoid", "tanh", "relu", "sin")
FORMULAS = {
    "sigmoid": r"s(z) = \dfrac{1}{1 + e^{-z}}, \quad s'(z) = s(z)\,(1 - s(z))",
    "tanh": r"s(z) = \tanh z, \quad s'(z) = 1 - s(z)^2",
    "relu": r"s(z) = \max(z, 0), \quad s'(z) = 1 \text{ above } 0, \; 0 \text{ below}",
    "sin": r"s(z) = \sin z, \quad s'(z) = \cos z",
}
MOST_SEED = 999
NAMES = r"(?<![a-zA-Z\\])(d?[zWb])([12])(?:_\{([^}]*)\}|_(\w))?"  # W2_{3} for W_{2,3}


class Setup(NamedTuple):
    """What a person chose: the network and the function it learns."""

    n1: int
    activation: str
    function: str
    seed: int

    @property
    def f(self):
        return tasks.FUNCTIONS[self.function].f

    def network(self):
        """The network at the beginning."""
        return course.new_network(self.n1, self.seed, self.activation)

    def samples(self, n):
        """Evenly spaced samples X (n, 1) and Y (n, 1); with 8, none is on a zero of the sine."""
        X = (-1 + (2 * np.arange(n) + 1) / n)[:, None]
        return X, self.f(X)


def setup(group, n1=3, most=8, activation="sigmoid"):
    """The widgets of a network; chapters of one group share what was chosen."""
    columns = st.columns(4)
    widths = columns[0].slider("Hidden units (N1)", 1, most, n1, key=f"learn-{group}-n1")
    index = ACTIVATIONS.index(activation)
    name = columns[1].selectbox("Activation", ACTIVATIONS, index, key=f"learn-{group}-activation")
    function = columns[2].selectbox(
        "Function to learn",
        list(tasks.FUNCTIONS),
        format_func=lambda name: tasks.FUNCTIONS[name].name,
        key=f"learn-{group}-function",
        help="The 19 functions of task 1, on x from -1 to 1.",
    )
    seed = columns[3].number_input(
        "Seed of the weights", 0, MOST_SEED, 0, key=f"learn-{group}-seed"
    )
    return Setup(int(widths), name, function, int(seed))


def choose_sample(X, Y, key, with_all=False, first=None):
    """The places of the chosen samples, one or all; at first those of `first`, one by default."""
    options = [*range(len(X)), *(["all"] if with_all else [])]
    first = len(X) // 2 + 1 if first is None else options.index(first)

    def words(choice):
        if choice == "all":
            return f"all {len(X)} samples: the mean"
        return f"{choice + 1}: x = {X[choice, 0]:g}, y = {Y[choice, 0]:.4f}"

    choice = st.selectbox("Sample", options, first, format_func=words, key=key)
    return slice(None) if choice == "all" else slice(choice, choice + 1)


# ---------------------------------------------------------------- steps


def stepper(name, of, steps):
    """Back, Next and a slider over steps; begins anew when `of` changes. The step, or None for all.

    `of` is what the steps belong to, such as the network.
    """
    place, owner, everything = (f"learn-{name}-{part}" for part in ("at", "of", "everything"))
    if st.session_state.get(owner) != of:
        st.session_state[owner], st.session_state[place] = of, 1
    st.session_state[place] = min(st.session_state[place], len(steps))

    def move(by):
        st.session_state[place] = min(max(st.session_state[place] + by, 1), len(steps))

    whole = st.session_state.get(everything, False)
    at = st.session_state[place]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.button(
            "Back", on_click=move, args=(-1,), disabled=whole or at == 1, width=110,
            key=f"do-{name}-back",
        )  # fmt: skip
        st.button(
            "Next", on_click=move, args=(1,), disabled=whole or at == len(steps), type="primary",
            width=110, key=f"do-{name}-next",
        )  # fmt: skip
        if not whole:
            at = st.slider("Step", 1, len(steps), key=place, width=360)
        whole = st.checkbox("Show all numbers at once", key=everything)
    return None if whole else steps[at - 1]


def show_steps(name, of, p, steps, forward):
    """A pass in steps: the controls, the drawing, the words and formulas of the step."""
    step = stepper(name, of, steps)
    drawing.show(p, step, forward, key=f"drawing-{name}")
    if step is None:
        show_formulas([line for each in steps for line in each.formulas])
        return
    st.markdown(f"**{step.title}.** {step.words}")
    show_formulas(step.formulas)


def show_formulas(lines):
    """Formulas below each other, which wrap on a narrow screen; dW2 becomes the derivation's dW_2.

    A line is a formula, or a formula and the words after it.
    """
    pairs = [(line, "") if isinstance(line, str) else line for line in lines]
    written = [(typeset(formula), words) for formula, words in pairs]
    st.markdown("\n\n".join(rf"$\displaystyle {formula}$ {words}" for formula, words in written))


def typeset(formula):
    """The formula with the layer among the indices: W2_{3} becomes W_{2,3}."""

    def name(found):
        symbol, layer, *index = found.groups(default="")
        return f"{symbol}_{{{','.join(part for part in (layer, *index) if part)}}}"

    return re.sub(NAMES, name, formula)


# ---------------------------------------------------------------- trainings


@st.cache_data(max_entries=64, show_spinner="Training in plain NumPy ...")
def trained(setup, samples, **options):
    """The course of a setup's network on its samples."""
    problem = course.problem_of(*setup.samples(samples))
    return course.train(setup.network(), setup.activation, problem, **options)


def entry_rows(entries, chosen):
    """Some entries as rows of a table."""
    return [entries[i] for i in sorted(set(chosen)) if 0 <= i < len(entries)]
