"""What the functions of vector.py become in compiled code: LLVM's vectors and few instructions.

With Numba alone, LLVM decides whether a loop becomes vector instructions, and its alias checks
decide the order of a sum. Here the vectors are explicit values of LLVM's type <LANES x float>. A
compiled function that calls a function of vector.py gets the instructions of the definition of the
same name, here or in tiles.py.
"""

import inspect
import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, type_callable

from fastnet.native import vector as python
from fastnet.native.types import Vector, element_pointer
from fastnet.native.vector import LANES, SQRT_HALF_BITS

DEFINITIONS = {}  # a function of vector.py -> its definition here or in tiles.py


def in_place_of(function):
    """Mark the definition that a compiled call of `function` becomes. It is written as for
    numba.extending.intrinsic: it takes the types of the arguments, and returns a signature and its
    codegen.
    """

    def mark(definition):
        DEFINITIONS[function] = definition
        return definition

    return mark


def register_definition(function, definition):
    """Tell Numba what a compiled call of `function` becomes."""

    @type_callable(function)
    def typing(context):
        def typer(*args):
            return definition(context, *args)[0]

        typer.pysig = inspect.signature(function)
        return typer

    @lower_builtin(function, types.VarArg(types.Any))
    def lower(context, builder, sig, args):
        codegen = definition(context.typing_context, *sig.args)[1]
        return codegen(context, builder, sig, args)


def splat_ir(builder, scalar, count=LANES):
    """The LLVM vector with `scalar` in every lane."""
    vector = ir.VectorType(scalar.type, count)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def as_vector(context, builder, value, typ, vector):
    """`value` of Numba type `typ` as an LLVM vector: a scalar is cast and spread."""
    if isinstance(typ, Vector):
        return value
    return splat_ir(builder, context.cast(builder, value, typ, vector.dtype))


# Arithmetic: + - * / between vectors, and between a vector and a scalar.


def _arithmetic(op, instruction):
    @type_callable(op)
    def typing(context):
        def typer(a, b):
            vectors = [typ for typ in (a, b) if isinstance(typ, Vector)]
            return vectors[0](a, b) if vectors else None

        return typer

    def lower(context, builder, sig, args):
        left, right = (
            as_vector(context, builder, v, t, sig.return_type) for v, t in zip(args, sig.args)
        )
        return getattr(builder, instruction)(left, right)

    for pair in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(op, *pair)(lower)


_arithmetic(operator.add, "fadd")
_arithmetic(operator.sub, "fsub")
_arithmetic(operator.mul, "fmul")
_arithmetic(operator.truediv, "fdiv")


@type_callable(operator.neg)
def _type_of_negative(context):
    return lambda v: v(v) if isinstance(v, Vector) else None


@lower_builtin(operator.neg, Vector)
def _negative(context, builder, sig, args):
    return builder.fneg(*args)


@in_place_of(python.never_inline)
def never_inline(typingctx):
    return types.none(), attribute("noinline")


@in_place_of(python.always_inline)
def always_inline(typingctx):
    return types.none(), attribute("alwaysinline")


def attribute(name):
    """The codegen of a definition that sets an attribute of the function around it."""

    def codegen(context, builder, sig, args):
        builder.function.attributes.add(name)
        return context.get_dummy_value()

    return codegen


@in_place_of(python.load)
def load(typingctx, array, i):
    sig = Vector(array.dtype)(array, types.intp)

    def codegen(context, builder, sig, args):
        vector = context.get_value_type(sig.return_type)
        pointer = element_pointer(context, builder, sig.args[0], *args, vector)
        return builder.load(pointer, align=sig.return_type.dtype.bitwidth // 8)

    return sig, codegen


@in_place_of(python.store)
def store(typingctx, array, i, v):
    def codegen(context, builder, sig, args):
        array, i, v = args
        pointer = element_pointer(context, builder, sig.args[0], array, i, v.type)
        builder.store(v, pointer, align=sig.args[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, v), codegen


@in_place_of(python.splat)
def splat(typingctx, array, value):
    def codegen(context, builder, sig, args):
        return as_vector(context, builder, args[1], sig.args[1], sig.return_type)

    return Vector(array.dtype)(array, value), codegen


def fma_ir(builder, a, b, c):
    width = 32 if a.type.element == ir.FloatType() else 64
    function = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fmuladd.v{LANES}f{width}"
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), [a, b, c])


