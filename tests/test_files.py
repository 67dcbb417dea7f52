"""Files are written whole or not at all, and read without running anything."""

import json
import re

import numpy as np
import pytest

from fastnet import files
from fastnet.errors import DataError, FastnetError


class Stopped(BaseException):
    """As Ctrl-C in the middle of a write."""


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Stopped()])
def test_a_write_that_fails_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "a.txt"
    files.write_bytes(path, b"old")

    def write(file):
        file.write(b"half")
        raise error

    with pytest.raises(FastnetError if isinstance(error, OSError) else Stopped):
        files.write_whole(path, write)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_nan_is_an_error_and_no_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []
    files.write_json(tmp_path / "a.json", {"loss": 0.5})
    assert json.loads((tmp_path / "a.json").read_text()) == {"loss": 0.5}


def test_a_folder_that_is_a_file_is_named_once(tmp_path):
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "x.csv"
    with pytest.raises(FastnetError, match=rf"^-o: {re.escape(str(path))} cannot be written \(Not"):
        files.write_output(path, lambda file: None)


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    arrays = {"a": np.arange(3), "b": np.eye(2)}
    for name in ("one.npz", "two.npz"):
        files.write_npz(tmp_path / name, arrays)
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert (files.read_npz(tmp_path / "one.npz")["b"] == np.eye(2)).all()


def test_what_is_no_npz_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(DataError, match=r"a\.npz is missing\.$"):
        files.read_npz(path)
    with pytest.raises(DataError, match=r"cannot be read: \[Errno 21\] Is a dir"):
        files.read_npz(tmp_path)
    files.write_npy(path, np.zeros(3))
    with pytest.raises(DataError, match=r"a\.npz cannot be read: it is an npy, not an npz\.$"):
        files.read_npz(path)
    np.savez(path, a=np.array([print], object))
    with pytest.raises(DataError, match="it is no npz, or holds pickled objects"):
        files.read_npz(path)


@pytest.mark.parametrize(
    "value, expected",
    [
        (np.float32(0.5), 0.5),
        (0.0, 0.0),
        (np.int64(3), 3),
        (np.str_("a"), "a"),
        ("", None),
        (np.nan, None),
        (np.float64(np.inf), None),
        (None, None),
    ],
)
def test_values_for_json(value, expected):
    found = files.json_value(value)
    assert found == expected and type(found) is type(expected)
