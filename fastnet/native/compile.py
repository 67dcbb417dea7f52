"""From a kernel to an object file, with Numba and LLVM.

A kernel stays a Python function. Numba learns here what each becomes when a compiled function calls
it: functions marked by entry.py are compiled by InnerCompiler, those of vector.py are instructions
(intrinsics.py, tiles.py). An entry point is compiled as a callback for C: its machine code has a
signature that C defines, void (int64), and only numba.cfunc has to know how Numba's compiled
functions call each other.

There are two paths. The plain one is in this file. The fast one (fastpath.py) leaves out work that
kernels do not need. It relies on Numba's internals, so it is used only with versions that it was
tested with (versions.py), and after a check that it works. Both give the same results.
"""

import contextlib
import functools

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, register_jitable

from fastnet.native import versions
from fastnet.native.bundles import DEFINITIONS
from fastnet.native.choice import Choice
from fastnet.native.entry import INTERPRETED, KERNELS, Code
from fastnet.native.intrinsics import register_definition
from fastnet.native.passes import KernelCompiler
from fastnet.native.rebuild import unpacker
from fastnet.native.subnormals import flush_subnormals, restore_control
from fastnet.native.wire import flatten

# Without error_model="numpy" each division would be guarded by a branch. Without the runtime
# (_nrt) nothing can be allocated and no reference is counted.
OPTIONS = {"error_model": "numpy", "_nrt": False}
# What kernels may call of the C library: a process that finds them in the cache has no Numba.
LIBRARY = {"sqrt"}
FAST = []  # the module fastpath, if it is in use


# ---------------------------------------------------------------- declarations to Numba


@functools.cache
def register(function):
    """Tell Numba that compiled functions may call a kernel, or a function of vector.py."""
    if function in DEFINITIONS:
        register_definition(function, DEFINITIONS[function])
    else:
        register_jitable(pipeline_class=InnerCompiler, **OPTIONS)(function)


def register_all():
    """Tell Numba about all marked kernels and about vector.py."""
    for function in (*DEFINITIONS, *KERNELS):
        register(function)


class InnerCompiler(KernelCompiler):
    """The compiler for kernels that compiled functions call."""

    library = "Unlinked"  # a class of fastpath.py

    def define_pipelines(self):
        (passes,) = super().define_pipelines()
        for fastpath in FAST:
            fastpath.shorten(self.state, passes, self.library)
        return [passes]


class PythonCompiler(InnerCompiler):
    """The compiler for kernels that Python calls by Numba's own means."""

    library = "Linked"


class EntryCompiler(InnerCompiler):
    """The compiler for entry points."""

    library = "Collected"


def compile_for_python(function, **options):
    """Compile a function that Python calls by Numba's own means, as tests and the bench do.

    The kernels that it calls must be marked before.
    """
    if INTERPRETED:
        return function
    choose_path()
    register_all()
    return numba.njit(pipeline_class=PythonCompiler, **OPTIONS, **options)(function)


# ---------------------------------------------------------------- the path


@functools.cache
def choose_path():
    """None if kernels are compiled by the fast path; otherwise the reason, in a few words."""
    if reason := versions.reason_for_plain():
        return reason
    try:
        from fastnet.native import fastpath

        FAST.append(fastpath)
        check()
    except Exception as error:  # Numba's internals may have changed in any way
        FAST.clear()
        found = versions.compiler_versions()["numba"]
        return f"it fails with Numba {found}: {type(error).__name__}: {error}"
    return None


def check():
    """Compile a small entry point by the path in use, and run it."""

    def more(choice, x):
        return choice.change(x) if choice.change else choice.other(x)

    def run(choice, values):
        for i in range(values.size):
            values[i] = more(choice, values[i])

    def change(x):
        return 2.0 * x + 1.0

    for kernel in (more, change, run):
        register(kernel)
    values, words = np.arange(3.0), []
    kind = flatten((Choice("check", "row", {"change": change, "other": False}), values), words)
    Code(*compile_entry(run, kind))(words)
    if values.tolist() != [1.0, 3.0, 5.0]:
        raise ArithmeticError(f"2 x + 1 of 0, 1, 2 is {values} there")


# ---------------------------------------------------------------- entry points

WORD = 8  # bytes


@intrinsic
def report_error(typingctx, address):
    """Set the word at an address to 1."""

    def codegen(context, builder, sig, args):
        pointer = builder.inttoptr(args[0], args[0].type.as_pointer())
        builder.store(ir.Constant(args[0].type, 1), pointer)
        return context.get_dummy_value()

    return types.none(types.intp), codegen


def machine_code(function, kind):
    """The name of a function with arguments of that kind in an object file, and the file.

    It takes the address of the words that wire.flatten() gives.
    """
    choose_path()
    register_all()
    return compile_entry(function, kind)


def compile_entry(function, kind):
    """The result of machine_code() by the path in use.

    Errors in a kernel end here. So the code by which numba.cfunc would report one to Python is
    never reached, and object_file() removes it.
    """
    unpacked = unpacker(kind)

    def run(address):
        control = flush_subnormals()
        try:
            function(*unpacked(address + WORD))
        except Exception:
            report_error(address)
        restore_control(control)

    with FAST[0].shared_lookups() if FAST else contextlib.nullcontext():
        compiled = numba.cfunc(types.void(types.intp), pipeline_class=EntryCompiler, **OPTIONS)(run)
    name = compiled.native_name
    return name, object_file(compiled.inspect_llvm(), name)


def object_file(text, name):
    """An object file of LLVM's module `text`, of which the function `name` is called from outside.

    On the fast path the module is optimised here; on the plain path Numba has done so already.
    """
    module, machine = llvm.parse_assembly(text), target_machine()
    tuning = llvm.create_pipeline_tuning_options(speed_level=int(numba.config.OPT))
    tuning.loop_vectorization = bool(numba.config.LOOP_VECTORIZE)
    tuning.slp_vectorization = bool(numba.config.SLP_VECTORIZE)
    builder = llvm.create_pass_builder(machine, tuning)
    if FAST:
        builder.getModulePassManager().run(module, builder)
    keep_only(module, name, builder)
    outside = {f.name for f in module.functions if f.is_declaration} - LIBRARY
    if foreign := [name for name in sorted(outside) if not name.startswith("llvm.")]:
        raise RuntimeError(f"kernels may call {LIBRARY} of the C library, got {foreign}")
    return machine.emit_object(module)


def keep_only(module, name, builder):
    """Remove what the function `name` does not need."""
    for value in (*module.functions, *module.global_variables):
        if not value.is_declaration and value.name != name:
            value.linkage = "internal"
    passes = llvm.create_new_module_pass_manager()
    passes.add_ipsccp_pass()
    passes.add_simplify_cfg_pass()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, builder)


def target_machine():
    """LLVM's description of the processor, as Numba makes it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=numba.config.CPU_NAME or llvm.get_host_cpu_name(),
        features=numba.config.CPU_FEATURES or llvm.get_host_cpu_features().flatten(),
        opt=int(numba.config.OPT),
        reloc="static" if target.name.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )
