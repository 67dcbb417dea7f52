"""Members of other runs in place of training them again (option reuse).

A member's bytes depend on its settings, its data, the version and the processor alone: one of
another run that agrees in all of these is taken over, weights, history and all.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastnet.errors import DataError, FastnetError, UsageError, quoted
from fastnet.files import checked_path
from fastnet.options.rules import refuse_of_reuse
from fastnet.options.table import COLUMNS as AXES
from fastnet.options.table import SETTINGS, USERS
from fastnet.results import environment
from fastnet.results.collect import load, peek
from fastnet.results.pieces import piece_of_result, piece_of_states
from fastnet.results.reading import PARTS
from fastnet.results.result import Result
from fastnet.training.grouping import codes_of
from fastnet.training.history import is_brief
from fastnet.training.plan import COLUMNS, Plan, pick_members, shown
from fastnet.training.shards import adopt, groups_of
from fastnet.training.states import kept_by
from fastnet.training.training import Training

# Stops that a member decides for itself: the others depend on other members or on the clock.
OWN_STOPS = ("target", "patience", "max_epochs", "diverged", "converged")
# What the members of a run have in common beside their axes; max_epochs is compared by member.
SHARED = (
    *(name for name, option in SETTINGS.items() if not option.axis and name != "max_epochs"),
    *("dtype", "backend", "target_accuracy"),
)
SCHEDULES_OF_LENGTH = ("cosine", "one_cycle")  # they end at max_epochs


class Source(NamedTuple):
    """A run to take members from: its name in messages, and its Result; None before the first
    checkpoint of a run that is not finished."""

    name: str
    result: Result | None


class Found(NamedTuple):
    """What a source gave: the count of members, and why there are no more of them, if so; how many
    of them go on from their states, and from which epoch."""

    source: str
    members: int
    why: str
    going_on: int = 0
    epoch: int = 0

    def words(self, members: int) -> str:
        """A sentence for people; `members` is the count of the run that takes them."""
        if not self.members:
            return f"Reused nothing of {self.source}: {self.why}."
        rest = f"; {self.why}" if self.why else ""
        if self.going_on:
            ended = self.members - self.going_on
            how = (
                f"{ended:,} as they ended, {self.going_on:,} to go on" if ended else "all to go on"
            )
            rest = f": {how} from epoch {self.epoch:,}{rest}"
        return f"Reused {self.members:,} of {members:,} members from {self.source}{rest}."


# ---------------------------------------------------------------- the runs


def sources_of(given: Any) -> list[Source]:
    """The runs that the argument reuse names: run folders or Results, one or several.

    Raises
    ------
    UsageError
        for anything else.
    FastnetError, DataError
        for a folder that is not there, or is broken.
    """
    if given is None:
        return []
    one = isinstance(given, (str, os.PathLike, Result))
    if not one and not isinstance(given, Sequence):
        raise UsageError(f"reuse must be run folders or Results, got {quoted(given)}.")
    return [source_of(run) for run in ([given] if one else given)]


def source_of(run: Any) -> Source:
    """One run to take members from; of an unfinished one those in its last checkpoint."""
    if isinstance(run, Result):
        return Source(run.run or "the given Result", run)
    if run == "" or not isinstance(run, (str, os.PathLike)):
        raise UsageError(f"reuse must be run folders or Results, got {quoted(run)}.")
    path = checked_path(run, "reuse")
    try:
        finished = (path / "summary.json").exists() or not (path / "config.json").exists()
        return Source(str(run), load(path) if finished else peek(path))
    except FastnetError as error:
        raise type(error)(f"reuse: {error}") from None


def checked_sources(
    given: Any, options: Mapping[str, Any], initial_weights: Any = None
) -> list[Source]:
    """The runs of the argument reuse, for a run with these options and initial weights."""
    if given is not None:
        refuse_of_reuse(options, initial_weights)
    return sources_of(given)


def reuse_into(training: Training, sources: list[Source], facts: dict[str, Any]) -> "Reuse | None":
    """Let a new Training adopt what the runs have, and note it among the facts of the run; None
    without runs."""
    if not sources:
        return None
    reuse = Reuse(sources, facts)
    reuse.into(training)
    facts["reused"] = reuse.notices(training.plan.columns.size)
    return reuse


class Reuse:
    """The runs to take members from, and what each gave so far.

    Parameters
    ----------
    sources : list of Source
    facts : dict
        The environment of the run that takes them.
    """

    def __init__(self, sources: list[Source], facts: Mapping[str, Any]) -> None:
        self.sources, self.facts = sources, facts
        self.found: dict[int, Found] = {}

    def into(self, training: Training, begun: int = 0) -> None:
        """Let a Training adopt the members from number `begun` on that the runs have."""
        free = np.arange(training.plan.columns.size) >= begun
        for number, (name, result) in enumerate(self.sources):
            if result is None:
                in_parts = (Path(name) / PARTS).is_dir()
                why = "it is in parts and not finished" if in_parts else "it has no checkpoint yet"
                self.add(number, Found(name, 0, why))
                continue
            new, old, why = matching(training, self.facts, result, free)
            going_on = go_on(training, self.facts, result, old)
            for live, piece_of in ((False, piece_of_result), (True, piece_of_states)):
                mine, theirs = new[going_on == live], old[going_on == live]
                if not mine.size:
                    continue
                plan = pick_members(training.plan, mine)
                try:
                    adopt(training, mine, piece_of(result, theirs, plan, training), live)
                except DataError as error:
                    raise DataError(f"reuse: {name} is broken: {error}.") from None
            free[new] = False
            count, epoch = np.count_nonzero(going_on), result.options["max_epochs"]
            self.add(number, Found(name, new.size, why, count, epoch))
        training.catch_up()

    def add(self, number: int, found: Found) -> None:
        """Count what a source gave, beside what it gave before."""
        before = self.found.get(number, Found(found.source, 0, ""))
        self.found[number] = found._replace(
            members=before.members + found.members, going_on=before.going_on + found.going_on
        )

    def notices(self, members: int) -> list[str]:
        """What each run gave, in words, for a run of so many members."""
        said = [found.words(members) for found in self.found.values()]
        if any(found.going_on for found in self.found.values()):
            anew = members - sum(found.members for found in self.found.values())
            said += [f"{anew:,} of {members:,} members are trained from the first epoch."] * (
                anew > 0
            )
        return said


# ---------------------------------------------------------------- which members


def matching(
    training: Training, facts: Mapping[str, Any], result: Result, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray, str]:
    """The numbers of members of a Training that a Result has, their numbers there, and why there
    are no more; only those that are `free` (M,) are looked for."""
    nobody = np.empty(0, np.int64)
    why = next(differences(training, facts, result), "")
    if why:
        return nobody, nobody, why
    new, old = equal_settings(training.plan, result, free)
    if not new.size:
        taken = not equal_settings(training.plan, result, free | True)[0].size
        why = differing_settings(training.plan, result) if taken else "others gave its members"
        return nobody, nobody, why
    for reason, usable in conditions(training, facts, result):
        good = usable(new, old)
        if not good.all():
            why = reason if not good.any() else f"{np.count_nonzero(~good):,} more: {reason}"
        new, old = new[good], old[good]
    return new, old, why


def differences(training: Training, facts: Mapping[str, Any], result: Result) -> Iterator[str]:
    """What keeps all members of a Result from being those of a Training, in words."""
    options, theirs = training.options, result.options
    if result.environment.get("data_sha256") != facts["data_sha256"]:
        yield "its data differ"
    for difference in environment.differences(result.environment, facts):
        yield f"its {difference}"
    if result.loss != training.plan.loss:
        yield f"its loss is {result.loss}, not {training.plan.loss}"
    for name in SHARED:
        if theirs[name] != options[name]:
            yield f"its {name} is {theirs[name]}, not {options[name]}"
    if options["prune_l2"] not in (None, theirs["prune_l2"]):
        yield f"its prune_l2 is {theirs['prune_l2']}, not {options['prune_l2']}"
    if result.environment.get("initial_weights"):
        yield "it began with initial_weights"
    if not result.packed:
        yield f"it kept no weights (keep {theirs['keep']})"
    if is_brief(theirs) and not is_brief(options):
        yield "it kept the first, best and last entry of each history alone (record best)"
    for name in (name for name in options["record"] if name not in ("none", "best")):
        if name not in theirs["record"]:
            yield f"it did not record {name}"
        elif name == "snapshots" and not result.recorded["snapshots"]:
            yield "its snapshots are only there when it is finished"


def keys(columns: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """The settings of members as they are compared: without those that have no effect."""
    table = np.zeros(columns.size, [*COLUMNS.descr, ("fold", np.int64)])
    for name in COLUMNS.names:
        table[name] = columns[name]
    table["fold"] = folds
    # Its default depends on max_epochs.
    table["decay_epochs"][~np.isin(table["schedule"], USERS["decay_epochs"][1])] = 0
    return table


def equal_settings(plan: Plan, result: Result, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the free members of a plan and of those of a Result that have their settings."""
    ours = np.flatnonzero(free)
    mine = keys(plan.columns[ours], plan.settings["fold"][ours])
    theirs = keys(result.members, result.members["fold"])
    codes = codes_of(np.concatenate([theirs, mine]), mine.dtype.names)
    known, first = np.unique(codes[: theirs.size], return_index=True)
    wanted = codes[theirs.size :]
    places = np.minimum(np.searchsorted(known, wanted), known.size - 1)
    there = known[places] == wanted
    return ours[there], first[places[there]]


