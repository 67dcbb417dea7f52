"""Data frames with columns that are not numbers, of pandas or polars, as inputs.

Texts and categories become one input per level, as in a table that the command line reads.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from fastnet.data.columns import describe_inputs, encode_inputs
from fastnet.data.schema import Column
from fastnet.data.tables import Table, table_of_frame
from fastnet.errors import DataError

# What messages advise on the command line alone.
OPTIONS = re.compile(r" or use --impute median| with --dates once[^,]*| with --\w+")


def is_mixed(X: Any) -> bool:
    """Whether X is a data frame with columns that are not numbers."""
    if not (hasattr(X, "columns") and hasattr(X, "dtypes")):
        return False
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    types = X.dtypes if hasattr(X, "iloc") else [X[name].to_numpy().dtype for name in X.columns]
    return not all(is_numeric_dtype(dtype) or is_bool_dtype(dtype) for dtype in types)


def table_of(X: Any) -> Table:
    """A data frame as a Table."""
    if hasattr(X, "iloc"):  # pandas
        return table_of_frame(X, "X")
    import pandas

    names = list(X.columns)
    columns = {name: pandas.Series(np.asarray(X[name].to_numpy())) for name in names}
    return table_of_frame(pandas.DataFrame(columns), "X")


def described(X: Any) -> tuple[Column, ...]:
    """The columns of a mixed frame; those with one value in all rows are left out."""
    table = table_of(X)
    try:
        columns, _ = describe_inputs(table, list(table.columns))
    except DataError as error:
        raise ValueError(OPTIONS.sub("", str(error))) from None
    return columns


def require_frame(X: Any, columns: tuple[Column, ...]) -> None:
    """Refuse anything but a data frame where one with these columns is needed."""
    if not hasattr(X, "columns"):
        names = ", ".join(column.name for column in columns)
        found = type(X).__name__
        raise ValueError(
            f"X must be a data frame; the estimator was fitted to {names}, got {found}."
        )


def encoded(X: Any, columns: tuple[Column, ...]) -> np.ndarray:
    """The inputs that the columns of a frame become, shape (n, d)."""
    table, widths = table_of(X), [len(column.inputs()) for column in columns]
    inputs = np.empty((table.rows, sum(widths)))
    try:
        encode_inputs(table, columns, inputs)
    except DataError as error:
        raise ValueError(OPTIONS.sub("", str(error))) from None
    return inputs
