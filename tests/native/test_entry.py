"""Entry points: from the arguments of a call to machine code, in this process, the cache or new."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import fastnet
from fastnet.native import cache
from fastnet.native import compile as compiler
from fastnet.native.choice import Choice, table
from fastnet.native.entry import INTERPRETED, Bound, Entry, inner

FOLDER = Path(fastnet.__file__).parent
SCRIPT = """
import sys
import numpy as np
from fastnet.native.choice import table
from fastnet.native.entry import Entry, inner

FRUIT = table("fruit", apple={"weight": inner(lambda: 1.0)}, pear={"weight": inner(lambda: 2.0)})

@Entry
def weigh(fruit, parts, out):
    (first, count), factors = parts
    for i in range(first, count):
        out[i, 1] = fruit.weight() * factors[i]

out = np.zeros((3, 2))
for fruit in FRUIT.values():
    weigh(fruit, ((1, 3), np.arange(3.0)), out)
    print(*out[:, 1])
print("numba" in sys.modules)
"""
compiled_only = pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """An empty cache."""
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    return tmp_path


@inner
def twice(x):
    return 2.0 * x


FRUIT = table("peeled fruit", melon={"peel": inner(lambda x: x - 1.0)}, grape={"peel": False})


class Basket(NamedTuple):
    fruit: Choice
    weights: np.ndarray
    counts: np.ndarray
    grid: np.ndarray  # (n, 2)


@Entry
def fill(basket, out):
    for i in range(basket.grid.shape[0]):
        basket.counts[i] += 2
        basket.weights[i] = basket.counts[i] * basket.grid[i, 1]
    if basket.fruit.peel:
        basket.weights[0] = basket.fruit.peel(basket.weights[0])
    else:
        out[0] = basket.weights[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fruit", FRUIT.values(), ids=FRUIT)
def test_tuples_of_arrays_and_choices(fresh, fruit, dtype):
    """And what a Choice rules out is never compiled: False cannot be called, nor a function
    be true."""
    results = []
    for call in fill, fill.function, lambda basket, out: fill(Bound(basket), out):
        grid = np.array([[5, 1.5], [6, 2.5]], dtype)
        basket = Basket(fruit, np.full(3, 9, dtype), np.array([1, 2, 3]), grid)
        out = np.zeros(1)
        call(basket, out)
        results.append([*basket.weights, *basket.counts, *out])
    assert results[0] == results[1] == results[2]
    peeled = fruit.name == "melon"
    assert results[0] == [3.5 if peeled else 4.5, 10.0, 9.0, 3, 4, 3, 0.0 if peeled else 10.0]


@compiled_only
def test_another_process_finds_the_code_and_needs_no_numba(tmp_path):
    variables = {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(FOLDER.parent)}
    runs = [
        subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    ]
    numbers = "0.0 1.0 2.0\n0.0 2.0 4.0\n"
    assert runs == [numbers + "True\n", numbers + "False\n"]


@compiled_only
def test_a_damaged_file_is_compiled_anew(fresh):
    def double(values):
        values[0] = twice(values[0])

    values = np.ones(1)
    Entry(double)(values)
    (file,) = fresh.glob("double-*.kernel")
    whole = file.read_bytes()
    for damaged in (whole[:-1], b"", whole.replace(b"double", b"triple")[:50], whole + b"\0"):
        file.write_bytes(damaged)
        assert cache.read(file) is None
        Entry(double)(values)
        assert cache.read(file) is not None
    assert values[0] == 2.0**5


@compiled_only
def test_each_kind_of_arguments_has_its_own_code(fresh):
    @Entry
    def double(values):
        values[0] = twice(values[0])

    for dtype in ("float32", "float64", "float64"):
        values = np.ones(2, dtype)
        assert double.is_ready(values) == (values.dtype in [kinds[1][0] for kinds in double.codes])
        double(values)
        assert values.tolist() == [2.0, 1.0] and double.is_ready(values)
    assert len(double.codes) == 2 and Entry(double.function).is_ready(values)


def test_the_processor_and_the_compiler_decide_the_file(fresh, monkeypatch):
    here = cache.place("advance", (1,))
    monkeypatch.setattr(cache, "processor", lambda: ("znver9", ""))
    assert cache.place("advance", (1,)) != here
    before = cache.version_hash()
    monkeypatch.setattr(cache, "compiler_versions", lambda: {"numba": "9", "llvmlite": "9"})
    assert cache.version_hash() != before


@compiled_only
def test_without_a_folder_each_process_compiles(monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: None)

    @Entry
    def double(values):
        values[0] = twice(values[0])

    values = np.ones(1)
    assert not double.is_ready(values)
    double(values)
    assert values[0] == 2.0 and double.is_ready(values)


def test_a_full_disk_leaves_nothing_behind(fresh, monkeypatch):
    def full(*paths):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.write(fresh / "double.kernel", "double", b"code")
    assert not list(fresh.iterdir())


def test_a_folder_that_is_gone_does_no_harm(tmp_path):
    cache.write(tmp_path / "gone" / "double.kernel", "double", b"code")
    assert cache.read(tmp_path / "gone" / "double.kernel") is None


@compiled_only
def test_arrays_in_pieces_are_refused():
    with pytest.raises(ValueError, match=re.escape("in one piece, got strides (16,)")):
        Entry(lambda values: None)(np.zeros(4)[::2])


@compiled_only
def test_a_kernel_cannot_call_what_a_process_without_numba_lacks(fresh):
    def call(values):
        values[0] = np.arctan(values[0])

    with pytest.raises(RuntimeError, match=r"kernels may call \{'sqrt'\} .*, got \['atan'\]"):
        Entry(call)(np.ones(1))
    assert not list(fresh.iterdir())


@compiled_only
def test_an_error_in_a_kernel_is_told(fresh):
    def fail(values):
        raise ValueError("no")

    with pytest.raises(RuntimeError, match="a kernel ended with an error, which is a bug"):
        Entry(fail)(np.ones(1))


def test_the_cache_knows_every_file_that_decides_the_code(monkeypatch, tmp_path):
    """All that an entry point is made of: else an edit would run the code from before it."""
    package = Path(cache.__file__).parents[1]
    for folder in cache.SOURCES:
        shutil.copytree(package / folder, tmp_path / folder)
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "native" / "cache.py"))
    hashes = {cache.version_hash()}
    for path in sorted(tmp_path.glob("*/*.py")):
        path.write_text(path.read_text() + "#")
        hashes.add(cache.version_hash())
    assert len(hashes) == 1 + len(list(tmp_path.glob("*/*.py")))


def test_choices_are_types_by_name():
    fruit = table("fruit", apple={}, pear={})
    types = [compiler.type_of(choice) for choice in (*fruit.values(), fruit["pear"])]
    assert types[0] != types[1] == types[2]
