"""The meaning of a network's inputs and outputs: facts that data, models and results share.

The Data of a run, every Model and the Result have a Schema. It is written to config.json and
model.npz; both forms are made and read only here.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastnet.data.scaling import Ranges, Scaling


class Column(NamedTuple):
    """A column of a table that a model was trained on.

    Attributes
    ----------
    name : str
    kind : {"number", "category"}
    categories : tuple of str
        The categories in the order of their one-hot inputs; empty for a number.
    fill : float or None
        The number that replaces a missing one; None if missing numbers are refused.

    Examples
    --------
    >>> Column("colour", "category", ("blue", "red")).inputs()
    ('colour=blue', 'colour=red')
    """

    name: str
    kind: str
    categories: tuple = ()
    fill: float | None = None

    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that the column becomes: one per category, one for a number."""
        return tuple(f"{self.name}={c}" for c in self.categories) or (self.name,)


class Schema(NamedTuple):
    """The meaning of a network's d inputs and k outputs.

    Attributes
    ----------
    loss : str
        A name of options.LOSSES.
    classes : ndarray of shape (n_classes,) or None
        Labels in the order of the outputs, sorted; None if the targets are numbers.
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

    def to_config(self) -> dict[str, Any]:
        """The schema as JSON values, as written in config.json."""
        return {
            "loss": self.loss,
            "features": list(self.features),
            "classes": None if self.classes is None else self.classes.tolist(),
            "classes_dtype": None if self.classes is None else self.classes.dtype.str,
            "targets": list(self.targets),
            "columns": self.columns,
            "scaling": {name: array.tolist() for name, array in self.scaling._asdict().items()},
            "ranges": {name: array.tolist() for name, array in self.ranges._asdict().items()},
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
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """The schema as arrays without pickles, as written in model.npz."""
        arrays = {
            "features": np.array(self.features),
            "targets": np.array(self.targets, np.str_),
            "columns": np.array(json.dumps(self.columns)),
            **self.scaling._asdict(),
            **self.ranges._asdict(),
        }
        if self.classes is not None:
            arrays["classes"] = self.classes
        return {**arrays, "loss": np.array(self.loss)}

    @classmethod
    def from_arrays(cls, arrays: Mapping) -> "Schema":
        """The schema in a model.npz; KeyError, TypeError or ValueError if it has none."""
        return cls(
            loss=str(arrays["loss"]),
            classes=arrays.get("classes"),
            features=tuple(str(name) for name in arrays["features"]),
            targets=tuple(str(name) for name in arrays["targets"]),
            columns=columns_from_json(json.loads(str(arrays["columns"]))),
            scaling=arrays_from(Scaling, arrays),
            ranges=arrays_from(Ranges, arrays),
        )


def columns_from_json(rows: list) -> tuple[Column, ...]:
    """Columns from the lists that JSON makes of them."""
    return tuple(Column(name, kind, tuple(kinds), fill) for name, kind, kinds, fill in rows)


def arrays_from(kind: Any, arrays: Mapping) -> Any:
    """A Scaling or Ranges from its arrays or lists by name."""
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
    def ranges(self) -> Ranges:
        """Ranges of the inputs in the training rows, and the mean of the targets there."""
        return self.schema.ranges

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of what is predicted."""
        return self.schema.targets
