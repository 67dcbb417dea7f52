"""The two paths of the compiler, and that neither they nor the processor change results."""

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet import doctor
from fastnet.cli import display
from fastnet.cli.display import compiling
from fastnet.errors import FastnetError, UsageError
from fastnet.native import cache, versions
from fastnet.native.entry import INTERPRETED

ROOT = Path(fastnet.__file__).parents[1]
compiled_only = pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")

# ---------------------------------------------------------------- which path


def test_setup_has_the_tested_range():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    first, end = versions.TESTED
    assert f"numba>={first},<{end}" in setup["options"]["install_requires"].split()


@pytest.mark.parametrize("version, path", [
    ("0.61.2", "plain"), ("0.62.0", "fast"), ("0.62.0rc1", "fast"), ("0.68.9", "fast"),
    ("0.69.0rc1", "plain"), ("0.100.0", "plain"), ("1.0", "plain"),
])  # fmt: skip
def test_the_fast_path_is_for_tested_versions(monkeypatch, version, path):
    monkeypatch.delenv(versions.VARIABLE, raising=False)
    monkeypatch.setattr(versions, "compiler_versions", lambda: {"numba": version})
    monkeypatch.setattr(versions, "TESTED", ("0.62", "0.69"))
    assert versions.path() == path
    if path == "plain":
        told = f"Numba {version} is not among the tested versions, 0.62 up to 0.69"
        assert versions.reason_for_plain() == told


def test_a_variable_asks_for_the_plain_path(monkeypatch):
    monkeypatch.setenv(versions.VARIABLE, "plain")
    assert versions.path() == "plain"
    assert versions.reason_for_plain() == "KERNELS_COMPILER is set"
    monkeypatch.setenv(versions.VARIABLE, "slow")
    with pytest.raises(UsageError, match="KERNELS_COMPILER must be 'plain' or unset, got 'slow'"):
        versions.path()


@pytest.mark.parametrize("reason", [None, "Numba is new"])
def test_the_plain_path_is_named_where_it_is_used(monkeypatch, command, reason):
    monkeypatch.setattr(cache, "folder", lambda: ROOT)
    monkeypatch.setattr(display, "reason_for_plain", lambda: reason)
    monkeypatch.setattr(doctor, "why_plain", lambda: reason)
    monkeypatch.setattr(doctor, "INTERPRETED", False)
    slower = f"; without shortcuts, three times as long, because {reason}" if reason else ""
    cached = "once for each choice of methods; later runs take them from a cache"
    assert (
        compiling(["lm with sin"])
        == f"Compiling the kernels for lm with sin ({cached}{slower}) ..."
    )
    pairs = [f"{name} with relu" for name in ("sgd", "momentum", "nesterov", "adam", "adamw", "lm")]
    assert (
        " for sgd with relu, momentum with relu, nesterov with relu, adam with relu and 2 more ("
        in (compiling(pairs))
    )
    facts = command("doctor --json").json
    assert facts["compiler"] == (f"plain path ({reason})" if reason else "fast path")
    advised = any("The shortcuts were tested with numba>=" in line for line in facts["advice"])
    assert advised == bool(reason)


def test_an_untested_numba_that_fails_is_named(monkeypatch):
    def fail():
        with versions.suspected():
            raise AttributeError("no such name")

    with pytest.raises(AttributeError, match="no such name"):
        fail()
    monkeypatch.setattr(versions, "compiler_versions", lambda: {"numba": "2.0"})
    told = r"^Numba 2.0 cannot compile the kernels \(AttributeError: no such name\); fastnet was "
    with pytest.raises(FastnetError, match=told + r".* pip install 'numba>=0.62,<[\d.]+'\.$"):
        fail()
    with pytest.raises(UsageError, match="KERNELS_COMPILER must"), versions.suspected():
        monkeypatch.setenv(versions.VARIABLE, "slow")
        versions.path()


# ---------------------------------------------------------------- results, by path and processor

TRAIN = """
import hashlib, importlib.machinery, re, sys
import numpy as np

name, module = sys.argv[1:3]
get_code = importlib.machinery.SourceFileLoader.get_code

def renamed(loader, fullname):
    "The code of one of Numba's modules, in which a name is another."
    if fullname.startswith(module or "numba."):
        text = loader.get_data(loader.path).decode()
        if re.search(rf"\\b{name}\\b", text):
            return compile(re.sub(rf"\\b{name}\\b", f"{name}_other", text), loader.path, "exec")
    return get_code(loader, fullname)

if name:
    importlib.machinery.SourceFileLoader.get_code = renamed

import fastnet
from fastnet.native import compile as compiler

X = np.random.default_rng(0).normal(size=(150, 20))
Y = np.tanh(X[:, :12] + X[:, 8:])
one = dict(task=1, n1=[3], seeds=1, optimizer="sgd", max_epochs=30)
several = dict(n1=[1, 3, 17, 40], seeds=1, max_epochs=8, learning_rate=0.05, l2=1e-3)
for dtype in sys.argv[3:]:
    task = dtype == "task"
    result = fastnet.train(**one) if task else fastnet.train(X, Y, dtype=dtype, **several)
    arrays = {**result.packed, **result.entries}
    whole = b"".join(np.ascontiguousarray(arrays[name]).tobytes() for name in sorted(arrays))
    print(hashlib.sha256(whole).hexdigest(), *result.members["train_loss"])
print(compiler.choose_path() or "fast")
"""


