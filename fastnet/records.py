"""What a run brings: a record a member, histories, weights, models."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fastnet import answer, data, reference
from fastnet.errors import DataError, UsageError
from fastnet.packing import Weights
from fastnet.plan import COLUMNS, SETTING_COLUMNS, shown
from fastnet.trainer import STOP_NAMES

SCHEMA_VERSION = 1
SCORES = tuple(
    f"{name}_{score}" for score in ("loss", "accuracy") for name in ("train", "val", "test")
)
MEMBERS = np.dtype(
    [("member", "i8"), *[(name, COLUMNS[name]) for name in COLUMNS.names], ("fold", "i8")]
    + [("status", "U4"), ("stop_reason", "U11"), ("epochs", "i8"), ("best_epoch", "i8")]
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

    def outputs(self, X):
        """z2 of every row, shape (n, k), computed in float64 whatever the weights' dtype.

        A data frame's columns are taken by name.
        """
        named = self.features != data.unnamed(len(self.features))
        if named and hasattr(X, "columns"):
            for name in self.features:
                if name not in X.columns:
                    raise DataError(
                        f"X has no column {name!r}; the model was trained on "
                        f"{', '.join(self.features)}."
                    )
            X = X[list(self.features)]  # whatever their order
        shape = np.shape(X)
        X, _ = data.inputs(X)
        d = self.weights.W1.shape[1]
        if X.shape[1] != d:
            raise DataError(
                f"X must have {d} columns ({', '.join(self.features[:5])}"
                f"{', ...' * (d > 5)}), got shape {shape}."
            )
        net = reference.Net(*(array.astype(np.float64) for array in self.weights))
        activation = reference.ACTIVATIONS[self.activation]
        X = (X - self.x_shift) / self.x_scale
        _, Z2 = reference.forward(net, activation, X)
        return Z2

    def predict(self, X):
        """Predicted numbers (n,) or (n, k), or class labels (n,).

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> X = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(X, X**2, n1=3, max_epochs=10)
        >>> result.model().predict(X).shape
        (50,)
        """
        Z2 = self.outputs(X)
        if self.classes is not None:
            return self.classes[Z2.argmax(axis=1)]
        Y = Z2 * self.y_scale + self.y_shift
        return Y[:, 0] if Y.shape[1] == 1 else Y

    def predict_proba(self, X):
        """Probability of each class, shape (n, k), columns in the order of `classes`."""
        if self.classes is None:
            raise UsageError(
                "predict_proba needs a classifier; this model was trained for squared loss."
            )
        Z2 = self.outputs(X)
        powers = np.exp(Z2 - Z2.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)


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
        facts = self.loss, self.classes, self.features, self.columns, *self.scaling
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
            "best": member_dict(best),
            "stop_reasons": {str(r): int(c) for r, c in zip(reasons, counts)},
            "seconds": self.seconds,
            "by_n1": table,
            "smallest_n1": answer.smallest_n1(table, self.options),
        }

    def save(self, folder):
        """Write a run folder; it must not exist. fastnet.load reads it back."""
        from fastnet import store

        store.save(self, folder)


# ---------------------------------------------------------------- members


def setting(record):
    """A member's options: None where one is off."""
    return {name: shown(name, record[name]) for name in SETTING_COLUMNS}


def plain(value):
    """A value for JSON: NaN and infinities as None."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


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
    names = np.array([STOP_NAMES[code] for code in range(len(STOP_NAMES))])
    table["stop_reason"] = names[states["stop"]]
    table["stop_reason"][live] = "interrupted"
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


def collect(training, checked, command, task, status, seconds, environment):
    """The Result of a Training as it stands."""
    members = members_table(training)
    first = training.options["stop"] == "first"
    best = answer.best_member(members, first)
    keep = {"all": np.arange(len(members)), "best": np.array([best]), "none": None}
    kept = keep[training.options["keep"]]
    flat = training.history.flat(training.pack.states)
    entries = {name: flat.pop(name) for name in (*Entries._fields, "offsets")}
    return Result(
        command,
        task,
        training.options,
        members,
        status,
        seconds,
        best,
        {} if kept is None else {**training.unpacked(training.pack.best, kept), "members": kept},
        entries,
        {"record": flat, "snapshots": training.recorded()},
        checked.loss,
        checked.classes,
        checked.features,
        checked.columns,
        checked.scaling,
        checked.split,
        environment,
    )
