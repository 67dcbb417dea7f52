"""Where compiled kernels are kept between processes.

Numba looks only at the file of the function it compiles, so an edit in vector.py would go
unseen, and it needs a folder that can be written. fastnet's folder is per user and named by
a hash of the kernel sources and the compiler's versions; Numba adds the CPU itself.
NUMBA_CACHE_DIR, where set, wins.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import llvmlite
import numba
from numba import types
from numba.core import config, typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.extending import register_jitable

SOURCES = (
    *("cache.py", "choice.py", "vector.py", "elementary.py", "network.py", "activations.py"),
    *("losses.py", "optimizers.py", "schedules.py", "second_order.py", "lbfgs.py", "kernels.py"),
)


def version_hash():
    """Hash of all that decides what the compiled kernels do."""
    text = f"{numba.__version__} {llvmlite.__version__}".encode()
    for name in SOURCES:
        text += Path(__file__).with_name(name).read_bytes()
    return hashlib.sha256(text).hexdigest()[:16]


def candidates():
    """Folders to try, the best first."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"])
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    yield Path(home) / "fastnet" / version_hash()
    yield Path(tempfile.gettempdir()) / f"fastnet-{user}" / version_hash()


def is_private(folder):
    """Whether nobody else could have put code into the folder."""
    status = folder.stat()
    return not hasattr(os, "getuid") or (
        status.st_uid == os.getuid() and not status.st_mode & 0o022
    )


def usable(folder):
    """Whether the folder exists or can be made, is ours alone and can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return is_private(folder)
    except OSError:
        return False


def find_folder():
    """The first usable folder, or None: then every process compiles anew."""
    return next((folder for folder in candidates() if usable(folder)), None)


FOLDER = find_folder()


def marker(kernel):
    """A file that is there once this installation's kernels are compiled for those choices."""
    place = hashlib.sha256(__file__.encode()).hexdigest()[:8]
    return Path(FOLDER or os.devnull) / f"compiled-{kernel}-{place}"


def leave_marker(kernel):
    """Note that the kernels for the choices, as "float32-squared-sigmoid-sgd", are in the cache."""
    if FOLDER is not None:
        marker(kernel).touch()


# Without error_model="numpy" each division would be guarded by a branch. Without the runtime
# (_nrt) nothing can be allocated and no reference is counted. The wrappers that let Python call a
# function took most of the compile time.
OPTIONS = {"error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}


class Part(JITCodeLibrary):
    """The code of a function alone, of which an entry point makes machine code.

    Numba would take into every function what stands below it, the deepest functions often,
    optimise it all, make machine code of it and throw that away.
    """

    codegen = property(lambda self: self)  # Numba asks it for set_env alone

    def finalize(self):
        self._finalized = True

    def get_pointer_to_function(self, name):
        return 0

    def set_env(self, name, environment):
        pass


class Whole(JITCodeLibrary):
    """The code of an entry point, with every part that it or one of its parts calls, once."""

    def finalize(self):
        found = self._linking_libraries
        for library in found:  # grows
            if isinstance(library, Part):
                found += [called for called in library._linking_libraries if called not in found]
        super().finalize()

    def _optimize_final_module(self):
        """Without Numba's first, cheap passes: they prepare references to be counted."""
        passes, timings = self._codegen._module_pass_manager()
        passes.run(self._final_module, timings)


# What Numba does for closures, generators, literals and expressions of arrays: kernels have none.
UNUSED = {
    *(untyped_passes.WithLifting, untyped_passes.InlineClosureLikes),
    *(untyped_passes.RewriteDynamicRaises, untyped_passes.MakeFunctionToJitFunction),
    *(untyped_passes.InlineInlinables, untyped_passes.FindLiterallyCalls),
    *(untyped_passes.LiteralUnroll, untyped_passes.DeadBranchPrune),
    *(typed_passes.InlineOverloads, typed_passes.NopythonRewrites),
}


class PartCompiler(CompilerBase):
    """Numba's compiler without UNUSED, which puts a function's code into a Part."""

    library = Part

    def define_pipelines(self):
        state = self.state
        state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        passes = DefaultPassBuilder.define_nopython_pipeline(state)
        passes.passes = [p for p in passes.passes if p[0] not in UNUSED]
        passes.finalize()
        return [passes]


class WholeCompiler(PartCompiler):
    """The same, into a Whole."""

    library = Whole


def whole(function, **options):
    """Compile a function that Python calls, with those of inner() that it calls."""
    return numba.njit(pipeline_class=WholeCompiler, **OPTIONS, **options)(function)


def entry(function):
    """Compile an entry point: it releases the GIL and is kept in FOLDER."""
    before, config.CACHE_DIR = config.CACHE_DIR, str(FOLDER or "")
    try:
        return whole(function, nogil=True, cache=FOLDER is not None)
    finally:
        config.CACHE_DIR = before


def inner(function):
    """Compile a function that only compiled functions call.

    Numba would compile it anew for every constant among its arguments.
    """
    compiled = numba.njit(no_cpython_wrapper=True, pipeline_class=PartCompiler, **OPTIONS)(function)
    if not config.DISABLE_JIT:
        choose = compiled.get_call_template
        compiled.get_call_template = lambda args, kws: choose([*map(types.unliteral, args)], kws)
    return compiled


def shared(function):
    """Plain Python, and compiled where a compiled function calls it."""
    return register_jitable(pipeline_class=PartCompiler, **OPTIONS)(function)
