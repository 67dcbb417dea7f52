"""Public functions say which arguments they take: signatures, docstrings and the stub."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import fastnet
from fastnet import api
from fastnet.options.table import TABLE

STUB = Path(fastnet.__file__).parent / "__init__.pyi"
OPTIONS_FOLDER = Path(fastnet.__file__).parent / "options"
FUNCTIONS = [fastnet.train, fastnet.sweep, fastnet.dry_run, fastnet.resume, fastnet.load]


@pytest.mark.parametrize("name", ["train", "sweep"])
def test_a_signature_has_every_option_with_its_default(name):
    parameters = inspect.signature(getattr(fastnet, name)).parameters
    assert list(parameters)[:3] == ["X", "y", "task"] and "progress" in parameters
    for option in TABLE:
        assert (option.name in parameters) == (name in option.commands)
    assert parameters["n1"].default == 16 and parameters["seeds"].default == (0,)
    assert parameters["stop"].default == {"train": "first", "sweep": "all"}[name]
    assert parameters["learning_rate"].annotation == "OneOrMany[float | None]"


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_every_parameter_is_documented(function):
    entries = re.findall(r"^    (\w+(?:, \w+)*)(?: :|$)", function.__doc__, re.MULTILINE)
    names = {name for entry in entries for name in entry.split(", ")}
    assert set(inspect.signature(function).parameters) <= names
    assert "{" not in re.sub(r"\{[\w\"]+(, [\w\"]+)+\}", "", function.__doc__)


def test_resume_takes_what_may_change():
    names = list(inspect.signature(fastnet.resume).parameters)
    assert names[:4] == ["folder", "X", "y", "force"]
    assert set(names[-3:]) == {"threads", "time_limit", "cluster"}


def test_the_stub_says_the_same():
    made = {
        node.name: [a.arg for a in (*node.args.args, *node.args.kwonlyargs)]
        for node in ast.parse(STUB.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    for name in ("train", "sweep", "dry_run", "resume"):
        assert made[name] == list(inspect.signature(getattr(api, name)).parameters)


@pytest.mark.parametrize("path", sorted(OPTIONS_FOLDER.glob("*.py")), ids=lambda path: path.name)
def test_options_import_the_standard_library_alone(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("fastnet"):
            assert node.module.split(".")[1] in ("errors", "options")
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = (
                [node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            )
            assert not {"numpy", "numba", "pandas"} & {name.split(".")[0] for name in names}
