"""The diffs of docs/extending.md: applied to a copy of the package, each does what it says."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet.options import methods
from fastnet.options.table import COLUMNS as AXIS_OPTIONS
from fastnet.results.result import MEMBERS
from fastnet.training.plan import COLUMNS

PAGE = Path(__file__).resolve().parents[1] / "docs" / "extending.md"
DIFFS = re.findall(r"^```diff\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
# What is trained with each diff; hard_sigmoid and cosine_restarts are longer than all of today.
GIVEN = {
    "hard_sigmoid": {"activation": ["tanh", "hard_sigmoid"]},
    "cauchy": {"loss": "cauchy"},
    "momentum_decay": {"optimizer": "momentum", "momentum_decay": [0.0, 0.1]},
    "adagrad": {"optimizer": ["sgd", "adagrad"], "accumulator": 0.5},
    "cosine_restarts": {"schedule": ["plateau", "cosine_restarts"], "decay_epochs": 3},
}
# One method in two ways, over a few epochs in float64.
RTOL = 1e-10
TRAIN = """
import json, sys
import numpy as np
import fastnet
from fastnet import export, gradcheck

given, backends = json.loads(sys.argv[1]), sys.argv[2].split(",")
x = np.linspace(-1, 1, 50)
found = {"losses": {}}
for backend in backends:
    run = fastnet.sweep(
        x, np.sin(3 * x), n1=4, max_epochs=8, dtype="float64", backend=backend, **given
    )
    found["losses"][backend] = [run.history(m).train_loss.tolist() for m in range(len(run.members))]
run.save("saved")
members = fastnet.load("saved").members
found["members"] = {name: members[name].tolist() for name in members.dtype.names}
model = run.model(len(members) - 1)
found["passed"] = gradcheck.check(model.loss, model.activation, d=2, n1=5, k=1)["passed"]
export.write(model, "numpy", "exported.py")
import exported
found["exported"] = bool(np.allclose(exported.predict(x[:, None]).ravel(), model.predict(x)))
print(json.dumps(found))
"""


def hunks(diff):
    """File, lines before and lines after of each hunk of a diff."""
    for part in re.split(r"^--- a/", diff, flags=re.M)[1:]:
        head, *blocks = re.split(r"^@@\n", part, flags=re.M)
        for block in blocks:
            lines = [line or " " for line in block.splitlines()]
            before = [line[1:] for line in lines if line[0] in " -"]
            after = [line[1:] for line in lines if line[0] in " +"]
            yield head.splitlines()[0], before, after


def apply(diff, folder):
    """Change the files of a folder; each hunk must fit in one place."""
    for name, before, after in hunks(diff):
        path = folder / name
        text, old = path.read_text(encoding="utf-8"), "\n".join(before) + "\n"
        assert text.count(old) == 1, (name, text.count(old), old)
        path.write_text(text.replace(old, "\n".join(after) + "\n"), encoding="utf-8")


def copied(folder, *diffs):
    """A copy of the package with the diffs applied."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(fastnet.__file__).parent, folder / "fastnet", ignore=ignored)
    for diff in diffs:
        apply(diff, folder)


def python(folder, *arguments):
    """What Python prints with the copy in a folder, run in a new one below it; the copy's kernels
    have a cache of their own."""
    work = Path(tempfile.mkdtemp(dir=folder))
    env = {**os.environ, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=work,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def trained(folder, given, backends="reference"):
    """What TRAIN finds."""
    return json.loads(python(folder, "-c", TRAIN, json.dumps(given), backends))


def test_the_page_has_a_diff_for_each():
    assert len(DIFFS) == len(GIVEN)
    for name, diff in zip(GIVEN, DIFFS):
        assert name in diff


def test_a_further_number_takes_three_files_and_an_edit_in_each():
    files = [name for name, *_ in hunks(DIFFS[list(GIVEN).index("momentum_decay")])]
    assert files == [
        "fastnet/options/table.py",
        "fastnet/engine/optimizers.py",
        "fastnet/reference/optimizers.py",
    ]


@pytest.mark.parametrize("name, diff", list(zip(GIVEN, DIFFS)), ids=list(GIVEN))
def test_a_diff_trains_as_itself(name, diff, tmp_path):
    copied(tmp_path, diff)
    found = trained(tmp_path, GIVEN[name])
    for option, values in GIVEN[name].items():
        if option != "loss":
            wanted = values if isinstance(values, list) else [values] * len(found["members"]["n1"])
            assert found["members"][option] == wanted  # no name is cut
    losses = found["losses"]["reference"]
    assert all(np.isfinite(loss).all() and loss[-1] < loss[0] for loss in losses)
    assert len({loss[-1] for loss in losses}) == len(losses)  # no two are trained alike
    assert found["passed"] and found["exported"]
    assert name.replace("_", "-") in python(
        tmp_path, "-m", "fastnet", "train", "--help-all"
    ).replace("_", "-")


@pytest.mark.slow
def test_all_diffs_together_are_compiled_as_the_reference_computes(tmp_path):
    copied(tmp_path, *DIFFS)
    for given in GIVEN.values():
        losses = trained(tmp_path, given, "kernels,reference")["losses"]
        np.testing.assert_allclose(losses["kernels"], losses["reference"], rtol=RTOL)


def test_columns_of_names_are_as_wide_as_the_longest():
    for name, option in AXIS_OPTIONS.items():
        for choice in option.choices:
            assert np.array(choice, COLUMNS[name]) == choice
            assert np.array(choice, MEMBERS[name]) == choice
    for column, names in (("stop_reason", methods.STOPS), ("converged_by", methods.CONVERGED_BY)):
        assert all(np.array(name, MEMBERS[column]) == name for name in names)


def test_a_diff_that_does_not_fit_is_seen(tmp_path):
    (tmp_path / "a.py").write_text("one\ntwo\n")
    with pytest.raises(AssertionError, match=r"a\.py"):
        apply("--- a/a.py\n+++ b/a.py\n@@\n one\n+more\n three\n", tmp_path)
