"""The answer of a sweep: which member is best, the table by N1, the smallest sufficient N1."""

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastnet.options.methods import STOPS
from fastnet.options.ranges import typed
from fastnet.options.targets import UNITS, asked_unit, has_target, in_unit, text_of_target
from fastnet.results import closeness, decision
from fastnet.results.groups import Groups, facts_of_groups, over_folds
from fastnet.training.grouping import (
    given_axes,
    has_folds,
    monitored,
    setting_codes,
    varying_apart,
)
from fastnet.training.plan import shown
from fastnet.training.search import is_searched

MOST_N1_OF_LM = 64  # an epoch of lm takes time with the cube of the parameters
CUT = ("stopped", "pruned")  # stops that are not a member's own: it might have reached its target


def monitored_accuracy(members: np.ndarray) -> np.ndarray:
    """The accuracy on the set whose loss decides."""
    validated = np.isfinite(members["val_loss"]).any()
    return members["val_accuracy" if validated else "train_accuracy"]


def monitored_of(record: Mapping[str, Any]) -> float | None:
    """The loss that decides, from one member's record in a JSON document, or None.

    Examples
    --------
    >>> monitored_of({"train_loss": 0.2, "val_loss": 0.0})
    0.0
    >>> monitored_of({"train_loss": 0.2, "val_loss": None})
    0.2
    """
    loss = record.get("val_loss")
    return record.get("train_loss") if loss is None else loss


def best_member(members: np.ndarray, first_reached: bool = False, margin: float = 0.0) -> int:
    """The best member's number: lowest monitored loss, then smaller N1, fewer epochs, lower number.

    With first_reached (--stop first) it is the lowest number that reached the target. With folds
    it belongs to the setting whose mean over them is lowest: a single fold may be an easy one.
    """
    reached = np.flatnonzero(members["stop_reason"] == "target")
    if first_reached and reached.size:
        return int(reached[0])
    return int(ranking(members, margin)[0])


