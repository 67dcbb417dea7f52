"""A sweep gives the same bytes in forked and spawned processes and in several Python threads."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import fastnet

X = np.linspace(-1, 1, 40)
PATIENCE = 120  # seconds: a process of its own may have to compile
OPTIMIZERS = ("sgd", "adam", "lbfgs", "lm")


def weights_of(optimizer="sgd", seeds=4):
    """The bytes of the weights of all members of a small sweep on two threads."""
    given = {"n1": [2, 5], "seeds": seeds, "max_epochs": 40, "optimizer": optimizer}
    result = fastnet.sweep(X, X**2, threads=2, **given)
    return b"".join(result.packed[name].tobytes() for name in ("W1", "b1", "W2", "b2"))


FORK = """
import os, sys
sys.path.insert(0, sys.argv[1])
from test_training_processes import weights_of
before = weights_of()
children = []
for optimizer in ("sgd", "lbfgs"):
    alone = weights_of(optimizer)
    child = os.fork()
    if child == 0:
        os._exit(0 if weights_of(optimizer) == alone else 3)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
sys.exit(0 if codes == [0, 0] and weights_of() == before else f"{codes}")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_forked_after_a_sweep_can_sweep():
    """Python warns of forks beside threads from 3.12 on: those of a run that ended do no harm."""
    line = [
        sys.executable,
        "-W",
        "ignore::DeprecationWarning",
        "-c",
        FORK,
        os.path.dirname(__file__),
    ]
    done = subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def test_sweeps_in_several_python_threads_at_once_are_those_alone():
    names = OPTIMIZERS * 3
    alone = {name: weights_of(name) for name in OPTIMIZERS}
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(weights_of, names, timeout=PATIENCE))
    assert all(bytes_ == alone[name] for name, bytes_ in zip(names, found, strict=True))


def test_spawned_processes_give_the_same_bytes():
    alone = [weights_of(name) for name in OPTIMIZERS]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map_async(weights_of, OPTIMIZERS).get(PATIENCE) == alone
