"""What the functions of vector.py become in compiled code: LLVM's vectors, one instruction or few.

Numba leaves it to LLVM whether a loop becomes vector instructions, and to the alias checks of the
day in which order a sum is taken. Here the vectors are written out as values of LLVM's type
<LANES x float>. A compiled function that calls a function of vector.py gets the instructions of
the definition of the same name here.
"""

import functools
import operator

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.typing.templates import (
    AbstractTemplate,
    infer,
    infer_global,
    make_intrinsic_template,
    signature,
)
from numba.extending import lower_builtin, models, register_model
from numba.np.arrayobj import make_array

from fastnet.native import vector as plain
from fastnet.native.vector import LANES, SQRT_HALF_BITS


class Elements(types.Type):
    """A Numba type that its elements' type tells apart."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(name=f"{type(self).__name__}({dtype})")


class Vector(Elements):
    """Numba's type of a vector: LANES elements of `dtype`."""


@register_model(Vector)
class VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        element = dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(element, LANES))


class Flat(Elements):
    """Numba's type of an array in one piece whose length the kernels know without it: a pointer.

    Numba's own has seven numbers, and some thirty arrays go from one kernel to the next.
    """


@register_model(Flat)
class FlatModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        element = dmm.lookup(fe_type.dtype).get_data_type()
        super().__init__(dmm, fe_type, element.as_pointer())


@infer_global(operator.getitem)
class FlatItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], Flat):
            return args[0].dtype(args[0], types.intp)


@infer_global(operator.setitem)
class SetFlatItem(AbstractTemplate):
    def generic(self, args, kws):
        if isinstance(args[0], Flat):
            return types.none(args[0], types.intp, args[0].dtype)


@lower_builtin(operator.getitem, Flat, types.Integer)
def get_item(context, builder, sig, args):
    return builder.load(element_pointer(context, builder, sig.args[0], *args))


@lower_builtin(operator.setitem, Flat, types.Integer, types.Any)
def set_item(context, builder, sig, args):
    array, i, value = args
    builder.store(value, element_pointer(context, builder, sig.args[0], array, i))
    return context.get_dummy_value()


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


def element_pointer(context, builder, array_type, array, index, vector=None):
    """Pointer to array.data[index], of a vector when its type is given."""
    flat = isinstance(array_type, Flat)
    data = array if flat else make_array(array_type)(context, builder, array).data
    pointer = builder.gep(data, [index], inbounds=True)
    return pointer if vector is None else builder.bitcast(pointer, vector.as_pointer())


# Arithmetic: + - * / between vectors, and between a vector and a scalar.


def _arithmetic(op, instruction):
    @infer_global(op)
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            vectors = [a for a in args if isinstance(a, Vector)]
            if vectors and len(args) == 2:
                return signature(vectors[0], *args)

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


def intrinsic(definition):
    """Tie a definition to the function of its name in vector.py; see numba.extending.intrinsic."""
    name = definition.__name__
    template = infer(make_intrinsic_template(getattr(plain, name), definition, name))
    infer_global(getattr(plain, name), types.Function(template))
    return definition


@intrinsic
def never_inline(typingctx):
    return types.none(), attribute("noinline")


@intrinsic
def always_inline(typingctx):
    return types.none(), attribute("alwaysinline")


def attribute(name):
    """A definition's codegen that says something of the function around it."""

    def codegen(context, builder, sig, args):
        builder.function.attributes.add(name)
        return context.get_dummy_value()

    return codegen


