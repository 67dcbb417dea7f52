"""Predictions of a trained model for a table, and their metrics."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from fastnet.data.chunks import table_chunks
from fastnet.data.columns import require_columns, target_values, weight_values
from fastnet.data.dialect import Reading, dialect_of, listed, options_of
from fastnet.data.joining import spellings, whole_names
from fastnet.data.numerals import with_numbers
from fastnet.data.tables import Table, read_table, refuse_of_text, table_of_frame
from fastnet.errors import DataError, UsageError, did_you_mean, quoted
from fastnet.options.rules import refuse_marks
from fastnet.options.table import OF_TEXT, check
from fastnet.results import intervals
from fastnet.results.choosing import choose
from fastnet.results.ensemble import Ensemble, checked_quantiles
from fastnet.results.model import Model, Predictor

if TYPE_CHECKING:
    import pandas


def load_model(path: str | os.PathLike, member: int | None = None, n1: int | None = None) -> Model:
    """Load the Model in a model.npz or of a run folder.

    Parameters
    ----------
    path : path
        A model.npz under any name, or a run folder.
    member : int, optional
        The number of a member of a run folder; by default the best one's.
    n1 : int, optional
        The best member of this width, in place of the best of all.

    Returns
    -------
    Model

    Raises
    ------
    FastnetError
        when there is nothing at the path.
    UsageError
        for a member or width that does not exist, for both, and for one whose weights were not
        kept.
    DataError
        when the file or folder is unfinished, broken, or not from fastnet.

    Examples
    --------
    >>> import numpy as np, tempfile, fastnet
    >>> x = np.linspace(-1, 1, 50)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = fastnet.train(x, x**2, n1=3, max_epochs=10, out=folder + "/run")
    ...     model = fastnet.load_model(folder + "/run/model.npz")
    >>> bool((model.predict(x) == result.model().predict(x)).all())
    True
    """
    return choose(path, member, n1).model


def predict(
    model: Predictor | str | os.PathLike,
    source: Any,
    proba: bool = False,
    threshold: Any = None,
    keep: str | Sequence[str] = (),
    std: bool = False,
    quantiles: Sequence[float] = (),
    costs: Any = None,
    interval: float | None = None,
    **text: Any,
) -> "pandas.DataFrame":
    """Predictions for every row of a table, in its order.

    Parameters
    ----------
    model : Model, Ensemble or path
        A path of a run folder or a model.npz.
    source : path, binary file or DataFrame
        The table, as `--data` takes it; columns are matched by name, others are ignored.
    proba : bool
        Also the probability of each class.
    threshold : float, "f1", "balanced_accuracy", dict or str, optional
        As in `Model.predict`; the command line writes a dict as a=0.3,b=f1. By default the
        likelier label is predicted.
    keep : str or sequence of str
        Columns of the table that come before the predictions. Those of a text file that are no
        inputs are texts, as they are written there.
    std : bool
        Of an ensemble: also the standard deviation of its members' predictions.
    quantiles : sequence of float
        Of an ensemble: also these quantiles of its members' predictions.
    costs : dict or str, optional
        As in `Model.predict`: the cost of missing each class, or yes=5,no=1.
    interval : float, optional
        Also intervals that hold the target with this probability; for classes sets of them.
    **text
        Options of text files, where this one is written otherwise than that of the training:
        separator, decimal, thousands, encoding, na_values, no_header, skip_lines, comment, quote.

    Returns
    -------
    DataFrame
        One column per target, with `proba` then one per class, p_<class>; for several targets of
        two labels one for the second of each, p_<target>=<label>. A prediction whose name is that
        of a kept column is called predicted_<name>. Then std, q<share>, lower and upper; with
        several targets each begins with the target's name, and for classes with p_<class>. The
        set of classes is one text, their names with | between them.

    Raises
    ------
    DataError
        for a missing column, an unknown category, a missing value, an unreadable file.
    UsageError
        for proba without classes, std or quantiles without an ensemble, an interval without
        enough validation rows, a threshold or costs that do not suit the model, and kept columns
        with the name of another column of the result.

    Examples
    --------
    >>> import pandas, fastnet
    >>> frame = pandas.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.0, 6.0, 8.0]})
    >>> model = fastnet.train(frame[["size"]], frame["y"], n1=2, max_epochs=10).model()
    >>> fastnet.predict(model, frame).shape
    (4, 1)
    >>> fastnet.predict(model, frame, keep=["y"]).columns.tolist()
    ['y', 'predicted_y']
    """
    import pandas

    asked = proba, threshold, keep, std, quantiles, costs, interval
    parts = list(Predictions(model, source, *asked, **text))
    return parts[0] if len(parts) == 1 else pandas.concat(parts, ignore_index=True)


class Predictions:
    """Predictions of a table part by part, with what is remarkable about its rows.

    Attributes
    ----------
    rows : int
        The rows so far.
    outside_rows : int
        Those of them that lie outside the ranges of the training rows.
    outside : Counter
        The rows outside by the name of the input; a row may be outside in several.

    Parameters
    ----------
    model, source, proba, threshold, keep, std, quantiles, costs, interval, text
        As in `predict`.
    """

    def __init__(
        self,
        model: Predictor | str | os.PathLike,
        source: Any,
        proba: bool = False,
        threshold: Any = None,
        keep: str | Sequence[str] = (),
        std: bool = False,
        quantiles: Sequence[float] = (),
        costs: Any = None,
        interval: float | None = None,
        **text: Any,
    ) -> None:
        self.model = model = as_model(model)
        self.std, self.quantiles = std, checked_quantiles(quantiles)
        if (std or quantiles) and not isinstance(model, Ensemble):
            raise UsageError(
                f"{'std' if std else 'quantiles'} tells how far the members of an ensemble differ; "
                "choose its members, such as top:5."
            )
        self.interval = interval
        if interval is not None:
            intervals.calibration_of(model).quantile(interval)  # refuses before anything is read
        if proba and not has_probabilities(model):
            raise UsageError("proba needs a model of classes; this one predicts numbers.")
        self.rule, self.proba = model.rule(threshold, costs), proba
        self.keep = (keep,) if isinstance(keep, str) else tuple(keep)
        self.shares = [f"p_{name}" for name in model.probability_names()] if proba else []
        inputs = {column.name for column in model.columns} | set(model.features)
        verbatim = [name for name in spellings(self.keep) if name not in inputs]
        self.tables = table_chunks(source, reading_of(model, source, text), verbatim)
        self.rows, self.outside_rows, self.outside = 0, 0, Counter()

    def __iter__(self) -> "Iterator[pandas.DataFrame]":
        """The predictions of some rows after another."""
        with contextlib.closing(self.tables):
            yield from map(self.frame_of, self.tables)

    def frame_of(self, table: Table) -> "pandas.DataFrame":
        """The kept columns and predictions of one part of the table."""
        import pandas

        keep = whole_names(self.keep, table.columns)
        names = self.names_beside(keep)
        require_columns(table, keep, "keep")
        X = self.model.inputs(table)
        self.count(X)
        Z2, beside = self.predicted(X)
        predicted = self.model.decoded(Z2, self.rule).reshape(len(Z2), -1)
        frame = {name: table.columns[name] for name in keep}
        if predicted.dtype == object:  # labels of several kinds: each column has its own
            predicted = pandas.DataFrame(predicted).infer_objects()
            frame |= {name: predicted[j] for j, name in enumerate(names)}
        else:
            frame |= dict(zip(names, predicted.T))
        if self.proba:
            frame |= dict(zip(self.shares, self.model.probabilities(Z2).T))
        return pandas.DataFrame(frame | beside)

    def predicted(self, X: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """z2 of inputs, and the columns that say how sure the predictions are."""
        model, beside = self.model, {}
        if isinstance(model, Ensemble):
            spread = model.spread(X, self.quantiles)
            Z2, std = model.linked(spread.mean), spread.std
            columns = [*([std] if self.std else []), *spread.quantiles]
            beside = dict(zip(self.names_of_spread(), (one for a in columns for one in a.T)))
        else:
            Z2, std = model.outputs(X), None
        return Z2, beside | self.intervals_of(Z2, std)

    def intervals_of(self, Z2: np.ndarray, std: np.ndarray | None) -> dict[str, np.ndarray]:
        """The columns of intervals, or of sets of classes."""
        if self.interval is None:
            return {}
        if self.model.classes is None:
            ends = intervals.limits(self.model, Z2, std, self.interval)
            return dict(zip(self.names_of_intervals(), (one for end in ends for one in end.T)))
        names = np.array([str(label) for label in self.model.classes], object)
        sets = intervals.class_sets(self.model, Z2, self.interval)
        return {"set": np.array(["|".join(names[some]) for some in sets], object)}

    def names_of_intervals(self) -> list[str]:
        """The names of the columns of intervals."""
        if self.interval is None or self.model.classes is not None:
            return ["set"] * (self.interval is not None)
        of = [f"{name}_" for name in self.model.targets] if len(self.model.targets) > 1 else [""]
        return [f"{name}{end}" for end in ("lower", "upper") for name in of]

    def names_of_spread(self) -> list[str]:
        """The names of the columns with the spread of an ensemble."""
        model = self.model
        of = model.targets if len(model.targets) > 1 else [""]
        of = [f"p_{name}" for name in model.probability_names()] if has_probabilities(model) else of
        kinds = ["std"] * self.std + [f"q{share:g}" for share in self.quantiles]
        return [f"{name}_{kind}".strip("_") for kind in kinds for name in of]

    def names_beside(self, keep: Sequence[str]) -> list[str]:
        """The names of the predicted columns beside those that are kept."""
        names = [f"predicted_{n}" if n in keep else n for n in self.model.targets]
        refuse_twice(
            [*keep, *names, *self.shares, *self.names_of_spread(), *self.names_of_intervals()]
        )
        return names

    def count(self, X: np.ndarray) -> None:
        """Count rows, and those outside the ranges of the training rows."""
        outside = self.model.ranges.outside(X)
        self.rows += len(X)
        self.outside_rows += int(outside.any(axis=1).sum())
        counts = outside.sum(axis=0)
        self.outside.update({self.model.features[j]: int(counts[j]) for j in counts.nonzero()[0]})

    def notices(self) -> list[str]:
        """What is remarkable about the rows so far, one line each."""
        if not self.outside_rows:
            return []
        named = [f"{name} ({count:,})" for name, count in self.outside.most_common()]
        return [
            f"{self.outside_rows:,} of {self.rows:,} rows lie outside the ranges of the training "
            f"rows, so their predictions are extrapolated: {listed(named, 5)}."
        ]


def has_probabilities(model: Predictor) -> bool:
    """Whether it predicts classes, or labels of several targets."""
    return model.classes is not None or bool(model.labels)


def refuse_twice(names: Sequence[str]) -> None:
    """Raise a UsageError if the result would have two columns of one name."""
    for name, count in Counter(names).items():
        if count > 1:
            raise UsageError(f"keep: the result would have two columns {name!r}; leave one out.")


def evaluate(
    model: Predictor | str | os.PathLike,
    source: Any,
    weights: str | None = None,
    threshold: Any = None,
    costs: Any = None,
    interval: float | None = None,
    **text: Any,
) -> dict[str, Any]:
    """Loss and metrics of the predictions for a table with known targets.

    Parameters
    ----------
    model : Model, Ensemble or path
        As in `predict`.
    source : path, binary file or DataFrame
        As in `predict`; the table has the target columns, too.
    weights : str, optional
        Column of sample weights.
    threshold, costs : optional
        As in `predict`. With costs, metrics has the mean_cost.
    interval : float, optional
        As in `predict`: how often the intervals hold the target, and how wide they are.
    **text
        As in `predict`.

    Returns
    -------
    dict
        rows, loss (as in training, scaled) and metrics (in the targets' own units); for classes
        also their labels, the threshold, the costs and the confusion matrix, one row per true
        class. With an interval its level, coverage, mean_width and log_likelihood of numbers;
        of classes mean_size and ece.

    Raises
    ------
    DataError
        as `predict`, for a label that was not trained on, and for weights that are all 0.
    UsageError
        for a threshold or costs that do not suit the model, and an interval without enough
        validation rows.

    Examples
    --------
    >>> import pandas, fastnet
    >>> frame = pandas.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.0, 6.0, 8.0]})
    >>> model = fastnet.train(frame[["size"]], frame["y"], n1=2, max_epochs=10).model()
    >>> sorted(fastnet.evaluate(model, frame)["metrics"])
    ['baseline', 'mae', 'mape', 'r2', 'rmse']
    """
    asked = weights, threshold, costs, interval
    return compare({"model": as_model(model)}, source, *asked, **text)["model"]


def compare(
    models: Mapping[str, Predictor],
    source: Any,
    weights: str | None = None,
    threshold: Any = None,
    costs: Any = None,
    interval: float | None = None,
    **text: Any,
) -> dict[str, dict[str, Any]]:
    """What `evaluate` finds for each of several models of one run, by their names."""
    for one in models.values() if interval is not None else ():
        intervals.calibration_of(one).quantile(interval)  # refuses before anything is read
    model, *_ = models.values()
    table = as_table(source, model, **text)
    rule = model.rule(threshold, costs)
    y = known_targets(table, model)
    weight = np.ones(len(y))
    if not isinstance(weights, (str, type(None))):
        raise UsageError(f"weights must be the name of a column, got {quoted(weights)}.")
    if weights is not None:
        require_columns(table, [weights], "weights")
        weight = weight_values(table, weights)
        if not weight.any():
            raise DataError(f"{table.name}: all weights in column {weights!r} are 0.")
    asked = table, y, weight, rule, interval
    return {name: one.evaluation(*asked) for name, one in models.items()}


def known_targets(table: Table, model: Predictor) -> np.ndarray:
    """The targets of a table (n,) or (n, k): numbers, class labels, or labels as 0 and 1."""
    loss = "squared" if model.classes is None else "cross_entropy"
    require_columns(table, model.targets, "target")
    y, _ = target_values(table, model.targets, model.loss if model.labels else loss, model.labels)
    return y


def as_model(model: Predictor | str | os.PathLike) -> Predictor:
    """A Model or Ensemble; the Model is read from its file if a path is given."""
    return model if isinstance(model, Predictor) else load_model(model)


def as_table(
    source: "str | os.PathLike | IO[bytes] | pandas.DataFrame", model: Predictor, **text: Any
) -> Table:
    """A Table of a data frame or of a file, which is read as the model, or the text, says."""
    reading = reading_of(model, source, text)
    if hasattr(source, "columns"):
        return with_numbers(table_of_frame(source, "data"), reading.writings)
    return with_numbers(read_table(source, reading=reading), reading.writings)


def reading_of(model: Predictor, source: Any, text: Mapping[str, Any]) -> Reading:
    """How a table is read: as the model was told, but for the options in `text`."""
    reading = model.schema.reading
    for name in text:
        if name not in OF_TEXT:
            raise UsageError(
                f"unknown option {name!r}; those of text files are {', '.join(OF_TEXT)}."
                f"{did_you_mean(name, OF_TEXT)}"
            )
    if not text:
        return reading
    text = {name: check(name, value) for name, value in text.items()}
    told = {**options_of(reading.dialect), **text}
    refuse_marks(told)
    refuse_of_text(text, source)
    reading = reading._replace(dialect=dialect_of(told))
    if not {"decimal", "thousands"} & text.keys():
        return reading
    numbers = [name for name in model.features if not model.columns]
    numbers += [column.name for column in model.columns if column.kind == "number"]
    numbers += [name for name in model.targets if not has_probabilities(model)]
    return reading._replace(writings={name: reading.writing(name) for name in numbers})
