"""Predictions of a trained model for a table, and their metrics."""

import os
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from fastnet.data.columns import require_columns, target_values, weight_values
from fastnet.data.tables import Table, read_table, table_of_frame
from fastnet.errors import DataError, FastnetError, UsageError
from fastnet.results.collect import load
from fastnet.results.model import Model
from fastnet.results.reading import read_model

if TYPE_CHECKING:
    import pandas


def load_model(path: str | os.PathLike, member: int | None = None) -> Model:
    """Load the Model in a model.npz or of a run folder.

    Parameters
    ----------
    path : path
        A model.npz under any name, or a run folder.
    member : int, optional
        The number of a member of a run folder; by default the best one's.

    Returns
    -------
    Model

    Raises
    ------
    FastnetError
        when there is nothing at the path.
    UsageError
        for a member that does not exist, or whose weights were not kept.
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
    path = Path(path)
    if not path.exists():
        raise FastnetError(f"no run folder and no model at {path}; `fastnet ls` lists the runs.")
    if path.is_dir() and (member is not None or not (path / "model.npz").exists()):
        return load(path).model(member)
    if member is not None:
        raise UsageError(f"--member chooses one of a run; {path} is a single model.")
    return read_model(path)


def predict(
    model: Model | str | os.PathLike,
    source: Any,
    proba: bool = False,
    threshold: float | str | None = None,
) -> "pandas.DataFrame":
    """Predictions for every row of a table.

    Parameters
    ----------
    model : Model or path
        A path of a run folder or a model.npz.
    source : path, binary file or DataFrame
        The table, as `--data` takes it; columns are matched by name, others are ignored.
    proba : bool
        Also the probability of each class.
    threshold : float, "f1" or "balanced_accuracy", optional
        For two classes: the probability from which the second is predicted, or what the model's
        own threshold was chosen by on the validation rows. By default the likelier class.

    Returns
    -------
    DataFrame
        One column per target, with `proba` then one per class, p_<class>.

    Raises
    ------
    DataError
        for a missing column, an unknown category, a missing value, an unreadable file.
    UsageError
        for proba without classes, and a threshold that the model does not have.

    Examples
    --------
    >>> import pandas, fastnet
    >>> frame = pandas.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.0, 6.0, 8.0]})
    >>> model = fastnet.train(frame[["size"]], frame["y"], n1=2, max_epochs=10).model()
    >>> fastnet.predict(model, frame).shape
    (4, 1)
    """
    import pandas

    model, table = as_model(model), as_table(source)
    if proba and model.classes is None:
        raise UsageError("proba needs a model of classes; this one predicts numbers.")
    threshold = model.threshold(threshold)
    Z2 = model.outputs(table)
    predicted = model.decoded(Z2, threshold).reshape(len(Z2), -1)
    frame = pandas.DataFrame(dict(zip(model.targets, predicted.T)))
    for name, share in zip(model.classes, model.probabilities(Z2).T) if proba else ():
        frame[f"p_{name}"] = share
    return frame


def evaluate(
    model: Model | str | os.PathLike,
    source: Any,
    weights: str | None = None,
    threshold: float | str | None = None,
) -> dict[str, Any]:
    """Loss and metrics of the predictions for a table with known targets.

    Parameters
    ----------
    model : Model or path
        As in `predict`.
    source : path, binary file or DataFrame
        As in `predict`; the table has the target columns, too.
    weights : str, optional
        Column of sample weights.
    threshold : float, "f1" or "balanced_accuracy", optional
        As in `predict`.

    Returns
    -------
    dict
        rows, loss (as in training, scaled) and metrics (in the targets' own units); for classes
        also their labels, the threshold and the confusion matrix, one row per true class.

    Raises
    ------
    DataError
        as `predict`, for a label that was not trained on, and for weights that are all 0.
    UsageError
        for a threshold that the model does not have.

    Examples
    --------
    >>> import pandas, fastnet
    >>> frame = pandas.DataFrame({"size": [1.0, 2.0, 3.0, 4.0], "y": [2.0, 4.0, 6.0, 8.0]})
    >>> model = fastnet.train(frame[["size"]], frame["y"], n1=2, max_epochs=10).model()
    >>> sorted(fastnet.evaluate(model, frame)["metrics"])
    ['baseline', 'mae', 'mape', 'r2', 'rmse']
    """
    model, table = as_model(model), as_table(source)
    threshold = model.threshold(threshold)
    loss = "squared" if model.classes is None else "cross_entropy"
    require_columns(table, model.targets, "target")
    y, _ = target_values(table, model.targets, loss)
    weight = np.ones(len(y))
    if weights is not None:
        require_columns(table, [weights], "weights")
        weight = weight_values(table, weights)
        if not weight.any():
            raise DataError(f"{table.name}: all weights in column {weights!r} are 0.")
    return model.evaluation(table, y, weight, threshold)


def as_model(model: Model | str | os.PathLike) -> Model:
    """A Model, read from its file if a path is given."""
    return model if isinstance(model, Model) else load_model(model)


def as_table(source: "str | os.PathLike | IO[bytes] | pandas.DataFrame") -> Table:
    """A Table of a file or data frame."""
    if hasattr(source, "columns"):
        return table_of_frame(source, "data")
    if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "read"):
        raise UsageError(
            "data must be a path, an open file or a DataFrame, whose columns have names, got "
            f"{type(source).__name__}; predict for an array with model.predict(X)."
        )
    return read_table(source)
