"""The first promise: a member's bytes do not depend on company, order, threads or rounds."""

import numpy as np
import pytest

from fastnet import api
from fastnet.data import tasks
from fastnet.data.samples import make_data
from fastnet.engine import records
from fastnet.engine.layout import views
from fastnet.options.defaults import resolve
from fastnet.training import loop
from fastnet.training import training as trainer
from fastnet.training.history import History, kept_epochs
from fastnet.training.plan import make_plan, pick_members

# Widths on both sides of every block size, and of the tiles of 12, 6 and 2 rows.
TASK1 = {
    "n1": [1, 2, 3, 5, 8, 13, 40, 257, 300],
    "seeds": 2,
    "learning_rate": [0.3, 1.0],
    "clip_norm": [0.1],
    "lr_patience": [3],
    "max_epochs": 20,
}
TASK2 = {
    "n1": [1, 4, 9, 33],
    "seeds": 2,
    "learning_rate": [0.5, 4.0],
    "clip_norm": [0.1],
    "lr_patience": [2],
    "patience": [4],
    "max_epochs": 8,
}


def inputs(task):
    if task == 1:
        X, y = tasks.function_data(samples=300)
        return make_data(X, y, "squared")
    X, y = tasks.digits()
    return make_data(X[:400], y[:400], "cross_entropy", validation_fraction=0.2)


def planned(task, dtype, batch_size, **more):
    given = {**(TASK1 if task == 1 else TASK2), "dtype": dtype, "batch_size": [batch_size], **more}
    resolved = resolve(given, "sweep")
    checked = inputs(task)
    return resolved, checked, make_plan(resolved, checked)


def trained(resolved, checked, members, threads, epochs=None, **more):
    """Train, in rounds of so many epochs where given."""
    training = trainer.Training(members, checked, {**resolved, "threads": threads, **more})
    if epochs is not None:
        training.epochs = epochs
        training.next_epochs = lambda took, done: epochs
    loop.train(training)
    return training


def results(training, member):
    """All that a member ends with: weights, history, state."""
    settings, p = training.plan.settings[member], training.plan
    run = views(training.pack.best, settings["offset"], int(settings["n1"]), p.d, p.k)
    history = training.history.flat(training.pack.states)
    first, last = history["offsets"][member : member + 2]
    entries = [history[n][first:last] for n in ("epoch", "train_loss", "val_loss", "learning_rate")]
    state = training.pack.states[member]
    return [np.array(a) for a in run] + entries + [state[n] for n in state.dtype.names]


