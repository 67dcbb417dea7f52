"""From plain Python to machine code: which functions are kernels, and how Python calls them.

A kernel is a Python function, and runs as one when Python calls it. `inner` marks those that
compiled functions call. `Entry` makes a function run as machine code: by the kinds of its
arguments the code is found in this process, in the cache, or made by compiler.py. That alone
needs Numba: a process that finds its kernels in the cache never imports it, which would take it
more than a second.

Under NUMBA_DISABLE_JIT=1 all stays Python.
"""

import array
import ctypes
import functools
import os
import threading

import numpy as np

from fastnet.native import cache
from fastnet.native.choice import Choice

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
KERNELS = []  # what inner() and Entry() marked


def inner(function):
    """A kernel that compiled functions call."""
    KERNELS.append(function)
    return function


def flatten(value, words):
    """What decides the code for an argument; its numbers are appended to `words`."""
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
        return (type(value).__name__, *(flatten(part, words) for part in value))
    if isinstance(value, Choice):
        return value.table, value.name
    words.append(int(value))
    return int


class Bound:
    """An argument of many calls, taken apart once: some 60 arrays take 150 us."""

    def __init__(self, value):
        self.value, self.words = value, []
        self.kind = flatten(value, self.words)


def plain(arguments):
    """The arguments themselves, where some are Bound."""
    return [value.value if isinstance(value, Bound) else value for value in arguments]


class Code:
    """Machine code in this process, called with the numbers of the arguments."""

    def __init__(self, symbol, code):
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self.engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
        self.engine.finalize_object()
        address = self.engine.get_function_address(symbol)
        # Numba's calling convention: places for a result and for an error, then the arguments.
        types = (ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)
        self.function = ctypes.CFUNCTYPE(*types)(address)

    def __call__(self, words):
        words, answers = array.array("q", words), (ctypes.c_void_p * 2)()
        answer = ctypes.addressof(answers)
        if self.function(answer, answer + ctypes.sizeof(ctypes.c_void_p), words.buffer_info()[0]):
            raise RuntimeError("a kernel ended with an error, which is a bug of fastnet")


class Entry:
    """An entry point: a function of arrays, whole numbers, Choices and tuples of them.

    It releases the GIL while it runs. It has no result but what it writes into the arrays.
    """

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function, self.codes, self.lock = inner(function), {}, threading.Lock()

    def __call__(self, *arguments):
        if INTERPRETED:
            self.function(*plain(arguments))
            return
        words = []
        kinds = flatten(arguments, words)
        code = self.codes.get(kinds)
        if code is None:
            with self.lock:
                code = self.codes[kinds] = self.codes.get(kinds) or self.prepare(kinds, arguments)
        code(words)

    def prepare(self, kinds, arguments):
        """The code for arguments of those kinds, from the cache or compiled."""
        place = cache.place(self.__name__, kinds)
        made = cache.read(place)
        if made is None:
            from fastnet.native.compile import machine_code

            made = machine_code(self.function, plain(arguments))
            cache.write(place, *made)
        return Code(*made)

    def is_ready(self, *arguments):
        """Whether a call with such arguments would find its code."""
        if INTERPRETED:
            return True
        kinds = flatten(arguments, [])
        place = cache.place(self.__name__, kinds)
        return kinds in self.codes or bool(place and place.exists())