def train(folder, *what, name="", module="", **variables):
    """Small trainings in a process of its own: a digest and the losses of each; the path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA_", "KERNELS_"))}
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", TRAIN, name, module, *what],
        env={**kept, "NUMBA_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stderr
    *lines, path = found.stdout.splitlines()
    digests = [line.split()[0] for line in lines]
    losses = [[float(word) for word in line.split()[1:]] for line in lines]
    return digests, losses, path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A cache of the plain path, and what the training of a task gave."""
    folder = tmp_path_factory.mktemp("plain")
    digests, _, path = train(folder, "task", KERNELS_COMPILER="plain")
    assert path == "KERNELS_COMPILER is set"
    assert all("-plain-" in file.name for file in folder.glob("*/*"))
    return folder, digests


@compiled_only
@pytest.mark.slow
def test_both_paths_compute_the_same_bytes(plain, tmp_path):
    digests, _, path = train(tmp_path, "task")
    assert path == "fast" and digests == plain[1]
    assert all("-fast-" in file.name for file in tmp_path.glob("*/*"))


# Numba's names that fastpath.py uses, and the module to change it in where documented means have
# the same name.
NAMES = {
    **dict.fromkeys(["JITCodeLibrary", "_linking_libraries", "_codegen", "_data_layout"], ""),
    **dict.fromkeys(["_ensure_finalized", "_finalized", "get_pointer_to_function", "set_env"], ""),
    **dict.fromkeys(["_optimize_functions", "_optimize_final_module"], ""),
    **dict.fromkeys(["_finalize_final_module", "LiteralUnroll", "NopythonRewrites"], ""),
    **dict.fromkeys(["global_compiler_lock", "cpu_target", "resolve_function_type"], ""),
    "targetctx": "",
    "finalize": "numba.core.codegen",
}


@compiled_only
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_without_a_private_name_of_numba_the_bytes_are_the_same(plain, tmp_path, name):
    """By the fast path where it can do without, else by the plain one."""
    folder, expected = plain
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    digests, _, path = train(tmp_path, "task", name=name, module=NAMES[name])
    assert digests == expected
    assert path == "fast" or path.startswith("it fails with Numba ")


@compiled_only
@pytest.mark.slow
def test_the_shape_of_tiles_is_not_in_the_bytes(tmp_path):
    shapes = "2x1", "6x2", "12x2"
    found = {shape: train(tmp_path, "float32", KERNELS_TILE_SHAPE=shape) for shape in shapes}
    assert len({digests[0] for digests, _, _ in found.values()}) == 1
    assert len(list(tmp_path.glob("*/advance-*"))) == 3


@compiled_only
@pytest.mark.slow
@pytest.mark.parametrize("prefixes", [("avx512",), ("avx", "fma", "f16c", "vaes", "vpclmul")])
def test_narrower_vectors_give_the_same_losses_to_rounding(tmp_path, prefixes):
    """Without AVX-512, and without AVX: other bytes, as there is no fused multiply-add."""
    features = cache.host()[1]
    if not features.get("avx2"):
        pytest.skip("this processor has no AVX2")
    flags = {name: there and not name.startswith(prefixes) for name, there in features.items()}
    text = ",".join(f"{'+' if there else '-'}{name}" for name, there in flags.items())
    _, losses, _ = train(tmp_path / "narrow", "task", "float32", NUMBA_CPU_FEATURES=text)
    _, expected, _ = train(tmp_path / "wide", "task", "float32")
    for mine, other in zip(losses, expected):
        np.testing.assert_allclose(mine, other, rtol=2e-5)


@pytest.mark.parametrize("shape", ["6", "1x1", "13x2", "6x3", "six"])
def test_impossible_shapes_of_tiles_are_refused(monkeypatch, shape):
    from fastnet.native import tiles

    monkeypatch.setenv("KERNELS_TILE_SHAPE", shape)
    message = f"KERNELS_TILE_SHAPE must be ROWSxCOLUMNS from 2x1 to 12x2, got '{shape}'"
    with pytest.raises(UsageError, match=message):
        tiles.tile_shape(32)
