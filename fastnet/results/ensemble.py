"""An Ensemble: the mean prediction of several members of a run, and how far they differ.

Classes are predicted by the mean of the members' probabilities, numbers by the mean of their
predictions. `selected` says which members: the best K, all, or those that a greedy search picks.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastnet import reference
from fastnet.data.checks import checked_class_weights
from fastnet.data.schema import Schema
from fastnet.data.sources import Samples, reason_samples_missing, run_samples
from fastnet.data.split import SETS
from fastnet.engine.layout import Weights
from fastnet.errors import UsageError, quoted
from fastnet.files import checked_path
from fastnet.options.methods import IDENTITY, LOSSES
from fastnet.options.table import own_options
from fastnet.results import answer
from fastnet.results.intervals import Calibration, calibrated, sureness
from fastnet.results.model import Model, Predictor
from fastnet.training import grouping

if TYPE_CHECKING:
    from fastnet.results.result import Result

BLOCK_VALUES = 1 << 23  # predictions of members that are held at once
CANDIDATES = 1000  # members that a greedy search chooses from, the best ones
WITHOUT = ("diverged", "pruned")  # stop reasons of members that no ensemble has


class Spread(NamedTuple):
    """Predictions of an ensemble: numbers in the targets' units, or probabilities.

    Attributes
    ----------
    mean : ndarray of shape (n, k)
        The ensemble's prediction.
    std : ndarray of shape (n, k)
        Standard deviation of the members' predictions around it (divided by their number).
    quantiles : ndarray of shape (q, n, k)
        Quantiles of the members' predictions.
    """

    mean: np.ndarray
    std: np.ndarray
    quantiles: np.ndarray


class EnsembleFields(NamedTuple):
    """The fields of an Ensemble."""

    models: tuple[Model, ...]
    members: tuple[int, ...]
    counts: tuple[int, ...]
    schema: Schema
    left_out: Mapping[str, int]
    thresholds: Mapping[str, float] | None = None
    calibration: Calibration | None = None


class Ensemble(Predictor, EnsembleFields):
    """Several members of a run that predict together, as one Model does.

    Attributes
    ----------
    models : tuple of Model
    members : tuple of int
        Their numbers.
    counts : tuple of int
        How often each was picked: the factors of their predictions in the mean.
    schema : Schema
        The meaning of inputs and outputs, as of every member.
    left_out : dict of int
        Members of the run that were left out because they diverged or were pruned.
    calibration : Calibration or None
        The errors on the validation rows, which intervals are made from, if they were asked for.

    Examples
    --------
    >>> import numpy as np, fastnet
    >>> x = np.linspace(-1, 1, 50)
    >>> result = fastnet.sweep(x, x**2, n1=3, seeds=4, max_epochs=10)
    >>> ensemble = result.ensemble("top:3")
    >>> ensemble.predict(x).shape, ensemble.spread(x).std.shape, len(ensemble.members)
    ((50,), (50, 1), 3)
    """

    __slots__ = ()

    def outputs(self, X: Any) -> np.ndarray:
        """z2 of the mean prediction of every row, as if one network had made it.

        Returns
        -------
        ndarray of shape (n, k)
            For classes the logarithms of the mean probabilities.
        """
        return self.linked(self.spread(X).mean)

    def outputs_and_spread(self, X: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """z2 of every row, and the standard deviation of the members' predictions (n, k)."""
        found = self.spread(X)
        return self.linked(found.mean), found.std

    def spread(self, X: Any, quantiles: Sequence[float] = ()) -> Spread:
        """The members' predictions: their mean, standard deviation and quantiles.

        Parameters
        ----------
        X : array, DataFrame or Table of shape (n, d)
        quantiles : sequence of float
            Shares from 0 to 1.

        Returns
        -------
        Spread
            For classes of their probabilities, in the order of `classes`.

        Raises
        ------
        UsageError
            for quantiles that are no shares.
        DataError
            as `predict`.
        """
        shares = checked_quantiles(quantiles)
        X = self.inputs(X)
        step = max(1, BLOCK_VALUES // (len(self.models) * max(len(self.models[0].weights.b2), 2)))
        firsts = range(0, max(len(X), 1), step)
        parts = [self._spread(X[first : first + step], first, shares) for first in firsts]
        means, stds, cuts = zip(*parts)
        return Spread(np.concatenate(means), np.concatenate(stds), np.concatenate(cuts, axis=1))

    def _spread(self, X: np.ndarray, first: int, quantiles: Sequence[float]) -> Spread:
        """The Spread of a block of rows, the first of which has the number `first`."""
        each = np.stack([m.response(m.finite_outputs(X, first)) for m in self.models])
        share = np.array(self.counts) / sum(self.counts)
        with np.errstate(over="ignore", invalid="ignore"):  # infinite, and written as such
            mean = np.tensordot(share, each, 1)
            std = np.sqrt(np.tensordot(share, (each - mean) ** 2, 1))
            cuts = np.empty((0, *mean.shape))
            if quantiles:
                cuts = np.quantile(np.repeat(each, self.counts, axis=0), quantiles, axis=0)
        return Spread(mean, std, cuts)

    def merged(self) -> Model:
        """The one network that predicts as the ensemble: all hidden units, W2 times their shares.

        Returns
        -------
        Model
            Of N1 the sum of the members'; its weights have the members' dtype. Its intervals have
            one width, as it has no spread.

        Raises
        ------
        UsageError
            for classes, labels and counts, whose predictions are no sums over hidden units, and
            for members of different activations.

        Examples
        --------
        >>> import numpy as np, fastnet
        >>> x = np.linspace(-1, 1, 50)
        >>> ensemble = fastnet.sweep(x, x**2, n1=[2, 4], max_epochs=10).ensemble("all")
        >>> model = ensemble.merged()
        >>> model.weights.W1.shape, bool(np.allclose(model.predict(x), ensemble.predict(x)))
        ((6, 1), True)
        """
        activations = list(dict.fromkeys(model.activation for model in self.models))
        if LOSSES[self.loss].link != IDENTITY:
            raise UsageError(
                f"an ensemble of loss {self.loss} is not one network, because it averages after "
                f"the {LOSSES[self.loss].link} of the outputs; export its members one by one."
            )
        if len(activations) > 1:
            raise UsageError(
                f"members of the activations {' and '.join(activations)} do not make one network; "
                "export them one by one."
            )
        share = np.array(self.counts) / sum(self.counts)
        W1, b1, W2, b2 = zip(*(model.weights for model in self.models))
        outputs = np.hstack([s * w for s, w in zip(share, W2)]), share @ np.array(b2, np.float64)
        arrays = np.vstack(W1), np.concatenate(b1), *(a.astype(W1[0].dtype) for a in outputs)
        held = self.calibration and Calibration(np.sort(self.calibration.errors, axis=0))
        return Model(Weights(*arrays), activations[0], self.schema, None, held)

    def words(self) -> str:
        """Which members it has, in one line."""
        pairs = zip(self.members, self.counts)
        shown = [f"{m}" + f" ({c} times)" * (c > 1) for m, c in pairs]
        more = len(shown) - 12
        text = ", ".join(shown[:12]) + f" and {more:,} more" * (more > 0)
        many = "members" if len(shown) > 1 else "member"
        line = f"Ensemble of {len(shown):,} {many}: {text}."
        out = " and ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
        return line + f" Left out: {out}." * bool(out)


def checked_quantiles(quantiles: Sequence[float]) -> tuple[float, ...]:
    """Quantiles as shares from 0 to 1; anything else is refused."""
    try:
        found = tuple(float(share) for share in quantiles)
    except (TypeError, ValueError):
        found = (np.nan,)
    odd = [share for share in found if not 0 <= share <= 1]
    if odd or len(set(found)) < len(found):
        raise UsageError(
            f"quantiles must be different shares from 0 to 1, such as 0.05,0.95, got "
            f"{quoted(quantiles)}."
        )
    return found


# ---------------------------------------------------------------- which members


def of_result(
    result: "Result", members: str, data: tuple | None = None, calibrate: bool = False
) -> Ensemble:
    """The Ensemble of some members of a run; see Result.ensemble."""
    rule, count = parsed(members)
    numbers, left_out = candidates(result)
    if result.options["keep"] not in ("all", "state"):
        raise UsageError(
            f"an ensemble needs the weights of all members, and the run kept those of "
            f"{result.options['keep']} (--keep {result.options['keep']}); train it with --keep all."
        )
    refuse_other_losses(result, numbers)
    if rule == "top" and count > len(numbers):
        raise UsageError(
            f"members {members}: the run has {len(numbers)} members that can be taken "
            f"(of {len(result.members)}, without those that diverged or were pruned)."
        )
    picks = numbers if rule == "all" else numbers[:count]
    if rule == "greedy":
        what = f"members {members} are chosen by their loss"
        picks = greedy(result, numbers, count, validation_samples(result, what, data))
    counted = Counter(int(member) for member in picks)
    own = {"thresholds": None, "calibration": None}  # of the best member alone
    models = tuple(result.model(member)._replace(**own) for member in counted)
    found = Ensemble(models, tuple(counted), tuple(counted.values()), result.schema, left_out)
    if not calibrate:
        return found
    return calibrated(found, validation_samples(result, "an interval is made from errors", data))


def load_ensemble(path: str | os.PathLike, members: str, calibrate: bool = False) -> Ensemble:
    """The Ensemble of some members of the run in a folder.

    Raises
    ------
    UsageError
        for a path that is no folder, and as `Result.ensemble`.
    FastnetError, DataError
        as `fastnet.load`.
    """
    from fastnet.results.collect import load

    path = checked_path(path, "model")
    if path.is_file():
        raise UsageError(f"--members chooses members of a run; {path} is a single model.")
    return load(path).ensemble(members, calibrate=calibrate)


def load_calibrated(path: str | os.PathLike, member: int) -> Model:
    """A member of the run in a folder with its errors on the validation rows."""
    from fastnet.results.collect import load

    result = load(path)
    samples = validation_samples(result, "an interval is made from errors")
    return calibrated(result.model(member), samples)


def parsed(members: Any) -> tuple[str, int]:
    """The rule and the number of members of a text such as greedy:5; 0 for all."""
    rule, _, count = members.partition(":") if isinstance(members, str) else ("", "", "")
    if members == "all":
        return "all", 0
    if rule in ("top", "greedy") and count.isdecimal() and 1 <= int(count) <= 1_000_000:
        return rule, int(count)
    raise UsageError(
        f"members must be all, top:K or greedy:K, such as top:5, got {quoted(members)}."
    )


def candidates(result: "Result") -> tuple[np.ndarray, dict[str, int]]:
    """The numbers of the members that can be taken, the best first, and how many cannot, by why."""
    reasons = result.members["stop_reason"]
    finite = np.isfinite(grouping.monitored(result.members)) & ~np.isin(reasons, WITHOUT)
    if not finite.any():
        raise UsageError("no member can be taken for an ensemble: all diverged or were pruned.")
    ranked = answer.ranking(result.members, result.options["optimizer_margin"])
    counts = {name: int((reasons == name).sum()) for name in WITHOUT}
    return ranked[finite[ranked]], {name: count for name, count in counts.items() if count}


def refuse_other_losses(result: "Result", numbers: np.ndarray) -> None:
    """Refuse members that were trained for different losses, such as several quantiles."""
    for name in own_options("loss", result.loss):
        values = np.unique(result.members[name][numbers])
        if len(values) > 1:
            texts = ", ".join(f"{value:g}" for value in values)
            raise UsageError(
                f"the members were trained for different losses ({name} {texts}), so their mean "
                "means nothing; train a run for each."
            )


def validation_samples(result: "Result", what: str, data: tuple | None = None) -> Samples:
    """The samples of a run that has validation rows; refused if it has none."""
    if len(result.split["val"]) == 0:
        folds = "with folds each member has validation rows of its own"
        reason = folds if "folds_val" in result.split else "the run has none"
        cure = ", or use top:K" if what.startswith("members") else ""
        raise UsageError(
            f"{what} on validation rows, and {reason}; train with --validation-fraction 0.2{cure}."
        )
    return run_samples(result, data)


def greedy(result: "Result", numbers: np.ndarray, count: int, samples: Samples) -> list[int]:
    """The members that a greedy search picks, one after another, perhaps several times.

    Each pick is the member that makes the loss of the mean prediction on the validation rows
    lowest (Caruana, Niculescu-Mizil, Crew & Ksikes 2004, "Ensemble selection from libraries of
    models", ICML). Of equal ones it is the better member.
    """
    X, Y, weight = samples.weighted("val")
    _, known, _ = samples.weighted("train")
    factors = checked_class_weights(result.options["class_weight"], known, result.classes)
    weight = weight if factors is None else weight * (Y @ factors)
    first = result.model(int(numbers[0]))
    most = max(1, min(CANDIDATES, 8 * BLOCK_VALUES // Y.size))
    numbers = numbers[:most]
    each = np.stack([first.response(result.model(int(i)).outputs(X)) for i in numbers])
    lost = Loss(first, result.members[numbers[0]], Y, weight)
    total, picks = np.zeros(each.shape[1:]), []
    for size in range(1, count + 1):
        losses = [lost.of((total + one) / size) for one in each]
        place = int(np.argmin(losses))
        total += each[place]
        picks.append(int(numbers[place]))
    return picks


class Loss:
    """The mean loss of predictions for known targets.

    Parameters
    ----------
    model : Predictor
        Says what predictions are.
    record : record of a member
        Its settings are the parameters of the loss.
    Y : ndarray of shape (n, k)
        Numbers in their own units, one-hot classes, or 0 and 1 of labels.
    weight : ndarray of shape (n,)
    """

    def __init__(self, model: Predictor, record: np.void, Y: np.ndarray, weight: np.ndarray):
        name = "cross_entropy" if model.has_one_logit else model.loss
        self.model, self.loss, self.setting = model, reference.losses.LOSSES[name], record
        self.Y, self.share = model.encoded(Y), weight / weight.sum()

    def of(self, response: np.ndarray) -> float:
        """The mean loss of responses (n, k); infinite if it is no number."""
        with np.errstate(over="ignore", invalid="ignore"):
            losses, _ = self.loss(self.model.linked(response), self.Y, self.setting)
            found = float(losses @ self.share)
        return found if np.isfinite(found) else np.inf


# ---------------------------------------------------------------- metrics by set


def evaluate_sets(
    path: str | os.PathLike, predictors: Mapping[str, Predictor], interval: float | None = None
) -> dict[str, dict[str, Any]]:
    """What `by_set` finds on the rows of the run in a folder.

    Raises
    ------
    UsageError
        for a path that is no folder, and for a run whose samples are not available.
    """
    from fastnet.results.collect import load

    if os.path.isfile(path):
        raise UsageError(f"{path} is a single model, which has no rows of its own; give --data.")
    result = load(path)
    reason = reason_samples_missing(result)
    if reason:
        raise UsageError(f"{reason}; give --data.")
    return by_set(predictors, run_samples(result), interval)


def by_set(
    predictors: Mapping[str, Predictor], samples: Samples, interval: float | None = None
) -> dict[str, dict[str, Any]]:
    """The metrics of several predictors on each set of a run's samples that has rows.

    Returns
    -------
    dict
        By set its rows, and the loss and metrics of each predictor by its name; with an interval
        also what intervals.sureness finds.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in SETS:
        if len(samples.split[name]):
            X, Y, weight = samples.weighted(name)
            found[name] = {"rows": len(X)}
            for who, predictor in predictors.items():
                found[name][who] = scores(predictor, X, Y, weight, interval)
    return found


def scores(
    predictor: Predictor,
    X: Any,
    Y: np.ndarray,
    weight: np.ndarray,
    interval: float | None = None,
) -> dict[str, Any]:
    """Loss and metrics of a predictor on rows whose targets are as in Samples."""
    with np.errstate(over="ignore", invalid="ignore"):  # scores that are not finite are None
        (Z2, std), Y = predictor.outputs_and_spread(X), predictor.encoded(Y)
        loss, metrics = predictor.mean_loss(Z2, Y, weight), predictor.metrics(Z2, Y, weight)
    found = {"loss": loss, "metrics": metrics}
    if interval is not None:
        found["interval"] = sureness(predictor, Z2, std, Y, weight, interval)
    return found


def interval_of_run(result: "Result", level: float = 0.9) -> dict[str, Any] | None:
    """The intervals of a run's best member, and how often they hold the targets of test rows.

    Returns
    -------
    dict or None
        level, quantile (k,) of the errors, and test, what intervals.sureness finds on the test
        rows; None if there are none, or if they are not available. None without enough validation
        rows.
    """
    if result.calibration is None or not result.packed or len(result.calibration.errors) < 9:
        return None
    found = {"level": level, "quantile": result.calibration.quantile(level), "test": None}
    if len(result.split["test"]) and reason_samples_missing(result) is None:
        rows = run_samples(result).weighted("test")
        found["test"] = scores(result.model(), *rows, level)["interval"]
    return found
