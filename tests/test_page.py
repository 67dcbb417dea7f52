"""The Streamlit page, run without a browser."""

from pathlib import Path

import pytest

import fastnet

testing = pytest.importorskip("streamlit.testing.v1", reason="the page needs fastnet[ui]")
APP = Path(fastnet.__file__).parent / "app.py"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with a finished run."""
    folder = tmp_path_factory.mktemp("page")
    options = dict(n1=[2, 4, 8], seeds=3, max_epochs=300, optimizer="sgd")
    fastnet.sweep(task=1, out=folder / "sine", record=("snapshots",), **options)
    return folder


@pytest.fixture
def page(monkeypatch, tmp_path):
    """page(folder, **address): the page as the URL's state asks for it."""

    def opened(folder, **address):
        monkeypatch.setenv("FASTNET_UI_RUNS", str(folder))
        app = testing.AppTest.from_file(str(APP), default_timeout=120)
        for name, value in address.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, app.exception
        return app

    return opened


def test_no_runs_yet(page, tmp_path):
    app = page(tmp_path / "none", view="runs")
    assert "No runs in" in app.info[0].value


def test_a_finished_run(page, runs):
    app = page(runs, view="runs", run="sine")
    assert app.title[0].value == "sine" and "N1" in app.subheader[0].value
    assert not app.error


def test_a_wrong_name_is_one_line(page, runs):
    assert page(runs, view="runs", run="nope").error[0].value == "There is no run nope."
    assert "a run's name has letters" in page(runs, view="runs", run="../sine").error[0].value


def test_the_form_counts_members(page, runs):
    app = page(runs)
    app.text_input(key="option-n1").set_value("2,4").run()
    app.text_input(key="option-seeds").set_value("3").run()
    assert "**6 members**" in [text.value for text in app.markdown]
    app.text_input(key="option-n1").set_value("0").run()
    assert "--n1 must be an integer >= 1" in app.error[0].value


def test_a_step_of_backpropagation_lowers_the_loss(page, runs):
    app = page(runs, view="learn")
    before = next(text.value for text in app.markdown if "loss =" in text.value)
    app.button(key="take").click().run()
    assert next(text.value for text in app.markdown if "loss =" in text.value) != before
    assert app.session_state["learn-steps"] == 1
