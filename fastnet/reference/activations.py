"""Activations and their slopes, s(z) and s'(z); h = s(z)."""

import math
from typing import NamedTuple

import numpy as np

LEAK = 0.01  # slope of leaky_relu below 0


def sigmoid(z):
    """1 / (1 + e^-z)."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-z))


def sigmoid_slope(z, h):
    return h * (1 - h)


def tanh(z):
    """(e^z - e^-z) / (e^z + e^-z)."""
    return np.tanh(z)


def tanh_slope(z, h):
    return 1 - h * h


def relu(z):
    """max(z, 0); its slope at the kink is 0."""
    return np.maximum(z, 0)


def relu_slope(z, h):
    return (h > 0).astype(h.dtype)


def leaky_relu(z):
    """z above 0, LEAK z below (Maas, Hannun & Ng 2013, section 2)."""
    return np.where(z > 0, z, LEAK * z)


def leaky_relu_slope(z, h):
    return np.where(h > 0, 1, LEAK).astype(h.dtype)


def elu(z):
    """z above 0, e^z - 1 below (Clevert, Unterthiner & Hochreiter 2016, eq. 15, alpha 1)."""
    return np.where(z > 0, z, np.expm1(np.minimum(z, 0)))


def elu_slope(z, h):
    return np.where(h > 0, 1, 1 + h).astype(h.dtype)


def softplus(z):
    """log(1 + e^z) (Dugas et al. 2001, section 3)."""
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def softplus_slope(z, h):
    """sigmoid(z) = 1 - e^-h."""
    return -np.expm1(-h)


def normal(z):
    """Distribution function and density of the standard normal distribution."""
    cdf = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in z.ravel().tolist()])
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return cdf.reshape(z.shape).astype(z.dtype), density


def gelu(z):
    """z Phi(z), Phi the normal distribution function (Hendrycks & Gimpel 2016, section 2)."""
    return z * normal(z)[0]


def gelu_slope(z, h):
    cdf, density = normal(z)
    return cdf + z * density


def silu(z):
    """z sigmoid(z) (Elfwing, Uchibe & Doya 2018, eq. 18)."""
    return z * sigmoid(z)


def silu_slope(z, h):
    s = sigmoid(z)
    return s * (1 + z * (1 - s))


def sin(z):
    """sin z (Sitzmann et al. 2020, section 3, without their factor 30)."""
    return np.sin(z)


def sin_slope(z, h):
    return np.cos(z)


def identity(z):
    return z


def identity_slope(z, h):
    return np.ones_like(h)


class Activation(NamedTuple):
    """A row of ACTIVATIONS."""

    value: object  # h = s(z)
    slope: object  # s'(z), from z and h


ACTIVATIONS = {
    "sigmoid": Activation(sigmoid, sigmoid_slope),
    "tanh": Activation(tanh, tanh_slope),
    "relu": Activation(relu, relu_slope),
    "identity": Activation(identity, identity_slope),
    "leaky_relu": Activation(leaky_relu, leaky_relu_slope),
    "elu": Activation(elu, elu_slope),
    "softplus": Activation(softplus, softplus_slope),
    "gelu": Activation(gelu, gelu_slope),
    "silu": Activation(silu, silu_slope),
    "sin": Activation(sin, sin_slope),
}
