"""Which command installs an extra, and who names it."""

import sys
from pathlib import Path

import pytest

from fastnet import extras
from fastnet.errors import DataError, FastnetError

ROOT = Path(extras.__file__).parents[1]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with the given Python, and the working folder in it."""
    (tmp_path / "setup.cfg").touch()
    monkeypatch.setattr(extras, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv" / "bin" / "python"))
    return tmp_path


def test_a_checkout_names_its_own_environment(checkout):
    assert extras.install_command("plot") == ".venv/bin/python -m pip install -e '.[plot]'"


def test_another_python_of_a_checkout_is_named_in_full(checkout, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/opt/my python")
    assert extras.install_command("ui") == "'/opt/my python' -m pip install -e '.[ui]'"


def test_from_another_folder_the_checkout_is_named_in_full(checkout, monkeypatch):
    monkeypatch.chdir("/")
    expected = f"-m pip install -e '{checkout}[export]'"
    assert extras.install_command("export").endswith(expected)


def test_an_installed_package_names_the_distribution(tmp_path, monkeypatch):
    monkeypatch.setattr(extras, "ROOT", tmp_path)
    assert extras.install_command("plot") == "pip install 'fastnet-mlp[plot]'"
    with pytest.raises(FastnetError, match=r"^x; install it with: pip install 'fastnet-mlp\[a\]'$"):
        raise extras.missing_extra("x", "a")
    assert isinstance(extras.missing_extra("x", "a", DataError), DataError)


@pytest.mark.parametrize("name", ["streamlit", "altair"])
def test_the_page_without_a_library_names_the_command(command, monkeypatch, name):
    def missing(wanted):
        if wanted == name:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(extras, "import_module", missing)
    found = command("ui")
    assert found.code == 1 and found.out == ""
    assert found.err.startswith(f"Error: the page needs {name}; install it with: ")


@pytest.mark.parametrize(
    "reason",
    [ImportError("no\nSSL"), ModuleNotFoundError("No module named 'x'", name="x"), OSError()],
)
def test_a_library_that_is_broken_is_named(command, monkeypatch, reason):
    def broken(name):
        raise reason

    monkeypatch.setattr(extras, "import_module", broken)
    found = command("ui")
    assert (found.code, found.out, found.err.count("\n")) == (1, "", 1)
    assert "the page needs streamlit, which cannot be imported (" in found.err
    assert found.err.rstrip().endswith("--force-reinstall")


def test_nothing_names_the_distribution_of_another_project():
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("fastnet/**/*.py")]
    for path in [*files, *ROOT.glob("bench/**/*.py")]:
        assert "'fastnet[" not in path.read_text(encoding="utf-8"), path
