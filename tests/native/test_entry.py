"""Entry points: from the arguments of a call to machine code, in this process, the cache or new."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import fastnet
from fastnet.native import cache, versions
from fastnet.native.choice import Choice, table
from fastnet.native.entry import INTERPRETED, Entry, inner
from fastnet.native.wire import Bound

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
    monkeypatch.setattr(cache, "folders", lambda: [tmp_path])
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
def test_a_damaged_file_is_compiled_again(fresh):
    def double(values):
        values[0] = twice(values[0])

    values = np.ones(1)
    Entry(double)(values)
    (file,) = fresh.glob("double-*.kernel")
    whole = file.read_bytes()
    flipped = [bytearray(whole) for _ in range(3)]
    for place, copy in zip((3, 70, len(whole) // 2), flipped):  # the digest, the symbol, the code
        copy[place] ^= 1
    for damaged in (whole[:-1], b"", whole[:60], whole + b"\0", *flipped):
        file.write_bytes(damaged)
        assert cache.read(file.name) is None
        Entry(double)(values)
        assert cache.read(file.name) is not None
    assert values[0] == 2.0**8


@compiled_only
def test_code_without_its_function_is_compiled_again(fresh):
    def double(values):
        values[0] = twice(values[0])

    values = np.ones(1)
    Entry(double)(values)
    (file,) = fresh.glob("double-*.kernel")
    symbol, code = cache.read(file.name)
    cache.write(file.name, symbol + "2", code)
    assert cache.read(file.name) == (symbol + "2", code)
    Entry(double)(values)
    assert values[0] == 4.0 and cache.read(file.name) != (symbol + "2", code)


@compiled_only
def test_each_kind_of_arguments_has_its_own_code(fresh):
    @Entry
    def double(values):
        values[0] = twice(values[0])

    for dtype in ("float32", "float64", "float64"):
        values = np.ones(2, dtype)
        assert double.is_ready(values) == (values.dtype in [kind[1][0] for kind in double.codes])
        double(values)
        assert values.tolist() == [2.0, 1.0] and double.is_ready(values)
        assert double.is_loaded(values)
    other = Entry(double.function)
    assert len(double.codes) == 2 and other.is_ready(values) and not other.is_loaded(values)


@compiled_only
def test_without_a_folder_each_process_compiles(monkeypatch):
    monkeypatch.setattr(cache, "folder", lambda: None)
    monkeypatch.setattr(cache, "folders", lambda: [])

    @Entry
    def double(values):
        values[0] = twice(values[0])

    values = np.ones(1)
    assert not double.is_ready(values)
    double(values)
    assert values[0] == 2.0 and double.is_ready(values)


def test_arrays_in_pieces_are_refused():
    with pytest.raises(ValueError, match=re.escape("in one piece, got strides (16,)")):
        Entry(lambda values: None)(np.zeros(4)[::2])


@pytest.mark.parametrize("value", [0.5, np.float64(2.0), "two", None], ids=repr)
def test_only_whole_numbers_are_sent(value):
    with pytest.raises(TypeError, match=re.escape(f"tuples of them, got {value!r}")):
        Entry(lambda values, number: None)(np.zeros(4), value)


def test_whole_numbers_of_any_type_are_sent(fresh):
    @Entry
    def put(number, out):
        out[0] = number

    out = np.zeros(1, np.int64)
    for number in (-3, np.int32(7), np.uint8(200), True, 2**62):
        put(number, out)
        assert out[0] == number


def test_a_repeated_call_takes_other_whole_numbers(fresh):
    @Entry
    def put(place, values, step, out):
        for i in range(place, out.size, step):
            out[i] += values[i]

    values, out = np.arange(6.0), np.zeros(6)
    call = put.repeated(0, Bound(values), 1, out)
    call(3, 2)
    call(4, 9)
    assert out.tolist() == [0, 0, 0, 3, 4, 5]
    values *= 10
    call(5, 1)
    assert out.tolist() == [0, 0, 0, 3, 4, 55]
    with pytest.raises(ValueError, match="zip"):
        call(5)


@compiled_only
def test_an_error_in_a_repeated_call_is_raised_and_the_next_one_works(fresh):
    @Entry
    def divide(number, out):
        if number == 0:
            raise ValueError("no")
        out[0] = 6 // number

    out = np.zeros(1, np.int64)
    call = divide.repeated(1, out)
    with pytest.raises(RuntimeError, match="a kernel ended with an error, which is a bug"):
        call(0)
    call(2)
    assert out[0] == 3


@compiled_only
def test_a_kernel_cannot_call_what_a_process_without_numba_lacks(fresh):
    def call(values):
        values[0] = np.arctan(values[0])

    with pytest.raises(RuntimeError, match=r"kernels may call \{'sqrt'\} .*, got \['atan'\]"):
        Entry(call)(np.ones(1))
    assert not list(fresh.iterdir())


@compiled_only
def test_an_error_in_a_kernel_is_raised_and_the_next_call_works(fresh):
    @inner
    def checked(x):
        if x < 0.0:
            raise ValueError("no")
        return 2.0 * x

    @Entry
    def double(values):
        values[0] = checked(values[0])

    with pytest.raises(RuntimeError, match="a kernel ended with an error, which is a bug"):
        double(np.array([-1.0]))
    values = np.ones(1)
    double(values)
    assert values[0] == 2.0


@compiled_only
@pytest.mark.slow
def test_what_the_plain_path_made_is_not_taken_for_the_other(tmp_path):
    variables = {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(FOLDER.parent)}
    for path in ("", "plain"):
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", SCRIPT],
            env={**os.environ, **variables, versions.VARIABLE: path},
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout == "0.0 1.0 2.0\n0.0 2.0 4.0\nTrue\n"
    files = [path.name for path in tmp_path.glob("*/*.kernel")]
    assert len(files) == 4 and sum("weigh-plain-" in name for name in files) == 2
