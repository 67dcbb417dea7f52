"""Every number of a checkpoint is checked against the run before the kernels see it."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastnet
from fastnet.data.samples import make_data
from fastnet.engine.records import STATE
from fastnet.errors import DataError
from fastnet.options.defaults import resolve
from fastnet.results.collect import peek
from fastnet.training.checkpoint import FIELDS, Run, shapes
from fastnet.training.plan import make_plan
from fastnet.training.training import Training

X = np.linspace(-1, 1, 40)[:, None]
METHODS = {
    "n1": [2, 3, 2, 3, 2, 3, 2],
    "optimizer": ["sgd", "adam", "lm", "br", "lbfgs", "sgd", "rprop"],
    "batch_size": [None, 16, None, None, None, 8, None],
    "learning_rate": 0.05,
    "schedule": ["plateau", "one_cycle", *["plateau"] * 3, "cosine", "step"],
    "zip": True,
}
RUN = {"max_epochs": 40, "threads": 1, "record": "snapshots"}


def training(**given):
    """A Training on 40 rows of x squared."""
    options = resolve({**RUN, **given}, "sweep")
    data = make_data(X, X[:, 0] ** 2, validation_fraction=0.2)
    return Training(make_plan(options, data), data, options)


def copies(arrays):
    return {name: array.copy() for name, array in arrays.items()}


def checkpoints(**given):
    """The checkpoints of a whole run with rounds of few epochs."""
    run = training(**given)
    while run.live.size:
        run.epochs = 3
        run.round()
        yield copies(run.checkpoint())


def middle(**given):
    """A checkpoint from the middle of a run: some members have stopped, most have not."""
    run = training(**given)
    while run.start < 12:
        run.epochs = 3
        run.round()
    return copies(run.checkpoint())


# ---------------------------------------------------------------- the tables are complete


def test_every_field_of_the_state_has_a_check():
    assert set(FIELDS) == set(STATE.names)


def test_every_array_of_a_checkpoint_has_a_shape():
    run = training()
    known = shapes(Run(run.plan, run.dtype, run.history.names, 1, True))
    assert set(run.checkpoint()) == {*known, "history_values"}


# ---------------------------------------------------------------- what a run writes is its own


@pytest.mark.parametrize(
    "given",
    [
        METHODS,
        {"n1": [2, 4], "stop": "first", "target_loss": 0.05, "learning_rate": 0.3},
        {"n1": [2], "learning_rate": [0.1, 1e30], "patience": 3, "min_learning_rate": 0.01},
        {"n1": [2], "optimizer": ["lm", "adam"], "zip": True, "backend": "reference"},
        {"n1": [2], "dtype": "float64", "warmup_epochs": 3, "schedule": ["exponential", "cosine"]},
        {**METHODS, "keep": "state"},
    ],
    ids=["every method", "first", "diverges", "reference", "schedules", "states"],
)
def test_every_checkpoint_of_a_run_is_its_own(given):
    whole = [*checkpoints(**given)]
    for saved in whole:
        again = training(**given)
        again.restore(saved)
        for name, array in copies(again.checkpoint()).items():
            assert array.tobytes() == saved[name].tobytes(), name


def test_rounds_that_take_no_time_do_not_grow_beyond_the_last_epoch():
    """With many threads, rounds may be short however many epochs they are given."""
    run = training(**METHODS)
    for _ in range(2000):
        run.epochs = run.next_epochs(1e-9, run.epochs)
    assert run.epochs == 41
    saved = middle(**METHODS)
    saved["progress"][1] = 1e308
    run.restore(saved)
    assert run.epochs == 41


# ---------------------------------------------------------------- what is refused


def refused(saved, message, **given):
    with pytest.raises(DataError, match=message):
        training(**given).restore(saved)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *[("epoch", -5), ("epoch", 41), ("epoch", 2**62), ("stop", -1), ("stop", 10)],
        *[("stop", 2**40), ("best_epoch", -2), ("best_epoch", 12), ("last_epoch", 2**62)],
        *[("last_epoch", 12), ("waited", -1), ("waited", 99), ("stalled", 99)],
        *[("steps", -1), ("steps", 2**62), ("rule", 4), ("rule", 1), ("stored", 2**40)],
        *[("stored", -1), ("mu", -1.0), ("mu_up", -2.0), ("decay", 1.0), ("effective", np.nan)],
        *[("learning_rate", np.inf), ("learning_rate", -1e-9), ("plateau_rate", np.nan)],
        *[("best_loss", np.nan), ("best_loss", 0.0), ("best_loss", np.inf)],
        *[("reference", np.inf), ("gradient_norm", -1.0), ("clipped", 1.5)],
    ],
)
def test_a_state_that_no_member_can_have(field, value):
    saved = middle(**METHODS)
    saved["states"][field][0] = value
    refused(saved, f"^the state of member 0 has {field} ", **METHODS)


@pytest.mark.parametrize(("field", "value"), [("mu", 0.0), ("mu_up", 0.0), ("mu_up", 1.0)])
def test_a_damping_that_would_be_tried_for_ever(field, value):
    saved = middle(**METHODS)
    saved["states"][field][2] = value
    refused(saved, f"^the state of member 2 has {field} ", **METHODS)


CHANGES = [
    (lambda s: s.pop("memory"), "it has no memory"),
    (lambda s: s.update(more=np.zeros(1)), "it has the unknown array 'more'"),
    (lambda s: s.update(states=s["states"][:3]), r"states has shape \(3,\), not \(7,\)"),
    (lambda s: s.update(best=s["best"].astype(float)), "best does not have the run's dtype"),
    (lambda s: s.update(progress=np.array([-1.0, 1, 1])), "starts at epoch -1, not from 0 to 41"),
    (lambda s: s.update(progress=np.array([np.nan, 1, 1])), "starts at epoch nan"),
    (lambda s: s.update(progress=np.array([3.5, 1, 1])), r"starts at epoch 3\.5"),
    (lambda s: s.update(progress=np.array([12.0, 0, 1])), "the next round has 0 epochs"),
    (lambda s: s.update(progress=np.array([12.0, 1, -1])), "it took -1 seconds"),
    (lambda s: s["progress"].__setitem__(0, 13), "the state of member 0 has epoch 12"),
    (lambda s: s["best"].__setitem__(0, np.nan), "best has values that are not finite"),
    (lambda s: s["seconds"].__setitem__(0, -1), "seconds has values that are no times"),
    (lambda s: s["seconds"].__setitem__(0, 1e308), "seconds has values that are no times"),
    (lambda s: s["history_counts"].__setitem__(1, 2**62), "history_counts has 46.* of member 1"),
    (lambda s: s.update(history_values=s["history_values"][:, 1:]), "history_values has shape"),
    (lambda s: s.pop("snapshot_b1"), "it has no snapshot_b1"),
    (lambda s: s.update(snapshot_b1=s["snapshot_b1"][1:]), "snapshot_b1 has shape"),
    (lambda s: s["snapshot_member"].__setitem__(0, 99), "snapshot_W1 has shape"),
    (lambda s: s["snapshot_n1"].__setitem__(0, 99), "snapshot_n1 is not the members' n1"),
    (lambda s: s["snapshot_epoch"].__setitem__(0, 2**60), "snapshot_epoch is not reached yet"),
]


KEPT = [
    (lambda s: s.pop("kept_memory"), "it has no kept_memory"),
    (lambda s: s.pop("kept_members"), "kept_members names members that there are not"),
    (lambda s: s["kept_members"].__setitem__(-1, 9), "kept_members names members that"),
    (lambda s: s["kept_members"].__setitem__(1, 0), "kept_members names members that"),
    (lambda s: s["kept_offsets"].__setitem__(1, 1), "kept_offsets are not those of its members"),
    (lambda s: s["kept_best"].__setitem__(0, np.inf), "kept_best has values that are not finite"),
    (lambda s: s["kept_states"]["stop"].fill(2), "kept_states has members that had ended"),
    (lambda s: s["kept_states"]["epoch"].fill(39), "kept: the state of member 0 has epoch 39"),
]


@pytest.mark.parametrize(("change", "message"), KEPT, ids=[text for _, text in KEPT])
def test_kept_states_that_are_not_of_the_run(change, message):
    given = {"n1": [2, 3], "optimizer": "adam", "keep": "state"}
    *_, saved = checkpoints(**given)
    training(**given).restore(copies(saved))
    change(saved)
    refused(saved, message, **given)


@pytest.mark.parametrize(("change", "message"), CHANGES, ids=[text for _, text in CHANGES])
def test_arrays_that_are_not_of_the_run(change, message):
    saved = middle(**METHODS)
    change(saved)
    refused(saved, message, **METHODS)


def test_members_of_a_snapshot_that_there_are_not():
    """Beside weights cut to fit the others."""
    saved = middle(**METHODS)
    saved["snapshot_member"][-1] = 7
    n1 = 2  # of the last member
    for name in ("W1", "b1", "W2"):
        saved[f"snapshot_{name}"] = saved[f"snapshot_{name}"][:-n1]
    refused(saved, "snapshot_member names members that there are not", **METHODS)


# ---------------------------------------------------------------- through the folder


@pytest.fixture
def interrupted(tmp_path):
    """The folder of a run that stopped after its first round."""
    given = {"n1": [2, 3], "max_epochs": 10**6, "learning_rate": 0.1}
    result = fastnet.sweep(X, X[:, 0], out=tmp_path / "run", progress=stop_training, **given)
    assert result.status == "interrupted"
    return tmp_path / "run"


def stop_training(progress):
    if progress.stage == "train":
        signal.raise_signal(signal.SIGINT)


def test_a_forged_checkpoint_is_of_no_run(interrupted):
    with np.load(interrupted / "checkpoint.npz") as file:
        saved = dict(file)
    saved["states"]["epoch"] = -5
    np.savez(interrupted / "checkpoint.npz", **saved)
    text = r"checkpoint\.npz is not of this run: the state of member 0 has epoch -5\.$"
    with pytest.raises(DataError, match=text):
        fastnet.resume(interrupted, X, X[:, 0])
    with pytest.raises(DataError, match=text):
        peek(interrupted)


# ---------------------------------------------------------------- extreme values, every field

EXTREME = """
import faulthandler, sys, numpy as np
sys.path.insert(0, sys.argv[1])
import test_checkpoint as tests
from fastnet.errors import DataError

