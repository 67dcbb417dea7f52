"""The wheel and the sdist, built and installed into a bare environment: nothing of the checkout."""

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import fastnet

pytestmark = pytest.mark.slow
ROOT = Path(fastnet.__file__).parents[1]
# In the environment: every module is imported; those that need an extra say so or name its library.
IMPORTS = """
import importlib, json, pkgutil, fastnet
failed = {}
for module in pkgutil.walk_packages(fastnet.__path__, "fastnet.", onerror=lambda name: None):
    if module.name == "fastnet.__main__":
        continue
    try:
        importlib.import_module(module.name)
    except (ImportError, fastnet.FastnetError) as error:
        failed[module.name] = str(error)
print(json.dumps([fastnet.__file__, failed]))
"""
DERIVATION = "fastnet/data/datasets/derivation.txt"


def completed(*line, **kwargs):
    """Run a command without the checkout on Python's path."""
    inherited = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(line, env=inherited, capture_output=True, text=True, **kwargs)


def run(*line, **kwargs):
    """The stdout of a command that succeeds."""
    done = completed(*line, **kwargs)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the sdist and of the wheel, which is built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT))
    return folder


@pytest.fixture(scope="module")
def bare(built, tmp_path_factory):
    """The bin folder of an environment in which the wheel and what it requires are installed."""
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", str(folder))
    (wheel,) = built.glob("*.whl")
    run(folder / "bin" / "python", "-m", "pip", "install", "--quiet", str(wheel))
    return folder / "bin"


def test_both_have_the_name_and_the_text_of_the_derivation(built):
    names = sorted(path.name for path in built.iterdir())
    version = fastnet.__version__
    assert names == [f"fastnet_mlp-{version}-py3-none-any.whl", f"fastnet_mlp-{version}.tar.gz"]
    text = (ROOT / "docs" / "derivation.md").read_bytes()
    with tarfile.open(built / names[1]) as sdist:
        assert sdist.extractfile(f"fastnet_mlp-{version}/{DERIVATION}").read() == text
        assert sdist.getmember(f"fastnet_mlp-{version}/{DERIVATION}").isreg()
    with zipfile.ZipFile(built / names[0]) as wheel:
        assert wheel.read(DERIVATION) == text
        inside = wheel.namelist()
    assert "fastnet/data/datasets/digits.npz" in inside
    assert "fastnet/figures/playback.js" in inside
    assert {name.split("/")[0] for name in inside} == {
        "fastnet",
        f"fastnet_mlp-{version}.dist-info",
    }


def test_every_module_is_there_and_needs_no_extra_but_its_own(bare, tmp_path):
    file, failed = json.loads(run(bare / "python", "-c", IMPORTS, cwd=tmp_path))
    assert Path(file).is_relative_to(bare.parent)
    for name, message in failed.items():
        library = {"estimator": "scikit-learn", "page": "streamlit"}[name.split(".")[1]]
        assert library in message, (name, message)
    assert "fastnet.estimator" in failed


def test_the_command_trains_and_reports(bare, tmp_path):
    fast = bare / "fastnet"
    assert run(fast, "--version") == f"fastnet, version {fastnet.__version__}\n"
    assert "fastnet train --task 1" in run(fast, "train", "--help")
    trained = json.loads(run(fast, *"train --task 1 --n1 4 --json --out r".split(), cwd=tmp_path))
    assert trained["best"]["stop_reason"] == "target"
    assert run(fast, "doctor", cwd=tmp_path)


def test_messages_name_the_distribution(bare, tmp_path):
    done = completed(bare / "fastnet", "ui", cwd=tmp_path)
    message = "Error: the page needs streamlit; install it with: pip install 'fastnet-mlp[ui]'\n"
    assert (done.returncode, done.stderr) == (1, message)
