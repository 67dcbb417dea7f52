"""Vectors: sums of lanes and transposition to the bit, and the height of a tile."""

import numpy as np
import pytest

from fastnet.native import tiles
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES, store, sum_lanes_each, transpose

DTYPES = ("float32", "float64")


@compile_for_python
def run_totals(array, out):
    for i in range(0, out.size, LANES):
        store(out, i, sum_lanes_each(array, i * LANES))


@compile_for_python
def run_transpose(array, step, out):
    transpose(array, 0, step, out, 0, LANES)


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
