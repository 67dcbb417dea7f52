"""Write tests/outside_methods.json: activations, losses, optimisers and schedules of PyTorch.

Needs torch (`pip install torch==2.13.0`, a CPU build will do); the tests that read the file do
not. Everything is in float64. Where fastnet differs from PyTorch (docs/methods.md), its definition
is written out here: half the deviance for counts, L2 decay of weights but not of biases, losses as
the sum over outputs.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from fastnet.engine import init

TARGET = Path(__file__).resolve().parents[1] / "tests" / "outside_methods.json"
HUBER_DELTA, QUANTILE = 0.8, 0.3

ACTIVATIONS = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "softplus": lambda z: F.softplus(z, threshold=1e9),  # else linear from 20 on
    "gelu": F.gelu,
    "silu": F.silu,
    "sin": torch.sin,
    "identity": lambda z: z.clone(),
}


def deviance(z, y):
    """Half the deviance: F.poisson_nll_loss minus its minimum, which is at e^z = y."""
    nll = F.poisson_nll_loss(z, y, log_input=True, reduction="none")
    return nll - (y - torch.special.xlogy(y, y))


def pinball(z, y):
    return torch.maximum(QUANTILE * (y - z), (QUANTILE - 1) * (y - z))


LOSSES = {
    "squared": lambda z, y: F.mse_loss(z, y, reduction="none") / 2,
    "absolute": lambda z, y: F.l1_loss(z, y, reduction="none"),
    "huber": lambda z, y: F.huber_loss(z, y, reduction="none", delta=HUBER_DELTA),
    "log_cosh": lambda z, y: torch.log(torch.cosh(z - y)),
    "poisson": deviance,
    "quantile": pinball,
    "cross_entropy": lambda z, y: F.cross_entropy(z, y.argmax(1), reduction="none"),
    "binary_cross_entropy": lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none"),
}


def values(function, *arguments):
    """The function's values and the slope of their sum by the first argument."""
    first = arguments[0].requires_grad_()
    result = function(*arguments)
    (slope,) = torch.autograd.grad(result.sum(), first)
    return result.detach(), slope


def activations():
    z = torch.tensor(np.round(np.linspace(-6.05, 6.15, 50), 3))
    table = {"z": z.tolist()}
    for name, function in ACTIVATIONS.items():
        h, slope = values(function, z.clone())
        table[name] = {"h": h.tolist(), "slope": slope.tolist()}
    return table


def targets(name, rng, n, k):
    if name == "poisson":
        return rng.poisson(2.0, (n, k)).astype(float)
    if name == "binary_cross_entropy":
        return rng.integers(0, 2, (n, 1)).astype(float)
    if name == "cross_entropy":
        return np.eye(k)[rng.integers(0, k, n)]
    return np.round(rng.normal(size=(n, k)), 3)


def losses():
    rng, table = np.random.default_rng(0), {}
    for name, function in LOSSES.items():
        y = torch.tensor(targets(name, rng, 12, 3))
        z = torch.tensor(np.round(2 * rng.normal(size=y.shape), 3))
        each, slope = values(function, z.clone(), y)
        each = each.reshape(len(y), -1).sum(1)
        table[name] = {"z": z.tolist(), "y": y.tolist(), "loss": each.tolist()}
        table[name]["slope"] = slope.tolist()
    return table


