"""The codes in the members' records."""

RUNNING, TARGET, PATIENCE, MAX_EPOCHS, DIVERGED, CONVERGED = range(6)
DENSE_EPOCHS = 1024
