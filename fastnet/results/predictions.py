"""What a trained model says about a table: predictions, and how good they are."""

import numpy as np

from fastnet.data import columns, tables
from fastnet.errors import DataError, UsageError
from fastnet.results import folder as store
from fastnet.results.result import Model


def load_model(path):
    """The Model in a model.npz, or the best one of a run folder.

    Raises
    ------
    FastnetError
        when there is nothing at the path.
    DataError
        when the file or folder is unfinished, broken, or not of fastnet.

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
    return store.open_model(path)


def predict(model, source, proba=False):
    """Predictions for every row of a table.

    Parameters
    ----------
    model : Model or path
        A path of a run folder or a model.npz.
    source : path, binary file or DataFrame
        The table, as `--data` takes it; its columns go by name, others are ignored.
    proba : bool
        Also the probability of each class.

    Returns
    -------
    DataFrame
        A column for each target, with `proba` then one for each class, p_<class>.

    Raises
    ------
    DataError
        for a missing column, an unknown category, a missing value, an unreadable file.
    UsageError
        for proba without classes.
    """
    import pandas

    model, table = opened(model), as_table(source)
    if proba and model.classes is None:
        raise UsageError("proba needs a model of classes; this one predicts numbers.")
    Z2 = model.outputs(table)
    predicted = model.decoded(Z2)
    names = model.targets
    frame = pandas.DataFrame(dict(zip(names, predicted.reshape(len(Z2), -1).T)))
    for name, share in zip(model.classes, model.probabilities(Z2).T) if proba else ():
        frame[f"p_{name}"] = share
    return frame


def evaluate(model, source, weights=None):
    """How good the predictions for a table with known targets are.

    Parameters
    ----------
    model, source
        As in `predict`; the table has the target columns, too.
    weights : str, optional
        Column of sample weights.

    Returns
    -------
    dict
        rows, loss (as in training, scaled), metrics (of metrics.py, in the targets' own units);
        for classes also their names and the confusion matrix: a row for each true class.
    """
    model, table = opened(model), as_table(source)
    loss = "squared" if model.classes is None else "cross_entropy"
    columns.find(table, model.targets, "target")
    y, _ = columns.targets(table, model.targets, loss)
    weight = np.ones(len(y))
    if weights is not None:
        columns.find(table, [weights], "weights")
        weight = columns.weights(table, weights)
        if not weight.any():
            raise DataError(f"{table.name}: all weights in column {weights!r} are 0.")
    return model.evaluation(table, y, weight)


def opened(model):
    """A Model, read from its file where a path is given."""
    return model if isinstance(model, Model) else store.open_model(model)


def as_table(source):
    """A Table of a file or data frame."""
    return tables.Table(source, "data") if hasattr(source, "columns") else tables.read(source)
