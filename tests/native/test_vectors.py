"""Vectors: sums of lanes and transposition to the bit, the height of a tile; shared counters."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastnet.native import tiles
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES, atomic_add, store, sum_lanes_each, transpose

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


def test_tiles_fit_the_registers(monkeypatch):
    """The rule, for AVX-512, AVX2 and NEON; compiled kernels are only right on this processor."""
    shapes = {(32, 1): 12, (16, 2): 6, (16, 4): 2, (32, 4): 6, (32, 8): 2, (16, 8): 2}
    for shape, rows in shapes.items():
        monkeypatch.setattr(tiles, "registers", lambda bits, shape=shape: shape)
        assert tiles.tile_rows(32) == rows
