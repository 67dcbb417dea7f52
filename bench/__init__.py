"""The benchmark: fastnet against its peers, losses compared first; see docs/benchmark.md."""

# The workloads, in the order in which they run and are reported.
NAMES = (
    "task1-sweep", "task2-sweep", "minibatch", "tiny", "grid10000", "estimator", "answer", "scale",
)  # fmt: skip
