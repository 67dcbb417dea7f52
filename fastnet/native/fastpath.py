"""Shortens the first compilation of kernels by means that Numba does not document.

Numba gives every function a module of its own, copies into it what the function calls (the deepest
functions many times), optimises everything and generates machine code. Only the entry points of
the kernels are ever called from Python. So here a function's module stays unoptimised, and the
module of an entry point gathers every part once; compile.object_file() optimises that.

It is used only with the versions of Numba in versions.TESTED, and after compile.check(). Docstrings
say what each part relies on, as read in Numba 0.68.1, and what happens without it. Nothing here
changes what a kernel computes.
"""

import contextlib

from numba import types
from numba.core import typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

# ---------------------------------------------------------------- where a function's code goes


class Uncalled(JITCodeLibrary):
    """Code that this process does not call.

    numba.core.codegen.JITCodeLibrary: a function's module, `_final_module`, and the libraries of
    what it calls, `_linking_libraries`; add_ir_module() optimises what comes in by
    _optimize_functions(). CompilerBase takes the library that a pipeline put into `state.library`.
    """

    # numba.core.typed_passes.NativeLowering asks library.codegen for set_env() alone.
    codegen = property(lambda self: self)

    def get_pointer_to_function(self, name):
        self._ensure_finalized()  # as Numba's own does
        return 0

    def set_env(self, name, environment):
        pass

    def _optimize_functions(self, module):
        """Skip work that Numba does again later. If Numba no longer calls this, compiling takes
        longer."""
        module.data_layout = self._codegen._data_layout


class Unlinked(Uncalled):
    """The code of a function alone.

    numba.core.codegen.CPUCodeLibrary.finalize() links, optimises and makes machine code, and sets
    `_finalized`; _get_module_for_linking() then gives `_final_module`.
    """

    def finalize(self):
        self._finalized = True


class Linked(JITCodeLibrary):
    """The code of a function with every part that it or one of its parts calls, once.

    numba.core.codegen.CPUCodeLibrary.finalize() links each of `_linking_libraries`, which those
    of Unlinked parts are not in. If it looks elsewhere, parts are missing and check() fails.
    """

    def finalize(self):
        found = self._linking_libraries
        for library in found:  # grows
            if isinstance(library, Unlinked):
                found += [called for called in library._linking_libraries if called not in found]
        super().finalize()


class Collected(Uncalled, Linked):
    """The same, neither optimised nor compiled to machine code: compile.object_file() does both.

    numba.core.codegen.CPUCodeLibrary.finalize() does them in these two, and sets `_finalized` in
    the second. If it calls others, compiling takes longer.
    """

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalized = True


LIBRARIES = {library.__name__: library for library in (Unlinked, Linked, Collected)}

# ---------------------------------------------------------------- passes and lookups

# Passes for closures, generators, literals and array expressions, which kernels do not use.
# If a later version splits a pass in two, one half comes back, which only costs time.
UNUSED = {
    *(untyped_passes.WithLifting, untyped_passes.InlineClosureLikes),
    *(untyped_passes.RewriteDynamicRaises, untyped_passes.MakeFunctionToJitFunction),
    *(untyped_passes.InlineInlinables, untyped_passes.FindLiterallyCalls),
    *(untyped_passes.LiteralUnroll, typed_passes.InlineOverloads, typed_passes.NopythonRewrites),
}


def shorten(state, passes, library):
    """Leave UNUSED out of a compiler's passes, and give it a library of the class of that name.

    numba.core.compiler_machinery.PassManager.passes is a list of (class, text).
    """
    codegen = state.targetctx.codegen()
    state.library = LIBRARIES[library](codegen, state.func_id.func_qualname)
    passes.passes = [entry for entry in passes.passes if entry[0] not in UNUSED]
    passes.finalize()


@contextlib.contextmanager
def shared_lookups():
    """Resolve + once per pair of types; Numba tries a dozen meanings for each + in a kernel.

    numba.core.typing.BaseContext.resolve_function_type() gives the signature of a call, whose
    answer depends on its arguments alone while nothing is registered. If Numba no longer calls
    it, compiling takes longer. The lock keeps other threads from compiling meanwhile.
    """
    context, found = cpu_target.typing_context, {}
    resolve = context.resolve_function_type

    def remembered(function, args, kws):
        if kws or not isinstance(function, types.Function):
            return resolve(function, args, kws)
        key = function, tuple(args)
        if key not in found:
            found[key] = resolve(function, args, kws)
        return found[key]

    with global_compiler_lock:
        context.resolve_function_type = remembered
        try:
            yield
        finally:
            del context.resolve_function_type
