"""vector.tile in compiled code: a few rows of LANES sums that stay in vector registers."""

import os

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, types

from fastnet.errors import UsageError
from fastnet.native import intrinsics
from fastnet.native import vector as python
from fastnet.native.cache import TILE_ROWS
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


def tile_rows(bits):
    """Rows of a tile, such that their sums, a row of b and an element of a stay in registers.

    Their number does not change the bytes of a product: each sum belongs to one element.
    """
    if asked := os.environ.get(TILE_ROWS):
        if asked not in map(str, range(2, MOST_ROWS + 1)):
            raise UsageError(f"{TILE_ROWS} must be from 2 to {MOST_ROWS}, got {asked!r}")
        return int(asked)
    count, each = registers(bits)
    return max(2, min(MOST_ROWS, (count - each - 1) // each))


@in_place_of(python.most_rows)
def most_rows(typingctx, array):
    rows = tile_rows(array.dtype.bitwidth)
    return types.intp(array), lambda context, builder, sig, args: ir.IntType(64)(rows)


@in_place_of(python.tile)
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
