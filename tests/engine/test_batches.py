"""The order of mini-batches, and how they are gathered."""

import itertools

import numpy as np
import pytest
from nets import DTYPES, SAMPLES, dirty_scratch, make_problem, random_samples

from fastnet import reference
from fastnet.engine import batches, layout
from fastnet.engine.activations import ACTIVATIONS
from fastnet.engine.layers import layers_of
from fastnet.native.compile import compile_for_python

run_hash32 = compile_for_python(batches.hash32)
run_shuffle = compile_for_python(batches.shuffle)


@compile_for_python
def run_gather(net, rows, order, first, count, batch):
    return batches.gather(net, rows, order, first, count, batch).count


def shuffled(seed, epoch, n):
    order = np.arange(2 * n)
    run_shuffle(seed, epoch, order, n)
    return order[:n]


def test_hash32_is_the_reference(rng):
    values = [0, 1, 2**31, 2**32 - 1, *rng.integers(0, 2**32, 1000).tolist()]
    hashes = [run_hash32(x) for x in values]
    assert hashes == [reference.batches.hash32(x) for x in values]
    assert all(0 <= h < 2**32 for h in hashes) and len(set(hashes)) == len(set(values))


@pytest.mark.parametrize("n", [1, 2, 5, 100, 1797])
@pytest.mark.parametrize("seed, epoch", [(0, 1), (1, 1), (0, 2), (2**32 - 1, 10**9)])
def test_shuffle_is_a_permutation_and_the_reference(n, seed, epoch):
    order = shuffled(seed, epoch, n)
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(order, reference.batches.shuffle(seed, epoch, n))
    np.testing.assert_array_equal(order, shuffled(seed, epoch, n))


def test_shuffle_differs_by_seed_and_epoch():
    keys = list(itertools.product(range(5), range(1, 6)))
    orders = {tuple(shuffled(seed, epoch, 50).tolist()) for seed, epoch in keys}
    assert len(orders) == len(keys)


def test_every_place_is_as_likely():
    """Sample 0 over 2,000 epochs: of 10 places each 200 times, standard deviation 13.4."""
    places = [int(np.flatnonzero(shuffled(3, epoch, 10) == 0)[0]) for epoch in range(1, 2001)]
    five_deviations = 67
    assert np.abs(np.bincount(places, minlength=10) - 200).max() < five_deviations


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("d, k", [(1, 1), (2, 3), (9, 10)])
@pytest.mark.parametrize("first, count", [(0, 20), (20, 16), (32, 5)])
def test_gather_makes_the_rows_of_a_batch(rng, dtype, d, k, first, count):
    samples = random_samples(rng, dtype, "squared", d, k, SAMPLES)
    problem = make_problem("squared", samples)
    batch = dirty_scratch(problem, 1, 20, dtype).batch
    order = np.array(reference.batches.shuffle(0, 1, SAMPLES))
    activation, layers = ACTIVATIONS["sigmoid"], layers_of(d, k)
    net = layout.Net(np.zeros(1, dtype), 0, 1, d, k, activation, *layers, 1)
    assert run_gather(net, problem.train, order, first, count, batch) == count
    chosen = order[first : first + count]
    expected = layout.rows(
        samples.X[chosen], samples.Y[chosen], dtype, samples.weight[None, chosen]
    )
    for name in ("x", "y", "weight", *(["x_rows"] if d >= layout.WIDE else [])):
        wanted = getattr(expected, name)
        np.testing.assert_array_equal(getattr(batch, name)[: wanted.size], wanted, name)
