"""What a run brings: a record a member, histories, weights, models."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fastnet import reference
from fastnet.data import columns, scaling
from fastnet.data import samples as data
from fastnet.data.tables import Table
from fastnet.engine.layout import Weights
from fastnet.errors import DataError, UsageError
from fastnet.options.methods import CONVERGED_BY, EXP, LOSSES, OPTIMIZERS, SIGMOID, STOPS, longest
from fastnet.options.table import own_options
from fastnet.results import answer, metrics
from fastnet.training.plan import COLUMNS, SETTING_COLUMNS, shown

SCHEMA_VERSION = 1
BLOCK_ROWS, BLOCK_VALUES = 1 << 15, 1 << 24  # rows, and values of hidden units, predicted at once
SCORES = tuple(
    f"{name}_{score}" for score in ("loss", "accuracy") for name in ("train", "val", "test")
)
MEMBERS = np.dtype(
    [("member", "i8"), *[(name, COLUMNS[name]) for name in COLUMNS.names], ("fold", "i8")]
    + [("status", "U4"), ("stop_reason", longest(STOPS)), ("epochs", "i8"), ("best_epoch", "i8")]
    + [("converged_by", longest(CONVERGED_BY)), ("effective_parameters", "f8")]
    + [(name, "f8") for name in SCORES]
    + [("seconds", "f8")]
)


class Entries(NamedTuple):
    """A member's history; val_loss is NaN where there is no validation set."""

    epoch: np.ndarray
    train_loss: np.ndarray
    val_loss: np.ndarray
    learning_rate: np.ndarray


