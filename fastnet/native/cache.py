"""Where compiled kernels are kept between processes.

The folder is per user, its name a hash of the kernels' sources and of the compiler's versions; a
file's name tells the rest that decides the code: the kinds of the arguments and the processor.
NUMBA_CACHE_DIR, where set, wins.
"""

import contextlib
import functools
import hashlib
import os
import tempfile
from importlib.metadata import version
from pathlib import Path

# The files whose sources decide what compiled kernels do; the methods' names have their codes.
SOURCES = ("native/*.py", "engine/*.py", "options/methods.py")
# Variables that make Numba compile other code than for this processor.
OVERRIDES = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")


@functools.cache
def compiler_versions():
    """Versions of Numba and llvmlite, without importing them."""
    return {name: version(name) for name in ("numba", "llvmlite")}


def version_hash():
    """Hash of all that decides, on one processor, what the compiled kernels do."""
    text = repr(compiler_versions()).encode()
    package = Path(__file__).parents[1]
    for path in sorted(path for pattern in SOURCES for path in package.glob(pattern)):
        text += path.name.encode() + path.read_bytes()
    return hashlib.sha256(text).hexdigest()[:16]


def candidates():
    """Folders to try, the best first."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"]) / version_hash()
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    yield Path(home) / "fastnet" / version_hash()
    yield Path(tempfile.gettempdir()) / f"fastnet-{user}" / version_hash()


def is_private(folder):
    """Whether nobody else could have put code into the folder."""
    status = folder.stat()
    return not hasattr(os, "getuid") or (
        status.st_uid == os.getuid() and not status.st_mode & 0o022
    )


def usable(folder):
    """Whether the folder exists or can be made, is ours alone and can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return is_private(folder)
    except OSError:
        return False


@functools.cache
def folder():
    """The first usable folder, or None: then every process compiles anew."""
    return next((folder for folder in candidates() if usable(folder)), None)


def host():
    """LLVM's name of this machine's processor, and its features: name -> whether it is there."""
    import llvmlite.binding as llvm

    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features()


@functools.cache
def processor():
    """The processor that code is compiled for."""
    name, features = host()
    return name, features.flatten(), *(os.environ.get(name) for name in OVERRIDES)


def place(name, kinds):
    """The file of an entry point's code for arguments of those kinds; None without a folder."""
    if folder() is None:
        return None
    key = hashlib.sha256(repr((kinds, processor())).encode()).hexdigest()[:32]
    return folder() / f"{name}-{key}.kernel"


def read(path):
    """Symbol and machine code of a file; None where there is none, or it is damaged."""
    try:
        head, code = path.read_bytes().split(b"\n", 1)
        digest, symbol = head.decode().split(" ")
    except (OSError, ValueError, AttributeError):
        return None
    return (symbol, code) if digest == hashlib.sha256(code).hexdigest() else None


def write(path, symbol, code):
    """Put code into its file in one step; a full disk costs the next process its time alone."""
    if path is None:
        return
    beside = path.with_suffix(f".{os.getpid()}")  # other processes may write the same
    try:
        beside.write_bytes(f"{hashlib.sha256(code).hexdigest()} {symbol}\n".encode() + code)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
