"""Train thousands of one-hidden-layer networks at once on a CPU.

The names below are loaded when first used, so that `fastnet --help` starts fast. Their
signatures, for editors and type checkers, are in __init__.pyi, which scripts/make_docs.py writes.
"""

from fastnet.errors import DataError, FastnetError, UsageError

__version__ = "0.1.0"
_API = (
    *("train", "sweep", "smallest", "dry_run", "load", "resume", "Result"),
    *("load_model", "predict", "evaluate", "explain", "inspect", "example"),
)
__all__ = ["FastnetError", "UsageError", "DataError", *_API]


def __getattr__(name):
    if name in _API:
        from fastnet import api

        return getattr(api, name)
    raise AttributeError(f"module 'fastnet' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
