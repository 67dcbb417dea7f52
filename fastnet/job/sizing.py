"""The size of a run before it starts: members, memory, disk, seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data import tasks
from fastnet.data.samples import Data
from fastnet.data.sources import checked_task
from fastnet.job.preparing import prepare
from fastnet.options.rules import refuse_of_task_1, refuse_two_targets
from fastnet.results.environment import describe as describe_environment
from fastnet.results.reuse import checked_sources, reuse_into
from fastnet.training.cores import granted
from fastnet.training.halving import epochs_left, halving_of
from fastnet.training.history import kept_epochs
from fastnet.training.plan import Plan, pick_members, plan_of_blocks
from fastnet.training.search import first_blocks, is_searched
from fastnet.training.shards import shard_words
from fastnet.training.training import Training, unit_cost


def first_members(plan: Plan, data: Data, options: Mapping[str, Any]) -> Plan:
    """The first block of each width that a run tries if none is sufficient; else `plan` itself."""
    if not is_searched(options):
        return plan
    return plan_of_blocks(options, plan, data.train_counts(), first_blocks(options))


def describe(task: int | None, options: Mapping[str, Any], data: Data) -> str:
    """The task of a run, in a few words."""
    if task == 1:
        return f"Task 1: {tasks.FUNCTIONS[options['function']].formula}, loss squared"
    if task == 2:
        return "Task 2: handwritten digits, loss cross_entropy"
    if options["data"] is not None:
        return f"{Path(options['data']).name}: {', '.join(data.targets)}, loss {data.loss}"
    return f"Loss {data.loss}"


def extent(task: int | None, options: Mapping[str, Any], data: Data, plan: Plan) -> dict[str, Any]:
    """The size of a run, as a dict for JSON."""
    size, count, n1 = np.dtype(options["dtype"]).itemsize, len(plan.columns), plan.columns["n1"]
    entries = count * len(kept_epochs(options["max_epochs"] + 1))
    history = entries * 8 * (3 + len(options["record"]))
    samples = data.X.nbytes + data.Y.nbytes
    held = {"all": plan.length, "best": plan.length // max(count, 1), "none": 0}
    most = {"max_members": options["max_members"]} if is_searched(options) else {}
    halving = halving_of(plan, options)
    return {
        "description": describe(task, options, data),
        "notices": [
            *data.notices,
            *shard_words(options),
            *([halving.words()] if halving else []),
        ],
        "samples": len(data.split["train"]),
        "inputs": plan.d,
        "outputs": plan.k,
        "members": count,
        **most,
        "n1": sorted(set(n1.tolist())),
        "parameters": int((n1 * (plan.d + 1 + plan.k) + plan.k).sum()),
        "memory_bytes": (2 * plan.length + plan.memory) * size
        + count * 1000
        + 2 * history
        + 4 * samples,
        "disk_bytes": held[options["keep"]] * size + history + entries * 8 + count * 200,
        "threads": options["threads"] or granted().count,
    }


def estimated_seconds(
    plan: Plan, data: Data, options: Mapping[str, Any], most: int = 64, moment: float = 0.3
) -> float:
    """Seconds for all epochs of all members, estimated by training `most` of them for a moment.

    With halving the settings that go on count as being of average cost.
    """
    count = len(plan.columns)
    some = np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))
    sample = Training(pick_members(plan, some), data, {**options, "stop": "all", "halving": None})
    sample.warm_up()
    while sample.live.size and sample.elapsed < moment:
        sample.round()
    cost = unit_cost(plan)
    spent = ((sample.pack.states["last_epoch"] + 1) * cost[some]).sum()
    epochs = epochs_left(halving_of(plan, options), 0, options["max_epochs"]) + 1
    return float(sample.elapsed * cost.sum() / spent * epochs)


def dry_run(
    command: str, X: Any, y: Any, *, task: int | None = None, reuse: Any = None, **given: Any
) -> dict[str, Any]:
    """The size of a run and the seconds that it would take."""
    task = checked_task(task)
    refuse_of_task_1(given, task)
    refuse_two_targets(given)
    options, data, plan = prepare(command, X, y, task, given)
    plan = first_members(plan, data, options)
    sources = checked_sources(reuse, options)
    facts = extent(task, options, data, plan)
    if sources:
        training = Training(plan, data, options)
        found = reuse_into(training, sources, describe_environment(training.threads, data.digest()))
        plan = pick_members(plan, training.live)
        facts["notices"] += found.notices(training.plan.columns.size) if found else []
    seconds = estimated_seconds(plan, data, options) if plan.columns.size else 0.0
    return {**facts, "seconds": seconds}
