"""The answer of a sweep without a target: the smallest N1 that comes close to the best one.

N1s are compared seed by seed (and fold by fold): members of one seed have the same order of
mini-batches, and those of one fold the same rows, so their losses rise and fall together.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastnet.data.dialect import listed
from fastnet.options.ranges import typed
from fastnet.options.targets import has_target
from fastnet.training.grouping import monitored, setting_codes, varying_apart
from fastnet.training.plan import shown


def closeness(members: np.ndarray, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """The smallest N1 within a share of the best, or None where that is not the question.

    Parameters
    ----------
    members : structured ndarray
        Of a sweep; all have stopped by themselves.
    options : mapping
        Of the run; `within` is the share.

    Returns
    -------
    dict or None
        n1 and its setting; best_n1, that of the lowest median loss, and best_setting; within;
        excess, the median over the pairs of (loss - best loss) / abs(best loss); pairs, and
        close_pairs, those whose excess is at most `within`; loss and best_loss, the medians. None
        with a target, for one N1, where members were cut short or the best ones diverged, and where
        every setting of an N1 lost members to pruning; the other settings are compared.
    """
    cut = {"stopped", "running", "interrupted", "time_limit"}
    if has_target(options) or cut & set(np.unique(members["stop_reason"]).tolist()):
        return None
    losses, pruned = losses_of(members), members["stop_reason"] == "pruned"
    groups = {key: some for key, some in groups_of(members).items() if not pruned[some].any()}
    widths = {n1 for n1, _ in groups}
    if len(widths) < 2 or widths != set(np.unique(members["n1"]).tolist()):
        return None
    loss = {key: float(np.median(losses[some])) for key, some in groups.items()}
    best = min(groups, key=lambda key: loss[key])
    if not np.isfinite(loss[best]):
        return None
    keys = members[["seed", "fold"]]
    excesses = {key: excess(keys, losses, some, groups[best]) for key, some in groups.items()}
    medians = {key: float(np.median(each)) for key, each in excesses.items() if each.size}
    close = [key for key, median in medians.items() if median <= options["within"]]
    chosen = min(close, key=lambda key: (key[0], medians[key]))
    return {
        "n1": chosen[0],
        "setting": setting_of(members, groups[chosen]),
        "best_n1": best[0],
        "best_setting": setting_of(members, groups[best]),
        "within": options["within"],
        "excess": medians[chosen],
        "pairs": int(excesses[chosen].size),
        "close_pairs": int((excesses[chosen] <= options["within"]).sum()),
        "loss": loss[chosen],
        "best_loss": loss[best],
    }


def groups_of(members: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """The numbers of the members of each setting, by N1 and a number of the setting."""
    codes = setting_codes(members)
    order = np.argsort(codes, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return {(int(members["n1"][part[0]]), int(codes[part[0]])): part for part in parts}


def losses_of(members: np.ndarray) -> np.ndarray:
    """Monitored losses; infinite for members that diverged."""
    return np.nan_to_num(monitored(members), nan=np.inf)


def excess(keys: np.ndarray, losses: np.ndarray, some: np.ndarray, best: np.ndarray) -> np.ndarray:
    """By how much the loss of each member exceeds that of the best group's with its seed and fold,
    its key, as a share of it; infinite if one of them diverged."""
    _, mine, other = np.intersect1d(keys[some], keys[best], return_indices=True)
    ours, best_losses = losses[some[mine]], losses[best[other]]
    with np.errstate(all="ignore"):
        share = (ours - best_losses) / np.abs(best_losses)
    share[ours == best_losses] = 0
    share[~np.isfinite(ours) | ~np.isfinite(best_losses)] = np.inf
    return share


def setting_of(members: np.ndarray, some: np.ndarray) -> dict[str, Any]:
    """The setting of a group, without N1 and seed."""
    record = members[some[0]]
    return {name: shown(name, record[name]) for name in varying_apart(members)}


# ---------------------------------------------------------------- in words


def unanswered(members: np.ndarray) -> str:
    """What a sweep without a target says where its N1 cannot be compared."""
    left = members["n1"][members["stop_reason"] != "pruned"]
    gone = sorted({*members["n1"].tolist()} - {*left.tolist()})
    if gone:
        return (
            f"--halving pruned every member of N1 = {listed(gone)} before its own stop, so no N1 "
            "is known to come close to the best; sweep without it to compare them."
        )
    return "No target was set (--target-loss, --target-rmse, ...), so no N1 is sufficient."


def sentence(members: np.ndarray, options: Mapping[str, Any], trials: str) -> str:
    """The answer in words; `trials` names what the members of one setting differ in."""
    found = closeness(members, options)
    if found is None:
        return unanswered(members)
    share = f"{100 * found['within']:g} %"
    largest = found["best_n1"] == members["n1"].max()
    more = f" {found['best_n1']} is the largest that was tried." if largest else ""
    best = f"the best (N1 = {found['best_n1']}{with_setting(found['best_setting'])})"
    if found["best_n1"] == members["n1"].min():
        return (
            f"N1 = {found['best_n1']}{with_setting(found['best_setting'])}, the smallest that was "
            f"tried, is the best: its median loss is {found['best_loss']:.4g}.{ask(found)}"
        )
    if (found["n1"], found["setting"]) == (found["best_n1"], found["best_setting"]):
        return (
            f"No N1 below the best ({found['best_n1']}) comes within {share} of its median "
            f"loss, {found['best_loss']:.4g}.{more}{ask(found)}"
        )
    n1 = f"N1 = {found['n1']}{with_setting(found['setting'])}"
    return (
        f"{n1} is within {share} of {best}: the median loss is {found['loss']:.4g} against "
        f"{found['best_loss']:.4g}, and within {share} for {found['close_pairs']} of "
        f"{found['pairs']} {trials}.{more}{ask(found)}"
    )


def with_setting(setting: Mapping[str, Any]) -> str:
    """A setting after the N1 that has it."""
    named = ", ".join(f"{name} {typed(value, digits=6)}" for name, value in setting.items())
    return f" with {named}" if named else ""


def ask(found: Mapping[str, Any]) -> str:
    """How to ask for more certainty; "" where no target can say it."""
    goal = found["best_loss"] + found["within"] * abs(found["best_loss"])
    return f" How sure: fastnet smallest with --target-loss {goal:.3g}." if goal > 0 else ""
