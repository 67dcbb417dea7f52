"""Activations, losses, optimisers and schedules as formulas: what reference.py trains with.

Plain NumPy, written to be read. Every function has its compiled twin of the same name in
activations.py, losses.py, optimizers.py or schedules.py, and the tests hold the two equal to
rounding. docs/methods.md says where each comes from and what other libraries do differently;
docs/extending.md adds one of each.

Letters: n samples, k outputs, z a unit's input and h = s(z), Z2 and Y (n, k) outputs of the
network and targets, w an array of weights and g its gradient.
"""

import math
from typing import NamedTuple

import numpy as np

# ---------------------------------------------------------------- activations: s(z), s'(z)

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

# ---------------------------------------------------------------- losses: L and dL/dz2
# Each returns the loss of every sample (n,), in float64, and dL/dz2 (n, k). `setting` is the
# member's: huber and quantile have a parameter there.


def summed(each):
    """Each sample's loss: the sum over its outputs, in float64."""
    return each.astype(np.float64).sum(axis=1)


def squared_error(Z2, Y, setting=None):
    """L = 1/2 sum_k (yhat - y)^2, yhat = z2."""
    dZ2 = Z2 - Y
    return summed(dZ2 * dZ2) / 2, dZ2


def absolute_error(Z2, Y, setting=None):
    """L = sum_k |yhat - y|; the slope at the kink is 0."""
    error = Z2 - Y
    return summed(np.abs(error)), np.sign(error)


def huber_error(Z2, Y, setting):
    """Of the error e: e^2 / 2 up to delta, then delta (|e| - delta / 2) (Huber 1964, p. 74)."""
    error, delta = Z2 - Y, float(setting["huber_delta"])
    inner = np.clip(error, -delta, delta)  # e, or delta with e's sign: also the slope
    return summed(np.abs(inner) * (np.abs(error) - np.abs(inner) / 2)), inner


def log_cosh_error(Z2, Y, setting=None):
    """L = sum_k log cosh(yhat - y): e^2 / 2 near 0, |e| - log 2 far off."""
    error = Z2 - Y
    e = np.abs(error.astype(np.float64))
    # cosh e - 1 = (e^e - 1)^2 / (2 e^e) keeps the digits of a small loss.
    near = np.minimum(e, 1)
    small = np.log1p(np.expm1(near) ** 2 / (2 * np.exp(near)))
    large = e + np.log1p(np.exp(-2 * e)) - math.log(2)
    return np.where(e < 1, small, large).sum(axis=1), np.tanh(error)


def poisson_error(Z2, Y, setting=None):
    """Half the deviance of counts y with mean e^z2: sum_k e^z2 - y - y (z2 - log y), 0 log 0 = 0
    (McCullagh & Nelder 1989, section 2.3)."""
    z, y = Z2.astype(np.float64), Y.astype(np.float64)
    logs = np.log(np.where(y > 0, y, 1))
    return (np.exp(z) - y - y * (z - logs)).sum(axis=1), np.exp(Z2) - Y


def quantile_error(Z2, Y, setting):
    """q (y - yhat) where yhat is too low, (1 - q) (yhat - y) where it is too high, q in (0, 1)
    (Koenker & Bassett 1978, eq. 3.1)."""
    error, q = Z2 - Y, float(setting["quantile"])
    slopes = np.where(error > 0, 1 - q, np.where(error < 0, -q, 0 * error)).astype(error.dtype)
    return summed(slopes * error), slopes


def cross_entropy_error(Z2, Y, setting=None):
    """L = -log softmax(z2)_y of each sample, and dL/dz2 = softmax(z2) - y.

    (m - z_y) + log1p(others): m the largest logit, others the sum of the exponentials but
    the largest. Of equal largest logits all but the first are among the others.
    """
    n = np.arange(len(Z2))
    largest = Z2.argmax(axis=1)
    m = Z2[n, largest][:, None]
    powers = np.exp(Z2 - m)
    others = powers.copy()
    others[n, largest] = 0
    others = others.sum(axis=1)
    losses = ((m - Z2) * Y).sum(axis=1).astype(np.float64) + np.log1p(others.astype(np.float64))
    return losses, powers / powers.sum(axis=1, keepdims=True) - Y


def binary_cross_entropy_error(Z2, Y, setting=None):
    """One logit: L = log(1 + e^z2) - y z2 for y = 0 or 1, and dL/dz2 = sigmoid(z2) - y.

    As max(z2, 0) - y z2 + log1p(e^-|z2|) nothing is lost where the network is sure.
    """
    far = np.maximum(Z2, 0) - Y * Z2
    powers = np.exp(-np.abs(Z2))
    losses = summed(far) + np.log1p(powers.astype(np.float64)).sum(axis=1)
    return losses, sigmoid(Z2) - Y


LOSSES = {
    "squared": squared_error,
    "cross_entropy": cross_entropy_error,
    "absolute": absolute_error,
    "huber": huber_error,
    "log_cosh": log_cosh_error,
    "poisson": poisson_error,
    "quantile": quantile_error,
    "binary_cross_entropy": binary_cross_entropy_error,
}

# ---------------------------------------------------------------- optimisers
# Each moves w in place along the gradient g, which is clipped already. `memory` has the
# optimiser's own arrays, of w's shape and 0 before the first step.


class Step(NamedTuple):
    """The numbers of one step, all of them Python's, so that an array's dtype is kept."""

    learning_rate: float
    count: int = 1  # of this step, from 1
    momentum: float = 0.9
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    rho: float = 0.9
    weight_decay: float = 0.01
    worse: bool = False  # the training loss is above that of the step before


def sgd(w, g, memory, step):
    """w -= learning_rate g."""
    w -= step.learning_rate * g


