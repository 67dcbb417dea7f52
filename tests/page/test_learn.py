"""Learn: every chapter without a browser, its numbers against the reference and differences."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet import reference
from fastnet.options.methods import ACTIVATIONS
from fastnet.reference.network import Net

testing = pytest.importorskip("streamlit.testing.v1", reason="the page needs the extra [ui]")
from fastnet.page.learn import (  # noqa: E402
    CHAPTERS,
    classes,
    course,
    derivation,
    drawing,
    film,
    lab,
    numbers,
    passes,
    steps,
    trainings,
)
from fastnet.page.parts import side  # noqa: E402

SINE = lab.Setup(3, "sigmoid", "sine", 0)
FAST = lab.Setup(8, "tanh", "sine", 0)
NUMERIC = 1e-7  # central differences of float64 are good to about 1e-10 of values near 1


def a_pass(setup=SINE, rows=slice(0, 1)):
    """The pass of some of the lab's samples through a setup's network."""
    X, Y = setup.samples(passes.SAMPLES)
    return numbers.pass_of(setup.network(), setup.activation, X[rows], Y[rows])


def class_pass(at=0):
    """The pass of one sample of the chapter on classes."""
    X, Y = classes.points()
    net = course.new_network(2, 0, "tanh", 2, 3)
    return numbers.pass_of(net, "tanh", X[at : at + 1], Y[at : at + 1], "cross_entropy")


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("activation", lab.ACTIVATIONS)
@pytest.mark.parametrize("rows", [slice(2, 3), slice(None)], ids=["one", "all"])
def test_the_gradients_shown_are_central_differences(activation, rows):
    p = a_pass(SINE._replace(activation=activation), rows)
    for ours, numeric in zip(p.gradient, passes.numeric_gradient(p)):
        np.testing.assert_allclose(ours, numeric, atol=NUMERIC)


def test_the_gradients_of_a_softmax_are_central_differences():
    p = class_pass()
    for ours, numeric in zip(p.gradient, passes.numeric_gradient(p)):
        np.testing.assert_allclose(ours, numeric, atol=NUMERIC)
    assert p.outputs.sum() == pytest.approx(1)
    assert p.losses[0] == pytest.approx(-np.log(p.outputs[0, p.Y[0].argmax()]))


def test_what_a_unit_is_told_makes_its_gradients():
    p = a_pass(rows=slice(None))
    np.testing.assert_allclose(p.gradient.b1, p.dZ1.mean(axis=0))
    np.testing.assert_allclose(p.gradient.W1, p.dZ1.T @ p.X / len(p.X))


def test_a_step_is_the_references():
    p = a_pass()
    after = numbers.after_step(p.net, p.gradient, 0.5)
    for w, g, new in zip(p.net, p.gradient, after):
        np.testing.assert_array_equal(new, w - 0.5 * g)


@pytest.mark.parametrize("options", [{}, {"clip_norm": 0.5, "lr_patience": 3}, {"batch_size": 8}])
def test_a_course_is_the_training_of_the_library(options):
    X, Y = FAST.samples(40)
    given = dict(learning_rate=0.7, max_epochs=30, seeds=[3])
    result = fastnet.sweep(
        X, Y[:, 0], n1=8, activation="tanh", init="nguyen_widrow", optimizer="sgd",
        dtype="float64", scale="none", backend="reference", **given, **options,
    )  # fmt: skip
    one = course.train(
        FAST._replace(seed=3).network(), "tanh", course.problem_of(X, Y), seed=3,
        learning_rate=0.7, max_epochs=30, **options,
    )  # fmt: skip
    history = result.history(0)
    np.testing.assert_allclose([e.train_loss for e in one.entries], history.train_loss, rtol=1e-12)
    np.testing.assert_allclose([e.rate for e in one.entries], history.learning_rate)
    np.testing.assert_allclose(one.best.W1, result.weights(0).W1, rtol=1e-9)
    assert one.best_epoch == result.members["best_epoch"][0]


def test_the_frames_of_a_course_have_the_losses_of_its_entries():
    problem = course.problem_of(*FAST.samples(40))
    one = course.train(FAST.network(), "tanh", problem, learning_rate=0.3, max_epochs=300)
    tanh = reference.activations.ACTIVATIONS["tanh"]
    assert one.frames[0][0] == 0 and one.frames[-1][0] == 300
    for epoch, net in one.frames:
        loss = reference.network.mean_loss(net, tanh, problem.loss, problem.train)
        assert loss == one.entries[epoch].train_loss


def test_the_examples_do_what_the_chapters_say():
    train = lab.trained.__wrapped__
    four = FAST._replace(n1=4)
    assert train(four, 40, learning_rate=1.0).stop == "diverged"
    saved = train(four, 40, learning_rate=1.0, lr_patience=5)
    assert saved.stop == "max_epochs" and saved.entries[-1].train_loss < 0.05
    assert train(FAST, 40, learning_rate=1.0).stop == "diverged"
    clipped = train(FAST, 40, learning_rate=1.0, clip_norm=1.0)
    assert clipped.stop == "max_epochs" and clipped.entries[-1].train_loss > 0.1
    both = train(FAST, 40, learning_rate=1.0, clip_norm=1.0, lr_patience=5)
    assert both.entries[-1].train_loss < 1e-3


def test_one_sample_per_step_goes_up_and_down_and_learns():
    rows, most = trainings.BATCHES["1 sample"]
    options = dict(batch_size=rows, max_epochs=most, seed=FAST.seed)
    one = lab.trained.__wrapped__(FAST, 40, learning_rate=trainings.EPOCHS_RATE, **options)
    losses = [entry.train_loss for entry in one.entries]
    assert one.stop == "max_epochs" and losses[-1] < 1e-3
    assert sum(after > before for before, after in itertools.pairwise(losses)) > 10
    assert lab.trained.__wrapped__(FAST, 40, learning_rate=0.3, **options).stop == "diverged"


def test_the_network_of_the_last_chapter_learns_the_noise():
    one, _ = trainings.noisy.__wrapped__(FAST, None, 1)
    assert 0 < one.best_epoch < one.entries[-1].epoch
    assert one.entries[-1].val_loss > 2 * one.entries[one.best_epoch].val_loss
    patient, _ = trainings.noisy.__wrapped__(FAST, 100, 1)
    assert patient.stop == "patience" and patient.entries[-1].waited == 100


@pytest.mark.parametrize(
    "value, shown",
    [
        (0.70710678, "0.7071"), (-0.0, "0.0000"), (-1.5, "-1.5000"), (0.000421234, "0.000421"),
        (3.06e-7, "3.06e-07"), (123456.0, "1.23e+05"), (float("inf"), "not finite"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(value, shown):
    assert numbers.text(value) == shown.replace("-", "\N{MINUS SIGN}")


def test_numbers_in_formulas_are_factors():
    assert numbers.factor(-0.5) == "(-0.5000)"
    assert numbers.factor(3.06e-7) == r"(3.06 \cdot 10^{-7})"
    assert numbers.factor(0.5) == "0.5000"


# ---------------------------------------------------------------- steps and drawing


@pytest.mark.parametrize("n1", [1, 3, 8])
def test_the_forward_pass_goes_edge_by_edge(n1):
    found = steps.forward_steps(a_pass(SINE._replace(n1=n1)))
    assert len(found) == 1 + n1 + n1 + 1
    lit = {key for step in found for key in step.lit}
    assert {("W1", u, 0) for u in range(n1)} | {("W2", 0, u) for u in range(n1)} <= lit
    assert found[-1].known == {("x", 0), ("y", 0)} | {("h", u) for u in range(n1)}


@pytest.mark.parametrize("p", [a_pass(), a_pass(rows=slice(None)), class_pass()])
def test_the_backward_pass_knows_every_gradient_in_the_end(p):
    found = steps.backward_steps(p)
    n1, d = p.net.W1.shape
    k = len(p.net.b2)
    assert len(found[-1].known) == n1 * (d + 1 + k) + k
    assert not found[0].known
    assert all(early.known <= late.known for early, late in itertools.pairwise(found))


def test_the_last_sum_of_the_forward_pass_is_the_output():
    p = a_pass()
    text = " ".join(steps.forward_steps(p)[-2].formulas)
    assert numbers.tex(p.outputs[0, 0]) in text
    assert numbers.tex(p.losses[0], 6) in steps.forward_steps(p)[-1].formulas[0]


@pytest.mark.parametrize("name", lab.ACTIVATIONS)
def test_formulas_have_balanced_brackets(name):
    for p in (a_pass(SINE._replace(activation=name)), class_pass()):
        for step in (*steps.forward_steps(p), *steps.backward_steps(p)):
            for line in step.formulas:
                assert line.count("{") == line.count("}"), line
                assert not re.search(r"\{u\}", line)


def test_every_activation_of_the_lab_is_one_of_fastnets():
    assert set(lab.ACTIVATIONS) <= set(ACTIVATIONS) and set(lab.FORMULAS) == set(lab.ACTIVATIONS)


def test_the_drawing_has_a_title_words_and_all_numbers():
    p = a_pass()
    text = drawing.svg(p, None, forward=False)
    assert 'role="img"' in text and "<title" in text and "<desc" in text
    for _, value in numbers.parameters(p.net):
        assert numbers.text(value) in text
    for _, value in numbers.parameters(p.gradient):
        assert f"d {numbers.text(value)}" in text


def test_the_drawing_hides_what_is_not_known_and_lights_the_step():
    p = a_pass()
    first, second = steps.forward_steps(p)[:2]
    assert drawing.svg(p, first).count(">?<") == 4
    text = drawing.svg(p, second)
    assert text.count(">?<") == 3 and text.count("edge lit") == 1 and "unit lit" in text


# ---------------------------------------------------------------- the film


def test_a_film_is_json_even_when_a_training_diverges():
    runs = {
        "good": lab.trained.__wrapped__(FAST, 40, learning_rate=0.3, max_epochs=50),
        "bad": lab.trained.__wrapped__(FAST, 40, learning_rate=1.0, max_epochs=400),
    }
    shown = film.film_of(runs)
    film.fit_panel(shown, FAST.f, "tanh", (np.zeros(1), np.zeros(1)))
    film.course_panel(shown, "loss", "loss", [([1.0, np.inf, 0.1], {})])
    film.network_panel(shown)
    for track in shown["tracks"]:
        del track["frames"]
    text = json.dumps(shown, allow_nan=False)
    assert json.loads(text)["tracks"][1]["losses"][-1] is None
    assert all(len(track["losses"]) == len(shown["epochs"]) for track in shown["tracks"])


def test_a_course_that_stopped_keeps_its_last_frame():
    net = Net(*(np.zeros(1) for _ in range(4)))
    early = course.Course([], [(0, net), (2, net)], net, 0, "target")
    assert [epoch for epoch, _ in film.frames_at(early, [0, 1, 2, 5, 9])] == [0, 0, 2, 2, 2]


# ---------------------------------------------------------------- the page


@pytest.mark.parametrize(
    "cells, are_numbers",
    [
        (["0.01", "diverged"], True), (["\N{MINUS SIGN}1.5", "-"], True), (["-", "-"], True),
        (["diverged", "diverged"], False), (["2", "target"], False),
    ],
)  # fmt: skip
def test_a_column_of_numbers_is_one_with_a_word_in_the_place_of_some(cells, are_numbers):
    assert bool(side(cells)) == are_numbers


@pytest.fixture
def learn(monkeypatch, tmp_path):
    """learn(chapter): the chapter, as the URL asks for it."""

    def opened(chapter=None):
        monkeypatch.setenv("FASTNET_UI_RUNS", str(tmp_path))
        file = Path(fastnet.__file__).parent / "page" / "app.py"
        app = testing.AppTest.from_file(str(file), default_timeout=120)
        app.query_params["view"] = "learn"
        if chapter:
            app.query_params["chapter"] = chapter
        return checked(app.run())

    return opened


def checked(app):
    """The page, which shows no traceback."""
    assert not app.exception, app.exception
    return app


def words(app):
    return " ".join(text.value for text in app.markdown)


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_chapter_has_words_formulas_and_questions_with_answers(learn, name):
    app = learn(name)
    chapter = CHAPTERS[name]
    assert chapter.words in words(app)
    assert [h.value for h in app.header] == [f"{list(CHAPTERS).index(name) + 1}. {chapter.title}"]
    assert r"$\displaystyle " in words(app)
    asked = [e.label for e in app.expander]
    assert len(chapter.questions) >= 2
    assert all(question in asked for question, _ in chapter.questions)
    assert all(answer in words(app) for _, answer in chapter.questions)
    assert any(label.startswith("The derivation, section") for label in asked)


def test_the_derivation_is_a_chapter_without_links_out(learn):
    app = learn("derivation")
    assert len(app.subheader) == len(derivation.sections()) == 11
    assert "](" not in words(app)


def test_displayed_formulas_of_the_derivation_become_paragraphs():
    text = derivation.readable("$$\n\\begin{array}{rcl}\na &=& b \\\\\nc &=& d\n\\end{array}\n$$")
    assert text == "$\\displaystyle a = b$\n\n$\\displaystyle c = d$"
    matrix = "W = \\begin{pmatrix} 1 & 2 \\end{pmatrix}"
    assert derivation.readable(f"$$\n{matrix}\n$$") == rf"$\displaystyle {matrix}$"
    assert all("$$" not in section for section in derivation.sections().values())


@pytest.mark.parametrize(
    "written, shown",
    [
        (r"dz1_{2} = dh_{2}", r"dz_{1,2} = dh_{2}"),
        (r"W2_{1,3}\,h_{3} + b2_{1}", r"W_{2,1,3}\,h_{3} + b_{2,1}"),
        (r"W2^{\mathsf T} e^{z2_i}", r"W_{2}^{\mathsf T} e^{z_{2,i}}"),
    ],
)
def test_formulas_are_written_as_in_the_derivation(written, shown):
    assert lab.typeset(written) == shown


def test_chapters_name_sections_that_are_there():
    headings = list(derivation.sections())
    for chapter in CHAPTERS.values():
        assert all(any(h.startswith(s) for h in headings) for s in chapter.sections)


def test_an_unknown_chapter_is_told_and_the_first_is_shown(learn):
    app = learn("bogus")
    assert "bogus" in app.warning[0].value and "softmax" in app.warning[0].value
    assert app.header[0].value == "1. Forward pass"


def test_chapters_are_in_the_address(learn):
    app = learn()
    checked(app.button(key="do-chapter").click().run())
    assert app.query_params["chapter"] in ("backward", ["backward"])
    assert app.header[0].value == "2. Backward pass"


def test_next_and_back_move_through_the_steps(learn):
    app = learn("forward")
    first = words(app)
    checked(app.button(key="do-forward-next").click().run())
    assert "**Hidden unit 1.**" in words(app) and words(app) != first
    checked(app.button(key="do-forward-back").click().run())
    assert words(app) == first
    assert app.button(key="do-forward-back").disabled


def test_a_new_network_begins_at_the_first_step(learn):
    app = learn("forward")
    for _ in range(3):
        app.button(key="do-forward-next").click().run()
    assert app.slider(key="learn-forward-at").value == 4
    checked(app.slider(key="learn-pass-n1").set_value(8).run())
    assert app.slider(key="learn-forward-at").value == 1


def test_steps_lower_the_loss_and_are_counted(learn):
    app = learn("step")
    assert "Steps taken: **0**" in words(app)
    losses = []
    for count in (1, 2, 3):
        checked(app.button(key="do-step").click().run())
        assert f"Steps taken: **{count}**" in words(app)
        losses.append(re.search(r"The loss is \*\*([\d.]+)\*\*", words(app))[1])
    assert len(set(losses)) == 3 and losses == sorted(losses, reverse=True)


def test_steps_do_not_survive_a_new_network(learn):
    app = learn("step")
    checked(app.button(key="do-ten").click().run())
    assert "Steps taken: **10**" in words(app)
    checked(app.slider(key="learn-pass-n1").set_value(5).run())
    assert "Steps taken: **0**" in words(app)
    checked(app.button(key="do-step").click().run())
    checked(app.button(key="do-again").click().run())
    assert "Steps taken: **0**" in words(app)


def test_what_was_chosen_is_kept_from_chapter_to_chapter(learn):
    app = learn("forward")
    app.slider(key="learn-pass-n1").set_value(5).run()
    checked(app.button(key="chapter-softmax").click().run())
    checked(app.button(key="chapter-backward").click().run())
    assert app.slider(key="learn-pass-n1").value == 5


def test_without_a_rate_the_chapter_asks_for_one(learn):
    app = learn("rate")
    checked(app.multiselect(key="learn-rate-rates").set_value([]).run())
    assert app.info[0].value == "Choose at least one learning rate."
