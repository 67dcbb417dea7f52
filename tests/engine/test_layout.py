"""Sizes, and where arrays lie."""

import numpy as np
import pytest
from nets import DTYPES, random_member

from fastnet.engine import layout
from fastnet.native.vector import LANES


def test_sizes_are_whole_vectors():
    counts = np.arange(1, 200)
    padded = np.array([layout.padded(int(c)) for c in counts])
    assert (padded % LANES == 0).all() and (padded >= counts).all()
    assert (padded - counts < LANES).all()
    narrow, wide = layout.WIDE - 1, layout.WIDE
    assert layout.columns(narrow) == narrow * LANES
    assert layout.columns(wide) == LANES
    assert layout.parameter_length(3, 2, 4) == 32  # 3 * (2 + 1 + 4) + 4 = 25


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d", [1, 20])
def test_vectors_lie_on_cache_lines(rng, dtype, d):
    """All but what has one number; NumPy's own arrays lie 16 bytes behind one."""
    member = random_member(rng, dtype, "cross_entropy", d, 10, 5, 40)
    for place in (
        member.scratch,
        member.scratch.batch,
        member.scratch.solver,
        member.problem.train,
    ):
        for name, array in place._asdict().items():
            if isinstance(array, np.ndarray) and array.size >= LANES and name != "order":
                assert array.ctypes.data % 64 == 0, name


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "c"), [(1, 8), (17, 20), (32, 64)])
def test_rows_side_by_side(rng, dtype, n, c):
    values = rng.normal(size=(n, c))
    filled = np.zeros((layout.padded(n), layout.padded(c)), dtype)
    filled[:n, :c] = values
    found = layout.side_by_side(values, dtype).reshape(-1, layout.padded(n), LANES)
    np.testing.assert_array_equal(np.concatenate(list(found), axis=1), filled)


def test_a_block_fits_the_cache_and_rows_do_not_collide():
    for n1 in (1, 16, 255, 256, 257, 600, 8192, 65536):
        panels, stride = layout.block_panels(n1), layout.block_stride(n1)
        assert 1 <= panels <= layout.BLOCK_PANELS
        assert panels == 1 or panels * n1 * LANES <= layout.BLOCK_VALUES
        assert stride >= panels * LANES and stride // LANES % 2 == 1
