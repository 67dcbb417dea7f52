"""From a Python function to machine code: all that knows Numba and LLVM."""
