"""vector.tile in compiled code: a few vectors of sums that stay in registers."""

import os

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, types

from fastnet.errors import UsageError
from fastnet.native import intrinsics
from fastnet.native import vector as python
from fastnet.native.cache import TILE_SHAPE
from fastnet.native.intrinsics import fma_ir, in_place_of, splat_ir
from fastnet.native.types import Vector, element_pointer
from fastnet.native.vector import LANES

DEFINITIONS = intrinsics.DEFINITIONS  # together with the definitions of this file
MOST_ROWS = 12  # more would save no loads and need more code


def registers(bits):
    """How many vector registers the processor has, and how many of them LANES numbers fill."""
    features = config.CPU_FEATURES or str(llvm.get_host_cpu_features().flatten())
    x86 = "x86" in llvm.get_process_triple() or "amd64" in llvm.get_process_triple()
    wide = "+avx512f" in features
    width = 512 if wide else 256 if "+avx," in features else 128
    return 16 if x86 and not wide else 32, LANES * bits // width


def tile_shape(bits):
    """Most rows and columns of a tile, such that its sums, a row of b and an element of a stay in
    registers. There is a second column if it takes no rows away: see docs/notes/kernels.md.

    They do not change the bytes of a product: each sum belongs to one element.
    """
    if asked := os.environ.get(TILE_SHAPE):
        return shape_of(asked)
    count, each = registers(bits)
    rows, rows_of_two = ((count - columns * each - 1) // (columns * each) for columns in (1, 2))
    return max(2, min(MOST_ROWS, rows)), 2 if rows_of_two >= MOST_ROWS else 1


def shape_of(text):
    """The shape that a text like 6x2 gives."""
    shapes = {f"{i}x{g}": (i, g) for i in range(2, MOST_ROWS + 1) for g in (1, 2)}
    if text not in shapes:
        allowed = f"ROWSxCOLUMNS from 2x1 to {MOST_ROWS}x2"
        raise UsageError(f"{TILE_SHAPE} must be {allowed}, got {text!r}")
    return shapes[text]


@in_place_of(python.most_rows)
def most_rows(typingctx, array):
    rows, _ = tile_shape(array.dtype.bitwidth)
    return types.intp(array), lambda context, builder, sig, args: ir.IntType(64)(rows)


@in_place_of(python.most_columns)
def most_columns(typingctx, array):
    _, columns = tile_shape(array.dtype.bitwidth)
    return types.intp(array), lambda context, builder, sig, args: ir.IntType(64)(columns)


@in_place_of(python.tile)
def tile(
    typingctx, rows, columns, a, a0, a_row, a_col, depth,
    b, b0, b_row, b_col, c, c0, c_row, c_col, overwrite,
):  # fmt: skip
    # The sums stay in registers while j runs, so there is a loop for each shape.
    i = types.intp
    sig = types.none(i, i, a, i, i, i, i, b, i, i, i, c, i, i, i, types.boolean)

    def codegen(context, builder, sig, args):
        most, across = tile_shape(sig.args[11].dtype.bitwidth)
        shapes = [(i, g) for g in range(1, across + 1) for i in range(1, most + 1)]
        cases = [builder.append_basic_block(f"rows{i}_columns{g}") for i, g in shapes]
        done, step = builder.append_basic_block("done"), ir.Constant(args[1].type, most)
        switch = builder.switch(builder.add(args[0], builder.mul(args[1], step)), cases[-1])
        for (i, g), block in zip(shapes, cases):
            switch.add_case(ir.Constant(step.type, i + g * most), block)
            builder.position_at_end(block)
            tile_ir(context, builder, sig, args, i, g)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return sig, codegen


def tile_ir(context, builder, sig, args, rows, columns):
    """The loop of a tile of `rows` x `columns` vectors."""
    _, _, a, a0, a_row, a_col, depth, b, b0, b_row, b_col, c, c0, c_row, c_col, overwrite = args
    vector = context.get_value_type(Vector(sig.args[11].dtype))
    align = sig.args[11].dtype.bitwidth // 8

    def place(position, array, index, v=None):
        return element_pointer(context, builder, sig.args[position], array, index, v)

    def after(start, step, i):
        return builder.add(start, builder.mul(step, ir.Constant(step.type, i)))

    elements = [after(a0, a_row, i) for i in range(rows)]
    starts = [after(b0, b_col, g) for g in range(columns)]
    places = [after(after(c0, c_row, i), c_col, g) for i in range(rows) for g in range(columns)]
    outputs = [place(11, c, index, vector) for index in places]
    before, zero = builder.block, ir.Constant(vector, None)
    first = [builder.select(overwrite, zero, builder.load(p, align=align)) for p in outputs]
    head, body, done = (builder.append_basic_block(n) for n in ("head", "body", "end"))
    builder.branch(head)
    builder.position_at_end(head)
    j = builder.phi(depth.type)
    sums = [builder.phi(vector) for _ in outputs]
    builder.cbranch(builder.icmp_signed("<", j, depth), body, done)
    builder.position_at_end(body)
    left, right = builder.mul(j, a_col), builder.mul(j, b_row)
    row = [builder.load(place(7, b, builder.add(i, right), vector), align=align) for i in starts]
    following = []
    for i, element in enumerate(elements):
        scalar = splat_ir(builder, builder.load(place(2, a, builder.add(element, left))))
        for v, total in zip(row, sums[i * columns : (i + 1) * columns]):
            following.append(fma_ir(builder, scalar, v, total))
    next_j = builder.add(j, ir.Constant(j.type, 1))
    builder.branch(head)
    j.add_incoming(ir.Constant(j.type, 0), before)
    j.add_incoming(next_j, body)
    for phi, start, total in zip(sums, first, following):
        phi.add_incoming(start, before)
        phi.add_incoming(total, body)
    builder.position_at_end(done)
    for pointer, value in zip(outputs, sums):
        builder.store(value, pointer, align=align)