def differing_settings(plan: Plan, result: Result) -> str:
    """The first setting of which a plan and a Result have no value in common, in words."""
    for name, option in AXES.items():
        ours, theirs = np.unique(plan.columns[name]), np.unique(result.members[name])
        if not np.isin(ours, theirs).any():
            told = [", ".join(str(shown(name, value)) for value in v[:3]) for v in (theirs, ours)]
            more = ["" if v.size <= 3 else ", ..." for v in (theirs, ours)]
            return f"its {option.name} is {told[0]}{more[0]}, not {told[1]}{more[1]}"
    return "no member has the same settings"


def conditions(
    training: Training, facts: Mapping[str, Any], result: Result
) -> Iterator[tuple[str, Any]]:
    """What members that agree in their settings need besides: the reason for people, and a
    function of their numbers, here and there, that says which have it."""
    members, options, theirs = result.members, training.options, result.options
    longest, before = options["max_epochs"], theirs["max_epochs"]
    stops = members["stop_reason"]
    own = list(OWN_STOPS)
    if options["prune_l2"] is not None:
        own.append("pruned")
    odd = sorted({*np.unique(stops).tolist()} - {*own})
    yield (
        f"they did not end by themselves ({', '.join(odd)})",
        lambda _, old: np.isin(stops[old], own),
    )
    if longest != before:
        whole = np.isin(members["schedule"], SCHEDULES_OF_LENGTH)
        whole |= (stops == "max_epochs") | (members["epochs"] >= longest)
        whole |= options["target_accuracy"] is not None
        whole &= ~can_go_on(training, facts, result)
        why = f"max_epochs was {before:,}, not {longest:,}"
        if result.states and "workers" in facts:
            why += ", and a cluster trains from the first epoch"
        yield why, lambda _, old: ~whole[old]
    elif kept_by(options):
        there = np.isin(members["member"], result.states.get("members", ()))
        without = (members["epochs"] >= longest) & ~there
        yield f"it kept no states (keep {theirs['keep']})", lambda _, old: ~without[old]
    kept = result.packed.get("members", np.arange(members.size))
    yield (
        f"it kept only the best weights (keep {theirs['keep']})",
        lambda _, old: np.isin(old, kept),
    )
    if options["prune_l2"] is not None:
        yield (
            "prune_l2 compares other members",
            lambda new, old: in_whole_groups(training, result, new, old),
        )


