"""Vectors of LANES numbers: what the kernels do with them.

LANES consecutive elements of an array are one value, on which the functions here and + - * /
work lane by lane: `load` reads it, `store` writes it. So we decide the order of every sum, on every
machine. Arrays are one-dimensional, and an index is that of the first element: `array, i`.

In Python a vector is a NumPy array of LANES elements, and these functions run as written. In
compiled code it is one value of LLVM's type <LANES x float>, which LLVM maps to AVX-512, AVX2 or
NEON registers; intrinsics.py and tiles.py define what each function becomes.
"""

import threading

import numpy as np

LANES = 16  # one AVX-512 register of float32; two of float64, or of AVX2, work side by side
# Adding and subtracting 1.5 * 2**(mantissa bits) rounds to a whole number.
ROUND_SINGLE, ROUND_DOUBLE = 1.5 * 2.0**23, 1.5 * 2.0**52
BIASED_SINGLE, BIASED_DOUBLE = ROUND_SINGLE + 127, ROUND_DOUBLE + 1023
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
LOCK = threading.Lock()


def never_inline():
    """Keep LLVM from copying the function with this call into its callers.

    LLVM would optimise the copy again in each caller; without copies the code is optimised once.
    """


def always_inline():
    """Make LLVM copy the function with this call into its callers, however large it is."""


def unchecked(array, i):
    """array[i] for i >= 0, without the test for an index that counts from the end."""
    return array[i]


def atomic_add(array, i, value):
    """Add `value` to array[i], which other threads change, too; return what it was before.

    What a thread has written before is seen by those that add later.
    """
    with LOCK:
        before = int(array[i])
        array[i] = before + value
    return before


def load(array, i):
    """Elements i to i + LANES - 1 of the array."""
    return array[i : i + LANES].copy()


def store(array, i, v):
    """array[i : i + LANES] = v."""
    array[i : i + LANES] = v


def scatter(array, i, step, v):
    """array[i + lane * step] = v[lane]."""
    array[i : i + LANES * step : step] = v


def splat(array, value):
    """`value` in every lane, in the dtype of `array`."""
    return np.full(LANES, value, array.dtype)


def dtype_of(*values):
    """The dtype of the vectors among the values: scalars never widen a vector."""
    return next(v.dtype for v in values if isinstance(v, np.ndarray))


def fma(a, b, c):
    """a * b + c, in one rounding if the processor can; a scalar counts for every lane."""
    return (a * b + c).astype(dtype_of(a, b, c))


def sqrt(v):
    """The square root of each lane, correctly rounded."""
    return np.sqrt(v)


def where_greater(a, b, x, y):
    """x in the lanes where a > b, else y; a comparison with NaN gives y."""
    return np.where(np.greater(a, b), x, y).astype(dtype_of(a, b, x, y))


def sum_lanes(v):
    """Sum of the lanes: the upper half is added to the lower until one lane is left."""
    while v.size > 1:
        v = v[: v.size // 2] + v[v.size // 2 :]
    return v[0]


def sum_lanes_each(array, i):
    """sum_lanes() of each of LANES vectors side by side, as a vector; the same sums."""
    vectors = array[i : i + LANES * LANES].reshape(LANES, LANES)
    return np.array([sum_lanes(v) for v in vectors])


def transpose(array, start, step, out, out_start, out_step):
    """Write LANES vectors, `step` apart, as columns, `out_step` apart: out[j, i] = vector i[j]."""
    for i in range(LANES):
        for j in range(LANES):
            out[out_start + j * out_step + i] = array[start + i * step + j]


def is_float32(v):
    """Whether the vector is of float32: known when the kernel is compiled."""
    return v.dtype == np.float32


def to_float64(v):
    """The vector in float64."""
    return v.astype(np.float64)


def add_exponent(v, shifted):
    """v * 2**n for shifted = ROUND_... + n, n whole, v and the result in the normal range.

    The low bits of `shifted` are n itself: they are moved to the exponent's place and added.
    A NaN stays NaN: its own `shifted` adds nothing.
    """
    integers, mantissa = (np.uint32, 23) if v.dtype == np.float32 else (np.uint64, 52)
    return (v.view(integers) + (shifted.view(integers) << integers(mantissa))).view(v.dtype)


def power_of_two(shifted):
    """2**n for shifted = BIASED_... + n, n whole and 2**n in the normal range.

    The low bits of `shifted` are n and the exponent's bias: they are moved to the exponent's place.
    """
    integers, mantissa = (np.uint32, 23) if shifted.dtype == np.float32 else (np.uint64, 52)
    return (shifted.view(integers) << integers(mantissa)).view(shifted.dtype)


def exponent_of(u):
    """e in u = m * 2**e with sqrt(1/2) <= m < sqrt(2), as float64; u float64, positive."""
    return ((u.view(np.int64) - SQRT_HALF_BITS) >> 52).astype(np.float64)


def most_rows(array):
    """Most rows of a tile of the array's dtype: by the processor (tiles.py)."""
    return 4


def most_columns(array):
    """Most vectors in a row of a tile of the array's dtype: by the processor (tiles.py)."""
    return 2


def tile(
    rows, columns, a, a0, a_row, a_col, depth, b, b0, b_row, b_col, c, c0, c_row, c_col, overwrite
):
    """c[i, g] += sum over j < depth of a[i, j] * b[j, g] for `rows` x `columns` vectors c[i, g].

    With `overwrite`, c is taken as 0, whatever it holds.

    1 <= rows <= most_rows(c), which is 2 or more; 1 <= columns <= most_columns(c). Each argument is
    a one-dimensional array, the index of its first element, and the steps between rows and columns:
    of elements for a, of vectors for b and c.
    """
    for i in range(rows):
        for g in range(columns):
            start = c0 + i * c_row + g * c_col
            total = c[start : start + LANES]
            if overwrite:
                total[:] = 0
            for j in range(depth):
                place = b0 + j * b_row + g * b_col
                total += a[a0 + i * a_row + j * a_col] * b[place : place + LANES]


# ---------------------------------------------------------------- a few vectors in registers
# A tuple of vectors; how many is known when the kernel is compiled.


def zeros_each(array, count):
    """`count` vectors of zeros, in the dtype of `array`."""
    return (splat(array, 0.0),) * count


def load_each(array, i, step, count):
    """load(array, i + j * step) for each j < count."""
    return tuple(load(array, i + j * step) for j in range(count))


def store_each(array, i, step, vectors):
    """Store vector j at array[i + j * step]."""
    for j, v in enumerate(vectors):
        store(array, i + j * step, v)


def add_each(array, i, step, vectors, overwrite):
    """Add vector j to the vector at array[i + j * step], or with `overwrite` store it there."""
    for j, v in enumerate(vectors):
        store(array, i + j * step, v if overwrite else load(array, i + j * step) + v)


def fma_each(v, array, i, step, sums):
    """v * array[i + j * step] + sums[j] for each of the sums."""
    return tuple(fma(v, array[i + j * step], total) for j, total in enumerate(sums))


def fma_loads(v, array, i, step, sums):
    """v * load(array, i + j * step) + sums[j] for each of the sums."""
    return tuple(fma(v, load(array, i + j * step), total) for j, total in enumerate(sums))


def dot_each(vectors, array, i, step):
    """The sum over j of vectors[j] * array[i + j * step], in order."""
    total = vectors[0] * array[i]
    for j in range(1, len(vectors)):
        total = fma(vectors[j], array[i + j * step], total)
    return total