def momentum(w, g, memory, step):
    """Polyak 1964, eq. 9: v = momentum v + g, w -= learning_rate v."""
    (v,) = memory
    v[...] = step.momentum * v + g
    w -= step.learning_rate * v


def nesterov(w, g, memory, step):
    """Nesterov 1983 as Sutskever et al. 2013, section 2: the gradient where momentum leads to."""
    (v,) = memory
    v[...] = step.momentum * v + g
    w -= step.learning_rate * (g + step.momentum * v)


def rmsprop(w, g, memory, step):
    """Tieleman & Hinton 2012, lecture 6e: g over the root of its running mean square."""
    (v,) = memory
    v[...] = step.rho * v + (1 - step.rho) * (g * g)
    w -= step.learning_rate * g / (np.sqrt(v) + step.epsilon)


def adam(w, g, memory, step):
    """Kingma & Ba 2015, Algorithm 1."""
    m, v = memory
    m[...] = step.beta_1 * m + (1 - step.beta_1) * g
    v[...] = step.beta_2 * v + (1 - step.beta_2) * (g * g)
    m_hat = m / (1 - step.beta_1**step.count)
    v_hat = v / (1 - step.beta_2**step.count)
    w -= step.learning_rate * m_hat / (np.sqrt(v_hat) + step.epsilon)


def adamw(w, g, memory, step):
    """Loshchilov & Hutter 2019, Algorithm 2: Adam, and the weights shrink apart from it.

    Biases, which have one dimension, do not shrink.
    """
    if w.ndim == 2:
        w *= 1 - step.learning_rate * step.weight_decay
    adam(w, g, memory, step)


RPROP_UP, RPROP_DOWN, RPROP_LARGEST, RPROP_SMALLEST = 1.2, 0.5, 50.0, 1e-6


def rprop(w, g, memory, step):
    """iRprop+ (Igel & Huesken 2003, section 2.4): a step length of its own for each weight.

    It grows while the gradient's sign stays and halves where it changes; there the last step
    is taken back if the loss has risen, and the next step takes the gradient as 0.
    """
    before, length = memory
    if step.count == 1:
        length[...] = step.learning_rate
    agreement = np.sign(before) * np.sign(g)
    changed = agreement < 0
    if step.worse:
        w += np.where(changed, np.sign(before) * length, 0).astype(w.dtype)
    factor = np.where(agreement > 0, RPROP_UP, np.where(changed, RPROP_DOWN, 1)).astype(w.dtype)
    length[...] = np.clip(length * factor, RPROP_SMALLEST, RPROP_LARGEST)
    before[...] = np.where(changed, 0, g)
    w -= np.sign(before) * length


class Optimizer(NamedTuple):
    """A row of OPTIMIZERS."""

    update: object  # one step of one array of weights
    memory: int  # arrays that it keeps between steps


OPTIMIZERS = {
    "sgd": Optimizer(sgd, 0),
    "momentum": Optimizer(momentum, 1),
    "nesterov": Optimizer(nesterov, 1),
    "rmsprop": Optimizer(rmsprop, 1),
    "adam": Optimizer(adam, 2),
    "adamw": Optimizer(adamw, 2),
    "rprop": Optimizer(rprop, 2),
}

# ---------------------------------------------------------------- schedules
# Each returns the learning rate after `epoch` of `epochs` epochs, warm-up not counted; `rate` is
# the learning rate that was asked for, or what the plateau rule has made of it.


def constant(rate, setting, epoch, epochs):
    return rate


def cosine(rate, setting, epoch, epochs):
    """Down to min_learning_rate along half a cosine (Loshchilov & Hutter 2017, eq. 5)."""
    low = setting["min_learning_rate"]
    return low + (rate - low) * (1 + math.cos(math.pi * epoch / epochs)) / 2


def step(rate, setting, epoch, epochs):
    """Times lr_factor after every decay_epochs."""
    return rate * setting["lr_factor"] ** (epoch // setting["decay_epochs"])


def exponential(rate, setting, epoch, epochs):
    """As step, in a smooth curve."""
    return rate * setting["lr_factor"] ** (epoch / setting["decay_epochs"])


RISE, START, END = 0.3, 1 / 25, 1 / 25 / 1e4


def one_cycle(rate, setting, epoch, epochs):
    """Up from START of the rate in the first RISE of the epochs, then down to END of it, both
    along half a cosine (Smith & Topin 2018, section 3; numbers of PyTorch's OneCycleLR)."""
    top = RISE * epochs
    if epoch < top:
        share, first, last = epoch / top, START, 1.0
    else:
        share, first, last = (epoch - top) / (epochs - top), 1.0, END
    return rate * (last + (first - last) * (1 + math.cos(math.pi * share)) / 2)


# The position of a name is its code. The plateau rule itself is decide()'s.
SCHEDULES = {
    "plateau": constant,
    "constant": constant,
    "cosine": cosine,
    "step": step,
    "exponential": exponential,
    "one_cycle": one_cycle,
}


def learning_rate(rate, setting, epoch):
    """The rate of epoch + 1: of the schedule, at least min_learning_rate, and warmed up.

    In warm-up the rates of the first epochs are 1, 2, ... of warmup_epochs + 1 parts of it
    (Goyal et al. 2017, section 2.2).
    """
    warm, schedule = setting["warmup_epochs"], list(SCHEDULES.values())[setting["schedule"]]
    rate = schedule(rate, setting, max(epoch - warm, 0), max(setting["max_epochs"] - warm, 1))
    rate = max(rate, setting["min_learning_rate"])
    return rate * (epoch + 1) / (warm + 1) if epoch < warm else rate
