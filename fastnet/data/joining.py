"""The tables of a run, joined into the arrays that make_data takes."""

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.columns import (
    SEVERAL_LABELS,
    SMALL,
    Labels,
    describe_inputs,
    encode_inputs,
    group_values,
    kind_of,
    label_pairs,
    order_values,
    require_columns,
    target_values,
    weight_values,
)
from fastnet.data.dialect import Reading, Writing, dialect_of, listed, plain_name
from fastnet.data.levels import orders_of, rules_of
from fastnet.data.numerals import find_writings, with_numbers
from fastnet.data.remarks import Remark, remarks_of, sentences
from fastnet.data.schema import NUMERIC, Column
from fastnet.data.tables import Table, read_table, refuse_of_text
from fastnet.errors import DataError, UsageError
from fastnet.options.methods import CLASSIFIERS
from fastnet.options.rules import (
    COLUMNS,
    refuse_columns,
    refuse_files,
    refuse_marks,
)

# Options of several columns.
LISTS = ("target", "features", "exclude", "categorical", "numeric", "strip_units")
MOST_PARTS = 12  # of a name with commas
FILES = {"val": "validation_data", "test": "test_data"}
# The words for the sets in a split column.
WORDS = {"train": "train", "val": "val", "validation": "val", "test": "test"}


class Joined(NamedTuple):
    """The first table of a run, read, and what its columns are for.

    Attributes
    ----------
    main : Table
    options : dict
        With the names of columns as the table has them.
    names : list of str
        The columns to learn from.
    writings : dict
        How the numbers of columns are written that pandas reads as texts: a Writing by name.
    doubts : dict
        The error for each column whose numbers can be read in several ways.
    """

    main: Table
    options: Mapping[str, Any]
    names: Sequence[str]
    writings: Mapping[str, Writing]
    doubts: Mapping[str, DataError]


def join_files(options: Mapping[str, Any], main: Table | None = None) -> Joined:
    """Read the first table; it must have every column that the options name.

    `main` replaces the file of `data`.

    Raises
    ------
    UsageError
        for options that contradict each other.
    DataError
        for a file that cannot be read, or without a column.
    """
    refuse_files(options)
    refuse_marks(options)
    refuse_of_text(options, options["data"] if main is None else main)
    if main is None:
        texts, numbers = (frozenset(spellings(options[n])) for n in ("categorical", "numeric"))
        texts |= orders_of(options["ordinal"]).keys()
        main = read_table(options["data"], reading=Reading(dialect_of(options), texts, numbers))
    options = with_columns(options, main)
    names = input_names(options, main)
    refuse_orders(options, names)
    used = [*names, *options["target"], *[options["weights"]] * bool(options["weights"])]
    return joined_in_numbers(main, options, names, used)


def joined_in_numbers(
    main: Table, options: Mapping[str, Any], names: Sequence[str], used: Sequence[str]
) -> Joined:
    """The first table with numbers for the texts in the `used` columns that are written so."""
    units, numeric = options["strip_units"], {*options["numeric"], *options["strip_units"]}
    texts = {*options["categorical"], *orders_of(options["ordinal"])}
    used = [name for name in used if name not in texts]
    found, notices, doubts = find_writings(main, used, dialect_of(options), units, numeric)
    main = with_numbers(main, found)
    main = main._replace(notices=(*main.notices, *notices))
    return Joined(main, options, names, found, doubts)


def samples_of(joined: Joined) -> tuple[dict[str, Any], list[Remark]]:
    """The arguments of make_data, and what is remarkable about the first table.

    The rows of validation_data and test_data come after those of data. The tables give up their
    columns.

    Raises
    ------
    UsageError, DataError
        for columns that cannot be used, and for other files that cannot.
    """
    main, options = joined.main, joined.options
    for doubt in joined.doubts.values():
        raise doubt
    several = len(options["target"]) > 1 and loss_of(options) == SEVERAL_LABELS
    labels = label_pairs(main, options["target"]) if several else ()
    y, loss = target_values(main, options["target"], loss_of(options), labels)
    if not joined.names:
        raise no_inputs(options, main)
    columns, notices = describe_inputs(main, joined.names, rules_of(options))
    remarks = remarks_of(main, columns, options["target"], y, loss)
    texts = texts_of(main, columns, options["target"])
    known = Reading(dialect_of(options), texts, known=True, writings=joined.writings)
    others = {n: read_table(options[f], reading=known) for n, f in FILES.items() if options[f]}
    others = {n: with_numbers(table, joined.writings) for n, table in others.items()}
    tables = [main, *others.values()]
    for table in others.values():
        require_columns(table, options["target"], "target")
    made = {
        "y": all_targets(y, tables, options["target"], loss, labels),
        "labels": labels,
        "loss": loss,
        "columns": columns,
        "split": split_of(main, options["split_column"], others),
        "sample_weight": all_weights(tables, options["weights"]),
        "group": keys_of(tables, options["group"], group_values),
        "order": keys_of(tables, options["order"], order_values),
        "target_names": options["target"],
        "notices": (*notices, *sentences(remarks)),
        "reading": known,
    }
    return {**made, "X": all_inputs(tables, columns, options)}, remarks


