"""torch_grouped under torch.compile: one compilation per width."""

import torch

from bench.peers.torch_grouped import Grouped


def prepare(work, threads):
    torch.set_num_threads(threads)
    return Grouped(work, compiled=True)
