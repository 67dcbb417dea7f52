"""How kernels are compiled: Numba's compiler without what they have no use for.

A kernel stays a Python function. Numba is told what each becomes where a compiled function calls
it: those of entry.KERNELS are compiled, those of vector.py are instructions (simd.py).
"""

import contextlib
from types import NoneType

import numba
from llvmlite import ir
from numba import types
from numba.core import ir as numba_ir
from numba.core import typed_passes, untyped_passes
from numba.core.analysis import compute_cfg_from_blocks
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.imputils import lower_constant, lower_getattr_generic
from numba.core.ir_utils import build_definitions, get_definition, guard
from numba.core.postproc import PostProcessor
from numba.core.registry import cpu_target
from numba.core.typing.templates import AttributeTemplate, infer_getattr, infer_global
from numba.extending import (
    NativeValue,
    intrinsic,
    models,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype

from fastnet.native.choice import KNOWN, Choice
from fastnet.native.entry import KERNELS
from fastnet.native.intrinsics import Flat  # and Numba knows what the functions of vector.py become

# ---------------------------------------------------------------- Choices as types


class ChoiceType(types.Type):
    """Numba's type of one Choice."""

    def __init__(self, table, name):
        self.row = table, name
        super().__init__(name=f"Choice({table}, {name})")


register_model(ChoiceType)(models.OpaqueModel)


@typeof_impl.register(Choice)
def _typeof(value, context):
    return ChoiceType(value.table, value.name)


@unbox(ChoiceType)
def _unbox(typ, value, c):
    return NativeValue(c.context.get_dummy_value())


@infer_getattr
class _Functions(AttributeTemplate):
    key = ChoiceType

    def generic_resolve(self, choice, attribute):
        found = getattr(KNOWN[choice.row], attribute)
        resolve = self.context.resolve_value_type
        return types.literal(found) if isinstance(found, bool) else resolve(found)


@lower_getattr_generic(ChoiceType)
def _attribute(context, builder, typ, value, attribute):
    found = getattr(KNOWN[typ.row], attribute)
    if isinstance(found, bool):
        return context.get_constant(types.boolean, found)
    return context.get_dummy_value()


@lower_constant(ChoiceType)
def _constant(context, builder, typ, value):
    return context.get_dummy_value()


@register_pass(mutates_CFG=True, analysis_only=False)
class PruneChoices(FunctionPass):
    """Takes out the branches that a Choice rules out: what stands there is never compiled.

    A test of `choice.attribute` alone is decided by what the row holds: False, or something else.
    """

    _name = "prune_choices"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        bodies = [block.body for block in state.func_ir.blocks.values()]
        changed = False
        for body in (body for body in bodies if isinstance(body[-1], numba_ir.Branch)):
            taken = known(body[-1].cond, state)
            if not isinstance(taken, (types.Type, NoneType)):
                decide(body, bool(taken))
                changed = True
        if changed:
            for label in compute_cfg_from_blocks(state.func_ir.blocks).dead_nodes():
                del state.func_ir.blocks[label]
            state.func_ir._definitions = build_definitions(state.func_ir.blocks)
            PostProcessor(state.func_ir).run()
        return changed


def decide(body, taken):
    """Put what is known in place of a block's test and branch."""
    branch = body[-1]
    body[-1] = numba_ir.Jump(branch.truebr if taken else branch.falsebr, branch.loc)
    for statement in body:
        if isinstance(statement, numba_ir.Assign) and statement.target == branch.cond:
            statement.value = numba_ir.Const(taken, branch.loc)


def known(variable, state):
    """The type of a variable that comes from an argument, or what it is in a Choice's row."""
    value = guard(get_definition, state.func_ir, variable)
    if isinstance(value, numba_ir.Arg):
        return state.args[value.index]
    if not isinstance(value, numba_ir.Expr):
        return None
    if value.op == "call" and known_global(value.func, state) is bool:
        return known(value.args[0], state)
    owner = known(value.value, state) if value.op == "getattr" else None
    if isinstance(owner, ChoiceType):
        return getattr(KNOWN[owner.row], value.attr)
    if isinstance(owner, types.NamedTuple) and value.attr in owner.fields:
        return owner.types[owner.fields.index(value.attr)]
    return None


def known_global(variable, state):
    """The global that a variable stands for."""
    return getattr(guard(get_definition, state.func_ir, variable), "value", None)


# ---------------------------------------------------------------- where a function's code goes


class Uncalled(JITCodeLibrary):
    """Code that Numba's own process does not call."""

    codegen = property(lambda self: self)  # Numba asks it for set_env alone

    def get_pointer_to_function(self, name):
        return 0

    def set_env(self, name, environment):
        pass

    def _optimize_functions(self, module):
        """What Numba does here once more, later, with all that an entry point calls."""
        module.data_layout = self._codegen._data_layout


class Unlinked(Uncalled):
    """The code of a function alone, of which an entry point makes machine code.

    Numba would take into every function what stands below it, the deepest functions often,
    optimise it all, make machine code of it and throw that away.
    """

    def finalize(self):
        self._finalized = True


class Linked(JITCodeLibrary):
    """The code of a function with every part that it or one of its parts calls, once."""

    def finalize(self):
        found = self._linking_libraries
        for library in found:  # grows
            if isinstance(library, Unlinked):
                found += [called for called in library._linking_libraries if called not in found]
        super().finalize()

    def _optimize_final_module(self):
        """Without Numba's first, cheap passes: they prepare references to be counted."""
        passes, timings = self._codegen._module_pass_manager()
        passes.run(self._final_module, timings)


# What kernels may call of the C library: a process that finds them in the cache has no Numba.
LIBRARY = {"sqrt"}


class ObjectFile(Uncalled, Linked):
    """A Linked as an object file, for the cache."""

    def _finalize_final_module(self):
        self._finalized = True

    def machine_code(self):
        self._ensure_finalized()
        outside = {f.name for f in self._final_module.functions if f.is_declaration} - LIBRARY
        if foreign := [name for name in sorted(outside) if not name.startswith("llvm.")]:
            raise RuntimeError(f"kernels may call {LIBRARY} of the C library, got {foreign}")
        return self._codegen._tm.emit_object(self._final_module)


# What Numba does for closures, generators, literals and expressions of arrays: kernels have none.
UNUSED = {
    *(untyped_passes.WithLifting, untyped_passes.InlineClosureLikes),
    *(untyped_passes.RewriteDynamicRaises, untyped_passes.MakeFunctionToJitFunction),
    *(untyped_passes.InlineInlinables, untyped_passes.FindLiterallyCalls),
    *(untyped_passes.LiteralUnroll, untyped_passes.DeadBranchPrune),
    *(typed_passes.InlineOverloads, typed_passes.NopythonRewrites),
}


class UnlinkedCompiler(CompilerBase):
    """Numba's compiler without UNUSED, which puts a function's code into a Unlinked."""

    library = Unlinked

    def define_pipelines(self):
        tell_numba()
        state = self.state
        state.library = self.library(state.targetctx.codegen(), state.func_id.func_qualname)
        passes = DefaultPassBuilder.define_nopython_pipeline(state)
        passes.passes = [p for p in passes.passes if p[0] not in UNUSED]
        passes.add_pass_after(PruneChoices, untyped_passes.IRProcessing)
        passes.finalize()
        return [passes]


class LinkedCompiler(UnlinkedCompiler):
    """The same, into a Linked."""

    library = Linked


class ObjectFileCompiler(UnlinkedCompiler):
    """The same, into a ObjectFile."""

    library = ObjectFile


# ---------------------------------------------------------------- functions

# Without error_model="numpy" each division would be guarded by a branch. Without the runtime
# (_nrt) nothing can be allocated and no reference is counted. The wrappers that let Python call a
# function took most of the compile time.
OPTIONS = {"error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}
UNCALLED = {**OPTIONS, "no_cpython_wrapper": True}
COMPILED = {}  # kernel -> what Numba makes of it


def tell_numba():
    """Tell Numba of the kernels that were marked since the last time."""
    new = [kernel for kernel in KERNELS if kernel not in COMPILED]
    for function in new:
        compiled = COMPILED[function] = numba.njit(pipeline_class=UnlinkedCompiler, **UNCALLED)(
            function
        )
        compiled.get_call_template = without_constants(compiled.get_call_template)
        infer_global(function, types.Dispatcher(compiled))
        COMPILED[function] = compiled
    if new:
        cpu_target.typing_context.refresh()


def without_constants(choose):
    """Numba would compile a function anew for every constant among its arguments."""
    return lambda args, kws: choose([*map(types.unliteral, args)], kws)


def compile_for_python(function, **options):
    """Compile a function that Python calls by Numba's own means, as tests and the bench do."""
    return numba.njit(pipeline_class=LinkedCompiler, **OPTIONS, **options)(function)


# ---------------------------------------------------------------- entry points


def type_of(value):
    """The type of an argument: as entry.flatten tells arguments apart."""
    if isinstance(value, tuple):
        parts = [type_of(part) for part in value]
        if not hasattr(value, "_fields"):
            return types.Tuple(parts)
        return types.NamedTuple([as_flat(part) for part in parts], type(value))
    if isinstance(value, Choice):
        return ChoiceType(value.table, value.name)
    if hasattr(value, "dtype"):
        return types.Array(from_dtype(value.dtype), value.ndim, "C")
    return types.intp


def as_flat(typ):
    """Of an array of numbers in a NamedTuple, as Scratch and Rows, kernels know the length."""
    flat = isinstance(typ, types.Array) and typ.ndim == 1 and isinstance(typ.dtype, types.Number)
    return Flat(typ.dtype) if flat else typ


def value_ir(context, builder, typ, words):
    """The value of that type that the next of the words stand for."""
    if isinstance(typ, types.BaseTuple):
        parts = [value_ir(context, builder, part, words) for part in typ]
        return context.make_tuple(builder, typ, parts)
    if isinstance(typ, ChoiceType):
        return context.get_dummy_value()
    if not isinstance(typ, (types.Array, Flat)):
        return next(words)
    data = builder.inttoptr(next(words), context.get_data_type(typ.dtype).as_pointer())
    if isinstance(typ, Flat):
        next(words)  # its length
        return data
    made = make_array(typ)(context, builder)
    shape = [next(words) for _ in range(typ.ndim)]
    size = context.get_constant(types.intp, context.get_abi_sizeof(data.type.pointee))
    strides = [size]
    for length in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], length))
    populate_array(made, data, shape, strides, size, meminfo=None)
    return made._getvalue()


