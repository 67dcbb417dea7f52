"""Cross-entropy where a network is sure: the loss keeps its digits.

test_methods.py has all losses against their formulas.
"""

import numpy as np
import pytest
from nets import EPS, panels_of

from fastnet import reference
from fastnet.engine import layout, losses
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES, load, store

# A float32 loss made of up to ten exponentials, each with an error of two units or less.
CONFIDENT_RTOL = 4 * EPS["float32"]


@compile_for_python
def run_cross_entropy(output, y, weight, k, each):
    store(each, 0, losses.cross_entropy_error(output, 0, y, 0, load(weight, 0), k, None))


def cross_entropy(logits, labels):
    """Losses and dL/dz2 of up to LANES float32 samples, by the kernel."""
    n, k = logits.shape
    output = layout.panels(logits, np.float32)
    weight, each = np.ones(LANES, np.float32), np.empty(LANES)
    run_cross_entropy(output, layout.panels(np.eye(k)[labels], np.float32), weight, k, each)
    return each[:n], panels_of(output, n, k)


def exact_cross_entropy(logits, labels):
    """log of the sum of exponentials of the differences to the label's logit, but its own."""
    z = logits.astype(np.longdouble)
    n = np.arange(len(z))
    others = np.exp(z - z[n, labels][:, None])
    others[n, labels] = 0
    return np.log1p(others.sum(axis=1)).astype(np.float64)


@pytest.mark.parametrize("k", [2, 3, 10])
@pytest.mark.parametrize("gap", [16, 18, 40])
def test_loss_of_a_confident_network_keeps_its_digits(k, gap):
    """float32 alone would say 0 from a gap of 17 on: 1 + exp(-17) is 1."""
    labels = np.arange(LANES) % k
    logits = np.where(np.eye(k)[labels] == 1, gap + 1.0, 1.0).astype(np.float32)
    losses, errors = cross_entropy(logits, labels)
    expected = exact_cross_entropy(logits, labels)
    assert (expected > 0).all()
    np.testing.assert_allclose(losses, expected, rtol=CONFIDENT_RTOL)
    np.testing.assert_allclose(errors.sum(axis=1), 0, atol=k * EPS["float32"])
    wrong = (labels + 1) % k
    np.testing.assert_allclose(
        cross_entropy(logits, wrong)[0], exact_cross_entropy(logits, wrong), rtol=CONFIDENT_RTOL
    )


@pytest.mark.parametrize("gap", [0, 16, 18, 40])
def test_loss_where_the_largest_logits_tie(gap):
    logits = np.array([[gap, gap, 0], [gap, 0, gap], [0, gap, gap], [gap, gap, gap]], np.float32)
    for label in range(3):
        labels = np.full(4, label)
        losses, _ = cross_entropy(logits, labels)
        np.testing.assert_allclose(losses, exact_cross_entropy(logits, labels), rtol=CONFIDENT_RTOL)


@pytest.mark.parametrize("gap", [0, 16, 18, 40])
def test_the_reference_keeps_them_too(gap):
    logits = np.array([[gap, 0, 0], [gap, gap, 0], [0, gap, 0]], np.float32)
    labels = np.zeros(3, int)
    losses, _ = reference.losses.cross_entropy_error(
        logits, np.eye(3, dtype=np.float32)[labels], {}
    )
    np.testing.assert_allclose(losses, exact_cross_entropy(logits, labels), rtol=CONFIDENT_RTOL)
