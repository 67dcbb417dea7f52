"""The compiled half of wire.py: from words back to arguments, in Numba's types and in LLVM."""

from llvmlite import ir
from numba import from_dtype, types
from numba.core import cgutils
from numba.extending import intrinsic

from fastnet.native.types import ChoiceType, Flat


def type_of(kind):
    """Numba's type of an argument of that kind."""
    if kind == "int":
        return types.intp
    first, *rest = kind
    if isinstance(first, type):
        parts = [type_of(part) for part in rest]
        if not hasattr(first, "_fields"):
            return types.Tuple(parts)
        return types.NamedTuple([as_flat(part) for part in parts], first)
    if isinstance(first, str):
        return ChoiceType(first, *rest)
    return types.Array(from_dtype(first), *rest, "C")


def as_flat(typ):
    """Kernels know the length of an array of numbers in a NamedTuple such as Scratch or Rows."""
    flat = isinstance(typ, types.Array) and typ.ndim == 1 and isinstance(typ.dtype, types.Number)
    return Flat(typ.dtype) if flat else typ


def unpacker(kind):
    """An intrinsic for kernels: the argument of that kind whose words begin at an address."""
    typ = type_of(kind)

    @intrinsic
    def unpacked(typingctx, address):
        def codegen(context, builder, sig, args):
            return value_ir(context, builder, typ, words_ir(builder, args[0]))

        return typ(types.intp), codegen

    return unpacked


def words_ir(builder, address):
    """The words at an address, one after the other."""
    word = ir.IntType(64)
    pointer = builder.inttoptr(address, word.as_pointer())
    while True:
        yield builder.load(pointer)
        pointer = builder.gep(pointer, [word(1)], inbounds=True)


def value_ir(context, builder, typ, words):
    """The value of that type which the next words stand for."""
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
    return array_ir(context, builder, typ, data, [next(words) for _ in range(typ.ndim)])


def array_ir(context, builder, typ, data, shape):
    """Numba's array in C order at a pointer; nobody counts references to it."""
    size = context.get_constant(types.intp, context.get_abi_sizeof(data.type.pointee))
    strides = [size]
    for length in shape[:0:-1]:
        strides.insert(0, builder.mul(strides[0], length))
    items = context.get_constant(types.intp, 1)
    for length in shape:
        items = builder.mul(items, length)
    array = cgutils.create_struct_proxy(typ)(context, builder)
    array.data, array.itemsize, array.nitems = data, size, items
    array.shape = cgutils.pack_array(builder, shape)
    array.strides = cgutils.pack_array(builder, strides)
    array.meminfo = cgutils.get_null_value(array.meminfo.type)
    array.parent = cgutils.get_null_value(array.parent.type)
    return array._getvalue()
