"""What is decided and recorded at an entry, against the reference, and which epochs are kept."""

import itertools

import numpy as np
import pytest
from nets import DTYPES, INTERPRETED, START, flatten, random_net

from fastnet import reference
from fastnet.engine import decisions, layout, records
from fastnet.native.compile import compile_for_python
from fastnet.native.vector import LANES


@compile_for_python
def all_kept(epochs, out):
    for i in range(epochs.size):
        out[i] = decisions.is_kept(epochs[i])


run_all_finite = compile_for_python(decisions.all_finite)
run_copy = compile_for_python(decisions.copy)


@compile_for_python
def run_decide(settings, states, monitored):
    return decisions.decide(settings[0], states[0], monitored)


@compile_for_python
def run_record_entry(states, train_loss, val_loss, better):
    decisions.record_entry(states[0], train_loss, val_loss, better)


def test_histories_are_thinned_as_the_reference_does():
    epochs = np.concatenate([np.arange(9000), [10**6, 10**6 + 1, 2**30]])
    result = np.empty(epochs.size, bool)
    all_kept(epochs, result)
    expected = [reference.decisions.is_kept(int(e)) for e in epochs]
    np.testing.assert_array_equal(result, expected)
    np.testing.assert_array_equal([decisions.is_kept(int(e)) for e in epochs], expected)
    dense = records.DENSE_EPOCHS
    assert dense == reference.records.DENSE_EPOCHS and result[: dense + 1].all()
    assert result[dense + 1 : 2 * dense + 1].sum() == dense // 2


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_finite_sees_every_parameter_and_no_neighbour(rng, dtype):
    net = random_net(rng, dtype, 3, 2, 5)
    flat, count = flatten(net), 5 * 6 + 2
    length = layout.parameter_length(5, 3, 2)
    flat[START] = np.finfo(dtype).max
    assert run_all_finite(flat, START, length) and reference.decisions.all_finite(net)
    for place, poison in itertools.product(range(count), (np.nan, np.inf, -np.inf)):
        poisoned = flat.copy()
        poisoned[START + place] = poison
        assert not run_all_finite(poisoned, START, length)
    net.b2[-1] = np.nan
    assert not reference.decisions.all_finite(net)


def test_copy_takes_a_members_run_alone():
    source, target = np.arange(4.0 * LANES), np.zeros(4 * LANES)
    run_copy(source, target, LANES, 2 * LANES)
    expected = np.where((source >= LANES) & (source < 3 * LANES), source, 0)
    np.testing.assert_array_equal(target, expected)


# ---------------------------------------------------------------- the course of a training


def a_setting(**given):
    """A member's settings, all decisions off but those given."""
    settings = np.zeros(1, records.SETTINGS)
    values = {"target_loss": -np.inf, "lr_factor": 0.5, "learning_rate": 1.0, "max_epochs": 1000}
    for name, value in {**values, **given}.items():
        settings[name] = value
    return settings


def a_state(settings):
    states = np.zeros(1, records.STATE)
    states["learning_rate"] = states["plateau_rate"] = settings["learning_rate"]
    states["best_loss"] = np.inf
    states["best_epoch"] = states["last_epoch"] = -1
    return states


def decided(course, **given):
    """The states after each entry with these monitored losses, up to the stop.

    Kernel and reference do the same few operations: their states are equal to the bit.
    """
    settings = a_setting(**given)
    states, twin, seen = a_state(settings), a_state(settings), []
    for epoch, monitored in enumerate(course):
        states["epoch"] = twin["epoch"] = epoch
        better = run_decide(settings, states, monitored)
        assert better == reference.decisions.decide(settings[0], twin[0], monitored)
        assert states.tobytes() == twin.tobytes()
        seen.append(states[0].copy())
        if states["stop"][0] != records.RUNNING:
            break
    return np.array(seen)


