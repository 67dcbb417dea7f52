"""Numba's types for the arguments of kernels: Choices, vectors, and arrays that are only a pointer.

Everything here goes through numba.extending. Each type is a class, a model that says what it is
in LLVM, and what can be done with it.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import (
    NativeValue,
    lower_builtin,
    models,
    register_model,
    type_callable,
    typeof_impl,
    unbox,
)

from fastnet.native.choice import Choice
from fastnet.native.vector import LANES

# ---------------------------------------------------------------- Choices


class ChoiceType(types.Type):
    """The type of one Choice: each Choice has its own, and at run time nothing is left of it.

    passes.ResolveChoices puts its attributes into a kernel before Numba infers types.
    """

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


# ---------------------------------------------------------------- vectors and flat arrays


class Elements(types.Type):
    """A type that is distinguished by the type of its elements."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(name=f"{type(self).__name__}({dtype})")


class Vector(Elements):
    """A vector: LANES elements of `dtype`."""


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        element = dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, LANES))


class Flat(Elements):
    """A one-dimensional array whose length the kernels know without it: a pointer.

    Numba's own array has seven numbers, and some thirty arrays are passed between kernels.
    """


@register_model(Flat)
class FlatModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        element = dmm.lookup(fe_type.dtype).get_data_type()
        super().__init__(dmm, fe_type, element.as_pointer())


@type_callable(operator.getitem)
def _type_of_item(context):
    def typer(array, index):
        return array.dtype(array, types.intp) if isinstance(array, Flat) else None

    return typer


@type_callable(operator.setitem)
def _type_of_assignment(context):
    def typer(array, index, value):
        return types.none(array, types.intp, array.dtype) if isinstance(array, Flat) else None

    return typer


@lower_builtin(operator.getitem, Flat, types.Integer)
def _get_item(context, builder, sig, args):
    return builder.load(element_pointer(context, builder, sig.args[0], *args))


@lower_builtin(operator.setitem, Flat, types.Integer, types.Any)
def _set_item(context, builder, sig, args):
    array, index, value = args
    builder.store(value, element_pointer(context, builder, sig.args[0], array, index))
    return context.get_dummy_value()


def element_pointer(context, builder, array_type, array, index, vector=None):
    """Pointer to element `index` of an array; to a vector from there on if its type is given."""
    if isinstance(array_type, Flat):
        data = array
    else:
        data = cgutils.create_struct_proxy(array_type)(context, builder, value=array).data
    pointer = builder.gep(data, [index], inbounds=True)
    return pointer if vector is None else builder.bitcast(pointer, vector.as_pointer())
