"""The codes in the members' records."""

from fastnet.options.methods import STOPS, code

RUNNING = code(STOPS, "running")
TARGET = code(STOPS, "target")
PATIENCE = code(STOPS, "patience")
MAX_EPOCHS = code(STOPS, "max_epochs")
DIVERGED = code(STOPS, "diverged")
CONVERGED = code(STOPS, "converged")
DENSE_EPOCHS = 1024
