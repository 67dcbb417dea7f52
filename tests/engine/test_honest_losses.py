"""A reported loss is that of the weights, by a forward pass written out here."""

import numpy as np
import pytest
from nets import DTYPES
from trainings import TRAININGS, task_training

from fastnet.engine import layout

# What docs/reproducibility.md and the README promise of a reported loss: relative, absolute.
HONEST = {"float32": (1e-6, 1e-7), "float64": (1e-12, 0.0)}


def fresh_loss(training, member, X, y):
    """The loss of the member's best weights by a forward pass written out here, in float64."""
    row = training.plan.settings[member]
    n1, d, k = int(row["n1"]), training.plan.d, training.plan.k
    W1, b1, W2, b2 = (
        array.astype(np.float64)
        for array in layout.views(training.pack.best, row["offset"], n1, d, k)
    )
    x = X.astype(training.dtype).astype(np.float64)
    z = 1 / (1 + np.exp(-(x @ W1.T + b1))) @ W2.T + b2
    if training.plan.loss == "squared":
        return ((z - y.astype(training.dtype)) ** 2).sum(axis=1).mean() / 2
    m = z.max(axis=1, keepdims=True)
    log_sum = m[:, 0] + np.log(np.exp(z - m).sum(axis=1))
    return (log_sum - z[np.arange(len(z)), y]).mean()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("full_batch", [True, False], ids=["full batch", "mini-batches"])
@pytest.mark.parametrize("validate", [True, False], ids=["validated", "not validated"])
@pytest.mark.parametrize("name", TRAININGS)
def test_reported_losses_are_those_of_the_weights(name, dtype, full_batch, validate):
    run = task_training(name, dtype, "kernels", full_batch, validate)
    relative, absolute = HONEST[dtype]
    evaluated, _ = run.evaluate("train")
    monitored = TRAININGS[name]["validation" if validate else "samples"]
    for member, best_loss in enumerate(run.pack.states["best_loss"]):
        overwrite = fresh_loss(run, member, *monitored)
        assert best_loss == pytest.approx(overwrite, rel=relative, abs=absolute)
        overwrite = fresh_loss(run, member, *TRAININGS[name]["samples"])
        assert evaluated[member] == pytest.approx(overwrite, rel=relative, abs=absolute)
    watched, _ = run.evaluate("val" if validate else "train")
    np.testing.assert_array_equal(watched, run.pack.states["best_loss"])
