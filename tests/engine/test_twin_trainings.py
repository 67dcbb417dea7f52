"""Whole trainings of the two tasks: kernels against the reference."""

import itertools

import numpy as np
import pytest
from nets import DTYPES, INTERPRETED, SOME_ACTIVATIONS
from trainings import (
    TRAINING_TOLERANCE,
    TRAININGS,
    assert_same_training,
    make_training,
    member_bytes,
    sine,
    some_digits,
    task_training,
    trained,
)

from fastnet.engine import kernels, records

# What ten steps of length 1e-12 change in a loss, with two digits to spare.
STILL_RTOL = 1e-9


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("full_batch", [True, False], ids=["full batch", "mini-batches"])
@pytest.mark.parametrize("validate", [True, False], ids=["validated", "not validated"])
@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_is_the_reference(name, dtype, full_batch, validate):
    run, twin = (
        task_training(name, dtype, backend, full_batch, validate)
        for backend in ("kernels", "reference")
    )
    assert_same_training(run, twin, TRAINING_TOLERANCE[dtype])
    history = run.history.flat(run.pack.states)
    assert 0 < history["clipped"].sum() < history["clipped"].size
    assert (run.pack.states["learning_rate"] < TRAININGS[name]["learning_rate"]).any()
    assert (run.pack.states["stop"] == records.MAX_EPOCHS).all()


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_the_loss_of_an_epoch_of_batches_is_weighted_by_rows(backend):
    """The weights hardly move: the mean over 75 rows in batches of 16 and 11 stays the same."""
    X, y = sine(75)
    X[64:] = y[64:] = 3.0  # what the short batches hold is unlike the rest
    training = trained(
        X,
        y,
        validation=sine(9),
        n1=3,
        batch_size=16,
        learning_rate=1e-12,
        max_epochs=2,
        dtype="float64",
        backend=backend,
    )
    train_loss = training.history.flat(training.pack.states)["train_loss"]
    np.testing.assert_allclose(train_loss[1:], train_loss[0], rtol=STILL_RTOL)


@pytest.mark.parametrize("activation", SOME_ACTIVATIONS)
def test_a_training_with_a_penalty_is_the_reference(activation):
    given = {"activation": activation, "l2": 0.01, "init": "glorot_uniform", "learning_rate": 0.1}
    run, twin = (
        task_training("digits", "float64", backend, False, True, **given)
        for backend in ("kernels", "reference")
    )
    assert_same_training(run, twin, TRAINING_TOLERANCE["float64"])


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_members_of_several_activations_are_each_as_alone(backend):
    """They are advanced in groups, each by the kernel compiled for it."""
    given = {"dtype": "float64", "backend": backend, "n1": [3, 5], "max_epochs": 4, "l2": 0.01}
    given |= {"init": "glorot_uniform", "learning_rate": 0.1, "threads": 2}
    names = ["relu", "sigmoid", "tanh"]
    run = trained(*some_digits(0, 60), activation=names, **given)
    for name in names:
        alone = trained(*some_digits(0, 60), activation=name, **given)
        same = np.flatnonzero(run.plan.columns["activation"] == name)
        for member, twin in zip(same, range(2), strict=True):
            assert member_bytes(run, member) == member_bytes(alone, twin)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("set_name", ["train", "val"])
def test_evaluate_is_the_reference(dtype, set_name):
    run, twin = (
        task_training("digits", dtype, backend, True, True) for backend in ("kernels", "reference")
    )
    losses, accuracies = run.evaluate(set_name)
    expected_losses, expected_accuracies = twin.evaluate(set_name)
    np.testing.assert_allclose(losses, expected_losses, rtol=TRAINING_TOLERANCE[dtype])
    np.testing.assert_array_equal(accuracies, expected_accuracies)
    assert 0 < accuracies.max() < 1


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("logits, chosen", [([1, 1, 0], 0), ([0, 2, 2], 1), ([0, 0, 3], 2)])
def test_of_equal_logits_the_first_is_the_answer(rng, backend, logits, chosen):
    X, y = rng.normal(size=(37, 2)), np.arange(37) % 3
    same_for_all = (np.zeros((4, 2)), np.zeros(4), np.zeros((3, 4)), np.array(logits, float))
    training = make_training(
        X, y, loss="cross_entropy", n1=4, backend=backend, initial_weights=[same_for_all]
    )
    training.pack.states["best_loss"] = 0.0  # as if trained: evaluate() gives NaN else
    _, accuracies = training.evaluate("train")
    assert accuracies[0] == (y == chosen).mean()


@pytest.mark.skipif(INTERPRETED, reason="nothing is compiled under NUMBA_DISABLE_JIT=1")
def test_one_signature_of_advance_per_choice_and_dtype():
    """Each more would cost seconds: all array types a Training makes must be the same."""
    before = len(kernels.advance.codes)
    for name, dtype, full_batch, validate in itertools.product(
        TRAININGS, DTYPES, (True, False), (True, False)
    ):
        task_training(name, dtype, "kernels", full_batch, validate, max_epochs=1)
    assert len(kernels.advance.codes) <= before + 2 * len(DTYPES)
