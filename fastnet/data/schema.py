"""The meaning of a network's inputs and outputs: facts that data, models and results share.

The Data of a run, every Model and the Result have a Schema. It is written to config.json and
model.npz; both forms are made and read only here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.dialect import MARKS_IN_WORDS, Dialect, Reading, Writing, listed
from fastnet.data.scaling import Limits, Ranges, Scaling
from fastnet.errors import quoted
from fastnet.options.methods import CLASSIFIERS, LOSSES, SIGMOID
from fastnet.shapes import COUNT, FLAG, NUMBER, TEXT, Absent, Leaf, Maybe, misfit, one_of

NUMERIC = ("number", "boolean")  # kinds of columns whose cells are no texts
# The numbers that stand for a date, in UTC; the hour has fractions, Monday is weekday 0.
DATE_PARTS = ("seconds", "year", "month", "day_of_year", "weekday", "hour")


class Column(NamedTuple):
    """A column of a table that a model was trained on.

    Attributes
    ----------
    name : str
    kind : {"number", "boolean", "category", "ordinal", "date"}
    categories : tuple of str
        The categories in the order of their one-hot inputs, or of their numbers; for a date those
        of DATE_PARTS that are inputs; empty for a number and a boolean.
    fill : float, str or None
        The number or level that replaces a missing one; None if missing ones are refused.
    shares : bool
        Whether levels that are not among the categories are allowed: they are the level "other",
        or none of the levels if there is no such one.

    Examples
    --------
    >>> Column("colour", "category", ("blue", "red")).inputs()
    ('colour=blue', 'colour=red')
    """

    name: str
    kind: str
    categories: tuple = ()
    fill: float | str | None = None
    shares: bool = False

    @property
    def number_fill(self) -> float | None:
        """The number that replaces a missing one; None for categories."""
        return None if isinstance(self.fill, str) else self.fill

    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that the column becomes: one per category or part, or its own."""
        if self.kind == "ordinal":
            return (self.name,)
        if self.kind == "date":
            return tuple(f"{self.name}.{part}" for part in self.categories)
        return tuple(f"{self.name}={c}" for c in self.categories) or (self.name,)


# Shapes of the JSON in config.json: the fields of a Column, and those of a Schema.
FILL = Leaf("a number or a text", lambda v: NUMBER.accepts(v) or TEXT.accepts(v))
LABELS = Leaf(
    "a list of texts, of integers or of booleans",
    lambda value: isinstance(value, list) and set(map(label_kind, value)) in LABEL_KINDS,
)
LABEL_KINDS = ({"text"}, {"integer"}, {"boolean"})
LABEL_DTYPE = Leaf(
    "the dtype of texts, integers or booleans",
    lambda value: isinstance(value, str) and re.fullmatch(r"[<>|=][Uiub]\d{1,6}", value),
)
COLUMN = (TEXT, one_of((*NUMERIC, "category", "ordinal", "date")), [TEXT], Maybe(FILL), FLAG)
MARK = Leaf(
    "a character or auto", lambda v: TEXT.accepts(v) and (len(v) == 1 or v in MARKS_IN_WORDS)
)
DIALECT = {
    **dict.fromkeys(("separator", "decimal", "thousands"), MARK),
    "encoding": TEXT,
    "na_values": Maybe([TEXT]),
    "no_header": FLAG,
    "skip_lines": COUNT,
    **dict.fromkeys(("comment", "quote"), Maybe(MARK)),
}
SHAPE = {
    "loss": one_of(LOSSES),
    "labels": [LABELS],
    "features": [TEXT],
    "classes": Maybe(LABELS),
    "classes_dtype": Absent(Maybe(LABEL_DTYPE)),
    "targets": [TEXT],
    "columns": [COLUMN],
    "scaling": {name: [NUMBER] for name in Scaling._fields},
    "ranges": {name: [NUMBER] for name in Ranges._fields},
    "limits": Maybe({name: [NUMBER] for name in Limits._fields}),
    "dialect": DIALECT,
    "writings": {str: (MARK, TEXT, TEXT)},
    "examples": [[NUMBER]],
}
EXAMPLES, EXAMPLE_NUMBERS = 8, 4096  # rows kept as examples, at most, and their numbers