# For each: the arguments of fastnet, and PyTorch's optimiser for weights and biases.
OPTIMIZERS = {
    "sgd": ({"learning_rate": 0.1}, lambda w, b: torch.optim.SGD([*w, *b], 0.1)),
    "momentum": (
        {"learning_rate": 0.05, "momentum": 0.8},
        lambda w, b: torch.optim.SGD([*w, *b], 0.05, momentum=0.8),
    ),
    "nesterov": (
        {"learning_rate": 0.05, "momentum": 0.8},
        lambda w, b: torch.optim.SGD([*w, *b], 0.05, momentum=0.8, nesterov=True),
    ),
    "rmsprop": (
        {"learning_rate": 0.01, "rho": 0.95, "epsilon": 1e-6},
        lambda w, b: torch.optim.RMSprop([*w, *b], 0.01, alpha=0.95, eps=1e-6),
    ),
    "adam": (
        {"learning_rate": 0.02, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-7},
        lambda w, b: torch.optim.Adam([*w, *b], 0.02, betas=(0.8, 0.99), eps=1e-7),
    ),
    "adamw": (
        {"learning_rate": 0.02, "weight_decay": 0.3},
        lambda w, b: torch.optim.AdamW(
            [{"params": w, "weight_decay": 0.3}, {"params": b, "weight_decay": 0.0}], 0.02
        ),
    ),
    # PyTorch's Rprop never undoes a step, like fastnet's on a loss that never rises.
    "rprop": ({"learning_rate": 0.01}, lambda w, b: torch.optim.Rprop([*w, *b], 0.01)),
}
STEPS = 50


def steps():
    """A weight matrix and a bias after STEPS steps along given gradients."""
    rng = np.random.default_rng(1)
    gradients = [np.round(rng.normal(0.2, 1, (STEPS, *shape)), 3) for shape in ((2, 3), (2,))]
    start = [np.round(rng.normal(size=g.shape[1:]), 3) for g in gradients]
    table = {"gradients": [g.tolist() for g in gradients], "start": [w.tolist() for w in start]}
    for name, (arguments, make) in OPTIMIZERS.items():
        w, b = (torch.tensor(a, requires_grad=True) for a in start)
        optimizer = make([w], [b])
        for dw, db in zip(*gradients):
            w.grad, b.grad = torch.tensor(dw), torch.tensor(db)
            optimizer.step()
        table[name] = {**arguments, "end": [w.tolist(), b.tolist()]}
    return table


def trainings():
    """Losses of a network on sin(2 pi x) over STEPS full-batch steps; none for rprop."""
    weights = init.initial_weights(0, 7, 1, 1, "nguyen_widrow", "sigmoid")
    weights = [np.round(array, 4) for array in weights]
    x = torch.linspace(-1, 1, 41, dtype=torch.float64)[:, None]
    y = torch.sin(2 * torch.pi * x)
    table = {"samples": len(x), "weights": [array.tolist() for array in weights]}
    for name, (arguments, make) in OPTIMIZERS.items():
        if name == "rprop":
            continue
        W1, b1, W2, b2 = (torch.tensor(array, requires_grad=True) for array in weights)
        optimizer, found = make([W1, W2], [b1, b2]), []
        for _ in range(STEPS + 1):
            z2 = F.linear(torch.sigmoid(F.linear(x, W1, b1)), W2, b2)
            loss = F.mse_loss(z2, y) / 2
            found.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        table[name] = {**arguments, "losses": found}
    return table


def schedules():
    """The learning rate of each of 40 epochs."""
    kinds = {
        "cosine": lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40, eta_min=0.01),
        "step": lambda o: torch.optim.lr_scheduler.StepLR(o, 7, gamma=0.6),
        "exponential": lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.6 ** (1 / 7)),
    }
    table = {"learning_rate": 0.4, "min_learning_rate": 0.01, "lr_factor": 0.6, "decay_epochs": 7}
    for name, make in kinds.items():
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.4)
        scheduler, rates = make(optimizer), []
        for _ in range(40):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        table[name] = rates
    return table


def main():
    torch.set_num_threads(1)
    parts = (activations, losses, steps, trainings, schedules)
    head = {"torch": torch.__version__, "huber_delta": HUBER_DELTA, "quantile": QUANTILE}
    lines = [f'"{name}": {json.dumps(value)}' for name, value in head.items()]
    lines += [f'"{part.__name__}": {json.dumps(part())}' for part in parts]
    TARGET.write_text("{" + ",\n".join(lines) + "}\n")


if __name__ == "__main__":
    main()