# ---------------------------------------------------------------- names of columns


def with_columns(options: Mapping[str, Any], main: Table) -> dict[str, Any]:
    """The options with the names of columns as the table has them; refused if it lacks one."""
    found = dict(options)
    for name in LISTS:
        found[name] = whole_names(options[name], main.columns)
    for name in COLUMNS:
        found[name] = None if options[name] is None else plain_name(options[name])
    refuse_columns(found)
    for name in (*LISTS, *COLUMNS):
        own = found[name] if name in LISTS else [found[name]] * (found[name] is not None)
        require_columns(main, own, name)
    require_columns(main, list(orders_of(options["ordinal"])), "ordinal")
    return found


def whole_names(parts: Sequence[str], there: Collection[str]) -> tuple[str, ...]:
    """Names from the parts of a list; a name with commas is put together again.

    Examples
    --------
    >>> whole_names(("strength(MPa", " 28 d)", "age"), {"strength(MPa, 28 d)", "age"})
    ('strength(MPa, 28 d)', 'age')
    """
    names, first = [], 0
    while first < len(parts):
        ends = range(min(len(parts), first + MOST_PARTS), first, -1)
        some = {end: plain_name(",".join(parts[first:end])) for end in ends}
        end = next((end for end in ends if some[end] in there), first + 1)
        names.append(some[end])
        first = end
    return tuple(names)


def spellings(parts: Sequence[str]) -> Iterator[str]:
    """All names that the parts of a list can stand for, before the table is known."""
    for first in range(len(parts)):
        for end in range(first + 1, min(len(parts), first + MOST_PARTS) + 1):
            yield plain_name(",".join(parts[first:end]))


def refuse_orders(options: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse an order of levels for what is no input, or has another type by an option."""
    for name in orders_of(options["ordinal"]):
        others = [n for n in ("categorical", "numeric", "strip_units") if name in options[n]]
        if others:
            raise UsageError(f"ordinal and {others[0]} name the column {name!r}; one of them can.")
        if name not in names:
            raise UsageError(f"ordinal names the column {name!r}, which is not an input.")


def input_names(options: Mapping[str, Any], main: Table) -> list[str]:
    """The columns to learn from: as named, else all that have no other purpose."""
    taken = {*options["target"], *options["exclude"], *(options[name] for name in COLUMNS)}
    return list(options["features"]) or [n for n in main.columns if n not in taken]


def no_inputs(options: Mapping[str, Any], main: Table) -> DataError:
    """The error for a table all of whose columns have another purpose."""
    used = [name for name in ("target", "exclude", *COLUMNS) if options[name]]
    return DataError(
        f"{main.name} has no column to learn from: {', '.join(used)} take{'s' * (len(used) == 1)} "
        f"all of its columns ({listed(list(main.columns))})."
    )


def texts_of(main: Table, columns: Sequence[Column], targets: Sequence[str]) -> frozenset[str]:
    """The columns whose cells are texts, in other files as well."""
    texts = {column.name for column in columns if column.kind not in NUMERIC}
    return frozenset(texts | {name for name in targets if kind_of(main, name) == "text"})


def loss_of(options: Mapping[str, Any]) -> str | None:
    """The loss as given, or by what is said of a single target."""
    if options["loss"] is not None or len(options["target"]) > 1:
        return options["loss"]
    said = {"categorical": "cross_entropy", "numeric": "squared"}
    return next(
        (loss for name, loss in said.items() if options["target"][0] in options[name]), None
    )


# ---------------------------------------------------------------- columns of all tables


def all_targets(
    y: np.ndarray, tables: Sequence[Table], names: Sequence[str], loss: str, labels: Labels = ()
) -> np.ndarray:
    """The targets of all tables, one after another; y are those of the first."""
    parts = [y]
    for table in tables[1:]:
        part, _ = target_values(table, names, loss, labels)
        kinds = {part.dtype.kind, y.dtype.kind}
        if loss in CLASSIFIERS and len(kinds) > 1 and kinds != {"i", "u"}:
            raise DataError(
                f"{table.name}: target {names[0]!r} holds labels such as {part[0]!s} "
                f"({part.dtype}), {tables[0].name} such as {y[0]!s} ({y.dtype})."
            )
        parts.append(part)
    if {part.dtype.kind for part in parts} == {"i", "u"}:  # together they would be floats
        parts = [part.astype(object) for part in parts]
    return np.concatenate(parts)


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
    numbers = [column.name for column in columns if column.kind in NUMERIC]
    kinds = {t.columns[n].dtype for t in tables for n in numbers if n in t.columns}
    kinds = {dtype.name for dtype in kinds}
    kinds |= {"float64"} if any(column.kind == "date" for column in columns) else set()
    single = options["dtype"] == "float32" and options["scale"] == "none"
    dtype = np.float32 if single or kinds <= set(SMALL) else np.float64
    ends = np.cumsum([0, *(table.rows for table in tables)])
    d = sum(len(column.inputs()) for column in columns)
    X = np.empty((ends[-1], d), dtype, order="C" if options["scale"] == "none" else "F")
    for table, first, last in zip(tables, ends, ends[1:]):
        encode_inputs(table, columns, X[first:last], options["impute"], take=True)
    return X
