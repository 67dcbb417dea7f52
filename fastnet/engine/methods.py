"""The table METHODS: what each optimizer does at an entry and between two entries."""

from fastnet.engine import lbfgs, levenberg, network, units
from fastnet.engine.activations import ACTIVATIONS
from fastnet.engine.batches import batch_epoch
from fastnet.engine.losses import LOSSES
from fastnet.engine.network import loss_and_gradient
from fastnet.engine.optimizers import OPTIMIZERS, descend
from fastnet.native.choice import table
from fastnet.native.entry import inner


@inner
def mean_loss(net, loss, rows, scratch):
    """Mean loss over the rows, in the layout of the member's mini-batches."""
    if net.inputs.units:
        return units.mean_loss(net, loss, rows, scratch)
    return network.mean_loss(net, loss, rows, scratch)


@inner
def loss_at_entry(method, net, problem, setting, state, ready, scratch):
    """Training loss of the current weights and, with full batches, its gradient.

    With mini-batches and a validation set, it is the mean of the past epoch.
    """
    if method.full_batch:
        l2 = float(setting["l2"])
        train_loss, norm = loss_and_gradient(net, problem.loss, l2, problem.train, scratch)
        state["gradient_norm"] = norm
        state["clipped"] = 1.0 if norm > setting["clip_norm"] else 0.0
    elif problem.val.count and state["epoch"] > 0:
        train_loss = float(state["mean_loss"])
    else:
        train_loss = mean_loss(net, problem.loss, problem.train, scratch)
    return train_loss


@inner
def step_epoch(method, net, problem, setting, state, memory, train_loss, scratch):
    """An epoch of steps along gradients; a full batch's gradient comes from loss_at_entry()."""
    if method.full_batch:
        norm = float(state["gradient_norm"])
        descend(method, net, setting, state, memory, train_loss, norm, scratch)
    else:
        batch_epoch(method, net, problem.loss, setting, state, memory, problem.train, scratch)


# A member's method: mean_loss of a set of samples, loss_at_entry and, between two entries, epoch.
# They get the row itself as `method`: one function then serves many rows, and what differs between
# them (update, full_batch) is read from the row when the kernel is compiled.
STEPS = {"mean_loss": mean_loss, "loss_at_entry": loss_at_entry, "epoch": step_epoch}
STEPPED = {n: {**STEPS, "update": o.update, "memory": o.memory} for n, o in OPTIMIZERS.items()}
METHODS = table(
    "method",
    **{name: {**row, "full_batch": True} for name, row in STEPPED.items()},
    **levenberg.METHODS,
    **lbfgs.METHODS,
)
IN_BATCHES = table(
    "method in batches", **{name: {**row, "full_batch": False} for name, row in STEPPED.items()}
)
CHOICES = {
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "optimizer": METHODS,
    "optimizer in batches": IN_BATCHES,
}
