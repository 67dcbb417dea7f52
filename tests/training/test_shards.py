"""Members that are trained in parts: the pieces make the run that trains them together."""

import time

import numpy as np
import pytest
from numpy.lib import recfunctions as rfn

from fastnet import job
from fastnet.errors import DataError, UsageError
from fastnet.options.rules import refuse_cut
from fastnet.results.result import Result
from fastnet.training.loop import train
from fastnet.training.plan import pick_members
from fastnet.training.shards import adopt, cost_of, parts, piece_of
from fastnet.training.training import Training

X = np.linspace(-1, 1, 40)[:, None]
Y = np.sin(3 * X[:, 0])
RUNS = {
    "first order": {
        "n1": [2, 5, 8],
        "seeds": 3,
        "optimizer": ["sgd", "adam"],
        "batch_size": [8, None],
        "learning_rate": [0.03, 1e30],
        "record": ["snapshots", "gradient_norm"],
        "patience": 20,
        "min_delta": 1e-4,
    },
    "matrix": {"n1": [2, 3, 4], "seeds": 2, "optimizer": ["lm", "br", "lbfgs"], "folds": 3},
    "float32": {
        "n1": [2, 4],
        "seeds": 3,
        "dtype": "float32",
        "keep": "best",
        "sample_weight": np.linspace(1, 2, 40),
        "validation_fraction": 0.2,
    },
    "rivals": {
        "n1": [2, 4, 6],
        "seeds": 2,
        "l2": [0.1, 0.01, 0.001],
        "prune_l2": 10,
        "validation_fraction": 0.2,
        "optimizer": "adam",
    },
    "long": {"n1": [2, 3], "seeds": 2, "max_epochs": 2500, "record": ["snapshots"]},
    "reference": {"n1": [2, 3], "seeds": 2, "backend": "reference"},
}


def prepared(run):
    return job.prepare("sweep", X, Y, None, {"max_epochs": 40, "threads": 1, **RUNS[run]})


def finished(run, members=None):
    """A Training of a run, or of some of its members, trained to the end."""
    options, data, plan = prepared(run)
    plan = plan if members is None else pick_members(plan, members)
    training = Training(plan, data, options)
    train(training)
    return training


def result_of(training, data):
    one = job.Job("sweep", None, training, data, {"versions": {}}, None, time.perf_counter())
    return one.collect("done", 0.0)


def put_together(run, count=3, order=1):
    """The Training of a run whose members were trained in parts."""
    options, data, plan = prepared(run)
    training = Training(plan, data, options)
    for members in parts(plan, options, count)[::order]:
        adopt(training, members, piece_of(finished(run, members)))
    return training


def without_seconds(array):
    return rfn.repack_fields(array[[name for name in array.dtype.names if name != "seconds"]])


def same(one, other):
    """Whether two values of Results have the same bytes."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, np.ndarray) and one.dtype.names:
        one, other = without_seconds(one), without_seconds(other)
    if isinstance(one, np.ndarray):
        facts = [(array.dtype, array.shape, array.tobytes()) for array in (one, other)]
        return facts[0] == facts[1]
    return repr(one) == repr(other)


def files_of(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("summary.json", "members.csv", "environment.json")
    }


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "backwards"])
def test_the_pieces_make_the_run(run, order, tmp_path):
    data = prepared(run)[1]
    whole, cut = result_of(finished(run), data), result_of(put_together(run, order=order), data)
    for name in Result._fields:
        if name != "seconds":
            assert same(getattr(whole, name), getattr(cut, name)), name
    whole.save(tmp_path / "whole")
    cut.save(tmp_path / "cut")
    assert files_of(tmp_path / "whole") == files_of(tmp_path / "cut")


def test_members_of_pieces_are_in_checkpoints_while_the_others_are_trained():
    options, data, plan = prepared("first order")
    training = Training(plan, data, options)
    first = parts(plan, options, 3)[0]
    adopt(training, first, piece_of(finished("first order", first)))
    again = Training(plan, data, options)
    again.restore({name: array.copy() for name, array in training.checkpoint().items()})
    again.epochs = 3
    again.round()
    last = Training(plan, data, options)
    last.restore({name: array.copy() for name, array in again.checkpoint().items()})
    train(last)
    whole = finished("first order")
    for name in ("states", "best", "history_values", "snapshot_W1", "snapshot_epoch"):
        assert last.checkpoint()[name].tobytes() == whole.checkpoint()[name].tobytes(), name


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("run", ["first order", "rivals"])
def test_parts_have_each_member_once_and_about_the_same_cost(run, count):
    options, _, plan = prepared(run)
    found = parts(plan, options, count)
    assert len(found) == count
    assert sorted(np.concatenate(found).tolist()) == list(range(plan.columns.size))
    cost = np.array([cost_of(plan)[part].sum() for part in found])
    groups = 3 if run == "rivals" else plan.columns.size
    assert np.ptp(cost) <= cost_of(plan).max() * plan.columns.size / groups


def test_rivals_stay_together():
    options, _, plan = prepared("rivals")
    for part in parts(plan, options, 3):
        assert len(np.unique(plan.columns["n1"][part])) == 1


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda piece: piece["states"]["stop"].__setitem__(1, 0), "state of member|is still"),
        (lambda piece: piece.pop("best"), "it has no best"),
        (lambda piece: piece.update(parameters=np.zeros(3)), "unknown array 'parameters'"),
        (lambda piece: piece["best"].__setitem__(0, np.nan), "best has values that are not finite"),
        (lambda piece: piece["snapshot_epoch"].__setitem__(0, 41), "snapshot_epoch is not reached"),
    ],
    ids=["live", "array", "more", "nan", "epoch"],
)
def test_a_piece_of_others_is_refused(damage, message):
    options, data, plan = prepared("first order")
    part = parts(plan, options, 3)[0]
    piece = {n: a.copy() for n, a in piece_of(finished("first order", part)).items()}
    damage(piece)
    with pytest.raises(DataError, match=message):
        adopt(Training(plan, data, options), part, piece)


def test_a_piece_whose_members_are_live_is_refused():
    options, data, plan = prepared("float32")
    part = parts(plan, options, 3)[0]
    training = Training(pick_members(plan, part), data, options)
    with pytest.raises(DataError, match="its member 0 is still training"):
        adopt(Training(plan, data, options), part, piece_of(training))


@pytest.mark.parametrize(
    "given, message",
    [
        ({"stop": "first"}, "shard does not go with stop first: its members advance in lock step"),
        ({"stop": "decided"}, "stop decided: its members are not known"),
        ({"halving": 3}, "halving 3: its members are compared .* drop halving, or drop shard"),
        ({"time_limit": 2.0}, "time_limit 2.0: when it ends a member depends on who trains it"),
    ],
)
def test_runs_that_cannot_be_cut(given, message):
    options = {**prepared("float32")[0], **given}
    with pytest.raises(UsageError, match=message):
        refuse_cut(options, "shard")
    refuse_cut(prepared("rivals")[0], "shard")
