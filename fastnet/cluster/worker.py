"""What a worker runs: a shard of members from its settings to its piece."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.samples import Data
from fastnet.native import cache
from fastnet.results import environment
from fastnet.training import loop
from fastnet.training.history import Snapshots
from fastnet.training.plan import Plan
from fastnet.training.shards import piece_of
from fastnet.training.training import Training

WARMING = threading.Lock()  # the threads of a worker compile one after another


class Work(NamedTuple):
    """What a worker gets for each shard: the plan of its members, the options, the parameters that
    they begin with if the caller gave them, the versions that the worker must have, and the bytes
    that snapshots for playback may take, None if there are none."""

    plan: Plan
    options: Mapping[str, Any]
    parameters: np.ndarray | None
    versions: Mapping[str, str]
    film: int | None = None


def facts_of_process() -> dict[str, Any]:
    """What decides the bytes of a member in this process: versions, processor, variables."""
    found = environment.describe(1, "")
    found["versions"] = {**found["versions"], "kernels": cache.version_hash()}
    return {name: found[name] for name in ("versions", "cpu", "blas", "variables")}


def train_shard(data: Data, work: Work) -> dict[str, np.ndarray]:
    """Train the members of a shard in this thread; what a worker runs."""
    odd = other_version(facts_of_process()["versions"], work.versions)
    if odd:
        raise RuntimeError(odd)
    training = Training(work.plan, data, {**work.options, "threads": 1})
    if work.parameters is not None:
        for start in (training.pack.parameters, training.pack.best):
            start[: work.parameters.size] = work.parameters
    if work.film is not None:
        training.snapshots = Snapshots(work.film)
    with WARMING:
        training.warm_up()
    loop.train(training)
    return piece_of(training)


def itself(data: Data) -> Data:
    """The data as the result of a task: unlike scattered data they outlive every worker."""
    return data


def other_version(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str | None:
    """The first version that a worker has differently, in words."""
    for name in sorted({*theirs, *ours}):
        if theirs.get(name) != ours.get(name):
            here, there = (v.get(name, "none") for v in (ours, theirs))
            return f"it has {name} {there}, this process {here}"
    return None
