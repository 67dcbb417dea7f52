"""Kernels compiled at once by several processes, and what happens where that cannot work."""

import importlib
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import fastnet
from fastnet.native import cache, processes
from fastnet.native.entry import INTERPRETED, Entry
from fastnet.native.processes import compile_apart, take_alike

pytestmark = pytest.mark.skipif(INTERPRETED, reason="nothing is compiled")
MODULE = """
from fastnet.native.choice import table
from fastnet.native.entry import Entry, inner

FRUIT = table({name!r}, **{{f"f{{i}}": {{"weight": inner(lambda x, i=float(i): x * i)}}
                         for i in range(3)}})

@Entry
def weigh(fruit, out):
    out[0] = fruit.weight(2.0)
"""


@pytest.fixture
def store(monkeypatch, tmp_path):
    """An empty cache, in this process and in those that it starts."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / cache.version_hash()
    cache.make(folder)
    monkeypatch.setattr(cache, "folder", lambda: folder)
    monkeypatch.setattr(cache, "folders", lambda: [folder])
    return folder


@pytest.fixture
def calls(monkeypatch, tmp_path, request):
    """Three calls of an entry point of a module of its own."""
    name = re.sub(r"\W", "_", f"kernels_{request.node.name}")
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / f"{name}.py").write_text(MODULE.format(name=name))
    monkeypatch.syspath_prepend(tmp_path / "modules")
    module = importlib.import_module(name)
    return [(module.weigh, (fruit, np.zeros(1))) for fruit in module.FRUIT.values()]


def results(calls):
    for entry, arguments in calls:
        entry(*arguments)
    return [float(arguments[1][0]) for _, arguments in calls]


def test_processes_fill_the_cache(store, calls, monkeypatch, capfd):
    compile_apart(calls, 2)
    assert len(list(store.glob("weigh-*.kernel"))) == 3
    monkeypatch.setattr(Entry, "compiled", lambda self, kind: pytest.fail("compiled here, too"))
    assert results(calls) == [0.0, 2.0, 4.0]
    assert capfd.readouterr() == ("", "")


FRESH = """
import sys
sys.path.insert(0, {folder!r})
import numpy as np
from {name} import FRUIT, weigh
from fastnet.native.processes import compile_apart

calls = [(weigh, (fruit, np.zeros(1))) for fruit in FRUIT.values()]
assert not any(entry.is_ready(*arguments) for entry, arguments in calls)
compile_apart(calls, 2)
for entry, arguments in calls:
    entry(*arguments)
print([arguments[1][0] for _, arguments in calls] == [0, 2, 4], "numba" in sys.modules)
"""


def test_a_process_finds_what_others_put_into_a_new_cache(calls, monkeypatch, tmp_path):
    """It looks there first, when not even the folder exists."""
    module = calls[0][0].__module__
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "new"))
    monkeypatch.setenv("PYTHONPATH", str(Path(fastnet.__file__).parents[1]))
    code = FRESH.format(folder=str(tmp_path / "modules"), name=module)
    line = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"


def test_the_folder_of_the_caller_is_not_searched_for_modules(store, calls, monkeypatch, tmp_path):
    """A file of the user's called like a library would run in its place."""
    for name in ("pickle", "numba", "fastnet"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w').close(); raise SystemExit")
    monkeypatch.chdir(tmp_path)
    compile_apart(calls, 3)
    assert len(list(store.glob("weigh-*.kernel"))) == 3 and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("command", ["import no_such_module", "import sys; sys.stdin.read(9)", ""])
def test_processes_that_fail_are_given_up(store, calls, monkeypatch, command):
    monkeypatch.setattr(processes, "START", command)
    compile_apart(calls, 2)
    assert not list(store.glob("*.kernel"))
    assert results(calls) == [0.0, 2.0, 4.0]


def test_a_program_that_cannot_be_started_does_no_harm(store, calls, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    compile_apart(calls, 2)
    assert results(calls) == [0.0, 2.0, 4.0]


def test_no_process_is_started_where_it_would_not_help(store, calls, monkeypatch):
    def refuse(*args, **more):
        pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    compile_apart(calls, 1)  # one thread
    compile_apart(calls[:2] * 4, 2)  # two kernels
    compile_apart([], 2)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    compile_apart(calls, 2)  # Python is part of a program
    monkeypatch.delattr(sys, "frozen")
    monkeypatch.setattr(cache, "folder", lambda: None)
    compile_apart(calls, 2)  # without a cache nothing comes back


def test_a_process_takes_what_is_like_its_last_call():
    jobs = [("m", "f", (tuple, *kind)) for kind in ("ax", "bx", "by", "ay")]
    pending = list(jobs)
    assert take_alike(pending, None) == jobs[0]
    assert take_alike(pending, jobs[2]) == jobs[2]
    assert take_alike(pending, jobs[2]) == jobs[1]
    assert take_alike(pending, jobs[2]) == jobs[3] and take_alike(pending, jobs[2]) is None


def test_an_interruption_ends_the_processes(store, calls, monkeypatch):
    """Also one that would compile for ever."""
    running = []

    class Noted(subprocess.Popen):
        def __init__(self, *args, **more):
            super().__init__(*args, **more)
            running.append(self)

    def interrupted(futures):
        while len(running) < 2:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(processes, "START", "import time; time.sleep(600)")
    monkeypatch.setattr(processes, "wait", interrupted)
    monkeypatch.setattr(subprocess, "Popen", Noted)
    with pytest.raises(KeyboardInterrupt):
        compile_apart(calls, 2)
    assert [process.returncode != 0 for process in running] == [True, True]
    assert not list(store.glob("weigh-*.kernel"))
