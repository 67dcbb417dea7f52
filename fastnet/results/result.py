"""The Result of a run: one record per member, their histories, weights and models."""

import operator
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnet.data.schema import Described, Schema
from fastnet.engine.layout import Weights
from fastnet.errors import UsageError, quoted
from fastnet.files import json_value
from fastnet.options.methods import CONVERGED_BY, INIT_KINDS, STOPS, longest
from fastnet.options.option import COMMANDS
from fastnet.results import answer, closeness, ensemble, variance
from fastnet.results.intervals import Calibration
from fastnet.results.model import Model
from fastnet.shapes import ANYTHING, COUNT, NUMBER, TEXT, TIME, Maybe, one_of
from fastnet.training.history import of_members
from fastnet.training.plan import COLUMNS, SETTING_COLUMNS, shown

if TYPE_CHECKING:
    import pandas

SCHEMA_VERSION = 1
SCORES = tuple(
    f"{name}_{score}" for score in ("loss", "accuracy") for name in ("train", "val", "test")
)


MEMBERS = np.dtype(
    [("member", "i8"), *[(name, COLUMNS[name]) for name in COLUMNS.names], ("fold", "i8")]
    + [("init_kind", longest(INIT_KINDS))]
    + [("status", longest(("live", "done"))), ("stop_reason", longest(STOPS))]
    + [("epochs", "i8"), ("best_epoch", "i8")]
    + [("converged_by", longest(CONVERGED_BY)), ("effective_parameters", "f8")]
    + [(name, "f8") for name in SCORES]
    + [("seconds", "f8")]
)


# The shape of summary.json, as Result.summary() makes it.
KINDS = {"i": Maybe(COUNT), "f": Maybe(NUMBER), "U": Maybe(TEXT)}
MEANS = {str: Maybe(NUMBER)}
SHAPE = {
    "schema_version": COUNT,
    "command": one_of(COMMANDS),
    "run": Maybe(TEXT),
    "members": COUNT,
    "status": one_of(("done", "interrupted")),
    "best": {
        **{name: KINDS[MEMBERS[name].kind] for name in MEMBERS.names},
        "metrics": ANYTHING,  # fitting.py derives its shape from the schema
        "thresholds": ANYTHING,  # likewise
    },
    "stop_reasons": {str: COUNT},
    "seconds": {"compile": TIME, "train": TIME, "total": TIME},
    "by_n1": [{"n1": COUNT, str: ANYTHING}],
    "smallest_n1": Maybe(COUNT),
    "within": Maybe({"n1": COUNT, "best_n1": COUNT, str: ANYTHING}),
    "by_setting": [{str: ANYTHING}],
    "variance_shares": Maybe({"of": TEXT, "shares": {str: NUMBER}}),
    "folds": Maybe({"count": COUNT, "mean": MEANS, "sd": MEANS}),
    "notices": [TEXT],
}


class Entries(NamedTuple):
    """A member's history: one entry per epoch; the first belongs to the initial weights.

    Attributes
    ----------
    epoch : ndarray of int, shape (entries,)
        The weights of an entry are those after this number of epochs. Long histories are thinned.
    train_loss, val_loss : ndarray of shape (entries,)
        val_loss is NaN if there is no validation set.
    learning_rate : ndarray of shape (entries,)
        The rate of the following epoch.
    gradient_norm, clipped : ndarray of shape (entries,)
        The largest L2 norm of a gradient in the epoch before it, and the share of that epoch's
        steps that were clipped; NaN unless the option `record` asked for them.
    """

    epoch: np.ndarray
    train_loss: np.ndarray
    val_loss: np.ndarray
    learning_rate: np.ndarray
    gradient_norm: np.ndarray
    clipped: np.ndarray


RECORDED = ("gradient_norm", "clipped")  # the Entries that are in record.npz, if anywhere
HISTORY = tuple(name for name in Entries._fields if name not in RECORDED)