def test_target_is_met_by_equality():
    seen = decided([1.0, 0.5, 0.1, 0.05], target_loss=0.1)
    assert seen["stop"].tolist() == [records.RUNNING, records.RUNNING, records.TARGET]
    assert decided([0.1], target_loss=0.1)["stop"][0] == records.TARGET


def test_target_comes_before_patience_and_the_epoch_limit():
    losses, given = [1.0, 1.0, 0.9], {"patience": 2, "min_delta": 0.5, "max_epochs": 2}
    assert decided(losses, target_loss=0.9, **given)["stop"][-1] == records.TARGET
    assert decided(losses, **given)["stop"][-1] == records.PATIENCE
    assert decided(losses, **{**given, "patience": 0})["stop"][-1] == records.MAX_EPOCHS


def test_patience_stops_after_so_many_epochs_in_a_row():
    seen = decided([1.0, 0.9, 0.95, 0.8, 0.8, 0.9, 0.1], patience=2)
    assert seen["waited"].tolist() == [0, 0, 1, 0, 1, 2]
    assert seen["stop"][-1] == records.PATIENCE
    assert (seen["stop"][:-1] == records.RUNNING).all()


def test_max_epochs():
    seen = decided([1.0, 0.9, 0.8, 0.7, 0.6], max_epochs=3)
    assert len(seen) == 4 and seen["stop"][-1] == records.MAX_EPOCHS


def test_plateau_lowers_the_rate_to_its_least():
    seen = decided([1.0] * 8, lr_patience=2, min_learning_rate=0.3)
    assert seen["learning_rate"].tolist() == [1, 1, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3]
    assert seen["stalled"].tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert seen["waited"].tolist() == list(range(8))  # a decay starts only its own counter again


def test_patience_goes_on_counting_through_decays():
    seen = decided([1.0] * 9, lr_patience=2, patience=5)
    assert len(seen) == 6 and seen["stop"][-1] == records.PATIENCE
    assert seen["learning_rate"][-1] == 0.25


def test_min_delta_moves_the_best_but_not_the_reference():
    seen = decided([1.0, 0.95, 0.9, 0.85, 0.5], min_delta=0.2)
    assert seen["best_epoch"].tolist() == [0, 1, 2, 3, 4]
    assert seen["best_loss"].tolist() == [1.0, 0.95, 0.9, 0.85, 0.5]
    assert seen["reference"].tolist() == [1.0, 1.0, 1.0, 1.0, 0.5]
    assert seen["waited"].tolist() == [0, 1, 2, 3, 0]


def test_a_gain_of_exactly_min_delta_does_not_count():
    assert decided([1.0, 0.75], min_delta=0.25)["waited"].tolist() == [0, 1]


def test_the_first_of_equal_losses_is_the_best():
    assert decided([1.0, 0.5, 0.5])["best_epoch"].tolist() == [0, 1, 1]


def test_any_course_is_decided_as_the_reference_does(rng):
    for _ in range(20 if INTERPRETED else 300):
        decided(
            np.round(rng.uniform(0, 1, 40), 2),  # rounded: ties are wanted
            target_loss=rng.choice([-np.inf, 0.02]),
            patience=rng.integers(0, 12),
            lr_patience=rng.integers(0, 4),
            min_delta=rng.choice([0.0, 0.05]),
            min_learning_rate=rng.choice([0.0, 0.2]),
            max_epochs=rng.integers(1, 45),
        )


def test_record_entry_is_the_reference():
    states = a_state(a_setting())
    states["gradient_norm"], states["clipped"] = 3.0, 1.0
    twin = states.copy()
    for train_loss, better in ((2.0, True), (4.0, False)):
        run_record_entry(states, train_loss, np.nan, better)
        reference.decisions.record_entry(twin[0], train_loss, np.nan, better)
        assert states.tobytes() == twin.tobytes()
    assert states["best_entry"][0, records.TRAIN_LOSS] == 2.0
    assert states["last_entry"][0].tolist()[:1] == [4.0]
