"""From the arguments of a run to its options, data and members, all checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastnet.data import inspection
from fastnet.data.samples import Data
from fastnet.data.sources import checked_data
from fastnet.data.tables import table_of_frame
from fastnet.errors import DataError
from fastnet.options.arguments import SAMPLE_NAMES
from fastnet.options.defaults import COMPARED, SMALL_ON_TABLES, for_classes, is_auto, resolve
from fastnet.options.kinds import is_list
from fastnet.options.methods import CLASSIFIERS
from fastnet.options.rules import (
    refuse_of_halving,
    refuse_of_record,
    refuse_of_search,
    refuse_within,
)
from fastnet.options.table import OPTIONS
from fastnet.training.automatic import refuse_auto, with_methods
from fastnet.training.plan import Plan, even_batch, make_plan, plan_of_blocks
from fastnet.training.search import first_blocks, is_searched, replayed
from fastnet.training.shards import shard_of
from fastnet.training.strengths import with_strengths
from fastnet.training.targets import with_target_loss


def prepare(
    command: str, X: Any, y: Any, task: int | None, given: Mapping[str, Any]
) -> tuple[dict[str, Any], Data, Plan]:
    """Options, Data and Plan, all checked before anything is allocated or written."""
    chosen = {name: value for name, value in given.items() if is_option(name, value)}
    samples = {name: value for name, value in given.items() if name not in chosen}
    options = resolve(chosen, command, task)
    refuse_auto(options, command, task)
    auto = is_auto(options["optimizer"])
    if auto:
        options["optimizer"] = COMPARED[:1]
    samples.setdefault("class_weight", options["class_weight"])
    refuse_of_search(command, options, samples.get("folds"))
    refuse_of_halving(options)
    refuse_of_record(options)
    assumed = options.keys() - chosen.keys()
    data = checked_data(X, y, task, options, samples, assumed)
    small = "optimizer" in assumed and options["optimizer"] == SMALL_ON_TABLES["optimizer"]
    if small and data.loss in CLASSIFIERS:
        options.update(for_classes(chosen, command, task))
    if "validation_fraction" in assumed and not len(data.split["val"]):
        options["validation_fraction"] = 0.0
    refuse_within(options)
    options = with_target_loss(options, data)
    rows, held_out = int(data.train_counts().min()), len(data.split["val"]) or len(data.folds)
    d = data.X.shape[1]
    options = with_strengths(options, assumed, rows, bool(held_out), d)
    if "batch_size" in assumed:
        weights = data.weights("train")[0]
        options["batch_size"] = tuple(even_batch(s, weights, d) for s in options["batch_size"])
    if auto:
        options = with_methods(options, chosen, command, task, data)
    return options, data, shard_of(make_plan(options, data), options)


def inspect(data: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """The document of fastnet.inspect: of a file, or of a data frame."""
    given = {name: value for name, value in given.items() if value is not None}
    if not hasattr(data, "columns"):
        options, table = resolve({**given, "data": data}, "train"), None
    else:
        options, table = resolve({**given, "data": "-"}, "train"), table_of_frame(data, "the frame")
        if table.rows == 0:
            raise DataError(f"the frame has no rows, shape {data.shape}; there is nothing to see.")
    if is_auto(options["optimizer"]):
        options["optimizer"] = COMPARED[:1]
    return inspection.inspect(options, options.keys() - given.keys(), table)


def is_option(name: str, value: Any) -> bool:
    """Whether an argument is an option; some names are those of arrays or lists as well."""
    if name == "class_weight":
        return value is None or (isinstance(value, str) and value == "balanced")
    return name not in SAMPLE_NAMES or (name in OPTIONS and not is_list(value))


def members_so_far(
    plan: Plan, data: Data, options: Mapping[str, Any], stops: Sequence[str]
) -> Plan:
    """The members of a run that adds them until the smallest N1 is decided; else `plan` itself.

    `stops` says why each member stopped so far. There is at least one block of members.
    """
    if not is_searched(options):
        return plan
    _, blocks = replayed(options, stops)
    blocks = blocks or [first_blocks(options)[0]]
    return plan_of_blocks(options, plan, data.train_counts(), blocks)
