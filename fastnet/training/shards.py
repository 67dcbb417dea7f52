"""Members as values: cut a plan into parts, train them anywhere, and put the pieces together.

A member's bytes depend on its settings, its data, the version and the processor alone, so it does
not matter who trains it. Members that decide about each other stay in one part.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet.engine.records import RUNNING
from fastnet.errors import DataError, UsageError
from fastnet.options.rules import refuse_cut
from fastnet.training.checkpoint import misfit
from fastnet.training.history import Snapshots
from fastnet.training.plan import Plan, pick_members
from fastnet.training.states import memory_places, places_of, states_in
from fastnet.training.strengths import rivals
from fastnet.training.training import Training, unit_cost

# What a checkpoint has beside a piece: only members that go on need it.
OF_LIVE_MEMBERS = ("parameters", "memory")


def groups_of(columns: np.ndarray, options: Mapping[str, Any]) -> np.ndarray:
    """A number for each member from 0 on, equal for those that decide about each other; ordered as
    their first members are."""
    if options["prune_l2"] is None:
        return np.arange(columns.size)
    _, first, codes = np.unique(rivals(columns), return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[codes]


def cost_of(plan: Plan) -> np.ndarray:
    """About the cost of all epochs of each member: by the plan alone, whoever computes it."""
    return unit_cost(plan) * (plan.settings["max_epochs"] + 1)


def parts(plan: Plan, options: Mapping[str, Any], count: int) -> list[np.ndarray]:
    """The member numbers of `count` parts of about equal cost, each rising.

    The costliest members are dealt first, there and back, so that every part has a like mix of
    widths and settings: where wide members stop early, they do so in all parts.

    Parameters
    ----------
    plan : Plan
    options : dict
        Every option as resolved; with prune_l2 the members of a setting stay together.
    count : int
        Parts; some are empty if there are fewer members, or groups of them.

    Examples
    --------
    >>> from fastnet.job import prepare
    >>> X = np.linspace(-1, 1, 20)[:, None]
    >>> options, _, plan = prepare("sweep", X, X, None, {"n1": [1, 2, 4, 8]})
    >>> [part.tolist() for part in parts(plan, options, 2)]
    [[0, 3], [1, 2]]
    """
    groups = groups_of(plan.columns, options)
    if options["prune_l2"] is None:  # the folds of a member stay together, for its mean over them
        groups = groups // (plan.settings["fold"].max() + 1)
    order = np.argsort(-np.bincount(groups, cost_of(plan)), kind="stable")
    deal, place = np.divmod(np.arange(order.size), count)
    dealt = np.empty(order.size, np.int64)
    dealt[order] = np.where(deal % 2, count - 1 - place, place)
    owner = dealt[groups]
    return [np.flatnonzero(owner == part) for part in range(count)]


def shard_of(plan: Plan, options: Mapping[str, Any]) -> Plan:
    """The members of the shard that the option names; without it, the plan itself.

    Raises
    ------
    UsageError
        for a run that cannot be cut, and for a shard without a member.
    """
    if options["shard"] is None:
        return plan
    refuse_cut(options, "shard")
    part, count = map(int, options["shard"].split("/"))
    members = parts(plan, options, count)[part - 1]
    if not members.size:
        raise UsageError(
            f"shard {options['shard']} has no members: the run has {plan.columns.size:,}, and some "
            "of them have to stay together (folds, prune_l2); use fewer shards."
        )
    return pick_members(plan, members)


def shard_words(options: Mapping[str, Any]) -> list[str]:
    """What is to be known about the run of a shard; nothing without the option."""
    if options["shard"] is None:
        return []
    return [
        f"This is shard {options['shard']}: its results are about its own members only. When all "
        "shards are there, run the same sweep with --reuse for each, and without --shard."
    ]


def piece_of(training: Training) -> dict[str, np.ndarray]:
    """What a finished Training of some members hands over: its checkpoint without what only live
    members need."""
    saved = training.checkpoint()
    return {name: array for name, array in saved.items() if name not in OF_LIVE_MEMBERS}


def adopt(
    training: Training,
    members: np.ndarray,
    piece: Mapping[str, np.ndarray],
    to_go_on: bool = False,
) -> None:
    """Make members of a Training those of a piece, with the same bytes as if trained here.

    Parameters
    ----------
    training : Training
        It has not trained these members.
    members : ndarray of int
        Their numbers in `training`, in the order of the piece.
    piece : dict of str to ndarray
        The piece_of() a Training of pick_members(training.plan, members); it is checked.
    to_go_on : bool
        Whether the members are still training; then the piece has what they need for that, too.

    Raises
    ------
    DataError
        for a piece that is not of these members, or has members that are still training.
    """
    plan = pick_members(training.plan, members)
    refuse_misfit(training, plan, piece, to_go_on)
    pack, places = training.pack, places_of(training.plan, members)
    pack.states[members] = piece["states"]
    pack.best[places] = piece["best"][: places.size]
    if to_go_on:
        pack.parameters[places] = piece["parameters"][: places.size]
        pack.memory[memory_places(training.plan, members)] = piece["memory"]
    training.seconds[members] = piece["seconds"]
    training.history.adopt(members, piece)
    if training.snapshots is not None and "snapshot_W1" in piece:
        arrays = {name: piece[f"snapshot_{name}"] for name in Snapshots.ARRAYS}
        arrays["member"] = members[arrays["member"]]
        training.snapshots.adopt(arrays)
    kept = states_in(piece)
    if kept:
        training.kept.append({**kept, "members": members[kept["members"]]})


def refuse_misfit(
    training: Training, plan: Plan, piece: Mapping[str, np.ndarray], to_go_on: bool
) -> None:
    """Raise a DataError for a piece that is not of the members of a plan."""
    wrong = misfit(piece, training.run_of(plan, whole=to_go_on))
    if wrong:
        raise DataError(wrong)
    live = np.flatnonzero(piece["states"]["stop"] == RUNNING)
    if live.size and not to_go_on:
        raise DataError(f"its member {live[0]} is still training")
