"""Activations of the hidden units: s(z) and s'(z), each a function of vectors.

A slope gets z and h = s(z). Most slopes need only h. Then z is not kept between the forward and
the backward pass, and the slope gets h in place of z. `needs_z` in a row of the table says which
case it is. A NaN stays NaN. reference/activations.py has the formulas and their sources.
"""

from fastnet.engine.elementary import (
    exp,
    expm1,
    log1p_below_one,
    magnitude,
    normal_tail,
    power_ratio,
)
from fastnet.engine.elementary import sin as sin_of
from fastnet.native.choice import table
from fastnet.native.entry import inner
from fastnet.native.vector import fma, where_greater

LEAK = 0.01  # slope of leaky_relu below 0
LOG2_E = 1.4426950408889634
DENSITY_AT_0 = 0.3989422804014327  # 1 / sqrt(2 pi)


@inner
def sigmoid(z):
    a, p, b = power_ratio(z, -LOG2_E)
    return b / fma(a, p, b)


@inner
def sigmoid_slope(z, h):
    return h * (1.0 - h)


@inner
def tanh(z):
    a, p, b = power_ratio(z, 2.0 * LOG2_E)
    return fma(a, p, -b) / fma(a, p, b)


@inner
def tanh_slope(z, h):
    return 1.0 - h * h


@inner
def relu(z):
    return where_greater(0.0, z, 0.0, z)


@inner
def relu_slope(z, h):
    return where_greater(h, 0.0, 1.0, h * 0.0)


@inner
def leaky_relu(z):
    return where_greater(z, 0.0, z, z * LEAK)


@inner
def leaky_relu_slope(z, h):
    return where_greater(h, 0.0, 1.0, h * 0.0 + LEAK)


@inner
def elu(z):
    return where_greater(z, 0.0, z, expm1(where_greater(z, 0.0, 0.0, z)))


@inner
def elu_slope(z, h):
    return where_greater(h, 0.0, 1.0, h + 1.0)


@inner
def softplus(z):
    return where_greater(0.0, z, 0.0, z) + log1p_below_one(exp(magnitude(z), -1.0))


@inner
def softplus_slope(z, h):
    return 0.0 - expm1(0.0 - h)


@inner
def normal_cdf(z):
    """Phi(z), accurate also where it is small."""
    tail = normal_tail(magnitude(z))
    return where_greater(z, 0.0, 1.0 - tail, tail)


@inner
def gelu(z):
    return z * normal_cdf(z)


@inner
def gelu_slope(z, h):
    return fma(z, exp(z * z, -0.5) * DENSITY_AT_0, normal_cdf(z))


@inner
def silu(z):
    return z * sigmoid(z)


@inner
def silu_slope(z, h):
    s = sigmoid(z)
    return s * fma(z, 1.0 - s, 1.0)


@inner
def sin(z):
    return sin_of(z, 0.0)


@inner
def sin_slope(z, h):
    return sin_of(z, 0.5)


@inner
def identity(z):
    return z


@inner
def identity_slope(z, h):
    return h * 0.0 + 1.0


ACTIVATIONS = table(
    "activation",
    sigmoid={"value": sigmoid, "slope": sigmoid_slope, "needs_z": False},
    tanh={"value": tanh, "slope": tanh_slope, "needs_z": False},
    relu={"value": relu, "slope": relu_slope, "needs_z": False},
    leaky_relu={"value": leaky_relu, "slope": leaky_relu_slope, "needs_z": False},
    elu={"value": elu, "slope": elu_slope, "needs_z": False},
    softplus={"value": softplus, "slope": softplus_slope, "needs_z": False},
    gelu={"value": gelu, "slope": gelu_slope, "needs_z": True},
    silu={"value": silu, "slope": silu_slope, "needs_z": True},
    sin={"value": sin, "slope": sin_slope, "needs_z": True},
    identity={"value": identity, "slope": identity_slope, "needs_z": False},
)
