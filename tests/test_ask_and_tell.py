"""The loop of docs/pruning.md that asks a study for settings and tells it their losses."""

import doctest
import re
from pathlib import Path

import numpy as np
import pytest

import fastnet

PAGE = (Path(__file__).parents[1] / "docs" / "pruning.md").read_text(encoding="utf-8")


@pytest.fixture
def page():
    """What the page defines, and samples."""
    X = np.random.default_rng(0).uniform(-1, 1, (100, 3))
    found = {"np": np, "fastnet": fastnet, "X": X, "y": X[:, 0] * X[:, 1] + X[:, 2]}
    for example in doctest.DocTestParser().get_examples(PAGE):
        if example.source.startswith(("def ", "class ")):
            exec(example.source, found)
    return found


def test_every_setting_that_was_asked_for_is_trained_and_told(page, monkeypatch):
    given = []
    sweep = fastnet.sweep

    def noted(*args, **options):
        given.append(options)
        return sweep(*args, **options, backend="reference")

    monkeypatch.setattr(fastnet, "sweep", noted)
    study = page["RandomStudy"](seed=1)
    page["search"](study, page["X"], page["y"], rounds=2, batch=3)
    asked = [params for _, params in study.told]
    trained = [
        dict(zip(("learning_rate", "n1", "l2"), values))
        for options in given
        for values in zip(options["learning_rate"], options["n1"], options["l2"])
    ]
    assert len(given) == 2 and asked == trained


def test_the_example_runs_with_optuna(page, capsys):
    pytest.importorskip("optuna", reason="not a dependency of fastnet")
    code = re.search(r"```python\n(import optuna.*?)```", PAGE, re.DOTALL)[1]
    exec(code.replace("rounds=8, batch=16", "rounds=2, batch=4"), page)
    study = page["study"]
    assert len(study.trials) == 8 and np.isfinite(study.best_value)
    assert "learning_rate" in capsys.readouterr().out
