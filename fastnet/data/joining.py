"""The tables of a run, joined into the arrays that make_data takes."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fastnet.data.columns import (
    SMALL,
    describe_inputs,
    encode_inputs,
    group_values,
    order_values,
    require_columns,
    target_values,
    weight_values,
)
from fastnet.data.schema import Column
from fastnet.data.tables import Table, read_table
from fastnet.errors import DataError
from fastnet.options.methods import CLASSIFIERS
from fastnet.options.rules import COLUMNS, refuse_columns

FILES = {"val": "validation_data", "test": "test_data"}
# The words for the sets in a split column.
WORDS = {"train": "train", "val": "val", "validation": "val", "test": "test"}


def samples_of_files(options: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of make_data, as a dict, from the files that the options name.

    The rows of validation_data and test_data come after those of data.

    Raises
    ------
    UsageError
        for options that contradict each other.
    DataError
        for a file or column that cannot be used.
    """
    refuse_columns(options)
    main = read_table(options["data"])
    others = {part: read_table(options[name]) for part, name in FILES.items() if options[name]}
    tables = [main, *others.values()]
    roles = {name: options[name] for name in COLUMNS if options[name]}
    for table in tables:
        require_columns(table, options["target"], "target")
    for role, name in roles.items():
        require_columns(main, [name], role)
    taken = {*options["target"], *roles.values()}
    names = options["features"] or [n for n in main.columns if n not in taken]
    require_columns(main, names, "features")
    y, loss = all_targets(tables, options["target"], options["loss"])
    columns, notices = describe_inputs(main, names)
    made = {
        "y": y,
        "loss": loss,
        "columns": columns,
        "split": split_of(main, options["split_column"], others),
        "sample_weight": all_weights(tables, options["weights"]),
        "group": keys_of(tables, options["group"], group_values),
        "order": keys_of(tables, options["order"], order_values),
        "target_names": options["target"],
        "notices": notices,
    }
    return {**made, "X": all_inputs(tables, columns, options)}


def all_targets(
    tables: Sequence[Table], names: Sequence[str], loss: str | None
) -> tuple[np.ndarray, str]:
    """The targets of all tables, one after another, and the loss."""
    y, loss = target_values(tables[0], names, loss)
    parts = [y]
    for table in tables[1:]:
        part, _ = target_values(table, names, loss)
        if loss in CLASSIFIERS and part.dtype.kind != y.dtype.kind:
            raise DataError(
                f"{table.name}: target {names[0]!r} holds labels such as {part[0]!s} "
                f"({part.dtype}), {tables[0].name} such as {y[0]!s} ({y.dtype})."
            )
        parts.append(part)
    return np.concatenate(parts), loss


def all_weights(tables: Sequence[Table], name: str | None) -> np.ndarray | None:
    """The sample weights of all tables; rows of a table without such a column have weight 1."""
    if name is None:
        return None
    return np.concatenate(
        [weight_values(t, name) if name in t.columns else np.ones(t.rows) for t in tables]
    )


def keys_of(
    tables: Sequence[Table], name: str | None, values: Callable[[Table, str], np.ndarray]
) -> np.ndarray | None:
    """The values of a column of the first table, which alone is divided, as numbers of all rows."""
    if name is None:
        return None
    _, codes = np.unique(values(tables[0], name), return_inverse=True)
    others = sum(table.rows for table in tables[1:])
    return np.concatenate([codes, np.full(others, -1)])


def split_of(main: Table, name: str | None, others: Mapping[str, Table]) -> dict[str, np.ndarray]:
    """Row numbers of val and test, from the column `name` or from separate files."""
    n = main.rows
    if name is not None:
        sets = main.series(name).astype(str).str.strip().str.lower().map(WORDS).to_numpy()
        unknown = np.array([not isinstance(s, str) for s in sets])
        main.refuse(name, unknown, "names no set", f"write one of {', '.join(WORDS)}")
        return {part: np.flatnonzero(sets == part) for part in FILES}
    ends = n + np.cumsum([0, *(table.rows for table in others.values())])
    return {part: np.arange(*pair) for part, pair in zip(others, itertools.pairwise(ends))}


def all_inputs(
    tables: Sequence[Table], columns: Sequence[Column], options: Mapping[str, Any]
) -> np.ndarray:
    """X of all tables, float32 if that loses nothing; the frames give up their columns.

    Values that will be scaled, and so written again, are held column by column: then X takes
    memory as the frames release it. docs/data.md has the measured bytes.
    """
    numbers = [column.name for column in columns if column.kind == "number"]
    kinds = {t.columns[n].dtype.name for t in tables for n in numbers if n in t.columns}
    single = options["dtype"] == "float32" and options["scale"] == "none"
    dtype = np.float32 if single or kinds <= set(SMALL) else np.float64
    ends = np.cumsum([0, *(table.rows for table in tables)])
    d = sum(len(column.inputs()) for column in columns)
    X = np.empty((ends[-1], d), dtype, order="C" if options["scale"] == "none" else "F")
    for table, first, last in zip(tables, ends, ends[1:]):
        encode_inputs(table, columns, X[first:last], options["impute"], take=True)
    return X
