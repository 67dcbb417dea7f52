"""The environment that decides the bytes of a result: versions, processor, BLAS."""

import functools
import os
import platform
import sys
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

import fastnet
from fastnet.native import cache
from fastnet.native.versions import compiler_versions
from fastnet.shapes import ANYTHING, COUNT, FLAG, TEXT, Absent, Maybe
from fastnet.training.cores import granted

# Variables that make OpenBLAS or Numba choose code for another processor.
OVERRIDES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", *cache.OVERRIDES, "NUMBA_DISABLE_JIT")


@functools.cache  # looking through the libraries of the process takes 3 ms
def blas() -> dict[str, Any]:
    """NumPy's BLAS: name, version and the kernel ("core") in use; only the reference calls it."""
    from threadpoolctl import threadpool_info

    found = [info for info in threadpool_info() if info["user_api"] == "blas"]
    if not found:
        return {"name": "unknown", "version": None, "core": None, "threads": None}
    info = found[0]
    return {
        "name": info["internal_api"],
        "version": info["version"],
        "core": info.get("architecture"),
        "threads": info["num_threads"],
    }


def versions() -> dict[str, str]:
    """Versions of fastnet and of the libraries it computes with."""
    return {
        "fastnet": fastnet.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        **compiler_versions(),
    }


@functools.cache  # LLVM takes 0.3 ms
def host() -> tuple[str, tuple[str, ...]]:
    """The name of this machine's processor and the features that it has, sorted."""
    name, features = cache.host()
    return name, tuple(sorted(name for name, there in features.items() if there))


def cpu() -> dict[str, Any]:
    """The processor as the compiler sees it."""
    name, features = host()
    name = os.environ.get("NUMBA_CPU_NAME") or name
    return {"machine": platform.machine(), "name": name, "features": list(features)}


def simd_bits(features: Collection[str]) -> int:
    """Width of the vector registers that the kernels use."""
    for name, bits in (("avx512f", 512), ("avx2", 256), ("avx", 256)):
        if name in features:
            return bits
    return 128


# The shape of environment.json, as describe() makes it; "cores" is not read again.
SHAPE = {
    "versions": {str: Maybe(TEXT)},
    "cpu": {"machine": TEXT, "name": TEXT, "features": [TEXT]},
    "blas": {"name": TEXT, "version": Maybe(TEXT), "core": Maybe(TEXT)},
    "variables": {str: TEXT},
    "threads": COUNT,
    "data_sha256": TEXT,
    "command_line": [TEXT],
    "initial_weights": Absent(FLAG),
    "reused": Absent([TEXT]),
    "remarks": Absent([TEXT]),
    "workers": Absent({"notices": [TEXT], str: ANYTHING}),  # as cluster.py makes it
}
# What is known at the start of a run alone: that it began with the caller's weights, and the
# notices of the runs that it took members from.
OF_START = ("initial_weights", "reused", "workers", "remarks")


def describe(threads: int, digest: str) -> dict[str, Any]:
    """The content of environment.json; `threads` train, `digest` is the SHA-256 of the data."""
    return {
        "versions": versions(),
        "cpu": cpu(),
        "blas": dict(blas()),
        "variables": {name: os.environ[name] for name in OVERRIDES if name in os.environ},
        "threads": threads,
        "cores": granted()._asdict(),
        "data_sha256": digest,
        "command_line": sys.argv,
    }


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The differences between two environments that can change the bytes, one text each."""
    found = []
    for part in ("versions", "cpu", "variables"):
        before, now = old.get(part, {}), new.get(part, {})
        for name in sorted({*before, *now}):
            if before.get(name) != now.get(name):
                found.append(f"{part} {name}: {before.get(name)} then, {now.get(name)} now")
    if old.get("blas", {}).get("core") != new["blas"]["core"]:
        found.append(
            f"BLAS core: {old.get('blas', {}).get('core')} then, {new['blas']['core']} now"
        )
    if old.get("data_sha256") != new["data_sha256"]:
        found.append(f"data: SHA-256 {old.get('data_sha256')} then, {new['data_sha256']} now")
    return found
