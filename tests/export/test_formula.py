"""Formulas run in their own languages, and Structured Text by way of Python."""

import json
import math
import re
import shutil
import subprocess

import numpy as np
import pytest

import fastnet
from fastnet import export
from fastnet.errors import UsageError
from fastnet.export import formula, st
from fastnet.options import methods

ROWS = np.random.default_rng(7).normal([20, 3, 1e3], [5, 1, 200], size=(1000, 3))
HEAT = ROWS[:, 0] * ROWS[:, 1] + ROWS[:, 2] / 50
KINDS = np.array(["cold", "warm", "hot"])[np.digitize(HEAT, [60, 90])]


def model_of(y, **given):
    given = {
        "n1": 4,
        "max_epochs": 60,
        "optimizer": "lbfgs",
        "scale": "standard",
        "l2": 1e-3,
        **given,
    }
    return fastnet.train(ROWS, y, test_fraction=0.2, **given).model()


MODELS = {
    **{name: lambda name=name: model_of(HEAT, activation=name) for name in methods.ACTIVATIONS},
    "two numbers": lambda: model_of(np.c_[HEAT, ROWS[:, 1]], scale="clipped"),
    "counts": lambda: model_of(np.round(np.abs(ROWS[:, 1])), loss="poisson"),
    "three classes": lambda: model_of(KINDS),
    "two classes": lambda: model_of(np.where(HEAT > 75, "*) b", "a")),
    "one logit": lambda: model_of(HEAT > 75, loss="binary_cross_entropy"),
    "labels": lambda: model_of(np.c_[HEAT > 75, ROWS[:, 1] > 3], loss="binary_cross_entropy"),
}
# The order of sums and the folding of the scaling differ from predict's; tanh for the sigmoid.
TOLERANCE = 1e-9


def expected(model):
    """What the formulas give: numbers, probabilities, or the scores of three classes."""
    if model.labels:
        return model.predict_proba(ROWS)
    if model.classes is None:
        return model.predict(ROWS).reshape(len(ROWS), -1)
    return model.outputs(ROWS) if len(model.classes) > 2 else model.predict_proba(ROWS)[:, 1:]


def assert_same(got, model):
    wanted = expected(model)
    bound = TOLERANCE * np.maximum(1, np.abs(wanted).max(axis=0)) * 10
    assert (np.abs(np.array(got, float).reshape(wanted.shape) - wanted) <= bound).all()


def text_of(model, language, folder):
    path = folder / f"net{formula.ENDINGS[language]}"
    export.write(model, "formula", path, language=language)
    return path.read_text()


@pytest.mark.parametrize("name", MODELS)
def test_the_formula_in_python(name, tmp_path):
    model, space = MODELS[name](), {}
    exec(text_of(model, "python", tmp_path), space)
    functions = [space[n] for n in formula.names(model)]
    assert_same([[function(*row) for function in functions] for row in ROWS.tolist()], model)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("name", [n for n in MODELS if n != "gelu"])
def test_the_formula_in_javascript(name, tmp_path):
    model = MODELS[name]()
    text_of(model, "js", tmp_path)
    calls = ", ".join(f"net.{n}(...x)" for n in formula.names(model))
    code = f"import * as net from './net.mjs';\nconst X = {json.dumps(ROWS.tolist())};\n"
    (tmp_path / "run.mjs").write_text(
        f"{code}console.log(JSON.stringify(X.map((x) => [{calls}])));"
    )
    ran = subprocess.run(["node", "run.mjs"], cwd=tmp_path, capture_output=True, check=True)
    assert_same(json.loads(ran.stdout), model)


@pytest.mark.parametrize("name", MODELS)
def test_the_formula_in_a_spreadsheet(name, tmp_path):
    engine = pytest.importorskip("formulas", reason="formulas is not installed")
    model = MODELS[name]()
    lines = [t for t in text_of(model, "excel", tmp_path).splitlines() if t.startswith("=")]
    found = []
    for line in lines:
        call = engine.Parser().ast(line)[1].compile()
        order = [ord(name[0].upper()) - ord("A") for name in call.inputs]
        found.append([float(np.asarray(call(*row[order])).item()) for row in ROWS[:50]])
    wanted = expected(model)[:50]
    bound = TOLERANCE * np.maximum(1, np.abs(wanted).max(axis=0)) * 10
    assert (np.abs(np.transpose(found) - wanted) <= bound).all()


def test_latex_is_balanced_and_has_six_digits(tmp_path):
    for name in ("two numbers", "counts", "one logit", "gelu"):
        text = text_of(MODELS[name](), "latex", tmp_path)
        body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
        for opening, ending in ("{}", "()"):
            assert body.count(opening) == body.count(ending)
        assert body.count(r"\begin{aligned}") == body.count(r"\end{aligned}") > 0
        digits = re.findall(r"\d+\.\d+", body)
        assert digits and all(len(number.replace(".", "").lstrip("0")) <= 6 for number in digits)
        (tmp_path / "net.tex").unlink()


