"""The document of fastnet inspect: the columns of a table, its problems, what is remarkable."""

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fastnet.data import cures
from fastnet.data.columns import describe_inputs, kind_of, numbers_of, target_values
from fastnet.data.joining import Joined, join_files, loss_of, samples_of
from fastnet.data.levels import rules_of
from fastnet.data.looks import Look, looks_at, problems_of
from fastnet.data.remarks import Remark, by_kind, of_size, remarks_of
from fastnet.data.sources import data_of_table
from fastnet.data.tables import Table
from fastnet.errors import FastnetError
from fastnet.files import json_value

LEVELS = 5  # levels that are counted in a document


def inspect(
    options: Mapping[str, Any], assumed: Collection[str] = (), table: Table | None = None
) -> dict[str, Any]:
    """The facts, problems and remarks of the table that the options name, as a dict for JSON.

    Parameters
    ----------
    options : dict
        Every option as resolved.
    assumed : collection of str
        Options that nobody gave.
    table : Table, optional
        In place of the file.

    Raises
    ------
    UsageError, DataError
        for a file that cannot be read, and for columns that are not there.
    """
    joined = join_files(options, table)
    table, looks = joined.main, looks_at(joined)
    columns = [column_facts(table, name, looks[name]) for name in looks]
    for facts in columns:
        name = facts["column"]
        facts["cures"] = as_dicts(cures.of_problem(joined, name, looks[name]))
    problems = problems_of(joined, looks)
    found: dict[str, Any] = {
        "table": table.name,
        "rows": table.rows,
        "target": list(joined.options["target"]),
        "inputs": sum(look.inputs for look in looks.values()),
        "columns": columns,
        "notices": list(table.notices),
        "remarks": [],
        "loss": None,
        "sets": None,
    }
    if options["target"] and not problems:
        try:
            found |= of_training(joined, assumed, columns)
        except FastnetError as error:
            problems.append(str(error).removeprefix(f"{table.name}: "))
    elif options["target"]:
        with contextlib.suppress(FastnetError):  # problems of the target: what is learnt is unknown
            add_remarks(columns, remarks_beside(joined, looks))
    return {**found, "problems": problems}


def add_remarks(columns: Collection[dict[str, Any]], remarks: Collection[Remark]) -> None:
    """Give the facts of columns what is remarkable about them, and the options that follow."""
    own = cures.of_remarks(remarks)
    for facts in columns:
        facts["remarks"], after = own.get(facts["column"], ([], []))
        facts["cures"] += as_dicts(after)


def remarks_beside(joined: Joined, looks: Mapping[str, Look]) -> list[Remark]:
    """What is remarkable about the columns without a problem, while others have one."""
    table, target = joined.main._replace(notices=()), joined.options["target"]
    y, loss = target_values(table, target, loss_of(joined.options))
    names = [name for name in joined.names if looks[name].inputs]
    columns, _ = describe_inputs(table, names, rules_of(joined.options))
    return [remark for remark in remarks_of(table, columns, target, y, loss) if remark.column]


def of_training(
    joined: Joined, assumed: Collection[str], columns: Collection[dict[str, Any]]
) -> dict[str, Any]:
    """What training would say and how it would divide the rows; columns get their remarks."""
    (samples, remarks), options = samples_of(joined), joined.options
    given = {"class_weight": options["class_weight"]}
    data = data_of_table(samples, options, given, assumed)
    kinds = by_kind([*remarks, *of_size(data, options)])
    add_remarks(columns, remarks)
    said = {sentence for sentence, _ in kinds.values()}
    return {
        "inputs": data.X.shape[1],
        "loss": data.loss,
        "sets": {name: len(rows) for name, rows in data.split.items()},
        "notices": [notice for notice in data.notices if notice not in said],
        "remarks": [
            {"kind": kind, "columns": columns, "message": sentence}
            for kind, (sentence, columns) in kinds.items()
        ],
    }


# ---------------------------------------------------------------- one column


def column_facts(table: Table, name: str, look: Look) -> dict[str, Any]:
    """The facts of a column for a document."""
    values = table.series(name)
    facts: dict[str, Any] = {
        "column": name,
        "kind": tried_kind(table, name),
        "missing": int(values.isna().sum()),
        "distinct": int(values.nunique()),
        **dict.fromkeys(("low", "high", "mean", "sd", "levels")),
        "treatment": look.treatment,
        "inputs": look.inputs,
        "problem": look.problem and look.problem.removeprefix(f"{table.name}: "),
        "remarks": [],
    }
    if facts["kind"] == "number":
        numbers = numbers_of(table.columns[name]).astype(float)
        numbers = numbers[np.isfinite(numbers)]
        if numbers.size:
            facts |= {"low": numbers.min(), "high": numbers.max()}
            facts |= {"mean": numbers.mean(), "sd": numbers.std()}
    else:
        counts = values.astype(str)[values.notna()].value_counts(sort=True).head(LEVELS)
        facts["levels"] = {str(level): int(count) for level, count in counts.items()}
    return {fact: json_value(value) for fact, value in facts.items()}


def as_dicts(found: Collection[cures.Cure]) -> list[dict[str, Any]]:
    """Cures for a document."""
    return [cure._asdict() for cure in found]


def tried_kind(table: Table, name: str) -> str:
    """The kind of a column: also "yes/no", and "other" for one that is refused for its kind."""
    if is_yes_or_no(table, name):
        return "yes/no"
    try:
        return kind_of(table, name)
    except FastnetError:
        return "other"


def is_yes_or_no(table: Table, name: str) -> bool:
    """Whether a column holds true and false, which training takes as 1 and 0."""
    from pandas.api.types import infer_dtype

    return infer_dtype(table.series(name), skipna=True) == "boolean"
