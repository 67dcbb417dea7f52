"""Data flow one way: packages stand in order, and each imports only from those before it."""

import ast
from pathlib import Path

import pytest

import fastnet

FOLDER = Path(fastnet.__file__).parent
# Folders and single files of fastnet/; imports inside functions count, too.
ORDER = """
errors extras files shapes options data native engine reference training results
cluster job api gradcheck doctor export figures report estimator page cli __main__
""".split()
NUMBA = {"numba", "llvmlite"}


def modules():
    """Every source file with its package, the first part of its name below fastnet."""
    for path in sorted(FOLDER.rglob("*.py")):
        parts = path.relative_to(FOLDER).with_suffix("").parts
        if parts != ("__init__",):
            yield path, parts[0]


FILES = list(modules())
NAMES = [str(path.relative_to(FOLDER)) for path, _ in FILES]


def imports(path):
    """Modules that a file imports anywhere, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "fastnet":
            yield from (f"fastnet.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def packages(path):
    """Packages of fastnet that a file imports from."""
    found = (name.split(".")[1] for name in imports(path) if name.startswith("fastnet."))
    return {name for name in found if name in ORDER}


def test_the_order_names_every_package():
    assert {package for _, package in FILES} <= set(ORDER)


@pytest.mark.parametrize("path, package", FILES, ids=NAMES)
def test_a_package_imports_only_from_those_before_it(path, package):
    assert packages(path) <= set(ORDER[: ORDER.index(package) + 1])


@pytest.mark.parametrize("path, package", FILES, ids=NAMES)
def test_only_native_knows_numba(path, package):
    outside = {name.split(".")[0] for name in imports(path)} & NUMBA
    assert package == "native" or not outside


@pytest.mark.parametrize("path", sorted((FOLDER / "reference").glob("*.py")), ids=lambda p: p.name)
def test_the_reference_imports_only_numpy_and_the_methods_names(path):
    found = set(imports(path))
    own = {name for name in found if name.startswith("fastnet.reference")}
    own |= {"fastnet.options.methods"} & found
    assert found - own <= {"functools", "math", "typing", "numpy"}


def test_files_of_tests_have_names_of_their_own():
    """Two files of one name in different folders cannot be collected together."""
    names = [path.name for path in (Path(__file__).parent.parent / "tests").rglob("test_*.py")]
    assert not {name for name in names if names.count(name) > 1}