class ResultFields(NamedTuple):
    """The fields of a Result."""

    command: str
    task: int | None
    options: Mapping[str, Any]
    schema: Schema
    members: np.ndarray
    status: str
    seconds: Mapping[str, float]
    best_member: int
    packed: Mapping[str, np.ndarray]
    entries: Mapping[str, np.ndarray]
    recorded: Mapping[str, Mapping[str, np.ndarray]]
    split: Mapping[str, np.ndarray]
    environment: Mapping[str, Any]
    run: str | None = None
    metrics: Mapping[str, Any] | None = None
    folds: Mapping[str, Any] | None = None
    thresholds: Mapping[str, Any] | None = None
    calibration: Calibration | None = None
    notices: tuple[str, ...] = ()
    states: Mapping[str, np.ndarray] = {}


class Result(Described, ResultFields):
    """A finished or interrupted run.

    Attributes
    ----------
    command : {"train", "sweep", "smallest"}
    task : {1, 2} or None
        The built-in task; None for the user's own data.
    options : dict
        Every option as resolved.
    schema : Schema
        The meaning of inputs and outputs. Its facts are attributes of the result, too: loss,
        classes, features, columns, scaling and targets.
    members : structured ndarray of shape (M,)
        One record per member, with the columns of members.csv.
    status : str
        "done" or "interrupted"; "running" if it was read from a checkpoint.
    seconds : dict
        Wall-clock seconds of compile, train and total.
    best_member : int
        Number of the best member.
    packed : dict of ndarray
        The arrays of weights.npz; "members" names the members if they are not all.
        Empty with keep="none".
    entries : dict of ndarray
        The arrays of history.npz.
    recorded : dict
        "record" and "snapshots": the arrays of those npz, empty if there are none.
    split : dict of ndarray
        Row numbers of train, val and test; with folds also which of the training rows train and
        validate in each, folds_train and folds_val of shape (folds, rows).
    environment : dict
        Versions, processor, threads, SHA-256 of the data.
    run : str or None
        The run folder.
    metrics : dict or None
        The best member's metrics (results/metrics.py), by set.
    folds : dict or None
        The best setting's mean and standard deviation over the folds.
    thresholds : dict or None
        The best member's thresholds, as in its Model.
    calibration : Calibration or None
        The best member's errors on the validation rows, as in its Model.
    notices : tuple of str
        What was left out of the data, and what is remarkable about them and the result.
    states : dict of ndarray
        The arrays of state.npz; empty unless keep="state".

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> x = np.linspace(-1, 1, 50)
    >>> result = fastnet.sweep(x, x**2, n1=[2, 4], seeds=2, max_epochs=10)
    >>> len(result.members), result.status, result.loss
    (4, 'done', 'squared')
    """

    __slots__ = ()

    @property
    def best(self) -> np.void:
        """The best member's record."""
        return self.members[self.best_member]

    def best_of(self, n1: int) -> int:
        """The number of the best member with this many hidden units.

        Parameters
        ----------
        n1 : int
            One of the widths of the run.

        Raises
        ------
        UsageError
            for a width that the run does not have.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.sweep(x, x**2, n1=[2, 4], seeds=2, max_epochs=10)
        >>> model = result.model(result.best_of(2))
        >>> model.weights.b1.shape
        (2,)
        """
        some = np.flatnonzero(self.members["n1"] == n1)
        if not some.size:
            widths = ", ".join(map(str, np.unique(self.members["n1"])))
            raise UsageError(f"n1 must be a width of the run, {widths}, got {quoted(n1)}.")
        first, margin = self.options["stop"] == "first", self.options["optimizer_margin"]
        return int(some[answer.best_member(self.members[some], first, margin)])

    def chosen(self, member: int | None = None, n1: int | None = None) -> int:
        """A member's number: as given, the best one's of a width, or the best one's of all.

        Raises
        ------
        UsageError
            for a member or width that does not exist, and for both.
        """
        if member is not None and n1 is not None:
            raise UsageError(f"give member {quoted(member)} or n1 {quoted(n1)}, not both.")
        return self._number(member) if n1 is None else self.best_of(n1)

    def weights(self, member: int | None = None) -> Weights:
        """The best weights of a member, as copies.

        Parameters
        ----------
        member : int, optional
            A member's number; by default the best member's.

        Returns
        -------
        Weights
            W1 of shape (N1, d), b1 (N1,), W2 (k, N1) and b2 (k,).

        Raises
        ------
        UsageError
            for a member that does not exist, or whose weights were not kept (option keep).

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(x, x**2, n1=3, max_epochs=10)
        >>> {name: array.shape for name, array in result.weights()._asdict().items()}
        {'W1': (3, 1), 'b1': (3,), 'W2': (1, 3), 'b2': (1,)}
        """
        member = self._number(member)
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

    def history(self, member: int | None = None) -> Entries:
        """The course of a member's training, as copies.

        Parameters
        ----------
        member : int, optional
            A member's number; by default the best member's.

        Returns
        -------
        Entries
            epoch, train_loss, val_loss, learning_rate and, if they were recorded, gradient_norm
            and clipped: arrays of one length.

        Raises
        ------
        UsageError
            for a member that does not exist.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(x, x**2, n1=3, max_epochs=10)
        >>> history = result.history()
        >>> len(history.epoch), bool(history.train_loss.min() == result.best["train_loss"])
        (11, True)
        """
        member = self._number(member)
        first, last = self.entries["offsets"][member : member + 2]
        held, absent = {**self.entries, **self.recorded["record"]}, np.full(last - first, np.nan)
        return Entries(
            *(
                held[name][first:last].copy() if name in held else absent.copy()
                for name in Entries._fields
            )
        )

    def model(self, member: int | None = None) -> Model:
        """A member's network, ready to predict.

        Parameters
        ----------
        member : int, optional
            A member's number; by default the best member's.

        Returns
        -------
        Model

        Raises
        ------
        UsageError
            for a member that does not exist, or whose weights were not kept (option keep).

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(x, x**2, n1=3, max_epochs=10)
        >>> result.model().predict([[0.5], [0.7]]).shape
        (2,)
        """
        member = self._number(member)
        activation = str(self.members["activation"][member])
        own = (self.thresholds, self.calibration) if member == self.best_member else ()
        return Model(self.weights(member), activation, self.schema, *own)

    def ensemble(
        self, members: str, data: tuple | None = None, calibrate: bool = False
    ) -> ensemble.Ensemble:
        """Several members that predict together: the mean of what they predict.

        Parameters
        ----------
        members : str
            "top:K" for the K members of lowest monitored loss, "all", or "greedy:K" for K picks,
            each the member that lowers the loss of the mean on the validation rows most (Caruana
            et al. 2004); a member may be picked several times. Members that diverged or were
            pruned are left out. Class weights given as a dict are not kept in the run, so greedy
            does not know them.
        data : (X, y) or (X, y, sample_weight), optional
            The arrays of a run on arrays, which greedy and calibrate need: those that it was
            given, with the rows of its validation and test sets, if they were given apart, after
            them.
        calibrate : bool
            Whether it gets the errors on the validation rows, which intervals are made from.

        Returns
        -------
        Ensemble

        Raises
        ------
        UsageError
            for fewer than K members, for weights that were not kept (option keep), and for greedy
            or calibrate without validation rows or without their samples.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.sweep(x, x**2, n1=3, seeds=4, max_epochs=10, validation_fraction=0.2)
        >>> sum(result.ensemble("greedy:5", data=(x, x**2)).counts)
        5
        """
        return ensemble.of_result(self, members, data, calibrate)

    def explain(
        self,
        data: Any = None,
        *,
        member: int | None = None,
        n1: int | None = None,
        repeats: int = 10,
        seed: int = 0,
        curves: int = 4,
    ) -> dict[str, Any]:
        """What a member looks at: `fastnet.explain` of this run.

        Parameters
        ----------
        data : path, DataFrame or (X, y), optional
            Rows with known targets that were not trained on; by default the run's own. A run on
            arrays does not hold its rows.
        member : int, optional
            A member's number; by default the best member's.
        n1 : int, optional
            The best member of this width, in place of the best of all.
        repeats, seed, curves : int
            As in `fastnet.explain`.

        Returns
        -------
        dict
            importance, dependence, sensitivity and more, as of `fastnet.explain`.

        Raises
        ------
        UsageError, DataError
            as `fastnet.explain`.

        Examples
        --------
        >>> import fastnet
        >>> result = fastnet.train(task=1, n1=4, max_epochs=20, validation_fraction=0.2)
        >>> found = result.explain()
        >>> found["set"], found["metric"], [row["column"] for row in found["importance"]]
        ('val', 'rmse', ['x0'])
        """
        from fastnet.results.explain import explain

        chosen = {"member": member, "n1": n1}
        return explain(self, data, **chosen, repeats=repeats, seed=seed, curves=curves)

    def of_member(self, member: int) -> "Result":
        """The Result of one member alone, as its only one: number 0.

        Raises
        ------
        UsageError
            for a member that does not exist, or whose weights were not kept.
        """
        member = self._number(member)
        first, last = self.entries["offsets"][member : member + 2]
        entries = {n: a[first:last] for n, a in self.entries.items() if n != "offsets"}
        return self._replace(
            members=self.members[member : member + 1],
            best_member=0,
            packed=packed_alone(self.weights(member)),
            entries={**entries, "offsets": np.array([0, last - first])},
            recorded={
                "record": {n: a[first:last] for n, a in self.recorded["record"].items()},
                "snapshots": snapshots_of(self.recorded["snapshots"], member),
            },
        )

    def about(self, member: int) -> "Result":
        """The same result with another member in the place of the best one, to draw it.

        Raises
        ------
        UsageError
            for a member that does not exist.
        """
        member = self._number(member)
        if member == self.best_member:
            return self
        return self._replace(best_member=member, metrics=None, thresholds=None, calibration=None)

    def _number(self, member: int | None) -> int:
        """A member's number, checked; None is the best member's."""
        last = len(self.members) - 1
        if member is None:
            return self.best_member
        try:
            number = operator.index(member)
        except TypeError:
            number = -1
        if isinstance(member, bool) or not 0 <= number <= last:
            raise UsageError(f"member must be an integer from 0 to {last}, got {quoted(member)}.")
        return number

    def by_n1(self) -> list[dict[str, Any]]:
        """The answer by hidden width, as in the JSON document.

        Returns
        -------
        list of dict
            One per N1, rising: n1, members, reached, success_rate with its 95 % interval,
            best_loss, median_loss, median_epochs, ..., and the setting it belongs to.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.sweep(x, x**2, n1=[2, 4], seeds=3, max_epochs=10)
        >>> [(row["n1"], row["members"]) for row in result.by_n1()]
        [(2, 3), (4, 3)]
        """
        return answer.by_n1(self.members, self.options)

    def by_setting(self) -> list[dict[str, Any]]:
        """The settings side by side, as in the JSON document: each with its smallest N1.

        Returns
        -------
        list of dict
            One per setting of the axes other than N1 and seed, that with the smallest N1 first;
            empty without such axes. smallest_n1 is None where no N1 suffices or that is not
            known. The other values are those of the row of `n1` in the setting's own table by N1:
            the smallest sufficient, else that with most successes, else with the lowest loss.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.sweep(x, x**2, n1=[1, 2], optimizer=["lm", "lbfgs"], target_loss=1e-3,
        ...                        max_epochs=100)
        >>> sorted((row["setting"]["optimizer"], row["smallest_n1"]) for row in result.by_setting())
        [('lbfgs', 2), ('lm', 2)]
        """
        return answer.by_setting(self.members, self.options)

    def variance_shares(self) -> dict[str, Any] | None:
        """Which setting mattered: each axis' share of the variance of the losses.

        An analysis of variance of the logarithms of the monitored losses, or of their ranks where a
        member diverged. It needs a balanced grid whose members all ran to their own stop.

        Returns
        -------
        dict or None
            of, what is compared; and shares, which sum to 1: one for each axis, combinations (what
            the axes do together beyond that) and seeds. None where it does not apply.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.sweep(x, np.sin(6 * x), n1=[1, 8], seeds=3, l2=[0, 1e-6],
        ...                        optimizer="lm", max_epochs=30)
        >>> max(result.variance_shares()["shares"].items(), key=lambda item: item[1])[0]
        'n1'
        """
        return variance.variance_shares(self.members, self.options)

    def to_frame(self) -> "pandas.DataFrame":
        """The members as a pandas DataFrame.

        Returns
        -------
        DataFrame
            One row per member, with the columns of members.csv.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.sweep(x, x**2, n1=[2, 4], seeds=3, max_epochs=10)
        >>> result.to_frame()["n1"].tolist()
        [2, 2, 2, 4, 4, 4]
        """
        import pandas

        return pandas.DataFrame(self.members)

    def summary(self) -> dict[str, Any]:
        """The JSON document of the run as a dict, as in summary.json."""
        table = self.by_n1()
        reasons, counts = np.unique(self.members["stop_reason"], return_counts=True)
        return {
            "schema_version": SCHEMA_VERSION,
            "command": self.command,
            "run": self.run,
            "members": len(self.members),
            "status": self.status,
            "best": {
                **member_dict(self.best),
                "metrics": self.metrics,
                "thresholds": self.thresholds,
            },
            "stop_reasons": {str(r): int(c) for r, c in zip(reasons, counts)},
            "seconds": self.seconds,
            "by_n1": table,
            "smallest_n1": answer.smallest_n1(table, self.options),
            "within": closeness.closeness(self.members, self.options),
            "by_setting": self.by_setting(),
            "variance_shares": self.variance_shares(),
            "folds": self.folds,
            "notices": list(self.notices),
        }

    def save(self, folder: str | os.PathLike) -> None:
        """Write a run folder, which `fastnet.load` reads back.

        Parameters
        ----------
        folder : path
            Must not exist.

        Raises
        ------
        FastnetError
            when it exists or cannot be written.

        Examples
        --------
        >>> import numpy as np, tempfile, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> result = fastnet.train(x, x**2, n1=3, max_epochs=10)
        >>> with tempfile.TemporaryDirectory() as runs:
        ...     result.save(runs + "/parabola")
        ...     again = fastnet.load(runs + "/parabola")
        >>> bool(again.best["train_loss"] == result.best["train_loss"])
        True
        """
        from fastnet.results.folder import save_result

        if (self.members["member"] != np.arange(len(self.members))).any():
            raise UsageError(
                "the result of one member alone has no run folder; save the whole result, or "
                "export the member's model."
            )
        save_result(self, folder)


# ---------------------------------------------------------------- packed arrays


def packed_alone(weights: Weights) -> dict[str, np.ndarray]:
    """The weights of one member as the arrays of weights.npz."""
    W1, b1, W2, b2 = weights
    return {"W1": W1, "b1": b1, "W2": W2.T, "b2": b2[None], "offsets": np.array([0, len(b1)])}


def snapshots_of(snapshots: Mapping[str, np.ndarray], member: int) -> dict[str, np.ndarray]:
    """The snapshots of one member, under the number 0."""
    if not len(snapshots):
        return {}
    mine = of_members(snapshots, [member])
    return {**mine, "member": np.zeros_like(mine["member"])}


# ---------------------------------------------------------------- members


def settings_of(record: np.void) -> dict[str, Any]:
    """A member's options by name; None if an option is off."""
    return {name: shown(name, record[name]) for name in SETTING_COLUMNS}


def member_dict(record: np.void) -> dict[str, Any]:
    """A member's record for JSON."""
    rest = (n for n in MEMBERS.names if n not in SETTING_COLUMNS and n != "member")
    return {
        "member": int(record["member"]),
        **settings_of(record),
        **{name: json_value(record[name]) for name in rest},
    }
