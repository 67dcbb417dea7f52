"""torch.func: stack_module_state and vmap over all members, padded to the widest."""

import torch
from torch.func import functional_call, grad_and_value, stack_module_state, vmap

from bench.peers.common import padded
from bench.peers.torch_grouped import ACTIVATIONS
from bench.peers.torch_tensors import Members


class Network(torch.nn.Module):
    """A network without the masked units."""

    def __init__(self, activation, W1, b1, W2, b2, mask):
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.W1, self.b1, self.W2, self.b2 = (torch.nn.Parameter(p) for p in (W1, b1, W2, b2))
        self.register_buffer("mask", mask)

    def forward(self, X):
        H = self.activation(torch.nn.functional.linear(X, self.W1, self.b1)) * self.mask
        return torch.nn.functional.linear(H, self.W2, self.b2)


BLOCK = 1 << 25  # values of a hidden layer of all members: 128 MB in float32
NAMES = ("W1", "b1", "W2", "b2")


class Vmap:
    def __init__(self, work):
        self.work = work
        self.X, self.Y = torch.from_numpy(work.X), torch.from_numpy(work.Y)
        self.watched = [torch.from_numpy(a) for a in work.watched]
        self.order = torch.from_numpy(work.order)
        arrays, mask = padded(work)
        self.members = Members(work, arrays)
        networks = [
            Network(work.activation, *(a[m] for a in self.members.start), torch.from_numpy(mask[m]))
            for m in range(len(mask))
        ]
        _, self.buffers = stack_module_state(networks)
        base = networks[0]

        def loss(parameters, buffers, X, Y):
            Z2 = functional_call(base, (parameters, buffers), (X,))
            if work.loss == "squared":
                return (Z2 - Y).square().sum() / (2 * len(Y))
            return -(torch.log_softmax(Z2, 1) * Y).sum() / len(Y)

        self.losses = vmap(loss, in_dims=(0, 0, None, None))
        self.gradients = vmap(grad_and_value(loss), in_dims=(0, 0, None, None))

    @torch.no_grad()
    def epochs(self, n):
        self.members.restart()
        for epoch in range(n):
            if self.work.batch_size:
                if self.work.monitored:
                    self.members.entry(self.exact())
                for rows in self.order[epoch].split(self.work.batch_size):
                    self.members.step(self.gradient(self.X[rows], self.Y[rows])[0])
            else:
                gradients, losses = self.gradient(self.X, self.Y)
                self.members.entry(losses)
                self.members.step(gradients)
        return self.exact().tolist()

    def exact(self):
        """Mean loss over the watched samples, in blocks that memory can hold."""
        X, Y = self.watched
        rows = max(1, BLOCK // self.members.parameters[1].numel())
        parts = zip(X.split(rows), Y.split(rows))
        sums = sum(self.losses(self.named(), self.buffers, x, y) * len(y) for x, y in parts)
        return sums / len(Y)

    def gradient(self, X, Y):
        found, losses = self.gradients(self.named(), self.buffers, X, Y)
        return [found[name] for name in NAMES], losses

    def named(self):
        return dict(zip(NAMES, self.members.parameters))


def prepare(work, threads):
    torch.set_num_threads(threads)
    return Vmap(work)
