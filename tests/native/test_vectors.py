"""Vectors: sums of lanes and transposition to the bit, the shape of a tile; shared counters."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastnet.native import tiles
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import (
    LANES,
    add_each,
    atomic_add,
    dot_each,
    fma_each,
    fma_loads,
    load,
    load_each,
    store,
    store_each,
    sum_lanes_each,
    transpose,
    zeros_each,
)

DTYPES = ("float32", "float64")


@compile_for_python
def run_totals(array, out):
    for i in range(0, out.size, LANES):
        store(out, i, sum_lanes_each(array, i * LANES))


@compile_for_python
def run_transpose(array, step, out):
    transpose(array, 0, step, out, 0, LANES)


def count_up(counter, seen, times):
    for _ in range(times):
        seen[atomic_add(counter, 1, 2)] += 1


@pytest.mark.parametrize("function", [count_up, compile_for_python(count_up, nogil=True)])
def test_threads_that_count_up_together_miss_and_repeat_nothing(function):
    """Each number comes out once; it is an even one that the counter had before."""
    times, threads = 3000, 4
    counter, seen = np.zeros(3, np.int64), np.zeros(2 * times * threads, np.int64)
    with ThreadPoolExecutor(threads) as pool:
        for call in [pool.submit(function, counter, seen, times) for _ in range(threads)]:
            call.result()
    assert counter.tolist() == [0, 2 * times * threads, 0]
    assert (seen[::2] == 1).all() and (seen[1::2] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_totals_are_the_totals_of_the_vectors(rng, dtype):
    """To the bit: how many vectors are summed at once must not show."""
    array = rng.normal(size=2 * LANES * LANES).astype(dtype)
    out, halves = np.empty(2 * LANES, dtype), array.reshape(-1, LANES)
    run_totals(array, out)
    while halves.shape[1] > 1:
        halves = halves[:, : halves.shape[1] // 2] + halves[:, halves.shape[1] // 2 :]
    np.testing.assert_array_equal(out, halves[:, 0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_transpose_exchanges_rows_and_columns(dtype):
    step = LANES + 3
    array, out = np.arange(LANES * step).astype(dtype), np.empty(LANES * LANES, dtype)
    run_transpose(array, step, out)
    wanted = array.reshape(LANES, step)[:, :LANES].T
    np.testing.assert_array_equal(out.reshape(LANES, LANES), wanted)


@compile_for_python
def run_each(array, step, out, overwrite):
    sums = fma_each(load(array, 0), array, 1, step, zeros_each(array, 3))
    sums = fma_each(load(array, LANES), array, 2, step, sums)
    store(out, 0, dot_each(load_each(array, 5, step, 3), array, 4, step))
    add_each(out, LANES, LANES, sums, overwrite)


@compile_for_python
def run_loads(array, step, out):
    sums = fma_loads(load(array, 0), array, 1, step, zeros_each(array, 3))
    store_each(out, LANES, 2 * LANES, fma_loads(load(array, LANES), array, 2, step, sums))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("overwrite", [True, False])
def test_a_few_vectors_at_a_time(dtype, overwrite):
    """Whole numbers, so that each sum is exact."""
    step = LANES + 3
    array = np.arange(4 * step).astype(dtype)
    out = np.ones(4 * LANES, dtype)
    rows = [array[5 + j * step :][:LANES] for j in range(3)]
    wanted = [sum(row * array[4 + j * step] for j, row in enumerate(rows))]
    for j in range(3):
        total = array[:LANES] * array[1 + j * step] + array[LANES:][:LANES] * array[2 + j * step]
        wanted.append(total if overwrite else total + 1)
    run_each(array, step, out, overwrite)
    np.testing.assert_array_equal(out.reshape(4, LANES), wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_with_a_few_vectors(dtype):
    """Whole numbers, so that each sum is exact."""
    step = LANES + 3
    array, out = np.arange(4 * step).astype(dtype), np.zeros(6 * LANES, dtype)
    run_loads(array, step, out)
    wanted = np.zeros((6, LANES), dtype)
    for j in range(3):
        first, second = (array[i + j * step :][:LANES] for i in (1, 2))
        wanted[1 + 2 * j] = array[:LANES] * first + array[LANES:][:LANES] * second
    np.testing.assert_array_equal(out.reshape(6, LANES), wanted)


def test_tiles_fit_the_registers(monkeypatch):
    """The rule, for AVX-512, AVX2 and NEON; compiled kernels are only right on this processor."""
    shapes = {
        (32, 1): (12, 2),
        (16, 2): (6, 1),
        (16, 4): (2, 1),
        (32, 2): (12, 1),
        (32, 4): (6, 1),
        (32, 8): (2, 1),
        (16, 8): (2, 1),
    }
    for registers, shape in shapes.items():
        monkeypatch.setattr(tiles, "registers", lambda bits, found=registers: found)
        assert tiles.tile_shape(32) == shape