@intrinsic
def load(typingctx, array, i):
    sig = Vector(array.dtype)(array, types.intp)

    def codegen(context, builder, sig, args):
        vector = context.get_value_type(sig.return_type)
        pointer = element_pointer(context, builder, sig.args[0], *args, vector)
        return builder.load(pointer, align=sig.return_type.dtype.bitwidth // 8)

    return sig, codegen


@intrinsic
def store(typingctx, array, i, v):
    def codegen(context, builder, sig, args):
        array, i, v = args
        pointer = element_pointer(context, builder, sig.args[0], array, i, v.type)
        builder.store(v, pointer, align=sig.args[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, v), codegen


@intrinsic
def splat(typingctx, array, value):
    def codegen(context, builder, sig, args):
        return as_vector(context, builder, args[1], sig.args[1], sig.return_type)

    return Vector(array.dtype)(array, value), codegen


def fma_ir(builder, a, b, c):
    width = 32 if a.type.element == ir.FloatType() else 64
    function = ir.FunctionType(a.type, [a.type] * 3)
    name = f"llvm.fmuladd.v{LANES}f{width}"
    return builder.call(cgutils.get_or_insert_function(builder.module, function, name), [a, b, c])


@intrinsic
def fma(typingctx, a, b, c):
    vector = next(t for t in (a, b, c) if isinstance(t, Vector))

    def codegen(context, builder, sig, args):
        values = (
            as_vector(context, builder, v, t, sig.return_type) for v, t in zip(args, sig.args)
        )
        return fma_ir(builder, *values)

    return vector(a, b, c), codegen


@intrinsic
def sqrt(typingctx, v):
    def codegen(context, builder, sig, args):
        (v,) = args
        name = f"llvm.sqrt.v{LANES}f{32 if v.type.element == ir.FloatType() else 64}"
        function = ir.FunctionType(v.type, [v.type])
        return builder.call(cgutils.get_or_insert_function(builder.module, function, name), [v])

    return v(v), codegen


@intrinsic
def where_greater(typingctx, a, b, x, y):
    vector = next(t for t in (a, b, x, y) if isinstance(t, Vector))

    def codegen(context, builder, sig, args):
        a, b, x, y = (
            as_vector(context, builder, v, t, sig.return_type) for v, t in zip(args, sig.args)
        )
        return builder.select(builder.fcmp_ordered(">", a, b), x, y)

    return vector(a, b, x, y), codegen


@intrinsic
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


@intrinsic
def is_float32(typingctx, v):
    answer = int(v.dtype == types.float32)
    return types.boolean(v), lambda context, builder, sig, args: ir.IntType(1)(answer)


@intrinsic
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


@intrinsic
def add_exponent(typingctx, v, shifted):
    def codegen(context, builder, sig, args):
        bits, integers, mantissa = bits_ir(builder, args[0])
        n, _, _ = bits_ir(builder, args[1])
        moved = builder.shl(n, constant_ir(integers, mantissa))
        return builder.bitcast(builder.add(bits, moved), args[0].type)

    return v(v, shifted), codegen


@intrinsic
def exponent_of(typingctx, u):
    def codegen(context, builder, sig, args):
        bits, integers, mantissa = bits_ir(builder, args[0])
        above = builder.sub(bits, constant_ir(integers, SQRT_HALF_BITS))
        e = builder.ashr(above, constant_ir(integers, mantissa))
        return builder.sitofp(e, args[0].type)

    return u(u), codegen


@intrinsic
def unchecked(typingctx, array, i):
    def codegen(context, builder, sig, args):
        return builder.load(element_pointer(context, builder, sig.args[0], *args))

    return array.dtype(array, types.intp), codegen


@intrinsic
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


@intrinsic
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
            pairs = zip(rows[::2], rows[1::2])
            rows = [add_halves_ir(builder, *pair, width) for pair in pairs]
            width //= 2
        return rows[0]

    return sig, codegen


def add_halves_ir(builder, a, b, width):
    """Each run of `width` lanes of a, then of b: its lower half plus its upper half."""
    lanes = [lane for lane in range(2 * LANES) if lane % width < width // 2]
    lower, upper = (
        ir.Constant(ir.VectorType(ir.IntType(32), LANES), [lane + up for lane in lanes])
        for up in (0, width // 2)
    )
    return builder.fadd(builder.shuffle_vector(a, b, lower), builder.shuffle_vector(a, b, upper))


def registers(bits):
    """How many vector registers the processor has, and how many of them LANES numbers fill."""
    features = config.CPU_FEATURES or str(llvm.get_host_cpu_features().flatten())
    x86 = "x86" in llvm.get_process_triple() or "amd64" in llvm.get_process_triple()
    wide = "+avx512f" in features
    width = 512 if wide else 256 if "+avx," in features else 128
    return 16 if x86 and not wide else 32, LANES * bits // width


MOST_ROWS = 12  # more would need no fewer loads, and more code


@functools.cache
def tile_rows(bits):
    """Rows of a tile, so that their sums, a row of b and an element of a stay in registers."""
    count, each = registers(bits)
    return max(2, min(MOST_ROWS, (count - each - 1) // each))


@intrinsic
def most_rows(typingctx, array):
    rows = tile_rows(array.dtype.bitwidth)
    return types.intp(array), lambda context, builder, sig, args: ir.IntType(64)(rows)


@intrinsic
def tile(typingctx, rows, a, a0, a_row, a_col, depth, b, b0, b_row, c, c0, c_row, overwrite):
    # The sums stay in registers while j runs, so there is a loop for each number of rows.
    where = [types.intp] * 2
    sig = types.none(types.intp, a, *where, *where, b, *where, c, *where, types.boolean)

    def codegen(context, builder, sig, args):
        most, done = tile_rows(sig.args[9].dtype.bitwidth), builder.append_basic_block("done")
        cases = [builder.append_basic_block(f"rows{count}") for count in range(1, most + 1)]
        switch = builder.switch(args[0], cases[-1])
        for count, block in enumerate(cases, 1):
            switch.add_case(ir.Constant(args[0].type, count), block)
            builder.position_at_end(block)
            tile_ir(context, builder, sig, args, count)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return sig, codegen


@intrinsic
def scatter(typingctx, array, i, step, v):
    def codegen(context, builder, sig, args):
        array, i, step, v = args
        for lane in range(LANES):
            place = builder.add(i, builder.mul(step, ir.Constant(step.type, lane)))
            pointer = element_pointer(context, builder, sig.args[0], array, place)
            builder.store(builder.extract_element(v, ir.IntType(32)(lane)), pointer)
        return context.get_dummy_value()

    return types.none(array, types.intp, types.intp, v), codegen


def tile_ir(context, builder, sig, args, count):
    """The loop of a tile of `count` rows."""
    _, a, a0, a_row, a_col, depth, b, b0, b_row, c, c0, c_row, overwrite = args
    vector = context.get_value_type(Vector(sig.args[9].dtype))
    align = sig.args[9].dtype.bitwidth // 8

    def place(position, array, index, v=None):
        return element_pointer(context, builder, sig.args[position], array, index, v)

    def row_of(start, step, i):
        return builder.add(start, builder.mul(step, ir.Constant(step.type, i)))

    outputs = [place(9, c, row_of(c0, c_row, i), vector) for i in range(count)]
    columns = [row_of(a0, a_row, i) for i in range(count)]
    before = builder.block
    zero = ir.Constant(vector, None)
    start = [builder.select(overwrite, zero, builder.load(p, align=align)) for p in outputs]
    head, body, done = (builder.append_basic_block(n) for n in ("head", "body", "end"))
    builder.branch(head)
    builder.position_at_end(head)
    j = builder.phi(depth.type)
    sums = [builder.phi(vector) for _ in range(count)]
    builder.cbranch(builder.icmp_signed("<", j, depth), body, done)
    builder.position_at_end(body)
    row = builder.load(place(6, b, builder.add(b0, builder.mul(j, b_row)), vector), align=align)
    offset = builder.mul(j, a_col)
    following = []
    for column, total_so_far in zip(columns, sums):
        scalar = builder.load(place(1, a, builder.add(column, offset)))
        following.append(fma_ir(builder, splat_ir(builder, scalar), row, total_so_far))
    next_j = builder.add(j, ir.Constant(j.type, 1))
    builder.branch(head)
    j.add_incoming(ir.Constant(j.type, 0), before)
    j.add_incoming(next_j, body)
    for phi, first, after in zip(sums, start, following):
        phi.add_incoming(first, before)
        phi.add_incoming(after, body)
    builder.position_at_end(done)
    for pointer, value in zip(outputs, sums):
        builder.store(value, pointer, align=align)
