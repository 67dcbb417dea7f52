"""What makes the first compilation of kernels short, by means that Numba does not document.

Numba makes of every function a module of its own: takes into it what the function calls, the
deepest functions often, optimises it all and makes machine code of it. Of kernels only the entry
points are ever called, so here a function's module stays as it is, and an entry point's gathers
every part once; compile.object_file() optimises that.

Used with the versions of Numba in versions.TESTED alone, and after compile.check(). Each name is
given with what is relied on, read in Numba 0.68.1, and what happens without it. Nothing here
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
        """Without what Numba does here once more, later. Should Numba cease to call it, compiling
        takes longer."""
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
    of Unlinked parts are not in. Should it look elsewhere, parts are missing and check() fails.
    """

    def finalize(self):
        found = self._linking_libraries
        for library in found:  # grows
            if isinstance(library, Unlinked):
                found += [called for called in library._linking_libraries if called not in found]
        super().finalize()


class Collected(Uncalled, Linked):
    """The same, neither optimised nor made machine code of: compile.object_file() does both.

    numba.core.codegen.CPUCodeLibrary.finalize() does them in these two, and sets `_finalized` in
    the second. Should it call others, compiling takes longer.
    """

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalized = True


LIBRARIES = {library.__name__: library for library in (Unlinked, Linked, Collected)}

# ---------------------------------------------------------------- passes and lookups

# What Numba does for closures, generators, literals and expressions of arrays: kernels have none.
# A pass that is split in two in a later version comes back by half, which costs time only.
UNUSED = {
    *(untyped_passes.WithLifting, untyped_passes.InlineClosureLikes),
    *(untyped_passes.RewriteDynamicRaises, untyped_passes.MakeFunctionToJitFunction),
    *(untyped_passes.InlineInlinables, untyped_passes.FindLiterallyCalls),
    *(untyped_passes.LiteralUnroll, typed_passes.InlineOverloads, typed_passes.NopythonRewrites),
}


def shorten(state, passes, library):
    """Of a compiler's passes leave out UNUSED, and give it a library of the class of that name.

    numba.core.compiler_machinery.PassManager.passes is a list of (class, text).
    """
    codegen = state.targetctx.codegen()
    state.library = LIBRARIES[library](codegen, state.func_id.func_qualname)
    passes.passes = [entry for entry in passes.passes if entry[0] not in UNUSED]
    passes.finalize()


@contextlib.contextmanager
def shared_lookups():
    """Numba tries a dozen meanings of + for each one in a kernel: once for each two types here.

    numba.core.typing.BaseContext.resolve_function_type() gives the signature of a call, whose
    answer depends on its arguments alone while nothing is registered. Should Numba cease to call
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
