"""Whole trainings that the tests of the engine share."""

import numpy as np
from nets import INTERPRETED, assert_close

from fastnet.data import tasks
from fastnet.data.samples import make_data
from fastnet.engine import layout, records
from fastnet.options.defaults import resolve
from fastnet.training import loop
from fastnet.training import training as trainer
from fastnet.training.plan import make_plan

# Whole trainings: each step passes on the rounding of those before, and a float32 reference has
# roundings of its own; 7e-7 and 4e-15 measured. Unstable learning rates would amplify them.
TRAINING_TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def make_training(X, y, validation=None, initial_weights=None, **given):
    """A Training of all the given members, not yet begun."""
    given = {"threads": 1, "record": ("gradient_norm", "clipped"), **given}
    chosen = resolve(given, "sweep")
    samples = make_data(X, y, chosen["loss"], validation)
    return trainer.Training(make_plan(chosen, samples), samples, chosen, initial_weights)


def trained(X, y, **given):
    training = make_training(X, y, **given)
    assert loop.train(training) == "done"
    return training


def sine(n):
    return tasks.function_data("sine", samples=n)


def some_digits(first, last):
    X, labels = tasks.digits()
    return X[first:last], labels[first:last]


# Each has members that are clipped, rates that fall, and a last batch that is not full.
SINE = {
    "samples": sine(75),
    "validation": sine(41),
    "loss": "squared",
    "learning_rate": 0.3,
    "clip_norm": [0.3, None],
    "min_delta": 0.02,
    "batch_size": 16,
}
DIGITS = {
    "samples": some_digits(0, 120),
    "validation": some_digits(120, 160),
    "loss": "cross_entropy",
    "learning_rate": 1.0,
    "clip_norm": [0.15, None],
    "min_delta": 0.04,
    "batch_size": 32,
}
TRAININGS = {"sine": SINE, "digits": DIGITS}


def task_training(name, dtype, backend, full_batch, validate, **given):
    """The training `name`, run by a backend."""
    task = dict(TRAININGS[name])
    X, y = task.pop("samples")
    validation = task.pop("validation")
    task["batch_size"] = None if full_batch else task["batch_size"]
    schedule = {"lr_patience": 2, "min_learning_rate": 0.01}
    size = {"n1": [1, 5], "max_epochs": 10} if INTERPRETED else {"n1": [1, 5, 17], "max_epochs": 30}
    return trained(
        X,
        y,
        validation=validation if validate else None,
        dtype=dtype,
        backend=backend,
        **{**task, **schedule, **size, **given},
    )


def assert_same_states(actual, expected, tolerance):
    for name in records.STATE.names:
        if records.STATE[name].kind == "i":
            np.testing.assert_array_equal(actual[name], expected[name], name)
        else:
            np.testing.assert_allclose(actual[name], expected[name], rtol=tolerance, err_msg=name)


def assert_same_training(run, twin, tolerance):
    """Histories, states, last and best weights are equal to the tolerance."""
    history = run.history.flat(run.pack.states)
    expected = twin.history.flat(twin.pack.states)
    assert history.keys() == expected.keys()
    for name in history:
        np.testing.assert_allclose(
            history[name], expected[name], rtol=tolerance, err_msg=name, equal_nan=True
        )
    assert_same_states(run.pack.states, twin.pack.states, tolerance)
    assert_close(run.pack.parameters, twin.pack.parameters, tolerance)
    assert_close(run.pack.best, twin.pack.best, tolerance)


def member_bytes(training, member):
    """All that is kept of a member."""
    history = training.history.flat(training.pack.states)
    first, last = history["offsets"][member : member + 2]
    row = training.plan.settings[member]
    length = layout.parameter_length(int(row["n1"]), training.plan.d, training.plan.k)
    run = slice(row["offset"], row["offset"] + length)
    arrays = [history[name][first:last] for name in sorted(set(history) - {"offsets"})]
    arrays += [training.pack.parameters[run], training.pack.best[run]]
    return [array.tobytes() for array in arrays] + [training.pack.states[member].tobytes()]
