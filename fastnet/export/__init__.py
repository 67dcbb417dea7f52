"""Models for other programs: npy, ONNX, a C99 header, a Python file."""

from fastnet.export.files import write

__all__ = ["write"]
