"""From the columns of a table to inputs and targets.

A column of numbers is one input; a column of texts becomes one input per category, 1 for the row's
category and 0 for the others. For values that cannot be used, the error names the column, the
lines of the file and what to do.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastnet.data.checks import LARGEST_WHOLE
from fastnet.data.dates import ISO_DATE, date_of, encode_date, holds_dates, parts_of
from fastnet.data.dialect import is_number, listed
from fastnet.data.frames import is_boolean
from fastnet.data.levels import (
    LEAVE_OUT,
    NO_RULES,
    ColumnRules,
    category_of,
    encode_category,
    encode_ordinal,
    levels_of,
    no_dates,
)
from fastnet.data.schema import Column
from fastnet.data.tables import Table
from fastnet.errors import DataError, UsageError, did_you_mean
from fastnet.options.methods import CLASSIFIERS

FEW_INTEGERS = 20  # most distinct whole numbers that may be either classes or measurements
# Types that float32 holds exactly; all others become float64.
SMALL = ("float32", "float16", "bool", "int8", "uint8", "int16", "uint16")
TRUTHS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
# What to do about missing numbers in training, for a model that is trained, and in weights.
CURES = {
    "none": "fill it in or use --impute median",
    "model": "fill it in, or train the model with --impute median",
    "weight": "fill it in; 0 leaves the row out",
}
OTHER_TARGET = "or predict another column"
SEVERAL_LABELS = "binary_cross_entropy"  # the loss of several targets of two labels each


def kind_of(table: Table, name: str) -> str:
    """ "number", "text" or "date"; everything else is refused."""
    values = table.columns[name]
    if isinstance(values, np.ndarray):
        return "number"
    from pandas.api import types

    if isinstance(values.dtype, types.CategoricalDtype):
        return "text"
    if types.is_bool_dtype(values) or types.is_numeric_dtype(values):
        found = "complex" if types.is_complex_dtype(values) else "number"
    else:
        found = types.infer_dtype(values, skipna=True)
    if found in ("string", "mixed-integer"):
        return "text"
    if found in ("number", "empty", "boolean", "decimal", "floating", "integer"):
        return "number"
    if found.startswith(("date", "time", "period")):
        return "date"
    raise DataError(
        f"{table.name}: column {name!r} holds values of the kind {found}; make numbers or texts of "
        f"them, {LEAVE_OUT}."
    )


def numbers_of(values: Any) -> np.ndarray:
    """A column of numbers as an array, float64 unless its type is SMALL; NaN if missing."""
    if isinstance(values, np.ndarray):
        return values if values.dtype in SMALL else values.astype(np.float64, copy=False)
    return values.astype(object).map(float, na_action="ignore").to_numpy(float, na_value=np.nan)


def require_columns(table: Table, names: Sequence[str], option: str) -> None:
    """Refuse names that the table does not have."""
    for name in names:
        if name not in table.columns:
            there = list(table.columns)
            hint = did_you_mean(name, there[:1000])
            if any(map(is_number, there)):
                hint = " If its first line is a row, use --no-header."
            told = [repr(own) if "," in own else own for own in there]
            raise DataError(
                f"{option}: {table.name} has no column {name!r}; it has {listed(told, 20)}.{hint}"
            )


# ---------------------------------------------------------------- inputs


def describe_inputs(
    table: Table, names: Sequence[str], rules: ColumnRules = NO_RULES
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """The Columns of the named inputs, and notices about those that are left out.

    Parameters
    ----------
    table : Table
    names : sequence of str
    rules : ColumnRules
        Which of them are categories, and what becomes of their levels and of dates.

    Raises
    ------
    DataError
        for dates without a rule, for free text, and if no column is left.
    """
    columns, empty, constant, shared = [], [], [], []
    for name in names:
        values = table.columns[name]
        missing = is_missing(values)
        if missing.all():
            empty.append(name)
            continue
        kind = kind_of(table, name)
        dated = rules.dates != "refuse" and name not in (*rules.categorical, *rules.ordinal)
        dated = dated and holds_dates(table, name)
        if kind == "date" and not dated:
            raise no_dates(table, name, values.dropna().iloc[0])
        if not missing.any() and is_constant(values):
            constant.append(name)
        elif name in rules.ordinal:
            columns.append(Column(name, "ordinal", rules.ordinal[name]))
        elif dated:
            columns.append(date_of(table, name, rules.dates))
        elif kind == "number" and name not in rules.categorical:
            columns.append(Column(name, "boolean" if is_boolean(values) else "number"))
        else:
            column, said = category_of(table, name, rules)
            columns.append(column)
            shared += said
    left = [*left_out(empty, "no value"), *left_out(constant, "one value in all rows")]
    if not columns:
        raise DataError(f"{table.name} has no column to learn from. {' '.join(left)}".strip())
    return tuple(columns), (*table.notices, *shared, *left)


def left_out(names: Sequence[str], has: str) -> list[str]:
    """The notice on columns that are left out for what they have, if there are some."""
    several = len(names) > 1
    begin = f"Left out because {'they have' if several else 'it has'} {has}: "
    return [f"{begin}column{'s' * several} {listed(names)}."] * bool(names)


def is_missing(values: Any) -> np.ndarray:
    """Which values of a column are missing, shape (n,) bool."""
    if not isinstance(values, np.ndarray):
        return values.isna().to_numpy(bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)


def is_constant(values: Any) -> bool:
    """Whether a column without missing values has one value in all rows."""
    if isinstance(values, np.ndarray):
        return bool((values == values[0]).all())
    return values.nunique() == 1


def encode_inputs(
    table: Table,
    columns: Sequence[Column],
    out: np.ndarray,
    impute: str = "none",
    take: bool = False,
) -> None:
    """Write the inputs that the columns become into `out`.

    Parameters
    ----------
    table : Table
    columns : sequence of Column
    out : ndarray of shape (n, d)
    impute : {"none", "median", "model"}
        A missing number becomes the column's fill. If the column has none, it becomes NaN with
        "median" and is refused with "none" and "model", which is that of a trained model.
    take : bool
        Remove each column from the table once it is written, which gives back its memory.

    Raises
    ------
    DataError
        for a column that is missing, and for values that are not of its kind.
    """
    at = 0
    for column in columns:
        if column.name not in table.columns:
            names = listed([c.name for c in columns], 20)
            raise DataError(
                f"{table.name} has no column {column.name!r}; the model was trained on {names}."
            )
        width = len(column.inputs())
        ENCODERS[column.kind](table, column, out[:, at : at + width], impute)
        if take:
            del table.columns[column.name]
        at += width


def encode_number(table: Table, column: Column, out: np.ndarray, impute: str) -> None:
    """A column of numbers as one input."""
    if kind_of(table, column.name) != "number":
        values = table.series(column.name)
        there, bad = values.notna().to_numpy(), np.zeros(len(values), bool)
        bad[there] = [not is_number(text) for text in values[there].astype(str)]
        bad = bad if bad.any() else there  # dates, or categories that are numbers
        first = str(values[bad].iloc[0])
        table.refuse(column.name, bad, f"must hold numbers, got {first!r}", "write a number")
    write_numbers(table, column, numbers_of(table.columns[column.name]), out, impute)


def encode_boolean(table: Table, column: Column, out: np.ndarray, impute: str) -> None:
    """A column of booleans as one input of 0 and 1, which may also be written so."""
    values = table.series(column.name)
    if values.dtype == bool:
        out[:, 0] = values
        return
    numbers = values.astype(str).str.lower().map(TRUTHS).to_numpy(float)
    bad = np.isnan(numbers) & values.notna().to_numpy(bool)
    first = str(values[bad].iloc[0]) if bad.any() else ""
    table.refuse(column.name, bad, f"must hold true or false, got {first!r}", "write one of them")
    write_numbers(table, column, numbers, out, impute)


def write_numbers(
    table: Table, column: Column, numbers: np.ndarray, out: np.ndarray, impute: str
) -> None:
    """Write numbers, filled in, into the one input of their column."""
    if np.isfinite(numbers).all():
        out[:, 0] = numbers
        return
    missing = np.isnan(numbers)
    if column.fill is not None:
        numbers = np.where(missing, column.fill, numbers)
    elif impute in CURES:
        table.refuse_missing(column.name, missing, CURES[impute])
    table.refuse(column.name, np.isinf(numbers), "is infinite", "replace it")
    out[:, 0] = numbers


ENCODERS = {
    "number": encode_number,
    "boolean": encode_boolean,
    "category": encode_category,
    "ordinal": encode_ordinal,
    "date": encode_date,
}

# ---------------------------------------------------------------- targets

Labels = tuple[tuple[Any, Any], ...]


def target_values(
    table: Table, names: Sequence[str], loss: str | None, labels: Labels = ()
) -> tuple[np.ndarray, str]:
    """The target columns as y of shape (n,) or (n, k), and the loss, chosen by them if not given.

    Parameters
    ----------
    table : Table
    names : sequence of str
        Columns to predict; several are numbers, or with loss binary_cross_entropy have two labels
        each and become 0 and 1.
    loss : str or None
        None chooses it by the values.
    labels : tuple of pairs
        The labels of several targets, if they are known.

    Raises
    ------
    UsageError
        if the values do not decide the loss, or do not go with it.
    """
    kinds = {name: target_kind(table, name) for name in names}
    texts = [name for name in names if kinds[name] != "number"]
    if len(names) > 1 and loss == SEVERAL_LABELS:
        return indicators(table, names, labels or label_pairs(table, names)), loss
    if len(names) > 1 and (texts or loss in CLASSIFIERS):
        name = texts[0] if texts else names[0]
        raise UsageError(
            f"target {name!r} would be classes; several targets must be numbers, or have two "
            f"labels each with --loss {SEVERAL_LABELS}; for more labels train a run for each, "
            f"such as --target {name}."
        )
    numeric = loss is not None and loss not in CLASSIFIERS
    if numeric and kinds[names[0]] == "text":
        raise UsageError(f"target {names[0]!r} holds texts; loss {loss} needs numbers.")
    if len(names) > 1:
        y = np.stack([number_values(table, name) for name in names], axis=1)
        return y, loss or "squared"
    if loss is None:
        loss = "cross_entropy" if texts else "squared"
        if not texts:
            ask_for_loss(table, names[0])
    return (label_values if loss in CLASSIFIERS else number_values)(table, names[0]), loss


def target_kind(table: Table, name: str) -> str:
    """What a target holds: "number", "text" or "bool"."""
    table.refuse_missing(name, is_missing(table.columns[name]), "remove those rows")
    kind, values = kind_of(table, name), table.series(name)
    if kind == "date":
        raise no_dates(table, name, values.iloc[0], OTHER_TARGET)
    return "bool" if is_boolean(values) else kind


def number_values(table: Table, name: str) -> np.ndarray:
    """A target of numbers as float64."""
    numbers = numbers_of(table.columns[name]).astype(np.float64)
    table.refuse(name, np.isinf(numbers), "is infinite", "remove those rows")
    return numbers


def ask_for_loss(table: Table, name: str) -> None:
    """Refuse a few whole numbers that could be either classes or measurements."""
    distinct = np.unique(number_values(table, name))
    if len(distinct) <= FEW_INTEGERS and (distinct == np.floor(distinct)).all():
        few = ", ".join(f"{v:g}" for v in distinct[:6]) + ", ..." * (len(distinct) > 6)
        raise UsageError(
            f"target {name!r} holds {len(distinct)} different whole numbers ({few}): use --loss "
            "cross_entropy to predict classes, or --loss squared to predict numbers."
        )


def label_values(table: Table, name: str) -> np.ndarray:
    """A target of classes: booleans, whole numbers or texts."""
    values = table.series(name)
    kind = target_kind(table, name)
    if kind == "text":
        levels_of(table, name, OTHER_TARGET)
        return values.astype(str).to_numpy(str)
    if kind == "bool":
        return values.to_numpy(bool)
    return whole_labels(table, name)


def label_pairs(table: Table, names: Sequence[str]) -> Labels:
    """The two labels of each of several targets, sorted.

    Examples
    --------
    >>> import io
    >>> from fastnet.data.tables import read_table
    >>> table = read_table(io.BytesIO(b"spam,long\\nno,0\\nyes,1\\n"), "t.csv")
    >>> label_pairs(table, ["spam", "long"])
    (('no', 'yes'), (0, 1))
    """
    pairs = []
    for name in names:
        found = np.unique(label_values(table, name)).tolist()
        if len(found) != 2:
            raise DataError(
                f"{table.name}: target {name!r} must have two labels with loss {SEVERAL_LABELS}, "
                f"got {len(found)}: {listed([str(label) for label in found], 5)}; train a run "
                f"for it alone: --target {name}."
            )
        pairs.append(tuple(found))
    return tuple(pairs)


def indicators(table: Table, names: Sequence[str], labels: Labels) -> np.ndarray:
    """Several targets as 1 for the second of a column's two labels and 0 for the first, (n, k)."""
    found = np.empty((table.rows, len(names)))
    for j, (name, pair) in enumerate(zip(names, labels)):
        values = label_values(table, name)
        if (values.dtype.kind == "U") != isinstance(pair[0], str):
            values = values.astype(object)  # compared one by one: none of them is known
        found[:, j] = values == pair[1]
        unknown = ~(values == pair[0]) & ~(values == pair[1])
        first = str(values[unknown][:1].tolist()).strip("[]")
        table.refuse(name, unknown, f"has the label {first}", f"known: {pair[0]!r} and {pair[1]!r}")
    return found


