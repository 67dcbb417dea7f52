"""Networks, samples and comparisons that the tests of the engine share.

A compiled kernel that only kernels call cannot be called from Python: the functions that
compile_for_python() makes call it for the tests, on whole arrays.
"""

from typing import NamedTuple

import numba
import numpy as np

from fastnet import reference
from fastnet.engine import layout
from fastnet.engine.activations import ACTIVATIONS
from fastnet.engine.layers import layers_of
from fastnet.engine.losses import LOSSES
from fastnet.native.vector import LANES

INTERPRETED = bool(numba.config.DISABLE_JIT)
DTYPES = ("float32", "float64")
EPS = {name: float(np.finfo(name).eps) for name in DTYPES}
# Two orders of the same sum. float64: hundreds of terms of 1e-16, and four digits to spare.
# float32: sums of a hundred terms with 6e-8 each, which cancel in part; 5e-7 measured.
SUM_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}
# Those of the two tasks, and of either a few more: test_methods.py has all of them.
SOME_ACTIVATIONS = ("sigmoid", "tanh", "relu", "identity")
SOME_LOSSES = ("squared", "cross_entropy")
SETTING = {"huber_delta": 1.0, "quantile": 0.5}  # of losses that have none of it
START = 2 * LANES  # where the tests put a member's parameters
SAMPLES = 37  # two panels and five rows
LIMIT = {"float32": 87.0, "float64": 708.0}  # of exp and what is made of it


class Member(NamedTuple):
    """One network and its samples, as the reference and as the kernels take them."""

    net: reference.network.Net
    samples: reference.network.Rows
    problem: layout.Problem
    flat: np.ndarray  # the net from START on; NaN before and behind
    scratch: layout.Scratch  # full of NaN: nothing in it may matter

    @property
    def shape(self):
        """d, k, N1."""
        return self.problem.d, self.problem.k, len(self.net.b1)

    def kernel_net(self, activation):
        """The network as kernels take it."""
        d, k, n1 = self.shape
        layers = layers_of(d, k)
        return layout.Net(self.flat, START, n1, d, k, ACTIVATIONS[activation], *layers, n1)


def shapes_of(d, k, n1):
    return (n1, d), (n1,), (k, n1), (k,)


def random_net(rng, dtype, d, k, n1):
    """Weights of the size that keeps activations and logits near 1."""
    W1, b1, W2, b2 = (rng.normal(size=shape) for shape in shapes_of(d, k, n1))
    net = W1 / np.sqrt(d), b1, W2 / np.sqrt(n1), b2
    return reference.network.Net(*(array.astype(dtype) for array in net))


def random_samples(rng, dtype, loss, d, k, n):
    X = rng.uniform(-1, 1, (n, d))
    Y = rng.normal(size=(n, k)) if loss == "squared" else np.eye(k)[rng.integers(0, k, n)]
    return reference.network.rows(X, Y, dtype, rng.uniform(0.1, 2, n))


def flatten(net):
    """The net as kernels hold it, in an array that is NaN outside its run."""
    n1, d = net.W1.shape
    k = len(net.b2)
    length = layout.parameter_length(n1, d, k)
    flat = np.full(length + START + LANES, np.nan, net.W1.dtype)
    flat[START : START + length] = 0
    for run, array in zip(layout.views(flat, START, n1, d, k), net):
        run[...] = array
    return flat


def dirty_scratch(problem, n1, batch_size, dtype):
    """Scratch as a diverged member leaves it."""
    scratch = layout.scratch(problem, n1, batch_size, dtype)
    for array in (*scratch[:6], *scratch.batch[:5]):
        array[...] = np.nan
    return scratch


def make_problem(loss, samples):
    d, k, dtype = samples.X.shape[1], samples.Y.shape[1], samples.X.dtype
    rows = layout.rows(samples.X, samples.Y, dtype, samples.weight[None])
    none = layout.rows(np.empty((0, d)), np.empty((0, k)), dtype)
    return layout.Problem(d, k, LOSSES[loss], rows, none, *layers_of(d, k))


def make_member(net, samples, loss):
    problem = make_problem(loss, samples)
    scratch = dirty_scratch(problem, len(net.b1), 0, net.W1.dtype)
    return Member(net, samples, problem, flatten(net), scratch)


def random_member(rng, dtype, loss, d, k, n1, n):
    net = random_net(rng, dtype, d, k, n1)
    return make_member(net, random_samples(rng, dtype, loss, d, k, n), loss)


def in_float64(arrays):
    """A Net or Rows in float64: the reference then adds no rounding of its own."""
    return type(arrays)(*(array.astype(np.float64) for array in arrays))


def assert_close(actual, expected, tolerance, what=""):
    """Equal to `tolerance` of the largest element: terms of either sign cancel in a sum."""
    largest = np.abs(expected).max(initial=0)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance * largest, err_msg=what)


def ulps(actual, exact):
    """The largest error in units of the last place of `actual`'s dtype."""
    unit = np.spacing(np.abs(exact).astype(actual.dtype))
    return float((np.abs(actual - exact) / unit).max())


def longer(values):
    """The values in a type whose own rounding does not show."""
    return values.astype(np.float64 if values.dtype == np.float32 else np.longdouble)


def applied(function, values, *before):
    """function(*before, values, out), the values filled up to whole vectors; returns out."""
    filled = np.zeros(layout.padded(values.size), values.dtype)
    filled[: values.size] = values
    out = np.empty_like(filled)
    function(*before, filled, out)
    return out[: values.size]


def spread_values(rng, dtype, low, high, count=4000):
    """Values over the whole range, many near 0, its ends and 0 itself."""
    wide, near = rng.uniform(low, high, count), rng.normal(size=count)
    tiny = 10.0 ** rng.uniform(-30, 0, count)
    return np.concatenate([wide, near, tiny, -tiny, [low, high, 0.0, -0.0]]).astype(dtype)


def panels_of(flat, n, count):
    """(n, count) from panels (panels, count, L)."""
    return flat.reshape(-1, count, LANES).transpose(0, 2, 1).reshape(-1, count)[:n]
