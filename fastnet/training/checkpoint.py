"""The checks of a checkpoint, before its numbers reach the kernels, which check no bounds.

A checkpoint is a file: its numbers may be damaged or forged. FIELDS says which values each field of
a member's state may have, `shapes()` which arrays there are. A test holds both complete.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.engine.records import (
    CONVERGED,
    PRUNED,
    RUNNING,
    STATE,
    STOPPED,
    TIME_LIMIT,
    TRAIN_LOSS,
    VAL_LOSS,
)
from fastnet.errors import quoted
from fastnet.native.vector import LANES
from fastnet.options.methods import CONVERGED_BY, FIRST_ORDER, OPTIMIZERS, STOPS, WITH_MATRIX
from fastnet.training.history import History, Snapshots, kept_epochs
from fastnet.training.plan import Plan, pick_members
from fastnet.training.states import ARRAYS, starts_of, states_in

OWN_L2 = tuple(name for name, row in OPTIMIZERS.items() if row.own_l2)
# Members with these stops have begun the epoch after their last entry.
BETWEEN_ENTRIES = (RUNNING, STOPPED, TIME_LIMIT, PRUNED)
MOST_SECONDS = 1e10  # 300 years; more could overflow where times are added up
ROUNDING = 1 + 1e-9  # a schedule's rate may exceed the first one by its rounding


class Run(NamedTuple):
    """The run that a checkpoint has to fit.

    Attributes
    ----------
    plan : Plan
    dtype : dtype
        Of the weights.
    names : tuple of str
        The values that its history holds.
    rows : int
        Samples to train on.
    snapshots : bool
        Whether it records snapshots of all members.
    start : int
        The first epoch of the next round, as the checkpoint says.
    whole : bool
        Whether it has what members need that go on; the piece of a finished Training does not.
    brief : bool
        Whether its histories are brief (history.is_brief).
    """

    plan: Plan
    dtype: np.dtype
    names: tuple[str, ...]
    rows: int
    snapshots: bool
    start: int = 0
    whole: bool = True
    brief: bool = False

    def uses(self, optimizers: Iterable[str]) -> np.ndarray:
        """The members with one of these optimizers."""
        return np.isin(self.plan.columns["optimizer"], list(optimizers))


def run_of(
    plan: Plan, options: Mapping[str, Any], history: History, rows: int, whole: bool = True
) -> Run:
    """The run of a plan and its options, whose histories are kept in `history`."""
    dtype, asked = np.dtype(options["dtype"]), "snapshots" in options["record"]
    return Run(plan, dtype, history.names, rows, asked, whole=whole, brief=history.brief)


def between(low: Any, values: np.ndarray, high: Any) -> np.ndarray:
    """Whether low <= values <= high; NaN is not."""
    return (low <= values) & (values <= high)


# ---------------------------------------------------------------- the state of a member


def rates(run: Run) -> np.ndarray:
    """The largest learning rate of each member."""
    settings = run.plan.settings
    return np.maximum(settings["learning_rate"], settings["min_learning_rate"]) * ROUNDING


def trains_on(run: Run, state: np.ndarray) -> np.ndarray:
    """The members that go on with a step of a method with a matrix."""
    return run.uses(WITH_MATRIX) & (state["stop"] == RUNNING) & (state["epoch"] > 0)


def epochs(run: Run, state: np.ndarray) -> np.ndarray:
    """A running member goes on from the start of the round, or waits for its epoch: the round's
    buffer has room for it."""
    begins = (state["stop"] != RUNNING) | (state["epoch"] >= run.start)
    return begins & between(0, state["epoch"], run.plan.settings["max_epochs"])


def rules(run: Run, state: np.ndarray) -> np.ndarray:
    """Only members that have converged name the rule."""
    named = (state["rule"] > 0) == (state["stop"] == CONVERGED)
    return named & between(0, state["rule"], len(CONVERGED_BY) - 1)


def raised(name: str, least: float) -> Callable[[Run, np.ndarray], np.ndarray]:
    """mu or mu_up: a step multiplies them until they are large, so 0 would be tried for ever."""

    def fits(run, state):
        low = np.where(trains_on(run, state), least, 0.0)
        return np.where(run.uses(WITH_MATRIX), ~(state[name] < low), state[name] == 0)

    return fits


def best_losses(run: Run, state: np.ndarray) -> np.ndarray:
    """Infinite before the first entry, then the monitored loss of the best one."""
    monitored = VAL_LOSS if "val_loss" in run.names else TRAIN_LOSS
    same = np.isfinite(state["best_loss"])
    same &= state["best_loss"] == state["best_entry"][:, monitored]
    return np.where(state["best_epoch"] < 0, state["best_loss"] == np.inf, same)


def only(name: str, optimizers: Iterable[str]) -> Callable[[Run, np.ndarray], np.ndarray]:
    """A field that is 0 for all other optimizers."""
    return lambda run, state: run.uses(optimizers) | (state[name] == 0)


def anything(run: Run, state: np.ndarray) -> np.ndarray:
    """Any floats: no index and no number of steps depends on them."""
    return np.ones(state.size, bool)


# Which members' values are those of a run; the order is that of the messages.
FIELDS: Mapping[str, Callable[[Run, np.ndarray], np.ndarray]] = {
    "stop": lambda run, state: between(0, state["stop"], len(STOPS) - 1),
    "epoch": epochs,
    "last_epoch": lambda run, state: (
        state["last_epoch"] == state["epoch"] - np.isin(state["stop"], BETWEEN_ENTRIES)
    ),
    "best_epoch": lambda run, state: between(-1, state["best_epoch"], state["last_epoch"]),
    "waited": lambda run, state: between(0, state["waited"], state["epoch"]),
    "stalled": lambda run, state: between(0, state["stalled"], state["waited"]),
    "steps": lambda run, state: between(
        0, state["steps"], state["epoch"] * run.rows * run.uses(FIRST_ORDER)
    ),
    "rule": rules,
    "stored": lambda run, state: between(0, state["stored"], state["epoch"] * run.uses(["lbfgs"])),
    "flat": lambda run, state: between(0, state["flat"], state["epoch"] * run.uses(OWN_L2)),
    "mu": raised("mu", np.finfo(float).tiny),
    "mu_up": raised("mu_up", 2.0),
    "decay": only("decay", OWN_L2),
    "effective": only("effective", OWN_L2),
    "evidence": only("evidence", OWN_L2),
    "learning_rate": lambda run, state: between(0, state["learning_rate"], rates(run)),
    "plateau_rate": lambda run, state: between(0, state["plateau_rate"], rates(run)),
    "best_loss": best_losses,
    "reference": lambda run, state: np.isfinite(state["reference"]),
    "gradient_norm": lambda run, state: ~(state["gradient_norm"] < 0),
    "clipped": lambda run, state: between(0, state["clipped"], 1),
    "mean_loss": anything,
    "step_loss": anything,
    "best_entry": anything,
    "last_entry": anything,
}


# ---------------------------------------------------------------- the arrays


def shapes(run: Run) -> dict[str, tuple[tuple[int, ...], Any]]:
    """Shape and dtype of every array but those of the history and the snapshots."""
    members, length = run.plan.settings.size, run.plan.length + LANES
    live = {"parameters": ((length,), run.dtype), "memory": ((run.plan.memory,), run.dtype)}
    return {
        "states": ((members,), STATE),
        **(live if run.whole else {}),
        "best": ((length,), run.dtype),
        "seconds": ((members,), np.float64),
        "progress": ((3,), np.float64),
        "history_counts": ((members,), np.int64),
    }


def shapes_of_history(run: Run, saved: Mapping[str, np.ndarray]) -> dict[str, tuple]:
    """Shape and dtype of the history, whose entries have been counted."""
    return {"history_values": ((len(run.names), int(saved["history_counts"].sum())), np.float64)}


def shapes_of_snapshots(run: Run, saved: Mapping[str, np.ndarray]) -> dict[str, tuple]:
    """Shape and dtype of the snapshots' arrays; empty if there are none."""
    due = run.snapshots and bool((saved["states"]["last_epoch"] >= 0).any())
    if not due and not has_snapshots(saved):
        return {}
    n1, d, k = saved.get("snapshot_n1", np.empty(0)), run.plan.d, run.plan.k
    count, units = np.size(n1), run.plan.settings["n1"][members_of(run, saved)].sum()
    weights = {"W1": (units, d), "b1": (units,), "W2": (units, k), "b2": (count, k)}
    found = {name: (shape, run.dtype) for name, shape in weights.items()}
    found |= {name: ((count,), np.int64) for name in ("n1", "member", "epoch")}
    return {f"snapshot_{name}": found[name] for name in Snapshots.ARRAYS}


