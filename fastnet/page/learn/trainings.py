"""The chapters on whole trainings: epochs, learning rate, clipping, best weights and stopping."""

import numpy as np
import streamlit as st

from fastnet import reference
from fastnet.figures.style import SETS
from fastnet.page.learn import course, film, lab
from fastnet.page.learn.numbers import pass_of, tex, text
from fastnet.page.parts import show_table

SAMPLES = 40
RATES = (0.01, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
# Rows per step and epochs: 2,000 steps each.
BATCHES = {"all 40 samples": (None, 2000), "8 samples": (8, 400), "1 sample": (1, 50)}
EPOCHS_RATE = 0.2  # with 0.3 and one sample per step the numbers overflow
STOPS = {
    "max_epochs": "It ran to its last epoch.",
    "diverged": "It **diverged**: a number was no longer finite.",
    "patience": "It stopped by patience.",
    "target": "It reached the target.",
}
SAMPLE_DOTS = {"name": "samples", "dot": True}
FUNCTION = {"name": "function", "colour": "currentColor", "dash": ""}


def epochs():
    """Many samples, many epochs: the curve against the function as it learns."""
    setup = lab.setup("epochs", n1=8, most=16, activation="tanh")
    left, right = st.columns(2)
    rate = left.select_slider("Learning rate", RATES, EPOCHS_RATE, key="learn-epochs-rate")
    batch = right.selectbox("Samples per step", list(BATCHES), key="learn-epochs-batch")
    rows, most = BATCHES[batch]
    one = lab.trained(
        setup, SAMPLES, learning_rate=rate, batch_size=rows, max_epochs=most, seed=setup.seed
    )
    shown = film.film_of({"network": one}, [FUNCTION, SAMPLE_DOTS])
    film.fit_panel(shown, setup.f, setup.activation, columns_of(setup))
    film.course_panel(shown, "The loss", "loss", [(losses(one), film.styles(1)[0])])
    norms = [entry.norm for entry in one.entries]
    film.course_panel(shown, "The norm of the gradient", "norm", [(norms, film.styles(1)[0])])
    film.network_panel(shown)
    film.show(shown, "film-epochs")
    first, last = one.entries[0], one.entries[-1]
    st.markdown(
        f"In {last.epoch:,} epochs of {steps_of(rows)} each, the loss went from "
        f"**{text(first.train_loss, 6)}** to **{text(last.train_loss, 6)}**. {STOPS[one.stop]}"
    )
    entry_table(one, rate_too=False)
    lab.show_formulas([
        r"L = \dfrac1n \sum_{r=1}^{n} L_r, \qquad \dfrac{\partial L}{\partial w} = "
        r"\dfrac1n \sum_{r=1}^{n} \dfrac{\partial L_r}{\partial w}",
    ])  # fmt: skip


def steps_of(rows):
    count = -(-SAMPLES // rows) if rows else 1
    return f"{count} steps" if count > 1 else "one step"


def columns_of(setup):
    X, Y = setup.samples(SAMPLES)
    return X[:, 0], Y[:, 0]


def losses(one):
    return [entry.train_loss for entry in one.entries]


def entry_table(one, rate_too=True):
    """Some entries of a history, its numbers as fastnet records them."""
    last = len(one.entries) - 1
    chosen = [0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, last]
    rows = []
    for e in lab.entry_rows(one.entries, chosen):
        row = {
            "epoch": f"{e.epoch:,}",
            "loss": text(e.train_loss, 6),
            "gradient norm": text(e.norm, 6),
        }
        rows.append(row | ({"learning rate": text(e.rate, 6)} if rate_too else {}))
    show_rows(rows)


def show_rows(rows):
    """A table of rows of the same names."""
    show_table(list(rows[0]), [list(row.values()) for row in rows])


# ---------------------------------------------------------------- the learning rate


def rate():
    """Rates that are too small, right and too large, and one that recovers."""
    setup = lab.setup("rate", n1=4, most=16, activation="tanh")
    left, middle, right = st.columns(3)
    rates = left.multiselect(
        "Learning rates", RATES, [0.05, 0.5, 1.0], max_selections=3, key="learn-rate-rates"
    )
    patience = middle.select_slider(
        "Epochs without gain until decay", (2, 5, 10, 20, 50), 5, key="learn-rate-patience",
        help="lr_patience",
    )  # fmt: skip
    decay = right.select_slider(
        "Decay factor", (0.1, 0.3, 0.5, 0.7, 0.9), 0.5, key="learn-rate-factor", help="lr_factor"
    )
    if not rates:
        st.info("Choose at least one learning rate.")
        return
    runs = {f"rate {r:g}": lab.trained(setup, SAMPLES, learning_rate=r) for r in sorted(rates)}
    largest = max(rates)
    runs[f"rate {largest:g} with decay"] = lab.trained(
        setup, SAMPLES, learning_rate=largest, lr_patience=patience, lr_factor=decay
    )
    comparison(setup, runs, "film-rate", "The learning rate", "rate", lambda e: e.rate)
    verdicts(runs)
    words = f"after {patience} epochs without a new lowest loss."
    lab.show_formulas([(rf"r \leftarrow {decay:g} \cdot r", words)])
    st.markdown(f"Some epochs of *rate {largest:g} with decay*:")
    entry_table(runs[f"rate {largest:g} with decay"])


def comparison(setup, runs, key, title, name, value, rule=None):
    """The film of several trainings: fits, losses and one more number over the epochs."""
    shown = film.film_of(runs, [FUNCTION, SAMPLE_DOTS])
    styles = film.styles(len(runs))
    film.fit_panel(shown, setup.f, setup.activation, columns_of(setup))
    lines = [(losses(one), style) for one, style in zip(runs.values(), styles)]
    film.course_panel(shown, "The loss", "loss", lines)
    lines = [([value(e) for e in one.entries], s) for one, s in zip(runs.values(), styles)]
    film.course_panel(shown, title, name, lines, rule=rule)
    film.show(shown, key)


def verdicts(runs):
    """What became of each training."""
    rows = []
    for name, one in runs.items():
        finite = [loss for loss in losses(one) if np.isfinite(loss)]
        end = "diverged" if one.stop == "diverged" else text(losses(one)[-1], 6)
        rows.append({
            "training": name, "loss at first": text(finite[0], 6),
            "largest loss": text(max(finite), 6), "loss at the end": end,
            "epochs": f"{one.entries[-1].epoch:,}", "best epoch": f"{one.best_epoch:,}",
        })  # fmt: skip
    show_rows(rows)


# ---------------------------------------------------------------- clipping


def clipping():
    """The gradient's norm, and what a bound on it saves."""
    setup = lab.setup("clip", n1=8, most=16, activation="tanh")
    left, middle, right = st.columns(3)
    rate = left.select_slider("Learning rate", RATES, 1.0, key="learn-clip-rate")
    bound = middle.select_slider(
        "Largest norm", (0.1, 0.2, 0.5, 1.0, 2.0, 5.0), 1.0, key="learn-clip-norm",
        help="clip_norm",
    )  # fmt: skip
    decay = right.checkbox("With rate decay", key="learn-clip-decay")
    options = dict(learning_rate=rate, lr_patience=5 if decay else None)
    runs = {
        "without clipping": lab.trained(setup, SAMPLES, **options),
        f"clipped to {bound:g}": lab.trained(setup, SAMPLES, clip_norm=bound, **options),
    }
    norm = "The gradient's norm before clipping; the red line is the bound"
    comparison(setup, runs, "film-clip", norm, "norm", lambda e: e.norm, rule=bound)
    verdicts(runs)
    st.subheader("The first step in numbers", anchor=False)
    first_step(setup, bound)


def first_step(setup, bound):
    """The norm of the first gradient, from its parts, and the factor."""
    X, Y = setup.samples(SAMPLES)
    gradient = pass_of(setup.network(), setup.activation, X, Y).gradient
    norm = reference.network.gradient_norm(gradient)
    scaled, clipped = reference.optimizers.clip(gradient, norm, bound)
    parts = [float((g**2).sum()) for g in gradient]
    sums = " + ".join(tex(part) for part in parts)
    lines = [
        r"|g| = \sqrt{|dW1|^2 + |db1|^2 + |dW2|^2 + |db2|^2}",
        rf"|g| = \sqrt{{{sums}}} = {tex(norm)}",
    ]
    if clipped:
        lines += [
            rf"|g| > {bound:g}: \quad c = {bound:g} / {tex(norm)} = {tex(bound / norm)}, "
            r"\qquad g \leftarrow c\,g",
            rf"|c\,g| = {tex(reference.network.gradient_norm(scaled))}",
        ]
    else:
        lines.append(rf"|g| \le {bound:g}: \quad g \text{{ stays as it is}}")
    lab.show_formulas(lines)


# ---------------------------------------------------------------- best weights and stopping

NOISE, TRAIN_ROWS, VAL_ROWS = 0.3, 14, 30


def stopping():
    """Few noisy samples: the validation loss turns, and the best weights are kept."""
    setup = lab.setup("stop", n1=8, most=16, activation="tanh")
    left, right = st.columns(2)
    patience = left.select_slider(
        "Patience in epochs", (5, 10, 20, 50, 100, 200, 500, "off"), 100, key="learn-stop-patience"
    )
    data_seed = right.number_input("Seed of the samples", 0, 99, 1, key="learn-stop-data")
    one, (X, Y) = noisy(setup, None if patience == "off" else patience, int(data_seed))
    val = [entry.val_loss for entry in one.entries]
    named = {"network, and its training loss": one}
    shown = film.film_of(named, [FUNCTION, {"name": "training samples", "dot": True}])
    film.fit_panel(shown, setup.f, setup.activation, (X[:, 0], Y[:, 0]))
    style = {"colour": SETS["val"], "dash": "7 4"}
    best = {"x": one.best_epoch, "y": val[one.best_epoch], "colour": "#d1495b"}
    lines = [(losses(one), film.styles(1)[0]), (val, style)]
    title = "Both losses; the circle is the best epoch"
    film.course_panel(shown, title, "loss", lines, marks=[best])
    shown["legend"].append({"name": "validation loss", **style})
    film.show(shown, "film-stop")
    last = one.entries[-1]
    st.markdown(
        f"The validation loss was lowest at epoch **{one.best_epoch:,}** "
        f"({text(val[one.best_epoch], 6)}). {STOPS[one.stop]} At its last epoch, {last.epoch:,}, "
        f"the validation loss was {text(last.val_loss, 6)}, though the training loss had fallen to "
        f"{text(last.train_loss, 6)}. fastnet keeps the weights of epoch {one.best_epoch:,}."
    )
    decisions(one)
    lab.show_formulas(
        [
            (r"e^*", "is the epoch with the lowest validation loss so far, the first of equals."),
            (r"e - e^* = \text{patience}:", "stop at epoch e, and keep the weights of epoch e*."),
        ]
    )


@st.cache_data(max_entries=32, show_spinner="Training in plain NumPy ...")
def noisy(setup, patience, data_seed):
    """The course on few noisy samples with a validation set, and its training samples."""
    rng = np.random.default_rng(data_seed)
    sets = []
    for count in (TRAIN_ROWS, VAL_ROWS):
        X = np.sort(rng.uniform(-1, 1, (count, 1)), axis=0)
        sets.append((X, setup.f(X) + NOISE * rng.normal(size=X.shape)))
    problem = course.problem_of(*sets[0], val=sets[1])
    options = dict(learning_rate=0.2, max_epochs=1500, patience=patience)
    return course.train(setup.network(), setup.activation, problem, **options), sets[0]


def decisions(one):
    """What was decided at the entries around the best one and the last."""
    last, best = len(one.entries) - 1, one.best_epoch
    chosen = [0, 1, best - 1, best, best + 1, best + 2, last - 1, last]
    rows = [
        {"epoch": f"{e.epoch:,}", "training loss": text(e.train_loss, 6),
         "validation loss": text(e.val_loss, 6), "best so far": "yes" if e.better else "no",
         "epochs without gain": f"{e.waited}"}
        for e in lab.entry_rows(one.entries, chosen)
    ]  # fmt: skip
    show_rows(rows)
