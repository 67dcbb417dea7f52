"""From plain Python to machine code: which functions are kernels, and how Python calls them.

A kernel is a Python function, and runs as one when Python calls it. `inner` marks those that
compiled functions call. `Entry` makes a function run as machine code: by the kinds of its
arguments (wire.py) the code is found in this process or in the cache, or made by compile.py. Only
the last needs Numba: a process that finds its kernels in the cache never imports it, which would
take more than a second.

With NUMBA_DISABLE_JIT=1 everything runs as Python.
"""

import array
import contextlib
import ctypes
import functools
import os
import threading

from fastnet.native import cache, versions
from fastnet.native.wire import flatten, unbound

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
KERNELS = []  # functions marked by inner() and Entry()


def inner(function):
    """Mark a kernel that compiled functions call."""
    KERNELS.append(function)
    return function


def why_plain():
    """Why kernels are compiled by the plain path, in a few words; None on the fast path.

    Finding out imports Numba.
    """
    if INTERPRETED:
        return "nothing is compiled"
    with versions.suspected():
        from fastnet.native.compile import choose_path

        return choose_path()


class Code:
    """Machine code in this process, called with the words of the arguments."""

    def __init__(self, symbol, code):
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
        self.engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        self.engine.add_object_file(llvm.object_file.ObjectFileRef.from_data(code))
        self.engine.finalize_object()
        address = self.engine.get_function_address(symbol)
        if not address:
            raise LookupError(f"no function {symbol} in the machine code")
        self.function = ctypes.CFUNCTYPE(None, ctypes.c_int64)(address)

    def __call__(self, words):
        self.run(array.array("q", [0, *words]))

    def run(self, words):
        """Call the code with an array of the words, the first for errors."""
        self.function(words.buffer_info()[0])
        if words[0]:
            words[0] = 0
            raise RuntimeError("a kernel ended with an error, which is a bug in fastnet")


class Call:
    """A call that is made many times; whole numbers among its arguments may change each time.

    Flattening the arguments takes ten times as long as such a call.
    """

    def __init__(self, entry, arguments):
        self.entry, self.arguments, self.words = entry, list(arguments), array.array("q", [0])
        self.places = []  # of the whole numbers: among the arguments, among the words
        words = []
        for i, argument in enumerate(arguments):
            if isinstance(argument, int):
                self.places.append((i, 1 + len(words)))
            flatten(argument, words)
        self.words.extend(words)
        self.code = None if INTERPRETED else entry.code_of(flatten(tuple(arguments), []))

    def __call__(self, *numbers):
        if INTERPRETED:
            for (place, _), number in zip(self.places, numbers, strict=True):
                self.arguments[place] = number
            self.entry.function(*unbound(self.arguments))
            return
        for (_, place), number in zip(self.places, numbers, strict=True):
            self.words[place] = number
        self.code.run(self.words)


class Entry:
    """An entry point: a function of arrays, whole numbers, Choices and tuples of them.

    It releases the GIL while it runs. Its only results are the values it writes into the arrays.
    """

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function, self.codes, self.lock = inner(function), {}, threading.Lock()

    def __call__(self, *arguments):
        words = []
        kind = flatten(arguments, words)
        if INTERPRETED:
            self.function(*unbound(arguments))
            return
        self.code_of(kind)(words)

    def repeated(self, *arguments):
        """The call with these arguments, to be made many times with other whole numbers."""
        return Call(self, arguments)

    def code_of(self, kind):
        """The code for arguments of that kind, which is prepared once."""
        if kind not in self.codes:
            with self.lock:
                self.codes[kind] = self.codes.get(kind) or self.prepare(kind)
        return self.codes[kind]

    def prepare(self, kind):
        """The code for arguments of that kind, from the cache or compiled."""
        return self.cached(kind, versions.path()) or self.compiled(kind)

    def cached(self, kind, path):
        """The code in the cache, by that path of the compiler, or None."""
        found = cache.read(cache.name_of(self.__name__, kind, path))
        with contextlib.suppress(LookupError):
            return found and Code(*found)

    def compiled(self, kind):
        """The code, compiled now and put into the cache."""
        path = "plain" if why_plain() else "fast"
        if path != versions.path() and (code := self.cached(kind, path)):
            return code
        with versions.suspected():
            from fastnet.native.compile import machine_code

            made = machine_code(self.function, kind)
        cache.write(cache.name_of(self.__name__, kind, path), *made)
        return Code(*made)

    def is_loaded(self, *arguments):
        """Whether this process has the code for such arguments."""
        return INTERPRETED or flatten(arguments, []) in self.codes

    def is_ready(self, *arguments):
        """Whether a call with such arguments would find its code."""
        kind = flatten(arguments, [])
        if INTERPRETED or kind in self.codes:
            return True
        return cache.holds(cache.name_of(self.__name__, kind, versions.path()))