faulthandler.dump_traceback_later(100, exit=True)
INTEGERS = [0, -1, 1, 2**31, 2**62, -(2**63), 2**63 - 1]
FLOATS = [0.0, -1.0, 1.0, np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 2.0**63]
whole, counts = tests.middle(**tests.METHODS), {"refused": 0, "trained": 0}

def tried(saved):
    run = tests.training(**tests.METHODS)
    try:
        run.restore(saved)
    except DataError:
        counts["refused"] += 1
        return
    while run.live.size:
        run.round()
    counts["trained"] += 1

for name, array in whole.items():
    for field in array.dtype.names or (None,):
        column = array[field] if field else array
        for value in INTEGERS if column.dtype.kind == "i" else FLOATS:
            for place in [slice(None), *sorted({0, 2, 4, len(array) - 1} & {*range(len(array))})]:
                saved = tests.copies(whole)
                with np.errstate(over="ignore"):
                    (saved[name][field] if field else saved[name])[place] = value
                print(name, field, value, place, file=sys.stderr)
                tried(saved)
print(__import__("json").dumps(counts))
"""


def test_no_value_of_any_field_crashes_or_hangs_the_kernels():
    """In a process of its own: a fault here is a signal."""
    folder = __file__.rpartition("/")[0]
    line = [sys.executable, "-W", "ignore", "-c", EXTREME, folder]
    done = subprocess.run(line, capture_output=True, text=True)
    last = done.stderr.splitlines()[-1:]
    name = signal.Signals(-done.returncode).name if done.returncode < 0 else done.returncode
    assert done.returncode == 0, f"{name} after {last}"
    counts = json.loads(done.stdout)
    assert counts["refused"] > 500 and counts["trained"] > 20
