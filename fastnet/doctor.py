"""The checks of `fastnet doctor`: environment, cache folders, compiler path."""

import os
from pathlib import Path

from fastnet.native import cache
from fastnet.native.entry import INTERPRETED, why_plain
from fastnet.native.versions import TESTED
from fastnet.results import environment
from fastnet.training.cores import granted

CURES = {
    "NUMBA_DISABLE_JIT": "NUMBA_DISABLE_JIT is set: the kernels run in the interpreter, some "
    "hundred times slower; unset it.",
    "NUMBA_OPT": "NUMBA_OPT is set: Numba may optimise less; unset it.",
    "NUMBA_CPU_NAME": "NUMBA_CPU_NAME is set: kernels are compiled for another processor than "
    "this one; unset it.",
    "NUMBA_CPU_FEATURES": "NUMBA_CPU_FEATURES is set: kernels may use narrower vectors; unset it.",
    "OPENBLAS_CORETYPE": "OPENBLAS_CORETYPE is set: NumPy's products, which --backend reference "
    "uses, run on another kernel than this processor's; unset it. Compiled kernels use no BLAS.",
    "OPENBLAS_L2_SIZE": "OPENBLAS_L2_SIZE is set: it changes NumPy's products; unset it.",
}


def cache_size(folder):
    """Bytes of compiled kernels in the cache folder."""
    return sum(path.stat().st_size for path in Path(folder).glob("*.kernel"))


def cache_advice():
    """Sentences on the cache folders."""
    folder, first = cache.folder(), next(iter(cache.candidates()))
    if folder == first:
        return []
    read = " It is still read." if first in cache.folders() else ""
    begin = f"The first choice of cache folder, {first}, {cache.objection(first)}."
    if folder is not None:
        return [f"{begin}{read} New kernels go to {folder}."]
    return [
        f"{begin}{read} No other can be written, so every process compiles what it does not find "
        "there (about 6 s): set NUMBA_CACHE_DIR to a folder of yours."
    ]


def compiler_advice(reason):
    """Sentences on the compiler's path."""
    if reason is None or INTERPRETED:
        return []
    first, end = TESTED
    return [
        "Kernels are compiled without shortcuts, which takes about three times as long the first "
        f"time and changes no result. The shortcuts were tested with numba>={first},<{end}."
    ]


def examine():
    """Facts as a dict, with the list `advice`."""
    cpu, blas = environment.cpu(), environment.blas()
    advice = [cure for name, cure in CURES.items() if os.environ.get(name)]
    bits = environment.simd_bits(cpu["features"])
    if bits < 256 and cpu["machine"] in ("x86_64", "AMD64"):
        advice.append("This processor has neither AVX2 nor AVX-512: expect a quarter of the speed.")
    advice += cache_advice()
    reason = why_plain()
    advice += compiler_advice(reason)
    return {
        **{name: value for name, value in environment.versions().items()},
        "cpu": cpu["name"],
        "simd": f"{bits} bits: {bits // 32} float32 or {bits // 64} float64 at once",
        "threads": granted().count,
        "cores": str(granted()),
        "blas": f"{blas['name']} {blas['version']}, kernel {blas['core']} (reference only)",
        "compiler": f"plain path ({reason})" if reason else "fast path",
        "cache_folder": str(cache.folder()),
        "cache_writable": cache.folder() is not None,
        "cache_bytes": sum(map(cache_size, cache.folders())),
        "advice": advice,
    }
