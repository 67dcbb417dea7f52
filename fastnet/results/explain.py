"""What a network looks at: permutation importance, partial dependence, sensitivity.

The *importance* of a column is by how much the error rises when its values are shuffled among the
rows (Breiman 2001, section 10), so it is measured on rows that did not train. A category or a date
is shuffled as the one column that it is. The *partial dependence* on a column is the mean
prediction over all rows if the column has one value in all of them (Friedman 2001, section 8.2).
The *sensitivity* to an input is the mean size of the exact slope, times the input's standard
deviation.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnet import reference
from fastnet.data.checks import as_array, as_one_hot, encoded_targets, one_hot
from fastnet.data.dialect import listed
from fastnet.data.scaling import scaled
from fastnet.data.schema import Column
from fastnet.data.sources import Samples, run_samples
from fastnet.errors import DataError, UsageError, quoted
from fastnet.files import json_value
from fastnet.results import jacobian
from fastnet.results.collect import load
from fastnet.results.model import Model, Predictor
from fastnet.results.predictions import as_table, known_targets, load_model
from fastnet.results.result import Result
from fastnet.results.verdict import JUDGES

if TYPE_CHECKING:
    import pandas

REPEATS, CURVES = 10, 4  # shuffles of each column; columns whose dependence is shown
MOST_ROWS = 10_000  # rows that judge; of more, as many are drawn
GRID = 25  # values of a column at which its dependence is computed
WHERE = {**JUDGES, "data": "given"}
METRIC = {"rmse": "RMSE", "relative_rmse": "RMSE / sd", "log_loss": "log loss"}


class Rows(NamedTuple):
    """Rows that a model is explained on.

    Attributes
    ----------
    where : {"train", "val", "test", "data"}
        The set that they are of; data was given.
    X : ndarray of shape (n, d)
        Inputs before scaling.
    Y : ndarray of shape (n, k)
        Numbers in their own units, one-hot classes, or labels as 0 and 1.
    notices : tuple of str
    """

    where: str
    X: np.ndarray
    Y: np.ndarray
    notices: tuple[str, ...] = ()


class Part(NamedTuple):
    """A column of a table and the inputs that it became; an array's inputs are columns.

    Attributes
    ----------
    column : Column
    inputs : slice
        Its inputs among the features.
    """

    column: Column
    inputs: slice


def explain(
    model: "Model | Result | str | os.PathLike",
    data: "str | os.PathLike | pandas.DataFrame | tuple[Any, Any] | None" = None,
    *,
    member: int | None = None,
    n1: int | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
    curves: int = CURVES,
) -> dict[str, Any]:
    """What a network looks at: importance, partial dependence and sensitivity of its inputs.

    Parameters
    ----------
    model : Result, Model or path
        A path of a run folder or a model.npz.
    data : path, DataFrame or (X, y), optional
        Rows with known targets that were not trained on. By default the run's test rows, without
        them its validation rows, and without both its training rows, which a notice says.
    member : int, optional
        Number of a member of the run; by default the best one's.
    n1 : int, optional
        The best member of this width, in place of the best of all.
    repeats : int, default=10
        How often each column is shuffled.
    seed : int, default=0
        Decides the shuffles, and the rows if there are more than 10,000.
    curves : int, default=4
        For so many of the most important columns the partial dependence is computed.

    Returns
    -------
    dict
        set ("train", "val", "test" or "data"), rows, metric and its value, repeats, seed, outputs,
        notices and three lists, in the order of importance. The metric is "rmse", of several
        targets "relative_rmse", the mean of RMSE / sd (of each target in these rows), and for
        classes and labels "log_loss":

        - importance: for each column, mean and std of the rise of the metric when it is shuffled;
        - dependence: for the first columns, values and at each the mean predictions (or
          probabilities) of the outputs;
        - sensitivity: for each input, its standard deviation sd and for each output the mean
          slope, the mean_abs of the slope, and sensitivity = mean_abs * sd.

        Rows count equally.

    Raises
    ------
    UsageError
        when the samples of the run are not available, for a member that does not exist, and for
        numbers out of range.
    DataError
        as `evaluate`.

    References
    ----------
    Breiman 2001, Machine Learning 45(1), section 10. Friedman 2001, Annals of Statistics 29(5),
    section 8.2.

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> X = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    >>> result = fastnet.train(X, X[:, 1] ** 2, n1=6, max_epochs=200, test_fraction=0.3)
    >>> found = fastnet.explain(result, (X[:60], X[:60, 1] ** 2))
    >>> found["importance"][0]["column"], len(found["dependence"][0]["values"])
    ('x1', 25)
    """
    for name, value, least in (("repeats", repeats, 1), ("seed", seed, 0), ("curves", curves, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise UsageError(f"{name} must be an integer >= {least}, got {quoted(value)}.")
    network, rows = subject(model, data, member, n1)
    return document(network, drawn(rows, seed), repeats, seed, curves)


# ---------------------------------------------------------------- the rows


def subject(model: Any, data: Any, member: int | None, n1: int | None) -> tuple[Model, Rows]:
    """The model and the rows to explain it on."""
    if isinstance(model, Predictor) and not isinstance(model, Model):
        raise UsageError(
            "explain takes one network, not an ensemble. Explain its members one at a time: give "
            "the run and the number of a member (--member NUM)."
        )
    if not isinstance(model, (Model, Result)):
        path, model = model, load_model(model) if is_model_file(model) else load(model)
        if isinstance(model, Model) and data is None:
            raise UsageError(f"{path} is a single model without its rows; give data (--data FILE).")
    if isinstance(model, Result):
        member = model.chosen(member, n1)
        network = model.model(member)
        return network, held_out(model, member) if data is None else given(network, data)
    if member is not None or n1 is not None:
        raise UsageError("member and n1 choose one of a run; this is a single model.")
    if data is None:
        raise UsageError("a model does not hold its rows; give data, a table or (X, y).")
    return model, given(model, data)


def is_model_file(path: Any) -> bool:
    """Whether a path is that of a model.npz, or of nothing, which load_model() explains."""
    try:
        return not os.path.isdir(path)
    except (TypeError, ValueError):
        return True


def given(model: Model, data: Any) -> Rows:
    """The rows of a table, or of arrays (X, y), with their targets."""
    if isinstance(data, tuple):
        if len(data) != 2:
            raise UsageError(f"data must be a table or (X, y), got {len(data)} values.")
        X, y = model.inputs(data[0]), as_array(data[1], "y")
        if len(X) != len(y):
            raise DataError(f"data has {len(X)} rows of X and {len(y)} of y.")
        Y = encoded_targets(y, model.loss, model.classes)
        Y = Y if model.classes is None else as_one_hot(Y)
    else:
        table = as_table(data, model)
        y = known_targets(table, model)
        X = model.inputs(table)
        name = f"target {model.targets[0]!r}"
        Y = y.reshape(len(y), -1) if model.classes is None else one_hot(y, model.classes, name)
    if len(X) < 2:
        raise DataError(f"data has {len(X)} rows; to shuffle a column takes at least 2.")
    return Rows("data", X, Y)


def held_out(result: Result, member: int | None, arrays: Any = None) -> Rows:
    """The rows of a run that did not train a member: test, else validation, else all the same.

    `arrays` are X and y of a run on arrays, as `figures` take them.
    """
    samples = run_samples(result, arrays)
    where, rows = judging_rows(result, member, samples)
    notices: tuple[str, ...] = ()
    if where == "train":
        notices = (
            "There are no test and no validation rows: the training rows judge, so what the "
            "network only learnt by heart counts as important, too.",
        )
    if len(rows) < 2:
        raise UsageError(
            f"the run has {len(rows)} {WHERE[where]} row; to shuffle a column takes at least 2; "
            "give data (--data FILE)."
        )
    if np.ptp(samples.weight[rows]):
        notices += ("All rows count equally here; their weights are not used.",)
    return Rows(where, samples.X[rows], samples.Y[rows], notices)


def judging_rows(result: Result, member: int | None, samples: Samples) -> tuple[str, np.ndarray]:
    """The set that judges a member, and its row numbers; with folds it is that of its fold."""
    split = samples.split
    if len(split["test"]):
        return "test", split["test"]
    if "folds_val" in result.split:
        number = result.best_member if member is None else member
        fold = int(result.members["fold"][number])
        return "val", split["train"][result.split["folds_val"][fold]]
    where = "val" if len(split["val"]) else "train"
    return where, split[where]


def drawn(rows: Rows, seed: int, most: int = MOST_ROWS) -> Rows:
    """The rows, or as many as may judge, in their order."""
    n = len(rows.X)
    if n <= most:
        return rows
    some = np.sort(np.random.default_rng([seed, n]).choice(n, most, replace=False))
    notice = f"{most:,} of the {n:,} {WHERE[rows.where]} rows were drawn to judge."
    return rows._replace(X=rows.X[some], Y=rows.Y[some], notices=(*rows.notices, notice))


# ---------------------------------------------------------------- the document


def document(model: Model, rows: Rows, repeats: int, seed: int, curves: int) -> dict[str, Any]:
    """All that explain() returns."""
    parts = parts_of_inputs(model)
    base, rises = importance(model, parts, rows, repeats, seed)
    order = np.argsort(-rises.mean(axis=1), kind="stable")
    ranked = [parts[i] for i in order]
    shown = [part for part in ranked if part.column.kind != "date"][:curves]
    return {
        "set": rows.where,
        "rows": len(rows.X),
        "metric": metric_name(model),
        "value": json_value(base),
        "repeats": repeats,
        "seed": seed,
        "outputs": output_names(model),
        "importance": [
            {
                "column": parts[i].column.name,
                "mean": json_value(rises[i].mean()),
                "std": json_value(rises[i].std()),
            }
            for i in order
        ],
        "dependence": [dependence(model, part, rows.X) for part in shown],
        "sensitivity": sensitivity(model, ranked, rows.X),
        "notices": [*rows.notices, *without_curves(ranked[:curves])],
    }


def without_curves(ranked: Sequence[Part]) -> list[str]:
    """The notice that some of the most important columns have no partial dependence."""
    dates = [part.column.name for part in ranked if part.column.kind == "date"]
    if not dates:
        return []
    return [f"Partial dependence is not computed for dates: {listed(dates)}."]


def parts_of_inputs(model: Model) -> list[Part]:
    """The columns of the model with their inputs."""
    columns = model.columns or tuple(Column(name, "number") for name in model.features)
    ends = np.cumsum([len(column.inputs()) for column in columns])
    return [Part(c, slice(int(e) - len(c.inputs()), int(e))) for c, e in zip(columns, ends)]


def output_names(model: Model) -> list[str]:
    """Names of the numbers, or of what the probabilities are of."""
    if model.classes is not None or model.labels:
        return model.probability_names()
    return list(model.targets)


# ---------------------------------------------------------------- importance


def metric_name(model: Model) -> str:
    """The metric whose rise is the importance."""
    if model.classes is not None or model.labels:
        return "log_loss"
    return "rmse" if len(model.targets) == 1 else "relative_rmse"


def error(model: Model, Z2: np.ndarray, Y: np.ndarray) -> float:
    """The metric of outputs z2."""
    if metric_name(model) != "log_loss":
        rmse = np.sqrt(((model.decoded(Z2) - Y) ** 2).mean(axis=0))
        sd = Y.std(axis=0) if len(rmse) > 1 else np.ones(1)
        return float((rmse / np.where(sd > 0, sd, 1)).mean())
    losses = reference.losses
    if model.labels:
        return float(losses.binary_cross_entropy_error(Z2, Y)[0].mean() / Y.shape[1])
    return float(losses.cross_entropy_error(Z2, Y)[0].mean())


def importance(
    model: Model, parts: Sequence[Part], rows: Rows, repeats: int, seed: int
) -> tuple[float, np.ndarray]:
    """The metric, and its rise (columns, repeats) when a column is shuffled.

    A shuffle depends on the seed, the column's place and the repeat alone.
    """
    X = model.scaled(rows.X)
    with np.errstate(over="ignore", invalid="ignore"):
        base = error(model, model.forward(X, np.asarray), rows.Y)
        rises = np.empty((len(parts), repeats))
        for i, part in enumerate(parts):
            shuffled = X.copy()
            for repeat in range(repeats):
                order = np.random.default_rng([seed, i, repeat]).permutation(len(X))
                shuffled[:, part.inputs] = X[order, part.inputs]
                rises[i, repeat] = error(model, model.forward(shuffled, np.asarray), rows.Y) - base
    return base, rises


# ---------------------------------------------------------------- partial dependence


def dependence(model: Model, part: Part, X: np.ndarray) -> dict[str, Any]:
    """The mean predictions over all rows for each of some values of a column."""
    values, inputs = grid_of(part, X)
    moved, found = X.copy(), []
    for row in inputs:
        moved[:, part.inputs] = row
        found.append(predicted(model, moved).mean(axis=0))
    return {
        "column": part.column.name,
        "kind": part.column.kind,
        "values": values,
        "prediction": [[json_value(value) for value in row] for row in found],
    }


def grid_of(part: Part, X: np.ndarray) -> tuple[list[Any], np.ndarray]:
    """Values of a column, and the inputs (values, width) that they become.

    Categories and ordinals have all their levels. Numbers with more than GRID different values
    have a grid from the 5th to the 95th percentile: beyond, few rows hold the curve.
    """
    column = part.column
    if column.kind == "category":
        return list(column.categories), np.eye(len(column.categories))
    if column.kind == "ordinal":
        places = np.arange(len(column.categories), dtype=float)
        return list(column.categories), places[:, None]
    own = X[:, part.inputs.start].astype(float)
    values = np.unique(own[~np.isnan(own)])
    if len(values) > GRID:
        low, high = np.quantile(own[~np.isnan(own)], (0.05, 0.95))
        values = np.unique(np.linspace(low, high, GRID))
    return [json_value(value) for value in values], values[:, None]


def predicted(model: Model, X: np.ndarray) -> np.ndarray:
    """Predicted numbers, or probabilities, of shape (n, outputs)."""
    Z2 = model.outputs(X)
    if model.classes is None and not model.labels:
        return model.decoded(Z2)
    return model.probabilities(Z2)


# ---------------------------------------------------------------- sensitivity


def sensitivity(model: Model, parts: Sequence[Part], X: np.ndarray) -> list[dict[str, Any]]:
    """Mean slopes of every output in every input, column by column."""
    total = size = np.zeros((len(output_names(model)), X.shape[1]))
    for J in jacobian.blocks(model, X):
        total, size = total + J.sum(axis=0), size + np.abs(J).sum(axis=0)
    mean, mean_abs = total / len(X), size / len(X)
    sd = scaled(X, np.zeros(X.shape[1]), np.ones(X.shape[1]), np.float64, model.fills).std(axis=0)
    names = output_names(model)
    return [
        {
            "input": model.features[i],
            "sd": json_value(sd[i]),
            "slope": by_name(names, mean[:, i]),
            "mean_abs": by_name(names, mean_abs[:, i]),
            "sensitivity": by_name(names, mean_abs[:, i] * sd[i]),
        }
        for part in parts
        for i in range(part.inputs.start, part.inputs.stop)
    ]


def by_name(names: Sequence[str], values: np.ndarray) -> dict[str, Any]:
    """Numbers for JSON by the names of the outputs."""
    return {name: json_value(value) for name, value in zip(names, values)}
