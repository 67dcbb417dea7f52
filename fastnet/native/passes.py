"""Numba's passes over a kernel, and one of ours: Choices are decided before types are inferred.

They are written as Numba's documentation of custom compilers shows (CompilerBase, FunctionPass).
The only other name used is a function's table of definitions, `_definitions`, which has to agree
with its statements.
"""

from numba import types
from numba.core import ir
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.ir_utils import build_definitions, get_definition, guard
from numba.core.untyped_passes import IRProcessing

from fastnet.native.choice import KNOWN
from fastnet.native.types import ChoiceType


@register_pass(mutates_CFG=False, analysis_only=False)
class ResolveChoices(FunctionPass):
    """Replaces `choice.attribute` by what the Choice's row holds.

    Where the attribute is tested, it is replaced by True or False. Numba's own DeadBranchPrune,
    which comes later, removes the branch that is never taken, so the code there need not even have
    types. The Choice is an argument of the kernel, or a field of one in NamedTuples.
    """

    _name = "resolve_choices"

    def __init__(self):
        super().__init__()

    def run_pass(self, state):
        changed, tested = False, set(tested_variables(state.func_ir))
        for block in state.func_ir.blocks.values():
            for assignment in block.find_insts(ir.Assign):
                owner, name = owner_of(assignment.value, state)
                if isinstance(owner, ChoiceType):
                    found = getattr(KNOWN[owner.row], name)
                    decided = isinstance(found, bool) or assignment.target.name in tested
                    constant = ir.Const(bool(found), assignment.loc)
                    function = ir.Global(name, found, assignment.loc)
                    assignment.value = constant if decided else function
                    changed = True
        if changed:
            state.func_ir._definitions = build_definitions(state.func_ir.blocks)
        return changed


def tested_variables(func_ir):
    """Names of the variables that `if`, `and`, `while`, ... test."""
    for block in func_ir.blocks.values():
        for call in block.find_exprs(op="call"):
            function = guard(get_definition, func_ir, call.func)
            if isinstance(function, ir.Global) and function.value is bool:
                yield call.args[0].name


def owner_of(value, state):
    """The type of x and the name a, if a value is x.a and x comes from an argument."""
    if isinstance(value, ir.Expr) and value.op == "getattr":
        return type_of_variable(value.value, state), value.attr
    return None, None


def type_of_variable(variable, state):
    """The type of a variable that is an argument or a field of one, else None."""
    value = guard(get_definition, state.func_ir, variable)
    if isinstance(value, ir.Arg):
        return state.args[value.index]
    owner, name = owner_of(value, state)
    if isinstance(owner, types.NamedTuple) and name in owner.fields:
        return owner.types[owner.fields.index(name)]
    return None


class KernelCompiler(CompilerBase):
    """Numba's compiler with ResolveChoices: the plain path."""

    def define_pipelines(self):
        passes = DefaultPassBuilder.define_nopython_pipeline(self.state)
        passes.add_pass_after(ResolveChoices, IRProcessing)
        passes.finalize()
        return [passes]
