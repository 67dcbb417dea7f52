"""Members of a finished run as pieces (training/shards.py) that another run adopts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastnet.engine.layout import unpack
from fastnet.engine.records import PRUNED, STATE, TRAIN_LOSS, VAL_LOSS
from fastnet.native.vector import LANES
from fastnet.options.methods import CONVERGED_BY, STOPS
from fastnet.results.result import Result
from fastnet.training.history import FIELDS, kept_epochs, ranges
from fastnet.training.plan import Plan
from fastnet.training.states import in_checkpoint, kept_by, padded, pick_states
from fastnet.training.training import Training


def piece_of_result(
    result: Result, members: np.ndarray, plan: Plan, training: Training
) -> dict[str, np.ndarray]:
    """Members of a Result as a piece; `plan` has them in the same order."""
    names = training.history.names
    values, epochs, lengths = entries_of(result, members, names)
    end, brief = int(epochs.max(initial=0)) + 1, training.history.brief
    kept = np.isin(epochs, kept_epochs(end, brief=brief))
    owner = np.repeat(np.arange(members.size), lengths)
    return {
        "states": states_of(result.members[members], values, epochs, lengths, names),
        "best": packed_numbers(result, members, plan, training.dtype),
        "seconds": result.members["seconds"][members],
        "progress": np.array([0.0, 1.0, 0.0]),
        "history_counts": np.bincount(owner[kept], minlength=members.size),
        "history_values": values[:, kept],
        **(snapshots_of(result, members) if training.snapshots is not None else {}),
        **kept_states(result, members, training.options),
    }


def entries_of(
    result: Result, members: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The entries of members, one member after another: values (fields, N), epochs (N,), and how
    many each has."""
    held, offsets = {**result.entries, **result.recorded["record"]}, result.entries["offsets"]
    lengths = np.diff(offsets)[members]
    entries = ranges(offsets[members], lengths)
    return np.array([held[name][entries] for name in names]), held["epoch"][entries], lengths


def kept_states(
    result: Result, members: np.ndarray, options: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """The states of members that a run with these options keeps, too, as a checkpoint has them;
    numbered anew."""
    if not kept_by(options) or options["max_epochs"] != result.options["max_epochs"]:
        return {}
    known = result.states.get("members", np.empty(0, np.int64))
    there = np.flatnonzero(np.isin(members, known))
    if not there.size:
        return {}
    states = pick_states(result.states, np.searchsorted(known, members[there]))
    return in_checkpoint({**states, "members": there})


def piece_of_states(
    result: Result, members: np.ndarray, plan: Plan, training: Training
) -> dict[str, np.ndarray]:
    """Members of a Result that go on, as a piece with all that live members need."""
    kept = pick_states(result.states, np.searchsorted(result.states["members"], members))
    last, dtype = result.options["max_epochs"], training.dtype
    values, epochs, lengths = entries_of(result, members, training.history.names)
    before = np.isin(epochs, kept_epochs(last, brief=training.history.brief))
    owner = np.repeat(np.arange(members.size), lengths)
    shots = snapshots_of(result, members, last) if training.snapshots is not None else {}
    return {
        "states": kept["states"],
        "parameters": padded(kept["parameters"], dtype),
        "best": padded(kept["best"], dtype),
        "memory": kept["memory"],
        "seconds": result.members["seconds"][members],
        "progress": np.array([float(last), 1.0, 0.0]),
        "history_counts": np.bincount(owner[before], minlength=members.size),
        "history_values": values[:, before],
        **shots,
    }


def states_of(
    records: np.ndarray,
    values: np.ndarray,
    epochs: np.ndarray,
    lengths: np.ndarray,
    names: Sequence[str],
) -> np.ndarray:
    """The states of members that have ended, as far as a Result has them."""
    states = np.zeros(records.size, STATE)
    for field, texts, column in (
        ("stop", list(STOPS), "stop_reason"),
        ("rule", list(CONVERGED_BY), "converged_by"),
    ):
        for code, text in enumerate(texts):
            states[field][records[column] == text] = code
    ends = np.cumsum(lengths)
    states["last_epoch"] = epochs[ends - 1]
    states["epoch"] = states["last_epoch"] + (states["stop"] == PRUNED)
    scored = ~np.isnan(records["train_loss"])
    states["best_epoch"] = np.where(scored, records["best_epoch"], -1)
    states["effective"] = np.nan_to_num(records["effective_parameters"])
    owner = np.repeat(np.arange(records.size), lengths)
    best = np.flatnonzero(epochs == states["best_epoch"][owner])
    for name, row in zip(names, values):
        states["last_entry"][:, FIELDS[name]] = row[ends - 1]
        states["best_entry"][owner[best], FIELDS[name]] = row[best]
    monitored = VAL_LOSS if "val_loss" in names else TRAIN_LOSS
    states["best_loss"] = np.where(scored, states["best_entry"][:, monitored], np.inf)
    return states


def packed_numbers(result: Result, members: np.ndarray, plan: Plan, dtype: np.dtype) -> np.ndarray:
    """The best weights of members as the kernels hold them."""
    packed = result.packed
    kept = packed.get("members", np.arange(result.members.size))
    rows = np.searchsorted(kept, members)
    units = ranges(packed["offsets"][rows], np.diff(packed["offsets"])[rows])
    flat = np.zeros(plan.length + LANES, dtype)
    places = unpack(np.arange(plan.length), plan.settings, plan.d, plan.k)
    for name in ("W1", "b1", "W2"):
        flat[places[name]] = packed[name][units]
    flat[places["b2"]] = packed["b2"][rows]
    return flat


def snapshots_of(
    result: Result, members: np.ndarray, end: int | None = None
) -> dict[str, np.ndarray]:
    """The snapshots of members, which are numbered anew; only those before the epoch `end`."""
    held = result.recorded["snapshots"]
    if not np.isin(members, held.get("member", ())).any():
        return {}
    wanted = np.isin(held["member"], members)
    if end is not None:
        wanted &= held["epoch"] < end
    some = np.flatnonzero(wanted)
    order = np.argsort(members)
    number = order[np.searchsorted(members, held["member"][some], sorter=order)]
    units = ranges((np.cumsum(held["n1"]) - held["n1"])[some], held["n1"][some])
    arrays = {name: held[name][units] for name in ("W1", "b1", "W2")}
    arrays |= {name: held[name][some] for name in ("b2", "n1", "epoch")}
    return {f"snapshot_{name}": a for name, a in {**arrays, "member": number}.items()}
