"""From the columns of a table to inputs and targets.

A number is an input as it stands; a text becomes one input for each of its categories, 1 for
the one it is and 0 for the others. What cannot be used is refused with the column, the lines of
the file and what to do.
"""

import itertools
import re

import numpy as np

from fastnet.data.samples import Column
from fastnet.data.tables import few, is_number, is_text, read
from fastnet.errors import DataError, UsageError
from fastnet.options.methods import CLASSIFIERS
from fastnet.options.rules import refuse_columns

MAX_CATEGORIES = 100  # distinct texts that are categories; more are names, numbers or prose
FEW_INTEGERS = 20  # distinct whole numbers that may be classes as well as measurements
NUMERIC_SHARE = 0.8  # of a column's distinct texts that are numbers: the others are mistakes
DATE = re.compile(r"(\d{4}([-/.])\d\d?\2\d\d?|\d\d?([-/.])\d\d?\3(\d{4}|\d\d))\b.*")
COMMA = re.compile(r"[-+]?\d+,\d+")
# Types that float32 holds exactly; of all others a float64 is made.
SMALL = ("float32", "float16", "bool", "int8", "uint8", "int16", "uint16")
LEAVE_OUT = "or leave it out with --features"
OTHER_TARGET = "or predict another column"
FILES = {"val": "validation_data", "test": "test_data"}
SETS = {"train": "train", "val": "val", "validation": "val", "test": "test"}  # in a split column


def kind_of(table, name):
    """ "number", "text" or "date"; everything else is refused."""
    from pandas.api import types

    values = table.frame[name]
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


