"""The cache folder that keeps compiled kernels between processes.

The folder's name is a hash of the kernels' sources and of the compiler's versions. A file's name
covers everything else that decides the code: the compiler's path, the kind of the arguments, the
processor. NUMBA_CACHE_DIR, if set, comes first, then the user's own cache folder, then one below
/tmp.

The content of these files is executed. So a folder is used only if nobody but this user and root
could have written to it. A folder that belongs to root, as in an image, is read but not written.
"""

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from fastnet.native import versions

# The files whose sources decide what compiled kernels do; the methods' names determine their codes.
SOURCES = ("native/*.py", "engine/*.py", "options/methods.py")
# Variables that make the compiler generate code for another processor than this one.
OVERRIDES = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_OPT")
TILE_SHAPE = "KERNELS_TILE_SHAPE"  # most rows and columns of a tile for tests: 6x2, see tiles.py


def version_hash():
    """Hash of everything that decides, on one processor, what the compiled kernels do."""
    text = repr(versions.compiler_versions()).encode()
    package = Path(__file__).parents[1]
    for path in sorted(path for pattern in SOURCES for path in package.glob(pattern)):
        text += path.name.encode() + path.read_bytes()
    return hashlib.sha256(text).hexdigest()[:16]


# ---------------------------------------------------------------- folders


def candidates():
    """Folders to try, the best first."""
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"]) / version_hash()
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    yield Path(home) / "fastnet" / version_hash()
    yield Path(tempfile.gettempdir()) / f"fastnet-{user}" / version_hash()


def is_group_of_one(group):
    """Whether this user is the only member of a group; many systems give each user such a group."""
    import grp
    import pwd

    try:
        found, user = grp.getgrgid(group), pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return False
    return found.gr_name == user and not {*found.gr_mem} - {user}


def is_closed(status):
    """Whether only this user and root can write to a folder."""
    mode = status.st_mode
    if mode & stat.S_IWGRP and not is_group_of_one(status.st_gid):
        return False
    return status.st_uid in (os.getuid(), 0) and not mode & stat.S_IWOTH


def keeps_entries(status):
    """Whether only this user and root can rename their files in a folder: if others may write,
    the sticky bit protects each owner's files, as in /tmp."""
    mine = status.st_uid in (os.getuid(), 0)
    return mine and (is_closed(status) or bool(status.st_mode & stat.S_ISVTX))


def exposed_part(folder):
    """The folder, or one above it, through which others could have put code there, or None."""
    if not hasattr(os, "getuid"):
        return None
    folder = folder.resolve()
    if not is_closed(folder.stat()):
        return folder
    return next((above for above in folder.parents if not keeps_entries(above.stat())), None)


def make(folder):
    """Make a folder and those above it, for this user alone."""
    for path in (*reversed(folder.parents), folder):
        path.mkdir(mode=0o700, exist_ok=True)


def objection(folder):
    """Why kernels are not written to a folder, as the end of a sentence; None if they are."""
    try:
        make(folder)
        with tempfile.TemporaryFile(dir=folder):
            exposed = exposed_part(folder)
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return f"is open to other users through {exposed}" if exposed else None


def is_readable(folder):
    """Whether kernels may be read from a folder: it exists, and nobody else can write there."""
    try:
        readable = folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
        return readable and exposed_part(folder) is None
    except OSError:
        return False


@functools.cache
def folder():
    """The folder that kernels are written to: the first that can be written, or None."""
    return next((folder for folder in candidates() if objection(folder) is None), None)


@functools.cache
def folders():
    """The folders that kernels are read from, the best first, with the one that is written to."""
    folder()  # makes it: other processes may fill it after this one has looked
    return [path for path in candidates() if is_readable(path)]


# ---------------------------------------------------------------- files


def host():
    """LLVM's name of this machine's processor, and its features: name -> whether it is there."""
    import llvmlite.binding as llvm

    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features()


@functools.cache
def processor():
    """The processor that code is compiled for."""
    name, features = host()
    return name, features.flatten(), *map(os.environ.get, (*OVERRIDES, TILE_SHAPE))


def name_of(function, kind, path):
    """The file of an entry point's code for arguments of that kind, by a path of the compiler."""
    key = hashlib.sha256(repr((kind, processor())).encode()).hexdigest()[:32]
    return f"{function}-{path}-{key}.kernel"


def holds(name):
    """Whether there is a file of that name."""
    return any((folder / name).exists() for folder in folders())


def read(name):
    """Symbol and machine code of a file; None if it is missing or damaged."""
    return next(filter(None, (read_file(folder / name) for folder in folders())), None)


def read_file(path):
    """Symbol and machine code of the file at a path; None if it is missing or damaged."""
    try:
        digest, content = path.read_bytes().split(b"\n", 1)
        symbol, code = content.split(b"\n", 1)
    except (OSError, ValueError):
        return None
    intact = digest.decode("latin-1") == hashlib.sha256(content).hexdigest()
    return (symbol.decode(), code) if intact else None


def write(name, symbol, code):
    """Put code into a file in one step; if that fails the next process compiles again."""
    if folder() is None:
        return
    path = folder() / name
    content = symbol.encode() + b"\n" + code
    beside = path.with_suffix(f".{os.getpid()}")  # other processes may write the same
    try:
        beside.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)
        os.replace(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink()
