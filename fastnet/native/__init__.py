"""From a Python function to machine code: the only package that knows Numba and LLVM.

The path of a call, and the file of each step:

    @Entry def advance(...)     entry.py    a plain Python function, marked; so are those it calls
    advance(arguments)          wire.py     arguments -> their kind, and a row of 64-bit words
        code of that kind?      entry.py    called before in this process: call it
        file of that kind?      cache.py    made by a process before: an object file, LLVM loads it
        neither: compile        compile.py  the first moment at which Numba is imported
            types               types.py    Choices, vectors, arrays that are a pointer
            Choices             passes.py   choice.attribute becomes the function, or True or False
            instructions        intrinsics.py, tiles.py     what vector.py's functions become
            words -> arguments  rebuild.py  wire.py, read from right to left
            LLVM -> object file compile.py  object_file(); then into the cache

processes.py compiles several kernels at once. choice.py, vector.py, wire.py, entry.py, cache.py,
processes.py and versions.py import no Numba: with kernels in the cache a process starts without it.
Those that the engine imports are choice (its tables), vector (its arithmetic) and entry (its
marks).

fastpath.py saves Numba work and is the only file that knows Numba's internals. versions.py says
with which versions of Numba it is used. Without it kernels take about three times as long to
compile and compute the same bytes.
"""
