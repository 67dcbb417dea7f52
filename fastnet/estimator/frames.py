"""Data frames with columns that are not numbers, of pandas or polars, as inputs.

Texts, categories and dates become inputs as in a table that the command line reads.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastnet.data.columns import describe_inputs, encode_inputs, require_columns
from fastnet.data.levels import ColumnRules, orders_of
from fastnet.data.schema import Column
from fastnet.data.tables import Table, table_of_frame
from fastnet.errors import DataError, UsageError, quoted
from fastnet.options.table import OPTIONS

RULES = ("ordinal", "dates", "unknown")  # parameters of the estimators about columns of frames
# What messages say about options of the command line, and what they say here.
WORDS = (
    (r" Let rare ones share one with --min-level-count", " Let rare ones share one"),
    (r",? or (use|train with) --impute median", ""),
    (r", or use --categorical \S+", ", or make it a category"),
    (r"with --dates once", "with the parameter dates='parts' or 'seconds' once"),
    (r"with --dates", "with the parameter dates='parts' or 'seconds'"),
    (r"--unknown other in training allows", "the parameter unknown='other' allows"),
    (r" with --exclude", ""),
)


@contextlib.contextmanager
def own_words() -> Iterator[None]:
    """fastnet's refusals as ValueErrors that name parameters, not options."""
    try:
        yield
    except (DataError, UsageError) as error:
        text = str(error)
        for pattern, words in WORDS:
            text = re.sub(pattern, words, text)
        raise ValueError(text) from None


def rules_of(estimator: Any, X: Any) -> ColumnRules:
    """What the estimator's parameters, and the ordered categories of X, say about its columns."""
    estimator = getattr(estimator, "estimator", estimator)  # that of a search
    with own_words():
        orders = orders_from(estimator.ordinal)
        if orders and not hasattr(X, "columns"):
            raise UsageError("ordinal names columns of a data frame, and X has no names.")
        dates, unknown = (OPTIONS[n].check_one(getattr(estimator, n)) for n in RULES[1:])
    return ColumnRules(unknown=unknown, dates=dates, ordinal={**own_orders(X), **orders})


def orders_from(given: Any) -> dict[str, tuple[str, ...]]:
    """The levels of columns, the lowest first: of a dict of lists, or of texts such as size=S<M<L.

    Examples
    --------
    >>> orders_from({"size": ["S", "M", "L"]}) == orders_from("size=S<M<L")
    True
    """
    if not isinstance(given, Mapping):
        return orders_of(() if given is None else OPTIONS["ordinal"].check_one(given))
    orders = {}
    for name, levels in given.items():
        texts = () if isinstance(levels, str) else tuple(map(str, levels))
        if not 1 < len(texts) == len({*texts}):
            raise UsageError(
                f"ordinal must give column {name!r} a list of two or more different levels, the "
                f"lowest first, got {quoted(levels)}."
            )
        orders[name] = texts
    return orders


def own_orders(X: Any) -> dict[str, tuple[str, ...]]:
    """The levels of the ordered categories of a pandas frame, the lowest first, by column."""
    if not hasattr(X, "iloc") or not hasattr(X, "dtypes"):
        return {}
    from pandas import CategoricalDtype

    ordered = {n: t for n, t in X.dtypes.items() if isinstance(t, CategoricalDtype) and t.ordered}
    return {name: tuple(map(str, dtype.categories)) for name, dtype in ordered.items()}


def is_mixed(X: Any, rules: ColumnRules) -> bool:
    """Whether X is a data frame with columns that are not numbers."""
    if not (hasattr(X, "columns") and hasattr(X, "dtypes")):
        return False
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    types = X.dtypes if hasattr(X, "iloc") else [X[name].to_numpy().dtype for name in X.columns]
    numbers = all(is_numeric_dtype(dtype) or is_bool_dtype(dtype) for dtype in types)
    return bool(rules.ordinal) or not numbers


def table_of(X: Any) -> Table:
    """A data frame as a Table."""
    if hasattr(X, "iloc"):  # pandas
        return table_of_frame(X, "X")
    import pandas

    names = list(X.columns)
    columns = {name: pandas.Series(np.asarray(X[name].to_numpy())) for name in names}
    return table_of_frame(pandas.DataFrame(columns), "X")


def described(X: Any, rules: ColumnRules) -> tuple[Column, ...]:
    """The columns of a mixed frame; those with one value in all rows are left out."""
    table = table_of(X)
    with own_words():
        require_columns(table, list(rules.ordinal), "ordinal")
        columns, _ = describe_inputs(table, list(table.columns), rules)
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
    with own_words():
        encode_inputs(table, columns, inputs)
    return inputs
