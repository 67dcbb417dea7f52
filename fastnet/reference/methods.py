"""METHODS: what each optimizer does at an entry and between two entries."""

from typing import NamedTuple

from fastnet.reference.activations import ACTIVATIONS
from fastnet.reference.batches import batch_epoch
from fastnet.reference.lbfgs import PAIRS, lbfgs_epoch
from fastnet.reference.levenberg import br_loss_at_entry, lm_epoch, lm_loss_at_entry, lm_mean_loss
from fastnet.reference.losses import LOSSES
from fastnet.reference.network import loss_and_gradient, mean_loss
from fastnet.reference.optimizers import OPTIMIZERS, descend


def loss_at_entry(net, activation, problem, setting, state):
    """Training loss of the weights as they are; full batch: and its gradient.

    With mini-batches and a validation set, it is the mean of the epoch past.
    """
    if setting["batch_size"] == 0:
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
    """An epoch of steps along gradients; that of a full batch is there from loss_at_entry()."""
    if setting["batch_size"] == 0:
        norm = state["gradient_norm"]
        descend(method, net, setting, state, memory, train_loss, gradient, norm)
    else:
        loss, train = problem.loss, problem.train
        batch_epoch(activation, method, net, loss, setting, state, memory, train)


class Method(NamedTuple):
    """A row of METHODS."""

    update: object  # one step of one array of weights; None with methods of second order
    memory: int  # arrays of its own, each of the weights' shapes
    mean_loss: object = mean_loss
    loss_at_entry: object = loss_at_entry
    epoch: object = step_epoch


METHODS = {
    **{name: Method(*row) for name, row in OPTIMIZERS.items()},
    "lm": Method(None, 0, lm_mean_loss, lm_loss_at_entry, lm_epoch),
    "br": Method(None, 0, lm_mean_loss, br_loss_at_entry, lm_epoch),
    "lbfgs": Method(None, 2 * PAIRS, epoch=lbfgs_epoch),
}
CHOICES = {
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "optimizer": METHODS,
    "optimizer in batches": {name: METHODS[name] for name in OPTIMIZERS},
}
