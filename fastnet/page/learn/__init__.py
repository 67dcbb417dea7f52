"""The page's view for learning: a lab of backpropagation, computed by fastnet.reference.

Each chapter has a paragraph, a picture, its numbers and formulas, and questions with answers. The
URL names the chapter.
"""

from typing import NamedTuple

import streamlit as st

from fastnet.page.learn import classes, derivation, passes, questions, trainings
from fastnet.page.parts import go_to, unknown_in_url, url_value


class Chapter(NamedTuple):
    """A chapter of the lab."""

    title: str
    words: str
    show: object
    questions: tuple
    sections: tuple = ()  # of the derivation


CHAPTERS = {
    "forward": Chapter(
        "Forward pass",
        "A network is a formula. A number x goes in; each hidden unit multiplies it by a weight, "
        "adds a bias and bends the result; the output adds up what the hidden units give. Follow "
        "one sample through the network, connection by connection, and see how far the output is "
        "from the target y.",
        passes.forward,
        questions.FORWARD,
        ("1.", "2.", "3."),
    ),
    "backward": Chapter(
        "Backward pass",
        "Backpropagation answers one question for every weight and bias: if this number grew by a "
        "little, how much would the loss change? The answers are the gradient. They are computed "
        "from the loss back to the input, and each step uses what the step before has found. Then "
        "check them: the definition of the derivative must give the same numbers.",
        passes.backward,
        questions.BACKWARD,
        ("5.", "6.", "10."),
    ),
    "step": Chapter(
        "A step of gradient descent",
        "The gradient says in which direction the loss rises. So every weight and bias moves a "
        "little in the other direction: the gradient times the learning rate is subtracted. Take a "
        "few steps by hand and watch the curve and the loss.",
        passes.step,
        questions.STEP,
        ("8.", "11."),
    ),
    "epochs": Chapter(
        "Many samples, many epochs",
        "One pass over all samples is an epoch. Play the training: the network's curve, at first "
        "nearly a straight line, is bent step by step until it lies on the function. The loss is "
        "the mean over all samples.",
        trainings.epochs,
        questions.EPOCHS,
        ("6.", "9."),
    ),
    "rate": Chapter(
        "The learning rate",
        "The learning rate is the most important setting. The same network learns with several "
        "rates: one is too small, one is right, one is too large and makes the training diverge. "
        "The last training begins with the largest rate, too, but lowers it whenever the loss has "
        "not reached a new lowest value for some epochs.",
        trainings.rate,
        questions.RATE,
        ("8.", "9."),
    ),
    "clipping": Chapter(
        "Clipping",
        "Where the loss is steep, one step can throw the weights far away, and the next gradient "
        "is larger still: it explodes. Clipping puts a bound on the length of the whole gradient, "
        "over all weights and biases together. A longer gradient is scaled down to the bound and "
        "keeps its direction.",
        trainings.clipping,
        questions.CLIPPING,
        ("7.",),
    ),
    "softmax": Chapter(
        "Softmax and cross-entropy",
        "For classes the network has one output per class. Softmax makes probabilities of the "
        "outputs, all positive and 1 together; the loss is minus the logarithm of the probability "
        "of the right class. What goes back is as simple as before: probability minus target.",
        classes.softmax,
        questions.SOFTMAX,
        ("4.",),
    ),
    "stopping": Chapter(
        "Best weights and stopping",
        "A network can learn its samples too well, noise included. So some samples are held back: "
        "their loss, the validation loss, decides. The weights of its lowest epoch are kept, and "
        "when it has not fallen for as many epochs as the patience, the training stops.",
        trainings.stopping,
        questions.STOPPING,
        ("9.",),
    ),
}
DERIVATION = "derivation"
# On a narrow screen code wraps: what scrolls could not be reached by the keyboard.
STYLE = """<style>@media (max-width: 640px) {
  [data-testid="stMarkdownContainer"] pre code { white-space: pre-wrap !important;
    overflow-wrap: anywhere; }
}</style>"""


def view(runs):
    """The chapter that the URL names."""
    keep_widgets()
    st.html(STYLE)
    name = url_value("chapter", "forward")
    known = [*CHAPTERS, DERIVATION]
    st.title("Learn backpropagation", anchor=False)
    if name not in known:
        unknown_in_url("chapter", name, known)
        name = "forward"
    contents(known, name)
    if name == DERIVATION:
        show_derivation()
        return
    chapter = CHAPTERS[name]
    st.header(f"{known.index(name) + 1}. {chapter.title}", anchor=False)
    st.write(chapter.words)
    st.fragment(chapter.show)()
    ask(chapter)
    further(known, name)


def keep_widgets():
    """Keep the choices of chapters that are not shown, which Streamlit would forget."""
    for key in list(st.session_state):
        if str(key).startswith("learn-"):
            st.session_state[key] = st.session_state[key]


def title_of(name):
    return CHAPTERS[name].title if name in CHAPTERS else "The derivation"


def contents(known, shown):
    """A button per chapter."""
    with st.container(horizontal=True):
        for place, name in enumerate(known):
            kind = "primary" if name == shown else "secondary"
            number = f"{place + 1}. " if name in CHAPTERS else ""
            if st.button(f"{number}{title_of(name)}", type=kind, key=f"chapter-{name}"):
                go_to(view="learn", chapter=name)


def ask(chapter):
    """The questions, each answer behind a click, and the derivation of the formulas."""
    st.subheader("Questions", anchor=False)
    for question, answer in chapter.questions:
        with st.expander(question):
            st.write(answer)
    for heading, text in derivation.sections().items():
        if heading.startswith(chapter.sections):
            with st.expander(f"The derivation, section {heading}"):
                st.markdown(text)


def further(known, name):
    """On to the next chapter."""
    place = known.index(name) + 1
    if place < len(known):
        other = known[place]
        if st.button(f"Next chapter: {title_of(other)}", type="primary", key="do-chapter"):
            go_to(view="learn", chapter=other)


def show_derivation():
    """The whole derivation."""
    st.header("The derivation", anchor=False)
    for heading, text in derivation.sections().items():
        st.subheader(heading, anchor=False)
        st.markdown(text)
