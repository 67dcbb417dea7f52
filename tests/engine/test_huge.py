"""One huge network: all threads share out its full batch, and no byte depends on them."""

import numpy as np
import pytest
from nets import INTERPRETED

import fastnet
from fastnet.engine import layout, network

N1, D, N = 128, 70, 4000
OPTIONS = dict(n1=[3, N1], learning_rate=0.1, clip_norm=0.5, max_epochs=5, optimizer="sgd")
# float64 sums of the same 4,000 terms in another order, over 5 steps.
SAME_SUMS = 1e-10
SINGLE = 1e-5  # float32 sums of 18,000 terms against float64; 4e-7 measured


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (N, D))
    return X, np.tanh(X @ rng.normal(size=D)) + 0.1 * rng.normal(size=N)


def run(samples, **more):
    return fastnet.sweep(*samples, **{**OPTIONS, **more})


def assert_same_bytes(one, other, members):
    for member, same in members:
        for a, b in zip(one.weights(member), other.weights(same)):
            assert a.tobytes() == b.tobytes()
        assert one.history(member).train_loss.tobytes() == other.history(same).train_loss.tobytes()


def test_the_shape_alone_says_how_many_parts():
    assert layout.parts_of(N, N1, D, 1) == 2 and layout.parts_of(N, 3, D, 1) == 1
    assert layout.parts_of(100_000, 512, 64, 1) == layout.MOST_PARTS
    assert layout.parts_of(14_000, 512, 64, 1) == 54  # 27 times 2**24 multiply-adds
    assert layout.parts_of(60_000, 8192, 784, 10) == layout.FEW_PARTS  # more would take gigabytes
    assert layout.parts_of(1000, 320, 1, 1) == layout.parts_of(1437, 128, 64, 10) == 1
    assert layout.parts_of(16, 65536, 4096, 1) == 1  # one block has one part


@pytest.mark.parametrize(
    "parts, blocks", [(1, 1), (3, 7), (8, 8), (16, 16), (24, 300), (128, 9999)]
)
def test_parts_have_every_block_once(parts, blocks):
    first = [layout.first_block(part, parts, blocks) for part in range(parts + 1)]
    sizes = np.diff(first)
    assert first[0] == 0 and first[-1] == blocks and (sizes >= 1).all()
    if parts > layout.FEW_PARTS:
        assert sizes[0] <= 2 * blocks / parts + 1 and sizes[-1] <= 2


@pytest.mark.parametrize("dtype", ["float32", pytest.param("float64", marks=pytest.mark.slow)])
def test_bytes_do_not_depend_on_threads_company_and_rounds(samples, dtype, monkeypatch):
    whole = run(samples, threads=2, dtype=dtype)
    assert_same_bytes(run(samples, threads=1, dtype=dtype), whole, [(0, 0), (1, 1)])
    assert_same_bytes(run(samples, threads=3, dtype=dtype, n1=N1), whole, [(0, 1)])
    monkeypatch.setattr("fastnet.training.training.ROUND_SECONDS", 1e-9)  # rounds of one epoch
    assert_same_bytes(run(samples, threads=2, dtype=dtype), whole, [(0, 0), (1, 1)])


@pytest.mark.slow
def test_its_parts_add_up_to_the_reference(samples):
    weight = np.random.default_rng(1).uniform(0, 2, N)
    given = dict(dtype="float64", sample_weight=weight, validation_fraction=0.1, n1=N1)
    kernels, reference = (run(samples, backend=b, **given) for b in ("kernels", "reference"))
    for a, b in zip(kernels.weights(), reference.weights()):
        np.testing.assert_allclose(a, b, rtol=0, atol=SAME_SUMS * np.abs(b).max())
    for name in ("train_loss", "val_loss"):
        a, b = (getattr(result.history(), name) for result in (kernels, reference))
        np.testing.assert_allclose(a, b, rtol=SAME_SUMS)


@pytest.fixture(scope="module")
def many_rows():
    """As many as make 18 parts in three groups."""
    rng = np.random.default_rng(2)
    X = rng.uniform(-1, 1, (23_000, D))
    return X, np.tanh(X @ rng.normal(size=D))


def test_bytes_of_many_parts_and_of_their_validation_loss(many_rows):
    given = dict(n1=[N1], validation_fraction=0.2, max_epochs=3)
    one, three = (run(many_rows, threads=threads, **given) for threads in (1, 3))
    assert layout.parts_of(len(one.split["train"]), N1, D, 1) == 18
    assert_same_bytes(one, three, [(0, 0)])
    assert one.history().val_loss.tobytes() == three.history().val_loss.tobytes()
    reference = run(many_rows, backend="reference", dtype="float64", **given)
    for name in ("train_loss", "val_loss"):
        a, b = (getattr(result.history(), name) for result in (one, reference))
        np.testing.assert_allclose(a, b, rtol=SINGLE)


def test_a_target_stops_it_where_it_stops_alone(samples):
    target = run(samples, n1=N1).history().train_loss[3]
    stopped = run(samples, n1=[3, N1], target_loss=float(target), stop="first", max_epochs=50)
    record = stopped.members[1]
    assert record["stop_reason"] == "target" and record["epochs"] == 3
    assert stopped.members["stop_reason"][0] == "stopped" and stopped.members["epochs"][0] == 3


def test_mini_batches_are_not_cut(samples):
    one, two = (run(samples, n1=N1, batch_size=1000, threads=t, max_epochs=2) for t in (1, 2))
    assert_same_bytes(one, two, [(0, 0)])


@pytest.mark.skipif(not INTERPRETED, reason="compiled kernels hold the constant")
def test_small_parts_interpreted(monkeypatch):
    """The same in the interpreter, with parts so small that it takes a moment."""
    monkeypatch.setattr(layout, "PART_WORK", 1)
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (600, 2))
    assert layout.parts_of(600, 3, 2, 1) > 1
    given = {"n1": 3, "dtype": "float64", "max_epochs": 2}
    kernels, reference = (run((X, X[:, 0]), backend=b, **given) for b in ("kernels", "reference"))
    for a, b in zip(kernels.weights(), reference.weights()):
        np.testing.assert_allclose(a, b, rtol=0, atol=SAME_SUMS * np.abs(b).max())


@pytest.mark.skipif(not INTERPRETED, reason="compiled kernels hold the constants")
def test_many_parts_interpreted(monkeypatch):
    """Groups of parts and the blocks of a validation set, in the interpreter."""
    for module, name, value in ((layout, "PART_WORK", 1), (layout, "FEW_PARTS", 1)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(layout, "GROUP", 2)
    monkeypatch.setattr(network, "GROUP", 2)
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (2000, 2))
    assert layout.parts_of(1600, 3, 2, 1) > 2
    given = {"n1": 3, "dtype": "float64", "max_epochs": 1, "validation_fraction": 0.2}
    kernels, reference = (run((X, X[:, 0]), backend=b, **given) for b in ("kernels", "reference"))
    for a, b in zip(kernels.weights(), reference.weights()):
        np.testing.assert_allclose(a, b, rtol=0, atol=SAME_SUMS * np.abs(b).max())
    np.testing.assert_allclose(kernels.history().val_loss, reference.history().val_loss)