def whole_labels(table: Table, name: str) -> np.ndarray:
    """A target of whole numbers: int64, or uint64 if some need it."""
    from pandas.api import types

    values = table.series(name)
    if types.is_integer_dtype(values.dtype):  # exact; float64 would round those above 2**53
        large = values.dtype.name.lower() == "uint64" and values.max() > np.iinfo(np.int64).max
        return values.to_numpy(np.uint64 if large else np.int64)
    numbers = number_values(table, name)
    broken = numbers != np.floor(numbers)
    table.refuse(
        name,
        broken,
        "is not a class label (a whole number, text or boolean)",
        "use --loss squared for measurements",
    )
    too_large = np.abs(numbers) > LARGEST_WHOLE
    table.refuse(
        name,
        too_large,
        f"has the label {numbers[too_large][:1].tolist()}, above 2**53, where decimal numbers "
        "are no longer exact,",
        "write integers or texts",
    )
    return numbers.astype(np.int64)


def weight_values(table: Table, name: str) -> np.ndarray:
    """A column of sample weights."""
    numbers = np.empty((table.rows, 1))
    encode_number(table, Column(name, "number"), numbers, "weight")
    table.refuse(name, numbers[:, 0] < 0, "is a negative weight", "make it 0 or more")
    return numbers[:, 0]


# ---------------------------------------------------------------- groups and orders


def group_values(table: Table, name: str) -> np.ndarray:
    """A column of groups as texts: whatever is written alike is one group."""
    table.refuse_missing(name, is_missing(table.columns[name]), "name a group in every row")
    values = table.series(name)
    return values.astype(str).to_numpy(str)


def order_values(table: Table, name: str) -> np.ndarray:
    """A column that orders the rows: numbers, or dates, which texts become."""
    table.refuse_missing(name, is_missing(table.columns[name]), "write one in every row")
    kind, values = kind_of(table, name), table.series(name)
    if kind == "number":
        return numbers_of(table.columns[name])
    if kind == "date":
        return values.to_numpy()
    odd = np.array([not ISO_DATE.fullmatch(text) for text in values.astype(str)])
    cure = "write numbers, or dates as 2020-01-31 or 2020-01-31 14:05"
    table.refuse(name, odd, f"orders the rows, but has {str(values[odd.argmax()])!r}", cure)
    return parts_of(table, name)["seconds"]