@pytest.mark.parametrize(
    "given, language, message",
    [
        (
            {"n1": 17},
            "excel",
            "--to formula is for at most 16 hidden units, and this network has 17",
        ),
        ({}, "cobol", "language must be one of python, excel, latex, js, got 'cobol'"),
        (
            {"activation": "gelu"},
            "js",
            "JavaScript has no normal distribution for gelu; take --to js",
        ),
    ],
)
def test_what_is_no_formula_is_refused(given, language, message, tmp_path):
    with pytest.raises(UsageError, match=message):
        export.write(model_of(HEAT, **given), "formula", tmp_path / "net", language=language)
    assert not (tmp_path / "net").exists()


def test_excel_takes_only_so_many_characters(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 40))
    model = fastnet.train(X, X[:, 0], n1=16, max_epochs=2).model()
    with pytest.raises(
        UsageError, match=r"the formula of y has 1.,... characters, and Excel takes"
    ):
        export.write(model, "formula", tmp_path / "net.txt", language="excel")


def test_shifted_means_are_no_formula(tmp_path):
    model = MODELS["counts"]()
    scaling = model.scaling._replace(y_shift=np.array([1.0]))
    model = model._replace(schema=model.schema._replace(scaling=scaling))
    with pytest.raises(UsageError, match="poisson with a shift cannot be written as a formula"):
        export.write(model, "formula", tmp_path / "net", language="python")


def test_a_language_is_for_formulas_alone(tmp_path):
    with pytest.raises(UsageError, match="--language excel is for --to formula, not for c"):
        export.write(MODELS["relu"](), "c", tmp_path / "net.h", language="excel")


def test_the_files_are_named_after_the_language():
    names = [
        str(export.default_path("runs/heat", "formula", n)) for n in (*formula.LANGUAGES, None)
    ]
    assert names == ["heat.py", "heat.txt", "heat.tex", "heat.mjs", "heat.py"]
    assert str(export.default_path("runs/heat", "st")) == "heat.st"


@pytest.mark.parametrize("to, language", [("st", None), ("formula", "python")])
def test_an_interval_is_told_in_a_line(to, language, tmp_path):
    model = fastnet.train(ROWS, HEAT, n1=3, max_epochs=20, validation_fraction=0.2).model()
    export.write(model, to, tmp_path / "net", interval=0.9, language=language)
    half = export.files.facts.interval(model, 0.9).half_width[0]
    line = f'"y": the prediction plus or minus {half:.6g} holds it with a probability of 90 %'
    assert line in (tmp_path / "net").read_text()


@pytest.mark.parametrize("name", ["class", "lambda", "function", "x1", "z"])
def test_targets_whose_names_are_words_of_a_language_become_y0(name, tmp_path):
    model = MODELS["relu"]()
    model = model._replace(schema=model.schema._replace(targets=(name,)))
    space = {}
    exec(text_of(model, "python", tmp_path), space)
    assert space["y0"](*ROWS[0]) == pytest.approx(model.predict(ROWS[:1])[0])


# ---------------------------------------------------------------- Structured Text

FUNCTIONS = {"EXP": math.exp, "LN": math.log, "SIN": math.sin, "ABS": abs, "MIN": min, "MAX": max}


def python_of(text):
    """The body of a function block as Python: its statements are one per line."""
    constants = re.findall(r"(\w+) : ARRAY\[0\.\.(\d+)\] OF LREAL := \[([^]]*)\]", text)
    lines = []
    for name, last, numbers in constants:
        values = [float(number) for number in numbers.split(",")]
        assert len(values) == int(last) + 1
        lines.append(f"{name} = {values}")
    names = r"(\w+) : ARRAY\[0\.\.(\d+)\] OF LREAL;"
    lines += [
        f"{name} = [0.0] * {int(n) + 1}" for name, n in re.findall(names, text) if name != "x"
    ]
    for line in text.split("END_VAR")[-1].splitlines():
        if re.match(r"\s*END_", line):
            continue
        line = re.sub(r"FOR (\w+) := (\w+) TO (\w+) DO", r"for \1 in range(\2, \3 + 1):", line)
        line = re.sub(r"IF (.*) THEN", r"if \1:", line)
        lines.append(line.replace(":=", "=").removesuffix(";"))
    return compile("\n".join(lines), "net.st", "exec")


@pytest.mark.parametrize("name", [n for n in MODELS if n != "gelu"])
def test_the_block_in_structured_text(name, tmp_path):
    model = MODELS[name]()
    export.write(model, "st", tmp_path / "net.st", about=["Run one"])
    text = (tmp_path / "net.st").read_text()
    assert text.count("(*") == text.count("*)") == 1 and "FUNCTION_BLOCK net\n" in text
    code, found, best = python_of(text), [], []
    for row in ROWS[:200].tolist():
        space = {**FUNCTIONS, "x": row}
        exec(code, space)
        found.append(space["y"])
        best.append(space.get("best"))
    if model.classes is not None:
        np.testing.assert_allclose(found, model.predict_proba(ROWS[:200]), atol=1e-9)
        assert model.classes[best].tolist() == model.predict(ROWS[:200]).tolist()
    else:
        wanted = expected(model)[:200]
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-8)


def test_gelu_is_refused_in_structured_text(tmp_path):
    with pytest.raises(UsageError, match="activation gelu cannot be written in Structured Text"):
        export.write(MODELS["gelu"](), "st", tmp_path / "net.st")
    assert {*st.STEPS} == {*methods.ACTIVATIONS} - {"gelu"}
