"""The finding of a run, in one line: the title of its report, page and most telling figure."""

from fastnet.figures.apart import setting_name
from fastnet.figures.units import unit_of
from fastnet.results import closeness
from fastnet.results.headline import diverged_line, n1_line
from fastnet.results.words import counted, number
from fastnet.training import grouping


def finding(result):
    """The finding of a run, as a title, in the unit of the data."""
    members = result.members
    if lost := diverged_line(members):
        return lost
    unit, best = unit_of(result), result.best
    loss = number(float(unit.of(grouping.monitored(members)[result.best_member])), 3)
    if len(members) == 1 or result.options["stop"] == "first":
        end = "reached" if best["stop_reason"] == "target" else "has"
        epochs = counted(int(best["epochs"]), "epoch")
        return f"N1 = {best['n1']} {end} a {unit.words} of {loss} after {epochs}"
    found = n1_finding(result) or close_finding(result, unit)
    return found or f"Lowest {unit.words} {loss}, with N1 = {best['n1']}"


def n1_finding(result):
    """Which N1 suffices, and with which setting, or None if there is no target to decide it."""
    return n1_line(result, lambda axes: f" with {setting_name(axes, [*axes])}" if axes else "")


def close_finding(result, unit):
    """The smallest N1 that comes close to the best, or None where that is not the question."""
    found = closeness.closeness(result.members, result.options)
    if found is None:
        return None
    loss, best = (number(float(unit.of(found[n])), 3) for n in ("loss", "best_loss"))
    if found["n1"] == found["best_n1"]:
        return f"N1 = {found['best_n1']} has the lowest median {unit.words}: {best}"
    within = f"within {100 * found['within']:g} % of the best"
    return f"N1 = {found['n1']} is {within}, N1 = {found['best_n1']}: {unit.words} {loss}, {best}"
