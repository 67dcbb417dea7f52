"""The peers that are compared: one small module per peer, each with prepare(work, threads).

prepare() returns an object whose epochs(n) trains every member for n epochs from its initial
weights and returns the loss of each after them (the exact mean over the watched samples). The first
call may compile. A peer's module runs in separate processes and imports neither fastnet nor Numba,
except for fastnet's own two.
"""

from typing import NamedTuple

# glibc returns large temporaries to the system in every step, and the kernel zeroes them again:
# padded PyTorch ran 3.7 times slower. fastnet runs without this help.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 34)}


class Peer(NamedTuple):
    """A row of the benchmark."""

    name: str
    module: str
    needs: tuple = ()  # the libraries that must be installed
    ways: tuple = ("1 thread", "threads", "processes")  # ways to try; the fastest counts
    loops: bool = False  # costs of members add up: a sample of them can stand for all
    extras: bool = True  # whether it clips, lowers the rate on a plateau, keeps the best weights
    environment: dict = KEEP_MEMORY
    watches: bool = False  # whether its exact losses are only those that it monitors
    pinned: bool = False  # one core per process if it is to use one thread
    note: str = ""


NO_EXTRAS = (
    "has no clipping and no plateau schedule of this kind: trained without, and its losses "
    "compared with fastnet's without; full batch: without kept best weights, too"
)
ROWS = (
    Peer(
        "fastnet",
        "bench.peers.fastnet_kernels",
        ways=("1 thread", "threads"),
        environment={},
        watches=True,
        note="whole calls of fastnet.sweep(), planning and result included",
    ),
    Peer(
        "numpy-reference",
        "bench.peers.fastnet_reference",
        ways=("1 thread", "processes"),
        loops=True,
        watches=True,
        note="fastnet's own backend='reference': plain NumPy, one member at a time",
    ),
    Peer(
        "numpy-tuned",
        "bench.peers.numpy_tuned",
        loops=True,
        note="preallocated, blocked for the cache, sigmoid as tanh, gradients by hand",
    ),
    Peer(
        "sklearn",
        "bench.peers.sklearn_mlp",
        needs=("sklearn",),
        ways=("1 thread", "processes"),
        loops=True,
        extras=False,
        note=f"MLPRegressor, MLPClassifier; momentum and shuffle off; {NO_EXTRAS}",
    ),
    Peer(
        "sklearn-joblib",
        "bench.peers.sklearn_joblib",
        needs=("sklearn", "joblib"),
        ways=("threads",),
        loops=True,
        extras=False,
        note="as sklearn, members over joblib's worker processes",
    ),
    Peer(
        "torch-loop",
        "bench.peers.torch_loop",
        needs=("torch",),
        loops=True,
        note="nn.Sequential, autograd, SGD or fused Adam, clip_grad_norm_, one member at a time",
    ),
    Peer(
        "torch-grouped",
        "bench.peers.torch_grouped",
        needs=("torch",),
        note="members of one width in one tensor, gradients by hand, no padding",
    ),
    Peer(
        "torch-grouped-compiled",
        "bench.peers.torch_grouped_compiled",
        needs=("torch",),
        environment={**KEEP_MEMORY, "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"},
        note="torch-grouped under torch.compile",
    ),
    Peer(
        "torch-vmap",
        "bench.peers.torch_vmap",
        needs=("torch",),
        note="stack_module_state, vmap of grad_and_value; padded to the widest with masks",
    ),
    Peer(
        "parallel-mlps",
        "bench.peers.parallel_mlps",
        needs=("torch",),
        note="ParallelMLPs (Farias et al. 2022): one fused hidden layer, sums by segment; tuned",
    ),
    Peer(
        "jax-vmap",
        "bench.peers.jax_vmap",
        needs=("jax",),
        pinned=True,
        note="vmap of value_and_grad, padded to the widest with masks; epochs inside jit",
    ),
    Peer(
        "jax-grouped",
        "bench.peers.jax_grouped",
        needs=("jax",),
        pinned=True,
        note="vmap over members of one width, gradients by hand, no padding; epochs inside jit",
    ),
)
PEERS = {peer.name: peer for peer in ROWS}
