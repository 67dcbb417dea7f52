"""The functions of vector.py for a few vectors in compiled code: tuples that stay in registers."""

from llvmlite import ir
from numba import types

from fastnet.native import tiles
from fastnet.native import vector as python
from fastnet.native.intrinsics import fma_ir, in_place_of, splat_ir
from fastnet.native.types import Vector, element_pointer

DEFINITIONS = tiles.DEFINITIONS  # together with the definitions of this file


def places_ir(context, builder, typ, array, i, step, count, vector=None):
    """Pointers to `count` elements, or vectors, that are `step` apart."""
    for j in range(count):
        index = builder.add(i, builder.mul(step, ir.Constant(step.type, j)))
        yield element_pointer(context, builder, typ, array, index, vector)


def elements_ir(builder, typ, value):
    """The vectors of a tuple."""
    return [builder.extract_value(value, j) for j in range(typ.count)]


def tuple_of(array, count):
    """The type of a tuple of `count` vectors; None unless `count` is a constant, which makes Numba
    ask again with constants."""
    known = isinstance(count, types.IntegerLiteral)
    return types.UniTuple(Vector(array.dtype), count.literal_value) if known else None


@in_place_of(python.zeros_each)
def zeros_each(typingctx, array, count):
    vectors = tuple_of(array, count)

    def codegen(context, builder, sig, args):
        zero = ir.Constant(context.get_value_type(vectors.dtype), None)
        return context.make_tuple(builder, vectors, [zero] * vectors.count)

    return vectors and vectors(array, count), codegen


@in_place_of(python.load_each)
def load_each(typingctx, array, i, step, count):
    vectors = tuple_of(array, count)

    def codegen(context, builder, sig, args):
        vector = context.get_value_type(vectors.dtype)
        places = places_ir(context, builder, array, *args[:3], vectors.count, vector)
        loaded = [builder.load(place, align=array.dtype.bitwidth // 8) for place in places]
        return context.make_tuple(builder, vectors, loaded)

    return vectors and vectors(array, types.intp, types.intp, count), codegen


@in_place_of(python.store_each)
def store_each(typingctx, array, i, step, vectors):
    def codegen(context, builder, sig, args):
        vector, align = context.get_value_type(vectors.dtype), array.dtype.bitwidth // 8
        places = places_ir(context, builder, array, *args[:3], vectors.count, vector)
        for place, v in zip(places, elements_ir(builder, vectors, args[3])):
            builder.store(v, place, align=align)
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp, vectors), codegen


@in_place_of(python.add_each)
def add_each(typingctx, array, i, step, vectors, overwrite):
    def codegen(context, builder, sig, args):
        vector, align = context.get_value_type(vectors.dtype), array.dtype.bitwidth // 8
        places = places_ir(context, builder, array, *args[:3], vectors.count, vector)
        for place, v in zip(places, elements_ir(builder, vectors, args[3])):
            added = builder.fadd(builder.load(place, align=align), v)
            builder.store(builder.select(args[4], v, added), place, align=align)
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp, vectors, types.boolean), codegen


@in_place_of(python.fma_each)
def fma_each(typingctx, v, array, i, step, sums):
    def codegen(context, builder, sig, args):
        places = places_ir(context, builder, array, *args[1:4], sums.count)
        following = [
            fma_ir(builder, args[0], splat_ir(builder, builder.load(place)), total)
            for place, total in zip(places, elements_ir(builder, sums, args[4]))
        ]
        return context.make_tuple(builder, sums, following)

    return sums(v, array, types.intp, types.intp, sums), codegen


@in_place_of(python.fma_loads)
def fma_loads(typingctx, v, array, i, step, sums):
    def codegen(context, builder, sig, args):
        vector, align = context.get_value_type(sums.dtype), array.dtype.bitwidth // 8
        places = places_ir(context, builder, array, *args[1:4], sums.count, vector)
        following = [
            fma_ir(builder, args[0], builder.load(place, align=align), total)
            for place, total in zip(places, elements_ir(builder, sums, args[4]))
        ]
        return context.make_tuple(builder, sums, following)

    return sums(v, array, types.intp, types.intp, sums), codegen


@in_place_of(python.dot_each)
def dot_each(typingctx, vectors, array, i, step):
    def codegen(context, builder, sig, args):
        places = places_ir(context, builder, array, *args[1:], vectors.count)
        factors = [splat_ir(builder, builder.load(place)) for place in places]
        first, *rest = zip(elements_ir(builder, vectors, args[0]), factors)
        total = builder.fmul(*first)
        for pair in rest:
            total = fma_ir(builder, *pair, total)
        return total

    return vectors.dtype(vectors, array, types.intp, types.intp), codegen