def has_snapshots(saved: Mapping[str, np.ndarray]) -> bool:
    """Whether a checkpoint has arrays of snapshots."""
    return any(f"snapshot_{name}" in saved for name in Snapshots.ARRAYS)


def members_of(run: Run, saved: Mapping[str, np.ndarray]) -> np.ndarray:
    """The members of the snapshots, as far as there are such members."""
    members = np.asarray(saved.get("snapshot_member", ()))
    if members.dtype != np.int64:
        return np.empty(0, np.int64)
    return members[between(0, members, run.plan.settings.size - 1)]


def odd_array(saved: Mapping[str, np.ndarray], wanted: Mapping[str, tuple]) -> str | None:
    """The first array that is missing, or of another shape or dtype."""
    for name, (shape, dtype) in wanted.items():
        if name not in saved:
            return f"it has no {name}"
        array = saved[name]
        if array.shape != shape:
            return f"{name} has shape {array.shape}, not {shape}"
        if array.dtype != dtype:
            return f"{name} does not have the run's dtype"
    return None


# ---------------------------------------------------------------- all of it


def misfit(saved: Mapping[str, np.ndarray], run: Run) -> str | None:
    """The first contradiction between a checkpoint and its run, in words; None if it fits."""
    wrong = odd_array(saved, shapes(run)) or odd_progress(saved["progress"], run)
    if wrong:
        return wrong
    run = run._replace(start=int(saved["progress"][0]))
    return (
        odd_state(saved["states"], run)
        or odd_numbers(saved, run)
        or odd_array(saved, shapes_of_history(run, saved))
        or odd_array(saved, shapes_of_snapshots(run, saved))
        or odd_snapshots(saved, run)
        or odd_states(saved, run)
        or unknown_array(saved, run)
    )