def words_ir(builder, address):
    """The words at an address, one after the other."""
    word = ir.IntType(64)
    pointer = builder.inttoptr(address, word.as_pointer())
    while True:
        yield builder.load(pointer)
        pointer = builder.gep(pointer, [word(1)], inbounds=True)


@contextlib.contextmanager
def remembering():
    """Numba tries a dozen meanings of + for each one in a kernel: once for each two types here."""
    context, found = cpu_target.typing_context, {}
    resolve = context.resolve_function_type

    def remembered(function, args, kws):
        if kws or not isinstance(function, types.Function):
            return resolve(function, args, kws)
        key = function, tuple(args)
        if key not in found:
            found[key] = resolve(function, args, kws)
        return found[key]

    context.resolve_function_type = remembered
    try:
        yield
    finally:
        del context.resolve_function_type


def machine_code(function, arguments):
    """An object file with the function for such arguments, and the name it has there.

    It takes the address of the words that entry.flatten gives.
    """
    typ = type_of(tuple(arguments))

    @intrinsic
    def unpacked(typingctx, address):
        def codegen(context, builder, sig, args):
            return value_ir(context, builder, typ, words_ir(builder, args[0]))

        return typ(types.intp), codegen

    def run(address):
        function(*unpacked(address))

    with global_compiler_lock, remembering():
        compiled = numba.njit(pipeline_class=ObjectFileCompiler, **UNCALLED)(run)
        compiled.compile((types.intp,))
        result = compiled.overloads[types.intp,]
        return result.fndesc.llvm_func_name, result.library.machine_code()