def in_whole_groups(
    training: Training, result: Result, new: np.ndarray, old: np.ndarray
) -> np.ndarray:
    """Which members have all their rivals among those that agree, here and there."""
    ours = groups_of(training.plan.columns, training.options)
    theirs = groups_of(result.members[list(COLUMNS.names)], training.options)
    found = np.bincount(ours[new], minlength=ours.max() + 1)
    sizes, others = np.bincount(ours), np.bincount(theirs)
    return (found[ours[new]] == sizes[ours[new]]) & (sizes[ours[new]] == others[theirs[old]])


def can_go_on(training: Training, facts: Mapping[str, Any], result: Result) -> np.ndarray:
    """Which members of a Result can go on to the max_epochs of a Training from their states; none
    on a cluster, whose workers begin with settings alone."""
    members, last = result.members, result.options["max_epochs"]
    if not result.states or "workers" in facts or training.options["max_epochs"] <= last:
        return np.zeros(members.size, bool)
    there = np.isin(members["member"], result.states["members"])
    return there & ~np.isin(members["schedule"], SCHEDULES_OF_LENGTH)


def go_on(
    training: Training, facts: Mapping[str, Any], result: Result, old: np.ndarray
) -> np.ndarray:
    """Which of the matching members of a Result go on: they can, and have not ended before."""
    accurate = training.options["target_accuracy"] is not None
    ended = ~np.isin(result.members["stop_reason"], ["max_epochs", *["target"] * accurate])
    return can_go_on(training, facts, result)[old] & ~ended[old]
