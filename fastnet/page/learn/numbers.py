"""The numbers of one forward and backward pass, and how the lab writes them."""

import math
from typing import NamedTuple

import numpy as np

from fastnet import reference
from fastnet.reference.network import Net


class Pass(NamedTuple):
    """All that one forward and backward pass computes, for each sample, by fastnet.reference."""

    net: Net
    activation: str
    loss: str
    X: np.ndarray  # (n, d)
    Y: np.ndarray  # (n, k)
    Z1: np.ndarray  # (n, N1)
    H: np.ndarray  # (n, N1)
    Z2: np.ndarray  # (n, k)
    outputs: np.ndarray  # (n, k): Z2, or the probabilities of the classes
    losses: np.ndarray  # (n,)
    dZ2: np.ndarray  # (n, k)
    dH: np.ndarray  # (n, N1)
    dZ1: np.ndarray  # (n, N1)
    gradient: Net  # of the mean loss

    @property
    def mean_loss(self):
        return float(self.losses.mean())


def pass_of(net, activation, X, Y, loss="squared"):
    """The pass of samples X (n, d) and Y (n, k) through a network."""
    row = reference.activations.ACTIVATIONS[activation]
    Z1 = reference.network.first_layer(net, X)
    H, Z2 = reference.network.forward(net, row, X)
    losses, dZ2 = reference.losses.LOSSES[loss](Z2, Y)
    summed = reference.network.backward(net, row, X, H, dZ2)
    gradient = reference.network.mean_gradient(net, summed, 0.0, len(X))
    outputs = Z2 if loss == "squared" else dZ2 + Y  # dz2 = softmax(z2) - y
    dH = dZ2 @ net.W2
    dZ1 = dH * row.slope(Z1, H)
    return Pass(
        net, activation, loss, X, Y, Z1, H, Z2, outputs, losses, dZ2, dH, dZ1, gradient
    )  # fmt: skip


def after_step(net, gradient, rate):
    """The network after a step of gradient descent; the old one stays as it is."""
    after = Net(*(array.copy() for array in net))
    for w, g in zip(after, gradient):
        reference.optimizers.sgd(w, g, [], {}, {"learning_rate": rate}, None)
    return after


def loss_along(passed, rates):
    """The mean loss after a step of each rate along the same gradient."""
    rows = reference.network.rows(passed.X, passed.Y, np.float64)
    row = reference.activations.ACTIVATIONS[passed.activation]
    loss = reference.losses.LOSSES[passed.loss]
    nets = [after_step(passed.net, passed.gradient, rate) for rate in rates]
    return [reference.network.mean_loss(net, row, loss, rows) for net in nets]


def curve(net, activation, x):
    """The network's outputs at the places x (n,), for a network with one input and one output."""
    row = reference.activations.ACTIVATIONS[activation]
    return reference.network.forward(net, row, np.asarray(x)[:, None])[1][:, 0]


# ---------------------------------------------------------------- parameters by name


def parameters(net):
    """(name, value) of every parameter of a network or gradient, in words a person can follow."""
    n1, d = net.W1.shape
    k = len(net.b2)
    for u in range(n1):
        for j in range(d):
            yield f"W1 of hidden unit {u + 1}" + f", input {j + 1}" * (d > 1), net.W1[u, j]
        yield f"b1 of hidden unit {u + 1}", net.b1[u]
    for i in range(k):
        for u in range(n1):
            yield f"W2 of hidden unit {u + 1}" + f", output {i + 1}" * (k > 1), net.W2[i, u]
        yield "b2" + f" of output {i + 1}" * (k > 1), net.b2[i]


# ---------------------------------------------------------------- writing


def text(value, digits=4):
    """A number for people: fixed digits, more of them where a number is small, at least 3 that say
    something; a power of ten where that would be long."""
    value = float(value) + 0.0  # no minus before a zero
    if not np.isfinite(value):
        return "not finite"
    if value and not 1e-6 <= abs(value) < 1e5:
        return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")
    leading = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(digits, 2 - leading) if digits else 0}f}".replace("-", "\N{MINUS SIGN}")


def tex(value, digits=4):
    """The same for a formula."""
    mantissa, _, power = text(value, digits).replace("\N{MINUS SIGN}", "-").partition("e")
    if mantissa == "not finite":
        return r"\text{not finite}"
    return mantissa + (rf" \cdot 10^{{{int(power)}}}" if power else "")


def factor(value, digits=4):
    """The same as a factor: in brackets if it is negative or a power of ten."""
    written = tex(value, digits)
    return rf"({written})" if written.startswith("-") or "cdot" in written else written
