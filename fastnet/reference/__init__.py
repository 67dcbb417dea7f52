"""The engine in plain NumPy, written to be read; each file has a namesake in fastnet.engine.

Letters: n samples, d inputs, N1 hidden units, k outputs; z a unit's input and h = s(z), Z2 and
Y (n, k) outputs of the network and targets, w an array of weights and g its gradient.
docs/derivation.md derives each formula and refers to its line.
"""

from fastnet.reference import (
    activations,
    batches,
    decisions,
    kernels,
    lbfgs,
    levenberg,
    losses,
    methods,
    network,
    optimizers,
    records,
    schedules,
)

__all__ = [
    "activations",
    "batches",
    "decisions",
    "kernels",
    "lbfgs",
    "levenberg",
    "losses",
    "methods",
    "network",
    "optimizers",
    "records",
    "schedules",
]
