"""A Result is the same from a training, from its folder and for one member alone."""

import numpy as np
import pytest

import fastnet
from fastnet.errors import UsageError
from fastnet.options.methods import CONVERGED_BY, INIT_KINDS, STOPS
from fastnet.results import answer, metrics
from fastnet.results.collect import peek
from fastnet.results.result import MEMBERS

X = np.linspace(-1, 1, 30)
SWEEP = {"n1": [2, 3], "seeds": 2, "max_epochs": 12, "record": ("snapshots", "gradient_norm")}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A Result and the same read from its folder."""
    folder = tmp_path_factory.mktemp("collected") / "run"
    result = fastnet.sweep(X, X**2, validation=(X, X**2), out=folder, **SWEEP)
    return result, fastnet.load(folder)


def test_a_folder_gives_the_result_back(trained):
    result, loaded = trained
    assert loaded.run == result.run and loaded.options == result.options
    assert loaded.best_member == result.best_member and loaded.metrics == result.metrics
    for name in result.members.dtype.names:
        np.testing.assert_array_equal(loaded.members[name], result.members[name])
    for part in ("record", "snapshots"):
        assert set(loaded.recorded[part]) == set(result.recorded[part])


@pytest.mark.parametrize("member", range(4))
def test_one_member_alone_is_what_it_was(trained, member):
    for result in trained:
        alone = result.of_member(member)
        assert len(alone.members) == 1 and alone.best["member"] == member
        for mine, theirs in ((alone.weights(), result.weights(member)),
                             (alone.history(), result.history(member))):  # fmt: skip
            for a, b in zip(mine, theirs, strict=True):
                np.testing.assert_array_equal(a, b)
        snapshots, all_of_them = alone.recorded["snapshots"], result.recorded["snapshots"]
        assert len(snapshots["n1"]) == (all_of_them["member"] == member).sum() > 0
        assert len(snapshots["b1"]) == snapshots["n1"].sum() and not snapshots["member"].any()
        assert len(alone.recorded["record"]["gradient_norm"]) == len(alone.history().epoch)


def test_a_member_that_does_not_exist_has_no_result(trained):
    with pytest.raises(UsageError, match="member must be an integer from 0 to 3, got 4"):
        trained[0].of_member(4)


def test_one_member_alone_is_not_saved(trained, tmp_path):
    """Its folder would say that its options make other members."""
    with pytest.raises(UsageError, match="the result of one member alone has no run folder; save"):
        trained[0].of_member(2).save(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_there_is_nothing_to_peek_at_once_a_run_has_ended(trained):
    assert peek(trained[0].run) is None


def test_a_model_of_any_member_is_loaded(trained):
    result, _ = trained
    model = fastnet.load_model(result.run, member=2)
    np.testing.assert_array_equal(model.predict(X), result.model(2).predict(X))


@pytest.mark.parametrize(
    "record, loss",
    [
        ({"train_loss": 0.5, "val_loss": 0.0}, 0.0),
        ({"train_loss": 0.0, "val_loss": None}, 0.0),
        ({"train_loss": None, "val_loss": None}, None),
        ({}, None),
    ],
)
def test_the_monitored_loss_of_a_record(record, loss):
    assert answer.monitored_of(record) == loss


def test_confusion_counts():
    Y = np.eye(3)[[0, 0, 1, 2, 2, 2]]
    P = np.eye(3)[[0, 1, 1, 2, 2, 0]]
    assert metrics.confusion_matrix(Y, P).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 2]]


@pytest.mark.parametrize(
    "column, names",
    [("stop_reason", STOPS), ("converged_by", CONVERGED_BY), ("init_kind", INIT_KINDS)],
)
def test_a_record_holds_every_name_whole(column, names):
    record = np.zeros(1, MEMBERS)
    for name in names:
        record[column] = name
        assert record[column][0] == name
