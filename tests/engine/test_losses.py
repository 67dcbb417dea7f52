"""Cross-entropy where a network is sure: the loss keeps its digits, and binary cross-entropy.

Binary cross-entropy of one and of several outputs. test_methods.py has all losses against their
formulas.
"""

from functools import partial

import numpy as np
import pytest
from nets import DTYPES, EPS, panels_of

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


# ---------------------------------------------------------------- one logit, and several


@compile_for_python
def run_binary(output, y, weight, k, each, right):
    for lane in range(LANES):
        right[lane] = losses.sign_is_right(output, lane, y, lane, k)
    store(each, 0, losses.binary_cross_entropy_error(output, 0, y, 0, load(weight, 0), k, None))


def binary(Z2, Y):
    """Losses, slopes and whether all is right, of LANES samples by the kernel."""
    output, y = layout.panels(Z2, Z2.dtype), layout.panels(Y, Z2.dtype)
    each, right = np.empty(LANES), np.empty(LANES, bool)
    run_binary(output, y, np.ones(LANES, Z2.dtype), Z2.shape[1], each, right)
    return each, panels_of(output, LANES, Z2.shape[1]), right


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_binary_cross_entropy_is_the_sum_over_the_outputs(rng, dtype, k):
    Y = rng.integers(0, 2, (LANES, k)).astype(dtype)
    Z2 = (4 * rng.normal(size=Y.shape) + 4 * (2 * Y - 1)).astype(dtype)
    Z2[0] = 0  # 0 predicts the first label
    each, slopes, right = binary(Z2, Y)
    alone = [binary(Z2[:, j : j + 1], Y[:, j : j + 1]) for j in range(k)]
    np.testing.assert_array_equal(each, sum(one[0] for one in alone))
    np.testing.assert_array_equal(slopes, np.hstack([one[1] for one in alone]))
    np.testing.assert_array_equal(right, ((Z2 > 0) == (Y == 1)).all(axis=1))
    assert 0 < right.sum() < LANES
    expected, dZ2 = reference.losses.binary_cross_entropy_error(Z2.astype(float), Y.astype(float))
    np.testing.assert_allclose(each, expected, rtol=30 * EPS[dtype], atol=30 * EPS[dtype])
    np.testing.assert_allclose(slopes, dZ2, rtol=0, atol=10 * EPS[dtype])


@pytest.mark.parametrize("k", [1, 2, 5])
def test_the_reference_counts_the_rows_all_of_whose_labels_are_right(rng, k):
    Y = rng.integers(0, 2, (40, k)).astype(float)
    Z2 = rng.normal(size=Y.shape) + 2 * (2 * Y - 1)
    weight = rng.uniform(0, 2, 40)
    rows = reference.network.Rows(np.zeros((40, 1)), Y, weight)
    loss = partial(reference.losses.binary_cross_entropy_error, setting={})
    right = ((Z2 > 0) == (Y == 1)).all(axis=1)
    np.testing.assert_allclose(reference.losses.hits(loss, Z2, rows), weight @ right)