def odd_progress(progress: np.ndarray, run: Run) -> str | None:
    """Epochs of the next round that are none, or a time that is none."""
    start, count, elapsed = progress.tolist()
    most = int(run.plan.settings["max_epochs"].max()) + 1
    if not (0 <= start <= most and start.is_integer()):
        return f"progress: the next round starts at epoch {start:g}, not from 0 to {most}"
    if not 1 <= count < np.inf:
        return f"progress: the next round has {count:g} epochs"
    return None if 0 <= elapsed <= MOST_SECONDS else f"progress: it took {elapsed:g} seconds"


def odd_state(states: np.ndarray, run: Run) -> str | None:
    """The first field with a value that no member of the run can have."""
    for name, fits in FIELDS.items():
        wrong = np.flatnonzero(~fits(run, states))
        if wrong.size:
            value = states[name][wrong[0]]
            return f"the state of member {wrong[0]} has {name} {value}"
    return None


def odd_numbers(saved: Mapping[str, np.ndarray], run: Run) -> str | None:
    """Best weights, seconds or counts of entries that cannot be."""
    if not np.isfinite(saved["best"]).all():
        return "best has values that are not finite"
    if not between(0, saved["seconds"], MOST_SECONDS).all():
        return "seconds has values that are no times"
    last = saved["states"]["last_epoch"]
    kept = kept_epochs(int(last.max()) + 1, brief=run.brief)
    wrong = np.flatnonzero(saved["history_counts"] != np.searchsorted(kept, last, side="right"))
    if wrong.size:
        return f"history_counts has {saved['history_counts'][wrong[0]]} of member {wrong[0]}"
    return None


def odd_snapshots(saved: Mapping[str, np.ndarray], run: Run) -> str | None:
    """Snapshots of members, widths or epochs that the run does not have."""
    if not has_snapshots(saved):
        return None
    members, epoch = saved["snapshot_member"], saved["snapshot_epoch"]
    if len(members_of(run, saved)) < len(members):
        return "snapshot_member names members that there are not"
    if (run.plan.settings["n1"][members] != saved["snapshot_n1"]).any():
        return "snapshot_n1 is not the members' n1"
    reached = between(0, epoch, saved["states"]["last_epoch"][members])
    return None if reached.all() else "snapshot_epoch is not reached yet"


def odd_states(saved: Mapping[str, np.ndarray], run: Run) -> str | None:
    """Kept states of members that the run does not have, or that cannot be theirs."""
    states = states_in(saved)
    if not states:
        return None
    members = states.get("members", np.empty(0))
    fits = members.dtype == np.int64 and members.ndim == 1 and members.size > 0
    if not fits or (np.diff(members, prepend=-1) <= 0).any() or members[-1] >= len(saved["states"]):
        return "kept_members names members that there are not"
    some = run._replace(plan=pick_members(run.plan, members))
    wrong = odd_array(saved, shapes_of_states(some))
    if wrong:
        return wrong
    for name, starts in starts_of(some.plan).items():
        if (states[name] != starts).any():
            return f"kept_{name} are not those of its members"
    if not np.isfinite(states["best"]).all():
        return "kept_best has values that are not finite"
    if (states["states"]["stop"] != RUNNING).any():
        return "kept_states has members that had ended"
    last = int(some.plan.settings["max_epochs"].max())
    wrong = odd_state(states["states"], some._replace(start=last))
    return f"kept: {wrong}" if wrong else None


def shapes_of_states(run: Run) -> dict[str, tuple]:
    """Shape and dtype of the kept states of all members of a run."""
    plan, count = run.plan, run.plan.settings.size
    found = {"members": ((count,), np.int64), "states": ((count,), STATE)}
    found |= {name: ((plan.length,), run.dtype) for name in ("parameters", "best")}
    found |= {"memory": ((plan.memory,), run.dtype)}
    found |= {name: ((count + 1,), np.int64) for name in ("offsets", "memory_offsets")}
    return {f"kept_{name}": found[name] for name in ARRAYS}


def unknown_array(saved: Mapping[str, np.ndarray], run: Run) -> str | None:
    """An array that no checkpoint of the run has."""
    known = {**shapes(run), **shapes_of_history(run, saved), **shapes_of_snapshots(run, saved)}
    known |= {f"kept_{name}": () for name in ARRAYS if states_in(saved)}
    more = sorted(set(saved) - set(known))
    return f"it has the unknown array {quoted(more[0])}" if more else None
