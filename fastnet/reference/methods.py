"""The table METHODS: what each optimizer does at an entry and between two entries."""

from typing import NamedTuple

from fastnet.reference import lbfgs, levenberg
from fastnet.reference.activations import ACTIVATIONS
from fastnet.reference.batches import batch_epoch
from fastnet.reference.losses import LOSSES
from fastnet.reference.network import loss_and_gradient, mean_loss
from fastnet.reference.optimizers import OPTIMIZERS, descend


def loss_at_entry(method, net, activation, problem, setting, state):
    """Training loss of the current weights and, with full batches, its gradient.

    With mini-batches and a validation set, it is the mean of the past epoch.
    """
    if method.full_batch:
        train_loss, gradient, norm = loss_and_gradient(
            net, activation, problem.loss, setting["l2"], problem.train
        )
        state["gradient_norm"] = norm
        state["clipped"] = norm > setting["clip_norm"]
        return train_loss, gradient
    if problem.val.count and state["epoch"] > 0:
        return float(state["mean_loss"]), None
    return mean_loss(net, activation, problem.loss, problem.train), None


def step_epoch(method, net, activation, problem, setting, state, memory, train_loss, gradient):
    """An epoch of steps along gradients; a full batch's gradient comes from loss_at_entry()."""
    if method.full_batch:
        norm = state["gradient_norm"]
        descend(method, net, setting, state, memory, train_loss, gradient, norm)
    else:
        loss, train = problem.loss, problem.train
        batch_epoch(activation, method, net, loss, setting, state, memory, train)


class Method(NamedTuple):
    """A row of METHODS. Its functions get the row itself, for its other fields."""

    mean_loss: object  # the mean loss of a set of samples
    loss_at_entry: object  # the training loss, and values for epoch()
    epoch: object  # the work between two entries
    memory: int  # number of arrays that it keeps, each of the weights' shapes
    update: object = None  # one step of one array of weights; None with second-order methods
    full_batch: bool = True


STEPS = {"mean_loss": mean_loss, "loss_at_entry": loss_at_entry, "epoch": step_epoch}
STEPPED = {n: {**STEPS, "update": o.update, "memory": o.memory} for n, o in OPTIMIZERS.items()}
SECOND_ORDER = {**levenberg.METHODS, **lbfgs.METHODS}
METHODS = {name: Method(**row) for name, row in {**STEPPED, **SECOND_ORDER}.items()}
IN_BATCHES = {name: Method(**row, full_batch=False) for name, row in STEPPED.items()}
CHOICES = {
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "optimizer": METHODS,
    "optimizer in batches": IN_BATCHES,
}
