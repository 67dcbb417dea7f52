"""How the arguments of a call reach machine code; this is the only description of it.

Machine code is a function of C, void (int64): it takes the address of a row of 64-bit words. The
first is 0, and 1 after an error in a kernel; the arguments follow. What their words mean is in the
*kind* of the arguments, which decides the code and its place in the cache:

    argument       kind               words                      in the kernel (rebuild.py)
    whole number   "int"              its value                  types.intp
    array          (dtype, ndim)      address, length by axis    types.Array, C-contiguous
    Choice         (table, name)      none                       ChoiceType
    tuple          (class, *kinds)    those of its parts         types.Tuple or NamedTuple

The parts of a tuple stand one after the other, tuples in tuples too; the arguments of a call are
a tuple. One-dimensional arrays of numbers in a NamedTuple become Flat: a pointer, whose length is
sent and not used. rebuild.py is the same table read from right to left; it needs Numba, and this
file must not.
"""

import operator

import numpy as np

from fastnet.native.choice import Choice


def flatten(value, words):
    """The kind of an argument; its words are appended to `words`."""
    if isinstance(value, Bound):
        words.extend(value.words)
        return value.kind
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous:
            raise ValueError(f"kernels take arrays in one piece, got strides {value.strides}")
        words.append(value.__array_interface__["data"][0])
        words.extend(value.shape)
        return value.dtype, value.ndim
    if isinstance(value, tuple):
        return (type(value), *(flatten(part, words) for part in value))
    if isinstance(value, Choice):
        return value.table, value.name
    try:
        words.append(operator.index(value))
    except TypeError:
        raise TypeError(
            f"kernels take arrays, whole numbers, Choices and tuples of them, got {value!r}"
        ) from None
    return "int"


class Bound:
    """An argument of many calls, flattened once: flattening some 60 arrays takes 150 us."""

    def __init__(self, value):
        self.value, self.words = value, []
        self.kind = flatten(value, self.words)


def unbound(arguments):
    """The arguments themselves, with those that are Bound unwrapped."""
    return [value.value if isinstance(value, Bound) else value for value in arguments]
