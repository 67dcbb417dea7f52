"""Which network of a run a command takes, and why."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastnet.errors import FastnetError, UsageError
from fastnet.files import checked_path
from fastnet.options.kinds import is_list
from fastnet.results.collect import load
from fastnet.results.model import Predictor
from fastnet.results.reading import read_json, read_model
from fastnet.results.words import reason, settings_text


class Choice(NamedTuple):
    """A network that was chosen.

    Attributes
    ----------
    model : Model or Ensemble
    member : int or None
        Its number in its run; None of a model.npz by itself, and of an ensemble.
    line : str
        Which one it is and why, in a sentence; "" where there was nothing to choose.
    """

    model: Predictor
    member: int | None = None
    line: str = ""


def choose(path: str | os.PathLike, member: int | None = None, n1: int | None = None) -> Choice:
    """The network that a run folder or a model.npz stands for.

    Parameters
    ----------
    path : path
    member : int, optional
        The number of a member of the run; by default the best one's.
    n1 : int, optional
        The best member of this width, in place of the best of all.

    Raises
    ------
    FastnetError, UsageError, DataError
        as `load_model`.
    """
    path = checked_path(path, "model")
    if not os.path.exists(path):  # Path.exists() raises for a name that is too long
        raise FastnetError(f"no run folder and no model at {path}; `fastnet ls` lists the runs.")
    asked = "--member" if member is not None else "--n1" if n1 is not None else ""
    if path.is_dir() and (asked or not (path / "model.npz").exists()):
        return of_run(path, member, n1)
    if asked:
        raise UsageError(f"{asked} chooses one of a run; {path} is a single model.")
    return best_of_folder(path) if path.is_dir() else Choice(read_model(path))


def of_run(path: Path, member: int | None, n1: int | None) -> Choice:
    """A member of a run folder."""
    result = load(path)
    member = result.chosen(member, n1)
    record = result.members[member]
    who = named({name: record[name] for name in record.dtype.names}, result.options)
    line = "" if n1 is None else f"{who}: the one with the lowest loss of N1 = {n1}."
    return Choice(result.model(member), member, line)


def best_of_folder(path: Path) -> Choice:
    """The best member of a run folder, without reading the others."""
    model = read_model(path)
    try:
        options, saved = read_json(path, "config.json")["options"], read_json(path, "summary.json")
        best, smallest, folds = saved["best"], saved["smallest_n1"], saved["folds"]
        known = saved["members"], best, options, smallest, folds, best["val_loss"] is not None
        line = f"{named(best, options)}: {reason(*known)}."
    except (FastnetError, KeyError):  # the model alone is enough to predict
        return Choice(model)
    told = smallest or (saved["within"] or {}).get("n1")
    if told not in (None, best["n1"]):
        line += f" The answer of the run was N1 = {told}: --n1 {told} takes its best."
    return Choice(model, best["member"], line if saved["members"] > 1 else "")


def remark_on_costs(path: str | os.PathLike) -> str:
    """What to know about costs of errors where the run at a path balanced its classes; else ""."""
    try:
        balanced = read_json(Path(path), "config.json")["options"]["class_weight"] is not None
    except (FastnetError, KeyError):  # a model by itself does not say
        return ""
    if not balanced:
        return ""
    return (
        "This run was trained with --class-weight balanced, which already makes rare classes "
        "likelier, and --costs comes on top of it. For the costs alone, train without "
        "--class-weight."
    )


def named(record: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """A member, by number, N1, seed and its other settings of which several were trained."""
    axes = [n for n in record if n != "n1" and is_list(options.get(n))]
    several = [n for n in axes if len(options[n]) > 1]
    what = {"seed": record["seed"], **{n: record[n] for n in several}}
    return f"Member {record['member']} (N1 = {record['n1']}, {settings_text(what)})"
