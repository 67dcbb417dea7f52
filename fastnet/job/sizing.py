"""The size of a run before it starts: members, memory, disk, seconds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fastnet.data import tasks
from fastnet.data.samples import Data
from fastnet.data.sources import checked_task
from fastnet.engine.records import STATE
from fastnet.errors import UsageError
from fastnet.job.preparing import prepare
from fastnet.options.rules import refuse_cut, refuse_of_task_1, refuse_two_targets
from fastnet.results.environment import describe as describe_environment
from fastnet.results.result import MEMBERS
from fastnet.results.reuse import checked_sources, reuse_into
from fastnet.results.words import size
from fastnet.training.cores import granted
from fastnet.training.halving import epochs_left, halving_of
from fastnet.training.history import is_brief, kept_epochs
from fastnet.training.memory import granted_memory
from fastnet.training.plan import COLUMNS, Plan, pick_members, plan_of_blocks
from fastnet.training.search import first_blocks, is_searched
from fastnet.training.shards import groups_of, shard_words
from fastnet.training.states import kept_by
from fastnet.training.training import Training, unit_cost

SHARE = 0.5  # of the memory that is granted, if nobody says how much may be used
# Bytes that every member of a run takes: its settings and its record.
FIXED = COLUMNS.itemsize + 256 + MEMBERS.itemsize + 64
# Bytes that a member in training takes beside its weights and its history: its settings, its state,
# its record, and the texts of its line in members.csv. 3,400 were measured with 2,000,000 members.
MEMBER = 6000
PROCESS = 250_000_000  # of the program, its libraries and its kernels


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


def history_bytes(plan: Plan, options: Mapping[str, Any]) -> int:
    """The bytes of the histories of all members, if each trains all epochs."""
    return 8 * (3 + len(options["record"])) * history_entries(plan, options)


def history_entries(plan: Plan, options: Mapping[str, Any]) -> int:
    """The entries of the histories of all members, if each trains all epochs."""
    brief = is_brief(options)
    kept = len(kept_epochs(options["max_epochs"] + 1, brief=brief))
    return len(plan.columns) * (kept + 2 * brief)  # the best and the last entry, too


def memory_bytes(plan: Plan, data: Data, options: Mapping[str, Any]) -> int:
    """The bytes of memory that a run takes at most."""
    packed = (2 * plan.length + plan.memory) * np.dtype(options["dtype"]).itemsize
    packed *= 1 + kept_by(options)
    samples = data.X.nbytes + data.Y.nbytes
    return packed + len(plan.columns) * MEMBER + 2 * history_bytes(plan, options) + 4 * samples


def extent(task: int | None, options: Mapping[str, Any], data: Data, plan: Plan) -> dict[str, Any]:
    """The size of a run, as a dict for JSON."""
    item, count, n1 = np.dtype(options["dtype"]).itemsize, len(plan.columns), plan.columns["n1"]
    entries, history = history_entries(plan, options), history_bytes(plan, options)
    held = {"all": plan.length, "best": plan.length // max(count, 1), "none": 0}
    held["state"] = 3 * plan.length + plan.memory + count * STATE.itemsize // item
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
        "memory_bytes": memory_bytes(plan, data, options),
        "disk_bytes": held[options["keep"]] * item + history + entries * 8 + count * 200,
        "threads": options["threads"] or granted().count,
    }


def parts_needed(
    options: Mapping[str, Any], plan: Plan, data: Data, writes: bool, initial_weights: Any = None
) -> int:
    """How many parts a run is trained in; 1 if it fits into the memory that it may use.

    Parameters
    ----------
    options : dict
        Every option as resolved.
    plan : Plan
    data : Data
    writes : bool
        Whether it has a run folder.
    initial_weights : list, optional
        As given.

    Raises
    ------
    UsageError
        where the option memory asks for what cannot be.
    """
    asked = options["memory"]
    limit = asked or int(granted_memory() * SHARE)
    count = plan.columns.size
    total = memory_bytes(plan, data, options)
    if PROCESS + total <= limit:
        return 1
    try:
        refuse_cut(options, "memory")
        refuse_whole(options, writes, initial_weights)
        room = limit - PROCESS - count * FIXED
        if room <= total / count:
            raise UsageError(
                f"memory {size(limit)} is too little for {count:,} members, which take "
                f"{size(PROCESS + count * FIXED)} without their weights; give more, or use "
                "--shard for separate runs."
            )
    except UsageError:
        if asked is None:  # the estimate is the most that a run can take; it may well take less
            return 1
        raise
    groups = int(groups_of(plan.columns, options).max()) + 1
    return min(math.ceil(total / room), groups)


def refuse_whole(options: Mapping[str, Any], writes: bool, initial_weights: Any) -> None:
    """Refuse parts where the whole run has to be in memory."""
    if not writes:
        raise UsageError(
            "memory is less than the run takes, and its parts are kept in a run folder; give out."
        )
    if options["cluster"] is not None:
        raise UsageError(
            "memory is less than the run takes, and one process holds all members that a cluster "
            "hands over; drop memory, or cluster."
        )
    if initial_weights is not None:
        raise UsageError(
            "memory is less than the run takes, and with initial_weights it is not trained in "
            "parts; drop one of them."
        )
    if kept_by(options):
        raise UsageError(
            "memory is less than the run takes, and keep state holds the states of all members at "
            "once; drop one of them, or train separate runs with --shard."
        )
    if "snapshots" in options["record"]:
        raise UsageError(
            "memory does not go with record snapshots, which holds the weights of all members at "
            "many epochs; drop one of them."
        )


def parts_words(count: int, facts: Mapping[str, Any]) -> str:
    """That a run is trained in parts, and what it takes on the disk meanwhile."""
    return (
        "With the records of its members it is larger than the memory that it may use (--memory): "
        f"it is trained in {count} parts, one after the other. Until they are put together they "
        f"are on the disk, too, which takes at most {size(3 * facts['disk_bytes'])} in all, with "
        "the histories of all members."
    )


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
    if options["cluster"] is not None:
        facts["notices"].append(
            "The estimate of seconds is for this machine alone; on the cluster, its workers share "
            "the training."
        )
    count = parts_needed(options, plan, data, True)
    if count > 1:
        facts["notices"].append(parts_words(count, facts))
    if sources:
        training = Training(plan, data, options)
        found = reuse_into(training, sources, describe_environment(training.threads, data.digest()))
        begun = training.pack.states["epoch"][training.live]
        plan = pick_members(plan, training.live)
        facts["notices"] += found.notices(training.plan.columns.size) if found else []
    seconds = estimated_seconds(plan, data, options) if plan.columns.size else 0.0
    if sources and plan.columns.size:
        seconds *= 1 - np.average(begun, weights=unit_cost(plan)) / (options["max_epochs"] + 1)
    return {**facts, "seconds": seconds}