@in_place_of(python.fma)
def fma(typingctx, a, b, c):
    vector = next(t for t in (a, b, c) if isinstance(t, Vector))

    def codegen(context, builder, sig, args):
        values = (
            as_vector(context, builder, v, t, sig.return_type) for v, t in zip(args, sig.args)
        )
        return fma_ir(builder, *values)

    return vector(a, b, c), codegen


@in_place_of(python.sqrt)
def sqrt(typingctx, v):
    def codegen(context, builder, sig, args):
        (v,) = args
        name = f"llvm.sqrt.v{LANES}f{32 if v.type.element == ir.FloatType() else 64}"
        function = ir.FunctionType(v.type, [v.type])
        return builder.call(cgutils.get_or_insert_function(builder.module, function, name), [v])

    return v(v), codegen


@in_place_of(python.where_greater)
def where_greater(typingctx, a, b, x, y):
    vector = next(t for t in (a, b, x, y) if isinstance(t, Vector))

    def codegen(context, builder, sig, args):
        a, b, x, y = (
            as_vector(context, builder, v, t, sig.return_type) for v, t in zip(args, sig.args)
        )
        return builder.select(builder.fcmp_ordered(">", a, b), x, y)

    return vector(a, b, x, y), codegen


@in_place_of(python.sum_lanes)
def sum_lanes(typingctx, v):
    def codegen(context, builder, sig, args):
        (v,) = args
        half = LANES
        while half > 1:
            half //= 2
            low, high = (
                ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(s, s + half)))
                for s in (0, half)
            )
            undefined = ir.Constant(v.type, ir.Undefined)
            v = builder.fadd(
                builder.shuffle_vector(v, undefined, low),
                builder.shuffle_vector(v, undefined, high),
            )
        return builder.extract_element(v, ir.IntType(32)(0))

    return v.dtype(v), codegen


@in_place_of(python.is_float32)
def is_float32(typingctx, v):
    answer = int(v.dtype == types.float32)
    return types.boolean(v), lambda context, builder, sig, args: ir.IntType(1)(answer)


@in_place_of(python.to_float64)
def to_float64(typingctx, v):
    def codegen(context, builder, sig, args):
        vector = context.get_value_type(sig.return_type)
        return args[0] if args[0].type == vector else builder.fpext(args[0], vector)

    return Vector(types.float64)(v), codegen


def bits_ir(builder, v):
    """The vector's bits as integers, and the number of mantissa bits."""
    width, mantissa = (32, 23) if v.type.element == ir.FloatType() else (64, 52)
    integers = ir.VectorType(ir.IntType(width), LANES)
    return builder.bitcast(v, integers), integers, mantissa


def constant_ir(integers, value):
    return ir.Constant(integers, [value] * LANES)


@in_place_of(python.add_exponent)
def add_exponent(typingctx, v, shifted):
    def codegen(context, builder, sig, args):
        bits, integers, mantissa = bits_ir(builder, args[0])
        n, _, _ = bits_ir(builder, args[1])
        moved = builder.shl(n, constant_ir(integers, mantissa))
        return builder.bitcast(builder.add(bits, moved), args[0].type)

    return v(v, shifted), codegen


@in_place_of(python.power_of_two)
def power_of_two(typingctx, shifted):
    def codegen(context, builder, sig, args):
        bits, integers, mantissa = bits_ir(builder, args[0])
        return builder.bitcast(builder.shl(bits, constant_ir(integers, mantissa)), args[0].type)

    return shifted(shifted), codegen


@in_place_of(python.exponent_of)
def exponent_of(typingctx, u):
    def codegen(context, builder, sig, args):
        bits, integers, mantissa = bits_ir(builder, args[0])
        above = builder.sub(bits, constant_ir(integers, SQRT_HALF_BITS))
        e = builder.ashr(above, constant_ir(integers, mantissa))
        return builder.sitofp(e, args[0].type)

    return u(u), codegen


