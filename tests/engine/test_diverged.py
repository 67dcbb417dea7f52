"""Members that diverge: they alone stop, and keep their last finite best weights."""

import numpy as np
import pytest
from nets import DTYPES
from trainings import make_training, member_bytes, sine, trained

from fastnet import reference
from fastnet.engine import init, layout, records
from fastnet.training import loop

# The length of a clipped step, the square root of a sum of rounded squares.
STEP_RTOL = 1e-5


def drawn_weights(n1, seed=0):
    return list(init.initial_weights(seed, n1, 1, 1, "nguyen_widrow", "sigmoid"))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_an_enormous_rate_stops_that_member_alone(dtype, batch_size, backend):
    given = {"n1": 5, "dtype": dtype, "batch_size": batch_size, "max_epochs": 30}
    given |= {"backend": backend}
    run = trained(*sine(75), learning_rate=[0.1, 1e30, 0.2], **given)
    assert run.pack.states["stop"].tolist() == [
        records.MAX_EPOCHS,
        records.DIVERGED,
        records.MAX_EPOCHS,
    ]
    alone = trained(*sine(75), learning_rate=[0.1, 0.2], **given)
    for member, same in ((0, 0), (2, 1)):
        assert member_bytes(run, member) == member_bytes(alone, same)
    row = run.plan.settings[1]
    best = layout.views(run.pack.best, row["offset"], 5, 1, 1)
    for array, initial in zip(best, drawn_weights(5)):
        np.testing.assert_array_equal(array, initial.astype(dtype))
    assert run.pack.states["best_epoch"][1] == 0
    assert np.isfinite(run.pack.states["best_loss"]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("name", ["W1", "b1", "W2", "b2"])
def test_an_infinite_weight_stops_that_member_alone(dtype, backend, name):
    """Also where the loss is finite: sigmoid(inf) is 1."""
    good = drawn_weights(5)
    bad = [array.copy() for array in good]
    bad[reference.network.Net._fields.index(name)].flat[0] = np.inf
    given = {"n1": 5, "dtype": dtype, "max_epochs": 5, "backend": backend}
    run = trained(*sine(75), seeds=3, initial_weights=[good, bad, good], **given)
    alone = trained(*sine(75), seeds=1, initial_weights=[good], **given)
    assert run.pack.states["stop"][1] == records.DIVERGED and run.pack.states["epoch"][1] == 0
    assert member_bytes(run, 0) == member_bytes(alone, 0) == member_bytes(run, 2)
    losses, _ = run.evaluate("train")
    assert np.isnan(losses[1]) and np.isfinite(losses[[0, 2]]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_member_that_diverges_later_keeps_its_best(dtype):
    """A linear network at this rate improves for some epochs, then overflows."""
    given = {"n1": 5, "activation": "identity", "learning_rate": 1.3, "dtype": dtype}
    run = trained(*sine(75), max_epochs=200, **given)
    state = run.pack.states[0]
    assert state["stop"] == records.DIVERGED and 0 < state["best_epoch"] < state["epoch"]
    shorter = trained(*sine(75), max_epochs=int(state["best_epoch"]), **given)
    np.testing.assert_array_equal(run.pack.best, shorter.pack.parameters)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("batch_size, stopped_at", [(None, 0), (2, 1)])
def test_a_gradient_beyond_the_range_stops_a_member(backend, batch_size, stopped_at):
    """Loss and weights are finite: 1/2 (1e15)**2, but dL/dW1 is 1e15 * 1e30, not in float32."""
    X, y = np.full((5, 1), 1e30), np.full((5, 1), 1e15)
    flat_start = np.zeros((1, 1)), np.zeros(1), np.ones((1, 1)), np.zeros(1)
    given = {"n1": 1, "activation": "identity", "clip_norm": 1.0, "backend": backend}
    run = trained(X, y, batch_size=batch_size, initial_weights=[flat_start], **given)
    state = run.pack.states[0]
    assert state["stop"] == records.DIVERGED and state["epoch"] == stopped_at
    assert not np.isfinite(state["gradient_norm"])
    for flat in run.pack.best, run.pack.parameters:  # no step was taken along it
        for array, initial in zip(layout.views(flat, 0, 1, 1, 1), flat_start):
            np.testing.assert_array_equal(array, initial)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_a_gradient_of_1e19_is_clipped_and_still_moves_the_weights(backend):
    """Its square is beyond float32, and so would be a float32 norm: the step would be 0."""
    X, y = sine(75)
    rate, clip_norm = 0.1, 2.0
    training = make_training(
        X,
        1e19 * (1 + 0.5 * y),
        n1=5,
        learning_rate=rate,
        clip_norm=clip_norm,
        max_epochs=1,
        backend=backend,
    )
    before = training.pack.parameters.astype(np.float64)
    loop.train(training)
    state = training.pack.states[0]
    assert state["stop"] == records.MAX_EPOCHS and state["gradient_norm"] > 1e19
    step = np.linalg.norm(training.pack.parameters - before)
    assert step == pytest.approx(rate * clip_norm, rel=STEP_RTOL)