def examples_of(X: np.ndarray, sets: Mapping[str, np.ndarray]) -> np.ndarray:
    """Some rows of X without missing numbers, evenly spaced in the test set, or else the
    validation or training set.

    Examples
    --------
    >>> X = np.arange(40.0).reshape(20, 2)
    >>> sets = {"train": np.arange(4), "val": np.arange(4, 20), "test": np.arange(0)}
    >>> examples_of(X, sets)[:, 0].tolist()
    [8.0, 12.0, 16.0, 20.0, 26.0, 30.0, 34.0, 38.0]
    """
    rows = next((sets[name] for name in ("test", "val") if len(sets[name])), sets["train"])
    rows = rows[np.isfinite(X[rows]).all(axis=1)]
    count = min(EXAMPLES, max(1, EXAMPLE_NUMBERS // X.shape[1]), len(rows))
    places = np.linspace(0, len(rows) - 1, count).round().astype(int)
    return X[rows[places]].astype(np.float64)


def label_kind(label: Any) -> str:
    """What kind of class label it is."""
    if isinstance(label, bool):
        return "boolean"
    if isinstance(label, int) and -(2**63) <= label < 2**64:
        return "integer"
    return "text" if isinstance(label, str) else "none"


class Schema(NamedTuple):
    """The meaning of a network's d inputs and k outputs.

    Attributes
    ----------
    loss : str
        A name of options.LOSSES.
    classes : ndarray of shape (n_classes,) or None
        Labels in the order of the outputs, sorted; None if the targets are numbers, or several of
        two labels each.
    features : tuple of str
        Names of the d inputs.
    columns : tuple of Column
        Columns of the table that the inputs come from; empty if they come from an array.
    scaling : Scaling
        How inputs and numeric targets are scaled.
    targets : tuple of str
        Names of what is predicted: one per output, or one for the class.
    ranges : Ranges
        Ranges of the inputs in the training rows, and the mean of the targets there.
    dialect : Dialect
        How text files are written.
    writings : dict
        For columns whose numbers are not written plainly, how they are: a Writing by name.
    labels : tuple of pairs
        For several targets of two labels, those of each: an output is the logit of the second.
    examples : ndarray of shape (n, d)
        Inputs of a few rows, before scaling, held out if any were: exports test themselves on them.
    limits : Limits or None
        Where inputs are cut; None if they are not.

    Examples
    --------
    >>> from fastnet.data.scaling import no_scaling, ranges_of
    >>> ranges = ranges_of(np.eye(2), np.ones((2, 1)), np.ones(2), np.arange(2))
    >>> schema = Schema("squared", None, ("x0", "x1"), (), no_scaling(2, 1), ("y",), ranges)
    >>> Schema.from_config(schema.to_config()).features
    ('x0', 'x1')
    """

    loss: str
    classes: np.ndarray | None
    features: tuple[str, ...]
    columns: tuple[Column, ...]
    scaling: Scaling
    targets: tuple[str, ...]
    ranges: Ranges
    dialect: Dialect = Dialect()
    writings: Mapping[str, Writing] = {}  # never changed; a read-only one could not be pickled
    labels: tuple[tuple[Any, Any], ...] = ()
    examples: np.ndarray = np.empty((0, 0))
    limits: Limits | None = None

    @property
    def reading(self) -> Reading:
        """How a table of new rows is read: types come from here, never from its values."""
        texts = {column.name for column in self.columns if column.kind not in NUMERIC}
        if self.classes is not None and self.classes.dtype.kind == "U":
            texts |= {*self.targets}
        texts |= {name for name, pair in zip(self.targets, self.labels) if isinstance(pair[0], str)}
        return Reading(self.dialect, frozenset(texts), known=True, writings=self.writings)

    def to_config(self) -> dict[str, Any]:
        """The schema as JSON values, as written in config.json."""
        return {
            "loss": self.loss,
            "features": list(self.features),
            "classes": None if self.classes is None else self.classes.tolist(),
            "classes_dtype": None if self.classes is None else self.classes.dtype.str,
            "targets": list(self.targets),
            "labels": self.labels,
            "columns": self.columns,
            "scaling": lists_of(self.scaling),
            "ranges": lists_of(self.ranges),
            "limits": None if self.limits is None else lists_of(self.limits),
            "dialect": self.dialect._asdict(),
            "writings": dict(self.writings),
            "examples": self.examples.tolist(),
        }

    @classmethod
    def from_config(cls, config: Mapping) -> "Schema":
        """The schema in a config.json; KeyError, TypeError or ValueError if it has none."""
        classes = config["classes"]
        return cls(
            loss=config["loss"],
            classes=None if classes is None else np.array(classes, config.get("classes_dtype")),
            features=tuple(config["features"]),
            columns=columns_from_json(config["columns"]),
            scaling=arrays_from(Scaling, config["scaling"]),
            targets=tuple(config["targets"]),
            ranges=arrays_from(Ranges, config["ranges"]),
            limits=None if config["limits"] is None else arrays_from(Limits, config["limits"]),
            dialect=dialect_from_json(config["dialect"]),
            writings=writings_from_json(config["writings"]),
            labels=tuple(map(tuple, config["labels"])),
            examples=examples_from(config["examples"], len(config["features"])),
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The schema as arrays without pickles, as written in model.npz."""
        arrays = {
            "features": np.array(self.features),
            "targets": np.array(self.targets, np.str_),
            "columns": np.array(json.dumps(self.columns)),
            "dialect": np.array(json.dumps(self.dialect._asdict())),
            "writings": np.array(json.dumps(dict(self.writings))),
            "labels": np.array(json.dumps(self.labels)),
            "examples": self.examples,
            **self.scaling._asdict(),
            **self.ranges._asdict(),
            **({} if self.limits is None else self.limits._asdict()),
        }
        if self.classes is not None:
            arrays["classes"] = self.classes
        return {**arrays, "loss": np.array(self.loss)}

    @classmethod
    def from_arrays(cls, arrays: Mapping) -> "Schema":
        """The schema in a model.npz; KeyError, TypeError or ValueError if it has none."""
        names = ("columns", "dialect", "writings", "labels")
        told = {name: json.loads(str(arrays[name])) for name in names}
        wrong = misfit(told, {name: SHAPE[name] for name in told})
        if wrong:
            raise ValueError(wrong)
        return cls(
            loss=str(arrays["loss"]),
            classes=arrays.get("classes"),
            features=tuple(str(name) for name in arrays["features"]),
            targets=tuple(str(name) for name in arrays["targets"]),
            columns=columns_from_json(told["columns"]),
            scaling=arrays_from(Scaling, arrays),
            ranges=arrays_from(Ranges, arrays),
            limits=arrays_from(Limits, arrays) if "x_least" in arrays else None,
            dialect=dialect_from_json(told["dialect"]),
            writings=writings_from_json(told["writings"]),
            labels=tuple(map(tuple, told["labels"])),
            examples=examples_from(arrays["examples"], len(arrays["features"])),
        )

    def sizes(self) -> dict[str, int]:
        """The numbers of inputs, d, and of outputs, k."""
        return {"d": len(self.scaling.x_shift), "k": len(self.scaling.y_shift)}

    def misfits(self) -> Iterator[str]:
        """The contradictions between its parts, one text each."""
        d, k = len(self.features), len(self.scaling.y_shift)
        yield from self.misfits_of_classes(k)
        sizes = {"x_shift": d, "x_scale": d, "y_shift": k, "y_scale": k, "x_low": d, "x_high": d}
        sizes["y_mean"] = k if self.classes is None else len(self.classes)
        sizes |= dict.fromkeys(Limits._fields, d)
        limits = {} if self.limits is None else self.limits._asdict()
        for name, array in {**self.scaling._asdict(), **self.ranges._asdict(), **limits}.items():
            if array.shape != (sizes[name],):
                yield f"{name} has shape {array.shape}, not ({sizes[name]},)"
            elif not np.isfinite(array).all() or (name.endswith("scale") and (array <= 0).any()):
                yield f"{name} has values that cannot be, such as {array.min():g}"
        if self.examples.shape[1:] != (d,) and self.examples.size:
            yield f"its examples have shape {self.examples.shape}, not (n, {d})"
        least, most = limits.values() if limits else (np.zeros(d), np.zeros(d))
        if least.shape == most.shape and (least > most).any():
            yield "an x_least is above its x_most"
        inputs = sum(len(column.inputs()) for column in self.columns)
        if self.columns and inputs != d:
            yield f"its columns make {inputs} inputs, its features name {d}"
        odd = [c for c in self.columns if c.kind == "date" and {*c.categories} - {*DATE_PARTS}]
        if odd:
            yield f"column {odd[0].name!r} has the unknown parts {listed(odd[0].categories)}"
        wanted = k if self.classes is None else 1
        if len(self.targets) != wanted:
            yield f"it names {len(self.targets)} targets, not {wanted}"

    def misfits_of_classes(self, k: int) -> Iterator[str]:
        """A loss that is unknown, or that does not fit the classes and the k outputs."""
        if self.loss not in LOSSES:
            yield f"it has the unknown loss {quoted(self.loss)}"
        elif self.loss not in CLASSIFIERS:
            if self.classes is not None or self.labels:
                yield f"it has classes, and loss {self.loss} has none"
        elif self.labels:
            yield from self.misfits_of_labels(k)
        elif self.classes is None:
            yield f"it has no classes, and loss {self.loss} needs them"
        elif self.classes.shape != (max(k, 2),) or self.classes.dtype.kind not in "Uiub":
            yield f"its classes have shape {self.classes.shape}, its outputs need {(max(k, 2),)}"
        elif LOSSES[self.loss].link == SIGMOID and k != 1:
            yield f"loss {self.loss} has 1 output, not {k}"

    def misfits_of_labels(self, k: int) -> Iterator[str]:
        """Labels of several targets that are not those of k outputs with two labels each."""
        if self.classes is not None or LOSSES[self.loss].link != SIGMOID:
            yield f"it has labels of several targets beside classes or loss {self.loss}"
        elif len(self.labels) != k or k < 2:
            yield f"it has labels of {len(self.labels)} targets, and {k} outputs"
        for pair in self.labels:
            if len(pair) != 2 or pair[0] == pair[1]:
                yield f"it has a target with the labels {list(pair)}, not two"


def lists_of(arrays: Any) -> dict[str, list]:
    """A Scaling, Ranges or Limits as lists by name."""
    return {name: array.tolist() for name, array in arrays._asdict().items()}


def dialect_from_json(facts: Mapping) -> Dialect:
    """A Dialect from the facts that JSON makes of it."""
    missing = facts["na_values"]
    return Dialect(**{**facts, "na_values": None if missing is None else tuple(missing)})


def writings_from_json(facts: Mapping) -> dict[str, Writing]:
    """Writings from the lists that JSON makes of them."""
    return {name: Writing(*values) for name, values in facts.items()}


def columns_from_json(rows: list) -> tuple[Column, ...]:
    """Columns from the lists that JSON makes of them."""
    return tuple(Column(name, kind, tuple(levels), *rest) for name, kind, levels, *rest in rows)


def examples_from(rows: Any, d: int) -> np.ndarray:
    """Examples from lists or an array; none of them still have d inputs."""
    return np.asarray(rows, np.float64) if len(rows) else np.empty((0, d))


def arrays_from(kind: Any, arrays: Mapping) -> Any:
    """A Scaling, Ranges or Limits from its arrays or lists by name."""
    return kind(*(np.asarray(arrays[name], np.float64) for name in kind._fields))


class Described:
    """A class with a `schema`, whose facts are attributes of the class, too."""

    __slots__ = ()
    schema: Schema

    @property
    def loss(self) -> str:
        """Name of the loss."""
        return self.schema.loss

    @property
    def classes(self) -> np.ndarray | None:
        """Class labels in the order of the outputs; None if the targets are numbers."""
        return self.schema.classes

    @property
    def labels(self) -> tuple[tuple[Any, Any], ...]:
        """For several targets of two labels, the labels of each; else empty."""
        return self.schema.labels

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return self.schema.features

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the table that the inputs come from; empty for an array."""
        return self.schema.columns

    @property
    def scaling(self) -> Scaling:
        """How inputs and numeric targets are scaled."""
        return self.schema.scaling

    @property
    def limits(self) -> Limits | None:
        """Where inputs are cut before they are scaled; None if they are not."""
        return self.schema.limits

    @property
    def ranges(self) -> Ranges:
        """Ranges of the inputs in the training rows, and the mean of the targets there."""
        return self.schema.ranges

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of what is predicted."""
        return self.schema.targets

    @property
    def dialect(self) -> Dialect:
        """How text files are written."""
        return self.schema.dialect

    @property
    def examples(self) -> np.ndarray:
        """Inputs of a few rows, before scaling; shape (n, d)."""
        return self.schema.examples

    @property
    def writings(self) -> Mapping[str, Writing]:
        """How numbers are written that are not written plainly."""
        return self.schema.writings
