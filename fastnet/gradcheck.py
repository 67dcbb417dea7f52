"""The check of the reference's gradients against central differences, in float64."""

import itertools
from functools import partial
from typing import Any

import numpy as np

from fastnet import reference
from fastnet.engine import init
from fastnet.options.methods import ACTIVATIONS, COUNT, LOSSES, SIGMOID, SOFTMAX
from fastnet.options.table import SETTINGS

TOLERANCE = 1e-6
STEP = 1e-5  # about the cube root of float64's precision, where central differences are best
# The defaults of the losses' parameters; a quantile of 0.5 would treat above and below alike.
OF_LOSSES = [option for option in SETTINGS.values() if option.users[:1] == ("loss",)]
SETTING = {option.name: option.default[0] for option in OF_LOSSES} | {"quantile": 0.3}
# (d, N1, k); a softmax takes those with k >= 2.
SHAPES = ((1, 1, 1), (1, 7, 1), (3, 5, 1), (2, 1, 3), (5, 4, 2), (9, 3, 10))


def numeric_gradient(net, activation, loss, rows):
    """Central differences of the mean loss by every parameter, in the shapes of the net."""
    gradient = reference.network.Net(*(np.zeros_like(array) for array in net))
    for array, slopes in zip(net, gradient, strict=True):
        for place in np.ndindex(array.shape):
            value = array[place]
            array[place] = value + STEP
            above = reference.network.mean_loss(net, activation, loss, rows)
            array[place] = value - STEP
            below = reference.network.mean_loss(net, activation, loss, rows)
            array[place] = value
            slopes[place] = (above - below) / (2 * STEP)
    return gradient


def suits(loss: str, k: int) -> bool:
    """Whether a network with k outputs can have the loss."""
    return k > 1 or LOSSES[loss].link != SOFTMAX


def targets(loss: str, rng: np.random.Generator, samples: int, k: int) -> np.ndarray:
    """Random targets (samples, k) of the kind that the loss takes."""
    row = LOSSES[loss]
    if row.link == SOFTMAX:
        return np.eye(k)[rng.integers(0, k, samples)]
    if row.link == SIGMOID:
        return rng.integers(0, 2, (samples, k)).astype(float)
    if row.target == COUNT:
        return rng.poisson(1.5, (samples, k)).astype(float)
    return rng.normal(size=(samples, k))


def check(
    loss: str, activation: str, d: int, n1: int, k: int, samples: int = 17, seed: int = 0
) -> dict[str, Any]:
    """Compare the gradients of one network on random samples.

    Random samples meet a kink with probability 0.

    Parameters
    ----------
    loss, activation : str
        Names of the options --loss and --activation.
    d, n1, k : int
        Numbers of inputs, hidden units and outputs.
    samples : int
    seed : int
        Of the samples, targets and weights.

    Returns
    -------
    dict
        The arguments; W1, b1, W2 and b2, each with norm(analytic - numeric) / norm(numeric); the
        tolerance; and whether the check has passed.
    """
    rng = np.random.default_rng([seed, d, n1, k])
    X = rng.uniform(-1, 1, (samples, d))
    Y = targets(loss, rng, samples, k)
    drawn = init.initial_weights(seed, n1, d, k, "glorot_uniform", activation)
    net = reference.network.Net(*(np.array(a + 0.1 * rng.normal(size=a.shape)) for a in drawn))
    rows = reference.network.rows(X, Y, np.float64, rng.uniform(0, 2, samples))
    own_loss = partial(reference.losses.LOSSES[loss], setting=SETTING)
    kind = reference.activations.ACTIVATIONS[activation], own_loss
    _, analytic, _ = reference.network.loss_and_gradient(net, *kind, 0.0, rows)
    numeric = numeric_gradient(net, *kind, rows)
    differences = {
        name: float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-300))
        for name, a, b in zip(net._fields, analytic, numeric, strict=True)
    }
    return {
        "loss": loss,
        "activation": activation,
        "d": d,
        "n1": n1,
        "k": k,
        **differences,
        "tolerance": TOLERANCE,
        "passed": all(v <= TOLERANCE for v in differences.values()),
    }


def shapes(loss: str, activation: str) -> list[tuple]:
    """The shapes to check: one is enough if loss and activation are also checked separately."""
    fitting = [shape for shape in SHAPES if suits(loss, shape[-1])]
    return fitting if loss == "squared" or activation == "sigmoid" else fitting[-1:]


def check_all() -> list[dict[str, Any]]:
    """One row, as `check` returns it, for every valid combination of loss, activation and shape."""
    return [
        check(loss, activation, d, n1, k)
        for loss, activation in itertools.product(LOSSES, ACTIVATIONS)
        for d, n1, k in shapes(loss, activation)
    ]
