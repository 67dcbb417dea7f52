"""The reference mirrors the engine: what other files use of engine/X.py is in reference/X.py."""

import ast
import functools
import importlib
import re
from pathlib import Path

import pytest

import fastnet
from fastnet import reference
from fastnet.engine import records
from fastnet.options import methods

HERE, FOLDER = Path(__file__).parent, Path(fastnet.__file__).parent
SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.rglob("*.py")}
# Files without a namesake: NumPy has what they do, and the reference's arrays have the shapes that
# people use; initial weights are drawn for both backends.
# Kernels are compiled for layers of one, few or many inputs and outputs, and have two layouts of a
# mini-batch; NumPy multiplies any.
ONLY_ENGINE = {"__init__", "cholesky", "elementary", "init", "layers", "layout", "panels", "units"}
# Names without a namesake in the others: the full batch of a huge network is summed in parts, which
# threads share out.
ONLY_KERNELS = {"sum_parts", "share_parts"}


def engine_files():
    """Names of the engine's files that have a namesake."""
    found = {path.stem for path in (FOLDER / "engine").glob("*.py")}
    assert found >= ONLY_ENGINE
    return sorted(found - ONLY_ENGINE)


@functools.cache
def imported(tree):
    """(module of the engine, name in it) of all that a source uses of the engine."""
    modules, found = {}, set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "fastnet.engine":
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("fastnet.engine."):
            found |= {(node.module.split(".")[2], alias.name) for alias in node.names}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute):
            continue
        if isinstance(node.value, ast.Name) and node.value.id in modules:
            found.add((modules[node.value.id], node.attr))
        elif isinstance(node.value, ast.Attribute) and node.value.attr == "backend":
            found.add(("kernels", node.attr))  # training calls either backend by the same names
    return found


def used(file):
    """Functions and tables of an engine file that other files use."""
    module = importlib.import_module(f"fastnet.engine.{file}")
    names = {name for tree in SOURCES.values() for f, name in imported(tree) if f == file}
    kinds = {name: getattr(module, name) for name in names if hasattr(module, name)}
    classes = {name for name, value in kinds.items() if isinstance(value, type)}
    return {n for n in kinds if n == "bind" or (callable(kinds[n]) and n not in classes)} | {
        n for n, value in kinds.items() if isinstance(value, dict)
    }


def test_files_have_namesakes():
    own = {path.stem for path in (FOLDER / "reference").glob("*.py")} - {"__init__"}
    assert own == set(engine_files())
    assert set(reference.__all__) == own


@pytest.mark.parametrize("file", engine_files())
def test_what_other_files_use_has_its_namesake(file):
    twin = importlib.import_module(f"fastnet.reference.{file}")
    assert used(file) - ONLY_KERNELS <= set(vars(twin))


def test_the_sources_show_what_is_used():
    """The test above would hold of nothing, too."""
    assert used("kernels") >= {"advance", "evaluate", "share_parts", "bind"}
    assert used("network") >= {"forward", "mean_loss", "loss_and_gradient"}
    assert used("methods") >= {"METHODS", "CHOICES"}
    assert used("lbfgs") == used("levenberg") == {"METHODS"}


@pytest.mark.parametrize("file", engine_files())
def test_tables_have_the_same_rows(file):
    engine, twin = (
        importlib.import_module(f"fastnet.{folder}.{file}") for folder in ("engine", "reference")
    )
    for name in used(file):
        if isinstance(getattr(engine, name), dict):
            assert set(getattr(engine, name)) == set(getattr(twin, name)), name


def test_methods_are_made_of_functions_of_the_same_names():
    engine, twin = (
        importlib.import_module(f"fastnet.{folder}.methods").CHOICES
        for folder in ("engine", "reference")
    )
    for title in ("optimizer", "optimizer in batches"):
        for name, row in engine[title].items():
            for part in ("mean_loss", "loss_at_entry", "epoch"):
                functions = (getattr(r, part).__name__ for r in (row, twin[title][name]))
                assert len(set(functions)) == 1, (name, part)
            assert row.memory == twin[title][name].memory


def test_tables_have_a_row_for_every_name_of_the_options():
    named = {
        "activation": set(methods.ACTIVATIONS),
        "loss": set(methods.LOSSES),
        "optimizer": set(methods.OPTIMIZERS),
        "optimizer in batches": set(methods.FIRST_ORDER),
    }
    for folder in ("engine", "reference"):
        backend = importlib.import_module(f"fastnet.{folder}.methods")
        assert {title: set(rows) for title, rows in backend.CHOICES.items()} == named
    for place, reason in enumerate(methods.STOPS):
        assert getattr(records, reason.upper(), place) == place
    assert reference.records.CONVERGED == records.CONVERGED


@pytest.mark.parametrize("folder", ["engine", "reference"])
def test_the_files_that_comments_name_are_there(folder):
    there = {path.name for path in SOURCES} | {path.name for path in HERE.glob("*.py")}
    for path in (FOLDER / folder).glob("*.py"):
        named = re.findall(r"\b(\w+\.py)\b", path.read_text(encoding="utf-8"))
        assert set(named) <= there, path
