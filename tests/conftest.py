"""Fixtures of all tests."""

import json
import os
import shlex
import sys
from typing import NamedTuple

import numpy as np
import pytest

from fastnet.cli import commands as cli

# To be marked slow in their own files.
SLOW = (
    "test_second_order.py::test_equations_are_those_of_the_reference",
    "test_second_order_training.py::test_trainings_are_those_of_the_reference",
    "test_second_order_training.py::test_degenerate_problems_end_well",
    "test_methods.py::test_a_training_is_the_reference",
    "test_methods.py::test_losses_of_fifty_epochs_are_those_of_torch[kernels",
    "test_second_order_training.py::test_several_outputs_weights_and_a_validation_set",
    "test_second_order_training.py::test_losses_never_rise_and_the_reported_one",
    "test_second_order_training.py::test_lbfgs_learns_classes",
    "test_second_order_training.py::test_br_counts_the_parameters_that_noise_leaves",
    "test_methods.py::test_members_of_a_mixed_sweep",
    "test_methods.py::test_an_interrupted_mixed_sweep",
    "test_huge.py::test_bytes_do_not_depend_on_threads_company_and_rounds[float64",
    "test_huge.py::test_its_parts_add_up_to_the_reference",
    "test_kernels.py::test_loss_and_gradient_are_the_reference[float64-squared-2",
    "test_kernels.py::test_loss_and_gradient_are_the_reference[float64-squared-7",
    "test_kernels.py::test_loss_and_gradient_are_the_reference[float32-squared-64",
    "test_kernels.py::test_loss_and_gradient_are_the_reference[float32-cross_entropy",
    "test_kernels.py::test_loss_and_gradient_of_every_activation",
)


def pytest_collection_modifyitems(config, items):
    """Leave out the tests marked slow unless they are asked for."""
    if os.environ.get("SLOW_TESTS"):
        return
    slow = [
        item
        for item in items
        if item.get_closest_marker("slow") or any(name in item.nodeid for name in SLOW)
    ]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class Output(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        """stdout as exactly one JSON document without NaN or Infinity."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} in the JSON"))


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """No options from the environment, and none that make rich take any stream for a terminal."""
    for name in os.environ.copy():
        if name.startswith("FASTNET_") or name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
            monkeypatch.delenv(name)


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """Run a command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(line):
        monkeypatch.setattr(sys, "argv", ["fastnet", *shlex.split(line)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        return Output(code, *capsys.readouterr())

    return run