def numbers_of(values):
    """A column of numbers as an array, float64 unless its own type is SMALL; missing is NaN."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "fiub":
        return values.to_numpy() if values.dtype in SMALL else values.to_numpy(np.float64)
    return values.astype(object).map(float, na_action="ignore").to_numpy(float, na_value=np.nan)


# ---------------------------------------------------------------- inputs


def describe(table, names):
    """The Columns of the inputs named, and notices about those that are left out.

    Raises
    ------
    DataError
        for dates, free text and columns without any value.
    """
    columns, constant = [], []
    for name in names:
        values = table.frame[name]
        if values.isna().all():
            raise DataError(f"{table.name}: column {name!r} is empty; fill it in {LEAVE_OUT}.")
        kind = kind_of(table, name)
        if kind == "date":
            raise no_dates(table, name, values.dropna().iloc[0])
        if (values == values.iloc[0]).all():
            constant.append(name)
        elif kind == "number":
            columns.append(Column(name, "number"))
        else:
            columns.append(Column(name, "category", categories(table, name)))
    notices = list(table.notices)
    if constant:
        several = len(constant) > 1
        notices.append(
            f"Left out, for {'they have' if several else 'it has'} one value in all rows: "
            f"column{'s' * several} {few(constant)}."
        )
    if not columns:
        raise DataError(f"{table.name} has no column to learn from. {' '.join(notices)}".strip())
    return tuple(columns), tuple(notices)


def categories(table, name, most=MAX_CATEGORIES, cure=LEAVE_OUT):
    """The distinct texts of a column, sorted; refused where they are no categories."""
    values = table.frame[name]
    distinct = sorted(map(str, values.dropna().unique()))
    if all(DATE.fullmatch(text) for text in distinct):
        raise no_dates(table, name, distinct[0], cure)
    if all(COMMA.fullmatch(text) for text in distinct):
        raise DataError(
            f"{table.name}: column {name!r} has numbers with a comma such as {distinct[0]}; write "
            "a decimal point and no separator of thousands."
        )
    odd = [text for text in distinct if not is_number(text)]
    if odd and len(odd) <= (1 - NUMERIC_SHARE) * len(distinct):
        bad = (values.astype(str) == odd[0]).to_numpy()
        table.refuse(name, bad, f"has {odd[0]!r} among numbers", "write a number")
    most = min(most, max(len(values) // 2, 10))
    if len(distinct) > most:
        raise DataError(
            f"{table.name}: column {name!r} has {len(distinct)} different texts in {len(values)} "
            f"rows, such as {distinct[0]!r}; at most {most} are taken as categories. Group them, "
            f"{cure}."
        )
    return tuple(distinct)


def no_dates(table, name, example, cure=LEAVE_OUT):
    return DataError(
        f"{table.name}: column {name!r} holds dates such as {example}; make numbers of them, for "
        f"example the day of the year, {cure}."
    )


def encode(table, columns, out, impute="none", take=False):
    """Write the inputs of the columns into `out` (n, d); with `take` the frame loses them.

    A missing number becomes the column's fill; without one it is NaN where impute says so.
    """
    at = 0
    for column in columns:
        if column.name not in table.frame.columns:
            names = ", ".join(c.name for c in columns)
            raise DataError(
                f"{table.name} has no column {column.name!r}; the model was trained on {names}."
            )
        width = len(column.inputs())
        write = encode_number if column.kind == "number" else encode_category
        write(table, column, out[:, at : at + width], impute)
        if take:
            del table.frame[column.name]
        at += width


def encode_number(table, column, out, impute):
    """A column of numbers as one input."""
    values = table.frame[column.name]
    if kind_of(table, column.name) != "number":
        bad = ~values.astype(str).map(is_number).to_numpy(bool)
        bad = bad if bad.any() else ~bad  # dates, or categories that are numbers
        first = str(values[bad].iloc[0])
        table.refuse(column.name, bad, f"must hold numbers, got {first!r}", "write a number")
    numbers = numbers_of(values)
    missing = np.isnan(numbers)
    if column.fill is not None:
        numbers = np.where(missing, column.fill, numbers)
    elif impute == "none":
        table.refuse(column.name, missing, "has no value", "fill it in or use --impute median")
    table.refuse(column.name, np.isinf(numbers), "is infinite", "replace it")
    out[:, 0] = numbers


def encode_category(table, column, out, impute):
    """A column of texts as an input for each category: 1 for the one it is, else 0."""
    import pandas

    values = table.frame[column.name]
    missing = values.isna().to_numpy()
    table.refuse(column.name, missing, "has no value", "write a text there, such as unknown")
    texts = values if is_text(values) else values.astype(str)
    codes = pandas.Index(column.categories).get_indexer(texts)
    unknown = codes < 0
    if unknown.any():
        known = few(column.categories)
        first = str(texts[unknown].iloc[0])
        table.refuse(column.name, unknown, f"has the unknown category {first!r}", f"known: {known}")
    out[...] = 0
    out[np.arange(len(codes)), codes] = 1


# ---------------------------------------------------------------- targets


def targets(table, names, loss):
    """The target columns as y (n,) or (n, k), and the loss that follows from them.

    Raises
    ------
    UsageError
        where the loss does not follow from the values, or does not go with them.
    """
    kinds = {name: target_kind(table, name) for name in names}
    texts = [name for name in names if kinds[name] != "number"]
    if len(names) > 1 and (texts or loss in CLASSIFIERS):
        name = texts[0] if texts else names[0]
        raise UsageError(f"target {name!r} would be classes; several targets must be numbers.")
    numeric = loss is not None and loss not in CLASSIFIERS
    if numeric and kinds[names[0]] == "text":
        raise UsageError(f"target {names[0]!r} holds texts; loss {loss} needs numbers.")
    if len(names) > 1:
        y = np.stack([checked_numbers(table, name) for name in names], axis=1)
        return y, loss or "squared"
    if loss is None:
        loss = "cross_entropy" if texts else "squared"
        if not texts:
            ask_for_loss(table, names[0])
    return (labels if loss in CLASSIFIERS else checked_numbers)(table, names[0]), loss


def target_kind(table, name):
    """number, text or bool."""
    values = table.frame[name]
    table.refuse(name, values.isna().to_numpy(), "has no value", "remove those rows")
    kind = kind_of(table, name)
    if kind == "date":
        raise no_dates(table, name, values.iloc[0], OTHER_TARGET)
    from pandas.api import types

    boolean = types.is_bool_dtype(values) or types.infer_dtype(values) == "boolean"
    return "bool" if boolean else kind


def checked_numbers(table, name):
    """A target of numbers as float64."""
    numbers = numbers_of(table.frame[name]).astype(np.float64)
    table.refuse(name, np.isinf(numbers), "is infinite", "remove those rows")
    return numbers


def ask_for_loss(table, name):
    """Refuse to guess where a few whole numbers may be classes or measurements."""
    distinct = np.unique(checked_numbers(table, name))
    if len(distinct) <= FEW_INTEGERS and (distinct == np.floor(distinct)).all():
        few = ", ".join(f"{v:g}" for v in distinct[:6]) + ", ..." * (len(distinct) > 6)
        raise UsageError(
            f"target {name!r} holds {len(distinct)} different whole numbers ({few}): say --loss "
            "cross_entropy to tell them apart as classes, or --loss squared to predict numbers."
        )


def labels(table, name):
    """A target of classes: booleans, whole numbers or texts."""
    values = table.frame[name]
    kind = target_kind(table, name)
    if kind == "text":
        categories(table, name, len(values), OTHER_TARGET)
        return values.astype(str).to_numpy(str)
    if kind == "bool":
        return values.to_numpy(bool)
    numbers = checked_numbers(table, name)
    broken = numbers != np.floor(numbers)
    table.refuse(
        name,
        broken,
        "is no class label (a whole number, text or boolean)",
        "use --loss squared for measurements",
    )
    return numbers.astype(np.int64)


# ---------------------------------------------------------------- from files to samples


def load(options):
    """What data.make takes of the files that the options name, as a dict.

    The rows of validation_data and test_data come after those of data.

    Raises
    ------
    UsageError
        for options that contradict each other.
    DataError
        for a file or column that cannot be used.
    """
    refuse_columns(options)
    main = read(options["data"])
    others = {part: read(options[name]) for part, name in FILES.items() if options[name]}
    tables = [main, *others.values()]
    roles = {name: options[name] for name in ("weights", "split_column") if options[name]}
    for table in tables:
        find(table, options["target"], "target")
    for role, name in roles.items():
        find(main, [name], role)
    taken = {*options["target"], *roles.values()}
    names = options["features"] or [n for n in main.frame.columns if n not in taken]
    find(main, names, "features")
    y, loss = all_targets(tables, options["target"], options["loss"])
    columns, notices = describe(main, names)
    made = {
        "y": y,
        "loss": loss,
        "columns": columns,
        "split": split_of(main, options["split_column"], others),
        "sample_weight": all_weights(tables, options["weights"]),
        "target_names": options["target"],
        "notices": notices,
    }
    return {**made, "X": all_inputs(tables, columns, options)}


def find(table, names, option):
    """Refuse names that the table does not have."""
    there = list(table.frame.columns)
    for name in names:
        if name not in there:
            hint = " Is its first line the column names?" if any(map(is_number, there)) else ""
            raise DataError(
                f"{option}: {table.name} has no column {name!r}; it has {few(there, 20)}.{hint}"
            )


def all_targets(tables, names, loss):
    """The targets of all tables, one after another, and the loss."""
    y, loss = targets(tables[0], names, loss)
    parts = [y]
    for table in tables[1:]:
        part, _ = targets(table, names, loss)
        if loss in CLASSIFIERS and part.dtype.kind != y.dtype.kind:
            raise DataError(
                f"{table.name}: target {names[0]!r} holds labels such as {part[0]!s} "
                f"({part.dtype}), {tables[0].name} such as {y[0]!s} ({y.dtype})."
            )
        parts.append(part)
    return np.concatenate(parts), loss


def all_weights(tables, name):
    """The sample weights of all tables; a table that has no such column weighs its rows 1."""
    if name is None:
        return None
    there = [name in table.frame.columns for table in tables]
    return np.concatenate(
        [weights(t, name) if has else np.ones(len(t.frame)) for t, has in zip(tables, there)]
    )


def weights(table, name):
    """A column of sample weights."""
    numbers = np.empty((len(table.frame), 1))
    encode_number(table, Column(name, "number"), numbers, "none")
    table.refuse(name, numbers[:, 0] < 0, "is a negative weight", "make it 0 or more")
    return numbers[:, 0]


def split_of(main, name, others):
    """Row numbers of val and test as a column or files of their own give them."""
    n = len(main.frame)
    if name is not None:
        sets = main.frame[name].astype(str).str.strip().str.lower().map(SETS).to_numpy()
        unknown = np.array([not isinstance(s, str) for s in sets])
        main.refuse(name, unknown, "names no set", f"write one of {', '.join(SETS)}")
        return {part: np.flatnonzero(sets == part) for part in FILES}
    ends = n + np.cumsum([0, *(len(table.frame) for table in others.values())])
    return {part: np.arange(*pair) for part, pair in zip(others, itertools.pairwise(ends))}


def all_inputs(tables, columns, options):
    """X of all tables, float32 where nothing would be lost; the frames give up their columns.

    What is going to be scaled, and so written anew, is held column by column: then X takes
    memory as the frames give it up. docs/data.md has the bytes that were measured.
    """
    numbers = [column.name for column in columns if column.kind == "number"]
    kinds = {t.frame[name].dtype.name for t in tables for name in numbers if name in t.frame}
    single = options["dtype"] == "float32" and options["scale"] == "none"
    dtype = np.float32 if single or kinds <= set(SMALL) else np.float64
    ends = np.cumsum([0, *(len(table.frame) for table in tables)])
    d = sum(len(column.inputs()) for column in columns)
    X = np.empty((ends[-1], d), dtype, order="C" if options["scale"] == "none" else "F")
    for table, first, last in zip(tables, ends, ends[1:]):
        encode(table, columns, X[first:last], options["impute"], take=True)
    return X