@in_place_of(python.unchecked)
def unchecked(typingctx, array, i):
    def codegen(context, builder, sig, args):
        return builder.load(element_pointer(context, builder, sig.args[0], *args))

    return array.dtype(array, types.intp), codegen


@in_place_of(python.atomic_add)
def atomic_add(typingctx, array, i, value):
    def codegen(context, builder, sig, args):
        array, i, value = args
        pointer = element_pointer(context, builder, sig.args[0], array, i)
        return builder.atomic_rmw("add", pointer, value, "seq_cst")

    return types.intp(array, types.intp, types.intp), codegen


@in_place_of(python.transpose)
def transpose(typingctx, array, start, step, out, out_start, out_step):
    sig = types.none(array, types.intp, types.intp, out, types.intp, types.intp)

    def codegen(context, builder, sig, args):
        array, start, step, out, out_start, out_step = args
        vector = context.get_value_type(Vector(sig.args[0].dtype))
        align = sig.args[0].dtype.bitwidth // 8

        def place(position, array, start, step, i):
            index = builder.add(start, builder.mul(step, ir.Constant(step.type, i)))
            return element_pointer(context, builder, sig.args[position], array, index, vector)

        places = [place(0, array, start, step, i) for i in range(LANES)]
        for i, v in enumerate(
            transpose_ir(builder, [builder.load(p, align=align) for p in places])
        ):
            builder.store(v, place(3, out, out_start, out_step, i), align=align)
        return context.get_dummy_value()

    return sig, codegen


def transpose_ir(builder, rows):
    """Exchange the off-diagonal blocks of rows, of half the size each time."""
    half = LANES // 2
    while half:
        lanes = range(LANES)
        upper = [i if not i & half else LANES + i - half for i in lanes]
        lower = [i + half if not i & half else LANES + i for i in lanes]
        masks = [ir.Constant(ir.VectorType(ir.IntType(32), LANES), m) for m in (upper, lower)]
        for i in lanes:
            if not i & half:
                pair = rows[i], rows[i + half]
                rows[i], rows[i + half] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        half //= 2
    return rows


@in_place_of(python.sum_lanes_each)
def sum_lanes_each(typingctx, array, i):
    sig = Vector(array.dtype)(array, types.intp)

    def codegen(context, builder, sig, args):
        vector = context.get_value_type(sig.return_type)
        align = sig.return_type.dtype.bitwidth // 8
        rows = []
        for row in range(LANES):
            index = builder.add(args[1], ir.Constant(args[1].type, row * LANES))
            pointer = element_pointer(context, builder, sig.args[0], args[0], index, vector)
            rows.append(builder.load(pointer, align=align))
        width = LANES
        while width > 1:
            pairs = zip(rows[: len(rows) // 2], rows[len(rows) // 2 :])
            rows = [add_halves_ir(builder, *pair, width) for pair in pairs]
            width //= 2
        return rows[0]

    return sig, codegen


def add_halves_ir(builder, a, b, width):
    """The two halves of each run of `width` lanes, added: a's in the lower half, b's in the upper.

    One operand is a blend: the lower halves of a and the upper ones of b stay where they are. So
    only the other one takes a turn at the processor's one unit for shuffles.
    """
    half, lanes = width // 2, range(LANES)
    still = [lane if lane % width < half else LANES + lane for lane in lanes]
    moved = [lane + half if lane % width < half else LANES + lane - half for lane in lanes]
    operands = (
        builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), LANES), mask))
        for mask in (still, moved)
    )
    return builder.fadd(*operands)


@in_place_of(python.scatter)
def scatter(typingctx, array, i, step, v):
    def codegen(context, builder, sig, args):
        array, i, step, v = args
        for lane in range(LANES):
            place = builder.add(i, builder.mul(step, ir.Constant(step.type, lane)))
            pointer = element_pointer(context, builder, sig.args[0], array, place)
            builder.store(builder.extract_element(v, ir.IntType(32)(lane)), pointer)
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp, v), codegen
