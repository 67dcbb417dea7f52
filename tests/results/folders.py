"""What tests of run folders have in common: a small run, its files, and the errors they expect."""

import re
from pathlib import Path

import numpy as np
import pytest

from fastnet.errors import DataError
from fastnet.results.result import MEMBERS

SMALL = {"task": 1, "samples": 20, "n1": [2, 3], "seeds": 2, "max_epochs": 15, "threads": 1}


FILES = {
    *("config.json", "environment.json", "split.npz", "members.csv", "history.npz", "weights.npz"),
    *("best/W1.npy", "best/b1.npy", "best/W2.npy", "best/b2.npy"),
    *("model.npz", "events.jsonl", "snapshots.npz", "summary.json"),
}


def saying(text, kind=DataError):
    """pytest.raises for an error with exactly this text."""
    return pytest.raises(kind, match=f"^{re.escape(text)}$")


def files_of(folder):
    return {str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file()}


def contents(folder):
    return {name: (Path(folder) / name).read_bytes() for name in files_of(folder)}


def assert_same_members(one, other, but=()):
    assert one.members.dtype == other.members.dtype == MEMBERS
    for name in set(MEMBERS.names) - set(but):
        np.testing.assert_array_equal(one.members[name], other.members[name])


def assert_same_results(one, other):
    """Members, histories and weights are the same bytes; times are not looked at."""
    assert_same_members(one, other, but=["seconds"])
    for member in range(len(one.members)):
        for a, b in zip(one.history(member), other.history(member), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(one.weights(member), other.weights(member), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
