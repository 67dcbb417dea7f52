"""Kernels take subnormal numbers for zero, and leave the caller's arithmetic as it was."""

import ctypes
import threading

import llvmlite.binding as llvm
import numpy as np
import pytest

from fastnet.native.entry import INTERPRETED, Entry

pytestmark = pytest.mark.skipif(INTERPRETED, reason="NumPy flushes nothing")
KNOWN = llvm.get_process_triple().startswith(("x86_64", "amd64", "aarch64", "arm64"))
needs_register = pytest.mark.skipif(not KNOWN, reason="a processor whose register is not known")
X86 = llvm.get_process_triple().startswith(("x86_64", "amd64"))

# Functions that read and set MXCSR; LLVM's own, so that no C compiler is needed.
SOURCE = """
declare void @llvm.x86.sse.stmxcsr(i8*)
declare void @llvm.x86.sse.ldmxcsr(i8*)
define i32 @get() {
  %place = alloca i32
  %bytes = bitcast i32* %place to i8*
  call void @llvm.x86.sse.stmxcsr(i8* %bytes)
  %value = load i32, i32* %place
  ret i32 %value
}
define void @set(i32 %value) {
  %place = alloca i32
  store i32 %value, i32* %place
  %bytes = bitcast i32* %place to i8*
  call void @llvm.x86.sse.ldmxcsr(i8* %bytes)
  ret void
}
"""


@Entry
def halve(values):
    for i in range(values.size):
        values[i] = values[i] * 0.5


@Entry
def fail(values):
    if values[0] > 0.0:
        raise ValueError("no")


@pytest.fixture(scope="module")
def register():
    """Two functions: the control register of this thread, and to set it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(SOURCE), machine)
    engine.finalize_object()
    get = ctypes.CFUNCTYPE(ctypes.c_uint32)(engine.get_function_address("get"))
    put = ctypes.CFUNCTYPE(None, ctypes.c_uint32)(engine.get_function_address("set"))
    before = get()
    yield get, put
    put(before)
    del engine


def halved(dtype):
    """Half the least normal number, and a subnormal number itself, as a kernel sees them."""
    values = np.array([np.finfo(dtype).tiny, np.finfo(dtype).smallest_subnormal, 2.0], dtype)
    halve(values)
    return values.tolist()


@needs_register
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_take_subnormal_numbers_for_zero(dtype):
    assert halved(dtype) == [0.0, 0.0, 1.0]


@needs_register
def test_so_they_do_on_every_thread():
    found = []
    threads = [threading.Thread(target=lambda: found.append(halved("float32"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[0.0, 0.0, 1.0]] * 3


def test_the_callers_arithmetic_is_left_alone():
    halved("float64")
    tiny = np.array([np.finfo(np.float64).tiny])
    assert (tiny * 0.5)[0] > 0.0


@pytest.mark.skipif(not X86, reason="reads MXCSR")
@pytest.mark.parametrize("bits", [0x0000, 0x8000, 0x0040, 0x8040], ids=hex)
def test_the_callers_register_comes_back_and_does_not_matter(register, bits):
    get, put = register
    usual = get()
    put(usual & ~0x8040 | bits)
    try:
        given = get() & 0xFFC0  # the lowest bits record what happened
        assert halved("float32") == [0.0, 0.0, 1.0] and get() & 0xFFC0 == given
        with pytest.raises(RuntimeError, match="a kernel ended with an error"):
            fail(np.ones(1))
        assert get() & 0xFFC0 == given
    finally:
        put(usual)
