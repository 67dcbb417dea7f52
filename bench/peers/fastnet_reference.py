"""The peer fastnet.reference: the training loop in plain NumPy, written to be read."""

from bench.peers.fastnet_kernels import Sweep


def prepare(work, threads):
    return Sweep(work, threads, "reference")
