"""The states of members that max_epochs ends (option keep state): a longer run goes on from them.

A state is that before the member's last entry: a longer run decides that entry otherwise.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fastnet.engine.layout import parameter_length
from fastnet.engine.records import RUNNING, STATE, Pack
from fastnet.native.vector import LANES
from fastnet.training.history import ranges
from fastnet.training.plan import Plan, pick_members

States = Mapping[str, np.ndarray]

# The arrays of state.npz: kind of dtype, and the shape in letters. K members, P the sum of their
# parameters, Q that of what their optimizers keep; K1 = K + 1, the starts of each member's numbers.
ARRAYS = {
    "members": ("i", "K"),
    "states": ("V", "K"),
    "parameters": ("f", "P"),
    "best": ("f", "P"),
    "offsets": ("i", "K1"),
    "memory": ("f", "Q"),
    "memory_offsets": ("i", "K1"),
}


def kept_by(options: Mapping[str, Any]) -> bool:
    """Whether a run keeps the states of members."""
    return bool(options["keep"] == "state")


def places_of(plan: Plan, members: np.ndarray) -> np.ndarray:
    """The places of the members' numbers in the packed parameters, one member after another."""
    settings = plan.settings[members]
    return ranges(settings["offset"], parameter_length(settings["n1"], plan.d, plan.k))


def memory_places(plan: Plan, members: np.ndarray) -> np.ndarray:
    """The places of what the members' optimizers keep, one member after another."""
    lengths = np.diff(starts_of(pick_members(plan, members))["memory_offsets"])
    return ranges(plan.settings["memory"][members], lengths)


def starts_of(plan: Plan) -> dict[str, np.ndarray]:
    """The arrays of offsets of all members of a plan."""
    return {
        "offsets": np.append(plan.settings["offset"], plan.length),
        "memory_offsets": np.append(plan.settings["memory"], plan.memory),
    }


def states_of(plan: Plan, pack: Pack, members: np.ndarray) -> dict[str, np.ndarray]:
    """The states of some members of a Training, with its plan and its pack."""
    starts, places = starts_of(pick_members(plan, members)), places_of(plan, members)
    return {
        "members": members,
        "states": pack.states[members],
        "parameters": pack.parameters[places],
        "best": pack.best[places],
        "offsets": starts["offsets"],
        "memory": pack.memory[memory_places(plan, members)],
        "memory_offsets": starts["memory_offsets"],
    }


def pick_states(states: States, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Some rows of states, in the order given."""
    found = {name: states[name][rows] for name in ("members", "states")}
    for names, name in ((("parameters", "best"), "offsets"), (("memory",), "memory_offsets")):
        lengths = np.diff(states[name])[rows]
        places = ranges(states[name][rows], lengths)
        found |= {each: states[each][places] for each in names}
        found[name] = np.concatenate([[0], np.cumsum(lengths)])
    return {name: found[name] for name in ARRAYS}


def joined(pieces: Sequence[States], dtype: np.dtype) -> dict[str, np.ndarray]:
    """The states of several pieces as one, by the numbers of their members."""
    empty = {"members": np.empty(0, np.int64), "states": np.empty(0, STATE)}
    empty |= {name: np.empty(0, dtype) for name in ("parameters", "best", "memory")}
    found = {name: np.concatenate([empty[name], *(p[name] for p in pieces)]) for name in empty}
    for name in ("offsets", "memory_offsets"):
        lengths = [np.diff(piece[name]) for piece in pieces]
        found[name] = np.cumsum(np.concatenate([[0], *lengths])).astype(np.int64)
    return pick_states(found, np.argsort(found["members"], kind="stable"))


def in_checkpoint(states: States) -> dict[str, np.ndarray]:
    """States under the names that they have in a checkpoint; none if no member has one."""
    some = states["members"].size > 0
    return {f"kept_{name}": array for name, array in states.items() if some}


def states_in(saved: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The states in a checkpoint; empty if it has none."""
    return {name: saved[f"kept_{name}"] for name in ARRAYS if f"kept_{name}" in saved}


def padded(flat: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Packed parameters as a Training holds them: the kernels read a vector beyond the last."""
    return np.concatenate([flat, np.zeros(LANES, dtype)])


def misfits_of_states(states: States, members: np.ndarray) -> Iterator[str]:
    """States of members that there are not, or whose numbers are not where the offsets say.

    `members` are the records of the run. What the states hold is checked against the plan of the
    run that goes on from them.
    """
    if not states:
        return
    numbers, count = states["members"], len(states["members"])
    if (np.diff(numbers) <= 0).any() or not np.isin(numbers, members["member"]).all():
        yield "it names members that there are not, or twice"
    if states["states"].dtype != STATE:
        yield "its states have other fields than those of a member"
    for name, array in (("offsets", "parameters"), ("memory_offsets", "memory")):
        starts = states[name]
        cut = starts.size == count + 1 and starts[0] == 0 and (np.diff(starts) >= 0).all()
        if not cut or starts[-1] != states[array].size:
            yield f"{name} does not cut {array} into those of its members"
    if states["parameters"].shape != states["best"].shape:
        yield "best has another shape than parameters"
    elif (states["states"]["stop"] != RUNNING).any():
        yield "it has states of members that had ended"
