"""The command that installs an extra, depending on how fastnet itself was installed."""

import shlex
import sys
from importlib import import_module
from pathlib import Path

from fastnet.errors import FastnetError

DISTRIBUTION = "fastnet-mlp"  # on PyPI the name fastnet belongs to another project
ROOT = Path(__file__).resolve().parents[1]  # for a checkout, the folder with setup.cfg


def missing_extra(what, extra, error=FastnetError):
    """The error for a missing library: what needs it, and how to install it."""
    return error(f"{what}; install it with: {install_command(extra)}")


def require_module(name, what, extra, error=FastnetError):
    """Import a library that `what` needs; one line if it is missing, or there but broken."""
    try:
        import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name == name:
            raise missing_extra(f"{what} needs {name}", extra, error) from None
        raise broken(name, what, extra, error, missing) from None
    except Exception as reason:  # a broken installation can raise anything
        raise broken(name, what, extra, error, reason) from None


def broken(name, what, extra, error, reason):
    """The error for a library that is there and cannot be imported."""
    said = " ".join(str(reason).split())
    return error(
        f"{what} needs {name}, which cannot be imported ({type(reason).__name__}: {said}); install "
        f"it again with: {install_command(extra)} --force-reinstall"
    )


def install_command(extra):
    """The command line that adds an extra to this installation of fastnet."""
    if not (ROOT / "setup.cfg").is_file():
        return f"pip install '{DISTRIBUTION}[{extra}]'"
    here = Path.cwd()
    folder = "." if here == ROOT else ROOT
    python = Path(sys.executable)
    if python.is_relative_to(here):
        python = python.relative_to(here)
    # Without -e a checkout's .venv would run a copy of the sources from then on.
    return f"{shlex.quote(str(python))} -m pip install -e {shlex.quote(f'{folder}[{extra}]')}"
