"""Cholesky factorisation of a symmetric matrix, and solving with the factor.

A matrix is a flat float64 array of shape (size, stride). Its rows are filled up to whole vectors:
stride = padded(size). Only the upper triangle is used. The reference needs no such file because
NumPy factorises and solves.
"""

import math

from fastnet.native.entry import inner
from fastnet.native.vector import LANES, fma, load, never_inline, splat, store, sum_lanes, tile

ROWS = 8  # rows of the factor that are computed together


@inner
def factor_row(a, i, r, stride):
    """Finish row i of the factor in place, rows 0 to r - 1 having been subtracted already; return
    whether its pivot is positive."""
    row = i * stride
    for c in range(i // LANES * LANES, stride, LANES):
        rest = load(a, row + c)
        for t in range(r, i):
            rest = fma(a[t * stride + i], load(a, t * stride + c), rest)
        store(a, row + c, rest)
    pivot = -a[row + i]
    if not pivot > 0.0:
        return False
    scale = -1.0 / math.sqrt(pivot)
    for c in range(i // LANES * LANES, stride, LANES):
        store(a, row + c, load(a, row + c) * scale)
    for c in range(i // LANES * LANES, i):
        a[row + c] = 0.0
    return True


@inner
def cholesky(a, size, stride):
    """Replace the upper triangle of -A in `a` by U with U'U = A; False if A has no such factor."""
    never_inline()
    for r in range(0, size, ROWS):
        end = min(r + ROWS, size)
        for i in range(r, end, 2):
            for c in range(r // LANES * LANES, stride, LANES):
                tile(2, 1, a, i, 1, stride, r, a, c, stride, 0, a, i * stride + c, stride, 0, False)
        for i in range(r, end):
            if not factor_row(a, i, r, stride):
                return False
    return True


@inner
def solve_lower(u, size, stride, first, y):
    """Solve U' x = y in place; y (stride,) is 0 before `first`."""
    for i in range(first, size):
        x = y[i] / u[i * stride + i]
        for c in range(i // LANES * LANES, stride, LANES):
            store(y, c, fma(load(u, i * stride + c), -x, load(y, c)))
        y[i] = x


@inner
def solve_upper(u, size, stride, y):
    """Solve U x = y in place; y (stride,)."""
    for i in range(size - 1, -1, -1):
        right = y[i]
        y[i] = 0.0
        summed = splat(y, 0.0)
        for c in range(i // LANES * LANES, stride, LANES):
            summed = fma(load(u, i * stride + c), load(y, c), summed)
        y[i] = (right - sum_lanes(summed)) / u[i * stride + i]