def ranking(members: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """The numbers of the members, the best first.

    The losses of other optimizers than the first count as higher by the share `margin`.
    """
    losses = np.nan_to_num(monitored(members), nan=np.inf)
    keys = [members["epochs"], members["n1"], losses]
    if has_folds(members):
        keys.append(mean_losses(members, losses))
    handicap = np.where(members["optimizer"] == members["optimizer"][:1], 1.0, 1.0 + margin)
    return np.lexsort([*keys[:2], *(key * handicap for key in keys[2:])])


def mean_losses(members: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Of every member the mean of the losses of its setting, over folds and seeds."""
    codes = setting_codes(members)
    return (np.bincount(codes, losses) / np.bincount(codes))[codes]


def remarks_on_methods(members: np.ndarray, best: int, margin: float) -> Iterator[str]:
    """Which method a run with a margin between methods takes, and why, in a line.

    Parameters
    ----------
    members : ndarray of shape (M,)
    best : int
        The number of the best member.
    margin : float
        As in `ranking`.
    """
    first = members["optimizer"][0]
    mine = members["optimizer"] == (members["optimizer"][best])
    if not margin or mine.all():
        return
    losses = np.nan_to_num(monitored(members), nan=np.inf)
    losses = mean_losses(members, losses) if has_folds(members) else losses
    other = int(np.flatnonzero(~mine)[losses[~mine].argmin()])
    named = [f"{members['optimizer'][i]} with {members['activation'][i]}" for i in (best, other)]
    texts, least = [f"{losses[i]:.3g}" for i in (best, other)], f"{100 * margin:g} %"
    held = "held-out loss" if np.isfinite(members["val_loss"]).any() else "training loss"
    if members["optimizer"][best] == first:
        yield (
            f"Optimizer {named[0]} is taken: the {held} of {named[1]}, {texts[1]}, is not {least} "
            f"lower than {texts[0]}."
        )
    else:
        yield (
            f"Optimizer {named[0]} is taken: its {held}, {texts[0]}, is at least {least} lower "
            f"than that of {named[1]}, {texts[1]}."
        )


def winner(members: np.ndarray, options: Mapping[str, Any]) -> int:
    """The number of the member that a run is about.

    It is the best member; of those with the smallest N1, where that was to be decided.
    """
    if is_searched(options):
        smallest = decision.search_of(members, options).smallest()
        some = np.flatnonzero(members["n1"] == smallest)
        return int(some[best_member(members[some])]) if some.size else best_member(members)
    return best_member(members, options["stop"] == "first", options["optimizer_margin"])


# ---------------------------------------------------------------- how sure


def binomial_tail(count: int, n: int, p: float) -> float:
    """P(X >= count) for X binomial (n, p)."""
    i = np.arange(1, n + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log((n + 1 - i) / i))])
    logs += np.arange(n + 1) * np.log(p) + np.arange(n, -1, -1) * np.log1p(-p)
    return float(np.exp(logs[count:]).sum())


@functools.lru_cache(maxsize=4096)  # pages and reports need the same few values a dozen times
def success_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a share (Clopper & Pearson 1934), by bisection.

    Examples
    --------
    >>> low, high = success_interval(8, 8)
    >>> round(low, 3), high
    (0.631, 1.0)
    """
    tail = (1 - confidence) / 2

    def solve(count, goal):
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if binomial_tail(count, n, middle) < goal else (low, middle)
        return (low + high) / 2

    low = 0.0 if successes == 0 else solve(successes, tail)
    high = 1.0 if successes == n else solve(successes + 1, 1 - tail)
    return low, high


# ---------------------------------------------------------------- the table


def with_rate(facts: dict[str, Any], counted: bool) -> dict[str, Any]:
    """The facts of a group with its success rate, which is not known (None) without `counted`."""
    n, reached = facts["members"], facts["reached"]
    low, high = success_interval(reached, n) if counted else (None, None)
    rate = {
        "success_rate": reached / n if counted else None,
        "success_low": low,
        "success_high": high,
    }
    first = {name: facts.pop(name) for name in ("n1", "members", "reached")}
    return {**first, **rate, **facts}


def of_unit(
    members: np.ndarray, facts: dict[str, list], options: Mapping[str, Any], groups: Groups
) -> dict[str, list]:
    """The best and the median of the groups in the unit of the target; empty if it is a loss."""
    name = asked_unit(options)
    if name is None:
        return {}
    metric = UNITS[name].metric
    if name == "target_accuracy":
        _, median, best = groups.quantiles(monitored_accuracy(members))
    else:
        best, median = (
            [in_unit(options, loss) for loss in facts[key]] for key in ("best_loss", "median_loss")
        )
    return {f"best_{metric}": best, f"median_{metric}": median}


def of_setting(members: np.ndarray, member: int) -> np.ndarray:
    """The numbers of the members of a member's setting."""
    codes = setting_codes(members)
    return np.flatnonzero(codes == codes[member])


def setting_rows(members: np.ndarray, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per N1 and setting, in the order of the members."""
    apart, losses = varying_apart(members), monitored(members)
    groups = Groups(members, apart)
    facts = facts_of_groups(members, losses, groups)
    cut = groups.count(is_cut(members))
    unit = of_unit(members, facts, options, groups)
    folds = over_folds(members, losses)
    answers = []
    for place, part in enumerate(groups.parts):
        own = {name: values[place] for name, values in facts.items()}
        answers.append(
            {
                **with_rate(own, has_target(options) and not cut[place]),
                **folds(part),
                **{name: values[place] for name, values in unit.items()},
                "setting": {name: shown(name, members[name][part[0]]) for name in apart},
            }
        )
    return answers


def is_cut(members: np.ndarray) -> np.ndarray:
    """Which members were ended by something else than their own stop, or still train."""
    cut = members["status"] == "live"
    for reason in CUT:
        cut |= members["stop_reason"] == reason
    return cut


def by_n1(members: np.ndarray, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answer: one row per N1, for its setting with most successes, then fewest epochs.

    Then the lowest loss decides: the best one, with folds the mean over them.
    """
    chosen, pruned = {}, (members["stop_reason"] == "pruned").any()
    for answer in setting_rows(members, options):
        epochs = answer["median_epochs"]
        loss = answer["fold_mean_loss" if has_folds(members) else "best_loss"]
        rank = (
            pruned and answer["success_rate"] is None,  # they give way to those that ended
            -answer["reached"],
            np.inf if epochs is None else epochs,
            np.inf if loss is None else loss,
        )
        if answer["n1"] not in chosen or rank < chosen[answer["n1"]][0]:
            chosen[answer["n1"]] = (rank, answer)
    rows = [chosen[n1][1] for n1 in sorted(chosen)]
    return decision.with_verdicts(rows, members, options) if is_searched(options) else rows


def answered_n1(members: np.ndarray, options: Mapping[str, Any]) -> int | None:
    """The N1 that the answer names: the smallest sufficient one, or without a target the smallest
    that is close to the best."""
    if has_target(options):
        return smallest_n1(by_n1(members, options), options)
    found = closeness.closeness(members, options)
    return found["n1"] if found else None


def by_setting(members: np.ndarray, options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row per setting without N1 and seed, that with the smallest N1 first; none without axes.

    A row has what `telling_row` of the setting's own table by N1 has.
    """
    if not given_axes(members, options):
        return []
    tables: dict[Any, list] = {}
    for row in setting_rows(members, options):
        tables.setdefault(tuple(row["setting"].items()), []).append(row)
    rows = []
    for table in tables.values():
        table.sort(key=lambda row: row["n1"])
        smallest = smallest_n1(table, options)
        rows.append({"smallest_n1": smallest, **telling_row(table, smallest)})

    def rank(row):
        known = [row[name] for name in ("smallest_n1", "median_epochs", "best_loss")]
        return [np.inf if value is None else value for value in known]

    return sorted(rows, key=rank)


def telling_row(table: list[dict[str, Any]], smallest: int | None) -> dict[str, Any]:
    """The row of the smallest sufficient N1, else with most successes, else of lowest loss."""

    def rank(row):
        loss = np.inf if row["best_loss"] is None else row["best_loss"]
        return row["n1"] != smallest, -row["reached"], loss

    return min(table, key=rank)


def smallest_n1(table: list[dict[str, Any]], options: Mapping[str, Any]) -> int | None:
    """The smallest N1 whose success rate is at least the one asked for.

    None if there is none, if the rate of a smaller N1 is not known, and with --stop first,
    which ends most members before they can succeed.
    """
    if is_searched(options):
        return next((line["n1"] for line in table if line["verdict"] == "sufficient"), None)
    for line in table:
        if line["success_rate"] is None or options["stop"] == "first":
            return None
        if line["success_rate"] >= options["success_rate"]:
            return line["n1"]
    return None


# ---------------------------------------------------------------- in words


def target_of(members: np.ndarray, options: Mapping[str, Any]) -> str:
    """The target in words, in the unit that was asked for."""
    targets = np.unique(members["target_loss"])
    if len(targets) > 1:
        return "its own target loss"
    return text_of_target(options, targets[0], bool(np.isfinite(members["val_loss"]).any()))


def sentence(members: np.ndarray, options: Mapping[str, Any]) -> str:
    """The answer in one sentence."""
    if not has_target(options):
        return closeness.sentence(members, options, trials(members))
    if is_searched(options):
        return decision.sentence(members, options, target_of(members, options))
    table = by_n1(members, options)
    smallest = smallest_n1(table, options)
    target, asked = target_of(members, options), f"{100 * options['success_rate']:g} %"
    if smallest is not None:
        line = next(line for line in table if line["n1"] == smallest)
        named = ", ".join(f"{name} {typed(v, digits=6)}" for name, v in line["setting"].items())
        return (
            f"N1 = {smallest} is the smallest that reaches {target} in at least "
            f"{asked} of its {trials(members)}: {line['reached']} of {line['members']}"
            f"{' with ' + named if named else ''}; the true share lies between "
            f"{line['success_low']:.2f} and {line['success_high']:.2f} with 95 % confidence."
        )
    pruned = int((members["stop_reason"] == "pruned").sum())
    if pruned:
        return (
            f"--halving pruned {pruned:,} of {len(members):,} members before their own stop, so no "
            "N1 is called sufficient."
        )
    if options["stop"] == "first" or any(line["success_rate"] is None for line in table):
        return "Not every member ran to its own stop, so no N1 is called sufficient."
    best = max(table, key=lambda line: line["success_rate"])
    most = f"the most is {best['reached']} of {best['members']} with N1 = {best['n1']}"
    return (
        f"No N1 reaches {target} in at least {asked} of its {trials(members)}; "
        f"{most if best['reached'] else 'not one member did'}. {advice(members, options)}"
    )


def trials(members: np.ndarray) -> str:
    """What the members of one setting differ in, in words."""
    return "seeds and folds" if has_folds(members) else "seeds"


def other_method(members: np.ndarray, options: Mapping[str, Any]) -> str:
    """The options of a method that reaches lower losses; empty if some of the members had it."""
    numbers = np.isnan(members["train_accuracy"]).all() and options["loss"] in (None, "squared")
    name = "lm" if numbers and members["n1"].max() <= MOST_N1_OF_LM else "lbfgs"
    tips = [] if name in members["optimizer"] else [f"--optimizer {name}"]
    if not set(members["activation"].tolist()) & {"tanh", "sigmoid"}:
        tips.append("--activation tanh")
    return " ".join(tips)


def advice(members: np.ndarray, options: Mapping[str, Any]) -> str:
    """Advice from the reasons why members stopped without reaching the target."""
    missed = members["stop_reason"][members["stop_reason"] != "target"]
    if missed.size == 0:
        return ""
    reasons, counts = np.unique(missed, return_counts=True)
    reason, count = reasons[counts.argmax()], counts.max()
    tip, method = STOPS[str(reason)].tip, other_method(members, options)
    if method and reason in ("patience", "max_epochs", "converged"):
        tip = tip.replace(": try ", f": try {method}, ")
    share = "All" if count == len(members) else f"{count} of {len(members)}"
    return f"{share} members {tip}." if tip else ""