def assert_same(one, i, other, j):
    for a, b in zip(results(one, i), results(other, j), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module", params=[1, 2], ids=["regression", "classification"])
def task(request):
    return request.param


@pytest.fixture(scope="module", params=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture(scope="module", params=[None, 48], ids=["full", "mini"])
def everything(request, task, dtype):
    """Options, data, plan, and the run of all members on one thread."""
    resolved, checked, members = planned(task, dtype, request.param)
    return resolved, checked, members, trained(resolved, checked, members, 1)


def test_members_alone_have_the_bytes_of_the_sweep(everything):
    resolved, checked, members, whole = everything
    for i in np.random.default_rng(0).choice(len(members.columns), 5, replace=False):
        alone = trained(resolved, checked, pick_members(members, [i]), 1)
        assert_same(alone, 0, whole, i)


def test_company_order_and_threads_change_nothing(everything):
    resolved, checked, members, whole = everything
    chosen = np.random.default_rng(1).permutation(len(members.columns))[::2]
    shuffled = trained(resolved, checked, pick_members(members, chosen), 2)
    for place, member in enumerate(chosen):
        assert_same(shuffled, place, whole, member)


@pytest.mark.parametrize("epochs", [1, 7, 1000])
def test_length_of_rounds_changes_nothing(everything, epochs):
    resolved, checked, members, whole = everything
    again = trained(resolved, checked, members, 2, epochs)
    for member in range(len(members.columns)):
        assert_same(again, member, whole, member)


def test_a_diverged_member_changes_no_neighbour(everything):
    resolved, checked, members, whole = everything
    training = trainer.Training(members, checked, {**resolved, "threads": 2})
    training.pack.parameters[members.settings["offset"][::2]] = np.inf
    loop.train(training)
    stops = training.pack.states["stop"]
    assert (stops[::2] == records.DIVERGED).all() and not (stops[1::2] == records.DIVERGED).any()
    for member in range(1, len(members.columns), 2):
        assert_same(training, member, whole, member)


def test_interrupted_and_restored_ends_with_the_same_bytes(everything):
    resolved, checked, members, whole = everything
    first = trainer.Training(members, checked, {**resolved, "threads": 1})
    first.epochs, first.next_epochs = 1, lambda took, done: 3
    assert loop.train(first, lambda training: training.start >= 4) == "interrupted"
    saved = {name: array.copy() for name, array in first.checkpoint().items()}
    second = trainer.Training(members, checked, {**resolved, "threads": 2})
    second.restore(saved)
    assert loop.train(second) == "done"
    for member in range(len(members.columns)):
        assert_same(second, member, whole, member)


# ---------------------------------------------------------------- --stop first


@pytest.fixture(scope="module")
def to_the_first():
    """Several members reach the target, some stop before for other reasons."""
    more = {"target_loss": [0.19], "patience": [6], "stop": "first", "max_epochs": 60}
    resolved, checked, members = planned(1, "float32", None, **more)
    return resolved, checked, members, trained(resolved, checked, members, 1, 1)


def test_stop_first_ends_where_the_first_member_reached(to_the_first):
    resolved, checked, members, run = to_the_first
    everyone = trained({**resolved, "stop": "all"}, checked, members, 1)
    stops, epochs = everyone.pack.states["stop"], everyone.pack.states["last_epoch"]
    soonest = epochs[stops == records.TARGET].min()
    winners = np.flatnonzero((stops == records.TARGET) & (epochs == soonest))
    assert 0 < soonest and (epochs[stops == records.TARGET] > soonest).any()
    np.testing.assert_array_equal(
        np.flatnonzero(run.pack.states["stop"] == records.TARGET), winners
    )
    cut = run.pack.states["stop"] == records.STOPPED
    assert cut.any() and (run.pack.states["last_epoch"][cut] == soonest).all()
    earlier = (epochs < soonest) | ((epochs == soonest) & (stops != 0))
    np.testing.assert_array_equal(run.pack.states["stop"][earlier], stops[earlier])
    for member in np.flatnonzero(earlier):
        assert_same(run, member, everyone, member)


@pytest.mark.parametrize(("threads", "epochs"), [(2, 1), (1, 7), (2, 7), (2, 1000)])
def test_stop_first_is_the_same_in_any_rounds_and_threads(to_the_first, threads, epochs):
    resolved, checked, members, run = to_the_first
    again = trained(resolved, checked, members, threads, epochs)
    assert again.start == run.start
    for member in np.flatnonzero(run.pack.states["stop"] != records.STOPPED):
        assert_same(again, member, run, member)
    history, expected = (t.history.flat(t.pack.states) for t in (again, run))
    for name, array in expected.items():
        np.testing.assert_array_equal(history[name], array)
    np.testing.assert_array_equal(again.pack.best, run.pack.best)
    for name in ("stop", "last_epoch", "best_epoch", "best_loss", "best_entry", "last_entry"):
        np.testing.assert_array_equal(again.pack.states[name], run.pack.states[name])


# ---------------------------------------------------------------- histories


def test_thinned_history_keeps_last_and_best_epoch():
    X, y = tasks.function_data(samples=20)
    result = api.train(X, y, n1=2, learning_rate=0.3, max_epochs=4999)
    entries = result.history()
    assert entries.epoch[0] == 0 and entries.epoch[-1] == 4999
    assert result.best["best_epoch"] in entries.epoch
    assert (np.diff(entries.epoch) > 0).all()
    dense = entries.epoch[entries.epoch <= 1024]
    np.testing.assert_array_equal(dense, np.arange(1025))
    assert len(entries.epoch) < 1024 * 3.5
    at_best = entries.train_loss[entries.epoch == result.best["best_epoch"]]
    assert at_best == result.best["train_loss"] == entries.train_loss.min()


def test_a_shorter_run_has_the_beginning_of_a_longer_one():
    X, y = tasks.function_data(samples=20)
    short, long = (api.train(X, y, n1=2, max_epochs=e).history() for e in (30, 60))
    for a, b in zip(short, long, strict=True):
        np.testing.assert_array_equal(a, b[:31])


def test_kept_epochs_are_those_that_the_kernel_keeps():
    from fastnet.reference.decisions import is_kept

    expected = [epoch for epoch in range(5000) if is_kept(epoch)]
    np.testing.assert_array_equal(kept_epochs(5000), expected)
    np.testing.assert_array_equal(
        kept_epochs(4001, 1020), [e for e in expected if 1020 <= e < 4001]
    )


def test_history_puts_thinned_best_and_last_entries_in_their_place():
    """Members with random last and best epochs; every entry's values are its epoch."""
    rng = np.random.default_rng(0)
    last = np.array([0, 5, 1024, 1025, 1026, 2051, 4097, 9999, *rng.integers(1, 9999, 40)])
    best = np.array([rng.integers(0, e + 1) for e in last])
    best[:4] = last[:4]
    history = History(len(last), ["train_loss", "learning_rate"])
    for start, end in ((0, 1), (1, 900), (900, 3001), (3001, 10000)):
        ids = rng.permutation(np.flatnonzero(last >= start))
        epochs = kept_epochs(end, start)
        buffer = np.repeat(epochs[None, :, None] * 1.0, len(ids), axis=0).repeat(5, axis=2)
        counts = np.searchsorted(epochs, last[ids], side="right")
        history.add(ids, buffer, counts)
    states = np.zeros(len(last), records.STATE)
    states["best_epoch"], states["last_epoch"] = best, last
    states["best_entry"], states["last_entry"] = best[:, None], last[:, None]
    for arrays in (history.flat(states), (history.table(), history.flat(states))[1]):
        for member, (first, end) in enumerate(
            zip(arrays["offsets"][:-1], arrays["offsets"][1:], strict=True)
        ):
            expected = {*kept_epochs(last[member] + 1), best[member], last[member]}
            epochs = arrays["epoch"][first:end]
            np.testing.assert_array_equal(epochs, sorted(expected))
            np.testing.assert_array_equal(arrays["train_loss"][first:end], epochs)