class Model(NamedTuple):
    """One trained network with all that predicting needs.

    Attributes
    ----------
    weights : Weights
        W1 (N1, d), b1 (N1,), W2 (k, N1), b2 (k,).
    activation, loss : str
    classes : ndarray of shape (k,) or None
    features : tuple of str
        Names of the inputs.
    columns : tuple of Column
        Of the table that the inputs come from; empty where the inputs are its columns.
    x_shift, x_scale : ndarray of shape (d,)
        The network's input is (x - x_shift) / x_scale.
    y_shift, y_scale : ndarray of shape (k,)
        A prediction is z2 * y_scale + y_shift.
    targets : tuple of str
        Names of what is predicted: of each output, or of the class.
    """

    weights: Weights
    activation: str
    loss: str
    classes: np.ndarray | None
    features: tuple
    columns: tuple
    x_shift: np.ndarray
    x_scale: np.ndarray
    y_shift: np.ndarray
    y_scale: np.ndarray
    targets: tuple = ()

    def inputs(self, X):
        """X (n, d) before scaling; where a missing number has a fill, NaN.

        X is a Table or data frame whose columns are taken by name, in any order, or an array of
        the `features`, with a column for each category.
        """
        named = self.columns or self.features != data.unnamed(len(self.features))
        if isinstance(X, Table) or (named and hasattr(X, "columns")):
            table = X if isinstance(X, Table) else Table(X, "X")
            asked = self.columns or tuple(data.Column(name, "number") for name in self.features)
            X = np.empty((len(table.frame), len(self.features)))
            columns.encode(table, asked, X)
            return X
        shape, d = np.shape(X), len(self.features)
        fills = [column.fill for column in self.columns]
        X, _ = data.inputs(X, missing=bool(fills) and None not in fills)
        if X.shape[1] != d:
            raise DataError(
                f"X must have {d} columns ({', '.join(self.features[:5])}"
                f"{', ...' * (d > 5)}), got shape {shape}."
            )
        return X

    def outputs(self, X):
        """z2 of every row, shape (n, k), computed in float64 whatever the weights' dtype.

        Of a single logit, that of the second class, the first class has 0.

        The columns of a table or data frame go by name.
        """
        fills = [column.fill for column in self.columns for _ in column.inputs()]

        def scale(block):
            return scaling.scaled(block, self.x_shift, self.x_scale, np.float64, fills)

        return self.forward(self.inputs(X), scale)

    def forward(self, X, scale, rows=None):
        """z2 (n, k) of X or of some of its rows, in blocks; `scale` makes inputs of a block."""
        net = reference.network.Net(*(array.astype(np.float64) for array in self.weights))
        activation = reference.activations.ACTIVATIONS[self.activation]
        count = len(X if rows is None else rows)
        Z2 = np.empty((count, net.b2.size))
        step = max(1, min(BLOCK_ROWS, BLOCK_VALUES // net.b1.size))
        for first in range(0, count, step):
            part = slice(first, first + step)
            block = scale(X[part if rows is None else rows[part]])
            _, Z2[part] = reference.network.forward(net, activation, block)
        if LOSSES[self.loss].link == SIGMOID:  # one logit, against the first class' 0
            return np.hstack([np.zeros_like(Z2), Z2])
        return Z2

    def metrics(self, Z2, Y, weight):
        """What z2 is worth where Y (n, k) are the scaled targets."""
        if self.classes is not None:
            return metrics.cross_entropy(data.whole(Y), Z2, weight)
        return metrics.squared(Y, self.means(Z2), weight, self.y_scale, self.targets)

    def means(self, Z2):
        """What the network predicts, from z2: that itself, or e^z2 with loss poisson."""
        return np.exp(Z2) if LOSSES[self.loss].link == EXP else Z2

    def predict(self, X):
        """Predicted numbers (n,) or (n, k), or class labels (n,).

        With loss poisson the mean e^z2, with quantile the quantile.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> X = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(X, X**2, n1=3, max_epochs=10)
        >>> result.model().predict(X).shape
        (50,)
        """
        predicted = self.decoded(self.outputs(X))
        several = self.classes is None and predicted.shape[1] > 1
        return predicted if several else predicted.reshape(-1)

    def decoded(self, Z2):
        """Numbers (n, k) in their own units or class labels (n,), from z2."""
        if self.classes is not None:
            return self.classes[Z2.argmax(axis=1)]
        return self.means(Z2) * self.y_scale + self.y_shift

    def predict_proba(self, X):
        """Probability of each class, shape (n, k), columns in the order of `classes`."""
        if self.classes is None:
            raise UsageError(
                f"predict_proba needs a classifier; this model was trained for loss {self.loss}."
            )
        return self.probabilities(self.outputs(X))

    def probabilities(self, Z2):
        """softmax of z2."""
        powers = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def mean_loss(self, Z2, Y, weight):
        """The loss of the targets; None where it has a parameter, which a model does not keep."""
        if own_options("loss", self.loss):
            return None
        one_logit = LOSSES[self.loss].link == SIGMOID  # outputs() has made two of it
        loss = "cross_entropy" if one_logit else self.loss
        losses, _ = reference.losses.LOSSES[loss](Z2, Y)
        return metrics.known(losses @ weight / weight.sum())

    def evaluation(self, X, y, weight):
        """rows, loss, metrics and, of classes, the confusion matrix, for targets as given."""
        if self.classes is not None:
            Y = data.one_hot(y, self.classes, f"target {self.targets[0]!r}")
        else:
            Y = (y.reshape(len(y), -1) - self.y_shift) / self.y_scale
        Z2 = self.outputs(X)
        found = {
            "rows": len(y),
            "loss": self.mean_loss(Z2, Y, weight),
            "metrics": self.metrics(Z2, Y, weight),
        }
        if self.classes is not None:
            found["classes"] = self.classes.tolist()
            found["confusion"] = metrics.confusion(Y, Z2).tolist()
        return found


class Result(NamedTuple):
    """A finished or interrupted run.

    Attributes
    ----------
    command : str
        "train" or "sweep".
    options : dict
        Every option as resolved.
    members : structured ndarray of shape (M,)
        A record per member, the columns of members.csv.
    status : str
        "done" or "interrupted".
    seconds : dict
        compile, train and total wall-clock seconds.
    """

    command: str
    task: int | None
    options: dict
    members: np.ndarray
    status: str
    seconds: dict
    best_member: int
    packed: Mapping  # the arrays of weights.npz, empty with keep="none"
    entries: Mapping  # the arrays of history.npz
    recorded: Mapping  # "record", "snapshots": the arrays of those npz, empty unless asked for
    loss: str
    classes: np.ndarray | None
    features: tuple
    columns: tuple
    scaling: data.Scaling
    split: Mapping
    environment: dict
    run: str | None = None
    targets: tuple = ()
    metrics: Mapping | None = None  # of the best member, by set: those of metrics.py

    @property
    def best(self):
        """The best member's record."""
        return self.members[self.best_member]

    def weights(self, member=None):
        """A member's best weights as copies, Weights(W1, b1, W2, b2); by default the best's."""
        member = self.best_member if member is None else self._number(member)
        kept = self.packed.get("members", np.arange(len(self.members)))
        place = np.flatnonzero(kept == member) if self.packed else ()
        if len(place) == 0:
            raise UsageError(
                f"the weights of member {member} were not kept (keep={self.options['keep']})."
            )
        first, last = self.packed["offsets"][place[0] : place[0] + 2]
        return Weights(
            self.packed["W1"][first:last].copy(),
            self.packed["b1"][first:last].copy(),
            self.packed["W2"][first:last].T.copy(order="C"),
            self.packed["b2"][place[0]].copy(),
        )

    def history(self, member=None):
        """A member's history: Entries(epoch, train_loss, val_loss, learning_rate)."""
        member = self.best_member if member is None else self._number(member)
        first, last = self.entries["offsets"][member : member + 2]
        return Entries(*(self.entries[name][first:last].copy() for name in Entries._fields))

    def model(self, member=None):
        """A member's network, ready to predict."""
        member = self.best_member if member is None else self._number(member)
        activation = str(self.members["activation"][member])
        facts = self.loss, self.classes, self.features, self.columns, *self.scaling, self.targets
        return Model(self.weights(member), activation, *facts)

    def _number(self, member):
        last = len(self.members) - 1
        if not hasattr(member, "__index__") or not 0 <= member <= last:
            raise UsageError(f"member must be an integer from 0 to {last}, got {member!r}.")
        return int(member)

    def by_n1(self):
        """The answer: a dict per N1, as in the JSON document."""
        return answer.by_n1(self.members, self.options)

    def to_frame(self):
        """The members as a pandas DataFrame."""
        import pandas

        return pandas.DataFrame(self.members)

    def summary(self):
        """The JSON document as a dict."""
        best = self.best
        table = self.by_n1()
        reasons, counts = np.unique(self.members["stop_reason"], return_counts=True)
        return {
            "schema_version": SCHEMA_VERSION,
            "command": self.command,
            "run": self.run,
            "members": len(self.members),
            "status": self.status,
            "best": {**member_dict(best), "metrics": self.metrics},
            "stop_reasons": {str(r): int(c) for r, c in zip(reasons, counts)},
            "seconds": self.seconds,
            "by_n1": table,
            "smallest_n1": answer.smallest_n1(table, self.options),
        }

    def save(self, folder):
        """Write a run folder; it must not exist. fastnet.load reads it back."""
        from fastnet.results import folder as store

        store.save(self, folder)


# ---------------------------------------------------------------- members


def setting(record):
    """A member's options: None where one is off."""
    return {name: shown(name, record[name]) for name in SETTING_COLUMNS}


def plain(value):
    """A value for JSON: NaN, infinities and empty texts as None."""
    value = value.item() if hasattr(value, "item") else value
    missing = value == "" or (isinstance(value, float) and not math.isfinite(value))
    return None if missing else value


def member_dict(record):
    """A member's record for JSON."""
    rest = (n for n in MEMBERS.names if n not in SETTING_COLUMNS and n != "member")
    return {
        "member": int(record["member"]),
        **setting(record),
        **{name: plain(record[name]) for name in rest},
    }


def settings_table(plan, states):
    """The record of every member but its scores and seconds."""
    table = np.zeros(len(plan.columns), MEMBERS)
    table["member"] = np.arange(len(table))
    for name in COLUMNS.names:
        table[name] = plan.columns[name]
    table["fold"] = plan.settings["fold"]
    live = states["stop"] == 0
    table["stop_reason"] = np.array(list(STOPS))[states["stop"]]
    table["stop_reason"][live] = "interrupted"
    table["converged_by"] = np.array(CONVERGED_BY)[states["rule"]]
    counted = np.isin(table["optimizer"], [n for n, row in OPTIMIZERS.items() if row.own_l2])
    table["effective_parameters"] = np.where(counted, states["effective"], np.nan)
    table["status"] = np.where(live, "live", "done")
    table["epochs"] = np.maximum(states["last_epoch"], 0)
    table["best_epoch"] = np.maximum(states["best_epoch"], 0)
    return table


def members_table(training):
    """The record of every member of a Training, its best weights evaluated on every set."""
    table = settings_table(training.plan, training.pack.states)
    for name in ("train", "val", "test"):
        table[f"{name}_loss"], table[f"{name}_accuracy"] = training.evaluate(name)
    table["seconds"] = training.seconds
    return table


def metrics_of(model, checked, fold):
    """The metrics of a model on each set of a Data; None where a set is empty."""
    found = {}
    for name in data.SETS:
        rows = checked.rows(name)
        if checked.folds and name != "test":
            rows = checked.folds[fold][name == "val"]
        rows = rows[checked.weight[rows] > 0]
        if rows.size == 0:
            found[name] = None
            continue
        Z2 = model.forward(checked.X, np.asarray, rows)
        found[name] = model.metrics(Z2, checked.Y[rows], checked.weight[rows])
    return found


def collect(training, checked, command, task, status, seconds, environment):
    """The Result of a Training as it stands."""
    members = members_table(training)
    first = training.options["stop"] == "first"
    best = answer.best_member(members, first)
    keep = {"all": np.arange(len(members)), "best": np.array([best]), "none": None}
    kept = keep[training.options["keep"]]
    flat = training.history.flat(training.pack.states)
    entries = {name: flat.pop(name) for name in (*Entries._fields, "offsets")}

    def packed(chosen):
        return {**training.unpacked(training.pack.best, chosen), "members": chosen}

    result = Result(
        command,
        task,
        training.options,
        members,
        status,
        seconds,
        best,
        packed(np.array([best])),
        entries,
        {"record": flat, "snapshots": training.recorded()},
        checked.loss,
        checked.classes,
        checked.features,
        checked.columns,
        checked.scaling,
        checked.split,
        environment,
        targets=checked.targets,
    )
    with np.errstate(all="ignore"):  # a member that diverged
        metrics = metrics_of(result.model(), checked, int(members["fold"][best]))
    return result._replace(packed={} if kept is None else packed(kept), metrics=metrics)
