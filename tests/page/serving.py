"""The page served by `fastnet ui`, for tests in a browser."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

import fastnet

PATIENCE = 120  # seconds: the kernels may have to be compiled first


@contextlib.contextmanager
def serving(runs, *more):
    """Serve the page for a folder of runs; its address."""
    pytest.importorskip("streamlit", reason="the page needs fastnet[ui]")
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "fastnet", "ui", "--no-browser"]
    line += ["--runs", str(runs), "--port", str(port), *more]
    path = os.pathsep.join(
        [str(Path(fastnet.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    server = subprocess.Popen(line, env={**os.environ, "PYTHONPATH": path})
    try:
        wait_for(f"http://localhost:{port}{base(more)}/_stcore/health")
        yield f"http://localhost:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:  # it waits for open connections
            server.kill()
            server.wait(PATIENCE)


def base(more):
    """The path under which the page is served."""
    return more[more.index("--base-path") + 1] if "--base-path" in more else ""


def wait_for(address):
    """Wait until something answers there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            return urlopen(address).close()
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers at {address}")
