"""Columns of data frames, and of their parts, as arrays where they hold numbers or booleans."""

from typing import Any

import numpy as np


def arrays_of_frame(frame: Any) -> list[Any]:
    """The columns of a frame: arrays of numbers or booleans, a Series of anything else.

    Columns of one type are taken together: one by one, 20,000 of them cost a second.
    """
    columns, types = [None] * frame.shape[1], list(frame.dtypes)
    for dtype in {dtype for dtype in types if is_plain(dtype)}:
        places = [j for j, other in enumerate(types) if other == dtype]
        some = frame if len(places) == len(types) else frame.iloc[:, places]
        for j, values in zip(places, some.to_numpy().T):
            columns[j] = values
    return [own_series(frame, j) if c is None else c for j, c in enumerate(columns)]


def own_series(frame: Any, place: int) -> Any:
    """A column of a frame as a Series whose rows are counted from 0."""
    return frame.iloc[:, place].reset_index(drop=True)


def is_plain(dtype: Any) -> bool:
    """Whether a type is one of NumPy's for numbers or booleans."""
    return isinstance(dtype, np.dtype) and dtype.kind in "fiub"


def kind_of_chunk(values: Any) -> str:
    """ "text", "boolean" or "number", or "empty", which goes with each of them."""
    if isinstance(values, np.ndarray):
        if values.dtype == bool:
            return "boolean"
        return "empty" if values.dtype.kind == "f" and np.isnan(values).all() else "number"
    return "boolean" if is_boolean(values) else "text"


def is_boolean(values: Any) -> bool:
    """Whether a column holds booleans, of which some may be missing."""
    from pandas.api.types import infer_dtype, is_bool_dtype

    return is_bool_dtype(values) or infer_dtype(values, skipna=True) == "boolean"


def joined(parts: list[Any]) -> Any:
    """The parts of a column as one."""
    import pandas

    if len(parts) == 1:
        return parts[0]
    kinds = {part.dtype.kind for part in parts}
    if kinds == {"i", "u"} and all((part >= 0).all() for part in parts):
        parts = [part.astype(np.uint64) for part in parts]  # float64 would round them
    if kinds <= set("iuf") or kinds == {"b"}:
        return np.concatenate(parts)
    series = [pandas.Series(part) for part in parts]
    if len({part.dtype for part in series}) > 1:  # some chunks have no value
        series = [part.astype(object) for part in series]
    return pandas.concat(series, ignore_index=True)


def is_text(values: Any) -> bool:
    """Whether a column holds texts or objects."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return not (is_numeric_dtype(values) or is_bool_dtype(values))
