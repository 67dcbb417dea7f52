"""The machine's limits, measured in the same run: products, FMA, sigmoids.

`python -m bench.limits THREADS DTYPE` prints them as JSON.
"""

import functools
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from fastnet.engine.activations import sigmoid
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES, fma, load, store

RUNS = 7  # the best one counts, because a limit is what is possible
VALUES = 4096  # length of the sigmoid's buffer, which fits the L1 cache
compiled = functools.partial(compile_for_python, nogil=True)


@compiled
def fma_4(x, repeats):
    """Four independent chains of LANES products and sums: fills AVX2's registers."""
    a, b, c, d, u = load(x, 0), load(x, 1), load(x, 2), load(x, 3), load(x, 4)
    for _ in range(repeats):
        a, b, c, d = fma(a, u, u), fma(b, u, u), fma(c, u, u), fma(d, u, u)
    store(x, 0, a + b + (c + d))
    return 4 * repeats


@compiled
def fma_8(x, repeats):
    """Eight chains: hides the latency where one register holds LANES values (AVX-512)."""
    a, b, c, d, u = load(x, 0), load(x, 1), load(x, 2), load(x, 3), load(x, 4)
    e, f, g, h = load(x, 5), load(x, 6), load(x, 7), load(x, 8)
    for _ in range(repeats):
        a, b, c, d = fma(a, u, u), fma(b, u, u), fma(c, u, u), fma(d, u, u)
        e, f, g, h = fma(e, u, u), fma(f, u, u), fma(g, u, u), fma(h, u, u)
    store(x, 0, (a + b + (c + d)) + (e + f + (g + h)))
    return 8 * repeats


@compiled
def sigmoids(x, repeats):
    """fastnet's sigmoid over a buffer."""
    size = x.size // 2
    for _ in range(repeats):
        for i in range(0, size, LANES):
            store(x, size + i, sigmoid(load(x, i)))
    return size * repeats


def rate(function, array, repeats, threads):
    """Units per second that the function does on this many threads at once; the best of RUNS."""
    arrays, best = [array() for _ in range(threads)], 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(RUNS):
            began = time.perf_counter()
            done = sum(pool.map(lambda x: function(x, repeats), arrays))
            best = max(best, done / (time.perf_counter() - began))
    return best


def product_rate(dtype, threads, size=1024):
    """FLOP/s of NumPy's product of two square matrices."""
    a = np.random.default_rng(0).uniform(-1, 1, (2, size, size)).astype(dtype)
    out, best = np.empty((size, size), dtype), np.inf
    with threadpool_limits(threads):
        for _ in range(RUNS):
            began = time.perf_counter()
            np.matmul(a[0], a[1], out=out)
            best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def numpy_tanh(x, repeats):
    for _ in range(repeats):
        np.tanh(x, out=x)
    return x.size * repeats


def measure(threads, dtype):
    """All limits, of one thread and of all."""
    found = {}
    for name, count in (("one", 1), ("all", threads)):
        chains = [
            rate(f, lambda: np.full(10 * LANES, 0.5, dtype), 1_000_000, count)
            for f in (fma_4, fma_8)
        ]
        curve = rate(sigmoids, lambda: np.linspace(-8, 8, 2 * VALUES, dtype=dtype), 2000, count)
        tanh = rate(numpy_tanh, lambda: np.linspace(-4, 4, VALUES, dtype=dtype), 500, count)
        found[name] = {
            "threads": count,
            "blas_gflops": product_rate(dtype, count) / 1e9,
            "fma_gflops": 2 * LANES * max(chains) / 1e9,
            "sigmoid_ns": 1e9 / curve,
            "numpy_tanh_ns": 1e9 / tanh,
        }
    return found


def flops(work):
    """Floating-point operations of an epoch's products, for one sample and hidden unit.

    Forward 2 (d + k); backward dW2 2 k, W2^T dz2 2 k, dW1 2 d. With monitored batches, one more
    forward pass of the watched samples.
    """
    d, k = work.X.shape[1], work.Y.shape[1]
    return 4 * d + 6 * k + 2 * (d + k) * again(work)


def again(work):
    """The share of the samples that has a second forward pass, for the exact loss of an epoch."""
    if not (work.batch_size and work.monitored):
        return 0
    return len(work.watched[0]) / len(work.X)


def bound(workload, limits, threads):
    """Lower limit of an epoch's seconds: its products at the FMA peak, its sigmoids at their rate.

    Both keep the same units of a core busy, so the times add.
    """
    work = workload.work
    limit = limits["all" if min(threads, len(work.n1)) > 1 else "one"]
    peak = max(limit["fma_gflops"], limit["blas_gflops"])
    sigmoids_each = 1 + again(work) if work.activation == "sigmoid" else 0
    nanoseconds = flops(work) / peak + sigmoids_each * limit["sigmoid_ns"]
    return workload.unit_samples * nanoseconds * 1e-9


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), sys.argv[2])))
