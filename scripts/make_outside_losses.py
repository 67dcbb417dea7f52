"""Write tests/outside_losses.json: losses of ten epochs computed by PyTorch's autograd.

Needs torch (`pip install torch==2.13.0`, a CPU build will do); the test that reads the file does
not. Networks, losses and gradients are torch.nn.functional's, in float64. Where fastnet differs
from torch.optim, its definition is written out here: a gradient longer than clip_norm is scaled by
clip_norm / norm (clip_grad_norm_ adds 1e-6 to the norm). Initial weights, drawn by fastnet and
rounded to 4 decimals, are stored with the losses; the order of mini-batches is fastnet's.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from fastnet import reference
from fastnet.data import tasks
from fastnet.engine import init

TARGET = Path(__file__).resolve().parents[1] / "tests" / "outside_losses.json"
EPOCHS = 10
TASK_1 = {"task": 1, "samples": 101, "n1": 7, "init": "nguyen_widrow", "learning_rate": 0.3}
TASK_2 = {"task": 2, "samples": 150, "n1": 8, "init": "glorot_uniform", "learning_rate": 2.0}
# batch_size None is full batch; 16 and 32 leave a last batch of 5 and of 22 rows.
CASES = {
    "task 1, full batch": {**TASK_1, "seed": 0, "clip_norm": 0.2, "batch_size": None},
    "task 1, mini-batches": {**TASK_1, "seed": 1, "clip_norm": 0.3, "batch_size": 16},
    "task 2, full batch": {**TASK_2, "seed": 2, "clip_norm": 0.3, "batch_size": None},
    "task 2, mini-batches": {**TASK_2, "seed": 3, "clip_norm": 0.5, "batch_size": 32},
}


def samples_of(case):
    """Inputs and targets as tensors; classes are numbers from 0 to 9."""
    if case["task"] == 1:
        x = np.linspace(-1, 1, case["samples"])[:, None]
        return torch.tensor(x), torch.tensor(np.sin(2 * np.pi * x))
    pixels, labels = tasks.digits()
    return tuple(torch.tensor(array[: case["samples"]]) for array in (pixels, labels))


def initial(case):
    """W1, b1, W2, b2 at epoch 0, as lists."""
    d, k = (1, 1) if case["task"] == 1 else (64, 10)
    weights = init.initial_weights(case["seed"], case["n1"], d, k, case["init"], "sigmoid")
    return [np.round(array, 4).tolist() for array in weights]


def loss_of(net, X, y):
    """Mean over the samples: half the sum of squares, or cross-entropy."""
    W1, b1, W2, b2 = net
    z2 = F.linear(torch.sigmoid(F.linear(X, W1, b1)), W2, b2)
    if y.dtype == torch.int64:
        return F.cross_entropy(z2, y)
    return F.mse_loss(z2, y, reduction="sum") / (2 * len(X))


def step(net, X, y, learning_rate, clip_norm):
    """One step of gradient descent; whether its gradient was clipped."""
    gradient = torch.autograd.grad(loss_of(net, X, y), net)
    norm = torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradient]))
    scale = clip_norm / norm if norm > clip_norm else 1.0
    with torch.no_grad():
        for w, g in zip(net, gradient):
            w -= learning_rate * scale * g
    return bool(norm > clip_norm)


def batches(case, epoch, n):
    """The rows of each step of an epoch."""
    if case["batch_size"] is None:
        return [slice(None)]
    order = reference.batches.shuffle(case["seed"], epoch, n)
    return [order[i : i + case["batch_size"]] for i in range(0, n, case["batch_size"])]


def train(case, weights):
    """The losses at entries 0 to EPOCHS, and how many steps were clipped, of how many."""
    X, y = samples_of(case)
    net = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in weights]
    clipped = []
    losses = [loss_of(net, X, y).item()]
    for epoch in range(1, EPOCHS + 1):
        for rows in batches(case, epoch, len(X)):
            clipped.append(step(net, X[rows], y[rows], case["learning_rate"], case["clip_norm"]))
        losses.append(loss_of(net, X, y).item())
    return losses, sum(clipped), len(clipped)


def main():
    torch.set_num_threads(1)
    lines = []
    for name, case in CASES.items():
        weights = initial(case)
        losses, clipped, steps = train(case, weights)
        print(f"{name}: {losses[0]:.6f} to {losses[-1]:.6f}, {clipped} of {steps} steps clipped")
        results = {"clipped_steps": clipped, "steps": steps, "losses": losses}
        lines.append(f'"{name}": {json.dumps({**case, **results, "initial_weights": weights})}')
    head = f'"torch": "{torch.__version__}", "numpy": "{np.__version__}"'
    TARGET.write_text("{" + head + ', "cases": {\n' + ",\n".join(lines) + "\n}}\n")


if __name__ == "__main__":
    main()
